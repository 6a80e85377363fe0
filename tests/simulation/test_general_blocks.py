"""General block transfer between client and meter on every medium, also where blocks are lost, doubled or late."""

from __future__ import annotations

from typing import Any

import pytest

from cosem import AsyncClient, Data, Meter
from cosem.client.access import access
from cosem.errors import CosemError
from cosem.io.simulated import Faults, World
from cosem.io.stream import Stream
from cosem.meter import AssociationDescription, Keys
from cosem.meter.attend import attend
from cosem.meter.rights import Access, Rights
from cosem.protocol.apdu.block import GeneralBlockTransfer
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import OctetString
from cosem.store.memory import MemoryCounterStore

LONG = Data("0.0.96.1.0.255")
VALUE = OctetString(bytes(index % 251 for index in range(3000)))
EK, AK = bytes.fromhex("11223344556677889900AABBCCDDEEFF"), bytes.fromhex("D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00")
WAYS: dict[str, dict[str, Any]] = {
    "in clear": {},
    "ciphered": {"auth": "gmac", "ek": EK, "ak": AK, "system_title": bytes.fromhex("4D4D4D0000000001")},
}
URLS = ("tcp://192.0.2.1:4059?client=16", "udp://192.0.2.1:4059?client=16", "hdlc+tcp://192.0.2.1:4059?physical=17")


def described(way: str, window: int) -> Meter:
    secured = way == "ciphered"
    meter = Meter("KFM1020012345678", counters=MemoryCounterStore())
    meter.add(LONG, value=VALUE, writable=("value",))
    meter.offer(
        AssociationDescription(
            client=16,
            mechanism=MECHANISMS[5 if secured else 0],
            keys=Keys(Key(EK), Key(AK)) if secured else None,
            protection=AUTHENTICATED_ENCRYPTION if secured else Protection.NONE,
            rights=Rights(Access.MANAGE),
            max_receive_pdu_size=200,
            general_block_window=window,
        )
    )
    return meter


class Watched:
    """A stream that keeps what was written on it."""

    def __init__(self, inner: Stream, written: list[bytes]) -> None:
        self.inner, self.written = inner, written
        self.read, self.close, self.now = inner.read, inner.close, inner.now

    async def write(self, octets: bytes, /) -> None:
        self.written.append(octets)
        await self.inner.write(octets)


def play(
    url: str,
    way: str,
    *,
    seed: int = 1,
    faults: Faults | None = None,
    windows: tuple[int, int] = (16, 8),
    jitter: float = 0,
) -> tuple[Any, Any, list[bytes]]:
    """Write a long value and read it; return what was read, why it ended, and what the client wrote."""
    world, place = World(seed), ConnectionUrl.parse(url)
    near, far = world.pair(faults or Faults(), latency=0.05, jitter=jitter, datagrams=place.medium == "udp")
    written: list[bytes] = []

    async def serve() -> None:
        try:
            await attend(described(way, windows[1]), far, profile_of(place))
        except CosemError:
            await far.close()

    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        return Watched(near, written)

    async def talk() -> tuple[Any, Any]:
        entry = access(gbt_window=windows[0], max_receive_pdu_size=200, counters=MemoryCounterStore(), **WAYS[way])
        client = AsyncClient(place, entry, opener=opener, entropy=world.random.randbytes)
        try:
            await client.connect()
            other = OctetString(bytes(VALUE)[::-1])
            await client.set(LONG.value, other)
            value = await client.get(LONG.value)
            assert value == other
            await client.set(LONG.value, VALUE)
            return await client.get(LONG.value), None
        except CosemError as error:
            return None, error
        finally:
            await client.close()

    world.spawn(serve())
    value, ended = world.run(talk())
    return value, ended, written


@pytest.mark.parametrize("url", URLS, ids=lambda url: url.split(":")[0])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("windows", [(1, 1), (16, 8), (63, 63)])
def test_long_values_go_to_and_fro(url: str, way: str, windows: tuple[int, int]) -> None:
    value, ended, written = play(url, way, windows=windows)
    assert (value, ended) == (VALUE, None)
    front = b"\xe6\xe6\x00" if url.startswith("hdlc") else (b"\x00\x01\x00\x10\x00\x01")
    assert any(front in octets and GeneralBlockTransfer.TAG in octets for octets in written)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("way", WAYS)
def test_datagrams_lost_doubled_and_late_end_in_the_value_or_a_typed_error(seed: int, way: str) -> None:
    faults = Faults(loss=0.05, duplication=0.05, reorder=0.1)
    value, ended, _ = play("udp://192.0.2.1:4059?client=16", way, seed=seed, faults=faults, jitter=0.05)
    assert value == VALUE or ended is not None


def test_lost_blocks_of_datagrams_mostly_come_again() -> None:
    outcomes = [
        play("udp://192.0.2.1:4059?client=16", "ciphered", seed=seed, faults=Faults(loss=0.03))[0] for seed in range(40)
    ]
    # The association itself, and what is short, are not repeated; the hundred blocks are, and three of them are lost.
    assert outcomes.count(VALUE) >= 25, outcomes.count(VALUE)


@pytest.mark.parametrize("seed", range(10))
def test_hdlc_on_a_bad_line_with_blocks(seed: int) -> None:
    faults = Faults(loss=0.01, damage=0.01)
    value, ended, _ = play(URLS[2], "ciphered", seed=seed, faults=faults, jitter=0.02)
    assert value == VALUE or ended is not None
