"""Any APDU as an annotated tree, going into user information and, where it can be opened, into ciphered octets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from cosem.errors import CosemError
from cosem.protocol.apdu.choice import decode, kind_of
from cosem.protocol.codec.dissect import MALFORMED, Node
from cosem.protocol.codec.reader import DEFAULT, Limits, Octets

Unprotect: TypeAlias = Callable[[bytes], bytes | None]
"""Takes the octets of a protected APDU and returns those of the plain one, or None without a key for it."""


def dissect(octets: Octets, unprotect: Unprotect | None = None, limits: Limits = DEFAULT) -> Node:
    """Return the tree of an APDU; wrong octets do not raise, the tree then ends in a node named `malformed`.

    `unprotect` is called for each ciphered APDU, also for one within an AARQ; a CosemError of it is shown in the tree.
    """
    octets = bytes(octets)

    def inside(envelope: bytes) -> Node | None:
        if unprotect is None:
            return None
        try:
            plain = unprotect(envelope)
        except CosemError as error:
            return Node("plain", 0, 0, f"not opened: {error}")
        return None if plain is None else Node("plain", 0, 0, "", (dissect(plain, unprotect, limits),), plain)

    kind = kind_of(octets)
    if kind is None:
        return _unknown(octets, limits)
    return kind.dissect(octets, limits, inside)


def _unknown(octets: bytes, limits: Limits) -> Node:
    try:
        decode(octets, limits)
    except CosemError as error:
        return Node("apdu", 0, len(octets), "", (Node(MALFORMED, 0, len(octets), str(error)),))
    raise AssertionError("an APDU of no known kind was decoded")
