"""The numbers kept for plots: within bounds, with gaps, in the order of time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cosem.gateway.page.history import LEAST, MOST, TOTAL, History
from cosem.gateway.value import Plain, Quality, Sample

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def at(second: int, value: Plain, quality: Quality = Quality.GOOD, *, backfilled: bool = False) -> Sample:
    time = NOON + timedelta(seconds=second)
    return Sample(
        "power", value, quality, time, NOON + timedelta(days=1) if backfilled else time, backfilled=backfilled
    )


def spots(history: History) -> list[tuple[int, float | None]]:
    return [(round(time - NOON.timestamp()), number) for time, number in history.of("power")]


def test_what_is_no_number_leaves_a_gap() -> None:
    history = History(1)
    history.take(
        [at(0, Decimal("1.5")), at(1, True), at(2, "text"), at(3, 7, Quality.NOT_TOPICAL), at(4, float("inf"))]
    )
    assert spots(history) == [(0, 1.5), (1, 1.0), (2, None), (3, None), (4, None)]
    assert history.of("other") == []


def test_what_is_backfilled_goes_where_it_belongs() -> None:
    history = History(1)
    history.take([at(0, 0), at(30, 30), at(10, 10, backfilled=True), at(20, 20, backfilled=True)])
    assert spots(history) == [(0, 0), (10, 10), (20, 20), (30, 30)]


@pytest.mark.parametrize(("signals", "most"), [(1, MOST), (TOTAL // MOST, MOST), (TOTAL // 100, 100), (TOTAL, LEAST)])
@pytest.mark.parametrize("more", [0, 1])
def test_so_many_are_kept(signals: int, most: int, more: int) -> None:
    history = History(signals)
    history.take([at(number, number) for number in range(most + more)])
    found = spots(history)
    assert (len(found), found[0], found[-1]) == (most, (more, more), (most + more - 1, most + more - 1))


def test_what_was_measured_of_signals_that_stay_is_kept() -> None:
    history = History(1)
    history.take([at(number, number) for number in range(MOST)])
    history.keep({"power", "energy"})
    assert len(spots(history)) == MOST
    history.keep({"power", *map(str, range(TOTAL // 100 - 1))})
    assert spots(history) == [(number, number) for number in range(MOST - 100, MOST)]
    history.keep({"energy"})
    assert spots(history) == []
