"""Compact arrays: elements of one type, whose tags and fixed counts stand once in front (IEC 62056-5-3, compact-array).

    compact-array ::= contents-description, array-contents as an octet string
    description   ::= array, number of elements in two octets, description of one
                    | structure, count, that many descriptions
                    | the tag of any other type

A few octets of description can stand for billions of values, so what an expansion costs is computed from the
description before anything is expanded, and a type that takes no octet is refused. However much stands around it, a
compact array may stand for no more values than its own octets are good for: what was decoded can always be encoded.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any, NamedTuple

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.codec.reader import TRANSFER, Limits, count, length, put_length
from cosem.protocol.codec.scalars import DECODERS, DISPATCH, SIZES, WRITERS, short_contents
from cosem.protocol.values.data import TAG_NAMES, Array, CompactArray, Data, Structure, tag


class Element(NamedTuple):
    """The type of an element: its tag, for a container of how many and what, and what one value of it costs."""

    tag: int
    number: int = 0
    fields: tuple[Element, ...] = ()
    width: int = 0
    """Octets of contents; the least there can be when not `exact`."""
    exact: bool = True
    nodes: int = 1
    """Values that come out of one element, containers counted."""


def describe(value: CompactArray, limits: Limits = TRANSFER) -> Element:
    """Return the type of the elements of a compact array; raise DecodeError, counting in `value.description`."""
    element, end = _description(value.description, 0, limits.depth)
    if end != len(value.description):
        raise DecodeError(f"need the end of the description, have {len(value.description) - end} octets more", end)
    return element


def expand(value: CompactArray, limits: Limits = TRANSFER) -> Array:
    """Return the elements a compact array stands for; what they cost is computed before any is made.

    Raises DecodeError, counting in `value.contents`, or in `value.description` while that is read.
    """
    element = describe(value, limits)
    _cost(element, len(value.contents), 0, limits.node_budget(_size(value.description, len(value.contents))))
    return Array(_elements(element, value.contents))


def compact(elements: Iterable[Data]) -> CompactArray:
    """Return the compact array of elements that are all of one type; raise LocalProtocolError when they are not."""
    description: bytes | None = None
    contents = bytearray()
    for index, element in enumerate(elements):
        described = _write_contents(element, contents)
        if description is None:
            description = described
        elif described != description:
            raise LocalProtocolError(f"element {index} is not of the type of the first: a compact array has one type")
    if description is None:
        raise LocalProtocolError("a compact array of no elements has no type to describe")
    if not contents:
        raise LocalProtocolError("elements that take no octet cannot be counted in a compact array")
    return CompactArray(description, bytes(contents))


def decode_compact(octets: bytes, offset: int, depth: int, budget: int) -> tuple[CompactArray, int, int]:
    """Decode the compact array whose tag stands before `offset`; return the most values it may expand to as well."""
    if depth < 1:
        raise DecodeError("too many containers stand inside each other", offset - 1)
    element, start = _description(octets, offset, depth - 1)
    description = octets[offset:start]
    size, start = length(octets, start)
    cost = _cost(element, size, start, min(budget, TRANSFER.node_budget(_size(description, size))))
    contents = octets[start : start + size]
    if not element.exact:
        try:
            _elements(element, contents)  # only the walk shows whether the contents end where an element ends
        except DecodeError as problem:
            raise DecodeError(problem.reason, (problem.offset or 0) + start, problem.path) from None
    return CompactArray(description, contents), start + size, cost


def write_compact(value: CompactArray, out: bytearray) -> None:
    """Append a compact array to `out`, tag included."""
    try:
        element = describe(value)
        _cost(element, len(value.contents), 0, TRANSFER.node_budget(_size(value.description, len(value.contents))))
        if not element.exact:
            _elements(element, value.contents)
    except DecodeError as problem:
        raise LocalProtocolError(f"a compact array does not say what it holds: {problem}") from None
    out.append(CompactArray.TAG)
    out += value.description
    put_length(len(value.contents), out)
    out += value.contents


def _size(description: bytes, contents: int) -> int:
    """Return how many octets a compact array has, its tag and the shortest length of its contents counted."""
    counted = bytearray()
    put_length(contents, counted)
    return 1 + len(description) + len(counted) + contents


# --- descriptions --------------------------------------------------------------------------------------------------

_ARRAY, _STRUCTURE = Array.TAG, Structure.TAG
_ARRAY_HEADER = struct.Struct(">xH")
_KINDS: dict[int, type[Array] | type[Structure]] = {_ARRAY: Array, _STRUCTURE: Structure}


def _description(octets: bytes, offset: int, depth: int) -> tuple[Element, int]:
    """Decode the type description at `offset`, with at most `depth` containers inside each other."""
    open_: list[tuple[int, int, list[Element], int]] = []  # tag, number, fields so far, how many it will have
    while True:
        if offset >= len(octets):
            raise DecodeError("need the tag of a type, have no octet left", offset)
        t = octets[offset]
        if t in _KINDS:
            if len(open_) >= depth:
                raise DecodeError("too many containers stand inside each other", offset)
            number, wanted, offset = _container_header(octets, offset)
            if wanted:
                open_.append((t, number, [], wanted))
                continue
            element = _container(t, number, [])
        elif t in DECODERS:
            element = Element(t, width=SIZES.get(t, 1), exact=t in SIZES)
            offset += 1
        else:
            raise DecodeError(f"need the tag of a type, have 0x{t:02X}", offset)
        while open_:
            t, number, fields, wanted = open_[-1]
            fields.append(element)
            if len(fields) < wanted:
                break
            element = _container(t, number, fields)
            open_.pop()
        else:
            return element, offset


def _container_header(octets: bytes, offset: int) -> tuple[int, int, int]:
    """Read what follows the tag of a container: its number of items, of descriptions to come, and the next offset."""
    if octets[offset] == _ARRAY:
        if len(octets) - offset < _ARRAY_HEADER.size:
            raise DecodeError(f"need 2 octets, have {len(octets) - offset - 1}", offset + 1)
        return _ARRAY_HEADER.unpack_from(octets, offset)[0], 1, offset + _ARRAY_HEADER.size
    number, start = count(octets, offset + 1)
    if number > len(octets) - start:
        raise DecodeError(f"need {number} types, have {len(octets) - start} octets", start)
    return number, number, start


def _container(t: int, number: int, fields: list[Element]) -> Element:
    """Make the type of an array of `number` items or of a structure."""
    times = number if t == _ARRAY else 1
    return Element(
        t,
        number,
        tuple(fields),
        times * sum(field.width for field in fields),
        all(field.exact for field in fields),
        1 + times * sum(field.nodes for field in fields),
    )


def _cost(element: Element, size: int, offset: int, budget: int) -> int:
    """Return how many values `size` octets of contents stand for at most; refuse what exceeds `budget`."""
    if not element.width:
        raise DecodeError("need elements that take an octet, have a type that takes none", offset)
    most, rest = divmod(size, element.width)
    if rest and (element.exact or not most):
        raise DecodeError(f"need elements of {element.width} octets, have {size} octets", offset)
    cost = most * element.nodes
    if cost > budget:
        raise DecodeError(f"need fewer values, {size} octets of contents stand for up to {cost}", offset)
    return cost


# --- contents ------------------------------------------------------------------------------------------------------


def _elements(element: Element, contents: bytes) -> list[Any]:
    """Decode elements up to the end of `contents`, their tags being in `element`.

    Open containers are `stack` and, innermost, `left` (types of the items still to come), `items` and `kind`.
    """
    elements: list[Any] = []
    stack: list[tuple[Iterator[Element], list[Any], type[Array] | type[Structure]]] = []
    left: Iterator[Element] = iter(())
    items = elements
    kind: type[Array] | type[Structure] = Array
    offset = 0
    t = element.tag
    try:
        while True:
            for field in left:
                t = field.tag
                if t in _KINDS:
                    stack.append((left, items, kind))
                    left = repeat(field.fields[0], field.number) if t == _ARRAY else iter(field.fields)
                    items, kind = [], _KINDS[t]
                    break
                value, offset = DISPATCH[t](contents, offset)
                items.append(value)
            else:
                if stack:
                    container = kind(items)
                    left, items, kind = stack.pop()
                    items.append(container)
                elif offset < len(contents):
                    left = iter((element,))
                else:
                    return elements
    except (IndexError, struct.error):
        error = short_contents(t, contents, offset)
    except DecodeError as problem:
        error = problem
    path = [f"element[{len(elements)}]"]
    if stack:
        path += [f"{outer.__name__.lower()}[{len(made)}]" for _, made, outer in stack[1:]]
        path.append(f"{kind.__name__.lower()}[{len(items)}]")
    raise error.within(*path, TAG_NAMES[t])


def _write_contents(value: Data, contents: bytearray) -> bytes:
    """Append the contents of `value`, tags and counts left out, and return its type description."""
    open_: list[tuple[int, int, list[bytes], Iterator[Data]]] = []  # tag, number, descriptions so far, items to come
    item = value
    while True:
        if isinstance(item, (Array, Structure)):
            open_.append((item.TAG, len(item), [], iter(item)))
        else:
            description = bytes((tag(item),))
            start = len(contents)
            write = WRITERS.get(type(item))
            if write is None:
                raise LocalProtocolError("a compact array does not stand inside another")
            write(item, contents)
            del contents[start]
            if not open_:
                return description
            open_[-1][2].append(description)
        while True:
            t, number, descriptions, items = open_[-1]
            try:
                item = next(items)
                break
            except StopIteration:
                description = _describe_container(t, number, descriptions)
                open_.pop()
                if not open_:
                    return description
                open_[-1][2].append(description)


def _describe_container(t: int, number: int, descriptions: list[bytes]) -> bytes:
    """Return the type description of an array or structure of items described so."""
    if t == _STRUCTURE:
        out = bytearray((t,))
        put_length(number, out)
        return bytes(out + b"".join(descriptions))
    if len(set(descriptions)) != 1:
        raise LocalProtocolError("an array inside a compact array has items, and all of one type")
    if number > 0xFFFF:
        raise LocalProtocolError(f"an array inside a compact array has at most 65535 items, not {number}")
    return bytes((t,)) + number.to_bytes(2, "big") + descriptions[0]
