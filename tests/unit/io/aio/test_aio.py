"""asyncio streams and listeners against real sockets and a real pseudo-terminal."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from cosem.errors import ConnectionFailed, ConnectionLost, DecodeError, LocalProtocolError, TimedOut
from cosem.io import aio
from cosem.io.aio import tcp, waiting
from cosem.io.aio.listening import SharedAdmission, listen_on
from cosem.io.stream import LineStream, Stream


def running(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 20))

    run.__name__ = test.__name__
    return run


@contextlib.asynccontextmanager
async def pair() -> AsyncIterator[tuple[aio.SocketStream, aio.SocketStream]]:
    """A connected client and what the server sees of it."""
    accepted: asyncio.Queue[Any] = asyncio.Queue()
    done = asyncio.Event()

    async def handler(stream: Any) -> None:
        accepted.put_nowait(stream)
        await done.wait()

    async with await aio.listen("127.0.0.1", 0, handler) as listener:
        client = await aio.connect_tcp("127.0.0.1", listener.port)
        yield client, await accepted.get()
        await client.close()
        done.set()


class Stepped(asyncio.SelectorEventLoop):
    """An event loop whose clock can be put ahead."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


def stepped(scenario: Callable[[Stepped], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=Stepped) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Stepped)
        runner.run(scenario(loop))


async def until(true: Callable[[], bool]) -> None:
    for _ in range(100_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to be")


async def hold(stream: Any) -> None:
    with contextlib.suppress(ConnectionLost):
        await stream.read(None)


def soon(stream: Stream, seconds: float = 5.0) -> float:
    return stream.now() + seconds


@running
async def test_what_one_side_writes_the_other_reads() -> None:
    async with pair() as (client, meter):
        await client.write(b"\x7e\xa0")
        assert await meter.read(soon(meter)) == b"\x7e\xa0"
        reading = asyncio.create_task(client.read(None))
        await asyncio.sleep(0.01)
        await meter.write(b"\x01")
        assert await reading == b"\x01"
        assert meter.peer == "127.0.0.1"


@running
async def test_a_deadline_gives_nothing() -> None:
    async with pair() as (client, meter):
        start = client.now()
        assert await client.read(start + 0.05) == b""
        assert 0.04 < client.now() - start < 1
        assert await client.read(start - 1) == b""
        await meter.write(b"\x01")
        await asyncio.sleep(0.01)
        assert await client.read(start - 1) == b"\x01", "what is there already is returned even so"


@running
async def test_one_timer_serves_deadlines_that_move() -> None:
    async with pair() as (client, meter):
        reading = asyncio.create_task(client.read(client.now() + 0.2))
        await asyncio.sleep(0)
        await meter.write(b"\x01")
        assert await reading == b"\x01"
        start = client.now()
        assert await client.read(start + 0.4) == b"", "the older, earlier timer must not end the later read"
        assert client.now() - start >= 0.39
        reading = asyncio.create_task(client.read(client.now() + 5))
        await asyncio.sleep(0)
        await meter.write(b"\x01")
        assert await reading == b"\x01"
        start = client.now()
        assert await client.read(start + 0.02) == b"", "an earlier deadline must not wait for the later timer"
        assert client.now() - start < 1


@running
async def test_the_end_comes_after_the_last_octets() -> None:
    async with pair() as (client, meter):
        await meter.write(b"\x01\x02")
        await meter.close()
        await asyncio.sleep(0.01)
        assert await client.read(soon(client)) == b"\x01\x02"
        for _ in range(2):
            with pytest.raises(ConnectionLost, match="peer closed"):
                await client.read(soon(client))
        with pytest.raises(ConnectionLost):
            await client.write(b"\x01")


@running
async def test_a_waiting_reader_learns_of_the_end() -> None:
    async with pair() as (client, meter):
        reading = asyncio.create_task(client.read(None))
        await asyncio.sleep(0.01)
        meter.abort()
        with pytest.raises(ConnectionLost):
            await reading
    async with pair() as (client, _):
        reading = asyncio.create_task(client.read(None))
        await asyncio.sleep(0.01)
        await client.close()
        await client.close()
        with pytest.raises(ConnectionLost, match="this side"):
            await reading


@running
async def test_a_cancelled_read_loses_nothing() -> None:
    async with pair() as (client, meter):
        reading = asyncio.create_task(client.read(None))
        await asyncio.sleep(0)
        client.data_received(b"\x05")  # arrives in the same turn in which the reader is cancelled
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert await client.read(soon(client)) == b"\x05"
        await meter.write(b"\x06")
        assert await client.read(soon(client)) == b"\x06"


@running
async def test_two_readers_at_once_are_refused() -> None:
    async with pair() as (client, _):
        first = asyncio.create_task(client.read(soon(client)))
        await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError, match="two tasks"):
            await client.read(soon(client))
        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first


@running
async def test_a_slow_peer_holds_the_writer_and_a_slow_reader_the_peer() -> None:
    async with pair() as (client, meter):
        sent = bytes(range(256)) * 65536
        writing = asyncio.create_task(client.write(sent))
        await asyncio.sleep(0.2)
        assert not writing.done(), "nobody reads, so the write waits"
        assert meter._held <= 2 * waiting.READ_AHEAD, "and what is held for the reader stays bounded"
        got = bytearray()
        while len(got) < len(sent):
            got += await meter.read(soon(meter))
        assert bytes(got) == sent
        await writing


async def stuck_write() -> None:
    async with pair() as (client, _):
        with pytest.raises(TimedOut) as late:
            await client.write(bytes(30_000_000))
        assert late.value.phase == "write"
        client.abort()


def test_a_write_that_nobody_takes_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "WRITE_TIMEOUT", 0.05)
    monkeypatch.setattr(tcp, "CLOSE_TIMEOUT", 0.05)
    asyncio.run(stuck_write())


@running
async def test_refusals_say_what_to_try() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionFailed, match=r"refused.*port"):
        await aio.connect_tcp("127.0.0.1", port)
    with pytest.raises(ConnectionFailed, match="refused"):
        await aio.connect_tcp("localhost", port)
    with pytest.raises(ConnectionFailed, match="known host"):
        await aio.connect_tcp("no-such-host.invalid", 4059)
    with pytest.raises(ConnectionFailed, match="known host"):
        await aio.connect_udp("x" * 64 + ".invalid", 4059)


@running
async def test_a_silent_address_times_out() -> None:
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # fill the queue that nobody empties
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with pytest.raises(ConnectionFailed, match=r"did not answer within 0.1 s"):
            await aio.connect_tcp("127.0.0.1", full.getsockname()[1], timeout=0.1)


@running
async def test_udp_keeps_datagrams_and_peers_apart() -> None:
    async def echo(stream: Any) -> None:
        while True:
            await stream.write(stream.peer.encode() + await stream.read(None))

    async with await aio.listen_datagrams("127.0.0.1", 0, echo) as listener:
        one = await aio.connect_udp("127.0.0.1", listener.port)
        two = await aio.connect_udp("127.0.0.1", listener.port)
        for datagram in (b"a", b"bb"):
            await one.write(datagram)
        await two.write(b"c")
        assert await one.read(soon(one)) == b"127.0.0.1a"
        assert await one.read(soon(one)) == b"127.0.0.1bb"
        assert await two.read(soon(two)) == b"127.0.0.1c"
        assert await one.read(one.now() + 0.01) == b""
        assert listener.connections == 2
        await one.close()
        with pytest.raises(ConnectionLost):
            await one.write(b"d")
        await two.close()


@running
async def test_udp_to_nobody() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stream = await aio.connect_udp("127.0.0.1", port)
    await stream.write(b"\x01")
    with pytest.raises(ConnectionLost, match="nothing listens"):
        await stream.read(soon(stream))
    await stream.close()


@running
async def test_silent_datagram_peers_are_forgotten() -> None:
    ended: asyncio.Queue[str] = asyncio.Queue()

    async def handler(stream: Any) -> None:
        try:
            await stream.read(None)
            await stream.read(soon(stream))
        except ConnectionLost as lost:
            ended.put_nowait(str(lost))

    async with await aio.listen_datagrams("127.0.0.1", 0, handler, aio.ListenLimits(idle=0.05)) as listener:
        client = await aio.connect_udp("127.0.0.1", listener.port)
        for _ in range(2):
            await client.write(b"\x01")
            assert "silent" in await ended.get()
            await asyncio.sleep(0.01)
            assert listener.connections == 0
        await client.close()


@running
async def test_datagrams_that_nobody_reads_are_dropped() -> None:
    async def send(_: bytes) -> None: ...

    stream = aio.DatagramStream(send, lambda: None)
    for _ in range(waiting.READ_AHEAD // 1024):
        stream.deliver(bytes(1024))
    assert stream.dropped == 0
    stream.deliver(b"\x01")
    assert stream.dropped == 1


@running
async def test_limits_of_a_listener() -> None:
    async def hold(stream: Any) -> None:
        stream.recognise()
        with contextlib.suppress(ConnectionLost):
            await stream.read(None)

    limits = aio.ListenLimits(connections=3, connections_per_host=2)
    async with await aio.listen("127.0.0.1", 0, hold, limits) as listener:
        streams = [await aio.connect_tcp("127.0.0.1", listener.port) for _ in range(2)]
        refused = await aio.connect_tcp("127.0.0.1", listener.port)
        with pytest.raises(ConnectionLost):
            await refused.read(soon(refused))
        assert (listener.connections, listener.statistics.accepted, listener.statistics.refused) == (2, 2, 1)
        await streams.pop().close()
        await asyncio.sleep(0.05)
        streams.append(await aio.connect_tcp("127.0.0.1", listener.port))
        assert await streams[-1].read(streams[-1].now() + 0.05) == b"", "there is room again"
        for stream in streams:
            await stream.close()
    wide = aio.ListenLimits(connections=2, connections_per_host=8)
    async with await aio.listen("127.0.0.1", 0, hold, wide) as listener:
        streams = [await aio.connect_tcp("127.0.0.1", listener.port) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert (listener.statistics.accepted, listener.statistics.refused) == (2, 1)
        for stream in streams:
            await stream.close()


@pytest.mark.parametrize(
    "limits", [aio.ListenLimits(connections_per_host=2, grace=0), aio.ListenLimits(connections=2, grace=0)]
)
def test_a_newcomer_takes_the_place_of_the_stranger_who_came_first(limits: aio.ListenLimits) -> None:
    async def scenario() -> None:
        let_in: list[Any] = []

        async def hold(stream: Any) -> None:
            let_in.append(stream)
            with contextlib.suppress(ConnectionLost):
                await stream.read(None)

        async with await aio.listen("127.0.0.1", 0, hold, limits) as listener:
            streams = []
            for number in range(2):
                streams.append(await aio.connect_tcp("127.0.0.1", listener.port))
                while len(let_in) == number:
                    await asyncio.sleep(0)
            let_in[0].recognise()  # now the second is the stranger who came first
            streams.append(await aio.connect_tcp("127.0.0.1", listener.port))
            with pytest.raises(ConnectionLost):
                await streams[1].read(soon(streams[1]))
            while len(let_in) == 2:
                await asyncio.sleep(0)
            for known in let_in:
                known.recognise()
            streams.append(await aio.connect_tcp("127.0.0.1", listener.port))
            with pytest.raises(ConnectionLost):
                await streams[3].read(soon(streams[3]))
            seen = listener.statistics
            assert (seen.accepted, seen.displaced, seen.refused) == (3, 1, 1)
            for stream in streams:
                await stream.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.parametrize(("grace", "displaced"), [(0.0, 1), (60.0, 0)])
def test_a_stranger_has_his_time_to_be_let_in(grace: float, displaced: int) -> None:
    async def hold(stream: Any) -> None:
        with contextlib.suppress(ConnectionLost):
            await stream.read(None)

    async def scenario() -> None:
        limits = aio.ListenLimits(connections=1, grace=grace)
        async with await aio.listen("127.0.0.1", 0, hold, limits) as listener:
            streams = [await aio.connect_tcp("127.0.0.1", listener.port) for _ in range(2)]
            loser = streams[0 if displaced else 1]
            with pytest.raises(ConnectionLost):
                await loser.read(soon(loser))
            assert (listener.statistics.displaced, listener.statistics.refused) == (displaced, 1 - displaced)
            for stream in streams:
                await stream.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.parametrize(("proved", "known", "comes_in"), [(True, 2, True), (True, 1, False), (False, 2, False)])
def test_who_proved_himself_before_need_not_wait_for_a_place(proved: bool, known: int, comes_in: bool) -> None:
    """Two hosts prove who they are, then strangers fill all places, then the first of the two comes again."""

    async def hold(stream: Any) -> None:
        if stream.peer != "127.0.0.9":
            stream.recognise(proved)
        with contextlib.suppress(ConnectionLost):
            await stream.read(None)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        limits = aio.ListenLimits(connections=2, grace=60.0, known=known)
        async with await aio.listen("127.0.0.1", 0, hold, limits) as listener:

            async def come(host: str) -> aio.SocketStream:
                seen, port = listener.statistics, listener.port
                before = seen.accepted + seen.refused
                _, stream = await loop.create_connection(aio.SocketStream, "127.0.0.1", port, local_addr=(host, 0))
                while seen.accepted + seen.refused == before:
                    await asyncio.sleep(0)
                return stream

            for host in ("127.0.0.7", "127.0.0.8"):
                await (await come(host)).close()
            while listener.connections:
                await asyncio.sleep(0)
            strangers = [await come("127.0.0.9") for _ in range(2)]
            again = await come("127.0.0.7")
            loser = strangers[0] if comes_in else again
            with pytest.raises(ConnectionLost):
                await loser.read(soon(loser))
            seen = listener.statistics
            assert (seen.displaced, seen.refused) == (int(comes_in), int(not comes_in))
            for stream in (*strangers, again):
                await stream.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.parametrize(("rate", "refused"), [(1e-6, 1), (None, 0), (1e9, 0)])
def test_so_many_connections_a_host_may_begin_at_once_and_not_one_more(rate: float | None, refused: int) -> None:
    async def hold(stream: Any) -> None:
        with contextlib.suppress(ConnectionLost):
            await stream.read(None)

    async def scenario() -> None:
        limits = aio.ListenLimits(new_a_second=rate, burst=3)
        async with await aio.listen("127.0.0.1", 0, hold, limits) as listener:
            seen = listener.statistics
            for number in range(4):
                stream = await aio.connect_tcp("127.0.0.1", listener.port)
                while seen.accepted + seen.refused == number:
                    await asyncio.sleep(0)
                await stream.close()
            assert (seen.accepted, seen.refused) == (4 - refused, refused)
            _, other = await asyncio.get_running_loop().create_connection(
                aio.SocketStream, "127.0.0.1", listener.port, local_addr=("127.0.0.7", 0)
            )
            while seen.accepted + seen.refused == 4:
                await asyncio.sleep(0)
            assert seen.refused == refused  # another host is not concerned
            await other.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))


@pytest.mark.parametrize("grace", [0.5, 2.0, 60.0])
@pytest.mark.parametrize(("more", "displaced"), [(-0.2, 0), (0.2, 1)])
def test_a_stranger_has_just_his_time_to_be_let_in(grace: float, more: float, displaced: int) -> None:
    async def scenario(loop: Stepped) -> None:
        limits = aio.ListenLimits(connections=1, grace=grace)
        async with await aio.listen("127.0.0.1", 0, hold, limits) as listener:
            seen = listener.statistics
            first = await aio.connect_tcp("127.0.0.1", listener.port)
            await until(lambda: seen.accepted == 1)
            loop.ahead += grace + more
            second = await aio.connect_tcp("127.0.0.1", listener.port)
            await until(lambda: seen.accepted + seen.refused == 2)
            assert (seen.displaced, seen.refused) == (displaced, 1 - displaced)
            await first.close()
            await second.close()

    stepped(scenario)


@pytest.mark.parametrize("rate", [0.1, 0.5])
@pytest.mark.parametrize(("more", "refused"), [(-0.5, 2), (0.5, 1)])
def test_so_many_connections_a_host_may_begin_in_the_long_run(rate: float, more: float, refused: int) -> None:
    """Once the burst is spent, one more in 1/rate seconds, and not a moment before."""

    async def scenario(loop: Stepped) -> None:
        limits = aio.ListenLimits(new_a_second=rate, burst=2)
        async with await aio.listen("127.0.0.1", 0, hold, limits) as listener:
            seen = listener.statistics

            async def come() -> None:
                before = seen.accepted + seen.refused
                stream = await aio.connect_tcp("127.0.0.1", listener.port)
                await until(lambda: seen.accepted + seen.refused == before + 1)
                await stream.close()

            for _ in range(3):
                await come()
            assert (seen.accepted, seen.refused) == (2, 1)
            loop.ahead += 1 / rate + more
            await come()
            assert (seen.accepted, seen.refused) == (4 - refused, refused)

    stepped(scenario)


@pytest.mark.parametrize("idle", [10.0, 180.0])
@pytest.mark.parametrize(("more", "connections"), [(-1.0, 1), (1.0, 0)])
def test_a_datagram_peer_is_forgotten_after_its_silence(idle: float, more: float, connections: int) -> None:
    async def scenario(loop: Stepped) -> None:
        heard: list[bytes] = []

        async def hear(stream: Any) -> None:
            with contextlib.suppress(ConnectionLost):
                while True:
                    heard.append(await stream.read(None))

        async with await aio.listen_datagrams("127.0.0.1", 0, hear, aio.ListenLimits(idle=idle)) as listener:
            client = await aio.connect_udp("127.0.0.1", listener.port)
            for _ in range(2):  # who speaks in time has all of it again
                before = len(heard)
                await client.write(b"\x01")
                await until(lambda before=before: len(heard) > before)
                loop.ahead += idle - 1.0
            loop.ahead += more + 1.0
            # In the turn of the loop after the next all timers that are due have rung.
            for _ in range(10):
                await asyncio.sleep(0)
            assert listener.connections == connections
            assert listener.statistics.accepted == 1
            await client.close()

    stepped(scenario)


@pytest.mark.parametrize("most", [1, 3])
def test_listeners_that_share_admission_serve_so_many_together_and_not_one_more(most: int) -> None:
    async def let_in(stream: Any) -> None:
        stream.recognise()
        await hold(stream)

    async def scenario(_: Stepped) -> None:
        shared = SharedAdmission(most)
        async with (
            await aio.listen("127.0.0.1", 0, let_in, shared=shared) as one,
            await aio.listen("127.0.0.1", 0, let_in, shared=shared) as other,
        ):

            async def come(listener: aio.Listener) -> aio.SocketStream:
                seen = listener.statistics
                before = seen.accepted + seen.refused
                stream = await aio.connect_tcp("127.0.0.1", listener.port)
                await until(lambda: seen.accepted + seen.refused == before + 1)
                return stream

            held = [await come((one, other)[number % 2]) for number in range(most)]
            assert one.statistics.refused + other.statistics.refused == 0
            for listener in (one, other):
                await (await come(listener)).close()
                assert listener.statistics.refused == 1
            await held.pop().close()
            await until(lambda: one.connections + other.connections == most - 1)
            held.append(await come(other))
            assert other.statistics.refused == 1, "there is room again"
            for stream in held:
                await stream.close()

    stepped(scenario)


def test_strangers_at_one_listener_keep_nobody_out_at_another() -> None:
    async def scenario(loop: Stepped) -> None:
        shared = SharedAdmission(2)
        async with (
            await aio.listen("127.0.0.1", 0, hold, shared=shared) as crowded,
            await aio.listen("127.0.0.1", 0, hold, shared=shared) as other,
        ):
            strangers = [await aio.connect_tcp("127.0.0.1", crowded.port) for _ in range(2)]
            await until(lambda: crowded.statistics.accepted == 2)
            loop.ahead += 60.0
            honest = await aio.connect_tcp("127.0.0.1", other.port)
            await until(lambda: other.statistics.accepted + other.statistics.refused == 1)
            assert (other.statistics.accepted, other.statistics.displaced) == (1, 1)
            with pytest.raises(ConnectionLost):
                await strangers[0].read(None)
            await until(lambda: crowded.connections == 1)
            for stream in (*strangers, honest):
                await stream.close()

    stepped(scenario)


def test_one_connection_that_fails_leaves_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(stream: Any) -> None:
        match await stream.read(None):
            case b"theirs":
                raise DecodeError("need 6 octets, have 3")
            case b"ours":
                raise ZeroDivisionError
            case octets:
                await stream.write(octets)

    async def scenario() -> None:
        async with await aio.listen("127.0.0.1", 0, handler) as listener:
            for word in (b"theirs", b"ours"):
                stream = await aio.connect_tcp("127.0.0.1", listener.port)
                await stream.write(word)
                with pytest.raises(ConnectionLost):
                    await stream.read(soon(stream))
                await stream.close()
            stream = await aio.connect_tcp("127.0.0.1", listener.port)
            await stream.write(b"well")
            assert await stream.read(soon(stream)) == b"well"
            await stream.close()
            assert (listener.statistics.failed, listener.statistics.internal_errors) == (1, 1)

    asyncio.run(scenario())
    assert "failed inside" in caplog.text


@running
async def test_closing_a_listener_ends_its_connections() -> None:
    async def hold(stream: Any) -> None:
        await stream.read(None)

    listener = await aio.listen("127.0.0.1", 0, hold)
    stream = await aio.connect_tcp("127.0.0.1", listener.port)
    await asyncio.sleep(0.01)
    waiting = asyncio.create_task(listener.wait_closed())
    await listener.close()
    await waiting
    with pytest.raises(ConnectionLost):
        await stream.read(soon(stream))
    await stream.close()
    with pytest.raises(ConnectionFailed):
        await aio.connect_tcp("127.0.0.1", listener.port)


@running
async def test_a_connection_that_was_never_served_is_closed_as_well() -> None:
    """The listener closes in the turn in which the connection came: its handler has not taken one step."""

    async def never(stream: Any) -> None:
        pytest.fail("it was served")

    listener = await aio.listen("127.0.0.1", 0, never)
    kept: list[Any] = []
    serve, closing = listener._reception.serve, list[asyncio.Task[None]]()

    def come_and_go(stream: Any, host: str) -> None:
        serve(stream, host)
        kept.append(stream)
        for task in listener._reception.tasks:
            task.cancel()
        closing.append(asyncio.create_task(listener.close()))

    listener._reception.serve = come_and_go  # type: ignore[method-assign]
    stream = await aio.connect_tcp("127.0.0.1", listener.port)
    with pytest.raises(ConnectionLost):
        await stream.read(soon(stream))
    await closing[0]
    assert kept[0]._transport is None
    await stream.close()


@running
async def test_a_port_that_somebody_else_listens_on_since_it_was_bound() -> None:
    with socket.socket() as ours, socket.socket() as theirs:
        for each in (ours, theirs):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        theirs.bind(("127.0.0.1", 0))
        ours.setblocking(False)
        ours.bind(theirs.getsockname())
        theirs.listen()

        async def handle(_: aio.SocketStream | aio.DatagramStream) -> None: ...

        with pytest.raises(ConnectionFailed, match="choose another port"):
            await listen_on(ours, handle, whose=lambda stream: stream.local)
        assert ours.fileno() == -1


@running
async def test_a_port_in_use_cannot_be_listened_on() -> None:
    async def hold(stream: Any) -> None:
        await stream.read(None)

    async with await aio.listen("127.0.0.1", 0, hold) as listener:
        with pytest.raises(ConnectionFailed, match="another port"):
            await aio.listen("127.0.0.1", listener.port, hold)
    async with await aio.listen_datagrams("127.0.0.1", 0, hold) as listener:
        with pytest.raises(ConnectionFailed, match="another port"):
            await aio.listen_datagrams("127.0.0.1", listener.port, hold)


async def serial_scenario() -> None:
    meter, line = os.openpty()
    stream = await aio.open_serial(os.ttyname(line), 9600)
    assert isinstance(stream, LineStream)
    await stream.write(bytes(range(256)))
    await asyncio.sleep(0.01)
    assert os.read(meter, 1000) == bytes(range(256))
    reading = asyncio.create_task(stream.read(soon(stream)))
    await asyncio.sleep(0.02)
    os.write(meter, b"\x7e\x0d\x0a\x11\x13\xff")
    got = await reading
    while len(got) < 6:
        got += await stream.read(soon(stream))
    assert got == b"\x7e\x0d\x0a\x11\x13\xff"
    start = stream.now()
    assert await stream.read(start + 0.03) == b""
    assert 0.02 < stream.now() - start < 1
    reading = asyncio.create_task(stream.read(None))
    await asyncio.sleep(0.02)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await stream.configure(300, "8N2")
    assert stream._port.baudrate == 300
    os.close(meter)
    with pytest.raises(ConnectionLost, match="plugged in"):
        await stream.read(soon(stream))
    await stream.close()
    await stream.close()
    os.close(line)


def test_serial_line() -> None:
    asyncio.run(serial_scenario())


def test_serial_line_that_the_loop_cannot_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(asyncio.SelectorEventLoop, "add_reader", cannot)
    asyncio.run(serial_scenario())
