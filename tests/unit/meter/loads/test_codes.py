"""Which figure of a load a code stands for."""

from __future__ import annotations

import pytest

from cosem.meter.loads import figure
from cosem.meter.loads.codes import energy_of, figure_of
from cosem.protocol.model import catalogue
from cosem.protocol.values.obis import Obis


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1.0.1.8.0.255", "household.active_import"),
        ("1.0.2.8.2.255", "household.active_export_t2"),
        ("1.0.41.7.0.255", "household.active_import_power_l2"),
        ("1.0.72.7.0.255", "household.voltage_l3"),
        ("1.0.6.8.0.255", "household.reactive_q2"),
        ("7.0.3.0.0.255", "gas.volume"),
        ("8.0.1.0.0.255", "water.volume"),
        ("6.0.12.0.0.255", "heat.temperature_difference"),
        ("1.0.1.8.0.1", None),
        ("1.0.1.6.0.255", None),
        ("7.0.1.8.0.255", None),
    ],
)
def test_codes(code: str, name: str | None) -> None:
    assert figure_of(Obis(code)) == name


@pytest.mark.parametrize(
    "code", ["1.0.1.8.0.255", "1.0.3.8.1.255", "1.0.21.7.0.255", "1.0.14.7.0.255", "1.0.31.7.0.255"]
)
def test_a_figure_has_the_unit_that_the_catalogue_knows(code: str) -> None:
    assert figure(figure_of(Obis(code)) or "").unit is catalogue.lookup(Obis(code)).unit


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1.0.1.4.0.255", "shop.active_import"),
        ("1.0.2.5.0.255", "shop.active_export"),
        ("1.0.21.6.0.255", "shop.active_import_l1"),
        ("1.0.1.6.1.255", None),
        ("1.0.1.6.0.1", None),
        ("1.0.12.4.0.255", None),
        ("1.0.1.7.0.255", None),
        ("7.0.3.4.0.255", None),
    ],
)
def test_averages_are_of_the_energy_of_their_code(code: str, name: str | None) -> None:
    assert energy_of(Obis(code), "shop") == name
