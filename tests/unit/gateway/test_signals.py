"""What the columns of a signal make of it: from the tables through the gateway to its outputs, and back as commands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import gateway_tables as tables
from cosem.gateway.config import Device, Signal
from cosem.gateway.engine import Gateway
from cosem.gateway.line import Clock
from cosem.gateway.northbound import Obey, Point
from cosem.gateway.northbound.iec104 import Iec104Output
from cosem.gateway.northbound.modbus import ModbusOutput
from cosem.gateway.northbound.mqtt import MqttOutput
from cosem.gateway.northbound.opcua import OpcuaOutput
from cosem.gateway.points import Measured, sample
from cosem.gateway.value import Command, CommandResult, NumberType, Quality, Sample
from cosem.meter import Meter, describe
from cosem.meter.attend import attend
from cosem.meter.demo import Household, furnish, household
from cosem.meter.elgama import attend as attend_elgama
from cosem.meter.elgama import table_of
from cosem.meter.local_port import attend_local
from cosem.protocol.elgama import models
from cosem.protocol.elgama.station import ElgamaStation
from cosem.protocol.model.classes.data_storage import Data, Register
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.profile import profile_of
from cosem.protocol.values.data import (
    BitString,
    DoubleLongUnsigned,
    Float32,
    Integer,
    OctetString,
    Structure,
    VisibleString,
)
from gateway_bench import NOON, WRAPPER, Bench, bench

EXAMPLES = Path(__file__).parents[3] / "examples"
DRIVERS = {"DLMS": tables.DLMS, "IEC 62056-21": tables.IEC21, "Elgama": tables.ELGAMA}
SIGNALS = {"DLMS": tables.DLMS_SIGNAL, "IEC 62056-21": tables.IEC21_SIGNAL, "Elgama": tables.ELGAMA_SIGNAL}


class Said:
    """A driver that says so many times what the test wants, one scan after the other."""

    def __init__(self, device: Device, signals: Sequence[Signal], values: Sequence[Any]) -> None:
        self.signals, self.values, self.obeyed = signals, list(values), list[Command]()

    async def scan(self) -> Sequence[Sample]:
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        return [sample(each, Measured(value, "Wh"), NOON) for each in self.signals if each.job is not None]

    async def backfill(self, signals: Sequence[Signal], since: datetime, until: datetime) -> Sequence[Sample]:
        row = Measured(5, "Wh", until - timedelta(seconds=1), backfilled=True)
        return [sample(each, row, NOON) for each in signals]

    async def obey(self, command: Command) -> CommandResult:
        self.obeyed.append(command)
        return CommandResult(True)

    async def close(self) -> None:
        pass


class Sink:
    buffered = False

    def __init__(self) -> None:
        self.points: tuple[Point, ...] = ()
        self.told: list[Sample] = []
        self.obey: Obey | None = None

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        self.points, self.obey = tuple(points), obey

    async def publish(self, samples: Sequence[Sample]) -> None:
        self.told += samples

    async def close(self) -> None:
        pass

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        return ()

    def map(self) -> Sequence[tuple[str, ...]]:
        return ()


class House:
    """The gateway of one device with one signal, scanned so many times; `values` are what the device says."""

    def __init__(self, folder: Path, driver: str, signal: dict[str, Any], values: Sequence[Any] = (1,)) -> None:
        row = {**SIGNALS[driver], **signal}
        output = {"kind": "csv", "name": "scada", "address": "values.csv"}
        self.configuration = tables.configured(folder, [DRIVERS[driver]], [row], [output])
        assert self.configuration.faults == ()
        self.sink = Sink()
        self.drivers: list[Said] = []
        self._folder = folder
        self._values = values

    def run(self, story: Callable[[Gateway], Awaitable[None]] | None = None, scans: int = 1) -> Sink:
        def driver(device: Device, signals: Sequence[Signal]) -> Said:
            self.drivers.append(Said(device, signals, self._values))
            return self.drivers[-1]

        async def main() -> None:
            clock = Clock(now=lambda: NOON, sleep=self._sleep)
            gateway = Gateway(
                self._folder,
                make_driver=driver,
                make_output=lambda _: self.sink,
                clock=clock,
                claims=self._folder / "claims",
            )
            try:
                await gateway.start(self.configuration)
                async with asyncio.timeout(20):
                    while sum(each.scans for each in gateway.devices.values()) <= scans:
                        await asyncio.sleep(0)
                if story is not None:
                    await story(gateway)
            finally:
                await gateway.close()

        asyncio.run(main())
        return self.sink

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    def command(self, value: Any, origin: str = "a control system") -> CommandResult:
        """Return what becomes of a command through the output."""
        results: list[CommandResult] = []

        async def story(gateway: Gateway) -> None:
            assert self.sink.obey is not None
            results.append(await self.sink.obey(Command(self.configuration.signals[0].alias, value, origin)))

        self.run(story)
        return results[0]


EVERY = pytest.mark.parametrize("driver", list(DRIVERS))


# -- who it is --------------------------------------------------------------------------------------------------------


@EVERY
def test_signal_name_signal_alias_and_device_alias_are_what_outputs_call_it(driver: str, tmp_path: Path) -> None:
    row = {"signal_name": "Energie, gesamt", "signal_alias": "total.1"}
    sink = House(tmp_path, driver, row).run()
    (point,) = sink.points
    assert (point.name, point.signal) == ("Energie, gesamt", "total.1")
    assert point.device == DRIVERS[driver]["device_alias"]
    assert {each.signal for each in sink.told} == {"total.1"}


@EVERY
@pytest.mark.parametrize("enable", [0, 1])
def test_enable_0_is_neither_read_nor_shown(driver: str, enable: int, tmp_path: Path) -> None:
    house = House(tmp_path, driver, {"enable": enable})
    sink = house.run()
    assert (len(sink.points), len(house.drivers[0].signals), bool(sink.told)) == (enable, enable, bool(enable))


@EVERY
@pytest.mark.parametrize("log", [0, 1])
def test_log_writes_its_values_to_the_event_log(
    driver: str, log: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "cosem.gateway.events")
    House(tmp_path, driver, {"log": log, "signal_alias": "s"}).run()
    assert ("s = 1 Wh (GOOD)" in caplog.text or "s = 1.0 Wh (GOOD)" in caplog.text) is bool(log)


# -- what goes out ----------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize(
    ("number_type", "value", "expected", "quality"),
    [
        ("DIGITAL", 5, True, Quality.GOOD),
        ("SIGNED16", 40000, 32767, Quality.OVERFLOW),
        ("UNSIGNED32", 40000, 40000, Quality.GOOD),
        ("FLOAT", Decimal("1.5"), 1.5, Quality.GOOD),
        ("DOUBLE", "text", None, Quality.INVALID),
        ("TEXT", 5, "5", Quality.GOOD),
        ("BITSTRING", 5, "101", Quality.GOOD),
        ("TIME", NOON, NOON, Quality.GOOD),
    ],
)
def test_number_type_is_the_type_that_goes_out(
    driver: str, number_type: str, value: Any, expected: Any, quality: Quality, tmp_path: Path
) -> None:
    sink = House(tmp_path, driver, {"number_type": number_type}, [value]).run()
    assert (sink.told[0].value, sink.told[0].quality) == (expected, quality)
    assert sink.points[0].number_type is NumberType(number_type)


@EVERY
def test_units_multiply_and_offset(driver: str, tmp_path: Path) -> None:
    row = {"units": "kWh", "multiply": "0,001", "offset": "-2", "number_type": "DOUBLE"}
    sink = House(tmp_path, driver, row, [12_345]).run()
    assert (sink.told[0].value, sink.told[0].unit, sink.points[0].unit) == (Decimal("10.345"), "kWh", "kWh")


@EVERY
def test_deadband_and_publish_on_change(driver: str, tmp_path: Path) -> None:
    values = [10, 10, 12, 13, 13]
    always = House(tmp_path, driver, {"number_type": "DOUBLE"}, values).run(scans=5)
    assert [each.value for each in always.told[:5]] == values
    changed = House(tmp_path, driver, {"number_type": "DOUBLE", "publish_on_change": 1}, values).run(scans=5)
    assert [each.value for each in changed.told] == [10, 12, 13]
    far = House(tmp_path, driver, {"number_type": "DOUBLE", "deadband": 2}, values).run(scans=5)
    assert [each.value for each in far.told] == [10, 13]


@EVERY
def test_topic_register_ioa_and_node_are_its_places(driver: str, tmp_path: Path) -> None:
    row = {"topic": "plant/energy", "register": 120, "ioa": 777, "node": "plant.energy", "number_type": "FLOAT"}
    points = House(tmp_path, driver, row).run().points
    assert MqttOutput("127.0.0.1").plan(points)[1][0] == "plant/energy"
    assert "120" in ModbusOutput("127.0.0.1").plan(points)[1]
    assert Iec104Output("127.0.0.1").plan(points)[1][0] == "777"
    assert OpcuaOutput().plan(points)[1][0] == "ns=2;s=plant.energy"


@EVERY
def test_source_status_reads_nothing_and_tells_whether_the_device_answers(driver: str, tmp_path: Path) -> None:
    job = {"DLMS": "obis_job", "IEC 62056-21": "tag_job_todo", "Elgama": "tag_job_todo"}[driver]
    house = House(tmp_path, driver, {"source": "status", job: "", "job_todo": "", "number_type": "DIGITAL"})
    sink = house.run()
    assert {each.value for each in sink.told} == {True}
    assert house.configuration.signals[0].job is None


# -- commands ---------------------------------------------------------------------------------------------------------

WRITABLE = ["DLMS", "IEC 62056-21"]


@pytest.mark.parametrize("driver", WRITABLE)
@pytest.mark.parametrize(("write", "done"), [(0, False), (1, True)])
def test_write_lets_commands_through(driver: str, write: int, done: bool, tmp_path: Path) -> None:
    house = House(tmp_path, driver, {"write": write})
    assert house.command(5).done is done
    assert [each.value for each in house.drivers[0].obeyed] == ([5] if done else [])


@pytest.mark.parametrize("driver", WRITABLE)
@pytest.mark.parametrize(("command_from", "done"), [("", True), ("scada", True), ("CSV", True), ("mqtt", False)])
def test_command_from_names_whose_commands_are_taken(
    driver: str, command_from: str, done: bool, tmp_path: Path
) -> None:
    assert House(tmp_path, driver, {"write": 1, "command_from": command_from}).command(5).done is done


@pytest.mark.parametrize("driver", WRITABLE)
@pytest.mark.parametrize(("value", "done"), [(1, False), (2, True), (8, True), (9, False)])
def test_lowest_and_highest_bound_commands(driver: str, value: int, done: bool, tmp_path: Path) -> None:
    assert House(tmp_path, driver, {"write": 1, "lowest": 2, "highest": 8}).command(value).done is done


@pytest.mark.parametrize("driver", WRITABLE)
def test_select_seconds_is_what_outputs_are_told(driver: str, tmp_path: Path) -> None:
    (point,) = House(tmp_path, driver, {"write": 1, "select_seconds": 7}).run().points
    assert point.select == 7


def test_nothing_is_ever_written_to_elgama(tmp_path: Path) -> None:
    """So write, command, command_job, command_from, select_seconds, lowest and highest end at the check."""
    for column, value in (
        *(("command", "set"), ("command_job", "1.8.0"), ("command_from", "scada")),
        *(("select_seconds", 7), ("lowest", 1), ("highest", 2)),
    ):
        row = {**tables.ELGAMA_SIGNAL, "write": 1, column: value}
        found = tables.configured(tmp_path, [tables.ELGAMA], [row])
        assert [each.place.column for each in found.faults] == ["write"]


# -- what is read -----------------------------------------------------------------------------------------------------


def served(meter: Meter) -> Any:
    async def serve(far: Any) -> None:
        await attend(meter, far, entropy=bytes)

    return serve


LIMIT = Register("1.0.35.129.0.255")
BREAKER = DisconnectControl("0.0.96.3.10.255")


def demo() -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    meter.add(Register("1.0.1.8.0.255"), value=DoubleLongUnsigned(12_345), scaler_unit=(1, 30))
    return meter


def dlms(folder: Path, patch: pytest.MonkeyPatch, signal: dict[str, Any], meter: Meter | None = None) -> Bench:
    return bench(folder, patch, changes=WRAPPER, signal=signal, serve=served(meter or demo()))


@pytest.mark.parametrize(
    ("obis_job", "value", "unit"),
    [
        ("1.0.1.8.0.255", 123_450, "Wh"),  # attribute 2 with its scaler
        ("1.0.1.8.0.255:2", 12_345, ""),  # as it is
        ("1-0:1.8.0*255:3", "{scaler: 1, unit: 30}", ""),
    ],
)
def test_obis_job(obis_job: str, value: Any, unit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = dlms(tmp_path, monkeypatch, {"obis_job": obis_job}).scan().values()
    assert (found.value, found.unit) == (value, unit)


@pytest.mark.parametrize(("class_id", "asked"), [(0, True), (1, False)])
def test_class_id_spares_the_object_list(
    class_id: int, asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a register has its place a meter may have data: what class it is of is asked unless the table knows."""
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    meter.add(Data("1.0.1.8.0.255"), value=DoubleLongUnsigned(7))
    device = dlms(tmp_path, monkeypatch, {"obis_job": "1.0.1.8.0.255", "class_id": class_id}, meter)
    (found,) = device.scan().values()
    assert found.value == 7
    assert (bytes.fromhex("000F0000280000FF02") in device.sent) is asked  # attribute 2 of the current association


@pytest.mark.parametrize(("short_name", "asked"), [(0, True), (0x3700, False)])
def test_short_name_spares_the_object_list(
    short_name: int, asked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMA_PASSWORD", "OPERATOR")
    meter = describe.load(EXAMPLES / "gama300.toml", clock=lambda: NOON)

    async def serve(far: Any) -> None:
        url = made.device.parameters.url()
        await attend(meter, far, profile_of(url), physical=url.physical, entropy=bytes)

    row = {"serial_number": 2141421, "client_address": "20", "auth": "Low", "password": "OPERATOR"}
    signal = {"obis_job": "1.0.32.7.0.255:2", "short_name": short_name, "class_id": 3}
    made = bench(tmp_path, monkeypatch, changes=row, signal=signal, serve=serve)
    made.run(made.driver.scan())
    assert (bytes.fromhex("FA08") in made.sent) is asked  # attribute 2 of the association, by its base name FA00
    assert (bytes.fromhex("3708") in made.sent) is not asked


@pytest.mark.parametrize(
    ("tag", "quality"), [("1.8.0", Quality.GOOD), ("1.8.0*24", Quality.INVALID), ("9.9.9", Quality.INVALID)]
)
def test_tag_job_todo_is_the_text_exactly_as_the_meter_prints_it(
    tag: str, quality: Quality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(far: Any) -> None:
        await attend_local(household(2, clock=lambda: NOON), far, switches=True)

    row = {"serialnumber": "0", "baudrate": 300, "databits": 7, "parity": "even"}
    (found,) = (
        bench(tmp_path, monkeypatch, "IEC 62056-21", row, signal={"tag_job_todo": tag}, serve=serve).scan().values()
    )
    assert found.quality is quality


@pytest.mark.parametrize(
    ("job_todo", "tag_job_todo", "value"),
    [("clock", "local time", "2026-03-02 12:00:00"), ("clock", "interval", "900")],
)
def test_job_todo_and_tag_job_todo_of_elgama(
    job_todo: str, tag_job_todo: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(far: Any) -> None:
        tables_of = lambda table: table_of(models.EPQS, table, NOON)  # noqa: E731 - short
        await attend_elgama(ElgamaStation(models.EPQS, 2141421, tables_of), far)

    signal = {"job_todo": job_todo, "tag_job_todo": tag_job_todo, "number_type": "TEXT"}
    (found,) = bench(tmp_path, monkeypatch, "Elgama", {"meter_model": 1}, signal=signal, serve=serve).scan().values()
    assert str(found.value).replace("T", " ") == value


def test_source_profile_is_the_rows_of_its_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The household captures every quarter of an hour."""
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    furnish(meter, 12_345_678)
    signal = {"source": "profile", "profile": "1.0.99.1.0.255"}
    device = dlms(tmp_path, monkeypatch, signal, meter)
    assert device.scan() == {}
    since = NOON - timedelta(hours=1)
    rows = device.run(device.driver.backfill(device.configuration.signals, since, NOON))
    assert [each.source_time for each in rows] == [since + timedelta(minutes=15 * each) for each in range(1, 5)]
    assert all(each.backfilled for each in rows)


def test_source_events_are_those_of_the_log_since_the_last_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal is the log itself: each event is a value of it, told with its time, and none of them twice."""
    vienna = ZoneInfo("Europe/Vienna")  # where daylight is saved, which the log tells
    meter = Meter("KFM1020012345678", clock=lambda: NOON, zone=vienna)
    furnish(meter, 12_345_678)
    logged = [(time, int(code)) for time, code in Household(12_345_678, vienna).events(NOON.astimezone(vienna))]
    assert len(logged) > 4
    signal = {"source": "events", "obis_job": "0.0.99.98.0.255", "profile": "0.0.99.98.0.255"}
    device = dlms(tmp_path, monkeypatch, signal, meter)
    assert device.scan() == {}
    since, until = logged[0][0], logged[-2][0]
    told = device.run(device.driver.backfill(device.configuration.signals, since, until))
    assert [(each.source_time, each.value) for each in told] == logged[1:-1]
    assert all(each.backfilled for each in told)


@pytest.mark.parametrize(
    ("row", "value", "request_"),
    [
        # set-request-normal: class, instance, attribute, no selection, data (double-long-unsigned 5)
        ({"obis_job": "1.0.35.129.0.255:2", "class_id": 3}, 5, "00030100238100FF020006 00000005"),
        # action-request-normal: class, instance, method, one parameter (integer 0)
        (
            {"obis_job": "0.0.96.3.10.255", "command": "method", "command_job": "0.0.96.3.10.255:2"},
            True,
            "004600006003 0AFF02010F00",
        ),
    ],
)
def test_command_and_command_job_are_what_is_done(
    row: dict[str, Any], value: Any, request_: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = demo()
    meter.add(LIMIT, value=DoubleLongUnsigned(7), scaler_unit=(0, 255))
    meter.add(BREAKER, control_mode=4)
    device = dlms(tmp_path, monkeypatch, {**row, "write": 1}, meter)
    device.scan()
    device.run(device.driver.obey(Command("meter1.energy", value, "a test")))
    assert bytes.fromhex(request_) in device.sent


@pytest.mark.parametrize(
    ("present", "value", "data"),
    [
        (DoubleLongUnsigned(7), 0, "0600000000"),
        (DoubleLongUnsigned(7), 1, "0600000001"),
        (DoubleLongUnsigned(7), -1, None),
        (DoubleLongUnsigned(7), Decimal("1.5"), None),
        (DoubleLongUnsigned(7), "7", None),
        (Integer(7), 127, "0F7F"),
        (Integer(7), 128, None),
        (False, True, "0301"),
        (False, 2, None),
        (Float32(1.5), 2, "1740000000"),
        (OctetString(b"old"), "new", "09036E6577"),
        (VisibleString("old"), "new", "0A036E6577"),
        (OctetString(b"old"), "neü", None),
        (BitString("1100"), "0011", "040430"),
        (Structure((Integer(1),)), 5, None),
    ],
)
def test_what_is_set_is_of_the_type_that_the_meter_has(
    present: Any, value: Any, data: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = demo()
    meter.add(Data("0.0.96.50.0.255"), value=present)
    device = dlms(tmp_path, monkeypatch, {"obis_job": "0.0.96.50.0.255:2", "class_id": 1, "write": 1}, meter)
    device.scan()
    result = device.run(device.driver.obey(Command("meter1.energy", value, "a test")))
    if data is None:
        assert not result.done
        assert "nothing that can be set" in result.reason
        assert bytes.fromhex("C101") not in device.sent  # set-request-normal
    else:
        assert bytes.fromhex(f"000100006032 00FF0200{data}") in device.sent


def test_command_job_of_iec_62056_21(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(far: Any) -> None:
        await attend_local(household(2, clock=lambda: NOON), far, switches=True)

    row = {"serialnumber": "0", "baudrate": 300, "databits": 7, "parity": "even"}
    signal = {"write": 1, "command": "set", "command_job": "0.9.1", "tag_job_todo": "1.8.0"}
    device = bench(tmp_path, monkeypatch, "IEC 62056-21", row, signal=signal, serve=serve)
    device.run(device.driver.obey(Command("local1.energy", "120000", "a test")))
    assert b"W5\x020.9.1(120000)\x03" in device.sent
