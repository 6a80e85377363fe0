"""The security context of an association: protects what is sent, and lets in nothing weaker than was agreed.

A protected APDU is an envelope: a tag, with general envelopes the sender's system title, a length, the security
control octet, the invocation counter, and then ciphertext or plaintext with its authentication tag (IEC 62056-5-3).
Envelopes may lie in one another, as when something is signed and then ciphered. Which there are and how each is opened
says one table, `_ENVELOPES`; how each is made says `_MADE`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from hmac import compare_digest
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

from cosem import danger
from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, SecurityError
from cosem.protocol.apdu.ciphered import DEDICATED_TAGS, GLOBAL_TAGS, SecurityControl
from cosem.protocol.apdu.initiate import InitiateRequest, InitiateResponse
from cosem.protocol.apdu.protected import GeneralCiphering, GeneralSigning
from cosem.protocol.association.counter import InvocationCounter, ReceivedCounter
from cosem.protocol.association.heading import (
    FRONTS,
    GENERAL_FRONTS,
    HEADER_OCTETS,
    OCTET,
    SERVICES,
    length,
    misplaced,
    past_length,
)
from cosem.protocol.association.layers import (
    DEDICATED,
    GLOBAL,
    NO_GENERAL_KEYS,
    Envelope,
    GeneralKeys,
    GeneralProtection,
    KeyChoice,
    KeyOfMessage,
    Layer,
    Received,
    overhead,
)
from cosem.protocol.association.services import (
    ERRORS,
    GENERAL_CIPHERING,
    GENERAL_DEDICATED,
    GENERAL_GLOBAL,
    GENERAL_SIGNING,
    NOTIFICATIONS,
    SAID_TO_MANY,
    is_unconfirmed,
)
from cosem.protocol.codec.reader import TRANSFER
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.compression import Compression
from cosem.protocol.crypto.gcm import COUNTER_MAXIMUM, TAG_OCTETS, TITLE_OCTETS, Cipher, Gcm
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import PROTECTION_MASK, SUITE_MASK, Protection
from cosem.protocol.dialect import STANDARD, Dialect

__all__ = ["AUTHENTICATED_ENCRYPTION", "LAYERS", "Protection", "SecurityContext", "Unprotected"]

AUTHENTICATED_ENCRYPTION: Final = Protection.AUTHENTICATION | Protection.ENCRYPTION
PROOF_OCTETS: Final = HEADER_OCTETS + TAG_OCTETS
TRANSACTION_ID_OCTETS: Final = 8

LAYERS: Final = 4
"""How many envelopes may lie in one another, unless a context is told otherwise."""

SIGNATURES: Final = 4096
"""How many merely signed messages one association takes whose transaction-ids do not keep them apart."""


class Unprotected(NamedTuple):
    """An APDU out of its envelopes: `protection` is what was verified of it, `system_title` whose it is.

    `counter` is that of the outermost envelope, 0 where that is a signature. `layers` are the envelopes, the outermost
    first.
    """

    apdu: bytes
    protection: Protection
    counter: int
    system_title: bytes
    layers: tuple[Layer, ...] = ()

    def __repr__(self) -> str:
        # The APDU may hold a key (an InitiateRequest does), so only its size is shown.
        return (
            f"Unprotected({len(self.apdu)} octets, {self.protection!r}, counter={self.counter}, "
            f"system_title={self.system_title.hex()})"
        )


_Opened: TypeAlias = "tuple[tuple[bytes, Protection, int, bytes, tuple[Layer, ...]], ReceivedCounter, int, bool]"
"""What was in one envelope, as in `Unprotected`; the counter to raise, or _UNCOUNTED; the security control octet, or 0;
and whether there is nothing more to open or to check than all APDUs need."""

_UNCOUNTED: Final = ReceivedCounter()
"""Stands for no counter: there was no tag, or a signature."""


class _Envelope(NamedTuple):
    """An envelope by its first octet: the tag of the service in it, 0 for any, and how it is opened."""

    service: int
    dedicated: bool
    opened: Callable[[SecurityContext, bytes, _Envelope], _Opened]
    layers: tuple[Layer, ...] = ()


def _service_specific(opened: Callable[[SecurityContext, bytes, _Envelope], _Opened]) -> dict[int, _Envelope]:
    """Return the envelopes that services have of their own."""
    return {
        tag: _Envelope(plain, dedicated, opened, layers)
        for dedicated, tags, layers in ((False, GLOBAL_TAGS, GLOBAL), (True, DEDICATED_TAGS, DEDICATED))
        for plain, tag in tags.items()
    }


class SecurityContext:
    """Keys, titles and counters of one association.

    Args:
        suite: number of the security suite.
        own_title: system title of this side, 8 octets.
        peer_title: system title of the other side; None until it is known, see `meet`.
        encryption_key: the global unicast encryption key, or what ciphers under it and the authentication key.
        authentication_key: the global authentication key; may be missing only where `required` does without.
        dedicated_key: see `use_dedicated`.
        broadcast_key: the global broadcast encryption key; without it nothing protected by it is let in.
        keys: those of general-ciphering and general-signing beside the global ones.
        required: the least protection that is accepted.
        applied: the protection of what is sent; the required one unless given.
        counter: gives the invocation counters of what is sent.
        broadcast_counter: gives those of what is sent under the broadcast key; without it nothing is.
        received: the greatest counter seen of the peer; give one that outlives the association where the peer can
            open several with the same key, and `Received` where it has several keys.
        general: send general-glo and general-ded envelopes even where a service has its own.
        entropy: gives the asked number of unpredictable octets, for keys that are made for one message.
        compression: compresses what is sent in general envelopes, as peers have it, and takes what is compressed;
            without it nothing compressed is let in.
        longest: the most octets that a compressed APDU may become.
        layers: how many envelopes may lie in one another.
        dialect: what the peer does its own way.
        permitted: weaknesses from `cosem.danger`.

    Raises:
        ConfigurationError: a title or key does not fit, or the protection needs a key or a permission it lacks.
    """

    def __init__(
        self,
        suite: int,
        own_title: bytes,
        peer_title: bytes | None,
        encryption_key: Key | Cipher,
        authentication_key: Key | None,
        *,
        dedicated_key: Key | None = None,
        broadcast_key: Key | None = None,
        keys: GeneralKeys | None = None,
        required: Protection = AUTHENTICATED_ENCRYPTION,
        applied: Protection | None = None,
        counter: InvocationCounter,
        broadcast_counter: InvocationCounter | None = None,
        received: ReceivedCounter | Received | None = None,
        general: bool = False,
        entropy: Callable[[int], bytes] | None = None,
        compression: Compression | None = None,
        longest: int = 0xFFFF,
        layers: int = LAYERS,
        dialect: Dialect = STANDARD,
        permitted: frozenset[danger.Weakness] = danger.NOTHING,
    ) -> None:
        self.suite = suites.of(suite)
        self.required = required
        self.applied = required if applied is None else applied
        self.general = general
        self.refused = 0
        """How many APDUs were refused for want of security; the owner may close the association when it is many."""
        self._permitted = permitted
        self._own_title = _checked_title(own_title)
        self._peer_title: bytes | None = None
        self._authentication_key = self._checked_key(authentication_key) if authentication_key is not None else None
        self._counter = counter
        self._received = received if isinstance(received, Received) else Received(received)
        self._global = self._ring(encryption_key, self._received.unicast, counter)
        self._dedicated: _Ring | None = None
        self._broadcast = (
            None
            if broadcast_key is None
            else self._ring(broadcast_key, self._received.by("broadcast"), broadcast_counter)
        )
        self._general = GeneralProtection(self.suite, self._own_title, keys or NO_GENERAL_KEYS, entropy, dialect)
        self._entropy = entropy
        self._compression = compression
        self._longest = longest
        self._most_layers = layers
        self._dialect = dialect
        self._tolerated: Counter[str] | None = None
        self._signatures: set[bytes] = set()
        self._signs = bool(int(self.applied) & _SIGNED)
        self._check_protection(keys)
        self._control = self._mode() | suite
        self._openings = self._accepted()
        if peer_title is not None:
            self.meet(peer_title)
        if dedicated_key is not None:
            self.use_dedicated(dedicated_key)

    @property
    def tolerated(self) -> Counter[str]:
        """How often the peer did what its dialect permits, by the name of that."""
        self._tolerated = Counter() if self._tolerated is None else self._tolerated
        return self._tolerated

    @property
    def own_title(self) -> bytes:
        """System title of this side."""
        return self._own_title

    @property
    def peer_title(self) -> bytes | None:
        """System title of the other side, None until it is known."""
        return self._peer_title

    def meet(self, peer_title: bytes) -> None:
        """Take note of the peer's system title; SecurityError when it is ours, or another than before."""
        if len(peer_title) != TITLE_OCTETS:
            raise SecurityError(f"a system title has {TITLE_OCTETS} octets, that of the peer has {len(peer_title)}")
        if peer_title == self._own_title:
            raise SecurityError("the peer shows our own system title: it may mirror what it is sent")
        if self._peer_title is not None and peer_title != self._peer_title:
            raise SecurityError(
                f"the peer's system title is {peer_title.hex().upper()}, expected was {self._peer_title.hex().upper()}"
            )
        self._peer_title = bytes(peer_title)

    def use_dedicated(self, key: Key, counter: InvocationCounter | None = None) -> None:
        """Take note of the dedicated key of this association.

        Unless a `counter` is given, what is sent under it goes on with the global counter: that is right even if a
        key handed in from outside is not fresh. The peer's counter is followed on its own, since most begin anew.
        """
        self._dedicated = self._ring(key, ReceivedCounter(), counter or self._counter)
        self._openings = self._accepted()

    # -- sending ------------------------------------------------------------------------------------------------------

    def protect(self, apdu: bytes, *, dedicated: bool = False, general: bool = False, broadcast: bool = False) -> bytes:
        """Return `apdu` in its envelope, with the next invocation counter; never call it again to repeat a message.

        Raises LocalProtocolError when the APDU has no envelope or the context has no such key, SecurityError when the
        counter is used up.
        """
        ring = self._dedicated if dedicated else self._broadcast if broadcast else self._global
        if ring is None or ring.counter is None:
            raise LocalProtocolError(
                "nothing can be sent under the broadcast key here"
                if broadcast
                else "there is no dedicated key in this association"
            )
        control = self._control
        if not control & PROTECTION_MASK:
            raise LocalProtocolError("this association sends without protection")
        fronts = FRONTS.get(apdu[0]) if apdu else None
        if fronts is None:
            raise LocalProtocolError(f"an APDU with tag {apdu[:1].hex().upper() or '(none)'} has no envelope")
        front, in_general = fronts[dedicated], general or self.general or not fronts[dedicated]
        if in_general:
            front = GENERAL_FRONTS[dedicated] + self._own_title
        if broadcast:
            control |= _BROADCAST
        if in_general and self._compression is not None:
            control, apdu = self._compressed(control, apdu)
        counter = ring.counter.next().to_bytes(4, "big")
        protected = ring.cipher.protect(control, self._own_title + counter, apdu)
        size = HEADER_OCTETS + len(protected)
        counted = OCTET[size] if size < 0x80 else length(size)
        return b"".join((front, counted, OCTET[control], counter, protected))

    def wrap(self, apdu: bytes, layers: tuple[Layer, ...]) -> bytes:
        """Return `apdu` in envelopes, the outermost first in `layers`; never call it again to repeat a message.

        Layers without a transaction-id get the same fresh one. Where what is sent is to be signed and no layer does
        it, it is signed first. Raises what `protect` raises, and LocalProtocolError when a key is missing.
        """
        if layers is GLOBAL and not self._signs:
            return self.protect(apdu)
        if len(layers) == 1 and layers[0].envelope not in _IN_TRANSACTIONS and not self._signs:
            return self._make_ciphered(apdu, layers[0])
        return self._wrapped(apdu, self.numbered(layers))

    def wrapping(self, layers: tuple[Layer, ...]) -> Callable[[bytes], tuple[bytes, bytes | None]]:
        """Return what does `wrap` for all that goes in the same layers, and gives the transaction-id of each, or None.

        An answer must repeat it, see `unprotect`.
        """
        if len(layers) == 1 and layers[0].envelope not in _IN_TRANSACTIONS and not self._signs:
            dedicated, to_many = layers[0].dedicated, layers[0].key is KeyChoice.BROADCAST
            general, protect = layers[0].envelope is Envelope.GENERAL, self.protect
            return lambda apdu: (protect(apdu, dedicated=dedicated, general=general, broadcast=to_many), None)

        def wrapped(apdu: bytes) -> tuple[bytes, bytes | None]:
            numbered = self.numbered(layers)
            transaction = next((each.transaction_id for each in numbered if each.transaction_id is not None), None)
            return self._wrapped(apdu, numbered), transaction

        return wrapped

    def _wrapped(self, apdu: bytes, numbered: tuple[Layer, ...]) -> bytes:
        for layer in reversed(numbered):
            apdu = self._MADE[layer.envelope](self, apdu, layer)
        return apdu

    def answering(self, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        """Return the layers of an answer: those of the question, under the global key where a key for it is not here.

        So a peer that is known by its signing key alone gets its answer, as it does from the meters of others.
        """
        if layers is GLOBAL:
            return layers
        return tuple(
            each if self._general.can_make(each.key) else replace(each, key=KeyChoice.IDENTIFIED) for each in layers
        )

    def overhead(self, layers: tuple[Layer, ...]) -> int:
        """Return the most octets that `wrap` adds to an APDU."""
        if self._signs and all(each.envelope is not Envelope.SIGNING for each in layers):
            layers = (*layers, Layer(Envelope.SIGNING))
        return overhead(layers, self.suite)

    def numbered(self, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        """Return the layers as they are sent: with the signature that is due, and with their transaction-id."""
        if self._signs and all(each.envelope is not Envelope.SIGNING for each in layers):
            given = next((each.transaction_id for each in layers if each.transaction_id is not None), None)
            layers = (*layers, Layer(Envelope.SIGNING, transaction_id=given))
        if all(each.transaction_id is not None or each.envelope not in _IN_TRANSACTIONS for each in layers):
            return layers
        fresh = self._transaction_id(layers)
        return tuple(
            replace(each, transaction_id=fresh)
            if each.envelope in _IN_TRANSACTIONS and each.transaction_id is None
            else each
            for each in layers
        )

    def _transaction_id(self, layers: tuple[Layer, ...]) -> bytes:
        # In the static unified model it must never come again under any global key, and so is not counted under one.
        if self._entropy is not None and any(each.key is KeyChoice.STATIC for each in layers):
            return self._entropy(TRANSACTION_ID_OCTETS)
        return self._counter.next().to_bytes(TRANSACTION_ID_OCTETS, "big")

    def _make_ciphered(self, apdu: bytes, layer: Layer) -> bytes:
        general, broadcast = layer.envelope is Envelope.GENERAL, layer.key is KeyChoice.BROADCAST
        return self.protect(apdu, dedicated=layer.dedicated, general=general, broadcast=broadcast)

    def _make_general_ciphering(self, apdu: bytes, layer: Layer) -> bytes:
        control, transaction_id = self._control, layer.transaction_id or b""
        if not control & PROTECTION_MASK:
            raise LocalProtocolError("this association sends without protection")
        key_info, key = self._general.make(layer.key, self._known_peer(), transaction_id)
        ring = self._ring_of(KeyOfMessage(layer.key, key))
        if ring is None or ring.counter is None:
            raise LocalProtocolError("nothing can be sent under the broadcast key here")
        if self._compression is not None:
            control, apdu = self._compressed(control, apdu)
        message = GeneralCiphering(transaction_id, self._own_title, self._known_peer(), b"", b"", key_info, b"")
        counter = ring.counter.next().to_bytes(4, "big")
        fields = message.fields if self._dialect.fields_in_tag else b""
        protected = ring.cipher.protect(control, self._own_title + counter, apdu, fields)
        return replace(message, ciphered_content=OCTET[control] + counter + protected).encode()

    def _make_general_signing(self, apdu: bytes, layer: Layer) -> bytes:
        return self._general.sign(apdu, self._known_peer(), layer.transaction_id or b"")

    def _compressed(self, control: int, apdu: bytes) -> tuple[int, bytes]:
        assert self._compression is not None
        packet = self._compression.compress(apdu)
        return (control, apdu) if packet is None else (control | _COMPRESSION, packet)

    _MADE: ClassVar[Mapping[Envelope, Callable[..., bytes]]] = {
        Envelope.SERVICE: _make_ciphered,
        Envelope.GENERAL: _make_ciphered,
        Envelope.CIPHERING: _make_general_ciphering,
        Envelope.SIGNING: _make_general_signing,
    }
    """How each envelope is made."""

    # -- receiving ----------------------------------------------------------------------------------------------------

    def unprotect(self, apdu: bytes, answers: bytes | None = None) -> Unprotected:
        """Return what is in the envelopes, after everything that can be verified was verified.

        `answers` is the transaction-id that an answer must repeat, where its envelopes have one.

        Raises SecurityError when it is weaker than required, does not verify, or was received before; DecodeError
        when it is no well-formed envelope. An APDU without envelope passes only if nothing is required of it, or if
        it reports an error, which is all it is then good for (its `protection` is NONE).
        """
        try:
            envelope = self._ENVELOPES.get(apdu[0]) if apdu else None
            if envelope is None:
                return self._in_clear(apdu)
            service, dedicated, opened_by, layers = envelope
            if service and answers is None and HEADER_OCTETS <= len(apdu) - 2 == apdu[1] < 0x80:
                # Nearly every APDU comes so, and is opened here in one go; anything else goes through all that follows.
                opening, title = self._openings[dedicated].get(apdu[2]), self._peer_title
                if opening is not None and opening.simple and title is not None:
                    counter = apdu[3:7]
                    plain = opening.unprotect(title + counter, apdu[7:])
                    number, received = int.from_bytes(counter, "big"), opening.received
                    if number <= received.last:
                        raise received.refusal(number)
                    if not plain or plain[0] != service:
                        raise misplaced(apdu, plain)
                    # Only now is the counter known to be the peer's own; before, anybody could have driven it up.
                    received.last = number
                    return _unprotected(Unprotected, (plain, opening.protection, number, title, layers))
            opened = opened_by(self, apdu, envelope)
            what, received, _, simple = opened
            if not simple or answers is not None:
                return self._through_layers(apdu, opened, answers)
            received.last = what[2]
            self._peer_title = what[3]
            return _unprotected(Unprotected, what)
        except SecurityError:
            self.refused += 1
            raise

    def _open_ciphered(self, apdu: bytes, envelope: _Envelope) -> _Opened:
        """Open glo-, ded-, general-glo or general-ded, in which by far the most APDUs come."""
        service, dedicated, _, layers = envelope
        title = self._peer_title
        if not service:
            title, at = self._sender(apdu)
        elif title is None:
            raise SecurityError(_PEER_UNKNOWN)
        else:
            at = 1
        # One octet of length is read here, since nearly every APDU has that; anything else goes through all checks.
        size = len(apdu) - at - 1
        at = at + 1 if HEADER_OCTETS <= size < 0x80 and apdu[at] == size else past_length(apdu, at)
        start = at + HEADER_OCTETS
        control = apdu[at]
        opening = self._openings[dedicated].get(control)
        if opening is None:
            raise self._refusal(control, dedicated)
        unprotect, received, protection, counted, simple = opening
        counter = apdu[at + 1 : start]
        plain = unprotect(title + counter, apdu[start:])
        number = int.from_bytes(counter, "big")
        if number <= received.last:
            raise received.refusal(number)
        if control & _COMPRESSION:
            plain = self._decompressed(plain)
        if service:
            if not plain or plain[0] != service:
                raise misplaced(apdu, plain)
        elif not plain or plain[0] not in SERVICES:
            simple = False
        return (plain, protection, number, title, layers), counted, control, simple

    def _open_general_ciphering(self, apdu: bytes, _envelope: _Envelope) -> _Opened:
        message = GeneralCiphering.decode(apdu, TRANSFER)
        title = self._originator(message)
        header = message.header
        control, number = header.control, header.invocation_counter
        # The standard has the key-set bit always 0 here, for key-info tells the key; some set it for the broadcast key.
        bare = control & ~_BROADCAST
        opening = self._openings[0].get(bare)
        if opening is None:
            raise self._refusal(bare, dedicated=False)
        told = self._general.take(message.key_info, title, message.transaction_id)
        if control & _BROADCAST and told.choice is not KeyChoice.BROADCAST:
            raise SecurityError("the key-set bit says broadcast key, and key-info tells another one")
        ring = self._ring_of(told)
        if ring is None:
            raise SecurityError("it is under the broadcast key, and there is none here")
        fields = message.fields if self._dialect.fields_in_tag else b""
        nonce = title + number.to_bytes(4, "big")
        plain = ring.cipher.unprotect(control, nonce, message.ciphered_content[HEADER_OCTETS:], fields)
        if number <= ring.received.last:
            raise ring.received.refusal(number)
        if control & _COMPRESSION:
            plain = self._decompressed(plain)
        if told.choice is KeyChoice.BROADCAST:
            control |= _BROADCAST
        layer = Layer(Envelope.CIPHERING, key=told.choice, transaction_id=message.transaction_id)
        received = _UNCOUNTED if opening.counted is _UNCOUNTED else ring.received
        return (plain, opening.protection, number, title, (layer,)), received, control, False

    def _open_general_signing(self, apdu: bytes, _envelope: _Envelope) -> _Opened:
        message = GeneralSigning.decode(apdu, TRANSFER)
        title = self._originator(message)
        self._general.verify(message)
        layer = Layer(Envelope.SIGNING, transaction_id=message.transaction_id)
        return (message.content, Protection.SIGNATURE, 0, title, (layer,)), _UNCOUNTED, 0, False

    def _through_layers(self, apdu: bytes, opened: _Opened, answers: bytes | None) -> Unprotected:
        """Open what is in the envelope that was opened, as deep as it goes, and judge the whole before it counts."""
        (plain, verified, first, title, layers), received, control, _ = opened
        counters = [] if received is _UNCOUNTED else [(received, first)]
        envelopes = [apdu]
        while (envelope := self._ENVELOPES.get(plain[0]) if plain else None) is not None:
            if len(layers) >= self._most_layers:
                raise SecurityError(f"more than {self._most_layers} envelopes lie in one another")
            envelopes.append(plain)
            what, received, inner_control, _ = envelope.opened(self, plain, envelope)
            plain, protection, number, inner_title, inner_layers = what
            if inner_title != title:
                raise SecurityError("the envelopes in one another are from different parties")
            verified, control, layers = verified | protection, control | inner_control, layers + inner_layers
            if received is not _UNCOUNTED:
                if (received, number) in counters:
                    raise received.refusal(number)
                counters.append((received, number))
        if not plain or plain[0] not in SERVICES:
            raise misplaced(envelopes[-1], plain)
        required = self.required & AUTHENTICATED_ENCRYPTION if plain[:1] in _INITIATE else self.required
        if verified & required != required:
            raise SecurityError(f"it has {_written(verified)}, required is {_written(required)}")
        self._check_whole(plain, control, layers, answers)
        if not counters and Protection.SIGNATURE in verified:
            signature = GeneralSigning.decode(envelopes[0], TRANSFER).signature if not control else b""
            counters += self._fresh(layers[0], signature, answers)
        for received, number in counters:
            received.last = max(received.last, number)
        if counters or Protection.SIGNATURE in verified:
            self._peer_title = title
        return Unprotected(plain, verified, first, title, layers)

    def _check_whole(self, plain: bytes, control: int, layers: tuple[Layer, ...], answers: bytes | None) -> None:
        """Check what concerns an APDU as a whole, once it is verified."""
        if control & _BROADCAST and not (is_unconfirmed(plain) and plain[0] in SAID_TO_MANY):
            raise SecurityError("under the broadcast key, which many hold, only unconfirmed services are let in")
        if answers is None or plain[0] in NOTIFICATIONS:
            return
        for layer in layers:
            if layer.transaction_id is not None and layer.transaction_id != answers:
                if self._dialect.any_transaction_id:
                    self.tolerated["any_transaction_id"] += 1
                    continue
                raise SecurityError(
                    f"the answer is to transaction {layer.transaction_id.hex().upper() or '(none)'}, "
                    f"due was {answers.hex().upper()}"
                )

    def _fresh(self, layer: Layer, signature: bytes, answers: bytes | None) -> list[tuple[ReceivedCounter, int]]:
        """Return what counter a merely signed message raises; SecurityError unless it is known to be no replay."""
        transaction_id = layer.transaction_id or b""
        if answers is not None and transaction_id == answers:
            return []
        if self._dialect.any_transaction_id:
            # Whoever sees a signature can make another of the same message with the same r, but none with another.
            half = signature[: len(signature) // 2]
            if half in self._signatures:
                raise SecurityError("this signed message was received before")
            if len(self._signatures) >= SIGNATURES:
                raise SecurityError(f"more than {SIGNATURES} merely signed messages in one association")
            self._signatures.add(half)
            return []
        number = int.from_bytes(transaction_id, "big")
        received = self._received.by("signed")
        if number > COUNTER_MAXIMUM or number <= received.last:
            raise SecurityError(
                f"a message that is only signed has transaction-id {transaction_id.hex().upper() or '(none)'}, "
                f"which is not greater than the last one: it may be a replay"
            )
        return [(received, number)]

    def _decompressed(self, packet: bytes) -> bytes:
        assert self._compression is not None
        return self._compression.decompress(packet, self._longest)

    def _originator(self, message: GeneralCiphering | GeneralSigning) -> bytes:
        """Return whose message it is, after checking that it is for us and of whom it may be."""
        title, recipient = message.originator_system_title, message.recipient_system_title
        if len(title) != TITLE_OCTETS:
            raise DecodeError(f"need a system title of {TITLE_OCTETS} octets", None, ("originator-system-title",))
        if recipient != self._own_title:
            raise SecurityError(
                f"the message is for {recipient.hex().upper() or '(nobody)'}, this is {self._own_title.hex().upper()}"
            )
        self._check_sender(title)
        return title

    _ENVELOPES: ClassVar[Mapping[int, _Envelope]] = {
        GENERAL_GLOBAL: _Envelope(0, False, _open_ciphered, (Layer(Envelope.GENERAL),)),
        GENERAL_DEDICATED: _Envelope(0, True, _open_ciphered, (Layer(Envelope.GENERAL, dedicated=True),)),
        GENERAL_CIPHERING: _Envelope(0, False, _open_general_ciphering),
        GENERAL_SIGNING: _Envelope(0, False, _open_general_signing),
        **_service_specific(_open_ciphered),
    }
    """The envelopes there are, by their first octet, and how each is opened."""

    # -- proofs -------------------------------------------------------------------------------------------------------

    def gmac_proof(self, challenge: bytes) -> bytes:
        """Return the proof of HLS mechanism 5 over the peer's `challenge`; it takes an invocation counter."""
        control = _AUTHENTICATED | self.suite.identifier
        counter = self._counter.next().to_bytes(4, "big")
        return OCTET[control] + counter + self._global.cipher.tag(control, self._own_title + counter, challenge)

    def check_gmac_proof(self, challenge: bytes, proof: bytes) -> None:
        """Raise SecurityError unless the peer made `proof` over our `challenge`.

        Its counter need not be greater than the last one: the proof is made before the envelope it arrives in, which
        was verified first, and our fresh challenge already shows that it is no replay.
        """
        if len(proof) != PROOF_OCTETS:
            raise SecurityError(f"a GMAC proof has {PROOF_OCTETS} octets, this has {len(proof)}")
        control = _AUTHENTICATED | self.suite.identifier
        if proof[0] != control:
            raise SecurityError(
                f"the security control octet of the proof is {proof[0]:02X}, expected was {control:02X}"
            )
        tag = self._global.cipher.tag(control, self._known_peer() + proof[1:HEADER_OCTETS], challenge)
        if not compare_digest(tag, proof[HEADER_OCTETS:]):
            raise SecurityError("the peer's proof does not verify: it has other keys, or it is somebody else")
        self._global.received.last = max(self._global.received.last, int.from_bytes(proof[1:HEADER_OCTETS], "big"))

    def _in_clear(self, apdu: bytes) -> Unprotected:
        if not apdu:
            raise DecodeError("an APDU has at least one octet", 0)
        if self.required and apdu[0] not in ERRORS:
            raise SecurityError(f"an APDU in clear (tag {apdu[0]:02X}) where {_written(self.required)} is required")
        return Unprotected(apdu, Protection.NONE, 0, self._peer_title or b"")

    def _sender(self, apdu: bytes) -> tuple[bytes, int]:
        """Return the system title in a general envelope, and the place after it."""
        size = apdu[1] if len(apdu) > 1 else TITLE_OCTETS
        after = 2 + size
        if size == 0:
            # Some gas meters leave out what the listener knows. The tag vouches for the title in any case.
            if not self._dialect.empty_system_title:
                raise SecurityError(
                    "the message has a system title without octets, so that it could be of any meter "
                    "(Dialect.empty_system_title takes it as one of the meter that is configured)"
                )
            known = self._known_peer()
            self.tolerated["empty_system_title"] += 1
            return known, after
        if size != TITLE_OCTETS or len(apdu) < after:
            raise DecodeError(f"need a system title of {TITLE_OCTETS} octets", 1, ("system-title",))
        title = apdu[2:after]
        self._check_sender(title)
        return title, after

    def _check_sender(self, title: bytes) -> None:
        if title == self._own_title:
            raise SecurityError("the message carries our own system title: it is one of ours, come back")
        if self._peer_title is not None and title != self._peer_title:
            raise SecurityError(
                f"the message is from {title.hex().upper()}, this association is with {self._peer_title.hex().upper()}"
            )

    def _known_peer(self) -> bytes:
        if self._peer_title is None:
            raise SecurityError(_PEER_UNKNOWN)
        return self._peer_title

    def _refusal(self, control: int, dedicated: bool) -> SecurityError:
        """Say why an APDU with this security control octet is not even decrypted."""
        reasons = (
            (control & _COMPRESSION and self._compression is None, "it is compressed, which was not agreed"),
            (
                control & SUITE_MASK != self.suite.identifier,
                f"it names security suite {control & SUITE_MASK}, agreed is {self.suite.identifier}",
            ),
            (dedicated and self._dedicated is None, "it is under a dedicated key, and this association has none"),
            (
                control & _BROADCAST and (dedicated or self._broadcast is None),
                "it is under the broadcast key, and there is none here",
            ),
            (
                True,
                f"it has {_written(_PROTECTIONS[control & PROTECTION_MASK])}, required is {_written(self.required)}",
            ),
        )
        reason = next(text for holds, text in reasons if holds)
        return SecurityError(f"a protected APDU was refused undecrypted (security control {control:02X}): {reason}")

    def _ring(self, key: Key | Cipher, received: ReceivedCounter, counter: InvocationCounter | None) -> _Ring:
        cipher = Gcm(self._checked_key(key), self._authentication_key, self._permitted) if isinstance(key, Key) else key
        return _Ring(cipher, counter, received)

    def _ring_of(self, told: KeyOfMessage) -> _Ring | None:
        """Return the ring of the key that key-info tells; None for a broadcast key that is not here."""
        if told.key is None:
            return self._broadcast if told.choice is KeyChoice.BROADCAST else self._global
        received = self._received.by("wrapped" if told.choice is KeyChoice.WRAPPED else "agreed")
        return self._ring(told.key, received, self._counter)

    def _checked_key(self, key: Key) -> Key:
        if len(key) != self.suite.key_octets:
            raise ConfigurationError(
                f"security suite {self.suite.identifier} ({self.suite.name}) has keys of {self.suite.key_octets} "
                f"octets, this one has {len(key)}"
            )
        return key

    def _check_protection(self, keys: GeneralKeys | None) -> None:
        authenticates = self._global.cipher.authenticates
        # Plain numbers: each operation on flags calls back into Python several times.
        for protection in (self.required, self.applied):
            mode = int(protection) & PROTECTION_MASK
            if mode & _AUTHENTICATED and not authenticates:
                raise ConfigurationError(f"{_written(protection)} needs an authentication key")
            if mode == _ENCRYPTED and not self._may_skip_verifying:
                raise ConfigurationError(
                    "encryption without authentication lets anybody alter values; "
                    "cosem.danger.Weakness.UNVERIFIED_CIPHERTEXT permits it"
                )
        if int(self.required) & _SIGNED and (keys is None or keys.peer_signing_key is None):
            raise ConfigurationError("messages can be required to be signed only with a signing key of the peer")
        if self._signs and (keys is None or keys.signer is None):
            raise ConfigurationError("messages can be signed only with a signing key of our own")

    def _mode(self) -> int:
        """Return the bits of what is ciphered: where signatures alone were agreed, an envelope protects in full."""
        mode = int(self.applied) & PROTECTION_MASK
        if mode or not self.applied or not self._global.cipher.authenticates:
            return mode
        return _AUTHENTICATED | _ENCRYPTED

    @property
    def _may_skip_verifying(self) -> bool:
        return danger.Weakness.UNVERIFIED_CIPHERTEXT in self._permitted

    def _accepted(self) -> tuple[dict[int, _Opening], dict[int, _Opening]]:
        """Return, for global and for dedicated envelopes, the security control octets that are let in."""
        modes = _modes(
            int(self.required),
            self._global.cipher.authenticates,
            self._may_skip_verifying,
            self._compression is not None,
        )
        openings = self._openings_by(self._global, modes)
        if self._broadcast is not None:
            openings |= self._openings_by(self._broadcast, modes, _BROADCAST)
        return openings, {} if self._dedicated is None else self._openings_by(self._dedicated, modes)

    def _openings_by(self, ring: _Ring, modes: tuple[_Mode, ...], key_set: int = 0) -> dict[int, _Opening]:
        cipher, _, received = ring
        openings: dict[int, _Opening] = {}
        for mode, verified, has_tag, simple in modes:
            control = mode | key_set | self.suite.identifier
            counted = received if has_tag else _UNCOUNTED
            openings[control] = _Opening(cipher.opening(control), received, verified, counted, simple and not key_set)
        return openings

    def __repr__(self) -> str:
        peer = "unknown" if self._peer_title is None else self._peer_title.hex()
        return (
            f"SecurityContext(suite {self.suite.identifier}, own title {self._own_title.hex()}, peer title {peer}, "
            f"{self.required!r}, keys not shown)"
        )


_Mode: TypeAlias = tuple[int, Protection, bool, bool]
"""A way to cipher, what is verified then, whether there is a tag, and whether nothing else is to be checked."""


@lru_cache(maxsize=64)
def _modes(required: int, authenticates: bool, may_skip_verifying: bool, compressed: bool) -> tuple[_Mode, ...]:
    """Return the ways to cipher that are let in."""
    # A signature is another layer's.
    ciphered, signed = required & PROTECTION_MASK, bool(required & _SIGNED)
    modes: list[_Mode] = []
    for mode in (_AUTHENTICATED, _ENCRYPTED, _AUTHENTICATED | _ENCRYPTED):
        verified = _PROTECTIONS[mode if authenticates else mode & _ENCRYPTED]
        has_tag = bool(int(verified) & _AUTHENTICATED)
        if verified and int(verified) & ciphered == ciphered and (has_tag or may_skip_verifying):
            modes.append((mode, verified, has_tag, has_tag and not signed))
            if compressed:
                modes.append((mode | _COMPRESSION, verified, has_tag, False))
    return tuple(modes)


class _Ring(NamedTuple):
    """A key with the counters that belong to it."""

    cipher: Cipher
    counter: InvocationCounter | None
    received: ReceivedCounter


class _Opening(NamedTuple):
    """How one security control octet is opened: the last counter, what is verified thereby, the counter that may be
    raised by it (_UNCOUNTED without a tag), and whether no more than that is to be checked."""

    unprotect: Callable[[bytes, bytes], bytes]
    received: ReceivedCounter
    protection: Protection
    counted: ReceivedCounter
    simple: bool

    def __repr__(self) -> str:
        # What opens an envelope holds the authentication key where it can be seen.
        return f"_Opening({self.protection!r}, keys not shown)"


# The constructor of a named tuple takes its fields one by one, and twice as long as that of the tuple it is.
_unprotected: Final[Callable[[type[Unprotected], tuple[Any, ...]], Unprotected]] = vars(tuple)["__new__"]
_PEER_UNKNOWN: Final = "the peer's system title is not known, and nothing of it can be verified without"
_AUTHENTICATED: Final = int(Protection.AUTHENTICATION)
_ENCRYPTED: Final = int(Protection.ENCRYPTION)
_SIGNED: Final = int(Protection.SIGNATURE)
_BROADCAST: Final = int(SecurityControl.BROADCAST_KEY)
_COMPRESSION: Final = int(SecurityControl.COMPRESSION)
_PROTECTIONS: Final = {mode: Protection(mode) for mode in range(0x00, 0x40, 0x10)}
_IN_TRANSACTIONS: Final = (Envelope.CIPHERING, Envelope.SIGNING)

# These come in an AARQ, AARE, RLRQ or RLRE alone, which nobody signs.
_INITIATE: Final = (InitiateRequest.TAG, InitiateResponse.TAG)


def _checked_title(title: bytes) -> bytes:
    if len(title) != TITLE_OCTETS:
        raise ConfigurationError(f"a system title has {TITLE_OCTETS} octets (16 hex digits), this has {len(title)}")
    return bytes(title)


def _written(protection: Protection) -> str:
    names = [name for flag, name in _PROTECTION_NAMES.items() if flag & protection]
    return " and ".join(names) or "no protection"


_PROTECTION_NAMES: Final = {
    Protection.AUTHENTICATION: "authentication",
    Protection.ENCRYPTION: "encryption",
    Protection.SIGNATURE: "signature",
}
