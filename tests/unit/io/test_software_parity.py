"""Software parity: the eighth bit is the parity, made on the way out, checked and taken away on the way in."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError, TimedOut
from cosem.io.simulated import World
from cosem.io.simulated_line import line
from cosem.io.software_parity import MARK, SoftwareParity
from cosem.io.stream import LineStream, Stream, explained

SIGN_ON_7E1 = bytes.fromhex("AF 3F 21 8D 0A")
"""`/?!` CR LF with even parity as public captures of 7E1 lines read at 8N1 show it."""


def over(character_format: str, sent: bytes) -> tuple[bytes, SoftwareParity, bytes]:
    """Return what software parity reads of octets that were sent, itself, and what it makes of them when writing."""
    world = World(1)
    near, far = world.pair()
    stream = SoftwareParity(near, character_format)

    async def scenario() -> tuple[bytes, bytes]:
        await far.write(sent)
        read = await stream.read(1.0)
        await stream.write(sent)
        return read, await far.read(2.0)

    read, written = world.run(scenario())
    return read, stream, written


def test_it_is_a_line() -> None:
    stream: Stream = SoftwareParity(World(1).pair()[0])
    assert isinstance(stream, LineStream)


def test_the_sign_on_as_octets() -> None:
    assert over("7E1", b"/?!\r\n")[2] == SIGN_ON_7E1
    read, stream, _ = over("7E1", SIGN_ON_7E1)
    assert (read, stream.parity_errors, stream.octets) == (b"/?!\r\n", 0, 5)


@pytest.mark.parametrize("character_format", ["7E1", "7O1", "7M1", "7S1"])
def test_an_octet_of_wrong_parity_is_marked_and_counted(character_format: str) -> None:
    written = over(character_format, b"ABC")[2]
    damaged = bytes((written[0], written[1] ^ 0x01 if character_format in ("7E1", "7O1") else written[1] ^ 0x80))
    read, stream, _ = over(character_format, damaged + written[2:])
    assert (read, stream.parity_errors) == (bytes((0x41, MARK, 0x43)), 1)


def test_8n1_passes_everything() -> None:
    everything = bytes(range(256))
    read, stream, written = over("8N1", everything)
    assert (read, written, stream.parity_errors) == (everything, everything, 0)


@pytest.mark.parametrize("character_format", ["8E1", "7E2", "5N1", "eight"])
def test_formats_that_eight_bits_cannot_carry(character_format: str) -> None:
    with pytest.raises(ConfigurationError, match="7E1"):
        SoftwareParity(World(1).pair()[0], character_format)


@pytest.mark.parametrize("character_format", ["7E1", "7O1", "7M1", "7S1"])
def test_a_meter_with_hardware_parity_understands_it(character_format: str) -> None:
    """The meter's end of the line is simulated bit for bit."""
    world = World(2)
    near, far = line(world, 300)
    stream = SoftwareParity(near, character_format)

    async def scenario() -> bytes:
        await far.configure(300, character_format)
        await stream.write(b"/?!\r\n")
        while far.now() < 0.2:
            await world.sleep(0.1)
        assert await far.read(far.now()) == b"/?!\r\n"
        await far.write(b"/XXX5\r\n")
        await stream.configure(9600, "8N1")
        assert near.line == (9600, "8N1")
        await stream.configure(300, character_format)
        assert near.line == (300, "8N1"), "the line stays 8N1"
        return b"".join([await stream.read(5.0) for _ in range(7)])

    assert world.run(scenario()) == b"/XXX5\r\n"
    assert not any(far.counters.values())
    assert stream.parity_errors == 0


def test_a_line_that_is_not_fixed_at_8n1_is_suspected() -> None:
    world = World(3)
    near, far = line(world, 300, "7E1")
    stream = SoftwareParity(near, "7O1")

    async def scenario() -> None:
        await far.write(b"abc")
        await world.sleep(1)
        await near.configure(300)
        await stream.read(2.0)

    world.run(scenario())
    better = explained(TimedOut("response", 1.0), stream)
    assert "octets had the wrong parity for 7O1" in str(better)
    assert explained(error := TimedOut("response"), SoftwareParity(near)) is error
