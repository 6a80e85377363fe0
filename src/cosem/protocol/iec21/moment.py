"""Local times as lines of text carry them: twelve digits, with a letter for daylight saving time or without."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from cosem.protocol.values.dates import daylight_saving

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """A local time without zone; `summer` tells whether it is daylight saving time, None where the meter does not say.

    `doubtful` is a clock that the meter itself does not trust; `universal` tells that the time is UTC.
    """

    local: datetime
    summer: bool | None = None
    doubtful: bool = False
    universal: bool = False

    def at(self, zone: tzinfo) -> datetime:
        """Return the point in time, in the zone where the meter is; its letter decides in the hour that comes twice.

        Where the zone has no daylight saving time, or has it at another time than the meter, the letter wins: the
        time is that of the zone without it, and one hour more for summer.
        """
        if self.universal:
            return self.local.replace(tzinfo=UTC)
        moment = self.local.replace(tzinfo=zone)
        if self.summer is None:
            return moment
        for fold in (0, 1):
            candidate = moment.replace(fold=fold)
            if bool(daylight_saving(candidate)) == self.summer and candidate.utcoffset() is not None:
                return candidate
        offset = (moment.utcoffset() or timedelta()) - daylight_saving(moment)
        return self.local.replace(tzinfo=timezone(offset + (HOUR if self.summer else timedelta())))


def p1_moment(text: str) -> Moment | None:
    """Read `YYMMDDhhmmss` with `S` (summer), `W` (winter) or nothing behind; None for anything else, or no such time.

    Meters of old write `YY-MM-DD hh:mm:ss` too.
    """
    found = _P1.fullmatch(text) or _P1_SPELT.fullmatch(text)
    if found is None:
        return None
    return _moment(found, {"S": True, "W": False}.get(found["season"] or ""))


def tic_moment(text: str) -> Moment | None:
    """Read `SYYMMDDhhmmss`: the season is `E` (summer), `H` (winter) or a space, small where the clock is in doubt."""
    found = _TIC.fullmatch(text)
    if found is None:
        return None
    season = found["season"]
    return _moment(found, {"E": True, "H": False}.get(season.upper()), doubtful=season.islower())


def readout_moment(text: str) -> Moment | None:
    """Read a time as IEC 62056-21 readouts have it; None for anything else, or no such time.

    `sYYMMDDhhmmss` and `sYYMMDDhhmm`, where s is 0 for normal time, 1 for summer time and 2 for UTC; the same without
    s; and `YY-MM-DD hh:mm:ss` with a space or a comma, with seconds or without.
    """
    found = _READOUT.fullmatch(text) or _READOUT_SPELT.fullmatch(text)
    if found is None:
        return None
    season = found["season"] or ""
    return _moment(found, {"0": False, "1": True}.get(season), universal=season == "2")


def _moment(
    found: re.Match[str], summer: bool | None, *, doubtful: bool = False, universal: bool = False
) -> Moment | None:
    year, *others = (int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second"))
    try:
        return Moment(datetime(year + (2000 if year < _EPOCH else 1900), *others), summer, doubtful, universal)  # type: ignore[arg-type]
    except ValueError:
        return None


_EPOCH: Final = 70
"""From this year of two digits on it is the last century: a clock that was never set often begins in 1970."""

_DIGITS: Final = "".join(rf"(?P<{name}>\d\d)" for name in ("year", "month", "day", "hour", "minute", "second"))
_P1: Final = re.compile(rf"{_DIGITS}(?P<season>[SW])?", re.ASCII)
_P1_SPELT: Final = re.compile(
    r"(?P<year>\d\d)-(?P<month>\d\d)-(?P<day>\d\d) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?P<season>[SW])?",
    re.ASCII,
)
_TIC: Final = re.compile(rf"(?P<season>[EHeh ]){_DIGITS}", re.ASCII)
_READOUT: Final = re.compile(
    r"(?P<season>[012](?=\d{10}(?:\d\d)?\Z))?"
    r"(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?",
    re.ASCII,
)
_READOUT_SPELT: Final = re.compile(
    r"(?P<season>)(?P<year>\d\d)-(?P<month>\d\d)-(?P<day>\d\d)[ ,]"
    r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?",
    re.ASCII,
)
