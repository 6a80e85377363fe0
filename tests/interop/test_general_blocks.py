"""General block transfer with independent implementations: windows, blocks lost on purpose, ciphered and in clear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosem import Client, Data
from cosem.meter import Access, AssociationDescription, Keys, Meter, Rights
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.data import OctetString
from cosem.store.memory import MemoryCounterStore
from interop.served import served

EK, AK, TITLE = "11223344556677889900AABBCCDDEEFF", "D1D2D3D4D5D6D7D8D9DADBDCDDDEDF00", "4D4D4D0000BC614E"
LONG = "0.0.96.1.1.255"
VALUE = OctetString(bytes(index % 251 for index in range(3000)))
ENTRIES: dict[str, dict[str, Any]] = {
    "in clear": {"client": 16},
    "ciphered": {"client": 3, "mechanism": 5, "ek": EK, "ak": AK, "title": TITLE},
}


def described(window: int = 8) -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(Data(LONG), value=VALUE, writable=("value",))
    keys = Keys(Key(bytes.fromhex(EK)), Key(bytes.fromhex(AK)), temporary=True)
    usual: dict[str, Any] = {
        "rights": Rights(Access.MANAGE),
        "max_receive_pdu_size": 300,
        "general_block_window": window,
    }
    meter.offer(
        AssociationDescription(client=16, **usual),
        AssociationDescription(
            client=3, mechanism=MECHANISMS[5], keys=keys, protection=AUTHENTICATED_ENCRYPTION, **usual
        ),
    )
    return meter


# -- our meter ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(("framing", "window"), [("wrapper", 1), ("wrapper", 5), ("wrapper", 63), ("hdlc", 1)])
@pytest.mark.interop(feature="general block transfer", peer="pydlms-client", role="server")
def test_pydlms_writes_and_reads_our_meter_in_blocks(pydlms: Any, framing: str, window: int, entry: str) -> None:
    """Over HDLC one block at a time only: the peer does not poll for the later blocks of a window, nor take the answer
    to a block of its own that it has sent with the poll bit."""
    long = "09820BB8" + bytes(VALUE)[::-1].hex().upper()
    with served(described(1 if framing == "hdlc" else 8), {"wrapper": "tcp", "hdlc": "hdlc+tcp"}[framing]) as port:
        answer = pydlms(
            port,
            [["set", LONG, 1, 2, long], ["get", LONG, 1, 2], ["get", "0.0.42.0.0.255", 1, 2]],
            framing=framing,
            settings={"propose_gbt": True, "gbt_window": window, "max_receive_pdu_size": 250},
            **ENTRIES[entry],
        )
    assert "error" not in answer, answer["error"]
    assert Conformance(answer["conformance"]) & Conformance.GENERAL_BLOCK_TRANSFER
    assert [each.get("value") for each in answer["results"]] == [None, long, "0910" + b"KFM1020012345678".hex().upper()]
    assert answer["released"]


@pytest.mark.interop(feature="general block transfer", peer="pydlms-client", role="server")
def test_pydlms_gets_none_where_it_is_off(pydlms: Any) -> None:
    with served(described(window=0)) as port:
        answer = pydlms(port, [["get", LONG, 1, 2]], settings={"propose_gbt": True, "max_receive_pdu_size": 250})
    assert "error" not in answer, answer["error"]
    assert not Conformance(answer["conformance"]) & Conformance.GENERAL_BLOCK_TRANSFER
    assert answer["results"][0]["value"] == "09820BB8" + bytes(VALUE).hex().upper()


# -- the meter of a peer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("ciphered", [False, True], ids=["in clear", "ciphered"])
@pytest.mark.parametrize("window", [1, 5])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.interop(feature="general block transfer", peer="pydlms-client", role="client")
def test_we_read_the_meter_of_pydlms_in_blocks(
    pydlms_meter: Callable[..., int], framing: str, ciphered: bool, window: int, streaming: bool
) -> None:
    keys: dict[str, Any] = {"ek": EK, "ak": AK} if ciphered else {}
    clients = {"1": {"mechanism": 5, "ciphered": True}} if ciphered else {"16": {"mechanism": 0}}
    port = pydlms_meter(framing=framing, gbt={"window": window, "streaming": streaming}, clients=clients, **keys)
    scheme = {"wrapper": "tcp", "hdlc": "hdlc+tcp"}[framing]
    url = f"{scheme}://127.0.0.1:{port}?client={1 if ciphered else 16}"
    entry = {**keys, "system_title": TITLE, "counters": MemoryCounterStore()} if ciphered else {}
    with Client.open(url, **entry) as plain:
        expected = [(each.class_id, str(each.logical_name)) for each in plain.browse()]
    with Client.open(url, gbt_window=16, max_receive_pdu_size=200, **entry) as meter:
        assert meter.negotiated is not None
        assert meter.negotiated.allows(Conformance.GENERAL_BLOCK_TRANSFER)
        assert [(each.class_id, str(each.logical_name)) for each in meter.browse()] == expected
        assert [(each.class_id, str(each.logical_name)) for each in meter.browse()] == expected


@pytest.mark.interop(feature="general block transfer", peer="pydlms-client", role="client")
def test_blocks_that_the_meter_of_pydlms_loses_are_asked_for_again(pydlms_meter: Callable[..., int]) -> None:
    port = pydlms_meter(gbt={"window": 5, "drop": [3, 4, 7]}, clients={"16": {"mechanism": 0}})
    with Client.open(f"tcp://127.0.0.1:{port}?client=16") as plain:
        expected = len(plain.browse())
    url = f"tcp://127.0.0.1:{port}?client=16"
    # A block at the end of a window is lost as well, which nothing but silence tells.
    with Client.open(url, gbt_window=8, max_receive_pdu_size=200, timing=Timing(repeat=0.3)) as meter:
        assert len(meter.browse()) == expected


@pytest.mark.interop(feature="general block transfer", peer="pydlms-client", role="client")
def test_blocks_of_ours_that_the_meter_of_pydlms_loses_are_sent_again(pydlms_meter: Callable[..., int]) -> None:
    port = pydlms_meter(gbt={"window": 5, "drop_requests": [3, 5]}, max_pdu=128, clients={"16": {"mechanism": 0}})
    texts = Data("0.0.96.1.0.255")
    with Client.open(f"tcp://127.0.0.1:{port}?client=16", gbt_window=8, max_receive_pdu_size=200) as meter:
        meter.set(texts.value, OctetString(bytes(range(250)) * 4))
        assert meter.get(texts.value) == bytes(range(250)) * 4
