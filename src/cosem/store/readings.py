"""The readings store: one SQLite file of spot and profile readings, in which no reading is ever there twice.

A spot reading is known by meter, reference and time of reading, a profile reading by meter, profile, column and capture
time. Numbers are kept as the meter sent them, with scaler and unit; the view `reading` writes them out for people and
other programs. A value that arrives again and differs replaces the old one, which is kept in `revision`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality, Reading, Source
from cosem.store import sqlite

T = TypeVar("T")


class Stored(NamedTuple):
    """What became of a batch."""

    new: int
    changed: int
    unchanged: int


class ReadingStore:
    """The readings in one file. Threads may share a store, and processes a file: writers wait for each other.

    Needs the package `apsw` with SQLite 3.51.3 or newer. Everything raises ConfigurationError when the file cannot be
    used. `writable=False` opens a file that is there for reading only. Also a context manager that closes.
    """

    def __init__(self, path: Path | str, *, writable: bool = True) -> None:
        self.path = Path(path)
        self._apsw = sqlite.load()
        self._lock = threading.Lock()
        self._ids: dict[object, int] = {}
        """Of meters, profiles and columns that were met already."""
        self._connection = self._guarded(lambda: self._open(writable))

    def add(self, readings: Iterable[Reading]) -> Stored:
        """Store a batch, all of it or nothing; when this returns, it survives a crash and a power cut."""
        return self._guarded(lambda: self._add(list(readings)))

    def rows(
        self,
        meter: str | None = None,
        *,
        obis: Obis | None = None,
        profile: Obis | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        latest: bool = False,
    ) -> list[Reading]:
        """Return readings in the order of meter, profile (spot readings first), column and time.

        `since` is included and `until` is not. `latest` gives the newest of each meter, profile and column only.
        `profile` gives the readings of that profile alone.
        """
        conditions: dict[str, str | int] = {}
        if meter is not None:
            conditions["meter.name = ?"] = meter
        if obis is not None:
            conditions["signal.obis = ?"] = str(obis)
        if since is not None:
            conditions["time >= ?"] = _microseconds(since)
        if until is not None:
            conditions["time < ?"] = _microseconds(until)
        queries = [] if profile is not None else [_query(_SPOT_ROWS, conditions, latest)]
        if profile is not None:
            conditions["profile.obis = ?"] = str(profile)
        queries.append(_query(_PROFILE_ROWS, conditions, latest))
        values = tuple(conditions.values())
        found = self._guarded(lambda: [row for query in queries for row in self._connection.execute(query, values)])
        return sorted((_reading(*row) for row in found), key=_place)

    def meters(self) -> list[str]:
        """Return the names of the meters that have readings, in order."""
        rows = self._guarded(lambda: self._connection.execute("SELECT name FROM meter ORDER BY name").fetchall())
        return [str(row[0]) for row in rows]

    def signals(self) -> set[tuple[Obis | None, CaptureObject]]:
        """Return profile, None for spot readings, and column of all readings of any meter."""
        found = self._guarded(lambda: self._connection.execute(_SIGNALS).fetchall())
        return {(_profile(profile), _column(*column)) for profile, *column in found}

    def count(self) -> int:
        """Return how many readings there are."""
        statement = "SELECT (SELECT count(*) FROM spot_reading) + (SELECT count(*) FROM profile_reading)"
        return int(self._guarded(lambda: self._connection.execute(statement).fetchone())[0])

    def last_capture(self, meter: str, profile: Obis) -> datetime | None:
        """Return the newest capture time of a profile, which is where the next collection goes on."""
        row = self._guarded(lambda: self._connection.execute(_LAST_CAPTURE, (meter, str(profile))).fetchone())
        return None if row is None or row[0] is None else _moment(row[0], 0)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            self._connection.close()

    def __enter__(self) -> ReadingStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, writable: bool) -> sqlite.Connection:
        with sqlite.opening(self.path) if writable else nullcontext():
            connection = sqlite.connect(self._apsw, self.path, writable=writable)
            try:
                self._prepare(connection, writable)
            except BaseException:
                connection.close()
                raise
        return connection

    def _prepare(self, connection: sqlite.Connection, writable: bool) -> None:
        # A file of somebody else must not be changed, so look before anything is set.
        application, version = connection.pragma("application_id"), connection.pragma("user_version")
        if application == _APPLICATION and version != _VERSION:
            raise ConfigurationError(f"{self.path} is a readings store of version {version}; this one reads {_VERSION}")
        is_new = not application and not connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        if application != _APPLICATION and not (is_new and writable):
            raise ConfigurationError(f"{self.path} is no readings store; name a new file, or one written by cosem")
        if writable:
            sqlite.make_durable(connection)
        if is_new:
            with _transaction(connection):
                connection.execute(_SCHEMA)
                connection.executemany("INSERT INTO unit VALUES (?, ?)", [(int(unit), unit.symbol) for unit in Unit])
                connection.pragma("user_version", _VERSION)
                connection.pragma("application_id", _APPLICATION)

    def _add(self, readings: list[Reading]) -> Stored:
        connection = self._connection
        try:
            with _transaction(connection):
                spot = [self._row(reading) for reading in readings if reading.profile is None]
                captured = [
                    (self._id(_PROFILE_IDS, (str(reading.profile),)), *self._row(reading))
                    for reading in readings
                    if reading.profile is not None
                ]
                revisions, changes = self._revisions(), connection.total_changes()
                connection.executemany(_UPSERT_SPOT, spot)
                connection.executemany(_UPSERT_PROFILE, captured)
                changed = self._revisions() - revisions
                new = connection.total_changes() - changes - 2 * changed  # an update counts, and so does its revision
        except BaseException:
            self._ids.clear()  # some of them are gone again
            raise
        return Stored(new, changed, len(readings) - new - changed)

    def _row(self, reading: Reading) -> tuple[Any, ...]:
        raw, scaler = reading.raw, reading.scaler
        return (
            self._id(_METER_IDS, (reading.meter,)),
            self._signal_id(reading.column),
            _microseconds(reading.time),
            _offset(reading.time),
            raw if isinstance(raw, str) or -(1 << 63) <= raw < 1 << 63 else str(raw),
            None if isinstance(raw, str) else scaler,
            int(reading.unit),
            int(reading.quality),
            int(reading.source),
        )

    def _signal_id(self, column: CaptureObject) -> int:
        known = self._ids.get(column)
        if known is None:
            known = self._ids[column] = self._id(
                _SIGNAL_IDS,
                (column.class_id, str(column.logical_name), column.attribute_index, column.data_index),
            )
        return known

    def _id(self, statements: tuple[str, str], key: tuple[Any, ...]) -> int:
        known = self._ids.get((statements, key))
        if known is None:
            select, insert = statements
            row = self._connection.execute(select, key).fetchone()
            known = int(row[0] if row is not None else self._connection.execute(insert, key).fetchone()[0])
            self._ids[statements, key] = known
        return known

    def _revisions(self) -> int:
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM revision").fetchone()[0])

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            with self._lock:
                return work()
        except self._apsw.Error as problem:
            raise ConfigurationError(f"cannot use the readings store {self.path}: {problem}") from problem
        except UnicodeEncodeError as problem:
            raise LocalProtocolError(f"a text with lone surrogates cannot be stored: {problem.object!r}") from problem


@contextmanager
def _transaction(connection: sqlite.Connection) -> Generator[None, None, None]:
    """All of what is done inside, durably, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _offset(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None  # a Reading has one
    return int(offset.total_seconds())


def _moment(microseconds: int, offset: int) -> datetime:
    zone = UTC if not offset else timezone(timedelta(seconds=offset))
    return (_EPOCH + timedelta(microseconds=microseconds)).astimezone(zone)


def _place(reading: Reading) -> tuple[Any, ...]:
    profile = b"" if reading.profile is None else bytes(reading.profile)
    column = reading.column
    return (
        *(reading.meter, profile, bytes(column.logical_name), column.class_id, column.attribute_index),
        *(column.data_index, reading.time),
    )


@lru_cache(4096)
def _column(class_id: int, obis: str, attribute: int, data_index: int) -> CaptureObject:
    return CaptureObject(class_id, Obis(obis), attribute, data_index)


@lru_cache(4096)
def _profile(obis: str | None) -> Obis | None:
    return None if obis is None else Obis(obis)


def _reading(
    meter: str,
    profile: str | None,
    class_id: int,
    obis: str,
    attribute: int,
    data_index: int,
    time: int,
    offset: int,
    raw: int | str,
    scaler: int | None,
    unit: int,
    quality: int,
    source: int,
) -> Reading:
    return Reading(
        meter=meter,
        column=_column(class_id, obis, attribute, data_index),
        time=_moment(time, offset),
        raw=raw if scaler is None else int(raw),
        scaler=scaler or 0,
        unit=Unit.of(unit),
        profile=_profile(profile),
        quality=Quality(quality),
        source=Source(source),
    )


_APPLICATION: Final = 0x434F5345  # "COSE"
_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE meter (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE profile (id INTEGER PRIMARY KEY, obis TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE signal (
    id INTEGER PRIMARY KEY, class_id INTEGER NOT NULL, obis TEXT NOT NULL, attribute INTEGER NOT NULL,
    data_index INTEGER NOT NULL, UNIQUE (class_id, obis, attribute, data_index)
) STRICT;
CREATE TABLE unit (code INTEGER PRIMARY KEY, symbol TEXT NOT NULL) STRICT;

-- time: microseconds since 1970 in UTC, offset: seconds that local time was ahead of it,
-- scaler: null where raw is a text and not a number; a number too large for SQLite is written out in raw.
CREATE TABLE spot_reading (
    meter INTEGER NOT NULL REFERENCES meter, signal INTEGER NOT NULL REFERENCES signal, time INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, raw ANY NOT NULL, scaler INTEGER, unit INTEGER NOT NULL, quality INTEGER NOT NULL,
    source INTEGER NOT NULL,
    PRIMARY KEY (meter, signal, time)
) STRICT, WITHOUT ROWID;
CREATE TABLE profile_reading (
    profile INTEGER NOT NULL REFERENCES profile, meter INTEGER NOT NULL REFERENCES meter,
    signal INTEGER NOT NULL REFERENCES signal, time INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, raw ANY NOT NULL, scaler INTEGER, unit INTEGER NOT NULL, quality INTEGER NOT NULL,
    source INTEGER NOT NULL,
    PRIMARY KEY (meter, profile, signal, time)
) STRICT, WITHOUT ROWID;

CREATE TABLE revision (
    id INTEGER PRIMARY KEY AUTOINCREMENT, replaced TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    profile INTEGER, meter INTEGER NOT NULL, signal INTEGER NOT NULL, time INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, raw ANY NOT NULL, scaler INTEGER, unit INTEGER NOT NULL, quality INTEGER NOT NULL,
    source INTEGER NOT NULL
) STRICT;
CREATE TRIGGER spot_revision AFTER UPDATE ON spot_reading BEGIN
    INSERT INTO revision (profile, meter, signal, time, "offset", raw, scaler, unit, quality, source) VALUES
        (NULL, old.meter, old.signal, old.time, old."offset", old.raw, old.scaler, old.unit, old.quality, old.source);
END;
CREATE TRIGGER profile_revision AFTER UPDATE ON profile_reading BEGIN
    INSERT INTO revision (profile, meter, signal, time, "offset", raw, scaler, unit, quality, source) VALUES
        (old.profile, old.meter, old.signal, old.time, old."offset", old.raw, old.scaler, old.unit, old.quality,
         old.source);
END;

CREATE VIEW reading AS
WITH every AS (
    SELECT NULL AS profile, meter, signal, time, raw, scaler, unit, quality FROM spot_reading
    UNION ALL
    SELECT profile, meter, signal, time, raw, scaler, unit, quality FROM profile_reading
), digits AS (
    SELECT *, CASE WHEN scaler IS NOT NULL AND raw LIKE '-%' THEN '-' ELSE '' END AS sign,
        CASE WHEN scaler IS NULL THEN raw ELSE ltrim(raw, '-') END AS digits,
        hex(zeroblob(256)) AS zeros
    FROM every
), point AS (
    SELECT *, CASE WHEN scaler < 0 THEN substr(zeros, 1, max(0, 1 - scaler - length(digits))) || digits ELSE digits END
        AS padded
    FROM digits
)
SELECT meter.name AS meter, profile.obis AS profile, signal.class_id, signal.obis, signal.attribute, signal.data_index,
    strftime('%Y-%m-%dT%H:%M:%fZ', time / 1000000.0, 'unixepoch') AS time,
    CASE
        WHEN scaler IS NULL OR scaler = 0 THEN CAST(raw AS TEXT)
        WHEN scaler < 0 THEN sign || substr(padded, 1, length(padded) + scaler) || '.' || substr(padded, scaler)
        WHEN digits = '0' THEN digits
        ELSE sign || digits || substr(zeros, 1, scaler)
    END AS value,
    unit.symbol AS unit, raw, scaler, quality
FROM point JOIN meter ON meter.id = point.meter JOIN signal ON signal.id = point.signal
    LEFT JOIN profile ON profile.id = point.profile LEFT JOIN unit ON unit.code = point.unit;
"""

_METER_IDS: Final = ("SELECT id FROM meter WHERE name = ?", "INSERT INTO meter (name) VALUES (?) RETURNING id")
_PROFILE_IDS: Final = ("SELECT id FROM profile WHERE obis = ?", "INSERT INTO profile (obis) VALUES (?) RETURNING id")
_SIGNAL_IDS: Final = (
    "SELECT id FROM signal WHERE class_id = ? AND obis = ? AND attribute = ? AND data_index = ?",
    "INSERT INTO signal (class_id, obis, attribute, data_index) VALUES (?, ?, ?, ?) RETURNING id",
)

_UPSERT: Final = """
ON CONFLICT DO UPDATE SET "offset" = excluded."offset", raw = excluded.raw, scaler = excluded.scaler,
    unit = excluded.unit, quality = excluded.quality, source = excluded.source
WHERE raw IS NOT excluded.raw OR scaler IS NOT excluded.scaler OR unit IS NOT excluded.unit
    OR quality IS NOT excluded.quality OR "offset" IS NOT excluded."offset"
"""
_UPSERT_SPOT: Final = "INSERT INTO spot_reading VALUES (?,?,?,?,?,?,?,?,?)" + _UPSERT  # noqa: S608  # both constant
_UPSERT_PROFILE: Final = "INSERT INTO profile_reading VALUES (?,?,?,?,?,?,?,?,?,?)" + _UPSERT  # noqa: S608

_SPOT_ROWS: Final = """
SELECT meter.name, NULL, class_id, signal.obis, attribute, data_index,
    time, "offset", raw, scaler, unit, quality, source
FROM spot_reading JOIN meter ON meter.id = meter JOIN signal ON signal.id = signal
"""
_PROFILE_ROWS: Final = """
SELECT meter.name, profile.obis, class_id, signal.obis, attribute, data_index,
    time, "offset", raw, scaler, unit, quality, source
FROM profile_reading JOIN meter ON meter.id = meter JOIN signal ON signal.id = signal
    JOIN profile ON profile.id = profile
"""


def _query(rows: str, conditions: Iterable[str], latest: bool) -> str:
    where = " AND ".join(conditions)
    query = f"{rows} WHERE {where}" if where else rows
    if latest:  # SQLite takes the other columns from the row that has the maximum
        query = query.replace("time,", "max(time),", 1) + " GROUP BY meter.name, signal.id, 2"
    return query


_SIGNALS: Final = """
SELECT DISTINCT NULL, class_id, obis, attribute, data_index FROM spot_reading JOIN signal ON signal.id = signal
UNION
SELECT DISTINCT profile.obis, class_id, signal.obis, attribute, data_index
FROM profile_reading JOIN signal ON signal.id = signal JOIN profile ON profile.id = profile
"""
_LAST_CAPTURE: Final = """
SELECT max(time) FROM profile_reading WHERE meter = (SELECT id FROM meter WHERE name = ?)
    AND profile = (SELECT id FROM profile WHERE obis = ?)
"""
