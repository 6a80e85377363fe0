"""Virtual time: at any speed, stepped, never back."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.clock import VirtualClock

START = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)


class Steady:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_time_goes_so_many_times_as_fast_from_its_start() -> None:
    real = Steady()
    clock = VirtualClock(START, speed=60, real=real)
    assert clock() == START
    real.seconds += 10
    assert clock.now() == START + timedelta(minutes=10)
    clock.speed = 0
    real.seconds += 1000
    assert clock.now() == START + timedelta(minutes=10)
    clock.speed = 1
    real.seconds += 1
    assert clock.now() == START + timedelta(minutes=10, seconds=1)


def test_a_step_jumps_ahead_and_never_back() -> None:
    clock = VirtualClock(START, speed=0, real=Steady())
    clock.step(timedelta(days=1))
    assert clock.now() == START + timedelta(days=1)
    with pytest.raises(ConfigurationError):
        clock.step(timedelta(seconds=-1))


def test_until_says_how_long_really() -> None:
    real = Steady()
    clock = VirtualClock(START, speed=60, real=real)
    assert clock.until(START + timedelta(minutes=1)) == 1.0
    assert clock.until(START - timedelta(minutes=1)) == 0.0
    clock.speed = 0
    assert clock.until(START + timedelta(minutes=1)) == float("inf")


@pytest.mark.parametrize(("speed", "fits"), [(-0.1, False), (0, True), (1e6, True), (1.1e6, False), (math.nan, False)])
def test_which_speeds_there_are(speed: float, fits: bool) -> None:
    if fits:
        assert VirtualClock(START, speed=speed).speed == speed
    else:
        with pytest.raises(ConfigurationError):
            VirtualClock(START, speed=speed)


def test_a_start_knows_its_offset() -> None:
    with pytest.raises(ConfigurationError, match="aware"):
        VirtualClock(datetime(2026, 1, 1))
