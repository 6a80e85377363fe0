"""The data types of A-XDR that hold no other: one decoder and one writer for each tag (IEC 62056-5-3, IEC 61334-6).

A decoder takes the octets and the offset after the tag and returns the value with the offset after it. Where the tag
fixes the size it does not look whether the octets are there, but lets IndexError or struct.error say so; its caller
turns these into what `short` and `short_contents` return.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.codec.reader import count, length, put_length
from cosem.protocol.values.data import (
    KINDS,
    TAG_NAMES,
    BitString,
    DontCare,
    Float32,
    Float64,
    Number,
    OctetString,
    Utf8String,
    VisibleString,
)
from cosem.protocol.values.dates import Date, DateTime, Time

Decoder: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
Writer: TypeAlias = Callable[[Any, bytearray], None]


def short(octets: bytes, offset: int) -> DecodeError:
    """Say what is missing from the value whose tag is, or would be, at `offset`."""
    if offset >= len(octets):
        return DecodeError("need the tag of a data type, have no octet left", offset)
    return short_contents(octets[offset], octets, offset + 1).within(*leaf_name(octets, offset))


def short_contents(tag: int, octets: bytes, offset: int) -> DecodeError:
    """Say what is missing from the contents at `offset` of a value of this tag."""
    size = SIZES.get(tag)
    if size is None:
        return DecodeError("need a length, have no octet left", offset)
    return need(size, octets, offset)


def need(size: int, octets: bytes, offset: int) -> DecodeError:
    """Say that `size` octets were needed at `offset`."""
    return DecodeError(f"need {size} octet{'s' if size > 1 else ''}, have {len(octets) - offset}", offset)


def leaf_name(octets: bytes, offset: int) -> tuple[str, ...]:
    """Name the type at `offset` for the end of an error's path; an octet that is no tag adds nothing."""
    name = TAG_NAMES.get(octets[offset]) if offset < len(octets) else None
    return () if name is None else (name,)


def every(kind: type[Number]) -> tuple[Number, ...]:
    """Return the value of every octet for a type of one octet; values are immutable, so they can be shared."""
    return tuple(kind(n if n <= kind.HIGH else n - 256) for n in range(256))


def struct_format(kind: type[Number]) -> str:
    """Return the letter that `struct` has for a number type."""
    letter = {1: "b", 2: "h", 4: "i", 8: "q"}[kind.SIZE]
    return letter if kind.LOW else letter.upper()


# --- decoders ------------------------------------------------------------------------------------------------------


def _null_data(_octets: bytes, offset: int) -> tuple[None, int]:
    return None, offset


def _dont_care(_octets: bytes, offset: int) -> tuple[DontCare, int]:
    return _DONT_CARE, offset


def _boolean(octets: bytes, offset: int) -> tuple[bool, int]:
    return octets[offset] != 0, offset + 1  # meters write 0xFF as well as 0x01


def _bit_string(octets: bytes, offset: int) -> tuple[BitString, int]:
    bits, start = count(octets, offset)
    stop = start + (bits + 7) // 8
    if stop > len(octets):
        raise need(stop - start, octets, start)
    return BitString.from_octets(octets[start:stop], bits), stop


def _octet_string(octets: bytes, offset: int) -> tuple[OctetString, int]:
    n, start = length(octets, offset)
    return OctetString(octets[start : start + n]), start + n


def _visible_string(octets: bytes, offset: int) -> tuple[VisibleString, int]:
    n, start = length(octets, offset)
    return VisibleString(octets[start : start + n].decode("latin-1")), start + n


def _utf8_string(octets: bytes, offset: int) -> tuple[Utf8String, int]:
    n, start = length(octets, offset)
    return Utf8String(octets[start : start + n].decode("utf-8", "surrogateescape")), start + n


def _float64(octets: bytes, offset: int) -> tuple[Float64, int]:
    return Float64(_BINARY64.unpack_from(octets, offset)[0]), offset + 8


def _number(kind: type[Number]) -> Decoder:
    """Make the decoder of a whole number: ready values for one octet, a precompiled struct for more."""
    size = kind.SIZE
    if size == 1:
        values = every(kind)

        def octet(octets: bytes, offset: int) -> tuple[Number, int]:
            return values[octets[offset]], offset + 1

        return octet

    read = struct.Struct(">" + struct_format(kind)).unpack_from

    def several(octets: bytes, offset: int) -> tuple[Number, int]:
        return kind(read(octets, offset)[0]), offset + size

    return several


def _of_octets(kind: type[Float32] | type[DateTime] | type[Date] | type[Time], size: int) -> Decoder:
    """Make the decoder of a type that is constructed from its octets."""
    make: Callable[[bytes], Any] = kind.from_octets

    def fixed(octets: bytes, offset: int) -> tuple[Any, int]:
        stop = offset + size
        if stop > len(octets):
            raise need(size, octets, offset)
        return make(octets[offset:stop]), stop

    return fixed


def _unknown(tag: int) -> Decoder:
    """Make the decoder of a tag that names no type."""

    def refuse(_octets: bytes, offset: int) -> tuple[None, int]:
        raise DecodeError(f"need the tag of a data type, have 0x{tag:02X}", offset - 1)

    return refuse


_BINARY64 = struct.Struct(">d")
_DONT_CARE = DontCare()
NUMBERS: tuple[type[Number], ...] = tuple(kind for kind in KINDS.values() if issubclass(kind, Number))

DECODERS: dict[int, Decoder] = {
    0: _null_data,
    3: _boolean,
    4: _bit_string,
    9: _octet_string,
    10: _visible_string,
    12: _utf8_string,
    23: _of_octets(Float32, 4),
    24: _float64,
    25: _of_octets(DateTime, DateTime.SIZE),
    26: _of_octets(Date, Date.SIZE),
    27: _of_octets(Time, Time.SIZE),
    255: _dont_care,
    **{kind.TAG: _number(kind) for kind in NUMBERS},
}
"""The decoder of every tag that is no container."""

DISPATCH: tuple[Decoder, ...] = tuple(DECODERS.get(tag) or _unknown(tag) for tag in range(256))
"""The same for every octet that can stand where a tag does; one that is no tag raises DecodeError."""

SIMPLE: tuple[Decoder | None, ...] = tuple(DECODERS.get(tag) for tag in range(256))
"""The same again, with None for containers and for what is no tag."""

SIZES: dict[int, int] = {
    0: 0,
    3: 1,
    23: 4,
    24: 8,
    25: DateTime.SIZE,
    26: Date.SIZE,
    27: Time.SIZE,
    255: 0,
    **{kind.TAG: kind.SIZE for kind in NUMBERS},
}
"""Octets of contents, for the types where the tag alone fixes them."""


# --- writers -------------------------------------------------------------------------------------------------------


def _write_null_data(_value: None, out: bytearray) -> None:
    out.append(0)


def _write_dont_care(_value: DontCare, out: bytearray) -> None:
    out.append(DontCare.TAG)


def _write_boolean(value: bool, out: bytearray) -> None:
    out += b"\x03\x01" if value else b"\x03\x00"


def _write_bit_string(value: BitString, out: bytearray) -> None:
    octets = value.octets
    out.append(BitString.TAG)
    put_length(len(value), out)
    out += octets


def _write_octet_string(value: OctetString, out: bytearray) -> None:
    out.append(OctetString.TAG)
    put_length(len(value), out)
    out += value


def _write_visible_string(value: VisibleString, out: bytearray) -> None:
    try:
        octets = value.encode("latin-1")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"{value!r} has characters that one octet cannot hold: use Utf8String") from None
    out.append(VisibleString.TAG)
    put_length(len(octets), out)
    out += octets


def _write_utf8_string(value: Utf8String, out: bytearray) -> None:
    try:
        octets = value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise LocalProtocolError(f"{value!r} has characters that UTF-8 does not encode") from None
    out.append(Utf8String.TAG)
    put_length(len(octets), out)
    out += octets


def _write_octets_of(value: Float32 | Float64 | DateTime | Date | Time, out: bytearray) -> None:
    octets = value.octets
    out.append(value.TAG)
    out += octets


def _write_number(value: Number, out: bytearray) -> None:
    try:
        out += PACKED[type(value)](value)
    except struct.error:
        value.checked(value)  # raises, naming the bounds
        raise AssertionError("a number within its bounds is written") from None


PACKED: dict[type, Callable[[Any], bytes]] = {
    kind: partial(struct.Struct(">B" + struct_format(kind)).pack, kind.TAG) for kind in NUMBERS
}
"""What packs a whole number of each type with its tag; a struct.error says that it is out of its range."""

WRITERS: dict[type, Writer] = {
    type(None): _write_null_data,
    bool: _write_boolean,
    BitString: _write_bit_string,
    OctetString: _write_octet_string,
    VisibleString: _write_visible_string,
    Utf8String: _write_utf8_string,
    DontCare: _write_dont_care,
    **dict.fromkeys((Float32, Float64, DateTime, Date, Time), _write_octets_of),
    **dict.fromkeys(NUMBERS, _write_number),
}
"""The writer, tag included, of every type that is no container."""
