"""Datagrams on asyncio."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from cosem.errors import ConnectionLost
from cosem.io import failure
from cosem.io.aio.addresses import addresses, host_of
from cosem.io.aio.waiting import READ_AHEAD, Gate, Inbox


async def connect_udp(host: str, port: int) -> DatagramStream:
    """Open a UDP socket that sends to and hears from one peer only."""
    loop = asyncio.get_running_loop()
    family, address = (await addresses(host, port, socket.SOCK_DGRAM))[0]
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.connect(address)
        _, endpoint = await loop.create_datagram_endpoint(_ClientEndpoint, sock=opened)
    except OSError as error:
        opened.close()
        raise failure.connection_failed(error, host, port) from error
    return endpoint.stream


class DatagramStream(Inbox):
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
        self.abort()

    def abort(self) -> None:
        """Let go of the peer at once."""
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


class Endpoint(asyncio.DatagramProtocol):
    """What is common to both ends of a datagram socket."""

    def __init__(self) -> None:
        self._gate = Gate()
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


class _ClientEndpoint(Endpoint):
    def __init__(self) -> None:
        super().__init__()
        self.stream = DatagramStream(self.send, self.shut)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.stream.peer = host_of(transport.get_extra_info("peername"))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.stream.deliver(data)

    def error_received(self, exc: Exception) -> None:
        self.stream.report(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.stream.end()
        self._gate.open()
