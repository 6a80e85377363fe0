"""What a station has to send, in order and in time: octets, and changes of the line between them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, TypeAlias

CHARACTER_BITS: Final = 10
"""Bits of one character on the line, start and stop bit with it."""


@dataclass(frozen=True, slots=True)
class LineChange:
    """From here on the line runs at another speed and in another character format."""

    baud: int
    character_format: str


Outgoing: TypeAlias = bytes | LineChange


class Outbox:
    """Holds what is to be sent until its time has come; nothing overtakes what was put in before."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Outgoing]] = deque()
        self.ready: list[Outgoing] = []
        self._earliest = 0.0

    def put(self, item: Outgoing, at: float) -> None:
        """Send `item` at a time, or behind what was put in before, whichever is later."""
        self._earliest = max(self._earliest, at)
        self._waiting.append((self._earliest, item))

    def clear(self) -> None:
        """Forget what was not sent yet."""
        self._waiting.clear()
        self._earliest = 0.0

    def release(self, now: float) -> int:
        """Make ready whose time has come, and return how many octets that are."""
        octets = 0
        while self._waiting and self._waiting[0][0] <= now:
            _, item = self._waiting.popleft()
            self.ready.append(item)
            octets += len(item) if isinstance(item, bytes) else 0
        return octets

    def take(self) -> list[Outgoing]:
        """Hand over what is ready."""
        ready, self.ready = self.ready, []
        return ready

    @property
    def deadline(self) -> float | None:
        """When something will be ready next."""
        return self._waiting[0][0] if self._waiting else None
