"""What the objects of a class do: one table for all meters, one module for each class that does something."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cosem.meter.behaviour import (
    activity_calendar,
    clock,
    demand,
    disconnect_control,
    image_transfer,
    monitors,
    payment_account,
    payment_charge,
    payment_credit,
    profile_generic,
    push_setup,
    registers,
    schedules,
    scripts,
    special_days,
    token_gateway,
)
from cosem.meter.item import PLAIN, Behaviour

BEHAVIOURS: Final[Mapping[int, Behaviour]] = MappingProxyType(
    {
        3: registers.REGISTER,
        4: registers.EXTENDED_REGISTER,
        5: demand.BEHAVIOUR,
        6: registers.ACTIVATION,
        7: profile_generic.BEHAVIOUR,
        8: clock.BEHAVIOUR,
        9: scripts.BEHAVIOUR,
        10: schedules.SCHEDULE,
        11: special_days.BEHAVIOUR,
        18: image_transfer.BEHAVIOUR,
        20: activity_calendar.BEHAVIOUR,
        21: monitors.REGISTER_MONITOR,
        22: schedules.SINGLE_ACTION,
        40: push_setup.BEHAVIOUR,
        70: disconnect_control.BEHAVIOUR,
        71: monitors.LIMITER,
        111: payment_account.BEHAVIOUR,
        112: payment_credit.BEHAVIOUR,
        113: payment_charge.BEHAVIOUR,
        115: token_gateway.BEHAVIOUR,
    },
)
"""By class id; objects of all other classes keep values and do nothing."""


def of(class_id: int) -> Behaviour:
    """Return what objects of a class do."""
    return BEHAVIOURS.get(class_id, PLAIN)
