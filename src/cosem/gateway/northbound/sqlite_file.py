"""A log of values in an SQLite file of a bounded size: what was published is on disk, and outlives the process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.gateway.northbound import Obey, Point
from cosem.gateway.northbound.text import plain_text, words
from cosem.gateway.value import Plain, Sample
from cosem.store import sqlite

_SCHEMA: Final = """
create table if not exists samples (
    number integer primary key autoincrement,
    time text not null,           -- of the device, else of the gateway; UTC, ISO 8601
    signal text not null,
    value text,                   -- with all its digits
    value_real real,              -- the same as a floating number, where it is one
    unit text not null,
    quality text not null,        -- words with commas between them
    gateway_time text not null,
    backfilled integer not null);
create index if not exists samples_by_signal on samples (signal, time);
"""

_INSERT: Final = (
    "insert into samples (time, signal, value, value_real, unit, quality, gateway_time, backfilled) "
    "values (?, ?, ?, ?, ?, ?, ?, ?)"
)


class SqliteOutput:
    """Adds a row for each value to the table `samples`, durable before `publish` returns.

    Args:
        path: the file; others may read it meanwhile.
        limit: octets of what is kept, roughly; beyond it the oldest tenth goes.
    """

    buffered = False

    def __init__(self, path: Path, *, limit: int = 1_000_000_000) -> None:
        self.path = path
        self.limit = limit
        self._points: tuple[Point, ...] = ()
        self._connection: sqlite.Connection | None = None
        self._errors: type[Exception] = OSError
        self._thread = ThreadPoolExecutor(1, "gateway-sqlite")

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Open the file. Raises ConfigurationError where that cannot be."""
        self._points = tuple(points)
        await self._run(self._open)

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Write values; returns when they are on disk. Raises ConnectionLost where the disk does not take them."""
        await self._run(self._add, [_row(each) for each in samples])

    async def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._run(connection.close)
        self._thread.shutdown()

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return which signals are written where."""
        return (("signal", "file", "table"), *((each.signal, str(self.path), "samples") for each in points))

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the same of its points."""
        return self.plan(self._points)

    async def _run(self, work: Any, *words: Any) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work, *words)

    def _open(self) -> None:
        apsw = sqlite.load()
        self._errors = apsw.Error
        try:
            with sqlite.opening(self.path):
                connection = sqlite.connect(apsw, self.path)
                sqlite.make_durable(connection)
                connection.execute(_SCHEMA)
        except (OSError, self._errors) as problem:
            raise ConfigurationError(f"cannot open {self.path}: {problem}") from problem
        self._connection = connection

    def _add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        connection = self._connection
        assert connection is not None, "started"
        try:
            connection.execute("begin immediate")
            try:
                connection.executemany(_INSERT, rows)
                if self._used(connection) > self.limit:
                    self._drop(connection)
            except BaseException:
                connection.execute("rollback")
                raise
            connection.execute("commit")
        except self._errors as problem:
            raise ConnectionLost(f"{self.path} takes nothing: {problem}") from problem

    def _used(self, connection: sqlite.Connection) -> int:
        pages: int = connection.pragma("page_count") - connection.pragma("freelist_count")
        size: int = connection.pragma("page_size")
        return pages * size

    def _drop(self, connection: sqlite.Connection) -> None:
        """Let the oldest tenth go; its pages are used again, so that the file does not grow."""
        connection.execute(
            "delete from samples where number <= (select min(number) + (max(number) - min(number)) / 10 from samples)"
        )


def _row(sample: Sample) -> tuple[Any, ...]:
    time = sample.source_time or sample.gateway_time
    return (
        *(_utc(time), sample.signal, None if sample.value is None else plain_text(sample.value), _real(sample.value)),
        *(sample.unit, ",".join(words(sample.quality)), _utc(sample.gateway_time), int(sample.backfilled)),
    )


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds")


def _real(value: Plain) -> float | None:
    if isinstance(value, (bool, int, float, Decimal)):
        try:
            return float(value)
        except OverflowError:
            return None
    return None
