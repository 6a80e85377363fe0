"""What holds for all of A-XDR: values come back as they were, no octets do harm, layouts change nothing."""

import struct
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cosem.errors import DecodeError, ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.columns import learn, rows
from cosem.protocol.codec.compact import compact
from cosem.protocol.codec.delta import DELTAS, absolute
from cosem.protocol.codec.reader import TRANSFER, Limits
from cosem.protocol.values.data import (
    KINDS,
    Array,
    BitString,
    CompactArray,
    Data,
    DontCare,
    Float32,
    Float64,
    Number,
    OctetString,
    Structure,
    Utf8String,
    VisibleString,
    same,
)
from cosem.protocol.values.dates import Date, DateTime, Time

NUMBERS = [kind for kind in KINDS.values() if issubclass(kind, Number)]


def fixed(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


# One strategy for each tag, so that a column of like values can be drawn as well.
LEAVES: list[st.SearchStrategy[Any]] = [
    st.none(),
    st.booleans(),
    st.text("01", max_size=20).map(BitString),
    st.text("01", min_size=9, max_size=9).map(BitString),
    st.binary(max_size=300).map(OctetString),
    fixed(12).map(OctetString),
    st.text(st.characters(max_codepoint=255), max_size=20).map(VisibleString),
    st.text(st.characters(max_codepoint=255), min_size=4, max_size=4).map(VisibleString),
    st.binary(max_size=20).map(lambda octets: Utf8String(octets.decode("utf-8", "surrogateescape"))),
    fixed(4).map(Float32.from_octets),
    fixed(8).map(lambda octets: Float64(struct.unpack(">d", octets)[0])),
    fixed(12).map(DateTime.from_octets),
    fixed(5).map(Date.from_octets),
    fixed(4).map(Time.from_octets),
    st.just(DontCare()),
    *(st.integers(kind.LOW, kind.HIGH).map(kind) for kind in NUMBERS),
]
leaves = st.one_of(LEAVES)
values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda items: st.one_of(st.lists(items, max_size=5).map(Array), st.lists(items, max_size=5).map(Structure)),
    max_leaves=20,
)


@given(values)
def test_values_come_back_as_they_were(value: Data) -> None:
    octets = axdr.encode(value)
    found = axdr.decode_all(octets)
    assert same(found, value)
    assert axdr.encode(found) == octets


@given(values, st.data())
def test_a_value_that_is_cut_or_continued_is_refused(value: Data, data: st.DataObject) -> None:
    octets = axdr.encode(value)
    end = data.draw(st.integers(0, len(octets) - 1))
    for wrong in (octets[:end], octets + b"\x00"):
        with pytest.raises(DecodeError) as caught:
            axdr.decode_all(wrong)
        assert 0 <= (caught.value.offset or 0) <= len(wrong)


def harmless(octets: bytes, limits: Limits = TRANSFER) -> None:
    """Decode, and encode what comes out; only DecodeError may come instead."""
    try:
        value = axdr.decode_all(octets, limits)
    except DecodeError:
        return
    again = axdr.encode(value)
    assert same(axdr.decode_all(again, limits), value)
    if isinstance(value, CompactArray):
        axdr.expand(value, limits)


tags = st.sampled_from([0, 1, 1, 2, 2, 3, 4, 5, 6, 9, 10, 12, 13, 15, 16, 17, 18, 19, 19, 19, 22, 25, 255, 0x81, 0x84])
noise = st.lists(st.one_of(tags, st.integers(0, 5), st.integers(0, 255)), max_size=60).map(bytes)


@given(noise)
@settings(max_examples=400)
def test_no_octets_do_harm(octets: bytes) -> None:
    harmless(octets)
    harmless(octets, Limits(depth=2, octets=30, nodes=10))


@given(noise)
@example(bytes.fromhex("0301000C0003000000"))  # 3 octets stand for 45 values
@example(bytes.fromhex("0301000E0003000000"))  # and for more than 12 octets are good for
@settings(max_examples=400)
def test_no_compact_array_does_harm(octets: bytes) -> None:
    harmless(b"\x13" + octets)
    harmless(b"\x13\x02\x02" + octets)
    harmless(b"\x02\x02\x09\x20" + bytes(32) + b"\x13\x02\x02" + octets)


@given(values, st.data())
def test_no_damage_does_harm(value: Data, data: st.DataObject) -> None:
    octets = bytearray(axdr.encode(value))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    harmless(bytes(octets))


columns = st.lists(st.sampled_from(LEAVES), max_size=6)
like_shaped = columns.flatmap(lambda row: st.lists(st.tuples(*row), min_size=1, max_size=6))


@given(like_shaped)
def test_compact_arrays_hold_what_went_in(table: list[tuple[Any, ...]]) -> None:
    elements = Array(map(Structure, table))
    if all(value is None or isinstance(value, DontCare) for value in table[0]):
        return  # takes no octet
    packed = axdr.decode_all(axdr.encode(compact(elements)))
    assert isinstance(packed, CompactArray)
    assert same(axdr.expand(packed, Limits(nodes=1000)), elements)


def plain(value: Any) -> Any:
    """A raw value: the Python value without its tag."""
    if isinstance(value, (DateTime, Date, Time)):
        return value.octets
    if value is None or isinstance(value, (bool, DontCare, Array, Structure, CompactArray)):
        return value
    return next(kind(value) for kind in (int, float, bytes, str) if isinstance(value, kind))


def outcome(octets: bytes, through_layout: bool) -> Any:
    """Rows with the types of their values, or the error that came."""
    try:
        if through_layout:
            found = list(rows(octets))
        else:
            value = axdr.decode_all(octets)
            if isinstance(value, CompactArray):
                value = axdr.expand(value)
            if not isinstance(value, Array):
                return ShapeError
            made = absolute(row if isinstance(row, Structure) else (row,) for row in value)
            found = [tuple(map(plain, row)) for row in made]
    except ShapeError:
        return ShapeError
    except DecodeError as problem:
        return str(problem)
    return [[(type(value), repr(value)) for value in row] for row in found]


@given(like_shaped, st.booleans(), st.data())
def test_a_layout_changes_nothing(table: list[tuple[Any, ...]], compacted: bool, data: st.DataObject) -> None:
    """Bit for bit the same rows, or the same error, as through the general decoder; damaged or not."""
    elements = Array(map(Structure, table))
    if compacted and any(value is not None and not isinstance(value, DontCare) for value in table[0]):
        octets = bytearray(axdr.encode(compact(elements)))
    else:
        octets = bytearray(axdr.encode(elements))
    assert outcome(octets, True) == outcome(octets, False)
    for _ in range(3):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
        assert outcome(octets, True) == outcome(octets, False)


FIXED = [
    *LEAVES[9:14],
    *(st.integers(kind.LOW, kind.HIGH).map(kind) for kind in NUMBERS if kind not in DELTAS),
]


@given(st.lists(st.sampled_from(FIXED), min_size=1), st.data())
def test_fixed_sizes_are_always_regular(row: list[st.SearchStrategy[Any]], data: st.DataObject) -> None:
    table = data.draw(st.lists(st.tuples(*row), min_size=1, max_size=5))
    layout = learn(axdr.encode(Array(map(Structure, table))))
    assert layout is not None
    assert layout.rows == len(table)
