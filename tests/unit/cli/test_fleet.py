"""`cosem fleet`: what its options and files say, what it tells, and how a comparison ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosem.cli.fleet.telling import line, plain
from cosem.fleet.fleet import Fleet
from cosem.fleet.ledger import Answer, create
from cosem.fleet.population import Population
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Reading
from cosem.store.readings import ReadingStore

Cosem = Callable[..., Any]

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)


def test_a_state_in_a_line_and_as_json_has() -> None:
    state = Fleet(Population(7), "tcp://127.1.0.0:0").state
    assert line(state, NOW) == "2026-03-01 08:00:00 UTC: 7 meters"
    said = plain(state, NOW)
    assert (said["virtual_time"], said["meters"], said["pushes"]) == ("2026-03-01T08:00:00+00:00", 7, 0)


@pytest.mark.parametrize("option", [("--count", "5"), ("--seed", "1"), ("--by-port",), ("--speed", "2")])
def test_with_a_file_what_it_says_counts(cosem: Cosem, option: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[[meters]]\ncount = 1\n")
    ran = cosem("fleet", str(tmp_path / "fleet.toml"), *option)
    assert ran.code == 64
    assert option[0] in ran.err


def test_all_faults_of_a_file_are_said(cosem: Cosem, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text('[[meters]]\ncount = 0\nkind = "toaster"\n')
    ran = cosem("fleet", str(path))
    assert ran.code == 64
    assert f"{path}: [[meters]] 1: count" in ran.err
    assert f"{path}: [[meters]] 1: kind" in ran.err


def test_an_inventory_has_the_places_of_a_file(cosem: Cosem, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text('[[meters]]\ncount = 2\nplace = "gateway"\nbehind = 2\nlisten = "tcp://127.9.0.0:4059"\n')
    ran = cosem("fleet", str(path), "--inventory", str(tmp_path / "fleet.csv"))
    assert ran.code == 0
    rows = (tmp_path / "fleet.csv").read_text().splitlines()
    assert len(rows) == 3
    assert "gateway=0:00000001" in rows[2]


@pytest.mark.parametrize(("raw", "code"), [(1, 0), (2, 1)])
def test_a_comparison_ends_by_what_was_found(cosem: Cosem, raw: int, code: int, tmp_path: Path) -> None:
    with create(tmp_path / "day.jsonl") as ledger:
        ledger.record(Answer(NOW, "KFM1", 1, "3/1.0.1.8.0.255/2", "0600000001"))
    with ReadingStore(tmp_path / "store.sqlite") as store:
        column = CaptureObject(3, Obis("1.0.1.8.0.255"), 2)
        store.add([Reading(meter="KFM1", column=column, time=NOW, raw=raw)])
    ran = cosem("fleet", "compare", str(tmp_path / "day.jsonl"), str(tmp_path / "store.sqlite"))
    assert ran.code == code
    assert f"1 meters compared: {1 - code} values right, 0 lost, {code} wrong" in ran.err
    assert ("stored is 2, true is 1" in ran.out) is bool(code)


def test_a_ledger_that_is_not_there_is_said(cosem: Cosem, tmp_path: Path) -> None:
    ran = cosem("fleet", "compare", str(tmp_path / "none"), str(tmp_path / "none"))
    assert ran.code == 64
    assert "no such file" in ran.err
