"""How many times the client waits for the meter: on a slow network nothing else counts."""

from __future__ import annotations

from typing import Any

import pytest

from cosem import AsyncClient, Meter, ProfileGeneric, Register, Unit
from cosem.client.access import access
from cosem.io.simulated import World
from cosem.io.stream import Stream
from cosem.meter import AssociationDescription, Keys
from cosem.meter.attend import attend
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.dialect import Dialect
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import DoubleLongUnsigned
from cosem.store.memory import MemoryCounterStore

ENCRYPTION_KEY = bytes.fromhex("11223344556677889900AABBCCDDEEFF")
AUTHENTICATION_KEY = bytes.fromhex("D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00")
REGISTERS = [Register(f"1.0.{quantity}.8.{tariff}.255") for quantity in (1, 2) for tariff in range(5)]
PROFILE = ProfileGeneric("1.0.99.1.0.255")

PUBLIC: dict[str, Any] = {}
SECURED: dict[str, Any] = {
    "auth": "gmac",
    "ek": ENCRYPTION_KEY,
    "ak": AUTHENTICATION_KEY,
    "system_title": bytes.fromhex("4D4D4D0000000001"),
}


class Counted:
    """A stream that counts how often the other side was asked and answered."""

    def __init__(self, inner: Stream) -> None:
        self.inner = inner
        self.asked = self.answered = 0

    async def read(self, deadline: float | None, /) -> bytes:
        octets = await self.inner.read(deadline)
        self.answered += bool(octets)
        return octets

    async def write(self, octets: bytes, /) -> None:
        self.asked += 1
        await self.inner.write(octets)

    async def close(self) -> None:
        await self.inner.close()

    def now(self) -> float:
        return self.inner.now()


def described() -> Meter:
    meter = Meter("KFM1020012345678")
    for number, register in enumerate(REGISTERS):
        meter.add(register, value=1000 + number, scaler_unit=(3, Unit.WATT_HOUR))
    keys = Keys(Key(ENCRYPTION_KEY), Key(AUTHENTICATION_KEY), temporary=True)
    meter.offer(
        AssociationDescription(client=16),
        AssociationDescription(client=1, mechanism=MECHANISMS[5], keys=keys, protection=AUTHENTICATED_ENCRYPTION),
        AssociationDescription(client=33, pre_established=True),
    )
    return meter


HDLC = "hdlc+tcp://192.0.2.1:4059?client={}"


def list_read(url: str, words: dict[str, Any]) -> tuple[int, int]:
    """Return how often a client spoke to read ten registers and leave, and how often the meter answered."""
    world = World(1)
    near, far = world.pair(latency=0.3)
    counted, place = Counted(near), ConnectionUrl.parse(url)

    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        return counted

    async def read() -> list[Any]:
        entry = access(counters=MemoryCounterStore(), **words)
        async with AsyncClient(place, entry, opener=opener, entropy=world.random.randbytes) as client:
            return await client.many([register.value for register in REGISTERS])

    world.spawn(attend(described(), far, profile_of(place), entropy=world.random.randbytes))
    assert world.run(read()) == [1000 + number for number in range(10)]
    return counted.asked, counted.answered


@pytest.mark.parametrize(
    ("client_address", "words", "round_trips"),
    [
        pytest.param(16, {}, 4, id="SNRM, AARQ, list, DISC"),
        pytest.param(16, {"always_release": True}, 5, id="SNRM, AARQ, list, RLRQ, DISC"),
        pytest.param(1, SECURED, 6, id="SNRM, AARQ, proof, list, RLRQ, DISC"),
        pytest.param(1, {**SECURED, "dialect": Dialect(no_release_request=True)}, 5, id="no RLRQ for that meter"),
        pytest.param(33, {"pre_established": True}, 3, id="SNRM, list, DISC"),
        pytest.param(33, {"pre_established": True, "always_release": True}, 3, id="nothing that could be released"),
    ],
)
def test_over_hdlc_the_end_of_the_link_is_that_of_an_unprotected_association(
    client_address: int, words: dict[str, Any], round_trips: int
) -> None:
    assert list_read(HDLC.format(client_address), words) == (round_trips, round_trips)


@pytest.mark.parametrize(("information", "round_trips"), [(106, 5), (107, 4)])
def test_a_list_that_does_not_go_out_in_one_window_is_asked_for_in_several(information: int, round_trips: int) -> None:
    # GET-Request-With-List of ten: four octets before the items, ten for each; behind the LLC of three. 107 in all.
    assert list_read(HDLC.format(16) + f"&window=1&information={information}", {}) == (round_trips, round_trips)


@pytest.mark.parametrize(
    ("client_address", "words", "round_trips"),
    [
        pytest.param(16, PUBLIC, 3, id="open, list, release"),
        pytest.param(1, SECURED, 4, id="open, prove, list, release"),
    ],
)
def test_ten_registers_in_as_few_round_trips_as_there_can_be(
    client_address: int, words: dict[str, Any], round_trips: int
) -> None:
    world = World(1)
    near, far = world.pair(latency=0.3)
    counted = Counted(near)

    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        return counted

    def chance(octets: int) -> bytes:
        return bytes(world.random.randrange(256) for _ in range(octets))

    async def read() -> list[Any]:
        entry = access(counters=MemoryCounterStore(), **words)
        url = ConnectionUrl.parse(f"tcp://192.0.2.1:4059?client={client_address}")
        async with AsyncClient(url, entry, opener=opener, entropy=chance) as client:
            return await client.many([register.value for register in REGISTERS])

    world.spawn(attend(described(), far, entropy=chance))
    assert world.run(read()) == [1000 + number for number in range(10)]
    assert (counted.asked, counted.answered) == (round_trips, round_trips)


def rounds(url: str, window: int) -> int:
    """Return how often a client speaks to read a buffer of 96 rows by PDUs of 1024 octets."""
    world, place = World(1), ConnectionUrl.parse(url)
    near, far = world.pair(latency=0.3)
    counted = Counted(near)
    meter = Meter("KFM1020012345678")
    rows = [tuple(DoubleLongUnsigned(1000 * column + row) for column in range(9)) for row in range(96)]
    columns = [CaptureObject(3, register.instance, 2) for register in REGISTERS[:9]]
    for register in REGISTERS:
        meter.add(register, value=0, scaler_unit=(3, Unit.WATT_HOUR))
    meter.add(PROFILE, capture_objects=columns, capture_period=900, profile_entries=96, buffer=rows)
    meter.offer(AssociationDescription(client=16, general_block_window=63))

    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        return counted

    async def read() -> int:
        entry = access(counters=MemoryCounterStore(), gbt_window=window, max_receive_pdu_size=1024)
        async with AsyncClient(place, entry, opener=opener) as client:
            assert len(await client.get(PROFILE.buffer)) == 96
            counted.asked = 0
            assert len(await client.get(PROFILE.buffer)) == 96
            return counted.asked

    world.spawn(attend(meter, far, profile_of(place)))
    return world.run(read())


@pytest.mark.parametrize(("window", "spoken"), [(0, 5), (1, 5), (4, 2), (16, 1)])
def test_a_long_profile_over_tcp_in_windows(window: int, spoken: int) -> None:
    assert rounds("tcp://192.0.2.1:4059", window) == spoken


@pytest.mark.parametrize("window", [0, 16])
def test_a_long_profile_over_hdlc_waits_for_each_frame_of_a_window_of_one(window: int) -> None:
    assert rounds("hdlc+tcp://192.0.2.1:4059?physical=17&window=1&information=128", window) == 40


@pytest.mark.parametrize(("window", "spoken"), [(0, 5), (16, 1)])
def test_a_long_profile_over_hdlc_waits_for_windows_of_the_longest_frames_only(window: int, spoken: int) -> None:
    assert rounds("hdlc+tcp://192.0.2.1:4059?physical=17", window) == spoken
