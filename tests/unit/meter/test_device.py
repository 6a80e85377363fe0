"""Meters: what their logical devices share, their names and titles, and what they say of themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.meter import (
    OPEN_ASSOCIATION,
    PUBLIC_ASSOCIATION,
    AssociationDescription,
    Meter,
    demo_keys,
)
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.model import Clock, Data, Register
from cosem.protocol.values.data import DoubleLongUnsigned, same
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

ENERGY = Register("1.0.1.8.0.255")
NOW = datetime(2024, 5, 6, tzinfo=UTC)


def meter(**words: Any) -> Meter:
    return Meter("KFM1020012345678", clock=lambda: NOW, **words)


def test_the_meter_of_the_first_page() -> None:
    made = Meter("KFM1020012345678")
    assert made.add(Register("1.0.1.8.0.255"), value=12_345_678, scaler_unit=(0, Unit.WATT_HOUR)) == ENERGY
    assert same(made.value(ENERGY.value), DoubleLongUnsigned(12_345_678))
    assert made.value(ENERGY.scaler_unit).unit is Unit.WATT_HOUR
    assert made.value(Data("0.0.42.0.0.255").value) == b"KFM1020012345678"
    assert [offered.client for offered in made.management.associations] == [16]


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
