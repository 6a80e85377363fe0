"""The client of pydlms-client reads, writes and runs our meter: wrapper and HDLC, open, with a password, ciphered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem import Clock, Data, Obis, ProfileGeneric, Register, Unit
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString
from interop.matrix import asks
from interop.served import served

EK, AK, TITLE = "11223344556677889900AABBCCDDEEFF", "D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00", "4D4D4D0000BC614E"
ENERGY, PROFILE, TEXT, LONG_TEXT = "1.0.1.8.0.255", "1.0.99.1.0.255", "0.0.96.1.0.255", "0.0.96.1.1.255"
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
ROWS = [(MIDNIGHT + timedelta(minutes=15 * number), DoubleLongUnsigned(1000 + 7 * number)) for number in range(96)]
MANAGER = Rights(Access.MANAGE)

FRAMINGS = [
    pytest.param("wrapper", marks=asks("pydlms-client", "server", "TCP wrapper")),
    pytest.param("hdlc", marks=asks("pydlms-client", "server", "HDLC")),
]
ENTRIES: list[Any] = [
    pytest.param({"client": 16}, marks=asks("pydlms-client", "server", "no authentication")),
    pytest.param(
        {"client": 2, "mechanism": 1, "password": "12345678"},
        marks=asks("pydlms-client", "server", "low level security"),
    ),
    pytest.param(
        {"client": 3, "mechanism": 5, "ek": EK, "ak": AK, "title": TITLE},
        marks=asks("pydlms-client", "server", "HLS GMAC", "ciphering with suite 0"),
    ),
    pytest.param(
        {"client": 4, "mechanism": 6, "password": "a secret of HLS", "title": TITLE},
        marks=asks("pydlms-client", "server", "HLS SHA-256"),
    ),
]


def described() -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: MIDNIGHT + timedelta(days=1))
    meter.add(Register(ENERGY), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(Data(TEXT), value=OctetString(b"12345678"), writable=("value",))
    meter.add(Data(LONG_TEXT), value=OctetString(b"long"), writable=("value",))
    meter.add(
        ProfileGeneric(PROFILE),
        capture_objects=[CaptureObject(8, Obis(Clock().instance), 2), CaptureObject(3, Obis(ENERGY), 2)],
        capture_period=900,
        buffer=ROWS,
    )
    keys = Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True)
    meter.offer(
        AssociationDescription(client=16, rights=MANAGER),
        AssociationDescription(client=2, mechanism=MECHANISMS[1], secret=Secret(b"12345678"), rights=MANAGER),
        AssociationDescription(
            client=3, mechanism=MECHANISMS[5], keys=keys, protection=AUTHENTICATED_ENCRYPTION, rights=MANAGER
        ),
        AssociationDescription(client=4, mechanism=MECHANISMS[6], secret=Secret(b"a secret of HLS"), rights=MANAGER),
    )
    return meter


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.interop(feature="GET", peer="pydlms-client", role="server")
@pytest.mark.interop(feature="GET with list", peer="pydlms-client", role="server")
@pytest.mark.interop(feature="GET in blocks", peer="pydlms-client", role="server")
def test_reading(pydlms: Any, framing: str, entry: dict[str, Any]) -> None:
    scheme = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}[framing]
    with served(described(), scheme) as port:
        answer = pydlms(
            port,
            [
                ["get", ENERGY, 3, 2],
                ["get", ENERGY, 3, 3],
                ["list", [[ENERGY, 3, 2], [TEXT, 1, 2], ["1.0.9.9.9.255", 3, 2]]],
                ["objects"],
                ["profile", PROFILE],
                ["get", "1.0.9.9.9.255", 3, 2],
            ],
            framing=framing,
            **entry,
        )
    assert "error" not in answer, answer["error"]
    energy, scaler, several, objects, profile, absent = answer["results"]
    assert energy["value"] == "0600BC614E"
    assert scaler["value"] == "02020F00161E"
    assert several["value"] == ["0600BC614E", "09083132333435363738", 4]
    assert {"class_id": 3, "version": 0, "obis": ENERGY, "base": None} in objects["value"]
    assert [row[1] for row in profile["value"]] == [1000 + 7 * number for number in range(96)]
    assert absent["refused"] == 4
    assert answer["released"]


@pytest.mark.interop(feature="selective access", peer="pydlms-client", role="server")
def test_rows_by_entry(pydlms: Any) -> None:
    with served(described()) as port:
        second_and_third = "0204060000000206000000031200011200 02".replace(" ", "")
        answer = pydlms(port, [["select", PROFILE, 7, 2, 2, second_and_third]])
    assert "error" not in answer
    assert answer["results"][0]["value"].startswith("01020202090C07EA0B1405000F")


@pytest.mark.interop(feature="SET", peer="pydlms-client", role="server")
@pytest.mark.interop(feature="SET with list", peer="pydlms-client", role="server")
@pytest.mark.interop(feature="SET in blocks", peer="pydlms-client", role="server")
def test_writing(pydlms: Any) -> None:
    long = "098203E8" + "5A" * 1000
    meter = described()
    with served(meter) as port:
        answer = pydlms(
            port,
            [
                ["set", TEXT, 1, 2, "0902AABB"],
                ["set_list", [[TEXT, 1, 2, "0902CCDD"], [ENERGY, 3, 2, "0600000001"]]],
                ["set", LONG_TEXT, 1, 2, long],
                ["get", LONG_TEXT, 1, 2],
                ["get", TEXT, 1, 2],
            ],
        )
    assert "error" not in answer, answer["error"]
    assert [each.get("value") for each in answer["results"]] == [None, [0, 3], None, long, "0902CCDD"]


@pytest.mark.interop(feature="ACTION", peer="pydlms-client", role="server")
@pytest.mark.interop(feature="ACTION with list", peer="pydlms-client", role="server")
def test_running_methods(pydlms: Any) -> None:
    with served(described()) as port:
        shift = ["0.0.1.0.0.255", 8, 6]
        answer = pydlms(
            port,
            [["act", *shift, "10003C"], ["act_list", [[*shift, "100000"], ["0.0.1.0.0.255", 8, 99, "0F00"]]]],
        )
    assert "error" not in answer, answer["error"]
    one, several = answer["results"]
    assert one == {"value": None}
    assert len(several["value"]) == 2
