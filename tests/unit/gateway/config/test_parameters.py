"""What device parameters come to: the connection URL, the address by its one rule, and how a device is entered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gateway_tables as tables
from cosem.errors import ConfigurationError
from cosem.gateway.config.parameters import DlmsParameters, ElgamaParameters, Iec21Parameters, LineParameters
from cosem.gateway.config.reference import Reference

TCP: dict[str, Any] = {"ip": "192.0.2.7", "port": 4059}


def dlms(**given: Any) -> DlmsParameters:
    return DlmsParameters(**{"device": "/dev/ttyUSB0", **given})


@pytest.mark.parametrize(
    ("given", "address"),
    [
        # an untouched table: 1600 does not go into one octet, and 0 is no logical device
        ({}, (1, 1600, 4)),
        ({"physical_address": 17}, (1, 17, 2)),
        ({"physical_address": 127}, (1, 127, 2)),
        ({"physical_address": 128}, (1, 128, 4)),
        ({"physical_address": 17, "address_size": 2}, (1, 17, 2)),
        ({"physical_address": 17, "address_size": 3}, (1, 17, 4)),
        ({"physical_address": 17, "address_size": 4}, (1, 17, 4)),
        ({"physical_address": 0}, (1, None, 1)),
        ({"physical_address": 0, "logical_address": 127}, (127, None, 1)),
        ({"logical_address": 128, "physical_address": 17}, (128, 17, 4)),
        # the captured address of a real meter: serial 02141421 answers at lower 2421
        ({"serial_number": 2141421}, (1, 2421, 4)),
        ({"serial_number": 2141421, "physical_address": 17, "logical_address": 9}, (1, 2421, 4)),
        ({"serial_number": 2141421, "address_rule": "emh"}, (1, 1677, 4)),
    ],
)
def test_the_address_follows_one_rule(given: dict[str, Any], address: tuple[Any, ...]) -> None:
    parameters = dlms(**given)
    url = parameters.url()
    assert (url.server, url.physical, url.address_size) == address
    assert (parameters.upper_address, parameters.lower_address, parameters.address_octets) == address


def test_the_octets_of_a_real_meter_by_its_serial_number() -> None:
    """A capture of a GAMA 300 shows 00 02 24 EB for serial number 02141421."""
    assert "server 00 02 24 EB" in dlms(serial_number=2141421).url().interpreted()


@pytest.mark.parametrize(("logical", "server"), [(0, 1), (1, 1), (0xFFFF, 0xFFFF)])
def test_the_wrapper_has_the_logical_address_alone(logical: int, server: int) -> None:
    parameters = DlmsParameters(**TCP, mode="DLMS-WRAPPER", logical_address=logical, serial_number=5)
    assert (parameters.url().server, parameters.lower_address) == (server, None)
    assert parameters.url().framing == "wrapper"


def test_an_address_of_two_octets_needs_a_physical_part(tmp_path: Path) -> None:
    row = tables.DLMS | {"physical_address": 0, "address_size": 2}
    (fault,) = tables.configured(tmp_path, [row], [tables.DLMS_SIGNAL]).faults
    assert "physical" in fault.reason


@pytest.mark.parametrize(
    ("mode", "given", "url"),
    [
        ("DLMS", {}, "hdlc+serial:///dev/ttyUSB0?client=16&physical=17"),
        ("DLMS-HDLC", {}, "hdlc+serial:///dev/ttyUSB0?client=16&physical=17"),
        ("DLMS-HDLC", {"baudrate": 19200, "parity": "even", "databits": 7, "stopbits": 2},
            "hdlc+serial:///dev/ttyUSB0?client=16&physical=17&baud=19200&format=7E2"),
        ("DLMS-HDLC", {**TCP, "device": "", "baudrate": 300}, "hdlc+tcp://192.0.2.7?client=16&physical=17"),
        ("DLMS-WRAPPER", {**TCP, "device": ""}, "tcp://192.0.2.7?client=16"),
        # the sign-on is at 300 7E1 by itself; baudrate is what is gone on with
        ("IEC", {}, "hdlc+serial:///dev/ttyUSB0?client=16&physical=17&sign_on=iec21&data_baud=9600"),
        ("IEC", {"baudrate": 19200}, "hdlc+serial:///dev/ttyUSB0?client=16&physical=17&sign_on=iec21&data_baud=19200"),
        ("IEC", {"baudrate": 38400}, "hdlc+serial:///dev/ttyUSB0?client=16&physical=17&sign_on=iec21"),
    ],
)  # fmt: skip
def test_modes(mode: str, given: dict[str, Any], url: str) -> None:
    found = dlms(mode=mode, physical_address=17, **given).url()
    assert found == type(found).parse(url)
    assert found.line == (300, "7E1") or mode != "IEC"


def test_nine_data_bits_are_refused_with_their_reason_where_a_line_cannot_do_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="databits 9: /dev/ttyUSB0 carries 5 to 8"):
        dlms(databits=9).url()
    assert DlmsParameters(**TCP, databits=9).url().medium == "tcp"
    found = tables.configured(tmp_path, [tables.DLMS | {"databits": 9}], [tables.DLMS_SIGNAL])
    assert found.faults == ()
    assert any("will not be opened" in each for each in tables.told(found, "databits"))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({"baudrate": 300, "databits": 7, "parity": "even"}, "iec21+serial:///dev/ttyUSB0?mode=C&address=1"),
        ({"type": "A", "serialnumber": ""}, "iec21+serial:///dev/ttyUSB0?baud=9600&format=8N1&mode=A"),
        ({**TCP, "device": "", "type": "B", "serialnumber": "00012345"},
            "iec21+tcp://192.0.2.7:4059?mode=B&address=00012345"),
    ],
)  # fmt: skip
def test_iec21(given: dict[str, Any], url: str) -> None:
    found = Iec21Parameters(**{"device": "/dev/ttyUSB0", **given}).url()
    assert found == type(found).parse(url)


def test_elgama_speaks_two_protocols() -> None:
    line: dict[str, Any] = {"device": "/dev/ttyUSB0", "id": 2141421}
    gama = ElgamaParameters(**line, meter_model=2)
    assert str(gama.url()) == "hdlc+serial:///dev/ttyUSB0?client=1&physical=2421&information=128"
    assert gama.by_short_names
    assert gama.access().naming.value == "sn"
    entered = ElgamaParameters(**line, meter_model=3, password=Reference("OPERATOR"))
    assert (entered.url().client, entered.access().mechanism.name) == (32, "low")
    assert str(ElgamaParameters(**line, meter_model=0).url()) == (
        "elgama+serial:///dev/ttyUSB0?model=epqm&serial=2141421&experimental=yes"
    )
    assert not ElgamaParameters(**line, meter_model=1).by_short_names


def test_a_line_is_one_text_for_each_way_to_devices() -> None:
    assert dlms().line == "/dev/ttyUSB0"
    assert DlmsParameters(**TCP).line == "192.0.2.7:4059"
    assert LineParameters(**TCP).over_tcp
    assert not dlms().over_tcp


@pytest.mark.parametrize(
    ("given", "name", "naming"),
    [
        ({}, "none", "sn"),
        ({"type": "LN", "auth": "Low", "password": Reference("12345678")}, "low", "ln"),
        ({"auth": "High", "password": Reference("12345678")}, "manufacturer", "sn"),
        ({"auth": "HighSha256", "password": Reference("12345678"), "client_system_title": "434F530000000001"},
            "sha256", "sn"),
        ({"auth": "HighGmac", "encryption_key": Reference("00112233445566778899AABBCCDDEEFF"),
            "client_system_title": "434F530000000001"}, "gmac", "sn"),
    ],
)  # fmt: skip
def test_entry(given: dict[str, Any], name: str, naming: str) -> None:
    access = dlms(**given).access()
    assert (access.mechanism.name, access.naming.value) == (name, naming)


def test_high_is_the_function_that_the_peers_have() -> None:
    """AES-128 of FIPS 197, appendix B: its key, its input, its output."""
    from cosem.gateway.config.parameters import _aes

    key, block = "2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734"
    assert _aes(bytes.fromhex(block), bytes.fromhex(key)).hex() == "3925841d02dc09fbdc118597196a0b32"
