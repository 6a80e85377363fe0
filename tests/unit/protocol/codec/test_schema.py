"""Wire types declared here: the form of every kind of field, and what a wrong declaration or value is told."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
import types
from typing import Annotated, Any, ClassVar

import pytest

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.codec.reader import Limits
from cosem.protocol.codec.schema import (
    I8,
    I16,
    I32,
    I64,
    NULL_DATA,
    U8,
    U16,
    U32,
    U64,
    Boolean,
    DataField,
    Default,
    Fixed,
    Int,
    NullableData,
    OpenEnum,
    Wire,
    form_of,
    wire,
)
from cosem.protocol.values.data import Array, LongUnsigned, Structure
from cosem.protocol.values.obis import Obis


class Colour(OpenEnum):
    RED = 1
    DARK_BLUE = 2


@wire()
class Point(Wire):
    x: U16
    y: I16


@wire(tag=b"\x01")
class Circle(Wire):
    centre: Point
    radius: U8


@wire(tag=b"\x02")
class Line(Wire):
    points: tuple[Point, ...]


@wire()
class Drawing(Wire):
    VERSION: ClassVar[int] = 3
    title: bytes
    shape: Circle | Line
    more: tuple[Circle | Line, ...]
    frame: Circle | Line | None = None


@wire()
class Numbers(Wire):
    a: U8
    b: U16
    c: U32
    d: U64
    e: I8
    f: I16
    g: I32
    h: I64


@wire(tag=b"\x77", name="mixed bag", kw_only=True)
class Mixed(Wire):
    key: Annotated[bytes | None, form_of(bytes | None)] = dataclasses.field(default=None, repr=False)
    four: Annotated[bytes, Fixed(4)]
    yes: bool
    allowed: Annotated[bool, Default(Boolean(), True)] = True
    colour: Colour
    colours: tuple[Colour, ...] = ()
    name: Obis
    few: Annotated[int, Int(1, among=frozenset((5, 7)))] = 5
    value: DataField
    perhaps: NullableData = None


NUMBERS = Numbers(0xFE, 0xFEDC, 0xFEDCBA98, 0xFEDCBA9876543210, -2, -3, -4, -5)


def test_whole_numbers_of_every_size() -> None:
    octets = bytes.fromhex("FE FEDC FEDCBA98 FEDCBA9876543210 FE FFFD FFFFFFFC FFFFFFFFFFFFFFFB")
    assert NUMBERS.encode() == octets
    assert Numbers.decode(octets) == NUMBERS


@pytest.mark.parametrize(
    ("field", "least", "most"), [("a", 0, 255), ("e", -128, 127), ("g", -(1 << 31), (1 << 31) - 1)]
)
def test_a_number_out_of_range_is_named_with_its_range(field: str, least: int, most: int) -> None:
    for value in (least, most):
        fits = dataclasses.replace(NUMBERS, **{field: value})
        assert Numbers.decode(fits.encode()) == fits
    for value in (least - 1, most + 1):
        with pytest.raises(LocalProtocolError, match=rf"^numbers\.{field}: need {least} to {most}, have {value}$"):
            dataclasses.replace(NUMBERS, **{field: value}).encode()


def test_choices_optional_fields_and_sequences() -> None:
    drawing = Drawing(b"ab", Circle(Point(1, -1), 9), (Line((Point(2, 3),)), Circle(Point(0, 0), 0)), Line(()))
    octets = bytes.fromhex("02 6162  01 0001 FFFF 09  02  02 01 0002 0003  01 0000 0000 00  01 02 00")
    assert drawing.encode() == octets
    assert Drawing.decode(octets) == drawing
    plain = Drawing(b"", Line(()), ())
    assert plain.encode() == bytes.fromhex("00 02 00 00 00")
    assert Drawing.decode(plain.encode()) == plain
    assert Drawing.VERSION == 3


def test_forms_that_stand_alone() -> None:
    mixed = Mixed(
        four=b"1234", yes=True, colour=Colour.RED, name=Obis("1.0.1.8.0.255"), value=Structure((LongUnsigned(5), None))
    )
    octets = bytes.fromhex("77 00 31323334 01 00 01 00 0100010800FF 05 0202120005 00 00")
    assert mixed.encode() == octets
    assert Mixed.decode(octets) == mixed
    full = Mixed(
        key=b"secret",
        four=b"abcd",
        yes=False,
        allowed=False,
        colour=Colour(200),
        colours=(Colour.DARK_BLUE, Colour(0)),
        name=Obis("0.0.1.0.0.255"),
        few=7,
        value=Array(()),
        perhaps=NULL_DATA,
    )
    octets = bytes.fromhex("77 01 06 736563726574 61626364 00 01 00 C8 02 02 00 0000010000FF 07 0100 01 00")
    assert full.encode() == octets
    decoded = Mixed.decode(octets)
    assert decoded == full
    assert decoded.perhaps is NULL_DATA
    assert decoded.colour is Colour(200) or decoded.colour == Colour(200)
    assert repr(Colour(200)) == "<Colour.UNKNOWN_200: 200>"
    assert "secret" not in repr(decoded)


def test_true_is_anything_but_zero_when_read() -> None:
    octets = bytearray(bytes.fromhex("77 00 31323334 01 00 01 00 0100010800FF 05 00 00"))
    for octet in (1, 2, 0xFF):
        octets[6] = octet
        assert Mixed.decode(octets).yes is True
    octets[6] = 0
    assert Mixed.decode(octets).yes is False


@pytest.mark.parametrize(
    ("octets", "message"),
    [
        ("", "drawing.title: need a length, have no octet left, at octet 0"),
        ("0261", "drawing.title: need 2 octets, have 1, at octet 1"),
        ("00", "drawing.shape: need 1 octet, have 0, at octet 1"),
        ("0003", "drawing.shape: need 01 (circle), 02 (line), have 03, at octet 1"),
        ("00010001", "drawing.shape.circle.centre.y: need 2 octets, have 0, at octet 4"),
        ("0002020001FFFF00", "drawing.shape.line.points[1].x: need 2 octets, have 1, at octet 7"),
        ("000205", "drawing.shape.line.points: 5 items announced, have 0 octets left, at octet 2"),
        ("00020001", "drawing.more: 1 items announced, have 0 octets left, at octet 3"),
        ("00020002020002", "drawing.more: 2 items announced, have 3 octets left, at octet 3"),
        ("00020001030303", "drawing.more[0]: need 01 (circle), 02 (line), have 03, at octet 4"),
        ("0002000002", "drawing.frame: need 0 (absent) or 1 (present), have 2, at octet 4"),
        ("00020000000000", "drawing: need the end, have 2 octets more, at octet 5"),
    ],
)
def test_an_error_has_its_path_and_offset(octets: str, message: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Drawing.decode(bytes.fromhex(octets))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("title", "text", "drawing.title: need octets, have 'text'"),
        ("shape", Point(1, 2), "drawing.shape: need one of Circle, Line, have Point(x=1, y=2)"),
        ("shape", Circle(Point(1, 2), 300), "drawing.shape.radius: need 0 to 255, have 300"),
        ("shape", Circle(5, 3), "drawing.shape.centre: need Point, have 5"),  # type: ignore[arg-type]
        ("more", [], "drawing.more: need a tuple, have []"),
        ("more", (Line((Point(0, 70000),)),), "drawing.more[0].points[0].y: need -32768 to 32767, have 70000"),
    ],
)
def test_a_value_that_does_not_fit_is_named(field: str, value: object, message: str) -> None:
    drawing: Any = dataclasses.replace(Drawing(b"", Line(()), ()), **{field: value})
    with pytest.raises(LocalProtocolError) as caught:
        drawing.encode()
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("four", b"123"),
        ("yes", 1),
        ("few", 6),
        ("name", "1.0.1.8.0.255"),
        ("colour", 256),
        ("value", 5),
        ("value", NULL_DATA),
    ],
)
def test_a_value_of_another_type_is_refused(field: str, value: object) -> None:
    mixed = Mixed(four=b"1234", yes=True, colour=Colour.RED, name=Obis("1.0.1.8.0.255"), value=None)
    wrong: Any = dataclasses.replace(mixed, **{field: value})
    with pytest.raises(LocalProtocolError):
        wrong.encode()


def test_instances_are_frozen_values() -> None:
    point = Point(1, 2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del point.x
    assert not hasattr(point, "__dict__")
    assert point == Point(x=1, y=2) != Point(1, 3)
    assert point != (1, 2)
    assert hash(point) == hash(Point(1, 2))
    assert repr(point) == "Point(x=1, y=2)"
    assert dataclasses.replace(point, y=5) == Point(1, 5)
    assert dataclasses.asdict(point) == {"x": 1, "y": 2}
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    match point:
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_the_limit_counts_the_octets_given() -> None:
    octets = NUMBERS.encode()
    assert Numbers.decode(octets, Limits(octets=len(octets))) == NUMBERS
    with pytest.raises(DecodeError, match="at most 29 octets"):
        Numbers.decode(octets, Limits(octets=len(octets) - 1))
    assert Numbers.decode_from(b"12" + octets, 2, Limits(octets=len(octets))) == (NUMBERS, 2 + len(octets))
    with pytest.raises(DecodeError, match="at most 29 octets"):
        Numbers.decode_from(b"12" + octets, 2, Limits(octets=len(octets) - 1))


def test_decoding_at_an_offset_counts_offsets_from_the_start() -> None:
    with pytest.raises(DecodeError, match=r"^circle\.centre\.x: need 2 octets, have 1, at octet 4$"):
        Circle.decode_from(bytes.fromhex("FFFFFF 01 00"), 3)


def declare(**annotations: Any) -> None:
    name = "declared_for_a_test"
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        cls = type("Declared", (Wire,), {"__annotations__": annotations, "__slots__": (), "__module__": name})
        wire()(cls)
    finally:
        del sys.modules[name]


def test_a_wrong_declaration_fails_at_once() -> None:
    with pytest.raises(TypeError, match="no wire form"):
        declare(number=int)
    with pytest.raises(TypeError, match="SEQUENCE OF"):
        declare(pair=tuple[bytes, bytes])
    with pytest.raises(TypeError, match="different tags"):
        declare(choice=Circle | Point)
