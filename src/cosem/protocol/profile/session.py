"""Where link and association meet: octets in, octets and events out, for one connection of either role."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from cosem.errors import CosemError, OnlyEcho, RemoteProtocolError, TimedOut
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import AssociationEvent, Refused, Released
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.services import SERVICES_OF_CLIENTS, Request, is_urgent
from cosem.protocol.association.state import State
from cosem.protocol.link import ApduReceived, ClientLink, LinkConnected, LinkDisconnected, LinkEvent, ServerLink
from cosem.protocol.profile.patience import Patience
from cosem.protocol.profile.timing import ServerTiming, Timing


@dataclass(frozen=True, slots=True)
class Connected:
    """The lower layers are ready for an association."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The lower layers are gone, by agreement or because the peer left."""


HELD: Final = 16
"""How many APDUs of one client wait behind a request that the meter has not answered yet."""

SessionEvent: TypeAlias = Connected | Disconnected | AssociationEvent


class ClientSession:
    """One client, one server: the link, the association over it, and how long to wait in each phase.

    Every method that takes `now` wants seconds of one steady clock. Errors are raised from `receive` and `tick`; after
    any of them but a `ServiceError` the session is of no further use and its stream must be closed.
    """

    def __init__(self, link: ClientLink, association: ClientAssociation, timing: Timing) -> None:
        self.link = link
        self.association = association
        self.outgoing = link.outgoing
        """Drains the octets to be written: just what the link has, for it is asked three times an exchange."""
        self._timing = timing
        self._patience = Patience(timing)
        self._events: list[SessionEvent] = []
        self._arrived: deque[LinkEvent] = deque()
        self._phase: str | None = None
        self._expires: float | None = None
        self._repeat: float | None = None
        """When lost blocks are asked for again."""
        self._transfer_ends: float | None = None
        self._asked = 0.0
        """When the present wait began."""
        self._buys_time = True
        """Whether parts of an APDU that come through make the wait longer."""

    def connect(self, now: float) -> None:
        """Set up the lower layers; `Connected` follows."""
        self._patience.begin(now)
        self._wait("link", self._timing.link, now)
        self.link.connect(now)
        self._collect(now)

    def associate(self, now: float) -> None:
        """Open the association; `Associated` follows."""
        self.association.associate()
        if self.association.awaiting:
            self._wait("association", self._timing.association, now)
        self._events += self.association.events()
        self._flush(now)

    def send(self, request: Request, now: float, *, raw: bool = False) -> None:
        """Send a request; `Response` follows, unless its service has no answer (see `ClientAssociation.send`)."""
        self.association.send(request, raw=raw)
        if self.association.awaiting:
            self._wait("response", self._timing.response, now)
        self._flush(now)

    def release(self, now: float) -> None:
        """Close the association; `Released` follows."""
        self.association.release()
        if self.association.awaiting:
            self._wait("release", self._timing.release, now)
        self._events += self.association.events()
        self._flush(now)

    def disconnect(self, now: float) -> None:
        """Take the lower layers down; `Disconnected` follows."""
        self._wait("release", self._timing.release, now)
        self.link.disconnect(now)
        self._collect(now)

    def farewell(self, now: float, *, release: bool) -> None:
        """Say what the lower layers have for leaving, and before that RLRQ if asked to; nobody waits for an answer.

        Where there is a connection below, its end is the end of the association, and RLRQ says nothing more.
        """
        if release:
            self.link.send(self.association.release_request(), now, confirmed=False)
        self.link.disconnect(now)

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream."""
        self._patience.hear(now)
        self.link.receive(octets, now)
        self._collect(now)
        self._check_patience(now)

    def events(self) -> list[SessionEvent]:
        """Drain what happened."""
        drained, self._events = self._events, []
        return drained

    def deadline(self) -> float | None:
        """Return when `tick` must be called at the latest, or None."""
        due = (self.link.deadline(), self._phase_ends(), self._repeat, self._patience.deadline())
        return min((at for at in due if at is not None), default=None)

    def tick(self, now: float) -> None:
        """Let time pass.

        Raises:
            TimedOut: the peer did not answer in the phase that the error names.
        """
        self.link.tick(now)
        self._collect(now)
        if self._phase is not None and self._repeat is not None and now >= self._repeat:
            self._repeat = now + self._timing.repeat if self._timing.repeat else None
            self.association.repeat()
            self._flush(now)
        self._check_patience(now)
        ends = self._phase_ends()
        if self._phase is not None and ends is not None and now >= ends:
            phase = self._phase
            kind = OnlyEcho if self.link.echoed else TimedOut
            self._give_up()
            raise kind(phase, getattr(self._timing, phase))

    def _phase_ends(self) -> float | None:
        """Until when to wait: a long APDU on a slow line is under way as long as its parts come through."""
        expires, moved = self._expires, self.link.progressed
        if expires is None or self._phase is None or not self._buys_time or moved <= self._asked:
            return expires
        longer = max(expires, moved + float(getattr(self._timing, self._phase)))
        return longer if self._transfer_ends is None else min(longer, self._transfer_ends)

    def _check_patience(self, now: float) -> None:
        try:
            self._patience.check(now)
        except TimedOut:
            self._give_up()
            raise

    def _give_up(self) -> None:
        """What is answered from now on answers nothing: a late answer must never be taken for the next one."""
        self._rest()
        self.association.abort()
        self._events += self.association.events()

    def _wait(self, phase: str, seconds: float, now: float) -> None:
        self._patience.ask(now)
        self._phase, self._expires = phase, now + seconds
        self._asked, self._buys_time = now, True
        self._repeat = now + self._timing.repeat if self._timing.repeat else None
        if not self.association.transferring:
            self._transfer_ends = None
            return
        if self._transfer_ends is None:
            self._transfer_ends = now + self.association.settings.limits.transfer_seconds
        self._expires = min(self._expires, self._transfer_ends)

    def _rest(self) -> None:
        self._phase = self._expires = self._repeat = self._transfer_ends = None
        self._patience.rest()

    def _flush(self, now: float) -> None:
        said = self.association.outgoing()
        for apdu in said:
            # Of the blocks of a window only the last is answered.
            self.link.send(apdu, now, confirmed=apdu is said[-1] and self.association.awaiting)

    def _collect(self, now: float) -> None:
        self._arrived.extend(self.link.events())
        more = False
        while self._arrived:
            event = self._arrived.popleft()
            if isinstance(event, ApduReceived):
                said = self._take(event.apdu, now)
                more = not said and (more or not event.unsolicited)
            elif isinstance(event, LinkConnected):
                self._rest()
                self._events.append(Connected())
            else:
                self._rest()
                self.association.abort()
                self._events += self.association.events()
                self._events.append(Disconnected())
        if more and self._phase is not None and self.association.awaiting:
            # What came in the place of an answer was only a part of it: more must come before we speak again.
            self.link.poll(now)

    def _take(self, apdu: bytes, now: float) -> bool:
        """Hand an APDU over; tell whether anything was said to it."""
        association = self.association
        awaited, progress = association.awaiting, association.progress
        try:
            association.receive(apdu)
        finally:
            self._events += association.events()
            said = association.outgoing()
            if awaited and not association.awaiting:
                self._rest()
            elif self._phase is not None and (said or association.progress != progress):
                # Only what brings the exchange on buys time; notifications, of which there may be many, do not.
                self._wait(self._phase, getattr(self._timing, self._phase), now)
            elif self._phase is not None:
                self._expires, self._buys_time = self._phase_ends(), False
            for each in said:
                self.link.send(each, now, confirmed=each is said[-1] and association.awaiting)
        return bool(said)


class SapPair(NamedTuple):
    """The two service access points that an association joins."""

    client: int
    server: int


def _next_of(held: deque[bytes], association: ServerAssociation) -> bytes:
    """Take the APDU to be served next: the first, or where priorities were negotiated the first of high priority.

    Nothing overtakes what opens or releases an association, and nothing ciphered is overtaken, for counters ascend.
    """
    negotiated = association.negotiated
    if negotiated is not None and negotiated.allows(Conformance.PRIORITY_MANAGEMENT_SUPPORTED):
        for place, apdu in enumerate(held):
            if not apdu or apdu[0] not in SERVICES_OF_CLIENTS:
                break
            if is_urgent(apdu):
                del held[place]
                return apdu
    return held.popleft()


_ENDS: Final = (Released, Refused)


class ServerSession:
    """One connection as a meter sees it: several clients and logical devices may share it.

    Args:
        link: the server's end of the lower layers.
        open_association: makes the engine for a pair of SAPs on its first APDU.
        timing: how long a client may take.
    """

    def __init__(
        self, link: ServerLink, open_association: Callable[[SapPair], ServerAssociation], timing: ServerTiming
    ) -> None:
        self.link = link
        self.outgoing = link.outgoing
        """Drains the octets to be written."""
        self.associations: dict[SapPair, ServerAssociation] = {}
        self._open = open_association
        self._timing = timing
        self._events: list[tuple[SapPair, AssociationEvent]] = []
        self._heard: float | None = None
        self._unproved: dict[SapPair, float] = {}
        self._held: dict[SapPair, deque[bytes]] = {}
        self._transfers: dict[SapPair, tuple[int, float]] = {}
        """How far what a client has sent in part has come, and until when it must have come further."""

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream.

        Raises:
            RemoteProtocolError: the lower layers cannot go on; the stream must be closed.
        """
        self._heard = now
        self.link.receive(octets, now)
        for event in self.link.events():
            pair = SapPair(event.client, event.server)
            if isinstance(event, ApduReceived):
                if not event.unsolicited or self._is_open(pair):
                    self._deliver(pair, event.apdu, now, broadcast=event.broadcast)
            elif isinstance(event, LinkDisconnected):
                self._held.pop(pair, None)
                self._transfers.pop(pair, None)
                association = self.associations.pop(pair, None)
                if association is not None:
                    association.abort()
                    self._take(pair, association, now)

    def respond(self, pair: SapPair, response: Apdu, now: float) -> None:
        """Answer the request of `pair`; what the client sent behind it is taken up then."""
        association = self.associations[pair]
        association.respond(response)
        self._take(pair, association, now)
        self._take_up(pair, association, now)

    def _take_up(self, pair: SapPair, association: ServerAssociation, now: float) -> None:
        held = self._held.get(pair)
        while held and not association.asked:
            self._hand_over(pair, association, _next_of(held, association), now)

    def drop(self, pair: SapPair, now: float) -> None:
        """Leave the request of `pair` undone and unanswered; for what was asked of all stations at once."""
        association = self.associations[pair]
        association.drop()
        self._take_up(pair, association, now)

    def refuse(self, pair: SapPair, error: CosemError, now: float) -> None:
        """Answer the request of `pair` as one that came in the wrong way."""
        association = self.associations[pair]
        association.refuse(error)
        self._take(pair, association, now)
        self._take_up(pair, association, now)

    def notify(self, pair: SapPair, notification: Apdu, now: float) -> None:
        """Send a notification that nobody asked for."""
        association = self.associations[pair]
        association.notify(notification, frame=self.link.unsolicited_octets(client=pair.client, server=pair.server))
        self._take(pair, association, now, unsolicited=True)

    def events(self) -> list[tuple[SapPair, AssociationEvent]]:
        """Drain what happened, each with the pair it concerns."""
        drained, self._events = self._events, []
        return drained

    @property
    def half_open(self) -> int:
        """How many associations wait for the client to prove who it is."""
        return len(self._unproved)

    def deadline(self) -> float | None:
        """Return when `tick` must be called at the latest, or None."""
        earliest = self.link.deadline()
        if self._heard is not None and (earliest is None or self._heard + self._timing.idle < earliest):
            earliest = self._heard + self._timing.idle
        if self._unproved or self._transfers:
            first = min((*self._unproved.values(), *(until for _, until in self._transfers.values())))
            return first if earliest is None else min(first, earliest)
        return earliest

    def tick(self, now: float) -> None:
        """Let time pass.

        Raises:
            TimedOut: nobody spoke for the idle time; the stream must be closed.
        """
        self.link.tick(now)
        for pair, until in list(self._unproved.items()):
            if now >= until:
                del self._unproved[pair]
                self.associations[pair].abort()
                self._take(pair, self.associations[pair], now)
        for pair, (_, until) in list(self._transfers.items()):
            if now >= until:
                del self._transfers[pair]
                self.associations[pair].give_up()
        if self._heard is not None and now >= self._heard + self._timing.idle:
            self._heard = None
            raise TimedOut("idle", self._timing.idle)

    def _is_open(self, pair: SapPair) -> bool:
        """Tell whether there is an association: in a frame outside any connection none begins, but one may be there."""
        if pair not in self.associations:
            association = self._open(pair)
            if association.state is State.ASSOCIATED:
                self.associations[pair] = association
        return pair in self.associations

    def _deliver(self, pair: SapPair, apdu: bytes, now: float, *, broadcast: bool = False) -> None:
        association = self.associations.get(pair)
        if association is None:
            association = self.associations[pair] = self._open(pair)
        if not association.asked:
            self._hand_over(pair, association, apdu, now, broadcast=broadcast)
            return
        if broadcast:
            return  # nobody waits for it
        held = self._held.setdefault(pair, deque())
        if len(held) >= HELD:
            raise RemoteProtocolError(f"more than {HELD} APDUs behind one that is still being answered")
        held.append(apdu)

    def _hand_over(
        self, pair: SapPair, association: ServerAssociation, apdu: bytes, now: float, *, broadcast: bool = False
    ) -> None:
        association.receive(apdu, broadcast=broadcast)
        if not association.answering:
            self.link.acknowledge(now, client=pair.client, server=pair.server)
        if not association.transferring:
            if self._transfers:
                self._transfers.pop(pair, None)
        elif pair not in self._transfers or association.progress != self._transfers[pair][0]:
            self._transfers[pair] = association.progress, now + association.limits.transfer_seconds
        if association.state is State.AUTHENTICATING:
            self._unproved.setdefault(pair, now + self._timing.proof)
        elif self._unproved:
            self._unproved.pop(pair, None)
        self._take(pair, association, now)

    def _take(self, pair: SapPair, association: ServerAssociation, now: float, *, unsolicited: bool = False) -> None:
        for apdu in association.outgoing():
            self.link.send(apdu, now, client=pair.client, server=pair.server, unsolicited=unsolicited)
        for event in association.events():
            self._events.append((pair, event))
            if isinstance(event, _ENDS) and association.state is State.IDLE:
                self._unproved.pop(pair, None)
