"""The authentication mechanisms of IEC 62056-5-3, and the proofs of high level security (HLS).

In HLS both sides prove in the same way that they know a secret: each answers the challenge the other one made. The
client proves first, with f(StoC), then the server with f(CtoS).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, TypeAlias

from cryptography.hazmat.primitives import hashes

from cosem.danger import NOTHING, Weakness
from cosem.errors import ConfigurationError, LocalProtocolError, SecurityError
from cosem.protocol.crypto.elliptic import PublicKey, Signer
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.crypto.key import Secret

CHALLENGE_MINIMUM: Final = 8
CHALLENGE_MAXIMUM: Final = 64
CHALLENGE_OCTETS: Final = 16
"""Length of the challenges we make; shorter ones of a peer are accepted down to the minimum of the standard."""
CHALLENGE_OCTETS_FOR_SIGNATURES: Final = 32
"""The shortest challenge of mechanism 7, and the length of those we make for it."""


class Challenges(NamedTuple):
    """The two challenges of one association, CtoS of the client and StoC of the server, and both system titles.

    A title is empty where the association has none.
    """

    client: bytes
    server: bytes
    client_title: bytes = b""
    server_title: bytes = b""

    def check(self, shortest: int = CHALLENGE_MINIMUM) -> None:
        """Raise SecurityError when a length is wrong, or when one side only mirrors the other."""
        for side, challenge in (("client", self.client), ("server", self.server)):
            if not shortest <= len(challenge) <= CHALLENGE_MAXIMUM:
                raise SecurityError(
                    f"a challenge has {shortest} to {CHALLENGE_MAXIMUM} octets, that of the {side} has {len(challenge)}"
                )
        if compare_digest(self.client, self.server):
            raise SecurityError("the challenge was reflected: the peer may know no key at all")
        if self.client_title and self.client_title == self.server_title:
            raise SecurityError("client and server show the same system title: the peer may mirror what it is sent")


class GmacProver(Protocol):
    """What mechanism 5 needs: keys, titles and counters (a security context has them)."""

    def gmac_proof(self, challenge: bytes) -> bytes:
        """Return security control, counter and tag over `challenge`, using up one invocation counter."""
        ...

    def check_gmac_proof(self, challenge: bytes, proof: bytes) -> None:
        """Raise SecurityError unless `proof` was made by the peer over `challenge`."""
        ...


@dataclass(frozen=True, slots=True)
class Signatures:
    """What mechanism 7 takes in the place of a secret: what signs for this side, and whose signatures it believes."""

    signer: Signer
    peer: PublicKey

    def __bool__(self) -> bool:
        return True


SharedSecret: TypeAlias = Secret | Signatures
"""What somebody must have to pass as who they are: a password or HLS secret, or a signing key."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One authentication mechanism: what it needs, and the proofs it makes and checks.

    `challenges` tells whether it is a high level one, `secret` that it needs a password or HLS secret, `signatures`
    that it needs signing keys in its place, `titles` that it binds both system titles, and `keys` that it needs the
    keys of a security context. All proof methods raise SecurityError when the challenges or titles do not do,
    LocalProtocolError when the secret or the keys are missing.
    """

    identifier: int
    name: str
    proof: Proof | None = None
    secret: bool = False
    titles: bool = False
    keys: bool = False
    signatures: bool = False
    challenge_octets: int = CHALLENGE_OCTETS
    shortest_challenge: int = CHALLENGE_MINIMUM

    @property
    def challenges(self) -> bool:
        """Whether both sides prove themselves by answering challenges."""
        return self.proof is not None

    def client_proof(self, challenges: Challenges, secret: SharedSecret | None, security: GmacProver | None) -> bytes:
        """Return f(StoC), which the client sends."""
        self._check(challenges)
        return self._how().make(_of_client(challenges), self._known(secret), self._prover(security))

    def server_proof(
        self, challenges: Challenges, proof: bytes, secret: SharedSecret | None, security: GmacProver | None
    ) -> bytes | None:
        """Return f(CtoS), with which the server answers to a client whose `proof` is f(StoC); None when it is not."""
        self._check(challenges)
        how, known, prover = self._how(), self._known(secret), self._prover(security)
        if not how.holds(_of_client(challenges), proof, known, prover):
            return None
        return how.make(_of_server(challenges), known, prover)

    def server_proof_holds(
        self, challenges: Challenges, proof: bytes, secret: SharedSecret | None, security: GmacProver | None
    ) -> bool:
        """Tell whether `proof` is f(CtoS); for clients. Our own proof coming back does not hold."""
        self._check(challenges)
        return self._how().holds(_of_server(challenges), proof, self._known(secret), self._prover(security))

    def _check(self, challenges: Challenges) -> None:
        challenges.check(self.shortest_challenge)
        lengths = len(challenges.client_title), len(challenges.server_title)
        if self.titles and lengths != (TITLE_OCTETS, TITLE_OCTETS):
            raise SecurityError(
                f"authentication mechanism {self.identifier} ({self.name}) binds two system titles of "
                f"{TITLE_OCTETS} octets, those of client and server have {lengths[0]} and {lengths[1]}"
            )

    def _how(self) -> Proof:
        if self.proof is None:
            raise LocalProtocolError(f"authentication mechanism {self.identifier} ({self.name}) has no proof")
        return self.proof

    def _known(self, secret: SharedSecret | None) -> SharedSecret | None:
        for needed, kind, what in ((self.secret, Secret, "a secret"), (self.signatures, Signatures, "signing keys")):
            if needed and not (isinstance(secret, kind) and secret):
                raise LocalProtocolError(f"authentication mechanism {self.identifier} ({self.name}) needs {what}")
        return secret

    def _prover(self, security: GmacProver | None) -> GmacProver | None:
        if self.keys and security is None:
            raise LocalProtocolError(f"authentication mechanism {self.identifier} ({self.name}) needs keys")
        return security


def manufacturer_specific(
    function: Callable[[bytes, bytes], bytes], challenge_octets: int = CHALLENGE_OCTETS
) -> Mechanism:
    """Return mechanism 2, whose proof the manufacturer of the meter defines.

    Args:
        function: takes the challenge and the HLS secret and returns the proof; both sides compute it in the same way.
        challenge_octets: the length of the challenges we make.
    """
    return replace(
        MANUFACTURER,
        proof=Digest(lambda secret, view: function(view.answered, secret)),
        challenge_octets=challenge_octets,
    )


def of(identifier: int, permitted: frozenset[Weakness] = NOTHING) -> Mechanism:
    """Return the mechanism with this number; ConfigurationError when it is not built in or not permitted."""
    mechanism = MECHANISMS.get(identifier)
    if mechanism is not None:
        return mechanism
    if identifier not in WEAK_MECHANISMS:
        known = ", ".join(f"{known.identifier} ({known.name})" for known in _ALL)
        hint = (
            "; number 2 is the manufacturer's: see manufacturer_specific"
            if identifier == MANUFACTURER.identifier
            else ""
        )
        raise ConfigurationError(f"authentication mechanism {identifier} is not implemented; there are {known}{hint}")
    weakness, mechanism = WEAK_MECHANISMS[identifier]
    if weakness not in permitted:
        raise ConfigurationError(
            f"authentication mechanism {identifier} ({mechanism.name}) is off by default: {weakness.value}; "
            f"cosem.danger.Weakness.{weakness.name} permits it"
        )
    return mechanism


def named(name: str, permitted: frozenset[Weakness] = NOTHING) -> Mechanism:
    """Return the mechanism with this name, such as "gmac", under the same conditions as `of`."""
    for mechanism in _ALL:
        if mechanism.name == name.lower():
            return of(mechanism.identifier, permitted)
    known = ", ".join(mechanism.name for mechanism in _ALL)
    raise ConfigurationError(f"there is no authentication mechanism of this name; write one of {known}")


class _View(NamedTuple):
    """Titles and challenges as seen from the side that proves: the challenge it answers, and the one it made."""

    title: bytes
    peer_title: bytes
    made: bytes
    answered: bytes

    @property
    def bound(self) -> bytes:
        """What mechanisms 6 and 7 bind together, in their order."""
        return self.title + self.peer_title + self.answered + self.made


def _of_client(challenges: Challenges) -> _View:
    return _View(challenges.client_title, challenges.server_title, challenges.client, challenges.server)


def _of_server(challenges: Challenges) -> _View:
    return _View(challenges.server_title, challenges.client_title, challenges.server, challenges.client)


class Proof(Protocol):
    """How one mechanism proves; what it needs was checked before."""

    def make(self, view: _View, secret: SharedSecret | None, security: GmacProver | None) -> bytes:
        """Return the proof of the side whose view it is."""
        ...

    def holds(self, view: _View, proof: bytes, secret: SharedSecret | None, security: GmacProver | None) -> bool:
        """Tell whether the side whose view it is has made `proof`."""
        ...


@dataclass(frozen=True, slots=True)
class Digest:
    """A proof that whoever knows the secret computes, and the other side computes as well."""

    function: Callable[[bytes, _View], bytes]

    def make(self, view: _View, secret: SharedSecret | None, security: GmacProver | None) -> bytes:
        """Return the digest."""
        assert isinstance(secret, Secret)
        return self.function(secret.reveal(), view)

    def holds(self, view: _View, proof: bytes, secret: SharedSecret | None, security: GmacProver | None) -> bool:
        """Compare with the digest of our own, in constant time."""
        return compare_digest(self.make(view, secret, security), proof)


class Gmac:
    """A proof by the global keys, which uses up an invocation counter."""

    def make(self, view: _View, secret: SharedSecret | None, security: GmacProver | None) -> bytes:
        """Return security control, counter and tag."""
        assert security is not None
        return security.gmac_proof(view.answered)

    def holds(self, view: _View, proof: bytes, secret: SharedSecret | None, security: GmacProver | None) -> bool:
        """Check the tag."""
        assert security is not None
        return _passes(lambda: security.check_gmac_proof(view.answered, proof))


class Signature:
    """A proof by a signing key: both titles and both challenges, signed (ECDSA)."""

    def make(self, view: _View, secret: SharedSecret | None, security: GmacProver | None) -> bytes:
        """Return the signature."""
        assert isinstance(secret, Signatures)
        return secret.signer.sign(view.bound)

    def holds(self, view: _View, proof: bytes, secret: SharedSecret | None, security: GmacProver | None) -> bool:
        """Verify the signature."""
        assert isinstance(secret, Signatures)
        return _passes(lambda: secret.peer.verify(view.bound, proof))


def _passes(check: Callable[[], None]) -> bool:
    try:
        check()
    except SecurityError:
        return False
    return True


def _hashed(algorithm: hashes.HashAlgorithm, *parts: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(b"".join(parts))
    return digest.finalize()


def _md5(secret: bytes, view: _View) -> bytes:
    return _hashed(hashes.MD5(), view.answered, secret)  # noqa: S303 - mechanism 3 is MD5; `of` guards it


def _sha1(secret: bytes, view: _View) -> bytes:
    return _hashed(hashes.SHA1(), view.answered, secret)  # noqa: S303 - mechanism 4 is SHA-1; `of` guards it


def _sha256(secret: bytes, view: _View) -> bytes:
    return _hashed(hashes.SHA256(), secret, view.bound)


MANUFACTURER: Final = Mechanism(2, "manufacturer", secret=True)
"""Mechanism 2 without the function that makes it work: see `manufacturer_specific`."""

MECHANISMS: Final[Mapping[int, Mechanism]] = MappingProxyType(
    {
        0: Mechanism(0, "none"),
        1: Mechanism(1, "low", secret=True),
        5: Mechanism(5, "gmac", Gmac(), titles=True, keys=True),
        6: Mechanism(6, "sha256", Digest(_sha256), secret=True, titles=True),
        7: Mechanism(
            7,
            "ecdsa",
            Signature(),
            titles=True,
            signatures=True,
            challenge_octets=CHALLENGE_OCTETS_FOR_SIGNATURES,
            shortest_challenge=CHALLENGE_OCTETS_FOR_SIGNATURES,
        ),
    }
)

WEAK_MECHANISMS: Final[Mapping[int, tuple[Weakness, Mechanism]]] = MappingProxyType(
    {
        3: (Weakness.MD5_AUTHENTICATION, Mechanism(3, "md5", Digest(_md5), secret=True)),
        4: (Weakness.SHA1_AUTHENTICATION, Mechanism(4, "sha1", Digest(_sha1), secret=True)),
    }
)

_ALL: Final = tuple(
    sorted(
        (*MECHANISMS.values(), *(mechanism for _, mechanism in WEAK_MECHANISMS.values())),
        key=lambda mechanism: mechanism.identifier,
    )
)
