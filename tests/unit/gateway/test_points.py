"""What goes out for what a device said: plain values, scale and offset, bounds of types, and changes."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import ShapeError
from cosem.gateway.config import DlmsJob, Signal, Writing
from cosem.gateway.points import LONGEST_TEXT, Changes, Measured, not_topical, plain, point_of, sample
from cosem.gateway.value import NumberType, Plain, Quality
from cosem.protocol.model.classes.data_storage import ScalerUnit
from cosem.protocol.model.classes.time_and_event import ControlState
from cosem.protocol.values.data import Array, BitString, Integer, LongUnsigned, OctetString, Structure
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def signal(**given: Any) -> Signal:
    return Signal(alias="s", name="S", device="m", job=DlmsJob(Obis("1.0.1.8.0.255")), **given)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (LongUnsigned(230), 230),
        (1.5, 1.5),
        (Decimal("12.50"), Decimal("12.50")),
        (BitString("0110"), "0110"),
        (ControlState.DISCONNECTED, 0),
        (OctetString(b"KFM1"), "KFM1"),
        (OctetString(b"\x00\xff"), "00ff"),
        ("text", "text"),
        (DateTime.from_octets(bytes.fromhex("07EA0B1A040C000000000000")), NOON),
        (Date.from_octets(bytes.fromhex("07EA0B1A04")), "2026-11-26 Thu"),
        (Time.from_octets(bytes.fromhex("0C000000")), "12:00:00.00"),
        (Structure((Integer(1), OctetString(b"A"))), "[1, A]"),
        (Array(()), "[]"),
        (ScalerUnit(-1, Unit.WATT_HOUR), "{scaler: -1, unit: 30}"),
        (None, None),
        (ShapeError("no"), None),
    ],
)
def test_plain_values(value: Any, expected: Plain) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) in (bool, int, float, Decimal, str, datetime, type(None))


def test_a_time_without_deviation_is_of_the_zone_of_the_meter() -> None:
    told = DateTime.from_octets(bytes.fromhex("07EA0B1A040C000000800000"))
    assert plain(told, ZoneInfo("Europe/Vilnius")) == datetime(2026, 11, 26, 10, tzinfo=UTC)
    assert isinstance(plain(told), str)


@pytest.mark.parametrize(("length", "cut"), [(LONGEST_TEXT, False), (LONGEST_TEXT + 1, True)])
def test_texts_have_a_limit(length: int, cut: bool) -> None:
    found = plain("a" * length)
    assert isinstance(found, str)
    assert (len(found), found.endswith("…")) == (LONGEST_TEXT, cut)


@pytest.mark.parametrize(
    ("given", "value", "expected"),
    [
        ({"multiply": Decimal("0.001")}, 12345, Decimal("12.345")),
        ({"multiply": Decimal(10), "offset": Decimal(-5)}, 7, 65),
        ({"multiply": Decimal("0.5")}, 3.0, 1.5),
        ({"offset": Decimal(1)}, Decimal("0.1"), Decimal("1.1")),
        ({"multiply": Decimal(2)}, "two", "two"),
        ({"multiply": Decimal(2)}, True, True),
        ({}, 7, 7),
    ],
)
def test_multiply_and_offset(given: dict[str, Any], value: Any, expected: Plain) -> None:
    found = sample(signal(**given), Measured(value, "Wh"), NOON)
    assert (found.value, found.unit, found.quality) == (expected, "Wh", Quality.GOOD)


@pytest.mark.parametrize(
    ("number_type", "value", "expected", "quality"),
    [
        (NumberType.DIGITAL, 5, True, Quality.GOOD),
        (NumberType.DIGITAL, "0", False, Quality.GOOD),
        (NumberType.DIGITAL, "open", None, Quality.INVALID),
        (NumberType.SIGNED16, 32767, 32767, Quality.GOOD),
        (NumberType.SIGNED16, 32768, 32767, Quality.OVERFLOW),
        (NumberType.SIGNED16, -32769, -32768, Quality.OVERFLOW),
        (NumberType.UNSIGNED16, -1, 0, Quality.OVERFLOW),
        (NumberType.UNSIGNED16, 65536, 65535, Quality.OVERFLOW),
        (NumberType.SIGNED32, 1 << 31, (1 << 31) - 1, Quality.OVERFLOW),
        (NumberType.UNSIGNED32, (1 << 32) - 1, (1 << 32) - 1, Quality.GOOD),
        (NumberType.SIGNED64, 1 << 63, (1 << 63) - 1, Quality.OVERFLOW),
        (NumberType.UNSIGNED64, (1 << 64) - 1, (1 << 64) - 1, Quality.GOOD),
        (NumberType.UNSIGNED16, 230.6, 231, Quality.GOOD),
        (NumberType.UNSIGNED16, math.inf, 65535, Quality.OVERFLOW),
        (NumberType.UNSIGNED16, math.nan, None, Quality.INVALID),
        (NumberType.UNSIGNED16, "0230.4", 230, Quality.GOOD),
        (NumberType.FLOAT, 1e39, 3.4028234663852886e38, Quality.OVERFLOW),
        (NumberType.FLOAT, Decimal("0.1"), Decimal("0.1"), Quality.GOOD),
        (NumberType.DOUBLE, 1e39, 1e39, Quality.GOOD),
        (NumberType.DOUBLE, "12.5 kWh", None, Quality.INVALID),
        (NumberType.DOUBLE, b"".decode(), None, Quality.INVALID),
        (NumberType.BITSTRING, "0110", "0110", Quality.GOOD),
        (NumberType.BITSTRING, 6, "110", Quality.GOOD),
        (NumberType.BITSTRING, -1, None, Quality.INVALID),
        (NumberType.TEXT, 7, "7", Quality.GOOD),
        (NumberType.TEXT, None, None, Quality.INVALID),
        (NumberType.TIME, NOON, NOON, Quality.GOOD),
        (NumberType.TIME, "noon", None, Quality.INVALID),
        (None, None, None, Quality.INVALID),
    ],
)
def test_types_and_their_bounds(number_type: NumberType | None, value: Any, expected: Plain, quality: Quality) -> None:
    found = sample(signal(number_type=number_type), Measured(value), NOON)
    assert (found.value, found.quality) == (expected, quality)


def test_the_unit_of_the_table_counts_and_what_the_device_has_against_a_value_stays() -> None:
    measured = Measured(5, "Wh", NOON - timedelta(seconds=3), Quality.NOT_TOPICAL, backfilled=True)
    found = sample(signal(units="kWh"), measured, NOON)
    assert (found.unit, found.quality, found.source_time) == ("kWh", Quality.NOT_TOPICAL, measured.time)
    assert (found.gateway_time, found.backfilled) == (NOON, True)


def test_changes_are_more_than_the_deadband() -> None:
    changes = Changes([signal(deadband=Decimal(2))])

    def new(value: Any, quality: Quality = Quality.GOOD, *, backfilled: bool = False) -> int:
        return len(changes.of([sample(signal(), Measured(value, quality=quality, backfilled=backfilled), NOON)]))

    assert [new(10), new(12), new(12.1), new(10.2), new(14.2)] == [1, 0, 1, 0, 1]
    assert [new(14.2, Quality.NOT_TOPICAL), new(14.2, Quality.NOT_TOPICAL)] == [1, 0]
    assert new(14.2, backfilled=True) == 1


def test_on_change_keeps_back_the_same_and_others_always_go_out() -> None:
    value = sample(signal(), Measured("on"), NOON)
    changes = Changes([signal(on_change=True)])
    assert [len(changes.of([value])) for _ in range(2)] == [1, 0]
    always = Changes([signal()])
    assert [len(always.of([value])) for _ in range(2)] == [1, 1]


def test_the_last_values_of_what_is_lost() -> None:
    later = NOON + timedelta(minutes=1)
    (stale,) = not_topical([sample(signal(), Measured(5), NOON)], later)
    assert (stale.value, stale.quality, stale.gateway_time) == (5, Quality.NOT_TOPICAL, later)


def test_a_point() -> None:
    found = point_of(signal(units="V", register=7, ioa=9, topic="a/b", node="n", writing=Writing()))
    assert (found.signal, found.device, found.name, found.unit, found.writable) == ("s", "m", "S", "V", True)
    assert (found.number_type, found.register, found.ioa, found.topic, found.node) == (
        *(NumberType.DOUBLE, 7, 9, "a/b", "n"),
    )
