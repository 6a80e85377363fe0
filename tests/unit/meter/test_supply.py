"""Behind an open breaker nothing flows: power and current are zero, and energy stands still, wherever it is shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.behaving import Now, run, write

from cosem.meter import Meter
from cosem.meter.behaviour import disconnect_control
from cosem.meter.demo import household
from cosem.meter.describe import parse
from cosem.meter.loads import Load, figure
from cosem.protocol.model import Clock, ProfileGeneric, Register
from cosem.protocol.model.classes.data_storage import DemandRegister, ExtendedRegister, RegisterActivation
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.dates import DateTime

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 7, 1, 10, tzinfo=UTC)
BREAKER = DisconnectControl()
ENERGY, DAY, NIGHT = (Register(f"1.0.1.8.{rate}.255") for rate in range(3))
POWER, CURRENT, VOLTAGE = (Register(f"1.0.{code}.7.0.255") for code in (1, 31, 32))
WATER = Register("8.0.1.0.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")

HEAD = """
[meter]
name = "KFM1020000000001"
zone = "Europe/Berlin"

[load]
kind = "{kind}"
seed = 7

[[object]]
class = "DisconnectControl"
instance = "{breaker}"
control_state = {state}
"""
ROWS = """
[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value", "1.0.1.7.0.255:value"]
period = 900
entries = 200
"""
STATE = """
[state]
path = "mine"
"""


def register(shown: Any, kind: str = "Register") -> str:
    return f'[[object]]\nclass = "{kind}"\ninstance = "{shown.instance}"\n'


SHOWN = "".join(map(register, (ENERGY, DAY, NIGHT, POWER, CURRENT, VOLTAGE)))


def of(
    *tables: str,
    now: Now,
    kind: str = "household",
    breaker: str = "0.0.96.3.10.255",
    state: int = 1,
    folder: Any = None,
) -> Meter:
    head = HEAD.format(kind=kind, breaker=breaker, state=state)
    return parse(head + "".join(tables), clock=now, **({} if folder is None else {"folder": folder}))


def number(meter: Meter, shown: Register) -> int:
    return int(meter.value(shown.value))


def worth(name: str, time: datetime) -> float:
    return figure(name).worth(7, Load(7, BERLIN).seconds(time))


def test_energy_stands_still_and_power_and_current_are_zero_while_it_is_open() -> None:
    begin = NOON + timedelta(minutes=7)
    now = Now(begin)
    meter = of(SHOWN, ROWS, now=now)
    before = number(meter, ENERGY)
    assert number(meter, POWER) > 0 < number(meter, CURRENT)
    run(meter, BREAKER.remote_disconnect)
    for _ in range(5):
        now.later(hours=5, minutes=7)
        assert [number(meter, each) for each in (ENERGY, POWER, CURRENT)] == [before, 0, 0]
        assert number(meter, DAY) + number(meter, NIGHT) == before
        assert number(meter, VOLTAGE) > 2000
    run(meter, BREAKER.remote_reconnect)
    since = now.time
    assert number(meter, ENERGY) == before
    assert number(meter, POWER) == int(worth("household.active_import_power", since))
    now.later(hours=9)
    grown = worth("household.active_import", now.time) - worth("household.active_import", since)
    assert number(meter, ENERGY) - before == pytest.approx(grown, abs=2)
    assert number(meter, ENERGY) == number(meter, DAY) + number(meter, NIGHT)
    rows = meter.value(PROFILE.buffer)
    dark = [row for row in rows if begin < moment(row[0]) <= since]
    assert len(dark) == 102 and {int(row[1]) for row in dark} == {before} and {int(row[2]) for row in dark} == {0}
    lit = [row for row in rows if row not in dark]
    assert [int(row[2]) for row in lit] == [int(worth("household.active_import_power", moment(row[0]))) for row in lit]


def moment(value: Any) -> datetime:
    return DateTime.from_octets(bytes(value)).to_datetime(UTC)


def test_totals_never_run_back_however_often_it_opens() -> None:
    now = Now(NOON)
    meter = of(SHOWN, now=now)
    shown: list[list[int]] = []
    for place in range(60):
        run(meter, BREAKER.remote_reconnect if place % 2 else BREAKER.remote_disconnect)
        for _ in range(4):
            shown.append([number(meter, each) for each in (ENERGY, DAY, NIGHT)])
            now.later(seconds=97 * (place % 7) + 1)
    for before, after in pairwise(shown):
        assert all(earlier <= later for earlier, later in zip(before, after, strict=True))
    assert all(total == day + night for total, day, night in shown)
    assert shown[-1][0] > shown[0][0]


def test_averages_and_maxima_of_demand_know_of_it() -> None:
    now = Now(NOON)
    demand, last, largest = (
        DemandRegister("1.0.1.4.0.255"),
        Register("1.0.1.5.0.255"),
        ExtendedRegister("1.0.1.6.0.255"),
    )
    kinds = ("DemandRegister", "Register", "ExtendedRegister")
    meter = of(*(register(each, kind) for each, kind in zip((demand, last, largest), kinds, strict=True)), now=now)
    run(meter, largest.reset)
    now.later(minutes=5)
    run(meter, BREAKER.remote_disconnect)
    grown = worth("household.active_import", now.time) - worth("household.active_import", NOON)
    now.later(minutes=10)
    for shown in (demand.last_average_value, last.value, largest.value):
        assert int(meter.value(shown)) == pytest.approx(grown * 4, abs=4)
    now.later(minutes=15)
    assert [int(meter.value(shown)) for shown in (demand.last_average_value, last.value)] == [0, 0]
    assert int(meter.value(demand.current_average_value)) == 0


LIMITER = """
[[object]]
class = "ScriptTable"
instance = "0.0.10.0.106.255"
scripts = [[1, [[2, 70, "0.0.96.3.10.255", 1, 0]]], [2, [[2, 70, "0.0.96.3.10.255", 2, 0]]]]

[[object]]
class = "Limiter"
instance = "0.0.17.0.0.255"
monitored_value = [3, "1.0.1.7.0.255", 2]
threshold_normal = 50
min_over_threshold_duration = 60
min_under_threshold_duration = 600
actions = [["0.0.10.0.106.255", 1], ["0.0.10.0.106.255", 2]]
"""


def test_a_limiter_that_opened_it_falls_under_its_threshold() -> None:
    now = Now(NOON)
    meter = of(SHOWN, LIMITER, now=now)
    meter.settle()
    assert number(meter, POWER) > 50
    now.later(minutes=2)
    meter.settle()
    assert meter.value(BREAKER.output_state) is False
    assert number(meter, POWER) == 0
    now.later(minutes=10)
    meter.settle()
    assert meter.value(BREAKER.output_state) is True, "under the threshold for ten minutes"


def test_it_stays_so_over_a_restart(tmp_path: Path) -> None:
    now = Now(NOON)
    meter = of(SHOWN, ROWS, STATE, now=now, folder=tmp_path)
    before = number(meter, ENERGY)
    for method in (BREAKER.remote_disconnect, BREAKER.remote_reconnect, BREAKER.remote_disconnect):
        now.later(hours=2)
        run(meter, method)
    now.later(hours=3)
    told = [number(meter, each) for each in (ENERGY, DAY, NIGHT, POWER)]
    assert told[-1] == 0 < told[0] - before < number(of(SHOWN, now=now), ENERGY) - before
    rows = meter.value(PROFILE.buffer)
    meter.keep()
    assert meter.memory is not None
    meter.memory.close()
    now.later(hours=3)
    again = of(SHOWN, ROWS, STATE, now=now, folder=tmp_path)
    assert [number(again, each) for each in (ENERGY, DAY, NIGHT, POWER)] == told
    assert again.value(PROFILE.buffer)[:-12][-100:] == rows[-100:]
    run(again, BREAKER.remote_reconnect)
    now.later(hours=3)
    assert number(again, ENERGY) > told[0]


def test_a_breaker_that_is_described_open_is_open_from_the_beginning() -> None:
    now = Now(NOON)
    meter = of(SHOWN, now=now, state=0)
    before = number(meter, ENERGY)
    assert before == int(worth("household.active_import_t1", NOON)) + int(worth("household.active_import_t2", NOON))
    now.later(days=1)
    assert [number(meter, ENERGY), number(meter, POWER)] == [before, 0]


@pytest.mark.parametrize("by", [timedelta(hours=3), -timedelta(hours=3)])
def test_the_clock_may_be_set_while_it_is_open(by: timedelta) -> None:
    now = Now(NOON)
    meter = of(SHOWN, now=now)
    now.later(hours=1)
    run(meter, BREAKER.remote_disconnect)
    before = number(meter, ENERGY)
    now.later(hours=1)
    write(meter, Clock().time, DateTime.from_datetime(meter.time() + by))
    assert [number(meter, ENERGY), number(meter, POWER)] == [before, 0]
    run(meter, BREAKER.remote_reconnect)
    now.later(hours=1)
    later = number(meter, ENERGY)
    assert later > before
    now.later(hours=4)
    assert number(meter, ENERGY) > later


def test_the_power_may_fail_while_it_is_open_and_registers_be_switched_and_reset() -> None:
    switched = '[[object]]\nclass = "RegisterActivation"\ninstance = "0.0.14.0.0.255"\n' + (
        'register_assignment = [[3, "1.0.1.8.1.255"], [3, "1.0.1.8.2.255"]]\n'
        'mask_list = [["one", [1]], ["two", [2]]]\nactive_mask = "one"\n'
    )
    now = Now(NOON)
    meter = of(SHOWN, switched, now=now)
    run(meter, BREAKER.remote_disconnect)
    before = [number(meter, each) for each in (ENERGY, DAY, NIGHT)]
    now.later(hours=1)
    meter.power.down()
    now.later(hours=1)
    meter.power.up()
    now.later(hours=1)
    write(meter, RegisterActivation("0.0.14.0.0.255").active_mask, b"two")
    now.later(hours=1)
    assert [number(meter, each) for each in (ENERGY, DAY, NIGHT)] == before
    run(meter, ENERGY.reset)
    now.later(hours=1)
    assert number(meter, ENERGY) == 0
    run(meter, BREAKER.remote_reconnect)
    now.later(hours=1)
    grown = number(meter, ENERGY)
    assert grown > 0
    assert [number(meter, each) for each in (DAY, NIGHT)] == [before[1], before[2] + grown]


def test_a_template_with_a_breaker_has_it_in_its_rows_too() -> None:
    now = Now(NOON)
    text = '[meter]\nname = "KFM1020000000001"\ntemplate = "household"\nnumber = 7\n'
    meter = parse(text + '[[object]]\nclass = "DisconnectControl"\ninstance = "0.0.96.3.10.255"\n', clock=now)
    before = meter.value(PROFILE.buffer)
    total, power = number(meter, ENERGY), number(meter, POWER)
    assert power > 0
    run(meter, BREAKER.remote_disconnect)
    now.later(hours=6)
    assert [number(meter, each) for each in (ENERGY, POWER, CURRENT)] == [total, 0, 0]
    rows = meter.value(PROFILE.buffer)
    assert rows[:-24] == before[24:], "what was before stays"
    assert {int(row[2]) for row in rows[-24:]} == {total}


def test_a_meter_of_the_demonstration_can_be_given_one() -> None:
    now = Now(NOON)
    meter, other = (household(7, clock=now) for _ in range(2))
    for each in (meter, other):
        each.add(BREAKER)
    before = number(meter, ENERGY)
    run(meter, BREAKER.remote_disconnect)
    now.later(hours=6)
    assert number(meter, ENERGY) == before < number(other, ENERGY)


@pytest.mark.parametrize(
    ("kind", "total", "rate"),
    [
        ("gas", "7.0.3.0.0.255", "7.0.43.0.0.255"),
        ("water", "8.0.1.0.0.255", "8.0.2.0.0.255"),
        ("heat", "6.0.1.0.0.255", "6.0.8.0.0.255"),
    ],
)
def test_a_valve_stops_what_flows_in_a_pipe(kind: str, total: str, rate: str) -> None:
    now = Now(NOON)
    meter = of(register(Register(total)), register(Register(rate)), now=now, kind=kind)
    before = number(meter, Register(total))
    run(meter, BREAKER.remote_disconnect)
    now.later(hours=20)
    assert [number(meter, Register(each)) for each in (total, rate)] == [before, 0]
    run(meter, BREAKER.remote_reconnect)
    now.later(hours=20)
    assert number(meter, Register(total)) > before


def test_other_media_and_other_breakers_are_not_concerned() -> None:
    now = Now(NOON)
    meter = of(register(WATER), now=now)
    run(meter, BREAKER.remote_disconnect)
    relay = of(SHOWN, now=now, breaker="0.2.96.3.10.255")
    run(relay, DisconnectControl("0.2.96.3.10.255").remote_disconnect)
    before = number(meter, WATER), number(relay, ENERGY)
    now.later(hours=20)
    assert number(meter, WATER) > before[0]
    assert number(relay, ENERGY) > before[1]


def test_whoever_simulates_a_hand_at_it_is_followed() -> None:
    now = Now(NOON)
    meter = of(SHOWN, now=now)
    before = number(meter, ENERGY)
    meter.put(BREAKER.output_state, False)
    now.later(hours=2)
    assert [number(meter, each) for each in (ENERGY, POWER)] == [before, 0]
    meter.put(BREAKER.output_state, True)
    now.later(hours=2)
    assert number(meter, ENERGY) > before


@pytest.mark.parametrize(("times", "remembered"), [(7, 7), (8, 8), (9, 5)])
def test_more_openings_than_a_breaker_remembers_leave_its_state_right(
    monkeypatch: pytest.MonkeyPatch, times: int, remembered: int
) -> None:
    monkeypatch.setattr(disconnect_control, "MOST_CHANGES", 8)
    now = Now(NOON)
    meter = of(SHOWN, now=now)
    for place in range(times):
        now.later(minutes=1)
        run(meter, BREAKER.remote_reconnect if place % 2 else BREAKER.remote_disconnect)
    item = meter.management.find(BREAKER.instance)
    assert item is not None
    opened = times % 2 == 1
    assert (item.state.is_open, len(item.state.changes)) == (opened, remembered)
    before = number(meter, ENERGY)
    now.later(hours=1)
    assert [number(meter, ENERGY) == before, number(meter, POWER) == 0] == [opened, opened]
