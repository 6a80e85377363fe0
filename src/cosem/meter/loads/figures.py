"""What a load can say of itself: each figure with its unit, scaler and tag, by kind and name (`gas.volume`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cosem.errors import ConfigurationError
from cosem.meter.behaviour.clock import standard_offset
from cosem.meter.item import FromSource, Kept, Visit
from cosem.meter.loads import electricity, pipes
from cosem.meter.loads.course import EPOCH, Moment
from cosem.meter.loads.kind import Figure

KINDS: Final[Mapping[str, Mapping[str, Figure]]] = MappingProxyType({**electricity.KINDS, **pipes.KINDS})
"""The figures of each kind of load, by name."""


Stretches: TypeAlias = "tuple[tuple[float, float], ...]"


class Load:
    """One load: its seed, and when it began to count. As the `source` of a device it is what `shown` values ask."""

    __slots__ = ("_made", "_moment", "_time", "begin", "number")

    def __init__(self, number: int, zone: tzinfo) -> None:
        self.number = number
        self.begin = began(zone)
        self._time: datetime | None = None
        self._made: Callable[[int, float], Moment] = Moment
        self._moment: Moment  # of the time that was asked for last

    def seconds(self, time: datetime) -> float:
        """Return how long it has counted at a time."""
        return (time - self.begin).total_seconds()

    @property
    def dark(self) -> Stretches:
        """From when to when there was no power, in the seconds that it counts."""
        return ()

    def moment(self, time: datetime) -> Moment:
        """Return what its figures at a time have in common, which is reckoned once for all that are read together."""
        if time is not self._time:
            self._time, self._moment = time, self._made(self.number, self.seconds(time))
        return self._moment

    def flow_by(self, made: Callable[[int, float], Moment]) -> None:
        """Have other moments of a seed and the seconds that it counts from now on, as behind a breaker."""
        self._time, self._made = None, made


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure, in steps of a scaler, of whatever load is asked."""

    figure: Figure
    scaler: int
    whole: FromSource | None = field(default=None, compare=False)
    """What it is one tariff's share of."""
    held: Callable[[Moment], Any] = field(init=False, repr=False, compare=False)
    """Its value at a moment."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "held", self.figure.holding(self.scaler))

    def __call__(self, load: Load, time: datetime) -> Any:
        """Return the value of a load at a local time."""
        return self.held(load.moment(time))

    def series(self, source: Load, visits: Sequence[Visit], kept: Kept) -> list[Any]:
        """Return the values of a load at several local times."""
        moments = kept.get(source)
        if moments is None:
            moments = kept[source] = [source.moment(visit.time) for visit in visits]
        held = self.held
        return [held(moment) for moment in moments]


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure of one load: called with a local time, it answers in steps of its scaler."""

    shown: Shown
    load: Load

    def __call__(self, time: datetime) -> Any:
        """Return the value at a time."""
        return self.shown(self.load, time)


@lru_cache(maxsize=64)
def began(zone: tzinfo) -> datetime:
    """Return when loads in a zone began to count: the epoch, in local standard time."""
    return EPOCH - standard_offset(zone, EPOCH.year)


def figure(name: str) -> Figure:
    """Return a figure by kind and name, such as `household.active_import`; ConfigurationError names what there is."""
    kind, _, rest = name.partition(".")
    if kind not in KINDS:
        raise ConfigurationError(f"{name!r}: there is no load of kind {kind!r}, but {', '.join(KINDS)}")
    if rest not in KINDS[kind]:
        raise ConfigurationError(f"{name!r}: a {kind} has {', '.join(KINDS[kind])}")
    return KINDS[kind][rest]


def shown(name: str, scaler: int | None = None) -> FromSource:
    """Return a value that asks the load that is the source of a device; ConfigurationError as of `figure`."""
    found = figure(name)
    return FromSource(Shown(found, found.scaler if scaler is None else scaler))


def measured(name: str, load: Load, scaler: int | None = None) -> Measured:
    """Return a value that follows one load, whatever the source of its device; ConfigurationError as of `figure`."""
    found = figure(name)
    return Measured(Shown(found, found.scaler if scaler is None else scaler), load)
