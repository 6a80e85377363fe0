"""The server alone, against clients that the test plays frame by frame."""

import pytest

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected
from cosem.protocol.link.hdlc import (
    MOST,
    Frame,
    FrameReject,
    HdlcAddress,
    HdlcServer,
    Kind,
    Parameters,
    ServerSettings,
    Tolerance,
)
from cosem.protocol.link.hdlc.frame import encode

OWN, PEER = b"\x02\x23", b"\x21"
GET, ANSWER = b"\xc0\x01\xc1", b"\xc4\x01\xc1"
SNRM, DISC, UI = 0x93, 0x53, 0x03
UA, DM, FRMR = 0x73, 0x1F, 0x97


def command(control, information=b"", *, own=OWN, peer=PEER, segmented=False):
    return encode(own, peer, control, information, segmented)


def information(send, receive, apdu=b"", *, final=True, llc=b"\xe6\xe6\x00", segmented=False, own=OWN, peer=PEER):
    return command(receive << 5 | final << 4 | send << 1, llc + apdu, own=own, peer=peer, segmented=segmented)


def ready(receive, *, busy=False, final=True):
    return command(receive << 5 | final << 4 | (5 if busy else 1))


def said(server):
    """Return the frames the server wants to send."""
    octets = server.outgoing()
    frames = []
    while octets:
        size = ((octets[1] & 7) << 8 | octets[2]) + 2
        frames.append(Frame.decode(octets[:size]))
        octets = octets[size:]
    return frames


def spoken(server):
    (frame,) = said(server)
    return frame


def reply(control, information=b"", segmented=False):
    return Frame(PEER, OWN, control, information, segmented)


@pytest.fixture
def server():
    return HdlcServer({1, 2}, 17)


def connected(server=None, parameters=None, **settings):
    server = server or HdlcServer({1, 2}, 17, parameters, ServerSettings(**settings))
    server.receive(command(SNRM), 0.0)
    assert server.events() == [LinkConnected(16, 1)]
    server.outgoing()
    return server


def answer(server, apdu=ANSWER, now=0.0):
    server.send(apdu, now, client=16, server=1)


class TestConnecting:
    def test_defaults_need_no_parameters(self, server):
        server.receive(bytes.fromhex("7EA00802232193BD647E"), 0.0)
        assert spoken(server) == reply(UA)
        assert server.events() == [LinkConnected(16, 1)]
        assert server.agreed(client=16, server=1) == Parameters()

    @pytest.mark.parametrize("octets", [1, 4])
    def test_answers_windows_as_they_were_written(self, octets):
        server = HdlcServer({1}, 17, Parameters(1024, 2030, 1, 1))
        server.receive(command(SNRM, Parameters(512, 256, 1, 7).encode(octets)), 0.0)
        frame = spoken(server)
        assert frame.information == Parameters(256, 512, 1, 1).encode(octets)
        assert server.agreed(client=16, server=1) == Parameters(256, 512)

    def test_less_than_the_defaults_is_said(self):
        server = HdlcServer({1}, 17, Parameters(64, 128))
        server.receive(command(SNRM), 0.0)
        assert spoken(server).information.startswith(b"\x81\x80\x12\x05\x01\x40\x06\x01\x80")

    def test_parameters_that_do_not_parse(self, server):
        server.receive(command(SNRM, b"\x81\x80\x09\x05"), 0.0)
        assert spoken(server) == reply(DM)
        assert server.events() == []
        assert server.counters["parameters_refused"] == 1

    def test_without_poll_bit_nothing_happens(self, server):
        server.receive(command(SNRM & ~0x10) + command(DISC & ~0x10), 0.0)
        assert server.outgoing() == b""
        connected(server)
        server.receive(command(DISC & ~0x10), 0.0)
        assert server.outgoing() == b""
        assert server.events() == []

    def test_a_second_time_begins_anew(self):
        server = connected()
        server.receive(information(0, 0, GET), 0.0)
        answer(server)
        server.receive(command(SNRM), 1.0)
        assert server.events()[1:] == [LinkDisconnected(16, 1), LinkConnected(16, 1)]
        server.outgoing()
        server.receive(information(0, 0, GET), 1.1)
        assert server.events() == [ApduReceived(GET, 16, 1)]
        answer(server)
        assert spoken(server).control == 0x30

    def test_how_many(self):
        server = HdlcServer({1}, 17, settings=ServerSettings(connections=2))
        for number, control in ((1, UA), (2, UA), (3, DM), (2, UA)):
            server.receive(command(SNRM, peer=bytes((number << 1 | 1,))), 0.0)
            assert spoken(server).control == control
        server.receive(command(DISC, peer=b"\x03") + command(SNRM, peer=b"\x07"), 0.0)
        assert [frame.control for frame in said(server)] == [UA, UA]
        assert server.counters["connections_refused"] == 1


class TestNotConnected:
    @pytest.mark.parametrize("control", [DISC, 0x10, 0x11, 0x15, 0xFF])
    def test_says_so(self, server, control):
        server.receive(command(control), 0.0)
        assert spoken(server) == reply(DM)
        assert server.events() == []

    @pytest.mark.parametrize("control", [0x00, 0x01, UA, DM, FRMR])
    def test_but_not_to_what_asks_nothing(self, server, control):
        server.receive(command(control), 0.0)
        assert server.outgoing() == b""

    def test_as_published(self):
        server = HdlcServer({1}, 16)
        server.receive(bytes.fromhex("7EA0080221215309177E"), 0.0)
        assert server.outgoing() == bytes.fromhex("7EA0082102211FA0D97E")

    def test_after_disconnecting(self):
        server = connected()
        server.receive(command(DISC), 0.0)
        assert spoken(server) == reply(UA)
        assert server.events() == [LinkDisconnected(16, 1)]
        server.receive(command(DISC), 0.0)
        assert spoken(server) == reply(DM)
        assert server.events() == []

    def test_after_aborting(self):
        server = connected()
        server.abort(client=16, server=1)
        server.abort(client=16, server=1)
        assert server.events() == [LinkDisconnected(16, 1)]
        server.receive(ready(0), 0.0)
        assert spoken(server) == reply(DM)

    def test_nothing_is_said(self, server):
        """What came in a UI frame has no connection by which it could be answered."""
        answer(server)
        server.acknowledge(0.0, client=16, server=1)
        assert server.outgoing() == b""
        assert server.counters["answers_without_connection"] == 1
        with pytest.raises(LocalProtocolError, match="is not connected"):
            server.agreed(client=16, server=1)


class TestExchange:
    def test_one_request_and_its_answer(self):
        server = connected()
        server.receive(information(0, 0, GET), 0.0)
        assert server.outgoing() == b""
        assert server.events() == [ApduReceived(GET, 16, 1)]
        answer(server)
        assert spoken(server) == reply(0x30, b"\xe6\xe7\x00" + ANSWER)

    def test_a_request_in_segments(self):
        server = connected()
        server.receive(information(0, 0, b"\x01", segmented=True), 0.0)
        assert spoken(server) == reply(0x31)
        server.receive(information(1, 0, b"\x02", llc=b"", segmented=True, final=False), 0.0)
        assert server.outgoing() == b""
        server.receive(information(2, 0, b"\x03", llc=b""), 0.0)
        assert server.events() == [ApduReceived(b"\x01\x02\x03", 16, 1)]

    def test_an_answer_in_segments(self):
        server = connected()
        server.receive(information(0, 0, GET), 0.0)
        answer(server, bytes(300))
        for number in range(3):
            frame = spoken(server)
            assert (frame.send_sequence, frame.segmented, frame.final) == (number, number < 2, True)
            server.receive(ready(number + 1), 0.0)
        assert spoken(server) == reply(0x31)  # nothing more to say

    def test_an_answer_in_a_window(self):
        server = HdlcServer({1}, 17, Parameters(window_transmit=3))
        server.receive(command(SNRM, Parameters(window_receive=3).encode()), 0.0)
        server.outgoing()
        server.receive(information(0, 0, GET), 0.0)
        answer(server, bytes(600))
        assert [(frame.send_sequence, frame.final) for frame in said(server)] == [(0, False), (1, False), (2, True)]
        server.receive(ready(1), 0.0)
        assert [(frame.send_sequence, frame.final) for frame in said(server)] == [(1, False), (2, False), (3, True)]

    def test_an_answer_lost_is_repeated_when_asked(self):
        server = connected()
        server.receive(information(0, 0, GET), 0.0)
        answer(server)
        first = server.outgoing()
        server.receive(information(0, 0, GET), 1.0)  # the client repeats its request
        assert server.outgoing() == first
        assert len(server.events()) == 1
        server.receive(ready(0), 2.0)  # or asks
        assert server.outgoing() == first
        server.receive(ready(1), 3.0)
        assert spoken(server) == reply(0x31)

    def test_a_request_repeated_too_early_is_answered_once(self):
        server = connected()
        server.receive(information(0, 0, GET) * 3, 0.0)
        assert server.outgoing() == b""
        answer(server)
        assert spoken(server).kind is Kind.INFORMATION
        assert len(server.events()) == 1
        assert server.counters["repeated_frames"] == 2

    def test_a_repeated_segment_is_acknowledged_again(self):
        server = connected()
        server.receive(information(0, 0, b"\x01", segmented=True) * 2, 0.0)
        assert [frame.control for frame in said(server)] == [0x31, 0x31]

    def test_a_frame_out_of_sequence_is_asked_for_again(self):
        server = connected()
        server.receive(information(2, 0, GET), 0.0)
        assert spoken(server) == reply(0x11)
        assert server.events() == []
        assert server.counters["frames_out_of_sequence"] == 1

    def test_asked_while_thinking(self):
        server = connected()
        server.receive(information(0, 0, GET), 0.0)
        server.receive(ready(0), 1.0)
        assert spoken(server) == reply(0x31)
        answer(server)
        assert server.outgoing() == b""  # not our turn
        server.receive(ready(0), 2.0)
        assert spoken(server).kind is Kind.INFORMATION

    def test_a_request_without_answer(self):
        server = connected()
        server.receive(information(0, 0, GET), 0.0)
        server.acknowledge(0.0, client=16, server=1)
        assert spoken(server) == reply(0x31)

    def test_a_client_that_is_not_ready(self):
        server = connected()
        server.receive(information(0, 0, GET), 0.0)
        answer(server, bytes(200))
        server.outgoing()
        server.receive(ready(1, busy=True), 0.0)
        assert spoken(server) == reply(0x31)
        server.receive(ready(1), 0.0)
        assert spoken(server).send_sequence == 1

    def test_reject_is_understood(self):
        server = connected()
        server.receive(information(0, 0, GET), 0.0)
        answer(server)
        first = server.outgoing()
        server.receive(command(0x19), 0.0)
        assert server.outgoing() == first

    def test_information_without_llc_is_dropped_or_not(self):
        for tolerances, count in ((Tolerance.NONE, 0), (Tolerance.MISSING_LLC, 1)):
            server = connected(tolerances=tolerances)
            server.receive(information(0, 0, GET, llc=b""), 0.0)
            assert len(server.events()) == count
            assert (server.outgoing() == b"") is bool(count)

    def test_an_empty_apdu_is_acknowledged_only(self):
        server = connected()
        server.receive(information(0, 0), 0.0)
        assert server.events() == []
        assert spoken(server) == reply(0x31)

    def test_apdus_that_do_not_fit_are_not_sent(self):
        server = connected(apdu_octets=100)
        for apdu in (b"", bytes(101)):
            with pytest.raises(LocalProtocolError):
                answer(server, apdu)
        answer(server, bytes(100))


def why(server):
    frame = spoken(server)
    assert frame.control == FRMR
    return FrameReject.decode(frame.information)


class TestRejecting:
    def test_information_that_is_too_long(self):
        server = connected()
        server.receive(information(0, 0, bytes(125)), 0.0)
        server.acknowledge(0.0, client=16, server=1)
        server.outgoing()
        server.receive(information(1, 0, bytes(126)), 0.0)
        assert why(server) == FrameReject(0x12, 0, 1, information_too_long=True)
        assert len(server.events()) == 1

    def test_or_put_up_with(self):
        server = connected(tolerances=Tolerance.LONG_INFORMATION)
        server.receive(information(0, 0, bytes(126)), 0.0)
        assert len(server.events()) == 1
        assert server.counters["tolerated_long_information"] == 1

    def test_an_apdu_that_is_too_long(self):
        for size, control in ((100, 0x51), (101, FRMR)):
            server = connected(apdu_octets=100)
            server.receive(information(0, 0, bytes(60), segmented=True), 0.0)
            server.outgoing()
            server.receive(information(1, 0, bytes(size - 60), llc=b"", segmented=True), 0.0)
            assert spoken(server).control == control

    def test_an_acknowledgement_of_nothing(self):
        for frame in (ready(3), information(0, 3, GET)):
            server = connected()
            server.receive(frame, 0.0)
            assert why(server).invalid_receive_sequence
            assert server.events() == []

    def test_an_unknown_control_octet(self):
        server = connected()
        server.receive(command(0xFF), 0.0)
        assert why(server) == FrameReject(0xFF, 0, 0, undefined_control=True)

    def test_supervisory_frames_with_information(self):
        server = connected()
        server.receive(command(0x11, b"\x00"), 0.0)
        assert why(server) == FrameReject(0x11, 0, 0, undefined_control=True, information_not_permitted=True)

    def test_lasts_until_a_new_beginning(self):
        server = connected()
        server.receive(command(0xFF), 0.0)
        server.outgoing()
        server.receive(information(0, 0, GET), 0.0)
        assert why(server).control == 0xFF
        server.receive(command(0x01), 0.0)
        assert server.outgoing() == b""
        connected_again = [LinkDisconnected(16, 1), LinkConnected(16, 1)]
        server.receive(command(SNRM), 0.0)
        assert server.events() == connected_again
        server.outgoing()
        server.receive(information(0, 0, GET), 0.0)
        assert server.events() == [ApduReceived(GET, 16, 1)]

    def test_or_the_end(self):
        server = connected()
        server.receive(command(0xFE) + command(0xFF) + command(DISC), 0.0)
        assert [frame.control for frame in said(server)][-1] == UA

    def test_responses_are_ignored(self):
        server = connected()
        server.receive(command(UA) + command(DM) + command(FRMR, bytes(3)), 0.0)
        assert server.outgoing() == b""
        assert server.counters["unexpected_frames"] == 3


class TestAddresses:
    @pytest.mark.parametrize(
        ("own", "answered"),
        [
            (b"\x03", True),  # one octet names no physical device
            (b"\x05", True),
            (b"\x07", False),
            (b"\x02\x23", True),
            (b"\x00\x02\x00\x23", True),
            (b"\x02\x25", False),  # another physical device
            (b"\x06\x23", False),  # another logical device
            (b"\x02\x01", False),  # no station
            (b"\x00\x23", False),
            (b"\x01", False),
            (b"\x02\xff", False),  # all stations: nobody answers
            (b"\xfe\x23", False),
            (b"\xff", False),
            (b"\x00\x02\xfe\xff", False),
            (b"\xfe\xfe\x00\x23", False),
            (b"\x02\xfd", False),  # whoever calls: we do not
        ],
    )
    def test_of_the_server(self, server, own, answered):
        server.receive(command(SNRM, own=own), 0.0)
        if answered:
            frame = spoken(server)
            assert (frame.source, frame.destination, frame.control) == (own, PEER, UA)
            server.receive(information(0, 0, GET, own=own), 0.0)
            logical = HdlcAddress.decode(own).upper
            assert server.events() == [LinkConnected(16, logical), ApduReceived(GET, 16, logical)]
        else:
            assert server.outgoing() == b""
            assert server.events() == []

    def test_of_the_device_that_calls(self):
        for own in (b"\x02\xfd", b"\x00\x02\xfe\xfd"):
            server = HdlcServer({1}, 17, calling=True)
            server.receive(command(SNRM, own=own), 0.0)
            assert spoken(server).source == own

    def test_any_physical_device(self):
        server = HdlcServer({1})
        for own, answered in ((b"\x02\x23", 1), (b"\x02\x25", 1), (b"\x00\x02\x14\x25", 1), (b"\x02\x01", 0)):
            server.receive(command(SNRM, own=own), 0.0)
            assert len(said(server)) == answered

    @pytest.mark.parametrize("peer", [b"\x01", b"\xff", b"\x02\x23", b"\x00\x02\x00\x23"])
    def test_no_client_has(self, server, peer):
        server.receive(command(SNRM, peer=peer), 0.0)
        assert server.outgoing() == b""
        assert server.counters["frames_for_others"] == 1

    def test_of_clients_that_are_let_in(self):
        server = HdlcServer({1}, 17, clients={16, 32})
        for client, answered in ((16, 1), (32, 1), (48, 0)):
            server.receive(command(SNRM, peer=bytes((client << 1 | 1,))), 0.0)
            assert len(said(server)) == answered

    def test_no_server_has(self):
        for bad in (0, 0x3FFF, -1, 0x4000):
            with pytest.raises(ConfigurationError):
                HdlcServer({bad})
        for bad in (0, 0x3FFE, 0x3FFF):
            with pytest.raises(ConfigurationError):
                HdlcServer({1}, bad)

    def test_in_another_size_is_the_same_connection(self):
        server = connected()
        server.receive(information(0, 0, GET, own=b"\x00\x02\x00\x23"), 0.0)
        answer(server)
        assert spoken(server).source == b"\x00\x02\x00\x23"

    def test_many_at_once(self, server):
        pairs = [(client, logical) for client in (16, 32, 100) for logical in (1, 2)]
        for client, logical in pairs:
            server.receive(command(SNRM, own=bytes((logical << 1, 0x23)), peer=bytes((client << 1 | 1,))), 0.0)
        assert server.events() == [LinkConnected(*pair) for pair in pairs]
        server.outgoing()
        for number in range(3):
            for client, logical in pairs:
                own, peer = bytes((logical << 1, 0x23)), bytes((client << 1 | 1,))
                server.receive(information(number, number, GET + bytes((logical,)), own=own, peer=peer), 0.0)
                assert server.events() == [ApduReceived(GET + bytes((logical,)), client, logical)]
                server.send(ANSWER + bytes((client,)), 0.0, client=client, server=logical)
                frame = spoken(server)
                assert (frame.destination, frame.source) == (peer, own)
                assert (frame.send_sequence, frame.information[-1]) == (number, client)
        server.receive(command(DISC, own=b"\x02\x23", peer=b"\x41"), 0.0)
        assert server.events() == [LinkDisconnected(32, 1)]
        assert server.agreed(client=32, server=2) == Parameters()


class TestUnnumbered:
    def test_taken_without_connection(self, server):
        server.receive(command(UI, b"\xe6\xe6\x00" + GET), 0.0)
        assert server.events() == [ApduReceived(GET, 16, 1, True)]
        assert server.outgoing() == b""

    def test_to_all(self, server):
        for own in (b"\xff", b"\xfe\xff", b"\xfe\xfe\xfe\xff"):
            server.receive(command(UI, b"\xff\xe6\x00" + GET, own=own), 0.0)
            assert server.events() == [ApduReceived(GET, 16, 1, True, True), ApduReceived(GET, 16, 2, True, True)]

    def test_pushed_without_connection(self, server):
        server.send(b"\x0f" + bytes(200), 0.0, client=100, server=1, unsolicited=True)
        first, second = said(server)
        assert first[:2] == (b"\xc9", b"\x02\x23")
        assert (first.control, first.segmented, first.information[:4]) == (UI, True, b"\xe6\xe7\x00\x0f")
        assert (second.control, second.segmented) == (UI | 0x10, False)
        assert first.information[3:] + second.information == b"\x0f" + bytes(200)

    def test_pushed_over_a_connection(self):
        server = connected()
        server.send(b"\x0f\x00", 0.0, client=16, server=1, unsolicited=True)
        assert spoken(server) == reply(UI | 0x10, b"\xe6\xe7\x00\x0f\x00")

    def test_a_client_with_which_nothing_was_agreed(self):
        server = HdlcServer({1}, 17, MOST, ServerSettings(unsolicited_octets=128))
        assert server.unsolicited_octets(client=16, server=1) == 125
        server.send(bytes(200), 0.0, client=16, server=1, unsolicited=True)
        assert [len(frame.information) for frame in said(server)] == [128, 75]
        connected(server)
        assert server.unsolicited_octets(client=16, server=1) == 125
        server.receive(command(SNRM, MOST.encode()), 0.0)
        assert server.unsolicited_octets(client=16, server=1) == 2027


class TestWindows:
    def longest(self, window, size=2030):
        server = HdlcServer({1}, 17, MOST)
        server.receive(command(SNRM, Parameters(size, size, window, window).encode()), 0.0)
        server.outgoing()
        server.events()
        return server

    @pytest.mark.parametrize("window", range(1, 8))
    def test_an_answer_goes_out_a_window_a_turn(self, window):
        server = self.longest(window, 100)
        server.receive(information(0, 0, GET), 0.0)
        answer(server, bytes(1497))  # with the LLC header 15 frames of 100 octets
        taken, left = 0, 15
        while left:
            frames = said(server)
            assert [frame.final for frame in frames] == [False] * (len(frames) - 1) + [True]
            assert len(frames) == min(window, left)
            assert frames[0].send_sequence == taken % 8
            left -= len(frames)
            taken += len(frames)
            server.receive(ready(taken % 8), 0.0)
        assert spoken(server).kind is Kind.RECEIVE_READY

    def test_go_back(self):
        server = self.longest(7, 100)
        server.receive(information(0, 0, GET), 0.0)
        answer(server, bytes(997))
        assert [frame.send_sequence for frame in said(server)] == [0, 1, 2, 3, 4, 5, 6]
        server.receive(ready(3), 0.0)
        assert [frame.send_sequence for frame in said(server)] == [3, 4, 5, 6, 7, 0, 1]
        server.receive(command(0x19 | 5 << 5), 0.0)  # REJ
        assert [frame.send_sequence for frame in said(server)] == [5, 6, 7, 0, 1]

    def test_rnr_holds_the_answer(self):
        server = self.longest(7, 100)
        server.receive(information(0, 0, GET), 0.0)
        answer(server, bytes(197))
        server.outgoing()
        server.receive(ready(1, busy=True), 0.0)
        assert spoken(server).kind is Kind.RECEIVE_READY
        server.receive(ready(1), 0.0)
        assert spoken(server).send_sequence == 1

    def test_a_request_in_a_window_with_a_gap(self):
        server = self.longest(7, 100)
        body = [bytes([number]) * 50 for number in range(3)]
        frames = [
            information(
                number,
                0,
                body[number],
                llc=b"\xe6\xe6\x00" if number == 0 else b"",
                final=number == 2,
                segmented=number < 2,
            )
            for number in range(3)
        ]
        server.receive(frames[0] + frames[2], 0.0)
        assert spoken(server) == reply(0x11 | 1 << 5)
        server.receive(frames[1] + frames[2], 0.0)
        assert server.events() == [ApduReceived(b"".join(body), 16, 1)]

    def test_the_longest_frame_that_can_be_agreed(self):
        server = self.longest(1)
        server.receive(information(0, 0, bytes(2027)), 0.0)
        assert server.events() == [ApduReceived(bytes(2027), 16, 1)]
        answer(server, bytes(2028))
        (frame,) = said(server)
        assert (len(frame.information), frame.segmented) == (2030, True)
        assert len(frame.encode()) <= 0x7FF + 2


class TestTime:
    def test_inactivity(self):
        server = connected(inactivity_time_out=60.0)
        server.receive(command(SNRM, peer=b"\x41"), 30.0)
        server.events()
        assert server.deadline() == 60.0
        server.receive(ready(0), 45.0)
        assert server.deadline() == 90.0
        server.tick(89.9)
        assert server.events() == []
        server.tick(90.0)
        assert server.events() == [LinkDisconnected(32, 1)]
        server.tick(105.0)
        assert server.events() == [LinkDisconnected(16, 1)]
        assert server.deadline() is None
        assert server.counters["inactivity_time_outs"] == 2

    @pytest.mark.parametrize(("silence", "ended"), [(119.999, False), (120.0, True), (120.001, True)])
    def test_the_inactivity_time_out(self, silence, ended):
        server = connected()
        server.receive(ready(0), 10.0)
        server.tick(10.0 + silence)
        assert (server.events() == [LinkDisconnected(16, 1)]) is ended

    @pytest.mark.parametrize(("silence", "given_up"), [(0.999, False), (1.0, True), (1.001, True)])
    def test_the_inter_octet_time_out(self, server, silence, given_up):
        server.receive(information(0, 0, bytes(100))[:40], 5.0)
        server.tick(5.0 + silence)
        assert server.counters["frames_abandoned"] == given_up

    def test_without_inactivity(self):
        server = connected(inactivity_time_out=None)
        assert server.deadline() is None
        server.tick(1e9)
        assert server.events() == []

    def test_a_frame_that_stops_halfway_hides_nothing(self, server):
        server.receive(information(0, 0, bytes(100))[:40], 0.0)
        assert server.deadline() == 1.0
        server.receive(command(SNRM), 0.5)
        assert server.events() == []
        server.tick(1.0)
        assert server.events() == []  # octets came half a second ago
        server.tick(1.5)
        assert server.events() == [LinkConnected(16, 1)]
