"""CRC-16/ARC: the check value of the catalogues of CRCs."""

from __future__ import annotations

from cosem.protocol.codec.crc import crc16_arc


def test_check_value() -> None:
    assert crc16_arc(b"123456789") == 0xBB3D


def test_goes_on_from_another() -> None:
    assert crc16_arc(b"6789", crc16_arc(b"12345")) == 0xBB3D
    assert crc16_arc(b"") == 0
