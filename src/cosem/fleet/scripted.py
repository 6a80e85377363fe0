"""What a scenario does to a meter that is as its companion or its description has it, with objects of its own.

Outages are those of `cosem.fleet.outages`. A firmware wave writes its version into the identifier of the active
firmware, and a change of tariff lets the registers of two tariffs count on otherwise. What happens is noted in the
event logs by the codes of either; tampering is an opened cover. What was over when somebody came first left its
marks as if the meter had been there. What cannot be done is refused with the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, cast

from cosem.fleet.effects import BY_TARIFF, Effects, Tariffed
from cosem.fleet.outages import endure
from cosem.fleet.scenario import Happening, Scenario, TariffForm
from cosem.meter import saving
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.item import FromSource, Item
from cosem.meter.loads import Shown
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.power import Happening as Scripted
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import Register
from cosem.protocol.model.companion import Companion
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.obis import Obis

FIRMWARE: Final = Obis("1.0.0.2.0.255")
"""The identifier of the active firmware."""

_VALUE: Final = DataObject.value.index


def affect(meter: Meter, known: Companion | None, effects: Effects | None, number: int, since: datetime) -> None:
    """Let happen to a meter what a scenario has for its number, that too from before anybody came to it.

    Its logs tell of daylight saving that began or ended since then, too.
    """
    others: list[Scripted] = [(at, partial(_saved, event, at)) for at, event in _savings(meter, since)]
    if effects is None:
        for at, act in others:
            for device in meter.devices.values():
                act(device, at)
        return
    shown = partial(effects.shown, number)
    changes = tuple((shown(at), form) for at, form in effects.tariffs(number))
    if changes:
        _count_by(meter, changes)
    updates = effects.updates(number)
    if updates and meter.management.find(FIRMWARE) is None:
        meter.management.add(DataObject(FIRMWARE), value=OctetString(b""))
    others += [(shown(at), partial(_updated, version)) for at, version in updates]
    others += [(shown(at), _tampered) for at, _ in effects.tamperings(number)]
    outages = effects.outages(number)
    if outages or others:
        endure(meter, known, outages, others)


def refusals(lacks: Mapping[str, str], numbers: range, scenario: Scenario, count: int) -> Iterator[tuple[str, str]]:
    """Return which tables of a scenario meters cannot go by for what they lack, among the `count` of a fleet."""
    for table, said in _HAPPENINGS.items():
        happenings: tuple[Happening, ...] = getattr(scenario, said)
        if table in lacks and any(_meet(numbers, scenario.numbers(each.region, count)) for each in happenings):
            yield table, lacks[table]


def lacking(known: Companion) -> Mapping[str, str]:
    """Return which tables of a scenario meters of a companion cannot go by, and why."""
    return {table: f"{known.name} {why}" for table, able, why in _NEEDS if not able(known)}


def _meet(numbers: range, others: range) -> bool:
    return max(numbers.start, others.start) < min(numbers.stop, others.stop)


def _tells_firmware(known: Companion) -> bool:
    return not known.complete or known.rule(FIRMWARE, DataObject.class_id) is not None


def _notes_covers(known: Companion) -> bool:
    return any(MeterEvent.COVER_OPENED.value in each.events for each in known.notes)


def _has_tariffs(known: Companion) -> bool:
    return all(known.rule(code, Register.class_id) is not None for code in BY_TARIFF.values())


_NEEDS: Final = (
    ("firmware", _tells_firmware, f"has no object {FIRMWARE} that would tell the version"),
    ("tamper", _notes_covers, "has no event code for an opened cover"),
    ("tariff", _has_tariffs, f"has no registers {' and '.join(map(str, BY_TARIFF.values()))}"),
)
"""Tables of a scenario, which companions can go by them, and what others lack."""

_HAPPENINGS: Final = {"firmware": "firmware", "tamper": "tampers", "tariff": "tariffs"}
"""Tables of a scenario that not all meters can go by, and what they are in it."""


def _savings(meter: Meter, since: datetime) -> list[tuple[datetime, MeterEvent]]:
    """Return when daylight saving began and ended since a time, for a meter that has a code for it."""
    if all(saving.EVENTS.isdisjoint(codes) for device in meter.devices.values() for _, _, codes in device.logs):
        return []
    return list(saving.changes(meter.zone, since, meter.time()))


def _saved(event: MeterEvent, at: datetime, device: LogicalDevice, _: datetime) -> None:
    if not device.meter.dark:
        device.note(event, at)


def _updated(version: str, device: LogicalDevice, time: datetime) -> None:
    item = device.find(FIRMWARE)
    if item is not None:
        device.owned(item).values[_VALUE] = OctetString(version.encode())
    device.note(MeterEvent.IMAGE_ACTIVATED, time)


def _tampered(device: LogicalDevice, time: datetime) -> None:
    device.note(MeterEvent.COVER_OPENED, time)


@dataclass(frozen=True, slots=True)
class _Changes:
    """How a meter counts in tariffs since when, as its clock shows it."""

    meter: Meter
    by_true_time: tuple[tuple[datetime, TariffForm], ...]

    def truly(self, time: datetime) -> tuple[_Changes, datetime]:
        """Return itself: the changes and what the registers are asked with are as the clock shows them."""
        return self, time

    def tariffs(self) -> tuple[tuple[datetime, TariffForm], ...]:
        return tuple((self.meter.shown_then(at), form) for at, form in self.by_true_time)


def _count_by(meter: Meter, changes: tuple[tuple[datetime, TariffForm], ...]) -> None:
    """Let the registers of two tariffs count on otherwise since each change, where they show a load."""
    device = meter.management
    if not can_count(device):
        return
    items = {rate: cast("Item", device.find(code)) for rate, code in BY_TARIFF.items()}
    asked = {rate: partial(_asked, device, item.values[_VALUE]) for rate, item in items.items()}
    for rate, item in items.items():
        value: Any = Tariffed(asked[rate], asked[3 - rate], rate == 1)
        device.owned(item).values[_VALUE] = partial(value, _Changes(meter, changes))


def can_count(device: LogicalDevice) -> bool:
    """Tell whether the registers of two tariffs show a load, and are not switched otherwise."""
    found = [device.find(code) for code in BY_TARIFF.values()]
    values = [None if item is None else item.values.get(_VALUE) for item in found]
    return all(callable(each) or (isinstance(each, FromSource) and isinstance(each.ask, Shown)) for each in values)


def _asked(device: LogicalDevice, value: Any, _: object, time: datetime) -> Any:
    return value.ask(device.source, time) if isinstance(value, FromSource) else value(time)
