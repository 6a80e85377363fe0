"""What the columns of keys and titles make of how a DLMS device is entered: on the wire where it can be seen there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import gateway_tables as tables
from cosem.client.access import Access
from cosem.gateway.config import DlmsParameters
from cosem.io import credentials
from cosem.protocol.association.layers import Envelope, KeyChoice
from cosem.protocol.association.security import Protection
from cosem.protocol.crypto.certificate import Use, issue
from gateway_bench import WRAPPER, bench

EK, AK, KEK = "00112233445566778899AABBCCDDEEFF", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF", "0F0E0D0C0B0A09080706050403020100"
KEYS = {"encryption_key": EK, "authentication_key": AK, "client_system_title": "4D4D4D0000000001"}
"""EK, AK and the title of the client as the examples of the Green Book have the last two."""
INITIATE_REQUEST = 0x21
"""The tag of glo-initiate-request, which is followed by a length and the security control byte."""


def key_pair(number: int) -> tuple[str, str]:
    """Return a private key of NIST P-256 and its public one, in hexadecimal."""
    private = ec.derive_private_key(number, ec.SECP256R1())
    point = private.public_key().public_numbers()
    return f"{number:064x}", f"{point.x:064x}{point.y:064x}"


OWN, PEER = key_pair(11), key_pair(12)


def sent(folder: Path, patch: pytest.MonkeyPatch, **changes: Any) -> bytes:
    meter = bench(folder, patch, changes={**WRAPPER, **changes})
    meter.fail()
    return meter.sent


@pytest.mark.parametrize(
    ("changes", "control"),
    [
        ({}, 0x30),
        ({"security_suite": 0}, 0x30),
        ({"security_suite": 1}, 0x31),
        ({"protection": "auth"}, 0x10),
        ({"protection": "enc"}, 0x20),
        ({"protection": "auth+enc"}, 0x30),
    ],
)
def test_security_suite_and_protection_are_in_the_security_control_byte(
    changes: dict[str, Any], control: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aarq = sent(tmp_path, monkeypatch, **KEYS, **changes)
    at = aarq.rindex(bytes((INITIATE_REQUEST,)), 0, aarq.index(bytes((control,)), aarq.index(b"\xbe")))
    assert aarq[at + 2] == control


def test_encryption_key_and_authentication_key_make_the_context_one_with_ciphering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert bytes.fromhex("60857405080103") in sent(tmp_path, monkeypatch, **KEYS)
    entry = access_of(tmp_path, **KEYS)
    assert entry.encryption_key is not None
    assert entry.authentication_key is not None
    assert entry.encryption_key.equals(bytes.fromhex(EK))
    assert entry.authentication_key.equals(bytes.fromhex(AK))


def test_client_system_title_and_user_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aarq = sent(tmp_path, monkeypatch, **KEYS, user=7)
    assert bytes.fromhex("A60A04084D4D4D0000000001") in aarq  # calling-AP-title
    assert bytes.fromhex("A903020107") in aarq  # calling-AE-invocation-id


def test_gateway_is_the_prefix_of_every_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E6, the network and the length of the address stand before the AARQ."""
    assert sent(tmp_path, monkeypatch, gateway="3:4D31")[8:].startswith(bytes.fromhex("E603024D3160"))


def test_max_information_and_window_are_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = bench(tmp_path, monkeypatch, changes={"max_information": 64, "window": 3})
    meter.fail()
    snrm = meter.sent
    assert bytes.fromhex("0501400601400704000000030804 00000003") in snrm


def test_counter_object_is_read_by_the_public_client_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {**KEYS, "client_address": "1", "counter_object": "0.0.43.1.0.255"}
    assert sent(tmp_path, monkeypatch, **given).startswith(bytes.fromhex("0001 0010 0001"))
    assert sent(tmp_path, monkeypatch, **{**given, "counter_object": None}).startswith(bytes.fromhex("0001 0001 0001"))


# -- what cannot be seen on the line before the meter has answered -----------------------------------------------------


def access_of(folder: Path, **changes: Any) -> Access:
    row = {name: value for name, value in {**tables.DLMS, **WRAPPER, **changes}.items() if value is not None}
    found = tables.configured(folder, [row], [tables.DLMS_SIGNAL])
    assert found.faults == ()
    parameters = found.devices[0].parameters
    assert isinstance(parameters, DlmsParameters)
    return parameters.access()


def test_keys_of_signature_and_agreement(tmp_path: Path) -> None:
    path, day = tmp_path / "certificate", datetime(2026, 1, 1, tzinfo=UTC)
    (tmp_path / "key").write_text(OWN[0])
    key = credentials.private_key(f"file:{tmp_path / 'key'}")
    title = bytes.fromhex(KEYS["client_system_title"])
    issued = issue(key, None, title, key.public, Use.SIGNATURE, 1, day, day + timedelta(days=1))
    path.write_bytes(issued)
    entry = access_of(
        tmp_path,
        **KEYS,
        auth="HighEcdsa",
        password="needless",
        signing_key=OWN[0],
        peer_signing_key=PEER[1],
        agreement_key=OWN[0],
        peer_agreement_key=PEER[1],
        master_key=KEK,
        certificate=f"file:{path}",
        security_suite=1,
    )
    assert entry.keys.master_key is not None
    assert entry.keys.master_key.equals(bytes.fromhex(KEK))
    assert entry.keys.signer is not None
    assert entry.keys.agreer is not None
    for ours in (entry.keys.signer, entry.keys.agreer):
        assert ours.public.octets.hex() == OWN[1]
    for theirs in (entry.keys.peer_signing_key, entry.keys.peer_agreement_key):
        assert theirs is not None
        assert theirs.octets.hex() == PEER[1]
    assert entry.certificate == issued


def test_meter_system_title_envelope_key_info_and_dialect(tmp_path: Path) -> None:
    entry = access_of(
        tmp_path,
        **KEYS,
        meter_system_title="4D4D4D0000BC614E",
        envelope="general-ciphering",
        key_info="identified",
        dialect="LGZ/ZMF100",
    )
    assert entry.meter_title == bytes.fromhex("4D4D4D0000BC614E")
    assert (entry.envelope, entry.key_info) == (Envelope.CIPHERING, KeyChoice.IDENTIFIED)
    assert entry.protection == Protection.AUTHENTICATION | Protection.ENCRYPTION
    assert "DAMAGED_INFORMATION" in entry.dialect.link  # what dialects.toml says of this maker


@pytest.mark.parametrize("dedicated_key", [0, 1])
def test_dedicated_key_is_made_for_each_association(dedicated_key: int, tmp_path: Path) -> None:
    assert access_of(tmp_path, **KEYS, dedicated_key=dedicated_key).dedicated is bool(dedicated_key)
