"""Interface classes for time- and event-bound control (IEC 62056-6-2): clock, scripts, calendars, schedules."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import Enumeration, flags, structure
from cosem.protocol.values.data import Integer, Long, Unsigned
from cosem.protocol.values.dates import ClockStatus, DateTime


class ClockBase(Enumeration):
    """What the clock takes its time from."""

    NOT_DEFINED = 0
    INTERNAL_CRYSTAL = 1
    MAINS_FREQUENCY_50_HZ = 2
    MAINS_FREQUENCY_60_HZ = 3
    GLOBAL_POSITIONING_SYSTEM = 4
    RADIO_CONTROLLED = 5


@structure
class PresetTime:
    """A time to set later, and the interval in which it may be set."""

    preset_time: DateTime
    validity_interval_start: DateTime
    validity_interval_end: DateTime


class Clock(InterfaceClass, class_id=8, version=0, instance="0.0.1.0.0.255"):
    """Holds date, time, the deviation from UTC and the rules of daylight saving. (class_id 8)"""

    time = attribute(2, DateTime)
    time_zone = attribute(3, Long, static=True)
    status = attribute(4, flags(ClockStatus, Unsigned))
    daylight_savings_begin = attribute(5, DateTime, static=True)
    daylight_savings_end = attribute(6, DateTime, static=True)
    daylight_savings_deviation = attribute(7, Integer, static=True)
    daylight_savings_enabled = attribute(8, bool, static=True)
    clock_base = attribute(9, ClockBase, static=True)
    adjust_to_quarter = method(1, Integer, sn=0x60)
    adjust_to_measuring_period = method(2, Integer, sn=0x68)
    adjust_to_minute = method(3, Integer, sn=0x70)
    adjust_to_preset_time = method(4, Integer, sn=0x78)
    preset_adjusting_time = method(5, PresetTime, sn=0x80)
    shift_time = method(6, Long, sn=0x88)
