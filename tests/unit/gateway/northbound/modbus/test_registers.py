"""Where points are in Modbus, and what their values are there."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.modbus.registers import ModbusSettings, Refused, Registers
from cosem.gateway.value import NumberType, Plain, Quality, Sample

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def point(signal: str, kind: NumberType = NumberType.UNSIGNED16, register: int | None = None) -> Point:
    return Point(signal, "meter", "", kind, register=register, writable=True)


def sample(value: Plain, quality: Quality = Quality.GOOD, **more: Any) -> Sample:
    return Sample("s", value, quality, None, NOON, **more)


def where(*points: Point, **settings: Any) -> list[tuple[str, int, int, int]]:
    placed = Registers(points, ModbusSettings(**settings)).places.values()
    return [(each.point.signal, each.address, each.count, each.quality) for each in placed]


def test_places_by_the_order_of_the_table() -> None:
    found = where(
        point("a", NumberType.DOUBLE),
        point("b", NumberType.DIGITAL),
        point("text", NumberType.TEXT),
        point("c", NumberType.FLOAT, 5),
        point("d", NumberType.FLOAT),
        point("e", NumberType.DIGITAL, 0),
        point("time", NumberType.TIME),
        point("f"),
        quality_offset=10,
    )
    assert found == [
        *(("a", 0, 4, 10), ("b", 1, 0, 11), ("c", 5, 2, 12)),
        *(("d", 7, 2, 13), ("e", 0, 0, 14), ("f", 9, 1, 15)),
    ]


def test_free_places_leave_out_the_qualities() -> None:
    assert where(point("a"), point("b", NumberType.SIGNED32), quality_offset=1) == [("a", 0, 1, 1), ("b", 3, 2, 2)]


@pytest.mark.parametrize(
    ("points", "settings", "reason"),
    [
        ([point("a", register=4), point("b", NumberType.FLOAT, 3)], {}, "b: register 4 is that of a"),
        ([point("a", NumberType.DIGITAL, 4), point("b", NumberType.DIGITAL, 4)], {}, "b: coil 4 is that of a"),
        ([point("a", register=30000)], {}, "register 30000 is that of a quality"),
        ([point("a", NumberType.FLOAT, 65535)], {}, "65536 is too high"),
        ([point("a"), point("b")], {"quality_offset": 65535}, "no room for 2 points"),
    ],
)
def test_places_that_collide(points: list[Point], settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Registers(points, ModbusSettings(**settings))


def test_the_last_places_there_are() -> None:
    assert where(point("a", NumberType.FLOAT, 65533), quality_offset=65535) == [("a", 65533, 2, 65535)]
    assert where(point("a", NumberType.DIGITAL, 65535))[0][1] == 65535


@pytest.mark.parametrize(
    ("kind", "value", "form", "shown", "quality"),
    [
        (NumberType.SIGNED16, -32768, ">h", -32768, 0),
        (NumberType.SIGNED16, -32769, ">h", -32768, 1),
        (NumberType.UNSIGNED16, 65536, ">H", 65535, 1),
        (NumberType.UNSIGNED32, Decimal("1.6"), ">I", 2, 0),
        (NumberType.SIGNED64, 2**63, ">q", 2**63 - 1, 1),
        (NumberType.UNSIGNED64, -1, ">Q", 0, 1),
        (NumberType.FLOAT, 1e39, ">f", 3.4028234663852886e38, 1),
        (NumberType.DOUBLE, Decimal("1e400"), ">d", 1.7976931348623157e308, 1),
        (NumberType.DOUBLE, 0.1, ">d", 0.1, 0),
        (NumberType.BITSTRING, "1" * 32, ">I", 2**32 - 1, 0),
        (NumberType.BITSTRING, "1" + "0" * 32, ">I", 2**32 - 1, 1),
        (NumberType.BITSTRING, 5, ">I", 0, 0x80),
        (NumberType.UNSIGNED16, "text", ">H", 0, 0x80),
        (NumberType.UNSIGNED16, None, ">H", 0, 0x80),
        (NumberType.DOUBLE, float("inf"), ">d", math.nan, 0x80),
        (NumberType.FLOAT, None, ">f", math.nan, 0x80),
    ],
)
def test_values(kind: NumberType, value: Plain, form: str, shown: float, quality: int) -> None:
    registers = Registers([point("s", kind)], ModbusSettings())
    registers.publish([sample(value)])
    words = registers.registers(0, struct.calcsize(form) // 2)
    (found,) = struct.unpack(form, b"".join(each.to_bytes(2, "big") for each in words))
    assert found == pytest.approx(shown, nan_ok=True)
    assert registers.registers(30000, 1) == [quality]


def test_what_is_backfilled_or_unknown_changes_nothing() -> None:
    registers = Registers([point("s")], ModbusSettings())
    registers.publish([sample(5), sample(4, backfilled=True), Sample("t", 3, Quality.GOOD, None, NOON)])
    assert registers.registers(0, 1) == [5]
    registers.publish([sample(5, Quality.NOT_TOPICAL | Quality.SUBSTITUTED)])
    assert registers.registers(30000, 1) == [0x60]


def test_gaps() -> None:
    points = [point("a", register=0), point("b", register=3), point("c", NumberType.DIGITAL, 0)]
    strict, loose = Registers(points, ModbusSettings()), Registers(points, ModbusSettings(gaps=True))
    loose.publish([Sample("b", 7, Quality.GOOD, None, NOON)])
    assert loose.registers(0, 5) == [0, 0, 0, 7, 0]
    assert loose.coils(0, 2) == [False, False]
    for refused in (lambda: strict.registers(0, 4), lambda: loose.registers(4, 2), lambda: loose.coils(1, 1)):
        with pytest.raises(Refused):
            refused()


@pytest.mark.parametrize(("words", "fine"), [([0x7F7F, 0xFFFF], True), ([0x7F80, 0], False), ([0x7FC0, 0], False)])
def test_a_command_is_a_number(words: list[int], fine: bool) -> None:
    registers = Registers([point("s", NumberType.FLOAT)], ModbusSettings())
    if fine:
        ((_, value),) = registers.wanted(0, words, coils=False)
        assert value == pytest.approx(3.4028234663852886e38)
    else:
        with pytest.raises(Refused):
            registers.wanted(0, words, coils=False)


@pytest.mark.parametrize(
    ("settings", "fine"),
    [
        ({"word_order": "little"}, True),
        ({"word_order": "middle"}, False),
        ({"unit": 255}, True),
        ({"unit": 256}, False),
        ({"unit": -1}, False),
        ({"quality_offset": 65535}, True),
        ({"quality_offset": 65536}, False),
    ],
)
def test_settings(settings: dict[str, Any], fine: bool) -> None:
    if fine:
        ModbusSettings(**settings)
    else:
        with pytest.raises(ConfigurationError):
            ModbusSettings(**settings)
