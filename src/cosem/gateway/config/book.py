"""What was read of a file before anybody asked what it means: sheets of rows of cells, and limits on all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from cosem.errors import ConfigurationError

INVISIBLE: Final = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad"), "")
SPACES: Final = dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u2009\u3000"), " ")
SHOWN: Final = 60
"""Characters of a cell that a message repeats."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read at most; whatever is larger is said and not read.

    `file_octets` are those of the file, `unpacked_octets` those of all parts of a workbook, `rows` and `columns` are of
    a sheet, `empty_rows` what may lie between two rows of a workbook, `merged_cells` of a workbook, `characters` of a
    cell.
    """

    file_octets: int = 32 << 20
    unpacked_octets: int = 256 << 20
    parts: int = 1000
    sheets: int = 50
    rows: int = 200_000
    columns: int = 128
    empty_rows: int = 1000
    merged_cells: int = 100_000
    characters: int = 4096


USUAL: Final = Limits()


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell as text; `unusable` says why it cannot be taken, `tidied` what was taken away around it."""

    text: str
    unusable: str = ""
    tidied: str = ""

    @property
    def shown(self) -> str:
        """The text, shortened and in one line."""
        text = " ".join(self.text.split())
        text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
        return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


EMPTY: Final = Cell("")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not empty; `number` is what a person sees beside it, `cells` are by heading, without empty ones."""

    number: int
    cells: Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its headings as they are matched, None where each row names its own columns, and its rows."""

    name: str
    headings: tuple[str, ...] | None
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Reported:
    """Something that reading noticed: of the whole sheet or file, so that nothing of it can be relied on, or not."""

    sheet: str
    row: int
    text: str
    fatal: bool = False


@dataclass(frozen=True, slots=True)
class Book:
    """All tables of a configuration by name in small letters, and what reading noticed."""

    sheets: Mapping[str, Sheet] = field(default_factory=lambda: MappingProxyType({}))
    reported: tuple[Reported, ...] = ()


class Unreadable(ConfigurationError):
    """The file, or one table of it, cannot be read at all."""


def cell(value: Any, limits: Limits = USUAL) -> Cell:
    """Return what any value of a file is as a cell."""
    if value is None:
        return EMPTY
    if isinstance(value, bool):
        return Cell("1" if value else "0")
    if isinstance(value, str):
        return _tidied(value, limits)
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, date | time | timedelta):
        return Cell(
            str(value),
            "it is a date or time for the spreadsheet, which may have made one of an OBIS code: "
            "give the column the format Text and write it again",
        )
    return Cell(type(value).__name__, "it is no single value")


def heading(text: str) -> str:
    """Return a heading as it is matched: small letters, underscores for spaces, no marks of being required."""
    return "_".join(text.translate(INVISIBLE).translate(SPACES).lower().strip(" *:").replace("-", "_").split())


def table(
    name: str, rows: Iterable[tuple[int, Sequence[Cell]]], limits: Limits = USUAL
) -> tuple[Sheet, list[Reported]]:
    """Return the table whose first row that is not empty has the headings.

    Raises Unreadable where there are no headings, or too many rows or columns.
    """
    headings: tuple[str, ...] | None = None
    found: list[Row] = []
    reported: list[Reported] = []
    for number, cells in rows:
        if not any(each.text or each.unusable for each in cells):
            continue
        if any(each.text for each in cells[limits.columns :]):
            raise Unreadable(f"row {number} has more than {limits.columns} columns")
        if headings is None:
            headings = _headings(cells, number)
            continue
        if len(found) >= limits.rows:
            raise Unreadable(f"it has more than {limits.rows} rows")
        named = {
            name: each for name, each in zip(headings, cells, strict=False) if name and (each.text or each.unusable)
        }
        outside = [
            each
            for position, each in enumerate(cells)
            if each.text and (position >= len(headings) or not headings[position])
        ]
        if outside:
            reported.append(Reported(name_of(name), number, f"{outside[0].shown!r} stands under no heading: not read"))
        if named:
            found.append(Row(number, MappingProxyType(named)))
    if headings is None:
        raise Unreadable("it is empty: its first row has the names of the columns")
    return Sheet(name, headings, tuple(found)), reported


def name_of(text: str) -> str:
    """Return the name of a sheet, shortened: it may be anything."""
    return Cell(text).shown


def _headings(cells: Sequence[Cell], number: int) -> tuple[str, ...]:
    names = [heading(each.text) if not each.unusable else "" for each in cells]
    double = sorted({name for name in names if name and names.count(name) > 1})
    if double:
        raise Unreadable(f"row {number}: the column {Cell(double[0]).shown} is there twice")
    return tuple(names)


def _tidied(text: str, limits: Limits) -> Cell:
    if len(text) > limits.characters:
        return Cell(text[:SHOWN], f"it has {len(text)} characters, and {limits.characters} are the most")
    plain = text.translate(INVISIBLE).translate(SPACES)
    stripped = plain.strip()
    if stripped == text:
        return Cell(text)
    return Cell(stripped, tidied="spaces around it" if plain == text else "spaces or marks that are not seen")


def _number(value: float | Decimal) -> Cell:
    if isinstance(value, int):
        return Cell(str(value)) if -(10**30) < value < 10**30 else Cell("a long number", "it is out of any bounds")
    if not math.isfinite(value):
        return Cell(str(value), "it is no number")
    # In this order: int() of 1e999999999 would never end
    if -(10**15) < value < 10**15 and (whole := int(value)) == value:
        return Cell(str(whole))
    return Cell(str(value))
