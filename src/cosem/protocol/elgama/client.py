"""The client of the Elgama byte protocol: one request, one answer, each with the counter of the other (EXPERIMENTAL).

client = ElgamaClient(models.named("epqs", experimental=True), serial=925948)
client.ask(tables.EPQS_CLOCK, now)
client.receive(octets, now)      # what the stream read
client.events()                  # Answered, Accepted, Refused or Ended
client.outgoing()                # octets to write
client.deadline(), client.tick(now)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, TypeAlias

from cosem.errors import LocalProtocolError, RemoteProtocolError, SecurityError, TimedOut
from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama.frame import LAYER, Command, Frame, FrameReader
from cosem.protocol.elgama.models import Model
from cosem.protocol.elgama.proof import BLOCK, prove, proves

ANSWER: Final = 35.0
"""Seconds that an answer may take: what is known of these meters waits so long."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds: `answer` for a whole answer, `inter_octet` for the rest of a frame that has begun.

    A request that is not answered is sent again `repeats` times, octet for octet.
    """

    answer: float = ANSWER
    inter_octet: float = 2.0
    repeats: int = 2


@dataclass(frozen=True, slots=True)
class Answered:
    """The data of the table that was asked for."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The station took our proof; `data` is what it said with that."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """The station did not accept the request or the proof (ARJ)."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The station ended the exchange (EOS)."""

    data: bytes


ClientEvent: TypeAlias = Answered | Accepted | Refused | Ended


class ElgamaClient:
    """Asks one station. Raises what the peer does wrong, and TimedOut.

    Args:
        model: of the station.
        serial: its serial number, which is its address.
        password: for protected requests.
        settings: how long is waited.
    """

    def __init__(
        self, model: Model, serial: int, password: Secret | None = None, settings: Settings | None = None
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._model = model
        self._serial = serial
        self._password = password
        self._settings = settings or Settings()
        self._reader = FrameReader(self.counters)
        self._counter = 1 % model.modulus
        self._sent: Frame | None = None
        self._challenge: bytes | None = None
        self._repeats = 0
        self._due = 0.0
        self._heard = 0.0
        self._outgoing: list[bytes] = []
        self._events: list[ClientEvent] = []

    @property
    def waiting(self) -> bool:
        """Whether an answer is awaited."""
        return self._sent is not None

    def ask(self, table: bytes, now: float) -> None:
        """Ask for a table by its octets. Raises LocalProtocolError while an answer is awaited."""
        self._begin(Command.ENQ, table, None, now)

    def request(self, body: bytes, challenge: bytes, now: float) -> None:
        """Send a protected request (REC) and prove ourselves when asked: see `Accepted`.

        `challenge` is the eight octets, made by chance, that the station shall prove itself on. How a request carries
        them is not known in public, so that its octets are the caller's. Raises LocalProtocolError without password.
        """
        if self._password is None:
            raise LocalProtocolError("a protected request needs the password of the meter")
        if len(challenge) != BLOCK:
            raise LocalProtocolError(f"a challenge has {BLOCK} octets, not {len(challenge)}")
        self._begin(Command.REC, body, challenge, now)

    # -- the verbs of an engine -------------------------------------------------------------------------------------

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets from the stream. Raises RemoteProtocolError and SecurityError; the request is over then."""
        if self._sent is None:
            self.counters["unasked octets"] += len(octets)
            return
        self._heard = now
        self._reader.feed(octets)
        self._read(now)

    def outgoing(self) -> bytes:
        """Hand over what is to be written."""
        octets = b"".join(self._outgoing)
        self._outgoing.clear()
        return octets

    def events(self) -> list[ClientEvent]:
        """Hand over what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        if self._sent is None:
            return None
        return min(self._due, self._heard + self._settings.inter_octet) if self._reader.partial else self._due

    def tick(self, now: float) -> None:
        """Let time pass. Raises TimedOut once a request was repeated as often as it may be."""
        while self._sent is not None and self._reader.partial and now >= self._heard + self._settings.inter_octet:
            self._reader.give_up()  # a length that was none: what it swallowed may hold the answer
            self._read(now)
        if self._sent is None or now < self._due:
            return
        if self._repeats >= self._settings.repeats:
            self._forget()
            raise TimedOut("response", self._settings.answer)
        self._repeats += 1
        self.counters["repeated"] += 1
        self._put(self._sent, now)

    # -- the exchange -----------------------------------------------------------------------------------------------

    def _begin(self, command: Command, body: bytes, challenge: bytes | None, now: float) -> None:
        if self._sent is not None:
            raise LocalProtocolError("the answer to the last request is still awaited")
        self._challenge = challenge
        self._reader = FrameReader(self.counters)
        self._send(command, body, now)

    def _send(self, command: Command, body: bytes, now: float) -> None:
        self._repeats = 0
        self._put(Frame(self._serial, self._counter, command, body), now)

    def _put(self, frame: Frame, now: float) -> None:
        self._sent = frame
        self._outgoing.append(frame.encode())
        self._due = now + self._settings.answer

    def _read(self, now: float) -> None:
        while self._sent is not None and (frame := self._reader.frame()) is not None:
            self._take(frame, now)

    def _take(self, frame: Frame, now: float) -> None:
        """Take the frame that answers; an echo of our own, and what others say on the bus, is passed over."""
        sent = self._sent
        assert sent is not None
        if frame == sent:
            self.counters["echoes"] += 1
            return
        if frame.serial != self._serial or frame.counter != sent.counter:
            self.counters["foreign"] += 1
            return
        if frame.command is Command.ECO and sent.command is Command.REC:
            self._prove(frame, now)
            return
        outcome = _OUTCOMES.get((sent.command, frame.command))
        self._forget()
        if outcome is None:
            raise RemoteProtocolError(
                f"the station answered {sent.command.name} with {frame.command.name}", layer=LAYER
            )
        if outcome is Accepted and self._half(frame.body, 0) != self._half(frame.body, BLOCK):
            outcome = Refused  # one implementation takes equal halves for consent
        self._counter = (self._counter + 1) % self._model.modulus
        self._events.append(outcome(frame.body))

    def _prove(self, frame: Frame, now: float) -> None:
        """Check the proof in the first eight octets, and answer the challenge in the next eight."""
        assert self._password is not None
        assert self._challenge is not None
        if len(frame.body) < 2 * BLOCK:
            self._forget()
            raise RemoteProtocolError(f"ECO has {len(frame.body)} octets, a proof and a challenge have 16", layer=LAYER)
        if not proves(self._password, self._challenge, self._half(frame.body, 0)):
            self._forget()
            raise SecurityError("the station does not know the password: its proof is wrong")
        proof = prove(self._password, self._half(frame.body, BLOCK))
        self._send(Command.AUT, bytes(BLOCK) + proof, now)

    def _forget(self) -> None:
        self._sent = None

    @staticmethod
    def _half(body: bytes, at: int) -> bytes:
        return body[at : at + BLOCK]


_OUTCOMES: Final[dict[tuple[Command, Command], type[ClientEvent]]] = {
    (Command.ENQ, Command.DAT): Answered,
    (Command.ENQ, Command.EOS): Ended,
    (Command.ENQ, Command.ARJ): Refused,
    (Command.REC, Command.EOS): Ended,
    (Command.REC, Command.ARJ): Refused,
    (Command.AUT, Command.ARJ): Refused,
    (Command.AUT, Command.ECO): Accepted,
    (Command.AUT, Command.EOS): Accepted,
    (Command.AUT, Command.DAT): Accepted,
}
"""What an answer means, by what was sent."""
