"""Serving a meter on this machine: TCP, UDP and serial lines on asyncio, on loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any, ClassVar

from cosem.errors import ConfigurationError, CosemError, TimedOut
from cosem.io.aio import DatagramStream, ListenLimits, Place, SocketStream
from cosem.io.open import AVAILABLE, open_async
from cosem.io.stream import Stream
from cosem.meter.attend import ConnectionLimits, Witness, attend
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.in_vain import in_vain
from cosem.meter.limits import MeterLimits
from cosem.meter.local import LocalPort
from cosem.meter.local_port import attend_local
from cosem.meter.misbehave import restarts
from cosem.meter.push_sending import PushDispatch
from cosem.protocol.iec21.message import BlockCheck, Mode
from cosem.protocol.iec21.settings import WakeUp
from cosem.protocol.link.hdlc import MOST
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.hdlc import parameters
from cosem.protocol.profile.local import LINES
from cosem.protocol.profile.timing import ServerTiming
from cosem.protocol.profile.wrapper import TCP_WRAPPER

_log = logging.getLogger("cosem.meter")


def serve(
    meter: Meter,
    url: str | ConnectionUrl,
    *,
    beyond_loopback: bool = False,
    limits: ListenLimits | None = None,
    port: LocalPort | None = None,
) -> None:
    """Serve `meter` at `url` until interrupted (Ctrl-C).

    What whoever starts it should know is logged as a warning, and which of its faults cannot befall it there. Raises as
    `Server.start` does.
    """
    server = Server(meter, url, beyond_loopback=beyond_loopback, limits=limits, port=port)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(server))


def serving(
    meter: Meter,
    url: str | ConnectionUrl,
    *,
    beyond_loopback: bool = False,
    limits: ListenLimits | None = None,
    port: LocalPort | None = None,
) -> Server:
    """Return what serves `meter` at `url` as long as it is entered; port 0 finds a free one, see `Server.url`.

    async with serving(meter, "tcp://127.0.0.1:0") as server:
        print(server.url)
    """
    return Server(meter, url, beyond_loopback=beyond_loopback, limits=limits, port=port)


class Server(Place):
    """One meter at one place.

    Args:
        meter: what is served.
        url: where; client and server SAPs in it are not looked at, those of the meter count. `physical` is the lower
            HDLC address that the meter answers to; without, it answers to all. `window` and `information` are the most
            it agrees to on HDLC.
        beyond_loopback: allow an address that other machines can reach, or a serial line to other devices.
        limits: how many connections at once.
        timing: how long a client may be silent.
        connection_limits: what each connection may use. Limits and timing left out are those of the meter.
        port: how the meter behaves at its local port, where the URL is of IEC 62056-21 or has its sign-on; left out,
            as it is described.
        witness: is told what was answered to each request.

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
        connection_limits: ConnectionLimits | None = None,
        port: LocalPort | None = None,
        witness: Witness | None = None,
    ) -> None:
        own = meter.limits or MeterLimits()
        super().__init__(url, beyond_loopback=beyond_loopback, limits=limits or own.listen)
        self.meter = meter
        self._local = self._url.framing == "iec21" or self._url.sign_on is not None
        if port is not None and not self._local:
            raise ConfigurationError(f"a local port is one of iec21+… or of sign_on=iec21, not of {self._url.scheme}")
        if self._local and (self._url.framing, self._url.medium) not in AVAILABLE:
            raise ConfigurationError(f"{self._url.scheme} cannot be served: use iec21+tcp or iec21+serial")
        self._profile = TCP_WRAPPER if self._url.framing == "iec21" else profile_of(self._url)
        self._port = _of_url(port or meter.local_port or LocalPort(), self._url)
        if self._local:
            self._url = _told_by(self._port, self._url)
        self._parameters = parameters(self._url) if self._url.framing == "hdlc" else MOST
        self._timing = timing or own.timing
        self._connection_limits = connection_limits or own.connection
        self._witness = witness
        self._line: asyncio.Task[None] | None = None
        self._dispatch: PushDispatch | None = None
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
        if self._dispatch is not None:
            await self._dispatch.close()
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

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        if not isinstance(stream, SocketStream):
            await self._attend_one(stream)
            return
        with self.meter.power.cutting(stream.abort):
            await self._attend_one(stream)

    async def _attend_one(self, stream: SocketStream | DatagramStream) -> None:
        if self._local:
            timing = self._timing or self._profile.application.server_timing
            await self._attend_local(stream, peer=stream.peer, idle=timing.idle)
            return
        await attend(
            self.meter,
            stream,
            self._profile,
            peer=stream.peer,
            physical=self._url.physical,
            parameters=self._parameters,
            timing=self._timing,
            limits=self._connection_limits,
            witness=self._witness,
            recognise=stream.recognise if isinstance(stream, SocketStream) else None,
        )

    async def _begin(self) -> None:
        url = self._url
        if url.medium != "serial":
            await super()._begin()
        else:
            stream = await open_async(url)
            self._line = asyncio.create_task(self._serve_line(stream))
        if self.meter.has_pushes:
            self._dispatch = PushDispatch(self.meter, beyond_loopback=self._beyond_loopback)
            self._dispatch.start()
        for device in self.meter.devices.values():
            device.note(MeterEvent.CONNECTED)

    async def _serve_line(self, stream: Stream) -> None:
        """Serve a line for ever: a client that leaves or misbehaves ends its session, not the meter."""
        try:
            while True:
                before = restarts(self.meter)
                try:
                    if self._local:
                        await self._attend_local(stream)
                    else:
                        await attend(
                            self.meter,
                            stream,
                            self._profile,
                            physical=self._url.physical,
                            parameters=self._parameters,
                            timing=self._timing,
                            limits=self._connection_limits,
                            witness=self._witness,
                        )
                except TimedOut:
                    continue
                except CosemError as error:
                    _log.info("session on %s ended: %s", self._url.path, error)
                else:
                    if restarts(self.meter) == before:
                        return  # the line is gone
        finally:
            await stream.close()

    async def _attend_local(self, stream: Stream, *, peer: str = "", idle: float | None = None) -> None:
        await attend_local(
            self.meter,
            stream,
            self._port,
            switches=self._url.medium in LINES,
            binary=self._profile if self._url.framing == "hdlc" else None,
            peer=peer,
            physical=self._url.physical,
            timing=self._timing,
            idle=idle,
        )


def _of_url(port: LocalPort, url: ConnectionUrl) -> LocalPort:
    """Return the port with what the URL says of it: address, mode, block check and wake-up."""
    said: dict[str, Any] = {
        "block_check": None if url.bcc is None else BlockCheck(url.bcc),
        "wake_up": None if url.wake is None else WakeUp(url.wake),
        "initial_baud": url.baud,
        "character_format": url.format,
    }
    settings = {**{name: value for name, value in said.items() if value is not None}, **port.settings}
    mode = port.mode or (None if url.mode in (None, "auto") else Mode(url.mode))
    address = url.address if port.address is None else port.address
    return replace(port, address=address, mode=mode, settings=settings)


def _told_by(port: LocalPort, url: ConnectionUrl) -> ConnectionUrl:
    """Return the URL with what whoever reads the port has to know of it, and whoever opens its line."""
    settings = port.settings
    told: dict[str, Any] = {"mode": None if port.mode is None else port.mode.value}
    for name, field, usual in (("bcc", "block_check", BlockCheck.XOR), ("wake", "wake_up", WakeUp.NONE)):
        told[name] = settings[field].value if settings.get(field, usual) is not usual else None
    if url.medium in LINES:
        told |= {"baud": settings.get("initial_baud"), "format": settings.get("character_format")}
    return replace(url, **{name: value for name, value in told.items() if value is not None})


async def _serve(server: Server) -> None:
    async with server:
        for notice in server.notices:
            _log.warning("%s", notice)
        for name, why in in_vain(server.meter, [server]):  # it is served nowhere else
            _log.warning("%s does nothing: %s", name, why)
        await server.wait_closed()
