"""DES through triple DES, judged by published examples of DES."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.crypto.key import Secret
from cosem.protocol.elgama.proof import prove, proves

PUBLISHED = [
    ("0123456789ABCDEF", "4E6F772069732074", "3FA40E8A984D4815"),  # FIPS 81, table B1
    ("0123456789ABCDEF", "68652074696D6520", "6A271787AB8883F9"),
    ("133457799BBCDFF1", "0123456789ABCDEF", "85E813540F0AB405"),
]


@pytest.mark.parametrize(("key", "plain", "cipher"), PUBLISHED)
def test_published_examples(key: str, plain: str, cipher: str) -> None:
    secret = Secret(bytes.fromhex(key))
    assert prove(secret, bytes.fromhex(plain)).hex().upper() == cipher
    assert proves(secret, bytes.fromhex(plain), bytes.fromhex(cipher))
    assert not proves(secret, bytes.fromhex(plain), bytes(8))
    assert not proves(secret, bytes.fromhex(plain), b"")


def test_short_passwords_are_padded_with_spaces() -> None:
    assert prove(Secret(b"1"), bytes(8)) == prove(Secret(b"1       "), bytes(8))


@pytest.mark.parametrize(("password", "challenge"), [(b"", bytes(8)), (b"123456789", bytes(8)), (b"1", bytes(7))])
def test_other_lengths_are_refused(password: bytes, challenge: bytes) -> None:
    with pytest.raises(ConfigurationError):
        prove(Secret(password), challenge)
