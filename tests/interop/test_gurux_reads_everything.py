"""The client of gurux-dlms reads every attribute of whole meters that its rights allow, and none is an error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cosem.meter import Access, AssociationDescription, Meter, Rights
from cosem.meter.blank import blank
from cosem.meter.by_companion import furnish_by
from cosem.meter.demo import furnish
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.classes.cellular import LteMonitoringVersion0
from cosem.protocol.model.classes.data_storage import ProfileGenericCommon
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.companion import companion
from cosem.protocol.model.declare import REGISTRY, InterfaceClass
from cosem.protocol.model.shape import ANY
from cosem.protocol.values.obis import Obis
from interop.served import served

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def meter_of(name: str) -> Meter:
    """Return a household meter with all that a companion asks for besides, for client 32 to read and change."""
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    furnish(meter, 12_345_678)
    furnish_by(companion(name), meter.management)
    meter.offer(AssociationDescription(client=32, mechanism=MECHANISMS[0], rights=Rights(Access.MANAGE)))
    return meter


@pytest.mark.parametrize("name", ["idis", "is-15959", "heat"])
def test_every_attribute_of_a_meter_by_its_companion(gurux: Any, name: str) -> None:
    with served(meter_of(name)) as port:
        answer = gurux(port, [["everything"]], client=32)
    assert "error" not in answer, answer["error"]
    found = answer["results"][0]["value"]
    assert {each: wrong for each, wrong in found.items() if wrong} == {}
    assert len(found) > 100


OTHER_VERSION = {(LteMonitoringVersion0, 2)}
"""What the peer, which knows one version of a class, takes for an attribute of the other."""


def test_every_attribute_of_an_object_of_every_class(gurux: Any) -> None:
    """All whose shape public sources agree on, each with the least value it can have."""
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    meter.offer(AssociationDescription(client=32, mechanism=MECHANISMS[0], rights=Rights(Access.MANAGE)))
    kinds = {f"0.{place % 100}.96.250.{place // 100}.255": kind for place, kind in enumerate(REGISTRY.values())}
    for instance, kind in kinds.items():
        columns = {"capture_objects": (Clock().time,)} if issubclass(kind, ProfileGenericCommon) else {}
        meter.add(kind(instance), **columns)
        item = meter.management.find(Obis(instance))
        assert item is not None
        for index, attribute in kind.declared_attributes.items():
            if not item.has(index) and index not in item.behaviour.adopts:
                item.values[index] = blank(attribute.shape)
    with served(meter) as port:
        answer = gurux(port, [["everything"]], client=32)
    assert "error" not in answer, answer["error"]
    wrong: dict[str, str] = {}
    for name, text in answer["results"][0]["value"].items():
        _, instance, index = name.split()
        kind = kinds.get(instance, InterfaceClass)
        attribute = kind.declared_attributes.get(int(index))
        settled = attribute is not None and attribute.shape is not ANY
        if text and settled and (kind, int(index)) not in OTHER_VERSION:
            wrong[f"{kind.__name__} {name}"] = text
    assert wrong == {}
