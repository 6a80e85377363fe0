"""Giving a meter what was kept of it: all of it after a restart, or one thing again that was not made durable."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from cosem.errors import ConfigurationError, CosemError
from cosem.meter.demo import Household, SteadyHousehold
from cosem.meter.device import Meter
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.memory import names, states, values
from cosem.meter.memory.drawn import Drawn
from cosem.meter.profile_status import ProfileStatus
from cosem.protocol.values.obis import Obis


class Recall:
    """Gives one meter its state.

    Attributes:
        drawn: the secrets that were drawn for it, by their names.
        seen: the values of attributes as they were given back, by their names.
    """

    __slots__ = ("_meter", "drawn", "seen")

    def __init__(self, meter: Meter, seen: dict[str, object]) -> None:
        self._meter = meter
        self.drawn: dict[str, Drawn] = {}
        self.seen = seen

    def all(self, found: dict[str, Any]) -> tuple[tuple[str, ...], list[str]]:
        """Give the meter all that was kept.

        Returns the names of what it has no more, and those of the parts of journals that it has: it goes on with a
        journal as that is numbered now, so that what is kept by the old numbers is written anew. Raises
        ConfigurationError where something is not understood.
        """
        journals: defaultdict[str, list[tuple[int, Any]]] = defaultdict(list)
        for name in [
            name for name in found if name.startswith(f"{names.STATE} ") and len(name.split()) > names.OF_STATE
        ]:
            base, _, number = name.rpartition(" ")
            journals[base].append((int(number), found.pop(name)))
        forgotten: list[str] = []
        renumbered: list[str] = []
        for name, value in sorted(found.items(), key=_values_first):
            parts = sorted(journals.pop(name, []), key=_first)
            try:
                known = self.one(name, value, [each for _, each in parts])
            except (CosemError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                raise ConfigurationError(f"{name}: what is kept is not understood: {error}") from error
            if known:
                renumbered += (f"{name} {at}" for at, _ in parts)
            else:
                forgotten.append(name)
        return (*forgotten, *journals), renumbered

    def one(self, name: str, value: Any, parts: list[Any]) -> bool:
        """Give one thing its state; False where there is no such thing any more."""
        meter, (kind, *place) = self._meter, name.split()
        if name == names.CLOCK:
            meter.recall_settings(*value)
        elif kind == names.PRESET:
            meter.preset = value
        elif kind == names.LOCKOUT:
            meter.lockout.recall(value)
        elif name == names.INVALID:
            meter.clock_invalid = value
        elif kind == names.DRIFT:
            if meter.drift is None:
                return False
            meter.drift.begun = value
        elif kind == names.PUSHES:
            meter.pushes.recall(value)
        elif kind == names.POWER:
            meter.power.recall(*value)
        elif kind == names.DRAWN:
            self.drawn[name] = value
        elif kind == names.ASSOCIATION:
            whose, _, client = name.removeprefix(f"{names.ASSOCIATION} ").rpartition(" ")
            return self._association(whose, int(client), value)
        elif kind != names.ABOUT:
            device = meter.devices.get(int(place[0]))
            return device is not None and self._in_device(device, kind, place[1:], value, parts)
        return True

    def _in_device(self, device: LogicalDevice, kind: str, place: list[str], value: Any, parts: list[Any]) -> bool:
        if kind == names.AGENDA:
            device.agenda.recall(*value)
            return True
        if kind == names.MARKS:
            statuses = [each for each in device.listeners if isinstance(each, ProfileStatus)]
            for status, marks in zip(statuses, value, strict=False):
                status.marks = marks
            return len(statuses) == len(value)
        if kind == names.NOTED:
            if isinstance(device.source, Household | SteadyHousehold):
                device.source.noted = value or ()
            return isinstance(device.source, Household | SteadyHousehold)
        item = device.objects.find(Obis(place[0]))
        if item is None:
            return False
        if kind == names.STATE:
            return states.recall(device, item, value[0], value[1], parts)
        index = int(place[1])
        known = values.recall_value(device, item, index, value)
        if known:
            self.seen[names.of_value(device, item, index)] = item.values[index]
            if item.behaviour.recalled is not None:
                item.behaviour.recalled(item)
        return known

    def _association(self, name: str, client: int, value: Any) -> bool:
        for device in self._meter.devices.values():
            offered = device.association(client)
            if device.name == name and offered is not None and device.offers:
                device.offer_instead(client, states.association_of(offered, value))
                return True
        return False


def _values_first(kept: tuple[str, Any]) -> bool:
    """Order what was kept: of what a state is, such as that of a profile, the attributes may tell."""
    return not kept[0].startswith(f"{names.VALUE} ")


def _first(part: tuple[int, Any]) -> int:
    return part[0]
