"""Frames and records of Elgama: round trips, cutting changes nothing, whatever comes is a value or a typed error."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import CosemError, DecodeError
from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama import tables
from cosem.protocol.elgama.client import ElgamaClient
from cosem.protocol.elgama.frame import GREATEST_SERIAL, LONGEST, LONGEST_BODY, Command, Frame, FrameReader
from cosem.protocol.elgama.models import EPQM
from cosem.protocol.elgama.station import ElgamaStation

FRAMES = st.builds(
    Frame,
    st.integers(0, GREATEST_SERIAL),
    st.integers(0, 255),
    st.sampled_from(Command),
    st.binary(max_size=LONGEST_BODY),
)
NOISE = st.binary(max_size=300)


@given(FRAMES)
def test_frames_survive(frame: Frame) -> None:
    assert Frame.decode(frame.encode()) == frame


@given(st.lists(FRAMES, max_size=4), st.lists(st.integers(1, 50), min_size=1), NOISE)
def test_cutting_changes_nothing(frames: list[Frame], sizes: list[int], noise: bytes) -> None:
    octets = b"".join(frame.encode() for frame in frames) + noise
    whole, pieces = FrameReader(Counter()), FrameReader(Counter())
    whole.feed(octets)
    expected = list(iter(whole.frame, None))
    assert expected[: len(frames)] == frames
    found: list[Frame] = []
    at = turn = 0
    while at < len(octets):
        pieces.feed(octets[at : at + sizes[turn % len(sizes)]])
        found += iter(pieces.frame, None)
        assert len(pieces._octets) < LONGEST
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    assert found == expected


@given(st.datetimes(datetime(2000, 1, 1), datetime(2127, 12, 31)))
def test_times_survive(time: datetime) -> None:
    even = time.replace(microsecond=0, second=time.second // 2 * 2)
    assert tables.packed_time(tables.pack_time(time)) == even


@given(NOISE)
def test_records_are_values_or_errors(octets: bytes) -> None:
    for read in (tables.packed_time, tables.epqs_clock, tables.epqm_clock, tables.events, tables.epqs_profile_record):
        with suppress(DecodeError):
            read(octets)
    with suppress(DecodeError):
        record = tables.epqs_register_record(octets)
        assert len(record.periods) <= tables.RECORDS


@given(st.lists(NOISE | FRAMES.map(Frame.encode), max_size=6), st.booleans())
def test_the_engines_never_hang(pieces: list[bytes], protected: bool) -> None:
    password = Secret(b"12345")
    client = ElgamaClient(EPQM, 1, password)
    station = ElgamaStation(EPQM, 1, lambda table: table, password=password, entropy=bytes)
    now = 0.0
    with suppress(CosemError):
        client.request(b"", bytes(8), now) if protected else client.ask(b"", now)
        for octets in pieces:
            now += 0.5
            station.receive(octets, now)
            client.receive(octets, now)
    for _ in range(10):
        now += 100.0
        station.tick(now)
        with suppress(CosemError):
            client.tick(now)
    assert station.deadline() is None
    assert client.deadline() is None
