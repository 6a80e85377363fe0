"""Keys and passwords from files, the environment and the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cosem.errors import ConfigurationError
from cosem.io import credentials
from cosem.protocol.crypto.certificate import Use, issue
from cosem.protocol.crypto.elliptic import CURVES, Curve, PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Secret

HEX = "5FDE26FE7A1A36B6E1C0BA048FA9A023"
KEY = bytes.fromhex(HEX)


@pytest.mark.parametrize("content", [HEX.encode(), f" 0x{HEX.lower()}\r\n".encode(), KEY, KEY + KEY])
def test_a_key_in_a_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    expected = content if content.startswith(KEY) else KEY
    assert credentials.key(f"file:{path}").reveal() == expected


def test_a_binary_key_may_be_text_but_short_hex_is_no_binary_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"MYDUMMYGLOBALKEY")
    assert credentials.key(f"file:{path}").reveal() == b"MYDUMMYGLOBALKEY"
    path.write_text(HEX[:16])
    with pytest.raises(ConfigurationError, match="16 or 32 octets, this one has 8"):
        credentials.key(f"file:{path}")


def test_a_key_in_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "key").write_text(HEX)
    assert credentials.key("file:~/key").reveal() == KEY


def test_a_key_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_KEY", HEX)
    assert credentials.key("env:METER_KEY").reveal() == KEY


@pytest.mark.parametrize("text", [HEX, HEX.lower(), f"0x{HEX}", ":".join(HEX[i : i + 2] for i in range(0, 32, 2))])
def test_a_key_written_out(text: str) -> None:
    assert credentials.key(text).reveal() == KEY


@pytest.mark.parametrize(
    "source",
    [
        "",
        "file:",
        "env:",
        HEX[:-1],
        HEX[:-2],
        HEX + "0",
        HEX[:-1] + "Z",
        f"file:{HEX}",
        f"env:{HEX}",
        f"file:/nowhere/{HEX}",
        f"File:{HEX}",
        f"key={HEX}",
        f"file:{HEX}\0",
    ],
)
@pytest.mark.parametrize("read", [credentials.key, credentials.password])
def test_a_refusal_shows_no_key(read: Callable[[str], Secret], source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HEX, raising=False)
    if read is credentials.password and source and not source.startswith(("file:", "env:")):
        assert read(source).equals(source.encode())
        return
    with pytest.raises(ConfigurationError) as refused:
        read(source)
    assert HEX[:12].lower() not in str(refused.value).lower()
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_refusal_names_file_and_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("METER_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="METER_KEY"):
        credentials.key("env:METER_KEY")
    with pytest.raises(ConfigurationError, match="No such file"):
        credentials.key(f"file:{tmp_path}/missing.key")
    with pytest.raises(ConfigurationError, match="file:PATH, env:NAME"):
        credentials.key("missing.key")


@pytest.mark.parametrize(("size", "accepted"), [(4096, True), (4097, False)])
def test_a_file_that_is_certainly_no_key_is_not_read(size: int, accepted: bool, tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(HEX.encode() + b" " * (size - len(HEX)))
    if accepted:
        assert credentials.key(f"file:{path}").reveal() == KEY
    else:
        with pytest.raises(ConfigurationError, match="4096"):
            credentials.key(f"file:{path}")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("00000001", b"00000001"),
        ("pässword", "pässword".encode()),
        ("0x3030303030303031", b"00000001"),
        ("0X30 31", b"01"),
    ],
)
def test_a_password_written_out(source: str, expected: bytes) -> None:
    assert credentials.password(source).reveal() == expected


@pytest.mark.parametrize("content", [b"secret", b"secret\n", b"secret\r\n", b"0x736563726574\n"])
def test_a_password_in_a_file_or_variable(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    monkeypatch.setenv("METER_PASSWORD", content.decode().strip())
    assert credentials.password(f"file:{path}").reveal() == b"secret"
    assert credentials.password("env:METER_PASSWORD").reveal() == b"secret"


@pytest.mark.parametrize("source", ["", "0x"])
def test_an_empty_password_is_refused(source: str) -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        credentials.password(source)


def test_hints(tmp_path: Path) -> None:
    assert "safer" in (credentials.hint(HEX) or "")
    assert credentials.hint("env:METER_KEY") is None
    assert credentials.hint(f"file:{tmp_path}/missing") is None
    path = tmp_path / "key"
    path.write_text(HEX)
    path.chmod(0o600)
    assert credentials.hint(f"file:{path}") is None
    if os.name == "posix":
        path.chmod(0o644)
        assert "chmod 600" in (credentials.hint(f"file:{path}") or "")


# -- keys on elliptic curves ------------------------------------------------------------------------------------------

SIGNING = {curve: PrivateKey.from_entropy(curve, bytes((9,)) * entropy_octets(curve)) for curve in CURVES}


def forms(key: PrivateKey) -> tuple[list[bytes], list[bytes]]:
    """The private key and the public key in every form that is read."""
    private = [
        key.library.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
        for encoding in (Encoding.PEM, Encoding.DER)
    ]
    public = [
        key.public.library.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        for encoding in (Encoding.PEM, Encoding.DER)
    ]
    point = key.public.octets.hex().encode()
    return [*private, key.reveal().hex().encode()], [*public, point, b"04" + point]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_signing_keys_in_every_form(curve: Curve, tmp_path: Path) -> None:
    key, path = SIGNING[curve], tmp_path / "key"
    private, public = forms(key)
    for content in private:
        path.write_bytes(content)
        assert credentials.private_key(f"file:{path}") == key
    for content in public:
        path.write_bytes(content)
        assert credentials.public_key(f"file:{path}") == key.public


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_a_certificate_in_every_form(curve: Curve, tmp_path: Path) -> None:
    key, day = SIGNING[curve], datetime(2026, 1, 1, tzinfo=UTC)
    expected = issue(key, None, bytes(range(8)), key.public, Use.SIGNATURE, 1, day, day + timedelta(days=1))
    pem = x509.load_der_x509_certificate(expected).public_bytes(Encoding.PEM)
    path = tmp_path / "certificate"
    for content in (pem, expected, expected.hex().encode()):
        path.write_bytes(content)
        assert credentials.certificate(f"file:{path}") == expected


@pytest.mark.parametrize("content", [b"", b"00", b"-----BEGIN CERTIFICATE-----\nAAAA\n", b"\x30\x82\x00"])
def test_what_is_no_certificate(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "certificate"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="no certificate"):
        credentials.certificate(f"file:{path}")


@pytest.mark.parametrize("content", [b"", b"00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n", b"\x30\x82\x00", b"ff" * 32])
def test_what_is_no_signing_key(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="private key"):
        credentials.private_key(f"file:{path}")
    with pytest.raises(ConfigurationError, match="no public key"):
        credentials.public_key(f"file:{path}")
