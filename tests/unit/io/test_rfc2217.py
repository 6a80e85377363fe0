"""RFC 2217 without a network: commands between data in any pieces, what the server tells, what has no end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, RemoteProtocolError
from cosem.io.rfc2217 import Rfc2217Stream, Telnet
from cosem.io.simulated import SimulatedStream, World

IAC = b"\xff"
AGREED = bytes.fromhex("FFFD2C FFFB00 FFFD00 FFFB03 FFFD03")


def sub(command: int, value: str) -> bytes:
    return IAC + bytes((250, 44, command)) + bytes.fromhex(value).replace(IAC, IAC * 2) + IAC + bytes((240,))


LINE = sub(101, "00002580") + sub(102, "08") + sub(103, "01") + sub(104, "01")


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 7))
def test_data_between_commands_in_any_pieces(data: list[bytes], size: int) -> None:
    wire = b"".join(each.replace(IAC, IAC * 2) + sub(106, "FF") + bytes.fromhex("FFFB01") for each in data)
    telnet = Telnet()
    got = b"".join(telnet.receive(wire[at : at + size]) for at in range(0, len(wire), size))
    assert got == b"".join(data)
    assert list(telnet.answers) == [(106, b"\xff")] * len(data)


@given(st.binary(max_size=300))
def test_any_octets_are_taken_or_refused(octets: bytes) -> None:
    telnet = Telnet()
    try:
        telnet.receive(octets)
    except RemoteProtocolError as error:
        assert "no end" in str(error)
    assert len(telnet.outgoing()) < 4 * len(octets) + 40


def test_a_subnegotiation_without_end_at_the_limit_and_past_it() -> None:
    Telnet().receive(IAC + b"\xfa" + bytes(64))
    with pytest.raises(RemoteProtocolError, match="no end"):
        Telnet().receive(IAC + b"\xfa" + bytes(65))


def test_two_telnets_come_to_an_end() -> None:
    one, other = Telnet(), Telnet()
    for _ in range(10):
        other.receive(one.outgoing())
        one.receive(other.outgoing())
    assert one.outgoing() == other.outgoing() == b""
    assert one.agreed and other.agreed


def test_an_unknown_option_is_declined_once() -> None:
    telnet = Telnet()
    telnet.outgoing()
    telnet.receive(bytes.fromhex("FFFB18FFFB18FFFD18"))
    assert telnet.outgoing() == bytes.fromhex("FFFE18FFFC18")


def begun(answer: bytes) -> tuple[World, Rfc2217Stream, SimulatedStream]:
    world = World(1)
    near, far = world.pair()
    stream = Rfc2217Stream(near, "server")

    async def scenario() -> None:
        await far.write(AGREED + answer)
        await stream.begin(9600, "8N1")

    world.run(scenario())
    return world, stream, far


def test_what_the_server_tells_of_its_line_is_counted() -> None:
    world, stream, far = begun(LINE)

    async def scenario() -> bytes:
        await far.write(b"ab" + sub(106, "14") + b"c")
        await world.sleep(1)
        return await stream.read(stream.now())

    assert world.run(scenario()) == b"abc"
    assert (stream.counters["parity_errors"], stream.counters["breaks"], stream.counters["overruns"]) == (1, 1, 0)


def test_a_switch_waits_until_the_octets_have_left_at_the_far_end() -> None:
    world, stream, far = begun(LINE)

    async def scenario() -> float:
        await stream.write(bytes(960))
        await far.write(sub(101, "0000012C") + sub(102, "07") + sub(103, "03") + sub(104, "01"))
        begun = stream.now()
        task = world.spawn(stream.configure(300, "7E1"))
        sent = b""
        while sub(1, "0000012C") not in sent:
            sent += await far.read(None)
        switched = stream.now() - begun
        del task
        return switched

    assert world.run(scenario()) == pytest.approx(960 * 10 / 9600, abs=0.1)


def test_a_server_that_runs_at_another_speed() -> None:
    with pytest.raises(ConfigurationError, match="for its speed it says 2400"):
        begun(sub(101, "00000960"))
