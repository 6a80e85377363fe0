"""Billing periods: what is counted, stamped and kept when a script captures the profile of one.

A period ends when its profile is captured: by a single action schedule through a script table, or by whoever may run
it. The counter goes up and the time is stamped first, so that the row tells both; what the script does after that,
such as to reset the maxima of demand, belongs to the next period. Objects with a billing period in their code (value
group F) show what the rows have: 101 the last, 102 the one before, 0 to 99 that whose counter ends so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from cosem.errors import ConfigurationError
from cosem.meter.behaviour import profile_generic
from cosem.meter.item import Item, Refusal, Visit
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import ExtendedRegister, ProfileGeneric, Register
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.values.data import LongUnsigned, Number, OctetString, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

LAST: Final = 101
"""Value group F of the billing period that ended last; those before have the numbers that follow."""

OLDEST: Final = 125
BY_COUNTER: Final = 100
"""Below it, value group F is the counter of the period, without its hundreds."""

NO_PERIOD: Final = 255

_VALUE: Final = DataObject.value.index
_HISTORIC: Final = (DataObject.class_id, Register.class_id, ExtendedRegister.class_id)
_STAMP: Final = (0, 1, 2)
"""Value groups C, D and E of when a period ended."""


@dataclass(frozen=True, slots=True)
class Billing:
    """The billing periods of one profile, with the Data objects that count them, as far as there are some.

    Attributes:
        profile: what is captured at the end of a period.
        counter: counts the periods; it begins again at 0 when its type is full.
        available: how many periods the profile holds.
        time: when the last period ended.
    """

    profile: Obis
    counter: Obis | None = None
    available: Obis | None = None
    time: Obis | None = None

    def attach(self, device: LogicalDevice) -> None:
        """Count from now on, and let objects of past periods that have no value show them.

        Raises ConfigurationError where an object is missing, or the counter is no number.
        """
        item = device.find(self.profile)
        if item is None or item.class_id != ProfileGeneric.class_id:
            raise ConfigurationError(f"{self.profile}: there is no such profile; describe it first")
        if not _profile(device, self.profile).stores:
            raise ConfigurationError(f"{self.profile}: the rows of billing periods are captured, not computed")
        for instance in (self.counter, self.available, self.time):
            found = None if instance is None else device.find(instance)
            if instance is not None and (found is None or found.class_id != DataObject.class_id):
                raise ConfigurationError(f"{instance}: there is no such Data object; describe it first")
        if self.counter is not None:
            held = _own(device, self.counter).values.setdefault(_VALUE, LongUnsigned(0))
            if not isinstance(held, Number):
                raise ConfigurationError(f"{self.counter}: expected a number that counts")
        if self.available is not None:
            _own(device, self.available).values[_VALUE] = partial(self._available, device)
        if self.time is not None:
            _own(device, self.time).values.setdefault(_VALUE, OctetString(DateTime().octets))
        _profile(device, self.profile).closing = self.close
        for each in list(device.items()):
            if each.class_id in _HISTORIC and _VALUE not in each.values and _of_past(each.instance):
                self._show(device, each)

    def close(self, visit: Visit) -> None:
        """Count a period that ends now."""
        if self.counter is not None:
            values = _own(visit.device, self.counter).values
            held = cast("Number", values[_VALUE])
            values[_VALUE] = type(held)(held + 1 if held < held.HIGH else 0)
        if self.time is not None:
            _own(visit.device, self.time).values[_VALUE] = OctetString(DateTime.from_datetime(visit.time).octets)

    def _available(self, device: LogicalDevice, time: datetime) -> Any:
        profile = _profile(device, self.profile)
        return Unsigned(min(profile.source.count(profile, device.reading(time)), Unsigned.HIGH))

    def _show(self, device: LogicalDevice, item: Item) -> None:
        a, b, c, d, e, f = item.instance.octets
        own, present = device.owned(item), device.find(Obis.of(a, b, c, d, e, NO_PERIOD))
        own.values[_VALUE] = partial(self._past, device, item.instance, f)
        scaler = Register.scaler_unit.index
        if present is not None and item.class_id != DataObject.class_id and scaler in present.values:
            own.values.setdefault(scaler, present.values[scaler])

    def _past(self, device: LogicalDevice, code: Obis, period: int, time: datetime) -> Any:
        """Return what the row of a period has for a code; Refusal where there is none."""
        profile = _profile(device, self.profile)
        rows = profile.rows(device.reading(time))
        oldest_first = rows[::-1] if profile.newest_first else rows
        places = tuple(self._places(profile, code))
        if period >= LAST:
            wanted = oldest_first[-(period - LAST + 1) :][:1] if period - LAST < len(rows) else ()
        else:
            wanted = [row for row in oldest_first if self._counter_of(profile, row) == period][-1:]
        if not wanted or not places:
            raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
        return wanted[0][places[0]]

    def _counter_of(self, profile: profile_generic.Profile, row: profile_generic.Row) -> int | None:
        for column, value in zip(profile.columns, row, strict=False):
            if column.logical_name == self.counter and isinstance(value, int):
                return value % BY_COUNTER
        return None

    @staticmethod
    def _places(profile: profile_generic.Profile, code: Obis) -> Iterator[int]:
        a, b, c, d, e, _ = code.octets
        present = Obis.of(a, b, c, d, e, NO_PERIOD)
        for place, column in enumerate(profile.columns):
            if column.logical_name == present and column.attribute_index == _VALUE:
                yield place
        if (c, d, e) == _STAMP:
            yield from (place for place, column in enumerate(profile.columns) if column.class_id == Clock.class_id)


def _of_past(code: Obis) -> bool:
    period = code.octets[5]
    return period < BY_COUNTER or LAST <= period <= OLDEST


def _own(device: LogicalDevice, instance: Obis) -> Item:
    item = device.find(instance)
    assert item is not None  # looked for when the periods were described
    return device.owned(item)


def _profile(device: LogicalDevice, instance: Obis) -> profile_generic.Profile:
    return cast("profile_generic.Profile", _own(device, instance).state)
