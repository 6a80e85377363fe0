"""Readings of pushed lists: captured bodies and the values that their publishers give."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.values.data import DoubleLongUnsigned, Structure
from cosem.readings.han import HanTelegram, lines, list_of, push_lists, readings
from cosem.readings.reading import Quality, Source

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).resolve().parents[2] / "vectors/pushes.jsonl").read_text("utf-8").splitlines()
]
RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")


def telegram(octets: bytes, lists: str | None) -> HanTelegram:
    told = apdus.decode(octets)
    assert isinstance(told, DataNotification)
    return HanTelegram(octets, told, list_of(push_lists(lists), told.body))


def vector(name: str) -> bytes:
    return bytes.fromhex(next(each["octets"] for each in VECTORS if each["id"] == name))


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: str(case["id"]))
def test_every_capture(case: dict[str, object]) -> None:
    found = telegram(bytes.fromhex(str(case["octets"])), str(case["companion"]))
    told = {line.code: line for line in lines(found, OSLO, RECEIVED)}
    expected = case["expected"]
    assert isinstance(expected, dict)
    for code, value in expected.items():
        line = told[code]
        assert line.fault is None
        assert (line.quantity.value if line.quantity else Decimal(line.text)) == Decimal(value), code


def test_the_time_and_the_meter_of_a_push() -> None:
    found = telegram(vector("amshan-kamstrup-no-list-2-single-phase-real-sample"), "norway")
    told = readings(found, OSLO, RECEIVED)
    first = told[0]
    assert first.time == datetime(2021, 11, 24, 0, 0, 25, tzinfo=OSLO)
    assert first.quality is Quality.ZONE_ASSUMED
    assert (first.meter, first.source) == ("5705705705705702", Source.PUSHED)
    assert readings(found, OSLO, RECEIVED, "mine")[0].meter == "mine"


def test_a_push_without_a_time_is_of_when_it_came() -> None:
    (found,) = readings(telegram(vector("amshan-aidon-no-list-1"), "norway"), OSLO, RECEIVED)
    assert (found.time, found.meter, found.quality) == (RECEIVED, "HAN", Quality.GOOD)


def test_a_time_with_its_deviation_is_believed() -> None:
    found = readings(telegram(vector("made-wiener-netze"), "austria"), OSLO, RECEIVED)
    assert found[0].time.utcoffset() is not None
    assert Quality.ZONE_ASSUMED not in found[0].quality


def test_lists_of_all_companions_where_none_is_named() -> None:
    found = telegram(vector("made-kaifa-no-list-2"), None)
    assert found.list is not None and found.list.name == "Kaifa list 2, three phases"
    assert push_lists("norway:aidon") == push_lists("norway")
    assert push_lists("0.4.25.9.0.255") == push_lists()
    with pytest.raises(ConfigurationError, match="no companion 'atlantis'"):
        push_lists("atlantis")


def test_a_body_that_nobody_names_is_told_as_it_is() -> None:
    body = Structure(map(DoubleLongUnsigned, range(5)))
    found = HanTelegram(b"\x0f", DataNotification(0, b"", body), None)
    (line,) = lines(found, UTC, RECEIVED)
    assert line.fault is not None and "no list tells" in line.fault
    assert readings(found, UTC, RECEIVED) == []
