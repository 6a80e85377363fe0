"""Delta values in the rows of a buffer: how much a value differs from the one before in its column, and back.

What IEC 62056-5-3 says of how deltas add up is not public; that a delta counts from the value before it in the same
column, and has the type of that, is how the DLMS UA tells of it and how pydlms-client reads it. A delta is only
written where it is shorter than the value, and never after null-data, which may be read as a repeated value or as none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, cast

from cosem.errors import ShapeError
from cosem.protocol.values.data import (
    Data,
    DeltaDoubleLong,
    DeltaDoubleLongUnsigned,
    DeltaInteger,
    DeltaLong,
    DeltaLongUnsigned,
    DeltaUnsigned,
    DoubleLong,
    DoubleLongUnsigned,
    Integer,
    Long,
    Long64,
    Long64Unsigned,
    LongUnsigned,
    Number,
    Structure,
    Unsigned,
)

INCREASES: Final[tuple[type[Number], ...]] = (DeltaUnsigned, DeltaLongUnsigned, DeltaDoubleLongUnsigned)
CHANGES: Final[tuple[type[Number], ...]] = (DeltaInteger, DeltaLong, DeltaDoubleLong)
DELTAS: Final = frozenset((*INCREASES, *CHANGES))
DELTA_TAGS: Final = frozenset(kind.TAG for kind in DELTAS)
INTEGERS: Final = frozenset(
    (Integer, Long, DoubleLong, Long64, Unsigned, LongUnsigned, DoubleLongUnsigned, Long64Unsigned)
)
"""The types that values with deltas have."""
_BY_TYPE: Final[dict[type, type[Number]]] = {kind: kind for kind in INTEGERS}


def differences(rows: Iterable[Sequence[Data]]) -> Iterator[tuple[Data, ...]]:
    """Return the rows with a delta for every number that is shorter so."""
    before: Sequence[Data] = ()
    for row in rows:
        yield tuple(map(_delta, before, row)) if len(before) == len(row) else tuple(row)
        before = row


def absolute(rows: Iterable[Sequence[Data]]) -> list[tuple[Data, ...]]:
    """Return the rows with the value of every delta; null-data in between repeats a value and changes none.

    Raises ShapeError where there is no number before a delta, or the sum does not fit the type of that number.
    """
    found: list[tuple[Data, ...]] = []
    bases: list[Data] = []
    for number, row in enumerate(rows, 1):
        if len(bases) != len(row):
            bases = [None] * len(row)
        try:
            made = tuple(map(_sum, bases, row))
        except ShapeError as error:
            raise error.within(f"row {number}") from None
        bases = [base if value is None else value for base, value in zip(bases, made, strict=True)]
        found.append(made)
    return found


def has_deltas(row: Sequence[Any]) -> bool:
    """Tell whether a row, or a structure within it, has a delta."""
    return any(type(value) in DELTAS or (type(value) is Structure and has_deltas(value)) for value in row)


def _delta(before: Data, value: Data) -> Data:
    kind: type[Number] | None = _BY_TYPE.get(type(value))
    if kind is None or type(before) is not kind:
        return value
    change = cast("int", value) - cast("int", before)
    kinds: tuple[type[Number], ...] = INCREASES if change >= 0 else CHANGES
    for delta in kinds:
        if delta.SIZE >= kind.SIZE:
            break
        if delta.LOW <= change <= delta.HIGH:
            return cast("Data", delta(change))
    return value


def _sum(base: Data, value: Data) -> Data:
    if type(value) is Structure and has_deltas(value):
        inside: Sequence[Data] = base if type(base) is Structure and len(base) == len(value) else (None,) * len(value)
        return Structure(map(_sum, inside, value))
    if type(value) not in DELTAS:
        return value
    kind: type[Number] | None = _BY_TYPE.get(type(base))
    if kind is None:
        raise ShapeError(f"{type(value).__name__} counts from a number, and there is none before it")
    total = cast("int", base) + cast("int", value)
    if not kind.LOW <= total <= kind.HIGH:
        raise ShapeError(f"{total} after a delta does not fit {kind.__name__}")
    return cast("Data", kind(total))
