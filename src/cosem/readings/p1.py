"""From P1 telegrams to readings: registers, last values of M-Bus devices, maxima of months, power failures, texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Final

from cosem.errors import DecodeError, ShapeError
from cosem.protocol.iec21.moment import Moment, p1_moment
from cosem.protocol.iec21.p1 import Telegram, hexadecimal_text
from cosem.protocol.iec21.telegram import DataSet, Value
from cosem.protocol.model import catalogue
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality, Reading, Source
from cosem.readings.telegram import Line, quality_of


def readings(telegram: Telegram, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Reading]:
    """Return what a telegram says, in its order; lines that make no readings are left out (`lines` tells them).

    `zone` is the meter's: its telegrams give local time. `received` is the time of what has none of its own in a
    telegram without clock. `meter` is left out for the equipment identifier in the telegram. Raises the error of a
    telegram none of whose values may be believed.
    """
    if telegram.error is not None:
        raise telegram.error
    return [reading for line in lines(telegram, zone, received, meter) for reading in line.readings]


def lines(telegram: Telegram, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Line]:
    """Return what every line of a telegram says (see `readings`); in one whose check is wrong, none makes readings."""
    name = meter or meter_of(telegram)
    time, quality = received, Quality.GOOD
    if telegram.moment is not None:
        time, quality = _time(telegram.moment, zone)
    elif telegram.find(_CLOCK) is not None:
        quality = Quality.CLOCK_INVALID
    scene = _Scene(name, zone, time, quality)
    return [_line(telegram, group, scene) for group in _groups(telegram.sets)]


def meter_of(telegram: Telegram) -> str:
    """Return what the meter calls itself: its equipment identifier, its logical device name, or its identification."""
    for obis in _NAMES:
        text = telegram.text(obis)
        if text:
            return hexadecimal_text(text)
    return telegram.identification


@dataclass(frozen=True, slots=True)
class _Scene:
    """What the readings of one telegram have in common."""

    meter: str
    zone: tzinfo
    time: datetime
    quality: Quality

    def reading(
        self, obis: Obis, value: Value, moment: Moment | None = None, *, index: int = 0, profile: Obis | None = None
    ) -> Reading:
        time, quality = (self.time, self.quality) if moment is None else _time(moment, self.zone)
        class_id = catalogue.lookup(obis).class_id
        column = CaptureObject(class_id, obis, _ATTRIBUTES.get(class_id, 2), index)
        scaled = value.scaled
        if value.number is not None and scaled is None:
            raise ShapeError(f"the unit {value.unit!r} is not known")
        raw, scaler, unit = (value.text, 0, Unit.NO_UNIT) if scaled is None else scaled
        return Reading(
            meter=self.meter,
            column=column,
            time=time,
            raw=raw,
            scaler=scaler,
            unit=unit,
            profile=profile,
            quality=quality,
            source=Source.PUSHED,
        )


def _groups(sets: Iterable[DataSet]) -> Iterator[list[DataSet]]:
    """Return each set with those that continue it."""
    group: list[DataSet] = []
    for each in sets:
        if each.address or not group or each.error is not None:
            if group:
                yield group
            group = []
        group.append(each)
    if group:
        yield group


def _line(telegram: Telegram, group: Sequence[DataSet], scene: _Scene) -> Line:
    first = group[0]
    obis = first.obis
    text = "".join(str(value) for each in group for value in each.values) or first.text
    meaning = "" if obis is None else catalogue.lookup(obis).name
    line = Line(code=first.address, text=text, meaning=meaning)
    broken = telegram.error or next((each.error for each in group if each.error is not None), None)
    if broken is not None:
        return replace(line, fault=broken.reason if isinstance(broken, DecodeError) else str(broken))
    if obis is None:
        return replace(line, fault=f"{first.address!r} is no OBIS code" if first.address else "values without address")
    values = [value for each in group for value in each.values]
    shape = next((shape for pattern, shape in _SHAPES if pattern.matches(obis)), _plain)
    try:
        return replace(line, readings=tuple(shape(obis, values, scene)))
    except ShapeError as error:
        return replace(line, fault=error.reason)


# --- what the values of an address are ------------------------------------------------------------------------------


def _clock(_: Obis, values: list[Value], __: _Scene) -> Iterator[Reading]:
    if values and p1_moment(values[0].text) is None:
        raise _no_time(values[0])
    return iter(())


def _text(obis: Obis, values: list[Value], scene: _Scene) -> Iterator[Reading]:
    """Octets in hexadecimal, or the text itself."""
    return _verbatim(obis, [Value(hexadecimal_text(value.text.rstrip())) for value in values], scene)


def _verbatim(obis: Obis, values: list[Value], scene: _Scene) -> Iterator[Reading]:
    """Text as it was sent, whatever it looks like."""
    for index, value in _numbered(values):
        if value.text:
            yield replace(scene.reading(obis, Value(""), index=index), raw=value.text)


def _failures(obis: Obis, values: list[Value], scene: _Scene) -> Iterator[Reading]:
    """Number of entries, what is logged, then for each entry its time and a duration."""
    yield from _log(obis, values, scene, named=1, times=1)


def _maxima(obis: Obis, values: list[Value], scene: _Scene) -> Iterator[Reading]:
    """Number of entries, what is logged, twice, then for each the end of the month, when the maximum was, and it."""
    yield from _log(obis, values, scene, named=2, times=2)


def _log(obis: Obis, values: list[Value], scene: _Scene, *, named: int, times: int) -> Iterator[Reading]:
    if not values or not values[0].text:
        return  # the log is empty
    count, logged, entries = values[0].text, values[1 : 1 + named], values[1 + named :]
    if not (count.isascii() and count.isdecimal()) or len(logged) < named or len(entries) != int(count) * (times + 1):
        raise ShapeError(f"expected {count[:8]} entries of {times + 1} values each, there are {len(entries)} values")
    column = DataSet(logged[-1].text, (), b"").obis
    if column is None:
        raise ShapeError(f"{logged[-1].text!r} is no OBIS code")
    for at in range(0, len(entries), times + 1):
        *moments, value = entries[at : at + times + 1]
        moment = p1_moment(moments[0].text)
        if moment is None:
            raise _no_time(moments[0])
        yield scene.reading(column, value, moment, profile=obis)


def _hourly(obis: Obis, values: list[Value], scene: _Scene) -> Iterator[Reading]:
    """The last hourly value of an M-Bus device in DSMR 2.2: time, status, period, how many, which, unit, the value."""
    if not values or not values[0].text:
        return
    if len(values) != _HOURLY_VALUES:
        raise ShapeError(f"expected {_HOURLY_VALUES} values, there are {len(values)}")
    moment, column = p1_moment(values[0].text), DataSet(values[4].text, (), b"").obis
    if moment is None:
        raise _no_time(values[0])
    if column is None:
        raise ShapeError(f"{values[4].text!r} is no OBIS code")
    yield scene.reading(column, Value(values[6].text, values[5].text), moment)


def _plain(obis: Obis, values: list[Value], scene: _Scene) -> Iterator[Reading]:
    """A value, several, or a time and a value, in either order."""
    times = [p1_moment(value.text) if _may_be_time(value) else None for value in values]
    if len(values) == 2 and _may_be_time(values[0]) and not _may_be_time(values[1]):
        if times[0] is None:
            raise _no_time(values[0])
        yield scene.reading(obis, values[1], times[0])
        return
    if len(values) == 2 and times[1] is not None:
        yield scene.reading(obis, values[0], times[1])
        return
    for index, value in _numbered(values):
        if value.text:
            yield scene.reading(obis, value, index=index)


def _numbered(values: list[Value]) -> Iterator[tuple[int, Value]]:
    return iter(enumerate(values, 1)) if len(values) > 1 else iter([(0, value) for value in values])


def _may_be_time(value: Value) -> bool:
    """Whether a value has the form of a time, right or wrong: an absent device sends 632525252525S."""
    digits = value.text.rstrip("SW").translate(_TIME_MARKS)
    return not value.unit and len(digits) == _TIME_DIGITS and digits.isascii() and digits.isdecimal()


def _no_time(value: Value) -> ShapeError:
    return ShapeError(f"{value.text!r} is no time")


def _time(moment: Moment, zone: tzinfo) -> tuple[datetime, Quality]:
    return moment.at(zone), quality_of(moment)


_CLOCK: Final = Obis("0.0.1.0.0.255")
_NAMES: Final = tuple(map(Obis, ("0.0.96.1.1.255", "0.0.96.1.0.255", "0.0.42.0.0.255")))
_ATTRIBUTES: Final = {70: 3, 71: 3, 72: 9}
"""Where the P1 companions say another attribute than 2: control state, active threshold, device type."""

_HOURLY_VALUES: Final = 7
_TIME_DIGITS: Final = 12
_TIME_MARKS: Final = str.maketrans("", "", "-: ")

_SHAPES: Final[tuple[tuple[ObisPattern, Callable[[Obis, list[Value], _Scene], Iterable[Reading]]], ...]] = (
    (ObisPattern("0.*.1.0.0.255"), _clock),
    (ObisPattern("*.*.0.*.*.*"), _verbatim),
    (ObisPattern("0.*.96.1.4.255"), _verbatim),
    (ObisPattern("*.*.42.0.0.255"), _text),
    (ObisPattern("*.*.96.1.*.255"), _text),
    (ObisPattern("*.*.96.13.*.255"), _text),
    (ObisPattern("1.*.99.97.0.255"), _failures),
    (ObisPattern("*.*.98.1.0.255"), _maxima),
    (ObisPattern("0.*.24.3.0.255"), _hourly),
)
"""What the values of an address are, the first that matches; otherwise `_plain`."""
