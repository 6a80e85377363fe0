"""The classes for S-FSK power line carrier: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model import REGISTRY
from cosem.protocol.model.classes.s_fsk import (
    SFskActiveInitiator,
    SFskMacCounters,
    SFskPhyMacSetup,
    SFskPhyMacSetupVersion0,
)
from cosem.protocol.values.data import Array, DoubleLongUnsigned, Enumerated, Structure
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_networks.json", "s_fsk"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_counts_agree_with_other_implementations() -> None:
    # Gurux and EnergyICT; version 0 of class 50 by EnergyICT and DlmsSPODES.
    assert [len(REGISTRY[50, version].declared_attributes) for version in (0, 1)] == [14, 15]
    assert [len(REGISTRY[class_id, 0].declared_attributes) for class_id in (51, 52, 53, 56)] == [2, 5, 8, 2]


def test_methods_have_the_short_names_of_two_sources() -> None:
    # EnergyICT and quotations of the Blue Book: the offset of 53 leaves two places free after the last attribute.
    assert SFskActiveInitiator.reset_new_not_synchronized.short_name_offset == 0x10
    assert SFskMacCounters.reset.short_name_offset == 0x50


def test_attributes_stand_for_the_variables_of_iec_61334_4_512() -> None:
    # Table 23 of the excerpt of the 13th edition.
    numbers = {"delta_electrical_phase": 3, "frequencies": 7, "transmission_speed": 15, "repeater_status": 11}
    numbers |= {"min_delta_credit": 12, "initiator_mac_address": 13, "synchronization_locked": 14, "mac_address": 8}
    assert {name: getattr(SFskPhyMacSetup, name).index for name in numbers} == numbers


def test_frequencies_of_version_0_are_kept_as_they_come() -> None:
    several = Array((Structure((DoubleLongUnsigned(74000), DoubleLongUnsigned(63300))),))
    assert SFskPhyMacSetupVersion0.frequencies.shape.decode(several) == several


def test_a_phase_nobody_knows_is_kept() -> None:
    assert SFskPhyMacSetup.delta_electrical_phase.shape.decode(Enumerated(9)) == 9
