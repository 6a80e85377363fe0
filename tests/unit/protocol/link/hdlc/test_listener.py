"""The listener against captured and published pushes."""

import json
from pathlib import Path

import pytest

from cosem.protocol.link import ApduReceived
from cosem.protocol.link.hdlc import HdlcListener, ListenerSettings, Tolerance
from cosem.protocol.link.hdlc.frame import encode

ROOT = Path(__file__).parents[5]
CAPTURES = [json.loads(line) for line in (ROOT / "tests/vectors/hdlc_captures.jsonl").read_text().splitlines()]
CORPUS = ROOT.parent / "shared/corpus/cases_dev.jsonl"
if CORPUS.exists():
    known = {case["id"] for case in CAPTURES}
    CAPTURES += [case for case in map(json.loads, CORPUS.read_text().splitlines()) if case["id"] not in known]
PUSHES = [case for case in CAPTURES if case["kind"] == "hdlc-push"]

# A list of an Aidon meter as printed in a public thread: active power only, no serial number.
AIDON = "7EA02A410883130413E6E7000F40000000000101020309060100010700FF0600002B2A02020F00161BE6BC7E"
LLC = b"\xe6\xe7\x00"


def heard(octets, **settings):
    listener = HdlcListener(ListenerSettings(**settings))
    listener.receive(octets, 0.0)
    assert listener.outgoing() == b""
    return listener.events(), listener.counters


def test_a_published_list():
    octets = bytes.fromhex(AIDON)
    expected = [ApduReceived(octets[12:-3], 32, 4, True)]
    assert heard(octets)[0] == expected
    listener = HdlcListener()
    for octet in b"\x13\x7e" + octets:
        listener.receive(bytes((octet,)), 0.0)
    assert listener.events() == expected


@pytest.mark.parametrize("case", PUSHES, ids=lambda case: case["id"])
def test_captured_pushes(case):
    octets = bytes.fromhex(case["hex"].replace(" ", ""))
    events, counters = heard(octets)
    expected = case.get("expected") or {}
    if "payload" in expected:
        assert [event.apdu.hex() for event in events] == [expected["payload"].removeprefix("e6e700")]
    listener = HdlcListener()
    for at in range(0, len(octets), 7):
        listener.receive(octets[at : at + 7], 0.0)
    assert listener.events() == events
    if case.get("checksum_ok"):
        assert counters["header_check_failures"] == counters["frame_check_failures"] == 0
    for event in events:
        assert event.unsolicited
        # DataNotification, general block transfer, a ciphered APDU, or a later block without its own LLC header
        assert event.apdu[0] in (0x0F, 0xDB, 0xE0) or case["id"] == "amshan-hdlc-start-mid-frame"


def test_segments():
    parts = LLC + bytes(range(200))
    octets = encode(b"\xcf", b"\x02\x23", 0x03, parts[:80], True) + encode(
        b"\xcf", b"\x02\x23", 0x03, parts[80:160], True
    )
    octets += encode(b"\xcf", b"\x02\x23", 0x13, parts[160:])
    assert heard(octets)[0] == [ApduReceived(bytes(range(200)), 103, 1, True)]


def test_segments_of_several_meters_at_once():
    def part(source, octets, more):
        return encode(b"\xcf", bytes((source << 1 | 1,)), 0x03, octets, more)

    octets = b"".join(part(source, LLC + bytes((source,)), True) for source in (1, 2, 3))
    octets += b"".join(part(source, bytes((source,)), False) for source in (1, 2, 3))
    assert [event.apdu for event in heard(octets)[0]] == [b"\x01\x01", b"\x02\x02", b"\x03\x03"]
    # One fewer can be kept: the oldest is forgotten, and its end stands alone.
    assert [event.apdu for event in heard(octets, senders=2)[0]] == [b"\x01", b"\x02\x02", b"\x03\x03"]


def test_either_llc_header_or_none():
    for header in (LLC, b"\xe6\xe6\x00", b"\xff\xe7\x00", b""):
        assert heard(encode(b"\xcf", b"\x03", 0x13, header + b"\x0f\x00"))[0][0].apdu == b"\x0f\x00"
    events, counters = heard(encode(b"\xcf", b"\x03", 0x13, b"\x0f\x00"), tolerances=Tolerance.NONE)
    assert events == []
    assert counters["llc_headers_missing"] == 1
    events, counters = heard(encode(b"\xcf", b"\x03", 0x13, LLC + LLC + b"\x0f"), tolerances=Tolerance.NONE)
    assert events == []
    assert counters["llc_headers_repeated"] == 1


def test_what_is_no_push():
    events, counters = heard(encode(b"\xcf", b"\x03", 0x73) + encode(b"\xcf", b"\x03", 0x11))
    assert events == []
    assert counters["unexpected_frames"] == 2


def test_damage_is_not_heard_unless_wanted():
    damaged = bytearray.fromhex(AIDON)
    damaged[30] ^= 1
    assert heard(bytes(damaged))[0] == []
    assert len(heard(bytes(damaged), tolerances=Tolerance.DAMAGED_INFORMATION)[0]) == 1


def test_a_push_that_stops_halfway():
    octets = bytes.fromhex(AIDON)
    listener = HdlcListener()
    listener.receive(octets[:20] + octets, 0.0)
    listener.receive(octets[:20], 1.0)
    assert listener.deadline() == 2.0
    assert len(listener.events()) == 1
    listener.tick(2.0)
    assert listener.deadline() is None
    listener.receive(octets, 3.0)
    assert len(listener.events()) == 1
