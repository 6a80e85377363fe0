"""The simulated line drops nothing that a wire has: time, speed, parity and breaks."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError
from cosem.io.simulated import World
from cosem.io.simulated_line import MARK, SimulatedLine, line
from cosem.io.stream import LineStream


def heard(near: tuple[int, str], far: tuple[int, str], octets: bytes) -> tuple[bytes, SimulatedLine]:
    world = World(1)
    one, other = line(world)

    async def scenario() -> bytes:
        await one.configure(*near)
        await other.configure(*far)
        await one.write(octets)
        await one.configure(9600)
        await world.sleep(1)
        return await other.read(other.now())

    return world.run(scenario()), other


@pytest.mark.parametrize("character_format", ["7E1", "8N1", "8E1", "7O2", "8M1", "7S1", "8N2"])
def test_ends_that_agree(character_format: str) -> None:
    read, end = heard((9600, character_format), (9600, character_format), b"/?!\r\n")
    assert read == b"/?!\r\n"
    assert not any(end.counters.values())
    assert isinstance(end, LineStream)


def test_7e1_read_at_8n1_carries_the_parity_as_its_eighth_bit() -> None:
    assert heard((300, "7E1"), (300, "8N1"), b"/?!\r\n")[0] == bytes.fromhex("AF 3F 21 8D 0A")


def test_a_wrong_parity_is_an_error() -> None:
    read, end = heard((300, "7O1"), (300, "7E1"), b"AB")
    assert read == bytes((MARK, MARK))
    assert end.counters["parity_errors"] == 2


def test_a_parity_bit_in_the_place_of_the_stop_bit_is_a_framing_error() -> None:
    read, end = heard((300, "8E1"), (300, "8N1"), b"\x03\x01")
    assert (read, end.counters["framing_errors"]) == (b"\xff\x01", 1)


def test_a_wrong_speed_is_noise() -> None:
    read, end = heard((300, "7E1"), (9600, "7E1"), b"/?!")
    assert set(read) == {MARK}
    assert end.counters["framing_errors"] == 3


@pytest.mark.parametrize(("character_format", "bits"), [("7E1", 10), ("8N1", 10), ("8E1", 11), ("8N2", 11)])
def test_octets_take_their_time(character_format: str, bits: int) -> None:
    world = World(1)
    near, far = line(world, 300, character_format)

    async def scenario() -> tuple[float, float]:
        await near.write(b"0123456789")
        await near.configure(9600)
        left = near.now()
        got = b""
        while len(got) < 10:
            got += await far.read(None)
        return left, far.now()

    left, came = world.run(scenario())
    assert left == pytest.approx(10 * bits / 300), "what was written leaves at the old speed"
    assert came == pytest.approx(10 * bits / 300)


@pytest.mark.parametrize(("seconds", "breaks"), [(0.25, 1), (0.001, 0)])
def test_a_break_lasts_longer_than_a_character(seconds: float, breaks: int) -> None:
    world = World(1)
    near, far = line(world, 300, "7E1")

    async def scenario() -> None:
        await near.write(b"A")
        await near.send_break(seconds)
        assert near.now() == pytest.approx(10 / 300 + seconds)
        await world.sleep(1)

    world.run(scenario())
    assert far.counters["breaks"] == breaks


def test_a_line_that_echoes() -> None:
    world = World(1)
    near, far = line(world, echo=True)

    async def scenario() -> tuple[bytes, bytes]:
        await near.write(b"AB")
        await world.sleep(1)
        return await near.read(near.now()), await far.read(far.now())

    assert world.run(scenario()) == (b"AB", b"AB")


def test_a_format_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="8N1"):
        line(World(1), 300, "9X1")
