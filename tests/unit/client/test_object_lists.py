"""Object lists of real meters: each is browsed as a whole, and a class is unknown only where nobody knows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.meter.clone import clone
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.codec import axdr
from cosem.protocol.model import UnknownClass
from cosem.protocol.values.data import (
    Array,
    Enumerated,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
)
from cosem.protocol.values.obis import Obis
from cosem.store.snapshot import RecordedAssociation, RecordedDevice, RecordedObject, Snapshot
from unit.client.test_browse import Bench

LISTS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "vectors" / "object_lists.json").read_text())

UNKNOWN = {
    (1234, 0): "a capture of a mutation test, in which the class of an object was changed to one that does not exist",
}
"""Classes of these lists that no edition has, and why they are there."""

SERVICES = Conformance.GET | Conformance.MULTIPLE_REFERENCES | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ


def items(text: str) -> list[tuple[int, int]]:
    return [(int(index), int(mode)) for index, mode in (each.split("=") for each in text.split())]


def encoded(listed: dict[str, Any]) -> Array:
    """The list as a meter sends it."""
    return Array(
        Structure(
            (
                LongUnsigned(class_id),
                Unsigned(version),
                OctetString(Obis(obis).octets),
                Structure(
                    (
                        Array(Structure((Integer(index), Enumerated(mode), None)) for index, mode in items(attributes)),
                        Array(
                            Structure((Integer(index), bool(mode) if listed["boolean_methods"] else Enumerated(mode)))
                            for index, mode in items(methods)
                        ),
                    )
                ),
            )
        )
        for class_id, version, obis, attributes, methods in listed["objects"]
    )


@pytest.mark.parametrize("listed", LISTS, ids=lambda each: each["name"])
def test_an_object_list_is_browsed_without_a_class_that_should_be_known(listed: dict[str, Any]) -> None:
    data = encoded(listed)
    assert axdr.decode_all(axdr.encode(data)) == data
    association = RecordedAssociation(16, "public", 0, 0, None, int(SERVICES), 1024, data)
    objects = tuple(
        RecordedObject(class_id, version, Obis(obis), {}) for class_id, version, obis, *_ in listed["objects"]
    )
    meter = clone(Snapshot("", (RecordedDevice(1, b"TST1", None, (association,), objects),)))
    (device,) = Bench(meter).survey()
    assert [(each.address.class_id, each.version, str(each.address.instance)) for each in device.objects] == [
        tuple(row[:3]) for row in listed["objects"]
    ]
    for found, (_, _, _, attributes, _) in zip(device.objects, listed["objects"], strict=True):
        may = {index for index, mode in items(attributes) if mode in (1, 3)}
        assert {index for index in found.attributes if found.attribute_access(index)[16] & 1} >= may
    strange = {
        (each.address.class_id, each.version) for each in device.objects if isinstance(each.address, UnknownClass)
    }
    assert strange <= UNKNOWN.keys()


def test_what_is_unknown_is_there() -> None:
    kinds = {(row[0], row[1]) for listed in LISTS for row in listed["objects"]}
    assert kinds >= UNKNOWN.keys()
