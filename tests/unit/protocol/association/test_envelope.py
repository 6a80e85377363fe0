"""Single envelopes opened offline: what the keys open, what is verified, and which secret is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cosem.danger import Weakness, allow
from cosem.errors import DecodeError, SecurityError
from cosem.protocol.association.envelope import is_dedicated, is_envelope, is_of_client, open_envelope
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.suite import Protection

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "security.json").read_text(encoding="utf-8"))
EK, AK = (Key.from_hex(VECTORS["keys"][name]) for name in ("encryption", "authentication"))
OTHER = Key.from_hex("5A1B2C3D4E5F60718293A4B5C6D7E8F9")
UNVERIFIED = allow(Weakness.UNVERIFIED_CIPHERTEXT)


@pytest.mark.parametrize("case", VECTORS["protected"], ids=lambda case: case["name"])
def test_worked_examples_open(case: Any) -> None:
    title = bytes.fromhex(case["title"])
    opened = open_envelope(bytes.fromhex(case["envelope"]), EK, AK, [b"NOT THIS", title], UNVERIFIED)
    assert opened.apdu.hex().upper() == case["plain"]
    assert (opened.protection, opened.counter) == (Protection(case["protection"]), case["counter"])
    assert opened.authenticated is bool(case["protection"] & Protection.AUTHENTICATION)
    assert opened.system_title == title


@pytest.mark.parametrize("case", VECTORS["protected"], ids=lambda case: case["name"])
def test_without_permission_nothing_unverified_comes_out(case: Any) -> None:
    octets, titles = bytes.fromhex(case["envelope"]), [bytes.fromhex(case["title"])]
    if case["protection"] & Protection.ENCRYPTION:
        with pytest.raises(SecurityError, match="UNVERIFIED_CIPHERTEXT"):
            open_envelope(octets, EK, None, titles)
    else:
        assert open_envelope(octets, EK, None, titles).authenticated is False


@pytest.mark.parametrize(
    ("keys", "title", "reason"),
    [
        ((OTHER, AK), "4D4D4D0000BC614E", "the encryption key is another one"),
        ((EK, OTHER), "4D4D4D0000BC614E", "the authentication key is another one"),
        ((EK, AK), "4D4D4D0000BC614F", "or the system title of the sender is"),
        ((EK, AK), "", "is not known"),
        ((None, None), "4D4D4D0000BC614E", "there is no key"),
    ],
)
def test_the_likely_reason_is_named(keys: tuple[Key | None, Key | None], title: str, reason: str) -> None:
    (case,) = (each for each in VECTORS["protected"] if each["name"] == "get-request, authenticated and encrypted")
    with pytest.raises(SecurityError, match=reason):
        open_envelope(bytes.fromhex(case["envelope"]), *keys, [bytes.fromhex(title)], UNVERIFIED)


@pytest.mark.parametrize("octets", ["", "C0010000080000010000FF0200", "C8", "C803300000", "DB", "DB0848"])
def test_what_is_no_envelope_is_a_decode_error(octets: str) -> None:
    with pytest.raises(DecodeError):
        open_envelope(bytes.fromhex(octets), EK, AK, [b"TST00001"])


def test_compression_is_not_undone() -> None:
    with pytest.raises(SecurityError, match="compressed"):
        open_envelope(bytes.fromhex("C806B00000000100"), EK, AK, [b"TST00001"])


def test_kinds_of_envelopes() -> None:
    assert [is_envelope(bytes((tag,))) for tag in (0xC8, 0xD0, 0xDB, 0xDC, 0x21, 0xC0, 0x0F)] == [True] * 5 + [
        False
    ] * 2
    assert [is_of_client(bytes((tag,))) for tag in (0xC8, 0xCC, 0x21, 0x28, 0xD0)] == [True, False, True, False, True]
    assert not is_of_client(b"")
    assert is_dedicated(bytes.fromhex("D006300000000100"))
    assert not is_dedicated(bytes.fromhex("C806300000000100"))
