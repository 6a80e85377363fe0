"""Sub-meters: captured on time and when asked, installed and taken away, alarms, keys, and what P1 tells of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from behaving import NOON, Now, run
from cosem.client.follow import lines_of
from cosem.errors import ConfigurationError
from cosem.meter import Meter, members
from cosem.meter.describe import parse
from cosem.meter.feed import Feed
from cosem.meter.m_bus import KINDS, SubMeter
from cosem.meter.memory import remember
from cosem.meter.p1 import telegram_of
from cosem.protocol.apdu.action import ActionResult, MethodDescriptor
from cosem.protocol.iec21.p1 import telegrams
from cosem.protocol.model.classes.data_storage import ExtendedRegister
from cosem.protocol.model.classes.m_bus import EncryptionKeyStatus, MBusClientVersion1
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.data import Array, Data, Integer, OctetString, Unsigned
from cosem.protocol.values.quantity import Quantity
from cosem.store.state import open_state
from described import thing

CLIENT = MBusClientVersion1("0.1.24.1.0.255")
VALUE = ExtendedRegister("0.1.24.2.1.255")
VALVE = "0.1.24.4.0.255"
HOUR = timedelta(hours=1)

METER = """
[meter]
name = "KFM1020012345678"

[[association]]
client = 1
access = "manage"

[[m_bus]]
channel = 1
load = "{load}"
seed = 7
serial = 12345678
maker = "KAM"
period = {period}
address = {address}
"""


def described(now: Now, load: str = "gas", period: int = 3600, address: int = 1) -> Meter:
    return parse(METER.format(load=load, period=period, address=address), clock=now)


def act(meter: Meter, method: int, argument: Data = Integer(0)) -> ActionResult:  # noqa: B008 - a value
    visit = meter.management.visit(meter.management.association(1))
    return members.run(visit, MethodDescriptor(72, CLIENT.instance, method), argument).result


def last(meter: Meter) -> tuple[int, datetime]:
    return int(meter.value(VALUE.value)), meter.value(VALUE.capture_time).to_datetime()


def counted(meter: Meter, load: str, time: datetime) -> int:
    """Return what the load has counted at a time, without any bus."""
    total = Feed(load, 7, meter).total(KINDS[load].total)
    assert total is not None
    return int(total(time))


def test_who_it_is() -> None:
    meter = described(Now())
    assert meter.value(CLIENT.identification_number) == 0x12345678
    assert meter.value(CLIENT.manufacturer_id) == 0x2C2D  # KAM, as FLAG letters are packed in EN 13757-3
    assert meter.value(CLIENT.device_type) == 3
    assert meter.value(CLIENT.primary_address) == 1
    assert meter.value(CLIENT.encryption_key_status) is EncryptionKeyStatus.NO_ENCRYPTION_KEY


@pytest.mark.parametrize(("load", "device_type", "unit"), [("gas", 3, "m³"), ("water", 7, "m³"), ("heat", 4, "Wh")])
def test_values_are_captured_each_hour(load: str, device_type: int, unit: str) -> None:
    now = Now(NOON + timedelta(minutes=20))
    meter = described(now, load)
    assert last(meter) == (counted(meter, load, NOON), NOON)
    now.later(hours=5)
    assert last(meter) == (counted(meter, load, NOON + 5 * HOUR), NOON + 5 * HOUR)
    assert meter.value(CLIENT.device_type) == device_type
    scaler_unit = meter.value(VALUE.scaler_unit)
    assert Quantity.of(1, scaler_unit.scaler, scaler_unit.unit).unit.symbol == unit
    before = meter.value(CLIENT.access_number)
    now.later(hours=3)
    assert meter.value(CLIENT.access_number) - before == 3


def test_values_are_captured_when_it_is_asked_and_only_then_without_a_period() -> None:
    now = Now(NOON)
    meter = described(now, period=0)
    now.later(hours=5, seconds=7)
    assert last(meter)[1] == NOON
    assert act(meter, 3) is ActionResult.SUCCESS
    assert last(meter) == (counted(meter, "gas", now()), now())


def test_a_device_that_is_taken_away_says_nothing_until_it_is_installed() -> None:
    now = Now(NOON)
    meter = described(now)
    assert act(meter, 1, Unsigned(9)) is ActionResult.OTHER_REASON  # it is installed already
    assert act(meter, 2) is ActionResult.SUCCESS
    now.later(hours=5)
    assert (last(meter)[1], meter.value(CLIENT.primary_address)) == (NOON, 0)
    for method in (2, 3, 4, 5):
        assert act(meter, method) is ActionResult.TEMPORARY_FAILURE
    assert act(meter, 6, Array()) is ActionResult.TEMPORARY_FAILURE
    assert act(meter, 8, OctetString(bytes(16))) is ActionResult.TEMPORARY_FAILURE
    for wrong in (Unsigned(0), Unsigned(251), Integer(1)):
        assert act(meter, 1, wrong) is ActionResult.TYPE_UNMATCHED
    assert act(meter, 1, Unsigned(250)) is ActionResult.SUCCESS
    now.later(hours=1)
    assert (last(meter)[1], meter.value(CLIENT.primary_address)) == (NOON + 6 * HOUR, 250)


@pytest.mark.parametrize("load", ["gas", "water", "heat", "household"])
@pytest.mark.parametrize("code", ["0.1.24.4.0.255", "0.1.96.3.10.255"])
def test_behind_an_open_valve_nothing_flows_and_then_it_goes_on_from_there(load: str, code: str) -> None:
    now = Now(NOON + timedelta(minutes=30))
    meter = parse(METER.format(load=load, period=3600, address=1) + thing("DisconnectControl", code), clock=now)
    valve, open_from = DisconnectControl(code), now()
    run(meter, valve.remote_disconnect)
    now.later(hours=20)
    assert last(meter) == (counted(meter, load, open_from), NOON + 20 * HOUR)
    assert act(meter, 3) is ActionResult.SUCCESS
    assert last(meter) == (counted(meter, load, open_from), now())
    run(meter, valve.remote_reconnect)
    closed_from = now()
    now.later(hours=20)
    missed = counted(meter, load, closed_from) - counted(meter, load, open_from)
    assert missed > 1
    assert last(meter)[0] == pytest.approx(counted(meter, load, NOON + 40 * HOUR) - missed, abs=1)
    assert last(meter)[0] > counted(meter, load, open_from)


def test_it_stays_open_over_a_restart(tmp_path: Path) -> None:
    now, text = Now(NOON), METER.format(load="gas", period=3600, address=1) + thing("DisconnectControl", VALVE)
    store = open_state(tmp_path / "state")
    meter = parse(text, clock=now)
    remember(meter, store)
    run(meter, DisconnectControl(VALVE).remote_disconnect)
    meter.keep()
    store.close()
    now.later(hours=20)
    again = parse(text, clock=now)
    remember(again, open_state(tmp_path / "state"))
    assert last(again) == (counted(again, "gas", NOON), NOON + 20 * HOUR)


def test_a_restart_takes_no_value_of_a_time_without_power(tmp_path: Path) -> None:
    now, text = Now(NOON), METER.format(load="gas", period=3600, address=1)
    meter = parse(text, clock=now, state=tmp_path / "state")
    before = last(meter)
    meter.power.down()
    now.later(hours=20, minutes=10)
    meter.power.up()
    assert last(meter) == before
    assert meter.memory is not None
    meter.memory.close()
    assert last(parse(text, clock=now, state=tmp_path / "state")) == before


@pytest.mark.parametrize("code", ["0.2.24.4.0.255", "0.0.96.3.10.255"])
def test_other_valves_and_the_main_breaker_do_not_concern_it(code: str) -> None:
    now = Now(NOON)
    meter = parse(METER.format(load="gas", period=3600, address=1) + thing("DisconnectControl", code), clock=now)
    run(meter, DisconnectControl(code).remote_disconnect)
    now.later(hours=20)
    assert last(meter) == (counted(meter, "gas", now()), now())


def test_alarms_stand_until_they_are_reset() -> None:
    meter = described(Now())
    sub_meter = SubMeter(1, Feed("gas", 7, meter), 12345678)
    sub_meter.alarm(meter.management, 0x04)
    sub_meter.alarm(meter.management, 0x10)
    assert meter.value(CLIENT.alarm) == 0x14
    assert act(meter, 4) is ActionResult.SUCCESS
    assert meter.value(CLIENT.alarm) == 0


SET, TRANSFER, CAPTURE, DEINSTALL = 7, 8, 3, 2
KEY = OctetString(bytes(range(16)))


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([(SET, KEY)], EncryptionKeyStatus.ENCRYPTION_KEY_SET),
        ([(TRANSFER, KEY)], EncryptionKeyStatus.ENCRYPTION_KEY_TRANSFERRED),
        ([(SET, KEY), (TRANSFER, KEY)], EncryptionKeyStatus.ENCRYPTION_KEY_SET_AND_TRANSFERRED),
        ([(TRANSFER, KEY), (SET, KEY)], EncryptionKeyStatus.ENCRYPTION_KEY_SET_AND_TRANSFERRED),
        ([(SET, KEY), (TRANSFER, KEY), (CAPTURE, Integer(0))], EncryptionKeyStatus.ENCRYPTION_KEY_IN_USE),
        ([(SET, KEY), (CAPTURE, Integer(0))], EncryptionKeyStatus.ENCRYPTION_KEY_SET),
        ([(SET, KEY), (SET, OctetString(b""))], EncryptionKeyStatus.NO_ENCRYPTION_KEY),
        ([(SET, KEY), (TRANSFER, KEY), (DEINSTALL, Integer(0))], EncryptionKeyStatus.NO_ENCRYPTION_KEY),
    ],
)
def test_how_far_a_key_has_come(steps: list[tuple[int, Any]], status: EncryptionKeyStatus) -> None:
    meter = described(Now())
    for method, argument in steps:
        assert act(meter, method, argument) is ActionResult.SUCCESS
    assert meter.value(CLIENT.encryption_key_status) is status


@pytest.mark.parametrize(
    ("method", "argument"), [(SET, Unsigned(1)), (TRANSFER, Unsigned(1)), (TRANSFER, OctetString(b""))]
)
def test_what_is_no_key(method: int, argument: Data) -> None:
    meter = described(Now())
    assert act(meter, method, argument) is ActionResult.TYPE_UNMATCHED
    assert meter.value(CLIENT.encryption_key_status) is EncryptionKeyStatus.NO_ENCRYPTION_KEY


def test_it_is_channel_1_of_a_p1_telegram() -> None:
    now = Now(NOON + timedelta(minutes=20))
    meter = described(now)
    (event,) = telegrams(telegram_of(meter))
    found = {str(each.obis): each for line in lines_of(event, meter.zone, now()) for each in line.readings}
    reading = found["0.1.24.2.1.255"]
    value, time = last(meter)
    assert reading.quantity is not None
    scaler_unit = meter.value(VALUE.scaler_unit)
    exact = Quantity.of(value, scaler_unit.scaler, scaler_unit.unit)
    assert (reading.quantity.value, reading.time) == (exact.to(reading.quantity.symbol).value, time)


def test_the_objects_of_a_companion_are_filled_in() -> None:
    text = METER.format(load="gas", period=3600, address=1).replace(
        'name = "KFM1020012345678"', 'name = "KFM1020012345678"\ncompanion = "smr-5.0"'
    )
    meter = parse(text.partition("[[association]]")[0] + "[[m_bus]]" + text.partition("[[m_bus]]")[2], clock=Now())
    assert meter.value(CLIENT.identification_number) == 0x12345678
    assert last(meter)[1] == NOON


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('load = "gas"', 'load = "steam"', "steam"),
        ('load = "gas"', 'load = "heat_pump"', "counts household, gas, heat, water"),
        ('maker = "KAM"', 'maker = "Kam"', "three capital letters"),
        ("channel = 1", "channel = 300", "300"),
        ("serial = 12345678", "serial = 100000000", "eight digits"),
    ],
)
def test_what_is_no_sub_meter(old: str, new: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        parse(METER.format(load="gas", period=3600, address=1).replace(old, new), clock=Now())
