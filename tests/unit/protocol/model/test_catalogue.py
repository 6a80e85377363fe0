"""The catalogue names the usual codes, and every other code at least by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError
from cosem.protocol.model import Clock, parse_reference
from cosem.protocol.model.catalogue import Entry, lookup, resolve, resolve_method, resolve_object
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

KNOWN: list[tuple[str, str, int, Unit | None]] = [
    # Electricity: quantity, phase, processing, tariff, billing period
    ("1-0:1.8.0*255", "Active energy import", 3, Unit.WATT_HOUR),
    ("1-0:1.8.1*255", "Active energy import, rate 1", 3, Unit.WATT_HOUR),
    ("1-0:2.8.0*255", "Active energy export", 3, Unit.WATT_HOUR),
    ("1-0:3.8.0*255", "Reactive energy import", 3, Unit.VAR_HOUR),
    ("1-0:9.8.0*255", "Apparent energy import", 3, Unit.VOLT_AMPERE_HOUR),
    ("1-0:1.8.0*7", "Active energy import, billing period 7", 3, Unit.WATT_HOUR),
    ("1-0:1.8.2*101", "Active energy import, rate 2, last billing period", 3, Unit.WATT_HOUR),
    ("1-0:1.7.0*255", "Active power import", 3, Unit.WATT),
    ("1-0:41.7.0*255", "Active power import L2", 3, Unit.WATT),
    ("1-0:16.7.0*255", "Active power net", 3, Unit.WATT),
    ("1-0:32.7.0*255", "Voltage L1", 3, Unit.VOLT),
    ("1-0:52.7.0*255", "Voltage L2", 3, Unit.VOLT),
    ("1-0:72.7.0*255", "Voltage L3", 3, Unit.VOLT),
    ("1-0:31.7.0*255", "Current L1", 3, Unit.AMPERE),
    ("1-0:71.7.0*255", "Current L3", 3, Unit.AMPERE),
    ("1-0:91.7.0*255", "Neutral current", 3, Unit.AMPERE),
    ("1-0:13.7.0*255", "Power factor", 3, Unit.NO_UNIT),
    ("1-0:14.7.0*255", "Frequency", 3, Unit.HERTZ),
    ("1-0:1.6.0*255", "Active power import, maximum", 4, Unit.WATT),
    ("1-0:1.6.1*255", "Active power import, maximum, rate 1", 4, Unit.WATT),
    ("1-0:1.4.0*255", "Active power import, current average", 5, Unit.WATT),
    ("1-0:32.32.0*255", "Voltage L1, number of times below the limit", 1, Unit.NO_UNIT),
    ("1-0:32.7.3*255", "Voltage L1, harmonic 3", 3, Unit.VOLT),
    ("1-0:31.7.124*255", "Current L1, total harmonic distortion", 3, None),
    ("1-1:1.8.0*255", "Active energy import, channel 1", 3, Unit.WATT_HOUR),
    ("1-0:0.0.0*255", "Electricity ID 1", 1, None),
    ("1-0:0.4.2*255", "Current transformer ratio, numerator", 1, None),
    ("1-0:99.1.0*255", "Load profile 1", 7, None),
    ("1-0:99.2.0*255", "Load profile 2", 7, None),
    ("1-0:99.97.0*255", "Power failure event log", 7, None),
    ("1-0:98.1.0*255", "Data of billing period", 7, None),
    # Abstract
    ("0-0:1.0.0*255", "Clock", 8, None),
    ("0-0:42.0.0*255", "COSEM logical device name", 1, None),
    ("0-0:41.0.0*255", "SAP assignment", 17, None),
    ("0-0:40.0.0*255", "Current association", 15, None),
    ("0-0:40.0.2*255", "Association 2", 15, None),
    ("0-0:43.0.0*255", "Security setup", 64, None),
    ("0-0:43.1.3*255", "Invocation counter 3", 1, None),
    ("0-0:44.0.0*255", "Image transfer", 18, None),
    ("0-0:96.1.0*255", "Device ID 1, manufacturing number", 1, None),
    ("0-1:96.1.0*255", "Device ID 1, manufacturing number, channel 1", 1, None),
    ("0-0:96.14.0*255", "Currently active tariff", 1, None),
    ("0-0:96.7.21*255", "Number of power failures in any phase", 1, None),
    ("0-0:96.3.10*255", "Disconnect control", 70, None),
    ("0-1:24.2.1*255", "M-Bus value 1, channel 1", 4, None),
    ("0-1:24.1.0*255", "M-Bus client, channel 1", 72, None),
    ("0-0:99.98.0*255", "Event log 1", 7, None),
    ("0-0:97.97.0*255", "Error register 1", 1, None),
    ("0-0:97.98.0*255", "Alarm register 1", 1, None),
    ("0-0:97.98.10*255", "Alarm filter 1", 1, None),
    ("0-0:25.9.0*255", "Push setup", 40, None),
    ("0-0:13.0.0*255", "Activity calendar", 20, None),
    ("0-0:11.0.0*255", "Special days table", 11, None),
    ("0-0:10.0.100*255", "Tariffication script table", 9, None),
    ("0-0:15.0.0*255", "End of billing period schedule", 22, None),
    ("0-0:17.0.0*255", "Limiter", 71, None),
    ("0-0:94.31.4*255", "Country-specific object 31.4", 1, None),
    # Service entries of a medium
    ("1-0:96.1.0*255", "Device ID 1, manufacturing number", 1, None),
    ("1-1:96.5.1*255", "Internal operating status, channel 1", 1, None),
    ("7-1:96.50.3*255", "Manufacturer-specific object 50.3, channel 1", 1, None),
    # Other media
    ("7-0:3.0.0*255", "Gas forward absolute meter volume", 3, Unit.CUBIC_METRE),
    ("6-0:1.0.0*255", "Heat energy", 3, None),
    ("6-0:8.0.0*255", "Heat power", 3, Unit.WATT),
    ("5-0:1.0.0*255", "Cooling energy", 3, None),
    ("6-0:10.0.0*255", "Heat flow temperature", 3, Unit.DEGREE_CELSIUS),
    ("8-0:1.0.0*255", "Cold water volume", 3, Unit.CUBIC_METRE),
    ("9-0:1.0.0*255", "Hot water volume", 3, Unit.CUBIC_METRE),
    ("4-0:2.0.0*255", "Heat cost rated integral", 3, Unit.NO_UNIT),
]


@pytest.mark.parametrize(("code", "name", "class_id", "unit"), KNOWN)
def test_known_codes(code: str, name: str, class_id: int, unit: Unit | None) -> None:
    assert lookup(code) == Entry(name, class_id, unit)
    assert lookup(Obis(code)) == lookup(code)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1.0.200.8.0.255", "Electricity manufacturer-specific object 1.0.200.8.0.255"),
        ("1.0.1.99.0.255", "Electricity object 1.0.1.99.0.255"),
        ("1.0.12.8.0.255", "Electricity object 1.0.12.8.0.255"),
        ("0.0.2.1.7.255", "Abstract object 0.0.2.1.7.255"),
        ("77.0.1.2.3.255", "Medium 77 object 77.0.1.2.3.255"),
        ("1.1.128.0.5.255", "Electricity manufacturer-specific object 1.1.128.0.5.255"),
    ],
)
def test_unknown_codes_have_a_generic_name(code: str, name: str) -> None:
    entry = lookup(code)
    assert entry.name == name
    assert not entry.known


def test_the_class_of_an_unknown_code_is_a_guess_by_the_value_groups() -> None:
    assert lookup("1.0.1.128.0.255").class_id == 3
    assert lookup("1.0.0.128.0.255").class_id == 1
    assert lookup("1.0.128.0.0.255").class_id == 1
    assert lookup("0.0.2.1.7.255").class_id == 1


@given(st.binary(min_size=6, max_size=6))
def test_no_code_fails(octets: bytes) -> None:
    entry = lookup(octets)
    assert entry.name
    assert "{" not in entry.name
    assert 0 < entry.class_id < 200


def test_resolving_takes_the_class_from_the_reference_the_meter_or_the_catalogue() -> None:
    assert str(resolve(parse_reference("1.8.0"))) == "3/1.0.1.8.0.255/2"
    assert str(resolve(parse_reference("1.8.0:scaler_unit"))) == "3/1.0.1.8.0.255/3"
    assert str(resolve(parse_reference("1.8.0"), class_id=4, version=0)) == "4/1.0.1.8.0.255/2"
    assert str(resolve(parse_reference("1/1.8.0"), class_id=4)) == "1/1.0.1.8.0.255/2"
    assert str(resolve(parse_reference("8192/1.8.0/7"))) == "8192/1.0.1.8.0.255/7"
    assert resolve(parse_reference("0.0.1.0.0.255")) == Clock().time
    assert resolve_object(parse_reference("0.0.1.0.0.255")) == Clock()
    with pytest.raises(ConfigurationError, match="Register has no attribute 'status'"):
        resolve(parse_reference("1.8.0:status"))


def test_resolving_methods() -> None:
    assert resolve_method(parse_reference("0.0.1.0.0.255:shift_time")) == Clock().shift_time
    assert resolve_method(parse_reference("8/0.0.1.0.0.255/6")) == Clock().shift_time
    with pytest.raises(ConfigurationError, match="names no method"):
        resolve_method(parse_reference("1.8.0"))
