"""References: what people write, what goes on the wire."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError, ShapeError
from cosem.protocol.model import AssociationLN, Clock, ProfileGeneric, Reference, Register, parse_reference
from cosem.protocol.values.data import LongUnsigned, OctetString, Structure
from cosem.protocol.values.obis import Obis

ENERGY = Obis("1.0.1.8.0.255")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("1.0.1.8.0.255", Reference(ENERGY)),
        ("1-0:1.8.0*255", Reference(ENERGY)),
        ("1-0:1.8.0", Reference(ENERGY)),
        ("1.8.0", Reference(ENERGY)),
        ("0100010800FF", Reference(ENERGY)),
        ("1.0.1.8.0.255:2", Reference(ENERGY, None, 2)),
        (" 1-0:1.8.0*255:2 ", Reference(ENERGY, None, 2)),
        ("1-0:1.8.0:scaler_unit", Reference(ENERGY, None, "scaler_unit")),
        ("0100010800FF:-1", Reference(ENERGY, None, -1)),
        ("3/1.0.1.8.0.255/2", Reference(ENERGY, 3, 2)),
        ("3/1.8.0/value", Reference(ENERGY, 3, "value")),
        ("3/1-0:1.8.0*255", Reference(ENERGY, 3)),
    ],
)
def test_parse(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert parse_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    ["", ":2", "1", "1.0.1.8.0.255:", "1.0.1.8.0.255:200", "x/1.8.0/2", "70000/1.8.0/2", "3/1.8.0/2/1", "3/1.8.0/2x"],
)
def test_what_is_no_reference_is_refused_with_the_right_forms(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_reference(text)


def test_a_reference_is_what_goes_on_the_wire() -> None:
    reference = Register(ENERGY).scaler_unit
    assert reference.descriptor.encode().hex().upper() == "0003" + "0100010800FF" + "03"
    assert reference.access_selection is None
    assert str(reference) == "3/1.0.1.8.0.255/3"
    method = Clock().shift_time
    assert method.descriptor.encode().hex().upper() == "0008" + "0000010000FF" + "06"
    assert str(method) == "8/0.0.1.0.0.255/6"


def test_references_are_equal_when_they_mean_the_same_thing() -> None:
    assert Register("1.8.0").value == Register("1-0:1.8.0*255").value
    assert len({Register("1.8.0").value, Register("1.0.1.8.0.255").attribute(2)}) == 1
    assert Register("1.8.0").value != Register("2.8.0").value


def test_shape_errors_name_the_reference() -> None:
    with pytest.raises(ShapeError) as wrong:
        Register(ENERGY).scaler_unit.decode(Structure((LongUnsigned(300), OctetString(b""))))
    assert str(wrong.value).startswith("3/1.0.1.8.0.255/3 scaler_unit.scaler: ")
    with pytest.raises(ShapeError, match=r"8/0\.0\.1\.0\.0\.255/6 shift_time"):
        Clock().shift_time.encode(40_000)


def test_lists_of_attributes_take_descriptor_and_selection_together() -> None:
    buffer = ProfileGeneric("1.0.99.1.0.255").buffer
    assert buffer.descriptor_with_selection.access_selection is None
    selected = buffer.entries(1, 2).descriptor_with_selection
    assert selected.attribute == buffer.descriptor
    assert selected.access_selection is not None
    assert selected.access_selection.selector == 2


def test_what_a_method_returns_is_typed() -> None:
    reply = AssociationLN().reply_to_hls_authentication
    assert reply.decode(OctetString(b"proof")) == b"proof"
    with pytest.raises(ShapeError, match="reply_to_hls_authentication"):
        reply.decode(None)
