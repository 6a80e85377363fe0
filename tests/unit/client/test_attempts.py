"""What a probe tries: addresses that are likelier come first, and those from a serial number before all."""

from __future__ import annotations

import pytest

from cosem.client.attempts import (
    ADDRESSES,
    MODBUS_IDENTIFICATION,
    MODBUS_OVER_TCP,
    OTHER_SAPS,
    SAPS,
    derived,
    framed,
    plan,
    target_of,
    wrapper_question,
)
from cosem.errors import ConfigurationError
from cosem.protocol.link.hdlc import Frame, HdlcAddress
from cosem.protocol.profile.address import ConnectionUrl


def test_addresses_from_a_serial_number_are_those_of_the_known_makers() -> None:
    assert derived("02141421") == (HdlcAddress(1, 2421, 4), HdlcAddress(1, 1677, 4), HdlcAddress(1, 1437, 4))


@pytest.mark.parametrize("target", ["192.0.2.7:8000", "/dev/ttyUSB0", "hdlc+rfc2217://192.0.2.7:2217"])
def test_they_are_called_before_the_usual_ones(target: str) -> None:
    attempt = next(each for each in plan(target_of(target), "02141421") if each.name == "HDLC")
    called = [HdlcAddress.decode(Frame.decode(each).destination) for each in attempt.questions]
    assert called == [*derived("02141421"), *ADDRESSES]


def test_an_address_in_the_target_is_called_first() -> None:
    attempt = next(each for each in plan(target_of("hdlc+tcp://192.0.2.7:1?physical=99")) if each.name == "HDLC")
    assert HdlcAddress.decode(Frame.decode(attempt.questions[0]).destination) == HdlcAddress(1, 99, 2)


def test_a_serial_number_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="decimal digits"):
        plan(target_of("192.0.2.7"), "12A")


@pytest.mark.parametrize("target", ["192.0.2.7", "udp://192.0.2.7"])
def test_other_logical_devices_are_asked_behind_the_usual_ones(target: str) -> None:
    asked = [each for attempt in plan(target_of(target)) if "wrapper" in attempt.name for each in attempt.questions]
    assert asked == [wrapper_question(each) for each in (*SAPS, *OTHER_SAPS)]


@pytest.mark.parametrize("target", ["192.0.2.7", "/dev/ttyUSB0"])
def test_modbus_is_the_last_that_is_tried(target: str) -> None:
    last = plan(target_of(target))[-1]
    assert last.name == "Modbus"
    assert set(last.questions) <= {MODBUS_IDENTIFICATION, MODBUS_OVER_TCP}


def test_the_question_over_tcp_is_none_of_the_wrapper() -> None:
    assert MODBUS_OVER_TCP[:2] != b"\x00\x01"
    assert int.from_bytes(MODBUS_OVER_TCP[4:6]) == len(MODBUS_OVER_TCP[6:])


def test_a_place_keeps_its_line_under_another_framing() -> None:
    line = ConnectionUrl.parse("iec21+serial:///dev/ttyUSB0?baud=9600&format=7E1")
    assert str(framed(line, "hdlc", sign_on="iec21")) == "hdlc+serial:///dev/ttyUSB0?baud=9600&sign_on=iec21"
