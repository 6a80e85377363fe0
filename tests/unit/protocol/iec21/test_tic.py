"""The French TIC: captures of both modes, checksums over both ranges, interruptions, and limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, RemoteProtocolError
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.tic import (
    Frame,
    Group,
    Mode,
    TicEvent,
    TicReader,
    TicSettings,
    checksum,
    frame,
    frames,
    groups,
    labels,
)
from cosem.protocol.values.units import Unit

ROOT = Path(__file__).resolve().parents[4]
CASES = [json.loads(line) for line in (ROOT / "tests/vectors/tic.jsonl").read_text("utf-8").splitlines()]
CASE = {case["id"]: case for case in CASES}


def octets_of(name: str) -> bytes:
    text: str = CASE[name]["text"]
    return text.encode("latin-1")


def whole(events: list[TicEvent]) -> list[Frame]:
    return [each for each in events if isinstance(each, Frame) and each.complete]


@pytest.mark.parametrize("name", CASE)
def test_captures(name: str) -> None:
    case = CASE[name]
    found = whole(frames(octets_of(name)))
    assert len(found) == case["frames"]
    assert sum(len(each.groups) for each in found) == case["groups"]
    assert {each.mode.value for each in found} == {case["mode"]}
    assert [group for each in found for group in each.groups if group.error is not None] == []
    assert {group.label for each in found for group in each.groups} <= labels().keys()
    for each in found:
        stated = case.get("expected", {})
        assert {group.label: group.data for group in each.groups if group.label in stated} == stated


@pytest.mark.parametrize("name", CASE)
def test_written_as_captured(name: str) -> None:
    for each in whole(frames(octets_of(name))):
        assert frame(each.groups) in octets_of(name)
        # DATE has a time and no data, which is written as it is read.
        assert len(frame(each.groups)) == len(each.octets)


@pytest.mark.parametrize("name", CASE)
def test_no_octet_of_a_group_may_change(name: str) -> None:
    group = next(
        each for each in whole(frames(octets_of(name)))[0].groups if each.label in ("IMAX1", "BASE", "EAST", "IMAX")
    )
    for at in range(len(group.octets)):
        for bit in range(7):
            octets = bytearray(group.octets)
            octets[at] ^= 1 << bit
            # The sum has six bits only: what changes its seventh alone goes unseen.
            (seen,) = groups(bytes(octets) + b"\r") if b"\n" not in octets else (group,)
            assert seen.error is not None or bit == 6 or b"\n" in octets


def test_what_a_frame_says_of_itself() -> None:
    (found,) = whole(frames(octets_of("openhab-standard-three-phase-prod")))
    assert found.meter == "123456789012"
    assert found.moment is not None
    assert found.moment.local.isoformat() == "2021-04-14T08:26:25"
    power = found.find("SMAXSN2")
    assert power is not None and power.moment is not None
    assert (power.data, power.moment.local.isoformat()) == ("02194", "2021-04-14T07:02:39")
    energy = found.find("EAST")
    assert energy is not None and energy.known is not None
    assert energy.value.scaled == (11604109, 0, Unit.WATT_HOUR)
    reference = found.find("PREF")
    assert reference is not None and reference.value.scaled == (18, 3, Unit.VOLT_AMPERE)
    assert found.find("NOTHING") is None
    (old,) = whole(frames(octets_of("linkytic-historic")))
    assert (old.meter, old.moment) == ("012345678910", None)


def test_labels_are_whole() -> None:
    assert len(labels()) > 100
    for label in labels().values():
        assert label.unit is not None or label.obis is None


@pytest.mark.parametrize(
    "group",
    [
        b"PAPP 02850 1",
        b"PAPP 02850",
        b"PAPP",
        b"PAPP 02850 0 ",
        b" 02850 0",
        b"PAPP\t02850\t0",
        b"PAPP 02\x00850 0",
        b"PAPP 0285\xb0 0",
        b"A\tB\tC\tD\t" + bytes((checksum(b"A\tB\tC\tD", Mode.STANDARD),)),
        b"PAPP  ",
    ],
)
def test_one_bad_group_loses_no_other(group: bytes) -> None:
    octets = b"\x02\nIINST 012 Z\r\n" + group + b"\r\nIMAX 090 H\r\x03"
    (found,) = frames(octets)
    assert isinstance(found, Frame) and found.complete
    assert [each.error is None for each in found.groups] == [True, False, True]
    assert found.groups[1].octets == group
    assert octets[found.groups[1].offset :].startswith(group)
    assert found.find("IMAX") is not None


def test_time_that_cannot_be_read_spoils_no_group() -> None:
    for time in ("E211314082625", "", " 000000000000"):
        made = Group("DPM1", "00", time, Mode.STANDARD).encode()
        (found,) = groups(made)
        assert (found.error, found.time, found.moment) == (None, time, None)
        assert found.encode() == made


def test_checksum_may_be_a_space() -> None:
    for octets in (b"PTEC HP..  \r", b"EASD01\t000000000\t \r"):
        (found,) = groups(octets)
        assert found.error is None
        assert found.encode() == b"\n" + octets


ONE = frame([Group("IINST", "012"), Group("IMAX", "090")])


@pytest.mark.parametrize(
    ("octets", "labels_", "complete"),
    [
        (ONE[:-1] + b"\x04", ["IINST", "IMAX"], False),  # interrupted by the meter
        (ONE[:-1] + ONE, ["IINST", "IMAX"], False),  # another frame begins
        (ONE[:-8], ["IINST", "IMAX"], False),  # no end, and the last group cut
    ],
)
def test_interrupted_frame_keeps_its_groups(octets: bytes, labels_: list[str], complete: bool) -> None:
    found = frames(octets)[0]
    assert isinstance(found, Frame)
    assert found.complete is complete
    assert [group.label for group in found.groups] == labels_
    assert found.groups[0].error is None


def test_noise_between_frames_and_joining_in_the_middle() -> None:
    reader = TicReader()
    reader.receive(b"PP 02850 0\r\x03\xff\x04" + ONE + b"\xff" + ONE + b"\x02\x02junk\x03", 0.0)
    events = reader.events()
    assert len(whole(events)) == 3
    assert [type(each) for each in events] == [Frame, Frame, Discarded, Frame]
    assert reader.counters["octets_skipped"] == 15
    assert reader.counters["groups"] == 4
    assert reader.counters["groups_not_understood"] == 1
    assert reader.outgoing() == b""


def test_silence_ends_a_frame() -> None:
    reader = TicReader(TicSettings(silence=3.0))
    assert reader.deadline() is None
    reader.receive(ONE[:14], 10.0)
    assert reader.deadline() == 13.0
    reader.tick(12.9)
    assert reader.events() == []
    reader.tick(13.0)
    ((event),) = reader.events()
    assert isinstance(event, Frame) and not event.complete
    assert reader.deadline() is None


def test_frame_at_the_limit_and_one_octet_over() -> None:
    octets = frame([Group("IINST", "012")] * 10)
    for limit, complete in ((len(octets), True), (len(octets) - 1, False)):
        reader = TicReader(TicSettings(frame_octets=limit))
        reader.receive(octets, 0.0)
        (event,) = reader.events()
        assert isinstance(event, Frame) and event.complete is complete
    with pytest.raises(ConfigurationError):
        TicSettings(frame_octets=63)


def test_frame_without_end_is_bounded() -> None:
    reader = TicReader(TicSettings(frame_octets=100))
    reader.receive(b"\x02" + b"x" * 10_000, 0.0)
    (event,) = reader.events()
    assert isinstance(event, Discarded) and len(event.octets) == 100
    assert isinstance(event.error, RemoteProtocolError)
