"""Gas, water and heat: volumes, flows and temperatures that agree with each other.

Gas and heat follow how cold it is, over hot water all year. The heat of a volume is what its temperature difference
carries; that difference stays with a seed, and the flow is hotter when it is colder outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any, Final

from cosem.meter.loads.chance import trait
from cosem.meter.loads.course import Moment, Term, around, by_month, course, data, temperature
from cosem.meter.loads.kind import Figure, signed
from cosem.protocol.values.units import Unit

HEAT_OF_WATER: Final = 1163.0
"""Wh that a cubic metre of water carries by each kelvin, near room temperature."""

BASE_PRESSURE: Final = 1.01325
BASE_TEMPERATURE: Final = 273.15
"""Bar and kelvin to which volumes of gas are converted."""


@dataclass(frozen=True, slots=True)
class Pipe:
    """What stays with one seed of a kind."""

    daily: float
    degrees: float
    pressure: float


@lru_cache(maxsize=4096)
def pipe(kind: str, seed: int) -> Pipe:
    """Return what stays with a seed: its size, the temperature of gas or difference of heat, and a pressure in bar."""
    described: Mapping[str, Any] = data()["kinds"][kind]
    low, high = described["daily"]
    return Pipe(
        low + (high - low) * trait(seed, "daily"),
        (8.0 if kind == "gas" else 15.0) + 12.0 * trait(seed, "degrees"),
        BASE_PRESSURE + 0.022 + 0.004 * trait(seed, "pressure"),
    )


@lru_cache(maxsize=8)
def _terms(kind: str) -> tuple[Term, ...]:
    """Return the courses that each pipe of a kind is the sum of, for one that brings 1 in a day."""
    described = data()["kinds"][kind]
    return tuple((part, course(shape)) for shape, part in zip(described["shapes"], described["parts"], strict=True))


class Stream:
    """What flows in the pipes of a kind."""

    __slots__ = ("_kind",)

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def around(self, moment: Moment) -> tuple[float, float, float]:
        """Return what `around` says of the grain of a moment, in the size of the pipe that its seed is."""
        daily = pipe(self._kind, moment.seed).daily
        begun, step, following = around(_terms(self._kind), moment.number)
        return daily * begun, daily * step, daily * following


_STREAMS: Final = {kind: Stream(kind) for kind in ("gas", "water", "heat")}


def _total(kind: str, moment: Moment) -> float:
    return moment.flowed(_STREAMS[kind])


def _rate(kind: str, moment: Moment) -> float:
    return moment.flows(_STREAMS[kind])


# -- gas ---------------------------------------------------------------------------------------------------------------


def _conversion(moment: Moment) -> float:
    of = pipe("gas", moment.seed)
    return of.pressure / BASE_PRESSURE * BASE_TEMPERATURE / (BASE_TEMPERATURE + of.degrees)


def _corrected(moment: Moment) -> float:
    return _total("gas", moment) * _conversion(moment)


def _corrected_flow(moment: Moment) -> float:
    return _rate("gas", moment) * _conversion(moment)


def _gas_temperature(moment: Moment) -> float:
    return BASE_TEMPERATURE + pipe("gas", moment.seed).degrees


def _gas_pressure(moment: Moment) -> float:
    return pipe("gas", moment.seed).pressure


# -- heat --------------------------------------------------------------------------------------------------------------


def _volume(moment: Moment) -> float:
    return _total("heat", moment) / (HEAT_OF_WATER * pipe("heat", moment.seed).degrees)


def _flow(moment: Moment) -> float:
    return _rate("heat", moment) / (HEAT_OF_WATER * pipe("heat", moment.seed).degrees)


def _flow_temperature(moment: Moment) -> float:
    return 62.0 - 0.8 * min(temperature(moment.seconds), 15.0) + 6.0 * trait(moment.seed, "curve")


def _return_temperature(moment: Moment) -> float:
    return _flow_temperature(moment) - pipe("heat", moment.seed).degrees


def _difference(moment: Moment) -> float:
    return pipe("heat", moment.seed).degrees


# -- water -------------------------------------------------------------------------------------------------------------


def _water_temperature(moment: Moment) -> float:
    return by_month(data()["climate"]["cold_water"], moment.seconds) + 2.0 * trait(moment.seed, "cellar")


KINDS: Final[Mapping[str, Mapping[str, Figure]]] = MappingProxyType(
    {
        "gas": MappingProxyType(
            {
                "volume": Figure(partial(_total, "gas"), Unit.CUBIC_METRE, -3),
                "flow": Figure(partial(_rate, "gas"), Unit.CUBIC_METRE_PER_HOUR, -3),
                "corrected_volume": Figure(_corrected, Unit.CORRECTED_CUBIC_METRE, -3),
                "corrected_flow": Figure(_corrected_flow, Unit.CORRECTED_CUBIC_METRE_PER_HOUR, -3),
                "temperature": Figure(_gas_temperature, Unit.KELVIN, -1),
                "pressure": Figure(_gas_pressure, Unit.BAR, -3),
            }
        ),
        "water": MappingProxyType(
            {
                "volume": Figure(partial(_total, "water"), Unit.CUBIC_METRE, -3),
                "flow": Figure(partial(_rate, "water"), Unit.CUBIC_METRE_PER_HOUR, -3),
                "temperature": signed(_water_temperature, Unit.DEGREE_CELSIUS, -1),
            }
        ),
        "heat": MappingProxyType(
            {
                "energy": Figure(partial(_total, "heat"), Unit.WATT_HOUR),
                "power": Figure(partial(_rate, "heat"), Unit.WATT),
                "volume": Figure(_volume, Unit.CUBIC_METRE, -3),
                "flow": Figure(_flow, Unit.CUBIC_METRE_PER_HOUR, -3),
                "flow_temperature": signed(_flow_temperature, Unit.DEGREE_CELSIUS, -1),
                "return_temperature": signed(_return_temperature, Unit.DEGREE_CELSIUS, -1),
                "temperature_difference": signed(_difference, Unit.KELVIN, -2),
            }
        ),
    }
)
