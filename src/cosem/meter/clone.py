"""A meter made of a snapshot: it shows to each client what its original showed, with the rights that it had there.

Values stand still, but for the clock, which goes on in the offset from UTC that it had, the association that a client
is in, and the invocation counters. What was not read of the original is unavailable, what was refused is refused in the
same way, and methods other than those of the clock are not run. The snapshot has no keys and passwords; a clone is
given new ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Final, cast

from cosem.errors import ConfigurationError, DecodeError, ShapeError
from cosem.meter import behaviour as behaviours
from cosem.meter.associations import AssociationDescription, Furnishing, Keys
from cosem.meter.behaviour import association_ln
from cosem.meter.behaviour.profile_generic import Profile, Row, Rows
from cosem.meter.device import Meter, system_clock
from cosem.meter.faults import WELL_BEHAVED, Faults
from cosem.meter.item import Behaviour, Item, Read, Refusal, Visit
from cosem.meter.logical_device import LONGEST_NAME, MANAGEMENT, LogicalDevice
from cosem.meter.rights import Access, Rights
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.association.security import Protection
from cosem.protocol.crypto.gcm import TITLE_OCTETS
from cosem.protocol.crypto.mechanism import MECHANISMS, SharedSecret
from cosem.protocol.model.classes.access_control import AssociationLNVersion1
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import ProfileGenericCommon
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.declare import object_for
from cosem.protocol.model.rights import AttributeAccess, MethodAccess, ObjectListElement, object_list_of
from cosem.protocol.values.data import Data, DoubleLongUnsigned, Enumerated, OctetString, Structure
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.store.snapshot import Cell, RecordedAssociation, RecordedDevice, RecordedObject, Snapshot

ASSOCIATIONS: Final = frozenset((12, 15))
CURRENT_ASSOCIATION: Final = Obis("0.0.40.0.0.255")
OBJECT_LIST: Final = 2
SECURITY_SETUP: Final = 9
UNLISTED_ASSOCIATION: Final = (AssociationLNVersion1.class_id, AssociationLNVersion1.version)
"""What the current association is taken for where its original did not list it."""
INVOCATION_COUNTERS: Final = ObisPattern("0.*.43.1.*.255")
CLOCK: Final = Clock.class_id
PROFILE: Final = ProfileGenericCommon.buffer.index
SMALLEST_PDU: Final = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """The new secrets of one association: the password, HLS secret or signing keys, and the symmetric keys."""

    secret: SharedSecret | None = None
    keys: Keys | None = None


Entries = Callable[[RecordedAssociation], Entry]
"""Gives each association its secrets."""


def clone(
    snapshot: Snapshot,
    entries: Entries = lambda _: Entry(),
    *,
    clock: Callable[[], datetime] = system_clock,
    counters: CounterStore | None = None,
    faults: Faults = WELL_BEHAVED,
) -> Meter:
    """Return a meter that is as a snapshot says.

    Args:
        snapshot: what was read of the original.
        entries: gives the secrets for each association.
        clock: the true time.
        counters: keeps invocation counters over restarts; needed where lasting keys are given.
        faults: what it does wrong, other than the original.

    Warns of an association that cannot be offered, such as one with signed messages. Raises ConfigurationError when
    there is no logical device at all.
    """
    first = management_of(snapshot)
    title = first.system_title if len(first.system_title or b"") == TITLE_OCTETS else None
    meter = Meter(
        _name(first), zone=zone_of(first) or UTC, clock=clock, counters=counters, system_title=title, faults=faults
    )
    for recorded in snapshot.devices:
        device = meter.management if recorded is first else meter.add_device(recorded.sap, _name(recorded))
        _furnish(device, recorded, entries)
    return meter


def management_of(snapshot: Snapshot) -> RecordedDevice:
    """Return the management logical device of a snapshot, or what stands for it. ConfigurationError without any."""
    if not snapshot.devices:
        raise ConfigurationError("the snapshot has no logical device")
    return next((each for each in snapshot.devices if each.sap == MANAGEMENT), snapshot.devices[0])


@dataclass(frozen=True, slots=True)
class RecordedRights(Rights):
    """The rights that an association of the original gave to each object."""

    listed: Mapping[Obis, ObjectListElement] = field(default_factory=dict[Obis, ObjectListElement], hash=False)

    def attribute(self, item: Item, index: int) -> AttributeAccess:
        """Return what may be done with attribute `index` of `item`."""
        listed, current = self.listed.get(item.instance), item.instance == CURRENT_ASSOCIATION
        if listed is None:  # many meters do not list the association itself, and let it be read all the same
            return AttributeAccess.READ if current and item.has(index) else AttributeAccess.NONE
        if not listed.access_rights.attribute_access:
            return AttributeAccess.READ
        granted = listed.attribute_access(index)
        return granted | AttributeAccess.READ if current and index == OBJECT_LIST else granted

    def method(self, item: Item, index: int) -> MethodAccess:
        """Return whether method `index` of `item` may be run."""
        listed = self.listed.get(item.instance)
        return MethodAccess.NONE if listed is None else listed.method_access(index)

    def shows(self, item: Item) -> bool:
        """Tell whether the association knows of `item` at all."""
        return item.instance in self.listed or item.instance == CURRENT_ASSOCIATION


class RecordedRows:
    """The rows of a buffer, in its order; nothing is captured any more."""

    __slots__ = ("_rows",)

    exact = False

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    def rows(self, profile: Profile, visit: Visit, start: datetime | None, end: datetime | None) -> Rows:
        return self._rows

    def count(self, profile: Profile, visit: Visit) -> int:
        return len(self._rows)


def items_of(recorded: RecordedDevice) -> Iterator[Item]:
    """Give the objects of a recorded device, which any number of meters may share: of two of one name the first."""
    taken: set[Obis] = set()
    for each in recorded.objects:
        if each.instance not in taken:
            taken.add(each.instance)
            yield _item(each, recorded)


def _furnish(device: LogicalDevice, recorded: RecordedDevice, entries: Entries) -> None:
    for item in items_of(recorded):
        device.put_in(item)
    if CURRENT_ASSOCIATION not in device.objects:
        device.put_in(_item(RecordedObject(*UNLISTED_ASSOCIATION, CURRENT_ASSOCIATION, {}), recorded))
    for association in recorded.associations:
        try:
            device.offer(_described(association, entries(association)))
        except ConfigurationError as error:
            warnings.warn(f"client {association.client} of {device.name} is left out: {error}", stacklevel=3)


def _described(association: RecordedAssociation, entry: Entry) -> AssociationDescription:
    mechanism = MECHANISMS.get(association.mechanism)
    if mechanism is None:
        raise ConfigurationError(f"authentication mechanism {association.mechanism} is the manufacturer's own")
    listed = object_list_of(association.object_list, CURRENT_ASSOCIATION)
    size = association.max_pdu_size or 0xFFFF
    return AssociationDescription(
        client=association.client,
        name=association.level,
        mechanism=mechanism,
        secret=entry.secret,
        keys=entry.keys,
        protection=Protection(association.protection),
        rights=RecordedRights(Access.READ, listed={each.logical_name: each for each in listed}),
        conformance=Conformance(association.conformance) & IMPLEMENTED_LOGICAL_NAME_SERVICES,
        max_receive_pdu_size=max(size, SMALLEST_PDU),
    )


def _item(recorded: RecordedObject, device: RecordedDevice) -> Item:
    address = object_for(recorded.class_id, recorded.version, recorded.instance)
    item = Item(address, {index: _held(cell) for index, cell in recorded.attributes.items() if index != 1})
    item.version = recorded.version
    if recorded.class_id in ASSOCIATIONS:
        _make_association(item, recorded, device)
    elif recorded.class_id == CLOCK:
        _make_clock(item)
    elif recorded.class_id == DataObject.class_id and INVOCATION_COUNTERS.matches(recorded.instance):
        _make_counter(item, device)
    elif isinstance(address, ProfileGenericCommon) and PROFILE in item.values:
        _make_profile(item)
    return item


def _held(cell: Cell) -> Any:
    if cell.refused is None:
        return cell.data
    result = DataAccessResult(cell.refused)

    def refuse(_: datetime) -> object:
        raise Refusal(result)

    return refuse


def _make_association(item: Item, recorded: RecordedObject, device: RecordedDevice) -> None:
    """Let each client see the association that it is in; what was not read of it is what it is now.

    Of the others it sees whether their clients are there now.
    """
    lists = {each.client: each.object_list for each in device.associations}
    own = {each.client: each.own for each in device.associations} if item.instance == CURRENT_ASSOCIATION else {}
    other = None if item.instance == CURRENT_ASSOCIATION else _client_of(item)
    live: Mapping[int, Read] = association_ln.behaviour(Furnishing()).reads if own else {}
    usual, item.values = item.values, {}
    numbers = {*usual, *live, *(index for cells in own.values() for index in cells), OBJECT_LIST}

    def read_of(index: int) -> Read:
        def read(visit: Visit, item: Item) -> Data:
            client = None if visit.association is None else visit.association.client
            if client in own and index in own[client]:
                held = _held(own[client][index])
            elif index == OBJECT_LIST and client in lists and item.instance == CURRENT_ASSOCIATION:
                held = lists[client]
            elif index in live:
                return live[index](visit, item)
            elif index == association_ln.STATUS and other not in (None, client):
                return Enumerated(association_ln.status_of(visit.device, other))
            elif index in usual:
                held = usual[index]
            else:
                raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
            return cast("Data", held(visit.time) if callable(held) else held)

        return read

    item.behaviour = Behaviour(reads={index: read_of(index) for index in sorted(numbers)})


def _client_of(item: Item) -> int | None:
    """Return whose association an object is of, as far as it was read; None for one of a client by short names."""
    partners = item.values.get(association_ln.PARTNERS)
    if item.class_id != AssociationLNVersion1.class_id or not isinstance(partners, Structure) or not partners:
        return None
    client = partners[0]
    return int(client) if isinstance(client, int) else None


def _make_counter(item: Item, device: RecordedDevice) -> None:
    """Let an invocation counter tell the last one received, in the association whose security set-up has the same E.

    Where the snapshot does not say which that is, it is the first one with keys: clients need it to get in at all.
    Without any, and where it is of another type than counters have, it stays what it was.
    """
    usual = item.values.get(DataObject.value.index)
    if not isinstance(usual, DoubleLongUnsigned):
        return
    octets = item.instance.octets
    setup = OctetString(bytes((*octets[:3], 0, *octets[4:])))
    users = {each.client for each in device.associations if _data_of(each.own.get(SECURITY_SETUP)) == setup}

    def received(visit: Visit, _: Item) -> Data:
        counted = {
            each.client: number for number, each in enumerate(visit.device.associations, 1) if each.keys is not None
        }
        number = next((counted[client] for client in (*sorted(users), *counted) if client in counted), None)
        return usual if number is None else DoubleLongUnsigned(visit.device.last_received(number))

    def refuse(*_: object) -> None:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)

    del item.values[DataObject.value.index]
    item.behaviour = Behaviour(reads={DataObject.value.index: received}, writes={DataObject.value.index: refuse})


def _data_of(cell: Cell | None) -> Data:
    return None if cell is None else cell.data


def _make_clock(item: Item) -> None:
    """Let the clock go on, and write its time as it was written."""
    usual = item.behaviour = behaviours.of(CLOCK)
    told = item.values.get(Clock.time.index)
    time = _date_time(told)
    if time is None:
        return

    def now(visit: Visit, _: Item) -> Data:
        present = DateTime.from_datetime(visit.time)
        present = present.replace(
            weekday=None if time.weekday is None else present.weekday,
            hundredths=None if time.hundredths is None else present.hundredths,
            deviation=time.deviation,
            status=time.status,
        )
        return present if isinstance(told, DateTime) else OctetString(present.octets)

    del item.values[Clock.time.index]
    item.behaviour = replace(usual, reads={**usual.reads, Clock.time.index: now})


def _make_profile(item: Item) -> None:
    """Let the rows that were read be selected from; where they are of no known form, they stay a value."""
    try:
        kind = cast("type[ProfileGenericCommon]", item.kind)
        columns = tuple(kind.capture_objects.shape.decode(item.values[kind.capture_objects.index]))
        rows = kind.buffer.shape.decode(item.values[PROFILE])
    except (KeyError, ShapeError):
        return
    period = item.values.get(kind.capture_period.index)
    item.state = Profile(
        columns, int(period) if isinstance(period, int) else 0, max(len(rows), 1), False, RecordedRows(rows)
    )
    usual = behaviours.of(item.class_id)
    item.behaviour = replace(usual, methods={}, writes={})


def _date_time(data: object) -> DateTime | None:
    if isinstance(data, DateTime):
        return data
    try:
        return DateTime.from_octets(bytes(data)) if isinstance(data, bytes) else None
    except DecodeError:
        return None


def zone_of(device: RecordedDevice) -> tzinfo | None:
    """Return the offset from UTC that the clock had when it was read, None where it did not say."""
    for each in device.objects:
        cell = each.attributes.get(Clock.time.index)
        time = None if each.class_id != CLOCK or cell is None else _date_time(cell.data)
        if time is not None and time.zone is not None:
            return time.zone
    return None


def _name(device: RecordedDevice) -> str:
    """Return the name of a device as a meter can have it; what it tells is what was recorded."""
    name = device.name.decode("ascii", "replace")[:LONGEST_NAME]
    return name if name and name.isascii() and name.isprintable() else f"CLONE{device.sap}"
