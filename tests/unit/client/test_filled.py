"""Requests filled to what the association takes, and what is learnt when a meter refuses one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from cosem.client.filled import MOST, Filled
from cosem.client.services import Services
from cosem.errors import ConnectionLost, CosemError, DataAccessError, ServiceRefused
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import ApplicationContext, Negotiated
from cosem.protocol.association.services import Request
from cosem.protocol.crypto.suite import Protection
from cosem.protocol.model import Register
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.values.data import LongUnsigned

LISTS = Conformance.GET | Conformance.MULTIPLE_REFERENCES
REGISTERS: list[AttributeRef[Any]] = [Register(f"1.0.{number}.8.0.255").value for number in range(1, 201)]
TOO_LONG = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.PDU_TOO_LONG)
UNWELCOME = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.OTHER_REASON)
COUNTER = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.DECIPHERING_ERROR)

Meter = Callable[[list[int]], Any]


def filled(meter: Meter, longest: int | None = None, services: Conformance = LISTS) -> tuple[Filled, list[int]]:
    """A reader of a meter that is told the registers it is asked for, and how many were in each request."""
    asked: list[int] = []

    async def request(request: Request) -> Any:
        if isinstance(request, GetRequestWithList):
            numbers = [each.attribute.instance_id.c for each in request.attributes]
        else:
            assert isinstance(request, GetRequestNormal)
            numbers = [request.attribute.instance_id.c]
        if longest is not None:
            assert len(request.encode()) <= longest
        asked.append(len(numbers))
        found = meter(numbers)
        if isinstance(found, ExceptionResponse):
            raise ServiceRefused("no", found)
        if isinstance(found, CosemError):
            raise found
        if isinstance(found, DataAccessResult):
            return SimpleNamespace(apdu=GetResponseNormal(0xC1, found))
        if isinstance(request, GetRequestNormal):
            return SimpleNamespace(apdu=GetResponseNormal(0xC1, found[0]))
        return SimpleNamespace(apdu=GetResponseWithList(0xC1, tuple(found)))

    association = SimpleNamespace(
        invoke_id_and_priority=lambda: 0xC1, longest_request=longest, protected=False, long_invoke_id=lambda: 1
    )
    negotiated = Negotiated(ApplicationContext.LOGICAL_NAME, 0, services, 0, 0, Protection.NONE, None)  # type: ignore[arg-type]
    exchange = SimpleNamespace(
        request=request, negotiated=negotiated, session=SimpleNamespace(association=association), open=True
    )
    return Filled(Services(exchange)), asked  # type: ignore[arg-type]


def values(numbers: Sequence[int]) -> list[Any]:
    return [LongUnsigned(number) for number in numbers]


def read(reader: Filled, count: int = 200) -> list[Any]:
    return asyncio.run(reader.read(REGISTERS[:count]))


@pytest.mark.parametrize(
    ("longest", "first"), [(64, 6), (65, 6), (74, 7), (1024, 102), (1273, 126), (1274, 127), (1284, 127), (1285, 128)]
)
def test_a_request_holds_as_many_as_fit(longest: int, first: int) -> None:
    reader, asked = filled(values, longest)
    assert read(reader) == list(range(1, 201))
    assert asked[0] == first
    assert len(asked) == -(-200 // first)


def test_without_a_limit_there_is_one_of_ours() -> None:
    reader, asked = filled(values)
    assert read(reader) == list(range(1, 201))
    assert asked == [200] and MOST > 200


def test_what_is_too_long_is_halved_and_no_later_one_is_as_long() -> None:
    reader, asked = filled(lambda numbers: TOO_LONG if len(numbers) > 30 else values(numbers), 1024)
    assert read(reader) == list(range(1, 201))
    assert asked == [102, 51, 26, 25, 26, 25, *[26] * 3, 20]
    assert reader.most == 26


@pytest.mark.parametrize("no", [UNWELCOME, DataAccessResult.OTHER_REASON])
def test_a_meter_that_serves_no_lists_is_asked_one_by_one(no: Any) -> None:
    reader, asked = filled(lambda numbers: no if len(numbers) > 1 else values(numbers), 1024)
    assert read(reader) == list(range(1, 201))
    assert reader.most == 1
    assert len(asked) - 200 < 10


def test_one_that_cannot_be_borne_takes_no_other_with_it() -> None:
    reader, asked = filled(lambda numbers: UNWELCOME if 77 in numbers else values(numbers), 1024)
    found = read(reader)
    assert [each for each in found if not isinstance(each, CosemError)] == [n for n in range(1, 201) if n != 77]
    assert isinstance(found[76], ServiceRefused)
    assert asked[-1] == 98  # the length was not to blame
    assert len(asked) < 20


def test_a_refused_attribute_is_an_answer() -> None:
    def meter(numbers: list[int]) -> list[Any]:
        return [DataAccessResult.READ_WRITE_DENIED if each == 5 else LongUnsigned(each) for each in numbers]

    found = read(filled(meter, 1024)[0], 10)
    assert isinstance(found[4], DataAccessError)
    assert found[5] == 6


def test_the_end_of_the_session_is_the_answer_to_all_that_is_left() -> None:
    end = ConnectionLost("gone")
    reader, _ = filled(lambda numbers: end if 150 in numbers else values(numbers), 1024)
    found = read(reader)
    assert found[:102] == list(range(1, 103))
    assert found[102:] == [end] * 98


def test_a_refused_protection_is_not_asked_again() -> None:
    reader, asked = filled(lambda _: COUNTER, 1024)
    assert all(isinstance(each, ServiceRefused) for each in read(reader))
    assert asked == [102]


def test_without_lists_it_is_one_by_one() -> None:
    reader, asked = filled(values, 1024, Conformance.GET)
    assert read(reader, 40) == list(range(1, 41))
    assert asked == [1] * 40


def test_it_tells_how_far_it_is() -> None:
    told: list[int] = []
    reader, _ = filled(values, 1024)
    asyncio.run(reader.read(REGISTERS, told.append))
    assert told == [102, 98]


def test_what_had_no_room_in_the_answer_is_asked_for_without_what_took_it() -> None:
    def meter(numbers: list[int]) -> list[Any]:
        room, answers = 1000, []
        for number in numbers:
            room -= 2000 if number in (40, 60) else 1
            answers.append(LongUnsigned(number) if room > 0 else DataAccessResult.OTHER_REASON)
        return answers

    reader, asked = filled(meter, 1024)
    found = read(reader, 100)
    assert [each for each in found if not isinstance(each, CosemError)] == [
        each for each in range(1, 101) if each not in (40, 60)
    ]
    assert asked == [100, 1, 60, 1, 40]


def test_what_is_refused_for_no_reason_at_all_is_asked_for_once_more_and_then_believed() -> None:
    def meter(numbers: list[int]) -> list[Any]:
        return [DataAccessResult.OTHER_REASON if number > 50 else LongUnsigned(number) for number in numbers]

    reader, asked = filled(meter, 1024)
    found = read(reader, 100)
    assert sum(isinstance(each, DataAccessError) for each in found) == 50
    assert asked == [100, 1, 49]
