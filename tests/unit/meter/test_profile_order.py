"""Profiles in the order of one of their columns: where a row goes, and which one is lost when the buffer is full."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behaving import NOON, Now, run
from cosem.errors import ConfigurationError
from cosem.meter import RECOMPUTED, Meter
from cosem.meter.behaviour import profile_generic
from cosem.meter.describe import parse
from cosem.protocol.model import Clock, ProfileGeneric, Register
from cosem.protocol.model.classes.data_storage import SortMethod
from cosem.protocol.values.data import DoubleLong

PROFILE = ProfileGeneric("1.0.99.1.0.255")
VALUE = Register("1.0.1.7.0.255")
ORDERS = {
    SortMethod.LARGEST: lambda value: -value,
    SortMethod.SMALLEST: lambda value: value,
    SortMethod.NEAREST_TO_ZERO: abs,
    SortMethod.FAREST_FROM_ZERO: lambda value: -abs(value),
}


def make(now: Now, method: int, **values: Any) -> Meter:
    meter = Meter("KFM1", clock=now)
    meter.add(VALUE, value=DoubleLong(0))
    described = {
        "capture_objects": (Clock().time, VALUE.value),
        "sort_method": method,
        "sort_object": VALUE.value,
        "profile_entries": 4,
        **values,
    }
    meter.add(PROFILE, **described)
    return meter


def capture(meter: Meter, *values: int) -> list[int]:
    for value in values:
        meter.put(VALUE.value, DoubleLong(value))
        run(meter, PROFILE.capture)
    return shown(meter)


def shown(meter: Meter) -> list[int]:
    return [row[1] for row in meter.value(PROFILE.buffer)]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (SortMethod.LARGEST, [7, 5, 3, 1]),
        (SortMethod.SMALLEST, [-9, -2, 1, 3]),
        (SortMethod.NEAREST_TO_ZERO, [1, -2, 3, 5]),
        (SortMethod.FAREST_FROM_ZERO, [-9, 7, 5, 3]),
    ],
)
def test_the_least_interesting_row_goes_when_the_buffer_is_full(method: SortMethod, expected: list[int]):
    meter = make(Now(), method)
    assert capture(meter, 5, 3, 1, -2, 7, -9) == expected
    assert meter.value(PROFILE.entries_in_use) == 4
    run(meter, PROFILE.reset)
    assert capture(meter, 2) == [2]


@given(st.lists(st.integers(-9, 9), max_size=20), st.sampled_from(sorted(ORDERS)))
def test_rows_are_in_order_and_none_that_is_lost_would_come_first(values: list[int], method: SortMethod):
    meter = make(Now(), method)
    assert capture(meter, *values) == sorted(values, key=ORDERS[method])[:4]


def test_of_rows_with_one_value_the_first_stays():
    now = Now()
    meter = make(now, SortMethod.LARGEST, profile_entries=1)
    capture(meter, 5)
    first = meter.value(PROFILE.buffer)
    now.later(minutes=1)
    capture(meter, 5)
    assert meter.value(PROFILE.buffer) == first


def test_rows_that_were_missed_are_made_up_for_before_they_are_sorted():
    now = Now()
    meter = make(now, SortMethod.LARGEST, capture_period=60, profile_entries=2)
    highest = ProfileGeneric("1.0.98.1.0.255")
    sine = Register("1.0.2.7.0.255")
    meter.add(sine, value=lambda time: 100 - abs(int((time - NOON).total_seconds()) // 60 - 30))
    meter.add(
        highest,
        capture_objects=(Clock().time, sine.value),
        capture_period=60,
        profile_entries=2,
        sort_method=SortMethod.LARGEST,
        sort_object=sine.value,
    )
    now.later(hours=2)
    assert [row[1] for row in meter.value(highest.buffer)] == [100, 99]


@pytest.mark.parametrize(("minutes", "largest"), [(5, 99), (6, 98), (20, 84)])
def test_so_many_rows_are_made_up_for_and_no_more(monkeypatch: pytest.MonkeyPatch, minutes: int, largest: int):
    """The values fall from 99 on, one a minute: the largest is the oldest of those that were captured."""
    monkeypatch.setattr(profile_generic, "MOST_CAPTURES", 5)
    now = Now()
    meter = Meter("KFM1", clock=now)
    meter.add(VALUE, value=lambda time: 100 - int((time - NOON).total_seconds()) // 60)
    meter.add(
        PROFILE,
        capture_objects=(VALUE.value,),
        capture_period=60,
        profile_entries=1,
        sort_method=SortMethod.LARGEST,
        sort_object=VALUE.value,
    )
    now.later(minutes=minutes)
    assert [row[0] for row in meter.value(PROFILE.buffer)] == [largest]


def test_a_profile_is_sorted_by_time_as_well_and_what_has_no_order_comes_last():
    now = Now()
    meter = make(now, SortMethod.LARGEST, sort_object=Clock().time)
    for _ in range(3):
        now.later(minutes=1)
        capture(meter, int((now.time - NOON) / timedelta(minutes=1)))
    assert shown(meter) == [3, 2, 1]
    meter = make(now, SortMethod.SMALLEST)
    capture(meter, 4)
    meter.put(VALUE.value, "text")
    run(meter, PROFILE.capture)
    assert capture(meter, 9)[:2] == [4, 9]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"sort_object": Clock().time_zone}, "one of its columns"),
        ({"buffer": RECOMPUTED, "capture_period": 60}, "only rows that are captured"),
        ({"sort_method": 7}, "1 to 6"),
    ],
)
def test_what_cannot_be_sorted_is_said_when_it_is_described(wrong: dict[str, Any], why: str):
    with pytest.raises(ConfigurationError, match=why):
        make(Now(), **{"method": SortMethod.LARGEST, **wrong}) if "sort_method" not in wrong else make(Now(), 7)


def test_an_order_is_described_in_toml():
    now = Now()
    meter = parse(
        """
        [meter]
        name = "KFM1020012345678"
        template = "household"
        [[object]]
        class = "DemandRegister"
        instance = "1.0.1.4.0.255"
        current_average_value = "1.0.1.8.0.255:value"
        scaler_unit = [0, "W"]
        [[profile]]
        instance = "1.0.98.1.0.255"
        columns = ["0.0.1.0.0.255:time", "1.0.1.4.0.255:last_average_value"]
        period = 900
        entries = 3
        order = "largest"
        sort_by = "1.0.1.4.0.255:last_average_value"
        """,
        clock=now,
    )
    now.later(days=1)
    kept = [int(row[1]) for row in meter.value(ProfileGeneric("1.0.98.1.0.255").buffer)]
    assert len(kept) == 3
    assert kept == sorted(kept, reverse=True)
