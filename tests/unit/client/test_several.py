"""Several things at once: which services they go by, in how many round trips, and what a refusal of a form leads to."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cosem import AsyncClient, Clock, Data, Meter, Register, Unit
from cosem.client.access import access
from cosem.client.several import LIST_LENGTH
from cosem.errors import ActionError, CosemError, DataAccessError, LocalProtocolError, ServiceRefused, ShapeError
from cosem.io.simulated import World
from cosem.io.stream import Stream
from cosem.meter import Access, AssociationDescription, Rights, dispatch
from cosem.meter.attend import attend
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.access import BREAK_ON_ERROR, AccessRequest
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResponseWithOptionalData,
    ActionResult,
)
from cosem.protocol.apdu.get import DataAccessResult, GetRequestNormal, GetRequestWithList, GetResponseNormal
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.set import SetRequestNormal, SetRequestWithList, SetResponseNormal
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.codec.schema import Wire
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import LongUnsigned, OctetString, Unsigned

SINGLE = Conformance.GET | Conformance.SET | Conformance.ACTION
LISTS = SINGLE | Conformance.MULTIPLE_REFERENCES
BY_ACCESS = SINGLE | Conformance.ACCESS
EVERYTHING = LISTS | Conformance.ACCESS

ENERGY, SERIAL, TEXT = Register("1.0.1.8.0.255"), Data("0.0.96.1.0.255"), Data("0.0.96.1.1.255")
ABSENT = Register("1.0.99.8.0.255")
ADJUST = (Clock().adjust_to_quarter, 0)
REGISTERS = [Register(f"1.0.{number}.8.0.255").value for number in range(1, 41)]


class Overheard:
    """A stream that keeps the kinds of the requests that pass; each is one round trip."""

    def __init__(self, inner: Stream, requests: list[Any]) -> None:
        self.inner = inner
        self.requests = requests

    async def read(self, deadline: float | None, /) -> bytes:
        return await self.inner.read(deadline)

    async def write(self, octets: bytes, /) -> None:
        self.requests.append(apdus.decode(octets[8:]))
        await self.inner.write(octets)

    async def close(self) -> None:
        await self.inner.close()

    def now(self) -> float:
        return self.inner.now()


def described(conformance: Conformance, limits: AssociationLimits, max_pdu: int) -> Meter:
    meter = Meter("KFM1020012345678")
    for number, register in enumerate(REGISTERS):
        meter.add(Register(register.instance), value=1000 + number, scaler_unit=(3, Unit.WATT_HOUR))
    meter.add(SERIAL, value=Unsigned(7), writable=("value",))
    meter.add(TEXT, value=OctetString(b"x" * 60), writable=("value",))
    meter.offer(
        AssociationDescription(
            client=16,
            rights=Rights(Access.MANAGE),
            conformance=conformance,
            limits=limits,
            max_receive_pdu_size=max_pdu,
        )
    )
    return meter


Asking = Callable[[AsyncClient], Coroutine[Any, Any, list[Any]]]


def ask(
    asking: Asking,
    conformance: Conformance = EVERYTHING,
    *,
    limits: AssociationLimits | None = None,
    max_pdu: int = 1024,
    **words: Any,
) -> tuple[list[Any], list[Any]]:
    """Return the answers, and the requests between opening and release."""
    world = World(1)
    near, far = world.pair(latency=0.3)
    requests: list[Any] = []

    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        return Overheard(near, requests)

    async def run() -> list[Any]:
        url = ConnectionUrl.parse("tcp://192.0.2.1:4059?client=16")
        async with AsyncClient(url, access(**words), opener=opener, entropy=bytes) as client:
            return await asking(client)

    meter = described(conformance, limits or AssociationLimits(), max_pdu)
    world.spawn(attend(meter, far, entropy=bytes))
    answers = world.run(run())
    return answers, requests[1:-1]


def kinds(requests: list[Any]) -> list[type[Wire]]:
    return [type(request) for request in requests]


WRITES = [(SERIAL.value, Unsigned(8)), (ENERGY.value, LongUnsigned(0)), (TEXT.value, OctetString(b"y"))]
CALLS = [ADJUST, (ENERGY.reset, 0)]


@pytest.mark.parametrize(
    ("conformance", "expected"),
    [
        (EVERYTHING, [GetRequestWithList]),
        (LISTS, [GetRequestWithList]),
        (BY_ACCESS, [AccessRequest]),
        (Conformance.ACCESS, [AccessRequest]),
        (SINGLE, [GetRequestNormal] * 3),
    ],
)
def test_reading_several(conformance: Conformance, expected: list[type[Wire]]) -> None:
    wanted = [ENERGY.value, ABSENT.value, SERIAL.value]
    answers, requests = ask(lambda client: client.many(wanted), conformance)
    assert kinds(requests) == expected
    assert (answers[0], answers[2]) == (1000, 7)
    assert isinstance(answers[1], DataAccessError)
    assert (answers[1].result, answers[1].reference) == (DataAccessResult.OBJECT_UNDEFINED, ABSENT.value)


@pytest.mark.parametrize(
    ("conformance", "expected"),
    [
        (EVERYTHING, [SetRequestWithList]),
        (BY_ACCESS, [AccessRequest]),
        (SINGLE, [SetRequestNormal] * 3),
    ],
)
def test_writing_several(conformance: Conformance, expected: list[type[Wire]]) -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        written: list[Any] = list(await client.set_many(WRITES))
        return [*written, await client.get(SERIAL.value)]

    answers, requests = ask(asking, conformance)
    assert kinds(requests[:-1]) == expected
    assert (answers[0], answers[2], answers[3]) == (None, None, 8)
    assert isinstance(answers[1], DataAccessError)
    assert answers[1].result == DataAccessResult.READ_WRITE_DENIED


@pytest.mark.parametrize(
    ("conformance", "expected"),
    [
        (EVERYTHING, [ActionRequestWithList]),
        (BY_ACCESS, [AccessRequest]),
        (SINGLE, [ActionRequestNormal] * 2),
    ],
)
def test_running_several(conformance: Conformance, expected: list[type[Wire]]) -> None:
    answers, requests = ask(lambda client: client.act_many(CALLS), conformance)
    assert kinds(requests) == expected
    assert answers[0] is None
    assert isinstance(answers[1], ActionError)
    assert answers[1].result == ActionResult.READ_WRITE_DENIED


MIXED: list[Any] = [SERIAL.value, (SERIAL.value, Unsigned(8)), SERIAL.value, ENERGY.value, ADJUST]


@pytest.mark.parametrize(
    ("conformance", "expected"),
    [
        (EVERYTHING, [AccessRequest]),
        (BY_ACCESS, [AccessRequest]),
        (LISTS, [GetRequestNormal, SetRequestNormal, GetRequestWithList, ActionRequestNormal]),
        (SINGLE, [GetRequestNormal, SetRequestNormal, GetRequestNormal, GetRequestNormal, ActionRequestNormal]),
    ],
)
def test_things_of_several_kinds_keep_their_order(conformance: Conformance, expected: list[type[Wire]]) -> None:
    answers, requests = ask(lambda client: client.access(MIXED), conformance)
    assert answers == [7, None, 8, 1000, None]
    assert kinds(requests) == expected


@pytest.mark.parametrize(
    ("conformance", "expected"),
    [
        (EVERYTHING, [AccessRequest]),
        (LISTS, [GetRequestNormal, SetRequestNormal, GetRequestNormal]),
    ],
)
def test_an_error_may_end_the_rest(conformance: Conformance, expected: list[type[Wire]]) -> None:
    tasks: list[Any] = [SERIAL.value, (SERIAL.value, Unsigned(8)), ABSENT.value, (SERIAL.value, Unsigned(9)), ADJUST]
    answers, requests = ask(lambda client: client.access(tasks, break_on_error=True), conformance)
    assert kinds(requests) == expected
    assert answers[:2] == [7, None]
    assert [error.result for error in answers[2:]] == [4, 250, 250]
    assert [type(error) for error in answers[2:]] == [DataAccessError, DataAccessError, ActionError]
    if conformance & Conformance.ACCESS:
        assert requests[0].long_invoke_id_and_priority & BREAK_ON_ERROR


def test_nothing_asked_sends_nothing() -> None:
    assert ask(lambda client: client.access([])) == ([], [])


def test_what_does_not_fit_is_said_before_anything_is_sent() -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        with pytest.raises(ShapeError):
            await client.access([SERIAL.value, (Clock().time, "noon")])
        return []

    assert ask(asking) == ([], [])


def test_one_thing_goes_by_its_own_service_unless_access_alone_was_negotiated() -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        await client.set(SERIAL.value, Unsigned(8))
        return [await client.get(SERIAL.value), await client.act(*ADJUST)]

    assert kinds(ask(asking)[1]) == [SetRequestNormal, GetRequestNormal, ActionRequestNormal]
    answers, requests = ask(asking, Conformance.ACCESS)
    assert answers == [8, None]
    assert kinds(requests) == [AccessRequest] * 3


@pytest.mark.parametrize("conformance", [LISTS, BY_ACCESS])
@pytest.mark.parametrize(("number", "round_trips"), [(LIST_LENGTH, 1), (LIST_LENGTH + 1, 2)])
def test_many_go_in_several_requests(conformance: Conformance, number: int, round_trips: int) -> None:
    answers, requests = ask(lambda client: client.many(REGISTERS[:number]), conformance)
    assert answers == [1000 + each for each in range(number)]
    assert len(requests) == round_trips


@pytest.mark.parametrize("conformance", [LISTS, BY_ACCESS])
def test_requests_are_no_longer_than_the_meter_takes(conformance: Conformance) -> None:
    answers, requests = ask(lambda client: client.many(REGISTERS[:20]), conformance, max_pdu=128)
    assert answers == [1000 + each for each in range(20)]
    assert len(requests) == 2
    assert all(len(request.encode()) <= 128 for request in requests)


def test_an_answer_that_is_too_long_for_access_comes_in_shorter_ones() -> None:
    tasks = [TEXT.value] * 4
    answers, requests = ask(lambda client: client.many(tasks), BY_ACCESS, max_receive_pdu_size=150)
    assert answers == [b"x" * 60] * 4
    assert [len(request.access_request_specification) for request in requests] == [4, 2, 2]


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        (lambda client: client.many(REGISTERS[:2]), GetRequestNormal),
        (lambda client: client.set_many(WRITES[:2]), SetRequestNormal),
        (lambda client: client.act_many(CALLS), ActionRequestNormal),
    ],
)
@pytest.mark.parametrize(("conformance", "refused"), [(LISTS, 1), (BY_ACCESS, 1), (EVERYTHING, 2)])
def test_a_meter_that_does_not_know_what_it_negotiated(
    asking: Asking, expected: type[Wire], conformance: Conformance, refused: int
) -> None:
    """A meter with one item in a list says service-not-supported; afterwards everything goes one by one."""

    async def twice(client: AsyncClient) -> list[Any]:
        return [await asking(client), await asking(client)]

    (first, second), requests = ask(twice, conformance, limits=AssociationLimits(listed=1))
    assert [isinstance(each, CosemError) for each in first] == [isinstance(each, CosemError) for each in second]
    assert len(kinds(requests)) == refused + 4
    assert kinds(requests[refused:]) == [expected] * 4


REFUSED = ActionResponseWithOptionalData(ActionResult.TEMPORARY_FAILURE)


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter that answers every list with one refusal."""
    refusals: dict[type, Callable[[Any, Any], Any]] = {
        GetRequestWithList: lambda visit, request: GetResponseNormal(
            request.invoke_id_and_priority, DataAccessResult.OTHER_REASON
        ),
        SetRequestWithList: lambda visit, request: SetResponseNormal(
            request.invoke_id_and_priority, DataAccessResult.OTHER_REASON
        ),
        ActionRequestWithList: lambda visit, request: ActionResponseNormal(request.invoke_id_and_priority, REFUSED),
    }
    monkeypatch.setattr(dispatch, "_ANSWERS", {**dispatch._ANSWERS, **refusals})


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize("conformance", [LISTS, EVERYTHING])
def test_one_refusal_for_a_whole_list(conformance: Conformance) -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        return [await client.many(REGISTERS[:2]), await client.set_many(WRITES[::2]), await client.many(REGISTERS[:2])]

    answers, requests = ask(asking, conformance)
    assert answers == [[1000, 1001], [None, None], [1000, 1001]]
    read: list[type[Wire]] = [AccessRequest] if conformance & Conformance.ACCESS else [GetRequestNormal] * 2
    written: list[type[Wire]] = [AccessRequest] if conformance & Conformance.ACCESS else [SetRequestNormal] * 2
    assert kinds(requests) == [GetRequestWithList, *read, SetRequestWithList, *written, *read]


@pytest.mark.usefixtures("refusing")
def test_an_action_that_was_refused_in_a_list_is_not_repeated() -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        return [await client.act_many([ADJUST, ADJUST]), await client.act_many([ADJUST, ADJUST])]

    (first, second), requests = ask(asking, LISTS)
    assert [error.result for error in first] == [ActionResult.TEMPORARY_FAILURE] * 2
    assert second == [None, None]
    assert kinds(requests) == [ActionRequestWithList, ActionRequestNormal, ActionRequestNormal]


def test_an_answer_with_actions_that_is_too_long_is_not_asked_for_again() -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        with pytest.raises(ServiceRefused, match="pdu too long"):
            await client.access([ADJUST, *[TEXT.value] * 4])
        return [await client.get(SERIAL.value)]

    answers, requests = ask(asking, BY_ACCESS, max_receive_pdu_size=150)
    assert answers == [7]
    assert kinds(requests) == [AccessRequest, GetRequestNormal]


def test_what_was_not_negotiated_at_all_is_not_sent() -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        with pytest.raises(LocalProtocolError):
            await client.access([(SERIAL.value, Unsigned(1)), ADJUST])
        return []

    assert ask(asking, Conformance.GET) == ([], [])
