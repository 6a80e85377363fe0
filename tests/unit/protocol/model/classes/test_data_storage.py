"""The classes for parameters and measurement data: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model import REGISTRY, CaptureObject
from cosem.protocol.model.classes.data_storage import (
    CaptureMethod,
    CompactData,
    CompactDataVersion0,
    MappingTable,
    RegisterTable,
    StatusMapping,
)
from cosem.protocol.values.data import CompactArray, LongUnsigned, Structure, Unsigned
from cosem.protocol.values.obis import Obis
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_management.json", "data_storage"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_a_captured_object_of_more_elements_is_kept_as_it_is() -> None:
    plain = CaptureObject(1, Obis("0.0.96.1.0.255"), 2, 0)
    sent = CompactDataVersion0.capture_objects.shape.encode((plain,))
    assert CompactData.capture_objects.shape.decode(sent) == (plain,)
    assert isinstance(sent, tuple)
    (element,) = sent
    assert isinstance(element, Structure)
    longer = Structure((*element, Structure((Unsigned(0), None))))
    assert CompactData.capture_objects.shape.decode(type(sent)((longer,))) == (longer,)


def test_the_capture_method_is_a_number_by_name() -> None:
    assert CompactData.capture_method.shape.decode(REGISTRY[62, 0].declared_attributes[6].shape.encode(1)) is (
        CaptureMethod.IMPLICIT
    )


def test_the_bits_of_a_status_word_are_mapped_together_or_one_by_one() -> None:
    shape = StatusMapping.mapping_table.shape
    for mapping in (MappingTable(1, 40), MappingTable(1, (40, 41, 45))):
        assert shape.decode(shape.encode(mapping)) == mapping
    assert shape.decode(Structure((Unsigned(1), LongUnsigned(40)))) == MappingTable(1, 40)


def test_a_table_may_come_as_a_compact_array() -> None:
    compact = CompactArray(bytes((17,)), bytes((1, 2, 3)))
    assert RegisterTable.table_cell_values.shape.decode(compact) == compact
