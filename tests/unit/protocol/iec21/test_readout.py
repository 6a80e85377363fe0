"""Readouts of some thirty meters, each line of `tests/vectors/iec21.jsonl` with its source and licence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.protocol.iec21.message import Check, Identification
from cosem.protocol.iec21.profile import rows
from cosem.protocol.iec21.readout import Readout, parse
from cosem.protocol.values.obis import Obis

VECTORS = Path(__file__).parents[3] / "vectors" / "iec21.jsonl"
CASES = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
READOUTS = [case for case in CASES if "exchange" not in case]


def octets(case: dict[str, Any]) -> bytes:
    return bytes.fromhex(case["hex"]) if "hex" in case else str(case["text"]).encode("latin-1")


@pytest.mark.parametrize("case", READOUTS, ids=lambda case: case["id"])
def test_readouts_of_meters(case: dict[str, Any]) -> None:
    readout = parse(octets(case))
    assert readout.check is Check(case["check"])
    assert (readout.fault is not None) == (case["check"] == "wrong")
    assert len(readout.sets) == case["sets"]
    assert [each.line for each in readout.sets if each.error is not None] == case.get("bad_lines", [])
    for address, (text, unit) in case["values"].items():
        found = readout.find(address)
        assert found is not None
        assert (found.values[0].text, found.values[0].unit) == (text, unit)
    found_rows = list(rows(readout.sets))
    assert (len(found_rows), sum(len(row.values) for row in found_rows)) == (
        case.get("rows", 0),
        case.get("row_values", 0),
    )
    assert all(row.error is None for row in found_rows)


@pytest.mark.parametrize("case", READOUTS, ids=lambda case: case["id"])
def test_every_cut_of_them_is_a_readout(case: dict[str, Any]) -> None:
    whole = octets(case)
    for size in range(0, len(whole), max(1, len(whole) // 150)):
        for each in parse(whole[:size]).sets:
            assert each.octets in whole or "hex" in case  # nothing that was not sent


def test_values_of_a_readout_whose_check_is_wrong_are_not_found() -> None:
    readout = parse(b"\x021.8.0(1*kWh)\r\n!\r\n\x03\x00")
    assert len(readout.sets) == 1
    assert readout.find("1.8.0") is None
    assert Readout.of(None, b"1.8.0(1*kWh)\r\n!\r\n", Check.RIGHT).find(Obis("1.8.0")) is not None


def test_the_identification_of_a_recording() -> None:
    assert parse(b"/KFM5MT100\r\n\r\n1.8.0(1)\r\n!\r\n").identification == Identification("KFM", "5", "MT100")
    assert parse(b"1.8.0(1/2)\r\n").identification is None
