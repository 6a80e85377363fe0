"""A day of a region outage on real sockets, with all that meters push: the same seeds are the same day to the octet."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cosem import AsyncClient
from cosem.client.access import access
from cosem.errors import ConnectionLost, CosemError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director, Said, What
from cosem.fleet.fleet import Fleet
from cosem.fleet.keys import FleetKeys
from cosem.fleet.population import Group, Population, PopulationLimits
from cosem.fleet.push_setup import PushSettings
from cosem.fleet.scenario import Outage, Scenario
from cosem.io.aio.listening import ListenLimits, listen
from cosem.io.capture import Tap, TraceEntry
from cosem.io.open import open_async
from cosem.io.stream import Stream
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import ProfileGeneric, Register
from cosem.protocol.profile.address import ConnectionUrl
from cosem.store.memory import MemoryCounterStore

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GROUPS = (Group(count=10), Group(count=2, secured=False))
COUNT, REGIONS = 12, 3
SCENARIO = Scenario(
    outages=(Outage(at=MIDNIGHT + 8 * HOUR, length=3 * HOUR, region=2, last_gasp=0.9, storm=HOUR),), regions=REGIONS
)
DARK = range(8, 12)
WITHOUT_KEYS = range(10, 12)
ENERGY = Register("1.0.1.8.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")

Entropy = Callable[[int], bytes]


class Day:
    """What happened in one day: what was said and missed, all pushes, and the octets of each session, both ways."""

    def __init__(self, seed: int, entropy: Entropy = secrets.token_bytes) -> None:
        self._seed = seed
        self._entropy = entropy
        self._chance = random.Random(seed)  # of the head-end, that can be repeated
        self._keys = FleetKeys(Secret(bytes(range(32))))
        self._counters = MemoryCounterStore()
        self._clock = VirtualClock(MIDNIGHT - timedelta(seconds=1), speed=0)
        self.said: list[Said] = []
        self.pushed: list[tuple[datetime, bytes]] = []
        self.sessions: list[tuple[datetime, int, bytes, bytes]] = []
        self.missed: list[tuple[datetime, int]] = []

    def lived(self, hours: int = 24) -> Day:
        asyncio.run(asyncio.wait_for(self._live(hours), 120))
        # Where several push at once chance decides who is heard first, but not what is heard.
        self.pushed.sort()
        return self

    async def _live(self, hours: int) -> None:
        director = Director(SCENARIO, COUNT, self._seed)
        async with await listen("127.0.0.1", 0, self._hear, ListenLimits(connections_per_host=64)) as listener:
            population = Population(
                GROUPS,
                seed=self._seed,
                keys=self._keys,
                clock=self._clock,
                # Few are held ready, so that meters are forgotten and made again all day.
                limits=PopulationLimits(ready=3),
                effects=director.effects,
                push=PushSettings(to=ConnectionUrl.parse(f"tcp://127.0.0.1:{listener.port}"), every=HOUR),
                entropy=self._entropy,
            )
            async with Fleet(population, "tcp://127.5.0.0:0", director=director) as fleet:
                begun = 0
                for half in range(2 * hours):
                    moment = MIDNIGHT + half * HOUR / 2
                    while (due := director.deadline()) is not None and due < moment:
                        begun += await self._go_on(fleet, due, begun)
                    begun += await self._go_on(fleet, moment, begun)
                    if half % 2:
                        await self._read_all(fleet)

    async def _go_on(self, fleet: Fleet, moment: datetime, begun: int) -> int:
        """Let it be a moment, wait until all pushes that begin then have been heard, and return how many there were."""
        self._clock.step(moment - self._clock.now())
        said = fleet.happen(moment)
        self.said += said
        on_time = sum(fleet.powered(number) for number in range(COUNT)) if not (moment - MIDNIGHT) % HOUR else 0
        until = begun + len(said) + on_time
        while (fleet.state.pushes, fleet.state.pushes_delivered, len(self.pushed)) != (until, until, until):
            await asyncio.sleep(0.001)
        return until - begun

    async def _hear(self, stream: Stream) -> None:
        octets = b""
        try:
            while True:
                octets += await stream.read(None)
        except ConnectionLost:
            self.pushed.append((self._clock.now(), octets))

    async def _read_all(self, fleet: Fleet) -> None:
        for number in range(COUNT):
            try:
                await self._read(fleet, number)
            except CosemError:
                self.missed.append((self._clock.now(), number))

    async def _read(self, fleet: Fleet, number: int) -> None:
        heard: dict[str, bytes] = {"TX": b"", "RX": b""}

        def tell(entry: TraceEntry) -> None:
            heard[entry.direction] += entry.octets

        async def opener(url: ConnectionUrl, seconds: float) -> Stream:
            return Tap(await open_async(url, seconds), tell)

        own = self._keys.of(fleet.population.title(number))
        entry = access(
            auth="gmac", ek=own.encryption, ak=own.authentication, system_title=b"HES00001", counters=self._counters
        )
        client = 1 if fleet.population.secured(number) else 16
        url = replace(fleet.url(number), client=client)
        async with AsyncClient(
            url, entry if client == 1 else access(), opener=opener, entropy=self._chance.randbytes, warns=False
        ) as reader:
            now = self._clock.now()
            await reader.get(ENERGY.value)
            if client == 1:
                await reader.get(PROFILE.buffer.range(now - HOUR, now))
        self.sessions.append((self._clock.now(), number, heard["TX"], heard["RX"]))


def repeatable(seed: int) -> Entropy:
    return random.Random(seed).randbytes  # chance that can be repeated is the point


def test_a_day_of_an_outage_with_pushes_replays_identically() -> None:
    first, again = Day(7, repeatable(1)).lived(), Day(7, repeatable(1)).lived()
    gasps = [each for each in first.said if each.what is What.LAST_GASP]
    back = [each for each in first.said if each.what is What.POWER_UP]
    assert 0 < len(gasps) <= len(back) == len(DARK)
    assert {each.number for each in first.said} == set(DARK)
    # On time all but those that are dark at 8, 9, 10; then the outage.
    assert len(first.pushed) == 24 * COUNT - 3 * len(DARK) + len(gasps) + len(back)
    assert {number for _, number in first.missed} == set(DARK)
    assert len(first.sessions) == 24 * COUNT - len(first.missed)
    assert first.pushed == again.pushed
    assert first.sessions == again.sessions
    assert (first.said, first.missed) == (again.said, again.missed)


def test_other_seeds_are_another_day() -> None:
    first = Day(7, repeatable(1)).lived(2)
    values, chance = Day(8, repeatable(1)).lived(2), Day(7, repeatable(2)).lived(2)
    for other in (values, chance):
        assert all(each not in first.pushed for each in other.pushed)
    same = [each for each in chance.sessions if each in first.sessions]
    assert {number for _, number, _, _ in same} == set(WITHOUT_KEYS), "without keys there is no chance in a session"
    assert not any(each in first.sessions for each in values.sessions)


def test_nothing_of_a_fleet_can_be_foretold_unless_it_was_asked_for() -> None:
    """The seed is of what is measured: challenges and invoke-ids are drawn from the system, and so never the same."""
    first, again = Day(7).lived(1), Day(7).lived(1)
    assert all(each not in again.pushed for each in first.pushed)
    assert not any(each in again.sessions for each in first.sessions if each[1] not in WITHOUT_KEYS)
    population = Population(2)
    assert population.entropy is secrets.token_bytes
    assert population.make(1).entropy is secrets.token_bytes
