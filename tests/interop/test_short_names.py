"""Short names: gurux-dlms and pydlms-client read our meter, and our client reads the simulator of pydlms-client.

Where a peer cannot judge: gurux-dlms 1.0.203 proves itself by a Write, which has no room for the meter's proof, so that
HLS by short names cannot be asked of it; it has no lists without MULTIPLE_REFERENCES of logical names.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cosem import Client, Data, Register
from cosem.errors import DataAccessError, SecurityWarning
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.data import OctetString
from cosem.store.memory import MemoryCounterStore
from interop.matrix import asks
from interop.served import served
from unit.client.test_short_names import AK, EK, described

ENERGY = "1.0.1.8.0.255"
TEXT = Data("0.0.96.1.0.255")
TITLE = "4D4D4D0000000001"
SCHEMES = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}


@pytest.fixture(autouse=True)
def _passwords_in_clear_are_meant() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


OF_BOTH = ("Read", "Read in blocks", "Write", "Write in blocks", "parameterized access")
SERVICES = ["READ", "WRITE", "PARAMETERIZED_ACCESS", "BLOCK_TRANSFER_WITH_GET_OR_READ", "MULTIPLE_REFERENCES"]
SERVICES += ["BLOCK_TRANSFER_WITH_SET_OR_WRITE"]
PEER_EK, PEER_AK = "000102030405060708090A0B0C0D0E0F", "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF"
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "none": ({"mechanism": 0}, {}),
    "low": ({"mechanism": 1, "secret": "12345678"}, {"password": "12345678"}),
    "gmac": ({"mechanism": 5, "ciphered": True}, {"ek": PEER_EK, "ak": PEER_AK, "system_title": TITLE}),
}


@pytest.mark.parametrize("auth", WAYS)
@pytest.mark.parametrize("framing", SCHEMES)
@pytest.mark.parametrize("_", [pytest.param("", marks=asks("pydlms-client", "client", *OF_BOTH))])
def test_our_client_reads_the_simulator_of_pydlms(
    pydlms_meter: Callable[..., int], framing: str, auth: str, _: str
) -> None:
    theirs, ours = WAYS[auth]
    keys = {"ek": PEER_EK, "ak": PEER_AK, "title": "4D4D4D0000BC614E"} if auth == "gmac" else {}
    port = pydlms_meter(framing=framing, conformance=SERVICES, max_pdu=100, clients={"1": theirs}, **keys)
    words = {**ours, "counters": MemoryCounterStore()} if keys else ours
    url = f"{SCHEMES[framing]}://127.0.0.1:{port}?client=1&server=1"
    with Client.open(url, naming="sn", max_receive_pdu_size=200, **words) as meter:
        assert str(meter.quantity(Register(ENERGY))) == "12345678 Wh"
        assert meter.clock().year == 2024
        assert len(meter.browse()) > 5
        for value in (OctetString(b"short"), OctetString(b"long" * 100)):
            meter.set(TEXT.value, value)
            assert meter.get(TEXT.value) == value
        disconnect = DisconnectControl()
        meter.act(disconnect.remote_disconnect, 0)
        assert meter.get(disconnect.output_state) is False
        with pytest.raises(DataAccessError):
            meter.get(Register("1.0.99.99.99.255").value)


LN_OR_SN = [
    pytest.param("none", marks=asks("gurux-dlms", "server", "Read", "Write")),
    pytest.param("low", marks=asks("gurux-dlms", "server", "parameterized access")),
]
CLIENTS = {"none": 1, "low": 2}


@pytest.mark.parametrize("auth", LN_OR_SN)
@pytest.mark.parametrize("framing", SCHEMES)
def test_gurux_reads_our_meter(gurux: Callable[..., dict[str, Any]], framing: str, auth: str) -> None:
    operations = [
        ["objects"],
        ["read", 3, ENERGY, 2],
        ["read", 3, ENERGY, 3],
        ["entries", "1.0.99.1.0.255", 1, 4],
        ["write", 1, "0.0.96.1.0.255", 2, "UINT16", 7],
        ["read", 1, "0.0.96.1.0.255", 2],
        ["write", 3, ENERGY, 2, "UINT16", 7],
    ]
    password = "a secret of sixteen" if auth == "low" else None
    with served(described(), SCHEMES[framing]) as port:
        answer = gurux(
            port, operations, framing=framing, client=CLIENTS[auth], auth=auth, password=password, naming="sn"
        )
    assert "error" not in answer, answer
    objects, value, _, entries, written, changed, refused = answer["results"]
    assert {"class_id", "obis"} <= set(objects["value"][0])
    assert any(each["obis"] == ENERGY for each in objects["value"])
    assert value["value"]["raw"] == 12_345_678
    assert [row[1] for row in entries["value"]["raw"]] == [1000, 1001, 1002, 1003]
    assert written["value"] is True
    assert changed["value"]["raw"] == 7
    assert refused["refused"] == 3
    assert answer["released"]


OF_PYDLMS = {
    "none": {"client": 1, "mechanism": 0},
    "low": {"client": 2, "mechanism": 1, "password": "a secret of sixteen"},
    "gmac": {"client": 4, "mechanism": 5, "ek": EK, "ak": AK, "title": TITLE},
}


@pytest.mark.parametrize("auth", OF_PYDLMS)
@pytest.mark.parametrize("framing", SCHEMES)
@pytest.mark.parametrize(
    "_",
    [pytest.param("", marks=asks("pydlms-client", "server", *OF_BOTH))],
)
def test_pydlms_reads_our_meter(pydlms: Callable[..., dict[str, Any]], framing: str, auth: str, _: str) -> None:
    text = "09820200" + "41" * 512
    operations = [
        ["objects"],
        ["get", ENERGY, 3, 2],
        ["set", "0.0.96.1.1.255", 1, 2, text],
        ["get", "0.0.96.1.1.255", 1, 2],
        ["select", "1.0.99.1.0.255", 7, 2, 2, "020406000000010600000002120001120000"],
        ["act", "0.0.1.0.0.255", 8, 3, "0F00"],
        ["get", "0.0.40.0.0.255", 12, 1],
    ]
    settings = {"settings": {"max_receive_pdu_size": 200}}
    with served(described(), SCHEMES[framing]) as port:
        answer = pydlms(port, operations, framing=framing, logical_names=False, **OF_PYDLMS[auth], **settings)
    assert "error" not in answer, answer
    objects, value, written, long, part, ran, association = answer["results"]
    assert len(objects["value"]) > 5
    assert value["value"].upper() == "0600BC614E"
    assert "refused" not in written
    assert "failed" not in written
    assert long["value"].upper() == text.upper()
    assert part["value"].upper().startswith("0102")
    assert "value" in ran
    assert association["value"].upper() == "09060000280000FF"
    assert answer["released"]
