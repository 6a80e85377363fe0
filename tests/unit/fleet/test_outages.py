"""Outages of scenarios: rows that are missing, energy that stands still, the status that tells why, and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem.fleet.clock import VirtualClock
from cosem.fleet.effects import AffectedHousehold, Effects
from cosem.fleet.kinds import Kinds
from cosem.fleet.outages import DarkHousehold
from cosem.fleet.population import Group, Population
from cosem.fleet.scenario import Drift, Outage, Scenario, TariffChange, TariffForm
from cosem.fleet.truth import measured
from cosem.meter import Meter
from cosem.meter.demo import EVENT_LOG, LOAD_PROFILE, LOAD_PROFILE_ENTRIES
from cosem.protocol.model import Data, ProfileGeneric, Register
from cosem.protocol.model.companion import companion
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
FAILED = 0b1000_0100  # power down, and data not valid
STATUS = Data("0.0.96.10.1.255")
TOTAL, FIRST, SECOND, EXPORT = (Register(f"1.0.{code}.255") for code in ("1.8.0", "1.8.1", "1.8.2", "2.8.0"))
AN_HOUR = Outage(at=AT + timedelta(minutes=5), length=HOUR, region=1)


def population(*outages: Outage, kinds: Kinds | None = None, **happens: Any) -> tuple[Population, VirtualClock]:
    clock = VirtualClock(AT - DAY, speed=0)
    scenario = Scenario(outages=outages, regions=2, **happens)
    effects = Effects(scenario, 4)
    return Population(4, clock=clock, effects=effects, kinds=kinds or Kinds()), clock


def moment(value: Any) -> datetime:
    return DateTime.from_octets(bytes(value)).to_datetime(UTC).astimezone(UTC)


def rows_of(meter: Meter, since: datetime, until: datetime) -> list[tuple[datetime, int, int]]:
    """The times, statuses and totals of some rows, as a client that asks for them gets them."""
    rows: Sequence[Any] = meter.value(LOAD_PROFILE.buffer)
    return [(at, int(row[1]), int(row[2])) for row in rows for at in (moment(row[0]),) if since <= at <= until]


def test_rows_are_missing_in_the_dark_region_alone_and_the_one_after_tells_why() -> None:
    meters, clock = population(AN_HOUR)
    clock.step(DAY + 2 * HOUR)
    lit, dark = (rows_of(meters.make(number), AT, AT + 2 * HOUR) for number in (1, 2))
    assert [(at, status) for at, status, _ in lit] == [(AT + n * QUARTER, 0) for n in range(9)]
    assert [(at, status) for at, status, _ in dark] == [
        (AT, 0),
        (AT + 5 * QUARTER, FAILED),
        (AT + 6 * QUARTER, 0),
        (AT + 7 * QUARTER, 0),
        (AT + 8 * QUARTER, 0),
    ]


@pytest.mark.parametrize(
    ("begin", "end", "missing", "telling"),
    [
        (0, 60, [15, 30, 45, 60], [75]),  # what was due as the power went was captured, as it came back it was not
        (1, 59, [15, 30, 45], [60]),
        (20, 25, [], [30]),
        (15, 16, [], [30]),
        (29, 31, [30], [45]),
        (14, 15, [15], [30]),
    ],
)
def test_what_is_due_when_the_power_goes_and_comes_back(
    begin: int, end: int, missing: list[int], telling: list[int]
) -> None:
    length = timedelta(minutes=end - begin)
    meters, clock = population(Outage(at=AT + timedelta(minutes=begin), length=length))
    clock.step(DAY + 2 * HOUR)
    rows = rows_of(meters.make(0), AT, AT + 2 * HOUR)
    due = [AT + n * QUARTER for n in range(9)]
    assert [at for at, _, _ in rows] == [each for each in due if (each - AT) / timedelta(minutes=1) not in missing]
    assert [(at - AT) / timedelta(minutes=1) for at, status, _ in rows if status] == telling


def test_energy_stands_still_without_power_and_goes_on_from_there() -> None:
    steady, of_steady = population()
    meters, clock = population(Outage(at=AT, length=7 * HOUR))

    def totals(fleet: Population) -> list[int]:
        return [int(fleet.make(3).value(register.value)) for register in (TOTAL, FIRST, SECOND, EXPORT)]

    for each in (of_steady, clock):
        each.step(DAY)
    before = totals(meters)
    assert before == totals(steady)
    for each in (of_steady, clock):
        each.step(4 * HOUR)
    assert totals(meters) == before  # nobody can ask it now, but the ledger
    for each in (of_steady, clock):
        each.step(3 * HOUR)
    assert totals(meters) == before
    missed = [grown - stood for grown, stood in zip(totals(steady), before, strict=True)]
    assert missed[0] > 0
    for each in (of_steady, clock):
        each.step(5 * DAY)
    assert [grown - less for grown, less in zip(totals(steady), totals(meters), strict=True)] == missed
    total, first, second, _ = totals(meters)
    assert total == first + second


def test_a_gas_meter_counts_on_but_captures_nothing() -> None:
    steady, of_steady = population(kinds=Kinds({"gas": 1.0}))
    meters, clock = population(AN_HOUR, kinds=Kinds({"gas": 1.0}))
    for each in (of_steady, clock):
        each.step(DAY + 2 * HOUR)
    register = Register("7.0.3.0.0.255")
    assert meters.make(3).value(register.value) == steady.make(3).value(register.value)
    assert len(rows_of(meters.make(3), AT, AT + 2 * HOUR)) == 5


def test_a_buffer_holds_as_many_rows_as_ever_and_ranges_are_parts_of_it() -> None:
    outages = (Outage(at=AT, length=3 * DAY), Outage(at=AT + 4 * DAY, length=HOUR / 2))
    meters, clock = population(*outages)
    clock.step(8 * DAY)
    meter = meters.make(0)
    rows: Sequence[Any] = meter.value(LOAD_PROFILE.buffer)
    assert len(rows) == LOAD_PROFILE_ENTRIES == int(meter.value(LOAD_PROFILE.entries_in_use))
    times = [moment(row[0]) for row in rows]
    assert times == sorted(times)
    assert times[0] == AT + 7 * DAY - (LOAD_PROFILE_ENTRIES - 1) * QUARTER - (288 + 2) * QUARTER
    item = meter.management.find(LOAD_PROFILE.instance)
    assert item is not None
    for first, last in ((AT - HOUR, AT + 4 * HOUR), (AT + HOUR, AT + 2 * HOUR), (AT + 4 * DAY, AT + 5 * DAY)):
        selection = LOAD_PROFILE.buffer.range(first, last).selection
        assert selection is not None
        found: Any = item.behaviour.selections[2](meter.management.visit(), item, selection)
        assert [tuple(row) for row in found] == [
            tuple(row) for row, at in zip(rows, times, strict=True) if first <= at <= last
        ]


def test_outages_are_in_the_event_log_and_the_status_is_told_when_the_power_is_back() -> None:
    meters, clock = population(AN_HOUR)
    clock.step(DAY + timedelta(minutes=66))
    meter = meters.make(3)
    assert int(meter.value(STATUS.value)) == FAILED
    logged = [(moment(row[0]), int(row[1])) for row in meter.value(EVENT_LOG.buffer)]
    assert [each for each in logged if each[0] > AT][-2:] == [(AN_HOUR.at, 1), (AN_HOUR.at + HOUR, 2)]


def test_a_change_of_tariff_in_an_outage_counts_on_from_what_stood_still() -> None:
    change = TariffChange(at=AT + 3 * HOUR, form=TariffForm.SINGLE)
    meters, clock = population(Outage(at=AT, length=7 * HOUR), tariffs=(change,))
    clock.step(DAY)
    total, first, second = (int(meters.make(3).value(each.value)) for each in (TOTAL, FIRST, SECOND))
    clock.step(2 * DAY)
    after = [int(meters.make(3).value(each.value)) for each in (TOTAL, FIRST, SECOND)]
    assert after[1:] == [first + after[0] - total, second]
    assert after[0] > total


def test_a_drifting_clock_shows_other_times_of_the_same_outage() -> None:
    outage = Outage(at=AT + 4 * DAY, length=HOUR)
    drift = Drift(at=AT - DAY, ppm=100_000)
    meters, clock = population(outage, drifts=(drift,))
    clock.step(7 * DAY)
    meter = meters.make(3)
    rate = (meter.time() - clock.now()) / (7 * DAY)
    assert abs(rate) > 0.001
    down, up = (at + (at - drift.at) * rate for at in (outage.at, outage.at + HOUR))
    times = [at for at, _, _ in rows_of(meter, down - DAY, up + DAY)]
    gaps = [(a, b) for a, b in pairwise(times) if b - a > QUARTER]
    assert len(gaps) == 1
    assert gaps[0][0] <= down < gaps[0][0] + QUARTER
    assert gaps[0][1] - QUARTER <= up < gaps[0][1]


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_clock_that_was_set_shows_other_times_of_an_outage_after_that_and_not_of_one_before(by: timedelta) -> None:
    outages = (AN_HOUR, Outage(at=AT + DAY + timedelta(minutes=5), length=HOUR))
    meters, clock = population(*outages)
    clock.step(DAY + 12 * HOUR)
    meter = meters.make(3)
    before = rows_of(meter, AT - HOUR, AT + 3 * HOUR)
    stood = int(meter.value(TOTAL.value))
    meter.set_time(meter.time() + by)
    assert rows_of(meter, AT - HOUR, AT + 3 * HOUR) == before
    assert int(meter.value(TOTAL.value)) == stood
    clock.step(DAY)
    shown = AT + DAY + by
    assert [(at, status) for at, status, _ in rows_of(meter, shown, shown + 2 * QUARTER * 3)] == [
        (shown, 0),
        (shown + 5 * QUARTER, FAILED),
        (shown + 6 * QUARTER, 0),
    ]
    logged = [(moment(row[0]), int(row[1])) for row in meter.value(EVENT_LOG.buffer)]
    told = [(AN_HOUR.at, 1), (AN_HOUR.at + HOUR, 2), (outages[1].at + by, 1), (outages[1].at + HOUR + by, 2)]
    assert [each for each in logged if each in told] == told


def test_a_meter_that_no_outage_concerns_is_served_as_without_one() -> None:
    meters, _ = population(AN_HOUR)
    usual, _ = population(drifts=(Drift(at=AT, ppm=1, region=1),))
    sources: list[object] = [meters.make(number).management.source for number in range(4)]
    assert [type(source) for source in sources] == [AffectedHousehold, AffectedHousehold, DarkHousehold, DarkHousehold]
    lit, same = (fleet.make(0).management.objects.profiles[0].state.source for fleet in (meters, usual))
    assert type(lit) is type(same)
    assert type(meters.make(2).management.objects.profiles[0].state.source) is not type(lit)


def test_what_was_not_captured_is_in_no_ledger() -> None:
    meters, clock = population(AN_HOUR)
    clock.step(3 * DAY)
    truth = list(measured(meters, range(4), AT, AT + DAY))
    for number, count in enumerate((96, 96, 92, 92)):
        rows = rows_of(meters.make(number), AT, AT + DAY - QUARTER)
        totals = [each for each in truth if each.meter == meters.name(number) and each.reference == _TOTAL]
        assert [(each.time, each.raw) for each in totals] == [(at, total) for at, _, total in rows]
        assert len(rows) == count


# -- meters that have objects of their own -----------------------------------------------------------------------------

ACROSS_MIDNIGHT = Outage(at=AT + timedelta(hours=10.5), length=2 * HOUR)
FIRST_VISITS = [-DAY, HOUR / 2, 3 * HOUR, 12 * HOUR, timedelta(hours=12.5), 2 * DAY]


def by_companion(name: str, clock: VirtualClock) -> Population:
    effects = Effects(Scenario(outages=(ACROSS_MIDNIGHT, replace(AN_HOUR, region=None))), 1)
    groups = (Group(count=1, companion=companion(name)),)
    return Population(groups, clock=clock, effects=effects, zone=ZoneInfo("Europe/Amsterdam"))


def told_by(meter: Meter) -> dict[Obis, Any]:
    """Everything that the registers, the counters of failures and the profiles that capture on time tell."""
    found: dict[Obis, Any] = {}
    for item in meter.management.items():
        if item.class_id in (1, 3) or (item.class_id == 7 and item.state.period):
            found[item.instance] = item.read(meter.management.visit(), 2)
    return found


@pytest.mark.parametrize("name", ["smr-5.0", "dsmr-4.2.2"])
def test_whenever_somebody_came_first_a_meter_of_a_companion_comes_through_the_same(name: str) -> None:
    found: list[dict[Obis, Any]] = []
    for first in FIRST_VISITS:
        clock = VirtualClock(AT + first, speed=0)
        meters = by_companion(name, clock)
        with meters.visit(0) as meter:
            told_by(meter)
            assert meter.powered is (first not in (HOUR / 2, 12 * HOUR))
        for _ in range(8):
            clock.step((2 * DAY - first) / 8)
            with meters.visit(0) as meter:
                told_by(meter)
        assert clock.now() == AT + 2 * DAY
        with meters.visit(0) as meter:
            found.append(told_by(meter))
    assert all(each == found[0] for each in found)
    assert found[0][Obis("0.0.96.7.21.255")] == blank_of_failures(name) + 2


def blank_of_failures(name: str) -> int:
    """What the companion has for the counter of failures."""
    meters = Population((Group(count=1, companion=companion(name)),), clock=VirtualClock(AT, speed=0))
    return int(meters.make(0).value(Data("0.0.96.7.21.255").value))


def test_a_meter_of_a_companion_has_no_rows_of_an_outage_and_its_ledger_none() -> None:
    clock = VirtualClock(AT - DAY, speed=0)
    meters = by_companion("smr-5.0", clock)
    with meters.visit(0) as meter:
        told_by(meter)  # from now on it is remembered, and nobody comes but the ledger
    clock.step(3 * DAY)
    steady = Population(meters.groups, clock=clock, zone=ZoneInfo("Europe/Amsterdam"))
    quarters = "1.0.99.1.1.255"
    rows, usual = (
        [
            each
            for each in measured(fleet, [0], AT, AT + 2 * DAY)
            if (each.profile, each.reference) == (quarters, _TOTAL)
        ]
        for fleet in (meters, steady)
    )
    absent = sorted({each.time for each in usual} - {each.time for each in rows})
    assert absent == [AT + n * QUARTER for n in (1, 2, 3, 4, *range(43, 51))]
    by_time = {each.time: int(each.raw) for each in usual}
    missed = sum(
        by_minute(steady, AT + end) - by_minute(steady, AT + begin)
        for begin, end in ((timedelta(minutes=5), timedelta(minutes=65)), (10.5 * HOUR, 12.5 * HOUR))
    )
    assert missed > 0
    assert by_time[rows[-1].time] - int(rows[-1].raw) == missed


def by_minute(fleet: Population, time: datetime) -> int:
    device = fleet.make(0).management
    item = device.find(TOTAL.instance)
    assert item is not None
    value: Any = item.read(device.reading(time), 2)
    return int(value)


def test_a_daily_row_after_an_outage_tells_of_it() -> None:
    meters = by_companion("dsmr-4.2.2", VirtualClock(AT + 3 * DAY, speed=0))
    rows: Sequence[Any] = meters.make(0).value(ProfileGeneric("1.0.99.2.0.255").buffer)
    assert moment(rows[-3][0]) == datetime(2026, 3, 2, 23, tzinfo=UTC)
    assert [int(row[1]) for row in rows[-3:]] == [0, FAILED, 0]
    assert moment(rows[-2][0]) == datetime(2026, 3, 4, 23, tzinfo=UTC), "that of the night before was due in the dark"


_TOTAL = "3/1.0.1.8.0.255/2"
