"""Scripts that run at their times: single actions, schedules and calendars, over daylight saving and set clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import described
from behaving import Now, run
from cosem.meter import Meter, agenda
from cosem.meter.behaviour.occasions import comes, first_after, last_until, moment_of, times
from cosem.meter.behaviour.schedules import MOST_ENTRIES
from cosem.meter.behaviour.scripts import DEEPEST_SCRIPT
from cosem.meter.behaviour.special_days import MOST_SPECIAL_DAYS
from cosem.meter.describe import parse
from cosem.meter.item import Refusal
from cosem.protocol.apdu.action import ActionResult
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.classes.data_storage import DemandRegister
from cosem.protocol.model.classes.time_and_event import (
    ActionItem,
    ActionSpecification,
    ActivityCalendar,
    DayProfile,
    DayProfileAction,
    EnableDisable,
    ExecutionTime,
    IndexRange,
    Schedule,
    ScheduleTableEntry,
    Script,
    ScriptTable,
    Season,
    ServiceId,
    SingleActionSchedule,
    SpecialDay,
    SpecialDaysTable,
    WeekProfile,
)
from cosem.protocol.values.data import Integer, LongUnsigned, Unsigned
from cosem.protocol.values.dates import Date, DateTime, Time

BERLIN = ZoneInfo("Europe/Berlin")
SCRIPTS = ScriptTable("0.0.10.0.100.255")
TARIFF = Data("0.0.96.14.0.255")
LOG = ProfileGeneric("0.0.99.98.0.255")
ACTION = SingleActionSchedule("0.0.15.0.0.255")
SCHEDULE = Schedule("0.0.12.0.0.255")
CALENDAR = ActivityCalendar()
SPECIAL = SpecialDaysTable("0.0.11.0.0.255")
EVERY_DAY = "1111111"


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def make(begin: str) -> tuple[Meter, Now]:
    """Return a meter whose scripts 1 to 5 note their number and the time."""
    now = Now(local(begin).astimezone(UTC))
    meter = Meter("KFM1", clock=now, zone=BERLIN)
    meter.add(TARIFF, value=Unsigned(0))
    meter.add(LOG, capture_objects=(Clock().time, TARIFF.value), profile_entries=1000)
    meter.add(
        SCRIPTS,
        scripts=tuple(
            Script(
                number,
                (
                    ActionSpecification(ServiceId.WRITE_ATTRIBUTE, 1, TARIFF.instance, 2, Unsigned(number)),
                    ActionSpecification(ServiceId.EXECUTE_METHOD, 7, LOG.instance, 2, Integer(0)),
                ),
            )
            for number in range(1, 6)
        ),
    )
    return meter, now


def until(meter: Meter, now: Now, end: str) -> list[tuple[str, int]]:
    now.time = local(end).astimezone(UTC)
    return noted(meter)


def noted(meter: Meter) -> list[tuple[str, int]]:
    rows = [(DateTime.from_octets(bytes(row[0])).to_datetime(), int(row[1])) for row in meter.value(LOG.buffer)]
    return [(time.strftime("%m-%d %H:%M %z"), number) for time, number in rows]


def act(meter: Meter, *at: tuple[Time, Date], script: int = 1) -> None:
    meter.add(
        ACTION,
        executed_script=ActionItem(SCRIPTS.instance, script),
        type=5,
        execution_time=tuple(ExecutionTime(time, date) for time, date in at),
    )


def entry(index: int, at: Time, script: int = 1, **other: Any) -> ScheduleTableEntry:
    fields = {
        "index": index,
        "enable": True,
        "script_logical_name": SCRIPTS.instance,
        "script_selector": script,
        "switch_time": at,
        "validity_window": 0xFFFF,
        "exec_weekdays": EVERY_DAY,
        "exec_specdays": "",
        "begin_date": Date(),
        "end_date": Date(),
    }
    return ScheduleTableEntry(**{**fields, **other})


# -- single actions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [0, 1])
def test_scripts_run_so_deep_inside_each_other_and_no_deeper(more: int):
    table, kept = ScriptTable("0.0.10.0.100.255"), Data("0.0.96.1.5.255")
    deepest = DEEPEST_SCRIPT + more

    def script(number: int) -> Script:
        """Run the next one, or as the deepest one write down its number."""
        if number < deepest:
            execute = ActionSpecification(ServiceId.EXECUTE_METHOD, 9, table.instance, 1, LongUnsigned(number + 1))
            return Script(number, (execute,))
        written = ActionSpecification(ServiceId.WRITE_ATTRIBUTE, 1, kept.instance, 2, Unsigned(number))
        return Script(number, (written,))

    meter = Meter("KFM1020012345678", clock=Now())
    meter.add(kept, value=Unsigned(0))
    meter.add(table, scripts=tuple(script(number) for number in range(1, deepest + 1)))
    if more:
        with pytest.raises(Refusal):
            run(meter, table.execute, 1)
    else:
        run(meter, table.execute, 1)
    assert meter.value(kept.value) == (0 if more else deepest)


def test_a_single_action_runs_at_its_times_however_often_one_looks():
    for looks in (1, 50):
        meter, now = make("2024-01-30 12:00")
        act(meter, (Time(0, 0, 0, 0), Date(day=1)))
        begin, end = now.time, local("2024-04-02 12:00").astimezone(UTC)
        for look in range(looks):
            now.time = begin + (end - begin) / looks * (look + 1)
            meter.value(TARIFF.value)
        assert noted(meter) == [("02-01 00:00 +0100", 1), ("03-01 00:00 +0100", 1), ("04-01 00:00 +0200", 1)]


def test_a_time_that_daylight_saving_skips_comes_at_the_change_and_one_it_repeats_comes_once():
    meter, now = make("2024-03-30 12:00")
    act(meter, (Time(2, 30, 0, 0), Date()))
    assert until(meter, now, "2024-03-31 12:00") == [("03-31 03:00 +0200", 1)]
    assert until(meter, now, "2024-04-01 12:00")[-1] == ("04-01 02:30 +0200", 1)
    meter, now = make("2024-10-26 12:00")
    act(meter, (Time(2, 30, 0, 0), Date()))
    assert until(meter, now, "2024-10-27 12:00") == [("10-27 02:30 +0200", 1)]


def test_an_open_hour_is_every_hour_and_each_moment_counts_once():
    meter, now = make("2024-03-31 00:30")
    act(meter, (Time(None, 0, 0, 0), Date()))
    expected = [("03-31 01:00 +0100", 1), ("03-31 03:00 +0200", 1), ("03-31 04:00 +0200", 1)]
    assert until(meter, now, "2024-03-31 04:10") == expected


def test_a_clock_that_is_put_right_loses_nothing_and_does_nothing_twice():
    meter, now = make("2024-01-15 11:59:30")
    act(meter, (Time(12, 0, 0, 0), Date()))
    meter.set_time(local("2024-01-15 12:00:20"))
    assert noted(meter) == [("01-15 12:00 +0100", 1)]
    meter.set_time(local("2024-01-15 11:59:40"))
    now.later(minutes=5)
    assert len(noted(meter)) == 1


def test_a_clock_that_is_set_forward_runs_once_what_it_skips_and_set_back_runs_again():
    meter, now = make("2024-01-15 11:00")
    act(meter, (Time(12, 0, 0, 0), Date()))
    meter.set_time(local("2024-01-18 13:00"))
    assert noted(meter) == [("01-18 13:00 +0100", 1)]
    meter.set_time(local("2024-01-18 11:00"))
    now.later(hours=2)
    assert noted(meter)[1:] == [("01-18 12:00 +0100", 1)]


def test_what_cannot_run_stops_nothing():
    meter, now = make("2024-01-15 11:00")
    act(meter, (Time(12, 0, 0, 0), Date()), script=77)
    now.later(hours=2)
    assert noted(meter) == []
    assert meter.value(TARIFF.value) == 0


def test_after_a_silence_that_is_too_long_the_meter_goes_on_from_the_present(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(agenda, "MOST_STEPS", 3)
    meter, now = make("2024-01-01 11:00")
    act(meter, (Time(12, 0, 0, 0), Date()))
    now.later(days=3)
    assert len(noted(meter)) == 3
    now.later(days=4)
    assert len(noted(meter)) == 6
    now.later(days=1)
    assert len(noted(meter)) == 7
    monkeypatch.undo()
    for hours, made_up in ((50, 3), (49, 3), (48, 2)):  # the first noon is 49 hours ago
        monkeypatch.setattr(agenda, "LONGEST_SILENCE", timedelta(hours=hours, minutes=1))
        meter, now = make("2024-01-01 11:00")
        act(meter, (Time(12, 0, 0, 0), Date()))
        now.later(hours=50)
        assert len(noted(meter)) == made_up


# -- ends of billing periods -------------------------------------------------------------------------------------------


BILLING = """
[meter]
name = "KFM1020012345678"
zone = "Europe/Berlin"
template = "household"

[[object]]
class = "DemandRegister"
instance = "1.0.1.4.0.255"
current_average_value = "1.0.1.8.0.255:value"
scaler_unit = [0, "W"]
period = 900

[[profile]]
instance = "1.0.98.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value", "1.0.1.4.0.255:last_average_value"]
entries = 12

[[object]]
class = "ScriptTable"
instance = "0.0.10.0.1.255"
scripts = [[1, [
    [2, 7, "1.0.98.1.0.255", 2, { integer = 0 }],
    [2, 5, "1.0.1.4.0.255", 1, { integer = 0 }],
]]]

[[object]]
class = "SingleActionSchedule"
instance = "0.0.15.0.0.255"
executed_script = ["0.0.10.0.1.255", 1]
type = 1
execution_time = [["00:00:00", "*-*-01"]]
"""


def test_the_end_of_a_billing_period_captures_and_resets():
    now = Now(local("2024-01-20 12:00").astimezone(UTC))
    meter = parse(BILLING, clock=now)
    energy, demand = Register("1.0.1.8.0.255"), DemandRegister("1.0.1.4.0.255")
    now.time = local("2024-03-01 00:00").astimezone(UTC)
    before = meter.value(energy.value)
    assert meter.value(demand.last_average_value) == 0  # it was reset this very moment
    now.later(minutes=20)
    rows = meter.value(ProfileGeneric("1.0.98.1.0.255").buffer)
    times = [DateTime.from_octets(bytes(row[0])).to_datetime() for row in rows]
    assert times == [local("2024-02-01 00:00"), local("2024-03-01 00:00")]
    assert rows[1][1] == before
    assert int(rows[1][2]) > 0
    assert meter.value(demand.last_average_value) > 0


# -- schedules ---------------------------------------------------------------------------------------------------------


def test_a_schedule_runs_on_its_days_between_its_dates():
    meter, now = make("2024-01-01 00:00")  # a Monday
    meter.add(
        SCHEDULE,
        entries=(
            entry(2, Time(6, 0, 0), 2, exec_weekdays="0000011", begin_date=Date(None, 1, 6), end_date=Date(None, 1, 7)),
            entry(1, Time(6, 0, 0), 1, begin_date=Date(2024, 1, 2), end_date=Date(2024, 1, 2)),
            entry(3, Time(6, 0, 0), 3, enable=False),
            entry(4, Time(7, 0, 0), 4, exec_weekdays="1000000", exec_specdays="01"),
        ),
    )
    meter.add(SPECIAL, entries=(SpecialDay(1, Date(None, 1, 10), 2),))
    assert until(meter, now, "2024-01-14 12:00") == [
        ("01-01 07:00 +0100", 4),
        ("01-02 06:00 +0100", 1),
        ("01-06 06:00 +0100", 2),
        ("01-07 06:00 +0100", 2),
        ("01-08 07:00 +0100", 4),
        ("01-10 07:00 +0100", 4),  # a Wednesday, and special
    ]


def test_a_period_over_the_turn_of_the_year():
    meter, now = make("2023-12-29 00:00")
    dates = {"begin_date": Date(None, 12, 31), "end_date": Date(None, 1, 1)}
    meter.add(SCHEDULE, entries=(entry(1, Time(6, 0, 0), **dates),))
    assert until(meter, now, "2024-01-05 00:00") == [("12-31 06:00 +0100", 1), ("01-01 06:00 +0100", 1)]


def test_entries_that_are_missed_run_as_far_as_their_windows_reach():
    meter, _ = make("2024-01-15 05:00")
    entries = (
        entry(1, Time(6, 0, 0), 1, validity_window=60),
        entry(2, Time(6, 30, 0), 2, validity_window=31),
        entry(3, Time(6, 10, 0), 3),
        entry(4, Time(6, 59, 0), 4, validity_window=0),
        entry(5, Time(8, 0, 0), 5),
    )
    meter.add(SCHEDULE, entries=entries)
    meter.set_time(local("2024-01-15 07:00:00"))
    assert [number for _, number in noted(meter)] == [3, 2]


def test_entries_come_and_go():
    meter, now = make("2024-01-15 05:00")
    meter.add(SCHEDULE)
    for index in (1, 2, 3):
        run(meter, SCHEDULE.insert, entry(index, Time(5 + index, 0, 0), index))
    run(meter, SCHEDULE.enable_disable, EnableDisable(1, 2, 2, 2))
    run(meter, SCHEDULE.delete, IndexRange(3, 9))
    with pytest.raises(Refusal):
        run(meter, SCHEDULE.delete, IndexRange(3, 9))
    now.later(hours=5)
    assert [number for _, number in noted(meter)] == [2]
    for index in range(3, MOST_ENTRIES + 1):
        run(meter, SCHEDULE.insert, entry(index, Time(1, 0, 0)))
    run(meter, SCHEDULE.insert, entry(3, Time(2, 0, 0)))  # takes the place of another
    with pytest.raises(Refusal):
        run(meter, SCHEDULE.insert, entry(MOST_ENTRIES + 1, Time(1, 0, 0)))


def test_a_schedule_runs_at_the_change_what_daylight_saving_skips_and_once_what_it_repeats():
    meter, now = make("2024-03-30 12:00")
    meter.add(SCHEDULE, entries=(entry(1, Time(2, 30, 0), 2), entry(2, Time(2, 10, 0), 1), entry(3, Time(3, 0, 0), 3)))
    assert until(meter, now, "2024-03-31 12:00") == [("03-31 03:00 +0200", number) for number in (2, 1, 3)]
    meter, now = make("2024-10-26 12:00")
    meter.add(SCHEDULE, entries=(entry(1, Time(2, 30, 0), 2),))
    assert until(meter, now, "2024-10-27 12:00") == [("10-27 02:30 +0200", 2)]


# -- the activity calendar ---------------------------------------------------------------------------------------------


def day(number: int, *actions: tuple[Time, int]) -> DayProfile:
    return DayProfile(number, tuple(DayProfileAction(at, SCRIPTS.instance, script) for at, script in actions))


def week(name: bytes, workday: int, weekend: int) -> WeekProfile:
    return WeekProfile(name, *(workday,) * 5, *(weekend,) * 2)


def calendar(meter: Meter, **other: Any) -> None:
    described = {
        "calendar_name_active": b"now",
        "season_profile_active": (
            Season(b"winter", DateTime(None, 10, 1, None, 0, 0, 0), b"w"),
            Season(b"summer", DateTime(None, 4, 1, None, 0, 0, 0), b"s"),
        ),
        "week_profile_table_active": (week(b"w", 1, 2), week(b"s", 3, 3)),
        "day_profile_table_active": (
            day(1, (Time(22, 0, 0), 2), (Time(6, 0, 0), 1)),
            day(2, (Time(0, 0, 0), 2)),
            day(3, (Time(0, 0, 0), 3)),
            day(4, (Time(0, 0, 0), 4)),
        ),
        **other,
    }
    meter.add(CALENDAR, **described)


def test_days_follow_weeks_and_seasons():
    meter, now = make("2024-03-28 12:00")  # a Thursday
    calendar(meter)
    assert until(meter, now, "2024-04-02 12:00") == [
        ("03-28 12:00 +0100", 1),  # what was in force when it began
        ("03-28 22:00 +0100", 2),
        ("03-29 06:00 +0100", 1),
        ("03-29 22:00 +0100", 2),
        ("03-30 00:00 +0100", 2),
        ("03-31 00:00 +0100", 2),
        ("04-01 00:00 +0200", 3),
        ("04-02 00:00 +0200", 3),
    ]


def test_a_special_day_goes_before_the_week():
    meter, now = make("2024-04-30 12:00")
    calendar(meter)
    meter.add(SPECIAL, entries=(SpecialDay(1, Date(None, 5, 1), 4),))
    assert [number for _, number in until(meter, now, "2024-05-02 12:00")] == [3, 4, 3]


def test_a_table_has_so_many_special_days_and_not_one_more():
    meter, _ = make("2024-04-30 12:00")
    meter.add(SPECIAL, entries=())
    for index in range(1, MOST_SPECIAL_DAYS + 1):
        run(meter, SPECIAL.insert, SpecialDay(index, Date(None, 5, 1), 4))
    with pytest.raises(Refusal):
        run(meter, SPECIAL.insert, SpecialDay(MOST_SPECIAL_DAYS + 1, Date(None, 5, 2), 4))
    run(meter, SPECIAL.insert, SpecialDay(1, Date(None, 5, 3), 5))  # takes the place of another
    days = {each.index: each.day_id for each in meter.value(SPECIAL.entries)}
    assert days == {index: 5 if index == 1 else 4 for index in range(1, MOST_SPECIAL_DAYS + 1)}


def test_after_the_clock_was_set_the_last_action_alone_is_made_up_for():
    meter, _ = make("2024-01-15 12:00")
    calendar(meter)
    assert noted(meter) == [("01-15 12:00 +0100", 1)]
    meter.set_time(local("2024-01-18 23:00"))
    assert noted(meter)[1:] == [("01-18 23:00 +0100", 2)]
    meter.set_time(local("2024-01-18 12:00"))
    assert noted(meter)[2:] == [("01-18 12:00 +0100", 1)]
    meter.set_time(local("2024-01-18 14:00"))
    assert len(noted(meter)) == 3


def test_a_passive_calendar_becomes_active_at_its_time_or_when_it_is_told_to():
    passive = {
        "calendar_name_passive": b"then",
        "season_profile_passive": (Season(b"all", DateTime(), b"a"),),
        "week_profile_table_passive": (week(b"a", 5, 5),),
        "day_profile_table_passive": (day(5, (Time(0, 0, 0), 5)),),
    }
    meter, now = make("2024-01-15 12:00")
    calendar(meter, activate_passive_calendar_time=DateTime(2024, 1, 16, None, 8, 0, 0), **passive)
    assert until(meter, now, "2024-01-16 09:00")[-2:] == [("01-16 06:00 +0100", 1), ("01-16 08:00 +0100", 5)]
    assert meter.value(CALENDAR.calendar_name_active) == b"then"
    meter, now = make("2024-01-15 12:00")
    calendar(meter, **passive)
    run(meter, CALENDAR.activate_passive_calendar)
    assert [number for _, number in noted(meter)] == [1, 5]


def test_calendars_switch_at_the_change_what_daylight_saving_skips():
    meter, now = make("2024-03-30 12:00")
    calendar(meter, day_profile_table_active=(day(2, (Time(1, 0, 0), 1), (Time(2, 15, 0), 2), (Time(2, 45, 0), 4)),))
    assert until(meter, now, "2024-03-31 12:00")[-3:] == [
        ("03-31 01:00 +0100", 1),
        ("03-31 03:00 +0200", 2),
        ("03-31 03:00 +0200", 4),
    ]


NEVER = Time.from_octets(bytes((24, 0, 0, 0)))
"""Midnight as nobody may write it."""


def test_a_time_of_day_that_there_is_not_is_refused():
    meter, _ = make("2024-01-15 12:00")
    meter.add(ACTION, writable=("execution_time",), execution_time=())
    meter.add(SCHEDULE)
    calendar(meter, writable=("day_profile_table_active",))
    meter.offer(described.MANAGING)
    for reference, value in (
        (ACTION.execution_time, (ExecutionTime(NEVER, Date()),)),
        (CALENDAR.day_profile_table_active, (day(1, (NEVER, 1)),)),
    ):
        assert described.put(meter, reference, value) is DataAccessResult.TYPE_UNMATCHED
    assert described.act(meter, SCHEDULE.insert, entry(1, NEVER)) == ActionResult.TYPE_UNMATCHED


def test_a_time_of_day_that_there_is_not_never_comes():
    meter, now = make("2024-01-15 12:00")
    act(meter, (NEVER, Date()))
    assert until(meter, now, "2024-01-18 12:00") == []


# -- times of day ------------------------------------------------------------------------------------------------------


@given(st.datetimes(datetime(2024, 1, 1), datetime(2024, 12, 31)), st.times(), st.integers(0, 200))
def test_the_first_moment_after_another_is_the_least_of_all_days(since: datetime, at: time, hours: int):
    begin = since.replace(tzinfo=UTC)
    end = begin + timedelta(hours=hours)
    days = [since.date() + timedelta(days=number) for number in range(-2, 12)]
    moments = sorted(moment_of(each, at, BERLIN) for each in days)
    within = [moment for moment in moments if begin < moment <= end]
    assert first_after(begin, end, BERLIN, lambda _: (at,)) == (within[0] if within else None)
    assert last_until(end, begin, BERLIN, lambda _: (at,)) == (within[-1] if within else None)
    assert all(comes(moment, BERLIN, lambda _: (at,)) for moment in within)


def test_times_of_day_are_moments():
    assert moment_of(date(2024, 3, 31), time(2, 0), BERLIN) == datetime(2024, 3, 31, 1, tzinfo=UTC)
    assert moment_of(date(2024, 3, 31), time(2, 59, 59), BERLIN) == datetime(2024, 3, 31, 1, tzinfo=UTC)
    assert moment_of(date(2024, 3, 31), time(3, 0), BERLIN) == datetime(2024, 3, 31, 1, tzinfo=UTC)
    assert moment_of(date(2024, 10, 27), time(2, 0), BERLIN) == datetime(2024, 10, 27, 0, tzinfo=UTC)
    assert len(times(Time())) == 24 * 60
