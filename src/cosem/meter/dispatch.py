"""Serving requests: which response belongs to a request, item by item where it has several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from cosem.meter.item import Visit
from cosem.meter.members import read, run, write
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResult,
)
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
)
from cosem.protocol.apdu.set import SetRequestNormal, SetRequestWithList, SetResponseNormal, SetResponseWithList


def answer(visit: Visit, request: object) -> Apdu:
    """Return the response to a whole request."""
    return _ANSWERS[type(request)](visit, request)


def _get(visit: Visit, request: GetRequestNormal) -> Apdu:
    return GetResponseNormal(request.invoke_id_and_priority, read(visit, request.attribute, request.access_selection))


def _get_list(visit: Visit, request: GetRequestWithList) -> Apdu:
    results = tuple(read(visit, each.attribute, each.access_selection) for each in request.attributes)
    return GetResponseWithList(request.invoke_id_and_priority, results)


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
        responses = tuple(
            run(visit, method, parameters)
            for method, parameters in zip(request.methods, request.parameters, strict=True)
        )
    else:
        responses = (ActionResponseWithOptionalData(ActionResult.OTHER_REASON),) * len(request.methods)
    return ActionResponseWithList(request.invoke_id_and_priority, responses)


_Answer: TypeAlias = Callable[[Visit, Any], Apdu]

_ANSWERS: Final[Mapping[type, _Answer]] = MappingProxyType(
    {
        GetRequestNormal: _get,
        GetRequestWithList: _get_list,
        SetRequestNormal: _set,
        SetRequestWithList: _set_list,
        ActionRequestNormal: _act,
        ActionRequestWithList: _act_list,
    }
)
"""Who answers a request; requests in parts are joined by the engine before they come here."""
