"""The classes for logical link control: what another implementation encodes is what they declare."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol.model import REGISTRY
from cosem.protocol.model.classes.llc import Iec61334LlcSetupVersion0, Iso8802LlcType2Setup
from cosem.protocol.values.data import LongUnsigned, Unsigned
from cosem.protocol.values.units import Unit
from typed import holds, recorded


@pytest.mark.parametrize("case", recorded("classes_networks.json", "llc"))
def test_octets_are_the_typed_values(case: dict[str, Any]) -> None:
    holds(case)


def test_counts_agree_with_other_implementations() -> None:
    # Gurux and gvtret/dlms; class 55 by gvtret/dlms and EnergyICT.
    assert [len(REGISTRY[55, version].declared_attributes) for version in (0, 1)] == [3, 3]
    assert [len(REGISTRY[class_id, 0].declared_attributes) for class_id in (57, 58, 59)] == [2, 9, 6]
    assert not any(REGISTRY[key].declared_methods for key in ((55, 0), (55, 1), (57, 0), (58, 0), (59, 0)))


@pytest.mark.parametrize("length", [Unsigned(134), LongUnsigned(134)])
def test_the_frame_length_of_version_0_comes_in_either_width(length: Unsigned | LongUnsigned) -> None:
    assert Iec61334LlcSetupVersion0.max_frame_length.shape.decode(length) == length


def test_timers_of_type_2_are_in_seconds() -> None:
    # gvtret/dlms and quotations of the Blue Book.
    timers = [each for each in Iso8802LlcType2Setup.declared_attributes.values() if each.name.endswith("timer")]
    assert [each.unit for each in timers] == 4 * [Unit.SECOND]
