"""Key rings give operations, not octets, and a key goes through its states in one direction."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.protocol.crypto.elliptic import P_256, P_384, Curve, PrivateKey
from cosem.protocol.crypto.gcm import Gcm, nonce
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.ring import KeyKind, KeyRing, KeyState, MemoryKeyRing, candidates
from cosem.protocol.crypto.wrap import unwrap

METER, OTHER = b"KFM\0\0\0\0\1", b"KFM\0\0\0\0\2"
EK, AK, KEK = Key(b"an encrypting k."), Key(b"an authentic. k."), Key(b"a key for keys..")


def test_operations_are_those_of_the_keys() -> None:
    ring: KeyRing = MemoryKeyRing()
    encryption, authentication = ring.add(METER, KeyKind.ENCRYPTION, EK), ring.add(METER, KeyKind.AUTHENTICATION, AK)
    iv = nonce(METER, 7)
    protected = ring.cipher(encryption, authentication).protect(0x30, iv, b"plain")
    assert Gcm(EK, AK).unprotect(0x30, iv, protected) == b"plain"
    master = ring.add(METER, KeyKind.MASTER, KEK)
    assert unwrap(KEK, ring.wrapped(master, encryption)) == EK
    assert ring.fingerprint(encryption) == EK.fingerprint


@pytest.mark.parametrize("curve", [P_256, P_384], ids=["P-256", "P-384"])
def test_private_keys_sign_and_agree(curve: Curve) -> None:
    ring, peer = MemoryKeyRing(), PrivateKey.from_entropy(curve, bytes(range(60)))
    key = PrivateKey.from_entropy(curve, bytes(range(1, 61)))
    signing, agreement = ring.add(METER, KeyKind.SIGNING, key), ring.add(METER, KeyKind.AGREEMENT, key)
    signer = ring.signer(signing)
    signer.public.verify(b"message", signer.sign(b"message"))
    assert ring.agreer(agreement).exchange(peer.public) == peer.exchange(key.public)
    assert ring.fingerprint(signing) == ring.fingerprint(agreement)


def test_a_key_of_another_kind_does_nothing() -> None:
    ring = MemoryKeyRing()
    authentication, master = ring.add(METER, KeyKind.AUTHENTICATION, AK), ring.add(METER, KeyKind.MASTER, KEK)
    for wrong in (
        lambda: ring.cipher(authentication, None),
        lambda: ring.cipher(master, authentication),
        lambda: ring.wrapped(authentication, master),
        lambda: ring.signer(master),
        lambda: ring.agreer(master),
    ):
        with pytest.raises(ConfigurationError, match="cannot be used for that"):
            wrong()
    with pytest.raises(ConfigurationError, match="is a PrivateKey, not a Key"):
        ring.add(METER, KeyKind.SIGNING, EK)
    with pytest.raises(ConfigurationError, match="is a Key, not a Secret"):
        ring.add(METER, KeyKind.MASTER, Secret(b"a password"))


def test_t13_a_change_of_key_has_two_phases_and_both_keys_open_in_between() -> None:
    ring = MemoryKeyRing()
    first = ring.activate(ring.add(METER, KeyKind.ENCRYPTION, EK))
    ring.add(OTHER, KeyKind.ENCRYPTION, AK)
    second = ring.add(METER, KeyKind.ENCRYPTION, KEK)
    assert second.version == first.version + 1
    assert candidates(ring, METER, KeyKind.ENCRYPTION) == (first, second)
    active = ring.activate(second)
    assert [name.state for name in ring.names(METER, KeyKind.ENCRYPTION)] == [KeyState.EXPIRED, KeyState.ACTIVE]
    assert candidates(ring, METER, KeyKind.ENCRYPTION) == (active,)
    for gone in (first, second):
        with pytest.raises((ConfigurationError, LocalProtocolError)):
            ring.activate(gone)
    expired = ring.names(METER, KeyKind.ENCRYPTION)[0]
    with pytest.raises(LocalProtocolError, match="only a new key"):
        ring.activate(expired)
    withdrawn = ring.withdraw(expired)
    for operation in (ring.fingerprint, ring.withdraw, ring.activate):
        with pytest.raises(ConfigurationError, match="not in this key ring"):
            operation(withdrawn)
    assert ring.add(METER, KeyKind.ENCRYPTION, EK).version == 3, "a version is never used again"


def test_nothing_is_shown() -> None:
    ring = MemoryKeyRing()
    name = ring.add(METER, KeyKind.ENCRYPTION, EK)
    for text in (repr(ring), str(name), repr(name), repr(ring.cipher(name, None))):
        assert EK.reveal().decode() not in text
        assert EK.reveal().hex() not in text.lower()
