"""ACCESS between both engines: what is sent, served and taken for an answer, and what is refused on either side."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.errors import LocalProtocolError, RemoteProtocolError, ServiceRefused
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.access import (
    BREAK_ON_ERROR,
    SELF_DESCRIPTIVE,
    AccessRequest,
    AccessRequestAction,
    AccessRequestGet,
    AccessRequestGetWithSelection,
    AccessRequestSet,
    AccessResponse,
    AccessResponseAction,
    AccessResponseGet,
    AccessResponseSet,
)
from cosem.protocol.apdu.action import ActionResult, MethodDescriptor
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult, SelectiveAccess
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.access import RESULT_OF
from cosem.protocol.association.context import AssociationLimits, Requested, Response
from cosem.protocol.association.security import Protection
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString, Unsigned
from cosem.protocol.values.obis import Obis
from pair import BOTH, Pair, pair

ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
METHOD = MethodDescriptor(3, Obis("1.0.1.8.0.255"), 1)
READ, WRITE, RUN = AccessRequestGet(ENERGY), AccessRequestSet(ENERGY), AccessRequestAction(METHOD)
PART = AccessRequestGetWithSelection(ENERGY, SelectiveAccess(2, None))
EVERYTHING = Conformance.ACCESS | Conformance.GENERAL_PROTECTION | Conformance.SELECTIVE_ACCESS

SUCCESSES: dict[type, Any] = {
    AccessResponseGet: AccessResponseGet(DataAccessResult.SUCCESS),
    AccessResponseSet: AccessResponseSet(DataAccessResult.SUCCESS),
    AccessResponseAction: AccessResponseAction(ActionResult.SUCCESS),
}


def echo(request: Any) -> Any:
    """A meter that gives back what it is given."""
    asked, values = request.access_request_specification, request.access_request_list_of_data
    repeated = asked if request.long_invoke_id_and_priority & SELF_DESCRIPTIVE else None
    results = tuple(SUCCESSES[RESULT_OF[type(each)]] for each in asked)
    return AccessResponse(request.long_invoke_id_and_priority, b"", repeated, values, results)


def associated(conformance: Conformance = EVERYTHING, **how: Any) -> Pair:
    both = pair(conformance=conformance, **how)
    both.answer = echo
    both.client.associate()
    both.run()
    assert both.client.negotiated is not None
    return both


def request(both: Pair, *asked: Any, values: tuple[Any, ...] | None = None, options: int = 0) -> AccessRequest:
    invoke_id = both.client.long_invoke_id_and_priority(options=options)
    return AccessRequest(invoke_id, b"", asked, (None,) * len(asked) if values is None else values)


@pytest.mark.parametrize("protection", [Protection.NONE, Protection.AUTHENTICATION, BOTH])
@pytest.mark.parametrize("options", [0, SELF_DESCRIPTIVE, BREAK_ON_ERROR, SELF_DESCRIPTIVE | BREAK_ON_ERROR])
def test_things_asked_are_answered(protection: Protection, options: int) -> None:
    both = associated(protection=protection)
    asked = request(both, READ, WRITE, RUN, PART, values=(None, Unsigned(1), Unsigned(2), None), options=options)
    both.client.send(asked)
    both.run()
    response = both.client_events[-1]
    assert isinstance(response, Response)
    assert isinstance(response.apdu, AccessResponse)
    assert response.apdu.access_response_list_of_data == (None, 1, 2, None)
    first = 0xD9 if protection is Protection.NONE else 0xDB
    assert both.passed[-2][1][0] == first


def test_long_invoke_ids_count_in_24_bits() -> None:
    client = pair().client
    assert [client.long_invoke_id_and_priority() for _ in range(2)] == [0xC0000001, 0xC0000002]
    for _ in range(3):
        client.long_invoke_id_and_priority(confirmed=False, high_priority=False, options=BREAK_ON_ERROR)
    assert client.long_invoke_id_and_priority(high_priority=False) == 0x40000006
    client._long_invoke_id = 0xFFFFFF  # 16 million calls would take a while
    assert client.long_invoke_id_and_priority(confirmed=False, high_priority=False) == 1


@pytest.mark.parametrize(
    ("asked", "without"),
    [
        ((READ,), Conformance.ACCESS),
        ((READ, PART), Conformance.SELECTIVE_ACCESS),
    ],
)
def test_what_was_not_negotiated_is_not_sent(asked: tuple[Any, ...], without: Conformance) -> None:
    both = associated(EVERYTHING & ~without | Conformance.GET)
    with pytest.raises(LocalProtocolError, match="does not have"):
        both.client.send(request(both, *asked))
    assert both.client.outgoing() == []


def test_a_protected_association_needs_general_protection_for_it() -> None:
    both = associated(EVERYTHING & ~Conformance.GENERAL_PROTECTION, protection=BOTH)
    with pytest.raises(LocalProtocolError, match="GENERAL_PROTECTION"):
        both.client.send(request(both, READ))


@pytest.mark.parametrize(
    ("conformance", "protection"),
    [
        (EVERYTHING & ~Conformance.ACCESS | Conformance.GET, Protection.NONE),
        (EVERYTHING & ~Conformance.GENERAL_PROTECTION, BOTH),
    ],
)
def test_what_was_not_negotiated_is_not_served(conformance: Conformance, protection: Protection) -> None:
    both = associated(EVERYTHING, protection=protection)
    assert both.server.negotiated is not None
    both.server.negotiated = both.server.negotiated._replace(conformance=conformance)
    both.client.send(request(both, READ))
    with pytest.raises(ServiceRefused) as caught:
        both.run()
    assert caught.value.response == ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.SERVICE_NOT_SUPPORTED
    )
    assert not [event for event in both.server_events if isinstance(event, Requested)]


@pytest.mark.parametrize(("number", "served"), [(4, True), (5, False)])
def test_t23_a_list_has_no_more_things_than_the_setting_says(number: int, served: bool) -> None:
    both = associated(limits=AssociationLimits(listed=4))
    both.client.send(request(both, *(READ,) * number))
    if served:
        both.run()
        assert isinstance(both.client_events[-1], Response)
        return
    with pytest.raises(ServiceRefused):
        both.run()
    assert not [event for event in both.server_events if isinstance(event, Requested)]


@pytest.mark.parametrize("values", [(), (None,), (None, None, None)])
def test_lists_of_different_lengths_are_refused(values: tuple[Any, ...]) -> None:
    both = associated()
    both.server.receive(AccessRequest(0x40000001, b"", (READ, READ), values).encode())
    (answer,) = both.server.outgoing()
    assert isinstance(apdus.decode(answer), ExceptionResponse)
    assert not [event for event in both.server.events() if isinstance(event, Requested)]


@pytest.mark.parametrize("values", [(None, None), (None,)])
def test_an_unconfirmed_one_is_carried_out_and_neither_answered_nor_refused_aloud(values: tuple[Any, ...]) -> None:
    both = associated()
    asked = AccessRequest(1, b"", (READ, WRITE), values)
    both.server.receive(asked.encode())
    served = [event.apdu for event in both.server.events() if isinstance(event, Requested)]
    assert served == ([asked] if len(values) == 2 else [])
    if served:
        both.server.respond(echo(asked))
    assert both.server.outgoing() == []


def test_an_answer_that_is_too_long_is_refused_as_that() -> None:
    both = associated(client_max_pdu=200)
    asked = request(both, WRITE, values=(OctetString(b"x" * 190),))
    both.client.send(asked)
    with pytest.raises(ServiceRefused) as caught:
        both.run()
    assert caught.value.response == ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.PDU_TOO_LONG)
    both.client.send(request(both, READ))
    both.run()
    assert isinstance(both.client_events[-1], Response)


def test_a_request_that_is_too_long_is_not_sent() -> None:
    both = associated(max_pdu=200)
    with pytest.raises(LocalProtocolError, match="longer than the meter takes"):
        both.client.send(request(both, WRITE, values=(OctetString(b"x" * 190),)))


GET, SET, ACTION = (SUCCESSES[kind] for kind in (AccessResponseGet, AccessResponseSet, AccessResponseAction))


@pytest.mark.parametrize(
    ("repeated", "values", "results", "says"),
    [
        (None, (None,), (GET,), "a list of 1 answered to a list of 2"),
        (None, (None, None, None), (GET, ACTION), "3 values and 2 results"),
        (None, (None,), (GET, ACTION), "1 values and 2 results"),
        (None, (None, None), (ACTION, GET), "AccessResponseAction answers AccessRequestGet, number 0"),
        (None, (None, None), (GET, SET), "AccessResponseSet answers AccessRequestAction, number 1"),
        ((READ,), (None, None), (GET, ACTION), "another request"),
        ((RUN, READ), (None, None), (GET, ACTION), "another request"),
    ],
)
def test_an_answer_must_fit_what_was_asked(repeated: Any, values: Any, results: Any, says: str) -> None:
    both = associated()
    asked = request(both, READ, RUN)
    both.client.send(asked)
    response = AccessResponse(asked.long_invoke_id_and_priority, b"", repeated, values, results)
    with pytest.raises(RemoteProtocolError, match=says):
        both.client.receive(response.encode())
    assert both.client.events() == []


def test_t24_the_answer_to_another_request_is_refused() -> None:
    both = associated()
    asked = request(both, READ)
    both.client.send(asked)
    other = AccessResponse(asked.long_invoke_id_and_priority ^ 0x10000, b"", None, (DoubleLongUnsigned(1),), (GET,))
    with pytest.raises(RemoteProtocolError, match="the answer is to request 65537, due was 1"):
        both.client.receive(other.encode())


def test_flags_of_the_answer_are_the_meters_own() -> None:
    both = associated()
    asked = request(both, READ)
    both.client.send(asked)
    both.client.receive(AccessResponse(1, b"", None, (DoubleLongUnsigned(1),), (GET,)).encode())
    assert [type(event) for event in both.client.events()] == [Response]


@pytest.mark.parametrize("protection", [Protection.NONE, BOTH])
def test_it_goes_to_and_fro_in_general_blocks_which_are_the_only_ones_it_has(protection: Protection) -> None:
    for blocks in (0, 16):
        both = associated(
            protection=protection, max_pdu=300, client_max_pdu=300, client_blocks=blocks, server_blocks=blocks
        )
        long = OctetString(bytes(index % 251 for index in range(2000)))
        asked = request(both, READ, WRITE, RUN, values=(None, long, long))
        if not blocks:
            with pytest.raises(LocalProtocolError, match="longer than the meter takes"):
                both.client.send(asked)
            continue
        both.client.send(asked)
        both.run()
        answer = both.client_events[-1]
        assert isinstance(answer, Response)
        assert isinstance(answer.apdu, AccessResponse)
        assert answer.apdu.access_response_list_of_data == (None, long, long)
        assert all(len(octets) <= 300 for _, octets in both.passed)
