"""What readers of meters that only speak have in common: octets in any pieces, a bounded buffer, and silence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from typing import ClassVar, Generic, TypeVar

from cosem.errors import CosemError, RemoteProtocolError
from cosem.protocol.iec21 import Discarded

T = TypeVar("T")


class OneWayReader(ABC, Generic[T]):
    """Finds telegrams of type `T` in the octets of a line; see `cosem.protocol.iec21` for the verbs.

    A subclass takes steps in `_buffer`, as long as one does anything. `_begun` tells that the buffer begins with a
    telegram, `_at` up to where it holds nothing that ends it.
    """

    LAYER: ClassVar[str]
    DISCARDED: ClassVar[str] = "telegrams_discarded"
    """The counter of what was no telegram."""
    BETWEEN: ClassVar[frozenset[int]] = frozenset()
    """What may stand between telegrams without being noise."""

    def __init__(self, octets: int, silence: float | None) -> None:
        self.counters: Counter[str] = Counter()
        self._limit = octets
        self._silence = silence
        self._buffer = bytearray()
        self._begun = False
        self._at = 0
        self._heard: float | None = None
        self._events: list[T | Discarded] = []

    def receive(self, octets: bytes, now: float) -> None:
        """Take octets; never raises, whatever they are."""
        self._heard = now
        for start in range(0, len(octets), self._limit):  # so that the buffer stays bounded however much comes at once
            self._buffer += octets[start : start + self._limit]
            while self._step():
                pass

    def outgoing(self) -> bytes:
        """Return nothing: such a meter only speaks."""
        return b""

    def events(self) -> list[T | Discarded]:
        """Hand over the telegrams since the last call, and what was none."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """Tell when a telegram under way has to go on."""
        if self._silence is None or self._heard is None or not self._buffer:
            return None
        return self._heard + self._silence

    def tick(self, now: float) -> None:
        """Take a telegram that does not go on as all there will be of it."""
        deadline = self.deadline()
        if deadline is not None and now >= deadline:
            self.finish()

    def finish(self) -> None:
        """Take what has come of a telegram as all there will be of it."""
        if self._begun:
            self._end()
        self._skip(len(self._buffer))

    @abstractmethod
    def _step(self) -> bool:
        """Go on with what has come; tell whether anything was done."""

    @abstractmethod
    def _end(self) -> None:
        """Take the telegram under way, or discard it: nothing more will come of it."""

    def _discard(self, size: int, why: str) -> None:
        self._give_up(size, RemoteProtocolError(why, layer=self.LAYER))

    def _give_up(self, size: int, error: CosemError) -> None:
        self.counters[self.DISCARDED] += 1
        self._events.append(Discarded(bytes(self._buffer[:size]), error))
        self._drop(size)

    def _skip(self, size: int) -> None:
        if size:
            self.counters["octets_skipped"] += size - sum(self._buffer.count(each, 0, size) for each in self.BETWEEN)
            self._drop(size)

    def _drop(self, size: int) -> None:
        del self._buffer[:size]
        self._begun, self._at = False, 0
