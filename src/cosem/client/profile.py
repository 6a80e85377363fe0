"""Reading a profile: what its columns are, and its rows by time, however well the meter does selective access.

| way | what is asked for | when |
|---|---|---|
| range | the rows between two times | first |
| aligned range | the same, its ends rounded to whole hours or capture periods | the meter refuses, or gives nothing |
| entries | the rows that a search by time has found | it refuses that too, and its rows are in the order of time |
| whole | the whole buffer | nothing else is left |

Whatever comes is cut here to what was asked for. The way that worked is remembered for the next time.
"""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, Final, TypeAlias

from cosem.client.services import Services
from cosem.errors import CosemError, DataAccessError, IncompleteWarning, ServiceRefused, ShapeError
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.codec import columns
from cosem.protocol.codec.columns import Rows
from cosem.protocol.model.classes.data_storage import ProfileGenericCommon, ScalerUnit, SortMethod, scaler_unit_of
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.model.selection import CLOCK_TIME, CaptureObject, EntrySelection, RangeSelection
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.readings.column import NO_BITS, ProfileColumn
from cosem.readings.fill import reached
from cosem.readings.profile import ProfileRows

Moment: TypeAlias = datetime | DateTime
Bits: TypeAlias = Callable[[CaptureObject], Mapping[int, str]]
"""Gives the names of the bits of a column that holds a status."""

FINAL_REFUSALS: Final = frozenset((DataAccessResult.READ_WRITE_DENIED, DataAccessResult.OBJECT_UNDEFINED))
"""Refusals of a selection that reading the whole buffer would meet as well."""

ALIGNMENT: Final = 3600
"""To how many seconds the ends of a range are rounded where a meter does not take them as they are, or to its capture
period when that is longer."""

MARGIN: Final = 1
"""Entries more than were found, at both ends: a row may be captured between the search and the reading."""

EARLIEST: Final = DateTime(2000, 1, 1, hour=0, minute=0, second=0)
LATEST: Final = DateTime(2099, 12, 31, hour=23, minute=59, second=59)
"""What stands for an end of a range that was left open."""


class Way(IntEnum):
    """How the rows of a profile are asked for, the best way first."""

    RANGE = 1
    ALIGNED_RANGE = 2
    ENTRIES = 3
    WHOLE = 4


Ways: TypeAlias = MutableMapping[Obis, int]
"""The way that worked with each profile of a meter, by its number; a number that is no way is not known."""


def no_bits(column: CaptureObject) -> Mapping[int, str]:
    """Know no name for any bit of `column`."""
    return NO_BITS


async def read_profile(
    services: Services,
    profile: ProfileGenericCommon,
    since: Moment | None,
    until: Moment | None,
    *,
    wanted: Iterable[CaptureObject] | None = None,
    ways: Ways | None = None,
    bits: Bits = no_bits,
) -> ProfileRows:
    """Read columns, scalers and rows (see `Operations.profile`)."""
    captured, period, sort_method, in_use = await services.get_many(
        [profile.capture_objects, profile.capture_period, profile.sort_method, profile.entries_in_use]
    )
    if isinstance(captured, CosemError):
        raise captured
    described = await _described(services, captured, bits)
    entries = int(in_use) if isinstance(in_use, int) else 0
    found = ProfileRows(
        profile,
        described,
        Rows([], (), None),
        0 if isinstance(period, CosemError) else int(period),
        sort_method is SortMethod.LAST_IN_FIRST_OUT,
    )
    search = _Search(services, found, since, until, entries, sort_method in _BY_TIME, _chosen(described, wanted))
    found = await _first_that_works(search, {} if ways is None else ways)
    whole = since is None and until is None
    # Rows may have been captured since they were counted, but none goes without another one in its place.
    missing = max(0, entries - len(found.rows)) if whole else 0
    if missing:
        warnings.warn(
            f"{profile.instance}: the meter has {in_use} rows and gave {len(found.rows)}, {missing} are missing",
            IncompleteWarning,
            stacklevel=2,
        )
        found = replace(found, missing=missing)
    return found if whole else found.between(since, until)


_BY_TIME: Final = (SortMethod.FIRST_IN_FIRST_OUT, SortMethod.LAST_IN_FIRST_OUT)
"""Sort methods whose rows are in the order of time; any other one sorts by value."""


async def _described(services: Services, captured: Iterable[CaptureObject], bits: Bits) -> tuple[ProfileColumn, ...]:
    """Read the scaler and unit of every column that has one; what the meter refuses stays open."""
    described = list(captured)
    wanted: dict[CaptureObject, AttributeRef[Any]] = {}
    for column in described:
        scaler_unit = scaler_unit_of(column.class_id, column.logical_name, column.attribute_index)
        if scaler_unit is not None:
            wanted[column] = scaler_unit
    answers = dict(zip(wanted, await services.get_many(list(wanted.values())), strict=True))
    units = {column: answer for column, answer in answers.items() if isinstance(answer, ScalerUnit)}
    return tuple(ProfileColumn(column, units.get(column), bits(column)) for column in described)


def _chosen(described: Sequence[ProfileColumn], wanted: Iterable[CaptureObject] | None) -> tuple[int, ...] | None:
    """Return the numbers of the columns that are wanted, the clock always among them; None for all.

    Raises ShapeError for one that the profile does not capture.
    """
    if wanted is None:
        return None
    captured = [column.captured for column in described]
    asked = set(wanted)
    for column in asked:
        if column not in captured:
            raise ShapeError(f"the profile has no column {column}: {', '.join(map(str, captured))}")
    chosen = tuple(at for at, column in enumerate(described) if column.captured in asked or column.is_time)
    return None if len(chosen) == len(captured) else chosen


class _Unusable(Exception):
    """A way that cannot be gone with this meter."""


@dataclass(frozen=True, slots=True)
class _Search:
    """What is known before the rows are asked for; `profile` has its columns and no rows yet."""

    services: Services
    profile: ProfileRows
    since: Moment | None
    until: Moment | None
    entries: int
    by_time: bool
    chosen: tuple[int, ...] | None

    @property
    def selective(self) -> bool:
        negotiated = self.services.exchange.negotiated
        return negotiated is not None and negotiated.selective

    @property
    def restricting(self) -> CaptureObject:
        """The column that a range is of: the clock of this profile."""
        clock = self.profile.clock
        return CLOCK_TIME if clock is None else self.profile.columns[clock].captured

    async def range(self) -> ProfileRows:
        return await self._range(self.since, self.until)

    async def aligned_range(self) -> ProfileRows:
        since, until = self._aligned(self.since, up=False), self._aligned(self.until, up=True)
        if (since, until) == (self.since, self.until):
            raise _Unusable
        return await self._range(since, until)

    async def found_entries(self) -> ProfileRows:
        if not self.by_time or self.profile.clock is None or not self.entries:
            raise _Unusable
        oldest, newest = 1, self.entries
        if self.since is not None:
            oldest = await self._first(lambda time: reached(self.since, time))
        if self.until is not None:
            newest = await self._first(lambda time: not reached(time, self.until)) - 1
        ends = (self._number(max(1, oldest - MARGIN)), self._number(min(self.entries, newest + MARGIN)))
        first, last = min(ends), max(ends)
        return await self._read(EntrySelection(first, 0 if last == self.entries else last))

    async def whole(self) -> ProfileRows:
        return await self._read(None)

    async def _range(self, since: Moment | None, until: Moment | None) -> ProfileRows:
        ends = (EARLIEST if since is None else since, LATEST if until is None else until)
        chosen = () if self.chosen is None else tuple(self.profile.columns[at].captured for at in self.chosen)
        return await self._read(RangeSelection.between(*ends, self.restricting, chosen))

    async def _read(self, selection: RangeSelection | EntrySelection | None) -> ProfileRows:
        """Read a part of the buffer, and leave out the columns that are not wanted and come all the same."""
        buffer = self.profile.profile.buffer
        rows = columns.rows(await self.services.get_octets(buffer if selection is None else buffer.select(selection)))
        if self.chosen is None:
            return replace(self.profile, rows=rows)
        if rows and len(rows[0]) == len(self.profile.columns):
            tags = tuple(rows.tags[at] for at in self.chosen) if rows.tags else ()
            rows = Rows([tuple(row[at] for at in self.chosen) for row in rows], tags, None)
        return replace(self.profile, columns=tuple(self.profile.columns[at] for at in self.chosen), rows=rows)

    async def _first(self, reached: Callable[[datetime], bool]) -> int:
        """Return the number, by age from 1, of the first row whose time has `reached`; one past the last for none."""
        low, high = 1, self.entries + 1
        while low < high:
            middle = (low + high) // 2
            number = self._number(middle)
            row = await self._read(EntrySelection(number, number))
            time = next((filled.time for filled in row.filled()), None)
            if time is None:
                raise _Unusable
            low, high = (low, middle) if reached(time) else (middle + 1, high)
        return low

    def _number(self, age: int) -> int:
        """Return the entry of a row by its age, 1 for the oldest."""
        return self.entries + 1 - age if self.profile.newest_first else age

    def _aligned(self, end: Moment | None, *, up: bool) -> Moment | None:
        if end is None:
            return None
        time = end.to_datetime(naive=True) if isinstance(end, DateTime) else end
        every = timedelta(seconds=max(ALIGNMENT, self.profile.capture_period))
        midnight = time.replace(hour=0, minute=0, second=0, microsecond=0)
        steps = (time - midnight) // every
        aligned = midnight + steps * every
        return aligned + every if up and aligned != time else aligned


_GOING: Final[Mapping[Way, Callable[[_Search], Awaitable[ProfileRows]]]] = {
    Way.RANGE: _Search.range,
    Way.ALIGNED_RANGE: _Search.aligned_range,
    Way.ENTRIES: _Search.found_entries,
    Way.WHOLE: _Search.whole,
}
"""How each way is gone, in the order in which they are tried."""


async def _first_that_works(search: _Search, ways: Ways) -> ProfileRows:
    if not search.selective or (search.since is None and search.until is None):
        return await search.whole()
    instance = search.profile.profile.instance
    known = ways.get(instance)
    first = Way.RANGE if known is None or known not in tuple(Way) else Way(known)
    for way in _GOING:
        found = await _tried(search, way) if way >= first else None
        if found is None:
            continue
        if not found.rows and way is Way.RANGE and known is None and search.entries:
            # Perhaps there is nothing, perhaps the ends are not to the meter's taste.
            again = await _tried(search, Way.ALIGNED_RANGE)
            if again is None or not again.between(search.since, search.until).rows:
                return found
            way, found = Way.ALIGNED_RANGE, again
        ways[instance] = way
        return found
    raise AssertionError("the whole buffer comes, or a refusal")


async def _tried(search: _Search, way: Way) -> ProfileRows | None:
    """Go one way; None where the meter refuses it and another one may do better."""
    try:
        return await _GOING[way](search)
    except _Unusable:
        return None
    except (DataAccessError, ServiceRefused) as refusal:
        final = isinstance(refusal, DataAccessError) and refusal.result in FINAL_REFUSALS
        if final or way is Way.WHOLE or not search.services.exchange.open:
            raise
        return None
