"""Clients of others prove to our meter that they know the secret of HLS: MD5, SHA-1, SHA-256 and a function of theirs.

Mechanism 2 is the manufacturer's. The peers have the function that many meters use, AES-128 in ECB mode under
the secret, so that is what the user of the library brings here.
"""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from cosem import Client, Register, Unit
from cosem.meter import AssociationDescription, Meter
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, WEAK_MECHANISMS, Mechanism, manufacturer_specific
from interop.matrix import asks
from interop.served import served

ENERGY, SECRET, TITLE = "1.0.1.8.0.255", "a secret of HLS", "4D4D4D0000BC614E"

NAMES = {3: "HLS MD5", 4: "HLS SHA-1", 6: "HLS SHA-256"}
GURUX = {3: "md5", 4: "sha1", 6: "sha256"}


def described(number: int) -> Meter:
    return offering(MECHANISMS.get(number) or WEAK_MECHANISMS[number][1])


def offering(mechanism: Mechanism, secret: str = SECRET) -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(Register(ENERGY), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(AssociationDescription(client=4, mechanism=mechanism, secret=Secret(secret.encode())))
    return meter


@pytest.mark.parametrize("secret", [SECRET, "another secret"])
@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=asks("pydlms-client", "server", NAMES[number])) for number in NAMES]
)
def test_pydlms(pydlms: Any, number: int, secret: str) -> None:
    with served(described(number)) as port:
        answer = pydlms(port, [["get", ENERGY, 3, 2]], client=4, mechanism=number, password=secret, title=TITLE)
    if secret == SECRET:
        assert answer["results"] == [{"value": "0600BC614E"}]
    else:
        assert answer["error"]["phase"] == "connect"


@pytest.mark.parametrize("secret", [SECRET, "another secret"])
@pytest.mark.parametrize(
    "number", [pytest.param(number, marks=asks("gurux-dlms", "server", NAMES[number])) for number in NAMES]
)
def test_gurux(gurux: Any, number: int, secret: str) -> None:
    with served(described(number)) as port:
        answer = gurux(port, [["read", 3, ENERGY, 2]], client=4, auth=GURUX[number], password=secret)
    if secret == SECRET:
        assert answer["results"][0]["value"]["raw"] == 12_345_678
    else:
        assert "error" in answer


def aes(challenge: bytes, secret: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(secret.ljust(16, b"\x00")), modes.ECB()).encryptor()
    return encryptor.update(challenge + bytes(-len(challenge) % 16)) + encryptor.finalize()


OWN = manufacturer_specific(aes)


@pytest.mark.interop(feature="HLS manufacturer", peer="pydlms-client", role="server")
def test_the_function_of_a_manufacturer_with_pydlms(pydlms: Any) -> None:
    with served(offering(OWN)) as port:
        answer = pydlms(port, [["get", ENERGY, 3, 2]], client=4, mechanism=2, password=SECRET, title=TITLE)
        refused = pydlms(port, [], client=4, mechanism=2, password="another secret", title=TITLE)
    assert answer["results"] == [{"value": "0600BC614E"}]
    assert refused["error"]["phase"] == "connect"


@pytest.mark.interop(feature="HLS manufacturer", peer="gurux-dlms", role="server")
def test_the_function_of_a_manufacturer_with_gurux(gurux: Any) -> None:
    with served(offering(OWN)) as port:
        answer = gurux(port, [["read", 3, ENERGY, 2]], client=4, auth="manufacturer", password=SECRET)
        refused = gurux(port, [], client=4, auth="manufacturer", password="another secret")
    assert answer["results"][0]["value"]["raw"] == 12_345_678
    assert refused["error"]["phase"] == "associate"


@pytest.mark.interop(feature="HLS manufacturer", peer="dlms-cosem", role="server")
def test_the_function_of_a_manufacturer_with_dlms_cosem(dlms_cosem: Any) -> None:
    """This peer sends the secret as its challenge, which must fill a block: nobody should use it so."""
    secret = "sixteen letters!"
    with served(offering(OWN, secret)) as port:
        answer = dlms_cosem(port, [["get", 3, ENERGY, 2]], client=4, auth="aes", password=secret)
    assert answer["results"] == [{"value": "0600BC614E"}], answer


@pytest.mark.filterwarnings("ignore:after the authentication:cosem.errors.SecurityWarning")
@pytest.mark.interop(feature="HLS manufacturer", peer="pydlms-client", role="client")
def test_the_function_of_a_manufacturer_as_client(pydlms_meter: Any) -> None:
    port = pydlms_meter(clients={"5": {"mechanism": 2, "secret": SECRET}})
    words: dict[str, Any] = {"auth": OWN, "password": SECRET}
    with Client.open(f"tcp://127.0.0.1:{port}?client=5&server=1", **words) as meter:
        assert str(meter.quantity(Register(ENERGY))) == "12345678 Wh"
