"""Courses: whole days, weeks and cycles are the sums that they are, and windows share a day out."""

from __future__ import annotations

import pytest

from cosem.meter.loads.course import CYCLE, DAY, GRAIN, Moment, Term, around, by_month, course, data, temperature

SHAPES = sorted(data()["shapes"])
WEEK = 7 * DAY


class Terms:
    """What flows by some courses."""

    def __init__(self, terms: list[Term]) -> None:
        self.terms = terms

    def around(self, moment: Moment) -> tuple[float, float, float]:
        return around(self.terms, moment.number)


def flowed(terms: list[Term], seed: int, seconds: float) -> tuple[float, float]:
    moment, flow = Moment(seed, seconds), Terms(terms)
    return moment.flowed(flow), moment.flows(flow)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mean_day_is_one(shape: str) -> None:
    total, _ = flowed([(1.0, course(shape))], 1, float(CYCLE * DAY))
    assert total == pytest.approx(CYCLE, rel=1e-3)


@pytest.mark.parametrize("windows", [("day", "night"), ("sun", "shade"), ("standby", "busy"), ("strong", "weak")])
@pytest.mark.parametrize("shape", ["early", "sun", "heating"])
def test_windows_share_a_day_out(shape: str, windows: tuple[str, ...]) -> None:
    for seconds in (0.0, 12_345.6, 1000 * DAY + 43_210.0):
        parts = [flowed([(1.0, course(shape, window))], 4, seconds) for window in windows]
        whole = flowed([(1.0, course(shape))], 4, seconds)
        assert [sum(each) for each in zip(*parts, strict=True)] == pytest.approx(whole)


def test_the_cycle_goes_on_where_it_ended() -> None:
    end = CYCLE * DAY
    totals = [flowed([(1000.0, course("store"))], 2, float(end + each * GRAIN))[0] for each in range(-3, 4)]
    assert totals == sorted(totals)
    assert totals[-1] - totals[0] < 100


def test_a_shop_is_closed_on_sundays() -> None:
    def on(day: int) -> float:
        terms = [(1.0, course("store"))]
        return flowed(terms, 1, (day + 1) * DAY)[0] - flowed(terms, 1, day * DAY)[0]

    assert on(4) < on(2) / 2, "2020-01-05 was a Sunday"


def test_before_the_epoch_nothing_flows() -> None:
    assert flowed([(1.0, course("early"))], 1, -0.1) == (0.0, 0.0)
    assert flowed([(1.0, course("early"))], 1, 0.0)[1] > 0


def test_months_go_over_into_each_other() -> None:
    values = [float(month) for month in range(12)]
    assert by_month(values, 15 * DAY) == pytest.approx(0, abs=0.1)
    assert by_month(values, 30 * DAY) == pytest.approx(0.5, abs=0.1)
    assert by_month(values, 0) == pytest.approx(5.5, abs=0.5), "between December and January"


def test_winters_are_cold_and_afternoons_warm() -> None:
    def mean(begin: int) -> float:
        return sum(temperature((begin + day) * DAY + 43_200.0) for day in range(31)) / 31

    assert mean(0) < 8 < 15 < mean(182)
    assert temperature(100 * DAY + 15 * 3600.0) > temperature(100 * DAY + 3 * 3600.0)
