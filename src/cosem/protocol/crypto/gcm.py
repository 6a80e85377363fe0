"""AES-GCM as IEC 62056-5-3 uses it: 12-octet tags, the nonce from title and counter, the security control in the AAD.

The nonce (initialisation vector) is the system title of the sender and its invocation counter. The additional
authenticated data are the security control octet and the authentication key, followed by the plaintext when the
plaintext is not encrypted.

`AESGCM` of the library knows tags of 16 octets only. Encrypting is exact all the same, since the short tag is the
front of the long one. To decrypt, the ciphertext is *encrypted* once (counter mode is its own inverse), and the
resulting plaintext is encrypted again to obtain the tag, which is compared in constant time before anything is given
out. That is faster than the library's own way to short tags by a factor of three.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hmac import compare_digest
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosem import danger
from cosem.errors import LocalProtocolError, SecurityError, VerificationError
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import PROTECTION_MASK

TAG_OCTETS: Final = 12
TITLE_OCTETS: Final = 8
COUNTER_MAXIMUM: Final = 0xFFFF_FFFF

_AUTHENTICATED_ENCRYPTION: Final = 0x30
_AUTHENTICATED: Final = 0x10
_ENCRYPTED: Final = 0x20

_SHORTENED: Final = TAG_OCTETS - 16
"""Where a tag of the library, of 16 octets, is cut."""
_BEFORE_BOTH_TAGS: Final = -TAG_OCTETS - 16

_OCTET: Final = tuple(bytes((value,)) for value in range(256))


class Cipher(Protocol):
    """What protects under one encryption key with its authentication key: `Gcm`, or a module that keeps the keys."""

    @property
    def authenticates(self) -> bool:
        """Whether there is an authentication key, so that tags can be made and checked."""
        ...

    def protect(self, control: int, nonce: bytes, plaintext: bytes, fields: bytes = b"") -> bytes:
        """Return what follows the security header (see `Gcm.protect`)."""
        ...

    def unprotect(self, control: int, nonce: bytes, protected: bytes, fields: bytes = b"") -> bytes:
        """Return the plaintext, verified (see `Gcm.unprotect`)."""
        ...

    def opening(self, control: int) -> Callable[[bytes, bytes], bytes]:
        """Return `unprotect` for this one `control`, without fields."""
        ...

    def tag(self, control: int, nonce: bytes, octets: bytes) -> bytes:
        """Return the GMAC over control, authentication key and `octets`."""
        ...


class Gcm:
    """One encryption key with its authentication key, ready for use; the cipher object is made once."""

    __slots__ = ("_authentication_key", "_encrypt", "_permitted")

    def __init__(
        self,
        encryption_key: Key,
        authentication_key: Key | None = None,
        permitted: frozenset[danger.Weakness] = danger.NOTHING,
    ) -> None:
        self._encrypt = AESGCM(encryption_key.reveal()).encrypt
        self._authentication_key = None if authentication_key is None else authentication_key.reveal()
        self._permitted = permitted

    @property
    def authenticates(self) -> bool:
        """Whether there is an authentication key, so that tags can be made and checked."""
        return self._authentication_key is not None

    def protect(self, control: int, nonce: bytes, plaintext: bytes, fields: bytes = b"") -> bytes:
        """Return what follows the security header: ciphertext and tag, plaintext and tag, or ciphertext alone.

        Which of the three the bits of `control` decide; `fields` are further octets that a tag covers. Raises
        LocalProtocolError when they ask for no protection, SecurityError when they ask for a tag without an
        authentication key or for none without permission.
        """
        mode = control & PROTECTION_MASK
        size = len(plaintext)
        if mode == _AUTHENTICATED_ENCRYPTION:
            if self._authentication_key is None:
                raise SecurityError(_NO_AUTHENTICATION_KEY)
            associated = _OCTET[control] + self._authentication_key + fields
            return self._encrypt(nonce, plaintext, associated)[: size + TAG_OCTETS]
        if mode == _AUTHENTICATED:
            return plaintext + self.tag(control, nonce, fields + plaintext)
        if mode == _ENCRYPTED:
            self._demand_permission()
            return self._encrypt(nonce, plaintext, None)[:size]
        raise LocalProtocolError("the security control octet asks for neither authentication nor encryption")

    def unprotect(self, control: int, nonce: bytes, protected: bytes, fields: bytes = b"") -> bytes:
        """Return the plaintext of what follows the security header, verified; raise SecurityError otherwise."""
        mode = control & PROTECTION_MASK
        size = len(protected) - TAG_OCTETS
        if mode == _AUTHENTICATED_ENCRYPTION:
            if self._authentication_key is not None:
                return unseal(self._encrypt, _OCTET[control] + self._authentication_key + fields, nonce, protected)
            if size < 0:
                raise _no_tag(protected)
            self._demand_permission()
            return self._encrypt(nonce, protected, None)[:size]
        if mode == _AUTHENTICATED:
            if size < 0:
                raise _no_tag(protected)
            plaintext = protected[:size]
            if compare_digest(self.tag(control, nonce, fields + plaintext), protected[size:]):
                return plaintext
            raise VerificationError(_TAG_IS_WRONG)
        if mode == _ENCRYPTED:
            self._demand_permission()
            return self._encrypt(nonce, protected, None)[: len(protected)]
        raise SecurityError("the security control octet says neither authenticated nor encrypted")

    def opening(self, control: int) -> Callable[[bytes, bytes], bytes]:
        """Return `unprotect` for this one `control`: for those who open many messages, nearly all of which have it."""
        key = self._authentication_key
        if control & PROTECTION_MASK != _AUTHENTICATED_ENCRYPTION or key is None:
            return partial(self.unprotect, control)
        return partial(unseal, self._encrypt, _OCTET[control] + key)

    def tag(self, control: int, nonce: bytes, octets: bytes) -> bytes:
        """Return the GMAC over control, authentication key and `octets`: the tag of an APDU that is not encrypted."""
        if self._authentication_key is None:
            raise SecurityError(_NO_AUTHENTICATION_KEY)
        return self._encrypt(nonce, b"", _OCTET[control] + self._authentication_key + octets)[:TAG_OCTETS]

    def __repr__(self) -> str:
        return "Gcm(keys not shown)"

    def _demand_permission(self) -> None:
        if danger.Weakness.UNVERIFIED_CIPHERTEXT not in self._permitted:
            raise SecurityError(
                "the message carries no tag that could be checked; "
                "cosem.danger.Weakness.UNVERIFIED_CIPHERTEXT permits reading it all the same"
            )


def unseal(
    encrypt: Callable[[bytes, bytes, bytes | None], bytes], associated: bytes, nonce: bytes, sealed: bytes
) -> bytes:
    """Return the plaintext of ciphertext and tag, verified; `encrypt` is that of the library under the same key."""
    if len(sealed) < TAG_OCTETS:
        raise _no_tag(sealed)
    # The tag is encrypted along and cut off again, with the one made of it: that is cheaper than cutting it off first.
    plaintext = encrypt(nonce, sealed, None)[:_BEFORE_BOTH_TAGS]
    # Of the two parts that are compared the ciphertext comes out as it was in any case, the tag under the right keys.
    if compare_digest(encrypt(nonce, plaintext, associated)[:_SHORTENED], sealed):
        return plaintext
    raise VerificationError(_TAG_IS_WRONG)


def nonce(system_title: bytes, counter: int) -> bytes:
    """Return the 12 octets that must never occur twice under one key: sender's title and invocation counter."""
    if len(system_title) != TITLE_OCTETS:
        raise LocalProtocolError(f"a system title has {TITLE_OCTETS} octets, this has {len(system_title)}")
    if not 0 <= counter <= COUNTER_MAXIMUM:
        raise LocalProtocolError(f"an invocation counter has 32 bits, {counter} does not fit")
    return system_title + counter.to_bytes(4, "big")


def _no_tag(protected: bytes) -> SecurityError:
    return SecurityError(f"a protected APDU ends in a tag of {TAG_OCTETS} octets, this has {len(protected)}")


_NO_AUTHENTICATION_KEY: Final = "an authentication key is needed to make or to check a tag"
_TAG_IS_WRONG: Final = (
    "the authentication tag does not verify: the octets were altered, "
    "or the encryption key, the authentication key or the system title is another one"
)
