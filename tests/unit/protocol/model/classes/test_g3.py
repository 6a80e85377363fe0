"""The classes for G3-PLC networks: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model import REGISTRY, InterfaceClass
from cosem.protocol.model.classes.g3 import (
    G3MacSetupVersion2,
    G3SixLowpanSetupVersion1,
    G3SixLowpanSetupVersion2,
    Modulation,
)
from cosem.protocol.values.data import Array, Structure, Unsigned
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_networks.json", "g3"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


ATTRIBUTE_AND_METHOD_COUNTS = {
    # Gurux, by version; those of versions 2 also in the excerpt of the 13th edition of the Blue Book.
    (90, 1): (10, 1),
    (91, 0): (22, 1),
    (91, 1): (22, 1),
    (91, 2): (25, 1),
    (91, 3): (26, 2),
    (92, 0): (16, 0),
    (92, 1): (19, 0),
    (92, 2): (21, 0),
    (92, 3): (23, 0),
}


@pytest.mark.parametrize(("key", "counts"), ATTRIBUTE_AND_METHOD_COUNTS.items())
def test_counts_agree_with_another_implementation(key: tuple[int, int], counts: tuple[int, int]) -> None:
    assert (len(REGISTRY[key].declared_attributes), len(REGISTRY[key].declared_methods)) == counts


EXCERPT = {
    # (number, name, static, short-name offset) of some attributes, from the excerpt of the 13th edition.
    G3MacSetupVersion2: [
        (2, "mac_short_address", False, 0x08),
        (7, "mac_tone_mask", True, 0x30),
        (10, "mac_pos_table_entry_ttl", True, 0x48),
        (11, "mac_neighbour_table", False, 0x50),
        (19, "mac_fcc_legacy_mode", True, 0x90),
        (23, "mac_broadcast_max_cw_enabled", True, 0xB0),
        (25, "mac_pos_table", False, 0xC0),
    ],
    G3SixLowpanSetupVersion2: [
        (2, "adp_max_hops", True, 0x08),
        (5, "adp_prefix_table", False, 0x20),
        (6, "adp_routing_configuration", True, 0x28),
        (12, "adp_group_table", False, 0x58),
        (17, "adp_coord_short_address", True, 0x80),
        (19, "adp_device_type", True, 0x90),
        (21, "adp_destination_address_set", False, 0xA0),
    ],
}


@pytest.mark.parametrize(("declared", "rows"), EXCERPT.items())
def test_version_2_is_that_of_the_excerpt(
    declared: type[InterfaceClass], rows: list[tuple[int, str, bool, int]]
) -> None:
    found = declared.declared_attributes
    assert [(n, found[n].name, found[n].static, found[n].short_name_offset) for n, *_ in rows] == rows


def test_the_method_of_version_2_leaves_places_free_as_in_the_excerpt() -> None:
    assert G3MacSetupVersion2.mac_get_neighbour_table_entry.short_name_offset == 0xE0


@pytest.mark.parametrize("elements", [14, 15])
def test_version_1_keeps_a_routing_configuration_of_either_length(elements: int) -> None:
    # Two implementations differ in whether the time to live of a routing tuple is among them.
    sent = Array((Structure(Unsigned(number) for number in range(elements)),))
    assert G3SixLowpanSetupVersion1.adp_routing_configuration.shape.decode(sent) == tuple(sent)


def test_a_modulation_of_one_maker_is_kept() -> None:
    assert Modulation(5).value == 5  # "super robust" in the firmware of a data concentrator


@pytest.mark.parametrize(("key", "counts"), {(160, 0): (9, 1), (161, 1): (38, 1), (162, 1): (19, 0)}.items())
def test_hybrid_networks_have_their_classes(key: tuple[int, int], counts: tuple[int, int]) -> None:
    # Quotations of the 16th edition of the Blue Book.
    assert (len(REGISTRY[key].declared_attributes), len(REGISTRY[key].declared_methods)) == counts
