"""What a scenario does to a meter that is as its companion has it, with objects of its own.

Outages are those of `cosem.fleet.outages`. A firmware wave writes its version into the identifier of the active
firmware, and a change of tariff lets the registers of two tariffs count on otherwise. What happens is noted in the
event logs by the codes of the companion; tampering is an opened cover. What was over when somebody came first left its
marks as if the meter had been there. What cannot be done for a companion is refused with the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from cosem.fleet.effects import BY_TARIFF, Effects, Tariffed
from cosem.fleet.outages import endure
from cosem.fleet.scenario import Happening, Scenario, TariffForm
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
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


def affect(meter: Meter, known: Companion, effects: Effects, number: int) -> None:
    """Let happen to a meter what a scenario has for its number, that too from before anybody came to it."""
    shown = partial(effects.shown, number)
    changes = tuple((shown(at), form) for at, form in effects.tariffs(number))
    if changes:
        _count_by(meter, changes)
    updates = effects.updates(number)
    if updates and meter.management.find(FIRMWARE) is None:
        meter.management.add(DataObject(FIRMWARE), value=OctetString(b""))
    others: list[Scripted] = [(shown(at), partial(_updated, version)) for at, version in updates]
    others += [(shown(at), _tampered) for at, _ in effects.tamperings(number)]
    outages = effects.outages(number)
    if outages or others:
        endure(meter, known, outages, others)


def refusals(known: Companion, numbers: range, scenario: Scenario, count: int) -> Iterator[tuple[str, str]]:
    """Return which tables of a scenario meters of a companion cannot go by, among the `count` of a fleet, and why."""
    for table, said, able, why in _NEEDS:
        happenings: tuple[Happening, ...] = getattr(scenario, said)
        concerned = any(_meet(numbers, scenario.numbers(each.region, count)) for each in happenings)
        if concerned and not able(known):
            yield table, f"{known.name} {why}"


def _meet(numbers: range, others: range) -> bool:
    return max(numbers.start, others.start) < min(numbers.stop, others.stop)


def _tells_firmware(known: Companion) -> bool:
    return not known.complete or known.rule(FIRMWARE, DataObject.class_id) is not None


def _notes_covers(known: Companion) -> bool:
    return any(MeterEvent.COVER_OPENED.value in each.events for each in known.notes)


def _has_tariffs(known: Companion) -> bool:
    return all(known.rule(code, Register.class_id) is not None for code in BY_TARIFF.values())


_NEEDS: Final = (
    ("firmware", "firmware", _tells_firmware, f"has no object {FIRMWARE} that would tell the version"),
    ("tamper", "tampers", _notes_covers, "has no event code for an opened cover"),
    ("tariff", "tariffs", _has_tariffs, f"has no registers {' and '.join(map(str, BY_TARIFF.values()))}"),
)
"""Tables of a scenario: where it has them, which companions can go by them, and what others lack."""


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
    items = {rate: meter.management.find(code) for rate, code in BY_TARIFF.items()}
    shown = {rate: item.values.get(_VALUE) for rate, item in items.items() if item is not None}
    if len(shown) < len(BY_TARIFF) or not all(map(callable, shown.values())):
        return
    asked = {rate: partial(_asked, value) for rate, value in shown.items()}
    for rate, item in items.items():
        assert item is not None
        value: Any = Tariffed(asked[rate], asked[3 - rate], rate == 1)
        item.values[_VALUE] = partial(value, _Changes(meter, changes))


def _asked(value: Any, _: object, time: datetime) -> Any:
    return value(time)
