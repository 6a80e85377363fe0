"""Security suites 1 and 2 and signatures: our client and pydlms' meter, pydlms' and gurux' clients and our meter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cosem import Client, Register, Unit
from cosem.meter import AssociationDescription, Keys, Meter
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS, Signatures
from cosem.store.memory import MemoryCounterStore
from interop.matrix import asks
from interop.served import served

ENERGY, TITLE = Register("1.0.1.8.0.255"), "4D4D4D0000000001"
SUITES = (1, 2)


def symmetric(suite: int) -> tuple[str, str]:
    octets = suites.of(suite).key_octets
    encryption, authentication = (hashlib.sha256(name).digest()[:octets].hex() for name in (b"ek", b"ak"))
    return encryption, authentication


def signing(suite: int, seed: int) -> PrivateKey:
    curve = suites.of(suite).required_curve
    return PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve))


def private_pem(key: PrivateKey) -> str:
    return key.library.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: PrivateKey) -> str:
    return key.public.library.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def of(peer: str, role: str, *more: str) -> list[Any]:
    return [pytest.param(suite, marks=asks(peer, role, f"ciphering with suite {suite}", *more)) for suite in SUITES]


@pytest.mark.filterwarnings("ignore:after the authentication:cosem.errors.SecurityWarning")
@pytest.mark.parametrize("ciphered", [True, False])
@pytest.mark.parametrize("suite", of("pydlms-client", "client", "HLS ECDSA"))
def test_our_client_by_signatures(pydlms_meter: Callable[..., int], suite: int, ciphered: bool) -> None:
    """By GMAC this meter cannot be asked: its proof names suite 0 in every suite, which we refuse."""
    ek, ak = symmetric(suite)
    ours, theirs = signing(suite, 1), signing(suite, 2)
    client = {"mechanism": 7, "ciphered": ciphered, "public_key": public_pem(ours)}
    port = pydlms_meter(ek=ek, ak=ak, suite=suite, clients={"1": client}, signing_key=private_pem(theirs))
    words: dict[str, Any] = {"system_title": TITLE, "signing_key": ours, "peer_signing_key": theirs.public}
    if ciphered:
        words |= {"ek": ek, "ak": ak, "counters": MemoryCounterStore()}
    with Client.open(f"tcp://127.0.0.1:{port}?client=1&server=1", **words) as meter:
        assert str(meter.quantity(ENERGY)) == "12345678 Wh"


def described(suite: int, mechanism: int, **secret: Any) -> Meter:
    ek, ak = (Key(bytes.fromhex(each)) for each in symmetric(suite))
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(
        AssociationDescription(
            client=1,
            mechanism=MECHANISMS[mechanism],
            keys=Keys(ek, ak, temporary=True, suite=suite),
            protection=AUTHENTICATED_ENCRYPTION,
            **secret,
        )
    )
    return meter


@pytest.mark.parametrize("suite", of("pydlms-client", "server"))
def test_pydlms_by_gmac(pydlms: Any, suite: int) -> None:
    ek, ak = symmetric(suite)
    with served(described(suite, 5)) as port:
        answer = pydlms(
            port, [["get", "1.0.1.8.0.255", 3, 2]], client=1, mechanism=5, ek=ek, ak=ak, title=TITLE, suite=suite
        )
    assert answer.get("results") == [{"value": "0600BC614E"}], answer


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("suite", of("pydlms-client", "server", "HLS ECDSA"))
def test_pydlms_by_signatures(pydlms: Any, suite: int, right: bool) -> None:
    ek, ak = symmetric(suite)
    ours, theirs = signing(suite, 1), signing(suite, 2)
    believed = theirs if right else signing(suite, 3)
    with served(described(suite, 7, secret=Signatures(ours, believed.public))) as port:
        answer = pydlms(
            port,
            [["get", "1.0.1.8.0.255", 3, 2]],
            client=1,
            mechanism=7,
            ek=ek,
            ak=ak,
            title=TITLE,
            suite=suite,
            settings={"signing_key": private_pem(theirs), "server_public_key": public_pem(ours)},
        )
    if right:
        assert answer.get("results") == [{"value": "0600BC614E"}], answer
    else:
        assert answer["error"]["phase"] == "connect"


@pytest.mark.parametrize("suite", of("gurux-dlms", "server"))
def test_gurux_by_gmac(gurux: Any, suite: int) -> None:
    ek, ak = symmetric(suite)
    with served(described(suite, 5)) as port:
        answer = gurux(
            port,
            [["read", 3, "1.0.1.8.0.255", 2]],
            client=1,
            auth="gmac",
            ek=ek,
            ak=ak,
            system_title=TITLE,
            suite=suite,
        )
    assert "error" not in answer, answer["error"]
    assert answer["results"][0]["value"]["raw"] == 12_345_678


@pytest.mark.interop(feature="HLS ECDSA", peer="gurux-dlms", role="server")
@pytest.mark.parametrize("right", [True, False])
def test_gurux_by_signatures(gurux: Any, right: bool) -> None:
    """On P-256: on P-384 the peer knows no digest and raises before it has signed."""
    ek, ak = symmetric(1)
    ours, theirs = signing(1, 1), signing(1, 2)
    believed = theirs if right else signing(1, 3)
    number = theirs.library.private_numbers().private_value
    with served(described(1, 7, secret=Signatures(ours, believed.public))) as port:
        answer = gurux(
            port,
            [["read", 3, "1.0.1.8.0.255", 2]],
            client=1,
            auth="ecdsa",
            ek=ek,
            ak=ak,
            system_title=TITLE,
            suite=1,
            signing_key=f"{number:064x}",
            peer_signing_key=ours.public.library.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex(),
        )
    if right:
        assert answer["results"][0]["value"]["raw"] == 12_345_678, answer
    else:
        assert answer["error"]["phase"] == "associate"
