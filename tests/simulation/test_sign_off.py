"""A meter signs off whoever falls silent, on each of its protocols just after the agreed silence and not before."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine
from functools import reduce
from operator import xor
from typing import Any

import pytest

from cosem import AsyncClient, Meter, Register, Unit
from cosem.client.access import Access
from cosem.errors import ConnectionLost, CosemError, TimedOut
from cosem.io.simulated import SimulatedStream, World
from cosem.io.stream import Stream
from cosem.meter import Access as Allowed
from cosem.meter import AssociationDescription, LocalPort, Rights, attend_local
from cosem.meter.attend import attend
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import ServerTiming

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
