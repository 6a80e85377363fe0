"""Scripts that run at their times: single actions and schedules (IEC 62056-6-2, classes 22 and 10).

What daylight saving skips runs at the moment of the change, and what it repeats runs once (see `occasions`). When the
clock is set forward over times (see `cosem.meter.agenda`), a single action that came to pass in between runs once at
the new time, and so does each entry of a schedule, in the order of their times, as far as its validity window reaches;
set back, they run again when their times come again. On a special day only the entries of a schedule that name it run.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final, cast

from cosem.errors import ShapeError
from cosem.meter.agenda import LONGEST_SILENCE
from cosem.meter.behaviour import special_days
from cosem.meter.behaviour.occasions import comes, first_after, last_until, times
from cosem.meter.behaviour.scripts import run_action, run_script
from cosem.meter.item import Behaviour, Item, Refusal, Timed, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.time_and_event import Schedule, ScheduleTableEntry, SingleActionSchedule
from cosem.protocol.values.data import Data
from cosem.protocol.values.dates import LAST_DAY, SECOND_LAST_DAY, Date

MOST_ENTRIES: Final = 256
"""Entries that a schedule has at most."""

ANY_TIME: Final = 0xFFFF
"""As a validity window: what was missed runs however late it is."""

_ACTION: Final = SingleActionSchedule.executed_script
_TIMES: Final = SingleActionSchedule.execution_time
_ENTRIES: Final = Schedule.entries


# -- single actions ----------------------------------------------------------------------------------------------------


def _times_of(visit: Visit, item: Item, day: date) -> list[time]:
    wanted = _decoded(visit, item, _TIMES)
    return sorted({at for each in wanted if each.date.matches(day) for at in times(each.time)})


def _following(visit: Visit, item: Item, until: datetime) -> datetime | None:
    return first_after(visit.time, until, visit.device.zone, partial(_times_of, visit, item))


def _act(visit: Visit, item: Item) -> None:
    run_action(visit, _ACTION.shape.decode(item.read(visit, _ACTION.index)))


def _clock_set(visit: Visit, item: Item, before: datetime) -> None:
    since = max(before, visit.time.astimezone(UTC) - LONGEST_SILENCE)
    if last_until(visit.time, since, visit.device.zone, partial(_times_of, visit, item)) is not None:
        _act(visit, item)


# -- schedules ---------------------------------------------------------------------------------------------------------


def _runs_on(visit: Visit, entry: ScheduleTableEntry, day: date) -> tuple[time, ...]:
    """Return when an entry runs on a day, which it may not."""
    if not entry.enable or not _within(day, entry.begin_date, entry.end_date):
        return ()
    special = special_days.day_id(visit, day)
    named = entry.exec_weekdays if special is None else entry.exec_specdays
    place = day.weekday() if special is None else special - 1
    return times(entry.switch_time) if named[place : place + 1] == "1" and place >= 0 else ()


def _within(day: date, begin: Date, end: Date) -> bool:
    """Tell whether a day is in a period whose ends may be open: then every year, or month, has one."""
    first, last = _filled(begin, day), _filled(end, day)
    if first <= last:
        return first <= (day.year, day.month, day.day) <= last
    return (day.year, day.month, day.day) >= first or (day.year, day.month, day.day) <= last


def _filled(end: Date, day: date) -> tuple[int, int, int]:
    year, month = day.year if end.year is None else end.year, day.month if end.month is None else end.month
    of_month = day.day if end.day is None else end.day
    if of_month in (LAST_DAY, SECOND_LAST_DAY) and 1 <= month <= 12 and 1 <= year <= 9999:
        of_month = calendar.monthrange(year, month)[1] - (of_month == SECOND_LAST_DAY)
    return year, month, of_month


def _entries(visit: Visit, item: Item) -> tuple[ScheduleTableEntry, ...]:
    """Return the entries in the order of their indices, in which those of one moment run."""
    return tuple(sorted(_decoded(visit, item, _ENTRIES), key=lambda entry: entry.index))


def _next_entry(visit: Visit, item: Item, until: datetime) -> datetime | None:
    entries = _entries(visit, item)

    def of_day(day: date) -> list[time]:
        return sorted({at for entry in entries for at in _runs_on(visit, entry, day)})

    return first_after(visit.time, until, visit.device.zone, of_day)


def _run_entries(visit: Visit, item: Item) -> None:
    for entry in _entries(visit, item):
        if comes(visit.time, visit.device.zone, partial(_runs_on, visit, entry)):
            run_script(visit, entry.script_logical_name, entry.script_selector)


def _run_missed(visit: Visit, item: Item, before: datetime) -> None:
    missed: list[tuple[datetime, int, ScheduleTableEntry]] = []
    for entry in _entries(visit, item):
        reach = LONGEST_SILENCE if entry.validity_window == ANY_TIME else timedelta(minutes=entry.validity_window)
        since = max(before, visit.time.astimezone(UTC) - reach)
        moment = last_until(visit.time, since, visit.device.zone, partial(_runs_on, visit, entry))
        if moment is not None:
            missed.append((moment, entry.index, entry))
    for _, _, entry in sorted(missed, key=lambda each: each[:2]):
        run_script(visit, entry.script_logical_name, entry.script_selector)


def _enable_disable(visit: Visit, item: Item, argument: Data) -> Data:
    """Disable the entries of the first range, then enable those of the second; ranges from 0 to 0 are of none."""
    asked = Schedule.enable_disable.argument.decode(argument)
    off, on = range(asked.first_index_a, asked.last_index_a + 1), range(asked.first_index_b, asked.last_index_b + 1)
    entries = (
        replace(each, enable=each.index in on or (each.enable and each.index not in off)) for each in _all(visit, item)
    )
    _keep(visit, item, entries)
    return None


def _insert(visit: Visit, item: Item, argument: Data) -> Data:
    """Insert an entry; one with the same index goes."""
    added = Schedule.insert.argument.decode(argument)
    others = [each for each in _all(visit, item) if each.index != added.index]
    if len(others) >= MOST_ENTRIES:
        raise Refusal(DataAccessResult.OTHER_REASON)
    _keep(visit, item, (*others, added))
    return None


def _delete(visit: Visit, item: Item, argument: Data) -> Data:
    asked = Schedule.delete.argument.decode(argument)
    entries = _all(visit, item)
    left = [each for each in entries if not asked.first_index <= each.index <= asked.last_index]
    if len(left) == len(entries):
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    _keep(visit, item, left)
    return None


def _all(visit: Visit, item: Item) -> tuple[ScheduleTableEntry, ...]:
    return tuple(_ENTRIES.shape.decode(item.read(visit, _ENTRIES.index)))


def _keep(visit: Visit, item: Item, entries: Iterable[ScheduleTableEntry]) -> None:
    visit.device.owned(item).values[_ENTRIES.index] = _ENTRIES.shape.encode(cast("tuple[()]", tuple(entries)))


def _decoded(visit: Visit, item: Item, attribute: Any) -> Any:
    """Return what an attribute holds; nothing where it holds nothing, or something else."""
    try:
        return attribute.shape.decode(item.read(visit, attribute.index))
    except (Refusal, ShapeError):
        return ()


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin without entries, where the description says nothing else."""
    item.values.setdefault(_ENTRIES.index, _ENTRIES.shape.encode(()))


SINGLE_ACTION: Final = Behaviour(timed=Timed(_following, _act, clock_set=_clock_set))
SCHEDULE: Final = Behaviour(
    methods={1: _enable_disable, 2: _insert, 3: _delete},
    adopt=_adopt,
    timed=Timed(_next_entry, _run_entries, clock_set=_run_missed),
)
