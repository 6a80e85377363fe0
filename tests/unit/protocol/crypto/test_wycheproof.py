"""Project Wycheproof on our cryptography: AES-GCM with tags cut to 12 octets, AES key wrap, ECDH and ECDSA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cosem.errors import ConfigurationError, SecurityError
from cosem.protocol.crypto import wrap
from cosem.protocol.crypto.elliptic import CURVES, PrivateKey, PublicKey
from cosem.protocol.crypto.gcm import TAG_OCTETS, Gcm, unseal
from cosem.protocol.crypto.key import KEY_OCTETS, Key

FOLDER = Path(__file__).parents[3] / "vectors" / "wycheproof"
CURVE = {curve.name: curve for curve in CURVES}


def vectors(name: str) -> list[Any]:
    return list(json.loads((FOLDER / f"{name}.json").read_text())[name])


def unhex(*texts: str) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def test_aes_gcm_with_tags_of_12_octets() -> None:
    """The tag is cut to 12 octets; an invalid one counts only where those that are kept differ."""
    opened = refused = 0
    for number, *texts, result in vectors("aes_gcm"):
        key, nonce, aad, message, ciphertext, tag = unhex(*texts)
        encrypt, sealed = AESGCM(key).encrypt, ciphertext + tag[:TAG_OCTETS]
        if result == "valid" or encrypt(nonce, message, aad)[:-4] == sealed:
            assert unseal(encrypt, aad, nonce, sealed) == message, number
            opened += 1
        else:
            with pytest.raises(SecurityError):
                unseal(encrypt, aad, nonce, sealed)
            refused += 1
    assert opened > 75
    assert refused == 40


def test_aes_gcm_opens_and_refuses_what_was_cut_to_12_octets() -> None:
    """The keys, nonces and messages of the vectors under an AAD of the standard: the library makes the tag."""
    authentication_key, control = bytes(range(0xD0, 0xE0)), 0x30
    checked = 0
    for number, *texts, _ in vectors("aes_gcm"):
        key, nonce, _, message, _, _ = unhex(*texts)
        sealed = AESGCM(key).encrypt(nonce, message, bytes((control,)) + authentication_key)[:-4]
        gcm = Gcm(Key(key), Key(authentication_key))
        assert gcm.unprotect(control, nonce, sealed) == message, number
        assert gcm.protect(control, nonce, message) == sealed, number
        for wrong in (sealed[:-1], sealed[:-1] + bytes((sealed[-1] ^ 1,)), sealed + b"\x00", sealed[: TAG_OCTETS - 1]):
            with pytest.raises(SecurityError):
                gcm.unprotect(control, nonce, wrong)
        checked += 1
    assert checked > 100


def test_aes_key_wrap() -> None:
    opened = refused = 0
    for number, *texts, result in vectors("aes_wrap"):
        kek, key, wrapped = unhex(*texts)
        if result == "valid" and len(key) in KEY_OCTETS:
            assert wrap.unwrap(Key(kek), wrapped) == Key(key), number
            assert wrap.wrap(Key(kek), Key(key)) == wrapped, number
            opened += 1
            continue
        # Keys of other lengths are right elsewhere and none here.
        with pytest.raises(SecurityError):
            wrap.unwrap(Key(kek), wrapped)
        refused += 1
    assert (opened, refused) == (15, 95)


def test_ecdh() -> None:
    agreed = 0
    for curve_name, number, *texts, result in vectors("ecdh"):
        public, private, shared = unhex(*texts)
        curve = CURVE[curve_name]
        if public[:1] != b"\x04":  # the standard sends x and y, nothing else
            continue
        number_of_key = int.from_bytes(private, "big")
        try:
            own = PrivateKey(curve, number_of_key.to_bytes(curve.octets, "big"))
            secret = own.exchange(PublicKey(curve, public[1:]))
        except (SecurityError, ConfigurationError):
            assert result != "valid", number
        else:
            assert result != "invalid", number
            assert secret.equals(shared), number
            agreed += 1
    assert agreed > 500


def test_ecdsa() -> None:
    verified = refused = 0
    for curve_name, public, tests in vectors("ecdsa"):
        key = PublicKey(CURVE[curve_name], bytes.fromhex(public))
        for number, *texts, result in tests:
            message, signature = unhex(*texts)
            try:
                key.verify(message, signature)
            except SecurityError:
                assert result != "valid", number
                refused += 1
            else:
                assert result != "invalid", number
                verified += 1
    assert verified > 200
    assert refused > 100
