"""The octets that all workers decode, made without any of them."""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SMALL_GET = bytes.fromhex("C401C100 06000186A0")  # get-response-normal, double-long-unsigned 100000
SCALER_UNIT = bytes.fromhex("C401C100 0202 0FFD 161E")  # 10^-3, watt-hour
INFORMATION = bytes(range(128))  # what one HDLC frame carries

ENCRYPTION_KEY = bytes.fromhex("11223344556677889900AABBCCDDEEFF")
AUTHENTICATION_KEY = bytes.fromhex("D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00")
METER_TITLE = bytes.fromhex("4D4D4D0000BC614E")
CLIENT_TITLE = bytes.fromhex("4D4D4D0000000001")
AUTHENTICATED_AND_ENCRYPTED = 0x30
ROWS = 10_000
MANY_ROWS = 100_000


def regular_buffer(rows: int = ROWS) -> bytes:
    """A load profile in which every row has the same layout: time, status, six counters; 48 octets each."""
    out = bytearray(b"\x01\x84" + rows.to_bytes(4, "big"))  # a length that all workers read
    for row in range(rows):
        out += b"\x02\x08\x09\x0c" + timestamp(row) + b"\x11" + bytes([row % 4])
        for column in range(6):
            out += b"\x06" + struct.pack(">I", 1_000_000 * column + 7 * row)
    return bytes(out)


def irregular_buffer(rows: int = ROWS) -> bytes:
    """The same with null-data for most times and some values, and an octet-string that changes its length."""
    out = bytearray(b"\x01\x84" + rows.to_bytes(4, "big"))  # a length that all workers read
    for row in range(rows):
        out += b"\x02\x08" + (b"\x00" if row % 4 else b"\x09\x0c" + timestamp(row)) + b"\x11" + bytes([row % 4])
        for column in range(4):
            out += b"\x00" if (row + column) % 5 == 0 else b"\x06" + struct.pack(">I", 1_000_000 * column + 7 * row)
        out += b"\x12" + struct.pack(">H", row % 65536)
        out += b"\x09" + bytes([row * 7 % 13]) + bytes(row * 7 % 13)
    return bytes(out)


def timestamp(row: int) -> bytes:
    """Quarters of an hour from 2024-01-01 on, months of 28 days, no deviation given."""
    day, quarter = divmod(row, 96)
    month, day = divmod(day, 28)
    year, month = divmod(month, 12)
    return struct.pack(
        ">HBBBBBBBhB", 2024 + year, month + 1, day + 1, 255, quarter // 4, quarter % 4 * 15, 0, 0, -32768, 0
    )


def ciphered(counter: int = 0x01234567) -> bytes:
    """The small GET-response as glo-get-response, security control 0x30, tag of 12 octets."""
    return b"\xcc" + octet_string(protected(counter))


def general(counter: int = 0x01234567) -> bytes:
    """The same as general-glo-ciphering, for the library that knows no other envelope."""
    return b"\xdb" + octet_string(METER_TITLE) + octet_string(protected(counter))


def protected(counter: int) -> bytes:
    head = bytes([AUTHENTICATED_AND_ENCRYPTED])
    nonce = METER_TITLE + counter.to_bytes(4, "big")
    sealed = AESGCM(ENCRYPTION_KEY).encrypt(nonce, SMALL_GET, head + AUTHENTICATION_KEY)
    return head + counter.to_bytes(4, "big") + sealed[:-4]


def octet_string(octets: bytes) -> bytes:
    return bytes([len(octets)]) + octets
