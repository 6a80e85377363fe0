"""The classes for ports and modems: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.errors import ShapeError
from cosem.protocol.model import REGISTRY
from cosem.protocol.model.classes.local_port import IecHdlcSetupVersion0, TimeWindow
from cosem.protocol.model.shape import shape_of
from cosem.protocol.values.data import LongUnsigned, OctetString, Structure
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_communication.json", "local_port"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_versions_differ_where_the_standard_says() -> None:
    # Counts on which Gurux and jDLMS agree, and DlmsSPODES where it has the class.
    assert [len(REGISTRY[19, version].declared_attributes) for version in (0, 1)] == [9, 9]
    assert [len(REGISTRY[23, version].declared_attributes) for version in (0, 1)] == [9, 9]
    assert [len(REGISTRY[24, version].declared_attributes) for version in (0, 1)] == [5, 5]
    assert [len(REGISTRY[27, version].declared_attributes) for version in (0, 1)] == [4, 4]
    assert [len(REGISTRY[28, version].declared_attributes) for version in (0, 1, 2)] == [6, 6, 7]
    assert [len(REGISTRY[29, version].declared_attributes) for version in (0, 1, 2)] == [6, 6, 6]
    assert [list(REGISTRY[29, version].declared_methods) for version in (0, 1, 2)] == [[], [], [1]]


def test_a_window_may_have_open_fields() -> None:
    # As a meter sends it: any date, the first hour of the day.
    start = OctetString(bytes.fromhex("FFFFFFFFFF010000FFFFC400"))
    window = shape_of(TimeWindow).decode(Structure((start, start)))
    assert window.start_time.year is None
    assert window.start_time.hour == 1


def test_information_fields_of_version_1_in_a_meter_of_version_0_are_tolerated() -> None:
    assert IecHdlcSetupVersion0.max_info_field_length_transmit.shape.decode(LongUnsigned(128)) == 128
    with pytest.raises(ShapeError):
        IecHdlcSetupVersion0.max_info_field_length_transmit.shape.decode(LongUnsigned(2030))
