"""RFC 2217 against pyserial's server in a process of its own, in front of a pseudo-terminal that tells its speed."""

from __future__ import annotations

import asyncio
import os
import termios
import tty
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO

import pytest

from cosem import Client, Meter, Register, Unit
from cosem.errors import ConnectionFailed
from cosem.io import blocking
from cosem.io.aio import Handler
from cosem.io.open import listen, open_async, open_blocking
from cosem.io.rfc2217 import Rfc2217Stream
from cosem.io.stream import LineStream, Stream
from cosem.meter import serving
from lines import serial_line, serial_port_server


@contextmanager
def terminal() -> Generator[tuple[int, int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    try:
        yield master, slave, os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)


def speed(descriptor: int) -> int:
    return int(termios.tcgetattr(descriptor)[5])


async def conversation(stream: Stream, master: int, slave: int) -> None:
    """Everything an octet may be, there and back; the speed as the terminal has it; a break."""
    assert isinstance(stream, LineStream)
    assert isinstance(stream, Rfc2217Stream)
    assert speed(slave) == termios.B300
    everything = bytes(range(256))
    await stream.write(everything[::-1] * 2)
    got = b""
    while len(got) < 512:
        got += os.read(master, 512)
    assert got == everything[::-1] * 2
    os.write(master, everything)
    heard = b""
    while len(heard) < 256:
        octets = await stream.read(stream.now() + 5)
        assert octets
        heard += octets
    assert heard == everything
    vars(stream)["_busy"] = 0.0  # nobody wants to wait for 512 octets at 300 baud
    await stream.configure(9600, "7E1")
    assert speed(slave) == termios.B9600
    await stream.send_break(0.05)
    await stream.configure(300, "8N1")
    assert speed(slave) == termios.B300
    await stream.close()


def lines_of(said: IO[str]) -> list[str]:
    return [line.strip() for line in said]


def test_blocking() -> None:
    with terminal() as (master, slave, path), serial_port_server(path) as (port, said):
        stream = open_blocking(f"hdlc+rfc2217://127.0.0.1:{port}?baud=300")
        blocking.run(conversation(stream, master, slave))
        told = lines_of(said)
    assert "line 9600 7E1" in told
    assert told.index("break on") < told.index("break off")
    assert told[-1] == "line 300 8N1"


@pytest.mark.parametrize("framing", ["hdlc", "iec21", "elgama"])
def test_on_asyncio(framing: str) -> None:
    meter = "&model=epqs&serial=925948&experimental=yes" if framing == "elgama" else ""

    async def scenario(port: int, master: int, slave: int) -> None:
        url = f"{framing}+rfc2217://127.0.0.1:{port}?baud=300{meter}"
        await conversation(await open_async(url), master, slave)

    with terminal() as (master, slave, path), serial_port_server(path) as (port, said):
        asyncio.run(scenario(port, master, slave))
        assert "line 9600 7E1" in lines_of(said)


def meet(handler: Handler) -> None:
    """Open a port of something that is no serial port server."""

    async def scenario() -> None:
        async with await listen("hdlc+tcp://127.0.0.1:0", handler) as listener:
            await open_async(f"hdlc+rfc2217://127.0.0.1:{listener.port}")

    asyncio.run(scenario())


def test_a_server_that_declines() -> None:
    async def handler(stream: Stream) -> None:
        await stream.write(bytes((255, 254, 44)))
        await stream.read(None)
        await stream.read(None)

    with pytest.raises(ConnectionFailed, match=r"does not speak RFC 2217.*\+tcp"):
        meet(handler)


def test_a_raw_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(stream: Stream) -> None:
        while True:
            await stream.read(None)

    monkeypatch.setattr("cosem.io.rfc2217.ANSWER_SECONDS", 0.2)
    with pytest.raises(ConnectionFailed, match=r"raw TCP serial server"):
        meet(handler)


def test_a_meter_behind_a_serial_port_server() -> None:
    meter = Meter("KFM1020012345678")
    meter.add(Register("1.0.1.8.0.255"), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))

    def read(port: int) -> str:
        with Client.open(f"hdlc+rfc2217://127.0.0.1:{port}?baud=9600") as client:
            return str(client.quantity(Register("1.0.1.8.0.255")))

    async def run() -> None:
        with serial_line() as (meters_end, servers_end), serial_port_server(servers_end) as (port, _):
            async with serving(meter, f"hdlc+serial://{meters_end}?baud=9600", beyond_loopback=True):
                assert await asyncio.to_thread(read, port) == "12345678 Wh"

    asyncio.run(run())
