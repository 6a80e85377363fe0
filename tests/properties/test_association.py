"""Client and server joined by an adversary who replays, reorders, truncates, flips, downgrades, reflects and injects.

The machine below moves APDUs between the two engines, or makes the adversary do so. What must hold in every state: no
engine raises anything but our errors, a server answers an APDU with one APDU at most, and under protection nothing is
taken that the other side did not make for this purpose, and no counter moves for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from cosem.errors import (
    CosemError,
    DecodeError,
    InvocationCounterError,
    LocalProtocolError,
    RemoteProtocolError,
    SecurityError,
    ServiceError,
)
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.access import AccessRequest, AccessRequestGet, AccessResponse, AccessResponseGet
from cosem.protocol.apdu.acse import (
    AcseServiceUser,
    ApplicationContext,
    AssociationRequest,
    AssociationResponse,
    AssociationResult,
)
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionResponseNormal,
    ActionResponseWithOptionalData,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.block import GeneralBlockTransfer
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance, InitiateRequest, InitiateResponse
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.apdu.protected import GeneralCiphering
from cosem.protocol.apdu.set import SetRequestNormal, SetResponseNormal
from cosem.protocol.apdu.short_name import (
    ParameterizedAccess,
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    VariableName,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import (
    Associated,
    AssociationEvent,
    ClientSettings,
    Naming,
    Notified,
    PreEstablished,
    Refused,
    Requested,
    Response,
)
from cosem.protocol.association.counter import InvocationCounter, ReceivedCounter
from cosem.protocol.association.general_block import unconfirmed
from cosem.protocol.association.layers import Envelope, GeneralKeys, KeyChoice, Received
from cosem.protocol.association.proof import PROOFS
from cosem.protocol.association.security import Protection, SecurityContext
from cosem.protocol.association.server import ServerAssociation
from cosem.protocol.association.services import Request
from cosem.protocol.association.state import State
from cosem.protocol.codec.schema import NULL_DATA
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, SharedSecret, Signatures
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString
from cosem.protocol.values.obis import Obis
from cosem.store.memory import MemoryCounterStore
from pair import AK, BOTH, CLIENT_TITLE, EK, SERVER_TITLE

ENERGY = AttributeDescriptor(3, Obis("1.0.1.8.0.255"), 2)
ITEM = AttributeDescriptorWithSelection(ENERGY)
METHOD = MethodDescriptor(3, Obis("1.0.1.8.0.255"), 1)
SECRET = Secret(b"a long shared secret")
MASTER = Key(bytes.fromhex("0F1E2D3C4B5A69788796A5B4C3D2E1F0"))
LARGEST = 400
"""Octets of the longest APDU: small enough for blocks, large enough for a signature around a block."""


class Mode(NamedTuple):
    """Mechanism, protection, and how what follows is said: `window` is that of general block transfer."""

    mechanism: int
    protection: Protection = Protection.NONE
    dedicated: bool = False
    suite: int = 0
    envelope: Envelope = Envelope.SERVICE
    key: KeyChoice = KeyChoice.IDENTIFIED
    naming: Naming = Naming.LOGICAL_NAMES
    window: int = 0
    pre_established: bool = False


MODES: dict[str, Mode] = {
    "none": Mode(0),
    "low": Mode(1),
    "gmac": Mode(5),
    "none, ciphered": Mode(0, BOTH),
    "low, authenticated": Mode(1, Protection.AUTHENTICATION),
    "gmac, authenticated": Mode(5, Protection.AUTHENTICATION),
    "gmac, ciphered": Mode(5, BOTH),
    "gmac, ciphered, dedicated": Mode(5, BOTH, dedicated=True),
    "sha256, ciphered": Mode(6, BOTH),
    "gmac, suite 2": Mode(5, BOTH, suite=2),
    "ecdsa, suite 1": Mode(7, BOTH, suite=1),
    "gmac, general": Mode(5, BOTH, envelope=Envelope.GENERAL),
    "gmac, general, dedicated": Mode(5, BOTH, dedicated=True, envelope=Envelope.GENERAL),
    "gmac, general-ciphering": Mode(5, BOTH, envelope=Envelope.CIPHERING),
    "gmac, wrapped": Mode(5, BOTH, envelope=Envelope.CIPHERING, key=KeyChoice.WRAPPED),
    "gmac, one-pass": Mode(5, BOTH, suite=1, envelope=Envelope.CIPHERING, key=KeyChoice.ONE_PASS),
    "gmac, static": Mode(5, BOTH, suite=2, envelope=Envelope.CIPHERING, key=KeyChoice.STATIC),
    "gmac, signed": Mode(5, BOTH | Protection.SIGNATURE, suite=1),
    "ecdsa, signed, suite 2": Mode(7, BOTH | Protection.SIGNATURE, suite=2),
    "none, short names": Mode(0, naming=Naming.SHORT_NAMES),
    "gmac, short names": Mode(5, naming=Naming.SHORT_NAMES),
    "gmac, ciphered, short names": Mode(5, BOTH, naming=Naming.SHORT_NAMES),
    "none, general blocks": Mode(0, window=3),
    "gmac, ciphered, general blocks": Mode(5, BOTH, window=3),
    "gmac, general-ciphering, general blocks": Mode(5, BOTH, envelope=Envelope.CIPHERING, window=2),
    "pre-established": Mode(0, pre_established=True),
    "pre-established, ciphered": Mode(0, BOTH, pre_established=True),
    "pre-established, general": Mode(0, BOTH, envelope=Envelope.GENERAL, pre_established=True),
}


def keys_of(suite: int) -> tuple[Key, Key]:
    """Return an encryption and an authentication key as long as the suite has them."""
    octets = suites.of(suite).key_octets
    encryption, authentication = (Key((key.reveal() * 2)[:octets]) for key in (EK, AK))
    return encryption, authentication


def private(suite: int, seed: int) -> PrivateKey:
    curve = suites.of(suite).required_curve
    return PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve))


SIDES = ("client", "server")
WINDOW = 63
"""The most blocks that can leave at once: a peer may say that it takes so many."""
OTHERS = {"client": "server", "server": "client"}
SIGNERS = {(suite, side): private(suite, seed) for suite in (1, 2) for seed, side in enumerate(SIDES, 1)}
AGREERS = {(suite, side): private(suite, seed) for suite in (1, 2) for seed, side in enumerate(SIDES, 3)}


def general_keys(mode: Mode, side: str) -> GeneralKeys:
    if not mode.suite:
        return GeneralKeys(master_key=MASTER)
    own, other = (mode.suite, side), (mode.suite, OTHERS[side])
    return GeneralKeys(
        signer=SIGNERS[own],
        peer_signing_key=SIGNERS[other].public,
        agreer=AGREERS[own],
        peer_agreement_key=AGREERS[other].public,
    )


REQUESTS: dict[str, dict[Naming, Callable[[ClientAssociation], Request]]] = {
    "get": {
        Naming.LOGICAL_NAMES: lambda client: GetRequestNormal(client.invoke_id_and_priority(), ENERGY),
        Naming.SHORT_NAMES: lambda client: ReadRequest((VariableName(0x2808),)),
    },
    "list": {
        Naming.LOGICAL_NAMES: lambda client: GetRequestWithList(client.invoke_id_and_priority(), (ITEM,) * 3),
        Naming.SHORT_NAMES: lambda client: ReadRequest((VariableName(0x2808),) * 3),
    },
    "set": {
        Naming.LOGICAL_NAMES: lambda client: SetRequestNormal(
            client.invoke_id_and_priority(), ENERGY, None, DoubleLongUnsigned(7)
        ),
        Naming.SHORT_NAMES: lambda client: WriteRequest((VariableName(0x2808),), (DoubleLongUnsigned(7),)),
    },
    "long set": {
        Naming.LOGICAL_NAMES: lambda client: SetRequestNormal(
            client.invoke_id_and_priority(), ENERGY, None, OctetString(b"z" * 700)
        ),
        Naming.SHORT_NAMES: lambda client: WriteRequest((VariableName(0x2808),), (OctetString(b"z" * 700),)),
    },
    "action": {
        Naming.LOGICAL_NAMES: lambda client: ActionRequestNormal(
            client.invoke_id_and_priority(), METHOD, OctetString(b"q")
        ),
        Naming.SHORT_NAMES: lambda client: ReadRequest((ParameterizedAccess(0x2820, 0, OctetString(b"q")),)),
    },
    "long action": {
        Naming.LOGICAL_NAMES: lambda client: ActionRequestNormal(
            client.invoke_id_and_priority(), METHOD, OctetString(b"q" * 700)
        ),
        Naming.SHORT_NAMES: lambda client: ReadRequest((ParameterizedAccess(0x2820, 0, OctetString(b"q" * 700)),)),
    },
    "access": {
        Naming.LOGICAL_NAMES: lambda client: AccessRequest(
            client.long_invoke_id_and_priority(), b"", (AccessRequestGet(ENERGY),) * 2, (None, None)
        ),
        Naming.SHORT_NAMES: lambda client: ReadRequest((VariableName(0x2808), ParameterizedAccess(0x2820, 0, None))),
    },
}
"""What is asked, by logical names and by short names."""

FORGED: list[bytes] = [
    GetRequestNormal(0xC1, ENERGY).encode(),
    SetRequestNormal(0x01, ENERGY, None, DoubleLongUnsigned(666)).encode(),
    ActionRequestNormal(0xC1, METHOD).encode(),
    GetResponseNormal(0xC1, DoubleLongUnsigned(666)).encode(),
    SetResponseNormal(0xC2, DataAccessResult.SUCCESS).encode(),
    DataNotification(1, b"", DoubleLongUnsigned(666)).encode(),
    InitiateResponse(negotiated_conformance=Conformance.GET, server_max_receive_pdu_size=100).encode(),
    AssociationRequest(
        application_context_name=ApplicationContext.LOGICAL_NAME,
        user_information=InitiateRequest(
            proposed_conformance=Conformance.GET, client_max_receive_pdu_size=100
        ).encode(),
    ).encode(),
    AccessRequest(0x40000001, b"", (AccessRequestGet(ENERGY),), (None,)).encode(),
    ReadRequest((VariableName(0x2808),)).encode(),
    ReadResponse((DoubleLongUnsigned(666),)).encode(),
    UnconfirmedWriteRequest((VariableName(0x2808),), (DoubleLongUnsigned(666),)).encode(),
    *unconfirmed(DataNotification(1, b"", OctetString(b"f" * 600)).encode(), 400),
    bytes.fromhex("E0C300010000") + b"\x0d" + GetRequestNormal(0xC1, ENERGY).encode(),
    bytes.fromhex("E08300020001" + "00"),
    bytes.fromhex("D80101"),
    bytes.fromhex("D8010600FFFFFF"),
    bytes.fromhex("0E010601"),
    bytes.fromhex("6203800100"),
    bytes.fromhex("6303800100"),
    b"",
]


def weakened(octets: bytes) -> bytes:
    """Return an AARQ or AARE that asks for less, or says that less was granted."""
    try:
        apdu: Any = apdus.decode(octets)
    except CosemError:
        return octets
    if not isinstance(apdu, AssociationRequest | AssociationResponse):
        return octets
    initiate: Any = InitiateRequest(proposed_conformance=Conformance.GET, client_max_receive_pdu_size=64)
    if isinstance(apdu, AssociationResponse):
        initiate = InitiateResponse(negotiated_conformance=Conformance.GET, server_max_receive_pdu_size=64)
    return replace(
        apdu,
        application_context_name=ApplicationContext.LOGICAL_NAME,
        mechanism_name=None,
        user_information=initiate.encode(),
    ).encode()


ALTERATIONS: dict[str, Callable[[bytes, int, int], bytes]] = {
    "replay": lambda octets, at, bits: octets,
    "truncate": lambda octets, at, bits: octets[: at % (len(octets) + 1)],
    "flip": lambda octets, at, bits: (
        octets[: (at := at % len(octets))] + bytes((octets[at] ^ bits,)) + octets[at + 1 :] if octets else octets
    ),
    "extend": lambda octets, at, bits: octets + bytes((bits,)),
    "weaken": lambda octets, at, bits: weakened(octets),
    "other security control": lambda octets, at, bits: octets[:2] + bytes((bits,)) + octets[3:],
}


def sealed(octets: bytes) -> set[bytes]:
    """Return the part of an APDU that is bound to a key: what stands around it anybody may alter.

    That is all of it, what ACSE or a block carries, or the proof in an ACTION or a Read. The tag of general-ciphering
    leaves the transaction-id out, as peers have it.
    """
    apdu: Any = apdus.decode(octets)
    if octets[0] in range(0x60, 0x64):
        return {apdu.user_information} if apdu.user_information else set()
    if isinstance(apdu, GeneralCiphering):
        return {apdu.ciphered_content}
    if isinstance(apdu, GeneralBlockTransfer):
        return {apdu.block_data} if apdu.block_data else set()
    first = apdu.variable_access_specification[0] if isinstance(apdu, ReadRequest) else None
    if isinstance(first, ParameterizedAccess) and isinstance(first.parameter, bytes):
        return {bytes(first.parameter)}
    if isinstance(apdu, ReadResponse) and isinstance(apdu.results[0], bytes):
        return {bytes(apdu.results[0])}
    if isinstance(apdu, ActionRequestNormal) and isinstance(apdu.parameters, bytes):
        return {bytes(apdu.parameters)}
    if isinstance(apdu, ActionResponseNormal) and isinstance(apdu.response.return_parameters, bytes):
        return {bytes(apdu.response.return_parameters)}
    return {octets}


RESPONSES: dict[type, Callable[[Any, Any, Any], Apdu]] = {
    GetRequestNormal: lambda asked, long, any_: GetResponseNormal(asked.invoke_id_and_priority, any_),
    GetRequestWithList: lambda asked, long, any_: GetResponseWithList(
        asked.invoke_id_and_priority, (long,) * len(asked.attributes)
    ),
    SetRequestNormal: lambda asked, long, any_: SetResponseNormal(
        asked.invoke_id_and_priority, DataAccessResult.SUCCESS
    ),
    ActionRequestNormal: lambda asked, long, any_: ActionResponseNormal(
        asked.invoke_id_and_priority, ActionResponseWithOptionalData(ActionResult.SUCCESS, long)
    ),
    AccessRequest: lambda asked, long, any_: AccessResponse(
        asked.long_invoke_id_and_priority,
        b"",
        None,
        (any_,) * len(asked.access_request_specification),
        (AccessResponseGet(DataAccessResult.SUCCESS),) * len(asked.access_request_specification),
    ),
    ReadRequest: lambda asked, long, any_: ReadResponse((any_,) * len(asked.variable_access_specification)),
    WriteRequest: lambda asked, long, any_: WriteResponse((NULL_DATA,) * len(asked.variable_access_specification)),
    UnconfirmedWriteRequest: lambda asked, long, any_: WriteResponse((NULL_DATA,)),
}
"""What the meter answers to a request, given a long value and one that is long or short."""

EXCEPTIONS: dict[type[CosemError], str] = {
    InvocationCounterError: "D80106",  # and the counter that was expected
    DecodeError: "D80203",
    SecurityError: "D80105",
    RemoteProtocolError: "D80101",
    LocalProtocolError: "D80102",
}
"""The exception-response to each error, by its octets: state-error and service-error."""

TOO_LONG = "D80104"


class Adversary(RuleBasedStateMachine):
    """Both engines, what is under way between them, and everything that ever was."""

    @initialize(mode=st.sampled_from(sorted(MODES)), opened=st.booleans())
    def begin(self, mode: str, opened: bool) -> None:
        self.mode = MODES[mode]
        self.mechanism, self.protection = self.mode.mechanism, self.mode.protection
        self.protected = self.protection is not Protection.NONE
        self.drawn = 0
        self.archive: list[bytes] = list(FORGED)
        self.made: dict[str, set[bytes]] = {"client": set(), "server": set()}
        self.asked: list[Apdu] = []
        self.given: list[tuple[Apdu, Apdu]] = []
        self.proved: set[bytes] = set()
        stores = MemoryCounterStore()
        self.counters = {side: InvocationCounter(stores, side) for side in ("client", "server")}
        self.received = {
            side: Received(ReceivedCounter(), wrapped=ReceivedCounter(), signed=ReceivedCounter())
            for side in ("client", "server")
        }
        self.server = self.meter()
        self.dial()
        if opened:
            self.carry(4)

    def meter(self) -> ServerAssociation:
        titled = self.protected or MECHANISMS[self.mechanism].titles
        known = PreEstablished(CLIENT_TITLE if self.protected else None, LARGEST)
        policy = ServerPolicy(
            application_context=self.settings_of().application_context,
            mechanism=MECHANISMS[self.mechanism],
            secret=self.secret("server"),
            required=self.protection,
            security=(lambda title: self.context("server", SERVER_TITLE, title)) if titled else None,
            own_title=SERVER_TITLE if titled else None,
            conformance=self.mode.naming.implemented,
            max_receive_pdu_size=LARGEST,
            general_block_window=self.mode.window,
            pre_established=known if self.mode.pre_established else None,
        )
        return ServerAssociation(policy, self.chance)

    def chance(self, octets: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(octets, "big")

    def context(self, side: str, own: bytes, peer: bytes | None) -> SecurityContext:
        encryption, authentication = keys_of(self.mode.suite)
        return SecurityContext(
            self.mode.suite,
            own,
            peer,
            encryption,
            authentication,
            keys=general_keys(self.mode, side),
            entropy=self.chance,
            required=self.protection,
            counter=self.counters[side],
            received=self.received[side],
        )

    def settings_of(self) -> ClientSettings:
        return ClientSettings(
            mechanism=MECHANISMS[self.mechanism],
            secret=self.secret("client"),
            protection=self.protection,
            max_receive_pdu_size=LARGEST,
            dedicated_key=Key(self.chance(16)) if self.mode.dedicated else None,
            envelope=self.mode.envelope,
            key=self.mode.key,
            naming=self.mode.naming,
            conformance=self.mode.naming.implemented,
            general_block_window=self.mode.window,
            pre_established=PreEstablished(SERVER_TITLE, LARGEST) if self.mode.pre_established else None,
        )

    def secret(self, side: str) -> SharedSecret:
        """Return what `side` proves itself by."""
        if not MECHANISMS[self.mechanism].signatures:
            return SECRET
        return Signatures(SIGNERS[self.mode.suite, side], SIGNERS[self.mode.suite, OTHERS[side]].public)

    def dial(self) -> None:
        """Begin anew on a fresh connection: a fresh engine for the client, an idle one for the server."""
        self.server.abort()
        if self.mode.pre_established:
            self.server = self.meter()
        self.server.outgoing()
        self.server.events()
        self.challenge = self.chance(max(MECHANISMS[self.mechanism].challenge_octets, 16))
        titled = self.protected or MECHANISMS[self.mechanism].titles
        self.client = ClientAssociation(
            self.settings_of(),
            challenge=self.challenge,
            security=self.context("client", CLIENT_TITLE, None) if titled else None,
        )
        self.under_way: dict[str, list[bytes]] = {"client": [], "server": []}
        self.request: Apdu | None = None
        self.client.associate()
        self.gather("client")

    def gather(self, side: str) -> None:
        engine = self.client if side == "client" else self.server
        for octets in engine.outgoing():
            self.made[side].update(sealed(octets))
            self.archive.append(octets)
            self.under_way[side].append(octets)

    # -- what the two do ---------------------------------------------------------------------------------------------

    @rule(kind=st.sampled_from(sorted(REQUESTS)))
    def ask(self, kind: str) -> None:
        if self.client.state is not State.ASSOCIATED or self.client.awaiting:
            return
        request = REQUESTS[kind][self.mode.naming](self.client)
        self.client.send(request)
        self.request = request
        self.asked.append(request)
        self.gather("client")

    @rule()
    def release(self) -> None:
        if self.client.state is State.ASSOCIATED and not self.client.awaiting:
            self.client.release()
            self.gather("client")

    @rule(kind=st.sampled_from(sorted(REQUESTS)))
    def converse(self, kind: str) -> None:
        """Ask and be answered, if the adversary has not spoilt it."""
        self.ask(kind)
        self.carry(12)

    @rule(opened=st.booleans())
    def dial_again(self, opened: bool) -> None:
        self.dial()
        if opened:
            self.carry(4)

    @rule(times=st.integers(1, 12))
    def carry(self, times: int) -> None:
        """Carry what is under way, as a wire does."""
        for _ in range(times):
            for side in ("client", "server"):
                if self.under_way[side]:
                    self.deliver(side, self.under_way[side].pop(0))

    # -- what the adversary does ---------------------------------------------------------------------------------------

    @rule(
        side=st.sampled_from(("client", "server")),
        which=st.integers(0, 5) | st.integers(0, 10_000),
        alteration=st.sampled_from(sorted(ALTERATIONS)),
        at=st.integers(0, 300),
        bits=st.integers(1, 255),
    )
    def insert(self, side: str, which: int, alteration: str, at: int, bits: int) -> None:
        """Say as `side` what anybody ever said, perhaps altered; the newest is the likeliest."""
        if self.client.state is not State.ASSOCIATED:
            self.carry(4)
        octets = self.archive[-1 - which % len(self.archive)]
        self.deliver(side, ALTERATIONS[alteration](octets, at, bits))

    @rule(side=st.sampled_from(("client", "server")), octets=st.binary(max_size=40))
    def inject(self, side: str, octets: bytes) -> None:
        self.deliver(side, octets)

    @rule(kind=st.sampled_from(sorted(REQUESTS)), other=st.sampled_from(sorted(REQUESTS)))
    def interrupt(self, kind: str, other: str) -> None:
        """Refuse a request in the server's name, so that the true answer comes when that to another one is due."""
        self.ask(kind)
        self.deliver("server", bytes.fromhex("D80101"))
        self.ask(other)
        self.carry(12)

    @rule(mirrored=st.booleans(), challenge_mirrored=st.booleans(), proof=st.sampled_from(("own", "zeros", "none")))
    def impersonate(self, mirrored: bool, challenge_mirrored: bool, proof: str) -> None:
        """Answer in the meter's place, without its keys."""
        self.dial()
        if self.mode.pre_established:
            return  # there is no beginning to answer
        request: Any = apdus.decode(self.under_way["client"].pop())
        earlier = [octets for octets in self.archive if octets[:1] == b"\x61"]
        accepted: Any = apdus.decode(earlier[-1]) if earlier else None
        plain = InitiateResponse(negotiated_conformance=Conformance(0xFFFFFF), server_max_receive_pdu_size=200)
        answer = AssociationResponse(
            application_context_name=request.application_context_name,
            result=AssociationResult.ACCEPTED,
            result_source_diagnostic=AcseServiceUser.AUTHENTICATION_REQUIRED,
            responding_ap_title=CLIENT_TITLE if mirrored else SERVER_TITLE,
            mechanism_name=request.mechanism_name,
            responding_authentication_value=self.challenge if challenge_mirrored else bytes(range(16)),
            user_information=accepted.user_information if self.protected and accepted else plain.encode(),
        )
        client = self.client
        self.deliver("server", answer.encode())
        if self.client is not client or client.state is not State.AUTHENTICATING or self.protected:
            return
        proved: Any = apdus.decode(self.under_way["client"].pop())
        offered = PROOFS[self.mode.naming].offered(proved)
        forged = {"own": offered, "zeros": OctetString(bytes(len(offered))), "none": None}[proof]
        forgery: Apdu = ReadResponse((forged,))
        if self.mode.naming is Naming.LOGICAL_NAMES:
            returned = ActionResponseWithOptionalData(ActionResult.SUCCESS, forged)
            forgery = ActionResponseNormal(proved.invoke_id_and_priority, returned)
        self.deliver("server", forgery.encode())

    @precondition(lambda self: any(self.under_way.values()))
    @rule(side=st.sampled_from(("client", "server")), what=st.sampled_from(("lose", "swap", "double")))
    def disturb(self, side: str, what: str) -> None:
        queue = self.under_way[side]
        if what == "lose":
            del queue[:1]
        elif what == "swap":
            queue.reverse()
        else:
            queue += queue[:1]

    # -- what must hold ------------------------------------------------------------------------------------------------

    def deliver(self, said_by: str, octets: bytes) -> None:
        taker = "server" if said_by == "client" else "client"
        genuine = any(part in octets for part in self.made[said_by])
        before = self.last(taker)
        if taker == "server":
            self.server.receive(octets)
            self.serve()
        else:
            try:
                self.client.receive(octets)
            except ServiceError:
                pass
            except CosemError:
                self.check(self.client.events())
                self.judge(genuine, before, taker)
                self.dial()
                return
            self.check(self.client.events())
        self.judge(genuine, before, taker)
        self.gather(taker)

    def last(self, side: str) -> int:
        """Return how far the counters have come of what `side` has taken."""
        received = self.received[side]
        return sum(max(each.last, 0) for each in (received.unicast, received.by("wrapped"), received.by("signed")))

    def judge(self, genuine: bool, before: int, taker: str) -> None:
        after = self.last(taker)
        assert after >= before
        if not genuine:
            assert after == before, "a counter moved for an APDU that the other side never made"

    def serve(self) -> None:
        said, refused = 0, list[CosemError]()
        for event in self.server.events():
            if isinstance(event, Associated):
                challenges = self.server._challenges
                self.proved.add(b"" if challenges is None else challenges.client)
            if isinstance(event, Refused):
                refused.append(event.error)
            if isinstance(event, Requested):
                if self.protected:
                    assert event.apdu in self.asked, "a request that was never made, or made once and served twice"
                    self.asked.remove(event.apdu)
                said += 1
                self.server.respond(self.response(event.apdu))
        assert said <= 1
        outgoing = self.server.outgoing()
        assert len(outgoing) <= (WINDOW if self.mode.window else 1)
        self.judge_exceptions(outgoing, refused)
        self.server._outgoing = outgoing

    def judge_exceptions(self, outgoing: list[bytes], refused: list[CosemError]) -> None:
        """What was refused is answered as the one table says, and nothing else is answered so."""
        said = [octets[:3].hex().upper() for octets in outgoing if octets[:1] == b"\xd8"]
        if said and said != [TOO_LONG]:
            table = EXCEPTIONS.items()
            assert said == [next(octets for kind, octets in table if isinstance(error, kind)) for error in refused]

    def response(self, request: Any) -> Apdu:
        self.drawn += 1
        unique: Any = OctetString(str(self.drawn).encode() * 160)
        short: Any = DoubleLongUnsigned(self.drawn)
        response: Apdu = RESPONSES[type(request)](request, unique, short if self.drawn % 2 else unique)
        self.given.append((request, response))
        return response

    def check(self, events: list[AssociationEvent]) -> None:
        for event in events:
            if isinstance(event, Associated):
                assert event.negotiated.protection is self.protection
                if MECHANISMS[self.mechanism].challenges:
                    assert self.challenge in self.proved, "associated with somebody who proved nothing"
            elif isinstance(event, Response) and self.protected:
                assert (self.request, event.apdu) in self.given, "a value that was not given to this request"
                self.given.remove((self.request, event.apdu))  # type: ignore[arg-type]
                self.request = None
            elif isinstance(event, Notified) and event.apdu is not None:
                assert event.protection & self.protection == self.protection


Adversary.TestCase.settings = settings(
    max_examples=300,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


class TestAdversary(Adversary.TestCase):  # type: ignore[name-defined, misc]
    """Hypothesis plays the adversary."""
