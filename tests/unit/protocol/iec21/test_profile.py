"""Load profiles and logs; the forms are those of the captures in `tests/vectors/iec21.jsonl`."""

from __future__ import annotations

from datetime import datetime

import pytest

from cosem.protocol.iec21.moment import Moment, readout_moment
from cosem.protocol.iec21.profile import Column, Row, rows
from cosem.protocol.iec21.telegram import Value, data_sets

HEADING = b"P.01(1220823161500)(08)(15)(2)(1.5)(kW)(1-0:5.5.0)(kvar)\r\n"


def of(octets: bytes) -> list[Row]:
    return list(rows(data_sets(octets)))


def test_rows_have_the_time_of_their_place() -> None:
    first, second = of(HEADING + b"(0.1)(0.2)\r\n(0.3)(0.4)\r\n")
    assert first.moment == Moment(datetime(2022, 8, 23, 16, 15), summer=True)
    assert second.moment == Moment(datetime(2022, 8, 23, 16, 30), summer=True)
    assert second.values == (Value("0.3", "kW"), Value("0.4", "kvar"))
    assert second.columns == (Column("1.5", "kW"), Column("1-0:5.5.0", "kvar"))
    assert str(second.columns[0].obis) == "1.0.1.5.0.255"
    assert (second.status, second.line) == ("08", 3)


def test_a_bad_row_keeps_its_place() -> None:
    found = of(HEADING + b"(0.1)(0.2)\r\n(0.3)\r\n(0.5)(0.6)\r\n")
    assert [row.error is None for row in found] == [True, False, True]
    assert str(found[1].error) == "expected 2 values, there are 1, at octet 70"
    assert found[2].moment == Moment(datetime(2022, 8, 23, 16, 45), summer=True)


def test_a_damaged_row_keeps_its_place_too() -> None:
    found = of(HEADING + b"(0.1)(0.2)\r\n(0.\xff3)(0.4)\r\n(0.5)(0.6)\r\n")
    assert [row.error is None for row in found] == [True, False, True]


@pytest.mark.parametrize(
    "heading",
    [
        b"P.01(1221323161500)(08)(15)(2)(1.5)(kW)(2.5)(kW)",
        b"P.01(1220823161500)(08)(15)(3)(1.5)(kW)(2.5)(kW)",
        b"P.01(1220823161500)(08)(15)(x)(1.5)(kW)(2.5)(kW)",
        b"P.01(1220823161500)(08)(-1)(2)(1.5)(kW)(2.5)(kW)",
        b"P.01(12208\xff3161500)(08)(15)(2)(1.5)(kW)(2.5)(kW)",
    ],
)
def test_no_row_behind_a_bad_heading_is_believed(heading: bytes) -> None:
    found = of(heading + b"\r\n(0.1)(0.2)\r\n")
    assert len(found) == 2
    assert all(row.error is not None and row.moment is None for row in found)


def test_times_beyond_the_calendar() -> None:
    found = of(b"P.01(0991231235900)(08)(9999)(1)(1.5)(kW)\r\n" + b"(1)\r\n" * 3)
    assert all(row.error is None for row in found)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0231113101500", Moment(datetime(2023, 11, 13, 10, 15), summer=False)),
        ("1220823161500", Moment(datetime(2022, 8, 23, 16, 15), summer=True)),
        ("2220823161500", Moment(datetime(2022, 8, 23, 16, 15), universal=True)),
        ("02208231615", Moment(datetime(2022, 8, 23, 16, 15), summer=False)),
        ("1703100930", Moment(datetime(2017, 3, 10, 9, 30))),
        ("170310093015", Moment(datetime(2017, 3, 10, 9, 30, 15))),
        ("17-11-02 08:30", Moment(datetime(2017, 11, 2, 8, 30))),
        ("20-02-01,00:00", Moment(datetime(2020, 2, 1))),
        ("00-00-00 00:00", None),
        ("3220823161500", None),
        ("0000680476", None),
        ("12345678", None),
        ("", None),
    ],
)
def test_times_of_readouts(text: str, moment: Moment | None) -> None:
    assert readout_moment(text) == moment
