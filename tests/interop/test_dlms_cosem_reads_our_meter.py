"""The client of dlms-cosem reads, writes and runs our meter with what it has: blocks of GET only, lists of GET only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem import Clock, Data, Obis, ProfileGeneric, Register, Unit
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.link.hdlc.fcs import check_sequence
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString
from interop.matrix import asks
from interop.served import served

EK, AK, TITLE = "11223344556677889900AABBCCDDEEFF", "D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00", "4D4D4D0000BC614E"
ENERGY, PROFILE, TEXT, CLOCK = "1.0.1.8.0.255", "1.0.99.1.0.255", "0.0.96.1.0.255", "0.0.1.0.0.255"
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
ROWS = [(MIDNIGHT + timedelta(minutes=15 * number), DoubleLongUnsigned(1000 + 7 * number)) for number in range(96)]
SCHEMES = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}

FRAMINGS = [
    pytest.param("wrapper", marks=asks("dlms-cosem", "server", "TCP wrapper")),
    pytest.param("hdlc", marks=asks("dlms-cosem", "server", "HDLC")),
]
ENTRIES: list[Any] = [
    pytest.param({"client": 16}, marks=asks("dlms-cosem", "server", "no authentication")),
    pytest.param(
        {"client": 2, "auth": "low", "password": "12345678"}, marks=asks("dlms-cosem", "server", "low level security")
    ),
    pytest.param(
        {"client": 3, "auth": "gmac", "ek": EK, "ak": AK, "title": TITLE},
        marks=asks("dlms-cosem", "server", "HLS GMAC", "ciphering with suite 0", "general-glo-ciphering"),
    ),
]


def described() -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: MIDNIGHT + timedelta(days=1))
    meter.add(Register(ENERGY), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(Data(TEXT), value=OctetString(b"12345678"), writable=("value",))
    meter.add(
        ProfileGeneric(PROFILE),
        capture_objects=[CaptureObject(8, Obis(Clock().instance), 2), CaptureObject(3, Obis(ENERGY), 2)],
        capture_period=900,
        buffer=ROWS,
    )
    keys = Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True)
    manager = Rights(Access.MANAGE)
    meter.offer(
        AssociationDescription(client=16, rights=manager),
        AssociationDescription(client=2, mechanism=MECHANISMS[1], secret=Secret(b"12345678"), rights=manager),
        AssociationDescription(
            client=3, mechanism=MECHANISMS[5], keys=keys, protection=AUTHENTICATED_ENCRYPTION, rights=manager
        ),
    )
    return meter


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.interop(feature="GET", peer="dlms-cosem", role="server")
@pytest.mark.interop(feature="GET with list", peer="dlms-cosem", role="server")
@pytest.mark.interop(feature="GET in blocks", peer="dlms-cosem", role="server")
@pytest.mark.interop(feature="selective access", peer="dlms-cosem", role="server")
@pytest.mark.interop(feature="SET", peer="dlms-cosem", role="server")
@pytest.mark.interop(feature="ACTION", peer="dlms-cosem", role="server")
def test_a_session(dlms_cosem: Any, framing: str, entry: dict[str, Any]) -> None:
    with served(described(), SCHEMES[framing]) as port:
        answer = dlms_cosem(
            port,
            [
                ["get", 3, ENERGY, 2],
                ["get", 3, ENERGY, 3],
                ["list", [[3, ENERGY, 2], [1, TEXT, 2]]],
                ["get", 7, PROFILE, 2],
                ["range", PROFILE, "2026-11-20T00:15:00+00:00", "2026-11-20T00:30:00+00:00"],
                ["set", 1, TEXT, 2, "0902AABB"],
                ["get", 1, TEXT, 2],
                ["act", 8, CLOCK, 6, "10003C"],
                ["get", 3, "1.0.9.9.9.255", 2],
            ],
            framing=framing,
            **entry,
        )
    assert "error" not in answer, answer["error"]
    energy, scaler, both, whole, some, written, text, shifted, absent = answer["results"]
    assert energy["value"] == "0600BC614E"
    assert scaler["value"] == "02020F00161E"
    assert len(both["value"]) == 2
    assert whole["value"].startswith("01600202090C07EA0B14")
    assert len(whole["value"]) == 2 * (2 + 96 * 21)
    assert some["value"].startswith("01020202090C07EA0B1405000F")
    assert written["value"] == "SUCCESS"
    assert text["value"] == "0902AABB"
    assert shifted == {"value": None}
    assert absent["failed"] == "DataResultError"
    assert answer["released"]


@pytest.mark.interop(feature="HDLC", peer="dlms-cosem", role="server")
def test_a_frame_check_that_ends_in_a_flag(dlms_cosem: Any) -> None:
    # One frame in 256 is such a one, wherever there are random octets in it; this text makes one of it.
    text = OctetString(b"10000235")
    meter = Meter("KFM1020012345678")
    meter.add(Data(TEXT), value=text)
    header = bytes.fromhex("A017210352")
    header += check_sequence(header)
    assert check_sequence(header + bytes.fromhex("E6E700C401C1000908") + text)[-1:] == b"\x7e"
    with served(meter, "hdlc+tcp") as port:
        answer = dlms_cosem(port, [["get", 1, TEXT, 2]], framing="hdlc", client=16)
    assert answer == {"results": [{"value": "0908" + text.hex().upper()}], "released": True}
