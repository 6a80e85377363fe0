"""`cosem compare` on loopback: nothing to report, a table, JSON, and the exit codes that go with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Cosem = Callable[..., Any]


def test_a_meter_compared_with_itself_does_not_differ(cosem: Cosem, served: Any) -> None:
    ran = cosem("compare", served.household, "--companion", served.household)
    assert (ran.code, ran.out) == (0, "")
    assert "objects compared, 0 differences" in ran.err


def test_two_meters_differ_object_by_object(cosem: Cosem, served: Any) -> None:
    ran = cosem("compare", served.household, "--companion", served.wrapper, "--json")
    assert ran.code == 1
    told = ran.json
    assert told["companion"] == served.wrapper
    assert {"missing", "extra", "class", "scaler"} <= {each["differs"] for each in told["differences"]}
    scaler = next(each for each in told["differences"] if each["differs"] == "scaler")
    assert (scaler["obis"], scaler["name"], scaler["found"]) == ("1.0.1.8.0.255", "Active energy import", -1)
    table = cosem("compare", served.household, "--companion", served.wrapper)
    assert table.code == 1
    assert "differs in" in table.out.splitlines()[0]


def test_a_companion_by_name_or_file(cosem: Cosem, served: Any, tmp_path: Path) -> None:
    ran = cosem("compare", served.household, "--companion", "generic")
    assert (ran.code, ran.out) == (0, "")
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\ntitle = "Own"\nsource = []\nlicence = ""\ncomplete = false\n'
        '[[objects]]\nobis = "9.0.1.0.0.255"\nclass = 3\nname = "Warm water"\n'
        '[[associations]]\nname = "management"\nclient = 1\n'
    )
    ran = cosem("compare", served.household, "--companion", own)
    assert ran.code == 1
    assert "Warm water" in ran.out and "missing" in ran.out
    assert "says nothing of client 16" in ran.err


def test_what_compare_refuses(cosem: Cosem, served: Any, nobody: str) -> None:
    assert cosem("compare", served.household, "--companion", "x").code == 64
    assert cosem("compare", served.household).code == 64
    assert cosem("compare", served.household, "--companion", nobody).code == 2
