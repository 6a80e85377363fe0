"""Frames against published vectors and captures, whole, in pieces, cut short and damaged; the reader and noise."""

import json
from collections import Counter
from pathlib import Path

import pytest

from cosem.errors import DecodeError
from cosem.protocol.link.hdlc.frame import Frame, FrameReader, Kind, encode

ROOT = Path(__file__).parents[5]
VECTORS = json.loads((ROOT / "tests/vectors/hdlc.json").read_text())["frames"]
CAPTURES = [json.loads(line) for line in (ROOT / "tests/vectors/hdlc_captures.jsonl").read_text().splitlines()]
CORPUS = ROOT.parent / "shared/corpus/cases_dev.jsonl"
if CORPUS.exists():
    taken = {case["id"] for case in CAPTURES}
    for line in CORPUS.read_text().splitlines():
        case = json.loads(line)
        if case["kind"] in ("hdlc-session", "hdlc-push") and case["id"] not in taken:
            CAPTURES.append(case)

GET = bytes.fromhex(VECTORS[4]["octets"])
SNRM = bytes.fromhex(VECTORS[0]["octets"])


def read(*pieces, **options):
    reader = FrameReader(Counter(), **options)
    frames = []
    for piece in pieces:
        reader.feed(piece)
        while (frame := reader.frame()) is not None:
            frames.append(frame)
    return frames, reader


def one_by_one(octets):
    return [octets[at : at + 1] for at in range(len(octets))]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
class TestVectors:
    def test_decode(self, vector):
        frame = Frame.decode(bytes.fromhex(vector["octets"]))
        assert frame.destination == bytes.fromhex(vector["destination"])
        assert frame.source == bytes.fromhex(vector["source"])
        assert frame.information == bytes.fromhex(vector["information"])
        assert (frame.kind.value, frame.final, frame.segmented) == (vector["kind"], vector["final"], False)

    def test_encode(self, vector):
        octets = bytes.fromhex(vector["octets"])
        frame = Frame.decode(octets)
        assert frame.encode() == octets
        assert encode(frame.destination, frame.source, frame.control, frame.information) == octets

    def test_one_octet_at_a_time(self, vector):
        octets = bytes.fromhex(vector["octets"])
        assert read(*one_by_one(octets))[0] == [Frame.decode(octets)]

    def test_cut_short_at_every_length(self, vector):
        octets = bytes.fromhex(vector["octets"])
        for size in range(len(octets)):
            assert read(octets[:size])[0] == []
            with pytest.raises(DecodeError):
                Frame.decode(octets[:size])

    def test_trailing_octets(self, vector):
        octets = bytes.fromhex(vector["octets"])
        for tail in (b"\x00", b"\x7e", octets):
            with pytest.raises(DecodeError):
                Frame.decode(octets + tail)

    def test_every_damaged_bit_is_noticed(self, vector):
        octets = bytes.fromhex(vector["octets"])
        for at in range(len(octets)):
            for bit in range(8):
                damaged = bytearray(octets)
                damaged[at] ^= 1 << bit
                frames, reader = read(bytes(damaged))
                assert frames == []
                reader.abandon()
                assert reader.frame() is None

    def test_every_lost_octet_is_noticed(self, vector):
        octets = bytes.fromhex(vector["octets"])
        for at in range(1, len(octets) - 1):
            assert read(octets[:at] + octets[at + 1 :])[0] == []


@pytest.mark.parametrize("case", CAPTURES, ids=lambda case: case["id"])
def test_captured_frames(case):
    for number, part in enumerate(case["hex"].split()):
        octets = bytes.fromhex(part)
        if case.get("flags") is False:
            octets = b"\x7e" + octets + b"\x7e"
        frames, reader = read(octets)
        damage = case.get("checksum_detail", "")
        if case["id"] == "amshan-hdlc-too-short" or f"index {number} " in damage or damage.startswith("0 HDLC"):
            assert frames == []
            continue
        if case["id"] == "amshan-hdlc-start-mid-frame":
            assert reader.counters["octets_skipped"] == octets.index(b"\x7e")
        elif "outside frames" not in damage:
            assert [frame.encode() for frame in frames] == [octets]
        assert read(*one_by_one(octets))[0] == frames
        expected = case.get("expected") or {}
        if "payload" in expected:
            assert frames[number].information.hex() == expected["payload"]


def test_captured_control_octets():
    frame = Frame.decode(bytes.fromhex("7ea00703413142e27e"))
    assert (frame.kind, frame.receive_sequence, frame.final) == (Kind.RECEIVE_READY, 1, True)


@pytest.mark.parametrize(
    ("control", "kind"),
    [
        (0x10, Kind.INFORMATION),
        (0xFE, Kind.INFORMATION),
        (0x11, Kind.RECEIVE_READY),
        (0xF5, Kind.RECEIVE_NOT_READY),
        (0x19, Kind.REJECT),
        (0x93, Kind.SET_NORMAL_RESPONSE_MODE),
        (0x83, Kind.SET_NORMAL_RESPONSE_MODE),
        (0x53, Kind.DISCONNECT),
        (0x73, Kind.UNNUMBERED_ACKNOWLEDGE),
        (0x1F, Kind.DISCONNECTED_MODE),
        (0x97, Kind.FRAME_REJECT),
        (0x03, Kind.UNNUMBERED_INFORMATION),
        (0x13, Kind.UNNUMBERED_INFORMATION),
        (0x1D, Kind.UNDEFINED),
        (0xFF, Kind.UNDEFINED),
    ],
)
def test_kinds(control, kind):
    assert Frame(b"\x03", b"\x21", control).kind is kind


class TestReader:
    def test_flags_shared_doubled_and_between_garbage(self):
        frames, reader = read(SNRM[:-1] + GET)
        assert [frame.kind for frame in frames] == [Kind.SET_NORMAL_RESPONSE_MODE, Kind.INFORMATION]
        assert reader.counters["octets_skipped"] == 0
        frames, reader = read(b"\x7e\x7e\x7e" + SNRM + b"\x7e" + GET + b"\x7e\x7e")
        assert len(frames) == 2
        frames, reader = read(b"/LGZ\x0d" + SNRM + b"\x00\xff" + GET)
        assert len(frames) == 2
        assert reader.counters["octets_skipped"] >= 7

    def test_a_flag_inside_the_information_is_data(self):
        octets = encode(b"\x03", b"\x21", 0x10, b"\xe6\xe6\x00" + b"\x7e" * 40)
        assert read(octets)[0][0].information == b"\xe6\xe6\x00" + b"\x7e" * 40
        assert read(*one_by_one(octets + SNRM))[0][1].kind is Kind.SET_NORMAL_RESPONSE_MODE

    def test_damaged_information_loses_one_frame_only(self):
        damaged = bytearray(GET)
        damaged[12] ^= 0x40
        frames, reader = read(bytes(damaged) + SNRM)
        assert [frame.kind for frame in frames] == [Kind.SET_NORMAL_RESPONSE_MODE]
        assert reader.counters["frame_check_failures"] == 1

    def test_a_damaged_header_loses_one_frame_only(self):
        for at in range(9):
            damaged = bytearray(GET)
            damaged[at] ^= 0x04
            assert Frame.decode(SNRM) in read(bytes(damaged) + SNRM + bytes(2100))[0]

    def test_a_frame_that_lost_octets_is_given_up(self):
        frames, reader = read(GET[:15] + SNRM)
        assert frames == []
        assert reader.partial
        reader.abandon()
        assert reader.frame() == Frame.decode(SNRM)
        assert reader.counters["frames_abandoned"] == 1

    def test_a_frame_that_lost_octets_gives_way_when_enough_has_come(self):
        frames, reader = read(GET[:15] + GET + SNRM)
        assert frames == [Frame.decode(GET), Frame.decode(SNRM)]
        assert reader.counters["frames_misaligned"] == 1

    def test_the_buffer_is_bounded(self):
        begun = encode(b"\x03", b"\x21", 0x10, bytes(2030))[:-1]
        hostile = [begun, b"\x7e", b"\x7e\xa7\xff", begun[:60], b"\x7e\xa0\x00", bytes(100), SNRM]
        reader = FrameReader(Counter())
        for round_ in range(400):
            reader.feed(hostile[round_ * round_ % len(hostile)] * 3)
            while reader.frame() is not None:
                pass
            assert reader.waiting <= 2 * 2047

    def test_the_length_limit(self):
        octets = encode(b"\x03", b"\x21", 0x10, bytes(100))
        length = len(octets) - 2
        assert len(read(octets, octets=length)[0]) == 1
        frames, reader = read(octets, octets=length - 1)
        assert frames == []
        assert reader.counters["frames_too_long"] == 1

    def test_the_longest_frame(self):
        octets = encode(b"\x00\x02\x00\x23", b"\x21", 0x10, bytes(2030))
        assert read(*one_by_one(octets))[0][0].information == bytes(2030)

    def test_a_header_check_without_information_behind_it(self):
        # The length says one or two octets more than a header with its check: room for no information with a check.
        for extra in (1, 2):
            length = 7 + extra
            frames, _ = read(b"\x7e\xa0" + bytes((length,)) + b"\x03\x21\x10" + bytes(2 + extra) + b"\x7e" + SNRM)
            assert frames == [Frame.decode(SNRM)]

    def test_other_format_types_are_noise(self):
        for octet in (0x80, 0x90, 0xB0, 0x00):
            assert read(b"\x7e" + bytes((octet, 7)) + SNRM[3:] + SNRM)[0] == [Frame.decode(SNRM)]

    def test_both_addresses_in_four_octets(self):
        octets = encode(b"\x00\x02\x00\x23", b"\x00\x02\x00\x25", 0x93)
        frames, _ = read(*one_by_one(octets))
        assert frames[0].source == b"\x00\x02\x00\x25"
        assert frames[0].encode() == octets

    def test_an_address_of_three_octets_is_none(self):
        octets = encode(b"\x02\x02\x03", b"\x21", 0x93)
        assert read(octets + SNRM)[0] == [Frame.decode(SNRM)]

    def test_damage_can_be_accepted_on_request(self):
        damaged = bytearray(GET)
        damaged[12] ^= 0x40
        frames, reader = read(bytes(damaged), accept_damaged=True)
        assert len(frames) == 1
        assert reader.counters["tolerated_damaged_information"] == 1
        damaged[5] ^= 0x40  # a damaged header never is
        assert read(bytes(damaged), accept_damaged=True)[0] == []

    def test_clear(self):
        _, reader = read(GET[:20])
        reader.clear()
        reader.feed(SNRM)
        assert reader.frame() == Frame.decode(SNRM)
