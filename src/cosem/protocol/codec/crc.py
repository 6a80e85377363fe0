"""CRC-16/ARC, the check of P1 telegrams and Elgama frames: polynomial 8005 reflected, beginning at 0, not inverted."""

from __future__ import annotations

from typing import Final


def crc16_arc(octets: bytes | bytearray | memoryview, crc: int = 0) -> int:
    """Return the CRC-16/ARC of `octets`, going on from `crc`: BB3D for the digits 123456789.

    From FFFF on it is the check of Modbus: 4B37 for the same digits.
    """
    table = _TABLE
    for octet in octets:
        crc = crc >> 8 ^ table[(crc ^ octet) & 0xFF]
    return crc


def _remainder(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (0xA001 if octet & 1 else 0)
    return octet


_TABLE: Final = tuple(map(_remainder, range(256)))
