"""Plain Python values as the Data of an attribute: by its declared shape, or by what they are where anything goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from enum import IntEnum
from typing import Any, Final, cast

from cosem.errors import LocalProtocolError, ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.shape import ANY, Shape, shape_of
from cosem.protocol.values.data import (
    Array,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Enumerated,
    Float64,
    Long64,
    Long64Unsigned,
    Number,
    OctetString,
    Structure,
)
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis


def encode_value(shape: Shape[Any], value: Any) -> Data:
    """Return `value` with the tags that `shape` declares; ShapeError when it does not fit.

    Where the shape takes anything, an int becomes double-long-unsigned, or the smallest wider or signed type that
    holds it; str and bytes octet-string; datetime the octet-string of a date-time; a float float64; a tuple structure;
    a list array. What already is Data stays as it is.
    """
    if shape is ANY:
        return _any(value)
    ready = _READY.get(shape)
    if ready is not None:
        value = ready(value)
    elif isinstance(value, list | tuple):
        ready = _READY.get(getattr(shape, "element", None))
        if ready is not None:
            value = tuple(ready(each) for each in cast("tuple[object, ...]", value))
    try:
        return checked(shape.encode(value))
    except TypeError as error:
        raise ShapeError(f"no value for {shape.name}: {error}") from None


def checked(data: Data) -> Data:
    """Return `data`; ShapeError when it cannot be encoded, because a number is out of its range."""
    if isinstance(data, Number):
        if not data.LOW <= data <= data.HIGH:
            raise ShapeError(f"{data!r} is out of its range")
    elif data is not None and not isinstance(data, bool | bytes):
        try:
            axdr.encode(data)
        except LocalProtocolError as error:
            raise ShapeError(str(error)) from error
    return data


def _any(value: object) -> Data:
    if isinstance(value, Number):
        return checked(cast("Data", value))
    convert = _PLAIN.get(type(value))
    if convert is not None:
        return convert(value)
    if isinstance(value, IntEnum):
        return Enumerated.checked(int(value))
    if isinstance(value, datetime):
        return _moment(value)
    return checked(ANY.encode(cast("Data", value)))


def _integer(value: Any) -> Data:
    for kind in _WIDTHS:
        if kind.LOW <= value <= kind.HIGH:
            return cast("Data", kind(value))
    raise ShapeError(f"{value} needs more than 64 bits")


def _moment(value: Any) -> Data:
    return OctetString(DateTime.from_datetime(value).octets)


def _ready_moment(value: Any) -> Any:
    return DateTime.from_datetime(value) if isinstance(value, datetime) else value


def _ready_date(value: Any) -> Any:
    return Date.from_date(value) if isinstance(value, date) else value


def _ready_time(value: Any) -> Any:
    return Time.from_time(value) if isinstance(value, time) else value


def _ready_name(value: Any) -> Any:
    return Obis(value) if isinstance(value, str | bytes) else value


def _ready_octets(value: Any) -> Any:
    return value.encode() if type(value) is str else value


def _ready_column(value: Any) -> Any:
    if isinstance(value, AttributeRef):
        return CaptureObject(value.class_id, value.instance, value.index, 0)
    return value


_WIDTHS: Final = (DoubleLongUnsigned, DoubleLong, Long64Unsigned, Long64)

_PLAIN: Final[dict[type, Callable[[Any], Data]]] = {
    int: _integer,
    float: Float64,
    str: lambda value: OctetString(value.encode()),
    bytes: OctetString,
    bytearray: lambda value: OctetString(bytes(value)),
    datetime: _moment,
    date: lambda value: OctetString(Date.from_date(value).octets),
    time: lambda value: OctetString(Time.from_time(value).octets),
    Obis: lambda value: OctetString(value.octets),
    tuple: lambda value: Structure(_any(each) for each in value),
    list: lambda value: Array(_any(each) for each in value),
}
"""How plain values are tagged where any Data is welcome."""

_READY: Final[dict[Any, Callable[[Any], Any]]] = {
    shape_of(DateTime): _ready_moment,
    shape_of(Date): _ready_date,
    shape_of(Time): _ready_time,
    shape_of(Obis): _ready_name,
    shape_of(OctetString): _ready_octets,
    shape_of(bytes): _ready_octets,
    shape_of(CaptureObject): _ready_column,
}
"""What else is welcome where a shape is declared."""
