"""How a client proves who it is and protects what it says: one setting for mechanism, secrets, keys and counters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict, TypeVar, Unpack

from cosem.danger import NOTHING, Weakness
from cosem.errors import ConfigurationError
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import ClientSettings, Naming, PreEstablished
from cosem.protocol.association.counter import (
    CounterStore,
    InvocationCounter,
    ReceivedCounter,
    RememberedCounter,
    counter_name,
)
from cosem.protocol.association.general_block import WINDOW_MAXIMUM
from cosem.protocol.association.layers import Envelope, GeneralKeys, KeyChoice
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection, SecurityContext
from cosem.protocol.crypto import mechanism as mechanisms
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.compression import Compression
from cosem.protocol.crypto.elliptic import Agreer, PublicKey, Signer
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret, Signatures
from cosem.protocol.dialect import STANDARD, Dialect
from cosem.protocol.model.classes.access_control import GREATEST_USER
from cosem.protocol.profile.communication import ApplicationUse
from cosem.protocol.values.obis import Obis
from cosem.store.counters import default_counter_store
from cosem.store.identity import client_system_title
from cosem.store.memory import MemoryCounterStore

_W = TypeVar("_W", Envelope, KeyChoice)

PROTECTIONS: dict[str, Protection] = {
    "none": Protection.NONE,
    "auth": Protection.AUTHENTICATION,
    "enc": Protection.ENCRYPTION,
    "auth+enc": AUTHENTICATED_ENCRYPTION,
    "auth+enc+sign": AUTHENTICATED_ENCRYPTION | Protection.SIGNATURE,
}
"""The words a person writes for a protection."""

ENVELOPES: dict[str, Envelope] = {each.value: each for each in (Envelope.SERVICE, Envelope.GENERAL, Envelope.CIPHERING)}
"""The words a person writes for the envelope of every service."""

KEY_CHOICES: dict[str, KeyChoice] = {each.value: each for each in KeyChoice}
"""The words a person writes for the key of every service, and how general-ciphering tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What one client address uses to enter one meter.

    Attributes:
        mechanism: how the client authenticates.
        secret: the LLS password, the HLS secret, or the signing keys of HLS with ECDSA.
        certificate: that of our signing key, in DER, for a meter that does not know it yet.
        suite: number of the security suite.
        protection: what every APDU carries, and the least that is accepted.
        encryption_key, authentication_key: the global unicast keys (GUEK, GAK).
        system_title: the client's own title, 8 octets.
        user: number of who uses this client, for a meter that lists users (0 to 255).
        meter_title: the meter's title when it is known; otherwise the meter tells it.
        dedicated: use a fresh dedicated key for each association.
        envelope: in which kind of envelope every service goes.
        key_info: how general-ciphering tells its key.
        keys: those of general-ciphering and general-signing beside the global ones.
        broadcast_key: the global broadcast encryption key, for what is sent to many.
        counters: where invocation counters are leased from.
        invocation_counter: the number to begin at or above; it can only raise what is stored.
        counter_approved: an operator has looked at that number, and it may be as far up as it likes.
        counter_reset_approved: an operator knows that the meter's counter was set back (see `RememberedCounter`).
        counter_object: the object of the meter that holds the counter, read by the public client first.
        dialect: what the meter does its own way.
        permitted: weaknesses from `cosem.danger`.
        general_block_window: blocks of general block transfer taken in a row, 1 to 63; with 0 it is off.
        compression: compress what goes encrypted in general envelopes of suites 1 and 2, and take what is compressed
            (see `cosem.protocol.crypto.compression`).
        delta_values: let the meter send the rows of profiles in deltas (see `cosem.protocol.codec.delta`).
        pre_established: the association is there without being opened, with what is known of the meter.
        naming: whether objects are referred to by logical or by short names.
        always_release: ask for the release of an unprotected association over HDLC too, where DISC ends it anyhow.
    """

    mechanism: Mechanism = MECHANISMS[0]
    secret: SharedSecret | None = None
    certificate: bytes | None = None
    protection: Protection = Protection.NONE
    encryption_key: Key | None = None
    authentication_key: Key | None = None
    system_title: bytes | None = None
    user: int | None = None
    meter_title: bytes | None = None
    suite: int = 0
    dedicated: bool = False
    envelope: Envelope = Envelope.SERVICE
    key_info: KeyChoice = KeyChoice.IDENTIFIED
    keys: GeneralKeys = field(default_factory=GeneralKeys)
    broadcast_key: Key | None = None
    counters: CounterStore = field(default_factory=MemoryCounterStore)
    invocation_counter: int | None = None
    counter_approved: bool = False
    counter_reset_approved: bool = False
    counter_object: Obis | None = None
    permitted: frozenset[Weakness] = NOTHING
    dialect: Dialect = STANDARD
    max_receive_pdu_size: int = 0xFFFF
    general_block_window: int = 0
    compression: bool = False
    delta_values: bool = False
    pre_established: PreEstablished | None = None
    naming: Naming = Naming.LOGICAL_NAMES
    always_release: bool = False

    def __post_init__(self) -> None:
        self.dialect.check(self.permitted)
        if self.secured and self.encryption_key is None:
            raise ConfigurationError("ciphering and GMAC need the encryption key (ek)")
        titled = self.secured or self.mechanism.titles
        if titled and (self.system_title is None or len(self.system_title) != TITLE_OCTETS):
            raise ConfigurationError(
                f"a client system title of {TITLE_OCTETS} octets is needed with keys and with authentication "
                f"{self.mechanism.name}"
            )
        if self.mechanism.signatures and not isinstance(self.secret, Signatures):
            raise ConfigurationError(
                f"authentication {self.mechanism.name} needs our private signing key (signing_key, --signing-key) "
                "and the meter's public one (peer_signing_key, --peer-signing-key)"
            )
        if self.pre_established is not None and self.mechanism.identifier:
            raise ConfigurationError(
                f"in a pre-established association nobody authenticates: leave authentication {self.mechanism.name} out"
            )
        titled = self.meter_title is not None or self.key_info is KeyChoice.BROADCAST
        if self.pre_established is not None and self.protection is not Protection.NONE and not titled:
            raise ConfigurationError(
                "a protected pre-established association needs the meter's system title (meter_title, --meter-title)"
            )
        if self.mechanism.secret and self.secret is None:
            raise ConfigurationError(f"authentication {self.mechanism.name} needs a password (password, --password)")
        if self.dedicated and self.protection is Protection.NONE:
            raise ConfigurationError(
                "a dedicated key needs protection, without which it would go over the line in clear"
            )
        self._check_envelope()
        if not self.secured and self.mechanism.identifier == 0 and self.secret is not None:
            raise ConfigurationError("a password does nothing with authentication none; write auth low or leave it out")
        if self.compression and (
            self.suite == 0 or self.envelope is Envelope.SERVICE or Protection.ENCRYPTION not in self.protection
        ):
            raise ConfigurationError(
                "compression is of what is encrypted, in security suites 1 and 2 and in general envelopes: "
                "it needs protection auth+enc and envelope general or general-ciphering (--envelope)"
            )
        if self.user is not None and not 0 <= self.user <= GREATEST_USER:
            raise ConfigurationError(f"user: a number from 0 to {GREATEST_USER}")
        if not 0 <= self.general_block_window <= WINDOW_MAXIMUM:
            raise ConfigurationError(f"gbt_window: 1 to {WINDOW_MAXIMUM} blocks, or 0 for none")

    def _check_envelope(self) -> None:
        keys, general = self.keys, self.envelope is not Envelope.SERVICE
        agreed = self.key_info in (KeyChoice.ONE_PASS, KeyChoice.STATIC)
        agreed_or_wrapped = agreed or self.key_info is KeyChoice.WRAPPED
        to_many = self.key_info is KeyChoice.BROADCAST
        signed = self.key_info is KeyChoice.ONE_PASS or Protection.SIGNATURE in self.protection
        if not general and self.key_info is KeyChoice.IDENTIFIED and not signed:
            return
        refusals = (
            (
                general and self.protection is Protection.NONE,
                f"envelope {self.envelope.value} needs protection and keys (ek, ak)",
            ),
            (
                agreed_or_wrapped and self.envelope is not Envelope.CIPHERING,
                f"key_info {self.key_info.value} goes with envelope general-ciphering (--envelope general-ciphering)",
            ),
            (
                self.dedicated and self.envelope is Envelope.CIPHERING,
                "general-ciphering never uses the dedicated key: write envelope general or service, or leave it out",
            ),
            (
                to_many and (self.broadcast_key is None or self.protection is Protection.NONE),
                "key_info broadcast needs protection and the broadcast key (broadcast_key)",
            ),
            (
                to_many and self.pre_established is None,
                "what is sent to many goes without opening an association (pre_established)",
            ),
            (
                self.key_info is KeyChoice.WRAPPED and keys.master_key is None,
                "key_info wrapped needs the master key (master_key, --master-key)",
            ),
            (
                agreed and (keys.agreer is None or keys.peer_agreement_key is None),
                f"key_info {self.key_info.value} needs our private agreement key and the meter's public one "
                "(agreement_key, --agreement-key and peer_agreement_key, --peer-agreement-key)",
            ),
            (
                signed and (keys.signer is None or keys.peer_signing_key is None),
                "what is signed needs our private signing key and the meter's public one "
                "(signing_key, --signing-key and peer_signing_key, --peer-signing-key)",
            ),
        )
        for wrong, why in refusals:
            if wrong:
                raise ConfigurationError(why)

    @property
    def secured(self) -> bool:
        """True when keys and counters take part."""
        return self.protection is not Protection.NONE or self.mechanism.keys

    @property
    def sends_password(self) -> bool:
        """True when a password goes over the wire as it is."""
        return self.mechanism.secret and not self.mechanism.challenges

    def counter(self) -> InvocationCounter:
        """Return the counter for this key and title, raised to what was given; SecurityError if that is too far."""
        assert self.encryption_key is not None and self.system_title is not None
        counter = InvocationCounter(self.counters, counter_name(self.encryption_key, self.system_title))
        if self.invocation_counter is not None:
            counter.raise_to(self.invocation_counter, operator_approved=self.counter_approved)
        return counter

    def association(
        self, use: ApplicationUse, entropy: Callable[[int], bytes], counter: InvocationCounter | None
    ) -> ClientAssociation:
        """Return an engine for one new association within what the profile allows; `entropy` gives chance."""
        security: SecurityContext | None = None
        if self.secured:
            assert self.encryption_key is not None and self.system_title is not None and counter is not None
            security = SecurityContext(
                self.suite,
                self.system_title,
                self.meter_title,
                self.encryption_key,
                self.authentication_key,
                required=self.protection,
                counter=counter,
                received=self._received(lambda: security),
                keys=self.keys,
                broadcast_key=self.broadcast_key,
                broadcast_counter=self._broadcast_counter(),
                entropy=entropy,
                compression=Compression() if self.compression else None,
                dialect=self.dialect,
                permitted=self.permitted,
            )
        settings = ClientSettings(
            mechanism=self.mechanism,
            secret=self.secret,
            own_title=self.system_title or b"",
            user=self.user,
            certificate=self.certificate,
            protection=self.protection,
            dedicated_key=Key(entropy(security.suite.key_octets)) if self.dedicated and security is not None else None,
            envelope=self.envelope,
            key=self.key_info,
            dialect=self.dialect,
            pre_established=self.pre_established,
            naming=self.naming,
            conformance=use.services[self.naming],
            max_receive_pdu_size=min(self.max_receive_pdu_size, use.max_pdu_size),
            general_block_window=self.general_block_window,
            delta_values=self.delta_values,
        )
        challenge = entropy(self.mechanism.challenge_octets) if self.mechanism.challenges else b""
        return ClientAssociation(settings, challenge=challenge, security=security)

    def _broadcast_counter(self) -> InvocationCounter | None:
        """Return the counter of the broadcast key, which counts for itself under whatever other keys there are."""
        if self.broadcast_key is None or self.system_title is None:
            return None
        return InvocationCounter(self.counters, counter_name(self.broadcast_key, self.system_title))

    def _received(self, security: Callable[[], SecurityContext | None]) -> ReceivedCounter | None:
        """Return what the meter has sent already, where no fresh challenge shows that it speaks now."""
        if self.mechanism.challenges:
            return None
        assert self.encryption_key is not None

        def title() -> bytes | None:
            context = security()
            return None if context is None else context.peer_title

        return RememberedCounter(
            self.counters,
            self.encryption_key,
            title,
            reset_approved=self.counter_reset_approved,
            each=self.pre_established is not None,
        )


class AccessWords(TypedDict, total=False):
    """`Access` in the words a person writes; every one of them may be left out.

    auth: none, low, gmac, sha256, ecdsa, with a permission md5, sha1, or a mechanism of the manufacturer's own.
    password: the LLS password or HLS secret. suite: 0, 1 or 2; left out, 2 where the keys have 32 octets, 1 with ecdsa.
    ek, ak: encryption and authentication key, as keys, octets or hex. system_title: the client's, 8 octets or hex.
    signing_key: our private key, or what signs in its place. peer_signing_key: the meter's public key.
    certificate: that of our signing key, in DER.
    protection: none, auth, enc, auth+enc, auth+enc+sign. dedicated: use a dedicated key.
    envelope: service, general (general-glo or general-ded) or general-ciphering. key_info, for the last: identified,
    wrapped (with master_key), one-pass or static (with agreement_key, ours, and peer_agreement_key, the meter's).
    With key_info broadcast everything goes under the broadcast_key to many meters, none of which answers.
    invocation_counter: begin there or above.
    counter_object: the object of the meter to read the counter from first. counters: where counters are leased from.
    approve_counter: an operator approves that number, however far it jumps. approve_counter_reset: an operator knows
    that the meter's own counter was set back, which without a challenge looks like a recorded session.
    delta_values: let the meter send the rows of profiles in deltas. compression: compress what goes encrypted
    in general envelopes of suites 1 and 2, off unless asked for: the parameters of V.44 in DLMS/COSEM are not public,
    so that another maker's meter may have others.
    gbt_window: propose general block transfer, and take so many blocks in a row (1 to 63; with 0, as usual, it is off).
    pre_established: the association is there without being opened. meter_title: the meter's system title, where the
    meter cannot tell it itself. naming: ln for logical names, as usual, or sn for short names. always_release: send
    RLRQ before DISC in an unprotected association over HDLC too.
    """

    auth: str | Mechanism | None
    suite: int | None
    signing_key: Signer | None
    peer_signing_key: PublicKey | None
    certificate: bytes | None
    password: Secret | bytes | str | None
    ek: Key | bytes | str | None
    ak: Key | bytes | str | None
    system_title: bytes | str | None
    protection: str | Protection | None
    dedicated: bool
    envelope: str | Envelope | None
    key_info: str | KeyChoice | None
    master_key: Key | bytes | str | None
    broadcast_key: Key | bytes | str | None
    agreement_key: Agreer | None
    peer_agreement_key: PublicKey | None
    user: int | None
    invocation_counter: int | None
    approve_counter: bool
    approve_counter_reset: bool
    counter_object: Obis | str | None
    counters: CounterStore | None
    permitted: frozenset[Weakness]
    dialect: Dialect
    pre_established: bool
    meter_title: bytes | str | None
    max_receive_pdu_size: int
    gbt_window: int
    naming: str | Naming
    delta_values: bool
    compression: bool
    always_release: bool


def access(**words: Unpack[AccessWords]) -> Access:
    """Return an `Access` from what a person writes; what is left out follows from what is there.

    A password alone means authentication low; an encryption key alone means GMAC with authenticated encryption.
    Counters and the client's own system title are kept for this user unless given.

    Raises:
        ConfigurationError: something is missing or does not fit together.
    """
    auth, password, ek = words.get("auth"), words.get("password"), _key(words.get("ek"))
    protection, signatures = words.get("protection"), _signatures(words)
    permitted = words.get("permitted", NOTHING)
    if isinstance(auth, Mechanism):
        mechanism = auth
    elif auth is None and words.get("pre_established", False):
        mechanism = MECHANISMS[0]
    elif auth is not None:
        mechanism = mechanisms.named(auth, permitted)
    else:
        guesses = ((signatures, 7), (ek, 5), (password, 1), (True, 0))
        mechanism = MECHANISMS[next(number for given, number in guesses if given is not None)]
    if protection is None:
        chosen = AUTHENTICATED_ENCRYPTION if ek is not None else Protection.NONE
    elif isinstance(protection, Protection):
        chosen = protection
    else:
        if protection not in PROTECTIONS:
            raise ConfigurationError(f"protection {protection!r} is not known; write one of {', '.join(PROTECTIONS)}")
        chosen = PROTECTIONS[protection]
    secured = chosen is not Protection.NONE or mechanism.keys
    title = words.get("system_title")
    meter_title = _title(words.get("meter_title"))
    counters = words.get("counters")
    return Access(
        mechanism=mechanism,
        secret=signatures if mechanism.signatures else _secret(password),
        certificate=words.get("certificate"),
        suite=_suite(words.get("suite"), ek, signatures, words.get("agreement_key")),
        protection=chosen,
        encryption_key=ek,
        authentication_key=_key(words.get("ak")),
        system_title=client_system_title() if title is None and (secured or mechanism.titles) else _title(title),
        meter_title=meter_title,
        user=words.get("user"),
        pre_established=PreEstablished(meter_title) if words.get("pre_established", False) else None,
        dedicated=words.get("dedicated", False),
        envelope=_word(words.get("envelope"), ENVELOPES, "envelope", Envelope.SERVICE),
        key_info=_word(words.get("key_info"), KEY_CHOICES, "key_info", KeyChoice.IDENTIFIED),
        keys=GeneralKeys(
            master_key=_key(words.get("master_key")),
            signer=words.get("signing_key"),
            peer_signing_key=words.get("peer_signing_key"),
            agreer=words.get("agreement_key"),
            peer_agreement_key=words.get("peer_agreement_key"),
        ),
        broadcast_key=_key(words.get("broadcast_key")),
        counters=default_counter_store() if counters is None and secured else counters or MemoryCounterStore(),
        invocation_counter=words.get("invocation_counter"),
        counter_approved=words.get("approve_counter", False),
        counter_reset_approved=words.get("approve_counter_reset", False),
        counter_object=_instance(words.get("counter_object")),
        permitted=permitted,
        dialect=words.get("dialect", STANDARD),
        max_receive_pdu_size=words.get("max_receive_pdu_size", 0xFFFF),
        general_block_window=words.get("gbt_window", 0),
        naming=_naming(words.get("naming", Naming.LOGICAL_NAMES)),
        delta_values=words.get("delta_values", False),
        compression=words.get("compression", False),
        always_release=words.get("always_release", False),
    )


def _word(given: str | _W | None, known: dict[str, _W], name: str, default: _W) -> _W:
    """Return what a word stands for. Raises ConfigurationError that lists the words there are."""
    if given is None:
        return default
    if not isinstance(given, str):
        return given
    if given not in known:
        raise ConfigurationError(f"{name} {given!r} is not known; write one of {', '.join(known)}")
    return known[given]


def _signatures(words: AccessWords) -> Signatures | None:
    own, peer = words.get("signing_key"), words.get("peer_signing_key")
    return None if own is None or peer is None else Signatures(own, peer)


def _suite(given: int | None, ek: Key | None, signatures: Signatures | None, agreer: Agreer | None) -> int:
    """Return the suite that was named, else the lowest that the keys can be of. Raises ConfigurationError."""
    if given is None:
        own = (None if signatures is None else signatures.signer, agreer)
        curves = [each.public.curve for each in own if each is not None]
        by_curve = max((number for number, suite in suites.SUITES.items() if suite.curve in curves), default=0)
        given = max(by_curve, 2 if ek is not None and len(ek) == suites.SUITES[2].key_octets else 0)
    suite = suites.of(given)
    if signatures is not None and {signatures.signer.public.curve, signatures.peer.curve} != {suite.curve}:
        raise ConfigurationError(f"the signing keys are not on the curve of security suite {given} ({suite.name})")
    return given


def _naming(given: str | Naming) -> Naming:
    if isinstance(given, Naming):
        return given
    known = {each.value: each for each in Naming}
    if given not in known:
        raise ConfigurationError(f"naming {given!r} is not known; write {' or '.join(known)}")
    return known[given]


def _instance(given: Obis | str | None) -> Obis | None:
    return None if given is None else Obis(given)


def _secret(given: Secret | bytes | str | None) -> Secret | None:
    if given is None or isinstance(given, Secret):
        return given
    return Secret(given.encode() if isinstance(given, str) else given)


def _key(given: Key | bytes | str | None) -> Key | None:
    if given is None or isinstance(given, Key):
        return given
    return Key.from_hex(given) if isinstance(given, str) else Key(given)


def _title(given: bytes | str | None) -> bytes | None:
    if given is None or isinstance(given, bytes):
        return given
    try:
        title = bytes.fromhex(given.replace(":", " "))
    except ValueError:
        title = given.encode()
    if len(title) != TITLE_OCTETS:
        raise ConfigurationError("a system title has 8 octets: write 16 hex digits, such as 434F530000000001")
    return title
