"""A profile as it was read: what its columns are, and its rows raw, filled in, as readings and as columns of tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

from cosem.errors import ShapeError
from cosem.protocol.codec.columns import Rows
from cosem.protocol.model.classes.data_storage import ProfileGenericCommon
from cosem.protocol.values.dates import DateTime
from cosem.readings import arrow, extract, frames
from cosem.readings.column import ProfileColumn
from cosem.readings.fill import Filled, fill, moment_of, reached
from cosem.readings.reading import Reading


@dataclass(frozen=True, slots=True)
class ProfileRows:
    """Rows of a profile as raw values (ints, octets, None for null-data), and what each column is.

    `capture_period` is in seconds, 0 when rows are captured on events. `missing` is how many rows less than its
    entries_in_use the meter gave when the whole buffer was read.
    """

    profile: ProfileGenericCommon
    columns: tuple[ProfileColumn, ...]
    rows: Rows
    capture_period: int
    newest_first: bool = False
    missing: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    @property
    def clock(self) -> int | None:
        """The number of the column that says when a row was captured, from 0; None where there is none."""
        return next((at for at, column in enumerate(self.columns) if column.is_time), None)

    @property
    def step(self) -> timedelta:
        """From one row to the next; negative where the newest row comes first."""
        return timedelta(seconds=-self.capture_period if self.newest_first else self.capture_period)

    def filled(self) -> Iterator[Filled]:
        """Return the rows with the times and values that null-data stands for; values are raw.

        A time has the offset from UTC that the meter gave; without one it is the local time of the meter.
        """
        return fill(self.rows, self.clock, self.step, _point)

    def readings(self, meter: str, zone: tzinfo | None = None) -> list[Reading]:
        """Return every value as a reading of `meter`; `zone` is for clocks that leave their deviation open."""
        return extract.profile(
            meter,
            self.profile.instance,
            self.rows,
            [column.captured for column in self.columns],
            [column.scaler_unit for column in self.columns],
            capture_period=self.capture_period,
            newest_first=self.newest_first,
            zone=zone,
        )

    def arrays(self) -> dict[str, Any]:
        """Return every column as a numpy array under what it captured, as in `3/1.0.1.8.0.255/2` (extra `columns`)."""
        return frames.arrays(self.rows, self._names())

    def table(self, *, scaled: bool = False, zone: tzinfo | None = None) -> Any:
        """Return the rows as a `pyarrow.Table`, its columns named as in `arrays` (extra `columns`).

        Args:
            scaled: apply scalers, exactly: the numbers become decimals. Otherwise they are raw, and the scaler is in
                the metadata of the column.
            zone: where the clock is, for meters that leave the deviation from UTC open.

        Times of a clock are timestamps in UTC, those that null-data left out counted on; without deviation and `zone`
        they are the meter's local time, without a zone. Every column tells in its metadata what it is: `class_id`,
        `obis`, `attribute`, `data_index`, `name`, and `scaler` and `unit` where the meter has them.
        """
        return arrow.table(frames.arrays(self.rows, self._names()), self.columns, self.step, scaled=scaled, zone=zone)

    def moments(self) -> list[DateTime | None]:
        """Return the clock's date-time of each row as the meter wrote it; None where it is null-data or no column."""
        position = self.clock
        if position is None:
            return [None] * len(self.rows)
        return [moment_of(row[position]) for row in self.rows]

    def between(self, since: datetime | DateTime | None, until: datetime | DateTime | None) -> ProfileRows:
        """Return the rows from `since` to `until`, both included: some meters round the ends, or send everything."""
        kept: list[tuple[Any, ...]] = []
        for row, filled in zip(self.rows, self.filled(), strict=True):
            time = filled.time
            if time is None or (reached(since, time) and reached(time, until)):
                kept.append(row)
        return replace(self, rows=Rows(kept, self.rows.tags, None), missing=0)

    def _names(self) -> list[str]:
        return [str(column.captured) for column in self.columns]


def _point(value: Any) -> datetime | None:
    """Return the point in time of a clock column; None when it leaves too much open."""
    moment = moment_of(value)
    if moment is None:
        return None
    try:
        return moment.to_datetime(naive=True)
    except ShapeError:
        return None
