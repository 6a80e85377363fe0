"""The activity calendar: what happens in the course of a day, by season, day of the week and special day (class 20).

A season holds from the day of its start on, until another begins; one without any start where no other holds. At its
start, after the clock was set and when another calendar becomes active, the meter runs the script that is then in
force, the last one of that day or of the days before, unless it was the last to run: nothing else is made up for. What
daylight saving skips runs at the moment of the change, and what it repeats runs once (see `occasions`).

A calendar that is asked of a source tells what is measured anyway, and runs nothing, until something takes it over.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Any, Final

from cosem.errors import ShapeError
from cosem.meter.behaviour import special_days
from cosem.meter.behaviour.occasions import comes, first_after, moment_of, times
from cosem.meter.behaviour.scripts import run_script
from cosem.meter.events import MeterEvent
from cosem.meter.item import Behaviour, FromSource, Item, Refusal, Timed, Visit
from cosem.protocol.model.classes.time_and_event import ActivityCalendar, DayProfileAction, Season, WeekProfile
from cosem.protocol.values.data import Data
from cosem.protocol.values.dates import Date, DateTime

DAYS_BACK: Final = 8
"""How many days back what is in force may have begun."""

_SEASONS: Final = ActivityCalendar.season_profile_active
_WEEKS: Final = ActivityCalendar.week_profile_table_active
_DAYS: Final = ActivityCalendar.day_profile_table_active
_ACTIVATION: Final = ActivityCalendar.activate_passive_calendar_time
_PASSIVE_TO_ACTIVE: Final = {
    passive.index: active.index
    for passive, active in (
        (ActivityCalendar.calendar_name_passive, ActivityCalendar.calendar_name_active),
        (ActivityCalendar.season_profile_passive, _SEASONS),
        (ActivityCalendar.week_profile_table_passive, _WEEKS),
        (ActivityCalendar.day_profile_table_passive, _DAYS),
    )
}
_OPEN: Final = Date()


def take_over(visit: Visit, item: Item) -> Item:
    """Let a calendar that was asked for run from now on what it says now; return it as the device has it then."""
    if not _is_asked(item):
        return item
    own = visit.device.owned(item)
    own.values.update({index: own.read(visit, index) for index in _PASSIVE_TO_ACTIVE.values() if own.has(index)})
    visit.device.wake(own)
    _follow(visit, own)
    return own


def _is_asked(item: Item) -> bool:
    return isinstance(item.values.get(_DAYS.index), FromSource)


def _actions(visit: Visit, item: Item, day: date) -> tuple[DayProfileAction, ...]:
    """Return what happens on a day, in the order of its times."""
    number = special_days.day_id(visit, day)
    if number is None:
        number = _day_of_week(visit, item, day)
    found = next((each.day_schedule for each in _decoded(visit, item, _DAYS) if each.day_id == number), ())
    return tuple(sorted(found, key=lambda action: action.start_time.octets))


def _day_of_week(visit: Visit, item: Item, day: date) -> int | None:
    season = _season(_decoded(visit, item, _SEASONS), day)
    weeks: tuple[WeekProfile, ...] = _decoded(visit, item, _WEEKS)
    week = next((each for each in weeks if season is not None and each.week_profile_name == season.week_name), None)
    if week is None:
        return None
    days = (week.monday, week.tuesday, week.wednesday, week.thursday, week.friday, week.saturday, week.sunday)
    return days[day.weekday()]


def _season(seasons: tuple[Season, ...], day: date) -> Season | None:
    """Return the season that began last."""
    found, began = None, date.min
    for season in seasons:
        start = date.min if season.season_start.date == _OPEN else _last_start(season.season_start.date, day)
        if start is not None and (found is None or start > began):
            found, began = season, start
    return found


@lru_cache(maxsize=1024)
def _last_start(start: Date, day: date) -> date | None:
    """Return the last day not after another that a date stands for, of this year and the one before."""
    for year in (day.year, day.year - 1):
        days = [each for each in _days_of(start, year) if each <= day]
        if days:
            return days[-1]
    if start.year is None or start.year > day.year:
        return None
    days = list(_days_of(start, start.year))
    return days[-1] if days and days[-1] <= day else None


@lru_cache(maxsize=256)
def _days_of(start: Date, year: int) -> tuple[date, ...]:
    if start.year not in (None, year) or not date.min.year < year < date.max.year:
        return ()
    first = date(year, 1, 1)
    days = (first + timedelta(days=number) for number in range(366))
    return tuple(day for day in days if day.year == year and start.matches(day))


def _starts(visit: Visit, item: Item, day: date) -> list[time]:
    return sorted({at for action in _actions(visit, item, day) for at in times(action.start_time)})


def _in_force(visit: Visit, item: Item) -> DayProfileAction | None:
    """Return what began last."""
    zone = visit.device.zone
    for back in range(DAYS_BACK + 1):
        day = visit.time.date() - timedelta(days=back)
        begun = [
            (moment_of(day, at, zone), action)
            for action in _actions(visit, item, day)
            for at in times(action.start_time)
        ]
        begun = [each for each in begun if each[0] <= visit.time]
        if begun:
            return max(begun, key=lambda each: each[0])[1]
    return None


def _follow(visit: Visit, item: Item) -> None:
    """Run what is in force, unless it was the last to run."""
    action = None if _is_asked(item) else _in_force(visit, item)
    if action is not None and item.state != _script(action):
        _run(visit, item, action)


def _run(visit: Visit, item: Item, action: DayProfileAction) -> None:
    visit.device.owned(item).state = _script(action)
    run_script(visit, action.script_logical_name, action.script_selector)


def _script(action: DayProfileAction) -> tuple[bytes, int]:
    return action.script_logical_name.octets, int(action.script_selector)


def _activation(visit: Visit, item: Item) -> datetime | None:
    """Return when the passive calendar becomes active; None where that is left open."""
    told = _decoded(visit, item, _ACTIVATION)
    try:
        return told.to_datetime(visit.device.zone).astimezone(UTC) if isinstance(told, DateTime) else None
    except (ShapeError, OverflowError):
        return None


def _following(visit: Visit, item: Item, until: datetime) -> datetime | None:
    moments: list[datetime | None] = []
    if not _is_asked(item):
        moments.append(first_after(visit.time, until, visit.device.zone, partial(_starts, visit, item)))
    activation = _activation(visit, item)
    if activation is not None and visit.time < activation <= until:
        moments.append(activation)
    return min((moment for moment in moments if moment is not None), default=None)


def _act(visit: Visit, item: Item) -> None:
    if _activation(visit, item) == visit.time.astimezone(UTC):
        _switch(visit, item)
        item = visit.device.owned(item)
    zone, day = visit.device.zone, visit.time.date()
    for action in _actions(visit, item, day):
        if comes(visit.time, zone, partial(_starts_of, visit, item, action)):
            _run(visit, item, action)


def _starts_of(visit: Visit, item: Item, action: DayProfileAction, day: date) -> tuple[time, ...]:
    return times(action.start_time) if action in _actions(visit, item, day) else ()


def _clock_set(visit: Visit, item: Item, before: datetime) -> None:
    activation = _activation(visit, item)
    if activation is not None and before < activation <= visit.time:
        _switch(visit, item)
    else:
        _follow(visit, item)


def _switch(visit: Visit, item: Item) -> None:
    """Make what is passive active; the passive calendar stays as it is."""
    own = visit.device.owned(take_over(visit, item))
    held = {active: own.read(visit, passive) for passive, active in _PASSIVE_TO_ACTIVE.items() if own.has(passive)}
    own.values.update(held)
    visit.device.note(MeterEvent.CALENDAR_SWITCHED, visit.time)
    _follow(visit, own)


def _activate(visit: Visit, item: Item, _: Data) -> Data:
    _switch(visit, item)
    return None


def _decoded(visit: Visit, item: Item, attribute: Any) -> Any:
    """Return what an attribute holds; nothing where it holds nothing, or something else."""
    try:
        return attribute.shape.decode(item.read(visit, attribute.index))
    except (Refusal, ShapeError):
        return ()


BEHAVIOUR: Final = Behaviour(
    methods={ActivityCalendar.activate_passive_calendar.index: _activate},
    written=dict.fromkeys((_SEASONS.index, _WEEKS.index, _DAYS.index), _follow),
    timed=Timed(_following, _act, begin=_follow, clock_set=_clock_set),
)
