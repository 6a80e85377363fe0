"""What somebody operates in one of many meters: it acts there, its totals never jump, and all others sleep on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from behaving import Now, run, write
from cosem.errors import ConfigurationError
from cosem.fleet.effects import Effects
from cosem.fleet.population import Population, PopulationLimits
from cosem.fleet.scenario import FirmwareWave, Outage, Scenario, TariffChange, TariffForm
from cosem.meter import Access, AssociationDescription, Meter, Rights
from cosem.meter.behaviour.activity_calendar import take_over
from cosem.meter.demo import EVENT_LOG, LOAD_PROFILE, household
from cosem.meter.describe import parse
from cosem.meter.loads import KINDS, electricity
from cosem.meter.memory import remember
from cosem.meter.operated import (
    BREAKER,
    CALENDAR,
    IMAGE,
    SPECIAL_DAYS,
    SWITCHED,
    TARIFF,
    TARIFF_SCRIPTS,
    TARIFFS,
)
from cosem.protocol.apdu.action import ActionResult
from cosem.protocol.model import Data, ProfileGeneric, Register
from cosem.protocol.model.classes.access_control import ImageTransferStatus
from cosem.protocol.model.classes.data_storage import RegisterActivationMask
from cosem.protocol.model.classes.time_and_event import (
    ActionSpecification,
    ControlState,
    DayProfile,
    DayProfileAction,
    Script,
    ScriptTable,
    Season,
    ServiceId,
    SpecialDay,
    WeekProfile,
)
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import Integer, LongUnsigned
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.store.state import open_state
from described import act

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 2, 11, 7, tzinfo=UTC)  # a Monday
TOTAL, FIRST, SECOND, EXPORT = (Register(f"1.0.{c}.8.{e}.255") for c, e in ((1, 0), (1, 1), (1, 2), (2, 0)))
POWER, VOLTAGE = Register("1.0.1.7.0.255"), Register("1.0.32.7.0.255")
FIRMWARE = Data("1.0.0.2.0.255")


def population(now: Now, **settings: Any) -> Population:
    return Population(10, clock=now, zone=BERLIN, limits=PopulationLimits(ready=1), **settings)


def values(meter: Meter) -> tuple[int, ...]:
    return tuple(int(meter.value(each.value)) for each in (TOTAL, FIRST, SECOND))


def rows(meter: Meter) -> dict[bytes, tuple[int, ...]]:
    return {bytes(row[0]): tuple(map(int, row[1:])) for row in meter.value(LOAD_PROFILE.buffer)}


def codes(meter: Meter) -> list[int]:
    return [int(row[1]) for row in meter.value(EVENT_LOG.buffer)]


def give(meter: Meter, *course: tuple[Time, int]) -> None:
    """Write a passive calendar of which every day has one course."""
    actions = tuple(DayProfileAction(at, TARIFF_SCRIPTS.instance, rate) for at, rate in course)
    write(meter, CALENDAR.calendar_name_passive, b"new")
    write(meter, CALENDAR.season_profile_passive, (Season(b"all", DateTime(), b"all"),))
    write(meter, CALENDAR.week_profile_table_passive, (WeekProfile(b"all", *(7 * (1,))),))
    write(meter, CALENDAR.day_profile_table_passive, (DayProfile(1, actions),))


# -- asleep ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", sorted(KINDS))
def test_what_can_be_operated_depends_on_the_load_and_sleeps(load: str) -> None:
    meter = household(3, clock=Now(START), load=load)
    found = {each for each in (BREAKER, IMAGE, CALENDAR, SPECIAL_DAYS, TARIFF_SCRIPTS, TARIFFS) if each_in(meter, each)}
    expected = {BREAKER} if load in SWITCHED else set[Any]()
    if load in electricity.KINDS:
        expected |= {IMAGE, CALENDAR, SPECIAL_DAYS, TARIFF_SCRIPTS, TARIFFS}
    assert found == expected
    for item in meter.management.items():
        for index in item.attributes():
            item.read(meter.management.visit(), index)
    assert meter.untouched
    assert meter.management.timed == ()


def each_in(meter: Meter, address: Any) -> bool:
    item = meter.management.find(address.instance)
    return item is not None and item.class_id == address.class_id


def test_a_meter_whose_clock_was_set_has_nothing_to_look_after() -> None:
    meters = population(Now(START))
    with meters.visit(1) as meter:
        meter.set_time(START + timedelta(hours=1))
        write(meter, BREAKER.control_mode, meter.value(BREAKER.control_mode))
        assert not meter.untouched
        assert meter.management.timed == ()


def test_a_description_takes_the_place_of_what_sleeps() -> None:
    breaker = '[[object]]\nclass = "DisconnectControl"\ninstance = "0.0.96.3.10.255"\ncontrol_mode = 2\n'
    text = '[meter]\nname = "KFM1020012345678"\ntemplate = "household"\n'
    assert parse(text + breaker, clock=Now(START)).value(BREAKER.control_mode) == 2
    with pytest.raises(ConfigurationError, match="already"):
        parse(text + breaker + breaker, clock=Now(START))


# -- breaker -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("set_before", [False, True])
def test_an_open_breaker_stops_what_is_measured_in_this_meter_alone(set_before: bool) -> None:
    now = Now(START)
    meters = population(now)
    with meters.visit(2) as meter, meters.visit(5) as other:
        for each in (meter, other) if set_before else ():
            each.set_time(START + timedelta(seconds=5))
            write(each, BREAKER.control_mode, each.value(BREAKER.control_mode))
        before = values(meter)
        run(meter, BREAKER.remote_disconnect)
        assert values(meter) == before
        now.later(hours=5)
        assert values(meter) == before
        assert (meter.value(POWER.value), meter.value(BREAKER.control_state)) == (0, ControlState.DISCONNECTED)
        assert meter.value(VOLTAGE.value) > 2000
        assert other.value(POWER.value) > 0
        assert other.value(TOTAL.value) == household(5, clock=now, zone=BERLIN).value(TOTAL.value)
        assert other.value(BREAKER.output_state) is True
    with meters.visit(6), meters.visit(7):
        pass  # meter 5 is forgotten where nobody changed it
    assert meters.changed == (2 if set_before else 1)
    now.later(hours=1)
    free = household(2, clock=now, zone=BERLIN)
    with meters.visit(2) as meter:
        run(meter, BREAKER.remote_reconnect)
        closed = int(free.value(TOTAL.value))
        assert values(meter) == before
        now.later(hours=30)
        assert abs(int(meter.value(TOTAL.value)) - before[0] - (int(free.value(TOTAL.value)) - closed)) <= 2
        assert values(meter)[0] == sum(values(meter)[1:])
        assert codes(meter)[-2:] == [62, 63]
        captured = rows(meter)
        open_for = DateTime.from_datetime((START + timedelta(hours=2, minutes=8)).astimezone(BERLIN)).octets
        if not set_before:
            assert captured[open_for][1] == before[0]


def test_what_one_breaker_remembers_is_not_what_another_does() -> None:
    """Both had objects of their own before, which were copied from the same ones."""
    now = Now(START)
    meters = population(now)
    with meters.visit(2) as first, meters.visit(5) as second:
        for each in (first, second):
            write(each, BREAKER.control_mode, each.value(BREAKER.control_mode))
        run(first, BREAKER.remote_disconnect)
        stood = values(first)
        now.later(hours=2)
        run(second, BREAKER.remote_disconnect)
        also = values(second)
        assert also == values(household(5, clock=now, zone=BERLIN))
        now.later(hours=2)
        assert (values(first), values(second)) == (stood, also)
        assert (first.value(POWER.value), second.value(POWER.value)) == (0, 0)


@pytest.mark.parametrize(("load", "code"), [("gas", "7.0.3.0.0.255"), ("water", "8.0.1.0.0.255")])
def test_a_closed_valve_stops_what_flows(load: str, code: str) -> None:
    now = Now(START)
    meter = household(4, clock=now, load=load)
    run(meter, BREAKER.remote_disconnect)
    stood = meter.value(Register(code).value)
    now.later(days=2)
    assert meter.value(Register(code).value) == stood
    assert household(4, clock=now, load=load).value(Register(code).value) > stood


@pytest.mark.parametrize("tariffs", [(), (TariffChange(at=START - timedelta(days=1), form=TariffForm.SWAPPED),)])
def test_a_breaker_counts_in_a_scenario_too(tariffs: tuple[TariffChange, ...]) -> None:
    now = Now(START)
    outage = Outage(at=START - timedelta(hours=5), length=timedelta(hours=2))
    meters = population(now, effects=Effects(Scenario(outages=(outage,), tariffs=tariffs), 10))
    with meters.visit(2) as meter:
        before = values(meter)
        run(meter, BREAKER.remote_disconnect)
        now.later(hours=3)
        assert values(meter) == before
        run(meter, BREAKER.remote_reconnect)
        assert values(meter) == before
        now.later(hours=9)
        assert values(meter)[0] > before[0] + 100
        assert sum(values(meter)[1:]) - sum(before[1:]) == values(meter)[0] - before[0]


def test_a_breaker_that_opened_in_vain_lets_flow_what_a_scenario_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script opens it and captures, so that somebody has seen it open, and is undone as it cannot be kept."""
    now, snapshot, script = Now(START), ProfileGeneric("1.0.98.9.0.255"), ScriptTable("0.0.10.0.106.255")
    outage = Outage(at=START - timedelta(hours=5), length=timedelta(hours=2))
    meter, other = (population(now, effects=Effects(Scenario(outages=(outage,)), 10)).make(2) for _ in range(2))
    meter.offer(AssociationDescription(client=1, rights=Rights(Access.MANAGE)))
    captured = [CaptureObject(Register.class_id, TOTAL.instance, TOTAL.value.index, 0)]
    meter.add(snapshot, capture_objects=captured, capture_period=0, profile_entries=3, buffer=())
    actions = tuple(
        ActionSpecification(ServiceId.EXECUTE_METHOD, each.class_id, each.instance, each.index, Integer(0))
        for each in (BREAKER.remote_disconnect, snapshot.capture)
    )
    meter.add(script, scripts=(Script(1, actions),))
    memory = remember(meter, store := open_state(tmp_path / "state"))
    with monkeypatch.context() as full:
        full.setattr(store, "commit", refuse)
        assert act(meter, script.execute, LongUnsigned(1)) is ActionResult.HARDWARE_FAULT
    now.later(hours=3)
    assert values(meter) == values(other)
    memory.close()


def refuse(_: object) -> None:
    raise ConfigurationError("no space left")


# -- calendar ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "zone",
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "Antarctica/Troll"],
)
@pytest.mark.parametrize("form", list(TariffForm))
def test_the_calendar_says_what_is_measured_all_year(zone: str, form: TariffForm) -> None:
    """The calendar is run by the activity calendar, and the tariff is computed: neither knows of the other."""
    now = Now(START)
    scenario = Scenario(tariffs=(TariffChange(at=datetime(2025, 1, 1, tzinfo=UTC), form=form),))
    meters = Population(1, clock=now, zone=ZoneInfo(zone), effects=Effects(scenario, 1))
    for day in range(0, 400, 3):
        with meters.visit(0) as meter:
            for half in range(0, 48, 6 if day % 9 else 1):
                now.time = datetime(2026, 1, 1, 0, 1, tzinfo=UTC) + timedelta(days=day, minutes=30 * half)
                visit = meter.management.visit()
                computed = int(meter.value(TARIFF.value))
                assert meter.value(TARIFFS.active_mask) == b"%d" % computed
                if half % 12:
                    continue
                alone = meters.make(0)
                item = alone.management.find(CALENDAR.instance)
                assert item is not None
                take_over(alone.management.visit(), item)
                assert alone.value(TARIFFS.active_mask) == b"%d" % computed, visit.time


@pytest.mark.parametrize("by_time", [False, True])
def test_another_calendar_shares_out_what_comes_and_moves_no_total(by_time: bool) -> None:
    now = Now(START)
    meters = population(now)
    with meters.visit(4) as meter:
        captured = rows(meter)
        give(meter, (Time(0, 0, 0, 0), 2), (Time(18, 0, 0, 0), 1))
        assert meter.value(CALENDAR.calendar_name_active) == b"usual"
        if by_time:
            at = (START + timedelta(minutes=13)).astimezone(BERLIN)
            write(meter, CALENDAR.activate_passive_calendar_time, DateTime.from_datetime(at))
    now.later(minutes=13)
    before = values(household(4, clock=now, zone=BERLIN))
    with meters.visit(4) as meter:
        if not by_time:
            assert (values(meter), meter.value(TARIFF.value)) == (before, 1)
            run(meter, CALENDAR.activate_passive_calendar)
        assert values(meter) == before
        assert meter.value(CALENDAR.calendar_name_active) == b"new"
        assert (meter.value(TARIFF.value), meter.value(TARIFFS.active_mask)) == (2, b"2")
        assert codes(meter)[-1] == 9
    now.later(hours=2)
    with meters.visit(4) as meter:
        total, first, second = values(meter)
        assert total == household(4, clock=now, zone=BERLIN).value(TOTAL.value)
        assert (first, second - before[2]) == (before[1], total - before[0])
    now.later(days=3)
    with meters.visit(4) as meter:
        total, first, second = values(meter)
        assert total == first + second == int(household(4, clock=now, zone=BERLIN).value(TOTAL.value))
        assert first > before[1]
        later = rows(meter)
        assert all(total == first + second for _, total, first, second, _ in later.values())
        assert all(later[at] == row for at, row in captured.items() if at in later)
        assert sum(at in later for at in captured) > 500


def test_an_empty_calendar_leaves_the_tariff_as_it_is() -> None:
    now = Now(START)
    meter = household(4, clock=now, zone=BERLIN)
    before = values(meter)
    run(meter, CALENDAR.activate_passive_calendar)
    now.later(days=2)
    total, first, second = values(meter)
    assert (second, first - before[1]) == (before[2], total - before[0])


def test_a_special_day_is_one() -> None:
    now = Now(START)
    meter = household(4, clock=now, zone=BERLIN)
    untouched = household(4, clock=now, zone=BERLIN)
    tomorrow = START.date() + timedelta(days=1)
    run(meter, SPECIAL_DAYS.insert, SpecialDay(1, Date(tomorrow.year, tomorrow.month, tomorrow.day), 77))
    assert values(meter) == values(untouched)
    now.time = datetime(
        2026, 3, 3, 5, 30, tzinfo=UTC
    )  # half past six; a day without a profile has no tariffs of its own
    assert (meter.value(TARIFF.value), untouched.value(TARIFF.value)) == (2, 1)
    now.later(days=1)
    assert (meter.value(TARIFF.value), untouched.value(TARIFF.value)) == (1, 1)
    total, first, second = values(meter)
    assert total == first + second == values(untouched)[0]
    assert second > values(untouched)[2]


def test_a_table_of_special_days_is_written_as_a_whole() -> None:
    now = Now(START)
    meter = household(4, clock=now, zone=BERLIN)
    write(meter, SPECIAL_DAYS.entries, (SpecialDay(1, Date(2026, 3, 3), 77),))
    now.time = datetime(2026, 3, 3, 5, 30, tzinfo=UTC)
    assert (meter.value(TARIFF.value), len(meter.value(SPECIAL_DAYS.entries))) == (2, 1)


def test_a_script_of_tariffs_holds_until_the_calendar_has_the_next() -> None:
    now = Now(START)
    meter = household(4, clock=now, zone=BERLIN)
    before = values(meter)
    run(meter, TARIFF_SCRIPTS.execute, 2)
    assert (meter.value(TARIFF.value), values(meter)) == (2, before)
    now.later(hours=3)
    assert values(meter)[1] == before[1]
    now.later(days=1)
    assert meter.value(TARIFF.value) == 1


def test_a_mask_that_a_client_adds_changes_nothing_yet() -> None:
    now = Now(START)
    meter = household(4, clock=now, zone=BERLIN)
    before = values(meter)
    run(meter, TARIFFS.add_mask, RegisterActivationMask(b"both", (1, 2)))
    assert values(meter) == before
    now.later(days=1, hours=5)
    total, first, second = values(household(4, clock=now, zone=BERLIN))
    assert values(meter)[0] == sum(values(meter)[1:]) == total
    # Of what a load takes, part comes up to five minutes early, that of the next tariff too; it is counted as it comes.
    assert abs(values(meter)[1] - first) < 100
    assert second > before[2] + 500


def test_a_change_of_tariff_in_a_scenario_is_what_the_calendar_says() -> None:
    now = Now(START)
    scenario = Scenario(tariffs=(TariffChange(at=START + timedelta(hours=1), form=TariffForm.SINGLE),))
    meters = population(now, effects=Effects(scenario, 10))
    names: list[tuple[bytes, int]] = []
    for _ in range(2):
        with meters.visit(4) as meter:
            days = meter.value(CALENDAR.day_profile_table_active)
            names.append((meter.value(CALENDAR.calendar_name_active), len(days[0].day_schedule)))
        now.later(hours=2)
    assert names == [(b"usual", 2), (b"single", 1)]
    with meters.visit(4) as meter:
        before = values(meter)
        give(meter, (Time(0, 0, 0, 0), 2))
        run(meter, CALENDAR.activate_passive_calendar)
        assert values(meter) == before
        now.later(hours=5)
        total, first, second = values(meter)
        assert (first, second - before[2]) == (before[1], total - before[0])


# -- firmware ----------------------------------------------------------------------------------------------------------


def send(meter: Meter, octets: bytes, version: bytes) -> None:
    size = int(meter.value(IMAGE.image_block_size))
    run(meter, IMAGE.image_transfer_initiate, (version, len(octets)))
    for number in range(-(-len(octets) // size)):
        run(meter, IMAGE.image_block_transfer, (number, octets[number * size : (number + 1) * size]))
    run(meter, IMAGE.image_verify)
    run(meter, IMAGE.image_activate)


def test_an_image_is_what_runs_in_this_meter_alone() -> None:
    now = Now(START)
    meters = population(now)
    with meters.visit(2) as meter:
        send(meter, bytes(range(256)) * 4, b"2.0.1")
    with meters.visit(5), meters.visit(6):
        pass
    assert meters.changed == 1
    with meters.visit(2) as meter, meters.visit(3) as other:
        assert (meter.value(FIRMWARE.value), other.value(FIRMWARE.value)) == (b"2.0.1", b"1.0.0")
        assert meter.value(IMAGE.image_transfer_status) is ImageTransferStatus.ACTIVATION_SUCCESSFUL
        assert other.value(IMAGE.image_transfer_status) is ImageTransferStatus.NOT_INITIATED
        assert meter.value(IMAGE.image_first_not_transferred_block_number) == 6
        assert codes(meter)[-1] == 18
        item = meter.management.find(IMAGE.instance)
        assert item is not None
        assert len(item.state.octets) == 0, "of very many meters that got one nobody keeps the octets"


def test_a_firmware_wave_of_a_scenario_is_what_the_image_transfer_says() -> None:
    now = Now(START)
    scenario = Scenario(firmware=(FirmwareWave(at=START + timedelta(hours=1), version="1.4"),))
    meters = population(now, effects=Effects(scenario, 10))
    said: list[tuple[Any, Any]] = []
    for _ in range(2):
        with meters.visit(4) as meter:
            said.append((meter.value(FIRMWARE.value), meter.value(IMAGE.image_transfer_status)))
        now.later(hours=2)
    assert said == [
        (b"1.0.0", ImageTransferStatus.NOT_INITIATED),
        (b"1.4", ImageTransferStatus.ACTIVATION_SUCCESSFUL),
    ]


# -- over a restart ----------------------------------------------------------------------------------------------------


def disconnect(meter: Meter) -> None:
    run(meter, BREAKER.remote_disconnect)


def execute(meter: Meter) -> None:
    run(meter, TARIFF_SCRIPTS.execute, 2)


def change(meter: Meter) -> None:
    give(meter, (Time(0, 0, 0, 0), 2))
    run(meter, CALENDAR.activate_passive_calendar)


def update(meter: Meter) -> None:
    send(meter, bytes(500), b"2.0.1")


@pytest.mark.parametrize("operate", [disconnect, execute, change, update])
def test_what_was_operated_survives_a_restart(tmp_path: Path, operate: Callable[[Meter], None]) -> None:
    def looked(meter: Meter) -> tuple[Any, ...]:
        told = (FIRMWARE.value, BREAKER.control_state, CALENDAR.calendar_name_active, TARIFF.value)
        return (*values(meter), *(meter.value(each) for each in told))

    now = Now(START)
    meter, alone = (household(4, clock=now, zone=BERLIN) for _ in range(2))
    memory = remember(meter, open_state(tmp_path / "state"))
    operate(alone)
    operate(meter)
    meter.keep()
    memory.close()
    now.later(hours=26)
    again = household(4, clock=now, zone=BERLIN)
    memory = remember(again, open_state(tmp_path / "state"))
    assert looked(again) == looked(alone) != looked(household(4, clock=now, zone=BERLIN))
    memory.close()


# -- as a client does it -----------------------------------------------------------------------------------------------


def test_a_whole_object_is_written_in_one_meter_alone() -> None:
    """With attribute 0 several attributes are written at once, of objects that were shared until the first of them."""
    now = Now(START)
    meters = population(now)
    with meters.visit(2) as meter, meters.visit(3) as other:
        item = meter.management.find(CALENDAR.instance)
        assert item is not None
        name, seasons = CALENDAR.calendar_name_passive, CALENDAR.season_profile_passive
        for index, value in ((name.index, name.encode(b"new")), (seasons.index, seasons.encode(()))):
            meter.management.owned(item).write(meter.management.visit(), index, value)
        assert meter.value(CALENDAR.calendar_name_passive) == b"new"
        write(meter, CALENDAR.calendar_name_passive, b"newer")
        meter.management.owned(item).write(
            meter.management.visit(), 6, CALENDAR.calendar_name_passive.encode(b"newest")
        )
        assert meter.value(CALENDAR.calendar_name_passive) == b"newest"
        assert other.value(CALENDAR.calendar_name_passive) == b""
        assert other.untouched
