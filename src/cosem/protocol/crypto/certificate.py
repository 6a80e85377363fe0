"""Certificates of public keys and requests for them, as security suites 1 and 2 use them (X.509, PKCS#10).

A certificate binds a public key to a system title, which is the common name of its subject in 16 hex digits, and says
what the key is for: signatures or key agreement (IEC 62056-5-3). Certificates of authorities have no title. All of it
is DER; time, serial numbers and titles are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cosem.errors import ConfigurationError, DecodeError, SecurityError
from cosem.protocol.crypto.elliptic import PrivateKey, PublicKey
from cosem.protocol.crypto.gcm import TITLE_OCTETS

E = TypeVar("E", bound=x509.ExtensionType)

LONGEST: Final = 4096
"""Octets of a certificate or request; a longer one is not looked at."""

_UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for octets that do not decode: some of it only when a field is asked for."""


class Use(Enum):
    """What the key of a certificate is for."""

    SIGNATURE = "digital signature"
    AGREEMENT = "key agreement"
    AUTHORITY = "signing certificates"


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, taken apart; `system_title` is None where the subject is an authority.

    `serial_number` are the octets of the number; `issuer` and `subject` those of the names, `subject_alt_name` those of
    the extension, empty where there is none. Times are UTC and aware.
    """

    octets: bytes
    system_title: bytes | None
    public: PublicKey
    uses: frozenset[Use]
    serial_number: bytes
    issuer: bytes
    subject: bytes
    subject_alt_name: bytes
    not_before: datetime
    not_after: datetime

    @classmethod
    def decode(cls, octets: bytes) -> Certificate:
        """Take a certificate apart; DecodeError where it is none, SecurityError where its key is of no suite."""
        certificate = _loaded(octets)
        try:
            uses = _uses(certificate)
            return cls(
                bytes(octets),
                None if Use.AUTHORITY in uses else _title(certificate.subject),
                _public(certificate.public_key()),
                uses,
                _number(certificate.serial_number),
                certificate.issuer.public_bytes(),
                certificate.subject.public_bytes(),
                _alt_name(certificate),
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
            )
        except _UNREADABLE:
            raise DecodeError("a field of the certificate does not decode", 0, ("certificate",)) from None

    def check(self, issuer: Certificate, now: datetime, *, title: bytes | None = None, use: Use | None = None) -> None:
        """Raise SecurityError unless `issuer` has signed this certificate and it holds now, for that title and use."""
        reasons = (
            (Use.AUTHORITY not in issuer.uses, "its issuer is no authority"),
            (self.issuer != issuer.subject, "it names another issuer"),
            (not self.not_before <= now <= self.not_after, "it is not valid at this time"),
            (not issuer.not_before <= now <= issuer.not_after, "that of its issuer is not valid at this time"),
            (title is not None and self.system_title != title, "it is of another system title"),
            (use is not None and use not in self.uses, f"its key is not for {'' if use is None else use.value}"),
        )
        for wrong, why in reasons:
            if wrong:
                raise SecurityError(f"the certificate is refused: {why}")
        certificate = _loaded(self.octets)
        if _hash(certificate) != issuer.public.curve.digest.name:
            raise SecurityError("the certificate is refused: it is not signed by the hash of its issuer's curve")
        try:
            issuer.public.library.verify(
                certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(issuer.public.curve.digest)
            )
        except InvalidSignature:
            raise SecurityError("the certificate is refused: the signature of its issuer does not verify") from None


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """A request for a certificate (PKCS#10): for whom, for which key; that it is the owner's own was verified."""

    octets: bytes
    system_title: bytes
    public: PublicKey

    @classmethod
    def decode(cls, octets: bytes) -> CertificateRequest:
        """Take a request apart; DecodeError where it is none, SecurityError where its owner has not signed it."""
        if len(octets) > LONGEST:
            raise DecodeError(f"a certificate request has at most {LONGEST} octets", 0, ("certificate-request",))
        try:
            request = x509.load_der_x509_csr(octets)
            signed = request.is_signature_valid
            subject, public = request.subject, request.public_key()
        except _UNREADABLE:
            raise DecodeError("need a certificate request in DER", 0, ("certificate-request",)) from None
        if not signed:
            raise SecurityError("the certificate request is not signed by the key it is for")
        return cls(bytes(octets), _title(subject), _public(public))


def request(key: PrivateKey, system_title: bytes) -> bytes:
    """Return a request for a certificate of `key`, signed by it."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(system_title))
    return builder.sign(key.library, key.curve.digest).public_bytes(Encoding.DER)


def issue(
    authority: PrivateKey,
    issuer: Certificate | None,
    subject: bytes | str,
    public: PublicKey,
    use: Use,
    serial_number: int,
    not_before: datetime,
    not_after: datetime,
) -> bytes:
    """Return a certificate signed by `authority`, whose own is `issuer`; None makes one that it gives itself.

    `subject` is a system title, or the name of an authority.
    """
    name = (
        _name(subject) if isinstance(subject, bytes) else x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    )
    is_authority = use is Use.AUTHORITY
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if issuer is None else _loaded(issuer.octets).subject)
        .public_key(public.library)
        .serial_number(serial_number)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=use is Use.SIGNATURE,
                key_agreement=use is Use.AGREEMENT,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    return builder.sign(authority.library, authority.curve.digest).public_bytes(Encoding.DER)


def _loaded(octets: bytes) -> x509.Certificate:
    if len(octets) > LONGEST:
        raise DecodeError(f"a certificate has at most {LONGEST} octets", 0, ("certificate",))
    try:
        return x509.load_der_x509_certificate(octets)
    except _UNREADABLE:
        raise DecodeError("need a certificate in DER", 0, ("certificate",)) from None


def _hash(certificate: x509.Certificate) -> str | None:
    """Return the name of the hash that was signed; None where the algorithm is not known, or has none."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return None if algorithm is None else algorithm.name


def _uses(certificate: x509.Certificate) -> frozenset[Use]:
    extensions = _extensions(certificate)
    usage, constraints = _found(extensions, x509.KeyUsage), _found(extensions, x509.BasicConstraints)
    if usage is None:
        raise SecurityError("the certificate does not say what its key is for")
    allowed = {
        Use.SIGNATURE: usage.digital_signature,
        Use.AGREEMENT: usage.key_agreement,
        Use.AUTHORITY: usage.key_cert_sign and constraints is not None and constraints.ca,
    }
    return frozenset(use for use, is_allowed in allowed.items() if is_allowed)


def _extensions(certificate: x509.Certificate) -> x509.Extensions:
    try:
        return certificate.extensions
    except _UNREADABLE:
        raise DecodeError("the extensions of the certificate do not decode", 0, ("certificate",)) from None


def _found(extensions: x509.Extensions, kind: type[E]) -> E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _alt_name(certificate: x509.Certificate) -> bytes:
    found = _found(_extensions(certificate), x509.SubjectAlternativeName)
    return b"" if found is None else found.public_bytes()


def _title(name: x509.Name) -> bytes:
    names = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    text = names[0].value if len(names) == 1 else ""
    try:
        title = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        title = b""
    if len(title) != TITLE_OCTETS or len(str(text)) != 2 * TITLE_OCTETS:
        raise SecurityError(f"the common name is no system title: need {2 * TITLE_OCTETS} hex digits")
    return title


def _name(system_title: bytes) -> x509.Name:
    if len(system_title) != TITLE_OCTETS:
        raise ConfigurationError(f"a system title has {TITLE_OCTETS} octets, this has {len(system_title)}")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, system_title.hex().upper())])


def _public(key: object) -> PublicKey:
    try:
        return PublicKey.of(key)
    except ConfigurationError as error:
        raise SecurityError(f"the key is of no security suite: {error}") from None


def _number(number: int) -> bytes:
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")
