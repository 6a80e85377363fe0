"""The clock: the meter's time in its zone, read and set (IEC 62056-6-2, class 8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, cast

from cosem.errors import ShapeError
from cosem.meter.item import Behaviour, Item, Refusal, Run, Visit, refused
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.time_and_event import Clock, ClockBase
from cosem.protocol.values.data import Data, Enumerated, Integer, Long, OctetString, Unsigned
from cosem.protocol.values.dates import LAST_DAY, ClockStatus, DateTime

TIME, TIME_ZONE, STATUS, SAVING_BEGIN, SAVING_END, SAVING_DEVIATION, SAVING_ENABLED, BASE = range(2, 10)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

LONGEST_SHIFT: Final = 900
"""Seconds that `shift_time` moves the clock at most, either way."""


def standard_offset(zone: tzinfo, year: int) -> timedelta:
    """Return what a zone adds to UTC outside daylight saving."""
    return savings(zone, year)[0]


def last_multiple(time: datetime, period: int) -> datetime:
    """Return the last multiple of so many seconds not after `time`, in UTC; days begin in local standard time."""
    utc = time.astimezone(UTC)
    local = utc + standard_offset(cast("tzinfo", time.tzinfo), time.year) - _EPOCH
    return utc - timedelta(seconds=int(local.total_seconds()) % period, microseconds=time.microsecond)


def _time(visit: Visit, _: Item) -> Data:
    if _is_invalid(visit):
        return OctetString(DateTime.from_datetime(visit.time).replace(status=_status_of(visit)).octets)
    return _octets_of(visit.time, visit.time.tzinfo, visit.time.fold)


@lru_cache(maxsize=4096)
def _octets_of(time: datetime, _zone: tzinfo | None, _fold: int) -> OctetString:
    """Return a time as it is held, made once: many meters are read for the same times.

    Times in different zones are equal, and so are those of the hour that comes twice; hence zone and fold.
    """
    return OctetString(DateTime.from_datetime(time).octets)


def _is_invalid(visit: Visit) -> bool:
    """Tell whether the clock stood without power, and nobody has set it since."""
    since = visit.device.meter.clock_invalid
    return since is not None and since <= visit.time


def _status_of(visit: Visit) -> int:
    status = DateTime.from_datetime(visit.time).status or 0
    return status | ClockStatus.INVALID if _is_invalid(visit) else status


def _time_zone(visit: Visit, _: Item) -> Data:
    return Long(-_minutes(standard_offset(visit.device.zone, visit.time.year)))


def _status(visit: Visit, _: Item) -> Data:
    return Unsigned(_status_of(visit))


def _saving(end: bool) -> Callable[[Visit, Item], Data]:
    def read(visit: Visit, _: Item) -> Data:
        begins_and_ends = savings(visit.device.zone, visit.time.year)[2:]
        return OctetString(begins_and_ends[end].octets)

    return read


def _saving_deviation(visit: Visit, _: Item) -> Data:
    return Integer(_minutes(savings(visit.device.zone, visit.time.year)[1]))


def _saving_enabled(visit: Visit, _: Item) -> Data:
    return bool(savings(visit.device.zone, visit.time.year)[1])


def _base(_: Visit, __: Item) -> Data:
    return Enumerated(ClockBase.INTERNAL_CRYSTAL)


def _set_time(visit: Visit, _: Item, value: Data) -> None:
    try:
        moment = Clock.time.shape.decode(value).to_datetime(visit.device.zone)
        visit.device.set_time(moment)
    except ShapeError as error:
        raise refused(error) from error
    except OverflowError as error:  # the ends of the calendar, seen from another zone
        raise Refusal(DataAccessResult.TYPE_UNMATCHED) from error


def _adjust(seconds: Callable[[Visit], int]) -> Run:
    """Return a method that moves the clock to the nearest multiple of so many seconds."""

    def run(visit: Visit, _: Item, __: Data) -> Data:
        period = timedelta(seconds=seconds(visit))
        before = last_multiple(visit.time, seconds(visit))
        nearer = before if visit.time.astimezone(UTC) - before < period / 2 else before + period
        visit.device.set_time(nearer, relative=True)
        return None

    return run


@dataclass(frozen=True, slots=True)
class Preset:
    """A time to be set between two others."""

    time: datetime
    since: datetime
    until: datetime


def _preset(visit: Visit, _: Item, argument: Data) -> Data:
    zone = visit.device.zone
    try:
        told = Clock.preset_adjusting_time.argument.decode(argument)
        times = (told.preset_time, told.validity_interval_start, told.validity_interval_end)
        preset = Preset(*(each.to_datetime(zone) for each in times))
    except ShapeError as error:
        raise refused(error) from error
    visit.device.meter.preset = preset
    return None


def _adjust_to_preset(visit: Visit, _: Item, __: Data) -> Data:
    """Set the time that was preset, once, in its interval; at other times nothing is done, and that is told."""
    preset = visit.device.meter.preset
    if preset is None or not preset.since <= visit.time <= preset.until:
        raise Refusal(DataAccessResult.TEMPORARY_FAILURE)
    visit.device.meter.preset = None
    visit.device.set_time(preset.time)
    return None


def _shift(visit: Visit, _: Item, seconds: Data) -> Data:
    shift = cast("int", seconds)
    if abs(shift) > LONGEST_SHIFT:
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    visit.device.set_time(visit.time.astimezone(UTC) + timedelta(seconds=shift), relative=True)
    return None


BEHAVIOUR: Final = Behaviour(
    reads={
        TIME: _time,
        TIME_ZONE: _time_zone,
        STATUS: _status,
        SAVING_BEGIN: _saving(end=False),
        SAVING_END: _saving(end=True),
        SAVING_DEVIATION: _saving_deviation,
        SAVING_ENABLED: _saving_enabled,
        BASE: _base,
    },
    writes={TIME: _set_time},
    methods={
        1: _adjust(lambda _: 900),
        2: _adjust(lambda visit: visit.device.measuring_period),
        3: _adjust(lambda _: 60),
        4: _adjust_to_preset,
        5: _preset,
        6: _shift,
    },
)


def _minutes(offset: timedelta) -> int:
    return int(offset.total_seconds()) // 60


@lru_cache(maxsize=64)
def savings(zone: tzinfo, year: int) -> tuple[timedelta, timedelta, DateTime, DateTime]:
    """Return the standard offset, what daylight saving adds, and when it begins and ends, in one year of a zone."""
    year = min(max(year, 2), 9998)  # the search looks at a day on either side
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
    offsets = [day.astimezone(zone).utcoffset() or timedelta() for day in days]
    standard, summer = min(offsets), max(offsets)
    if standard == summer:
        return standard, timedelta(), DateTime(), DateTime()
    begin = next(day for day in range(366) if offsets[day - 1] == standard and offsets[day] == summer)
    end = next(day for day in range(366) if offsets[day - 1] == summer and offsets[day] == standard)
    return (
        standard,
        summer - standard,
        _rule(days[begin], zone, standard, -_minutes(standard)),
        _rule(days[end], zone, summer, -_minutes(summer)),
    )


def _rule(day: datetime, zone: tzinfo, before: timedelta, deviation: int) -> DateTime:
    """Return the change in the 24 hours before `day` as every year has it, in the local time in force until then."""
    low, high = day - timedelta(days=1), day
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    change = (high.replace(second=0, microsecond=0) + before).replace(tzinfo=None)
    last = (change + timedelta(days=7)).month != change.month
    return DateTime(
        *(None if last else change.year, change.month, LAST_DAY if last else change.day, change.isoweekday()),
        *(change.hour, change.minute, 0, 0, deviation, None),
    )
