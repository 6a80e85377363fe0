"""Meters of every kind at serial lines, several on one, through `cosem gateway` into a real MQTT broker."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosem import Meter, Register, Unit
from cosem.io.open import open_async
from cosem.meter import describe
from cosem.meter.elgama import attend, table_of
from cosem.meter.serve import Server
from cosem.protocol.elgama import models
from cosem.protocol.elgama.station import ElgamaStation
from cosem.protocol.profile.address import ConnectionUrl
from e2e.test_gateway_of_a_fleet import program
from interop.broker import Broker
from interop.lines_of import peer
from lines import shared_line

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ENERGY = Register("1.0.1.8.0.255")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GAMA = 2141421
BYTES = 925948
GAMAS = {"gama300": 2, "gama100": 3}
"""By the column meter_model."""

DLMS = """
[[devices]]
name = "{alias}"
device_alias = "{alias}"
protocol = "DLMS"
client_address = "{as_client}"
logical_address = {logical}
device = "{line}"
timeout_ms = 10000
{more}

[[signals]]
signal_name = "Energy"
device_alias = "{alias}"
signal_alias = "{alias}"
obis_job = "1.0.1.8.0.255"
"""
IEC21 = """
[[devices]]
name = "{alias}"
device_alias = "{alias}"
protocol = "IEC 62056-21"
serialnumber = {serial}
type = "{mode}"
device = "{line}"
baudrate = 300
timeout_ms = 10000
poll_delay_ms = 20
serial_close_delay = 50

[[signals]]
signal_name = "Energy"
device_alias = "{alias}"
signal_alias = "{alias}"
tag_job_todo = "1.8.0"
number_type = "DOUBLE"
"""
ELGAMA = """
[[devices]]
name = "{alias}"
device_alias = "{alias}"
protocol = "Elgama"
id = {serial}
meter_model = {model}
device = "{line}"
timeout_ms = 10000
{more}

[[signals]]
signal_name = "{tag}"
device_alias = "{alias}"
signal_alias = "{alias}"
job_todo = "{job}"
tag_job_todo = "{tag}"
number_type = "{kind}"
"""
OUTPUTS = """
[[outputs]]
kind = "mqtt"
address = "127.0.0.1:{broker}"
"""


def counting(number: int) -> Meter:
    """Return a meter that has counted its number."""
    meter = Meter(f"KFM10200{number:08}", clock=lambda: NOON)
    meter.add(ENERGY, value=number, scaler_unit=(0, Unit.WATT_HOUR))
    return meter


@asynccontextmanager
async def by_bytes(word: str, line: str) -> AsyncGenerator[None]:
    """A meter of the byte protocol at a line."""
    model = models.named(word, experimental=True)
    station = ElgamaStation(model, BYTES, lambda table: table_of(model, table, NOON), entropy=secrets.token_bytes)
    stream = await open_async(ConnectionUrl.parse(f"elgama+serial://{line}?model={word}&serial=1&experimental=yes"))
    task = asyncio.create_task(attend(station, stream))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        await stream.close()


class Lines:
    """The lines with their meters; `tables` says how each is read, `wanted` what comes out."""

    def __init__(self) -> None:
        self._running = AsyncExitStack()
        self.tables = ""
        self.wanted: dict[str, Any] = {}

    async def __aenter__(self) -> Lines:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def line(self, stations: int) -> tuple[str, Sequence[str]]:
        return self._running.enter_context(shared_line(stations))

    async def serve(self, meter: Meter, url: str) -> None:
        await self._running.enter_async_context(Server(meter, url, beyond_loopback=True))

    async def hdlc(self) -> None:
        """Two meters on one line by logical names."""
        client, ends = self.line(2)
        for number, end in zip((17, 18), ends, strict=True):
            await self.serve(counting(number), f"hdlc+serial://{end}?physical={number}")
            more = f'type = "LN"\nmode = "DLMS"\nphysical_address = {number}\naddress_size = 2'
            self.read(DLMS, f"hdlc{number}", client, number, more=more, as_client="10")

    async def signed_on(self) -> None:
        """A meter behind the sign-on of IEC 62056-21; over TCP, since pseudo-terminals have no seven bits."""
        url = "hdlc+tcp://127.0.0.1:0?physical=17&sign_on=iec21"
        server = await self._running.enter_async_context(Server(counting(21), url))
        more = f'type = "LN"\nmode = "IEC"\nphysical_address = 17\nip = "127.0.0.1"\nport = {server.url.port}'
        self.read(DLMS, "signed_on", "", 21, more=more, as_client="10")

    async def wrapper(self) -> None:
        """Two logical devices of one meter at one place, by the wrapper."""
        meter = counting(31)
        meter.add_device(2, "KFM1020000000032").add(ENERGY, value=32, scaler_unit=(0, Unit.WATT_HOUR))
        server = await self._running.enter_async_context(Server(meter, "tcp://127.0.0.1:0"))
        place = f'type = "LN"\nmode = "DLMS-WRAPPER"\nip = "127.0.0.1"\nport = {server.url.port}'
        for number in (1, 2):
            self.read(DLMS, f"wrapper{number}", "", 30 + number, more=place, as_client="10", logical=number)

    async def short_names(self) -> None:
        """A GAMA as a DLMS meter by short names, and both models as Elgama has them, on a line each."""
        password = 'password = "env:GAMA_PASSWORD"'
        for alias, example in (("short_names", "gama300"), ("gama300", "gama300"), ("gama100", "gama100")):
            client, (end,) = self.line(1)
            meter = describe.load(EXAMPLES / f"{example}.toml")
            await self.serve(meter, f"hdlc+serial://{end}?physical=2421&address_size=4")
            energy = meter.value(ENERGY.value) / 10
            if alias == "short_names":
                more = f'type = "SN"\nmode = "DLMS"\nserial_number = {GAMA}\nauth = "Low"\n{password}'
                self.read(DLMS, alias, client, energy, more=more, as_client="20")
            else:
                read = {"job": "registers", "tag": "1.0.1.8.0.255", "kind": "DOUBLE", "more": password}
                self.read(ELGAMA, alias, client, energy, model=GAMAS[alias], serial=GAMA, **read)

    async def byte_protocol(self) -> None:
        """An EPQS and an EPQM, EXPERIMENTAL, each on a line of its own."""
        for alias, model, job, tag, kind in (
            ("epqs", 1, "daily:0:0", "period 1, tariff 1", "DOUBLE"),
            ("epqm", 0, "clock", "interval", "DOUBLE"),
        ):
            client, (end,) = self.line(1)
            await self._running.enter_async_context(by_bytes(alias, end))
            self.read(ELGAMA, alias, client, None, model=model, serial=BYTES, job=job, tag=tag, kind=kind, more="")

    async def readouts(self) -> None:
        """Three meters of IEC 62056-21 on one line, of modes A, B and C, each with a number of its own."""
        client, ends = self.line(3)
        for number, mode, end in zip((41, 42, 43), "ABC", ends, strict=True):
            await self.serve(counting(number), f"iec21+serial://{end}?format=8N1&mode={mode}&address={number}")
            self.read(IEC21, f"mode_{mode}", client, number / 1000, serial=number, mode=mode)

    def read(self, row: str, alias: str, line: str, value: Any, **more: Any) -> None:
        self.tables += row.format(alias=alias, line=line, **{"logical": 1, **more})
        self.wanted[alias] = value


PLANT = (Lines.hdlc, Lines.signed_on, Lines.wrapper, Lines.short_names, Lines.byte_protocol, Lines.readouts)


def test_every_kind_of_meter_at_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMA_PASSWORD", "OPERATOR")

    async def run() -> None:
        broker = Broker(tmp_path)
        await broker.start()
        async with Lines() as lines, peer("mqtt_client.py", port=broker.port) as listener:
            for prepare in PLANT:
                await prepare(lines)
            tables = tmp_path / "gateway.toml"
            tables.write_text(lines.tables + OUTPUTS.format(broker=broker.port))
            wanted, found = set(lines.wanted), dict[str, Any]()
            async with program("gateway", "-c", str(tables), folder=tmp_path):
                while wanted - set(found):
                    heard = await listener.hear()
                    alias = str(heard.get("topic")).rpartition("/")[2]
                    if alias not in wanted:
                        continue
                    said = json.loads(heard["payload"])
                    if "good" in said["quality"]:
                        found[alias] = said["value"]
            assert {alias: found[alias] for alias, value in lines.wanted.items() if value is not None} == pytest.approx(
                {alias: value for alias, value in lines.wanted.items() if value is not None}
            )
            assert found["epqm"] > 0
            assert found["epqs"] > 0
        await broker.stop()

    asyncio.run(run())
