"""Quantities: exact for every raw value and scaler, shown in any decimal multiple, never through a float."""

from __future__ import annotations

import copy
import decimal
import math
import pickle
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError
from cosem.protocol.values.data import DoubleLongUnsigned, Enumerated, Float32, Float64, Integer, Long64Unsigned
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit

scalers = st.integers(-128, 127)
raws = st.integers(-(2**63), 2**64 - 1)
units = st.sampled_from(list(Unit))


# A captured Aidon push: 1.0.1.7.0.255 = 06 00002B2A, scaler 0F 00, unit 16 1B, stated to be 11050 W.
def test_captured_power() -> None:
    power = Quantity.of(DoubleLongUnsigned(0x2B2A), Integer(0), Enumerated(0x1B))
    assert str(power) == "11050 W"
    assert str(power.to("kW")) == "11.050 kW"


@pytest.mark.parametrize("scaler", range(-128, 128))
def test_every_scaler_is_exact(scaler: int) -> None:
    for raw in (0, 1, -1, 12345678, 2**64 - 1, -(2**63)):
        quantity = Quantity.of(raw, Integer.checked(scaler), Unit.WATT_HOUR)
        assert Fraction(quantity.value) == raw * Fraction(10) ** scaler
        assert Fraction(quantity.to("kWh").value) * 1000 == Fraction(quantity.value)
        assert "E" not in str(quantity)


@given(raws, scalers, units)
def test_the_decimal_context_has_no_say(raw: int, scaler: int, unit: Unit) -> None:
    with decimal.localcontext() as context:
        context.prec = 3
        context.traps[decimal.Inexact] = context.traps[decimal.Rounded] = True
        quantity = Quantity.of(raw, scaler, unit)
        shown = [quantity.to(symbol) for symbol in unit.multiples]
        assert all(one == quantity for one in shown)
    assert Fraction(quantity.value) == raw * Fraction(10) ** scaler
    for one in shown:
        assert Fraction(one.value) * Fraction(10) ** unit.multiples[one.symbol] == Fraction(quantity.value)


def test_text() -> None:
    assert str(Quantity.of(12345678, 0, Unit.WATT_HOUR)) == "12345678 Wh"
    assert str(Quantity.of(12345678, 0, Unit.WATT_HOUR).to("kWh")) == "12345.678 kWh"
    assert str(Quantity.of(2301, -1, Unit.VOLT)) == "230.1 V"
    assert str(Quantity.of(5, 3, Unit.WATT)) == "5000 W"
    assert str(Quantity.of(-5, -3, Unit.WATT)) == "-0.005 W"
    assert str(Quantity.of(7)) == "7"
    assert str(Quantity.of(7, 0, 200)) == "7 unit 200"


@pytest.mark.parametrize(
    ("raw", "unit", "symbol", "text"),
    [
        (1234, Unit.WATT_HOUR, "MWh", "0.001234 MWh"),
        (12, Unit.CUBIC_METRE, "l", "12000 l"),
        (12, Unit.LITRE, "m3", "0.012 m³"),
        (5, Unit.VOLT, "uV", "5000000 µV"),
        (5, Unit.OHM, "kOhm", "0.005 kΩ"),
        (1013, Unit.BAR, "hPa", "1013000 hPa"),
        (75, Unit.KILOGRAM, "t", "0.075 t"),
        (3, Unit.NO_UNIT, "", "3"),
    ],
)
def test_to(raw: int, unit: Unit, symbol: str, text: str) -> None:
    assert str(Quantity.of(raw, 0, unit).to(symbol)) == text


@pytest.mark.parametrize(
    ("unit", "symbol"),
    [
        (Unit.WATT_HOUR, "kW"),
        (Unit.WATT_HOUR, "J"),
        (Unit.CUBIC_METRE, "km³"),
        (Unit.METRE, "min"),
        (Unit.NO_UNIT, "k"),
    ],
)
def test_to_refuses_with_what_is_possible(unit: Unit, symbol: str) -> None:
    quantity = Quantity.of(1, 0, unit)
    with pytest.raises(ConfigurationError, match=f"is no decimal multiple of {unit.name}: write "):
        quantity.to(symbol)
    with pytest.raises(ConfigurationError):
        Quantity(Decimal(1), unit, symbol)


def test_floats_are_what_they_print() -> None:
    assert str(Quantity.of(Float32.from_octets(bytes.fromhex("4366199a")), 0, Unit.VOLT)) == "230.1 V"
    assert str(Quantity.of(Float64(230.1), 1, Unit.VOLT)) == "2301 V"
    assert str(Quantity.of(0.1, 0, Unit.VOLT)) == "0.1 V"
    assert str(Quantity.of(Float32("inf"), 3, Unit.VOLT)) == "Infinity V"


@given(st.floats(allow_nan=False, allow_infinity=False), scalers)
def test_any_float(number: float, scaler: int) -> None:
    assert Quantity.of(Float64(number), scaler).value == Decimal(repr(number)).scaleb(scaler)


def test_a_nan_is_no_amount() -> None:
    nothing = Quantity.of(Float64(math.nan), 0, Unit.VOLT)
    assert str(nothing.to("kV")) == "NaN kV"
    assert nothing != Quantity.of(1, 0, Unit.VOLT)
    assert not nothing < Quantity.of(1, 0, Unit.VOLT)
    assert not Quantity.of(1, 0, Unit.VOLT) <= nothing


def test_equal_amounts() -> None:
    one = Quantity.of(1000, 0, Unit.WATT_HOUR)
    assert one == Quantity.of(1, 3, Unit.WATT_HOUR) == one.to("kWh") == Quantity(Decimal("1.0"), Unit.WATT_HOUR, "kWh")
    assert hash(one) == hash(one.to("kWh")) == hash(Quantity.of(1, 3, Unit.WATT_HOUR))
    assert one != Quantity.of(1000, 0, Unit.VAR_HOUR)
    assert one != 1000
    assert one.to("MWh").base == 1000


def test_order() -> None:
    small, large = Quantity.of(1, 0, Unit.WATT_HOUR), Quantity.of(1, 0, Unit.WATT_HOUR).to("kWh")
    large = Quantity(Decimal(1), Unit.WATT_HOUR, "kWh")
    assert small < large
    assert small <= large > small
    assert sorted([large, small]) == [small, large]
    with pytest.raises(TypeError):
        _ = small < Quantity.of(1, 0, Unit.VOLT)
    with pytest.raises(TypeError):
        _ = small <= Quantity.of(1, 0, Unit.VOLT)


def test_is_a_frozen_value() -> None:
    quantity = Quantity.of(Long64Unsigned(2**64 - 1), -3, Unit.WATT_HOUR).to("kWh")
    assert pickle.loads(pickle.dumps(quantity)) == copy.deepcopy(quantity) == quantity
    assert repr(quantity) == (
        "Quantity(value=Decimal('18446744073709.551615'), unit=<Unit.WATT_HOUR: 30>, symbol='kWh')"
    )
    with pytest.raises(AttributeError):
        quantity.value = Decimal(1)  # type: ignore[misc]
