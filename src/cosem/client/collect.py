"""Collecting many meters at once: clock, attributes and profiles of each go into one store, whatever fails."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from cosem.client.access import Access
from cosem.client.client import AsyncClient, Opener
from cosem.client.profile import Ways
from cosem.client.resolve import Answer, ObjectDirectory, read_references
from cosem.errors import ConfigurationError, CosemError, LocalProtocolError, ServiceError, ShapeError
from cosem.io.bus import GAP, Bus, line_of, shareable
from cosem.protocol.model.classes.data_storage import ProfileGeneric
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.reference import Reference
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.dates import DateTime
from cosem.readings import extract
from cosem.readings.reading import Reading
from cosem.store.readings import ReadingStore, Stored

AT_ONCE: Final = 32
"""Meters that are talked to at the same time."""

OVERLAP: Final = timedelta(hours=1)
"""How far before the last row that is stored a profile is read again, so that a change of the clocks hides no row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedProfile:
    """A profile to collect: first `span` back from the meter's clock (None: all), then from the last row on."""

    profile: ProfileGeneric
    span: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One meter to collect, and what to collect of it.

    Attributes:
        name: what its readings are stored under.
        url, entry, timing: how to reach and enter it.
        references: attributes to read; registers with their unit.
        profiles: profiles to read.
        zone: where its clock is, for meters that leave the deviation from UTC open.
    """

    name: str
    url: ConnectionUrl
    entry: Access = field(default_factory=Access)
    timing: Timing | None = None
    references: tuple[Reference, ...] = ()
    profiles: tuple[WantedProfile, ...] = ()
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be collected, and why."""

    what: str
    error: CosemError


@dataclass(frozen=True, slots=True)
class Collected:
    """What became of one meter; what was read before a failure is stored.

    `connected` is False when there was no session at all, `lost` True when it ended before everything was asked for.
    """

    target: Target
    stored: Stored
    failures: tuple[Failure, ...]
    connected: bool
    lost: bool

    @property
    def readings(self) -> int:
        """How many readings the meter gave."""
        return self.stored.new + self.stored.changed + self.stored.unchanged


def system_time() -> datetime:
    """Return the time of this computer."""
    return datetime.now(UTC)


async def collect(
    targets: Iterable[Target],
    store: ReadingStore,
    *,
    at_once: int = AT_ONCE,
    gap: float = GAP,
    finished: Callable[[Collected], None] | None = None,
    now: Callable[[], datetime] = system_time,
    ways: Callable[[Target], Ways] = lambda target: {},
) -> list[Collected]:
    """Collect all targets into the store, `at_once` at a time, and those at one place one after the other.

    Args:
        targets: the meters.
        store: where readings go; each piece is stored as soon as it has come.
        at_once: how many meters are talked to at the same time.
        gap: seconds of silence before a turn on a line that several meters share.
        finished: told of each meter when it is done.
        now: the time that attributes are read at.
        ways: gives what is known of how the profiles of a meter are had, and takes what is learnt.

    Raises:
        ConfigurationError: the store cannot be written; failures of meters are in what is returned.
    """
    targets = list(targets)
    room = asyncio.Semaphore(at_once)
    # A serial line, and most gateways and meters, serve one client at a time.
    turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
    lines = _shared_lines(targets, gap)

    async def one(target: Target) -> Collected:
        place = target.url.place
        opener = lines[place].opener if place in lines else None
        async with turns[place], room:
            collected = await _Collection(target, store, now, ways(target), opener).run()
        if finished is not None:
            finished(collected)
        return collected

    tasks = [asyncio.create_task(one(target)) for target in targets]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for line in lines.values():
            await line.aclose()


def _shared_lines(targets: Sequence[Target], gap: float) -> dict[str, Bus]:
    """Return the lines with several meters, by place: all of them HDLC, at one speed."""
    found: defaultdict[str, list[ConnectionUrl]] = defaultdict(list)
    for target in targets:
        found[target.url.place].append(target.url)
    return {
        place: Bus.asyncio(urls[0], gap=gap)
        for place, urls in found.items()
        if len(urls) > 1 and all(map(shareable, urls)) and len(set(map(line_of, urls))) == 1
    }


class _SessionOver(Exception):
    """Nothing more can be asked in this session; its reason is among the failures."""


class _Collection:
    """The collection of one meter under way."""

    def __init__(
        self,
        target: Target,
        store: ReadingStore,
        now: Callable[[], datetime],
        ways: Ways,
        opener: Opener | None,
    ) -> None:
        self._target = target
        self._store = store
        self._now = now
        self._ways = ways
        self._opener = opener
        self._failures: list[Failure] = []
        self._stored = Stored(0, 0, 0)

    async def run(self) -> Collected:
        target = self._target
        lost = False
        try:
            client = AsyncClient.open(target.url, entry=target.entry, timing=target.timing, opener=self._opener)
            client.ways = self._ways
            await client.connect()
        except CosemError as error:
            return Collected(target, self._stored, (Failure("connection", error),), connected=False, lost=False)
        try:
            clock = await self._attributes(client)
            for wanted in target.profiles:
                await self._profile(client, wanted, clock)
        except _SessionOver:
            lost = True
        finally:
            await client.close()
        return Collected(target, self._stored, tuple(self._failures), connected=True, lost=lost)

    async def _attributes(self, client: AsyncClient) -> DateTime | None:
        """Read clock and attributes; return the clock."""
        clock = Clock().time
        wanted = [Reference(clock.instance, clock.class_id, clock.index), *self._target.references]
        try:
            answers = await client.bind(read_references)(wanted, ObjectDirectory())
        except CosemError as error:
            self._failures.append(Failure("attributes", error))
            raise _SessionOver from None
        await self._store_readings([reading for answer in answers for reading in self._spot(answer)])
        self._note(answers)
        told = answers[0].value
        return told if isinstance(told, DateTime) else None

    def _spot(self, answer: Answer) -> list[Reading]:
        if answer.error is not None:
            return []
        attribute = answer.attribute
        column = CaptureObject(attribute.class_id, attribute.instance, attribute.index, 0)
        return extract.spot(self._target.name, column, answer.value, self._now(), answer.scaler_unit)

    def _note(self, answers: Sequence[Answer]) -> None:
        """Take down what was not read; the end of the session counts once, whatever it took with it."""
        over: list[CosemError] = []
        for answer in answers:
            if answer.error is None:
                continue
            if _is_of_one_item(answer.error):
                self._failures.append(Failure(str(answer.asked), answer.error))
            else:
                over.append(answer.error)
        if over:
            self._failures.append(Failure(f"{len(over)} attributes", over[0]))
            raise _SessionOver

    async def _profile(self, client: AsyncClient, wanted: WantedProfile, clock: DateTime | None) -> None:
        name = wanted.profile.instance
        last = await asyncio.to_thread(self._store.last_capture, self._target.name, name)
        try:
            since = _since(clock, self._target.zone, last, wanted.span)
            rows = await client.profile(wanted.profile, since=since)
            readings = rows.readings(self._target.name, self._target.zone)
        except CosemError as error:
            self._failures.append(Failure(str(name), error))
            if not _is_of_one_item(error):
                raise _SessionOver from None
        else:
            await self._store_readings(readings)

    async def _store_readings(self, readings: list[Reading]) -> None:
        if readings:
            stored = await asyncio.to_thread(self._store.add, readings)
            before = self._stored
            self._stored = Stored(
                before.new + stored.new, before.changed + stored.changed, before.unchanged + stored.unchanged
            )


def _is_of_one_item(error: CosemError) -> bool:
    """Tell whether the session can go on after an error."""
    return isinstance(error, ServiceError | ShapeError | ConfigurationError | LocalProtocolError)


def _since(
    clock: DateTime | None, zone: tzinfo | None, last: datetime | None, span: timedelta | None
) -> datetime | None:
    """Return the time from which to read a profile, on the meter's own clock; None for all of it."""
    if last is None:
        if span is None or clock is None:
            return None
        return clock.to_datetime(naive=True) - span
    told = None if clock is None else clock.zone
    local = (last - OVERLAP).astimezone(told or zone or UTC)
    return local.replace(tzinfo=None) if told is None else local
