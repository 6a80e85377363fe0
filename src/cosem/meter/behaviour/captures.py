"""When the rows of a profile were captured: none is without power."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta


def captured_times(
    last: datetime,
    step: timedelta,
    entries: int,
    start: datetime | None,
    end: datetime | None,
    failed: Callable[[datetime], timedelta | None],
) -> list[datetime]:
    """Return when so many rows until the last one were captured at most, of those from `start` to `end`, in UTC.

    `failed` tells how long there has been no power when a row is due; None where there is.
    """
    first, until = start and start.astimezone(UTC), end and end.astimezone(UTC)
    found: list[datetime] = []
    time = last
    while entries and (first is None or time >= first):
        length = failed(time)
        if length is not None:
            time -= -(-length // step) * step  # to the last one that was due before
            continue
        entries -= 1
        if until is None or time <= until:
            found.append(time)
        time -= step
    return found[::-1]


def failed_for(failures: Iterable[tuple[datetime, datetime]], time: datetime) -> timedelta | None:
    """Return how long there has been no power at a time; None where there is, as at the moment at which it goes."""
    return next((time - down for down, up in failures if down < time <= up), None)
