"""Which meters of a fleet misbehave, and what each of them does wrong: drawn by seed and number, nothing is stored.

    [[meters]]
    count = 1000
    faults = { share = 0.03, loss = 0.1, late = 0.01 }      # the keys of `cosem.meter.faults.Faults`

    [[meters]]
    count = 1000

    [[meters.faults]]                                       # several, whose shares add up to 1 at most
    share = 0.02                                            # of the meters; left out: all
    deviations = ["any_invoke_id"]

    [[meters.faults]]
    share = 0.01
    clock_drift = 20                                        # seconds a day, since the fleet began

What befalls a meter follows from the `seed` of its faults and its number, whoever else is visited. Seconds of the line,
as those of `latency`, are real ones at whatever speed virtual time goes, for it is real clients that wait; those of the
clock and of images are virtual. `counter_back` takes demo keys, which everybody has: those that are derived from the
secret of a fleet outlive it, and a counter that is used twice would give them away.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any, Final

from cosem.errors import ConfigurationError
from cosem.meter.faults import NAMES, WELL_BEHAVED, Faults, value_of
from cosem.protocol.model.gathered import Gathered
from cosem.protocol.model.table import Table

_ROUNDING: Final = 1e-9
_NUMBERS: Final = 32
"""Bits of a number of a meter: seeds that lie so far apart meet nowhere."""


@dataclass(frozen=True, slots=True)
class Misbehaviour:
    """What a share of some meters does wrong.

    Raises ConfigurationError for a share that is none, for nothing wrong, and for what does nothing without others.
    """

    faults: Faults
    share: float = 1.0

    def __post_init__(self) -> None:
        _check_share(self.share)
        for key, why in self.faults.alone:
            raise ConfigurationError(f"{key}: {why}")
        if self.faults == WELL_BEHAVED:
            raise ConfigurationError("nothing is wrong here: write loss = 0.1, for example, or leave faults out")


class Misbehaving:
    """Kinds of misbehaviour by their shares; ConfigurationError where these add up to more than 1."""

    __slots__ = ("_bounds", "kinds")

    def __init__(self, *kinds: Misbehaviour) -> None:
        self.kinds = kinds
        self._bounds = tuple(accumulate(each.share for each in kinds))
        if self._bounds and self._bounds[-1] > 1 + _ROUNDING:
            raise ConfigurationError(f"the shares add up to {self._bounds[-1]:g}: write 1 at most, the others behave")

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def kind(self, seed: int, number: int) -> Misbehaviour | None:
        """Return how a meter misbehaves; None where it does not."""
        if not self.kinds:
            return None
        place = bisect_right(self._bounds, zlib.crc32(f"{seed} faults {number}".encode()) / (1 << 32))
        return self.kinds[place] if place < len(self.kinds) else None

    def of(self, seed: int, number: int) -> Faults:
        """Return the faults of a meter, whose chance is its own."""
        kind = self.kind(seed, number)
        if kind is None:
            return WELL_BEHAVED
        faults = kind.faults
        return replace(faults, seed=(faults.seed << _NUMBERS) + number) if faults.by_chance else faults


NOBODY: Final = Misbehaving()


def read(table: Table, gathered: Gathered) -> tuple[Misbehaving, tuple[Table, ...]]:
    """Return what `faults` of a table of meters says, and the tables of each kind; what is wrong is gathered."""
    if "faults" not in table:
        return NOBODY, ()
    several = gathered.take(lambda: table.given("faults", lambda given: isinstance(given, list)), False)
    tables: list[Table] = gathered.take(lambda: table.tables("faults") if several else [table.table("faults")], [])
    kinds = [found for each in tables if (found := _misbehaviour(each, gathered)) is not None]
    if len(kinds) < len(tables):
        return NOBODY, ()  # what is wrong was taken down
    misbehaving = gathered.take(lambda: table.guarded(lambda: Misbehaving(*kinds), "faults"), NOBODY)
    return misbehaving, tuple(tables[: len(misbehaving.kinds)])


def _misbehaviour(table: Table, gathered: Gathered) -> Misbehaviour | None:
    before = len(gathered.faults)
    share = gathered.take(partial(_share, table), 1.0)
    given: dict[str, Any] = {name: gathered.take(partial(value_of, table, name)) for name in NAMES if name in table}
    gathered.finish(table)
    if len(gathered.faults) > before:
        return None
    return gathered.take(lambda: table.guarded(lambda: Misbehaviour(Faults(**given), share)))


def _share(table: Table) -> float:
    share = table.number("share", 1.0)
    table.guarded(lambda: _check_share(share))
    return share


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise ConfigurationError(f"share: expected 0 to 1, not {share:g}")
