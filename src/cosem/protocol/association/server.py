"""The server's side of an association: judges who may enter, joins blocks, and hands whole requests to the meter."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from cosem.errors import (
    CosemError,
    DecodeError,
    InvocationCounterError,
    LocalProtocolError,
    RemoteProtocolError,
    SecurityError,
)
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.acse import (
    AssociationRequest,
    ReleaseRequest,
    ReleaseResponse,
    ReleaseResponseReason,
)
from cosem.protocol.apdu.action import (
    ActionRequestNextPblock,
    ActionRequestWithFirstPblock,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
    ActionResponseNextPblock,
    ActionResponseWithPblock,
    ActionResult,
)
from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.exception import (
    ExceptionResponse,
    ServiceErrorCode,
    StateError,
)
from cosem.protocol.apdu.get import (
    DataAccessResult,
    DataBlockG,
    GetRequestNext,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.notification import DataNotificationConfirm
from cosem.protocol.apdu.set import (
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithListAndFirstDatablock,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
)
from cosem.protocol.apdu.short_name import ReadRequest, ReadResponse, WriteRequest, WriteResponse
from cosem.protocol.association import state
from cosem.protocol.association.admission import (
    Admission,
    Rejection,
    ServerPolicy,
    Unconfirmed,
    admit,
    initiate_response,
    proposed,
    response_to,
)
from cosem.protocol.association.context import (
    Associated,
    AssociationEvent,
    AssociationLimits,
    Confirmed,
    Naming,
    Negotiated,
    PreEstablished,
    Refused,
    Released,
    Requested,
)
from cosem.protocol.association.general_block import (
    GENERAL_BLOCK_TRANSFER,
    GeneralBlocks,
    PushLost,
    general_blocks,
    unconfirmed,
)
from cosem.protocol.association.layers import GLOBAL, KeyChoice, Layer
from cosem.protocol.association.long import LONG, SETS_IN_BLOCKS, WHOLE, blocks_of_action, blocks_of_get
from cosem.protocol.association.proof import PROOFS
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.services import (
    ACSE_OF_CLIENTS,
    CIPHERED,
    GENERAL_CIPHERING,
    GENERAL_SIGNING,
    NEEDS,
    NOTIFICATIONS_NEED,
    SERVICES_OF_CLIENTS,
    action_response,
    carried,
    invoke_id,
    is_confirmed,
    is_unconfirmed,
    items,
    needs_of,
    understood,
)
from cosem.protocol.association.short_name import ServerBlocks, is_part
from cosem.protocol.association.state import State, Step
from cosem.protocol.association.transfer import (
    Block,
    Incoming,
    Outgoing,
    longest_plain,
)
from cosem.protocol.codec.reader import Limits
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM
from cosem.protocol.crypto.mechanism import Challenges

ANSWERS: Final[Mapping[type[CosemError], tuple[StateError, ServiceErrorCode]]] = {
    DecodeError: (StateError.SERVICE_UNKNOWN, ServiceErrorCode.OTHER_REASON),
    InvocationCounterError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.INVOCATION_COUNTER_ERROR),
    SecurityError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.DECIPHERING_ERROR),
    RemoteProtocolError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.OPERATION_NOT_POSSIBLE),
    LocalProtocolError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.SERVICE_NOT_SUPPORTED),
    CosemError: (StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.OTHER_REASON),
}
"""What a server answers when it cannot take an APDU: the exception-response by the blame of the error."""

NEGOTIATED: Final = (GENERAL_CIPHERING, GENERAL_SIGNING)
"""Envelopes that are taken only where general protection was negotiated; the older general ones come without."""

TOO_LONG: Final = ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceErrorCode.PDU_TOO_LONG)
"""What a server answers when the answer is longer than the client takes, and cannot go in blocks."""


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
        self.limits = self._limits = AssociationLimits() if policy is None else policy.limits
        self._outgoing: list[bytes] = []
        self._events: deque[AssociationEvent] = deque()
        self._decoding = Limits(octets=self._limits.reassembled)
        self._security: SecurityContext | None = None
        self._protected = False
        self._layers = GLOBAL
        self._silent = False
        self._broadcast = False
        self._challenges: Challenges | None = None
        self._max_send = 0
        self._refused = 0
        self._request: Any = None
        self._wants_answer = False
        self._opening: Any = None
        self._arrived = 0
        self._leaving: Outgoing | None = None
        self._leaving_to: type | None = None
        self._arriving: Incoming | None = None
        self._blocks: GeneralBlocks | None = None
        if policy is not None and policy.pre_established is not None:
            self._begin(policy, policy.pre_established)
        self._read_or_write = ServerBlocks(self._limits, self._decoding)

    # -- verbs --------------------------------------------------------------------------------------------------------

    def receive(self, octets: bytes, *, broadcast: bool = False) -> None:
        """Take one APDU from the client; what is wrong with it is answered and reported as `Refused`.

        To a `broadcast`, which others have got as well, nothing is answered, and only what wants no answer is taken.
        """
        self._silent = False
        self._broadcast = broadcast
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
        if not self._wants_answer:
            return
        plain = response.encode()
        longest = longest_plain(self._max_send, protected=self._protected, envelope=self._overhead)
        if longest is None or len(plain) <= longest or self._blocks is not None:
            self._emit(plain)
        elif isinstance(response, ReadResponse):
            self._emit(self._first_read_block(response, longest).encode())
        elif isinstance(response, LONG):
            self._emit(self._first_block(request, response, longest))
        else:
            self._outgoing.append(TOO_LONG.encode())

    def drop(self) -> None:
        """Leave the request that was handed out last undone and unanswered."""
        self._request = None

    def refuse(self, error: CosemError) -> None:
        """Answer the request that was handed out last as one that came in the wrong way."""
        self._request = None
        self._refuse(error)

    def notify(self, notification: Apdu, *, frame: int | None = None) -> None:
        """Send a notification that nobody asked for.

        Args:
            notification: a DataNotification or EventNotification.
            frame: the most octets of an APDU in one frame of the medium, None where any number fits. With general
                block transfer a notification that is longer goes in blocks, each in a frame of its own.

        Raises:
            LocalProtocolError: not associated, not negotiated, or the client does not take so much.
        """
        if self.state is not State.ASSOCIATED:
            raise LocalProtocolError(f"no notification in state {self.state.value}")
        needed = NOTIFICATIONS_NEED.get(type(notification))
        if needed is not None and self.negotiated is not None and not self.negotiated.allows(needed):
            raise LocalProtocolError(f"{type(notification).__name__} was not negotiated")
        plain = notification.encode()
        most = min((size for size in (self._max_send, frame) if size), default=0)
        if self._blocks is not None and most:
            protected = self._protect(plain, self._unasked)
            self._outgoing += [protected] if len(protected) <= most else unconfirmed(protected, most)
            return
        longest = longest_plain(self._max_send, protected=self._protected, envelope=self._overhead)
        if longest is not None and len(plain) > longest:
            raise LocalProtocolError(f"a notification of {len(plain)} octets, the client takes at most {longest}")
        self._emit(plain, self._unasked)

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
        return bool(self._outgoing) or (self._request is not None and self._wants_answer)

    @property
    def transferring(self) -> bool:
        """True while a request is there in part."""
        arriving = self._arriving is not None or self._read_or_write.collecting
        return arriving or (self._blocks is not None and self._blocks.collecting)

    @property
    def progress(self) -> int:
        """Changes with every block that brings a request on, whatever service it is of; a block again does not."""
        joined = self._read_or_write.joined if self._arriving is None else self._arriving.number
        return joined + (0 if self._blocks is None else self._blocks.progress)

    def give_up(self) -> None:
        """Forget a request whose rest does not come, in whatever blocks it comes."""
        self._end_exchange()
        if self._blocks is not None:
            self._blocks.give_up()

    @property
    def asked(self) -> bool:
        """True while a request was handed out that the meter has not dealt with."""
        return self._request is not None

    # -- what arrives -------------------------------------------------------------------------------------------------

    def _receive(self, octets: bytes) -> None:
        if not octets:
            raise DecodeError("an empty APDU", 0)
        if self._blocks is not None:
            joined = self._joined(self._blocks, octets)
            if joined is None:
                return
            octets = joined
        tag = octets[0]
        if tag in CIPHERED and self._security is None:
            raise SecurityError("a ciphered APDU outside a ciphered association")
        if self._security is not None and (tag in CIPHERED or (self._protected and tag not in ACSE_OF_CLIENTS)):
            if tag in NEGOTIATED and (
                self.negotiated is None or not self.negotiated.allows(Conformance.GENERAL_PROTECTION)
            ):
                raise SecurityError("general-ciphering and general-signing were not negotiated (general protection)")
            opened = self._security.unprotect(octets)
            octets = opened.apdu
            layers = opened.layers
            if layers is not self._layers and layers and all(each.key is not KeyChoice.BROADCAST for each in layers):
                # The answer comes as the question came: under the same key, in the same kind of envelope.
                self._layers = self._security.answering(layers)
        self._silent = octets[0] in SERVICES_OF_CLIENTS and is_unconfirmed(octets)
        if self._broadcast and not self._silent:
            raise RemoteProtocolError("a broadcast that wants an answer")
        received, needed = understood(octets, protected=self._protected)
        handler = self._HANDLERS.get(type(received))
        if handler is None:
            raise RemoteProtocolError(f"{type(received).__name__} is nothing a client sends")
        handler(self, received, needed)

    def _joined(self, blocks: GeneralBlocks, octets: bytes) -> bytes | None:
        if octets[0] != GENERAL_BLOCK_TRANSFER:
            blocks.begin(plainly=True)
            return octets
        try:
            arrived = blocks.arrive(octets)
        except PushLost:
            self._silent = True  # who takes no acknowledgement takes no refusal
            raise
        self._outgoing += arrived.leaving
        return arrived.whole

    def _begin(self, policy: ServerPolicy, known: PreEstablished) -> None:
        """Begin with what is known of the client, as if it had been negotiated."""
        negotiated = known.negotiated(
            policy.application_context,
            policy.services(policy.application_context) or Conformance(0),
            policy.max_receive_pdu_size,
            policy.required,
        )
        if policy.security is not None:
            self._security = policy.security(known.peer_title or b"")
        self.negotiated, self._max_send = negotiated, negotiated.max_send_pdu_size
        self._protected = policy.required is not Protection.NONE
        self._blocks = general_blocks(negotiated, policy.general_block_window, self._limits, serving=True)
        self._step(Step.PRE_ESTABLISHED)
        self._events.append(Associated(negotiated))

    def _confirmed(self, confirm: DataNotificationConfirm, _: object) -> None:
        if self.state is not State.ASSOCIATED:
            raise RemoteProtocolError("a confirmation without an association")
        self._events.append(Confirmed(invoke_id(confirm) or 0))

    def _requested_association(self, request: AssociationRequest, _: object) -> None:
        if self.policy is not None and self.policy.pre_established is not None:
            raise RemoteProtocolError("an association request where the association is pre-established")
        if self.state is not State.IDLE:
            self.abort()
        self._step(Step.ASSOCIATION_REQUEST)
        self._refused = 0
        try:
            admission = admit(self.policy, request, self._entropy)
        except Rejection as rejection:
            self._outgoing.append(response_to(self.policy, rejection, None, b"").encode())
            self._step(Step.REJECTED)
            self._forget()
            self._events.append(Refused(rejection.error, authentication=rejection.of_authentication))
        except Unconfirmed:
            self._silent = True
            raise
        else:
            self._accept(admission)

    def _accept(self, admission: Admission) -> None:
        negotiated, challenges = admission.negotiated, admission.challenges
        self.negotiated, self._challenges, self._security = negotiated, challenges, admission.security
        self._max_send = negotiated.max_send_pdu_size
        assert self.policy is not None
        self._blocks = general_blocks(negotiated, self.policy.general_block_window, self._limits, serving=True)
        self._protected = negotiated.protection is not Protection.NONE
        self._outgoing.append(
            response_to(self.policy, negotiated, challenges, self._initiate_response(negotiated)).encode()
        )
        if admission.dedicated_key is not None and self._security is not None:
            self._security.use_dedicated(admission.dedicated_key)
        self._step(Step.ACCEPTED if challenges is None else Step.AUTHENTICATION_REQUIRED)
        if challenges is None:
            self._events.append(Associated(negotiated))

    def _initiate_response(self, negotiated: Negotiated) -> bytes:
        answer = initiate_response(negotiated)
        if not self._protected:
            return answer
        assert self._security is not None
        return self._security.protect(answer)

    def _released(self, request: ReleaseRequest, _: object) -> None:
        negotiated = self.negotiated
        if self.policy is not None and self.policy.pre_established is not None:
            raise RemoteProtocolError("a release request where the association is pre-established")
        if self.state not in (State.ASSOCIATED, State.AUTHENTICATING) or negotiated is None:
            raise RemoteProtocolError("a release request without an association")
        # Many clients leave the protected InitiateRequest out, which is let pass. Where it is there, it must verify.
        information, answer = request.user_information, None
        if information and information[0] in CIPHERED:
            if self._security is None:
                raise SecurityError("a ciphered release request outside a ciphered association")
            proposed(self._security.unprotect(information).apdu)
            answer = self._initiate_response(negotiated)
        self._step(Step.RELEASE_REQUEST)
        self._outgoing.append(ReleaseResponse(reason=ReleaseResponseReason.NORMAL, user_information=answer).encode())
        self._step(Step.RELEASE_RESPONSE)
        self._forget()
        self._events.append(Released())

    # -- services -----------------------------------------------------------------------------------------------------

    def _requested(self, request: Any, needed: Conformance | None) -> None:
        if self.state is State.AUTHENTICATING:
            self._proof(request)
            return
        if self.state is not State.ASSOCIATED or self.negotiated is None:
            raise RemoteProtocolError("a service without an association")
        if self._request is not None:
            raise RemoteProtocolError("a request before the last one was answered")
        kind: type[object] = request.__class__
        if needed is None:
            needed = needs_of(request, protected=self._protected)
        if not self.negotiated.allows(needed):
            raise LocalProtocolError(f"{kind.__name__} was not negotiated")
        continuation = self._CONTINUATIONS.get(kind)
        if continuation is None:
            self._leaving = self._arriving = self._opening = None
            self._ask(request)
        else:
            continuation(self, request)

    def _ask(self, request: Any) -> None:
        listed, values = items(request) or 0, carried(request)
        if listed > self._limits.listed:
            raise LocalProtocolError(f"{listed} items in one list, at most {self._limits.listed} are served")
        if values is not None and len(values) != listed:
            raise RemoteProtocolError(f"{len(values)} values for {listed} items in one list")
        self._request, self._wants_answer = request, is_confirmed(request)
        self._events.append(Requested(request, self._broadcast))

    def _proof(self, request: Any) -> None:
        policy, challenges = self.policy, self._challenges
        assert challenges is not None and self.negotiated is not None
        proofs = PROOFS[Naming.SHORT_NAMES if self.negotiated.by_short_names else Naming.LOGICAL_NAMES]
        if self._silent or not proofs.asks(request):
            raise RemoteProtocolError("a service before the client proved itself")
        self._step(Step.PROOF)
        proof = proofs.offered(request)
        answer = None
        # Without a policy the client was locked out, or its association taken away, since it was answered.
        if policy is not None and isinstance(proof, bytes):
            answer = policy.mechanism.server_proof(challenges, bytes(proof), policy.secret, self._security)
        if answer is None:
            self._emit(proofs.answer(request, None).encode())
            self._step(Step.PROOF_REFUSED)
            self._forget()
            self._events.append(Refused(SecurityError("the client's proof does not hold"), authentication=True))
            return
        self._emit(proofs.answer(request, answer).encode())
        self._step(Step.PROOF_ACCEPTED)
        self._events.append(Associated(self.negotiated))

    def _first_block(self, request: Any, response: Any, longest: int) -> bytes:
        assert self.negotiated is not None
        invoke_id = request.invoke_id_and_priority
        if isinstance(response, GetResponseNormal | GetResponseWithList):
            if not self.negotiated.allows(Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ):
                return GetResponseNormal(invoke_id, DataAccessResult.OTHER_REASON).encode()
            self._leaving, self._leaving_to = Outgoing(blocks_of_get(response), longest), GetRequestNext
            return self._get_block(invoke_id)
        if not self.negotiated.allows(Conformance.BLOCK_TRANSFER_WITH_ACTION):
            return action_response(invoke_id, ActionResult.OTHER_REASON).encode()
        self._leaving, self._leaving_to = Outgoing(blocks_of_action(response), longest), ActionRequestNextPblock
        return self._action_block(invoke_id)

    def _first_read_block(self, response: ReadResponse, longest: int) -> ReadResponse:
        assert self.negotiated is not None
        if not self.negotiated.allows(Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ):
            return ReadResponse((DataAccessResult.OTHER_REASON,))
        return self._read_or_write.first(response, longest)

    def _by_short_names(self, request: ReadRequest | WriteRequest) -> None:
        if is_part(request):
            taken = self._read_or_write.take(request)
            if isinstance(taken, ReadResponse | WriteResponse):
                self._emit(taken.encode())
                return
            assert self.negotiated is not None
            if not self.negotiated.allows(needs_of(taken, protected=self._protected)):
                raise LocalProtocolError(f"what {type(taken).__name__} has in it was not negotiated")
            request = taken
        self._read_or_write.forget()
        self._ask(request)

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
            self._emit(action_response(request.invoke_id_and_priority, fault).encode())
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
                self._emit(action_response(invoke_id, ActionResult.NO_LONG_ACTION_IN_PROGRESS).encode())
            return
        block = request.datablock if is_set else request.pblock
        in_order = block.block_number == arriving.number + 1
        try:
            self._arrived = block.block_number
            octets = arriving.add(Block(block.last_block, block.block_number, block.raw_data))
            whole = None if octets is None else WHOLE[type(opening)](opening, octets, self._decoding)
        except RemoteProtocolError:
            self._opening = self._arriving = None
            if is_set:
                result = DataAccessResult.LONG_SET_ABORTED if in_order else DataAccessResult.DATA_BLOCK_NUMBER_INVALID
                self._emit(SetResponseLastDatablock(invoke_id, result, block.block_number).encode())
            else:
                self._emit(action_response(invoke_id, ActionResult.LONG_ACTION_ABORTED).encode())
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

    def _end_exchange(self) -> None:
        """Forget the blocks of a request or an answer; what comes in unconfirmed blocks is no part of the exchange."""
        self._leaving = self._arriving = self._opening = None
        self._read_or_write.forget()
        if self._blocks is not None:
            self._blocks.begin()

    def _refuse(self, error: CosemError) -> None:
        self._end_exchange()
        if not self._silent and not self._broadcast:
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

    def _emit(self, plain: bytes, layers: tuple[Layer, ...] | None = None) -> None:
        if self._silent:
            return
        octets = self._protect(plain, self._layers if layers is None else layers)
        try:
            self._outgoing += [octets] if self._blocks is None else self._blocks.leave(octets)
        except LocalProtocolError:
            self._outgoing.append(TOO_LONG.encode())

    def _protect(self, plain: bytes, layers: tuple[Layer, ...]) -> bytes:
        if not self._protected:
            return plain
        assert self._security is not None
        return self._security.wrap(plain, layers)

    @property
    def _unasked(self) -> tuple[Layer, ...]:
        """The layers of the last question, in a transaction of our own."""
        return tuple(replace(each, transaction_id=None) for each in self._layers)

    @property
    def _overhead(self) -> int:
        return 0 if self._security is None else self._security.overhead(self._layers)

    def _step(self, step: Step) -> None:
        following = state.after(self.state, step)
        if following is None:
            raise RemoteProtocolError(f"no {step.value} in state {self.state.value}")
        self.state = following

    def _forget(self) -> None:
        self.negotiated = self._security = self._challenges = None
        self._protected, self._layers = False, GLOBAL
        self._max_send = self._refused = self._arrived = 0
        self._request = self._opening = self._leaving = self._leaving_to = self._arriving = self._blocks = None
        self._read_or_write.forget()

    _HANDLERS: ClassVar[Mapping[type, Callable[..., None]]] = {
        AssociationRequest: _requested_association,
        ReleaseRequest: _released,
        DataNotificationConfirm: _confirmed,
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
        ReadRequest: _by_short_names,
        WriteRequest: _by_short_names,
    }
    """Requests that are only a part: who goes on from there. Every other one is a whole request."""
