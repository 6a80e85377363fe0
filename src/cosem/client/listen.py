"""Listening for what meters push to us, on TCP, UDP and HDLC in TCP, each sender by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import ClassVar, Final

from cosem.client.reception import PushEvent, PushReception, Quarantined
from cosem.errors import ConfigurationError, ConnectionLost, RemoteProtocolError, TransportError
from cosem.io.aio import DatagramStream, ListenLimits, Place, SocketStream
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.link import Link
from cosem.protocol.link.hdlc import HdlcListener
from cosem.protocol.link.wrapper import WrapperServer
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.listening import Heard, ListenerSession

EVENTS_KEPT: Final = 1024
"""How many pushes wait for whoever asks for them; the oldest go first."""

IDLE: Final = 300.0
"""Seconds after which a connection is closed on which nothing comes."""


class PushListener(Place):
    """What is pushed to one place, verified by a `PushReception` or set aside by it.

    async with PushListener("tcp://127.0.0.1:0", reception) as listener:
        while True:
            print(await listener.next())

    Args:
        url: where to listen: tcp, udp or hdlc+tcp; port 0 finds a free one. SAPs in it are not looked at.
        reception: says which pushes are believed; their source is the host they come from.
        beyond_loopback: allow an address that other machines can reach.
        limits: how many connections, or senders of datagrams, at once.
        association_limits: bound an APDU that comes in blocks.
        kept: how many pushes wait at most; `dropped` counts those that had to go, and `heard` all.
        idle: seconds after which a silent connection is closed.
    """

    NAME: ClassVar[str] = "the listener"

    def __init__(
        self,
        url: str | ConnectionUrl,
        reception: PushReception,
        *,
        beyond_loopback: bool = False,
        limits: ListenLimits | None = None,
        association_limits: AssociationLimits | None = None,
        kept: int = EVENTS_KEPT,
        idle: float = IDLE,
    ) -> None:
        super().__init__(url, beyond_loopback=beyond_loopback, limits=limits)
        if (self._url.framing, self._url.medium) not in _HEARD:
            raise ConfigurationError(f"pushes are heard on tcp, udp and hdlc+tcp, not on {self._url.scheme}")
        self._check()
        self.reception = reception
        self.dropped = 0
        self.heard = 0
        self._association_limits = association_limits
        self._events: deque[PushEvent] = deque()
        self._kept = kept
        self._idle = idle
        self._arrived = asyncio.Event()

    async def next(self) -> PushEvent:
        """Wait for the next push, or for what was set aside as none."""
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        session = ListenerSession(self._link(), self._association_limits)
        silent_until = stream.now() + self._idle
        while True:
            deadline = session.deadline()
            try:
                octets = await stream.read(silent_until if deadline is None else min(deadline, silent_until))
            except ConnectionLost:
                return
            now = stream.now()
            try:
                if octets:
                    silent_until = now + self._idle
                    session.receive(octets, now)
                else:
                    session.tick(now)
            except RemoteProtocolError as error:
                await self._take(session, stream)
                self._put(self.reception.set_aside(octets, stream.peer, error))
                if self._url.medium != "udp":
                    return  # the place in the stream is lost
            await self._take(session, stream)
            if now >= silent_until:
                return

    def _link(self) -> Link:
        return HdlcListener() if self._url.framing == "hdlc" else WrapperServer(datagram=self._url.medium == "udp")

    async def _take(self, session: ListenerSession, stream: SocketStream | DatagramStream) -> None:
        for heard in session.events():
            if not isinstance(heard, Heard):
                self._put(self.reception.set_aside(b"", stream.peer, heard.error))
                continue
            event = self.reception.receive(heard.apdu, stream.peer)
            self._put(event)
            await self._confirm(event, heard, session.link, stream)

    async def _confirm(self, event: PushEvent, heard: Heard, link: Link, stream: SocketStream | DatagramStream) -> None:
        """Tell a meter that wants to know that its push has arrived; over HDLC nobody can, for a listener is silent."""
        octets = self.reception.confirmation(event)
        if octets is None or not isinstance(link, WrapperServer):
            return
        # The link of a listener is a server's: what it sends goes from its second wPort to its first.
        link.send(octets, stream.now(), client=heard.server, server=heard.client)
        with contextlib.suppress(TransportError):  # whoever does not wait for it needs none
            while confirmation := link.outgoing():
                await stream.write(confirmation)

    def _put(self, event: PushEvent | Quarantined) -> None:
        if len(self._events) >= self._kept:
            self._events.popleft()
            self.dropped += 1
        self.heard += 1
        self._events.append(event)
        self._arrived.set()


_HEARD: Final = frozenset({("wrapper", "tcp"), ("wrapper", "udp"), ("hdlc", "tcp")})
