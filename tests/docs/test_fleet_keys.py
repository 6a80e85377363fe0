"""docs/fleet.md has every key of a fleet's file, with the default and the bounds that what reads it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.file import FleetFile, parse
from cosem.fleet.kinds import KINDS
from cosem.fleet.places import Way
from cosem.protocol.model.table import Table

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fleet.md"
NEEDED = {
    "[[meters]]": "count = 2",
    "[[meters]]: faults": "truncation = 0.5\nlate = 0.5",  # of a table that does nothing wrong nothing is made
    "[push]": 'to = "tcp://127.0.0.1:4061"',
    "[[outage]]": "at = 2026-03-01T08:00:00Z\nlength = 60",
    "[[firmware]]": 'at = 2026-03-01T08:00:00Z\nversion = "2"',
    "[[tariff]]": 'at = 2026-03-01T08:00:00Z\nform = "single"',
    "[[drift]]": "at = 2026-03-01T08:00:00Z\nppm = 10",
    "[[tamper]]": "at = 2026-03-01T08:00:00Z\nshare = 0.5",
}
"""What each table cannot do without."""


class Row(NamedTuple):
    """One key of the page."""

    table: str
    key: str
    left_out: str
    allowed: str


def rows() -> Iterator[Row]:
    """Give the keys of the page; of several in one row each."""
    table: str | None = None
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("## "):
            table = "" if line == "## The file itself" else line[3:].replace("`", "")
        elif line.startswith("| `") and table is not None:
            keys, _, left_out, allowed = (cell.strip() for cell in line.strip("|").split("|"))
            for key in re.findall(r"`(\w+)`", keys):
                yield Row(table, key, left_out, allowed)


ROWS = list(rows())
LITERAL = re.compile(r"`([^`]+)`")
NUMBER = re.compile(r"(whole )?number, (-?\d+|more than 0)(?: or more| to (\d+))?")


def text(table: str, line: str = "", needed: str | None = None, more: str = "") -> str:
    """Return a file in which a table has a line beside what it needs; its meters have `more`."""
    needed = NEEDED.get(table, "") if needed is None else needed
    key = line.partition(" =")[0]
    own = "\n".join([*(each for each in needed.splitlines() if each.partition(" =")[0] != key), line])
    meters = f"[[meters]]\n{NEEDED['[[meters]]']}\n{more}\n"
    head, _, rest = table.partition(": ")
    if not table:
        return f"{line}\n{meters}"
    if table == "[[meters]]":
        return f"{table}\n{own}\n"
    return f"{meters}[{head.strip('[]')}.{rest}]\n{own}\n" if rest else f"{meters}{head}\n{own}\n"


def plain(said: FleetFile) -> object:
    """Return what a file says so that it can be compared."""
    groups = [
        (each.count, each.kinds.names, each.seed, each.secured, each.companion, each.model, each.misbehaving.kinds)
        for each in said.groups
    ]
    return replace(said, groups=()), groups


class Asked(dict[str, Any]):
    """The keys of a table, which note that they were asked for."""

    def __init__(self, where: str, content: dict[str, Any], asked: set[tuple[str, str]]) -> None:
        super().__init__(content)
        self._where = re.sub(r" \d+", "", where)
        self._asked = asked

    def __contains__(self, key: object) -> bool:
        self._asked.add((self._where, str(key)))
        return super().__contains__(key)


def test_every_key_that_is_asked_for_is_told_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: set[tuple[str, str]] = set()
    original = Table.__init__

    def noting(self: Table, source: str, where: str, content: dict[str, Any]) -> None:
        original(self, source, where, Asked(where, content, asked))

    monkeypatch.setattr(Table, "__init__", noting)
    for table in {row.table for row in ROWS}:
        parse(text(table))
    assert {(row.table, row.key) for row in ROWS} == asked
    assert len(ROWS) == len(asked)


WITH_DEFAULTS = [row for row in ROWS if LITERAL.fullmatch(row.left_out)]


@pytest.mark.parametrize("row", WITH_DEFAULTS, ids=lambda row: f"{row.table} {row.key}")
def test_what_is_left_out_is_what_the_page_says(row: Row) -> None:
    told = text(row.table, f"{row.key} = {row.left_out.strip('`')}")
    assert plain(parse(told)) == plain(parse(text(row.table, needed=_without(row))))


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.left_out and row not in WITH_DEFAULTS], ids=lambda row: f"{row.table} {row.key}"
)
def test_what_has_no_default_may_be_left_out(row: Row) -> None:
    assert f"\n{row.key} =" not in text(row.table)
    assert parse(text(row.table)).count == 2


@pytest.mark.parametrize("row", [row for row in ROWS if not row.left_out], ids=lambda row: f"{row.table} {row.key}")
def test_what_cannot_be_left_out(row: Row) -> None:
    if (row.table, row.key) == ("", "meters"):
        missing = ""
    else:
        missing = text(row.table, needed=_without(row))
    with pytest.raises(ConfigurationError, match=row.key):
        parse(missing)


def _without(row: Row) -> str:
    return "\n".join(each for each in NEEDED.get(row.table, "").splitlines() if each.partition(" =")[0] != row.key)


BOUNDED = [row for row in ROWS if NUMBER.match(row.allowed)]


@pytest.mark.parametrize("row", BOUNDED, ids=lambda row: f"{row.table} {row.key}")
def test_bounds_are_where_the_page_says(row: Row) -> None:
    found = NUMBER.match(row.allowed)
    assert found is not None
    whole, low, high = found.groups()
    least = 1 if low == "more than 0" else int(low)
    fits, fails = [least], [least - 1]
    if high is not None:
        fits.append(int(high))
        fails.append(int(high) + 1)
    for number in (*fits, 0.001) if whole is None and low == "more than 0" else fits:
        parse(_bounded(row, number))
    for number in fails:
        with pytest.raises(ConfigurationError, match=row.key):
            parse(_bounded(row, number))
    if whole is not None:
        with pytest.raises(ConfigurationError, match=f"{row.key}: expected a whole number"):
            parse(_bounded(row, least + 0.5))


def _bounded(row: Row, number: float) -> str:
    # Nothing goes wrong with images where none are taken.
    return text(row.table, f"{row.key} = {number}", more='companion = "smr-5.0"' if "faults" in row.table else "")


def test_all_kinds_and_ways_are_told() -> None:
    told = {row.key: row.allowed for row in ROWS if row.table == "[[meters]]"}
    assert set(told["kind"].split(", ")) == set(KINDS)
    assert set(re.findall(r"\w+", told["place"])) - {"or"} == {way.value for way in Way}
