"""What both sides of an association agree on, and what its engines report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from cosem.errors import CosemError
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.acse import ApplicationContext, MechanismId
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.layers import Envelope, KeyChoice, Layer
from cosem.protocol.association.security import Protection
from cosem.protocol.association.services import Notification
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret
from cosem.protocol.dialect import STANDARD, Dialect
from cosem.protocol.model.short_name import CURRENT_ASSOCIATION

DLMS_VERSION = 6
VAA_NAME_LOGICAL_NAME_REFERENCING = 0x0007
VAA_NAME_SHORT_NAME_REFERENCING = CURRENT_ASSOCIATION
"""The VAA name of a server that is asked by short names: the base name of the current association."""

IMPLEMENTED_LOGICAL_NAME_SERVICES = (
    Conformance.DELTA_VALUE_ENCODING
    | Conformance.ATTRIBUTE_0_SUPPORTED_WITH_SET
    | Conformance.PRIORITY_MANAGEMENT_SUPPORTED
    | Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET
    | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ
    | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    | Conformance.BLOCK_TRANSFER_WITH_ACTION
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.DATA_NOTIFICATION
    | Conformance.ACCESS
    | Conformance.GET
    | Conformance.SET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.EVENT_NOTIFICATION
    | Conformance.ACTION
    | Conformance.GENERAL_PROTECTION
)
"""What the engines of this room really do, and therefore all that is ever proposed or granted."""


IMPLEMENTED_SHORT_NAME_SERVICES = (
    Conformance.READ
    | Conformance.WRITE
    | Conformance.UNCONFIRMED_WRITE
    | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ
    | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.INFORMATION_REPORT
    | Conformance.PARAMETERIZED_ACCESS
    | Conformance.GENERAL_PROTECTION
)
"""The same for associations by short names: the bits that the standard has for them."""


def with_general_blocks(conformance: int, window: int) -> Conformance:
    """Return `conformance` with the bit of general block transfer where the window has room for a block, else without.

    As whole numbers, for each operation on flags calls back into Python several times.
    """
    return _with_general_blocks(int(conformance), window > 0)


@lru_cache(maxsize=256)
def _with_general_blocks(conformance: int, wanted: bool) -> Conformance:
    bit = int(Conformance.GENERAL_BLOCK_TRANSFER)
    return Conformance(conformance | bit if wanted else conformance & ~bit)


class Naming(Enum):
    """How objects are referred to in an association."""

    LOGICAL_NAMES = "ln"
    SHORT_NAMES = "sn"

    __hash__ = object.__hash__

    def context(self, *, ciphered: bool) -> ApplicationContext:
        """Return the application context of this naming."""
        return _CONTEXTS[self, ciphered]

    @property
    def vaa_name(self) -> int:
        """The VAA name in the InitiateResponse."""
        return VAA_NAME_SHORT_NAME_REFERENCING if self is _SHORT else VAA_NAME_LOGICAL_NAME_REFERENCING

    @property
    def implemented(self) -> Conformance:
        """All services of this naming that are ever proposed or granted."""
        return IMPLEMENTED_SHORT_NAME_SERVICES if self is _SHORT else IMPLEMENTED_LOGICAL_NAME_SERVICES

    @classmethod
    def of(cls, context: ApplicationContext | bytes) -> Naming | None:
        """Return the naming of a context, None for a context that is not known."""
        return _NAMINGS.get(context)


_SHORT = Naming.SHORT_NAMES
_CONTEXTS = {
    (Naming.LOGICAL_NAMES, False): ApplicationContext.LOGICAL_NAME,
    (Naming.LOGICAL_NAMES, True): ApplicationContext.LOGICAL_NAME_CIPHERED,
    (Naming.SHORT_NAMES, False): ApplicationContext.SHORT_NAME,
    (Naming.SHORT_NAMES, True): ApplicationContext.SHORT_NAME_CIPHERED,
}
_NAMINGS: dict[ApplicationContext | bytes, Naming] = {context: naming for (naming, _), context in _CONTEXTS.items()}


@dataclass(frozen=True, slots=True)
class AssociationLimits:
    """Bounds that hold whatever a peer claims; sizes in octets, `blocks` for one transfer.

    `transfer_seconds` are what a client waits for a whole transfer, and a meter for the next block of one: how long the
    whole takes follows from the line and from `blocks`. `listed` are the items of one list, and `response` what the
    values answered to it may have before the items that are left are refused. `repeats` is how often in a row lost
    blocks of general block transfer are asked for or sent again without effect. `confirmations` are pushes that wait to
    be confirmed until an exchange is over.
    """

    smallest_pdu: int = 64
    reassembled: int = 16 * 1024 * 1024
    blocks: int = 65_536
    transfer_seconds: float = 120.0
    repeats: int = 8
    listed: int = 64
    response: int = 1024 * 1024
    refused_apdus: int = 3
    confirmations: int = 16


CLIENT_LIMITS: Final = AssociationLimits(transfer_seconds=3600.0)
"""A client asked for what arrives, and on a slow line a long profile takes its time."""


@dataclass(frozen=True, slots=True)
class PreEstablished:
    """What one side knows of the other without AARQ and AARE, in a pre-established association (IEC 62056-5-3).

    Attributes:
        peer_title: the system title of the other side; needed where the association is protected.
        max_send_pdu_size: the most octets it takes in one APDU, 0 for any number.
    """

    peer_title: bytes | None = None
    max_send_pdu_size: int = 0

    def negotiated(
        self, context: ApplicationContext, conformance: Conformance, max_receive_pdu_size: int, protection: Protection
    ) -> Negotiated:
        """Return what stands in the place of a negotiation; nobody authenticates but by the keys."""
        return Negotiated(
            application_context=context,
            mechanism=MechanismId.LOWEST,
            conformance=conformance,
            max_send_pdu_size=self.max_send_pdu_size,
            max_receive_pdu_size=max_receive_pdu_size,
            protection=protection,
            peer_title=self.peer_title,
        )


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a client asks for when it opens an association (IEC 62056-5-3, COSEM-OPEN).

    `own_title` is for mechanisms that bind titles where there is no security context, which has one itself.
    `certificate` is that of our signing key, in DER, for a server that does not know it yet.
    `general_block_window` is how many blocks of general block transfer are taken in a row, 1 to 63; with 0 it is not
    proposed. `delta_values` lets the meter send rows in deltas.
    With `pre_established` the association is there from the beginning;
    `conformance` is of the services of `naming`.
    `envelope` and `key` say in what the services go, and how general-ciphering tells its key; what is to be
    signed is signed inside of it.
    """

    mechanism: Mechanism = MECHANISMS[0]
    secret: SharedSecret | None = None
    own_title: bytes = b""
    certificate: bytes | None = None
    protection: Protection = Protection.NONE
    conformance: Conformance = IMPLEMENTED_LOGICAL_NAME_SERVICES
    max_receive_pdu_size: int = 0xFFFF
    dedicated_key: Key | None = None
    dialect: Dialect = STANDARD
    limits: AssociationLimits = CLIENT_LIMITS
    general_block_window: int = 0
    delta_values: bool = False
    naming: Naming = Naming.LOGICAL_NAMES
    envelope: Envelope = Envelope.SERVICE
    key: KeyChoice = KeyChoice.IDENTIFIED
    pre_established: PreEstablished | None = None
    user: int | None = None

    @property
    def proposed_conformance(self) -> Conformance:
        """What is asked for: general blocks and deltas only where they are on, general protection only with any."""
        left_out = 0 if self.protection else int(Conformance.GENERAL_PROTECTION)
        if not self.delta_values:
            left_out |= int(Conformance.DELTA_VALUE_ENCODING)
        return with_general_blocks(int(self.conformance) & ~left_out, self.general_block_window)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The envelopes of every service once the association is open, the outermost first.

        The usual ones are those of the services, as peers have it: not every meter grants general protection. They
        show which service is asked for, which the general ones hide.
        """
        dedicated = self.dedicated_key is not None and self.envelope is not Envelope.CIPHERING
        return (Layer(self.envelope, dedicated=dedicated, key=self.key),)

    @property
    def application_context(self) -> ApplicationContext:
        """That of the naming, ciphered when any protection is asked for."""
        return self.naming.context(ciphered=self.protection is not Protection.NONE)


class Negotiated(NamedTuple):
    """What an open association allows; the sizes are what each side takes at most, 0 where it set no limit.

    `user` is the number that the client gave for who uses it (the calling-AE-invocation-identifier); only a meter that
    lists users has looked at it.
    """

    application_context: ApplicationContext
    mechanism: MechanismId
    conformance: Conformance
    max_send_pdu_size: int
    max_receive_pdu_size: int
    protection: Protection
    peer_title: bytes | None
    vaa_name: int = VAA_NAME_LOGICAL_NAME_REFERENCING
    user: int | None = None

    def allows(self, needed: Conformance) -> bool:
        """True when every service in `needed` was negotiated."""
        return not int(needed) & ~int(self.conformance)

    @property
    def by_short_names(self) -> bool:
        """True where objects are referred to by short names."""
        return Naming.of(self.application_context) is Naming.SHORT_NAMES

    @property
    def selective(self) -> bool:
        """True when a part of an attribute may be asked for."""
        return bool(int(self.conformance) & _SELECTIVE)


_SELECTIVE: Final = int(Conformance.SELECTIVE_ACCESS | Conformance.PARAMETERIZED_ACCESS)


@dataclass(frozen=True, slots=True)
class Associated:
    """The association is open."""

    negotiated: Negotiated


class Response(NamedTuple):
    """The whole answer to a request; `raw` are the octets of the Data alone when they were asked for undecoded.

    A tuple, since one is made for every request and a frozen dataclass takes three times as long to make.
    """

    apdu: Apdu | None
    raw: bytes | None = None


@dataclass(frozen=True, slots=True)
class Notified:
    """A notification nobody asked for; `error` says why when it could not be understood."""

    octets: bytes
    protection: Protection
    apdu: Notification | None = None
    error: CosemError | None = None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The client says that a push has arrived: the DataNotification of this long invoke-id."""

    long_invoke_id: int


class Requested(NamedTuple):
    """A client asks for a service; every block has arrived. `broadcast` tells that it asks all stations at once.

    A tuple, as `Response` is.
    """

    apdu: Apdu
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The server engine refused an association or an APDU, and this is why."""

    error: CosemError
    authentication: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The association is closed, by agreement or by abort."""


AssociationEvent = Associated | Response | Notified | Confirmed | Requested | Refused | Released
