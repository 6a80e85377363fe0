"""What is measured goes by the true time: a clock that is set leaves a gap or an overlap, and no total runs back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.behaving import Now, run, write

from cosem.meter import RECOMPUTED, Meter
from cosem.meter.demo import EVENT_LOG, LOAD_PROFILE, Household, household
from cosem.meter.describe import parse
from cosem.meter.loads import KINDS
from cosem.protocol.model import Clock, ProfileGeneric, Register
from cosem.protocol.model.classes.data_storage import ExtendedRegister, RegisterActivation
from cosem.protocol.values.dates import DateTime

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 11, 25, 10, 7, tzinfo=UTC)
CAPTURED = ProfileGeneric("1.0.99.2.0.255")
BOTH_WAYS = [timedelta(hours=5), -timedelta(hours=5), timedelta(minutes=20), -timedelta(minutes=40)]


def totals(meter: Meter) -> list[int]:
    """What is captured in the load profile: everything that only grows, behind the clock and the status."""
    columns = meter.value(LOAD_PROFILE.capture_objects)[2:]
    return [int(meter.value(Register(str(column.logical_name)).value)) for column in columns]


def set_by(meter: Meter, by: timedelta) -> None:
    write(meter, Clock().time, DateTime.from_datetime(meter.time() + by))


def moment(value: Any) -> datetime:
    return DateTime.from_octets(bytes(value)).to_datetime(UTC).astimezone(UTC)


@pytest.mark.parametrize("by", BOTH_WAYS)
@pytest.mark.parametrize("load", KINDS)
def test_setting_the_clock_turns_no_total(load: str, by: timedelta) -> None:
    now = Now(BEGIN)
    meter, twin = (household(3, clock=now, zone=BERLIN, load=load) for _ in range(2))
    set_by(meter, by)
    assert totals(meter) == totals(twin)
    now.later(hours=7)
    assert totals(meter) == totals(twin)
    codes = [item.instance for item in meter.management.objects if item.class_id == Register.class_id]
    assert [meter.value(Register(str(each)).value) for each in codes] == [
        twin.value(Register(str(each)).value) for each in codes
    ]


@pytest.mark.parametrize("by", BOTH_WAYS)
def test_rows_that_are_computed_are_those_that_are_captured(by: timedelta) -> None:
    now = Now(BEGIN)
    meter = household(3, clock=now, zone=BERLIN)
    columns = meter.value(LOAD_PROFILE.capture_objects)
    meter.add(CAPTURED, capture_objects=columns, capture_period=900, profile_entries=300)
    for shift in (by, -by * 2, timedelta(seconds=37)):
        now.later(hours=9)
        set_by(meter, shift)
    now.later(hours=9)
    captured = meter.value(CAPTURED.buffer)
    assert len(captured) > 100
    assert meter.value(LOAD_PROFILE.buffer)[-len(captured) :] == captured
    assert len(meter.value(LOAD_PROFILE.buffer)) == meter.value(LOAD_PROFILE.profile_entries)
    for before, after in pairwise(meter.value(LOAD_PROFILE.buffer)):
        assert all(int(later) >= int(earlier) for earlier, later in zip(before[2:], after[2:], strict=True))


@pytest.mark.parametrize("by", [timedelta(days=1), -timedelta(days=1), -timedelta(minutes=40)])
def test_the_past_of_a_profile_stays_as_it_was(by: timedelta) -> None:
    text = '[meter]\nname = "KFM1020000000001"\n[load]\nkind = "household"\n'
    text += '[[object]]\nclass = "Register"\ninstance = "1.0.1.8.0.255"\n[[profile]]\ninstance = "1.0.99.2.0.255"\n'
    text += 'columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]\nperiod = 900\nentries = 96\n'
    now = Now(BEGIN)
    meter = parse(text, clock=now)
    before = tuple(meter.value(CAPTURED.buffer))
    set_by(meter, by)
    assert tuple(meter.value(CAPTURED.buffer)) == before


def test_a_range_of_rows_has_what_came_twice_twice_and_nothing_of_what_was_jumped_over() -> None:
    now = Now(BEGIN)
    meter = household(3, clock=now)
    set_by(meter, timedelta(hours=2))
    now.later(hours=3)
    set_by(meter, -timedelta(hours=1))
    now.later(hours=3)
    times = [moment(row[0]) for row in meter.value(LOAD_PROFILE.buffer)]
    quarter, hour = timedelta(minutes=15), timedelta(hours=1)
    first = BEGIN.replace(minute=0)
    assert not [each for each in times if first < each <= first + 2 * hour], "jumped over"
    twice = [each for each in set(times) if times.count(each) == 2]
    assert sorted(twice) == [first + 4 * hour + place * quarter for place in range(1, 5)]
    item = meter.management.find(LOAD_PROFILE.instance)
    assert item is not None
    found = item.state.rows(meter.management.visit(), first + 4 * hour, first + 4 * hour + quarter)
    assert [moment(row[0]) - first - 4 * hour for row in found] == [quarter * 0, quarter, quarter]
    assert int(found[1][2]) < int(found[2][2])


def test_events_keep_the_times_that_the_clock_showed() -> None:
    now = Now(BEGIN)
    meter = household(3, clock=now)
    before = meter.value(EVENT_LOG.buffer)
    assert before
    set_by(meter, timedelta(days=40))
    assert meter.value(EVENT_LOG.buffer)[: len(before)] == before


@pytest.mark.parametrize("by", BOTH_WAYS[:2])
def test_a_template_goes_on_so_after_a_restart(by: timedelta, tmp_path: Path) -> None:
    text = '[meter]\nname = "KFM1020000000001"\ntemplate = "household"\n[state]\npath = "mine"\n'
    now = Now(BEGIN)
    meter = parse(text, clock=now, folder=tmp_path)
    before = totals(meter)
    set_by(meter, by)
    rows, events = meter.value(LOAD_PROFILE.buffer), meter.value(EVENT_LOG.buffer)
    assert meter.memory is not None
    meter.memory.close()
    again = parse(text, clock=now, folder=tmp_path)
    assert again.time() == now() + by
    assert totals(again) == before
    assert again.value(LOAD_PROFILE.buffer) == rows
    assert again.value(EVENT_LOG.buffer)[: len(events)] == events


def test_a_meter_whose_clock_nobody_set_asks_its_household_itself() -> None:
    meter = household(3, clock=Now(BEGIN))
    assert type(meter.management.source) is Household
    set_by(meter, timedelta(hours=1))
    assert type(meter.management.source) is not Household


def test_nothing_runs_back_in_the_hour_that_comes_twice() -> None:
    now = Now(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    text = '[meter]\nname = "KFM1020000000001"\nzone = "Europe/Berlin"\n[load]\nkind = "household"\n'
    meter = parse(text + '[[object]]\nclass = "Register"\ninstance = "1.0.1.8.0.255"\n', clock=now)
    shown: list[int] = []
    for _ in range(8):
        shown.append(int(meter.value(Register("1.0.1.8.0.255").value)))
        now.later(minutes=15)
    assert shown == sorted(shown) and len(set(shown)) == len(shown)


SWITCHED = """[meter]
name = "KFM1020000000001"
[load]
kind = "household"
[[object]]
class = "Register"
instance = "1.0.1.8.0.255"
[[object]]
class = "Register"
instance = "1.0.1.8.1.255"
[[object]]
class = "Register"
instance = "1.0.1.8.2.255"
[[object]]
class = "RegisterActivation"
instance = "0.0.14.0.0.255"
register_assignment = [[3, "1.0.1.8.1.255"], [3, "1.0.1.8.2.255"]]
mask_list = [["A", [1]], ["B", [2]]]
active_mask = "A"
"""


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("by", BOTH_WAYS)
def test_setting_the_clock_past_a_power_failure_or_a_switch_of_tariff_turns_no_total(
    by: timedelta, restarted: bool, tmp_path: Path
) -> None:
    now, active = Now(BEGIN), RegisterActivation("0.0.14.0.0.255").active_mask
    meter, twin = (parse(SWITCHED, clock=now, state=tmp_path / name) for name in ("set", "twin"))
    registers = [Register(f"1.0.1.8.{rate}.255") for rate in range(3)]
    for _ in range(2):
        now.later(minutes=11)
        for each in (meter, twin):
            each.power.down()
        now.later(minutes=20)
        for each in (meter, twin):
            each.power.up()
        now.later(minutes=7)
        for each in (meter, twin):
            write(each, active, b"B" if each.value(active) == b"A" else b"A")
        now.later(minutes=5)
        before = [meter.value(each.value) for each in registers]
        set_by(meter, by)
        assert [meter.value(each.value) for each in registers] == before
        if restarted:
            meter.keep()
            assert meter.memory is not None
            meter.memory.close()
            meter = parse(SWITCHED + "[supply]\n", clock=now, state=tmp_path / "set")
        for _ in range(30):
            assert [meter.value(each.value) for each in registers] == [twin.value(each.value) for each in registers]
            now.later(minutes=13)


LARGEST = ExtendedRegister("1.0.1.6.0.255")
MAXIMA = """[meter]
name = "KFM1020000000001"
[load]
kind = "household"
[[object]]
class = "ExtendedRegister"
instance = "1.0.1.6.0.255"
"""


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("by", BOTH_WAYS)
def test_setting_the_clock_past_a_reset_brings_no_maximum_back(by: timedelta, restarted: bool, tmp_path: Path) -> None:
    now = Now(BEGIN)
    meter, twin = (parse(MAXIMA, clock=now, state=tmp_path / name) for name in ("set", "twin"))
    of_the_month = int(meter.value(LARGEST.value))
    for each in (meter, twin):
        run(each, LARGEST.reset)
    now.later(minutes=31)
    set_by(meter, by)
    if restarted:
        meter.keep()
        assert meter.memory is not None
        meter.memory.close()
        meter = parse(MAXIMA, clock=now, state=tmp_path / "set")
    for _ in range(30):
        assert meter.value(LARGEST.value) == twin.value(LARGEST.value)
        assert moment(meter.value(LARGEST.capture_time)) - by == moment(twin.value(LARGEST.capture_time))
        now.later(minutes=13)
    assert int(twin.value(LARGEST.value)) < of_the_month


@pytest.mark.parametrize("by", BOTH_WAYS)
def test_other_computed_rows_have_their_gap_and_overlap_too(by: timedelta) -> None:
    now = Now(BEGIN)
    meter = Meter("KFM1020000000001", clock=now)
    meter.add(Register("1.0.1.8.0.255"), value=lambda _: 5, scaler_unit=(0, 30))
    columns = (Clock().time, Register("1.0.1.8.0.255").value)
    for profile, given in ((LOAD_PROFILE, {"buffer": RECOMPUTED}), (CAPTURED, {})):
        meter.add(profile, capture_objects=columns, capture_period=900, profile_entries=50, **given)  # type: ignore[arg-type]
    now.later(hours=12)
    set_by(meter, by)
    now.later(hours=6)
    assert meter.value(LOAD_PROFILE.buffer) == meter.value(CAPTURED.buffer)
