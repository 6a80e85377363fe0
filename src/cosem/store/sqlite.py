"""SQLite through `apsw`, imported when a store is opened, and opened so that what is acknowledged survives."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Protocol

from cosem.errors import ConfigurationError
from cosem.store.durable import exclusive

OLDEST_SQLITE: Final = (3, 51, 3)
"""Older ones can lose a committed transaction when two connections reset a write-ahead log at once."""

BUSY_SECONDS: Final = 30.0
"""How long to wait for another process that is writing."""

BUSY_STEP: Final = 0.002
"""How long to sleep before looking again: short, since SQLite lets whoever comes at the right moment go first."""


class Connection(Protocol):
    """As much of `apsw.Connection` as is used here."""

    @property
    def in_transaction(self) -> bool: ...
    def set_busy_handler(self, handler: Callable[[int], bool], /) -> None: ...
    def pragma(self, name: str, value: Any = ..., /) -> Any: ...
    def execute(self, statements: str, bindings: Any = ..., /) -> Any: ...
    def executemany(self, statements: str, bindings: Iterable[Any], /) -> Any: ...
    def last_insert_rowid(self) -> int: ...
    def total_changes(self) -> int: ...
    def close(self) -> None: ...


def load() -> ModuleType:
    """Import apsw. Raises ConfigurationError, with the line to type, when it is missing or its SQLite too old."""
    try:
        apsw = importlib.import_module("apsw")
    except ImportError:
        raise ConfigurationError(
            'storing in SQLite needs the package apsw; install it with: pip install "cosem[cli]"'
        ) from None
    version: str = apsw.sqlite_lib_version()
    if tuple(map(int, version.split("."))) < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigurationError(
            f"SQLite {version} can lose what was stored already; needed is {oldest} or newer: "
            "pip install --upgrade apsw"
        )
    return apsw


def connect(apsw: ModuleType, path: Path, *, writable: bool = True) -> Connection:
    """Open a database file as it is; a connection that is not writable leaves checkpoints to the writer as well."""
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if writable else 0)
    connection: Connection = apsw.Connection(str(path), flags=flags)
    connection.set_busy_handler(_wait)
    connection.pragma("foreign_keys", "on")
    if not writable:
        connection.pragma("query_only", "on")
        connection.pragma("wal_autocheckpoint", 0)
    return connection


def opening(path: Path) -> AbstractContextManager[None]:
    """Let those who open a file at once take turns, since SQLite does not wait for others to change the journal."""
    return exclusive(path.with_name(f"{path.name}.lock"))


def make_durable(connection: Connection) -> None:
    """Give the file a write-ahead log that is synchronised at every commit."""
    connection.pragma("journal_mode", "wal")
    # In a write-ahead log FULL syncs at every commit; NORMAL would lose the last ones with the power.
    connection.pragma("synchronous", "full")


def _wait(tries: int) -> bool:
    """Decide, after so many tries, whether to try again."""
    time.sleep(BUSY_STEP)
    return tries * BUSY_STEP < BUSY_SECONDS
