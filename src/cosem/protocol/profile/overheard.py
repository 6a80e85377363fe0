"""What a line carries, told from its octets alone: their number, their silences, and the telegrams they are known by.

    overheard = Overheard()
    for name in overheard.receive(octets, now): …      what has just become whole
    overheard.counters                                 how often each was there

Nothing is decoded here: a telegram is known by its frame and its check.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from cosem.protocol.link.hdlc.fcs import is_good

LONGEST: Final = 2050
"""Octets that are kept to find a frame in: those of the longest HDLC frame with its flags."""

GAP: Final = 1.5
"""Seconds of silence after which octets belong to another message; IEC 62056-21 allows no longer ones in a message."""

ENOUGH: Final = 16
"""Octets that must agree before anything is said of their parity."""


class Known(NamedTuple):
    """A telegram that was recognised, with the place of its octets among all that were heard."""

    name: str
    start: int
    end: int


@dataclass(slots=True)
class Quality:
    """What was heard of a line."""

    octets: int = 0
    gaps: int = 0
    """Silences longer than `GAP` between octets."""
    longest_gap: float = 0.0
    unknown: int = 0
    """Octets that belong to no telegram that was recognised."""
    even: int = 0
    """Octets whose eight bits have an even number of ones, as all those of 7E1 have that are read at 8N1."""


class Overheard:
    """Takes the octets of a line and recognises telegrams in them; any octets will do."""

    def __init__(self) -> None:
        self.quality = Quality()
        self.counters: Counter[str] = Counter()
        self._buffer = bytearray()
        self._start = 0
        """The place of the buffer's first octet among all that were heard."""
        self._heard: float | None = None

    def receive(self, octets: bytes, now: float) -> list[Known]:
        """Take octets, and return the telegrams that have become whole with them, in order."""
        quality = self.quality
        if self._heard is not None and now - self._heard > GAP:
            quality.gaps += 1
            quality.longest_gap = max(quality.longest_gap, now - self._heard)
        self._heard = now
        quality.octets += len(octets)
        quality.even += len(octets.translate(None, _ODD))
        self._buffer += octets
        found = self._recognise()
        surplus = len(self._buffer) - LONGEST
        if surplus > 0:
            self._drop(surplus)
        quality.unknown = quality.octets - self._recognised
        return found

    def looks_like_parity(self) -> bool:
        """Tell whether what is read at eight bits looks like characters of seven bits with even parity."""
        return self.quality.octets >= ENOUGH and self.quality.even == self.quality.octets and self._has_high_bits

    _recognised = 0
    _has_high_bits = False

    def _recognise(self) -> list[Known]:
        self._has_high_bits = self._has_high_bits or any(octet >= 0x80 for octet in self._buffer)
        found: list[Known] = []
        at = 0
        while (begin := _BEGIN.search(self._buffer, at)) is not None:
            at = begin.start() + 1
            for name, recognise in _KNOWN:
                end = recognise(self._buffer, begin.start())
                if end:
                    found.append(Known(name, self._start + begin.start(), self._start + end))
                    self.counters[name] += 1
                    # The closing flag of an HDLC frame may open the next one, and is looked at again.
                    shared = name == HDLC
                    self._recognised += end - begin.start() - shared
                    self._drop(end - shared)
                    at = 0
                    break
        return found

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._start += count


HDLC: Final = "HDLC frame"


def _hdlc(octets: bytearray, at: int) -> int:
    if octets[at] != 0x7E or len(octets) < at + 3 or octets[at + 1] & 0xF0 != 0xA0:
        return 0
    end = at + 1 + ((octets[at + 1] & 0x07) << 8 | octets[at + 2])
    if end - at < 8 or len(octets) <= end or octets[end] != 0x7E:
        return 0
    return end + 1 if is_good(bytes(octets[at + 1 : end])) else 0


def _matched(pattern: bytes) -> Callable[[bytearray, int], int]:
    compiled = re.compile(pattern, re.DOTALL)

    def recognise(octets: bytearray, at: int) -> int:
        found = compiled.match(octets, at)
        return 0 if found is None else found.end()

    return recognise


def _with_parity(pattern: bytes) -> Callable[[bytearray, int], int]:
    """Recognise text of seven bits with even parity that is read at eight bits."""
    compiled = re.compile(pattern, re.DOTALL)

    def recognise(octets: bytearray, at: int) -> int:
        if octets[at] < 0x80:
            return 0
        found = compiled.match(bytes(octets[at : at + 64]).translate(_SEVEN_BITS))
        return 0 if found is None else at + found.end()

    return recognise


def _mbus_short(octets: bytearray, at: int) -> int:
    frame = octets[at : at + 5]
    return (
        at + 5
        if len(frame) == 5 and frame[0] == 0x10 and frame[4] == 0x16 and sum(frame[1:3]) & 0xFF == frame[3]
        else 0
    )


def _mbus_long(octets: bytearray, at: int) -> int:
    if len(octets) < at + 4 or octets[at] != 0x68 or octets[at + 3] != 0x68 or octets[at + 1] != octets[at + 2]:
        return 0
    end = at + 4 + octets[at + 1] + 2
    if octets[at + 1] < 3 or len(octets) < end or octets[end - 1] != 0x16:
        return 0
    return end if sum(octets[at + 4 : end - 2]) & 0xFF == octets[end - 2] else 0


_ODD: Final = bytes(octet for octet in range(256) if octet.bit_count() % 2)
_SEVEN_BITS: Final = bytes(octet & 0x7F if octet.bit_count() % 2 == 0 else 0xFF for octet in range(256))
_IDENTIFICATION: Final = rb"/[A-Za-z]{3}[0-9A-Z][ -~]{0,24}\r\n"
_SIGN_ON: Final = rb"/\?[ -~]{0,32}!\r\n"

_BEGIN: Final = re.compile(rb"[~/\xaf\x1b\x10h!]")
_KNOWN: Final[tuple[tuple[str, Callable[[bytearray, int], int]], ...]] = (
    (HDLC, _hdlc),
    ("IEC 62056-21 sign-on", _matched(_SIGN_ON)),
    ("IEC 62056-21 identification", _matched(_IDENTIFICATION)),
    ("IEC 62056-21 sign-on, 7E1 read as 8N1", _with_parity(_SIGN_ON)),
    ("IEC 62056-21 identification, 7E1 read as 8N1", _with_parity(_IDENTIFICATION)),
    ("P1 end of telegram", _matched(rb"![0-9A-F]{4}\r\n")),
    ("SML escape and start", _matched(rb"\x1b{4}\x01{4}")),
    ("SML escape and end", _matched(rb"\x1b{4}\x1a[\x00-\x03]..")),
    ("M-Bus short frame", _mbus_short),
    ("M-Bus long frame", _mbus_long),
)
"""What telegrams are called, and what tells where one ends that begins at a place; 0 where none does (yet)."""
