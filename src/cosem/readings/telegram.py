"""What the lines of a telegram say: readings, and of every line that makes none, why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cosem.protocol.iec21.moment import Moment
from cosem.protocol.values.quantity import Quantity
from cosem.readings.reading import Quality, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a telegram: `code` is its address or label, `text` what it says, both as they were sent.

    `fault` tells what is wrong with it; then it has no readings. A line without either says nothing that is measured,
    nothing at all, or a `quantity`, at `time`, for which there is no OBIS code.
    """

    code: str
    text: str
    meaning: str = ""
    readings: tuple[Reading, ...] = ()
    quantity: Quantity | None = None
    time: datetime | None = None
    fault: str | None = None


def quality_of(moment: Moment) -> Quality:
    """Return what is known of a time that was made by the zone that was configured."""
    quality = Quality.ZONE_ASSUMED
    if moment.summer:
        quality |= Quality.DAYLIGHT_SAVING
    if moment.doubtful:
        quality |= Quality.CLOCK_DOUBTFUL
    return quality
