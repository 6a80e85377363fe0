"""One object of a meter: its attribute values, what it does, and who is asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from inspect import isfunction
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

from cosem.errors import CosemError, ShapeError
from cosem.meter.values import encode_value
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.context import Negotiated
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.model.selection import Selection
from cosem.protocol.model.shape import ANY, Shape
from cosem.protocol.model.short_name import Member
from cosem.protocol.values.data import Data, Number, OctetString
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.associations import AssociationDescription
    from cosem.meter.logical_device import LogicalDevice

Asked: TypeAlias = Callable[[datetime], object]
"""A value that is asked for at each read, with the meter's present local time."""

LOGICAL_NAME: Final = 1


@dataclass(frozen=True, slots=True)
class FromSource:
    """A value that is asked of the device's `source`, with the meter's present local time.

    It lets many meters of one kind share their objects, each with a source of its own.
    """

    ask: Callable[[Any, datetime], object]


@runtime_checkable
class Series(Protocol):
    """What is asked of a source and tells faster what it is at several times."""

    def series(self, source: Any, visits: Sequence[Visit], kept: Kept) -> list[Any]:
        """Return its values, all of one type, at the times of some visits."""
        ...


Kept: TypeAlias = "dict[Any, Any]"
"""What a source has reckoned of some times, for the next of its values at them."""


class Refusal(Exception):
    """Why a service is refused; it ends in a response and never leaves the meter."""

    def __init__(self, result: DataAccessResult) -> None:
        super().__init__(result.name)
        self.result = result


class Outcome(Refusal):
    """A refusal that says what came of a method, after which something is not as before: that is kept as well."""


class Visit(NamedTuple):
    """What one request is served with: the logical device, the meter's local time, and whose association it is.

    `association` is None when the meter itself reads, to capture a profile.
    """

    device: LogicalDevice
    time: datetime
    association: AssociationDescription | None = None
    negotiated: Negotiated | None = None

    @property
    def by_short_names(self) -> bool:
        """Whether the client refers to objects by short names, and sees the association as an object that has them."""
        return self.negotiated is not None and self.negotiated.by_short_names

    def find(self, instance: Obis) -> Item | None:
        """Return the object with this logical name, as this client can see it."""
        # What the device has of its own is the same by either names.
        return self.device.objects.find(instance) or self.device.find(
            instance, self.association, short_names=self.by_short_names
        )

    def items(self) -> Iterator[Item]:
        """Return all objects as this client can see them."""
        return self.device.items(self.association, short_names=self.by_short_names)

    def locate(self, name: int) -> tuple[int, Obis, Member] | None:
        """Return class and logical name of the object that has a short name, and which of its members it is."""
        found = self.device.short_names.locate(name)
        item = None if found is None else self.find(found[0])
        return None if found is None or item is None else (item.class_id, item.instance, found[1])

    def at(self, time: datetime) -> Visit:
        """Return a reading of the meter by itself at another time."""
        return Visit(self.device, time)


Read: TypeAlias = Callable[[Visit, "Item"], Data]
Column: TypeAlias = Callable[[Sequence[Visit], Kept], "Sequence[Data]"]
"""Reads one attribute for several visits of one device."""
ReadSelected: TypeAlias = Callable[[Visit, "Item", Selection], Data]
Write: TypeAlias = Callable[[Visit, "Item", Data], None]
Run: TypeAlias = Callable[[Visit, "Item", Data], Data]
Written: TypeAlias = Callable[[Visit, "Item"], None]
ClockSet: TypeAlias = Callable[[Visit, "Item", datetime], None]
Adopt: TypeAlias = Callable[["Item", "dict[int, Any]"], None]


@dataclass(frozen=True, slots=True)
class Timed:
    """What an object does on its own as time passes (see `cosem.meter.agenda`).

    Attributes:
        following: the first moment after that of the visit, and not after a last one, at which it does something; None
            when there is none.
        act: what it does then; the visit is of that moment.
        begin: what it does first of all.
        clock_set: what it does after the clock was set from an earlier or later time to that of the visit.
        reach: how far back what was missed is made up for.
        power_restored: what it does after a power failure that began at an earlier time, at that of the visit; left
            out, the same as after the clock was set.
    """

    following: Callable[[Visit, Item, datetime], datetime | None]
    act: Callable[[Visit, Item], None]
    begin: Callable[[Visit, Item], None] | None = None
    clock_set: ClockSet | None = None
    reach: timedelta = timedelta.max
    power_restored: ClockSet | None = None


def never(_: Visit, __: Item, ___: datetime) -> None:
    """Say of an object that it does nothing on its own once it has begun."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What objects of a class do beyond keeping values, by attribute and method number; one for all meters.

    Attributes:
        reads: attributes that are computed where no value was given.
        selections: attributes that can be read in part.
        writes: attributes a client may write, and what happens then.
        written: what follows when an attribute was written.
        recalled: what follows when attributes have got back what they held before, at a restart or because a change
            was undone.
        methods: methods a client may run; what they return, None for nothing.
        own_methods: methods that the meter runs by itself, in scripts; a client only where the description opens them.
        adopts: attributes whose given value is no Data, and goes to `adopt`.
        adopt: completes a new item.
        timed: what they do on their own as time passes.
        awake: what they do once they were used for the first time, where they do nothing on their own until then:
            objects that many meters share, none of which needs to look at the clock for them.
    """

    reads: Mapping[int, Read] = field(default_factory=dict[int, Read])
    selections: Mapping[int, ReadSelected] = field(default_factory=dict[int, ReadSelected])
    writes: Mapping[int, Write] = field(default_factory=dict[int, Write])
    methods: Mapping[int, Run] = field(default_factory=dict[int, Run])
    adopts: frozenset[int] = frozenset()
    adopt: Adopt | None = None
    written: Mapping[int, Written] = field(default_factory=dict[int, Written])
    recalled: Callable[[Item], None] | None = None
    timed: Timed | None = None
    own_methods: Mapping[int, Run] = field(default_factory=dict[int, Run])
    awake: Behaviour | None = None

    def opened(self, index: int) -> Behaviour:
        """Return the same with one of its own methods open to clients."""
        return replace(self, methods={**self.methods, index: self.own_methods[index]})


PLAIN: Final = Behaviour()
_NONE: Final = frozenset[int]()
_MISSING: Final = object()


class Item:
    """One object in a logical device. `state` belongs to its behaviour."""

    __slots__ = ("_settled", "behaviour", "class_id", "instance", "kind", "state", "values", "version", "writable")

    def __init__(
        self,
        address: InterfaceClass,
        values: dict[int, Any] | None = None,
        behaviour: Behaviour = PLAIN,
        writable: frozenset[int] = _NONE,
        state: Any = None,
    ) -> None:
        self.kind = type(address)
        self.class_id = address.class_id
        self.version = address.version
        self.instance: Obis = address.instance
        self.values: dict[int, Any] = {} if values is None else values
        self.behaviour = behaviour
        self.writable = writable
        self.state = state
        self._settled: dict[int, Callable[[Visit], Data]] | None = None
        """What reads each attribute that was read, of an item that does not change any more."""

    def settle(self) -> None:
        """Take note that from now on many devices use this item as it is."""
        self._settled = {}

    def attributes(self) -> Iterator[int]:
        """Numbers of the attributes that have a value, in order."""
        return iter(sorted({LOGICAL_NAME, *self.values, *self.behaviour.reads}))

    def has(self, index: int) -> bool:
        """Tell whether attribute `index` has a value."""
        return index == LOGICAL_NAME or index in self.values or index in self.behaviour.reads

    def may_write(self, index: int) -> bool:
        """Tell whether any client at all may write attribute `index`."""
        return index in self.writable or index in self.behaviour.writes

    def read(self, visit: Visit, index: int) -> Data:
        """Return the Data of attribute `index` now; Refusal when there is none."""
        return self.reading(index)(visit)

    def column(self, index: int) -> Column:
        """Return what reads attribute `index` as it is held now at several times."""
        reading = self.reading(index)
        held = self.values.get(index)
        if held is not None and not isinstance(held, FromSource) and not callable(held):
            return lambda visits, _: [held] * len(visits)
        if not isinstance(held, FromSource) or not isinstance(held.ask, Series) or self.shape(index) is not ANY:
            return lambda visits, _: [reading(visit) for visit in visits]
        series = held.ask.series

        def asked(visits: Sequence[Visit], kept: Kept) -> Sequence[Data]:
            try:
                values = series(visits[0].device.source, visits, kept) if visits else []
            except CosemError:
                values = []  # each tells by itself what is wrong
            kinds = set(map(type, values))
            kind = kinds.pop() if len(kinds) == 1 else None
            if kind is not None and issubclass(kind, Number) and min(values) >= kind.LOW and max(values) <= kind.HIGH:
                return values
            return [reading(visit) for visit in visits]

        return asked

    def reading(self, index: int) -> Callable[[Visit], Data]:
        """Return what reads attribute `index` as it is held now."""
        if self._settled is None:
            return self._reading(index)
        reading = self._settled.get(index)
        if reading is None:
            reading = self._settled[index] = self._reading(index)
        return reading

    def _reading(self, index: int) -> Callable[[Visit], Data]:
        if index == LOGICAL_NAME:
            return lambda _: OctetString(self.instance.octets)
        held = self.values.get(index, _MISSING)
        if held is _MISSING:
            read = self.behaviour.reads.get(index, _unavailable)
            return lambda visit: read(visit, self)
        if isinstance(held, FromSource):
            ask = _called(held.ask)
        elif callable(held):
            ask = _without_source(held)
        else:
            return lambda _: held
        declared = self.kind.declared_attributes.get(index)
        shape = ANY if declared is None else declared.shape

        def asked(visit: Visit) -> Data:
            try:
                value: Any = ask(visit.device.source, visit.time)
                if shape is ANY and isinstance(value, Number) and value.LOW <= value <= value.HIGH:
                    return value  # type: ignore[return-value]  # most values are, and need nothing more
                return encode_value(shape, value)
            except CosemError as error:
                # The description of the meter is at fault; its client must not suffer more than this one answer.
                raise Refusal(DataAccessResult.HARDWARE_FAULT) from error

        return asked

    def write(self, visit: Visit, index: int, value: Data) -> None:
        """Write attribute `index`; Refusal when the value has another type than the attribute."""
        write = self.behaviour.writes.get(index)
        if write is not None:
            write(visit, self, value)
            return
        if self.shape(index) is ANY and type(self.read(visit, index)) is not type(value):
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)
        held = self.values.get(index)
        self.values[index] = value
        written = self.behaviour.written.get(index)
        if written is not None:
            try:
                written(visit, self)
            except Refusal:
                if held is not None:
                    self.values[index] = held
                raise

    def copy(self) -> Item:
        """Return an item with the same values that can change without this one."""
        copied = Item.__new__(Item)
        for name in Item.__slots__:
            setattr(copied, name, getattr(self, name))
        copied.values = dict(self.values)
        copied._settled = None
        return copied

    def method(self, index: int) -> Run | None:
        """Return what a method does when the meter itself runs it."""
        return self.behaviour.methods.get(index) or self.behaviour.own_methods.get(index)

    def shape(self, index: int) -> Shape[Any]:
        """Return the declared shape of attribute `index`."""
        declared = self.kind.declared_attributes.get(index)
        return ANY if declared is None else declared.shape

    def __repr__(self) -> str:
        return f"Item({self.kind.__name__} {self.instance})"


def _unavailable(_: Visit, __: Item) -> Data:
    raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)


def _without_source(ask: Asked) -> Callable[[Any, datetime], object]:
    return lambda _, time: ask(time)


def _called(ask: Any) -> Callable[[Any, datetime], Any]:
    """Return the same function, or the method of an object, for calling that takes less than calling the object."""
    return ask if isfunction(ask) else ask.__call__


def answered(value: FromSource | Asked, visit: Visit) -> object:
    """Ask for a value."""
    if isinstance(value, FromSource):
        return value.ask(visit.device.source, visit.time)
    return value(visit.time)


def refused(error: ShapeError) -> Refusal:
    """Return what a client is told whose value has the wrong shape."""
    refusal = Refusal(DataAccessResult.TYPE_UNMATCHED)
    refusal.__cause__ = error
    return refusal
