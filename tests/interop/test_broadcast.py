"""The client of pydlms-client tells all stations something under the broadcast key, and our meter does it.

That of gurux-dlms, which knows no broadcast key, tells them in clear, and under the key of the meter that has no other.
Its HDLC sends what wants no answer in I frames, which are no broadcast, so it is asked over the wrapper.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem import Data
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.values.data import Unsigned
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
    ("key", "shift", "framing", "scheme"),
    [
        pytest.param(
            *(TO_MANY, 600, "wrapper", "tcp"),
            marks=asks("pydlms-client", "server", "broadcast", "unconfirmed services"),
        ),
        pytest.param(
            *(TO_MANY, 600, "hdlc", "hdlc+tcp"), marks=asks("pydlms-client", "server", "unconfirmed services in HDLC")
        ),
        pytest.param(*(EK, 0, "wrapper", "tcp"), marks=asks("pydlms-client", "server", "broadcast")),
    ],
)
def test_pydlms_shifts_the_clocks_of_all(pydlms: Any, key: str, shift: int, framing: str, scheme: str) -> None:
    """shift_time with a long of 600 seconds; the clock is that of both devices, and is read in the association."""
    meter = described()
    words = {
        "client": 1,
        "framing": framing,
        "mechanism": 5,
        "ek": EK,
        "ak": AK,
        "title": TITLE,
        "context": {"broadcast_key": key},
    }
    operations = [["call", "broadcast_action", CLOCK, 8, 6, {"data": "100258"}], ["get", CLOCK, 8, 2]]
    with served(meter, scheme) as port:
        answer = pydlms(port, operations, **words)
    assert answer["results"][0] == {"value": None} and "value" in answer["results"][1], answer
    assert meter.time() - NOON == timedelta(seconds=shift)


SERIAL, ALL_STATIONS = "0.0.96.1.0.255", 127


def pre_established(*, ciphered: bool) -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: NOON)
    meter.add(Data(SERIAL), value=Unsigned(9), writable=("value",))
    keys = Keys(*(Key(bytes.fromhex(each)) for each in (EK, AK)), temporary=True)
    more: dict[str, Any] = {"keys": keys, "protection": AUTHENTICATED_ENCRYPTION, "client_title": bytes.fromhex(TITLE)}
    meter.offer(
        AssociationDescription(
            client=1,
            pre_established=True,
            broadcast=frozenset(((8, 6),)),
            rights=Rights(Access.MANAGE),
            **(more if ciphered else {}),
        )
    )
    return meter


def unopened(meter: Meter, *, ciphered: bool) -> dict[str, Any]:
    """Return the settings of the peer, which know of the meter what the association request would have told."""
    keys = {"ek": EK, "ak": AK, "system_title": TITLE, "meter_title": meter.system_title.hex()} if ciphered else {}
    return {"client": 1, "unopened": "yes", **keys}


@pytest.mark.interop(feature="pre-established association", peer="gurux-dlms", role="server")
@pytest.mark.parametrize("ciphered", [False, True])
@pytest.mark.parametrize(("framing", "scheme"), [("wrapper", "tcp"), ("hdlc", "hdlc+tcp")])
def test_gurux_opens_nothing(gurux: Any, framing: str, scheme: str, ciphered: bool) -> None:
    meter = pre_established(ciphered=ciphered)
    operations = [["read", 1, SERIAL, 2], ["write", 1, SERIAL, 2, "UINT8", 7], ["read", 1, SERIAL, 2]]
    with served(meter, scheme) as port:
        answer = gurux(port, operations, framing=framing, **unopened(meter, ciphered=ciphered))
    assert "error" not in answer, answer["error"]
    before, written, after = (each["value"] for each in answer["results"])
    assert (before["raw"], written, after["raw"]) == (9, True, 7)


@pytest.mark.interop(feature="broadcast", peer="gurux-dlms", role="server")
@pytest.mark.parametrize("ciphered", [False, True])
def test_gurux_shifts_the_clocks_of_all(gurux: Any, ciphered: bool) -> None:
    """Only the method that is described for it is run, and neither another nor a SET."""
    meter = pre_established(ciphered=ciphered)
    operations = [
        ["tell", ALL_STATIONS, "act", 8, CLOCK, 6, "INT16", 600],
        ["tell", ALL_STATIONS, "act", 8, CLOCK, 3, "INT8", 0],
        ["tell", ALL_STATIONS, "write", 1, SERIAL, 2, "UINT8", 7],
        ["read", 1, SERIAL, 2],
    ]
    with served(meter) as port:
        answer = gurux(port, operations, **unopened(meter, ciphered=ciphered))
    assert "error" not in answer, answer["error"]
    assert answer["results"][3]["value"]["raw"] == 9
    assert meter.time() - NOON == timedelta(seconds=600)
