"""The station of the Elgama byte protocol, to simulate meters with: it answers what is asked (EXPERIMENTAL).

station = ElgamaStation(models.named("epqs", experimental=True), 925948, tables)
station.receive(octets, now)     # what the stream read
station.events()                 # Asked, Proven, ProofRefused
station.outgoing()               # octets to write
station.deadline(), station.tick(now)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama.frame import LONGEST_BODY, Command, Frame, FrameReader
from cosem.protocol.elgama.models import Model
from cosem.protocol.elgama.proof import BLOCK, prove, proves

Tables: TypeAlias = Callable[[bytes], bytes | None]
"""Gives the octets of a table by those that ask for it; None where there is no such table."""

INTER_OCTET: Final = 2.0
"""Seconds after which the rest of a frame is not awaited any more."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A table was asked for; `known` tells whether there is one."""

    table: bytes
    known: bool


@dataclass(frozen=True, slots=True)
class Proven:
    """A client has proved itself for the request with these octets."""

    request: bytes


@dataclass(frozen=True, slots=True)
class ProofRefused:
    """A client has failed to."""


StationEvent: TypeAlias = Asked | Proven | ProofRefused


class ElgamaStation:
    """One station on a line. Whatever comes, nothing is raised; what is for others, or is no frame, is passed over.

    A protected request is understood to begin with the challenge of the client: the real form is not known in public.

    Args:
        model: what it is.
        serial: its serial number, which is its address.
        tables: what it has.
        password: without, protected requests are refused.
        entropy: gives the asked number of unpredictable octets, for its challenge.
    """

    def __init__(
        self,
        model: Model,
        serial: int,
        tables: Tables,
        *,
        password: Secret | None = None,
        entropy: Callable[[int], bytes] | None = None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._model = model
        self._serial = serial
        self._tables = tables
        self._password = password
        self._entropy = entropy
        self._reader = FrameReader(self.counters)
        self._pending: tuple[bytes, bytes] | None = None
        self._heard = 0.0
        self._outgoing: list[bytes] = []
        self._events: list[StationEvent] = []
        self._handlers: dict[Command, Callable[[Frame], None]] = {
            Command.ENQ: self._asked,
            Command.REC: self._requested,
            Command.AUT: self._proving,
            Command.EOS: self._ended,
        }

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream; never raises."""
        self._heard = now
        self._reader.feed(octets)
        self._read()

    def outgoing(self) -> bytes:
        """Hand over what is to be written."""
        octets = b"".join(self._outgoing)
        self._outgoing.clear()
        return octets

    def events(self) -> list[StationEvent]:
        """Hand over what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        return self._heard + INTER_OCTET if self._reader.partial else None

    def tick(self, now: float) -> None:
        """Let time pass: a frame whose rest does not come is given up."""
        while self._reader.partial and now >= self._heard + INTER_OCTET:
            self._reader.give_up()
            self._read()

    def _read(self) -> None:
        while (frame := self._reader.frame()) is not None:
            handler = self._handlers.get(frame.command)
            if frame.serial != self._serial or frame.counter >= self._model.modulus or handler is None:
                self.counters["passed over"] += 1
                continue
            handler(frame)

    def _asked(self, frame: Frame) -> None:
        self._pending = None
        data = self._tables(frame.body)
        self._events.append(Asked(frame.body, data is not None))
        if data is None:
            self._answer(frame, Command.ARJ)
        else:
            assert len(data) <= LONGEST_BODY
            self._answer(frame, Command.DAT, data)

    def _requested(self, frame: Frame) -> None:
        self._pending = None
        if self._password is None or self._entropy is None or len(frame.body) < BLOCK:
            self._answer(frame, Command.ARJ)
            return
        challenge = self._entropy(BLOCK)
        self._pending = (challenge, frame.body)
        self._answer(frame, Command.ECO, prove(self._password, frame.body[:BLOCK]) + challenge)

    def _proving(self, frame: Frame) -> None:
        pending, self._pending = self._pending, None
        proof = frame.body[BLOCK:]
        if pending is None or self._password is None or not proves(self._password, pending[0], proof):
            self._events.append(ProofRefused())
            self._answer(frame, Command.ARJ)
            return
        self._events.append(Proven(pending[1]))
        self._answer(frame, Command.EOS, bytes(2 * BLOCK))

    def _ended(self, _: Frame) -> None:
        self._pending = None

    def _answer(self, frame: Frame, command: Command, body: bytes = b"") -> None:
        self._outgoing.append(Frame(self._serial, frame.counter, command, body).encode())
