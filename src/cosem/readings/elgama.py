"""From records of Elgama EPQS to readings: what each channel measures is said by whoever reads (EXPERIMENTAL).

Which channel is which energy is not known in public, nor when the first number of a record was captured: both are
arguments. What has no OBIS code is a line without reading.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cosem.errors import ConfigurationError
from cosem.protocol.elgama.tables import ProfileRecord, RegisterRecord, Scale
from cosem.protocol.model import catalogue
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Quality, Reading
from cosem.readings.telegram import Line


@dataclass(frozen=True, slots=True)
class Channel:
    """What a channel measures: the OBIS code of its total and the unit of its numbers, None where it is not known."""

    obis: Obis | None = None
    unit: Unit = Unit.NO_UNIT


def profile_lines(record: ProfileRecord, channel: Channel, meter: str, first: datetime, interval: int) -> list[Line]:
    """Return a line for each number of a part of a load profile.

    `first` is the end of the first interval, which knows its offset from UTC, `interval` its seconds.
    """
    if interval <= 0:
        raise ConfigurationError(f"interval {interval}: expected seconds, at least 1")
    step = timedelta(seconds=interval)
    return [
        _line(record.scale, number, channel, meter, first + at * step, f"number {at}", PROFILE)
        for at, number in enumerate(record.numbers)
    ]


def register_lines(record: RegisterRecord, channel: Channel, meter: str, times: Sequence[datetime]) -> list[Line]:
    """Return a line for each tariff of each period; `times` are the ends of the periods, in the order of the record.

    A tariff that is absent is a line that says so. Raises ConfigurationError for another number of times.
    """
    if len(times) != len(record.periods):
        raise ConfigurationError(f"{len(times)} times for {len(record.periods)} periods")
    lines: list[Line] = []
    for time, numbers in zip(times, record.periods, strict=True):
        for tariff, number in enumerate(numbers, 1):
            code = f"tariff {tariff}"
            if number is None:
                lines.append(Line(code=code, text="", meaning="absent", time=time))
            else:
                lines.append(_line(record.scale, number, _of_tariff(channel, tariff), meter, time, code, None))
    return lines


PROFILE = Obis("1.0.99.1.0.255")
"""Under which readings of the load profile are kept."""


def _of_tariff(channel: Channel, tariff: int) -> Channel:
    if channel.obis is None:
        return channel
    code = bytearray(channel.obis.octets)
    code[4] = tariff
    return Channel(Obis(bytes(code)), channel.unit)


def _line(
    scale: Scale, number: int, channel: Channel, meter: str, time: datetime, code: str, profile: Obis | None
) -> Line:
    raw, scaler = scale.apply(number)
    quantity = Quantity.of(raw, scaler, channel.unit)
    if channel.obis is None:
        return Line(code=code, text=str(number), quantity=quantity, time=time)
    found = catalogue.lookup(channel.obis)
    reading = Reading(
        meter=meter,
        column=CaptureObject(found.class_id, channel.obis, 2, 0),
        time=time,
        raw=raw,
        scaler=scaler,
        unit=channel.unit,
        profile=profile,
        quality=Quality.ZONE_ASSUMED,
    )
    return Line(code=code, text=str(number), meaning=found.name, readings=(reading,), quantity=quantity, time=time)
