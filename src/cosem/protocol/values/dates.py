"""Dates and times of COSEM (IEC 62056-6-2, date and time formats): every field may be left open, the octets are exact.

The deviation counts minutes from local time to UTC: UTC = local time + deviation, so Central European Time is -60.
No conversion here looks at the zone of the computer it runs on.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Hashable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from enum import IntFlag
from functools import lru_cache
from struct import Struct
from typing import Any, ClassVar, Final, TypeVar

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, ShapeError

DAYLIGHT_SAVINGS_END: Final = 0xFD
"""As a month: the one in which daylight saving ends."""
DAYLIGHT_SAVINGS_BEGIN: Final = 0xFE
"""As a month: the one in which daylight saving begins."""
SECOND_LAST_DAY: Final = 0xFD
"""As a day: the last but one of the month."""
LAST_DAY: Final = 0xFE
"""As a day: the last of the month; with a day of the week, the last such day of the month."""


class ClockStatus(IntFlag):
    """The clock status octet of a date-time. Bits without a name are kept."""

    INVALID = 0x01
    DOUBTFUL = 0x02
    DIFFERENT_BASE = 0x04
    INVALID_STATUS = 0x08
    DAYLIGHT_SAVING = 0x80


def daylight_saving(moment: datetime) -> timedelta:
    """Return by how much daylight saving sets clocks ahead at a time, zero outside of it and where nobody can tell.

    Some zones have it the other way round in the tables of Python: in Europe/Dublin summer is the standard, and
    clocks are set back in winter.
    """
    told, zone = moment.dst(), moment.tzinfo
    if told:
        return max(told, _NO_SAVING)
    return _NO_SAVING if told is None or not isinstance(zone, Hashable) else _set_back(zone, moment.year)


@lru_cache(maxsize=256)
def _set_back(zone: tzinfo, year: int) -> timedelta:
    """Return by how much a zone sets clocks back in the winter of a year, zero where it sets them ahead in summer."""
    told = (datetime(year, month, 15, tzinfo=zone).dst() or _NO_SAVING for month in range(1, 13))
    return max(-min(told), _NO_SAVING)


_NO_SAVING: Final = timedelta()

_T = TypeVar("_T", bound="_Octets")


class _Octets:
    """A value that is its octets: immutable, equal and hashed by them."""

    __slots__ = ("octets",)
    octets: bytes
    TAG: ClassVar[int]
    NAME: ClassVar[str]
    SIZE: ClassVar[int]

    @classmethod
    def from_octets(cls: type[_T], octets: bytes) -> _T:
        """Make the value of its octets, whatever they say; raise DecodeError when there are too few or too many."""
        if len(octets) != cls.SIZE:
            raise DecodeError(f"{cls.NAME} needs {cls.SIZE} octets, has {len(octets)}")
        value = _new(cls)
        _set_octets(value, octets)
        return value

    def __bytes__(self) -> bytes:
        return self.octets

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, _Octets)
        return self.octets == other.octets

    def __hash__(self) -> int:
        return hash((self.TAG, self.octets))

    def __repr__(self) -> str:
        return f"{type(self).__name__}.from_octets(bytes.fromhex('{self.octets.hex()}'))"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {self.NAME} does not change; replace() makes another")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a {self.NAME} does not change; replace() makes another")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_octets, (self.octets,)


_new = object.__new__
_set_octets = _Octets.__dict__["octets"].__set__


class _Calendar(_Octets):
    """What begins with the five octets of a date."""

    __slots__ = ()

    @property
    def year(self) -> int | None:
        """The year, or None."""
        year = self.octets[0] << 8 | self.octets[1]
        return None if year == 0xFFFF else year

    @property
    def month(self) -> int | None:
        """1 … 12, DAYLIGHT_SAVINGS_BEGIN, DAYLIGHT_SAVINGS_END or None."""
        return _field(self.octets[2])

    @property
    def day(self) -> int | None:
        """1 … 31, LAST_DAY, SECOND_LAST_DAY or None."""
        return _field(self.octets[3])

    @property
    def weekday(self) -> int | None:
        """1 (Monday) … 7 (Sunday), or None."""
        return _field(self.octets[4])


class Date(_Calendar):
    """A date of five octets: year, month, day of month, day of week (Monday is 1); None is "not specified".

    The month may be DAYLIGHT_SAVINGS_BEGIN or _END, the day LAST_DAY or SECOND_LAST_DAY. Raises LocalProtocolError
    for a field out of its range.
    """

    __slots__ = ()
    TAG, NAME, SIZE = 26, "date", 5

    def __init__(
        self, year: int | None = None, month: int | None = None, day: int | None = None, weekday: int | None = None
    ) -> None:
        _set_octets(self, _date_octets(year, month, day, weekday))

    @classmethod
    def from_date(cls, day: date) -> Date:
        """Take over a calendar day with its day of the week."""
        return cls(day.year, day.month, day.day, day.isoweekday())

    @classmethod
    def parse(cls, text: str) -> Date:
        """Read what `str` prints, such as `2024-02-29 Thu` or `*-03-last Sun`; raise ConfigurationError."""
        match = re.fullmatch(_DATE_TEXT, text.strip(), _TEXT_FLAGS)
        if not match:
            raise ConfigurationError(f"{text!r} is no date: write 2024-02-29, *-03-last Sun")
        return _from_text(cls, text, _date_fields(match))

    def replace(self, **fields: int | None) -> Date:
        """Return the same date with some fields changed."""
        return Date(**{**_fields_of(self, _DATE_FIELDS), **fields})

    def to_date(self) -> date:
        """The calendar day; raise ShapeError when year, month or day is open or is none."""
        try:
            return date(self.octets[0] << 8 | self.octets[1], self.octets[2], self.octets[3])
        except ValueError:
            raise ShapeError(f"{self} is no single day") from None

    def matches(self, day: date) -> bool:
        """Tell whether `day` is one of those this date stands for, with the standard's reading of open fields."""
        return _date_matches(self.octets, day)

    def __str__(self) -> str:
        return _date_text(self.octets)


class Time(_Octets):
    """A time of day of four octets: hour, minute, second, hundredths; None is "not specified".

    Raises LocalProtocolError for a field out of its range.
    """

    __slots__ = ()
    TAG, NAME, SIZE = 27, "time", 4

    def __init__(
        self,
        hour: int | None = None,
        minute: int | None = None,
        second: int | None = None,
        hundredths: int | None = None,
    ) -> None:
        _set_octets(self, _time_octets(hour, minute, second, hundredths))

    @classmethod
    def from_time(cls, moment: time) -> Time:
        """Take over a time of day; what is below a hundredth of a second is cut off."""
        return cls(moment.hour, moment.minute, moment.second, moment.microsecond // 10_000)

    @classmethod
    def parse(cls, text: str) -> Time:
        """Read what `str` prints, such as `13:45:10.50`, `13:45` or `*:00:00`; raise ConfigurationError."""
        match = re.fullmatch(_TIME_TEXT, text.strip(), _TEXT_FLAGS)
        if not match:
            raise ConfigurationError(f"{text!r} is no time: write 13:45, 13:45:10.50, *:00:00")
        return _from_text(cls, text, _time_fields(match))

    @property
    def hour(self) -> int | None:
        """0 … 23, or None."""
        return _field(self.octets[0])

    @property
    def minute(self) -> int | None:
        """0 … 59, or None."""
        return _field(self.octets[1])

    @property
    def second(self) -> int | None:
        """0 … 59, or None."""
        return _field(self.octets[2])

    @property
    def hundredths(self) -> int | None:
        """0 … 99, or None."""
        return _field(self.octets[3])

    @property
    def exists(self) -> bool:
        """Whether there is such a time; others, such as 24:00, may come from a peer."""
        return all(each <= most or each == _NOT_SPECIFIED for each, most in zip(self.octets, _LATEST, strict=True))

    def replace(self, **fields: int | None) -> Time:
        """Return the same time with some fields changed."""
        return Time(**{**_fields_of(self, _TIME_FIELDS), **fields})

    def to_time(self) -> time:
        """The time of day, open seconds and hundredths taken as 0; raise ShapeError for an open hour or minute."""
        return _time_of(self.octets, self)

    def matches(self, moment: time) -> bool:
        """Tell whether `moment` has every field that this time specifies."""
        return _time_matches(self.octets, moment)

    def __str__(self) -> str:
        return _time_text(self.octets)


class DateTime(_Calendar):
    """A date and time of twelve octets: a date, a time, the deviation and the clock status; None is "not specified".

    Raises LocalProtocolError for a field out of its range.
    """

    __slots__ = ()
    TAG, NAME, SIZE = 25, "date-time", 12

    def __init__(
        self,
        year: int | None = None,
        month: int | None = None,
        day: int | None = None,
        weekday: int | None = None,
        hour: int | None = None,
        minute: int | None = None,
        second: int | None = None,
        hundredths: int | None = None,
        deviation: int | None = None,
        status: int | None = None,
    ) -> None:
        if deviation is None:
            deviation = _NO_DEVIATION
        elif not -_MOST_DEVIATION <= deviation <= _MOST_DEVIATION:
            raise LocalProtocolError(f"deviation {deviation} is not within ±{_MOST_DEVIATION} minutes")
        _check("status", status, 0, 254)
        _set_octets(
            self,
            _date_octets(year, month, day, weekday)
            + _time_octets(hour, minute, second, hundredths)
            + deviation.to_bytes(2, "big", signed=True)
            + bytes((_octet(status),)),
        )

    @classmethod
    def from_datetime(cls, moment: datetime) -> DateTime:
        """Take over a point in time with its offset from UTC and whether daylight saving holds.

        Without an offset, deviation and status are left open. What is below a hundredth of a second is cut off.
        Raises LocalProtocolError for an offset that is not of whole minutes.
        """
        offset = moment.utcoffset()
        deviation, status = _NO_DEVIATION, _NOT_SPECIFIED
        if offset is not None:
            minutes, rest = divmod(offset, _MINUTE)
            if rest:
                raise LocalProtocolError(f"{moment} is not a whole number of minutes from UTC")
            deviation = -minutes
            status = _SAVING if daylight_saving(moment) else 0
        value = _new(cls)
        # The fields of a datetime are within their ranges, and packed they have the size of this.
        _set_octets(
            value,
            _pack_date_time(
                moment.year,
                moment.month,
                moment.day,
                moment.isoweekday(),
                moment.hour,
                moment.minute,
                moment.second,
                moment.microsecond // 10_000,
                deviation,
                status,
            ),
        )
        return value

    @classmethod
    def parse(cls, text: str) -> DateTime:
        """Read what `str` prints; what is not written is not specified. Raise ConfigurationError.

        `2024-02-29 13:45`, `2024-02-29T13:45:10Z`, `2024-07-01 Mon 12:00:00.00 +02:00 [daylight saving]`.
        The offset is that of ISO 8601, local time minus UTC, hence the deviation with the other sign.
        """
        match = re.fullmatch(_DATE_TIME_TEXT, text.strip(), _TEXT_FLAGS)
        if not match:
            raise ConfigurationError(
                f"{text!r} is no date and time: write 2024-02-29 13:45:10 +01:00, *-03-last Sun 02:00"
            )
        return _from_text(
            cls,
            text,
            {
                **_date_fields(match),
                **_time_fields(match),
                "deviation": _deviation_of(match["offset"]),
                "status": _status_of(match["status"], text),
            },
        )

    @property
    def hour(self) -> int | None:
        """0 … 23, or None."""
        return _field(self.octets[5])

    @property
    def minute(self) -> int | None:
        """0 … 59, or None."""
        return _field(self.octets[6])

    @property
    def second(self) -> int | None:
        """0 … 59, or None."""
        return _field(self.octets[7])

    @property
    def hundredths(self) -> int | None:
        """0 … 99, or None."""
        return _field(self.octets[8])

    @property
    def deviation(self) -> int | None:
        """Minutes from local time to UTC (UTC = local time + deviation; CET is -60), or None."""
        deviation = int.from_bytes(self.octets[9:11], "big", signed=True)
        return None if deviation == _NO_DEVIATION else deviation

    @property
    def zone(self) -> timezone | None:
        """The fixed offset from UTC that the deviation says; None where it is open, or a day or more."""
        deviation = self.deviation
        return None if deviation is None or abs(deviation) >= _MINUTES_OF_DAY else _fixed_zone(deviation)

    @property
    def status(self) -> ClockStatus | None:
        """The clock status, or None."""
        return None if self.octets[11] == 0xFF else ClockStatus(self.octets[11])

    @property
    def date(self) -> Date:
        """The first five octets."""
        return Date.from_octets(self.octets[:5])

    @property
    def time(self) -> Time:
        """The time of day without deviation and status."""
        return Time.from_octets(self.octets[5:9])

    def replace(self, **fields: int | None) -> DateTime:
        """Return the same date and time with some fields changed."""
        return DateTime(**{**_fields_of(self, _DATE_TIME_FIELDS), **fields})

    def to_datetime(self, zone: tzinfo | None = None, *, naive: bool = False) -> datetime:
        """The point in time this stands for, open seconds and hundredths taken as 0.

        A specified deviation decides, and the result has that fixed offset. Otherwise it is the local time of `zone`;
        in the hour that a zone has twice, the daylight saving bit of the status tells which. Without both the
        conversion is refused, unless `naive` asks for a datetime without offset.

        Raises ShapeError when year, month, day, hour or minute is open, is no calendar day or time, or when neither
        deviation nor `zone` is given.
        """
        octets = self.octets
        second, hundredths, deviation = octets[7], octets[8], self.deviation
        try:
            moment = datetime(
                octets[0] << 8 | octets[1],
                octets[2],
                octets[3],
                octets[5],
                octets[6],
                0 if second == 0xFF else second,
                0 if hundredths == 0xFF else hundredths * 10_000,
                None if deviation is None else _fixed_zone(deviation),
            )
        except ValueError:
            raise ShapeError(f"{self} is no point in time") from None
        if deviation is not None or (naive and zone is None):
            return moment
        if zone is None:
            raise ShapeError(f"{self} has no deviation from UTC: give the zone of the meter")
        return _in_zone(moment, zone, self.status)

    def matches(self, moment: datetime) -> bool:
        """Tell whether the local time of `moment` is one this stands for; deviation and status are not looked at."""
        return _date_matches(self.octets, moment) and _time_matches(self.octets[5:9], moment.time())

    def __str__(self) -> str:
        octets = self.octets
        text = f"{_date_text(octets)} {_time_text(octets[5:9])}"
        deviation, status = self.deviation, self.status
        if deviation is not None:
            hours, minutes = divmod(abs(deviation), 60)
            text += f" {'-' if deviation > 0 else '+'}{hours:02}:{minutes:02}"
        if status is not None:
            text += f" [{_status_text(status)}]"
        return text


_NO_DEVIATION: Final = -0x8000
_pack_date_time: Final = Struct(">H7BhB").pack
_MOST_DEVIATION: Final = 24 * 60 - 1
_NOT_SPECIFIED: Final = 0xFF
_MINUTE: Final = timedelta(minutes=1)
_SAVING: Final = int(ClockStatus.DAYLIGHT_SAVING)
_DATE_FIELDS: Final = ("year", "month", "day", "weekday")
_TIME_FIELDS: Final = ("hour", "minute", "second", "hundredths")
_DATE_TIME_FIELDS: Final = (*_DATE_FIELDS, *_TIME_FIELDS, "deviation", "status")


def _field(octet: int) -> int | None:
    return None if octet == 0xFF else octet


def _octet(field: int | None) -> int:
    return 0xFF if field is None else field


def _fields_of(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _check(name: str, value: int | None, low: int, high: int, *also: int) -> None:
    if value is not None and not low <= value <= high and value not in also:
        raise LocalProtocolError(f"{name} {value} is not within {low} … {high}")


def _date_octets(year: int | None, month: int | None, day: int | None, weekday: int | None) -> bytes:
    _check("year", year, 0, 0xFFFE)
    _check("month", month, 1, 12, DAYLIGHT_SAVINGS_BEGIN, DAYLIGHT_SAVINGS_END)
    _check("day", day, 1, 31, LAST_DAY, SECOND_LAST_DAY)
    _check("weekday", weekday, 1, 7)
    return (0xFFFF if year is None else year).to_bytes(2, "big") + bytes((_octet(month), _octet(day), _octet(weekday)))


_LATEST: Final = (23, 59, 59, 99)


def _time_octets(hour: int | None, minute: int | None, second: int | None, hundredths: int | None) -> bytes:
    _check("hour", hour, 0, 23)
    _check("minute", minute, 0, 59)
    _check("second", second, 0, 59)
    _check("hundredths", hundredths, 0, 99)
    return bytes((_octet(hour), _octet(minute), _octet(second), _octet(hundredths)))


def _time_of(octets: bytes, source: object) -> time:
    hour, minute, second, hundredths = octets
    try:
        return time(hour, minute, 0 if second == 0xFF else second, 0 if hundredths == 0xFF else hundredths * 10_000)
    except ValueError:
        raise ShapeError(f"{source} is no single time of day") from None


_MINUTES_OF_DAY: Final = 24 * 60


@lru_cache(maxsize=256)
def _fixed_zone(deviation: int) -> timezone:
    return timezone(timedelta(minutes=-deviation))


def _in_zone(local: datetime, zone: tzinfo, status: ClockStatus | None) -> datetime:
    first = local.replace(tzinfo=zone)
    second = first.replace(fold=1)
    if status is None or first.utcoffset() == second.utcoffset():
        return first
    saving = bool(status & ClockStatus.DAYLIGHT_SAVING)
    return second if bool(daylight_saving(second)) is saving is not bool(daylight_saving(first)) else first


def _time_matches(octets: bytes, moment: time) -> bool:
    present = (moment.hour, moment.minute, moment.second, moment.microsecond // 10_000)
    return all(wanted in (0xFF, field) for wanted, field in zip(octets, present, strict=True))


def _date_matches(octets: bytes, day: date) -> bool:
    """Compare with the reading the standard gives to a day of month together with a day of week."""
    year, month, of_month, of_week = octets[0] << 8 | octets[1], octets[2], octets[3], octets[4]
    if year not in (0xFFFF, day.year) or month not in (0xFF, day.month):
        return False  # the months of daylight saving are known to a clock, not to a date
    if of_week != 0xFF and of_week != day.isoweekday():
        return False
    days = calendar.monthrange(day.year, day.month)[1]
    if of_month == 0xFF:
        return True
    if of_month == LAST_DAY:
        return day.day == days if of_week == 0xFF else day.day + 7 > days
    if of_month == SECOND_LAST_DAY:
        return day.day == days - 1
    if of_week != 0xFF and year == 0xFFFF:
        return of_month <= day.day < of_month + 7  # that day of the week on or after the day of the month
    return day.day == of_month


_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_STATUS_NAMES: Final = {
    ClockStatus.INVALID: "invalid",
    ClockStatus.DOUBTFUL: "doubtful",
    ClockStatus.DIFFERENT_BASE: "different base",
    ClockStatus.INVALID_STATUS: "invalid status",
    ClockStatus.DAYLIGHT_SAVING: "daylight saving",
}
_STATUS_BITS: Final = {name: int(bit) for bit, name in _STATUS_NAMES.items()}
_MONTH_NAMES: Final = {0xFF: "*", DAYLIGHT_SAVINGS_BEGIN: "dst-begin", DAYLIGHT_SAVINGS_END: "dst-end"}
_DAY_NAMES: Final = {0xFF: "*", LAST_DAY: "last", SECOND_LAST_DAY: "last-but-one"}
_SPECIAL: Final = {
    "*": None,
    "dst-begin": DAYLIGHT_SAVINGS_BEGIN,
    "dst-end": DAYLIGHT_SAVINGS_END,
    "last": LAST_DAY,
    "last-but-one": SECOND_LAST_DAY,
}

_TEXT_FLAGS = re.ASCII | re.IGNORECASE
_DATE_TEXT = (
    r"(?P<year>\*|\d{1,5})-(?P<month>\*|\d{1,2}|dst-begin|dst-end)-(?P<day>\*|\d{1,2}|last-but-one|last)"
    r"(?:\s+(?P<weekday>Mon|Tue|Wed|Thu|Fri|Sat|Sun))?"
)
_TIME_TEXT = r"(?P<hour>\*|\d{1,2}):(?P<minute>\*|\d{1,2})(?::(?P<second>\*|\d{1,2})(?:\.(?P<hundredths>\*|\d{1,6}))?)?"
_DATE_TIME_TEXT = (
    rf"{_DATE_TEXT}(?:\s+|T){_TIME_TEXT}(?:\s*(?P<offset>Z|[+-]\d\d:?\d\d))?(?:\s+\[(?P<status>[^\]]*)\])?"
)


def _date_text(octets: bytes) -> str:
    year, month, day, weekday = octets[0] << 8 | octets[1], octets[2], octets[3], octets[4]
    text = "*" if year == 0xFFFF else f"{year:04}"
    text += f"-{_MONTH_NAMES.get(month) or f'{month:02}'}-{_DAY_NAMES.get(day) or f'{day:02}'}"
    if weekday == 0xFF:
        return text
    return f"{text} {_WEEKDAYS[weekday - 1] if 1 <= weekday <= 7 else f'weekday {weekday}'}"


def _time_text(octets: bytes) -> str:
    hour, minute, second, hundredths = ("*" if octet == 0xFF else f"{octet:02}" for octet in octets)
    return f"{hour}:{minute}:{second}" + ("" if hundredths == "*" else f".{hundredths}")


def _status_text(status: ClockStatus) -> str:
    names = [name for bit, name in _STATUS_NAMES.items() if status & bit]
    unnamed = status & ~sum(_STATUS_NAMES)
    if unnamed:
        names.append(f"0x{unnamed:02x}")
    return ", ".join(names) or "ok"


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    text = text.lower()
    return _SPECIAL[text] if text in _SPECIAL else int(text)


def _date_fields(match: re.Match[str]) -> dict[str, int | None]:
    weekday = match["weekday"]
    fields = {name: _number(match[name]) for name in ("year", "month", "day")}
    return {**fields, "weekday": None if weekday is None else _WEEKDAYS.index(weekday.title()) + 1}


def _time_fields(match: re.Match[str]) -> dict[str, int | None]:
    fraction = match["hundredths"]
    if fraction is not None and fraction != "*":
        fraction = fraction[:2].ljust(2, "0")  # a fraction: .5 is 50 hundredths
    fields = {name: _number(match[name]) for name in ("hour", "minute", "second")}
    return {**fields, "hundredths": _number(fraction)}


def _deviation_of(offset: str | None) -> int | None:
    if offset is None:
        return None
    if offset in ("Z", "z"):
        return 0
    minutes = int(offset[1:3]) * 60 + int(offset[-2:])
    return minutes if offset[0] == "-" else -minutes


def _status_of(names: str | None, text: str) -> int | None:
    if names is None:
        return None
    status = 0
    for name in names.lower().split(","):
        name = name.strip()
        if name in _STATUS_BITS:
            status |= _STATUS_BITS[name]
        elif re.fullmatch(r"0x[0-9a-f]{2}", name):
            status |= int(name, 16)
        elif name != "ok":
            raise ConfigurationError(f"{text!r}: {name!r} is no clock status ({', '.join(_STATUS_BITS)}, ok)")
    return status


def _from_text(kind: type[_T], text: str, fields: dict[str, int | None]) -> _T:
    try:
        return kind(**fields)
    except LocalProtocolError as error:
        raise ConfigurationError(f"{text!r}: {error}") from None
