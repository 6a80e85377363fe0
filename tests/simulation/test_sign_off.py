"""A meter signs off whoever falls silent, on each of its protocols just after the agreed silence and not before."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine
from functools import reduce
from operator import xor
from typing import Any

import pytest

from cosem import AsyncClient, Meter, Register, Unit
from cosem.client.access import Access, access
from cosem.errors import ConnectionLost, CosemError, TimedOut
from cosem.io.simulated import SimulatedStream, World
from cosem.io.stream import Stream
from cosem.meter import Access as Allowed
from cosem.meter import AssociationDescription, LocalPort, Rights, attend_local
from cosem.meter.attend import attend
from cosem.protocol.association.context import PreEstablished
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import ServerTiming, Timing

ENERGY = Register("1.0.1.8.0.255")

PUBLIC = bytes.fromhex("000100100001001F") + bytes.fromhex(
    "601DA109060760857405080101BE10040E01000000065F1F0400001E5DFFFF"
)
"""An AARQ of the public client in a wrapper, as many stacks send it."""
NAME = bytes.fromhex("000100100001000DC001C1000100002A0000FF0200")
"""GET of the logical device name in a wrapper."""


def described() -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=1234, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(AssociationDescription(client=16, rights=Rights(Allowed.READ)))
    return meter


def ended(serve: Coroutine[Any, Any, None], far: SimulatedStream, ends: list[CosemError]) -> Coroutine[Any, Any, None]:
    """Serve, keep why it ended, and close."""

    async def main() -> None:
        try:
            await serve
        except CosemError as error:
            ends.append(error)
        await far.close()

    return main()


@pytest.mark.parametrize(("silence", "gone"), [(119.0, False), (121.0, True)])
def test_an_association_in_a_wrapper(silence: float, gone: bool) -> None:
    world, ends = World(1), list[CosemError]()

    async def main() -> None:
        near, far = world.pair()
        world.spawn(ended(attend(described(), far), far, ends))
        await near.write(PUBLIC)
        assert (await near.read(world.now() + 5))[8] == 0x61
        for _ in range(2):  # who speaks in time has all of it again
            await world.sleep(100.0)
            await near.write(NAME)
            assert (await near.read(world.now() + 5))[8:10] == b"\xc4\x01"
        await world.sleep(silence)
        with pytest.raises(ConnectionLost) if gone else contextlib.nullcontext():
            await near.write(NAME)
            assert (await near.read(world.now() + 5))[8:10] == b"\xc4\x01"
        await near.close()

    world.run(main())
    assert [type(each) for each in ends] == ([TimedOut] if gone else [])


@pytest.mark.parametrize("scheme", ["tcp", "udp", "hdlc+tcp"])
@pytest.mark.parametrize("idle", [30.0, 100.0, 600.0])
@pytest.mark.parametrize(("more", "gone"), [(-1.0, False), (1.0, True)])
def test_whoever_is_idle_for_as_long_as_was_said(scheme: str, idle: float, more: float, gone: bool) -> None:
    """The idle time alone: shorter and longer than what a link is let be silent for, which on HDLC ends with it."""
    world, ends = World(1), list[CosemError]()
    url = ConnectionUrl.parse(f"{scheme}://127.0.0.1?client=16")
    linked = scheme == "hdlc+tcp" and idle > 120.0

    async def main() -> None:
        near, far = world.pair(datagrams=scheme == "udp")
        world.spawn(ended(attend(described(), far, profile_of(url), timing=ServerTiming(idle=idle)), far, ends))

        async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
            return near

        client = AsyncClient(url, Access(), opener=opener)
        await client.connect()
        await world.sleep(min(idle, 120.0) - 1.0)
        assert await client.get(ENERGY.value) == 1234  # who speaks in time has all of it again
        await world.sleep(idle + more)
        with pytest.raises(CosemError) if gone or linked else contextlib.nullcontext():
            assert await client.get(ENERGY.value) == 1234
        await near.close()

    world.run(main())
    assert [(type(each), str(each)) for each in ends] == ([(TimedOut, str(TimedOut("idle", idle)))] if gone else [])


@pytest.mark.parametrize(("silence", "gone"), [(29.0, False), (31.0, True)])
def test_whoever_comes_and_says_nothing_at_all(silence: float, gone: bool) -> None:
    world, ends = World(1), list[CosemError]()

    async def main() -> None:
        near, far = world.pair()
        world.spawn(ended(attend(described(), far, timing=ServerTiming(idle=30.0)), far, ends))
        await world.sleep(silence)
        with pytest.raises(ConnectionLost) if gone else contextlib.nullcontext():
            await near.write(PUBLIC)
            assert (await near.read(world.now() + 5))[8] == 0x61
        await near.close()

    world.run(main())
    assert [type(each) for each in ends] == ([TimedOut] if gone else [])


@pytest.mark.parametrize(
    ("scheme", "idle", "silence", "gone"),
    [
        *(("tcp", 30.0, 29.0, False), ("tcp", 30.0, 31.0, True)),
        *(("udp", 30.0, 29.0, False), ("udp", 30.0, 31.0, True)),
        *(("hdlc+tcp", 30.0, 29.0, False), ("hdlc+tcp", 30.0, 31.0, True)),
        *(("hdlc+tcp", 1000.0, 119.0, False), ("hdlc+tcp", 1000.0, 121.0, True)),  # the link goes first
    ],
)
def test_an_association_that_is_there_without_being_opened(
    scheme: str, idle: float, silence: float, gone: bool
) -> None:
    """Nobody can release it, but silence takes the connection or the link from it; on another one it is there again."""
    world, ends = World(1), list[CosemError]()
    url = ConnectionUrl.parse(f"{scheme}://127.0.0.1?client=1")
    meter = described()
    meter.offer(AssociationDescription(client=1, pre_established=True, rights=Rights(Allowed.READ)))

    def come() -> tuple[SimulatedStream, AsyncClient]:
        near, far = world.pair(datagrams=scheme == "udp")
        world.spawn(ended(attend(meter, far, profile_of(url), timing=ServerTiming(idle=idle)), far, ends))

        async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
            return near

        return near, AsyncClient(url, Access(pre_established=PreEstablished()), opener=opener)

    async def main() -> None:
        near, client = come()
        await client.connect()
        assert await client.get(ENERGY.value) == 1234
        await world.sleep(silence)
        with pytest.raises(CosemError) if gone else contextlib.nullcontext():
            assert await client.get(ENERGY.value) == 1234
        await near.close()
        again, other = come()
        await other.connect()
        assert await other.get(ENERGY.value) == 1234
        await again.close()

    world.run(main())
    assert [type(each) for each in ends] == ([TimedOut] if gone and idle == 30.0 else [])


class Slow:
    """A stream on which a client takes its time before it says what comes second: in HLS that is its proof."""

    def __init__(self, stream: SimulatedStream, world: World, seconds: float) -> None:
        self._stream = stream
        self._world = world
        self._seconds = seconds
        self._written = 0

    def now(self) -> float:
        return self._stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        return await self._stream.read(deadline)

    async def write(self, octets: bytes, /) -> None:
        self._written += 1
        if self._written == 2:
            await self._world.sleep(self._seconds)
        await self._stream.write(octets)

    async def close(self) -> None:
        await self._stream.close()


@pytest.mark.parametrize("proof", [10.0, 45.0])
@pytest.mark.parametrize(("more", "late"), [(-1.0, False), (1.0, True)])
def test_whoever_takes_his_time_to_prove_who_he_is(proof: float, more: float, late: bool) -> None:
    world, ends = World(1), list[CosemError]()
    url = ConnectionUrl.parse("tcp://127.0.0.1?client=1")
    meter = described()
    secret = Secret(b"0123456789ABCDEF")
    meter.offer(AssociationDescription(client=1, mechanism=named("sha256"), secret=secret, rights=Rights(Allowed.READ)))

    async def main() -> None:
        near, far = world.pair()
        world.spawn(ended(attend(meter, far, timing=ServerTiming(proof=proof)), far, ends))

        async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
            return Slow(near, world, proof + more)

        entry = access(auth="sha256", password=secret)
        client = AsyncClient(url, entry, Timing(association=100.0), opener=opener, warns=False)
        with pytest.raises(CosemError) if late else contextlib.nullcontext():
            await client.connect()
            assert await client.get(ENERGY.value) == 1234
        await near.close()

    world.run(main())
    assert ends == [], "the connection itself is let live"


@pytest.mark.parametrize(("silence", "gone"), [(119.0, False), (121.0, True)])
def test_an_association_over_hdlc_goes_with_its_link(silence: float, gone: bool) -> None:
    """The stream stays, as a line does: what ends is the link, and with it the association."""
    world, ends = World(1), list[CosemError]()
    url = ConnectionUrl.parse("hdlc+tcp://127.0.0.1?client=16")

    async def main() -> None:
        near, far = world.pair()
        serving = attend(described(), far, profile_of(url), timing=ServerTiming(idle=1000.0))
        world.spawn(ended(serving, far, ends))

        async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
            return near

        client = AsyncClient(url, Access(), opener=opener)
        await client.connect()
        await world.sleep(100.0)
        assert await client.get(ENERGY.value) == 1234
        await world.sleep(silence)
        with pytest.raises(CosemError) if gone else contextlib.nullcontext():
            assert await client.get(ENERGY.value) == 1234
        await near.close()

    world.run(main())
    assert ends == [], "the connection itself is let live"


def command(text: bytes) -> bytes:
    """Return a programming message with its block check: exclusive or of what follows SOH, as IEC 62056-21 has it."""
    return b"\x01" + text + bytes([reduce(xor, text)])


@pytest.mark.parametrize(("silence", "gone"), [(59.0, False), (61.0, True)])
def test_programming_mode_at_the_local_port(silence: float, gone: bool) -> None:
    world, ends = World(1), list[CosemError]()
    read = command(b"R1\x021-0:1.8.0*255()\x03")

    async def main() -> None:
        near, far = world.pair()
        world.spawn(ended(attend_local(described(), far, LocalPort(), switches=False), far, ends))

        async def heard(octets: bytes) -> bytes:
            await near.write(octets)
            answer = b""
            with contextlib.suppress(TimedOut):
                while piece := await near.read(world.now() + 1.0):
                    answer += piece
            return answer

        assert (await heard(b"/?!\r\n")).startswith(b"/KFM")
        assert (await heard(b"\x06051\r\n")).startswith(b"\x01P0\x02")
        first = await heard(read)
        assert b"(1.234*kWh)" in first
        # What is heard ends a second after the answer.
        await world.sleep(silence - 1.0)
        assert await heard(read) == (b"" if gone else first)
        assert (await heard(b"/?!\r\n")).startswith(b"/KFM"), "the port is there for the next reader"
        await near.close()

    world.run(main())
    assert ends == []
