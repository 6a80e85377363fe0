"""Invocation counters: numbers that are never given out twice, and numbers of a peer that are never accepted twice.

A nonce is made of a system title and an invocation counter. If one occurs twice under one key, AES-GCM gives away both
messages and the means to forge others. So numbers are leased in blocks from a store that has made the block durable
before it answers: what a crash leaves unused is lost, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from cosem.errors import ConfigurationError, InvocationCounterError, LocalProtocolError, Retry, SecurityError
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM
from cosem.protocol.crypto.key import Key

BLOCK: Final = 64
FIRST: Final = 1
"""The first number used: a peer that has seen none yet compares with 0."""
JUMP_LIMIT: Final = 1 << 16
RECEIVED: Final = "received-"
"""What the names of counters of peers begin with."""

ALARM_AT: Final = 1 << 31
ROTATE_AT: Final = COUNTER_MAXIMUM // 10 * 8


class CounterStore(Protocol):
    """What keeps counters over restarts; each name is a counter of its own that starts at 0 and only rises.

    Every method raises ConfigurationError when the place of storage cannot be used.
    """

    def lease(self, name: str, count: int, at_least: int = 0) -> range:
        """Return numbers nobody else gets, none below `at_least`, after it is durable that they are taken.

        There are `count` of them, or fewer next to the greatest 32-bit number. Raises SecurityError when none is left.
        """
        ...

    def peek(self, name: str) -> int:
        """Return the number the next lease would begin with."""
        ...

    def raise_to(self, name: str, value: int) -> None:
        """Make durable that the next lease begins at `value` or above; a lower value changes nothing."""
        ...

    def forget(self, name: str) -> None:
        """Let the counter of a *peer* begin anew; LocalProtocolError for any other, since those are never lowered."""
        ...


class InvocationCounter:
    """The counter one sender uses under one key: `next()` never gives a number twice, whatever crashes."""

    def __init__(self, store: CounterStore, name: str, block: int = BLOCK) -> None:
        if block < 1:
            raise ConfigurationError(f"invocation counters are leased at least one at a time, not {block}")
        self._store = store
        self._name = name
        self._block = block
        self._floor = FIRST
        self._taken = 0
        self._numbers: Iterator[int] = iter(())
        self._last: int | None = None

    def next(self) -> int:
        """Return a number that was never returned before; SecurityError when the key is used up."""
        # `next` of a range is one step even between threads, so that two of them cannot get the same number.
        for number in self._numbers:
            self._last = number
            return number
        # What was taken once is never taken again, even if the store should be set back meanwhile.
        numbers = self._store.lease(self._name, self._block, max(self._floor, self._taken))
        self._taken = numbers.stop
        self._numbers = iter(numbers)
        return self.next()

    def raise_to(self, value: int, *, operator_approved: bool = False) -> None:
        """Let `next()` return `value` or above; a lower value changes nothing, since a counter is never lowered.

        A value read from a meter comes unauthenticated, and whoever forges it could use up the key. So it may raise a
        counter by no more than `JUMP_LIMIT` at once; SecurityError otherwise, until an operator has looked at it. A
        counter that was never used has nothing to jump from, and may begin anywhere below `ALARM_AT`.
        """
        check_next(value)
        first = self.peek()
        if value <= first:
            return
        limit = first + JUMP_LIMIT if self.used else ALARM_AT - 1
        if value > limit and not operator_approved:
            refused = SecurityError(
                f"invocation counter {value} is more than {limit}, the most that is accepted unasked "
                f"(the next number here is {first}): if it is right, an operator may approve it (--approve-counter)"
            )
            refused.retry = Retry.NEVER
            raise refused
        self._floor = value
        self._numbers = iter(())

    def peek(self) -> int:
        """Return a number that `next()` will not go below."""
        stored = self._store.peek(self._name)
        return max(self._floor, stored if self._last is None else self._last + 1)

    @property
    def used(self) -> bool:
        """Whether a number was ever taken, by this object or by an earlier one."""
        return self._store.peek(self._name) > 0

    @property
    def alarmed(self) -> bool:
        """Whether half of all numbers are used up."""
        return self.peek() >= ALARM_AT

    @property
    def rotation_due(self) -> bool:
        """Whether four fifths of all numbers are used up, so that the key should be replaced now."""
        return self.peek() >= ROTATE_AT

    @property
    def alarm(self) -> str | None:
        """What whoever answers for the key should be told about its counter; None while there is nothing."""
        following = self.peek()
        for least, words in _ALARMS:
            if following >= least:
                return words
        return None


_ALARMS: Final = (
    (ROTATE_AT, "four fifths of all invocation counters of this key are used up: give the meter a new key now"),
    (ALARM_AT, "half of all invocation counters of this key are used up: plan a new key"),
)


class ReceivedCounter:
    """The greatest number one sender has used under one key and that was verified; it only rises.

    With a store it begins where an earlier one was kept, and `keep()` makes the present state durable. It serves both
    a listener and a meter, which share it among all associations of the same sender and key.
    """

    __slots__ = ("_name", "_raised", "_store", "last")

    def __init__(self, store: CounterStore | None = None, name: str = "", last: int = -1) -> None:
        self._store = store
        self._name = name
        self.last = last if store is None else max(last, store.peek(name) - 1)
        self._raised = -1

    def accept(self, number: int) -> None:
        """Take note of a *verified* number; SecurityError unless it is greater than every one before."""
        if number <= self.last:
            raise self.refusal(number)
        self.last = number

    def refusal(self, number: int) -> InvocationCounterError:
        """Return the error for a number that is not greater than every one before."""
        return InvocationCounterError(number, self.last + 1)

    def keep(self) -> None:
        """Make durable what was accepted so far."""
        last = self.last
        if self._store is not None and last > self._raised:
            self._store.raise_to(self._name, last + 1)
            self._raised = last


class RememberedCounter(ReceivedCounter):
    """The counter of a peer over the sessions of a client that proves nothing fresh: what was recorded opens nothing.

    Without a challenge, a whole recorded session verifies again; only its counters tell. So the first number that
    verifies in a session must be above all that earlier sessions began with, and is kept before it is used. At the
    first contact there is nothing to compare with. A peer that was rightly set back needs `reset_approved`: the first
    number that verifies is then believed, and kept instead of the greater one.

    Args:
        store: where it is kept.
        key: the key of the session.
        peer: gives the peer's title, None until it is known; nothing is accepted before.
        each: keep every number, not only the first one: for sessions that begin with no message that must come first.
    """

    __slots__ = ("_each", "_kept", "_key", "_last", "_peer", "_reset_approved")

    def __init__(
        self,
        store: CounterStore,
        key: Key,
        peer: Callable[[], bytes | None],
        *,
        reset_approved: bool = False,
        each: bool = False,
    ) -> None:
        self._store: CounterStore = store
        self._key = key
        self._peer = peer
        self._reset_approved = reset_approved
        self._each = each
        self._kept = False
        self._last: int | None = None

    @property
    def last(self) -> int:
        """The greatest number that was verified; SecurityError when it is not known whose."""
        if self._last is None:
            self._last = -1 if self._reset_approved else self._store.peek(self._name_known()) - 1
        return self._last

    @last.setter
    def last(self, number: int) -> None:
        if self._each or not self._kept:
            name = self._name_known()
            if self._reset_approved and not self._kept:
                self._store.forget(name)
            self._store.raise_to(name, number + 1)
            self._kept = True
        self._last = number

    def keep(self) -> None:
        """Make durable what was accepted so far."""
        if self._last is not None and self._kept:
            self._store.raise_to(self._name_known(), self._last + 1)

    def _name_known(self) -> str:
        title = self._peer()
        if title is None:
            raise SecurityError("the peer did not tell its system title, by which its invocation counter is kept")
        return received_name(self._key, title)


def received_name(key: Key, system_title: bytes) -> str:
    """Return the name under which what this peer has sent under a key is kept."""
    return f"{RECEIVED}{counter_name(key, system_title)}"


def check_received(name: str) -> None:
    """Raise LocalProtocolError unless a name is that of a peer's counter."""
    if not name.startswith(RECEIVED):
        raise LocalProtocolError(f"the counter {name} is our own: it is never lowered")


def counter_name(key: Key, system_title: bytes) -> str:
    """Return the name under which the counter of this sender and key is kept; it tells nothing about the key."""
    return f"{key.fingerprint}-{system_title.hex()}"


def lease_after(first: int, count: int, at_least: int) -> range:
    """Return what a store leases when `first` is its next number: the one rule that all stores share."""
    if count < 1:
        raise LocalProtocolError(f"a lease takes at least one number, not {count}")
    start = max(first, at_least)
    if start > COUNTER_MAXIMUM:
        exhausted = SecurityError(
            "the invocation counter has reached its end and never wraps: the key must be replaced"
        )
        exhausted.retry = Retry.NEVER
        raise exhausted
    return range(start, min(start + count, COUNTER_MAXIMUM + 1))


def check_next(value: int) -> None:
    """Raise LocalProtocolError unless `value` can be the next number: one of 32 bits, or the end after the last."""
    if not 0 <= value <= COUNTER_MAXIMUM + 1:
        raise LocalProtocolError(f"an invocation counter has 32 bits, {value} does not fit")
