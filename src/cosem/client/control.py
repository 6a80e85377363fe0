"""The breaker or valve of a meter, its scripts, and the calendar that switches its tariffs (IEC 62056-6-2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from cosem.client.services import Services
from cosem.client.writing import require
from cosem.errors import CosemError
from cosem.protocol.model.classes.time_and_event import (
    ActivityCalendar,
    ControlMode,
    ControlState,
    DayProfile,
    DisconnectControl,
    DisconnectControlCommon,
    ScriptTable,
    Season,
    SpecialDay,
    SpecialDaysTable,
    WeekProfile,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

END_OF_BILLING: Final = Obis("0.0.10.0.1.255")
"""The script table that ends a billing period, also called MDI reset (IEC 62056-6-1)."""

SPECIAL_DAYS: Final = Obis("0.0.11.0.0.255")


@dataclass(frozen=True, slots=True)
class DisconnectState:
    """Whether a breaker is closed (`output`), what state its control is in, and which ways of moving it are open."""

    output: bool
    state: ControlState
    mode: ControlMode


@dataclass(frozen=True, slots=True)
class Calendar:
    """Seasons, weeks and days by which a meter switches, and the special days that go before them.

    `activation` is when a passive calendar takes over; None in the active one.
    """

    name: bytes
    seasons: tuple[Season, ...]
    weeks: tuple[WeekProfile, ...]
    days: tuple[DayProfile, ...]
    special_days: tuple[SpecialDay, ...] = ()
    activation: DateTime | None = None


async def disconnect_state(services: Services, control: DisconnectControlCommon | None) -> DisconnectState:
    """Read the state of a breaker or valve."""
    where = control or DisconnectControl()
    output, state, mode = await _all(services, where.output_state, where.control_state, where.control_mode)
    return DisconnectState(output, state, mode)


async def switch(
    services: Services, control: DisconnectControlCommon | None, *, connect: bool, write: bool
) -> DisconnectState:
    """Open or close a breaker, and tell what came of it."""
    require(write, "switches what the meter feeds")
    where = control or DisconnectControl()
    await services.act(where.remote_reconnect if connect else where.remote_disconnect, 0)
    return await disconnect_state(services, where)


async def run_script(services: Services, table: ScriptTable, script: int, *, write: bool) -> None:
    """Run one script of a table."""
    require(write, "runs a script in the meter")
    await services.act(table.execute, script)


async def read_calendar(
    services: Services, calendar: ActivityCalendar | None, days: SpecialDaysTable | None, *, passive: bool
) -> Calendar:
    """Read a calendar; special days are left out where the meter has no table of them."""
    where, special = calendar or ActivityCalendar(), days or SpecialDaysTable(SPECIAL_DAYS)
    if passive:
        name, seasons, weeks, profiles, activation = await _all(
            services,
            where.calendar_name_passive,
            where.season_profile_passive,
            where.week_profile_table_passive,
            where.day_profile_table_passive,
            where.activate_passive_calendar_time,
        )
        return Calendar(bytes(name), seasons, weeks, profiles, (), activation)
    *parts, entries = await services.get_many(
        [
            where.calendar_name_active,
            where.season_profile_active,
            where.week_profile_table_active,
            where.day_profile_table_active,
            special.entries,
        ]
    )
    name, seasons, weeks, profiles = _raised(parts)
    return Calendar(bytes(name), seasons, weeks, profiles, () if isinstance(entries, CosemError) else entries)


async def write_calendar(
    services: Services,
    new: Calendar,
    calendar: ActivityCalendar | None,
    *,
    activate: bool,
    write: bool,
) -> None:
    """Write the passive calendar, whole, and activate it at its time or at once."""
    require(write, "writes the calendar of the meter")
    where = calendar or ActivityCalendar()
    values: list[tuple[Any, Any]] = [
        (where.calendar_name_passive, new.name),
        (where.season_profile_passive, new.seasons),
        (where.week_profile_table_passive, new.weeks),
        (where.day_profile_table_passive, new.days),
    ]
    if new.activation is not None:
        values.append((where.activate_passive_calendar_time, new.activation))
    _raised(await services.access(values))
    if activate:
        await services.act(where.activate_passive_calendar, 0)


async def write_special_days(
    services: Services, entries: Iterable[SpecialDay], table: SpecialDaysTable | None, *, write: bool
) -> None:
    """Write the table of special days, whole."""
    require(write, "writes the special days of the meter")
    await services.set((table or SpecialDaysTable(SPECIAL_DAYS)).entries, tuple(entries))


async def _all(services: Services, *references: Any) -> list[Any]:
    return _raised(await services.get_many(list(references)))


def _raised(answers: list[Any]) -> list[Any]:
    """Return the answers, or raise the first that is an error."""
    for answer in answers:
        if isinstance(answer, CosemError):
            raise answer
    return answers
