"""Telegrams in a stream: any way of cutting it gives the same, any octets end in telegrams or named errors."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import CosemError
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import P1Event, P1Keys, P1Reader, P1Settings, seal, telegrams
from cosem.protocol.iec21.tic import TicEvent, TicReader, TicSettings, frames

ROOT = Path(__file__).resolve().parents[2]
P1 = [json.loads(line) for line in (ROOT / "tests/vectors/p1.jsonl").read_text("utf-8").splitlines()]
TEXTS = [case["text"].encode("latin-1") for case in P1 if "text" in case]
KEYS = P1Keys(encryption_key=Key(bytes(range(16))))
PARTS = [*TEXTS, *(seal(each, KEYS, b"SAG12345", number) for number, each in enumerate(TEXTS[:4]))]
TIC = [
    json.loads(line)["text"].encode("latin-1")
    for line in (ROOT / "tests/vectors/tic.jsonl").read_text("utf-8").splitlines()
]
SMALL = P1Settings(telegram_octets=2000)


def read(octets: bytes, cuts: list[int]) -> tuple[list[str], dict[str, int]]:
    reader = P1Reader(KEYS, SMALL)
    events: list[P1Event] = []
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        reader.receive(octets[start:end], 0.0)
        events += reader.events()
    reader.finish()
    events += reader.events()
    return [f"{event!r} {event.error}" for event in events], dict(reader.counters)


@given(
    st.lists(
        st.one_of(st.sampled_from(PARTS), st.binary(max_size=40), st.sampled_from([b"/", b"!", b"\r\n", b"\xdb\x08"]))
    ),
    st.lists(st.integers(min_value=0), max_size=20),
)
def test_cutting_a_p1_stream_makes_no_difference(parts: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(parts)
    assert read(octets, cuts) == read(octets, [])


@pytest.mark.parametrize("octets", [PARTS[0], PARTS[-1], TEXTS[13]], ids=["clear", "sealed", "oldest"])
def test_p1_one_octet_at_a_time_and_truncated_at_every_length(octets: bytes) -> None:
    whole = read(octets, [])
    assert read(octets, list(range(len(octets)))) == whole
    sets = {each for event in telegrams(octets, KEYS) if not isinstance(event, Discarded) for each in event.sets}
    for size in range(len(octets)):
        for event in telegrams(octets[:size], KEYS):
            if isinstance(event, Discarded):
                assert isinstance(event.error, CosemError)
            else:
                assert set(event.sets) <= sets, "a value that was not sent"


@given(st.binary(max_size=300), st.sampled_from(TEXTS), st.integers(min_value=0), st.integers(0, 255))
def test_any_octets_in_a_p1_telegram(noise: bytes, text: bytes, at: int, octet: int) -> None:
    at %= len(text)
    for octets in (noise, text[:at] + noise + text[at:], text[:at] + bytes((octet,)) + text[at + 1 :]):
        for event in telegrams(octets, KEYS):
            assert event.error is None or isinstance(event.error, CosemError)


def read_tic(octets: bytes, cuts: list[int]) -> tuple[list[str], dict[str, int]]:
    reader = TicReader(TicSettings(frame_octets=1000))
    events: list[TicEvent] = []
    places = sorted({0, len(octets), *(cut % (len(octets) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        reader.receive(octets[start:end], 0.0)
        events += reader.events()
    reader.finish()
    events += reader.events()
    return [repr(event) for event in events], dict(reader.counters)


@given(
    st.lists(
        st.one_of(st.sampled_from(TIC), st.binary(max_size=40), st.sampled_from([b"\x02", b"\x03", b"\x04", b"\n"]))
    ),
    st.lists(st.integers(min_value=0), max_size=20),
)
def test_cutting_a_tic_stream_makes_no_difference(parts: list[bytes], cuts: list[int]) -> None:
    octets = b"".join(parts)
    assert read_tic(octets, cuts) == read_tic(octets, [])


@pytest.mark.parametrize("octets", TIC[-2:], ids=["standard", "historique"])
def test_tic_one_octet_at_a_time_and_truncated_at_every_length(octets: bytes) -> None:
    assert read_tic(octets, list(range(len(octets)))) == read_tic(octets, [])
    sent = {
        (each.label, each.data, each.time)
        for event in frames(octets)
        if not isinstance(event, Discarded)
        for each in event.groups
    }
    for size in range(len(octets)):
        for event in frames(octets[:size]):
            sound = () if isinstance(event, Discarded) else [each for each in event.groups if each.error is None]
            assert {(each.label, each.data, each.time) for each in sound} <= sent


@given(st.binary(max_size=300))
def test_any_octets_of_a_tic(octets: bytes) -> None:
    for event in frames(b"\x02" + octets + b"\x03"):
        assert event.octets
