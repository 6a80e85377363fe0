"""A population: meters by number, each made when somebody comes to it and forgotten when nobody has come for long."""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from itertools import accumulate
from typing import Final

from cosem.errors import ConfigurationError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.counters import FleetCounters
from cosem.fleet.effects import AffectedHousehold, Drifts, Effects, affected_objects
from cosem.fleet.keys import FleetKeys
from cosem.fleet.kinds import Kinds
from cosem.fleet.misbehaving import NOBODY, Misbehaving
from cosem.fleet.models import FIRST_SERIES, MANUFACTURER, MOST_METERS, Model, Own, name_of
from cosem.fleet.outages import DarkHousehold, dark_objects
from cosem.fleet.push_setup import PushSettings
from cosem.fleet.scenario import Scenario
from cosem.fleet.scripted import affect, lacking
from cosem.meter.associations import OPEN_ASSOCIATION, PUBLIC_ASSOCIATION, AssociationDescription
from cosem.meter.by_companion import furnish_by
from cosem.meter.demo import MANAGEMENT_CLIENT, Household, objects_of
from cosem.meter.device import Meter, system_clock
from cosem.meter.faults import WELL_BEHAVED, Chance, Faults
from cosem.meter.feed import Feed
from cosem.meter.lockout import DEFAULT_LIMITS as LOCKOUT_LIMITS
from cosem.meter.lockout import Lockout, LockoutLimits
from cosem.meter.objects import Objects
from cosem.meter.rights import Access, Rights
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.model.companion import Companion, Notes

MOST_SUSPICIOUS: Final = 65_536
"""Meters that are not held ready of which it is remembered who is locked out."""

_SERIES: Final = FIRST_SERIES * MOST_METERS


@dataclass(frozen=True, slots=True, kw_only=True)
class PopulationLimits:
    """How many meters that nobody visits are held ready, all of those that were changed; and what each meter takes."""

    ready: int = 4096
    lockout: LockoutLimits = LOCKOUT_LIMITS
    association: AssociationLimits = field(default_factory=AssociationLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Meters that have something in common: of these `kinds` in their shares.

    Attributes:
        count: how many.
        seed: of what they measure; that of the population unless given.
        secured: whether they have keys, where the population has any.
        companion: what they have is what this companion specification names. Such meters are remembered from the first
            visit on, for their objects are their own.
        model: they are like a described meter, or like one of which there is a snapshot; then they are of no kind.
        misbehaving: which of them misbehave, and how.
    """

    count: int
    kinds: Kinds = field(default_factory=Kinds)
    seed: int | None = None
    secured: bool = True
    companion: Companion | None = None
    model: Model | None = None
    misbehaving: Misbehaving = NOBODY

    @property
    def notes(self) -> tuple[Notes, ...] | None:
        """By which codes they note what happens; None where they do as all kinds of loads do."""
        if self.model is not None:
            return self.model.notes
        return None if self.companion is None else self.companion.notes

    @property
    def lacks(self) -> Mapping[str, str]:
        """Which tables of a fleet's file they cannot go by, and why."""
        if self.model is not None:
            return self.model.lacks
        return {} if self.companion is None else lacking(self.companion)


class Population:
    """Meters from number 0 on. What is not remembered of one follows from its number, the seed and the time.

    Without `keys` client 16 reads everything of everybody, without authentication; with them client 1 manages each
    meter by HLS-GMAC and authenticated encryption, and client 16 is the public client.

    Args:
        groups: how many, or groups of them in the order of their numbers.
        seed: other seeds give other measurements.
        kinds: the shares of each kind of meter, see `cosem.fleet.kinds`; households unless given. Not with groups.
        keys: where each meter has its keys from.
        zone: where all clocks are.
        clock: the true time.
        first_counter: where the invocation counters of meters begin.
        limits: how much is held ready.
        effects: what happens to meters, see `cosem.fleet.effects`.
        push: how they push, if they do.
        entropy: gives the asked number of unpredictable octets to all meters, for sessions and for pushes. One that
            gives the same again, for a replay to the octet, can be foretold: with it nobody proves who he is.
    """

    def __init__(
        self,
        groups: int | Sequence[Group],
        *,
        seed: int = 0,
        kinds: Kinds | None = None,
        keys: FleetKeys | None = None,
        zone: tzinfo = UTC,
        clock: Callable[[], datetime] = system_clock,
        first_counter: int = 0,
        limits: PopulationLimits | None = None,
        effects: Effects | None = None,
        push: PushSettings | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        if isinstance(groups, int):
            groups = (Group(count=groups, kinds=kinds or Kinds()),)
        self.groups = tuple(groups)
        self._starts = tuple(accumulate((each.count for each in self.groups[:-1]), initial=0))
        count = sum(each.count for each in self.groups)
        self.effects = effects
        self.push = push
        self._affected = effects is not None and effects.scenario.changes_meters
        self._objects: dict[tuple[str, bool], Objects] = {}
        if not 0 < count <= MOST_METERS:
            raise ConfigurationError(f"a fleet has 1 to {MOST_METERS} meters, not {count}")
        self.count = count
        self.seed = seed
        self.keys = keys
        self.zone = zone
        self.clock = clock
        self._begun = clock.start if isinstance(clock, VirtualClock) else clock()
        self.entropy = entropy
        self.counters = FleetCounters(count, first_counter)
        self._limits = limits or PopulationLimits()
        self._visited: dict[int, tuple[Meter, int]] = {}
        """Meters that somebody is at, and how many are."""
        self._ready: OrderedDict[int, Meter] = OrderedDict()
        self._changed: dict[int, Meter] = {}
        self._lockouts: dict[int, Lockout] = {}
        """Who is locked out by meters that were forgotten, the one forgotten first at the front."""
        self._chances: dict[int, Chance] = {}
        """What befalls those that misbehave: it goes on when one was forgotten, whoever else was visited meanwhile."""
        sizes = self._limits.association
        self._demonstration = _management(keys, b"", sizes) if keys is not None and keys.is_demonstration else None
        self._public = replace(PUBLIC_ASSOCIATION, limits=sizes)
        self._open = () if sizes == AssociationLimits() else (replace(OPEN_ASSOCIATION, limits=sizes),)
        self._let_drift()

    @property
    def is_demonstration(self) -> bool:
        """Whether everybody knows the keys."""
        return self.keys is not None and self.keys.is_demonstration and any(each.secured for each in self.groups)

    def name(self, number: int) -> str:
        """Return the logical device name of a meter."""
        return name_of(number)

    def names(self, number: int) -> tuple[str, ...]:
        """Return the names of all logical devices of a meter, that of the management one first."""
        model = self.group(number).model
        return tuple(name_of(number, place) for place in range(1 if model is None else model.devices))

    def number(self, name: str) -> int | None:
        """Return which meter has a logical device name; None where none has."""
        digits = name.removeprefix(f"{MANUFACTURER}{FIRST_SERIES}")
        if len(digits) != 9 or not digits.isdecimal():
            return None
        found = int(digits)
        return found if found < self.count and self.name(found) == name else None

    def title(self, number: int) -> bytes:
        """Return the system title of a meter."""
        return MANUFACTURER.encode() + (_SERIES + number).to_bytes(5, "big")

    def visit(self, number: int) -> Stay:
        """Return what gives a meter for as long as somebody is at it: a context manager."""
        return Stay(self, number)

    def come(self, number: int) -> Meter:
        """Give a meter to one visitor more."""
        meter, visitors = self._visited.get(number) or (self._called(number), 0)
        self._visited[number] = (meter, visitors + 1)
        return meter

    def leave(self, number: int) -> None:
        """Take note that a visitor has gone."""
        meter, visitors = self._visited[number]
        if visitors > 1:
            self._visited[number] = (meter, visitors - 1)
        else:
            del self._visited[number]
            self._put_back(number, meter)

    def make(self, number: int) -> Meter:
        """Return a meter as it was when nobody had come to it yet."""
        if not 0 <= number < self.count:
            raise ConfigurationError(f"meter {number}: the fleet has the meters 0 to {self.count - 1}")
        group, effects = self.group(number), self.effects
        seed = (self.seed if group.seed is None else group.seed) + number
        clock = self.clock if effects is None else effects.clock(number, self.clock)
        if group.model is not None:
            return self._like(group.model, number, seed, clock)
        meter = Meter(
            self.name(number),
            zone=self.zone,
            clock=clock,
            system_title=self.title(number),
            counters=self.counters.of(number),
            entropy=self.entropy,
            lockout=self._limits.lockout,
            faults=WELL_BEHAVED if group.misbehaving is NOBODY else self._wrong(number),
        )
        kind = self.kind(number)
        if group.companion is not None:
            feed = Feed(kind, seed, meter, meter.management)
            for profiles in (False, True):
                furnish_by(group.companion, meter.management, profiles=profiles, feed=feed, begins=False)
            if self.push is not None:
                self.push.add_to(meter.management.objects, group.notes)
            affect(meter, group.companion, effects if self._affected else None, number, self._begun)
        else:
            source = self._source(seed, number, meter)
            meter.management.use(self._objects_of(kind, isinstance(source, DarkHousehold)), source)
        meter.offer(*self.associations(number))
        return meter

    def _like(self, model: Model, number: int, seed: int, clock: Callable[[], datetime]) -> Meter:
        """Return a meter that is like a described one, or like one of which there is a snapshot."""
        counters, lockout = self.counters.of(number), self._limits.lockout
        faults = WELL_BEHAVED if self.group(number).misbehaving is NOBODY else self._wrong(number)
        own = Own(number, seed, self.title(number), clock, self.zone, counters, self.entropy, lockout, faults)
        meter = model.make(own, self.push)
        if model.lives:
            affect(meter, None, self.effects if self._affected else None, number, self._begun)
        for device in meter.devices.values():
            device.offer(*self.associations(number))
        return meter

    def _objects_of(self, kind: str, dark: bool) -> Objects:
        """Return the objects that all meters of a kind share here, or those of them that outages concern."""
        found = self._objects.get((kind, dark))
        if found is None:
            found = dark_objects(kind) if dark else affected_objects(kind) if self._affected else objects_of(kind)
            if self.push is not None:
                found = found.copy()
                self.push.add_to(found)
            self._objects[kind, dark] = found
        return found

    def _source(self, seed: int, number: int, meter: Meter) -> Household:
        if self._affected and self.effects is not None:
            if self.effects.outages(number):
                return DarkHousehold(seed, self.zone, self.effects, number)
            return AffectedHousehold(seed, self.zone, self.effects, number)
        return Household(seed, self.zone)

    def group(self, number: int) -> Group:
        """Return the group that a meter is of."""
        return self.groups[bisect_right(self._starts, number) - 1]

    def kind(self, number: int) -> str:
        """Return the kind of a meter, or the file that says what it is like."""
        group = self.group(number)
        return group.kinds.of(self.seed, number) if group.model is None else group.model.label

    def faults(self, number: int) -> Faults:
        """Return what a meter does wrong."""
        return self.group(number).misbehaving.of(self.seed, number)

    @cached_property
    def misbehaving(self) -> int:
        """How many meters misbehave."""
        return sum(1 for _ in self.misbehaved())

    def misbehaved(self) -> Iterator[int]:
        """Give the meters that misbehave."""
        for start, group in zip(self._starts, self.groups, strict=True):
            for number in range(start, start + group.count) if group.misbehaving else ():
                if group.misbehaving.kind(self.seed, number) is not None:
                    yield number

    def _let_drift(self) -> None:
        """Let the clocks drift of meters that are to do that wrong."""
        if any(kind.faults.clock_drift for group in self.groups for kind in group.misbehaving.kinds):
            self.effects = (self.effects or Effects(Scenario(), self.count, self.seed)).drifting(self._drifts)

    def _drifts(self, number: int) -> Drifts:
        kind = self.group(number).misbehaving.kind(self.seed, number)
        drift = 0.0 if kind is None else kind.faults.clock_drift
        return ((self._begun, drift / timedelta(days=1).total_seconds()),) if drift else ()

    def _wrong(self, number: int) -> Faults:
        """Return the faults of a meter but for the drift of its clock, which it is given (see `Effects`)."""
        faults = self.faults(number)
        return replace(faults, clock_drift=0.0) if faults.clock_drift else faults

    def secured(self, number: int) -> bool:
        """Tell whether a meter has keys."""
        return self.keys is not None and self.group(number).secured

    def associations(self, number: int) -> tuple[AssociationDescription, ...]:
        """Return what a meter offers; nothing where it has none of its own, and its limits are the usual ones."""
        if self.keys is None or not self.group(number).secured:
            return self._open
        sizes = self._limits.association
        return self._public, self._demonstration or _management(self.keys, self.title(number), sizes)

    @property
    def visited(self) -> int:
        """How many meters somebody is at."""
        return len(self._visited)

    @property
    def ready(self) -> int:
        """How many meters are held ready that nobody is at and nobody changed."""
        return len(self._ready)

    @property
    def changed(self) -> int:
        """How many meters are held because somebody changed them."""
        return len(self._changed)

    def _called(self, number: int) -> Meter:
        found = self._ready.pop(number, None) or self._changed.pop(number, None)
        if found is None:
            found = self.make(number)
            if number in self._lockouts:
                found.lockout = self._lockouts.pop(number)
            if found.chance is not None:
                found.chance = self._chances.setdefault(number, found.chance)
        return found

    def _put_back(self, number: int, meter: Meter) -> None:
        meter.keep()
        if not meter.untouched:
            self._changed[number] = meter
            return
        self._ready[number] = meter
        while len(self._ready) > self._limits.ready:
            self._forget(*self._ready.popitem(last=False))

    def _forget(self, number: int, meter: Meter) -> None:
        """Let a meter go, but not who tried to get into it: he comes back when enough others were visited."""
        if not meter.suspects:
            return
        self._lockouts[number] = meter.lockout
        if len(self._lockouts) > MOST_SUSPICIOUS:
            del self._lockouts[next(iter(self._lockouts))]


class Stay:
    """Being at one meter: a context manager that gives it."""

    __slots__ = ("_number", "_population")

    def __init__(self, population: Population, number: int) -> None:
        self._population = population
        self._number = number

    def __enter__(self) -> Meter:
        return self._population.come(self._number)

    def __exit__(self, *_: object) -> None:
        self._population.leave(self._number)


def _management(keys: FleetKeys, title: bytes, limits: AssociationLimits) -> AssociationDescription:
    return AssociationDescription(
        client=MANAGEMENT_CLIENT,
        name="management",
        mechanism=named("gmac"),
        keys=keys.of(title),
        protection=AUTHENTICATED_ENCRYPTION,
        rights=Rights(Access.MANAGE),
        limits=limits,
    )


SINCE: Final = datetime(2020, 1, 1, tzinfo=UTC)


def first_counter(now: datetime) -> int:
    """Return where the counters of a fleet begin whose keys outlive it: above what it sent before, by one a second."""
    return max(0, (now - SINCE) // timedelta(seconds=1))
