"""The CHOICE of all APDUs: which class the first octets stand for (IEC 62056-5-3, XDLMS-APDU and ACSE-APDU)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias, cast

from cosem.errors import DecodeError
from cosem.protocol.apdu.access import AccessRequest, AccessResponse
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
    ActionResponseWithPblock,
)
from cosem.protocol.apdu.block import GeneralBlockTransfer
from cosem.protocol.apdu.ciphered import (
    DEDICATED_TAGS,
    GLOBAL_TAGS,
    DedicatedCiphered,
    GeneralDedicatedCiphering,
    GeneralGlobalCiphering,
    GlobalCiphered,
)
from cosem.protocol.apdu.exception import ConfirmedServiceError, ExceptionResponse
from cosem.protocol.apdu.gateway import GatewayRequest, GatewayResponse
from cosem.protocol.apdu.get import (
    GetRequestNext,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import InitiateRequest, InitiateResponse
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
    InformationReportRequest,
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.codec.reader import DEFAULT, Limits, Octets
from cosem.protocol.codec.schema import Wire

GetRequest: TypeAlias = GetRequestNormal | GetRequestNext | GetRequestWithList
GetResponse: TypeAlias = GetResponseNormal | GetResponseWithDatablock | GetResponseWithList
SetRequest: TypeAlias = (
    SetRequestNormal
    | SetRequestWithFirstDatablock
    | SetRequestWithDatablock
    | SetRequestWithList
    | SetRequestWithListAndFirstDatablock
)
SetResponse: TypeAlias = (
    SetResponseNormal
    | SetResponseDatablock
    | SetResponseLastDatablock
    | SetResponseLastDatablockWithList
    | SetResponseWithList
)
ActionRequest: TypeAlias = (
    ActionRequestNormal
    | ActionRequestNextPblock
    | ActionRequestWithList
    | ActionRequestWithFirstPblock
    | ActionRequestWithListAndFirstPblock
    | ActionRequestWithPblock
)
ActionResponse: TypeAlias = (
    ActionResponseNormal | ActionResponseWithPblock | ActionResponseWithList | ActionResponseNextPblock
)
Ciphered: TypeAlias = (
    GlobalCiphered | DedicatedCiphered | GeneralGlobalCiphering | GeneralDedicatedCiphering | GeneralCiphering
)
Apdu: TypeAlias = (
    AssociationRequest
    | AssociationResponse
    | ReleaseRequest
    | ReleaseResponse
    | InitiateRequest
    | InitiateResponse
    | ConfirmedServiceError
    | DataNotification
    | DataNotificationConfirm
    | GetRequest
    | GetResponse
    | SetRequest
    | SetResponse
    | ActionRequest
    | ActionResponse
    | AccessRequest
    | AccessResponse
    | EventNotification
    | ExceptionResponse
    | ReadRequest
    | ReadResponse
    | WriteRequest
    | WriteResponse
    | UnconfirmedWriteRequest
    | InformationReportRequest
    | GeneralBlockTransfer
    | GeneralSigning
    | GatewayRequest
    | GatewayResponse
    | Ciphered
)


def decode(octets: Octets, limits: Limits = DEFAULT) -> Apdu:
    """Decode the octets of one APDU; raise DecodeError with path and offset, and nothing else."""
    if not isinstance(octets, bytes):
        octets = bytes(octets)
    decoder = _DECODERS.get(octets[:2]) or _DECODERS.get(octets[:1]) or _prepared(octets)
    return decoder(octets, limits)


def encode(apdu: Apdu) -> bytes:
    """Return the octets of an APDU; raise LocalProtocolError for a field that does not fit."""
    return apdu.encode()


def kind_of(octets: Octets) -> type[Wire] | None:
    """Return the class that the first octets stand for, None when they stand for no APDU known here."""
    return _KINDS.get(bytes(octets[:2])) or _KINDS.get(bytes(octets[:1]))


def first_of(octets: bytes, limits: Limits = DEFAULT) -> bytes:
    """Return an APDU without what stands behind it; all octets where it is none that is known, or not whole."""
    kind = kind_of(octets)
    if kind is None:
        return octets
    try:
        _, end = kind.decode_from(octets, 0, limits)
    except DecodeError:
        return octets
    return octets[:end]


_CHOICES: dict[int, tuple[str, tuple[type[Wire], ...]]] = {
    0xC0: ("get-request", (GetRequestNormal, GetRequestNext, GetRequestWithList)),
    0xC4: ("get-response", (GetResponseNormal, GetResponseWithDatablock, GetResponseWithList)),
    0xC1: (
        "set-request",
        (
            SetRequestNormal,
            SetRequestWithFirstDatablock,
            SetRequestWithDatablock,
            SetRequestWithList,
            SetRequestWithListAndFirstDatablock,
        ),
    ),
    0xC5: (
        "set-response",
        (
            SetResponseNormal,
            SetResponseDatablock,
            SetResponseLastDatablock,
            SetResponseLastDatablockWithList,
            SetResponseWithList,
        ),
    ),
    0xC3: (
        "action-request",
        (
            ActionRequestNormal,
            ActionRequestNextPblock,
            ActionRequestWithList,
            ActionRequestWithFirstPblock,
            ActionRequestWithListAndFirstPblock,
            ActionRequestWithPblock,
        ),
    ),
    0xC7: (
        "action-response",
        (ActionResponseNormal, ActionResponseWithPblock, ActionResponseWithList, ActionResponseNextPblock),
    ),
}
_SINGLE: tuple[type[Wire], ...] = (
    AssociationRequest,
    AssociationResponse,
    ReleaseRequest,
    ReleaseResponse,
    InitiateRequest,
    InitiateResponse,
    ConfirmedServiceError,
    DataNotification,
    DataNotificationConfirm,
    EventNotification,
    ExceptionResponse,
    AccessRequest,
    AccessResponse,
    ReadRequest,
    ReadResponse,
    WriteRequest,
    WriteResponse,
    UnconfirmedWriteRequest,
    InformationReportRequest,
    GeneralBlockTransfer,
    GeneralGlobalCiphering,
    GeneralDedicatedCiphering,
    GeneralCiphering,
    GeneralSigning,
    GatewayRequest,
    GatewayResponse,
)
_KINDS: dict[bytes, type[Wire]] = {
    **{kind.TAG: kind for kind in _SINGLE},
    **{kind.TAG: kind for _, kinds in _CHOICES.values() for kind in kinds},
    **{bytes((tag,)): GlobalCiphered for tag in GLOBAL_TAGS.values()},
    **{bytes((tag,)): DedicatedCiphered for tag in DEDICATED_TAGS.values()},
}
KINDS: Final[tuple[type[Wire], ...]] = tuple(dict.fromkeys(_KINDS.values()))
"""Every kind of APDU."""
_Decoder: TypeAlias = Callable[[bytes, Limits], Apdu]
_DECODERS: dict[bytes, _Decoder] = {}
"""Compiled decoders by the first octets; they are put here when they are first used."""


def _prepared(octets: bytes) -> _Decoder:
    kind = kind_of(octets)
    if kind is None:
        raise _unknown(octets)
    kind.FORM.compile()
    decoder = cast(_Decoder, kind.decode)
    _DECODERS[octets[: len(kind.TAG) or 1]] = decoder
    return decoder


def _unknown(octets: bytes) -> DecodeError:
    if not octets:
        return DecodeError("need an APDU, have no octets", 0)
    first = octets[0]
    if first in _CHOICES:
        name, kinds = _CHOICES[first]
        known = ", ".join(f"{kind.TAG[1]} ({kind.NAME})" for kind in kinds)
        have = f"have {octets[1]}" if len(octets) > 1 else "have no octet"
        return DecodeError(f"need one of {known}, {have}", 1, (name,))
    return DecodeError(f"no APDU begins with 0x{first:02X}", 0)
