"""Readings of P1 telegrams: units, times, sub-meters, logs, and the lines that say nothing certain."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import DecodeError
from cosem.protocol.iec21.p1 import Telegram, telegram, telegrams
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.p1 import lines, meter_of, readings
from cosem.readings.reading import Quality, Reading, Source

ROOT = Path(__file__).resolve().parents[3]
CASES = [json.loads(line) for line in (ROOT / "tests/vectors/p1.jsonl").read_text("utf-8").splitlines()]
CASE = {case["id"]: case for case in CASES if "text" in case}
ZONE = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2024, 1, 1, tzinfo=UTC)


def parsed(octets: bytes) -> Telegram:
    (event,) = telegrams(octets)
    assert isinstance(event, Telegram)
    return event


def of(name: str) -> list[Reading]:
    return readings(parsed(CASE[name]["text"].encode("latin-1")), ZONE, NOW)


def found(made: list[Reading], obis: str) -> Reading:
    (reading,) = [each for each in made if each.obis == Obis(obis) and each.profile is None]
    return reading


def made(*sets: tuple[str, ...]) -> Telegram:
    return parsed(telegram("ISK5TEST", sets))


def test_energy_and_clock() -> None:
    energy = found(of("robthree-v5-ok"), "1-0:1.8.1")
    assert (energy.raw, energy.scaler, energy.unit) == (123456789, 0, Unit.WATT_HOUR)
    assert energy.time == datetime(2010, 12, 9, 11, 30, 20, tzinfo=ZONE)
    assert energy.quality == Quality.ZONE_ASSUMED
    assert energy.source is Source.PUSHED
    assert energy.meter == "K8EG004046395507"
    assert energy.reference == "3/1.0.1.8.1.255/2"


AMSHAN = {
    "active_power_import": ("1-0:1.7.0", 1),
    "active_power_import_total": ("1-0:1.8.0", 1),
    "active_power_import_l2": ("1-0:41.7.0", 1),
    "reactive_power_export": ("1-0:4.7.0", 1),
    "reactive_power_import_total": ("1-0:3.8.0", 1),
    "voltage_l2": ("1-0:52.7.0", 1),
    "current_l1": ("1-0:31.7.0", 1),
}


@pytest.mark.parametrize("field", AMSHAN)
def test_values_that_amshan_states(field: str) -> None:
    obis, _ = AMSHAN[field]
    stated = CASE["amshan-p1-kamstrup"]["expected"]["decoded"][field]
    assert found(of("amshan-p1-kamstrup"), obis).value == Decimal(str(stated))


def test_values_that_another_parser_states() -> None:
    stated = CASE["athombv-iskra-mt-382-no-crc-with-text-message"]["expected"]
    octets = CASE["athombv-iskra-mt-382-no-crc-with-text-message"]["text"].encode("latin-1")
    read = readings(parsed(octets.rstrip() + b"\r\n!\r\n"), ZONE, NOW)
    assert found(read, "1-0:1.8.1").value == stated["electricity"]["tariffs"]["1"]["received"]
    gas = found(read, "0-1:24.2.1")
    assert gas.value == Decimal(str(stated["mbus"]["1"]["value"]))
    assert gas.unit is Unit.CUBIC_METRE
    assert gas.time == datetime(2025, 4, 23, 9, tzinfo=ZONE)
    assert found(read, "1-0:1.8.1").time == NOW, "DSMR 2.2 has no clock"
    assert found(read, "0-0:96.13.0").value == "test-/-test"


def test_sub_meters_by_channel_with_their_own_time() -> None:
    read = of("ndokter-fluvius-v171-alt")
    gas, water = found(read, "0-1:24.2.3"), found(read, "0-2:24.2.1")
    assert (gas.text, gas.unit, gas.time) == ("92.287", Unit.CUBIC_METRE, datetime(2023, 11, 2, 12, 10, 2, tzinfo=ZONE))
    assert (water.text, water.time) == ("8.579", datetime(2023, 11, 2, 12, 15, 32, tzinfo=ZONE))
    assert found(read, "0-1:24.1.0").value == 3
    assert found(read, "0-1:24.1.0").reference == "72/0.1.24.1.0.255/9"


def test_maxima_of_months() -> None:
    read = of("ndokter-fluvius-v171-alt")
    months = [each for each in read if each.profile == Obis("0-0:98.1.0")]
    assert [each.text for each in months] == ["0", "1862", "4229", "4927"]
    assert {each.unit for each in months} == {Unit.WATT}
    assert months[1].time == datetime(2023, 9, 1, tzinfo=ZONE)
    assert found(read, "1-0:1.6.0").time == datetime(2023, 11, 2, 11, 45, tzinfo=ZONE)


def test_power_failures() -> None:
    log = [each for each in of("robthree-v5-ok") if each.profile == Obis("1-0:99.97.0")]
    assert [each.obis for each in log] == [Obis("0-0:96.7.19")] * 3
    assert [each.raw for each in log] == [237126, 2147583646, 2317482647]
    assert {each.unit for each in log} == {Unit.SECOND}
    assert log[0].time == datetime(2000, 1, 4, 18, 3, 20, tzinfo=ZONE)
    assert [each for each in of("jonkerj-landis-gir-zcf100") if each.profile] == [], "a log with no entry"


def test_texts() -> None:
    read = of("robthree-v5-ok")
    assert str(found(read, "0-0:96.13.0").value).startswith("0123456789:;<=>?0123")
    assert found(read, "1-3:0.2.8").value == "50"
    assert (
        found(read, "0-1:96.1.0").value
        == bytes.fromhex(
            next(line for line in CASE["robthree-v5-ok"]["text"].split() if line.startswith("0-1:96.1.0"))[11:-1]
        ).decode()
    )


def test_old_meter_with_hourly_values_of_one_address() -> None:
    gas = [each for each in of("openhab-ace4000") if each.obis == Obis("7-0:23.1.0")]
    assert len(gas) == 24
    assert gas[1].time - gas[0].time == timedelta(hours=1)
    assert len({each.key for each in gas}) == 24


def test_wrong_crc_gives_no_value_silently() -> None:
    damaged = parsed(telegram("ISK5TEST", [("1-0:1.8.0", "1*kWh")]).replace(b"(1*", b"(2*"))
    with pytest.raises(DecodeError):
        readings(damaged, ZONE, NOW)
    (line,) = lines(damaged, ZONE, NOW)
    assert line.readings == ()
    assert "CRC" in (line.fault or "")


@pytest.mark.parametrize(
    ("address", "values", "fault"),
    [
        ("0-1:24.2.1", ("632525252525S", "00000.000"), "no time"),
        ("1-0:1.8.0", ("1*furlong",), "unit"),
        ("1-1:30D", ("1",), "OBIS"),
        ("1-0:99.97.0", ("2", "0-0:96.7.19", "240101000000W", "1*s"), "expected 2 entries"),
        ("1-0:99.97.0", ("x", "0-0:96.7.19"), "expected"),
        ("1-0:99.97.0", ("1", "nothing", "240101000000W", "1*s"), "OBIS"),
        ("1-0:99.97.0", ("1", "0-0:96.7.19", "240001000000W", "1*s"), "no time"),
        ("0-1:24.3.0", ("240101000000", "08"), "expected 7"),
        ("0-1:24.3.0", ("240001000000", "08", "60", "1", "0-1:24.2.1", "m3", "1"), "no time"),
        ("0-1:24.3.0", ("240101000000", "08", "60", "1", "x", "m3", "1"), "OBIS"),
    ],
)
def test_one_bad_line_has_its_own_verdict(address: str, values: tuple[str, ...], fault: str) -> None:
    parts = lines(made(("1-0:1.8.0", "1*kWh"), (address, *values), ("1-0:2.8.0", "2*kWh")), ZONE, NOW)
    assert [len(each.readings) for each in parts] == [1, 0, 1]
    assert fault in (parts[1].fault or "")
    assert parts[0].fault is parts[2].fault is None


def test_empty_values_say_nothing() -> None:
    parts = lines(made(("0-0:96.13.0", ""), ("1-0:99.97.0", ""), ("0-1:24.3.0", ""), ("0-2:96.1.0", "")), ZONE, NOW)
    assert [(each.readings, each.fault) for each in parts] == [((), None)] * 4


def test_several_values_of_an_address() -> None:
    ((line),) = lines(made(("1-1:31.4.0", "100*A", "-063*A")), ZONE, NOW)
    assert [(each.raw, each.column.data_index) for each in line.readings] == [(100, 1), (-63, 2)]


def test_clock_that_was_never_set() -> None:
    clock, energy = lines(made(("0-0:1.0.0", "000000000000W"), ("1-0:1.8.0", "1*kWh")), ZONE, NOW)
    assert "no time" in (clock.fault or "")
    assert energy.readings[0].time == NOW
    assert energy.readings[0].quality == Quality.CLOCK_INVALID


def test_summer_time() -> None:
    (_, line) = lines(made(("0-0:1.0.0", "240712120000S"), ("1-0:1.8.0", "1*kWh")), ZONE, NOW)
    assert line.readings[0].quality == Quality.ZONE_ASSUMED | Quality.DAYLIGHT_SAVING


def test_whose_readings_they_are() -> None:
    assert meter_of(made(("1-0:1.8.0", "1*kWh"))) == "ISK5TEST"
    assert meter_of(made(("0-0:42.0.0", "53414731303330373930303032353734"))) == "SAG1030790002574"
    telegram_ = made(("1-0:1.8.0", "1*kWh"))
    assert {each.meter for each in readings(telegram_, ZONE, NOW, "cellar")} == {"cellar"}
