"""Times that were left out, and values that null-data repeats."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem.protocol.values.dates import DateTime
from cosem.readings.fill import fill, moment_of, reached

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def given(value: Any) -> Any:
    return value if isinstance(value, datetime) else None


def test_times_count_on_and_values_repeat() -> None:
    rows = [(NOON, 1, "a"), (None, None, "b"), (None, 3, None)]
    filled = list(fill(rows, 0, QUARTER, given))
    assert [each.time for each in filled] == [NOON, NOON + QUARTER, NOON + 2 * QUARTER]
    assert [each.computed for each in filled] == [False, True, True]
    assert [each.values[1:] for each in filled] == [(1, "a"), (1, "b"), (3, "b")]
    assert [set(each.repeated) for each in filled] == [set(), {1}, {2}]


def test_the_newest_first_counts_back() -> None:
    filled = fill([(NOON, 1), (None, 2)], 0, -QUARTER, given)
    assert [each.time for each in filled] == [NOON, NOON - QUARTER]


@pytest.mark.parametrize("rows", [[(None, 1)], [("open", 1), (None, 2)]])
def test_nothing_to_count_on(rows: list[tuple[Any, ...]]) -> None:
    assert [each.time for each in fill(rows, 0, QUARTER, given)] == [None] * len(rows)


def test_the_calendar_ends() -> None:
    last = datetime(9999, 12, 31, 23, 50)
    assert [each.time for each in fill([(last,), (None,)], 0, QUARTER, given)] == [last, None]


def test_no_step_and_no_clock() -> None:
    assert [each.time for each in fill([(NOON,), (None,)], 0, timedelta(), given)] == [NOON, None]
    (row,) = fill([(None, 5)], None, QUARTER, given)
    assert (row.moment, row.time, row.values) == (None, None, (None, 5))


def test_nulls_that_are_values() -> None:
    filled = list(fill([(NOON, 1), (NOON, None)], 0, QUARTER, given, nulls_repeat=False))
    assert filled[1].values == (NOON, None)
    assert not filled[1].repeated


def test_what_a_clock_column_holds() -> None:
    moment = DateTime.from_datetime(NOON)
    assert moment_of(moment) is moment
    assert moment_of(moment.octets) == moment
    for other in (None, 5, b"\x07\xea", "2026"):
        assert moment_of(other) is None


def test_order_with_and_without_offset() -> None:
    local = NOON.replace(tzinfo=None)
    assert reached(None, NOON)
    assert reached(NOON, None)
    assert reached(NOON, DateTime.from_datetime(NOON))
    assert not reached(NOON + QUARTER, local)
