"""A logical device of a meter: its objects, what they do as time passes, and the associations it offers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast, runtime_checkable

from cosem.errors import ConfigurationError
from cosem.meter import saving
from cosem.meter.agenda import SYNCHRONIZATION, Agenda
from cosem.meter.alarms import Alarms
from cosem.meter.associations import OPEN_ASSOCIATION, AssociationDescription, Furnishing, changes
from cosem.meter.behaviour import profile_generic
from cosem.meter.events import MeterEvent
from cosem.meter.furniture import furniture
from cosem.meter.item import Item, Refusal, Visit
from cosem.meter.objects import Listener, Objects, declared, held
from cosem.meter.short_names import ShortNames
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.admission import ServerPolicy
from cosem.protocol.association.context import Naming, Negotiated
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import ProfileGeneric
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.values.data import DoubleLongUnsigned, Number
from cosem.protocol.values.obis import Obis

if TYPE_CHECKING:
    from cosem.meter.device import Meter
    from cosem.meter.metrology import Metrology

MANAGEMENT: Final = 1
"""The SAP of the management logical device, which every meter has."""

LONGEST_NAME: Final = 16
"""Octets of a logical device name: three of the manufacturer, the rest to tell its devices apart."""

DEFAULT_PERIOD: Final = 900

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)
"""Between these the clock can be set."""

_OPEN: Final = (OPEN_ASSOCIATION,)

C = TypeVar("C", bound=InterfaceClass)


@runtime_checkable
class ByTheClock(Protocol):
    """A source of values that takes what the clock shows for the true time, as it is until the clock is set."""

    def by_true_time(self, device: LogicalDevice) -> object:
        """Return a source of the same values that does not."""
        ...


class LogicalDevice:
    """One logical device: a name, a SAP, its objects and the associations it offers."""

    __slots__ = (
        *("_agenda", "_associations", "_base_names", "_listeners", "_logs", "_short_names"),
        *("_furnishings", "_replaced", "meter", "metrology", "name", "objects", "sap", "source"),
    )

    def __init__(self, meter: Meter, sap: int, name: str) -> None:
        self.meter = meter
        self.sap = sap
        self.name = _checked_name(name)
        self.source: Any = None
        self.objects = Objects()
        """The objects of the device itself, without those that every device has."""
        self._agenda: Agenda | None = None
        self._listeners: tuple[Listener, ...] = ()
        self._logs: tuple[tuple[Obis, Obis, Mapping[MeterEvent, int]], ...] = ()
        self._associations: tuple[AssociationDescription, ...] = ()
        self._furnishings: tuple[Furnishing, ...] = (Furnishing(),)
        self._base_names: dict[Obis, int] = {}
        self._short_names: ShortNames | None = None
        self._replaced = False
        self.metrology: Metrology | None = None
        """What guards what is measured, where anything does."""

    # -- describing ---------------------------------------------------------------------------------------------------

    def add(self, address: C, /, *, writable: Iterable[str] = (), base_name: int | None = None, **values: object) -> C:
        """Put an object into the device, with a value for each attribute named; return the same address.

        Plain values get the tags that the class declares (see `cosem.meter.values`); a callable is asked at each read,
        with the meter's present local time. Attributes in `writable` may be written by managing clients, and methods
        in it may be run that otherwise the meter alone runs, such as `reset` of a register. `base_name` is for clients
        that use short names; left out, the object gets one. Raises ConfigurationError for an unknown attribute, a value
        that does not fit, or a second object of that name.
        """
        added = self._own().add(address, writable=writable, **values)
        if base_name is not None:
            self._base_names[address.instance] = base_name
        self._name_anew()
        self._attend()  # from now on profiles capture
        return added

    def record(self, log: ProfileGeneric, codes: Mapping[MeterEvent, int], *, begins: bool = True) -> None:
        """Note events in a profile from now on: each code goes into the Data object that it captures, then a row.

        A meter that begins notes at once that it has power. Raises ConfigurationError where the profile or its object
        is missing.
        """
        profile = self._item(log.buffer)
        state = cast("profile_generic.Profile", profile.state)
        if not state.stores:
            raise ConfigurationError(f"{log!r}: an event log keeps its rows, and these are computed or asked for")
        columns = state.columns
        code = next((each.logical_name for each in columns if each.class_id == DataObject.class_id), None)
        if code is None:
            raise ConfigurationError(f"{log!r}: an event log captures the Data object that holds the code of the event")
        self._logs += ((log.instance, code, codes),)
        if not saving.EVENTS.isdisjoint(codes):
            saving.tell(self, profile)
        if begins:
            self._note(self._logs[-1:], MeterEvent.POWER_UP, self.meter.time())

    def listen(self, listener: Listener) -> None:
        """Tell somebody of events from now on; ConfigurationError where an object of his is missing."""
        listener.attach(self)
        self._listeners += (listener,)

    def alarm(self, alarms: Alarms, *, begins: bool = True) -> None:
        """Raise alarms from now on, of a meter that begins first that it has power.

        Raises ConfigurationError where an object is missing.
        """
        self.listen(alarms)
        if not saving.EVENTS.isdisjoint(alarms.bits):
            saving.tell(self, self._found(alarms.register))
        if begins:
            alarms.noted(self, MeterEvent.POWER_UP, self.meter.time())

    def takes_time(self, item: Item) -> None:
        """Let an object do something on its own as time passes."""
        self._own().take_time(item)
        self._attend()

    def wake(self, item: Item) -> None:
        """Let an object that many devices share do what it does, on its own too, from its first use in this one on."""
        own = self.owned(item)
        awake = own.behaviour.awake
        if awake is not None and awake.timed is not None:
            own.behaviour = awake
            self.takes_time(own)

    def put_in(self, item: Item) -> None:
        """Put a ready-made object into the device; ConfigurationError for a second one of that name."""
        self._own().put_in(item)
        self._name_anew()

    def use(self, objects: Objects, source: Any = None) -> None:
        """Begin with objects that many devices share; `source` is what their `FromSource` values ask.

        Raises ConfigurationError when the device has objects already.
        """
        if len(self.objects):
            raise ConfigurationError(f"{self!r} has objects already")
        self.objects = objects.share()
        self.source = source
        self._listeners = objects.listeners
        self._name_anew()

    def offer(self, *descriptions: AssociationDescription) -> None:
        """Offer associations; each client SAP has one. Raises ConfigurationError when it has one already."""
        for description in descriptions:
            for known in self._associations:
                if known.client == description.client:
                    raise ConfigurationError(f"client {description.client} has an association already")
            if description.keys is not None:
                self.meter.counters.check(description.keys)
            self._associations += (self.meter.faults.described(description),)
        self._furnishings = tuple(each.furnishing for each in self._associations) or (Furnishing(),)
        self.meter.offers += 1
        self._name_anew()

    def replace(self, client: int, changed: AssociationDescription) -> None:
        """Offer a client another association from now on, durably where something keeps it.

        Raises ConfigurationError when it cannot be kept; then everything stays as it is.
        """
        keys, keeper, before = changed.keys, self.meter.key_keeper, self.association(client)
        if keeper is not None:
            keeper.keep(self.name, changed)
        elif keys is not None and not keys.temporary:
            raise ConfigurationError("these keys outlive the process, and nothing was given that keeps changes")
        self.offer_instead(client, changed)
        for event in () if before is None else changes(before, changed):
            self.note(event)

    def offer_instead(self, client: int, changed: AssociationDescription) -> None:
        """Offer a client another association from now on, which somebody keeps already."""
        self._associations = tuple(changed if each.client == client else each for each in self._associations)
        self._replaced = True
        self.meter.offers += 1

    # -- what the values are ------------------------------------------------------------------------------------------

    def value(self, reference: AttributeRef[Any]) -> Any:
        """Return the present value of an attribute; ConfigurationError when there is none."""
        try:
            return reference.decode(self._item(reference).read(self.visit(), reference.index))
        except Refusal as refusal:
            raise ConfigurationError(f"{reference}: {refusal}") from refusal

    def put(self, reference: AttributeRef[Any], value: object) -> None:
        """Change an attribute from inside the meter, which needs no right; what follows a client's writing follows."""
        item = self.owned(self._item(reference))
        attribute = declared(item.kind, reference.name)
        if attribute.index in item.behaviour.adopts:
            raise ConfigurationError(f"{reference}: this is given when the object is added")
        self.meter.settle()
        item.values[attribute.index] = held(reference, attribute, value)
        written = item.behaviour.written.get(attribute.index)
        if written is not None:
            written(self.reading(self.meter.time()), item)

    # -- what dispatch and behaviours ask -----------------------------------------------------------------------------

    @property
    def associations(self) -> tuple[AssociationDescription, ...]:
        """The associations offered: those described, or one without authentication where the meter has none."""
        return self._associations or (() if self.meter.described else _OPEN)

    def association(self, client: int) -> AssociationDescription | None:
        """Return what is offered to the client with this SAP."""
        for offered in self._associations or self.associations:
            if offered.client == client:
                return offered
        return None

    def policy(self, association: AssociationDescription) -> ServerPolicy:
        """Return what the server engine must know to open `association`."""
        return association.policy(self.system_title, self.meter.counters, self.sap)

    def find(
        self, instance: Obis, association: AssociationDescription | None = None, *, short_names: bool = False
    ) -> Item | None:
        """Return the object with this logical name, as far as an association can see it at all."""
        return self.objects.find(instance) or self._furniture(association, short_names).get(instance)

    def items(self, association: AssociationDescription | None = None, *, short_names: bool = False) -> Iterator[Item]:
        """Return all objects: first those that every device has, then the others as they were added."""
        own = self.objects
        standard = (item for item in self._furniture(association, short_names).values() if item.instance not in own)
        return chain(standard, own)

    @property
    def short_names(self) -> ShortNames:
        """The base names of all objects, the same for every association; ConfigurationError where they do not fit."""
        if self._short_names is None:
            standard = {
                instance: item
                for association in self.associations
                for instance, item in self._furniture(association, True).items()
            }
            self._short_names = ShortNames(self.objects, standard.values(), self._base_names)
        return self._short_names

    def owned(self, item: Item) -> Item:
        """Return the same object as one that may change without those of other devices.

        That is so of one that was looked at while it was shared, and has a copy here since.
        """
        return self._own().find(item.instance) or item

    def visit(self, association: AssociationDescription | None = None, negotiated: Negotiated | None = None) -> Visit:
        """Return what a request of now is served with; what was due until now is done first."""
        if self.objects.timed or self.meter.has_outages:
            self.settle()
        return Visit(self, self.meter.time(), association, negotiated)

    def reading(self, time: datetime) -> Visit:
        """Return what the meter itself reads with at a time, without doing what was due."""
        return Visit(self, time)

    def security_setup_name(self, association: AssociationDescription | None) -> bytes:
        """Return the logical name of the security set-up that an association uses, zeros where it uses none."""
        if association is None or not association.ciphered:
            return bytes(6)
        return Obis.of(0, 0, 43, 0, self._number(association)).octets

    def last_received(self, number: int) -> int:
        """Return the last invocation counter received in an association."""
        keys = self.associations[number - 1].keys
        return 0 if keys is None else max(self.meter.counters.last(keys), 0)

    def siblings(self) -> tuple[LogicalDevice, ...]:
        """Return all logical devices of the meter."""
        return tuple(self.meter.devices.values())

    def set_time(self, moment: datetime, *, relative: bool = False) -> None:
        """Set the meter's clock; Refusal when no meter can live then. What is only moved is as invalid as before."""
        if not EARLIEST <= moment < LATEST:  # as it is given: in UTC the ends of the calendar would be beyond it
            raise Refusal(DataAccessResult.TYPE_UNMATCHED)
        self.meter.set_time(moment, relative=relative)

    @property
    def untouched(self) -> bool:
        """Whether all its objects are still those that it shares with others, and what it offers was never replaced."""
        return self.objects.shared and not self._replaced

    @property
    def logs(self) -> tuple[tuple[Obis, Obis, Mapping[MeterEvent, int]], ...]:
        """Its event logs: of each the profile, the object of the last code, and the codes of what it notes."""
        return self._logs

    @property
    def offers(self) -> bool:
        """Whether an association was described."""
        return bool(self._associations)

    @property
    def system_title(self) -> bytes:
        """The system title, which all logical devices share."""
        return self.meter.system_title

    @property
    def zone(self) -> tzinfo:
        """The zone of the clock."""
        return self.meter.zone

    @property
    def measuring_period(self) -> int:
        """Seconds between two captures of the first profile that captures on time, 15 minutes without one."""
        periods = (cast("profile_generic.Profile", item.state).period for item in self.objects.profiles)
        return next((period for period in periods if period), DEFAULT_PERIOD)

    def settle(self, until: datetime | None = None) -> None:
        """Do and capture what was due until now, or until a time before, before anything changes.

        Without power nothing is due.
        """
        if until is None and not self.meter.powered:
            return
        if self.objects.timed:
            self._agenda = self._agenda or Agenda()
            self._agenda.catch_up(self, until)
        self.capture(until or self.meter.time())

    def capture(self, time: datetime) -> None:
        """Capture what profiles had to capture until a time, before anything changes then."""
        if self.objects.profiles:
            visit = Visit(self, time)
            for item in self.objects.profiles:
                profile_generic.catch_up(item, visit)

    def note(self, event: MeterEvent, time: datetime | None = None) -> None:
        """Note an event in the logs that have a code for it, raise its alarms, and begin the pushes it sets off."""
        time = self.meter.time() if time is None else time
        self._note(self._logs, event, time)
        self._tell(event, time)

    def _tell(self, event: MeterEvent, time: datetime) -> None:
        for listener in self._listeners:
            listener.noted(self, event, time)
        self.meter.noted(self, event, time)

    def cleared(self, log: Obis, time: datetime) -> None:
        """Note in an event log that it was cleared."""
        logs = [each for each in self._logs if each[0] == log]
        if logs:
            self._note(logs, MeterEvent.LOG_CLEARED, time)
            self._tell(MeterEvent.LOG_CLEARED, time)

    def _note(
        self, logs: Iterable[tuple[Obis, Obis, Mapping[MeterEvent, int]]], event: MeterEvent, time: datetime
    ) -> None:
        visit = Visit(self, time)
        for log, code, codes in logs:
            profile, last = self.find(log), self.find(code)
            if event in codes and profile is not None and last is not None:
                held = last.values.get(DataObject.value.index)
                kind = type(held) if isinstance(held, Number) else DoubleLongUnsigned
                self.owned(last).values[DataObject.value.index] = kind.checked(codes[event])
                state = cast("profile_generic.Profile", profile.state)
                state.captured.capture(state, visit)

    def restart(self, before: datetime) -> None:
        """Go on from a clock that was set, which showed `before`: what it jumped over was never measured.

        Where it was only put right, rows that it jumped over are captured now, and none comes again.
        """
        now = self.meter.time()
        visit, right = Visit(self, now), abs(now.astimezone(UTC) - before.astimezone(UTC)) <= SYNCHRONIZATION
        with self.meter.seen_in(next(self.meter.eras(now))):
            for item in self.objects.profiles:
                (profile_generic.catch_up if right else profile_generic.restart)(item, visit)
        if self._agenda is not None:
            self._agenda.clock_set(self, before)
        self.note(MeterEvent.CLOCK_SET_FROM, before)
        self.note(MeterEvent.CLOCK_SET)

    def measure_truly(self) -> None:
        """Let what is measured go on by the true time, since the clock shows another one."""
        if isinstance(self.source, ByTheClock):
            self.source = self.source.by_true_time(self)

    def power_restored(self, before: datetime, now: datetime) -> None:
        """Go on at a time, from a power failure that began at another: what was in between was never measured."""
        visit = Visit(self, now)
        for item in self.objects.profiles:
            profile_generic.restart(item, visit)
        if self._agenda is not None:
            self._agenda.power_restored(self, before, now)

    @property
    def agenda(self) -> Agenda:
        """What its objects do as time passes."""
        self._agenda = self._agenda or Agenda()
        return self._agenda

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Who is told of events."""
        return self._listeners

    @property
    def timed(self) -> tuple[Item, ...]:
        """The objects that do something on their own as time passes."""
        return self.objects.timed

    def _attend(self) -> None:
        """Begin to capture and to look at the clock; objects begin when all have been described."""
        self.capture(self.meter.time())
        if self.objects.timed:
            self._agenda = self._agenda or Agenda()
            self._agenda.attend(self)

    def unshare(self) -> None:
        """Have objects of its own from now on, all of which do what they do on their own."""
        for item in list(self._own()):
            self.wake(item)

    def _own(self) -> Objects:
        if self.objects.shared:
            self.objects = self.objects.copy()
        return self.objects

    def _number(self, association: AssociationDescription | None) -> int:
        if association is None:
            return 0
        clients = [offered.client for offered in self.associations]
        return clients.index(association.client) + 1

    def _name_anew(self) -> None:
        """Forget the short names, for something has changed; where they are used, say at once what does not fit."""
        self._short_names = None
        for each in self._associations:
            if Naming.SHORT_NAMES in each.naming:
                assert self.short_names

    def _furniture(self, association: AssociationDescription | None, short_names: bool = False) -> Mapping[Obis, Item]:
        return furniture(self.sap == MANAGEMENT, self._furnishings, self._number(association), short_names)

    def _found(self, instance: Obis) -> Item:
        item = self.find(instance)
        assert item is not None  # looked for before
        return item

    def _item(self, reference: AttributeRef[Any]) -> Item:
        item = self.find(reference.instance)
        if item is None or item.class_id != reference.class_id:
            raise ConfigurationError(f"{reference}: there is no such object")
        return item

    def __repr__(self) -> str:
        return f"LogicalDevice({self.sap}, {self.name!r}, {len(self.objects)} objects)"


def _checked_name(name: str) -> str:
    if not 1 <= len(name) <= LONGEST_NAME or not name.isascii() or not name.isprintable():
        raise ConfigurationError(
            f"a logical device name has 1 to {LONGEST_NAME} printable ASCII characters, such as KFM1020012345678, "
            f"not {name!r}"
        )
    return name
