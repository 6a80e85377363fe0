"""Whole sessions in simulated worlds: lines that lose, damage, repeat and split, and meters that fall silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosem import AsyncClient, Meter, Register, Unit
from cosem.client.access import Access
from cosem.errors import ConnectionLost, CosemError, Retry, TimedOut
from cosem.io.simulated import Faults, World
from cosem.io.stream import Stream
from cosem.meter.attend import attend
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import Timing

REGISTERS = [Register(f"1.0.{quantity}.8.{tariff}.255") for quantity in (1, 2, 3, 4) for tariff in range(5)]


def described() -> Meter:
    meter = Meter("KFM1020012345678")
    for number, register in enumerate(REGISTERS):
        meter.add(register, value=1000 + number, scaler_unit=(3, Unit.WATT_HOUR))
    return meter


def chance(world: World) -> Any:
    return lambda octets: bytes(world.random.randrange(256) for _ in range(octets))


def client_in(world: World, stream: Stream, url: str, **timing: float) -> AsyncClient:
    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        return stream

    return AsyncClient(
        ConnectionUrl.parse(url), Access(), replace(Timing(), **timing), opener=opener, entropy=chance(world)
    )


async def serve_in(meter: Meter, stream: Stream, url: str) -> None:
    try:
        await attend(meter, stream, profile_of(ConnectionUrl.parse(url)))
    except CosemError:
        await stream.close()  # as a listener does


def session(seed: int, url: str, faults: Faults) -> tuple[str, str]:
    """Play one session; return how it ended and the digest of everything that happened."""
    world = World(seed)
    near, far = world.pair(faults, latency=0.05, jitter=0.05)
    world.spawn(serve_in(described(), far, url))

    async def read() -> str:
        client = client_in(world, near, url)
        try:
            await client.connect()
            for _ in range(3):
                values = await client.many([register.value for register in REGISTERS])
                assert values == [1000 + number for number in range(len(REGISTERS))]
        except CosemError as error:
            assert error.retry in (Retry.NEW_SESSION, Retry.LATER, Retry.SAME_SESSION)
            return type(error).__name__
        finally:
            await client.close()
        return "read"

    return world.run(read()), world.trace_hash


HDLC = "hdlc+tcp://192.0.2.1:4059?physical=17"
WRAPPER = "tcp://192.0.2.1:4059"


@pytest.mark.parametrize("url", [HDLC, WRAPPER])
@pytest.mark.parametrize("seed", range(10))
def test_pieces_of_any_size_make_no_difference(seed: int, url: str) -> None:
    assert session(seed, url, Faults(split=1.0))[0] == "read"


@pytest.mark.parametrize("seed", range(20))
def test_hdlc_recovers_what_a_line_loses_and_damages(seed: int) -> None:
    ended, _ = session(seed, HDLC, Faults(loss=0.02, damage=0.02))
    assert ended in ("read", "TimedOut")


def test_hdlc_mostly_reads_on_such_a_line() -> None:
    ended = [session(seed, HDLC, Faults(loss=0.02, damage=0.02))[0] for seed in range(20)]
    assert ended.count("read") >= 15, ended


@pytest.mark.parametrize("seed", range(20))
def test_a_broken_wrapper_stream_is_a_typed_error_and_never_a_wrong_value(seed: int) -> None:
    session(seed, WRAPPER, Faults(loss=0.05, damage=0.02, duplication=0.02, reset=0.01))


@pytest.mark.parametrize("seed", range(3))
def test_the_same_seed_is_the_same_session(seed: int) -> None:
    faults = Faults(loss=0.03, damage=0.01, split=0.3)
    assert session(seed, HDLC, faults) == session(seed, HDLC, faults)


@pytest.mark.parametrize(("url", "phase", "limit"), [(WRAPPER, "association", 10.0), (HDLC, "link", 10.0)])
def test_a_meter_that_never_answers_is_given_up_after_the_default_time(url: str, phase: str, limit: float) -> None:
    world = World(1)
    near, _far = world.pair()

    async def read() -> float:
        client = client_in(world, near, url)
        with pytest.raises(TimedOut) as silent:
            await client.connect()
        assert silent.value.phase == phase
        with pytest.raises(ConnectionLost):
            await near.write(b"x")  # the stream was closed
        return world.now()

    assert world.run(read()) <= limit + 0.5


def test_a_meter_that_falls_silent_after_the_association() -> None:
    world = World(1)
    near, far = world.pair()

    async def serve() -> None:
        for _ in range(1):
            request = await far.read(None)
            assert request
        await attend_once(far, request)

    async def attend_once(stream: Stream, request: bytes) -> None:
        from cosem.meter.attend import attend

        class Once:
            """The meter's end with one request in it, and nothing after it."""

            def __init__(self) -> None:
                self.left = [request]

            async def read(self, deadline: float | None, /) -> bytes:
                return self.left.pop() if self.left else await stream.read(deadline)

            async def write(self, octets: bytes, /) -> None:
                await stream.write(octets)
                raise ConnectionLost("switched off")

            async def close(self) -> None:
                """Leave the line as it is: a meter without power says no goodbye."""

            def now(self) -> float:
                return stream.now()

        with pytest.raises(ConnectionLost):
            await attend(described(), Once(), profile_of(ConnectionUrl.parse(WRAPPER)))

    world.spawn(serve())

    async def read() -> float:
        client = client_in(world, near, WRAPPER, response=7.0)
        await client.connect()
        asked = world.now()
        with pytest.raises(TimedOut) as silent:
            await client.get(REGISTERS[0].value)
        assert silent.value.phase == "response"
        with pytest.raises(ConnectionLost, match="connect first"):
            await client.get(REGISTERS[0].value)
        return world.now() - asked

    assert world.run(read()) == pytest.approx(7.0, abs=0.1)
