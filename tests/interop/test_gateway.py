"""The client of gurux-dlms reads meters through our gateway; no other peer knows the prefix, and none is a gateway.

The ciphered ACTION in which it proves itself goes out without the prefix, so no ciphered session is asked.
"""

from __future__ import annotations

from typing import Any

import pytest

from cosem import Register
from cosem.meter import AssociationDescription, Gateway, Meter
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import named
from interop.served import running

PASSWORD = "12345678"
ENERGY = "1.0.1.8.0.255"


def meter(value: int) -> Meter:
    made = Meter(f"KFM10200123456{value}")
    made.add(Register(ENERGY), value=value, scaler_unit=(0, 30))
    made.offer(AssociationDescription(client=16))
    made.offer(AssociationDescription(client=2, mechanism=named("low"), secret=Secret(PASSWORD.encode())))
    return made


@pytest.mark.interop(feature="gateway prefix", peer="gurux-dlms", role="server")
def test_gurux_reads_two_meters_behind_one_port(gurux: Any) -> None:
    secret: dict[str, Any] = {"client": 2, "auth": "low", "password": PASSWORD}
    with running(Gateway({"3:4D31": meter(31), "3:4D32": meter(32)}, "tcp://127.0.0.1:0")) as port:
        for address, words in (("3:4D31", {}), ("3:4D32", {}), ("3:4D31", secret), ("3:4D32", secret)):
            answer = gurux(port, [["read", 3, ENERGY, 2]], gateway=address, **words)
            assert "error" not in answer, answer["error"]
            assert str(answer["results"][0]["value"]).count(address[-2:])
            assert answer["released"]


def test_gurux_asks_for_a_device_that_is_not_there(gurux: Any) -> None:
    with running(Gateway({"3:4D31": meter(31)}, "tcp://127.0.0.1:0")) as port:
        answer = gurux(port, [], gateway="3:4D33", timeout=3)
    assert answer["error"]["phase"] == "associate"
