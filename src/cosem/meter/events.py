"""What a meter notes in its event logs; which code stands for it is for the description or the companion to say."""

from __future__ import annotations

from enum import Enum


class MeterEvent(Enum):
    """Something that happens to a meter."""

    POWER_UP = "power_up"
    POWER_DOWN = "power_down"
    CONNECTED = "connected"

    CLOCK_SET_FROM = "clock_set_from"
    """At the time that the clock showed before; CLOCK_SET is at the time that it shows then."""
    CLOCK_SET = "clock_set"
    DAYLIGHT_SAVING_BEGUN = "daylight_saving_begun"
    DAYLIGHT_SAVING_ENDED = "daylight_saving_ended"
    CALENDAR_SWITCHED = "calendar_switched"

    LIMIT_EXCEEDED = "limit_exceeded"
    LIMIT_KEPT = "limit_kept"
    DISCONNECTED = "disconnected"
    RECONNECTED = "reconnected"
    DISCONNECTED_REMOTELY = "disconnected_remotely"
    RECONNECTED_REMOTELY = "reconnected_remotely"
    DISCONNECTED_MANUALLY = "disconnected_manually"
    RECONNECTED_MANUALLY = "reconnected_manually"
    DISCONNECTED_LOCALLY = "disconnected_locally"
    RECONNECTED_LOCALLY = "reconnected_locally"
    """By whom comes beside DISCONNECTED or RECONNECTED, for logs that tell it apart."""

    IMAGE_ACTIVATED = "image_activated"
    PARAMETERS_WRITTEN = "parameters_written"
    LOG_CLEARED = "log_cleared"
    """Noted in the log that was cleared alone, as its first row."""

    CREDIT_ADDED = "credit_added"
    CREDIT_LOW = "credit_low"
    CREDIT_OUT = "credit_out"

    COVER_OPENED = "cover_opened"
    COVER_CLOSED = "cover_closed"
    SEAL_BROKEN = "seal_broken"
    CALIBRATION_BEGUN = "calibration_begun"
    CALIBRATION_ENDED = "calibration_ended"
    METROLOGY_REFUSED = "metrology_refused"

    AUTHENTICATION_FAILED = "authentication_failed"
    LOCKED_OUT = "locked_out"
    DECRYPTION_FAILED = "decryption_failed"
    COUNTER_REPLAYED = "counter_replayed"
    """An invocation counter that is not above the last one, which may be a replay."""
    KEY_CHANGED = "key_changed"
    GLOBAL_KEY_CHANGED = "global_key_changed"
    """Beside KEY_CHANGED, where it is one of the global keys."""
    POLICY_CHANGED = "policy_changed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - the name of an event
