"""Readings of Elgama records: exact numbers under the codes that the caller gives, and lines where there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.elgama.tables import ProfileRecord, RegisterRecord, Scale
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.elgama import PROFILE, Channel, profile_lines, register_lines
from cosem.readings.reading import Quality

TENTHS = Scale(1 << 32, 1, 0)
IMPORT = Channel(Obis("1.0.1.8.0.255"), Unit.WATT_HOUR)
FIRST = datetime(2024, 5, 17, 0, 15, tzinfo=UTC)


def test_a_profile() -> None:
    lines = profile_lines(ProfileRecord(TENTHS, (200, 201)), IMPORT, "925948", FIRST, 900)
    readings = [reading for line in lines for reading in line.readings]
    assert [reading.value for reading in readings] == [Decimal(20), Decimal("20.1")]
    assert [reading.time for reading in readings] == [FIRST, FIRST + timedelta(minutes=15)]
    assert {reading.obis for reading in readings} == {IMPORT.obis}
    assert {reading.profile for reading in readings} == {PROFILE}
    assert readings[0].quality is Quality.ZONE_ASSUMED
    with pytest.raises(ConfigurationError, match="interval 0"):
        profile_lines(ProfileRecord(TENTHS, ()), IMPORT, "925948", FIRST, 0)


def test_registers_by_tariff() -> None:
    record = RegisterRecord(TENTHS, 2, ((10, None),))
    present, absent = register_lines(record, IMPORT, "925948", [FIRST])
    assert str(present.readings[0].obis) == "1.0.1.8.1.255"
    assert str(present.quantity) == "1 Wh"
    assert (absent.readings, absent.meaning) == ((), "absent")
    with pytest.raises(ConfigurationError, match="2 times for 1 periods"):
        register_lines(record, IMPORT, "925948", [FIRST, FIRST])


def test_a_channel_that_nobody_named_makes_lines_alone() -> None:
    (line,) = profile_lines(ProfileRecord(TENTHS, (201,)), Channel(), "925948", FIRST, 900)
    assert line.readings == ()
    assert line.quantity is not None
    assert line.quantity.value == Decimal("20.1")
    (total, _) = register_lines(RegisterRecord(TENTHS, 2, ((1, 2),)), Channel(), "925948", [FIRST])
    assert total.readings == ()
