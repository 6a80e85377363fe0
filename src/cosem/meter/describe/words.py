"""What several tables of a description have in common: words of a set, and the logical device they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from cosem.errors import ConfigurationError
from cosem.meter.device import Meter
from cosem.meter.logical_device import MANAGEMENT, LogicalDevice
from cosem.protocol.model.table import Table

T = TypeVar("T")


def named(words: Mapping[str, T]) -> Callable[[str], T]:
    """Return what reads one of some words."""

    def read(word: str) -> T:
        if word not in words:
            raise ConfigurationError(f"{word!r} is not known: write {' or '.join(words)}")
        return words[word]

    return read


def device_of(meter: Meter, table: Table) -> LogicalDevice:
    """Return the logical device that a table is of, the management one where it names none."""
    return _device(meter, table, table.integer("device", MANAGEMENT))


def devices_of(meter: Meter, table: Table) -> tuple[LogicalDevice, ...]:
    """The same of a table that may be of several: `device = [1, 17]`."""
    given = table.given("device", _saps) if "device" in table else (MANAGEMENT,)
    return tuple(_device(meter, table, sap) for sap in given)


def _saps(given: object) -> tuple[int, ...]:
    found = tuple(cast("list[object]", given)) if isinstance(given, list) else (given,)
    if not found or not all(type(each) is int for each in found) or len(set(found)) < len(found):
        raise ConfigurationError("expected the SAP of a logical device, or a list of some, as in [1, 17]")
    return cast("tuple[int, ...]", found)


def _device(meter: Meter, table: Table, sap: int) -> LogicalDevice:
    device = meter.devices.get(sap)
    if device is None:
        raise table.refusal("device", f"there is no logical device with SAP {sap}; describe it under [[device]]")
    return device
