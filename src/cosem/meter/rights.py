"""Who may do what: the access of an association, and the rights that follow for each attribute and method."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from cosem.meter.item import Item
from cosem.protocol.model.rights import AttributeAccess, MethodAccess
from cosem.protocol.values.obis import Obis, ObisPattern


class Access(Enum):
    """How much of a meter an association shows."""

    PUBLIC = "public"
    """The clock, the logical device name, the SAPs, the association itself and the invocation counters: read only."""
    READ = "read"
    """Everything, read only."""
    MANAGE = "manage"
    """Everything; what an object lets be written and run may be written and run."""

    __hash__ = object.__hash__  # each is one object, and that of Enum is slow


@dataclass(frozen=True, slots=True)
class Rule:
    """An exception: the access to some objects, or to one attribute of them. It never grants what an object refuses."""

    objects: ObisPattern
    access: AttributeAccess
    attribute: int | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of one association; of rules that match, the last one counts. It knows nothing of `hidden` objects."""

    access: Access
    rules: tuple[Rule, ...] = ()
    hidden: frozenset[Obis] = frozenset()

    def attribute(self, item: Item, index: int) -> AttributeAccess:
        """Return what may be done with attribute `index` of `item`."""
        possible = _POSSIBLE[item.has(index)][item.may_write(index)]
        granted = _GRANTED[self.access] if self.access is not Access.PUBLIC or is_public(item) else AttributeAccess.NONE
        for rule in self.rules:
            if rule.attribute in (None, index) and rule.objects.matches(item.instance):
                granted = rule.access
        return possible if granted is AttributeAccess.READ_WRITE else possible & granted

    def method(self, item: Item, index: int) -> MethodAccess:
        """Return whether method `index` of `item` may be run."""
        if self.access is Access.MANAGE and index in item.behaviour.methods:
            return MethodAccess.ACCESS
        return MethodAccess.NONE

    def shows(self, item: Item) -> bool:
        """Tell whether the association knows of `item` at all."""
        if self.hidden and item.instance in self.hidden:
            return False
        if self.access is not Access.PUBLIC or is_public(item):
            return True
        return any(rule.access and rule.objects.matches(item.instance) for rule in self.rules)


_GRANTED: Final = {
    Access.PUBLIC: AttributeAccess.READ,
    Access.READ: AttributeAccess.READ,
    Access.MANAGE: AttributeAccess.READ_WRITE,
}

_POSSIBLE: Final = (
    (AttributeAccess.NONE, AttributeAccess.WRITE),
    (AttributeAccess.READ, AttributeAccess.READ_WRITE),
)
"""What an attribute lets be done: whether it has a value, and whether anybody may write it."""

# Value groups C and D of what everybody may know; all of medium 0.
_PUBLIC: Final = frozenset({(1, 0), (40, 0), (41, 0), (42, 0), (43, 1)})


def is_public(item: Item) -> bool:
    """Tell whether `item` belongs to what a public client sees."""
    octets = item.instance.octets
    return octets[0] == 0 and (octets[2], octets[3]) in _PUBLIC
