"""The zone of a meter that tells local time: the one that is named, else that of this machine."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cosem.errors import ConfigurationError


class LocalZone(tzinfo):
    """The zone of this machine, daylight saving time included."""

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(seconds=self._local(dt).tm_gmtoff)

    def dst(self, dt: datetime | None) -> timedelta:
        return timedelta(hours=1) if self._local(dt).tm_isdst > 0 else timedelta()

    def tzname(self, dt: datetime | None) -> str:
        return self._local(dt).tm_zone

    @property
    def taken(self) -> str:
        """What is said where times of a meter are taken for those of this machine."""
        here = self.tzname(None)
        return f"the meter tells local time: it is taken for that of this machine ({here}); --zone names another"

    @staticmethod
    def _local(dt: datetime | None) -> time.struct_time:
        try:
            return time.localtime(None if dt is None else dt.replace(tzinfo=None).timestamp())
        except (OverflowError, OSError, ValueError):  # a time that this system does not count
            return time.localtime()


def named_zone(name: str | None) -> tzinfo:
    """Return a zone by its name, and that of this machine where there is none."""
    if name is None:
        return LocalZone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(f"--zone {name!r} is not known: write a name such as Europe/Amsterdam") from None
