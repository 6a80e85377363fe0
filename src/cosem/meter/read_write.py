"""Serving Read and Write: what a short name stands for is read, written or run as it is by its logical name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from cosem.meter.item import Visit
from cosem.meter.members import read, run, write
from cosem.meter.room import Room
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.action import ActionResult, MethodDescriptor, NullData
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult, SelectiveAccess
from cosem.protocol.apdu.short_name import (
    NO_SELECTOR,
    ParameterizedAccess,
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    VariableName,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.codec.schema import NULL_DATA
from cosem.protocol.values.data import Data
from cosem.protocol.values.obis import Obis


def answer_read(visit: Visit, request: ReadRequest) -> Apdu:
    """Return the results of a Read, item by item; what the response has no room for ends in other-reason."""
    room = Room(visit)
    return ReadResponse(
        tuple(
            room.used_by(_read_one(visit, each)) if room.left > 0 else DataAccessResult.OTHER_REASON
            for each in request.variable_access_specification
        )
    )


def answer_write(visit: Visit, request: WriteRequest | UnconfirmedWriteRequest) -> Apdu:
    """Return the results of a Write, item by item; of an unconfirmed one nobody hears them."""
    asked, values = request.variable_access_specification, request.list_of_data
    if len(asked) != len(values):  # nobody can tell which value belongs to which name
        return WriteResponse((DataAccessResult.OTHER_REASON,) * len(asked))
    results = (_write_one(visit, each, value) for each, value in zip(asked, values, strict=True))
    return WriteResponse(tuple(NULL_DATA if each is DataAccessResult.SUCCESS else each for each in results))


def _read_one(visit: Visit, asked: Any) -> Data | DataAccessResult:
    if not isinstance(asked, VariableName | ParameterizedAccess):
        return DataAccessResult.DATA_BLOCK_UNAVAILABLE
    selection = SelectiveAccess(asked.selector, asked.parameter) if isinstance(asked, ParameterizedAccess) else None
    found = visit.locate(asked.variable_name)
    if found is None:
        return DataAccessResult.OBJECT_UNDEFINED
    class_id, instance, (index, is_method) = found
    if not is_method:
        return read(visit, AttributeDescriptor(class_id, instance, index), selection)
    if selection is not None and selection.selector != NO_SELECTOR:
        return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    return _run(visit, class_id, instance, index, NULL_DATA if selection is None else selection.parameters)


def _write_one(visit: Visit, asked: Any, value: Data) -> DataAccessResult:
    if not isinstance(asked, VariableName | ParameterizedAccess):
        return DataAccessResult.DATA_BLOCK_UNAVAILABLE
    found = visit.locate(asked.variable_name)
    if found is None:
        return DataAccessResult.OBJECT_UNDEFINED
    class_id, instance, (index, is_method) = found
    selection = SelectiveAccess(asked.selector, asked.parameter) if isinstance(asked, ParameterizedAccess) else None
    if not is_method:
        return write(visit, AttributeDescriptor(class_id, instance, index), selection, value)
    if selection is not None:
        return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    ended = _run(visit, class_id, instance, index, value)
    return ended if isinstance(ended, DataAccessResult) else DataAccessResult.SUCCESS


def _run(
    visit: Visit, class_id: int, instance: Obis, index: int, parameters: Data | NullData
) -> Data | DataAccessResult:
    """Run a method; its result, if it is none, has the same number among data-access-results."""
    response = run(visit, MethodDescriptor(class_id, instance, index), parameters)
    if response.result is not ActionResult.SUCCESS:
        return DataAccessResult(int(response.result))
    returned = response.return_parameters
    return None if isinstance(returned, NullData) else returned


ANSWERS: Final[Mapping[type, Callable[[Visit, Any], Apdu]]] = MappingProxyType(
    {ReadRequest: answer_read, WriteRequest: answer_write, UnconfirmedWriteRequest: answer_write}
)
"""Who answers a request by short names."""
