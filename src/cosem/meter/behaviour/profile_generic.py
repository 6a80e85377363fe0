"""Profiles: rows captured on time or computed for any time, and read by range, by entry and by column (class 7)."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache, partial
from operator import neg, pos
from typing import Any, Final, Protocol, TypeAlias, cast

from cosem.errors import ConfigurationError, CosemError, ShapeError
from cosem.meter.behaviour import clock
from cosem.meter.behaviour.captures import captured_times, failed_for
from cosem.meter.item import Asked, Behaviour, Column, FromSource, Item, Kept, Refusal, Visit, answered
from cosem.meter.values import encode_value
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.codec import axdr
from cosem.protocol.codec.delta import differences
from cosem.protocol.model.classes.data_storage import ProfileGeneric, SortMethod
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.selection import CaptureObject, EntrySelection, RangeSelection, Selection
from cosem.protocol.model.shape import ANY, array
from cosem.protocol.values.data import Array, Data, DoubleLongUnsigned, Enumerated, OctetString, Structure
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

BUFFER, CAPTURE_OBJECTS, CAPTURE_PERIOD, SORT_METHOD, SORT_OBJECT, ENTRIES_IN_USE, PROFILE_ENTRIES = range(2, 9)

DEFAULT_ENTRIES: Final = 960
"""Rows that a profile holds unless its description says otherwise."""

MOST_CAPTURES: Final = 10_000
"""Rows that a sorted profile makes up for in one look; those due before are lost."""

MOST_COLUMNS: Final = 64
"""Columns that a client may give a profile."""

MOST_ENTRIES: Final = 10_000
"""Rows that a client may let a profile hold, unless it was described with more."""

MOST_ROW: Final = 4096
"""Octets that a row of columns which a client gives may have."""

_MOMENT: Final = timedelta(microseconds=1)

_DAY_OF_ROWS: Final = 100
"""Rows whose times are remembered: most who ask want a day of them at most."""

_AHEAD: Final = timedelta(hours=1)
"""By how much the last row may be ahead of a clock that was put right several times."""

Row: TypeAlias = tuple[Data, ...]
Rows: TypeAlias = Sequence[Row]


class Recomputed:
    """As the value of `buffer`: rows are not stored but computed when they are read, for any time that has passed.

    It suits columns whose values are callables, which give the same value for the same time again; such a profile
    needs no memory and has a history from the beginning.
    """

    def source(self, entries: int) -> Source:
        """Return where the rows of one profile come from."""
        return RecomputedRows()


RECOMPUTED: Final = Recomputed()


class Profile:
    """The columns of one profile, and where its rows come from."""

    __slots__ = ("_shared", "closing", "columns", "entries", "newest_first", "period", "source")

    def __init__(
        self, columns: tuple[CaptureObject, ...], period: int, entries: int, newest_first: bool, source: Source
    ) -> None:
        self.columns = columns
        self.period = period
        self.entries = entries
        self.newest_first = newest_first
        self.source = source
        self._shared: tuple[object, Sequence[Column]] = (None, ())
        """What reads the columns in the objects that many devices share, where all of them read so."""
        self.closing: Callable[[Visit], None] | None = None
        """What is done before a row is captured that somebody has asked for."""

    def rows(self, visit: Visit, start: datetime | None = None, end: datetime | None = None) -> Rows:
        """Return the rows in the order of the buffer; those outside `start` to `end` may be left out."""
        rows = self.source.rows(self, visit, start, end)
        return rows[::-1] if self.newest_first else rows

    def row(self, visit: Visit) -> Row:
        """Return what the columns hold at the time of `visit`; null-data where one cannot be read."""
        return self.rows_of(visit, (visit,))[0]

    def rows_of(self, visit: Visit, times: Iterable[Visit]) -> list[Row]:
        """Return a row for each of some times, all with the objects that the device of `visit` has now."""
        read, visits = self._readers(visit), [*times]
        try:
            return _joined(read, visits)
        except Refusal:
            return [tuple(_or_nothing(of, each) for of in read) for each in visits]

    def _readers(self, visit: Visit) -> Sequence[Column]:
        objects = visit.device.objects
        if self._shared[0] is objects:
            return self._shared[1]
        read = [_reader(visit, column) for column in self.columns]
        if objects.shared and all(each.class_id == _CLOCK or each.logical_name in objects for each in self.columns):
            self._shared = objects, read
        return read

    @property
    def stores(self) -> bool:
        """Whether rows are kept here."""
        return isinstance(self.source, CapturedRows)

    @property
    def captured(self) -> CapturedRows:
        """The rows that are kept here, of a profile that stores them."""
        assert isinstance(self.source, CapturedRows), "nothing captures into rows that are computed or asked for"
        return self.source

    def last_time(self, time: datetime) -> datetime:
        """Return the last time to capture that is not after `time`, in UTC; days begin in local standard time."""
        return clock.last_multiple(time, self.period)


class Source(Protocol):
    """Where the rows of a profile come from, the oldest first.

    Attributes:
        exact: whether `rows` leaves out every row that is not from `start` to `end` by its clock.
    """

    exact: bool

    def rows(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows: ...

    def count(self, profile: Profile, visit: Visit) -> int: ...


class CapturedRows:
    """Rows that were captured, each at its time: those due are made up for whenever somebody looks."""

    __slots__ = ("_captured", "_rows", "changes")

    exact = False

    def __init__(self, rows: Sequence[Row], entries: int) -> None:
        self._rows: deque[Row] = deque(rows, entries)
        self._captured: datetime | None = None
        self.changes: int = len(rows)
        """How many rows were ever put in, and how often all were taken away."""

    @property
    def held(self) -> Sequence[Row]:
        """The rows that are here, without those that are due."""
        return self._rows

    @property
    def looked(self) -> tuple[datetime | None, ...]:
        """When it was looked at last, in UTC."""
        return (self._captured,)

    def recall(self, rows: Iterable[Row], looked: Sequence[datetime | None], zone: tzinfo) -> None:
        """Go on with the rows of before a restart."""
        self.reset()
        for row in rows:
            self._take(row, zone)
        (self._captured,) = looked

    def hold(self, entries: int) -> None:
        """Hold so many rows from now on."""
        self._rows = deque(self._rows, entries)

    def rows(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows:
        self.catch_up(profile, visit)
        return tuple(self._rows)

    def count(self, profile: Profile, visit: Visit) -> int:
        self.catch_up(profile, visit)
        return len(self._rows)

    def catch_up(self, profile: Profile, visit: Visit) -> None:
        """Capture what was due since the last look; of more than fits only the last. Without power nothing is."""
        if not profile.period or visit.device.meter.dark:
            return
        last, since = profile.last_time(visit.time), self._captured
        if since is not None and timedelta() < since - _utc(visit.time) <= _AHEAD:
            return  # the clock was put right, and is yet to come again to where it was
        self._captured = last
        if since is None:
            return
        due = min(int((last - since).total_seconds()) // profile.period, self._most(profile))
        for back in range(due - 1, -1, -1):
            time = (last - timedelta(seconds=back * profile.period)).astimezone(visit.time.tzinfo)
            self._take(profile.row(visit.at(time)), cast("tzinfo", visit.time.tzinfo))

    def _most(self, profile: Profile) -> int:
        """Return how many rows it is worth to make up for."""
        return profile.entries

    def _take(self, row: Row, zone: tzinfo) -> None:
        self._rows.append(row)
        self.changes += 1

    def restart(self, profile: Profile, visit: Visit) -> None:
        """Take the time of `visit` for the last look."""
        if profile.period:
            self._captured = profile.last_time(visit.time)

    def capture(self, profile: Profile, visit: Visit) -> None:
        self.catch_up(profile, visit)
        self._take(profile.row(visit), cast("tzinfo", visit.time.tzinfo))

    def reset(self) -> None:
        self._rows.clear()
        self.changes += 1


class SortedRows(CapturedRows):
    """Captured rows in the order of one column, each put in behind those of the same value.

    When the buffer is full its last row goes; one that would come after all others is not kept. What has no place in
    the order, such as null-data, comes last.
    """

    __slots__ = ("_keys", "_order", "_place")

    def __init__(self, rows: Sequence[Row], entries: int, place: int, order: Order) -> None:
        super().__init__((), entries)
        self._place = place
        self._order = order
        self._keys: list[tuple[bool, Any]] = []
        for row in rows:
            self._take(row, UTC)

    def _most(self, profile: Profile) -> int:
        return max(profile.entries, MOST_CAPTURES)

    def _take(self, row: Row, zone: tzinfo) -> None:
        self.changes += 1
        key = self._key(row[self._place], zone)
        at = bisect_right(self._keys, key)
        if len(self._rows) == self._rows.maxlen:
            if at == len(self._keys):
                return
            self._rows.pop()
            self._keys.pop()
        self._rows.insert(at, row)
        self._keys.insert(at, key)

    def _key(self, value: Data, zone: tzinfo) -> tuple[bool, Any]:
        held = _key(value, zone)
        if isinstance(held, datetime):
            return False, self._order((held - _EPOCH).total_seconds())
        if isinstance(held, int | float):
            return False, self._order(held)
        return True, 0

    def reset(self) -> None:
        super().reset()
        self._keys.clear()


class RecomputedRows:
    """Rows that are computed for the times that are asked for."""

    __slots__ = ()

    exact = True

    def rows(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows:
        meter = visit.device.meter
        if meter.was_set:
            return self.rows_by_eras(profile, visit, start, end)
        if meter.has_outages:
            return self.rows_with_gaps(profile, visit, start, end)
        last = profile.last_time(visit.time)
        first = last - timedelta(seconds=(profile.entries - 1) * profile.period)
        step = timedelta(seconds=profile.period)
        if start is not None and _utc(start) > first:
            first += -((first - _utc(start)) // step) * step
        if end is not None:
            last = min(last, _utc(end))
        count = max((last - first) // step + 1, 0)
        times = (_times if count > _DAY_OF_ROWS else _times_alike)(first, step, count, visit.time.tzinfo)
        return profile.rows_of(visit, map(visit.at, times))

    def rows_with_gaps(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows:
        """Return the rows of a meter that was without power for a time; a buffer holds as many as ever."""
        last, step = profile.last_time(visit.time), timedelta(seconds=profile.period)
        times = captured_times(last, step, profile.entries, start, end, partial(self.failed_for, visit))
        return profile.rows_of(visit, (visit.at(each.astimezone(visit.time.tzinfo)) for each in times))

    def rows_by_eras(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows:
        """Return the rows of a meter whose clock was set: what it jumped over is missing, what came twice is twice.

        Where it was only put right, each row is there once (see `Meter.eras`).
        """
        meter, zone, step = visit.device.meter, visit.time.tzinfo, timedelta(seconds=profile.period)
        first, until = start and _utc(start), end and _utc(end)
        runs: list[list[Row]] = []
        left = profile.entries
        for era in meter.eras(visit.time):
            with meter.seen_in(era):
                last, since = profile.last_time(era.until.astimezone(zone)), era.since and era.since + _MOMENT
                times = captured_times(last, step, left, since, None, partial(self.failed_for, visit))
                asked = (at for at in times if (not first or at >= first) and (not until or at <= until))
                runs.append(profile.rows_of(visit, (visit.at(at.astimezone(zone)) for at in asked)))
                left -= len(times)
        return [row for run in reversed(runs) for row in run]

    def failed_for(self, visit: Visit, time: datetime) -> timedelta | None:
        """Return how long there has been no power when a row is due, in UTC; None where it is captured."""
        meter = visit.device.meter
        return failed_for(meter.power.failures, meter.true_time_of(time)) if meter.has_outages else None

    def count(self, profile: Profile, visit: Visit) -> int:
        return profile.entries


class AskedRows:
    """Rows that are asked for at each read."""

    __slots__ = ("_ask",)

    exact = False

    def __init__(self, ask: FromSource | Asked) -> None:
        self._ask = ask

    def rows(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows:
        try:
            return _rows(answered(self._ask, visit), len(profile.columns))[-profile.entries :]
        except CosemError as error:
            raise Refusal(DataAccessResult.HARDWARE_FAULT) from error

    def count(self, profile: Profile, visit: Visit) -> int:
        return len(self.rows(profile, visit, None, None))


def catch_up(item: Item, visit: Visit) -> None:
    """Capture the rows that were due, before a value or the clock changes."""
    profile: Profile = item.state
    if isinstance(profile.source, CapturedRows):
        profile.source.catch_up(profile, visit)


def restart(item: Item, visit: Visit) -> None:
    """Go on capturing from the time of `visit`, to which the clock was set."""
    profile: Profile = item.state
    if isinstance(profile.source, CapturedRows):
        profile.source.restart(profile, visit)


def _adopt(item: Item, given: dict[int, Any]) -> None:
    """Make the profile of what its description gives, and fill in what it leaves out."""
    values = item.values
    for index in item.writable - BEHAVIOUR.written.keys():
        raise ConfigurationError(f"writable: nobody can write {item.kind.declared_attributes[index].name}")
    columns = _COLUMNS.decode(values.setdefault(CAPTURE_OBJECTS, Array()))
    entries = int(values.setdefault(PROFILE_ENTRIES, DoubleLongUnsigned(DEFAULT_ENTRIES)))
    period = int(values.setdefault(CAPTURE_PERIOD, DoubleLongUnsigned(0)))
    method = int(values.setdefault(SORT_METHOD, Enumerated(SortMethod.FIRST_IN_FIRST_OUT)))
    values.setdefault(SORT_OBJECT, _COLUMN.encode(CaptureObject(0, _NO_OBJECT, 0, 0)))
    order = _ORDERS.get(method)
    if order is None and method not in (SortMethod.FIRST_IN_FIRST_OUT, SortMethod.LAST_IN_FIRST_OUT):
        raise ConfigurationError(f"sort_method: {method} is none; there is 1 to {int(max(SortMethod))}")
    if not entries:
        raise ConfigurationError("profile_entries: a profile holds at least one row")
    buffer = given.get(BUFFER, ())
    source: Source
    if order is not None:
        source = _sorted(buffer, columns, entries, _COLUMN.decode(values[SORT_OBJECT]), order)
    elif isinstance(buffer, Recomputed):
        if not period:
            raise ConfigurationError("capture_period: a recomputed profile needs one")
        source = buffer.source(entries)
    elif callable(buffer) or isinstance(buffer, FromSource):
        source = AskedRows(buffer)
    else:
        source = CapturedRows(_rows(buffer, len(columns)), entries)
    item.state = Profile(columns, period, entries, method == SortMethod.LAST_IN_FIRST_OUT, source)
    if not item.state.stores:
        item.behaviour = _UNSTORED


def _sorted(
    buffer: object, columns: tuple[CaptureObject, ...], entries: int, sort_object: CaptureObject, order: Order
) -> SortedRows:
    if isinstance(buffer, Recomputed | FromSource) or callable(buffer):
        raise ConfigurationError("sort_method: only rows that are captured are sorted")
    if sort_object not in columns:
        raise ConfigurationError("sort_object: a profile is sorted by one of its columns")
    return SortedRows(_rows(buffer, len(columns)), entries, columns.index(sort_object), order)


def _rows(given: object, width: int) -> tuple[Row, ...]:
    if not isinstance(given, list | tuple):
        raise ShapeError("a buffer is a sequence of rows")
    return tuple(_row(row, width) for row in cast("Sequence[object]", given))


def _row(given: object, width: int) -> Row:
    if not isinstance(given, list | tuple):
        raise ShapeError("a row is a tuple of values")
    row = tuple(encode_value(ANY, value) for value in cast("Sequence[object]", given))
    if width and len(row) != width:  # without any capture object nobody can ask for one
        raise ShapeError(f"a row has {width} values, one for each capture object, not {len(row)}")
    return row


def _buffer(visit: Visit, item: Item) -> Data:
    return _sent(visit, _profile(item).rows(visit))


def _selected(visit: Visit, item: Item, selection: Selection) -> Data:
    profile = _profile(item)
    if isinstance(selection, RangeSelection):
        return _by_range(profile, visit, selection)
    return _by_entry(profile, visit, cast("EntrySelection", selection))


def _by_range(profile: Profile, visit: Visit, selection: RangeSelection) -> Data:
    place = _place(profile, selection.restricting)
    zone = cast("tzinfo", visit.time.tzinfo)
    start, end = _bound(selection.start, zone, end=False), _bound(selection.end, zone, end=True)
    timed = selection.restricting.class_id == _CLOCK and selection.restricting.attribute_index == clock.TIME
    since, until = _moment(start), _moment(end)
    rows = profile.rows(visit, since, until) if timed else profile.rows(visit)
    kept = rows
    if not (timed and profile.source.exact and since is start and until is end):
        kept = _within(rows, place, start, end, zone)
    places = [_place(profile, column) for column in selection.columns]
    if not places:
        return _sent(visit, kept)
    return _sent(visit, [tuple(row[place] for place in places) for row in kept])


def _within(rows: Rows, place: int, start: Any, end: Any, zone: tzinfo) -> Rows:
    """Return the rows that have a value from `start` to `end` in a column."""
    kept: list[Row] = []
    for row in rows:
        key = _key(row[place], zone)
        if key is None:
            continue
        try:
            if (start is None or start <= key) and (end is None or key <= end):
                kept.append(row)
        except TypeError:  # numbers and strings have no order among each other
            raise Refusal(DataAccessResult.TYPE_UNMATCHED) from None
    return kept


def _by_entry(profile: Profile, visit: Visit, selection: EntrySelection) -> Data:
    rows = profile.rows(visit)
    first, last = max(selection.first, 1) - 1, selection.last or None
    left, right = max(selection.first_column, 1) - 1, selection.last_column or None
    return _sent(visit, [row[left:right] for row in rows[first:last]])


def _sent(visit: Visit, rows: Rows) -> Data:
    """Return rows as they go to a client: in deltas where those were negotiated."""
    negotiated = visit.negotiated
    deltas = negotiated is not None and negotiated.allows(Conformance.DELTA_VALUE_ENCODING)
    return Array(Structure(row) for row in (differences(rows) if deltas else rows))


def _place(profile: Profile, column: CaptureObject) -> int:
    try:
        return profile.columns.index(column)
    except ValueError:
        raise Refusal(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED) from None


def _bound(value: Data, zone: tzinfo, *, end: bool) -> Any:
    """Return one end of a range as what rows are compared by; None where it is open."""
    if isinstance(value, DateTime):
        value = OctetString(value.octets)
    if not isinstance(value, bytes) or len(value) != DateTime.SIZE:
        if isinstance(value, tuple):
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)
        return value
    try:
        return _point(value, zone, end)
    except (CosemError, OverflowError) as error:  # no such day, or one at the ends of the calendar
        raise Refusal(DataAccessResult.TYPE_UNMATCHED) from error


def _times(first: datetime, step: timedelta, count: int, zone: tzinfo | None) -> Sequence[datetime]:
    """Return the local times of rows."""
    return [(first + place * step).astimezone(zone) for place in range(count)]


_times_alike = lru_cache(maxsize=256)(_times)
"""The same for many meters that are asked for the same."""


@lru_cache(maxsize=256)
def _point(octets: bytes, zone: tzinfo, end: bool) -> datetime | None:
    """Return the time that one end of a range means, in UTC; many meters are asked for the same range."""
    moment = DateTime.from_octets(bytes(octets))
    if moment.year is None and moment.month is None and moment.day is None:
        return None
    if moment.hour is None:
        moment = moment.replace(hour=23 if end else 0, minute=59 if end else 0, second=59 if end else 0)
    return _utc(moment.to_datetime(zone))


def _key(value: Data, zone: tzinfo) -> Any:
    """Return what a value is compared by, None when it has no place in any order."""
    moment = _date_time(value)
    if moment is not None:
        try:
            return _utc(moment.to_datetime(zone))
        except (ShapeError, OverflowError):
            return None
    return None if isinstance(value, tuple) else value


def _date_time(value: Data) -> DateTime | None:
    if isinstance(value, DateTime):
        return value
    if isinstance(value, bytes) and len(value) == DateTime.SIZE:
        return DateTime.from_octets(bytes(value))
    return None


def _moment(bound: Any) -> datetime | None:
    return bound if isinstance(bound, datetime) else None


def _reader(visit: Visit, column: CaptureObject) -> Column:
    """Return what reads a column: null-data where there is no such object or part, Refusal for an attribute."""
    item, part = visit.device.find(column.logical_name), column.data_index
    if item is None or item.class_id != column.class_id:
        return lambda visits, _: [None] * len(visits)
    whole = item.column(column.attribute_index)
    return partial(_of_part, whole, part) if part else whole


def _of_part(whole: Column, part: int, visits: Sequence[Visit], kept: Kept) -> Sequence[Data]:
    return [
        cast("tuple[Data, ...]", value)[part - 1] if isinstance(value, tuple) and part <= len(value) else None
        for value in whole(visits, kept)
    ]


def _joined(read: Sequence[Column], visits: Sequence[Visit]) -> list[Row]:
    """Return a row for each visit: what is read column by column is reckoned once for all columns of a source."""
    if not read:
        return [()] * len(visits)
    kept: Kept = {}
    return [*zip(*[of(visits, kept) for of in read], strict=True)]


def _or_nothing(read: Column, visit: Visit) -> Data:
    try:
        return read((visit,), {})[0]
    except Refusal:
        return None


def _entries_in_use(visit: Visit, item: Item) -> Data:
    profile = _profile(item)
    return DoubleLongUnsigned(profile.source.count(profile, visit))


def _reset(visit: Visit, item: Item, _: Data) -> Data:
    _profile(item).captured.reset()
    visit.device.cleared(item.instance, visit.time)
    return None


def _capture(visit: Visit, item: Item, _: Data) -> Data:
    profile = _profile(item)
    if profile.closing is not None:
        profile.closing(visit)
    profile.captured.capture(profile, visit)
    return None


def _columns_written(visit: Visit, item: Item) -> None:
    """Capture what the client may read itself, but no buffer, whose rows would grow with themselves."""
    columns = _COLUMNS.decode(item.read(visit, CAPTURE_OBJECTS))
    if len(columns) > MOST_COLUMNS:
        raise Refusal(DataAccessResult.OTHER_REASON)
    row = Structure(_captured(visit, each) for each in columns)
    if len(axdr.encode(row)) > MOST_ROW:
        raise Refusal(DataAccessResult.OTHER_REASON)
    _begin_anew(visit, item)


def _captured(visit: Visit, column: CaptureObject) -> Data:
    """Return what a column would hold now; Refusal where it is nothing for a profile of this client."""
    found, index = visit.find(column.logical_name), column.attribute_index
    if found is None or found.class_id != column.class_id:
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    rights = None if visit.association is None else visit.association.rights
    if (found.class_id, index) == (ProfileGeneric.class_id, BUFFER) or not found.has(index):
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    if rights is not None and not (rights.shows(found) and rights.attribute(found, index) & AttributeAccess.READ):
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    return found.read(visit, index)


def _entries_written(visit: Visit, item: Item) -> None:
    """Hold so many rows, or as many as there may be."""
    entries = cast("int", item.read(visit, PROFILE_ENTRIES))
    most = max(MOST_ENTRIES, _profile(item).entries)
    if not entries:
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    item.values[PROFILE_ENTRIES] = DoubleLongUnsigned(min(entries, most))
    _begin_anew(visit, item)


def _begin_anew(visit: Visit, item: Item) -> None:
    """Begin with an empty buffer, as the standard has it for a profile whose structure was changed."""
    before = _profile(item)
    if not before.stores:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    profile = _described(item)
    if (profile.columns, profile.period, profile.entries) != (before.columns, before.period, before.entries):
        _recalled(item)
        _reset(visit, item, None)
        restart(item, visit)


def _recalled(item: Item) -> None:
    """Be the profile that the attributes describe."""
    item.state = _described(item)
    if item.state.stores:
        item.state.captured.hold(item.state.entries)


def _described(item: Item) -> Profile:
    """Return the profile with the columns, the period and the entries of its attributes."""
    before, values = _profile(item), item.values
    columns = _COLUMNS.decode(values[CAPTURE_OBJECTS])
    sizes = int(values[CAPTURE_PERIOD]), int(values[PROFILE_ENTRIES])
    described = Profile(columns, *sizes, before.newest_first, before.source)
    described.closing = before.closing
    return described


def _profile(item: Item) -> Profile:
    return cast("Profile", item.state)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Order: TypeAlias = Callable[[float], float]

_ORDERS: Final[Mapping[int, Order]] = {
    SortMethod.LARGEST: neg,
    SortMethod.SMALLEST: pos,
    SortMethod.NEAREST_TO_ZERO: abs,
    SortMethod.FAREST_FROM_ZERO: lambda value: -abs(value),
}
"""What rows are sorted by, so that the first row has the least."""

_CLOCK: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Final = array(CaptureObject)
_COLUMN: Final = _COLUMNS.element
_NO_OBJECT: Final = Obis("0.0.0.0.0.0")

BEHAVIOUR: Final = Behaviour(
    reads={BUFFER: _buffer, ENTRIES_IN_USE: _entries_in_use},
    selections={BUFFER: _selected},
    methods={1: _reset, 2: _capture},
    adopts=frozenset({BUFFER}),
    adopt=_adopt,
    written={
        CAPTURE_OBJECTS: _columns_written,
        CAPTURE_PERIOD: _begin_anew,
        PROFILE_ENTRIES: _entries_written,
    },
    recalled=_recalled,
)
_UNSTORED: Final = replace(BEHAVIOUR, methods={})
"""What a profile does whose rows are computed or asked for: there is nothing to erase and nowhere to capture to."""
