"""Streams on asyncio: TCP, UDP and serial lines for many connections at once, and listening for them.

Built on protocols and one future per wait, which costs a half to a quarter of asyncio's own streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cosem.errors import ConnectionFailed, ConnectionLost, CosemError, LocalProtocolError, TimedOut
from cosem.io import failure
from cosem.io.serial_line import SerialPort, configure_port, line_errors, line_lost, open_port
from cosem.io.stream import CONNECT_TIMEOUT, LARGEST_READ, WRITE_TIMEOUT

READ_AHEAD = 262_144
"""Octets held for a reader who does not come, before the peer is made to wait (TCP) or datagrams are dropped (UDP)."""

CLOSE_TIMEOUT = 5.0
"""Seconds a close waits for the last octets to leave."""


async def connect_tcp(host: str, port: int, timeout: float = CONNECT_TIMEOUT) -> SocketStream:
    """Connect to a TCP port. Raises ConnectionFailed that says what to try."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    failed: ConnectionFailed | None = None
    for family, address in await _addresses(host, port, socket.SOCK_STREAM):
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)
            async with asyncio.timeout_at(deadline):
                await loop.sock_connect(opened, address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _, stream = await loop.create_connection(SocketStream, sock=opened)
        except OSError as error:
            opened.close()
            failed = failure.connection_failed(error, host, port, timeout)
            failed.__cause__ = error
            continue
        except BaseException:
            opened.close()
            raise
        return stream
    raise failed or ConnectionFailed(f"{host!r} has no address")


async def connect_udp(host: str, port: int) -> DatagramStream:
    """Open a UDP socket that sends to and hears from one peer only."""
    loop = asyncio.get_running_loop()
    family, address = (await _addresses(host, port, socket.SOCK_DGRAM))[0]
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.connect(address)
        _, endpoint = await loop.create_datagram_endpoint(_ClientEndpoint, sock=opened)
    except OSError as error:
        opened.close()
        raise failure.connection_failed(error, host, port) from error
    return endpoint.stream


async def open_serial(path: str, baud: int, character_format: str = "8N1") -> SerialStream:
    """Open a serial port for this program alone. Raises ConnectionFailed, or ConfigurationError without pyserial."""
    return SerialStream(open_port(path, baud, character_format))


# --- one connection ------------------------------------------------------------------------------------------------


class _Inbox:
    """What has arrived and not been read, and at most one reader who waits for more."""

    __slots__ = ("_chunks", "_deadline", "_gone", "_held", "_loop", "_timer", "_waiter", "dropped")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()
        self._held: int = 0
        self._waiter: asyncio.Future[bool] | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gone = ""
        self.dropped = 0
        """Datagrams thrown away because nobody read."""

    def now(self) -> float:
        return self._loop.time()

    def _arrived(self, octets: bytes) -> None:
        self._chunks.append(octets)
        self._held += len(octets)
        self._wake()

    def _take_one(self) -> bytes:
        octets = self._chunks.popleft()
        self._held -= len(octets)
        return octets

    def _lose(self, why: ConnectionLost) -> None:
        self._gone = self._gone or str(why)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    async def _wait(self, deadline: float | None) -> bool:
        """Wait for something to happen; False when the deadline came first.

        One timer serves many reads: it is set again only when it would ring too late, since nearly every read ends
        long before its deadline and arming a timer costs as much as the rest of the read.
        """
        if self._waiter is not None:
            raise LocalProtocolError("two tasks read from one stream at the same time")
        self._waiter = self._loop.create_future()
        self._deadline = deadline
        if deadline is not None and (self._timer is None or deadline < self._timer.when()):
            self._stop_timer()
            self._timer = self._loop.call_at(deadline, self._ring)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done() or self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        else:
            self._waiter.set_result(False)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _shut(self) -> None:
        self._gone = self._gone or str(failure.closed_here())
        self._chunks.clear()
        self._held = 0
        self._stop_timer()
        self._wake()


class _Gate:
    """Holds writers back while the transport's buffer is full."""

    __slots__ = ("_shut", "_waiting")

    def __init__(self) -> None:
        self._shut = False
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def is_shut(self) -> bool:
        return self._shut

    def shut(self) -> None:
        self._shut = True

    def open(self) -> None:
        self._shut = False
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def passage(self, backlog: Callable[[], int]) -> None:
        """Wait until the gate opens, as long as the backlog shrinks at all."""
        while self._shut:
            before = backlog()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await waiter
            except TimeoutError as error:
                if backlog() >= before:
                    raise TimedOut("write", WRITE_TIMEOUT) from error
            finally:
                self._waiting.discard(waiter)


class SocketStream(_Inbox, asyncio.Protocol):
    """A Stream over a TCP connection, ours or accepted; `peer` is the other side's host."""

    __slots__ = ("_accept", "_ended", "_gate", "_is_over", "_paused", "_transport", "peer")

    def __init__(self, accept: Callable[[SocketStream], None] | None = None) -> None:
        super().__init__()
        self._accept = accept
        self._gate = _Gate()
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self._ended: asyncio.Future[None] | None = None
        self._is_over = False
        self.peer = ""

    async def read(self, deadline: float | None, /) -> bytes:
        while not self._chunks:
            if self._gone:
                raise ConnectionLost(self._gone)
            if not await self._wait(deadline):
                return b""
        octets = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return octets

    async def write(self, octets: bytes, /) -> None:
        if self._gone or self._transport is None:
            raise ConnectionLost(self._gone)
        self._transport.write(octets)
        if self._gate.is_shut:
            await self._gate.passage(self._transport.get_write_buffer_size)
            if self._gone:
                raise ConnectionLost(self._gone)

    async def close(self) -> None:
        self._shut()
        if self._transport is None:
            return
        self._transport.close()
        try:
            await asyncio.sleep(0)  # without a backlog the transport is gone after one turn
            if not self._is_over:
                self._ended = self._ended or self._loop.create_future()
                await asyncio.wait([self._ended], timeout=CLOSE_TIMEOUT)
        finally:
            self.abort()

    def abort(self) -> None:
        """Break the connection off at once; what was not sent yet is lost."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.peer = _host_of(transport.get_extra_info("peername"))
        if self._accept is not None:
            accept, self._accept = self._accept, None
            accept(self)

    def data_received(self, data: bytes) -> None:
        if self._gone:
            return
        self._arrived(data)
        if self._held > READ_AHEAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._is_over = True
        self._lose(failure.connection_lost(exc) if isinstance(exc, OSError) else failure.closed_by_peer())
        self._gate.open()
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)


class DatagramStream(_Inbox):
    """A Stream of datagrams to and from one peer; `peer` is its host.

    With `idle` seconds the stream counts as lost when its peer was silent for so long: datagrams know no end.
    """

    __slots__ = ("_close", "_heard", "_idle", "_send", "_trouble", "peer")

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        close: Callable[[], None],
        peer: str = "",
        idle: float | None = None,
    ) -> None:
        super().__init__()
        self._send = send
        self._close = close
        self._idle = idle
        self._heard = self._loop.time()
        self._trouble = ""
        self.peer = peer

    async def read(self, deadline: float | None, /) -> bytes:
        while not self._chunks:
            if self._gone:
                raise ConnectionLost(self._gone)
            if self._trouble:
                trouble, self._trouble = self._trouble, ""
                raise ConnectionLost(trouble)
            patience = None if self._idle is None else self._heard + self._idle
            if patience is None or (deadline is not None and deadline < patience):
                if not await self._wait(deadline):
                    return b""
            elif not await self._wait(patience):
                self._lose(ConnectionLost(f"the peer was silent for {self._idle:g} s"))
        return self._take_one()

    async def write(self, octets: bytes, /) -> None:
        if self._gone:
            raise ConnectionLost(self._gone)
        await self._send(octets)

    async def close(self) -> None:
        self._shut()
        self._close()

    def deliver(self, datagram: bytes) -> None:
        """Take in what the endpoint heard from this peer."""
        if self._gone or not datagram:
            return
        if self._held + len(datagram) > READ_AHEAD:
            self.dropped += 1
            return
        self._heard = self._loop.time()
        self._arrived(datagram)

    def report(self, error: Exception | None) -> None:
        """Take in what the system says about datagrams that did not arrive: the next read tells, later ones go on."""
        if isinstance(error, OSError):
            self._trouble = str(failure.connection_lost(error))
            self._wake()

    def end(self) -> None:
        self._lose(failure.closed_here())


class _Endpoint(asyncio.DatagramProtocol):
    """What is common to both ends of a datagram socket."""

    def __init__(self) -> None:
        self._gate = _Gate()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # a transport of this kind by contract of the loop

    def pause_writing(self) -> None:
        self._gate.shut()

    def resume_writing(self) -> None:
        self._gate.open()

    async def send(self, datagram: bytes, address: Any = None) -> None:
        transport = self._transport
        if transport is None:
            raise failure.closed_here()
        transport.sendto(datagram, address)
        if self._gate.is_shut:
            await self._gate.passage(lambda: 1)

    def shut(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _ClientEndpoint(_Endpoint):
    def __init__(self) -> None:
        super().__init__()
        self.stream = DatagramStream(self.send, self.shut)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.stream.peer = _host_of(transport.get_extra_info("peername"))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.stream.deliver(data)

    def error_received(self, exc: Exception) -> None:
        self.stream.report(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.stream.end()
        self._gate.open()


# --- a serial line -------------------------------------------------------------------------------------------------

POLL_INTERVAL = 0.01
"""Seconds between looks at a serial port that the event loop cannot watch, as on Windows: ten octets at 9600 baud."""


class SerialStream:
    """A LineStream over a serial port, watched by the event loop where it can, looked at regularly where it cannot."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._gone = ""
        port.timeout = 0
        port.write_timeout = 0

    def now(self) -> float:
        return self._loop.time()

    async def read(self, deadline: float | None, /) -> bytes:
        while True:
            if self._gone:
                raise ConnectionLost(self._gone)
            try:
                octets = self._port.read(1)
                if octets:
                    octets += self._port.read(min(self._port.in_waiting, LARGEST_READ))
            except line_errors() as error:
                raise self._lose(error) from error
            if octets:
                return octets
            left = None if deadline is None else deadline - self._loop.time()
            if left is not None and left <= 0:
                return b""
            await self._readable(left)

    async def write(self, octets: bytes, /) -> None:
        left = octets
        taken = self._loop.time()
        while left:
            if self._gone:
                raise ConnectionLost(self._gone)
            try:
                count = self._port.write(left)
            except line_errors() as error:
                raise self._lose(error) from error
            if count:
                left, taken = left[count:], self._loop.time()
            elif self._loop.time() - taken > WRITE_TIMEOUT:
                raise TimedOut("write", WRITE_TIMEOUT)
            if left:
                await asyncio.sleep(POLL_INTERVAL)

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        if self._gone:
            raise ConnectionLost(self._gone)
        try:
            while self._port.out_waiting:
                await asyncio.sleep(POLL_INTERVAL)
            self._port.flush()  # the last characters, still in the hardware
            configure_port(self._port, baud, character_format)
        except line_errors() as error:
            raise self._lose(error) from error

    async def close(self) -> None:
        if not self._gone:
            self._gone = str(failure.closed_here())
        self._port.close()

    async def _readable(self, seconds: float | None) -> None:
        """Wait until there may be something to read, or for the time given."""
        waiter: asyncio.Future[None] = self._loop.create_future()

        def look() -> None:
            if not waiter.done():
                waiter.set_result(None)

        try:
            number = self._port.fileno()
            self._loop.add_reader(number, look)
        except (NotImplementedError, AttributeError, OSError):  # the loop or the port cannot
            await asyncio.sleep(POLL_INTERVAL if seconds is None else min(POLL_INTERVAL, seconds))
            return
        try:
            await asyncio.wait([waiter], timeout=seconds)
        finally:
            self._loop.remove_reader(number)

    def _lose(self, error: Exception) -> ConnectionLost:
        lost = line_lost(error)
        self._gone = self._gone or str(lost)
        return lost


# --- listening -----------------------------------------------------------------------------------------------------

Handler = Callable[["SocketStream | DatagramStream"], Awaitable[None]]
"""Serves one connection; the stream is closed when it returns."""

_log = logging.getLogger("cosem.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenLimits:
    """How many connections a listener accepts; more are closed at once and counted."""

    connections: int = 1024
    connections_per_host: int = 8
    idle: float = 180.0
    """Seconds after which a silent datagram peer is forgotten."""


@dataclass(slots=True)
class ListenStatistics:
    """What a listener has seen since it started."""

    accepted: int = 0
    refused: int = 0
    failed: int = 0
    """Connections that ended with one of the suite's own errors: the peer's fault or the medium's."""
    internal_errors: int = 0
    """Connections that ended with any other error: ours."""


async def listen(host: str, port: int, handler: Handler, limits: ListenLimits | None = None) -> Listener:
    """Accept TCP connections on `host` (port 0 finds a free one) and serve each with `handler` in its own task.

    Raises ConnectionFailed when the port cannot be had.
    """
    loop = asyncio.get_running_loop()
    reception = _Reception(handler, limits or ListenLimits())
    try:
        server = await loop.create_server(
            lambda: SocketStream(reception.admit_connection), host, port, family=_family_for(host, port)
        )
    except OSError as error:
        raise _cannot_listen(error, host, port) from error
    return Listener(reception, host, server.sockets[0].getsockname()[1], server.close)


async def listen_datagrams(host: str, port: int, handler: Handler, limits: ListenLimits | None = None) -> Listener:
    """Hear UDP datagrams on `host`; each sender is served by `handler` as a stream of its own."""
    loop = asyncio.get_running_loop()
    reception = _Reception(handler, limits or ListenLimits())
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: _ServerEndpoint(reception), local_addr=(host, port))
    except OSError as error:
        raise _cannot_listen(error, host, port) from error
    return Listener(reception, host, transport.get_extra_info("sockname")[1], transport.close)


class Listener:
    """A port that is listened on, until it is closed; also an asynchronous context manager."""

    def __init__(self, reception: _Reception, host: str, port: int, stop: Callable[[], None]) -> None:
        self._reception = reception
        self._stop = stop
        self._closed = asyncio.Event()
        self.host = host
        self.port = port

    @property
    def statistics(self) -> ListenStatistics:
        return self._reception.statistics

    @property
    def connections(self) -> int:
        """How many connections are served right now."""
        return len(self._reception.tasks)

    async def wait_closed(self) -> None:
        """Wait until somebody closes the listener."""
        await self._closed.wait()

    async def close(self) -> None:
        """Stop listening, end the handlers and close their streams."""
        self._stop()
        tasks = list(self._reception.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._closed.set()

    async def __aenter__(self) -> Listener:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Reception:
    """Lets connections in while there is room, and sees each to its end."""

    def __init__(self, handler: Handler, limits: ListenLimits) -> None:
        self.handler = handler
        self.limits = limits
        self.statistics = ListenStatistics()
        self.tasks: set[asyncio.Task[None]] = set()
        self._by_host: Counter[str] = Counter()

    def has_room(self, host: str) -> bool:
        if len(self.tasks) < self.limits.connections and self._by_host[host] < self.limits.connections_per_host:
            return True
        self.statistics.refused += 1
        return False

    def admit_connection(self, stream: SocketStream) -> None:
        if self.has_room(stream.peer):
            self.serve(stream, stream.peer)
        else:
            stream.abort()

    def serve(self, stream: SocketStream | DatagramStream, host: str) -> None:
        self.statistics.accepted += 1
        self._by_host[host] += 1
        task = asyncio.get_running_loop().create_task(self._serve(stream))
        self.tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, host))

    async def _serve(self, stream: SocketStream | DatagramStream) -> None:
        try:
            await self.handler(stream)
        finally:
            await stream.close()

    def _ended(self, task: asyncio.Task[None], host: str) -> None:
        """Count how a connection ended. One connection's error, whatever it is, must not end the others."""
        self.tasks.discard(task)
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, CosemError):
            self.statistics.failed += 1
            _log.info("connection from %s ended: %s", host, error)
        elif error is not None:
            self.statistics.internal_errors += 1
            _log.error("connection from %s failed inside", host, exc_info=error)


class _ServerEndpoint(_Endpoint):
    """Sorts datagrams by sender into streams."""

    def __init__(self, reception: _Reception) -> None:
        super().__init__()
        self._reception = reception
        self._streams: dict[Any, DatagramStream] = {}

    def datagram_received(self, data: bytes, addr: Any) -> None:
        stream = self._streams.get(addr)
        if stream is None:
            host = _host_of(addr)
            if not self._reception.has_room(host):
                return
            stream = DatagramStream(
                lambda octets: self.send(octets, addr),
                lambda: self._forget(addr),
                host,
                self._reception.limits.idle,
            )
            self._streams[addr] = stream
            self._reception.serve(stream, host)
        stream.deliver(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        for stream in list(self._streams.values()):
            stream.end()
        self._gate.open()

    def _forget(self, addr: Any) -> None:
        self._streams.pop(addr, None)


# --- addresses -----------------------------------------------------------------------------------------------------


async def _addresses(host: str, port: int, kind: socket.SocketKind) -> list[tuple[socket.AddressFamily, Any]]:
    """Return family and socket address of every way to `host`; a numeric address asks no resolver thread."""
    with contextlib.suppress(ValueError):
        if isinstance(ipaddress.ip_address(host), ipaddress.IPv4Address):
            return [(socket.AF_INET, (host, port))]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=kind)
    except OSError as error:
        raise failure.connection_failed(error, host, port) from error
    except UnicodeError as error:  # a label of the name is empty or too long
        raise ConnectionFailed(f"{host!r} is not a known host; check its spelling, or give the IP address") from error
    return [(family, address) for family, _, _, _, address in found]


def _family_for(host: str, port: int) -> int:
    """A name may mean IPv4 and IPv6; a free port can only be had for one of them."""
    return socket.AF_INET if port == 0 and ":" not in host else socket.AF_UNSPEC


def _cannot_listen(error: OSError, host: str, port: int) -> ConnectionFailed:
    return ConnectionFailed(
        f"cannot listen on {host} port {port}: {failure.reason(error)}; "
        "choose another port (0 finds a free one) or an address of this machine"
    )


def _host_of(address: Any) -> str:
    """Return the host of a socket address; what is no IP socket has none."""
    return str(address[0]) if address else ""
