"""A line and its devices in given time: turns, scan rates, what is lost and found, and what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem.errors import CosemError, TimedOut
from cosem.gateway.config import Device, DlmsJob, DlmsParameters, DriverName, Signal, Source, Writing
from cosem.gateway.line import FIRST_SPAN, PROFILE_SECONDS, Attended, Clock, Line, Positions
from cosem.gateway.points import Measured, sample
from cosem.gateway.value import Command, CommandResult, Quality, Sample
from cosem.protocol.values.obis import Obis

BEGIN = datetime(2026, 11, 26, 12, tzinfo=UTC)
ENERGY = DlmsJob(Obis("1.0.1.8.0.255"))


class Over(Exception):
    """The time of a test is over."""


@dataclass
class World:
    """Time that passes when somebody waits, and what happened when."""

    until: float
    seconds: float = 0.0
    told: list[tuple[float, str, Any, Quality]] = field(default_factory=list)
    asked: list[tuple[float, str]] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        return Clock(self.now, lambda: self.seconds, self.sleep)

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds = round(self.seconds + seconds, 6)
        if self.seconds > self.until:
            raise Over
        await asyncio.sleep(0)

    async def deliver(self, samples: Sequence[Sample]) -> None:
        self.told += [(self.seconds, each.signal, each.value, each.quality) for each in samples]

    def run(self, line: Line) -> None:
        with pytest.raises(Over):
            asyncio.run(line.run())


class Meter:
    """A driver that takes some seconds, and answers when `well` says so."""

    def __init__(
        self, world: World, alias: str, signals: Sequence[Signal], *, well: Callable[[float], bool], takes: float
    ) -> None:
        self.world, self.alias, self.signals, self.well, self.takes = world, alias, signals, well, takes
        self.backfilled: list[tuple[list[str], datetime, datetime]] = []
        self.closed = 0

    async def scan(self) -> Sequence[Sample]:
        began = self.world.seconds
        self.world.asked.append((began, self.alias))
        await self.world.sleep(self.takes)
        if not self.well(began):
            raise TimedOut("response", 2.5)
        spot = [each for each in self.signals if each.source is Source.VALUE]
        return [sample(each, Measured(began), self.world.now()) for each in spot]

    async def backfill(self, signals: Sequence[Signal], since: datetime, until: datetime) -> Sequence[Sample]:
        self.backfilled.append(([each.alias for each in signals], since, until))
        row = Measured(-1, time=until - timedelta(seconds=1), backfilled=True)
        return [sample(each, row, self.world.now()) for each in signals]

    async def obey(self, command: Command) -> CommandResult:
        self.world.asked.append((self.world.seconds, f"{self.alias} obeys"))
        return CommandResult(True)

    async def close(self) -> None:
        self.closed += 1


def attended(
    world: World,
    alias: str = "m",
    *,
    well: Callable[[float], bool] = lambda _: True,
    takes: float = 1.0,
    signals: Sequence[Signal] | None = None,
    **parameters: Any,
) -> Attended:
    given = {"scan_rate_ms": 10_000, "ip": "192.0.2.7", "port": 4059, **parameters}
    device = Device(alias=alias, name=alias, driver=DriverName.DLMS, parameters=DlmsParameters(**given))
    signals = signals or [signal(alias)]
    return Attended(device, tuple(signals), Meter(world, alias, signals, well=well, takes=takes))


def signal(alias: str, **given: Any) -> Signal:
    return Signal(alias=alias, name="", device="m", **{"job": ENERGY, **given})


STATUS = signal("up", job=None, source=Source.STATUS)


def line_of(world: World, *devices: Attended, positions: Positions | None = None) -> Line:
    return Line("line", devices, world.deliver, clock=world.clock, positions=positions)


def times(world: World, alias: str) -> list[float]:
    return [seconds for seconds, name in world.asked if name == alias]


def test_a_device_is_scanned_at_its_rate() -> None:
    world = World(45)
    world.run(line_of(world, attended(world)))
    assert times(world, "m") == [0, 10, 20, 30, 40]
    assert [each[2:] for each in world.told] == [(float(at), Quality.GOOD) for at in (0, 10, 20, 30, 40)]


@pytest.mark.parametrize(
    ("scan_rate_ms", "asked", "overruns"),
    [(500, [0, 1, 2, 3, 4], 5), (1000, [0, 1, 2, 3, 4], 0), (2000, [0, 2, 4], 0), (4999, [0, 4.999], 0)],
)
def test_scan_rate_ms_is_kept_and_an_overrun_counted(scan_rate_ms: int, asked: list[float], overruns: int) -> None:
    """A scan takes a second."""
    world = World(5.9)
    device = attended(world, scan_rate_ms=scan_rate_ms)
    world.run(line_of(world, device))
    assert [each for each in times(world, "m") if each < 5] == asked
    assert device.overruns == overruns


def test_devices_of_one_line_take_turns() -> None:
    world = World(25)
    world.run(line_of(world, attended(world, "a", takes=4), attended(world, "b", takes=4)))
    assert world.asked == [(0, "a"), (4, "b"), (10, "a"), (14, "b"), (20, "a"), (24, "b")]


def test_what_takes_longer_than_its_rate_is_an_overrun_and_starves_nobody() -> None:
    world = World(40)
    slow, quick = attended(world, "slow", takes=12), attended(world, "quick", takes=1)
    world.run(line_of(world, slow, quick))
    assert times(world, "slow") == [0, 13, 26, 39]
    assert times(world, "quick") == [12, 25, 38]
    assert (slow.overruns, slow.scans) == (3, 4)


def test_a_rate_of_0_is_as_fast_as_it_goes() -> None:
    world = World(3.5)
    world.run(line_of(world, attended(world, scan_rate_ms=0)))
    assert times(world, "m") == [0, 1, 2, 3]


@pytest.mark.parametrize("retries", [1, 3])
def test_a_device_that_does_not_answer_so_often_is_lost(retries: int) -> None:
    world = World(10 + retries + 0.5)
    device = attended(world, well=lambda at: at < 10, retry_counter=retries, signals=[signal("m"), STATUS])
    world.run(line_of(world, device))
    assert times(world, "m") == [0, *(10 + each for each in range(retries))]
    assert device.lost
    assert (device.failures, "no answer" in str(device.last_error)) == (retries, True)
    assert (device.retries, device.timeouts) == (retries - 1, retries)
    assert device.lost_since == BEGIN + timedelta(seconds=10 + retries)
    assert world.told == [
        *((1, "up", 1, Quality.GOOD), (1, "m", 0.0, Quality.GOOD)),
        *((10 + retries, "up", 0, Quality.GOOD), (10 + retries, "m", 0.0, Quality.NOT_TOPICAL)),
    ]


def test_one_answer_within_the_retries_keeps_it() -> None:
    world = World(15)
    device = attended(world, well=lambda at: at not in (10, 11), retry_counter=3)
    world.run(line_of(world, device))
    assert (times(world, "m"), device.lost, device.failures) == ([0, 10, 11, 12], False, 2)
    assert (device.retries, device.lost_since) == (2, None)


@pytest.mark.parametrize(("longest", "tried"), [(0, [0, 1, 2, 5, 8, 11, 14]), (8000, [0, 1, 2, 5, 10])])
def test_a_lost_device_is_tried_again(longest: int, tried: list[float]) -> None:
    """Every two seconds, or ever more seldom: after 2, 4 and 8."""
    world = World(18.5)
    device = attended(world, well=lambda _: False, reconnect_time=2000, reconnect_longest_ms=longest)
    world.run(line_of(world, device))
    assert times(world, "m")[: len(tried)] == tried


def test_a_lost_device_does_not_hold_up_those_that_are_well() -> None:
    world = World(41)
    dead = attended(world, "dead", well=lambda _: False, takes=2.5, retry_counter=1)
    well = attended(world, "well", takes=1)
    world.run(line_of(world, dead, well))
    assert len(times(world, "well")) == 4
    assert all(at - 10 * turn < 2.5 + 1 for turn, at in enumerate(times(world, "well")))
    assert len(times(world, "dead")) >= 8


def test_what_was_missed_is_read_when_it_is_back() -> None:
    world = World(45)
    recorded = signal("m", profile="1.0.99.1.0.255")
    device = attended(
        world, well=lambda at: not 10 <= at < 30, retry_counter=1, reconnect_time=1000, signals=[recorded, STATUS]
    )
    world.run(line_of(world, device))
    meter = device.driver
    assert isinstance(meter, Meter)
    ((aliases, since, until),) = meter.backfilled
    assert (aliases, since) == (["m"], BEGIN + timedelta(seconds=1))
    assert 30 <= (until - BEGIN).total_seconds() <= 33
    back = [each for each in world.told if each[0] >= 30]
    assert [each[1:3] for each in back[:3]] == [("up", 1), ("m", back[1][2]), ("m", -1)]


def test_profiles_and_logs_are_followed_from_the_last_row_on() -> None:
    world = World(2 * PROFILE_SECONDS + 5)
    positions = Positions()
    rows = signal("rows", profile="1.0.99.1.0.255", source=Source.PROFILE)
    device = attended(world, signals=[signal("m"), rows])
    world.run(line_of(world, device, positions=positions))
    meter = device.driver
    assert isinstance(meter, Meter)
    assert [each[0] for each in meter.backfilled] == [["rows"]] * 3
    since = [each[1] for each in meter.backfilled]
    until = [each[2] for each in meter.backfilled]
    assert since == [until[0] - FIRST_SPAN, until[0] - timedelta(seconds=1), until[1] - timedelta(seconds=1)]
    assert asyncio.run(positions.get("m")) == until[2] - timedelta(seconds=1)


def test_waits_before_it_speaks_and_after_the_port_was_closed() -> None:
    world = World(30)
    device = attended(world, poll_delay_ms=200, serial_close_delay=3000, scan_rate_ms=1000, takes=2)
    world.run(line_of(world, device))
    assert times(world, "m")[:3] == [0.2, 5.2, 10.2]


def test_a_command_has_its_turn_and_is_followed_by_a_scan() -> None:
    async def run() -> tuple[World, Attended]:
        world = World(100)
        device = attended(world, signals=[signal("m", writing=Writing())])
        line = line_of(world, device)
        await line.scan(device)
        assert device.due == 10
        result = await line.obey(Command("m", 1, "somebody"), "m")
        assert result.done
        assert device.due == 1
        await line.close()
        return world, device

    world, device = asyncio.run(run())
    assert world.asked == [(0, "m"), (1, "m obeys")]
    assert isinstance(device.driver, Meter)
    assert device.driver.closed == 1


def test_once_scans_every_device_once() -> None:
    world = World(100)
    line = line_of(world, attended(world, "a"), attended(world, "b", well=lambda _: False, retry_counter=2))
    asyncio.run(line.once())
    assert world.asked == [(0, "a"), (1, "b"), (2, "b")]


def test_a_line_without_devices_ends() -> None:
    world = World(1)
    asyncio.run(line_of(world).run())


def test_errors_of_ours_are_not_taken_for_a_meter_that_is_away() -> None:
    class Broken(Meter):
        async def scan(self) -> Sequence[Sample]:
            raise ZeroDivisionError

    world = World(10)
    device = attended(world)
    device.driver = Broken(world, "m", [signal("m")], well=lambda _: True, takes=1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(line_of(world, device).run())
    assert not issubclass(ZeroDivisionError, CosemError)
