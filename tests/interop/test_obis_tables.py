"""The catalogue beside the OBIS tables of peers, which are read in the peers' own environment.

The table of gurux-dlms has patterns with the classes that they may have, and no units; that of pydlms-client has names
alone. Of each pattern the codes at the ends of its ranges are looked up. What differs is in the lists below, with the
reason; a row that explains nothing any more fails.
"""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from cosem.protocol.model.catalogue import Scope, lookup, patterns
from cosem.protocol.values.obis import Obis, ObisPattern
from interop.conftest import drive, peer

UNNAMED = [
    ("0.*.96.20.29.255", "reserved, and so called in the table"),
    ("1,7.*.127.*.*.*", "inactive objects are abstract ones; C = 127 is reserved for media"),
    ("0.*.127.1-255.*.*", "an inactive object has D = 0"),
    ("0.*.127.*.255.*", "an inactive object has a number in E"),
    ("0.*.127.*.*.0-254", "an inactive object has F = 255"),
    ("7.*.99.41-49.255.255", "words that the table puts into names of profiles, no codes"),
    ("7.200-254.*.*.*.*", "the range of manufacturers ends at 199; the table does so for other media"),
    (
        "7.0-64.200-239,241-254.*.*.*",
        "the range of manufacturers ends at 199; the table does so for other media",
    ),
]
CURRENT_AVERAGE = "IEC 62056-6-2 gives current averages class 5; the table does so elsewhere, not here"
CLASSES = [
    ("1.*.11-126.24.1-127.255", 5, CURRENT_AVERAGE),
    ("1.*.83.27.*.255", 5, CURRENT_AVERAGE),
    ("1.*.1-10.24.1-63.255", 5, "a rate of a current average; the table has Register monitors alone there"),
]
"""Codes, our class for them, and why it is none that the table gives them."""


def ends(group: str) -> list[int]:
    spans = (span.partition("-") for span in group.split(","))
    return list(dict.fromkeys(number for first, _, last in spans for number in (int(first), int(last or first))))


def numbers(group: str) -> Iterator[str]:
    for span in group.split(","):
        first, _, last = span.partition("-")
        yield from map(str, range(int(first), int(last or first) + 1))


def codes(groups: list[str]) -> Iterator[Obis]:
    """The codes at the ends of a pattern: all groups at their first or last value, and one of them elsewhere."""
    values = [ends(group) for group in groups]
    for corner in ([value[0] for value in values], [value[-1] for value in values]):
        for at, choices in enumerate(values):
            for choice in choices:
                yield Obis.of(*corner[:at], choice, *corner[at + 1 :])


@pytest.fixture(scope="module")
def table() -> list[dict[str, Any]]:
    return drive("gurux_obis.py")["patterns"]


def test_ours_names_the_patterns_of_gurux(table: list[dict[str, Any]]) -> None:
    unnamed = {
        str(code): groups["groups"]
        for groups in table
        for code in codes(groups["groups"])
        if lookup(code).scope is Scope.RESERVED
    }
    rows = [ObisPattern(text) for text, _ in UNNAMED]
    assert {code for code in unnamed if not any(row.matches(code) for row in rows)} == set()
    assert [str(row) for row in rows if not any(row.matches(code) for code in unnamed)] == []
    whole = [groups for groups in table if not any(str(code) in unnamed for code in codes(groups["groups"]))]
    assert len(table) > 1300
    assert len(table) - len(whole) <= 12
    assert sum(1 for _ in patterns()) > len(table)


def test_ours_has_the_classes_of_gurux(table: list[dict[str, Any]]) -> None:
    """Several patterns of the table may match a code, each with other classes; ours is one of all of them."""
    told: dict[tuple[str, str], list[tuple[ObisPattern, set[int]]]] = {}
    for row in table:
        pattern = ObisPattern(".".join(row["groups"])), set(row["classes"])
        for key in itertools.product(map(str, ends(row["groups"][0])), numbers(row["groups"][3])):
            told.setdefault(key, []).append(pattern)
    other = set()
    for row in table:
        for code in codes(row["groups"]) if row["classes"] else ():
            entry = lookup(code)
            if entry.known and entry.class_id not in row["classes"]:
                matching = told[str(code.a), str(code.d)]
                classes = set().union(*(classes for pattern, classes in matching if pattern.matches(code)))
                other |= {(code, entry.class_id)} if entry.class_id not in classes else set()
    rows = [(ObisPattern(text), class_id) for text, class_id, _ in CLASSES]
    explained = {
        (code, ours) for code, ours in other for row, class_id in rows if ours == class_id and row.matches(code)
    }
    assert sorted(str(code) for code, _ in other - explained) == []
    assert [text for text, _, _ in CLASSES if not any(ObisPattern(text).matches(code) for code, _ in explained)] == []


UNNAMED_BY_US = {
    "1.1.0.2.129.255": "E = 129 is in the range of manufacturers; Norwegian and Swedish meters use it, see companions",
}


def test_ours_names_the_codes_of_pydlms() -> None:
    script = "import csv, json, sys; from importlib.resources import files;"
    script += "json.dump(list(csv.DictReader((files('pydlms') / 'data/obis_names.csv').open())), sys.stdout)"
    done = subprocess.run([peer("python"), "-I", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    names = {row["obis"]: row["name"] for row in json.loads(done.stdout)}
    assert len(names) > 40
    assert {code for code in names if not lookup(code).known} == set(UNNAMED_BY_US)
