"""From readouts of IEC 62056-21 to readings: registers and texts, maxima with their time, load profiles and logs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final

from cosem.errors import ShapeError
from cosem.protocol.iec21.moment import Moment, readout_moment
from cosem.protocol.iec21.profile import Row, rows
from cosem.protocol.iec21.readout import Readout
from cosem.protocol.iec21.telegram import DataSet, Value
from cosem.protocol.model import catalogue
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality, Reading, Source
from cosem.readings.telegram import Line


def readings(readout: Readout, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Reading]:
    """Return what a readout says, in its order; lines that make no readings are left out (`lines` tells them).

    `zone` is the meter's: readouts give local time. `received` is the time of what has none of its own where the meter
    does not tell its time. `meter` is left out for the number that the meter tells. Raises the DecodeError of a readout
    whose block check is wrong.
    """
    if readout.fault is not None:
        raise readout.fault
    return [reading for line in lines(readout, zone, received, meter) for reading in line.readings]


def lines(readout: Readout, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Line]:
    """Return what every data set of a readout says (see `readings`); where its check is wrong, none makes readings."""
    heat = any(_is_heat(each) for each in readout.sets)
    scene = _Scene(meter or meter_of(readout), zone, *_clock(readout, zone, received), heat)
    profiled = {row.line: row for row in rows(readout.sets)}
    return [_line(readout, each, profiled.get(each.line), scene) for each in readout.sets]


def profile_readings(
    found: Sequence[Row], profile: Obis, zone: tzinfo, received: datetime, meter: str
) -> list[Reading]:
    """Return the readings of the rows of one profile; rows with an error are left out."""
    scene = _Scene(meter, zone, received, Quality.GOOD)
    return [reading for row in found if row.error is None for reading in _of_row(row, profile, scene)]


def meter_of(readout: Readout) -> str:
    """Return what the meter calls itself: its serial number, or its identification."""
    for address in _NAMES:
        for each in readout.sets:
            if each.error is None and each.obis == address and each.values and each.values[0].text.strip():
                return each.values[0].text.strip()
    return "" if readout.identification is None else str(readout.identification)


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the readings of one readout have in common."""

    meter: str
    zone: tzinfo
    time: datetime
    quality: Quality
    heat: bool = False
    """Codes without a medium are of heat."""

    def reading(
        self, obis: Obis, value: Value, moment: Moment | None = None, *, index: int = 0, profile: Obis | None = None
    ) -> Reading:
        time, quality = (self.time, self.quality) if moment is None else _time(moment, self.zone)
        if self.heat and value.unit == _COULOMB:
            value = Value(value.text, _CELSIUS)
        scaled = value.scaled
        if scaled is None and value.unit:
            what = (
                f"the unit {value.unit!r} is not known" if value.number is not None else f"{value.text!r} is no number"
            )
            raise ShapeError(what)
        raw, scaler, unit = (value.text.strip(), 0, Unit.NO_UNIT) if scaled is None else scaled
        column = CaptureObject(catalogue.lookup(obis).class_id, obis, 2, index)
        return Reading(
            meter=self.meter,
            column=column,
            time=time,
            raw=raw,
            scaler=scaler,
            unit=unit,
            profile=profile,
            quality=quality,
            source=Source.READ,
        )


def _line(readout: Readout, each: DataSet, row: Row | None, scene: _Scene) -> Line:
    obis = _heat(each) if scene.heat else each.obis
    meaning = "" if obis is None else catalogue.lookup(obis).name
    line = Line(code=each.address, text="".join(map(str, each.values)) or each.text, meaning=meaning)
    broken = readout.fault or each.error or (None if row is None else row.error)
    if broken is not None:
        return replace(line, fault=broken.reason)
    try:
        if row is not None:
            return replace(line, readings=tuple(_of_row(row, obis, scene)))
        if obis is None or _is_clock(obis) or each.address.startswith("P."):
            return line
        return replace(line, readings=tuple(_plain(obis, each.values, scene)))
    except ShapeError as error:
        return replace(line, fault=error.reason)


def _of_row(row: Row, profile: Obis | None, scene: _Scene) -> Iterator[Reading]:
    for column, value in zip(row.columns, row.values, strict=True):
        if column.obis is not None:
            yield scene.reading(column.obis, value, row.moment, profile=profile or _LOAD_PROFILE)


def _plain(obis: Obis, values: Sequence[Value], scene: _Scene) -> Iterator[Reading]:
    """A value, one with its time, or several; those of heat meters stand in one pair of parentheses, with & between."""
    parts = [part for value in values for part in _parts(value)]
    moment = None
    if len(parts) > 1 and not parts[-1].unit and _TIME.fullmatch(parts[-1].text):
        moment, parts = readout_moment(parts[-1].text), parts[:-1]
        if moment is None:
            return  # a maximum that never was
    for index, value in enumerate(parts, 1):
        if value.text.strip():
            yield scene.reading(obis, value, moment, index=index if len(parts) > 1 else 0)


def _parts(value: Value) -> Iterator[Value]:
    text = str(value)[1:-1]
    for part in text.split("&") if "&" in text else [text]:
        number, _, unit = part.partition("*")
        yield Value(number, unit)


def _clock(readout: Readout, zone: tzinfo, received: datetime) -> tuple[datetime, Quality]:
    """Return the time that the meter tells, its date and its time of day each on a line of its own."""
    time, date = (_digits(readout, e) for e in (1, 2))
    if time is None or date is None:
        return received, Quality.GOOD
    season = date[0] if len(date) == _SEASONED else time[0] if len(time) == _SEASONED else ""
    moment = readout_moment(season + date[-6:] + time[-6:])
    if moment is None:
        return received, Quality.CLOCK_INVALID
    return _time(moment, zone)


def _digits(readout: Readout, e: int) -> str | None:
    sound = [each for each in readout.sets if each.error is None and each.obis is not None and _is_clock(each.obis)]
    found = next((each for each in sound if each.obis is not None and each.obis.e == e), None)
    if found is None or not found.values:
        return None
    digits = re.sub(r"[-:. ]", "", found.values[0].text)
    return digits if _CLOCK_DIGITS.fullmatch(digits) else None


def _is_clock(obis: Obis) -> bool:
    return obis.a in (0, 1) and (obis.c, obis.d) == (0, 9) and obis.e in (1, 2)


def _is_heat(each: DataSet) -> bool:
    """Whether a set tells that the meter is one of heat: 6.8 would be reactive energy otherwise."""
    scaled = each.values[0].scaled if each.error is None and each.values else None
    return each.address == _HEAT_ENERGY and scaled is not None and scaled.unit in (Unit.WATT_HOUR, Unit.JOULE)


def _heat(each: DataSet) -> Obis | None:
    found = each.obis
    return Obis.of(_HEAT, *found.octets[1:]) if found is not None and ":" not in each.address else found


def _time(moment: Moment, zone: tzinfo) -> tuple[datetime, Quality]:
    quality = Quality.GOOD if moment.universal else Quality.ZONE_ASSUMED
    if moment.summer:
        quality |= Quality.DAYLIGHT_SAVING
    return moment.at(zone), quality


_COULOMB, _CELSIUS = "C", "°C"
"""Meters of heat write C for degrees."""
_HEAT: Final = 6
_HEAT_ENERGY: Final = "6.8"
_SEASONED: Final = 7
_CLOCK_DIGITS: Final = re.compile(r"[012]?[0-9]{6}", re.ASCII)
_LOAD_PROFILE: Final = Obis("P.01")
_NAMES: Final = tuple(map(Obis, ("0.0.0", "1-0:0.0.0", "0-0:96.1.0", "0-0:96.1.255", "1-0:96.1.0", "9.20")))
_TIME: Final = re.compile(r"[012]?\d{10}(?:\d\d)?|\d\d-\d\d-\d\d[ ,]\d\d:\d\d(?::\d\d)?", re.ASCII)
"""What has the form of a time, right or wrong: a maximum that never was has one of zeros."""
