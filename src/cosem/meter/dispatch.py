"""Serving requests: which response belongs to a request, item by item where it has several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cosem.meter import read_write
from cosem.meter.item import Visit
from cosem.meter.known_requests import read_each
from cosem.meter.members import read, run, write
from cosem.meter.room import Room
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.access import (
    BREAK_ON_ERROR,
    SELF_DESCRIPTIVE,
    AccessRequest,
    AccessRequestAction,
    AccessRequestGet,
    AccessRequestGetWithSelection,
    AccessRequestSet,
    AccessRequestSetWithSelection,
    AccessResponse,
    AccessResponseAction,
    AccessResponseGet,
    AccessResponseSet,
    AccessResponseSpecification,
)
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResult,
    NullData,
)
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
)
from cosem.protocol.apdu.set import SetRequestNormal, SetRequestWithList, SetResponseNormal, SetResponseWithList
from cosem.protocol.association.access import RESULT_OF
from cosem.protocol.values.data import Data
from cosem.protocol.values.dates import DateTime


def answer(visit: Visit, request: object) -> Apdu:
    """Return the response to a whole request."""
    return _ANSWERS[type(request)](visit, request)


def _get(visit: Visit, request: GetRequestNormal) -> Apdu:
    return GetResponseNormal(request.invoke_id_and_priority, *read_each(visit, request, (request,)))


def _get_list(visit: Visit, request: GetRequestWithList) -> Apdu:
    room, asked = Room(visit), request.attributes
    results: list[Data | DataAccessResult] = []
    for value in read_each(visit, request, asked):
        results.append(room.used_by(value))
        if room.left <= 0:
            break
    results += [DataAccessResult.OTHER_REASON] * (len(asked) - len(results))
    return GetResponseWithList(request.invoke_id_and_priority, tuple(results))


def _set(visit: Visit, request: SetRequestNormal) -> Apdu:
    result = write(visit, request.attribute, request.access_selection, request.value)
    return SetResponseNormal(request.invoke_id_and_priority, result)


def _set_list(visit: Visit, request: SetRequestWithList) -> Apdu:
    if len(request.attributes) == len(request.values):
        results = tuple(
            write(visit, each.attribute, each.access_selection, value)
            for each, value in zip(request.attributes, request.values, strict=True)
        )
    else:  # nobody can tell which value belongs to which attribute
        results = (DataAccessResult.OTHER_REASON,) * len(request.attributes)
    return SetResponseWithList(request.invoke_id_and_priority, results)


def _act(visit: Visit, request: ActionRequestNormal) -> Apdu:
    response = run(visit, request.method, request.parameters)
    return ActionResponseNormal(request.invoke_id_and_priority, response)


def _act_list(visit: Visit, request: ActionRequestWithList) -> Apdu:
    if len(request.methods) == len(request.parameters):
        room = Room(visit)
        responses = tuple(
            room.used_by_method(run(visit, method, parameters)) if room.left > 0 else _NOT_RUN
            for method, parameters in zip(request.methods, request.parameters, strict=True)
        )
    else:
        responses = (_NOT_RUN,) * len(request.methods)
    return ActionResponseWithList(request.invoke_id_and_priority, responses)


def _access(visit: Visit, request: AccessRequest) -> Apdu:
    """Carry out each item in its order; what is not begun, after an error or for want of room, ends in other-reason."""
    invoke_id, asked = request.long_invoke_id_and_priority, request.access_request_specification
    values: list[Data] = []
    results: list[AccessResponseSpecification] = []
    room, broken = Room(visit), False
    for specification, given in zip(asked, request.access_request_list_of_data, strict=True):
        kind = type(specification)
        value, result = (None, _OTHER_REASON[RESULT_OF[kind]])
        if room.left > 0 and not broken:
            value, result = _ACCESSES[kind](visit, specification, given)
            room.used_by(value)
        broken = broken or (bool(invoke_id & BREAK_ON_ERROR) and int(result.result) != DataAccessResult.SUCCESS)
        values.append(value)
        results.append(result)
    # A request that says when it was made is answered with the time of the meter, one that does not without.
    time = DateTime.from_datetime(visit.device.meter.time()).octets if request.date_time else b""
    repeated = asked if invoke_id & SELF_DESCRIPTIVE else None
    return AccessResponse(invoke_id, time, repeated, tuple(values), tuple(results))


def _access_get(visit: Visit, asked: Any, _given: Data) -> tuple[Data, AccessResponseSpecification]:
    answered = read(visit, asked.attribute, getattr(asked, "access_selection", None))
    if isinstance(answered, DataAccessResult):
        return None, AccessResponseGet(answered)
    return answered, AccessResponseGet(DataAccessResult.SUCCESS)


def _access_set(visit: Visit, asked: Any, given: Data) -> tuple[Data, AccessResponseSpecification]:
    return None, AccessResponseSet(write(visit, asked.attribute, getattr(asked, "access_selection", None), given))


def _access_action(visit: Visit, asked: Any, given: Data) -> tuple[Data, AccessResponseSpecification]:
    response = run(visit, asked.method, given)
    returned = response.return_parameters
    assert not isinstance(returned, DataAccessResult | NullData), "a method of ours returns Data, or None for nothing"
    return returned, AccessResponseAction(response.result)


_ACCESSES: Final[Mapping[type, Callable[[Visit, Any, Data], tuple[Data, AccessResponseSpecification]]]] = (
    MappingProxyType(
        {
            AccessRequestGet: _access_get,
            AccessRequestGetWithSelection: _access_get,
            AccessRequestSet: _access_set,
            AccessRequestSetWithSelection: _access_set,
            AccessRequestAction: _access_action,
        }
    )
)
"""Who carries out an item of ACCESS."""

_OTHER_REASON: Final[Mapping[type, AccessResponseSpecification]] = MappingProxyType(
    {
        AccessResponseGet: AccessResponseGet(DataAccessResult.OTHER_REASON),
        AccessResponseSet: AccessResponseSet(DataAccessResult.OTHER_REASON),
        AccessResponseAction: AccessResponseAction(ActionResult.OTHER_REASON),
    }
)
_NOT_RUN: Final = ActionResponseWithOptionalData(ActionResult.OTHER_REASON)


_Answer: TypeAlias = Callable[[Visit, Any], Apdu]

_ANSWERS: Final[Mapping[type, _Answer]] = MappingProxyType(
    {
        GetRequestNormal: _get,
        GetRequestWithList: _get_list,
        SetRequestNormal: _set,
        SetRequestWithList: _set_list,
        ActionRequestNormal: _act,
        ActionRequestWithList: _act_list,
        AccessRequest: _access,
        **read_write.ANSWERS,
    }
)
"""Who answers a request; requests in parts are joined by the engine before they come here."""
