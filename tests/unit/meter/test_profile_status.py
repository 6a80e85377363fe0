"""The status of profiles, row by row: expected bits are those that companions print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.behaving import Now, run, write

from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.describe import parse
from cosem.meter.events import MeterEvent
from cosem.meter.profile_status import MOST_MARKS, ProfileStatus, Told
from cosem.protocol.model import Clock, ProfileGeneric
from cosem.protocol.model.classes.data_storage import Data
from cosem.protocol.model.companion import companion
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import LongUnsigned, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 1, 15, 11, tzinfo=UTC)
PROFILE = ProfileGeneric("1.0.99.1.0.255")
BILLING = ProfileGeneric("0.0.98.1.0.255")
STATUS = Data("0.0.96.10.1.255")

VALID, SAVING, ADJUSTED, POWER = 1 << 2, 1 << 3, 1 << 5, 1 << 7

TEXT = """
[meter]
name = "KFM1020000000001"
zone = "Europe/Berlin"

[[object]]
class = "Data"
instance = "{register}"
{value}

[[profile]]
instance = "{profile}"
columns = ["0.0.1.0.0.255:time", "{register}:value"]
period = {period}

[[status]]
register = "{register}"
bits = {{ data_not_valid = 2, daylight_saving = 3, clock_adjusted = 5, power_down = 7 }}
"""


def metered(now: Now, value: str = "", profile: ProfileGeneric = PROFILE, period: int = 900) -> Meter:
    text = TEXT.format(register=STATUS.instance, value=value, profile=profile.instance, period=period)
    return parse(text, clock=now)


def statuses(meter: Meter, profile: ProfileGeneric = PROFILE) -> list[int]:
    rows: Sequence[Any] = meter.value(profile.buffer)
    return [int(row[1]) for row in rows]


def test_daylight_saving_is_told_by_the_time_of_the_row() -> None:
    now = Now(datetime(2026, 3, 29, 0, 25, tzinfo=UTC))  # at 1 UTC it begins
    meter = metered(now)
    now.later(hours=1)
    assert statuses(meter) == [0, 0, SAVING, SAVING]
    now.time = datetime(2026, 10, 25, 0, 25, tzinfo=UTC)
    statuses(meter)
    now.later(hours=1)
    assert statuses(meter)[-4:] == [SAVING, SAVING, 0, 0]


@pytest.mark.parametrize(("by", "told"), [(60, 0), (61, VALID | ADJUSTED), (-60, 0), (-61, VALID | ADJUSTED)])
def test_a_clock_that_is_set_by_more_than_a_minute_shows_in_the_next_row_alone(by: int, told: int) -> None:
    now = Now(NOON + timedelta(minutes=5))
    meter = metered(now)
    meter.set_time(meter.time() + timedelta(seconds=by))
    now.later(minutes=30)
    assert statuses(meter) == [told, 0]


def test_what_happens_after_the_clock_was_set_back_shows_in_no_row_of_before() -> None:
    now = Now(NOON + timedelta(minutes=1))
    text = TEXT.format(register=STATUS.instance, value="", profile=PROFILE.instance, period=900)
    meter = parse(f'{text}[load]\nkind = "household"\n', clock=now)
    now.later(minutes=30)
    before = statuses(meter)
    assert len(before) > 100
    write(meter, Clock().time, DateTime.from_datetime(meter.time() - timedelta(hours=5)))
    meter.management.note(MeterEvent.POWER_DOWN)
    assert statuses(meter) == before
    now.later(minutes=15)
    assert statuses(meter)[-1] == VALID | ADJUSTED | POWER


def test_a_power_failure_shows_in_the_periods_where_it_begins_and_ends() -> None:
    now = Now(NOON + timedelta(minutes=5))
    meter = metered(now)
    meter.management.note(MeterEvent.POWER_DOWN)
    now.later(minutes=15)
    meter.management.note(MeterEvent.POWER_UP)
    now.later(minutes=30)
    assert statuses(meter) == [VALID | POWER, VALID | POWER, 0]


def test_what_happens_as_a_period_ends_belongs_to_it() -> None:
    now = Now(NOON)
    meter = metered(now)
    now.later(minutes=15)
    meter.management.note(MeterEvent.POWER_DOWN, meter.time())
    assert int(meter.value(STATUS.value)) == VALID | POWER
    now.later(seconds=1)
    assert int(meter.value(STATUS.value)) == 0


def test_what_the_row_of_that_very_moment_is_missing_after_belongs_to_the_period_that_begins() -> None:
    now = Now(NOON + timedelta(minutes=5))
    meter = metered(now)
    meter.power.down()
    now.later(minutes=25)
    meter.power.up()
    assert int(meter.value(STATUS.value)) == VALID | POWER
    now.later(minutes=30)
    assert statuses(meter) == [VALID | POWER, 0]
    meter.set_time(NOON + timedelta(hours=4))
    now.later(minutes=30)
    assert statuses(meter)[2:] == [VALID | ADJUSTED, 0]


def test_without_a_period_it_tells_of_the_time_since_the_row_before() -> None:
    now = Now(NOON)
    meter = metered(now, profile=BILLING, period=0)
    meter.management.note(MeterEvent.POWER_DOWN)
    for _ in range(3):
        now.later(days=20)
        run(meter, BILLING.capture)
    meter.management.note(MeterEvent.POWER_UP, meter.time() + timedelta(seconds=1))
    now.later(days=20)
    run(meter, BILLING.capture)
    assert [status & POWER for status in statuses(meter, BILLING)] == [POWER, 0, 0, POWER]


def test_bits_that_are_given_always_stand_in_the_type_that_is_given() -> None:
    now = Now(NOON)
    meter = metered(now, "value = { long-unsigned = 0x0102 }")
    meter.management.note(MeterEvent.POWER_DOWN, meter.time() + timedelta(minutes=1))
    now.later(minutes=1)
    assert meter.value(STATUS.value) == LongUnsigned(0x0102 | VALID | POWER)
    assert type(meter.value(STATUS.value)) is LongUnsigned


def test_so_much_is_remembered_and_no_more() -> None:
    now = Now(NOON)
    meter = metered(now)
    meter.management.note(MeterEvent.POWER_UP, meter.time() + timedelta(seconds=1))
    now.later(days=1)
    rows = statuses(meter)
    for _ in range(MOST_MARKS - 1):
        meter.management.note(MeterEvent.POWER_DOWN)
    first = meter.management.reading(meter.time() - timedelta(days=1) + timedelta(seconds=2))
    item = meter.management.find(STATUS.instance)
    assert item is not None and rows[0] == VALID | POWER
    assert item.read(first, 2) == Unsigned(VALID | POWER)
    meter.management.note(MeterEvent.POWER_DOWN)
    assert item.read(first, 2) == Unsigned(0)


@pytest.mark.parametrize("place", [-1, 8])
def test_bits_have_room_in_the_object_that_is_there(place: int) -> None:
    meter = metered(Now(NOON))
    meter.add(Data("0.0.96.10.2.255"), value=Unsigned(0))
    status = ProfileStatus(Obis("0.0.96.10.2.255"), {Told.POWER_DOWN: place})
    with pytest.raises(ConfigurationError, match="no room for bit"):
        meter.management.listen(status)
    with pytest.raises(ConfigurationError, match="no such Data object"):
        meter.management.listen(ProfileStatus(Obis("0.0.96.10.3.255"), {Told.POWER_DOWN: 7}))


def test_unknown_bits_are_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"\[\[status\]\] 1 \(0\.0\.96\.10\.1\.255\): bits.*power_down"):
        parse(TEXT.format(register=STATUS.instance, value="", profile=PROFILE.instance, period=900).replace("_adj", ""))


def test_a_dutch_meter_tells_in_the_rows_of_its_load_profile_by_the_names_of_its_companion() -> None:
    now = Now(datetime(2026, 7, 1, 10, 5, tzinfo=UTC))
    text = '[meter]\nname = "KFM1020000000001"\nzone = "Europe/Berlin"\ncompanion = "dsmr-4.2.2"\n'
    meter = parse(text + '[load]\nkind = "household"\n', clock=now)
    profile, known = ProfileGeneric("1.0.99.2.0.255"), companion("dsmr-4.2.2")
    column = meter.value(profile.capture_objects)[1]
    assert column == CaptureObject(1, Obis("0.0.96.10.2.255"), 2, 0)
    meter.set_time(meter.time() + timedelta(hours=1))
    now.later(days=2)
    rows: Sequence[Any] = meter.value(profile.buffer)

    def names(row: Any) -> set[str]:
        return {name for bit, name in known.bits(column).items() if int(row[1]) >> bit & 1}

    assert names(rows[-3]) == names(rows[-1]) == {"daylight saving"}
    assert names(rows[-2]) == {"daylight saving", "clock adjusted", "data not valid"}
    assert Clock().time.shape.decode(rows[-2][0]).day == 2
