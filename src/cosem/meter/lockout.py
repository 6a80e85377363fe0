"""Locking out who fails to authenticate: each client SAP of each peer, longer each time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

ATTEMPTS: Final = 3
FIRST_LOCK: Final = 60.0
LONGEST_LOCK: Final = 3600.0
FORGOTTEN_AFTER: Final = 2 * LONGEST_LOCK
REMEMBERED: Final = 4096
"""Peers and clients remembered at once; beyond that the one that failed longest ago is forgotten."""

DOUBLINGS: Final = 64
"""After so many any lock is as long as locks are, and numbers have an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockoutLimits:
    """After how many failures who is locked out for how long, in seconds, and how many of them are remembered."""

    attempts: int = ATTEMPTS
    first_lock: float = FIRST_LOCK
    longest_lock: float = LONGEST_LOCK
    forgotten_after: float = FORGOTTEN_AFTER
    remembered: int = REMEMBERED


DEFAULT_LIMITS: Final = LockoutLimits()


Kept: TypeAlias = tuple[str, int, int, int, int, float, float]
"""Peer, client and server; failures and locks so far; until when it is locked and when it failed, in seconds."""


@dataclass(slots=True)
class _Record:
    failures: int = 0
    locks: int = 0
    until: float = 0.0
    last: float = 0.0


class Lockout:
    """Three failures lock for 1 minute, three more for 2, then 4 … and at most 60; success forgets them.

    So it is unless `limits` say otherwise. All times are seconds of one steady clock.
    """

    __slots__ = ("_last", "_limits", "_recalled", "_records")

    def __init__(self, limits: LockoutLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._records: dict[tuple[str, int, int], _Record] = {}
        self._recalled: tuple[Kept, ...] = ()
        self._last = 0.0

    @property
    def limits(self) -> LockoutLimits:
        """After how many failures who is locked out for how long."""
        return self._limits

    def __bool__(self) -> bool:
        return bool(self._records or self._recalled)

    @property
    def kept(self) -> tuple[Kept, ...]:
        """What is known of each, as of the last failure of any, for another steady clock to go on with."""
        fresh = tuple(
            (*key, each.failures, each.locks, each.until - self._last, each.last - self._last)
            for key, each in self._records.items()
        )
        return self._recalled + fresh

    def recall(self, kept: Iterable[Kept]) -> None:
        """Go on from before a restart: a lock lasts from the next failure or question on as long as it had to then."""
        self._recalled = tuple(kept)

    def locked(self, peer: str, client: int, server: int, now: float) -> bool:
        """Tell whether a client is locked out."""
        self._settle(now)
        record = self._records.get((peer, client, server))
        return record is not None and now < record.until

    def failed(self, peer: str, client: int, server: int, now: float) -> bool:
        """Count a failed authentication; return whether it locks the client out."""
        self._settle(now)
        self._last = now
        key = (peer, client, server)
        record = self._records.pop(key, None)
        if record is None or now >= record.last + self._limits.forgotten_after:
            record = _Record()
        self._make_room()
        self._records[key] = record  # now the youngest
        record.last = now
        if now < record.until:
            return True
        record.failures += 1
        if record.failures < self._limits.attempts:
            return False
        record.failures = 0
        doubled = self._limits.first_lock * 2.0 ** min(record.locks, DOUBLINGS)
        record.until = now + min(doubled, self._limits.longest_lock)
        record.locks += 1
        return True

    def succeeded(self, peer: str, client: int, server: int) -> None:
        """Forget the failures of a client that has proved itself."""
        self._recalled = tuple(each for each in self._recalled if each[:3] != (peer, client, server))
        self._records.pop((peer, client, server), None)

    def _settle(self, now: float) -> None:
        """Count what was recalled by the clock of this process."""
        recalled, self._recalled = self._recalled, ()
        for peer, client, server, failures, locks, until, last in recalled:
            self._last = now
            self._records[peer, client, server] = _Record(failures, locks, now + until, now + last)

    def _make_room(self) -> None:
        while len(self._records) >= self._limits.remembered:
            del self._records[next(iter(self._records))]
