"""Lets a scenario happen as virtual time passes: who has power, and what is said unasked."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from typing import Final, NamedTuple

from cosem.fleet.effects import Effects
from cosem.fleet.scenario import Outage, Scenario
from cosem.meter.loads.chance import chance

GASP_WITHIN: Final = 10.0
"""Seconds after the power has gone in which last gasps are sent."""

_OUTAGES: Final = 1 << 20


class What(Enum):
    """What a meter says, unasked."""

    LAST_GASP = "last gasp"
    POWER_UP = "power up"
    UPDATED = "firmware updated"
    TAMPERED = "tampered with"


class Said(NamedTuple):
    """One meter says something at a virtual time."""

    time: datetime
    number: int
    what: What


class _Step(IntEnum):
    """What happens next, to the region of an outage (at place `number` of the scenario) or to one meter."""

    REGION_DOWN = 0
    REGION_UP = 1
    DOWN = 2
    UP = 3
    LAST_GASP = 4
    POWER_UP = 5
    UPDATED = 6
    TAMPERED = 7


_SAID: Final = {
    _Step.LAST_GASP: What.LAST_GASP,
    _Step.POWER_UP: What.POWER_UP,
    _Step.UPDATED: What.UPDATED,
    _Step.TAMPERED: What.TAMPERED,
}

_Due = tuple[datetime, int, int]
"""When, which step, and to whom."""


class Director:
    """Lets a scenario happen to `count` meters as time passes; it says who has power, and what is said unasked."""

    def __init__(self, scenario: Scenario, count: int, seed: int = 0) -> None:
        self.scenario = scenario
        self.seed = seed
        self.effects = Effects(scenario, count, seed)
        self._count = count
        self._dark = bytearray(count)
        """How many outages a meter is in."""
        outages = (self._outage(place, each) for place, each in enumerate(scenario.outages))
        waves = (self._wave(place) for place in range(len(scenario.firmware)))
        tampers = (self._tampering(place) for place in range(len(scenario.tampers)))
        self._coming: Iterator[_Due] = heapq.merge(*outages, *waves, *tampers)
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

    def tick(self, now: datetime) -> list[Said]:
        """Let happen what was due until now, and return what was said: nothing by who has no power."""
        said: list[Said] = []
        while self._next is not None and self._next[0] <= now:
            time, step, number = self._next
            self._next = next(self._coming, None)
            if step in (_Step.REGION_DOWN, _Step.REGION_UP):
                outage = self.scenario.outages[number]
                for each in self.scenario.numbers(outage.region, self._count):
                    self._dark[each] += 1 if step == _Step.REGION_DOWN else -1
            elif step in (_Step.DOWN, _Step.UP):
                self._dark[number] += 1 if step == _Step.DOWN else -1
            elif step == _Step.LAST_GASP or self.powered(number):
                said.append(Said(time, number, _SAID[_Step(step)]))
        return said

    def _outage(self, place: int, outage: Outage) -> Iterator[_Due]:
        """Give what happens in an outage, in order; made when its turn has come."""
        yield outage.at, _Step.REGION_DOWN, place
        numbers = self.scenario.numbers(outage.region, self._count)
        gasping = (n for n in numbers if self._drawn(place, 0, n) < outage.last_gasp)
        yield from sorted(
            (outage.at + timedelta(seconds=GASP_WITHIN * self._drawn(place, 1, n)), _Step.LAST_GASP, n) for n in gasping
        )
        restored = outage.at + outage.length
        yield restored, _Step.REGION_UP, place
        storm = outage.storm.total_seconds()
        yield from sorted(
            (restored + timedelta(seconds=storm * self._drawn(place, 2, n)), _Step.POWER_UP, n) for n in numbers
        )

    def _wave(self, place: int) -> Iterator[_Due]:
        wave = self.scenario.firmware[place]
        numbers = self.scenario.numbers(wave.region, self._count)
        begun = sorted((self.effects.updated_at(place, n), n) for n in numbers)
        down = ((time, int(_Step.DOWN), n) for time, n in begun)
        up = ((time + wave.reboot, int(_Step.UP), n) for time, n in begun)
        told = ((time + wave.reboot, int(_Step.UPDATED), n) for time, n in begun)
        yield from heapq.merge(down, up, told)

    def _tampering(self, place: int) -> Iterator[_Due]:
        tamper = self.scenario.tampers[place]
        numbers: Iterable[int] = self.scenario.numbers(tamper.region, self._count)
        found = ((self.effects.tampered_at(place, n), n) for n in numbers)
        yield from sorted((time, int(_Step.TAMPERED), n) for time, n in found if time is not None)

    def _drawn(self, place: int, use: int, number: int) -> float:
        return chance(self.seed * _OUTAGES + place * 3 + use, number)
