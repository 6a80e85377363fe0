"""Values, qualities, times and commands of IEC 60870-5-104, as octets."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import DecodeError
from cosem.gateway.northbound.iec104.elements import COMMANDS, monitored, time_of, time_tag
from cosem.gateway.value import NumberType, Plain, Quality

GOOD = Quality.GOOD


@pytest.mark.parametrize(
    ("number_type", "value", "quality", "octets"),
    [
        (NumberType.DIGITAL, True, GOOD, "01"),
        (NumberType.DIGITAL, 0, Quality.NOT_TOPICAL, "40"),
        (NumberType.DIGITAL, None, GOOD, "80"),
        (NumberType.DIGITAL, True, Quality.OVERFLOW, "01"),  # SIQ has no overflow
        (NumberType.SIGNED16, -5, GOOD, "fbff00"),
        (NumberType.SIGNED16, 32767, GOOD, "ff7f00"),
        (NumberType.SIGNED16, 32768, GOOD, "ff7f01"),
        (NumberType.SIGNED16, -32768, GOOD, "008000"),
        (NumberType.SIGNED16, -32769, GOOD, "008001"),
        (NumberType.UNSIGNED16, Decimal("230.4"), Quality.SUBSTITUTED, "e60020"),
        (NumberType.SIGNED16, "ten", GOOD, "000080"),
        (NumberType.FLOAT, 1.5, Quality.NOT_TOPICAL, "0000c03f40"),
        (NumberType.FLOAT, None, Quality.INVALID, "0000000080"),
        (NumberType.FLOAT, math.nan, GOOD, "0000000080"),
        (NumberType.FLOAT, "1.5", GOOD, "0000000080"),
        (NumberType.DOUBLE, 1e39, GOOD, "ffff7f7f01"),
        (NumberType.DOUBLE, -math.inf, GOOD, "ffff7fff01"),
        (NumberType.SIGNED64, 10**12, GOOD, "a5d4685300"),
        (NumberType.BITSTRING, "101", GOOD, "0500000000"),
        (NumberType.BITSTRING, 0xFFFFFFFF, GOOD, "ffffffff00"),
        (NumberType.BITSTRING, 1 << 32, GOOD, "0000000080"),
        (NumberType.BITSTRING, "1" * 33, GOOD, "0000000080"),
        (NumberType.BITSTRING, "102", GOOD, "0000000080"),
        (NumberType.SIGNED32, 123456, GOOD, "40e2010000"),
        (NumberType.UNSIGNED32, (1 << 31) - 1, GOOD, "ffffff7f00"),
        (NumberType.UNSIGNED32, 1 << 31, GOOD, "ffffff7f80"),
        (NumberType.SIGNED32, 7, Quality.NOT_TOPICAL, "0700000080"),
    ],
)
def test_what_a_value_is_on_the_line(number_type: NumberType, value: Plain, quality: Quality, octets: str) -> None:
    assert monitored(number_type, value, quality).hex() == octets


VILNIUS = ZoneInfo("Europe/Vilnius")


@pytest.mark.parametrize(
    ("octets", "zone", "time"),
    [
        ("8a140013810207", UTC, datetime(2007, 2, 1, 19, 0, 5, 258000, UTC)),
        ("e8030c8cf9071a", VILNIUS, datetime(2026, 7, 25, 9, 12, 1, tzinfo=UTC)),
        ("00000083f90a1a", VILNIUS, datetime(2026, 10, 25, 0, 0, tzinfo=UTC)),
        ("00000003f90a1a", VILNIUS, datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
    ],
)
def test_times(octets: str, zone: ZoneInfo, time: datetime) -> None:
    assert time_of(bytes.fromhex(octets), zone) == time


def test_a_time_that_is_not_there() -> None:
    assert time_of(time_tag(None)) is None
    assert time_of(bytes.fromhex("00008000000000")) is None


@pytest.mark.parametrize("octets", ["0000000041001a", "00000018410b1a", "00003c00410b1a", "ffff0000410d1a"])
def test_what_is_no_time(octets: str) -> None:
    with pytest.raises(DecodeError):
        time_of(bytes.fromhex(octets))


def test_summer_where_it_is_the_standard() -> None:
    for month, summer in ((1, False), (7, True)):
        octets = time_tag(datetime(2026, month, 15, 12, tzinfo=UTC), ZoneInfo("Europe/Dublin"))
        assert bool(octets[3] & 0x80) is summer


@pytest.mark.parametrize("zone", [UTC, VILNIUS, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Europe/Dublin")])
@pytest.mark.parametrize("month", range(1, 13))
def test_a_time_comes_back(zone: ZoneInfo, month: int) -> None:
    for hour in range(24):
        time = datetime(2026, month, 25, hour, 59, 59, 999000, UTC)
        assert time_of(time_tag(time, zone), zone) == time


@pytest.mark.parametrize(
    ("type_id", "octets", "value"),
    [
        (45, "01", True),
        (45, "80", False),
        (46, "02", True),
        (46, "01", False),
        (49, "fbff00", -5),
        (50, "0000c03f00", 1.5),
        (51, "05000000", "0" * 29 + "101"),
        (58, "01", True),
        (63, "0000c03f00", 1.5),
    ],
)
def test_what_a_command_says(type_id: int, octets: str, value: Plain) -> None:
    assert COMMANDS[type_id].value(bytes.fromhex(octets)) == value
    assert COMMANDS[type_id].size == len(octets) // 2


@pytest.mark.parametrize(("type_id", "octets"), [(46, "00"), (46, "03"), (50, "0000c07f00"), (50, "0000807f00")])
def test_a_command_that_says_nothing(type_id: int, octets: str) -> None:
    with pytest.raises(DecodeError):
        COMMANDS[type_id].value(bytes.fromhex(octets))
