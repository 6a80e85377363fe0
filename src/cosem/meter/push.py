"""What a meter sends on its own, outside any association: one-way pushes over any medium (IEC 62056-5-3).

Pushes that an association carries are `ServerSession.notify`. When to push, whereto and how often is not decided here.
"""

from __future__ import annotations

from cosem.io.open import open_async
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.association.services import Notification
from cosem.protocol.link import ServerLink
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.communication import Station


class PushSender:
    """Makes the octets of pushes from `server` to `client`, in clear or protected; it does no I/O.

    Args:
        link: the meter's end of the lower layers: a wrapper, or HDLC, which sends UI frames.
        client, server: the SAPs between which is pushed.
        security: protects each push by general-glo under an invocation counter of its own; without, it goes in clear.
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
            apdu = self._security.protect(apdu, general=True)
        self._link.send(apdu, now, client=self._client, server=self._server, unsolicited=True)

    def outgoing(self) -> bytes:
        """Drain the octets to be written; over datagrams one datagram a call, until it returns none."""
        return self._link.outgoing()


async def push(
    url: ConnectionUrl | str,
    *notifications: Notification,
    security: SecurityContext | None = None,
) -> None:
    """Send pushes to whoever listens at `url`, whose `client` and `server` are the SAPs between which is pushed.

    Nobody answers. Raises ConnectionFailed or ConnectionLost where the medium tells, and what `PushSender.push` does.
    """
    place = ConnectionUrl.parse(url) if isinstance(url, str) else url
    link = profile_of(place).lower_layers.server(Station(frozenset((place.server,)), place.physical))
    sender = PushSender(link, place.client, place.server, security)
    stream = await open_async(place)
    try:
        for notification in notifications:
            sender.push(notification, stream.now())
            while octets := sender.outgoing():
                await stream.write(octets)
    finally:
        await stream.close()
