"""The ledger of truth: what each meter measured, answered and does wrong, as JSON lines or in an SQLite file."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol, Self, TypeAlias, cast

from cosem.errors import ConfigurationError, CosemError
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
)
from cosem.protocol.codec import axdr
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.dates import DateTime
from cosem.readings.fill import moment_of
from cosem.store import sqlite

WHOLE_OCTETS: Final = 64
"""A value that takes more octets is written down by its digest."""

BATCH: Final = 1000
"""Entries that an SQLite file takes at once; the last of them are lost with the power."""

SQLITE_SUFFIXES: Final = frozenset({".sqlite", ".sqlite3", ".db"})
"""Endings of files that are SQLite; all others are JSON lines."""


class Answer(NamedTuple):
    """What a meter answered to a client of one attribute: its value as `value_of` writes it, or why there was none.

    Of a profile's buffer `first` and `last` are the capture times of the first and the last row that was answered.
    """

    time: datetime
    meter: str
    client: int
    reference: str
    value: str
    first: datetime | None = None
    last: datetime | None = None


class Measured(NamedTuple):
    """What a meter captured at a time in one column of a profile; `raw` as a reading has it."""

    time: datetime
    meter: str
    profile: str
    reference: str
    raw: int | str


class Faulty(NamedTuple):
    """That a meter misbehaves, since when, and how: in the words of `cosem simulate --fault`."""

    time: datetime
    meter: str
    faults: str


Entry: TypeAlias = Answer | Measured | Faulty


def answers(time: datetime, meter: str, client: int, request: object, response: object) -> Iterator[Answer]:
    """Give what was answered to a request; of services other than GET nothing."""
    read = _ANSWERED.get((type(request), type(response)))
    for attribute, value in read(request, response) if read is not None else ():
        reference = f"{attribute.class_id}/{attribute.instance_id}/{attribute.attribute_id}"
        span = _span(value) if (attribute.class_id, attribute.attribute_id) == _BUFFER else (None, None)
        yield Answer(time, meter, client, reference, value_of(value), *span)


def value_of(value: Any) -> str:
    """Return a value as a ledger has it: the hexadecimal octets of its Data, or their digest; of none, the reason."""
    if isinstance(value, DataAccessResult):
        return f"{REFUSED}{value.name.lower().replace('_', '-')}"
    octets = axdr.encode(value)
    return octets.hex() if len(octets) <= WHOLE_OCTETS else f"{DIGEST}{hashlib.sha256(octets).hexdigest()}"


REFUSED: Final = "refused "
DIGEST: Final = "sha256 "


class Ledger(Protocol):
    """Takes entries as they come, and gives those of each meter again."""

    @property
    def written(self) -> int: ...
    def record(self, entry: Entry, /) -> None: ...
    def meters(self) -> list[str]: ...
    def of(self, meter: str, /) -> list[Entry]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


def create(path: Path) -> Ledger:
    """Return a new ledger at a path, SQLite or JSON lines by its ending; what was there before is gone.

    Raises ConfigurationError when the file cannot be written.
    """
    if path.suffix.lower() in SQLITE_SUFFIXES:
        return SqliteLedger(path, new=True)
    return LinesLedger(path, new=True)


def open_ledger(path: Path) -> Ledger:
    """Return the ledger that was written at a path. Raises ConfigurationError where there is none."""
    if not path.is_file():
        raise ConfigurationError(f"cannot read {path}: there is no such file")
    return SqliteLedger(path) if path.suffix.lower() in SQLITE_SUFFIXES else LinesLedger(path)


class _Closing(ABC):
    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LinesLedger(_Closing):
    """A JSON object a line, in the order in which it was said; read again, it is held in memory as a whole.

    A last line that is not finished is left out, as that of a fleet is which was killed.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self.written = 0
        self._of: dict[str, list[Entry]] | None = None
        try:
            self._file = path.open("w" if new else "r", encoding="utf-8", errors="backslashreplace")
        except OSError as problem:
            raise ConfigurationError(f"cannot {'write' if new else 'read'} {path}: {problem.strerror}") from problem

    def record(self, entry: Entry, /) -> None:
        """Write one entry down, at the latest when the ledger is closed. Raises ConfigurationError where it cannot."""
        said = {name: value for name, value in entry._asdict().items() if value is not None}
        self._guarded(lambda: self._file.write(json.dumps(said, default=datetime.isoformat) + "\n"))
        self.written += 1

    def meters(self) -> list[str]:
        """Return the meters that have entries, in order."""
        return sorted(self._read())

    def of(self, meter: str, /) -> list[Entry]:
        """Return the entries of a meter as they were written. Raises ConfigurationError for a line that is none."""
        return self._read().get(meter, [])

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._guarded(self._file.close)

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as problem:
            raise ConfigurationError(f"cannot use the ledger {self.path}: {problem.strerror}") from problem

    def _read(self) -> dict[str, list[Entry]]:
        if self._of is None:
            self._of = {}
            for number, line in enumerate(self._file, 1):
                try:
                    entry = _entry(json.loads(line))
                except (ValueError, TypeError, KeyError, AttributeError) as problem:
                    if not line.endswith("\n"):
                        break  # whoever wrote it was ended in the middle of it
                    raise ConfigurationError(f"{self.path}, line {number}: this is no entry of a ledger") from problem
                self._of.setdefault(entry.meter, []).append(entry)
        return self._of


class SqliteLedger(_Closing):
    """Tables `answer`, `measured` and `faulty` of an SQLite file; all raises ConfigurationError where it is of no use.

    An older file has no `faulty`.
    """

    def __init__(self, path: Path, *, new: bool = False) -> None:
        self.path = path
        self.written = 0
        self._apsw = sqlite.load()
        self._waiting: list[Entry] = []
        self._connection = self._guarded(lambda: self._open(new))

    def record(self, entry: Entry, /) -> None:
        """Write one entry down, at the latest when the ledger is closed."""
        self._waiting.append(entry)
        self.written += 1
        if len(self._waiting) >= BATCH:
            self._guarded(self._write)

    def meters(self) -> list[str]:
        """Return the meters that have entries, in order."""
        self._guarded(self._write)
        query = " UNION ".join(f"SELECT meter FROM {_table(kind)}" for kind in self._kinds)  # noqa: S608  # of ours
        rows = self._guarded(lambda: self._connection.execute(f"{query} ORDER BY meter").fetchall())
        return [str(row[0]) for row in rows]

    def of(self, meter: str, /) -> list[Entry]:
        """Return the entries of a meter, first what it answered."""
        self._guarded(self._write)
        found: list[Entry] = []
        for kind in self._kinds:
            query = f"SELECT {', '.join(kind._fields)} FROM {_table(kind)} WHERE meter = ? ORDER BY rowid"  # noqa: S608  # names of ours
            rows = self._guarded(partial(self._rows, query, meter))
            found += [_entry(dict(zip(kind._fields, row, strict=True))) for row in rows]
        return found

    def close(self) -> None:
        """Write what waits, and close the file."""
        try:
            self._guarded(self._write)
        finally:
            self._connection.close()

    @cached_property
    def _kinds(self) -> list[type[Entry]]:
        """The kinds of entries that have a table here."""
        rows = self._guarded(lambda: self._connection.execute("SELECT name FROM sqlite_master").fetchall())
        return [kind for kind in _KINDS if (_table(kind),) in rows]

    def _rows(self, query: str, meter: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(query, (meter,)))

    def _open(self, new: bool) -> sqlite.Connection:
        if new:
            self.path.unlink(missing_ok=True)
        connection = sqlite.connect(self._apsw, self.path, writable=new)
        if new:
            connection.execute(_SCHEMA)
            connection.pragma("application_id", _APPLICATION)
        elif connection.pragma("application_id") != _APPLICATION:
            connection.close()
            raise ConfigurationError(f"{self.path} is no ledger of a fleet")
        return connection

    def _write(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        self._connection.execute("BEGIN")
        for kind in _KINDS:
            places = ", ".join("?" * len(kind._fields))
            rows = [tuple(map(_stored, each)) for each in waiting if type(each) is kind]
            self._connection.executemany(f"INSERT INTO {_table(kind)} VALUES ({places})", rows)  # noqa: S608
        self._connection.execute("COMMIT")

    def _guarded(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except (self._apsw.Error, OSError) as problem:
            raise ConfigurationError(f"cannot use the ledger {self.path}: {problem}") from problem


_APPLICATION: Final = 0x434F534C  # "COSL"
_SCHEMA: Final = """
CREATE TABLE answer (
    time TEXT NOT NULL, meter TEXT NOT NULL, client INTEGER NOT NULL, reference TEXT NOT NULL, value TEXT NOT NULL,
    first TEXT, last TEXT
) STRICT;
CREATE TABLE measured (
    time TEXT NOT NULL, meter TEXT NOT NULL, profile TEXT NOT NULL, reference TEXT NOT NULL, raw ANY NOT NULL
) STRICT;
CREATE TABLE faulty (time TEXT NOT NULL, meter TEXT NOT NULL, faults TEXT NOT NULL) STRICT;
CREATE INDEX answer_of ON answer (meter);
CREATE INDEX measured_of ON measured (meter);
CREATE INDEX faulty_of ON faulty (meter);
"""
_KINDS: Final[tuple[type[Entry], ...]] = (Answer, Measured, Faulty)


def _table(kind: type[Entry]) -> str:
    return kind.__name__.lower()


def _stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _entry(said: dict[str, Any]) -> Entry:
    """Return the entry that JSON or a row of a table has; ValueError, TypeError or KeyError where it has none."""
    time, meter = _moment(said["time"]), str(said["meter"])
    if "faults" in said:
        return Faulty(time, meter, str(said["faults"]))
    reference = str(said["reference"])
    if "raw" in said:
        return Measured(time, meter, str(said["profile"]), reference, said["raw"])
    first, last = (None if said.get(name) is None else _moment(said[name]) for name in ("first", "last"))
    return Answer(time, meter, int(said["client"]), reference, str(said["value"]), first, last)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment


_BUFFER: Final = (7, 2)


def _span(rows: object) -> tuple[datetime | None, datetime | None]:
    """Return the earliest and the latest time in the first and the last row; of rows without times none."""
    if not isinstance(rows, tuple) or not rows:
        return None, None
    rows = cast("tuple[object, ...]", rows)
    ends = [cast("tuple[object, ...]", row) for row in (rows[0], rows[-1]) if isinstance(row, tuple)]
    times = [time for row in ends for cell in row for time in _times(cell)]
    return min(times, default=None), max(times, default=None)


def _times(cell: object) -> Iterator[datetime]:
    if isinstance(cell, OctetString) and len(cell) == DateTime.SIZE:
        try:
            moment = moment_of(cell)
            if moment is not None and moment.deviation is not None:
                yield moment.to_datetime()
        except (CosemError, ValueError):
            return  # twelve octets that are no time


def _one(request: GetRequestNormal, response: GetResponseNormal) -> Iterable[tuple[Any, Any]]:
    return ((request.attribute, response.result),)


def _list(request: GetRequestWithList, response: GetResponseWithList) -> Iterable[tuple[Any, Any]]:
    return ((each.attribute, result) for each, result in zip(request.attributes, response.results, strict=True))


_ANSWERED: Final[Mapping[tuple[type, type], Callable[[Any, Any], Iterable[tuple[Any, Any]]]]] = MappingProxyType(
    {(GetRequestNormal, GetResponseNormal): _one, (GetRequestWithList, GetResponseWithList): _list}
)
"""What is to be written down, by request and response."""
