"""Browsing a whole meter: its logical devices, what each association shows of them, and every value that can be read.

The public client comes first, and then whoever was given. Values are read by the latter, and by the public client what
only it may read. An attribute that is refused stops nothing, and a class that nobody declared goes by number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, Protocol

from cosem.client.access import Access
from cosem.client.filled import Filled
from cosem.client.services import Services
from cosem.errors import ConfigurationError, CosemError, DataAccessError, DecodeError, ServiceError, ShapeError
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.context import Negotiated
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.mechanism import Mechanism
from cosem.protocol.model.classes.access_control import AssociationLN, SapAssignment
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import ScalerUnit, scaler_unit_of
from cosem.protocol.model.declare import InterfaceClass, object_for
from cosem.protocol.model.reference import AttributeRef, BufferRef
from cosem.protocol.model.rights import AttributeAccess, MethodAccess, ObjectListElement, object_list_of
from cosem.protocol.model.shape import ANY
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import Data, OctetString
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.store.object_lists import KnownList, ObjectLists

PUBLIC_CLIENT: Final = 16

CURRENT_ASSOCIATION: Final = Obis("0.0.40.0.0.255")
"""The object that every client sees as its own association, and each as another one."""

LOGICAL_DEVICE_NAME: Final = DataObject("0.0.42.0.0.255")

CONFIGURATION: Final = tuple(
    DataObject(instance)
    for instance in (
        "1.0.0.2.0.255",  # active firmware identifier, of the metering part
        "1.0.0.2.8.255",  # … and its signature
        "1.0.0.2.1.255",  # parameter record number
        "0.0.0.2.0.255",  # active firmware identifier, as an abstract object
        "0.0.0.2.1.255",  # … and its version
        "0.0.96.2.0.255",  # number of configuration program changes
        "0.0.96.2.1.255",  # … and the date of the last one
    )
)
"""What tells, where a meter has it, that its objects may be others than before."""

ASSOCIATIONS: Final = frozenset((12, 15))
"""Classes of association objects, of which each client sees its own."""

LARGE: Final = frozenset({(12, 2), (15, 2), (26, 4)})
"""What is as large as a buffer: lists of all objects, and the buffer of a utility table."""

GONE: Final = frozenset((DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.OBJECT_CLASS_INCONSISTENT))
"""What a meter says of an object that it has no longer."""

Progress = Callable[[str, int, int], object]
"""Is told what is being done, how much of it is done, and how much there is to do."""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


class Level(Enum):
    """How a client has to prove itself before it gets in."""

    PUBLIC = "public"
    PASSWORD = "password"  # noqa: S105  # the name of a level
    CHALLENGE = "challenge"

    @classmethod
    def of(cls, mechanism: Mechanism) -> Level:
        """Return the level of an authentication mechanism."""
        if not mechanism.identifier:
            return cls.PUBLIC
        return cls.CHALLENGE if mechanism.challenges else cls.PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is browsed.

    Attributes:
        devices: SAPs of the logical devices; all that the SAP assignment lists where None are named.
        objects: tells of each object whether it is wanted.
        attributes: tells of each attribute of those whether its value is wanted.
        values: read values at all.
        buffers: read what may be very large as well, such as the rows of profiles.
        known: where object lists are kept from the last time, None to read each anew and keep none.
        fresh: do not believe what is kept.
    """

    devices: frozenset[int] | None = None
    objects: Callable[[ObjectListElement], bool] = lambda _: True
    attributes: Callable[[AttributeRef[Any]], bool] = lambda _: True
    values: bool = True
    buffers: bool = False
    known: ObjectLists | None = None
    fresh: bool = False


EVERYTHING: Final = Wanted()

ValuesOf = Mapping[int, "Data | CosemError"]
"""The Data of attributes by their numbers, or why there is none."""


@dataclass(frozen=True, slots=True)
class View:
    """What one association shows of a logical device; `error` says why it did not open, or how it ended.

    `listed` is the object list as it came; by short names there is none. `own` are the values of the association object
    that this client sees as its current one.
    """

    client: int
    level: Level
    entry: Access
    negotiated: Negotiated | None = None
    objects: tuple[ObjectListElement, ...] = ()
    listed: Data = None
    own: ValuesOf = field(default_factory=dict[int, "Data | CosemError"])
    error: CosemError | None = None

    @property
    def opened(self) -> bool:
        """Whether the association came about at all."""
        return self.negotiated is not None


@dataclass(frozen=True, slots=True)
class BrowsedObject:
    """One object, its rights by client SAP, and what was read of it.

    `version` is what the meter says; the class of `address` is the nearest one below it that is declared.
    """

    address: InterfaceClass
    version: int
    listed: Mapping[int, ObjectListElement]
    values: ValuesOf

    @property
    def attributes(self) -> tuple[int, ...]:
        """The numbers of all attributes that any association lists, or that the class declares where none does."""
        listed = {int(item.index) for each in self.listed.values() for item in each.access_rights.attribute_access}
        return tuple(sorted(listed or self.address.declared_attributes))

    @property
    def methods(self) -> tuple[int, ...]:
        """The numbers of all methods that any association lists."""
        listed = {int(item.index) for each in self.listed.values() for item in each.access_rights.method_access}
        return tuple(sorted(listed))

    def attribute_access(self, index: int) -> dict[int, AttributeAccess]:
        """Return the rights to an attribute by client SAP."""
        return {client: each.attribute_access(index) for client, each in self.listed.items()}

    def method_access(self, index: int) -> dict[int, MethodAccess]:
        """Return the rights to a method by client SAP."""
        return {client: each.method_access(index) for client, each in self.listed.items()}

    def value(self, index: int) -> Any:
        """Return a value as its attribute declares it, the Data where it has another shape, or the error it has."""
        found = self.values[index]
        if isinstance(found, CosemError):
            return found
        try:
            return self.address.attribute(index).decode(found)
        except ShapeError:
            return found

    def quantity(self, index: int) -> Quantity | None:
        """Return a value with its unit; None for what is no scaled number."""
        at = scaler_unit_of(self.address.class_id, self.address.instance, index)
        if at is None or at.index not in self.values or index not in self.values:
            return None
        value, scaler_unit = self.value(index), self.value(at.index)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isinstance(scaler_unit, ScalerUnit):
            return None
        return Quantity.of(value, scaler_unit.scaler, scaler_unit.unit)


@dataclass(frozen=True, slots=True)
class BrowsedDevice:
    """One logical device: its SAP, its name where it tells it, what each association shows, and all objects."""

    sap: int
    name: bytes | None
    views: tuple[View, ...]
    objects: tuple[BrowsedObject, ...]

    @property
    def title(self) -> bytes | None:
        """The system title of the meter, where an association told it."""
        told = (view.negotiated.peer_title for view in self.views if view.negotiated is not None)
        return next((title for title in told if title), None)


class Entering(Protocol):
    """What opens associations: either client."""

    url: ConnectionUrl
    entry: Access

    async def enter(self, url: ConnectionUrl, entry: Access | None = None) -> tuple[Services, Negotiated]: ...


async def survey(
    client: Entering, wanted: Wanted = EVERYTHING, progress: Progress = no_progress
) -> tuple[BrowsedDevice, ...]:
    """Browse a meter (see `Operations.survey`)."""
    told: dict[int, bytes] = {}
    if wanted.devices is not None:
        saps = sorted(wanted.devices)
        return tuple([await _Device(client, sap, wanted, progress, told).browse() for sap in saps])
    first = await _Device(client, client.url.server, wanted, progress, told).browse()
    others = sorted(told.keys() - {first.sap})
    return (first, *[await _Device(client, sap, wanted, progress, told).browse() for sap in others])


class _Device:
    """One logical device under way; `told` are the names of all by SAP, as the SAP assignment tells them."""

    def __init__(self, client: Entering, sap: int, wanted: Wanted, progress: Progress, told: dict[int, bytes]) -> None:
        self._client = client
        self._url = replace(client.url, server=sap)
        self._wanted = wanted
        self._progress = progress
        self._told = told
        self._values: dict[AttributeRef[Any], Data | CosemError] = {}

    async def browse(self) -> BrowsedDevice:
        """Look at the device through both associations, and then once more for what only the public one may read."""
        views: list[View] = []
        given = self._client.entry
        if self._url.client != PUBLIC_CLIENT and given.pre_established is None:
            public = Access(
                dialect=given.dialect,
                permitted=given.permitted,
                naming=given.naming,
                max_receive_pdu_size=given.max_receive_pdu_size,
            )
            views.append(await self._look(View(PUBLIC_CLIENT, Level.PUBLIC, public), values=False))
        last = await self._look(View(self._url.client, Level.of(given.mechanism), given), values=True)
        if views:
            views[0] = await self._read_rest(views[0])
        return self._browsed((*views, last))

    async def _look(self, view: View, *, values: bool) -> View:
        """Open an association, list what it shows and, where it is to read `values`, read them."""
        self._progress(f"device {self._url.server}, client {view.client}", 0, 0)
        try:
            services, negotiated = await self._enter(view)
        except ConfigurationError:  # of ours, and nothing was sent
            raise
        except CosemError as error:
            return replace(view, error=error)
        try:
            return await self._seen(replace(view, negotiated=negotiated), services, values=values)
        except CosemError as error:  # it does not show its objects, or ended over it
            return replace(view, negotiated=negotiated, error=error)
        finally:
            await services.exchange.close()

    async def _enter(self, view: View) -> tuple[Services, Negotiated]:
        entry = None if view.entry is self._client.entry else view.entry
        return await self._client.enter(replace(self._url, client=view.client), entry)

    async def _seen(self, view: View, services: Services, *, values: bool) -> View:
        filled = Filled(services)
        assert view.negotiated is not None
        known = self._wanted.known if values and not view.negotiated.by_short_names else None
        key = None if known is None else await self._key(view, filled)
        kept = known.find(*key) if known is not None and key is not None and not self._wanted.fresh else None
        seen = None if kept is None else _kept(view, kept)
        if seen is not None and kept is not None:
            filled.most = filled.most if kept.most is None else kept.most
            found = await self._read(seen, filled, values=values)
            if not any(isinstance(each, DataAccessError) and each.result in GONE for each in found.values()):
                return self._with_values(seen, found)
            # Something is gone that was there when the list was kept: that list is an old one.
        seen = await _listed(view, services)
        found = await self._read(seen, filled, values=values)
        if known is not None and key is not None and seen.listed is not None:
            known.keep(*key, KnownList(axdr.encode(seen.listed), filled.most))
        return self._with_values(seen, found)

    async def _key(self, view: View, filled: Filled) -> tuple[str, str] | None:
        """Return what identifies the association, and its configuration; None where the meter does not say who it is.

        What was asked for that is not asked for again: the names and numbers are values like others.
        """
        negotiated = view.negotiated
        assert negotiated is not None
        asked = [_raw(each.value) for each in (LOGICAL_DEVICE_NAME, *CONFIGURATION)]
        answers = await filled.read(asked)
        if not negotiated.peer_title and isinstance(answers[0], CosemError):
            return None
        self._values.update(zip(asked, answers, strict=True))
        title = (negotiated.peer_title or b"").hex()
        who = (title, _told(answers[0]), self._url.server, view.client, int(negotiated.mechanism))
        return " ".join(map(str, who)), " ".join(map(_told, answers[1:]))

    async def _read(self, view: View, filled: Filled, *, values: bool) -> dict[AttributeRef[Any], Data | CosemError]:
        """Read what is wanted of what an association shows; without `values` only what tells who the meter is."""
        small: dict[AttributeRef[Any], None] = {}
        large: list[AttributeRef[Any]] = []
        for listed in view.objects:
            for each in self._wanted_of(view, listed, values=values):
                if is_large(each):
                    large.append(each)
                else:
                    small[each] = None
        asked = [each for each in small if each not in self._values or _is_own(each)]
        total, done = len(asked) + len(large), 0

        def counted(count: int) -> None:
            nonlocal done
            done += count
            self._progress(f"device {self._url.server}, client {view.client}", done, total)

        found = dict(zip(asked, await filled.read(asked, counted), strict=True))
        for each in large:  # one by one, for each may be longer than anything else
            (found[each],) = await filled.read([each], counted)
        return found

    def _wanted_of(self, view: View, listed: ObjectListElement, *, values: bool) -> Iterable[AttributeRef[Any]]:
        """Return what is to be read of one object, its Data as they come."""
        address = object_for(listed.class_id, listed.version, listed.logical_name)
        if address == LOGICAL_DEVICE_NAME:
            yield _raw(LOGICAL_DEVICE_NAME.value)
        if address == SapAssignment() and self._url.server == self._client.url.server:
            yield _raw(SapAssignment().sap_assignment_list)
        wanted = self._wanted
        own, association = listed.logical_name == CURRENT_ASSOCIATION, listed.class_id in ASSOCIATIONS
        if not wanted.values or not (values or association) or not wanted.objects(listed):
            return
        for index in readable(listed, address):
            reference = address.attribute(index)
            if index == address.logical_name.index or not wanted.attributes(reference):
                continue
            if is_large(reference) and (not wanted.buffers or (own and view.listed is not None)):
                continue
            yield _raw(reference)

    def _with_values(self, view: View, found: Mapping[AttributeRef[Any], Data | CosemError]) -> View:
        """Take in what was read; the association's own object is another one for each client."""
        own = {each.index: value for each, value in found.items() if _is_own(each)}
        self._values.update({each: value for each, value in found.items() if not _is_own(each)})
        assigned = self._values.get(_raw(SapAssignment().sap_assignment_list))
        if not isinstance(assigned, CosemError):
            try:
                listed = SapAssignment().sap_assignment_list.decode(assigned)
            except ShapeError:
                listed = ()
            self._told.update({each.sap: each.logical_device_name for each in listed})
        ended = (each for each in found.values() if isinstance(each, CosemError) and not _is_answer(each))
        return replace(view, own=own, error=next(ended, None))

    async def _read_rest(self, view: View) -> View:
        """Read what the public client may read and nobody else has read: mostly nothing."""
        rest = [
            each
            for listed in view.objects
            for each in self._wanted_of(view, listed, values=True)
            if not _is_own(each) and each not in self._values
        ]
        if not rest or not view.opened:
            return view
        try:
            services, _ = await self._enter(view)
        except CosemError as error:
            return replace(view, error=error)
        try:
            answers = await Filled(services).read(rest)
        finally:
            await services.exchange.close()
        return replace(self._with_values(view, dict(zip(rest, answers, strict=True))), own=view.own)

    def _browsed(self, views: tuple[View, ...]) -> BrowsedDevice:
        listed: dict[tuple[int, int, Obis], dict[int, ObjectListElement]] = {}
        for view in reversed(views):
            for each in view.objects:
                if self._wanted.objects(each):
                    name = (each.class_id, each.version, each.logical_name)
                    listed.setdefault(name, {})[view.client] = each
        objects = [self._object(name, by_client, views) for name, by_client in listed.items()]
        own = self._values.get(_raw(LOGICAL_DEVICE_NAME.value))
        told = bytes(own) if isinstance(own, bytes) else self._told.get(self._url.server)
        return BrowsedDevice(self._url.server, told, views, tuple(objects))

    def _object(
        self, name: tuple[int, int, Obis], listed: Mapping[int, ObjectListElement], views: tuple[View, ...]
    ) -> BrowsedObject:
        address, version = object_for(*name), int(name[1])
        by_client = {view.client: listed[view.client] for view in views if view.client in listed}
        values: dict[int, Data | CosemError] = {}
        if self._wanted.values:
            found = BrowsedObject(address, version, by_client, values)
            for index in found.attributes:
                value = self._value(address.attribute(index), views)
                if value is not _UNREAD:
                    values[index] = value
        return BrowsedObject(address, version, by_client, values)

    def _value(self, reference: AttributeRef[Any], views: tuple[View, ...]) -> Any:
        if not self._wanted.attributes(reference):
            return _UNREAD
        if reference.index == 1:
            return OctetString(reference.instance.octets)
        if _is_own(reference):
            if self._wanted.buffers and is_large(reference):
                return next((view.listed for view in reversed(views) if view.listed is not None), _UNREAD)
            return next((view.own[reference.index] for view in reversed(views) if reference.index in view.own), _UNREAD)
        return self._values.get(_raw(reference), _UNREAD)


_UNREAD: Final = object()


def readable(listed: ObjectListElement, address: InterfaceClass) -> tuple[int, ...]:
    """Return the attributes that an association lets be read, all that are declared where it tells no rights."""
    items = listed.access_rights.attribute_access
    if not items:
        return tuple(address.declared_attributes)
    return tuple(int(item.index) for item in items if item.access & AttributeAccess.READ)


async def _listed(view: View, services: Services) -> View:
    """Read the object list anew."""
    assert view.negotiated is not None
    if view.negotiated.by_short_names:
        return replace(view, objects=await services.objects(AssociationLN()))
    data: Data = await services.get(_raw(AssociationLN(CURRENT_ASSOCIATION).object_list))
    return replace(view, objects=object_list_of(data, CURRENT_ASSOCIATION), listed=data)


def _kept(view: View, known: KnownList) -> View | None:
    """Take the object list that was kept; None where what was kept is none."""
    try:
        data = axdr.decode_all(known.octets)
        return replace(view, objects=object_list_of(data, CURRENT_ASSOCIATION), listed=data)
    except (DecodeError, ShapeError):
        return None


def _raw(reference: AttributeRef[Any]) -> AttributeRef[Any]:
    """Return a reference whose value is the Data as it came."""
    return replace(reference, shape=ANY)


def _is_own(reference: AttributeRef[Any]) -> bool:
    return reference.instance == CURRENT_ASSOCIATION


def is_large(reference: AttributeRef[Any]) -> bool:
    """Tell whether an attribute may be very large, and is read only where that is wanted."""
    return isinstance(reference, BufferRef) or (reference.class_id, reference.index) in LARGE


def _is_answer(error: CosemError) -> bool:
    """Tell whether an error is of one attribute, and not of the session."""
    return isinstance(error, ServiceError | ShapeError)


def _told(answer: Data | CosemError) -> str:
    """Return a value, or why there is none, as what two of them are compared by."""
    return type(answer).__name__ + str(answer) if isinstance(answer, CosemError) else axdr.encode(answer).hex()
