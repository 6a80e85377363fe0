"""The table of parts: every module in it exists, every old number leads to its part."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from cosem.cli.standards import parts, several_versions
from cosem.protocol.model.declare import REGISTRY

Cosem = Callable[..., Any]


def test_every_module_exists() -> None:
    assert [room for part in parts() for room in part.rooms if find_spec(f"cosem.{room}") is None] == []


def test_every_number_is_one_part() -> None:
    numbers = [number for part in parts() for number in (part.number, *part.earlier)]
    assert len(numbers) == len(set(numbers))
    for part in parts():
        for name in (part.number, *part.earlier):
            assert [each for each in parts() if each.answers_to(name)] == [part]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("62056-61", "62056-6-1"),
        ("62056-62", "62056-6-2"),
        ("62056-53", "62056-5-3"),
        ("IEC 62056-53:2006", "62056-5-3"),
        ("-53", "62056-5-3"),
        ("62056-46", "62056-7-6"),
        ("EN 62056-46:2002+A1:2007", "62056-7-6"),
        ("62056-47", "62056-4-7"),
        ("IEC/TS 62056-1-1", "62056-1-1"),
        ("62056-42", "62056-42"),
        ("IEC 61107", "62056-21"),
        ("iec 1107", "62056-21"),
        ("61334-4-41", "62056-5-3"),
        ("IEC 61334-6", "61334-6"),
        ("62056-31", "62056-3-1"),
        ("hdlc", "62056-7-6"),
        ("OBIS", "62056-6-1"),
    ],
)
def test_old_numbers_lead_to_their_part(cosem: Cosem, old: str, new: str) -> None:
    (part,) = cosem("standards", "--json", "--", old).json["parts"]
    assert part["part"] == new


def test_a_book_is_several_parts(cosem: Cosem) -> None:
    assert [part["part"] for part in cosem("standards", "Blue Book", "--json").json["parts"]] == [
        "62056-6-1",
        "62056-6-2",
    ]


def test_the_whole_table(cosem: Cosem) -> None:
    ran = cosem("standards")
    assert ran.code == 0
    lines = ran.out.splitlines()[2:]
    assert len(lines) == len(parts())
    assert any("62056-46" in line and "protocol.link.hdlc" in line for line in lines)


def test_old_editions_of_the_object_model_are_versions_of_classes(cosem: Cosem) -> None:
    ran = cosem("standards", "62056-62")
    rows = [line.split() for line in ran.out.splitlines()]
    assert ["15", "AssociationLN", "0", "1", "2", "3"] in rows
    told = cosem("standards", "62056-62", "--json").json["classes_with_several_versions"]
    assert {each["class_id"] for each in told} == {each.class_id for each in several_versions()}
    assert all((each["class_id"], version) in REGISTRY for each in told for version in each["versions"])
    assert all(len(each["versions"]) > 1 for each in told)


def test_an_unknown_name(cosem: Cosem) -> None:
    ran = cosem("standards", "62056-99")
    assert (ran.code, ran.out) == (1, "")
    assert "no part is called '62056-99'" in ran.err
