"""Whole buffers by their layout: the same rows as the general decoder gives, whatever breaks the layout."""

import gc
import math
from collections.abc import Sequence
from typing import Any

import pytest

from cosem.errors import DecodeError, LocalProtocolError, ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.columns import Column, RowLayout, learn, rows
from cosem.protocol.codec.compact import compact
from cosem.protocol.codec.delta import absolute
from cosem.protocol.codec.reader import TRANSFER, Limits
from cosem.protocol.values.data import (
    Array,
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
    Long,
    Long64,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    Utf8String,
    VisibleString,
    tag,
)
from cosem.protocol.values.dates import Date, DateTime, Time

# Three rows of the load profile in the corpus' shape: clock, status, energy.
PROFILE = bytes.fromhex(
    "0103"
    "0203090c07e2020c0500000000800000110006000186a0"
    "0203090c07e2020c050100000080000011010600018840"
    "0203090c07e2020c0502000000800000110206000189e0"
)
CLOCKS = [bytes.fromhex(f"07e2020c050{hour}000000800000") for hour in range(3)]

EVERY_TYPE = [
    *(None, True, BitString("1010101"), DoubleLong(-5), DoubleLongUnsigned(5), OctetString(b"abc"), OctetString()),
    *(VisibleString("kü"), Utf8String("k€"), Integer(-1), LongUnsigned(9), Long64(-(1 << 60)), Enumerated(30)),
    *(Float32(1.5), Float64(math.pi), DateTime(2024, 2, 29), Date(2024), Time(13, 45), Long(-3), DontCare()),
]


def plain(value: Any) -> Any:
    """A raw value, written down a second time and one by one."""
    if value is None or isinstance(value, (bool, DontCare, Array, Structure, CompactArray)):
        return value
    if isinstance(value, (DateTime, Date, Time)):
        return value.octets
    return next(kind(value) for kind in (int, float, bytes, str) if isinstance(value, kind))


def reference(octets: bytes, limits: Limits = TRANSFER) -> list[tuple[Any, ...]]:
    """The rows as the general decoder gives them."""
    value = axdr.decode_all(octets, limits)
    if isinstance(value, CompactArray):
        value = axdr.expand(value, limits)
    assert isinstance(value, Array)
    made = absolute(row if isinstance(row, Structure) else (row,) for row in value)
    return [tuple(map(plain, row)) for row in made]


def typed(found: Sequence[tuple[Any, ...]]) -> list[list[tuple[type, str]]]:
    """Values with their types; texts, so that a NaN equals itself."""
    return [[(type(value), repr(value)) for value in row] for row in found]


def buffer(*row: Data, times: int = 3) -> bytes:
    return axdr.encode(Array((Structure(row),) * times))


def test_a_profile_buffer() -> None:
    found = rows(PROFILE)
    assert list(found) == [(CLOCKS[0], 0, 100000), (CLOCKS[1], 1, 100416), (CLOCKS[2], 2, 100832)]
    assert found.tags == (9, 17, 6)
    assert found.layout == RowLayout(
        columns=(Column(9, 4, 12), Column(17, 17, 1), Column(6, 19, 4)),
        width=23,
        start=2,
        rows=3,
        constants=((0, 2), (1, 3), (2, 9), (3, 12), (16, 17), (18, 6)),
    )
    assert len(found) == 3
    assert found[1] == (CLOCKS[1], 1, 100416)
    assert found[1:] == list(found)[1:]
    assert list(rows(memoryview(PROFILE))) == list(found)


@pytest.mark.parametrize("running", [True, False])
def test_the_collector_is_left_as_it_was(running: bool) -> None:
    large = PROFILE[2:] * 1000
    large = b"\x01\x82\x0b\xb8" + large
    before = gc.isenabled()
    (gc.enable if running else gc.disable)()
    try:
        assert len(rows(large).all()) == 3000
        assert gc.isenabled() == running
        assert axdr.decode_all(large[:-1] + b"\x00")
        assert gc.isenabled() == running
        with pytest.raises(DecodeError):
            axdr.decode_all(large[:-1])
        assert gc.isenabled() == running
    finally:
        (gc.enable if before else gc.disable)()


def test_columns_of_a_profile_buffer() -> None:
    layout = learn(PROFILE)
    assert layout is not None
    assert layout.column(PROFILE, 0).tobytes() == b"".join(CLOCKS)
    assert layout.column(PROFILE, 0).shape == (3, 12)
    assert layout.column(PROFILE, 1).tolist() == [0, 1, 2]
    assert layout.column(PROFILE, 1).strides == (23,)
    assert layout.column(PROFILE, 2).tolist() == [100000, 100416, 100832]
    assert layout.column(PROFILE, 2).readonly
    assert rows(PROFILE).column(2) == layout.column(PROFILE, 2)


@pytest.mark.parametrize("value", EVERY_TYPE, ids=lambda value: f"{tag(value)}-{value}")
def test_every_type_in_a_column(value: Data) -> None:
    octets = buffer(value, Unsigned(1), value)
    found = rows(octets)
    assert found.layout is not None
    assert found.tags == (tag(value), 17, tag(value))
    assert typed(found) == typed(reference(octets))
    column = found.column(0)
    assert len(column) == 3
    if not isinstance(column, memoryview):
        assert column == tuple(row[0] for row in found)


def test_all_types_in_one_row() -> None:
    octets = buffer(*EVERY_TYPE)
    assert learn(octets) is not None
    assert typed(rows(octets)) == typed(reference(octets))


@pytest.mark.parametrize(
    "octets",
    [
        buffer(),
        buffer(None),
        axdr.encode(Array([LongUnsigned(n) for n in range(200)])),
        axdr.encode(Array([None] * 5)),
        axdr.encode(Array([OctetString(b"ab"), OctetString(b"cd")])),
        axdr.encode(compact([LongUnsigned(n) for n in range(200)])),
        axdr.encode(compact([Structure((DateTime(2024), None, Unsigned(n), Float32(n))) for n in range(5)])),
        axdr.encode(Array([Structure([Unsigned(n)] * 200) for n in range(3)])),
        axdr.encode(Array([Structure((OctetString(bytes(200)), Unsigned(n))) for n in range(3)])),
        bytes.fromhex("0183000002 0201 098402000000".replace("8402000000", "840000000201ff") + "0201 0984000000021234"),
    ],
    ids=[
        "no-columns",
        "null",
        "numbers",
        "nulls",
        "strings",
        "compact-numbers",
        "compact-rows",
        "wide",
        "long-strings",
        "long-lengths",
    ],
)
def test_regular_buffers(octets: bytes) -> None:
    found = rows(octets)
    assert found.layout is not None
    assert typed(found) == typed(reference(octets))
    assert list(found) == found.all() == found[:] == found.all()


@pytest.mark.parametrize(
    ("octets", "tags"),
    [
        (axdr.encode(Array()), ()),
        (axdr.encode(CompactArray(b"\x06", b"")), ()),
        (axdr.encode(compact([OctetString(b"abc"), OctetString()])), (9,)),
        (axdr.encode(compact([Structure((Array((Unsigned(1),)), Unsigned(2)))])), (1, 17)),
        (axdr.encode(Array([Structure((Unsigned(1), LongUnsigned(5))), Structure((None, LongUnsigned(6)))])), (17, 18)),
        (axdr.encode(Array([Structure((Unsigned(1),)), Structure((LongUnsigned(1),))])), (None,)),
        (axdr.encode(Array([Structure((Unsigned(1),)), Structure((Unsigned(1), Unsigned(2)))])), ()),
        (axdr.encode(Array([Structure((Unsigned(1),)), Unsigned(2)])), (17,)),
        (buffer(Structure((Unsigned(1),)), Array()), (2, 1)),
        (axdr.encode(Array([Structure((OctetString(b"ab"),)), Structure((OctetString(b"abc"),))])), (9,)),
        (axdr.encode(Array([Structure((Unsigned(1),) * 2), Structure((None,) * 2)])), (17, 17)),
    ],
)
def test_irregular_buffers(octets: bytes, tags: tuple[int | None, ...]) -> None:
    found = rows(octets)
    assert found.layout is None
    assert found.tags == tags
    assert typed(found) == typed(reference(octets))
    for index in range(len(tags)):
        assert found.column(index) == tuple(row[index] for row in found)


@pytest.mark.parametrize(
    "octets", [PROFILE, buffer(*EVERY_TYPE), axdr.encode(compact([Structure((Unsigned(1), LongUnsigned(2)))] * 3))]
)
def test_every_octet_is_verified(octets: bytes) -> None:
    """With any one octet changed the rows are those of the general decoder, or the same error comes."""
    for place in range(len(octets)):
        for change in (0x01, 0x02, 0x10, 0x80, 0xFF):
            damaged = bytearray(octets)
            damaged[place] ^= change
            check_same(bytes(damaged))
    for end in range(len(octets)):
        check_same(octets[:end])
        check_same(octets[:end] + octets[end + 1 :])
    check_same(octets + b"\x00")


def check_same(octets: bytes, limits: Limits = TRANSFER) -> None:
    try:
        expected: Any = typed(reference(octets, limits))
    except DecodeError as problem:
        expected = str(problem)
    except (AssertionError, ShapeError):
        expected = ShapeError
    try:
        found: Any = typed(rows(octets, limits))
    except DecodeError as problem:
        found = str(problem)
    except ShapeError:
        found = ShapeError
    assert found == expected


@pytest.mark.parametrize(
    "limits",
    [Limits(depth=1), Limits(depth=2), Limits(nodes=11), Limits(nodes=12), Limits(octets=70), Limits(octets=71)],
)
@pytest.mark.parametrize(
    "octets", [PROFILE, axdr.encode(compact([Structure((Unsigned(1), LongUnsigned(2), Integer(3)))] * 3))]
)
def test_limits_hold_for_regular_buffers_too(octets: bytes, limits: Limits) -> None:
    check_same(octets, limits)


@pytest.mark.parametrize("octets", ["00", "0201 1101", "0905", "06000186a0"])
def test_what_is_no_buffer(octets: str) -> None:
    with pytest.raises((ShapeError, DecodeError)):
        rows(bytes.fromhex(octets))
    assert learn(bytes.fromhex(octets)) is None


def test_a_layout_writes_rows() -> None:
    layout = learn(PROFILE)
    assert layout is not None
    assert layout.encode(list(rows(PROFILE))) == PROFILE
    many = layout.encode(list(rows(PROFILE)) * 100)
    assert axdr.decode_all(many) == Array(tuple(axdr.decode_all(PROFILE)) * 100)  # type: ignore[arg-type]
    assert layout.encode([]) == b"\x01\x00"


@pytest.mark.parametrize(
    "row",
    [
        (CLOCKS[0], 256, 0),
        (CLOCKS[0], 0, -1),
        (CLOCKS[0][1:], 0, 0),
        (CLOCKS[0], 0),
        (CLOCKS[0], 0, 0, 0),
        (None, 0, 0),
        (CLOCKS[0], 0, None),
        (),
    ],
)
def test_a_layout_does_not_write_what_does_not_fit(row: tuple[Any, ...]) -> None:
    layout = learn(PROFILE)
    assert layout is not None
    with pytest.raises(LocalProtocolError):
        layout.encode([row])


def test_a_layout_of_texts_does_not_write() -> None:
    layout = learn(buffer(VisibleString("a")))
    assert layout is not None
    with pytest.raises(LocalProtocolError):
        layout.encode([("a",)])
