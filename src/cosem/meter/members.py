"""One attribute or method of an object: the one place that says what is allowed, then reading, writing and running."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError, LocalProtocolError, ShapeError, StateInDoubt
from cosem.meter.events import MeterEvent
from cosem.meter.item import LOGICAL_NAME, Item, Outcome, Refusal, Visit, refused
from cosem.meter.metrology import Metrology
from cosem.protocol.apdu.action import ActionResponseWithOptionalData, ActionResult, MethodDescriptor, NullData
from cosem.protocol.apdu.descriptor import ATTRIBUTE_0
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult, SelectiveAccess
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.rights import AttributeAccess, MethodAccess
from cosem.protocol.model.selection import Selection
from cosem.protocol.model.shape import decode_exactly
from cosem.protocol.values.data import Data, Structure
from cosem.protocol.values.obis import Obis


class Service(Enum):
    """What a client wants to do with a member of an object."""

    GET = "get"
    SET = "set"
    ACTION = "action"

    __hash__ = object.__hash__  # each is one object, and that of Enum is slow


def authorize(
    visit: Visit, service: Service, class_id: int, instance: Obis, member: int, selection: SelectiveAccess | None = None
) -> Item:
    """Return the object when the association may do this with it; raise Refusal otherwise.

    Every service, single or in a list, passes here, and nothing else decides about rights. What an association does
    not see is undefined to it. Attribute 0 passes where it was negotiated, and each attribute behind it by itself.
    """
    association = visit.association
    item = visit.find(instance)
    if item is None or association is None or not association.rights.shows(item):
        raise Refusal(DataAccessResult.OBJECT_UNDEFINED)
    if item.class_id != class_id:
        raise Refusal(DataAccessResult.OBJECT_CLASS_INCONSISTENT)
    guard = None if service is Service.GET else guard_of(visit, item)
    if guard is not None:
        if not guard.permits(visit):
            guard.refuse(visit)
            raise Refusal(DataAccessResult.READ_WRITE_DENIED)
        granted = _CALIBRATED[service](item, member)
    else:
        granted = _GRANTED[service](visit, item, member)
    if not granted:
        raise Refusal(DataAccessResult.READ_WRITE_DENIED)
    if selection is not None and not _may_select(visit, service, item, member):
        raise Refusal(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
    return item


def read(visit: Visit, attribute: AttributeDescriptor, access: SelectiveAccess | None) -> Data | DataAccessResult:
    """Return the Data of an attribute or of a part of it, or why there is none."""
    try:
        return reading(visit, attribute, access)(visit)
    except Refusal as refusal:
        return refusal.result


def reading(visit: Visit, attribute: AttributeDescriptor, access: SelectiveAccess | None) -> Callable[[Visit], Data]:
    """Return what reads an attribute or a part of it for whoever may read it as this association may; or Refusal."""
    index = attribute.attribute_id
    item = authorize(visit, Service.GET, attribute.class_id, attribute.instance_id, index, access)
    if index == ATTRIBUTE_0:
        return lambda asking: _read_all(asking, item)
    if access is None:
        return item.reading(index)
    select, selection = item.behaviour.selections[index], _selection(item, index, access)
    return lambda asking: select(asking, item, selection)


def write(
    visit: Visit, attribute: AttributeDescriptor, access: SelectiveAccess | None, value: Data
) -> DataAccessResult:
    """Write an attribute, and say how that ended.

    Of attribute 0, nothing is written unless every value that is given may be written and fits its attribute.
    """
    index = attribute.attribute_id
    try:
        item = authorize(visit, Service.SET, attribute.class_id, attribute.instance_id, index, access)
        values = _all_to_write(visit, item, value) if index == ATTRIBUTE_0 else {index: value}
        for number, each in values.items():
            decode_exactly(item.shape(number), each)
        _settle(visit)
        guard = guard_of(visit, item)
        for number, each in values.items():
            if guard is None:
                visit.device.owned(item).write(visit, number, each)
            else:
                guard.write(visit, item, number, each)
        if item.class_id != Clock.class_id:  # which notes by itself that it was set
            visit.device.note(MeterEvent.PARAMETERS_WRITTEN)
        _keep(visit)
    except Refusal as refusal:
        return refusal.result
    except (ShapeError, LocalProtocolError):
        return DataAccessResult.TYPE_UNMATCHED
    return DataAccessResult.SUCCESS


def run(visit: Visit, method: MethodDescriptor, parameters: Data | NullData) -> ActionResponseWithOptionalData:
    """Run a method, and say how that ended and what it returned."""
    index = method.method_id
    argument = None if isinstance(parameters, NullData) else parameters
    try:
        item = authorize(visit, Service.ACTION, method.class_id, method.instance_id, index)
        declared = item.kind.declared_methods.get(index)
        if declared is not None:
            decode_exactly(declared.argument, argument)
        run_it = item.behaviour.methods.get(index) if guard_of(visit, item) is None else item.method(index)
        if run_it is None:  # the rights of a clone are those of its original, which can do more
            raise Refusal(DataAccessResult.OTHER_REASON)
        _settle(visit)
        try:
            returned = run_it(visit, item, argument)
        except Outcome:
            _keep(visit)
            raise
        _keep(visit)
    except Refusal as refusal:
        return ActionResponseWithOptionalData(ActionResult(int(refusal.result)))
    except (ShapeError, LocalProtocolError):
        return ActionResponseWithOptionalData(ActionResult.TYPE_UNMATCHED)
    return ActionResponseWithOptionalData(ActionResult.SUCCESS, returned)


def guard_of(visit: Visit, item: Item) -> Metrology | None:
    """Return what guards an object that nobody may change as he likes."""
    metrology = visit.device.metrology
    return metrology if metrology is not None and metrology.guards(item) else None


def _settle(visit: Visit) -> None:
    """Do what was due, and take note of how everything is before it is changed."""
    meter = visit.device.meter
    meter.settle()
    if meter.memory is not None:
        meter.memory.note()


def _keep(visit: Visit) -> None:
    """Make durable what was done, before anybody is told that it was; where that fails undo it: Refusal.

    Raises StateInDoubt where nobody can say that it is undone, on which the connection ends without an answer.
    """
    meter = visit.device.meter
    try:
        meter.keep_state()
    except (ConfigurationError, StateInDoubt) as error:
        if meter.memory is not None:
            meter.memory.take_back()
        raise Refusal(DataAccessResult.HARDWARE_FAULT) from error


def _read_all(visit: Visit, item: Item) -> Data:
    """Return all attributes in a structure, null-data for those that may not be read or that hold nothing."""
    values: list[Data] = []
    for index in _numbers(item):
        try:
            values.append(authorize(visit, Service.GET, item.class_id, item.instance, index).read(visit, index))
        except Refusal:
            values.append(None)
    return Structure(values)


def _all_to_write(visit: Visit, item: Item, value: Data) -> dict[int, Data]:
    """Return what is to be written, by attribute: null-data leaves an attribute as it is."""
    numbers = _numbers(item)
    if not isinstance(value, Structure) or len(value) != len(numbers):
        raise Refusal(DataAccessResult.TYPE_UNMATCHED)
    given: dict[int, Data] = {index: each for index, each in zip(numbers, value, strict=True) if each is not None}
    for index in given:
        authorize(visit, Service.SET, item.class_id, item.instance, index)
    return given


def _numbers(item: Item) -> range:
    """Return the attributes that attribute 0 stands for: all that the class has, and none of a manufacturer's own."""
    return range(1, max((LOGICAL_NAME, *(item.kind.declared_attributes or item.attributes()))) + 1)


def _may_read(visit: Visit, item: Item, index: int) -> bool:
    assert visit.association is not None
    if index == ATTRIBUTE_0:
        return _negotiated(visit, Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET)
    # As whole numbers, for each operation on flags calls back into Python several times.
    return bool(int(visit.association.rights.attribute(item, index)) & _READ)


def _may_write(visit: Visit, item: Item, index: int) -> bool:
    assert visit.association is not None
    if index == ATTRIBUTE_0:
        return _negotiated(visit, Conformance.ATTRIBUTE_0_SUPPORTED_WITH_SET)
    return bool(visit.association.rights.attribute(item, index) & AttributeAccess.WRITE)


def _may_run(visit: Visit, item: Item, index: int) -> bool:
    assert visit.association is not None
    return bool(visit.association.rights.method(item, index) & MethodAccess.ACCESS)


def _may_select(visit: Visit, service: Service, item: Item, index: int) -> bool:
    readable = service is Service.GET and index in item.behaviour.selections
    return readable and visit.negotiated is not None and visit.negotiated.selective


def _negotiated(visit: Visit, needed: Conformance) -> bool:
    return visit.negotiated is not None and visit.negotiated.allows(needed)


_READ: Final = int(AttributeAccess.READ)
_GRANTED: Final[Mapping[Service, Callable[[Visit, Item, int], bool]]] = MappingProxyType(
    {Service.GET: _may_read, Service.SET: _may_write, Service.ACTION: _may_run}
)


_CALIBRATED: Final[Mapping[Service, Callable[[Item, int], bool]]] = MappingProxyType(
    {
        Service.SET: lambda item, index: index != LOGICAL_NAME and item.has(index),
        Service.ACTION: lambda item, index: item.method(index) is not None,
    }
)
"""What may be done with what is measured in calibration mode."""


def _selection(item: Item, index: int, access: SelectiveAccess) -> Selection:
    declared = item.kind.declared_attributes[index]
    if access.selector not in declared.selectors:
        raise Refusal(DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)
    try:
        return declared.selection(access)
    except ShapeError as error:
        raise refused(error) from error
