"""Gas, water and heat: seasons, sizes, and volumes, flows and temperatures that agree."""

from __future__ import annotations

import pytest

from cosem.meter.loads import figure
from cosem.meter.loads.pipes import HEAT_OF_WATER

DAY = 86_400.0
JANUARY, JULY = 4 * 365 * DAY, (4 * 365 + 190) * DAY


def grown(name: str, seed: int, begin: float, days: int = 20) -> float:
    worth = figure(name).worth
    return worth(seed, begin + days * DAY) - worth(seed, begin)


@pytest.mark.parametrize("name", ["gas.volume", "heat.energy"])
def test_heating_is_for_the_winter(name: str) -> None:
    for seed in range(5):
        assert grown(name, seed, JANUARY) > 3 * grown(name, seed, JULY) > 0


def test_years_are_of_usual_size() -> None:
    for seed in range(8):
        assert 500 < grown("gas.volume", seed, JANUARY, 365) < 4_000, "m³"
        assert 30 < grown("water.volume", seed, JANUARY, 365) < 300, "m³"
        assert 4e6 < grown("heat.energy", seed, JANUARY, 365) < 40e6, "Wh"


def test_heat_is_volume_times_difference() -> None:
    for seed in range(5):
        difference = figure("heat.temperature_difference").worth(seed, JANUARY)
        assert grown("heat.volume", seed, JANUARY) * difference * HEAT_OF_WATER == pytest.approx(
            grown("heat.energy", seed, JANUARY)
        )
        flow, back = (figure(f"heat.{end}_temperature").worth(seed, JANUARY) for end in ("flow", "return"))
        assert flow - back == pytest.approx(difference)
        assert 20 < back < flow < 95


def test_gas_is_corrected_by_its_pressure_and_temperature() -> None:
    kelvin, bar = (figure(f"gas.{name}").worth(7, JANUARY) for name in ("temperature", "pressure"))
    factor = bar / 1.01325 * 273.15 / kelvin
    assert grown("gas.corrected_volume", 7, JANUARY) == pytest.approx(grown("gas.volume", 7, JANUARY) * factor)
    assert 0.9 < factor < 1.05


def test_water_is_warmer_in_summer() -> None:
    water = figure("water.temperature").worth
    assert 4 < water(1, JANUARY) < 10 < water(1, JULY) < 20
