"""The IEC 60870-5-104 server: a controlled station on TCP or TLS, for control systems to connect to."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address

from cosem.errors import ConfigurationError, CosemError
from cosem.gateway.northbound import Obey, Point, carried_out
from cosem.gateway.northbound.iec104.station import Conversation, Station, StationSettings, Wanted, addressed
from cosem.gateway.value import CommandResult, Sample

_log = logging.getLogger(__name__)
PORT = 2404
SECURE_PORT = 19998
"""The ports that are registered for the protocol, and for it over TLS."""


class Iec104Output:
    """Shows points to control systems by IEC 60870-5-104.

    Args:
        host, port: where to listen; port 0 takes a free one, see `port` afterwards.
        settings: common address, time zone, buffers and time-outs of the station.
        tls: makes it TLS (IEC 62351-3); without, whoever reaches the port reads and commands.
        masters: networks from which connections are taken; empty for all.
        connections: how many there may be at once.

    `publish` returns at once: what nobody has taken yet waits in memory, up to `settings.waiting` values, and `lost`
    counts what had to go.
    """

    buffered = False

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = PORT,
        settings: StationSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        masters: Sequence[IPv4Network | IPv6Network] = (),
        connections: int = 8,
    ) -> None:
        self.host = host
        self.port = port
        self._settings = settings or StationSettings()
        self._tls = tls
        self._masters = tuple(masters)
        self._most = connections
        self._station: Station | None = None
        self._server: asyncio.Server | None = None
        self._obey: Obey | None = None
        self._callers: dict[_Caller, None] = {}
        self._announced = 0

    @property
    def lost(self) -> int:
        """How many values went because nobody took them in time."""
        return 0 if self._station is None else self._station.lost

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Begin to listen. Raises ConfigurationError for addresses that collide, or where nobody can listen."""
        self._station = Station(points, self._settings)
        self._obey = obey
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(lambda: _Caller(self), self.host, self.port, ssl=self._tls)
        except OSError as error:
            raise ConfigurationError(f"IEC 104: cannot listen at {self.host} port {self.port}: {error}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Hand samples over to all that are connected."""
        assert self._station is not None, "started"
        self._station.publish(samples)
        for caller in list(self._callers):
            caller.pump()
        if self._station.lost > self._announced:
            _log.warning("IEC 104: %d values went since nobody took them in time", self._station.lost - self._announced)
            self._announced = self._station.lost

    async def close(self) -> None:
        """End every connection and stop listening."""
        if self._server is None:
            return
        self._server.close()
        for caller in list(self._callers):
            caller.leave()
        await self._server.wait_closed()
        self._server = None

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return the list of points: address, type and time-tagged type, signal, unit, and address of commands."""
        return self._listed(addressed(points))

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the list of its points."""
        return self._listed({} if self._station is None else self._station.points)

    def _listed(self, points: Mapping[int, Point]) -> Sequence[tuple[str, ...]]:
        heading = ("ioa", "type", "with time", "signal", "unit", "command")
        rows = [
            (
                *map(str, (address, *point.number_type.iec104)),
                *(point.signal, point.unit),
                str(address + self._settings.command_offset) if point.writable else "",
            )
            for address, point in points.items()
            if point.number_type.iec104 is not None
        ]
        return (heading, *rows)

    # what its connections ask of it

    def admit(self, caller: _Caller, peer: str) -> Conversation | None:
        """Return a conversation for a new connection, None when it may not stay."""
        allowed = not self._masters or any(ip_address(peer) in each for each in self._masters)
        if self._station is None or not allowed or len(self._callers) >= self._most:
            _log.warning("IEC 104: %s was turned away: %s", peer, "too many connections" if allowed else "not allowed")
            return None
        self._callers[caller] = None
        return self._station.converse(asyncio.get_running_loop().time(), peer)

    def dismiss(self, caller: _Caller) -> None:
        """Forget a connection that ended."""
        self._callers.pop(caller, None)

    async def obey(self, wanted: Wanted) -> CommandResult:
        """Have a command carried out; what goes wrong is a result too."""
        return await carried_out(self._obey, wanted.command)


class _Caller(asyncio.Protocol):
    """One connection of the server: octets to the conversation and back, and its timer."""

    def __init__(self, output: Iec104Output) -> None:
        self._output = output
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._conversation: Conversation | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or not."""
        assert isinstance(transport, asyncio.Transport), "a stream"
        peer = str(transport.get_extra_info("peername")[0]).partition("%")[0]
        self._conversation = self._output.admit(self, peer)
        if self._conversation is None:
            transport.abort()
            return
        self._transport = transport
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Take octets."""
        conversation = self._conversation
        if conversation is None:
            return
        try:
            wanted = conversation.receive(data, self._loop.time())
        except CosemError as error:
            self._drop(error)
            return
        for each in wanted:
            task = self._loop.create_task(self._carry_out(each))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep what was not delivered."""
        self.leave()

    def pump(self) -> None:
        """Send what there is."""
        if self._conversation is not None:
            self._conversation.pump(self._loop.time())
            self._flush()

    def leave(self) -> None:
        """End it; commands that are under way go on to their end, and nobody is told of it."""
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None
            self._output.dismiss(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if self._conversation is None or self._transport is None:
            return
        octets = self._conversation.outgoing()
        if octets:
            self._transport.write(octets)
        self._wait()

    def _wait(self) -> None:
        assert self._conversation is not None, "connected"
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._conversation.deadline(), self._tick)

    def _tick(self) -> None:
        if self._conversation is None:
            return
        try:
            self._conversation.tick(self._loop.time())
        except CosemError as error:
            self._drop(error)
            return
        self._flush()

    async def _carry_out(self, wanted: Wanted) -> None:
        result = await self._output.obey(wanted)
        if self._conversation is not None:
            with suppress(CosemError):
                self._conversation.obeyed(wanted, result, self._loop.time())
            self._flush()

    def _drop(self, error: CosemError) -> None:
        peer = "" if self._conversation is None else self._conversation.peer
        _log.warning("IEC 104: connection of %s ended: %s", peer, error)
        self.leave()
