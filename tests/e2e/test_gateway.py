"""Simulated meters of every kind through the gateway: tables in, samples out, meters asked as seldom as possible."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cosem.fleet.ledger import Answer, answers
from cosem.gateway import config
from cosem.gateway.config import OutputRow
from cosem.gateway.engine import Gateway
from cosem.gateway.line import Clock
from cosem.gateway.northbound import Obey, Point
from cosem.gateway.value import Command, Quality, Sample
from cosem.meter import Meter, Server, describe
from cosem.meter.demo import furnish, household
from cosem.meter.elgama import ElgamaServer
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.profile.session import SapPair

EXAMPLES = Path(__file__).parents[2] / "examples"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GAMA = 2141421
BREAKER = DisconnectControl("0.0.96.3.10.255")

TABLES = """
[[devices]]
name = "LN meter"
device_alias = "ln"
protocol = "DLMS"
type = "LN"
mode = "DLMS-WRAPPER"
client_address = "10"
logical_address = 1
ip = "127.0.0.1"
port = {ln}
scan_rate_ms = 300
timeout_ms = 5000
reconnect_time = 100
retry_counter = 2

[[devices]]
name = "GAMA by short names"
device_alias = "gama"
protocol = "DLMS"
type = "SN"
serial_number = {serial}
client_address = "20"
auth = "Low"
password = "env:GAMA_PASSWORD"
ip = "127.0.0.1"
port = {gama}
timeout_ms = 5000

[[devices]]
name = "GAMA 300 of Elgama"
device_alias = "gama300"
protocol = "Elgama"
id = {serial}
meter_model = 2
password = "env:GAMA_PASSWORD"
ip = "127.0.0.1"
port = {gama}
timeout_ms = 5000

[[devices]]
name = "EPQS"
device_alias = "epqs"
protocol = "Elgama"
id = 925948
meter_model = 1
use_time = 1
ip = "127.0.0.1"
port = {epqs}
timeout_ms = 5000

[[devices]]
name = "Mode C"
device_alias = "c"
protocol = "IEC 62056-21"
serialnumber = 0
ip = "127.0.0.1"
port = {local}
timeout_ms = 5000
poll_delay_ms = 0

[[signals]]
signal_name = "Energy"
device_alias = "ln"
signal_alias = "ln_energy"
obis_job = "1.0.1.8.0.255"
profile = "1.0.99.1.0.255"
units = "kWh"
multiply = 0.001

[[signals]]
signal_name = "Energy as it is"
device_alias = "ln"
signal_alias = "ln_raw"
obis_job = "1.0.1.8.0.255:2"

[[signals]]
signal_name = "Scaler"
device_alias = "ln"
signal_alias = "ln_scaler"
obis_job = "1.0.1.8.0.255:3"

[[signals]]
signal_name = "Clock"
device_alias = "ln"
signal_alias = "ln_clock"
obis_job = "0.0.1.0.0.255"

[[signals]]
signal_name = "Breaker"
device_alias = "ln"
signal_alias = "ln_breaker"
obis_job = "0.0.96.3.10.255"
number_type = "DIGITAL"
write = 1
command = "method"
command_job = "0.0.96.3.10.255:2"

[[signals]]
signal_name = "Not there"
device_alias = "ln"
signal_alias = "ln_nothing"
obis_job = "1.0.99.8.0.255"

[[signals]]
signal_name = "Answers"
device_alias = "ln"
signal_alias = "ln_status"
source = "status"

[[signals]]
signal_name = "Load profile"
device_alias = "ln"
signal_alias = "ln_rows"
obis_job = "1.0.1.8.0.255"
source = "profile"
profile = "1.0.99.1.0.255"

[[signals]]
signal_name = "Voltage"
device_alias = "gama"
signal_alias = "gama_voltage"
obis_job = "1.0.32.7.0.255"

[[signals]]
signal_name = "Voltage by its name"
device_alias = "gama300"
signal_alias = "gama300_voltage"
job_todo = "registers"
tag_job_todo = "1.0.32.7.0.255"
number_type = "FLOAT"

[[signals]]
signal_name = "Yesterday"
device_alias = "epqs"
signal_alias = "epqs_daily"
job_todo = "daily:0:0"
tag_job_todo = "period 1, tariff 1"
number_type = "DOUBLE"

[[signals]]
signal_name = "Energy"
device_alias = "c"
signal_alias = "c_energy"
tag_job_todo = "1.8.0"
number_type = "DOUBLE"

[[signals]]
signal_name = "Nothing"
device_alias = "c"
signal_alias = "c_nothing"
tag_job_todo = "9.9.9"
number_type = "FLOAT"
"""


class Sink:
    buffered = False

    def __init__(self) -> None:
        self.told: list[Sample] = []
        self.obey: Obey | None = None

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        self.obey = obey

    async def publish(self, samples: Sequence[Sample]) -> None:
        self.told += samples

    async def close(self) -> None:
        pass

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        return ()

    def map(self) -> Sequence[tuple[str, ...]]:
        return ()

    async def last(self, signal: str, after: int = 0) -> Sample:
        """Return the newest sample of a signal, once there is one behind the first `after` samples."""
        async with asyncio.timeout(30):
            while True:
                found = [each for each in self.told[after:] if each.signal == signal]
                if found:
                    return found[-1]
                await asyncio.sleep(0.01)


class Plant:
    """The meters, the gateway that reads them, and the ledger of the one by logical names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = NOON
        self.ledger: list[Answer] = []
        self.requests = 0
        self.sink = Sink()
        self.meter = Meter("KFM1020012345678", clock=lambda: self.now)
        furnish(self.meter, 12_345_678)
        self.meter.add(BREAKER, control_mode=4)
        self.gama = describe.load(EXAMPLES / "gama300.toml")
        self.local = household(2)
        self.ln: Server | None = None
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Plant:
        enter = self._running.enter_async_context
        place = "127.0.0.1:0"
        self.ln = await enter(Server(self.meter, f"tcp://{place}", witness=self._witness))
        gama = await enter(Server(self.gama, f"hdlc+tcp://{place}?physical=2421&address_size=4"))
        local = await enter(Server(self.local, f"iec21+tcp://{place}"))
        epqs = await enter(ElgamaServer(f"elgama+tcp://{place}?model=epqs&serial=925948&experimental=yes"))
        ports = {"ln": self.ln, "gama": gama, "local": local, "epqs": epqs}
        text = TABLES.format(serial=GAMA, **{name: each.url.port for name, each in ports.items()})
        (self.folder / "gateway.toml").write_text(text)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def _witness(self, pair: SapPair, request: object, response: object) -> None:
        self.requests += 1
        self.ledger += answers(self.meter.time(), self.meter.name, pair.client, request, response)

    async def served_again(self) -> None:
        assert self.ln is not None
        url = self.ln.url
        self.ln = await self._running.enter_async_context(Server(self.meter, url, witness=self._witness))

    def gateway(self) -> Gateway:
        clock = Clock(now=lambda: self.now)
        return Gateway(self.folder, make_output=lambda row: self.sink, clock=clock, claims=self.folder / "claims")


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    monkeypatch.setenv("GAMA_PASSWORD", "OPERATOR")
    return Plant(tmp_path)


def tables(plant: Plant) -> config.Configuration:
    found = config.read(plant.folder / "gateway.toml")
    assert found.faults == ()
    return config.Configuration(
        devices=found.devices, signals=found.signals, outputs=(OutputRow(kind="test", name="test"),)
    )


def test_every_kind_of_meter(plant: Plant) -> None:
    async def run() -> None:
        async with plant:
            gateway = plant.gateway()
            await gateway.start(tables(plant))
            last = plant.sink.last
            energy, raw, scaler = await last("ln_energy"), await last("ln_raw"), await last("ln_scaler")
            assert energy.value == Decimal(str(raw.value)) / 1000
            assert (energy.unit, raw.unit) == ("kWh", "")
            assert scaler.value == "{scaler: 0, unit: 30}"
            assert (await last("ln_clock")).value == NOON
            assert (await last("ln_breaker")).value is True
            assert (await last("ln_status")).value == 1
            nothing = await last("ln_nothing")
            assert (nothing.value, nothing.quality) == (None, Quality.INVALID)
            voltage = await last("gama_voltage")
            assert (voltage.value, voltage.unit) == (Decimal("230.11"), "V")
            assert (await last("gama300_voltage")).value == voltage.value
            daily = await last("epqs_daily")
            assert daily.quality is Quality.GOOD
            assert isinstance(daily.value, Decimal)
            assert daily.source_time is not None
            assert (await last("c_energy")).quality is Quality.GOOD
            assert (await last("c_nothing")).quality is Quality.INVALID
            await gateway.close()

    asyncio.run(run())


def test_values_are_those_of_the_ledger_and_a_scan_is_one_request(plant: Plant) -> None:
    async def run() -> None:
        async with plant:
            gateway = plant.gateway()
            await gateway.start(tables(plant))
            await plant.sink.last("ln_rows")
            await plant.sink.last("ln_raw", len(plant.sink.told))  # what the signals mean is known now
            before, scans = plant.requests, gateway.devices["ln"].scans
            while gateway.devices["ln"].scans < scans + 4:
                raw = await plant.sink.last("ln_raw", len(plant.sink.told))
            assert plant.requests - before in (4, 5)  # the last one may not be counted as a scan yet
            said = [each.value for each in plant.ledger if each.reference == "3/1.0.1.8.0.255/2"]
            assert said[-1] == f"06{int(str(raw.value)):08x}"
            await gateway.close()

    asyncio.run(run())


def test_a_line_that_is_pulled_and_put_back(plant: Plant) -> None:
    async def run() -> None:
        async with plant:
            gateway = plant.gateway()
            await gateway.start(tables(plant))
            assert (await plant.sink.last("ln_energy")).quality is Quality.GOOD
            rows = [each for each in plant.sink.told if each.signal == "ln_rows"]
            assert len(rows) <= 24 * 4
            assert plant.ln is not None
            await plant.ln.close()
            mark = len(plant.sink.told)
            assert (await plant.sink.last("ln_status", mark)).value == 0
            assert (await plant.sink.last("ln_energy", mark)).quality is Quality.NOT_TOPICAL
            assert gateway.devices["ln"].lost
            missed_from = plant.now
            plant.now += timedelta(hours=2)
            mark = len(plant.sink.told)
            await plant.served_again()
            assert (await plant.sink.last("ln_status", mark)).value == 1
            async with asyncio.timeout(30):
                while not any(each.backfilled and each.signal == "ln_energy" for each in plant.sink.told[mark:]):
                    await asyncio.sleep(0.01)
            filled = [each for each in plant.sink.told[mark:] if each.backfilled and each.signal == "ln_energy"]
            times = [each.source_time for each in filled]
            quarter = timedelta(minutes=15)
            assert times == [missed_from + quarter * number for number in range(1, 9)]
            assert {each.quality for each in filled} == {Quality.GOOD}
            await gateway.close()

    asyncio.run(run())


def test_a_command_reaches_the_meter(plant: Plant) -> None:
    async def run() -> None:
        async with plant:
            gateway = plant.gateway()
            await gateway.start(tables(plant))
            await plant.sink.last("ln_breaker")
            item = plant.meter.management.find(BREAKER.instance)
            assert item is not None
            assert plant.sink.obey is not None
            result = await plant.sink.obey(Command("ln_breaker", True, "a test"))
            assert not result.done  # the public client may not
            assert "denied" in result.reason
            refused = await plant.sink.obey(Command("ln_energy", 1, "a test"))
            assert refused.reason == "the signal is not write-enabled"
            await gateway.close()

    asyncio.run(run())
