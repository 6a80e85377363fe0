"""What a person writes becomes an access that fits together, or is refused before anything is sent."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cosem import AsyncClient, Client, Meter, Register, Unit
from cosem.client.access import access
from cosem.danger import Weakness, allow
from cosem.errors import AssociationRejected, ConfigurationError, ConnectionFailed, SecurityError, SecurityWarning
from cosem.meter import PUBLIC_ASSOCIATION, AssociationDescription, Keys, serving
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.layers import Envelope, KeyChoice
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.profile.communication import ApplicationUse
from cosem.store.memory import MemoryCounterStore

EK = "11223344556677889900AABBCCDDEEFF"
AK = "D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00"
TITLE = "434F530000000001"
ENERGY = Register("1.0.1.8.0.255")


def keys(**more: Any) -> dict[str, Any]:
    return {"ek": EK, "ak": AK, "system_title": TITLE, "counters": MemoryCounterStore(), **more}


def test_nothing_is_the_public_client() -> None:
    entry = access()
    assert (entry.mechanism.name, entry.protection, entry.secured) == ("none", Protection.NONE, False)


def test_a_password_alone_means_low() -> None:
    assert access(password="12345678").mechanism.name == "low"


def test_keys_alone_mean_gmac_and_everything_protected() -> None:
    entry = access(**keys())
    assert (entry.mechanism.name, entry.protection) == ("gmac", AUTHENTICATED_ENCRYPTION)


@pytest.mark.parametrize(
    ("word", "protection"),
    [
        ("none", Protection.NONE),
        ("auth", Protection.AUTHENTICATION),
        ("auth+enc", AUTHENTICATED_ENCRYPTION),
    ],
)
def test_protection_by_word(word: str, protection: Protection) -> None:
    assert access(**keys(protection=word)).protection is protection


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"auth": "gmac"}, "encryption key"),
        ({"auth": "low"}, "needs a password"),
        ({"auth": "sha256", "password": "x" * 16, "protection": "auth+enc"}, "encryption key"),
        ({"auth": "md5", "password": "x" * 16}, "off by default"),
        ({"auth": "sha1", "password": "x" * 16}, "off by default"),
        ({"auth": "ecdsa"}, "private signing key"),
        ({"auth": "telepathy"}, "there is no authentication mechanism"),
        ({"suite": 3}, "there is no security suite 3"),
        ({"auth": "none", "password": "12345678"}, "does nothing"),
        ({"protection": "both"}, "write one of none, auth, enc, auth\\+enc"),
        ({"ek": "0011", "ak": AK, "system_title": TITLE}, "32 hex digits"),
        ({"ek": EK, "ak": AK, "system_title": "00"}, "8 octets"),
        ({"gbt_window": -1}, "1 to 63 blocks"),
        ({"gbt_window": 64}, "1 to 63 blocks"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_right_form(words: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        access(**words)


def test_general_block_transfer_is_off_until_it_is_asked_for() -> None:
    for words, window in (({}, 0), ({"gbt_window": 1}, 1), ({"gbt_window": 63}, 63)):
        association = access(**words).association(ApplicationUse(), bytes, None)
        assert association.settings.general_block_window == window
        proposed = association.settings.proposed_conformance
        assert bool(proposed & Conformance.GENERAL_BLOCK_TRANSFER) is bool(window)


def test_md5_needs_a_permission() -> None:
    entry = access(auth="md5", password="x" * 16, permitted=allow(Weakness.MD5_AUTHENTICATION))
    assert entry.mechanism.identifier == 3


def test_title_and_counters_are_kept_for_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first, second = access(ek=EK, ak=AK), access(ek=EK, ak=AK)
    assert first.system_title == second.system_title
    assert first.counter().next() != second.counter().next()


def test_a_number_given_only_raises_the_counter() -> None:
    store = MemoryCounterStore()
    assert access(**keys(counters=store, invocation_counter=1000)).counter().next() == 1000
    assert access(**keys(counters=store, invocation_counter=5)).counter().next() > 1000


@pytest.mark.parametrize(("number", "accepted"), [(1 << 31, False), ((1 << 31) - 1, True), (4294967290, False)])
def test_a_counter_that_is_typed_is_believed_within_bounds_only(number: int, accepted: bool) -> None:
    store = MemoryCounterStore()
    if accepted:
        assert access(**keys(counters=store, invocation_counter=number)).counter().next() == number
        return
    with pytest.raises(SecurityError, match="--approve-counter"):
        access(**keys(counters=store, invocation_counter=number)).counter()
    approved = access(**keys(counters=store, invocation_counter=number, approve_counter=True))
    assert approved.counter().next() == number


def test_secrets_are_not_shown() -> None:
    text = repr(access(**keys())) + repr(access(password="correct horse"))
    for secret in (EK, EK.lower(), AK, AK.lower(), "correct horse"):
        assert secret not in text


# -- against a meter --------------------------------------------------------------------------------------------------


def guarded() -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(
        PUBLIC_ASSOCIATION,
        AssociationDescription(
            client=1,
            mechanism=MECHANISMS[5],
            keys=Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True),
            protection=AUTHENTICATED_ENCRYPTION,
        ),
    )
    return meter


async def read(url: str, **words: Any) -> str:
    async with AsyncClient.open(url, **words) as client:
        return str(await client.quantity(ENERGY))


def test_a_counter_that_fell_behind_is_read_from_the_meter() -> None:
    async def run() -> None:
        async with serving(guarded(), "tcp://127.0.0.1:0") as server:
            url = f"tcp://{server.url.place}?client=1"
            assert await read(url, **keys(invocation_counter=5000)) == "12345678 Wh"
            # Another installation of the same client, whose counters begin anew.
            assert await read(url, **keys(counter_object="0.0.43.1.0.255")) == "12345678 Wh"

    asyncio.run(run())


def test_a_counter_that_fell_behind_is_raised_to_what_the_meter_expects() -> None:
    async def run() -> None:
        async with serving(guarded(), "tcp://127.0.0.1:0") as server:
            url = f"tcp://{server.url.place}?client=1"
            assert await read(url, **keys(invocation_counter=5000)) == "12345678 Wh"
            assert await read(url, **keys()) == "12345678 Wh"

    asyncio.run(run())


def test_sec_04_a_counter_is_not_raised_further_than_a_forger_may_push_it() -> None:
    async def run() -> None:
        async with serving(guarded(), "tcp://127.0.0.1:0") as server:
            url = f"tcp://{server.url.place}?client=1"
            assert await read(url, **keys(invocation_counter=(1 << 16) + 5000)) == "12345678 Wh"
            ours = keys()
            with pytest.raises(SecurityError, match="operator may approve"):
                await read(url, **ours)

    asyncio.run(run())


def test_dedicated_keys_with_our_own_meter() -> None:
    async def run() -> None:
        async with serving(guarded(), "tcp://127.0.0.1:0") as server:
            url = f"tcp://{server.url.place}?client=1"
            assert await read(url, **keys(dedicated=True)) == "12345678 Wh"

    asyncio.run(run())


@pytest.mark.parametrize("framing", ["tcp", "udp", "hdlc+tcp"])
def test_every_medium_of_a_network(framing: str) -> None:
    async def run() -> None:
        async with serving(guarded(), f"{framing}://127.0.0.1:0") as server:
            url = f"{framing}://{server.url.place}?client=1"
            assert await read(url, **keys()) == "12345678 Wh"

    asyncio.run(run())


def test_a_weaker_meter_is_refused() -> None:
    plain = Meter("KFM1020012345678")
    plain.add(ENERGY, value=1, scaler_unit=(0, Unit.WATT_HOUR))

    async def run() -> None:
        async with serving(plain, "tcp://127.0.0.1:0") as server:
            url = f"tcp://{server.url.place}?client=16"
            with pytest.raises(AssociationRejected, match="context"):
                await read(url, **keys())

    asyncio.run(run())


def test_sec_09_a_password_in_clear_over_ip_warns_once_for_each_client() -> None:
    client = Client.open("tcp://127.0.0.1:1?client=2", password="12345678")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(2):
            with pytest.raises(ConnectionFailed):
                client.connect()
    assert [each.category for each in caught] == [SecurityWarning]


@pytest.mark.filterwarnings("ignore:after the authentication:cosem.errors.SecurityWarning")
def test_sha256_needs_a_secret_and_no_key_where_nothing_is_ciphered() -> None:
    async def run() -> None:
        meter = Meter("KFM1020012345678")
        meter.offer(
            AssociationDescription(client=2, mechanism=MECHANISMS[6], secret=Secret(b"a long HLS secret")),
        )
        meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
        async with serving(meter, "tcp://127.0.0.1:0") as server:
            url = str(replace(server.url, client=2))
            async with AsyncClient.open(url, auth="sha256", password="a long HLS secret", system_title=TITLE) as client:
                assert client.negotiated is not None
                assert client.negotiated.protection is Protection.NONE
                assert str(await client.quantity(ENERGY)) == "12345678 Wh"
            with pytest.raises(AssociationRejected):
                await AsyncClient.open(url, auth="sha256", password="another secret 17", system_title=TITLE).connect()

    asyncio.run(run())


def test_the_envelope_and_its_keys_in_words() -> None:
    entry = access(**keys(envelope="general-ciphering", key_info="wrapped", master_key="5A" * 15 + "01"))
    association = entry.association(ApplicationUse(), lambda octets: b"\7" * octets, entry.counter())
    (layer,) = association.settings.layers
    assert (layer.envelope, layer.key, layer.dedicated) == (Envelope.CIPHERING, KeyChoice.WRAPPED, False)
    assert access(**keys()).envelope is Envelope.SERVICE
    assert access(**keys(envelope=Envelope.GENERAL, dedicated=True)).envelope is Envelope.GENERAL
    assert "5A5A" not in repr(entry).upper()


def test_an_agreement_key_tells_the_suite() -> None:
    curve = suites.of(1).required_curve
    own = PrivateKey.from_entropy(curve, b"\5" * 40)
    words = keys(envelope="general-ciphering", key_info="static", agreement_key=own, peer_agreement_key=own.public)
    assert access(**words).suite == 1
