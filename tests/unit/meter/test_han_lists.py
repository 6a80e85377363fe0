"""What a customer port says, held against what meters have sent: forms, types, frames, and when each list comes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem import Meter, Register, Unit
from cosem.errors import ConfigurationError
from cosem.meter.demo import household
from cosem.meter.han_lists import ListSpeaker, body_of, lists_of, notification, time_octets
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.model.companion import companion
from cosem.protocol.model.han import HeadTime
from cosem.protocol.values.data import OctetString, Structure
from cosem.protocol.values.obis import Obis

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).resolve().parents[2] / "vectors/pushes.jsonl").read_text("utf-8").splitlines()
]
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def meter(phases: int = 3) -> Meter:
    """A meter with every quantity that a list may tell."""
    made = Meter("KFM1020012345678", clock=lambda: NOON)
    units = {7: (Unit.WATT, Unit.VAR), 8: (Unit.WATT_HOUR, Unit.VAR_HOUR)}
    for d, (active, reactive) in units.items():
        for c in (1, 2, 3, 4):
            for rate in (0, 1, 2):
                unit = active if c < 3 else reactive
                made.add(Register(Obis.of(1, 0, c, d, rate)), value=1000 * c + d + rate, scaler_unit=(0, unit))
    for phase in range(phases):
        made.add(Register(Obis.of(1, 0, 31 + 20 * phase, 7, 0)), value=1234 + phase, scaler_unit=(-2, Unit.AMPERE))
        made.add(Register(Obis.of(1, 0, 32 + 20 * phase, 7, 0)), value=2305 + phase, scaler_unit=(-1, Unit.VOLT))
    return made


def captured(list_name: str, country: str) -> list[Any]:
    """The bodies that meters of a list have sent."""
    found = [each for each in VECTORS if (each["list"], each["companion"]) == (list_name, country)]
    told = [apdus.decode(bytes.fromhex(each["octets"])) for each in found]
    return [each.body for each in told if isinstance(each, DataNotification)]


def kinds(body: Any) -> list[str]:
    """The types of the values of a body, one within the other."""
    return [f"{type(each).__name__}{kinds(each) if isinstance(each, tuple) else ''}" for each in body]


def named(body: Any) -> dict[str, str]:
    """The types behind the names of a body, with scaler and unit where it tells them."""
    found: dict[str, str] = {}
    flat = list(body)
    for at, each in enumerate(flat):
        if isinstance(each, tuple) and each and isinstance(each[0], OctetString) and len(each[0]) == 6:
            found[str(Obis(bytes(each[0])))] = f"{kinds(each[1:])} {each[2] if len(each) > 2 else ''}"
        elif isinstance(each, OctetString) and len(each) == 6 and at + 1 < len(flat):
            found[str(Obis(bytes(each)))] = type(flat[at + 1]).__name__
    return found


def said(country: str, port: str, at: int, phases: int = 3) -> Any:
    rule = companion(country).han_port(port)
    made = meter(phases)
    return body_of(made, rule, lists_of(made, rule)[at], NOON)


@pytest.mark.parametrize(
    ("country", "port", "at", "list_name"),
    [
        ("norway", "kaifa", 0, "Kaifa list 1"),
        ("norway", "kaifa", 1, "Kaifa list 2, three phases"),
        ("austria", "wiener-netze", 0, "Wiener Netze"),
    ],
)
def test_values_alone_have_the_order_and_types_of_captures(country: str, port: str, at: int, list_name: str) -> None:
    ours = said(country, port, at)
    bodies = captured(list_name, country)
    assert bodies
    for each in bodies:
        assert kinds(ours) == kinds(each)
        assert type(ours) is type(each)


@pytest.mark.parametrize(
    ("country", "port", "list_name"),
    [
        ("norway", "aidon", "Aidon lists 1 to 3"),
        ("norway", "kamstrup", "Kamstrup lists 1 to 3"),
        ("sweden", "aidon", "Aidon list"),
        ("sweden", "kaifa", "Kaifa list with names"),
        ("austria", "e450", "E450 CII"),
    ],
)
def test_named_values_have_the_order_types_scalers_and_units_of_captures(
    country: str, port: str, list_name: str
) -> None:
    rule = companion(country).han_port(port)
    ours = named(said(country, port, len(rule.lists) - 1))
    bodies = captured(list_name, country)
    assert bodies
    for body in bodies:
        theirs = {code: each for code, each in named(body).items() if code in ours}
        assert len(theirs) >= 1
        assert {code: ours[code] for code in theirs} == theirs
        assert [code for code in ours if code in theirs] == list(theirs)
        assert type(said(country, port, 0)) is type(body)


def test_kamstrup_with_one_phase_has_null_data_twice_for_each_value_of_the_others() -> None:
    ours = said("norway", "kamstrup", 0, phases=1)
    theirs = captured("Kamstrup lists 1 to 3", "norway")[0]
    assert kinds(ours) == kinds(theirs)
    assert len(ours) == 25


def test_kaifa_with_one_phase_leaves_the_others_out() -> None:
    assert [len(said("norway", "kaifa", at, phases=1)) for at in range(3)] == [1, 9, 14]
    assert [len(said("norway", "kaifa", at, phases=3)) for at in range(3)] == [1, 13, 18]


def test_a_list_of_switzerland_brings_its_objects_along() -> None:
    ours = said("switzerland", "e450", 0)
    theirs = captured("self-described list", "switzerland")[0]
    assert kinds(ours[0])[0] == kinds(theirs[0])[0]
    assert len(ours[0]) == len(ours)
    assert ours[0][0] == theirs[0][0]  # of the push setup itself
    assert ours[1] == ours[0][0][1]


def test_the_time_of_kaifa_has_a_tag_too_much_as_captured() -> None:
    octets = bytes.fromhex(next(each for each in VECTORS if each["list"] == "Kaifa list 1")["octets"])
    told = apdus.decode(octets)
    assert isinstance(told, DataNotification)
    assert notification(0x40000000, told.date_time, told.body, HeadTime.TAGGED) == octets


def test_the_time_without_deviation_keeps_its_daylight_saving() -> None:
    summer = datetime(2026, 7, 12, 12, 0, 7, tzinfo=ZoneInfo("Europe/Oslo"))
    assert time_octets(summer, False).hex().upper() == "07EA070C070C0007FF800080"
    assert time_octets(summer, True)[9:].hex().upper() == "FF8880"


def test_lists_come_when_they_are_due_and_the_longest_first() -> None:
    now = [NOON - timedelta(seconds=11)]
    made = household(1, clock=lambda: now[0])
    speaker = ListSpeaker(made, companion("norway").han_port("kaifa"))
    lengths: list[int] = []
    for _ in range(12):
        octets = speaker.telegram()
        lengths.append(octets[2] if octets else 0)
        now[0] += timedelta(seconds=2)
    one, two, three = sorted(set(lengths))
    assert lengths == [three, two, one, one, one, one, three, one, one, one, one, two][: len(lengths)]


def test_nothing_is_said_twice_in_one_interval() -> None:
    speaker = ListSpeaker(household(1, clock=lambda: NOON), companion("norway").han_port("kaifa"))
    assert speaker.telegram()
    assert speaker.telegram() == b""


def test_the_frames_of_captures() -> None:
    """Addresses and control octets as in captures of the corpus and in amshan's tests (MIT)."""
    made = household(1, clock=lambda: NOON)
    begins = {
        (country, port.name): ListSpeaker(made, port).telegram()[3:9].hex().upper()
        for country in ("norway", "austria", "switzerland")
        for port in companion(country).han_ports
    }
    assert begins["norway", "kaifa"].startswith("01020110")
    assert begins["norway", "aidon"].startswith("41088313")
    assert begins["norway", "kamstrup"].startswith("2B2113")
    assert begins["austria", "e450"].startswith("CEFF0313")
    assert begins["austria", "wiener-netze"].startswith("CF022313")
    assert begins["switzerland", "e450"].startswith("CEFF0313")


def test_values_are_those_of_the_registers_in_the_steps_of_the_list() -> None:
    ours = said("norway", "kaifa", 2)
    assert [int(each) for each in ours[3:7]] == [1007, 2007, 3007, 4007]
    assert [int(each) for each in ours[7:13]] == [12340, 12350, 12360, 2305, 2306, 2307]  # mA, tenths of a volt
    kamstrup = said("norway", "kamstrup", 1)
    at = list(kamstrup).index(OctetString(Obis("1.1.1.8.0.255").octets))
    assert int(kamstrup[at + 1]) == 100  # tens of Wh, cut off
    assert ours[1] == OctetString(b"KFM1020012345678")
    assert isinstance(ours, Structure)


def test_a_meter_without_any_of_it_is_refused() -> None:
    empty = Meter("KFM1020012345678")
    with pytest.raises(ConfigurationError, match="has nothing that the customer port kaifa tells"):
        lists_of(empty, companion("norway").han_port("kaifa"))
