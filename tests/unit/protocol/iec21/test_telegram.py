"""Data lines: addresses, values, units, and the verdict of each set."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cosem.protocol.iec21.telegram import DataSet, Scaled, Value, data_sets, encode, unit_of
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit


def only(text: str) -> DataSet:
    (found,) = data_sets(text.encode("latin-1"))
    return found


@pytest.mark.parametrize(
    ("address", "obis"),
    [
        ("1-0:1.8.1", "1.0.1.8.1.255"),
        ("1-0:1.8.0*255", "1.0.1.8.0.255"),
        ("1.8.1*01", "1.0.1.8.1.1"),
        ("1.8.1&01", "1.0.1.8.1.1"),
        ("F.F", "0.0.97.97.0.255"),
        ("0.9.1", "0.0.0.9.1.255"),
        ("C.1.0", "0.0.96.1.0.255"),
        ("P.01", "1.0.99.1.0.255"),
        ("EMD01", None),
        ("1-1:30D", None),
    ],
)
def test_addresses(address: str, obis: str | None) -> None:
    found = only(f"{address}(1)")
    assert found.error is None
    assert found.address == address
    assert found.obis == (None if obis is None else Obis(obis))


def test_values_and_units() -> None:
    found = only("0-1:24.2.1(240112231646W)(00338.711*m3)")
    assert found.values == (Value("240112231646W"), Value("00338.711", "m3"))
    assert found.values[1].number == Decimal("338.711")
    assert found.values[1].scaled == Scaled(338711, -3, Unit.CUBIC_METRE)
    assert only("1-0:1.8.1(001234.567*kWh)").values[0].scaled == Scaled(1234567, 0, Unit.WATT_HOUR)
    assert only("1-0:1.8.1(001234.567*kWh)").values[0].quantity == Quantity(Decimal("1234.567"), Unit.WATT_HOUR, "kWh")
    assert only("1-1:31.4.0(-063*A)").values[0].scaled == Scaled(-63, 0, Unit.AMPERE)
    assert only("0-0:96.13.0()").values == (Value(""),)
    assert Value("").number is None
    assert Value("12", "furlong").scaled is None
    assert Value("12", "furlong").quantity is None
    assert Value("1e5").number is None
    assert Value("٣").number is None, "digits of other scripts are none here"


@pytest.mark.parametrize(
    ("symbol", "unit", "power"),
    [
        ("kWh", Unit.WATT_HOUR, 3),
        ("Wh", Unit.WATT_HOUR, 0),
        ("kVArh", Unit.VAR_HOUR, 3),
        ("kVAr", Unit.VAR, 3),
        ("kvar", Unit.VAR, 3),
        ("kVA", Unit.VOLT_AMPERE, 3),
        ("m3", Unit.CUBIC_METRE, 0),
        ("GJ", Unit.JOULE, 9),
        ("MJ", Unit.JOULE, 6),
        ("mW", Unit.WATT, -3),
        ("MW", Unit.WATT, 6),
        ("kHz", Unit.HERTZ, 3),
        ("s", Unit.SECOND, 0),
        ("", Unit.NO_UNIT, 0),
    ],
)
def test_units_as_meters_write_them(symbol: str, unit: Unit, power: int) -> None:
    found = unit_of(symbol)
    assert found is not None
    assert (found.unit, found.power) == (unit, power)


def test_unit_that_could_be_two_is_none() -> None:
    assert unit_of("MwH") is None
    assert unit_of("furlong") is None


def test_several_sets_in_a_line_and_values_that_continue_one() -> None:
    sets = list(data_sets(b"1.8.1(0001.5*kWh)1.8.2(0002*kWh)\r\n0-1:24.3.0(120517020000)(m3)\r\n(00124.477)\r\n"))
    assert [each.address for each in sets] == ["1.8.1", "1.8.2", "0-1:24.3.0", ""]
    assert [each.line for each in sets] == [1, 1, 2, 3]
    assert [each.offset for each in sets] == [0, 17, 34, 64]
    assert all(each.error is None for each in sets)


@pytest.mark.parametrize(
    "line",
    [
        "1-0:1.8.1(00123",
        "1-0:1.8.1",
        "1-0:1.8.1(1))",
        "1-0:1.8.1((1)",
        "1-0:1.8.1(1)x",
        "1-0:1.8.1(\x821)",
        "1-0:1.\x028.1(1)",
        "x" * 65 + "(1)",
        "two words(1)",
    ],
)
def test_one_bad_line_loses_no_other(line: str) -> None:
    octets = f"1-0:2.8.1(1*kWh)\r\n{line}\r\n1-0:2.8.2(2*kWh)\r\n".encode("latin-1")
    sets = list(data_sets(octets))
    good, bad = [each for each in sets if not each.error], [each for each in sets if each.error]
    assert {"1-0:2.8.1(1*kWh)", "1-0:2.8.2(2*kWh)"} <= {str(each) for each in good}
    assert {each.line for each in bad} == {2}
    assert all(each.octets in octets for each in bad)


def test_places_in_a_larger_block() -> None:
    (first, second) = data_sets(b"1.8.0(1)\n2.8.0(2)", line=7, offset=100)
    assert (first.line, first.offset, second.line, second.offset) == (7, 100, 8, 109)


def test_written_as_read() -> None:
    octets = b"1-0:1.8.1(001234.567*kWh)\r\n0-0:96.13.0()\r\n"
    assert encode(list(data_sets(octets))) == octets
