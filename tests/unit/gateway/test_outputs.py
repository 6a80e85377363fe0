"""From rows of Outputs to outputs: addresses, options and TLS."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from certified import certified
from cosem.errors import ConfigurationError
from cosem.gateway.config import OutputRow
from cosem.gateway.config.columns import OUTPUT_KINDS
from cosem.gateway.config.reference import Reference
from cosem.gateway.northbound.home_assistant import HomeAssistantOutput
from cosem.gateway.northbound.iec104 import Iec104Output
from cosem.gateway.northbound.modbus import ModbusOutput, ModbusSettings
from cosem.gateway.northbound.mqtt import MqttOutput, MqttSettings
from cosem.gateway.northbound.opcua import OpcuaOutput
from cosem.gateway.northbound.sqlite_file import SqliteOutput
from cosem.gateway.outputs import MAKERS, client_tls, host_and_port, needing, output_of, server_tls


def row(**given: Any) -> OutputRow:
    options = MappingProxyType(given.pop("options", {}))
    return OutputRow(**{"kind": "iec104", "name": "scada", "options": options, **given})


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("", ("127.0.0.1", 2404)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("192.0.2.7", ("192.0.2.7", 2404)),
        ("[::1]:99", ("::1", 99)),
        ("[::1]", ("::1", 2404)),
        (":99", ("127.0.0.1", 99)),
    ],
)
def test_addresses(address: str, place: tuple[str, int]) -> None:
    assert host_and_port(row(address=address), 2404) == place


def test_an_output_with_all_its_options() -> None:
    options = {
        "common_address": "7", "zone": "Europe/Vilnius", "waiting": "10", "select_first": "yes", "select_time": "5",
        "tagged_interrogation": "1", "command_offset": "1000", "masters": "192.0.2.0/24, 2001:db8::/32",
    }  # fmt: skip
    made = output_of(row(address="127.0.0.1:0", options=options))
    assert isinstance(made, Iec104Output)
    assert (made.host, made.port, made.buffered) == ("127.0.0.1", 0, False)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"common_addres": "7"}, "no option common_addres"),
        ({"common_address": "seven"}, "common_address = 'seven'"),
        ({"common_address": "65535"}, "65535 is not within"),
        ({"zone": "Europe/Nowhere"}, "zone"),
        ({"select_first": "perhaps"}, "select_first"),
        ({"masters": "192.0.2.7/24"}, "masters"),
    ],
)
def test_options_that_cannot_be(options: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        output_of(row(options=options))


def test_consent_to_do_without_tls_is_no_option_of_the_output() -> None:
    assert isinstance(output_of(row(address="0.0.0.0:2404", options={"plain": "yes"})), Iec104Output)
    with pytest.raises(ConfigurationError, match="no option plain"):
        output_of(row(kind="mqtt", address="broker.example", options={"plain": "yes"}))


def test_a_kind_that_there_is_not() -> None:
    with pytest.raises(ConfigurationError, match="there is no output fax"):
        output_of(row(kind="fax"))


def test_tls(tmp_path: Path) -> None:
    certified(tmp_path)
    files = {"certificate": str(tmp_path / "certificate.pem"), "key": Reference(f"file:{tmp_path / 'key.pem'}")}
    assert server_tls(row()) is None
    assert client_tls(row()) is None
    served = server_tls(row(tls=True, ca=str(tmp_path / "certificate.pem"), **files))
    assert served is not None
    assert served.verify_mode.name == "CERT_REQUIRED"
    connecting = client_tls(row(tls=True, ca=str(tmp_path / "certificate.pem"), **files))
    assert connecting is not None
    assert connecting.check_hostname
    with pytest.raises(ConfigurationError, match="scada: certificate or key"):
        server_tls(row(tls=True, certificate=str(tmp_path / "none.pem")))


def test_brokers() -> None:
    options = {
        "prefix": "plant", "retain": "no", "qos": "0", "client_id": "gw", "keepalive": "30", "timeout": "5",
        "retry": "2",
    }  # fmt: skip
    made = output_of(row(kind="mqtt", address="broker.example", options=options))
    assert isinstance(made, MqttOutput)
    assert (made.host, made.port, made.buffered) == ("broker.example", 1883, True)
    assert made.settings == MqttSettings("plant", False, 0, "gw", 30, 5.0, 2.0)
    more = {**options, "discovery": "ha", "expire_after": "60"}
    made = output_of(row(kind="home_assistant", address="broker.example", tls=True, options=more))
    assert isinstance(made, HomeAssistantOutput)
    assert (made.port, made.settings.prefix) == (8883, "plant")
    with pytest.raises(ConfigurationError, match="no option discovery"):
        output_of(row(kind="mqtt", address="broker.example", options=more))


def test_a_package_that_is_missing() -> None:
    with pytest.raises(ConfigurationError, match=re.escape('pip install "cosem[gateway]"')), needing("gateway"):
        raise ImportError(name="aiomqtt")


def test_modbus() -> None:
    options = {
        "word_order": "little", "quality_offset": "100", "gaps": "yes", "unit": "3", "connections": "4", "idle": "60",
    }  # fmt: skip
    made = output_of(row(kind="modbus", options=options))
    assert isinstance(made, ModbusOutput)
    assert (made.host, made.port) == ("127.0.0.1", 502)
    assert made.settings == ModbusSettings("little", 100, True, 3, 4, 60.0)


@pytest.mark.parametrize(("kind", "port"), [("rest", 8080), ("prometheus", 9761)])
def test_http(kind: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "open sesame")
    made: Any = output_of(row(kind=kind, token=Reference("env:TOKEN"), options={"connections": "5"}))
    assert (made.host, made.port, made.buffered) == ("127.0.0.1", port, False)
    assert made.map()[0][-1] in ("command", "unit")


def test_opcua(tmp_path: Path) -> None:
    certified(tmp_path)
    made = output_of(row(kind="opcua", username="scada", password=Reference("sesame")))
    assert isinstance(made, OpcuaOutput)
    assert (made.host, made.port) == ("127.0.0.1", 4840)
    files = {"certificate": str(tmp_path / "certificate.pem"), "key": Reference(f"file:{tmp_path / 'key.pem'}")}
    assert isinstance(output_of(row(kind="opcua", tls=True, **files)), OpcuaOutput)
    with pytest.raises(ConfigurationError, match="scada: certificate or key"):
        output_of(row(kind="opcua", tls=True, certificate=str(tmp_path / "none.pem")))


def test_files(tmp_path: Path) -> None:
    made = output_of(row(kind="sqlite", address=str(tmp_path / "log.sqlite"), options={"limit_mb": "5"}))
    assert isinstance(made, SqliteOutput)
    assert (made.path, made.limit) == (tmp_path / "log.sqlite", 5_000_000)


def test_every_kind_of_the_tables_has_its_maker() -> None:
    assert set(MAKERS) == set(OUTPUT_KINDS)
