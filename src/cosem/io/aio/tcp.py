"""TCP connections on asyncio."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from cosem.errors import ConnectionFailed, ConnectionLost
from cosem.io import failure
from cosem.io.aio.addresses import addresses, host_of
from cosem.io.aio.waiting import READ_AHEAD, Gate, Inbox
from cosem.io.blocking import from_here
from cosem.io.stream import CONNECT_TIMEOUT

CLOSE_TIMEOUT = 5.0
"""Seconds a close waits for the last octets to leave."""


async def connect_tcp(host: str, port: int, timeout: float = CONNECT_TIMEOUT, bind: str | None = None) -> SocketStream:
    """Connect to a TCP port, from `bind` of our addresses. Raises ConnectionFailed that says what to try."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    failed: ConnectionFailed | None = None
    for family, address in await addresses(host, port, socket.SOCK_STREAM):
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setblocking(False)
            if bind is not None:
                from_here(opened, bind)
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


class SocketStream(Inbox, asyncio.Protocol):
    """A Stream over a TCP connection, ours or accepted; `peer` is the other side's host."""

    __slots__ = ("_accept", "_ended", "_gate", "_is_over", "_paused", "_transport", "peer", "proved", "recognised")

    def __init__(self, accept: Callable[[SocketStream], None] | None = None) -> None:
        super().__init__()
        self._accept = accept
        self._gate = Gate()
        self._paused = False
        self._transport: asyncio.Transport | None = None
        self._ended: asyncio.Future[None] | None = None
        self._is_over = False
        self.peer = ""
        self.recognised = False
        """Whether the peer has been let in; a listener that is full displaces others."""
        self.proved = False
        """Whether it has proved who it is; a listener that is full makes room for it when it comes again."""

    def recognise(self, proved: bool = False) -> None:
        """Note that the peer has been let in, and whether it proved who it is."""
        self.recognised = True
        self.proved = self.proved or proved

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

    @property
    def local(self) -> str:
        """The address of this side, to which a peer has come; "" when the connection is gone."""
        return "" if self._transport is None else host_of(self._transport.get_extra_info("sockname"))

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop has transports that do not inherit from it
        self._transport = transport
        self.peer = host_of(transport.get_extra_info("peername"))
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
