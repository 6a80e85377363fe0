"""The status of profiles: a Data object whose bits tell what happened in the period that a row is of.

It stands among the columns of its profile, so that each row tells of its own period; without a period, of the time
since the row before. Daylight saving is told by the time of the row, in the past too. A clock that is put right by up
to `SYNCHRONIZATION` (see `cosem.meter.agenda`) was not adjusted. Where the clock was set, or there was no power, data
is not valid. Bits of the value that the description gives always stand: nothing here makes an error critical, or a
clock invalid.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Final, cast

from cosem.errors import ConfigurationError
from cosem.meter.agenda import SYNCHRONIZATION
from cosem.meter.behaviour import clock, profile_generic
from cosem.meter.events import MeterEvent
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, Number, OctetString, Unsigned
from cosem.protocol.values.dates import DateTime, daylight_saving
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

MOST_MARKS: Final = 256
"""How much of what happened is remembered."""


class Told(Enum):
    """What a bit tells, by the name that companions have for it."""

    DATA_NOT_VALID = "data not valid"
    DAYLIGHT_SAVING = "daylight saving"
    CLOCK_ADJUSTED = "clock adjusted"
    POWER_DOWN = "power down"


_TELLS: Final[Mapping[MeterEvent, tuple[Told, ...]]] = {
    MeterEvent.CLOCK_SET: (Told.CLOCK_ADJUSTED, Told.DATA_NOT_VALID),
    MeterEvent.POWER_DOWN: (Told.POWER_DOWN, Told.DATA_NOT_VALID),
    MeterEvent.POWER_UP: (Told.POWER_DOWN, Told.DATA_NOT_VALID),
}
_ROW_MISSING: Final = frozenset({MeterEvent.CLOCK_SET, MeterEvent.POWER_UP})
"""What a row that was due at that very moment is missing after, so that the period tells of it that begins then."""

_MOMENT: Final = timedelta(microseconds=1)
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_VALUE: Final = DataObject.value.index
_WIDTHS: Final[Mapping[type, int]] = {Unsigned: 8, LongUnsigned: 16, DoubleLongUnsigned: 32}


class ProfileStatus:
    """The status in one Data object: which bit tells what."""

    __slots__ = ("bits", "marks", "register")

    def __init__(self, register: Obis, bits: Mapping[Told, int]) -> None:
        self.register = register
        self.bits = dict(bits)
        self.marks: tuple[tuple[datetime, int], ...] = ()
        """What happened, by the true time: a clock that is set back shows the same times again."""

    def attach(self, device: LogicalDevice) -> None:
        """Let the object tell from now on; ConfigurationError where it is missing or has no room for a bit."""
        item = device.find(self.register)
        if item is None or item.class_id != DataObject.class_id:
            raise ConfigurationError(f"{self.register}: there is no such Data object; describe it first")
        given = item.values.get(_VALUE, Unsigned(0))
        width = next((bits for kind, bits in _WIDTHS.items() if isinstance(given, kind)), 0)
        for told, place in self.bits.items():
            if not 0 <= place < width:
                raise ConfigurationError(f"{self.register}: no room for bit {place} of {told.value}, of {width} bits")
        device.owned(item).values[_VALUE] = partial(self._value, device, given)

    def noted(self, device: LogicalDevice, event: MeterEvent, time: datetime) -> None:
        """Remember what tells of an event."""
        if event is MeterEvent.CLOCK_SET and abs(device.meter.last_setting) <= SYNCHRONIZATION:
            return
        mask = sum(1 << self.bits[told] for told in _TELLS.get(event, ()) if told in self.bits)
        if mask:
            true = device.meter.true_time_of(time)
            at = true + _MOMENT if event in _ROW_MISSING else true
            self.marks = (*self.marks, (at, mask))[-MOST_MARKS:]

    def _value(self, device: LogicalDevice, given: Number, time: datetime) -> Number:
        bits = int(given)
        if daylight_saving(time) and Told.DAYLIGHT_SAVING in self.bits:
            bits |= 1 << self.bits[Told.DAYLIGHT_SAVING]
        end = device.meter.true_time_of(time)
        begin = self._true_begin(device, time, end) if self.marks else end
        for at, mask in self.marks:
            if begin < at <= end + _MOMENT:
                bits |= mask
        return type(given)(bits)

    def _true_begin(self, device: LogicalDevice, time: datetime, end: datetime) -> datetime:
        """Return the true time at which the period began that is told of.

        Where the clock jumped over its beginning, it is as long ago as the clock says at the end.
        """
        begin = self._begin(device, time)
        return begin if begin == _BEGINNING else min(device.meter.true_time_of(begin), end - _since(begin, time))

    def _begin(self, device: LogicalDevice, time: datetime) -> datetime:
        """Return when the period began that is told of: behind the row before."""
        column = CaptureObject(DataObject.class_id, self.register, _VALUE, 0)
        profiles = (cast("profile_generic.Profile", item.state) for item in device.objects.profiles)
        profile = next((each for each in profiles if column in each.columns), None)
        if profile is not None and not profile.period:
            return _last_row(device, profile, time)
        period = device.measuring_period if profile is None else profile.period
        return clock.last_multiple(time - _MOMENT, period)


def _last_row(device: LogicalDevice, profile: profile_generic.Profile, time: datetime) -> datetime:
    visit = device.reading(time)
    rows = profile.rows(visit)
    row = () if not rows else rows[0 if profile.newest_first else -1]
    for column, value in zip(profile.columns, row, strict=False):
        if column.class_id == Clock.class_id and isinstance(value, OctetString) and len(value) == DateTime.SIZE:
            return DateTime.from_octets(bytes(value)).to_datetime(device.zone)
    return _BEGINNING


def _since(begin: datetime, time: datetime) -> timedelta:
    return time.astimezone(UTC) - begin.astimezone(UTC)
