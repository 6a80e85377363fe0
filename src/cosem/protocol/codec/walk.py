"""Decoding step by step along a declaration: slow, but it knows the path, the offset and the tree of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from cosem.errors import DecodeError
from cosem.protocol.codec.dissect import MALFORMED, Node
from cosem.protocol.codec.reader import DEFAULT, Limits

Inside: TypeAlias = Callable[[bytes], Node | None] | None
"""Gives the tree of what an envelope holds, None when it cannot be opened."""


class Walk:
    """Decodes along declarations one step at a time and remembers where it is.

    The compiled decoders raise as soon as anything is wrong and say nothing; the walk then goes over the same octets,
    so that the error can name the field and the offset. With `grow` it also builds the tree of nodes.
    """

    __slots__ = ("_open", "grow", "inside", "limits", "octets", "root")

    def __init__(self, octets: bytes, limits: Limits = DEFAULT, *, grow: bool = False, inside: Inside = None) -> None:
        self.octets = octets
        self.limits = limits
        self.grow = grow
        self.inside = inside
        self.root: Node | None = None
        self._open: list[tuple[str, int, list[Node]]] = []

    def open(self, name: str, offset: int) -> None:
        """Enter the field `name`, which starts at `offset`."""
        self._open.append((name, offset, []))

    def close(self, offset: int, text: str = "") -> None:
        """Leave the field that was entered last; it ends before `offset`."""
        name, start, children = self._open.pop()
        if self.grow:
            self._attach(Node(name, start, offset - start, text, tuple(children)))

    def add(self, node: Node) -> None:
        """Put a finished node under the field that is open."""
        if self.grow:
            self._attach(node)

    def need(self, size: int, offset: int) -> int:
        """Check that `size` octets are left at `offset` and return the offset after them."""
        stop = offset + size
        if stop > len(self.octets):
            octets = "octet" if size == 1 else "octets"
            raise DecodeError(f"need {size} {octets}, have {max(0, len(self.octets) - offset)}", offset)
        return stop

    def octet(self, offset: int) -> int:
        """Return the octet at `offset`."""
        self.need(1, offset)
        return self.octets[offset]

    def located(self, error: DecodeError) -> DecodeError:
        """Return `error` with the path of the field that is open."""
        return error.within(*joined(name for name, _, _ in self._open))

    def broken(self, error: DecodeError) -> Node:
        """Return the tree as far as it grew, ending in a node that tells the error."""
        offset = min(error.offset if error.offset is not None else len(self.octets), len(self.octets))
        rest = Node(MALFORMED, offset, len(self.octets) - offset, error.reason)
        while self._open:
            name, start, children = self._open.pop()
            rest = Node(name, start, len(self.octets) - start, "", (*children, rest))
        return rest

    def _attach(self, node: Node) -> None:
        if self._open:
            self._open[-1][2].append(node)
        else:
            self.root = node


def joined(names: Iterable[str]) -> list[str]:
    """Return a path with its indexes beside the names they belong to: `results`, `[1]` is `results[1]`."""
    path: list[str] = []
    for name in names:
        if path and name.startswith("["):
            path[-1] += name
        else:
            path.append(name)
    return path
