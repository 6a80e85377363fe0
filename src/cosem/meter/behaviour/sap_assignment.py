"""The SAP assignment of the management logical device: every logical device with its SAP (class 17)."""

from __future__ import annotations

from typing import Final

from cosem.meter.item import Behaviour, Item, Visit
from cosem.protocol.values.data import Array, Data, LongUnsigned, OctetString, Structure


def _list(visit: Visit, _: Item) -> Data:
    devices = visit.device.siblings()
    return Array(Structure((LongUnsigned(device.sap), OctetString(device.name.encode()))) for device in devices)


BEHAVIOUR: Final = Behaviour(reads={2: _list})
