"""Opening one protected APDU by itself, outside any association: for captures and for what a meter pushes.

A `SecurityContext` refuses what was received before or is weaker than agreed. Who looks into a capture has agreed on
nothing, so here everything is opened that the keys open, and it is said what was verified.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from cosem import danger
from cosem.errors import DecodeError, SecurityError
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.ciphered import (
    PLAIN_TAGS,
    DedicatedCiphered,
    GeneralDedicatedCiphering,
    GeneralGlobalCiphering,
    GlobalCiphered,
    SecurityControl,
)
from cosem.protocol.apdu.initiate import InitiateRequest
from cosem.protocol.apdu.protected import (
    ONE_PASS_DIFFIE_HELLMAN,
    STATIC_UNIFIED_MODEL,
    AgreedKey,
    GeneralCiphering,
    GeneralSigning,
    IdentifiedKey,
    KeyId,
    WrappedKey,
)
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.services import SERVICES_OF_CLIENTS
from cosem.protocol.crypto import agreement, wrap
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PublicKey
from cosem.protocol.crypto.gcm import TAG_OCTETS, TITLE_OCTETS, Gcm, nonce
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import PROTECTION_MASK, SUITE_MASK, Protection

CLIENT_SERVICES: Final = SERVICES_OF_CLIENTS | {InitiateRequest.TAG[0]}
"""First octets of the plain APDUs that a client sends; what else there is comes from servers."""


class Opened(NamedTuple):
    """What was in an envelope; `authenticated` is False when no tag was there or no key to check it with."""

    apdu: bytes
    protection: Protection
    counter: int
    system_title: bytes | None
    authenticated: bool

    def __repr__(self) -> str:
        return f"Opened({len(self.apdu)} octets, {self.protection!r}, authenticated={self.authenticated})"


def is_envelope(octets: bytes) -> bool:
    """Tell whether octets begin as a protected APDU does."""
    return octets[:1] in _GENERAL or (bool(octets) and octets[0] in PLAIN_TAGS)


def is_of_client(octets: bytes) -> bool:
    """Tell whether a service-specific envelope is one that a client sends."""
    return bool(octets) and PLAIN_TAGS.get(octets[0]) in CLIENT_SERVICES


def is_dedicated(octets: bytes) -> bool:
    """Tell whether an envelope is under a dedicated key."""
    return isinstance(_envelope(octets), DedicatedCiphered | GeneralDedicatedCiphering)


def open_envelope(
    octets: bytes,
    encryption_key: Key | None,
    authentication_key: Key | None = None,
    system_titles: Iterable[bytes] = (),
    permitted: frozenset[danger.Weakness] = danger.NOTHING,
    *,
    broadcast_key: Key | None = None,
    keys: GeneralKeys | None = None,
) -> Opened:
    """Return what is in the envelope `octets`, with as much verified as the keys allow.

    Args:
        octets: one protected APDU; of envelopes in one another the outermost is opened.
        encryption_key: the key it is under; without, only what was not encrypted can be shown.
        authentication_key: without, or where the APDU has no tag, `danger.Weakness.UNVERIFIED_CIPHERTEXT` is needed.
        system_titles: who may have sent it, the likeliest first, where the envelope does not say so itself.
        permitted: weaknesses from `cosem.danger`.
        broadcast_key: the key it is under where it says so.
        keys: those of general-ciphering and general-signing; agreement keys may be those of either side.

    Raises:
        DecodeError: it is no envelope.
        SecurityError: it does not open, and which of key, title and authentication key is the likely reason.
    """
    envelope = _envelope(octets)
    keys = keys or GeneralKeys()
    if isinstance(envelope, GeneralSigning):
        return _signed(envelope, keys)
    header, titles, fields = envelope.header, list(system_titles), b""
    if isinstance(envelope, GeneralCiphering):
        protected, fields, signed = envelope.ciphered_content[5:], envelope.fields, True
        if not isinstance(envelope.key_info, IdentifiedKey | None):
            encryption_key, signed = _key_of(envelope, suites.of(header.control & SUITE_MASK), keys)
        elif envelope.key_info == IdentifiedKey(KeyId.GLOBAL_BROADCAST_ENCRYPTION_KEY):
            encryption_key = broadcast_key
    else:
        protected, signed = envelope.octets[5:], True
        if header.control & SecurityControl.BROADCAST_KEY:
            encryption_key = broadcast_key
    opened = _opened(
        *(header.control, header.invocation_counter, protected, PLAIN_TAGS.get(octets[0]), fields),
        *(_titles(envelope, titles), _own_title(envelope), encryption_key, authentication_key, permitted),
    )
    # What was agreed with an ephemeral key of which nobody knows whose it is shows nothing.
    return opened if signed else opened._replace(authenticated=False)


def _opened(
    control: int,
    counter: int,
    protected: bytes,
    service: int | None,
    fields: bytes,
    titles: list[bytes],
    own_title: bytes | None,
    encryption_key: Key | None,
    authentication_key: Key | None,
    permitted: frozenset[danger.Weakness],
) -> Opened:
    protection = Protection(control & PROTECTION_MASK)
    if control & SecurityControl.COMPRESSION:
        raise SecurityError("it is compressed, which is not undone here")
    if Protection.ENCRYPTION not in protection and (encryption_key is None or authentication_key is None):
        plain = protected[:-TAG_OCTETS] if protection else protected
        return Opened(plain, protection, counter, own_title, False)
    if encryption_key is None:
        raise SecurityError("it is encrypted, and there is no key")
    if not titles:
        raise SecurityError("the system title of its sender is not known: give it, or the AARQ and AARE with it")
    verifiable = authentication_key is not None and Protection.AUTHENTICATION in protection
    gcm = Gcm(encryption_key, authentication_key, permitted)
    refused: SecurityError | None = None
    for title in titles:
        # Some senders cover the fields with the tag, some do not: see `Dialect.fields_in_tag`.
        for covered in (b"", fields) if fields and verifiable else (b"",):
            try:
                plain = gcm.unprotect(control, nonce(title, counter), protected, covered)
            except SecurityError as error:
                refused = error
                continue
            if verifiable or _plausible(plain, service):
                return Opened(plain, protection, counter, title, verifiable)
    if not verifiable and refused is not None:
        raise refused
    raise SecurityError(_diagnosis(control, counter, protected, titles, encryption_key, service))


def _signed(envelope: GeneralSigning, keys: GeneralKeys) -> Opened:
    key, refused = keys.peer_signing_key, None
    for content_length in (False, True) if key is not None else ():
        try:
            assert key is not None
            key.verify(envelope.signed(content_length=content_length), envelope.signature)
        except SecurityError as error:
            refused = error
            continue
        return Opened(envelope.content, Protection.SIGNATURE, 0, envelope.originator_system_title, True)
    if refused is not None:
        raise refused
    return Opened(envelope.content, Protection.SIGNATURE, 0, envelope.originator_system_title, False)


def _key_of(envelope: GeneralCiphering, suite: suites.Suite, keys: GeneralKeys) -> tuple[Key, bool]:
    """Return the key made for this message, and whether it is known to be the originator's."""
    info = envelope.key_info
    if isinstance(info, WrappedKey):
        if keys.master_key is None:
            raise SecurityError("its key is wrapped under the master key, and that is not here")
        return wrap.unwrap(keys.master_key, info.key_ciphered_data), True
    assert isinstance(info, AgreedKey)
    parties = (envelope.originator_system_title, envelope.recipient_system_title)
    own, peer, curve = keys.agreer, keys.peer_agreement_key, suite.required_curve
    if own is None:
        raise SecurityError("its key was agreed, and there is no private agreement key here")
    if info.key_parameters == ONE_PASS_DIFFIE_HELLMAN:
        ephemeral, signer = info.key_ciphered_data, keys.peer_signing_key
        if signer is not None:
            agreement.opened(suite, ephemeral, signer)
        return agreement.agreed(suite, own, PublicKey(curve, ephemeral[: curve.public_octets]), *parties), bool(signer)
    if info.key_parameters == STATIC_UNIFIED_MODEL:
        if peer is None:
            raise SecurityError(
                "its key was agreed by the static unified model: that needs the other agreement key too"
            )
        return agreement.agreed(suite, own, peer, *parties, transaction_id=envelope.transaction_id), True
    raise SecurityError(f"its key was agreed by scheme {info.key_parameters.hex().upper()}, a reserved one")


def _diagnosis(
    control: int, counter: int, protected: bytes, titles: list[bytes], encryption_key: Key, service: int | None
) -> str:
    """Say which secret is wrong: the first octet of the plaintext tells whether the encryption key fits."""
    looking = Gcm(encryption_key, None, danger.allow(danger.Weakness.UNVERIFIED_CIPHERTEXT))
    if control & Protection.ENCRYPTION and any(
        _plausible(looking.unprotect(control, nonce(title, counter), protected), service) for title in titles
    ):
        return "the encryption key seems to fit, but the tag does not verify: the authentication key is another one"
    return "it does not open: the encryption key is another one, or the system title of the sender is"


def _plausible(plain: bytes, service: int | None) -> bool:
    """Tell whether octets begin as the APDU does that belongs into the envelope."""
    if service is not None:
        return plain[:1] == bytes((service,))
    return apdus.kind_of(plain) is not None


_GENERAL: Final = (
    *(GeneralGlobalCiphering.TAG, GeneralDedicatedCiphering.TAG),
    *(GeneralCiphering.TAG, GeneralSigning.TAG),
)


def _titles(envelope: apdus.Ciphered, others: Iterable[bytes]) -> list[bytes]:
    own = _own_title(envelope)
    candidates = [own] if own is not None else list(others)
    return [title for title in dict.fromkeys(candidates) if len(title) == TITLE_OCTETS]


def _own_title(envelope: apdus.Ciphered) -> bytes | None:
    title = getattr(envelope, "originator_system_title", b"") or getattr(envelope, "system_title", b"")
    return title if isinstance(title, bytes) and title else None


def _envelope(octets: bytes) -> apdus.Ciphered | GeneralSigning:
    if not is_envelope(octets):
        raise DecodeError("no protected APDU begins so", 0)
    envelope = apdus.decode(octets)
    assert isinstance(
        envelope,
        GlobalCiphered
        | DedicatedCiphered
        | GeneralGlobalCiphering
        | GeneralDedicatedCiphering
        | GeneralCiphering
        | GeneralSigning,
    )
    return envelope
