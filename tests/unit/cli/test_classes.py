"""`cosem classes`: the table of all classes, one class in whole, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosem.protocol.model import REGISTRY

Cosem = Callable[..., Any]


def test_the_table_has_every_class_and_version(cosem: Cosem) -> None:
    ran = cosem("classes")
    lines = [line.split() for line in ran.out.splitlines()[2:]]
    assert ran.code == 0
    assert [(int(each[0]), int(each[1])) for each in lines] == sorted(REGISTRY)
    assert ["7", "1", "ProfileGeneric", "8", "2"] in [each[:5] for each in lines]


def test_json_says_the_same_and_the_group(cosem: Cosem) -> None:
    told = cosem("classes", "--json").json
    assert [(each["class_id"], each["version"]) for each in told] == sorted(REGISTRY)
    assert all(each["group"] and each["holds"] for each in told)
    (register,) = (each for each in told if each["class_id"] == 3)
    assert register == {
        "class_id": 3,
        "version": 0,
        "name": "Register",
        "attributes": 3,
        "methods": 1,
        "holds": "Holds one value with its scaler and unit.",
        "group": "parameters and measurement data",
    }


def test_a_class_is_explained(cosem: Cosem) -> None:
    shown = cosem("classes", 7).out
    assert shown.startswith("ProfileGeneric: class 7, version 1\nHolds rows")
    assert "Other versions: 0 (cosem classes 7/0)." in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "4 capture_period double-long-unsigned static read, write s +0x18" in lines
    assert "2 buffer array of structure dynamic read +0x08 1 RangeSelection, 2 EntrySelection" in lines
    assert "1 reset integer null-data +0x58" in lines
    assert any(line.startswith("structure CaptureObject class_id: long-unsigned, logical_name: ") for line in lines)
    assert any(line.startswith("enum SortMethod 1 first in first out, ") for line in lines)


def test_an_older_version_is_explained_in_json(cosem: Cosem) -> None:
    told = cosem("classes", "15/1", "--json").json
    assert (told["name"], told["version"], told["instance"]) == ("AssociationLNVersion1", 1, "0.0.40.0.0.255")
    assert [each["number"] for each in told["attributes"]] == list(range(1, 10))
    assert told["attributes"][1]["selectors"]["3"] == "NamedObjects"
    assert told["methods"][0]["argument"] == "octet-string"


def test_bits_of_a_bit_string_are_counted_from_the_first(cosem: Cosem) -> None:
    types = cosem("classes", "account", "--json").json["types"]
    assert types["bit-string(8) CurrentCreditStatus"]["bit 0"] == "in credit"
    assert cosem("classes", "clock", "--json").json["types"]["unsigned ClockStatus"]["1"] == "invalid"


@pytest.mark.parametrize("name", ["profile generic", "PROFILE-GENERIC", "ProfileGeneric", "profile_gen", "7v1"])
def test_a_class_goes_by_its_name(cosem: Cosem, name: str) -> None:
    assert cosem("classes", name).out.startswith("ProfileGeneric: class 7, version 1\n")


def test_a_word_shows_the_classes_that_have_it_in_their_names(cosem: Cosem) -> None:
    assert cosem("classes", "register").out.startswith("Register: class 3"), "a whole name goes before a part"
    names = [line.split()[2] for line in cosem("classes", "monitor").out.splitlines()[2:]]
    assert {"RegisterMonitor", "ParameterMonitor", "LteMonitoring"} <= set(names)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("9999", "interface class 9999 is not declared"),
        ("15/9", "interface class 15 is not declared in version 9, only in 0, 1, 2, 3"),
        ("Regsiter", "there are Register"),
        ("€", "`cosem classes` lists them all"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(cosem: Cosem, name: str, said: str) -> None:
    ran = cosem("classes", name)
    assert ran.code == 64
    assert said in ran.err


def test_every_class_can_be_explained(cosem: Cosem) -> None:
    for class_id, version in REGISTRY:
        ran = cosem("classes", f"{class_id}/{version}")
        assert ran.code == 0
        assert f"class {class_id}, version {version}\n" in ran.out
