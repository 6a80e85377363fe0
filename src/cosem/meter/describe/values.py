"""Values of attributes as TOML has them: typed where it says so; units, dates and names from text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, Final, cast

from cosem.errors import ConfigurationError
from cosem.meter.values import encode_value
from cosem.protocol.crypto.key import octets_from_hex
from cosem.protocol.model.shape import ANY, Shape, StructureShape, shape_of
from cosem.protocol.values import data as tags
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit


def value_from_toml(shape: Shape[Any], given: object) -> object:
    """Return a value of TOML as what `add` takes: typed where it says so, units, dates and names from text."""
    if isinstance(given, dict):
        return _typed(cast("dict[str, object]", given))
    if isinstance(given, list):
        return _values(shape, cast("list[object]", given))
    read = _FROM_TOML.get(shape)
    return given if read is None else read(given)


def _values(shape: Shape[Any], given: list[object]) -> object:
    """Return a list of TOML as the structure or array that it is."""
    if isinstance(shape, StructureShape) and len(given) == len(shape.fields):
        return tuple(_part(each, part) for (_, each), part in zip(shape.fields, given, strict=True))
    element: Any = getattr(shape, "element", None)
    if element is not None:
        return tuple(_part(element, part) for part in given)
    return given if shape is ANY else _tuples(given)


def _part(shape: Shape[Any], given: object) -> object:
    value = value_from_toml(shape, given)
    return encode_value(ANY, value) if shape is ANY else value


def _text(read: Callable[[str], object], *others: tuple[type, Callable[[Any], object]]) -> Callable[[Any], object]:
    """Return what reads text, and other values that TOML has by their types; what else there is stays."""
    readers: dict[type, Callable[[Any], object]] = {str: read, **dict(others)}

    def read_one(given: Any) -> object:
        reader = readers.get(given.__class__)
        return given if reader is None else reader(given)

    return read_one


def _typed(given: dict[str, object]) -> object:
    """Return `{ TYPE = VALUE }` as it says; `{}` has neither, and is null-data: no text or number could mean it."""
    if not given:
        return None
    kinds = {tags.TAG_NAMES[kind.TAG]: kind for kind in _KINDS}
    if len(given) != 1 or next(iter(given)) not in kinds:
        raise ConfigurationError(f"a typed value is written as {{ TYPE = VALUE }}, with TYPE one of {', '.join(kinds)}")
    ((name, value),) = given.items()
    kind = kinds[name]
    if issubclass(kind, tags.Number) and isinstance(value, int):
        return kind.checked(value)
    if issubclass(kind, tags.OctetString) and isinstance(value, str):
        return kind(octets_from_hex(value))
    if issubclass(kind, str) and isinstance(value, str):
        return cast("type[Any]", kind)(value)
    if issubclass(kind, float) and isinstance(value, int | float):
        return cast("type[Any]", kind)(value)
    if issubclass(kind, tuple) and isinstance(value, list):
        items = cast("list[object]", value)
        return cast("type[Any]", kind)(encode_value(ANY, value_from_toml(ANY, each)) for each in items)
    raise ConfigurationError(f"this is no {name}")


def _tuples(given: object) -> object:
    return tuple(_tuples(each) for each in cast("list[object]", given)) if isinstance(given, list) else given


_FROM_TOML: Final[Mapping[Any, Callable[[Any], object]]] = {
    shape_of(Unit): _text(Unit.parse),
    shape_of(Obis): _text(Obis),
    shape_of(DateTime): _text(DateTime.parse, (datetime, DateTime.from_datetime)),
    shape_of(Date): _text(Date.parse, (date, Date.from_date)),
    shape_of(Time): _text(Time.parse, (time, Time.from_time)),
    shape_of(bytes): _text(str.encode),
}
"""What is read from text, or from what TOML has for it, wherever it stands in a value."""

_KINDS: Final[tuple[type[Any], ...]] = (
    *(tags.Integer, tags.Long, tags.DoubleLong, tags.Long64),
    *(tags.Unsigned, tags.LongUnsigned, tags.DoubleLongUnsigned, tags.Long64Unsigned),
    *(tags.Enumerated, tags.Bcd, tags.Float32, tags.Float64),
    *(tags.OctetString, tags.VisibleString, tags.Utf8String, tags.BitString, tags.Array, tags.Structure),
)
