"""What a head-end stored against what meters measured and answered: lost, wrong, doubled and late values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from cosem.fleet.clock import VirtualClock
from cosem.fleet.compare import MOST_FINDINGS, Kind, compare, verdict
from cosem.fleet.effects import Effects
from cosem.fleet.ledger import Answer, Entry, Faulty, Measured, create
from cosem.fleet.population import Population
from cosem.fleet.scenario import Outage, Scenario
from cosem.fleet.truth import measured
from cosem.protocol.model import ProfileGeneric
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Reading
from cosem.store.readings import ReadingStore

TIME = datetime(2026, 3, 1, 8, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PROFILE = "1.0.99.1.0.255"
ENERGY = "3/1.0.1.8.0.255/2"
COLUMN = CaptureObject(3, Obis("1.0.1.8.0.255"), 2)
WANTED = {(PROFILE, ENERGY), ("", ENERGY)}


def captured(place: int, raw: int) -> Measured:
    return Measured(TIME + place * QUARTER, "KFM1", PROFILE, ENERGY, raw)


def stored(place: int, raw: int) -> Reading:
    return Reading(meter="KFM1", column=COLUMN, time=TIME + place * QUARTER, raw=raw, profile=Obis(PROFILE))


def answered(raw: int) -> Answer:
    return Answer(TIME, "KFM1", 1, ENERGY, f"06{raw:08x}")


def spot(raw: int, second: int = 0) -> Reading:
    return Reading(meter="KFM1", column=COLUMN, time=TIME + timedelta(seconds=second), raw=raw)


TRUTH = [captured(place, 100 + place) for place in range(4)]


@pytest.mark.parametrize(
    ("readings", "right", "found"),
    [
        ([stored(place, 100 + place) for place in range(4)], 4, {}),
        ([stored(0, 100), stored(1, 101), stored(3, 103)], 3, {Kind.LOST: 1}),
        ([stored(0, 100), stored(1, 9), stored(2, 102), stored(3, 103)], 3, {Kind.WRONG: 1}),
        ([*(stored(place, 100 + place) for place in range(4)), stored(2, 102)], 4, {Kind.DOUBLED: 1}),
        # a time at which nothing was captured
        ([*(stored(place, 100 + place) for place in range(4)), stored(0, 100)], 4, {Kind.DOUBLED: 1}),
        # before and after what the ledger knows
        ([*(stored(place, 100 + place) for place in range(4)), stored(-1, 1), stored(4, 1)], 4, {}),
        ([], 0, {Kind.LOST: 4}),
    ],
)
def test_values_of_a_profile(readings: list[Reading], right: int, found: dict[Kind, int]) -> None:
    said = verdict("KFM1", TRUTH, readings, WANTED, late=timedelta())
    assert (said.right, dict(said.counts)) == (right, found)
    assert said.clean is not bool(found)


def test_what_the_ledger_cannot_know_is_counted_and_not_judged() -> None:
    kept = [*(stored(place, 100 + place) for place in range(-2, 5)), spot(1)]
    digest = Answer(TIME, "KFM1", 1, ENERGY, "sha256 00")
    found = verdict("KFM1", [*TRUTH, digest], kept, WANTED, late=timedelta())
    assert (found.right, found.not_judged, found.counts) == (4, 4, {})
    assert (found.since, found.until) == (TIME, TIME + 3 * QUARTER)
    nothing = verdict("KFM1", [], kept[:-1], WANTED)
    assert (nothing.right, nothing.not_judged, nothing.since, nothing.until) == (0, 7, None, None)


@pytest.mark.parametrize(
    "scenario",
    [Scenario(), Scenario(outages=(Outage(at=TIME - timedelta(days=15), length=timedelta(days=2)),))],
    ids=["plain", "without power for two days"],
)
@pytest.mark.parametrize("zone", [UTC, ZoneInfo("Europe/Berlin")], ids=str)
def test_a_ledger_has_what_profiles_computed_that_do_not_hold_it_any_more(scenario: Scenario, zone: tzinfo) -> None:
    """Each row is there once, from the beginning on, as one had it who read it every week."""

    def rows(since: datetime, until: datetime) -> list[datetime]:
        population = Population(1, clock=VirtualClock(until, speed=0), effects=Effects(scenario, 1), zone=zone)
        return [each.time for each in measured(population, (0,), since, until) if each.reference == ENERGY]

    week = timedelta(days=7)
    begin = TIME - 4 * week
    found = rows(begin, TIME)
    assert found == [each for place in range(4) for each in rows(begin + place * week, begin + (place + 1) * week)]
    assert len(found) == len(set(found)) == (28 - (2 if scenario.outages else 0)) * 96


def test_a_ledger_goes_back_so_far_and_no_farther(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cosem.fleet.truth.LONGEST", timedelta(days=20))
    population = Population(1, clock=VirtualClock(TIME, speed=0))
    rows = [each.time for each in measured(population, (0,), TIME - timedelta(days=35), TIME)]
    assert min(rows) == TIME - timedelta(days=20)


def test_of_a_meter_that_misbehaves_the_verdict_says_so() -> None:
    wrong = Faulty(TIME, "KFM1", "seed=3 loss=0.1")
    assert verdict("KFM1", [*TRUTH, wrong], [stored(0, 100)], WANTED, late=timedelta()).faults == "seed=3 loss=0.1"
    assert verdict("KFM1", TRUTH, [stored(0, 100)], WANTED, late=timedelta()).faults == ""


def test_a_time_at_which_nothing_was_captured() -> None:
    odd = Reading(meter="KFM1", column=COLUMN, time=TIME + QUARTER / 2, raw=100, profile=Obis(PROFILE))
    said = verdict("KFM1", TRUTH[:2], [stored(0, 100), stored(1, 101), odd], WANTED)
    (finding,) = said.findings
    assert (finding.kind, finding.time, finding.stored, finding.true) == (Kind.WRONG, odd.time, 100, None)


def test_a_profile_is_judged_from_where_its_own_rows_begin() -> None:
    """One that holds ten days has lost what another, which holds years, still has."""
    daily = Measured(TIME - timedelta(days=30), "KFM1", "1.0.99.2.0.255", ENERGY, 7)
    found = verdict(
        "KFM1", [daily, *TRUTH], [stored(-1, 99), *(stored(place, 100 + place) for place in range(4))], WANTED
    )
    assert (found.right, found.counts) == (4, {})


def test_what_was_never_asked_for_is_lost_when_there_was_time_for_it() -> None:
    said = verdict("KFM1", TRUTH, [], WANTED, late=2 * QUARTER)
    assert [each.time for each in said.findings] == [TIME, TIME + QUARTER]
    answer = Answer(TIME + 9 * QUARTER, "KFM1", 1, f"7/{PROFILE}/2", "sha256 0", TIME + 3 * QUARTER, TIME + 3 * QUARTER)
    answered_last = verdict("KFM1", [*TRUTH, answer], [], WANTED, late=4 * QUARTER)
    assert [each.time for each in answered_last.findings] == [TIME + 3 * QUARTER]


@pytest.mark.parametrize(("after", "late"), [(QUARTER, 0), (QUARTER + timedelta(microseconds=1), 1)])
def test_a_value_is_late_that_was_first_answered_too_long_after_its_capture(after: timedelta, late: int) -> None:
    buffer = Answer(TIME + after, "KFM1", 1, f"7/{PROFILE}/2", "sha256 0", TIME, TIME + QUARTER)
    again = buffer._replace(time=buffer.time + timedelta(days=9))
    said = verdict("KFM1", [again, buffer, *TRUTH[:2]], [stored(0, 100), stored(1, 101)], WANTED, late=QUARTER)
    assert said.counts[Kind.LATE] == late
    assert said.right == 2


@pytest.mark.parametrize(
    ("answers", "readings", "right", "found"),
    [
        ([answered(1), answered(2)], [spot(2), spot(1, 60)], 2, {}),
        ([answered(1), answered(2)], [spot(2)], 1, {Kind.LOST: 1}),
        ([answered(1)], [spot(3)], 0, {Kind.WRONG: 1}),
        ([answered(1), answered(2)], [spot(1), spot(3, 60)], 1, {Kind.WRONG: 1}),
        ([answered(1)], [spot(1), spot(1, 60)], 1, {Kind.DOUBLED: 1}),
        ([answered(1), answered(1)], [spot(1), spot(1)], 1, {Kind.DOUBLED: 1}),
        ([Answer(TIME, "KFM1", 1, ENERGY, "refused read-write-denied")], [], 0, {}),
        ([Answer(TIME, "KFM1", 1, ENERGY, "sha256 00")], [spot(1)], 0, {}),
        ([], [spot(1)], 0, {Kind.WRONG: 1}),
    ],
)
def test_values_read_at_one_time(
    answers: list[Entry], readings: list[Reading], right: int, found: dict[Kind, int]
) -> None:
    said = verdict("KFM1", answers, readings, WANTED)
    assert (said.right, dict(said.counts)) == (right, found)


def test_what_nobody_stored_of_any_meter_was_not_wanted() -> None:
    said = verdict("KFM1", [*TRUTH, answered(1)], [], set())
    assert said.clean


@pytest.mark.parametrize("more", [0, 1])
def test_so_many_findings_are_told_one_by_one(more: int) -> None:
    truth = [captured(place, 0) for place in range(MOST_FINDINGS + more)]
    said = verdict("KFM1", truth, [], WANTED, late=timedelta())
    assert (len(said.findings), said.counts[Kind.LOST]) == (MOST_FINDINGS, MOST_FINDINGS + more)


def test_a_store_that_has_all_that_meters_measured_but_one_value(tmp_path: Path) -> None:
    """The store is filled from the rows that a client would read: by another way than the ledger."""
    clock = VirtualClock(TIME, speed=0)
    population = Population(3, clock=clock)
    buffer = ProfileGeneric(PROFILE).buffer
    with create(tmp_path / "ledger.sqlite") as ledger, ReadingStore(tmp_path / "store.sqlite") as store:
        for entry in measured(population, range(3), TIME - 4 * QUARTER, TIME):
            ledger.record(entry)
        for number in range(3):
            meter = population.make(number)
            readings = [
                Reading(
                    meter=meter.name,
                    column=COLUMN,
                    time=DateTime.from_octets(bytes(row[0])).to_datetime(),
                    raw=int(row[2]),
                    profile=Obis(PROFILE),
                )
                for row in meter.value(buffer)[-9:]
            ]
            store.add(readings if number else readings[:-2])
        verdicts = list(compare(ledger, store.rows, store.meters(), store.signals(), late=timedelta()))
    assert [each.name for each in verdicts] == [population.name(number) for number in range(3)]
    assert [(each.right, dict(each.counts)) for each in verdicts] == [(3, {Kind.LOST: 1}), (4, {}), (4, {})]
