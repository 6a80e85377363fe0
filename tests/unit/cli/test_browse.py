"""`cosem browse` against served meters: the tree, JSON, CSV, what is left out, and how it ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from unit.cli.conftest import AK, EK, PASSWORD

Cosem = Callable[..., Any]


def objects(ran: Any) -> dict[str, Any]:
    (device,) = ran.json["devices"]
    return {each["obis"]: each for each in device["objects"]}


def test_the_tree_has_names_classes_rights_and_values(cosem: Cosem, served: Any) -> None:
    ran = cosem("browse", served.wrapper, "--only", "1-*:1.8.0")
    assert ran.code == 0
    lines = [" ".join(line.split()) for line in ran.out.splitlines() if line.strip()]
    assert lines[0] == "logical device 1: TST0000000000001"
    assert lines[1].startswith("client 16, public (without authentication): sees ")
    assert lines[-3:] == [
        "1.0.1.8.0.255 3 Register v0: Active energy import",
        "2 value r 1234567.8 Wh",
        "3 scaler_unit r {scaler: -1, unit: watt hour (30)}",
    ]
    assert ran.err == "logical device 1: 1 objects\n"


def test_json_has_everything(cosem: Cosem, served: Any) -> None:
    ran = cosem("browse", served.wrapper, "--json")
    (device,) = ran.json["devices"]
    assert (device["sap"], device["name"], device["system_title"]) == (1, "TST0000000000001", None)
    (association,) = device["associations"]
    assert (association["client"], association["level"], association["opened"]) == (16, "public", True)
    assert association["objects"] == len(device["objects"])
    energy = objects(ran)["1.0.1.8.0.255"]
    assert energy["attributes"][1] == {
        "index": 2,
        "name": "value",
        "access": {"16": ["read"]},
        "selectors": [],
        "type": "double-long-unsigned",
        "value": 1234567.8,
        "unit": "Wh",
        "raw": 12345678,
    }
    writable = objects(ran)["0.0.96.1.1.255"]
    assert (writable["class_id"], writable["class"], writable["name"]) == (1, "Data", "Device ID 2")
    assert writable["attributes"][1]["access"] == {"16": ["read", "write"]}
    buffer = objects(ran)["1.0.99.1.0.255"]["attributes"][1]
    assert buffer["selectors"] == [1, 2] and "value" not in buffer
    assert objects(ran)["0.0.1.0.0.255"]["methods"][0]["access"] == {"16": ["access"]}


def test_what_each_client_may_do_stands_side_by_side(cosem: Cosem, served: Any) -> None:
    place = f"{served.wrapper}?client=1"
    ran = cosem("browse", place, "--ek", EK, "--ak", AK, "--only", "0.0.96.1.1.255")
    assert ran.code == 0, ran.err
    assert "client 1, challenge (authentication gmac), authentication and encryption: sees" in ran.out
    assert "16:rw 1:r" in ran.out


def test_csv_has_a_line_for_each_attribute(cosem: Cosem, served: Any) -> None:
    ran = cosem("browse", served.wrapper, "--csv")
    rows = list(csv.DictReader(StringIO(ran.out)))
    energy = [row for row in rows if row["obis"] == "1.0.1.8.0.255"]
    assert [(row["attribute"], row["value"], row["unit"]) for row in energy][1] == ("2", "1234567.8", "Wh")
    hostile = next(row for row in rows if row["obis"] == "0.0.96.1.0.255" and row["attribute"] == "2")
    assert "\x1b" not in ran.out and hostile["value"].startswith("\\x1b")


def test_a_terminal_is_not_harmed(cosem: Cosem, served: Any) -> None:
    for words in ((), ("--json",), ("--csv",)):
        ran = cosem("browse", served.wrapper, *words)
        assert "\x1b" not in ran.everything and "\u202e" not in ran.everything


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--class", "Register"), {"1.0.1.8.0.255"}),
        (("--class", "3"), {"1.0.1.8.0.255"}),
        (("--class", "register", "--class", "8"), {"1.0.1.8.0.255", "0.0.1.0.0.255"}),
        (("--class", "3", "--only", "*.9.9"), set()),
        (("--device", "1", "--class", "3"), {"1.0.1.8.0.255"}),
    ],
)
def test_filters(cosem: Cosem, served: Any, words: tuple[str, ...], names: set[str]) -> None:
    assert objects(cosem("browse", served.wrapper, "--json", *words)).keys() == names


def test_without_values_and_with_buffers(cosem: Cosem, served: Any) -> None:
    bare = objects(cosem("browse", served.wrapper, "--json", "--no-values"))
    assert not any("value" in attribute for each in bare.values() for attribute in each["attributes"])
    whole = objects(cosem("browse", served.household, "--json", "--buffers", "--class", "7"))
    assert len(whole["1.0.99.1.0.255"]["attributes"][1]["value"]) == 960
    assert "not read (--buffers)" in cosem("browse", served.household, "--class", "7").out


def test_who_does_not_get_in_sees_what_the_public_client_sees(cosem: Cosem, served: Any) -> None:
    ran = cosem("browse", f"{served.wrapper}?client=32", "--password", "wrong", "--json")
    assert ran.code == 2
    assert "could not connect: the meter rejected the association" in ran.err
    (device,) = ran.json["devices"]
    assert [each["opened"] for each in device["associations"]] == [True, False]
    assert device["objects"]


def test_nobody_there(cosem: Cosem, nobody: str) -> None:
    ran = cosem("browse", nobody)
    assert ran.code == 2
    assert "refused the connection" in ran.err


def test_a_meter_that_leaves(cosem: Cosem, deserter: str) -> None:
    ran = cosem("browse", deserter, "--json")
    assert ran.code == 3
    assert "the session was lost" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--json", "--csv"), "write one of them"),
        (("--keep-identity",), "goes with --snapshot"),
        (("--snapshot", "x.json", "--only", "1.8.0"), "of all objects"),
        (("--snapshot", "x.json", "--no-values"), "of all objects"),
        (("--class", "Nothing"), "is no interface class"),
        (("--only", "nothing"), "is no OBIS pattern"),
    ],
)
def test_what_does_not_go_together(cosem: Cosem, words: tuple[str, ...], said: str) -> None:
    ran = cosem("browse", "tcp://192.0.2.1", *words)
    assert (ran.code, ran.out) == (64, "")
    assert said in ran.err


def test_a_snapshot_is_for_its_owner_alone_and_says_how_to_serve_it(cosem: Cosem, served: Any, tmp_path: Path) -> None:
    file = tmp_path / "meter.json"
    ran = cosem("browse", f"{served.wrapper}?client=32", "--password", PASSWORD, "--snapshot", file)
    assert ran.code == 0, ran.err
    assert f"cosem simulate {file}" in ran.err
    assert file.stat().st_mode & 0o077 == 0
    kept = json.loads(file.read_text())
    assert (kept["format"], kept["version"]) == ("cosem-snapshot", 1)
    assert PASSWORD.encode().hex().upper() not in file.read_text()
    assert b"TST0000000000001".hex().upper() in file.read_text()  # which is its own stand-in
