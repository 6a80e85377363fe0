"""A controlled station of IEC 60870-5-104: its points, what it tells of them, and how it takes commands.

Every connection that has asked for data is told of every new value, with its time. While none has, the newest are kept
for the first that does, and what a connection that broke had not acknowledged is told to the next: nothing is lost
within the limit, and at worst something comes twice. Interrogations are answered with the last values.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from cosem.errors import ConfigurationError, DecodeError, RemoteProtocolError
from cosem.gateway.northbound import Point
from cosem.gateway.northbound.iec104.apdu import ROOM, Asdu, Cause
from cosem.gateway.northbound.iec104.elements import (
    BIT_STRINGS,
    COMMANDS,
    CommandType,
    monitored,
    time_of,
    time_tag,
)
from cosem.gateway.northbound.iec104.link import LAYER, USUAL, Link, LinkSettings, Received, Stopped
from cosem.gateway.value import Command, CommandResult, Plain, Quality, Sample

INTERROGATION, COUNTER_INTERROGATION, READ, CLOCK, TEST, TIMED_TEST = 100, 101, 102, 103, 104, 107
STATION: Final = 20
"""The qualifier of interrogation of a whole station."""
ALL_COUNTERS: Final = 5
COUNTERS: Final = 15
"""The type of integrated totals, which answer an interrogation of counters alone."""
ALL_STATIONS: Final = 0xFFFF
MOST_OBJECTS: Final = (1 << 24) - 1


@dataclass(frozen=True, slots=True)
class StationSettings:
    """How a station behaves.

    Attributes:
        common_address: its address, 1 to 65534.
        zone: the time zone of its time tags and of those that it is sent.
        waiting: values kept while nobody takes them; beyond, the oldest go and are counted.
        select_time: seconds for which a selection holds.
        select_first: whether a command must be selected before it operates.
        tagged_interrogation: answers to interrogations have time tags too, as some control systems want it.
        command_age: seconds that a command with a time tag may be old or early.
        command_offset: what is added to a point's address for commands to it; some control systems want both apart.
        commands: commands of one connection that may be under way at once.
        answers: answers that one connection may leave untaken; it ends when it asks for more.
        link: the parameters of its connections.
    """

    common_address: int = 1
    zone: tzinfo = UTC
    waiting: int = 100_000
    select_time: float = 10.0
    select_first: bool = False
    tagged_interrogation: bool = False
    command_age: float = 60.0
    command_offset: int = 0
    commands: int = 16
    answers: int = 256
    link: LinkSettings = USUAL

    def __post_init__(self) -> None:
        """Raise ConfigurationError for an address that no station can have."""
        if not 1 <= self.common_address < ALL_STATIONS:
            raise ConfigurationError(f"common address {self.common_address} is not within 1 to 65534")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command for the gateway to carry out; its result goes to `Conversation.obeyed`."""

    command: Command
    request: Asdu


class Station:
    """What all connections share: points by address, their last values, and what waits for a taker."""

    def __init__(
        self,
        points: Sequence[Point],
        settings: StationSettings | None = None,
        *,
        time: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings or StationSettings()
        self.points = addressed(points)
        self.time = time
        self.lost = 0
        self._addresses = {point.signal: address for address, point in self.points.items()}
        self._last: dict[int, Sample] = {}
        self._waiting: deque[Sample] = deque()
        self._conversations: list[Conversation] = []

    def converse(self, now: float, peer: str = "") -> Conversation:
        """Begin a connection."""
        conversation = Conversation(self, now, peer)
        self._conversations.append(conversation)
        return conversation

    def publish(self, samples: Iterable[Sample]) -> None:
        """Take new values; those of signals that are no points here are left out."""
        takers = [each for each in self._conversations if each.started]
        for sample in samples:
            address = self._addresses.get(sample.signal)
            if address is None:
                continue
            if not sample.backfilled:
                self._last[address] = sample
            for pending in [each.pending for each in takers] or [self._waiting]:
                self._keep(pending, sample)

    def last(self, address: int) -> Sample | None:
        """Return the last value of a point, None before there was one."""
        return self._last.get(address)

    def began(self, conversation: Conversation) -> None:
        """Give what waited to the first that takes it."""
        conversation.pending.extend(self._waiting)
        self._waiting.clear()

    def take_back(self, conversation: Conversation, undelivered: Iterable[Sample]) -> None:
        """Keep what a connection did not deliver, unless another has been told of it too."""
        if not any(each.started for each in self._conversations if each is not conversation):
            for sample in undelivered:
                self._keep(self._waiting, sample)

    def leave(self, conversation: Conversation) -> None:
        """End a connection."""
        if conversation in self._conversations:
            self._conversations.remove(conversation)

    def address_of(self, sample: Sample) -> int:
        """Return where a value belongs."""
        return self._addresses[sample.signal]

    def _keep(self, queue: deque[Sample], sample: Sample) -> None:
        if len(queue) >= self.settings.waiting:
            queue.popleft()
            self.lost += 1
        queue.append(sample)


class Conversation:
    """One connection: what is asked of the station over it, and what it is told.

    `receive` and `tick` raise what `Link` raises; then `close` it, and close the connection.
    """

    def __init__(self, station: Station, now: float, peer: str) -> None:
        self.pending: deque[Sample] = deque()
        self.peer = peer
        self._station = station
        self._link = Link(now, station.settings.link)
        self._answers: deque[Asdu] = deque()
        self._interrogation: Iterator[Asdu] | None = None
        self._told: deque[tuple[Asdu, tuple[Sample, ...]]] = deque()
        self._selected: dict[int, tuple[bytes, float]] = {}
        self._underway: dict[int, Asdu] = {}

    @property
    def started(self) -> bool:
        """Whether the other side takes data."""
        return self._link.started

    def receive(self, octets: bytes, now: float) -> list[Wanted]:
        """Take octets in, answer what can be answered, and return the commands that were given."""
        wanted: list[Wanted] = []
        was = self.started
        for event in self._link.receive(octets, now):
            if isinstance(event, Received):
                asked = self._ask(event.asdu, now)
                wanted += [] if asked is None else [asked]
            elif isinstance(event, Stopped):
                self._give_back()
            elif not was:
                self._station.began(self)
            was = self.started
        self.pump(now)
        return wanted

    def obeyed(self, wanted: Wanted, result: CommandResult, now: float) -> None:
        """Tell what became of a command."""
        request = wanted.request
        if self._underway.pop(request.address, None) is None:
            return
        self._answer(request.answered(Cause.ACTIVATION_CON, negative=not result.done))
        if result.done:
            self._answer(request.answered(Cause.ACTIVATION_TERMINATION))
        self.pump(now)

    def pump(self, now: float) -> None:
        """Send as much as the other side takes: answers first, then news."""
        self._forget_delivered()
        while self._link.room > 0:
            asdu = self._next_answer()
            if asdu is None and self.pending:
                asdu, samples = self._next_news()
                self._told.append((asdu, samples))
            if asdu is None:
                return
            self._link.send(asdu, now)

    def outgoing(self) -> bytes:
        """Return what is to be sent now."""
        return self._link.outgoing()

    def deadline(self) -> float:
        """Return when `tick` is due."""
        return self._link.deadline()

    def tick(self, now: float) -> None:
        """Do what is due."""
        self._link.tick(now)

    def close(self) -> None:
        """End it; what was not delivered is kept for another."""
        self._give_back()
        self._station.leave(self)

    # what is asked

    def _ask(self, asdu: Asdu, now: float) -> Wanted | None:
        serve = _SERVED.get(asdu.type_id)
        if serve is None and asdu.type_id not in COMMANDS:
            self._answer(asdu.answered(Cause.UNKNOWN_TYPE, negative=True))
            return None
        everybody = asdu.common_address == ALL_STATIONS and asdu.type_id in _TO_ALL
        if asdu.common_address != self._station.settings.common_address and not everybody:
            self._answer(asdu.answered(Cause.UNKNOWN_COMMON_ADDRESS, negative=True))
            return None
        if everybody:
            asdu = replace(asdu, common_address=self._station.settings.common_address)
        if serve is not None:
            serve(self, asdu)
            return None
        return self._command(asdu, COMMANDS[asdu.type_id], now)

    def interrogate(self, asdu: Asdu) -> None:
        """Answer an interrogation of the station, of all but counters or of counters alone; groups there are none."""
        if not self._activated(asdu, 4):
            return
        counters, qualifier = asdu.type_id == COUNTER_INTERROGATION, asdu.objects[3]
        if qualifier != (ALL_COUNTERS if counters else STATION) or self._interrogation is not None:
            self._answer(asdu.answered(Cause.ACTIVATION_CON, negative=True))
            return
        self._interrogation = self._interrogated_by(asdu, counters)

    def _interrogated_by(self, asdu: Asdu, counters: bool) -> Iterator[Asdu]:
        yield asdu.answered(Cause.ACTIVATION_CON)
        cause = Cause.COUNTER_INTERROGATED if counters else Cause.INTERROGATED
        chosen = sorted(
            (self._interrogated_type(point), address)
            for address, point in self._station.points.items()
            if (_types(point)[0] == COUNTERS) is counters
        )
        objects, type_id = b"", 0
        count = 0
        for type_of, address in chosen:
            shown = self._shown(address)
            if count and (type_of != type_id or len(objects) + len(shown) > ROOM):
                yield self._unit(type_id, count, cause, objects)
                objects, count = b"", 0
            objects, type_id, count = objects + shown, type_of, count + 1
        if count:
            yield self._unit(type_id, count, cause, objects)
        yield asdu.answered(Cause.ACTIVATION_TERMINATION)

    def read(self, asdu: Asdu) -> None:
        """Answer what one point is now."""
        if asdu.cause != Cause.REQUEST or len(asdu.objects) != 3 or asdu.count != 1:
            self._answer(asdu.answered(Cause.UNKNOWN_CAUSE, negative=True))
            return
        point = self._station.points.get(asdu.address)
        if point is None:
            self._answer(asdu.answered(Cause.UNKNOWN_OBJECT_ADDRESS, negative=True))
            return
        self._answer(self._unit(self._interrogated_type(point), 1, Cause.REQUEST, self._shown(asdu.address)))

    def refuse_clock(self, asdu: Asdu) -> None:
        """Refuse to be set: the clock of the gateway is that of its machine."""
        if self._activated(asdu, 10):
            self._answer(asdu.answered(Cause.ACTIVATION_CON, negative=True))

    def mirror(self, asdu: Asdu) -> None:
        """Answer a test command with itself."""
        if self._activated(asdu, 5 if asdu.type_id == TEST else 12):
            self._answer(asdu.answered(Cause.ACTIVATION_CON))

    def _activated(self, asdu: Asdu, octets: int) -> bool:
        """Tell whether a unit to the station itself is an activation of the right length, and refuse it otherwise."""
        if asdu.cause != Cause.ACTIVATION or len(asdu.objects) != octets or asdu.count != 1:
            self._answer(asdu.answered(Cause.UNKNOWN_CAUSE, negative=True))
            return False
        if asdu.address:
            self._answer(asdu.answered(Cause.UNKNOWN_OBJECT_ADDRESS, negative=True))
            return False
        return True

    # commands

    def _command(self, asdu: Asdu, kind: CommandType, now: float) -> Wanted | None:
        if asdu.cause not in (Cause.ACTIVATION, Cause.DEACTIVATION) or asdu.count != 1:
            self._answer(asdu.answered(Cause.UNKNOWN_CAUSE, negative=True))
            return None
        point = self._station.points.get(asdu.address - self._station.settings.command_offset)
        if point is None or not point.writable or point.number_type not in kind.takes:
            self._answer(asdu.answered(Cause.UNKNOWN_OBJECT_ADDRESS, negative=True))
            return None
        if asdu.cause == Cause.DEACTIVATION:
            known = self._selected.pop(asdu.address, None) is not None
            self._answer(asdu.answered(Cause.DEACTIVATION_CON, negative=not known))
            return None
        try:
            value = self._value(asdu, kind)
        except DecodeError:
            self._answer(asdu.answered(Cause.ACTIVATION_CON, negative=True))
            return None
        information = asdu.objects[3 : 3 + kind.size]
        selects = asdu.type_id not in BIT_STRINGS and bool(information[-1] & 0x80)
        if selects:
            seconds = point.select or self._station.settings.select_time
            self._selected[asdu.address] = (_without_selection(information), now + seconds)
            self._answer(asdu.answered(Cause.ACTIVATION_CON))
            return None
        return self._operate(asdu, point, value, information, now)

    def _operate(self, asdu: Asdu, point: Point, value: Plain, information: bytes, now: float) -> Wanted | None:
        settings = self._station.settings
        selected = self._selected.pop(asdu.address, None)
        needed = (settings.select_first or point.select > 0) and asdu.type_id not in BIT_STRINGS
        held = selected is not None and now < selected[1] and selected[0] == _without_selection(information)
        busy = asdu.address in self._underway or len(self._underway) >= settings.commands
        if busy or ((needed or selected is not None) and not held):
            self._answer(asdu.answered(Cause.ACTIVATION_CON, negative=True))
            return None
        self._underway[asdu.address] = asdu
        origin = f"IEC 104 {self.peer}, originator {asdu.originator}"
        return Wanted(Command(point.signal, value, origin), asdu)

    def _value(self, asdu: Asdu, kind: CommandType) -> Plain:
        information = asdu.objects[3:]
        if len(information) != kind.size + (7 if kind.timed else 0):
            raise DecodeError(f"a command of {len(information)} octets")
        if kind.timed:
            time = time_of(information[kind.size :], self._station.settings.zone)
            age = timedelta(seconds=self._station.settings.command_age)
            if time is None or abs(self._station.time() - time) > age:
                raise DecodeError("a command of another time")
        value: Plain = kind.value(information[: kind.size])
        return value

    # what is told

    def _next_answer(self) -> Asdu | None:
        if self._answers:
            return self._answers.popleft()
        asdu = None if self._interrogation is None else next(self._interrogation, None)
        if asdu is None:
            self._interrogation = None
        return asdu

    def _next_news(self) -> tuple[Asdu, tuple[Sample, ...]]:
        """Return one unit with as many values as are of one type in a row, each with its time."""
        objects, taken, type_id = b"", 0, 0
        for sample in self.pending:
            address = self._station.address_of(sample)
            tagged = _types(self._station.points[address])[1]
            shown = self._object(address, sample, tagged=True)
            if taken and (tagged != type_id or len(objects) + len(shown) > ROOM):
                break
            objects, taken, type_id = objects + shown, taken + 1, tagged
        samples = tuple(self.pending.popleft() for _ in range(taken))
        return self._unit(type_id, taken, Cause.SPONTANEOUS, objects), samples

    def _interrogated_type(self, point: Point) -> int:
        return _types(point)[1 if self._station.settings.tagged_interrogation else 0]

    def _shown(self, address: int) -> bytes:
        return self._object(address, self._station.last(address), tagged=self._station.settings.tagged_interrogation)

    def _object(self, address: int, sample: Sample | None, *, tagged: bool) -> bytes:
        value, quality = (None, Quality.INVALID) if sample is None else (sample.value, sample.quality)
        octets = address.to_bytes(3, "little") + monitored(self._station.points[address].number_type, value, quality)
        if not tagged:
            return octets
        time = None if sample is None else sample.source_time or sample.gateway_time
        return octets + time_tag(time, self._station.settings.zone)

    def _unit(self, type_id: int, count: int, cause: Cause, objects: bytes) -> Asdu:
        return Asdu(type_id, count, cause, self._station.settings.common_address, objects)

    def _answer(self, asdu: Asdu) -> None:
        if len(self._answers) >= self._station.settings.answers:
            raise RemoteProtocolError("more is asked than is taken", layer=LAYER)
        self._answers.append(asdu)

    def _forget_delivered(self) -> None:
        waiting = {id(asdu) for asdu in self._link.undelivered}
        while self._told and id(self._told[0][0]) not in waiting:
            self._told.popleft()

    def _give_back(self) -> None:
        self._forget_delivered()
        undelivered = [sample for _, samples in self._told for sample in samples] + list(self.pending)
        self._told.clear()
        self.pending.clear()
        self._selected.clear()
        self._station.take_back(self, undelivered)


def addressed(points: Sequence[Point]) -> dict[int, Point]:
    """Return points by information object address: those they name, and the lowest free ones for all others.

    What IEC 104 has no type for is left out. Raises ConfigurationError for an address that is named twice.
    """
    carried = [point for point in points if point.number_type.iec104 is not None]
    taken: dict[int, Point] = {}
    for point in carried:
        if point.ioa is None:
            continue
        if not 1 <= point.ioa <= MOST_OBJECTS:
            raise ConfigurationError(f"signal {point.signal}: ioa {point.ioa} is not within 1 to {MOST_OBJECTS}")
        if point.ioa in taken:
            raise ConfigurationError(f"signals {taken[point.ioa].signal} and {point.signal} have one ioa, {point.ioa}")
        taken[point.ioa] = point
    free = 1
    for point in carried:
        if point.ioa is None:
            while free in taken:
                free += 1
            taken[free] = point
    return dict(sorted(taken.items()))


def _types(point: Point) -> tuple[int, int]:
    """Return the types of a point without and with time tag; points without have no address."""
    assert point.number_type.iec104 is not None, "points have a type"
    return point.number_type.iec104


def _without_selection(information: bytes) -> bytes:
    return information[:-1] + bytes([information[-1] & 0x7F])


_TO_ALL: Final = (INTERROGATION, COUNTER_INTERROGATION, CLOCK)
_SERVED: Final[dict[int, Callable[[Conversation, Asdu], None]]] = {
    INTERROGATION: Conversation.interrogate,
    COUNTER_INTERROGATION: Conversation.interrogate,
    READ: Conversation.read,
    CLOCK: Conversation.refuse_clock,
    TEST: Conversation.mirror,
    TIMED_TEST: Conversation.mirror,
}
