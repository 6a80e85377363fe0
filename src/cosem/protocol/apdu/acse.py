"""Opening and closing an association: AARQ, AARE, RLRQ and RLRE (IEC 62056-5-3, ISO/IEC 8650-1)."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Final

from cosem.errors import DecodeError
from cosem.protocol.apdu.ciphered import GLOBAL_TAGS, GlobalCiphered
from cosem.protocol.apdu.exception import ConfirmedServiceError
from cosem.protocol.apdu.initiate import InitiateRequest, InitiateResponse
from cosem.protocol.codec.ber import (
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    Alternatives,
    BerSequence,
    Bits,
    Component,
    Contents,
    Identifier,
    Inside,
    LooseBerSequence,
    Named,
    Whole,
    element,
    enclosed,
)
from cosem.protocol.codec.schema import OpenEnum, Wire, wire
from cosem.protocol.codec.walk import Walk


class ApplicationContext(OpenEnum):
    """The last arc of the application context name: how objects are referred to, and whether APDUs are ciphered."""

    LOGICAL_NAME = 1
    SHORT_NAME = 2
    LOGICAL_NAME_CIPHERED = 3
    SHORT_NAME_CIPHERED = 4

    @property
    def ciphered(self) -> bool:
        """Whether APDUs may be protected."""
        return self in (ApplicationContext.LOGICAL_NAME_CIPHERED, ApplicationContext.SHORT_NAME_CIPHERED)


class MechanismId(OpenEnum):
    """The last arc of the authentication mechanism name."""

    LOWEST = 0
    LOW = 1
    HIGH = 2
    HIGH_MD5 = 3
    HIGH_SHA1 = 4
    HIGH_GMAC = 5
    HIGH_SHA256 = 6
    HIGH_ECDSA = 7


class AssociationResult(OpenEnum):
    """What became of the request for an association."""

    ACCEPTED = 0
    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2


class AcseServiceUser(OpenEnum):
    """Why, as the application of the server says."""

    NULL = 0
    NO_REASON_GIVEN = 1
    APPLICATION_CONTEXT_NAME_NOT_SUPPORTED = 2
    CALLING_AP_TITLE_NOT_RECOGNIZED = 3
    CALLING_AP_INVOCATION_IDENTIFIER_NOT_RECOGNIZED = 4
    CALLING_AE_QUALIFIER_NOT_RECOGNIZED = 5
    CALLING_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED = 6
    CALLED_AP_TITLE_NOT_RECOGNIZED = 7
    CALLED_AP_INVOCATION_IDENTIFIER_NOT_RECOGNIZED = 8
    CALLED_AE_QUALIFIER_NOT_RECOGNIZED = 9
    CALLED_AE_INVOCATION_IDENTIFIER_NOT_RECOGNIZED = 10
    AUTHENTICATION_MECHANISM_NAME_NOT_RECOGNISED = 11
    AUTHENTICATION_MECHANISM_NAME_REQUIRED = 12
    AUTHENTICATION_FAILURE = 13
    AUTHENTICATION_REQUIRED = 14


class AcseServiceProvider(OpenEnum):
    """Why, as the association control of the server says."""

    NULL = 0
    NO_REASON_GIVEN = 1
    NO_COMMON_ACSE_VERSION = 2


class ReleaseRequestReason(OpenEnum):
    """Why the client releases the association."""

    NORMAL = 0
    URGENT = 1
    USER_DEFINED = 30


class ReleaseResponseReason(OpenEnum):
    """How the server answers to the release."""

    NORMAL = 0
    NOT_FINISHED = 1
    USER_DEFINED = 30


VERSION_1: Final = "1"
"""The protocol version, a bit string; the default, which is not sent."""
AUTHENTICATION: Final = "1"
"""The ACSE requirements, a bit string, that say that authentication is used."""


class _AuthenticationValue(Contents):
    """EXPLICIT CHOICE Authentication-value: written as charstring; the contents of the other choices are accepted."""

    CHARSTRING, BITSTRING, EXTERNAL, OTHER = 0x80, 0x81, 0xA2, 0xA3

    def read(self, walk: Walk, offset: int, stop: int) -> bytes:
        tag, start, end = element(walk.octets, offset, stop)
        if tag not in (self.CHARSTRING, self.BITSTRING, self.EXTERNAL, self.OTHER):
            raise DecodeError(f"need an authentication value, 0x80 to 0x83, have 0x{tag:02X}", offset)
        if end != stop:
            raise DecodeError(f"need the end of the component, have {stop - end} octets more", end)
        # A bit string begins with the number of unused bits, which is 0 for octets.
        return walk.octets[start + (tag == self.BITSTRING and start < end) : end]

    def write(self, value: Any) -> bytes:
        return enclosed(self.CHARSTRING, super().write(value))


class _UserInformation(Contents):
    """The octets of an xDLMS APDU, plain or ciphered, which a dissection goes into."""

    _INSIDE: Final[dict[int, type[Wire]]] = {
        **{kind.TAG[0]: kind for kind in (InitiateRequest, InitiateResponse, ConfirmedServiceError)},
        **{GLOBAL_TAGS[plain]: GlobalCiphered for plain in (0x01, 0x08, 0x0E)},
    }

    def read(self, walk: Walk, offset: int, stop: int) -> bytes:
        octets = walk.octets[offset:stop]
        if walk.grow and octets and octets[0] in self._INSIDE:
            walk.add(self._INSIDE[octets[0]].dissect(octets, walk.limits, walk.inside).moved(offset))
        return octets


_CONTEXT = Identifier(bytes.fromhex("608574050801"), ApplicationContext)
_MECHANISM = Identifier(bytes.fromhex("608574050802"), MechanismId)
_OCTETS = Inside(OCTET_STRING, Contents())
_INTEGER = Inside(INTEGER, Whole())
_USER_INFORMATION = Inside(OCTET_STRING, _UserInformation())


@wire(tag=b"\x60", name="aarq", kw_only=True, body=BerSequence)
class AssociationRequest(Wire):
    """AARQ: a client asks for an association. The authentication value, a secret or a challenge, is not in the repr.

    `user_information` are the octets of an InitiateRequest, ciphered or not.
    """

    protocol_version: Annotated[str, Component(0x80, Bits())] = VERSION_1
    application_context_name: Annotated[
        ApplicationContext | bytes, Component(0xA1, Inside(OBJECT_IDENTIFIER, _CONTEXT))
    ]
    called_ap_title: Annotated[bytes | None, Component(0xA2, _OCTETS)] = None
    called_ae_qualifier: Annotated[bytes | None, Component(0xA3, _OCTETS)] = None
    called_ap_invocation_identifier: Annotated[int | None, Component(0xA4, _INTEGER)] = None
    called_ae_invocation_identifier: Annotated[int | None, Component(0xA5, _INTEGER)] = None
    calling_ap_title: Annotated[bytes | None, Component(0xA6, _OCTETS)] = None
    calling_ae_qualifier: Annotated[bytes | None, Component(0xA7, _OCTETS)] = None
    calling_ap_invocation_identifier: Annotated[int | None, Component(0xA8, _INTEGER)] = None
    calling_ae_invocation_identifier: Annotated[int | None, Component(0xA9, _INTEGER)] = None
    sender_acse_requirements: Annotated[str | None, Component(0x8A, Bits())] = None
    mechanism_name: Annotated[MechanismId | bytes | None, Component(0x8B, _MECHANISM)] = None
    calling_authentication_value: Annotated[bytes | None, Component(0xAC, _AuthenticationValue())] = dataclasses.field(
        default=None, repr=False
    )
    implementation_information: Annotated[bytes | None, Component(0x9D, Contents())] = None
    user_information: Annotated[bytes | None, Component(0xBE, _USER_INFORMATION)] = dataclasses.field(
        default=None, repr=False
    )


@wire(tag=b"\x61", name="aare", kw_only=True, body=BerSequence)
class AssociationResponse(Wire):
    """AARE: the server's answer.

    The type of `result_source_diagnostic` says who speaks. `user_information` are the octets of an InitiateResponse or
    of a ConfirmedServiceError, ciphered or not.
    """

    protocol_version: Annotated[str, Component(0x80, Bits())] = VERSION_1
    application_context_name: Annotated[
        ApplicationContext | bytes, Component(0xA1, Inside(OBJECT_IDENTIFIER, _CONTEXT))
    ]
    result: Annotated[AssociationResult, Component(0xA2, Inside(INTEGER, Named(AssociationResult)))]
    result_source_diagnostic: Annotated[
        AcseServiceUser | AcseServiceProvider,
        Component(0xA3, Alternatives({0xA1: AcseServiceUser, 0xA2: AcseServiceProvider})),
    ]
    responding_ap_title: Annotated[bytes | None, Component(0xA4, _OCTETS)] = None
    responding_ae_qualifier: Annotated[bytes | None, Component(0xA5, _OCTETS)] = None
    responding_ap_invocation_identifier: Annotated[int | None, Component(0xA6, _INTEGER)] = None
    responding_ae_invocation_identifier: Annotated[int | None, Component(0xA7, _INTEGER)] = None
    responder_acse_requirements: Annotated[str | None, Component(0x88, Bits())] = None
    mechanism_name: Annotated[MechanismId | bytes | None, Component(0x89, _MECHANISM)] = None
    responding_authentication_value: Annotated[bytes | None, Component(0xAA, _AuthenticationValue())] = (
        dataclasses.field(default=None, repr=False)
    )
    implementation_information: Annotated[bytes | None, Component(0x9D, Contents())] = None
    user_information: Annotated[bytes | None, Component(0xBE, _USER_INFORMATION)] = None


@wire(tag=b"\x62", name="rlrq", kw_only=True, body=BerSequence)
class ReleaseRequest(Wire):
    """RLRQ: the client ends the association."""

    reason: Annotated[ReleaseRequestReason | None, Component(0x80, Named(ReleaseRequestReason))] = None
    user_information: Annotated[bytes | None, Component(0xBE, _USER_INFORMATION)] = dataclasses.field(
        default=None, repr=False
    )


@wire(tag=b"\x63", name="rlre", kw_only=True, body=LooseBerSequence)
class ReleaseResponse(Wire):
    """RLRE: the server's answer."""

    reason: Annotated[ReleaseResponseReason | None, Component(0x80, Named(ReleaseResponseReason))] = None
    user_information: Annotated[bytes | None, Component(0xBE, _USER_INFORMATION)] = None
