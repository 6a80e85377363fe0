"""Which associations a meter offers: who may open one and how they prove themselves, and their keys and counters."""

from __future__ import annotations

import secrets
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple, Protocol

from cosem.errors import ConfigurationError
from cosem.meter.events import MeterEvent
from cosem.meter.rights import Access, Rights
from cosem.protocol.apdu.acse import ApplicationContext
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.context import (
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    IMPLEMENTED_SHORT_NAME_SERVICES,
    AssociationLimits,
    Naming,
    PreEstablished,
)
from cosem.protocol.association.counter import (
    RECEIVED,
    CounterStore,
    InvocationCounter,
    ReceivedCounter,
    counter_name,
    received_name,
)
from cosem.protocol.association.general_block import WINDOW_MAXIMUM
from cosem.protocol.association.layers import NO_GENERAL_KEYS, GeneralKeys, Received
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection, SecurityContext
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.certificate import Certificate, Use
from cosem.protocol.crypto.compression import Compression
from cosem.protocol.crypto.elliptic import PrivateKey, PublicKey
from cosem.protocol.crypto.gcm import TITLE_OCTETS, Gcm
from cosem.protocol.crypto.key import FINGERPRINT_OCTETS, Key
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret, Signatures
from cosem.protocol.dialect import STANDARD, Dialect
from cosem.protocol.model.classes.access_control import User
from cosem.store.memory import MemoryCounterStore

PUBLIC_CLIENT: Final = 16
READ_ONLY: Final = Rights(Access.READ)

BY_LOGICAL_NAMES: Final = frozenset((Naming.LOGICAL_NAMES,))
BY_EITHER_NAMES: Final = frozenset(Naming)

LEASE: Final = 256
"""Sending counters taken at once: a meter sends much, and a restart may waste some."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of an association, of security suite `suite`.

    `encryption` and `authentication` are the global ones, `broadcast` that of messages to many, `general` those of
    general-ciphering and general-signing, the peer being the client.

    `temporary` keys die with the process, so that their counters need not outlive it. `demonstration` keys are
    printed in every manual: they protect nothing, and are served on loopback only. `certificates` are what the meter
    holds, the authorities it believes among them; `pending` are key pairs that have no certificate yet, by what they
    are for.
    """

    encryption: Key
    authentication: Key
    temporary: bool = False
    demonstration: bool = False
    suite: int = 0
    broadcast: Key | None = None
    general: GeneralKeys = NO_GENERAL_KEYS
    certificates: tuple[Certificate, ...] = ()
    pending: Mapping[Use, PrivateKey] = field(default_factory=dict[Use, PrivateKey], hash=False)
    cipher: Gcm = field(init=False, compare=False, repr=False)
    """The global keys, ready for use in any association."""

    def __post_init__(self) -> None:
        suite = suites.of(self.suite)
        self.general.check(suite)
        for name, key in (
            ("encryption", self.encryption),
            ("authentication", self.authentication),
            ("broadcast", self.broadcast),
            ("master", self.general.master_key),
        ):
            if key is None:
                continue
            if len(key) != suite.key_octets:
                raise ConfigurationError(
                    f"the {name} key of security suite {suite.identifier} ({suite.name}) has {suite.key_octets} octets"
                )
            if key.well_known and not self.demonstration:
                raise ConfigurationError(
                    f"the {name} key is printed in manuals and protects nothing: make one of your own; "
                    "for a demonstration on this machine there are demo keys"
                )
        if self.encryption == self.authentication:
            raise ConfigurationError("the encryption key and the authentication key must not be the same")
        object.__setattr__(self, "cipher", Gcm(self.encryption, self.authentication))

    @classmethod
    def random(cls, suite: int = 0) -> Keys:
        """Make keys that live as long as this process."""
        octets = suites.of(suite).key_octets
        encryption, authentication = (Key(secrets.token_bytes(octets)) for _ in range(2))
        return cls(encryption, authentication, temporary=True, suite=suite)


def demo_keys(suite: int = 0) -> Keys:
    """Return the published example keys, for demonstrations on loopback; those of suite 2 go on counting."""
    octets = suites.of(suite).key_octets
    encryption, authentication = (Key(bytes(range(first, first + octets))) for first in (0x00, 0xD0))
    return Keys(encryption, authentication, temporary=True, demonstration=True, suite=suite)


class Furnishing(NamedTuple):
    """Which objects an association has of its own, and what can be changed in them.

    Attributes:
        suite: of its security set-up; None where it has none.
        password: whether the LLS secret can be written, in encrypted associations alone.
        secret: whether the HLS secret can be changed, in encrypted associations alone.
        users: whether users are listed.
        observes: whether it shows what becomes of the other associations as well.
    """

    suite: int | None = None
    password: bool = False
    secret: bool = False
    users: bool = False
    observes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationDescription:
    """One association that a logical device offers to the client with SAP `client`.

    Without `keys` nothing is protected; with them `protection` is what every message must have. `secret` is the LLS
    password, the HLS secret, or the signing keys of HLS with ECDSA; `certificate` that of the meter's signing key, in
    DER. With a `general_block_window` general block transfer is granted, and so many blocks are taken in a row (1 to
    63). `naming` says by which names objects may be referred to; `conformance` and `short_name_conformance` are the
    services of each. Raises ConfigurationError when something needed is missing.

    With `pre_established` the association is there without being opened, for a client with title `client_title` that
    takes APDUs of `client_max_receive_pdu_size` octets (0: of any size). Then `broadcast` are the methods, each as
    class_id and method, that the client may run on all devices at once.

    With `compression` what is encrypted is compressed, and may come so (see `cosem.protocol.crypto.compression`).
    `users` are those of the client's users that may come in, all where there are none; left out, nobody can list them.
    `dialect` says which protection differs from the standard's.
    """

    client: int
    name: str = ""
    mechanism: Mechanism = MECHANISMS[0]
    secret: SharedSecret | None = None
    certificate: bytes | None = None
    keys: Keys | None = None
    protection: Protection = Protection.NONE
    rights: Rights = READ_ONLY
    naming: frozenset[Naming] = BY_LOGICAL_NAMES
    conformance: Conformance = IMPLEMENTED_LOGICAL_NAME_SERVICES
    short_name_conformance: Conformance = IMPLEMENTED_SHORT_NAME_SERVICES
    max_receive_pdu_size: int = 1024
    general_block_window: int = 0
    pre_established: bool = False
    client_title: bytes | None = None
    client_max_receive_pdu_size: int = 0
    broadcast: frozenset[tuple[int, int]] = frozenset()
    users: tuple[User, ...] | None = None
    compression: bool = False
    dialect: Dialect = STANDARD
    limits: AssociationLimits = field(default_factory=AssociationLimits)
    furnishing: Furnishing = field(init=False, compare=False, repr=False)
    """What of its own objects depends on what it is."""
    _contexts: Mapping[ApplicationContext, Conformance] = field(init=False, compare=False, repr=False)
    """The services in each context in which the client may come."""

    def __post_init__(self) -> None:
        for why in self._refusals():
            raise ConfigurationError(why)
        # Many meters of a fleet share one description, and each session asks for these.
        object.__setattr__(self, "furnishing", self._furnishing())
        offered = {Naming.LOGICAL_NAMES: self.conformance, Naming.SHORT_NAMES: self.short_name_conformance}
        contexts = {
            naming.context(ciphered=self.protection is not Protection.NONE): services
            for naming, services in offered.items()
            if naming in self.naming
        }
        object.__setattr__(self, "_contexts", contexts)

    def _refusals(self) -> Iterator[str]:
        """Return what is wrong, in words that are put together only where it is."""
        mechanism, protection, keys = self.mechanism, int(self.protection), self.keys
        if not 0 < self.client < 0x80:
            yield f"client {self.client}: a client SAP is a number from 1 to 127"
        if not self.naming:
            yield "naming: by logical names, by short names, or both"
        if mechanism.secret and not self.secret:
            yield f"authentication {mechanism.name!r} needs a password or secret"
        if mechanism.signatures and not isinstance(self.secret, Signatures):
            yield f"authentication {mechanism.name!r} needs the meter's private signing key and the client's public one"
        if mechanism.keys and keys is None:
            yield f"authentication {mechanism.name!r} needs keys"
        if protection and keys is None:
            yield "protection needs keys"
        if protection & _AUTHENTICATED_ENCRYPTION == _ENCRYPTION:
            yield "encryption without authentication is not offered"
        if protection & _SIGNATURE and (keys is None or not keys.general.signer or not keys.general.peer_signing_key):
            yield "signed messages need the meter's signing key and that of the client"
        if self.pre_established and mechanism.identifier:
            yield f"in a pre-established association nobody authenticates: leave {mechanism.name!r} out"
        if self.pre_established and keys is not None and len(self.client_title or b"") != TITLE_OCTETS:
            yield "a pre-established association with keys needs the client's system title"
        if self.compression and not (self.suite and protection & _ENCRYPTION):
            yield "compression is of what is encrypted, in security suites 1 and 2: it needs protection auth+enc"
        if self.broadcast and not self.pre_established:
            yield "a broadcast needs a pre-established association"
        if not self.limits.smallest_pdu <= self.max_receive_pdu_size <= 0xFFFF:
            yield f"max_receive_pdu_size: {self.limits.smallest_pdu} to 65535 octets"
        if not 0 <= self.general_block_window <= WINDOW_MAXIMUM:
            yield f"gbt_window: 1 to {WINDOW_MAXIMUM} blocks, or 0 for none"

    @property
    def ciphered(self) -> bool:
        """Whether the association has a security context."""
        return self.keys is not None

    def _furnishing(self) -> Furnishing:
        encrypted = bool(int(self.protection) & _ENCRYPTION)
        return Furnishing(
            self.suite,
            password=encrypted and self.mechanism.secret and not self.mechanism.challenges,
            secret=encrypted and self.mechanism.secret and self.mechanism.challenges,
            users=self.users is not None,
            observes=self.rights.access is Access.MANAGE,
        )

    @property
    def suite(self) -> int | None:
        """The security suite of its security context, None where it has none."""
        return None if self.keys is None else self.keys.suite

    def policy(self, title: bytes, counters: Counters, sap: int) -> ServerPolicy:
        """Return what the server engine must know, for the logical device `sap` of a meter with this system title."""
        first = next(iter(self._contexts))
        return ServerPolicy(
            application_context=first,
            mechanism=self.mechanism,
            secret=self.secret,
            certificate=self.certificate,
            required=self.protection,
            security=None if self.keys is None else partial(self._security, title, counters, sap),
            own_title=title if self.keys is not None or self.mechanism.titles else None,
            conformance=self._contexts[first],
            also=self._contexts,
            max_receive_pdu_size=self.max_receive_pdu_size,
            general_block_window=self.general_block_window,
            pre_established=(
                PreEstablished(self.client_title, self.client_max_receive_pdu_size) if self.pre_established else None
            ),
            users=frozenset(user.user_id for user in self.users or ()),
            limits=self.limits,
        )

    def push_security(self, title: bytes, counters: Counters, sap: int) -> SecurityContext:
        """Return what protects a push of the logical device `sap` to the client, and opens its confirmation.

        Without `client_title` the confirmation says whose it is. Raises ConfigurationError without keys.
        """
        if self.keys is None:
            raise ConfigurationError(f"client {self.client} has no keys that could protect a push")
        return self._security(title, counters, sap, self.client_title)

    def _security(self, title: bytes, counters: Counters, sap: int, peer: bytes | None) -> SecurityContext:
        keys = self.keys
        assert keys is not None
        return SecurityContext(
            keys.suite,
            title,
            peer,
            keys.cipher,
            keys.authentication,
            required=self.protection,
            counter=counters.sending(keys, title),
            received=Received() if peer is None else counters.all_received(keys, peer, sap),
            broadcast_key=keys.broadcast,
            keys=keys.general,
            entropy=secrets.token_bytes,
            compression=Compression() if self.compression else None,
            dialect=self.dialect,
        )


# As whole numbers, for each operation on flags calls back into Python several times.
_ENCRYPTION: Final = int(Protection.ENCRYPTION)
_AUTHENTICATED_ENCRYPTION: Final = int(AUTHENTICATED_ENCRYPTION)
_SIGNATURE: Final = int(Protection.SIGNATURE)

OPEN_ASSOCIATION: Final = AssociationDescription(client=PUBLIC_CLIENT, name="without authentication, read-only")
"""What a meter offers for which no association was described."""

PUBLIC_ASSOCIATION: Final = AssociationDescription(
    client=PUBLIC_CLIENT, name="public client", rights=Rights(Access.PUBLIC)
)
"""The usual public client beside associations that need authentication."""


class KeyKeeper(Protocol):
    """What keeps the associations of a meter over restarts, with their keys, where clients change them."""

    def keep(self, device: str, association: AssociationDescription) -> None:
        """Make durable what the logical device of that name offers a client from now on.

        Raises ConfigurationError when that cannot be done; the meter then refuses the change.
        """
        ...


class Counters:
    """The invocation counters of one meter: those it sends, and the last of each client, over all associations.

    Args:
        store: keeps them over restarts; None where only temporary keys are used.
        back: by how much the number of what is sent falls back with each association, in a misbehaving meter.
    """

    __slots__ = ("_back", "_live", "_memory", "_received", "_sending", "_store")

    def __init__(self, store: CounterStore | None, back: int = 0) -> None:
        self._store = store
        self._back = back
        self._memory = MemoryCounterStore()
        self._sending: dict[str, InvocationCounter] = {}
        self._received: dict[str, _Received] = {}
        self._live: dict[str, weakref.ref[_Received]] = {}
        """Those that an association has at present."""

    def check(self, keys: Keys) -> None:
        """Raise ConfigurationError when these keys outlive their counters."""
        if self._store is None and not keys.temporary:
            raise ConfigurationError(
                "keys that live longer than this process need a counter store that does too: an invocation counter "
                "used twice gives the key away (give counters=FileCounterStore(path), for example)"
            )

    def sending(self, keys: Keys, title: bytes) -> InvocationCounter:
        """Return the one counter for what is sent under a key."""
        name = counter_name(keys.encryption, title)
        counter = self._sending.get(name)
        if counter is None:
            counter = self._sending[name] = InvocationCounter(self._place(keys), name, LEASE)
        if self._back:
            # Whoever has asked for this has temporary keys, which protect nothing that outlives the process.
            first = max(counter.peek() - self._back, 0)
            counter = self._sending[name] = InvocationCounter(_Rolled(first), name, LEASE)
        return counter

    def alarms(self, keys: Iterable[Keys], title: bytes) -> list[str]:
        """Return what is to be said about the counters of what is sent under these keys."""
        found = ((each, self.sending(each, title).alarm) for each in keys if not each.temporary)
        return [f"key {each.encryption.fingerprint}: {alarm}" for each, alarm in found if alarm is not None]

    def received(self, keys: Keys, peer: bytes) -> ReceivedCounter:
        """Return the one counter for what a client sends under a key.

        It is remembered from the first message that verifies; before, anybody could fill the memory with titles.
        """
        return self._named(received_name(keys.encryption, peer), keys)

    def all_received(self, keys: Keys, peer: bytes, sap: int) -> Received:
        """Return the counters for what a client sends under each of the keys there are.

        What is sent to many reaches every logical device; so each keeps a counter of its own for it.
        """
        general, others = keys.general, dict[str, ReceivedCounter]()
        if keys.broadcast is not None:
            others["broadcast"] = self._named(f"{received_name(keys.broadcast, peer)}-{sap}", keys)
        if general.master_key is not None:
            others["wrapped"] = self._named(received_name(general.master_key, peer), keys)
        if general.agreer is not None:
            others["agreed"] = self._named(_name(general.agreer.public, peer), keys)
        if general.peer_signing_key is not None:
            others["signed"] = self._named(_name(general.peer_signing_key, peer), keys)
        return Received(self.received(keys, peer), **others)

    def _named(self, name: str, keys: Keys) -> ReceivedCounter:
        live = self._live.get(name)
        counter = None if live is None else live()
        if counter is None:
            counter = _Received(self, self._place(keys), name)
            self._live[name] = weakref.ref(counter, lambda _: self._live.pop(name, None))
        return counter

    def last(self, keys: Keys) -> int:
        """Return the greatest counter that any client has used under a key, 0 before the first."""
        front = f"{RECEIVED}{keys.encryption.fingerprint}-"
        return max((counter.last for name, counter in self._received.items() if name.startswith(front)), default=0)

    def keep(self) -> None:
        """Make durable what was received."""
        for counter in self._received.values():
            counter.keep()

    def remember(self, name: str, counter: _Received) -> None:
        """Hold on to a counter whose client has proved to have the key."""
        self._received[name] = counter

    def _place(self, keys: Keys) -> CounterStore:
        return self._memory if keys.temporary or self._store is None else self._store


class _Rolled(MemoryCounterStore):
    """A store that begins at a number, whether it was used or not."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self._first = first

    def lease(self, name: str, count: int, at_least: int = 0) -> range:
        return super().lease(name, count, max(at_least, self._first))

    def peek(self, name: str) -> int:
        return max(super().peek(name), self._first)


def _name(key: PublicKey, peer: bytes) -> str:
    """Return the name of the counter for what a client sends by means of a public key."""
    return f"{RECEIVED}{key.octets[:FINGERPRINT_OCTETS].hex()}-{peer.hex()}"


class _Received(ReceivedCounter):
    """A received counter that all associations of one client share, and that is remembered once it has risen."""

    __slots__ = ("__weakref__", "_counters", "_key", "_last")

    def __init__(self, counters: Counters, store: CounterStore, name: str) -> None:
        self._counters = counters
        self._key = name
        super().__init__(store, name)

    @property
    def last(self) -> int:
        """The greatest number that was verified."""
        return self._last

    @last.setter
    def last(self, number: int) -> None:
        self._last = number
        if number >= 0:
            self._counters.remember(self._key, self)


# -- what was changed -------------------------------------------------------------------------------------------------

_GLOBAL_KEYS: Final = ("encryption", "authentication", "broadcast")


def changes(before: AssociationDescription, after: AssociationDescription) -> Iterator[MeterEvent]:
    """Return what a meter notes of an association that was changed: what was given anew, though it be the same."""
    if after.secret is not before.secret:
        yield MeterEvent.PASSWORD_CHANGED
    if after.protection != before.protection:
        yield MeterEvent.POLICY_CHANGED
    old, new = before.keys, after.keys
    if old is None or new is None:
        return
    for_all = any(getattr(new, name) is not getattr(old, name) for name in _GLOBAL_KEYS)
    if for_all:
        yield MeterEvent.GLOBAL_KEY_CHANGED
    if for_all or new.general is not old.general:
        yield MeterEvent.KEY_CHANGED
