"""Tables in text: two or more CSV files in a folder, one JSON file, one TOML file."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from cosem.gateway.config.book import (
    USUAL,
    Book,
    Cell,
    Limits,
    Reported,
    Row,
    Sheet,
    Unreadable,
    cell,
    heading,
    name_of,
    table,
)

SEPARATORS: Final = ",;\t"
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_folder(path: Path, wanted: frozenset[str], limits: Limits = USUAL) -> Book:
    """Return the wanted tables, each in a file of its name with `.csv`. Raises Unreadable."""
    try:
        files = {each.stem.lower(): each for each in sorted(path.iterdir()) if each.suffix.lower() == ".csv"}
    except OSError as problem:
        raise Unreadable(f"it cannot be read: {problem.strerror}") from problem
    sheets: dict[str, Sheet] = {}
    reported: list[Reported] = []
    for name in sorted(wanted & files.keys()):
        title = name.capitalize()
        try:
            text, noticed = _text(octets_of(files[name], limits))
            reported += [Reported(title, 0, each) for each in noticed]
            sheets[name], more = table(title, _records(text, limits), limits)
            reported += more
        except (Unreadable, csv.Error) as refused:
            reported.append(Reported(title, 0, str(refused), fatal=True))
    return Book(MappingProxyType(sheets), tuple(reported))


def read_json(path: Path, wanted: frozenset[str], limits: Limits = USUAL) -> Book:
    """Return the wanted tables of a JSON file: an object of lists of objects. Raises Unreadable."""
    octets = octets_of(path, limits)
    try:
        found = json.loads(octets.decode("utf-8-sig"), parse_float=Decimal, object_pairs_hook=_without_doubles)
    except UnicodeDecodeError as problem:
        raise Unreadable(f"octet {problem.start} is no UTF-8") from problem
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"it is no JSON: {str(problem)[:120]}") from problem
    return _book(found, wanted, limits)


def read_toml(path: Path, wanted: frozenset[str], limits: Limits = USUAL) -> Book:
    """Return the wanted tables of a TOML file, with [[devices]] before each device. Raises Unreadable."""
    octets = octets_of(path, limits)
    try:
        found = tomllib.loads(octets.decode("utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError as problem:
        raise Unreadable(f"octet {problem.start} is no UTF-8") from problem
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"it is no TOML: {str(problem)[:120]}") from problem
    return _book(found, wanted, limits)


def octets_of(path: Path, limits: Limits = USUAL) -> bytes:
    """Return a file as it is. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            octets = file.read(limits.file_octets + 1)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else None
        raise Unreadable(f"it cannot be read: {reason or problem}") from problem
    if len(octets) > limits.file_octets:
        raise Unreadable(f"it has more than {limits.file_octets >> 20} MiB")
    return octets


# --- CSV -----------------------------------------------------------------------------------------------------------


def _text(octets: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _BOMS:
        if octets.startswith(mark):
            try:
                return octets.decode(encoding), []
            except UnicodeDecodeError as problem:
                raise Unreadable(f"octet {problem.start} is not of the encoding that the file begins with") from None
    try:
        return octets.decode("utf-8"), []
    except UnicodeDecodeError as problem:
        noticed = f"octet {problem.start} is no UTF-8, so the file was read as Windows-1252: save it as CSV UTF-8"
        return octets.decode("cp1252", errors="replace"), [noticed]


def _records(text: str, limits: Limits) -> Iterator[tuple[int, list[Cell]]]:
    first, _, rest = text.partition("\n")
    number = 1
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own line
        separator, text, number = first.strip()[4], rest, 2
    else:
        separator = _separator(first)
    records = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    for position, record in enumerate(records, start=number):
        yield position, [cell(each, limits) for each in record]


def _separator(first: str) -> str:
    """Return what separates the headings: whatever is most often there, outside of quotes."""
    outside = "".join(first.split('"')[::2])
    return max(SEPARATORS, key=outside.count)


# --- JSON and TOML -------------------------------------------------------------------------------------------------


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(each for each in names if names.count(each) > 1)!r} is there twice in one object")
    return found


def _book(found: Any, wanted: frozenset[str], limits: Limits) -> Book:
    if not isinstance(found, dict):
        raise Unreadable("it is no object with the tables devices and signals")
    sheets: dict[str, Sheet] = {}
    reported: list[Reported] = []
    for key, value in cast("dict[str, Any]", found).items():
        name, title = key.strip().lower(), name_of(key.strip().capitalize())
        if name not in wanted:
            reported.append(Reported(title, 0, "there is no such table: not read"))
            continue
        if name in sheets:
            reported.append(Reported(title, 0, "the table is there twice", fatal=True))
            continue
        try:
            sheets[name] = Sheet(title, None, tuple(_entries(name, value, limits)))
        except Unreadable as refused:
            reported.append(Reported(title, 0, str(refused), fatal=True))
    return Book(MappingProxyType(sheets), tuple(reported))


_PAIRS: Final = {"ports": ("port", "device"), "settings": ("name", "value")}
"""Tables of two columns, which may be written as one object."""


def _entries(table_name: str, value: Any, limits: Limits) -> Iterator[Row]:
    if table_name in _PAIRS and isinstance(value, dict):
        first, second = _PAIRS[table_name]
        value = [{first: name, second: each} for name, each in cast("dict[str, Any]", value).items()]
    if not isinstance(value, list):
        raise Unreadable("it is no list of rows")
    rows = cast("Sequence[Any]", value)
    if len(rows) > limits.rows:
        raise Unreadable(f"it has more than {limits.rows} rows")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise Unreadable(f"row {number} is no object of columns and values")
        named = cast("dict[str, Any]", row)
        if len(named) > limits.columns:
            raise Unreadable(f"row {number} has more than {limits.columns} columns")
        headings = [heading(each) for each in named]
        if len(set(headings)) != len(headings):
            raise Unreadable(f"row {number} has a column twice")
        cells = {name: cell(each, limits) for name, each in zip(headings, named.values(), strict=True)}
        yield Row(number, MappingProxyType({name: each for name, each in cells.items() if each.text or each.unusable}))
