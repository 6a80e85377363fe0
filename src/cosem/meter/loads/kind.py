"""A figure of a load: what it is worth at a time, and how a meter holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cosem.meter.loads.course import Moment
from cosem.protocol.values.data import DoubleLong, DoubleLongUnsigned, LongUnsigned, Number, Unsigned
from cosem.protocol.values.units import Unit

ROLLS_OVER: Final = 1 << 32
"""Steps after which a total begins again at 0."""

Worth = Callable[[Moment], float]
"""What a figure is worth in its unit, at a moment of a seed."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a kind of load.

    Attributes:
        at: its value in `unit`.
        unit: its unit.
        scaler: power of ten of a step, unless a meter wants another.
        tag: how a meter holds it.
    """

    at: Worth
    unit: Unit
    scaler: int = 0
    tag: type[Number] = DoubleLongUnsigned

    def worth(self, seed: int, seconds: float) -> float:
        """Return its value in `unit`, of a seed and the seconds since the epoch."""
        return self.at(Moment(seed, seconds))

    def holding(self, scaler: int) -> Callable[[Moment], Any]:
        """Return what gives its value as whole steps of a scaler, rounded down: what can be decided before is."""
        at, tag = self.at, self.tag
        if tag is not DoubleLongUnsigned:
            return lambda moment: tag(int(_steps(at(moment), scaler)))
        if scaler:
            return lambda moment: tag(int(_steps(at(moment), scaler)) % ROLLS_OVER)
        return lambda moment: tag(int(at(moment)) % ROLLS_OVER)


def _steps(worth: float, scaler: int) -> float:
    return worth * float(10**-scaler) if scaler < 0 else worth / float(10**scaler)


def signed(at: Worth, unit: Unit, scaler: int = 0) -> Figure:
    """Return a figure that may be negative."""
    return Figure(at, unit, scaler, DoubleLong)


def short(at: Worth, unit: Unit, scaler: int = 0) -> Figure:
    """Return a figure that fits into 16 bits."""
    return Figure(at, unit, scaler, LongUnsigned)


def small(at: Worth) -> Figure:
    """Return a number without a unit that fits into 8 bits."""
    return Figure(at, Unit.NO_UNIT, 0, Unsigned)
