"""Calendars and scripts that a client changes and runs (IEC 62056-6-2, classes 9, 11 and 20)."""

from __future__ import annotations

from typing import Final, cast

from cosem.errors import ShapeError
from cosem.meter.item import Behaviour, Item, Refusal, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.time_and_event import (
    ActionSpecification,
    ActivityCalendar,
    ScriptTable,
    ServiceId,
    SpecialDaysTable,
)
from cosem.protocol.model.shape import decode_exactly
from cosem.protocol.values.data import Data

MOST_SPECIAL_DAYS: Final = 256
DEEPEST_SCRIPT: Final = 4
"""How many scripts may run one inside another."""

_ENTRIES: Final = SpecialDaysTable.entries
_SCRIPTS: Final = ScriptTable.scripts
_PASSIVE_TO_ACTIVE: Final = {
    passive.index: active.index
    for passive, active in (
        (ActivityCalendar.calendar_name_passive, ActivityCalendar.calendar_name_active),
        (ActivityCalendar.season_profile_passive, ActivityCalendar.season_profile_active),
        (ActivityCalendar.week_profile_table_passive, ActivityCalendar.week_profile_table_active),
        (ActivityCalendar.day_profile_table_passive, ActivityCalendar.day_profile_table_active),
    )
}


def _activate(visit: Visit, item: Item, _: Data) -> Data:
    """Make what is passive active; the passive calendar stays as it is."""
    own = visit.device.owned(item)
    held = {active: own.read(visit, passive) for passive, active in _PASSIVE_TO_ACTIVE.items()}
    own.values.update(held)
    return None


def _insert_day(visit: Visit, item: Item, argument: Data) -> Data:
    """Insert a special day; one with the same index goes."""
    day = SpecialDaysTable.insert.argument.decode(argument)
    days = {each.index: each for each in _ENTRIES.shape.decode(item.read(visit, _ENTRIES.index))}
    if day.index not in days and len(days) >= MOST_SPECIAL_DAYS:
        raise Refusal(DataAccessResult.OTHER_REASON)
    days[day.index] = day
    _keep_days(visit, item, tuple(days.values()))
    return None


def _delete_day(visit: Visit, item: Item, argument: Data) -> Data:
    days = _ENTRIES.shape.decode(item.read(visit, _ENTRIES.index))
    left = tuple(each for each in days if each.index != argument)
    if len(left) == len(days):
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    _keep_days(visit, item, left)
    return None


def _keep_days(visit: Visit, item: Item, days: tuple[object, ...]) -> None:
    visit.device.owned(item).values[_ENTRIES.index] = _ENTRIES.shape.encode(cast("tuple[()]", days))


def _execute(visit: Visit, item: Item, argument: Data, depth: int = 1) -> Data:
    """Run a script as the meter itself: who may run it may have done what is in it. Number 0 does nothing."""
    if argument == 0:
        return None
    scripts = _SCRIPTS.shape.decode(item.read(visit, _SCRIPTS.index))
    script = next((each for each in scripts if each.script_identifier == argument), None)
    if script is None or depth > DEEPEST_SCRIPT:
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED if script is None else DataAccessResult.OTHER_REASON)
    for action in script.actions:
        _do(visit.at(visit.time), action, depth)
    return None


def _do(visit: Visit, action: ActionSpecification, depth: int) -> None:
    item = visit.device.find(action.logical_name)
    if item is None or item.class_id != action.class_id:
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    try:
        if action.service_id is ServiceId.WRITE_ATTRIBUTE:
            decode_exactly(item.shape(action.index), action.parameter)
            visit.device.owned(item).write(visit, action.index, action.parameter)
        elif item.class_id == ScriptTable.class_id and action.index == ScriptTable.execute.index:
            _execute(visit, item, action.parameter, depth + 1)
        else:
            run = item.method(action.index)
            if action.service_id is not ServiceId.EXECUTE_METHOD or run is None:
                raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
            run(visit, item, action.parameter)
    except ShapeError as error:
        refusal = Refusal(DataAccessResult.TYPE_UNMATCHED)
        raise refusal from error


ACTIVITY_CALENDAR: Final = Behaviour(methods={1: _activate})
SPECIAL_DAYS: Final = Behaviour(methods={1: _insert_day, 2: _delete_day})
SCRIPT_TABLE: Final = Behaviour(methods={1: _execute})
