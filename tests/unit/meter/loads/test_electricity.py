"""Electricity: phases, tariffs and quadrants agree, and no phase takes and delivers at once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.meter.loads import figure
from cosem.meter.loads.course import GRAIN
from cosem.meter.loads.electricity import KINDS, PHASES

DAYS = 86_400
seeds = st.integers(0, 2**40)
moments = st.floats(0, 9000.0 * DAYS)
kinds = st.sampled_from(sorted(KINDS))
quantities = st.sampled_from(("active_import", "active_export", "reactive_import", "reactive_export", "reactive_q3"))


@settings(deadline=None)  # the first use of a course sums it up
@given(kinds, quantities, seeds, moments)
def test_phases_and_tariffs_add_up(kind: str, quantity: str, seed: int, seconds: float) -> None:
    whole = figure(f"{kind}.{quantity}").worth(seed, seconds)
    assert whole == sum(figure(f"{kind}.{quantity}_t{each}").worth(seed, seconds) for each in (1, 2))
    phases = sum(figure(f"{kind}.{quantity}_l{each}").worth(seed, seconds) for each in PHASES)
    assert phases == pytest.approx(whole, abs=4)
    power = sum(figure(f"{kind}.{quantity}_power_l{each}").worth(seed, seconds) for each in PHASES)
    assert power == pytest.approx(figure(f"{kind}.{quantity}_power").worth(seed, seconds))


@settings(deadline=None)  # the first use of a course sums it up
@given(kinds, seeds, moments)
def test_quadrants_add_up(kind: str, seed: int, seconds: float) -> None:
    for direction, quadrants in (("reactive_import", (1, 2)), ("reactive_export", (3, 4))):
        whole = figure(f"{kind}.{direction}").worth(seed, seconds)
        assert sum(figure(f"{kind}.reactive_q{each}").worth(seed, seconds) for each in quadrants) == pytest.approx(
            whole, abs=4
        )


@pytest.mark.parametrize(("kind", "seed"), [("household", 3), ("household", 9), ("pv", 4)])
def test_a_phase_with_a_roof_takes_or_delivers(kind: str, seed: int) -> None:
    both = delivering = 0
    for grain in range(150 * 288, 151 * 288):
        taken, delivered = (
            figure(f"{kind}.{name}_power_l1").worth(seed, grain * GRAIN) for name in ("active_import", "active_export")
        )
        delivering += delivered > 0
        both += taken > 0 and delivered > 0
    assert 100 < delivering < 220, "of 288 grains in a day of May"
    assert both <= 2, "at sunrise and sunset"


def test_a_household_takes_what_households_take() -> None:
    import_ = figure("household.active_import").worth
    for seed in range(12):
        year = import_(seed, 5 * 365 * DAYS) - import_(seed, 4 * 365 * DAYS)
        assert 1_000_000 < year < 7_000_000, "Wh"


def test_the_sun_delivers_more_in_summer_and_nothing_at_night() -> None:
    export = figure("pv.active_export").worth
    january, june = 4 * 365 * DAYS, (4 * 365 + 165) * DAYS
    assert export(1, june + 10 * DAYS) - export(1, june) > 4 * (export(1, january + 10 * DAYS) - export(1, january))
    assert figure("pv.active_export_power").worth(1, june + 1 * 3600) == 0


def test_current_voltage_and_power_agree() -> None:
    for hour in range(24):
        seconds = 1600.0 * DAYS + hour * 3600
        for phase in PHASES:
            taken, given_, inward, outward, volts, amperes = (
                figure(f"household.{name}_l{phase}").worth(3, seconds)
                for name in (
                    *("active_import_power", "active_export_power", "reactive_import_power", "reactive_export_power"),
                    *("voltage", "current"),
                )
            )
            assert amperes * volts == pytest.approx(math.hypot(taken - given_, inward - outward))
            assert 220 < volts < 240
        assert 49.9 < figure("household.frequency").worth(3, seconds) < 50.1
        assert 0 <= figure("household.power_factor").worth(3, seconds) <= 1


def test_tariffs_go_by_the_hour() -> None:
    tariff = figure("shop.tariff").worth
    hours = [tariff(1, hour * 3600.0) for hour in range(24)]
    assert hours == [2.0] * 6 + [1.0] * 16 + [2.0] * 2
    assert figure("shop.active_import_t2").worth(1, 20 * 3600.0) == figure("shop.active_import_t2").worth(
        1, 21 * 3600.0
    )


@settings(deadline=None)  # the first use of a course sums it up
@given(kinds, quantities, seeds, st.integers(0, 9000), st.sampled_from((6, 22)))
def test_nothing_counts_in_a_tariff_that_does_not_hold(
    kind: str, quantity: str, seed: int, day: int, hour: int
) -> None:
    change = day * DAYS + hour * 3600.0
    before, after = (figure(f"{kind}.{quantity}_t{each}").worth for each in ((2, 1) if hour == 6 else (1, 2)))
    assert after(seed, change) == after(seed, change - 3600)
    assert before(seed, change + 3600) == before(seed, change)
