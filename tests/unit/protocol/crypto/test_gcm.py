"""AES-GCM with short tags, beside the library's own slow way to them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from cosem import danger
from cosem.errors import ConfigurationError, LocalProtocolError, SecurityError
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.gcm import Gcm, nonce
from cosem.protocol.crypto.key import Key

EK = Key.from_hex("5FDE26FE7A1A36B6E1C0BA048FA9A023")
AK = Key.from_hex("7DA42A44E00BD0AF5E1A911E3CCA64FD")
UNVERIFIED = danger.allow(danger.Weakness.UNVERIFIED_CIPHERTEXT)
TITLE = b"COS12345"


@given(st.sampled_from([16, 32]), st.binary(max_size=100), st.integers(0, 0xFFFF_FFFF))
def test_agrees_with_the_library(size: int, plaintext: bytes, counter: int) -> None:
    material, authentication_key = bytes(range(100, 100 + size)), bytes(range(size))
    initial = nonce(TITLE, counter)
    encryptor = Cipher(algorithms.AES(material), modes.GCM(initial)).encryptor()
    encryptor.authenticate_additional_data(b"\x30" + authentication_key)
    expected = encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag[:12]
    gcm = Gcm(Key(material), Key(authentication_key))
    assert gcm.protect(0x30, initial, plaintext) == expected
    assert gcm.unprotect(0x30, initial, expected) == plaintext


@given(st.binary(max_size=40), st.integers(0, 255))
def test_no_octets_get_through_or_raise_anything_else(protected: bytes, control: int) -> None:
    with pytest.raises(SecurityError):
        Gcm(EK, AK).unprotect(control, nonce(TITLE, 1), protected)


@pytest.mark.parametrize("control", [0x30, 0x10])
@pytest.mark.parametrize("plaintext", [b"", b"\xc0", bytes(40)])
def test_every_octet_counts(control: int, plaintext: bytes) -> None:
    gcm = Gcm(EK, AK)
    protected = gcm.protect(control, nonce(TITLE, 1), plaintext)
    assert len(protected) == len(plaintext) + 12
    for place in range(len(protected)):
        altered = bytearray(protected)
        altered[place] ^= 0x80
        with pytest.raises(SecurityError, match="does not verify"):
            gcm.unprotect(control, nonce(TITLE, 1), bytes(altered))
    for other in (nonce(TITLE, 2), nonce(b"COS12346", 1)):
        with pytest.raises(SecurityError, match="does not verify"):
            gcm.unprotect(control, other, protected)
    with pytest.raises(SecurityError):
        gcm.unprotect(control | 1, nonce(TITLE, 1), protected)


def test_encryption_alone_needs_permission_both_ways() -> None:
    plaintext, initial = b"\xc4\x01\xc1\x00", nonce(TITLE, 1)
    for gcm in (Gcm(EK, AK), Gcm(EK)):
        with pytest.raises(SecurityError, match="UNVERIFIED_CIPHERTEXT"):
            gcm.protect(0x20, initial, plaintext)
        with pytest.raises(SecurityError, match="UNVERIFIED_CIPHERTEXT"):
            gcm.unprotect(0x20, initial, plaintext)
    permitted = Gcm(EK, permitted=UNVERIFIED)
    assert permitted.unprotect(0x20, initial, permitted.protect(0x20, initial, plaintext)) == plaintext


def test_without_an_authentication_key_there_is_no_tag() -> None:
    protected = Gcm(EK, AK).protect(0x30, nonce(TITLE, 1), b"\xc4\x01")
    with pytest.raises(SecurityError, match="UNVERIFIED_CIPHERTEXT"):
        Gcm(EK).unprotect(0x30, nonce(TITLE, 1), protected)
    assert Gcm(EK, permitted=UNVERIFIED).unprotect(0x30, nonce(TITLE, 1), protected) == b"\xc4\x01"
    for control in (0x10, 0x30):
        with pytest.raises(SecurityError, match="authentication key is needed"):
            Gcm(EK, permitted=UNVERIFIED).protect(control, nonce(TITLE, 1), b"")
    with pytest.raises(SecurityError, match="authentication key is needed"):
        Gcm(EK, permitted=UNVERIFIED).unprotect(0x10, nonce(TITLE, 1), bytes(12))


def test_no_protection_is_no_use_of_a_key() -> None:
    with pytest.raises(LocalProtocolError):
        Gcm(EK, AK).protect(0x00, nonce(TITLE, 1), b"")


@pytest.mark.parametrize(("title", "counter"), [(b"short", 1), (b"too long ", 1), (TITLE, -1), (TITLE, 1 << 32)])
def test_a_nonce_is_made_of_8_octets_and_32_bits(title: bytes, counter: int) -> None:
    with pytest.raises(LocalProtocolError):
        nonce(title, counter)


@pytest.mark.parametrize("counter", [0, 1, 1 << 31, 0xFFFF_FFFF])
def test_edge_counters(counter: int) -> None:
    assert nonce(TITLE, counter) == TITLE + counter.to_bytes(4, "big")


def test_suites_are_three() -> None:
    assert [suites.of(number).key_octets for number in range(3)] == [16, 16, 32]
    with pytest.raises(ConfigurationError, match="no security suite 3"):
        suites.of(3)
