"""Serving a meter's local port: one coroutine over a stream, IEC 62056-21 first, and HDLC where mode E leads to it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from cosem.errors import ConnectionLost, CosemError, LocalProtocolError, TimedOut
from cosem.io.stream import LineStream, Stream
from cosem.meter.attend import POWERLESS, attend
from cosem.meter.device import Meter
from cosem.meter.local import LocalPort, LocalSession
from cosem.meter.misbehave import faulty, harmless
from cosem.protocol.iec21.message import Mode
from cosem.protocol.iec21.outbox import LineChange
from cosem.protocol.iec21.server import TariffDevice
from cosem.protocol.iec21.server_events import (
    BinaryWanted,
    CommandReceived,
    ProgrammingWanted,
    ReaderGone,
    ReadoutWanted,
    ServerEvent,
    State,
)
from cosem.protocol.link import LinkConnected, LinkDisconnected, LinkEvent, ServerLink
from cosem.protocol.profile.communication import CommunicationProfile
from cosem.protocol.profile.timing import ServerTiming


async def attend_local(
    meter: Meter,
    stream: Stream,
    port: LocalPort | None = None,
    *,
    switches: bool,
    binary: CommunicationProfile | None = None,
    peer: str = "",
    physical: int | None = None,
    timing: ServerTiming | None = None,
    idle: float | None = None,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> None:
    """Serve the local port of `meter` on `stream` until the reader leaves.

    Args:
        port: how the meter behaves there.
        switches: whether the line has a speed that can be changed.
        binary: the profile that mode E leads to; None for a meter of mode C.
        peer: who the reader is, for locking out those who guess passwords.
        physical, timing: of that profile.
        idle: seconds after which a reader that says nothing is sent away; None for a line, which stays.

    Raises:
        TimedOut: nobody spoke for `idle` seconds. The stream is the caller's to close.
    """
    port = port or LocalPort()
    stream = faulty(stream, meter)
    device = TariffDevice(port.server_settings(meter, switches=switches, binary=binary is not None))
    await _Port(meter, stream, port, device, binary, peer, physical, timing, idle, entropy).serve()


class _Port:
    """One local port and who is at it."""

    def __init__(
        self,
        meter: Meter,
        stream: Stream,
        port: LocalPort,
        device: TariffDevice,
        binary: CommunicationProfile | None,
        peer: str,
        physical: int | None,
        timing: ServerTiming | None,
        idle: float | None,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._meter = meter
        self._stream = stream
        self._device = device
        self._session = LocalSession(meter, device, port, peer, entropy)
        self._binary = binary
        self._peer = peer
        self._physical = physical
        self._timing = timing
        self._idle = idle
        self._interval = port.interval if device.mode is Mode.D else None

    async def serve(self) -> None:
        device, stream = self._device, self._stream
        heard = spoken = stream.now()
        while True:
            await self._write()
            due = [at for at in (device.deadline(),) if at is not None]
            if self._interval is not None:
                due.append(spoken + self._interval)
            elif self._idle is not None and device.state is State.IDLE:
                due.append(heard + self._idle)
            try:
                octets = await stream.read(min(due, default=None))
            except ConnectionLost:
                return
            if not self._meter.powered:
                raise ConnectionLost(POWERLESS)
            now = stream.now()
            if octets:
                heard = now
                device.receive(octets, now)
            else:
                device.tick(now)
                if self._interval is not None and now >= spoken + self._interval:
                    spoken = now
                    self._session.push(now)
                elif self._idle is not None and device.state is State.IDLE and now >= heard + self._idle:
                    raise TimedOut("idle", self._idle)
            for event in device.events():
                await self._serve(event)

    async def _serve(self, event: ServerEvent) -> None:
        now = self._stream.now()
        if isinstance(event, ReadoutWanted):
            self._session.readout(event.option, now)
        elif isinstance(event, ProgrammingWanted):
            self._session.enter(now)
        elif isinstance(event, CommandReceived):
            self._session.command(event.command, now)
        elif isinstance(event, ReaderGone):
            self._session.leave()
        elif isinstance(event, BinaryWanted):
            await self._speak_binary()

    async def _speak_binary(self) -> None:
        """Wait for the confirmation to go, then speak HDLC until its link is taken down or nobody speaks any more."""
        device, stream = self._device, self._stream
        while (due := device.deadline()) is not None:
            await stream.read(due)  # what comes before the confirmation is no HDLC
            device.tick(stream.now())
            await self._write()
        await self._write()
        if self._binary is not None:
            watched = _Watched(harmless(stream))  # which gets its faults in `attend`
            layers = replace(self._binary.lower_layers, server=watched.around(self._binary))
            profile = replace(self._binary, lower_layers=layers)
            with suppress(CosemError):
                await attend(
                    self._meter, watched, profile, peer=self._peer, physical=self._physical, timing=self._timing
                )
        device.resume(stream.now())

    async def _write(self) -> None:
        for item in self._device.outgoing():
            if not isinstance(item, LineChange):
                await self._stream.write(item)
            elif isinstance(self._stream, LineStream):
                await self._stream.configure(item.baud, item.character_format)
            else:
                raise LocalProtocolError("only a serial line can change its speed")


class _Watched:
    """A stream that ends with the last data link on it, so that the line goes back to where it began."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._links: set[tuple[int, int]] = set()
        self._over = False

    def around(self, profile: CommunicationProfile) -> Callable[..., ServerLink]:
        """Return what builds the server's end of a profile with an eye on its links."""
        build = profile.lower_layers.server

        def built(station: object) -> ServerLink:
            link = build(station)  # type: ignore[arg-type]
            events = link.events

            def watched() -> list[LinkEvent]:
                found = events()
                for each in found:
                    self._note(each)
                return found

            link.events = watched  # type: ignore[method-assign]
            return link

        return built

    def _note(self, event: LinkEvent) -> None:
        if isinstance(event, LinkConnected):
            self._links.add((event.client, event.server))
        elif isinstance(event, LinkDisconnected):
            self._links.discard((event.client, event.server))
            self._over = not self._links

    def now(self) -> float:
        return self._stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        if self._over:
            raise ConnectionLost("the data link was taken down")
        return await self._stream.read(deadline)

    async def write(self, octets: bytes, /) -> None:
        await self._stream.write(octets)

    async def close(self) -> None:
        await self._stream.close()
