"""Keys and passwords as people hand them over: `file:PATH`, `env:NAME`, or written out.

No message of this module shows what may be a key: who mistypes one would otherwise find it in a log.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from cosem.errors import ConfigurationError, DecodeError, SecurityError
from cosem.protocol.crypto.certificate import Certificate
from cosem.protocol.crypto.elliptic import CURVES, PrivateKey, PublicKey
from cosem.protocol.crypto.key import KEY_OCTETS, Key, Secret, octets_from_hex

LONGEST_FILE: Final = 4096
"""A longer file is certainly not a key or a password, and is not read."""

_FILE: Final = "file:"
_ENVIRONMENT: Final = "env:"
_READABLE_BY_OTHERS: Final = stat.S_IRGRP | stat.S_IROTH
_LIKE_A_KEY: Final = re.compile(r"(?:[0-9A-Fa-f][\s:.,_-]*){16}")
_RIGHT_FORMS: Final = "write file:PATH, env:NAME, or 32 hex digits"
_PRIVATE_FORMS: Final = "a private key is a file in PEM or DER without a password, or 64 hex digits (96 for suite 2)"
_PUBLIC_FORMS: Final = "a public key is a file with a key or certificate in PEM or DER, or x and y in hex"
_PEM: Final = b"-----BEGIN"


def key(source: str) -> Key:
    """Return the key that `source` names or is: `file:PATH`, `env:NAME`, or hex in any usual form.

    A file holds hex, or the 16 or 32 octets themselves. Raises ConfigurationError when there is nothing to be found or
    it is no key.
    """
    if source.startswith(_FILE):
        return _key_in(_file(source.removeprefix(_FILE)))
    if source.startswith(_ENVIRONMENT):
        return Key.from_hex(_environment(source.removeprefix(_ENVIRONMENT)))
    try:
        return Key.from_hex(source)
    except ConfigurationError as refused:
        raise ConfigurationError(f"{refused} ({_RIGHT_FORMS})") from None


def password(source: str) -> Secret:
    """Return the password that `source` names or is: `file:PATH`, `env:NAME`, `0x` with hex, or the text itself.

    One line end at the end of a file does not count. Raises ConfigurationError when there is nothing to be found.
    """
    if source.startswith(_FILE):
        content = _file(source.removeprefix(_FILE))
        given = content.removesuffix(b"\n").removesuffix(b"\r")
    elif source.startswith(_ENVIRONMENT):
        given = _environment(source.removeprefix(_ENVIRONMENT)).encode()
    else:
        given = source.encode()
    if given[:2].lower() == b"0x":
        given = octets_from_hex(_text(given))
    if not given:
        raise ConfigurationError("the password is empty")
    return Secret(given)


def private_key(source: str) -> PrivateKey:
    """Return the private key on an elliptic curve that `source` names: PEM, DER, or the hex of its number.

    Raises ConfigurationError when there is nothing to be found or it is no key of a security suite.
    """
    content = _content(source)
    try:
        if content.startswith(_PEM):
            return PrivateKey.of(load_pem_private_key(content, None))
        number = _hex(content)
        if number is not None:
            return next(PrivateKey(curve, number) for curve in CURVES if len(number) == curve.octets)
        return PrivateKey.of(load_der_private_key(content, None))
    except (ValueError, TypeError, StopIteration, UnsupportedAlgorithm):
        raise ConfigurationError(f"this is no private key: {_PRIVATE_FORMS}") from None


def public_key(source: str) -> PublicKey:
    """Return the public key on an elliptic curve that `source` names: a key or certificate in PEM or DER, or hex.

    Raises ConfigurationError when there is nothing to be found or it is no key of a security suite. A certificate is
    taken for the key in it: whom it belongs to is the word of the one who gives it.
    """
    content = _content(source)
    try:
        if content.startswith(_PEM + b" CERTIFICATE"):
            return PublicKey.of(x509.load_pem_x509_certificate(content).public_key())
        if content.startswith(_PEM):
            return PublicKey.of(load_pem_public_key(content))
        point = _hex(content)
        if point is not None:
            point = point[1:] if len(point) % 2 and point[:1] == b"\x04" else point
            return next(PublicKey(curve, point) for curve in CURVES if len(point) == curve.public_octets)
        return PublicKey.of(_der_public(content))
    except (ValueError, TypeError, StopIteration, UnsupportedAlgorithm, SecurityError):
        raise ConfigurationError(f"this is no public key: {_PUBLIC_FORMS}") from None


def certificate(source: str) -> bytes:
    """Return the certificate that `source` names, in DER: a file in PEM or DER, or hex.

    Raises ConfigurationError when there is nothing to be found or it is no certificate of a key of a security suite.
    """
    content = _content(source)
    try:
        if content.startswith(_PEM):
            content = x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER)
        return Certificate.decode(_hex(content) or content).octets
    except (ValueError, DecodeError, SecurityError):
        raise ConfigurationError("this is no certificate: write file:PATH of one in PEM or DER") from None


def hint(source: str) -> str | None:
    """Return what is unsafe about `source`, in one sentence for the user, or None."""
    if source.startswith(_ENVIRONMENT):
        return None
    if not source.startswith(_FILE):
        return (
            "what is typed on a command line is seen by other users and kept in the history: file: and env: are safer"
        )
    try:
        mode = Path(source.removeprefix(_FILE)).expanduser().stat().st_mode
    except OSError:
        return None
    if os.name == "posix" and mode & _READABLE_BY_OTHERS:
        return "other users may read this file: chmod 600 makes it private"
    return None


def _key_in(content: bytes) -> Key:
    try:
        octets = octets_from_hex(_text(content))
    except ConfigurationError:
        # Not hex: then it may be the octets themselves. Hex that is too short stays an error.
        if len(content) in KEY_OCTETS:
            return Key(content)
        raise
    return Key(octets)


def _content(source: str) -> bytes:
    if source.startswith(_FILE):
        return _file(source.removeprefix(_FILE))
    if source.startswith(_ENVIRONMENT):
        return _environment(source.removeprefix(_ENVIRONMENT)).encode()
    return source.encode()


def _hex(content: bytes) -> bytes | None:
    """Return the octets that hex stands for, None where it is none."""
    try:
        return octets_from_hex(_text(content))
    except ConfigurationError:
        return None


def _der_public(content: bytes) -> object:
    try:
        return load_der_public_key(content)
    except ValueError:
        return x509.load_der_x509_certificate(content).public_key()


def _file(name: str) -> bytes:
    try:
        with Path(name).expanduser().open("rb") as file:
            content = file.read(LONGEST_FILE + 1)
    except (OSError, ValueError, RuntimeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else "there is no such place"
        raise ConfigurationError(f"cannot read the file {_shown(name)}: {reason}") from None
    if len(content) > LONGEST_FILE:
        raise ConfigurationError(f"the file {_shown(name)} has more than {LONGEST_FILE} octets: that is no key")
    return content


def _environment(name: str) -> str:
    value = os.environ.get(name) if name else None
    if value is None:
        raise ConfigurationError(f"there is no environment variable {_shown(name)}")
    return value


def _text(content: bytes) -> str:
    try:
        return content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise ConfigurationError("what was given holds neither hex digits nor the 16 or 32 octets of a key") from None


def _shown(name: str) -> str:
    return "(its name looks like a key and is not shown)" if _LIKE_A_KEY.search(name) else repr(name)
