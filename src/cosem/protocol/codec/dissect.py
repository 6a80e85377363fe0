"""Octets shown as an annotated tree: which octets are what, by name, with the value in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cosem.errors import DecodeError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.reader import TRANSFER, count
from cosem.protocol.values.data import (
    TAG_NAMES,
    Array,
    CompactArray,
    Data,
    DontCare,
    OctetString,
    Structure,
    Utf8String,
    VisibleString,
)
from cosem.protocol.values.data import tag as tag_of
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

MALFORMED: Final = "malformed"
"""The name of the node that a tree ends in when the octets are wrong; its text says why."""


@dataclass(frozen=True, slots=True)
class Node:
    """One named range of octets: `text` says what it means, `children` what it consists of.

    Offsets count in the octets that were given. The children of a node with `inner`, such as a deciphered APDU, count
    in those octets instead.
    """

    name: str
    offset: int
    length: int
    text: str = ""
    children: tuple[Node, ...] = ()
    inner: bytes | None = None

    def moved(self, by: int) -> Node:
        """Return the same tree with every offset raised by `by`: the octets were cut out of larger ones."""
        children = self.children if self.inner is not None else tuple(child.moved(by) for child in self.children)
        return Node(self.name, self.offset + by, self.length, self.text, children, self.inner)


def data_nodes(octets: bytes, offset: int) -> tuple[Node, ...]:
    """Return the elements of the array, structure or compact array at `offset` as nodes; none for other Data.

    The octets must be valid Data; `axdr.decode` is to be called first.
    """
    stack: list[_Open] = [_Open("", offset, offset, 1, "", [])]
    while True:
        here = stack[-1]
        if here.left == 0:
            stack.pop()
            if len(stack) == 1:
                return tuple(here.nodes)
            outer = stack[-1]
            outer.nodes.append(Node(here.name, here.start, here.at - here.start, here.text, tuple(here.nodes)))
            outer.at = here.at
            continue
        here.left -= 1
        start = here.at
        name = f"[{len(here.nodes)}]"
        tag = octets[start]
        if tag in (Array.TAG, Structure.TAG):
            size, inside = count(octets, start + 1)
            stack.append(_Open(name, start, inside, size, _container_text(tag, size), []))
            continue
        value, here.at = axdr.decode(octets, start, TRANSFER)
        if len(stack) == 1:
            return ()
        here.nodes.append(Node(name, start, here.at - start, data_text(value)))


def data_text(value: Data) -> str:
    """Say in words what a Data value is; elements of containers have nodes of their own."""
    name = TAG_NAMES[tag_of(value)]
    if value is None:
        return name
    if isinstance(value, bool):
        return f"{name} {'true' if value else 'false'}"
    if isinstance(value, (Array, Structure)):
        return _container_text(value.TAG, len(value))
    if isinstance(value, OctetString):
        return f"{name} {_octet_string_text(value)}"
    if isinstance(value, CompactArray):
        return f"{name}, description {octets_text(value.description)}, contents {octets_text(value.contents)}"
    if isinstance(value, (VisibleString, Utf8String)):
        return f"{name} {str.__repr__(value)}"
    return name if isinstance(value, DontCare) else f"{name} {value}"


def octets_text(octets: bytes) -> str:
    """Show octets in hexadecimal, with their characters when all are printable ASCII."""
    if not octets:
        return "empty"
    shown = octets.hex(" ").upper() if len(octets) <= 32 else octets[:30].hex(" ").upper() + " …"
    if len(octets) > 1 and all(0x20 <= octet < 0x7F for octet in octets):
        return f"{shown} {bytes(octets).decode('ascii')!r}"
    return shown


def render(node: Node, octets: bytes | None = None) -> str:
    """Print a tree, one node a line: offset, length, the octets when given, name and text."""
    rows: list[str] = []
    stack: list[tuple[int, Node, bytes | None]] = [(0, node, octets)]
    while stack:
        depth, item, within = stack.pop()
        raw = "" if within is None else _excerpt(within[item.offset : item.offset + item.length])
        what = f"{item.name}: {item.text}" if item.text else item.name
        rows.append(f"{item.offset:5d} {item.length:5d}  {raw}{'  ' * depth}{what}")
        inside = within if item.inner is None or within is None else item.inner
        stack.extend((depth + 1, child, inside) for child in reversed(item.children))
    return "\n".join(rows)


def as_dict(node: Node) -> dict[str, Any]:
    """Return a tree as dicts, lists, texts and numbers, ready for JSON."""
    top: list[dict[str, Any]] = []
    stack: list[tuple[Node, list[dict[str, Any]]]] = [(node, top)]
    while stack:
        item, siblings = stack.pop()
        children: list[dict[str, Any]] = []
        entry: dict[str, Any] = {"name": item.name, "offset": item.offset, "length": item.length}
        if item.text:
            entry["text"] = item.text
        if item.inner is not None:
            entry["octets"] = item.inner.hex().upper()
        if item.children:
            entry["children"] = children
        siblings.append(entry)
        stack.extend((child, children) for child in reversed(item.children))
    return top[0]


def _excerpt(octets: bytes, width: int = 12) -> str:
    shown = octets if len(octets) <= width else octets[: width - 1]
    text = shown.hex(" ").upper() + ("" if len(octets) <= width else " …")
    return f"{text:<{3 * width}} "


@dataclass(slots=True)
class _Open:
    """A container whose elements are being gone through."""

    name: str
    start: int
    at: int
    left: int
    text: str
    nodes: list[Node]


def _container_text(tag: int, size: int) -> str:
    return f"{TAG_NAMES[tag]} of {size} {'element' if size == 1 else 'elements'}"


def _octet_string_text(value: bytes) -> str:
    shown = octets_text(value)
    if len(value) == 6:
        return f"{shown} ({Obis.from_octets(bytes(value))})"
    if len(value) == 12 and _looks_like_a_date(value):
        try:
            return f"{shown} ({DateTime.from_octets(bytes(value))})"
        except DecodeError:
            return shown
    return shown


def _looks_like_a_date(value: bytes) -> bool:
    year = int.from_bytes(value[:2], "big")
    return (1990 <= year < 2100 or year == 0xFFFF) and (1 <= value[2] <= 12 or value[2] >= 0xFD)
