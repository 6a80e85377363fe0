"""The security context of an association: protects what is sent, and lets in nothing weaker than was agreed.

A protected APDU is an envelope: a tag, with general envelopes the sender's system title, a length, the security
control octet, the invocation counter, and then ciphertext or plaintext with its authentication tag (IEC 62056-5-3).
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Any, Final, NamedTuple

from cosem import danger
from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, SecurityError
from cosem.protocol.apdu.access import AccessRequest, AccessResponse
from cosem.protocol.apdu.ciphered import DEDICATED_TAGS, GLOBAL_TAGS, PLAIN_TAGS, SecurityControl
from cosem.protocol.apdu.exception import ExceptionResponse
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.association.counter import InvocationCounter, ReceivedCounter
from cosem.protocol.association.services import (
    CONFIRMED_BY_CHOICE,
    ERRORS,
    GENERAL_DEDICATED,
    GENERAL_GLOBAL,
    NOTIFICATIONS,
    is_unconfirmed,
)
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.gcm import TAG_OCTETS, TITLE_OCTETS, Gcm
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import PROTECTION_MASK, SUITE_MASK, Protection

__all__ = ["AUTHENTICATED_ENCRYPTION", "Protection", "SecurityContext", "Unprotected"]

AUTHENTICATED_ENCRYPTION: Final = Protection.AUTHENTICATION | Protection.ENCRYPTION
HEADER_OCTETS: Final = 5
PROOF_OCTETS: Final = HEADER_OCTETS + TAG_OCTETS

GENERAL_ONLY: Final = frozenset(
    kind.TAG[0] for kind in (DataNotification, ExceptionResponse, AccessRequest, AccessResponse)
)
"""These have no envelope of their own."""


class Unprotected(NamedTuple):
    """An APDU out of its envelope: `protection` is what was verified of it, `system_title` whose it is."""

    apdu: bytes
    protection: Protection
    counter: int
    system_title: bytes

    def __repr__(self) -> str:
        # The APDU may hold a key (an InitiateRequest does), so only its size is shown.
        return (
            f"Unprotected({len(self.apdu)} octets, {self.protection!r}, counter={self.counter}, "
            f"system_title={self.system_title.hex()})"
        )


class SecurityContext:
    """Keys, titles and counters of one association.

    Args:
        suite: number of the security suite.
        own_title: system title of this side, 8 octets.
        peer_title: system title of the other side; None until it is known, see `meet`.
        encryption_key: the global unicast encryption key.
        authentication_key: the global authentication key; may be missing only where `required` does without.
        dedicated_key: see `use_dedicated`.
        broadcast_key: the global broadcast encryption key; without it nothing protected by it is let in.
        required: the least protection that is accepted.
        applied: the protection of what is sent; the required one unless given.
        counter: gives the invocation counters of what is sent.
        received: the greatest counter seen of the peer; give one that outlives the association where the peer can
            open several with the same key.
        general: send general-glo and general-ded envelopes even where a service has its own.
        permitted: weaknesses from `cosem.danger`.

    Raises:
        ConfigurationError: a title or key does not fit, or the protection needs a key or a permission it lacks.
    """

    def __init__(
        self,
        suite: int,
        own_title: bytes,
        peer_title: bytes | None,
        encryption_key: Key,
        authentication_key: Key | None,
        *,
        dedicated_key: Key | None = None,
        broadcast_key: Key | None = None,
        required: Protection = AUTHENTICATED_ENCRYPTION,
        applied: Protection | None = None,
        counter: InvocationCounter,
        received: ReceivedCounter | None = None,
        general: bool = False,
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
        self._global = self._ring(encryption_key, received)
        self._dedicated: _Ring | None = None
        self._broadcast = None if broadcast_key is None else self._ring(broadcast_key, None)
        self._check_protection()
        self._control = int(self.applied) | suite
        self._openings = self._accepted()
        if peer_title is not None:
            self.meet(peer_title)
        if dedicated_key is not None:
            self.use_dedicated(dedicated_key)

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
        self._dedicated = self._ring(key, None, counter)
        self._openings = self._accepted()

    def protect(self, apdu: bytes, *, dedicated: bool = False, general: bool = False) -> bytes:
        """Return `apdu` in its envelope, with the next invocation counter; never call it again to repeat a message.

        Raises LocalProtocolError when the APDU has no envelope or the context has no dedicated key, SecurityError
        when the counter is used up.
        """
        ring = self._dedicated if dedicated else self._global
        if ring is None:
            raise LocalProtocolError("there is no dedicated key in this association")
        if not self._control & PROTECTION_MASK:
            raise LocalProtocolError("this association sends without protection")
        fronts = _FRONTS.get(apdu[0]) if apdu else None
        if fronts is None:
            raise LocalProtocolError(f"an APDU with tag {apdu[:1].hex().upper() or '(none)'} has no envelope")
        front = fronts[dedicated]
        if general or self.general or not front:
            front = _GENERAL_FRONTS[dedicated] + self._own_title
        control = self._control
        counter = ring.counter.next().to_bytes(4, "big")
        protected = ring.gcm.protect(control, self._own_title + counter, apdu)
        size = HEADER_OCTETS + len(protected)
        length = _OCTET[size] if size < 0x80 else _length(size)
        return b"".join((front, length, _OCTET[control], counter, protected))

    def unprotect(self, apdu: bytes) -> Unprotected:
        """Return what is in the envelope, after everything that can be verified was verified.

        Raises SecurityError when it is weaker than required, does not verify, or was received before; DecodeError
        when it is no well-formed envelope. An APDU without envelope passes only if nothing is required of it, or if
        it reports an error, which is all it is then good for (its `protection` is NONE).
        """
        try:
            envelope = _ENVELOPES.get(apdu[0]) if apdu else None
            if envelope is None:
                return self._in_clear(apdu)
            service, dedicated = envelope
            title = self._peer_title
            if not service:
                title, at = self._sender(apdu)
            elif title is None:
                raise SecurityError(_PEER_UNKNOWN)
            else:
                at = 1
            # One octet of length is read here, since nearly every APDU has that; anything else goes through all checks.
            size = len(apdu) - at - 1
            at = at + 1 if HEADER_OCTETS <= size < 0x80 and apdu[at] == size else _past_length(apdu, at)
            start = at + HEADER_OCTETS
            control = apdu[at]
            opening = self._openings[dedicated].get(control)
            if opening is None:
                raise self._refusal(control, dedicated)
            unprotect, received, protection, has_tag = opening
            counter = apdu[at + 1 : start]
            plain = unprotect(title + counter, apdu[start:])
            number = int.from_bytes(counter, "big")
            if number <= received.last:
                raise received.refusal(number)
            if has_tag:
                # Only now is the counter known to be the peer's own; before, anybody could have driven it up.
                received.last = number
                self._peer_title = title
            if not plain or (plain[0] != service if service else plain[0] not in _FRONTS):
                raise SecurityError(
                    f"envelope {apdu[0]:02X} holds an APDU with tag {plain[:1].hex().upper() or '(none)'}, "
                    "which does not belong into it"
                )
            if control & _BROADCAST and not _is_unconfirmed(plain):
                raise SecurityError("under the broadcast key, which many hold, only unconfirmed services are let in")
            return _unprotected(Unprotected, (plain, protection, number, title))
        except SecurityError:
            self.refused += 1
            raise

    def gmac_proof(self, challenge: bytes) -> bytes:
        """Return the proof of HLS mechanism 5 over the peer's `challenge`; it takes an invocation counter."""
        control = _AUTHENTICATED | self.suite.identifier
        counter = self._counter.next().to_bytes(4, "big")
        return _OCTET[control] + counter + self._global.gcm.tag(control, self._own_title + counter, challenge)

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
        tag = self._global.gcm.tag(control, self._known_peer() + proof[1:HEADER_OCTETS], challenge)
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
            return self._known_peer(), after
        if size != TITLE_OCTETS or len(apdu) < after:
            raise DecodeError(f"need a system title of {TITLE_OCTETS} octets", 1, ("system-title",))
        title = apdu[2:after]
        if title == self._own_title:
            raise SecurityError("the message carries our own system title: it is one of ours, come back")
        if self._peer_title is not None and title != self._peer_title:
            raise SecurityError(
                f"the message is from {title.hex().upper()}, this association is with {self._peer_title.hex().upper()}"
            )
        return title, after

    def _known_peer(self) -> bytes:
        if self._peer_title is None:
            raise SecurityError(_PEER_UNKNOWN)
        return self._peer_title

    def _refusal(self, control: int, dedicated: bool) -> SecurityError:
        """Say why an APDU with this security control octet is not even decrypted."""
        reasons = (
            (control & _COMPRESSION, "it is compressed, which was not agreed"),
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

    def _ring(self, key: Key, received: ReceivedCounter | None, counter: InvocationCounter | None = None) -> _Ring:
        gcm = Gcm(self._checked_key(key), self._authentication_key, self._permitted)
        return _Ring(gcm, counter or self._counter, received or ReceivedCounter())

    def _checked_key(self, key: Key) -> Key:
        if len(key) != self.suite.key_octets:
            raise ConfigurationError(
                f"security suite {self.suite.identifier} ({self.suite.name}) has keys of {self.suite.key_octets} "
                f"octets, this one has {len(key)}"
            )
        return key

    def _check_protection(self) -> None:
        for protection in (self.required, self.applied):
            if int(protection) & _AUTHENTICATED and self._authentication_key is None:
                raise ConfigurationError(f"{_written(protection)} needs an authentication key")
            if protection is Protection.ENCRYPTION and not self._may_skip_verifying:
                raise ConfigurationError(
                    "encryption without authentication lets anybody alter values; "
                    "cosem.danger.Weakness.UNVERIFIED_CIPHERTEXT permits it"
                )

    @property
    def _may_skip_verifying(self) -> bool:
        return danger.Weakness.UNVERIFIED_CIPHERTEXT in self._permitted

    def _accepted(self) -> tuple[dict[int, _Opening], dict[int, _Opening]]:
        """Return, for global and for dedicated envelopes, the security control octets that are let in."""
        accepted: tuple[dict[int, _Opening], dict[int, _Opening]] = ({}, {})
        required = int(self.required)  # plain numbers: each operation on flags calls back into Python several times
        for mode in (_AUTHENTICATED, _ENCRYPTED, _AUTHENTICATED | _ENCRYPTED):
            verified = _PROTECTIONS[mode if self._authentication_key is not None else mode & _ENCRYPTED]
            has_tag = bool(int(verified) & _AUTHENTICATED)
            if not verified or int(verified) & required != required:
                continue
            if not has_tag and not self._may_skip_verifying:
                continue
            control = mode | self.suite.identifier
            accepted[0][control] = _Opening(self._global.gcm.opening(control), self._global.received, verified, has_tag)
            if self._broadcast is not None:
                ring = self._broadcast
                accepted[0][control | _BROADCAST] = _Opening(
                    ring.gcm.opening(control | _BROADCAST), ring.received, verified, has_tag
                )
            if self._dedicated is not None:
                accepted[1][control] = _Opening(
                    self._dedicated.gcm.opening(control), self._dedicated.received, verified, has_tag
                )
        return accepted

    def __repr__(self) -> str:
        peer = "unknown" if self._peer_title is None else self._peer_title.hex()
        return (
            f"SecurityContext(suite {self.suite.identifier}, own title {self._own_title.hex()}, peer title {peer}, "
            f"{self.required!r}, keys not shown)"
        )


class _Ring(NamedTuple):
    """A key with the counters that belong to it."""

    gcm: Gcm
    counter: InvocationCounter
    received: ReceivedCounter


class _Opening(NamedTuple):
    """How one security control octet is opened, what is verified thereby, and whether that includes a tag."""

    unprotect: Callable[[bytes, bytes], bytes]
    received: ReceivedCounter
    protection: Protection
    has_tag: bool


# The constructor of a named tuple takes its fields one by one, and twice as long as that of the tuple it is.
_unprotected: Final[Callable[[type[Unprotected], tuple[Any, ...]], Unprotected]] = vars(tuple)["__new__"]
_PEER_UNKNOWN: Final = "the peer's system title is not known, and nothing of it can be verified without"
_AUTHENTICATED: Final = int(Protection.AUTHENTICATION)
_ENCRYPTED: Final = int(Protection.ENCRYPTION)
_BROADCAST: Final = int(SecurityControl.BROADCAST_KEY)
_COMPRESSION: Final = int(SecurityControl.COMPRESSION)
_OCTET: Final = tuple(bytes((value,)) for value in range(256))
_PROTECTIONS: Final = {mode: Protection(mode) for mode in range(0x00, 0x40, 0x10)}

# By the tag of a service: the first octet of its envelopes, empty where only the general ones serve.
_FRONTS: Final = {
    **{plain: (_OCTET[tag], _OCTET[DEDICATED_TAGS[plain]]) for plain, tag in GLOBAL_TAGS.items()},
    **dict.fromkeys(GENERAL_ONLY, (b"", b"")),
}
_GENERAL_FRONTS: Final = tuple(bytes((tag, TITLE_OCTETS)) for tag in (GENERAL_GLOBAL, GENERAL_DEDICATED))

# By the tag of an envelope: the tag of the service in it, 0 for any, and whether it is under the dedicated key.
_ENVELOPES: Final = {
    GENERAL_GLOBAL: (0, False),
    GENERAL_DEDICATED: (0, True),
    **{tag: (plain, tag == DEDICATED_TAGS[plain]) for tag, plain in PLAIN_TAGS.items()},
}

_NEVER_CONFIRMED: Final = NOTIFICATIONS | {0x16, 0x18}  # unconfirmed-write, information-report


def _is_unconfirmed(apdu: bytes) -> bool:
    return is_unconfirmed(apdu) if apdu[0] in CONFIRMED_BY_CHOICE else apdu[0] in _NEVER_CONFIRMED


def _checked_title(title: bytes) -> bytes:
    if len(title) != TITLE_OCTETS:
        raise ConfigurationError(f"a system title has {TITLE_OCTETS} octets (16 hex digits), this has {len(title)}")
    return bytes(title)


def _written(protection: Protection) -> str:
    names = [name for flag, name in _PROTECTION_NAMES.items() if flag & protection]
    return " and ".join(names) or "no protection"


_PROTECTION_NAMES: Final = {Protection.AUTHENTICATION: "authentication", Protection.ENCRYPTION: "encryption"}


def _length(size: int) -> bytes:
    """Return the octets of a length above 127."""
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return _OCTET[0x80 | len(octets)] + octets


def _past_length(apdu: bytes, at: int) -> int:
    """Return the place after the length at `at`, which must count what follows: a security header and more."""
    size = len(apdu)
    if at >= size:
        raise DecodeError("need a length", at)
    length = apdu[at]
    after = at + 1
    if length > 0x7F:
        after += length & 0x7F
        if not at + 1 < after <= min(size, at + 5):
            raise DecodeError("need a length of 1 to 4 octets", at)
        length = int.from_bytes(apdu[at + 1 : after], "big")
    if length != size - after:
        raise DecodeError(f"the length says {length} octets, there are {size - after}", at)
    if length < HEADER_OCTETS:
        raise DecodeError(f"a security header has {HEADER_OCTETS} octets, there are {length}", after)
    return after
