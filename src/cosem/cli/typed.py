"""Values as people type them, read by the type that an attribute or method declares or by the name of a data type."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import IntEnum, IntFlag
from typing import Any, Final, TypeGuard, cast

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.model.shape import (
    AnyShape,
    ArrayShape,
    BooleanShape,
    ChoiceShape,
    DateTimeShape,
    EnumShape,
    FlagsShape,
    NullShape,
    NumberFlagsShape,
    OctetsShape,
    Shape,
    StructureShape,
    TagShape,
)
from cosem.protocol.values import data as tags
from cosem.protocol.values.data import TAG_NAMES, Data
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis

AXDR: Final = "axdr"
"""As a type: the value is the octets of encoded Data, of whatever type."""

TEXT: Final = "text:"
"""In front of an octet-string: what follows are its characters, not hex digits."""


def value_of(shape: Shape[Any], given: object) -> Any:
    """Return what was typed as the value that `shape` encodes; containers are written as JSON.

    Raises ConfigurationError that shows the right form, and says when a type must be named.
    """
    for kind, read in _BY_SHAPE:
        if isinstance(shape, kind):
            return read(cast("Any", shape), given)
    raise ConfigurationError(f"{shape.name} cannot be typed: write --type {AXDR} and the octets of the encoded value")


def data_of(type_name: str, given: object) -> Data:
    """Return what was typed as Data of the type with that standard name. Raises ConfigurationError."""
    read = _BY_NAME.get(type_name)
    if read is None:
        raise ConfigurationError(f"{type_name!r} is no data type: write one of {', '.join(_BY_NAME)}")
    try:
        value = read(given)
        axdr.encode(value)  # which is where texts and floats are checked
    except (LocalProtocolError, DecodeError) as error:
        raise ConfigurationError(f"{type_name}: {error}") from None
    return value


def _number(kind: type[tags.Number]) -> Callable[[object], Data]:
    return lambda given: cast("Data", kind.checked(_integer(given)))


def _integer(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    text = str(given).strip()
    if not _INTEGER.fullmatch(text):
        raise ConfigurationError(
            f"{text!r} is no whole number: write 42 or 0x2A; a register takes its raw value, without scaler and unit"
        )
    return int(text, 16 if "x" in text.lower() else 10)


def _float(given: object) -> float:
    try:
        return float(str(given))
    except ValueError:
        raise ConfigurationError(f"{given!r} is no number: write 1.5") from None


def _boolean(given: object) -> bool:
    found = given if isinstance(given, bool) else _BOOLEANS.get(str(given).strip().lower())
    if found is None:
        raise ConfigurationError(f"{given!r} is neither true nor false")
    return found


def _null(given: object) -> None:
    if given not in (None, "", "null"):
        raise ConfigurationError(f"null-data has no value, not even {given!r}")


def _octets(given: object) -> bytes:
    text = str(given)
    if text.startswith(TEXT):
        return text.removeprefix(TEXT).encode()
    digits = text if text.startswith("-") else _FILLING.sub("", text)  # a negative number is not its digits
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise ConfigurationError(f"{text!r} is not hexadecimal: write 0100FF, or {TEXT} and characters") from None


def _text(kind: type[str]) -> Callable[[object], Data]:
    return lambda given: cast("Data", kind(_string(given)))


def _string(given: object) -> str:
    if not isinstance(given, str):
        raise ConfigurationError(f"{given!r} is no text")
    return given


def _bits(given: object) -> Data:
    bits = tags.BitString(_string(given))
    assert bits.octets is not None  # which refuses other characters
    return bits


def _container(kind: type[tags.Array | tags.Structure]) -> Callable[[object], Data]:
    return lambda given: kind(_element(each) for each in _listed(given))


def _element(given: object) -> Data:
    if isinstance(given, Mapping) and len(cast("Mapping[str, object]", given)) == 1:
        ((type_name, value),) = cast("Mapping[str, object]", given).items()
        return data_of(type_name, value)
    raise ConfigurationError(f'{given!r}: an element names its type, as in {{"long-unsigned": 5}}')


def _listed(given: object) -> list[Any]:
    found = _json(given)
    if not _is_list(found):
        raise ConfigurationError(f"{given!r} is no list: write it as JSON, [1, 2]")
    return found


def _is_list(found: object) -> TypeGuard[list[Any]]:
    return isinstance(found, list)


def _is_object(found: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(found, dict)


def _json(given: object) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{given!r} is no JSON, which arrays and structures are written in") from None


def _encoded(given: object) -> Data:
    return axdr.decode_all(_octets(given))


_INTEGER: Final = re.compile(r"[+-]?(?:[0-9]+|0[xX][0-9a-fA-F]+)", re.ASCII)
_FILLING: Final = re.compile(r"0x|[\s:_-]", re.IGNORECASE)
_BOOLEANS: Final = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False}
_BOOLEANS["off"] = False

_BY_NAME: Final[dict[str, Callable[[object], Data]]] = {
    TAG_NAMES[0]: _null,
    TAG_NAMES[3]: _boolean,
    "bit-string": _bits,
    **{TAG_NAMES[kind.TAG]: _number(kind) for kind in tags.KINDS.values() if issubclass(kind, tags.Number)},
    "float32": lambda given: tags.Float32(_float(given)),
    "float64": lambda given: tags.Float64(_float(given)),
    "octet-string": lambda given: tags.OctetString(_octets(given)),
    "visible-string": _text(tags.VisibleString),
    "utf8-string": _text(tags.Utf8String),
    "date-time": lambda given: DateTime.parse(_string(given)),
    "date": lambda given: Date.parse(_string(given)),
    "time": lambda given: Time.parse(_string(given)),
    "array": _container(tags.Array),
    "structure": _container(tags.Structure),
    AXDR: _encoded,
}
"""How a value is read, by the standard's name of its type."""


def _tagged(shape: TagShape[Any], given: object) -> Any:
    return data_of(shape.name, given)


def _any(shape: AnyShape, given: object) -> Any:
    if isinstance(given, Mapping):
        return _element(cast("object", given))
    raise ConfigurationError(
        f"the type of {given!r} is not known, since the class takes any: name it, as in --type octet-string"
    )


def _enumeration(shape: EnumShape[IntEnum], given: object) -> Any:
    name = str(given).strip().upper().replace("-", "_").replace(" ", "_")
    member = shape.kind.__members__.get(name)
    if member is not None:
        return member
    if not _INTEGER.fullmatch(str(given)):
        known = ", ".join(f"{each.value} {each.name.lower().replace('_', '-')}" for each in shape.kind)
        raise ConfigurationError(f"{given!r} is none of {known}")
    return shape.kind(_integer(given))


def _flags(shape: FlagsShape[IntFlag] | NumberFlagsShape[IntFlag], given: object) -> Any:
    if _INTEGER.fullmatch(str(given)):
        return shape.kind(_integer(given))
    found = shape.kind(0)
    for name in filter(None, re.split(r"[\s,|+]+", str(given))):
        flag = shape.kind.__members__.get(name.upper().replace("-", "_"))
        if flag is None:
            known = ", ".join(each.lower().replace("_", "-") for each in shape.kind.__members__)
            raise ConfigurationError(f"{name!r} is none of {known}")
        found |= flag
    return found


def _fixed(shape: OctetsShape[Any], given: object) -> Any:
    return _FIXED[shape.kind](_string(given))


def _array(shape: ArrayShape[Any], given: object) -> Any:
    return tuple(value_of(shape.element, each) for each in _listed(given))


def _structure(shape: StructureShape[Any], given: object) -> Any:
    found = _json(given)
    declared = dict(shape.fields)
    named: dict[str, Any] = {}
    if _is_object(found):
        named.update(found)
    elif _is_list(found) and len(found) == len(declared):
        named.update(zip(declared, found, strict=True))
    if named.keys() != declared.keys():
        raise ConfigurationError(f"{given!r}: {shape.name} is written as JSON with {', '.join(declared)}")
    return shape.kind(**{name: value_of(inner, named[name]) for name, inner in declared.items()})


def _choice(shape: ChoiceShape, given: object) -> Any:
    for alternative in shape.alternatives:
        try:
            value = value_of(alternative, given)
            shape.encode(value)
        except (ConfigurationError, ShapeError):
            continue
        return value
    raise ConfigurationError(f"{given!r} is no {shape.name}")


_FIXED: Final[dict[type, Callable[[str], Any]]] = {
    Obis: Obis,
    DateTime: DateTime.parse,
    Date: Date.parse,
    Time: Time.parse,
}

_BY_SHAPE: Final[tuple[tuple[type, Callable[[Any, object], Any]], ...]] = (
    (TagShape, _tagged),
    (BooleanShape, lambda _, given: _boolean(given)),
    (NullShape, lambda _, given: _null(given)),
    (AnyShape, _any),
    (EnumShape, _enumeration),
    (FlagsShape, _flags),
    (NumberFlagsShape, _flags),
    (OctetsShape, _fixed),
    (DateTimeShape, lambda _, given: DateTime.parse(_string(given))),
    (ArrayShape, _array),
    (StructureShape, _structure),
    (ChoiceShape, _choice),
)
"""How a value is read, by the kind of the declared shape."""
