"""Profiles: captured on time, recomputed or asked for; read by range, by entry and by column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, ShapeError
from cosem.meter import RECOMPUTED, Meter
from cosem.meter.behaviour.profile_history import HISTORY
from cosem.meter.events import MeterEvent
from cosem.meter.item import FromSource, Item, Kept, Refusal, Visit
from cosem.meter.objects import Objects
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model import CaptureObject, Clock, Data, EntrySelection, ProfileGeneric, RangeSelection, Register
from cosem.protocol.values.data import (
    Array,
    DoubleLongUnsigned,
    Long64,
    LongUnsigned,
    OctetString,
    Structure,
    VisibleString,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

PROFILE = ProfileGeneric("1.0.99.1.0.255")
ENERGY = Register("1.0.1.8.0.255")
CLOCK = Clock()
NOON = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
COLUMNS = (CLOCK.time, ENERGY.value)
TIME_COLUMN, ENERGY_COLUMN = (CaptureObject(ref.class_id, ref.instance, ref.index, 0) for ref in COLUMNS)


class Now:
    """A clock that a test turns."""

    def __init__(self, time: datetime = NOON) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time

    def later(self, **by: float) -> None:
        self.time += timedelta(**by)


def make(now: Now, **values: Any) -> Meter:
    meter = Meter("KFM1", clock=now)
    meter.add(ENERGY, value=lambda time: int(time.timestamp()) // 900)
    meter.add(PROFILE, capture_objects=COLUMNS, **{"capture_period": 900, "profile_entries": 10, **values})
    return meter


def rows(meter: Meter) -> list[tuple[str, int]]:
    return [_shown(row) for row in meter.value(PROFILE.buffer)]


def _shown(row: Any) -> tuple[str, int]:
    return DateTime.from_octets(bytes(row[0])).to_datetime().astimezone(UTC).strftime("%d %H:%M"), int(row[1])


def select(meter: Meter, selection: Any) -> Any:
    visit = meter.management.visit()
    item = visit.device.find(PROFILE.instance)
    assert item is not None
    return item.behaviour.selections[2](visit, item, selection)


def refusal(meter: Meter, selection: Any) -> DataAccessResult:
    with pytest.raises(Refusal) as refused:
        select(meter, selection)
    return refused.value.result


QUARTER = int(NOON.timestamp()) // 900


def test_rows_are_captured_when_they_are_due_whenever_somebody_looks() -> None:
    now = Now()
    meter = make(now)
    assert rows(meter) == []
    now.later(minutes=14, seconds=59)
    assert rows(meter) == []
    now.later(seconds=1)
    assert rows(meter) == [("01 12:15", QUARTER + 1)]
    now.later(minutes=31)
    assert rows(meter) == [("01 12:15", QUARTER + 1), ("01 12:30", QUARTER + 2), ("01 12:45", QUARTER + 3)]
    assert meter.value(PROFILE.entries_in_use) == 3


def test_a_full_profile_forgets_the_oldest_even_after_years() -> None:
    now = Now()
    meter = make(now)
    now.later(days=3650)
    found = rows(meter)
    assert len(found) == 10
    assert found[-1] == ("27 12:00", QUARTER + 3650 * 96)


def test_values_that_change_are_captured_as_they_were() -> None:
    now = Now()
    meter = make(now)
    meter.put(ENERGY.value, 5)
    now.later(minutes=15)
    meter.put(ENERGY.value, 6)
    now.later(minutes=15)
    assert [row[1] for row in rows(meter)] == [5, 6]


def test_setting_the_clock_keeps_what_was_captured_before() -> None:
    now = Now()
    meter = make(now)
    now.later(minutes=20)
    meter.set_time(NOON + timedelta(days=1))
    now.later(minutes=15)
    assert rows(meter) == [("01 12:15", QUARTER + 1), ("02 12:15", QUARTER + 97)]
    meter.set_time(NOON)  # back: no row is captured twice, and the next ones come when they are due
    before = len(rows(meter))
    now.later(minutes=15)
    assert len(rows(meter)) == before + 1


@pytest.mark.parametrize("buffer", [(), RECOMPUTED, HISTORY])
@pytest.mark.parametrize("by", [15, -15])
def test_a_clock_put_right_over_the_end_of_a_period_loses_no_row_and_has_none_twice(buffer: Any, by: int) -> None:
    def times() -> list[str]:
        return [time for time, _ in rows(meter)]

    now = Now()
    meter = make(now, buffer=buffer)
    meter.settle()
    for minutes, quarter in ((15, "01 12:15"), (30, "01 12:30")):
        at = NOON + timedelta(minutes=minutes, seconds=-by / 3)  # 5 seconds before the end, or after it
        now.time += at - meter.time()
        assert (quarter in times()) is (by < 0)
        meter.set_time(at + timedelta(seconds=by))
        assert times().count(quarter) == 1
        now.later(minutes=1)
        assert times().count(quarter) == 1
    now.time += NOON + timedelta(hours=1) - meter.time()
    assert times()[-4:] == ["01 12:15", "01 12:30", "01 12:45", "01 13:00"]


@pytest.mark.parametrize("buffer", [(), RECOMPUTED, HISTORY])
def test_a_clock_put_right_again_and_again_has_each_row_once(buffer: Any) -> None:
    now = Now()
    meter = make(now, buffer=buffer)
    meter.settle()
    now.later(minutes=15, seconds=10)
    for by in (-50, 55, -50, -50, -59, 30):
        meter.set_time(meter.time() + timedelta(seconds=by))
        assert [time for time, _ in rows(meter)].count("01 12:15") == 1
        now.later(seconds=1)
    now.later(minutes=30)
    found = [time for time, _ in rows(meter)]
    assert (found[-2:], found.count("01 12:15")) == (["01 12:15", "01 12:30"], 1)


def test_newest_first() -> None:
    now = Now()
    meter = make(now, sort_method=2)
    now.later(hours=1)
    assert [row[0] for row in rows(meter)] == ["01 13:00", "01 12:45", "01 12:30", "01 12:15"]
    assert len(select(meter, EntrySelection(1, 1))) == 1


def test_a_recomputed_profile_has_a_history_at_once() -> None:
    meter = make(Now(), buffer=RECOMPUTED)
    assert rows(meter) == [
        ((NOON - timedelta(minutes=15 * back)).strftime("%d %H:%M"), QUARTER - back) for back in range(9, -1, -1)
    ]
    assert meter.value(PROFILE.entries_in_use) == 10


class Hours:
    """A value that tells what it is at several times, and how often it was asked in either way."""

    def __init__(self, of: Any) -> None:
        self.of = of
        self.alone = self.together = 0

    def __call__(self, source: object, time: datetime) -> Any:
        self.alone += 1
        return self.of(time.hour)

    def series(self, source: object, visits: Sequence[Visit], kept: Kept) -> list[Any]:
        self.together += 1
        kept.setdefault("hours", [visit.time.hour for visit in visits])
        return [self.of(hour) for hour in kept["hours"]]


def _hourly(*columns: Hours) -> list[tuple[Any, ...]]:
    meter = Meter("KFM1", clock=Now(NOON))
    registers = [Register(f"1.0.{place}.8.0.255") for place in range(1, len(columns) + 1)]
    for register, column in zip(registers, columns, strict=True):
        meter.add(register, value=FromSource(column))
    captured = tuple(register.value for register in registers)
    meter.add(PROFILE, capture_objects=captured, capture_period=3600, profile_entries=4, buffer=RECOMPUTED)
    return [tuple(row) for row in meter.value(PROFILE.buffer)]


def test_values_that_are_told_for_several_times_at_once() -> None:
    columns = Hours(LongUnsigned), Hours(lambda hour: LongUnsigned(2 * hour))
    assert _hourly(*columns) == [(9, 18), (10, 20), (11, 22), (12, 24)]
    assert [(each.alone, each.together) for each in columns] == [(0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (lambda hour: LongUnsigned(hour) if hour % 2 else DoubleLongUnsigned(hour), [9, 10, 11, 12]),
        (lambda hour: LongUnsigned(65_525 + hour), [65_534, 65_535, None, None]),
        (lambda hour: VisibleString(hour), ["9", "10", "11", "12"]),
    ],
)
def test_values_of_several_times_that_are_not_all_numbers_of_one_type_in_its_bounds(of: Any, expected: Any) -> None:
    assert _hourly(Hours(of), Hours(LongUnsigned)) == list(zip(expected, range(9, 13), strict=True))


def test_values_of_several_times_of_which_one_cannot_be_told() -> None:
    def of(hour: int) -> LongUnsigned:
        if hour == 10:
            raise ShapeError("nothing at ten")
        return LongUnsigned(hour)

    assert _hourly(Hours(of), Hours(LongUnsigned)) == [(9, 9), (None, 10), (11, 11), (12, 12)]


def test_days_begin_in_standard_time() -> None:
    now = Now(datetime(2024, 7, 1, 12, 0, tzinfo=UTC))
    meter = Meter("KFM1", clock=now, zone=ZoneInfo("Europe/Berlin"))
    meter.add(ENERGY, value=1)
    meter.add(PROFILE, capture_objects=COLUMNS, capture_period=86400, profile_entries=200, buffer=RECOMPUTED)
    times = [DateTime.from_octets(bytes(row[0])) for row in meter.value(PROFILE.buffer)]
    assert {(time.hour, time.deviation) for time in times} == {(0, -60), (1, -120)}
    assert {time.to_datetime().astimezone(UTC).hour for time in times} == {23}


def test_rows_that_were_given_and_rows_that_are_asked_for() -> None:
    meter = make(Now(), buffer=[(NOON, 5), (NOON, LongUnsigned(6))], capture_period=0)
    assert rows(meter) == [("01 12:00", 5), ("01 12:00", 6)]
    meter = make(Now(), buffer=lambda time: [(time, number) for number in range(30)], capture_period=0)
    assert [row[1] for row in rows(meter)] == list(range(20, 30))
    assert meter.value(PROFILE.entries_in_use) == 10


def test_rows_without_capture_objects_are_given_as_they_are() -> None:
    meter = Meter("KFM1", clock=Now())
    meter.add(PROFILE, buffer=[(1,), (2, 3)])
    assert meter.value(PROFILE.buffer) == ((1,), (2, 3))
    assert refusal(meter, RangeSelection.between(NOON, NOON)) == DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def test_rows_asked_for_in_vain_are_a_fault_of_the_meter() -> None:
    meter = make(Now(), buffer=lambda time: [(time,)], capture_period=0)
    assert refusal(meter, EntrySelection()) == DataAccessResult.HARDWARE_FAULT


def test_capture_and_reset() -> None:
    now = Now()
    meter = make(now, capture_period=0)
    visit = meter.management.visit()
    item = visit.device.find(PROFILE.instance)
    assert item is not None
    item.behaviour.methods[2](visit, item, None)
    assert rows(meter) == [("01 12:00", QUARTER)]
    item.behaviour.methods[1](visit, item, None)
    assert rows(meter) == []


@pytest.mark.parametrize("buffer", [RECOMPUTED, lambda _: []], ids=["computed", "asked for"])
def test_rows_that_are_not_kept_are_neither_captured_nor_erased_and_take_no_events(buffer: Any) -> None:
    meter = make(Now(), buffer=buffer)
    item = meter.management.find(PROFILE.instance)
    assert item is not None
    assert item.method(1) is None
    assert item.method(2) is None
    meter = Meter("KFM1", clock=Now())
    meter.add(Data("0.0.96.11.0.255"), value=0)
    columns = (Clock().time, Data("0.0.96.11.0.255").value)
    meter.add(PROFILE, capture_objects=columns, capture_period=900, buffer=buffer)
    with pytest.raises(ConfigurationError, match="keeps its rows"):
        meter.management.record(PROFILE, {MeterEvent.POWER_UP: 2})


def test_elements_of_structures_and_what_is_not_there() -> None:
    meter = Meter("KFM1", clock=Now())
    meter.add(Data("0.0.96.1.0.255"), value=(7, "x"))
    name = Obis("0.0.96.1.0.255")
    columns = (
        *(CaptureObject(1, name, 2, element) for element in (1, 2, 3)),
        *(CaptureObject(1, Obis("9.9.9.9.9.9"), 2, 0), CaptureObject(3, name, 2, 0), CaptureObject(1, name, 5, 0)),
    )
    meter.add(PROFILE, capture_objects=columns, capture_period=900, profile_entries=1, buffer=RECOMPUTED)
    assert meter.value(PROFILE.buffer) == ((7, b"x", None, None, None, None),)


def test_by_range_both_ends_included() -> None:
    meter = make(Now(), buffer=RECOMPUTED)
    half = RangeSelection.between(NOON - timedelta(minutes=30), NOON)
    assert [_shown(row)[0] for row in select(meter, half)] == ["01 11:30", "01 11:45", "01 12:00"]
    between = RangeSelection.between(NOON - timedelta(minutes=29), NOON - timedelta(minutes=1))
    assert [_shown(row)[0] for row in select(meter, between)] == ["01 11:45"]
    assert select(meter, RangeSelection.between(NOON, NOON - timedelta(minutes=1))) == ()
    assert len(select(meter, RangeSelection.between(NOON - timedelta(days=9), NOON + timedelta(days=9)))) == 10


def test_ranges_with_open_and_tagged_ends() -> None:
    meter = make(Now(), buffer=RECOMPUTED)
    for start in (DateTime(), DateTime(2024, 3, 1), DateTime.from_datetime(NOON - timedelta(days=1)), None):
        for end in (DateTime(), DateTime(2024, 3, 1), None):
            assert len(select(meter, RangeSelection(TIME_COLUMN, _octets(start), _octets(end)))) == 10
            assert len(select(meter, RangeSelection(TIME_COLUMN, start, end))) == 10
    naive = DateTime(2024, 3, 1, None, 11, 45)  # without deviation: the meter's own time
    assert len(select(meter, RangeSelection(TIME_COLUMN, naive, None))) == 2


def _octets(time: DateTime | None) -> OctetString | None:
    return None if time is None else OctetString(time.octets)


def test_ranges_by_another_column_and_with_columns() -> None:
    meter = make(Now(), buffer=RECOMPUTED)
    wanted = RangeSelection(ENERGY_COLUMN, DoubleLongUnsigned(QUARTER - 2), Long64(QUARTER - 1), (ENERGY_COLUMN,))
    assert select(meter, wanted) == ((QUARTER - 2,), (QUARTER - 1,))
    swapped = RangeSelection.between(NOON, NOON, columns=(ENERGY_COLUMN, TIME_COLUMN))
    assert [type(cell) for cell in select(meter, swapped)[0]] == [DoubleLongUnsigned, OctetString]


def test_ranges_that_cannot_be() -> None:
    meter = make(Now(), buffer=RECOMPUTED)
    elsewhere = CaptureObject(3, Obis("1.0.2.8.0.255"), 2, 0)
    assert refusal(meter, RangeSelection(elsewhere, None, None)) == DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    foreign = RangeSelection(TIME_COLUMN, None, None, (elsewhere,))
    assert refusal(meter, foreign) == DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    for bound in (DoubleLongUnsigned(5), VisibleString("noon"), Structure(()), OctetString(b"short")):
        assert refusal(meter, RangeSelection(TIME_COLUMN, bound, None)) == DataAccessResult.TYPE_UNMATCHED
    no_day = OctetString(bytes.fromhex("07E8021EFF000000008000FF"))
    assert refusal(meter, RangeSelection(TIME_COLUMN, no_day, None)) == DataAccessResult.TYPE_UNMATCHED


@pytest.mark.parametrize(
    ("selection", "places", "width"),
    [
        (EntrySelection(), range(10), 2),
        (EntrySelection(1, 3), range(3), 2),
        (EntrySelection(8, 0), range(7, 10), 2),
        (EntrySelection(8, 0xFFFF_FFFF), range(7, 10), 2),
        (EntrySelection(0, 1), range(1), 2),
        (EntrySelection(11, 12), range(0), 2),
        (EntrySelection(5, 4), range(0), 2),
        (EntrySelection(1, 1, 2, 0), range(1), 1),
        (EntrySelection(1, 1, 1, 1), range(1), 1),
        (EntrySelection(1, 1, 3, 9), range(1), 0),
    ],
)
def test_by_entry(selection: EntrySelection, places: range, width: int) -> None:
    meter = make(Now(), buffer=RECOMPUTED)
    whole = meter.value(PROFILE.buffer)
    found = select(meter, selection)
    first = selection.first_column - 1
    assert found == tuple(whole[place][first : first + width] for place in places)
    assert all(len(row) == width for row in found)


@pytest.mark.parametrize(
    "values",
    [
        {"sort_method": 3},
        {"profile_entries": 0},
        {"buffer": RECOMPUTED, "capture_period": 0},
        {"buffer": 5},
        {"buffer": [5]},
        {"buffer": "rows"},
        {"buffer": [(object(), 1)]},
        {"buffer": [(1,)]},
    ],
)
def test_descriptions_that_cannot_be(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"ProfileGeneric\(\"1\.0\.99\.1\.0\.255\"\)"):
        make(Now(), **values)


def test_profiles_that_store_are_not_shared() -> None:
    objects = Objects()
    objects.add(PROFILE, capture_objects=COLUMNS, capture_period=900)
    with pytest.raises(ConfigurationError):
        Meter("KFM1").management.use(objects)


cells = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 0xFFFF_FFFF).map(DoubleLongUnsigned),
    st.binary(min_size=12, max_size=12).map(OctetString),
    st.binary(min_size=12, max_size=12).map(DateTime.from_octets),
    st.binary(max_size=14).map(OctetString),
    st.just(Array((Structure(()),))),
)


@settings(max_examples=300, deadline=None)
@given(cells, cells, st.sampled_from((TIME_COLUMN, ENERGY_COLUMN)), st.booleans())
def test_no_bounds_do_harm(start: Any, end: Any, column: CaptureObject, recomputed: bool) -> None:
    meter = make(Now(), buffer=RECOMPUTED if recomputed else [(NOON, 1), (None, 2), (b"x", None)])
    try:
        found = select(meter, RangeSelection(column, start, end))
    except Refusal:
        return
    assert len(found) <= 10


def test_an_item_shows_itself() -> None:
    assert "1.0.99.1.0.255" in repr(Item(PROFILE))
