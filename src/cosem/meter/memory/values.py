"""What is kept of the value of an attribute, and how a meter gets it back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from cosem.errors import ConfigurationError
from cosem.meter.behaviour.registers import Counted, SinceReset, counted
from cosem.meter.item import FromSource, Item
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.memory.plain import value_of


def told(held: object) -> dict[str, Any] | None:
    """Return what is kept of the value of an attribute; None where the description has all of it."""
    if isinstance(held, FromSource) and isinstance(held.ask, Counted):
        return {"counted": held.ask.stretches}
    if isinstance(held, SinceReset):
        return {"reset": held.since}
    return None if callable(held) or isinstance(held, FromSource) else {"held": held}


def recall_value(device: LogicalDevice, item: Item, index: int, told: dict[str, Any]) -> bool:
    """Give an attribute what was kept of its value; False where the description has another kind of value now."""
    if "held" in told:
        item.values[index] = told["held"]
        return True
    present = item.values.get(index)
    if "reset" in told and isinstance(present, SinceReset):
        item.values[index] = replace(present, since=told["reset"])
        return True
    counting = counted(item)
    if "counted" in told and counting is not None:
        item.values[index] = FromSource(replace(counting, stretches=told["counted"], true=device.meter.true_time_of))
        return True
    return False


def understood(name: str, octets: bytes) -> Any:
    """Return what was kept under a name; ConfigurationError where the octets are not understood."""
    try:
        return value_of(json.loads(octets))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name}: {error}") from error
