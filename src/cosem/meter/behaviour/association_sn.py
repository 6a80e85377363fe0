"""The association object as its own client sees it by short names: the objects it may use, with base names (class 12).

Version 1 is served: it has the list and no rights, on whose form for later versions the sources do not agree.
"""

from __future__ import annotations

from typing import Final

from cosem.meter.item import Behaviour, Item, Visit
from cosem.protocol.model.classes.access_control import AssociationSNVersion1, ObjectListElementSN
from cosem.protocol.values.data import Data

OBJECT_LIST: Final = 2


def _object_list(visit: Visit, _: Item) -> Data:
    names, association = visit.device.short_names, visit.association
    return AssociationSNVersion1.object_list.shape.encode(
        tuple(
            ObjectListElementSN(names.base_name(item.instance), item.class_id, item.version, item.instance)
            for item in visit.items()
            if association is not None and association.rights.shows(item)
        )
    )


BEHAVIOUR: Final = Behaviour(reads={OBJECT_LIST: _object_list})
