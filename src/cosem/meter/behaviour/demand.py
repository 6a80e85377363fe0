"""Demand registers: averages over blocks of time or a sliding window (IEC 62056-6-2, class 5).

Given as `current_average_value` is what they average: the attribute of another object, or a callable. Where that other
object has another unit than the demand register, such as Wh beside W, its growth per hour is averaged; otherwise, as of
callables, the value itself, from samples at equal distances. Periods end at multiples of the period of the local
standard day. The denominator is always `number_of_periods` times `period`, so that the current average rises from zero
in the course of a block. `next_period` and `reset` begin a new row of periods at the moment they are run; what came
before counts in no average any more. A number that is given in its place stays as it is. Without power no electricity
flows: that time counts as zero, and the periods go on by the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from cosem.errors import ConfigurationError, CosemError
from cosem.meter.behaviour import clock
from cosem.meter.item import PLAIN, Asked, Behaviour, FromSource, Item, Refusal, Visit, answered
from cosem.meter.values import encode_value
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model import catalogue
from cosem.protocol.model.classes.data_storage import DemandRegister, scaler_unit_of
from cosem.protocol.model.reference import AttributeRef, Reference, parse_reference
from cosem.protocol.model.shape import ANY
from cosem.protocol.values.data import Data, DoubleLongUnsigned, LongUnsigned, OctetString
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

SAMPLES: Final = 60
"""How often a value is sampled in one period."""

MOST_SAMPLES: Final = 240
"""How often it is sampled in all periods of a window together."""

DEFAULT_PERIOD: Final = 900
"""Seconds of a period, unless the description says otherwise."""

_ELECTRICITY: Final = 1
_CURRENT, _LAST, _SCALER, _STATUS, _CAPTURED, _START, _PERIOD, _COUNT = range(2, 10)


@dataclass(frozen=True, slots=True)
class Named:
    """What is averaged, as the attribute of another object of the meter; class 0 stands for that of the object."""

    class_id: int
    instance: Obis
    member: int | str | None

    def at(self, visit: Visit) -> tuple[Item, int]:
        """Return the object and the number of the attribute; Refusal where there is none."""
        item = visit.device.find(self.instance)
        if item is None or self.class_id not in (0, item.class_id):
            raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
        try:
            meant = catalogue.resolve(Reference(self.instance, None, self.member), item.class_id, item.version)
        except CosemError as error:
            raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE) from error
        return item, meant.index


@dataclass(frozen=True, slots=True)
class Growth:
    """What grows, in steps of a scaler; as what a demand register averages, its growth per hour."""

    of: Asked
    scaler: int = 0


@dataclass(frozen=True, slots=True)
class Demand:
    """What is averaged, and since when periods are counted; `kept` is the last average until the first one ends."""

    source: Named | Growth | FromSource | Asked
    began: datetime | None = None
    kept: Data = None

    def period_start(self, time: datetime, period: int) -> datetime:
        """Return when the period began that a time is in."""
        if self.began is None or time < self.began:
            return clock.last_multiple(time, period)
        whole = int((time.astimezone(UTC) - self.began).total_seconds()) // period
        return self.began + timedelta(seconds=whole * period)


def _demand(item: Item) -> Demand:
    return cast("Demand", item.state)


def _period(item: Item) -> int:
    return max(cast("int", item.values[_PERIOD]), 1)


def _window(item: Item) -> int:
    return _period(item) * max(cast("int", item.values[_COUNT]), 1)


def _begin_current(visit: Visit, item: Item) -> datetime:
    """Return from when on the current average counts: the window that ends with the present period."""
    demand, period = _demand(item), _period(item)
    start = demand.period_start(visit.time, period) - timedelta(seconds=_window(item) - period)
    return start if demand.began is None or visit.time < demand.began else max(start, demand.began)


def _current(visit: Visit, item: Item) -> Data:
    return _average(visit, item, _begin_current(visit, item), visit.time)


def _last(visit: Visit, item: Item) -> Data:
    demand = _demand(item)
    end = demand.period_start(visit.time, _period(item))
    begin = end - timedelta(seconds=_window(item))
    if demand.began is not None and visit.time >= demand.began:
        if end <= demand.began:
            return demand.kept
        begin = max(begin, demand.began)
    return _average(visit, item, begin, end)


def _captured(visit: Visit, item: Item) -> Data:
    return _told(visit, _demand(item).period_start(visit.time, _period(item)))


def _start(visit: Visit, item: Item) -> Data:
    return _told(visit, _begin_current(visit, item))


def _told(visit: Visit, moment: datetime) -> Data:
    return OctetString(DateTime.from_datetime(moment.astimezone(visit.time.tzinfo)).octets)


def _average(visit: Visit, item: Item, begin: datetime, end: datetime) -> Data:
    source, parts = _demand(item).source, _powered(visit, item, begin, end)
    try:
        if isinstance(source, Named):
            named, index = source.at(visit)
            scaler = _scaler(visit, named, index) - _scaler(visit, item, _CURRENT)

            def ask(time: datetime) -> Any:
                return named.read(_at(visit, time), index)

            if _unit(visit, named, index) not in (None, _unit(visit, item, _CURRENT)):
                sum_of_time = sum(ask(until) - ask(since) for since, until in parts) * 3600
            else:
                sum_of_time = sum(_summed(since, until, item, ask) for since, until in parts)
        elif isinstance(source, Growth):
            scaler = source.scaler - _scaler(visit, item, _CURRENT)
            of = cast("Callable[[datetime], Any]", source.of)
            sum_of_time = sum(of(_at(visit, until).time) - of(_at(visit, since).time) for since, until in parts) * 3600
        else:
            scaler, asked = 0, source

            def sample(time: datetime) -> Any:
                return answered(asked, _at(visit, time))

            sum_of_time = sum(_summed(since, until, item, sample) for since, until in parts)
        return encode_value(ANY, int(sum_of_time * 10**scaler / _window(item)))
    except (CosemError, TypeError, ValueError, OverflowError) as error:
        raise Refusal(DataAccessResult.HARDWARE_FAULT) from error


def _powered(visit: Visit, item: Item, begin: datetime, end: datetime) -> Sequence[tuple[datetime, datetime]]:
    """Return the parts of a span of time in which what is averaged can flow."""
    meter = visit.device.meter
    if not meter.has_outages or item.instance.octets[0] != _ELECTRICITY:
        return ((begin, end),)
    return meter.power.parts(begin, end)


def _summed(begin: datetime, end: datetime, item: Item, ask: Callable[[datetime], Any]) -> float:
    """Return a value times seconds between two moments: each sample stands for what is around it."""
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    step = timedelta(seconds=max(_period(item) / SAMPLES, _window(item) / MOST_SAMPLES))
    total = 0.0
    while begin < end:
        until = min(begin + step, end)
        total += float(ask(begin + (until - begin) / 2)) * (until - begin).total_seconds()
        begin = until
    return total


def _at(visit: Visit, time: datetime) -> Visit:
    return visit.at(time.astimezone(visit.time.tzinfo))


def _scaler(visit: Visit, item: Item, index: int) -> int:
    found = _scaler_unit(visit, item, index)
    return 0 if found is None else int(found.scaler)


def _unit(visit: Visit, item: Item, index: int) -> Any:
    found = _scaler_unit(visit, item, index)
    return None if found is None else found.unit


def _scaler_unit(visit: Visit, item: Item, index: int) -> Any:
    reference = scaler_unit_of(item.class_id, item.instance, index)
    if reference is None or not item.has(reference.index):
        return None
    return reference.decode(item.read(visit, reference.index))


def _next_period(visit: Visit, item: Item, _: Data) -> Data:
    """End the present period now: its average is the last one, and another period begins."""
    _begin_anew(visit, item, _current(visit, item))
    return None


def _reset(visit: Visit, item: Item, _: Data) -> Data:
    """Begin as new: both averages are zero, and a period begins."""
    _begin_anew(visit, item, DoubleLongUnsigned(0))
    return None


def _begin_anew(visit: Visit, item: Item, kept: Data) -> None:
    own = visit.device.owned(item)
    own.state = replace(_demand(own), began=visit.time.astimezone(UTC), kept=kept)


def _adopt(item: Item, given: dict[int, object]) -> None:
    """Take what is averaged; a number is a value that stays."""
    source = given.get(_CURRENT)
    named = _named(source)
    if named is None:
        item.behaviour = PLAIN
        if _CURRENT in given:
            item.values[_CURRENT] = encode_value(ANY, source)
        return
    item.state = Demand(named)
    period = cast("int", item.values.setdefault(_PERIOD, DoubleLongUnsigned(DEFAULT_PERIOD)))
    count = cast("int", item.values.setdefault(_COUNT, LongUnsigned(1)))
    if not period or not count:
        raise ConfigurationError("period and number_of_periods: an average is over at least one second of one period")
    item.values.setdefault(_STATUS, None)


def _named(source: Any) -> Named | Growth | FromSource | Asked | None:
    if isinstance(source, AttributeRef):
        return Named(source.class_id, source.instance, source.index)
    if isinstance(source, str):
        reference = parse_reference(source)
        return Named(reference.class_id or 0, reference.instance, reference.member)
    if callable(source) or isinstance(source, FromSource | Growth):
        return cast("Growth | FromSource | Asked", source)
    return None


BEHAVIOUR: Final = Behaviour(
    reads={_CURRENT: _current, _LAST: _last, _CAPTURED: _captured, _START: _start},
    methods={DemandRegister.reset.index: _reset, DemandRegister.next_period.index: _next_period},
    adopts=frozenset({_CURRENT}),
    adopt=_adopt,
)
