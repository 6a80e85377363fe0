"""Profiles with a past: rows from before the meter began are computed when they are read, those since then captured.

What is written or set shows in the rows since the meter began; its past costs no memory, and a part of it no more than
that part. Rows that were due in a failure that the meter is told to have had before are missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Final, overload

from cosem.meter.behaviour.captures import captured_times, failed_for
from cosem.meter.behaviour.profile_generic import CapturedRows, Profile, Recomputed, Row, Rows
from cosem.meter.item import Visit


class History(Recomputed):
    """As the value of `buffer`: as full as it can be from the beginning, and captured from then on."""

    def source(self, entries: int) -> HistoryRows:
        """Return where the rows of one profile come from."""
        return HistoryRows(entries)


HISTORY: Final = History()


class HistoryRows(CapturedRows):
    """Rows that are captured, behind those that would have been before."""

    __slots__ = ("_began",)

    def __init__(self, entries: int) -> None:
        super().__init__((), entries)
        self._began: datetime | None = None

    @property
    def looked(self) -> tuple[datetime | None, ...]:
        """When it was looked at last, and when it began."""
        return (self._captured, self._began)

    def recall(self, rows: Iterable[Row], looked: Sequence[datetime | None], zone: tzinfo) -> None:
        """Go on with the rows of before a restart."""
        captured, began = looked
        super().recall(rows, (captured,), zone)
        self._began = began

    def rows(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows:
        captured = super().rows(profile, visit, start, end)
        places = profile.entries - len(captured)
        if self._began is None or places <= 0:
            return captured
        step = timedelta(seconds=profile.period)
        failures = visit.device.meter.power.shown_failures if visit.device.meter.has_outages else []
        if any(down < self._began for down, _ in failures):
            times = captured_times(self._began, step, places, start, end, partial(failed_for, failures))
            return ComputedRows(profile, visit, self._began, len(times), captured, times=times)
        last, first = self._began, self._began - (places - 1) * step
        if start is not None:
            first += max(-(-(start.astimezone(UTC) - first) // step), 0) * step
        if end is not None and end.astimezone(UTC) < last:
            last += -(-(end.astimezone(UTC) - last) // step) * step
        return ComputedRows(profile, visit, first, max((last - first) // step + 1, 0), captured)

    def count(self, profile: Profile, visit: Visit) -> int:
        captured = super().count(profile, visit)
        return captured if self._began is None else profile.entries

    def catch_up(self, profile: Profile, visit: Visit) -> None:
        begins = self._captured is None
        super().catch_up(profile, visit)
        if begins:
            self._began = self._captured

    def reset(self) -> None:
        """Forget the past as well."""
        super().reset()
        self._began = None


class ComputedRows(Sequence[Row]):
    """Rows for times at equal distances, or at `times`, computed when they are looked at, and captured ones behind."""

    __slots__ = ("_captured", "_computed", "_era", "_first", "_places", "_profile", "_times", "_visit")

    def __init__(
        self,
        profile: Profile,
        visit: Visit,
        first: datetime,
        computed: int,
        captured: Rows,
        places: range | None = None,
        times: Sequence[datetime] | None = None,
    ) -> None:
        *_, self._era = visit.device.meter.eras(visit.time)  # they are from before anybody could set the clock
        self._times = times
        self._profile = profile
        self._visit = visit
        self._first = first
        self._computed = computed
        self._captured = captured
        self._places = range(computed + len(captured)) if places is None else places

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> ComputedRows: ...

    def __getitem__(self, place: int | slice) -> Row | ComputedRows:
        if isinstance(place, int):
            return self._row(self._places[place])
        places = self._places[place]
        return ComputedRows(
            self._profile, self._visit, self._first, self._computed, self._captured, places, self._times
        )

    def __len__(self) -> int:
        return len(self._places)

    def _row(self, place: int) -> Row:
        if place >= self._computed:
            return self._captured[place - self._computed]
        times = self._times
        time = self._first + timedelta(seconds=place * self._profile.period) if times is None else times[place]
        with self._visit.device.meter.seen_in(self._era):
            return self._profile.row(self._visit.at(time.astimezone(self._visit.time.tzinfo)))
