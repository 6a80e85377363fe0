"""Keys on elliptic curves: form, secrecy, and what happens with octets that are none."""

from __future__ import annotations

import pickle

import pytest

from cosem.errors import ConfigurationError, LocalProtocolError, SecurityError
from cosem.protocol.crypto.elliptic import CURVES, P_256, P_384, Curve, PrivateKey, PublicKey, entropy_octets


def key(curve: Curve, seed: int = 7) -> PrivateKey:
    return PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve))


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_what_one_signs_the_other_verifies(curve: Curve) -> None:
    signer = key(curve)
    signature = signer.sign(b"message")
    assert len(signature) == curve.signature_octets
    signer.public.verify(b"message", signature)
    for message, altered in (
        (b"massage", signature),
        (b"message", bytes((signature[0] ^ 1,)) + signature[1:]),
        (b"message", signature[:-1]),
        (b"message", signature + b"\x00"),
        (b"message", bytes(curve.signature_octets)),
        (b"message", b""),
    ):
        with pytest.raises(SecurityError):
            signer.public.verify(message, altered)
    with pytest.raises(SecurityError):
        key(curve, 8).public.verify(b"message", signature)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_both_sides_share_one_secret(curve: Curve) -> None:
    one, other = key(curve, 1), key(curve, 2)
    assert one.exchange(other.public) == other.exchange(one.public)
    assert len(one.exchange(other.public)) == curve.octets


def test_keys_on_different_curves_share_nothing() -> None:
    with pytest.raises(SecurityError, match="P-384"):
        key(P_256).exchange(key(P_384).public)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_numbers_that_are_no_private_key(curve: Curve) -> None:
    good = (1, curve.order - 1)
    for number in good:
        PrivateKey(curve, number.to_bytes(curve.octets, "big"))
    for number in (0, curve.order, 2 ** (8 * curve.octets) - 1):
        with pytest.raises(ConfigurationError, match="below its order"):
            PrivateKey(curve, number.to_bytes(curve.octets, "big"))
    with pytest.raises(ConfigurationError):
        PrivateKey(curve, bytes(curve.octets - 1) + b"\x01\x01")


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_any_chance_makes_a_key_but_too_little_does_not(curve: Curve) -> None:
    for octet in (0x00, 0xFF):
        PrivateKey.from_entropy(curve, bytes((octet,)) * entropy_octets(curve))
    with pytest.raises(ConfigurationError):
        PrivateKey.from_entropy(curve, bytes(entropy_octets(curve) - 1))


@pytest.mark.parametrize("octets", [b"", bytes(63), bytes(64), b"\xff" * 64, bytes(65)])
def test_octets_that_are_no_point(octets: bytes) -> None:
    with pytest.raises(SecurityError):
        PublicKey(P_256, octets)


def test_a_private_key_is_never_shown() -> None:
    secret = key(P_256)
    digits = secret.reveal().hex()
    assert digits not in f"{secret!r} {secret} {secret.public!r}".lower()
    with pytest.raises(LocalProtocolError):
        pickle.dumps(secret)
    with pytest.raises(LocalProtocolError):
        secret.curve = P_384


def test_keys_of_the_library_come_and_go() -> None:
    secret = key(P_384)
    assert PrivateKey.of(secret.library) == secret
    assert PublicKey.of(secret.public.library) == secret.public
    for other in (None, b"key"):
        with pytest.raises(ConfigurationError):
            PrivateKey.of(other)
        with pytest.raises(ConfigurationError):
            PublicKey.of(other)
