"""Daylight saving begins and ends in the zone of a meter, and its logs note it at what the clock showed until then.

Nothing is noted where a clock that is set, or goes on after a power failure, is past such a change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from cosem.meter.events import MeterEvent
from cosem.meter.item import Item, Timed, Visit
from cosem.protocol.values.dates import daylight_saving

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

EVENTS: Final = frozenset({MeterEvent.DAYLIGHT_SAVING_BEGUN, MeterEvent.DAYLIGHT_SAVING_ENDED})

_GRAIN: Final = timedelta(seconds=1)
_MOMENT: Final = timedelta(microseconds=1)
_WEEK: Final = timedelta(days=7)


def _saves(moment: datetime, zone: tzinfo) -> bool:
    return bool(daylight_saving(moment.astimezone(zone)))


def changes(zone: tzinfo, since: datetime, until: datetime) -> Iterator[tuple[datetime, MeterEvent]]:
    """Give when daylight saving began and ended after a time and not after another, at what a clock showed till then.

    Of changes that are less than a week apart there are none.
    """
    for year in range(since.astimezone(UTC).year, until.astimezone(UTC).year + 1):
        for at, event in _of_year(zone, year):
            if since < at <= until:
                yield at, event


@lru_cache(maxsize=256)
def _of_year(zone: tzinfo, year: int) -> tuple[tuple[datetime, MeterEvent], ...]:
    found: list[tuple[datetime, MeterEvent]] = []
    low, end = datetime(year, 1, 1, tzinfo=UTC) - _MOMENT, datetime(year + 1, 1, 1, tzinfo=UTC) - _MOMENT
    while low < end:
        high = min(low + _WEEK, end)
        change = _between(zone, low, high)
        if change is not None:
            found.append(_told(zone, change))
        low = high
    return tuple(found)


def _between(zone: tzinfo, low: datetime, high: datetime) -> datetime | None:
    """Return when it changes after a time and not after another; None where it is the same at both."""
    before = _saves(low, zone)
    if _saves(high, zone) is before:
        return None
    while high - low > _GRAIN:
        middle = low + (high - low) / 2
        low, high = (middle, high) if _saves(middle, zone) is before else (low, middle)
    return high.replace(microsecond=0)


def _told(zone: tzinfo, at: datetime) -> tuple[datetime, MeterEvent]:
    """Return a change at what a clock showed until then, and what it is."""
    before = (at.astimezone(UTC) - _MOMENT).astimezone(zone)
    event = MeterEvent.DAYLIGHT_SAVING_ENDED if daylight_saving(before) else MeterEvent.DAYLIGHT_SAVING_BEGUN
    return at.astimezone(timezone(before.utcoffset() or timedelta())), event


def _following(visit: Visit, _: Item, until: datetime) -> datetime | None:
    """Return when it changes next; of two changes in one stretch of the agenda, a day at most, there are none."""
    return _between(visit.device.zone, visit.time.astimezone(UTC), until.astimezone(UTC))


def _act(visit: Visit, _: Item) -> None:
    at, event = _told(visit.device.zone, visit.time)
    visit.device.note(event, at)


_SAVING: Final = Timed(_following, _act)


def tell(device: LogicalDevice, item: Item) -> None:
    """Let a logical device note it from now on, by an object of it that does nothing else on its own."""
    if item.behaviour.timed is None and not any(each.behaviour.timed is _SAVING for each in device.timed):
        own = device.owned(item)
        own.behaviour = replace(own.behaviour, timed=_SAVING)
        device.takes_time(own)
