"""The part of BER that ACSE needs: elements, lengths, and contents of each kind."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.errors import DecodeError
from cosem.protocol.codec.ber import Bits, Contents, Identifier, Inside, Named, Whole, element, put
from cosem.protocol.codec.forms import Unfit
from cosem.protocol.codec.schema import OpenEnum
from cosem.protocol.codec.walk import Walk


class Answer(OpenEnum):
    NO = 0
    YES = 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0400", (4, 2, 2)),
        ("0402AABB", (4, 2, 4)),
        ("048102AABB", (4, 3, 5)),
        ("04820002AABB", (4, 4, 6)),
        ("0484 00000002 AABB", (4, 6, 8)),
    ],
)
def test_an_element(text: str, expected: tuple[int, int, int]) -> None:
    octets = bytes.fromhex(text)
    assert element(octets, 0, len(octets)) == expected


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("", 0),
        ("04", 1),
        ("0480", 1),
        ("0485000000000100", 1),
        ("04FF", 1),
        ("0402AA", 2),
        ("048200", 2),
        ("1F0100", 0),
    ],
)
def test_a_broken_element(text: str, offset: int) -> None:
    octets = bytes.fromhex(text)
    with pytest.raises(DecodeError) as caught:
        element(octets, 0, len(octets))
    assert caught.value.offset == offset


def test_an_element_ends_within_the_one_around_it() -> None:
    with pytest.raises(DecodeError, match="need 2 octets, have 1"):
        element(bytes.fromhex("0402AABB"), 0, 3)


@pytest.mark.parametrize(("size", "head"), [(0, "0400"), (127, "047F"), (128, "048180"), (256, "04820100")])
def test_the_shortest_length_is_written(size: int, head: str) -> None:
    out = bytearray()
    put(4, bytes(size), out)
    assert out == bytes.fromhex(head) + bytes(size)


CONTENTS: list[tuple[Contents, Any, str]] = [
    (Whole(), 0, "00"),
    (Whole(), 127, "7F"),
    (Whole(), 128, "0080"),
    (Whole(), -128, "80"),
    (Whole(), -129, "FF7F"),
    (Whole(), 65535, "00FFFF"),
    (Named(Answer), Answer.YES, "01"),
    (Named(Answer), Answer(200), "00C8"),
    (Bits(), "1", "0780"),
    (Bits(), "", "00"),
    (Bits(), "10100000", "00A0"),
    (Bits(), "101000001", "07A080"),
    (Identifier(bytes.fromhex("60"), Answer), Answer.YES, "6001"),
    (Identifier(bytes.fromhex("60"), Answer), Answer(99), "6063"),
    (Identifier(bytes.fromhex("60"), Answer), b"\x2a\x01", "2A01"),
    (Inside(4, Contents()), b"ab", "04026162"),
]


@pytest.mark.parametrize(("contents", "value", "text"), CONTENTS)
def test_contents(contents: Contents, value: Any, text: str) -> None:
    octets = bytes.fromhex(text)
    assert contents.write(value) == octets
    read = contents.read(Walk(octets), 0, len(octets))
    assert (read, type(read)) == (value, type(value))
    assert contents.text(value)


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        (Whole(), ""),
        (Whole(), "000000000000000001"),
        (Named(Answer), "FF"),
        (Named(Answer), "0100"),
        (Bits(), ""),
        (Bits(), "0880"),
        (Bits(), "01"),
        (Identifier(b"\x60", Answer), ""),
        (Identifier(b"\x60", Answer), "6080"),
        (Inside(4, Contents()), "0500"),
        (Inside(4, Contents()), "040000"),
    ],
)
def test_broken_contents(contents: Contents, text: str) -> None:
    octets = bytes.fromhex(text)
    with pytest.raises(DecodeError):
        contents.read(Walk(octets), 0, len(octets))


@pytest.mark.parametrize(
    ("contents", "value"),
    [
        (Contents(), "text"),
        (Whole(), 1 << 63),
        (Whole(), "1"),
        (Named(Answer), 256),
        (Bits(), "12"),
        (Bits(), b"1"),
        (Identifier(b"\x60", Answer), 128),
        (Identifier(b"\x60", Answer), b""),
        (Identifier(b"\x60", Answer), b"\x80"),
    ],
)
def test_values_that_do_not_fit(contents: Contents, value: object) -> None:
    with pytest.raises(Unfit):
        contents.write(value)
