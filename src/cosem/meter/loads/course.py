"""Courses: how much of something has flowed since the epoch, for any time at the same cost.

A course is a shape of days, by month and kind of day, times a factor for each day, summed once over the 28 years after
which weekdays fall on the same dates again. The sums are shared by all meters; a meter has its own size and its own
unrest (see `Moment`).
"""

from __future__ import annotations

import math
import tomllib
from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from itertools import accumulate
from typing import Any, Final, Protocol, TypeAlias

from cosem.meter.loads.chance import chance

EPOCH: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""When everything began to count, as local standard time."""

SLOT: Final = 900
SLOTS: Final = 96
DAY: Final = 86_400
CYCLE: Final = 28 * 365 + 7
"""Days after which dates have the same weekdays again."""

GRAIN: Final = 300
"""Seconds in which a flow is even."""

GRAINS: Final = SLOT // GRAIN
_GRAINS_OF_HOUR: Final = 3600 / GRAIN

UNREST: Final = 0.9
"""How much of the flow of a grain may come a grain earlier."""

DAY_TARIFF: Final = range(6 * 4, 22 * 4)
"""Quarters of an hour from 6 to 22 o'clock, standard time."""

_GRAINS_OF_DAY: Final = SLOTS * GRAINS
_TARIFFS_BEGIN: Final = frozenset((DAY_TARIFF.start * GRAINS, DAY_TARIFF.stop * GRAINS))

_STANDBY: Final = range(5 * 4)
_WORKDAY, _SATURDAY, _SUNDAY = range(3)
_KINDS_OF_DAY: Final = 3
_WEATHER: Final = 0x57EA
_LOWEST_SUN: Final = 0.12
"""Sine of the height below which the sun brings nothing."""

Term: TypeAlias = "tuple[float, Course]"


class Course:
    """What flows, as a mean of 1 in a day where nothing is left out."""

    __slots__ = ("_factors", "_shapes", "_until")

    def __init__(self, shapes: Sequence[Sequence[float]], factors: array[float]) -> None:
        self._shapes = tuple(array("d", accumulate(shape, initial=0.0)) for shape in shapes)
        self._factors = factors
        days = (self._shapes[kind][-1] * factor for kind, factor in zip(_kinds(), factors, strict=True))
        self._until = array("d", accumulate(days, initial=0.0))

    def around(self, number: int) -> tuple[float, float, float]:
        """Return how much has flowed when a grain since the epoch begins, how much flows in it, and in the next one."""
        days, of_day = divmod(number, SLOTS * GRAINS)
        cycles, day = divmod(days, CYCLE)
        slot, grain = divmod(of_day, GRAINS)
        shape, factor = self._shapes[_kinds()[day]], self._factors[day]
        begin = shape[slot]
        step = (shape[slot + 1] - begin) * factor / GRAINS
        flowed = cycles * self._until[-1] + self._until[day] + factor * begin + grain * step
        if grain < GRAINS - 1:
            return flowed, step, step
        if slot < SLOTS - 1:
            return flowed, step, (shape[slot + 2] - shape[slot + 1]) * factor / GRAINS
        day = (day + 1) % CYCLE
        return flowed, step, self._shapes[_kinds()[day]][1] * self._factors[day] / GRAINS


class Flowing(Protocol):
    """What flows of something."""

    def around(self, moment: Moment) -> tuple[float, float, float]:
        """Return what `around` says of the grain of a moment, in the size that belongs to its seed."""
        ...


class Moment:
    """One time of one seed: what of its flows were asked for at that time, and what they have in common.

    Part of what flows in a grain comes in the one before, as the seed has it: the same part in all figures of a meter,
    so that they stay the sums of each other. Within a grain the flow is even, so that energy is power times time.
    """

    __slots__ = ("_early", "_flowed", "_flows", "_next", "_part", "known", "number", "seconds", "seed")

    def __init__(self, seed: int, seconds: float) -> None:
        self.seed = seed
        self.seconds = seconds
        count, passed = divmod(seconds, GRAIN)
        self.number = number = int(count)
        self._part = passed / GRAIN
        self._early = _early(seed, number)
        self.known: Any = None
        """What whoever asks for flows has found out of the seed."""
        self._next: float | None = None
        """The same of the next grain, once it is needed: where a grain begins, energy does not."""
        self._flowed: dict[Flowing, float] = {}
        self._flows: dict[Flowing, float] = {}

    def flowed(self, flow: Flowing) -> float:
        """Return how much has flowed of something."""
        flowed = self._flowed.get(flow)
        if flowed is None:
            flowed = 0.0
            if self.seconds >= 0:
                begun, step, following = flow.around(self)
                flowed = begun + self._early * step
                if self._part:
                    flowed += self._grown(step, following) * self._part
            self._flowed[flow] = flowed
        return flowed

    def flows(self, flow: Flowing) -> float:
        """Return how much flows of something in an hour now."""
        flows = self._flows.get(flow)
        if flows is None:
            flows = 0.0
            if self.seconds >= 0:
                _, step, following = flow.around(self)
                flows = self._grown(step, following) * _GRAINS_OF_HOUR
            self._flows[flow] = flows
        return flows

    def _grown(self, step: float, following: float) -> float:
        """Return how much flows in this grain."""
        if self._next is None:
            self._next = _early(self.seed, self.number + 1)
        return (1 - self._early) * step + self._next * following


def _early(seed: int, number: int) -> float:
    """Return which part of what flows in a grain comes in the one before: none where another tariff holds there."""
    return 0.0 if number % _GRAINS_OF_DAY in _TARIFFS_BEGIN else UNREST * chance(seed, number)


def around(terms: Sequence[Term], number: int) -> tuple[float, float, float]:
    """Return of some courses, each in its size, and all together, what `Course.around` says of one."""
    begun = step = following = 0.0
    for size, each in terms:
        of_one = _around(each, number)
        begun += size * of_one[0]
        step += size * of_one[1]
        following += size * of_one[2]
    return begun, step, following


_around = lru_cache(maxsize=4096)(Course.around)
"""The same for all meters whose flow has this course, most of which are read for the same times."""


@lru_cache(maxsize=512)
def course(shape: str, *windows: str) -> Course:
    """Return the course of a shape in `shapes.toml`; of its days, what lies in all of some windows."""
    described = data()["shapes"][shape]
    factors = _factors(shape)
    whole = [_weights(described, kind) for kind in range(12 * _KINDS_OF_DAY)]
    mean = sum(sum(whole[kind]) * factor for kind, factor in zip(_kinds(), factors, strict=True)) / CYCLE
    kept = [
        [
            weight / mean if all(WINDOWS[name](kind // _KINDS_OF_DAY, slot) for name in windows) else 0.0
            for slot, weight in enumerate(weights)
        ]
        for kind, weights in enumerate(whole)
    ]
    return Course(kept, factors)


def temperature(seconds: float) -> float:
    """Return how warm it is outside, in °C: the mean of the day, warmer in the afternoon."""
    days, second = divmod(max(seconds, 0.0), DAY)
    return _temperatures()[int(days) % CYCLE] + 3.5 * math.cos(2 * math.pi * (second / DAY - 15 / 24))


def by_month(values: Sequence[float], seconds: float) -> float:
    """Return what has a value in the middle of each month, in between on a line."""
    return _between(values, int(max(seconds, 0.0) // DAY) % CYCLE)


@lru_cache(maxsize=1)
def data() -> Mapping[str, Any]:
    """Return what `shapes.toml` says."""
    return tomllib.loads(files(__package__ or "cosem.meter.loads").joinpath("shapes.toml").read_text(encoding="utf-8"))


# -- days --------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _dates() -> tuple[datetime, ...]:
    return tuple(EPOCH + timedelta(days=day) for day in range(CYCLE))


@lru_cache(maxsize=1)
def _kinds() -> bytes:
    """Return which shape each day of the cycle has: by its month, and whether it is a workday, Saturday or Sunday."""
    of_week = (*(_WORKDAY,) * 5, _SATURDAY, _SUNDAY)
    return bytes((date.month - 1) * _KINDS_OF_DAY + of_week[date.weekday()] for date in _dates())


@lru_cache(maxsize=1)
def _weather() -> array[float]:
    """Return how far each day is above what its season brings, from -1 to 1: three days hang together."""
    drawn = [2 * chance(_WEATHER, day) - 1 for day in range(CYCLE)]
    return array("d", ((drawn[day - 2] + 2 * drawn[day - 1] + drawn[day]) / 4 for day in range(CYCLE)))


@lru_cache(maxsize=1)
def _temperatures() -> array[float]:
    climate = data()["climate"]
    means, spread = climate["temperature"], 2 * climate["spread"]
    return array("d", (_between(means, day) + spread * weather for day, weather in enumerate(_weather())))


@lru_cache(maxsize=64)
def _factors(shape: str) -> array[float]:
    described = data()["shapes"][shape]
    if described.get("heating"):
        limit, week = data()["climate"]["heating_limit"], described["week"]
        return array(
            "d",
            (
                max(limit - warm, 0.0) * week[date.weekday()]
                for warm, date in zip(_temperatures(), _dates(), strict=True)
            ),
        )
    season = described["season"]
    if described.get("sun"):
        return array("d", (_between(season, day) * (1 + 0.7 * weather) for day, weather in enumerate(_weather())))
    week = described["week"]
    return array("d", (_between(season, day) * week[date.weekday()] for day, date in enumerate(_dates())))


def _between(values: Sequence[float], day: int) -> float:
    """Return what a day has of something with a value in the middle of each month."""
    return _of_year(tuple(values))[_days_of_year()[day]]


@lru_cache(maxsize=1)
def _days_of_year() -> array[int]:
    return array("h", (date.timetuple().tm_yday - 1 for date in _dates()))


@lru_cache(maxsize=64)
def _of_year(values: tuple[float, ...]) -> array[float]:
    """Return values in the middle of each month for each day of a year, in between on a line."""
    months = [(day - _MIDDLE) / _MONTH for day in range(366)]
    lower = [math.floor(month) for month in months]
    return array(
        "d",
        (
            values[low % 12] + (values[(low + 1) % 12] - values[low % 12]) * (month - low)
            for low, month in zip(lower, months, strict=True)
        ),
    )


_MONTH: Final = 30.5
_MIDDLE: Final = 15.25
"""Days of a month, and until its middle."""


def _weights(described: Mapping[str, Any], kind: int) -> list[float]:
    month, of_week = divmod(kind, _KINDS_OF_DAY)
    if described.get("sun"):
        heights = [max(_sun(month, slot) - _LOWEST_SUN, 0.0) for slot in range(SLOTS)]
        return [height / sum(heights) for height in heights]
    humps = described["workday" if of_week == _WORKDAY else "weekend"]
    weights = [
        described["base"]
        + sum(high * math.exp(-((((slot + 0.5) / 4 - hour) / wide) ** 2)) for hour, wide, high in humps)
        for slot in range(SLOTS)
    ]
    return [weight / sum(weights) for weight in weights]


@lru_cache(maxsize=12 * SLOTS)
def _sun(month: int, slot: int) -> float:
    """Return the sine of the sun's height in the middle of a quarter of an hour, in the middle of a month."""
    latitude = math.radians(data()["climate"]["latitude"])
    declination = math.radians(-23.44) * math.cos(2 * math.pi * (month * 30.4375 + 25) / 365.25)
    turn = math.radians(((slot + 0.5) / 4 - 12) * 15)
    upright = math.sin(latitude) * math.sin(declination)
    return upright + math.cos(latitude) * math.cos(declination) * math.cos(turn)


def _strong(month: int, slot: int) -> bool:
    return _sun(month, slot) >= 0.6 * _sun(month, SLOTS // 2)


WINDOWS: Final[Mapping[str, Callable[[int, int], bool]]] = {
    "day": lambda _, slot: slot in DAY_TARIFF,
    "night": lambda _, slot: slot not in DAY_TARIFF,
    "sun": lambda month, slot: _sun(month, slot) > _LOWEST_SUN,
    "shade": lambda month, slot: _sun(month, slot) <= _LOWEST_SUN,
    "standby": lambda _, slot: slot in _STANDBY,
    "busy": lambda _, slot: slot not in _STANDBY,
    "strong": _strong,
    "weak": lambda month, slot: not _strong(month, slot),
}
"""Parts of days, by month from 0 and quarter of an hour."""
