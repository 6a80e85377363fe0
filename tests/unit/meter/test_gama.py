"""GAMA 100 and GAMA 300: the address from the serial number, the short names that readers ask for, a session."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cosem import Client, Meter, Register
from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io.capture import Recorder, TraceEntry, parse_trace
from cosem.io.stream import Stream
from cosem.meter import describe, serving
from cosem.protocol.elgama import gama
from cosem.protocol.link.hdlc.address import HdlcAddress
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import Obis
from interop.served import running

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
SERIAL = 2141421

SHORT_NAMES = {
    "1.0.1.8.0.255": 0x0108,
    "1.0.1.8.1.255": 0x0120,
    "1.0.1.8.2.255": 0x0138,
    "1.0.3.8.0.255": 0x0308,
    "1.0.4.8.0.255": 0x0408,
    "1.0.16.7.0.255": 0x3A08,
    "1.0.13.7.0.255": 0x3E08,
    "1.0.36.7.0.255": 0x3F08,
    "1.0.31.7.0.255": 0x4B08,
    "1.0.32.7.0.255": 0x4F08,
    "1.0.14.7.0.255": 0x5208,
    "0.0.1.0.0.255": 0x6808,
    "1.0.99.1.0.255": 0xC008,
}
"""Names of attribute 2, as public readers of GAMA 300 meters ask for them."""


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GAMA_PASSWORD", "OPERATOR")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the password goes in clear, as these meters have it
        yield


def test_the_address_of_a_captured_meter() -> None:
    assert gama.lower_address(SERIAL) == 2421
    assert HdlcAddress(1, gama.lower_address(SERIAL), 4).encode() == bytes.fromhex("000224EB")
    assert HdlcAddress(gama.CLIENT, None, 1).encode() == b"\x41"
    assert HdlcAddress(gama.PUBLIC_CLIENT, None, 1).encode() == b"\x03"
    with pytest.raises(ConfigurationError, match="serial number -1"):
        gama.lower_address(-1)


def test_the_rule_makes_a_url() -> None:
    url = ConnectionUrl.parse(f"hdlc+tcp://192.0.2.7:4059?{gama.url_parameters(SERIAL)}")
    assert (url.client, url.server, url.physical, url.address_size) == (32, 1, 2421, 4)


@pytest.mark.parametrize("model", gama.PHASES)
def test_objects_have_the_short_names_of_the_real_ones(model: str) -> None:
    meter = describe.load(EXAMPLES / f"{model}.toml")
    names = meter.management.short_names
    for obis, name in SHORT_NAMES.items():
        located = names.locate(name)
        assert located is not None, obis
        assert located[0] == Obis(obis)
    assert (meter.management.find(Obis("1.0.52.7.0.255")) is None) == (gama.PHASES[model] == 1)


@pytest.mark.parametrize("model", gama.PHASES)
def test_our_client_reads_it_by_short_names(model: str) -> None:
    meter: Meter = describe.load(EXAMPLES / f"{model}.toml")
    with running(serving(meter, "hdlc+tcp://127.0.0.1:0?physical=2421&address_size=4")) as port:
        url = f"hdlc+tcp://127.0.0.1:{port}?{gama.url_parameters(SERIAL)}"
        with Client.open(url, naming="sn", password="OPERATOR") as client:
            assert str(client.quantity(Register("1.0.32.7.0.255"))) == "230.11 V"
            assert str(client.quantity(Register("1.0.1.8.0.255"))) == "12345678.9 Wh"
            assert client.clock().year is not None


def test_our_client_reads_it_at_its_optical_head() -> None:
    meter: Meter = describe.load(EXAMPLES / "gama300.toml")
    trace: list[TraceEntry] = []

    async def opener(url: ConnectionUrl, seconds: float) -> Stream:
        return Recorder(await Client.open_stream(url, seconds), lambda text: trace.extend(parse_trace(text)))

    with running(serving(meter, "hdlc+tcp://127.0.0.1:0?physical=2421&address_size=4&sign_on=iec21")) as port:
        url = f"hdlc+tcp://127.0.0.1:{port}?{gama.url_parameters(SERIAL, optical=True)}"
        with Client.open(url, naming="sn", password="OPERATOR", opener=opener) as client:
            assert str(client.quantity(Register("1.0.32.7.0.255"))) == "230.11 V"
            assert client.identification is not None
            assert client.identification.manufacturer == "EGM"
    assert [each.octets for each in trace if each.direction == "TX"][:2] == [gama.SIGN_ON, gama.ACKNOWLEDGEMENT]


def test_it_misbehaves_as_any_described_meter_does() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    hours = iter(range(100))
    meter = describe.parse(
        '[meter]\nname = "EGM0000002141421"\ntemplate = "gama300"\nnumber = 2141421\n'
        "[faults]\nclock_drift = 3600\nreboot_after = 2\n",
        clock=lambda: now + timedelta(hours=next(hours)),
    )
    first, second = meter.time(), meter.time()
    assert second - first == timedelta(hours=1, seconds=150)
    with running(serving(meter, "hdlc+tcp://127.0.0.1:0")) as port:
        url = f"hdlc+tcp://127.0.0.1:{port}?client=16"
        with pytest.raises(ConnectionLost), Client.open(url) as client:
            client.get(Register("1.0.1.8.0.255").value)
