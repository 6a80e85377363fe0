"""Serving a meter on this machine: TCP, UDP and serial lines on asyncio, on loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import ClassVar

from cosem.errors import ConfigurationError, CosemError, TimedOut
from cosem.io.aio import DatagramStream, ListenLimits, Place, SocketStream
from cosem.io.open import open_async
from cosem.io.stream import Stream
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


class Server(Place):
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

    NAME: ClassVar[str] = "the server"

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
        super().__init__(url, beyond_loopback=beyond_loopback, limits=limits)
        self.meter = meter
        self._profile = profile_of(self._url)
        self._timing = timing
        self._connection_limits = connection_limits
        self._line: asyncio.Task[None] | None = None
        self._check()

    @property
    def notices(self) -> tuple[str, ...]:
        """What whoever starts the server should be told."""
        return self.meter.notices

    async def wait_closed(self) -> None:
        """Wait until the server is closed; on a serial line raises ConnectionLost when the line goes away."""
        await super().wait_closed()
        if self._line is not None:
            await self._line

    async def close(self) -> None:
        """Stop serving and close every connection."""
        await super().close()
        if self._line is not None:
            self._line.cancel()
            await asyncio.wait([self._line])
        self.meter.keep()

    @property
    def _started(self) -> bool:
        return super()._started or self._line is not None

    @property
    def _demonstration(self) -> bool:
        return self.meter.demonstration

    def _check(self) -> None:
        if self._url.sign_on is not None:
            raise ConfigurationError("a meter with IEC 62056-21 sign-on is not available in this version")
        super()._check()

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

    async def _begin(self) -> None:
        url = self._url
        if url.medium != "serial":
            await super()._begin()
            return
        stream = await open_async(url)
        self._line = asyncio.create_task(self._serve_line(stream))

    async def _serve_line(self, stream: Stream) -> None:
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


async def _serve(server: Server) -> None:
    async with server:
        for notice in server.notices:
            _log.warning("%s", notice)
        await server.wait_closed()
