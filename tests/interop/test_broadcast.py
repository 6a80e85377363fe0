"""The client of pydlms-client tells all stations something under the broadcast key, and our meter does it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from interop.matrix import asks
from interop.served import served
from interop.test_security_suites import TITLE, symmetric

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EK, AK = symmetric(1)
TO_MANY = hashlib.sha256(b"to many").digest()[:16].hex()
CLOCK = "0.0.1.0.0.255"


def described() -> Meter:
    """A meter of two devices: the client opens an association with one, that with the other is pre-established."""
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    keys = Keys(*(Key(bytes.fromhex(each)) for each in (EK, AK)), temporary=True, broadcast=Key(bytes.fromhex(TO_MANY)))
    meter.offer(
        AssociationDescription(
            client=1,
            mechanism=MECHANISMS[5],
            keys=keys,
            protection=AUTHENTICATED_ENCRYPTION,
            rights=Rights(Access.READ),
        )
    )
    other = meter.add_device(2, "KFM1020012345679")
    other.offer(
        AssociationDescription(
            client=1,
            keys=keys,
            protection=AUTHENTICATED_ENCRYPTION,
            pre_established=True,
            client_title=bytes.fromhex(TITLE),
            broadcast=frozenset(((8, 6),)),
            rights=Rights(Access.MANAGE),
        )
    )
    return meter


@pytest.mark.parametrize(
    ("key", "shift"),
    [
        pytest.param(TO_MANY, 600, marks=asks("pydlms-client", "server", "broadcast", "unconfirmed services")),
        pytest.param(EK, 0, marks=asks("pydlms-client", "server", "broadcast")),
    ],
)
def test_pydlms_shifts_the_clocks_of_all(pydlms: Any, key: str, shift: int) -> None:
    """shift_time with a long of 600 seconds; the clock is that of both devices, and is read in the association."""
    meter = described()
    words = {"client": 1, "mechanism": 5, "ek": EK, "ak": AK, "title": TITLE, "context": {"broadcast_key": key}}
    operations = [["call", "broadcast_action", CLOCK, 8, 6, {"data": "100258"}], ["get", CLOCK, 8, 2]]
    with served(meter) as port:
        answer = pydlms(port, operations, **words)
    assert answer["results"][0] == {"value": None} and "value" in answer["results"][1], answer
    assert meter.time() - NOON == timedelta(seconds=shift)
