"""What both stations of IEC 62056-21 are made of: messages, an outbox, the line, and the verbs of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Final, Generic, TypeVar

from cosem.protocol.iec21.outbox import CHARACTER_BITS, LineChange, Outbox, Outgoing
from cosem.protocol.iec21.reader import MessageReader
from cosem.protocol.iec21.settings import Settings

E = TypeVar("E")
S = TypeVar("S", bound=Enum)

MODE_D_BAUD: Final = 2400
BINARY_FORMAT: Final = "8N1"


class Station(ABC, Generic[E, S]):
    """One end of a line, with events `E` and states `S`; `_handlers` says who reads what comes in which state."""

    def __init__(self, settings: Settings, state: S) -> None:
        self.counters: Counter[str] = Counter()
        self.state = state
        self._switches = settings.switches
        self._reader = MessageReader(self.counters, settings)
        self._outbox = Outbox()
        self._events: list[E] = []
        self._line = LineChange(settings.initial_baud, settings.character_format)
        self._handlers: dict[S, Callable[[float], bool]] = {}

    def outgoing(self) -> list[Outgoing]:
        """Hand over what is to be written and how the line is to be changed, in order."""
        return self._outbox.take()

    def events(self) -> list[E]:
        """Hand over what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when `tick` is wanted next."""
        due = self._outbox.deadline
        return self._expiry() if due is None else due

    def tick(self, now: float) -> None:
        """Send what is due, and act on silence."""
        self._release(now)
        expiry = self._expiry()
        if self._outbox.deadline is None and expiry is not None and now >= expiry:
            self._overdue(now)
            self._release(now)

    @abstractmethod
    def _expiry(self) -> float | None:
        """Return when silence means something."""

    @abstractmethod
    def _overdue(self, now: float) -> None:
        """Act on silence."""

    @abstractmethod
    def _spoken(self, octets: bytes, ends: float) -> None:
        """Take note of what is written now, and of when it will have gone."""

    def _go_on(self, now: float) -> None:
        while (handler := self._handlers.get(self.state)) is not None and handler(now):
            pass

    def _change(self, baud: int, character_format: str, at: float) -> None:
        wanted = LineChange(baud, character_format)
        if wanted != self._line:
            self._line = wanted
            if self._switches:
                self._outbox.put(wanted, at)

    def _release(self, now: float) -> None:
        before = len(self._outbox.ready)
        count = self._outbox.release(now)
        if count:
            octets = b"".join(each for each in self._outbox.ready[before:] if isinstance(each, bytes))
            self._spoken(octets, now + count * CHARACTER_BITS / self._line.baud if self._switches else now)
