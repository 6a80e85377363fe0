"""What a server answers to a client that breaks the rules, or that only looks as if it did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cosem.errors import InvocationCounterError, LocalProtocolError, ServiceRefused
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.acse import (
    AcseServiceProvider,
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    MechanismId,
    ReleaseResponse,
)
from cosem.protocol.apdu.action import (
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResponseWithOptionalData,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    DataAccessResult,
    GetRequestNext,
    GetRequestNormal,
    GetResponseNormal,
    GetResponseWithDatablock,
)
from cosem.protocol.apdu.initiate import Conformance, InitiateRequest
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.apdu.set import (
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithList,
    SetResponseLastDatablock,
    SetResponseNormal,
    SetResponseWithList,
)
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import Associated, Refused, Requested
from cosem.protocol.association.counter import InvocationCounter, ReceivedCounter
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.state import State
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, Challenges
from cosem.protocol.values.data import OctetString, Unsigned
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore
from pair import AK, BOTH, CLIENT_TITLE, EK, SERVER_TITLE, Pair, chance, pair, security

ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
METHOD = MethodDescriptor(3, Obis("1.0.1.8.0.255"), 1)
CONFIRMED = 0xC1


def associated(**how: Any) -> Pair:
    both = pair(**how)
    both.client.associate()
    both.run()
    assert both.server.state is State.ASSOCIATED
    return both


def said(server: ServerAssociation) -> list[Apdu]:
    return [apdus.decode(octets) for octets in server.outgoing()]


def request_for_association(dedicated_key: bytes | None, **fields: Any) -> bytes:
    initiate = InitiateRequest(
        dedicated_key=dedicated_key, proposed_conformance=Conformance.GET, client_max_receive_pdu_size=1024
    )
    given: dict[str, Any] = {
        "application_context_name": ApplicationContext.LOGICAL_NAME,
        "user_information": initiate.encode(),
    }
    return AssociationRequest(**{**given, **fields}).encode()


@pytest.mark.parametrize(
    "request_",
    [
        SetRequestWithList(CONFIRMED, (AttributeDescriptorWithSelection(ENERGY),) * 2, (Unsigned(1),)),
        SetRequestWithList(CONFIRMED, (AttributeDescriptorWithSelection(ENERGY),), (Unsigned(1), Unsigned(2))),
        ActionRequestWithList(CONFIRMED, (METHOD,), ()),
        ActionRequestWithList(CONFIRMED, (), (Unsigned(1),)),
    ],
)
def test_lists_of_unequal_length_never_reach_the_meter(request_: Apdu) -> None:
    both = associated()
    both.server.receive(request_.encode())
    assert not any(isinstance(event, Requested) for event in both.server.events())
    (answer,) = said(both.server)
    assert answer == ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.OPERATION_NOT_POSSIBLE)


@pytest.mark.parametrize("key", [b"", bytes(5), bytes(15), bytes(17), bytes(32)])
def test_a_dedicated_key_of_the_wrong_length_is_no_reason_to_fall_over(key: bytes) -> None:
    both = pair(protection=BOTH)
    client = security(CLIENT_TITLE, SERVER_TITLE)
    initiate = InitiateRequest(
        dedicated_key=key, proposed_conformance=Conformance.GET, client_max_receive_pdu_size=1024
    )
    both.server.receive(
        request_for_association(
            None,
            application_context_name=ApplicationContext.LOGICAL_NAME_CIPHERED,
            calling_ap_title=CLIENT_TITLE,
            user_information=client.protect(initiate.encode()),
        )
    )
    (answer,) = said(both.server)
    assert isinstance(answer, AssociationResponse)
    assert answer.result is AssociationResult.REJECTED_PERMANENT
    assert both.server.state is State.IDLE


@pytest.mark.parametrize("key", [bytes(16), bytes(5)])
@pytest.mark.parametrize("mechanism", [0, 5])
def test_a_dedicated_key_that_came_in_clear_is_no_key(mechanism: int, key: bytes) -> None:
    both = pair(mechanism)
    fields: dict[str, Any] = {}
    if mechanism:
        fields = {
            "calling_ap_title": CLIENT_TITLE,
            "mechanism_name": MechanismId(mechanism),
            "calling_authentication_value": bytes(range(16)),
        }
    both.server.receive(request_for_association(key, **fields))
    (answer,) = said(both.server)
    assert isinstance(answer, AssociationResponse)
    assert answer.result is AssociationResult.REJECTED_PERMANENT
    assert both.server.state is State.IDLE


def test_sha256_binds_the_title_of_a_client_without_keys() -> None:
    secret = Secret(b"a long shared secret")
    policy = ServerPolicy(mechanism=MECHANISMS[6], secret=secret, own_title=SERVER_TITLE)
    server = ServerAssociation(policy, chance)
    client_challenge = bytes(range(16))
    server.receive(
        request_for_association(
            None,
            calling_ap_title=CLIENT_TITLE,
            mechanism_name=MechanismId.HIGH_SHA256,
            calling_authentication_value=client_challenge,
        )
    )
    (answer,) = said(server)
    assert isinstance(answer, AssociationResponse)
    assert answer.responding_authentication_value is not None
    challenges = Challenges(client_challenge, answer.responding_authentication_value, CLIENT_TITLE, SERVER_TITLE)
    proof = MECHANISMS[6].client_proof(challenges, secret, None)
    hls = MethodDescriptor(15, Obis("0.0.40.0.0.255"), 1)
    server.receive(ActionRequestNormal(CONFIRMED, hls, OctetString(proof)).encode())
    (proved,) = said(server)
    assert isinstance(proved, ActionResponseNormal)
    assert proved.response.result is ActionResult.SUCCESS
    assert any(isinstance(event, Associated) for event in server.events())


UNCONFIRMED = 0x01


@pytest.mark.parametrize("protection", [Protection.NONE, BOTH])
@pytest.mark.parametrize(
    "request_",
    [
        SetRequestNormal(UNCONFIRMED, ENERGY, None, Unsigned(1)),
        ActionRequestNormal(UNCONFIRMED, METHOD),
        GetRequestNormal(UNCONFIRMED, ENERGY),
    ],
)
def test_an_unconfirmed_service_is_carried_out_and_not_answered(request_: Apdu, protection: Protection) -> None:
    both = associated(protection=protection)
    octets = request_.encode()
    both.server.receive(octets if protection is Protection.NONE else again(both).protect(octets))
    assert [event.apdu for event in both.server.events() if isinstance(event, Requested)] == [request_]
    assert both.server.asked
    assert not both.server.answering
    both.server.respond(GetResponseNormal(UNCONFIRMED, OctetString(b"x" * 5000)))
    assert both.server.outgoing() == []
    assert not both.server.asked


@pytest.mark.parametrize(
    "octets",
    [
        ActionRequestWithList(UNCONFIRMED, (METHOD,), ()).encode(),
        bytes.fromhex("C00101FFFF"),
        bytes.fromhex("C17701"),
        GetRequestNext(UNCONFIRMED, 1).encode(),
        SetRequestWithDatablock(UNCONFIRMED, DataBlockSA(True, 7, b"")).encode(),
        ActionRequestNextPblock(UNCONFIRMED, 1).encode(),
    ],
)
def test_an_unconfirmed_service_is_not_refused_aloud_either(octets: bytes) -> None:
    both = associated()
    both.server.receive(octets)
    assert both.server.outgoing() == []
    both.server.receive(b"\xff")
    assert both.server.outgoing() == [bytes.fromhex("D80203")]


def test_a_proof_that_wants_no_answer_is_none() -> None:
    both = pair(5)
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    both.client.receive(both.server.outgoing()[0])
    (proof,) = both.client.outgoing()
    both.server.receive(proof[:2] + bytes((proof[2] & ~0x40,)) + proof[3:])
    assert both.server.outgoing() == []
    assert both.server.state is State.AUTHENTICATING


def test_an_association_without_response_is_not_offered_and_not_answered() -> None:
    both = pair()
    initiate = InitiateRequest(
        response_allowed=False, proposed_conformance=Conformance.GET, client_max_receive_pdu_size=1024
    )
    both.server.receive(request_for_association(None, user_information=initiate.encode()))
    assert both.server.outgoing() == []
    assert both.server.state is State.IDLE


def test_another_acse_version_is_told_so() -> None:
    both = pair()
    both.server.receive(request_for_association(None, protocol_version="01"))
    (answer,) = said(both.server)
    assert isinstance(answer, AssociationResponse)
    assert answer.result_source_diagnostic is AcseServiceProvider.NO_COMMON_ACSE_VERSION


def again(both: Pair) -> SecurityContext:
    """Return the client's side of the security context with its counter far ahead, to say what its engine would not."""
    context = security(CLIENT_TITLE, SERVER_TITLE)
    context._counter.raise_to(1000, operator_approved=True)
    return context


def test_a_set_that_was_given_up_does_not_shape_the_answer_to_the_next() -> None:
    both = associated()
    first = SetRequestWithFirstDatablock(CONFIRMED, ENERGY, None, DataBlockSA(False, 1, b"\x09"))
    both.server.receive(first.encode())
    both.server.outgoing()
    both.server.receive(SetRequestNormal(CONFIRMED, ENERGY, None, Unsigned(1)).encode())
    both.server.respond(SetResponseNormal(CONFIRMED, DataAccessResult.SUCCESS))
    assert said(both.server) == [SetResponseNormal(CONFIRMED, DataAccessResult.SUCCESS)]


def test_a_block_of_one_service_does_not_go_on_with_another() -> None:
    both = associated()
    both.server.receive(ActionRequestWithFirstPblock(CONFIRMED, METHOD, DataBlockSA(False, 1, b"\x09\x02")).encode())
    both.server.outgoing()
    both.server.receive(SetRequestWithDatablock(CONFIRMED, DataBlockSA(True, 2, b"ab")).encode())
    assert not any(isinstance(event, Requested) for event in both.server.events())
    assert said(both.server) == [SetResponseNormal(CONFIRMED, DataAccessResult.NO_LONG_SET_IN_PROGRESS)]


def test_the_next_block_of_another_service_is_not_given() -> None:
    both = associated(client_max_pdu=100)
    both.server.receive(ActionRequestNormal(CONFIRMED, METHOD).encode())
    returned = ActionResponseWithOptionalData(ActionResult.SUCCESS, OctetString(b"x" * 300))
    both.server.respond(ActionResponseNormal(CONFIRMED, returned))
    both.server.outgoing()
    both.server.receive(GetRequestNext(CONFIRMED, 1).encode())
    (answer,) = said(both.server)
    assert isinstance(answer, GetResponseWithDatablock)
    assert answer.result.result is DataAccessResult.NO_LONG_GET_IN_PROGRESS


def test_after_the_last_block_there_is_no_long_get() -> None:
    both = associated(client_max_pdu=100)
    both.server.receive(GetRequestNormal(CONFIRMED, ENERGY).encode())
    both.server.respond(GetResponseNormal(CONFIRMED, OctetString(b"x" * 120)))
    (answer,) = said(both.server)
    assert isinstance(answer, GetResponseWithDatablock)
    both.server.receive(GetRequestNext(CONFIRMED, 1).encode())
    (last,) = said(both.server)
    assert isinstance(last, GetResponseWithDatablock)
    assert last.result.last_block
    both.server.receive(GetRequestNext(CONFIRMED, 2).encode())
    (late,) = said(both.server)
    assert isinstance(late, GetResponseWithDatablock)
    assert late.result.result is DataAccessResult.NO_LONG_GET_IN_PROGRESS


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_set_block_out_of_order_is_named(number: int) -> None:
    both = associated()
    first = SetRequestWithFirstDatablock(CONFIRMED, ENERGY, None, DataBlockSA(False, 1, b"\x09\x02"))
    both.server.receive(first.encode())
    both.server.outgoing()
    both.server.receive(SetRequestWithDatablock(CONFIRMED, DataBlockSA(True, number, b"ab")).encode())
    (answer,) = said(both.server)
    assert answer == SetResponseLastDatablock(CONFIRMED, DataAccessResult.DATA_BLOCK_NUMBER_INVALID, number)
    both.server.receive(SetRequestWithDatablock(CONFIRMED, DataBlockSA(True, 2, b"ab")).encode())
    assert said(both.server) == [SetResponseNormal(CONFIRMED, DataAccessResult.NO_LONG_SET_IN_PROGRESS)]


def test_a_response_without_block_form_that_is_too_long_is_told_so() -> None:
    both = associated(client_max_pdu=64)
    item = AttributeDescriptorWithSelection(ENERGY)
    both.server.receive(SetRequestWithList(CONFIRMED, (item,) * 64, (Unsigned(1),) * 64).encode())
    both.server.respond(SetResponseWithList(CONFIRMED, (DataAccessResult.SUCCESS,) * 64))
    assert said(both.server) == [ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.PDU_TOO_LONG)]


def test_what_was_refused_before_the_association_does_not_count_in_it() -> None:
    both = pair()
    for _ in range(5):
        both.server.receive(GetRequestNormal(CONFIRMED, ENERGY).encode())
    both.server.outgoing()
    both.client.associate()
    both.run()
    for _ in range(5):
        both.server.receive(GetRequestNext(0xFF, 1).encode()[:4])
    assert both.server.state is State.ASSOCIATED


def test_a_counter_set_back_is_told_and_so_is_the_one_expected() -> None:
    both = associated(protection=BOTH)
    request = again(both).protect(GetRequestNormal(CONFIRMED, ENERGY).encode())
    both.server.receive(request)
    both.server.respond(GetResponseNormal(CONFIRMED, Unsigned(1)))
    both.server.outgoing()
    both.server.receive(request)
    assert said(both.server) == [
        ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.INVOCATION_COUNTER_ERROR, 1001)
    ]
    (refused,) = [event for event in both.server.events() if isinstance(event, Refused)]
    assert isinstance(refused.error, InvocationCounterError)
    assert (refused.error.number, refused.error.expected) == (1000, 1001)


def test_the_greatest_counter_of_all_leaves_nothing_above_to_expect() -> None:
    both = associated(protection=BOTH)
    context = security(CLIENT_TITLE, SERVER_TITLE)
    context._counter.raise_to(0xFFFFFFFF, operator_approved=True)
    request = context.protect(GetRequestNormal(CONFIRMED, ENERGY).encode())
    both.server.receive(request)
    both.server.respond(GetResponseNormal(CONFIRMED, Unsigned(1)))
    both.server.outgoing()
    both.server.receive(request)
    (answer,) = said(both.server)
    assert isinstance(answer, ExceptionResponse)
    assert answer.invocation_counter == 0xFFFFFFFF


def test_a_forged_counter_is_a_failure_to_decipher_and_tells_nothing() -> None:
    both = associated(protection=BOTH)
    request = bytearray(again(both).protect(GetRequestNormal(CONFIRMED, ENERGY).encode()))
    request[3:7] = bytes(4)
    both.server.receive(bytes(request))
    assert said(both.server) == [ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.DECIPHERING_ERROR)]


def test_a_counter_set_back_is_told_at_the_association_too() -> None:
    received = ReceivedCounter(last=500)
    both = pair(protection=BOTH)
    assert both.server.policy is not None
    counter = InvocationCounter(MemoryCounterStore(), "server")
    both.server.policy = both.server.policy._replace(
        security=lambda title: SecurityContext(0, SERVER_TITLE, title, EK, AK, counter=counter, received=received),
    )
    both.client.associate()
    with pytest.raises(ServiceRefused, match="501") as refused:
        both.run()
    assert isinstance(refused.value.response, ExceptionResponse)
    assert refused.value.response.invocation_counter == 501
    assert both.server.state is State.IDLE
    assert received.last == 500


def test_the_answer_comes_under_the_key_and_in_the_envelope_of_the_question() -> None:
    key = Key(bytes(range(16)))
    both = pair(protection=BOTH)
    both.client = ClientAssociation(
        replace(both.client.settings, dedicated_key=key), security=security(CLIENT_TITLE, None)
    )
    both.client.associate()
    both.run()
    context = again(both)
    context.use_dedicated(key)
    for dedicated, general, tag in ((False, False, 0xCC), (True, False, 0xD4), (False, True, 0xDB), (True, True, 0xDC)):
        plain = GetRequestNormal(CONFIRMED, ENERGY).encode()
        both.server.receive(context.protect(plain, dedicated=dedicated, general=general))
        both.server.respond(GetResponseNormal(CONFIRMED, Unsigned(1)))
        assert both.server.outgoing()[0][0] == tag


def test_a_release_that_claims_protection_must_have_it() -> None:
    both = associated(protection=BOTH)
    both.client.release()
    (release,) = both.client.outgoing()
    both.server.receive(release[:-1] + bytes((release[-1] ^ 1,)))
    assert both.server.state is State.ASSOCIATED
    both.server.outgoing()
    both.server.receive(release)
    answer = both.server.outgoing()[0]
    assert both.server.state is State.IDLE
    response = apdus.decode(answer)
    assert isinstance(response, ReleaseResponse)
    assert response.user_information is not None
    assert response.user_information[0] == 0x28
    both.client.receive(answer)
    assert both.client.state is State.IDLE


def test_a_release_without_user_information_is_let_pass() -> None:
    both = associated(protection=BOTH)
    both.server.receive(bytes.fromhex("6203800100"))
    assert both.server.outgoing() == [bytes.fromhex("6303800100")]
    assert both.server.state is State.IDLE


def test_a_notification_longer_than_the_client_takes_is_not_sent() -> None:
    both = associated(client_max_pdu=64)
    room = 64 - len(DataNotification(1, b"", OctetString(b"")).encode())
    both.server.notify(DataNotification(1, b"", OctetString(b"x" * room)))
    assert len(both.server.outgoing()[0]) == 64
    with pytest.raises(LocalProtocolError):
        both.server.notify(DataNotification(1, b"", OctetString(b"x" * (room + 1))))
