"""Units: the codes of the public table, tolerant of others, found by every way of writing them."""

from __future__ import annotations

import copy
import pickle

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.values.data import Enumerated
from cosem.protocol.values.units import Unit

# Facts of the public excerpt of the Blue Book, class Register, as two independent stacks also have them.
PUBLISHED = {
    1: "a",
    3: "wk",
    7: "s",
    8: "°",
    9: "°C",
    13: "m³",
    14: "m³",
    15: "m³/h",
    19: "l",
    20: "kg",
    23: "Pa",
    24: "bar",
    25: "J",
    26: "J/h",
    27: "W",
    28: "VA",
    29: "var",
    30: "Wh",
    31: "VAh",
    32: "varh",
    33: "A",
    34: "C",
    35: "V",
    38: "Ω",
    44: "Hz",
    45: "1/Wh",
    48: "V²h",
    49: "A²h",
    50: "kg/s",
    51: "S",
    52: "K",
    56: "%",
    57: "Ah",
    60: "Wh/m³",
    61: "J/m³",
    65: "J/kg",
    70: "dBm",
    137: "ft³",
    146: "Btu",
    170: "gal (US)/d",
    255: "",
}
NAMED = {*range(1, 58), *range(60, 68), *range(70, 73), *range(128, 175), 254, 255}


@pytest.mark.parametrize(("code", "symbol"), PUBLISHED.items())
def test_published_codes(code: int, symbol: str) -> None:
    assert Unit(code).symbol == symbol


def test_names_are_written_out() -> None:
    assert (Unit.WATT_HOUR, Unit.VOLT, Unit.VAR_HOUR, Unit.NO_UNIT) == (30, 35, 32, 255)
    assert Unit.WATT_HOUR.measures == "active energy"


def test_the_table_has_the_codes_of_the_standard_and_no_others() -> None:
    assert {int(unit) for unit in Unit} == NAMED


@pytest.mark.parametrize("code", range(256))
def test_every_code_is_a_unit(code: int) -> None:
    unit = Unit(code)
    assert unit == code == unit.value
    assert Unit(code) is unit is Unit.of(code) is Unit(Enumerated(code))
    assert pickle.loads(pickle.dumps(unit)) is unit
    assert copy.deepcopy(unit) is unit
    assert (unit.name == f"UNIT_{code}") is (code not in NAMED)
    assert Unit.parse(str(code)) is unit
    assert unit.symbol or code in (254, 255)
    assert unit.multiples[unit.symbol] == 0


def test_unknown_codes_do_not_enter_the_table() -> None:
    assert Unit(200).symbol == "unit 200"
    assert {int(unit) for unit in Unit} == NAMED


@pytest.mark.parametrize("code", [-1, 256])
def test_beyond_an_octet(code: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{code} is no unit code"):
        Unit.of(code)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Wh", Unit.WATT_HOUR),
        (" Wh ", Unit.WATT_HOUR),
        ("WATT_HOUR", Unit.WATT_HOUR),
        ("watt-hour", Unit.WATT_HOUR),
        ("watt hour", Unit.WATT_HOUR),
        ("30", Unit.WATT_HOUR),
        ("m3", Unit.CUBIC_METRE),
        ("m³", Unit.CUBIC_METRE),
        ("m^3", Unit.CUBIC_METRE),
        ("A", Unit.AMPERE),
        ("a", Unit.YEAR),
        ("Ohm", Unit.OHM),
        ("degC", Unit.DEGREE_CELSIUS),
        ("%", Unit.PERCENT),
        ("var", Unit.VAR),
        ("no-unit", Unit.NO_UNIT),
    ],
)
def test_parse(text: str, unit: Unit) -> None:
    assert Unit.parse(text) is unit


@pytest.mark.parametrize("text", ["", "kWh", "furlong", "256", "-1", "wH"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Unit.parse(text)


def test_multiples_are_powers_of_ten_of_the_unit_itself() -> None:
    assert Unit.WATT_HOUR.multiples["kWh"] == 3
    assert Unit.CUBIC_METRE.multiples["l"] == -3
    assert Unit.KILOGRAM.multiples["g"] == -3
    assert Unit.BAR.multiples["Pa"] == -5
    for unit in (Unit.CUBIC_METRE, Unit.VOLT_SQUARED_HOUR, Unit.PER_WATT_HOUR, Unit.MINUTE, Unit.PERCENT):
        assert "k" + unit.symbol not in unit.multiples
