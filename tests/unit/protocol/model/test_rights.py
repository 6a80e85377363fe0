"""Access rights in all versions of Association LN, both directions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosem.errors import ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.model import AttributeAccess, MethodAccess, ObjectListElement
from cosem.protocol.model.rights import (
    OBJECT_LIST_ELEMENT,
    AccessRights,
    AttributeAccessItem,
    MethodAccessItem,
)
from cosem.protocol.model.shape import decode_exactly
from cosem.protocol.values.data import Array, Enumerated, Integer, LongUnsigned, OctetString, Structure, Unsigned, same
from cosem.protocol.values.obis import Obis

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "model.json").read_text())
A, M = AttributeAccess, MethodAccess


@pytest.mark.parametrize("vector", VECTORS["object_list_elements"], ids=lambda vector: vector["name"])
def test_published_element(vector: dict[str, object]) -> None:
    data, _ = axdr.decode(bytes.fromhex(str(vector["octets"])))
    shape = OBJECT_LIST_ELEMENT[vector["association_version"]]  # type: ignore[index]
    element = decode_exactly(shape, data)
    assert [element.class_id, element.version, str(element.logical_name)] == vector["object"]
    rights = element.access_rights
    assert [item.index for item in rights.attribute_access] == list(range(1, 10))
    assert [int(item.access) for item in rights.attribute_access] == vector["attributes"]
    assert [int(item.access) for item in rights.method_access] == vector["methods"]
    assert all(item.selectors is None for item in rights.attribute_access)
    assert axdr.encode(shape.encode(element)).hex().upper() == vector["octets"]


def element(attribute_mode: int, method_mode: int | bool, selectors: Array | None = None) -> Structure:
    method_data = method_mode if isinstance(method_mode, bool) else Enumerated(method_mode)
    return Structure(
        (
            LongUnsigned(7),
            Unsigned(1),
            OctetString(bytes((1, 0, 99, 1, 0, 255))),
            Structure(
                (
                    Array((Structure((Integer(2), Enumerated(attribute_mode), selectors)),)),
                    Array((Structure((Integer(1), method_data)),)),
                )
            ),
        )
    )


@pytest.mark.parametrize(
    ("version", "attribute_mode", "attribute", "method_mode", "method"),
    [
        (0, 1, A.READ, True, M.ACCESS),
        (0, 3, A.READ_WRITE, False, M.NONE),
        (1, 4, A.READ | A.AUTHENTICATED_REQUEST, 1, M.ACCESS),
        (1, 5, A.WRITE | A.AUTHENTICATED_REQUEST, 2, M.ACCESS | M.AUTHENTICATED_REQUEST),
        (2, 6, A.READ_WRITE | A.AUTHENTICATED_REQUEST, 0, M.NONE),
        (2, 2, A.WRITE, 0, M.NONE),
        # Version 3: bit 0 read or access, 1 write, 2 to 4 request and 5 to 7 response authenticated, encrypted, signed.
        (3, 0b0010_0101, A.READ | A.AUTHENTICATED_REQUEST | A.AUTHENTICATED_RESPONSE, 1, M.ACCESS),
        (3, 0b1000_1010, A.WRITE | A.ENCRYPTED_REQUEST | A.SIGNED_RESPONSE, 0b1_0001, M.ACCESS | M.SIGNED_REQUEST),
        (3, 0, A.NONE, 0, M.NONE),
    ],
)
def test_modes_of_every_version(
    version: int, attribute_mode: int, attribute: A, method_mode: int | bool, method: M
) -> None:
    shape = OBJECT_LIST_ELEMENT[version]
    data = element(attribute_mode, method_mode, Array((Integer(1), Integer(2))))
    found = decode_exactly(shape, data)
    assert found == ObjectListElement(
        7,
        1,
        Obis("1.0.99.1.0.255"),
        AccessRights((AttributeAccessItem(2, attribute, (1, 2)),), (MethodAccessItem(1, method),)),
    )
    assert found.attribute_access(2) == attribute
    assert found.attribute_access(3) == A.NONE
    assert found.method_access(1) == method
    assert found.method_access(2) == M.NONE
    assert same(shape.encode(found), data)


def test_boolean_and_enum_are_understood_in_every_version() -> None:
    assert OBJECT_LIST_ELEMENT[0].decode(element(1, 1)) == OBJECT_LIST_ELEMENT[1].decode(element(1, True))


def test_a_number_nobody_defined_grants_nothing_and_is_kept() -> None:
    shape = OBJECT_LIST_ELEMENT[1]
    found = shape.decode(element(9, 7))
    assert not found.attribute_access(2) & A.READ_WRITE
    assert not found.method_access(1) & M.ACCESS
    assert same(shape.encode(found), element(9, 7))


def test_what_a_version_cannot_say_is_refused() -> None:
    rights = AccessRights((AttributeAccessItem(2, A.READ | A.SIGNED_RESPONSE),))
    signed = ObjectListElement(3, 0, Obis("1.8.0"), rights)
    assert OBJECT_LIST_ELEMENT[3].encode(signed)
    with pytest.raises(ShapeError) as refused:
        OBJECT_LIST_ELEMENT[1].encode(signed)
    assert refused.value.path == ("access_rights", "attribute_access", "0", "access")


def test_an_element_of_another_shape_is_refused_with_its_path() -> None:
    data = Structure((LongUnsigned(3), Unsigned(0), OctetString(bytes(6)), Structure((Array(()),))))
    with pytest.raises(ShapeError) as refused:
        OBJECT_LIST_ELEMENT[1].decode(data)
    assert refused.value.path == ("access_rights",)
