"""`cosem set` and `cosem act`: nothing without --write, the octets of a dry run, types, and reading back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cosem.cli import typed
from cosem.errors import ConfigurationError
from cosem.protocol.codec import axdr
from cosem.protocol.model import Clock, PushSetup, Register
from cosem.protocol.values.data import TAG_NAMES

Cosem = Callable[..., Any]
NOWHERE = "tcp://192.0.2.1"


# The octets are those of pydlms-set-request-normal and pydlms-action-request-normal in tests/vectors/apdu.jsonl.
@pytest.mark.parametrize(
    ("words", "octets", "kind"),
    [
        (("set", NOWHERE, "0.0.1.0.0.255:time_zone", "-60"), "C101C100080000010000FF030010FFC4", "long"),
        (("set", NOWHERE, "8/0.0.1.0.0.255/3", "--", "-60"), "C101C100080000010000FF030010FFC4", "long"),
        (("act", NOWHERE, "70/0.0.96.3.10.255/1"), "C301C10046000060030AFF01010F00", "integer"),
        (("act", NOWHERE, "0.0.96.3.10.255:remote_disconnect", "0"), "C301C10046000060030AFF01010F00", "integer"),
    ],
)
def test_without_write_the_octets_are_shown_and_nothing_is_sent(
    cosem: Cosem, words: tuple[str, ...], octets: str, kind: str
) -> None:
    ran = cosem(*words)
    assert ran.code == 64
    assert "nothing was sent; add --write" in ran.err
    assert f"value:   {kind} " in ran.out
    assert ran.out.splitlines()[-1].replace(" ", "") == f"request:{octets}"
    told = cosem(words[0], "--json", *words[1:])
    assert (told.json["request"], told.json["type"], told.json["sent"]) == (octets, kind, False)


def test_set_writes_and_reads_back(cosem: Cosem, served: Any) -> None:
    for number in (7, 5):
        ran = cosem("set", served.wrapper, "0.0.96.1.1.255", number, "--type", "long-unsigned", "--write")
        assert ran.code == 0, ran.err
        assert ran.out.splitlines()[-1] == f"now:     {number}"
    told = cosem("set", served.wrapper, "0.0.96.1.1.255", 5, "--type", "long-unsigned", "--write", "--json").json
    assert (told["sent"], told["read_back"]) == (True, 5)


def test_a_refused_write_ends_in_1(cosem: Cosem, served: Any) -> None:
    ran = cosem("set", served.wrapper, "1.8.0", 5, "--type", "double-long-unsigned", "--write")
    assert ran.code == 1
    assert "read-write-denied" in ran.err


def test_set_looks_the_class_up_where_the_catalogue_is_wrong(cosem: Cosem, served: Any) -> None:
    ran = cosem("set", served.wrapper, "2.8.0", 5, "--type", "long-unsigned", "--write")
    assert "the meter has 1.0.2.8.0.255 under class 1: once more" in ran.err
    assert ran.code == 1
    assert "read-write-denied" in ran.err


def test_act_runs_a_method(cosem: Cosem, served: Any) -> None:
    ran = cosem("act", served.wrapper, "1.0.99.1.0.255:capture", "--write")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "done"), ran.err
    assert cosem("act", served.wrapper, "1.0.99.1.0.255:capture", "--write", "--json").json["returned"] is None


def test_a_refused_method_ends_in_1(cosem: Cosem, served: Any) -> None:
    ran = cosem("act", served.wrapper, "0.0.96.3.10.255:1", "--write")
    assert ran.code == 1
    assert "action-result" in ran.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("set", NOWHERE, "1.8.0", "5"), "--type"),
        (("set", NOWHERE, "1.8.0", "5 kWh", "--type", "long-unsigned"), "raw value, without scaler and unit"),
        (("set", NOWHERE, "1.8.0", "70000", "--type", "long-unsigned"), "long-unsigned"),
        (("set", NOWHERE, "1.8.0", "5", "--type", "integer8"), "double-long-unsigned"),
        (("set", NOWHERE, "0.0.1.0.0.255:time", "noon"), "2024-02-29"),
        (("set", NOWHERE, "1.8.0"), "Missing argument"),
        (("act", NOWHERE, "1.8.0"), "names no method"),
        (("act", NOWHERE, "0.0.10.0.0.255:execute"), "takes long-unsigned"),
        (("act", NOWHERE, "1.8.0:restart"), "Register has no method 'restart'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    cosem: Cosem, words: tuple[str, ...], complaint: str
) -> None:
    ran = cosem(*words)
    assert ran.code == 64
    assert complaint in ran.err


# Written by hand from the tags of IEC 62056-5-3.
@pytest.mark.parametrize(
    ("type_name", "text", "octets"),
    [
        ("null-data", "", "00"),
        ("boolean", "true", "0301"),
        ("bit-string", "101", "0403A0"),
        ("double-long", "-1", "05FFFFFFFF"),
        ("double-long-unsigned", "0xFF", "06000000FF"),
        ("octet-string", "01 00-FF", "09030100FF"),
        ("octet-string", "text:AB", "09024142"),
        ("visible-string", "AB", "0A024142"),
        ("utf8-string", "é", "0C02C3A9"),
        ("bcd", "0x12", "0D12"),
        ("integer", "-128", "0F80"),
        ("long", "-60", "10FFC4"),
        ("unsigned", "255", "11FF"),
        ("long64", "-2", "14FFFFFFFFFFFFFFFE"),
        ("long64-unsigned", "1", "150000000000000001"),
        ("enum", "30", "161E"),
        ("float32", "1.5", "173FC00000"),
        ("float64", "1.5", "183FF8000000000000"),
        ("date-time", "2024-02-29 Thu 13:45:10.00 +01:00", "1907E8021D040D2D0A00FFC4FF"),
        ("date", "2024-02-29 Thu", "1A07E8021D04"),
        ("time", "13:45:10.50", "1B0D2D0A32"),
        ("array", '[{"unsigned": 1}, {"unsigned": 2}]', "010211011102"),
        ("structure", '[{"long-unsigned": 8}, {"array": []}]', "02021200080100"),
        ("axdr", "02 02 0F 00 16 1E", "02020F00161E"),
    ],
)
def test_every_type_by_name(type_name: str, text: str, octets: str) -> None:
    assert axdr.encode(typed.data_of(type_name, text)).hex().upper() == octets


def test_the_names_are_those_of_the_standard() -> None:
    with pytest.raises(ConfigurationError) as refused:
        typed.data_of("int", "1")
    listed = {"bit-string", *str(refused.value).rpartition("one of ")[2].split(", ")}
    assert set(TAG_NAMES.values()) - listed == {"compact-array", "dont-care"}


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("boolean", "maybe"),
        ("unsigned", "256"),
        ("unsigned", "1.5"),
        ("octet-string", "0G"),
        ("octet-string", "123"),
        ("bit-string", "012"),
        ("visible-string", "\u20ac"),
        ("float32", "much"),
        ("date", "2024-13-01"),
        ("array", "1, 2"),
        ("array", "{}"),
        ("array", "[1]"),
        ("array", "[" * 100_000),
        ("axdr", "0201"),
        ("null-data", "0"),
    ],
)
def test_what_does_not_fit_is_refused(type_name: str, text: str) -> None:
    with pytest.raises(ConfigurationError):
        typed.data_of(type_name, text)


@pytest.mark.parametrize(
    ("attribute", "text", "octets"),
    [
        (Register("1.0.1.8.0.255").scaler_unit, '[-1, "watt-hour"]', "02020FFF161E"),
        (Register("1.0.1.8.0.255").scaler_unit, '{"unit": 30, "scaler": -1}', "02020FFF161E"),
        (Clock().daylight_savings_enabled, "on", "0301"),
        (Clock().clock_base, "1", "1601"),
        (Clock().time, "2024-02-29 Thu 13:45:10.00 +01:00 [ok]", "090C07E8021D040D2D0A00FFC400"),
        (Register("1.0.1.8.0.255").logical_name, "1-0:1.8.0", "09060100010800FF"),
        (PushSetup("0.0.25.9.0.255").number_of_retries, "3", "1103"),
    ],
)
def test_a_declared_type_is_taken(attribute: Any, text: str, octets: str) -> None:
    assert axdr.encode(attribute.encode(typed.value_of(attribute.shape, text))).hex().upper() == octets


def test_a_negative_number_is_not_taken_for_octets(cosem: Callable[..., Any]) -> None:
    ran = cosem("set", "tcp://192.0.2.7", "0.0.96.1.0.255", "-42", "--type", "octet-string")
    assert ran.code == 64
    assert "'-42' is not hexadecimal" in ran.err
