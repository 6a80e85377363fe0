"""Templates: a workbook or a folder of CSV files with every column explained, and a worked example to change.

In a workbook each heading has a comment with what it means, what is allowed and what an empty cell stands for, and
cells offer the words that they take.
"""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cosem.errors import ConfigurationError
from cosem.gateway.config import columns, examples
from cosem.gateway.config.columns import Column
from cosem.gateway.config.kinds import Among, Whole, Words

LAST_ROW: Final = 5000
"""Of the rows whose cells offer words and are kept as text."""

_HELP: Final = ("sheet", "column", "for", "required", "empty means", "allowed", "other names", "meaning")
_NOTES: Final = (
    "A row is a device or a signal. Columns may be in any order; those that nobody needs may be deleted.",
    "Keys and passwords: env:NAME or file:PATH, so that they do not stand here.",
    "client_address is hexadecimal: 10 is client 16, the public one.",
    "The address of a DLMS device over HDLC is as long as its parts need, and not shorter than address_size. "
    "logical_address 0 is 1; physical_address 0 is none; with serial_number both follow from it.",
    "Elgama: job_todo registers takes OBIS codes and short names of GAMA; EPQS and EPQM/LZQM take the tables of cosem "
    "elgama and are EXPERIMENTAL; ITS cl (4) cannot be read.",
    "Check it with: cosem gateway check FILE",
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column as a sheet has it: what it is to each driver, or to nobody in particular."""

    name: str
    of: Mapping[str, Column]

    @property
    def required(self) -> bool:
        return any(each.required for each in self.of.values())

    def explained(self) -> str:
        """Tell what it means, once for all drivers that mean the same."""
        told: dict[str, list[str]] = {}
        for driver, column in self.of.items():
            told.setdefault(_told(column), []).append(driver)
        return "\n\n".join(
            f"{', '.join(filter(None, drivers))}: {text}".removeprefix(": ") for text, drivers in told.items()
        )


@dataclass(frozen=True, slots=True)
class Table:
    """One sheet of the template."""

    name: str
    headings: tuple[Heading, ...]
    rows: examples.Rows


def tables() -> tuple[Table, ...]:
    """Return every sheet with its headings and example rows."""
    devices = {driver.value: table for driver, table in columns.DEVICES.items()}
    signals = {driver.value: table for driver, table in columns.SIGNALS.items()}
    settings = ", ".join(each.name for each in columns.SETTINGS)
    pairs = (
        Column("name", columns.PORTS[1].kind, f"One of {settings}."),
        Column("value", columns.PORTS[1].kind, "Its value."),
    )
    return (
        Table("Devices", _united(devices), examples.DEVICES),
        Table("Signals", _united(signals), examples.SIGNALS),
        Table("Outputs", _united({"": columns.OUTPUTS}), examples.OUTPUTS),
        Table("Ports", _united({"": columns.PORTS}), examples.PORTS),
        Table("Settings", _united({"": pairs}), examples.SETTINGS),
    )


def write_template(path: Path, *, replace: bool = False) -> None:
    """Write a workbook where the name ends with .xlsx, else a folder of CSV files.

    Raises ConfigurationError where something is there already, unless `replace`, and where it cannot be written.
    """
    try:
        if path.suffix.lower() == ".xlsx":
            if path.exists() and not replace:
                raise ConfigurationError(f"{path} is there already: choose another name, or --replace it")
            _write_workbook(path)
        elif path.suffix:
            raise ConfigurationError(f"{path}: a template is a file.xlsx, or a folder of CSV files")
        else:
            _write_folder(path, replace=replace)
    except OSError as problem:
        raise ConfigurationError(f"cannot write {path}: {problem.strerror}") from problem


def _united(drivers: Mapping[str, Sequence[Column]]) -> tuple[Heading, ...]:
    """Return all columns once: first those of the original tables, then ours."""
    found: dict[str, dict[str, Column]] = {}
    for beyond in (False, True):
        for driver, table in drivers.items():
            for column in table:
                if column.beyond is beyond:
                    found.setdefault(column.name, {})[driver] = column
    return tuple(Heading(name, of) for name, of in found.items())


def _told(column: Column) -> str:
    parts = [column.meaning, f"Allowed: {column.kind.allowed}."]
    if column.required:
        parts.insert(0, "REQUIRED.")
    if column.default not in (None, ""):
        parts.append(f"Empty: {column.default}.")
    if column.synonyms:
        parts.append(f"Also called {', '.join(column.synonyms)}.")
    return " ".join(filter(None, parts))


def _help() -> Iterator[tuple[str, ...]]:
    yield _HELP
    for table in tables():
        for heading in table.headings:
            for driver, column in heading.of.items():
                yield (
                    *(table.name, column.name, driver, "yes" if column.required else ""),
                    *("" if column.default is None else str(column.default), column.kind.allowed),
                    *(", ".join(column.synonyms), column.meaning),
                )


# --- CSV -----------------------------------------------------------------------------------------------------------


def _write_folder(path: Path, *, replace: bool) -> None:
    files = {path / f"{table.name.lower()}.csv": _sheet(table) for table in tables()}
    files[path / "help.csv"] = [*_help(), (), *((each,) for each in _NOTES)]
    there = next((each for each in files if each.exists()), None)
    if there is not None and not replace:
        raise ConfigurationError(f"{there} is there already: choose another folder, or --replace it")
    path.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        with name.open("w", encoding="utf-8-sig", newline="") as file:  # with the mark that Excel knows UTF-8 by
            csv.writer(file).writerows(rows)


def _sheet(table: Table) -> list[tuple[Any, ...]]:
    """Return the rows of a table, with the columns that the example uses and all of the original tables."""
    used = {name for row in table.rows for name in row}
    names = [
        each.name for each in table.headings if each.name in used or not all(one.beyond for one in each.of.values())
    ]
    return [tuple(names), *(tuple(row.get(name, "") for name in names) for row in table.rows)]


# --- workbooks -----------------------------------------------------------------------------------------------------


def _write_workbook(path: Path) -> None:
    try:
        openpyxl = importlib.import_module("openpyxl")
        styles = importlib.import_module("openpyxl.styles")
        comments = importlib.import_module("openpyxl.comments")
    except ImportError:
        raise ConfigurationError(
            "a workbook needs the package openpyxl: pip install 'cosem[gateway]'; name a folder for CSV files instead"
        ) from None
    book = openpyxl.Workbook()
    book.remove(book.active)
    bold, fill = styles.Font(bold=True), styles.PatternFill("solid", fgColor="FFDDEEFF")
    for table in tables():
        sheet = book.create_sheet(table.name)
        sheet.append([each.name for each in table.headings])
        for position, heading in enumerate(table.headings, start=1):
            cell = sheet.cell(1, position)
            cell.fill = fill
            if heading.required:
                cell.font = bold
            cell.comment = comments.Comment(heading.explained(), "cosem", height=180, width=360)
            letter = cell.column_letter
            sheet.column_dimensions[letter].width = max(12, len(heading.name) + 2)
            # As text, so that 1.8.0 does not become a date and 11 not 11.0
            sheet.column_dimensions[letter].number_format = "@"
            _offer(sheet, letter, heading)
        for number, row in enumerate(table.rows, start=2):
            for position, heading in enumerate(table.headings, start=1):
                cell = sheet.cell(number, position)
                cell.number_format = "@"
                value = row.get(heading.name)
                cell.value = None if value is None else str(value)
        sheet.freeze_panes = "A2"
    _write_help(book.create_sheet("Help"), bold)
    book.save(path)


def _write_help(sheet: Any, bold: Any) -> None:
    rows: Iterable[tuple[str, ...]] = [*((each,) for each in _NOTES), (), *_help()]
    for row in rows:
        sheet.append(list(row))
    for cell in sheet[len(_NOTES) + 2]:
        cell.font = bold
    for letter, width in zip("ABCDEFGH", (10, 22, 16, 10, 18, 44, 20, 90), strict=True):
        sheet.column_dimensions[letter].width = width


def _offer(sheet: Any, letter: str, heading: Heading) -> None:
    """Let cells of a column offer the words that any driver takes, or refuse numbers that none does."""
    validation = importlib.import_module("openpyxl.worksheet.datavalidation").DataValidation
    kinds = [column.kind for column in heading.of.values()]
    choices = list(dict.fromkeys(str(word) for kind in kinds for word in _choices(kind)))
    if not choices or not all(_choices(kind) for kind in kinds) or len(",".join(choices)) > 250:
        return
    rule = validation("list", formula1=f'"{",".join(choices)}"', allow_blank=True, showErrorMessage=True)
    rule.errorTitle, rule.error = heading.name, f"Allowed: {', '.join(choices)}"[:250]
    rule.errorStyle = "warning"  # the check is the judge: words may be in any case
    sheet.add_data_validation(rule)
    rule.add(f"{letter}2:{letter}{LAST_ROW}")


def _choices(kind: object) -> tuple[str | int, ...]:
    if isinstance(kind, Words):
        return kind.words
    if isinstance(kind, Among):
        return kind.numbers
    if isinstance(kind, Whole) and kind.highest - kind.lowest < 6:
        return tuple(range(kind.lowest, kind.highest + 1))
    return ()
