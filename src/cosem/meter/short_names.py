"""The short names of a logical device: a base name for each object, and what each short name stands for.

Base names that the standard reserves and those that a description gives come first. All other objects get theirs in
order: what was added from FIRST upwards, what every device has from LAST downwards, so that adding an object changes
no name that was there before, and every association sees the same names.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cosem.errors import ConfigurationError
from cosem.meter.item import Item
from cosem.protocol.model.short_name import RESERVED, STEP, Member, member_at, span
from cosem.protocol.values.obis import Obis

FIRST: Final = 0x0100
LAST: Final = 0xF9F8
"""The base names that are given by themselves lie between these."""

HIGHEST: Final = 0xFFFF


class ShortNames:
    """The base names of the objects of one logical device.

    Args:
        own: the objects that were added, in their order.
        standard: the objects that every device has.
        given: base names from a description, by logical name.

    Raises:
        ConfigurationError: a base name cannot be one, two objects lie upon each other, or there is no room.
    """

    def __init__(self, own: Iterable[Item], standard: Iterable[Item], given: Mapping[Obis, int]) -> None:
        self._bases: dict[Obis, int] = {}
        self._taken: list[tuple[int, int, Item]] = []
        added = list(own)
        others = [item for item in standard if all(item.instance != each.instance for each in added)]
        waiting: list[tuple[Item, bool]] = []
        for upwards, items in ((True, added), (False, others)):
            for item in items:
                base = given.get(item.instance, RESERVED.get((item.class_id, item.instance)))
                if base is None:
                    waiting.append((item, upwards))
                else:
                    self._put(item, base)
        up, down = FIRST, LAST + STEP
        for item, upwards in waiting:
            size = span(item.kind, max(item.attributes()))
            if upwards:
                up = self._free_above(up, size)
                base, up = up, up + size
            else:
                base = down = self._free_below(down - size, size)
            if not FIRST <= base <= LAST + STEP - size or up > down:
                raise ConfigurationError(f"{item}: there is no room for more objects by short names")
            self._put(item, base)
        self._starts = [start for start, _, _ in self._taken]

    def base_name(self, instance: Obis) -> int:
        """Return the base name of an object of the device."""
        return self._bases[instance]

    def locate(self, name: int) -> tuple[Obis, Member] | None:
        """Return the object and its member that a short name stands for, None where there is none."""
        place = bisect_right(self._starts, name) - 1
        if place < 0:
            return None
        start, end, item = self._taken[place]
        member = member_at(item.kind, name - start) if name < end else None
        return None if member is None else (item.instance, member)

    def __iter__(self) -> Iterator[tuple[Obis, int]]:
        return iter(self._bases.items())

    def _put(self, item: Item, base: int) -> None:
        size = _span(item)
        if base % STEP or not 0 <= base <= HIGHEST + 1 - size:
            raise ConfigurationError(
                f"{item}: base name 0x{base:04X}: a base name is a multiple of {STEP}, with room for {size} to 0xFFFF"
            )
        place = bisect_right(self._taken, base, key=lambda taken: taken[0])
        for start, end, other in self._taken[max(place - 1, 0) : place + 1]:
            if base < end and start < base + size:
                raise ConfigurationError(f"{item}: its short names from 0x{base:04X} on are those of {other}")
        self._taken.insert(place, (base, base + size, item))
        self._bases[item.instance] = base

    def _free_above(self, base: int, size: int) -> int:
        for start, end, _ in self._taken:
            if base < end and start < base + size:
                base = end
        return base

    def _free_below(self, base: int, size: int) -> int:
        for start, end, _ in reversed(self._taken):
            if base < end and start < base + size:
                base = start - size
        return base


def _span(item: Item) -> int:
    """Return how many names the object takes: those of its attributes, and of the methods that it really has.

    A class may have methods that this object does not; meters put other objects where the names of these would be.
    """
    kind = item.kind
    attributes = max(*item.attributes(), *kind.declared_attributes)
    offsets = (kind.declared_methods[index].short_name_offset for index in item.behaviour.methods)
    return max(STEP * (attributes - 1), *(offset or 0 for offset in offsets), 0) + STEP
