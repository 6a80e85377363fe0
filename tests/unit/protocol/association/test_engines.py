"""Client and server joined by a wire: what both agree on, what each refuses, and who is blamed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import (
    AssociationRejected,
    DecodeError,
    LocalProtocolError,
    RemoteProtocolError,
    SecurityError,
    ServiceRefused,
)
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.acse import AcseServiceUser, ApplicationContext, AssociationResponse, MechanismId
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
    SelectiveAccess,
)
from cosem.protocol.apdu.initiate import Conformance, InitiateResponse
from cosem.protocol.apdu.set import SetRequestNormal, SetRequestWithList, SetResponseNormal, SetResponseWithList
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    Associated,
    AssociationLimits,
    ClientSettings,
    Notified,
    Refused,
    Released,
    Requested,
    Response,
)
from cosem.protocol.association.security import Protection
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.services import Request
from cosem.protocol.association.state import State
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString
from cosem.protocol.values.obis import Obis
from pair import BOTH, CLIENT_TITLE, SERVER_TITLE, Pair, pair, security

VECTORS = Path(__file__).parents[3] / "vectors"
NOT_ASKED_FOR = Conformance.GENERAL_PROTECTION | Conformance.DELTA_VALUE_ENCODING
ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
LONG = AttributeDescriptor(7, Obis("1.0.99.1.0.255"), 2)
METHOD = MethodDescriptor(3, Obis("1.0.1.8.0.255"), 1)

ACCESSES: dict[str, dict[str, Any]] = {
    "none": {},
    "low": {"mechanism": 1, "secret": b"12345678"},
    "gmac": {"mechanism": 5},
    "gmac, ciphered": {"mechanism": 5, "protection": BOTH},
    "gmac, authenticated": {"mechanism": 5, "protection": Protection.AUTHENTICATION},
    "sha256, ciphered": {"mechanism": 6, "secret": b"a long shared secret", "protection": BOTH},
    "none, ciphered": {"protection": BOTH},
}


def echo(request: Any) -> Any:
    """A meter that gives long values where it is asked for them, and returns what it is given."""
    invoke_id = request.invoke_id_and_priority
    if isinstance(request, GetRequestNormal):
        long = request.attribute == LONG
        return GetResponseNormal(invoke_id, OctetString(b"x" * 3000) if long else DoubleLongUnsigned(5))
    if isinstance(request, GetRequestWithList):
        return GetResponseWithList(invoke_id, tuple(OctetString(b"y" * 100) for _ in request.attributes))
    if isinstance(request, SetRequestNormal):
        return SetResponseNormal(invoke_id, DataAccessResult.SUCCESS)
    if isinstance(request, SetRequestWithList):
        return SetResponseWithList(invoke_id, (DataAccessResult.SUCCESS,) * len(request.values))
    if isinstance(request, ActionRequestNormal):
        returned = ActionResponseWithOptionalData(ActionResult.SUCCESS, request.parameters)
        return ActionResponseNormal(invoke_id, returned)
    assert isinstance(request, ActionRequestWithList)
    return ActionResponseWithList(
        invoke_id, tuple(ActionResponseWithOptionalData(ActionResult.SUCCESS, each) for each in request.parameters)
    )


def associated(**how: Any) -> Pair:
    both = pair(**how)
    both.answer = echo
    both.client.associate()
    both.run()
    assert isinstance(both.client_events[-1], Associated)
    return both


def asked(both: Pair, build: Callable[[int], Request], **options: Any) -> Response:
    both.client.send(build(both.client.invoke_id_and_priority()), **options)
    both.run()
    response = both.client_events[-1]
    assert isinstance(response, Response)
    return response


REQUESTS: dict[str, tuple[Callable[[int], Request], Callable[[Any], bool]]] = {
    "get": (lambda i: GetRequestNormal(i, ENERGY), lambda a: a.result == 5),
    "long get": (lambda i: GetRequestNormal(i, LONG), lambda a: a.result == b"x" * 3000),
    "get with list": (
        lambda i: GetRequestWithList(i, (AttributeDescriptorWithSelection(ENERGY),) * 5),
        lambda a: a.results == (b"y" * 100,) * 5,
    ),
    "set": (
        lambda i: SetRequestNormal(i, ENERGY, None, DoubleLongUnsigned(1)),
        lambda a: a.result is DataAccessResult.SUCCESS,
    ),
    "long set": (
        lambda i: SetRequestNormal(i, ENERGY, None, OctetString(b"z" * 1000)),
        lambda a: a.result is DataAccessResult.SUCCESS,
    ),
    "long set with list": (
        lambda i: SetRequestWithList(
            i, (AttributeDescriptorWithSelection(ENERGY),) * 3, (OctetString(b"z" * 300),) * 3
        ),
        lambda a: a.results == (DataAccessResult.SUCCESS,) * 3,
    ),
    "action": (
        lambda i: ActionRequestNormal(i, METHOD, OctetString(b"q")),
        lambda a: a.response.return_parameters == b"q",
    ),
    "long action": (
        lambda i: ActionRequestNormal(i, METHOD, OctetString(b"q" * 700)),
        lambda a: a.response.return_parameters == b"q" * 700,
    ),
    "long action with list": (
        lambda i: ActionRequestWithList(i, (METHOD,) * 3, (OctetString(b"q" * 300),) * 3),
        lambda a: [each.return_parameters for each in a.responses] == [b"q" * 300] * 3,
    ),
}


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("access", ACCESSES)
def test_every_service_in_every_access_within_the_negotiated_size(access: str, request_name: str) -> None:
    both = associated(max_pdu=200, client_max_pdu=300, **ACCESSES[access])
    build, holds = REQUESTS[request_name]
    before = len(both.passed)
    assert holds(asked(both, build).apdu)
    for side, octets in both.passed[before:]:
        assert len(octets) <= (200 if side == "client" else 300)
    both.client.release()
    both.run()
    assert isinstance(both.client_events[-1], Released)
    assert isinstance(both.server_events[-1], Released)
    assert both.client.state is both.server.state is State.IDLE


def test_certificates_go_where_a_peer_puts_qualifiers() -> None:
    """AARQ and AARE with an AE-qualifier, as pydlms-client makes them; what is in it is not read by anybody."""
    cases = {
        case["id"]: bytes.fromhex(case["octets"])
        for line in (VECTORS / "apdu.jsonl").read_text(encoding="utf-8").splitlines()
        if "-with-a-qualifier" in (case := json.loads(line))["id"]
    }
    title = bytes.fromhex("4142430000000001")
    client = ClientAssociation(
        ClientSettings(
            mechanism=MECHANISMS[5],
            certificate=bytes.fromhex("3003020105"),
            protection=Protection.AUTHENTICATION,
            conformance=Conformance(0x007E1F),
            max_receive_pdu_size=1200,
        ),
        challenge=b"01234567",
        security=security(title, None, Protection.AUTHENTICATION),
    )
    client.associate()
    request: Any = apdus.decode(client.outgoing()[0])
    expected: Any = apdus.decode(cases["pydlms-aarq-with-a-qualifier"])
    assert replace(request, user_information=expected.user_information) == expected
    server = ServerAssociation(
        ServerPolicy(
            application_context=ApplicationContext.LOGICAL_NAME_CIPHERED,
            mechanism=MECHANISMS[5],
            certificate=bytes.fromhex("3003020106"),
            security=lambda peer: security(bytes.fromhex("4142430000000002"), peer, Protection.NONE),
            own_title=bytes.fromhex("4142430000000002"),
        ),
        lambda octets: b"76543210",
    )
    server.receive(cases["pydlms-aarq-with-a-qualifier"])
    response: Any = apdus.decode(server.outgoing()[0])
    answered: Any = apdus.decode(cases["pydlms-aare-with-a-qualifier"])
    assert replace(response, user_information=answered.user_information) == answered


def test_raw_gives_the_octets_of_the_data_short_and_long() -> None:
    both = associated(client_max_pdu=300)
    assert asked(both, lambda i: GetRequestNormal(i, ENERGY), raw=True) == Response(None, bytes.fromhex("0600000005"))
    long = asked(both, lambda i: GetRequestNormal(i, LONG), raw=True)
    assert long.raw == bytes.fromhex("09820BB8") + b"x" * 3000


def test_only_what_is_implemented_is_proposed_and_granted() -> None:
    both = associated()
    assert both.client.negotiated is not None
    # General protection is for associations that protect something, and deltas for who wants them.
    assert both.client.negotiated.conformance == IMPLEMENTED_LOGICAL_NAME_SERVICES & ~NOT_ASKED_FOR
    assert Conformance.GENERAL_BLOCK_TRANSFER not in IMPLEMENTED_LOGICAL_NAME_SERVICES


def test_what_was_not_negotiated_is_not_sent() -> None:
    both = pair()
    assert both.server.policy is not None
    granted = Conformance.GET | Conformance.SET
    both.server.policy = both.server.policy._replace(conformance=granted)
    both.client.associate()
    both.run()
    for request in (
        GetRequestWithList(1, (AttributeDescriptorWithSelection(ENERGY),)),
        GetRequestNormal(1, ENERGY, SelectiveAccess(1, DoubleLongUnsigned(1))),
        ActionRequestNormal(1, METHOD),
        SetRequestNormal(1, ENERGY, None, OctetString(b"z" * 2000)),
    ):
        with pytest.raises(LocalProtocolError):
            both.client.send(request)
    assert len(both.passed) == 2


def test_the_server_refuses_what_was_not_negotiated() -> None:
    both = pair()
    assert both.server.policy is not None
    both.server.policy = both.server.policy._replace(conformance=Conformance.GET)
    both.client.associate()
    both.run()
    both.server.receive(ActionRequestNormal(0xC1, METHOD).encode())
    assert apdus.decode(both.server.outgoing()[0]) == ExceptionResponse(
        StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.SERVICE_NOT_SUPPORTED
    )


def test_one_question_at_a_time() -> None:
    both = associated()
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    with pytest.raises(LocalProtocolError, match="still due"):
        both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))


def test_services_need_an_association_on_both_sides() -> None:
    both = pair()
    with pytest.raises(LocalProtocolError):
        both.client.send(GetRequestNormal(1, ENERGY))
    both.server.receive(GetRequestNormal(0xC1, ENERGY).encode())
    assert both.server.outgoing() == [bytes.fromhex("D80101")]


@pytest.mark.parametrize(
    ("given", "diagnostic"),
    [
        ({"mechanism": 1, "secret": b"wrong", "server_secret": b"right"}, AcseServiceUser.AUTHENTICATION_FAILURE),
    ],
)
def test_a_wrong_password_is_rejected_with_its_diagnostic(given: dict[str, Any], diagnostic: AcseServiceUser) -> None:
    both = pair(**given)
    both.client.associate()
    with pytest.raises(AssociationRejected, match="authentication failure") as rejected:
        both.run()
    assert rejected.value.diagnostic == diagnostic
    assert isinstance(both.server_events[-1], Refused)
    assert both.server_events[-1].authentication
    assert both.client.state is both.server.state is State.IDLE


def test_sec_09_unknown_client_and_wrong_password_get_the_same_answer() -> None:
    wrong = pair(1, secret=b"wrong", server_secret=b"right")
    wrong.client.associate()
    (request,) = wrong.client.outgoing()
    wrong.server.receive(request)
    stranger = ServerAssociation(None, lambda octets: bytes(octets))
    stranger.receive(request)
    assert stranger.outgoing() == wrong.server.outgoing()


def test_a_client_without_authentication_is_told_that_it_is_needed() -> None:
    both = pair(1, secret=b"12345678")
    client = ClientAssociation(ClientSettings())
    both.client = client
    client.associate()
    with pytest.raises(AssociationRejected, match="authentication required"):
        both.run()


def test_hls_with_another_secret_fails_on_both_sides() -> None:
    both = pair(6, secret=b"one secret of many", server_secret=b"quite another one", protection=BOTH)
    both.client.associate()
    with pytest.raises(AssociationRejected, match="did not accept our proof"):
        both.run()
    refusals = [event for event in both.server_events if isinstance(event, Refused)]
    assert refusals
    assert refusals[-1].authentication
    assert both.server.state is State.IDLE


def test_who_is_offered_nothing_any_more_is_not_let_in_by_a_proof_that_would_hold() -> None:
    both = pair(5, protection=BOTH)
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    both.client.receive(both.server.outgoing()[0])
    both.server.policy = None
    with pytest.raises(AssociationRejected, match="did not accept our proof"):
        both.run()
    (refused,) = (event for event in both.server_events if isinstance(event, Refused))
    assert refused.authentication
    assert both.server.state is State.IDLE


def test_before_the_proof_nothing_is_served() -> None:
    both = pair(5)
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    both.server.outgoing()
    both.server.receive(GetRequestNormal(0xC1, ENERGY).encode())
    assert both.server.outgoing() == [bytes.fromhex("D80101")]
    assert not any(isinstance(event, Requested | Associated) for event in both.server.events())


def test_sec_01_a_plain_request_on_a_ciphered_association_is_refused_and_the_third_ends_it() -> None:
    both = associated(mechanism=5, protection=BOTH)
    for _ in range(3):
        assert both.server.state is State.ASSOCIATED
        both.server.receive(GetRequestNormal(0xC1, ENERGY).encode())
        assert both.server.outgoing() == [bytes.fromhex("D80105")]
    assert both.server.state is State.IDLE
    assert not any(isinstance(event, Requested) for event in both.server.events())


def test_sec_01_a_plain_answer_on_a_ciphered_association_is_refused() -> None:
    both = associated(mechanism=5, protection=BOTH)
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    both.client.outgoing()
    with pytest.raises(SecurityError):
        both.client.receive(GetResponseNormal(0xC2, DoubleLongUnsigned(7)).encode())


def test_sec_01_errors_in_clear_are_errors_and_never_data() -> None:
    both = associated(mechanism=5, protection=BOTH)
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    both.client.outgoing()
    with pytest.raises(ServiceRefused, match="operation not possible"):
        both.client.receive(bytes.fromhex("D80101"))


def test_sec_03_a_replayed_request_is_refused() -> None:
    both = associated(mechanism=5, protection=BOTH)
    asked(both, lambda i: GetRequestNormal(i, ENERGY))
    side, octets = both.passed[-2]
    assert side == "client"
    both.server.receive(octets)
    used = int.from_bytes(octets[3:7], "big")
    assert both.server.outgoing() == [bytes.fromhex("D80106") + (used + 1).to_bytes(4, "big")]


def test_sec_07_a_weaker_context_in_the_answer_is_refused() -> None:
    both = pair(5, protection=BOTH)
    both.client.associate()
    answer = AssociationResponse(
        application_context_name=ApplicationContext.LOGICAL_NAME,
        result=apdus.acse.AssociationResult.ACCEPTED,
        result_source_diagnostic=AcseServiceUser.AUTHENTICATION_REQUIRED,
        user_information=InitiateResponse(
            negotiated_conformance=Conformance.GET, server_max_receive_pdu_size=1024
        ).encode(),
    )
    with pytest.raises(SecurityError, match="context"):
        both.client.receive(answer.encode())


@pytest.mark.parametrize("mechanism", [MechanismId.LOW, MechanismId.HIGH_SHA1])
def test_sec_07_another_mechanism_in_the_answer_is_refused(mechanism: MechanismId) -> None:
    both = pair(5)
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    answer = apdus.decode(both.server.outgoing()[0])
    assert isinstance(answer, AssociationResponse)
    with pytest.raises(SecurityError, match="mechanism"):
        both.client.receive(replace(answer, mechanism_name=mechanism).encode())


@pytest.mark.parametrize(("size", "fits"), [(1, False), (63, False), (64, True)])
def test_sec_07_a_uselessly_small_pdu_size_is_refused(size: int, fits: bool) -> None:
    assert AssociationLimits().smallest_pdu == 64
    both = pair(max_pdu=size)
    both.client.associate()
    with contextlib.nullcontext() if fits else pytest.raises(RemoteProtocolError, match=f"{size} octets"):
        both.run()


def test_sec_07_the_smallest_pdu_size_is_accepted() -> None:
    associated(max_pdu=64)


def test_sec_07_more_than_was_proposed_is_not_believed() -> None:
    both = pair()
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    answer = apdus.decode(both.server.outgoing()[0])
    assert isinstance(answer, AssociationResponse)
    granted = InitiateResponse(negotiated_conformance=Conformance(0xFFFFFF), server_max_receive_pdu_size=1024)
    both.client.receive(replace(answer, user_information=granted.encode()).encode())
    assert both.client.negotiated is not None
    # General protection is for associations that protect something, and deltas for who wants them.
    assert both.client.negotiated.conformance == IMPLEMENTED_LOGICAL_NAME_SERVICES & ~NOT_ASKED_FOR


def test_sec_08_a_mirror_is_recognised_by_its_title() -> None:
    both = pair(5)
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    answer = apdus.decode(both.server.outgoing()[0])
    assert isinstance(answer, AssociationResponse)
    with pytest.raises(SecurityError, match="mirror"):
        both.client.receive(replace(answer, responding_ap_title=CLIENT_TITLE).encode())


def test_sec_08_a_mirror_is_recognised_by_its_challenge() -> None:
    both = pair(5)
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    answer = apdus.decode(both.server.outgoing()[0])
    assert isinstance(answer, AssociationResponse)
    mirrored = replace(answer, responding_authentication_value=bytes(range(16)))
    with pytest.raises(SecurityError, match="reflected"):
        both.client.receive(mirrored.encode())


def test_sec_08_our_own_proof_coming_back_does_not_hold() -> None:
    both = pair(5)
    both.client.associate()
    (request,) = both.client.outgoing()
    both.server.receive(request)
    both.client.receive(both.server.outgoing()[0])
    proof = apdus.decode(both.client.outgoing()[0])
    assert isinstance(proof, ActionRequestNormal)
    returned = ActionResponseWithOptionalData(ActionResult.SUCCESS, proof.parameters)
    with pytest.raises(SecurityError, match="prove"):
        both.client.receive(ActionResponseNormal(proof.invoke_id_and_priority, returned).encode())


def test_sec_13_an_answer_to_another_request_is_refused() -> None:
    both = associated()
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    with pytest.raises(RemoteProtocolError, match="the answer is to request"):
        both.client.receive(GetResponseNormal(0xC9, DoubleLongUnsigned(7)).encode())


def test_sec_13_the_answer_of_another_service_is_refused() -> None:
    both = associated()
    invoke_id = both.client.invoke_id_and_priority()
    both.client.send(GetRequestNormal(invoke_id, ENERGY))
    with pytest.raises(RemoteProtocolError, match="answers nothing"):
        both.client.receive(SetResponseNormal(invoke_id, DataAccessResult.SUCCESS).encode())


def test_invoke_ids_come_again_after_fifteen_requests() -> None:
    client = ClientAssociation(ClientSettings())
    seen = [client.invoke_id_and_priority() & 0x0F for _ in range(30)]
    assert seen == [*range(1, 16), *range(1, 16)]


def test_a_notification_in_the_middle_of_an_exchange_is_set_aside() -> None:
    both = associated()
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    # A push of an Aidon meter, as published: one register with value, scaler and unit.
    push = bytes.fromhex("0F40000000000101020309060100010700FF0600002B2A02020F00161B")
    both.client.receive(push)
    both.run()
    kinds = [type(event) for event in both.client_events]
    assert kinds == [Associated, Notified, Response]
    notified = both.client_events[1]
    assert isinstance(notified, Notified)
    assert notified.error is None


def test_a_broken_notification_harms_nobody() -> None:
    both = associated()
    both.client.receive(bytes.fromhex("0F400000000001"))
    (event,) = both.client.events()
    assert isinstance(event, Notified)
    assert isinstance(event.error, DecodeError)


def test_a_notification_in_clear_on_a_ciphered_association_is_reported_and_not_read() -> None:
    both = associated(mechanism=5, protection=BOTH)
    both.client.receive(bytes.fromhex("0F40000000000101020309060100010700FF0600002B2A02020F00161B"))
    (event,) = both.client.events()
    assert isinstance(event, Notified)
    assert isinstance(event.error, SecurityError)
    assert event.apdu is None


@pytest.mark.parametrize("octets", [b"", b"\xff", b"\xc4", bytes.fromhex("C40199"), bytes.fromhex("6100")])
def test_nothing_but_our_errors_comes_out_of_a_client(octets: bytes) -> None:
    both = associated()
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), ENERGY))
    with pytest.raises((RemoteProtocolError, SecurityError)):
        both.client.receive(octets)


@pytest.mark.parametrize(
    "octets", [b"", b"\xff", b"\xc0", bytes.fromhex("C001D9"), bytes.fromhex("C401C1000600000001")]
)
def test_a_server_answers_nonsense_with_an_exception_response(octets: bytes) -> None:
    both = associated()
    both.server.receive(octets)
    (answer,) = both.server.outgoing()
    assert isinstance(apdus.decode(answer), ExceptionResponse)
    assert both.server.state is State.ASSOCIATED


@pytest.mark.parametrize("fault", [b"\xc0\x02\xc1\x00\x00\x00\x07", b"\xc0\x02\xc1\x00\x00\x00\x00"])
def test_asking_for_another_block_than_the_next_ends_the_transfer(fault: bytes) -> None:
    both = associated(client_max_pdu=300)
    both.client.send(GetRequestNormal(both.client.invoke_id_and_priority(), LONG))
    (request,) = both.client.outgoing()
    both.server.receive(request)
    both.server.respond(echo(apdus.decode(request)))
    both.server.outgoing()
    both.server.receive(fault)
    answer = apdus.decode(both.server.outgoing()[0])
    assert isinstance(answer, apdus.GetResponseWithDatablock)
    assert answer.result.result is DataAccessResult.DATA_BLOCK_NUMBER_INVALID


def test_too_many_items_in_a_list_are_refused_and_the_limit_itself_is_served() -> None:
    for number, served in ((64, True), (65, False)):
        both = associated()
        item = AttributeDescriptorWithSelection(ENERGY)
        both.server.receive(GetRequestWithList(0xC1, (item,) * number).encode())
        assert any(isinstance(event, Requested) for event in both.server.events()) is served


def test_dlms_version_5_is_told_why() -> None:
    both = pair()
    both.client.associate()
    (octets,) = both.client.outgoing()
    request = apdus.decode(octets)
    assert isinstance(request, apdus.acse.AssociationRequest)
    assert request.user_information is not None
    initiate = apdus.InitiateRequest.decode(request.user_information)
    older = replace(initiate, proposed_dlms_version_number=5).encode()
    both.server.receive(replace(request, user_information=older).encode())
    with pytest.raises(AssociationRejected, match="dlms-version-too-low"):
        both.client.receive(both.server.outgoing()[0])


def test_a_dedicated_key_is_used_once_it_was_handed_over() -> None:
    from cosem.protocol.crypto.key import Key

    both = pair(5, protection=BOTH)
    settings = replace(both.client.settings, dedicated_key=Key(bytes(range(16))))
    both.client = ClientAssociation(settings, challenge=bytes(range(16)), security=security(CLIENT_TITLE, None))
    both.answer = echo
    both.client.associate()
    both.run()
    asked(both, lambda i: GetRequestNormal(i, ENERGY))
    assert both.passed[-2][1][0] == 0xD0
    assert both.passed[-1][1][0] == 0xD4


def test_the_titles_of_both_sides_are_known_afterwards() -> None:
    both = associated(mechanism=5, protection=BOTH)
    assert both.client.negotiated is not None
    assert both.server.negotiated is not None
    assert both.client.negotiated.peer_title == SERVER_TITLE
    assert both.server.negotiated.peer_title == CLIENT_TITLE


def test_no_secret_is_shown() -> None:
    secret = Secret(b"12345678")
    settings = ClientSettings(mechanism=MECHANISMS[1], secret=secret)
    policy = ServerPolicy(mechanism=MECHANISMS[1], secret=secret)
    assert "12345678" not in repr(settings) + repr(policy)
