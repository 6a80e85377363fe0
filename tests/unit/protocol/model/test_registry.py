"""The registry as a whole: what is declared is complete, consistent, and round-trips."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.errors import ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.model import REGISTRY, InterfaceClass, latest
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
from cosem.protocol.model.short_name import STEP, BaseNameShape, member_at
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
from cosem.protocol.values.dates import DateTime, Time

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

VECTORS = Path(__file__).parents[3] / "vectors"
MODEL = json.loads((VECTORS / "model.json").read_text())
OBJECT_LISTS = json.loads((VECTORS / "object_lists.json").read_text())

UNDECLARED = {
    (1234, 0): "a class of the simulator's own, there to show that one can have such",
}
"""The classes in object lists that have no declaration, and why."""


def test_the_classes_are_there_in_all_versions() -> None:
    for class_id, versions in EXPECTED_VERSIONS.items():
        assert sorted(version for number, version in REGISTRY if number == class_id) == versions


@pytest.mark.parametrize("layout", MODEL["layouts"], ids=lambda each: f"{each['class_id']}v{each['version']}")
def test_layouts_agree_with_what_others_have_published(layout: dict[str, Any]) -> None:
    declared = REGISTRY[layout["class_id"], layout["version"]]
    methods = declared.declared_methods
    if "attributes" in layout:
        assert max(declared.declared_attributes) == layout["attributes"]
        assert max(methods, default=0) == layout["methods"]
    if layout["first_method"] is not None:
        first = int(layout["first_method"], 16)
        assert {index: each.short_name_offset for index, each in methods.items()} == {
            index: first + STEP * (index - 1) for index in methods
        }


@pytest.mark.parametrize(("key", "declared"), CLASSES)
def test_short_names_of_one_object_do_not_overlap(key: tuple[int, int], declared: type[InterfaceClass]) -> None:
    attributes = {each.short_name_offset for each in declared.declared_attributes.values()}
    methods = {index: each.short_name_offset for index, each in declared.declared_methods.items()}
    assert not attributes & set(methods.values())
    known = {index: offset for index, offset in methods.items() if offset is not None}
    assert len({offset - STEP * index for index, offset in known.items()}) <= 1, "methods lie in a row"
    for offset in (*attributes, *known.values()):
        member = member_at(declared, offset)
        assert member is not None
        assert member.is_method == (offset in known.values())


@pytest.mark.parametrize("shown", OBJECT_LISTS, ids=lambda each: each["source"])
def test_all_that_meters_show_is_declared(shown: dict[str, Any]) -> None:
    for class_id, version, name, attributes, methods in shown["objects"]:
        if (class_id, version) in UNDECLARED:
            continue
        found = REGISTRY[class_id, version]
        assert numbers(attributes) <= found.declared_attributes.keys(), f"{class_id} v{version} {name}"
        assert numbers(methods) <= found.declared_methods.keys(), f"{class_id} v{version} {name}"


@pytest.mark.parametrize("shown", MODEL["pushed"], ids=lambda each: each["source"])
def test_all_that_meters_push_is_declared(shown: dict[str, Any]) -> None:
    for class_id, name, index in shown["attributes"]:
        found = latest(class_id)
        assert found is not None
        assert index in found.declared_attributes, f"{class_id} {name}"


def test_the_exceptions_are_still_needed() -> None:
    shown = {(each[0], each[1]) for each in chain.from_iterable(every["objects"] for every in OBJECT_LISTS)}
    assert UNDECLARED.keys() <= shown
    assert not UNDECLARED.keys() & REGISTRY.keys()


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


def numbers(rights: str) -> set[int]:
    """The numbers in rights as `object_lists.json` writes them: 1=3 2=1."""
    return {int(each.partition("=")[0]) for each in rights.split()}


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
        case OctetsShape(from_octets=make) if make == Time.from_octets:
            return TIMES
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


TIMES: st.SearchStrategy[Time] = st.tuples(
    *(st.one_of(st.just(0xFF), st.integers(0, most)) for most in (23, 59, 59, 99))
).map(lambda octets: Time.from_octets(bytes(octets)))
"""Times of day that there are: no others are decoded exactly."""
ANYTHING: st.SearchStrategy[Data] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(0, 255).map(Unsigned),
    st.integers(0, 2**32 - 1).map(DoubleLongUnsigned),
    st.binary(max_size=8).map(OctetString),
    st.lists(st.integers(0, 255).map(Unsigned), max_size=3).map(Structure),
)


def containers(inner: st.SearchStrategy[Data]) -> st.SearchStrategy[Data]:
    return st.one_of(inner, st.lists(inner, max_size=8).map(Array), st.lists(inner, max_size=8).map(Structure))


NESTED = containers(containers(ANYTHING))
"""Not deep: a shape refuses at the first element that does not fit. What fits further down comes from other shapes."""
