"""A register by logical names, by short names, in a readout, at the P1 and HAN ports and in a push: all the same."""

from __future__ import annotations

import asyncio
import warnings
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem import AsyncClient, Clock, Meter, Register
from cosem.client.follow import lines_of
from cosem.client.han import HanReader
from cosem.client.iec21 import AsyncLocalClient
from cosem.client.listen import PushListener
from cosem.client.reception import PushReception, Quarantined
from cosem.io.aio import ListenLimits
from cosem.meter import serving
from cosem.meter.describe import parse
from cosem.meter.han_lists import ListSpeaker
from cosem.meter.p1 import telegram_of
from cosem.meter.push_sending import PushDispatch
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.iec21.p1 import telegrams
from cosem.protocol.model.classes.push import MessageType, PushSetup, SendDestinationAndMethod, TransportService
from cosem.protocol.model.companion import companion
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.readings.han import HanTelegram, push_lists
from cosem.readings.han import readings as han_readings
from cosem.readings.readout import readings
from cosem.store.memory import MemoryCounterStore

ZONE = ZoneInfo("Europe/Amsterdam")
MOMENTS = [
    datetime(2026, 7, 12, 10, 0, 7, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # 02:30 for the first time
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),  # … and for the second
]
CODES = ("1.0.1.8.0.255", "1.0.1.7.0.255", "1.0.32.7.0.255")
"""What is counted, what flows, and a voltage."""

TENS = ("norway:aidon", "norway:kamstrup", "sweden:kamstrup")
"""Where energy is counted in tens of Wh."""

METER = """
[meter]
name = "KFM1020012345678"
zone = "Europe/Amsterdam"
template = "household"
number = 4711

[[association]]
client = 16
access = "read"
naming = "ln+sn"
"""
HAN_PORTS = ("norway:kaifa", "norway:aidon", "norway:kamstrup", "sweden:kaifa", "sweden:aidon", "sweden:kamstrup")
Seen = tuple[datetime, dict[str, Quantity]]


async def by_names(meter: Meter, naming: str) -> Seen:
    async with (
        serving(meter, "tcp://127.0.0.1:0") as server,
        AsyncClient.open(f"tcp://{server.url.place}", naming=naming) as client,
    ):
        time = (await client.get(Clock().time)).to_datetime()
        return time, {code: await client.quantity(Register(code)) for code in CODES}


async def in_a_readout(meter: Meter) -> Seen:
    async with (
        serving(meter, "iec21+tcp://127.0.0.1:0") as server,
        AsyncLocalClient.open(f"iec21+tcp://{server.url.place}") as client,
    ):
        return seen_in(readings(await client.readout(), ZONE, datetime.now(UTC)))


async def at_the_p1_port(meter: Meter) -> Seen:
    (event,) = telegrams(telegram_of(meter))
    return seen_in([each for line in lines_of(event, ZONE, datetime.now(UTC)) for each in line.readings])


def seen_in(found: list[Any]) -> Seen:
    wanted = {str(each.obis): each for each in found if str(each.obis) in CODES}
    return next(iter(wanted.values())).time, {code: wanted[code].quantity for code in CODES}


def at_the_han_port(meter: Meter, lists: str) -> Seen:
    """What a listener makes of the longest list, by the lists of the companion alone."""
    country, _, port = lists.partition(":")
    reader = HanReader(push_lists(lists))
    reader.receive(ListSpeaker(meter, companion(country).han_port(port)).telegram(), 0.0)
    (heard,) = reader.events()
    assert isinstance(heard, HanTelegram)
    found = han_readings(heard, ZONE, datetime.now(UTC))
    by_code = {f"1.0.{str(each.obis).split('.', 2)[2]}": each for each in found}  # Kamstrup names them in channel 1
    return found[0].time, {code: wanted for code in CODES if (wanted := by_code[code].quantity) is not None}


async def in_a_push(meter: Meter) -> Seen:
    setup = PushSetup("0.4.25.9.0.255")
    wanted = [(8, Obis("0.0.1.0.0.255"), 2), *((3, Obis(code), index) for code in CODES for index in (2, 3))]
    meter.add(setup, push_object_list=[(*each, 0, (0, None), []) for each in wanted])
    reception = PushReception(b"HES\0\0\0\0\1", [], MemoryCounterStore())
    async with PushListener("tcp://127.0.0.1:0", reception, limits=ListenLimits()) as listener:
        place = f"127.0.0.1:{listener.url.port}".encode()
        there = SendDestinationAndMethod(TransportService.TCP, place, MessageType.A_XDR)
        meter.put(setup.send_destination_and_method, there)
        item = meter.management.find(setup.instance)
        assert item is not None
        dispatch = PushDispatch(meter)
        dispatch.start()
        meter.pushes.begin(meter.management, item, meter.time())
        heard = await listener.next()
        await dispatch.close()
    assert isinstance(heard, Quarantined)  # without keys nobody is believed, and the octets are here all the same
    told = apdus.decode(heard.octets)
    assert isinstance(told, DataNotification)
    time, *values = told.body
    pairs = zip(CODES, values[::2], values[1::2], strict=True)
    quantities = {code: Quantity.of(value, int(scaler), int(unit)) for code, value, (scaler, unit) in pairs}
    return DateTime.from_octets(bytes(time)).to_datetime(), quantities


@pytest.mark.parametrize("moment", MOMENTS)
def test_everybody_sees_the_same(moment: datetime) -> None:
    async def run() -> dict[str, Seen]:
        meter = parse(METER, clock=lambda: moment)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return {
                "ln": await by_names(meter, "ln"),
                "sn": await by_names(meter, "sn"),
                "readout": await in_a_readout(meter),
                "p1": await at_the_p1_port(meter),
                "push": await in_a_push(meter),
                **{lists: at_the_han_port(meter, lists) for lists in HAN_PORTS},
            }

    seen = asyncio.run(run())
    truth = seen["ln"][1]
    assert all(each.value > 0 for each in truth.values())
    for view, (time, quantities) in seen.items():
        if view == "readout":  # whose time and date say nothing of the season
            assert time.replace(tzinfo=None) == moment.astimezone(ZONE).replace(tzinfo=None)
        else:
            assert time.astimezone(UTC) == moment, view
        for code, quantity in quantities.items():
            exact = truth[code].to(quantity.symbol).value
            digits = Decimal(1).scaleb(quantity.value.as_tuple().exponent)  # P1 has so many behind the point
            if view in TENS and code == CODES[0]:
                digits *= 10
            assert abs(exact - quantity.value) < digits, (view, code)
            assert quantity.unit is truth[code].unit
    assert Obis(CODES[0]) == Obis("1.8.0")
