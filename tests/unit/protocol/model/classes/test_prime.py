"""The classes for PRIME networks: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model import REGISTRY
from cosem.protocol.model.classes.prime import (
    PrimeApplicationIdentification,
    PrimeMacCapabilities,
    PrimeMacFunctionalParameters,
    PrimeMacNetworkAdministrationData,
    PrimeMacSetup,
)
from cosem.protocol.values.data import Array, Integer, Long, LongUnsigned, Structure
from cosem.protocol.values.units import Unit
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_networks.json", "prime"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_counts_agree_with_other_implementations() -> None:
    # Gurux, and quotations of the Blue Book.
    counts = {80: (3, 1), 81: (5, 1), 82: (8, 0), 83: (14, 0), 84: (7, 1), 85: (6, 1), 86: (4, 0)}
    declared = {number: REGISTRY[number, 0] for number in counts}
    assert {n: (len(c.declared_attributes), len(c.declared_methods)) for n, c in declared.items()} == counts


def test_capabilities_nobody_knows_are_kept() -> None:
    shape = PrimeMacFunctionalParameters.mac_capabilities.shape
    value = shape.decode(LongUnsigned(0x8001))
    assert PrimeMacCapabilities.SWITCH_CAPABLE in value
    assert shape.encode(value) == LongUnsigned(0x8001)


def test_network_administration_data_keep_their_elements_as_they_come() -> None:
    entries = Array((Structure((Integer(1), Long(2))),))
    assert PrimeMacNetworkAdministrationData.mac_list_multicast_entries.shape.decode(entries) == tuple(entries)


def test_times_of_the_mac_are_in_seconds() -> None:
    # EnergyICT, and the PIB of the PRIME specification.
    units = {index: each.unit for index, each in PrimeMacSetup.declared_attributes.items() if each.unit}
    assert units == {2: Unit.SECOND, 4: Unit.SECOND, 7: Unit.SECOND}


def test_what_identifies_the_node_is_not_written() -> None:
    assert not any(each.writable for n, each in PrimeApplicationIdentification.declared_attributes.items() if n > 1)
