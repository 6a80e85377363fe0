"""The server's side of an association: judges who may enter, joins blocks, and hands whole requests to the meter."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, cast

from cosem.errors import (
    CosemError,
    DecodeError,
    InvocationCounterError,
    LocalProtocolError,
    RemoteProtocolError,
    SecurityError,
)
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu import Apdu
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
    ReleaseRequest,
    ReleaseResponse,
    ReleaseResponseReason,
)
from cosem.protocol.apdu.action import (
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionRequestWithList,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResponseWithPblock,
    ActionResult,
)
from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.ciphered import DEDICATED_TAGS, PLAIN_TAGS
from cosem.protocol.apdu.exception import (
    ConfirmedService,
    ConfirmedServiceError,
    ExceptionResponse,
    ServiceError,
    ServiceErrorCode,
    StateError,
)
from cosem.protocol.apdu.get import (
    DataAccessResult,
    DataBlockG,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance, InitiateRequest, InitiateResponse
from cosem.protocol.apdu.set import (
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithList,
    SetRequestWithListAndFirstDatablock,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
)
from cosem.protocol.association import state
from cosem.protocol.association.context import (
    DLMS_VERSION,
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    Associated,
    AssociationEvent,
    AssociationLimits,
    Negotiated,
    Refused,
    Released,
    Requested,
)
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.state import State, Step
from cosem.protocol.association.transfer import (
    Block,
    Incoming,
    Outgoing,
    longest_plain,
)
from cosem.protocol.codec import axdr
from cosem.protocol.codec.reader import Limits, count
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM, TITLE_OCTETS
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import CHALLENGE_OCTETS, MECHANISMS, Challenges, Mechanism
from cosem.protocol.values.data import Data, OctetString

ASSOCIATION_LN: Final = 15
REPLY_TO_HLS_AUTHENTICATION: Final = 1
CIPHERED: Final = frozenset((*PLAIN_TAGS, 0xDB, 0xDC))
UNDER_DEDICATED_KEY: Final = frozenset((*DEDICATED_TAGS.values(), 0xDC))
GENERAL: Final = frozenset((0xDB, 0xDC))
ACSE: Final = frozenset((0x60, 0x62))
SERVICES: Final = frozenset((0xC0, 0xC1, 0xC3))
CONFIRMED: Final = 0x40
"""The service class in the third octet of a service; without it nothing may be answered, not even a refusal."""

DLMS_VERSION_TOO_LOW: Final = 1
INCOMPATIBLE_CONFORMANCE: Final = 2
PDU_SIZE_TOO_SHORT: Final = 3
"""Values of the initiate error in a ConfirmedServiceError."""

ANSWERS: dict[type[CosemError], tuple[StateError, ServiceErrorCode]] = {
    DecodeError: (StateError.SERVICE_UNKNOWN, ServiceErrorCode.OTHER_REASON),
    InvocationCounterError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.INVOCATION_COUNTER_ERROR),
    SecurityError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.DECIPHERING_ERROR),
    RemoteProtocolError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.OPERATION_NOT_POSSIBLE),
    LocalProtocolError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.SERVICE_NOT_SUPPORTED),
    CosemError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.OTHER_REASON),
}
"""What a server answers when it cannot take an APDU: the exception-response by the blame of the error."""

NEEDS: dict[type, Conformance] = {
    GetRequestNormal: Conformance.GET,
    GetRequestNext: Conformance.GET | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ,
    GetRequestWithList: Conformance.GET | Conformance.MULTIPLE_REFERENCES,
    SetRequestNormal: Conformance.SET,
    SetRequestWithFirstDatablock: Conformance.SET | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    SetRequestWithDatablock: Conformance.SET | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    SetRequestWithList: Conformance.SET | Conformance.MULTIPLE_REFERENCES,
    SetRequestWithListAndFirstDatablock: Conformance.SET
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    ActionRequestNormal: Conformance.ACTION,
    ActionRequestNextPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_WITH_ACTION,
    ActionRequestWithFirstPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_WITH_ACTION,
    ActionRequestWithPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_WITH_ACTION,
    ActionRequestWithList: Conformance.ACTION | Conformance.MULTIPLE_REFERENCES,
    ActionRequestWithListAndFirstPblock: Conformance.ACTION
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.BLOCK_TRANSFER_WITH_ACTION,
}
"""What must have been negotiated before a request is served."""


LONG: Final = (GetResponseNormal, GetResponseWithList, ActionResponseNormal, ActionResponseWithList)
"""Responses that have a form in blocks."""

SETS_IN_BLOCKS: Final = (
    SetRequestWithFirstDatablock,
    SetRequestWithDatablock,
    SetRequestWithListAndFirstDatablock,
)


@dataclass(frozen=True, slots=True)
class ServerPolicy:
    """Who may open an association between two SAPs, and with what.

    `security` makes the context for a client's system title; `secret` is the LLS password or the HLS secret.
    """

    application_context: ApplicationContext = ApplicationContext.LOGICAL_NAME
    mechanism: Mechanism = MECHANISMS[0]
    secret: Secret | None = None
    required: Protection = Protection.NONE
    security: Callable[[bytes], SecurityContext] | None = None
    own_title: bytes | None = None
    conformance: Conformance = IMPLEMENTED_LOGICAL_NAME_SERVICES
    max_receive_pdu_size: int = 1024
    limits: AssociationLimits = field(default_factory=AssociationLimits)


class ServerAssociation:
    """One application association as its server sees it; takes and gives whole APDUs.

    Args:
        policy: what is offered to this client, or None for a client that nobody described.
        entropy: gives the asked number of unpredictable octets.
    """

    def __init__(self, policy: ServerPolicy | None, entropy: Callable[[int], bytes]) -> None:
        self.policy = policy
        self.state = State.IDLE
        self.negotiated: Negotiated | None = None
        self._entropy = entropy
        self._limits = AssociationLimits() if policy is None else policy.limits
        self._outgoing: list[bytes] = []
        self._events: deque[AssociationEvent] = deque()
        self._decoding = Limits(octets=self._limits.reassembled)
        self._security: SecurityContext | None = None
        self._protected = False
        self._under_dedicated_key = False
        self._in_general_envelope = False
        self._silent = False
        self._client_title = b""
        self._challenges: Challenges | None = None
        self._max_send = 0
        self._refused = 0
        self._request: Any = None
        self._opening: Any = None
        self._arrived = 0
        self._leaving: Outgoing | None = None
        self._leaving_to: type | None = None
        self._arriving: Incoming | None = None

    # -- verbs --------------------------------------------------------------------------------------------------------

    def receive(self, octets: bytes) -> None:
        """Take one APDU from the client; what is wrong with it is answered and reported as `Refused`."""
        self._silent = False
        try:
            self._receive(octets)
        except CosemError as error:
            self._refuse(error)
        finally:
            self._silent = False

    def respond(self, response: Apdu) -> None:
        """Answer the request that was handed out last, in blocks where it is too long for one APDU.

        A request of an unconfirmed service is at an end thereby, and nothing is sent.
        """
        request = self._request
        if request is None:
            raise LocalProtocolError("nothing was asked")
        self._request = None
        response = self._form(request, response)
        if not request.invoke_id_and_priority & CONFIRMED:
            return
        plain = response.encode()
        longest = longest_plain(self._max_send, protected=self._protected)
        if longest is None or len(plain) <= longest:
            self._emit(plain)
        elif isinstance(response, LONG):
            self._emit(self._first_block(request, response, longest))
        else:
            self._outgoing.append(
                ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.PDU_TOO_LONG).encode()
            )

    def notify(self, notification: Apdu) -> None:
        """Send a notification that nobody asked for."""
        if self.state is not State.ASSOCIATED:
            raise LocalProtocolError(f"no notification in state {self.state.value}")
        plain = notification.encode()
        longest = longest_plain(self._max_send, protected=self._protected)
        if longest is not None and len(plain) > longest:
            raise LocalProtocolError(f"a notification of {len(plain)} octets, the client takes at most {longest}")
        self._emit(plain)

    def abort(self) -> None:
        """Forget the association: the layer below is gone."""
        if self.state is not State.IDLE:
            self._step(Step.ABORT)
            self._events.append(Released())
        self._forget()

    def outgoing(self) -> list[bytes]:
        """Drain the APDUs to be sent."""
        drained, self._outgoing = self._outgoing, []
        return drained

    def events(self) -> list[AssociationEvent]:
        """Drain what happened."""
        drained = list(self._events)
        self._events.clear()
        return drained

    @property
    def answering(self) -> bool:
        """True while the APDU received last has an answer, made or still to be made by the meter."""
        return bool(self._outgoing) or (self.asked and bool(self._request.invoke_id_and_priority & CONFIRMED))

    @property
    def asked(self) -> bool:
        """True while a request was handed out that the meter has not dealt with."""
        return self._request is not None

    # -- what arrives -------------------------------------------------------------------------------------------------

    def _receive(self, octets: bytes) -> None:
        if not octets:
            raise DecodeError("an empty APDU", 0)
        tag = octets[0]
        if tag in CIPHERED and self._security is None:
            raise SecurityError("a ciphered APDU outside a ciphered association")
        if self._security is not None and (tag in CIPHERED or (self._protected and tag not in ACSE)):
            octets = self._security.unprotect(octets).apdu
            # The answer comes as the question came: under the same key, in the same kind of envelope.
            self._under_dedicated_key, self._in_general_envelope = tag in UNDER_DEDICATED_KEY, tag in GENERAL
        self._silent = octets[0] in SERVICES and len(octets) > 2 and not octets[2] & CONFIRMED
        received = apdus.decode(octets)
        handler = self._HANDLERS.get(type(received))
        if handler is None:
            raise RemoteProtocolError(f"{type(received).__name__} is nothing a client sends")
        handler(self, received)

    def _requested_association(self, request: AssociationRequest) -> None:
        if self.state is not State.IDLE:
            self.abort()
        self._step(Step.ASSOCIATION_REQUEST)
        self._refused = 0
        policy = self.policy
        try:
            if not request.protocol_version.startswith(VERSION_1):
                raise _Rejection(AcseServiceProvider.NO_COMMON_ACSE_VERSION)
            if policy is None:
                raise _Rejection(AcseServiceUser.AUTHENTICATION_FAILURE)
            _check_context(policy, request)
            _check_mechanism(policy, request.mechanism_name)
            self._meet(policy, request)
            initiate = self._initiate(policy, request.user_information)
            self._authenticate(policy, request)
            dedicated_key = self._dedicated_key(policy, initiate)
            if not initiate.response_allowed:
                self._silent = True
                raise _Unconfirmed
        except _Rejection as rejection:
            self._reject(rejection)
        except (InvocationCounterError, _Unconfirmed):
            raise
        except (DecodeError, SecurityError) as error:
            self._reject(_Rejection(AcseServiceUser.NO_REASON_GIVEN, error=error))
        else:
            self._accept(policy, initiate, dedicated_key)

    def _meet(self, policy: ServerPolicy, request: AssociationRequest) -> None:
        title = request.calling_ap_title or b""
        if policy.security is None:
            # Without keys a title is still part of what some proofs bind.
            self._client_title = title if len(title) == TITLE_OCTETS else b""
            return
        if len(title) != TITLE_OCTETS:
            raise _Rejection(AcseServiceUser.CALLING_AP_TITLE_NOT_RECOGNIZED)
        self._security = policy.security(title)
        self._client_title = title

    def _initiate(self, policy: ServerPolicy, information: bytes | None) -> InitiateRequest:
        if not information:
            raise _Rejection(AcseServiceUser.NO_REASON_GIVEN)
        if information[0] in CIPHERED:
            if self._security is None:
                raise _Rejection(AcseServiceUser.NO_REASON_GIVEN)
            information = self._security.unprotect(information).apdu
        elif policy.required is not Protection.NONE:
            raise _Rejection(AcseServiceUser.AUTHENTICATION_REQUIRED)
        initiate = InitiateRequest.decode(information)
        if initiate.proposed_dlms_version_number < DLMS_VERSION:
            raise _Rejection(AcseServiceUser.NO_REASON_GIVEN, initiate_error=DLMS_VERSION_TOO_LOW)
        if 0 < initiate.client_max_receive_pdu_size < self._limits.smallest_pdu:
            raise _Rejection(AcseServiceUser.NO_REASON_GIVEN, initiate_error=PDU_SIZE_TOO_SHORT)
        if not initiate.proposed_conformance & policy.conformance:
            raise _Rejection(AcseServiceUser.NO_REASON_GIVEN, initiate_error=INCOMPATIBLE_CONFORMANCE)
        return initiate

    def _authenticate(self, policy: ServerPolicy, request: AssociationRequest) -> None:
        value = request.calling_authentication_value or b""
        mechanism = policy.mechanism
        if mechanism.secret and not mechanism.challenges and (policy.secret is None or not policy.secret.equals(value)):
            raise _Rejection(AcseServiceUser.AUTHENTICATION_FAILURE)
        if mechanism.challenges:
            self._challenges = Challenges(
                client=value,
                server=self._entropy(CHALLENGE_OCTETS),
                client_title=self._client_title,
                server_title=policy.own_title or b"",
            )
            self._challenges.check()

    def _dedicated_key(self, policy: ServerPolicy, initiate: InitiateRequest) -> Key | None:
        """Return the dedicated key that the client chose; one that everybody could read is no key."""
        if initiate.dedicated_key is None:
            return None
        security = self._security
        if security is None or policy.required is Protection.NONE:
            raise _Rejection(AcseServiceUser.NO_REASON_GIVEN)
        if len(initiate.dedicated_key) != security.suite.key_octets:
            raise _Rejection(AcseServiceUser.NO_REASON_GIVEN)
        return Key(initiate.dedicated_key)

    def _accept(self, policy: ServerPolicy, initiate: InitiateRequest, dedicated_key: Key | None) -> None:
        negotiated = Negotiated(
            application_context=policy.application_context,
            mechanism=MechanismId(policy.mechanism.identifier),
            conformance=initiate.proposed_conformance & policy.conformance,
            max_send_pdu_size=initiate.client_max_receive_pdu_size,
            max_receive_pdu_size=policy.max_receive_pdu_size,
            protection=policy.required,
            peer_title=self._client_title or None,
        )
        self.negotiated = negotiated
        self._max_send = negotiated.max_send_pdu_size
        self._protected = policy.required is not Protection.NONE
        answer = self._initiate_response(negotiated)
        challenges = self._challenges
        self._respond_association(
            AssociationResult.ACCEPTED,
            AcseServiceUser.NULL if challenges is None else AcseServiceUser.AUTHENTICATION_REQUIRED,
            answer,
            None if challenges is None else challenges.server,
        )
        if dedicated_key is not None:
            assert self._security is not None
            self._security.use_dedicated(dedicated_key)
        self._step(Step.ACCEPTED if challenges is None else Step.AUTHENTICATION_REQUIRED)
        if challenges is None:
            self._events.append(Associated(negotiated))

    def _initiate_response(self, negotiated: Negotiated) -> bytes:
        answer = InitiateResponse(
            negotiated_conformance=negotiated.conformance,
            server_max_receive_pdu_size=negotiated.max_receive_pdu_size,
            vaa_name=negotiated.vaa_name,
        ).encode()
        if not self._protected:
            return answer
        assert self._security is not None
        return self._security.protect(answer)

    def _reject(self, rejection: _Rejection) -> None:
        information = None
        if rejection.initiate_error is not None:
            information = ConfirmedServiceError(
                ConfirmedService.INITIATE_ERROR, ServiceError.INITIATE, rejection.initiate_error
            ).encode()
        self._respond_association(AssociationResult.REJECTED_PERMANENT, rejection.diagnostic, information, None)
        self._step(Step.REJECTED)
        self._forget()
        error = rejection.error or SecurityError(f"association refused: {rejection.diagnostic.name}")
        self._events.append(Refused(error, authentication=rejection.diagnostic in _AUTHENTICATION))

    def _respond_association(
        self,
        result: AssociationResult,
        diagnostic: AcseServiceUser | AcseServiceProvider,
        information: bytes | None,
        challenge: bytes | None,
    ) -> None:
        policy = self.policy
        hls = policy is not None and challenge is not None
        self._outgoing.append(
            AssociationResponse(
                application_context_name=ApplicationContext.LOGICAL_NAME
                if policy is None
                else policy.application_context,
                result=result,
                result_source_diagnostic=diagnostic,
                responding_ap_title=None if policy is None else policy.own_title,
                responder_acse_requirements=AUTHENTICATION if hls else None,
                mechanism_name=MechanismId(policy.mechanism.identifier) if policy is not None and hls else None,
                responding_authentication_value=challenge,
                user_information=information,
            ).encode()
        )

    def _released(self, request: ReleaseRequest) -> None:
        negotiated = self.negotiated
        if self.state not in (State.ASSOCIATED, State.AUTHENTICATING) or negotiated is None:
            raise RemoteProtocolError("a release request without an association")
        # Many clients leave the protected InitiateRequest out, which is let pass. Where it is there, it must verify.
        information, answer = request.user_information, None
        if information and information[0] in CIPHERED:
            if self._security is None:
                raise SecurityError("a ciphered release request outside a ciphered association")
            InitiateRequest.decode(self._security.unprotect(information).apdu)
            answer = self._initiate_response(negotiated)
        self._step(Step.RELEASE_REQUEST)
        self._outgoing.append(ReleaseResponse(reason=ReleaseResponseReason.NORMAL, user_information=answer).encode())
        self._step(Step.RELEASE_RESPONSE)
        self._forget()
        self._events.append(Released())

    # -- services -----------------------------------------------------------------------------------------------------

    def _requested(self, request: Any) -> None:
        if self.state is State.AUTHENTICATING:
            self._proof(request)
            return
        if self.state is not State.ASSOCIATED or self.negotiated is None:
            raise RemoteProtocolError("a service without an association")
        if self._request is not None:
            raise RemoteProtocolError("a request before the last one was answered")
        kind = cast("type[object]", type(request))
        if not self.negotiated.allows(NEEDS[kind]):
            raise LocalProtocolError(f"{kind.__name__} was not negotiated")
        continuation = self._CONTINUATIONS.get(kind)
        if continuation is None:
            self._leaving = self._arriving = self._opening = None
            self._ask(request)
        else:
            continuation(self, request)

    def _ask(self, request: Any) -> None:
        listed: tuple[object, ...] = getattr(request, "attributes", ()) or getattr(request, "methods", ())
        if len(listed) > self._limits.listed:
            raise LocalProtocolError(f"{len(listed)} items in one list, at most {self._limits.listed} are served")
        carried = _carried(request)
        if carried is not None and len(carried) != len(listed):
            raise RemoteProtocolError(f"{len(carried)} values for {len(listed)} items in one list")
        self._request = request
        self._events.append(Requested(request))

    def _proof(self, request: Any) -> None:
        policy, challenges = self.policy, self._challenges
        assert policy is not None and challenges is not None
        if self._silent or not isinstance(request, ActionRequestNormal) or not _is_reply_to_hls(request):
            raise RemoteProtocolError("a service before the client proved itself")
        self._step(Step.PROOF)
        mechanism, proof = policy.mechanism, request.parameters
        invoke_id = request.invoke_id_and_priority
        if not isinstance(proof, bytes) or not mechanism.client_proof_holds(
            challenges, bytes(proof), policy.secret, self._security
        ):
            self._emit(_action(invoke_id, ActionResult.OTHER_REASON, None).encode())
            self._step(Step.PROOF_REFUSED)
            self._forget()
            self._events.append(Refused(SecurityError("the client's proof does not hold"), authentication=True))
            return
        answer = mechanism.server_proof(challenges, policy.secret, self._security)
        self._emit(_action(invoke_id, ActionResult.SUCCESS, OctetString(answer)).encode())
        self._step(Step.PROOF_ACCEPTED)
        assert self.negotiated is not None
        self._events.append(Associated(self.negotiated))

    def _first_block(self, request: Any, response: Any, longest: int) -> bytes:
        assert self.negotiated is not None
        invoke_id = request.invoke_id_and_priority
        if isinstance(response, GetResponseNormal | GetResponseWithList):
            if not self.negotiated.allows(Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ):
                return GetResponseNormal(invoke_id, DataAccessResult.OTHER_REASON).encode()
            self._leaving, self._leaving_to = Outgoing(_long_get(response), longest), GetRequestNext
            return self._get_block(invoke_id)
        if not self.negotiated.allows(Conformance.BLOCK_TRANSFER_WITH_ACTION):
            return _action(invoke_id, ActionResult.OTHER_REASON, None).encode()
        self._leaving, self._leaving_to = Outgoing(_long_action(response), longest), ActionRequestNextPblock
        return self._action_block(invoke_id)

    def _get_block(self, invoke_id: int) -> bytes:
        assert self._leaving is not None
        block = self._leaving.following()
        return GetResponseWithDatablock(invoke_id, DataBlockG(block.last, block.number, block.octets)).encode()

    def _action_block(self, invoke_id: int) -> bytes:
        assert self._leaving is not None
        block = self._leaving.following()
        return ActionResponseWithPblock(invoke_id, DataBlockSA(block.last, block.number, block.octets)).encode()

    def _next_get_block(self, request: GetRequestNext) -> None:
        invoke_id, leaving = request.invoke_id_and_priority, self._leaving_for(request)
        if leaving is None or request.block_number != leaving.number:
            fault = (
                DataAccessResult.NO_LONG_GET_IN_PROGRESS
                if leaving is None
                else DataAccessResult.DATA_BLOCK_NUMBER_INVALID
            )
            self._leaving = None
            self._emit(GetResponseWithDatablock(invoke_id, DataBlockG(True, request.block_number, fault)).encode())
            return
        self._emit(self._get_block(invoke_id))

    def _leaving_for(self, request: GetRequestNext | ActionRequestNextPblock) -> Outgoing | None:
        """Return the transfer that this request goes on with, or None when there is none of its service."""
        leaving = self._leaving
        return None if leaving is None or leaving.finished or self._leaving_to is not type(request) else leaving

    def _next_action_block(self, request: ActionRequestNextPblock) -> None:
        leaving = self._leaving_for(request)
        if leaving is None or request.block_number != leaving.number:
            self._leaving = None
            fault = ActionResult.NO_LONG_ACTION_IN_PROGRESS
            self._emit(_action(request.invoke_id_and_priority, fault, None).encode())
            return
        self._emit(self._action_block(request.invoke_id_and_priority))

    def _first_arriving(self, request: Any) -> None:
        self._opening, self._arriving = request, Incoming(self._limits.reassembled, self._limits.blocks)
        self._later_arriving(request)

    def _later_arriving(self, request: Any) -> None:
        opening, arriving = self._opening, self._arriving
        is_set = isinstance(request, SETS_IN_BLOCKS)
        invoke_id = request.invoke_id_and_priority
        if opening is None or arriving is None or is_set is not isinstance(opening, SETS_IN_BLOCKS):
            self._opening = self._arriving = None
            if is_set:
                self._emit(SetResponseNormal(invoke_id, DataAccessResult.NO_LONG_SET_IN_PROGRESS).encode())
            else:
                self._emit(_action(invoke_id, ActionResult.NO_LONG_ACTION_IN_PROGRESS, None).encode())
            return
        block = request.datablock if is_set else request.pblock
        in_order = block.block_number == arriving.number + 1
        try:
            self._arrived = block.block_number
            octets = arriving.add(Block(block.last_block, block.block_number, block.raw_data))
            whole = None if octets is None else _WHOLE[type(opening)](opening, octets, self._decoding)
        except RemoteProtocolError:
            self._opening = self._arriving = None
            if is_set:
                result = DataAccessResult.LONG_SET_ABORTED if in_order else DataAccessResult.DATA_BLOCK_NUMBER_INVALID
                self._emit(SetResponseLastDatablock(invoke_id, result, block.block_number).encode())
            else:
                self._emit(_action(invoke_id, ActionResult.LONG_ACTION_ABORTED, None).encode())
            return
        if whole is not None:
            self._arriving = None
            self._ask(whole)
        elif is_set:
            self._emit(SetResponseDatablock(invoke_id, block.block_number).encode())
        else:
            self._emit(ActionResponseNextPblock(invoke_id, block.block_number).encode())

    def _form(self, request: Any, response: Apdu) -> Apdu:
        """Return the response in the form that its request needs: one that came in blocks ends with its own kind."""
        opening, self._opening = self._opening, None
        if opening is None or not isinstance(response, SetResponseNormal | SetResponseWithList):
            return response
        number = self._arrived
        if isinstance(response, SetResponseNormal):
            return SetResponseLastDatablock(request.invoke_id_and_priority, response.result, number)
        return SetResponseLastDatablockWithList(request.invoke_id_and_priority, response.results, number)

    # -- small things -------------------------------------------------------------------------------------------------

    def _refuse(self, error: CosemError) -> None:
        self._leaving = self._arriving = self._opening = None
        if not self._silent:
            state_error, service_error = next(answer for kind, answer in ANSWERS.items() if isinstance(error, kind))
            expected = min(error.expected, COUNTER_MAXIMUM) if isinstance(error, InvocationCounterError) else None
            self._outgoing.append(ExceptionResponse(state_error, service_error, expected).encode())
        self._events.append(Refused(error))
        if self.state is State.ASSOCIATING:
            self._step(Step.ABORT)
            self._forget()
        self._refused += isinstance(error, SecurityError)
        if self._refused >= self._limits.refused_apdus and self.state is not State.IDLE:
            self.abort()

    def _emit(self, plain: bytes) -> None:
        if self._silent:
            return
        if self._protected:
            assert self._security is not None
            plain = self._security.protect(
                plain, dedicated=self._under_dedicated_key, general=self._in_general_envelope
            )
        self._outgoing.append(plain)

    def _step(self, step: Step) -> None:
        following = state.after(self.state, step)
        if following is None:
            raise RemoteProtocolError(f"no {step.value} in state {self.state.value}")
        self.state = following

    def _forget(self) -> None:
        self.negotiated = self._security = self._challenges = None
        self._protected = self._under_dedicated_key = self._in_general_envelope = False
        self._client_title = b""
        self._max_send = self._refused = self._arrived = 0
        self._request = self._opening = self._leaving = self._leaving_to = self._arriving = None

    _HANDLERS: ClassVar[Mapping[type, Callable[..., None]]] = {
        AssociationRequest: _requested_association,
        ReleaseRequest: _released,
        **dict.fromkeys(NEEDS, _requested),
    }
    """Who takes an APDU that has arrived."""

    _CONTINUATIONS: ClassVar[Mapping[type, Callable[..., None]]] = {
        GetRequestNext: _next_get_block,
        ActionRequestNextPblock: _next_action_block,
        SetRequestWithFirstDatablock: _first_arriving,
        SetRequestWithListAndFirstDatablock: _first_arriving,
        ActionRequestWithFirstPblock: _first_arriving,
        ActionRequestWithListAndFirstPblock: _first_arriving,
        SetRequestWithDatablock: _later_arriving,
        ActionRequestWithPblock: _later_arriving,
    }
    """Requests that are only a part: who goes on from there. Every other one is a whole request."""


_AUTHENTICATION: Final = frozenset(
    (
        AcseServiceUser.AUTHENTICATION_FAILURE,
        AcseServiceUser.AUTHENTICATION_REQUIRED,
        AcseServiceUser.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED,
    )
)


class _Rejection(Exception):
    """Why an association is refused; only what the AARE may say leaves this module."""

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
        self.error = error


class _Unconfirmed(RemoteProtocolError):
    """A client that wants no answer: such associations are not offered, and a refusal would be an answer."""

    def __init__(self) -> None:
        super().__init__("an association without confirmation is not offered")


def _check_context(policy: ServerPolicy, request: AssociationRequest) -> None:
    if request.application_context_name != policy.application_context:
        raise _Rejection(AcseServiceUser.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED)


def _check_mechanism(policy: ServerPolicy, asked: MechanismId | bytes | None) -> None:
    if (asked or MechanismId.LOWEST) == policy.mechanism.identifier:
        return
    if not asked:
        raise _Rejection(AcseServiceUser.AUTHENTICATION_REQUIRED)
    raise _Rejection(AcseServiceUser.AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED)


def _carried(request: Any) -> tuple[Data, ...] | None:
    """Return the values that belong to the items of a list, or None where there are none."""
    if isinstance(request, SetRequestWithList):
        return request.values
    return request.parameters if isinstance(request, ActionRequestWithList) else None


def _is_reply_to_hls(request: ActionRequestNormal) -> bool:
    method = request.method
    return method.class_id == ASSOCIATION_LN and method.method_id == REPLY_TO_HLS_AUTHENTICATION


def _action(invoke_id: int, result: ActionResult, data: OctetString | None) -> ActionResponseNormal:
    return ActionResponseNormal(invoke_id, ActionResponseWithOptionalData(result, data))


def _long_get(response: GetResponseNormal | GetResponseWithList) -> bytes:
    """Return what the blocks of a GET response carry: the Data alone, or the list of results."""
    encoded = response.encode()
    return encoded[4:] if isinstance(response, GetResponseNormal) else encoded[3:]


def _long_action(response: ActionResponseNormal | ActionResponseWithList) -> bytes:
    """Return what the blocks of an ACTION response carry: the returned Data alone, or the list of responses."""
    encoded = response.encode()
    return encoded[6:] if isinstance(response, ActionResponseNormal) else encoded[3:]


def _decode_sequence(octets: bytes, limits: Limits) -> tuple[Data, ...]:
    number, offset = count(octets, 0)
    values: list[Data] = []
    for _ in range(number):
        value, offset = axdr.decode(octets, offset, limits)
        values.append(value)
    if offset != len(octets):
        raise DecodeError(f"{len(octets) - offset} octets after the last of {number} values", offset)
    return tuple(values)


_WHOLE: Mapping[type, Callable[[Any, bytes, Limits], Any]] = {
    SetRequestWithFirstDatablock: lambda request, octets, limits: SetRequestNormal(
        request.invoke_id_and_priority, request.attribute, request.access_selection, axdr.decode_all(octets, limits)
    ),
    SetRequestWithListAndFirstDatablock: lambda request, octets, limits: SetRequestWithList(
        request.invoke_id_and_priority, request.attributes, _decode_sequence(octets, limits)
    ),
    ActionRequestWithFirstPblock: lambda request, octets, limits: ActionRequestNormal(
        request.invoke_id_and_priority, request.method, axdr.decode_all(octets, limits)
    ),
    ActionRequestWithListAndFirstPblock: lambda request, octets, limits: ActionRequestWithList(
        request.invoke_id_and_priority, request.methods, _decode_sequence(octets, limits)
    ),
}
"""What a request that came in blocks is when all of it is there."""
