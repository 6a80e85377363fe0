"""ACSE beyond the vectors: what is optional, what is tolerated, what is refused."""

from __future__ import annotations

import pytest

from cosem.errors import DecodeError, LocalProtocolError
from cosem.protocol.apdu import (
    AcseServiceProvider,
    AcseServiceUser,
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    Conformance,
    InitiateRequest,
    MechanismId,
    ReleaseRequest,
)

# IEC 62056-5-3: the object identifiers of DLMS/COSEM, joint-iso-ccitt(2) country(16) 756 5 8.
CONTEXT = "A109060760857405080101"


def aare(diagnostic: AcseServiceUser | AcseServiceProvider) -> AssociationResponse:
    return AssociationResponse(
        application_context_name=ApplicationContext.LOGICAL_NAME,
        result=AssociationResult.REJECTED_PERMANENT,
        result_source_diagnostic=diagnostic,
    )


def test_who_speaks_is_part_of_the_diagnostic() -> None:
    assert aare(AcseServiceUser(2)) != aare(AcseServiceProvider(2))
    assert aare(AcseServiceUser(2)) == aare(AcseServiceUser.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED)
    assert AssociationResponse.decode(aare(AcseServiceProvider(2)).encode()) == aare(AcseServiceProvider(2))


@pytest.mark.parametrize(
    ("choice", "value"), [("8003414243", "414243"), ("810400414243", "414243"), ("A3020600", "0600")]
)
def test_every_choice_of_the_authentication_value_is_read(choice: str, value: str) -> None:
    inside = bytes.fromhex(choice)
    octets = bytes.fromhex(CONTEXT) + b"\xac" + bytes((len(inside),)) + inside
    request = AssociationRequest.decode(b"\x60" + bytes((len(octets),)) + octets)
    assert request.calling_authentication_value == bytes.fromhex(value)
    assert "414243" not in repr(request)


def test_components_in_another_order_are_read_and_written_in_order() -> None:
    body = bytes.fromhex("8B0760857405080205 8A020780" + CONTEXT + "A803020101")
    request = AssociationRequest.decode(b"\x60" + bytes((len(body),)) + body)
    assert request.mechanism_name is MechanismId.HIGH_GMAC
    assert request.calling_ap_invocation_identifier == 1
    assert request.encode().hex().upper() == "601D" + CONTEXT + "A803020101" + "8A020780" + "8B0760857405080205"


def test_an_unknown_mechanism_or_context_survives() -> None:
    known = AssociationRequest(application_context_name=ApplicationContext(9), mechanism_name=MechanismId(77))
    assert AssociationRequest.decode(known.encode()) == known
    other = AssociationRequest(application_context_name=b"\x2a\x03", mechanism_name=b"\x2a\x04\x05")
    assert AssociationRequest.decode(other.encode()) == other


def test_every_field_of_an_aarq() -> None:
    request = AssociationRequest(
        protocol_version="11",
        application_context_name=ApplicationContext.SHORT_NAME_CIPHERED,
        called_ap_title=b"1",
        called_ae_qualifier=b"2",
        called_ap_invocation_identifier=3,
        called_ae_invocation_identifier=-4,
        calling_ap_title=b"5",
        calling_ae_qualifier=b"6",
        calling_ap_invocation_identifier=7,
        calling_ae_invocation_identifier=800,
        sender_acse_requirements="1",
        mechanism_name=MechanismId.LOW,
        calling_authentication_value=b"password",
        implementation_information=b"maker",
        user_information=b"\x01",
    )
    octets = (
        "605F 800206C0 A109060760857405080104 A203040131 A303040132 A403020103 A5030201FC A603040135 A703040136"
        " A803020107 A90402020320 8A020780 8B0760857405080201 AC0A800870617373776F7264 9D056D616B6572 BE03040101"
    ).replace(" ", "")
    body = octets[4:]
    assert request.encode().hex().upper() == f"60{len(body) // 2:02X}" + body
    assert AssociationRequest.decode(request.encode()) == request
    assert "password" not in repr(request)


def test_a_field_that_does_not_fit_is_named() -> None:
    with pytest.raises(LocalProtocolError, match=r"^aarq\.calling_ap_title: need octets, have 'MMM'$"):
        AssociationRequest(
            application_context_name=ApplicationContext.LOGICAL_NAME,
            calling_ap_title="MMM",  # type: ignore[arg-type]
        ).encode()


def test_a_secret_that_does_not_fit_is_not_repeated() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        AssociationRequest(
            application_context_name=ApplicationContext.LOGICAL_NAME,
            calling_authentication_value="hunter2",  # type: ignore[arg-type]
        ).encode()
    assert str(caught.value) == "aarq.calling_authentication_value: need octets"
    assert caught.value.__suppress_context__
    with pytest.raises(LocalProtocolError) as caught:
        InitiateRequest(
            dedicated_key="hunter2",  # type: ignore[arg-type]
            proposed_conformance=Conformance.GET,
            client_max_receive_pdu_size=512,
        ).encode()
    assert str(caught.value) == "initiate-request.dedicated_key: need octets"


def test_a_release_may_say_nothing() -> None:
    assert ReleaseRequest().encode() == b"\x62\x00"
    assert ReleaseRequest.decode(b"\x62\x00") == ReleaseRequest()
    with pytest.raises(DecodeError, match=r"^rlrq: need 62, have 63"):
        ReleaseRequest.decode(b"\x63\x00")
