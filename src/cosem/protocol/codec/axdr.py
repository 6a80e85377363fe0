"""COSEM Data in A-XDR: octets to values that remember their tag, and back (IEC 62056-5-3, IEC 61334-6).

Decoding is one loop with an explicit stack. Every length and count is compared with the octets left before anything is
made of it, so no input can recurse or hang, and memory stays in proportion to what came. Whatever the octets
are, only `DecodeError` comes out, with the offset and the path of what failed. Values are written in the shortest
form, so encoding a decoded value gives back the octets it came from when those were in that form.
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator
from itertools import repeat
from typing import Any, TypeAlias

from cosem.errors import DecodeError
from cosem.protocol.codec.alike import rows_alike
from cosem.protocol.codec.compact import compact, decode_compact, expand, write_compact
from cosem.protocol.codec.reader import (
    DEFAULT,
    NODES_PER_OCTET,
    TRANSFER,
    Limits,
    Octets,
    admit,
    count,
    length,
    put_length,
)
from cosem.protocol.codec.scalars import DISPATCH, PACKED, SIMPLE, WRITERS, Writer, every, leaf_name, need, short
from cosem.protocol.values.data import (
    Array,
    CompactArray,
    Data,
    DoubleLongUnsigned,
    Enumerated,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    tag,
)

__all__ = ["compact", "decode", "decode_all", "encode", "encode_into", "expand"]


def decode(octets: Octets, offset: int = 0, limits: Limits = DEFAULT) -> tuple[Data, int]:
    """Decode the one Data at `offset` and return it with the offset after it; raise nothing but DecodeError."""
    if type(octets) is not bytes or not 0 <= offset < len(octets) or len(octets) - offset > limits.octets:
        octets = admit(octets, offset, limits)  # converts, or says what is wrong; most calls need neither
    if offset < len(octets) and octets[offset] in _CONTAINERS:
        if octets[offset] == Structure.TAG and (few := _few(octets, offset, limits)) is not None:
            return few
        return (_container if len(octets) - offset < _BULK else _bulk)(octets, offset, limits)
    try:
        return DISPATCH[octets[offset]](octets, offset + 1)
    except (IndexError, struct.error):
        raise short(octets, offset) from None
    except DecodeError as problem:
        raise problem.within(*leaf_name(octets, offset)) from None


def decode_all(octets: Octets, limits: Limits = TRANSFER) -> Data:
    """Decode octets that are one Data and nothing else; an octet after it is a DecodeError."""
    value, end = decode(octets, 0, limits)
    if end != len(octets):
        raise DecodeError(f"need the end of the value, have {len(octets) - end} octets more", end)
    return value


def encode(value: Data) -> bytes:
    """Return the octets of `value`; raise LocalProtocolError for what its type cannot hold."""
    out = bytearray()
    encode_into(value, out)
    return bytes(out)


def encode_into(value: Data, out: bytearray) -> None:
    """Append the octets of `value` to `out`; after a LocalProtocolError `out` ends somewhere within the value."""
    write = _WRITERS.get(type(value))
    if write is not None:
        write(value, out)
        return
    stack: list[Iterator[Data]] = []
    left: Iterator[Data] = iter((value,))
    while True:
        for item in left:
            packed = PACKED.get(type(item))
            if packed is not None:
                try:
                    out += packed(item)
                    continue
                except struct.error:
                    pass  # its writer says what is wrong
            write = _WRITERS.get(type(item))
            if write is not None:
                write(item, out)
                continue
            out.append(tag(item))  # raises for what is no Data
            assert isinstance(item, (Array, Structure))
            put_length(len(item), out)
            if isinstance(item, Array) and (rows := rows_alike(item)) is not None:
                out += rows
                continue
            stack.append(left)
            left = iter(item)
            break
        else:
            if not stack:
                return
            left = stack.pop()


# --- containers ----------------------------------------------------------------------------------------------------

_Frame: TypeAlias = tuple[Iterator[None], list[Any], type[Array] | type[Structure]]

_CONTAINERS = frozenset((Array.TAG, Structure.TAG, CompactArray.TAG))
_KINDS: tuple[type[Array] | type[Structure], ...] = (Array, Array, Structure)  # by tag; null-data is never looked up
_WRITERS: dict[type, Writer] = {**WRITERS, CompactArray: write_compact}
_FEW = 4
"""Up to so many values are decoded faster one by one."""
_BULK = 16 * 1024
"""Octets from which on it pays to let the collector rest."""
_INTEGER, _UNSIGNED, _ENUMERATED = every(Integer), every(Unsigned), every(Enumerated)
_u16 = struct.Struct(">xH").unpack_from  # x: past the tag
_u32 = struct.Struct(">xI").unpack_from


def _few(octets: bytes, offset: int, limits: Limits) -> tuple[Structure, int] | None:
    """Decode a structure of a few simple values, as a scaler_unit or a time is; None for anything else.

    What `_container` sets up for the general case takes longer than the values themselves do.
    """
    try:
        n = octets[offset + 1]
        if n > _FEW or limits.nodes is not None or limits.depth < 1:
            return None
        items: list[Any] = []
        offset += 2
        for _ in range(n):
            simple = SIMPLE[octets[offset]]
            if simple is None:
                return None
            value, offset = simple(octets, offset + 1)
            items.append(value)
    except (IndexError, struct.error, DecodeError):
        return None  # the general decoder says what is wrong, and where
    return Structure(items), offset


def _bulk(octets: bytes, offset: int, limits: Limits) -> tuple[Any, int]:
    """Decode a large container with the cyclic garbage collector at rest, which takes a third off the time.

    Each new tagged value counts towards the next collection, and each collection looks at all of them again, in vain:
    immutable values made of octets are never part of a cycle. A collector that was off stays off.
    """
    if not gc.isenabled():
        return _container(octets, offset, limits)
    gc.disable()
    try:
        return _container(octets, offset, limits)
    finally:
        gc.enable()


def _container(octets: bytes, offset: int, limits: Limits) -> tuple[Any, int]:
    """Decode the array, structure or compact array at `offset`.

    Open containers are `stack` and, innermost, `left` (one turn for each item still to come), `items` and `kind`.
    The types that fill profile buffers and object lists are decoded in line, the others through `DISPATCH`.
    """
    end = len(octets)
    budget = limits.nodes if limits.nodes is not None else (end - offset) * NODES_PER_OCTET
    stack: list[_Frame] = []
    left: Iterator[None] = repeat(None, 1)
    items: list[Any] = []
    kind: type[Array] | type[Structure] = Array
    p = offset  # stays on the tag of an item until the item is done
    try:
        while True:
            for _ in left:
                t = octets[p]
                if t == 6:
                    items.append(DoubleLongUnsigned(_u32(octets, p)[0]))
                    p += 5
                elif t == 18:
                    items.append(LongUnsigned(_u16(octets, p)[0]))
                    p += 3
                elif t == 0:
                    items.append(None)
                    p += 1
                elif t == 17:
                    items.append(_UNSIGNED[octets[p + 1]])
                    p += 2
                elif t == 9:
                    n = octets[p + 1]
                    start = p + 2
                    if n > 127:
                        n, start = length(octets, p + 1)
                    stop = start + n
                    if stop > end:
                        raise need(n, octets, start)
                    items.append(OctetString(octets[start:stop]))
                    p = stop
                elif t <= 2:
                    n = octets[p + 1]
                    start = p + 2
                    if n > 127:
                        n, start = count(octets, p + 1)
                    if n > end - start:  # an item takes one octet at least
                        raise DecodeError(f"need {n} items, have {end - start} octets", start)
                    if len(stack) >= limits.depth:
                        raise DecodeError(f"need at most {limits.depth} containers inside each other", p)
                    budget -= n
                    if budget < 0:
                        raise DecodeError("need fewer values, there are more than one decoding may make", p)
                    stack.append((left, items, kind))
                    left, items, kind = repeat(None, n), [], _KINDS[t]
                    p = start
                    break
                elif t == 22:
                    items.append(_ENUMERATED[octets[p + 1]])
                    p += 2
                elif t == 15:
                    items.append(_INTEGER[octets[p + 1]])
                    p += 2
                elif t == 19:
                    value, p, cost = decode_compact(octets, p + 1, limits.depth - len(stack), budget)
                    budget -= cost
                    items.append(value)
                else:
                    value, p = DISPATCH[t](octets, p + 1)
                    items.append(value)
            else:
                if not stack:
                    return items[0], p
                container = kind(items)
                left, items, kind = stack.pop()
                items.append(container)
    except (IndexError, struct.error):
        error = short(octets, p)
    except DecodeError as problem:
        error = problem.within(*leaf_name(octets, p))
    stack.append((left, items, kind))
    raise error.within(*(f"{kind.__name__.lower()}[{len(items)}]" for _, items, kind in stack[1:]))
