"""Access rights: what an association lets its client do, and the object_list element that carries it on the wire.

Association LN writes rights in different ways by its version: 0 to 2 as numbers (the methods of version 0 as a
boolean), 3 as bits. Here they are one pair of flag types whose bits are those of version 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar

from cosem.errors import ShapeError
from cosem.protocol.model.shape import ArrayShape, Shape, StructureShape, array, describe, optional, shape_of
from cosem.protocol.values.data import Data, Enumerated, Integer, LongUnsigned, Unsigned
from cosem.protocol.values.obis import Obis

F = TypeVar("F", bound=IntFlag)


class AttributeAccess(IntFlag):
    """What may be done with an attribute, and how requests and responses must then be protected."""

    NONE = 0
    READ = 1
    WRITE = 2
    READ_WRITE = 3
    AUTHENTICATED_REQUEST = 4
    ENCRYPTED_REQUEST = 8
    SIGNED_REQUEST = 16
    AUTHENTICATED_RESPONSE = 32
    ENCRYPTED_RESPONSE = 64
    SIGNED_RESPONSE = 128


class MethodAccess(IntFlag):
    """Whether a method may be invoked, and how request and response must then be protected."""

    NONE = 0
    ACCESS = 1
    AUTHENTICATED_REQUEST = 4
    ENCRYPTED_REQUEST = 8
    SIGNED_REQUEST = 16
    AUTHENTICATED_RESPONSE = 32
    ENCRYPTED_RESPONSE = 64
    SIGNED_RESPONSE = 128


@dataclass(frozen=True, slots=True)
class AttributeAccessItem:
    """The rights to one attribute; `selectors` are the access-selectors it supports, None when it has none."""

    index: int
    access: AttributeAccess
    selectors: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class MethodAccessItem:
    """The rights to one method."""

    index: int
    access: MethodAccess


@dataclass(frozen=True, slots=True)
class AccessRights:
    """The rights to all attributes and methods of one object."""

    attribute_access: tuple[AttributeAccessItem, ...] = ()
    method_access: tuple[MethodAccessItem, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectListElement:
    """One object that an association shows, with the rights to its attributes and methods."""

    class_id: int
    version: int
    logical_name: Obis
    access_rights: AccessRights = AccessRights()

    def attribute_access(self, index: int) -> AttributeAccess:
        """The rights to attribute `index`; NONE when the list does not mention it."""
        items = (item.access for item in self.access_rights.attribute_access if item.index == index)
        return next(items, AttributeAccess.NONE)

    def method_access(self, index: int) -> MethodAccess:
        """The rights to method `index`; NONE when the list does not mention it."""
        items = (item.access for item in self.access_rights.method_access if item.index == index)
        return next(items, MethodAccess.NONE)


@dataclass(frozen=True)
class ModeShape(Generic[F]):
    """access_mode ⇄ flags: by the numbers of `table`, bit by bit without one; `boolean` writes booleans."""

    kind: type[F]
    table: Mapping[int, F] | None
    boolean: bool = False

    @property
    def name(self) -> str:
        return f"{'boolean' if self.boolean else 'enum'} access_mode"

    def decode(self, data: Data, /) -> F:
        # boolean, enum and other numbers are told apart by no meter reliably, and need not be.
        if not isinstance(data, int) or not 0 <= data <= 255:
            raise ShapeError(f"expected an access_mode, have {describe(data)}")
        number = int(data)
        if self.table is None:
            return self.kind(number)
        return self.table.get(number) or self.kind(number << UNDEFINED if number else 0)

    def encode(self, value: F, /) -> Data:
        number = int(value)
        if self.table is not None:
            defined = (mode for mode, flag in self.table.items() if flag == value)
            number = next(defined, number >> UNDEFINED or 256)
        if not 0 <= number <= 255:
            raise ShapeError(f"{value!r} cannot be written as an access_mode of this version of Association LN")
        return bool(number) if self.boolean else Enumerated(number)


UNDEFINED: Final = 8
"""A number that a version does not define is kept this many bits higher, where it grants nothing and is not lost."""

_A, _M = AttributeAccess, MethodAccess
_ATTRIBUTE_MODES: Final = MappingProxyType(
    {
        0: _A.NONE,
        1: _A.READ,
        2: _A.WRITE,
        3: _A.READ_WRITE,
        4: _A.READ | _A.AUTHENTICATED_REQUEST,
        5: _A.WRITE | _A.AUTHENTICATED_REQUEST,
        6: _A.READ_WRITE | _A.AUTHENTICATED_REQUEST,
    }
)
_METHOD_MODES: Final = MappingProxyType({0: _M.NONE, 1: _M.ACCESS, 2: _M.ACCESS | _M.AUTHENTICATED_REQUEST})


def _element(attribute: Shape[Any], method: Shape[Any]) -> StructureShape[ObjectListElement]:
    selectors = optional(array(Integer))
    attribute_item = StructureShape(
        AttributeAccessItem, (("index", shape_of(Integer)), ("access", attribute), ("selectors", selectors))
    )
    method_item = StructureShape(MethodAccessItem, (("index", shape_of(Integer)), ("access", method)))
    rights = StructureShape(
        AccessRights, (("attribute_access", ArrayShape(attribute_item)), ("method_access", ArrayShape(method_item)))
    )
    return StructureShape(
        ObjectListElement,
        (
            ("class_id", shape_of(LongUnsigned)),
            ("version", shape_of(Unsigned)),
            ("logical_name", shape_of(Obis)),
            ("access_rights", rights),
        ),
    )


_NUMBERS: Final = ModeShape(AttributeAccess, _ATTRIBUTE_MODES)
_NUMBERED: Final = _element(_NUMBERS, ModeShape(MethodAccess, _METHOD_MODES))

OBJECT_LIST_ELEMENT: Final[Mapping[int, StructureShape[ObjectListElement]]] = MappingProxyType(
    {
        0: _element(_NUMBERS, ModeShape(MethodAccess, _METHOD_MODES, boolean=True)),
        1: _NUMBERED,
        2: _NUMBERED,
        3: _element(ModeShape(AttributeAccess, None), ModeShape(MethodAccess, None)),
    }
)
"""The object_list element by the version of Association LN."""

_ASSOCIATION_LN: Final = 15
_LISTS: Final = {version: ArrayShape(element) for version, element in OBJECT_LIST_ELEMENT.items()}
_LATEST: Final = max(_LISTS)


def object_list_of(data: Data, association: Obis) -> tuple[ObjectListElement, ...]:
    """Return the object_list of the Association LN named `association`; ShapeError when it is none.

    How it writes rights depends on the version of the association, which is in the list itself.
    """
    listed = _LISTS[_LATEST].decode(data)
    own = (each.version for each in listed if each.class_id == _ASSOCIATION_LN and each.logical_name == association)
    version = min(next(own, _LATEST), _LATEST)
    return listed if version == _LATEST else _LISTS[version].decode(data)
