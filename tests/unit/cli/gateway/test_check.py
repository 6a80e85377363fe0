"""`cosem gateway new` and `cosem gateway check`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gateway_tables as tables

Cosem = Callable[..., Any]


def test_a_new_template_is_written_and_passes_the_check(
    cosem: Cosem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = cosem("gateway", "new")
    assert ran.code == 0
    assert "cosem gateway check gateway.xlsx" in ran.err
    again = cosem("gateway", "new")
    assert again.code == 64
    assert "--replace" in again.err
    assert cosem("gateway", "new", "--replace").code == 0
    ran = cosem("gateway", "check", "gateway.xlsx")
    assert ran.code == 0
    assert "tcp://127.0.0.1" in ran.out
    assert "in use 1 device, 4 signals, 1 output" in ran.err


def test_the_check_of_faulty_tables(cosem: Cosem, tmp_path: Path) -> None:
    tables.configured(tmp_path, [tables.DLMS | {"timeout_ms": 0}, tables.IEC21], [tables.IEC21_SIGNAL])
    ran = cosem("gateway", "check", tmp_path / "gateway.json")
    assert ran.code == 1
    line = next(" ".join(line.split()) for line in ran.out.splitlines() if line.startswith("fault"))
    assert line == "fault Devices 1 timeout_ms 0 it is out of bounds a whole number from 1 on"
    assert "the driver DLMS does not start" in ran.err


def test_the_check_as_json(cosem: Cosem, tmp_path: Path) -> None:
    tables.configured(tmp_path, [tables.DLMS | {"timeout_ms": 0}, tables.IEC21], [tables.IEC21_SIGNAL])
    ran = cosem("gateway", "check", tmp_path / "gateway.json", "--json")
    assert ran.code == 1
    assert ran.json["faults"] == [
        {
            "sheet": "Devices",
            "row": 1,
            "column": "timeout_ms",
            "value": "0",
            "reason": "it is out of bounds",
            "allowed": "a whole number from 1 on",
            "stops": ["DLMS"],
        }
    ]
    assert ran.json["stopped"] == ["DLMS"]
    (device,) = ran.json["devices"]
    assert (device["alias"], device["signals"]) == ("local1", ["local1.energy"])
    assert any(each["warning"] and each["column"] == "baudrate" for each in ran.json["notices"])


def test_a_file_that_is_not_there(cosem: Cosem, tmp_path: Path) -> None:
    ran = cosem("gateway", "check", tmp_path / "nowhere.xlsx")
    assert ran.code == 1
    assert "No such file" in ran.out


@pytest.mark.parametrize("verb", ["new", "check", "import"])
def test_every_verb_shows_an_example(cosem: Cosem, verb: str) -> None:
    shown = cosem("gateway", verb, "--help").out.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert shown
    assert all(f"cosem gateway {verb}" in line for line in shown)
