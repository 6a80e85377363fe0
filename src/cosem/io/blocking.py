"""Streams that block: TCP, UDP and serial lines for programs without an event loop."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final, TypeAlias, TypeVar

from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost, LocalProtocolError, TimedOut
from cosem.io import failure
from cosem.io.serial_line import SerialPort, configure_port, is_write_timeout, line_errors, line_lost, open_port
from cosem.io.stream import CONNECT_TIMEOUT, LARGEST_READ, WRITE_TIMEOUT

R = TypeVar("R")

_LINUX_64: Final = sys.platform == "linux" and sys.maxsize > 1 << 32
_TIMEVAL: Final = Struct("@ll") if _LINUX_64 else None
"""How seconds and microseconds are told to a socket; None where that differs, or was not tried."""

_AT_ONCE: Final = 0 if sys.platform == "win32" else socket.MSG_DONTWAIT
"""Take or give what can be now, even where the socket blocks; on Windows none here does."""

_LATE: Final = 0.01
"""Seconds by which a read may end too late."""


def run(operation: Coroutine[Any, Any, R]) -> R:
    """Run an operation whose streams all block: it never suspends, so one step runs it to its end."""
    try:
        operation.send(None)
    except StopIteration as done:
        result: R = done.value
        return result
    operation.close()
    raise LocalProtocolError(
        "an operation on a blocking stream awaited something else; use the asyncio client for that"
    )


def connect_tcp(host: str, port: int, timeout: float = CONNECT_TIMEOUT, bind: str | None = None) -> SocketStream:
    """Connect to a TCP port. Looking the name up is up to the system and not covered by `timeout`.

    `bind` is the one of our addresses to connect from.

    Raises ConnectionFailed that says what to try.
    """
    deadline = time.monotonic() + timeout
    failed: ConnectionFailed | None = None
    for family, kind, number, address in _addresses(host, port, socket.SOCK_STREAM):
        opened = socket.socket(family, kind, number)
        try:
            opened.settimeout(max(deadline - time.monotonic(), 0.001))
            if bind is not None:
                from_here(opened, bind)
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            opened.close()
            failed = failure.connection_failed(error, host, port, timeout)
            failed.__cause__ = error
            continue
        except BaseException:
            opened.close()
            raise
        return SocketStream(opened)
    raise failed or ConnectionFailed(f"{host!r} has no address")


def from_here(opened: socket.socket, address: str) -> None:
    """Let a socket connect from one of our addresses. Raises OSError that says what is wrong with it."""
    try:
        opened.bind((address, 0))
    except OSError as error:
        why = failure.reason(error)
        raise OSError(error.errno, f"{address} is no address of this machine that leads there: {why}") from error


def connect_udp(host: str, port: int) -> DatagramStream:
    """Open a UDP socket that sends to and hears from one peer only."""
    family, kind, number, address = _addresses(host, port, socket.SOCK_DGRAM)[0]
    opened = socket.socket(family, kind, number)
    try:
        opened.connect(address)
    except OSError as error:
        opened.close()
        raise failure.connection_failed(error, host, port) from error
    return DatagramStream(opened)


def open_serial(
    path: str, baud: int, character_format: str = "8N1", rs485: str | None = None, flow: str | None = None
) -> SerialStream:
    """Open a serial port for this program alone. Raises ConnectionFailed, or ConfigurationError without pyserial."""
    return SerialStream(open_port(path, baud, character_format, rs485, flow))


def open_file(path: str) -> FileStream:
    """Open a file of octets that were received, `-` for standard input. Raises ConfigurationError."""
    try:
        file = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from None
    return FileStream(file)


class SocketStream:
    """A Stream over a connected stream socket.

    With time-outs of Python's sockets each read and write would ask first whether the socket is ready. Where the system
    can wait within a read itself (see `_patient`) a read is one call of the system, and elsewhere two.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._gone: ConnectionLost | None = None
        self._receive = _watchful(connected) if _TIMEVAL is None else _patient(connected, _TIMEVAL)

    def now(self) -> float:
        return time.monotonic()

    async def read(self, deadline: float | None, /) -> bytes:
        if self._gone is not None:
            raise self._gone
        try:
            octets = self._receive(deadline)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lose(failure.connection_lost(error)) from error
        if not octets:
            raise self._lose(failure.closed_by_peer())
        return octets

    async def write(self, octets: bytes, /) -> None:
        if self._gone is not None:
            raise self._gone
        try:
            sent = self._socket.send(octets, _AT_ONCE)
            if sent < len(octets):
                self._send_slowly(memoryview(octets)[sent:])
        except BlockingIOError:
            self._send_slowly(memoryview(octets))
        except OSError as error:
            raise self._lose(failure.connection_lost(error)) from error

    def _send_slowly(self, left: memoryview) -> None:
        """Send what the system does not take at once."""
        before = self._socket.gettimeout()
        try:
            self._socket.settimeout(WRITE_TIMEOUT)
            while left:
                left = left[self._socket.send(left) :]
            self._socket.settimeout(before)
        except OSError as error:
            if _is_deadline(error):
                self._socket.settimeout(before)
                raise TimedOut("write", WRITE_TIMEOUT) from error
            raise self._lose(failure.connection_lost(error)) from error

    async def close(self) -> None:
        self._gone = self._gone or failure.closed_here()
        with contextlib.suppress(OSError):  # the peer may be gone already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _lose(self, why: ConnectionLost) -> ConnectionLost:
        self._gone = why
        return why


class DatagramStream:
    """A Stream over a connected datagram socket: one read or write is one datagram."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._gone: ConnectionLost | None = None

    def now(self) -> float:
        return time.monotonic()

    async def read(self, deadline: float | None, /) -> bytes:
        if self._gone is not None:
            raise self._gone
        while True:
            try:
                self._socket.settimeout(None if deadline is None else max(deadline - time.monotonic(), 0.0))
                datagram = self._socket.recv(LARGEST_READ)
            except OSError as error:
                if _is_deadline(error):
                    return b""
                raise failure.connection_lost(error) from error
            if datagram:  # an empty datagram says nothing, and is no end either
                return datagram

    async def write(self, octets: bytes, /) -> None:
        if self._gone is not None:
            raise self._gone
        try:
            self._socket.settimeout(WRITE_TIMEOUT)
            self._socket.send(octets)
        except OSError as error:
            if _is_deadline(error):
                raise TimedOut("write", WRITE_TIMEOUT) from error
            raise failure.connection_lost(error) from error

    async def close(self) -> None:
        self._gone = self._gone or failure.closed_here()
        self._socket.close()


class SerialStream:
    """A LineStream over a serial port."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        self._gone: ConnectionLost | None = None

    def now(self) -> float:
        return time.monotonic()

    async def read(self, deadline: float | None, /) -> bytes:
        if self._gone is not None:
            raise self._gone
        try:
            self._port.timeout = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            first = self._port.read(1)
            return first + self._port.read(min(self._port.in_waiting, LARGEST_READ)) if first else b""
        except line_errors() as error:
            raise self._lose(error) from error

    async def write(self, octets: bytes, /) -> None:
        if self._gone is not None:
            raise self._gone
        try:
            self._port.write(octets)
        except line_errors() as error:
            if is_write_timeout(error):
                raise TimedOut("write", WRITE_TIMEOUT) from error
            raise self._lose(error) from error

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        if self._gone is not None:
            raise self._gone
        try:
            self._port.flush()
            configure_port(self._port, baud, character_format)
        except line_errors() as error:
            raise self._lose(error) from error

    async def send_break(self, seconds: float = 0.25, /) -> None:
        if self._gone is not None:
            raise self._gone
        try:
            self._port.flush()
            self._port.send_break(seconds)
        except line_errors() as error:
            raise self._lose(error) from error

    async def close(self) -> None:
        self._gone = self._gone or failure.closed_here()
        self._port.close()

    def _lose(self, error: Exception) -> ConnectionLost:
        self._gone = line_lost(error)
        return self._gone


class FileStream:
    """A Stream over a file: what is in it, and then the end of the connection."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._gone: ConnectionLost | None = None

    def now(self) -> float:
        return time.monotonic()

    async def read(self, deadline: float | None, /) -> bytes:
        if self._gone is not None:
            raise self._gone
        try:
            octets = _some_of(self._file)
        except OSError as error:
            self._gone = ConnectionLost(f"the file cannot be read: {error.strerror}")
            raise self._gone from error
        if not octets:
            self._gone = ConnectionLost("the file is at its end")
            raise self._gone
        return octets

    async def write(self, octets: bytes, /) -> None:
        raise LocalProtocolError("a file of what was received is not written to")

    async def close(self) -> None:
        self._gone = self._gone or failure.closed_here()
        if self._file is not sys.stdin.buffer:
            self._file.close()


def _some_of(file: BinaryIO) -> bytes:
    """Return what a file has now, waiting for the first octet only."""
    read1 = getattr(file, "read1", file.read)
    octets: bytes = read1(LARGEST_READ)
    return octets


def _addresses(host: str, port: int, kind: socket.SocketKind) -> list[tuple[socket.AddressFamily, int, int, Any]]:
    """Return family, type, protocol and socket address of every way to `host`, best first."""
    try:
        found = socket.getaddrinfo(host, port, type=kind)
    except OSError as error:
        raise failure.connection_failed(error, host, port) from error
    except UnicodeError as error:  # a label of the name is empty or too long
        raise ConnectionFailed(f"{host!r} is not a known host; check its spelling, or give the IP address") from error
    return [(family, kind, number, address) for family, kind, number, _, address in found]


Receive: TypeAlias = Callable[[float | None], bytes]
"""Returns what there is before a deadline, none at the end of the stream; raises BlockingIOError after the deadline."""


def _patient(connected: socket.socket, timeval: Struct) -> Receive:
    """Return what receives from a socket that blocks, for as long as the system was last told to wait."""
    connected.setblocking(True)
    receive, set_option = connected.recv, connected.setsockopt
    told = 0.0  # for ever

    def receive_before(deadline: float | None) -> bytes:
        nonlocal told
        while True:
            left = 0.0
            if deadline is not None and (left := deadline - time.monotonic()) <= 0:
                return receive(LARGEST_READ, _AT_ONCE)
            if not left <= told <= left + _LATE or (deadline is None and told):
                # Requests that wait equally long have to tell it once, for a little more is told than is left.
                told = left + _LATE / 2 if left else 0.0
                seconds, part = divmod(int(told * 1_000_000), 1_000_000)
                set_option(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval.pack(seconds, part))
            try:
                return receive(LARGEST_READ)
            except BlockingIOError:  # it waited for as long as it was told to
                continue

    return receive_before


def _watchful(connected: socket.socket) -> Receive:
    """Return what receives from a socket that does not block, watching it until there is something to read."""
    connected.setblocking(False)
    readable = _readiness(connected)

    def receive_before(deadline: float | None) -> bytes:
        while readable(None if deadline is None else max(deadline - time.monotonic(), 0.0)):
            with contextlib.suppress(BlockingIOError):  # a readiness that was none, which systems permit themselves
                return connected.recv(LARGEST_READ)
        raise BlockingIOError

    return receive_before


def _readiness(connected: socket.socket) -> Callable[[float | None], object]:
    """Return what waits so many seconds until there is something to read, and tells whether there is."""
    if sys.platform == "win32":  # has no poll
        return lambda seconds: select.select([connected], [], [], seconds)[0]
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return lambda seconds: poll.poll(None if seconds is None else seconds * 1000)


def _is_deadline(error: OSError) -> bool:
    """Tell our own deadline from the system's ETIMEDOUT, which is the end of a connection."""
    return isinstance(error, BlockingIOError) or (isinstance(error, TimeoutError) and error.errno is None)
