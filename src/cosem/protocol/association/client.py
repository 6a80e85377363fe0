"""The client's side of an association: opens it, proves itself, asks one thing at a time, and closes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypeAlias

from cosem.errors import (
    CosemError,
    DecodeError,
    LocalProtocolError,
    RemoteProtocolError,
    SecurityError,
    ServiceRefused,
)
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.access import AccessResponse
from cosem.protocol.apdu.acse import (
    AUTHENTICATION,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
    MechanismId,
    ReleaseRequest,
    ReleaseRequestReason,
    ReleaseResponse,
)
from cosem.protocol.apdu.action import (
    ActionRequestNextPblock,
    ActionRequestWithList,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResponseWithPblock,
    ActionResult,
)
from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.exception import ConfirmedServiceError, ExceptionResponse
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance, InitiateRequest
from cosem.protocol.apdu.set import (
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
)
from cosem.protocol.apdu.short_name import (
    BlockNumber,
    BlockNumberAccess,
    DataBlockResult,
    ReadRequest,
    ReadResponse,
    WriteResponse,
)
from cosem.protocol.association import access, state
from cosem.protocol.association.context import (
    Associated,
    AssociationEvent,
    ClientSettings,
    Naming,
    Negotiated,
    Notified,
    PreEstablished,
    Released,
    Response,
)
from cosem.protocol.association.general_block import (
    GENERAL_BLOCK_TRANSFER,
    GeneralBlocks,
    PushLost,
    general_blocks,
)
from cosem.protocol.association.layers import GLOBAL, Envelope, KeyChoice
from cosem.protocol.association.long import CUTS
from cosem.protocol.association.opening import compare, negotiate, proof_rejection, refusal_text, rejection
from cosem.protocol.association.proof import PROOFS
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.services import (
    ACSE_OF_SERVERS,
    ANSWERS,
    CIPHERED,
    CONFIRMED,
    ERRORS,
    HIGH_PRIORITY,
    LONG_INVOKE_ID,
    NOTIFICATIONS,
    SHORT_INVOKE_ID,
    UNASKED,
    Request,
    counted,
    invoke_id,
    is_confirmed,
    is_refusal,
    items,
    needs_of,
)
from cosem.protocol.association.short_name import DATA_ALONE, data_in, joined
from cosem.protocol.association.state import State, Step
from cosem.protocol.association.transfer import (
    FIRST_BLOCK_NUMBER,
    LENGTH_GROWTH,
    Block,
    Incoming,
    Outgoing,
    longest_plain,
)
from cosem.protocol.codec import axdr
from cosem.protocol.codec.reader import Limits
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import Challenges

GET_RESPONSE: Final = GetResponseNormal.TAG[0]
NORMAL_DATA: Final = b"\x01\x00"
"""Octets 1 and 3 of a get-response-normal with data."""

IN_CLEAR: Final = ACSE_OF_SERVERS | ERRORS
"""First octets of what a server may say in clear whatever was agreed."""


BETWEEN: Final = frozenset((State.ASSOCIATING, State.AUTHENTICATING, State.RELEASING))
"""States that an answer of the server ends."""


Wrapping: TypeAlias = Callable[[bytes], tuple[bytes, bytes | None]]
"""Gives an APDU as it is sent, and the transaction-id that its answer must repeat."""


def _not_wrapped(plain: bytes) -> tuple[bytes, bytes | None]:
    return plain, None


class _Pending:
    """A request whose answer is due, and the blocks of either that are under way."""

    __slots__ = ("arriving", "due", "leaving", "raw", "request")

    def __init__(self, request: Request, raw: bool) -> None:
        self.request: Any = request
        self.due = invoke_id(request)
        self.raw = raw
        self.leaving: Outgoing | None = None
        self.arriving: Incoming | None = None


class ClientAssociation:
    """One application association as its client sees it; takes and gives whole APDUs. It is opened once.

    Args:
        settings: what to ask for.
        challenge: fresh chance for this association, 8 to 64 octets (used by HLS mechanisms only).
        security: keys, titles and counters; needed for ciphering and for HLS with GMAC.
    """

    def __init__(
        self, settings: ClientSettings, *, challenge: bytes = b"", security: SecurityContext | None = None
    ) -> None:
        if settings.protection is not Protection.NONE and security is None:
            raise LocalProtocolError("protection was asked for without keys")
        if settings.dedicated_key is not None and settings.protection is Protection.NONE:
            raise LocalProtocolError("a dedicated key needs protection: without, it would go over the line in clear")
        self.settings = settings
        self.state = State.IDLE
        self.negotiated: Negotiated | None = None
        self._security = security
        self._own_title = security.own_title if security is not None else settings.own_title
        self._mechanism = settings.mechanism
        self._proofs = PROOFS[settings.naming]
        self._mechanism_id = MechanismId(settings.mechanism.identifier)
        self._challenge = challenge
        self._challenges: Challenges | None = None
        self._protected = settings.protection is not Protection.NONE
        self._transaction: bytes | None = None
        layers = settings.layers
        self._overhead = 0 if security is None else security.overhead(layers)
        self._wrap: Wrapping = _not_wrapped
        self._wrap_proof: Wrapping = _not_wrapped
        if self._protected and security is not None:
            self._wrap, self._wrap_proof = security.wrapping(layers), security.wrapping(GLOBAL)
        self._limits = Limits(octets=settings.limits.reassembled)
        self._outgoing: list[bytes] = []
        self._events: list[AssociationEvent] = []
        self._invoke_id = 0
        self._long_invoke_id = 0
        self._pending: _Pending | None = None
        self._blocks: GeneralBlocks | None = None
        self._longest: int | None = None
        self._urgent = HIGH_PRIORITY
        self._unconfirmed: list[int] = []
        self._spent = False
        self.tolerated: Counter[str] = Counter() if security is None else security.tolerated
        """How often each deviation of the dialect was put up with."""

    # -- verbs --------------------------------------------------------------------------------------------------------

    def invoke_id_and_priority(self, *, confirmed: bool = True, high_priority: bool = True) -> int:
        """Return the octet for the next request: 15 invoke-ids go round before one comes again.

        Priority is normal where PRIORITY_MANAGEMENT_SUPPORTED was not negotiated.
        """
        self._invoke_id = self._invoke_id % 15 + 1
        return self._invoke_id | self._service_class_and_priority(confirmed, high_priority)

    def long_invoke_id_and_priority(
        self, *, confirmed: bool = True, high_priority: bool = True, options: int = 0
    ) -> int:
        """Return the four octets for the next ACCESS; its ids have a round of 16 777 215 of their own.

        `options` are SELF_DESCRIPTIVE and BREAK_ON_ERROR of `cosem.protocol.apdu.access`.
        """
        self._long_invoke_id = self._long_invoke_id % LONG_INVOKE_ID.invoke_id + 1
        return self._long_invoke_id | self._service_class_and_priority(confirmed, high_priority) << 24 | options

    def _service_class_and_priority(self, confirmed: bool, high_priority: bool) -> int:
        return (CONFIRMED if confirmed else 0) | (self._urgent if high_priority else 0)

    def associate(self) -> None:
        """Ask the server to open the association (AARQ); a pre-established one is open at once, and nothing is sent.

        Raises:
            LocalProtocolError: it was asked before; what is fresh for one association is stale for the next.
            SecurityError: a pre-established association is with a title that cannot be.
        """
        if self._spent:
            raise LocalProtocolError("every association takes an engine of its own, with fresh challenge and keys")
        self._spent = True
        if self.settings.pre_established is not None:
            self._begin(self.settings.pre_established)
            return
        self._step(Step.ASSOCIATION_REQUEST)
        settings, authenticates = self.settings, self._mechanism_id is not MechanismId.LOWEST
        initiate = self._protect_initiate(self._initiate_request().encode())
        request = AssociationRequest(
            application_context_name=settings.application_context,
            calling_ap_title=self._own_title or None,
            calling_ae_qualifier=settings.certificate,
            calling_ae_invocation_identifier=settings.user,
            sender_acse_requirements=AUTHENTICATION if authenticates else None,
            mechanism_name=self._mechanism_id if authenticates else None,
            calling_authentication_value=self._authentication_value(),
            user_information=initiate,
        )
        self._outgoing.append(request.encode())

    def send(self, request: Request, *, raw: bool = False) -> None:
        """Send a request; its whole answer comes as one `Response` event, or none where its service has no answer.

        Args:
            request: with an invoke-id from `invoke_id_and_priority`.
            raw: give the Data of a GET of one attribute as octets, undecoded.

        Raises:
            LocalProtocolError: not associated, an answer is still due, or the service was not negotiated, or cannot
                go without an answer.
        """
        if self.state is not State.ASSOCIATED:
            raise LocalProtocolError(f"no service in state {self.state.value}")
        if self._pending is not None:
            raise LocalProtocolError("the answer to the last request is still due")
        if raw and not (
            isinstance(request, GetRequestNormal) or (isinstance(request, ReadRequest) and items(request) == 1)
        ):
            raise LocalProtocolError("only the Data of one attribute can be had undecoded")
        self._check_negotiated(request)
        if self.settings.key is KeyChoice.BROADCAST and is_confirmed(request):
            raise LocalProtocolError("under the broadcast key nobody answers: only unconfirmed services go")
        plain, longest = request.encode(), self._longest
        if not is_confirmed(request):
            self._send_unconfirmed(request, plain, longest)
            return
        pending = _Pending(request, raw)
        if longest is not None and len(plain) > longest:
            plain = self._in_blocks(pending, longest)
        self._emit(plain)
        self._pending = pending

    def release(self) -> None:
        """Ask the server to close the association (RLRQ); a pre-established one cannot be closed, only left."""
        if self.settings.pre_established is not None:
            self.abort()
            return
        self._step(Step.RELEASE_REQUEST)
        self._outgoing.append(self.release_request())

    def release_request(self) -> bytes:
        """Return the octets of an RLRQ: for a last word to a server whose answer nobody waits for."""
        information = None
        if self._protected and not self.settings.dialect.release_without_user_information:
            information = self._protect_initiate(self._initiate_request().encode())
        return ReleaseRequest(reason=ReleaseRequestReason.NORMAL, user_information=information).encode()

    def abort(self) -> None:
        """Forget the association: the layer below is gone."""
        if self.state is not State.IDLE:
            self._step(Step.ABORT)
            self._events.append(Released())
        self._forget()

    def receive(self, octets: bytes) -> None:
        """Take one APDU from the server.

        Raises:
            RemoteProtocolError: the APDU is malformed or not the answer that was due.
            SecurityError: it is weaker than agreed or does not verify.
            AssociationRejected: the server refused the association.
            ServiceRefused: the server refused the service.
        """
        try:
            self._receive(octets)
        except CosemError:
            # An association that did not come about as asked has not come about at all.
            if self.state in (State.ASSOCIATING, State.AUTHENTICATING):
                self._step(Step.ABORT)
            if self.state is State.IDLE:
                self._forget()
            raise

    def outgoing(self) -> list[bytes]:
        """Drain the APDUs to be sent."""
        drained, self._outgoing = self._outgoing, []
        return drained

    def events(self) -> list[AssociationEvent]:
        """Drain what happened."""
        drained, self._events = self._events, []
        return drained

    @property
    def awaiting(self) -> bool:
        """True while an answer is due."""
        return self._pending is not None or self.state in BETWEEN

    @property
    def protected(self) -> bool:
        """True where every service is ciphered or authenticated."""
        return self._protected

    @property
    def longest_request(self) -> int | None:
        """How many octets a request may have to leave in one piece, or in blocks that any APDU takes; None for any."""
        assert self.negotiated is not None, "asked while the association is open"
        return self._longest

    def longest_within(self, octets: int) -> int:
        """Return how many octets a request may have for its envelope to have no more than `octets`."""
        return octets - (self._overhead if self._protected else 0)

    @property
    def progress(self) -> int:
        """Grows while blocks of general block transfer bring an exchange on, although no APDU is whole yet."""
        return 0 if self._blocks is None else self._blocks.progress

    @property
    def transferring(self) -> bool:
        """True while an APDU, or a value, is there in part."""
        in_general = self._blocks is not None and self._blocks.collecting
        return in_general or (self._pending is not None and self._pending.arriving is not None)

    def repeat(self) -> None:
        """Ask again for lost blocks of general block transfer, or send ours again; the peer has been silent for long.

        Nothing happens without an answer that is due, without general block transfer, or when that was done as often in
        a row as the limits allow.
        """
        if self._blocks is not None and self._pending is not None and self.state is State.ASSOCIATED:
            self._outgoing += self._blocks.repeat()

    # -- what arrives -------------------------------------------------------------------------------------------------

    def _receive(self, octets: bytes) -> None:
        if not octets:
            raise DecodeError("an empty APDU", 0)
        tag = octets[0]
        if tag == GENERAL_BLOCK_TRANSFER and self._blocks is not None:
            joined = self._joined(self._blocks, octets)
            if joined is None:
                return
            octets, tag = joined, joined[0]
        protection = Protection.NONE
        if self._security is not None and (tag in CIPHERED or (self._protected and tag not in IN_CLEAR)):
            try:
                opened = self._security.unprotect(octets, self._transaction)
            except (SecurityError, DecodeError) as error:
                if tag not in UNASKED:
                    raise
                self._events.append(Notified(octets, protection, error=error))
                return
            octets, protection = opened.apdu, opened.protection
            tag = octets[0]
        if self.settings.dialect.octets_after_apdu:
            octets = self._alone(octets)
        pending = self._pending
        takes_raw = pending is not None and pending.raw and pending.arriving is None
        if tag in NOTIFICATIONS:
            self._notified(octets, protection)
        elif takes_raw and tag == GET_RESPONSE and octets[1:4:2] == NORMAL_DATA:
            self._check_invoke_id(octets[2] & SHORT_INVOKE_ID.invoke_id)
            self._finish(Response(None, octets[4:]))
        elif takes_raw and octets.startswith(DATA_ALONE):
            self._finish(Response(None, octets[len(DATA_ALONE) :]))
        else:
            received = apdus.decode(octets)
            handler = self._HANDLERS.get(type(received))
            if handler is None:
                raise RemoteProtocolError(f"{type(received).__name__} is nothing a server sends")
            if tag in ERRORS and not protection and self._untied:
                raise self._refused_by_anybody(received)
            handler(self, received)

    @property
    def _untied(self) -> bool:
        """True where protected answers have no invoke-id that ties each to its request."""
        return self._protected and self.settings.naming is Naming.SHORT_NAMES and self.state is State.ASSOCIATED

    def _refused_by_anybody(self, answer: Any) -> SecurityError:
        """End a protected association by short names over a refusal in clear.

        Anybody may have said it, and a true answer that comes late has no invoke-id by which it could be told from the
        answer to the next request.
        """
        self._step(Step.ABORT)
        return SecurityError(
            f"the meter, or somebody else in clear, refused the service: {refusal_text(answer)}; by short names a late "
            "answer could be taken for that to the next request, so that the association is over"
        )

    def _alone(self, octets: bytes) -> bytes:
        """Return an APDU without what stands behind it."""
        found = apdus.first_of(octets, self._limits)
        self.tolerated["octets_after_apdu"] += len(found) < len(octets)
        return found

    def _joined(self, blocks: GeneralBlocks, octets: bytes) -> bytes | None:
        try:
            arrived = blocks.arrive(octets)
        except PushLost as error:
            self._events.append(Notified(octets, Protection.NONE, error=error))
            return None
        self._outgoing += arrived.leaving
        return arrived.whole

    # -- opening and closing ------------------------------------------------------------------------------------------

    def _initiate_request(self) -> InitiateRequest:
        settings = self.settings
        return InitiateRequest(
            dedicated_key=None if settings.dedicated_key is None else settings.dedicated_key.reveal(),
            proposed_conformance=settings.proposed_conformance,
            client_max_receive_pdu_size=settings.max_receive_pdu_size,
        )

    def _protect_initiate(self, initiate: bytes) -> bytes:
        if not self._protected:
            return initiate
        assert self._security is not None
        return self._security.protect(initiate)

    def _authentication_value(self) -> bytes | None:
        if self._mechanism.challenges:
            return self._challenge
        secret = self.settings.secret
        return secret.reveal() if self._mechanism.secret and isinstance(secret, Secret) else None

    def _associated(self, response: AssociationResponse) -> None:
        if self.state is not State.ASSOCIATING:
            raise RemoteProtocolError("an association response that nobody asked for")
        if response.result is not AssociationResult.ACCEPTED:
            self._step(Step.REJECTED)
            raise rejection(self.settings, response, self._security)
        compare(self.settings, response)
        if self._security is not None and response.responding_ap_title:
            self._security.meet(response.responding_ap_title)
        if not response.user_information and self.settings.dialect.accepted_without_initiate:
            self.tolerated["accepted_without_initiate"] += 1
        negotiated = self._agree(negotiate(self.settings, response, self._security))
        if self._security is not None and self.settings.dedicated_key is not None:
            self._security.use_dedicated(self.settings.dedicated_key)
        general = self.settings.envelope is not Envelope.SERVICE or Protection.SIGNATURE in self.settings.protection
        if general and not negotiated.allows(Conformance.GENERAL_PROTECTION):
            raise LocalProtocolError(
                "the meter does not grant general protection: envelopes of services are left (--envelope service)"
            )
        if not self._mechanism.challenges:
            self._step(Step.ACCEPTED)
            self._events.append(Associated(negotiated))
            return
        self._step(Step.AUTHENTICATION_REQUIRED)
        self._prove(response)

    def _begin(self, known: PreEstablished) -> None:
        settings = self.settings
        if self._security is not None and known.peer_title is not None:
            self._security.meet(known.peer_title)
        negotiated = self._agree(
            known.negotiated(
                settings.application_context,
                settings.proposed_conformance,
                settings.max_receive_pdu_size,
                settings.protection,
            )
        )
        self._step(Step.PRE_ESTABLISHED)
        self._events.append(Associated(negotiated))

    def _agree(self, negotiated: Negotiated) -> Negotiated:
        """Take note of what was agreed, and work out what follows from it for every request."""
        settings = self.settings
        self.negotiated = negotiated
        self._blocks = general_blocks(negotiated, settings.general_block_window, settings.limits, serving=False)
        self._longest = (
            longest_plain(negotiated.max_send_pdu_size, protected=self._protected, envelope=self._overhead)
            if self._blocks is None
            else None
        )
        self._urgent = HIGH_PRIORITY if negotiated.allows(Conformance.PRIORITY_MANAGEMENT_SUPPORTED) else 0
        return negotiated

    def _prove(self, response: AssociationResponse) -> None:
        challenges = Challenges(
            client=self._challenge,
            server=response.responding_authentication_value or b"",
            client_title=self._own_title,
            server_title=response.responding_ap_title or b"",
        )
        challenges.check(self._mechanism.shortest_challenge)
        self._challenges = challenges
        proof = self._mechanism.client_proof(challenges, self.settings.secret, self._security)
        request = self._proofs.ask(self.invoke_id_and_priority(), proof)
        self._step(Step.PROOF)
        self._pending = _Pending(request, raw=False)
        self._emit(request.encode())

    def _proved(self, response: Any) -> None:
        proof, result = self._proofs.result(response)
        if result != ActionResult.SUCCESS.name:
            self._step(Step.PROOF_REFUSED)
            raise proof_rejection(result)
        assert self._challenges is not None
        if not isinstance(proof, bytes) or not self._mechanism.server_proof_holds(
            self._challenges, bytes(proof), self.settings.secret, self._security
        ):
            self._step(Step.PROOF_REFUSED)
            raise SecurityError("the meter could not prove that it knows the secret")
        self._pending = None
        self._step(Step.PROOF_ACCEPTED)
        assert self.negotiated is not None
        self._events.append(Associated(self.negotiated))

    def _released(self, _response: ReleaseResponse) -> None:
        if self.state is not State.RELEASING:
            raise RemoteProtocolError("a release response that nobody asked for")
        self._step(Step.RELEASE_RESPONSE)
        self._forget()
        self._events.append(Released())

    # -- services -----------------------------------------------------------------------------------------------------

    def _check_negotiated(self, request: Request) -> None:
        assert self.negotiated is not None
        needed = needs_of(request, protected=self._protected)
        # As plain numbers, for each operation on flags calls back into Python several times.
        if int(needed) & ~int(self.negotiated.conformance):
            raise LocalProtocolError(f"the association does not have {needed & ~self.negotiated.conformance!r}")

    def _send_unconfirmed(self, request: Request, plain: bytes, longest: int | None) -> None:
        kind: type[object] = request.__class__
        if plain[0] == GetRequestNormal.TAG[0]:
            raise LocalProtocolError(f"{kind.__name__} without an answer would say nothing")
        if longest is not None and len(plain) > longest:
            raise LocalProtocolError(
                f"this {kind.__name__} is longer than the meter takes, and blocks are acknowledged"
            )
        self._emit(plain, answered=False)

    def _in_blocks(self, pending: _Pending, longest: int) -> bytes:
        request = pending.request
        kind: type[object] = request.__class__
        cut = CUTS.get(kind)
        assert self.negotiated is not None
        if cut is None or not self.negotiated.allows(cut.needed):
            raise LocalProtocolError(f"this {kind.__name__} is longer than the meter takes in one piece")
        empty = cut.first(request, DataBlockSA(False, FIRST_BLOCK_NUMBER, b"")).encode()
        pending.leaving = Outgoing(cut.octets(request), longest, len(empty) + LENGTH_GROWTH)
        return self._next_block(pending)

    def _next_block(self, pending: _Pending) -> bytes:
        request, leaving = pending.request, pending.leaving
        assert leaving is not None
        block = leaving.following()
        cut, carried = CUTS[type(request)], DataBlockSA(block.last, block.number, block.octets)
        if block.number == FIRST_BLOCK_NUMBER:
            return cut.first(request, carried).encode()
        return cut.later(request, carried).encode()

    def _answered(self, answer: Any) -> None:
        kind: type[object] = answer.__class__
        pending = self._pending
        if pending is None or kind not in ANSWERS[type(pending.request)]:
            raise RemoteProtocolError(f"{kind.__name__} answers nothing that was asked")
        self._check_invoke_id(invoke_id(answer))
        if self.state is State.AUTHENTICATING:
            if not self._proofs.answers(answer):
                raise RemoteProtocolError(f"{kind.__name__} is no answer to a proof")
            self._proved(answer)
            return
        continuation = self._CONTINUATIONS.get(kind)
        if continuation is not None:
            continuation(self, pending, answer)
            return
        if pending.arriving is not None and not is_refusal(answer):
            raise RemoteProtocolError(f"{kind.__name__} came in the middle of a block transfer")
        self._complete(pending, answer)

    def _complete(self, pending: _Pending, answer: Any) -> None:
        """Take a whole answer. A refusal may come at any time; anything else must fit what was asked."""
        leaving, asked, answered = pending.leaving, items(pending.request), items(answer)
        if leaving is not None and not leaving.finished and not is_refusal(answer):
            raise RemoteProtocolError(f"{type(answer).__name__} came before the last block was sent")
        if asked != answered and not is_refusal(answer):
            raise RemoteProtocolError(f"{counted(answered)} answered to {counted(asked)} asked")
        if isinstance(answer, AccessResponse):
            access.compare(pending.request, answer)
        self._finish(Response(answer))

    def _check_invoke_id(self, answered: int | None) -> None:
        pending = self._pending
        if pending is None:
            raise RemoteProtocolError("an answer that nobody asked for")
        if answered != pending.due:
            if self.settings.dialect.any_invoke_id:
                self.tolerated["any_invoke_id"] += 1
                return
            raise RemoteProtocolError(f"the answer is to request {answered}, due was {pending.due}")

    def _get_block(self, pending: _Pending, answer: GetResponseWithDatablock) -> None:
        request, result = pending.request, answer.result.result
        if isinstance(result, DataAccessResult):
            self._finish(Response(GetResponseNormal(request.invoke_id_and_priority, result)))
            return
        value = self._gather(pending, Block(answer.result.last_block, answer.result.block_number, result))
        if value is None:
            self._emit(GetRequestNext(request.invoke_id_and_priority, answer.result.block_number).encode())
        elif isinstance(request, GetRequestWithList):
            head = bytes((*GetResponseWithList.TAG, request.invoke_id_and_priority))
            self._complete(pending, GetResponseWithList.decode(head + value, self._limits))
        elif pending.raw:
            self._finish(Response(None, value))
        else:
            data = axdr.decode_all(value, self._limits)
            self._finish(Response(GetResponseNormal(request.invoke_id_and_priority, data)))

    def _action_block(self, pending: _Pending, answer: ActionResponseWithPblock) -> None:
        request, block = pending.request, answer.pblock
        if pending.leaving is not None and not pending.leaving.finished:
            raise RemoteProtocolError("a block of the answer came before the last one of the request was sent")
        value = self._gather(pending, Block(block.last_block, block.block_number, block.raw_data))
        if value is None:
            self._emit(ActionRequestNextPblock(request.invoke_id_and_priority, block.block_number).encode())
        elif isinstance(request, ActionRequestWithList):
            head = bytes((*ActionResponseWithList.TAG, request.invoke_id_and_priority))
            self._complete(pending, ActionResponseWithList.decode(head + value, self._limits))
        else:
            data = axdr.decode_all(value, self._limits)
            returned = ActionResponseWithOptionalData(ActionResult.SUCCESS, data)
            self._finish(Response(ActionResponseNormal(request.invoke_id_and_priority, returned)))

    def _by_short_names(self, pending: _Pending, answer: ReadResponse | WriteResponse) -> None:
        part = answer.results[0] if len(answer.results) == 1 else None
        if isinstance(part, BlockNumber):
            self._acknowledged(pending, part)
        elif isinstance(part, DataBlockResult):
            self._read_block(pending, part)
        elif any(isinstance(each, BlockNumber | DataBlockResult) for each in answer.results):
            raise RemoteProtocolError("a block among other results")
        elif pending.arriving is not None and not is_refusal(answer):
            raise RemoteProtocolError(f"{type(answer).__name__} came in the middle of a block transfer")
        else:
            self._complete(pending, answer)

    def _read_block(self, pending: _Pending, block: DataBlockResult) -> None:
        if pending.leaving is not None and not pending.leaving.finished:
            raise RemoteProtocolError("a block of the answer came before the last one of the request was sent")
        octets = self._gather(pending, Block(block.last_block, block.block_number, block.raw_data))
        if octets is None:
            self._emit(ReadRequest((BlockNumberAccess(block.block_number),)).encode())
        elif pending.raw:
            self._finish(Response(None, data_in(octets)))
        else:
            self._complete(pending, joined(items(pending.request) or 0, octets, self._limits))

    def _gather(self, pending: _Pending, block: Block) -> bytes | None:
        if pending.arriving is None:
            limits = self.settings.limits
            pending.arriving = Incoming(limits.reassembled, limits.blocks)
        return pending.arriving.add(block)

    def _acknowledged(
        self, pending: _Pending, answer: SetResponseDatablock | ActionResponseNextPblock | BlockNumber
    ) -> None:
        leaving = pending.leaving
        if leaving is None or answer.block_number != leaving.number:
            raise RemoteProtocolError(f"block {answer.block_number} was acknowledged and not sent")
        if leaving.finished:
            raise RemoteProtocolError("the last block was acknowledged like one before it")
        self._emit(self._next_block(pending))

    def _set_finished(self, pending: _Pending, answer: SetResponseLastDatablock) -> None:
        self._check_last(pending, answer.block_number, refused=answer.result is not DataAccessResult.SUCCESS)
        self._complete(pending, SetResponseNormal(answer.invoke_id_and_priority, answer.result))

    def _set_list_finished(self, pending: _Pending, answer: SetResponseLastDatablockWithList) -> None:
        self._check_last(pending, answer.block_number, refused=False)
        self._complete(pending, SetResponseWithList(answer.invoke_id_and_priority, answer.results))

    def _check_last(self, pending: _Pending, number: int, *, refused: bool) -> None:
        leaving = pending.leaving
        if leaving is None:
            raise RemoteProtocolError("the last block was acknowledged where none was sent")
        if not refused and number != leaving.number:
            raise RemoteProtocolError(f"block {number} was acknowledged as the last, sent was {leaving.number}")

    def _refused(self, answer: ExceptionResponse | ConfirmedServiceError) -> None:
        self._pending = None
        if self.state is State.RELEASING:
            self._step(Step.ABORT)
        raise ServiceRefused(f"the meter refused the service: {refusal_text(answer)}", answer)

    def _forget(self) -> None:
        self._pending = self._challenges = self.negotiated = self._blocks = None

    def _finish(self, response: Response) -> None:
        self._pending = None
        self._events.append(response)
        if self._unconfirmed:
            self._confirm_all()

    def _notified(self, octets: bytes, protection: Protection) -> None:
        try:
            notification = apdus.decode(octets)
        except CosemError as error:
            self._events.append(Notified(octets, protection, error=error))
        else:
            assert isinstance(
                notification, apdus.DataNotification | apdus.EventNotification | apdus.InformationReportRequest
            )
            self._events.append(Notified(octets, protection, notification))
            if isinstance(notification, apdus.DataNotification) and is_confirmed(notification):
                self._confirm(notification)

    def _confirm(self, notification: apdus.DataNotification) -> None:
        """Tell that a notification has arrived which wants to know, once no exchange is in the middle."""
        if len(self._unconfirmed) < self.settings.limits.confirmations:
            self._unconfirmed.append(notification.long_invoke_id_and_priority)
        if self._pending is None:
            self._confirm_all()

    def _confirm_all(self) -> None:
        waiting, self._unconfirmed = self._unconfirmed, []
        if self.state is State.ASSOCIATED:
            for number in waiting:
                self._emit(apdus.DataNotificationConfirm(number, b"").encode())

    # -- small things -------------------------------------------------------------------------------------------------

    def _emit(self, plain: bytes, *, answered: bool = True) -> None:
        # The proofs go under the global key, as peers have it; all that follows as was asked for.
        wrap = self._wrap if self.state is State.ASSOCIATED else self._wrap_proof
        octets, self._transaction = wrap(plain)
        if self._blocks is None:
            self._outgoing.append(octets)
        else:
            self._outgoing += self._blocks.leave(octets, answered=answered)

    def _step(self, step: Step) -> None:
        following = state.after(self.state, step)
        if following is None:
            raise LocalProtocolError(f"no {step.value} in state {self.state.value}")
        self.state = following

    _HANDLERS: ClassVar[Mapping[type, Callable[..., None]]] = {
        AssociationResponse: _associated,
        ReleaseResponse: _released,
        ExceptionResponse: _refused,
        ConfirmedServiceError: _refused,
        **dict.fromkeys((answer for answers in ANSWERS.values() for answer in answers), _answered),
    }
    """Who takes an APDU that has arrived."""

    _CONTINUATIONS: ClassVar[Mapping[type, Callable[..., None]]] = {
        GetResponseWithDatablock: _get_block,
        ActionResponseWithPblock: _action_block,
        SetResponseDatablock: _acknowledged,
        ActionResponseNextPblock: _acknowledged,
        SetResponseLastDatablock: _set_finished,
        SetResponseLastDatablockWithList: _set_list_finished,
        ReadResponse: _by_short_names,
        WriteResponse: _by_short_names,
    }
    """Answers that are only a part: who goes on from there. Every other one is the whole answer."""
