"""What people paste: octets in hexadecimal with all that logs, manuals and programming languages put around them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cosem.errors import ConfigurationError
from cosem.io.capture import parse_trace

SHORTEST: Final = 4
"""Octets that a run of hex digits in a line of prose must have at least; a shorter one is a word or a number."""


@dataclass(frozen=True, slots=True)
class Part:
    """Octets that belong together; `direction` is TX or RX where a trace says so."""

    octets: bytes
    direction: str = ""
    time: str = ""


def parts(text: str) -> list[Part]:
    """Return the octets in a paste: of a trace one part for each turn, of a log one for each line.

    Raises ConfigurationError when there are none, or a digit is missing.
    """
    lines = text.splitlines()
    found = _turns(lines) or _dump(lines)
    if found:
        return found
    whole = _digits(text)
    if whole is not None:
        return [Part(bytes.fromhex(whole))]
    found = [Part(octets) for line in lines if (octets := _octets_in(line))]
    if not found:
        raise ConfigurationError("there are no octets in hexadecimal; write for example: 7E A0 07 03 21 93 0F 01 7E")
    return found


def _turns(lines: list[str]) -> list[Part]:
    """Return a trace with the pieces of one turn put together: a stream is read as it comes, not frame by frame."""
    try:
        entries = parse_trace(lines)
    except ConfigurationError:
        return []  # Prose may begin with the same words; then it is a log.
    turns: list[Part] = []
    for entry in entries:
        if turns and turns[-1].direction == entry.direction:
            turns[-1] = Part(turns[-1].octets + entry.octets, entry.direction, turns[-1].time)
        elif entry.octets:
            turns.append(Part(entry.octets, entry.direction, entry.time))
    return turns


def _dump(lines: list[str]) -> list[Part]:
    """Return the octets of a hex dump, whose lines begin with the offset of what follows; empty for anything else."""
    dumped = bytearray()
    for line in filter(str.strip, lines):
        offset = _OFFSET.match(line)
        octets = _octets_in(line[offset.end() :], shortest=1) if offset else b""
        if offset is None or int(offset[1], 16) != len(dumped) or not octets:
            return []
        dumped += octets
    return [Part(bytes(dumped))] if dumped else []


def _digits(text: str) -> str | None:
    """Return the digits of a text that is nothing but octets, None when it is anything else."""
    digits = _FILLING.sub("", text)
    if not _HEX.fullmatch(digits):
        return None
    if len(digits) % 2:
        raise ConfigurationError(f"there are {len(digits)} hex digits, an odd number: one is missing or too many")
    return digits


def _octets_in(line: str, shortest: int = SHORTEST) -> bytes:
    """Return the longest run of octets in a line of a log: words of two, of four, or of eight digits and more."""
    longest = run = ""
    before = 0
    for word in _BETWEEN.split(_STAMP.sub(" | ", line)):
        digits = _PREFIX.sub("", word)
        size = min(len(digits), 8) if len(digits) % 2 == 0 and _HEX.fullmatch(digits) else 0
        if size not in _WORDS:
            digits, size = "", 0
        run = run + digits if size == before else digits
        before = size
        longest = max(longest, run, key=len)
    return bytes.fromhex(longest) if len(longest) >= 2 * shortest else b""


_FILLING: Final = re.compile(r"""0x|\\x|b(?=['"])|[\s:,;\-_.'"(){}\[\]]""", re.IGNORECASE)
_PREFIX: Final = re.compile(r"0x|\\x", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"""[\s:,;\-='"(){}\[\]<>]+""")
_HEX: Final = re.compile(r"[0-9a-fA-F]+")
_WORDS: Final = (2, 4, 8)
_OFFSET: Final = re.compile(r"\s*(?:0x)?([0-9a-fA-F]{4,8}):?\s+")
_STAMP: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]|$)|\d{1,2}\.\d{1,2}\.\d{4}|\d{1,2}:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
)
