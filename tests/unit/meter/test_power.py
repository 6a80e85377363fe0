"""Power failures: what is missing, what is made up for, what is told of them, and the clock without power."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from behaving import Now, run
from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.behaviour.demand import Growth
from cosem.meter.describe import parse
from cosem.meter.power import LONGEST_OUTAGE, MOST_FAILURES, SHORTEST_REPETITION, Outage
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.classes.data_storage import DemandRegister, ExtendedRegister
from cosem.protocol.values.data import DoubleLongUnsigned, Integer, LongUnsigned
from cosem.protocol.values.dates import ClockStatus, DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from described import (
    CREDIT,
    ENERGY,
    HEAD,
    HOUSEHOLD,
    LOG,
    NOON,
    PROFILE,
    STATUS,
    account,
    fee,
    log,
    profile,
    purse,
    thing,
)

RUNS = ProfileGeneric("0.0.99.98.1.255")
CLOCK = Clock()

MEASURED = (
    HOUSEHOLD
    + thing("Register", "1.0.1.8.0.255")
    + STATUS
    + log(power_down=1, power_up=2)
    + profile(
        "1.0.99.1.0.255",
        "0.0.96.10.1.255:value",
        "1.0.1.8.0.255:value",
        lines=("period = 900", "entries = 200", "past = false"),
    )
    + """
[[status]]
register = "0.0.96.10.1.255"
bits = { data_not_valid = 2, power_down = 7 }
"""
)
FAILED = 1 << 2 | 1 << 7


def made(text: str, now: Now) -> Meter:
    meter = parse(HEAD + text, clock=now)
    meter.settle()
    return meter


def moment(value: Any) -> datetime:
    return DateTime.from_octets(bytes(value)).to_datetime(UTC).astimezone(UTC)


def events(meter: Meter, log: ProfileGeneric = LOG) -> list[tuple[datetime, int]]:
    return [(moment(row[0]), int(row[1])) for row in meter.value(log.buffer)]


def after(**by: float) -> datetime:
    return NOON + timedelta(**by)


# -- what is missing ---------------------------------------------------------------------------------------------------


def test_rows_are_missing_and_those_around_tell_why() -> None:
    now = Now(NOON)
    meter = made(MEASURED, now)
    now.time = after(minutes=40)
    meter.power.down()
    assert not meter.powered
    now.time = after(minutes=100)
    meter.power.up()
    assert meter.powered
    now.time = after(minutes=135)
    rows = [(moment(row[0]), int(row[1])) for row in meter.value(PROFILE.buffer)]
    assert rows == [
        (after(minutes=15), 0),
        (after(minutes=30), 0),
        (after(minutes=105), FAILED),
        (after(minutes=120), 0),
        (after(minutes=135), 0),
    ]
    assert events(meter) == [(NOON, 2), (after(minutes=40), 1), (after(minutes=100), 2)]


@pytest.mark.parametrize("begun", [0, 600, 3599, 3600])
def test_a_meter_that_begins_in_an_outage_has_no_power_until_its_end(begun: int) -> None:
    now = Now(NOON)
    outage = f"[[power]]\nat = {(NOON - timedelta(seconds=begun)).isoformat()}\nlength = 3600\n"
    meter = made(MEASURED + outage, now)
    assert meter.powered is (begun == 3600)
    now.time = after(minutes=61)
    assert meter.powered
    end = NOON + timedelta(seconds=3600 - begun)
    assert events(meter) == [(NOON, 2), *(((NOON, 1), (end, 2)) if begun < 3600 else ())]


def test_energy_stands_still_without_power_and_goes_on_from_there() -> None:
    now = Now(NOON)
    meter, steady = made(MEASURED, now), made(MEASURED, now)
    now.time = after(hours=1)
    before = int(meter.value(ENERGY.value))
    meter.power.down()
    now.time = after(hours=7)
    meter.power.up()
    assert meter.value(ENERGY.value) == before
    missed = int(steady.value(ENERGY.value)) - before
    assert missed > 0
    now.time = after(hours=20)
    assert int(steady.value(ENERGY.value)) - int(meter.value(ENERGY.value)) == pytest.approx(missed, abs=1)
    assert [int(row[2]) for row in meter.value(PROFILE.buffer)][3] == before


def test_without_power_nothing_is_captured_whoever_looks() -> None:
    now = Now(NOON)
    meter = made(MEASURED, now)
    meter.power.down()
    now.time = after(hours=3)
    assert meter.value(PROFILE.buffer) == ()
    meter.settle()
    meter.power.down()  # once is enough
    meter.power.up()
    meter.power.up()
    assert meter.value(PROFILE.buffer) == ()
    assert [code for _, code in events(meter)] == [2, 1, 2]


# -- averages ----------------------------------------------------------------------------------------------------------

DEMAND = DemandRegister("1.0.1.4.0.255")
LAST, MAXIMUM = Register("1.0.1.5.0.255"), ExtendedRegister("1.0.1.6.0.255")


def kilowatt(time: datetime) -> DoubleLongUnsigned:
    """A kilowatt, as what it has brought since noon."""
    return DoubleLongUnsigned(1_000_000 + int((time - NOON).total_seconds() / 3.6))


def a_constant(_: datetime) -> float:
    return 1000.0


@pytest.mark.parametrize("source", [ENERGY.value, a_constant, Growth(kilowatt)], ids=["energy", "samples", "growth"])
@pytest.mark.parametrize(("medium", "flows"), [(1, False), (7, True)])
def test_an_average_counts_the_time_without_power_as_none_of_electricity(source: Any, medium: int, flows: bool) -> None:
    now, demand = Now(NOON), DemandRegister(f"{medium}.0.1.4.0.255")
    meter = Meter("KFM1020012345678", clock=now)
    meter.add(Register(f"{medium}.0.1.8.0.255"), value=kilowatt, scaler_unit=(0, Unit.WATT_HOUR))
    if source is ENERGY.value:
        source = Register(f"{medium}.0.1.8.0.255").value
    meter.add(demand, current_average_value=source, scaler_unit=(0, Unit.WATT), period=900, number_of_periods=2)
    now.time = after(minutes=3)
    meter.power.down()
    now.time = after(minutes=9)
    meter.power.up()
    now.time = after(minutes=12)
    spent = 12 if flows else 6
    average = meter.value(demand.current_average_value)
    assert average == pytest.approx(500 + 1000 * spent / 30, abs=1)
    now.time = after(minutes=30)
    meter.power.down()  # from the end of a period on
    now.time = after(minutes=52.5)
    meter.power.up()
    assert meter.value(demand.last_average_value) == pytest.approx(1000 if flows else 500, abs=1)
    now.time = after(minutes=60)
    assert meter.value(demand.last_average_value) == pytest.approx(1000 if flows else 250, abs=1)
    item = meter.management.find(demand.instance)
    assert item is not None
    assert item.read(meter.management.reading(after(minutes=12)), 2) == average, "what was, stays"


OF_LOAD = (
    HOUSEHOLD.replace("household", "shop")
    + thing("Register", "1.0.1.8.0.255")
    + thing("DemandRegister", "1.0.1.4.0.255")
    + thing("Register", "1.0.1.5.0.255")
    + thing("ExtendedRegister", "1.0.1.6.0.255")
)


def blocks_of(meter: Meter, now: Now, count: int) -> list[int]:
    """What the register of the energy grows by in each quarter of an hour, while somebody looks."""
    totals: list[int] = []
    for _ in range(count + 1):
        totals.append(int(meter.value(ENERGY.value)))
        now.later(minutes=15)
    now.later(minutes=-15)
    return [later - earlier for earlier, later in pairwise(totals)]


def test_averages_and_maxima_of_a_load_are_of_what_the_register_of_its_energy_counts() -> None:
    now = Now(NOON)
    steady = made(OF_LOAD, now)
    grown = blocks_of(steady, now, 6 * 24 * 4)
    highest = NOON + grown.index(max(grown)) * timedelta(minutes=15)
    now.time = NOON
    text = "".join(
        f"[[power]]\nat = {at.isoformat()}\nlength = {length}\n"
        for at, length in ((highest + timedelta(minutes=5), 420), (highest + timedelta(hours=1), 9000))
    )
    meter = made(OF_LOAD + text, now)
    run(meter, MAXIMUM.reset)
    found: list[int] = []
    for _ in range(6 * 24 * 4):
        before = int(meter.value(ENERGY.value))
        now.later(minutes=15)
        found.append(int(meter.value(ENERGY.value)) - before)
        if not meter.powered:
            continue
        assert int(meter.value(LAST.value)) == found[-1] * 4
        assert int(meter.value(DEMAND.last_average_value)) == found[-1] * 4
        assert int(meter.value(MAXIMUM.value)) == max(found) * 4
        assert moment(meter.value(MAXIMUM.capture_time)) == NOON + (found.index(max(found)) + 1) * timedelta(minutes=15)
    assert found.count(0) >= 9
    assert max(found) < max(grown)


def test_what_a_meter_has_endured_before_it_began_left_the_same_as_what_it_lived_through() -> None:
    spans = [(after(hours=1.1), after(hours=1.2)), (after(hours=2), after(hours=5)), (after(hours=7), after(hours=9))]
    counters = "".join(f'[[object]]\nclass = "Data"\ninstance = "0.0.96.7.{e}.255"\n\n' for e in (0, 5, 10, 15))
    found: list[list[Any]] = []
    for begin in (0, 1.1, 1.15, 3, 5, 6, 8, 10):
        now = Now(after(hours=begin))
        meter = made(OF_LOAD + counters, now)
        meter.power.endure(spans)
        assert meter.powered is (begin not in (1.1, 1.15, 3, 8))
        now.time = after(hours=11)
        told = (*(Data(f"0.0.96.7.{e}.255") for e in (0, 5, 10, 15)), ENERGY, LAST, MAXIMUM)
        values = [meter.value(each.value) for each in told]
        found.append([*values, meter.value(DEMAND.last_average_value), meter.power.failures])
    assert all(each == found[0] for each in found)
    assert found[0][:2] == [3, 3]


def test_so_many_failures_are_remembered_and_over_a_restart(tmp_path: Path) -> None:
    state, now = tmp_path / "state", Now(NOON)
    meter = parse(HEAD, clock=now, state=state)
    for _ in range(MOST_FAILURES + 1):
        now.later(seconds=1)
        meter.power.down()
        now.later(seconds=1)
        meter.power.up()
    assert len(meter.power.failures) == MOST_FAILURES
    assert meter.power.failures[0] == (after(seconds=3), after(seconds=4))
    now.later(seconds=1)
    meter.power.down()
    assert meter.power.failures[-1] == (now.time, datetime.max.replace(tzinfo=UTC))
    assert meter.memory is not None
    meter.memory.close()
    again = parse(HEAD + "[supply]\n", clock=now, state=state)
    assert again.power.failures == meter.power.failures


TEMPLATE = HEAD + 'template = "household"\nnumber = 3\n'
CAPTURED, COMPUTED = ProfileGeneric("1.0.99.2.0.255"), ProfileGeneric("1.0.99.1.0.255")


@pytest.mark.parametrize("by", [0, 3, -3])
def test_rows_that_a_template_computes_have_the_gaps_of_those_that_are_captured(by: int) -> None:
    now = Now(NOON)
    spans = (("2026-03-28T13:10:00Z", 3600), ("2026-03-29T03:00:00Z", 900))
    outages = "".join(f"[[power]]\nat = {at}\nlength = {length}\n" for at, length in spans)
    meter = parse(TEMPLATE + outages, clock=now)
    columns = meter.value(COMPUTED.capture_objects)
    meter.add(CAPTURED, capture_objects=columns, capture_period=900, profile_entries=500)
    for _ in range(3):
        now.later(hours=10)
        meter.settle()
        if by:
            meter.set_time(meter.time() + timedelta(hours=by))
    captured = meter.value(CAPTURED.buffer)
    rows: Any = meter.value(COMPUTED.buffer)
    assert len(captured) > 80
    assert rows[-len(captured) :] == captured
    assert len(rows) == meter.value(COMPUTED.profile_entries)
    assert not [row for row in rows if after(minutes=70) < moment(row[0]) <= after(minutes=130)]
    logged = [(at, code) for at, code in events(meter) if code in (1, 2)][-4:]
    assert [code for _, code in logged] == [1, 2, 1, 2]


def test_rows_that_a_template_computes_tell_of_a_failure_where_their_status_is_described() -> None:
    now = Now(NOON)
    bits = '[[status]]\nregister = "0.0.96.10.1.255"\nbits = { data_not_valid = 2, power_down = 7 }\n'
    meter = parse(TEMPLATE + bits, clock=now)
    now.later(minutes=70)
    meter.power.down()
    now.later(minutes=60)
    meter.power.up()
    now.later(minutes=60)
    rows: Any = meter.value(COMPUTED.buffer)
    told = [(moment(row[0]) - NOON, int(row[1])) for row in rows if moment(row[0]) >= after(minutes=45)]
    minutes = {45: 0, 60: 0, 135: FAILED, 150: 0, 165: 0, 180: 0}
    assert told == [(timedelta(minutes=at), status) for at, status in minutes.items()]


def test_a_template_without_power_stands_still_alone_and_in_all_its_registers() -> None:
    now = Now(NOON)
    dark, lit = parse(TEMPLATE, clock=now), parse(TEMPLATE, clock=now)
    codes = [f"1.0.1.8.{rate}.255" for rate in range(3)]
    now.later(minutes=20)
    dark.power.down()
    before = [int(dark.value(Register(code).value)) for code in codes]
    now.later(hours=20)
    assert [int(dark.value(Register(code).value)) for code in codes] == before
    assert all(int(lit.value(Register(code).value)) > then for code, then in zip(codes, before, strict=True))


def test_a_template_without_power_counts_nothing_and_its_rows_say_so() -> None:
    now = Now(NOON)
    meter = parse(TEMPLATE, clock=now)
    now.later(minutes=20)
    meter.power.down()
    before = meter.value(ENERGY.value)
    now.later(minutes=80)
    assert meter.value(ENERGY.value) == before
    meter.power.up()
    assert meter.value(ENERGY.value) == before
    now.later(minutes=10)
    rows: Any = meter.value(COMPUTED.buffer)
    assert [moment(row[0]) - NOON for row in rows[-2:]] == [timedelta(minutes=15), timedelta(minutes=105)]
    assert int(rows[-1][2]) - int(before) < 200, "what came in five minutes"


# -- what is made up for -----------------------------------------------------------------------------------------------

NOTES = '[{n}, [[1, 1, "0.0.96.14.0.255", 2, {{ unsigned = {n} }}], [2, 7, "0.0.99.98.1.255", 2, {{ integer = 0 }}]]]'
RUN = (
    thing("Data", "0.0.96.14.0.255", "value = { unsigned = 0 }")
    + profile("0.0.99.98.1.255", "0.0.96.14.0.255:value")
    + thing(
        "ScriptTable", "0.0.10.0.100.255", f"scripts = [{', '.join(NOTES.format(n=number) for number in range(1, 5))}]"
    )
    + thing(
        "SingleActionSchedule",
        "0.0.15.0.0.255",
        'executed_script = ["0.0.10.0.100.255", 1]',
        "type = 1",
        'execution_time = [["14:00:00", "*-*-*"]]',
    )
    + thing(
        "Schedule",
        "0.0.12.0.0.255",
        "entries = [",
        '[1, true, "0.0.10.0.100.255", 2, "14:30:00", 60, "1111111", "", "*-*-*", "*-*-*"],',
        '[2, true, "0.0.10.0.100.255", 3, "14:30:00", 29, "1111111", "", "*-*-*", "*-*-*"],',
        "]",
    )
)


def test_actions_that_were_missed_run_when_the_power_is_back_as_far_as_their_windows_reach() -> None:
    now = Now(NOON)  # 13:00 there
    meter = made(RUN, now)
    now.time = after(minutes=50)
    meter.power.down()
    now.time = after(hours=2)  # half an hour after the entries
    meter.power.up()
    assert events(meter, RUNS) == [(after(hours=2), 1), (after(hours=2), 2)]
    now.time = after(hours=25)
    assert events(meter, RUNS)[2:] == [(after(hours=24), 1), (after(hours=24.5), 2), (after(hours=24.5), 3)]


def test_a_charge_for_time_is_owed_for_the_time_without_power() -> None:
    now = Now(NOON)
    meter = made(account() + purse(1000) + fee(), now)
    now.time = after(hours=1.5)
    meter.power.down()
    now.time = after(hours=4.5)
    meter.power.up()
    now.time = after(hours=5)
    assert meter.value(CREDIT.current_credit_amount) == 1000 - 5 * 7


# -- what is told ------------------------------------------------------------------------------------------------------

COUNTERS = "".join(
    thing("Register", f"0.0.96.7.{e}.255", 'scaler_unit = [0, "s"]')
    if e in range(15, 21)
    else thing("Data", f"0.0.96.7.{e}.255")
    for e in range(22)
)


def told(meter: Meter) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for e in range(22):
        item = meter.management.find(Obis(f"0.0.96.7.{e}.255"))
        assert item is not None
        found[e] = item.values.get(2)
    return found


@pytest.mark.parametrize("threshold", [None, 60])
def test_failures_are_counted_and_long_ones_timed(threshold: int | None) -> None:
    now = Now(NOON)
    meter = made(COUNTERS, now)
    meter.power.describe(long=timedelta(seconds=180))
    assert told(meter)[20] == 180
    if threshold is not None:
        meter.put(Register("0.0.96.7.20.255").value, threshold)
    limit = threshold or 180
    for length in (limit - 1, limit, 3 * limit):
        began = now.time
        meter.power.down()
        now.later(seconds=length)
        meter.power.up()
        now.later(hours=1)
    found = told(meter)
    assert [found[e] for e in (0, 1, 2, 3, 21)] == [3] * 5
    assert [found[e] for e in range(5, 10)] == [2] * 5
    assert {moment(found[e]) for e in range(10, 15)} == {began}
    assert [found[e] for e in range(15, 20)] == [3 * limit] * 5
    assert found[4] is None  # of auxiliary supply


def test_a_counter_that_is_full_stays_so() -> None:
    now = Now(NOON)
    meter = made('[[object]]\nclass = "Data"\ninstance = "0.0.96.7.21.255"\nvalue = { long-unsigned = 65535 }', now)
    meter.power.down()
    now.later(seconds=1)
    meter.power.up()
    assert meter.value(Data("0.0.96.7.21.255").value) == LongUnsigned(65535)


PUSHES = """
[[object]]
class = "PushSetupVersion0"
instance = "0.4.25.9.0.255"
send_destination_and_method = [0, "127.0.0.1:4060", 0]
push_object_list = [[1, "0.0.42.0.0.255", 2, 0]]
randomisation_start_interval = 600
number_of_retries = 3

[[object]]
class = "PushSetupVersion0"
instance = "0.1.25.9.0.255"
send_destination_and_method = [0, "127.0.0.1:4060", 0]
push_object_list = [[1, "0.0.42.0.0.255", 2, 0]]

[[object]]
class = "Data"
instance = "0.0.97.98.0.255"
value = { unsigned = 0 }

[[push]]
instance = "0.4.25.9.0.255"
on = ["power_down"]

[[alarms]]
register = "0.0.97.98.0.255"
bits = { power_down = 0 }
push = "0.1.25.9.0.255"
"""


def test_a_last_gasp_goes_at_once_and_no_other_push() -> None:
    now = Now(NOON)
    meter = made(PUSHES, now)
    item = meter.management.find(Obis("0.4.25.9.0.255"))
    assert item is not None
    meter.pushes.begin(meter.management, item, meter.time())  # an earlier one, which is lost
    meter.power.down()
    assert meter.pushes.running == {(1, Obis("0.4.25.9.0.255"))}
    meter.pushes.tick(meter.time())
    [attempt] = meter.pushes.outgoing()
    meter.pushes.failed(attempt, meter.time(), "nobody")
    assert meter.pushes.deadline() is None
    assert meter.value(Data("0.0.97.98.0.255").value) == 1


def test_a_restart_breaks_connections_and_is_noted_and_pushed_as_power_that_comes() -> None:
    now = Now(NOON)
    meter = made(MEASURED + PUSHES.replace('on = ["power_down"]', 'on = ["power_up"]'), now)
    meter.pushes.lose()  # that of the beginning
    before, cut = events(meter), list[str]()
    now.later(minutes=20)
    with meter.power.cutting(lambda: cut.append("one")), meter.power.cutting(lambda: cut.append("other")):
        meter.power.restart()
    assert sorted(cut) == ["one", "other"]
    assert events(meter)[len(before) :] == [(after(minutes=20), 2)]
    assert meter.pushes.running == {(1, Obis("0.4.25.9.0.255"))}
    assert meter.powered and not meter.power.failures


# -- the clock ---------------------------------------------------------------------------------------------------------


def status(meter: Meter) -> list[int | None]:
    return [meter.value(CLOCK.status), meter.value(CLOCK.time).status]


def failed(reserve: int | None, hours: float) -> tuple[Meter, Now]:
    now = Now(NOON)
    meter = made("" if reserve is None else f"[supply]\nclock_reserve = {reserve}", now)
    meter.power.down()
    now.later(hours=hours)
    meter.power.up()
    return meter, now


@pytest.mark.parametrize(("reserve", "hours"), [(None, 5000), (7200, 1), (7200, 2)])
def test_the_clock_goes_on_without_power_as_long_as_it_can(reserve: int | None, hours: float) -> None:
    meter, now = failed(reserve, hours)
    assert meter.time() == now.time
    assert not any(each and each & ClockStatus.INVALID for each in status(meter))


@pytest.mark.parametrize("reserve", [0, 7199])
def test_a_clock_that_stood_is_invalid_until_somebody_sets_it(reserve: int) -> None:
    meter, now = failed(reserve, 2)
    assert meter.time() == NOON + timedelta(seconds=reserve)
    assert all(each is not None and each & ClockStatus.INVALID for each in status(meter))
    visit = meter.management.visit()
    item = meter.management.find(Obis("0.0.1.0.0.255"))
    assert item is not None
    for method, argument in ((6, CLOCK.shift_time.argument.encode(60)), (1, Integer(0))):  # neither knows the time
        item.behaviour.methods[method](meter.management.visit(), item, argument)
        assert all(each is not None and each & ClockStatus.INVALID for each in status(meter))
    written = CLOCK.time.encode(DateTime.from_datetime(now.time))
    item.behaviour.writes[2](visit, item, written)
    assert meter.time() == now.time
    assert status(meter) == [0, 0]


# -- by a script -------------------------------------------------------------------------------------------------------

SCRIPT = """
[[power]]
at = 2026-03-28T14:00:00+01:00
length = 3600
every = 86400

[[power]]
at = 2026-03-28T14:30:00+01:00
length = 3600
"""


def test_a_script_comes_to_the_same_however_often_somebody_looks() -> None:
    meters: list[Meter] = []
    for step in (3, 100, 3000):
        now = Now(NOON)
        meters.append(made(MEASURED + SCRIPT, now))
        while now.time < after(minutes=3000):
            now.later(minutes=step)
            meters[-1].settle()
    first = meters[0]
    for other in meters[1:]:
        assert other.value(PROFILE.buffer) == first.value(PROFILE.buffer)
        assert events(other) == events(first)
    changes = [(after(hours=1), 1), (after(hours=2.5), 2)]
    assert events(first)[1:3] == changes
    assert events(first)[3:] == [(after(hours=25), 1), (after(hours=26), 2), (after(hours=49), 1), (after(hours=50), 2)]


def test_a_script_and_whoever_calls_do_not_undo_each_other() -> None:
    now = Now(NOON)
    meter = made(MEASURED + SCRIPT, now)
    now.time = after(hours=2)
    meter.power.up()  # the outage goes on
    assert not meter.powered
    meter.power.down()
    now.time = after(hours=3)
    assert not meter.powered
    meter.power.up()
    assert meter.powered
    assert events(meter)[1:] == [(after(hours=1), 1), (after(hours=3), 2)]


def test_outages_before_a_meter_began_are_none_of_its() -> None:
    now = Now(after(days=30, hours=5))
    meter = made(MEASURED + SCRIPT, now)
    assert [code for _, code in events(meter)] == [2]
    assert meter.power.deadline() == after(days=31, hours=1)


def test_a_meter_without_power_comes_up_without_it(tmp_path: Path) -> None:
    state, now = tmp_path / "state", Now(NOON)
    text = HEAD + MEASURED + SCRIPT.replace("every = 86400\n", "")
    steady = made(MEASURED + SCRIPT.replace("every = 86400\n", ""), now)
    codes: list[list[int]] = []
    for hours in (0.5, 1.2, 1.4, 4):
        now.time = after(hours=hours)
        meter = parse(text, clock=now, state=state)
        codes.append([code for _, code in events(meter)])
        assert meter.powered is (hours in (0.5, 4))
        assert meter.memory is not None
        meter.memory.close()
    assert steady.powered
    assert codes == [[2], [2, 1], [2, 1], [2, 1, 2, 2]]  # at last the outage is over, and the program starts


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[[power]]\nlength = 5", r"\[\[power\]\] 1: at: this key is missing"),
        ("[[power]]\nat = 2026-03-28T14:00:00+01:00", "length: this key is missing"),
        ("[[power]]\nat = 2026-03-28T14:00:00\nlength = 5", "a time with its offset"),
        ('[[power]]\nat = "noon"\nlength = 5', "a time with its offset"),
        ("[[power]]\nat = 2026-03-28T14:00:00Z\nlength = 0", "length: above 0"),
        ("[[power]]\nat = 2026-03-28T14:00:00Z\nlength = -1", "length: expected 0 to"),
        ("[[power]]\nat = 2026-03-28T14:00:00Z\nlength = 5\nevery = 3599", "every: 3600 seconds or more"),
        ("[[power]]\nat = 2026-03-28T14:00:00Z\nlength = 5\nmore = 1", "more: this key is not known"),
        ("[supply]\nclock_reserve = -1", "clock_reserve: expected 0 to"),
        ("[supply]\nbattery = 7", "battery: this key is not known"),
    ],
)
def test_a_description_that_is_wrong_says_where(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        parse(HEAD + text)


def test_limits_of_an_outage() -> None:
    second = timedelta(seconds=1)
    Outage(at=NOON, length=LONGEST_OUTAGE)
    Outage(at=NOON, length=second, every=SHORTEST_REPETITION)
    Outage(at=NOON, length=2 * SHORTEST_REPETITION, every=2 * SHORTEST_REPETITION)
    for wrong in (
        {"length": LONGEST_OUTAGE + second},
        {"length": timedelta()},
        {"length": second, "every": SHORTEST_REPETITION - second},
        {"length": 2 * SHORTEST_REPETITION + second, "every": 2 * SHORTEST_REPETITION},
        {"length": second, "every": LONGEST_OUTAGE + second},
    ):
        with pytest.raises(ConfigurationError):
            Outage(at=NOON, **wrong)  # type: ignore[arg-type]
