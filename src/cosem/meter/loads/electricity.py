"""Electricity of households, shops, heat pumps and roofs: energy and power by phase, tariff and quadrant.

Each phase takes or delivers, never both: while the sun is up, the phase with the roof delivers what is left over and
takes nothing, and the meter counts the phases one by one. Reactive energy is in the first quadrant while motors run and
in the fourth while only power supplies do; a roof delivers in the third in weak sun and in the second in strong sun.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from cosem.meter.loads.chance import chance, trait
from cosem.meter.loads.course import DAY, DAY_TARIFF, SLOT, Course, Moment, Term, around, course, data
from cosem.meter.loads.kind import Figure, Worth, short, small
from cosem.protocol.values.units import Unit

PHASES: Final = (1, 2, 3)
TARIFFS: Final[Mapping[int, str]] = MappingProxyType({1: "day", 2: "night"})
MINUTE: Final = 60

ROOF: Final = 1
"""The phase of the roof, where there is one."""

_ACROSS: Final[Mapping[str, tuple[bool, str, str]]] = MappingProxyType(
    {
        "reactive_q1": (False, "inductive", "busy"),
        "reactive_q2": (True, "inductive", "strong"),
        "reactive_q3": (True, "capacitive", "weak"),
        "reactive_q4": (False, "capacitive", "standby"),
    }
)
"""Of each quadrant: whether active energy is delivered then, how much reactive comes with it, and when."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """What sites have in common that differ in size alone.

    Attributes:
        shape: when energy is taken.
        shares: of each phase in what is taken.
        has_roof: whether the first phase delivers what the sun brings, and takes nothing meanwhile.
        across: how much reactive comes with active energy.
    """

    shape: str
    shares: tuple[float, ...]
    has_roof: bool
    across: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Site:
    """What stays with one seed of a kind: what it takes and delivers in a day, and when."""

    kind: str
    pattern: Pattern
    takes: float
    delivers: float


@lru_cache(maxsize=4096)
def site(kind: str, seed: int) -> Site:
    """Return what stays with a seed."""
    described: Mapping[str, Any] = data()["kinds"][kind]
    low, high = described["daily"]
    daily = low + (high - low) * trait(seed, "daily")
    roof = 0.0
    if "solar" in described and seed % described["solar_every"] == 0:
        least, most = described["solar"]
        roof = least + (most - least) * trait(seed, "solar")
    shapes = described["shapes"]
    shape = shapes[int(trait(seed, "shape") * len(shapes))]
    return Site(kind, _pattern(kind, shape, seed % len(PHASES), roof > 0), daily, roof)


@lru_cache(maxsize=256)
def _pattern(kind: str, shape: str, turn: int, has_roof: bool) -> Pattern:
    described: Mapping[str, Any] = data()["kinds"][kind]
    shares = described["shares"]
    return Pattern(
        shape,
        (*shares[turn:], *shares[:turn]),
        has_roof,
        {name: float(described[name]) for name in ("inductive", "capacitive")},
    )


class Flow:
    """What flows of some quantities together: on one phase or on all, in one tariff or in all."""

    __slots__ = ("_kind", "_phases", "_quantities", "_tariff")

    def __init__(
        self, kind: str, quantities: tuple[str, ...], phase: int | None = None, tariff: int | None = None
    ) -> None:
        self._kind = kind
        self._quantities = quantities
        self._phases = PHASES if phase is None else (phase,)
        self._tariff = tariff

    def around(self, moment: Moment) -> tuple[float, float, float]:
        """Return what `around` says of the grain of a moment, in the size of the site that its seed is."""
        known = moment.known
        if known is None or known[0].kind != self._kind:
            of = site(self._kind, moment.seed)
            known = moment.known = of, _of_one(of.pattern, moment.number)
        of, of_one = known
        found = of_one.get(self)
        if found is None:
            takes, delivers = _terms(self, of.pattern)
            found = of_one[self] = (*around(takes, moment.number), *around(delivers, moment.number))
        begun, step, following, sun, ray, next_ray = found
        size, roof = of.takes, of.delivers
        begun, step, following = size * begun, size * step, size * following
        if roof:  # few have one
            begun, step, following = begun + roof * sun, step + roof * ray, following + roof * next_ray
        return begun, step, following

    def terms(self, pattern: Pattern) -> tuple[list[Term], list[Term]]:
        """Return the courses of what is taken and of what is delivered, for sites that take and deliver 1 in a day."""
        takes: list[Term] = []
        delivers: list[Term] = []
        for quantity in self._quantities:
            delivered, across, sun, plain, shaded = _courses(pattern.shape, quantity, self._tariff)
            ratio = pattern.across[across] if across else 1.0
            for phase in self._phases:
                on_roof = pattern.has_roof and phase == ROOF
                if not delivered:
                    takes.append((pattern.shares[phase - 1] * ratio, shaded if on_roof else plain))
                elif on_roof:
                    delivers.append((ratio, sun))
        return takes, delivers


@lru_cache(maxsize=2048)
def _of_one(_pattern: Pattern, _number: int) -> dict[Flow, tuple[float, float, float, float, float, float]]:
    """Return where it is kept what `around` says of a site that takes 1 in a day, and of a roof that delivers 1."""
    return {}


@lru_cache(maxsize=4096)
def _terms(flow: Flow, pattern: Pattern) -> tuple[list[Term], list[Term]]:
    return flow.terms(pattern)


@lru_cache(maxsize=256)
def _courses(shape: str, quantity: str, tariff: int | None) -> tuple[bool, str, Course, Course, Course]:
    """Return what all sites of a shape share of a quantity: whether it is delivered, by which ratio it is across, and
    the courses of roofs, of phases without one, and of the phase with one.
    """
    delivered, across, window = _ACROSS.get(quantity, (quantity == "active_export", "", ""))
    windows = (*((window,) if window else ()), *((TARIFFS[tariff],) if tariff else ()))
    if delivered:
        sun = course("sun", *windows)
        return delivered, across, sun, sun, sun
    plain = course(shape, *windows)
    return delivered, across, plain, plain, course(shape, *windows, "shade")


def _energy(flow: Flow) -> Worth:
    """Return what gives Wh or varh since the epoch."""
    return lambda moment: int(moment.flowed(flow))


def _total(tariffs: tuple[Flow, ...]) -> Worth:
    """Return what gives that which the tariffs show together."""

    def together(moment: Moment) -> float:
        total = 0
        for flow in tariffs:
            total += int(moment.flowed(flow))
        return total

    return together


def _power(flow: Flow) -> Worth:
    return lambda moment: moment.flows(flow)


def _voltage(phase: int) -> Worth:
    return lambda moment: 226.0 + 8.0 * chance(moment.seed, (int(moment.seconds // MINUTE) << 4) + phase)


def _frequency(moment: Moment) -> float:
    """Return what is the same in the whole grid."""
    return 49.96 + 0.08 * chance(50, int(moment.seconds // MINUTE))


@dataclass(frozen=True, slots=True)
class Powers:
    """The four powers of one phase, or of all."""

    taken: Flow
    delivered: Flow
    inward: Flow
    outward: Flow

    def at(self, moment: Moment) -> tuple[float, float]:
        """Return what is taken, and what is taken in and across, each less what is delivered; in W and var."""
        active = moment.flows(self.taken) - moment.flows(self.delivered)
        return active, moment.flows(self.inward) - moment.flows(self.outward)


def _current(powers: Powers, phase: int) -> Worth:
    voltage = _voltage(phase)
    return lambda moment: math.hypot(*powers.at(moment)) / voltage(moment)


def _factor(powers: Powers) -> Worth:
    """Return what gives the active part of the apparent power."""

    def factor(moment: Moment) -> float:
        active, reactive = powers.at(moment)
        apparent = math.hypot(active, reactive)
        return abs(active) / apparent if apparent else 1.0

    return factor


def _tariff(moment: Moment) -> float:
    return 1.0 if int(moment.seconds % DAY // SLOT) in DAY_TARIFF else 2.0


_INWARD: Final = ("reactive_q1", "reactive_q2")
_OUTWARD: Final = ("reactive_q3", "reactive_q4")
_QUANTITIES: Final[Mapping[str, tuple[tuple[str, ...], Unit, Unit]]] = MappingProxyType(
    {
        "active_import": (("active_import",), Unit.WATT_HOUR, Unit.WATT),
        "active_export": (("active_export",), Unit.WATT_HOUR, Unit.WATT),
        "reactive_import": (_INWARD, Unit.VAR_HOUR, Unit.VAR),
        "reactive_export": (_OUTWARD, Unit.VAR_HOUR, Unit.VAR),
        **{name: ((name,), Unit.VAR_HOUR, Unit.VAR) for name in _ACROSS},
    }
)


def _figures(kind: str) -> Mapping[str, Figure]:
    figures: dict[str, Figure] = {}
    powers: dict[str, dict[int | None, Flow]] = {}
    for name, (quantities, energy, power) in _QUANTITIES.items():
        tariffs = {tariff: Flow(kind, quantities, tariff=tariff) for tariff in TARIFFS}
        phases: dict[int | None, Flow] = {phase: Flow(kind, quantities, phase) for phase in (None, *PHASES)}
        powers[name] = phases
        figures[name] = Figure(_total(tuple(tariffs.values())), energy)
        figures |= {f"{name}_t{tariff}": Figure(_energy(flow), energy) for tariff, flow in tariffs.items()}
        figures[f"{name}_power"] = Figure(_power(phases[None]), power)
        for phase in PHASES:
            figures[f"{name}_l{phase}"] = Figure(_energy(phases[phase]), energy)
            figures[f"{name}_power_l{phase}"] = Figure(_power(phases[phase]), power)
    four = {phase: Powers(*(powers[name][phase] for name in _FOUR)) for phase in (None, *PHASES)}
    for phase in PHASES:
        figures[f"voltage_l{phase}"] = short(_voltage(phase), Unit.VOLT, -1)
        figures[f"current_l{phase}"] = Figure(_current(four[phase], phase), Unit.AMPERE, -2)
    figures["frequency"] = short(_frequency, Unit.HERTZ, -2)
    figures["power_factor"] = short(_factor(four[None]), Unit.NO_UNIT, -3)
    figures["tariff"] = small(_tariff)
    return MappingProxyType(figures)


_FOUR: Final = ("active_import", "active_export", "reactive_import", "reactive_export")

KINDS: Final[Mapping[str, Mapping[str, Figure]]] = MappingProxyType(
    {kind: _figures(kind) for kind in ("household", "heat_pump", "shop", "pv")}
)
