"""What happens to a fleet, as data: outages of regions, with last gasps at their begin and a storm of dial-ins after.

    [[outage]]
    at = 2026-03-01T08:00:00+01:00
    length = 7200           # seconds
    region = 2              # of `regions`, which share the numbers evenly; left out: everybody
    last_gasp = 0.8         # how many meters have the strength to say so
    storm = 300             # seconds in which all come back and say so

Everything follows from the seed: which meters gasp, and in which order all come back.
"""

from __future__ import annotations

import heapq
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple

from cosem.errors import ConfigurationError
from cosem.meter.loads.chance import chance

GASP_WITHIN: Final = 10.0
"""Seconds after the power has gone in which last gasps are sent."""

_OUTAGES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The power of a region goes at `at` for `length`; see this module for what the rest says."""

    at: datetime
    length: timedelta
    region: int | None = None
    last_gasp: float = 0.0
    storm: timedelta = timedelta()

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ConfigurationError("an outage begins at a time with its offset, such as 2026-03-01T08:00:00+01:00")
        if self.length <= timedelta() or self.storm < timedelta():
            raise ConfigurationError("an outage has a length above 0, and a storm of 0 seconds or more")
        if not 0 <= self.last_gasp <= 1:
            raise ConfigurationError(f"last_gasp is a share from 0 to 1, not {self.last_gasp}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All that happens; `regions` share the numbers of the meters evenly, in their order."""

    outages: tuple[Outage, ...] = ()
    regions: int = 1

    def __post_init__(self) -> None:
        if self.regions < 1:
            raise ConfigurationError(f"a fleet has 1 region or more, not {self.regions}")
        for each in self.outages:
            if each.region is not None and not 0 <= each.region < self.regions:
                raise ConfigurationError(f"region {each.region}: there are the regions 0 to {self.regions - 1}")

    def numbers(self, region: int | None, count: int) -> range:
        """Return the meters of a region in a fleet of `count`."""
        if region is None:
            return range(count)
        return range(region * count // self.regions, (region + 1) * count // self.regions)


class What(Enum):
    """What a meter says, unasked."""

    LAST_GASP = "last gasp"
    POWER_UP = "power up"


class Happening(NamedTuple):
    """One meter says something at a virtual time."""

    time: datetime
    number: int
    what: What


class Director:
    """Lets a scenario happen to `count` meters as time passes; it says who has power, and what is said unasked."""

    def __init__(self, scenario: Scenario, count: int, seed: int = 0) -> None:
        self.scenario = scenario
        self.seed = seed
        self._count = count
        self._dark = bytearray(count)
        """How many outages a meter is in."""
        parts = (self._course(place, each) for place, each in enumerate(scenario.outages))
        self._coming: Iterator[tuple[datetime, int, int]] = heapq.merge(*parts)
        self._next = next(self._coming, None)

    def powered(self, number: int) -> bool:
        """Tell whether a meter has power."""
        return not self._dark[number]

    @property
    def dark(self) -> int:
        """How many meters are without power."""
        return self._count - self._dark.count(0)

    def deadline(self) -> datetime | None:
        """Return when `tick` has something to do next, in virtual time; None when all has happened."""
        return None if self._next is None else self._next[0]

    def tick(self, now: datetime) -> list[Happening]:
        """Let happen what was due until now, and return what was said."""
        said: list[Happening] = []
        while self._next is not None and self._next[0] <= now:
            time, place, step = self._next
            self._next = next(self._coming, None)
            if step == _DOWN:
                self._shift(self.scenario.outages[place], 1)
            elif step == _UP:
                self._shift(self.scenario.outages[place], -1)
            elif step > 0:
                said.append(Happening(time, step - 1, What.LAST_GASP))
            elif self.powered(-step - 1):
                said.append(Happening(time, -step - 1, What.POWER_UP))
        return said

    def _shift(self, outage: Outage, by: int) -> None:
        for number in self.scenario.numbers(outage.region, self._count):
            self._dark[number] += by

    def _course(self, place: int, outage: Outage) -> Iterator[tuple[datetime, int, int]]:
        """Give what happens in an outage, in order; made when its turn has come."""
        yield outage.at, place, _DOWN
        numbers = self.scenario.numbers(outage.region, self._count)
        yield from self._spread(outage.at, place, (n for n in numbers if self._drawn(place, 0, n) < outage.last_gasp))
        restored = outage.at + outage.length
        yield restored, place, _UP
        storm = outage.storm.total_seconds()
        back = ((restored + timedelta(seconds=storm * self._drawn(place, 2, n)), place, -n - 1) for n in numbers)
        yield from sorted(back)

    def _spread(self, begin: datetime, place: int, numbers: Iterable[int]) -> list[tuple[datetime, int, int]]:
        return sorted(
            (begin + timedelta(seconds=GASP_WITHIN * self._drawn(place, 1, n)), place, n + 1) for n in numbers
        )

    def _drawn(self, place: int, use: int, number: int) -> float:
        return chance(self.seed * _OUTAGES + place * 3 + use, number)


_DOWN: Final = 1 << 40
_UP: Final = -(1 << 40)


def load(path: Path) -> Scenario:
    """Return the scenario of a TOML file. Raises ConfigurationError that says what is wrong in it."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ConfigurationError(f"cannot read {path}: {problem}") from problem
    return parse(said)


def parse(said: Mapping[str, Any]) -> Scenario:
    """Return the scenario that tables of TOML describe."""
    unknown = set(said) - {"outage", "regions"}
    if unknown:
        raise ConfigurationError(f"{', '.join(sorted(unknown))}: a scenario has [[outage]] and regions")
    return Scenario(outages=tuple(_outage(each) for each in said.get("outage", ())), regions=said.get("regions", 1))


def _outage(said: Mapping[str, Any]) -> Outage:
    known = {each.name for each in fields(Outage)}
    unknown, missing = set(said) - known, {"at", "length"} - set(said)
    if unknown or missing:
        wrong = ", ".join(sorted(unknown or missing))
        raise ConfigurationError(f"outage: {wrong} {'is unknown' if unknown else 'is missing'}; it has {sorted(known)}")
    if not isinstance(said["at"], datetime):
        raise ConfigurationError("outage: at is a time such as 2026-03-01T08:00:00+01:00")
    spans: dict[str, Any] = {name: timedelta(seconds=said[name]) for name in ("length", "storm") if name in said}
    return Outage(**(dict(said) | spans))
