"""The clock of a meter: how far it is off, setting it, and shifting it, with the way there and back taken into account.

The meter is asked at one time and answers at another; it is taken to have looked at its clock in the middle. What is
sent is made so that it is right when it arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from typing import Final

from cosem.client.services import Services
from cosem.client.writing import require
from cosem.errors import ActionError, ConfigurationError, ShapeError
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.values.dates import ClockStatus, DateTime

LARGEST_SHIFT: Final = 900
"""Seconds that method shift_time moves a clock at most, either way (IEC 62056-6-2, class 8)."""

TOLERANCE: Final = timedelta(seconds=2)
"""A clock that is no further off than this is left alone, unless told otherwise."""

TRUNCATED: Final = timedelta(milliseconds=500)
"""What a clock that tells whole seconds is behind on average, and how far that is off at most."""

Now = Callable[[], datetime]


def system_time() -> datetime:
    """Return the time of this computer, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What a meter's clock said, and when it was asked and had answered by the clock of this computer.

    `offset` is how far the meter's clock is ahead, negative when it is behind; None when its time leaves so much open
    that it cannot be compared. It is known to within `uncertainty` either way.
    """

    time: DateTime
    asked: datetime
    answered: datetime
    offset: timedelta | None

    @property
    def way(self) -> timedelta:
        """How long a message takes one way, half of the time there and back."""
        return (self.answered - self.asked) / 2

    @property
    def uncertainty(self) -> timedelta:
        return self.way + (TRUNCATED if _in_whole_seconds(self.time) else timedelta())


class Adjustment(Enum):
    """What was done about a clock."""

    NOTHING = "nothing"
    SHIFTED = "shifted"
    SET = "set"


@dataclass(frozen=True, slots=True)
class ClockAdjustment:
    """How far a clock was off, what was done, and how far it is off now."""

    before: ClockReading
    done: Adjustment
    after: ClockReading


async def read_clock(
    services: Services, clock: Clock | None, *, zone: tzinfo | None = None, now: Now = system_time
) -> ClockReading:
    """Read the clock (see `Conveniences.read_clock`)."""
    asked = now()
    time = await services.get((clock or Clock()).time)
    answered = now()
    try:
        there = time.to_datetime(zone)
    except ShapeError:
        return ClockReading(time, asked, answered, None)
    if _in_whole_seconds(time):
        there += TRUNCATED
    return ClockReading(time, asked, answered, there - (asked + (answered - asked) / 2))


async def set_clock(
    services: Services,
    to: datetime | None,
    clock: Clock | None,
    *,
    zone: tzinfo | None = None,
    now: Now = system_time,
    write: bool = False,
) -> ClockReading:
    """Set the clock, and read it again (see `Conveniences.set_clock`)."""
    require(write, "sets the clock of the meter")
    if to is not None and to.tzinfo is None and zone is None:
        raise ConfigurationError(f"{to} has no offset from UTC: give one, or the zone of the meter")
    object_ = clock or Clock()
    before = await read_clock(services, object_, zone=zone, now=now)
    await _set(services, object_, before, to, zone, now)
    return await read_clock(services, object_, zone=zone, now=now)


async def shift_clock(services: Services, seconds: int, clock: Clock | None, *, write: bool = False) -> None:
    """Shift the clock (see `Conveniences.shift_clock`)."""
    require(write, "shifts the clock of the meter")
    if abs(seconds) > LARGEST_SHIFT:
        raise ConfigurationError(f"a clock is shifted by {LARGEST_SHIFT} seconds at most, not by {seconds}: set it")
    await services.act((clock or Clock()).shift_time, seconds)


async def synchronise_clock(
    services: Services,
    clock: Clock | None,
    *,
    tolerance: timedelta = TOLERANCE,
    zone: tzinfo | None = None,
    now: Now = system_time,
    write: bool = False,
) -> ClockAdjustment:
    """Bring the clock to the right time (see `Conveniences.synchronise_clock`)."""
    require(write, "sets or shifts the clock of the meter")
    object_ = clock or Clock()
    before = await read_clock(services, object_, zone=zone, now=now)
    if before.offset is not None and abs(before.offset) <= tolerance:
        return ClockAdjustment(before, Adjustment.NOTHING, before)
    done = Adjustment.SET
    if before.offset is not None and abs(before.offset) <= timedelta(seconds=LARGEST_SHIFT):
        try:
            await services.act(object_.shift_time, -round(before.offset.total_seconds()))
            done = Adjustment.SHIFTED
        except ActionError:
            pass  # many meters have no such method
    if done is Adjustment.SET:
        await _set(services, object_, before, None, zone, now)
    return ClockAdjustment(before, done, await read_clock(services, object_, zone=zone, now=now))


async def _set(
    services: Services, clock: Clock, before: ClockReading, to: datetime | None, zone: tzinfo | None, now: Now
) -> None:
    """Write a time in the form in which the meter tells its own."""
    there = before.time.zone or zone
    if there is None:
        raise ConfigurationError("the meter tells no offset from UTC: give its zone")
    if to is None:
        to = now() + before.way
    moment = to.replace(tzinfo=zone) if to.tzinfo is None else to.astimezone(zone or there)
    time = DateTime.from_datetime(moment)
    if zone is None and before.time.status is not None:
        # Within the same offset daylight saving holds or not as it does now.
        time = time.replace(status=int(before.time.status & ClockStatus.DAYLIGHT_SAVING))
    if before.time.deviation is None:
        time = time.replace(deviation=None)
    await services.set(clock.time, time)


def _in_whole_seconds(time: DateTime) -> bool:
    return not time.hundredths
