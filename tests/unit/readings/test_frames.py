"""Columns of profile buffers as numpy arrays and Arrow tables."""

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cosem.errors import ConfigurationError, DecodeError, ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.compact import compact
from cosem.protocol.values.data import (
    Array,
    BitString,
    Data,
    DoubleLong,
    Float32,
    Long64Unsigned,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    VisibleString,
)
from cosem.readings import frames

NAMES = ("clock", "status", "energy")
CLOCKS = [bytes.fromhex(f"07e2020c050{hour}000000800000") for hour in range(3)]
PROFILE = bytes.fromhex(
    "0103"
    "0203090c07e2020c0500000000800000110006000186a0"
    "0203090c07e2020c050100000080000011010600018840"
    "0203090c07e2020c0502000000800000110206000189e0"
)
WITH_NULLS = bytes.fromhex(
    "01030203090c07e2020c0500000000800000110006000186a00203 00 1101 000203090c07e2020c0502000000800000110206000189e0"
)


def buffer(*columns: list[Data]) -> bytes:
    return axdr.encode(Array(Structure(row) for row in zip(*columns, strict=True)))


def test_tuples() -> None:
    found = frames.tuples(PROFILE)
    assert list(found) == list(zip(CLOCKS, range(3), (100000, 100416, 100832), strict=True))
    assert found.tags == (9, 17, 6)


def test_arrays_of_a_regular_buffer() -> None:
    columns = frames.arrays(PROFILE, NAMES)
    assert list(columns) == list(NAMES)
    assert columns["clock"].dtype == "V12"
    assert [clock.tobytes() for clock in columns["clock"]] == CLOCKS
    assert columns["status"].dtype == np.uint8
    assert columns["energy"].dtype == np.uint32
    assert columns["energy"].dtype.isnative
    assert columns["energy"].tolist() == [100000, 100416, 100832]
    assert columns["energy"].flags.c_contiguous
    assert list(frames.arrays(PROFILE)) == ["0", "1", "2"]


def test_arrays_of_a_compact_array() -> None:
    octets = axdr.encode(compact([Structure((DoubleLong(-n), True, Float32(n / 2), None)) for n in range(3)]))
    columns = frames.arrays(octets)
    assert columns["0"].dtype == np.int32
    assert columns["0"].tolist() == [0, -1, -2]
    assert columns["1"].dtype == np.bool_
    assert columns["1"].all()
    assert columns["2"].dtype == np.float32
    assert columns["2"].tolist() == [0, 0.5, 1]
    assert columns["3"].tolist() == [None] * 3


def test_null_data_is_masked() -> None:
    columns = frames.arrays(WITH_NULLS, NAMES)
    energy = columns["energy"]
    assert isinstance(energy, np.ma.MaskedArray)
    assert energy.dtype == np.uint32
    assert energy.mask.tolist() == [False, True, False]
    assert energy.compressed().tolist() == [100000, 100832]
    clock = columns["clock"]
    assert isinstance(clock, np.ma.MaskedArray)
    assert clock.dtype == "V12"
    assert clock.mask.tolist() == [False, True, False]
    assert type(columns["status"]) is np.ndarray


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ([Unsigned(1), LongUnsigned(2), None], "i8"),
        ([DoubleLong(-1), Unsigned(2)], "i8"),
        ([Long64Unsigned(1 << 63), Unsigned(2)], "u8"),
        ([Long64Unsigned(1 << 63), DoubleLong(-2)], "O"),
        ([True, None], "?"),
        ([True, Unsigned(1)], "O"),
        ([Float32(1), None], "f4"),
        ([OctetString(b"ab"), OctetString(b"abc")], "O"),
        ([OctetString(), None], "O"),
        ([OctetString(b"ab"), None], "V2"),
        ([VisibleString("ab"), VisibleString("cd")], "O"),
        ([BitString("01"), BitString("10")], "O"),
        ([None, None], "O"),
        ([Structure((Unsigned(1),)), Unsigned(1)], "O"),
        ([Structure((Unsigned(1),)), Structure((Unsigned(1),))], "O"),
    ],
)
def test_types_of_columns(column: list[Data], dtype: str) -> None:
    octets = buffer(column)
    found = frames.arrays(octets)["0"]
    assert found.dtype == dtype
    if dtype != "V2":
        assert found.tolist() == [row[0] for row in frames.tuples(octets)]


def test_table() -> None:
    for octets in (PROFILE, WITH_NULLS):
        table = frames.table(octets, NAMES)
        assert table.schema.types == [pa.binary(12), pa.uint8(), pa.uint32()]
        assert [tuple(row.values()) for row in table.to_pylist()] == list(frames.tuples(octets))


def test_table_of_texts_and_booleans() -> None:
    table = frames.table(buffer([VisibleString("a"), VisibleString("bc")], [True, False], [None, None]))
    assert table.schema.types == [pa.string(), pa.bool_(), pa.null()]
    assert table.to_pydict() == {"0": ["a", "bc"], "1": [True, False], "2": [None, None]}


def test_table_of_mixed_types_is_refused() -> None:
    with pytest.raises(ShapeError, match="mixed: values of different types"):
        frames.table(buffer([VisibleString("a"), Unsigned(1)]), ["mixed"])


def test_a_buffer_without_rows_has_no_columns() -> None:
    assert frames.arrays(b"\x01\x00", NAMES) == {}
    assert frames.table(b"\x01\x00").num_columns == 0


def test_rows_of_different_lengths_make_no_columns() -> None:
    octets = axdr.encode(Array((Structure((Unsigned(1),)), Structure((Unsigned(1), Unsigned(2))))))
    with pytest.raises(ShapeError, match="different lengths"):
        frames.arrays(octets)


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b", "c", "d"), ("a", "b", "a")])
def test_a_name_for_each_column(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError):
        frames.arrays(PROFILE, names)


def test_every_tag_is_verified() -> None:
    damaged = bytearray(PROFILE)
    damaged[-5] = 0x12  # the tag of the last energy: a long-unsigned leaves two octets over
    with pytest.raises(DecodeError):
        frames.arrays(bytes(damaged))


@pytest.mark.parametrize(("missing", "make"), [("numpy", frames.arrays), ("pyarrow", frames.table)])
def test_without_the_extra_the_error_says_what_to_type(
    missing: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=rf"columns need {missing}: pip install 'cosem\[columns\]'"):
        make(PROFILE)
    assert len(frames.tuples(PROFILE)) == 3
