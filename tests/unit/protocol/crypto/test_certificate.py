"""Certificates and requests for them: made, taken apart, and refused for every reason there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cosem.errors import ConfigurationError, DecodeError, SecurityError
from cosem.protocol.crypto.certificate import LONGEST, Certificate, CertificateRequest, Use, issue, request
from cosem.protocol.crypto.elliptic import CURVES, P_256, P_384, Curve, PrivateKey, entropy_octets

NOW = datetime(2026, 11, 20, tzinfo=UTC)
TITLE = bytes.fromhex("4D4D4D0000BC614E")


def key(curve: Curve, seed: int) -> PrivateKey:
    return PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve))


def made(
    curve: Curve = P_256,
    *,
    authority: int = 1,
    use: Use = Use.SIGNATURE,
    title: bytes = TITLE,
    days: tuple[int, int] = (-1, 1),
    name: str = "root",
) -> tuple[Certificate, Certificate]:
    root_key = key(curve, authority)
    since, until = (NOW + timedelta(days=each) for each in days)
    root = Certificate.decode(issue(root_key, None, name, root_key.public, Use.AUTHORITY, 1, since, until))
    octets = issue(root_key, root, title, key(curve, 9).public, use, 0x80FF, since, until)
    return root, Certificate.decode(octets)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
@pytest.mark.parametrize("use", [Use.SIGNATURE, Use.AGREEMENT])
def test_a_certificate_says_whose_key_it_is_and_what_for(curve: Curve, use: Use) -> None:
    root, certificate = made(curve, use=use)
    assert root.system_title is None
    assert certificate.system_title == TITLE
    assert certificate.public == key(curve, 9).public
    assert certificate.uses == {use}
    assert certificate.serial_number == b"\x80\xff"
    assert certificate.issuer == root.subject
    certificate.check(root, NOW, title=TITLE, use=use)
    root.check(root, NOW)


def test_why_a_certificate_is_refused() -> None:
    root, certificate = made()
    other_root, _ = made(authority=2)
    named_otherwise, _ = made(name="another root")
    for issuer, now, words, why in (
        (certificate, NOW, {}, "no authority"),
        (named_otherwise, NOW, {}, "another issuer"),
        (other_root, NOW, {}, "does not verify"),
        (root, NOW + timedelta(days=2), {}, "not valid at this time"),
        (root, NOW - timedelta(days=2), {}, "not valid at this time"),
        (root, NOW, {"title": bytes(8)}, "another system title"),
        (root, NOW, {"use": Use.AGREEMENT}, "not for key agreement"),
    ):
        with pytest.raises(SecurityError, match=why):
            certificate.check(issuer, now, **words)  # type: ignore[arg-type]


def test_an_altered_certificate_does_not_verify() -> None:
    root, certificate = made()
    at = certificate.octets.index(TITLE.hex().upper().encode())
    altered = certificate.octets[:at] + b"5" + certificate.octets[at + 1 :]
    with pytest.raises(SecurityError, match="does not verify"):
        replace(Certificate.decode(altered)).check(root, NOW)


@pytest.mark.parametrize("octets", [b"", b"\x30", b"\x30\x82\xff\xff", bytes(100), bytes(LONGEST + 1)])
def test_octets_that_are_none(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        Certificate.decode(octets)
    with pytest.raises(DecodeError):
        CertificateRequest.decode(octets)


def test_a_certificate_cut_anywhere_is_refused() -> None:
    _, certificate = made()
    for end in range(len(certificate.octets)):
        with pytest.raises((DecodeError, SecurityError)):
            Certificate.decode(certificate.octets[:end])


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_a_request_is_of_its_owner(curve: Curve) -> None:
    octets = request(key(curve, 3), TITLE)
    asked = CertificateRequest.decode(octets)
    assert (asked.system_title, asked.public) == (TITLE, key(curve, 3).public)
    at = octets.index(TITLE.hex().upper().encode())
    with pytest.raises(SecurityError, match="not signed"):
        CertificateRequest.decode(octets[:at] + b"5" + octets[at + 1 :])


def test_a_title_has_eight_octets() -> None:
    with pytest.raises(ConfigurationError):
        request(key(P_384, 3), b"short")


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize("offset", [1, 0x40, 0x80, 0xFF])
def test_a_certificate_altered_in_any_octet_is_refused_by_a_typed_error(offset: int) -> None:
    """The count of unused bits before the signature is not signed: it may change where the last bit is 0."""
    root, certificate = made()
    for position in range(len(certificate.octets)):
        altered = bytearray(certificate.octets)
        altered[position] = (altered[position] + offset) % 0x100
        try:
            decoded = Certificate.decode(bytes(altered))
            decoded.check(root, NOW, title=TITLE, use=Use.SIGNATURE)
        except (DecodeError, SecurityError):
            continue
        assert replace(decoded, octets=certificate.octets) == certificate, f"octet {position}"


@pytest.mark.parametrize("offset", [1, 0x40, 0x80, 0xFF])
def test_a_request_altered_in_any_octet_is_refused_by_a_typed_error(offset: int) -> None:
    """The count of unused bits before the signature is not signed: it may change where the last bit is 0."""
    octets = request(key(P_256, 9), TITLE)
    for position in range(len(octets)):
        altered = bytearray(octets)
        altered[position] = (altered[position] + offset) % 0x100
        try:
            decoded = CertificateRequest.decode(bytes(altered))
        except (DecodeError, SecurityError):
            continue
        assert replace(decoded, octets=octets) == CertificateRequest.decode(octets), f"octet {position}"
