"""A meter that is asked with all others: it does what is described for that and answers nothing."""

from __future__ import annotations

import asyncio
import hashlib
import struct
from datetime import UTC, datetime
from typing import Any

import pytest

from cosem import AsyncClient, Client, Register, Unit
from cosem.client.access import access
from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights, serving
from cosem.meter.describe import parse
from cosem.protocol.apdu.action import ActionRequestNormal, MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor, GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.set import SetRequestNormal
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.values.data import DoubleLongUnsigned, Integer, Long
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore

ENERGY = Register("1.0.1.8.0.255")
ADJUST = MethodDescriptor(8, Obis("0.0.1.0.0.255"), 6)
ALL = 0x7F
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def described(*methods: tuple[int, int]) -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    meter.add(ENERGY, value=5, scaler_unit=(0, Unit.WATT_HOUR), writable=("value",))
    meter.offer(
        AssociationDescription(
            client=102, pre_established=True, broadcast=frozenset(methods), rights=Rights(Access.MANAGE)
        ),
        AssociationDescription(client=16),
    )
    return meter


def wrapped(apdu: bytes, client: int, server: int) -> bytes:
    return struct.pack(">HHHH", 1, client, server, len(apdu)) + apdu


async def told(meter: Meter, apdu: bytes) -> tuple[float, int]:
    """Say something to all stations, then read clock and energy on the same connection.

    Returns by how many seconds the clock was moved, and the energy.
    """
    async with serving(meter, "tcp://127.0.0.1:0") as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.url.port)
        writer.write(wrapped(apdu, 102, ALL))
        values: list[Any] = []
        for attribute in (AttributeDescriptor(8, Obis("0.0.1.0.0.255"), 2), AttributeDescriptor(3, ENERGY.instance, 2)):
            writer.write(wrapped(GetRequestNormal(0xC1, attribute).encode(), 102, 1))
            _, source, target, size = struct.unpack(">HHHH", await reader.readexactly(8))
            assert (source, target) == (1, 102)  # a broadcast that is answered would be here in its place
            values.append(GetResponseNormal.decode(await reader.readexactly(size)).result)
        writer.close()
    return (DateTime.from_octets(values[0]).to_datetime() - NOON).total_seconds(), values[1]


SHIFT = ActionRequestNormal(0x01, ADJUST, Long(600)).encode()
CONFIRMED = ActionRequestNormal(0xC1, ADJUST, Long(600)).encode()
WRITE = SetRequestNormal(0x01, AttributeDescriptor(3, ENERGY.instance, 2), None, DoubleLongUnsigned(9)).encode()


@pytest.mark.parametrize(
    ("methods", "apdu", "seconds"),
    [
        ([(8, 6)], SHIFT, 600),
        ([], SHIFT, 0),
        ([(8, 5)], SHIFT, 0),
        ([(8, 6)], CONFIRMED, 0),
        ([(8, 6), (3, 1)], WRITE, 0),
        ([(8, 6)], b"\xff\xff", 0),
    ],
)
def test_only_what_is_described_for_it_is_done_and_nothing_answered(
    methods: list[tuple[int, int]], apdu: bytes, seconds: int
) -> None:
    assert asyncio.run(told(described(*methods), apdu)) == (seconds, 5)


def test_broadcasts_are_described_in_toml() -> None:
    text = """
    [meter]
    name = "KFM1020012345678"
    [[association]]
    client = 102
    pre_established = true
    broadcast = ["8:6", "70:1"]
    """
    (association, _) = parse(text).management.associations
    assert association.pre_established
    assert association.broadcast == {(8, 6), (70, 1)}
    with pytest.raises(ConfigurationError, match="8:6"):
        parse(text.replace('"70:1"', '"all"'))
    with pytest.raises(ConfigurationError, match="pre-established"):
        parse(text.replace("pre_established = true", ""))


async def read_without_opening() -> None:
    async with serving(described((8, 6)), "tcp://127.0.0.1:0") as server:
        url = f"tcp://127.0.0.1:{server.url.port}?client=102&server=1"
        async with AsyncClient.open(url, pre_established=True) as client:
            assert await client.get(ENERGY.value) == 5
            await client.set_unconfirmed(ENERGY.value, DoubleLongUnsigned(8))
            assert await client.get(ENERGY.value) == 8
            await client.act_unconfirmed(Clock().adjust_to_quarter, Integer(0))
            assert await client.get(ENERGY.value) == 8


def test_a_client_reads_writes_and_runs_without_opening() -> None:
    asyncio.run(read_without_opening())


EK, AK, TO_MANY = (Key(hashlib.sha256(name).digest()[:16]) for name in (b"ek", b"ak", b"to many"))
TITLE = bytes.fromhex("4142434445464748")


async def shift_all(key: Key, **words: Any) -> float:
    """Shift the clock of a meter that is addressed with all others; return by how many seconds it was shifted."""
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    meter.offer(
        AssociationDescription(
            client=102,
            pre_established=True,
            client_title=TITLE,
            keys=Keys(EK, AK, temporary=True, broadcast=TO_MANY),
            protection=AUTHENTICATED_ENCRYPTION,
            broadcast=frozenset(((8, 6),)),
            rights=Rights(Access.MANAGE),
        ),
        AssociationDescription(client=16),
    )
    async with serving(meter, "tcp://127.0.0.1:0") as server:
        place = f"tcp://127.0.0.1:{server.url.port}"
        words = {
            "ek": EK,
            "ak": AK,
            "broadcast_key": key,
            "system_title": TITLE,
            "counters": MemoryCounterStore(),
            **words,
        }
        url = f"{place}?client=102&server={ALL}"
        async with AsyncClient.open(url, auth="none", protection="auth+enc", pre_established=True, **words) as client:
            await client.act_unconfirmed(Clock().shift_time, 600)
            with pytest.raises(LocalProtocolError, match="only unconfirmed"):
                await client.get(ENERGY.value)
        async with AsyncClient.open(f"{place}?client=16&server=1") as client:
            return ((await client.clock()).to_datetime() - NOON).total_seconds()


def test_all_are_told_under_the_broadcast_key() -> None:
    assert asyncio.run(shift_all(TO_MANY, key_info="broadcast")) == 600
    assert asyncio.run(shift_all(TO_MANY, key_info="broadcast", envelope="general")) == 600
    assert asyncio.run(shift_all(EK, key_info="broadcast")) == 0, "a meter opens nothing under another key"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"broadcast_key": None}, "the broadcast key"),
        ({"pre_established": False}, "without opening"),
        ({"protection": "none"}, "needs protection"),
    ],
)
def test_what_the_broadcast_key_needs(words: dict[str, Any], message: str) -> None:
    given = {
        "auth": "none",
        "ek": EK,
        "ak": AK,
        "system_title": TITLE,
        "broadcast_key": TO_MANY,
        "protection": "auth+enc",
    }
    with pytest.raises(ConfigurationError, match=message):
        access(**{**given, "pre_established": True, "key_info": "broadcast", **words})


def test_a_pre_established_association_has_no_authentication() -> None:
    with pytest.raises(ConfigurationError, match="nobody authenticates"):
        Client.open("tcp://127.0.0.1:1?client=102&server=1", pre_established=True, auth="low", password="x")
