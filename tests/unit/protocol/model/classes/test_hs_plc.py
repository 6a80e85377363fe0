"""The classes for high speed power line carrier have the attributes that quotations of the Blue Book name."""

from __future__ import annotations

from cosem.protocol.model import REGISTRY
from cosem.protocol.model.shape import ANY

COUNTS = {140: (9, 0), 141: (4, 0), 142: (3, 0), 143: (2, 0)}


def test_attributes_and_methods_are_there() -> None:
    declared = {number: REGISTRY[number, 0] for number in COUNTS}
    assert {n: (len(c.declared_attributes), len(c.declared_methods)) for n, c in declared.items()} == COUNTS


def test_what_one_source_types_is_kept_as_it_comes() -> None:
    for number in COUNTS:
        assert all(each.shape is ANY for index, each in REGISTRY[number, 0].declared_attributes.items() if index > 1)
