"""T23 to T26: who may do what, whose answer it is, who pushes, and whether all of it has come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conformance.security.bench import (
    AK,
    CLIENT_TITLE,
    EK,
    GET,
    GOT,
    SERVER_TITLE,
    Bench,
    Played,
    asking,
    associated,
    by_meter,
)
from cosem import AsyncClient, Meter, Obis, ProfileGeneric, Register, Unit
from cosem.client import reception
from cosem.client.access import access
from cosem.client.reception import Pushed, PushingMeter, PushReception, Quarantined
from cosem.client.services import Services
from cosem.errors import (
    ConfigurationError,
    CosemError,
    DataAccessError,
    DecodeError,
    IncompleteWarning,
    InvocationCounterError,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
)
from cosem.meter import Access, AssociationDescription, Rights, dispatch, serving
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.access import AccessRequest, AccessRequestAction, AccessRequestGet, AccessRequestSet
from cosem.protocol.apdu.action import MethodDescriptor
from cosem.protocol.apdu.exception import ExceptionResponse
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
)
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.association.context import AssociationLimits, Notified, Requested, Response
from cosem.protocol.association.security import Protection
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.gcm import Gcm, nonce
from cosem.protocol.crypto.key import Key
from cosem.protocol.model import Data
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, Integer, LongUnsigned
from cosem.readings.profile import ProfileRows
from cosem.store.counters import FileCounterStore
from cosem.store.memory import MemoryCounterStore

REGISTER, SERIAL = Register("1.0.1.8.0.255"), Data("0.0.96.1.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


# -- T23: rights ------------------------------------------------------------------------------------------------------


def guarded() -> Meter:
    made = Meter("KFM1020012345678")
    made.add(REGISTER, value=5, scaler_unit=(0, Unit.WATT_HOUR), writable=("value",))
    made.add(SERIAL, value=LongUnsigned(7), writable=("value",))
    made.offer(
        AssociationDescription(client=16, rights=Rights(Access.PUBLIC)),
        AssociationDescription(client=1, rights=Rights(Access.READ)),
    )
    return made


DOORS: dict[str, Callable[[Services], Awaitable[Any]]] = {
    "get": lambda services: services.get(REGISTER.value),
    "get of a scaler": lambda services: services.get(REGISTER.scaler_unit),
    "set": lambda services: services.set(REGISTER.value, DoubleLongUnsigned(9)),
    "set of another class": lambda services: services.set(Data("1.0.1.8.0.255").value, DoubleLongUnsigned(9)),
    "action": lambda services: services.act(REGISTER.reset, 0),
}


@pytest.mark.parametrize("door", DOORS)
def test_t23_every_door_has_the_same_lock_meter(door: str) -> None:
    """The public client gets at a value of consumption through no service, by no class, and changes nothing."""
    bench = Bench(guarded())

    async def tried(services: Services) -> None:
        with pytest.raises(CosemError) as refused:
            await DOORS[door](services)
        assert not isinstance(refused.value, RemoteProtocolError | LocalProtocolError)

    bench.run(tried, 16, access())
    assert bench.meter.value(REGISTER.value) == 5


def test_t23_access_has_the_same_lock_meter() -> None:
    """GET, SET and ACTION items of one ACCESS, each refused to the public client; what it may read comes."""
    bench = Bench(guarded())
    energy = AttributeDescriptor(3, REGISTER.instance, 2)
    name = AttributeDescriptor(1, Obis("0.0.42.0.0.255"), 2)
    items = (
        AccessRequestGet(energy),
        AccessRequestSet(energy),
        AccessRequestAction(MethodDescriptor(3, REGISTER.instance, 1)),
        AccessRequestGet(name),
    )
    request = AccessRequest(0x40000001, b"", items, (None, DoubleLongUnsigned(9), Integer(0), None))

    async def tried(services: Services) -> Any:
        return (await services.exchange.request(request)).apdu

    answer = bench.run(tried, 16, access())
    assert [int(each.result) == 0 for each in answer.access_response_specification] == [False, False, False, True]
    assert (
        b"".join(each for each in answer.access_response_list_of_data if isinstance(each, bytes)) == b"KFM1020012345678"
    )
    assert bench.meter.value(REGISTER.value) == 5


def test_t23_lists_have_the_same_lock_meter() -> None:
    """Each item of a list is judged by itself; what is allowed beside it comes all the same."""
    bench = Bench(guarded())
    wanted = [REGISTER.value, Data("0.0.42.0.0.255").value, SERIAL.value]

    async def tried(services: Services) -> list[Any]:
        return list(await services.get_many(wanted))

    first, name, last = bench.run(tried, 16, access())
    assert isinstance(first, DataAccessError)
    assert isinstance(last, DataAccessError)
    assert name == b"KFM1020012345678"
    values = bench.run(tried, 1, access())
    assert [values[0], values[2]] == [5, 7]


@pytest.mark.parametrize(("items", "accepted"), [(64, True), (65, False)])
def test_t23_a_list_is_bounded_meter(items: int, accepted: bool) -> None:
    """64 items, and one more, which is refused as a whole."""
    assert AssociationLimits().listed == 64
    server = associated(protection=Protection.NONE).server
    attribute = AttributeDescriptorWithSelection(AttributeDescriptor(3, REGISTER.instance, 2))
    server.receive(GetRequestWithList(0xC1, (attribute,) * items).encode())
    assert any(isinstance(event, Requested) for event in server.events()) is accepted
    if not accepted:
        assert isinstance(apdus.decode(server.outgoing()[0]), ExceptionResponse)


# -- T24: whose answer it is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 2, 15])
def test_t24_the_answer_to_another_request_is_none_client(number: int) -> None:
    """An invoke-id that is not due, whether of an earlier request or of none."""
    client = asking(associated())
    with pytest.raises(RemoteProtocolError, match="the answer is to request"):
        client.receive(by_meter(100, GetResponseNormal(0xC0 | number, DoubleLongUnsigned(1)).encode()))
    assert client.events() == []


def test_t24_an_answer_nobody_asked_for_is_none_client() -> None:
    """Before any request, after the answer, and of another service."""
    both = associated()
    with pytest.raises(RemoteProtocolError):
        both.client.receive(by_meter(100))
    client = asking(associated())
    client.receive(by_meter(100))
    assert client.events() == [Response(GOT)]
    with pytest.raises(RemoteProtocolError):
        client.receive(by_meter(101))
    with pytest.raises(RemoteProtocolError):
        asking(associated()).receive(by_meter(100, bytes.fromhex("C701C10000")))


def test_t24_numbers_do_not_come_again_soon_client() -> None:
    """Seven requests in a row have seven numbers, so that a late answer fits none that follows soon."""
    both = associated()
    numbers = [both.client.invoke_id_and_priority() & 0x0F for _ in range(8)]
    assert len(set(numbers)) == 8


class Silent(Played):
    """A meter that opens an association and answers nothing; its answer would come late."""

    def __init__(self, recorded: list[bytes]) -> None:
        super().__init__(recorded[:1])
        self.late = recorded[1:]
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def read(self, deadline: float | None, /) -> bytes:
        if self.recorded:
            return self.recorded.pop(0)
        assert deadline is not None
        self.time = deadline
        return b""


def test_t24_after_a_time_out_the_line_is_torn_down_client() -> None:
    """The late answer finds nobody: the stream is closed, and the next request needs a new session."""
    made = guarded()
    bench = Bench(made)

    async def read(services: Services) -> int:
        return await services.get(REGISTER.value)

    assert bench.run(read, 1, access()) == 5
    silent = Silent(bench.to_client)

    async def late() -> None:
        exchange = await bench.enter(1, access(), silent)
        services = Services(exchange)
        with pytest.raises(TimedOut):
            await services.get(REGISTER.value)
        assert silent.closed
        with pytest.raises(CosemError):
            await services.get(REGISTER.value)

    bench.world.run(late())


def test_t24_a_second_request_before_the_answer_is_refused_or_queued_meter() -> None:
    """Whichever: each answer of a meter carries the number of the request that it is to."""
    both = associated(protection=Protection.NONE)
    for number in (1, 2):
        both.server.receive(GetRequestNormal(0xC0 | number, GET.attribute).encode())
    for event in both.server.events():
        if isinstance(event, Requested):
            request: Any = event.apdu
            both.server.respond(GetResponseNormal(request.invoke_id_and_priority, DoubleLongUnsigned(1)))
    said = [apdus.decode(each) for each in both.server.outgoing()]
    answered = [each.invoke_id_and_priority & 0x0F for each in said if isinstance(each, GetResponseNormal)]
    assert answered
    assert len(set(answered)) == len(answered)


# -- T25: pushes ------------------------------------------------------------------------------------------------------

PUSH = DataNotification(0x00000001, b"", DoubleLongUnsigned(42)).encode()
HOME, AWAY = "192.0.2.1", "192.0.2.99"


def general(apdu: bytes, title: bytes, counter: int, key: Key = EK) -> bytes:
    body = b"\x30" + counter.to_bytes(4, "big") + Gcm(key, AK).protect(0x30, nonce(title, counter), apdu)
    return b"\xdb\x08" + title + bytes((len(body),)) + body


def listening(counters: Any = None, **more: Any) -> PushReception:
    meter = PushingMeter(system_title=SERVER_TITLE, encryption_key=EK, authentication_key=AK, sources=frozenset({HOME}))
    return PushReception(CLIENT_TITLE, [meter], counters or MemoryCounterStore(), **more)


def test_t25_a_push_of_a_known_meter_is_one_client() -> None:
    """Key, title, source and counter fit: the value has its meter."""
    heard = listening().receive(general(PUSH, SERVER_TITLE, 7), HOME)
    assert isinstance(heard, Pushed)
    assert (heard.system_title, heard.invocation_counter) == (SERVER_TITLE, 7)
    assert isinstance(heard.notification, DataNotification)


STRANGE: dict[str, tuple[bytes, str]] = {
    "from elsewhere": (general(PUSH, SERVER_TITLE, 100), AWAY),
    "of a meter nobody knows": (general(PUSH, b"KFM\0\0\0\0\1", 100), HOME),
    "under another key": (general(PUSH, SERVER_TITLE, 100, Key(b"another key.....")), HOME),
    "in clear": (PUSH, HOME),
    "in clear from elsewhere": (PUSH, AWAY),
    "our own, come back": (general(PUSH, CLIENT_TITLE, 100), HOME),
    "no push": (general(GET.encode(), SERVER_TITLE, 100), HOME),
    "an error in clear": (bytes.fromhex("D80102"), HOME),
    "nothing": (b"", HOME),
    "garbage": (bytes(range(200)), HOME),
    "cut short": (general(PUSH, SERVER_TITLE, 100)[:20], HOME),
}


@pytest.mark.parametrize("case", STRANGE)
def test_t25_what_is_not_known_goes_into_quarantine_client(case: str) -> None:
    """Never a value, kept for a person to look at, and no counter moves."""
    listener = listening()
    heard = listener.receive(*STRANGE[case])
    assert isinstance(heard, Quarantined)
    assert list(listener.quarantine) == [heard]
    assert isinstance(heard.error, CosemError)
    # Nothing that a stranger says moves a counter: one below is still accepted.
    if case != "no push":
        assert isinstance(listener.receive(general(PUSH, SERVER_TITLE, 7), HOME), Pushed)


def test_t25_a_push_is_taken_once_client(tmp_path: Path) -> None:
    """Not again, not an older one, and not after a restart."""
    listener = listening(FileCounterStore(tmp_path / "counters"))
    assert isinstance(listener.receive(general(PUSH, SERVER_TITLE, 7), HOME), Pushed)
    assert isinstance(listener.receive(general(PUSH, SERVER_TITLE, 9), HOME), Pushed)
    for again in (listener, listening(FileCounterStore(tmp_path / "counters"))):
        for old in (7, 8, 9):
            heard = again.receive(general(PUSH, SERVER_TITLE, old), HOME)
            assert isinstance(heard, Quarantined)
            assert isinstance(heard.error, InvocationCounterError)
    assert isinstance(
        listening(FileCounterStore(tmp_path / "counters")).receive(general(PUSH, SERVER_TITLE, 10), HOME), Pushed
    )


@pytest.mark.parametrize("beyond", [0, 1])
def test_t25_quarantine_is_bounded_client(beyond: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In messages and in octets: the oldest go, a longer one is not read and cut."""
    listener = listening(kept=3)
    for number in range(3 + beyond):
        listener.receive(bytes((number,)), AWAY)
    assert [each.octets[0] for each in listener.quarantine] == list(range(beyond, 3 + beyond))
    assert listener.refused == 3 + beyond
    push = general(PUSH, SERVER_TITLE, 7)
    monkeypatch.setattr(reception, "LONGEST_PUSH", len(push) - beyond)
    assert isinstance(listener.receive(push, HOME), Quarantined if beyond else Pushed)
    assert all(len(each.octets) <= len(push) - beyond for each in listener.quarantine)


def test_t25_an_envelope_without_a_sender_needs_a_source_of_one_meter_client() -> None:
    """Two meters behind one address cannot be told apart by it; one can."""
    event = bytes.fromhex("C20000030100010800FF0206") + (5).to_bytes(4, "big")
    body = b"\x30" + (7).to_bytes(4, "big") + Gcm(EK, AK).protect(0x30, nonce(SERVER_TITLE, 7), event)
    octets = b"\xca" + bytes((len(body),)) + body
    assert isinstance(listening().receive(octets, HOME), Pushed)
    meters = [
        PushingMeter(system_title=title, encryption_key=EK, authentication_key=AK, sources=frozenset({HOME}))
        for title in (SERVER_TITLE, b"KFM\0\0\0\0\1")
    ]
    heard = PushReception(CLIENT_TITLE, meters, MemoryCounterStore()).receive(octets, HOME)
    assert isinstance(heard, Quarantined)
    with pytest.raises(ConfigurationError, match="twice"):
        PushReception(CLIENT_TITLE, meters[:1] * 2, MemoryCounterStore())


def test_t25_a_push_that_does_not_verify_is_no_value_in_an_association_client() -> None:
    """In the middle of an exchange: reported with its error and without a value, and the exchange goes on."""
    client = asking(associated())
    client.receive(PUSH)
    (event,) = client.events()
    assert isinstance(event, Notified)
    assert event.apdu is None
    assert event.error is not None
    client.receive(by_meter(100))
    assert client.events() == [Response(GOT)]


# -- T26: all of it ---------------------------------------------------------------------------------------------------

ROWS: list[tuple[Any, ...]] = [
    (MIDNIGHT + timedelta(minutes=15 * number), DoubleLongUnsigned(1000 + number)) for number in range(96)
]


def profile() -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: MIDNIGHT + timedelta(days=1))
    meter.add(REGISTER, value=5, scaler_unit=(-1, Unit.WATT_HOUR))
    meter.add(
        PROFILE,
        capture_objects=[CaptureObject(8, Obis("0.0.1.0.0.255"), 2), CaptureObject(3, REGISTER.instance, 2)],
        capture_period=900,
        buffer=ROWS,
    )
    return meter


def rows(claimed: int | None, **selection: Any) -> ProfileRows:
    """Read the profile; with `claimed`, from a meter whose entries_in_use says so."""

    async def run() -> ProfileRows:
        meter = profile()
        if claimed is not None:
            plain = dispatch.answer

            def lying(visit: Any, request: Any) -> Any:
                return claiming(plain(visit, request), request, claimed)

            patch.setattr(dispatch, "answer", lying)
        async with serving(meter, "tcp://127.0.0.1:0") as server, AsyncClient.open(str(server.url)) as client:
            return await client.profile(PROFILE, **selection)

    with pytest.MonkeyPatch.context() as patch:
        return asyncio.run(run())


def claiming(response: Any, request: Any, claimed: int) -> Any:
    if not isinstance(request, GetRequestWithList):
        return response
    results = [
        DoubleLongUnsigned(claimed) if each.attribute.attribute_id == 7 else result
        for each, result in zip(request.attributes, response.results, strict=True)
    ]
    return replace(response, results=tuple(results))


def test_t26_a_meter_gives_as_many_rows_as_it_says_meter() -> None:
    """Our own meter: entries_in_use is what the buffer has."""
    found = rows(None)
    assert (len(found), found.missing) == (96, 0)


@pytest.mark.parametrize(("claimed", "missing"), [(95, 0), (96, 0), (97, 1), (960, 864)])
def test_t26_rows_are_counted_against_entries_in_use_client(claimed: int, missing: int) -> None:
    """A whole buffer with fewer rows than entries_in_use is not taken for complete in silence."""
    if missing:
        with pytest.warns(IncompleteWarning, match=f"{missing} are missing"):
            found = rows(claimed)
    else:
        found = rows(claimed)
    assert (len(found), found.missing) == (96, missing)


def test_t26_a_range_is_not_the_whole_client() -> None:
    """A part of the rows was asked for, and that is no loss."""
    found = rows(960, since=MIDNIGHT, until=MIDNIGHT + timedelta(hours=1))
    assert (len(found), found.missing) == (5, 0)


def test_t26_a_value_decodes_fully_or_not_at_all_client() -> None:
    """Cut short at any place, or with an octet too many, an answer is an error and never a shorter list."""
    array = b"\x01\x14" + b"".join(b"\x12" + number.to_bytes(2, "big") for number in range(20))
    whole = bytes.fromhex("C401C100") + array
    for octets in (*(whole[:size] for size in range(4, len(whole))), whole + b"\x00"):
        client = asking(associated(protection=Protection.NONE))
        with pytest.raises((DecodeError, RemoteProtocolError)):
            client.receive(octets)
            for event in client.events():
                assert isinstance(event, Response)
                assert event.raw is not None
                axdr.decode_all(event.raw)
