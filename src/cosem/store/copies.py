"""Invocation counters as text, two copies of which watch over each other: what each holds, and whether to believe it.

A copy is a header, one line for each counter and a digest of all; header and lines have a check of their own, so that
what is left of a damaged copy is still of use. The first copy is written and made durable, then the second one, which
names the very file that the first one is (`Disk.identity`), and only then is a number given out. So:

* the first copy one generation ahead of the second: somebody died between the two. Nothing was given out, nothing is
  lost;
* one copy damaged, gone, or further behind the other: it is not believed;
* two copies that agree, but the first one is another file than the second one names: both were put back from a backup,
  or copied to another machine.

In all cases but the first, every counter skips ahead of the greatest number that can be read, and one that is not
there begins as far from 0, for it may have been used since.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from cosem.errors import ConfigurationError
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM

SKIP: Final = 1 << 16
"""How far a counter skips ahead where what is stored may be older than what was used."""

NOBODY: Final = "-"
"""The identity that the first copy names: there is none before it."""

OTHERS: Final = "*"
"""The entry for every name that has none: above 0 once a store was found to be old, which may have lost some names."""

_TITLE: Final = "cosem invocation counters 2"
_HEADER: Final = re.compile(rf"{_TITLE} generation ([0-9]{{1,19}}) entries ([0-9]{{1,9}}) after (\S{{1,80}})")
_LINE: Final = re.compile(r"(\S{1,200}) ([0-9]{1,10})")
_CHECK_DIGITS: Final = 16


class Copy(NamedTuple):
    """What can be read of one copy: `whole` when all of it can, `stated` entries when the header can be read."""

    entries: Mapping[str, int]
    generation: int
    stated: int | None
    after: str
    whole: bool


class Judged(NamedTuple):
    """What to go on with: the next number of each name; `finding` says what was wrong, where something was."""

    entries: dict[str, int]
    generation: int
    finding: str | None


def written(entries: Mapping[str, int], generation: int, after: str) -> bytes:
    """Return the octets of a copy; `after` is the identity of the one that was written before it."""
    lines = [f"{_TITLE} generation {generation} entries {len(entries)} after {after}"]
    lines += [f"{name} {following}" for name, following in sorted(entries.items())]
    body = "\n".join(f"{line} {check(line)}" for line in lines)
    return f"{body}\n{_digest(body)}\n".encode()


def read(octets: bytes) -> Copy:
    """Return what can be read of a copy, whatever the octets."""
    body, _, digest = octets.decode("ascii", "replace").removesuffix("\n").rpartition("\n")
    lines = body.split("\n")
    header = _HEADER.fullmatch(_checked(lines[0]))
    entries = dict(_entries(lines[1:]))
    if header is None:
        return Copy(entries, 0, None, NOBODY, whole=False)
    generation, stated = int(header[1]), int(header[2])
    whole = digest == _digest(body) and len(entries) == stated == len(lines) - 1
    return Copy(entries, generation, stated, header[3], whole)


def judge(first: Copy | None, second: Copy | None, identity: str, skip: int = SKIP) -> Judged:
    """Return what to go on with; `identity` is that of the file which the first copy was read from.

    Raises ConfigurationError when counters may have been lost altogether.
    """
    if first is None and second is None:
        return Judged({}, 0, None)
    entries: dict[str, int] = {}
    for copy in (first, second):
        for name, following in () if copy is None else copy.entries.items():
            entries[name] = max(following, entries.get(name, 0))
    finding = _finding(first, second, identity)
    copies = [copy for copy in (first, second) if copy is not None]
    if finding is None:
        # Where a second copy is behind, its generation is repeated: so the first is never ahead by more than one.
        return Judged(entries, 0 if second is None else second.generation, None)
    stated = [copy.stated for copy in copies if copy.stated is not None]
    if not any(copy.whole for copy in copies) and (not stated or len(entries) < max(stated)):
        raise ConfigurationError(
            "both copies of the invocation counters are damaged, and some counters cannot be read at all: move the "
            "files away and give each meter's counter anew, above the last one it has seen"
        )
    return Judged(ahead(entries, skip), max(copy.generation for copy in copies), finding)


def ahead(entries: Mapping[str, int], skip: int) -> dict[str, int]:
    """Return every counter raised by `skip`, but not past the end; those that are not there among them."""
    return {name: min(following + skip, COUNTER_MAXIMUM + 1) for name, following in {OTHERS: 0, **entries}.items()}


def following_of(name: str, entries: Mapping[str, int]) -> int:
    """Return the next number of a name, whether it was ever used or not."""
    return entries.get(name, entries.get(OTHERS, 0))


def check(line: str) -> str:
    """Return the check of one line."""
    return hashlib.sha256(line.encode()).hexdigest()[:_CHECK_DIGITS]


def _finding(first: Copy | None, second: Copy | None, identity: str) -> str | None:
    """Say what is wrong with two copies, at least one of which is there; None when nothing is."""
    if first is not None and first.whole and first.generation == 1 and second is None:
        return None  # the very first write was interrupted
    for copy, name in ((first, "first"), (second, "second")):
        if copy is None or not copy.whole:
            return f"the {name} copy is {'missing' if copy is None else 'damaged'}"
    assert first is not None and second is not None
    if first.generation == second.generation + 1:
        return None
    if first.generation != second.generation:
        return f"the {'first' if first.generation < second.generation else 'second'} copy is an old one"
    if first.entries != second.entries:
        return "the copies do not agree"
    if second.after != identity:
        return "both copies were put back from a backup or copied from elsewhere"
    return None


def _entries(lines: Iterable[str]) -> Iterable[tuple[str, int]]:
    for line in lines:
        entry = _LINE.fullmatch(_checked(line))
        if entry is not None:
            yield entry[1], int(entry[2])


def _checked(line: str) -> str:
    """Return a line without its check, or nothing when the check does not fit."""
    text, _, found = line.rpartition(" ")
    return text if found == check(text) else ""


def _digest(body: str) -> str:
    return f"sha256 {hashlib.sha256(body.encode()).hexdigest()}"
