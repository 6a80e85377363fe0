"""Daylight saving in event logs: at what the clock showed until then, and not where the clock jumps over it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from behaving import Now
from cosem.meter import Meter
from cosem.meter.describe import parse
from cosem.meter.events import MeterEvent
from cosem.meter.logical_device import LogicalDevice
from cosem.protocol.model import Data, ProfileGeneric
from cosem.protocol.values.dates import DateTime

LOG, OTHER = ProfileGeneric("0.0.99.98.0.255"), ProfileGeneric("0.0.99.98.5.255")
MARCH = datetime(2026, 3, 28, 12, tzinfo=UTC)
CODES = "{ daylight_saving_begun = 3, daylight_saving_ended = 4 }"


def meter_at(now: Now, zone: str = "Europe/Berlin", rest: str = "") -> Meter:
    text = f'[meter]\nname = "KFM1020012345678"\nzone = "{zone}"\n'
    for log in (LOG, OTHER):
        code = f"0.0.96.11.{log.instance.octets[4]}.255"
        text += f'[[object]]\nclass = "Data"\ninstance = "{code}"\nvalue = {{ unsigned = 0 }}\n'
        text += f'[[profile]]\ninstance = "{log.instance}"\ncolumns = ["0.0.1.0.0.255:time", "{code}:value"]\n'
        text += f"events = {CODES}\n"
    return parse(text + rest, clock=now)


def rows(meter: Meter, log: ProfileGeneric = LOG) -> list[tuple[DateTime, int]]:
    meter.settle()
    held: Any = meter.value(log.buffer)
    return [(DateTime.from_octets(bytes(row[0])), int(row[1])) for row in held]


@pytest.mark.parametrize("look", [timedelta(hours=1), timedelta(days=250)])
def test_both_changes_are_noted_at_what_the_clock_showed_until_then(look: timedelta) -> None:
    now = Now(MARCH)
    meter = meter_at(now)
    while now.time < MARCH + timedelta(days=250):
        now.time += look
        meter.settle()
    found = rows(meter)
    assert [code for _, code in found] == [3, 4]
    begun, ended = (each.octets for each, _ in found)
    # Sunday 29 March 2026 2:00 in winter time, and Sunday 25 October 3:00 in summer time, by Directive 2000/84/EC
    assert begun[:8].hex() == "07ea031d07020000" and int.from_bytes(begun[9:11], "big", signed=True) == -60
    assert ended[:8].hex() == "07ea0a1907030000" and int.from_bytes(ended[9:11], "big", signed=True) == -120
    assert rows(meter, OTHER) == found


def test_changes_where_summer_is_the_standard() -> None:
    now = Now(MARCH)
    meter = meter_at(now, "Europe/Dublin")
    now.later(days=250)
    found = rows(meter)
    assert [(time.month, time.hour, code) for time, code in found] == [(3, 1, 3), (10, 2, 4)]


def test_a_clock_that_is_set_past_a_change_notes_none() -> None:
    now = Now(MARCH)
    meter = meter_at(now)
    meter.set_time(MARCH + timedelta(days=2))
    now.later(days=30)
    assert rows(meter) == []


def test_a_zone_without_daylight_saving_notes_none() -> None:
    now = Now(MARCH)
    meter = meter_at(now, "Asia/Kolkata")
    now.later(days=300)
    assert rows(meter) == []


TEMPLATE = '[meter]\nname = "KFM1020012345678"\nzone = "Europe/Berlin"\ntemplate = "household"\n'


def of_template(meter: Meter) -> list[tuple[DateTime, int]]:
    """Return what the log of a template has of this year."""
    return [row for row in rows(meter) if row[0].year == MARCH.year]


@pytest.mark.parametrize("by", [timedelta(), timedelta(hours=3), -timedelta(hours=3)])
def test_a_template_notes_both_as_a_described_meter_does(by: timedelta) -> None:
    now = Now(MARCH)
    template, described = parse(TEMPLATE, clock=now), meter_at(now)
    if by:
        for meter in (template, described):
            meter.set_time(now() + by)
    now.later(days=250)
    noted = [row for row in of_template(template) if row[1] == 3]
    assert [each.octets for each, _ in noted] == [each.octets for each, _ in rows(described)]
    assert len(noted) == 2


def test_a_template_whose_clock_is_set_past_a_change_notes_none() -> None:
    now = Now(MARCH)
    meter = parse(TEMPLATE, clock=now)
    meter.set_time(MARCH + timedelta(days=2))
    now.later(days=30)
    assert [code for _, code in of_template(meter)] == [4, 5]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_template_without_power_at_a_change_notes_none(restarted: bool, tmp_path: Path) -> None:
    now = Now(MARCH)
    text = TEMPLATE + "[[power]]\nat = 2026-03-29T00:30:00Z\nlength = 3600\n"
    meter = parse(text, clock=now, state=tmp_path / "state")
    now.later(days=30)
    assert [code for _, code in of_template(meter)] == [1, 2]
    if restarted:
        meter.keep()
        assert meter.memory is not None
        meter.memory.close()
        meter = parse(text, clock=now, state=tmp_path / "state")
        assert [code for _, code in of_template(meter)] == [1, 2, 2]


def test_an_alarm_for_a_change_leaves_one_entry_of_it_in_the_log_of_a_template() -> None:
    now = Now(MARCH)
    alarm = '[[object]]\nclass = "Data"\ninstance = "0.0.97.98.0.255"\nvalue = { unsigned = 0 }\n'
    meter = parse(
        f'{TEMPLATE}{alarm}[[alarms]]\nregister = "0.0.97.98.0.255"\nbits = {{ daylight_saving_begun = 5 }}\n',
        clock=now,
    )
    now.later(days=10)
    assert [code for _, code in of_template(meter)] == [3]
    assert int(meter.value(Data("0.0.97.98.0.255").value)) == 1 << 5


def test_who_is_told_of_events_is_told_without_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    now = Now(MARCH)
    alarm = (
        '[[object]]\nclass = "Data"\ninstance = "0.0.97.98.0.255"\nvalue = { unsigned = 0 }\n'
        '[[alarms]]\nregister = "0.0.97.98.0.255"\nbits = { daylight_saving_begun = 5 }\n'
    )
    text = f'[meter]\nname = "KFM1020012345678"\nzone = "Europe/Berlin"\n{alarm}'
    meter = parse(text, clock=now)
    told: list[MeterEvent] = []
    note = LogicalDevice.note

    def noted(device: LogicalDevice, event: MeterEvent, time: datetime | None = None) -> None:
        told.append(event)
        note(device, event, time)

    monkeypatch.setattr(LogicalDevice, "note", noted)
    now.later(days=1)
    meter.settle()
    assert int(meter.value(Data("0.0.97.98.0.255").value)) == 1 << 5
    assert told == [MeterEvent.DAYLIGHT_SAVING_BEGUN]
