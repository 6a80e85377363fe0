"""Electricity of households, shops, heat pumps and roofs: energy and power by phase, tariff and quadrant.

Each phase takes or delivers, never both: while the sun is up, the phase with the roof delivers what is left over and
takes nothing, and the meter counts the phases one by one. Reactive energy is in the first quadrant while motors run and
in the fourth while only power supplies do; a roof delivers in the third in weak sun and in the second in strong sun.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

from cosem.meter.loads.chance import chance, trait
from cosem.meter.loads.course import DAY, DAY_TARIFF, SLOT, Course, Term, course, data, flowed
from cosem.meter.loads.kind import Figure, short, small
from cosem.protocol.values.units import Unit

PHASES: Final = (1, 2, 3)
TARIFFS: Final[Mapping[int, str]] = MappingProxyType({1: "day", 2: "night"})
MINUTE: Final = 60

_ACROSS: Final[Mapping[str, tuple[bool, str, str]]] = MappingProxyType(
    {
        "reactive_q1": (False, "inductive", "busy"),
        "reactive_q2": (True, "inductive", "strong"),
        "reactive_q3": (True, "capacitive", "weak"),
        "reactive_q4": (False, "capacitive", "standby"),
    }
)
"""Of each quadrant: whether active energy is delivered then, how much reactive comes with it, and when."""


@dataclass(frozen=True, slots=True)
class Site:
    """What stays with one seed of a kind."""

    shape: str
    takes: tuple[float, ...]
    delivers: tuple[float, ...]
    across: Mapping[str, float]


@lru_cache(maxsize=4096)
def site(kind: str, seed: int) -> Site:
    """Return what stays with a seed: how much it takes and delivers in a day on each phase, and when."""
    described: Mapping[str, Any] = data()["kinds"][kind]
    low, high = described["daily"]
    daily = low + (high - low) * trait(seed, "daily")
    shares = described["shares"]
    roof = 0.0
    if "solar" in described and seed % described["solar_every"] == 0:
        low, high = described["solar"]
        roof = low + (high - low) * trait(seed, "solar")
    shapes = described["shapes"]
    return Site(
        shapes[int(trait(seed, "shape") * len(shapes))],
        tuple(daily * shares[(phase + seed) % len(shares)] for phase in range(len(PHASES))),
        (roof, 0.0, 0.0),
        {name: float(described[name]) for name in ("inductive", "capacitive")},
    )


@lru_cache(maxsize=16384)
def _terms(
    kind: str, seed: int, quantities: tuple[str, ...], phase: int | None, tariff: int | None
) -> tuple[Term, ...]:
    """Return the courses that quantities are the sum of."""
    of = site(kind, seed)
    terms: list[Term] = []
    for quantity in quantities:
        delivered, across, sun, plain, shaded = _courses(of.shape, quantity, tariff)
        ratio = of.across[across] if across else 1.0
        if delivered:
            size = sum(of.delivers) if phase is None else of.delivers[phase - 1]
            terms += ((size * ratio, sun),) if size else ()
            continue
        sizes: dict[Course, float] = {}
        for each in PHASES if phase is None else (phase,):
            flow = shaded if of.delivers[each - 1] else plain
            sizes[flow] = sizes.get(flow, 0.0) + of.takes[each - 1] * ratio
        terms += ((size, flow) for flow, size in sizes.items())
    return tuple(terms)


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


def _energy(
    kind: str, quantities: tuple[str, ...], phase: int | None, tariff: int | None, seed: int, seconds: float
) -> float:
    """Return Wh or varh since the epoch; without a tariff, what the tariffs show together."""
    if tariff is None and phase is None:
        day = _flow(kind, quantities, None, 1, seed, seconds)[0]
        return float(int(day) + int(_flow(kind, quantities, None, 2, seed, seconds)[0]))
    return float(int(_flow(kind, quantities, phase, tariff, seed, seconds)[0]))


def _power(kind: str, quantities: tuple[str, ...], phase: int | None, seed: int, seconds: float) -> float:
    return _flow(kind, quantities, phase, None, seed, seconds)[1]


@lru_cache(maxsize=1024)
def _flow(
    kind: str, quantities: tuple[str, ...], phase: int | None, tariff: int | None, seed: int, seconds: float
) -> tuple[float, float]:
    """Return what has flowed and what flows; what is read of a meter at one time shares much of it."""
    return flowed(_terms(kind, seed, quantities, phase, tariff), seed, seconds)


def _voltage(phase: int, seed: int, seconds: float) -> float:
    return 226.0 + 8.0 * chance(seed, (int(seconds // MINUTE) << 4) + phase)


def _frequency(_: int, seconds: float) -> float:
    """Return what is the same in the whole grid."""
    return 49.96 + 0.08 * chance(50, int(seconds // MINUTE))


def _current(kind: str, phase: int, seed: int, seconds: float) -> float:
    active = _power(kind, ("active_import",), phase, seed, seconds)
    active -= _power(kind, ("active_export",), phase, seed, seconds)
    inward = _power(kind, _INWARD, phase, seed, seconds)
    reactive = inward - _power(kind, _OUTWARD, phase, seed, seconds)
    return math.hypot(active, reactive) / _voltage(phase, seed, seconds)


def _factor(kind: str, seed: int, seconds: float) -> float:
    active = _power(kind, ("active_import",), None, seed, seconds)
    active -= _power(kind, ("active_export",), None, seed, seconds)
    reactive = _power(kind, _INWARD, None, seed, seconds) - _power(kind, _OUTWARD, None, seed, seconds)
    apparent = math.hypot(active, reactive)
    return abs(active) / apparent if apparent else 1.0


def _tariff(_: int, seconds: float) -> float:
    return 1.0 if int(seconds % DAY // SLOT) in DAY_TARIFF else 2.0


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
    for name, (quantities, energy, power) in _QUANTITIES.items():
        figures[name] = Figure(partial(_energy, kind, quantities, None, None), energy)
        for tariff in TARIFFS:
            figures[f"{name}_t{tariff}"] = Figure(partial(_energy, kind, quantities, None, tariff), energy)
        figures[f"{name}_power"] = Figure(partial(_power, kind, quantities, None), power)
        for phase in PHASES:
            figures[f"{name}_l{phase}"] = Figure(partial(_energy, kind, quantities, phase, None), energy)
            figures[f"{name}_power_l{phase}"] = Figure(partial(_power, kind, quantities, phase), power)
    for phase in PHASES:
        figures[f"voltage_l{phase}"] = short(partial(_voltage, phase), Unit.VOLT, -1)
        figures[f"current_l{phase}"] = Figure(partial(_current, kind, phase), Unit.AMPERE, -2)
    figures["frequency"] = short(_frequency, Unit.HERTZ, -2)
    figures["power_factor"] = short(partial(_factor, kind), Unit.NO_UNIT, -3)
    figures["tariff"] = small(_tariff)
    return MappingProxyType(figures)


KINDS: Final[Mapping[str, Mapping[str, Figure]]] = MappingProxyType(
    {kind: _figures(kind) for kind in ("household", "heat_pump", "shop", "pv")}
)
