"""Independent clients of IEC 62056-21 read our meter at its local port, on TCP and on a pseudo-terminal.

They speak mode C, and pydlms-client mode E. For modes A, B and D there is no peer: captures of meters are the judges
there, see `tests/unit/protocol/iec21/test_sessions.py`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue

import pytest

from cosem import Data, Meter, Register, Unit
from cosem.meter import Access, AssociationDescription, LocalPort, Rights, describe, serving
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.values.data import OctetString
from interop.conftest import ROOT, drive
from interop.served import served
from lines import serial_line

ENERGY = Register("1.0.1.8.0.255")
TEXT = Data("0.0.96.1.1.255")
PEER = ROOT / ".peers" / "iec21" / "bin" / "python"


def described() -> Meter:
    meter = Meter("KFM1020012345678")
    meter.add(ENERGY, value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(TEXT, value=OctetString(b"before"), writable=("value",))
    meter.offer(
        AssociationDescription(client=16),
        AssociationDescription(
            client=32, mechanism=named("low"), secret=Secret(b"12345678"), rights=Rights(Access.MANAGE)
        ),
    )
    return meter


@contextmanager
def on_a_line(meter: Meter, scheme: str, query: str = "", port: LocalPort | None = None) -> Iterator[str]:
    """Serve a meter on one end of a serial line, and give the name of the other."""
    ready: Queue[str] = Queue()
    ended = threading.Event()

    async def run() -> None:
        with serial_line() as (own, other):
            # A pseudo-terminal has eight bits and no parity, and refuses to be told otherwise twice.
            url = f"{scheme}://{own}?format=8N1{query}"
            async with serving(meter, url, beyond_loopback=True, port=port):
                ready.put(other)
                await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield ready.get(timeout=30)
    finally:
        ended.set()
        thread.join()


def peer(place: dict[str, object], *operations: list[str]) -> list[object]:
    answer = drive("iec62056_21_client.py", json.dumps(place), json.dumps(operations), interpreter=PEER)
    assert "error" not in answer, answer
    results = answer["results"]
    assert isinstance(results, list)
    return results


@pytest.mark.interop(feature="mode C readout", peer="iec62056-21", role="server")
def test_a_readout_over_tcp() -> None:
    with served(described(), "iec21+tcp") as port:
        (sets,) = peer({"port": port, "address": "1020012345678"}, ["readout"])
    assert isinstance(sets, list)
    assert ["1.8.0", "12345.678", "kWh"] in sets
    assert ["0-0:42.0.0", "KFM1020012345678", None] in sets


@pytest.mark.interop(feature="mode C readout", peer="iec62056-21", role="server")
def test_a_readout_in_partial_blocks() -> None:
    # The peer opens the port anew to change its speed, half a second after the option select: what came is lost then.
    port = LocalPort(partial_octets=40, settings={"reaction": 1.5})
    with on_a_line(described(), "iec21+serial", port=port) as path:
        (sets,) = peer({"path": path}, ["readout"])
    assert isinstance(sets, list)
    assert ["1.8.0", "12345.678", "kWh"] in sets


@pytest.mark.interop(feature="mode C readout", peer="iec62056-21", role="server")
@pytest.mark.parametrize(
    ("option", "sets"),
    [
        ("readout", [["96.1.0", "12345678", None], ["1.8.0", "12345.678", "kWh"]]),
        ("manufacturer6", [["32.7.0", "230.1", "V"]]),
    ],
)
def test_the_port_that_the_example_describes(
    monkeypatch: pytest.MonkeyPatch, option: str, sets: list[list[str | None]]
) -> None:
    monkeypatch.setenv("METER_PASSWORD", "12345678")
    with served(describe.load(ROOT / "examples" / "meter.toml"), "iec21+tcp") as port:
        read, identification = peer({"port": port}, ["readout", option], ["identification"])
    assert read == sets
    # The peer takes the first of the meter's own words for the backslash of an enhanced identification.
    assert identification == ["KFM", "5", "XAMPLE"]


@pytest.mark.interop(feature="programming mode", peer="iec62056-21", role="server")
def test_programming_mode() -> None:
    meter = described()
    with served(meter, "iec21+tcp") as port:
        entered, energy, written, text, _ = peer(
            {"port": port, "password": "12345678"},
            ["programming"],
            ["read", "1.8.0"],
            ["write", "96.1.1", "after"],
            ["read", "96.1.1"],
            ["break"],
        )
    assert entered == ["P", 0, "", "\x06"]
    assert energy == [["1.8.0", "12345.678", "kWh"]]
    assert written is None
    assert text == [["96.1.1", "after", None]]
    assert bytes(meter.value(TEXT.value)) == b"after"


@pytest.mark.interop(feature="programming mode", peer="iec62056-21", role="server")
def test_a_wrong_password_writes_nothing() -> None:
    meter = described()
    with served(meter, "iec21+tcp") as port:
        answer = drive(
            "iec62056_21_client.py",
            json.dumps({"port": port, "password": "wrong"}),
            json.dumps([["programming"], ["write", "96.1.1", "after"]]),
            interpreter=PEER,
        )
    assert "error" in answer
    assert bytes(meter.value(TEXT.value)) == b"before"


@pytest.mark.interop(feature="mode C readout", peer="pydlms-client", role="server")
def test_pydlms_reads_out_over_a_line() -> None:
    with on_a_line(described(), "iec21+serial") as path:
        answer = drive("pydlms_optical.py", path, "readout")
    assert answer["identification"] == "1020012345678"
    assert ["1.8.0", [["12345.678", "kWh"]]] in answer["sets"]


@pytest.mark.interop(feature="mode C readout", peer="pydlms-client", role="server")
def test_pydlms_reads_out_the_port_that_the_example_describes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METER_PASSWORD", "12345678")
    with on_a_line(describe.load(ROOT / "examples" / "meter.toml"), "iec21+serial") as path:
        answer = drive("pydlms_optical.py", path, "readout")
    assert answer["identification"] == "EXAMPLE"
    assert answer["sets"] == [["96.1.0", [["12345678", None]]], ["1.8.0", [["12345.678", "kWh"]]]]


@pytest.mark.interop(feature="mode E", peer="pydlms-client", role="server")
def test_pydlms_goes_on_to_hdlc_twice() -> None:
    with on_a_line(described(), "hdlc+serial", "&sign_on=iec21") as path:
        for _ in range(2):
            answer = drive("pydlms_optical.py", path, "get", "1.0.1.8.0.255", "3", "2")
            assert answer == {"value": "0600bc614e"}
