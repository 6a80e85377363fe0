"""Codes explained, listed and found at the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Cosem = Callable[..., Any]


@pytest.mark.parametrize("written", ["1-0:1.8.0*255", "1.8.0", "1.0.1.8.0.255", "0100010800FF"])
def test_a_code_is_explained_in_every_form(cosem: Cosem, written: str) -> None:
    ran = cosem("obis", written)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "1.0.1.8.0.255  Active energy import"
    assert lines[1] == "as a rule class 3 Register, unit Wh; standard"
    rows = [line.split(maxsplit=2) for line in lines[5:]]
    assert rows[2:4] == [["C", "1", "Active energy import"], ["D", "8", "time integral"]]


def test_a_code_as_json(cosem: Cosem) -> None:
    told = cosem("obis", "1-1:52.7.0", "--json").json
    assert told["obis"] == "1.1.52.7.0.255"
    assert told["separated"] == "1-1:52.7.0*255"
    assert (told["name"], told["class_id"], told["unit"]) == ("Voltage L2, channel 1", 3, "V")
    assert told["scope"] == "standard"
    assert [group["value"] for group in told["groups"]] == [1, 1, 52, 7, 0, 255]
    assert told["groups"][1]["meaning"] == "channel 1"


def test_codes_of_others_are_said_to_be_theirs(cosem: Cosem) -> None:
    assert "Country-specific object 31.4, Netherlands" in cosem("obis", "0.0.94.31.4.255").out
    assert "manufacturer-specific" in cosem("obis", "1.0.128.1.0.255").out
    assert "utility-specific" in cosem("obis", "1.65.1.8.0.255").out
    assert "reserved" in cosem("obis", "1.0.110.8.0.255").out


def test_words_find_codes(cosem: Cosem) -> None:
    ran = cosem("obis", "reactive", "import", "tariff", "2")
    assert ran.code == 0
    first = ran.out.splitlines()[2].split()
    assert first == ["1.0.3.8.2.255", "Reactive", "energy", "import,", "rate", "2", "3", "Register", "varh"]
    assert ran.out == cosem("obis", "reactive import tariff 2").out
    told = cosem("obis", "reactive import tariff 2", "--limit", "3", "--json").json
    assert told["found"][0]["obis"] == "1.0.3.8.2.255"
    assert len(told["found"]) == 3


def test_a_pattern_lists_what_it_has_names_for(cosem: Cosem) -> None:
    ran = cosem("obis", "1.0.1-2.8.*.255")
    assert ran.code == 0
    assert [line.split()[0] for line in ran.out.splitlines()[2:]] == [
        "1.0.1.8.0.255",
        "1.0.1.8.1-63.255",
        "1.0.2.8.0.255",
        "1.0.2.8.1-63.255",
    ]
    assert ran.err == "4 named patterns, 128 codes\n"
    told = cosem("obis", "1.0.1-2.8.*.255", "--json").json
    assert told["named"][1] == {
        "pattern": "1.0.1.8.1-63.255",
        "name": "Active energy import, rate 1…63",
        "class_id": 3,
        "unit": "Wh",
    }


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["xyzzy"], 1, "no name has any word of 'xyzzy': try others"),
        (["3.0.1-2.8.*.255"], 1, "0 named patterns, 0 codes"),
        (["1.0.1.8.300.255"], 64, "is no OBIS"),
        (["1.2-1.8"], 64, "is no OBIS pattern"),
        ([" "], 64, "nothing to look for"),
        (["voltage", "--limit", "0"], 64, ""),
    ],
)
def test_what_is_not_found_says_what_to_try(cosem: Cosem, words: list[str], code: int, said: str) -> None:
    ran = cosem("obis", *words)
    assert ran.code == code
    assert said in ran.err
