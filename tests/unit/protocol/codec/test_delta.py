"""Deltas in rows: what they add up to, where they have no meaning, and that they are written only where they help.

The octets are those of the standard's tags (28 to 33) laid out by hand; that a delta counts from the value before is
read so by pydlms-client too, which judges the rows of our meter in `tests/interop/test_delta_values.py`.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.columns import rows
from cosem.protocol.codec.delta import DELTAS, INTEGERS, absolute, differences
from cosem.protocol.model.shape import ROWS
from cosem.protocol.values.data import (
    Array,
    Data,
    DeltaInteger,
    DeltaLongUnsigned,
    DeltaUnsigned,
    DoubleLong,
    DoubleLongUnsigned,
    Enumerated,
    Long64Unsigned,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
)

# 1000, +5, repeated, +300, -1: two columns, the second a plain text.
BUFFER = bytes.fromhex(
    "0105 0202 06000003E8 090161 0202 1F05 090162 0202 00 090163 0202 20012C 090164 0202 1CFF 090165".replace(" ", "")
)


def test_rows_have_the_values_that_deltas_lead_to() -> None:
    found = rows(BUFFER)
    assert found.all() == [(1000, b"a"), (1005, b"b"), (None, b"c"), (1305, b"d"), (1304, b"e")]
    assert found.tags == (DoubleLongUnsigned.TAG, OctetString.TAG)
    decoded = ROWS.decode(axdr.decode_all(BUFFER))
    assert [row[0] for row in decoded] == [1000, 1005, None, 1305, 1304]
    assert type(decoded[3][0]) is DoubleLongUnsigned


def test_structures_within_rows_have_columns_of_their_own() -> None:
    inside = Structure((Structure((Unsigned(5), Unsigned(7))),))
    found = absolute([inside, Structure((Structure((DeltaUnsigned(1), DeltaInteger(-7))),))])
    assert found[1] == (Structure((Unsigned(6), Unsigned(0))),)


@pytest.mark.parametrize(
    "octets",
    [
        "0101 0201 1F05",  # in the first row
        "0101 1F05",  # without any structure
        "0102 0201 00 0201 1F05",  # after null-data alone
        "0102 0201 0901AA 0201 1F05",  # after a text
        "0102 0201 1605 0201 1F05",  # after an enum
        "0102 0201 11FF 0201 1F01",  # beyond the type
        "0102 0201 1100 0201 1CFF",  # below it
        "0102 0202 1100 1100 0201 1F01",  # another number of columns
        "13 02 01 1F 02 05 06",  # in a compact array, where every value is one
    ],
)
def test_deltas_without_a_value_before_them_are_refused(octets: str) -> None:
    buffer = bytes.fromhex(octets.replace(" ", ""))
    with pytest.raises(ShapeError):
        rows(buffer)
    with pytest.raises(ShapeError):
        ROWS.decode(axdr.decode_all(buffer))


def test_a_delta_is_written_where_it_is_shorter() -> None:
    column: list[tuple[Data]] = [
        (DoubleLongUnsigned(1000),),
        (DoubleLongUnsigned(1255),),
        (DoubleLongUnsigned(1511),),
        (DoubleLongUnsigned(1510),),
        (DoubleLongUnsigned(100_000),),
        (None,),
        (DoubleLongUnsigned(100_001),),
        (LongUnsigned(1),),
    ]
    assert [row[0] for row in differences(column)] == [
        *(DoubleLongUnsigned(1000), DeltaUnsigned(255), DeltaLongUnsigned(256), DeltaInteger(-1)),
        *(DoubleLongUnsigned(100_000), None, DoubleLongUnsigned(100_001), LongUnsigned(1)),
    ]
    for kept in (Unsigned, Enumerated):
        assert [type(row[0]) for row in differences([(kept(1),), (kept(2),)])] == [kept, kept]


numbers = st.sampled_from(sorted(INTEGERS, key=lambda kind: kind.TAG)).flatmap(
    lambda kind: st.integers(kind.LOW, kind.HIGH).map(kind)
)
near = st.integers(0, 400).map(Long64Unsigned) | st.integers(-200, 200).map(DoubleLong)
values: st.SearchStrategy[Any] = st.one_of(st.none(), numbers, near, st.binary(max_size=3).map(OctetString))


@given(st.lists(st.lists(values, min_size=1, max_size=3).map(tuple), max_size=12))
def test_what_is_written_in_deltas_is_read_as_it_was(given_: list[tuple[Any, ...]]) -> None:
    written = list(differences(given_))
    buffer, plain = (axdr.encode(Array(map(Structure, each))) for each in (written, given_))
    assert len(buffer) <= len(plain)
    found = ROWS.decode(axdr.decode_all(buffer))
    assert [[(type(value), value) for value in row] for row in found] == [
        [(type(value), value) for value in row] for row in given_
    ]
    assert rows(buffer).all() == rows(plain).all()
    assert DELTAS.isdisjoint(type(value) for row in found for value in row)
