"""Clients of others prove to our meter that they know the secret of HLS: MD5, SHA-1 and SHA-256."""

from __future__ import annotations

from typing import Any

import pytest

from cosem import Register, Unit
from cosem.meter import AssociationDescription, Meter
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, WEAK_MECHANISMS
from interop.matrix import asks
from interop.served import served

ENERGY, SECRET, TITLE = "1.0.1.8.0.255", "a secret of HLS", "4D4D4D0000BC614E"

NAMES = {3: "HLS MD5", 4: "HLS SHA-1", 6: "HLS SHA-256"}
GURUX = {3: "md5", 4: "sha1", 6: "sha256"}


def described(number: int) -> Meter:
    mechanism = MECHANISMS.get(number) or WEAK_MECHANISMS[number][1]
    meter = Meter("KFM1020012345678")
    meter.add(Register(ENERGY), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.offer(AssociationDescription(client=4, mechanism=mechanism, secret=Secret(SECRET.encode())))
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
    "number", [pytest.param(number, marks=asks("gurux-dlms", "server", NAMES[number])) for number in (3, 4)]
)
def test_gurux(gurux: Any, number: int, secret: str) -> None:
    with served(described(number)) as port:
        answer = gurux(port, [["read", 3, ENERGY, 2]], client=4, auth=GURUX[number], password=secret)
    if secret == SECRET:
        assert answer["results"][0]["value"]["raw"] == 12_345_678
    else:
        assert "error" in answer
