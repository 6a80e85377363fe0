"""ACCESS on the meter: every item is carried out in its order, or said not to have been, within bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cosem.meter import Access, AssociationDescription, Meter, Rights
from cosem.meter.dispatch import answer
from cosem.meter.item import Visit
from cosem.protocol.apdu.access import (
    BREAK_ON_ERROR,
    SELF_DESCRIPTIVE,
    AccessRequest,
    AccessRequestAction,
    AccessRequestGet,
    AccessRequestSet,
    AccessResponse,
)
from cosem.protocol.apdu.acse import ApplicationContext, MechanismId
from cosem.protocol.apdu.action import (
    ActionRequestWithList,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    GetRequestWithList,
    GetResponseWithList,
)
from cosem.protocol.apdu.result import DataAccessResult as R
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES, AssociationLimits, Negotiated
from cosem.protocol.association.security import Protection
from cosem.protocol.model import Clock, Data
from cosem.protocol.values.data import Integer, LongUnsigned, OctetString, Unsigned
from cosem.protocol.values.obis import Obis

NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)
INVOKE_ID = 0x40000001
SERIAL, TEXT, CLOCK = "0.0.96.1.0.255", "0.0.96.1.1.255", "0.0.1.0.0.255"
READ_SERIAL = AccessRequestGet(AttributeDescriptor(1, Obis(SERIAL), 2))
WRITE_SERIAL = AccessRequestSet(AttributeDescriptor(1, Obis(SERIAL), 2))
READ_TEXT = AccessRequestGet(AttributeDescriptor(1, Obis(TEXT), 2))
READ_NOTHING = AccessRequestGet(AttributeDescriptor(1, Obis("0.0.96.1.9.255"), 2))
ADJUST = AccessRequestAction(MethodDescriptor(8, Obis(CLOCK), 1))


def visit(limits: AssociationLimits | None = None) -> Visit:
    meter = Meter("KFM1", clock=lambda: NOW)
    meter.add(Data(SERIAL), value=Unsigned(7), writable=("value",))
    meter.add(Data(TEXT), value=OctetString(b"x" * 98))  # 100 octets of Data
    meter.add(Clock(CLOCK))
    association = AssociationDescription(
        client=1, rights=Rights(Access.MANAGE), limits=AssociationLimits() if limits is None else limits
    )
    meter.offer(association)
    negotiated = Negotiated(
        *(ApplicationContext.LOGICAL_NAME, MechanismId(0), IMPLEMENTED_LOGICAL_NAME_SERVICES, 0, 1024),
        *(Protection.NONE, None),
    )
    return meter.management.visit(association, negotiated)


def asked(*items: tuple[Any, Any], invoke_id: int = INVOKE_ID, date_time: bytes = b"") -> AccessRequest:
    return AccessRequest(invoke_id, date_time, tuple(each for each, _ in items), tuple(value for _, value in items))


def answered(at: Visit, request: AccessRequest) -> AccessResponse:
    response = answer(at, request)
    assert isinstance(response, AccessResponse)
    assert response.long_invoke_id_and_priority == request.long_invoke_id_and_priority
    return response


def results(response: AccessResponse) -> list[int]:
    return [int(each.result) for each in response.access_response_specification]


def test_items_are_carried_out_in_their_order() -> None:
    response = answered(
        visit(), asked((READ_SERIAL, None), (WRITE_SERIAL, Unsigned(9)), (READ_SERIAL, None), (ADJUST, Integer(0)))
    )
    assert response.access_response_list_of_data == (7, None, 9, None)
    assert results(response) == [R.SUCCESS] * 4


def test_after_an_error_the_others_are_still_carried_out() -> None:
    at = visit()
    response = answered(
        at, asked((READ_NOTHING, None), (WRITE_SERIAL, LongUnsigned(1)), (WRITE_SERIAL, Unsigned(9)), (ADJUST, None))
    )
    assert results(response) == [R.OBJECT_UNDEFINED, R.TYPE_UNMATCHED, R.SUCCESS, ActionResult.TYPE_UNMATCHED]
    assert answered(at, asked((READ_SERIAL, None))).access_response_list_of_data == (9,)


@pytest.mark.parametrize("broken", [(READ_NOTHING, None), (WRITE_SERIAL, LongUnsigned(1)), (ADJUST, None)])
def test_break_on_error_leaves_the_rest_undone(broken: tuple[Any, Any]) -> None:
    """As in the reference test data of the UK's DCC (`dcc-access-response-break-on-error` of the vectors)."""
    at = visit()
    request = asked(
        *((READ_SERIAL, None), broken, (WRITE_SERIAL, Unsigned(9)), (ADJUST, Integer(0)), (READ_SERIAL, None)),
        invoke_id=INVOKE_ID | BREAK_ON_ERROR,
    )
    response = answered(at, request)
    assert response.access_response_list_of_data == (7, None, None, None, None)
    first, second, *rest = results(response)
    assert first == R.SUCCESS
    assert second not in (R.SUCCESS, R.OTHER_REASON)
    assert rest == [R.OTHER_REASON] * 3
    assert answered(at, asked((READ_SERIAL, None))).access_response_list_of_data == (7,)


def test_the_request_is_repeated_for_who_asks_so() -> None:
    request = asked((READ_SERIAL, None), (ADJUST, Integer(0)))
    assert answered(visit(), request).access_request_specification is None
    described = replace(request, long_invoke_id_and_priority=INVOKE_ID | SELF_DESCRIPTIVE)
    assert answered(visit(), described).access_request_specification == (READ_SERIAL, ADJUST)


def test_a_request_with_its_time_is_answered_with_the_time_of_the_meter() -> None:
    response = answered(visit(), asked((READ_SERIAL, None), date_time=bytes.fromhex("07E80101FF000000FF800000")))
    assert response.date_time == bytes.fromhex("07E80506010C000000000000")
    assert answered(visit(), asked((READ_SERIAL, None))).date_time == b""


def test_nothing_asked_is_nothing_answered() -> None:
    assert answered(visit(), asked()).access_response_specification == ()


@pytest.mark.parametrize(("response", "read"), [(99, 1), (100, 1), (101, 2), (200, 2), (201, 3)])
def test_t23_values_are_answered_until_there_is_no_room(response: int, read: int) -> None:
    """An item is begun while there is room: the text has 100 octets, so that 100 leave none and 101 leave one."""
    at = visit(AssociationLimits(response=response))
    found = answered(at, asked((READ_TEXT, None), (READ_TEXT, None), (READ_TEXT, None), (WRITE_SERIAL, Unsigned(9))))
    assert results(found) == [R.SUCCESS] * read + [R.OTHER_REASON] * (3 - read) + [
        R.SUCCESS if response > 300 else R.OTHER_REASON
    ]
    text = AttributeDescriptorWithSelection(READ_TEXT.attribute)
    listed = answer(at, GetRequestWithList(0xC1, (text,) * 3))
    assert isinstance(listed, GetResponseWithList)
    assert [isinstance(each, R) for each in listed.results] == [False] * read + [True] * (3 - read)


def test_t23_methods_are_run_until_there_is_no_room() -> None:
    ran = answer(
        visit(AssociationLimits(response=1)), ActionRequestWithList(0xC1, (ADJUST.method,) * 2, (Integer(0),) * 2)
    )
    assert isinstance(ran, ActionResponseWithList)
    done, left = ActionResult.SUCCESS, ActionResult.OTHER_REASON
    assert ran.responses == (ActionResponseWithOptionalData(done), ActionResponseWithOptionalData(left))
