"""What people do with a meter besides reading attributes: clock, breaker, calendar, events, images, who it is.

Everything that changes the meter asks for `write=True`, and raises ConfigurationError before anything is sent without.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo

from cosem.client import clock as clocks
from cosem.client import control, events, image, information
from cosem.client.clock import TOLERANCE, ClockAdjustment, ClockReading, Now, system_time
from cosem.client.control import END_OF_BILLING, Calendar, DisconnectState
from cosem.client.events import NO_CODES, Event
from cosem.client.image import PATIENCE, ImageState, Progress
from cosem.client.information import Information
from cosem.client.operation import operation
from cosem.client.operations import Operations
from cosem.protocol.model.classes.access_control import ImageTransfer
from cosem.protocol.model.classes.data_storage import ProfileGeneric, ProfileGenericCommon
from cosem.protocol.model.classes.time_and_event import (
    ActivityCalendar,
    Clock,
    DisconnectControlCommon,
    ScriptTable,
    SpecialDay,
    SpecialDaysTable,
)
from cosem.protocol.values.dates import DateTime

STANDARD_EVENT_LOG = ProfileGeneric("0.0.99.98.0.255")


class Conveniences(Operations):
    """Operations of more than one service. Each raises what the operations raise that it is made of."""

    # -- the clock ----------------------------------------------------------------------------------------------------

    @operation
    async def read_clock(
        self, clock: Clock | None = None, *, zone: tzinfo | None = None, now: Now = system_time
    ) -> ClockReading:
        """Read the clock and how far it is off from that of this computer.

        `zone` is for meters that leave the deviation from UTC open; `now` gives the right time.
        """
        return await clocks.read_clock(self._open(), clock, zone=zone, now=now)

    @operation
    async def set_clock(
        self,
        to: datetime | None = None,
        *,
        clock: Clock | None = None,
        zone: tzinfo | None = None,
        now: Now = system_time,
        write: bool = False,
    ) -> ClockReading:
        """Set the clock to a time, or to the right one as it will be on arrival; return what it says then.

        The time is written with the deviation that the meter itself uses, or that of `zone`. A time without offset is
        that of `zone`. Raises ConfigurationError where neither is known, DataAccessError when the meter refuses.
        """
        return await clocks.set_clock(self._open(), to, clock, zone=zone, now=now, write=write)

    @operation
    async def shift_clock(self, seconds: int, *, clock: Clock | None = None, write: bool = False) -> None:
        """Move the clock by so many seconds, 900 at most either way: no time stamp comes twice. Raises ActionError."""
        await clocks.shift_clock(self._open(), seconds, clock, write=write)

    @operation
    async def synchronise_clock(
        self,
        clock: Clock | None = None,
        *,
        tolerance: timedelta = TOLERANCE,
        zone: tzinfo | None = None,
        now: Now = system_time,
        write: bool = False,
    ) -> ClockAdjustment:
        """Leave a clock that is right, shift one that is off by 900 seconds at most, set one that is off by more.

        A meter that cannot shift its clock is set. Returns how far it was off, what was done, and how far it is now.
        """
        return await clocks.synchronise_clock(self._open(), clock, tolerance=tolerance, zone=zone, now=now, write=write)

    # -- breaker, scripts, calendars ----------------------------------------------------------------------------------

    @operation
    async def disconnect_state(self, control_: DisconnectControlCommon | None = None) -> DisconnectState:
        """Read whether a breaker or valve is closed, and which ways of moving it are open."""
        return await control.disconnect_state(self._open(), control_)

    @operation
    async def disconnect(
        self, control_: DisconnectControlCommon | None = None, *, write: bool = False
    ) -> DisconnectState:
        """Open a breaker or close a valve (remote_disconnect). Raises ActionError when its mode does not allow it."""
        return await control.switch(self._open(), control_, connect=False, write=write)

    @operation
    async def reconnect(
        self, control_: DisconnectControlCommon | None = None, *, write: bool = False
    ) -> DisconnectState:
        """Close a breaker, or make it ready to be closed by hand, as its mode has it (remote_reconnect)."""
        return await control.switch(self._open(), control_, connect=True, write=write)

    @operation
    async def run_script(self, table: ScriptTable, script: int, *, write: bool = False) -> None:
        """Run one script of a table. Raises ActionError."""
        await control.run_script(self._open(), table, script, write=write)

    @operation
    async def reset_demand(self, script: int = 1, *, write: bool = False) -> None:
        """End the billing period, which resets the demand registers: run a script of 0.0.10.0.1.255."""
        await control.run_script(self._open(), ScriptTable(END_OF_BILLING), script, write=write)

    @operation
    async def calendar(
        self,
        calendar: ActivityCalendar | None = None,
        days: SpecialDaysTable | None = None,
        *,
        passive: bool = False,
    ) -> Calendar:
        """Read the calendar in force with its special days, or the passive one."""
        return await control.read_calendar(self._open(), calendar, days, passive=passive)

    @operation
    async def write_calendar(
        self,
        new: Calendar,
        calendar: ActivityCalendar | None = None,
        *,
        activate: bool = False,
        write: bool = False,
    ) -> None:
        """Write the passive calendar; it takes over at `new.activation`, or with `activate` at once.

        Special days have a table of their own (`write_special_days`). Raises DataAccessError at the first part that is
        refused; the active calendar is as it was then.
        """
        await control.write_calendar(self._open(), new, calendar, activate=activate, write=write)

    @operation
    async def write_special_days(
        self, entries: Iterable[SpecialDay], table: SpecialDaysTable | None = None, *, write: bool = False
    ) -> None:
        """Write the whole table of special days. Raises DataAccessError."""
        await control.write_special_days(self._open(), entries, table, write=write)

    # -- events -------------------------------------------------------------------------------------------------------

    @operation
    async def events(
        self,
        log: ProfileGenericCommon = STANDARD_EVENT_LOG,
        *,
        since: datetime | DateTime | None = None,
        until: datetime | DateTime | None = None,
        codes: Mapping[int, str] = NO_CODES,
    ) -> list[Event]:
        """Read the events of a log, all or those from `since` to `until`; `codes` are their names by number.

        The numbers mean what the companion specification of the meter says. Raises as `profile` does.
        """
        return await events.read_events(self._open(), log, since, until, codes, self.ways)

    # -- images -------------------------------------------------------------------------------------------------------

    @operation
    async def image_state(self, image_: ImageTransfer | None = None) -> ImageState:
        """Read how far the transfer of an image has come."""
        return await image.image_state(self._open(), image_)

    @operation
    async def send_image(
        self,
        octets: bytes,
        identifier: bytes,
        image_: ImageTransfer | None = None,
        *,
        resume: bool = False,
        verify: bool = True,
        activate: bool = False,
        progress: Progress | None = None,
        patience: float = PATIENCE,
        write: bool = False,
    ) -> ImageState:
        """Send a firmware image in the blocks that the meter takes, verify it, and activate it if asked.

        Args:
            octets, identifier: the image, and the name that the meter knows it by.
            image_: the object, the usual one if not said.
            resume: go on with what has been initiated, without initiating again: that would make some meters forget
                what they have.
            verify, activate: what to do once all of it is there.
            progress: told how many blocks are there, and of how many.
            patience: seconds that the meter may take to verify or to activate.

        Raises ActionError when the meter refuses, RemoteProtocolError when blocks stay missing or the verification
        fails. A meter that restarts into the new image may drop the session, which raises ConnectionLost.
        """
        return await image.send_image(
            self._open(),
            octets,
            identifier,
            image_,
            resume=resume,
            verify=verify,
            activate=activate,
            progress=progress,
            patience=patience,
            write=write,
        )

    @operation
    async def activate_image(
        self, image_: ImageTransfer | None = None, *, patience: float = PATIENCE, write: bool = False
    ) -> None:
        """Activate the image that the meter has verified. Raises as `send_image` does."""
        await image.activate_image(self._open(), image_, patience=patience, write=write)

    # -- who it is ----------------------------------------------------------------------------------------------------

    @operation
    async def information(self) -> Information:
        """Read who the meter is, and what the association and its protection are to it."""
        return await information.information(self._open())
