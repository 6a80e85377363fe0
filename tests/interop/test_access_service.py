"""ACCESS between us and the peers that know it: pydlms-client in both roles, and the client of gurux-dlms.

What a meter answers for things it left out after an error (other-reason) is not in the excerpts of the standard that
are public: pydlms-client does it too, and so does the reference test data of the UK's DCC, from which a response is
among the vectors. No peer asks for a response that repeats the request; one that does is among the vectors as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosem import Client, Data, Register
from cosem.errors import DataAccessError
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.data import OctetString
from cosem.store.memory import MemoryCounterStore
from interop.served import served
from interop.test_pydlms_reads_our_meter import AK, EK, ENERGY, TEXT, TITLE, described

CLOCK, ABSENT = "0.0.1.0.0.255", "1.0.9.9.9.255"


@pytest.mark.interop(feature="ACCESS", peer="pydlms-client", role="server")
@pytest.mark.parametrize(("framing", "scheme"), [("wrapper", "tcp"), ("hdlc", "hdlc+tcp")])
def test_the_client_of_pydlms_reads_writes_and_runs_in_one_request(pydlms: Any, framing: str, scheme: str) -> None:
    everything = [
        ["get", ENERGY, 3, 2],
        ["set", TEXT, 1, 2, "0902AABB"],
        ["get", TEXT, 1, 2],
        ["act", CLOCK, 8, 6, "10003C"],
        ["get", ABSENT, 3, 2],
        ["set", ENERGY, 3, 2, "0600000001"],
    ]
    broken = [["get", ABSENT, 3, 2], ["set", TEXT, 1, 2, "0902CCDD"], ["act", CLOCK, 8, 6, "10003C"]]
    with served(described(), scheme) as port:
        answer = pydlms(
            port,
            [["access", everything], ["access", broken, True], ["get", TEXT, 1, 2]],
            framing=framing,
            settings={"propose_access": True},
        )
    assert "error" not in answer, answer["error"]
    first, second, text = (each["value"] for each in answer["results"])
    assert [(each["result"], each["data"]) for each in first] == [
        *((0, "0600BC614E"), (0, "00"), (0, "0902AABB"), (0, "00"), (4, "00"), (3, "00"))
    ]
    assert [each["result"] for each in second] == [4, 250, 250]
    assert text == "0902AABB"


@pytest.mark.interop(feature="ACCESS", peer="pydlms-client", role="server")
def test_the_client_of_pydlms_does_so_in_a_ciphered_association(pydlms: Any) -> None:
    """ACCESS has no envelope of its own and goes in general-glo-ciphering, which takes general protection."""
    with served(described()) as port:
        answer = pydlms(
            port,
            [["access", [["get", ENERGY, 3, 2], ["set", TEXT, 1, 2, "0902AABB"], ["get", TEXT, 1, 2]]]],
            settings={"propose_access": True},
            client=3,
            mechanism=5,
            ek=EK,
            ak=AK,
            title=TITLE,
        )
    assert "error" not in answer, answer["error"]
    assert [each["data"] for each in answer["results"][0]["value"]] == ["0600BC614E", "00", "0902AABB"]


@pytest.mark.interop(feature="ACCESS", peer="gurux-dlms", role="server")
def test_the_client_of_gurux_reads_in_one_request(gurux: Any) -> None:
    """It cannot be asked to write: its builder of Access-Requests raises for the values of a Data object."""
    with served(described()) as port:
        answer = gurux(port, [["access", [[3, ENERGY, 2], [3, ABSENT, 2], [1, TEXT, 2]]]])
    assert "error" not in answer, answer["error"]
    (results,) = answer["results"]
    assert [each["result"] for each in results["value"]] == [0, 4, 0]
    assert results["value"][0]["value"] == 12_345_678
    assert results["value"][2]["value"] == {"octets": b"12345678".hex()}
    assert results["exchanges"] == 1


@pytest.mark.interop(feature="ACCESS", peer="pydlms-client", role="client")
@pytest.mark.parametrize(("framing", "scheme"), [("wrapper", "tcp"), ("hdlc", "hdlc+tcp")])
def test_our_client_reads_writes_and_runs_in_one_request(
    pydlms_meter: Callable[..., int], framing: str, scheme: str
) -> None:
    port = pydlms_meter(framing=framing)
    text, disconnect = Data(TEXT), DisconnectControl("0.0.96.3.10.255")
    with Client.open(f"{scheme}://127.0.0.1:{port}?client=16&server=1") as meter:
        assert meter.negotiated is not None
        assert Conformance.ACCESS in meter.negotiated.conformance
        answers = meter.access(
            [
                Register(ENERGY).value,
                (text.value, OctetString(b"written")),
                text.value,
                (disconnect.remote_disconnect, 0),
                disconnect.output_state,
                Register(ABSENT).value,
            ]
        )
        assert answers[:5] == [12_345_678, None, b"written", None, False]
        assert isinstance(answers[5], DataAccessError)
        broken = meter.access(
            [Register(ABSENT).value, (text.value, OctetString(b"not this")), text.value], break_on_error=True
        )
        assert [error.result for error in broken] == [4, 250, 250]
        assert meter.get(text.value) == b"written"
        assert requests_by_access(meter) == 2


@pytest.mark.interop(feature="ACCESS", peer="pydlms-client", role="client")
def test_our_client_does_so_in_a_ciphered_association(pydlms_simulator: Callable[[str, str], Any]) -> None:
    simulator = pydlms_simulator("wrapper", "gmac")
    entry: dict[str, Any] = {
        "ek": simulator.encryption_key,
        "ak": simulator.authentication_key,
        "system_title": TITLE,
        "counters": MemoryCounterStore(),
    }
    text = Data(TEXT)
    with Client.open(simulator.url, **entry) as meter:
        tasks = [Register(ENERGY).value, (text.value, OctetString(b"ciphered")), text.value]
        assert meter.access(tasks) == [12_345_678, None, b"ciphered"]
        assert requests_by_access(meter) == 1


def requests_by_access(meter: Client) -> int:
    """Tell how many ACCESS requests went out: each took the next long invoke-id."""
    assert meter.services is not None
    return (meter.services.exchange.session.association.long_invoke_id_and_priority() & 0xFFFFFF) - 1
