"""Service-specific block transfer: long values leave and arrive in numbered blocks, strictly in order.

The two machines here do not know which service they serve, nor on which side. (IEC 62056-5-3, block transfer of GET,
SET and ACTION.)
"""

from __future__ import annotations

from dataclasses import dataclass

from cosem.errors import DecodeError, LocalProtocolError, RemoteProtocolError

FIRST_BLOCK_NUMBER = 1

BLOCK_OVERHEAD = 12
"""Octets around the raw data of a block: tag, choice, invoke-id, last-block, block number, choice, three of length."""

LENGTH_GROWTH = 2
"""Octets by which the length of raw data may grow beyond that of none."""

ENVELOPE_OVERHEAD = 31
"""The most octets an envelope adds: tag, title with its length, three of length, header of five, tag of twelve."""


def longest_plain(max_pdu_size: int, *, protected: bool, envelope: int = ENVELOPE_OVERHEAD) -> int | None:
    """Return how long an APDU may be before its envelope, or None where the peer sets no limit (0)."""
    if max_pdu_size == 0:
        return None
    return max_pdu_size - (envelope if protected else 0)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a long value: `number` counts from 1, `last` marks the end."""

    last: bool
    number: int
    octets: bytes


class Outgoing:
    """Cuts `octets` into blocks that fit into APDUs of `longest` octets; one block is handed out at a time.

    `first_overhead` is what stands around the raw data in the first block where that is more than in the others.
    """

    def __init__(self, octets: bytes, longest: int, first_overhead: int = BLOCK_OVERHEAD) -> None:
        self._room = longest - first_overhead
        self._later_room = longest - BLOCK_OVERHEAD
        if self._room < 1 or self._later_room < 1:
            raise LocalProtocolError("the negotiated PDU size leaves no room for a block")
        self._octets = octets
        self._offset = 0
        self.number = FIRST_BLOCK_NUMBER - 1

    @property
    def finished(self) -> bool:
        """True once the last block was handed out."""
        return self.number >= FIRST_BLOCK_NUMBER and self._offset >= len(self._octets)

    def following(self) -> Block:
        """Return the next block."""
        assert not self.finished
        chunk = self._octets[self._offset : self._offset + self._room]
        self._offset += len(chunk)
        self._room = self._later_room
        self.number += 1
        return Block(self._offset >= len(self._octets), self.number, chunk)


class Incoming:
    """Joins blocks; anything but the next number, an empty block before the last, or too much in total is refused.

    `limit` is the most octets in all, `blocks` the most blocks, so that a peer that sends octet by octet ends too.
    """

    def __init__(self, limit: int, blocks: int) -> None:
        self._limit = limit
        self._blocks = blocks
        self._chunks: list[bytes] = []
        self._total = 0
        self.number = FIRST_BLOCK_NUMBER - 1

    def add(self, block: Block) -> bytes | None:
        """Take one block; return the whole value when it was the last one.

        Raises:
            RemoteProtocolError: the number is not the next one, or the block is empty and not the last.
            DecodeError: the value grows beyond the limits for a reassembled transfer.
        """
        if block.number != self.number + 1:
            raise RemoteProtocolError(f"block {block.number} where block {self.number + 1} was due")
        if not block.octets and not block.last:
            raise RemoteProtocolError(f"block {block.number} is empty and not the last")
        if block.number > self._blocks:
            raise DecodeError(f"more than {self._blocks} blocks in one transfer")
        self._total += len(block.octets)
        if self._total > self._limit:
            raise DecodeError(f"more than {self._limit} octets in one block transfer")
        self.number = block.number
        self._chunks.append(block.octets)
        return b"".join(self._chunks) if block.last else None
