"""A log of values in CSV files of a bounded size: what was published is on disk, whole lines only."""

from __future__ import annotations

import asyncio
import csv
import os
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, Final

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.gateway.northbound import Obey, Point
from cosem.gateway.northbound.text import words
from cosem.gateway.value import Plain, Sample

HEADINGS: Final = ("time", "signal", "value", "unit", "quality", "gateway_time", "backfilled")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula, at the beginning of a text."""


class CsvOutput:
    """Appends a line for each value to a file.

    Args:
        path: the file; older ones are `path.1`, `path.2` … up to `kept`, and what is older still is deleted.
        limit: octets of a file, beyond which a new one begins.
        kept: how many older files stay.
    """

    buffered = False

    def __init__(self, path: Path, *, limit: int = 100_000_000, kept: int = 9) -> None:
        self.path = path
        self._limit = limit
        self._kept = kept
        self._points: tuple[Point, ...] = ()

    async def start(self, points: Sequence[Point], obey: Obey) -> None:
        """Make the file where there is none. Raises ConfigurationError where that cannot be."""
        self._points = tuple(points)
        try:
            await asyncio.to_thread(self._append, "")
        except OSError as problem:
            raise ConfigurationError(f"cannot write {self.path}: {problem.strerror}") from problem

    async def publish(self, samples: Sequence[Sample]) -> None:
        """Write values; returns when they are on disk. Raises ConnectionLost where the disk does not take them."""
        try:
            await asyncio.to_thread(self._append, _lines([_row(each) for each in samples]))
        except OSError as problem:
            raise ConnectionLost(f"{self.path} takes nothing: {problem.strerror}") from problem

    async def close(self) -> None:
        """Do nothing: whatever was published is on disk."""

    def plan(self, points: Sequence[Point]) -> Sequence[tuple[str, ...]]:
        """Return which signals are written where."""
        return (("signal", "file"), *((each.signal, str(self.path)) for each in points))

    def map(self) -> Sequence[tuple[str, ...]]:
        """Return the same of its points."""
        return self.plan(self._points)

    def _append(self, text: str) -> None:
        octets = text.encode()
        if self.path.exists() and self.path.stat().st_size + len(octets) > self._limit:
            self._turn_over()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if not size:
                octets = _lines([HEADINGS]).encode() + octets
            elif os.pread(descriptor, 1, size - 1) != b"\n":
                octets = b"\n" + octets  # a line that was not finished stays one line
            view = memoryview(octets)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _turn_over(self) -> None:
        for number in range(self._kept, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            newer = self.path if number == 1 else self.path.with_name(f"{self.path.name}.{number - 1}")
            if newer.exists():
                newer.replace(older)
        if not self._kept:
            self.path.unlink()


def _row(sample: Sample) -> tuple[str, ...]:
    time = sample.source_time or sample.gateway_time
    return (
        *(time.isoformat(), sample.signal, _cell(sample.value), sample.unit, ", ".join(words(sample.quality))),
        *(sample.gateway_time.isoformat(), "1" if sample.backfilled else "0"),
    )


def _cell(value: Plain) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    out = StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
