"""One client, several callers: turns, cancellation, and what a closed session says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cosem import AsyncClient, Client, Meter, Register, Unit
from cosem.errors import ConnectionLost, Retry
from cosem.io import aio
from cosem.io.stream import Stream
from cosem.meter.attend import attend
from cosem.meter.serve import serving
from cosem.protocol.profile.wrapper import TCP_WRAPPER

ENERGY = Register("1.0.1.8.0.255")
POWER = Register("1.0.1.7.0.255")


def meter() -> Meter:
    made = Meter("KFM1020012345678")
    made.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    made.add(POWER, value=230, scaler_unit=(-1, Unit.WATT))
    return made


class Held:
    """A stream whose reads of requests can be held back, so that an answer is surely not there yet."""

    def __init__(self, inner: Stream) -> None:
        self.inner = inner
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()

    async def read(self, deadline: float | None, /) -> bytes:
        octets = await self.inner.read(deadline)
        if octets:
            self.asked.set()
            await self.gate.wait()
        return octets

    async def write(self, octets: bytes, /) -> None:
        await self.inner.write(octets)

    async def close(self) -> None:
        await self.inner.close()

    def now(self) -> float:
        return self.inner.now()


def scenario(play: Callable[[AsyncClient, Held], Awaitable[None]]) -> None:
    """Run `play` with an associated client and the meter's end of its connection."""

    async def run() -> None:
        held: list[Held] = []

        async def handle(stream: Any) -> None:
            held.append(Held(stream))
            await attend(meter(), held[-1], TCP_WRAPPER)

        listener = await aio.listen("127.0.0.1", 0, handle)
        try:
            client = AsyncClient.open(f"tcp://127.0.0.1:{listener.port}")
            await client.connect()
            try:
                await play(client, held[-1])
            finally:
                await client.close()
        finally:
            await listener.close()

    asyncio.run(run())


def test_tasks_that_share_a_client_take_turns() -> None:
    async def play(client: AsyncClient, held: Held) -> None:
        answers = await asyncio.gather(*(client.quantity(ENERGY if n % 2 else POWER) for n in range(20)))
        assert [str(answer) for answer in answers] == ["23.0 W", "12345678 Wh"] * 10

    scenario(play)


def test_cancelling_a_caller_that_waits_for_its_turn_changes_nothing() -> None:
    async def play(client: AsyncClient, held: Held) -> None:
        held.asked.clear()
        held.gate.clear()
        first = asyncio.create_task(client.get(ENERGY.value))
        await held.asked.wait()
        second = asyncio.create_task(client.get(POWER.value))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        held.gate.set()
        assert await first == 12_345_678
        assert await client.get(POWER.value) == 230

    scenario(play)


def test_cancelling_a_caller_in_the_middle_of_an_exchange_closes_the_session() -> None:
    async def play(client: AsyncClient, held: Held) -> None:
        held.asked.clear()
        held.gate.clear()
        asking = asyncio.create_task(client.get(ENERGY.value))
        await held.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        held.gate.set()
        with pytest.raises(ConnectionLost) as lost:
            await client.get(POWER.value)
        assert lost.value.retry is Retry.NEW_SESSION
        await client.close()
        await client.connect()
        assert await client.get(POWER.value) == 230

    scenario(play)


def test_threads_that_share_a_client_take_turns() -> None:
    async def run() -> None:
        async with serving(meter(), "tcp://127.0.0.1:0") as server:
            await asyncio.to_thread(threads, str(server.url))

    def threads(url: str) -> None:
        answers: list[str] = []
        with Client.open(url) as client:
            workers = [threading.Thread(target=lambda: answers.append(str(client.quantity(ENERGY)))) for _ in range(8)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        assert answers == ["12345678 Wh"] * 8

    asyncio.run(run())


def test_an_operation_without_a_session_says_so() -> None:
    with pytest.raises(ConnectionLost, match="connect first"):
        Client.open("tcp://127.0.0.1:4059").get(ENERGY.value)


def test_a_closed_client_can_be_closed_again() -> None:
    client = Client.open("tcp://127.0.0.1:4059")
    client.close()
    client.close()
