"""The gurux-dlms client reads our meter: wrapper and HDLC, open, with a password, ciphered; in blocks and lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem import Data, Obis, ProfileGeneric, Register, Unit
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, OctetString, Unsigned
from interop.matrix import asks
from interop.served import served

EK = "11223344556677889900AABBCCDDEEFF"
AK = "D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00"
TITLE = "4D4D4D0000BC614E"
PASSWORD = "12345678"
ENERGY = "1.0.1.8.0.255"
PROFILE = "1.0.99.1.0.255"
TEXT = "0.0.96.1.1.255"

SCHEMES = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}
CLIENTS = {"none": 16, "low": 2, "gmac": 3}
SECRETS: dict[str, dict[str, Any]] = {
    "none": {},
    "low": {"password": PASSWORD},
    "gmac": {"ek": EK, "ak": AK, "system_title": TITLE, "counter": 1},
}

FRAMINGS = [
    pytest.param("wrapper", marks=asks("gurux-dlms", "server", "TCP wrapper")),
    pytest.param("hdlc", marks=asks("gurux-dlms", "server", "HDLC")),
]
AUTHENTICATIONS = [
    pytest.param("none", marks=asks("gurux-dlms", "server", "no authentication", "GET", "GET with list")),
    pytest.param("low", marks=asks("gurux-dlms", "server", "low level security", "GET in blocks", "selective access")),
    pytest.param("gmac", marks=asks("gurux-dlms", "server", "HLS GMAC", "ciphering with suite 0")),
]

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
ROWS = [
    (MIDNIGHT + timedelta(minutes=15 * number), Unsigned(0), DoubleLongUnsigned(1000 + 7 * number))
    for number in range(96)
]


def described() -> Meter:
    """A meter with a register, a text and a day of load profile, for three clients."""
    meter = Meter("KFM1020012345678", clock=lambda: MIDNIGHT + timedelta(days=1))
    meter.add(Register(ENERGY), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(Register("1.0.32.7.0.255"), value=LongUnsigned(2301), scaler_unit=(-1, Unit.VOLT))
    meter.add(Data("0.0.96.1.0.255"), value=OctetString(b"12345678"))
    meter.add(
        ProfileGeneric(PROFILE),
        capture_objects=[
            CaptureObject(8, Obis("0.0.1.0.0.255"), 2),
            CaptureObject(1, Obis("0.0.96.10.1.255"), 2),
            CaptureObject(3, Obis(ENERGY), 2),
        ],
        capture_period=900,
        buffer=ROWS,
    )
    meter.offer(
        AssociationDescription(client=CLIENTS["none"]),
        AssociationDescription(client=CLIENTS["low"], mechanism=MECHANISMS[1], secret=Secret(PASSWORD.encode())),
        AssociationDescription(
            client=CLIENTS["gmac"],
            mechanism=MECHANISMS[5],
            keys=Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True),
            protection=AUTHENTICATED_ENCRYPTION,
        ),
    )
    return meter


@pytest.mark.parametrize("auth", AUTHENTICATIONS)
@pytest.mark.parametrize("framing", FRAMINGS)
def test_register_list_objects_and_profile(gurux: Any, framing: str, auth: str) -> None:
    with served(described(), SCHEMES[framing]) as port:
        answer = gurux(
            port,
            [
                ["read", 3, ENERGY, 3],
                ["read", 3, ENERGY, 2],
                ["list", [[3, ENERGY, 2], [3, "1.0.32.7.0.255", 2]]],
                ["objects"],
                ["profile", PROFILE],
                ["entries", PROFILE, 2, 3],
                ["range", PROFILE, "2026-11-20T00:15:00+00:00", "2026-11-20T01:00:00+00:00"],
                ["read", 3, "1.0.9.9.9.255", 2],
                ["read", 8, "0.0.1.0.0.255", 2],
            ],
            framing=framing,
            client=CLIENTS[auth],
            auth=auth,
            **SECRETS[auth],
        )
    assert "error" not in answer
    scaler, energy, both, objects, whole, by_entry, by_range, absent, clock = answer["results"]
    assert scaler["value"]["raw"] == [0, 30]
    assert energy["value"]["raw"] == 12345678
    assert both["value"] == [12345678, 2301]
    listed = [[item["class_id"], item["obis"]] for item in objects["value"]]
    assert [3, ENERGY] in listed
    assert [7, PROFILE] in listed
    assert [15, "0.0.40.0.0.255"] in listed
    rows = whole["value"]["rows"]
    assert len(rows) == 96
    assert [row[2] for row in rows] == [1000 + 7 * number for number in range(96)]
    assert rows[0][0]["time"] == "2026-11-20T00:00:00+00:00"
    assert whole["exchanges"] > 1  # it came in blocks
    assert by_entry["value"]["rows"] == rows[1:4]
    assert by_range["value"]["rows"] == rows[1:5]
    assert absent["refused"] == 4  # object-undefined
    assert "refused" not in clock
    assert answer["released"]


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_small_pdus_and_short_frames(gurux: Any, framing: str) -> None:
    with served(described(), SCHEMES[framing]) as port:
        answer = gurux(port, [["profile", PROFILE], ["objects"]], framing=framing, client=CLIENTS["none"], max_pdu=128)
    assert "error" not in answer
    whole, objects = answer["results"]
    assert len(whole["value"]["rows"]) == 96
    assert whole["exchanges"] > 15
    assert len(objects["value"]) > 4


def test_a_wrong_password_is_rejected(gurux: Any) -> None:
    with served(described()) as port:
        answer = gurux(port, [], client=CLIENTS["low"], auth="low", password="87654321")
    assert "error" in answer


def test_a_wrong_key_is_rejected(gurux: Any) -> None:
    wrong = {**SECRETS["gmac"], "ek": "00" * 15 + "01"}
    with served(described()) as port:
        answer = gurux(port, [["read", 3, ENERGY, 2]], client=CLIENTS["gmac"], auth="gmac", **wrong)
    assert "error" in answer


def test_a_stranger_is_rejected(gurux: Any) -> None:
    with served(described()) as port:
        answer = gurux(port, [["read", 3, ENERGY, 2]], client=99)
    assert "error" in answer


@pytest.mark.interop(feature="SET", peer="gurux-dlms", role="server")
@pytest.mark.interop(feature="SET in blocks", peer="gurux-dlms", role="server")
@pytest.mark.interop(feature="ACTION", peer="gurux-dlms", role="server")
def test_writing_and_running(gurux: Any) -> None:
    meter = described()
    meter.add(Data(TEXT), value=OctetString(b"text"), writable=("value",))
    meter.offer(AssociationDescription(client=5, rights=Rights(Access.MANAGE)))
    with served(meter) as port:
        answer = gurux(
            port,
            [
                ["write", 1, TEXT, 2, "OCTET_STRING", b"short".hex()],
                ["read", 1, TEXT, 2],
                ["write", 1, TEXT, 2, "OCTET_STRING", (b"long" * 400).hex()],
                ["read", 1, TEXT, 2],
                ["act", 8, "0.0.1.0.0.255", 6, "INT16", 60],
            ],
            client=5,
        )
    assert "error" not in answer, answer["error"]
    first, short, second, long, shifted = answer["results"]
    assert first["value"] is second["value"] is True
    assert bytes.fromhex(short["value"]["raw"]["octets"]) == b"short"
    assert bytes.fromhex(long["value"]["raw"]["octets"]) == b"long" * 400
    assert second["exchanges"] > 1
    assert "refused" not in shifted


@pytest.mark.interop(feature="SET with list", peer="gurux-dlms", role="server")
def test_writing_several_at_once(gurux: Any) -> None:
    """The peer raises with the first of the results that is no success; the others of the list are done."""
    meter = described()
    other = "0.0.96.1.2.255"
    for name in (TEXT, other):
        meter.add(Data(name), value=OctetString(b"text"), writable=("value",))
    meter.offer(AssociationDescription(client=5, rights=Rights(Access.MANAGE)))
    first, second, third = (
        [1, TEXT, 2, "OCTET_STRING", b"one".hex()],
        [1, other, 2, "OCTET_STRING", b"two".hex()],
        [1, other, 2, "OCTET_STRING", b"three".hex()],
    )
    with served(meter) as port:
        answer = gurux(
            port,
            [
                ["write_list", [first, second]],
                ["list", [[1, TEXT, 2], [1, other, 2]]],
                ["write_list", [[3, ENERGY, 2, "UINT32", 5], third]],
                ["list", [[3, ENERGY, 2], [1, other, 2]]],
            ],
            client=5,
        )
    assert "error" not in answer, answer["error"]
    both, found, partly, after = answer["results"]
    assert both == {"value": True, "exchanges": 1}
    assert found["value"] == [{"octets": b"one".hex()}, {"octets": b"two".hex()}]
    assert partly["refused"] == 3  # read-write-denied
    assert after["value"] == [12_345_678, {"octets": b"three".hex()}]


@pytest.mark.interop(feature="unconfirmed services", peer="gurux-dlms", role="server")
@pytest.mark.parametrize("auth", ["none", "gmac"])
def test_writing_and_running_without_an_answer(gurux: Any, auth: str) -> None:
    """An answer would be taken for that of the next request."""
    meter = described()
    meter.add(Data(TEXT), value=OctetString(b"text"), writable=("value",))
    keys = Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True)
    more = {"mechanism": MECHANISMS[5], "keys": keys, "protection": AUTHENTICATED_ENCRYPTION} if auth == "gmac" else {}
    meter.offer(AssociationDescription(client=5, rights=Rights(Access.MANAGE), **more))
    before = meter.time()
    with served(meter) as port:
        answer = gurux(
            port,
            [
                ["tell", 1, "write", 1, TEXT, 2, "OCTET_STRING", b"told".hex()],
                ["read", 1, TEXT, 2],
                ["tell", 1, "act", 8, "0.0.1.0.0.255", 6, "INT16", 600],
                ["tell", 1, "write", 3, ENERGY, 2, "UINT32", 5],
                ["read", 3, ENERGY, 2],
            ],
            client=5,
            auth=auth,
            **SECRETS[auth],
        )
    assert "error" not in answer, answer["error"]
    assert bytes.fromhex(answer["results"][1]["value"]["raw"]["octets"]) == b"told"
    assert answer["results"][4]["value"]["raw"] == 12_345_678
    assert meter.time() - before == timedelta(minutes=10)
    assert answer["released"]


@pytest.mark.parametrize("auth", ["none", "gmac"])
def test_writing_without_an_answer_in_hdlc(gurux: Any, auth: str) -> None:
    """The meter acknowledges the I frame and says no more.

    The peer takes that RR for an answer: the N(R) of its next I frame is one too high, which the meter rejects. So the
    meter is asked what it was told, and not the peer, which leaves by DISC.
    """
    meter = described()
    meter.add(Data(TEXT), value=OctetString(b"text"), writable=("value",))
    keys = Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True)
    more = {"mechanism": MECHANISMS[5], "keys": keys, "protection": AUTHENTICATED_ENCRYPTION} if auth == "gmac" else {}
    meter.offer(AssociationDescription(client=5, rights=Rights(Access.MANAGE), **more))
    operations = [["tell", 1, "write", 1, TEXT, 2, "OCTET_STRING", b"told".hex()]]
    words = {"client": 5, "framing": "hdlc", "auth": auth, "leave_by": "disc", **SECRETS[auth]}
    with served(meter, "hdlc+tcp") as port:
        answer = gurux(port, operations, **words)
        if auth == "none":
            assert "refused" in gurux(port, [*operations, ["read", 1, TEXT, 2]], **words)["results"][1]
    assert "error" not in answer, answer["error"]
    assert answer["results"] == [{"value": None, "exchanges": 1}]
    assert meter.value(Data(TEXT).value) == OctetString(b"told")
