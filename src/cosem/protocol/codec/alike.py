"""Arrays of structures of the same types, as profile buffers are: written with one call of `struct` for a row."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, cast

from cosem.protocol.codec.scalars import NUMBERS, struct_format
from cosem.protocol.values.data import Array, Number, OctetString, Structure

FEWEST: Final = 3
"""Rows below which it is faster to write one value after another."""

_SHORT: Final = 0x7F
"""The longest length of one octet."""


def rows_alike(rows: Array) -> bytes | None:
    """Return the octets of the elements of an array; None where they are no such rows, or a value does not fit."""
    if len(rows) < FEWEST or set(map(type, rows)) != {Structure}:
        return None
    given = cast("Sequence[Sequence[Any]]", rows)
    first = given[0]
    kinds = [*map(type, first)]
    strings = [place for place, kind in enumerate(kinds) if kind is OctetString]
    sizes = [len(first[place]) for place in strings]
    writing = _writing(tuple(kinds), tuple(sizes))
    if writing is None:
        return None
    for row in given:
        if [*map(type, row)] != kinds or [len(row[place]) for place in strings] != sizes:
            return None
    packing, constants = writing
    try:
        out = bytearray().join([packing.pack(*row) for row in given])
    except struct.error:  # who writes one value after another says which
        return None
    for place, octet in constants:
        out[place :: packing.size] = bytes((octet,)) * len(rows)
    return bytes(out)


@lru_cache(maxsize=256)
def _writing(kinds: tuple[type, ...], sizes: tuple[int, ...]) -> tuple[struct.Struct, Sequence[tuple[int, int]]] | None:
    """Return how rows of some types are written, the octet-strings among them of some lengths.

    That is what packs the values of a row, and the place and octet of what is the same in all rows.
    """
    if not 0 < len(kinds) <= _SHORT or any(size > _SHORT for size in sizes):
        return None
    left = iter(sizes)
    letters, header = [">"], [Structure.TAG, len(kinds)]
    constants: list[tuple[int, int]] = []
    place = 0
    for kind in kinds:
        if kind is OctetString:
            size = next(left)
            header += OctetString.TAG, size
            letter = f"{size}s"
        elif issubclass(kind, Number) and kind in NUMBERS:
            size = kind.SIZE
            header.append(kind.TAG)
            letter = struct_format(kind)
        else:
            return None
        constants += enumerate(header, place)
        letters.append(f"{len(header)}x{letter}")
        place += len(header) + size
        header = []
    return struct.Struct("".join(letters)), constants
