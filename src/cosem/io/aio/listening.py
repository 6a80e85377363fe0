"""Listening for connections and datagrams, within limits, each served in its own task."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from cosem.errors import CosemError
from cosem.io import failure
from cosem.io.aio.addresses import host_of
from cosem.io.aio.tcp import SocketStream
from cosem.io.aio.udp import DatagramStream, Endpoint

Handler = Callable[["SocketStream | DatagramStream"], Awaitable[None]]
"""Serves one connection; the stream is closed when it returns."""

BACKLOG: Final = 4096
"""How many connections wait to be accepted where very many come at once."""

_log = logging.getLogger("cosem.io")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenLimits:
    """How many connections a listener accepts.

    Where there is no room, a newcomer takes the place of the stranger who has been there longest, and for longer than
    `grace`: of whoever has not been let in yet (`SocketStream.recognise`). So those who only hold connections open keep
    nobody else out. Where all have been let in, the newcomer is closed at once and counted.

    A host from which somebody has proved who he is need not wait for `grace` when it comes again: it takes the place of
    the stranger who has been there longest at once. So those who come again and again keep nobody out either.
    """

    connections: int = 1024
    connections_per_host: int = 8
    grace: float = 2.0
    """Seconds that a newcomer has to be let in before somebody else may take his place."""
    new_a_second: float | None = None
    """How many connections a host may begin in a second in the long run, beyond `burst` at once; left out, any."""
    burst: int = 32
    known: int = 4096
    """Hosts that are remembered: since somebody has proved there who he is, and for how often they come; of more, the
    last.
    """
    idle: float = 180.0
    """Seconds after which a silent datagram peer is forgotten."""


@dataclass(slots=True)
class ListenStatistics:
    """What a listener has seen since it started."""

    accepted: int = 0
    refused: int = 0
    displaced: int = 0
    """Strangers whose place somebody else needed."""
    failed: int = 0
    """Connections that ended with one of the suite's own errors: the peer's fault or the medium's."""
    internal_errors: int = 0
    """Connections that ended with any other error: ours."""


class SharedAdmission:
    """What several listeners share: how many `connections` they serve together at most, and which hosts they know."""

    __slots__ = ("connections", "known", "present", "spent")

    def __init__(self, connections: int | None = None) -> None:
        self.connections = connections
        self.present: dict[SocketStream | DatagramStream, tuple[_Reception, str, float]] = {}
        """Where and on whose account each stream is and since when, in that order; those displaced are gone at once."""
        self.known: OrderedDict[str, None] = OrderedDict()
        self.spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """How many connections of its burst each host had begun, and when."""

    @property
    def full(self) -> bool:
        return self.connections is not None and len(self.present) >= self.connections


async def listen(
    host: str, port: int, handler: Handler, limits: ListenLimits | None = None, *, shared: SharedAdmission | None = None
) -> Listener:
    """Accept TCP connections on `host` (port 0 finds a free one) and serve each with `handler` in its own task.

    What is `shared` is so with other listeners. Raises ConnectionFailed when the port cannot be had.
    """
    loop = asyncio.get_running_loop()
    reception = _Reception(handler, limits or ListenLimits(), shared=shared)
    try:
        server = await loop.create_server(
            lambda: SocketStream(reception.admit_connection), host, port, family=_family_for(host, port)
        )
    except OSError as error:
        raise failure.cannot_listen(error, host, port) from error
    return Listener(reception, host, server.sockets[0].getsockname()[1], server.close)


async def listen_on(
    opened: socket.socket,
    handler: Handler,
    limits: ListenLimits | None = None,
    *,
    whose: Callable[[SocketStream], str],
    shared: SharedAdmission | None = None,
) -> Listener:
    """Accept TCP connections on a socket that is bound already.

    `whose` says to whose account a connection goes, in place of its host; where it says "", the connection is closed
    before an octet is read of it. Raises ConnectionFailed, and closes the socket, when somebody else listens there.
    """
    loop = asyncio.get_running_loop()
    reception = _Reception(handler, limits or ListenLimits(), whose, shared)
    host, port = opened.getsockname()[:2]
    try:
        server = await loop.create_server(
            lambda: SocketStream(reception.admit_connection), sock=opened, backlog=BACKLOG
        )
    except OSError as error:
        opened.close()
        raise failure.cannot_listen(error, host, port) from error
    return Listener(reception, host, port, server.close)


async def listen_datagrams(host: str, port: int, handler: Handler, limits: ListenLimits | None = None) -> Listener:
    """Hear UDP datagrams on `host`; each sender is served by `handler` as a stream of its own."""
    loop = asyncio.get_running_loop()
    reception = _Reception(handler, limits or ListenLimits())
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: _ServerEndpoint(reception), local_addr=(host, port))
    except OSError as error:
        raise failure.cannot_listen(error, host, port) from error
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


def _host(stream: SocketStream) -> str:
    return stream.peer or "unknown"


class _Reception:
    """Lets connections in while there is room, and sees each to its end."""

    def __init__(
        self,
        handler: Handler,
        limits: ListenLimits,
        whose: Callable[[SocketStream], str] = _host,
        shared: SharedAdmission | None = None,
    ) -> None:
        self.handler = handler
        self._whose = whose
        self.limits = limits
        self.statistics = ListenStatistics()
        self.tasks: set[asyncio.Task[None]] = set()
        self._by_host: Counter[str] = Counter()
        self._count = 0
        self._shared = SharedAdmission() if shared is None else shared

    def has_room(self, host: str) -> bool:
        limits = self.limits
        if (
            self._count < limits.connections
            and self._by_host[host] < limits.connections_per_host
            and not self._shared.full
        ):
            return True
        self.statistics.refused += 1
        return False

    def admit_connection(self, stream: SocketStream) -> None:
        account = self._whose(stream)
        if not account or not self._in_time(stream.peer):
            self.statistics.refused += 1
            stream.abort()
            return
        if self._by_host[account] >= self.limits.connections_per_host:
            self._displace(stream.peer, lambda reception, host: reception is self and host == account)
        elif self._count >= self.limits.connections:
            self._displace(stream.peer, lambda reception, _: reception is self)
        elif self._shared.full:
            self._displace(stream.peer, lambda _, __: True)
        if self.has_room(account):
            self.serve(stream, account)
        else:
            stream.abort()

    def _in_time(self, host: str) -> bool:
        """Tell whether a host may begin one more connection now, and count it."""
        rate, now, begun = self.limits.new_a_second, asyncio.get_running_loop().time(), self._shared.spent
        if rate is None:
            return True
        spent, since = begun.pop(host, (0.0, now))
        spent = max(0.0, spent - (now - since) * rate)
        fits = spent + 1 <= self.limits.burst
        begun[host] = (spent + 1 if fits else spent), now
        while len(begun) > self.limits.known:
            begun.popitem(last=False)
        return fits

    def serve(self, stream: SocketStream | DatagramStream, host: str) -> None:
        self.statistics.accepted += 1
        self._by_host[host] += 1
        self._count += 1
        loop = asyncio.get_running_loop()
        self._shared.present[stream] = self, host, loop.time()
        task = loop.create_task(self._serve(stream))
        self.tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, stream, host))

    def _displace(self, newcomer: str, concerns: Callable[[_Reception, str], bool]) -> None:
        """Close the connection of the stranger who came first, of those that it concerns, for one from a host."""
        latest = asyncio.get_running_loop().time() - self.limits.grace
        hosts = self._shared.known
        known = newcomer in hosts
        for stream, (reception, host, since) in self._shared.present.items():
            recent = since > latest
            if recent and not known:
                return
            if concerns(reception, host) and isinstance(stream, SocketStream) and not stream.recognised:
                if recent and stream.peer in hosts:
                    continue
                self.statistics.displaced += 1
                reception.leave(stream)
                stream.abort()
                return

    def _remember(self, host: str) -> None:
        """Keep in mind that somebody has proved there who he is."""
        known = self._shared.known
        known[host] = None
        known.move_to_end(host)
        while len(known) > self.limits.known:
            known.popitem(last=False)

    def leave(self, stream: SocketStream | DatagramStream) -> None:
        if stream in self._shared.present:
            _, host, _ = self._shared.present.pop(stream)
            self._count -= 1
            self._by_host[host] -= 1
            if not self._by_host[host]:
                del self._by_host[host]

    async def _serve(self, stream: SocketStream | DatagramStream) -> None:
        try:
            await self.handler(stream)
        finally:
            await stream.close()

    def _ended(self, task: asyncio.Task[None], stream: SocketStream | DatagramStream, host: str) -> None:
        """Count how a connection ended. One connection's error, whatever it is, must not end the others."""
        stream.abort()  # a task that is cancelled before its first step never comes to close it
        if isinstance(stream, SocketStream) and stream.proved and stream.peer:
            self._remember(stream.peer)
        self.tasks.discard(task)
        self.leave(stream)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, CosemError):
            self.statistics.failed += 1
            _log.info("connection from %s ended: %s", host, error)
        elif error is not None:
            self.statistics.internal_errors += 1
            _log.error("connection from %s failed inside", host, exc_info=error)


class _ServerEndpoint(Endpoint):
    """Sorts datagrams by sender into streams."""

    def __init__(self, reception: _Reception) -> None:
        super().__init__()
        self._reception = reception
        self._streams: dict[Any, DatagramStream] = {}

    def datagram_received(self, data: bytes, addr: Any) -> None:
        stream = self._streams.get(addr)
        if stream is None:
            host = host_of(addr)
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


def _family_for(host: str, port: int) -> int:
    """A name may mean IPv4 and IPv6; a free port can only be had for one of them."""
    return socket.AF_INET if port == 0 and ":" not in host else socket.AF_UNSPEC
