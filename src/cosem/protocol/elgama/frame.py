"""Frames of the Elgama byte protocol (EXPERIMENTAL): length, station, counter, command, octets, CRC-16/ARC.

    0E 48 59 92 00 00 00 01 01 80 0A 00 CB 0A
    │  └ serial 925948 ┘ │  │  └ table ┘ └ CRC, low octet first
    └ all octets         │  └ ENQ
                         └ rolling counter

The base frame of IEC 62056-3-1 is like it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.codec.crc import crc16_arc

LAYER: Final = "Elgama frame"
ADDRESS_OCTETS: Final = 6
GREATEST_SERIAL: Final = 10 ** (2 * ADDRESS_OCTETS) - 1
HEAD_OCTETS: Final = 1 + ADDRESS_OCTETS + 2
CRC_OCTETS: Final = 2
SHORTEST: Final = HEAD_OCTETS + CRC_OCTETS
LONGEST: Final = 0xFF
LONGEST_BODY: Final = LONGEST - SHORTEST


class Command(IntEnum):
    """What a frame is."""

    ENQ = 0x01
    """The client asks for a table."""
    DAT = 0x02
    """The station answers with data."""
    REC = 0x03
    """The client asks for something protected."""
    ECO = 0x04
    """The station answers that with its proof and a challenge."""
    AUT = 0x05
    """The client proves itself."""
    EOS = 0x06
    """The end."""
    ARJ = 0x0A
    """The station does not accept the proof."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: the `serial` number of the station, the rolling `counter`, `command` and the octets behind it.

    Raises ConfigurationError where a field does not fit.
    """

    serial: int
    counter: int
    command: Command
    body: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.serial <= GREATEST_SERIAL:
            raise ConfigurationError(f"serial number {self.serial}: expected at most {2 * ADDRESS_OCTETS} digits")
        if not 0 <= self.counter <= 0xFF:
            raise ConfigurationError(f"counter {self.counter}: expected 0 to 255")
        if len(self.body) > LONGEST_BODY:
            raise ConfigurationError(
                f"{len(self.body)} octets do not fit into a frame: expected {LONGEST_BODY} at most"
            )

    def encode(self) -> bytes:
        """Return the octets of the frame."""
        head = bytes((SHORTEST + len(self.body), *_address(self.serial), self.counter, self.command))
        octets = head + self.body
        return octets + crc16_arc(octets).to_bytes(CRC_OCTETS, "little")

    @classmethod
    def decode(cls, octets: bytes) -> Frame:
        """Return the frame that `octets` are, all of them. Raises DecodeError."""
        if len(octets) < SHORTEST or octets[0] != len(octets):
            raise DecodeError(f"{len(octets)} octets are no frame of the length it gives", 0, layer=LAYER)
        if crc16_arc(octets[:-CRC_OCTETS]) != int.from_bytes(octets[-CRC_OCTETS:], "little"):
            raise DecodeError("the CRC is wrong", len(octets) - CRC_OCTETS, layer=LAYER)
        digits = octets[ADDRESS_OCTETS:0:-1].hex()
        if not digits.isdecimal():
            raise DecodeError(f"the serial number {digits} is not decimal", 1, layer=LAYER)
        code = octets[HEAD_OCTETS - 1]
        if code not in _COMMANDS:
            raise DecodeError(f"command {code:#04x} is not known", HEAD_OCTETS - 1, layer=LAYER)
        return cls(int(digits), octets[HEAD_OCTETS - 2], Command(code), bytes(octets[HEAD_OCTETS:-CRC_OCTETS]))


class FrameReader:
    """Finds frames in a stream of octets: what is no frame is passed over octet by octet, and counted.

    It never holds more than it was fed at once and one frame. `counters`: "noise" octets, "unreadable" frames.
    """

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._octets = bytearray()

    def feed(self, octets: bytes) -> None:
        """Take octets from the stream."""
        self._octets += octets

    def frame(self) -> Frame | None:
        """Return the next frame, None until there is one."""
        octets, at = self._octets, 0
        found: Frame | None = None
        while found is None and at < len(octets):
            length = octets[at]
            if length >= SHORTEST:
                if len(octets) - at < length:
                    break
                whole = bytes(octets[at : at + length])
                if crc16_arc(whole[:-CRC_OCTETS]) == int.from_bytes(whole[-CRC_OCTETS:], "little"):
                    at += length
                    found = self._decoded(whole)
                    continue
            at += 1
            self._counters["noise"] += 1
        del octets[:at]
        return found

    def give_up(self) -> None:
        """Pass over the first octet of what waits for its rest in vain; what stands behind it may be a frame."""
        if self._octets:
            del self._octets[:1]
            self._counters["noise"] += 1

    def _decoded(self, octets: bytes) -> Frame | None:
        try:
            return Frame.decode(octets)
        except DecodeError:
            self._counters["unreadable"] += 1
            return None

    @property
    def partial(self) -> bool:
        """Whether octets wait for their rest."""
        return bool(self._octets)


_COMMANDS: Final = frozenset(Command)


def _address(serial: int) -> bytes:
    return bytes.fromhex(f"{serial:0{2 * ADDRESS_OCTETS}}")[::-1]
