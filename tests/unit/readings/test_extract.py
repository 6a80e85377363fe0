"""From Data to readings: values of every type, and profile rows with their gaps filled."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import ShapeError
from cosem.protocol.model.selection import CLOCK_TIME, CaptureObject
from cosem.protocol.values import data as d
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings import extract
from cosem.readings.reading import Quality, Reading, Source

METER = "KFM1020012345678"
ENERGY = CaptureObject(3, Obis("1.0.1.8.0.255"), 2, 0)
STATUS = CaptureObject(1, Obis("0.0.96.10.1.255"), 2, 0)
PROFILE = Obis("1.0.99.1.0.255")
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
CET = timezone(timedelta(hours=1))


@dataclass(frozen=True)
class ScalerUnit:
    scaler: int
    unit: Unit


WH = ScalerUnit(-1, Unit.WATT_HOUR)


def test_one_register() -> None:
    (reading,) = extract.spot(METER, ENERGY, d.DoubleLongUnsigned(12345678), NOON, WH)
    assert reading == Reading(
        meter=METER, column=ENERGY, time=NOON, raw=12345678, scaler=-1, unit=Unit.WATT_HOUR, source=Source.READ
    )
    assert type(reading.raw) is int, "what is kept is no COSEM Data any more"
    assert str(reading.quantity) == "1234567.8 Wh"


@pytest.mark.parametrize(
    ("value", "raw", "scaler"),
    [
        (d.Float32(230.1), 2301, -2),  # 230.1 as the meter means it, times 10^-1
        (d.Float64(-1e-7), -1, -8),
        (d.Float64(1e22), 1, 21),
        (d.Long(-5), -5, -1),
        (d.Long64Unsigned(2**64 - 1), 2**64 - 1, -1),
        (7, 7, -1),
        (True, 1, 0),
        (d.Float32("nan"), "nan", 0),
        (d.Float64("-inf"), "-inf", 0),
        (d.OctetString(b"KFM1020012345678"), "KFM1020012345678", 0),
        (d.OctetString(b"\x00\x01\xff"), "0001FF", 0),
        (d.OctetString(b""), "", 0),
        # 2024-02-29 Thu 12:00:00.00 CET, no daylight saving, in the 12 octets of IEC 62056-6-2
        (d.OctetString(bytes.fromhex("07E8021D040C000000FFC400")), "2024-02-29 Thu 12:00:00.00 +01:00 [ok]", 0),
        (d.OctetString(bytes.fromhex("07E8021E040C000000FFC400")), "07E8021E040C000000FFC400", 0),
        (DateTime.from_octets(bytes.fromhex("FFFFFFFFFFFFFFFFFF8000FF")), "*-*-* *:*:*", 0),
        (Date(2024, 2, 29), "2024-02-29", 0),
        (Time(12, 30), "12:30:*", 0),
        (d.VisibleString("1.02"), "1.02", 0),
        (d.Utf8String("kW\udcff"), "kW\\udcff", 0),
        (d.BitString("0101"), "0101", 0),
        (d.CompactArray(b"\x11", b"\x01\x02"), "11 0102", 0),
        (
            d.Array((d.Structure((d.LongUnsigned(3), d.OctetString(b"a"), None)), True, d.Array())),
            "[[3, a, null], 1, []]",
            0,
        ),
    ],
)
def test_values_of_every_type(value: Any, raw: int | str, scaler: int) -> None:
    (reading,) = extract.spot(METER, ENERGY, value, NOON, WH)
    assert (reading.raw, reading.scaler) == (raw, scaler)
    assert (reading.unit == Unit.NO_UNIT) == (isinstance(raw, str) or value is True)


def test_a_number_whose_scaler_is_not_known_says_so() -> None:
    (reading,) = extract.spot(METER, ENERGY, d.Long(5), NOON)
    assert (reading.raw, reading.scaler, reading.unit) == (5, 0, Unit.NO_UNIT)
    assert reading.quality == Quality.SCALER_UNKNOWN


def test_a_structure_makes_a_reading_of_each_element() -> None:
    value = d.Structure((d.Long(1), None, d.VisibleString("x"), d.DontCare()))
    readings = extract.spot(METER, ENERGY, value, NOON, WH, source=Source.PUSHED)
    assert [(r.column.data_index, r.raw, r.source) for r in readings] == [
        (1, 1, Source.PUSHED),
        (3, "x", Source.PUSHED),
    ]
    assert extract.spot(METER, ENERGY, None, NOON, WH) == []


def test_depth_is_no_danger() -> None:
    value: Any = d.Array()
    for _ in range(5000):
        value = d.Array((value,))
    (reading,) = extract.spot(METER, ENERGY, value, NOON)
    assert reading.raw == "[" * 5001 + "]" * 5001


def stamp(text: str) -> d.OctetString:
    return d.OctetString(DateTime.parse(text).octets)


def rows_of(*rows: tuple[Any, ...], **options: Any) -> list[Reading]:
    return extract.profile(METER, PROFILE, rows, (CLOCK_TIME, STATUS, ENERGY), (None, None, WH), **options)


def test_profile_rows() -> None:
    readings = rows_of(
        (stamp("2024-02-29 12:00:00 +01:00 [ok]"), d.Unsigned(0), d.DoubleLongUnsigned(100)),
        (None, d.Unsigned(8), d.DoubleLongUnsigned(101)),
        (stamp("2024-02-29 12:31:00 +01:00 [doubtful]"), None, None),
        (None, None, d.DoubleLongUnsigned(103)),
        capture_period=900,
    )
    energy = [(r.time, r.text, r.quality) for r in readings if r.column == ENERGY]
    assert energy == [
        (datetime(2024, 2, 29, 12, 0, tzinfo=CET), "10.0", Quality.GOOD),
        (datetime(2024, 2, 29, 12, 15, tzinfo=CET), "10.1", Quality.TIME_COMPUTED),
        (datetime(2024, 2, 29, 12, 31, tzinfo=CET), "10.1", Quality.CLOCK_DOUBTFUL | Quality.VALUE_REPEATED),
        (datetime(2024, 2, 29, 12, 46, tzinfo=CET), "10.3", Quality.CLOCK_DOUBTFUL | Quality.TIME_COMPUTED),
    ]
    assert {r.profile for r in readings} == {PROFILE}
    assert [r.raw for r in readings if r.column == STATUS] == [0, 8, 8, 8]
    assert all(r.quality & Quality.SCALER_UNKNOWN for r in readings if r.column == STATUS)


def test_rows_as_structures_dates_or_plain_values() -> None:
    moment = DateTime.parse("2024-02-29 12:00:00 +01:00")
    plain = rows_of((moment.octets, 0, 100))
    assert rows_of(d.Structure((moment, d.Unsigned(0), d.LongUnsigned(100)))) == plain
    assert rows_of((d.OctetString(moment.octets), 0, 100)) == plain


def test_nulls_that_mean_nothing() -> None:
    noon = stamp("2024-02-29 12:00:00 Z")
    readings = rows_of((noon, None, 1), (None, None, None), capture_period=60, nulls_repeat=False)
    assert [(r.column, r.raw) for r in readings] == [(ENERGY, 1)]
    readings = rows_of((noon, None, None), (None, None, 1), capture_period=60)
    assert [(r.raw, r.time.minute) for r in readings] == [(1, 1)], "there is no value before the first to repeat"


def test_newest_first() -> None:
    readings = rows_of(
        (stamp("2024-02-29 12:00:00 Z"), None, 1), (None, None, 0), capture_period=3600, newest_first=True
    )
    assert [r.time.hour for r in readings] == [12, 11]


def test_local_time_counted_across_the_change_of_clocks() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    readings = rows_of(
        (stamp("2024-10-27 02:45:00 [daylight saving]"), None, 1),
        (None, None, 2),
        (stamp("2024-10-27 02:15:00 [ok]"), None, 3),
        capture_period=900,
        zone=berlin,
    )
    assert [r.time for r in readings] == [
        datetime(2024, 10, 27, 0, 45, tzinfo=UTC),
        datetime(2024, 10, 27, 1, 0, tzinfo=UTC),
        datetime(2024, 10, 27, 1, 15, tzinfo=UTC),
    ]
    assert all(r.quality & Quality.ZONE_ASSUMED for r in readings)


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ([(None, 0, 1)], {"capture_period": 900}, "row 1.*no row before"),
        ([(b"\x07\xe8\x02\x1d\x04\x0c\x00\x00\x00\x00\x00\x00", 0, 1), (None, 0, 1)], {}, "row 2.*no capture period"),
        ([(b"\x07\xe8", 0, 1)], {}, "row 1.*12 octets"),
        ([(bytes(12), 0, 1)], {}, "row 1.*no point in time"),
        ([(b"\x07\xe8\x02\x1d\x04\x0c\x00\x00\x00\x80\x00\x00", 0, 1)], {}, "row 1.*zone of the meter"),
        ([(None, 0)], {}, "row 1.*3 columns, have 2"),
    ],
)
def test_rows_that_cannot_be_placed(rows: Any, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ShapeError, match=says):
        rows_of(*rows, **options)


def test_a_profile_without_a_clock() -> None:
    with pytest.raises(ShapeError, match="clock"):
        extract.profile(METER, PROFILE, [], (ENERGY,), (WH,))
