"""What a meter notes in its event logs; which code stands for it is for the description to say."""

from __future__ import annotations

from enum import Enum


class MeterEvent(Enum):
    """Something that happens to a meter."""

    POWER_UP = "power_up"
    POWER_DOWN = "power_down"
    CONNECTED = "connected"
    CLOCK_SET = "clock_set"
    CALENDAR_SWITCHED = "calendar_switched"
    LIMIT_EXCEEDED = "limit_exceeded"
    LIMIT_KEPT = "limit_kept"
    DISCONNECTED = "disconnected"
    RECONNECTED = "reconnected"
    IMAGE_ACTIVATED = "image_activated"
    PARAMETERS_WRITTEN = "parameters_written"
    CREDIT_ADDED = "credit_added"
    CREDIT_LOW = "credit_low"
    CREDIT_OUT = "credit_out"
    COVER_OPENED = "cover_opened"
    COVER_CLOSED = "cover_closed"
    SEAL_BROKEN = "seal_broken"
    CALIBRATION_BEGUN = "calibration_begun"
    CALIBRATION_ENDED = "calibration_ended"
    METROLOGY_REFUSED = "metrology_refused"
