"""However a session ends, the meter is told and the line is given back."""

from __future__ import annotations

import pytest

from cosem import Client, Clock, Register
from cosem.client.access import Access
from cosem.errors import ConnectionLost, RemoteProtocolError, TimedOut
from cosem.io.stream import Stream
from cosem.protocol.profile.address import ConnectionUrl

HDLC = ConnectionUrl.parse("hdlc+tcp://192.0.2.1:4059?client=16&server=1")
WRAPPER = ConnectionUrl.parse("tcp://192.0.2.1:4059?client=16&server=1")

# Client 16 to server 1; the AARE is that of the captured session with conformance 0x00101D, PDU size 125.
AARE = bytes.fromhex(
    "0001000100100 02B 6129A109060760857405080101A203020100A305A103020100BE10040E0800065F1F040000181D007D0007".replace(
        " ", ""
    )
)


class Scripted:
    """A stream that answers what the script says, or raises it."""

    def __init__(self, *script: bytes | BaseException) -> None:
        self.script = list(script)
        self.written: list[bytes] = []
        self.closed = False
        self.time = 0.0

    async def read(self, deadline: float | None, /) -> bytes:
        if not self.script:
            assert deadline is not None
            self.time = deadline
            return b""
        step = self.script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step

    async def write(self, octets: bytes, /) -> None:
        if self.closed:
            raise ConnectionLost("closed")
        self.written.append(octets)

    async def close(self) -> None:
        self.closed = True

    def now(self) -> float:
        return self.time


def client(url: ConnectionUrl, stream: Scripted) -> Client:
    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        return stream

    return Client(url, Access(), opener=opener)


def test_ctrl_c_in_the_middle_of_an_exchange_closes_the_line() -> None:
    stream = Scripted(AARE, KeyboardInterrupt())
    meter = client(WRAPPER, stream)
    with pytest.raises(KeyboardInterrupt), meter:
        meter.clock()
    assert stream.closed


def test_ctrl_c_while_hdlc_is_being_set_up_says_disc() -> None:
    stream = Scripted(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        client(HDLC, stream).connect()
    assert stream.closed


def test_an_error_of_the_caller_between_operations_releases_in_good_order() -> None:
    stream = Scripted(AARE)
    with pytest.raises(ZeroDivisionError), client(WRAPPER, stream):
        _ = 1 / 0
    assert stream.closed
    assert stream.written[-1][8:9] == b"\x62"  # RLRQ; the meter did not answer and is left all the same


def test_a_meter_that_says_nothing_to_the_release_is_left_after_a_while() -> None:
    stream = Scripted(AARE)
    with client(WRAPPER, stream):
        pass
    assert stream.closed
    assert stream.time <= 3.0


def test_nonsense_closes_the_session_with_the_layer_named() -> None:
    stream = Scripted(AARE, bytes.fromhex("0099"), b"\xff" * 20)
    meter = client(WRAPPER, stream)
    with meter, pytest.raises(RemoteProtocolError) as broken:
        meter.get(Clock().time)
    assert broken.value.layer == "wrapper"
    assert stream.closed


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    stream = Scripted(AARE)
    meter = client(WRAPPER, stream)
    with meter:
        with pytest.raises(TimedOut):
            meter.clock()
        assert stream.closed
        late = bytes.fromhex("0001000100100010 C401C1000600000001".replace(" ", ""))
        stream.script.append(late)
        with pytest.raises(ConnectionLost):
            meter.get(Clock().time)


def test_half_an_answer_and_then_nothing_is_a_time_out_of_the_link_or_the_response() -> None:
    stream = Scripted(AARE, bytes.fromhex("00010001001000"))
    meter = client(WRAPPER, stream)
    with meter, pytest.raises((TimedOut, RemoteProtocolError)):
        meter.clock()
    assert stream.closed


def test_twice_the_same_answer_is_noticed() -> None:
    answer = bytes.fromhex("0001000100100009") + bytes.fromhex("C401C2000600000001")
    first = bytes.fromhex("0001000100100009") + bytes.fromhex("C401C1000600000001")
    stream = Scripted(AARE, first + first, answer)
    meter = client(WRAPPER, stream)
    with meter, pytest.raises(RemoteProtocolError):
        meter.get(Clock().time)
        meter.get(Clock().time)


# A push of an Aidon meter, as published, in a wrapper from server 1 to client 16.
PUSH = bytes.fromhex("000100010010001D") + bytes.fromhex("0F40000000000101020309060100010700FF0600002B2A02020F00161B")


def test_a_notification_is_waited_for_and_the_session_goes_on() -> None:
    answer = bytes.fromhex("0001000100100009") + bytes.fromhex("C401C1000600000005")
    stream = Scripted(AARE, PUSH[:10], PUSH[10:], answer)
    with client(WRAPPER, stream) as meter:
        notified = meter.notification(60)
        assert notified is not None
        assert notified.error is None
        assert meter.get(Register("1.0.1.8.0.255").value) == 5


def test_no_notification_in_time_is_none_and_no_harm() -> None:
    stream = Scripted(AARE)
    with client(WRAPPER, stream) as meter:
        assert meter.notification(60) is None
        assert stream.time == 60.0
        assert not stream.closed


def test_a_notification_that_came_in_between_is_kept() -> None:
    answer = bytes.fromhex("0001000100100009") + bytes.fromhex("C401C1000600000005")
    stream = Scripted(AARE, PUSH + answer)
    with client(WRAPPER, stream) as meter:
        assert meter.get(Register("1.0.1.8.0.255").value) == 5
        assert meter.notification(0) is not None


def test_a_line_that_breaks_while_waiting_ends_the_session() -> None:
    stream = Scripted(AARE, ConnectionLost("the peer closed the connection"))
    with client(WRAPPER, stream) as meter, pytest.raises(ConnectionLost):
        meter.notification(60)
    assert stream.closed


UDP = ConnectionUrl.parse("udp://192.0.2.1:4059?client=16&server=1")


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), None])
def test_over_datagrams_a_meter_is_told_that_its_client_has_gone(ends: BaseException | None) -> None:
    stream = Scripted(AARE, *([ends] if ends else []))
    meter = client(UDP, stream)
    with pytest.raises((KeyboardInterrupt, TimedOut)), meter:
        meter.clock()
    assert stream.closed
    assert [octets[8:9] for octets in stream.written] == [b"\x60", b"\xc0", b"\x62"]  # AARQ, GET, RLRQ


def test_ctrl_c_after_hdlc_is_set_up_says_disc() -> None:
    # UA from server 1 to client 16, without parameters: those of the standard hold.
    stream = Scripted(bytes.fromhex("7EA00721037301407E"), KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        client(HDLC, stream).connect()
    assert stream.closed
    assert stream.written[-1][5:6] == b"\x53"  # DISC
