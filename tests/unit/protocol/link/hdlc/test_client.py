"""The client alone, against a peer that the test plays frame by frame."""

import pytest

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, OnlyEcho, RemoteProtocolError, TimedOut
from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected
from cosem.protocol.link.hdlc import ClientSettings, Frame, FrameReject, HdlcAddress, HdlcClient, Kind, Parameters
from cosem.protocol.link.hdlc.client import State
from cosem.protocol.link.hdlc.frame import encode
from cosem.protocol.link.hdlc.settings import Tolerance

OWN, PEER = b"\x21", b"\x02\x23"
GET, ANSWER = b"\xc0\x01\xc1", b"\xc4\x01\xc1"
UA, DM, UI, FRMR = 0x73, 0x1F, 0x03, 0x97


def information(send, receive, apdu=b"", *, final=True, llc=b"\xe6\xe7\x00", segmented=False):
    return encode(OWN, PEER, receive << 5 | final << 4 | send << 1, llc + apdu, segmented)


def ready(receive, *, busy=False, final=True):
    return encode(OWN, PEER, receive << 5 | final << 4 | (5 if busy else 1))


def said(client):
    """Return the frames the client wants to send."""
    octets = client.outgoing()
    frames = []
    while octets:
        size = ((octets[1] & 7) << 8 | octets[2]) + 2
        frames.append(Frame.decode(octets[:size]))
        octets = octets[size:]
    return frames


def spoken(client):
    (frame,) = said(client)
    return frame


@pytest.fixture
def client():
    return HdlcClient(16, HdlcAddress.of(1, 17))


def connected(client=None, **settings):
    client = client or HdlcClient(16, HdlcAddress.of(1, 17), settings=ClientSettings(**settings))
    client.connect(0.0)
    client.outgoing()
    client.receive(encode(OWN, PEER, UA), 0.0)
    assert client.events() == [LinkConnected(16, 1)]
    return client


class TestConnecting:
    def test_defaults_need_no_parameters(self, client):
        client.connect(0.0)
        assert client.outgoing().hex() == "7ea00802232193bd647e"
        assert client.state is State.CONNECTING

    def test_parameters_are_proposed_and_agreed(self):
        client = HdlcClient(16, HdlcAddress.of(1, 17), Parameters(512, 1024, 1, 1))
        client.connect(0.0)
        assert spoken(client).information.hex() == "81801405020200060204000704000000010804000000 01".replace(" ", "")
        client.receive(encode(OWN, PEER, UA, bytes.fromhex("818006050180060180")), 0.1)
        assert client.agreed == Parameters(128, 128)
        assert client.deadline() is None

    def test_windows_in_one_octet(self):
        settings = ClientSettings(window_octets=1)
        client = HdlcClient(16, HdlcAddress.of(1, 17), Parameters(256, 256), settings)
        client.connect(0.0)
        assert spoken(client).information.hex() == "81800e050201000602010007010108 0101".replace(" ", "")
        with pytest.raises(ConfigurationError):
            ClientSettings(window_octets=2)

    def test_answered_dm(self, client):
        client.connect(0.0)
        with pytest.raises(RemoteProtocolError, match="refuses the connection") as refused:
            client.receive(encode(OWN, PEER, DM), 0.1)
        assert refused.value.layer == "HDLC"
        assert client.state is State.DISCONNECTED
        assert client.events() == []
        client.outgoing()
        client.connect(1.0)  # and may try again
        assert spoken(client).kind is Kind.SET_NORMAL_RESPONSE_MODE

    def test_answered_with_nonsense(self, client):
        client.connect(0.0)
        with pytest.raises(DecodeError):
            client.receive(encode(OWN, PEER, UA, b"\x81\x80\x05\x05"), 0.1)
        assert client.state is State.DISCONNECTED

    def test_never_answered(self):
        client = HdlcClient(16, HdlcAddress.of(1, 17), settings=ClientSettings(connect_time_out=2.0, retransmissions=2))
        client.connect(0.0)
        snrm = client.outgoing()
        for now in (2.0, 4.0):
            assert client.deadline() == now
            client.tick(now - 0.001)
            assert client.outgoing() == b""
            client.tick(now)
            assert client.outgoing() == snrm
        with pytest.raises(TimedOut) as timed_out:
            client.tick(6.0)
        assert (timed_out.value.phase, timed_out.value.seconds) == ("link", 6.0)
        assert client.deadline() is None
        assert client.counters["retransmissions"] == 2
        assert spoken(client).kind is Kind.DISCONNECT  # the server may have heard, and be waiting
        client.connect(10.0)
        assert client.outgoing() == snrm

    def test_what_is_not_allowed_now(self, client):
        for forbidden in (lambda: client.send(GET, 0.0), lambda: client.poll(0.0)):
            with pytest.raises(LocalProtocolError):
                forbidden()
        client.connect(0.0)
        with pytest.raises(LocalProtocolError):
            client.connect(0.0)

    def test_only_an_echo(self, client):
        client.connect(0.0)
        client.receive(client.outgoing(), 0.1)
        assert client.counters["echoes"] == 1
        assert client.state is State.CONNECTING

    def test_echoes_where_both_addresses_are_alike(self):
        client = HdlcClient(1, HdlcAddress.of(1))
        client.connect(0.0)
        client.receive(client.outgoing() + encode(b"\x03", b"\x03", UA), 0.1)
        client.send(GET, 0.2)
        client.receive(client.outgoing() + encode(b"\x03", b"\x03", 0x30, b"\xe6\xe7\x00" + ANSWER), 0.3)
        assert client.events() == [LinkConnected(1, 1), ApduReceived(ANSWER, 1, 1)]
        assert client.counters["echoes"] == 2

    def test_bad_addresses(self):
        with pytest.raises(ConfigurationError):
            HdlcClient(0, HdlcAddress.of(1))


class TestExchange:
    def test_one_request_and_its_answer(self):
        client = connected()
        client.send(GET, 1.0)
        request = spoken(client)
        assert request == Frame(PEER, OWN, 0x10, b"\xe6\xe6\x00" + GET)
        client.receive(information(0, 1, ANSWER), 1.1)
        assert client.events() == [ApduReceived(ANSWER, 16, 1)]
        assert client.outgoing() == b""
        assert client.deadline() is None

    def test_sequence_numbers_wrap(self):
        client = connected()
        for number in range(20):
            client.send(GET, number)
            request = spoken(client)
            assert (request.send_sequence, request.receive_sequence) == (number % 8, number % 8)
            client.receive(information(number % 8, (number + 1) % 8, ANSWER), number)
        assert len(client.events()) == 20

    def test_a_long_request_goes_out_in_segments(self):
        client = connected()
        apdu = bytes(range(256))
        client.send(apdu, 1.0)
        taken = b""
        for number in range(3):
            frame = spoken(client)
            assert (frame.send_sequence, frame.final, frame.segmented) == (number, True, number < 2)
            assert len(frame.information) <= 128
            taken += frame.information
            client.receive(ready(number + 1) if number < 2 else information(0, 3, ANSWER), 1.0)
        assert taken == b"\xe6\xe6\x00" + apdu
        assert client.events() == [ApduReceived(ANSWER, 16, 1)]

    def test_a_request_as_long_as_the_field_is_not_cut(self):
        for size, cut in ((125, False), (126, True)):
            client = connected()
            client.send(bytes(size), 1.0)
            assert spoken(client).segmented is cut

    def test_a_long_answer_is_asked_for(self):
        client = connected()
        client.send(GET, 1.0)
        client.outgoing()
        client.receive(information(0, 1, b"\x01", segmented=True), 1.1)
        assert spoken(client) == Frame(PEER, OWN, 0x31)
        client.receive(information(1, 1, b"\x02", llc=b"", segmented=True), 1.2)
        assert spoken(client) == Frame(PEER, OWN, 0x51)
        client.receive(information(2, 1, b"\x03", llc=b""), 1.3)
        assert client.outgoing() == b""
        assert client.events() == [ApduReceived(b"\x01\x02\x03", 16, 1)]

    def test_an_answer_in_a_window_of_several_frames(self):
        client = connected()
        client.send(GET, 1.0)
        client.outgoing()
        client.receive(information(0, 1, b"\x01", segmented=True, final=False), 1.1)
        client.receive(information(1, 1, b"\x02", llc=b"", segmented=True, final=False), 1.2)
        assert client.outgoing() == b""
        client.receive(information(2, 1, b"\x03", llc=b"", segmented=True), 1.3)
        assert spoken(client) == Frame(PEER, OWN, 0x71)
        client.receive(information(3, 1, b"\x04", llc=b""), 1.4)
        assert client.events() == [ApduReceived(b"\x01\x02\x03\x04", 16, 1)]

    def test_a_second_request_waits_for_the_turn(self):
        client = connected()
        client.send(GET, 1.0)
        client.send(GET + b"2", 1.0)
        assert spoken(client).send_sequence == 0
        client.receive(information(0, 1, ANSWER), 1.1)
        second = spoken(client)
        assert (second.send_sequence, second.receive_sequence) == (1, 1)
        client.receive(information(1, 2, ANSWER), 1.1)
        assert len(client.events()) == 2
        assert client.deadline() is None

    def test_a_request_without_answer_is_done_when_acknowledged(self):
        client = connected()
        client.send(GET, 1.0, confirmed=False)
        client.outgoing()
        client.receive(ready(1), 1.1)
        assert client.outgoing() == b""
        assert client.deadline() is None

    def test_asking_for_more(self):
        client = connected()
        client.poll(1.0)
        assert spoken(client) == Frame(PEER, OWN, 0x11)
        client.receive(information(0, 0, ANSWER), 1.1)
        assert client.events() == [ApduReceived(ANSWER, 16, 1)]
        assert client.outgoing() == b""

    def test_lost_request_is_repeated_identically(self):
        client = connected(response_time_out=3.0)
        client.send(GET, 1.0)
        request = client.outgoing()
        assert client.deadline() == 4.0
        client.tick(4.0)
        assert client.outgoing() == request
        client.receive(information(0, 1, ANSWER), 5.0)
        assert client.events() == [ApduReceived(ANSWER, 16, 1)]

    def test_giving_up_says_so(self):
        client = connected(response_time_out=3.0, retransmissions=1)
        client.send(GET, 0.0)
        client.tick(3.0)
        client.outgoing()
        with pytest.raises(TimedOut):
            client.tick(6.0)
        assert spoken(client) == Frame(PEER, OWN, 0x53)
        assert client.events() == [LinkDisconnected(16, 1)]
        assert client.state is State.DISCONNECTED

    def test_repetitions_are_counted_anew_for_each_step(self):
        client = connected(response_time_out=1.0, retransmissions=1)
        for number in range(4):
            client.send(GET, 10.0 * number)
            client.tick(10.0 * number + 1)
            client.receive(information(number, number + 1, ANSWER), 10.0 * number + 1.5)
        assert len(client.events()) == 4

    def test_a_repeated_answer_is_taken_once(self):
        client = connected()
        client.send(GET, 1.0)
        client.receive(information(0, 1, ANSWER) * 3, 1.1)
        assert len(client.events()) == 1
        assert client.counters["repeated_frames"] == 2
        client.outgoing()
        client.send(GET, 2.0)
        client.outgoing()
        client.receive(information(0, 1, ANSWER), 2.1)  # late, after the next request
        assert client.events() == []
        assert client.outgoing() == b""

    def test_an_answer_out_of_sequence_is_dropped(self):
        client = connected()
        client.send(GET, 1.0)
        client.receive(information(3, 1, ANSWER), 1.1)
        assert client.events() == []
        assert client.counters["frames_out_of_sequence"] == 1

    def test_the_answer_is_not_overdue_while_it_comes(self):
        client = connected(response_time_out=1.0, inter_octet_time_out=0.5)
        client.send(GET, 0.0)
        client.outgoing()
        answer = information(0, 1, bytes(100))
        for step in range(10):
            client.receive(answer[step * 10 : step * 10 + 10], 0.9 + step * 0.4)
            client.tick(0.9 + step * 0.4)
        assert client.outgoing() == b""
        client.receive(answer[100:], 5.0)
        assert len(client.events()) == 1

    def test_an_answer_that_stops_halfway_is_given_up(self):
        client = connected(response_time_out=1.0, inter_octet_time_out=0.5)
        client.send(GET, 0.0)
        request = client.outgoing()
        client.receive(information(0, 1, bytes(100))[:50], 0.9)
        assert client.deadline() == 1.4
        client.tick(1.4)
        assert client.outgoing() == request
        client.receive(information(0, 1, ANSWER), 1.5)
        assert client.events() == [ApduReceived(ANSWER, 16, 1)]
        assert client.counters["frames_abandoned"] == 1

    def test_the_apdu_limit(self):
        for size, fits in ((400, True), (401, False)):
            client = connected(apdu_octets=400)
            client.send(GET, 0.0)
            body = b"\xe6\xe7\x00" + bytes(size)
            fields = [body[at : at + 128] for at in range(0, len(body), 128)]
            frames = [
                information(number, 1, field, llc=b"", segmented=number < len(fields) - 1)
                for number, field in enumerate(fields)
            ]
            if fits:
                client.receive(b"".join(frames), 1.0)
                assert len(client.events()[0].apdu) == 400
            else:
                with pytest.raises(RemoteProtocolError, match="more than 400 octets"):
                    client.receive(b"".join(frames), 1.0)

    def test_apdus_that_do_not_fit_are_not_sent(self):
        client = connected(apdu_octets=400)
        for apdu in (b"", bytes(401)):
            with pytest.raises(LocalProtocolError):
                client.send(apdu, 0.0)


class TestSlowServer:
    def test_asked_at_once_then_in_intervals(self):
        client = connected(poll_interval=0.5)
        client.send(GET, 0.0)
        client.outgoing()
        client.receive(ready(1), 0.1)
        assert spoken(client) == Frame(PEER, OWN, 0x11)
        client.receive(ready(1), 0.2)
        assert client.outgoing() == b""
        assert client.deadline() == 0.7
        client.tick(0.7)
        assert spoken(client) == Frame(PEER, OWN, 0x11)
        client.receive(information(0, 1, ANSWER), 0.8)
        assert client.events() == [ApduReceived(ANSWER, 16, 1)]

    def test_gives_up_in_the_end(self):
        client = connected(poll_interval=0.5, polls=3)
        client.send(GET, 0.0)
        now = 0.0
        asked = 0
        with pytest.raises(TimedOut):
            while True:
                asked += sum(frame.kind is Kind.RECEIVE_READY for frame in said(client))
                client.receive(ready(1), now)
                now += 0.5
                client.tick(now)
        assert asked == 4  # at once, and three times later
        assert client.events() == [LinkDisconnected(16, 1)]

    def test_not_ready_holds_segments_back(self):
        client = connected(poll_interval=0.5)
        client.send(bytes(200), 0.0)
        client.outgoing()
        client.receive(ready(1, busy=True), 0.1)
        assert client.outgoing() == b""
        client.tick(0.6)
        assert spoken(client).kind is Kind.RECEIVE_READY
        client.receive(ready(1, busy=True), 0.7)
        client.tick(1.2)
        assert spoken(client).kind is Kind.RECEIVE_READY
        client.receive(ready(1), 1.3)
        assert (frame := spoken(client)).kind is Kind.INFORMATION
        assert frame.send_sequence == 1

    def test_not_ready_and_not_taken(self):
        client = connected(poll_interval=0.5)
        client.send(GET, 0.0)
        request = client.outgoing()
        client.receive(ready(0, busy=True), 0.1)
        client.tick(0.6)
        client.outgoing()
        client.receive(ready(0), 0.7)
        assert client.outgoing() == request

    def test_a_late_acknowledgement_repeats_nothing(self):
        client = connected()
        client.send(GET, 0.0)
        client.outgoing()
        client.receive(ready(0), 0.1)
        assert client.outgoing() == b""
        assert client.counters["stale_frames"] == 1
        assert client.deadline() == 5.0


class TestNumbersThatCannotBeRight:
    def test_are_put_up_with(self):
        client = connected()
        for number in range(3):
            client.send(GET, 0.0)
            client.receive(information(number, 6, ANSWER), 0.1)
        assert len(client.events()) == 3
        assert client.counters["tolerated_wrong_acknowledgement"] == 3

    def test_nor_can_an_answer_to_what_was_not_taken(self):
        client = connected()
        client.send(GET, 0.0)
        client.outgoing()
        client.receive(information(0, 0, ANSWER), 0.1)
        assert client.outgoing() == b""
        client = connected(tolerances=Tolerance.NONE)
        client.send(GET, 0.0)
        client.outgoing()
        client.receive(information(0, 0, ANSWER), 0.1)
        assert spoken(client) == Frame(PEER, OWN, 0x30, b"\xe6\xe6\x00" + GET)  # asked again, N(R) brought up to date

    def test_or_not(self):
        for frame in (information(0, 6, ANSWER), ready(6)):
            client = connected(tolerances=Tolerance.NONE)
            client.send(GET, 0.0)
            with pytest.raises(RemoteProtocolError, match=r"what was not sent \(N\(R\) 6\)"):
                client.receive(frame, 0.1)
            assert client.events() == [LinkDisconnected(16, 1)]

    def test_but_never_with_a_window(self):
        client = HdlcClient(16, HdlcAddress.of(1, 17), Parameters(window_transmit=3))
        client.connect(0.0)
        client.receive(encode(OWN, PEER, UA, Parameters(window_receive=3).encode()), 0.0)
        client.send(GET, 0.0)
        with pytest.raises(RemoteProtocolError):
            client.receive(information(0, 6, ANSWER), 0.1)


class TestWindow:
    def test_only_the_last_frame_asks(self):
        client = HdlcClient(16, HdlcAddress.of(1, 17), Parameters(window_transmit=3))
        client.connect(0.0)
        client.receive(encode(OWN, PEER, UA, Parameters(window_receive=7).encode()), 0.0)
        assert client.agreed.window_transmit == 3
        client.outgoing()
        client.send(bytes(600), 0.0)
        assert [(frame.send_sequence, frame.final) for frame in said(client)] == [(0, False), (1, False), (2, True)]
        client.receive(ready(1), 0.1)  # two were lost
        assert [(frame.send_sequence, frame.final) for frame in said(client)] == [(1, False), (2, False), (3, True)]
        client.receive(ready(4), 0.2)
        assert [(frame.send_sequence, frame.final) for frame in said(client)] == [(4, True)]


class TestUnnumbered:
    def test_taken_at_any_time(self, client):
        frame = encode(OWN, PEER, UI, b"\xe6\xe7\x00\x0f\x00")
        connected(client)
        client.send(GET, 0.0)
        client.receive(frame + information(0, 1, ANSWER) + frame, 0.1)
        pushed = ApduReceived(b"\x0f\x00", 16, 1, True)
        assert client.events() == [pushed, ApduReceived(ANSWER, 16, 1), pushed]

    def test_before_connecting(self, client):
        client.receive(encode(OWN, PEER, UI, b"\xe6\xe7\x00\x0f\x00"), 0.0)
        assert client.events() == [ApduReceived(b"\x0f\x00", 16, 1, True)]

    def test_in_segments_with_and_without_final_bit(self, client):
        client.receive(encode(OWN, PEER, UI, b"\xe6\xe7\x00\x0f\x00", True), 0.0)
        client.receive(encode(OWN, PEER, UI, b"\x01", True), 0.1)
        client.receive(encode(OWN, PEER, UI | 0x10, b"\x02"), 0.2)
        assert client.events() == [ApduReceived(b"\x0f\x00\x01\x02", 16, 1, True)]

    def test_a_lost_end_does_not_spoil_the_next(self, client):
        client.receive(encode(OWN, PEER, UI, b"\xe6\xe7\x00\x0f\x00", True), 0.0)
        client.receive(encode(OWN, PEER, UI, b"\xe6\xe7\x00\x0f\x01"), 1.0)
        assert client.events() == [ApduReceived(b"\x0f\x01", 16, 1, True)]
        assert client.counters["segments_restarted"] == 1

    def test_to_all_clients(self, client):
        for destination in (b"\xff", b"\xfe\xff", b"\x20\xff"):
            client.receive(encode(destination, PEER, UI, b"\xe6\xe7\x00\x0f\x00"), 0.0)
        assert len(client.events()) == 3

    def test_the_limit(self):
        for size, count in ((20, 1), (21, 0)):
            client = HdlcClient(16, HdlcAddress.of(1, 17), settings=ClientSettings(apdu_octets=20))
            client.receive(encode(OWN, PEER, UI, b"\xe6\xe7\x00" + bytes(10), True), 0.0)
            client.receive(encode(OWN, PEER, UI, bytes(size - 10)), 0.0)
            assert len(client.events()) == count

    def test_sent_without_connection(self, client):
        client.send(GET, 0.0, unnumbered=True)
        assert spoken(client) == Frame(PEER, OWN, UI, b"\xe6\xe6\x00" + GET)
        assert client.deadline() is None


class TestAddresses:
    @pytest.mark.parametrize(
        ("server", "answering", "taken"),
        [
            (HdlcAddress.of(1, 17), b"\x02\x23", True),
            (HdlcAddress.of(1, 17), b"\x00\x02\x00\x23", True),  # the same station in four octets
            (HdlcAddress.of(1), b"\x02\x23", True),  # asked without a lower address
            (HdlcAddress.of(1, 17), b"\x03", True),
            (HdlcAddress.of(1, 17), b"\x02\x25", False),
            (HdlcAddress.of(1, 17), b"\x04\x23", False),
            (HdlcAddress.of(1, 0x7E), b"\x02\x25", True),  # whoever calls has a name of its own
        ],
    )
    def test_of_the_answering_server(self, server, answering, taken):
        client = HdlcClient(16, server)
        client.connect(0.0)
        client.receive(encode(OWN, answering, UA), 0.1)
        assert (client.state is State.CONNECTED) is taken

    def test_strictly(self):
        settings = ClientSettings(tolerances=Tolerance.NONE)
        client = HdlcClient(16, HdlcAddress.of(1, 17), settings=settings)
        client.connect(0.0)
        client.receive(encode(OWN, b"\x00\x02\x00\x23", UA) + encode(b"\x23", PEER, UA), 0.1)
        assert client.state is State.CONNECTING
        assert client.counters["frames_for_others"] == 2

    def test_anybody(self):
        settings = ClientSettings(tolerances=Tolerance.OTHER_SERVER | Tolerance.OTHER_CLIENT)
        client = HdlcClient(16, HdlcAddress.of(1, 17), settings=settings)
        client.connect(0.0)
        client.receive(encode(b"\x23", b"\x07", UA), 0.1)
        assert client.state is State.CONNECTED
        assert client.counters["tolerated_other_server"] == 1
        assert client.counters["tolerated_other_client"] == 1


class TestLlc:
    def test_repeated_and_missing(self):
        client = connected()
        client.send(GET, 0.0)
        client.receive(information(0, 1, b"\xe6\xe7\x00" + ANSWER), 0.1)
        client.send(GET, 0.0)
        client.receive(information(1, 2, ANSWER, llc=b""), 0.1)
        assert client.events() == [ApduReceived(ANSWER, 16, 1)] * 2
        assert client.counters["tolerated_repeated_llc"] == 1
        assert client.counters["tolerated_missing_llc"] == 1

    def test_strictly(self):
        client = connected(tolerances=Tolerance.NONE)
        client.send(GET, 0.0)
        client.receive(information(0, 1, b"\xe6\xe7\x00" + ANSWER), 0.1)
        client.send(GET, 0.0)
        client.receive(information(1, 2, ANSWER, llc=b""), 0.1)
        assert client.events() == []
        assert client.counters["llc_headers_repeated"] == client.counters["llc_headers_missing"] == 1

    def test_longer_than_agreed(self):
        for tolerances, taken in ((Tolerance.LONG_INFORMATION, True), (Tolerance.NONE, False)):
            client = connected(tolerances=tolerances)
            client.send(GET, 0.0)
            if taken:
                client.receive(information(0, 1, bytes(126)), 0.1)
                assert len(client.events()) == 1
            else:
                client.receive(information(0, 1, bytes(125)), 0.1)
                client.send(GET, 0.0)
                with pytest.raises(RemoteProtocolError, match="129 octets, agreed were 128"):
                    client.receive(information(1, 2, bytes(126)), 0.1)


class TestRejected:
    def test_says_why(self):
        client = connected()
        client.send(GET, 0.0)
        reject = FrameReject(0x10, 0, 0, information_too_long=True)
        with pytest.raises(RemoteProtocolError, match="longer than agreed") as rejected:
            client.receive(encode(OWN, PEER, FRMR, reject.encode()), 0.1)
        assert rejected.value.layer == "HDLC"
        assert client.state is State.DISCONNECTED
        assert client.events() == [LinkDisconnected(16, 1)]

    def test_cut_short(self):
        client = connected()
        with pytest.raises(DecodeError):
            client.receive(encode(OWN, PEER, FRMR), 0.1)
        assert client.state is State.DISCONNECTED

    def test_out_of_the_blue(self, client):
        client.receive(encode(OWN, PEER, FRMR, b"\x10\x00\x04"), 0.1)
        assert client.counters["unexpected_frames"] == 1


class TestDisconnecting:
    @pytest.mark.parametrize("control", [UA, DM])
    def test_in_good_order(self, control):
        client = connected()
        client.disconnect(1.0)
        assert spoken(client) == Frame(PEER, OWN, 0x53)
        client.disconnect(1.0)
        assert client.outgoing() == b""
        client.receive(encode(OWN, PEER, control), 1.1)
        assert client.events() == [LinkDisconnected(16, 1)]
        assert client.deadline() is None

    def test_in_the_middle_of_an_exchange(self):
        client = connected()
        client.send(bytes(300), 1.0)
        client.outgoing()
        client.disconnect(1.1)
        assert spoken(client).kind is Kind.DISCONNECT
        client.receive(ready(1) + information(0, 1, ANSWER) + encode(OWN, PEER, UA), 1.2)
        assert client.events() == [LinkDisconnected(16, 1)]

    def test_when_nobody_answers(self):
        client = connected(response_time_out=1.0, retransmissions=1)
        client.disconnect(1.0)
        client.tick(2.0)
        with pytest.raises(TimedOut):
            client.tick(3.0)
        assert client.events() == [LinkDisconnected(16, 1)]

    def test_twice_acknowledged(self):
        client = connected()
        client.receive(encode(OWN, PEER, UA), 1.0)
        assert client.counters["unexpected_frames"] == 1
        assert client.state is State.CONNECTED

    def test_when_there_is_nothing_to_disconnect(self, client):
        client.disconnect(0.0)
        assert client.outgoing() == b""
        assert client.events() == [LinkDisconnected(16, 1)]

    def test_by_the_server(self):
        client = connected()
        client.receive(encode(OWN, PEER, DM), 1.0)
        assert client.events() == [LinkDisconnected(16, 1)]
        client = connected()
        client.send(GET, 0.0)
        with pytest.raises(RemoteProtocolError, match="is disconnected"):
            client.receive(encode(OWN, PEER, DM), 1.0)

    def test_by_silence(self):
        client = connected(inactivity_time_out=30.0)
        client.send(GET, 1.0)
        client.receive(information(0, 1, ANSWER), 2.0)
        client.events()
        assert client.deadline() == 32.0
        client.tick(31.9)
        assert client.events() == []
        client.tick(32.0)
        assert client.events() == [LinkDisconnected(16, 1)]
        assert client.deadline() is None

    def test_and_connecting_again(self):
        client = connected()
        client.send(GET, 0.0)
        client.receive(information(0, 1, ANSWER), 0.1)
        client.disconnect(1.0)
        client.receive(encode(OWN, PEER, UA), 1.1)
        client.events()
        client.outgoing()
        client.connect(2.0)
        client.outgoing()
        client.receive(encode(OWN, PEER, UA), 2.1)
        client.send(GET, 2.2)
        assert spoken(client).control == 0x10


def test_commands_are_not_for_clients():
    client = connected()
    for control in (0x93, 0x53, 0xFF):
        client.receive(encode(OWN, PEER, control), 0.0)
    assert client.counters["unexpected_frames"] == 3
    assert client.events() == []


def windowed(window=7, **settings):
    """Return a client that has agreed to windows of frames of 128 octets."""
    client = HdlcClient(
        16, HdlcAddress.of(1, 17), Parameters(128, 128, window, window), settings=ClientSettings(**settings)
    )
    client.connect(0.0)
    client.outgoing()
    client.receive(encode(OWN, PEER, UA, Parameters(128, 128, window, window).encode()), 0.0)
    client.events()
    return client


LONG = bytes(range(256)) * 2  # with the LLC header five frames of 128 octets at most


class TestWindows:
    @pytest.mark.parametrize(("window", "turns"), [(1, 5), (2, 3), (3, 2), (7, 1)])
    def test_as_many_frames_as_agreed_go_out_in_a_turn(self, window, turns):
        client = windowed(window)
        client.send(LONG, 0.0)
        sizes, number = [], 0
        while frames := [frame for frame in said(client) if frame.kind is Kind.INFORMATION]:
            assert [frame.final for frame in frames] == [False] * (len(frames) - 1) + [True]
            assert [frame.send_sequence for frame in frames] == list(range(number, number + len(frames)))
            sizes.append(len(frames))
            number += len(frames)
            client.receive(ready(number), 0.1)
        assert len(sizes) == turns
        assert max(sizes) <= window

    def test_from_the_first_missing_frame_on(self):
        client = windowed()
        client.send(LONG, 0.0)
        assert len(said(client)) == 5
        client.receive(ready(2), 0.1)
        assert [frame.send_sequence for frame in said(client)] == [2, 3, 4]
        assert client.counters["retransmissions"] == 0

    def test_where_the_first_is_missing_nothing_waits(self):
        client = windowed()
        client.send(LONG, 0.0)
        client.outgoing()
        client.receive(ready(0), 0.1)
        assert [frame.send_sequence for frame in said(client)] == [0, 1, 2, 3, 4]
        assert client.counters["recoveries"] == 1

    def test_a_second_answer_to_a_repeated_command_repeats_nothing(self):
        client = windowed(response_time_out=1.0)
        client.send(LONG, 0.0)
        client.outgoing()
        client.tick(1.0)
        assert len(said(client)) == 5
        client.receive(ready(0), 1.1)
        assert client.outgoing() == b""
        assert client.counters["stale_frames"] == 1

    def test_recoveries_that_do_not_help_wait_for_their_time(self):
        client = windowed(response_time_out=1.0, retransmissions=3)
        client.send(LONG, 0.0)
        client.outgoing()
        for number in range(10):
            client.receive(ready(0), 0.01 * number)
            client.outgoing()
        assert client.counters["recoveries"] == 3
        with pytest.raises(TimedOut):
            for now in range(1, 9):
                client.tick(float(now))

    def test_a_rej_repeats_at_once_and_none_is_ever_sent(self):
        client = connected()
        client.send(GET, 0.0)
        request = client.outgoing()
        client.receive(encode(OWN, PEER, 0x19), 0.1)
        assert client.outgoing() == request

    def test_what_comes_behind_a_gap_is_asked_for_again_at_once(self):
        client = windowed()
        client.send(GET, 0.0)
        client.outgoing()
        parts = [
            information(number, 1, bytes([number]) * 9, llc=b"", final=number == 4, segmented=number < 4)
            for number in range(5)
        ]
        client.receive(parts[0] + parts[1] + parts[3] + parts[4], 0.1)
        assert spoken(client) == Frame(PEER, OWN, 0x11 | 2 << 5)
        assert client.counters["frames_out_of_sequence"] == 2

    def test_where_the_last_is_missing_only_it_is_asked_for(self):
        client = windowed(response_time_out=1.0)
        client.send(GET, 0.0)
        client.outgoing()
        for number in range(3):
            client.receive(information(number, 1, b"xyz", llc=b"", final=False, segmented=True), 0.1)
        assert client.deadline() == 1.1
        client.tick(1.1)
        assert spoken(client) == Frame(PEER, OWN, 0x11 | 3 << 5)

    def test_rnr_holds_what_waits_until_rr(self):
        client = windowed(2, poll_interval=0.5)
        client.send(LONG, 0.0)
        assert len(said(client)) == 2
        client.receive(ready(2, busy=True), 0.1)
        for _ in range(3):
            assert client.outgoing() == b""
            due = client.deadline()
            client.tick(due)
            assert spoken(client).kind is Kind.RECEIVE_READY
            client.receive(ready(2, busy=True), due + 0.1)
        client.tick(client.deadline())
        client.outgoing()
        client.receive(ready(2), 5.0)
        assert [frame.send_sequence for frame in said(client)] == [2, 3]


class TestTheAddressSize:
    def called(self, address, **settings):
        client = HdlcClient(16, address, settings=ClientSettings(**settings), alternatives=address.in_every_size())
        client.connect(0.0)
        return client

    @pytest.mark.parametrize(("size", "octets"), [(1, "03"), (2, "0223"), (4, "00020023")])
    def test_the_one_that_is_answered_is_kept(self, size, octets):
        client = self.called(HdlcAddress.of(1, 17))
        peer = bytes.fromhex(octets)
        tried = []
        for attempt in range(3):
            tried.append(spoken(client).destination)
            if tried[-1] == peer:
                break
            client.tick(2.5 * (attempt + 1))
        client.receive(encode(OWN, peer, UA), 8.0)
        assert client.events() == [LinkConnected(16, 1)]
        assert client.server.size == size
        client.send(GET, 9.0)
        assert spoken(client).destination == peer
        assert tried == [bytes.fromhex(each) for each in ("0223", "03", "00020023")][: len(tried)]

    def test_a_late_answer_settles_it_too(self):
        client = self.called(HdlcAddress.of(1, 17))
        client.tick(2.5)
        client.outgoing()
        client.receive(encode(OWN, PEER, UA), 2.6)
        assert client.server == HdlcAddress.of(1, 17)

    def test_without_a_lower_part_whoever_is_there_is_called(self):
        assert HdlcAddress.of(1).in_every_size() == (
            HdlcAddress(1, None, 1),
            HdlcAddress(1, 0x7E, 2),
            HdlcAddress(1, 0x3FFE, 4),
        )
        assert HdlcAddress.of(300, 17).in_every_size() == (HdlcAddress(300, 17, 4),)
        assert HdlcAddress.of(1, 300).in_every_size() == (HdlcAddress(1, 300, 4), HdlcAddress(1, None, 1))

    def test_nobody_answers_to_any(self):
        client = self.called(HdlcAddress.of(1, 17), retransmissions=1)
        for attempt in range(1, 6):
            client.tick(2.5 * attempt)
        with pytest.raises(TimedOut, match="within 15 s"):
            client.tick(15.0)


class TestParametersThatAreNotLiked:
    """The second half of all calls goes without parameters, which stands for the defaults and suits everybody."""

    def test_silence(self):
        client = HdlcClient(16, HdlcAddress.of(1, 17), Parameters(2030, 2030, 7, 7))
        client.connect(0.0)
        lengths = [len(spoken(client).information)]
        for attempt in range(1, 4):
            client.tick(2.5 * attempt)
            lengths.append(len(spoken(client).information))
        assert lengths == [23, 23, 0, 0]
        client.receive(encode(OWN, PEER, UA, Parameters(2030, 2030, 7, 7).encode()), 8.0)
        assert client.agreed == Parameters()

    @pytest.mark.parametrize("refusal", [encode(OWN, PEER, DM), encode(OWN, PEER, FRMR, b"\x93\x00\x01")])
    def test_a_refusal(self, refusal):
        client = HdlcClient(16, HdlcAddress.of(1, 17), Parameters(2030, 2030, 7, 7))
        client.connect(0.0)
        client.outgoing()
        client.receive(refusal, 0.1)
        assert spoken(client) == Frame(PEER, OWN, 0x93)
        with pytest.raises(RemoteProtocolError):
            client.receive(refusal, 0.2)


class TestEcho:
    def test_nothing_but_an_echo(self):
        client = HdlcClient(16, HdlcAddress.of(1, 17))
        client.connect(0.0)
        with pytest.raises(OnlyEcho, match="I only see my own echo: is the head on the meter"):
            for attempt in range(1, 9):
                client.receive(client.outgoing(), 2.5 * attempt - 1)
                client.tick(2.5 * attempt)

    def test_an_answer_behind_the_echo(self):
        client = HdlcClient(16, HdlcAddress.of(1, 17))
        client.connect(0.0)
        client.receive(client.outgoing() + encode(OWN, PEER, UA), 0.1)
        client.send(GET, 0.2)
        client.receive(client.outgoing() + information(0, 1, ANSWER), 0.3)
        assert client.events() == [LinkConnected(16, 1), ApduReceived(ANSWER, 16, 1)]
        assert not client.echoed

    def test_silence_is_no_echo(self):
        client = connected(response_time_out=1.0, retransmissions=0)
        client.send(GET, 0.0)
        with pytest.raises(TimedOut) as silence:
            client.tick(1.0)
        assert not isinstance(silence.value, OnlyEcho)


class TestToAllStations:
    @pytest.mark.parametrize("address", [HdlcAddress.of(127), HdlcAddress.of(1, 127), HdlcAddress.of(0x3FFF, 17)])
    def test_ui_frames_without_a_connection(self, address):
        client = HdlcClient(16, address)
        client.connect(0.0)
        assert client.outgoing() == b""
        assert client.events() == [LinkConnected(16, address.upper)]
        client.send(b"\xd3\x00", 1.0, confirmed=False)
        assert spoken(client) == Frame(address.encode(), OWN, UI, b"\xe6\xe6\x00\xd3\x00")
        assert client.deadline() is None
        with pytest.raises(LocalProtocolError, match="nobody answers"):
            client.send(GET, 2.0)
        with pytest.raises(LocalProtocolError):
            client.poll(2.0)
        client.disconnect(3.0)
        assert client.outgoing() == b""
        assert client.events() == [LinkDisconnected(16, address.upper)]


class TestTimers:
    @pytest.mark.parametrize(("silence", "given_up"), [(0.999, False), (1.0, True), (1.001, True)])
    def test_the_inter_octet_time_out(self, silence, given_up):
        client = connected(inter_octet_time_out=1.0)
        client.send(GET, 0.0)
        client.outgoing()
        client.receive(information(0, 1, bytes(100))[:50], 0.5)
        client.tick(0.5 + silence)
        assert client.counters["frames_abandoned"] == given_up

    def test_what_is_written_needs_its_time_on_the_line(self):
        client = connected(response_time_out=1.0, octet_time=10 / 300)
        client.send(bytes(97), 0.0)
        octets = len(client.outgoing())
        assert client.deadline() == pytest.approx(octets / 30 + 1.0)

    def test_keep_alive(self):
        client = connected(keep_alive=20.0, inactivity_time_out=120.0)
        assert client.deadline() == 20.0
        client.tick(19.99)
        assert client.outgoing() == b""
        client.tick(20.0)
        assert spoken(client) == Frame(PEER, OWN, 0x11)
        client.receive(ready(0), 20.1)
        assert client.deadline() == pytest.approx(40.1)
        client.tick(40.1)
        client.receive(ready(0), 40.2)
        client.send(GET, 41.0)
        assert said(client)[-1].kind is Kind.INFORMATION
        assert client.counters["kept_alive"] == 2

    def test_a_server_that_does_not_answer_to_being_kept_alive(self):
        client = connected(keep_alive=20.0, retransmissions=1, response_time_out=1.0)
        client.tick(20.0)
        client.tick(21.0)
        with pytest.raises(TimedOut):
            client.tick(22.0)


def in_windows():
    """A client whose meter sends 256 octets in windows of 3 frames and takes 200 octets in windows of 2."""
    client = HdlcClient(16, HdlcAddress.of(1, 17), Parameters(512, 512, 7, 7))
    client.connect(0.0)
    client.outgoing()
    client.receive(encode(OWN, PEER, UA, bytes.fromhex("81801405020100060200c8070400000003080400000002")), 0.0)
    client.events()
    return client


class TestTurns:
    @pytest.mark.parametrize(("opened", "octets", "frames"), [(connected, 125, 1), (in_windows, 397, 2)])
    def test_what_a_window_holds_goes_out_at_once(self, opened, octets, frames):
        client = opened()
        assert client.octets_in_a_turn == octets
        client.send(bytes(octets), 0.0)
        assert [frame.segmented for frame in said(client)] == [True] * (frames - 1) + [False]

    @pytest.mark.parametrize(("opened", "frames"), [(connected, 1), (in_windows, 2)])
    def test_one_octet_more_waits_for_the_meter(self, opened, frames):
        client = opened()
        client.send(bytes(client.octets_in_a_turn + 1), 0.0)
        assert [frame.segmented for frame in said(client)] == [True] * frames
        client.receive(ready(frames), 0.1)
        assert [frame.segmented for frame in said(client)] == [False]

    def test_disc_ends_associations(self, client):
        assert client.ends_associations

    def test_all_stations_were_never_connected(self):
        assert not HdlcClient(16, HdlcAddress.of(0x7F)).ends_associations
