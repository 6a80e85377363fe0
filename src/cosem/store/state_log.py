"""The log that one copy of a meter's state is: commits one behind the other, each with a digest of all before it.

A commit is its length (4 octets), its number (8), its changes, and the SHA-256 of all that stands before it in the log.
A change is the length of a name (2), the name, the length of its octets (4; all ones: the entry is taken away) and
these. Where a digest does not fit, the log ends: what is behind it was never finished, or is damaged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from cosem.errors import ConfigurationError

TITLE: Final = b"cosem meter state 1\n"
LONGEST_NAME: Final = 0xFFFF

_NUMBER: Final = 8
_LENGTH: Final = 4
_NAME: Final = 2
_DIGEST: Final = 32
_GONE: Final = 0xFFFF_FFFF
_LAST_NUMBER: Final = (1 << 63) - 1


class Log:
    """What a log holds after its last commit, and whether it is known to stand so in its file.

    Attributes:
        entries: by their names.
        held: octets of the entries themselves.
        number: that of the last commit.
        length: octets of the file, 0 where it must be written anew.
    """

    def __init__(
        self, entries: dict[str, bytes] | None = None, number: int = 0, length: int = 0, digest: bytes = b""
    ) -> None:
        self.entries = {} if entries is None else entries
        self.held = sum(len(name) + len(octets) for name, octets in self.entries.items())
        self.number = number
        self.length = length
        self.digest = digest

    def record(self, changes: Mapping[str, bytes | None]) -> bytes:
        """Return the octets of the commit that makes these changes."""
        return _commit(self.digest, self.number + 1, changes)

    def whole(self, changes: Mapping[str, bytes | None]) -> bytes:
        """Return the octets of a file that holds all with these changes by one commit."""
        return TITLE + _commit(_digest(b"", TITLE), self.number + 1, _apply(dict(self.entries), changes))

    @property
    def as_it_is(self) -> bytes:
        """The octets of a file that holds all as it is after the last commit."""
        return TITLE + _commit(_digest(b"", TITLE), self.number, dict(self.entries))

    def written(self, changes: Mapping[str, bytes | None], octets: bytes, *, anew: bool) -> None:
        """Take note that the changes were written, by a record or by a whole file."""
        for name, value in changes.items():
            before = self.entries.get(name)
            self.held -= 0 if before is None else len(name) + len(before)
            self.held += 0 if value is None else len(name) + len(value)
        _apply(self.entries, changes)
        self.number += 1
        self.length = len(octets) + (0 if anew else self.length)
        self.digest = octets[-_DIGEST:]

    def unknown(self) -> Log:
        """Return the same, of which nobody knows what stands in the file."""
        self.length = 0
        return self


class Copy(NamedTuple):
    """What can be read of one copy: the log as far as its digests fit, and whether that is all of it."""

    log: Log
    whole: bool


def read(octets: bytes) -> Copy:
    """Return what can be read of a copy, whatever the octets."""
    if not octets.startswith(TITLE):
        return Copy(Log(), whole=False)
    at, digest = len(TITLE), _digest(b"", TITLE)
    entries: dict[str, bytes] = {}
    number, first = 0, True
    while at < len(octets):
        length = int.from_bytes(octets[at : at + _LENGTH], "big")
        end = at + _LENGTH + _NUMBER + length
        found = octets[end : end + _DIGEST]
        if len(found) != _DIGEST or found != _digest(digest, octets[at:end]):
            break
        present = int.from_bytes(octets[at + _LENGTH : at + _LENGTH + _NUMBER], "big")
        changes = _changes(octets[at + _LENGTH + _NUMBER : end])
        if changes is None or (not first and present != number + 1):
            break
        _apply(entries, changes)
        number, digest, at, first = present, found, end + _DIGEST, False
    if first:
        return Copy(Log(), whole=False)
    return Copy(Log(entries, number, at, digest), whole=at == len(octets))


def judge(first: Copy | None, second: Copy | None, where: str) -> tuple[Log, str | None]:
    """Return what to go on with, and what was wrong, where something was that no interruption explains.

    Raises ConfigurationError when no copy is whole.
    """
    if first is None and second is None:
        return Log(), None
    copies = [copy for copy in (first, second) if copy is not None]
    whole = [copy.log for copy in copies if copy.whole]
    if not whole:
        raise ConfigurationError(
            f"{where}: every copy of the state is damaged: put back a whole one, or move them away for a meter that is "
            "new, with keys that were never used"
        )
    best = max(whole, key=lambda log: log.number)
    if any(copy.log.number > best.number for copy in copies):
        raise ConfigurationError(f"{where}: the newer copy of the state is damaged, and the other one is an old one")
    if any(log.number == best.number and log.entries != best.entries for log in whole):
        raise ConfigurationError(f"{where}: the two copies of the state do not agree")
    if first is not None and second is not None and all(copy.whole for copy in copies):
        if (first.log.digest, first.log.length) == (second.log.digest, second.log.length):
            return best, None
        if first.log.number == second.log.number + 1 or first.log.number == second.log.number:
            return best.unknown(), None  # somebody died between the two
    return best.unknown(), _finding(first, second, best)


def _finding(first: Copy | None, second: Copy | None, best: Log) -> str | None:
    if second is None and first is not None and first.log.number <= 1:
        return None  # the very first write was interrupted
    for copy, name in ((first, "first"), (second, "second")):
        if copy is None:
            return f"the {name} copy of the state is missing"
        if not copy.whole:
            # Of the commit under way the first copy may have a part, or all of it and the second one a part.
            behind = best.number - copy.log.number
            interrupted = behind == (0 if name == "first" else 1)
            return None if interrupted else f"the {name} copy of the state is damaged"
    assert first is not None and second is not None
    return f"the {'first' if first.log.number < second.log.number else 'second'} copy of the state is an old one"


def _commit(before: bytes, number: int, changes: Mapping[str, bytes | None]) -> bytes:
    assert 0 <= number <= _LAST_NUMBER
    parts = bytearray()
    for name, octets in sorted(changes.items()):
        named = name.encode()
        parts += len(named).to_bytes(_NAME, "big") + named
        parts += (_GONE if octets is None else len(octets)).to_bytes(_LENGTH, "big") + (octets or b"")
    body = len(parts).to_bytes(_LENGTH, "big") + number.to_bytes(_NUMBER, "big") + bytes(parts)
    return body + _digest(before, body)


def _changes(octets: bytes) -> dict[str, bytes | None] | None:
    """Return the changes of a commit whose digest fits; None where they are not of this form all the same."""
    changes: dict[str, bytes | None] = {}
    at = 0
    while at < len(octets):
        end = at + _NAME + int.from_bytes(octets[at : at + _NAME], "big")
        name, length = octets[at + _NAME : end], int.from_bytes(octets[end : end + _LENGTH], "big")
        at = end + _LENGTH + (0 if length == _GONE else length)
        if at > len(octets):
            return None
        try:
            changes[name.decode()] = None if length == _GONE else octets[end + _LENGTH : at]
        except UnicodeDecodeError:
            return None
    return changes


def _apply(entries: dict[str, bytes], changes: Mapping[str, bytes | None]) -> dict[str, bytes]:
    for name, octets in changes.items():
        if octets is None:
            entries.pop(name, None)
        else:
            entries[name] = octets
    return entries


def _digest(before: bytes, body: bytes) -> bytes:
    return hashlib.sha256(before + body).digest()
