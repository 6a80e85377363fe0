"""Invocation counters that survive: in two files, for the core alone, and in SQLite, beside what else is stored.

Both promise what `CounterStore` asks: a lease is durable before it is returned, several processes may share a store,
and whatever dies, no number is given out twice. Both keep every number twice, with checks, and notice a copy that is
damaged, missing or older than the other, and a store that was put back from a backup or copied from another machine.
Nothing of that is believed: every counter skips ahead by 2^16 (`skip`), and a `SecurityWarning` says so.

What cannot be noticed from inside: a disk or virtual machine that is set back as a whole, for then everything is as it
was, the identity of the files included; a store that was deleted altogether; a backup since which more than 2^16
numbers were used under one key; and whoever may write to the files and knows what he does. In the user's own directory
the client's system title lies beside the counters, so that with the whole directory gone there is a new title, under
which no number was ever used. In the other cases begin above the counter that the meter has seen.

Noticed without need are a change of mode or owner and a backup by hard links, which cost 2^16 numbers each. File
systems that give a file another number or time of change at each mount, as some network ones do, make the counters skip
each time: safe, but better kept elsewhere.
"""

from __future__ import annotations

import errno
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from cosem.errors import ConfigurationError, SecurityWarning
from cosem.protocol.association.counter import check_next, check_received, lease_after
from cosem.store import copies, sqlite
from cosem.store.copies import NOBODY, OTHERS, SKIP, Copy, Judged, following_of
from cosem.store.directory import default_state_directory
from cosem.store.durable import SYSTEM, Disk, exclusive, replace

T = TypeVar("T")

LONGEST_FILE: Final = 64 << 20
"""Octets of a copy: room for half a million counters."""

_NAME: Final = re.compile(r"[!-~]{1,200}")


def default_counter_store() -> FileCounterStore:
    """Return the counters of this user."""
    return FileCounterStore(default_state_directory() / "invocation-counters")


class FileCounterStore:
    """Counters in two text files, `path` and the same with `.copy`; see `cosem.store.copies` for what they hold.

    `skip` is how far a counter skips ahead where what is stored is not believed.
    """

    def __init__(self, path: Path, *, skip: int = SKIP, disk: Disk = SYSTEM) -> None:
        self._path = path
        self._copy = path.with_name(f"{path.name}.copy")
        self._lock = path.with_name(f"{path.name}.lock")
        self._skip = skip
        self._disk = disk
        self._seen = 0

    def lease(self, name: str, count: int, at_least: int = 0) -> range:
        """Return numbers nobody else gets, after they are written as taken."""
        _check_name(name)
        return self._changed(name, lambda first: _leased(first, count, at_least))

    def peek(self, name: str) -> int:
        """Return the number the next lease would begin with."""
        # Windows cannot replace a file while somebody reads it; so whoever reads takes a turn as well.
        with exclusive(self._lock):
            return following_of(name, self._judged().entries)

    def raise_to(self, name: str, value: int) -> None:
        """Write that the next lease begins at `value` or above."""
        _check_name(name)
        check_next(value)
        self._changed(name, lambda first: (max(first, value), None))

    def forget(self, name: str) -> None:
        """Write that the counter of a peer begins anew."""
        _check_name(name)
        check_received(name)
        self._changed(name, lambda _: (0, None))

    def _changed(self, name: str, change: Callable[[int], tuple[int, T]]) -> T:
        with exclusive(self._lock):
            entries, generation, finding = self._judged()
            first = following_of(name, entries)
            following, result = change(first)
            if following != first or finding is not None:
                entries[name] = following
                self._write(entries, generation + 1)
        _warn(finding, self._path, self._skip)
        return result

    def _judged(self) -> Judged:
        first, second = self._read(self._path), self._read(self._copy)
        try:
            identity = self._disk.identity(self._path) if first is not None else NOBODY
            judged = copies.judge(first, second, identity, self._skip)
        except OSError as problem:
            raise ConfigurationError(f"cannot read the invocation counters in {self._path}") from problem
        except ConfigurationError as refused:
            raise ConfigurationError(f"{self._path}: {refused}") from None
        if judged.finding is None and judged.generation < self._seen:
            finding = "both copies were set back while they were in use"
            return Judged(copies.ahead(judged.entries, self._skip), self._seen, finding)
        return judged

    def _read(self, path: Path) -> Copy | None:
        try:
            octets = self._disk.read(path, LONGEST_FILE)
        except OSError as problem:
            if problem.errno == errno.EIO:
                return copies.read(b"")  # the medium has lost it
            raise ConfigurationError(f"cannot read the invocation counters in {path}: {problem.strerror}") from problem
        if octets is not None and len(octets) > LONGEST_FILE:
            raise ConfigurationError(f"{path} has more than {LONGEST_FILE} octets: these are no invocation counters")
        return None if octets is None else copies.read(octets)

    def _write(self, entries: dict[str, int], generation: int) -> None:
        replace(self._path, copies.written(entries, generation, NOBODY), self._disk)
        try:
            identity = self._disk.identity(self._path)
        except OSError as problem:
            raise ConfigurationError(f"cannot read {self._path}: {problem.strerror}") from problem
        replace(self._copy, copies.written(entries, generation, identity), self._disk)
        self._seen = generation


class SqliteCounterStore:
    """Counters in two tables of an SQLite file, which may hold other tables as well; one object serves one thread.

    Beside the file lies a small one, `path` with `.witness`, that is written with every lease: by it a database that
    was put back, or that lost its write-ahead log, is noticed. `skip` is how far counters skip ahead then.

    Needs the package `apsw` with SQLite 3.51.3 or newer; ConfigurationError without.
    """

    def __init__(self, path: Path, *, skip: int = SKIP, disk: Disk = SYSTEM) -> None:
        self._path = path
        self._witness = path.with_name(f"{path.name}.witness")
        self._skip = skip
        self._disk = disk
        self._seen = 0
        self._apsw = sqlite.load()
        self._connection = self._guarded(self._open)

    def lease(self, name: str, count: int, at_least: int = 0) -> range:
        """Return numbers nobody else gets, after the transaction that takes them is durable."""
        _check_name(name)
        return self._guarded(lambda: self._changed(name, lambda first: _leased(first, count, at_least)))

    def peek(self, name: str) -> int:
        """Return the number the next lease would begin with."""
        # The witness belongs to what the database says now; so whoever reads takes a turn as well.
        return self._guarded(lambda: self._transaction(lambda: following_of(name, self._judged(name).entries)))

    def raise_to(self, name: str, value: int) -> None:
        """Store that the next lease begins at `value` or above."""
        _check_name(name)
        check_next(value)
        self._guarded(lambda: self._changed(name, lambda first: (max(first, value), None)))

    def forget(self, name: str) -> None:
        """Store that the counter of a peer begins anew."""
        _check_name(name)
        check_received(name)
        self._guarded(lambda: self._changed(name, lambda _: (0, None)))

    def close(self) -> None:
        """Close the file; further leases raise ConfigurationError."""
        self._connection.close()

    def _open(self) -> sqlite.Connection:
        connection = sqlite.connect(self._apsw, self._path)
        with sqlite.opening(self._path):
            sqlite.make_durable(connection)
            connection.execute(_SCHEMA)
        return connection

    def _changed(self, name: str, change: Callable[[int], tuple[int, T]]) -> T:
        finding, result = self._transaction(lambda: self._change(name, change))
        _warn(finding, self._path, self._skip)
        return result

    def _change(self, name: str, change: Callable[[int], tuple[int, T]]) -> tuple[str | None, T]:
        entries, generation, finding = self._judged(name)
        first = following_of(name, entries)
        following, result = change(first)
        if following != first or finding is not None:
            entries[name] = following
            self._write(entries, generation + 1)
        return finding, result

    def _transaction(self, work: Callable[[], T]) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work()
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return result

    def _judged(self, name: str) -> Judged:
        """Return the entry of `name`, or all entries where none is to be believed."""
        generation, finding = self._watched()
        if finding is not None:
            names = [row[0] for row in self._connection.execute(_NAMES)]
            entries = {each: self._row(each)[0] for each in names}
            return Judged(copies.ahead(entries, self._skip), generation, finding)
        following, finding = self._row(name)
        if finding is not None:
            return Judged({name: copies.ahead({name: following}, self._skip)[name]}, generation, finding)
        return Judged({name: following}, generation, None)

    def _watched(self) -> tuple[int, str | None]:
        """Return the generation to go on from, and what is wrong between the database and its witness."""
        state = self._connection.execute(_STATE).fetchone()
        generation, after = (0, NOBODY) if state is None else (int(state[0]), str(state[1]))
        witness, identity = self._read_witness()
        if witness is None or not witness.whole:
            if witness is None and not generation:
                return 0, None
            return generation, f"the witness beside the database is {'missing' if witness is None else 'damaged'}"
        if not generation and witness.generation > 1:
            raise ConfigurationError(
                f"the counters that were in {self._path} are gone, and {self._witness} knows of them: put the "
                "database back, or move the witness away and begin above the counters that the meters have seen"
            )
        if witness.generation == generation + 1:
            return generation, None  # somebody died between the two: nothing was given out
        if witness.generation != generation:
            older = "database" if witness.generation > generation else "witness beside the database"
            return max(generation, witness.generation), f"the {older} is an old one"
        if after != identity:
            return generation, "the database was put back from a backup or copied from elsewhere"
        if generation < self._seen:
            return self._seen, "the database was set back while it was in use"
        return generation, None

    def _read_witness(self) -> tuple[Copy | None, str]:
        try:
            octets = self._disk.read(self._witness, _LONGEST_WITNESS)
            if octets is None:
                return None, NOBODY
            return copies.read(octets), self._disk.identity(self._witness)
        except OSError as problem:
            raise ConfigurationError(f"cannot read {self._witness}: {problem.strerror}") from problem

    def _row(self, name: str) -> tuple[int, str | None]:
        """Return the next number of a name, the greatest that can be read, and what is wrong with it."""
        rows = [self._connection.execute(statement, (name,)).fetchone() for statement in _ROWS]
        present = [row for row in rows if row is not None]
        if not present:
            return (0, None) if name == OTHERS else self._row(OTHERS)
        sound = [int(row[0]) for row in present if row[1] == _row_check(name, row[0])]
        if not sound:
            raise ConfigurationError(
                f"both copies of the counter {name} in {self._path} are damaged: delete them, and begin above the "
                "counter that the meter has seen"
            )
        agree = len(sound) == len(rows) and len(set(sound)) == 1
        return max(sound), None if agree else f"a copy of the counter {name} is damaged, missing or old"

    def _write(self, entries: dict[str, int], generation: int) -> None:
        replace(self._witness, copies.written({}, generation, NOBODY), self._disk)
        try:
            identity = self._disk.identity(self._witness)
        except OSError as problem:
            raise ConfigurationError(f"cannot read {self._witness}: {problem.strerror}") from problem
        rows = [(name, following, _row_check(name, following)) for name, following in entries.items()]
        for statement in _ROWS_WRITTEN:
            self._connection.executemany(statement, rows)
        self._connection.execute(_STATE_WRITTEN, (generation, identity))
        self._seen = generation

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except self._apsw.Error as problem:
            raise ConfigurationError(f"cannot use the invocation counters in {self._path}: {problem}") from problem


_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS invocation_counter_first
    (name TEXT PRIMARY KEY, next INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS invocation_counter_second
    (name TEXT PRIMARY KEY, next INTEGER NOT NULL, digest TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS invocation_counter_state
    (one INTEGER PRIMARY KEY CHECK (one = 1), generation INTEGER NOT NULL, after TEXT NOT NULL) STRICT
"""
_NAMES: Final = "SELECT name FROM invocation_counter_first UNION SELECT name FROM invocation_counter_second"
_ROWS: Final = (
    "SELECT next, digest FROM invocation_counter_first WHERE name = ?",
    "SELECT next, digest FROM invocation_counter_second WHERE name = ?",
)
_ROWS_WRITTEN: Final = (
    "INSERT OR REPLACE INTO invocation_counter_first VALUES (?, ?, ?)",
    "INSERT OR REPLACE INTO invocation_counter_second VALUES (?, ?, ?)",
)
_STATE: Final = "SELECT generation, after FROM invocation_counter_state"
_STATE_WRITTEN: Final = "INSERT OR REPLACE INTO invocation_counter_state VALUES (1, ?, ?)"
_LONGEST_WITNESS: Final = 1024


def _leased(first: int, count: int, at_least: int) -> tuple[int, range]:
    numbers = lease_after(first, count, at_least)
    return numbers.stop, numbers


def _row_check(name: str, following: int) -> str:
    return copies.check(f"{name} {following}")


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None or name == OTHERS:
        raise ConfigurationError(f"the name of a counter has 1 to 200 visible ASCII characters, and is not {OTHERS}")


def _warn(finding: str | None, path: Path, skip: int) -> None:
    if finding is not None:
        warnings.warn(
            f"invocation counters in {path}: {finding}; every counter that may be concerned skips ahead by {skip}",
            SecurityWarning,
            stacklevel=4,
        )
