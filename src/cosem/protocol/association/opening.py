"""How a client judges the answer to its association request, and what it tells when the answer is no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cosem.errors import AssociationRejected, DecodeError, RemoteProtocolError, SecurityError
from cosem.protocol.apdu.acse import AcseServiceUser, AssociationResponse, MechanismId
from cosem.protocol.apdu.exception import ConfirmedServiceError, ExceptionResponse
from cosem.protocol.apdu.initiate import InitiateResponse
from cosem.protocol.association.context import DLMS_VERSION, ClientSettings, Naming, Negotiated
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.services import CIPHERED


def rejection(
    settings: ClientSettings, response: AssociationResponse, security: SecurityContext | None
) -> AssociationRejected:
    """Return the error that tells of an AARE with a refusal, and what to try."""
    diagnostic = response.result_source_diagnostic
    reason = f"the meter rejected the association: {diagnostic.name.lower().replace('_', ' ')}"
    explanation = _explanation(response, security)
    if explanation is not None:
        reason = f"{reason}, {explanation.text}"
    return AssociationRejected(
        reason,
        result=int(response.result),
        diagnostic=int(diagnostic),
        hint=_naming_hint(settings, response),
        evidence=(diagnostic,) if explanation is None else (explanation, diagnostic),
    )


def _naming_hint(settings: ClientSettings, response: AssociationResponse) -> str:
    """Say what to try when a refusal names a context of the other kind of names: that is what the meter speaks."""
    spoken = Naming.of(response.application_context_name)
    if spoken is None or spoken is settings.naming:
        return ""
    return f"this meter refers to objects by {_NAMES[spoken]}: try --naming {spoken.value}"


_NAMES: Final[Mapping[Naming, str]] = {Naming.LOGICAL_NAMES: "logical names", Naming.SHORT_NAMES: "short names"}


def proof_rejection(result: str) -> AssociationRejected:
    """Return the error for a meter that did not accept the client's proof, with the action-result that it gave."""
    return AssociationRejected(
        f"the meter did not accept our proof: {result.lower().replace('_', ' ')}",
        result=1,
        diagnostic=int(AcseServiceUser.AUTHENTICATION_FAILURE),
        evidence=(AcseServiceUser.AUTHENTICATION_FAILURE,),
    )


def compare(settings: ClientSettings, response: AssociationResponse) -> None:
    """Compare AARE with AARQ: what a server grants must be what was asked for. Raises SecurityError."""
    mechanism = MechanismId(settings.mechanism.identifier)
    if response.application_context_name != settings.application_context:
        hint = _naming_hint(settings, response)
        raise SecurityError(
            f"the meter answered with context {response.application_context_name!r}, "
            f"asked was {settings.application_context!r}" + (f"; {hint}" if hint else "")
        )
    if response.mechanism_name not in (None, mechanism):
        raise SecurityError(f"the meter answered with mechanism {response.mechanism_name!r}")
    wants_proof = response.result_source_diagnostic is AcseServiceUser.AUTHENTICATION_REQUIRED
    if wants_proof and not settings.mechanism.challenges:
        raise SecurityError("the meter wants a proof, which was not asked for")


def negotiate(settings: ClientSettings, response: AssociationResponse, security: SecurityContext | None) -> Negotiated:
    """Return what the InitiateResponse grants, and never more than was proposed.

    Raises:
        SecurityError: it is weaker than agreed or does not verify.
        RemoteProtocolError: it is missing, malformed, or of no use.
    """
    information = response.user_information
    if not information:
        if settings.dialect.accepted_without_initiate and settings.protection is Protection.NONE:
            return _as_proposed(settings, response)
        raise RemoteProtocolError("the association response carries no InitiateResponse")
    if information[0] in CIPHERED:
        if security is None:
            raise SecurityError("the InitiateResponse is ciphered and there are no keys to read it")
        information = security.unprotect(information).apdu
    elif settings.protection is not Protection.NONE:
        raise SecurityError("the InitiateResponse came in clear where protection was asked for")
    initiate = InitiateResponse.decode(information)
    if initiate.negotiated_dlms_version_number != DLMS_VERSION:
        raise RemoteProtocolError(f"DLMS version {initiate.negotiated_dlms_version_number} instead of 6")
    size = initiate.server_max_receive_pdu_size
    if 0 < size < settings.limits.smallest_pdu:
        raise RemoteProtocolError(f"the meter takes only PDUs of {size} octets")
    return Negotiated(
        application_context=settings.application_context,
        mechanism=MechanismId(settings.mechanism.identifier),
        conformance=initiate.negotiated_conformance & settings.proposed_conformance,
        max_send_pdu_size=size,
        max_receive_pdu_size=settings.max_receive_pdu_size,
        protection=settings.protection,
        peer_title=response.responding_ap_title,
        vaa_name=initiate.vaa_name,
    )


SMALLEST_USUAL: Final = 128
"""Octets of the longest PDU to a meter that does not say what it takes."""


def _as_proposed(settings: ClientSettings, response: AssociationResponse) -> Negotiated:
    """Return what was proposed as granted, for an AARE that accepts and says no more."""
    return Negotiated(
        application_context=settings.application_context,
        mechanism=MechanismId(settings.mechanism.identifier),
        conformance=settings.proposed_conformance,
        max_send_pdu_size=SMALLEST_USUAL,
        max_receive_pdu_size=settings.max_receive_pdu_size,
        protection=settings.protection,
        peer_title=response.responding_ap_title,
        vaa_name=settings.naming.vaa_name,
    )


def refusal_text(answer: ExceptionResponse | ConfirmedServiceError) -> str:
    """Tell in words what a refusal of a whole service says."""
    if isinstance(answer, ConfirmedServiceError):
        return answer.text
    words = f"{answer.state_error.name}, {answer.service_error.name}".lower().replace("_", " ")
    if answer.invocation_counter is not None:
        return (
            f"{words} (ours was too low: the meter expects {answer.invocation_counter} or above; "
            "where several clients share one key and title, trying again helps)"
        )
    return words


def _explanation(response: AssociationResponse, security: SecurityContext | None) -> ConfirmedServiceError | None:
    """Return what a refusal says beside its diagnostic; whether that can be read changes nothing about it."""
    information = response.user_information or b""
    try:
        if security is not None and information[:1] and information[0] in CIPHERED:
            if response.responding_ap_title:
                security.meet(response.responding_ap_title)
            information = security.unprotect(information).apdu
        return ConfirmedServiceError.decode(information)
    except (SecurityError, DecodeError):
        return None
