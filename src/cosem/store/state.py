"""What a meter must not forget, as octets under names: in two files of a directory, or in an SQLite file.

Both promise the same: what `commit` was given is there, all of it or nothing, from the moment it returns, whatever
dies; and what was damaged since is found, never given out and never left out in silence. One process at a time uses a
state, from when it is opened to when it is closed or dies.

In a directory stand two copies of one log, written one after the other: where one is damaged, cut off or gone, the
other is taken, a `SecurityWarning` says so, and both are written anew. A commit that fails is undone in the copies that
have some of it, for which no space is needed; only where the disk refuses that as well the error is `StateInDoubt`, and
not that the change was refused. The database has a check for every entry and,
beside it, a small file with `.commits` that knows how often it was written, so that one that was put back, or that lost
its write-ahead log, is noticed; there is no second copy of it, and so the error says what to do.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from cosem.errors import ConfigurationError, SecurityWarning, StateInDoubt
from cosem.protocol.association.counter import CounterStore
from cosem.store import sqlite, state_log
from cosem.store.counters import FileCounterStore, SqliteCounterStore
from cosem.store.durable import SYSTEM, Disk, append, discard, exclusive, prepare, remove, replace, shorten, swap
from cosem.store.made import Made
from cosem.store.state_log import Log

LONGEST_FILE: Final = 256 << 20
"""Octets of a copy that is read: room for the largest image in every other form."""

SLACK: Final = 1 << 20
"""Octets by which a log may be longer than twice what it holds before it is written anew."""

SUFFIXES: Final = frozenset({".sqlite", ".sqlite3", ".db"})
"""Endings of names that are SQLite files; all others are directories."""


class StateStore(Protocol):
    """Where entries are kept under names."""

    @property
    def counters(self) -> CounterStore:
        """Invocation counters that are kept beside them."""
        ...

    def load(self) -> Mapping[str, bytes]:
        """Return all entries. Raises ConfigurationError where what is kept is damaged."""
        ...

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Change entries, None taking one away, all or none; ConfigurationError when that cannot be made durable.

        Then nothing of it is kept. Raises StateInDoubt where nobody can say so; the next commit that succeeds ends it.
        """
        ...

    def close(self) -> None:
        """Let another process use the state."""
        ...

    def abandon(self) -> None:
        """Close it, and let nothing of it be there that was not when it was opened, what was committed included."""
        ...


def open_state(path: Path) -> StateStore:
    """Return the state at `path`, made if it is not there: an SQLite file by its name, else a directory.

    Raises ConfigurationError when it cannot be used, or another process does.
    """
    return SqliteStateStore(path) if path.suffix in SUFFIXES else FileStateStore(path)


class FileStateStore:
    """Entries in two files of a directory that nobody else can read, with invocation counters beside them.

    `longest` is how many octets of a copy are read, `slack` by how many a log may be longer than twice what it holds.
    """

    def __init__(
        self, directory: Path, *, longest: int = LONGEST_FILE, slack: int = SLACK, disk: Disk = SYSTEM
    ) -> None:
        self._places = (directory / "state", directory / "state.copy")
        self._disk = disk
        self._longest = longest
        self._slack = slack
        self._touched = set[Path]()
        """Copies that may have something of a commit that failed."""
        self._held = ExitStack()
        self._made = Made(directory)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            self._made.take_away()
            raise ConfigurationError(f"cannot use the directory {directory}: {problem.strerror}") from problem
        _hold(self._held, directory / "state.lock", directory, self._made)
        self._made.files(*(directory / name for name in _IN_DIRECTORY))
        self.counters: CounterStore = FileCounterStore(directory / _COUNTERS, disk=disk)
        try:
            self._log = self._opened()
        except BaseException:
            self.abandon()
            raise

    def load(self) -> Mapping[str, bytes]:
        """Return all entries."""
        return dict(self._log.entries)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Write the changes to both copies, one after the other."""
        log, record = self._log, self._log.record(changes)
        most = min(2 * log.held + self._slack, self._longest)
        anew = not log.length or log.length + len(record) > most or bool(self._touched)
        octets = log.whole(changes) if anew else record
        if anew and len(octets) > self._longest:
            raise ConfigurationError(f"{self._places[0]}: more than {self._longest} octets of state are not kept")
        try:
            (self._write_anew if anew else self._append)(octets)
        except ConfigurationError as problem:
            self._undo(problem)
            raise
        self._touched.clear()
        log.written(changes, octets, anew=anew)

    def _append(self, record: bytes) -> None:
        for place in self._places:
            self._touched.add(place)
            try:
                append(place, record, self._disk)
            except ConfigurationError:
                if self._is_as_it_was(place):
                    self._touched.discard(place)
                raise

    def _is_as_it_was(self, place: Path) -> bool:
        """Tell whether a copy could not even be opened for more, as on a disk that lets itself be read alone."""
        with suppress(OSError):
            return len(self._disk.read(place, self._longest) or b"") == self._log.length
        return False

    def _write_anew(self, octets: bytes) -> None:
        """Replace both copies, neither of them before both new ones are on the disk."""
        try:
            for place in self._places:
                prepare(place, octets, self._disk)
            self._log.unknown()  # from now on: should it fail, both are written anew the next time
            for place in self._places:
                self._touched.add(place)
                swap(place, self._disk)
        except ConfigurationError:
            for place in self._places:
                discard(place, self._disk)
            raise

    def _undo(self, problem: ConfigurationError) -> None:
        """Let no copy have anything of a commit that failed; StateInDoubt where that fails as well."""
        for place in self._places:
            if place in self._touched:
                try:
                    self._put_back(place)
                except ConfigurationError as another:
                    raise StateInDoubt(f"{problem}, nor can that be undone: {another}") from problem
                self._touched.discard(place)

    def _put_back(self, place: Path) -> None:
        log = self._log
        if log.length:
            if not shorten(place, log.length, self._disk):
                log.unknown()  # somebody took it away: the next time both are written anew
        elif log.number:
            replace(place, log.as_it_is, self._disk)
        else:
            remove(place, self._disk)

    def close(self) -> None:
        """Let another process use the state."""
        self._held.close()

    def abandon(self) -> None:
        """Close it, and take away what was not there."""
        self._made.take_away()  # while no other process can begin here
        self._held.close()
        self._made.take_away()  # what no system lets go that is in use

    def _opened(self) -> Log:
        found = [self._read(place) for place in self._places]
        log, finding = state_log.judge(found[0], found[1], str(self._places[0]))
        if finding is not None:
            warnings.warn(f"{self._places[0]}: {finding}; the other one is used", SecurityWarning, stacklevel=2)
        return log

    def _read(self, place: Path) -> state_log.Copy | None:
        try:
            octets = self._disk.read(place, self._longest)
        except OSError as problem:
            raise ConfigurationError(f"cannot read {place}: {problem.strerror}") from problem
        if octets is not None and len(octets) > self._longest:
            raise ConfigurationError(f"{place} has more than {self._longest} octets: this is no state of a meter")
        return None if octets is None else state_log.read(octets)


class SqliteStateStore:
    """Entries in a table of an SQLite file that nobody else can read, with invocation counters in others.

    Needs the package `apsw` with SQLite 3.51.3 or newer; ConfigurationError without.
    """

    def __init__(self, path: Path, *, disk: Disk = SYSTEM) -> None:
        self._path = path
        self._witness = path.with_name(f"{path.name}.commits")
        self._disk = disk
        self._witnessed = 0
        self._apsw = sqlite.load()
        self._held = ExitStack()
        self._open = ExitStack()
        self._made = Made(path.parent)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            self._made.take_away()
            raise ConfigurationError(f"cannot use {path}: {problem.strerror}") from problem
        _hold(self._held, path.with_name(f"{path.name}.held"), path, self._made)
        self._made.files(*(path.with_name(f"{path.name}{ending}") for ending in _OF_DATABASE))
        try:
            path.touch(mode=0o600)
            self._connection = self._guarded(self._connect)
            self._open.callback(self._connection.close)
            self._commits, self._entries = self._guarded(self._loaded)
            self._check_witness()
            counters = SqliteCounterStore(path, disk=disk)
            self._open.callback(counters.close)
            self.counters: CounterStore = counters
        except BaseException as problem:
            self.abandon()
            if isinstance(problem, OSError):
                raise ConfigurationError(f"cannot use {path}: {problem.strerror}") from problem
            raise

    def load(self) -> Mapping[str, bytes]:
        """Return all entries."""
        return dict(self._entries)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        """Change entries in one transaction, and note beside the database that it was."""
        self._witness_it()  # the database is ahead of its witness by no more than one
        self._guarded(lambda: self._transaction(changes))
        self._commits += 1
        for name, octets in changes.items():
            if octets is None:
                self._entries.pop(name, None)
            else:
                self._entries[name] = octets
        with suppress(ConfigurationError):  # it is kept, and no other commit comes before its witness
            self._witness_it()

    def close(self) -> None:
        """Let another process use the state."""
        self._open.close()
        self._held.close()

    def abandon(self) -> None:
        """Close it, and take away what was not there."""
        self._open.close()
        self._made.take_away()  # while no other process can begin here
        self._held.close()
        self._made.take_away()  # what no system lets go that is in use

    def _connect(self) -> sqlite.Connection:
        connection = sqlite.connect(self._apsw, self._path)
        try:
            with sqlite.opening(self._path):
                sqlite.make_durable(connection)
                connection.execute(_SCHEMA)
        except BaseException:
            connection.close()
            raise
        return connection

    def _loaded(self) -> tuple[int, dict[str, bytes]]:
        if self._connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise ConfigurationError(f"{self._path} is damaged: {_WHAT_TO_DO}")
        row = self._connection.execute("SELECT commits, entries FROM meter_state_commits").fetchone()
        commits, stated = (0, 0) if row is None else (int(row[0]), int(row[1]))
        entries: dict[str, bytes] = {}
        for name, octets, check in self._connection.execute("SELECT name, octets, hash FROM meter_state"):
            if check != _check(str(name), bytes(octets)):
                raise ConfigurationError(f"{self._path}: {name} is damaged: {_WHAT_TO_DO}")
            entries[str(name)] = bytes(octets)
        if len(entries) != stated:
            raise ConfigurationError(f"{self._path}: {stated} entries were kept, {len(entries)} are there")
        return commits, entries

    def _check_witness(self) -> None:
        try:
            octets = self._disk.read(self._witness, _LONGEST_WITNESS)
        except OSError as problem:
            raise ConfigurationError(f"cannot read {self._witness}: {problem.strerror}") from problem
        if octets is None and self._commits <= 1:
            return  # nobody has come as far as to write it
        if octets == _witnessed(self._commits):
            self._witnessed = self._commits
        elif octets != _witnessed(self._commits - 1):  # nor did somebody die between the two
            raise ConfigurationError(
                f"{self._path} is not as it was left, {self._commits} times written, says {self._witness}, or that is "
                f"damaged: {_WHAT_TO_DO}"
            )

    def _witness_it(self) -> None:
        if self._witnessed != self._commits:
            replace(self._witness, _witnessed(self._commits), self._disk)
            self._witnessed = self._commits

    def _transaction(self, changes: Mapping[str, bytes | None]) -> None:
        connection = self._connection
        gone = sum(octets is None and name in self._entries for name, octets in changes.items())
        new = sum(octets is not None and name not in self._entries for name, octets in changes.items())
        connection.execute("BEGIN IMMEDIATE")
        try:
            for name, octets in changes.items():
                if octets is None:
                    connection.execute("DELETE FROM meter_state WHERE name = ?", (name,))
                else:
                    row = (name, octets, _check(name, octets))
                    connection.execute("INSERT OR REPLACE INTO meter_state VALUES (?, ?, ?)", row)
            count = (self._commits + 1, len(self._entries) + new - gone)
            connection.execute("INSERT OR REPLACE INTO meter_state_commits VALUES (0, ?, ?)", count)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _guarded(self, work: Any) -> Any:
        try:
            return work()
        except self._apsw.Error as problem:
            raise ConfigurationError(f"cannot use {self._path}: {problem}") from problem


def _hold(held: ExitStack, lock: Path, whose: Path, made: Made) -> None:
    """Hold the lock of a state; one that is made for it counts as made by whoever gets it."""
    there = lock.exists()
    try:
        held.enter_context(exclusive(lock, 0))
    except ConfigurationError as problem:
        made.take_away()
        raise ConfigurationError(f"{whose} is another running meter's, or cannot be used: {problem}") from problem
    if not there:
        made.lock(lock)


def _check(name: str, octets: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + octets).digest()


def _witnessed(commits: int) -> bytes:
    text = f"cosem meter state 1 commits {commits}"
    return f"{text} {hashlib.sha256(text.encode()).hexdigest()}\n".encode()


_COUNTERS: Final = "invocation-counters"
_IN_DIRECTORY: Final = ("state", "state.copy", _COUNTERS, f"{_COUNTERS}.copy", f"{_COUNTERS}.lock")
_OF_DATABASE: Final = ("", "-wal", "-shm", ".commits", ".lock", ".witness")
"""What stands in the directory of a state, and beside a database with which endings, but for what holds it."""

_LONGEST_WITNESS: Final = 200
_WHAT_TO_DO: Final = "put back a whole copy with the files beside it, or move all of them away for a meter that is new"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meter_state (name TEXT PRIMARY KEY, octets BLOB NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meter_state_commits (
    one INTEGER PRIMARY KEY CHECK (one = 0), commits INTEGER NOT NULL, entries INTEGER NOT NULL
);
"""
