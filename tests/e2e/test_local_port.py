"""Local ports on pseudo-terminals: software parity as octets, the speed as the terminal has it, and what goes wrong."""

from __future__ import annotations

import asyncio
import errno
import os
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cosem import Client
from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost, OnlyEcho, TimedOut
from cosem.io import blocking
from cosem.io.open import open_async, open_blocking
from cosem.io.stream import LineStream, Stream
from cosem.protocol.profile.timing import Timing
from lines import serial_line

SIGN_ON = bytes.fromhex("AF3F218D0A")
"""`/?!` CR LF in 7E1, as a line of 8N1 carries it."""


@contextmanager
def terminal() -> Iterator[tuple[int, int, str]]:
    master, slave = os.openpty()
    tty.setraw(slave)
    left = [master, slave]
    try:
        yield master, slave, os.ttyname(slave)
    finally:
        for each in left:
            try:
                os.close(each)
            except OSError:
                assert each == master, "the test has closed it"


Scenario = Callable[[Stream], Any]


def blocking_way(url: str, scenario: Scenario) -> Any:
    return blocking.run(scenario(open_blocking(url)))


def asyncio_way(url: str, scenario: Scenario) -> Any:
    async def run() -> Any:
        return await scenario(await open_async(url))

    return asyncio.run(run())


WAYS = pytest.mark.parametrize("way", [blocking_way, asyncio_way])


@WAYS
def test_software_parity_and_the_speed_of_the_terminal(way: Any) -> None:
    with terminal() as (master, slave, path):

        async def scenario(stream: Stream) -> None:
            assert isinstance(stream, LineStream)
            assert termios.tcgetattr(slave)[5] == termios.B300
            assert termios.tcgetattr(slave)[2] & termios.CSIZE == termios.CS8, "the line itself stays 8N1"
            await stream.write(b"/?!\r\n")
            assert os.read(master, 100) == SIGN_ON
            os.write(master, bytes.fromhex("AF C5 47 4D 00 01"))  # /EGM with even parity in bit 7, NUL, and a wrong one
            got = b""
            while len(got) < 6:
                got += await stream.read(stream.now() + 5)
            assert got == b"/EGM\x00\xff", "an octet of wrong parity is marked"
            assert stream.parity_errors == 1  # type: ignore[attr-defined]
            await stream.configure(9600, "7E1")
            assert termios.tcgetattr(slave)[5] == termios.B9600
            await stream.send_break(0.01)
            await stream.close()

        way(f"hdlc+serial://{path}?baud=300&format=7E1&parity=software", scenario)


@WAYS
def test_a_head_that_falls_off_in_the_middle_of_a_telegram(way: Any) -> None:
    with terminal() as (master, _, path):

        async def scenario(stream: Stream) -> None:
            os.write(master, b"/XXX5MET")
            assert await stream.read(stream.now() + 5)
            os.close(master)
            while True:
                assert await stream.read(stream.now() + 5)

        with pytest.raises(ConnectionLost, match="still plugged in"):
            way(f"hdlc+serial://{path}", scenario)


@WAYS
def test_no_such_device(way: Any) -> None:
    with pytest.raises(ConnectionFailed, match="does not open"):
        way("hdlc+serial:///dev/no-such-port", None)


@WAYS
@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.EACCES, "dialout"), (errno.EBUSY, "another program"), (errno.ENOTTY, "no serial port")],
)
def test_what_the_system_refuses(way: Any, number: int, advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import serial

    def refuse(*_: Any, **__: Any) -> None:
        raise serial.SerialException(number, os.strerror(number))

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(ConnectionFailed, match=advice):
        way("hdlc+serial:///dev/ttyUSB0", None)


def test_a_line_that_only_echoes() -> None:
    with serial_line(lambda octets: octets) as (_, end):
        client = Client.open(f"hdlc+serial://{end}?echo=strip&baud=115200", timing=Timing(link=0.3))
        with pytest.raises(OnlyEcho, match="I only see my own echo: is the head on the meter"):
            client.connect()


def test_a_line_of_noise() -> None:
    with serial_line(lambda octets: b"\x00\xffnoise\x7e\xa0" * 3) as (_, end):
        client = Client.open(f"hdlc+serial://{end}?baud=115200", timing=Timing(link=0.3))
        with pytest.raises(TimedOut, match="link"):
            client.connect()


def test_a_format_that_eight_bits_cannot_carry() -> None:
    with pytest.raises(ConfigurationError, match="7E1"):
        open_blocking("hdlc+serial:///dev/ttyUSB0?parity=software&format=8E1")
