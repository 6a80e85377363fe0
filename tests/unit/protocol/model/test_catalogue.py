"""The catalogue names the usual codes, and every other code at least by itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.errors import ConfigurationError
from cosem.protocol.model import Clock, parse_reference
from cosem.protocol.model.catalogue import (
    Entry,
    Scope,
    explain,
    lookup,
    patterns,
    resolve,
    resolve_method,
    resolve_object,
    search,
)
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.units import Unit

KNOWN: list[tuple[str, str, int, Unit | None]] = [
    # Electricity: quantity, phase, processing, tariff, billing period
    ("1-0:1.8.0*255", "Active energy import", 3, Unit.WATT_HOUR),
    ("1-0:1.8.1*255", "Active energy import, rate 1", 3, Unit.WATT_HOUR),
    ("1-0:2.8.0*255", "Active energy export", 3, Unit.WATT_HOUR),
    ("1-0:3.8.0*255", "Reactive energy import", 3, Unit.VAR_HOUR),
    ("1-0:9.8.0*255", "Apparent energy import", 3, Unit.VOLT_AMPERE_HOUR),
    ("1-0:1.8.0*7", "Active energy import, billing period 7", 3, Unit.WATT_HOUR),
    ("1-0:1.8.2*101", "Active energy import, rate 2, last billing period", 3, Unit.WATT_HOUR),
    ("1-0:1.7.0*255", "Active power import", 3, Unit.WATT),
    ("1-0:41.7.0*255", "Active power import L2", 3, Unit.WATT),
    ("1-0:16.7.0*255", "Active power net", 3, Unit.WATT),
    ("1-0:32.7.0*255", "Voltage L1", 3, Unit.VOLT),
    ("1-0:52.7.0*255", "Voltage L2", 3, Unit.VOLT),
    ("1-0:72.7.0*255", "Voltage L3", 3, Unit.VOLT),
    ("1-0:31.7.0*255", "Current L1", 3, Unit.AMPERE),
    ("1-0:71.7.0*255", "Current L3", 3, Unit.AMPERE),
    ("1-0:91.7.0*255", "Neutral current", 3, Unit.AMPERE),
    ("1-0:13.7.0*255", "Power factor", 3, Unit.NO_UNIT),
    ("1-0:14.7.0*255", "Frequency", 3, Unit.HERTZ),
    ("1-0:1.6.0*255", "Active power import, maximum", 4, Unit.WATT),
    ("1-0:1.6.1*255", "Active power import, maximum, rate 1", 4, Unit.WATT),
    ("1-0:1.4.0*255", "Active power import, current average", 5, Unit.WATT),
    ("1-0:32.32.0*255", "Voltage L1, number of times below the limit", 1, Unit.NO_UNIT),
    ("1-0:32.7.3*255", "Voltage L1, harmonic 3", 3, Unit.VOLT),
    ("1-0:31.7.124*255", "Current L1, total harmonic distortion", 3, Unit.PERCENT),
    ("1-1:1.8.0*255", "Active energy import, channel 1", 3, Unit.WATT_HOUR),
    ("1-0:0.0.0*255", "Electricity ID 1", 1, None),
    ("1-0:0.4.2*255", "Current transformer ratio, numerator", 1, None),
    ("1-0:99.1.0*255", "Load profile 1", 7, None),
    ("1-0:99.2.0*255", "Load profile 2", 7, None),
    ("1-0:99.97.0*255", "Power failure event log", 7, None),
    ("1-0:98.1.0*255", "Data of billing period", 7, None),
    # Abstract
    ("0-0:1.0.0*255", "Clock", 8, None),
    ("0-0:42.0.0*255", "COSEM logical device name", 1, None),
    ("0-0:41.0.0*255", "SAP assignment", 17, None),
    ("0-0:40.0.0*255", "Current association", 15, None),
    ("0-0:40.0.2*255", "Association 2", 15, None),
    ("0-0:43.0.0*255", "Security setup", 64, None),
    ("0-0:43.1.3*255", "Invocation counter 3", 1, None),
    ("0-0:44.0.0*255", "Image transfer", 18, None),
    ("0-0:96.1.0*255", "Device ID 1, manufacturing number", 1, None),
    ("0-1:96.1.0*255", "Device ID 1, manufacturing number, channel 1", 1, None),
    ("0-0:96.14.0*255", "Currently active tariff", 1, None),
    ("0-0:96.7.21*255", "Number of power failures in any phase", 1, None),
    ("0-0:96.3.10*255", "Disconnect control", 70, None),
    ("0-1:24.2.1*255", "M-Bus value 1, channel 1", 4, None),
    ("0-1:24.1.0*255", "M-Bus client, channel 1", 72, None),
    ("0-0:99.98.0*255", "Event log 1", 7, None),
    ("0-0:97.97.0*255", "Error register 1", 1, None),
    ("0-0:97.98.0*255", "Alarm register 1", 1, None),
    ("0-0:97.98.10*255", "Alarm filter 1", 1, None),
    ("0-0:25.9.0*255", "Push setup", 40, None),
    ("0-0:13.0.0*255", "Activity calendar", 20, None),
    ("0-0:11.0.0*255", "Special days table", 11, None),
    ("0-0:10.0.100*255", "Tariffication script table", 9, None),
    ("0-0:15.0.0*255", "End of billing period schedule", 22, None),
    ("0-0:17.0.0*255", "Limiter", 71, None),
    # Service entries of a medium
    ("1-0:96.1.0*255", "Electricity metering point ID 1", 1, None),
    ("1-1:96.5.1*255", "Internal operating status, channel 1", 1, None),
    ("1-0:12.8.0*255", "Voltage, time integral", 3, None),
    ("1-0:1.8.0*102", "Active energy import, 2nd last billing period", 3, Unit.WATT_HOUR),
    ("1-0:1.6.0*126", "Active power import, maximum, some last billing periods", 7, Unit.WATT),
    ("1-0:98.1.0*103", "Data of billing period, last 3 billing periods", 7, None),
    ("1-0:11.35.0*0", "Current, upper limit, threshold 1", 3, Unit.AMPERE),
    ("1-0:1.4.0*0", "Active power import, current average, monitor 1", 21, Unit.WATT),
    ("1-0:32.32.14*255", "Voltage L1, dips by 15 to 30 % for 3 to 20 s", 1, Unit.NO_UNIT),
    ("1-0:124.7.0*255", "Voltage L1-L2", 3, Unit.VOLT),
    ("1-0:102.8.0*255", "Inductive reactive energy L2", 3, Unit.VAR_HOUR),
    # Angles as the public lists of German meters have them: 81.7.15 is I(L2) to U(L2)
    ("1-0:81.7.1*255", "Angle of U(L2) to U(L1)", 3, Unit.DEGREE),
    ("1-0:81.7.15*255", "Angle of I(L2) to U(L2)", 3, Unit.DEGREE),
    ("1-0:83.8.9*255", "Active losses", 3, Unit.WATT_HOUR),
    ("1-0:83.6.68*255", "Reactive losses L2, maximum", 4, Unit.VAR),
    ("0-0:65.33.2*255", "Utility pending standard table 1*128+2", 26, None),
    # Other media
    ("4-0:0.4.1*255", "Thermal output rating factor KQ", 1, None),
    ("6-0:10.4.255*1", "Heat flow temperature, minimum 1, billing period 1", 4, Unit.DEGREE_CELSIUS),
    ("7-0:13.2.0*255", "Gas forward absolute converter volume, at base conditions", 3, Unit.CUBIC_METRE),
    ("7-0:52.0.16*255", "Gas conversion factor, average, last averaging period 3", 3, Unit.NO_UNIT),
    ("7-0:70.66.0*255", "Gas analysis, carbon dioxide", 3, None),
    ("7-0:0.12.66*255", "Gas carbon dioxide, for conversion", 3, None),
    # The examples of the standard for profiles that are named by what they capture
    (
        "7-0:99.11.17*255",
        "Gas profile of forward undisturbed converter volume, "
        "difference, last measurement period 2, at base conditions",
        7,
        None,
    ),
    (
        "7-0:99.41.43*255",
        "Gas profile of absolute temperature, average, last process interval 2, at base conditions",
        7,
        None,
    ),
    ("7-0:3.0.0*255", "Gas forward absolute meter volume", 3, Unit.CUBIC_METRE),
    ("6-0:1.0.0*255", "Heat energy", 3, None),
    ("6-0:8.0.0*255", "Heat power", 3, Unit.WATT),
    ("5-0:1.0.0*255", "Cooling energy", 3, None),
    ("6-0:10.0.0*255", "Heat flow temperature", 3, Unit.DEGREE_CELSIUS),
    ("8-0:1.0.0*255", "Cold water volume", 3, Unit.CUBIC_METRE),
    ("9-0:1.0.0*255", "Hot water volume", 3, Unit.CUBIC_METRE),
    ("4-0:2.0.0*255", "Heat cost rated integral", 3, Unit.NO_UNIT),
]


@pytest.mark.parametrize(("code", "name", "class_id", "unit"), KNOWN)
def test_known_codes(code: str, name: str, class_id: int, unit: Unit | None) -> None:
    assert lookup(code) == Entry(name, class_id, unit)
    assert lookup(Obis(code)) == lookup(code)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("1.0.200.8.0.255", "Electricity object 1.0.200.8.0.255"),
        ("1.0.1.99.0.255", "Electricity object 1.0.1.99.0.255"),
        ("1.0.93.8.0.255", "Electricity consortia-specific object 1.0.93.8.0.255"),
        ("1.65.1.8.0.255", "Electricity utility-specific object 1.65.1.8.0.255"),
        ("7.1.96.50.3.255", "Gas manufacturer-specific object 7.1.96.50.3.255"),
        ("0.0.94.31.4.255", "Country-specific object 31.4, Netherlands"),
        ("0.1.94.50.4.255", "Country-specific object 50.4, channel 1"),
        ("0.0.2.1.7.255", "Abstract object 0.0.2.1.7.255"),
        ("77.0.1.2.3.255", "Medium 77 object 77.0.1.2.3.255"),
        ("1.1.128.0.5.255", "Electricity manufacturer-specific object 1.1.128.0.5.255"),
    ],
)
def test_unknown_codes_have_a_generic_name(code: str, name: str) -> None:
    entry = lookup(code)
    assert entry.name == name
    assert not entry.known


def test_the_class_of_an_unknown_code_is_a_guess_by_the_value_groups() -> None:
    assert lookup("1.0.1.128.0.255").class_id == 3
    assert lookup("1.0.0.128.0.255").class_id == 1
    assert lookup("1.0.128.0.0.255").class_id == 1
    assert lookup("0.0.2.1.7.255").class_id == 1


@given(st.binary(min_size=6, max_size=6))
def test_no_code_fails(octets: bytes) -> None:
    entry = lookup(octets)
    assert entry.name
    assert "{" not in entry.name
    assert 0 < entry.class_id < 200


@pytest.mark.parametrize(
    ("code", "scope"),
    [
        ("1.0.1.8.0.255", Scope.STANDARD),
        ("1.65.1.8.0.255", Scope.UTILITY),
        ("1.127.1.8.0.255", Scope.UTILITY),
        ("1.128.1.8.0.255", Scope.MANUFACTURER),
        ("1.199.1.8.0.255", Scope.MANUFACTURER),
        ("1.200.1.8.0.255", Scope.RESERVED),
        ("1.0.128.8.0.255", Scope.MANUFACTURER),
        ("1.0.200.8.0.255", Scope.RESERVED),
        ("1.0.240.8.0.255", Scope.MANUFACTURER),
        ("1.0.1.127.0.255", Scope.RESERVED),
        ("1.0.1.128.0.255", Scope.MANUFACTURER),
        ("1.0.1.8.254.255", Scope.MANUFACTURER),
        ("1.0.1.8.0.254", Scope.MANUFACTURER),
        ("0.0.94.49.130.255", Scope.COUNTRY),
        ("0.0.93.1.0.255", Scope.CONSORTIUM),
        ("0.0.96.49.0.255", Scope.RESERVED),
        ("0.0.96.99.0.0", Scope.MANUFACTURER),
        ("3.0.1.8.0.255", Scope.RESERVED),
    ],
)
def test_who_gives_a_code_its_meaning(code: str, scope: Scope) -> None:
    assert lookup(code).scope is scope


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("1-0:1.8.2*255", ("Electricity", "no channel", "Active energy import", "time integral", "rate 2", "current")),
        (
            "1-3:1.6.0*101",
            ("Electricity", "channel 3", "Active power import", "maximum", "total", "last billing period"),
        ),
        ("0-0:1.0.0*255", ("Abstract", "no channel", "clocks", "", "Clock", "")),
        ("0-0:94.31.4*255", ("Abstract", "no channel", "country-specific", "Netherlands", "", "")),
        ("1-65:1.8.0*255", ("Electricity", "utility-specific", "", "", "", "")),
        ("77-0:1.8.0*255", ("Medium 77", "no channel", "", "", "", "")),
        (
            "7-0:99.43.19*255",
            (
                "Gas",
                "no channel",
                "data profiles",
                "Gas flow rate",
                "last average, averaging period 1, at metering conditions",
                "current",
            ),
        ),
        ("1-0:96.11.4*255", ("Electricity", "no channel", "general and service entries", "", "Event code 5", "")),
    ],
)
def test_what_each_value_group_says(code: str, words: tuple[str, ...]) -> None:
    explained = explain(code)
    assert tuple(meaning.words for meaning in explained.groups) == words
    assert bytes(meaning.value for meaning in explained.groups) == Obis(code).octets
    assert explained.entry == lookup(code)


@given(st.binary(min_size=6, max_size=6))
def test_no_code_fails_to_be_explained(octets: bytes) -> None:
    assert [meaning.group for meaning in explain(octets).groups] == list("ABCDEF")


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("reactive import tariff 2", "1.0.3.8.2.255"),
        ("reactve impot tarif 2", "1.0.3.8.2.255"),
        ("import t1 active", "1.0.1.8.1.255"),
        ("total active energy", "1.0.1.8.0.255"),
        ("Voltage L1", "1.0.32.7.0.255"),
        ("max demand", "1.0.1.6.0.255"),
        ("active import rate 1 billing period 3", "1.0.1.8.1.3"),
        ("active export channel 2", "1.2.2.8.0.255"),
        ("power factor", "1.0.13.7.0.255"),
        ("clock", "0.0.1.0.0.255"),
        ("serial number", "0.0.96.1.0.255"),
        ("event log 2", "0.0.99.98.1.255"),
        ("association 3", "0.0.40.0.3.255"),
        ("power failures l2", "0.0.96.7.2.255"),
        ("thd current l1", "1.0.31.7.124.255"),
        ("hot water", "9.0.1.0.0.255"),
        ("gas analysis methane", "7.0.70.67.0.255"),
        ("disconnect", "0.0.96.3.10.255"),
    ],
)
def test_codes_are_found_by_words(words: str, first: str) -> None:
    found = search(words)
    assert str(found[0].obis) == first
    assert all(each.entry == lookup(each.obis) for each in found)


def test_a_search_ends() -> None:
    assert search("xyzzy") == ()
    assert len(search("energy", limit=3)) == 3
    assert search("1 " * 10_000, limit=1)
    for nothing in ("", " ", "the of"):
        with pytest.raises(ConfigurationError, match="nothing to look for"):
            search(nothing)


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=40))
def test_no_words_fail(words: str) -> None:
    try:
        found = search(words, limit=2)
    except ConfigurationError:
        return
    assert len(found) <= 2


def test_patterns_name_what_lookup_names() -> None:
    """Every pattern is named as its first code is, but for billing period, channel and the range of a number."""
    total = 0
    for named in patterns("0-9.0.*.*.0-3.*"):
        total += 1
        entry = lookup(named.pattern.first)
        periods = named.pattern.values("F")
        assert entry.known, named
        if periods == "255":
            assert (entry.class_id, entry.unit) == (named.class_id, named.unit), named
        if "…." not in named.name:  # what remains of a group, past those with names of their own
            assert entry.name.split(",")[0].split()[0] == named.name.split(",")[0].split()[0], named
    assert total > 9000


def test_patterns_within_another() -> None:
    within = list(patterns("1-0:1-2.8.0-4"))
    assert [(str(each.pattern), each.name, each.class_id, each.unit) for each in within] == [
        ("1.0.1.8.0.255", "Active energy import", 3, Unit.WATT_HOUR),
        ("1.0.1.8.1-4.255", "Active energy import, rate 1…4", 3, Unit.WATT_HOUR),
        ("1.0.2.8.0.255", "Active energy export", 3, Unit.WATT_HOUR),
        ("1.0.2.8.1-4.255", "Active energy export, rate 1…4", 3, Unit.WATT_HOUR),
    ]
    assert [(str(each.pattern), each.name) for each in patterns("0.0.96.1.*.255")] == [
        ("0.0.96.1.0.255", "Device ID 1, manufacturing number"),
        ("0.0.96.1.1-9.255", "Device ID 2…10"),
        ("0.0.96.1.10.255", "Metering point ID"),
        ("0.0.96.1.255.255", "Complete device ID"),
    ]
    assert list(patterns(ObisPattern("3.*.*.*.*.*"))) == []
    with pytest.raises(ConfigurationError, match="no OBIS pattern"):
        list(patterns("active"))


def test_resolving_takes_the_class_from_the_reference_the_meter_or_the_catalogue() -> None:
    assert str(resolve(parse_reference("1.8.0"))) == "3/1.0.1.8.0.255/2"
    assert str(resolve(parse_reference("1.8.0:scaler_unit"))) == "3/1.0.1.8.0.255/3"
    assert str(resolve(parse_reference("1.8.0"), class_id=4, version=0)) == "4/1.0.1.8.0.255/2"
    assert str(resolve(parse_reference("1/1.8.0"), class_id=4)) == "1/1.0.1.8.0.255/2"
    assert str(resolve(parse_reference("8192/1.8.0/7"))) == "8192/1.0.1.8.0.255/7"
    assert resolve(parse_reference("0.0.1.0.0.255")) == Clock().time
    assert resolve_object(parse_reference("0.0.1.0.0.255")) == Clock()
    with pytest.raises(ConfigurationError, match="Register has no attribute 'status'"):
        resolve(parse_reference("1.8.0:status"))


def test_resolving_methods() -> None:
    assert resolve_method(parse_reference("0.0.1.0.0.255:shift_time")) == Clock().shift_time
    assert resolve_method(parse_reference("8/0.0.1.0.0.255/6")) == Clock().shift_time
    with pytest.raises(ConfigurationError, match="names no method"):
        resolve_method(parse_reference("1.8.0"))
