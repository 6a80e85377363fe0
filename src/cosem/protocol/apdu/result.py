"""Results of access to attributes and methods, and the choice between a value and a result (IEC 62056-5-3)."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from cosem.protocol.codec.schema import (
    DataField,
    DataForm,
    Enumeration,
    NullData,
    OpenEnum,
    Optional,
    Tagged,
    Wire,
    wire,
)
from cosem.protocol.values.data import Data


class DataAccessResult(OpenEnum):
    """Data-Access-Result: how reading or writing an attribute ended."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_GET_ABORTED = 15
    NO_LONG_GET_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


class ActionResult(OpenEnum):
    """Action-Result: how running a method ended."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_ACTION_ABORTED = 15
    NO_LONG_ACTION_IN_PROGRESS = 16
    OTHER_REASON = 250


_RESULT = Enumeration(DataAccessResult)

GetDataResult: TypeAlias = Annotated[
    Data | DataAccessResult,
    Tagged((0, "data", DataForm(), None), (1, "data-access-result", _RESULT, DataAccessResult)),
]
"""Get-Data-Result: the bare value, or the DataAccessResult that stands in its place."""

ReturnParameters: TypeAlias = Annotated[
    Data | DataAccessResult | NullData | None,
    Optional(
        Tagged((0, "data", DataForm(nullable=True), None), (1, "data-access-result", _RESULT, DataAccessResult)),
    ),
]
"""Get-Data-Result OPTIONAL: None when absent, NULL_DATA for null-data that is present."""


@wire()
class ActionResponseWithOptionalData(Wire):
    """Action-Response-With-Optional-Data: the result, and what the method returned."""

    result: ActionResult
    return_parameters: ReturnParameters = None


__all__ = [
    "ActionResponseWithOptionalData",
    "ActionResult",
    "DataAccessResult",
    "DataField",
    "GetDataResult",
    "ReturnParameters",
]
