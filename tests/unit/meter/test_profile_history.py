"""Profiles whose rows from before the meter began are computed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.behaving import NOON, Now, run

from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.behaviour.profile_history import HISTORY
from cosem.meter.objects import Objects
from cosem.protocol.model import Clock, ProfileGeneric, Register
from cosem.protocol.model.selection import EntrySelection

PROFILE = ProfileGeneric("1.0.99.1.0.255")
ENERGY = Register("1.0.1.8.0.255")
QUARTER = timedelta(minutes=15)


class Asked:
    """A register that counts minutes, and how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, time: datetime) -> int:
        self.times += 1
        return int(time.timestamp()) // 60


def metered(now: Now, asked: Asked, entries: int = 100, **more: Any) -> Meter:
    meter = Meter("KFM1020000000001", clock=now)
    meter.add(ENERGY, value=asked)
    meter.add(
        PROFILE,
        capture_objects=(Clock().time, ENERGY.value),
        capture_period=900,
        profile_entries=entries,
        buffer=HISTORY,
        **more,
    )
    return meter


def shown(meter: Meter) -> list[tuple[datetime, int]]:
    rows: Sequence[Any] = meter.value(PROFILE.buffer)
    return [(Clock().time.shape.decode(row[0]).to_datetime(UTC), int(row[1])) for row in rows]


def test_the_past_is_as_full_as_the_profile_and_rows_go_on_from_it() -> None:
    now = Now(NOON + timedelta(minutes=1))
    meter = metered(now, Asked())
    before = shown(meter)
    assert [time for time, _ in before] == [NOON - place * QUARTER for place in range(99, -1, -1)]
    assert all(value == int(time.timestamp()) // 60 for time, value in before)
    now.later(minutes=30)
    assert shown(meter) == [
        *before[2:],
        *((at, int(at.timestamp()) // 60) for at in (NOON + QUARTER, NOON + 2 * QUARTER)),
    ]
    assert meter.value(PROFILE.entries_in_use) == 100


def test_what_was_captured_stays_and_a_clock_that_was_set_leaves_a_gap() -> None:
    now = Now(NOON)
    meter = metered(now, Asked())
    now.later(minutes=15)
    meter.put(ENERGY.value, 5)
    now.later(minutes=15)
    meter.set_time(now.time + timedelta(hours=2))
    now.later(minutes=15)
    run(meter, PROFILE.capture)
    rows = shown(meter)
    assert rows[-4:] == [
        (NOON + QUARTER, int((NOON + QUARTER).timestamp()) // 60),
        (NOON + 2 * QUARTER, 5),
        (NOON + timedelta(hours=2) + 3 * QUARTER, 5),
        (NOON + timedelta(hours=2) + 3 * QUARTER, 5),
    ]
    assert len(rows) == 100


def test_only_what_is_asked_for_is_computed() -> None:
    asked = Asked()
    meter = metered(Now(NOON), asked, entries=35_040)
    wanted = PROFILE.buffer.range(NOON - timedelta(days=100), NOON - timedelta(days=99))
    item = meter.management.find(PROFILE.instance)
    assert item is not None and wanted.selection is not None
    select = item.behaviour.selections[2]
    got: Any = select(meter.management.visit(), item, wanted.selection)
    assert len(got) == 97 and asked.times == 97
    got = select(meter.management.visit(), item, EntrySelection(1, 10, 1, 0))
    assert len(got) == 10 and asked.times == 107
    first = Clock().time.shape.decode(got[0][0]).to_datetime(UTC)
    assert first == NOON - 35_039 * QUARTER


def test_the_newest_row_may_come_first() -> None:
    now = Now(NOON)
    meter = metered(now, Asked(), entries=5, sort_method=2)
    now.later(minutes=15)
    assert [time for time, _ in shown(meter)] == [NOON + QUARTER - place * QUARTER for place in range(5)]


def test_more_rows_than_there_is_room_for_push_the_past_out_and_a_reset_erases_all() -> None:
    now = Now(NOON)
    meter = metered(now, Asked(), entries=5)
    now.later(hours=2)
    assert [time for time, _ in shown(meter)] == [now.time - place * QUARTER for place in range(4, -1, -1)]
    run(meter, PROFILE.reset)
    assert shown(meter) == [] and meter.value(PROFILE.entries_in_use) == 0
    now.later(minutes=15)
    assert len(shown(meter)) == 1


def test_it_is_not_shared_by_many_meters_for_it_captures() -> None:
    objects = Objects()
    objects.add(PROFILE, capture_objects=(Clock().time,), capture_period=900, buffer=HISTORY)
    with pytest.raises(ConfigurationError, match="recomputed"):
        objects.share()
