"""Echo stripping: what is sent and comes back is taken away, and nothing else."""

from __future__ import annotations

import pytest

from cosem.errors import OnlyEcho, TimedOut
from cosem.io.echo import LONGEST_ECHO, EchoStripping
from cosem.io.simulated import Faults, World
from cosem.io.simulated_line import line
from cosem.io.stream import LineStream, explained


def talk(sent: bytes, *came: bytes, seconds: float = 1.0) -> tuple[bytes, EchoStripping]:
    """Return what is read when octets come back in these pieces."""
    world = World(1)
    near, far = world.pair()
    stream = EchoStripping(near, 9600)

    async def scenario() -> bytes:
        await stream.write(sent)
        for piece in came:
            await far.write(piece)
            await world.sleep(0.02)
        got = b""
        while octets := await stream.read(near.now() + seconds):
            got += octets
        return got

    return world.run(scenario()), stream


def test_an_echo_and_an_answer_in_any_pieces() -> None:
    for came in ([b"/?!\r\n/XXX5\r\n"], [b"/?", b"!\r\n/X", b"XX5\r\n"], [bytes((o,)) for o in b"/?!\r\n/XXX5\r\n"]):
        read, stream = talk(b"/?!\r\n", *came)
        assert read == b"/XXX5\r\n"
        assert (stream.echoes, stream.missed, stream.foreign) == (1, 0, 7)
    assert isinstance(stream, LineStream)


def test_no_echo_where_one_was_expected_loses_nothing() -> None:
    read, stream = talk(b"/?!\r\n", b"/XXX5\r\n")
    assert (read, stream.echoes, stream.missed) == (b"/XXX5\r\n", 0, 1)


def test_an_answer_that_begins_like_the_question_is_given_late() -> None:
    read, stream = talk(b"\x06050\r\n", b"\x06", seconds=5.0)
    assert (read, stream.echoes, stream.missed) == (b"\x06", 0, 1)


def test_a_damaged_echo_is_left_to_the_checksums() -> None:
    assert talk(b"ABCD", b"ABxD", b"answer")[0] == b"ABxDanswer"


def test_only_the_echo_comes_and_is_told() -> None:
    read, stream = talk(b"/?!\r\n", b"/?!\r\n")
    assert read == b""
    error = explained(TimedOut("link", 10.0), stream)
    assert isinstance(error, OnlyEcho)
    assert "I only see my own echo: is the head on the meter" in str(error)
    heard, stream = talk(b"/?!\r\n", b"/?!\r\n", b"x")
    assert heard == b"x"
    assert explained(plain := TimedOut("link"), stream) is plain


def test_what_is_awaited_is_bounded() -> None:
    world = World(1)
    near, _ = world.pair()
    stream = EchoStripping(near)

    async def scenario() -> None:
        for _ in range(10):
            await stream.write(bytes(LONGEST_ECHO // 4))

    world.run(scenario())
    assert stream.missed == 6


@pytest.mark.parametrize("seed", range(5))
def test_two_wires_with_two_writes_under_way(seed: int) -> None:
    world = World(seed)
    near, far = line(world, 300, "7E1", Faults(), echo=True)
    stream = EchoStripping(near, 300)

    async def meter() -> None:
        got = b""
        while not got.endswith(b"\n"):
            got += await far.read(None)
        await far.write(b"/XXX5METER\r\n")

    async def reader() -> bytes:
        await stream.write(b"/?")
        await stream.write(b"!\r\n")
        got = b""
        while not got.endswith(b"\n"):
            got += await stream.read(None)
        await stream.configure(9600, "7E1")
        await stream.send_break(0.3)
        return got

    world.spawn(meter())
    assert world.run(reader()) == b"/XXX5METER\r\n"
    assert (stream.echoes, stream.missed) == (2, 0)
    assert far.counters["breaks"] == 1
