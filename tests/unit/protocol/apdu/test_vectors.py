"""Octets and what they mean: published examples, captures and a peer's output, each also cut and lengthened.

The cases of the corpus that may not be copied are run from beside the clone when it lies there.
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import DecodeError
from cosem.protocol import apdu
from cosem.protocol.apdu import AcseServiceProvider, AcseServiceUser
from cosem.protocol.codec.dissect import MALFORMED, Node, as_dict, render
from cosem.protocol.codec.schema import Wire
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

ROOT = Path(__file__).parents[4]
CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (ROOT / "tests/vectors/apdu.jsonl").read_text("utf-8").splitlines()
]
GOOD = [pytest.param(case, id=case["id"]) for case in CASES if "kind" in case]
BAD = [pytest.param(case, id=case["id"]) for case in CASES if "error" in case]
CORPUS = ROOT.parent / "shared/corpus/cases_dev.jsonl"

# Octets that are whole without their end: what is cut off is optional and has no presence octet.
WHOLE_WHEN_CUT = {"D80106"}


@pytest.mark.parametrize("case", GOOD)
def test_octets_mean_what_the_source_says(case: dict[str, Any]) -> None:
    value: Any = apdu.decode(bytes.fromhex(case["octets"]))
    assert case["kind"] == value.NAME
    assert_facts(value, case["facts"])
    if "inside" in case:
        inside = apdu.decode(value.user_information)
        assert case["inside"]["kind"] == inside.NAME
        assert_facts(inside, case["inside"]["facts"])


@pytest.mark.parametrize("case", GOOD)
def test_values_give_the_octets_back(case: dict[str, Any]) -> None:
    octets = bytes.fromhex(case["octets"])
    value = apdu.decode(octets)
    assert value.encode().hex().upper() == case.get("encodes_as", case["octets"])
    again = apdu.decode(value.encode())
    assert again == value or "inside" in case


@pytest.mark.parametrize("case", GOOD)
def test_octets_cut_anywhere_are_refused(case: dict[str, Any]) -> None:
    octets = bytes.fromhex(case["octets"])
    for size in range(len(octets)):
        cut = octets[:size]
        if cut.hex().upper() in WHOLE_WHEN_CUT:
            continue
        with pytest.raises(DecodeError) as caught:
            apdu.decode(cut)
        assert caught.value.offset is not None
        assert caught.value.offset <= size
        assert_ends_in_error(apdu.dissect(cut))


@pytest.mark.parametrize("case", GOOD)
@pytest.mark.parametrize("more", ["00", "FF", "0000000000", "C001C1"])
def test_octets_with_more_behind_are_refused(case: dict[str, Any], more: str) -> None:
    with pytest.raises(DecodeError):
        apdu.decode(bytes.fromhex(case["octets"] + more))


@pytest.mark.parametrize("case", GOOD)
def test_a_dissection_covers_the_octets(case: dict[str, Any]) -> None:
    octets = bytes.fromhex(case["octets"])
    tree = apdu.dissect(octets)
    assert (tree.offset, tree.length) == (0, len(octets))
    assert not any(node.name == MALFORMED for node in nodes(tree))
    assert json.loads(json.dumps(as_dict(tree)))["length"] == len(octets)
    assert len(render(tree, octets).splitlines()) == len(nodes(tree))


@pytest.mark.parametrize("case", BAD)
def test_damage_is_named(case: dict[str, Any]) -> None:
    octets = bytes.fromhex(case["octets"])
    with pytest.raises(DecodeError) as caught:
        apdu.decode(octets)
    error = case["error"]
    assert caught.value.offset == error["offset"], str(caught.value)
    assert ".".join(caught.value.path) == error.get("path", ".".join(caught.value.path))
    assert error.get("says", "") in str(caught.value)
    assert_ends_in_error(apdu.dissect(octets))


def test_the_corpus_beside_the_clone() -> None:
    copied = {case["corpus"] for case in CASES if "corpus" in case}
    lines = CORPUS.read_text("utf-8").splitlines() if CORPUS.exists() else []
    for case in map(json.loads, lines):
        if case["kind"] != "apdu" or case["id"] in copied:
            continue
        for part in map(bytes.fromhex, case["hex"].split()):
            octets = part.removeprefix(bytes.fromhex("E6E700"))
            try:
                value: Any = apdu.decode(octets)
            except DecodeError as error:
                assert str(error).startswith(REFUSED[case["id"]]), (case["id"], str(error))
                continue
            assert case["id"] not in REFUSED
            assert value.encode() == octets, case["id"]
            expected = case["expected"] if isinstance(case["expected"], dict) else {}
            for name, fact in expected.items():
                for kind, read in READERS.get(name, {}).items():
                    if isinstance(value, kind):
                        assert read(value) == fact, (case["id"], name)


REFUSED = {
    # A stray HDLC flag was left inside when the segments were put together.
    "amsreader-iskraemeco-gh1072-2": "data-notification.body.",
}

READERS: dict[str, dict[type[Wire], Any]] = {
    "class": {
        apdu.GetRequestNormal: lambda value: value.attribute.class_id,
        apdu.ActionRequestNormal: lambda value: value.method.class_id,
    },
    "obis": {
        apdu.GetRequestNormal: lambda value: str(value.attribute.instance_id),
        apdu.ActionRequestNormal: lambda value: str(value.method.instance_id),
    },
    "attribute": {apdu.GetRequestNormal: lambda value: value.attribute.attribute_id},
    "method": {apdu.ActionRequestNormal: lambda value: value.method.method_id},
    "block_number": {apdu.GetResponseWithDatablock: lambda value: value.result.block_number},
    "last_block": {apdu.GetResponseWithDatablock: lambda value: value.result.last_block},
    "invocation_counter": {apdu.GeneralGlobalCiphering: lambda value: value.header.invocation_counter},
    "conformance": {
        apdu.AssociationRequest: lambda value: f"{conformance(value.user_information):06x}",
        apdu.AssociationResponse: lambda value: f"{conformance(value.user_information):06x}",
        apdu.ReleaseResponse: lambda value: f"{conformance(value.user_information):06x}",
    },
    "system_title": {
        apdu.AssociationRequest: lambda value: value.calling_ap_title.hex().upper(),
        apdu.AssociationResponse: lambda value: value.responding_ap_title.hex().upper(),
    },
}


def conformance(user_information: bytes) -> int:
    inside: Any = apdu.decode(user_information)
    name = "proposed" if isinstance(inside, apdu.InitiateRequest) else "negotiated"
    return int(getattr(inside, f"{name}_conformance"))


def assert_facts(value: Any, facts: dict[str, Any]) -> None:
    for path, fact in facts.items():
        here = value
        for step in path.split("."):
            here = here[int(step)] if step.isdecimal() else getattr(here, step)
        assert plain(here) == fact, path


def plain(value: Any) -> Any:
    """Return a value as JSON has it, octets as hexadecimal."""
    if isinstance(value, (AcseServiceUser, AcseServiceProvider)):
        return f"{type(value).__name__} {int(value)}"
    if isinstance(value, (Obis, DateTime)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex().upper()
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, Enum) and not isinstance(value, int):
        return value.name
    return value


def nodes(tree: Node) -> list[Node]:
    found, stack = [], [tree]
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(node.children)
    return found


def assert_ends_in_error(tree: Node) -> None:
    while tree.children:
        tree = tree.children[-1]
    assert tree.name == MALFORMED
    assert tree.text
