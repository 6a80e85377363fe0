"""A listener's session: what meters push unasked, APDU by APDU, with blocks that come a frame each put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cosem.errors import RemoteProtocolError
from cosem.protocol.apdu.block import GeneralBlockTransfer
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.association.general_block import GENERAL_BLOCK_TRANSFER, UnconfirmedBlocks
from cosem.protocol.link import ApduReceived, Link


@dataclass(frozen=True, slots=True)
class Heard:
    """One whole APDU from `server` to `client`, protected as it came; `blocks` is how many it came in, 0 for none."""

    apdu: bytes
    client: int
    server: int
    blocks: int = 0


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An APDU from `server` to `client` that did not come in full, and why."""

    error: RemoteProtocolError
    client: int
    server: int


ListenerEvent: TypeAlias = Heard | Unfinished


class ListenerSession:
    """Whole APDUs out of a link that only listens; blocks of general block transfer are joined for each sender apart.

    Meters push an APDU that is too long for a frame in unsegmented frames of one block each, with or without an LLC
    header in the later ones, and up to several seconds apart. Nobody acknowledges, and nothing lost comes again.

    Args:
        link: gives the APDUs, such as `HdlcListener`.
        limits: `reassembled`, `blocks` and `transfer_seconds` hold for the APDU of one sender.
        senders: how many senders may be in the middle of an APDU at once; the oldest is given up for one more.
    """

    def __init__(self, link: Link, limits: AssociationLimits | None = None, *, senders: int = 16) -> None:
        self.link = link
        self._limits = limits or AssociationLimits()
        self._senders = senders
        self._joining: dict[tuple[int, int], tuple[UnconfirmedBlocks, float]] = {}
        self._events: list[ListenerEvent] = []

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream."""
        self.link.receive(octets, now)
        self._collect(now)

    def outgoing(self) -> bytes:
        """Return what the link has to say, which is nothing where it only listens."""
        return self.link.outgoing()

    def events(self) -> list[ListenerEvent]:
        """Drain what was heard."""
        drained, self._events = self._events, []
        return drained

    def deadline(self) -> float | None:
        """Return when `tick` must be called at the latest, or None."""
        times = [until for joining, until in self._joining.values() if joining.collecting]
        link = self.link.deadline()
        return min(times if link is None else [*times, link], default=None)

    def tick(self, now: float) -> None:
        """Let time pass: APDUs whose rest does not come are given up."""
        self.link.tick(now)
        self._collect(now)
        for pair, (joining, until) in self._joining.items():
            if joining.collecting and now >= until:
                self._give_up(pair, f"the rest of an APDU did not come within {self._limits.transfer_seconds:g} s")

    def _collect(self, now: float) -> None:
        for event in self.link.events():
            if not isinstance(event, ApduReceived):
                continue
            if event.apdu[0] == GENERAL_BLOCK_TRANSFER:
                self._take(event, now)
            else:
                self._events.append(Heard(event.apdu, event.client, event.server))

    def _take(self, event: ApduReceived, now: float) -> None:
        pair = event.client, event.server
        joining, until = self._joining.pop(pair, (None, 0.0))
        joining = joining or UnconfirmedBlocks(self._limits)
        while len(self._joining) >= self._senders:
            oldest = next(iter(self._joining))
            self._give_up(oldest, "too many senders are in the middle of an APDU")
            del self._joining[oldest]
        collecting, given_up = joining.collecting, joining.given_up
        try:
            block = GeneralBlockTransfer.decode(event.apdu)
            whole = joining.take(block)
        except RemoteProtocolError as error:
            self._events.append(Unfinished(error, *pair))
        else:
            if joining.given_up > given_up:
                self._events.append(Unfinished(RemoteProtocolError("another APDU began before this one ended"), *pair))
            if whole is not None:
                self._events.append(Heard(whole, *pair, block.block_number))
        started = collecting and joining.given_up == given_up
        self._joining[pair] = joining, until if started else now + self._limits.transfer_seconds

    def _give_up(self, pair: tuple[int, int], why: str) -> None:
        joining = self._joining[pair][0]
        if joining.collecting:
            self._events.append(Unfinished(RemoteProtocolError(why), *pair))
        joining.give_up()
