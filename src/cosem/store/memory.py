"""Invocation counters that live as long as the process, for keys that live no longer, for simulation and for tests."""

from __future__ import annotations

import threading

from cosem.protocol.association.counter import check_next, check_received, lease_after


class MemoryCounterStore:
    """Counters that live as long as this object, which may serve several threads."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._lock = threading.Lock()

    def lease(self, name: str, count: int, at_least: int = 0) -> range:
        """Return numbers nobody else gets from this object."""
        with self._lock:
            numbers = lease_after(self._next.get(name, 0), count, at_least)
            self._next[name] = numbers.stop
        return numbers

    def peek(self, name: str) -> int:
        """Return the number the next lease would begin with."""
        return self._next.get(name, 0)

    def raise_to(self, name: str, value: int) -> None:
        """Let the next lease begin at `value` or above."""
        check_next(value)
        with self._lock:
            self._next[name] = max(self._next.get(name, 0), value)

    def forget(self, name: str) -> None:
        """Let the counter of a peer begin anew."""
        check_received(name)
        with self._lock:
            self._next.pop(name, None)
