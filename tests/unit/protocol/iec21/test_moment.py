"""Local times of telegrams, and the points in time that they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from cosem.protocol.iec21.moment import p1_moment, tic_moment

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("240112231803W", datetime(2024, 1, 12, 22, 18, 3)),
        ("240712231803S", datetime(2024, 7, 12, 21, 18, 3)),
        ("241027023000S", datetime(2024, 10, 27, 0, 30)),  # the hour that comes twice, for the first time
        ("241027023000W", datetime(2024, 10, 27, 1, 30)),
        ("240712231803W", datetime(2024, 7, 12, 22, 18, 3)),  # a clock that does not know summer
        ("120517020000", datetime(2012, 5, 17, 0, 0)),  # DSMR 2.2 has no letter
        ("700101010000W", datetime(1970, 1, 1, 0, 0)),  # a clock that was never set
        ("690101010000W", datetime(2069, 1, 1, 0, 0)),
        ("19-01-01 00:00:00", datetime(2018, 12, 31, 23, 0)),
    ],
)
def test_p1(text: str, utc: datetime) -> None:
    moment = p1_moment(text)
    assert moment is not None
    assert moment.at(AMSTERDAM).astimezone(UTC).replace(tzinfo=None) == utc


def test_summer_where_it_is_the_standard() -> None:
    for text, utc in (("240712120000S", 11), ("240112120000W", 12), ("241027013000S", 0), ("241027013000W", 1)):
        moment = p1_moment(text)
        assert moment is not None
        assert moment.at(ZoneInfo("Europe/Dublin")).astimezone(UTC).hour == utc


def test_zone_of_one_offset_gets_an_hour_for_summer() -> None:
    winter, summer = p1_moment("240112120000W"), p1_moment("240712120000S")
    assert winter is not None and summer is not None
    cet = timezone(timedelta(hours=1))
    assert winter.at(cet).utcoffset() == timedelta(hours=1)
    assert summer.at(cet).utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize(
    "text", ["632525252525S", "000000000000W", "24011223180W", "2401122318033W", "240112231803X", "", "٢40112231803W"]
)
def test_what_is_no_time(text: str) -> None:
    assert p1_moment(text) is None


def test_tic() -> None:
    summer, winter, doubtful, silent = map(
        tic_moment, ("E210414082625", "H211224120000", "e210414082625", " 210414082625")
    )
    assert summer is not None and summer.summer is True and not summer.doubtful
    assert winter is not None and winter.summer is False
    assert doubtful is not None and doubtful.summer is True and doubtful.doubtful
    assert silent is not None and silent.summer is None
    assert summer.at(ZoneInfo("Europe/Paris")).astimezone(UTC) == datetime(2021, 4, 14, 6, 26, 25, tzinfo=UTC)
    assert tic_moment("E211314082625") is None
    assert tic_moment("X210414082625") is None
