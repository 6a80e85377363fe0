"""One connection of a controlled station: numbered frames both ways, acknowledgements, windows and time-outs."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from cosem.errors import RemoteProtocolError, TimedOut
from cosem.gateway.northbound.iec104.apdu import (
    MODULUS,
    Asdu,
    Frame,
    FrameReader,
    Function,
    Information,
    Supervisory,
    Unnumbered,
)

LAYER: Final = "IEC 60870-5-104"


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """The parameters of a connection by the names and usual values of the standard.

    Attributes:
        k: frames that may go unacknowledged; sending waits beyond.
        w: frames after which an acknowledgement goes out at the latest.
        t1: seconds within which the other side acknowledges, or the connection ends.
        t2: seconds within which we acknowledge when nothing else is to be sent; less than t1.
        t3: seconds of silence after which the connection is tested.
    """

    k: int = 12
    w: int = 8
    t1: float = 15.0
    t2: float = 10.0
    t3: float = 20.0


USUAL: Final = LinkSettings()


@dataclass(frozen=True, slots=True)
class Started:
    """The other side wants data."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The other side wants no more data for now."""


@dataclass(frozen=True, slots=True)
class Received:
    """The other side sent a data unit."""

    asdu: Asdu


LinkEvent = Started | Stopped | Received


class Link:
    """The engine of one connection, for the side that is connected to.

    `receive` and `tick` raise RemoteProtocolError (DecodeError among them) or TimedOut where the connection cannot go
    on; what was not `delivered` by then may not have arrived.
    """

    def __init__(self, now: float, settings: LinkSettings = USUAL) -> None:
        self._settings = settings
        self._reader = FrameReader()
        self._out = bytearray()
        self._started = False
        self._sent = self._received = self._confirmed = 0
        self._unacknowledged: deque[tuple[Asdu, float]] = deque()
        self._unconfirmed_since: float | None = None
        self._tested_at: float | None = None
        self._heard = now

    @property
    def started(self) -> bool:
        """Whether the other side takes data."""
        return self._started

    @property
    def room(self) -> int:
        """How many data units may go out now."""
        return self._settings.k - len(self._unacknowledged) if self._started else 0

    @property
    def undelivered(self) -> tuple[Asdu, ...]:
        """What was sent and not acknowledged, in order."""
        return tuple(asdu for asdu, _ in self._unacknowledged)

    def receive(self, octets: bytes, now: float) -> list[LinkEvent]:
        """Take octets in, and return what they mean."""
        events: list[LinkEvent] = []
        for frame in self._reader.take(octets):
            self._heard = now
            event = self._take(frame, now)
            if event is not None:
                events.append(event)
        return events

    def send(self, asdu: Asdu, now: float) -> None:
        """Send a data unit; there must be room."""
        assert self.room > 0, "asked while there is no room"
        self._write(Information(self._sent, self._received, asdu.encode()))
        self._sent = (self._sent + 1) % MODULUS
        self._unacknowledged.append((asdu, now))
        self._confirmed, self._unconfirmed_since = self._received, None

    def outgoing(self) -> bytes:
        """Return what is to be sent now."""
        octets = bytes(self._out)
        self._out.clear()
        return octets

    def deadline(self) -> float:
        """Return when `tick` is due."""
        settings = self._settings
        due = [self._heard + settings.t3 if self._tested_at is None else self._tested_at + settings.t1]
        if self._unacknowledged:
            due.append(self._unacknowledged[0][1] + settings.t1)
        if self._unconfirmed_since is not None:
            due.append(self._unconfirmed_since + settings.t2)
        return min(due)

    def tick(self, now: float) -> None:
        """Do what is due."""
        settings = self._settings
        late = self._unacknowledged and now >= self._unacknowledged[0][1] + settings.t1
        if late or (self._tested_at is not None and now >= self._tested_at + settings.t1):
            raise TimedOut("acknowledgement", settings.t1)
        if self._unconfirmed_since is not None and now >= self._unconfirmed_since + settings.t2:
            self._confirm()
        if self._tested_at is None and now >= self._heard + settings.t3:
            self._write(Unnumbered(Function.TESTFR_ACT))
            self._tested_at = now

    def _take(self, frame: Frame, now: float) -> LinkEvent | None:
        if isinstance(frame, Unnumbered):
            return self._serve(frame.function)
        self._acknowledge(frame.receive)
        if isinstance(frame, Supervisory):
            return None
        if not self._started:
            raise RemoteProtocolError("data before STARTDT", layer=LAYER)
        if frame.send != self._received:
            raise RemoteProtocolError(f"frame {frame.send} came where {self._received} was due", layer=LAYER)
        self._received = (self._received + 1) % MODULUS
        if self._unconfirmed_since is None:
            self._unconfirmed_since = now
        if (self._received - self._confirmed) % MODULUS >= self._settings.w:
            self._confirm()
        return Received(Asdu.decode(frame.asdu))

    def _serve(self, function: Function) -> LinkEvent | None:
        if function is Function.TESTFR_ACT:
            self._write(Unnumbered(Function.TESTFR_CON))
        elif function is Function.TESTFR_CON:
            self._tested_at = None
        elif function is Function.STARTDT_ACT:
            self._write(Unnumbered(Function.STARTDT_CON))
            self._started = True
            return Started()
        elif function is Function.STOPDT_ACT:
            if self._unconfirmed_since is not None:
                self._confirm()
            self._write(Unnumbered(Function.STOPDT_CON))
            self._started = False
            return Stopped()
        else:
            raise RemoteProtocolError(f"{function.name} confirms what nobody asked for", layer=LAYER)
        return None

    def _acknowledge(self, number: int) -> None:
        waiting = len(self._unacknowledged)
        acknowledged = waiting - (self._sent - number) % MODULUS
        if not 0 <= acknowledged <= waiting:
            raise RemoteProtocolError(f"frame {number} is acknowledged, but {self._sent} comes next", layer=LAYER)
        for _ in range(acknowledged):
            self._unacknowledged.popleft()

    def _confirm(self) -> None:
        self._write(Supervisory(self._received))
        self._confirmed, self._unconfirmed_since = self._received, None

    def _write(self, frame: Frame) -> None:
        self._out += frame.encode()
