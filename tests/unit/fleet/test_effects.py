"""What scenarios do to meters: firmware, tariffs, clocks and covers, and the day on which the clocks change."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director, Said, What
from cosem.fleet.effects import Effects
from cosem.fleet.population import Group, Population
from cosem.fleet.scenario import (
    LONGEST_VERSION,
    MOST_PPM,
    Drift,
    FirmwareWave,
    Outage,
    Scenario,
    Tamper,
    TariffChange,
    TariffForm,
)
from cosem.fleet.truth import measured
from cosem.meter.demo import IMAGE_ACTIVATED
from cosem.protocol.model import Data, ProfileGeneric, Register
from cosem.protocol.model.companion import companion
from cosem.protocol.values.dates import DateTime

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FIRMWARE, TARIFF = Data("1.0.0.2.0.255"), Data("0.0.96.14.0.255")
TOTAL, FIRST, SECOND = (Register(f"1.0.1.8.{rate}.255") for rate in range(3))
EVENTS, PROFILE = ProfileGeneric("0.0.99.98.0.255"), ProfileGeneric("1.0.99.1.0.255")


def population(scenario: Scenario, count: int = 40, seed: int = 0) -> tuple[Population, VirtualClock]:
    clock = VirtualClock(AT - DAY, speed=0)
    return Population(count, seed=seed, clock=clock, effects=Effects(scenario, count, seed)), clock


def test_a_firmware_wave_reaches_one_meter_of_its_region_after_the_other() -> None:
    wave = FirmwareWave(at=AT, region=1, version="2.0", length=HOUR, reboot=timedelta(seconds=30))
    meters, clock = population(Scenario(firmware=(wave,), regions=2))

    def versions() -> list[bytes]:
        return [bytes(meters.make(number).value(FIRMWARE.value)) for number in range(40)]

    clock.step(DAY)
    assert set(versions()) == {b"1.0.0"}
    clock.step(HOUR / 2)
    assert 3 < versions()[20:].count(b"2.0") < 17
    clock.step(HOUR)
    assert versions() == [b"1.0.0"] * 20 + [b"2.0"] * 20


def test_an_outage_is_in_the_event_logs_of_its_region() -> None:
    outages = (
        Outage(at=AT + 5 * HOUR, region=1, length=HOUR),
        Outage(at=AT + HOUR / 2, region=1, length=HOUR),
        Outage(at=AT, length=HOUR),
        Outage(at=AT + 9 * HOUR, region=0, length=HOUR),
    )
    meters, clock = population(Scenario(outages=outages, regions=2))

    def logged(number: int) -> list[tuple[datetime, int]]:
        rows = [(row[0], int(row[1])) for row in meters.make(number).value(EVENTS.buffer)]
        times = [(DateTime.from_octets(bytes(at)).to_datetime(UTC).astimezone(UTC), code) for at, code in rows]
        return [(at, code) for at, code in times if AT <= at <= AT + 5.5 * HOUR and at.minute in (0, 30)]

    clock.step(DAY + HOUR * 5.5)
    assert logged(0) == [(AT, 1), (AT + HOUR, 2)]
    assert logged(39) == [(AT, 1), (AT + 1.5 * HOUR, 2), (AT + 5 * HOUR, 1)]


def test_the_latest_firmware_counts() -> None:
    waves = (FirmwareWave(at=AT + HOUR, version="1.9"), FirmwareWave(at=AT, version="2.0"))
    meters, clock = population(Scenario(firmware=waves))
    clock.step(DAY + HOUR / 2)
    assert meters.make(1).value(FIRMWARE.value) == b"2.0"
    clock.step(HOUR)
    assert meters.make(1).value(FIRMWARE.value) == b"1.9"


def test_who_is_updated_restarts_and_says_so() -> None:
    wave = FirmwareWave(at=AT, version="2.0", length=HOUR, reboot=timedelta(seconds=30))
    director, said, dark = Director(Scenario(firmware=(wave,)), 100), list[Said](), list[int]()
    now = AT
    while director.deadline() is not None:
        now += timedelta(seconds=10)
        said += director.tick(now)
        dark.append(director.dark)
    assert sorted(each.number for each in said) == list(range(100))
    assert {each.what for each in said} == {What.UPDATED}
    assert 1 < max(dark) < 20
    assert dark[-1] == 0


@pytest.mark.parametrize(
    ("at", "updated"),
    [
        (AT - timedelta(seconds=31), AT - timedelta(seconds=1)),  # the restart was over when the power went
        (AT - timedelta(seconds=29), AT + HOUR + timedelta(seconds=30)),  # it was not
        (AT + HOUR / 2, AT + HOUR + timedelta(seconds=30)),
        (AT + HOUR, AT + HOUR + timedelta(seconds=30)),
    ],
)
@pytest.mark.parametrize("known", [None, "smr-5.0"])
def test_who_has_no_power_is_updated_when_it_is_back(known: str | None, at: datetime, updated: datetime) -> None:
    wave = FirmwareWave(at=at, version="2.0", reboot=timedelta(seconds=30))
    scenario = Scenario(firmware=(wave,), outages=(Outage(at=AT, length=HOUR),))
    clock, director = VirtualClock(AT - HOUR, speed=0), Director(scenario, 1)
    group = Group(count=1, companion=None if known is None else companion(known))
    meters = Population((group,), clock=clock, effects=director.effects)
    said: list[Said] = []
    for moment, is_new in ((updated - timedelta(seconds=1), False), (updated, True)):
        clock.step(moment - clock())
        said += director.tick(moment)
        with meters.visit(0) as meter:
            meter.management.settle()
            assert (meter.value(FIRMWARE.value) == b"2.0") is is_new
    assert [each.time for each in said if each.what is What.UPDATED] == [updated]
    clock.step(2 * HOUR)
    with meters.visit(0) as meter:
        noted = [row[0] for row in meter.value(EVENTS.buffer) if row[1] == IMAGE_ACTIVATED]
    assert [DateTime.from_octets(bytes(at)).to_datetime(UTC) for at in noted] == [updated]


@pytest.mark.parametrize("known", [None, "smr-5.0"])
def test_of_waves_that_came_in_one_outage_the_later_counts(known: str | None) -> None:
    waves = tuple(FirmwareWave(at=AT + HOUR * hour, version=version) for hour, version in ((1, "1.9"), (2, "1.10")))
    scenario = Scenario(firmware=waves, outages=(Outage(at=AT, length=3 * HOUR),))
    clock = VirtualClock(AT - HOUR, speed=0)
    group = Group(count=1, companion=None if known is None else companion(known))
    meters = Population((group,), clock=clock, effects=Effects(scenario, 1))
    clock.step(5 * HOUR)
    with meters.visit(0) as meter:
        meter.management.settle()
        assert meter.value(FIRMWARE.value) == b"1.10"


def energies(meters: Population) -> tuple[int, int, int]:
    meter = meters.make(3)
    total, first, second = (int(meter.value(register.value)) for register in (TOTAL, FIRST, SECOND))
    return total, first, second


@pytest.mark.parametrize("form", [TariffForm.SINGLE, TariffForm.SWAPPED])
def test_after_a_change_of_tariff_energy_is_counted_otherwise_and_nothing_is_lost(form: TariffForm) -> None:
    usual, of_usual = population(Scenario())
    changed, of_changed = population(Scenario(tariffs=(TariffChange(at=AT, form=form),)))
    for clock in (of_usual, of_changed):
        clock.step(DAY)
    before = energies(usual)
    assert energies(changed) == before
    for clock in (of_usual, of_changed):
        clock.step(3 * DAY)
    grown = [after - earlier for after, earlier in zip(energies(usual), before, strict=True)]
    total, first, second = (after - earlier for after, earlier in zip(energies(changed), before, strict=True))
    assert min(grown) > 0
    assert total == grown[0]
    assert (first, second) == ((grown[1] + grown[2], 0) if form is TariffForm.SINGLE else (grown[2], grown[1]))


def test_rows_hold_what_registers_showed_at_their_times_of_meters_that_a_change_concerns_and_of_others() -> None:
    meters, clock = population(Scenario(regions=2, tariffs=(TariffChange(at=AT, form=TariffForm.SWAPPED, region=1),)))
    shown: list[list[list[int]]] = []
    for _ in range(8):
        clock.step(DAY / 4)
        made = [meters.make(number) for number in (0, 39)]
        shown.append([[int(meter.value(each.value)) for each in (TOTAL, FIRST, SECOND)] for meter in made])
    rows = [[*meters.make(number).value(PROFILE.buffer)][-7 * 24 - 1 :: 24] for number in (0, 39)]
    assert [[[*map(int, row[2:5])] for row in pair] for pair in zip(*rows, strict=True)] == shown


def test_which_tariff_counts_is_told_and_may_become_as_it_was() -> None:
    changes = (TariffChange(at=AT, form=TariffForm.SWAPPED), TariffChange(at=AT + DAY, form=TariffForm.USUAL))
    usual, of_usual = population(Scenario())
    changed, of_changed = population(Scenario(tariffs=changes))
    pairs: list[tuple[int, ...]] = []
    for _ in range(3):
        pairs.append(tuple(int(each.make(3).value(TARIFF.value)) for each in (usual, changed)))
        for clock in (of_usual, of_changed):
            clock.step(DAY)
    assert pairs[0][0] == pairs[0][1]
    assert pairs[1][0] == 3 - pairs[1][1]
    assert pairs[2][0] == pairs[2][1]
    _, first, second = energies(changed)
    _, as_usual, second_as_usual = energies(usual)
    assert first + second == as_usual + second_as_usual


def test_some_clocks_drift_each_at_its_own_rate() -> None:
    meters, clock = population(Scenario(drifts=(Drift(at=AT, ppm=1000, share=0.5),)), count=200)
    clock.step(DAY)
    assert all(meters.make(number).time() == clock.now() for number in range(200))
    clock.step(DAY)
    wrong = [(meters.make(number).time() - clock.now()).total_seconds() for number in range(200)]
    assert 70 < sum(1 for each in wrong if each) < 130
    assert max(map(abs, wrong)) <= 86.4
    assert min(wrong) < -40 < 40 < max(wrong)


def test_who_is_tampered_with_notes_it_and_says_so() -> None:
    tamper = Tamper(at=AT, share=0.25, length=HOUR, code=42)
    scenario = Scenario(tampers=(tamper,))
    meters, clock = population(scenario)
    clock.step(DAY + HOUR)
    noting = [n for n in range(40) if 42 in [int(row[1]) for row in meters.make(n).value(EVENTS.buffer)]]
    assert 3 < len(noting) < 18
    said = Director(scenario, 40).tick(AT + HOUR)
    assert sorted(each.number for each in said) == noting
    assert {each.what for each in said} == {What.TAMPERED}
    assert all(AT <= each.time <= AT + HOUR for each in said)


@pytest.mark.parametrize(
    ("begin", "rows"),
    [
        (datetime(2026, 3, 29, tzinfo=ZoneInfo("Europe/Berlin")), 92),  # 23 hours
        (datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")), 100),
        (datetime(2026, 10, 26, tzinfo=ZoneInfo("Europe/Berlin")), 96),
    ],
)
def test_a_day_has_as_many_rows_as_quarters_of_an_hour_have_passed(begin: datetime, rows: int) -> None:
    end = (begin + DAY).astimezone(UTC)
    meters = Population(1, zone=ZoneInfo("Europe/Berlin"), clock=VirtualClock(end, speed=0))
    found = list(measured(meters, range(1), begin, end))
    times = sorted({each.time for each in found})
    assert len(times) == rows
    assert {later - earlier for earlier, later in itertools.pairwise(times)} == {timedelta(minutes=15)}


@pytest.mark.parametrize(
    ("make", "fits"),
    [
        (lambda: FirmwareWave(at=AT, version="v" * LONGEST_VERSION), True),
        (lambda: FirmwareWave(at=AT, version="v" * (LONGEST_VERSION + 1)), False),
        (lambda: FirmwareWave(at=AT, version="ö"), False),
        (lambda: FirmwareWave(at=AT, version="1", reboot=timedelta()), False),
        (lambda: Drift(at=AT, ppm=MOST_PPM), True),
        (lambda: Drift(at=AT, ppm=MOST_PPM + 1), False),
        (lambda: Drift(at=AT, ppm=0), False),
        (lambda: Tamper(at=AT, share=1.0, code=255), True),
        (lambda: Tamper(at=AT, share=1.1), False),
        (lambda: Tamper(at=AT, share=1.0, code=256), False),
        (lambda: Tamper(at=AT, share=1.0, length=timedelta(seconds=-1)), False),
    ],
)
def test_what_can_happen(make: Callable[[], object], fits: bool) -> None:
    if fits:
        assert make()
    else:
        with pytest.raises(ConfigurationError):
            make()
