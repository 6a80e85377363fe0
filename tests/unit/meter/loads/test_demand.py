"""Averages of loads over blocks, held against the growth of the energy, block by block."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cosem.meter.loads import Load, figure
from cosem.meter.loads.demand import CHUNK, Blocks

BERLIN = ZoneInfo("Europe/Berlin")
ENERGY = "shop.active_import"
LOAD = Load(11, BERLIN)


def grown(begin: datetime, period: int) -> float:
    at = LOAD.seconds(begin)
    return figure(ENERGY).worth(11, at + period) - figure(ENERGY).worth(11, at)


@pytest.mark.parametrize("period", [600, 900, 3600])
@pytest.mark.parametrize("blocks", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK])
def test_the_maximum_is_that_of_the_blocks_that_ended_since_the_reset(period: int, blocks: int) -> None:
    since = datetime(2026, 3, 27, 13, 0, tzinfo=BERLIN).astimezone(UTC)  # daylight saving begins on the 29th
    time = (since + timedelta(seconds=blocks * period + period - 1)).astimezone(BERLIN)
    of = Blocks(ENERGY, LOAD, period)
    begins = [since + timedelta(seconds=place * period) for place in range(blocks)]
    best = max((grown(begin, period) for begin in begins), default=0.0)
    assert of.maximum(since, time) == int(best * 3600 / period)
    first = next((begin for begin in begins if grown(begin, period) == best), None)
    assert of.moment(since, time) == (since if first is None else first + timedelta(seconds=period))


def test_a_block_that_began_before_the_reset_does_not_count() -> None:
    since = datetime(2026, 5, 4, 8, 5, tzinfo=BERLIN)
    of = Blocks(ENERGY, LOAD, 900)
    assert of.maximum(since, since.replace(minute=29)) == 0 and of.moment(since, since.replace(minute=29)) == since
    assert of.maximum(since, since.replace(minute=30)) == int(grown(since.replace(minute=15), 900) * 4) > 0


def test_without_a_reset_it_is_that_of_the_month_and_scalers_hold() -> None:
    time = datetime(2026, 5, 2, 12, tzinfo=BERLIN)
    begins = [datetime(2026, 5, 1, tzinfo=BERLIN) + timedelta(minutes=15 * place) for place in range(36 * 4)]
    best = max(grown(begin, 900) for begin in begins)
    assert Blocks(ENERGY, LOAD, 900, -1).maximum(None, time) == int(best * 40)
    assert Blocks(ENERGY, LOAD, 900, 1).maximum(time + timedelta(hours=1), time) == int(best * 4 / 10)


def test_the_last_average_is_of_the_block_that_ended() -> None:
    time = datetime(2026, 5, 2, 12, 14, 59, tzinfo=BERLIN)
    assert Blocks(ENERGY, LOAD, 900).last(time) == int(grown(time.replace(hour=11, minute=45, second=0), 900) * 4)
