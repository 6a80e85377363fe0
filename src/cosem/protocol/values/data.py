"""COSEM Data (IEC 62056-5-3, CHOICE Data) as Python values that remember their tag.

`None` is null-data and a Python `bool` is boolean; every other choice has a class here or in `dates`. Each class is a
subclass of the Python type its values behave like, adds nothing per value, and is constructed at the speed of that
type: a range is checked when the value is encoded, or at once by `checked`. Equality is that of the Python value, so
`LongUnsigned(5) == 5`; `same` compares tags as well.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias, TypeVar

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.values.dates import Date, DateTime, Time

_N = TypeVar("_N", bound="Number")


class Number(int):
    """A whole number of a size the tag fixes: `LOW` and `HIGH` are its bounds, `SIZE` its octets on the wire."""

    __slots__ = ()
    TAG: ClassVar[int]
    LOW: ClassVar[int]
    HIGH: ClassVar[int]
    SIZE: ClassVar[int]

    @classmethod
    def checked(cls: type[_N], value: int) -> _N:
        """Construct with the range checked now rather than when encoding; raise LocalProtocolError."""
        if not cls.LOW <= value <= cls.HIGH:
            raise LocalProtocolError(f"{value} does not fit {TAG_NAMES[cls.TAG]} ({cls.LOW} … {cls.HIGH})")
        return cls(value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int.__repr__(self)})"

    __str__ = int.__repr__


class DoubleLong(Number):
    """double-long: 32 bits, signed."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 5, 4, -(1 << 31), (1 << 31) - 1


class DoubleLongUnsigned(Number):
    """double-long-unsigned: 32 bits."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 6, 4, 0, (1 << 32) - 1


class Bcd(Number):
    """bcd: one octet, kept as the number the octet makes (0x99 is 153)."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 13, 1, 0, 255


class Integer(Number):
    """integer: 8 bits, signed."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 15, 1, -128, 127


class Long(Number):
    """long: 16 bits, signed."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 16, 2, -(1 << 15), (1 << 15) - 1


class Unsigned(Number):
    """unsigned: 8 bits."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 17, 1, 0, 255


class LongUnsigned(Number):
    """long-unsigned: 16 bits."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 18, 2, 0, (1 << 16) - 1


class Long64(Number):
    """long64: 64 bits, signed."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 20, 8, -(1 << 63), (1 << 63) - 1


class Long64Unsigned(Number):
    """long64-unsigned: 64 bits."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 21, 8, 0, (1 << 64) - 1


class Enumerated(Number):
    """enum: one octet whose meaning the attribute gives."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 22, 1, 0, 255


class DeltaInteger(Number):
    """delta-integer: difference to the value before, 8 bits, signed."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 28, 1, -128, 127


class DeltaLong(Number):
    """delta-long: difference to the value before, 16 bits, signed."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 29, 2, -(1 << 15), (1 << 15) - 1


class DeltaDoubleLong(Number):
    """delta-double-long: difference to the value before, 32 bits, signed."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 30, 4, -(1 << 31), (1 << 31) - 1


class DeltaUnsigned(Number):
    """delta-unsigned: increase over the value before, 8 bits."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 31, 1, 0, 255


class DeltaLongUnsigned(Number):
    """delta-long-unsigned: increase over the value before, 16 bits."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 32, 2, 0, (1 << 16) - 1


class DeltaDoubleLongUnsigned(Number):
    """delta-double-long-unsigned: increase over the value before, 32 bits."""

    __slots__ = ()
    TAG, SIZE, LOW, HIGH = 33, 4, 0, (1 << 32) - 1


class Float32(float):
    """float32: IEEE 754 binary32."""

    # A NaN may carry bits that a Python float cannot give back; only those keep their octets.
    __slots__ = ("_octets",)
    _octets: bytes
    TAG: ClassVar[int] = 23

    @classmethod
    def from_octets(cls, octets: bytes) -> Float32:
        """Construct from four octets, keeping the bits of a NaN; raise DecodeError for another length."""
        if len(octets) != 4:
            raise DecodeError(f"float32 needs 4 octets, has {len(octets)}")
        value = cls(_BINARY32.unpack(octets)[0])
        if value != value:  # a NaN
            value._octets = octets
        return value

    @property
    def octets(self) -> bytes:
        """The four octets; raise LocalProtocolError when the number is too large for binary32."""
        try:
            return self._octets
        except AttributeError:
            pass
        try:
            return _BINARY32.pack(self)
        except OverflowError:
            raise LocalProtocolError(f"{float.__repr__(self)} does not fit float32") from None

    def __repr__(self) -> str:
        return f"Float32({_float_argument(self)})"

    def __str__(self) -> str:
        """The fewest digits that name this binary32: 230.1 and not 230.10000610351562."""
        if abs(self) <= _LARGEST_BINARY32:
            octets = _BINARY32.pack(self)
            for digits in range(1, 9):
                text = f"{self:.{digits}g}"
                nearest = float(text)  # may round up and out of binary32
                if abs(nearest) <= _LARGEST_BINARY32 and _BINARY32.pack(nearest) == octets:
                    return repr(nearest)
            return f"{self:.9g}"
        return float.__repr__(self)


class Float64(float):
    """float64: IEEE 754 binary64."""

    __slots__ = ()
    TAG: ClassVar[int] = 24

    @property
    def octets(self) -> bytes:
        """The eight octets."""
        return _BINARY64.pack(self)

    def __repr__(self) -> str:
        return f"Float64({_float_argument(self)})"

    __str__ = float.__repr__


class OctetString(bytes):
    """octet-string."""

    __slots__ = ()
    TAG: ClassVar[int] = 9

    def __repr__(self) -> str:
        return f"OctetString({bytes.__repr__(self)})"


class VisibleString(str):
    """visible-string: one character per octet, Latin-1 both ways so that no octet is lost."""

    __slots__ = ()
    TAG: ClassVar[int] = 10

    def __repr__(self) -> str:
        return f"VisibleString({str.__repr__(self)})"


class Utf8String(str):
    """utf8-string: octets that are no UTF-8 are kept as lone surrogates (surrogateescape)."""

    __slots__ = ()
    TAG: ClassVar[int] = 12

    def __repr__(self) -> str:
        return f"Utf8String({str.__repr__(self)})"


class BitString(str):
    """bit-string: a text of `0` and `1`, bit 0 of the standard first."""

    __slots__ = ()
    TAG: ClassVar[int] = 4

    @classmethod
    def from_octets(cls, octets: bytes, length: int | None = None) -> BitString:
        """Take the first `length` bits of `octets` (all of them without `length`); raise DecodeError."""
        available = 8 * len(octets)
        if length is None:
            length = available
        if not 0 <= length <= available:
            raise DecodeError(f"bit-string of {length} bits in {len(octets)} octets")
        if not available:
            return cls()
        return cls(f"{int.from_bytes(octets, 'big'):0{available}b}"[:length])

    @property
    def octets(self) -> bytes:
        """The bits packed from the left, the last octet filled up with 0; raise LocalProtocolError for other text."""
        if self.strip("01"):
            raise LocalProtocolError(f"{self!r} has characters other than 0 and 1")
        size = (len(self) + 7) // 8
        return int(self.ljust(8 * size, "0"), 2).to_bytes(size, "big") if size else b""

    def __repr__(self) -> str:
        return f"BitString({str.__repr__(self)})"


class Array(tuple["Data", ...]):
    """array: elements of one type."""

    __slots__ = ()
    TAG: ClassVar[int] = 1

    def __repr__(self) -> str:
        return f"Array({super().__repr__()})"


class Structure(tuple["Data", ...]):
    """structure: elements of any types."""

    __slots__ = ()
    TAG: ClassVar[int] = 2

    def __repr__(self) -> str:
        return f"Structure({super().__repr__()})"


@dataclass(frozen=True, slots=True)
class CompactArray:
    """compact-array: the encoded type-description and the contents octets, as they came; `codec.axdr` expands them."""

    TAG: ClassVar[int] = 19
    description: bytes
    contents: bytes


@dataclass(frozen=True, slots=True)
class DontCare:
    """dont-care: the sender leaves the value open."""

    TAG: ClassVar[int] = 255


Data: TypeAlias = (
    Array
    | Structure
    | bool
    | BitString
    | DoubleLong
    | DoubleLongUnsigned
    | OctetString
    | VisibleString
    | Utf8String
    | Bcd
    | Integer
    | Long
    | Unsigned
    | LongUnsigned
    | CompactArray
    | Long64
    | Long64Unsigned
    | Enumerated
    | Float32
    | Float64
    | DateTime
    | Date
    | Time
    | DeltaInteger
    | DeltaLong
    | DeltaDoubleLong
    | DeltaUnsigned
    | DeltaLongUnsigned
    | DeltaDoubleLongUnsigned
    | DontCare
    | None
)
"""Any COSEM value."""

NULL_DATA: Final = 0
BOOLEAN: Final = 3

TAG_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "null-data",
        1: "array",
        2: "structure",
        3: "boolean",
        4: "bit-string",
        5: "double-long",
        6: "double-long-unsigned",
        9: "octet-string",
        10: "visible-string",
        12: "utf8-string",
        13: "bcd",
        15: "integer",
        16: "long",
        17: "unsigned",
        18: "long-unsigned",
        19: "compact-array",
        20: "long64",
        21: "long64-unsigned",
        22: "enum",
        23: "float32",
        24: "float64",
        25: "date-time",
        26: "date",
        27: "time",
        28: "delta-integer",
        29: "delta-long",
        30: "delta-double-long",
        31: "delta-unsigned",
        32: "delta-long-unsigned",
        33: "delta-double-long-unsigned",
        255: "dont-care",
    }
)

TAGS: Final[Mapping[type, int]] = MappingProxyType(
    {
        type(None): NULL_DATA,
        bool: BOOLEAN,
        **{
            kind: kind.TAG
            for kind in (
                *(Array, Structure, BitString, DoubleLong, DoubleLongUnsigned, OctetString, VisibleString, Utf8String),
                *(Bcd, Integer, Long, Unsigned, LongUnsigned, CompactArray, Long64, Long64Unsigned, Enumerated),
                *(Float32, Float64, DateTime, Date, Time, DeltaInteger, DeltaLong, DeltaDoubleLong, DeltaUnsigned),
                *(DeltaLongUnsigned, DeltaDoubleLongUnsigned, DontCare),
            )
        },
    }
)
"""The tag of each Python type that is Data, by exact type."""

KINDS: Final[Mapping[int, type]] = MappingProxyType({tag: kind for kind, tag in TAGS.items()})
"""The Python type of each tag."""


def tag(value: Data) -> int:
    """Return the tag of a value; raise LocalProtocolError for a Python value that carries none, such as a plain int."""
    try:
        return TAGS[type(value)]
    except KeyError:
        raise LocalProtocolError(
            f"{value!r} is no COSEM Data, plain {type(value).__name__} has no tag: "
            "write LongUnsigned(5), OctetString(b'…')"
        ) from None


def same(left: Data, right: Data) -> bool:
    """Tell whether two values have the same tags and the same contents, all the way down."""
    pairs: list[tuple[Data, Data]] = [(left, right)]
    while pairs:
        one, other = pairs.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, (Array, Structure)):
            assert isinstance(other, (Array, Structure))
            if len(one) != len(other):
                return False
            pairs.extend(zip(one, other, strict=True))
        elif isinstance(one, (Float32, Float64)):
            assert isinstance(other, (Float32, Float64))
            if one.octets != other.octets:  # tells -0.0 from 0.0 and finds a NaN equal to itself
                return False
        elif one != other:
            return False
    return True


_BINARY32 = struct.Struct(">f")
_BINARY64 = struct.Struct(">d")
_LARGEST_BINARY32: Final = float.fromhex("0x1.fffffep+127")


def _float_argument(value: float) -> str:
    text = float.__repr__(value)
    return text if value - value == 0 else f"'{text}'"  # inf and nan are no Python literals
