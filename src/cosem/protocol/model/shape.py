"""Shapes: how the Data of an attribute becomes a typed Python value and back, derived from types.

A shape is written as a type. What stands on the left may be given wherever a shape is declared:

    LongUnsigned, OctetString, bool …   the Data class itself; plain Python values are accepted when encoding
    an IntEnum                          enum
    Obis, DateTime, Date, Time          octet-string of 6, 12, 5 and 4 octets
    a class under `@structure`          structure, its fields from the annotations
    array(X), optional(X), choice(X, Y) array of X; null-data or X; the first alternative that fits
    or_any(X)                           X exactly as declared, or any other Data
    flags(F, 24), flags(F, Unsigned)    an IntFlag in a bit-string of 24 bits or in a number
    DATE_TIME                           date-time under its own tag
    ANY                                 whatever Data the peer sends

Decoding is tolerant in the ways that `TOLERANCES` names; `decode_exactly` refuses them, and `deviates` tells
whether one was needed. Encoding always gives the declared tags.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from enum import IntEnum, IntFlag
from typing import Annotated, Any, Final, Generic, Protocol, TypeAlias, TypeVar, cast, overload

from cosem.errors import LocalProtocolError, ShapeError
from cosem.protocol.codec.compact import expand
from cosem.protocol.codec.delta import absolute, has_deltas
from cosem.protocol.codec.record import record
from cosem.protocol.values import data as tags
from cosem.protocol.values.data import Data, same
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E", bound=IntEnum)
F = TypeVar("F", bound=IntFlag)
P = TypeVar("P", bool, int, bytes, str, float)
"""Data classes stand for the Python type they extend, so that plain values are welcome."""

Integer8: TypeAlias = Annotated[int, tags.Integer]
Integer16: TypeAlias = Annotated[int, tags.Long]
Integer32: TypeAlias = Annotated[int, tags.DoubleLong]
Integer64: TypeAlias = Annotated[int, tags.Long64]
Unsigned8: TypeAlias = Annotated[int, tags.Unsigned]
Unsigned16: TypeAlias = Annotated[int, tags.LongUnsigned]
Unsigned32: TypeAlias = Annotated[int, tags.DoubleLongUnsigned]
Unsigned64: TypeAlias = Annotated[int, tags.Long64Unsigned]
Bits: TypeAlias = Annotated[str, tags.BitString]
Text: TypeAlias = Annotated[str, tags.VisibleString]
Utf8: TypeAlias = Annotated[str, tags.Utf8String]

Rows: TypeAlias = tuple[tuple[Data, ...], ...]
"""The rows of a profile buffer as they were sent, null-data still standing for a repeated value."""

TOLERANCES: Final = {
    "number-width": "an integer, enum or float under another such tag, when the value fits the declared one",
    "boolean-number": "0 or 1 under an integer tag where boolean is declared",
    "string-kind": "octet-string, visible-string and utf8-string in place of each other",
    "bit-string-length": "a bit-string of another length, when the bits that are too many are 0",
    "compact-rows": "a compact-array in place of an array of rows",
    "bare-row": "a row of one column without the structure around it",
    "date-time-tag": "date-time, date and time under their own tags in place of an octet-string, or the reverse",
    "time-of-day": "a time of day with an hour, minute, second or hundredth that there is not, such as 24:00",
}


class Shape(Protocol[T]):
    """How one attribute, parameter or field looks on the wire and in Python."""

    @property
    def name(self) -> str:
        """The shape in the standard's words, as in "double-long-unsigned"."""
        ...

    def decode(self, data: Data, /) -> T:
        """Return the typed value; raise ShapeError when `data` has another shape."""
        ...

    def encode(self, value: T, /) -> Data:
        """Return the Data with the declared tags; raise ShapeError when `value` does not fit."""
        ...


class Enumeration(IntEnum):
    """An enumeration of the standard that keeps numbers it does not know instead of refusing them."""

    @classmethod
    def _missing_(cls, value: object) -> Enumeration | None:
        if not isinstance(value, int) or not 0 <= value <= 255:
            return None
        unknown = int.__new__(cls, value)
        unknown._name_ = f"RESERVED_{value}"
        unknown._value_ = value
        return unknown


def decode_exactly(shape: Shape[T], data: Data) -> T:
    """Decode without any tolerance, as a server must that answers type-unmatched."""
    value = shape.decode(data)
    if _deviates(shape, value, data):
        raise ShapeError(f"expected exactly {shape.name}, have {describe(data)}")
    return value


def deviates(shape: Shape[Any], data: Data) -> bool:
    """Tell whether `data` decodes only thanks to a tolerance."""
    return _deviates(shape, shape.decode(data), data)


def _deviates(shape: Shape[T], value: T, data: Data) -> bool:
    return not same(shape.encode(value), data) or not all(each.exists for each in _times_in(value))


def _times_in(value: object) -> Iterator[Time]:
    if isinstance(value, Time):
        yield value
    elif isinstance(value, tuple):
        for each in cast("tuple[object, ...]", value):
            yield from _times_in(each)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _times_in(getattr(value, field.name))


def describe(data: object) -> str:
    """Name a Data value for an error message, shortly."""
    text = repr(data)
    return text if len(text) <= 60 else f"{text[:57]}..."


@overload
def array(element: type[E]) -> ArrayShape[E]: ...
@overload
def array(element: type[P]) -> ArrayShape[P]: ...
@overload
def array(element: type[T] | Shape[T]) -> ArrayShape[T]: ...
def array(element: Any) -> ArrayShape[Any]:
    """Return the shape "array of `element`"."""
    return ArrayShape(shape_of(element))


@overload
def optional(shape: type[E]) -> Shape[E | None]: ...
@overload
def optional(shape: type[P]) -> Shape[P | None]: ...
@overload
def optional(shape: type[T] | Shape[T]) -> Shape[T | None]: ...
def optional(shape: Any) -> Shape[Any]:
    """Return the shape "null-data or `shape`"."""
    return ChoiceShape((NULL, shape_of(shape)))


def choice(first: type[T] | Shape[T], second: type[U] | Shape[U]) -> Shape[T | U]:
    """Return the shape "`first` or `second`", which takes the first that fits without a tolerance."""
    return cast("Shape[T | U]", ChoiceShape((shape_of(first), shape_of(second))))


def or_any(shape: type[T] | Shape[T]) -> Shape[T | Data]:
    """Return the shape "`shape`, or any other Data as it is", for what is known to be sent in further forms."""
    return cast("Shape[T | Data]", ChoiceShape((shape_of(shape), ANY)))


def flags(kind: type[F], carrier: int | type[tags.Number]) -> Shape[F]:
    """Return the shape of an IntFlag in a bit-string of so many bits, the most significant first, or in a number."""
    return FlagsShape(kind, carrier) if isinstance(carrier, int) else NumberFlagsShape(kind, shape_of(carrier))


@typing.dataclass_transform(frozen_default=True)
def structure(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of `cls` and derive Data Structure ⇄ dataclass from its annotations.

    A field is annotated with `Annotated[int, LongUnsigned]` (short: `Unsigned16`), with a type that has a shape of
    its own (Obis, DateTime, an IntEnum, another structure), with `bytes`, `str` or `bool` (octet-string,
    visible-string, boolean), with `tuple[X, ...]` (array), with `X | None` (null-data or X) or with `Data`.
    """
    made = record(cls)
    SHAPES[made] = StructureShape(made)
    return made


def shape_of(declaration: Any) -> Shape[Any]:
    """Return the shape that a type or annotation stands for; a shape stands for itself."""
    known = SHAPES.get(declaration) if isinstance(declaration, type) else None
    if known is not None:
        return known
    if declaration is None or declaration is type(None):
        return NULL
    if isinstance(declaration, type) and issubclass(declaration, IntEnum):
        return SHAPES.setdefault(declaration, EnumShape(declaration))
    return _from_annotation(declaration)


@dataclass(frozen=True)
class TagShape(Generic[T]):
    """One Data class, such as `LongUnsigned`: values keep the tag they came with."""

    kind: Any
    accepts: tuple[type, ...]
    """Python types that are converted when encoding."""
    tolerates: tuple[type, ...] = ()
    """Data classes that are taken in its place when decoding."""

    @property
    def name(self) -> str:
        return tags.TAG_NAMES[self.kind.TAG]

    def decode(self, data: Data, /) -> T:
        if type(data) is self.kind:
            return cast("T", data)
        if not isinstance(data, self.tolerates):
            raise ShapeError(f"expected {self.name}, have {describe(data)}")
        return self._tolerated(data)

    def encode(self, value: T, /) -> Data:
        return cast("Data", value if type(value) is self.kind else self._converted(value))

    def _tolerated(self, data: Any) -> T:
        return cast("T", self._converted(data))

    def _converted(self, value: Any) -> Any:
        if not isinstance(value, self.accepts) or isinstance(value, bool):
            raise ShapeError(f"expected a value for {self.name}, have {describe(value)}")
        try:
            return self._make(value)
        except (LocalProtocolError, ValueError, OverflowError) as error:
            raise ShapeError(f"{describe(value)} does not fit {self.name}: {error}") from None

    def _make(self, value: Any) -> Any:
        return self.kind(value)


class IntegerShape(TagShape[int]):
    """An integer tag; other widths are tolerated when the value fits, and keep their tag."""

    def _tolerated(self, data: Any) -> int:
        self._converted(data)
        return cast("int", data)

    def _make(self, value: Any) -> Any:
        return self.kind.checked(value)


class StringShape(TagShape[T]):
    """A string tag; the other string kinds are tolerated."""

    def _tolerated(self, data: Any) -> T:
        octets = data if isinstance(data, bytes) else str(data).encode(_charset(type(data)), "surrogateescape")
        if not issubclass(self.kind, bytes):
            return cast("T", self.kind(octets.decode(_charset(self.kind), "surrogateescape")))
        return cast("T", self.kind(octets))


@dataclass(frozen=True)
class BooleanShape:
    """boolean ⇄ bool."""

    name: str = "boolean"

    def decode(self, data: Data, /) -> bool:
        if isinstance(data, bool):
            return data
        if isinstance(data, int) and int(data) in (0, 1):
            return bool(data)
        raise ShapeError(f"expected boolean, have {describe(data)}")

    def encode(self, value: object, /) -> Data:
        if not isinstance(value, bool):
            raise ShapeError(f"expected True or False, have {describe(value)}")
        return value


@dataclass(frozen=True)
class NullShape:
    """null-data ⇄ None."""

    name: str = "null-data"

    def decode(self, data: Data, /) -> None:
        if data is not None:
            raise ShapeError(f"expected null-data, have {describe(data)}")

    def encode(self, value: None, /) -> Data:
        if value is not None:
            raise ShapeError(f"expected None, have {describe(value)}")
        return None


@dataclass(frozen=True)
class EmptyShape:
    """octet-string of length 0 ⇄ None."""

    name: str = "octet-string(0)"

    def decode(self, data: Data, /) -> None:
        if not isinstance(data, bytes) or data:
            raise ShapeError(f"expected {self.name}, have {describe(data)}")

    def encode(self, value: None, /) -> Data:
        if value is not None:
            raise ShapeError(f"expected None, have {describe(value)}")
        return tags.OctetString(b"")


@dataclass(frozen=True)
class AnyShape:
    """Any Data, as it is."""

    name: str = "any"

    def decode(self, data: Data, /) -> Data:
        return data

    def encode(self, value: Data, /) -> Data:
        if type(value) in _UNTAGGED:
            raise ShapeError(f"{describe(value)} has no tag: say which type, as in LongUnsigned(5)")
        return value


@dataclass(frozen=True)
class EnumShape(Generic[E]):
    """enum ⇄ IntEnum."""

    kind: type[E]

    @property
    def name(self) -> str:
        return f"enum {self.kind.__name__}"

    def decode(self, data: Data, /) -> E:
        if isinstance(data, int) and not isinstance(data, bool):
            return self._member(int(data))
        raise ShapeError(f"expected {self.name}, have {describe(data)}")

    def encode(self, value: object, /) -> Data:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ShapeError(f"expected {self.name}, have {describe(value)}")
        return tags.Enumerated(self._member(int(value)))

    def _member(self, number: int) -> E:
        try:
            return self.kind(number)
        except ValueError:
            raise ShapeError(f"{number} is no {self.kind.__name__}") from None


@dataclass(frozen=True)
class FlagsShape(Generic[F]):
    """bit-string ⇄ IntFlag."""

    kind: type[F]
    bits: int

    @property
    def name(self) -> str:
        return f"bit-string({self.bits}) {self.kind.__name__}"

    def decode(self, data: Data, /) -> F:
        if not isinstance(data, tags.BitString) or "1" in data[self.bits :]:
            raise ShapeError(f"expected {self.name}, have {describe(data)}")
        return self.kind(int(data[: self.bits].ljust(self.bits, "0"), 2))

    def encode(self, value: object, /) -> Data:
        if not isinstance(value, int) or not 0 <= value < 1 << self.bits:
            raise ShapeError(f"expected {self.name}, have {describe(value)}")
        return tags.BitString(format(int(value), f"0{self.bits}b"))


@dataclass(frozen=True)
class NumberFlagsShape(Generic[F]):
    """A number ⇄ IntFlag."""

    kind: type[F]
    carrier: Shape[int]

    @property
    def name(self) -> str:
        return f"{self.carrier.name} {self.kind.__name__}"

    def decode(self, data: Data, /) -> F:
        return self.kind(int(self.carrier.decode(data)))

    def encode(self, value: F, /) -> Data:
        return self.carrier.encode(int(value))


@dataclass(frozen=True)
class OctetsShape(Generic[T]):
    """An octet-string of fixed length with a meaning, such as a logical name or a date-time."""

    name: str
    kind: type[T]
    length: int
    from_octets: Callable[[bytes], T]

    def decode(self, data: Data, /) -> T:
        if isinstance(data, self.kind):
            return data
        if isinstance(data, bytes) and len(data) == self.length:
            return self.from_octets(bytes(data))
        raise ShapeError(f"expected {self.name}, have {describe(data)}")

    def encode(self, value: T, /) -> Data:
        if not isinstance(value, self.kind):
            raise ShapeError(f"expected {self.kind.__name__}, have {describe(value)}")
        return tags.OctetString(cast("Any", value).octets)


@dataclass(frozen=True)
class DateTimeShape:
    """A date-time under its own tag, where a class asks for that rather than for an octet-string."""

    name: str = "date-time"

    def decode(self, data: Data, /) -> DateTime:
        return cast("DateTime", SHAPES[DateTime].decode(data))

    def encode(self, value: object, /) -> Data:
        if not isinstance(value, DateTime):
            raise ShapeError(f"expected DateTime, have {describe(value)}")
        return value


@dataclass(frozen=True)
class ArrayShape(Generic[T]):
    """array ⇄ tuple."""

    element: Shape[T]

    @property
    def name(self) -> str:
        return f"array of {self.element.name}"

    def decode(self, data: Data, /) -> tuple[T, ...]:
        if not isinstance(data, tags.Array):
            raise ShapeError(f"expected {self.name}, have {describe(data)}")
        decode = self.element.decode
        values: list[T] = []
        try:
            for item in data:
                values.append(decode(item))
        except ShapeError as error:
            raise error.within(str(len(values))) from None
        return tuple(values)

    def encode(self, value: tuple[T, ...], /) -> Data:
        if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
            raise ShapeError(f"expected a sequence for {self.name}, have {describe(value)}")
        encode = self.element.encode
        items: list[Data] = []
        try:
            for item in value:
                items.append(encode(item))
        except ShapeError as error:
            raise error.within(str(len(items))) from None
        return tags.Array(items)


@dataclass(frozen=True)
class ChoiceShape:
    """The first alternative that fits exactly, else the first that fits with a tolerance."""

    alternatives: tuple[Shape[Any], ...]

    @property
    def name(self) -> str:
        return " or ".join(shape.name for shape in self.alternatives)

    def decode(self, data: Data, /) -> Any:
        for decode in (decode_exactly, _decode):
            for shape in self.alternatives:
                try:
                    return decode(shape, data)
                except ShapeError:
                    continue
        raise ShapeError(f"expected {self.name}, have {describe(data)}")

    def encode(self, value: Any, /) -> Data:
        for shape in self.alternatives:
            try:
                return shape.encode(value)
            except ShapeError:
                continue
        raise ShapeError(f"expected {self.name}, have {describe(value)}")


@dataclass(frozen=True)
class RowsShape:
    """The buffer of a profile ⇄ tuple of rows, each a tuple of Data as it was sent; for deltas their values stand."""

    name: str = "array of structure"

    def decode(self, data: Data, /) -> Rows:
        if isinstance(data, tags.CompactArray):
            data = expand(data)
        if not isinstance(data, tags.Array):
            raise ShapeError(f"expected {self.name}, have {describe(data)}")
        # A profile of one column is seen without the structure around each row.
        rows = tuple(row if isinstance(row, tags.Structure) else (row,) for row in data)
        return tuple(absolute(rows)) if any(map(has_deltas, rows)) else rows

    def encode(self, value: Rows, /) -> Data:
        return tags.Array(tags.Structure(ANY.encode(item) for item in row) for row in value)


class StructureShape(Generic[T]):
    """structure ⇄ frozen dataclass; the fields are given, or compiled from the annotations at first use."""

    def __init__(self, kind: type[T], declared: tuple[tuple[str, Shape[Any]], ...] = ()) -> None:
        self.kind = kind
        self.name = f"structure {kind.__name__}"
        self._fields = declared
        self._exact: Callable[[Data], T] | None = None

    @property
    def fields(self) -> tuple[tuple[str, Shape[Any]], ...]:
        """Names and shapes of the fields in wire order."""
        if not self._fields:
            hints = typing.get_type_hints(self.kind, include_extras=True)
            names = [field.name for field in fields(cast("Any", self.kind))]
            self._fields = tuple((name, shape_of(hints[name])) for name in names)
        return self._fields

    def decode(self, data: Data, /) -> T:
        # Nearly every meter sends what is declared, so that is tried first, without a call for each field; whatever
        # differs is gone through step by step. A scaler_unit costs a quarter of the steps in that way.
        try:
            return (self._exact or self._compiled())(data)
        except _DIFFERS:
            return self._step_by_step(data)

    def _step_by_step(self, data: Data) -> T:
        declared = self.fields
        if not isinstance(data, tags.Structure) or len(data) != len(declared):
            raise ShapeError(f"expected {self.name} of {len(declared)} elements, have {describe(data)}")
        values: list[Any] = []
        try:
            for (_, shape), item in zip(declared, data, strict=True):
                values.append(shape.decode(item))
        except ShapeError as error:
            raise error.within(declared[len(values)][0]) from None
        return self.kind(*values)

    def _compiled(self) -> Callable[[Data], T]:
        """Write and compile the function for a structure exactly as declared; it raises one of `_DIFFERS` for others.

        The fields are set through their slots, past the constructor of a frozen dataclass, which takes twice as long;
        unless there is a `__post_init__`, which must have its say.
        """
        known: dict[str, Any] = {"kind": self.kind, "new": object.__new__, "Structure": tags.Structure}
        names = [name for name, _ in self.fields]
        slots = vars(self.kind)
        past = all(hasattr(slots.get(name), "__set__") for name in names) and not hasattr(self.kind, "__post_init__")
        items = [f"x{index}" for index in range(len(self.fields))]
        checks = ["data.__class__ is not Structure"]
        values: list[str] = []
        for item, (name, shape) in zip(items, self.fields, strict=True):
            form = type(shape)
            if form in (TagShape, IntegerShape, StringShape):
                known[f"kind_{name}"] = cast("TagShape[Any]", shape).kind
                checks.append(f"{item}.__class__ is not kind_{name}")
                values.append(item)
            elif form is EnumShape:
                known["Enumerated"] = tags.Enumerated
                known[f"members_{name}"] = {int(member): member for member in cast("EnumShape[IntEnum]", shape).kind}
                checks.append(f"{item}.__class__ is not Enumerated")
                values.append(f"members_{name}[{item}]")
            else:
                known[f"decode_{name}"] = shape.decode
                values.append(f"decode_{name}({item})")
        if past:
            known.update({f"set_{name}": slots[name].__set__ for name in names})
            setting = [f"set_{name}(made, {value})" for name, value in zip(names, values, strict=True)]
            make = ["made = new(kind)", *setting, "return made"]
        else:
            make = [f"return kind({', '.join(values)})"]
        check = f"if {' or '.join(checks)}: raise TypeError"
        text = "\n    ".join(("def exact(data):", f"{', '.join(items)}, = data", check, *make))
        exec(compile(text, f"<structure {self.kind.__name__}>", "exec"), known)  # noqa: S102  our own text, no input
        exact = cast("Callable[[Data], T]", known["exact"])
        self._exact = exact
        return exact

    def encode(self, value: T, /) -> Data:
        if isinstance(value, tuple):
            value = self._from_tuple(cast("tuple[Any, ...]", value))
        if not isinstance(value, self.kind):
            raise ShapeError(f"expected {self.kind.__name__}, have {describe(value)}")
        items: list[Data] = []
        name = ""
        try:
            for name, shape in self.fields:
                items.append(shape.encode(getattr(value, name)))
        except ShapeError as error:
            raise error.within(name) from None
        return tags.Structure(items)

    def _from_tuple(self, values: tuple[Any, ...]) -> T:
        """Take the plain tuple of the fields, as in `scaler_unit=(0, Unit.WATT_HOUR)`."""
        if len(values) != len(self.fields):
            raise ShapeError(f"expected {len(self.fields)} elements for {self.name}, have {len(values)}")
        return self.kind(*values)

    def __repr__(self) -> str:
        return f"StructureShape({self.kind.__name__})"


def _decode(shape: Shape[Any], data: Data) -> Any:
    return shape.decode(data)


def _charset(kind: Any) -> str:
    return "utf-8" if kind is tags.Utf8String else "latin-1"


def _from_annotation(annotation: Any) -> Shape[Any]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation == Data or annotation is Any:
        return ANY
    if origin is Annotated:
        return shape_of(arguments[1])
    if origin is tuple and len(arguments) == 2 and arguments[1] is ...:
        return ArrayShape(shape_of(arguments[0]))
    if origin in (types.UnionType, typing.Union):
        present = tuple(shape_of(each) for each in arguments if each is not type(None))
        return ChoiceShape((NULL, *present)) if len(present) < len(arguments) else ChoiceShape(present)
    if isinstance(annotation, type) or not hasattr(annotation, "decode"):
        raise TypeError(f"no shape is known for {annotation!r}")
    return cast("Shape[Any]", annotation)


ANY: Final[Shape[Data]] = AnyShape()
NULL: Final[Shape[None]] = NullShape()
DATE_TIME: Final[Shape[DateTime]] = DateTimeShape()
ROWS: Final[Shape[Rows]] = RowsShape()

_DIFFERS: Final = (TypeError, ValueError, KeyError, ShapeError)
"""What a compiled decoder of a structure raises when one is not exactly as declared."""
_UNTAGGED: Final = frozenset({int, float, str, bytes, bytearray, list, tuple, dict})
_INTEGERS: Final = (
    tags.Integer,
    tags.Long,
    tags.DoubleLong,
    tags.Long64,
    tags.Unsigned,
    tags.LongUnsigned,
    tags.DoubleLongUnsigned,
    tags.Long64Unsigned,
    tags.Bcd,
    tags.Enumerated,
    tags.DeltaInteger,
    tags.DeltaLong,
    tags.DeltaDoubleLong,
    tags.DeltaUnsigned,
    tags.DeltaLongUnsigned,
    tags.DeltaDoubleLongUnsigned,
)
_FLOATS: Final = (tags.Float32, tags.Float64)
_STRINGS: Final = (tags.OctetString, tags.VisibleString, tags.Utf8String)

SHAPES: Final[dict[type, Shape[Any]]] = {
    bool: BooleanShape(),
    bytes: StringShape(tags.OctetString, (bytes,), _STRINGS),
    str: StringShape(tags.VisibleString, (str,), _STRINGS),
    Obis: OctetsShape("octet-string(6)", Obis, 6, Obis),
    DateTime: OctetsShape("octet-string(12) date-time", DateTime, 12, DateTime.from_octets),
    Date: OctetsShape("octet-string(5) date", Date, 5, Date.from_octets),
    Time: OctetsShape("octet-string(4) time", Time, 4, Time.from_octets),
    tags.Array: TagShape(tags.Array, (tuple, list)),
    tags.Structure: TagShape(tags.Structure, (tuple, list)),
    tags.BitString: TagShape(tags.BitString, (str,)),
    tags.Float32: TagShape(tags.Float32, (float, int), _FLOATS),
    tags.Float64: TagShape(tags.Float64, (float, int), _FLOATS),
    **{kind: IntegerShape(kind, (int,), _INTEGERS) for kind in _INTEGERS},
    **{kind: StringShape(kind, (bytes,) if issubclass(kind, bytes) else (str,), _STRINGS) for kind in _STRINGS},
}

REFERENCE: Final = choice(Obis, EmptyShape())
"""The logical name of another object, or None, which is an octet-string of length 0, where there is none."""
