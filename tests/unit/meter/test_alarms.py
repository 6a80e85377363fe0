"""Alarm registers: what events set, what the filter holds back, what is pushed, and how clients reset it."""

from __future__ import annotations

import pytest

from behaving import Now, write
from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.alarms import Alarms
from cosem.meter.describe import parse
from cosem.meter.events import MeterEvent
from cosem.meter.item import Refusal
from cosem.protocol.model import Data
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned
from cosem.protocol.values.obis import Obis

REGISTER, FILTER, DESCRIPTOR = (Data(f"0.0.97.98.{e}.255") for e in (0, 10, 20))

METER = """
[meter]
name = "KFM1020012345678"
[[object]]
class = "Data"
instance = "0.0.97.98.0.255"
value = { double-long-unsigned = 0 }
[[object]]
class = "Data"
instance = "0.0.97.98.10.255"
value = { double-long-unsigned = 16 }
[[object]]
class = "Data"
instance = "0.0.97.98.20.255"
value = { double-long-unsigned = 0 }
[[object]]
class = 40
version = 0
instance = "0.4.25.9.0.255"
push_object_list = [[1, "0.0.97.98.20.255", 2, 0]]
send_destination_and_method = [0, "127.0.0.1:4060", 0]
"""

ALARMS = """
[[alarms]]
register = "0.0.97.98.0.255"
bits = { power_up = 2, parameters_written = 4, disconnected = 5 }
filter = "0.0.97.98.10.255"
descriptor = "0.0.97.98.20.255"
push = "0.4.25.9.0.255"
"""


def values(meter: Meter) -> tuple[int, int]:
    return meter.value(REGISTER.value), meter.value(DESCRIPTOR.value)


def pushed(meter: Meter) -> bool:
    meter.pushes.tick(meter.time())
    attempts = meter.pushes.outgoing()
    for attempt in attempts:
        meter.pushes.delivered(attempt, meter.time())
    return bool(attempts)


def test_the_filter_says_what_is_told_and_not_what_happened() -> None:
    meter = parse(METER + ALARMS, clock=Now())
    assert values(meter) == (1 << 2, 0)  # it has power
    assert not pushed(meter)
    meter.management.note(MeterEvent.DISCONNECTED)
    meter.management.note(MeterEvent.LIMIT_KEPT)
    assert values(meter) == (1 << 2 | 1 << 5, 0)
    assert not pushed(meter)
    meter.management.note(MeterEvent.PARAMETERS_WRITTEN)
    assert values(meter) == (1 << 2 | 1 << 4 | 1 << 5, 1 << 4)
    assert pushed(meter)


def test_what_is_told_already_is_not_pushed_again_until_it_is_reset() -> None:
    meter = parse(METER + ALARMS, clock=Now())
    meter.management.note(MeterEvent.PARAMETERS_WRITTEN)
    assert pushed(meter)
    meter.management.note(MeterEvent.PARAMETERS_WRITTEN)
    assert not pushed(meter)
    write(meter, REGISTER.value, DoubleLongUnsigned(0))
    assert values(meter) == (0, 1 << 4)
    meter.management.note(MeterEvent.PARAMETERS_WRITTEN)
    assert not pushed(meter)
    write(meter, DESCRIPTOR.value, DoubleLongUnsigned(0))
    meter.management.note(MeterEvent.PARAMETERS_WRITTEN)
    assert pushed(meter)
    assert values(meter) == (1 << 4, 1 << 4)


def test_without_filter_and_descriptor_the_register_decides() -> None:
    short = '[[alarms]]\nregister = "0.0.97.98.0.255"\nbits = { disconnected = 31 }\npush = "0.4.25.9.0.255"\n'
    meter = parse(METER + short, clock=Now())
    assert not pushed(meter)
    meter.management.note(MeterEvent.DISCONNECTED)
    assert pushed(meter)
    meter.management.note(MeterEvent.DISCONNECTED)
    assert (values(meter), pushed(meter)) == ((1 << 31, 0), False)


@pytest.mark.parametrize(
    ("way", "written", "left"),
    [
        ("zeros", 0, 0),
        ("zeros", 1 << 4, 1 << 4),
        ("zeros", 0xFFFFFFFF, 1 << 2 | 1 << 4),
        ("ones", 1 << 2, 1 << 4),
        ("ones", 1 << 2 | 1 << 4, 0),
        ("ones", 0, 1 << 2 | 1 << 4),
        ("ones", 1 << 9, 1 << 2 | 1 << 4),
    ],
)
def test_clients_reset_and_never_set(way: str, written: int, left: int) -> None:
    meter = parse(f'{METER}{ALARMS}reset = "{way}"\n', clock=Now())
    meter.management.note(MeterEvent.PARAMETERS_WRITTEN)
    write(meter, REGISTER.value, DoubleLongUnsigned(written))
    assert values(meter)[0] == left


def test_a_value_of_another_type_is_refused() -> None:
    meter = parse(METER + ALARMS, clock=Now())
    with pytest.raises(Refusal):
        write(meter, REGISTER.value, LongUnsigned(0))


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("power_up = 2", "breakfast = 2", "power_up"),
        ("power_up = 2", "power_up = 32", "bits 0 to 31"),
        ("power_up = 2", "power_up = -1", "bits 0 to 31"),
        ('register = "0.0.97.98.0.255"', 'register = "0.0.97.98.1.255"', "expected a Data object"),
        ('filter = "0.0.97.98.10.255"', 'filter = "0.4.25.9.0.255"', "expected a Data object"),
        ('push = "0.4.25.9.0.255"', 'push = "0.5.25.9.0.255"', "no such push setup"),
        ('push = "0.4.25.9.0.255"', 'reset = "twos"', "zeros or ones"),
    ],
)
def test_a_description_that_makes_no_sense(before: str, after: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse(METER + ALARMS.replace(before, after), clock=Now())


def test_a_register_of_sixteen_bits_has_sixteen() -> None:
    meter = Meter("KFM1020012345678", clock=Now())
    meter.add(REGISTER, value=LongUnsigned(0))
    with pytest.raises(ConfigurationError, match="bits 0 to 15"):
        meter.management.alarm(Alarms(Obis("0.0.97.98.0.255"), {MeterEvent.CONNECTED: 16}))
    meter.management.alarm(Alarms(Obis("0.0.97.98.0.255"), {MeterEvent.CONNECTED: 15}))
    meter.management.note(MeterEvent.CONNECTED)
    assert meter.value(REGISTER.value) == LongUnsigned(1 << 15)
