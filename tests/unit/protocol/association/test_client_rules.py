"""What a client makes of a server that breaks the rules, and what it keeps to itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from cosem.errors import (
    AssociationRejected,
    CosemError,
    LocalProtocolError,
    RemoteProtocolError,
    SecurityError,
    ServiceRefused,
)
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.acse import (
    AcseServiceUser,
    ApplicationContext,
    AssociationResponse,
    AssociationResult,
    MechanismId,
)
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResponseWithPblock,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.exception import ConfirmedService, ConfirmedServiceError, ServiceError
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    DataAccessResult,
    DataBlockG,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance, InitiateResponse
from cosem.protocol.apdu.notification import EventNotification
from cosem.protocol.apdu.set import (
    SetRequestNormal,
    SetRequestWithList,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
)
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import Associated, ClientSettings, Notified, Response
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.services import Request
from cosem.protocol.association.state import State
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.values.data import OctetString, Unsigned
from cosem.protocol.values.obis import Obis
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE, Pair, pair, security

ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
ITEM = AttributeDescriptorWithSelection(ENERGY)
METHOD = MethodDescriptor(3, Obis("1.0.1.8.0.255"), 1)
SUCCESS = DataAccessResult.SUCCESS
DONE = ActionResponseWithOptionalData(ActionResult.SUCCESS)
INVOKE_ID = 0xC1


def associated(**how: Any) -> Pair:
    both = pair(**how)
    both.client.associate()
    both.run()
    assert isinstance(both.client_events[-1], Associated)
    return both


def accepting(**fields: Any) -> AssociationResponse:
    given: dict[str, Any] = {
        "application_context_name": ApplicationContext.LOGICAL_NAME,
        "result": AssociationResult.ACCEPTED,
        "result_source_diagnostic": AcseServiceUser.NULL,
        "user_information": InitiateResponse(
            negotiated_conformance=Conformance.GET, server_max_receive_pdu_size=1024
        ).encode(),
    }
    return AssociationResponse(**{**given, **fields})


GET = GetRequestNormal(INVOKE_ID, ENERGY)
GETS = GetRequestWithList(INVOKE_ID, (ITEM, ITEM))
SET = SetRequestNormal(INVOKE_ID, ENERGY, None, Unsigned(1))
LONG_SET = SetRequestNormal(INVOKE_ID, ENERGY, None, OctetString(bytes(500)))
SETS = SetRequestWithList(INVOKE_ID, (ITEM, ITEM), (Unsigned(1), Unsigned(2)))
LONG_SETS = SetRequestWithList(INVOKE_ID, (ITEM, ITEM), (OctetString(bytes(300)),) * 2)
ACTIONS = ActionRequestWithList(INVOKE_ID, (METHOD, METHOD), (Unsigned(1), Unsigned(2)))
LONG_ACTION = ActionRequestNormal(INVOKE_ID, METHOD, OctetString(bytes(500)))

WRONG: dict[str, tuple[Request, Apdu]] = {
    "one value for a list": (GETS, GetResponseNormal(INVOKE_ID, Unsigned(1))),
    "too few values": (GETS, GetResponseWithList(INVOKE_ID, (Unsigned(1),))),
    "too many values": (GETS, GetResponseWithList(INVOKE_ID, (Unsigned(1),) * 3)),
    "too few values in a block": (
        GETS,
        GetResponseWithDatablock(INVOKE_ID, DataBlockG(True, 1, bytes.fromhex("01001101"))),
    ),
    "one success for a list": (SETS, SetResponseNormal(INVOKE_ID, SUCCESS)),
    "too few results": (SETS, SetResponseWithList(INVOKE_ID, (SUCCESS,))),
    "one end for a list": (ACTIONS, ActionResponseNormal(INVOKE_ID, DONE)),
    "too few ends": (ACTIONS, ActionResponseWithList(INVOKE_ID, (DONE,))),
    "a last block where none was sent": (SET, SetResponseLastDatablock(INVOKE_ID, SUCCESS, 1)),
    "success before the last block": (LONG_SET, SetResponseLastDatablock(INVOKE_ID, SUCCESS, 1)),
    "plain success before the last block": (LONG_SET, SetResponseNormal(INVOKE_ID, SUCCESS)),
    "successes before the last block": (
        LONG_SETS,
        SetResponseLastDatablockWithList(INVOKE_ID, (SUCCESS, SUCCESS), 1),
    ),
    "a method that ended before it had its parameters": (LONG_ACTION, ActionResponseNormal(INVOKE_ID, DONE)),
    "a method that returned before it had its parameters": (
        LONG_ACTION,
        ActionResponseWithPblock(INVOKE_ID, DataBlockSA(True, 1, b"\x00")),
    ),
    "a block of the wrong number": (LONG_SET, SetResponseDatablock(INVOKE_ID, 2)),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_answer_that_cannot_be_the_whole_answer_is_none(case: str) -> None:
    request, answer = WRONG[case]
    both = associated(max_pdu=200)
    both.client.send(request)
    with pytest.raises(RemoteProtocolError):
        both.client.receive(answer.encode())
    assert not any(isinstance(event, Response) for event in both.client.events())


@pytest.mark.parametrize(
    ("request_", "refusal"),
    [
        (GETS, GetResponseNormal(INVOKE_ID, DataAccessResult.OTHER_REASON)),
        (LONG_SET, SetResponseNormal(INVOKE_ID, DataAccessResult.READ_WRITE_DENIED)),
        (LONG_SET, SetResponseLastDatablock(INVOKE_ID, DataAccessResult.DATA_BLOCK_NUMBER_INVALID, 1)),
        (SETS, SetResponseNormal(INVOKE_ID, DataAccessResult.OTHER_REASON)),
        (
            LONG_ACTION,
            ActionResponseNormal(INVOKE_ID, ActionResponseWithOptionalData(ActionResult.LONG_ACTION_ABORTED)),
        ),
    ],
)
def test_a_refusal_may_come_at_any_time(request_: Request, refusal: Apdu) -> None:
    both = associated(max_pdu=200)
    both.client.send(request_)
    both.client.receive(refusal.encode())
    (event,) = both.client.events()
    assert isinstance(event, Response)
    assert not both.client.awaiting


def test_the_number_of_the_last_block_is_compared() -> None:
    both = associated(max_pdu=200)
    both.client.send(LONG_SET)
    number = 1
    while (octets := both.client.outgoing()) and not last_of(octets[0]):
        both.client.receive(SetResponseDatablock(INVOKE_ID, number).encode())
        number += 1
    with pytest.raises(RemoteProtocolError, match="sent was"):
        both.client.receive(SetResponseLastDatablock(INVOKE_ID, SUCCESS, number + 1).encode())
    both.client.receive(SetResponseLastDatablock(INVOKE_ID, SUCCESS, number).encode())
    assert [type(event) for event in both.client.events()] == [Response]


def last_of(octets: bytes) -> bool:
    request: Any = apdus.decode(octets)
    return bool(request.datablock.last_block)


@pytest.mark.parametrize("raw", [False, True])
def test_a_whole_value_in_the_middle_of_one_in_blocks_is_refused(raw: bool) -> None:
    both = associated()
    both.client.send(GET, raw=raw)
    both.client.receive(GetResponseWithDatablock(INVOKE_ID, DataBlockG(False, 1, b"\x09\x02a")).encode())
    with pytest.raises(RemoteProtocolError, match="middle"):
        both.client.receive(GetResponseNormal(INVOKE_ID, Unsigned(7)).encode())
    assert both.client.events() == []


@pytest.mark.parametrize("request_", [GETS, SET, LONG_ACTION])
def test_only_one_attribute_is_given_undecoded(request_: Request) -> None:
    both = associated()
    with pytest.raises(LocalProtocolError, match="undecoded"):
        both.client.send(request_, raw=True)


# -- the association -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"mechanism": 1, "secret": b"12345678"}, {"mechanism": 5}])
def test_an_engine_opens_one_association(how: dict[str, Any]) -> None:
    both = associated(**how)
    both.client.release()
    both.run()
    assert both.client.negotiated is None
    with pytest.raises(LocalProtocolError, match="engine of its own"):
        both.client.associate()
    assert both.client.outgoing() == []


def test_a_password_that_the_mechanism_does_not_use_stays_here() -> None:
    settings = ClientSettings(secret=Secret(b"12345678"), protection=BOTH)
    client = ClientAssociation(settings, security=security(CLIENT_TITLE, None))
    client.associate()
    (request,) = client.outgoing()
    assert b"12345678" not in request


def test_a_dedicated_key_never_leaves_in_clear() -> None:
    settings = ClientSettings(dedicated_key=Key(bytes(range(16))), mechanism=MECHANISMS[5])
    with pytest.raises(LocalProtocolError, match="in clear"):
        ClientAssociation(settings, challenge=bytes(16), security=security(CLIENT_TITLE, None, Protection.NONE))


def test_the_proofs_go_under_the_global_key_and_the_rest_under_the_dedicated_one() -> None:
    both = pair(5, protection=BOTH)
    settings = replace(both.client.settings, dedicated_key=Key(bytes(range(16))))
    both.client = ClientAssociation(settings, challenge=bytes(range(16)), security=security(CLIENT_TITLE, None))
    both.client.associate()
    both.run()
    both.answer = lambda _: GetResponseNormal(INVOKE_ID, Unsigned(1))
    both.client.send(GET)
    both.run()
    assert [octets[0] for _, octets in both.passed] == [0x60, 0x61, 0xCB, 0xCF, 0xD0, 0xD4]


FALSE_ANSWERS: list[tuple[dict[str, Any], Callable[[], AssociationResponse]]] = [
    ({}, lambda: accepting(mechanism_name=MechanismId.HIGH_GMAC)),
    ({}, lambda: accepting(result_source_diagnostic=AcseServiceUser.AUTHENTICATION_REQUIRED)),
    ({"mechanism": 1, "secret": b"12345678"}, lambda: accepting(mechanism_name=MechanismId.HIGH_MD5)),
    ({"mechanism": 5}, lambda: accepting(responding_ap_title=SERVER_TITLE)),
    ({"mechanism": 5}, lambda: accepting(mechanism_name=MechanismId.LOW)),
    ({"mechanism": 5}, lambda: accepting(application_context_name=ApplicationContext.LOGICAL_NAME_CIPHERED)),
    ({"protection": BOTH}, lambda: accepting()),
    (
        {"protection": BOTH},
        lambda: accepting(application_context_name=ApplicationContext.LOGICAL_NAME_CIPHERED),
    ),
]


@pytest.mark.parametrize("number", range(len(FALSE_ANSWERS)))
def test_sec_07_an_answer_to_something_else_ends_the_association(number: int) -> None:
    how, answer = FALSE_ANSWERS[number]
    both = pair(**how)
    both.client.associate()
    (request,) = both.client.outgoing()
    with pytest.raises(SecurityError):
        both.client.receive(answer().encode())
    assert both.client.state is State.IDLE
    assert both.client.negotiated is None
    assert not both.client.awaiting
    both.server.receive(request)
    with pytest.raises(RemoteProtocolError):
        both.client.receive(both.server.outgoing()[0])
    assert both.client.events() == []


PROOF_ANSWERS: list[Apdu] = [
    ActionResponseWithPblock(INVOKE_ID, DataBlockSA(True, 1, b"\x09\x01x")),
    ActionResponseWithPblock(INVOKE_ID, DataBlockSA(False, 1, b"\x09\x01")),
    ActionResponseNextPblock(INVOKE_ID, 1),
    ActionResponseNormal(INVOKE_ID, DONE),
    ActionResponseNormal(INVOKE_ID, ActionResponseWithOptionalData(ActionResult.SUCCESS, OctetString(b""))),
    ActionResponseNormal(INVOKE_ID, ActionResponseWithOptionalData(ActionResult.SUCCESS, Unsigned(1))),
    GetResponseNormal(INVOKE_ID, Unsigned(1)),
]


@pytest.mark.parametrize("answer", PROOF_ANSWERS)
def test_nothing_but_a_proof_answers_a_proof(answer: Apdu) -> None:
    both = pair(5)
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    both.client.receive(both.server.outgoing()[0])
    both.client.outgoing()
    with pytest.raises((SecurityError, RemoteProtocolError)):
        both.client.receive(answer.encode())
    assert both.client.events() == []
    assert both.client.state is State.IDLE
    assert both.client.negotiated is None
    assert both.client.outgoing() == []


def rejecting(**fields: Any) -> bytes:
    return accepting(
        **{
            "result": AssociationResult.REJECTED_PERMANENT,
            "result_source_diagnostic": AcseServiceUser.NO_REASON_GIVEN,
            "user_information": None,
            **fields,
        }
    ).encode()


UNDECIPHERABLE = ConfirmedServiceError(ConfirmedService.INITIATE_ERROR, ServiceError.APPLICATION_REFERENCE, 6)


def test_a_rejection_without_user_information_is_one() -> None:
    # As meters of Landis+Gyr (ZCXi120, ZMXi320) answer.
    both = pair()
    both.client.associate()
    with pytest.raises(AssociationRejected, match="no reason given"):
        both.client.receive(rejecting())


@pytest.mark.parametrize("information", [b"\x0e", b"\x0e\x01\x06", b"\xff", b"\x2e\x01\x00", b"\x08\x00"])
def test_a_rejection_that_says_more_than_can_be_read_is_still_one(information: bytes) -> None:
    both = pair(protection=BOTH)
    both.client.associate()
    with pytest.raises(AssociationRejected, match="no reason given"):
        both.client.receive(rejecting(user_information=information, responding_ap_title=SERVER_TITLE))
    assert both.client.state is State.IDLE


def test_a_rejection_may_say_why_under_the_key() -> None:
    both = pair(protection=BOTH)
    both.client.associate()
    sealed = security(SERVER_TITLE, CLIENT_TITLE).protect(UNDECIPHERABLE.encode())
    with pytest.raises(AssociationRejected, match="deciphering-error"):
        both.client.receive(rejecting(user_information=sealed, responding_ap_title=SERVER_TITLE))


def test_the_counter_that_the_meter_expects_is_told() -> None:
    both = associated(protection=BOTH)
    both.client.send(GET)
    with pytest.raises(ServiceRefused, match="the meter expects 4660 or above"):
        both.client.receive(bytes.fromhex("D8010600001234"))
    assert not both.client.awaiting


# -- what comes unasked, and the end ---------------------------------------------------------------------------------


def event_under(context: SecurityContext) -> bytes:
    return context.protect(EventNotification(None, ENERGY, Unsigned(1)).encode())


@pytest.mark.parametrize("dedicated", [False, True])
def test_an_event_that_does_not_verify_is_set_aside(dedicated: bool) -> None:
    both = associated(protection=BOTH)
    both.client.send(GET)
    octets = event_under(security(SERVER_TITLE, CLIENT_TITLE))
    octets = (b"\xd2" if dedicated else b"\xca") + octets[1:-1] + bytes((octets[-1] ^ 1,))
    both.client.receive(octets)
    both.client.receive(octets[:4])
    events = both.client.events()
    assert [type(event) for event in events] == [Notified, Notified]
    for event in events:
        assert isinstance(event, Notified)
        assert isinstance(event.error, CosemError)
        assert event.apdu is None
    assert both.client.awaiting


def test_a_release_that_is_refused_ends_the_association_all_the_same() -> None:
    both = associated()
    both.client.release()
    with pytest.raises(ServiceRefused):
        both.client.receive(bytes.fromhex("D80101"))
    assert both.client.state is State.IDLE
    assert not both.client.awaiting


def test_a_release_response_may_carry_a_plain_initiate_response() -> None:
    # As a MEM600 does on a ciphered association.
    both = associated(protection=BOTH)
    both.client.release()
    both.client.receive(bytes.fromhex("6315800100BE10040E0800065F1F040000301D04000007"))
    assert both.client.state is State.IDLE


def test_a_request_in_flight_is_forgotten_with_the_association() -> None:
    both = associated()
    both.client.send(GET)
    both.client.abort()
    with pytest.raises(RemoteProtocolError):
        both.client.receive(GetResponseNormal(INVOKE_ID, Unsigned(7)).encode())
    assert not any(isinstance(event, Response) for event in both.client.events())
