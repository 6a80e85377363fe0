"""Elliptic curve keys of security suites 1 and 2: signatures (ECDSA) and shared secrets (ECDH) in the standard's forms.

A public key is x and y, a signature is r and s, each number as long as the curve says (FIPS 186, NIST SP 800-56A). The
chance that a signature needs comes from the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from cosem.errors import ConfigurationError, SecurityError, VerificationError
from cosem.protocol.crypto.key import Secret


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A curve with the hash that goes with it; `octets` is the length of a coordinate, and of a private key."""

    name: str
    octets: int
    order: int
    library: ec.EllipticCurve
    digest: hashes.SHA256 | hashes.SHA384

    @property
    def public_octets(self) -> int:
        """The length of a public key: x and y."""
        return 2 * self.octets

    @property
    def signature_octets(self) -> int:
        """The length of a signature: r and s."""
        return 2 * self.octets


P_256: Final = Curve(
    "P-256",
    32,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ec.SECP256R1(),
    hashes.SHA256(),
)
P_384: Final = Curve(
    "P-384",
    48,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ec.SECP384R1(),
    hashes.SHA384(),
)
CURVES: Final = (P_256, P_384)


class Signer(Protocol):
    """What signs for one side: a private key, or a module that keeps it and never gives it out."""

    @property
    def public(self) -> PublicKey:
        """The key that its signatures are checked with."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`, r and s."""
        ...


class Agreer(Protocol):
    """What agrees on secrets for one side: a private key, or a module that keeps it and never gives it out."""

    @property
    def public(self) -> PublicKey:
        """The key that the other side needs."""
        ...

    def exchange(self, peer: PublicKey) -> Secret:
        """Return the secret shared with the owner of `peer`: Z, the x coordinate of ECDH."""
        ...


class PublicKey:
    """A point on a curve, checked; `octets` are x and y. Raises SecurityError for what is no point of it."""

    __slots__ = ("_library", "curve", "octets")

    def __init__(self, curve: Curve, octets: bytes) -> None:
        if len(octets) != curve.public_octets:
            raise SecurityError(
                f"a public key on {curve.name} has {curve.public_octets} octets, this has {len(octets)}"
            )
        try:
            self._library = ec.EllipticCurvePublicKey.from_encoded_point(curve.library, b"\x04" + octets)
        except ValueError:
            raise SecurityError(f"the public key is no point on {curve.name}") from None
        self.curve = curve
        self.octets = bytes(octets)

    @classmethod
    def of(cls, key: object) -> PublicKey:
        """Return a key of the library as ours. Raises ConfigurationError for other curves and kinds."""
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ConfigurationError("need a public key on an elliptic curve")
        curve, numbers = curve_named(key.curve.name), key.public_numbers()
        return cls(curve, _joined(curve, numbers.x, numbers.y))

    @property
    def library(self) -> ec.EllipticCurvePublicKey:
        """The key as `cryptography` has it, for certificates."""
        return self._library

    def verify(self, message: bytes, signature: bytes) -> None:
        """Raise SecurityError unless the owner of this key made `signature` over `message`."""
        curve = self.curve
        if len(signature) != curve.signature_octets:
            raise SecurityError(
                f"a signature on {curve.name} has {curve.signature_octets} octets, this has {len(signature)}"
            )
        r, s = (int.from_bytes(part, "big") for part in (signature[: curve.octets], signature[curve.octets :]))
        try:
            self._library.verify(encode_dss_signature(r, s), message, ec.ECDSA(curve.digest))
        except InvalidSignature:
            raise VerificationError(
                "the signature does not verify: the octets were altered, or somebody else signed them"
            ) from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PublicKey):
            return NotImplemented
        return (self.curve, self.octets) == (other.curve, other.octets)

    def __hash__(self) -> int:
        return hash(self.octets)

    def __repr__(self) -> str:
        return f"PublicKey({self.curve.name}, {self.octets.hex().upper()})"


class PrivateKey(Secret):
    """A private key, given as the octets of its number; like every secret it has no printed form.

    Raises ConfigurationError when the number is none of a private key on this curve.
    """

    __slots__ = ("__dict__", "curve")
    curve: Curve

    def __init__(self, curve: Curve, material: bytes) -> None:
        super().__init__(material)
        if len(material) != curve.octets or not 0 < int.from_bytes(material, "big") < curve.order:
            raise ConfigurationError(
                f"a private key on {curve.name} is a number of {curve.octets} octets below its order"
            )
        object.__setattr__(self, "curve", curve)

    @classmethod
    def from_entropy(cls, curve: Curve, entropy: bytes) -> PrivateKey:
        """Make a key of chance, at least 8 octets more than the key has (FIPS 186, extra random bits)."""
        if len(entropy) < entropy_octets(curve):
            raise ConfigurationError(
                f"a private key on {curve.name} is made of {entropy_octets(curve)} octets of chance"
            )
        number = int.from_bytes(entropy, "big") % (curve.order - 1) + 1
        return cls(curve, number.to_bytes(curve.octets, "big"))

    @classmethod
    def of(cls, key: object) -> PrivateKey:
        """Return a key of the library as ours. Raises ConfigurationError for other curves and kinds."""
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError("need a private key on an elliptic curve")
        curve = curve_named(key.curve.name)
        return cls(curve, key.private_numbers().private_value.to_bytes(curve.octets, "big"))

    @property
    def public(self) -> PublicKey:
        """The public key that belongs to it."""
        return self._public

    @property
    def library(self) -> ec.EllipticCurvePrivateKey:
        """The key as `cryptography` has it, for certificates and requests."""
        return self._library

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`: r and s."""
        signature = self._library.sign(message, ec.ECDSA(self.curve.digest))
        return _joined(self.curve, *decode_dss_signature(signature))

    def exchange(self, peer: PublicKey) -> Secret:
        """Return the secret shared with the owner of `peer`: Z. Raises SecurityError when it is on another curve."""
        if peer.curve is not self.curve:
            raise SecurityError(f"the peer's key is on {peer.curve.name}, ours on {self.curve.name}")
        return Secret(self._library.exchange(ec.ECDH(), peer.library))

    # Made when first needed and then kept: the library derives the public point each time.
    @cached_property
    def _library(self) -> ec.EllipticCurvePrivateKey:
        return ec.derive_private_key(int.from_bytes(self.reveal(), "big"), self.curve.library)

    @cached_property
    def _public(self) -> PublicKey:
        return PublicKey.of(self._library.public_key())


def entropy_octets(curve: Curve) -> int:
    """Return how many octets of chance a private key is made of."""
    return curve.octets + 8


def curve_named(name: str) -> Curve:
    """Return the curve that the library calls `name`. Raises ConfigurationError for curves of no suite."""
    for curve in CURVES:
        if curve.library.name == name:
            return curve
    raise ConfigurationError(f"the key is on {name}; security suites use {' and '.join(each.name for each in CURVES)}")


def _joined(curve: Curve, *numbers: int) -> bytes:
    return b"".join(number.to_bytes(curve.octets, "big") for number in numbers)
