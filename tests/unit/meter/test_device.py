"""Describing a meter in Python: objects, values, logical devices, names and titles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.meter import (
    OPEN_ASSOCIATION,
    PUBLIC_ASSOCIATION,
    Access,
    AssociationDescription,
    Keys,
    LogicalDevice,
    Meter,
    Rights,
    demo_keys,
)
from cosem.meter.item import FromSource, Refusal
from cosem.meter.objects import Objects
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register, UnknownClass
from cosem.protocol.values.data import DoubleLongUnsigned, Long64Unsigned, OctetString, same
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.store.memory import MemoryCounterStore

ENERGY = Register("1.0.1.8.0.255")
NOW = datetime(2024, 5, 6, tzinfo=UTC)
KEYS = (
    Key(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")),
    Key(bytes.fromhex("603DEB1015CA71BE2B73AEF0857D7781")),
)


def meter(**words: Any) -> Meter:
    return Meter("KFM1020012345678", clock=lambda: NOW, **words)


def test_the_meter_of_the_first_page() -> None:
    made = Meter("KFM1020012345678")
    assert made.add(Register("1.0.1.8.0.255"), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR)) == ENERGY
    assert same(made.value(ENERGY.value), DoubleLongUnsigned(12_345_678))
    assert made.value(ENERGY.scaler_unit).unit is Unit.WATT_HOUR
    assert made.value(Data("0.0.42.0.0.255").value) == b"KFM1020012345678"
    assert [offered.client for offered in made.management.associations] == [16]


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
    with pytest.raises(ConfigurationError, match="logical device name"):
        Meter(name)


def test_system_titles() -> None:
    assert Meter("KFM1020012345678").system_title == b"KFM" + (1020012345678).to_bytes(5, "big")
    assert Meter("kfm1").system_title == b"KFM\0\0\0\0\1"
    assert len({Meter(name).system_title for name in ("KFMa", "KFMb", "K", "KF", "KFM0", "KFM9999999999999")}) == 6
    assert meter(system_title=b"12345678").system_title == b"12345678"
    with pytest.raises(ConfigurationError, match="8 octets"):
        meter(system_title=b"1234567")


def test_the_clock_is_set_to_aware_times_only() -> None:
    with pytest.raises(LocalProtocolError):
        meter().set_time(datetime(2024, 1, 1))


def test_logical_devices_share_clock_and_title_and_stand_in_the_sap_list() -> None:
    made = meter()
    gas = made.add_device(3, "KFMGAS")
    gas.add(Register("7.0.3.0.0.255"), value=5)
    assert gas.value(Clock().time).to_datetime() == NOW
    assert gas.system_title == made.system_title
    assert gas.find(Obis("0.0.41.0.0.255")) is None, "only the management logical device lists the SAPs"
    item = made.management.find(Obis("0.0.41.0.0.255"))
    assert item is not None
    assert item.read(made.management.visit(), 2) == ((1, b"KFM1020012345678"), (3, b"KFMGAS"))


def test_a_meter_says_what_whoever_starts_it_should_know() -> None:
    made = meter()
    assert "client 16 reads everything without authentication" in made.notices[0]
    made.offer(PUBLIC_ASSOCIATION)
    assert made.notices == ()
    made.offer(
        AssociationDescription(client=1, mechanism=named("gmac"), keys=demo_keys(), protection=AUTHENTICATED_ENCRYPTION)
    )
    assert "demo keys" in made.notices[0]


def test_a_described_meter_offers_nothing_else() -> None:
    made = meter()
    gas = made.add_device(2, "KFMGAS")
    assert gas.associations == (OPEN_ASSOCIATION,)
    made.offer(PUBLIC_ASSOCIATION)
    assert gas.associations == ()
    assert made.management.association(17) is None


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


SECRET = Secret(b"open sesame")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"client": 0}, "1 to 127"),
        ({"client": 128}, "1 to 127"),
        ({"client": 1, "mechanism": named("low")}, "needs a password"),
        ({"client": 1, "mechanism": named("sha256")}, "needs a password or secret"),
        ({"client": 1, "mechanism": named("gmac")}, "needs keys"),
        ({"client": 1, "protection": Protection.AUTHENTICATION}, "protection needs keys"),
        ({"client": 1, "keys": Keys(*KEYS), "protection": Protection.ENCRYPTION}, "encryption without authentication"),
        ({"client": 1, "max_receive_pdu_size": 63}, "max_receive_pdu_size"),
        ({"client": 1, "max_receive_pdu_size": 65536}, "max_receive_pdu_size"),
        ({"client": 1, "general_block_window": -1}, "1 to 63 blocks"),
        ({"client": 1, "general_block_window": 64}, "1 to 63 blocks"),
    ],
)
def test_associations_that_cannot_be(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AssociationDescription(**words)


def test_keys_that_protect_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="printed in manuals"):
        Keys(Key(bytes(range(16))), KEYS[1])
    with pytest.raises(ConfigurationError, match="must not be the same"):
        Keys(KEYS[0], KEYS[0])
    with pytest.raises(ConfigurationError, match="16 octets"):
        Keys(Key(bytes(range(31)) + b"x"), KEYS[1])


def test_keys_that_live_longer_than_their_counters_are_refused() -> None:
    described = AssociationDescription(client=1, mechanism=named("gmac"), keys=Keys(*KEYS))
    with pytest.raises(ConfigurationError, match="counter store"):
        meter().offer(described)
    meter(counters=MemoryCounterStore()).offer(described)
    meter().offer(AssociationDescription(client=1, mechanism=named("gmac"), keys=Keys.random()))


def test_no_repr_shows_a_secret() -> None:
    described = AssociationDescription(
        client=1, mechanism=named("low"), secret=SECRET, keys=Keys(*KEYS), rights=Rights(Access.READ)
    )
    shown = repr(described) + repr(meter()) + repr(described.policy(b"12345678", meter().counters, 1))
    for secret in (b"open sesame", *(key.reveal() for key in KEYS)):
        assert secret.hex() not in shown.lower()
        assert repr(secret) not in shown
    assert "open sesame" not in shown


def test_received_counters_are_remembered_only_of_those_who_have_the_key() -> None:
    made = meter(counters=MemoryCounterStore())
    keys = Keys(*KEYS)
    for number in range(100):
        made.counters.received(keys, number.to_bytes(8, "big"))
    first = made.counters.received(keys, b"12345678")
    assert made.counters.last(keys) == 0
    first.accept(41)
    del first
    assert made.counters.last(keys) == 41
    assert made.counters.received(keys, b"12345678").last == 41
    made.keep()
    assert made.counters.received(keys, (5).to_bytes(8, "big")).last == -1


def test_received_counters_survive_a_restart() -> None:
    store, keys = MemoryCounterStore(), Keys(*KEYS)
    before = meter(counters=store)
    before.counters.received(keys, b"12345678").accept(41)
    before.keep()
    after = meter(counters=store)
    assert after.counters.received(keys, b"12345678").last == 41


def test_shapes_of_a_device() -> None:
    device = meter().management
    assert isinstance(device, LogicalDevice)
    assert "KFM1020012345678" in repr(device)
    item = device.find(Obis("0.0.42.0.0.255"))
    assert item is not None
    assert item.read(device.visit(), 1) == OctetString(bytes.fromhex("00002A0000FF"))
    with pytest.raises(Refusal, match="OBJECT_UNAVAILABLE"):
        item.read(device.visit(), 9)
