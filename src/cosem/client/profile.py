"""Reading a profile: what its columns are, and its rows by time, however well the meter does selective access."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from cosem.client.services import Services
from cosem.errors import CosemError, DataAccessError, IncompleteWarning
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.codec import columns
from cosem.protocol.codec.columns import Rows
from cosem.protocol.model.classes.data_storage import ProfileGenericCommon, ScalerUnit, SortMethod, scaler_unit_of
from cosem.protocol.model.reference import AttributeRef, BufferRef
from cosem.protocol.model.selection import CLOCK_TIME, CaptureObject
from cosem.protocol.values.dates import DateTime
from cosem.readings import extract, frames
from cosem.readings.reading import Reading

FINAL_REFUSALS: Final = frozenset((DataAccessResult.READ_WRITE_DENIED, DataAccessResult.OBJECT_UNDEFINED))
"""Refusals of a selection that reading the whole buffer would meet as well."""


@dataclass(frozen=True, slots=True)
class ProfileColumn:
    """One column of a profile: what was captured, and how its raw values become quantities."""

    captured: CaptureObject
    scaler_unit: ScalerUnit | None = None

    @property
    def is_time(self) -> bool:
        """True for the time of a clock, which says when a row was captured."""
        return (self.captured.class_id, self.captured.attribute_index) == (
            CLOCK_TIME.class_id,
            CLOCK_TIME.attribute_index,
        )


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

    def table(self) -> Any:
        """Return the rows as a `pyarrow.Table`, its columns named as in `arrays` (extra `columns`)."""
        return frames.table(self.rows, self._names())

    def _names(self) -> list[str]:
        return [str(column.captured) for column in self.columns]

    def moments(self) -> list[DateTime | None]:
        """Return the clock's date-time of each row as the meter wrote it; None where it is null-data or no column."""
        position = next((index for index, column in enumerate(self.columns) if column.is_time), None)
        if position is None:
            return [None] * len(self.rows)
        return [_moment(row[position]) for row in self.rows]


async def read_profile(
    services: Services,
    profile: ProfileGenericCommon,
    since: datetime | DateTime | None,
    until: datetime | DateTime | None,
) -> ProfileRows:
    """Read columns, scalers and rows (see `Operations.profile`)."""
    captured, period, sort_method, in_use = await services.get_many(
        [profile.capture_objects, profile.capture_period, profile.sort_method, profile.entries_in_use]
    )
    if isinstance(captured, CosemError):
        raise captured
    described = await _described(services, captured)
    rows = columns.rows(await _buffer(services, profile.buffer, since, until))
    found = ProfileRows(
        profile,
        described,
        rows,
        0 if isinstance(period, CosemError) else int(period),
        sort_method is SortMethod.LAST_IN_FIRST_OUT,
        # Rows may have been captured since they were counted, but none goes without another one in its place.
        max(0, int(in_use) - len(rows)) if isinstance(in_use, int) and since is None and until is None else 0,
    )
    if found.missing:
        warnings.warn(
            f"{profile.instance}: the meter has {in_use} rows and gave {len(rows)}, {found.missing} are missing",
            IncompleteWarning,
            stacklevel=2,
        )
    return found if since is None and until is None else between(found, since, until)


async def _described(services: Services, captured: Iterable[CaptureObject]) -> tuple[ProfileColumn, ...]:
    """Read the scaler and unit of every column that has one; what the meter refuses stays open."""
    described = list(captured)
    wanted: dict[CaptureObject, AttributeRef[Any]] = {}
    for column in described:
        scaler_unit = scaler_unit_of(column.class_id, column.logical_name, column.attribute_index)
        if scaler_unit is not None:
            wanted[column] = scaler_unit
    answers = dict(zip(wanted, await services.get_many(list(wanted.values())), strict=True))
    units = {column: answer for column, answer in answers.items() if isinstance(answer, ScalerUnit)}
    return tuple(ProfileColumn(column, units.get(column)) for column in described)


async def _buffer(
    services: Services, buffer: BufferRef, since: datetime | DateTime | None, until: datetime | DateTime | None
) -> bytes:
    """Read the buffer by range; where the meter does not serve that, whole."""
    negotiated = services.exchange.negotiated
    selective = negotiated is not None and negotiated.selective
    if not selective or (since is None and until is None):
        return await services.get_octets(buffer)
    start = EARLIEST if since is None else since
    end = LATEST if until is None else until
    try:
        return await services.get_octets(buffer.range(start, end))
    except DataAccessError as refusal:
        if refusal.result in FINAL_REFUSALS:
            raise
        return await services.get_octets(buffer)


EARLIEST: Final = DateTime(2000, 1, 1, hour=0, minute=0, second=0)
LATEST: Final = DateTime(2099, 12, 31, hour=23, minute=59, second=59)
"""What stands for an end of a range that was left open."""


def between(found: ProfileRows, since: datetime | DateTime | None, until: datetime | DateTime | None) -> ProfileRows:
    """Leave out the rows that lie outside: some meters round the ends, and some send everything."""
    first, last = _bound(since), _bound(until)
    step = timedelta(seconds=-found.capture_period if found.newest_first else found.capture_period)
    kept: list[tuple[Any, ...]] = []
    time: datetime | None = None
    for row, moment in zip(found.rows, found.moments(), strict=True):
        if moment is not None:
            time = moment.to_datetime(naive=True)
        elif time is not None:
            time += step
        if time is None or (_reached(first, time) and _reached(time, last)):
            kept.append(row)
    rows = Rows(kept, found.rows.tags, None)
    return ProfileRows(found.profile, found.columns, rows, found.capture_period, found.newest_first)


def _bound(end: datetime | DateTime | None) -> datetime | None:
    return end.to_datetime(naive=True) if isinstance(end, DateTime) else end


def _reached(earlier: datetime | None, later: datetime | None) -> bool:
    """True when `earlier` is not after `later`; a time without zone is the meter's local time and compared as such."""
    if earlier is None or later is None:
        return True
    if earlier.tzinfo is None or later.tzinfo is None:
        return earlier.replace(tzinfo=None) <= later.replace(tzinfo=None)
    return earlier <= later


def _moment(value: Any) -> DateTime | None:
    if isinstance(value, DateTime):
        return value
    return DateTime.from_octets(value) if isinstance(value, bytes) and len(value) == DATE_TIME_OCTETS else None


DATE_TIME_OCTETS: Final = 12
