"""Layers of protection that say by whom they are and with which key: the keys of general-ciphering and general-signing.

In general-ciphering the key is identified (one both sides have), wrapped (made for one message), or agreed by
Diffie-Hellman: one-pass (the originator makes a key pair for one message) or static unified (the transaction-id keeps
the keys of messages apart). (IEC 62056-5-3)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Final, Literal, TypeAlias, TypeVar

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, SecurityError
from cosem.protocol.apdu.protected import (
    ONE_PASS_DIFFIE_HELLMAN,
    STATIC_UNIFIED_MODEL,
    AgreedKey,
    GeneralSigning,
    IdentifiedKey,
    KekId,
    KeyId,
    KeyInfo,
    WrappedKey,
)
from cosem.protocol.association.counter import ReceivedCounter
from cosem.protocol.association.transfer import ENVELOPE_OVERHEAD
from cosem.protocol.crypto import agreement, wrap
from cosem.protocol.crypto.elliptic import Agreer, PrivateKey, PublicKey, Signer, entropy_octets
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import Suite
from cosem.protocol.dialect import STANDARD, Dialect

_T = TypeVar("_T")

LENGTH_OCTETS: Final = 5
"""The most octets of a length."""


class Envelope(Enum):
    """The kinds of envelope, by the word a person writes."""

    SERVICE = "service"
    """glo- or ded-: an envelope of the service's own."""
    GENERAL = "general"
    """general-glo-ciphering or general-ded-ciphering."""
    CIPHERING = "general-ciphering"
    SIGNING = "general-signing"

    __hash__ = object.__hash__


class KeyChoice(Enum):
    """How general-ciphering tells the key, by the word a person writes."""

    IDENTIFIED = "identified"
    BROADCAST = "broadcast"
    WRAPPED = "wrapped"
    ONE_PASS = "one-pass"  # noqa: S105  no password
    STATIC = "static"

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Layer:
    """One envelope around an APDU; an answer gets the same layers as its question.

    Attributes:
        envelope: its kind.
        dedicated: whether it is under the dedicated key.
        key: how general-ciphering tells the key.
        transaction_id: of general-ciphering and general-signing; None for a fresh one.
    """

    envelope: Envelope
    dedicated: bool = False
    key: KeyChoice = KeyChoice.IDENTIFIED
    transaction_id: bytes | None = None


GLOBAL: Final[tuple[Layer, ...]] = (Layer(Envelope.SERVICE),)
"""The envelope of a service's own, under the global key."""

DEDICATED: Final[tuple[Layer, ...]] = (Layer(Envelope.SERVICE, dedicated=True),)
"""The same under the dedicated key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralKeys:
    """Keys for general-ciphering and general-signing beside the global ones; what is missing cannot be used.

    Attributes:
        master_key: wraps the keys of messages (KEK).
        signer: makes our signatures.
        peer_signing_key: checks those of the peer.
        agreer: our static key for agreement.
        peer_agreement_key: that of the peer.
    """

    master_key: Key | None = None
    signer: Signer | None = None
    peer_signing_key: PublicKey | None = None
    agreer: Agreer | None = None
    peer_agreement_key: PublicKey | None = None

    def check(self, suite: Suite) -> None:
        """Raise ConfigurationError unless all fit the suite."""
        if self is NO_GENERAL_KEYS:
            return
        if self.master_key is not None and len(self.master_key) != suite.key_octets:
            raise ConfigurationError(
                f"security suite {suite.identifier} ({suite.name}) has keys of {suite.key_octets} octets, "
                f"the master key has {len(self.master_key)}"
            )
        for name, key in (
            ("signing key", None if self.signer is None else self.signer.public),
            ("signing key of the peer", self.peer_signing_key),
            ("agreement key", None if self.agreer is None else self.agreer.public),
            ("agreement key of the peer", self.peer_agreement_key),
        ):
            if key is not None and key.curve is not suite.curve:
                has = "no curve" if suite.curve is None else suite.curve.name
                raise ConfigurationError(
                    f"the {name} is on {key.curve.name}, security suite {suite.identifier} has {has}"
                )

    def __repr__(self) -> str:
        return "GeneralKeys(not shown)"


NO_GENERAL_KEYS: Final = GeneralKeys()
"""None of them, which fits every suite: most associations have no others than the global keys."""


OtherKey: TypeAlias = Literal["broadcast", "wrapped", "agreed", "signed"]
"""What a message may come by instead of the global unicast key."""


class Received:
    """What was received from one sender, by key: give counters that outlive the association where a peer can open
    several with the same keys.

    The keys of wrapped and agreed messages are new each time, and whoever forgets them could be sent a message twice.
    So counters go on rising over all of them, as those of peers do. What is signed and not ciphered has no counter; its
    transaction-id is one.
    """

    __slots__ = ("_others", "unicast")

    def __init__(self, unicast: ReceivedCounter | None = None, **others: ReceivedCounter) -> None:
        self.unicast = ReceivedCounter() if unicast is None else unicast
        self._others = others

    def by(self, key: OtherKey) -> ReceivedCounter:
        """Return the counter of what comes by another key, made when it is first asked for."""
        counter = self._others.get(key)
        if counter is None:
            counter = self._others[key] = ReceivedCounter()
        return counter


@dataclass(frozen=True, slots=True)
class KeyOfMessage:
    """The key that a key-info stands for; None where it is one of the global keys."""

    choice: KeyChoice
    key: Key | None = None


def overhead(layers: tuple[Layer, ...], suite: Suite) -> int:
    """Return the most octets that these envelopes add to an APDU."""
    if layers is GLOBAL:
        return ENVELOPE_OVERHEAD
    if all(layer.envelope in (Envelope.SERVICE, Envelope.GENERAL) for layer in layers):
        return ENVELOPE_OVERHEAD * len(layers)
    curve = suite.curve
    signature, point = (0, 0) if curve is None else (curve.signature_octets, curve.public_octets)
    key_info = {
        KeyChoice.IDENTIFIED: 3,
        KeyChoice.BROADCAST: 3,
        KeyChoice.WRAPPED: 4 + suite.key_octets + wrap.GROWTH,
        KeyChoice.ONE_PASS: 6 + point + signature,
        KeyChoice.STATIC: 5,
    }
    octets = 0
    for layer in layers:
        fields = 24 + (8 if layer.transaction_id is None else len(layer.transaction_id))
        octets += {
            Envelope.CIPHERING: fields + key_info[layer.key] + ENVELOPE_OVERHEAD - TITLE_OCTETS - 2,
            Envelope.SIGNING: fields + LENGTH_OCTETS + 2 + signature,
        }.get(layer.envelope, ENVELOPE_OVERHEAD)
    return octets


class GeneralProtection:
    """Makes and takes key-info, and signs and checks signatures, for one side of an association."""

    def __init__(
        self,
        suite: Suite,
        own_title: bytes,
        keys: GeneralKeys,
        entropy: Callable[[int], bytes] | None,
        dialect: Dialect = STANDARD,
    ) -> None:
        keys.check(suite)
        self.dialect = dialect
        self._suite = suite
        self._own_title = own_title
        self._keys = keys
        self._entropy = entropy
        self._key_id = ONE_PASS_DIFFIE_HELLMAN[0] if dialect.ephemeral_key_signed_with_scheme else None

    def can_make(self, choice: KeyChoice) -> bool:
        """Tell whether the keys for a message of ours are here."""
        keys = self._keys
        return {
            KeyChoice.WRAPPED: keys.master_key is not None,
            KeyChoice.ONE_PASS: keys.signer is not None and keys.peer_agreement_key is not None,
            KeyChoice.STATIC: keys.agreer is not None and keys.peer_agreement_key is not None,
        }.get(choice, choice is KeyChoice.IDENTIFIED)

    # -- sending ------------------------------------------------------------------------------------------------------

    def make(self, choice: KeyChoice, peer: bytes, transaction_id: bytes) -> tuple[KeyInfo, Key | None]:
        """Return the key-info of a new message and its key, None for a global one; LocalProtocolError without keys."""
        return self._MADE[choice](self, peer, transaction_id)

    def _identified(self, peer: bytes, transaction_id: bytes) -> tuple[KeyInfo, Key | None]:
        return IdentifiedKey(KeyId.GLOBAL_UNICAST_ENCRYPTION_KEY), None

    def _broadcast(self, peer: bytes, transaction_id: bytes) -> tuple[KeyInfo, Key | None]:
        return IdentifiedKey(KeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY), None

    def _wrapped(self, peer: bytes, transaction_id: bytes) -> tuple[KeyInfo, Key | None]:
        master_key = _needed(self._keys.master_key, "a wrapped key", "the master key")
        key = Key(self._chance(self._suite.key_octets))
        return WrappedKey(KekId.MASTER_KEY, wrap.wrap(master_key, key)), key

    def _one_pass(self, peer: bytes, transaction_id: bytes) -> tuple[KeyInfo, Key | None]:
        what, curve = "one-pass Diffie-Hellman", self._suite.required_curve
        peer_key = _needed(self._keys.peer_agreement_key, what, "the agreement key of the peer")
        signer = _needed(self._keys.signer, what, "a signing key")
        ephemeral = PrivateKey.from_entropy(curve, self._chance(entropy_octets(curve)))
        key = agreement.agreed(self._suite, ephemeral, peer_key, self._own_title, peer)
        return AgreedKey(ONE_PASS_DIFFIE_HELLMAN, agreement.signed(ephemeral.public, signer, self._key_id)), key

    def _static(self, peer: bytes, transaction_id: bytes) -> tuple[KeyInfo, Key | None]:
        own, peer_key = self._static_keys(LocalProtocolError)
        key = agreement.agreed(self._suite, own, peer_key, self._own_title, peer, transaction_id=transaction_id)
        return AgreedKey(STATIC_UNIFIED_MODEL, b""), key

    def sign(self, apdu: bytes, peer: bytes, transaction_id: bytes) -> bytes:
        """Return `apdu` in general-signing; LocalProtocolError without a signing key."""
        signer = _needed(self._keys.signer, "general-signing", "a signing key")
        unsigned = GeneralSigning(transaction_id, self._own_title, peer, b"", b"", apdu, b"")
        signature = signer.sign(self._signed(unsigned))
        return GeneralSigning(transaction_id, self._own_title, peer, b"", b"", apdu, signature).encode()

    # -- receiving ----------------------------------------------------------------------------------------------------

    def take(self, key_info: KeyInfo | None, originator: bytes, transaction_id: bytes) -> KeyOfMessage:
        """Return the key of a message; SecurityError when it is none of ours, or not shown to be the originator's.

        Raises DecodeError when the octets of an agreed key do not have its form.
        """
        if key_info is None:
            return KeyOfMessage(KeyChoice.IDENTIFIED)
        if isinstance(key_info, IdentifiedKey):
            choice = self._IDENTIFIED.get(key_info.key_id)
            if choice is None:
                raise SecurityError(f"key-info identifies key {int(key_info.key_id)}, which is reserved")
            return KeyOfMessage(choice)
        if isinstance(key_info, WrappedKey):
            return KeyOfMessage(KeyChoice.WRAPPED, self._unwrapped(key_info))
        taken = self._AGREED.get(key_info.key_parameters)
        if taken is None:
            raise SecurityError(
                f"key-info names the key agreement {key_info.key_parameters.hex().upper()}, a reserved one"
            )
        choice, agree = taken
        return KeyOfMessage(choice, agree(self, key_info.key_ciphered_data, originator, transaction_id))

    def _unwrapped(self, key_info: WrappedKey) -> Key:
        if key_info.kek_id is not KekId.MASTER_KEY:
            raise SecurityError(f"the key is wrapped under key {int(key_info.kek_id)}, which is reserved")
        if self._keys.master_key is None:
            raise SecurityError("the key is wrapped under the master key, and there is none here")
        if len(key_info.key_ciphered_data) != self._suite.key_octets + wrap.GROWTH:
            raise SecurityError(
                f"a wrapped key of security suite {self._suite.identifier} has {self._suite.key_octets + wrap.GROWTH} "
                f"octets, this has {len(key_info.key_ciphered_data)}"
            )
        return wrap.unwrap(self._keys.master_key, key_info.key_ciphered_data)

    def _agreed_in_one_pass(self, octets: bytes, originator: bytes, transaction_id: bytes) -> Key:
        keys = self._keys
        if keys.agreer is None or keys.peer_signing_key is None:
            raise SecurityError(
                "the key is agreed by one-pass Diffie-Hellman: that needs an agreement key of ours "
                "and the signing key of the peer"
            )
        ephemeral = agreement.opened(self._suite, octets, keys.peer_signing_key, self._key_id)
        return agreement.agreed(self._suite, keys.agreer, ephemeral, originator, self._own_title)

    def _agreed_static(self, octets: bytes, originator: bytes, transaction_id: bytes) -> Key:
        if octets:
            raise DecodeError("the static unified model has no octets here", None, ("key-ciphered-data",))
        own, peer_key = self._static_keys(SecurityError)
        if len(transaction_id) > 127:
            raise SecurityError(f"a transaction-id of {len(transaction_id)} octets, at most 127 are taken")
        return agreement.agreed(self._suite, own, peer_key, originator, self._own_title, transaction_id=transaction_id)

    def verify(self, signing: GeneralSigning) -> None:
        """Raise SecurityError unless the peer has signed it."""
        if self._keys.peer_signing_key is None:
            raise SecurityError("it is signed, and there is no signing key of the peer to check that with")
        self._keys.peer_signing_key.verify(self._signed(signing), signing.signature)

    def _signed(self, signing: GeneralSigning) -> bytes:
        return signing.signed(content_length=self.dialect.content_length_signed)

    def _static_keys(self, error: type[LocalProtocolError | SecurityError]) -> tuple[Agreer, PublicKey]:
        own, peer = self._keys.agreer, self._keys.peer_agreement_key
        if own is None or peer is None:
            raise error("the static unified model needs the agreement keys of both sides")
        return own, peer

    def _chance(self, octets: int) -> bytes:
        return _needed(self._entropy, "a key made for one message", "entropy")(octets)

    _IDENTIFIED: ClassVar[Mapping[int, KeyChoice]] = {
        KeyId.GLOBAL_UNICAST_ENCRYPTION_KEY: KeyChoice.IDENTIFIED,
        KeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY: KeyChoice.BROADCAST,
    }
    _MADE: ClassVar[Mapping[KeyChoice, Callable[..., tuple[KeyInfo, Key | None]]]] = {
        KeyChoice.IDENTIFIED: _identified,
        KeyChoice.BROADCAST: _broadcast,
        KeyChoice.WRAPPED: _wrapped,
        KeyChoice.ONE_PASS: _one_pass,
        KeyChoice.STATIC: _static,
    }
    """Who makes the key-info of a message."""

    _AGREED: ClassVar[Mapping[bytes, tuple[KeyChoice, Callable[..., Key]]]] = {
        ONE_PASS_DIFFIE_HELLMAN: (KeyChoice.ONE_PASS, _agreed_in_one_pass),
        STATIC_UNIFIED_MODEL: (KeyChoice.STATIC, _agreed_static),
    }
    """Who agrees on the key of a message, by key-parameters."""


def _needed(what: _T | None, purpose: str, name: str) -> _T:
    if what is None:
        raise LocalProtocolError(f"{purpose} needs {name}, and there is none here")
    return what
