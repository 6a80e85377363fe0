"""Readings of the French TIC, and what is said without an OBIS code."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from cosem.protocol.iec21.tic import Frame, Group, Mode, frame, frames
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality, Source
from cosem.readings.tic import lines, readings

ROOT = Path(__file__).resolve().parents[3]
CASES = [json.loads(line) for line in (ROOT / "tests/vectors/tic.jsonl").read_text("utf-8").splitlines()]
PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2024, 1, 1, tzinfo=UTC)


def of(name: str) -> Frame:
    (text,) = [case["text"] for case in CASES if case["id"] == name]
    return next(each for each in frames(text.encode("latin-1")) if isinstance(each, Frame) and each.complete)


def test_standard_has_its_own_clock() -> None:
    found = {each.obis: each for each in readings(of("openhab-standard-three-phase-prod"), PARIS, NOW)}
    energy = found[Obis("1.0.1.8.0.255")]
    assert (energy.raw, energy.unit, energy.meter) == (11604109, Unit.WATT_HOUR, "123456789012")
    assert energy.time == datetime(2021, 4, 14, 6, 26, 25, tzinfo=UTC)
    assert energy.quality == Quality.ZONE_ASSUMED | Quality.DAYLIGHT_SAVING
    assert energy.source is Source.PUSHED
    assert found[Obis("1.0.2.8.0.255")].raw == 671631
    assert found[Obis("1.0.72.7.0.255")].quantity == Quantity(Decimal(242), Unit.VOLT)
    assert found[Obis("1.0.49.7.0.255")].quantity == Quantity(Decimal(568), Unit.VOLT_AMPERE)


def test_historique_has_none() -> None:
    found = readings(of("linkytic-historic"), PARIS, NOW, "cellar")
    assert {each.time for each in found} == {NOW}
    assert {each.meter for each in found} == {"cellar"}
    assert {str(each.obis): each.raw for each in found} == {
        "1.0.1.8.0.255": 123456789,
        "1.0.9.7.0.255": 2390,
        "1.0.31.7.0.255": 11,
    }


def test_what_has_no_code_is_said_all_the_same() -> None:
    found = {line.code: line for line in lines(of("linkytic-standard"), PARIS, NOW)}
    assert found["EASF01"].quantity == Quantity(Decimal(3519702), Unit.WATT_HOUR)
    assert found["EASF01"].readings == ()
    assert found["SMAXSN"].time == datetime(2024, 2, 10, 10, 3, 31, tzinfo=UTC)
    assert found["MSG1"].text.startswith("PAS DE")
    assert found["PREF"].quantity == Quantity(Decimal(6), Unit.VOLT_AMPERE, "kVA")
    assert all(line.fault is None for line in found.values())
    assert all(line.meaning for line in found.values())


def test_each_group_has_its_own_verdict() -> None:
    octets = frame([Group("IINST", "012"), Group("PAPP", "lots"), Group("XYZ", "1")]).replace(b"012", b"013")
    (found,) = frames(octets)
    assert isinstance(found, Frame)
    wrong, no_number, unknown = lines(found, PARIS, NOW)
    assert "checksum" in (wrong.fault or "")
    assert "number" in (no_number.fault or "")
    assert unknown.fault is None and unknown.readings == ()
    assert readings(found, PARIS, NOW) == []


def test_measured_at_no_time() -> None:
    group = Group("SMAXSN", "00230", " 000000000000", Mode.STANDARD)
    (found,) = frames(frame([group, Group("DPM1", "00", " 000000000000", Mode.STANDARD)]))
    assert isinstance(found, Frame)
    assert [line.fault is None for line in lines(found, PARIS, NOW)] == [False, True]


def test_clock_in_doubt() -> None:
    octets = frame([Group("DATE", "", "h240110120000", Mode.STANDARD), Group("EAST", "000000001", mode=Mode.STANDARD)])
    (found,) = frames(octets)
    assert isinstance(found, Frame)
    ((reading),) = readings(found, PARIS, NOW)
    assert reading.quality == Quality.ZONE_ASSUMED | Quality.CLOCK_DOUBTFUL
    assert reading.meter == "TIC"
