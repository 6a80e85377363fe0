"""Serving a meter on this machine: TCP, UDP and serial lines on asyncio, on loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import ClassVar

from cosem.errors import ConfigurationError, CosemError, TimedOut
from cosem.io import aio
from cosem.io.aio import DatagramStream, Listener, ListenLimits, ListenStatistics, SocketStream
from cosem.io.reach import check_place
from cosem.meter.attend import DEFAULT_LIMITS, ConnectionLimits, attend
from cosem.meter.device import Meter
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import ServerTiming

_log = logging.getLogger("cosem.meter")


def serve(
    meter: Meter, url: str | ConnectionUrl, *, beyond_loopback: bool = False, limits: ListenLimits | None = None
) -> None:
    """Serve `meter` at `url` until interrupted (Ctrl-C).

    What whoever starts it should know is logged as a warning. Raises as `Server.start` does.
    """
    server = Server(meter, url, beyond_loopback=beyond_loopback, limits=limits)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(server))


def serving(
    meter: Meter, url: str | ConnectionUrl, *, beyond_loopback: bool = False, limits: ListenLimits | None = None
) -> Server:
    """Return what serves `meter` at `url` as long as it is entered; port 0 finds a free one, see `Server.url`.

    async with serving(meter, "tcp://127.0.0.1:0") as server:
        print(server.url)
    """
    return Server(meter, url, beyond_loopback=beyond_loopback, limits=limits)


class Server:
    """One meter at one place.

    Args:
        meter: what is served.
        url: where; client and server SAPs in it are not looked at, those of the meter count. `physical` is the lower
            HDLC address that the meter answers to; without, it answers to all.
        beyond_loopback: allow an address that other machines can reach, or a serial line to other devices.
        limits: how many connections at once.
        timing: how long a client may be silent.
        connection_limits: what each connection may use.

    Raises:
        ConfigurationError: the URL cannot be served, or reaches beyond loopback without leave, or with demo keys.
    """

    def __init__(
        self,
        meter: Meter,
        url: str | ConnectionUrl,
        *,
        beyond_loopback: bool = False,
        limits: ListenLimits | None = None,
        timing: ServerTiming | None = None,
        connection_limits: ConnectionLimits = DEFAULT_LIMITS,
    ) -> None:
        self.meter = meter
        self._url = ConnectionUrl.parse(url) if isinstance(url, str) else url
        self._profile = profile_of(self._url)
        self._limits = limits or ListenLimits()
        self._timing = timing
        self._connection_limits = connection_limits
        self._listener: Listener | None = None
        self._line: asyncio.Task[None] | None = None
        self._beyond_loopback = beyond_loopback
        self._check()

    @property
    def url(self) -> ConnectionUrl:
        """Where the meter is served, with the port that was found."""
        return self._url if self._listener is None else replace(self._url, port=self._listener.port)

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever starts the server should be told."""
        return self.meter.notices

    @property
    def statistics(self) -> ListenStatistics:
        """What has been seen since the start; a serial line counts nothing."""
        return ListenStatistics() if self._listener is None else self._listener.statistics

    async def start(self) -> None:
        """Begin to serve. Raises ConnectionFailed when the port cannot be had, ConfigurationError when it must not."""
        if self._listener is not None or self._line is not None:
            raise ConfigurationError("the server was started already")
        self._check()  # the meter may have changed
        await self._STARTS[self._url.medium](self)

    async def wait_closed(self) -> None:
        """Wait until the server is closed; on a serial line raises ConnectionLost when the line goes away."""
        if self._listener is not None:
            await self._listener.wait_closed()
        elif self._line is not None:
            await self._line

    async def close(self) -> None:
        """Stop serving and close every connection."""
        if self._listener is not None:
            await self._listener.close()
        if self._line is not None:
            self._line.cancel()
            await asyncio.wait([self._line])
        self.meter.keep()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _check(self) -> None:
        if self._url.sign_on is not None:
            raise ConfigurationError("a meter with IEC 62056-21 sign-on is not available in this version")
        check_place(self._url, self.meter.demonstration, beyond_loopback=self._beyond_loopback)

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        await attend(
            self.meter,
            stream,
            self._profile,
            peer=stream.peer,
            physical=self._url.physical,
            timing=self._timing,
            limits=self._connection_limits,
        )

    async def _listen_tcp(self) -> None:
        url = self._url
        self._listener = await aio.listen(url.host, url.port or 0, self._attend, self._limits)

    async def _listen_udp(self) -> None:
        url = self._url
        self._listener = await aio.listen_datagrams(url.host, url.port or 0, self._attend, self._limits)

    async def _open_line(self) -> None:
        url = self._url
        stream = await aio.open_serial(url.path, url.baud or 9600, url.format or "8N1")
        self._line = asyncio.create_task(self._serve_line(stream))

    async def _serve_line(self, stream: aio.SerialStream) -> None:
        """Serve a line for ever: a client that leaves or misbehaves ends its session, not the meter."""
        try:
            while True:
                try:
                    await attend(self.meter, stream, self._profile, physical=self._url.physical, timing=self._timing)
                except TimedOut:
                    continue
                except CosemError as error:
                    _log.info("session on %s ended: %s", self._url.path, error)
                else:
                    return  # the line is gone
        finally:
            await stream.close()

    _STARTS: ClassVar[dict[str, Callable[[Server], Awaitable[None]]]] = {
        "tcp": _listen_tcp,
        "udp": _listen_udp,
        "serial": _open_line,
    }
    """How serving starts, by medium."""


async def _serve(server: Server) -> None:
    async with server:
        for notice in server.notices:
            _log.warning("%s", notice)
        await server.wait_closed()
