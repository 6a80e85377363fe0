"""Values to begin with: what a new object holds in an attribute that nobody gave a value for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from cosem.protocol.model.shape import (
    ArrayShape,
    BooleanShape,
    ChoiceShape,
    DateTimeShape,
    EmptyShape,
    EnumShape,
    FlagsShape,
    NullShape,
    NumberFlagsShape,
    OctetsShape,
    RowsShape,
    Shape,
    StructureShape,
    TagShape,
)
from cosem.protocol.values.data import TAG_NAMES, TAGS, Array, BitString, Data, Enumerated, OctetString, Structure
from cosem.protocol.values.dates import Date, DateTime, Time

_OPEN: Final[Mapping[type, bytes]] = {
    DateTime: bytes.fromhex("FFFFFFFFFFFFFFFFFF8000FF"),
    Date: bytes.fromhex("FFFFFFFFFF"),
    Time: bytes.fromhex("FFFFFFFF"),
}
"""Date and time of which nothing is specified."""


def blank(shape: Shape[Any]) -> Data:
    """Return the least value of a shape: zero, empty, not specified; an empty octet-string where anything goes."""
    for kind in type(shape).__mro__:
        make = _BY_SHAPE.get(kind)
        if make is not None:
            return make(shape)
    return OctetString(b"")


def blank_of(type_name: str) -> Data:
    """Return the least value of a data type by the standard's name, such as `long-unsigned`."""
    kind = _BY_NAME[type_name]
    if kind is type(None):
        return None
    if kind is DateTime or kind is Date or kind is Time:
        return cast("Data", kind.from_octets(_OPEN[kind]))
    return cast("Data", kind())


def _of_octets(shape: Any) -> Data:
    return OctetString(_OPEN.get(shape.kind, bytes(shape.length)))


def _of_structure(shape: Any) -> Data:
    return Structure(blank(field) for _, field in shape.fields)


_BY_NAME: Final[dict[str, Any]] = {TAG_NAMES[tag]: kind for kind, tag in TAGS.items()}

_BY_SHAPE: Final[dict[type, Callable[[Any], Data]]] = {
    TagShape: lambda shape: shape.kind(),
    BooleanShape: lambda _: False,
    NullShape: lambda _: None,
    EmptyShape: lambda _: OctetString(b""),
    EnumShape: lambda shape: Enumerated(int(next(iter(shape.kind)))),
    FlagsShape: lambda shape: BitString("0" * shape.bits),
    NumberFlagsShape: lambda shape: blank(shape.carrier),
    OctetsShape: _of_octets,
    DateTimeShape: lambda _: DateTime.from_octets(_OPEN[DateTime]),
    ArrayShape: lambda _: Array(()),
    RowsShape: lambda _: Array(()),
    ChoiceShape: lambda shape: blank(shape.alternatives[0]),
    StructureShape: _of_structure,
}
