"""Which figure of a load an OBIS code stands for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cosem.protocol.values.obis import Obis

ELECTRICITY, COOLING, HEAT, GAS, COLD_WATER, HOT_WATER = 1, 5, 6, 7, 8, 9
"""Media (value group A)."""

POWER, ENERGY = 7, 8
"""Instantaneous values and time integrals of electricity (value group D)."""

AVERAGE, LAST_AVERAGE, MAXIMUM = 4, 5, 6
"""The current and the last average, and the largest, of averaging scheme 1 (value group D)."""


def figure_of(code: Obis, kind: str = "household") -> str | None:
    """Return the name of the figure that a code stands for, None where no load has it.

    `kind` is the load that electricity is of.
    """
    a, _, c, d, e, f = code.octets
    found = _FIGURES.get((a, c, d, e)) if f == 255 else None
    return f"{kind}.{found}" if found is not None and a == ELECTRICITY else found


def energy_of(code: Obis, kind: str = "household") -> str | None:
    """Return the name of the energy whose averages a code stands for, None where it stands for none."""
    a, b, c, d, e, f = code.octets
    if a != ELECTRICITY or d not in (AVERAGE, LAST_AVERAGE, MAXIMUM) or e:
        return None
    return figure_of(Obis.of(a, b, c, ENERGY, e, f), kind)


def _electricity() -> Mapping[tuple[int, int, int, int], str]:
    named = (
        "active_import",
        "active_export",
        "reactive_import",
        "reactive_export",
        *(f"reactive_q{q}" for q in range(1, 5)),
    )
    found: dict[tuple[int, int, int, int], str] = {}
    for c, name in enumerate(named, 1):
        found[ELECTRICITY, c, ENERGY, 0] = name
        found[ELECTRICITY, c, POWER, 0] = f"{name}_power"
        for rate in (1, 2):
            found[ELECTRICITY, c, ENERGY, rate] = f"{name}_t{rate}"
        for phase in (1, 2, 3):
            found[ELECTRICITY, 20 * phase + c, ENERGY, 0] = f"{name}_l{phase}"
            found[ELECTRICITY, 20 * phase + c, POWER, 0] = f"{name}_power_l{phase}"
    for phase in (1, 2, 3):
        found[ELECTRICITY, 20 * phase + 11, POWER, 0] = f"current_l{phase}"
        found[ELECTRICITY, 20 * phase + 12, POWER, 0] = f"voltage_l{phase}"
    found[ELECTRICITY, 13, POWER, 0] = "power_factor"
    found[ELECTRICITY, 14, POWER, 0] = "frequency"
    return found


_PIPES: Final = {
    (GAS,): {
        3: "gas.volume",
        13: "gas.corrected_volume",
        41: "gas.temperature",
        42: "gas.pressure",
        43: "gas.flow",
    },
    (COLD_WATER, HOT_WATER): {1: "water.volume", 2: "water.flow"},
    (COOLING, HEAT): {
        1: "heat.energy",
        2: "heat.volume",
        8: "heat.power",
        9: "heat.flow",
        10: "heat.flow_temperature",
        11: "heat.return_temperature",
        12: "heat.temperature_difference",
    },
}

_FIGURES: Final[Mapping[tuple[int, int, int, int], str]] = MappingProxyType(
    {
        **_electricity(),
        **{(a, c, 0, 0): name for media, named in _PIPES.items() for a in media for c, name in named.items()},
    }
)
"""By value groups A, C, D and E."""
