"""The classes for M-Bus: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model import REGISTRY, UnknownClass, object_for
from cosem.protocol.model.classes.m_bus import MBusClient
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_communication.json", "m_bus"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


SHORT_NAMES = {0: 0x60, 1: 0x70}
"""The offset of method 1: jDLMS and EnergyICT for version 0, pydlms and EnergyICT for version 1."""


@pytest.mark.parametrize(("version", "offset"), SHORT_NAMES.items())
def test_methods_of_the_client_have_their_short_names(version: int, offset: int) -> None:
    methods = REGISTRY[72, version].declared_methods
    assert list(methods) == list(range(1, 9))
    for index, method in methods.items():
        assert method.short_name_offset == offset + 8 * (index - 1)


def test_counts_agree_with_other_implementations() -> None:
    # Gurux, EnergyICT and the open smart grid platform.
    assert [len(REGISTRY[72, version].declared_attributes) for version in (0, 1)] == [12, 14]
    assert (len(REGISTRY[77, 0].declared_attributes), list(REGISTRY[77, 0].declared_methods)) == (9, [1])
    assert [len(REGISTRY[key].declared_attributes) for key in ((25, 0), (73, 1), (74, 0))] == [5, 4, 2]


def test_the_version_of_the_device_is_not_that_of_the_class() -> None:
    assert MBusClient.version == 2
    assert MBusClient("0.1.24.1.0.255").device_version.index == 8


def test_a_version_before_the_first_that_is_known_is_an_unknown_class() -> None:
    assert isinstance(object_for(73, 0, "0.0.24.3.0.255"), UnknownClass)
