"""The invocation counters of all meters of a fleet: a column of what they send, and what clients sent by meter."""

from __future__ import annotations

from array import array
from functools import lru_cache
from hashlib import blake2b

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.protocol.association.counter import RECEIVED, check_next, check_received, lease_after
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM

_TAG_OCTETS = 8


class FleetCounters:
    """What outlives the meters of a fleet, which are made and forgotten as they are met.

    It lives as long as the process. What meters send begins at `first`: a fleet whose keys last longer begins each
    time above all that it can have sent before, with the seconds of its real time, for example.
    """

    def __init__(self, count: int, first: int = 0) -> None:
        if not 0 <= first <= COUNTER_MAXIMUM:
            raise ConfigurationError(f"an invocation counter has 32 bits, {first} does not fit")
        self._sent = array("Q", (first,)) * count
        self._received: dict[bytes, int] = {}

    def of(self, number: int) -> MeterCounters:
        """Return the store of one meter."""
        return MeterCounters(number, self._sent, self._received)

    def __len__(self) -> int:
        """Return how many counters of clients are remembered."""
        return len(self._received)


class MeterCounters:
    """The counters of one meter. All that it sends shares one counter, whatever its keys: that only skips numbers."""

    __slots__ = ("_number", "_received", "_sent")

    def __init__(self, number: int, sent: array[int], received: dict[bytes, int]) -> None:
        self._number = number
        self._sent = sent
        self._received = received

    def lease(self, name: str, count: int, at_least: int = 0) -> range:
        """Return numbers that this meter gets only once."""
        _check_own(name)
        numbers = lease_after(self._sent[self._number], count, at_least)
        self._sent[self._number] = numbers.stop
        return numbers

    def peek(self, name: str) -> int:
        """Return the number the next lease would begin with, or that a client must reach."""
        return self._received.get(self._tag(name), 0) if name.startswith(RECEIVED) else self._sent[self._number]

    def raise_to(self, name: str, value: int) -> None:
        """Let the counter go on at `value` or above."""
        check_next(value)
        if name.startswith(RECEIVED):
            tag = self._tag(name)
            self._received[tag] = max(self._received.get(tag, 0), value)
        else:
            self._sent[self._number] = max(self._sent[self._number], value)

    def forget(self, name: str) -> None:
        """Let the counter of a client begin anew."""
        check_received(name)
        self._received.pop(self._tag(name), None)

    def _tag(self, name: str) -> bytes:
        return self._number.to_bytes(4, "big") + _digest(name)


@lru_cache(maxsize=1024)
def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=_TAG_OCTETS).digest()


def _check_own(name: str) -> None:
    if name.startswith(RECEIVED):
        raise LocalProtocolError(f"the counter {name} is of a client: nothing is leased from it")
