"""Workbooks: what is read of an .xlsx file, after a look at what it would unpack to.

A formula is refused, since what it last came to may be old or missing; so are cells that are merged, since all but one
of them are empty and would stand for a default.
"""

from __future__ import annotations

import importlib
import re
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from warnings import catch_warnings, simplefilter
from xml.etree.ElementTree import ParseError

from cosem.errors import ConfigurationError
from cosem.gateway.config.book import USUAL, Book, Cell, Limits, Reported, Sheet, Unreadable, cell, name_of, table

_MERGED: Final = re.compile(
    rb'<(?:[a-z]+:)?mergeCell[^>]{0,200}?\bref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"'
)
_DECLARED: Final = tuple("<!DOCTYPE".encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
_PART: Final = "_worksheet_path"
_CHUNK: Final = 1 << 16

Spans = dict[int, list[tuple[int, int]]]
"""Columns that are merged with others by row, without the cell that has the value."""


def read_workbook(path: Path, wanted: frozenset[str], limits: Limits = USUAL) -> Book:
    """Return the wanted sheets of a workbook, named in small letters. Raises Unreadable."""
    openpyxl = _openpyxl()
    merged = _inspected(path, limits)
    try:
        with catch_warnings():
            simplefilter("ignore")  # about what of a workbook openpyxl leaves out when it writes
            book = openpyxl.load_workbook(path, read_only=True, data_only=False, keep_links=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, ParseError) as problem:
        raise Unreadable(f"it is no workbook that can be read ({type(problem).__name__})") from problem
    sheets: dict[str, Sheet] = {}
    reported: list[Reported] = []
    try:
        for sheet in book.worksheets[: limits.sheets]:
            name = str(sheet.title).strip()
            if name.lower() not in wanted:
                continue
            spans = merged.get(_part(sheet), {})
            try:
                sheets[name.lower()], noticed = table(name, _rows(sheet, name, spans, limits, reported), limits)
                reported += noticed
            except Unreadable as refused:
                reported.append(Reported(name, 0, str(refused), fatal=True))
            except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, ParseError) as problem:
                what = f"it cannot be read ({type(problem).__name__}: {str(problem)[:80]})"
                reported.append(Reported(name, 0, what, fatal=True))
    finally:
        book.close()
    return Book(MappingProxyType(sheets), tuple(reported))


def _part(sheet: Any) -> str:
    """Return the name of the part that a sheet is in, which openpyxl keeps to itself."""
    return str(getattr(sheet, _PART, "")).lstrip("/")


def _rows(
    sheet: Any, name: str, spans: Spans, limits: Limits, reported: list[Reported]
) -> Iterator[tuple[int, list[Cell]]]:
    sheet.reset_dimensions()  # what the file says of its size need not be so
    empty = 0
    for number, row in enumerate(sheet.iter_rows(max_col=limits.columns + 1), start=1):
        # Empty rows are made up until the next one that is there, of one cell again and again
        empty = empty + 1 if not row or (row[0].value is None and row.count(row[0]) == len(row)) else 0
        if empty > limits.empty_rows:
            reported.append(Reported(name, number, f"{empty} rows are empty: what may follow is not read"))
            return
        if empty:
            continue
        cells = [_cell(each, limits) for each in row]
        if number in spans and any(each.text for each in cells):
            for position, each in enumerate(cells, start=1):
                if not each.text and any(first <= position <= last for first, last in spans[number]):
                    cells[position - 1] = Cell("", "it is merged with another cell: write the value into each")
        yield number, cells


def _cell(found: Any, limits: Limits) -> Cell:
    if found.data_type == "f":
        return Cell(str(found.value)[:60], "it is a formula: copy it and paste its value")
    if found.data_type == "e":
        return Cell(str(found.value), "it is an error of the spreadsheet")
    return cell(found.value, limits)


def _inspected(path: Path, limits: Limits) -> dict[str, Spans]:
    """Look through all parts without keeping them; return what is merged, by part. Raises Unreadable."""
    try:
        with zipfile.ZipFile(path) as packed:
            parts = packed.infolist()
            if len(parts) > limits.parts:
                raise Unreadable(f"it has {len(parts)} parts, and {limits.parts} are the most")
            if len({part.filename for part in parts}) != len(parts):
                raise Unreadable("it has two parts of one name")
            # zipfile gives no more than a part declares
            unpacked = sum(part.file_size for part in parts)
            if unpacked > limits.unpacked_octets:
                raise Unreadable(
                    f"it unpacks to {unpacked >> 20} MiB, and {limits.unpacked_octets >> 20} MiB are the most"
                )
            left = limits.merged_cells
            merged: dict[str, Spans] = {}
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    spans, left = _looked_through(packed, part, left, limits)
                    merged[part.filename] = spans
            return merged
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, zlib.error) as problem:
        raise Unreadable(f"it is no workbook: {_reason(problem)}") from problem


def _looked_through(packed: zipfile.ZipFile, part: zipfile.ZipInfo, left: int, limits: Limits) -> tuple[Spans, int]:
    spans: Spans = defaultdict(list)
    tail = b""
    with packed.open(part) as file:
        while chunk := file.read(_CHUNK):
            window = tail + chunk
            if any(mark in window for mark in _DECLARED):
                raise Unreadable(f"its part {name_of(part.filename)} declares entities, which no workbook needs")
            cut = max(window.rfind(b">") + 1, len(window) - 512)  # no element is cut in two
            for first, top, last, bottom in _MERGED.findall(window[:cut]):
                for row in range(int(top), min(int(bottom), limits.rows) + 1):
                    left -= 1
                    if left < 0:
                        raise Unreadable(f"it has merged cells in more than {limits.merged_cells} rows")
                    start = _position(first) + (1 if row == int(top) else 0)
                    spans[row].append((start, _position(last)))
            tail = window[cut:]
    return dict(spans), left


def _position(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _reason(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem)[:80] or type(problem).__name__


def _openpyxl() -> Any:
    try:
        return importlib.import_module("openpyxl")
    except ImportError:
        raise ConfigurationError(
            "workbooks need the package openpyxl: pip install 'cosem[gateway]'; CSV, JSON and TOML do not"
        ) from None
