"""Carrying one APDU after the other between two stations: the events and the shape every link engine shares.

An engine does no input or output and knows no clock: octets and the time go in, octets and events come out.

    engine.receive(octets, now)      what the stream read, in pieces of any size
    engine.send(apdu, now)           what the floor above wants to say
    engine.outgoing()                what the stream must write now
    engine.events()                  what happened, in order; each event is handed over once
    engine.deadline()                when `tick` wants to be called, or None
    engine.tick(now)                 time has passed

`now` counts seconds from any fixed point and never goes back. An engine that raises has given its connection up; the
stream below it is to be closed before anything else is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class LinkConnected:
    """The data link between `client` and `server` is up."""

    client: int
    server: int


@dataclass(frozen=True, slots=True)
class LinkDisconnected:
    """The data link between `client` and `server` is down: whatever was built on it is gone."""

    client: int
    server: int


class ApduReceived(NamedTuple):
    """One whole APDU; `unsolicited` when the link carried it outside the exchange of requests and responses.

    `broadcast` tells that it was for all stations at once: nobody may answer it.

    A tuple, since one is made for every APDU and a frozen dataclass takes three times as long to make.
    """

    apdu: bytes
    client: int
    server: int
    unsolicited: bool = False
    broadcast: bool = False


LinkEvent: TypeAlias = LinkConnected | LinkDisconnected | ApduReceived


class Link(Protocol):
    """What both roles of every link engine can do.

    `receive` and `tick` raise `RemoteProtocolError` (a `DecodeError` where octets are malformed) with `layer` naming
    the link, and `TimedOut` with the phase "link"; nothing else escapes, whatever the octets.
    """

    @property
    def counters(self) -> Mapping[str, int]:
        """How often what happened on this link: frames, damage, tolerated deviations, repetitions, by name."""
        ...

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream; over datagrams, exactly one of them."""
        ...

    def outgoing(self) -> bytes:
        """Hand over the octets to write; over datagrams one datagram a call, until it returns none."""
        ...

    def events(self) -> list[LinkEvent]:
        """Hand over what has happened since the last call."""
        ...

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        ...

    def tick(self, now: float) -> None:
        """Act on the time that has passed."""
        ...


class ClientLink(Link, Protocol):
    """A link engine in the client's role: one client address, one server address."""

    @property
    def progressed(self) -> float:
        """When a part of an APDU last came on, where the link carries them in parts; the past where it does not."""
        ...

    @property
    def awaiting(self) -> bool:
        """Whether it is the peer's turn to speak, as far as the link knows of turns."""
        ...

    @property
    def echoed(self) -> bool:
        """Whether nothing but our own octets has come back since we last spoke."""
        ...

    @property
    def ends_associations(self) -> bool:
        """Whether the peer is told when the link ends, and ends the association over it too."""
        ...

    @property
    def octets_in_a_turn(self) -> int | None:
        """How long an APDU may be to go out before the peer speaks again; None where nobody has turns."""
        ...

    def connect(self, now: float) -> None:
        """Bring the link up; `LinkConnected` follows."""
        ...

    def send(self, apdu: bytes, now: float, *, confirmed: bool = True) -> None:
        """Send one APDU; `confirmed` is False when no APDU will answer it."""
        ...

    def poll(self, now: float) -> None:
        """Ask for one more APDU than the requests sent account for; nothing to do where the server may speak freely."""
        ...

    def disconnect(self, now: float) -> None:
        """Take the link down in good order; `LinkDisconnected` follows."""
        ...


class ServerLink(Link, Protocol):
    """A link engine in the server's role: any number of client and server addresses on one stream."""

    def send(self, apdu: bytes, now: float, *, client: int, server: int, unsolicited: bool = False) -> None:
        """Send one APDU to `client` as `server`; `unsolicited` when it answers no request."""
        ...

    def unsolicited_octets(self, *, client: int, server: int) -> int | None:
        """Return how many octets of an unsolicited APDU one frame to `client` carries, None where any number."""
        ...

    def acknowledge(self, now: float, *, client: int, server: int) -> None:
        """Tell that the last APDU of `client` will have no answer, so that the link can say it arrived."""
        ...


__all__ = [
    "ApduReceived",
    "ClientLink",
    "Link",
    "LinkConnected",
    "LinkDisconnected",
    "LinkEvent",
    "ServerLink",
]
