"""A line for several clients: turns of tasks and threads, gaps, what is left over, and lines that are lost."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io.blocking import run
from cosem.io.bus import LONGEST_BABBLE, Bus
from cosem.io.simulated import SimulatedStream, World
from cosem.io.stream import Shared, Stream
from cosem.protocol.profile.address import ConnectionUrl

URL = ConnectionUrl.parse("hdlc+serial:///dev/ttyUSB0?baud=9600&physical=17")


class Free:
    """The turn of one who is alone."""

    async def acquire(self) -> None:
        """Nothing to wait for."""

    def release(self) -> None:
        """Nothing to give."""


def simulated(gap: float = 0.05) -> tuple[World, Bus, list[SimulatedStream]]:
    world = World(1)
    far: list[SimulatedStream] = []

    async def open_line(url: ConnectionUrl, _seconds: float) -> Stream:
        near, other = world.pair(latency=0.0)
        far.append(other)
        return near

    return world, Bus(URL, Free(), open_line, gap=gap), far


def test_a_turn_begins_with_silence() -> None:
    world, bus, far = simulated(gap=0.5)

    async def talk() -> None:
        stream = await bus.opener(URL)
        assert isinstance(stream, Shared)
        world.at(0.3, lambda: far[0]._send(b"late"))
        await stream.take_turn()
        assert world.now() == pytest.approx(0.8)
        await stream.write(bytes(96))
        stream.give_turn()
        await stream.take_turn()
        assert world.now() == pytest.approx(0.8 + 96 * 11 / 9600 + 0.5)
        stream.give_turn()

    world.run(talk())
    assert bus.counters == {"turns": 2, "octets_left_over": 4}


def test_a_line_that_is_never_silent_stops_nobody() -> None:
    world, bus, far = simulated(gap=0.1)

    async def babble() -> None:
        while True:
            await far[0].write(b"~")
            await world.sleep(0.05)

    async def talk() -> None:
        stream = await bus.opener(URL)
        assert isinstance(stream, Shared)
        world.spawn(babble())
        await stream.take_turn()

    world.run(talk())
    assert bus.counters["babble"] == 1
    assert world.now() <= LONGEST_BABBLE * 0.1


def test_closing_leaves_the_line_to_the_others() -> None:
    world, bus, far = simulated()

    async def talk() -> None:
        first, second = await bus.opener(URL), await bus.opener(URL)
        await first.close()
        for use in (first.read(0.0), first.write(b"x")):
            with pytest.raises(ConnectionLost):
                await use
        await second.write(b"hello")
        assert await far[0].read(1.0) == b"hello"

    world.run(talk())


def test_a_line_that_is_lost_is_opened_anew() -> None:
    world, bus, far = simulated()

    async def talk() -> None:
        stream = await bus.opener(URL)
        far[0].reset()
        with pytest.raises(ConnectionLost):
            await stream.read(1.0)
        again = await bus.opener(URL)
        await again.write(b"hello")
        assert await far[1].read(1.0) == b"hello"
        await bus.aclose()
        with pytest.raises(ConnectionLost):
            await again.read(1.0)

    world.run(talk())
    assert len(far) == 2


def test_a_client_that_comes_to_a_line_that_is_gone_opens_it_anew() -> None:
    """Nobody was there to notice; one that has spoken on it is told."""
    world, bus, far = simulated()

    async def talk() -> None:
        old, new = await bus.opener(URL), await bus.opener(URL)
        assert isinstance(old, Shared)
        assert isinstance(new, Shared)
        await old.take_turn()
        old.give_turn()
        far[0].reset()
        await new.take_turn()
        await new.write(b"hello")
        assert await far[1].read(world.now() + 1.0) == b"hello"
        new.give_turn()
        with pytest.raises(ConnectionLost):
            await old.take_turn()
        await new.take_turn()  # the turn was given back

    world.run(talk())
    assert len(far) == 2


@pytest.mark.parametrize(
    "elsewhere",
    [
        "hdlc+serial:///dev/ttyUSB1",
        "hdlc+serial:///dev/ttyUSB0?baud=300",
        "hdlc+serial:///dev/ttyUSB0?rs485=yes",
        "hdlc+serial:///dev/ttyUSB0?echo=strip",
        "hdlc+tcp://meter",
    ],
)
def test_elsewhere(elsewhere: str) -> None:
    world, bus, _ = simulated()
    with pytest.raises(ConfigurationError, match="is not on the line"):
        world.run(bus.opener(ConnectionUrl.parse(elsewhere)))


@pytest.mark.parametrize("alone", ["hdlc+serial:///dev/ttyUSB0?sign_on=iec21", "iec21+serial:///dev/ttyUSB0"])
def test_who_changes_the_speed_shares_no_line(alone: str) -> None:
    bus = Bus.blocking(alone)
    with pytest.raises(ConfigurationError, match="cannot share a line"):
        run(bus.opener(ConnectionUrl.parse(alone)))


def test_gaps_that_are_none() -> None:
    with pytest.raises(ConfigurationError, match="gap=-1"):
        Bus.blocking(URL, gap=-1)


def test_threads_take_turns() -> None:
    """The line of a bus for threads is never used by two at once."""
    inside: list[int] = []
    most: list[int] = []
    line = _Recorder()

    async def open_line(_url: ConnectionUrl, _seconds: float) -> Stream:
        return line

    bus = Bus.blocking(URL, gap=0.0)
    bus._open = open_line

    async def use(stream: Any) -> None:
        for _ in range(20):
            await stream.take_turn()
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            stream.give_turn()

    threads = [threading.Thread(target=lambda: run(use(run(bus.opener(URL))))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 80
    bus.close()
    assert line.closed


def test_tasks_take_turns() -> None:
    order: list[tuple[str, int]] = []
    line = _Recorder()

    async def open_line(_url: ConnectionUrl, _seconds: float) -> Stream:
        return line

    async def use(bus: Bus, number: int) -> None:
        stream: Any = await bus.opener(URL)
        for _ in range(3):
            await stream.take_turn()
            order.append(("in", number))
            await asyncio.sleep(0)
            order.append(("out", number))
            stream.give_turn()

    async def main() -> None:
        async with Bus.asyncio(URL, gap=0.0) as bus:
            bus._open = open_line
            await asyncio.gather(*(use(bus, number) for number in range(3)))

    asyncio.run(main())
    assert [where for where, _ in order] == ["in", "out"] * 9
    assert all(order[at][1] == order[at + 1][1] for at in range(0, 18, 2))
    assert line.closed


class _Recorder:
    """A line on which nothing comes."""

    closed = False

    def now(self) -> float:
        return 0.0

    async def read(self, deadline: float | None, /) -> bytes:
        return b""

    async def write(self, octets: bytes, /) -> None:
        """Say nothing."""

    async def close(self) -> None:
        self.closed = True
