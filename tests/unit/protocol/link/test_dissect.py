"""Frames and wrapped APDUs as annotated trees."""

import json
from pathlib import Path

import pytest

from cosem.protocol.link import dissect
from cosem.protocol.link.hdlc.frame import encode

ROOT = Path(__file__).parents[4]
VECTORS = json.loads((ROOT / "tests/vectors/hdlc.json").read_text())["frames"]
CAPTURES = [json.loads(line) for line in (ROOT / "tests/vectors/hdlc_captures.jsonl").read_text().splitlines()]


def covered(nodes, start, stop):
    """Check that nodes stand side by side in order and inside their parent, and return where they end."""
    for node in nodes:
        assert start <= node.offset <= node.offset + node.length <= stop
        start = node.offset + node.length
        covered(node.children, node.offset, start)
    return start


def named(node, name):
    return next(child for child in node.children if child.name == name)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_published_frames(vector):
    octets = bytes.fromhex(vector["octets"])
    (frame,) = dissect.hdlc(octets)
    assert (frame.name, frame.offset, frame.length) == ("frame", 0, len(octets))
    assert frame.text.split()[0].rstrip(",") == vector["kind"]
    assert sum(child.length for child in frame.children) == len(octets)
    assert named(frame, "frame-check").text == "good"
    if vector["information"]:
        assert named(frame, "header-check").text == "good"
        apdu = named(named(frame, "information"), "apdu")
        assert octets[apdu.offset : apdu.offset + apdu.length].hex().upper() == vector["information"][6:]


@pytest.mark.parametrize("case", CAPTURES, ids=lambda case: case["id"])
def test_captures_are_covered_whole(case):
    octets = bytes.fromhex(case["hex"].replace(" ", ""))
    nodes = dissect.hdlc(octets)
    assert covered_with_shared_flags(nodes) == len(octets)


def covered_with_shared_flags(nodes):
    end = 0
    for node in nodes:
        assert end - 1 <= node.offset <= end
        assert covered(node.children, node.offset, node.offset + node.length) <= node.offset + node.length
        end = node.offset + node.length
    return end


def test_parameters_are_named():
    octets = bytes.fromhex("7ea01f05022173e9098180120501f80601f00704000000010804000000013d9b7e")
    information = named(dissect.hdlc(octets)[0], "information")
    assert [(child.name, child.text) for child in information.children] == [
        ("maximum_information_transmit", "248"),
        ("maximum_information_receive", "240"),
        ("window_transmit", "1"),
        ("window_receive", "1"),
    ]


def test_damage_is_shown():
    octets = bytearray.fromhex(VECTORS[4]["octets"])
    octets[20] ^= 1
    (frame,) = dissect.hdlc(bytes(octets))
    assert frame.text.endswith("damaged")
    assert named(frame, "header-check").text == "good"
    assert named(frame, "frame-check").text.startswith("wrong, expected ")
    octets[20] ^= 1
    octets[8] ^= 1
    (frame,) = dissect.hdlc(bytes(octets))
    assert named(frame, "header-check").text == "wrong, expected 78A2"


def test_shared_flags_doubled_flags_and_noise():
    first, second = (bytes.fromhex(vector["octets"]) for vector in VECTORS[:2])
    names = [node.name for node in dissect.hdlc(b"\x00\x01" + first + second[1:] + b"\x7e\x7e" + first + b"\x7e\xa0")]
    assert names == ["noise", "frame", "frame", "flags", "frame", "noise"]
    assert dissect.hdlc(b"") == ()


def test_frame_reject_is_explained():
    octets = encode(b"\x21", b"\x02\x21", 0x97, b"\x10\x00\x04")
    assert "longer than agreed" in named(dissect.hdlc(octets)[0], "information").text


def test_wrapped():
    octets = bytes.fromhex("0001001000010002c0010001000100100003c401")
    whole, cut = dissect.wrapped(octets)
    assert (whole.text, whole.length) == ("16 to 1", 10)
    assert [child.name for child in whole.children] == ["version", "source", "destination", "length", "apdu"]
    assert cut.text == "1 to 16, 1 missing"
    assert cut.children[-1].name == "apdu-part"
    assert dissect.wrapped(octets[:5])[0].name == "noise"
    assert "expected 1" in dissect.wrapped(b"\x00\x02" + octets[2:])[0].text
