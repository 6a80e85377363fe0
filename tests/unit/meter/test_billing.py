"""Billing periods of a meter with a load, held against the load over a year."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.behaving import Now, run

from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.describe import parse
from cosem.meter.loads import Load, figure
from cosem.protocol.model import Clock, ProfileGeneric, Register
from cosem.protocol.model.classes.data_storage import Data, ExtendedRegister
from cosem.protocol.model.classes.time_and_event import ScriptTable
from cosem.protocol.values.data import LongUnsigned

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN = datetime(2026, 1, 15, 13, 20, tzinfo=UTC)
BILLING = ProfileGeneric("1.0.98.1.0.255")
SCRIPTS = ScriptTable("0.0.10.0.1.255")
COUNTER, AVAILABLE, TIME = (Data(f"1.0.0.1.{e}.255") for e in range(3))
LARGEST = ExtendedRegister("1.0.1.6.0.255")

TEXT = """
[meter]
name = "KFM1020000000001"
zone = "Europe/Berlin"

[load]
kind = "household"
seed = 7

[[object]]
class = "Data"
instance = "1.0.0.1.0.255"
value = { unsigned = 41 }

[[object]]
class = "Data"
instance = "1.0.0.1.1.255"

[[object]]
class = "Data"
instance = "1.0.0.1.2.255"

[[object]]
class = "Data"
instance = "1.0.0.1.2.101"

[[object]]
class = "DemandRegister"
instance = "1.0.1.4.0.255"
period = 900

[[object]]
class = "ExtendedRegister"
instance = "1.0.1.6.0.255"

[[object]]
class = "ScriptTable"
instance = "0.0.10.0.1.255"
scripts = [[1, [
    [2, 7, "1.0.98.1.0.255", 2, { integer = 0 }],
    [2, 4, "1.0.1.6.0.255", 1, { integer = 0 }],
]]]

[[object]]
class = "ScriptTable"
instance = "0.0.10.0.100.255"
scripts = [
    [1, [[1, 6, "0.0.14.0.0.255", 4, { octet-string = "01" }]]],
    [2, [[1, 6, "0.0.14.0.0.255", 4, { octet-string = "02" }]]],
]

[[object]]
class = "SingleActionSchedule"
instance = "0.0.15.0.0.255"
executed_script = ["0.0.10.0.1.255", 1]
type = 1
execution_time = [["00:00:00", "*-*-01"]]

[[object]]
class = "ActivityCalendar"
instance = "0.0.13.0.0.255"
season_profile_active = [["all", "*-*-* *:*:*", "week"]]
week_profile_table_active = [["week", 1, 1, 1, 1, 1, 1, 1]]
day_profile_table_active = [[1, [["06:00:00", "0.0.10.0.100.255", 1], ["21:30:00", "0.0.10.0.100.255", 2]]]]

[[object]]
class = "RegisterActivation"
instance = "0.0.14.0.0.255"
register_assignment = [[3, "1.0.1.8.1.255"], [3, "1.0.1.8.2.255"]]
mask_list = [["\\u0001", [1]], ["\\u0002", [2]]]
active_mask = "\\u0001"

[[profile]]
instance = "1.0.98.1.0.255"
columns = [
    "0.0.1.0.0.255:time", "1.0.0.1.0.255:value", "1.0.1.8.0.255:value", "1.0.1.8.1.255:value", "1.0.1.8.2.255:value",
    "1.0.1.6.0.255:value", "1.0.1.6.0.255:capture_time",
]
entries = 15

[[billing]]
profile = "1.0.98.1.0.255"
counter = "1.0.0.1.0.255"
available = "1.0.0.1.1.255"
time = "1.0.0.1.2.255"
"""
REGISTERS = "\n".join(
    f'[[object]]\nclass = "Register"\ninstance = "1.0.1.8.{code}"\n'
    for code in ("0.255", "1.255", "2.255", "0.101", "0.102", "1.101", "0.42", "0.50")
)


def metered(now: Now) -> Meter:
    return parse(TEXT + REGISTERS, clock=now)


def worth(time: datetime, name: str = "active_import") -> float:
    return figure(f"household.{name}").worth(7, Load(7, BERLIN).seconds(time))


def rows(meter: Meter) -> list[tuple[Any, ...]]:
    found: Sequence[Any] = meter.value(BILLING.buffer)
    return [(moment(row[0]), *(int(cell) for cell in row[1:6]), moment(row[6])) for row in found]


def moment(octets: Any) -> datetime:
    return Clock().time.shape.decode(octets).to_datetime(BERLIN).astimezone(BERLIN)


def first_of(year: int, month: int) -> datetime:
    return datetime(year, month, 1, tzinfo=BERLIN)


def test_twelve_months_are_billed_as_the_load_was_across_daylight_saving_and_long_silence() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    begun = int(meter.value(Register("1.0.1.8.1.255").value))
    for days in (3, 80, 1, 1, 200, 82):  # nobody looks for months
        now.later(days=days)
        meter.management.visit()
    ends = [first_of(2026, month) for month in range(2, 13)] + [first_of(2027, 1)]
    billed = rows(meter)
    assert [row[0] for row in billed] == ends
    assert [row[1] for row in billed] == list(range(42, 54))
    assert [row[2] for row in billed] == [int(worth(end)) for end in ends]
    assert all(row[3] + row[4] == row[2] for row in billed)
    # By the calendar of 6 to 21:30 o'clock, in the time that is on the clock.
    first_day = sum(
        int(worth(at.replace(hour=21, minute=30))) - int(worth(at.replace(hour=6)))
        for at in (datetime(2026, 1, 16, tzinfo=BERLIN) + timedelta(days=day) for day in range(16))
    )
    rest = int(worth(datetime(2026, 1, 15, 21, 30, tzinfo=BERLIN))) - int(worth(BEGIN))
    assert billed[0][3] == begun + rest + first_day
    for before, after in pairwise(billed):
        day = sum(
            int(worth(at.replace(hour=21, minute=30))) - int(worth(at.replace(hour=6)))
            for at in days_between(before[0], after[0])
        )
        assert after[3] - before[3] == day


def days_between(begin: datetime, end: datetime) -> list[datetime]:
    count = (end.date() - begin.date()).days
    return [begin + timedelta(days=day) for day in range(count)]  # on the clock of the zone


def test_the_largest_demand_of_each_month_is_billed_and_begins_anew() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    now.later(days=110)
    begin = first_of(2026, 1)
    for row in rows(meter):
        end = row[0].astimezone(UTC)
        starts: list[datetime] = []
        at = begin.astimezone(UTC)
        while at < end:
            starts.append(at)
            at += timedelta(minutes=15)
        grown = [int(worth(start + timedelta(minutes=15))) - int(worth(start)) for start in starts]
        assert row[5] == 4 * max(grown)
        assert row[6] == starts[grown.index(max(grown))] + timedelta(minutes=15)
        begin = row[0]


def test_the_last_periods_show_by_their_codes() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    last, older, day, by_counter, other = (
        Register(f"1.0.1.8.{code}") for code in ("0.101", "0.102", "1.101", "0.42", "0.50")
    )
    with pytest.raises(ConfigurationError):
        meter.value(last.value)
    assert meter.value(AVAILABLE.value) == 0
    now.later(days=30)
    assert meter.value(last.value) == int(worth(first_of(2026, 2))) == meter.value(by_counter.value)
    with pytest.raises(ConfigurationError):
        meter.value(older.value)
    now.later(days=30)
    assert meter.value(last.value) == int(worth(first_of(2026, 3)))
    assert meter.value(older.value) == int(worth(first_of(2026, 2))) == meter.value(by_counter.value)
    assert meter.value(day.value) == rows(meter)[-1][3]
    assert meter.value(last.scaler_unit) == meter.value(Register("1.0.1.8.0.255").scaler_unit)
    with pytest.raises(ConfigurationError):
        meter.value(other.value)
    assert meter.value(COUNTER.value) == 43 and meter.value(AVAILABLE.value) == 2
    assert moment(meter.value(TIME.value)) == first_of(2026, 3)
    assert moment(meter.value(Data("1.0.0.1.2.101").value)) == first_of(2026, 3)


def test_a_reset_by_hand_ends_a_period_too() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    run(meter, SCRIPTS.execute, LongUnsigned(1))
    assert rows(meter)[-1][:3] == (BEGIN.astimezone(BERLIN), 42, int(worth(BEGIN)))
    assert meter.value(LARGEST.value) == 0 and moment(meter.value(TIME.value)) == BEGIN
    now.later(days=20)
    billed = rows(meter)
    assert [row[1] for row in billed] == [42, 43] and billed[-1][0] == first_of(2026, 2)
    assert billed[-1][6] > BEGIN


def test_the_buffer_keeps_so_many_periods_and_a_full_counter_begins_again() -> None:
    now = Now(BEGIN)
    meter = metered(now)
    for _ in range(215):
        run(meter, SCRIPTS.execute, LongUnsigned(1))
        now.later(minutes=1)
    assert meter.value(COUNTER.value) == 0
    assert meter.value(AVAILABLE.value) == 15 == len(rows(meter))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('profile = "1.0.98.1.0.255"', 'profile = "1.0.98.2.0.255"', "no such profile"),
        ('counter = "1.0.0.1.0.255"', 'counter = "1.0.0.1.7.255"', "no such Data object"),
        ("value = { unsigned = 41 }", 'value = "many"', "a number that counts"),
        ("entries = 15", "entries = 15\nperiod = 900\nrecomputed = true", "captured, not computed"),
    ],
)
def test_what_cannot_be_billed_is_refused_with_its_place(old: str, new: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"\[\[billing\]\] 1 \(1\.0\.98.*{why}"):
        parse((TEXT + REGISTERS).replace(old, new), clock=Now(BEGIN))
