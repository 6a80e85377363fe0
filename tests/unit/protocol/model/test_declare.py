"""Classes, objects and what they give: declarations, references, unknown classes and versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.codec import axdr
from cosem.protocol.model import (
    AssociationLN,
    AttributeAccess,
    CaptureObject,
    Clock,
    Data,
    ProfileGeneric,
    Register,
    UnknownClass,
    declared,
    latest,
    object_for,
)
from cosem.protocol.model.classes.access_control import (
    AllObjects,
    AssociationLNVersion1,
    NamedObject,
    ObjectId,
    ObjectIdentifier,
    ObjectsOfClasses,
)
from cosem.protocol.model.shape import ANY
from cosem.protocol.values.data import LongUnsigned, OctetString, Structure, Unsigned
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "model.json").read_text())


def test_on_the_class_it_is_the_declaration_on_an_object_the_reference() -> None:
    assert Register.scaler_unit.static
    assert not Register.value.static
    assert Register.scaler_unit.index == 3
    reference = Register("1.8.0").scaler_unit
    assert (reference.class_id, reference.version, str(reference.instance)) == (3, 0, "1.0.1.8.0.255")
    assert (reference.index, reference.name) == (3, "scaler_unit")
    assert Register.reset.short_name_offset == 0x28
    assert repr(Register.reset) == "method(1, integer, null-data)"
    assert repr(Register.scaler_unit) == "attribute(3, structure ScalerUnit, static=True)"


def test_a_declaration_says_what_may_usually_be_written_and_in_which_unit() -> None:
    assert Register.logical_name.access is AttributeAccess.READ
    assert Register.value.access is AttributeAccess.READ, "dynamic"
    assert Register.scaler_unit.access is AttributeAccess.READ, "metrology"
    assert ProfileGeneric.capture_period.access is AttributeAccess.READ_WRITE, "static"
    assert ProfileGeneric.buffer.access is AttributeAccess.READ
    assert Clock.time.access is AttributeAccess.READ_WRITE, "dynamic, but set"
    assert ProfileGeneric.capture_period.unit is Unit.SECOND
    assert Clock.time_zone.unit is Unit.MINUTE
    assert Register.value.unit is None


def test_an_object_is_a_value() -> None:
    assert Register("1.8.0") == Register("0100010800FF")
    assert Register("1.8.0") != Data("1.8.0")
    assert Register("1.8.0") != "1.8.0"
    assert len({Register("1.8.0"), Register("1-0:1.8.0*255"), Register("2.8.0")}) == 2
    assert repr(Register("1.8.0")) == 'Register("1.0.1.8.0.255")'
    assert Register("1.8.0").value is not None


def test_some_classes_have_a_usual_instance() -> None:
    assert str(Clock().instance) == "0.0.1.0.0.255"
    assert str(AssociationLN().instance) == "0.0.40.0.0.255"
    assert str(Clock("0.1.1.0.0.255").instance) == "0.1.1.0.0.255"
    with pytest.raises(ConfigurationError, match="Register needs a logical name"):
        Register()


def test_attributes_by_number_and_name() -> None:
    energy = Register("1.8.0")
    assert energy.attribute(2) == energy.attribute("value") == energy.value
    assert energy.method(1) == energy.method("reset") == energy.reset
    assert [reference.name for reference in energy.attributes()] == ["logical_name", "value", "scaler_unit"]
    assert [reference.name for reference in energy.methods()] == ["reset"]
    beyond = energy.attribute(-7)
    assert (beyond.index, beyond.name, beyond.shape) == (-7, "attribute_-7", ANY)
    assert energy.method(9).argument is ANY
    with pytest.raises(ConfigurationError, match="2 value, 3 scaler_unit"):
        energy.attribute("valeu")
    with pytest.raises(ConfigurationError, match="1 reset"):
        energy.method("rest")


def test_a_version_nobody_knows_falls_back_to_the_nearest_lower() -> None:
    assert declared(7, 1) is ProfileGeneric
    assert declared(7, 9) is ProfileGeneric
    assert latest(15) is AssociationLN
    assert declared(15, 1) is AssociationLNVersion1
    assert type(object_for(3, 5, "1.8.0")) is Register
    assert declared(9999) is None


def test_an_unknown_class_goes_by_numbers() -> None:
    unknown = object_for(8192, 3, "1.0.0.2.0.255")
    assert isinstance(unknown, UnknownClass)
    assert repr(unknown) == 'UnknownClass(8192, 3, "1.0.0.2.0.255")'
    assert str(unknown.attribute(5)) == "8192/1.0.0.2.0.255/5"
    assert unknown.attribute(5).decode(Unsigned(1)) == 1
    assert unknown.logical_name.class_id == 8192
    assert unknown == UnknownClass(8192, 3, "1.0.0.2.0.255")
    assert unknown != UnknownClass(8193, 3, "1.0.0.2.0.255")


@pytest.mark.parametrize("vector", VECTORS["attributes"], ids=lambda vector: vector["name"])
def test_published_attribute_values(vector: dict[str, object]) -> None:
    found = object_for(int(str(vector["class_id"])), int(str(vector["version"])), "1.0.99.1.0.255")
    reference = found.attribute(str(vector["attribute"]))
    value = reference.decode(axdr.decode(bytes.fromhex(str(vector["octets"])))[0])
    expected = vector["value"]
    assert isinstance(expected, list)
    assert value == tuple(CaptureObject(c, Obis(n), a, d) for c, n, a, d in expected)
    assert axdr.encode(reference.encode(value)).hex().upper() == vector["octets"]


def test_the_object_list_has_its_own_selectors() -> None:
    name = ObjectId(3, Obis("1.8.0"))
    declaration = AssociationLN.object_list
    for selection, selector, data in [
        (AllObjects(None), 1, None),
        (ObjectsOfClasses((3, 4)), 2, (LongUnsigned(3), LongUnsigned(4))),
        (NamedObject(name), 4, Structure((LongUnsigned(3), OctetString(bytes((1, 0, 1, 8, 0, 255)))))),
    ]:
        access = AssociationLN().object_list.select(selection).access_selection
        assert access is not None
        assert (access.selector, access.parameters) == (selector, data)
        assert declaration.selection(access) == selection


def test_a_context_name_has_two_written_forms() -> None:
    context = AssociationLN().application_context_name
    octets = bytes.fromhex("60857405080101")
    assert context.decode(OctetString(octets)) == octets
    arcs = (Unsigned(2), Unsigned(16), LongUnsigned(756), Unsigned(5), Unsigned(8), Unsigned(1), Unsigned(1))
    name = context.decode(Structure(arcs))
    assert isinstance(name, ObjectIdentifier)
    assert name.octets == octets
    assert context.encode(name) == Structure(arcs)
