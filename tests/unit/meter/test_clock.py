"""The clock of a meter: its zone, daylight saving, setting and adjusting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from cosem.meter import Meter
from cosem.meter.item import Refusal
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model import Clock
from cosem.protocol.values.data import Data, Long, OctetString, Structure
from cosem.protocol.values.dates import ClockStatus, DateTime

CLOCK = Clock()
SUMMER = datetime(2024, 7, 1, 10, 7, 40, tzinfo=UTC)
WINTER = datetime(2024, 1, 1, 10, 7, 40, tzinfo=UTC)
ZONES = ("Europe/Berlin", "UTC", "Asia/Kolkata")


def meter(now: datetime = SUMMER, zone: str = "Europe/Berlin") -> Meter:
    return Meter("KFM1", zone=ZoneInfo(zone), clock=lambda: now)


def act(meter: Meter, method: int, argument: Data = None) -> datetime:
    visit = meter.management.visit()
    item = visit.device.find(CLOCK.instance)
    assert item is not None
    item.behaviour.methods[method](visit, item, argument)
    return meter.time()


def write(meter: Meter, value: Data) -> None:
    visit = meter.management.visit()
    item = visit.device.find(CLOCK.instance)
    assert item is not None
    item.write(visit, 2, value)


def test_time_is_local_with_deviation_and_status() -> None:
    time = meter().value(CLOCK.time)
    assert str(time.date), str(time.time) == ("2024-07-01 Mon", "12:07:40.00")
    assert (time.deviation, time.status) == (-120, ClockStatus.DAYLIGHT_SAVING)
    time = meter(WINTER).value(CLOCK.time)
    assert (time.deviation, time.status) == (-60, 0)


def test_the_hour_that_comes_twice_and_the_same_time_in_other_zones() -> None:
    night = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    told = [meter(night + timedelta(hours=hour), zone).value(CLOCK.time) for hour in (0, 1) for zone in ZONES]
    assert [(time.hour, time.minute, time.deviation) for time in told] == [
        *((2, 30, -120), (0, 30, 0), (6, 0, -330)),
        *((2, 30, -60), (1, 30, 0), (7, 0, -330)),
    ]


@pytest.mark.parametrize("now", [SUMMER, WINTER])
def test_the_rules_of_a_zone_with_daylight_saving(now: datetime) -> None:
    berlin = meter(now)
    assert berlin.value(CLOCK.time_zone) == -60
    assert berlin.value(CLOCK.daylight_savings_enabled) is True
    assert berlin.value(CLOCK.daylight_savings_deviation) == 60
    # last Sunday of March at 2:00, last Sunday of October at 3:00, local time before the change
    assert berlin.value(CLOCK.daylight_savings_begin).octets.hex().upper() == "FFFF03FE0702000000FFC4FF"
    assert berlin.value(CLOCK.daylight_savings_end).octets.hex().upper() == "FFFF0AFE0703000000FF88FF"
    assert berlin.value(CLOCK.status) == (ClockStatus.DAYLIGHT_SAVING if now is SUMMER else 0)


def test_zones_without_daylight_saving_and_on_the_southern_half() -> None:
    plain = meter(zone="Asia/Tokyo")
    assert plain.value(CLOCK.time_zone) == -540
    assert plain.value(CLOCK.daylight_savings_enabled) is False
    assert plain.value(CLOCK.daylight_savings_begin) == DateTime()
    south = meter(zone="America/Santiago")
    assert south.value(CLOCK.time_zone) == 240
    begin, end = south.value(CLOCK.daylight_savings_begin), south.value(CLOCK.daylight_savings_end)
    assert (begin.month, end.month) == (9, 4)


def test_setting_with_and_without_deviation() -> None:
    berlin = meter()
    write(berlin, OctetString(bytes.fromhex("07E8070103030000000000FF")))
    assert berlin.time().astimezone(UTC) == datetime(2024, 7, 1, 3, 0, tzinfo=UTC)
    write(berlin, OctetString(bytes.fromhex("07E80701FF030000008000FF")))
    assert berlin.time().astimezone(UTC) == datetime(2024, 7, 1, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "octets",
    [
        "FFFFFFFFFFFFFFFFFF8000FF",  # nothing said
        "07E8021EFF000000008000FF",  # the 30th of February
        "00010101FF000000008000FF",  # year 1
        "270F0C1FFF173B3B00FC18FF",  # year 9999, beyond the calendar in UTC
        "08340101FF00000000000000",  # year 2100
        "07C50C1FFF173B3B00000000",  # year 1989
        "07E80701FF03000000",
        "",
    ],
)
def test_times_no_meter_can_have(octets: str) -> None:
    berlin = meter()
    with pytest.raises(Refusal) as refused:
        write(berlin, OctetString(bytes.fromhex(octets)))
    assert refused.value.result == DataAccessResult.TYPE_UNMATCHED
    assert berlin.time() == SUMMER


def test_adjusting() -> None:
    assert act(meter(), 1).minute == 15
    assert act(meter(SUMMER - timedelta(minutes=1)), 1).minute == 0
    assert act(meter(), 3).astimezone(UTC) == datetime(2024, 7, 1, 10, 8, tzinfo=UTC)
    assert act(meter(), 2).minute == 15
    midnight = datetime(2024, 7, 1, 21, 59, 45, tzinfo=UTC)
    assert act(meter(midnight), 3).astimezone(UTC) == datetime(2024, 7, 1, 22, 0, tzinfo=UTC)


def test_shifting_is_bounded() -> None:
    assert act(meter(), 6, Long(-900)) == SUMMER - timedelta(seconds=900)
    for seconds in (901, -901):
        with pytest.raises(Refusal):
            act(meter(), 6, Long(seconds))


def test_a_zone_is_any_tzinfo() -> None:
    fixed: tzinfo = timezone(timedelta(hours=5, minutes=30))
    indian = Meter("KFM1", zone=fixed, clock=lambda: SUMMER)
    assert indian.value(CLOCK.time_zone) == -330
    assert indian.value(CLOCK.time).deviation == -330


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2024, 3, 31, 0, 55, tzinfo=UTC), 600),  # 01:55 in Berlin, before the hour that is left out
        (datetime(2024, 3, 31, 1, 5, tzinfo=UTC), -600),
        (datetime(2024, 10, 27, 0, 55, tzinfo=UTC), 600),  # 02:55, before the hour that comes twice
        (datetime(2024, 10, 27, 1, 5, tzinfo=UTC), -600),
    ],
)
def test_shifting_in_the_nights_of_daylight_saving(now: datetime, seconds: int) -> None:
    assert act(meter(now), 6, Long(seconds)).astimezone(UTC) == now + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "now",
    [
        datetime(2024, 3, 31, 0, 59, 50, tzinfo=UTC),  # to 03:00 in Berlin, which follows 01:59:59
        datetime(2024, 3, 31, 5, 59, 50, tzinfo=UTC),  # a day that has had an hour less
        datetime(2024, 10, 27, 0, 59, 50, tzinfo=UTC),  # to 02:00 for the second time
        datetime(2024, 10, 27, 0, 29, 50, tzinfo=UTC),
        datetime(2024, 10, 27, 1, 29, 50, tzinfo=UTC),
        datetime(2024, 10, 27, 5, 59, 50, tzinfo=UTC),  # a day that has had an hour more
    ],
)
def test_adjusting_in_the_nights_of_daylight_saving(now: datetime) -> None:
    nearest = now + timedelta(seconds=10)
    for method in (1, 2, 3):
        assert act(meter(now), method).astimezone(UTC) == nearest


def test_adjusting_at_half_of_the_period_goes_forward() -> None:
    quarter = datetime(2024, 7, 1, 10, 0, tzinfo=UTC)
    for seconds, wanted in ((449, 0), (450, 900), (451, 900)):
        assert act(meter(quarter + timedelta(seconds=seconds)), 1) == quarter + timedelta(seconds=wanted)


def preset(time: datetime, since: datetime, until: datetime) -> Data:
    return Structure(tuple(OctetString(DateTime.from_datetime(each).octets) for each in (time, since, until)))


@pytest.mark.parametrize(
    ("since", "until", "adjusts"), [(0, 0, True), (0, 60, True), (-60, 0, True), (1, 60, False), (-60, -1, False)]
)
def test_a_preset_time_is_set_once_in_its_interval(since: int, until: int, adjusts: bool) -> None:
    berlin, at = meter(), SUMMER + timedelta(minutes=2)
    act(berlin, 5, preset(at, SUMMER + timedelta(seconds=since), SUMMER + timedelta(seconds=until)))
    assert berlin.time() == SUMMER
    if adjusts:
        assert act(berlin, 4) == at
    with pytest.raises(Refusal) as refused:
        act(berlin, 4)
    assert refused.value.result == DataAccessResult.TEMPORARY_FAILURE
    assert berlin.time() == (at if adjusts else SUMMER)


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_a_preset_time_at_the_ends_of_the_calendar_is_refused_when_it_is_to_be_set(end: str) -> None:
    berlin, at = meter(), OctetString(DateTime.parse(end).octets)
    interval = preset(SUMMER, SUMMER, SUMMER + timedelta(minutes=1))
    assert isinstance(interval, Structure)
    act(berlin, 5, Structure((at, *interval[1:])))
    with pytest.raises(Refusal) as refused:
        act(berlin, 4)
    assert refused.value.result == DataAccessResult.TYPE_UNMATCHED
    assert berlin.time() == SUMMER


def test_nothing_is_preset_from_times_that_are_none() -> None:
    berlin = meter()
    with pytest.raises(Refusal) as refused:
        act(berlin, 5, Structure((OctetString(b"\xff" * 12),) * 3))
    assert refused.value.result == DataAccessResult.TYPE_UNMATCHED
    with pytest.raises(Refusal):
        act(berlin, 4)
