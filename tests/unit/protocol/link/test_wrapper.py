"""The wrapper over streams and datagrams."""

import json
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, TimedOut
from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected
from cosem.protocol.link.wrapper import WrapperClient, WrapperServer, WrapperSettings

ROOT = Path(__file__).parents[4]
CASES = [json.loads(line) for line in (ROOT / "tests/vectors/wrapper.jsonl").read_text().splitlines()]
CORPUS = ROOT.parent / "shared/corpus/cases_dev.jsonl"
if CORPUS.exists():
    known = {case["id"] for case in CASES}
    lines = CORPUS.read_text().splitlines()
    CASES += [case for case in map(json.loads, lines) if case["kind"] == "wrapper" and case["id"] not in known]


def wpdu(apdu, source=16, destination=1, version=1, length=None):
    numbers = (version, source, destination, len(apdu) if length is None else length)
    return b"".join(number.to_bytes(2, "big") for number in numbers) + apdu


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
class TestCaptures:
    def test_decode_encode_and_pieces(self, case):
        parts = [bytes.fromhex(part) for part in case["hex"].split()]
        whole = WrapperServer()
        whole.receive(b"".join(parts), 0.0)
        events = whole.events()
        assert [event.apdu for event in events] == [part[8:] for part in parts]
        expected = case["expected"] or {}
        if "source_wport" in expected:
            assert events[0].client == expected["source_wport"]
            assert len(events[0].apdu) == expected["length"]
        pieces = WrapperServer()
        for octet in b"".join(parts):
            pieces.receive(bytes((octet,)), 0.0)
        assert pieces.events() == events
        for part, event in zip(parts, events, strict=True):
            whole.send(event.apdu, 0.0, client=event.server, server=event.client)
            assert whole.outgoing() == part

    def test_as_datagrams(self, case):
        for part in case["hex"].split():
            octets = bytes.fromhex(part)
            server = WrapperServer(datagram=True)
            server.receive(octets, 0.0)
            assert server.events()[0].apdu == octets[8:]
            for size in range(len(octets)):
                with pytest.raises(DecodeError):
                    server.receive(octets[:size], 0.0)
            with pytest.raises(DecodeError):
                server.receive(octets + octets, 0.0)
            assert server.events() == []

    def test_cut_short_at_every_length(self, case):
        octets = bytes.fromhex(case["hex"].split()[0])
        for size in range(len(octets)):
            server = WrapperServer()
            server.receive(octets[:size], 0.0)
            assert server.events() == []
            server.receive(octets[size:], 0.0)
            assert len(server.events()) == 1


class TestStream:
    def test_split_at_every_two_points(self):
        octets = wpdu(b"\xc0\x01") + wpdu(b"\xc1\x02\x03", 32, 2)
        expected = [ApduReceived(b"\xc0\x01", 16, 1), ApduReceived(b"\xc1\x02\x03", 32, 2)]
        for first in range(len(octets) + 1):
            for second in range(first, len(octets) + 1):
                server = WrapperServer()
                for piece in (octets[:first], octets[first:second], octets[second:]):
                    server.receive(piece, 0.0)
                assert server.events() == expected

    @pytest.mark.parametrize(
        ("octets", "path", "offset"),
        [
            (wpdu(b"\xc0", version=2), "version", 0),
            (wpdu(b"\xc0", version=0x100), "version", 0),
            (wpdu(b""), "length", 6),
        ],
    )
    def test_a_refused_header_ends_the_stream(self, octets, path, offset):
        server = WrapperServer()
        with pytest.raises(DecodeError) as refused:
            server.receive(wpdu(b"\xc0") + octets + wpdu(b"\xc0"), 0.0)
        assert (refused.value.layer, refused.value.path, refused.value.offset) == ("wrapper", (path,), offset)
        assert len(server.events()) == 1
        with pytest.raises(DecodeError):
            server.receive(wpdu(b"\xc0"), 0.0)
        assert server.events() == []
        assert server.counters["headers_refused"] == 1

    def test_the_length_limit(self):
        settings = WrapperSettings(apdu_octets=300)
        server = WrapperServer(settings=settings)
        server.receive(wpdu(bytes(300)), 0.0)
        assert len(server.events()) == 1
        with pytest.raises(DecodeError, match="1 to 300, not 301"):
            server.receive(wpdu(b"", length=301), 0.0)
        server = WrapperServer(settings=settings)
        server.send(bytes(300), 0.0, client=16, server=1)
        for apdu in (b"", bytes(301)):
            with pytest.raises(LocalProtocolError):
                server.send(apdu, 0.0, client=16, server=1)
        for octets in (0, 0x10000):
            with pytest.raises(ConfigurationError):
                WrapperSettings(apdu_octets=octets)
        WrapperServer().receive(wpdu(bytes(0xFFFF)), 0.0)


class TestTime:
    def test_a_header_that_stays_unfinished(self):
        server = WrapperServer(settings=WrapperSettings(header_time_out=10.0))
        assert server.deadline() is None
        octets = wpdu(b"\xc0")
        for step in range(7):  # octet by octet does not help
            server.receive(octets[step : step + 1], float(step))
            assert server.deadline() == 10.0
        server.tick(9.9)
        with pytest.raises(TimedOut) as timed_out:
            server.tick(10.0)
        assert timed_out.value.phase == "link"
        assert server.deadline() is None

    def test_a_body_that_stays_unfinished(self):
        server = WrapperServer(settings=WrapperSettings(header_time_out=10.0, body_time_out=30.0))
        octets = wpdu(bytes(100))
        server.receive(octets[:4], 0.0)
        server.receive(octets[4:20], 5.0)
        assert server.deadline() == 35.0
        server.receive(octets[20:30], 20.0)
        assert server.deadline() == 35.0
        server.receive(octets[30:] + octets[:8], 34.0)
        assert server.deadline() == 64.0
        with pytest.raises(TimedOut):
            server.tick(64.0)

    def test_the_clock_stops_when_all_has_come(self):
        server = WrapperServer(settings=WrapperSettings())
        octets = wpdu(bytes(100))
        server.receive(octets[:20], 0.0)
        server.receive(octets[20:], 1.0)
        assert server.deadline() is None
        server.receive(octets + octets[:3], 50.0)
        assert server.deadline() == 60.0

    def test_inactivity(self):
        server = WrapperServer()
        server.receive(wpdu(b"\xc0"), 0.0)
        assert server.deadline() == 120.0
        server.send(b"\xc4", 50.0, client=16, server=1)
        assert server.deadline() == 170.0
        server.tick(169.9)
        with pytest.raises(TimedOut):
            server.tick(170.0)

    def test_no_limits(self):
        settings = WrapperSettings(header_time_out=None, body_time_out=None)
        server = WrapperServer(settings=settings)
        server.receive(wpdu(b"\xc0")[:3], 0.0)
        server.tick(1e9)
        assert server.deadline() is None


class TestClient:
    def test_the_whole_way(self):
        client, server = WrapperClient(16, 1), WrapperServer()
        client.connect(0.0)
        assert client.events() == [LinkConnected(16, 1)]
        client.send(b"\xc0\x01", 0.0)
        octets = client.outgoing()
        assert octets.hex() == "0001001000010002c001"
        assert client.outgoing() == b""
        server.receive(octets, 0.0)
        assert server.events() == [ApduReceived(b"\xc0\x01", 16, 1)]
        server.acknowledge(0.0, client=16, server=1)
        server.send(b"\xc4\x01", 0.0, client=16, server=1)
        octets = server.outgoing()
        assert octets.hex() == "0001000100100002c401"
        client.receive(octets, 0.0)
        client.poll(0.0)
        assert client.outgoing() == b""
        client.disconnect(0.0)
        assert client.events() == [ApduReceived(b"\xc4\x01", 16, 1), LinkDisconnected(16, 1)]

    def test_order(self):
        client = WrapperClient(16, 1)
        with pytest.raises(LocalProtocolError):
            client.send(b"\xc0", 0.0)
        client.connect(0.0)
        with pytest.raises(LocalProtocolError):
            client.connect(0.0)
        client.disconnect(0.0)
        with pytest.raises(LocalProtocolError):
            client.send(b"\xc0", 0.0)

    @pytest.mark.parametrize(("source", "destination"), [(2, 16), (1, 17), (0, 0)])
    def test_other_ports_are_unsolicited(self, source, destination):
        client = WrapperClient(16, 1)
        client.receive(wpdu(b"\x0f", source, destination), 0.0)
        assert client.events() == [ApduReceived(b"\x0f", destination, source, True)]
        assert client.counters["apdus_between_other_ports"] == 1

    @pytest.mark.parametrize("port", [-1, 0x10000])
    def test_ports_that_are_none(self, port):
        with pytest.raises(ConfigurationError):
            WrapperClient(port, 1)
        with pytest.raises(ConfigurationError):
            WrapperClient(16, port)
        with pytest.raises(ConfigurationError):
            WrapperServer().send(b"\xc4", 0.0, client=port, server=1)
        WrapperClient(0, 0xFFFF)


def test_datagrams_go_out_one_by_one():
    client = WrapperClient(16, 1, datagram=True)
    client.connect(0.0)
    client.send(b"\xc0", 0.0)
    client.send(b"\xc1", 0.0)
    assert client.outgoing() == wpdu(b"\xc0")
    assert client.outgoing() == wpdu(b"\xc1")
    assert client.outgoing() == b""


def test_a_bad_datagram_spoils_no_other():
    server = WrapperServer(datagram=True)
    for octets in (b"", wpdu(b"\xc0")[:7], wpdu(b"\xc0", version=3), wpdu(b"\xc0", length=2), wpdu(b"\xc0") + b"\x00"):
        with pytest.raises(DecodeError):
            server.receive(octets, 0.0)
    server.receive(wpdu(b"\xc0"), 0.0)
    assert len(server.events()) == 1
    assert server.counters["headers_refused"] == 5
