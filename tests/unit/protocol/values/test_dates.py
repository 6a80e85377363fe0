"""Dates and times: octets kept exactly, deviation the right way round, open fields and wildcards as specified."""

from __future__ import annotations

import copy
import os
import pickle
import time as host
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, DecodeError, LocalProtocolError, ShapeError
from cosem.protocol.values.dates import (
    DAYLIGHT_SAVINGS_BEGIN,
    DAYLIGHT_SAVINGS_END,
    LAST_DAY,
    SECOND_LAST_DAY,
    ClockStatus,
    Date,
    DateTime,
    Time,
    daylight_saving,
)

BERLIN = ZoneInfo("Europe/Berlin")


def octets(text: str) -> bytes:
    return bytes.fromhex(text)


# Captured date-times whose point in time was stated by their source, each by another author than ours.
@pytest.mark.parametrize(
    ("captured", "utc"),
    [
        # Iskra AM550, scs/smartmeter-datacollector
        ("07e4080f0606132d00ff8880", datetime(2020, 8, 15, 4, 19, 45)),
        # Landis+Gyr E360, scs/smartmeter-datacollector
        ("07e7060602111f1412ff8880", datetime(2023, 6, 6, 15, 31, 20, 180_000)),
        # range of a profile, circutor gosem
        ("07e40101030a000000000000", datetime(2020, 1, 1, 10)),
    ],
)
def test_captured_in_utc(captured: str, utc: datetime) -> None:
    assert DateTime.from_octets(octets(captured)).to_datetime() == utc.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("captured", "local"),
    [
        # Aidon (NO, SE): hundredths and status not specified, deviation open
        ("07e30c1001073b28ff8000ff", datetime(2019, 12, 16, 7, 59, 40)),
        # MX382, OSGP
        ("07e70706040a362600ff8880", datetime(2023, 7, 6, 10, 54, 38)),
        ("07e70a19030b122900ff8880", datetime(2023, 10, 25, 11, 18, 41)),
        # Landis+Gyr E570, no deviation
        ("07ea060902100428ff800000", datetime(2026, 6, 9, 16, 4, 40)),
        # u9n get-response-with-list, CET
        ("07e50603040e091700ffc400", datetime(2021, 6, 3, 14, 9, 23)),
        # Austrian push annotated in amsreader-firmware, status doubtful
        ("07e50c1b010e002d00ffc402", datetime(2021, 12, 27, 14, 0, 45)),
    ],
)
def test_captured_local_time(captured: str, local: datetime) -> None:
    moment = DateTime.from_octets(octets(captured))
    assert moment.to_datetime(naive=True).replace(tzinfo=None) == local
    assert moment.weekday == local.isoweekday()
    assert moment.octets == octets(captured)


def test_fields_of_a_captured_date_time() -> None:
    moment = DateTime.from_octets(octets("07e50c1b010e002d00ffc402"))
    assert (moment.year, moment.month, moment.day, moment.weekday) == (2021, 12, 27, 1)
    assert (moment.hour, moment.minute, moment.second, moment.hundredths) == (14, 0, 45, 0)
    assert moment.deviation == -60
    assert moment.status == ClockStatus.DOUBTFUL
    assert moment.date == Date(2021, 12, 27, 1)
    assert moment.time == Time(14, 0, 45, 0)
    assert str(moment) == "2021-12-27 Mon 14:00:45.00 +01:00 [doubtful]"


def test_deviation_counts_from_local_time_to_utc() -> None:
    winter = DateTime(2024, 1, 1, hour=12, minute=0, deviation=-60)
    assert winter.octets[9:11] == octets("ffc4")
    assert winter.to_datetime() == datetime(2024, 1, 1, 11, tzinfo=UTC)
    assert winter.to_datetime().utcoffset() == timedelta(hours=1)
    new_york = DateTime(2024, 1, 1, hour=12, minute=0, deviation=300)
    assert new_york.to_datetime() == datetime(2024, 1, 1, 17, tzinfo=UTC)


def test_a_given_deviation_wins_over_the_zone() -> None:
    moment = DateTime(2024, 7, 1, hour=12, minute=0, deviation=-60)
    assert moment.to_datetime(BERLIN) == datetime(2024, 7, 1, 11, tzinfo=UTC)


def test_an_open_deviation_needs_a_zone() -> None:
    moment = DateTime(2024, 7, 1, hour=12, minute=0)
    assert moment.octets[9:11] == octets("8000")
    assert moment.deviation is None
    assert moment.to_datetime(BERLIN) == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert moment.to_datetime(naive=True) == datetime(2024, 7, 1, 12)
    assert moment.to_datetime(naive=True).tzinfo is None
    with pytest.raises(ShapeError, match=r"2024-07-01 12:00:\* has no deviation from UTC: give the zone"):
        moment.to_datetime()


@pytest.mark.parametrize(
    ("status", "utc_hour"),
    [(ClockStatus.DAYLIGHT_SAVING, 0), (0, 1), (ClockStatus.DOUBTFUL, 1), (None, 0)],
)
def test_the_hour_that_comes_twice(status: int | None, utc_hour: int) -> None:
    moment = DateTime(2024, 10, 27, hour=2, minute=30, status=status)
    assert moment.to_datetime(BERLIN).astimezone(UTC) == datetime(2024, 10, 27, utc_hour, 30, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/Dublin", "Europe/London", "America/St_Johns"])
def test_daylight_is_saved_in_summer_also_where_summer_is_the_standard(zone: str) -> None:
    for month, saved in ((1, timedelta()), (7, timedelta(hours=1))):
        local = datetime(2026, month, 15, 12, tzinfo=ZoneInfo(zone))
        assert daylight_saving(local) == saved
        assert DateTime.from_datetime(local).status == (ClockStatus.DAYLIGHT_SAVING if saved else 0)
    assert daylight_saving(datetime(2026, 7, 15, 12, tzinfo=UTC)) == timedelta()
    assert daylight_saving(datetime(2026, 7, 15, 12)) == timedelta()


@pytest.mark.parametrize(("status", "utc_hour"), [(ClockStatus.DAYLIGHT_SAVING, 0), (0, 1), (None, 0)])
def test_the_hour_that_comes_twice_where_summer_is_the_standard(status: int | None, utc_hour: int) -> None:
    moment = DateTime(2024, 10, 27, hour=1, minute=30, status=status)
    assert moment.to_datetime(ZoneInfo("Europe/Dublin")).astimezone(UTC).hour == utc_hour


@pytest.mark.parametrize("year", [1999, 2016, 2024, 2025])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/Dublin", "America/St_Johns", "Australia/Lord_Howe"])
def test_every_half_hour_of_a_year_survives_without_deviation(year: int, zone: str) -> None:
    there = ZoneInfo(zone)
    moment = datetime(year, 1, 1, tzinfo=UTC)
    for _ in range(0, 366 * 48, 5):
        local = moment.astimezone(there)
        sent = DateTime.from_datetime(local)
        assert sent.to_datetime() == moment
        if local.replace(fold=0).dst() != local.replace(fold=1).dst() or local.fold == 0:
            assert sent.replace(deviation=None).to_datetime(there).astimezone(UTC) == moment
        moment += timedelta(minutes=150)


class TestFromDatetime:
    def test_aware(self) -> None:
        summer = DateTime.from_datetime(datetime(2024, 7, 1, 12, 0, 5, 129_999, tzinfo=BERLIN))
        assert summer.octets == octets("07e80701010c00050cff8880")
        winter = DateTime.from_datetime(datetime(2024, 1, 1, 12, tzinfo=BERLIN))
        assert winter.octets == octets("07e80101010c000000ffc400")
        assert DateTime.from_datetime(datetime(2024, 1, 1, tzinfo=UTC)).octets == octets("07e801010100000000000000")

    def test_naive_leaves_deviation_and_status_open(self) -> None:
        assert DateTime.from_datetime(datetime(2024, 1, 1)).octets == octets("07e8010101000000008000ff")

    def test_seconds_of_offset_are_refused(self) -> None:
        with pytest.raises(LocalProtocolError, match="whole number of minutes"):
            DateTime.from_datetime(datetime(1880, 1, 1, tzinfo=timezone(timedelta(seconds=3208))))


@given(
    st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 10_000 * 10_000)
    )
)
def test_datetimes_round_trip(moment: datetime) -> None:
    back = DateTime.from_datetime(moment).to_datetime()
    assert back == moment
    assert back.utcoffset() == moment.utcoffset()


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "America/New_York"])
def host_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    host.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    host.tzset()


@pytest.mark.usefixtures("host_zone")
def test_the_zone_of_the_host_has_no_say() -> None:
    assert DateTime(2024, 7, 1, hour=2, minute=30, deviation=-120).to_datetime().timestamp() == 1719793800
    assert DateTime(2024, 7, 1, hour=2, minute=30).to_datetime(BERLIN).timestamp() == 1719793800
    assert DateTime.from_datetime(datetime(2024, 7, 1, 2, 30)).octets == octets("07e80701 01021e0000 8000 ff")


class TestOctets:
    @given(st.binary(min_size=12, max_size=12))
    def test_any_date_time_is_kept(self, twelve: bytes) -> None:
        moment = DateTime.from_octets(twelve)
        assert moment.octets == bytes(moment) == twelve
        assert str(moment)
        assert eval(repr(moment)) == moment
        assert pickle.loads(pickle.dumps(moment)) == copy.deepcopy(moment) == moment
        with suppress(ShapeError):
            assert moment.to_datetime(BERLIN).tzinfo is not None
        moment.matches(datetime(2024, 2, 29, 12))

    @given(st.binary(min_size=5, max_size=5), st.binary(min_size=4, max_size=4))
    def test_any_date_and_time_is_kept(self, five: bytes, four: bytes) -> None:
        for value in (Date.from_octets(five), Time.from_octets(four)):
            assert value.octets in (five, four)
            assert str(value)
            assert eval(repr(value)) == value
        day, clock = Date.from_octets(five), Time.from_octets(four)
        day.matches(date(2024, 2, 29))
        clock.matches(time(12))
        for convert in (day.to_date, clock.to_time):
            with suppress(ShapeError):
                convert()

    @pytest.mark.parametrize(("kind", "size"), [(DateTime, 12), (Date, 5), (Time, 4)])
    def test_another_length_is_refused(self, kind: Any, size: int) -> None:
        for wrong in (0, size - 1, size + 1):
            with pytest.raises(DecodeError, match=f"{kind.NAME} needs {size} octets, has {wrong}"):
                kind.from_octets(bytes(wrong))
        assert kind.from_octets(bytes(size)).octets == bytes(size)


def optional(low: int, high: int, *also: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(low, high) | (st.sampled_from(also) if also else st.nothing())


date_fields = {
    "year": optional(0, 0xFFFE),
    "month": optional(1, 12, DAYLIGHT_SAVINGS_BEGIN, DAYLIGHT_SAVINGS_END),
    "day": optional(1, 31, LAST_DAY, SECOND_LAST_DAY),
    "weekday": optional(1, 7),
}
time_fields = {
    "hour": optional(0, 23),
    "minute": optional(0, 59),
    "second": optional(0, 59),
    "hundredths": optional(0, 99),
}
date_time_fields = {**date_fields, **time_fields, "deviation": optional(-1439, 1439), "status": optional(0, 254)}


class TestFields:
    @given(st.fixed_dictionaries(date_time_fields))
    def test_date_time(self, fields: dict[str, int | None]) -> None:
        moment = DateTime(**fields)
        assert {name: getattr(moment, name) for name in fields} == fields
        assert DateTime.parse(str(moment)) == moment
        assert moment.replace() == moment
        assert len(moment.octets) == 12

    @given(st.fixed_dictionaries(date_fields))
    def test_date(self, fields: dict[str, int | None]) -> None:
        day = Date(**fields)
        assert {name: getattr(day, name) for name in fields} == fields
        assert Date.parse(str(day)) == day
        assert day.replace() == day

    @given(st.fixed_dictionaries(time_fields))
    def test_time(self, fields: dict[str, int | None]) -> None:
        clock = Time(**fields)
        assert {name: getattr(clock, name) for name in fields} == fields
        assert Time.parse(str(clock)) == clock
        assert clock.replace() == clock

    def test_nothing_specified(self) -> None:
        assert DateTime().octets == octets("ffffffffff ffffffff 8000 ff")
        assert Date().octets == octets("ffffffffff")
        assert Time().octets == octets("ffffffff")
        assert str(DateTime()) == "*-*-* *:*:*"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("year", -1),
            ("year", 0xFFFF),
            ("month", 0),
            ("month", 13),
            ("month", 0xFF),
            ("day", 0),
            ("day", 32),
            ("weekday", 0),
            ("weekday", 8),
            ("hour", 24),
            ("minute", 60),
            ("second", 60),
            ("hundredths", 100),
            ("deviation", 1440),
            ("deviation", -1440),
            ("status", 255),
            ("status", -1),
        ],
    )
    def test_out_of_range(self, name: str, value: int) -> None:
        with pytest.raises(LocalProtocolError, match=f"{name} {value} is not within"):
            DateTime(**{name: value})
        with pytest.raises(LocalProtocolError):
            DateTime().replace(**{name: value})

    def test_replace(self) -> None:
        assert DateTime(2024, 2, 29).replace(deviation=-60, year=None) == DateTime(None, 2, 29, deviation=-60)
        assert Date(2024, 2).replace(day=LAST_DAY) == Date(2024, 2, LAST_DAY)
        assert Time(12).replace(minute=5) == Time(12, 5)


class TestValues:
    def test_equality_is_by_kind_and_octets(self) -> None:
        assert Date(2024, 1, 1) == Date(2024, 1, 1) != Date(2024, 1, 2)
        assert Date(2024, 1, 1) != octets("07e80101ff")
        assert Time() != Date()
        assert len({Date(2024), Date(2024), Time(1), DateTime(2024)}) == 3

    def test_do_not_change(self) -> None:
        for value in (DateTime(), Date(), Time()):
            assert not hasattr(value, "__dict__")
            with pytest.raises(AttributeError, match="does not change"):
                value.octets = b""
            with pytest.raises(AttributeError, match="does not change"):
                del value.octets

    def test_status_keeps_bits_without_a_name(self) -> None:
        moment = DateTime.from_octets(octets("07e80101010000000080 0095"))
        assert moment.status == 0x95
        assert str(moment).endswith("[invalid, different base, daylight saving, 0x10]")
        assert DateTime.parse(str(moment)) == moment


class TestConversions:
    def test_date(self) -> None:
        assert Date(2024, 2, 29).to_date() == date(2024, 2, 29)
        assert Date.from_date(date(2024, 2, 29)) == Date(2024, 2, 29, 4)

    @pytest.mark.parametrize(
        "day", [Date(), Date(2024, 2), Date(2023, 2, 29), Date(2024, 2, LAST_DAY), Date(2024, DAYLIGHT_SAVINGS_END, 1)]
    )
    def test_no_single_day(self, day: Date) -> None:
        with pytest.raises(ShapeError, match="is no single day"):
            day.to_date()

    def test_time(self) -> None:
        assert Time(13, 45).to_time() == time(13, 45)
        assert Time(13, 45, 10, 50).to_time() == time(13, 45, 10, 500_000)
        assert Time.from_time(time(13, 45, 10, 509_999)) == Time(13, 45, 10, 50)

    @pytest.mark.parametrize("four", ["ff000000", "00ff0000", "18000000", "003c0000", "00003c00", "00000064"])
    def test_no_single_time(self, four: str) -> None:
        with pytest.raises(ShapeError, match="is no single time of day"):
            Time.from_octets(octets(four)).to_time()

    @pytest.mark.parametrize(
        "twelve",
        [
            "ffff01010100000000000000",
            "07e8ff010100000000000000",
            "07e80101010000000005a000",  # deviation 1440
            "000001010100000000000000",
            "07e8021e0100000000000000",  # 30 February
            "07e8010101ff000000000000",
            "07e801010100000064000000",
        ],
    )
    def test_no_point_in_time(self, twelve: str) -> None:
        with pytest.raises(ShapeError, match="is no "):
            DateTime.from_octets(octets(twelve)).to_datetime()


# IEC 62056-6-2, date format: how day of month and day of week are read together, with examples of the last and first
# Sunday and the fourth Friday.
class TestMatches:
    @pytest.mark.parametrize(
        ("five", "days"),
        [
            ("ffffff02ff", [date(2024, 1, 2), date(2025, 12, 2)]),
            ("fffffffeff", [date(2024, 1, 31), date(2024, 2, 29), date(2023, 2, 28)]),
            ("fffffffdff", [date(2024, 1, 30), date(2024, 2, 28)]),
            ("fffffffe07", [date(2024, 3, 31), date(2024, 10, 27), date(2024, 2, 25)]),
            ("ffff03fe07", [date(2024, 3, 31), date(2025, 3, 30)]),
            ("ffff030107", [date(2024, 3, 3), date(2026, 3, 1)]),
            ("ffff0b1605", [date(2024, 11, 22), date(2025, 11, 28)]),
            ("ffffffff06", [date(2024, 6, 1), date(2024, 6, 8)]),
            ("07e8021d04", [date(2024, 2, 29)]),
            ("07e8ffffff", [date(2024, 1, 1), date(2024, 12, 31)]),
        ],
    )
    def test_days(self, five: str, days: list[date]) -> None:
        assert all(Date.from_octets(octets(five)).matches(day) for day in days)

    @pytest.mark.parametrize(
        ("five", "days"),
        [
            ("fffffffeff", [date(2024, 2, 28)]),
            ("ffff03fe07", [date(2024, 3, 24), date(2024, 10, 27), date(2024, 3, 30)]),
            ("ffff030107", [date(2024, 3, 10)]),
            ("07e8021d05", [date(2024, 2, 29), date(2024, 3, 1)]),
            ("07e8ffffff", [date(2023, 12, 31)]),
            ("fffffdffff", [date(2024, 10, 27)]),
        ],
    )
    def test_other_days(self, five: str, days: list[date]) -> None:
        assert not any(Date.from_octets(octets(five)).matches(day) for day in days)

    @pytest.mark.parametrize("year", range(2000, 2040))
    def test_last_sunday_of_march_is_one_day_a_year(self, year: int) -> None:
        rule = DateTime(month=3, day=LAST_DAY, weekday=7, hour=2, minute=0).date
        days = [date(year, 3, 1) + timedelta(days=n) for n in range(31)]
        assert [day for day in days if rule.matches(day)] == [max(day for day in days if day.isoweekday() == 7)]

    def test_times(self) -> None:
        hourly = Time(minute=0, second=0)
        assert hourly.matches(time(5))
        assert not hourly.matches(time(5, 0, 1))
        assert Time().matches(time(23, 59, 59, 999_999))
        assert Time(hundredths=50).matches(time(1, 1, 1, 509_999))

    def test_date_times_look_at_local_time_only(self) -> None:
        rule = DateTime(month=3, day=LAST_DAY, weekday=7, hour=2, minute=0)
        assert rule.matches(datetime(2024, 3, 31, 2, 0, 30))
        assert rule.matches(datetime(2024, 3, 31, 2, tzinfo=BERLIN))
        assert not rule.matches(datetime(2024, 3, 31, 3))
        assert not rule.matches(datetime(2024, 3, 30, 2))


class TestText:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("2024-02-29 13:45", DateTime(2024, 2, 29, hour=13, minute=45)),
            ("2024-02-29T13:45:10Z", DateTime(2024, 2, 29, None, 13, 45, 10, None, 0)),
            ("2024-02-29t13:45:10.5+0130", DateTime(2024, 2, 29, None, 13, 45, 10, 50, -90)),
            ("2024-02-29 Thu 13:45:10 -03:30 [ok]", DateTime(2024, 2, 29, 4, 13, 45, 10, None, 210, 0)),
            ("2024-02-29 13:45:10.123456", DateTime(2024, 2, 29, None, 13, 45, 10, 12)),
            ("*-03-last Sun 02:00", DateTime(None, 3, LAST_DAY, 7, 2, 0)),
            ("*-dst-end-* *:00:00", DateTime(month=DAYLIGHT_SAVINGS_END, minute=0, second=0)),
            ("2024-1-5 sat 1:2:3 [Daylight Saving, doubtful]", DateTime(2024, 1, 5, 6, 1, 2, 3, status=0x82)),
        ],
    )
    def test_date_time(self, text: str, value: DateTime) -> None:
        assert DateTime.parse(text) == value

    def test_date_and_time(self) -> None:
        assert Date.parse(" 2024-02-29 ") == Date(2024, 2, 29)
        assert Date.parse("*-DST-BEGIN-last-but-one") == Date(None, DAYLIGHT_SAVINGS_BEGIN, SECOND_LAST_DAY)
        assert Time.parse("13:45:10.05") == Time(13, 45, 10, 5)
        assert str(Date(2024, 2, 29, 4)) == "2024-02-29 Thu"
        assert str(Time(13, 45, 10, 5)) == "13:45:10.05"

    @pytest.mark.parametrize("kind", [DateTime, Date, Time])
    @pytest.mark.parametrize(
        "text",
        ["", "now", "2024-13-01", "2024-13-01 00:00", "25:00", "2024-02-29 24:00", "2024-02-29 1:2 [late]", "٢:٣"],
    )
    def test_refused(self, kind: Any, text: str) -> None:
        with pytest.raises(ConfigurationError) as refusal:
            kind.parse(text)
        assert repr(text) in str(refusal.value)

    @given(
        st.text(max_size=30) | st.from_regex(r"[0-9*]{1,4}-[0-9*]{1,2}-[0-9*]{1,2} [0-9]:[0-9]{2}.*", fullmatch=True)
    )
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        for kind in (DateTime, Date, Time):
            with suppress(ConfigurationError):
                kind.parse(text)


class NoDaylightSaving(tzinfo):
    """A zone that does not say whether daylight saving holds."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(hours=3)

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return "MSK"


def test_a_zone_without_daylight_saving() -> None:
    moment = DateTime.from_datetime(datetime(2024, 7, 1, 12, tzinfo=NoDaylightSaving()))
    assert (moment.deviation, moment.status) == (-180, 0)
    open_one = moment.replace(deviation=None)
    assert open_one.to_datetime(NoDaylightSaving()) == datetime(2024, 7, 1, 9, tzinfo=UTC)
