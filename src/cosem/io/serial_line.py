"""Serial ports through pyserial, which is imported when the first port is opened and not before."""

from __future__ import annotations

import errno
import functools
import importlib
from types import ModuleType
from typing import Any, Final, Protocol

from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost
from cosem.io import failure
from cosem.io.stream import WRITE_TIMEOUT


class SerialPort(Protocol):
    """What is used of pyserial's `Serial`."""

    timeout: float | None
    write_timeout: float | None
    baudrate: int
    bytesize: int
    parity: str
    stopbits: int
    break_condition: bool
    rs485_mode: Any

    @property
    def in_waiting(self) -> int: ...
    @property
    def out_waiting(self) -> int: ...
    def read(self, size: int = 1) -> bytes: ...
    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...
    def send_break(self, duration: float = 0.25) -> None: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


RS485_LEVELS: Final = {"yes": True, "inverted": False}
"""The level of RTS while we send, by the word of a connection URL; while we listen it is the other."""


def open_port(
    path: str, baud: int, character_format: str, rs485: str | None = None, flow: str | None = None
) -> SerialPort:
    """Open a serial port for this program alone; with `rs485` its RTS steers an RS-485 transceiver.

    `flow` is its flow control: None, `rtscts` or `xonxoff`.

    Raises ConnectionFailed that says what to try, and ConfigurationError when pyserial is missing or refuses the speed.
    """
    serial = pyserial()
    bits, parity, stops = split_format(character_format)
    try:
        port: SerialPort = serial.Serial(
            path,
            baudrate=baud,
            bytesize=bits,
            parity=parity,
            stopbits=stops,
            timeout=0,
            write_timeout=WRITE_TIMEOUT,
            rtscts=flow == "rtscts",
            xonxoff=flow == "xonxoff",
            exclusive=True,
        )
        try:
            port.timeout = 0  # sets the line again: pseudo-terminals refuse only then what they cannot do
        except BaseException:
            port.close()
            raise
    except ValueError as error:
        raise ConfigurationError(f"{path} cannot run at {baud} baud {character_format}: {error}") from error
    except line_errors() as error:
        if _number(error) == errno.EINVAL:
            raise ConfigurationError(f"{path} cannot run at {baud} baud {character_format}") from error
        raise ConnectionFailed(_why_not_opened(path, error)) from error
    if rs485 is not None:
        _steer(port, path, RS485_LEVELS[rs485])
    return port


def _steer(port: SerialPort, path: str, sending: bool) -> None:
    """Let the driver of the port set RTS to one level while octets leave, and to the other before and after."""
    settings = importlib.import_module("serial.rs485").RS485Settings
    refusals: tuple[type[Exception], ...] = (ValueError, NotImplementedError, *line_errors())
    try:
        port.rs485_mode = settings(rts_level_for_tx=sending, rts_level_for_rx=not sending)
    except refusals as error:
        port.close()
        raise ConfigurationError(
            f"{path} cannot steer RS-485 by RTS: {_words(error)}; most USB adapters find the direction by themselves, "
            "so leave rs485 out"
        ) from error


def configure_port(port: SerialPort, baud: int, character_format: str) -> None:
    """Change speed and character format; what was written must have left already."""
    bits, parity, stops = split_format(character_format)
    try:
        port.baudrate, port.bytesize, port.parity, port.stopbits = baud, bits, parity, stops
    except ValueError as error:
        raise ConfigurationError(f"the serial port cannot run at {baud} baud {character_format}: {error}") from error
    except line_errors() as error:
        if _number(error) != errno.EINVAL:
            raise
        raise ConfigurationError(f"the serial port cannot run at {baud} baud {character_format}") from error


@functools.cache
def line_errors() -> tuple[type[Exception], ...]:
    """Return what pyserial lets escape when a line fails. Its own exceptions are OSErrors; those of termios not."""
    try:
        termios = importlib.import_module("termios")
    except ImportError:  # Windows
        return (OSError,)
    return (OSError, termios.error)


def is_write_timeout(error: Exception) -> bool:
    return isinstance(error, pyserial().SerialTimeoutException)


def line_lost(error: Exception) -> ConnectionLost:
    return ConnectionLost(f"the serial line failed: {_words(error)}; is the adapter still plugged in?")


def pyserial() -> ModuleType:
    """Return pyserial. Raises ConfigurationError that says how to install it."""
    try:
        return importlib.import_module("serial")
    except ImportError:
        raise ConfigurationError('serial lines need pyserial; install it with: pip install "cosem[serial]"') from None


def split_format(character_format: str) -> tuple[int, str, int]:
    """Return data bits, parity and stop bits. Raises ConfigurationError."""
    if len(character_format) != 3 or not (character_format[0] + character_format[2]).isdigit():
        raise ConfigurationError(f"{character_format!r} is no character format; write for example 8N1 or 7E1")
    return int(character_format[0]), character_format[1].upper(), int(character_format[2])


_ADVICE = {
    errno.EACCES: "this user may not open it; on Debian and Ubuntu: sudo adduser $USER dialout, then log in again",
    errno.EPERM: "this user may not open it; on Debian and Ubuntu: sudo adduser $USER dialout, then log in again",
    errno.EBUSY: "another program holds it",
    errno.EAGAIN: "another program holds it",
    errno.ENOTTY: "it is no serial port",
}


def _why_not_opened(path: str, error: Exception) -> str:
    advice = _ADVICE.get(_number(error))
    if advice is not None:
        return f"the serial port {path} does not open: {advice}"
    ports = [str(port.device) for port in importlib.import_module("serial.tools.list_ports").comports()]
    there_are = (
        f"this machine has {', '.join(ports)}" if ports else "this machine has no serial port; is it plugged in?"
    )
    return f"the serial port {path} does not open: {_words(error)}; {there_are}"


def _number(error: Exception) -> int:
    """Return the system's number of an error; termios has it as its first argument only."""
    number = getattr(error, "errno", None) or (error.args[0] if error.args else None)
    return number if isinstance(number, int) else 0


def _words(error: Exception) -> str:
    return failure.reason(error) if isinstance(error, OSError) else str(error.args[-1] if error.args else error)
