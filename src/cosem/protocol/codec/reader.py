"""Limits for decoding, and the length octets that A-XDR and its strings and sequences share.

Every decoder works on `bytes` with an offset and checks a length against the octets that are left before it loops
or allocates, so the work done is bounded by what was received.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cosem.errors import DecodeError, LocalProtocolError

Octets: TypeAlias = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may cost: containers inside each other, octets read, values made.

    `nodes` counts every value and container; None means `NODES_PER_OCTET` for each octet given, which only a compact
    array that expands to far more than was sent can exceed.
    """

    depth: int = 32
    octets: int = 64 * 1024
    nodes: int | None = None

    def node_budget(self, octets: int) -> int:
        """Return how many values may come out of so many octets."""
        return self.nodes if self.nodes is not None else octets * NODES_PER_OCTET


NODES_PER_OCTET = 4
DEFAULT = Limits()
"""For one APDU."""
TRANSFER = Limits(octets=16 * 1024 * 1024)
"""For a value reassembled from blocks."""


def admit(octets: Octets, offset: int, limits: Limits) -> bytes:
    """Return `octets` as bytes after checking `offset` and the size against `limits`: the door of every decoder."""
    if not isinstance(octets, bytes):
        octets = bytes(octets)
    if not 0 <= offset <= len(octets):
        raise DecodeError(f"need an octet to start at, have {len(octets)} octets", offset)
    if len(octets) - offset > limits.octets:
        raise DecodeError(f"at most {limits.octets} octets are decoded at once, have {len(octets) - offset}", offset)
    return octets


def length(octets: bytes, offset: int) -> tuple[int, int]:
    """Read a length at `offset` and return it with the offset after it; the length fits into the octets left."""
    n, offset = count(octets, offset)
    if n > len(octets) - offset:
        raise DecodeError(f"need {n} octets, have {len(octets) - offset}", offset)
    return n, offset


def count(octets: bytes, offset: int) -> tuple[int, int]:
    """Read length octets at `offset` without comparing them with the octets left: bits are counted so, for one.

    One octet below 0x80 is the number itself; 0x81 to 0x84 announce one to four octets of it. Longer forms than
    needed are accepted, since meters send them; `put_length` writes the shortest.
    """
    if offset >= len(octets):
        raise DecodeError("need a length, have no octet left", offset)
    first = octets[offset]
    if first < 0x80:
        return first, offset + 1
    size = first & 0x7F
    if not 1 <= size <= _LONGEST:
        raise DecodeError(f"a length starts with 0x00 to 0x7F or 0x81 to 0x84, not 0x{first:02X}", offset)
    stop = offset + 1 + size
    if stop > len(octets):
        raise DecodeError(f"need {size} octets of length, have {len(octets) - offset - 1}", offset + 1)
    return int.from_bytes(octets[offset + 1 : stop], "big"), stop


def put_length(n: int, out: bytearray) -> None:
    """Append the shortest form of the length `n` to `out`."""
    if n < 0x80:
        if n < 0:
            raise LocalProtocolError(f"a length is not negative: {n}")
        out.append(n)
        return
    size = (n.bit_length() + 7) // 8
    if size > _LONGEST:
        raise LocalProtocolError(f"a length has at most {_LONGEST} octets: {n}")
    out.append(0x80 | size)
    out += n.to_bytes(size, "big")


_LONGEST = 4
