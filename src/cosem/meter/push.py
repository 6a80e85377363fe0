"""What a meter sends on its own, outside any association: one-way pushes over any medium (IEC 62056-5-3).

Pushes that an association carries are `ServerSession.notify`. When to push, whereto and how often is not decided here,
but by push setups (`cosem.meter.pushing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from cosem.errors import ConnectionLost, LocalProtocolError, RemoteProtocolError, TimedOut
from cosem.io.aio import SocketStream
from cosem.io.open import open_async
from cosem.io.stream import Stream
from cosem.meter.device import Meter
from cosem.meter.misbehave import deviant, faulty
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import DataNotificationConfirm
from cosem.protocol.association.layers import Envelope, Layer
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.association.services import Notification, invoke_id
from cosem.protocol.link import ApduReceived, ServerLink
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.communication import Station

CONFIRMATION_WAIT: Final = 10.0
"""Seconds in which a push is confirmed that wants to be."""

_GENERAL: Final = (Layer(Envelope.GENERAL),)


class PushSender:
    """Makes the octets of pushes from `server` to `client`, in clear or protected; it does no I/O.

    Args:
        link: the meter's end of the lower layers: a wrapper, or HDLC, which sends UI frames.
        client, server: the SAPs between which is pushed.
        security: protects each push by general-glo under an invocation counter of its own, and opens what confirms it;
            without, they go in clear.
    """

    def __init__(self, link: ServerLink, client: int, server: int, security: SecurityContext | None = None) -> None:
        self._link = link
        self._client = client
        self._server = server
        self._security = security

    def push(self, notification: Notification, now: float) -> None:
        """Put one push behind what waits to be sent.

        Raises:
            LocalProtocolError: it does not fit into what the link carries.
            SecurityError: the invocation counter is used up.
        """
        apdu = notification.encode()
        if self._security is not None:
            apdu = self._security.wrap(apdu, _GENERAL)
        self._link.send(apdu, now, client=self._client, server=self._server, unsolicited=True)

    def outgoing(self) -> bytes:
        """Drain the octets to be written; over datagrams one datagram a call, until it returns none."""
        return self._link.outgoing()

    def receive(self, octets: bytes, now: float) -> tuple[int, ...]:
        """Return the invoke-ids of the pushes that are confirmed by what has come.

        Raises:
            RemoteProtocolError: it is something else.
            SecurityError: it is not protected as the push was.
        """
        self._link.receive(octets, now)
        events = self._link.events()
        return tuple(self._confirmed(event.apdu) for event in events if isinstance(event, ApduReceived))

    def _confirmed(self, octets: bytes) -> int:
        plain = octets if self._security is None else self._security.unprotect(octets).apdu
        confirm = apdus.decode(plain)
        if not isinstance(confirm, DataNotificationConfirm):
            raise RemoteProtocolError(f"{type(confirm).__name__} confirms no push")
        return invoke_id(confirm) or 0


async def push(
    url: ConnectionUrl | str,
    *notifications: Notification,
    security: SecurityContext | None = None,
    confirmed: bool = False,
    wait: float = CONFIRMATION_WAIT,
    meter: Meter | None = None,
) -> None:
    """Send pushes to whoever listens at `url`, whose `client` and `server` are the SAPs between which is pushed.

    Nobody answers, unless they are to be `confirmed`, each within `wait` seconds. What `meter` does wrong befalls them
    as it does its answers, and they break off with its power. Raises ConnectionFailed or ConnectionLost where the
    medium or the power tells, TimedOut for a confirmation that does not come, and what `PushSender` does.
    """
    place = ConnectionUrl.parse(url) if isinstance(url, str) else url
    link = profile_of(place).lower_layers.server(Station(frozenset((place.server,)), place.physical))
    if meter is not None:
        link = deviant(link, meter.faults)
    sender = PushSender(link, place.client, place.server, security)
    async with _powered(meter):
        line = await open_async(place)
        stream = line if meter is None else faulty(line, meter)
        try:
            for notification in notifications:
                sender.push(notification, stream.now())
                while octets := sender.outgoing():
                    await stream.write(octets)
                if confirmed:
                    await _await_confirmation(sender, stream, notification, wait)
        except asyncio.CancelledError:
            if isinstance(line, SocketStream):
                line.abort()  # what has not left yet is lost
            raise
        finally:
            await stream.close()


@asynccontextmanager
async def _powered(meter: Meter | None) -> AsyncGenerator[None]:
    """Give up what is done within when the power of a meter goes, or it restarts; ConnectionLost tells so."""
    if meter is None:
        yield
        return
    try:
        async with asyncio.timeout(None) as given:
            with meter.power.cutting(lambda: given.reschedule(0.0)):
                yield
    except TimeoutError:
        raise ConnectionLost("the power of the meter went, or it has restarted") from None


async def _await_confirmation(sender: PushSender, stream: Stream, notification: Notification, wait: float) -> None:
    wanted, until = invoke_id(notification), stream.now() + wait
    if wanted is None:
        raise LocalProtocolError(f"{notification.NAME} has no invoke-id by which it could be confirmed")
    while True:
        octets = await stream.read(until)
        if not octets:
            raise TimedOut("confirmation", wait)
        if wanted in sender.receive(octets, stream.now()):
            return
