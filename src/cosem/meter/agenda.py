"""What the objects of a logical device do on their own as time passes: made up for in order whenever somebody looks.

No thread waits: between two looks nothing happens, and at the next one everything that was due is done at its time, so
that a meter is the same however often it was looked at. At one moment profiles capture first, then objects act in the
order in which they were added. How much a look may cost is bounded.

A clock that is put right by up to `SYNCHRONIZATION` loses nothing and does nothing twice. When it is set by more,
objects decide (`Timed.clock_set`), and then go on from the new time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cosem.meter.item import ClockSet, Item, Timed, Visit
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.logical_device import LogicalDevice

LONGEST_SILENCE: Final = timedelta(days=400)
"""What was due longer ago is not made up for."""

MOST_STEPS: Final = 10_000
"""How often objects act in one look; a meter that had more to do goes on from the present."""

SYNCHRONIZATION: Final = timedelta(seconds=60)
"""By how much a clock is put right; by more it is set."""

STRETCH: Final = timedelta(days=1)
"""How far ahead objects are asked at once what they do next."""


class Agenda:
    """How far one logical device has got."""

    __slots__ = ("_begun", "_busy", "_jumped", "_last", "_reached")

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._reached: datetime | None = None
        self._begun = frozenset[Obis]()
        self._busy = False
        self._jumped = False

    @property
    def reached(self) -> tuple[datetime | None, frozenset[Obis]]:
        """When something was done last, and which objects have begun: nothing was due from then to the last look."""
        return self._reached, self._begun

    def recall(self, last: datetime | None, begun: frozenset[Obis]) -> None:
        """Go on from what was `reached` before a restart."""
        self._last, self._reached, self._begun = last, last, begun

    def attend(self, device: LogicalDevice) -> None:
        """Take the present for the last look when there was none."""
        if self._last is None:
            self._last = self._reached = device.meter.time().astimezone(UTC)

    def catch_up(self, device: LogicalDevice, until: datetime | None = None) -> None:
        """Do what was due since the last look, until now or until a time before."""
        if self._busy:
            return
        self.attend(device)
        self._busy, self._jumped = True, False
        try:
            self._begin(device)
            self._go(device, (until or device.meter.time()).astimezone(UTC))
        finally:
            self._busy = False

    def clock_set(self, device: LogicalDevice, before: datetime) -> None:
        """Go on from a clock that was set."""
        now = device.meter.time()
        if abs(now.astimezone(UTC) - before.astimezone(UTC)) <= SYNCHRONIZATION:
            return
        self._jump(device, before, now, lambda timed: timed.clock_set)

    def power_restored(self, device: LogicalDevice, before: datetime, now: datetime) -> None:
        """Go on at a time, from a power failure that began at another."""
        self.attend(device)
        self._jump(device, before, now, lambda timed: timed.power_restored or timed.clock_set)

    def _jump(
        self, device: LogicalDevice, before: datetime, now: datetime, what: Callable[[Timed], ClockSet | None]
    ) -> None:
        self._last, self._jumped = now.astimezone(UTC), True
        self._reached = self._last
        busy, self._busy = self._busy, True  # what is done about it may not come here again
        try:
            for item in device.timed:
                timed = item.behaviour.timed
                run = None if timed is None else what(timed)
                if run is not None:
                    run(Visit(device, now), item, before)
        finally:
            self._busy = busy

    def _begin(self, device: LogicalDevice) -> None:
        assert self._last is not None
        new = [item for item in device.timed if item.instance not in self._begun]
        self._begun |= {item.instance for item in new}
        visit = _at(device, self._last)
        for item in new:
            if item.behaviour.timed is not None and item.behaviour.timed.begin is not None:
                item.behaviour.timed.begin(visit, item)

    def _go(self, device: LogicalDevice, now: datetime) -> None:
        assert self._last is not None
        self._last = max(self._last, min(now, now - LONGEST_SILENCE))
        steps = 0
        while self._last < now and not self._jumped and steps < MOST_STEPS:
            until = min(self._last + STRETCH, now)
            due = self._due(device, until, now)
            if not due:
                self._last = until
                continue
            moment = min(due.values())
            self._last = self._reached = moment
            device.capture(moment.astimezone(device.zone))
            for instance in [instance for instance, at in due.items() if at == moment]:
                item = device.find(instance)
                if item is not None and item.behaviour.timed is not None and not self._jumped:
                    item.behaviour.timed.act(_at(device, moment), item)
                    steps += 1
        if not self._jumped:
            self._last = max(self._last, now)
            if steps >= MOST_STEPS:
                self._reached = self._last  # the rest is not made up for

    def _due(self, device: LogicalDevice, until: datetime, now: datetime) -> dict[Obis, datetime]:
        """Return who does something next, and when, in UTC."""
        assert self._last is not None
        due: dict[Obis, datetime] = {}
        for item in device.timed:
            moment = _next(device, item, self._last, until, now)
            if moment is not None:
                due[item.instance] = moment
        return due


def _next(device: LogicalDevice, item: Item, last: datetime, until: datetime, now: datetime) -> datetime | None:
    timed = item.behaviour.timed
    assert timed is not None
    since = max(last, now - min(timed.reach, LONGEST_SILENCE))
    if since >= until:
        return None
    moment = timed.following(_at(device, since), item, until)
    return None if moment is None else moment.astimezone(UTC)


def _at(device: LogicalDevice, moment: datetime) -> Visit:
    return Visit(device, moment.astimezone(device.zone))
