"""Columns of a profile as an Arrow table: times as timestamps, numbers raw or exactly scaled, headings as metadata.

numpy and pyarrow come with the extra `columns`; pandas and polars read the table as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from cosem.protocol.model import catalogue
from cosem.protocol.values.dates import DateTime
from cosem.readings.column import ProfileColumn
from cosem.readings.fill import moment_of
from cosem.readings.frames import arrow_column, imported

DIGITS: Final = 38
"""Decimal digits of a number in Arrow (decimal128)."""


def table(
    arrays: Mapping[str, Any],
    columns: Sequence[ProfileColumn],
    step: timedelta,
    *,
    scaled: bool = False,
    zone: tzinfo | None = None,
) -> Any:
    """Return a `pyarrow.Table` of numpy columns and their headings (see `ProfileRows.table`).

    Raises ShapeError for a column that has no Arrow type, ConfigurationError without the extra `columns`.
    """
    np, pa = imported("numpy"), imported("pyarrow")
    made, fields = list[Any](), list[Any]()
    for (name, values), column in zip(arrays.items(), columns, strict=False):
        if column.is_time:
            array = _times(np, pa, values, step, zone)
        elif scaled and column.scaler_unit is not None:
            array = _scaled(np, pa, name, values, column)
        else:
            array = arrow_column(np, pa, name, values)
        made.append(array)
        fields.append(pa.field(name, array.type, metadata=_metadata(column)))
    return pa.Table.from_arrays(made, schema=pa.schema(fields))


def _metadata(column: ProfileColumn) -> dict[str, str]:
    captured, scaler_unit = column.captured, column.scaler_unit
    told = {
        "class_id": captured.class_id,
        "obis": captured.logical_name,
        "attribute": captured.attribute_index,
        "data_index": captured.data_index,
        "name": catalogue.lookup(captured.logical_name).name,
    }
    if scaler_unit is not None:
        told |= {"scaler": scaler_unit.scaler, "unit": scaler_unit.unit.symbol}
    return {key: str(value) for key, value in told.items()}


def _times(np: Any, pa: Any, values: Any, step: timedelta, zone: tzinfo | None) -> Any:
    """Return the timestamps of a clock's column, null where a row has no time and none can be counted on."""
    data, missing = np.ma.getdata(values), np.ma.getmaskarray(values)
    if data.dtype.kind != "V" or data.dtype.itemsize != DateTime.SIZE:
        data, missing = _as_octets(np, data)
    local, deviation, sound = _local(np, data)
    present = ~missing
    usable = present & sound
    told = deviation[usable] != _UNSPECIFIED
    in_utc = bool(told.any()) and bool(told.all())
    if in_utc:
        local += deviation.astype("m8[m]")
    elif zone is not None:
        local, in_utc = _by_one(np, data, usable, zone), True
    # A time that was left out counts on from the last row that has one.
    known = usable
    if missing.any():
        rows = np.arange(len(data))
        base = np.maximum.accumulate(np.where(present, rows, -1))
        microseconds = step // timedelta(microseconds=1)
        known = (base >= 0) & sound[base] & (present | bool(microseconds))
        local = local[base] + ((rows - base) * microseconds).astype("m8[us]")
    return pa.array(local, pa.timestamp("us", "UTC" if in_utc else None), mask=None if known.all() else ~known)


def _local(np: Any, data: Any) -> tuple[Any, Any, Any]:
    """Return local times, deviations in minutes, and which of these date-times are points in time at all.

    Dates are worked out once for each run of rows of one day.
    """
    fields = data.view(np.dtype(_FIELDS))
    date, time = fields["date"].astype("u4"), fields["time"].astype("u4")
    starts = np.flatnonzero(np.concatenate(([True], date[1:] != date[:-1])))
    lengths = np.diff(np.append(starts, len(data)))
    days = date[starts].astype("i8")
    year, month, day = days >> 16, days >> 8 & 0xFF, days & 0xFF
    first = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    midnight = first.astype("M8[D]") + (day - 1)
    sound = (
        (year >= 1) & (year <= 9999) & (month >= 1) & (month <= 12) & (day >= 1) & (midnight.astype("M8[M]") == first)
    )
    midnight[~sound] = 0
    hour, minute, second, hundredth = time >> 24, time >> 16 & 0xFF, time >> 8 & 0xFF, time & 0xFF
    second[second == _OPEN] = 0
    hundredth[hundredth == _OPEN] = 0
    timely = (hour < 24) & (minute < 60) & (second < 60) & (hundredth < 100)
    centiseconds = ((hour * 60 + minute) * 60 + second) * 100 + hundredth
    local = np.repeat(midnight.astype("M8[us]"), lengths) + (centiseconds * np.int64(10_000)).view("m8[us]")
    return local, fields["deviation"].astype("i2"), np.repeat(sound, lengths) & timely


def _as_octets(np: Any, values: Any) -> tuple[Any, Any]:
    """Return what the general decoder read as octets of one length, and which rows have no time."""
    moments = [moment_of(value.tobytes() if hasattr(value, "tobytes") else value) for value in values]
    octets = b"".join(bytes(DateTime.SIZE) if moment is None else moment.octets for moment in moments)
    return np.frombuffer(octets, f"V{DateTime.SIZE}"), np.array([moment is None for moment in moments], bool)


def _by_one(np: Any, data: Any, usable: Any, zone: tzinfo) -> Any:
    """Return times in UTC where the zone decides: the hour that comes twice is told apart by the clock status."""
    times = np.zeros(len(data), "M8[us]")
    for at in np.flatnonzero(usable):
        moment = DateTime.from_octets(data[at].tobytes()).to_datetime(zone)
        offset = moment.utcoffset()
        assert offset is not None
        times[at] = np.datetime64(moment.replace(tzinfo=None) - offset, "us")
    return times


def _scaled(np: Any, pa: Any, name: str, values: Any, column: ProfileColumn) -> Any:
    """Return numbers with their scaler applied; integers become decimals with as many places as the scaler says."""
    scaler_unit = column.scaler_unit
    assert scaler_unit is not None
    data, missing = np.ma.getdata(values), np.ma.getmaskarray(values)
    places = -scaler_unit.scaler
    if data.dtype.kind in "iu" and 0 <= places <= DIGITS:
        return _decimals(np, pa, data, missing, places)
    if data.dtype.kind in "iuf":
        numbers = [None if gone else column.scaled(value) for value, gone in zip(data.tolist(), missing, strict=True)]
        return pa.array(numbers) if _fits(numbers) else arrow_column(np, pa, name, values)
    return arrow_column(np, pa, name, values)


def _decimals(np: Any, pa: Any, data: Any, missing: Any, places: int) -> Any:
    """Make decimal128 of integers by their octets: 16 of them, the sign in the upper half."""
    wide = np.empty((len(data), 2), "<i8")
    wide[:, 0] = data.astype("u8" if data.dtype.kind == "u" else "i8").view("i8")
    wide[:, 1] = -1 * (data < 0)
    valid = None if not missing.any() else pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.decimal128(DIGITS, places), len(data), [valid, pa.py_buffer(wide.tobytes())])


def _fits(numbers: Sequence[Decimal | None]) -> bool:
    """Tell whether all numbers are finite and have few enough digits."""
    present = [number for number in numbers if number is not None]
    return all(number.is_finite() for number in present) and all(
        len(number.as_tuple().digits) + abs(number.as_tuple().exponent) <= DIGITS  # type: ignore[arg-type]
        for number in present
    )


_FIELDS: Final = {
    "names": ["date", "time", "deviation"],
    "formats": [">u4", ">u4", ">i2"],
    "offsets": [0, 5, 9],
    "itemsize": DateTime.SIZE,
}
"""Year, month and day; hour, minute, second and hundredths; deviation: where they are in the octets of a date-time."""

_OPEN: Final = 0xFF
_UNSPECIFIED: Final = -0x8000
"""A second or hundredth, and a deviation, that is left open."""
