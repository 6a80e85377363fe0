"""COSEM Data: values behave as Python values, remember their tag and cost nothing extra."""

from __future__ import annotations

import copy
import json
import math
import pickle
import struct
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.values import data, dates
from cosem.protocol.values.data import (
    KINDS,
    TAG_NAMES,
    TAGS,
    Array,
    Bcd,
    BitString,
    CompactArray,
    Data,
    DontCare,
    DoubleLong,
    DoubleLongUnsigned,
    Enumerated,
    Float32,
    Float64,
    Integer,
    Long64,
    Long64Unsigned,
    LongUnsigned,
    Number,
    OctetString,
    Structure,
    Unsigned,
    Utf8String,
    VisibleString,
    same,
    tag,
)

# IEC 62056-5-3, ASN.1 of Data.
STANDARD = {
    0: "null-data",
    1: "array",
    2: "structure",
    3: "boolean",
    4: "bit-string",
    5: "double-long",
    6: "double-long-unsigned",
    9: "octet-string",
    10: "visible-string",
    12: "utf8-string",
    13: "bcd",
    15: "integer",
    16: "long",
    17: "unsigned",
    18: "long-unsigned",
    19: "compact-array",
    20: "long64",
    21: "long64-unsigned",
    22: "enum",
    23: "float32",
    24: "float64",
    25: "date-time",
    26: "date",
    27: "time",
    28: "delta-integer",
    29: "delta-long",
    30: "delta-double-long",
    31: "delta-unsigned",
    32: "delta-long-unsigned",
    33: "delta-double-long-unsigned",
    255: "dont-care",
}

NUMBERS: list[type[Number]] = [kind for kind in TAGS if issubclass(kind, Number)]
SAMPLES: list[Any] = [
    None,
    True,
    Array((Unsigned(1), Unsigned(2))),
    Structure((OctetString(b"\x01"), None)),
    BitString("1011"),
    *(kind(5) for kind in NUMBERS),
    Float32(1.5),
    Float64(1.5),
    OctetString(b"\x00\xff"),
    VisibleString("KFM"),
    Utf8String("Zähler"),
    CompactArray(b"\x11", b"\x01\x02"),
    dates.DateTime(2024, 2, 29),
    dates.Date(2024, 2, 29),
    dates.Time(13, 45),
    DontCare(),
]


def test_tags_are_those_of_the_standard() -> None:
    assert dict(TAG_NAMES) == STANDARD
    assert sorted(TAGS.values()) == sorted(STANDARD)
    assert set(get_args(Data)) == set(TAGS)


def test_kinds_is_the_inverse_of_tags() -> None:
    assert all(TAGS[kind] == number for number, kind in KINDS.items())
    assert len(KINDS) == len(TAGS)


def test_every_kind_has_a_sample() -> None:
    assert {type(sample) for sample in SAMPLES} == set(TAGS)


@pytest.mark.parametrize("value", SAMPLES, ids=repr)
def test_tag_of_a_value(value: Any) -> None:
    assert tag(value) == getattr(value, "TAG", tag(value))
    assert TAG_NAMES[tag(value)]


@pytest.mark.parametrize("value", [5, 1.5, "text", b"octets", (1,), [1], object()])
def test_plain_python_values_carry_no_tag(value: Any) -> None:
    with pytest.raises(LocalProtocolError, match="has no tag"):
        tag(value)


@pytest.mark.parametrize("value", SAMPLES, ids=repr)
def test_copies_and_pickles_are_the_same(value: Any) -> None:
    for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert same(value, other)


@pytest.mark.parametrize("kind", NUMBERS)
def test_bounds_follow_from_size_and_sign(kind: type[Number]) -> None:
    bits = 8 * kind.SIZE
    assert (kind.LOW, kind.HIGH) in {(0, 2**bits - 1), (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)}
    unsigned = "unsigned" in TAG_NAMES[kind.TAG] or kind in (Bcd, Enumerated)
    assert (kind.LOW == 0) is unsigned


@pytest.mark.parametrize("kind", NUMBERS)
def test_checked_construction_at_the_bounds(kind: type[Number]) -> None:
    assert kind.checked(kind.LOW) == kind.LOW
    assert type(kind.checked(kind.HIGH)) is kind
    for beyond in (kind.LOW - 1, kind.HIGH + 1):
        with pytest.raises(LocalProtocolError, match=f"{beyond} does not fit {TAG_NAMES[kind.TAG]} "):
            kind.checked(beyond)


def test_construction_runs_no_python_code() -> None:
    for kind in TAGS:
        if issubclass(kind, (Number, float, str, bytes, tuple)):
            assert "__new__" not in vars(kind)
            assert "__init__" not in vars(kind)
            assert not hasattr(kind(), "__dict__")


def test_numbers_behave_as_numbers() -> None:
    value = LongUnsigned(5)
    assert repr(value) == "LongUnsigned(5)"
    assert str(value) == f"{value}" == "5"
    assert f"{value:04x}" == "0005"
    assert value == 5
    assert hash(value) == hash(5)
    assert type(value + 1) is int
    assert json.dumps([value, Float64(0.5), VisibleString("x")]) == '[5, 0.5, "x"]'


def test_repr_shows_the_kind() -> None:
    value = Structure((DoubleLong(-1), Array((OctetString(b"\x01"), VisibleString("a"))), None, BitString("01")))
    assert (
        repr(value)
        == "Structure((DoubleLong(-1), Array((OctetString(b'\\x01'), VisibleString('a'))), None, BitString('01')))"
    )
    assert repr(Structure((Utf8String("ä"),))) == "Structure((Utf8String('ä'),))"
    assert repr(Float64(0.25)) == "Float64(0.25)"
    assert repr(Float32("inf")) == "Float32('inf')"
    assert repr(CompactArray(b"\x11", b"")) == "CompactArray(description=b'\\x11', contents=b'')"


@pytest.mark.parametrize("value", [*SAMPLES, Float32("nan"), Float64("-inf")], ids=repr)
def test_repr_can_be_evaluated(value: Any) -> None:
    names = {**vars(data), **vars(dates)}
    assert same(eval(repr(value), names), value)


def test_equality_is_that_of_the_python_value_and_same_looks_at_tags() -> None:
    one: int = Unsigned(1)
    assert one == LongUnsigned(1) == 1
    assert not same(Unsigned(1), LongUnsigned(1))
    several: tuple[Data, ...] = Array((Unsigned(1),))
    assert several == Structure((LongUnsigned(1),))
    assert not same(Array((Unsigned(1),)), Structure((Unsigned(1),)))
    assert not same(Array((Unsigned(1),)), Array((LongUnsigned(1),)))
    assert not same(Array((Unsigned(1),)), Array((Unsigned(1), Unsigned(2))))
    assert not same(True, Unsigned(1))
    assert not same(None, False)
    assert not same(OctetString(b"a"), OctetString(b"b"))
    assert same(Structure((Array(()), None)), Structure((Array(()), None)))


def test_same_compares_floats_by_their_octets() -> None:
    assert same(Float32("nan"), Float32("nan"))
    assert not same(Float64(0.0), Float64(-0.0))
    assert not same(Float32(1.0), Float64(1.0))


def test_same_does_not_recurse() -> None:
    one: Any = None
    other: Any = None
    for _ in range(100_000):
        one, other = Structure((one,)), Structure((other,))
    assert same(one, other)
    for value in (one, other):  # take them apart gently: the interpreter frees nested tuples recursively
        while value:
            value = value[0]


# Binary32 and its shortest names: IEEE 754 examples, exact halves, the largest, the smallest and a NaN with a payload.
@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("00000000", "0.0"),
        ("80000000", "-0.0"),
        ("3f800000", "1.0"),
        ("3dcccccd", "0.1"),
        ("c2c80000", "-100.0"),
        ("4366199a", "230.1"),
        ("40490fdb", "3.1415927"),
        ("4b800001", "16777218.0"),
        ("00000001", "1e-45"),
        ("7f800000", "inf"),
        ("ff800000", "-inf"),
    ],
)
def test_float32_prints_the_fewest_digits(octets: str, text: str) -> None:
    value = Float32.from_octets(bytes.fromhex(octets))
    assert str(value) == f"{value}" == text
    assert value.octets.hex() == octets


@given(st.binary(min_size=4, max_size=4))
def test_float32_gives_back_its_octets(octets: bytes) -> None:
    value = Float32.from_octets(octets)
    assert value.octets == octets
    assert same(pickle.loads(pickle.dumps(value)), value)
    if math.isfinite(value):
        assert struct.pack(">f", float(str(value))) == octets


@pytest.mark.parametrize("octets", ["7f800001", "ff800001", "7fc12345"])
def test_float32_keeps_the_bits_of_a_nan(octets: str) -> None:
    value = Float32.from_octets(bytes.fromhex(octets))
    assert math.isnan(value)
    assert value.octets.hex() == octets


@given(st.floats())
def test_float64_octets(number: float) -> None:
    assert Float64(number).octets == struct.pack(">d", number)


def test_float32_beyond_its_range() -> None:
    with pytest.raises(LocalProtocolError, match=r"1e\+39 does not fit float32"):
        _ = Float32(1e39).octets
    assert str(Float32(1e39)) == "1e+39"
    with pytest.raises(DecodeError, match="float32 needs 4 octets, has 3"):
        Float32.from_octets(b"\x00\x00\x00")


# IEC 62056-6-2: the conformance block is a bit-string of 24 bits, bit 0 first; 00 7E 1F is the client of the examples
# in IEC 62056-5-3 annex D.
def test_bit_string_has_bit_0_first() -> None:
    bits = BitString.from_octets(bytes.fromhex("007e1f"))
    assert bits == "000000000111111000011111"
    assert bits.octets.hex() == "007e1f"


def test_bit_string_shorter_than_its_octets() -> None:
    bits = BitString.from_octets(b"\xb4", 5)
    assert bits == "10110"
    assert bits.octets == b"\xb0"
    assert BitString.from_octets(b"") == "" == BitString.from_octets(b"\xff", 0)
    assert BitString("").octets == b""


@pytest.mark.parametrize("length", [-1, 9])
def test_bit_string_longer_than_its_octets(length: int) -> None:
    with pytest.raises(DecodeError, match=f"bit-string of {length} bits in 1 octets"):
        BitString.from_octets(b"\xff", length)


@pytest.mark.parametrize("text", ["2", "0 1", "1x0", "０"])
def test_bit_string_of_other_characters(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="other than 0 and 1"):
        _ = BitString(text).octets


@given(st.binary(max_size=20), st.integers(0, 7))
def test_bit_string_round_trip(octets: bytes, unused: int) -> None:
    length = max(0, 8 * len(octets) - unused)
    bits = BitString.from_octets(octets, length)
    assert len(bits) == length
    assert BitString.from_octets(bits.octets, length) == bits


def test_long64_holds_its_extremes() -> None:
    assert Long64.checked(-(2**63)) == -(2**63)
    assert Long64Unsigned.checked(2**64 - 1) == 2**64 - 1
    assert Integer.checked(-128) == -128
    assert DoubleLongUnsigned.checked(0xFFFFFFFF) == 0xFFFFFFFF
