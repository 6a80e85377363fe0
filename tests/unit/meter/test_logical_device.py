"""Logical devices: objects and their values, described in Python, shared until one differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.meter import (
    OPEN_ASSOCIATION,
    LogicalDevice,
    Meter,
)
from cosem.meter.item import FromSource, Refusal
from cosem.meter.objects import Objects
from cosem.protocol.model import Data, ProfileGeneric, Register, UnknownClass
from cosem.protocol.values.data import DoubleLongUnsigned, Long64Unsigned, OctetString, same
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

ENERGY = Register("1.0.1.8.0.255")
NOW = datetime(2024, 5, 6, tzinfo=UTC)


def meter(**words: Any) -> Meter:
    return Meter("KFM1020012345678", clock=lambda: NOW, **words)


def test_a_callable_is_asked_with_the_local_time_at_each_read() -> None:
    asked: list[datetime] = []

    def value(time: datetime) -> int:
        asked.append(time)
        return 1 << 33

    made = meter(zone=timezone(timedelta(hours=2)))
    made.add(ENERGY, value=value)
    assert same(made.value(ENERGY.value), Long64Unsigned(1 << 33))
    assert asked == [NOW]
    assert asked[0].utcoffset() == timedelta(hours=2)


def test_a_callable_that_gives_nonsense_is_a_fault_of_that_object_only() -> None:
    made = meter()
    made.add(ENERGY, value=lambda time: object())
    item = made.management.find(ENERGY.instance)
    assert item is not None
    with pytest.raises(Refusal, match="HARDWARE_FAULT"):
        item.read(made.management.visit(), 2)
    with pytest.raises(ConfigurationError, match="HARDWARE_FAULT"):
        made.value(ENERGY.value)


def test_values_change_from_inside() -> None:
    made = meter()
    made.add(ENERGY, value=1)
    made.put(ENERGY.value, 2)
    assert made.value(ENERGY.value) == 2
    made.put(ENERGY.value, lambda time: 3)
    assert made.value(ENERGY.value) == 3
    with pytest.raises(ConfigurationError, match="scaler_unit"):
        made.put(ENERGY.scaler_unit, 5)
    with pytest.raises(ConfigurationError, match="no such object"):
        made.put(Register("1.0.2.8.0.255").value, 5)
    with pytest.raises(ConfigurationError, match="no such object"):
        made.value(Data("1.0.1.8.0.255").value)


@pytest.mark.parametrize(
    ("describe", "message"),
    [
        (lambda made: made.add(ENERGY, vlaue=1), "no attribute 'vlaue'; it has logical_name, value, scaler_unit"),
        (lambda made: made.add(ENERGY, logical_name="1.0.1.8.0.255"), "given by the address"),
        (lambda made: made.add(ENERGY, value=object()), r"Register\(\"1.0.1.8.0.255\"\): value: "),
        (lambda made: made.add(ENERGY, value=DoubleLongUnsigned(-1)), "out of its range"),
        (lambda made: made.add(ENERGY, writable=("x",)), "no attribute 'x'"),
        (lambda made: (made.add(ENERGY), made.add(ENERGY)), "already"),
        (lambda made: made.add(UnknownClass(9999, 0, "1.0.1.8.0.255"), value=1), "no attribute 'value'"),
        (lambda made: made.add_device(1, "KFM2"), "SAP 1"),
        (lambda made: made.add_device(127, "KFM2"), "SAP 127"),
        (lambda made: made.add_device(2, ""), "logical device name"),
        (lambda made: made.offer(OPEN_ASSOCIATION, OPEN_ASSOCIATION), "client 16"),
        (lambda made: made.put(made.add(ProfileGeneric("1.0.99.1.0.255")).buffer, ()), "when the object is added"),
        (lambda made: (made.add(ENERGY), made.management.use(Objects())), "objects already"),
    ],
)
def test_descriptions_that_cannot_be(describe: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        describe(meter())


@pytest.mark.parametrize("name", ["", "K" * 17, "KÄM", "KFM\n"])
def test_names_that_cannot_be(name: str) -> None:
    assert Meter("K" * 16).name == "K" * 16
    with pytest.raises(ConfigurationError, match="logical device name"):
        Meter(name)


def test_objects_that_meters_share_until_one_differs() -> None:
    objects = Objects()
    objects.add(ENERGY, value=FromSource(lambda source, time: source), scaler_unit=(0, Unit.WATT_HOUR))
    objects.add(Data("0.0.96.1.0.255"), value="same")
    made = [meter() for _ in range(3)]
    for source, each in enumerate(made):
        each.management.use(objects, source)
    assert [each.value(ENERGY.value) for each in made] == [0, 1, 2]
    made[1].put(ENERGY.value, 7)
    made[1].add(Data("0.0.96.1.1.255"), value=1)
    assert [each.value(ENERGY.value) for each in made] == [0, 7, 2]
    assert made[1].value(Data("0.0.96.1.0.255").value) == b"same"
    assert made[0].management.find(Obis("0.0.96.1.1.255")) is None


def test_shapes_of_a_device() -> None:
    device = meter().management
    assert isinstance(device, LogicalDevice)
    assert "KFM1020012345678" in repr(device)
    item = device.find(Obis("0.0.42.0.0.255"))
    assert item is not None
    assert item.read(device.visit(), 1) == OctetString(bytes.fromhex("00002A0000FF"))
    with pytest.raises(Refusal, match="OBJECT_UNAVAILABLE"):
        item.read(device.visit(), 9)
