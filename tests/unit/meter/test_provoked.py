"""How often a meter notes what anybody can make happen: a flood costs a log few rows, and no memory."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cosem.meter.events import MeterEvent
from cosem.meter.provoked import FORGOTTEN_AFTER, Provoked

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
FAILED = MeterEvent.AUTHENTICATION_FAILED


def noted(events: Provoked, *seconds: int) -> list[int]:
    return [each for each in seconds if events.counts(1, FAILED, NOON + timedelta(seconds=each))]


def test_what_comes_within_a_minute_is_noted_once() -> None:
    assert noted(Provoked(), 0, 1, 30, 59, 60) == [0, 60]


def test_a_flood_is_noted_after_one_two_four_minutes_and_then_each_hour() -> None:
    minutes = [each // 60 for each in noted(Provoked(), *range(0, 6 * 3600, 10))]
    assert minutes == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303]


def test_after_a_long_silence_it_begins_anew() -> None:
    events = Provoked()
    last = noted(events, *range(0, 4 * 3600, 10))[-1]
    later = last + int(FORGOTTEN_AFTER.total_seconds())
    assert noted(events, later, later + 59, later + 60) == [later, later + 60]


def test_other_events_and_other_devices_are_noted_by_themselves() -> None:
    events = Provoked()
    assert noted(events, 0) == [0]
    assert events.counts(1, MeterEvent.LOCKED_OUT, NOON)
    assert events.counts(17, FAILED, NOON)
    assert not events.counts(17, FAILED, NOON)


def test_a_clock_that_goes_back_keeps_nothing_quiet() -> None:
    assert noted(Provoked(), 0, -10, -5) == [0, -10]
