"""From the rows of a sheet to values, column by column: what is wrong is collected, and nothing stops at the first."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cosem.gateway.config.book import Cell, Row, Sheet
from cosem.gateway.config.columns import Column
from cosem.gateway.config.finding import DriverName, Fault, Notice, Place
from cosem.gateway.config.reference import REFERENCES

NOBODY: Final[frozenset[DriverName]] = frozenset()
HIDDEN: Final = "(not shown)"


@dataclass(slots=True)
class Findings:
    """Faults and notices as they come up."""

    faults: list[Fault] = field(default_factory=list[Fault])
    notices: list[Notice] = field(default_factory=list[Notice])

    def fault(self, place: Place, reason: str, allowed: str = "", stops: frozenset[DriverName] = NOBODY) -> None:
        """Add a fault."""
        self.faults.append(Fault(place, reason, allowed, stops))

    def note(self, place: Place, text: str) -> None:
        """Add a notice."""
        self.notices.append(Notice(place, text))

    def warn(self, place: Place, text: str) -> None:
        """Add a notice of what was probably not meant."""
        self.notices.append(Notice(place, text, warning=True))


@dataclass(slots=True)
class Entry:
    """A row with its values: defaults filled in; `given` are the columns that were not empty; `sound` without faults.

    What is found about it goes to `findings`, and stops the drivers in `stops`.
    """

    sheet: str
    row: Row
    findings: Findings
    stops: frozenset[DriverName]
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    given: set[str] = field(default_factory=set[str])
    headings: dict[str, str] = field(default_factory=dict[str, str])
    secret: frozenset[str] = frozenset()
    sound: bool = True

    def __getitem__(self, column: str) -> Any:
        return self.values[column]

    def place(self, column: str = "") -> Place:
        """Return where a column of this row is."""
        heading = self.headings.get(column, column)
        found = self.row.cells.get(heading)
        hidden = column in self.secret and found is not None and not found.text.startswith(REFERENCES)
        shown = "" if found is None else HIDDEN if hidden else found.shown
        return Place(self.sheet, self.row.number, heading, shown)

    def text(self, column: str) -> str:
        """Return what stands in a column, "" for nothing."""
        found = self.row.cells.get(self.headings.get(column, column))
        return "" if found is None else found.text

    def fault(self, column: str, reason: str, allowed: str = "") -> None:
        """Add a fault of a column."""
        self.sound = False
        self.findings.fault(self.place(column), reason, allowed, self.stops)

    def note(self, column: str, text: str) -> None:
        """Add a notice of a column."""
        self.findings.note(self.place(column), text)

    def warn(self, column: str, text: str) -> None:
        """Add a warning of a column."""
        self.findings.warn(self.place(column), text)


def entry(
    sheet: Sheet,
    row: Row,
    columns: Iterable[Column],
    findings: Findings,
    *,
    stops: frozenset[DriverName] = NOBODY,
    excused: frozenset[str] = frozenset(),
) -> Entry:
    """Return the values of a row by its columns; those in `excused` are not required here."""
    columns = tuple(columns)
    secret = frozenset(each.name for each in columns if each.secret)
    found = Entry(sheet.name, row, findings, stops, secret=secret)
    for column in columns:
        _place(found, column)
    for column in columns:
        _value(found, column, excused)
    return found


def _place(found: Entry, column: Column) -> None:
    """Find under which of its names a column is filled in this row."""
    names = [name for name in (column.name, *column.synonyms) if name in found.row.cells]
    found.headings[column.name] = names[0] if names else column.name
    if names:
        found.given.add(column.name)
    for other in names[1:]:
        if found.row.cells[other].text != found.row.cells[names[0]].text:
            found.warn(column.name, f"it counts, and {other}, another word for it, is not used")


def _value(found: Entry, column: Column, excused: frozenset[str]) -> None:
    name = column.name
    found.values[name] = column.default
    if name not in found.given:
        if not column.required or name in excused or (column.unless and found.given.issuperset(column.unless)):
            return
        if column.default is None:
            found.fault(name, "it is required, and empty", column.kind.allowed)
        else:
            found.note(name, f"it is required, and empty: {column.default} was taken")
        return
    cell: Cell = found.row.cells[found.headings[name]]
    if cell.unusable:
        found.fault(name, cell.unusable, column.kind.allowed)
        return
    if cell.tidied:
        found.note(name, f"{cell.tidied} were taken away")
    try:
        found.values[name] = column.kind.read(cell.text)
    except ValueError as refused:
        found.fault(name, str(refused), column.kind.allowed)


def check_headings(sheet: Sheet, known: Mapping[str, object], required: Iterable[str], findings: Findings) -> None:
    """Say which columns of a sheet nobody knows, each once and with what it may have been meant for.

    `required` are columns that must be there whatever the driver; their absence is said once too.
    """
    if sheet.headings is not None:
        missing = [name for name in required if name not in sheet.headings]
        for name in missing:
            findings.note(Place(sheet.name, 1, name), "there is no such column")
    seen: dict[str, int] = {}
    for row in sheet.rows:
        for name in row.cells:
            if name not in known:
                seen.setdefault(name, row.number)
    for name, number in seen.items():
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
        meant = f": was {close[0]} meant?" if close else ""
        findings.warn(Place(sheet.name, number, Cell(name).shown), f"there is no such column, so it is not used{meant}")
