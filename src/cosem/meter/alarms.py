"""Alarms: events set bits of an alarm register, a filter lets some of them through, and these are pushed.

A bit is set when its event happens, whatever the filter says. Where the filter has it too, or there is none, it is set
in the alarm descriptor as well, and a push begins if it was not set there before (without a descriptor: in the
register). Clients reset both by writing: with `Reset.BY_ZEROS` what is 0 in the value is reset, as head-ends of Dutch
meters do it; with `Reset.BY_ONES` what is 1, as those of IDIS meters. Nobody sets an alarm by writing. A filter is a
value like any other. Which event has which bit is for the companion to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final

from cosem.errors import ConfigurationError
from cosem.meter.events import MeterEvent
from cosem.meter.item import Item, Refusal, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.values.data import Data, DoubleLongUnsigned, LongUnsigned, Unsigned
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

_VALUE: Final = DataObject.value.index

_WIDTHS: Final[Mapping[type, int]] = {Unsigned: 8, LongUnsigned: 16, DoubleLongUnsigned: 32}
"""How many alarms a register holds, by the type of its value."""


class Reset(Enum):
    """Which bits of what a client writes reset an alarm."""

    BY_ZEROS = "zeros"
    BY_ONES = "ones"


@dataclass(frozen=True, slots=True)
class Alarms:
    """One alarm register, with what belongs to it: the bit of each event, filter, descriptor and push setup."""

    register: Obis
    bits: Mapping[MeterEvent, int] = field(hash=False)
    filter: Obis | None = None
    descriptor: Obis | None = None
    push: Obis | None = None
    reset: Reset = Reset.BY_ZEROS

    def attach(self, device: LogicalDevice) -> None:
        """Let clients reset the registers; ConfigurationError where an object is missing or has no room for a bit."""
        for instance in (self.register, self.filter, self.descriptor):
            if instance is not None:
                self._check(device, instance)
        if self.push is not None and device.find(self.push) is None:
            raise ConfigurationError(f"{self.push}: there is no such push setup; describe it first")
        for instance in (self.register, self.descriptor):
            item = None if instance is None else device.find(instance)
            if item is not None:
                own = device.owned(item)
                own.behaviour = replace(own.behaviour, writes={**own.behaviour.writes, _VALUE: _RESETS[self.reset]})

    def noted(self, device: LogicalDevice, event: MeterEvent, time: datetime) -> None:
        """Set the bit of an event, and begin a push where it was not told before."""
        place = self.bits.get(event)
        if place is None:
            return
        mask = 1 << place
        new = _set(device, self.register, mask)
        if self.filter is not None and not _bits(device, self.filter) & mask:
            return
        if self.descriptor is not None:
            new = _set(device, self.descriptor, mask)
        item = None if self.push is None else device.find(self.push)
        if new and item is not None:
            device.meter.pushes.begin(device, item, time)

    def _check(self, device: LogicalDevice, instance: Obis) -> None:
        item = device.find(instance)
        held: object = None if item is None else item.values.get(_VALUE)
        width = next((bits for kind, bits in _WIDTHS.items() if isinstance(held, kind)), None)
        if item is None or item.class_id != DataObject.class_id or width is None:
            raise ConfigurationError(f"{instance}: expected a Data object whose value is unsigned, of 8 to 32 bits")
        for event, place in self.bits.items():
            if not 0 <= place < width:
                raise ConfigurationError(f"{instance}: bit {place} of {event.value}: there are bits 0 to {width - 1}")


def _bits(device: LogicalDevice, instance: Obis) -> int:
    item = device.find(instance)
    value = None if item is None else item.values.get(_VALUE)
    return int(value) if isinstance(value, int) else 0


def _set(device: LogicalDevice, instance: Obis, mask: int) -> bool:
    """Set a bit, and tell whether it was not set before."""
    item = device.find(instance)
    before = _bits(device, instance)
    if item is None or before & mask:
        return False
    own = device.owned(item)
    own.values[_VALUE] = type(own.values[_VALUE])(before | mask)
    return True


def _resetting(left: Callable[[int, int], int]) -> Callable[[Visit, Item, Data], None]:
    """Return what a write does that leaves of the bits there were those that `left` says."""

    def write(visit: Visit, item: Item, value: Data) -> None:
        held = item.values[_VALUE]
        if not isinstance(value, Unsigned | LongUnsigned | DoubleLongUnsigned) or type(value) is not type(held):
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)
        visit.device.owned(item).values[_VALUE] = type(value)(left(int(held), int(value)))

    return write


_RESETS: Final[Mapping[Reset, Callable[[Visit, Item, Data], None]]] = {
    Reset.BY_ZEROS: _resetting(lambda held, written: held & written),
    Reset.BY_ONES: _resetting(lambda held, written: held & ~written),
}
