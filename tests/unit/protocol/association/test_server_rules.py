"""What a server answers to a client that breaks the rules, or that only looks as if it did."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.protocol import apdu as apdus
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.acse import (
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    MechanismId,
)
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.apdu.get import AttributeDescriptor, AttributeDescriptorWithSelection
from cosem.protocol.apdu.initiate import Conformance, InitiateRequest
from cosem.protocol.apdu.set import SetRequestWithList
from cosem.protocol.association.context import Associated, Requested
from cosem.protocol.association.server import ServerAssociation, ServerPolicy
from cosem.protocol.association.state import State
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, Challenges
from cosem.protocol.values.data import OctetString, Unsigned
from cosem.protocol.values.obis import Obis
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE, Pair, chance, pair, security

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
