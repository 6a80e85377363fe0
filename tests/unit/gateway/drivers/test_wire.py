"""What the columns of a device make go over its line: addresses, modes, entry. The octets are those of the standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway_bench import TCP, WRAPPER, Bench, Opened, bench

APPLICATION_CONTEXT = {"LN": "60857405080101", "SN": "60857405080102"}
"""2.16.756.5.8.1.1 and .2, referencing by logical and by short names, without ciphering."""
MECHANISM_NAME = "608574050802"
"""2.16.756.5.8.2, of which the next arc is the number of the mechanism."""


@pytest.mark.parametrize(
    ("driver", "changes", "addresses"),
    [
        ("DLMS", {}, "00021881 21"),  # upper 1, lower 1600, client 16
        ("DLMS", {"physical_address": 17}, "0223 21"),
        ("DLMS", {"physical_address": 0, "logical_address": 3}, "07 21"),
        ("DLMS", {"physical_address": 17, "address_size": 3}, "00020023 21"),
        ("DLMS", {"physical_address": 17, "client_address": "11"}, "0223 23"),
        ("DLMS", {"serial_number": 2141421}, "000224EB 21"),  # as captured of a real GAMA
        ("DLMS", {"serial_number": 2141421, "address_rule": "emh"}, "00021A1B 21"),  # 2141421 mod 10000 … by its rule
        ("Elgama", {"id": 2141421}, "000224EB 03"),
        ("Elgama", {"id": 2141421, "password": "OPERATOR"}, "000224EB 41"),
        ("Elgama", {"id": 2141421, "client_address": "1F"}, "000224EB 3F"),
    ],
)
def test_addresses(
    driver: str, changes: dict[str, Any], addresses: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = bench(tmp_path, monkeypatch, driver, changes)
    meter.fail()
    octets = bytes.fromhex(addresses)
    snrm = meter.said[0][1]
    assert snrm[3 : 4 + len(octets)] == octets + b"\x93"


@pytest.mark.parametrize(
    ("changes", "ports"), [({}, "0001 0010 0001"), ({"logical_address": 5, "client_address": "66"}, "0001 0066 0005")]
)
def test_ports_of_the_wrapper(
    changes: dict[str, Any], ports: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = bench(tmp_path, monkeypatch, changes={**WRAPPER, **changes})
    meter.fail()
    assert meter.sent.startswith(bytes.fromhex(ports))


@pytest.mark.parametrize(
    ("mode", "changes", "first", "line"),
    [
        ("DLMS", {}, b"\x7e\xa0", (9600, "8N1")),
        ("DLMS-HDLC", {}, b"\x7e\xa0", (9600, "8N1")),
        ("IEC", {}, b"/?!\r\n", (300, "7E1")),
        ("DLMS-WRAPPER", TCP, b"\x00\x01\x00\x10", None),
    ],
)
def test_mode(
    mode: str, changes: dict[str, Any], first: bytes, line: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = bench(tmp_path, monkeypatch, changes={"mode": mode, **changes})
    meter.fail()
    assert meter.sent.startswith(first)
    assert meter.opened[0].serial == (None if line is None else ("/dev/ttyUSB0", *line, None))


@pytest.mark.parametrize("kind", ["LN", "SN"])
def test_type_of_names(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = bench(tmp_path, monkeypatch, changes={**WRAPPER, "type": kind})
    meter.fail()
    assert bytes.fromhex(APPLICATION_CONTEXT[kind]) in meter.sent


@pytest.mark.parametrize(
    ("auth", "number"),
    [("None", None), ("Low", 1), ("High", 2), ("HighMd5", 3), ("HighSha1", 4), ("HighGmac", 5), ("HighSha256", 6)],
)
def test_auth_and_password(auth: str, number: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    title = {"client_system_title": "434F530000000001"}
    keys = (
        {"encryption_key": 32 * "0", "authentication_key": 32 * "1", **title}
        if auth == "HighGmac"
        else title
        if auth == "HighSha256"
        else {}
    )
    meter = bench(tmp_path, monkeypatch, changes={**WRAPPER, "auth": auth, "password": "hunter2hunter2", **keys})
    meter.fail()
    assert (bytes.fromhex(MECHANISM_NAME) in meter.sent) is (number is not None)
    if number is not None:
        assert bytes.fromhex(f"{MECHANISM_NAME}{number:02x}") in meter.sent
    # calling-authentication-value is the password itself for Low, and a challenge for all others
    assert (b"\xac\x10\x80\x0ehunter2hunter2" in meter.sent) is (auth == "Low")
    assert (b"hunter2" in meter.sent) is (auth == "Low")


@pytest.mark.parametrize(
    ("serialnumber", "call"), [("1", b"/?1!\r\n"), ("0", b"/?!\r\n"), ("00012345", b"/?00012345!\r\n")]
)
def test_serialnumber_is_called(
    serialnumber: str, call: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = bench(tmp_path, monkeypatch, "IEC 62056-21", {"serialnumber": serialnumber})
    meter.fail()
    assert meter.sent == call


@pytest.mark.parametrize(("number", "word"), [(0, "epqm"), (1, "epqs"), (2, None), (3, None)])
def test_meter_model_of_elgama_chooses_the_protocol(
    number: int, word: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {} if word is None else {"job_todo": "clock", "tag_job_todo": "local time", "number_type": "TEXT"}
    meter = bench(tmp_path, monkeypatch, "Elgama", {"meter_model": number}, signal=job)
    meter.fail()
    assert meter.device.parameters.url().model == word
    assert meter.sent.startswith(b"\x7e\xa0") is (word is None)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_meter_model_of_iec_62056_21_is_reserved_and_changes_nothing(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = bench(tmp_path, monkeypatch, "IEC 62056-21", {"meter_model": number})
    meter.fail()
    assert meter.sent == b"/?1!\r\n"
    told = [each.text for each in meter.configuration.notices if each.place.column == "meter_model"]
    assert bool(told) is (number != 1)


# -- lines ------------------------------------------------------------------------------------------------------------

EVERY = ["DLMS", "IEC 62056-21", "Elgama"]


def opened(meter: Bench) -> Opened:
    meter.fail()
    return meter.opened[0]


@pytest.mark.parametrize("driver", EVERY)
@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({}, (9600, "8N1", None)),
        ({"baudrate": 300}, (300, "8N1", None)),
        ({"baudrate": 115200}, (115200, "8N1", None)),
        ({"databits": 6}, (9600, "6N1", None)),
        ({"databits": 7, "parity": "even"}, (9600, "7E1", None)),
        ({"parity": "odd"}, (9600, "8O1", None)),
        ({"stopbits": 2}, (9600, "8N2", None)),
        ({"flowcontrol": "rtscts"}, (9600, "8N1", "rtscts")),
        ({"flowcontrol": "none"}, (9600, "8N1", None)),
    ],
)
def test_a_serial_port_is_opened_as_its_row_says(
    driver: str, changes: dict[str, Any], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = opened(bench(tmp_path, monkeypatch, driver, {"device": "/dev/ttyS7", **changes}))
    assert found.serial == ("/dev/ttyS7", *settings)


def test_flowcontrol_by_characters_is_for_lines_of_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened(bench(tmp_path, monkeypatch, "IEC 62056-21", {"flowcontrol": "XON/XOFF"}))
    assert found.serial == ("/dev/ttyUSB1", 9600, "8N1", "xonxoff")


@pytest.mark.parametrize("driver", EVERY)
def test_databits_9_are_refused_when_the_port_is_to_be_opened(
    driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = bench(tmp_path, monkeypatch, driver, {"databits": 9})
    meter.fail()
    assert meter.opened == []


@pytest.mark.parametrize("driver", EVERY)
def test_device_may_be_a_name_of_the_sheet_ports(driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [{"port": "PORT1", "device": "/dev/ttyS4"}]
    found = opened(bench(tmp_path, monkeypatch, driver, {"device": "PORT1"}, ports=ports))
    assert found.serial is not None
    assert found.serial[0] == "/dev/ttyS4"


@pytest.mark.parametrize("driver", EVERY)
@pytest.mark.parametrize(("bind_address", "ours"), [(None, None), ("0.0.0.0", None), ("192.0.2.9", "192.0.2.9")])
def test_ip_port_and_bind_address_are_where_is_connected_and_from_where(
    driver: str, bind_address: str | None, ours: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = {"device": None, "ip": "meter.example", "port": 4001, "bind_address": bind_address}
    found = opened(bench(tmp_path, monkeypatch, driver, place))
    assert found == Opened(tcp=("meter.example", 4001, ours))


@pytest.mark.parametrize("driver", EVERY)
def test_ip_and_port_go_before_the_serial_settings(
    driver: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = opened(bench(tmp_path, monkeypatch, driver, {"ip": "192.0.2.7", "port": 4001, "baudrate": 300}))
    assert found == Opened(tcp=("192.0.2.7", 4001, None))
