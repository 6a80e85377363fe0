"""Listening for pushes on every medium: captures of meters, what our meters send, limits, and what strangers send."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from cosem.client.listen import PushListener
from cosem.client.reception import Pushed, PushingMeter, PushReception, Quarantined
from cosem.danger import NOTHING, Weakness, allow
from cosem.errors import ConfigurationError
from cosem.io.aio import connect_tcp, connect_udp
from cosem.meter.push import push
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.association.counter import InvocationCounter
from cosem.protocol.association.security import SecurityContext
from cosem.protocol.crypto.key import Key
from cosem.protocol.dialect import Dialect
from cosem.store.memory import MemoryCounterStore

EK, AK = Key(bytes(range(16))), Key(bytes(range(0xD0, 0xE0)))
TITLE, STRANGER = b"KFM\x10\x20\x30\x40\x50", b"KFM\x10\x20\x30\x40\x51"
KAIFA = bytes.fromhex("7ea027010201105a87e6e7000f40000000090c07e4020f06011922ff8000000201060000157eea5e7e")
"""A push of a Kaifa meter in an HDLC frame, from the tests of toreamun/amshan (MIT)."""
PUSH = KAIFA[12:-3]


def notification() -> DataNotification:
    decoded = apdus.decode(PUSH)
    assert isinstance(decoded, DataNotification)
    return decoded


def reception() -> PushReception:
    meter = PushingMeter(system_title=TITLE, encryption_key=EK, authentication_key=AK)
    return PushReception(b"HES\0\0\0\0\1", [meter], MemoryCounterStore())


def security(title: bytes = TITLE, first: int = 7) -> SecurityContext:
    store = MemoryCounterStore()
    counter = InvocationCounter(store, "push")
    counter.raise_to(first)
    return SecurityContext(0, title, None, EK, AK, counter=counter)


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


@pytest.mark.parametrize("scheme", ["tcp", "udp", "hdlc+tcp"])
def test_pushes_of_a_known_meter_arrive_one_after_the_other(scheme: str) -> None:
    async def main() -> None:
        async with PushListener(f"{scheme}://127.0.0.1:0", reception()) as listener:
            await push(str(listener.url), notification(), notification(), security=security())
            for counter in (7, 8):
                heard = await listener.next()
                assert isinstance(heard, Pushed)
                assert (heard.system_title, heard.source, heard.invocation_counter) == (TITLE, "127.0.0.1", counter)
                assert heard.notification == notification()

    run(main())


@pytest.mark.parametrize("scheme", ["tcp", "udp", "hdlc+tcp"])
def test_strangers_repetitions_and_what_is_in_clear_are_set_aside(scheme: str) -> None:
    async def main() -> None:
        async with PushListener(f"{scheme}://127.0.0.1:0", reception()) as listener:
            url = str(listener.url)
            await push(url, notification(), security=security(first=7))
            assert isinstance(await listener.next(), Pushed)
            for sent in (security(first=7), security(STRANGER), None):
                await push(url, notification(), security=sent)
                heard = await listener.next()
                assert isinstance(heard, Quarantined)
            assert heard.octets == notification().encode()
            await push(url, notification(), security=security(first=8))
            assert isinstance(await listener.next(), Pushed)
            assert listener.reception.refused == 3

    run(main())


def test_a_capture_is_understood_and_not_believed() -> None:
    async def main() -> None:
        async with PushListener("hdlc+tcp://127.0.0.1:0", reception()) as listener:
            stream = await connect_tcp("127.0.0.1", listener.url.port or 0)
            await stream.write(KAIFA[:9])
            await stream.write(KAIFA[9:] + KAIFA)
            for _ in range(2):
                heard = await listener.next()
                assert isinstance(heard, Quarantined)
                assert heard.octets == PUSH
            await stream.close()

    run(main())


def test_garbage_ends_a_connection_and_only_that() -> None:
    async def main() -> None:
        async with PushListener("tcp://127.0.0.1:0", reception()) as listener:
            stream = await connect_tcp("127.0.0.1", listener.url.port or 0)
            await stream.write(b"GET / HTTP/1.1\r\n\r\n")
            assert isinstance(await listener.next(), Quarantined)
            await push(str(listener.url), notification(), security=security())
            assert isinstance(await listener.next(), Pushed)
            await stream.close()

    run(main())


def test_a_datagram_of_garbage_does_not_stop_the_next() -> None:
    async def main() -> None:
        async with PushListener("udp://127.0.0.1:0", reception()) as listener:
            stream = await connect_udp("127.0.0.1", listener.url.port or 0)
            await stream.write(b"x")
            assert isinstance(await listener.next(), Quarantined)
            await stream.write(bytes.fromhex("00010001001000") + bytes((len(PUSH),)) + PUSH)
            heard = await listener.next()
            assert isinstance(heard, Quarantined)
            assert heard.octets == PUSH
            await stream.close()

    run(main())


@pytest.mark.parametrize(("sent", "dropped"), [(3, 0), (4, 1)])
def test_the_oldest_go_where_nobody_asks(sent: int, dropped: int) -> None:
    async def main() -> None:
        async with PushListener("tcp://127.0.0.1:0", reception(), kept=3) as listener:
            await push(str(listener.url), *[notification()] * sent, security=security(first=1))
            while listener.heard < sent:
                await asyncio.sleep(0)
            assert listener.dropped == dropped
            first = await listener.next()
            assert isinstance(first, Pushed)
            assert first.invocation_counter == 1 + dropped

    run(main())


@pytest.mark.parametrize("url", ["hdlc+udp://127.0.0.1:0", "hdlc+serial:///dev/x", "tcp://192.0.2.1:0"])
def test_where_nothing_is_heard(url: str) -> None:
    async def main() -> None:
        with pytest.raises(ConfigurationError):
            PushListener(url, reception())

    run(main())


PADDED = DataNotification.decode(PUSH).encode() + b"\x00\x00"
"""A push with octets behind it, as some meters send them."""


def sealed(apdu: bytes, *, titled: bool = True) -> bytes:
    """Return an APDU in a general-glo envelope, with the title of the meter or with an empty one."""
    octets = security().protect(apdu, general=True)
    return octets if titled else octets[:1] + b"\x00" + octets[2 + len(TITLE) :]


@pytest.mark.parametrize(
    ("octets", "dialect", "permitted", "name"),
    [
        (sealed(PADDED), Dialect(octets_after_apdu=True), NOTHING, "octets_after_apdu"),
        (
            sealed(notification().encode(), titled=False),
            Dialect(empty_system_title=True),
            allow(Weakness.EMPTY_SYSTEM_TITLE),
            "empty_system_title",
        ),
    ],
)
def test_what_meters_do_their_own_way_is_taken_where_it_is_asked_for(
    octets: bytes, dialect: Dialect, permitted: frozenset[Weakness], name: str
) -> None:
    assert isinstance(reception().receive(octets, "192.0.2.7"), Quarantined)
    meter = PushingMeter(system_title=TITLE, encryption_key=EK, authentication_key=AK)
    lenient = PushReception(b"HES\0\0\0\0\1", [meter], MemoryCounterStore(), dialect=dialect, permitted=permitted)
    heard = lenient.receive(octets, "192.0.2.7")
    assert isinstance(heard, Pushed)
    assert (heard.system_title, heard.notification) == (TITLE, notification())
    assert lenient.tolerated == {name: 1}
    lenient.receive(sealed(notification().encode()), "192.0.2.7")
    assert lenient.tolerated == {name: 1}


def test_an_empty_title_is_of_nobody_where_there_are_two() -> None:
    meters = [PushingMeter(system_title=each, encryption_key=EK, authentication_key=AK) for each in (TITLE, STRANGER)]
    permitted = allow(Weakness.EMPTY_SYSTEM_TITLE)
    lenient = PushReception(
        *(b"HES\0\0\0\0\1", meters, MemoryCounterStore()),
        dialect=Dialect(empty_system_title=True),
        permitted=permitted,
    )
    heard = lenient.receive(sealed(notification().encode(), titled=False), "192.0.2.7")
    assert isinstance(heard, Quarantined)
    assert "names no meter" in str(heard.error)


def test_what_weakens_identity_has_to_be_permitted() -> None:
    with pytest.raises(ConfigurationError, match="empty-system-title"):
        PushReception(b"HES\0\0\0\0\1", [], MemoryCounterStore(), dialect=Dialect(empty_system_title=True))
