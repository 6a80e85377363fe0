"""The gateway as a whole, with drivers and outputs of the test: delivery, outages, commands, changes of the tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.gateway.config import (
    Configuration,
    Device,
    DlmsJob,
    DlmsParameters,
    DriverName,
    OutputRow,
    Settings,
    Signal,
    Writing,
)
from cosem.gateway.engine import Gateway
from cosem.gateway.line import Clock
from cosem.gateway.northbound import Obey, Point
from cosem.gateway.points import Measured, sample
from cosem.gateway.value import Command, CommandResult, Sample
from cosem.protocol.values.obis import Obis

BEGIN = datetime(2026, 11, 26, 12, tzinfo=UTC)
ENERGY = DlmsJob(Obis("1.0.1.8.0.255"))


class Time:
    """Time that passes when somebody waits, a tick of the loop for each wait."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: BEGIN + timedelta(seconds=self.seconds), lambda: self.seconds, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0.001)


class Meter:
    def __init__(self, device: Device, signals: Sequence[Signal], time: Time) -> None:
        self.device, self.signals, self.time = device, signals, time
        self.scans = 0
        self.closed = False
        self.obeyed: list[Command] = []

    async def scan(self) -> Sequence[Sample]:
        self.scans += 1
        return [sample(each, Measured(self.scans), self.time.clock.now()) for each in self.signals]

    async def backfill(self, signals: Sequence[Signal], since: datetime, until: datetime) -> Sequence[Sample]:
        return []

    async def obey(self, command: Command) -> CommandResult:
        self.obeyed.append(command)
        return CommandResult(True)

    async def close(self) -> None:
        self.closed = True


class Sink:
    def __init__(self, row: OutputRow) -> None:
        self.row = row
        self.buffered = row.kind == "mqtt"
        self.points: tuple[Point, ...] = ()
        self.told: list[Sample] = []
        self.away = False
        self.refused = 0
        self.closed = False
        self.command: Obey | None = None

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        self.points, self.command = tuple(points), obey

    async def publish(self, samples: Sequence[Sample]) -> None:
        if self.away:
            self.refused += 1
            raise ConnectionLost("the broker is away")
        self.told += samples

    async def close(self) -> None:
        self.closed = True

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        return ()

    def map(self) -> Sequence[tuple[str, ...]]:
        return ()


class House:
    """A gateway with everything that it made, in the order it made it."""

    def __init__(self, folder: Path) -> None:
        self.time = Time()
        self.meters: list[Meter] = []
        self.sinks: list[Sink] = []
        self.gateway = Gateway(
            folder,
            make_driver=self._meter,
            make_output=self._sink,
            clock=self.time.clock,
            claims=folder / "claims",
        )

    def _meter(self, device: Device, signals: Sequence[Signal]) -> Meter:
        self.meters.append(Meter(device, signals, self.time))
        return self.meters[-1]

    def _sink(self, row: OutputRow) -> Sink:
        self.sinks.append(Sink(row))
        return self.sinks[-1]


def device(alias: str, port: int = 4059, *, enabled: bool = True, **given: Any) -> Device:
    parameters = DlmsParameters(ip="192.0.2.7", port=port, **given)
    return Device(alias=alias, name=alias, driver=DriverName.DLMS, parameters=parameters, enabled=enabled)


def signal(alias: str, of: str, **given: Any) -> Signal:
    return Signal(alias=alias, name=alias, device=of, job=ENERGY, **given)


TABLES = Configuration(
    devices=(device("a", 1), device("b", 2), device("off", 3, enabled=False)),
    signals=(signal("ea", "a", writing=Writing()), signal("eb", "b"), signal("no", "a", enabled=False)),
    outputs=(OutputRow(kind="iec104", name="scada"), OutputRow(kind="mqtt", name="broker")),
)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.002)


def run(folder: Path, story: Callable[[House], Any], tables: Configuration = TABLES) -> House:
    async def told() -> House:
        house = House(folder)
        try:
            await house.gateway.start(tables)
            await story(house)
        finally:
            await house.gateway.close()
        return house

    return asyncio.run(told())


def values(sink: Sink, alias: str) -> list[Any]:
    return [each.value for each in sink.told if each.signal == alias]


def test_every_output_is_told_of_every_enabled_signal_in_order(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await until(lambda: all(len(values(each, "eb")) >= 3 for each in house.sinks))

    house = run(tmp_path, story)
    for sink in house.sinks:
        assert [each.signal for each in sink.points] == ["ea", "eb"]
        assert {each.signal for each in sink.told} == {"ea", "eb"}
        assert values(sink, "ea") == list(range(1, len(values(sink, "ea")) + 1))
        assert sink.closed
    assert [each.device.alias for each in house.meters] == ["a", "b"]
    assert all(each.closed for each in house.meters)


def test_what_an_output_missed_comes_in_order_when_it_is_back(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        scada, broker = house.sinks
        broker.away = True
        await until(lambda: broker.refused >= 2 and len(values(scada, "ea")) >= 5)
        assert house.gateway.outputs["broker"].last_error == "the broker is away"
        broker.away = False
        await until(lambda: len(values(broker, "ea")) >= 7)
        assert values(broker, "ea")[:7] == list(range(1, 8))
        assert house.gateway.outputs["broker"].last_error == ""

    run(tmp_path, story)


def test_what_an_output_missed_is_delivered_by_the_next_run(tmp_path: Path) -> None:
    async def away(house: House) -> None:
        house.sinks[1].away = True
        await until(lambda: len(values(house.sinks[0], "ea")) >= 4)

    async def back(house: House) -> None:
        await until(lambda: len(values(house.sinks[1], "ea")) >= 5)

    run(tmp_path, away)
    found = values(run(tmp_path, back).sinks[1], "ea")
    assert found[:4] == [1, 2, 3, 4]


def test_a_full_buffer_lets_the_oldest_go_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tables = replace(TABLES, settings=Settings(buffer_mb=0))

    async def story(house: House) -> None:
        house.sinks[1].away = True
        await until(lambda: "the buffer is full" in caplog.text)

    run(tmp_path, story, tables)


def test_a_broker_that_is_away_for_an_hour_is_told_all_of_it_in_order_with_its_times(tmp_path: Path) -> None:
    hour = 3600

    async def story(house: House) -> None:
        broker = house.sinks[1]
        broker.away = True
        await until(lambda: house.time.seconds >= hour and house.meters[0].scans > 20)
        before = [meter.scans for meter in house.meters]
        assert broker.told == []
        broker.away = False
        await until(lambda: all(len(values(broker, alias)) >= before[at] for at, alias in enumerate(("ea", "eb"))))

    house = run(tmp_path, story)
    told = house.sinks[1].told
    for alias in ("ea", "eb"):
        ours = [each for each in told if each.signal == alias]
        assert [each.value for each in ours] == list(range(1, len(ours) + 1))
        times = [each.gateway_time for each in ours]
        assert times == sorted(times)
        assert times[0] < BEGIN + timedelta(minutes=1) < BEGIN + timedelta(seconds=hour) <= house.time.clock.now()
    numbers = [each.value for each in house.sinks[0].told if each.signal == "ea"]
    assert numbers[: len(values(house.sinks[1], "ea"))] == values(house.sinks[1], "ea")


def test_commands_come_back_through_one_door(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        await until(lambda: bool(house.sinks[0].told))
        obey = house.sinks[0].command
        assert obey is not None
        assert (await obey(Command("ea", 5, "a control system"))).done
        assert (await obey(Command("eb", 5, "a control system"))).reason == "the signal is not write-enabled"

    house = run(tmp_path, story)
    assert [each.value for each in house.meters[0].obeyed] == [5]
    audit = (tmp_path / "gateway-buffer.sqlite.audit").read_text().splitlines()
    assert len(audit) == 2


def test_a_change_of_the_tables_leaves_alone_what_did_not_change(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        a, b = house.meters
        scada, broker = house.sinks
        await until(lambda: min(a.scans, b.scans) >= 2)
        # another rate for b, a third device; the signals stay those that they were
        await house.gateway.start(
            replace(TABLES, devices=(device("a", 1), device("b", 2, timeout_ms=9), device("c", 4)))
        )
        assert (a.closed, b.closed) == (False, True)
        assert [each.device.alias for each in house.meters[2:]] == ["b", "c"]
        assert not scada.closed
        await until(lambda: a.scans >= 4)
        # one more signal: outputs are told of all points again
        more = replace(TABLES, signals=(*TABLES.signals, signal("eb2", "b")))
        await house.gateway.start(more)
        assert scada.closed
        assert broker.closed
        assert [each.signal for each in house.sinks[-1].points] == ["ea", "eb", "eb2"]
        assert not a.closed

    run(tmp_path, story)


def test_a_faulty_change_leaves_everything_running(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        def refuse(row: OutputRow) -> Sink:
            raise ConfigurationError(f"{row.name}: no")

        house.gateway._make_output = refuse
        with pytest.raises(ConfigurationError):
            await house.gateway.start(replace(TABLES, outputs=(OutputRow(kind="opcua", name="new"),)))
        scans = house.meters[0].scans
        await until(lambda: house.meters[0].scans > scans)
        assert list(house.gateway.outputs) == ["scada", "broker"]

    run(tmp_path, story)


def test_a_second_gateway_on_the_same_lines_is_refused(tmp_path: Path) -> None:
    async def story(house: House) -> None:
        other = House(tmp_path)
        with pytest.raises(ConfigurationError, match="another gateway has the line"):
            await other.gateway.start(TABLES)
        assert other.meters == []
        await other.gateway.close()

    run(tmp_path, story)


def test_once_scans_delivers_and_ends(tmp_path: Path) -> None:
    async def told() -> House:
        house = House(tmp_path)
        await house.gateway.start(TABLES, scanning=False)
        await house.gateway.once()
        await house.gateway.close()
        return house

    house = asyncio.run(told())
    assert [each.scans for each in house.meters] == [1, 1]
    assert all(sorted(each.signal for each in sink.told) == ["ea", "eb"] for sink in house.sinks)


def test_what_did_not_change_is_not_told_where_that_is_wanted(tmp_path: Path) -> None:
    tables = replace(TABLES, signals=(signal("ea", "a", deadband=Decimal(2)), signal("eb", "b")))

    async def story(house: House) -> None:
        await until(lambda: len(values(house.sinks[0], "eb")) >= 8)

    house = run(tmp_path, story, tables)
    assert values(house.sinks[0], "ea")[:3] == [1, 4, 7]
