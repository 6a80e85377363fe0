"""What one connection may use of a meter: pairs of SAPs, and APDUs that are refused."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from cosem.errors import ConnectionLost, RemoteProtocolError
from cosem.io.aio.memory import MemoryStream
from cosem.meter.associations import AssociationDescription, demo_keys
from cosem.meter.attend import ConnectionLimits, attend
from cosem.meter.device import Meter
from cosem.meter.rights import Access, Rights
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import ClientSettings
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.classes.access_control import AssociationLNVersion1
from cosem.protocol.model.rights import AttributeAccess, MethodAccess
from cosem.protocol.values.data import Data
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore
from pair import AK, BOTH, CLIENT_TITLE, EK

PUBLIC = bytes.fromhex("601DA109060760857405080101BE10040E01000000065F1F0400001E5DFFFF")
"""An AARQ of the public client, as many stacks send it."""
NAME = bytes.fromhex("C001C100010000 2A0000FF0200")
"""GET of the logical device name."""


def packet(apdu: bytes, client: int) -> bytes:
    return b"\0\1" + client.to_bytes(2, "big") + b"\0\1" + len(apdu).to_bytes(2, "big") + apdu


def connected(
    limits: ConnectionLimits, talk: Callable[[MemoryStream], Coroutine[Any, Any, None]]
) -> BaseException | None:
    """Let somebody talk to a meter that many clients may read, and return why the connection ended."""

    async def main() -> BaseException | None:
        meter = Meter("KFM1020012345678")
        meter.offer(*(AssociationDescription(client=n, name="a", mechanism=MECHANISMS[0]) for n in range(1, 30)))
        meter.offer(
            *(
                AssociationDescription(
                    client=n,
                    name="b",
                    mechanism=MECHANISMS[5],
                    keys=demo_keys(),
                    protection=BOTH,
                )
                for n in range(30, 60)
            )
        )
        near = MemoryStream()

        async def serve() -> None:
            try:
                await attend(meter, near.other, limits=limits)
            finally:
                await near.other.close()

        serving = asyncio.ensure_future(serve())
        await talk(near)
        await near.close()
        await asyncio.wait([serving])
        return serving.exception()

    return asyncio.run(main())


def to_be_proved(client: int, counter: InvocationCounter) -> bytes:
    """Return an AARQ that has to be followed by a proof."""
    context = SecurityContext(0, CLIENT_TITLE, None, EK, AK, required=BOTH, counter=counter)
    settings = ClientSettings(mechanism=MECHANISMS[5], protection=BOTH)
    association = ClientAssociation(settings, challenge=bytes(range(16)), security=context)
    association.associate()
    (apdu,) = association.outgoing()
    return packet(apdu, client)


async def asked(stream: MemoryStream, octets: bytes) -> bytes:
    await stream.write(octets)
    return await stream.read(stream.now() + 5)


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_associations_on_one_connection_and_not_one_more(most: int) -> None:
    limits = ConnectionLimits(associations=most)

    async def as_many(stream: MemoryStream) -> None:
        for client in range(1, most + 1):
            assert (await asked(stream, packet(PUBLIC, client)))[8] == 0x61

    async def one_more(stream: MemoryStream) -> None:
        await as_many(stream)
        with pytest.raises(ConnectionLost):
            await asked(stream, packet(PUBLIC, most + 1))

    assert connected(limits, as_many) is None
    ended = connected(limits, one_more)
    assert isinstance(ended, RemoteProtocolError)
    assert f"more than {most} associations" in str(ended)


@pytest.mark.parametrize("most", [0, 3])
def test_so_many_refusals_on_one_connection_and_not_one_more(most: int) -> None:
    limits = ConnectionLimits(refusals=most)

    async def as_many(stream: MemoryStream) -> None:
        for _ in range(most):
            assert (await asked(stream, packet(NAME, 1)))[8] == 0xD8
        assert (await asked(stream, packet(PUBLIC, 2)))[8] == 0x61

    async def one_more(stream: MemoryStream) -> None:
        await as_many(stream)
        assert (await asked(stream, packet(NAME, 1)))[8] == 0xD8  # said before the end
        with pytest.raises(ConnectionLost):
            await stream.read(stream.now() + 5)

    assert connected(limits, as_many) is None
    ended = connected(limits, one_more)
    assert isinstance(ended, RemoteProtocolError)
    assert f"{most + 1} APDUs were refused" in str(ended)


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_half_open_associations_on_one_connection_and_not_one_more(most: int) -> None:
    limits = ConnectionLimits(half_open=most)
    counter = InvocationCounter(MemoryCounterStore(), "client")

    async def as_many(stream: MemoryStream) -> None:
        for client in range(30, 30 + most):
            assert (await asked(stream, to_be_proved(client, counter)))[8] == 0x61

    async def one_more(stream: MemoryStream) -> None:
        await as_many(stream)
        with pytest.raises(ConnectionLost):
            await asked(stream, to_be_proved(59, counter))

    assert connected(limits, as_many) is None
    ended = connected(limits, one_more)
    assert isinstance(ended, RemoteProtocolError)
    assert f"more than {most} associations that nobody" in str(ended)


def test_what_a_connection_had_is_free_when_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for the garbage collector, which in a process of very many meters comes rarely."""
    made: list[weakref.ref[ServerAssociation]] = []
    begin = ServerAssociation.__init__

    def noted(association: ServerAssociation, *words: Any) -> None:
        begin(association, *words)
        made.append(weakref.ref(association))

    monkeypatch.setattr(ServerAssociation, "__init__", noted)

    async def talk(stream: MemoryStream) -> None:
        assert (await asked(stream, packet(PUBLIC, 1)))[8] == 0x61

    gc.disable()
    try:
        assert connected(ConnectionLimits(), talk) is None
        assert [each() for each in made] == [None]
    finally:
        gc.enable()


RELEASE = bytes.fromhex("6200")
STATUS_OF = "C001C1000F00002800{number:02X}FF0800"
AWAY, PENDING, THERE = 0, 1, 2


def test_who_manages_the_meter_is_told_which_clients_are_there() -> None:
    """By the values of association_status (IEC 62056-6-2, class 15), whichever connection a client has come by."""
    meter = Meter("KFM1020012345678")
    meter.offer(
        AssociationDescription(client=1, rights=Rights(Access.MANAGE)),
        AssociationDescription(client=16),
        AssociationDescription(client=17, mechanism=MECHANISMS[5], keys=demo_keys(), protection=BOTH),
        AssociationDescription(client=18, pre_established=True),
    )
    counter = InvocationCounter(MemoryCounterStore(), "client")
    attending: list[asyncio.Task[None]] = []

    async def come() -> MemoryStream:
        near = MemoryStream()

        async def serve() -> None:
            try:
                await attend(meter, near.other)
            finally:
                await near.other.close()

        attending.append(asyncio.ensure_future(serve()))
        return near

    async def main() -> None:
        manager = await come()
        assert (await asked(manager, packet(PUBLIC, 1)))[8] == 0x61

        async def seen() -> list[int]:
            told: list[int] = []
            for number in range(5):
                octets = await asked(manager, packet(bytes.fromhex(STATUS_OF.format(number=number)), 1))
                assert octets[8:13].hex() == "c401c10016", "an enumerated value"
                told.append(octets[13])
            return told

        assert await seen() == [THERE, THERE, AWAY, AWAY, THERE]
        one, other = await come(), await come()
        assert (await asked(one, packet(PUBLIC, 16)))[8] == 0x61
        assert (await asked(one, to_be_proved(17, counter)))[8] == 0x61
        assert await seen() == [THERE, THERE, THERE, PENDING, THERE]
        assert (await asked(other, packet(PUBLIC, 16)))[8] == 0x61
        assert (await asked(other, packet(RELEASE, 16)))[8] == 0x63
        assert await seen() == [THERE, THERE, THERE, PENDING, THERE], "on the first connection he still is"
        await one.close()
        await asyncio.wait([attending[1]])
        assert await seen() == [THERE, THERE, AWAY, AWAY, THERE]
        assert len(meter.sessions) == 2
        await other.close()
        await manager.close()
        await asyncio.wait(attending)
        assert meter.sessions == ()

    asyncio.run(main())
    assert [each.exception() for each in attending] == [None] * 3


def test_what_is_seen_of_another_association_is_what_its_own_client_is_offered() -> None:
    meter = Meter("KFM1020012345678")
    keys = demo_keys()
    meter.offer(
        AssociationDescription(client=1, rights=Rights(Access.MANAGE)),
        AssociationDescription(
            client=17, mechanism=MECHANISMS[5], keys=keys, protection=BOTH, rights=Rights(Access.PUBLIC)
        ),
    )
    manager, reader = meter.management.associations
    found = meter.management.find(Obis("0.0.40.0.2.255"), manager)
    own = meter.management.find(Obis("0.0.40.0.0.255"), reader)
    assert found is not None
    assert own is not None
    visit, his = meter.management.visit(manager), meter.management.visit(reader)
    assert list(found.attributes()) == [1, 2, 3, 4, 6, 8, 9]
    for index in (2, 3, 9):
        assert found.read(visit, index) == own.read(his, index)
    # joint-iso-ccitt(2) country(16) country-name(756) identified-organisation(5) DLMS-UA(8), as in the Green Book
    identifiers = {4: (2, 16, 756, 5, 8, 1, 3), 6: (2, 16, 756, 5, 8, 2, 5)}
    for index, arcs in identifiers.items():
        assert tuple(int(cast("int", arc)) for arc in cast("tuple[Data, ...]", found.read(visit, index))) == arcs
    assert found.behaviour.methods == {}
    assert found.behaviour.writes == {}
    listed = AssociationLNVersion1.object_list.shape.decode(own_list(meter))
    rights = {each.logical_name: each.access_rights for each in listed}[found.instance]
    assert {each.access for each in rights.method_access} == {MethodAccess.NONE}
    assert {each.access for each in rights.attribute_access} == {AttributeAccess.READ, AttributeAccess.NONE}


def own_list(meter: Meter) -> Data:
    manager = meter.management.associations[0]
    own = meter.management.find(Obis("0.0.40.0.0.255"), manager)
    assert own is not None
    return own.read(meter.management.visit(manager), 2)
