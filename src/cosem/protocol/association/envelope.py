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
from cosem.protocol.association.services import SERVICES_OF_CLIENTS
from cosem.protocol.crypto.gcm import TAG_OCTETS, TITLE_OCTETS, Gcm, nonce
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import PROTECTION_MASK, Protection

CLIENT_SERVICES: Final = SERVICES_OF_CLIENTS | {InitiateRequest.TAG[0], 0x05, 0x06}  # read, write
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
    return octets[:1] in (GeneralGlobalCiphering.TAG, GeneralDedicatedCiphering.TAG) or (
        bool(octets) and octets[0] in PLAIN_TAGS
    )


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
) -> Opened:
    """Return what is in the envelope `octets`, with as much verified as the keys allow.

    Args:
        octets: one protected APDU.
        encryption_key: the key it is under; without, only what was not encrypted can be shown.
        authentication_key: without, or where the APDU has no tag, `danger.Weakness.UNVERIFIED_CIPHERTEXT` is needed.
        system_titles: who may have sent it, the likeliest first, where the envelope does not say so itself.
        permitted: weaknesses from `cosem.danger`.

    Raises:
        DecodeError: it is no envelope.
        SecurityError: it does not open, and which of key, title and authentication key is the likely reason.
    """
    envelope = _envelope(octets)
    header, protected = envelope.header, envelope.octets[5:]
    control = SecurityControl(header.control)
    protection = Protection(header.control & PROTECTION_MASK)
    if SecurityControl.COMPRESSION in control:
        raise SecurityError("it is compressed, which is not undone here")
    service = PLAIN_TAGS.get(octets[0])
    if Protection.ENCRYPTION not in protection and (encryption_key is None or authentication_key is None):
        plain = protected[:-TAG_OCTETS] if protection else protected
        return Opened(plain, protection, header.invocation_counter, _own_title(envelope), False)
    if encryption_key is None:
        raise SecurityError("it is encrypted, and there is no key")
    titles = _titles(envelope, system_titles)
    if not titles:
        raise SecurityError("the system title of its sender is not known: give it, or the AARQ and AARE with it")
    verifiable = authentication_key is not None and Protection.AUTHENTICATION in protection
    gcm = Gcm(encryption_key, authentication_key, permitted)
    refused: SecurityError | None = None
    for title in titles:
        try:
            plain = gcm.unprotect(header.control, nonce(title, header.invocation_counter), protected)
        except SecurityError as error:
            refused = error
            continue
        if verifiable or _plausible(plain, service):
            return Opened(plain, protection, header.invocation_counter, title, verifiable)
    if not verifiable and refused is not None:
        raise refused
    raise SecurityError(
        _diagnosis(header.control, header.invocation_counter, protected, titles, encryption_key, service)
    )


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


def _titles(envelope: apdus.Ciphered, others: Iterable[bytes]) -> list[bytes]:
    own = _own_title(envelope)
    candidates = [own] if own is not None else list(others)
    return [title for title in dict.fromkeys(candidates) if len(title) == TITLE_OCTETS]


def _own_title(envelope: apdus.Ciphered) -> bytes | None:
    title = getattr(envelope, "system_title", b"")
    return title if isinstance(title, bytes) and title else None


def _envelope(
    octets: bytes,
) -> GlobalCiphered | DedicatedCiphered | GeneralGlobalCiphering | GeneralDedicatedCiphering:
    if not is_envelope(octets):
        raise DecodeError("no protected APDU begins so", 0)
    envelope = apdus.decode(octets)
    assert isinstance(envelope, GlobalCiphered | DedicatedCiphered | GeneralGlobalCiphering | GeneralDedicatedCiphering)
    return envelope
