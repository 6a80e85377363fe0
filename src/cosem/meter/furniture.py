"""The objects that every logical device has: shared by all meters, their values computed for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from cosem.meter import behaviour as behaviours
from cosem.meter.associations import Furnishing
from cosem.meter.behaviour import association_ln, association_sn, data, sap_assignment, security_setup
from cosem.meter.item import Item
from cosem.protocol.model.classes.access_control import (
    AssociationLNVersion1,
    AssociationLNVersion2,
    AssociationSNVersion1,
)
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.declare import object_for
from cosem.protocol.values.obis import Obis


@lru_cache(maxsize=1024)
def furniture(
    management: bool, furnishings: tuple[Furnishing, ...], number: int, short_names: bool
) -> Mapping[Obis, Item]:
    """Return the objects that every device has, shared by all meters: their values are computed for who asks.

    `furnishings` is of each association, `number` the one that asks (0: none), `short_names` by which names. Who
    manages the meter sees the objects of the other associations too, as they are for their own clients. Suite 0 has the
    set-up of version 0, since all that version 1 has more is for the others.
    """
    items = [
        Item(DataObject(Obis.of(0, 0, 42, 0, 0)), behaviour=data.LOGICAL_DEVICE_NAME),
        Item(Clock(), behaviour=behaviours.of(Clock.class_id)),
    ]
    if management:
        items.append(Item(object_for(17, 0, Obis.of(0, 0, 41, 0, 0)), behaviour=sap_assignment.BEHAVIOUR))
    if number:
        own = furnishings[number - 1]
        if short_names:
            items.append(Item(AssociationSNVersion1(), behaviour=association_sn.BEHAVIOUR))
        for e in () if short_names else (0, number):
            kind = AssociationLNVersion2 if own.users else AssociationLNVersion1
            items.append(Item(kind(Obis.of(0, 0, 40, 0, e)), behaviour=association_ln.behaviour(own)))
        for e, each in enumerate(furnishings, 1) if own.observes and not short_names else ():
            if e != number:
                kind = AssociationLNVersion2 if each.users else AssociationLNVersion1
                items.append(Item(kind(Obis.of(0, 0, 40, 0, e)), behaviour=association_ln.OBSERVED, state=e))
        if own.suite is not None:
            version = min(own.suite, 1)
            setup = object_for(64, version, Obis.of(0, 0, 43, 0, number))
            items.append(Item(setup, behaviour=security_setup.BEHAVIOURS[version]))
    counted = [place for place, each in enumerate(furnishings, 1) if each.suite is not None]
    # E = 0, where clients look unless they are told otherwise, is the counter of the first.
    for e, place in [*((0, place) for place in counted[:1]), *((place, place) for place in counted)]:
        counter = DataObject(Obis.of(0, 0, 43, 1, e))
        items.append(Item(counter, behaviour=data.INVOCATION_COUNTER, state=place))
    return {item.instance: item for item in items}
