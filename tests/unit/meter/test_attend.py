"""What one connection may use of a meter: pairs of SAPs, and APDUs that are refused."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cosem.errors import ConnectionLost, RemoteProtocolError
from cosem.io.aio.memory import MemoryStream
from cosem.meter.associations import AssociationDescription, demo_keys
from cosem.meter.attend import ConnectionLimits, attend
from cosem.meter.device import Meter
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import ClientSettings
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.crypto.mechanism import MECHANISMS
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

    def request(client: int) -> bytes:
        """Return an AARQ that has to be followed by a proof."""
        context = SecurityContext(0, CLIENT_TITLE, None, EK, AK, required=BOTH, counter=counter)
        settings = ClientSettings(mechanism=MECHANISMS[5], protection=BOTH)
        association = ClientAssociation(settings, challenge=bytes(range(16)), security=context)
        association.associate()
        (apdu,) = association.outgoing()
        return packet(apdu, client)

    async def as_many(stream: MemoryStream) -> None:
        for client in range(30, 30 + most):
            assert (await asked(stream, request(client)))[8] == 0x61

    async def one_more(stream: MemoryStream) -> None:
        await as_many(stream)
        with pytest.raises(ConnectionLost):
            await asked(stream, request(59))

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
