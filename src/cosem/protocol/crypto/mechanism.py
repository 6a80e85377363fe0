"""The authentication mechanisms of IEC 62056-5-3, and the proofs of high level security (HLS).

In HLS both sides prove in the same way that they know a secret: each answers the challenge the other one made. The
client proves first, with f(StoC), then the server with f(CtoS).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hmac import compare_digest
from types import MappingProxyType
from typing import Final, Protocol

from cryptography.hazmat.primitives import hashes

from cosem.danger import NOTHING, Weakness
from cosem.errors import ConfigurationError, LocalProtocolError, SecurityError
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.crypto.key import Secret

CHALLENGE_MINIMUM: Final = 8
CHALLENGE_MAXIMUM: Final = 64
CHALLENGE_OCTETS: Final = 16
"""Length of the challenges we make; shorter ones of a peer are accepted down to the minimum of the standard."""


@dataclass(frozen=True, slots=True)
class Challenges:
    """The two challenges of one association, CtoS of the client and StoC of the server, and both system titles.

    A title is empty where the association has none.
    """

    client: bytes
    server: bytes
    client_title: bytes = b""
    server_title: bytes = b""

    def check(self) -> None:
        """Raise SecurityError when a length is wrong, or when one side only mirrors the other."""
        for side, challenge in (("client", self.client), ("server", self.server)):
            if not CHALLENGE_MINIMUM <= len(challenge) <= CHALLENGE_MAXIMUM:
                raise SecurityError(
                    f"a challenge has {CHALLENGE_MINIMUM} to {CHALLENGE_MAXIMUM} octets, "
                    f"that of the {side} has {len(challenge)}"
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
class Mechanism:
    """One authentication mechanism: what it needs, and the proofs it makes and checks.

    `challenges` tells whether it is a high level one. All proof methods raise SecurityError when the challenges or
    titles do not do, LocalProtocolError when the secret or the keys are missing.
    """

    identifier: int
    name: str
    challenges: bool = False
    secret: bool = False
    titles: bool = False
    digest: Callable[[bytes, _View], bytes] | None = None

    def client_proof(self, challenges: Challenges, secret: Secret | None, security: GmacProver | None) -> bytes:
        """Return f(StoC), which the client sends."""
        return self._proof(self._client_view(challenges), secret, security)

    def server_proof(self, challenges: Challenges, secret: Secret | None, security: GmacProver | None) -> bytes:
        """Return f(CtoS), which the server sends."""
        return self._proof(self._server_view(challenges), secret, security)

    def client_proof_holds(
        self, challenges: Challenges, proof: bytes, secret: Secret | None, security: GmacProver | None
    ) -> bool:
        """Tell whether `proof` is f(StoC); for servers."""
        return self._holds(self._client_view(challenges), proof, secret, security)

    def server_proof_holds(
        self, challenges: Challenges, proof: bytes, secret: Secret | None, security: GmacProver | None
    ) -> bool:
        """Tell whether `proof` is f(CtoS); for clients. Our own proof coming back does not hold."""
        return self._holds(self._server_view(challenges), proof, secret, security)

    def _client_view(self, challenges: Challenges) -> _View:
        self._check(challenges)
        return _View(challenges.client_title, challenges.server_title, challenges.client, challenges.server)

    def _server_view(self, challenges: Challenges) -> _View:
        self._check(challenges)
        return _View(challenges.server_title, challenges.client_title, challenges.server, challenges.client)

    def _check(self, challenges: Challenges) -> None:
        if not self.challenges:
            raise LocalProtocolError(f"authentication mechanism {self.identifier} ({self.name}) has no proof")
        challenges.check()
        lengths = len(challenges.client_title), len(challenges.server_title)
        if self.titles and lengths != (TITLE_OCTETS, TITLE_OCTETS):
            raise SecurityError(
                f"authentication mechanism {self.identifier} ({self.name}) binds two system titles of "
                f"{TITLE_OCTETS} octets, those of client and server have {lengths[0]} and {lengths[1]}"
            )

    def _proof(self, view: _View, secret: Secret | None, security: GmacProver | None) -> bytes:
        if self.digest is not None:
            return self.digest(self._revealed(secret), view)
        return self._prover(security).gmac_proof(view.answered)

    def _holds(self, view: _View, proof: bytes, secret: Secret | None, security: GmacProver | None) -> bool:
        if self.digest is not None:
            return compare_digest(self.digest(self._revealed(secret), view), proof)
        try:
            self._prover(security).check_gmac_proof(view.answered, proof)
        except SecurityError:
            return False
        return True

    def _revealed(self, secret: Secret | None) -> bytes:
        if not secret:
            raise LocalProtocolError(f"authentication mechanism {self.identifier} ({self.name}) needs a secret")
        return secret.reveal()

    def _prover(self, security: GmacProver | None) -> GmacProver:
        if security is None:
            raise LocalProtocolError(f"authentication mechanism {self.identifier} ({self.name}) needs keys")
        return security


def of(identifier: int, permitted: frozenset[Weakness] = NOTHING) -> Mechanism:
    """Return the mechanism with this number; ConfigurationError when it is not built in or not permitted."""
    mechanism = MECHANISMS.get(identifier)
    if mechanism is not None:
        return mechanism
    if identifier not in WEAK_MECHANISMS:
        known = ", ".join(f"{known.identifier} ({known.name})" for known in _all())
        raise ConfigurationError(f"authentication mechanism {identifier} is not implemented; there are {known}")
    weakness, mechanism = WEAK_MECHANISMS[identifier]
    if weakness not in permitted:
        raise ConfigurationError(
            f"authentication mechanism {identifier} ({mechanism.name}) is off by default: {weakness.value}; "
            f"cosem.danger.Weakness.{weakness.name} permits it"
        )
    return mechanism


def named(name: str, permitted: frozenset[Weakness] = NOTHING) -> Mechanism:
    """Return the mechanism with this name, such as "gmac", under the same conditions as `of`."""
    for mechanism in _all():
        if mechanism.name == name.lower():
            return of(mechanism.identifier, permitted)
    known = ", ".join(mechanism.name for mechanism in _all())
    raise ConfigurationError(f"there is no authentication mechanism of this name; write one of {known}")


@dataclass(frozen=True, slots=True)
class _View:
    """Titles and challenges as seen from the side that proves: the challenge it answers, and the one it made."""

    title: bytes
    peer_title: bytes
    made: bytes
    answered: bytes


def _hashed(algorithm: hashes.HashAlgorithm, *parts: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(b"".join(parts))
    return digest.finalize()


def _md5(secret: bytes, view: _View) -> bytes:
    return _hashed(hashes.MD5(), view.answered, secret)  # noqa: S303 - mechanism 3 is MD5; `of` guards it


def _sha1(secret: bytes, view: _View) -> bytes:
    return _hashed(hashes.SHA1(), view.answered, secret)  # noqa: S303 - mechanism 4 is SHA-1; `of` guards it


def _sha256(secret: bytes, view: _View) -> bytes:
    return _hashed(hashes.SHA256(), secret, view.title, view.peer_title, view.answered, view.made)


# Number 2 is the manufacturer's own and 7 (ECDSA) needs certificates: neither is here, so `of` refuses both.
MECHANISMS: Final[Mapping[int, Mechanism]] = MappingProxyType(
    {
        0: Mechanism(0, "none"),
        1: Mechanism(1, "low", secret=True),
        5: Mechanism(5, "gmac", challenges=True, titles=True),
        6: Mechanism(6, "sha256", challenges=True, secret=True, titles=True, digest=_sha256),
    }
)

WEAK_MECHANISMS: Final[Mapping[int, tuple[Weakness, Mechanism]]] = MappingProxyType(
    {
        3: (Weakness.MD5_AUTHENTICATION, Mechanism(3, "md5", challenges=True, secret=True, digest=_md5)),
        4: (Weakness.SHA1_AUTHENTICATION, Mechanism(4, "sha1", challenges=True, secret=True, digest=_sha1)),
    }
)


def _all() -> list[Mechanism]:
    weak = [mechanism for _, mechanism in WEAK_MECHANISMS.values()]
    return sorted([*MECHANISMS.values(), *weak], key=lambda mechanism: mechanism.identifier)
