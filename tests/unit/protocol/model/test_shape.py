"""Shapes: Data becomes typed values and back; tolerances are named; errors say where."""

from __future__ import annotations

from enum import IntFlag
from typing import Any

import pytest

from cosem.errors import ShapeError
from cosem.protocol.codec.compact import compact
from cosem.protocol.model.classes.data_storage import ScalerUnit, SortMethod
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.shape import (
    ANY,
    DATE_TIME,
    ROWS,
    Unsigned8,
    array,
    choice,
    decode_exactly,
    deviates,
    flags,
    optional,
    shape_of,
    structure,
)
from cosem.protocol.values.data import (
    Array,
    BitString,
    Data,
    DoubleLongUnsigned,
    Enumerated,
    Float32,
    Float64,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    Utf8String,
    VisibleString,
    same,
)
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit


class Colour(IntFlag):
    RED = 4
    GREEN = 2
    BLUE = 1


@structure
class Nested:
    number: Unsigned8
    maybe: ScalerUnit | None
    many: tuple[CaptureObject, ...]
    anything: Data


LN = OctetString(bytes((1, 0, 1, 8, 0, 255)))
NEW_YEAR = bytes.fromhex("07E80101010000000000000000"[:24])
CASES: list[tuple[Any, Any, Data]] = [
    (LongUnsigned, 5, LongUnsigned(5)),
    (Integer, -1, Integer(-1)),
    (bool, True, True),
    (OctetString, b"ab", OctetString(b"ab")),
    (VisibleString, "ab", VisibleString("ab")),
    (Utf8String, "ä", Utf8String("ä")),
    (Float32, 0.5, Float32(0.5)),
    (Float32, 2, Float32(2.0)),
    (BitString, "0101", BitString("0101")),
    (SortMethod, SortMethod.LARGEST, Enumerated(3)),
    (Unit, Unit.WATT_HOUR, Enumerated(30)),
    (Obis, Obis("1.0.1.8.0.255"), LN),
    (DateTime, DateTime.from_octets(NEW_YEAR), OctetString(NEW_YEAR)),
    (Date, Date.from_octets(NEW_YEAR[:5]), OctetString(NEW_YEAR[:5])),
    (Time, Time.from_octets(NEW_YEAR[5:9]), OctetString(NEW_YEAR[5:9])),
    (ScalerUnit, ScalerUnit(-3, Unit.WATT_HOUR), Structure((Integer(-3), Enumerated(30)))),
    (array(LongUnsigned), (1, 2), Array((LongUnsigned(1), LongUnsigned(2)))),
    (optional(Unsigned), None, None),
    (optional(Unsigned), 3, Unsigned(3)),
    (choice(ScalerUnit, bytes), b"x", OctetString(b"x")),
    (choice(ScalerUnit, bytes), ScalerUnit(0, Unit.VOLT), Structure((Integer(0), Enumerated(35)))),
    (flags(Colour, 3), Colour.RED | Colour.BLUE, BitString("101")),
    (flags(Colour, Unsigned), Colour.GREEN, Unsigned(2)),
    (ANY, Unsigned(1), Unsigned(1)),
    (ROWS, ((Unsigned(1), None),), Array((Structure((Unsigned(1), None)),))),
    (
        Nested,
        Nested(1, None, (CaptureObject(3, Obis("1.0.1.8.0.255"), 2),), Unsigned(9)),
        Structure(
            (
                Unsigned(1),
                None,
                Array((Structure((LongUnsigned(3), LN, Integer(2), LongUnsigned(0))),)),
                Unsigned(9),
            )
        ),
    ),
]


@pytest.mark.parametrize(("declaration", "value", "data"), CASES)
def test_values_and_data_correspond(declaration: Any, value: Any, data: Data) -> None:
    shape = shape_of(declaration)
    assert same(shape.encode(value), data)
    assert shape.decode(data) == value
    assert decode_exactly(shape, data) == value
    assert not deviates(shape, data)
    assert shape.name


TOLERATED: list[tuple[Any, Data, Any]] = [
    (DoubleLongUnsigned, LongUnsigned(900), 900),
    (Unsigned, DoubleLongUnsigned(7), 7),
    (LongUnsigned, Enumerated(7), 7),
    (Unit, Unsigned(30), Unit.WATT_HOUR),
    (Float32, Float64(0.5), 0.5),
    (bool, Unsigned(1), True),
    (VisibleString, OctetString(b"abc"), "abc"),
    (VisibleString, Utf8String("abc"), "abc"),
    (OctetString, VisibleString("\xff"), b"\xff"),
    (OctetString, Utf8String("ä"), "ä".encode()),
    (DateTime, DateTime.from_octets(NEW_YEAR), DateTime.from_octets(NEW_YEAR)),
    (ROWS, Array((Unsigned(1), Unsigned(2))), ((1,), (2,))),
    (flags(Colour, 3), BitString("10100000"), Colour.RED | Colour.BLUE),
    (flags(Colour, 3), BitString("1"), Colour.RED),
    (Time, OctetString(b"\x18\0\0\0"), Time.from_octets(b"\x18\0\0\0")),
    (array(Time), Array((OctetString(b"\xff\x3c\0\0"),)), (Time.from_octets(b"\xff\x3c\0\0"),)),
]


@pytest.mark.parametrize(("declaration", "data", "value"), TOLERATED)
def test_tolerances_are_accepted_but_noticed(declaration: Any, data: Data, value: Any) -> None:
    shape = shape_of(declaration)
    assert shape.decode(data) == value
    assert deviates(shape, data)
    with pytest.raises(ShapeError, match="exactly"):
        decode_exactly(shape, data)


def test_a_date_time_may_have_its_own_tag() -> None:
    moment = DateTime.from_octets(NEW_YEAR)
    assert same(DATE_TIME.encode(moment), moment)
    assert DATE_TIME.decode(moment) == moment
    assert DATE_TIME.decode(OctetString(NEW_YEAR)) == moment
    assert deviates(DATE_TIME, OctetString(NEW_YEAR))
    with pytest.raises(ShapeError):
        DATE_TIME.encode(NEW_YEAR)  # type: ignore[arg-type]


def test_rows_may_come_as_a_compact_array() -> None:
    rows = compact((Structure((Unsigned(1), LongUnsigned(2))), Structure((Unsigned(3), LongUnsigned(4)))))
    assert ROWS.decode(rows) == ((1, 2), (3, 4))
    assert deviates(ROWS, rows)


def test_an_integer_of_another_width_keeps_its_tag() -> None:
    assert same(shape_of(DoubleLongUnsigned).decode(LongUnsigned(900)), LongUnsigned(900))


REFUSED: list[tuple[Any, Data]] = [
    (Unsigned, DoubleLongUnsigned(256)),
    (Unsigned, Integer(-1)),
    (Unsigned, True),
    (Unsigned, None),
    (Unsigned, OctetString(b"\x01")),
    (bool, Unsigned(2)),
    (OctetString, Unsigned(2)),
    (VisibleString, Unsigned(2)),
    (BitString, VisibleString("01")),
    (Obis, OctetString(b"12345")),
    (DateTime, OctetString(b"")),
    (DateTime, None),
    (Unit, OctetString(b"")),
    (ScalerUnit, Structure((Integer(0),))),
    (ScalerUnit, Array((Integer(0), Enumerated(30)))),
    (array(Unsigned), Structure((Unsigned(1),))),
    (optional(Unsigned), OctetString(b"")),
    (flags(Colour, 3), BitString("0101")),
    (ROWS, None),
]


@pytest.mark.parametrize(("declaration", "data"), REFUSED)
def test_another_shape_is_refused(declaration: Any, data: Data) -> None:
    with pytest.raises(ShapeError):
        shape_of(declaration).decode(data)


UNFIT: list[tuple[Any, Any]] = [
    (Unsigned, 256),
    (Unsigned, True),
    (Unsigned, "1"),
    (Integer, -129),
    (OctetString, "text"),
    (OctetString, 5),
    (VisibleString, b"octets"),
    (bool, 1),
    (Unit, "Wh"),
    (Unit, 256),
    (Obis, "1.8.0"),
    (ScalerUnit, (0,)),
    (ScalerUnit, 5),
    (array(Unsigned), 5),
    (array(Unsigned), "ab"),
    (ANY, 5),
    (ANY, "text"),
    (flags(Colour, 3), 8),
    (optional(Unsigned), "x"),
    (shape_of(None), 5),
]


@pytest.mark.parametrize(("declaration", "value"), UNFIT)
def test_a_value_that_does_not_fit_is_refused(declaration: Any, value: Any) -> None:
    with pytest.raises(ShapeError):
        shape_of(declaration).encode(value)


def test_a_structure_may_be_given_as_a_plain_tuple() -> None:
    assert same(shape_of(ScalerUnit).encode((0, Unit.WATT_HOUR)), Structure((Integer(0), Enumerated(30))))


@structure
class Halved:
    """A structure whose constructor has its own word to say."""

    number: Unsigned8

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ShapeError("expected an even number")


def test_a_structure_keeps_what_its_constructor_checks() -> None:
    assert shape_of(Halved).decode(Structure((Unsigned(4),))) == Halved(4)
    with pytest.raises(ShapeError, match="even"):
        shape_of(Halved).decode(Structure((Unsigned(5),)))


@pytest.mark.parametrize("data", [b"\x02\x1e", "ab", Array((Integer(0), Enumerated(30))), None, 5, Structure(())])
def test_what_is_no_structure_of_the_declared_size_is_refused(data: Any) -> None:
    with pytest.raises(ShapeError, match="structure ScalerUnit of 2 elements"):
        shape_of(ScalerUnit).decode(data)


def test_errors_name_the_path() -> None:
    objects = Structure((LongUnsigned(3), OctetString(b"12345"), Integer(2), LongUnsigned(0)))
    with pytest.raises(ShapeError) as refused:
        shape_of(Nested).decode(Structure((Unsigned(1), None, Array((objects,)), None)))
    assert refused.value.path == ("many", "0", "logical_name")
    with pytest.raises(ShapeError) as unfit:
        shape_of(Nested).encode(Nested(1, None, (CaptureObject(3, Obis("1.8.0"), 300),), None))
    assert unfit.value.path == ("many", "0", "attribute_index")


def test_numbers_an_enumeration_does_not_know_are_kept() -> None:
    method = shape_of(SortMethod).decode(Enumerated(77))
    assert method == 77
    assert method.name == "RESERVED_77"
    assert same(shape_of(SortMethod).encode(method), Enumerated(77))


def test_a_type_without_a_shape_is_our_mistake() -> None:
    with pytest.raises(TypeError, match="no shape"):
        shape_of(dict)
