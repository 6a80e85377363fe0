"""Thresholds that run scripts, limiters with emergencies, and the event logs that behaviours write to."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from behaving import NOON, Now, run
from cosem.errors import ConfigurationError
from cosem.meter import Meter, members
from cosem.meter.behaviour.monitors import LONGEST_WATCH, MOST_THRESHOLDS
from cosem.meter.describe import parse
from cosem.meter.events import MeterEvent
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult
from cosem.protocol.model import Clock, Data
from cosem.protocol.model.classes.time_and_event import (
    ActionItem,
    ActionSet,
    ActionSpecification,
    Limiter,
    RegisterMonitor,
    Script,
    ScriptTable,
    ServiceId,
    ValueDefinition,
)
from cosem.protocol.values.data import DoubleLong, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from described import BREAKER, LIMITED, LOG, MONITORED, POWER, SWITCHED, WATCHED, head, log, scripts, thing

LIMITER = Limiter("0.0.17.0.0.255")
CODE, STAGE = Data("0.0.96.11.0.255"), Data("0.0.96.1.5.255")
TABLE = ScriptTable("0.0.10.0.106.255")
METER = (
    head("UTC")
    + WATCHED
    + log("entries = 20", power_up=2, clock_set=5, limit_exceeded=61, limit_kept=62, disconnected=71, reconnected=72)
)


def codes(meter: Meter) -> list[int]:
    return [int(row[1]) for row in meter.value(LOG.buffer)]


def test_a_register_monitor_runs_scripts_where_a_threshold_is_crossed():
    now = Now()
    meter = parse(METER + MONITORED, clock=now)
    seen: list[Any] = []
    for power in (500, 501, 900, 400):
        meter.put(POWER.value, power)
        now.later(minutes=2)
        seen.append(meter.value(BREAKER.output_state))
    assert seen == [True, False, False, True]
    assert codes(meter) == [2, 71, 72]


@pytest.mark.parametrize("order", list(permutations((0, 1, 2))))
def test_the_scripts_of_several_thresholds_run_as_the_value_comes_by_them(order: tuple[int, ...]):
    """Each threshold has a script for either way, that tells the stage which the value has come to by it."""
    stages = [f'[{10 + stage}, [[1, 1, "{STAGE.instance}", 2, {{ unsigned = {stage} }}]]]' for stage in (0, 1, 2, 3)]
    table = "0.0.10.0.106.255"
    actions = ", ".join(f'[["{table}", {11 + place}], ["{table}", {10 + place}]]' for place in order)
    monitor = MONITORED.replace("[500]", str([(500, 1000, 2000)[place] for place in order]))
    monitor = "\n".join(f"actions = [{actions}]" if "actions" in line else line for line in monitor.split("\n"))
    power = thing("Register", "1.0.1.7.0.255", "value = 100")
    stage = thing("Data", str(STAGE.instance), "value = { unsigned = 9 }")
    now = Now()
    meter = parse(head("UTC") + power + stage + SWITCHED + scripts(*stages) + monitor, clock=now)
    seen: list[Any] = []
    for value in (5000, 0, 1500, 700, 2001, 2000, 501, 500):
        meter.put(POWER.value, value)
        now.later(minutes=2)
        seen.append(meter.value(STAGE.value))
    assert seen == [3, 0, 2, 1, 3, 2, 1, 0]


@pytest.mark.parametrize("more", [0, 1])
def test_so_many_thresholds_are_looked_at_and_not_one_more(more: int):
    """The last of them alone is crossed."""
    count = MOST_THRESHOLDS + more
    crossing = '[["0.0.10.0.106.255", 1], ["0.0.10.0.106.255", 2]]'
    monitor = MONITORED.replace("[500]", str([5000] * (count - 1) + [500]))
    monitor = monitor.replace(crossing, ", ".join([crossing] * count))
    now = Now()
    meter = parse(METER + monitor, clock=now)
    meter.put(POWER.value, 501)
    now.later(minutes=2)
    assert meter.value(BREAKER.output_state) is bool(more)


@pytest.mark.parametrize("minutes", [0, 1])
def test_so_much_of_a_silence_is_looked_at_and_no_more(minutes: int):
    """A value that is over its threshold for the first look of a silence, and at no other time."""
    now = Now()
    meter = Meter("KFM1020012345678", clock=now)
    meter.add(POWER, value=lambda time: 900 if time == NOON + timedelta(minutes=1) else 100)
    meter.add(STAGE, value=Unsigned(0))
    write_1 = ActionSpecification(ServiceId.WRITE_ATTRIBUTE, 1, STAGE.instance, 2, Unsigned(1))
    meter.add(TABLE, scripts=(Script(1, (write_1,)),))
    meter.add(
        RegisterMonitor("0.0.16.0.0.255"),
        thresholds=(DoubleLong(500),),
        monitored_value=ValueDefinition(3, POWER.instance, 2),
        actions=(ActionSet(ActionItem(TABLE.instance, 1), ActionItem(TABLE.instance, 0)),),
    )
    meter.settle()
    now.later(minutes=LONGEST_WATCH // timedelta(minutes=1) + minutes)
    assert meter.value(STAGE.value) == 1 - minutes


def test_a_limiter_acts_after_its_durations_once():
    now = Now()
    meter = parse(METER + LIMITED, clock=now)
    meter.put(POWER.value, 1001)
    now.later(minutes=5)
    assert meter.value(BREAKER.output_state) is True
    now.later(minutes=1)  # it was seen over the threshold at the first minute
    assert meter.value(BREAKER.output_state) is False
    now.later(minutes=10)
    assert codes(meter) == [2, 61, 71]
    meter.put(POWER.value, 1000)
    now.later(minutes=2)
    assert meter.value(BREAKER.output_state) is False
    now.later(minutes=1)
    assert meter.value(BREAKER.output_state) is True
    assert codes(meter) == [2, 61, 71, 62, 72]


def test_an_emergency_has_a_threshold_of_its_own():
    now = Now()
    meter = parse(METER + LIMITED, clock=now)
    for hours, active, threshold in ((1.99, False, 1000), (0.01, True, 50), (0.99, True, 50), (0.01, False, 1000)):
        now.later(hours=hours)
        assert meter.value(LIMITER.emergency_profile_active) is active
        assert meter.value(LIMITER.threshold_active) == threshold
    assert codes(meter) == [2, 61, 71]
    now.later(minutes=5)
    assert codes(meter) == [2, 61, 71, 62, 72]


def test_events_have_their_time_and_code():
    now = Now()
    meter = parse(METER, clock=now)
    now.later(minutes=1)
    run(meter, BREAKER.remote_disconnect)
    meter.set_time(NOON + timedelta(hours=2))
    assert codes(meter) == [2, 71, 5]
    assert meter.value(CODE.value) == 5


def test_a_log_needs_an_object_for_its_codes():
    meter = Meter("KFM1", clock=Now())
    meter.add(LOG, capture_objects=(Clock().time,))
    with pytest.raises(ConfigurationError, match="captures the Data object"):
        meter.management.record(LOG, {MeterEvent.POWER_UP: 1})
    with pytest.raises(ConfigurationError, match="power_up"):
        parse(METER.replace("power_up = 2", "power_upp = 2"))


def test_what_a_client_writes_is_noted_but_not_twice_that_it_set_the_clock():
    now = Now()
    meter = parse(
        METER.replace("clock_set = 5", "clock_set = 5, parameters_written = 9")
        + '[[object]]\nclass = 1\ninstance = "0.0.96.1.0.255"\nvalue = { unsigned = 1 }\nwritable = ["value"]\n'
        + '[[association]]\nclient = 1\naccess = "manage"\n',
        clock=now,
    )
    association = meter.management.association(1)
    for attribute, value in (
        (AttributeDescriptor(1, Obis("0.0.96.1.0.255"), 2), Unsigned(2)),
        (AttributeDescriptor(8, Clock().instance, 2), Clock().time.encode(DateTime.from_datetime(NOON))),
    ):
        visit = meter.management.visit(association)
        assert members.write(visit, attribute, None, value) is DataAccessResult.SUCCESS
    assert codes(meter) == [2, 9, 5]
