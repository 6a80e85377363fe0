"""When a time of day comes: local times as moments, over daylight saving too.

A time that the clock skips when daylight saving begins comes at the moment of the change; one that it shows twice when
daylight saving ends comes the first time only. Of one and the same moment an object is told once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, TypeAlias

from cosem.protocol.values.dates import Time

OfDay: TypeAlias = Callable[[date], Sequence[time]]
"""The times of a day, in order."""

_LONGEST_CHANGE: Final = timedelta(hours=3)
"""By how much clocks are changed at once at most."""


@lru_cache(maxsize=256)
def times(of: Time) -> tuple[time, ...]:
    """Return the times of day that a time stands for: open hours and minutes are all of them, open seconds are 0.

    There are none of an hour, minute or second that there is not.
    """
    hours = range(24) if of.hour is None else (of.hour,)
    minutes = range(60) if of.minute is None else (of.minute,)
    second, hundredths = of.second or 0, of.hundredths or 0
    try:
        return tuple(time(hour, minute, second, hundredths * 10_000) for hour in hours for minute in minutes)
    except ValueError:
        return ()


def moment_of(day: date, at: time, zone: tzinfo) -> datetime:
    """Return the moment at which a local time comes, in UTC."""
    local = datetime.combine(day, at)
    low, high = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    if low >= high or high.astimezone(zone).replace(tzinfo=None) == local:
        return high  # the only one, or the first of two
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def first_after(since: datetime, until: datetime, zone: tzinfo, of_day: OfDay) -> datetime | None:
    """Return the first moment after one and not after another at which a time of a day comes; None without any."""
    since, until = since.astimezone(UTC), until.astimezone(UTC)  # differences are of time, not of what clocks show
    local, last = since.astimezone(zone), until.astimezone(zone).date()
    steady = all((since + change).astimezone(zone).utcoffset() == local.utcoffset() for change in _AROUND)
    begin = local.replace(tzinfo=None, fold=0) - (timedelta() if steady else _LONGEST_CHANGE)
    day = begin.date()
    while day <= last:
        of = of_day(day)
        for at in of[bisect_left(of, begin.time()) if day == begin.date() else 0 :]:
            moment = moment_of(day, at, zone)
            if moment > since:
                return moment if moment <= until else None
        day += timedelta(days=1)
    return None


def last_until(until: datetime, since: datetime, zone: tzinfo, of_day: OfDay) -> datetime | None:
    """Return the last moment not after one and after another at which a time of a day comes; None without any."""
    day, first = until.astimezone(zone).date(), since.astimezone(zone).date()
    while day >= first:
        for at in reversed(of_day(day)):
            moment = moment_of(day, at, zone)
            if moment <= until:
                return moment if moment > since else None
        day -= timedelta(days=1)
    return None


def comes(moment: datetime, zone: tzinfo, of_day: OfDay) -> bool:
    """Tell whether a time of a day comes at a moment."""
    moment = moment.astimezone(UTC)
    return first_after(moment - timedelta(microseconds=1), moment, zone, of_day) == moment


_AROUND: Final = (-_LONGEST_CHANGE, _LONGEST_CHANGE)
