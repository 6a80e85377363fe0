"""What several tables of a description have in common: words of a set, and the logical device they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from cosem.errors import ConfigurationError
from cosem.meter.device import MANAGEMENT, LogicalDevice, Meter
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
    sap = table.integer("device", MANAGEMENT)
    device = meter.devices.get(sap)
    if device is None:
        raise table.refusal("device", f"there is no logical device with SAP {sap}; describe it under [[device]]")
    return device
