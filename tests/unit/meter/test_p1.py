"""The P1 port of a simulated meter: what its telegrams tell, and to whom."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from cosem import Data, Meter, Register, Unit
from cosem.client.follow import follow_async, lines_of
from cosem.errors import ConfigurationError
from cosem.meter.demo import household
from cosem.meter.faults import Faults
from cosem.meter.p1 import P1Port, telegram_of
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21.p1 import Check, P1Keys, Seal, Telegram, seal, telegrams
from cosem.protocol.model import ExtendedRegister
from cosem.protocol.model.classes.m_bus import MBusClient
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.readings.p1 import readings

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SUMMER = datetime(2024, 7, 12, 10, 0, 0, tzinfo=UTC)
KEYS = P1Keys(encryption_key=Key(bytes(range(16))))


def described(moment: datetime = SUMMER) -> Meter:
    meter = Meter("KFM1020012345678", zone=AMSTERDAM, clock=lambda: moment)
    meter.add(Register("1.0.1.8.1.255"), value=123_456_789, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(Register("1.0.1.7.0.255"), value=1_193_9, scaler_unit=(-1, Unit.WATT))
    meter.add(Register("1.0.32.7.0.255"), value=2301, scaler_unit=(-1, Unit.VOLT))
    meter.add(Register("1.0.31.7.0.255"), value=199, scaler_unit=(-2, Unit.AMPERE))
    meter.add(
        ExtendedRegister("0.1.24.2.1.255"),
        value=12_785_123,
        scaler_unit=(-3, Unit.CUBIC_METRE),
        capture_time=DateTime.from_datetime(SUMMER.replace(minute=0).astimezone(AMSTERDAM)),
    )
    meter.add(MBusClient("0.1.24.1.0.255"), device_type=3)
    return meter


def one(octets: bytes) -> Telegram:
    (event,) = telegrams(octets)
    assert isinstance(event, Telegram)
    return event


def test_telegram_tells_the_registers() -> None:
    found = one(telegram_of(described()))
    assert found.check is Check.RIGHT
    assert [str(each) for each in found.sets] == [
        "1-3:0.2.8(50)",
        "0-0:1.0.0(240712120000S)",
        "0-0:96.1.1(4B464D31303230303132333435363738)",
        "1-0:1.8.1(123456.789*kWh)",
        "1-0:1.7.0(01.193*kW)",
        "1-0:32.7.0(230.1*V)",
        "1-0:31.7.0(001*A)",
        "0-1:24.1.0(003)",
        "0-1:24.2.1(240712120000S)(12785.123*m3)",
    ]
    read = {each.obis: each for each in readings(found, AMSTERDAM, SUMMER)}
    assert read[Obis("1-0:1.8.1")].value == Decimal(123_456_789)
    assert read[Obis("0-1:24.2.1")].time == SUMMER
    assert read[Obis("1-0:1.8.1")].meter == "KFM1020012345678"


def test_winter_and_a_register_of_another_class() -> None:
    meter = described(datetime(2024, 1, 12, 10, tzinfo=UTC))
    meter.add(Data("1.0.2.8.1.255"), value="no register")
    text = telegram_of(meter).decode()
    assert "0-0:1.0.0(240112110000W)" in text
    assert "2.8.1" not in text


def test_household() -> None:
    found = one(telegram_of(household(1, zone=AMSTERDAM)))
    assert len(readings(found, AMSTERDAM, SUMMER)) > 12
    assert all(line.fault is None for line in lines_of(found, AMSTERDAM, SUMMER))


@pytest.mark.parametrize("encrypted", [False, True])
def test_port_speaks_to_all_who_connect(encrypted: bool) -> None:
    counter = count(1)

    async def scenario() -> None:
        shut = (lambda octets: seal(octets, KEYS, b"KFM12345", next(counter))) if encrypted else None
        async with P1Port(described(), "p1+tcp://127.0.0.1:0", interval=0.01, seal=shut) as port:
            heard: list[Telegram] = []
            async with aclosing(follow_async(port.url, KEYS if encrypted else None)) as said:
                async for telegram in said:
                    assert isinstance(telegram, Telegram)
                    heard.append(telegram)
                    if len(heard) == 3:
                        break
            assert [each.check for each in heard] == [Check.RIGHT] * 3
            assert [each.seal for each in heard] == (
                [Seal(b"KFM12345", number) for number in (1, 2, 3)] if encrypted else [None] * 3
            )
            assert port.notices

    asyncio.run(scenario())


def test_where_it_is_not_served() -> None:
    for url in ("tcp://127.0.0.1:0", "tic+tcp://127.0.0.1:0", "p1+file://telegrams.txt"):
        with pytest.raises(ConfigurationError, match="p1"):
            P1Port(described(), url)
    with pytest.raises(ConfigurationError, match="beyond"):
        P1Port(described(), "p1+tcp://192.0.2.7:1")


def test_a_port_that_damages_what_it_says() -> None:
    async def heard(faults: Faults) -> Telegram:
        meter = household(1, zone=AMSTERDAM, faults=faults)
        async with (
            P1Port(meter, "p1+tcp://127.0.0.1:0", interval=0.01) as port,
            aclosing(follow_async(port.url)) as said,
        ):
            async for telegram in said:
                assert isinstance(telegram, Telegram)
                return telegram
        raise AssertionError("nothing was said")

    assert asyncio.run(heard(Faults())).check is Check.RIGHT
    assert asyncio.run(heard(Faults(latency=0.01, damage=1.0, seed=5))).check is not Check.RIGHT
