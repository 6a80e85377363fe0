"""A simulated world: the same seed, the same run; every fault happens; hours pass at once."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConnectionLost, LocalProtocolError
from cosem.io.simulated import Faults, SimulatedStream, World
from cosem.io.stream import LineStream, Stream


async def echo(stream: Stream) -> None:
    try:
        while True:
            await stream.write(b"!" + await stream.read(None))
    except ConnectionLost:
        pass


async def ask(stream: Stream, octets: bytes, seconds: float = 5.0) -> bytes:
    await stream.write(octets)
    return await stream.read(stream.now() + seconds)


def test_octets_take_their_time() -> None:
    world = World(1)
    near, far = world.pair(latency=0.25)
    assert isinstance(near, LineStream)
    world.spawn(echo(far))
    assert world.run(ask(near, b"\x01")) == b"!\x01"
    assert world.now() == 0.5


def test_a_deadline_gives_nothing() -> None:
    world = World(1)
    near, _ = world.pair()

    async def main() -> None:
        assert await near.read(3600.0) == b""
        assert near.now() == 3600.0
        assert await near.read(3599.0) == b""
        assert near.now() == 3600.0

    started = time.perf_counter()
    world.run(main())
    assert time.perf_counter() - started < 1


def test_a_late_timer_of_an_answered_read_ends_no_other() -> None:
    world = World(1)
    near, far = world.pair(latency=0.1)
    world.spawn(echo(far))

    async def main() -> None:
        assert await ask(near, b"1", 1.0) == b"!1"
        assert await near.read(near.now() + 10) == b""
        assert near.now() == pytest.approx(10.2)

    world.run(main())


def test_sleep_and_until() -> None:
    world = World(1)
    seen: list[float] = []

    async def clock() -> None:
        while True:
            await world.sleep(900)
            seen.append(world.now())

    activity = world.spawn(clock())
    world.run(until=3600)
    assert seen == [900, 1800, 2700, 3600]
    assert world.now() == 3600
    activity.stop()
    world.run()
    assert len(seen) == 4


def test_closing() -> None:
    world = World(1)
    near, far = world.pair()

    async def main() -> None:
        await near.write(b"last words")
        await near.close()
        await near.close()
        with pytest.raises(ConnectionLost, match="this side"):
            await near.read(None)
        with pytest.raises(ConnectionLost, match="this side"):
            await near.write(b"\x01")
        assert await far.read(None) == b"last words"
        with pytest.raises(ConnectionLost, match="peer closed"):
            await far.read(None)

    world.run(main())


def got(faults: Faults, *, datagrams: bool = False, writes: int = 50, seed: int = 7) -> tuple[list[bytes], bool]:
    """What arrives of numbered writes, read by read, and whether the connection broke."""
    world = World(seed)
    near, far = world.pair(faults, latency=0.01, jitter=0.05, datagrams=datagrams)
    reads: list[bytes] = []

    async def send() -> None:
        for number in range(writes):
            await near.write(bytes((number, number, number, number)))
            await world.sleep(0.02)

    async def receive() -> bool:
        try:
            while octets := await far.read(far.now() + 10):
                reads.append(octets)
        except ConnectionLost:
            return True
        return False

    if faults.reset:

        async def until_broken() -> None:
            with pytest.raises(ConnectionLost):
                await send()

        world.spawn(until_broken())
    else:
        world.spawn(send())
    return reads, world.run(receive())


ALL = b"".join(bytes((number,)) * 4 for number in range(50))


def test_without_faults_all_arrives_in_order() -> None:
    reads, _ = got(Faults())
    assert b"".join(reads) == ALL
    reads, _ = got(Faults(split=1.0))
    assert b"".join(reads) == ALL
    assert any(len(octets) % 4 for octets in reads)


def test_datagrams_stay_whole() -> None:
    reads, _ = got(Faults(reorder=0.5, split=1.0), datagrams=True)
    assert sorted(reads) == [ALL[start : start + 4] for start in range(0, 200, 4)]
    assert reads != sorted(reads)


def test_every_fault_happens() -> None:
    assert len(b"".join(got(Faults(loss=0.3))[0])) < len(ALL)
    assert len(b"".join(got(Faults(duplication=0.3))[0])) > len(ALL)
    damaged = b"".join(got(Faults(damage=0.3))[0])
    bits = sum((one ^ other).bit_count() for one, other in zip(damaged, ALL, strict=True))
    assert 5 < bits < 30
    reordered = b"".join(got(Faults(reorder=0.5))[0])
    assert reordered != ALL
    assert sorted(reordered) == sorted(ALL)
    assert got(Faults(reset=0.1))[1]


@given(
    st.integers(),
    st.builds(
        Faults, **{name: st.floats(0, 0.5) for name in ("loss", "duplication", "damage", "split", "reorder", "reset")}
    ),
    st.booleans(),
)
def test_a_seed_decides_everything(seed: int, faults: Faults, datagrams: bool) -> None:
    def run(seed: int) -> tuple[str, float, int]:
        world = World(seed)
        near, far = world.pair(faults, jitter=0.1, datagrams=datagrams)
        world.spawn(echo(far))

        async def main() -> None:
            try:
                for number in range(20):
                    await ask(near, bytes((number, number)), 0.5)
            except ConnectionLost:
                pass

        world.run(main())
        return world.trace_hash, world.now(), world.steps

    assert run(seed) == run(seed)


def test_seeds_differ() -> None:
    assert len({repr(got(Faults(loss=0.5), seed=seed)) for seed in range(10)}) == 10


def test_a_failing_run_names_its_seed() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    for run in (lambda world: world.run(fails()), lambda world: world.spawn(fails()) and world.run()):
        with pytest.raises(ZeroDivisionError) as failed:
            run(World(4711))
        assert failed.value.__notes__ == ["in World(seed=4711) at 0.000000 s"]


def test_what_never_happens_and_what_never_ends() -> None:
    world = World(3)
    near, _ = world.pair()
    with pytest.raises(LocalProtocolError, match="never happen") as failed:
        world.run(near.read(None))
    assert "seed=3" in failed.value.__notes__[0]

    async def busy(world: World) -> None:
        while True:
            await world.sleep(0)

    other = World(3)
    activity = other.spawn(busy(other))
    with pytest.raises(LocalProtocolError, match="1000 steps"):
        other.run(steps=1000)
    with pytest.raises(LocalProtocolError, match="not done"):
        _ = activity.result
    activity.stop()


def test_a_process_that_dies() -> None:
    world = World(3)
    near, far = world.pair(latency=1.0)
    meter = world.spawn(echo(far))

    async def main() -> bytes:
        await near.write(b"\x01")
        await world.sleep(0.5)
        meter.stop()
        answer = await near.read(near.now() + 5)
        far.reset()
        with pytest.raises(ConnectionLost, match="broke"):
            await near.read(None)
        return answer

    assert world.run(main()) == b""


def test_two_readers_at_once_are_refused() -> None:
    world = World(3)
    near, _ = world.pair()
    world.spawn(near.read(5.0))
    with pytest.raises(LocalProtocolError, match="two tasks"):
        world.run(near.read(5.0))


def test_a_thousand_conversations_an_hour_long() -> None:
    world = World(5)
    answered = [0]

    async def client(stream: SimulatedStream) -> None:
        for _ in range(4):
            answer = await ask(stream, b"\x01", 900)
            answered[0] += bool(answer)
            await world.sleep(900)

    for _ in range(1000):
        near, far = world.pair(Faults(loss=0.05), latency=0.5, jitter=2.0)
        world.spawn(echo(far))
        world.spawn(client(near))
    world.run()
    assert world.now() >= 3600
    assert 3400 < answered[0] < 3800
