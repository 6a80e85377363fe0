"""Averages of a load over blocks of time: the last one, and the largest of a month or since it was reset.

Blocks begin at multiples of the period of the local standard day, and averages are the growth of what a register of
the energy shows: what would have flowed without power is left out, and the period that it is divided by stays the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from cosem.meter.loads.figures import Load, Stretches, figure
from cosem.protocol.values.data import DoubleLongUnsigned

HOUR: Final = 3600
CHUNK: Final = 96
"""Blocks whose maximum is reckoned once."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """The averages of an energy of a load, such as `household.active_import`, in steps of a scaler."""

    energy: str
    load: Load
    period: int
    scaler: int = 0

    def last(self, time: datetime) -> Any:
        """Return the average of the block that ended last."""
        number = self._number(time) - 1
        return self._told(_grown(self.energy, self.load.number, self.period, number, self.load.dark))

    def maximum(self, since: datetime | None, time: datetime) -> Any:
        """Return the largest average of the blocks that began since a true time, and have ended.

        Without one, or where the clock shows a time before it, it is of the month that the clock shows.
        """
        return self._told(self._largest(since, time)[0])

    def moment(self, since: datetime | None, time: datetime) -> datetime:
        """Return when the block with the largest average ended, else since when there was none."""
        number = self._largest(since, time)[1]
        end = self._begin(since, time) if number is None else (number + 1) * self.period
        back = self.load.seconds(time) - end
        return (time.astimezone(UTC) - timedelta(seconds=back)).astimezone(time.tzinfo)

    def _largest(self, since: datetime | None, time: datetime) -> tuple[float, int | None]:
        first = max(int(-(-self._begin(since, time) // self.period)), 0)
        return _largest(self.energy, self.load.number, self.period, first, self._number(time), self.load.dark)

    def _begin(self, since: datetime | None, time: datetime) -> float:
        """Return from when on blocks count, in the seconds of the load."""
        begin = None if since is None else (since - self.load.begin).total_seconds()
        if begin is not None and begin <= self.load.seconds(time):
            return begin
        before = time - timedelta(microseconds=1)  # what ends with a month belongs to it
        return self.load.seconds(before.replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0))

    def _number(self, time: datetime) -> int:
        return int(self.load.seconds(time) // self.period)

    def _told(self, grown: float) -> Any:
        return DoubleLongUnsigned(int(grown * HOUR / self.period * 10.0**-self.scaler))


def _grown(energy: str, seed: int, period: int, number: int, dark: Stretches) -> float:
    worth = figure(energy).worth
    grown = worth(seed, (number + 1) * period) - worth(seed, number * period)
    return grown - _missed(worth, seed, number * period, (number + 1) * period, dark)


def _missed(worth: Callable[[int, float], float], seed: int, begin: float, end: float, dark: Stretches) -> float:
    """Return what would have come in a time while there was no power."""
    parts = ((max(down, begin), min(up, end)) for down, up in dark)
    return sum(worth(seed, until) - worth(seed, since) for since, until in parts if since < until)


def _largest(energy: str, seed: int, period: int, first: int, end: int, dark: Stretches) -> tuple[float, int | None]:
    """Return how much was the most that came in one of some blocks, and in which one first."""
    best: tuple[float, int | None] = (0.0, None)
    while first < end:
        until = min((first // CHUNK + 1) * CHUNK, end)
        here = dark and tuple(each for each in dark if each[0] < until * period and each[1] > first * period)
        whole = until - first == CHUNK
        found = (
            _of_chunk(energy, seed, period, first, here)
            if whole
            else _of_blocks(energy, seed, period, first, until, here)
        )
        if found[0] > best[0]:
            best = found
        first = until
    return best


def _of_blocks(energy: str, seed: int, period: int, first: int, end: int, dark: Stretches) -> tuple[float, int | None]:
    worth = figure(energy).worth
    best: tuple[float, int | None] = (0.0, None)
    before = worth(seed, first * period)
    for number in range(first, end):
        after = worth(seed, (number + 1) * period)
        grown = after - before
        if dark:
            grown -= _missed(worth, seed, number * period, (number + 1) * period, dark)
        if grown > best[0]:
            best = (grown, number)
        before = after
    return best


@lru_cache(maxsize=4096)
def _of_chunk(energy: str, seed: int, period: int, first: int, dark: Stretches) -> tuple[float, int | None]:
    return _of_blocks(energy, seed, period, first, first + CHUNK, dark)
