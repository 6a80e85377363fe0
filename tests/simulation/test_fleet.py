"""A day of a region outage: a head-end reads a fleet every hour, and the same seed is the same day to the octet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cosem import AsyncClient
from cosem.client.access import access
from cosem.errors import CosemError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director, Said
from cosem.fleet.keys import FleetKeys
from cosem.fleet.ledger import Answer, answers
from cosem.fleet.population import Population, PopulationLimits
from cosem.fleet.scenario import Outage, Scenario
from cosem.io.simulated import World
from cosem.io.stream import Stream
from cosem.meter import attend
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import ProfileGeneric, Register
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.session import SapPair
from cosem.store.memory import MemoryCounterStore

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNT, REGIONS = 12, 3
DARK = range(4, 8)
SCENARIO = Scenario(
    outages=(Outage(at=MIDNIGHT + 8 * HOUR, length=3 * HOUR, region=1, last_gasp=0.7, storm=HOUR),), regions=REGIONS
)
ENERGY = Register("1.0.1.8.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")
URL = ConnectionUrl.parse("tcp://127.0.0.1?client=1")


class Day:
    """All that happens in one day: what was said unasked, what was answered, and every octet with its time."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.clock = VirtualClock(MIDNIGHT, real=self.world.now)
        self.keys = FleetKeys(Secret(bytes(range(32))))
        # Few are held ready, so that meters are forgotten and made again all day.
        limits = PopulationLimits(ready=3)
        self.population = Population(COUNT, seed=seed, keys=self.keys, clock=self.clock, limits=limits)
        self.director = Director(SCENARIO, COUNT, seed)
        self.counters = MemoryCounterStore()
        self.said: list[Said] = []
        self.answered: list[Answer] = []
        self.missed: list[tuple[datetime, int]] = []

    def lived(self) -> Day:
        self.world.spawn(self.happen())
        self.world.run(self.head_end())
        return self

    async def happen(self) -> None:
        while (due := self.director.deadline()) is not None:
            await self.world.sleep(self.clock.until(due) + 1e-6)
            self.said += self.director.tick(self.clock.now())

    async def head_end(self) -> None:
        for hour in range(24):
            await self.world.sleep(self.clock.until(MIDNIGHT + hour * HOUR + HOUR / 2))
            for number in range(COUNT):
                try:
                    await self.read(number)
                except CosemError:
                    self.missed.append((self.clock.now(), number))

    async def read(self, number: int) -> None:
        near, far = self.world.pair(latency=0.1, jitter=0.05)
        self.world.spawn(self.serve(number, far))

        async def opener(_: ConnectionUrl, __: float) -> Stream:
            return near

        own = self.keys.of(self.population.title(number))
        entry = access(
            auth="gmac", ek=own.encryption, ak=own.authentication, system_title=b"HES00001", counters=self.counters
        )
        client = AsyncClient(URL, entry, opener=opener, entropy=self.world.random.randbytes)
        async with client:
            await client.get(ENERGY.value)
            last = self.clock.now()
            await client.get(PROFILE.buffer.range(last - HOUR, last))

    async def serve(self, number: int, stream: Stream) -> None:
        if not self.director.powered(number):
            await stream.close()
            return
        with self.population.visit(number) as meter:

            def witness(pair: SapPair, request: object, response: object) -> None:
                self.answered += answers(meter.time(), meter.name, pair.client, request, response)

            try:
                await attend(meter, stream, entropy=self.world.random.randbytes, witness=witness)
            finally:
                await stream.close()


def test_a_day_of_an_outage_replays_identically_by_seed() -> None:
    first, again, other = Day(7).lived(), Day(7).lived(), Day(8).lived()
    assert (first.said, first.answered, first.missed) == (again.said, again.answered, again.missed)
    assert first.world.trace_hash == again.world.trace_hash
    assert first.world.trace_hash != other.world.trace_hash
    assert first.answered != other.answered


def test_only_the_dark_region_is_missed_and_only_while_it_is_dark() -> None:
    day = Day(7).lived()
    assert {number for _, number in day.missed} == set(DARK)
    assert len(day.missed) == 3 * len(DARK)
    assert all(MIDNIGHT + 8 * HOUR < time < MIDNIGHT + 11 * HOUR for time, _ in day.missed)
    assert len(day.answered) == 2 * (24 * COUNT - len(day.missed))
    assert day.population.ready <= 3


@pytest.mark.parametrize("number", [0, 5, 11])
def test_what_was_answered_is_what_the_meter_measured_then(number: int) -> None:
    day = Day(7).lived()
    name = day.population.name(number)
    said = [each for each in day.answered if each.meter == name and each.reference == "3/1.0.1.8.0.255/2"]
    for each in said[::8]:
        clock = VirtualClock(each.time, speed=0)
        meter = Population(COUNT, seed=7, keys=day.keys, clock=clock).make(number)
        assert each.value == "06" + int(meter.value(ENERGY.value)).to_bytes(4, "big").hex()
