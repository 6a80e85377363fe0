"""Frames of IEC 60870-5-104 (APCI) and the header of what they carry (ASDU)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from cosem.errors import DecodeError

START: Final = 0x68
MOST: Final = 253
"""Octets of an APDU after start and length."""
HEADER: Final = 6
ROOM: Final = MOST - 4 - HEADER
"""Octets for information objects in one ASDU."""
MODULUS: Final = 1 << 15


class Function(IntEnum):
    """What an unnumbered frame asks for or confirms."""

    STARTDT_ACT = 0x07
    STARTDT_CON = 0x0B
    STOPDT_ACT = 0x13
    STOPDT_CON = 0x23
    TESTFR_ACT = 0x43
    TESTFR_CON = 0x83


@dataclass(frozen=True, slots=True)
class Information:
    """A numbered frame: its own number, what it acknowledges, and its ASDU."""

    send: int
    receive: int
    asdu: bytes

    def encode(self) -> bytes:
        """Return its octets."""
        return struct.pack("<BBHH", START, len(self.asdu) + 4, self.send << 1, self.receive << 1) + self.asdu


@dataclass(frozen=True, slots=True)
class Supervisory:
    """An acknowledgement of all frames before `receive`."""

    receive: int

    def encode(self) -> bytes:
        """Return its octets."""
        return struct.pack("<BBHH", START, 4, 1, self.receive << 1)


@dataclass(frozen=True, slots=True)
class Unnumbered:
    """A frame that begins, ends or tests the transfer of data."""

    function: Function

    def encode(self) -> bytes:
        """Return its octets."""
        return bytes([START, 4, self.function, 0, 0, 0])


Frame = Information | Supervisory | Unnumbered


class FrameReader:
    """Cuts a stream into frames; holds no more than one frame that is not whole.

    `take` raises DecodeError where the stream is not one of IEC 60870-5-104; nothing can be made of it after that.
    """

    __slots__ = ("_octets",)

    def __init__(self) -> None:
        self._octets = bytearray()

    def take(self, octets: bytes) -> list[Frame]:
        """Return the frames that are whole now."""
        self._octets += octets
        frames: list[Frame] = []
        held, at = self._octets, 0
        while len(held) - at >= 2:
            if held[at] != START:
                raise DecodeError(f"a frame begins with {held[at]:#04x}, not 0x68")
            length = held[at + 1]
            if not 4 <= length <= MOST:
                raise DecodeError(f"a frame of {length} octets; 4 to {MOST} are possible")
            if len(held) - at < 2 + length:
                break
            frames.append(_frame(bytes(held[at + 2 : at + 2 + length])))
            at += 2 + length
        del held[:at]
        return frames


def _frame(octets: bytes) -> Frame:
    first, second = struct.unpack_from("<HH", octets)
    if not first & 1:
        if second & 1 or len(octets) < 4 + HEADER:
            raise DecodeError("a numbered frame without an ASDU")
        return Information(first >> 1, second >> 1, octets[4:])
    if len(octets) != 4:
        raise DecodeError("a frame without number carries octets")
    if first & 3 == 1:
        return Supervisory(second >> 1)
    try:
        return Unnumbered(Function(octets[0]))
    except ValueError:
        raise DecodeError(f"an unnumbered frame with {octets[0]:#04x}") from None


class Cause(IntEnum):
    """Causes of transmission."""

    PERIODIC = 1
    SPONTANEOUS = 3
    INITIALIZED = 4
    REQUEST = 5
    ACTIVATION = 6
    ACTIVATION_CON = 7
    DEACTIVATION = 8
    DEACTIVATION_CON = 9
    ACTIVATION_TERMINATION = 10
    INTERROGATED = 20
    COUNTER_INTERROGATED = 37
    UNKNOWN_TYPE = 44
    UNKNOWN_CAUSE = 45
    UNKNOWN_COMMON_ADDRESS = 46
    UNKNOWN_OBJECT_ADDRESS = 47


@dataclass(frozen=True, slots=True)
class Asdu:
    """A data unit: what type and how many objects, why it is sent, of whom, and the objects' octets."""

    type_id: int
    count: int
    cause: int
    common_address: int
    objects: bytes
    negative: bool = False
    test: bool = False
    originator: int = 0
    sequence: bool = False

    def encode(self) -> bytes:
        """Return its octets."""
        cause = self.cause | (0x40 if self.negative else 0) | (0x80 if self.test else 0)
        count = self.count | (0x80 if self.sequence else 0)
        return struct.pack("<BBBBH", self.type_id, count, cause, self.originator, self.common_address) + self.objects

    @classmethod
    def decode(cls, octets: bytes) -> Asdu:
        """Read one. The caller has seen to it that the header is whole."""
        type_id, count, cause, originator, common_address = struct.unpack_from("<BBBBH", octets)
        return cls(
            *(type_id, count & 0x7F, cause & 0x3F, common_address, octets[HEADER:]),
            negative=bool(cause & 0x40),
            test=bool(cause & 0x80),
            originator=originator,
            sequence=bool(count & 0x80),
        )

    def answered(self, cause: int, *, negative: bool = False) -> Asdu:
        """Return the same unit as an answer to it."""
        return replace(self, cause=cause, negative=negative)

    @property
    def address(self) -> int:
        """The address of the first object."""
        return int.from_bytes(self.objects[:3], "little")
