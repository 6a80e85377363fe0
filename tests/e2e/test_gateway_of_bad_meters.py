"""Meters that hang, lie, echo, return other types or vanish, beside one that is well: each affects its own signals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosem.gateway import config
from cosem.gateway.config import OutputRow
from cosem.gateway.engine import Gateway
from cosem.gateway.value import Quality
from cosem.meter import Meter, Server
from cosem.protocol.model.classes.data_storage import Data, Register
from cosem.protocol.values.data import Array, DoubleLongUnsigned, Structure, Unsigned, VisibleString
from e2e.test_gateway import Sink

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ENERGY = Register("1.0.1.8.0.255")
POWER = Register("1.0.1.7.0.255")
SCANS = 8
"""Of the meter that is well, while the others are as they are."""

DEVICE = """
[[devices]]
name = "{alias}"
device_alias = "{alias}"
protocol = "{protocol}"
ip = "127.0.0.1"
port = {port}
scan_rate_ms = 50
timeout_ms = {patience}
reconnect_time = 50
retry_counter = 1
{more}
"""
DLMS = 'type = "LN"\nmode = "{mode}"\nclient_address = "10"\nlogical_address = 1'
SIGNAL = """
[[signals]]
signal_name = "{name}"
device_alias = "{alias}"
signal_alias = "{alias}_{name}"
number_type = "DOUBLE"
{job}
"""

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(4096):
        pass


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(4096):
        writer.write(octets)


async def vanish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(4096)


def lie(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            writer.write(answer)

    return talk


WRAPPED = bytes.fromhex("0001 0001 0010")
LIES = {
    "noise": bytes(range(256)) * 16,
    "length": WRAPPED + b"\xff\xff" + bytes(65535),
    "association": WRAPPED + bytes.fromhex("0004 61020100"),
    "frames": bytes.fromhex("7EA7FF21022373") * 100,
    "readout": b"/KFM5X\r\n" + b"\x02" + 2000 * b"1.8.0(1" + b"\r\n",
}


@asynccontextmanager
async def talking(talk: Talk) -> AsyncGenerator[int]:
    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def well() -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    meter.add(ENERGY, value=DoubleLongUnsigned(12_345), scaler_unit=(0, 30))
    meter.add(POWER, value=DoubleLongUnsigned(230), scaler_unit=(0, 27))
    return meter


def other(value: Any) -> Meter:
    """Return a meter whose energy is of another type, and whose power is well."""
    meter = Meter("KFM1020012345679", clock=lambda: NOON)
    meter.add(Data(ENERGY.instance), value=value)
    meter.add(POWER, value=DoubleLongUnsigned(230), scaler_unit=(0, 27))
    return meter


def device(alias: str, port: int, mode: str = "DLMS-WRAPPER", patience: int = 300) -> str:
    """Return the rows of a device; mode C is one of IEC 62056-21."""
    local = mode == "C"
    more = "serialnumber = 0\npoll_delay_ms = 0\nserial_close_delay = 0" if local else DLMS.format(mode=mode)
    protocol = "IEC 62056-21" if local else "DLMS"
    rows = DEVICE.format(alias=alias, protocol=protocol, port=port, patience=patience, more=more)
    for name, instance in (("energy", ENERGY.instance), ("power", POWER.instance)):
        job = 'tag_job_todo = "1.8.0"' if local else f'obis_job = "{instance}"'
        rows += SIGNAL.format(alias=alias, name=name, job=job)
    return rows


def run(folder: Path, bad: dict[str, tuple[Talk, str]], meters: dict[str, Meter]) -> tuple[Sink, Gateway]:
    """Run a gateway of a well meter and of these until the well one was scanned often enough."""

    async def main() -> tuple[Sink, Gateway]:
        sink, rows = Sink(), ""
        async with AsyncExitStack() as running:
            for alias, meter in {"well": well(), **meters}.items():
                server = await running.enter_async_context(Server(meter, "tcp://127.0.0.1:0"))
                rows += device(alias, server.url.port or 0, patience=10_000)
            for alias, (talk, mode) in bad.items():
                rows += device(alias, await running.enter_async_context(talking(talk)), mode)
            (folder / "gateway.toml").write_text(rows)
            found = config.read(folder / "gateway.toml")
            assert found.faults == ()
            found = replace(found, outputs=(OutputRow(kind="test", name="test"),))
            gateway = Gateway(folder, make_output=lambda _: sink, claims=folder / "claims")
            await gateway.start(found)
            async with asyncio.timeout(60):
                while not enough(gateway, bad):
                    await asyncio.sleep(0.01)
            devices = gateway.devices
            assert {alias for alias, each in devices.items() if each.lost} == set(bad)
            await gateway.close()
        return sink, gateway

    return asyncio.run(main())


def enough(gateway: Gateway, bad: dict[str, Any]) -> bool:
    devices = gateway.devices
    return devices["well"].scans >= SCANS and all(devices[alias].failures > 1 for alias in bad)


BAD: dict[str, Talk] = {
    "hang": hang,
    "echo": echo,
    "vanish": vanish,
    **{name: lie(each) for name, each in LIES.items()},
}


@pytest.mark.parametrize("mode", ["DLMS-WRAPPER", "DLMS-HDLC", "C"])
def test_who_hangs_lies_echoes_or_vanishes_is_lost_alone(mode: str, tmp_path: Path) -> None:
    sink, _ = run(tmp_path, {alias: (talk, mode) for alias, talk in BAD.items()}, {})
    good = [each for each in sink.told if each.signal == "well_energy"]
    assert len(good) >= SCANS - 1
    assert {(each.value, each.quality) for each in good} == {(12_345, Quality.GOOD)}
    assert {each.signal.partition("_")[0] for each in sink.told} == {"well"}  # the others never said anything


@pytest.mark.parametrize(
    "value",
    [VisibleString("twelve"), Structure((Unsigned(1), Unsigned(2))), Array(()), None],
    ids=["text", "structure", "array", "null"],
)
def test_who_returns_another_type_has_that_signal_invalid(value: Any, tmp_path: Path) -> None:
    sink, _ = run(tmp_path, {}, {"other": other(value)})
    told = {each.signal: (each.value, each.quality) for each in sink.told}
    assert told["other_energy"] == (None, Quality.INVALID)
    assert told["other_power"] == (230, Quality.GOOD)
    assert told["well_energy"] == (12_345, Quality.GOOD)
