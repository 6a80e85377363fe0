"""Plain Python values become the Data that an attribute declares."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import Any

import pytest

from cosem.errors import ShapeError
from cosem.meter.values import encode_value
from cosem.protocol.model import CaptureObject, Clock, ProfileGeneric, Register
from cosem.protocol.model.shape import ANY
from cosem.protocol.values.data import (
    Array,
    DoubleLong,
    DoubleLongUnsigned,
    Enumerated,
    Float32,
    Float64,
    Integer,
    Long64,
    Long64Unsigned,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    same,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

MOMENT = datetime(2024, 2, 29, 13, 45, tzinfo=timezone(timedelta(hours=1)))
OCTETS = bytes.fromhex("07E8021D040D2D0000FFC400")


@pytest.mark.parametrize(
    ("plain", "data"),
    [
        (0, DoubleLongUnsigned(0)),
        (0xFFFF_FFFF, DoubleLongUnsigned(0xFFFF_FFFF)),
        (0x1_0000_0000, Long64Unsigned(0x1_0000_0000)),
        (-1, DoubleLong(-1)),
        (-(1 << 31), DoubleLong(-(1 << 31))),
        (-(1 << 31) - 1, Long64(-(1 << 31) - 1)),
        (True, True),
        (None, None),
        (1.5, Float64(1.5)),
        ("KFM", OctetString(b"KFM")),
        (b"\0\1", OctetString(b"\0\1")),
        (bytearray(b"\0"), OctetString(b"\0")),
        (MOMENT, OctetString(OCTETS)),
        (date(2024, 2, 29), OctetString(OCTETS[:5])),
        (time(13, 45), OctetString(OCTETS[5:9])),
        (Obis("1.0.1.8.0.255"), OctetString(bytes.fromhex("0100010800FF"))),
        (Unit.WATT_HOUR, Enumerated(30)),
        ((1, "a"), Structure((DoubleLongUnsigned(1), OctetString(b"a")))),
        ([1, (2,)], Array((DoubleLongUnsigned(1), Structure((DoubleLongUnsigned(2),))))),
        (LongUnsigned(5), LongUnsigned(5)),
        (DateTime.from_octets(OCTETS), DateTime.from_octets(OCTETS)),
    ],
)
def test_where_anything_goes(plain: Any, data: Any) -> None:
    assert same(encode_value(ANY, plain), data)


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1, {1: 2}, object(), {1}, Unsigned(256), Float32(1e39)])
def test_what_is_no_data(value: Any) -> None:
    with pytest.raises(ShapeError):
        encode_value(ANY, value)


def test_where_the_class_declares_a_shape() -> None:
    assert same(encode_value(Register.scaler_unit.shape, (-3, Unit.VOLT)), Structure((Integer(-3), Enumerated(35))))
    assert same(encode_value(Clock.time.shape, MOMENT), OctetString(OCTETS))
    assert same(encode_value(ProfileGeneric.capture_period.shape, 900), DoubleLongUnsigned(900))


def test_columns_are_given_as_references() -> None:
    columns = encode_value(
        ProfileGeneric.capture_objects.shape,
        [Clock().time, CaptureObject(3, Obis("1.0.1.8.0.255"), 2, 0)],
    )
    clock = Structure((LongUnsigned(8), OctetString(bytes.fromhex("0000010000FF")), Integer(2), LongUnsigned(0)))
    energy = Structure((LongUnsigned(3), OctetString(bytes.fromhex("0100010800FF")), Integer(2), LongUnsigned(0)))
    assert same(columns, Array((clock, energy)))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        (Register.scaler_unit, (0,)),
        (Register.scaler_unit, 5),
        (Register.scaler_unit, (200, Unit.VOLT)),
        (Clock.time, "today"),
        (ProfileGeneric.capture_period, -1),
        (ProfileGeneric.capture_period, "900"),
        (ProfileGeneric.capture_objects, 5),
        (ProfileGeneric.capture_objects, ["x"]),
    ],
)
def test_what_does_not_fit_the_declared_shape(attribute: Any, value: Any) -> None:
    with pytest.raises(ShapeError):
        encode_value(attribute.shape, value)
