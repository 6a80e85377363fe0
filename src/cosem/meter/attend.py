"""Serving one connection: one coroutine over a stream, the same text on sockets, serial lines and in simulated time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, TypeAlias

from cosem.errors import (
    ConnectionLost,
    CosemError,
    InvocationCounterError,
    RemoteProtocolError,
    SecurityError,
    TimedOut,
    VerificationError,
)
from cosem.io.stream import Stream
from cosem.meter import dispatch
from cosem.meter.associations import AssociationDescription
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.misbehave import deviant, faulty
from cosem.protocol.apdu.action import ActionRequestNormal
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.context import Associated, AssociationEvent, Negotiated, Refused, Released, Requested
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.state import State
from cosem.protocol.link import ServerLink
from cosem.protocol.link.hdlc import MOST, Parameters
from cosem.protocol.profile.communication import CommunicationProfile
from cosem.protocol.profile.session import SapPair, ServerSession
from cosem.protocol.profile.timing import ServerTiming
from cosem.protocol.profile.wrapper import TCP_WRAPPER


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one connection may use: pairs of SAPs, those of them that wait for a proof, and APDUs that are refused.

    What goes beyond closes it.
    """

    associations: int = 16
    half_open: int = 8
    refusals: int = 16


DEFAULT_LIMITS = ConnectionLimits()

_PROVOKED: Final = (
    (InvocationCounterError, MeterEvent.COUNTER_REPLAYED),
    (VerificationError, MeterEvent.DECRYPTION_FAILED),
)
"""What is noted of an APDU that is refused, by why it is."""

Witness: TypeAlias = Callable[[SapPair, object, object], None]
"""Given between which SAPs, a request and its response."""


async def attend(
    meter: Meter,
    stream: Stream,
    profile: CommunicationProfile = TCP_WRAPPER,
    *,
    peer: str = "",
    physical: int | None = None,
    parameters: Parameters = MOST,
    timing: ServerTiming | None = None,
    limits: ConnectionLimits = DEFAULT_LIMITS,
    entropy: Callable[[int], bytes] = secrets.token_bytes,
    witness: Witness | None = None,
    recognise: Callable[[bool], None] | None = None,
) -> None:
    """Serve `meter` on `stream` until the client leaves, breaks the protocol or is silent for too long.

    Args:
        profile: how APDUs are carried.
        peer: who the client is, for locking out those who guess passwords.
        physical: the lower HDLC address.
        parameters: what is agreed to on HDLC at most.
        entropy: gives the asked number of unpredictable octets.
        witness: is told what was answered to each request.
        recognise: called when a client has opened an association, with whether it proved who it is.

    Raises:
        CosemError: why the connection ended, unless it ended in good order. The stream is the caller's to close.
    """
    timing = timing or profile.application.server_timing
    link = deviant(profile.lower_layers.server(meter.station(physical, parameters)), meter.faults)
    stream = faulty(stream, meter)
    connection = _Connection(meter, link, peer, timing, limits, entropy, witness, recognise)
    try:
        await connection.serve(stream)
    finally:
        connection.leave()
        meter.keep()


class _Connection:
    """One connection and the associations over it."""

    __slots__ = (
        *("_entropy", "_idle", "_limits", "_meter", "_negotiated", "_now", "_offered", "_peer", "_refusals"),
        *("_recognise", "_seen", "_session", "_witness"),
    )

    def __init__(
        self,
        meter: Meter,
        link: ServerLink,
        peer: str,
        timing: ServerTiming,
        limits: ConnectionLimits,
        entropy: Callable[[int], bytes],
        witness: Witness | None,
        recognise: Callable[[bool], None] | None,
    ) -> None:
        self._witness = witness
        self._recognise = recognise
        self._meter = meter
        self._peer = peer
        self._limits = limits
        self._entropy = entropy
        self._idle = timing.idle
        self._negotiated: dict[SapPair, Negotiated] = {}
        self._offered: dict[SapPair, Sequence[AssociationDescription]] = {}
        self._seen = meter.offers
        self._refusals = 0
        self._now = 0.0
        self._session = ServerSession(link, self._open, timing)
        meter.sessions += (self._session,)

    async def serve(self, stream: Stream) -> None:
        """Read, answer, write, until the end."""
        session = self._session
        silent_until = stream.now() + self._idle
        while True:
            deadline = session.deadline()
            if deadline is None:
                deadline = silent_until
            if self._meter.has_outages:
                deadline = min(deadline, power_changes(self._meter, stream))
            try:
                octets = await stream.read(deadline)
            except ConnectionLost:
                return
            if self._meter.has_outages and not self._meter.powered:
                raise ConnectionLost(POWERLESS)  # what was under way breaks off
            now = self._now = stream.now()
            ended: CosemError | None = None
            try:
                if octets:
                    silent_until = now + self._idle
                    self._refresh()
                    session.receive(octets, now)
                else:
                    session.tick(now)
                    if now >= silent_until:
                        ended = TimedOut("idle", self._idle)
            except (RemoteProtocolError, TimedOut) as error:
                ended = error
            self._settle(now)
            # What was answered before the end still belongs to the client.
            while outgoing := session.outgoing():
                await stream.write(outgoing)
            if ended is None and self._refusals > self._limits.refusals:
                ended = RemoteProtocolError(f"{self._refusals} APDUs were refused on one connection")
            if ended is not None:
                raise ended

    def leave(self) -> None:
        """Let go of the session, which knows this connection as well: it need not wait for the garbage collector."""
        sessions, session = self._meter.sessions, self._session
        self._meter.sessions = () if len(sessions) == 1 else tuple(each for each in sessions if each is not session)
        del self._session

    def _settle(self, now: float) -> None:
        """Serve what was asked, and take note of what happened."""
        while events := self._session.events():
            for pair, event in events:
                self._take(pair, event, now)

    def _take(self, pair: SapPair, event: AssociationEvent, now: float) -> None:
        if isinstance(event, Requested):
            self._serve(pair, event, now)
        elif isinstance(event, Associated):
            self._negotiated[pair] = event.negotiated
            if self._recognise is not None:
                self._recognise(event.negotiated.mechanism.value > 0)
            self._meter.keep()
            if self._meter.suspects:
                self._meter.lockout.succeeded(self._peer, pair.client, pair.server)
        elif isinstance(event, Released):
            self._negotiated.pop(pair, None)
        elif isinstance(event, Refused):
            self._refusals += 1
            for kind, provoked in _PROVOKED if not event.authentication else ():
                if isinstance(event.error, kind):
                    self._meter.provoked(pair.server, provoked)
            if event.authentication:
                self._meter.authentication_failed(self._peer, pair.client, pair.server, now)
                self._meter.keep_state()  # whoever is locked out stays so if the power goes now
                self._refresh()

    def _serve(self, pair: SapPair, event: Requested, now: float) -> None:
        negotiated = self._negotiated.get(pair)
        device = self._meter.devices.get(pair.server)
        association = None if device is None else device.association(pair.client)
        if negotiated is None or device is None or association is None:
            return  # the association went away in the same breath as the request
        if event.broadcast and not _may_be_broadcast(association, event.apdu):
            self._session.drop(pair, now)
            return
        if int(association.protection) & ~int(negotiated.protection):
            self._session.refuse(pair, SecurityError("the security policy was made stronger; associate anew"), now)
            return
        if association.pre_established and association.ciphered:
            self._meter.keep()  # no association request comes first, whose counter would stand for all that follow
        response = dispatch.answer(device.visit(association, negotiated), event.apdu)
        if self._witness is not None:
            self._witness(pair, event.apdu, response)
        self._session.respond(pair, response, now)

    def _open(self, pair: SapPair) -> ServerAssociation:
        if len(self._session.associations) >= self._limits.associations:
            raise RemoteProtocolError(f"more than {self._limits.associations} associations on one connection")
        if self._session.half_open >= self._limits.half_open:
            raise RemoteProtocolError(f"more than {self._limits.half_open} associations that nobody goes on with")
        self._offered[pair] = self._offers(pair)
        return ServerAssociation(self._policy(pair), self._entropy)

    def _offers(self, pair: SapPair) -> Sequence[AssociationDescription]:
        device = self._meter.devices.get(pair.server)
        return () if device is None else device.associations

    def _policy(self, pair: SapPair) -> ServerPolicy | None:
        """Return what is offered to a client: nothing to one that is locked out, as to one that nobody knows."""
        meter, device = self._meter, self._meter.devices.get(pair.server)
        association = None if device is None else device.association(pair.client)
        if device is None or association is None:
            return None
        if meter.suspects and meter.lockout.locked(self._peer, pair.client, pair.server, self._now):
            return None
        return device.policy(association)

    def _refresh(self) -> None:
        """Let locks, keys and users that changed meanwhile count for who associates from now on."""
        anybody_locked = self._meter.suspects
        if not anybody_locked and self._meter.offers == self._seen:
            return
        self._seen = self._meter.offers
        for pair, association in self._session.associations.items():
            offered = self._offers(pair)
            if (anybody_locked and association.state is State.IDLE) or offered is not self._offered.get(pair):
                self._offered[pair] = offered
                association.policy = self._policy(pair)


POWERLESS: Final = "the meter has no power"


def power_changes(meter: Meter, stream: Stream) -> float:
    """Return when the power of a meter goes or comes back next by its script, by the clock of a stream."""
    due = meter.power.deadline() if meter.has_outages else None
    return inf if due is None else stream.now() + max((due - meter.true_time()).total_seconds(), 0.0)


def _may_be_broadcast(association: AssociationDescription, request: object) -> bool:
    """Tell whether a request may be made of all devices at once: one of the methods that are described for it."""
    if not isinstance(request, ActionRequestNormal):
        return False
    return (request.method.class_id, request.method.method_id) in association.broadcast
