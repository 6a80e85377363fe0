"""Pushing outward: the meters of a fleet send their values on their own, on time and when something happens.

    [push]
    to = "tcp://127.0.0.1:4061"         # or hdlc+tcp, udp: whoever listens there
    every = 900                         # virtual seconds; left out: only when something happens
    spread = 300                        # seconds within which all have pushed, each at its own time by the seed
    retries = 3                         # how often a push is tried again
    wait = 10                           # seconds before that
    growth = 200                        # by which that grows each time, in percent
    longest = 300                       # seconds before an attempt at most
    confirmed = false                   # whether each push is to be confirmed
    at_once = 64                        # connections
    under_way = 10000                   # meters whose pushes were begun and have not got through
    beyond_loopback = false             # whether to may be another machine

Each meter has a push setup (class 40) that says so, and goes by it: a client that writes another destination or other
retries into it is obeyed. What is pushed are name, clock, and what the load profile captures. What a meter says because
something happened goes by another push setup, with the code of the last event behind the clock: of a meter of a kind
1 for the power that goes, 2 for the power that is back, 18 for another firmware and the code of the scenario for
tampering, else those of the companion or the description (see `cosem.fleet.push_setup`). A meter of a snapshot has no
event codes, and says that something happened as it pushes on time.
"""

from __future__ import annotations

import asyncio
import heapq
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cosem.errors import ConfigurationError, CosemError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Said, What
from cosem.fleet.population import Population
from cosem.fleet.push_setup import setup_for
from cosem.io.reach import check_place
from cosem.meter.demo import MANAGEMENT_CLIENT
from cosem.meter.device import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.loads.chance import trait
from cosem.meter.push import push
from cosem.meter.pushing import LAST_GASPS, PushAttempt

LOOK_AGAIN: Final = 1.0
"""Real seconds after which it is looked again what is due, for virtual time may have been stepped."""

AT_A_LOOK: Final = 64
"""Pushes that begin before others get their turn: connections, signals, and who tells how it goes."""

_EVENTS: Final = {
    What.LAST_GASP: MeterEvent.POWER_DOWN,
    What.POWER_UP: MeterEvent.POWER_UP,
    What.UPDATED: MeterEvent.IMAGE_ACTIVATED,
    What.TAMPERED: MeterEvent.COVER_OPENED,
}


@dataclass(slots=True)
class PushCounts:
    """What became of the pushes."""

    begun: int = 0
    delivered: int = 0
    given_up: int = 0
    attempts: int = 0


class Outward:
    """Lets the meters of a population push, from `run` until that is cancelled.

    Args:
        population: whose settings for pushing are not None.
        powered: tells whether a meter has power.
    """

    def __init__(self, population: Population, powered: Callable[[int], bool] = lambda _: True) -> None:
        assert population.push is not None
        self.settings = population.push
        self.counts = PushCounts()
        self._population = population
        self._powered = powered
        self._happened: deque[tuple[int, MeterEvent]] = deque()
        """Who has something to push, and why."""
        self._due: list[tuple[datetime, int]] = []
        """When who tries next: those whose push is under way, and not being tried."""
        self._next: dict[int, datetime] = {}
        """Which of the times there counts for each of them: what became earlier is there twice."""
        self._visits: dict[int, tuple[Meter, AbstractContextManager[Meter]]] = {}
        self._trying: dict[int, asyncio.Task[None]] = {}
        self._look = asyncio.Event()
        self._order: array[int] = array("L")
        self._offsets: array[float] = array("d")
        self._turn = 0
        self._cycle = self._first_cycle()
        """When the present cycle of pushes began, or the first will."""
        check_place(self.settings.to, population.is_demonstration, beyond_loopback=self.settings.beyond_loopback)

    @property
    def under_way(self) -> int:
        """How many meters have a push that is not over."""
        return len(self._visits)

    @property
    def trying(self) -> int:
        """How many of them are being sent."""
        return len(self._trying)

    def noted(self, said: Iterable[Said]) -> None:
        """Take note of what meters say unasked: each begins to push."""
        self._happened.extend((each.number, _EVENTS[each.what]) for each in said)
        self._look.set()

    def break_off(self) -> None:
        """Break off what is being sent by meters that have lost their power, but for their last gasps."""
        for number, task in self._trying.items():
            meter, _ = self._visits[number]
            if self._has_lost(number, meter) and not meter.pushes.running:
                task.cancel()

    async def run(self) -> None:
        """Push for ever."""
        try:
            while True:
                self._look.clear()
                now = self._population.clock()
                self._begin_due(now)
                self._try_due(now)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._patience()):
                        await self._look.wait()
        finally:
            for task in self._trying.values():
                task.cancel()
            if self._trying:
                await asyncio.wait(self._trying.values())
            for number in list(self._visits):
                self._leave(number)

    # -- what begins --------------------------------------------------------------------------------------------------

    def _first_cycle(self) -> datetime | None:
        """Return when the next cycle of pushes begins, None where there are none."""
        settings = self.settings
        if not settings.every:
            return None
        seed, spread = self._population.seed, min(settings.spread, settings.every).total_seconds()
        drawn = sorted((spread * trait(seed + number, "push"), number) for number in range(self._population.count))
        self._offsets = array("d", (offset for offset, _ in drawn))
        self._order = array("L", (number for _, number in drawn))
        now = self._population.clock()
        since = timedelta(seconds=now.timestamp() % settings.every.total_seconds())
        return now - since + settings.every

    def _begin_due(self, now: datetime) -> None:
        """Begin some of what is due until now, as far as there is room."""
        left = AT_A_LOOK
        while left and self._happened and self._has_room:
            left -= 1
            self._begin(*self._happened.popleft(), now)
        while left and self._cycle is not None and self._has_room:
            if self._turn == len(self._order):
                # What was due in cycles that are over by now would be one push with that of the last of them.
                missed = max((now - self._cycle) // self.settings.every, 1)
                self._cycle, self._turn = self._cycle + missed * self.settings.every, 0
            if self._cycle + timedelta(seconds=self._offsets[self._turn]) > now:
                break
            left -= 1
            number = self._order[self._turn]
            self._turn += 1
            if self._powered(number):
                self._begin(number, None, now)

    @property
    def _has_room(self) -> bool:
        return len(self._visits) < self.settings.under_way

    def _begin(self, number: int, event: MeterEvent | None, now: datetime) -> None:
        meter = self._visit(number)
        device = meter.management
        item = device.find(setup_for(event, self._population.group(number).notes))
        if meter.has_outages:
            device.settle()  # what it pushes stood still when its power went
        if item is None:
            self._leave(number)
            return
        if self._population.secured(number):
            meter.pushes.describe(device, item.instance, client=MANAGEMENT_CLIENT)
        self.counts.begun += meter.pushes.begin(device, item, now, at_once=event in LAST_GASPS)
        self._go_on(number, meter)

    def _visit(self, number: int) -> Meter:
        if number not in self._visits:
            visit = self._population.visit(number)
            meter = visit.__enter__()
            self._visits[number] = meter, visit
        return self._visits[number][0]

    def _leave(self, number: int) -> None:
        meter, visit = self._visits.pop(number)
        self._next.pop(number, None)
        meter.pushes.lose()
        meter.pushes.events()  # what ends with the fleet has not been given up
        visit.__exit__(None, None, None)

    # -- what is tried ------------------------------------------------------------------------------------------------

    def _go_on(self, number: int, meter: Meter) -> None:
        """Count what has ended, and wait until the next attempt of what has not."""
        for ended in meter.pushes.events():
            self.counts.delivered += ended.delivered
            self.counts.given_up += not ended.delivered
        due = meter.pushes.deadline()
        if due is not None:
            if number not in self._next or due < self._next[number]:
                self._next[number] = due
                heapq.heappush(self._due, (due, number))
        elif number not in self._trying:
            self._leave(number)

    def _try_due(self, now: datetime) -> None:
        while self._due and self._due[0][0] <= now and len(self._trying) < self.settings.at_once:
            due, number = heapq.heappop(self._due)
            if self._next.get(number) != due:
                continue  # it is over, or was due earlier
            del self._next[number]
            if number in self._trying:
                continue
            meter, _ = self._visits[number]
            self._has_lost(number, meter)
            meter.pushes.tick(now)
            attempts = meter.pushes.outgoing()
            if attempts:
                self._trying[number] = asyncio.create_task(self._try(number, meter, attempts))
            else:
                self._go_on(number, meter)

    def _has_lost(self, number: int, meter: Meter) -> bool:
        """Let a meter without power forget what it pushes, but for a last gasp; tell whether there was anything."""
        return not self._powered(number) and meter.pushes.lose(but_last_gasps=True) > 0

    async def _try(self, number: int, meter: Meter, attempts: tuple[PushAttempt, ...]) -> None:
        pushes, clock = meter.pushes, self._population.clock
        try:
            for attempt in attempts:
                self.counts.attempts += 1
                try:
                    beyond = self.settings.beyond_loopback
                    check_place(attempt.place, meter.demonstration, beyond_loopback=beyond)
                    await push(
                        attempt.place,
                        attempt.notification,
                        security=attempt.security,
                        confirmed=attempt.confirmed,
                        meter=meter,
                    )
                except ConfigurationError as error:
                    pushes.refused(attempt, clock(), str(error))
                except CosemError as error:
                    pushes.failed(attempt, clock(), str(error))
                else:
                    pushes.delivered(attempt, clock())
        finally:
            del self._trying[number]
            if number in self._visits:
                self._go_on(number, meter)
            self._look.set()

    def _patience(self) -> float:
        """Return for how many real seconds nothing is due."""
        if self._happened and self._has_room:
            return 0.0
        due = [self._due[0][0]] if self._due and len(self._trying) < self.settings.at_once else []
        cycle = self._cycle
        if cycle is not None and self._has_room:
            turn = self._turn % len(self._order)
            begin = cycle if self._turn < len(self._order) else cycle + self.settings.every
            due.append(begin + timedelta(seconds=self._offsets[turn]))
        clock = self._population.clock
        if not due:
            return LOOK_AGAIN
        left = clock.until(min(due)) if isinstance(clock, VirtualClock) else (min(due) - clock()).total_seconds()
        return min(max(left, 0.0), LOOK_AGAIN)
