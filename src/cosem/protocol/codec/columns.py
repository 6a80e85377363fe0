"""Whole buffers: the layout that like-shaped rows share, learnt from row one, verified in all, and read at once.

A profile buffer is an array of structures that mostly differ in their values alone. Where every row has the tags and
lengths of the first, the buffer is a table of fixed stride: one strided slice per constant octet proves it, and
`struct` reads it without looking at one row after another. Any other buffer goes through the general decoder, and the
rows that come out are the same.
"""

from __future__ import annotations

import gc
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, cast, overload

from cosem.errors import DecodeError, LocalProtocolError, ShapeError
from cosem.protocol.codec import axdr
from cosem.protocol.codec.compact import decode_compact, describe
from cosem.protocol.codec.delta import DELTA_TAGS, absolute, has_deltas
from cosem.protocol.codec.reader import TRANSFER, Limits, Octets, admit, count, put_length
from cosem.protocol.codec.scalars import NUMBERS, SIZES, struct_format
from cosem.protocol.values.data import (
    BOOLEAN,
    NULL_DATA,
    TAGS,
    Array,
    BitString,
    CompactArray,
    DontCare,
    Float32,
    Float64,
    OctetString,
    Structure,
    Utf8String,
    VisibleString,
)
from cosem.protocol.values.dates import Date, DateTime, Time


class Column(NamedTuple):
    """One value of every row: its tag, and where its contents stand in the row."""

    tag: int
    offset: int
    size: int
    """Octets."""
    bits: int = 0
    """For a bit-string, how many there are."""


@dataclass(frozen=True, slots=True)
class RowLayout:
    """A buffer whose rows stand `width` octets apart from `start` on, alike but for the contents of their columns."""

    columns: tuple[Column, ...]
    width: int
    start: int
    rows: int
    constants: tuple[tuple[int, int], ...]
    """Offset in the row and octet, for each octet that is the same in every row: tags, lengths, counts."""

    @property
    def tags(self) -> tuple[int, ...]:
        """The tag of each column."""
        return tuple(column.tag for column in self.columns)

    def holds(self, octets: bytes) -> bool:
        """Tell whether `octets` are rows of this layout up to their end."""
        start, width, rows = self.start, self.width, self.rows
        if len(octets) - start != rows * width:
            return False
        return all(octets[start + offset :: width].count(octet) == rows for offset, octet in self.constants)

    def tuples(self, octets: bytes) -> Iterator[tuple[Any, ...]]:
        """Return the rows one after another; `rows` says what the values are."""
        view = memoryview(octets)[self.start : self.start + self.rows * self.width]
        raw = struct.iter_unpack(self._format(), view)
        return raw if all(column.tag in _LETTERS for column in self.columns) else self._converted(raw)

    def column(self, octets: bytes, index: int) -> memoryview:
        """Return one column as a memoryview: of numbers in the machine's order, or of `size` octets for each row.

        A column of unsigned octets is a strided view of `octets`; others are gathered, which copies them alone.
        """
        column = self.columns[index]
        letter = _LETTERS.get(column.tag, "s")
        first = self.start + column.offset
        stop = first + (self.rows - 1) * self.width + 1
        if letter == "B":
            return memoryview(octets)[first : stop : self.width]
        size = column.size
        gathered = bytearray(self.rows * size)
        swap = letter != "s" and sys.byteorder == "little"
        for place in range(size):
            gathered[size - 1 - place if swap else place :: size] = octets[first + place : stop + place : self.width]
        view = memoryview(gathered).toreadonly()
        if letter != "s":
            native: Any = "B" if letter == "?" else letter  # the annotation knows single letters only
            return cast(memoryview, view.cast(native))
        return view.cast("B", (self.rows, size)) if gathered else view

    def encode(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Return the array of `rows`, as `tuples` gives them, in this layout.

        Raises LocalProtocolError for a value that does not fit, and for layouts with texts, bits or open values.
        """
        if not self.constants or any(column.tag not in _LETTERS for column in self.columns):
            raise LocalProtocolError("only rows of numbers and octets are written by a layout: use axdr.encode")
        strings = [(index, column.size) for index, column in enumerate(self.columns) if _LETTERS[column.tag] == "s"]
        pack = struct.Struct(self._format()).pack
        try:
            if any(len(row[index]) != size for index, size in strings for row in rows):
                raise LocalProtocolError("a row has octets of another length than the layout says")
            body = bytearray().join([pack(*row) for row in rows])
        except (struct.error, OverflowError, TypeError, IndexError) as problem:
            raise LocalProtocolError(f"a row does not fit the layout: {problem}") from None
        for offset, octet in self.constants:
            body[offset :: self.width] = bytes((octet,)) * len(rows)
        out = bytearray((Array.TAG,))
        put_length(len(rows), out)
        return bytes(out + body)

    def _format(self) -> str:
        """The row as a struct format; what is constant is skipped."""
        letters = [">"]
        end = 0
        for column in self.columns:
            letter = _LETTERS.get(column.tag, "s")
            letters.append(f"{column.offset - end}x" + (f"{column.size}s" if letter == "s" else letter))
            end = column.offset + column.size
        return "".join((*letters, f"{self.width - end}x"))

    def _converted(self, raw: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Turn the columns that `struct` knows as octets only into what they are."""
        made = zip(*raw, strict=True)
        columns: list[Iterable[Any]] = []
        for column, values in zip(self.columns, made, strict=True):
            convert = _CONVERTERS.get(column.tag)
            columns.append(values if convert is None else convert(column, values))
        return zip(*columns, strict=True)


class Rows(Sequence[tuple[Any, ...]]):
    """The rows of a buffer as tuples of raw values, and what they are.

    Rows of a regular buffer are made when they are asked for and not kept: iterate once, or keep `rows.all()`.
    """

    __slots__ = ("_made", "_octets", "layout", "tags")

    layout: RowLayout | None
    """None when the general decoder had to read the buffer."""
    tags: tuple[int | None, ...]
    """The type of each column; None where rows differ in it, null-data not counted. Without tags: no rows, or rows of
    different lengths."""

    def __init__(self, source: bytes | list[tuple[Any, ...]], tags: tuple[int | None, ...], layout: RowLayout | None):
        self._octets = source if isinstance(source, bytes) else b""
        self._made = source if isinstance(source, list) else None
        self.tags = tags
        self.layout = layout

    def __len__(self) -> int:
        return self.layout.rows if self.layout is not None else len(self._made or ())

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self.layout.tuples(self._octets) if self.layout is not None else iter(self._made or ())

    @overload
    def __getitem__(self, index: int) -> tuple[Any, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[Any, ...]]: ...
    def __getitem__(self, index: int | slice) -> tuple[Any, ...] | list[tuple[Any, ...]]:
        if self._made is None:
            self._made = self.all()
        return self._made[index]

    def all(self) -> list[tuple[Any, ...]]:
        """Return the list of all rows, made with the cyclic garbage collector at rest: rows are never in a cycle."""
        if self._made is not None:
            return list(self._made)
        if not gc.isenabled():
            return list(self)
        gc.disable()
        try:
            return list(self)
        finally:
            gc.enable()

    def column(self, index: int) -> Sequence[Any] | memoryview:
        """Return one column: of numbers or octets in a regular buffer a memoryview, else a tuple of values."""
        if self.layout is not None:
            column = self.layout.columns[index]
            if column.tag in _LETTERS and column.size:
                return self.layout.column(self._octets, index)
        return tuple(row[index] for row in self)

    @property
    def octets(self) -> bytes:
        """The buffer, where it is regular and rows still come from it; empty otherwise."""
        return self._octets


def rows(octets: Octets, limits: Limits = TRANSFER) -> Rows:
    """Decode a whole buffer, an array or a compact array, into tuples of raw values.

    Numbers and enumerations are ints, booleans bools, floats floats; octet strings, dates and times are bytes; texts
    and bit strings are str; null-data is None. A container or don't-care inside a row stays the Data it is. An element
    that is no structure is a row of one value, and a delta is the value it leads to.
    Raises DecodeError, and ShapeError for Data that is no array and for a delta that no value goes before.
    """
    octets = admit(octets, 0, limits)
    layout = learn(octets, limits)
    if layout is not None:
        return Rows(octets, layout.tags, layout)
    value = axdr.decode_all(octets, limits)
    if isinstance(value, CompactArray):
        value = axdr.expand(value, limits)
    if not isinstance(value, Array):
        raise ShapeError("a buffer is an array of rows")
    return _plain_rows(value)


def learn(octets: Octets, limits: Limits = TRANSFER) -> RowLayout | None:
    """Return the layout of a regular buffer; None when it is irregular, empty, broken or no buffer at all."""
    octets = admit(octets, 0, limits)
    try:
        layout = _SHAPES[octets[0]](octets, limits)
    except (IndexError, KeyError, DecodeError):
        return None
    if layout is None or limits.depth < _DEPTH or not layout.holds(octets):
        return None
    return layout if layout.rows * (1 + len(layout.columns)) <= limits.node_budget(len(octets)) else None


# --- learning ------------------------------------------------------------------------------------------------------

_DEPTH = 2  # an array of structures
_STRINGS = frozenset((OctetString.TAG, VisibleString.TAG, Utf8String.TAG))


def _learn_array(octets: bytes, limits: Limits) -> RowLayout | None:
    """Learn the layout of an array from its first row."""
    number, start = count(octets, 1)
    offset = start
    fields = 1
    if octets[start] == Structure.TAG:
        fields, offset = count(octets, start + 1)
    if not number or fields > len(octets) - offset:
        return None
    columns: list[Column] = []
    constants = [*range(start, offset)]
    for _ in range(fields):
        header = offset
        tag = octets[header]
        offset += 1
        bits = 0
        if tag in DELTA_TAGS:  # a delta is no value, and where rows have some they are not alike
            return None
        if tag in SIZES:
            size = SIZES[tag]
        elif tag in _STRINGS:
            size, offset = count(octets, offset)
        elif tag == BitString.TAG:
            bits, offset = count(octets, offset)
            size = (bits + 7) // 8
        else:
            return None
        constants += range(header, offset)
        columns.append(Column(tag, offset - start, size, bits))
        offset += size
    width = offset - start
    if number * width != len(octets) - start:
        return None
    return RowLayout(tuple(columns), width, start, number, tuple((place - start, octets[place]) for place in constants))


def _learn_compact_array(octets: bytes, limits: Limits) -> RowLayout | None:
    """Take the layout of a compact array from its description."""
    value, end, _ = decode_compact(octets, 1, limits.depth, limits.node_budget(len(octets)))
    element = describe(value)
    fields = element.fields if element.tag == Structure.TAG else (element,)
    if (
        end != len(octets)
        or not value.contents
        or not all(field.tag in SIZES and field.tag not in DELTA_TAGS for field in fields)
    ):
        return None
    columns: list[Column] = []
    offset = 0
    for field in fields:
        columns.append(Column(field.tag, offset, field.width))
        offset += field.width
    return RowLayout(tuple(columns), offset, end - len(value.contents), len(value.contents) // offset, ())


_SHAPES: dict[int, Callable[[bytes, Limits], RowLayout | None]] = {
    Array.TAG: _learn_array,
    CompactArray.TAG: _learn_compact_array,
}


# --- raw values ----------------------------------------------------------------------------------------------------


def _texts(encoding: str, errors: str) -> Callable[[Column, Sequence[bytes]], Iterable[str]]:
    return lambda _column, values: [octets.decode(encoding, errors) for octets in values]


def _bit_texts(column: Column, values: Sequence[bytes]) -> Iterable[str]:
    return [str(BitString.from_octets(octets, column.bits)) for octets in values]


# What struct calls the types whose raw values it makes itself; to it, all others are octets.
_LETTERS: dict[int, str] = {
    BOOLEAN: "?",
    Float32.TAG: "f",
    Float64.TAG: "d",
    **dict.fromkeys((OctetString.TAG, DateTime.TAG, Date.TAG, Time.TAG), "s"),
    **{kind.TAG: struct_format(kind) for kind in NUMBERS},
}
_CONVERTERS: dict[int, Callable[[Column, Sequence[bytes]], Iterable[Any]]] = {
    NULL_DATA: lambda _column, values: [None] * len(values),
    BitString.TAG: _bit_texts,
    VisibleString.TAG: _texts("latin-1", "strict"),
    Utf8String.TAG: _texts("utf-8", "surrogateescape"),
    DontCare.TAG: lambda _column, values: [DontCare()] * len(values),
}


def _same(value: Any) -> Any:
    return value


_PLAIN: dict[type, Callable[[Any], Any]] = {
    **dict.fromkeys((type(None), bool, Array, Structure, CompactArray, DontCare), _same),
    **dict.fromkeys(NUMBERS, int),
    **dict.fromkeys((Float32, Float64), float),
    **dict.fromkeys((VisibleString, Utf8String, BitString), str),
    **dict.fromkeys((Date, DateTime, Time), attrgetter("octets")),
    OctetString: bytes,
}


def _plain_rows(elements: Array) -> Rows:
    """Turn decoded rows into raw values."""
    plain = _PLAIN
    made: list[Sequence[Any]] = [row if type(row) is Structure else (row,) for row in elements]
    if any(map(has_deltas, made)):
        made = [*absolute(made)]
    return Rows([tuple([plain[type(value)](value) for value in row]) for row in made], _tags(made), None)


def _tags(made: Sequence[Sequence[Any]]) -> tuple[int | None, ...]:
    """Find the type of each column, if rows agree."""
    if len(set(map(len, made))) != 1:
        return ()
    tags: list[int | None] = []
    for column in zip(*made, strict=True):
        kinds = set(map(type, column)) - {type(None)}
        tags.append(NULL_DATA if not kinds else TAGS[kinds.pop()] if len(kinds) == 1 else None)
    return tuple(tags)
