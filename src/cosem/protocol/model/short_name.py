"""Short names: where the attributes and methods of an object lie behind its base name, and which names are reserved.

Attribute n lies at the base name + 8 (n - 1), methods where their class declares it. (IEC 62056-6-2, short name
referencing.)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from cosem.errors import ShapeError
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.model.shape import describe
from cosem.protocol.values.data import Data, Long
from cosem.protocol.values.obis import Obis

STEP: Final = 8
"""How far two neighbouring short names are from one another."""

CURRENT_ASSOCIATION: Final = 0xFA00
BROADCAST_SCRIPT_TABLE: Final = 0xFB00
SAP_ASSIGNMENT: Final = 0xFC00
LOGICAL_DEVICE_NAME: Final = 0xFD00

RESERVED: Final[Mapping[tuple[int, Obis], int]] = MappingProxyType(
    {
        (12, Obis("0.0.40.0.0.255")): CURRENT_ASSOCIATION,
        (9, Obis("0.0.10.0.125.255")): BROADCAST_SCRIPT_TABLE,
        (17, Obis("0.0.41.0.0.255")): SAP_ASSIGNMENT,
        (1, Obis("0.0.42.0.0.255")): LOGICAL_DEVICE_NAME,
    }
)
"""The base names that the standard gives, by class and logical name; all others are the manufacturer's to give."""


class Member(NamedTuple):
    """An attribute or a method of an object, by its number."""

    number: int
    is_method: bool


def attribute_name(base_name: int, index: int) -> int:
    """Return the short name of an attribute."""
    return base_name + STEP * (index - 1) & 0xFFFF


def method_name(base_name: int, kind: type[InterfaceClass] | InterfaceClass, index: int) -> int | None:
    """Return the short name of a method, None where no source gives the class one."""
    declared = kind.declared_methods.get(index)
    offset = None if declared is None else declared.short_name_offset
    return None if offset is None else base_name + offset & 0xFFFF


def member_at(kind: type[InterfaceClass] | InterfaceClass, offset: int) -> Member | None:
    """Return what lies so far behind the base name of an object; attributes that no class declares are attributes."""
    for index, method in kind.declared_methods.items():
        if method.short_name_offset == offset:
            return Member(index, is_method=True)
    index, rest = divmod(offset, STEP)
    return None if rest or offset < 0 else Member(index + 1, is_method=False)


def span(kind: type[InterfaceClass] | InterfaceClass, attributes: int = 0) -> int:
    """Return how many short names an object takes: those of all its methods and attributes, of which it has so many."""
    attributes = max(attributes, *kind.declared_attributes)
    methods = (method.short_name_offset or 0 for method in kind.declared_methods.values())
    return max(STEP * (attributes - 1), *methods, 0) + STEP


class BaseNameShape:
    """long ⇄ a base name without a sign, as base names are written; long-unsigned is read as well."""

    name = "long (a base name)"

    def decode(self, data: Data, /) -> int:
        if isinstance(data, bool) or not isinstance(data, int) or not -0x8000 <= data <= 0xFFFF:
            raise ShapeError(f"expected {self.name}, have {describe(data)}")
        return int(data) & 0xFFFF

    def encode(self, value: int, /) -> Data:
        if not 0 <= value <= 0xFFFF:
            raise ShapeError(f"a base name is 0x0000 to 0xFFFF, not {value}")
        return Long(value - 0x10000 if value > 0x7FFF else value)


BASE_NAME: Final = BaseNameShape()
