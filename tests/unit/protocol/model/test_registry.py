"""The registry as a whole: what is declared is complete, consistent, and round-trips."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.errors import ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.model import REGISTRY, InterfaceClass
from cosem.protocol.model.classes.data_storage import Register
from cosem.protocol.model.declare import Attribute, Method
from cosem.protocol.model.rights import ModeShape
from cosem.protocol.model.shape import (
    AnyShape,
    ArrayShape,
    BooleanShape,
    ChoiceShape,
    DateTimeShape,
    EmptyShape,
    EnumShape,
    FlagsShape,
    IntegerShape,
    NullShape,
    NumberFlagsShape,
    OctetsShape,
    RowsShape,
    Shape,
    StringShape,
    StructureShape,
    TagShape,
    decode_exactly,
)
from cosem.protocol.model.short_name import BaseNameShape
from cosem.protocol.values.data import (
    Array,
    BitString,
    Data,
    DoubleLongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    same,
)
from cosem.protocol.values.dates import DateTime

CLASSES = sorted(REGISTRY.items())

EXPECTED_VERSIONS = {
    1: [0],
    3: [0],
    4: [0],
    5: [0],
    6: [0],
    7: [0, 1],
    8: [0],
    9: [0],
    10: [0],
    11: [0],
    12: [0, 1, 2, 3, 4],
    15: [0, 1, 2, 3],
    17: [0],
    18: [0],
    20: [0],
    21: [0],
    22: [0],
    26: [0],
    40: [0, 1, 2, 3],
    61: [0],
    62: [0, 1],
    63: [0],
    64: [0, 1],
    65: [0, 1],
    66: [0],
    67: [0],
    68: [0],
    70: [0, 1],
    71: [0],
    111: [0],
    112: [0],
    113: [0],
    115: [0],
    116: [0],
    122: [0],
    123: [0],
    124: [0],
}
"""The classes of data storage, access control, time and event, payment and push, and their versions."""

ATTRIBUTE_AND_METHOD_COUNTS = {
    # Counts on which two independent implementations agree (Gurux, and one of jDLMS, DlmsSPODES and spodes-rs).
    (1, 0): (2, 0),
    (3, 0): (3, 1),
    (4, 0): (5, 1),
    (5, 0): (9, 2),
    (6, 0): (4, 3),
    (7, 1): (8, 2),
    (8, 0): (9, 6),
    (9, 0): (2, 1),
    (10, 0): (2, 3),
    (11, 0): (2, 2),
    (15, 0): (8, 4),
    (15, 1): (9, 4),
    (15, 2): (11, 6),
    (17, 0): (2, 1),
    (18, 0): (7, 4),
    (20, 0): (10, 1),
    (21, 0): (4, 0),
    (22, 0): (4, 0),
    (40, 0): (7, 1),
    (40, 1): (10, 1),
    (40, 2): (13, 2),
    (64, 0): (5, 2),
    (64, 1): (6, 8),
    (70, 0): (4, 2),
}

SHORT_NAME_OFFSETS = {
    # Offset of method 1 on which jDLMS and Gurux agree.
    (3, 0): 0x28,
    (4, 0): 0x38,
    (5, 0): 0x48,
    (6, 0): 0x30,
    (7, 1): 0x58,
    (8, 0): 0x60,
    (9, 0): 0x20,
    (11, 0): 0x10,
    (12, 0): 0x20,
    (17, 0): 0x20,
    (18, 0): 0x40,
    (20, 0): 0x50,
    (40, 0): 0x38,
    (64, 0): 0x28,
    (64, 1): 0x30,
    (70, 0): 0x20,
}


def test_the_classes_are_there_in_all_versions() -> None:
    for class_id, versions in EXPECTED_VERSIONS.items():
        assert sorted(version for number, version in REGISTRY if number == class_id) == versions


@pytest.mark.parametrize(("key", "counts"), ATTRIBUTE_AND_METHOD_COUNTS.items())
def test_counts_agree_with_other_implementations(key: tuple[int, int], counts: tuple[int, int]) -> None:
    declared = REGISTRY[key]
    assert (max(declared.declared_attributes), max(declared.declared_methods, default=0)) == counts


@pytest.mark.parametrize(("key", "offset"), SHORT_NAME_OFFSETS.items())
def test_short_name_offsets_agree_with_other_implementations(key: tuple[int, int], offset: int) -> None:
    methods = REGISTRY[key].declared_methods
    for index, method in methods.items():
        assert method.short_name_offset == offset + 8 * (index - 1)


@pytest.mark.parametrize(("key", "declared"), CLASSES)
def test_a_class_is_declared_whole(key: tuple[int, int], declared: type[InterfaceClass]) -> None:
    attributes = declared.declared_attributes
    assert (declared.class_id, declared.version) == key
    assert list(attributes) == list(range(1, len(attributes) + 1)), "attribute numbers have no gaps"
    assert attributes[1].name == "logical_name"
    assert declared.__doc__
    assert f"(class_id {key[0]})" in declared.__doc__
    assert declared.__doc__.count("\n") == 0
    for index, attribute in attributes.items():
        assert getattr(declared, attribute.name) is attribute, "a name means one thing"
        assert attribute.short_name_offset == 8 * (index - 1)
    for index, method in declared.declared_methods.items():
        assert index > 0
        assert getattr(declared, method.name) is method


def test_declaring_a_class_twice_fails() -> None:
    with pytest.raises(TypeError, match="class 3 version 0 is declared twice"):

        class Another(InterfaceClass, class_id=3, version=0):
            """Never registered."""

    assert REGISTRY[3, 0] is Register


def test_declaring_a_number_twice_fails() -> None:
    with pytest.raises(TypeError, match="declares attribute 2 twice"):

        class Twofold(InterfaceClass):
            """Never registered."""

            one = Attribute(2, AnyShape())
            two = Attribute(2, AnyShape())

    with pytest.raises(TypeError, match="declares method 1 twice"):

        class Manifold(InterfaceClass):
            """Never registered."""

            one = Method(1, AnyShape(), AnyShape(), None)
            two = Method(1, AnyShape(), AnyShape(), None)


SHAPES: dict[Shape[Any], str] = {}
"""Every shape of every class, by the first place where it is used."""
for _key, _class in CLASSES:
    for _member in _class.declared_attributes.values():
        SHAPES.setdefault(_member.shape, f"{_key[0]}v{_key[1]}.{_member.name}")
    for _method in _class.declared_methods.values():
        SHAPES.setdefault(_method.argument, f"{_key[0]}v{_key[1]}.{_method.name} argument")
        SHAPES.setdefault(_method.result, f"{_key[0]}v{_key[1]}.{_method.name} result")


@pytest.mark.parametrize("shape", SHAPES, ids=SHAPES.values())
@settings(max_examples=20, deadline=None)
@given(drawn=st.data())
def test_every_shape_round_trips(shape: Shape[Any], drawn: st.DataObject) -> None:
    value = drawn.draw(values_of(shape))
    data = shape.encode(value)
    assert decode_exactly(shape, data) == value
    again, _ = axdr.decode(axdr.encode(data))
    assert same(again, data)
    assert shape.decode(again) == value


@pytest.mark.parametrize("shape", SHAPES, ids=SHAPES.values())
@settings(max_examples=20, deadline=None)
@given(drawn=st.data())
def test_other_data_is_refused_and_nothing_else_happens(shape: Shape[Any], drawn: st.DataObject) -> None:
    value = drawn.draw(NESTED)
    try:
        shape.decode(value)
    except ShapeError as refused:
        assert refused.reason
    other = drawn.draw(st.sampled_from(list(SHAPES)))
    try:
        shape.decode(other.encode(drawn.draw(values_of(other))))
    except ShapeError as refused:
        assert refused.reason


def octets(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def values_of(shape: Shape[Any]) -> st.SearchStrategy[Any]:
    """The values of a shape, derived from the declaration that the codec is derived from."""
    match shape:
        case IntegerShape(kind=kind):
            return st.integers(kind.LOW, kind.HIGH)
        case StringShape(kind=kind):
            return st.binary(max_size=20) if issubclass(kind, bytes) else st.text(st.characters(max_codepoint=255))
        case TagShape(kind=kind) if kind is BitString:
            return st.text("01", max_size=20).map(BitString)
        case TagShape(kind=kind):
            return st.lists(ANYTHING, max_size=3).map(kind)
        case BooleanShape():
            return st.booleans()
        case NullShape() | EmptyShape():
            return st.none()
        case AnyShape():
            return ANYTHING
        case EnumShape(kind=kind):
            return st.integers(0, 255).map(kind)
        case FlagsShape(kind=kind, bits=bits):
            return st.integers(0, (1 << bits) - 1).map(kind)
        case NumberFlagsShape(kind=kind):
            return st.integers(0, 255).map(kind)
        case BaseNameShape():
            return st.integers(0, 0xFFFF)
        case ModeShape(kind=kind, table=None):
            return st.integers(0, 255).map(kind)
        case ModeShape(table=table, boolean=boolean):
            return st.sampled_from([flag for mode, flag in table.items() if mode < 2 or not boolean])
        case OctetsShape(length=length, from_octets=make):
            return octets(length).map(make)
        case DateTimeShape():
            return octets(12).map(DateTime.from_octets)
        case ArrayShape(element=element):
            return st.lists(values_of(element), max_size=3).map(tuple)
        case ChoiceShape(alternatives=alternatives):
            return st.one_of(*map(values_of, alternatives))
        case RowsShape():
            return st.lists(st.lists(ANYTHING, max_size=3).map(tuple), max_size=3).map(tuple)
        case StructureShape(kind=kind, fields=fields):
            return st.tuples(*(values_of(each) for _, each in fields)).map(lambda parts: kind(*parts))
    raise AssertionError(f"no strategy for {shape!r}")


ANYTHING: st.SearchStrategy[Data] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 255).map(Unsigned),
    st.integers(0, 2**32 - 1).map(DoubleLongUnsigned),
    st.binary(max_size=8).map(OctetString),
    st.lists(st.integers(0, 255).map(Unsigned), max_size=3).map(Structure),
)
NESTED: st.SearchStrategy[Data] = st.recursive(
    ANYTHING,
    lambda inner: st.one_of(st.lists(inner, max_size=8).map(Array), st.lists(inner, max_size=8).map(Structure)),
)
