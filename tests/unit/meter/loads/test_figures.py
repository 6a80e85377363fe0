"""Figures of all kinds: reproducible, never backwards, power as the growth of energy, and errors that name what is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.errors import ConfigurationError
from cosem.meter.loads import KINDS, Load, figure, measured
from cosem.meter.loads.course import CYCLE, GRAIN, Moment

VIENNA = ZoneInfo("Europe/Vienna")
TOTALS = {
    **{f"{kind}.{name}": f"{kind}.{name}_power" for kind in ("household", "heat_pump", "shop", "pv") for name in (
        "active_import", "active_export", "reactive_import", "reactive_export", "reactive_q1", "reactive_q4",
    )},
    "household.active_import_l1": "household.active_import_power_l1",
    "pv.active_import_l2": "pv.active_import_power_l2",
    "gas.volume": "gas.flow",
    "gas.corrected_volume": "gas.corrected_flow",
    "water.volume": "water.flow",
    "heat.energy": "heat.power",
    "heat.volume": "heat.flow",
}  # fmt: skip
seeds = st.integers(0, 2**40)
moments = st.floats(0, CYCLE * 86_400.0 * 1.5)
spans = st.floats(0.0, 4 * 86_400.0)


def worth(name: str, seed: int, seconds: float) -> float:
    return figure(name).worth(seed, seconds)


@settings(deadline=None)  # the first use of a course sums it up
@given(st.sampled_from(sorted(TOTALS)), seeds, moments, spans)
def test_totals_never_run_backwards(name: str, seed: int, begin: float, span: float) -> None:
    assert figure(name).holding(figure(name).scaler)(Moment(seed, begin)) % 2**32 >= 0
    assert worth(name, seed, begin + span) >= worth(name, seed, begin)


@settings(deadline=None)  # the first use of a course sums it up
@given(st.sampled_from(sorted(TOTALS)), seeds, st.integers(0, CYCLE * 288), st.integers(1, 400))
def test_the_mean_of_power_is_what_energy_grows_by(name: str, seed: int, first: int, grains: int) -> None:
    begin = first * GRAIN
    grown = worth(name, seed, begin + grains * GRAIN) - worth(name, seed, begin)
    powers = [worth(TOTALS[name], seed, begin + each * GRAIN + GRAIN / 3) for each in range(grains)]
    assert sum(powers) * GRAIN / 3600 == pytest.approx(grown, rel=1e-6, abs=2.1)  # of tariffs, whole Wh are added


@pytest.mark.parametrize("name", sorted(TOTALS))
def test_a_year_of_quarters_never_runs_backwards(name: str) -> None:
    load = Load(9, VIENNA)
    value = measured(name, load)
    times = [datetime(2023, 12, 1, tzinfo=UTC) + timedelta(minutes=15 * each) for each in range(0, 366 * 96, 7)]
    assert all(later >= earlier for earlier, later in pairwise([value(time) for time in times]))


def test_the_same_seed_and_time_give_the_same_in_every_zone_and_order() -> None:
    noon = datetime(2024, 6, 1, 10, tzinfo=UTC)
    value = measured("household.active_import", Load(5, VIENNA))
    first = value(noon)
    assert value(noon + timedelta(days=400)) > first
    assert value(noon) == value(noon.astimezone(VIENNA)) == first
    assert measured("household.active_import", Load(6, VIENNA))(noon) != first


def test_the_hours_of_a_clock_change_are_measured_once_each() -> None:
    """25 hours of a day in October are 100 quarters, and what clocks show twice is counted twice."""
    value = measured("heat_pump.active_import", Load(5, VIENNA))
    begin = datetime(2024, 10, 26, 22, tzinfo=UTC)
    totals = [value((begin + timedelta(minutes=15 * each)).astimezone(VIENNA)) for each in range(101)]
    assert all(later > earlier for earlier, later in pairwise(totals))
    assert totals[-1] - totals[0] == value(datetime(2024, 10, 28, tzinfo=VIENNA)) - value(
        datetime(2024, 10, 27, tzinfo=VIENNA)
    )


def test_before_the_epoch_nothing_has_flowed() -> None:
    early = datetime(1995, 1, 1, tzinfo=UTC)
    for kind, figures in KINDS.items():
        for name, each in figures.items():
            value = measured(f"{kind}.{name}", Load(3, VIENNA))(early)
            if f"{kind}.{name}" in TOTALS:
                assert value == 0, name
            assert type(value) is each.tag


def test_a_scaler_is_a_step() -> None:
    load, noon = Load(3, UTC), datetime(2024, 6, 1, 12, tzinfo=UTC)
    exact = measured("shop.active_import", load)(noon)
    assert measured("shop.active_import", load, 3)(noon) == exact // 1000
    assert measured("gas.volume", load, -2)(noon) == measured("gas.volume", load, -3)(noon) // 10


def test_totals_begin_again_where_their_tag_ends() -> None:
    noon = datetime(2024, 6, 1, 12, tzinfo=UTC)
    load = Load(3, UTC)
    milli = measured("shop.active_import", load, -3)(noon)
    assert milli == measured("shop.active_import", load)(noon) * 1000 % 2**32


@pytest.mark.parametrize(
    ("name", "said"),
    [("steam.volume", "gas, water, heat"), ("gas.energy", "volume, flow"), ("household", "active_import")],
)
def test_errors_name_what_there_is(name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        figure(name)
