"""One owner for each line: its devices take turns, are scanned in time, counted as lost and found again.

A device that does not answer `retry_counter` times is lost: its status signals turn 0 and its last values go out once
more as not topical. It is tried once every `reconnect_time` then, after all devices of the line that are due and well.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cosem.errors import CosemError, TimedOut
from cosem.gateway.config import Device, Signal, Source
from cosem.gateway.drivers import Driver
from cosem.gateway.points import Measured, not_topical, sample
from cosem.gateway.value import Command, CommandResult, Sample

_log = logging.getLogger(__name__)

PROFILE_SECONDS: Final = 60.0
"""How often profiles and logs are looked at, at most."""
FIRST_SPAN: Final = timedelta(days=1)
"""How far back a profile or log is read that was never read before."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of the gateway: by the calendar, by a clock that never jumps, and how to wait."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


Deliver = Callable[[Sequence[Sample]], Awaitable[None]]


class Positions:
    """How far the profiles and logs of each device were read; here only as long as the gateway runs."""

    def __init__(self) -> None:
        self._known: dict[str, datetime] = {}

    async def get(self, device: str) -> datetime | None:
        """Return the time of the last row that was delivered."""
        return self._known.get(device)

    async def put(self, device: str, until: datetime) -> None:
        """Remember it."""
        self._known[device] = until


@dataclass(slots=True)
class Attended:
    """A device with its driver, and how it fares.

    Attributes:
        lost: whether it counts as lost; lost_since: since when.
        scans, failures, overruns: how often it was scanned, did not answer, and took longer than its scan rate.
        retries: how many of the scans were further tries. timeouts: how many failures were silence.
        last_success: when it last answered; last_error: why it last did not.
        last: the last sample of each signal.
        due: when it is to be scanned next, by the clock that never jumps.
    """

    device: Device
    signals: tuple[Signal, ...]
    driver: Driver
    lost: bool = False
    scans: int = 0
    failures: int = 0
    overruns: int = 0
    retries: int = 0
    timeouts: int = 0
    lost_since: datetime | None = None
    last_success: datetime | None = None
    last_error: CosemError | None = None
    last: dict[str, Sample] = field(default_factory=dict[str, Sample])
    due: float = 0.0
    delay: float = 0.0
    profiles_due: float = 0.0

    @property
    def status(self) -> tuple[Signal, ...]:
        """Its status signals."""
        return tuple(each for each in self.signals if each.source is Source.STATUS)


class Line:
    """One physical way to devices. `deliver` takes what they said; positions are kept in `positions`."""

    def __init__(
        self,
        name: str,
        devices: Iterable[Attended],
        deliver: Deliver,
        *,
        clock: Clock | None = None,
        positions: Positions | None = None,
    ) -> None:
        self.name = name
        self.devices: Mapping[str, Attended] = {each.device.alias: each for each in devices}
        self._deliver = deliver
        self._clock = clock or Clock()
        self._positions = positions or Positions()
        self._turn = asyncio.Lock()
        self._free_at = 0.0
        begin = self._clock.monotonic()
        for each in self.devices.values():
            each.due = each.profiles_due = begin

    async def run(self) -> None:
        """Scan for ever."""
        while True:
            chosen = self._next()
            if chosen is None:
                return
            wait = chosen.due - self._clock.monotonic()
            await self._clock.sleep(max(0.0, wait))  # also when late: others have their turn
            await self.scan(chosen)

    async def once(self) -> None:
        """Scan every device once."""
        for each in self.devices.values():
            await self.scan(each)

    async def scan(self, attended: Attended) -> None:
        """Scan one device, deliver what it said, and plan its next turn."""
        began = max(attended.due, self._clock.monotonic() - self._rate(attended))
        async with self._turn:
            samples = await self._asked(attended)
        if samples is not None:
            await self._answered(attended, samples)
        self._plan(attended, began)

    async def obey(self, command: Command, device: str) -> CommandResult:
        """Carry a command out when the line is free, and scan the device again at once."""
        attended = self.devices[device]
        async with self._turn:
            await self._silence(attended)
            try:
                result = await attended.driver.obey(command)
            finally:
                self._used(attended)
        attended.due = min(attended.due, self._clock.monotonic())
        return result

    async def close(self) -> None:
        """Leave every device in good order."""
        async with self._turn:
            for each in self.devices.values():
                await each.driver.close()

    # -- turns --------------------------------------------------------------------------------------------------------

    def _next(self) -> Attended | None:
        """Return whose turn is next: of those that are due the one that waits longest, those that are well first."""
        devices = list(self.devices.values())
        if not devices:
            return None
        now = self._clock.monotonic()
        due = [each for each in devices if each.due <= now]
        if due:
            return min(due, key=lambda each: (each.lost, each.due))
        return min(devices, key=lambda each: each.due)

    def _rate(self, attended: Attended) -> float:
        return attended.device.parameters.scan_rate_ms / 1000

    def _plan(self, attended: Attended, began: float) -> None:
        now, parameters = self._clock.monotonic(), attended.device.parameters
        if attended.lost:
            attended.due = now + attended.delay
            return
        due = began + self._rate(attended)
        if due < now and parameters.scan_rate_ms:
            attended.overruns += 1
            _log.info("%s took longer than its scan rate", attended.device.alias, extra=_of(attended))
        attended.due = max(due, now)

    async def _silence(self, attended: Attended) -> None:
        """Leave the line alone for as long as it needs."""
        wait = max(self._free_at - self._clock.monotonic(), attended.device.parameters.poll_delay_ms / 1000)
        if wait > 0:
            await self._clock.sleep(wait)

    def _used(self, attended: Attended) -> None:
        self._free_at = self._clock.monotonic() + attended.device.parameters.serial_close_delay / 1000

    # -- what a device says -------------------------------------------------------------------------------------------

    async def _asked(self, attended: Attended) -> Sequence[Sample] | None:
        """Scan a device as often as it may fail; None once it is lost."""
        tries = 1 if attended.lost else max(1, attended.device.parameters.retry_counter)
        for number in range(tries):
            await self._silence(attended)
            attended.scans += 1
            attended.retries += number > 0
            try:
                return await attended.driver.scan()
            except CosemError as error:
                attended.failures += 1
                attended.timeouts += isinstance(error, TimedOut)
                attended.last_error = error
                _log.info("%s: %s", attended.device.alias, error, extra=_of(attended))
            finally:
                self._used(attended)
        await self._lose(attended)
        return None

    async def _lose(self, attended: Attended) -> None:
        parameters = attended.device.parameters
        least = parameters.reconnect_time / 1000
        if attended.lost:
            longest = parameters.reconnect_longest_ms / 1000
            attended.delay = min(2 * attended.delay, max(longest, least)) if longest else least
            return
        attended.lost, attended.delay = True, least
        _log.warning("%s is lost: %s", attended.device.alias, attended.last_error, extra=_of(attended))
        now = attended.lost_since = self._clock.now()
        ours = {each.alias for each in attended.status}
        stale = not_topical([each for each in attended.last.values() if each.signal not in ours], now)
        attended.last.update({each.signal: each for each in stale})
        await self._deliver([*self._status(attended, now), *stale])

    async def _answered(self, attended: Attended, samples: Sequence[Sample]) -> None:
        now = self._clock.now()
        was_lost, missed_since = attended.lost, attended.last_success
        attended.lost, attended.lost_since, attended.last_success, attended.last_error = False, None, now, None
        attended.last.update({each.signal: each for each in samples})
        await self._deliver([*self._status(attended, now), *samples])
        if was_lost:
            _log.warning("%s is back", attended.device.alias, extra=_of(attended))
        missed = [each for each in attended.signals if each.profile and each.source is Source.VALUE]
        if was_lost and missed and missed_since is not None:
            await self._fill(attended, missed, missed_since, now)
        await self._follow(attended, now)

    async def _follow(self, attended: Attended, now: datetime) -> None:
        """Read what profiles and logs have recorded since the last row."""
        recorded = [each for each in attended.signals if each.source in (Source.PROFILE, Source.EVENTS)]
        if not recorded or self._clock.monotonic() < attended.profiles_due:
            return
        attended.profiles_due = self._clock.monotonic() + PROFILE_SECONDS
        alias = attended.device.alias
        since = await self._positions.get(alias) or now - FIRST_SPAN
        last = await self._fill(attended, recorded, since, now)
        if last is not None:
            await self._positions.put(alias, last)

    async def _fill(
        self, attended: Attended, signals: Sequence[Signal], since: datetime, until: datetime
    ) -> datetime | None:
        """Deliver what was recorded; return the time of the last row, None where there was none."""
        try:
            async with self._turn:
                samples = await attended.driver.backfill(signals, since, until)
        except CosemError as error:
            attended.last_error = error
            _log.info("%s: what it recorded was not read: %s", attended.device.alias, error, extra=_of(attended))
            return None
        if samples:
            await self._deliver(samples)
        return max((each.source_time for each in samples if each.source_time is not None), default=None)

    def _status(self, attended: Attended, now: datetime) -> list[Sample]:
        found = [sample(each, Measured(int(not attended.lost)), now) for each in attended.status]
        attended.last.update({each.signal: each for each in found})
        return found


def _of(attended: Attended) -> dict[str, str]:
    """Return whose line of the log it is, for whoever shows some devices only."""
    return {"device": attended.device.alias}
