"""The names under which the state of a meter is kept: a kind, and whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cosem.meter.item import Item
    from cosem.meter.logical_device import LogicalDevice

ABOUT: Final = "about"
CLOCK: Final = "clock"
PRESET: Final = "preset"
LOCKOUT: Final = "lockout"
POWER: Final = "power"
PUSHES: Final = "pushes"
DRIFT: Final = "drift"
INVALID: Final = "clock invalid"
ASSOCIATION: Final = "association"
DRAWN: Final = "drawn"
AGENDA: Final = "agenda"
MARKS: Final = "marks"
NOTED: Final = "noted"
STATE: Final = "state"
VALUE: Final = "value"

OF_STATE: Final = 3
"""Words in the name of a state; those of a part of a journal have its number behind."""


def of_value(device: LogicalDevice, item: Item, index: int) -> str:
    """Return the name of the value of an attribute."""
    return f"{VALUE} {device.sap} {item.instance} {index}"


def of_state(device: LogicalDevice, item: Item) -> str:
    """Return the name of the state of an object."""
    return f"{STATE} {device.sap} {item.instance}"
