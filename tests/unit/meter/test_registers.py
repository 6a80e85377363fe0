"""Registers that are reset, averages over blocks and windows, and masks that say which registers count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from behaving import NOON, Now, run, write
from cosem.errors import ConfigurationError
from cosem.meter import RECOMPUTED, Access, Meter, Rights
from cosem.meter.behaviour import registers
from cosem.meter.behaviour.demand import SAMPLES
from cosem.meter.behaviour.registers import MOST_MASKS, MOST_REGISTERS, MOST_STRETCHES
from cosem.meter.describe import parse
from cosem.meter.item import FromSource, Refusal
from cosem.meter.objects import Objects
from cosem.protocol.model import Clock, ProfileGeneric, Register
from cosem.protocol.model.classes.data_storage import (
    DemandRegister,
    ExtendedRegister,
    ObjectDefinition,
    RegisterActivation,
    RegisterActivationMask,
)
from cosem.protocol.model.rights import MethodAccess
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

ENERGY = Register("1.0.1.8.0.255")
DAY, NIGHT = Register("1.0.1.8.1.255"), Register("1.0.1.8.2.255")
DEMAND = DemandRegister("1.0.1.4.0.255")
MAXIMUM = ExtendedRegister("1.0.1.6.0.255")
TARIFFS = RegisterActivation("0.0.14.0.0.255")


def watt_hours(time: datetime) -> DoubleLongUnsigned:
    """1 kW from noon on, and 3 kW from half past twelve on."""
    hours = (time - NOON).total_seconds() / 3600
    return DoubleLongUnsigned(1_000_000 + int(1000 * hours + 2000 * max(hours - 0.5, 0)))


def make(now: Now, **values: Any) -> Meter:
    meter = Meter("KFM1", clock=now)
    meter.add(ENERGY, value=watt_hours, scaler_unit=(0, Unit.WATT_HOUR))
    given = {"current_average_value": ENERGY.value, "scaler_unit": (0, Unit.WATT), "period": 900, **values}
    meter.add(DEMAND, **given)
    return meter


def moment(meter: Meter, reference: Any) -> datetime:
    found = meter.value(reference)
    assert isinstance(found, DateTime)
    return found.to_datetime().astimezone(UTC)


def averages(meter: Meter) -> tuple[int, int]:
    return int(meter.value(DEMAND.current_average_value)), int(meter.value(DEMAND.last_average_value))


def began(meter: Meter) -> datetime:
    """Return when the last average was captured, which is when the current block began."""
    captured = moment(meter, DEMAND.capture_time)
    assert captured == moment(meter, DEMAND.start_time_current)
    return captured


# -- reset -------------------------------------------------------------------------------------------------------------


def test_a_register_goes_on_from_zero_after_a_reset_and_keeps_its_past():
    now = Now()
    meter = make(now)
    profile = ProfileGeneric("1.0.99.1.0.255")
    meter.add(
        profile,
        capture_objects=(Clock().time, ENERGY.value),
        capture_period=900,
        profile_entries=5,
        buffer=RECOMPUTED,
    )
    now.later(minutes=30)
    run(meter, ENERGY.reset)
    assert meter.value(ENERGY.value) == 0
    now.later(minutes=30)
    assert meter.value(ENERGY.value) == 1500
    assert type(meter.value(ENERGY.value)) is DoubleLongUnsigned
    assert [row[1] for row in meter.value(profile.buffer)] == [1_000_000, 1_000_250, 0, 750, 1500]


def test_a_value_that_was_given_once_is_zero_after_a_reset_and_an_extended_register_says_when():
    now = Now()
    meter = Meter("KFM1", clock=now)
    meter.add(MAXIMUM, value=LongUnsigned(77), scaler_unit=(0, Unit.WATT), status=0, capture_time=NOON)
    now.later(seconds=5)
    run(meter, MAXIMUM.reset)
    assert meter.value(MAXIMUM.value) == LongUnsigned(0)
    assert type(meter.value(MAXIMUM.value)) is LongUnsigned
    assert moment(meter, MAXIMUM.capture_time) == NOON + timedelta(seconds=5)


def test_what_is_no_number_is_not_reset():
    meter = Meter("KFM1", clock=Now())
    meter.add(ENERGY, value="text")
    with pytest.raises(Refusal):
        run(meter, ENERGY.reset)


def test_a_register_of_a_source_is_reset_for_one_meter_alone():
    now = Now()
    meters = [Meter(f"KFM{number}", clock=now) for number in (1, 2)]
    objects = registers_of_a_source()
    for number, meter in enumerate(meters, 1):
        meter.management.use(objects, number * 100)
    run(meters[0], ENERGY.reset)
    now.later(minutes=1)
    assert [meter.value(ENERGY.value) for meter in meters] == [60, 60 + 200]


def registers_of_a_source() -> Objects:
    objects = Objects()
    objects.add(ENERGY, value=FromSource(lambda base, time: base + int((time - NOON).total_seconds())))
    return objects


@pytest.mark.parametrize("resets", [MOST_STRETCHES - 2, MOST_STRETCHES - 1, MOST_STRETCHES, MOST_STRETCHES + 5])
def test_a_register_remembers_so_many_stretches_and_no_more(resets: int):
    """Each reset begins another one than that from the beginning on."""
    now = Now()
    meter = make(now)
    for _ in range(resets):
        now.later(seconds=1)
        run(meter, ENERGY.reset)
    item = meter.management.find(ENERGY.instance)
    assert item is not None
    counted = registers.counted(item)
    assert counted is not None
    assert len(counted.stretches) == min(resets + 1, MOST_STRETCHES)
    # Before what is remembered stands the oldest total.
    assert counted(None, NOON) == (1_000_000 if resets < MOST_STRETCHES else 0)


def test_what_follows_from_the_clock_alone_runs_back_with_it_to_nothing_and_no_further():
    now = Now()
    meter = Meter("KFM1", clock=now)
    meter.add(ENERGY, value=lambda time: DoubleLongUnsigned(int(time.timestamp())))
    run(meter, ENERGY.reset)
    now.later(minutes=1)
    meter.set_time(NOON - timedelta(hours=1))
    assert meter.value(ENERGY.value) == 0
    meter.set_time(NOON + timedelta(hours=1))
    assert meter.value(ENERGY.value) == 3600


def test_a_client_resets_what_the_description_opens_and_nothing_else():
    meter = make(Now())
    meter.add(MAXIMUM, value=5, writable=["reset", "value"])
    rights = Rights(Access.MANAGE)
    closed, opened = (meter.management.find(each.instance) for each in (ENERGY, MAXIMUM))
    assert closed is not None
    assert opened is not None
    assert rights.method(closed, 1) is MethodAccess.NONE
    assert rights.method(opened, 1) is MethodAccess.ACCESS
    assert opened.writable == {2}


# -- averages ----------------------------------------------------------------------------------------------------------


def test_a_block_average_rises_in_the_course_of_its_period_and_becomes_the_last_one():
    now = Now()
    meter = make(now)
    now.later(minutes=5)
    assert averages(meter) == (332, 1000)  # 83 Wh of 250; before noon there was 1 kW as well
    now.later(minutes=10)
    assert averages(meter) == (0, 1000)
    assert began(meter) == NOON + timedelta(minutes=15)
    now.later(minutes=30)
    assert averages(meter) == (0, 3000)
    now.later(minutes=5)
    assert averages(meter) == (1000, 3000)


def test_a_sliding_average_is_over_all_its_periods():
    now = Now()
    meter = make(now, number_of_periods=4)
    now.later(minutes=45)  # three quarters of an hour: 1 kW, 1 kW, 3 kW, and 1 kW before noon
    assert averages(meter)[1] == 1500
    assert moment(meter, DEMAND.start_time_current) == NOON
    now.later(minutes=5)
    assert averages(meter)[1] == 1500
    assert averages(meter)[0] == 1500  # 250 + 250 + 750 + 250 Wh since noon, over a whole hour
    assert moment(meter, DEMAND.capture_time) == NOON + timedelta(minutes=45)


def test_next_period_ends_a_period_early_and_reset_forgets_it():
    now = Now()
    meter = make(now)
    now.later(minutes=10)
    before = averages(meter)[0]
    run(meter, DEMAND.next_period)
    assert averages(meter) == (0, before)
    assert began(meter) == NOON + timedelta(minutes=10)
    now.later(minutes=10)
    run(meter, DEMAND.reset)
    assert averages(meter) == (0, 0)
    now.later(minutes=14, seconds=59)
    assert averages(meter)[1] == 0
    now.later(seconds=1)
    assert averages(meter)[1] == pytest.approx(1667, abs=4)  # whole Wh
    assert moment(meter, DEMAND.capture_time) == NOON + timedelta(minutes=35)


def test_after_a_reset_a_sliding_window_holds_nothing_older():
    now = Now()
    meter = make(now, number_of_periods=4)
    run(meter, DEMAND.reset)
    now.later(minutes=15)
    assert averages(meter) == (250, 250)
    assert moment(meter, DEMAND.start_time_current) == NOON


def test_what_has_the_same_unit_is_averaged_itself():
    now = Now()
    meter = Meter("KFM1", clock=now)
    power = Register("1.0.1.7.0.255")
    meter.add(power, value=lambda time: 100 if time < NOON + timedelta(minutes=5) else 400, scaler_unit=(1, Unit.WATT))
    meter.add(DEMAND, current_average_value=power.value, scaler_unit=(0, Unit.WATT), period=900)
    other = DemandRegister("1.0.2.4.0.255")
    meter.add(other, current_average_value=lambda _: 7.5, scaler_unit=(0, Unit.WATT))
    now.later(minutes=15)
    assert averages(meter)[1] == pytest.approx(3000, abs=2)
    assert meter.value(other.last_average_value) == 7
    assert SAMPLES == 60


def test_scalers_are_those_of_both():
    now = Now()
    meter = make(now, scaler_unit=(-1, Unit.WATT))
    now.later(minutes=15)
    assert averages(meter)[1] == 10_000


def test_periods_begin_with_the_local_day():
    now = Now(datetime(2024, 3, 31, 0, 30, tzinfo=UTC))
    meter = Meter("KFM1", clock=now, zone=ZoneInfo("Europe/Berlin"))
    meter.add(DEMAND, current_average_value=lambda _: 1, period=7200)
    assert moment(meter, DEMAND.start_time_current) == datetime(2024, 3, 30, 23, tzinfo=UTC)
    now.later(hours=1)  # summer time has begun
    assert moment(meter, DEMAND.start_time_current) == datetime(2024, 3, 31, 1, tzinfo=UTC)


def test_a_number_given_for_an_average_stays():
    meter = Meter("KFM1", clock=Now())
    meter.add(DEMAND, current_average_value=5, last_average_value=6)
    assert averages(meter) == (5, 6)


@pytest.mark.parametrize("wrong", [{"period": 0}, {"number_of_periods": 0}])
def test_an_average_needs_a_period(wrong: dict[str, int]):
    with pytest.raises(ConfigurationError, match="at least one second"):
        make(Now(), **wrong)


def test_an_average_of_nothing_is_an_answer_to_one_question_only():
    meter = Meter("KFM1", clock=Now())
    meter.add(DEMAND, current_average_value="1.0.1.8.0.255:value", period=900)
    with pytest.raises(ConfigurationError):
        meter.value(DEMAND.last_average_value)
    assert meter.value(DEMAND.period) == 900


# -- tariffs -----------------------------------------------------------------------------------------------------------


def tariffs(now: Now) -> Meter:
    meter = Meter("KFM1", clock=now)
    for register in (DAY, NIGHT):
        meter.add(register, value=lambda time: 100 + int((time - NOON).total_seconds()) // 60)
    meter.add(
        TARIFFS,
        register_assignment=(ObjectDefinition(3, DAY.instance), ObjectDefinition(3, NIGHT.instance)),
        mask_list=(RegisterActivationMask(b"day", (1,)), RegisterActivationMask(b"night", (2,))),
        active_mask=b"day",
        writable=["active_mask"],
    )
    return meter


def counts(meter: Meter) -> tuple[int, int]:
    return meter.value(DAY.value), meter.value(NIGHT.value)


def test_only_registers_of_the_active_mask_count():
    now = Now()
    meter = tariffs(now)
    now.later(minutes=10)
    assert counts(meter) == (110, 100)
    write(meter, TARIFFS.active_mask, b"night")
    now.later(minutes=5)
    assert counts(meter) == (110, 105)
    write(meter, TARIFFS.active_mask, b"day")
    now.later(minutes=1)
    assert counts(meter) == (111, 105)
    write(meter, TARIFFS.active_mask, b"none")  # no such mask: none counts
    now.later(minutes=1)
    assert counts(meter) == (111, 105)


def test_masks_and_registers_come_and_go():
    now = Now()
    meter = tariffs(now)
    run(meter, TARIFFS.add_mask, RegisterActivationMask(b"day", (1, 2)))
    now.later(minutes=1)
    assert counts(meter) == (101, 101)
    run(meter, TARIFFS.delete_mask, b"day")
    now.later(minutes=1)
    assert counts(meter) == (101, 101)
    with pytest.raises(Refusal):
        run(meter, TARIFFS.delete_mask, b"day")
    meter.add(ENERGY, value=lambda time: int((time - NOON).total_seconds()) // 60)
    run(meter, TARIFFS.add_register, ObjectDefinition(3, ENERGY.instance))
    now.later(minutes=1)
    assert meter.value(ENERGY.value) == 2


def test_a_register_activation_has_so_many_registers_and_masks():
    meter = Meter("KFM1", clock=Now())
    meter.add(TARIFFS)
    for number in range(MOST_REGISTERS):
        run(meter, TARIFFS.add_register, ObjectDefinition(3, Obis.of(1, 0, 1, 8, number, 255)))
    with pytest.raises(Refusal):
        run(meter, TARIFFS.add_register, ObjectDefinition(3, ENERGY.instance))
    for number in range(MOST_MASKS):
        run(meter, TARIFFS.add_mask, RegisterActivationMask(b"%d" % number, ()))
    run(meter, TARIFFS.add_mask, RegisterActivationMask(b"0", (1,)))  # takes the place of another
    with pytest.raises(Refusal):
        run(meter, TARIFFS.add_mask, RegisterActivationMask(b"one more", ()))


def test_a_demand_register_and_tariffs_are_described_in_toml():
    now = Now()
    meter = parse(
        """
        [meter]
        name = "KFM1020012345678"
        template = "household"

        [[object]]
        class = "DemandRegister"
        instance = "1.0.1.4.0.255"
        current_average_value = "1.0.1.8.0.255:value"
        scaler_unit = [0, "W"]
        period = 900
        number_of_periods = 3

        [[object]]
        class = "RegisterActivation"
        instance = "0.0.14.0.0.255"
        register_assignment = [[3, "1.0.1.8.1.255"], [3, "1.0.1.8.2.255"]]
        mask_list = [["one", [1]], ["two", [2]]]
        active_mask = "one"
        """,
        clock=now,
    )
    energy = [meter.value(ENERGY.value)]
    now.later(minutes=45)
    energy.append(meter.value(ENERGY.value))
    grown = energy[1] - energy[0]
    assert meter.value(DEMAND.last_average_value) == int(grown * 3600 / 2700)
    night = meter.value(NIGHT.value)
    now.later(hours=20)
    assert meter.value(NIGHT.value) == night
