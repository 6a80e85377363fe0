"""Invocation counters that survive: in one file, for the core alone, and in SQLite, beside what else is stored.

Both promise what `CounterStore` asks: a lease is durable before it is returned, several processes may share a store,
and whatever dies, no number is given out twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from cosem.errors import ConfigurationError
from cosem.protocol.association.counter import check_next, lease_after
from cosem.store import sqlite
from cosem.store.directory import default_state_directory
from cosem.store.durable import exclusive, replace

T = TypeVar("T")

_HEADER: Final = "cosem invocation counters 1"
_LINE: Final = re.compile(r"(\S+) ([0-9]{1,10})")
_NAME: Final = re.compile(r"\S{1,200}")


def default_counter_store() -> FileCounterStore:
    """Return the counters of this user."""
    return FileCounterStore(default_state_directory() / "invocation-counters")


class FileCounterStore:
    """Counters in one text file, each line a name and its next number, closed by a digest of what stands above it.

    A damaged file is refused rather than guessed: a counter that begins anew gives keys away.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = path.with_name(f"{path.name}.lock")

    def lease(self, name: str, count: int, at_least: int = 0) -> range:
        """Return numbers nobody else gets, after they are written as taken."""
        _check_name(name)
        with exclusive(self._lock):
            counters = self._read()
            numbers = lease_after(counters.get(name, 0), count, at_least)
            counters[name] = numbers.stop
            self._write(counters)
        return numbers

    def peek(self, name: str) -> int:
        """Return the number the next lease would begin with."""
        # Windows cannot replace a file while somebody reads it; so whoever reads takes a turn as well.
        with exclusive(self._lock):
            return self._read().get(name, 0)

    def raise_to(self, name: str, value: int) -> None:
        """Write that the next lease begins at `value` or above."""
        _check_name(name)
        check_next(value)
        with exclusive(self._lock):
            counters = self._read()
            if value > counters.get(name, 0):
                counters[name] = value
                self._write(counters)

    def _read(self) -> dict[str, int]:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as problem:
            raise ConfigurationError(f"cannot read the invocation counters in {self._path}") from problem
        body, _, digest = text.rstrip("\n").rpartition("\n")
        lines = body.split("\n")
        entries = [_LINE.fullmatch(line) for line in lines[1:]]
        if lines[0] != _HEADER or digest != _digest(body) or None in entries:
            raise ConfigurationError(
                f"the invocation counters in {self._path} are damaged: put back a copy only if it is the latest one; "
                "else move the file away and give each meter's counter anew, above the last one it has seen"
            )
        return {entry[1]: int(entry[2]) for entry in entries if entry is not None}

    def _write(self, counters: dict[str, int]) -> None:
        body = "\n".join((_HEADER, *(f"{name} {value}" for name, value in sorted(counters.items()))))
        replace(self._path, f"{body}\n{_digest(body)}\n".encode())


class SqliteCounterStore:
    """Counters in a table of an SQLite file, which may hold other tables as well; one object serves one thread.

    Needs the package `apsw` with SQLite 3.51.3 or newer; ConfigurationError without.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._apsw = sqlite.load()
        self._connection = self._guarded(self._open)

    def lease(self, name: str, count: int, at_least: int = 0) -> range:
        """Return numbers nobody else gets, after the transaction that takes them is durable."""
        _check_name(name)

        def take(first: int) -> tuple[int, range]:
            numbers = lease_after(first, count, at_least)
            return numbers.stop, numbers

        return self._guarded(lambda: self._changed(name, take))

    def peek(self, name: str) -> int:
        """Return the number the next lease would begin with."""
        return self._guarded(lambda: self._next(name))

    def raise_to(self, name: str, value: int) -> None:
        """Store that the next lease begins at `value` or above."""
        _check_name(name)
        check_next(value)
        self._guarded(lambda: self._changed(name, lambda first: (max(first, value), None)))

    def close(self) -> None:
        """Close the file; further leases raise ConfigurationError."""
        self._connection.close()

    def _open(self) -> sqlite.Connection:
        connection = sqlite.connect(self._apsw, self._path)
        with sqlite.opening(self._path):
            sqlite.make_durable(connection)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS invocation_counter (name TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT"
            )
        return connection

    def _changed(self, name: str, change: Callable[[int], tuple[int, T]]) -> T:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            following, result = change(self._next(name))
            self._connection.execute(
                "INSERT INTO invocation_counter VALUES (?1, ?2) ON CONFLICT DO UPDATE SET next = ?2", (name, following)
            )
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return result

    def _next(self, name: str) -> int:
        row = self._connection.execute("SELECT next FROM invocation_counter WHERE name = ?", (name,)).fetchone()
        return 0 if row is None else int(row[0])

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except self._apsw.Error as problem:
            raise ConfigurationError(f"cannot use the invocation counters in {self._path}: {problem}") from problem


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError("the name of a counter has 1 to 200 characters and no blank")


def _digest(body: str) -> str:
    return f"sha256 {hashlib.sha256(body.encode()).hexdigest()}"
