"""Every parameter of the three drivers against the list that was asked for: names, defaults, words, bounds ± 1."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_tables as tables
from cosem.gateway.config import Configuration, Place, read
from cosem.gateway.config.columns import DEVICES, SIGNALS
from cosem.gateway.config.finding import DriverName
from cosem.gateway.config.reference import Reference
from cosem.gateway.value import NumberType

ASKED = tomllib.loads((Path(__file__).parents[3] / "vectors" / "gateway_parameters.toml").read_text("utf-8"))
SECTIONS = ("devices", "signals")


def parameters(*, of: str | None = None) -> Iterator[Any]:
    """Give driver, section, name and what is asked of it; those that have a key, where one is named."""
    for driver, sections in ASKED.items():
        for section in SECTIONS:
            for name, facts in sections[section].items():
                if of is None or of in facts:
                    yield pytest.param(driver, section, name, facts, id=f"{driver}-{section}-{name}")


def cases(kind: str) -> Iterator[Any]:
    """Give one value of a kind each, and whether it is taken."""
    for driver, section, name, facts in (each.values for each in parameters(of=kind)):
        if kind == "range":
            low, high = facts["range"]
            values = [(low - 1, False), (low, True), (high, True), (high + 1, False)]
        elif kind == "least":
            values = [(facts["least"] - 1, False), (facts["least"], True), (facts["least"] + 1, True)]
        elif kind == "numbers":
            values = [(each + step, step == 0) for each in facts["numbers"] for step in (-1, 0, 1)]
        elif kind == "words":
            values = [(form(each), True) for each in facts["words"] for form in (str, str.lower, str.upper)]
            values += [("no such word", False), (facts["words"][0] + "x", False)]
        else:
            values = [(each, False) for each in facts["refused"]]
        for value, taken in values:
            yield pytest.param(driver, section, name, value, taken, id=f"{driver}-{section}-{name}-{value}")


def row(driver: str, section: str) -> dict[str, Any]:
    """Return a row with what is required and has no default, and the serial port that most devices are at."""
    found = {name: facts["example"] for name, facts in ASKED[driver][section].items() if "example" in facts}
    if section == "devices":
        found["device"] = "/dev/ttyUSB0"
    return found


def made(folder: Path, driver: str, section: str, changes: dict[str, Any]) -> Configuration:
    rows = {each: row(driver, each) for each in SECTIONS}
    rows[section] = {name: value for name, value in (rows[section] | changes).items() if value is not None}
    changes = {name: str(value) for name, value in changes.items() if value is not None}
    if changes.get("auth", "none").lower() not in ("none", "no such word", "nonex"):
        rows["devices"] |= {"password": "a password"}
    if changes.get("auth", "").lower() in ("highgmac", "highecdsa"):
        rows["devices"] |= keys(folder)
    if {"ip", "port"} & changes.keys() or changes.get("mode", "").upper() == "DLMS-WRAPPER":
        rows["devices"] = {"ip": "192.0.2.7", "port": 4059, **rows["devices"]}
    if changes.get("meter_model") in ("0", "1"):  # which have other data sets
        rows["signals"] |= {"job_todo": "clock", "tag_job_todo": "local time"}
    return tables.configured(folder, [rows["devices"]], [rows["signals"]])


def keys(folder: Path) -> dict[str, str]:
    """Return what HighGmac and HighEcdsa need besides; the keys are of no meter."""
    from cryptography.hazmat.primitives.asymmetric import ec

    own, peer = (ec.derive_private_key(number, ec.SECP256R1()) for number in (11, 12))
    point = peer.public_key().public_numbers()
    return {
        "encryption_key": "00112233445566778899AABBCCDDEEFF",
        "signing_key": own.private_numbers().private_value.to_bytes(32, "big").hex(),
        "peer_signing_key": (point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")).hex(),
    }


def value_of(configuration: Configuration, section: str, name: str) -> Any:
    """Return what a parameter came to."""
    if section == "devices":
        device = configuration.devices[0]
        own = {"name": device.name, "description": device.description, "enable": device.enabled}
        own |= {"device_alias": device.alias, "protocol": device.driver.value}
        return own[name] if name in own else getattr(device.parameters, name)
    signal = configuration.signals[0]
    renamed = {"signal_name": "name", "device_alias": "device", "signal_alias": "alias", "enable": "enabled"}
    if name == "short_name":
        return signal.job.short_name
    return getattr(signal, renamed.get(name, name))


@pytest.mark.parametrize(("driver", "section", "name", "facts"), list(parameters()))
def test_there_is_the_parameter_under_its_name(driver: str, section: str, name: str, facts: dict[str, Any]) -> None:
    table = (DEVICES if section == "devices" else SIGNALS)[DriverName(driver)]
    columns = {each.name: each for each in table}
    assert not columns[name].beyond
    assert columns[name].meaning or columns[name].beyond
    assert columns[name].required == facts.get("required", False)


def test_all_other_parameters_are_said_to_be_ours() -> None:
    for section, all_tables in zip(SECTIONS, (DEVICES, SIGNALS), strict=True):
        for driver, table in all_tables.items():
            original = {each.name for each in table if not each.beyond}
            asked = set(ASKED[driver.value][section])
            # The table of Elgama in the request says "as above" and names no log.
            assert original - {"log"} == asked - {"log"}, (driver, section)


@pytest.mark.parametrize(("driver", "section", "name", "facts"), list(parameters(of="default")))
def test_an_empty_cell_is_the_default(
    driver: str, section: str, name: str, facts: dict[str, Any], tmp_path: Path
) -> None:
    if name == "device":
        found = made(tmp_path, driver, section, {name: None})
        assert tables.faults(found) == [("Devices", 1, "device")], "without ip and port there must be one"
        return
    found = made(tmp_path, driver, section, {name: None})
    assert found.faults == ()
    expected = None if facts["default"] == "nothing" else facts["default"]
    assert value_of(found, section, name) == expected
    noticed = [each for each in tables.told(found, name) if "was taken" in each]
    assert len(noticed) == facts.get("required", False), "a required one that is left out is said"


@pytest.mark.parametrize(("driver", "section", "name", "facts"), list(parameters(of="required")))
def test_a_required_cell_without_a_default_must_not_be_empty(
    driver: str, section: str, name: str, facts: dict[str, Any], tmp_path: Path
) -> None:
    if "default" in facts:
        return
    found = made(tmp_path, driver, section, {name: None})
    assert (section.capitalize(), 1, name) in tables.faults(found)
    fault = next(each for each in found.faults if each.place.column == name)
    assert "required" in fault.reason
    assert fault.allowed


@pytest.mark.parametrize(
    ("driver", "section", "name", "value", "taken"),
    [case for kind in ("range", "least", "numbers", "words", "refused") for case in cases(kind)],
)
def test_what_is_taken_and_what_is_not(
    driver: str, section: str, name: str, value: Any, taken: bool, tmp_path: Path
) -> None:
    found = made(tmp_path, driver, section, {name: value})
    at_fault = [each for each in found.faults if (each.place.sheet, each.place.column) == (section.capitalize(), name)]
    if taken:
        assert at_fault == []
        assert found.faults == ()
        got = value_of(found, section, name)
        got = got.value if isinstance(got, NumberType) else got
        assert str(got).lower() == str(value).lower() or (isinstance(got, bool) and int(got) == value)
        assert isinstance(got, str) or got == int(value)
    else:
        (fault,) = at_fault
        assert fault.place == Place(section.capitalize(), 1, name, str(value))
        assert fault.reason
        assert fault.allowed or name in ("job_todo", "tag_job_todo")
        if name != "protocol":
            assert DriverName(driver) in fault.stops
            assert found.devices == ()


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_word_in_capital_and_in_small_letters_is_kept_as_the_table_has_it(size: int, tmp_path: Path) -> None:
    found = made(tmp_path, "DLMS", "devices", {"auth": "highMD5", "mode": "dlms-hdlc", "parity": "EVEN", "type": "ln"})
    parameters = found.devices[0].parameters
    assert (parameters.auth, parameters.mode, parameters.parity, parameters.type) == (  # type: ignore[union-attr]
        *("HighMd5", "DLMS-HDLC", "even", "LN"),
    )


@pytest.mark.parametrize(("text", "number"), [("11", 0x11), ("0x11", 0x11), ("7e", 0x7E), ("1", 1), ("11.0", 0x11)])
def test_the_client_address_is_hexadecimal_and_its_decimal_value_is_told(
    text: str, number: int, tmp_path: Path
) -> None:
    found = made(tmp_path, "DLMS", "devices", {"client_address": text})
    assert value_of(found, "devices", "client_address") == number
    assert any(f"decimal {number}" in each for each in tables.told(found, "client_address"))


@pytest.mark.parametrize("text", ["16", "17", "32", "48", "64", "102"])
def test_a_client_address_that_looks_like_a_decimal_one_is_warned_of(text: str, tmp_path: Path) -> None:
    tcp = {"ip": "192.0.2.7", "port": 4059, "mode": "DLMS-WRAPPER"}
    found = made(tmp_path, "DLMS", "devices", {"client_address": text, **tcp})
    assert found.faults == ()
    (warning,) = [each for each in found.warnings if each.place.column == "client_address"]
    assert f"write {int(text):X}" in warning.text
    assert value_of(found, "devices", "client_address") == int(text, 16)


@pytest.mark.parametrize("text", ["10", "11", "15", "18", "20", "1F", "0x16", "33", "65", "7E"])
def test_other_client_addresses_are_not_warned_of(text: str, tmp_path: Path) -> None:
    found = made(tmp_path, "DLMS", "devices", {"client_address": text})
    assert [each for each in found.warnings if each.place.column == "client_address"] == []


@pytest.mark.parametrize(
    ("text", "mode", "taken"),
    [
        ("0", "DLMS", False),
        ("7E", "DLMS", True),
        ("7F", "DLMS", False),
        ("7F", "DLMS-WRAPPER", True),
        ("FFFF", "DLMS-WRAPPER", True),
        ("10000", "DLMS-WRAPPER", False),
        ("G1", "DLMS", False),
        ("-1", "DLMS", False),
    ],
)
def test_bounds_of_the_client_address(text: str, mode: str, taken: bool, tmp_path: Path) -> None:
    found = made(tmp_path, "DLMS", "devices", {"client_address": text, "mode": mode})
    assert ([each.place.column for each in found.faults] == ["client_address"]) is not taken
    assert bool(found.devices) is taken


def test_client_address_102_over_hdlc_names_what_was_likely_meant(tmp_path: Path) -> None:
    found = made(tmp_path, "DLMS", "devices", {"client_address": "102"})
    (fault,) = found.faults
    assert "write 66" in fault.reason


@pytest.mark.parametrize("auth", ["Low", "High", "HighMd5", "HighSha1", "HighSha256", "HighGmac", "HighEcdsa"])
def test_a_password_is_required_unless_auth_is_none(auth: str, tmp_path: Path) -> None:
    found = tables.configured(tmp_path, [tables.DLMS | {"auth": auth}], [tables.DLMS_SIGNAL])
    assert ("Devices", 1, "password") in tables.faults(found)
    assert tables.configured(tmp_path, [tables.DLMS | {"auth": "None"}], [tables.DLMS_SIGNAL]).faults == ()


@pytest.mark.parametrize(("auth", "weak"), [("HighMd5", "MD5"), ("HighSha1", "SHA-1"), ("HighSha256", "")])
def test_a_row_that_names_a_weak_mechanism_consents_to_it_and_the_check_says_so(
    auth: str, weak: str, tmp_path: Path
) -> None:
    found = made(tmp_path, "DLMS", "devices", {"auth": auth})
    said = [each.text for each in found.warnings if each.place.column == "auth"]
    assert len(said) == bool(weak)
    assert all("consents" in each and weak in each for each in said)
    parameters = found.devices[0].parameters
    assert len(parameters.permitted) == bool(weak)  # type: ignore[union-attr]
    assert parameters.access().mechanism.name == auth.removeprefix("High").lower()  # type: ignore[union-attr]


def test_a_password_is_kept_by_reference_and_shown_nowhere(tmp_path: Path) -> None:
    found = made(tmp_path, "DLMS", "devices", {"auth": "Low", "password": "hunter2hunter2"})
    assert isinstance(found.devices[0].parameters.password, Reference)  # type: ignore[union-attr]
    assert "hunter2" not in repr(found)
    assert "hunter2" not in str([each.plain() for each in found.notices])


def test_its_cl_is_refused_with_its_reason(tmp_path: Path) -> None:
    (fault,) = made(tmp_path, "Elgama", "devices", {"meter_model": 4}).faults
    assert "nothing is public" in fault.reason
    (fault,) = made(tmp_path, "Elgama", "devices", {"meter_model": 5}).faults
    assert "out of bounds" in fault.reason


@pytest.mark.parametrize("model", [0, 1])
def test_naming_an_experimental_model_is_the_consent_to_it(model: int, tmp_path: Path) -> None:
    signal = {"job_todo": "clock", "tag_job_todo": "local time", "number_type": "TIME"}
    rows = [tables.ELGAMA | {"meter_model": model}], [tables.ELGAMA_SIGNAL | signal]
    found = tables.configured(tmp_path, *rows)
    assert found.faults == ()
    assert any("consents" in each.text for each in found.warnings if each.place.column == "meter_model")
    assert found.devices[0].parameters.url().experimental == "yes"


def test_a_whole_table_without_optional_columns_passes_its_check(tmp_path: Path) -> None:
    found = tables.configured(tmp_path)
    assert found.faults == ()
    assert [each.alias for each in found.devices] == ["meter1", "local1", "gama1"]
    assert [each.alias for each in found.signals] == ["meter1.energy", "local1.energy", "gama1.energy"]
    assert read(tmp_path / "gateway.json") == found
