"""A client changes a meter's keys, policy and certificates, and opens the next association with what came of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from cosem import AsyncClient
from cosem.client.several import Act
from cosem.errors import ActionError, AssociationRejected, ConfigurationError, CosemError, SecurityError
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto import certificate
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.certificate import Certificate, CertificateRequest, Use
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model import Clock
from cosem.protocol.model.classes.access_control import (
    CertificateByEntity,
    CertificateBySerial,
    CertificateEntity,
    CertificateIdentification,
    CertificateIdentificationType,
    CertificateType,
    KeyId,
    SecurityPolicy,
    SecurityPolicyVersion0,
    SecuritySetup,
    SecuritySetupVersion0,
)
from cosem.protocol.values.data import Array, Enumerated, OctetString, Structure
from cosem.store.memory import MemoryCounterStore
from simulation.bench import Bench

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
TITLE = bytes.fromhex("4142434445464748")
SETUP_0, SETUP = SecuritySetupVersion0("0.0.43.0.1.255"), SecuritySetup("0.0.43.0.1.255")


def key(suite: int, first: int) -> Key:
    return Key(hashlib.sha256(bytes((first,))).digest()[: suites.of(suite).key_octets])


def pair(suite: int, seed: int) -> PrivateKey:
    curve = suites.of(suite).required_curve
    return PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve))


class Kept:
    """A keeper that remembers, or fails."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, AssociationDescription]] = []
        self.failing = False

    def keep(self, device: str, association: AssociationDescription) -> None:
        if self.failing:
            raise ConfigurationError("no space left")
        self.kept.append((device, association))


class SetUp(Bench):
    """A meter with one association, and a client that knows its keys."""

    def __init__(self, suite: int = 0, protection: Protection = AUTHENTICATED_ENCRYPTION, **more: Any) -> None:
        super().__init__()
        self.suite = suite
        self.keeper = Kept()
        self.meter = Meter(
            "KFM1020012345678",
            clock=lambda: NOW + timedelta(seconds=self.world.now()),
            counters=MemoryCounterStore(),
            key_keeper=self.keeper,
            entropy=self.chance,
        )
        self.general = GeneralKeys(master_key=key(suite, 9))
        signed: dict[str, Any] = {}
        if suite:
            self.general = replace(self.general, signer=pair(suite, 2), peer_signing_key=pair(suite, 1).public)
            signed = {"signing_key": pair(suite, 1), "peer_signing_key": pair(suite, 2).public}
        keys = Keys(key(suite, 1), key(suite, 2), suite=suite, general=self.general, **more)
        self.meter.offer(
            AssociationDescription(
                client=1,
                mechanism=MECHANISMS[5],
                keys=keys,
                protection=protection,
                rights=Rights(Access.MANAGE),
            )
        )
        self.words: dict[str, Any] = {
            **signed,
            "auth": "gmac",
            "suite": suite,
            "ek": keys.encryption,
            "ak": keys.authentication,
            "system_title": TITLE,
            "master_key": key(suite, 9),
            "counters": MemoryCounterStore(),
        }

    @property
    def keys(self) -> Keys:
        found = self.meter.management.associations[0].keys
        assert found is not None
        return found

    def reads(self, **words: Any) -> bool:
        """Tell whether a client with these words enters, and reads the clock."""

        async def read(client: AsyncClient) -> bool:
            return (await client.clock()).year == 2024

        try:
            return self.run(read, **words)
        except (AssociationRejected, SecurityError):
            return False


# -- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", [0, 1, 2])
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1, 2, 3)])
def test_transferred_keys_are_kept_and_used(suite: int, which: tuple[int, ...]) -> None:
    bench = SetUp(suite)
    new = {KeyId(each): key(suite, 11 + each) for each in which}
    before = bench.keys
    ours: list[Any] = []

    async def transfer(client: AsyncClient) -> None:
        def keep(keys: Any) -> None:
            assert not bench.keeper.kept, "ours are kept before the meter hears of them"
            ours.append(dict(keys))

        await client.transfer_keys(new, keep=keep)
        await client.clock()  # the association goes on under its keys

    bench.run(transfer)
    assert ours == [new]
    (kept,) = bench.keeper.kept
    assert kept == ("KFM1020012345678", bench.meter.management.associations[0])
    expected = {
        0: (bench.keys.encryption, before.encryption),
        1: (bench.keys.broadcast, before.broadcast),
        2: (bench.keys.authentication, before.authentication),
        3: (bench.keys.general.master_key, before.general.master_key),
    }
    for number, (now, old) in expected.items():
        assert now == new.get(KeyId(number), old), number
    words = {"ek": bench.keys.encryption, "ak": bench.keys.authentication}
    assert bench.reads(**words)
    assert bench.reads() is (not {0, 2} & set(which)), "the old keys are of no use"


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([(0, 11, 8)], id="wrapped under another master key"),
        pytest.param([(0, 11, 9), (2, 12, 8)], id="the second of two under another"),
        pytest.param([(0, 11, 9), (0, 12, 9)], id="the same key twice"),
        pytest.param([(0, 12, 9), (2, 12, 9)], id="two keys alike"),
        pytest.param([(4, 11, 9)], id="a key that nobody knows"),
        pytest.param([], id="none"),
    ],
)
def test_a_transfer_that_is_wrong_anywhere_leaves_all_keys(items: list[tuple[int, int, int]]) -> None:
    """The wrapping is that of the `cryptography` library."""
    bench = SetUp()
    before = bench.keys
    argument = [(number, aes_key_wrap(key(0, by).reveal(), key(0, new).reveal())) for number, new, by in items]

    async def transfer(client: AsyncClient) -> None:
        data = Array([Structure([Enumerated(number), OctetString(wrapped)]) for number, wrapped in argument])
        assert client.services is not None
        await client.services.several.one(Act(SETUP_0.global_key_transfer, data))

    with pytest.raises(ActionError):
        bench.run(transfer)
    assert bench.keys == before and not bench.keeper.kept
    assert bench.reads()


def test_keys_may_change_places_in_one_transfer() -> None:
    bench = SetUp()
    ek, ak = bench.keys.encryption, bench.keys.authentication

    async def swap(client: AsyncClient) -> None:
        new = {KeyId.GLOBAL_UNICAST_ENCRYPTION: ak, KeyId.AUTHENTICATION: ek}
        await client.transfer_keys(new, keep=lambda _: None)

    bench.run(swap)
    assert (bench.keys.encryption, bench.keys.authentication) == (ak, ek)
    assert bench.reads(ek=ak, ak=ek)


@pytest.mark.parametrize("cause", ["a keeper that fails", "no keeper", "no master key"])
def test_keys_that_cannot_be_kept_are_not_taken(cause: str) -> None:
    bench = SetUp()
    if cause == "a keeper that fails":
        bench.keeper.failing = True
    elif cause == "no keeper":
        bench.meter.key_keeper = None
    else:
        association = bench.meter.management.associations[0]
        bench.meter.management.replace(1, replace(association, keys=replace(bench.keys, general=GeneralKeys())))
    before = bench.keys

    async def transfer(client: AsyncClient) -> None:
        await client.transfer_keys({KeyId.GLOBAL_UNICAST_ENCRYPTION: key(0, 11)}, keep=lambda _: None)

    with pytest.raises(ActionError):
        bench.run(transfer)
    assert bench.keys == before
    assert bench.reads()


def test_what_we_cannot_keep_is_never_sent() -> None:
    bench = SetUp()

    def full(_keys: object) -> None:
        raise OSError("no space left on device")

    async def transfer(client: AsyncClient) -> None:
        with pytest.raises(OSError, match="no space left"):
            await client.transfer_keys({KeyId.GLOBAL_UNICAST_ENCRYPTION: key(0, 11)}, keep=full)
        with pytest.raises(ConfigurationError, match="16 octets"):
            await client.transfer_keys({KeyId.GLOBAL_UNICAST_ENCRYPTION: key(2, 11)}, keep=lambda _: None)

    before = bench.keys
    bench.run(transfer)
    assert bench.keys == before


@pytest.mark.parametrize("suite", [1, 2])
def test_agreed_keys_are_the_same_on_both_sides(suite: int) -> None:
    bench = SetUp(suite)
    ours: list[Any] = []

    async def agree(client: AsyncClient) -> dict[KeyId, Key]:
        wanted = (KeyId.GLOBAL_UNICAST_ENCRYPTION, KeyId.GLOBAL_BROADCAST_ENCRYPTION, KeyId.AUTHENTICATION)
        return await client.agree_keys(wanted, keep=ours.append)

    keys = bench.run(agree)
    assert ours == [keys] and len(set(keys.values())) == 3
    assert list(keys.values()) == [bench.keys.encryption, bench.keys.broadcast, bench.keys.authentication]
    assert bench.reads(ek=bench.keys.encryption, ak=bench.keys.authentication)
    assert not bench.reads()


def test_an_agreement_that_is_not_signed_by_the_client_changes_nothing() -> None:
    bench = SetUp(1)
    before = bench.keys

    async def agree(client: AsyncClient) -> None:
        await client.agree_keys([KeyId.AUTHENTICATION], keep=lambda _: None)

    with pytest.raises(ActionError):
        bench.run(agree, signing_key=pair(1, 5))
    assert bench.keys == before


def test_an_answer_that_is_not_signed_by_the_meter_is_not_kept() -> None:
    bench = SetUp(1)
    ours: list[Any] = []

    async def agree(client: AsyncClient) -> None:
        await client.agree_keys([KeyId.AUTHENTICATION], keep=ours.append)

    with pytest.raises(SecurityError):
        bench.run(agree, peer_signing_key=pair(1, 5).public)
    assert not ours


# -- policy -----------------------------------------------------------------------------------------------------------


def test_a_policy_is_only_made_stronger_and_holds_at_once() -> None:
    bench = SetUp(protection=Protection.AUTHENTICATION)

    async def strengthen(client: AsyncClient) -> None:
        assert await client.get(SETUP_0.security_policy) is SecurityPolicyVersion0.AUTHENTICATED
        with pytest.raises(ActionError):
            await client.act(SETUP_0.security_activate, SecurityPolicyVersion0.NONE)
        await client.act(SETUP_0.security_activate, SecurityPolicyVersion0.AUTHENTICATED_AND_ENCRYPTED)
        with pytest.raises(CosemError):
            await client.get(Clock().time)

    bench.run(strengthen, protection="auth")
    assert bench.keeper.kept[-1][1].protection == AUTHENTICATED_ENCRYPTION
    assert not bench.reads(protection="auth")
    assert bench.reads()


def test_the_policy_of_version_1_is_bit_by_bit() -> None:
    bench = SetUp(1, protection=Protection.AUTHENTICATION)
    authenticated = SecurityPolicy.AUTHENTICATED_REQUEST | SecurityPolicy.AUTHENTICATED_RESPONSE

    async def strengthen(client: AsyncClient) -> None:
        assert await client.get(SETUP.security_policy) == authenticated
        await client.act(SETUP.security_activate, authenticated | SecurityPolicy.ENCRYPTED_REQUEST)

    bench.run(strengthen, protection="auth")
    assert bench.reads()
    assert bench.keeper.kept[-1][1].protection == AUTHENTICATED_ENCRYPTION


# -- compression ------------------------------------------------------------------------------------------------------


def test_compression_where_both_have_it_says_the_same_in_fewer_octets() -> None:
    """Both sides are ours; another program's decompressor judges what is compressed (`tests/interop`)."""
    octets: dict[bool, int] = {}
    for compression in (False, True):
        bench = SetUp(1)
        (association,) = bench.meter.management.associations
        bench.meter.management.replace(1, replace(association, compression=compression))

        async def browse(client: AsyncClient) -> int:
            return len(await client.browse())

        assert bench.run(browse, compression=compression, envelope="general") > 5
        octets[compression] = bench.line.octets
    assert octets[True] < octets[False]


def test_a_client_takes_nothing_compressed_that_it_has_not_asked_for() -> None:
    bench = SetUp(1)
    (association,) = bench.meter.management.associations
    bench.meter.management.replace(1, replace(association, compression=True))

    async def browse(client: AsyncClient) -> int:
        return len(await client.browse())

    with pytest.raises(SecurityError, match="compressed"):
        bench.run(browse, envelope="general")


# -- certificates -----------------------------------------------------------------------------------------------------


def authority(suite: int) -> Certificate:
    root = pair(suite, 77)
    last = datetime(2044, 1, 1, tzinfo=UTC)
    return Certificate.decode(
        certificate.issue(root, None, "Root-CA", root.public, Use.AUTHORITY, 1, NOW - timedelta(days=1), last)
    )


def given(suite: int, title: bytes, of: Any, use: Use = Use.SIGNATURE, number: int = 2, by: int = 77) -> bytes:
    begin = NOW - timedelta(days=1)
    return certificate.issue(
        pair(suite, by), authority(suite), title, of, use, number, begin, NOW + timedelta(days=365)
    )


@pytest.mark.parametrize("suite", [1, 2])
def test_a_new_signing_key_from_the_pair_to_its_use(suite: int) -> None:
    bench = SetUp(suite, certificates=(authority(suite),))
    title = bench.meter.system_title

    async def renew(client: AsyncClient) -> CertificateRequest:
        await client.act(SETUP.generate_key_pair, CertificateType.DIGITAL_SIGNATURE)
        before = bench.keys.general.signer
        asked = await client.act(SETUP.generate_certificate_request, CertificateType.DIGITAL_SIGNATURE)
        request = CertificateRequest.decode(asked)
        assert before == bench.keys.general.signer, "a pair is not used before it has a certificate"
        await client.act(SETUP.import_certificate, given(suite, title, request.public))
        return request

    request = bench.run(renew)
    assert request.system_title == title
    signer = bench.keys.general.signer
    assert signer is not None and signer.public == request.public
    assert not bench.keys.pending

    async def agree(client: AsyncClient) -> None:
        await client.agree_keys([KeyId.AUTHENTICATION], keep=lambda _: None)

    bench.run(agree, peer_signing_key=request.public)


def test_certificates_are_listed_exported_and_removed() -> None:
    bench = SetUp(1, certificates=(authority(1),))
    ours, theirs = pair(1, 1).public, pair(1, 2).public
    octets = given(1, TITLE, ours, number=3)

    async def manage(client: AsyncClient) -> None:
        await client.act(SETUP.import_certificate, octets)
        await client.act(SETUP.import_certificate, given(1, bench.meter.system_title, theirs, number=4))
        listed = await client.get(SETUP.certificates)
        assert [each.certificate_entity for each in listed] == [
            CertificateEntity.CERTIFICATION_AUTHORITY,
            CertificateEntity.CLIENT,
            CertificateEntity.SERVER,
        ]
        assert [each.serial_number[-1] for each in listed] == [1, 3, 4]
        by_entity = CertificateIdentification(
            CertificateIdentificationType.ENTITY,
            CertificateByEntity(CertificateEntity.CLIENT, CertificateType.DIGITAL_SIGNATURE, TITLE),
        )
        by_serial = CertificateIdentification(
            CertificateIdentificationType.SERIAL_NUMBER, CertificateBySerial(listed[1].serial_number, listed[1].issuer)
        )
        for identification in (by_entity, by_serial):
            assert await client.act(SETUP.export_certificate, identification) == octets
        await client.act(SETUP.remove_certificate, by_serial)
        with pytest.raises(ActionError):
            await client.act(SETUP.export_certificate, by_entity)
        last = CertificateIdentification(
            CertificateIdentificationType.SERIAL_NUMBER, CertificateBySerial(listed[0].serial_number, listed[0].issuer)
        )
        with pytest.raises(ActionError):
            await client.act(SETUP.remove_certificate, last)

    bench.run(manage)


@pytest.mark.parametrize(
    "cause", ["another authority", "no certificate", "out of date", "cut short", "no point of the curve"]
)
def test_a_certificate_of_nobody_we_believe_is_not_imported(cause: str) -> None:
    bench = SetUp(1, certificates=(authority(1),))
    octets = given(1, TITLE, pair(1, 5).public, by=78 if cause == "another authority" else 77)
    if cause == "no certificate":
        octets = b"\x30\x03\x02\x01\x00"
    elif cause == "cut short":
        octets = octets[:-1]
    elif cause == "no point of the curve":
        point = octets.index(b"\x03\x42\x00\x04") + 4  # the bit string of an uncompressed point of P-256
        octets = octets[:point] + bytes(64) + octets[point + 64 :]
    elif cause == "out of date":
        octets = certificate.issue(
            *(pair(1, 77), authority(1), TITLE, pair(1, 5).public, Use.SIGNATURE, 2),
            *(NOW - timedelta(days=9), NOW - timedelta(days=2)),
        )
    before = bench.keys

    async def give(client: AsyncClient) -> None:
        await client.act(SETUP.import_certificate, octets)

    with pytest.raises(ActionError):
        bench.run(give)
    assert bench.keys == before


def test_a_table_of_certificates_is_bounded() -> None:
    bench = SetUp(1, certificates=(authority(1),))

    async def fill(client: AsyncClient) -> None:
        for number in range(15):
            title = b"KFM" + number.to_bytes(5, "big")
            await client.act(SETUP.import_certificate, given(1, title, pair(1, 5).public, number=number + 2))
        with pytest.raises(ActionError):
            await client.act(SETUP.import_certificate, given(1, TITLE, pair(1, 5).public, number=99))

    bench.run(fill)
    assert len(bench.keys.certificates) == 16


def test_a_suite_0_meter_has_the_set_up_of_version_0() -> None:
    async def version(client: AsyncClient) -> int:
        return next(each.version for each in await client.browse() if each.class_id == 64)

    assert [SetUp(suite).run(version) for suite in (0, 1, 2)] == [0, 1, 1]
