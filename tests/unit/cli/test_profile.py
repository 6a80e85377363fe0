"""`cosem profile`: the three formats, gaps that are filled, and cells that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem.cli.profile import cell, filled
from cosem.protocol.model import CaptureObject, ProfileGeneric, ScalerUnit
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.column import ProfileColumn
from cosem.readings.profile import ProfileRows

Cosem = Callable[..., Any]

CLOCK = ProfileColumn(CaptureObject(8, Obis("0.0.1.0.0.255"), 2, 0))
ENERGY = ProfileColumn(CaptureObject(3, Obis("1.0.1.8.0.255"), 2, 0), ScalerUnit(-1, Unit.WATT_HOUR))
NAME = ProfileColumn(CaptureObject(1, Obis("0.0.96.1.0.255"), 2, 0))


def rows(*found: tuple[Any, ...], period: int = 900, newest_first: bool = False) -> ProfileRows:
    return ProfileRows(ProfileGeneric("1.0.99.1.0.255"), (CLOCK, ENERGY, NAME), found, period, newest_first)


def clock(text: str) -> bytes:
    return DateTime.parse(text).octets


def test_a_table_has_a_column_for_each_capture_object(cosem: Cosem, served: Any) -> None:
    ran = cosem("profile", served.household, "1.0.99.1.0.255")
    assert ran.code == 0
    head = [line.split() for line in ran.out.splitlines()[:3]]
    assert head[0] == ["0.0.96.10.1.255", "1.0.1.8.0.255", "1.0.1.8.1.255", "1.0.1.8.2.255", "1.0.2.8.0.255"]
    assert head[2] == ["time", "status", "Wh", "Wh", "Wh", "Wh"]
    assert ran.err.endswith(" rows\n")


def test_a_companion_names_columns_and_the_bits_of_a_status(cosem: Cosem, served: Any, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\ntitle = "Own"\nsource = []\nlicence = ""\n'
        '[[status]]\nobis = "0.0.96.10.1.255"\nbits = { 0 = "first bit" }\n'
        '[[objects]]\nobis = "1.0.1.8.0.255"\nclass = 3\nname = "Consumption"\n'
    )
    words = ("profile", served.household, "1.0.99.1.0.255", "--json")
    plain, told = cosem(*words).json, cosem(*words, "--companion", own).json
    assert [each["name"] for each in told["columns"]][1] == "Consumption"
    assert told["columns"][2] == plain["columns"][2]
    assert all(isinstance(row["values"][0], str) for row in told["rows"])


def test_csv_and_json_say_the_same(cosem: Cosem, served: Any) -> None:
    every = cosem("profile", served.household, "1.0.99.1.0.255", "--json").json["rows"]
    words = ("profile", served.household, "1.0.99.1.0.255", "--since", every[-50]["time"], "--until", every[-9]["time"])
    lines = list(csv.reader(io.StringIO(cosem(*words, "--format", "csv").out)))
    assert lines[0][:5] == ["time", "utc", "status", "0.0.96.10.1.255", "1.0.1.8.0.255 (Wh)"]
    told = cosem(*words, "--json").json
    assert len(told["rows"]) == 42
    assert told["capture_period"] == 900
    assert [each["unit"] for each in told["columns"]] == [None, "Wh", "Wh", "Wh", "Wh"]
    assert [[str(value) for value in row["values"]] for row in told["rows"]] == [line[3:] for line in lines[1:]]
    assert [row["utc"] for row in told["rows"]] == [line[1].replace(" ", "T") for line in lines[1:]]


def test_since_and_until_cut_and_a_time_without_offset_is_the_meters(cosem: Cosem, served: Any) -> None:
    every = cosem("profile", served.household, "1.0.99.1.0.255", "--json").json["rows"]
    first, last = (datetime.fromisoformat(every[at]["time"]) for at in (-8, -5))
    for since, until in (
        (first.replace(tzinfo=None), last.replace(tzinfo=None)),
        (first, last),
        (first - timedelta(seconds=1), last + timedelta(seconds=1)),
    ):
        ran = cosem(
            *("profile", served.household, "1.0.99.1.0.255", "--format", "json"),
            *("--since", since.isoformat(), "--until", until.isoformat()),
        )
        assert [row["time"] for row in ran.json["rows"]] == [row["time"] for row in every[-8:-4]]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("1.0.99.1.0.255", "--since", "yesterday"), "the meter's local time"),
        (("1.0.99.1.0.255", "--since", "2024-02-02", "--until", "2024-02-01"), "comes after"),
        (("3/1.0.99.1.0.255",), "class 7"),
        (("1.0.99.1.0.255:buffer",), "class 7"),
        (("1.0.99.1.0.255", "--format", "xml"), "xml"),
    ],
)
def test_bad_usage(cosem: Cosem, words: tuple[str, ...], complaint: str) -> None:
    ran = cosem("profile", "tcp://127.0.0.1", *words)
    assert (ran.code, ran.out) == (64, "")
    assert complaint in ran.err


def test_a_profile_that_is_not_there(cosem: Cosem, served: Any) -> None:
    ran = cosem("profile", served.wrapper, "1.0.99.2.0.255")
    assert (ran.code, ran.out) == (1, "")
    assert "object-undefined" in ran.err
    assert "layer:    application layer (objects)" in ran.err


def test_null_data_stands_for_the_next_time_and_the_same_value() -> None:
    found = filled(rows((clock("2024-02-29 13:00:00 +01:00"), 1005, "a"), (None, 1010, None), (None, None, None)))
    assert [row.local for row in found] == [
        "2024-02-29 13:00:00+01:00",
        "2024-02-29 13:15:00+01:00",
        "2024-02-29 13:30:00+01:00",
    ]
    assert found[2].utc == "2024-02-29 12:30:00Z"
    assert [row.notes for row in found] == [
        (),
        ("time computed", "values repeated"),
        ("time computed", "values repeated"),
    ]
    assert [str(row.values[0]) for row in found] == ["100.5", "101.0", "101.0"]
    assert [row.values[1] for row in found] == ["a", "a", "a"]


def test_the_newest_row_first_counts_back() -> None:
    found = filled(rows((clock("2024-02-29 13:00:00"), 5, ""), (None, 4, ""), newest_first=True))
    assert [row.local for row in found] == ["2024-02-29 13:00:00", "2024-02-29 12:45:00"]
    assert [row.utc for row in found] == ["", ""]


def test_a_time_with_open_fields_is_shown_and_not_counted_from() -> None:
    found = filled(rows((clock("*-02-29 13:00"), 5, ""), (None, 4, ""), (None, 3, ""), period=0))
    assert found[0].local.startswith("*-02-29")
    assert [row.local for row in found[1:]] == ["", ""]


def test_what_the_clock_says_of_itself_is_noted() -> None:
    (row,) = filled(rows((clock("2024-07-01 13:00:00 +02:00 [daylight saving]"), 5, "")))
    assert row.notes == ("daylight saving",)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_text_that_begins_like_a_formula_gets_a_quote(start: str) -> None:
    assert cell(f"{start}1+1").startswith("'")
    assert "\r" not in cell(f"{start}1+1")
    assert "\t" not in cell(f"{start}1+1")


def test_a_negative_number_is_no_formula() -> None:
    assert cell(-5) == "-5"


def test_hostile_text_in_csv(cosem: Cosem, served: Any) -> None:
    assert "\x1b" not in cosem("profile", served.wrapper, "1.0.99.1.0.255", "--format", "csv").everything
