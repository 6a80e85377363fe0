"""The classes for cellular networks: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model import REGISTRY
from cosem.protocol.model.classes.cellular import CellInfo, GsmDiagnostic, LteMonitoring
from cosem.protocol.model.shape import deviates
from cosem.protocol.values.data import OctetString, Structure, Unsigned
from cosem.protocol.values.dates import DateTime
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_communication.json", "cellular"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_versions_have_the_same_attributes() -> None:
    assert [len(REGISTRY[47, version].declared_attributes) for version in (0, 1, 2)] == [8, 8, 8]
    assert [len(REGISTRY[151, version].declared_attributes) for version in (0, 1)] == [2, 3]
    assert len(REGISTRY[45, 0].declared_attributes) == 4


def test_what_version_2_may_hold_beyond_version_1_is_kept_as_it_is() -> None:
    shape = GsmDiagnostic.cell_info.shape
    known = CellInfo(1, 2, 18, 99, 206, 1, 6300)
    assert shape.decode(shape.encode(known)) == known
    other = Structure((Unsigned(1),))
    assert shape.decode(other) == other


def test_meters_of_the_dutch_standard_put_signal_quality_among_the_parameters() -> None:
    # ESMR 5 has eleven elements in attribute 2; they are shown as they come.
    eleven = Structure(Unsigned(number) for number in range(11))
    assert LteMonitoring.lte_network_parameters.shape.decode(eleven) == eleven


def test_the_capture_time_may_come_as_an_octet_string() -> None:
    octets = bytes.fromhex("07E80101FF06000000000000")
    shape = GsmDiagnostic.capture_time.shape
    assert shape.decode(OctetString(octets)) == DateTime.from_octets(octets)
    assert deviates(shape, OctetString(octets))
