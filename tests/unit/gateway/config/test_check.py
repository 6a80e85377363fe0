"""What no column can tell by itself: places, aliases, who stops whom, addresses on a line, references."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gateway_tables as tables
from cosem.gateway.config import Configuration, DriverName
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.ring import KeyKind
from cosem.store.keys import FileKeyRing

TCP = {"ip": "192.0.2.7", "port": 4059}


def dlms(folder: Path, **changes: Any) -> Configuration:
    row = {name: value for name, value in (tables.DLMS | changes).items() if value is not None}
    return tables.configured(folder, [row], [tables.DLMS_SIGNAL])


def local(folder: Path, **changes: Any) -> Configuration:
    row = {name: value for name, value in (tables.IEC21 | changes).items() if value is not None}
    return tables.configured(folder, [row], [tables.IEC21_SIGNAL])


def elgama(folder: Path, **changes: Any) -> Configuration:
    row = {name: value for name, value in (tables.ELGAMA | changes).items() if value is not None}
    return tables.configured(folder, [row], [tables.ELGAMA_SIGNAL])


def columns(found: Configuration) -> list[str]:
    return [each.place.column for each in found.faults]


# --- one fault for each, all at once -------------------------------------------------------------------------------


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    rows = [
        tables.DLMS | {"enable": 2, "parity": "mark", "timeout_ms": "soon", "client_address": "XY"},
        tables.IEC21 | {"t2": 1501, "type": "D"},
        tables.ELGAMA | {"meter_model": 4},
    ]
    found = tables.configured(tmp_path, rows, [tables.DLMS_SIGNAL | {"obis_job": "energy"}], [{"kind": "fax"}])
    assert sorted(tables.faults(found)) == sorted(
        [
            *(("Devices", 1, name) for name in ("enable", "parity", "timeout_ms", "client_address")),
            *(("Devices", 2, name) for name in ("t2", "type")),
            ("Devices", 3, "meter_model"),
            ("Signals", 1, "obis_job"),
            ("Outputs", 1, "kind"),
        ]
    )
    assert found.stopped == frozenset(DriverName)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_faults_of_one_driver_stop_that_driver_alone(at: int, tmp_path: Path) -> None:
    rows = [dict(each) for each in tables.DEVICES]
    rows[at]["timeout_ms"] = 0
    found = tables.configured(tmp_path, rows)
    (fault,) = found.faults
    assert fault.stops == {list(DriverName)[at]}
    left = [each for number, each in enumerate(tables.DEVICES) if number != at]
    assert [each.alias for each in found.devices] == [each["device_alias"] for each in left]
    assert [each.device for each in found.signals] == [each["device_alias"] for each in left]


def test_a_fault_of_a_signal_stops_the_driver_of_its_device(tmp_path: Path) -> None:
    found = tables.configured(tmp_path, signals=[tables.DLMS_SIGNAL | {"log": 2}, *tables.SIGNALS[1:]])
    assert found.stopped == {DriverName.DLMS}


def test_a_fault_of_an_output_stops_no_driver(tmp_path: Path) -> None:
    found = tables.configured(tmp_path, outputs=[{"kind": "mqtt"}, tables.OUTPUT])
    assert columns(found) == ["address"]
    assert found.stopped == frozenset()
    assert [each.kind for each in found.outputs] == ["csv"]


@pytest.mark.parametrize(
    ("word", "stops"), [("DLSM", {DriverName.DLMS}), ("Modbus", set()), ("Elgma", {DriverName.ELGAMA})]
)
def test_an_unknown_driver_stops_the_one_it_was_meant_for(word: str, stops: set[DriverName], tmp_path: Path) -> None:
    rows = [tables.DLMS | {"protocol": word}, tables.IEC21]
    found = tables.configured(tmp_path, rows, [tables.DLMS_SIGNAL, tables.IEC21_SIGNAL])
    assert tables.faults(found) == [("Devices", 1, "protocol")], "its signals are not faults of their own"
    assert found.stopped == stops


def test_an_alias_twice_names_the_first_and_stops_both_drivers(tmp_path: Path) -> None:
    found = tables.configured(tmp_path, [tables.DLMS, tables.IEC21 | {"device_alias": "meter1"}], [tables.DLMS_SIGNAL])
    (fault,) = found.faults
    assert fault.place.row == 2
    assert "row 1" in fault.reason
    assert fault.stops == {DriverName.DLMS, DriverName.IEC21}


@pytest.mark.parametrize("column", ["signal_alias", "topic", "ioa", "node", "register"])
def test_what_must_be_there_once_in_signals(column: str, tmp_path: Path) -> None:
    value = "7" if column in ("ioa", "register") else "same"
    second = tables.DLMS_SIGNAL | {"signal_alias": "other"}
    found = tables.configured(tmp_path, [tables.DLMS], [tables.DLMS_SIGNAL | {column: value}, second | {column: value}])
    assert tables.faults(found) == [("Signals", 2, column)]


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        (("DOUBLE", 0), ("FLOAT", 4), True),
        (("DOUBLE", 0), ("FLOAT", 3), False),
        (("DIGITAL", 0), ("FLOAT", 0), True),
        (("DIGITAL", 0), ("DIGITAL", 0), False),
        (("SIGNED16", 65535), ("FLOAT", 0), True),
        (("FLOAT", 65535), ("FLOAT", 0), False),
        (("TEXT", 0), ("FLOAT", 2), False),
    ],
)
def test_registers_do_not_overlap(first: Any, second: Any, taken: bool, tmp_path: Path) -> None:
    rows = [
        tables.DLMS_SIGNAL | {"signal_alias": alias, "number_type": word, "register": register}
        for alias, (word, register) in (("a", first), ("b", second))
    ]
    assert (columns(tables.configured(tmp_path, [tables.DLMS], rows)) == []) is taken


def test_a_signal_of_no_device_is_a_fault_of_the_driver_that_it_is_made_for(tmp_path: Path) -> None:
    found = tables.configured(tmp_path, signals=[tables.DLMS_SIGNAL | {"device_alias": "elsewhere"}])
    assert tables.faults(found) == [("Signals", 1, "device_alias")]
    assert found.stopped == {DriverName.DLMS}


# --- places --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "given", "line", "faulty"),
    [
        (dlms, {"device": None}, "", ["device"]),
        (dlms, {"device": None, **TCP}, "192.0.2.7:4059", []),
        (dlms, TCP, "192.0.2.7:4059", []),
        (dlms, {"device": None, "ip": "192.0.2.7"}, "", ["port"]),
        (dlms, {"device": None, "port": 4059}, "", ["ip"]),
        (dlms, {"port": 4059}, "/dev/ttyUSB0", []),
        (local, {"device": None}, "", ["device"]),
        (local, TCP, "192.0.2.7:4059", []),
        (local, {"ip": "192.0.2.7"}, "", ["port"]),
        (local, {"port": 4059}, "", ["ip"]),
        (elgama, {"device": None}, "", ["device"]),
        (elgama, {"device": None, **TCP}, "192.0.2.7:4059", []),
        (elgama, {"device": None, "ip": "192.0.2.7"}, "", ["device", "port"]),
    ],
)
def test_serial_or_tcp(made: Any, given: dict[str, Any], line: str, faulty: list[str], tmp_path: Path) -> None:
    found = made(tmp_path, **given)
    assert sorted(columns(found)) == faulty
    assert [each.parameters.line for each in found.devices] == ([line] if line else [])


def test_serial_settings_are_ignored_where_ip_and_port_are_given(tmp_path: Path) -> None:
    found = dlms(tmp_path, **TCP, baudrate=300)
    assert tables.told(found, "device") == ["ip and port are given, so the serial line is not used"]
    assert found.devices[0].parameters.url().medium == "tcp"


@pytest.mark.parametrize("word", ["PORT1", "port1"])
def test_ports_are_named_in_a_table(word: str, tmp_path: Path) -> None:
    found = tables.configured(
        tmp_path, [tables.DLMS | {"device": word}], [tables.DLMS_SIGNAL], ports={"PORT1": "/dev/ttyS3"}
    )
    assert found.devices[0].parameters.device == "/dev/ttyS3"


def test_a_port_that_the_table_does_not_have(tmp_path: Path) -> None:
    assert columns(dlms(tmp_path, device="PORT2")) == ["device"]


@pytest.mark.parametrize(
    ("other", "name"),
    [("host", "ip"), ("retry_count", "retry_counter"), ("master_address", "client_address"),
        ("server_address", "physical_address")],
)  # fmt: skip
def test_names_of_other_editions(other: str, name: str, tmp_path: Path) -> None:
    value = {"ip": "192.0.2.9", "client_address": "20"}.get(name, "33")
    found = dlms(tmp_path, **{"port": 4059, "ip": "192.0.2.9", name: None, other: value})
    assert found.faults == ()
    assert getattr(found.devices[0].parameters, name) == (value if name == "ip" else 0x20 if "client" in name else 33)
    (fault, *_) = dlms(tmp_path, **{"ip": "a b" if name == "ip" else "192.0.2.9", name: None, other: "x y"}).faults
    assert fault.place.column == other, "the name that the table has"


def test_a_name_and_its_other_name_with_two_values(tmp_path: Path) -> None:
    found = dlms(tmp_path, retry_counter=3, retry_count=4)
    assert found.devices[0].parameters.retry_counter == 3
    assert any("retry_count, another word for it, is not used" in each for each in tables.told(found, "retry_counter"))


@pytest.mark.parametrize(("address", "said"), [("192.0.2.1", True), (None, False)])
def test_bind_address_is_said_not_to_be_used_on_a_serial_line(address: str | None, said: bool, tmp_path: Path) -> None:
    found = dlms(tmp_path, bind_address=address)
    assert found.faults == ()
    assert bool(tables.told(found, "bind_address")) is said


def test_bind_address_is_an_ip_address(tmp_path: Path) -> None:
    (fault,) = dlms(tmp_path, bind_address="eth0").faults
    assert (fault.place.column, fault.allowed) == ("bind_address", "an IP address of this machine")


def test_units_multiply_and_topic_of_other_editions(tmp_path: Path) -> None:
    row = tables.DLMS_SIGNAL | {"units": "kWh", "multiply": "0,001", "topic": "plant/energy", "offset": "-1"}
    (signal,) = tables.configured(tmp_path, [tables.DLMS], [row]).signals
    assert (signal.units, str(signal.multiply), signal.topic, signal.offset) == ("kWh", "0.001", "plant/energy", -1)


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("192.0.2.7", True),
        ("meter-7.example", True),
        ("2001:db8::7", True),
        ("192.0.2.7:4059", False),
        ("a b", False),
        ("me@host", False),
    ],
)
def test_hosts(address: str, taken: bool, tmp_path: Path) -> None:
    assert columns(dlms(tmp_path, port=4059, ip=address)) == ([] if taken else ["ip"])


def test_mode_iec_has_character_formats_of_its_own(tmp_path: Path) -> None:
    found = dlms(tmp_path, mode="IEC", databits=9)
    assert tables.told(found, "databits") == ["mode IEC begins with 7E1 and goes on with 8N1: not used"]
    assert found.devices[0].parameters.url().line == (300, "7E1")


# --- lines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sharing", "warned"), [(True, True), (False, False)])
def test_a_general_sign_on_is_warned_of_where_several_share_the_line(
    sharing: bool, warned: bool, tmp_path: Path
) -> None:
    second = tables.IEC21 | {"device_alias": "local2", "serialnumber": "2"}
    second |= {} if sharing else {"device": "/dev/ttyUSB9"}
    found = tables.configured(tmp_path, [tables.IEC21 | {"serialnumber": "0"}, second], [tables.IEC21_SIGNAL])
    assert found.faults == ()
    assert found.devices[0].parameters.serialnumber == ""  # type: ignore[union-attr]
    assert bool([each for each in found.warnings if each.place.column == "serialnumber"]) is warned


def test_two_devices_at_one_address_of_one_line(tmp_path: Path) -> None:
    found = tables.configured(tmp_path, [tables.DLMS, tables.DLMS | {"device_alias": "meter2"}], [tables.DLMS_SIGNAL])
    assert any("the line and the address of meter1" in each.text for each in found.warnings)


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ({}, True),
        ({"baudrate": 300, "databits": 7, "parity": "even"}, False),
        ({"baudrate": 300}, True),
        (TCP, False),
    ],
)
def test_a_sign_on_that_is_not_at_300_7e1_is_warned_of(given: dict[str, Any], warned: bool, tmp_path: Path) -> None:
    found = local(tmp_path, **given)
    assert found.faults == ()
    assert bool([each for each in found.warnings if each.place.column == "baudrate"]) is warned


# --- DLMS ----------------------------------------------------------------------------------------------------------


def test_an_untouched_table_tells_the_address_it_comes_to(tmp_path: Path) -> None:
    found = dlms(tmp_path)
    assert found.faults == ()
    assert tables.told(found, "physical_address") == ["the server is upper 1, lower 1600 (0x640), in 4 octets"]


@pytest.mark.parametrize(
    ("given", "faulty"),
    [
        ({"logical_address": 16383}, []),
        ({"logical_address": 16384}, ["logical_address"]),
        ({"logical_address": 16384, "mode": "DLMS-WRAPPER", **TCP}, []),
        ({"logical_address": 65536, "mode": "DLMS-WRAPPER", **TCP}, ["logical_address"]),
        ({"physical_address": 16383}, []),
        ({"physical_address": 16384}, ["physical_address"]),
        ({"mode": "DLMS-WRAPPER"}, ["mode"]),
    ],
)
def test_addresses_and_modes_that_go_together(given: dict[str, Any], faulty: list[str], tmp_path: Path) -> None:
    assert columns(dlms(tmp_path, **given)) == faulty


@pytest.mark.parametrize(
    ("given", "faulty"),
    [
        ({"auth": "HighGmac", "password": "x"}, ["encryption_key"]),
        ({"auth": "HighEcdsa", "password": "x"}, ["signing_key", "peer_signing_key"]),
        ({"protection": "auth+enc"}, ["auth"]),
        ({"encryption_key": "00112233"}, ["encryption_key"]),
        (
            {"encryption_key": "00112233445566778899AABBCCDDEEFF", "client_system_title": "4D4D4D"},
            ["client_system_title"],
        ),
        ({"encryption_key": "00112233445566778899AABBCCDDEEFF", "protection": "enc"}, []),
        ({"dedicated_key": 1}, ["auth"]),
        ({"security_suite": 3}, ["security_suite"]),
        ({"reconnect_longest_ms": 999}, ["reconnect_longest_ms"]),
        ({"reconnect_longest_ms": 1000}, []),
    ],
)
def test_what_entering_needs(given: dict[str, Any], faulty: list[str], tmp_path: Path) -> None:
    found = dlms(tmp_path, **given)
    assert columns(found) == faulty
    assert "00112233" not in str([each.plain() for each in (*found.faults, *found.notices)])


def test_encryption_without_authentication_is_consented_to_by_its_row(tmp_path: Path) -> None:
    found = dlms(tmp_path, encryption_key="00112233445566778899AABBCCDDEEFF", protection="enc")
    assert any("consents" in each for each in tables.told(found, "protection"))


@pytest.mark.parametrize(("enable", "warned"), [(1, True), (0, False)])
@pytest.mark.parametrize("where", ["env:NOT_THERE_AT_ALL", "file:/not/there"])
def test_a_reference_that_leads_nowhere_is_said_for_devices_in_use(
    where: str, enable: int, warned: bool, tmp_path: Path
) -> None:
    found = dlms(tmp_path, auth="Low", password=where, enable=enable)
    assert found.faults == ()
    assert any("is not entered" in each.text and each.place.value == where for each in found.warnings) is warned


def test_references_are_looked_up_when_they_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TEST", "first")
    parameters = dlms(tmp_path, auth="Low", password="env:GATEWAY_TEST").devices[0].parameters
    monkeypatch.setenv("GATEWAY_TEST", "second")
    assert parameters.access().secret == Secret(b"second")  # type: ignore[union-attr]


def test_keys_of_a_key_ring(tmp_path: Path) -> None:
    title, key = bytes.fromhex("4D4D4D0000BC614E"), Key(bytes(range(16)))
    secret = "a long enough passphrase"
    ring = FileKeyRing(tmp_path / "keys", Secret(secret.encode()), create=True)
    ring.activate(ring.add(title, KeyKind.ENCRYPTION, key))
    settings = {"keyring": str(tmp_path / "keys"), "keyring_secret": secret}
    reference = f"keyring:{title.hex()}"
    row = tables.DLMS | {"encryption_key": reference, "auth": "HighGmac", "client_system_title": "434F530000000001"}
    found = tables.configured(tmp_path, [row], [tables.DLMS_SIGNAL], settings=settings)
    assert found.faults == ()
    assert found.devices[0].parameters.access().encryption_key == key  # type: ignore[union-attr]
    for wrong, why in (
        (row | {"encryption_key": "keyring:00"}, "no global unicast"),
        (row | {"authentication_key": reference}, "no authentication key"),
    ):
        found = tables.configured(tmp_path, [wrong], [tables.DLMS_SIGNAL], settings=settings)
        assert any(why in each.text for each in found.warnings)
    found = tables.configured(
        tmp_path, [row], [tables.DLMS_SIGNAL], settings=settings | {"keyring_secret": "another passphrase"}
    )
    assert ("Settings", 0, "keyring") in tables.faults(found)


# --- signals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "obis", "attribute"),
    [
        ("1.0.1.8.0.255:2", "1.0.1.8.0.255", 2),
        ("1.0.1.8.0.255", "1.0.1.8.0.255", None),
        ("1-0:1.8.0*255:3", "1.0.1.8.0.255", 3),
        ("1-0:1.8.0", "1.0.1.8.0.255", None),
        ("1.8.0", "1.0.1.8.0.255", None),
        ("0100010800FF:127", "1.0.1.8.0.255", 127),
    ],
)
def test_obis_jobs(job: str, obis: str, attribute: int | None, tmp_path: Path) -> None:
    (signal,) = tables.configured(tmp_path, [tables.DLMS], [tables.DLMS_SIGNAL | {"obis_job": job}]).signals
    assert (str(signal.job.obis), signal.job.attribute) == (obis, attribute)  # type: ignore[union-attr]


def test_the_tag_of_a_readout_is_kept_as_it_is_printed(tmp_path: Path) -> None:
    (signal,) = tables.configured(tmp_path, [tables.IEC21], [tables.IEC21_SIGNAL | {"tag_job_todo": "F.F"}]).signals
    assert signal.job.tag == "F.F"  # type: ignore[union-attr]


def test_a_status_signal_reads_nothing(tmp_path: Path) -> None:
    row = {"signal_name": "Online", "device_alias": "local1", "signal_alias": "on", "source": "status"}
    (signal,) = tables.configured(tmp_path, [tables.IEC21], [row]).signals
    assert (signal.job, signal.number_type.value) == (None, "DIGITAL")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "faulty"),
    [
        ({"source": "profile"}, ["profile"]),
        ({"source": "events", "profile": "0.0.99.98.0.255"}, []),
        ({"profile": "P.01"}, []),
        ({"profile": "load profile"}, ["profile"]),
        ({"multiply": 0}, ["multiply"]),
        ({"deadband": -0.1}, ["deadband"]),
        ({"topic": "a/#"}, ["topic"]),
        ({"ioa": 0}, ["ioa"]),
        ({"ioa": 16777215}, []),
        ({"ioa": 16777216}, ["ioa"]),
        ({"register": 65536}, ["register"]),
        ({"write": 1, "lowest": 2, "highest": 1}, ["highest"]),
        ({"write": 1, "lowest": 2, "highest": 2}, []),
        ({"write": 1, "command": "method"}, ["command_job"]),
        ({"write": 1, "command": "method", "command_job": "0.0.96.3.10.255:1"}, []),
        ({"write": 1, "command_job": "nothing"}, ["command_job"]),
        ({"write": 1, "source": "events", "profile": "0.0.99.98.0.255"}, ["command_job"]),
        ({"write": 2}, ["write"]),
    ],
)
def test_columns_of_signals_that_are_ours(given: dict[str, Any], faulty: list[str], tmp_path: Path) -> None:
    assert columns(tables.configured(tmp_path, [tables.DLMS], [tables.DLMS_SIGNAL | given])) == faulty


def test_writing_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    (signal,) = tables.configured(tmp_path, [tables.DLMS], [tables.DLMS_SIGNAL]).signals
    assert signal.writing is None
    row = tables.DLMS_SIGNAL | {"write": 1, "command_from": "scada, MQTT", "select_seconds": 10, "highest": 5}
    found = tables.configured(tmp_path, [tables.DLMS], [row])
    writing = found.signals[0].writing
    assert writing is not None
    assert (writing.origins, writing.select, writing.highest) == ({"scada", "mqtt"}, 10, 5)
    assert tables.told(found, "write") == ["commands to it are taken from mqtt, scada"]


def test_nothing_is_written_to_elgama(tmp_path: Path) -> None:
    found = tables.configured(tmp_path, [tables.ELGAMA], [tables.ELGAMA_SIGNAL | {"write": 1}])
    assert columns(found) == ["write"]


@pytest.mark.parametrize(
    ("model", "job", "tag", "faulty"),
    [
        (2, "registers", "1.8.0", []),
        (2, "registers", "0x3A08", []),
        (2, "registers", "52.7.0", []),
        (3, "registers", "52.7.0", ["tag_job_todo"]),
        (2, "daily:0:24", "1.8.0", ["job_todo"]),
        (1, "daily:0:24", "period 0, tariff 1", []),
        (1, "daily:0", "period 0, tariff 1", ["job_todo"]),
        (1, "daily:0:x", "period 0, tariff 1", ["job_todo"]),
        (1, "daily:0:24", "tariff 1", ["tag_job_todo"]),
        (0, "daily:0", "record 0", []),
        (0, "power-fails", "octets", []),
        (0, "events:0", "record 0", ["job_todo"]),
    ],
)
def test_jobs_of_elgama(model: int, job: str, tag: str, faulty: list[str], tmp_path: Path) -> None:
    rows = [tables.ELGAMA | {"meter_model": model}], [tables.ELGAMA_SIGNAL | {"job_todo": job, "tag_job_todo": tag}]
    assert columns(tables.configured(tmp_path, *rows)) == faulty


# --- outputs and settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "faulty"),
    [
        ({"kind": "rest", "address": "127.0.0.1:8080"}, []),
        ({"kind": "rest", "address": "[::1]:8080"}, []),
        ({"kind": "rest", "address": "localhost:8080"}, []),
        ({"kind": "rest", "address": "0.0.0.0:8080"}, ["tls", "token"]),
        ({"kind": "rest", "address": ":8080"}, ["tls", "token"]),
        ({"kind": "modbus", "address": "192.0.2.1:502"}, ["tls"]),
        ({"kind": "modbus", "address": "192.0.2.1:502", "options": "plain=yes"}, []),
        ({"kind": "iec104", "address": "192.0.2.1:2404", "tls": 1}, ["certificate", "key"]),
        ({"kind": "mqtt", "address": "broker:1883", "options": "a"}, ["options"]),
        ({"kind": "mqtt", "address": "broker:1883", "options": "a=1; a=2"}, ["options"]),
        ({"kind": "mqtt", "address": "broker:1883", "options": "Prefix = plant; qos=1"}, []),
        ({"kind": "csv"}, ["address"]),
    ],
)
def test_outputs(row: dict[str, Any], faulty: list[str], tmp_path: Path) -> None:
    found = tables.configured(tmp_path, outputs=[row])
    assert columns(found) == faulty
    assert len(found.outputs) == (not faulty)


def test_options_and_credentials_of_outputs(tmp_path: Path) -> None:
    row = {"kind": "MQTT", "address": "broker:1883", "options": "Prefix = plant; qos=1", "password": "hunter2hunter2"}
    found = tables.configured(tmp_path, outputs=[row, row | {"name": "second"}, row])
    assert tables.faults(found) == [("Outputs", 3, "name")]
    first = found.outputs[0]
    assert (first.kind, first.name, dict(first.options)) == ("mqtt", "mqtt", {"prefix": "plant", "qos": "1"})
    assert "hunter2" not in repr(found)
    assert any("in clear" in each for each in tables.told(found, "password"))


def test_without_an_output_it_is_said_that_values_go_nowhere(tmp_path: Path) -> None:
    found = tables.configured(tmp_path, outputs=[])
    assert [each.text for each in found.warnings if each.place.sheet == "Outputs"]


@pytest.mark.parametrize(
    ("settings", "faulty"),
    [
        ({"buffer_mb": 1}, []),
        ({"buffer_mb": 0}, ["buffer_mb"]),
        ({"bufer": 1}, ["name"]),
        ({"page": "127.0.0.1:8080"}, []),
        ({"page": "0.0.0.0:8080"}, ["page_certificate", "page_key", "page_token"]),
        ({"keyring": "somewhere"}, ["keyring"]),
    ],
)
def test_settings(settings: dict[str, Any], faulty: list[str], tmp_path: Path) -> None:
    assert columns(tables.configured(tmp_path, settings=settings)) == faulty
