"""The proofs of the Elgama byte protocol: DES of eight octets under the password (EXPERIMENTAL, and long broken).

Single DES keeps nothing secret today; it is done, by triple DES with one key thrice, because the meters ask for it.
"""

from __future__ import annotations

import hmac
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from cosem.errors import ConfigurationError
from cosem.protocol.crypto.key import Secret

BLOCK: Final = 8
"""Octets of a challenge, of a proof, and of the password that is the key."""


def prove(password: Secret, challenge: bytes) -> bytes:
    """Return DES of a challenge of eight octets under a password of up to eight characters, padded with spaces.

    Raises ConfigurationError for other lengths.
    """
    key = password.reveal()
    if not 0 < len(key) <= BLOCK:
        raise ConfigurationError(f"the password of an Elgama meter has 1 to {BLOCK} characters, not {len(key)}")
    if len(challenge) != BLOCK:
        raise ConfigurationError(f"a challenge has {BLOCK} octets, not {len(challenge)}")
    algorithm = TripleDES(key.ljust(BLOCK) * 3)
    return Cipher(algorithm, modes.ECB()).encryptor().update(challenge)  # noqa: S305 - one block, as the meter has it


def proves(password: Secret, challenge: bytes, proof: bytes) -> bool:
    """Whether `proof` is that of `challenge`, in constant time."""
    return hmac.compare_digest(prove(password, challenge), proof)
