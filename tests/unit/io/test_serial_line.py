"""What a serial port refuses is told apart from a line that failed."""

import asyncio
import errno
import os
import pty
import termios
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io import blocking, serial_line
from cosem.io.aio import open_serial
from cosem.io.open import open_blocking
from cosem.io.serial_line import configure_port, open_port


class Port:
    """A port that takes anything but what `refusal` is for."""

    def __init__(self, refusal: Exception | None) -> None:
        object.__setattr__(self, "refusal", refusal)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "bytesize" and self.refusal is not None:
            raise self.refusal
        object.__setattr__(self, name, value)

    refusal: Exception | None

    def flush(self) -> None: ...


@pytest.mark.parametrize("refusal", [ValueError("no"), termios.error(errno.EINVAL, "Invalid argument")])
def test_a_format_the_port_cannot_do(refusal: Exception) -> None:
    with pytest.raises(ConfigurationError, match="300 baud 7E1"):
        configure_port(Port(refusal), 300, "7E1")  # type: ignore[arg-type]


def test_a_line_that_fails_while_it_is_configured() -> None:
    stream = blocking.SerialStream(Port(termios.error(errno.EIO, "Input/output error")))  # type: ignore[arg-type]
    with pytest.raises(ConnectionLost, match="Input/output error"):
        blocking.run(stream.configure(300, "7E1"))


@pytest.mark.parametrize("text", ["", "8N", "N81", "8N1.5"])
def test_a_format_that_is_none(text: str) -> None:
    with pytest.raises(ConfigurationError, match="8N1"):
        configure_port(Port(None), 300, text)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="8N1"):
        open_port("/dev/null", 300, text)


def test_configured() -> None:
    port = Port(None)
    configure_port(port, 300, "7e1")  # type: ignore[arg-type]
    assert vars(port) == {"refusal": None, "baudrate": 300, "bytesize": 7, "parity": "E", "stopbits": 1}


class Steered(Port):
    """A port that keeps what it is told about RS-485."""

    def __init__(self) -> None:
        super().__init__(None)
        self.rs485_mode: Any = None
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Unsteerable(Steered):
    def __setattr__(self, name: str, value: Any) -> None:
        if name == "rs485_mode" and value is not None:
            raise ValueError("Failed to set RS485 mode: Inappropriate ioctl for device")
        super().__setattr__(name, value)


def given(monkeypatch: pytest.MonkeyPatch, port: Port) -> list[dict[str, Any]]:
    """Let pyserial open this port, and return with what."""
    opened: list[dict[str, Any]] = []

    def serial(_path: str, **settings: Any) -> Port:
        opened.append(settings)
        return port

    monkeypatch.setattr(serial_line, "pyserial", lambda: SimpleNamespace(Serial=serial))
    return opened


OPENERS: list[Callable[[str], Any]] = [
    lambda word: open_port("/dev/ttyS1", 9600, "8N1", word),
    lambda word: open_blocking(f"hdlc+serial:///dev/ttyS1?rs485={word}"),
    lambda word: asyncio.run(open_serial("/dev/ttyS1", 9600, "8N1", word)),
]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(("word", "sending"), [("yes", True), ("inverted", False)])
def test_rts_steers_rs485(
    monkeypatch: pytest.MonkeyPatch, opener: Callable[[str], Any], word: str, sending: bool
) -> None:
    port = Steered()
    opened = given(monkeypatch, port)
    opener(word)
    assert len(opened) == 1
    settings = port.rs485_mode
    assert (settings.rts_level_for_tx, settings.rts_level_for_rx, settings.loopback) == (sending, not sending, False)
    assert not port.closed


def test_rts_is_left_alone_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Steered()
    given(monkeypatch, port)
    open_blocking("hdlc+serial:///dev/ttyS1")
    assert port.rs485_mode is None


@pytest.mark.parametrize(
    ("query", "wires", "characters"),
    [("", False, False), ("?flow=none", False, False), ("?flow=rtscts", True, False), ("?flow=xonxoff", False, True)],
)
def test_flow_control_is_that_of_pyserial(
    monkeypatch: pytest.MonkeyPatch, query: str, wires: bool, characters: bool
) -> None:
    opened = given(monkeypatch, Steered())
    open_blocking(f"iec21+serial:///dev/ttyS1{query}")
    assert (opened[0]["rtscts"], opened[0]["xonxoff"]) == (wires, characters)


@pytest.mark.parametrize("word", ["rtscts", "xonxoff"])
def test_flow_control_of_a_pseudo_terminal(word: str) -> None:
    """The line discipline of the system has it: CRTSCTS among the control modes, IXON among those of the input."""
    far, near = pty.openpty()
    try:
        stream = open_blocking(f"iec21+serial://{os.ttyname(near)}?baud=9600&format=8N1&flow={word}")
        modes = termios.tcgetattr(near)
        assert bool(modes[0] & termios.IXON) is (word == "xonxoff")
        assert bool(modes[2] & termios.CRTSCTS) is (word == "rtscts")
        blocking.run(stream.close())
    finally:
        os.close(far)
        os.close(near)


def test_a_port_that_cannot_steer_is_closed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    port = Unsteerable()
    given(monkeypatch, port)
    with pytest.raises(ConfigurationError, match="leave rs485 out"):
        open_port("/dev/ttyUSB0", 9600, "8N1", "yes")
    assert port.closed


def test_a_pseudo_terminal_cannot_steer() -> None:
    far, near = pty.openpty()
    try:
        with pytest.raises(ConfigurationError, match="cannot steer RS-485 by RTS"):
            open_blocking(f"hdlc+serial://{os.ttyname(near)}?rs485=yes")
    finally:
        os.close(far)
        os.close(near)
