"""The classes for ZigBee networks: values in the types that two sources give are what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model import REGISTRY
from cosem.protocol.model.classes.zigbee import ZigBeeNetworkControl, ZigBeeSasStartup
from cosem.protocol.values.data import Enumerated, Unsigned
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_networks.json", "zigbee"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_methods_have_the_numbers_of_other_implementations() -> None:
    # EnergyICT, with HAN where the Blue Book has PAN.
    numbers = {"register_device": 1, "unregister_device": 2, "unregister_all_devices": 3, "backup_pan": 4}
    numbers |= {"restore_pan": 5, "remove_mirror": 7, "update_link_key": 9, "create_pan": 10, "remove_pan": 11}
    assert {name: getattr(ZigBeeNetworkControl, name).index for name in numbers} == numbers
    assert sorted(ZigBeeNetworkControl.declared_methods) == list(range(1, 12))


@pytest.mark.parametrize("profile", [Enumerated(2), Unsigned(2)])
def test_the_stack_profile_comes_under_either_tag(profile: Enumerated | Unsigned) -> None:
    assert type(ZigBeeSasStartup.stack_profile.shape.decode(profile)) is type(profile)


def test_counts() -> None:
    assert [len(REGISTRY[class_id, 0].declared_attributes) for class_id in range(101, 106)] == [12, 5, 3, 4, 5]


def test_a_client_sets_up_the_network_by_what_the_network_may_change() -> None:
    # EnergyICT writes these.
    assert not ZigBeeSasStartup.pan_id.static
    assert ZigBeeSasStartup.pan_id.writable
