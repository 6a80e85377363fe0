"""The power of a meter: failures by a script or by whoever calls, what a meter does about them, and what it tells.

    meter.power.down()                  # connections break, those of pushes too, nothing is captured or done
    meter.power.up()                    # and it goes on

What was due until the power went is done first; then the meter notes it, and what it pushes for that event goes at
once. While it is off, rows of profiles are missing, registers of electrical energy stand still, and nothing runs. When
the power is back, single actions and schedules make up for what they missed as after a clock that was set forward
(see `cosem.meter.behaviour.schedules`), charges for time go on, and the failure is counted in what the meter has of
`0-b:96.7.x`. The clock goes on without power for as long as its reserve lasts, then it stands; a clock that stood says
that its time is invalid until somebody sets it. In averages and maxima of demand the time without power counts as zero,
as far back as the last `MOST_FAILURES`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from cosem.errors import ConfigurationError
from cosem.meter.agenda import LONGEST_SILENCE
from cosem.meter.behaviour.registers import counted
from cosem.meter.events import MeterEvent
from cosem.meter.item import FromSource, Item, Visit
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import ExtendedRegister, Register
from cosem.protocol.values.data import Data, DoubleLongUnsigned, LongUnsigned, Number, OctetString
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.units import Unit

if TYPE_CHECKING:
    from cosem.meter.device import Meter
    from cosem.meter.logical_device import LogicalDevice

LONG: Final = timedelta(seconds=180)
"""From when on a failure is a long one, unless the description or the object of the threshold says otherwise."""

START_UP: Final = timedelta(seconds=5)
"""How long a meter that restarts by itself pushes nothing."""

SHORTEST_REPETITION: Final = timedelta(hours=1)
"""Between the beginnings of an outage that comes again and again."""

LONGEST_OUTAGE: Final = timedelta(days=3660)

MOST_FAILURES: Final = 256
"""How many failures are remembered with their times."""

_VALUE: Final = Register.value.index
_REGISTERS: Final = (Register.class_id, ExtendedRegister.class_id)
_TOLD_IN: Final = (DataObject.class_id, *_REGISTERS)
_ENERGIES: Final = frozenset({Unit.WATT_HOUR, Unit.VAR_HOUR, Unit.VOLT_AMPERE_HOUR})
_ELECTRICITY: Final = 1
_FAILURES: Final = (96, 7)
_THRESHOLD: Final = 20


Span: TypeAlias = tuple[datetime, datetime]

Happening: TypeAlias = "tuple[datetime, Callable[[LogicalDevice, datetime], None]]"
"""When something happens to a meter, in true time, and what it does to each logical device at what the clock shows."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """The power goes at a time for `length`, and with `every` again and again."""

    at: datetime
    length: timedelta
    every: timedelta | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ConfigurationError("at: it begins at a time with its offset, such as 2026-03-01T08:00:00+01:00")
        if not timedelta() < self.length <= LONGEST_OUTAGE:
            raise ConfigurationError(f"length: above 0 and up to {LONGEST_OUTAGE.days} days")
        if self.every is not None and not max(SHORTEST_REPETITION, self.length) <= self.every <= LONGEST_OUTAGE:
            raise ConfigurationError(
                f"every: {SHORTEST_REPETITION.total_seconds():.0f} seconds or more, and not less than its length"
            )

    def covers(self, moment: datetime) -> bool:
        """Tell whether there is no power at a moment."""
        passed = moment - self.at
        if passed < timedelta():
            return False
        return (passed if self.every is None else passed % self.every) < self.length

    def following(self, moment: datetime) -> datetime | None:
        """Return the first moment after one at which it begins or ends."""
        began = self.at
        if self.every is not None and moment >= self.at:
            began += (moment - self.at) // self.every * self.every
        changes = [began, began + self.length] + ([began + self.every] if self.every is not None else [])
        return next((change for change in changes if change > moment), None)


class Power:
    """The power of one meter.

    Attributes:
        reserve: how long its clock goes on without power; None: as long as it takes.
        long: from when on a failure is a long one.
        restarts: how often the meter has restarted by itself, with power.
    """

    __slots__ = (
        *("_busy", "_coming", "_cut", "_done", "_failures", "_held", "_meter", "_outages", "_since"),
        *("long", "reserve", "restarts"),
    )

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._outages: tuple[Outage, ...] = ()
        self._coming: list[Happening] = []
        """What happens beside outages, what comes next at the end."""
        self._done = meter.true_time()
        self._held = False
        self._since: datetime | None = None
        self._failures: tuple[Span, ...] = ()
        self._busy = False
        self._cut = set[Callable[[], None]]()
        self.reserve: timedelta | None = None
        self.long = LONG
        self.restarts = 0

    def describe(
        self, outages: Iterable[Outage] = (), *, reserve: timedelta | None = None, long: timedelta = LONG
    ) -> None:
        """Let outages come from now on, and say what the meter can do; objects of failures without a value begin."""
        self._outages += tuple(outages)
        self.reserve = reserve
        self.long = long
        for device in self._meter.devices.values():
            for item in list(device.items()):
                _begin(device, item, long)

    def endure(self, failures: Sequence[Span], others: Sequence[Happening] = ()) -> None:
        """Let the power fail from when to when, in true time and in order, as if the meter had been there from ever.

        What of it was over when the meter began left its marks: registers of electrical energy stood still, failures
        are counted, and statuses and event logs tell of them. So do `others`, what else happens to the meter.
        """
        outages = [Outage(at=down, length=min(up - down, LONGEST_OUTAGE)) for down, up in failures if up > self._done]
        self.describe(outages, reserve=self.reserve, long=self.long)
        coming = sorted(others, key=lambda each: each[0])
        self._coming = coming[::-1]  # the next is the last; what happens at one moment keeps its order
        for down, up in failures:
            if down <= self._done:
                self._happen(down)
                self._fail(down, began=False)
                if up <= self._done:
                    self._happen(up)
                    self._return(up, began=False)
        self._happen(self._done)

    @property
    def on(self) -> bool:
        """Whether there is power now."""
        self.catch_up()
        return self._since is None

    @property
    def off(self) -> bool:
        """Whether there was none when somebody looked last."""
        return self._since is not None

    @property
    def failures(self) -> tuple[Span, ...]:
        """From when to when there was no power, in true time and in order; one that goes on has no end in sight."""
        return self._failures if self._since is None else (*self._failures, (self._since, _NEVER))

    @property
    def shown_failures(self) -> list[Span]:
        """The same as the clock showed it."""
        shown = self._meter.shown_then
        return [(shown(down), up if up == _NEVER else shown(up)) for down, up in self.failures]

    def parts(self, begin: datetime, end: datetime) -> list[Span]:
        """Return the parts of a span of time, as the clock shows it, in which there was power, in order."""
        found: list[Span] = []
        for down, up in self.shown_failures:
            if begin < down < end:
                found.append((begin, down))
            if down < end:
                begin = max(begin, up)
        return [*found, (begin, end)] if begin < end else found

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Generator[None, None, None]:
        """Call `cut` when the power goes meanwhile, or the meter restarts: once."""
        self._cut.add(cut)
        try:
            yield
        finally:
            self._cut.discard(cut)

    def restart(self) -> None:
        """Let the meter restart by itself: all connections break, and it has power as after any other restart.

        It notes so in its logs, and pushes what it pushes then once it has started up, after `START_UP`.
        """
        self.restarts += 1
        self._break_connections()
        self._meter.pushes.rest(self._meter.time() + START_UP)
        for device in self._meter.devices.values():
            device.note(MeterEvent.POWER_UP)

    def down(self) -> None:
        """Let the power go now, until `up`. Raises ConfigurationError where the state cannot be kept."""
        self.catch_up()
        self._held = True
        if self._since is None:
            self._fail(self._meter.true_time())
        self._meter.keep_state()

    def up(self) -> None:
        """Let the power come back now, unless an outage of the script goes on. Raises ConfigurationError as `down`."""
        self.catch_up()
        self._held = False
        now = self._meter.true_time()
        if self._since is not None and not self._covered(now):
            self._return(now)
        self._meter.keep_state()

    def deadline(self) -> datetime | None:
        """Return when the script changes something next, in true time."""
        moments = [each.following(self._done) for each in self._outages]
        if self._coming:
            moments.append(self._coming[-1][0])
        return min((each for each in moments if each is not None), default=None)

    def catch_up(self) -> None:
        """Let happen what the script has until now."""
        if self._busy or not (self._outages or self._coming):
            return
        now = self._meter.true_time()
        if self._since is None and self._covered(self._done):
            self._fail(self._done)  # it began in the middle of an outage
        due = self.deadline()
        if due is not None and due < now - LONGEST_SILENCE:
            self._done = now - LONGEST_SILENCE
        while (moment := self.deadline()) is not None and moment <= now:
            moment = self._done = max(self._done, moment)
            self._happen(moment, began=True)
            off = self._held or self._covered(moment)
            if off and self._since is None:
                self._fail(moment)
            elif not off and self._since is not None:
                self._return(moment)

    # -- what survives a restart --------------------------------------------------------------------------------------

    @property
    def kept(self) -> tuple[datetime | None, bool, datetime, tuple[Span, ...]]:
        """Since when there is no power, whether somebody wants it so, up to when outages have happened, and which."""
        return self._since, self._held, self._done, self._failures

    def recall(self, since: datetime | None, held: bool, done: datetime, failures: Iterable[Span] = ()) -> None:
        """Go on from before a restart."""
        self._since, self._held, self._done = since, held, done
        self._failures = tuple((down, up) for down, up in failures)
        if self._failures:
            self._let_measure_truly()

    # -- how that is done ---------------------------------------------------------------------------------------------

    def _covered(self, moment: datetime) -> bool:
        return any(each.covers(moment) for each in self._outages)

    def _happen(self, until: datetime, *, began: bool = False) -> None:
        """Let happen what else comes until a true time; without power nothing is due before it."""
        busy, self._busy = self._busy, True
        try:
            while self._coming and self._coming[-1][0] <= until:
                at, act = self._coming.pop()
                shown = self._meter.shown(at)
                for device in self._meter.devices.values():
                    if began and not self.off:
                        device.settle(shown)
                    act(device, shown)
        finally:
            self._busy = busy

    def _let_measure_truly(self) -> None:
        """Let what measures know of the meter, and so of its failures."""
        for device in self._meter.devices.values():
            device.measure_truly()

    def _break_connections(self) -> None:
        cuts = tuple(self._cut)
        self._cut.clear()
        for cut in cuts:
            cut()

    def _fail(self, at: datetime, *, began: bool = True) -> None:
        self._let_measure_truly()
        busy, self._busy = self._busy, True
        meter, shown = self._meter, self._meter.shown(at)
        try:
            if began:
                for device in meter.devices.values():
                    device.settle(shown)
                meter.pushes.lose()
            for device in meter.devices.values():
                device.note(MeterEvent.POWER_DOWN, shown)
                for item in list(device.objects):
                    _stand_still(Visit(device, shown), item)
            if began:
                meter.pushes.lose(but_last_gasps=True)
            self._since = at
            self._break_connections()
        finally:
            self._busy = busy

    def _return(self, at: datetime, *, began: bool = True) -> None:
        assert self._since is not None
        busy, self._busy = self._busy, True
        since, self._since = self._since, None
        self._failures = (*self._failures, (since, at))[-MOST_FAILURES:]
        meter, before, length = self._meter, self._meter.shown(since), at - since
        try:
            if self.reserve is not None and length > self.reserve:
                meter.lose_time(at, length - self.reserve)
            shown = meter.shown(at)
            for device in meter.devices.values():
                visit = Visit(device, shown)
                for item in list(device.objects):
                    _count_on(visit, item, since)
                    _tell(visit, item, before, length, self.long)
                if began:
                    device.power_restored(before, shown)
                device.note(MeterEvent.POWER_UP, shown)
        finally:
            self._busy = busy


# -- registers of energy -----------------------------------------------------------------------------------------------


def _stand_still(visit: Visit, item: Item) -> None:
    """Let a register of electrical energy that counts stand still from now on."""
    if not stands_still(item):
        return
    counting = counted(item)
    if counting is not None and counting.switched is not False:
        visit.device.owned(item).values[_VALUE] = FromSource(counting.changed(visit, counts=False))


def _count_on(visit: Visit, item: Item, since: datetime) -> None:
    """Let a register count again that stands still since the power went, at a true time."""
    counting = counted(item) if item.class_id in _REGISTERS else None
    if counting is None or len(counting.stretches) < 2:
        return
    last = counting.stretches[-1]
    if last.since == since and not last.counts and counting.stretches[-2].counts:
        visit.device.owned(item).values[_VALUE] = FromSource(counting.changed(visit, counts=True))


def stands_still(item: Item) -> bool:
    """Tell whether an object is a register of electrical energy, of which nothing flows without power."""
    if item.class_id not in _REGISTERS or item.instance.octets[0] != _ELECTRICITY:
        return False
    held = item.values.get(Register.scaler_unit.index)
    return held is not None and cast("Any", Register.scaler_unit.shape.decode(held)).unit in _ENERGIES


# -- the objects of failures -------------------------------------------------------------------------------------------


def _increased(held: Any, _: datetime, __: timedelta) -> Data:
    return cast("Data", type(held)(min(held + 1, held.HIGH)))


def _time_of(_: Any, before: datetime, __: timedelta) -> Data:
    return OctetString(DateTime.from_datetime(before).octets)


def _length_of(held: Any, _: datetime, length: timedelta) -> Data:
    return cast("Data", type(held)(min(int(length.total_seconds()), held.HIGH)))


@dataclass(frozen=True, slots=True)
class _Object:
    """What an object of failures holds at first, and after each failure, or each long one."""

    first: Data
    after: Callable[[Any, datetime, timedelta], Data]
    kind: type
    long: bool


_COUNT: Final = _Object(LongUnsigned(0), _increased, Number, long=False)
_LONG_COUNT: Final = _Object(LongUnsigned(0), _increased, Number, long=True)
_TIME: Final = _Object(OctetString(DateTime().octets), _time_of, OctetString, long=False)
_LENGTH: Final = _Object(DoubleLongUnsigned(0), _length_of, Number, long=True)

OBJECTS: Final[Mapping[int, _Object]] = MappingProxyType(
    {
        **dict.fromkeys((0, 1, 2, 3, 21), _COUNT),
        **dict.fromkeys(range(5, 10), _LONG_COUNT),
        **dict.fromkeys(range(10, 15), _TIME),
        **dict.fromkeys(range(15, 20), _LENGTH),
    }
)
"""By value group E: where all phases fail, each of them does. Auxiliary supply (4) has none of it."""


def _group(item: Item) -> int | None:
    """Return value group E of an object of failures; None for another one."""
    a, _, c, d, e, _ = item.instance.octets
    return e if (a, c, d) == (0, *_FAILURES) and item.class_id in _TOLD_IN else None


def _begin(device: LogicalDevice, item: Item, long: timedelta) -> None:
    group = _group(item)
    if group is None or _VALUE in item.values:
        return
    if group in OBJECTS:
        device.owned(item).values[_VALUE] = OBJECTS[group].first
    elif group == _THRESHOLD:
        device.owned(item).values[_VALUE] = DoubleLongUnsigned(int(long.total_seconds()))


def _tell(visit: Visit, item: Item, before: datetime, length: timedelta, long: timedelta) -> None:
    group, held = _group(item), item.values.get(_VALUE)
    told = None if group is None else OBJECTS.get(group)
    if told is None or not isinstance(held, told.kind):
        return
    if not told.long or length >= _threshold(visit, long):
        visit.device.owned(item).values[_VALUE] = told.after(held, before, length)


def _threshold(visit: Visit, long: timedelta) -> timedelta:
    """Return from when on a failure is a long one: as the object of the threshold says, where there is one."""
    for item in visit.device.objects:
        held = item.values.get(_VALUE)
        if _group(item) == _THRESHOLD and isinstance(held, int):
            return timedelta(seconds=held)
    return long
