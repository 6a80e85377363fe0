"""Special days: dates on which another day profile applies than the calendar says (IEC 62056-6-2, class 11)."""

from __future__ import annotations

from datetime import date
from typing import Final, cast

from cosem.errors import ShapeError
from cosem.meter.item import Behaviour, Item, Refusal, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.time_and_event import SpecialDaysTable
from cosem.protocol.values.data import Data

MOST_SPECIAL_DAYS: Final = 256

_ENTRIES: Final = SpecialDaysTable.entries


def day_id(visit: Visit, day: date) -> int | None:
    """Return the day profile of a special day; None when it is none. The first entry that matches counts."""
    for item in visit.items():
        if item.class_id == SpecialDaysTable.class_id:
            try:
                entries = _ENTRIES.shape.decode(item.read(visit, _ENTRIES.index))
            except (Refusal, ShapeError):
                continue
            found = next((each.day_id for each in entries if each.specialday_date.matches(day)), None)
            if found is not None:
                return found
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


def _adopt(item: Item, _: dict[int, object]) -> None:
    """Begin without special days, where the description says nothing else."""
    item.values.setdefault(_ENTRIES.index, _ENTRIES.shape.encode(()))


BEHAVIOUR: Final = Behaviour(methods={1: _insert_day, 2: _delete_day}, adopt=_adopt)
