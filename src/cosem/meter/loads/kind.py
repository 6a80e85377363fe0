"""A figure of a load: what it is worth at a time, and how a meter holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from cosem.protocol.values.data import DoubleLong, DoubleLongUnsigned, LongUnsigned, Number, Unsigned
from cosem.protocol.values.units import Unit

ROLLS_OVER: Final = 1 << 32
"""Steps after which a total begins again at 0."""

Worth = Callable[[int, float], float]
"""What a figure is worth in its unit, of a seed and the seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a kind of load.

    Attributes:
        worth: its value in `unit`.
        unit: its unit.
        scaler: power of ten of a step, unless a meter wants another.
        tag: how a meter holds it.
    """

    worth: Worth
    unit: Unit
    scaler: int = 0
    tag: type[Number] = DoubleLongUnsigned

    def held(self, seed: int, seconds: float, scaler: int | None = None) -> Any:
        """Return its value as whole steps of a scaler, rounded down."""
        steps = self.scaler if scaler is None else scaler
        worth = self.worth(seed, seconds)
        whole = int(worth * 10**-steps if steps <= 0 else worth / 10**steps)
        return self.tag(whole % ROLLS_OVER if self.tag is DoubleLongUnsigned else whole)


def signed(worth: Worth, unit: Unit, scaler: int = 0) -> Figure:
    """Return a figure that may be negative."""
    return Figure(worth, unit, scaler, DoubleLong)


def short(worth: Worth, unit: Unit, scaler: int = 0) -> Figure:
    """Return a figure that fits into 16 bits."""
    return Figure(worth, unit, scaler, LongUnsigned)


def small(worth: Worth) -> Figure:
    """Return a number without a unit that fits into 8 bits."""
    return Figure(worth, Unit.NO_UNIT, 0, Unsigned)
