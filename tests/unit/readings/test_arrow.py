"""Profiles as Arrow tables: timestamps, exact decimals, and headings in the metadata."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from cosem.errors import ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.columns import rows
from cosem.protocol.model.classes.data_storage import ProfileGeneric, ScalerUnit
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import (
    Array,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Float32,
    Long64Unsigned,
    OctetString,
    Structure,
    VisibleString,
)
from cosem.protocol.values.dates import ClockStatus, DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.column import ProfileColumn
from cosem.readings.profile import ProfileRows

NAME = "3/1.0.1.8.0.255/2"
TIME = "8/0.0.1.0.0.255/2"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def clock(time: datetime | DateTime) -> OctetString:
    return OctetString((time if isinstance(time, DateTime) else DateTime.from_datetime(time)).octets)


def profile(
    *columns: list[Data], scaler: int | None = None, period: int = 900, newest_first: bool = False
) -> ProfileRows:
    """A clock and a register; the octets are decoded as those of a meter."""
    octets = axdr.encode(Array(Structure(row) for row in zip(*columns, strict=True)))
    headings = (
        ProfileColumn(CaptureObject(8, Obis("0.0.1.0.0.255"), 2)),
        ProfileColumn(
            CaptureObject(3, Obis("1.0.1.8.0.255"), 2), None if scaler is None else ScalerUnit(scaler, Unit.WATT_HOUR)
        ),
    )
    return ProfileRows(ProfileGeneric("1.0.99.1.0.255"), headings, rows(octets), period, newest_first)


def numbers(*values: int) -> list[Data]:
    return [DoubleLongUnsigned(value) for value in values]


def test_times_are_in_utc_and_headings_in_the_metadata() -> None:
    plus_one = NOON.astimezone(ZoneInfo("Europe/Vilnius"))
    table = profile([clock(plus_one), clock(plus_one + timedelta(minutes=15))], numbers(5, 6), scaler=-1).table()
    assert table.schema.field(TIME).type == pa.timestamp("us", "UTC")
    assert table.column(TIME).to_pylist() == [NOON, NOON + timedelta(minutes=15)]
    assert table.column(NAME).to_pylist() == [5, 6]
    assert table.schema.field(NAME).type == pa.uint32()
    told = {key.decode(): value.decode() for key, value in table.schema.field(NAME).metadata.items()}
    assert told == {
        "class_id": "3",
        "obis": "1.0.1.8.0.255",
        "attribute": "2",
        "data_index": "0",
        "name": told["name"],
        "scaler": "-1",
        "unit": "Wh",
    }
    assert "active" in told["name"].lower()


@pytest.mark.parametrize("newest_first", [False, True])
def test_times_that_null_data_left_out_count_on(newest_first: bool) -> None:
    table = profile([clock(NOON), None, None], numbers(1, 2, 3), newest_first=newest_first).table()
    step = timedelta(minutes=-15 if newest_first else 15)
    assert table.column(TIME).to_pylist() == [NOON, NOON + step, NOON + 2 * step]


def test_a_time_that_cannot_be_told_is_null() -> None:
    open_year = DateTime(None, 11, 20, hour=12, minute=0, second=0)
    no_day = OctetString(bytes.fromhex("07EA021E050C000000000000"))  # 30 February
    table = profile([None, clock(open_year), None, no_day, clock(NOON)], numbers(1, 2, 3, 4, 5)).table()
    assert table.column(TIME).to_pylist() == [None, None, None, None, NOON]
    table = profile([clock(NOON), None], numbers(1, 2), period=0).table()
    assert table.column(TIME).to_pylist() == [NOON, None]


def test_local_time_without_and_with_the_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    # Twice half past two, told apart by the clock status alone.
    moments: list[Data] = [
        clock(DateTime(2026, 10, 25, hour=2, minute=30, second=0, status=status))
        for status in (ClockStatus.DAYLIGHT_SAVING, ClockStatus(0))
    ]
    local = profile(moments, numbers(1, 2)).table()
    assert local.schema.field(TIME).type == pa.timestamp("us")
    assert local.column(TIME).to_pylist() == [datetime(2026, 10, 25, 2, 30)] * 2
    known = profile(moments, numbers(1, 2)).table(zone=berlin)
    expected = [datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)]
    assert known.column(TIME).to_pylist() == expected


def test_date_times_under_their_own_tag() -> None:
    table = profile([DateTime.from_datetime(NOON), None], numbers(1, 2)).table()
    assert table.column(TIME).to_pylist() == [NOON, NOON + timedelta(minutes=15)]


@pytest.mark.parametrize(
    ("values", "scaler", "expected"),
    [
        ([DoubleLong(-5), DoubleLong(1234)], -2, ["-0.05", "12.34"]),
        ([Long64Unsigned(2**64 - 1), Long64Unsigned(0)], -3, ["18446744073709551.615", "0.000"]),
        ([DoubleLongUnsigned(7), None], -1, ["0.7", None]),
        ([DoubleLongUnsigned(7), None], 0, ["7", None]),
        ([DoubleLongUnsigned(7), DoubleLongUnsigned(8)], 3, ["7000", "8000"]),
        ([Float32(1.5), Float32(0.1)], -1, ["0.15", "0.01"]),
    ],
)
def test_scalers_are_applied_exactly(values: list[Data], scaler: int, expected: list[str | None]) -> None:
    table = profile([clock(NOON), clock(NOON)], values, scaler=scaler).table(scaled=True)
    assert pa.types.is_decimal(table.schema.field(NAME).type)
    found: list[Any] = table.column(NAME).to_pylist()
    for value, text in zip(found, expected, strict=True):
        if isinstance(values[0], Float32) and value is not None:
            assert abs(value - Decimal(text or "0")) < Decimal("1e-8")
        else:
            assert value == (None if text is None else Decimal(text))


def test_what_is_no_number_stays_as_it_is() -> None:
    table = profile([clock(NOON), clock(NOON)], [VisibleString("a"), VisibleString("b")], scaler=-1).table(scaled=True)
    assert table.column(NAME).to_pylist() == ["a", "b"]


def test_no_rows() -> None:
    assert profile([], []).table().num_columns == 0


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (0x82, ("clock invalid", "bit 7")),
        (b"\x01\x00", ("bit 8",)),
        ("0100", ("clock invalid",)),
        (0, ()),
        (None, ()),
        (-1, ()),
    ],
)
def test_bits_of_a_status(value: Any, names: tuple[str, ...]) -> None:
    column = ProfileColumn(CaptureObject(1, Obis("0.0.96.10.1.255"), 2), bits={1: "clock invalid"})
    assert column.status(value) == names


def test_numbers_that_no_column_holds_are_refused_as_a_column() -> None:
    """A number of 64 bits beside a text: a hostile meter may send such a column."""
    with pytest.raises(ShapeError, match="no Arrow type"):
        profile([clock(NOON), clock(NOON)], [Long64Unsigned(2**64 - 1), VisibleString("x")]).table()
