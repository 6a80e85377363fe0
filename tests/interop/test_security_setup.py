"""Clients of others change keys, policy and certificates of our meter, and enter with what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem import Register, Unit
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto import certificate
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.certificate import Certificate, Use
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from interop.matrix import asks
from interop.served import served
from interop.test_security_suites import TITLE, private_pem, public_pem, signing, symmetric

ENERGY, READ = Register("1.0.1.8.0.255"), ["get", "1.0.1.8.0.255", 3, 2]
SETUP = "0.0.43.0.1.255"
NOW = datetime.now(UTC)
MASTER, NEW = (
    {suite: hashlib.sha256(name).digest()[: suites.of(suite).key_octets].hex().upper() for suite in (0, 1, 2)}
    for name in (b"master", b"new")
)


def described(suite: int, max_receive_pdu_size: int = 256) -> Meter:
    ek, ak = (Key(bytes.fromhex(each)) for each in symmetric(max(suite, 1)))
    general = GeneralKeys(master_key=Key(bytes.fromhex(MASTER[suite])))
    certificates: tuple[Certificate, ...] = ()
    if suite:
        general = replace(general, signer=signing(suite, 1), peer_signing_key=signing(suite, 2).public)
        certificates = (authority(suite),)
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(
        AssociationDescription(
            client=1,
            mechanism=MECHANISMS[5],
            keys=Keys(ek, ak, temporary=True, suite=suite, general=general, certificates=certificates),
            protection=AUTHENTICATED_ENCRYPTION,
            rights=Rights(Access.MANAGE),
            max_receive_pdu_size=max_receive_pdu_size,
        )
    )
    return meter


def words(suite: int, **more: Any) -> dict[str, Any]:
    ek, ak = symmetric(max(suite, 1))
    context = {"master_key": MASTER[suite]}
    if suite:
        context |= {"signing_key": private_pem(signing(suite, 2)), "peer_signing_key": public_pem(signing(suite, 1))}
    given = {"client": 1, "mechanism": 5, "ek": ek, "ak": ak, "title": TITLE, "suite": suite, "context": context}
    return {**given, **more}


def authority(suite: int) -> Certificate:
    root, begin = signing(suite, 7), NOW - timedelta(days=1)
    end = NOW + timedelta(days=3650)
    return Certificate.decode(certificate.issue(root, None, "Root-CA", root.public, Use.AUTHORITY, 1, begin, end))


def keys_of(meter: Meter) -> Keys:
    keys = meter.management.associations[0].keys
    assert keys is not None
    return keys


@pytest.mark.parametrize(
    "suite", [pytest.param(suite, marks=asks("pydlms-client", "server", "key transfer")) for suite in (0, 1, 2)]
)
def test_pydlms_transfers_keys(pydlms: Any, suite: int) -> None:
    meter, new = described(suite), NEW[suite]
    with served(meter) as port:
        transfer = ["call", "transfer_keys", {"0": {"hex": new}}, SETUP]
        answer = pydlms(port, [transfer], **words(suite))
        assert answer.get("results") == [{"value": None}], answer
        assert keys_of(meter).encryption == Key(bytes.fromhex(new))
        assert pydlms(port, [READ], **words(suite, ek=new)).get("results") == [{"value": "0600BC614E"}]
        assert "error" in pydlms(port, [READ], **words(suite, counter=100)), "under the old key"


@pytest.mark.parametrize("suite", [pytest.param(0, marks=asks("pydlms-client", "server", "key transfer"))])
def test_pydlms_transfers_keys_under_another_master_key(pydlms: Any, suite: int) -> None:
    meter = described(suite)
    before = keys_of(meter)
    with served(meter) as port:
        transfer = ["call", "transfer_keys", {"0": {"hex": NEW[suite]}}, SETUP]
        answer = pydlms(port, [transfer], **words(suite, context={"master_key": NEW[suite]}))
        assert "refused" in answer["results"][0], answer
    assert keys_of(meter) == before


@pytest.mark.parametrize(
    "suite", [pytest.param(suite, marks=asks("pydlms-client", "server", "key agreement")) for suite in (1, 2)]
)
def test_pydlms_agrees_on_keys(pydlms: Any, suite: int) -> None:
    meter = described(suite)
    with served(meter) as port:
        answer = pydlms(port, [["call", "agree_keys", [0, 1, 2], SETUP]], **words(suite))
        agreed = answer["results"][0]["value"]
        keys = keys_of(meter)
        assert keys.broadcast is not None
        ours = [keys.encryption, keys.broadcast, keys.authentication]
        assert [Key(bytes.fromhex(each["octets"])) for each in agreed.values()] == ours
        ek, ak = (each["octets"] for each in (agreed["0"], agreed["2"]))
        assert pydlms(port, [READ], **words(suite, ek=ek, ak=ak)).get("results") == [{"value": "0600BC614E"}]


@pytest.mark.parametrize(
    "suite",
    [
        pytest.param(suite, marks=asks("pydlms-client", "server", "certificates", "ACTION in blocks"))
        for suite in (1, 2)
    ],
)
def test_pydlms_asks_for_a_certificate_and_imports_it(pydlms: Any, suite: int) -> None:
    """Its own check of the request covers curve, digest and signature; the certificate comes in blocks."""
    meter = described(suite)
    peer = signing(suite, 2)
    begin, end = NOW - timedelta(days=1), NOW + timedelta(days=365)
    made = certificate.issue(
        *(signing(suite, 7), authority(suite), bytes.fromhex(TITLE), peer.public, Use.SIGNATURE, 2, begin, end)
    )
    with served(meter) as port:
        operations = [
            ["call", "generate_key_pair", 0, SETUP],
            ["call", "certificate_request", 0, SETUP],
            ["call", "import_certificate", {"hex": made.hex()}, SETUP],
            ["get", SETUP, 64, 6],
        ]
        answer = pydlms(port, operations, **words(suite))
    assert [set(each) for each in answer["results"]] == [{"value"}] * 4, answer
    assert made in [held.octets for held in keys_of(meter).certificates]
    assert TITLE.encode().hex().upper() in answer["results"][3]["value"], "the subject is named by its title in hex"


@pytest.mark.parametrize(
    ("suite", "weaker", "same", "found"),
    [
        pytest.param(0, 1, 3, "1603", marks=asks("pydlms-client", "server", "security policy")),
        pytest.param(1, 0x24, 0x6C, "166C", marks=asks("pydlms-client", "server", "security policy")),
    ],
)
def test_pydlms_activates_a_policy(pydlms: Any, suite: int, weaker: int, same: int, found: str) -> None:
    """A weaker one is refused, the same is taken; a stronger one would need a peer that signs all it sends."""
    meter = described(suite)
    operations: list[list[Any]] = [["get", SETUP, 64, 2]]
    for policy in (weaker, same):
        operations.append(["act", SETUP, 64, 1, f"16{policy:02X}"])
    with served(meter) as port:
        answer = pydlms(port, operations, **words(suite))
    read, refused, taken = answer["results"]
    assert read == {"value": found} and "refused" in refused and "value" in taken, answer
    (association,) = meter.management.associations
    assert association.protection == AUTHENTICATED_ENCRYPTION


@pytest.mark.parametrize(
    "right", [pytest.param(each, marks=asks("gurux-dlms", "server", "key transfer")) for each in (True, False)]
)
def test_gurux_transfers_a_key(gurux: Any, right: bool) -> None:
    meter, new = described(0), NEW[0]
    before = keys_of(meter)
    ek, ak = symmetric(1)
    words: dict[str, Any] = {"client": 1, "auth": "gmac", "ek": ek, "ak": ak, "system_title": TITLE}
    with served(meter) as port:
        answer = gurux(port, [["transfer", SETUP, MASTER[0] if right else new, 0, new]], **words)
        assert ("value" in answer["results"][0]) is right, answer
        assert keys_of(meter).encryption == (Key(bytes.fromhex(new)) if right else before.encryption)


@pytest.mark.interop(feature="security policy", peer="gurux-dlms", role="server")
def test_gurux_activates_a_policy(gurux: Any) -> None:
    """A weaker one is refused, the same is taken."""
    ek, ak = symmetric(1)
    words: dict[str, Any] = {"client": 1, "auth": "gmac", "ek": ek, "ak": ak, "system_title": TITLE}
    with served(described(0)) as port:
        answer = gurux(port, [["act", 64, SETUP, 1, "ENUM", policy] for policy in (1, 3)], **words)
    refused, taken = answer["results"]
    assert "refused" in refused and "value" in taken, answer


@pytest.mark.interop(feature="certificates", peer="gurux-dlms", role="server")
@pytest.mark.interop(feature="ACTION in blocks", peer="gurux-dlms", role="server")
def test_gurux_asks_for_a_certificate_imports_one_and_exports_it(gurux: Any) -> None:
    """In blocks of an APDU of 128 octets, both ways; the peer's own class reads no certificate as DLMS has them."""
    ek, ak = symmetric(1)
    words: dict[str, Any] = {"client": 1, "auth": "gmac", "ek": ek, "ak": ak, "system_title": TITLE, "suite": 1}
    begin, end = NOW - timedelta(days=1), NOW + timedelta(days=365)
    made = certificate.issue(
        *(signing(1, 7), authority(1), bytes.fromhex(TITLE), signing(1, 2).public, Use.SIGNATURE, 2, begin, end)
    )
    meter = described(1, max_receive_pdu_size=128)
    with served(meter) as port:
        operations = [
            ["setup", SETUP, "generateKeyPair", 0],
            ["setup", SETUP, "generateCertificate", 0],
            ["setup", SETUP, "importCertificate", {"certificate": made.hex()}],
            ["setup", SETUP, "exportCertificateByEntity", 1, 0, {"hex": TITLE}],
        ]
        answer = gurux(port, operations, **words, max_pdu=128)
    assert "error" not in answer, answer["error"]
    assert all("value" in each for each in answer["results"]), answer
    _, request, imported, exported = answer["results"]
    assert meter.system_title.hex().upper().encode() in bytes.fromhex(request["value"]["octets"])
    assert made in [held.octets for held in keys_of(meter).certificates]
    assert exported["value"] == {"octets": made.hex()}
    assert min(each["exchanges"] for each in (request, imported, exported)) > 1
