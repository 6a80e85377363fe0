"""What belongs together in the services of both ways of referencing: invocations, needs, answers, lists, first octets.

These are facts of IEC 62056-5-3 that both roles go by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from cosem.protocol.apdu import Apdu, decode
from cosem.protocol.apdu.access import (
    AccessRequest,
    AccessRequestAction,
    AccessRequestGet,
    AccessRequestGetWithSelection,
    AccessResponse,
)
from cosem.protocol.apdu.acse import AssociationRequest, AssociationResponse, ReleaseRequest, ReleaseResponse
from cosem.protocol.apdu.action import (
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionRequestWithList,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResponseWithPblock,
    ActionResult,
    MethodDescriptor,
)
from cosem.protocol.apdu.ciphered import (
    DEDICATED_TAGS,
    GLOBAL_TAGS,
    PLAIN_TAGS,
    GeneralDedicatedCiphering,
    GeneralGlobalCiphering,
)
from cosem.protocol.apdu.descriptor import ATTRIBUTE_0, AttributeDescriptor, SelectiveAccess
from cosem.protocol.apdu.exception import ConfirmedServiceError, ExceptionResponse
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.notification import DataNotification, DataNotificationConfirm, EventNotification
from cosem.protocol.apdu.protected import GeneralCiphering, GeneralSigning
from cosem.protocol.apdu.set import (
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithList,
    SetRequestWithListAndFirstDatablock,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
)
from cosem.protocol.apdu.short_name import (
    BlockNumberAccess,
    InformationReportRequest,
    ParameterizedAccess,
    ReadDataBlockAccess,
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    WriteDataBlockAccess,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.codec.schema import Wire
from cosem.protocol.values.data import Data, OctetString
from cosem.protocol.values.obis import Obis

Request: TypeAlias = (
    GetRequestNormal
    | GetRequestWithList
    | SetRequestNormal
    | SetRequestWithList
    | ActionRequestNormal
    | ActionRequestWithList
    | AccessRequest
    | ReadRequest
    | WriteRequest
    | UnconfirmedWriteRequest
)
"""A whole request, as a client makes it and a meter gets it, however it travelled."""


def _first_octets(*kinds: type[Wire]) -> frozenset[int]:
    return frozenset(kind.TAG[0] for kind in kinds)


GENERAL_GLOBAL: Final = GeneralGlobalCiphering.TAG[0]
GENERAL_DEDICATED: Final = GeneralDedicatedCiphering.TAG[0]
GENERAL_CIPHERING: Final = GeneralCiphering.TAG[0]
GENERAL_SIGNING: Final = GeneralSigning.TAG[0]
GENERAL: Final = frozenset((GENERAL_GLOBAL, GENERAL_DEDICATED, GENERAL_CIPHERING, GENERAL_SIGNING))
"""First octets of the envelopes that fit every service."""

CIPHERED: Final = GENERAL | frozenset(PLAIN_TAGS)
"""First octets of all envelopes."""

ACSE_OF_CLIENTS: Final = _first_octets(AssociationRequest, ReleaseRequest)
ACSE_OF_SERVERS: Final = _first_octets(AssociationResponse, ReleaseResponse)
ERRORS: Final = _first_octets(ConfirmedServiceError, ExceptionResponse)
"""First octets of what comes in clear even on a protected association: a peer that cannot decipher can only say so."""

SERVICES_OF_CLIENTS: Final = _first_octets(
    *(GetRequestNormal, SetRequestNormal, ActionRequestNormal, AccessRequest, DataNotificationConfirm),
    *(ReadRequest, WriteRequest, UnconfirmedWriteRequest),
)
NOTIFICATIONS: Final = _first_octets(DataNotification, EventNotification, InformationReportRequest)
SAID_TO_MANY: Final = NOTIFICATIONS | _first_octets(
    *(SetRequestNormal, ActionRequestNormal, AccessRequest, UnconfirmedWriteRequest)
)
"""First octets of what may be said to many at once, where it wants no answer; a GET without one would say nothing."""
UNASKED: Final = NOTIFICATIONS | {
    tags[kind.TAG[0]]
    for tags in (GLOBAL_TAGS, DEDICATED_TAGS)
    for kind in (EventNotification, InformationReportRequest)
}
"""First octets of what a server says unasked, and of the envelopes that hold nothing else."""

CONFIRMED: Final = 0x40
HIGH_PRIORITY: Final = 0x80
"""Service class and priority in the octet that has them: Invoke-Id-And-Priority, or the first octet of the long one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """How the APDUs of a service say which invocation they belong to, and whether it is to be answered.

    Attributes:
        field: what an APDU has it in; empty where a service has no invoke-id.
        octet: which octet of an APDU has the service class.
        invoke_id: the bits of the field that an answer repeats.
        service_class: the bit of the field that is set when an answer is wanted.
        confirmed: whether an answer is wanted where no field says so.
    """

    field: str = ""
    octet: int = 0
    invoke_id: int = 0
    service_class: int = 0
    confirmed: bool = True


SHORT_INVOKE_ID: Final = Invocation(field="invoke_id_and_priority", octet=2, invoke_id=0x0F, service_class=CONFIRMED)
LONG_INVOKE_ID: Final = Invocation(
    field="long_invoke_id_and_priority", octet=1, invoke_id=0x00FF_FFFF, service_class=CONFIRMED << 24
)
WITHOUT_INVOKE_ID: Final = Invocation()
NEVER_CONFIRMED: Final = Invocation(confirmed=False)
CONFIRMATION: Final = Invocation(field="long_invoke_id_and_priority", invoke_id=0x00FF_FFFF, confirmed=False)

INVOCATIONS: Final[Mapping[int, Invocation]] = {
    **dict.fromkeys(
        _first_octets(
            *(GetRequestNormal, GetResponseNormal),
            *(SetRequestNormal, SetResponseNormal),
            *(ActionRequestNormal, ActionResponseNormal),
        ),
        SHORT_INVOKE_ID,
    ),
    **dict.fromkeys(_first_octets(AccessRequest, AccessResponse, DataNotification), LONG_INVOKE_ID),
    **dict.fromkeys(_first_octets(ReadRequest, ReadResponse, WriteRequest, WriteResponse), WITHOUT_INVOKE_ID),
    **dict.fromkeys(
        _first_octets(EventNotification, InformationReportRequest, UnconfirmedWriteRequest), NEVER_CONFIRMED
    ),
    **dict.fromkeys(_first_octets(DataNotificationConfirm), CONFIRMATION),
}
"""The invocation of each service, by the first octet of its APDUs."""


def is_confirmed(apdu: Any) -> bool:
    """Tell whether an APDU wants an answer; without, nothing may be answered, not even a refusal."""
    invocation = INVOCATIONS[apdu.TAG[0]]
    if not invocation.service_class:
        return invocation.confirmed
    return bool(getattr(apdu, invocation.field) & invocation.service_class)


def is_unconfirmed(octets: bytes) -> bool:
    """Tell the same of a plain APDU that is not decoded yet, or cannot be: True when it wants no answer."""
    invocation = INVOCATIONS.get(octets[0])
    if invocation is None:
        return False
    if not invocation.service_class:
        return not invocation.confirmed
    return len(octets) > invocation.octet and not octets[invocation.octet] & CONFIRMED


def is_urgent(octets: bytes) -> bool:
    """Tell whether octets are a plain request of high priority, which is served before those of normal priority."""
    if octets[0] not in SERVICES_OF_CLIENTS:
        return False
    invocation = INVOCATIONS[octets[0]]
    return bool(invocation.field) and len(octets) > invocation.octet and bool(octets[invocation.octet] & HIGH_PRIORITY)


def invoke_id(apdu: Any) -> int | None:
    """Return the invoke-id of an APDU, None where its service has none."""
    invocation = INVOCATIONS[apdu.TAG[0]]
    return getattr(apdu, invocation.field) & invocation.invoke_id if invocation.field else None


REPLY_TO_HLS_AUTHENTICATION: Final = MethodDescriptor(15, Obis("0.0.40.0.0.255"), 1)
"""The method of the current association that takes the client's proof and returns the server's."""


def takes_proof(method: MethodDescriptor) -> bool:
    """Tell whether a method is reply_to_HLS_authentication, of whichever instance of Association LN."""
    expected = REPLY_TO_HLS_AUTHENTICATION
    return (method.class_id, method.method_id) == (expected.class_id, expected.method_id)


NEEDS: Final[Mapping[type, Conformance]] = {
    GetRequestNormal: Conformance.GET,
    GetRequestNext: Conformance.GET | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ,
    GetRequestWithList: Conformance.GET | Conformance.MULTIPLE_REFERENCES,
    SetRequestNormal: Conformance.SET,
    SetRequestWithFirstDatablock: Conformance.SET | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    SetRequestWithDatablock: Conformance.SET | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    SetRequestWithList: Conformance.SET | Conformance.MULTIPLE_REFERENCES,
    SetRequestWithListAndFirstDatablock: Conformance.SET
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
    ActionRequestNormal: Conformance.ACTION,
    ActionRequestNextPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_WITH_ACTION,
    ActionRequestWithFirstPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_WITH_ACTION,
    ActionRequestWithPblock: Conformance.ACTION | Conformance.BLOCK_TRANSFER_WITH_ACTION,
    ActionRequestWithList: Conformance.ACTION | Conformance.MULTIPLE_REFERENCES,
    ActionRequestWithListAndFirstPblock: Conformance.ACTION
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.BLOCK_TRANSFER_WITH_ACTION,
    AccessRequest: Conformance.ACCESS,
    ReadRequest: Conformance.READ,
    WriteRequest: Conformance.WRITE,
    UnconfirmedWriteRequest: Conformance.UNCONFIRMED_WRITE,
}
"""What must have been negotiated before a request may leave, and before it is served."""

Notification: TypeAlias = DataNotification | EventNotification | InformationReportRequest
"""What a server says unasked, by the references of its association or outside any."""

NOTIFICATIONS_NEED: Final[Mapping[type, Conformance]] = {
    EventNotification: Conformance.EVENT_NOTIFICATION,
    InformationReportRequest: Conformance.INFORMATION_REPORT,
    DataNotification: Conformance.DATA_NOTIFICATION,
}
"""What must have been negotiated before a server says something unasked within an association."""

NEEDS_WHEN_PROTECTED: Final[Mapping[type, Conformance]] = {AccessRequest: Conformance.GENERAL_PROTECTION}
"""What more that is where the association is protected: ACCESS has no envelope of its own."""

ANSWERS: Final[Mapping[type, tuple[type, ...]]] = {
    GetRequestNormal: (GetResponseNormal, GetResponseWithDatablock),
    GetRequestWithList: (GetResponseWithList, GetResponseWithDatablock, GetResponseNormal),
    SetRequestNormal: (SetResponseNormal, SetResponseDatablock, SetResponseLastDatablock),
    SetRequestWithList: (
        SetResponseWithList,
        SetResponseDatablock,
        SetResponseLastDatablockWithList,
        SetResponseLastDatablock,
        SetResponseNormal,
    ),
    ActionRequestNormal: (ActionResponseNormal, ActionResponseWithPblock, ActionResponseNextPblock),
    ActionRequestWithList: (
        ActionResponseWithList,
        ActionResponseWithPblock,
        ActionResponseNextPblock,
        ActionResponseNormal,
    ),
    AccessRequest: (AccessResponse,),
    ReadRequest: (ReadResponse,),
    WriteRequest: (WriteResponse,),
    UnconfirmedWriteRequest: (),
}
"""What may answer a request; a single refusal may stand for a whole list."""

LISTED: Final[Mapping[type, str]] = {
    GetRequestWithList: "attributes",
    SetRequestWithList: "attributes",
    ActionRequestWithList: "methods",
    GetResponseWithList: "results",
    SetResponseWithList: "results",
    ActionResponseWithList: "responses",
    AccessRequest: "access_request_specification",
    AccessResponse: "access_response_specification",
    ReadRequest: "variable_access_specification",
    ReadResponse: "results",
    WriteRequest: "variable_access_specification",
    WriteResponse: "results",
    UnconfirmedWriteRequest: "variable_access_specification",
}
"""The field in which a list asks or answers."""


def understood(octets: bytes, *, protected: bool) -> tuple[Apdu, Conformance | None]:
    """Return an APDU, decoded; and what must have been negotiated for it, as of `needs_of`, where that is known.

    A head-end asks many meters for the same in the same octets, and those are understood once. What asks to read is
    remembered alone, for it holds no secret. Raises DecodeError.
    """
    if octets[:2] in _READ_ALIKE and len(octets) <= _LONGEST_ALIKE:
        return _understood(octets, protected)
    return decode(octets), None


@lru_cache(maxsize=128)
def _understood(octets: bytes, protected: bool) -> tuple[Apdu, Conformance]:
    request = decode(octets)
    return request, needs_of(request, protected=protected)


_READ_ALIKE: Final = frozenset((b"\xc0\x01", b"\xc0\x03"))
"""What get-request-normal and get-request-with-list begin with."""

_LONGEST_ALIKE: Final = 512


def needs(request: type, *, protected: bool) -> Conformance:
    """Return what must have been negotiated for a kind of request, in an association that is protected or not."""
    needed = NEEDS[request]
    return needed | NEEDS_WHEN_PROTECTED[request] if protected and request in NEEDS_WHEN_PROTECTED else needed


def needs_of(request: Any, *, protected: bool) -> Conformance:
    """Return what must have been negotiated for a request with all that it refers to, in the ways that it does."""
    kind: type[object] = request.__class__
    needed = needs(kind, protected=protected)
    refers = _REFERS.get(kind)
    if refers is not None:
        for attribute, selection, attribute_0 in refers(request):
            if selection is not None:
                needed |= Conformance.SELECTIVE_ACCESS
            if attribute.attribute_id == ATTRIBUTE_0:
                needed |= attribute_0
        return needed
    specifications = getattr(request, _BY_NAME[kind]) if kind in _BY_NAME else ()
    for each in specifications:
        needed |= _SPECIFIED.get(each.__class__, _NOTHING)
    return needed | Conformance.MULTIPLE_REFERENCES if len(specifications) > 1 else needed


_NOTHING: Final = Conformance(0)
_BY_NAME: Final[Mapping[type, str]] = {
    kind: LISTED[kind] for kind in (ReadRequest, WriteRequest, UnconfirmedWriteRequest)
}
_SPECIFIED: Final[Mapping[type, Conformance]] = {
    ParameterizedAccess: Conformance.PARAMETERIZED_ACCESS,
    BlockNumberAccess: Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ,
    ReadDataBlockAccess: Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ,
    WriteDataBlockAccess: Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
}
"""What the ways of access by short names need beside their service."""


_Referred: TypeAlias = Iterable[tuple[AttributeDescriptor, SelectiveAccess | None, Conformance]]

_GET_0: Final = Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET
_SET_0: Final = Conformance.ATTRIBUTE_0_SUPPORTED_WITH_SET


def _accessed(request: AccessRequest) -> _Referred:
    for each in request.access_request_specification:
        if not isinstance(each, AccessRequestAction):
            reads = isinstance(each, AccessRequestGet | AccessRequestGetWithSelection)
            yield each.attribute, getattr(each, "access_selection", None), _GET_0 if reads else _SET_0


_REFERS: Final[Mapping[type, Callable[[Any], _Referred]]] = {
    GetRequestNormal: lambda request: ((request.attribute, request.access_selection, _GET_0),),
    GetRequestWithList: lambda request: [
        (each.attribute, each.access_selection, _GET_0) for each in request.attributes
    ],
    SetRequestNormal: lambda request: ((request.attribute, request.access_selection, _SET_0),),
    SetRequestWithList: lambda request: [
        (each.attribute, each.access_selection, _SET_0) for each in request.attributes
    ],
    AccessRequest: _accessed,
}
"""The attributes that a request refers to, the part of each that is meant, and what all at once would need."""


def is_refusal(answer: Any) -> bool:
    """Tell whether a single response says no; it may then stand for a whole list."""
    if isinstance(answer, GetResponseNormal):
        return isinstance(answer.result, DataAccessResult)
    if isinstance(answer, SetResponseNormal):
        return answer.result is not DataAccessResult.SUCCESS
    if isinstance(answer, ReadResponse | WriteResponse):
        return len(answer.results) == 1 and isinstance(answer.results[0], DataAccessResult)
    return isinstance(answer, ActionResponseNormal) and answer.response.result is not ActionResult.SUCCESS


def items(asked_or_answered: object) -> int | None:
    """Return how many things a list asks for or answers, None where it is no list."""
    listed = LISTED.get(type(asked_or_answered))
    return None if listed is None else len(getattr(asked_or_answered, listed))


def counted(number: int | None) -> str:
    """Say how many things a list has; None is no list."""
    return "one thing" if number is None else f"a list of {number}"


def carried(request: Any) -> tuple[Data, ...] | None:
    """Return the values that belong to the items of a list, or None where there are none."""
    kind: type[object] = request.__class__
    return getattr(request, _CARRIED[kind]) if kind in _CARRIED else None


_CARRIED: Final[Mapping[type, str]] = {
    SetRequestWithList: "values",
    ActionRequestWithList: "parameters",
    AccessRequest: "access_request_list_of_data",
    WriteRequest: "list_of_data",
    UnconfirmedWriteRequest: "list_of_data",
}


def action_response(invoke_id: int, result: ActionResult, data: OctetString | None = None) -> ActionResponseNormal:
    """Return the response of one method."""
    return ActionResponseNormal(invoke_id, ActionResponseWithOptionalData(result, data))
