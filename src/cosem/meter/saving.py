"""Daylight saving begins and ends in the zone of a meter, and its logs note it at what the clock showed until then.

Nothing is noted where a clock that is set, or goes on after a power failure, is past such a change.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Final

from cosem.meter.events import MeterEvent
from cosem.meter.item import Item, Timed, Visit

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

EVENTS: Final = frozenset({MeterEvent.DAYLIGHT_SAVING_BEGUN, MeterEvent.DAYLIGHT_SAVING_ENDED})

_GRAIN: Final = timedelta(seconds=1)
_MOMENT: Final = timedelta(microseconds=1)


def _saves(moment: datetime, zone: tzinfo) -> bool:
    return bool(moment.astimezone(zone).dst())


def _following(visit: Visit, _: Item, until: datetime) -> datetime | None:
    """Return when it changes next; of two changes in one stretch of the agenda, a day at most, there are none."""
    zone, low, high = visit.device.zone, visit.time.astimezone(UTC), until.astimezone(UTC)
    before = _saves(low, zone)
    if _saves(high, zone) is before:
        return None
    while high - low > _GRAIN:
        middle = low + (high - low) / 2
        low, high = (middle, high) if _saves(middle, zone) is before else (low, middle)
    return high.replace(microsecond=0)


def _act(visit: Visit, _: Item) -> None:
    before = (visit.time.astimezone(UTC) - _MOMENT).astimezone(visit.device.zone)
    event = MeterEvent.DAYLIGHT_SAVING_ENDED if before.dst() else MeterEvent.DAYLIGHT_SAVING_BEGUN
    visit.device.note(event, visit.time.astimezone(timezone(before.utcoffset() or timedelta())))


_SAVING: Final = Timed(_following, _act)


def tell(device: LogicalDevice, item: Item) -> None:
    """Let a logical device note it from now on, by an object of it that does nothing else on its own."""
    if item.behaviour.timed is None and not any(each.behaviour.timed is _SAVING for each in device.timed):
        own = device.owned(item)
        own.behaviour = replace(own.behaviour, timed=_SAVING)
        device.takes_time(own)
