"""Event logs: what happened when, in words where somebody gives them (IEC 62056-6-2, profiles of class 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cosem.client.profile import Ways, read_profile
from cosem.client.services import Services
from cosem.protocol.model.classes.data_storage import ProfileGenericCommon
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.dates import DateTime
from cosem.readings.fill import moment_of
from cosem.readings.profile import ProfileRows

DATA: Final = 1
"""The class of the object that holds the code of the last event of a log."""

EVENT_CODE: Final = (0, 96, 11)
"""Value groups A, C and D of the objects that hold the code of the last event (IEC 62056-6-1)."""

NO_CODES: Final[Mapping[int, str]] = {}


@dataclass(frozen=True, slots=True)
class Event:
    """One row of an event log.

    `moment` is the time as the meter wrote it, `time` the point in time it stands for; `code` the number of the event,
    `name` what it means. `values` are the other columns, by what they captured. What a log does not have is None.
    """

    moment: DateTime | None
    time: datetime | None
    code: int | None
    name: str | None
    values: Mapping[CaptureObject, Any]


async def read_events(
    services: Services,
    log: ProfileGenericCommon,
    since: datetime | DateTime | None,
    until: datetime | DateTime | None,
    codes: Mapping[int, str],
    ways: Ways,
) -> list[Event]:
    """Read the events of a log (see `Conveniences.events`)."""
    return events_in(await read_profile(services, log, since, until, ways=ways), codes)


def events_in(found: ProfileRows, codes: Mapping[int, str] = NO_CODES) -> list[Event]:
    """Return the rows of a log as events; what null-data stands for is filled in."""
    code_at = next((at for at, column in enumerate(found.columns) if _is_code(column.captured)), None)
    events: list[Event] = []
    for row in found.filled():
        code = None if code_at is None else row.values[code_at]
        number = int(code) if isinstance(code, int) else None
        others = {
            column.captured: column.scaled(row.values[at])
            for at, column in enumerate(found.columns)
            if at not in (found.clock, code_at)
        }
        name = None if number is None else codes.get(number)
        events.append(Event(moment_of(row.moment), row.time, number, name, others))
    return events


def _is_code(captured: CaptureObject) -> bool:
    a, _, c, d, _, _ = captured.logical_name.octets
    return captured.class_id == DATA and captured.attribute_index == 2 and (a, c, d) == EVENT_CODE
