"""The gaps of profile rows filled in: times that were left out, and values that null-data repeats.

null-data compression (IEC 62056-6-2, class 7) leaves out what follows from the row before: the time, which counts on by
the capture period, and any value that is the same again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from cosem.protocol.values.dates import DateTime


class Filled(NamedTuple):
    """One row as it was meant."""

    moment: Any
    """What the row itself has as its time; None for null-data and for rows without such a column."""
    time: datetime | None
    """The time of the row; None where it cannot be told."""
    values: tuple[Any, ...]
    """The whole row, null-data replaced where a value stood before it."""
    repeated: frozenset[int]
    """The columns whose value is that of the row before."""

    @property
    def computed(self) -> bool:
        """True where the time was counted on."""
        return self.moment is None and self.time is not None


def fill(
    rows: Iterable[Sequence[Any]],
    clock: int | None,
    step: timedelta,
    time_of: Callable[[Any], datetime | None],
    *,
    nulls_repeat: bool = True,
) -> Iterator[Filled]:
    """Give each row its time and its values.

    Args:
        rows: raw rows, None for null-data.
        clock: the column with the time of a clock, where there is one.
        step: from a row to the next, negative where the newest comes first; zero when nothing can be counted on.
        time_of: the point in time that a value of that column stands for; None where it leaves too much open.
        nulls_repeat: whether null-data stands for the value of the row before.
    """
    before: dict[int, Any] = {}
    time: datetime | None = None
    for row in rows:
        moment = None if clock is None else row[clock]
        if moment is not None:
            time = time_of(moment)
        else:
            time = _after(time, step) if time is not None and step else None
        values, repeated = list(row), list[int]()
        for at, value in enumerate(row):
            if at == clock:
                continue
            if value is not None:
                before[at] = value
            elif nulls_repeat and at in before:
                values[at] = before[at]
                repeated.append(at)
        yield Filled(moment, time, tuple(values), frozenset(repeated))


def _after(time: datetime, step: timedelta) -> datetime | None:
    try:
        return time + step
    except OverflowError:  # beyond the calendar
        return None


def moment_of(value: Any) -> DateTime | None:
    """Return the date-time that a clock column holds, as octets or under its own tag; None for anything else."""
    if isinstance(value, DateTime):
        return value
    if isinstance(value, bytes | bytearray) and len(value) == DateTime.SIZE:
        return DateTime.from_octets(bytes(value))
    return None


def reached(earlier: datetime | DateTime | None, later: datetime | DateTime | None) -> bool:
    """True when `earlier` is not after `later`, or either is open.

    A time without offset from UTC is the meter's local time, and is compared as such.
    """
    if earlier is None or later is None:
        return True
    first, last = _datetime(earlier), _datetime(later)
    if first.tzinfo is None or last.tzinfo is None:
        return first.replace(tzinfo=None) <= last.replace(tzinfo=None)
    return first <= last


def _datetime(time: datetime | DateTime) -> datetime:
    return time.to_datetime(naive=True) if isinstance(time, DateTime) else time
