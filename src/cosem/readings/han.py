"""From pushes of customer (HAN) ports to readings: the lists of companions name what the pushes do not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from typing import Final

from cosem.errors import ConfigurationError, CosemError, DecodeError, ShapeError
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.model import catalogue, companion
from cosem.protocol.model.push_list import PushedValue, PushList, first_that_fits
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import Array, Data, OctetString, Structure
from cosem.protocol.values.dates import DateTime, daylight_saving
from cosem.protocol.values.obis import Obis
from cosem.readings.reading import Quality, Reading, Source
from cosem.readings.telegram import Line


@dataclass(frozen=True, slots=True)
class HanTelegram:
    """One push of a customer port: the APDU in clear, what it says by which list, and who sent it.

    `system_title` and `invocation_counter` are of a ciphered one; `verified` tells that its tag was right.
    """

    octets: bytes
    notification: DataNotification
    list: PushList | None
    system_title: bytes | None = None
    invocation_counter: int | None = None
    verified: bool = False

    @property
    def values(self) -> tuple[PushedValue, ...]:
        """Return what the body says. Raises ShapeError where neither it nor a list names all of it."""
        return PushList.read_by(self.list, self.notification.body)


def push_lists(lists: str | None = None) -> tuple[PushList, ...]:
    """Return the lists of a companion, as the `lists` of a connection URL names it; left out, those of all companions.

    Raises ConfigurationError where there is no such companion. What names a push setup names no lists.
    """
    if lists is None:
        return _all_lists()
    name = lists.partition(":")[0]
    if name in companion.names():
        return companion.companion(name).push_lists
    try:
        Obis(name)
    except ConfigurationError:
        return companion.companion(name).push_lists  # which says what companions there are
    return _all_lists()


def list_of(lists: Iterable[PushList], body: Data) -> PushList | None:
    """Return the list that tells a body, or None."""
    return first_that_fits(lists, body)


def readings(telegram: HanTelegram, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Reading]:
    """Return what a push says of quantities that have a unit; `lines` tells of all (see there)."""
    return [reading for line in lines(telegram, zone, received, meter) for reading in line.readings]


def lines(telegram: HanTelegram, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Line]:
    """Return what every value of a push says.

    `zone` is the meter's, for times that do not say which; `received` the time of a push that has none. `meter` is
    left out for the number of the meter in the push, and one without is of the meter `HAN`.
    """
    try:
        values = telegram.values
    except ShapeError as error:
        return [Line(code="", text=telegram.octets.hex().upper(), fault=error.reason)]
    time, quality = _time(telegram, values, zone) or (received, Quality.GOOD)
    name = meter or next((_plain(each) for each in values if _is_number(each.obis)), None) or NAMELESS
    return [_line(each, time, quality, name) for each in values if not isinstance(each.value, Array)]


NAMELESS: Final = "HAN"
"""Whose readings those of a push without a number of the meter are."""


@cache
def _all_lists() -> tuple[PushList, ...]:
    return tuple(each for name in companion.names() for each in companion.companion(name).push_lists)


def _line(each: PushedValue, time: datetime, quality: Quality, meter: str) -> Line:
    quantity = each.quantity
    line = Line(code=str(each.obis), text=_plain(each), meaning=each.name, quantity=quantity, time=time)
    if quantity is None or each.unit is None or not isinstance(each.value, int):
        return line
    # What a meter says of a channel of its own is what the catalogue knows without.
    column = CaptureObject(catalogue.lookup(each.obis).class_id, each.obis, each.attribute, 0)
    reading = Reading(
        meter=meter,
        column=column,
        time=time,
        raw=int(each.value),
        scaler=each.scaler,
        unit=each.unit,
        quality=quality,
        source=Source.PUSHED,
    )
    return Line(code=line.code, text=line.text, meaning=line.meaning, readings=(reading,), quantity=quantity, time=time)


def _time(telegram: HanTelegram, values: Iterable[PushedValue], zone: tzinfo) -> tuple[datetime, Quality] | None:
    """Return the time of the push: that before its body, or that of the clock in it."""
    told = [telegram.notification.date_time, *(each.value for each in values if _is_clock(each.obis))]
    for octets in told:
        if not isinstance(octets, bytes) or not octets:
            continue
        try:
            found = DateTime.from_octets(bytes(octets))
            moment = found.to_datetime(zone)
        except (CosemError, ValueError):  # open fields, or a time that there is not
            continue
        quality = Quality.GOOD if found.deviation is not None else Quality.ZONE_ASSUMED
        return moment, quality | (Quality.DAYLIGHT_SAVING if daylight_saving(moment) else Quality.GOOD)
    return None


def _plain(each: PushedValue) -> str:
    value = each.value
    if isinstance(value, Structure):
        return ""
    if isinstance(value, OctetString) and _is_clock(each.obis):
        try:
            return str(DateTime.from_octets(bytes(value)))
        except DecodeError:
            return value.hex().upper()
    if isinstance(value, bytes):
        text = bytes(value)
        return text.decode("ascii") if text.isascii() and text.decode("ascii").isprintable() else text.hex().upper()
    return "" if value is None else str(value)


def _is_number(code: Obis) -> bool:
    return code in _NUMBERS


def _is_clock(code: Obis) -> bool:
    return code.octets[0] == 0 and code.octets[2:5] == _CLOCK


_CLOCK: Final = bytes((1, 0, 0))
_NUMBERS: Final = frozenset(map(Obis, ("0.0.96.1.0.255", "0.0.96.1.1.255", "1.1.0.0.5.255")))
