"""A day of a region outage: a head-end reads a fleet every hour, and the same seed is the same day to the octet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from cosem import AsyncClient
from cosem.client.access import access
from cosem.errors import CosemError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.compare import Kind, compare
from cosem.fleet.director import Director, Said
from cosem.fleet.keys import FleetKeys
from cosem.fleet.ledger import Answer, answers, create
from cosem.fleet.population import Group, Population, PopulationLimits
from cosem.fleet.scenario import Outage, Scenario
from cosem.fleet.truth import measured
from cosem.io.simulated import World
from cosem.io.stream import Stream
from cosem.meter import attend
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import ProfileGeneric, Register
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.session import SapPair
from cosem.protocol.values.obis import Obis
from cosem.readings import extract
from cosem.readings.reading import Reading
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
STATUS, TOTAL = "1/0.0.96.10.1.255/2", "3/1.0.1.8.0.255/2"
QUARTER = timedelta(minutes=15)
URL = ConnectionUrl.parse("tcp://127.0.0.1?client=1")


class Day:
    """All that happens in one day: what was said unasked, what was answered, and every octet with its time."""

    def __init__(self, seed: int, groups: int | Sequence[Group] = COUNT) -> None:
        self.world = World(seed)
        self.clock = VirtualClock(MIDNIGHT, real=self.world.now)
        self.keys = FleetKeys(Secret(bytes(range(32))))
        # Few are held ready, so that meters are forgotten and made again all day.
        limits = PopulationLimits(ready=3)
        self.director = Director(SCENARIO, COUNT, seed)
        self.population = Population(
            groups, seed=seed, keys=self.keys, clock=self.clock, limits=limits, effects=self.director.effects
        )
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
        async with self.client(number) as client:
            await client.get(ENERGY.value)
            last = self.clock.now()
            await client.get(PROFILE.buffer.range(last - HOUR, last))

    def client(self, number: int) -> AsyncClient:
        near, far = self.world.pair(latency=0.1, jitter=0.05)
        self.world.spawn(self.serve(number, far))

        async def opener(_: ConnectionUrl, __: float) -> Stream:
            return near

        own = self.keys.of(self.population.title(number))
        entry = access(
            auth="gmac", ek=own.encryption, ak=own.authentication, system_title=b"HES00001", counters=self.counters
        )
        return AsyncClient(URL, entry, opener=opener, entropy=self.world.random.randbytes)

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


class Backfilled(Day):
    """A day after which the head-end reads all that was captured in it, and stores it."""

    def __init__(self, seed: int, groups: int | Sequence[Group] = COUNT) -> None:
        super().__init__(seed, groups)
        self.stored = dict[str, list[Reading]]()

    @property
    def signals(self) -> set[tuple[Obis | None, CaptureObject]]:
        """Profile and column of all that is stored."""
        return {(each.profile, each.column) for readings in self.stored.values() for each in readings}

    async def head_end(self) -> None:
        await super().head_end()
        await self.world.sleep(self.clock.until(MIDNIGHT + 24 * HOUR))
        for number in range(COUNT):
            async with self.client(number) as client:
                columns = await client.get(PROFILE.capture_objects)
                rows = await client.get(PROFILE.buffer.range(MIDNIGHT, MIDNIGHT + 24 * HOUR - QUARTER))
            name = self.population.name(number)
            self.stored[name] = extract.profile(name, PROFILE.instance, rows, columns, [None] * len(columns))


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
        meter = Population(COUNT, seed=7, keys=day.keys, clock=clock, effects=day.director.effects).make(number)
        assert each.value == "06" + int(meter.value(ENERGY.value)).to_bytes(4, "big").hex()


def test_what_was_not_captured_without_power_is_not_lost_and_the_row_after_tells_why(tmp_path: Path) -> None:
    day = Backfilled(7)
    day.lived()
    with create(tmp_path / "ledger.sqlite") as ledger:
        for each in (*day.answered, *measured(day.population, range(COUNT), MIDNIGHT, MIDNIGHT + 24 * HOUR)):
            ledger.record(each)
        verdicts = {each.meter: each for each in compare(ledger, day.stored.__getitem__, day.stored, day.signals)}
        missing = compare(ledger, lambda name: day.stored[name][5:], day.stored, day.signals)
        assert all(each.counts == {Kind.LOST: 5} for each in missing)
    for number in range(COUNT):
        name = day.population.name(number)
        assert verdicts[name].clean
        rows = 84 if number in DARK else 96  # the row of 8:00 was captured as the power went, that of 11:00 was not
        assert verdicts[name].right == 5 * rows
        told = [(each.time - MIDNIGHT, each.raw) for each in day.stored[name] if each.reference == STATUS and each.raw]
        assert told == ([(11 * HOUR + QUARTER, 0b1000_0100)] if number in DARK else [])


@pytest.mark.parametrize("number", DARK)
def test_energy_stands_still_while_a_region_is_dark(number: int) -> None:
    day = Backfilled(7)
    day.lived()
    clock = VirtualClock(MIDNIGHT + 24 * HOUR, speed=0)
    steady = Population(COUNT, seed=7, clock=clock).make(number).management
    item = steady.find(ENERGY.instance)
    assert item is not None

    def flowed(since: timedelta, until: timedelta) -> int:
        first, last = (cast("int", item.read(steady.reading(MIDNIGHT + at), 2)) for at in (since, until))
        return last - first

    stored = day.stored[day.population.name(number)]
    totals = {each.time - MIDNIGHT: int(each.raw) for each in stored if each.reference == TOTAL}
    assert totals[11 * HOUR + QUARTER] - totals[8 * HOUR] == flowed(11 * HOUR, 11 * HOUR + QUARTER)
    assert totals[20 * HOUR] - totals[timedelta()] == flowed(timedelta(), 8 * HOUR) + flowed(11 * HOUR, 20 * HOUR)
