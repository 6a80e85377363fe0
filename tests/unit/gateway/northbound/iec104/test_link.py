"""Connections of IEC 60870-5-104: numbers, windows and time-outs at their limits."""

from __future__ import annotations

import pytest

from cosem.errors import RemoteProtocolError, TimedOut
from cosem.gateway.northbound.iec104.apdu import MODULUS, Asdu, Information, Supervisory
from cosem.gateway.northbound.iec104.link import Link, LinkSettings, Received, Started, Stopped

START, START_CON = bytes.fromhex("680407000000"), bytes.fromhex("68040b000000")
STOP, STOP_CON = bytes.fromhex("680413000000"), bytes.fromhex("680423000000")
TEST, TEST_CON = bytes.fromhex("680443000000"), bytes.fromhex("680483000000")
ASDU = Asdu(1, 1, 3, 1, bytes.fromhex("01000001"))
SETTINGS = LinkSettings(k=3, w=2, t1=15, t2=10, t3=20)


def started(now: float = 0) -> Link:
    link = Link(now, SETTINGS)
    assert link.receive(START, now) == [Started()]
    assert link.outgoing() == START_CON
    return link


def numbered(number: int, receive: int = 0) -> bytes:
    return Information(number, receive, ASDU.encode()).encode()


def test_nothing_goes_out_before_it_is_wanted_nor_after() -> None:
    link = Link(0, SETTINGS)
    assert link.room == 0
    link.receive(START, 0)
    assert link.room == 3
    assert link.receive(STOP, 0) == [Stopped()]
    assert (link.room, link.outgoing()) == (0, START_CON + STOP_CON)


def test_k_frames_go_out_and_no_more_until_some_are_acknowledged() -> None:
    link = started()
    for number in range(3):
        assert link.room == 3 - number
        link.send(ASDU, 0)
    assert link.room == 0
    link.receive(Supervisory(2).encode(), 1)
    assert (link.room, len(link.undelivered)) == (2, 1)
    link.receive(numbered(0, receive=3), 1)
    assert (link.room, link.undelivered) == (3, ())


@pytest.mark.parametrize("number", [1, MODULUS - 1])
def test_what_was_not_sent_is_not_acknowledged(number: int) -> None:
    with pytest.raises(RemoteProtocolError):
        started().receive(Supervisory(number).encode(), 0)


def test_every_w_frames_are_acknowledged() -> None:
    link = started()
    link.receive(numbered(0), 1)
    assert link.outgoing() == b""
    link.receive(numbered(1), 1)
    assert link.outgoing() == Supervisory(2).encode()


def test_our_own_frames_acknowledge_too() -> None:
    link = started()
    link.receive(numbered(0), 1)
    link.send(ASDU, 2)
    assert link.outgoing() == Information(0, 1, ASDU.encode()).encode()
    assert link.deadline() == 17  # for the answer to ours; no acknowledgement is due


@pytest.mark.parametrize("number", [1, MODULUS - 1])
def test_a_frame_that_is_missing_ends_the_connection(number: int) -> None:
    with pytest.raises(RemoteProtocolError):
        started().receive(numbered(number), 0)


def test_data_before_the_start_end_the_connection() -> None:
    with pytest.raises(RemoteProtocolError):
        Link(0).receive(numbered(0), 0)


@pytest.mark.parametrize("octets", [START_CON, STOP_CON])
def test_a_confirmation_that_nobody_asked_for_ends_it(octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        started().receive(octets, 0)


def test_numbers_begin_again() -> None:
    link = started()
    for number in range(MODULUS + 1):
        link.send(ASDU, 0)
        assert link.receive(numbered(number % MODULUS, receive=(number + 1) % MODULUS), 0) == [Received(ASDU)]
        link.outgoing()
    assert link.room == 3


def test_t1_ends_a_connection_that_acknowledges_nothing() -> None:
    link = started()
    link.send(ASDU, 5)
    assert link.deadline() == 20
    link.tick(19.9)
    with pytest.raises(TimedOut):
        link.tick(20)


def test_t2_acknowledges_what_came_alone() -> None:
    link = started()
    link.receive(numbered(0), 3)
    assert link.deadline() == 13
    link.tick(12.9)
    assert link.outgoing() == b""
    link.tick(13)
    assert link.outgoing() == Supervisory(1).encode()


def test_t3_tests_a_silent_connection_and_t1_ends_it() -> None:
    link = started()
    assert link.deadline() == 20
    link.tick(19.9)
    assert link.outgoing() == b""
    link.tick(20)
    assert link.outgoing() == TEST
    link.receive(TEST_CON, 34.9)
    assert link.deadline() == 54.9
    link.tick(54.9)
    link.tick(69.8)
    with pytest.raises(TimedOut):
        link.tick(69.9)


def test_a_test_is_answered() -> None:
    link = Link(0)
    link.receive(TEST, 0)
    assert link.outgoing() == TEST_CON
