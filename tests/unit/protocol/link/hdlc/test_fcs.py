"""The check sequence against its published check value and against the definition, bit by bit."""

import json
from pathlib import Path

from cosem.protocol.link.hdlc.fcs import GOOD, check_sequence, is_good

VECTORS = json.loads((Path(__file__).parents[4] / "vectors/hdlc.json").read_text())


def by_definition(octets: bytes) -> bytes:
    """The register of ISO/IEC 13239 shifted bit by bit: polynomial 8408 on reflected octets, complement sent."""
    register = 0xFFFF
    for octet in octets:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return (register ^ 0xFFFF).to_bytes(2, "little")


def test_the_published_check_value():
    vector = VECTORS["check_sequence"]
    assert check_sequence(vector["text"].encode())[::-1].hex().upper() == vector["register"]


def test_as_defined():
    for size in range(300):
        octets = bytes(size * 7 + index * index & 0xFF for index in range(size))
        assert check_sequence(octets) == by_definition(octets)


def test_a_header_with_its_check_leaves_a_known_register():
    header, rest = b"\xa0\x1a\x02\x21\x21\x34", bytes(range(50))
    whole = header + check_sequence(header) + rest
    assert check_sequence(rest, GOOD) == by_definition(whole)
    assert is_good(whole + by_definition(whole))
    assert not is_good(whole + bytes(2))
