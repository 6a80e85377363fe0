"""ACCESS: reading, writing and running several things in one exchange (IEC 62056-5-3, Access-Request, Access-Response).

The two bodies of the standard, Access-Request-Body and Access-Response-Body, add no octets: their fields stand here in
the APDUs themselves.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from cosem.protocol.apdu.descriptor import AttributeDescriptor, MethodDescriptor, SelectiveAccess
from cosem.protocol.apdu.result import ActionResult, DataAccessResult
from cosem.protocol.codec.schema import DataField, LongInvokeIdAndPriority, TimeOctets, Wire, wire

SELF_DESCRIPTIVE: Final = 1 << 28
"""The bit of Long-Invoke-Id-And-Priority with which a client asks that the response repeats what was asked."""

BREAK_ON_ERROR: Final = 1 << 29
"""The bit of Long-Invoke-Id-And-Priority with which nothing is done after the first thing that fails."""


@wire(tag=b"\x01")
class AccessRequestGet(Wire):
    """Read an attribute; null-data stands for it in the list of data."""

    attribute: AttributeDescriptor


@wire(tag=b"\x02")
class AccessRequestSet(Wire):
    """Write an attribute; its value is in the list of data."""

    attribute: AttributeDescriptor


@wire(tag=b"\x03")
class AccessRequestAction(Wire):
    """Run a method; its parameters are in the list of data, null-data where there are none."""

    method: MethodDescriptor


@wire(tag=b"\x04")
class AccessRequestGetWithSelection(Wire):
    """Read a part of an attribute; null-data stands for it in the list of data."""

    attribute: AttributeDescriptor
    access_selection: SelectiveAccess


@wire(tag=b"\x05")
class AccessRequestSetWithSelection(Wire):
    """Write a part of an attribute; its value is in the list of data."""

    attribute: AttributeDescriptor
    access_selection: SelectiveAccess


AccessRequestSpecification: TypeAlias = (
    AccessRequestGet
    | AccessRequestSet
    | AccessRequestAction
    | AccessRequestGetWithSelection
    | AccessRequestSetWithSelection
)
"""Access-Request-Specification: one thing to do."""


@wire(tag=b"\x01")
class AccessResponseGet(Wire):
    """How reading ended; the value is in the list of data, null-data where there is none."""

    result: DataAccessResult


@wire(tag=b"\x02")
class AccessResponseSet(Wire):
    """How writing ended; null-data stands for it in the list of data."""

    result: DataAccessResult


@wire(tag=b"\x03")
class AccessResponseAction(Wire):
    """How the method ended; what it returned is in the list of data, null-data where that is nothing."""

    result: ActionResult


AccessResponseSpecification: TypeAlias = AccessResponseGet | AccessResponseSet | AccessResponseAction
"""Access-Response-Specification: how one thing ended."""


@wire(tag=b"\xd9")
class AccessRequest(Wire):
    """Do several things in their order; both lists are of one length.

    `date_time` are the octets of a date-time, or none.
    """

    long_invoke_id_and_priority: LongInvokeIdAndPriority
    date_time: Annotated[bytes, TimeOctets()]
    access_request_specification: tuple[AccessRequestSpecification, ...]
    access_request_list_of_data: tuple[DataField, ...]


@wire(tag=b"\xda")
class AccessResponse(Wire):
    """A value and a result for each thing, in the order of the request.

    `access_request_specification` repeats the request for a client that asked for it (SELF_DESCRIPTIVE).
    """

    long_invoke_id_and_priority: LongInvokeIdAndPriority
    date_time: Annotated[bytes, TimeOctets()]
    access_request_specification: tuple[AccessRequestSpecification, ...] | None
    access_response_list_of_data: tuple[DataField, ...]
    access_response_specification: tuple[AccessResponseSpecification, ...]


__all__ = [
    "BREAK_ON_ERROR",
    "SELF_DESCRIPTIVE",
    "AccessRequest",
    "AccessRequestAction",
    "AccessRequestGet",
    "AccessRequestGetWithSelection",
    "AccessRequestSet",
    "AccessRequestSetWithSelection",
    "AccessRequestSpecification",
    "AccessResponse",
    "AccessResponseAction",
    "AccessResponseGet",
    "AccessResponseSet",
    "AccessResponseSpecification",
    "ActionResult",
    "DataAccessResult",
]
