"""What a serial port refuses is told apart from a line that failed."""

import errno
import termios
from typing import Any

import pytest

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io import blocking
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
