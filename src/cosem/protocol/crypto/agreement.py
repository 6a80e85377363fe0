"""Keys that both sides derive from a shared secret: the schemes of IEC 62056-5-3, after NIST SP 800-56A.

Ephemeral unified model: both sides make a key pair for this once and sign its public half (security setup, method
key_agreement). One-pass Diffie-Hellman: only the originator of a message makes one. Static unified model: neither does,
and the transaction-id keeps one derived key apart from the next.

The signature is over the key-id and the public key in key_agreement, over the public key alone in a message.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes

from cosem.errors import SecurityError
from cosem.protocol.crypto.elliptic import Agreer, PublicKey, Signer
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.suite import Suite

_FIRST_ROUND = b"\x00\x00\x00\x01"


def derive(
    suite: Suite, shared: Secret, originator: bytes, recipient: bytes, *, transaction_id: bytes | None = None
) -> Key:
    """Return the key that a shared secret stands for between two system titles.

    Args:
        shared: Z.
        originator: system title of who begins: PartyUInfo. In key_agreement that is the client.
        recipient: system title of the other side: PartyVInfo.
        transaction_id: at most 127 octets, for the static unified model alone; its length in front counts as well.

    Raises:
        SecurityError: the suite has no key agreement.
    """
    nonce = b"" if transaction_id is None else bytes((len(transaction_id),)) + transaction_id
    digest = hashes.Hash(suite.required_curve.digest)
    digest.update(_FIRST_ROUND)
    digest.update(shared.reveal())
    digest.update(suite.algorithm + originator + nonce + recipient)
    return Key(digest.finalize()[: suite.key_octets])


def signed(ephemeral: PublicKey, signer: Signer, key_id: int | None = None) -> bytes:
    """Return a public key with the signature of its owner behind it; `key_id` is signed along in key_agreement."""
    return ephemeral.octets + signer.sign(_to_sign(ephemeral.octets, key_id))


def opened(suite: Suite, octets: bytes, peer: PublicKey, key_id: int | None = None) -> PublicKey:
    """Return the public key in what `signed` made; SecurityError unless it is one and the peer has signed it."""
    curve = suite.required_curve
    size = curve.public_octets + curve.signature_octets
    if len(octets) != size:
        raise SecurityError(f"a signed public key on {curve.name} has {size} octets, this has {len(octets)}")
    point, signature = octets[: curve.public_octets], octets[curve.public_octets :]
    peer.verify(_to_sign(point, key_id), signature)
    return PublicKey(curve, point)


def agreed(
    suite: Suite,
    own: Agreer,
    peer: PublicKey,
    originator: bytes,
    recipient: bytes,
    *,
    transaction_id: bytes | None = None,
) -> Key:
    """Return the key shared by the owners of two keys (see `derive`)."""
    if peer.curve is not suite.required_curve:
        raise SecurityError(f"the peer's key is on {peer.curve.name}, suite {suite.identifier} has another curve")
    return derive(suite, own.exchange(peer), originator, recipient, transaction_id=transaction_id)


def _to_sign(point: bytes, key_id: int | None) -> bytes:
    return point if key_id is None else bytes((key_id,)) + point
