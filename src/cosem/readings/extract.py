"""From the Data that a meter answered to readings: single attributes, and profile rows with their gaps filled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any, Final, Protocol, TypeGuard

from cosem.errors import ShapeError
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import CompactArray, DontCare, Structure
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.fill import fill, moment_of
from cosem.readings.reading import Quality, Reading, Source


class ScalerAndUnit(Protocol):
    """What is needed of a register's `scaler_unit`."""

    @property
    def scaler(self) -> int: ...
    @property
    def unit(self) -> Unit: ...


def spot(
    meter: str,
    column: CaptureObject,
    value: Any,
    time: datetime,
    scaler_unit: ScalerAndUnit | None = None,
    *,
    source: Source = Source.READ,
) -> list[Reading]:
    """Make readings of one attribute that was read at `time`: one, or one for each element when it is a structure.

    null-data makes none. `value` is Data, or the plain Python value of it.
    """
    elements = list(enumerate(value, start=1)) if isinstance(value, Structure) else [(column.data_index, value)]
    readings: list[Reading] = []
    for index, element in elements:
        said = _said(element, scaler_unit)
        if said is not None:
            raw, scaler, unit, quality = said
            part = column if index == column.data_index else _element(column, index)
            readings.append(
                Reading(
                    meter=meter,
                    column=part,
                    time=time,
                    raw=raw,
                    scaler=scaler,
                    unit=unit,
                    quality=quality,
                    source=source,
                )
            )
    return readings


def profile(
    meter: str,
    name: Obis,
    rows: Iterable[Sequence[Any]],
    columns: Sequence[CaptureObject],
    scaler_units: Sequence[ScalerAndUnit | None],
    *,
    capture_period: int = 0,
    zone: tzinfo | None = None,
    newest_first: bool = False,
    nulls_repeat: bool = True,
    source: Source = Source.READ,
) -> list[Reading]:
    """Make readings of the rows of the profile `name`, whose columns are its capture objects.

    The column with the time of a clock gives each row its time, and is no reading itself. Where it is null-data, the
    time is counted on from the row before by `capture_period` seconds. null-data elsewhere repeats the value before,
    as null-data compression has it; with `nulls_repeat` off it makes no reading. `zone` is the meter's, for times
    without deviation. Raises ShapeError that names the row when a row has no time, or another number of columns.
    """
    clock = _clock_column(name, columns)
    step = timedelta(seconds=-capture_period if newest_first else capture_period)
    measured = [(at, column, scaler_units[at]) for at, column in enumerate(columns) if at != clock]
    of_clock, numbered = Quality.GOOD, _Numbered(rows, len(columns))

    def time_of(value: Any) -> datetime:
        nonlocal of_clock
        time, of_clock = _time(value, zone)
        return time

    readings: list[Reading] = []
    try:
        for row in fill(numbered, clock, step, time_of, nulls_repeat=nulls_repeat):
            if row.time is None:
                why = "no row before it" if numbered.number == 1 else "no capture period"
                raise ShapeError(f"the time is null-data, and there is {why} to count from")
            time_quality = of_clock | (Quality.TIME_COMPUTED if row.computed else 0)
            for at, column, scaler_unit in measured:
                said = _said(row.values[at], scaler_unit)
                if said is not None:
                    raw, scaler, unit, known = said
                    readings.append(
                        Reading(
                            meter=meter,
                            column=column,
                            time=row.time,
                            raw=raw,
                            scaler=scaler,
                            unit=unit,
                            profile=name,
                            quality=time_quality | known | (Quality.VALUE_REPEATED if at in row.repeated else 0),
                            source=source,
                        )
                    )
    except ShapeError as error:
        raise error.within(str(name), f"row {numbered.number}") from None
    return readings


class _Numbered:
    """Rows of one width, counted as they are taken; ShapeError for a row of another."""

    def __init__(self, rows: Iterable[Sequence[Any]], width: int) -> None:
        self._rows = rows
        self._width = width
        self.number = 0

    def __iter__(self) -> Iterator[Sequence[Any]]:
        for row in self._rows:
            self.number += 1
            if len(row) != self._width:
                raise ShapeError(f"need {self._width} columns, have {len(row)}")
            yield row


_CLOCK_TIME: Final = (8, 2)
"""Class and attribute of the time of a clock."""

_Said = tuple[int | str, int, Unit, Quality]


def _said(value: Any, scaler_unit: ScalerAndUnit | None) -> _Said | None:
    """Return raw value, scaler, unit and what is against them; None when nothing was said."""
    if value is None or isinstance(value, DontCare):
        return None
    if isinstance(value, bool):
        return int(value), 0, Unit.NO_UNIT, Quality.GOOD
    scaler, unit, quality = 0, Unit.NO_UNIT, Quality.SCALER_UNKNOWN
    if scaler_unit is not None:
        scaler, unit, quality = scaler_unit.scaler, scaler_unit.unit, Quality.GOOD
    if isinstance(value, int):
        return int(value), scaler, unit, quality
    if isinstance(value, float):
        sign, digits, exponent = Decimal(str(value)).as_tuple()  # the shortest decimal that names the float
        if not isinstance(exponent, int):
            return str(value), 0, Unit.NO_UNIT, quality
        number = int("".join(map(str, digits)))
        return (-number if sign else number), exponent + scaler, unit, quality
    return _text(value), 0, Unit.NO_UNIT, Quality.GOOD


def _text(value: Any) -> str:
    """Write out what is no number: text as it is, octets as text or date where they are one, else in hexadecimal."""
    if isinstance(value, str):
        # Octets that are no UTF-8 stand in a utf8-string as lone surrogates, which no store or terminal takes.
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, (bytes, bytearray)):
        return _octets_text(bytes(value))
    if isinstance(value, (DateTime, Date, Time)):
        return str(value)
    if isinstance(value, CompactArray):
        return f"{value.description.hex().upper()} {value.contents.hex().upper()}"
    if _is_container(value):
        return _nested_text(value)
    return str(value)


def _octets_text(octets: bytes) -> str:
    if octets and all(0x20 <= octet < 0x7F for octet in octets):
        return octets.decode("ascii")
    if len(octets) == DateTime.SIZE:
        moment = DateTime.from_octets(octets)
        try:
            moment.to_datetime(naive=True)
        except ShapeError:
            return octets.hex().upper()
        return str(moment)
    return octets.hex().upper()


def _nested_text(value: tuple[Any, ...]) -> str:
    """Write nested arrays and structures as `[1, [2, 3]]`, iteratively: their depth is the meter's choice."""
    parts: list[str] = []
    stack: list[Any] = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, _Mark):
            parts.append(item)
        elif _is_container(item):
            parts.append("[")
            stack.append(_Mark("]"))
            for at in range(len(item) - 1, -1, -1):
                stack.append(item[at])
                if at:
                    stack.append(_Mark(", "))
        else:
            parts.append("null" if item is None else str(int(item)) if isinstance(item, bool) else _leaf(item))
    return "".join(parts)


def _is_container(value: Any) -> TypeGuard[tuple[Any, ...]]:
    """Tell an array or structure."""
    return isinstance(value, tuple)


class _Mark(str):
    """Punctuation between the leaves."""

    __slots__ = ()


def _leaf(item: Any) -> str:
    return str(item) if isinstance(item, (int, float)) else _text(item)


def _clock_column(name: Obis, columns: Sequence[CaptureObject]) -> int:
    for at, column in enumerate(columns):
        if (column.class_id, column.attribute_index) == _CLOCK_TIME:
            return at
    raise ShapeError("no column holds the time of a clock, so its rows have no time", (str(name),))


def _time(value: Any, zone: tzinfo | None) -> tuple[datetime, Quality]:
    moment = moment_of(value)
    if moment is None:
        raise ShapeError(f"need a date-time of {DateTime.SIZE} octets, have {value!r:.60}")
    time = moment.to_datetime(zone)
    quality = Quality.GOOD if moment.status is None else Quality(moment.status)
    if moment.deviation is None:
        quality |= Quality.ZONE_ASSUMED
    # With a fixed offset, what is counted on from here is counted in true seconds across a change of the clocks.
    offset = time.utcoffset()
    assert offset is not None
    return time.replace(tzinfo=timezone(offset), fold=0), quality


def _element(column: CaptureObject, index: int) -> CaptureObject:
    return CaptureObject(column.class_id, column.logical_name, column.attribute_index, index)
