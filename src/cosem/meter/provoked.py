"""How often a meter notes what anybody who reaches it can make happen: a flood costs an event log a row an hour.

The first time is noted, and then none within a minute, then within two, four and so on, an hour at most; after
`FORGOTTEN_AFTER` without any it begins anew. What is remembered does not grow with what happens.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from cosem.meter.events import MeterEvent

FIRST_QUIET: Final = timedelta(minutes=1)
LONGEST_QUIET: Final = timedelta(hours=1)
FORGOTTEN_AFTER: Final = 2 * LONGEST_QUIET


class Provoked:
    """What was noted last of each event in each logical device."""

    __slots__ = ("_noted",)

    def __init__(self) -> None:
        self._noted: dict[tuple[int, MeterEvent], tuple[datetime, timedelta]] = {}

    def counts(self, sap: int, event: MeterEvent, now: datetime) -> bool:
        """Tell whether an event in a logical device is noted, or one of those that belong to the one before."""
        at, quiet = self._noted.get((sap, event), (None, FIRST_QUIET))
        passed = timedelta.max if at is None else now - at
        if timedelta() <= passed < quiet:
            return False
        longer = timedelta() <= passed < FORGOTTEN_AFTER
        self._noted[sap, event] = now, min(2 * quiet, LONGEST_QUIET) if longer else FIRST_QUIET
        return True
