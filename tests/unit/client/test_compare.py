"""What a meter shows against a companion and against another meter: every aspect in which they may differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cosem import Client, Clock, Data, Meter, ProfileGeneric, Register, Unit
from cosem.client.compare import Aspect, Difference, Shown, compare_meters, compare_with
from cosem.meter import Access, AssociationDescription, Rights
from cosem.protocol.model.classes.access_control import AssociatedPartners, AssociationLN
from cosem.protocol.model.companion import companion, load
from cosem.protocol.model.rights import (
    AccessRights,
    AttributeAccess,
    AttributeAccessItem,
    MethodAccess,
    MethodAccessItem,
    ObjectListElement,
)
from cosem.protocol.values.data import LongUnsigned
from cosem.protocol.values.obis import Obis
from interop.served import served

HEAD = 'name = "mine"\ntitle = "Mine"\nsource = []\nlicence = ""\ninherits = "generic"\n'


def _meter(*, scaler: int = 0, unit: Unit = Unit.WATT_HOUR, writable: tuple[str, ...] = (), period: int = 900) -> Meter:
    meter = Meter("TST0000000000009")
    meter.add(Clock())
    meter.add(Register("1.0.1.8.0.255"), value=5, scaler_unit=(scaler, unit), writable=writable)
    meter.add(
        ProfileGeneric("1.0.99.1.0.255"),
        capture_objects=(Clock().time, Register("1.0.1.8.0.255").value),
        capture_period=period,
        profile_entries=10,
    )
    return meter


@contextmanager
def _shown(meter: Meter, **words: Any) -> Iterator[Shown]:
    with served(meter) as port, Client.open(f"tcp://127.0.0.1:{port}") as client:
        yield client.shown(**words)


def _said(found: list[Difference]) -> list[tuple[str, str, str | None]]:
    return [(each.aspect.value, str(each.obis), each.member) for each in found]


def test_a_meter_does_not_differ_from_itself_or_from_another_like_it() -> None:
    with _shown(_meter()) as first, _shown(_meter()) as second:
        assert compare_meters(first, first) == []
        assert compare_meters(first, second) == []
        assert compare_with(first, companion("generic")) == []


def test_two_meters_differ_in_objects_versions_values_units_and_scalers() -> None:
    other = _meter(scaler=-1, unit=Unit.VAR_HOUR, period=3600)
    other.add(Data("0.0.96.1.1.255"), value=LongUnsigned(1))
    with _shown(_meter()) as first, _shown(other) as second:
        found = compare_meters(first, second)
        assert _said(found) == [
            ("extra", "0.0.96.1.1.255", None),
            ("unit", "1.0.1.8.0.255", "scaler_unit"),
            ("scaler", "1.0.1.8.0.255", "scaler_unit"),
            ("value", "1.0.99.1.0.255", "capture_period"),
        ]
        assert [(each.expected, each.found) for each in found[1:]] == [
            (Unit.WATT_HOUR, Unit.VAR_HOUR),
            (0, -1),
            (900, 3600),
        ]
        assert _said(compare_meters(second, first))[0] == ("missing", "0.0.96.1.1.255", None)


def test_what_is_measured_and_may_be_written_is_always_reported() -> None:
    open_ = _meter()
    open_.offer(AssociationDescription(client=16, rights=Rights(Access.MANAGE)))
    open_.add(Register("1.0.2.8.0.255"), value=1, scaler_unit=(0, Unit.WATT_HOUR), writable=("value",))
    with _shown(open_) as shown:
        found = compare_meters(shown, shown)
        assert {each.aspect for each in found} == {Aspect.METROLOGY}
        assert ("1.0.2.8.0.255", "value", 1) in {(str(each.obis), each.member, each.meter) for each in found}
        assert {each.meter for each in found} == {1, 2}
        assert {each.client for each in found} == {16}
        assert ("metrology", "1.0.2.8.0.255", "value") in _said(compare_with(shown, companion("generic")))


RULES = """
[[objects]]
obis = "0.0.1.0.0.255"
class = 8
version = 0
attributes = { 2 = { access = "rw" }, 9 = { type = "enum", value = 7 } }
methods = { 6 = { access = "x" } }

[[objects]]
obis = "1.0.1.8.0.255"
class = 4

[[objects]]
obis = "1.0.99.1.0.255"
class = 7
version = 0
attributes = { 2 = { access = "r" }, 4 = { value = 900 } }

[[objects]]
obis = "1.0.2.8.0.255"
class = 3

[[objects]]
obis = "1.0.3.8.0.255"
class = 3
optional = true
"""


def test_a_meter_differs_from_a_companion_in_everything_that_it_says() -> None:
    mine = load(HEAD + "complete = true\n" + RULES, "mine.toml")
    meter = _meter()
    meter.add(Data("0.0.96.1.1.255"), value=LongUnsigned(1))
    with _shown(meter) as shown:
        found = compare_with(shown, mine)
    said = _said(found)
    for expected in (
        ("rights", "0.0.1.0.0.255", "time"),
        ("rights", "0.0.1.0.0.255", "shift_time"),
        ("value", "0.0.1.0.0.255", "clock_base"),
        ("class", "1.0.1.8.0.255", None),
        ("version", "1.0.99.1.0.255", None),
        ("missing", "1.0.2.8.0.255", None),
        ("extra", "0.0.96.1.1.255", None),
    ):
        assert expected in said
    assert not any(obis == "1.0.3.8.0.255" for _, obis, _ in said)
    assert said == [(each.aspect.value, str(each.obis), each.member) for each in sorted(found, key=lambda d: d.obis)]
    time = next(each for each in found if each.member == "time")
    assert (time.expected, time.found, time.client) == (AttributeAccess.READ_WRITE, AttributeAccess.READ, 16)


def test_units_and_scalers_of_a_companion_are_compared_where_it_gives_them() -> None:
    rule = '[[objects]]\nobis = "1.0.1.8.0.255"\nclass = 3\nunit = "varh"\nscaler = 3\n'
    with _shown(_meter()) as shown:
        found = compare_with(shown, load(HEAD + "complete = false\n" + rule, "mine.toml"))
    assert _said(found) == [
        ("unit", "1.0.1.8.0.255", "scaler_unit"),
        ("scaler", "1.0.1.8.0.255", "scaler_unit"),
    ]


def test_rights_and_presence_of_one_association_say_nothing_of_another() -> None:
    text = HEAD + 'rights_of = "management"\n[[associations]]\nname = "management"\nclient = 1\n' + RULES
    with _shown(_meter()) as shown:
        said = _said(compare_with(shown, load(text, "mine.toml")))
    assert not any(aspect in ("rights", "missing", "extra", "class") for aspect, _, _ in said)


def test_what_a_companion_calls_static_is_read_and_compared_with_its_type() -> None:
    rule = """
[[objects]]
obis = "0.0.96.1.1.255"
class = 1
attributes = { 2 = { type = "visible-string", static = true, value = 6 } }
"""
    mine = load(HEAD + "complete = false\n" + rule, "mine.toml")
    meter = _meter()
    meter.add(Data("0.0.96.1.1.255"), value=LongUnsigned(5))
    with _shown(meter, known=mine) as shown:
        found = compare_with(shown, mine)
    assert [(each.aspect.value, each.expected, each.found) for each in found] == [
        ("value", 6, 5),
        ("type", "visible-string", "long-unsigned"),
    ]


def test_secrets_are_never_read() -> None:
    meter = _meter()
    meter.offer(AssociationDescription(client=16, rights=Rights(Access.MANAGE)))
    with _shown(meter) as shown:
        associations = {obis for obis, each in shown.objects.items() if each.class_id == 15}
        assert associations
        assert not any(obis in associations and index in (2, 7) for obis, index in shown.values)


@pytest.mark.parametrize("name", ["smr-5.5", "is-15959", "norway"])
def test_every_companion_can_be_compared_with(name: str) -> None:
    with _shown(_meter(), known=companion(name)) as shown:
        assert isinstance(compare_with(shown, companion(name)), list)


def test_what_other_associations_open_is_reported_where_their_lists_may_be_read() -> None:
    meter = _meter()
    rights = AccessRights(
        (AttributeAccessItem(2, AttributeAccess.READ_WRITE),), (MethodAccessItem(1, MethodAccess.ACCESS),)
    )
    meter.add(
        AssociationLN("0.0.40.0.7.255"),
        object_list=(ObjectListElement(3, 0, Obis("1.0.1.8.0.255"), rights),),
        associated_partners_id=AssociatedPartners(1, 1),
    )
    with _shown(meter) as shown:
        assert sorted(shown.associations) == [1, 16]
        found = compare_with(shown, companion("generic"))
    assert [(each.aspect.value, each.member, each.found, each.client) for each in found] == [
        ("metrology", "value", "may be written", 1),
        ("metrology", "reset", "may be run", 1),
    ]
