"""Single envelopes opened offline: what the keys open, what is verified, and which secret is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosem.danger import Weakness, allow
from cosem.errors import DecodeError, SecurityError
from cosem.protocol.apdu.protected import AgreedKey, GeneralCiphering
from cosem.protocol.association.envelope import Opened, is_dedicated, is_envelope, is_of_client, open_envelope
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, PublicKey
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


# -- general-ciphering and general-signing ----------------------------------------------------------------------------

GENERAL = json.loads((Path(__file__).parents[3] / "vectors" / "general.json").read_text(encoding="utf-8"))


def general_keys(suite: int, side: str) -> GeneralKeys:
    """Return the keys of one side: whoever looks into a capture may have those of either."""
    given, other = GENERAL["keys"][str(suite)], "recipient" if side == "originator" else "originator"
    if not suite:
        return GeneralKeys(master_key=Key.from_hex(given["master"]))
    curve = suites.of(suite).required_curve
    return GeneralKeys(
        master_key=Key.from_hex(given["master"]),
        agreer=PrivateKey(curve, bytes.fromhex(given[side]["agreement"]["private"])),
        peer_agreement_key=PublicKey(curve, bytes.fromhex(given[other]["agreement"]["public"])),
        peer_signing_key=PublicKey(curve, bytes.fromhex(given["originator"]["signing"]["public"])),
    )


def opened_through(octets: bytes, suite: int, keys: GeneralKeys | None) -> list[Opened]:
    given, found = GENERAL["keys"][str(suite)], list[Opened]()
    while is_envelope(octets):
        found.append(
            open_envelope(
                octets,
                Key.from_hex(given["encryption"]),
                Key.from_hex(given["authentication"]),
                broadcast_key=Key.from_hex(given["broadcast"]),
                keys=keys,
                permitted=UNVERIFIED,
            )
        )
        octets = found[-1].apdu
    return found


@pytest.mark.parametrize("case", GENERAL["made"], ids=lambda case: case["name"])
def test_envelopes_of_a_peer_open_with_the_keys_of_either_side(case: Any) -> None:
    octets = bytes.fromhex(case["envelope"])
    for side in ("recipient", "originator"):
        if side == "originator" and "one-pass" in case["name"]:
            continue  # the originator has forgotten its ephemeral key
        found = opened_through(octets, case["suite"], general_keys(case["suite"], side))
        assert found[-1].apdu.hex().upper() == case["plain"]
        assert all(each.authenticated for each in found)
        assert {each.system_title.hex().upper() for each in found if each.system_title} == {GENERAL["originator"]}
    assert any(each.protection is Protection.SIGNATURE for each in found) is ("signed" in case["name"])


def made(name: str) -> bytes:
    return bytes.fromhex(next(case["envelope"] for case in GENERAL["made"] if case["name"] == name))


def test_what_is_signed_opens_without_a_key_and_says_so() -> None:
    (opened,) = opened_through(made("suite 1, signed"), 1, None)
    assert (opened.protection, opened.authenticated) == (Protection.SIGNATURE, False)
    with pytest.raises(SecurityError, match="signature does not verify"):
        stranger = general_keys(1, "recipient").peer_agreement_key
        open_envelope(made("suite 1, signed"), None, keys=GeneralKeys(peer_signing_key=stranger))


def test_an_ephemeral_key_that_nobody_vouches_for_authenticates_nothing() -> None:
    keys = replace(general_keys(1, "recipient"), peer_signing_key=None)
    (opened,) = opened_through(made("suite 1, one-pass Diffie-Hellman"), 1, keys)
    assert opened.authenticated is False


@pytest.mark.parametrize(
    ("name", "keys", "reason"),
    [
        ("suite 1, wrapped key", None, "master key"),
        ("suite 1, one-pass Diffie-Hellman", None, "no private agreement key"),
        ("suite 1, static unified", GeneralKeys(agreer=general_keys(1, "recipient").agreer), "the other agreement key"),
        ("suite 1, static unified", general_keys(2, "recipient"), "is on P-384"),
    ],
)
def test_the_key_that_is_missing_is_named(name: str, keys: GeneralKeys | None, reason: str) -> None:
    with pytest.raises(SecurityError, match=reason):
        opened_through(made(name), 1, keys)


def test_a_reserved_scheme_opens_nothing() -> None:
    message = GeneralCiphering.decode(made("suite 1, static unified"))
    octets = replace(message, key_info=AgreedKey(b"\x09", b"")).encode()
    with pytest.raises(SecurityError, match="scheme 09, a reserved one"):
        opened_through(octets, 1, general_keys(1, "recipient"))
