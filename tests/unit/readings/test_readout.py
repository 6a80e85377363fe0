"""Readings of captured readouts; the expected values are those that the sources state."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import DecodeError
from cosem.protocol.iec21.readout import parse
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality, Reading
from cosem.readings.readout import lines, meter_of, readings

VECTORS = Path(__file__).parents[2] / "vectors" / "iec21.jsonl"
CASES = {case["id"]: case for case in map(json.loads, VECTORS.read_text(encoding="utf-8").splitlines())}
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def of(octets: bytes) -> list[Reading]:
    return readings(parse(octets), BERLIN, NOW)


def case(name: str) -> bytes:
    return str(CASES[name]["text"]).encode("latin-1")


def test_an_iskra_meter() -> None:
    found = {(str(each.obis), each.column.data_index): each for each in of(case("apollon-iskra-mt174"))}
    energy = found["1.0.1.8.1.7", 0]
    assert (energy.text, energy.unit) == ("6334294", Unit.WATT_HOUR)
    assert energy.time == datetime(2017, 3, 18, 20, 14, 55, tzinfo=BERLIN)
    maximum = found["1.0.1.6.0.255", 0]
    assert (maximum.text, maximum.time) == ("2468", datetime(2017, 3, 10, 9, 30, tzinfo=BERLIN))
    assert maximum.quality is Quality.ZONE_ASSUMED


def test_a_heat_meter_has_codes_of_heat() -> None:
    found = {str(each.obis): each for each in of(case("ultraheat-lugcuh50")) if not each.column.data_index}
    assert found["6.0.6.8.0.255"].quantity is not None
    assert found["6.0.6.8.0.255"].value == Decimal("328871000000")
    assert found["6.0.6.26.0.255"].value == Decimal("3329.67")


def test_what_stands_between_ampersands() -> None:
    found = [each for each in of(case("ultraheat-lugcuh50")) if each.obis == Obis("6.0.9.4.0.255")]
    assert [(each.text, each.unit, each.column.data_index) for each in found] == [
        ("98.5", Unit.DEGREE_CELSIUS, 1),
        ("96.1", Unit.DEGREE_CELSIUS, 2),
    ]


def test_a_value_that_is_no_number_is_marked_and_never_shown() -> None:
    found = {line.code: line for line in lines(parse(case("ultraheat-uh50-error")), BERLIN, NOW)}
    assert found["6.8"].fault == "'032A.871' is no number"
    assert found["6.8"].readings == ()
    assert found["6.26"].readings


def test_a_wrong_block_check_leaves_no_reading() -> None:
    readout = parse(case("apollon-sie-uh50"))
    with pytest.raises(DecodeError, match="block check"):
        readings(readout, BERLIN, NOW)
    assert all(line.fault and not line.readings for line in lines(readout, BERLIN, NOW))


def test_rows_of_a_load_profile() -> None:
    found = of(case("runamook-metcom-p01-4"))
    assert {str(each.profile) for each in found} == {"1.0.99.1.0.255"}
    assert found[0].time == datetime(2021, 11, 13, 10, 15, tzinfo=BERLIN)
    assert found[-1].time - found[0].time == timedelta(minutes=30)
    assert (found[0].text, found[0].unit) == ("0.01", Unit.WATT)


def test_negative_values_and_lower_case_units() -> None:
    (angle,) = [each for each in of(case("scs-siemens-td3511")) if each.obis == Obis("81.7.4")]
    assert (angle.text, angle.unit) == ("-70.1", Unit.DEGREE)
    assert angle.time == datetime(2023, 4, 5, 11, 12, 13, tzinfo=BERLIN)


def test_a_clock_that_makes_no_sense_is_told() -> None:
    (energy,) = of(b"0.9.1(250000)\r\n0.9.2(170318)\r\n1.8.0(1*kWh)\r\n")
    assert (energy.time, energy.quality) == (NOW, Quality.CLOCK_INVALID)


def test_maxima_that_never_were_are_left_out() -> None:
    assert of(b"1.6.0(000.000*kW)(00-00-00,00:00)\r\n") == []


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (b"/KFM5MT\r\n0.0.0(  12345678)\r\n", "12345678"),
        (b"/KFM5MT\r\n1.8.0(1)\r\n", "KFM5MT"),
        (b"1.8.0(1)\r\n", ""),
    ],
)
def test_what_the_meter_calls_itself(octets: bytes, name: str) -> None:
    assert meter_of(parse(octets)) == name
