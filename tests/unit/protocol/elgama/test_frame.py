"""Frames of the Elgama byte protocol, judged by the four captured ones that are public."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.codec.crc import crc16_arc
from cosem.protocol.elgama import tables
from cosem.protocol.elgama.frame import GREATEST_SERIAL, LONGEST_BODY, Command, Frame, FrameReader

VECTORS = Path(__file__).resolve().parents[3] / "vectors" / "elgama.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
each_capture = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])


def whole(case: dict[str, Any]) -> tuple[bytes, Frame]:
    frame = Frame(case["serial"], case["counter"], Command[case["command"]], bytes.fromhex(case["body"]))
    return bytes.fromhex(case["octets"]), frame


@each_capture
def test_captures_decode_and_encode(case: dict[str, Any]) -> None:
    octets, frame = whole(case)
    assert Frame.decode(octets) == frame
    assert frame.encode() == octets


@each_capture
def test_cut_and_altered_captures_are_errors(case: dict[str, Any]) -> None:
    octets, _ = whole(case)
    for size in range(len(octets)):
        with pytest.raises(DecodeError):
            Frame.decode(octets[:size])
    for at in range(len(octets)):
        with pytest.raises(DecodeError):
            Frame.decode(octets[:at] + bytes((octets[at] ^ 0x10,)) + octets[at + 1 :])
    with pytest.raises(DecodeError, match="length"):
        Frame.decode(octets + b"\x00")


@each_capture
@pytest.mark.parametrize("size", [1, 3, 14])
def test_the_reader_finds_captures_between_noise(case: dict[str, Any], size: int) -> None:
    octets, frame = whole(case)
    counters: Counter[str] = Counter()
    reader = FrameReader(counters)
    found: list[Frame] = []
    stream = b"\x00\x05\x0a" + octets + b"\x01\x02" + octets
    for start in range(0, len(stream), size):
        reader.feed(stream[start : start + size])
        while (each := reader.frame()) is not None:
            found.append(each)
    assert found == [frame, frame]
    assert counters["noise"] == 5
    assert not reader.partial


def test_a_length_that_lies_is_given_up() -> None:
    octets, frame = whole(CASES[0])
    reader = FrameReader(Counter())
    reader.feed(b"\xff" + octets)
    assert reader.frame() is None
    reader.give_up()
    assert reader.frame() == frame


def test_what_has_a_right_crc_may_still_be_no_frame() -> None:
    def of(address: str, command: int) -> bytes:
        octets = bytes.fromhex(f"0B{address}01{command:02X}")
        return octets + crc16_arc(octets).to_bytes(2, "little")

    for octets, reason in ((of("0A0000000000", 1), "not decimal"), (of("010000000000", 7), "0x07 is not known")):
        with pytest.raises(DecodeError, match=reason):
            Frame.decode(octets)
        counters: Counter[str] = Counter()
        reader = FrameReader(counters)
        reader.feed(octets)
        assert reader.frame() is None
        assert counters["unreadable"] == 1


def test_limits() -> None:
    assert len(Frame(GREATEST_SERIAL, 255, Command.DAT, bytes(LONGEST_BODY)).encode()) == 255
    for serial, counter, size in ((GREATEST_SERIAL + 1, 0, 0), (-1, 0, 0), (0, 256, 0), (0, 0, LONGEST_BODY + 1)):
        with pytest.raises(ConfigurationError):
            Frame(serial, counter, Command.DAT, bytes(size))


def test_requests_are_those_of_the_captures() -> None:
    bodies = [whole(case)[1].body for case in CASES]
    assert bodies == [tables.EPQS_MODEL, tables.EPQS_CLOCK, tables.epqs_profile(0, 0x0500), tables.epqs_events(0)]
