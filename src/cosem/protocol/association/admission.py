"""Who may enter: a server judges an association request by what it offers to that client, and answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from cosem.errors import CosemError, DecodeError, InvocationCounterError, RemoteProtocolError, SecurityError
from cosem.protocol.apdu.acse import (
    AUTHENTICATION,
    VERSION_1,
    AcseServiceProvider,
    AcseServiceUser,
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    MechanismId,
)
from cosem.protocol.apdu.exception import ConfirmedService, ConfirmedServiceError, ServiceError
from cosem.protocol.apdu.initiate import Conformance, InitiateRequest, InitiateResponse
from cosem.protocol.association.context import (
    DLMS_VERSION,
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    AssociationLimits,
    Naming,
    Negotiated,
    PreEstablished,
    with_general_blocks,
)
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.services import CIPHERED
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, Challenges, Mechanism, SharedSecret

DLMS_VERSION_TOO_LOW: Final = 1
INCOMPATIBLE_CONFORMANCE: Final = 2
PDU_SIZE_TOO_SHORT: Final = 3
"""Values of the initiate error in a ConfirmedServiceError."""


class ServerPolicy(NamedTuple):
    """Who may open an association between two SAPs, and with what.

    `security` makes the context for a client's system title; `secret` is the LLS password, the HLS secret or the
    signing keys; `certificate` is that of our signing key, in DER. `general_block_window` is how many blocks of general
    block transfer are taken in a row, with 0 it is not granted. `also` are the services of other
    contexts in which the same client may come: by the other kind of names.
    With `pre_established` the association is there from
    the beginning, and nobody may open another one.
    """

    application_context: ApplicationContext = ApplicationContext.LOGICAL_NAME
    mechanism: Mechanism = MECHANISMS[0]
    secret: SharedSecret | None = None
    certificate: bytes | None = None
    required: Protection = Protection.NONE
    security: Callable[[bytes], SecurityContext] | None = None
    own_title: bytes | None = None
    conformance: Conformance = IMPLEMENTED_LOGICAL_NAME_SERVICES
    max_receive_pdu_size: int = 1024
    limits: AssociationLimits = AssociationLimits()
    general_block_window: int = 0
    also: Mapping[ApplicationContext, Conformance] = MappingProxyType({})
    pre_established: PreEstablished | None = None
    users: frozenset[int] = frozenset()

    def services(self, context: ApplicationContext | bytes) -> Conformance | None:
        """Return what may be granted in a context, general block transfer only where it is on.

        None is for a context that is not offered.
        """
        if isinstance(context, bytes):
            return None
        found = self.conformance if context == self.application_context else self.also.get(context)
        return None if found is None else with_general_blocks(found, self.general_block_window)


class Admission(NamedTuple):
    """A client that is let in, as far as a request alone can tell: with `challenges` it has yet to prove itself."""

    negotiated: Negotiated
    client_title: bytes
    security: SecurityContext | None
    challenges: Challenges | None
    dedicated_key: Key | None


class Rejection(Exception):
    """Why an association is refused; the AARE says no more than `diagnostic` and `initiate_error`."""

    def __init__(
        self,
        diagnostic: AcseServiceUser | AcseServiceProvider,
        *,
        initiate_error: int | None = None,
        error: CosemError | None = None,
    ) -> None:
        super().__init__(diagnostic)
        self.diagnostic = diagnostic
        self.initiate_error = initiate_error
        self.error = error or SecurityError(f"association refused: {diagnostic.name}")

    @property
    def of_authentication(self) -> bool:
        """True when it was not shown well enough who asks."""
        return self.diagnostic in AUTHENTICATION_DIAGNOSTICS


class Unconfirmed(RemoteProtocolError):
    """A client that wants no answer: such associations are not offered, and a refusal would be an answer."""

    def __init__(self) -> None:
        super().__init__("an association without confirmation is not offered")


AUTHENTICATION_DIAGNOSTICS: Final = frozenset(
    (
        AcseServiceUser.AUTHENTICATION_FAILURE,
        AcseServiceUser.AUTHENTICATION_REQUIRED,
        AcseServiceUser.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED,
    )
)


def admit(policy: ServerPolicy | None, request: AssociationRequest, entropy: Callable[[int], bytes]) -> Admission:
    """Judge a request by a policy; None is for a client that nobody described.

    Raises:
        Rejection: the answer is no.
        InvocationCounterError: the request was protected with a counter that was used before.
        Unconfirmed: the answer is no, and nobody wants to hear it.
    """
    try:
        return _admit(policy, request, entropy)
    except (InvocationCounterError, Unconfirmed):
        raise
    except (DecodeError, SecurityError) as error:
        raise Rejection(AcseServiceUser.NO_REASON_GIVEN, error=error) from error


def response_to(
    policy: ServerPolicy | None, outcome: Negotiated | Rejection, challenges: Challenges | None, information: bytes
) -> AssociationResponse:
    """Return the AARE; with `information`, the InitiateResponse, for a client that is let in."""
    hls = policy is not None and challenges is not None
    accepted = isinstance(outcome, Negotiated)
    diagnostic = AcseServiceUser.AUTHENTICATION_REQUIRED if challenges is not None else AcseServiceUser.NULL
    return AssociationResponse(
        application_context_name=_context(policy, outcome),
        result=AssociationResult.ACCEPTED if accepted else AssociationResult.REJECTED_PERMANENT,
        result_source_diagnostic=diagnostic if isinstance(outcome, Negotiated) else outcome.diagnostic,
        responding_ap_title=None if policy is None else policy.own_title,
        responding_ae_qualifier=policy.certificate if policy is not None and hls else None,
        responder_acse_requirements=AUTHENTICATION if hls else None,
        mechanism_name=outcome.mechanism if isinstance(outcome, Negotiated) and hls else None,
        responding_authentication_value=challenges.server if challenges is not None else None,
        user_information=information if isinstance(outcome, Negotiated) else _explanation(outcome),
    )


def _context(policy: ServerPolicy | None, outcome: Negotiated | Rejection) -> ApplicationContext:
    if isinstance(outcome, Negotiated):
        return outcome.application_context
    return ApplicationContext.LOGICAL_NAME if policy is None else policy.application_context


def proposed(information: bytes) -> InitiateRequest:
    """Return the InitiateRequest; most clients send the same, which is understood once, unless it brings a key.

    Raises DecodeError.
    """
    if len(information) <= _LONGEST_ALIKE and information[1:2] == _NO_DEDICATED_KEY:
        return _proposed(information)
    return InitiateRequest.decode(information)


_proposed = lru_cache(maxsize=256)(InitiateRequest.decode)
_NO_DEDICATED_KEY: Final = b"\0"
_LONGEST_ALIKE: Final = 32


def initiate_response(negotiated: Negotiated) -> bytes:
    """Return the InitiateResponse, in clear."""
    return _initiate_response(int(negotiated.conformance), negotiated.max_receive_pdu_size, negotiated.vaa_name)


@lru_cache(maxsize=256)
def _initiate_response(conformance: int, max_receive_pdu_size: int, vaa_name: int) -> bytes:
    return InitiateResponse(
        negotiated_conformance=Conformance(conformance),
        server_max_receive_pdu_size=max_receive_pdu_size,
        vaa_name=vaa_name,
    ).encode()


def _admit(policy: ServerPolicy | None, request: AssociationRequest, entropy: Callable[[int], bytes]) -> Admission:
    if not request.protocol_version.startswith(VERSION_1):
        raise Rejection(AcseServiceProvider.NO_COMMON_ACSE_VERSION)
    if policy is None:
        raise Rejection(AcseServiceUser.AUTHENTICATION_FAILURE)
    context = request.application_context_name
    services, naming = policy.services(context), Naming.of(context)
    if services is None or naming is None or isinstance(context, bytes):
        raise Rejection(AcseServiceUser.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED)
    mechanism = _checked_mechanism(policy, request.mechanism_name)
    title, security = _meet(policy, request)
    initiate = _initiate(policy, security, request.user_information)
    granted = _both(int(initiate.proposed_conformance), int(services))
    if not granted:
        raise Rejection(AcseServiceUser.NO_REASON_GIVEN, initiate_error=INCOMPATIBLE_CONFORMANCE)
    challenges = _authenticate(policy, request, title, entropy)
    dedicated_key = _dedicated_key(policy, security, initiate)
    if policy.users and request.calling_ae_invocation_identifier not in policy.users:
        raise Rejection(AcseServiceUser.CALLING_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED)
    if not initiate.response_allowed:
        raise Unconfirmed
    negotiated = Negotiated(
        application_context=context,
        mechanism=mechanism,
        conformance=granted,
        max_send_pdu_size=initiate.client_max_receive_pdu_size,
        max_receive_pdu_size=policy.max_receive_pdu_size,
        protection=policy.required,
        peer_title=title or None,
        vaa_name=naming.vaa_name,
        user=request.calling_ae_invocation_identifier,
    )
    return Admission(negotiated, title, security, challenges, dedicated_key)


@lru_cache(maxsize=256)
def _both(proposed: int, offered: int) -> Conformance:
    """Return what is in both; each operation on flags calls back into Python several times."""
    return Conformance(proposed & offered)


def _checked_mechanism(policy: ServerPolicy, asked: MechanismId | bytes | None) -> MechanismId:
    mechanism = asked or MechanismId.LOWEST
    if isinstance(mechanism, MechanismId) and mechanism == policy.mechanism.identifier:
        return mechanism
    if not asked:
        raise Rejection(AcseServiceUser.AUTHENTICATION_REQUIRED)
    raise Rejection(AcseServiceUser.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED)


def _meet(policy: ServerPolicy, request: AssociationRequest) -> tuple[bytes, SecurityContext | None]:
    title = request.calling_ap_title or b""
    if policy.security is None:
        # Without keys a title is still part of what some proofs bind.
        return (title if len(title) == TITLE_OCTETS else b""), None
    if len(title) != TITLE_OCTETS:
        raise Rejection(AcseServiceUser.CALLING_AP_TITLE_NOT_RECOGNIZED)
    return title, policy.security(title)


def _initiate(policy: ServerPolicy, security: SecurityContext | None, information: bytes | None) -> InitiateRequest:
    if not information:
        raise Rejection(AcseServiceUser.NO_REASON_GIVEN)
    if information[0] in CIPHERED:
        if security is None:
            raise Rejection(AcseServiceUser.NO_REASON_GIVEN)
        information = security.unprotect(information).apdu
    elif policy.required is not Protection.NONE:
        raise Rejection(AcseServiceUser.AUTHENTICATION_REQUIRED)
    initiate = proposed(information)
    if initiate.proposed_dlms_version_number < DLMS_VERSION:
        raise Rejection(AcseServiceUser.NO_REASON_GIVEN, initiate_error=DLMS_VERSION_TOO_LOW)
    if 0 < initiate.client_max_receive_pdu_size < policy.limits.smallest_pdu:
        raise Rejection(AcseServiceUser.NO_REASON_GIVEN, initiate_error=PDU_SIZE_TOO_SHORT)
    return initiate


def _authenticate(
    policy: ServerPolicy, request: AssociationRequest, title: bytes, entropy: Callable[[int], bytes]
) -> Challenges | None:
    value, mechanism = request.calling_authentication_value or b"", policy.mechanism
    if not mechanism.challenges:
        if mechanism.secret and not (isinstance(policy.secret, Secret) and policy.secret.equals(value)):
            raise Rejection(AcseServiceUser.AUTHENTICATION_FAILURE)
        return None
    challenges = Challenges(
        client=value,
        server=entropy(mechanism.challenge_octets),
        client_title=title,
        server_title=policy.own_title or b"",
    )
    challenges.check(mechanism.shortest_challenge)
    return challenges


def _dedicated_key(policy: ServerPolicy, security: SecurityContext | None, initiate: InitiateRequest) -> Key | None:
    """Return the dedicated key that the client chose; one that everybody could read is no key."""
    if initiate.dedicated_key is None:
        return None
    if security is None or policy.required is Protection.NONE:
        raise Rejection(AcseServiceUser.NO_REASON_GIVEN)
    if len(initiate.dedicated_key) != security.suite.key_octets:
        raise Rejection(AcseServiceUser.NO_REASON_GIVEN)
    return Key(initiate.dedicated_key)


def _explanation(rejection: Rejection) -> bytes | None:
    if rejection.initiate_error is None:
        return None
    return ConfirmedServiceError(
        ConfirmedService.INITIATE_ERROR, ServiceError.INITIATE, rejection.initiate_error
    ).encode()
