"""Data objects that every meter has: the logical device name and the invocation counters (class 1)."""

from __future__ import annotations

from typing import Final, cast

from cosem.meter.item import Behaviour, Item, Visit
from cosem.protocol.values.data import Data, DoubleLongUnsigned, OctetString

VALUE: Final = 2


def _logical_device_name(visit: Visit, _: Item) -> Data:
    return OctetString(visit.device.name.encode())


def _invocation_counter(visit: Visit, item: Item) -> Data:
    return DoubleLongUnsigned(visit.device.last_received(cast("int", item.state)))


LOGICAL_DEVICE_NAME: Final = Behaviour(reads={VALUE: _logical_device_name})
INVOCATION_COUNTER: Final = Behaviour(reads={VALUE: _invocation_counter})
"""`state` is the number of the association; the value is the last counter received in it, as clients need to know."""
