"""Scenarios: who is dark when, who says so, and that the same seed brings about the same day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.director import GASP_WITHIN, Director, Said, What
from cosem.fleet.scenario import Outage, Scenario, load, parse

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
STORM = timedelta(minutes=5)
OUTAGE = Outage(at=AT, length=2 * HOUR, region=1, last_gasp=0.5, storm=STORM)
SCENARIO = Scenario(outages=(OUTAGE,), regions=4)
EAST = range(250, 500)


def day(seed: int, step: timedelta) -> list[Said]:
    director, now = Director(SCENARIO, 1000, seed), AT - HOUR
    said: list[Said] = []
    while director.deadline() is not None:
        now += step
        said += director.tick(now)
    return said


def test_a_region_is_dark_as_long_as_its_outage_lasts() -> None:
    director = Director(SCENARIO, 1000)
    assert director.deadline() == AT
    assert director.tick(AT - timedelta(microseconds=1)) == []
    assert director.dark == 0
    director.tick(AT)
    assert [number for number in range(1000) if not director.powered(number)] == list(EAST)
    director.tick(AT + 2 * HOUR - timedelta(microseconds=1))
    assert director.dark == 250
    director.tick(AT + 2 * HOUR)
    assert director.dark == 0


def test_half_of_them_gasp_at_once_and_all_come_back_in_the_storm() -> None:
    said = day(1, HOUR)
    gasps = [each for each in said if each.what is What.LAST_GASP]
    back = [each for each in said if each.what is What.POWER_UP]
    assert 90 < len(gasps) < 160
    assert all(AT <= each.time <= AT + timedelta(seconds=GASP_WITHIN) for each in gasps)
    assert sorted(each.number for each in back) == list(EAST)
    assert all(AT + 2 * HOUR <= each.time <= AT + 2 * HOUR + STORM for each in back)
    assert max(each.time for each in back) - min(each.time for each in back) > STORM / 2
    assert [each.time for each in said] == sorted(each.time for each in said)


def test_the_same_seed_is_the_same_day_however_often_one_looks_and_another_is_another() -> None:
    assert day(1, HOUR) == day(1, timedelta(seconds=7))
    assert day(1, HOUR) != day(2, HOUR)


def test_outages_that_overlap_end_with_the_last_one() -> None:
    again = Outage(at=AT + HOUR, length=3 * HOUR)
    director = Director(Scenario(outages=(OUTAGE, again), regions=4), 1000)
    director.tick(AT + 2 * HOUR)
    assert director.dark == 1000
    said = director.tick(AT + 2 * HOUR + STORM)
    assert not said  # nobody dials in who is dark again
    director.tick(AT + 4 * HOUR)
    assert director.dark == 0


def test_a_scenario_is_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(
        "regions = 4\n[[outage]]\nat = 2026-03-01T08:00:00Z\nlength = 7200\nregion = 1\nlast_gasp = 0.5\nstorm = 300\n"
    )
    assert load(path) == SCENARIO


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"quake": []}, "quake"),
        ({"outage": [{"at": AT}]}, "length: this key is missing"),
        ({"outage": [{"at": AT, "length": 1, "depth": 1}]}, "depth: this key is not known"),
        ({"outage": [{"at": "now", "length": 1}]}, "time such as"),
        ({"outage": [{"at": AT.replace(tzinfo=None), "length": 1}]}, "offset"),
        ({"outage": [{"at": AT, "length": 0}]}, "above 0"),
        ({"outage": [{"at": AT, "length": 1, "last_gasp": 1.1}]}, "share"),
        ({"outage": [{"at": AT, "length": 1, "region": 1}]}, "regions 0 to 0"),
        ({"regions": 0}, "region"),
    ],
)
def test_what_is_no_scenario(said: dict[str, object], wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong):
        parse(said)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load(tmp_path / "none.toml")
