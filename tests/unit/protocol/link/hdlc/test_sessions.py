"""Captured sessions replayed: each engine in turn plays its side and must say what the recorded station said."""

import json
from pathlib import Path

import pytest

from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected
from cosem.protocol.link.hdlc import Frame, HdlcAddress, HdlcClient, HdlcServer, Kind, Parameters

ROOT = Path(__file__).parents[5]
CORPUS = ROOT.parent / "shared/corpus/cases_dev.jsonl"
# The server of the second counts received RR in its N(R), and cuts segments as it likes: only its client is replayed.
BESIDE = {
    "client": {"gurux-forum-india-doubled-llc", "vut-original-session"},
    "server": {"gurux-forum-india-doubled-llc"},
}


def sessions(role):
    lines = (ROOT / "tests/vectors/hdlc_captures.jsonl").read_text().splitlines()
    cases = [case for case in map(json.loads, lines) if "dirs" in case]
    if CORPUS.exists():
        cases += [case for case in map(json.loads, CORPUS.read_text().splitlines()) if case["id"] in BESIDE[role]]
    return cases


def parts(case):
    """Give each frame with who sent it, as octets and decoded."""
    for direction, text in zip(case["dirs"], case["hex"].split(), strict=True):
        octets = bytes.fromhex(text)
        if case.get("flags") is False:
            octets = b"\x7e" + octets + b"\x7e"
        yield direction, octets, Frame.decode(octets)


def apdus(frames):
    """Give the APDUs that frames of one direction carry, put together without the engines."""
    information = b""
    for frame in frames:
        if frame.kind is Kind.INFORMATION:
            information += frame.information
            if not frame.segmented:
                yield information[3:]
                information = b""


@pytest.mark.parametrize("case", sessions("client"), ids=lambda case: case["id"])
def test_as_client(case):
    recorded = list(parts(case))
    first = recorded[0][2]
    requests = apdus(frame for direction, _, frame in recorded if direction == "tx")
    client = HdlcClient(
        first.source[0] >> 1, HdlcAddress.decode(first.destination), Parameters.decode(first.information)
    )
    events = []
    in_segment = False
    for now, (direction, octets, frame) in enumerate(recorded):
        if direction == "rx":
            client.receive(octets, now)
            events += client.events()
            continue
        if frame.kind is Kind.SET_NORMAL_RESPONSE_MODE:
            client.connect(now)
        elif frame.kind is Kind.DISCONNECT:
            client.disconnect(now)
        elif frame.kind is Kind.INFORMATION and not in_segment:
            client.send(next(requests), now)
        in_segment = frame.segmented
        assert client.outgoing().hex() == octets.hex()
    received = [event.apdu for event in events if isinstance(event, ApduReceived)]
    expected = list(apdus(frame for direction, _, frame in recorded if direction == "rx"))
    if case["id"] == "gurux-forum-india-doubled-llc":
        expected[0] = expected[0].removeprefix(b"\xe6\xe7\x00")
    assert received == expected
    assert isinstance(events[0], LinkConnected)
    closed = recorded[-1][0] == "rx" and recorded[-2][2].kind is Kind.DISCONNECT
    assert isinstance(events[-1], LinkDisconnected) is closed


@pytest.mark.parametrize("case", sessions("server"), ids=lambda case: case["id"])
def test_as_server(case):
    recorded = list(parts(case))
    first, opened = recorded[0][2], recorded[1][2]
    address = HdlcAddress.decode(first.destination)
    responses = apdus(frame for direction, _, frame in recorded if direction == "rx")
    server = HdlcServer({address.upper}, address.lower, Parameters.decode(opened.information))
    for now, (direction, octets, frame) in enumerate(recorded):
        if direction == "tx":
            server.receive(octets, now)
            for event in server.events():
                if isinstance(event, ApduReceived):
                    server.send(next(responses), now, client=event.client, server=event.server)
        elif frame.kind is Kind.UNNUMBERED_ACKNOWLEDGE:
            # What UA says about parameters that nobody asked for is up to the station.
            said = Frame.decode(server.outgoing())
            assert said[:3] == frame[:3]
            assert not first.information or said.information == frame.information
        else:
            assert server.outgoing().hex() == octets.hex()
