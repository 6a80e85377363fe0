"""From frames of the French TIC to readings: what has an OBIS code, and of everything else what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, tzinfo

from cosem.protocol.iec21.tic import Frame, Group
from cosem.protocol.model import catalogue
from cosem.protocol.model.selection import CaptureObject
from cosem.readings.reading import Quality, Reading, Source
from cosem.readings.telegram import Line, quality_of


def readings(frame: Frame, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Reading]:
    """Return what a frame says of quantities that have an OBIS code; `lines` tells of all.

    `zone` is the meter's, `received` the time of what has none of its own in a frame without clock (historique), and
    `meter` is left out for the address in the frame; a frame without one is of the meter `TIC`.
    """
    return [reading for line in lines(frame, zone, received, meter) for reading in line.readings]


def lines(frame: Frame, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Line]:
    """Return what every group of a frame says (see `readings`)."""
    time, quality = received, Quality.GOOD
    if frame.moment is not None:
        time, quality = frame.moment.at(zone), quality_of(frame.moment)
    name = meter or frame.meter or NAMELESS
    return [_line(group, zone, time, quality, name) for group in frame.groups]


NAMELESS = "TIC"
"""Whose readings those of a frame without address are."""


def _line(group: Group, zone: tzinfo, time: datetime, quality: Quality, meter: str) -> Line:
    known = group.known
    line = Line(code=group.label, text=group.data, meaning="" if known is None else known.meaning)
    if group.error is not None:
        return replace(line, fault=group.error.reason)
    if group.moment is not None:
        time, quality = group.moment.at(zone), quality_of(group.moment)
        line = replace(line, time=time)
    if known is None or known.unit is None:
        return line
    if group.moment is None and group.time is not None:
        return replace(line, fault=f"{group.time!r} is no time")
    scaled = group.value.scaled
    if scaled is None:
        return replace(line, fault=f"expected a number, not {group.data!r}")
    line = replace(line, quantity=group.value.quantity)
    if known.obis is None:
        return line
    reading = Reading(
        meter=meter,
        column=CaptureObject(catalogue.lookup(known.obis).class_id, known.obis, 2, 0),
        time=time,
        raw=scaled.raw,
        scaler=scaled.scaler,
        unit=scaled.unit,
        quality=quality,
        source=Source.PUSHED,
    )
    return replace(line, readings=(reading,))
