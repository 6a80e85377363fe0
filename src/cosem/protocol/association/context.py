"""What both sides of an association agree on, and what its engines report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from cosem.errors import CosemError
from cosem.protocol.apdu import Apdu, DataNotification, EventNotification
from cosem.protocol.apdu.acse import ApplicationContext, MechanismId
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.security import Protection
from cosem.protocol.crypto.key import Key
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret
from cosem.protocol.dialect import STANDARD, Dialect

DLMS_VERSION = 6
VAA_NAME_LOGICAL_NAME_REFERENCING = 0x0007

IMPLEMENTED_LOGICAL_NAME_SERVICES = (
    Conformance.ATTRIBUTE_0_SUPPORTED_WITH_SET
    | Conformance.PRIORITY_MANAGEMENT_SUPPORTED
    | Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET
    | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ
    | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    | Conformance.BLOCK_TRANSFER_WITH_ACTION
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.ACCESS
    | Conformance.GET
    | Conformance.SET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.EVENT_NOTIFICATION
    | Conformance.ACTION
)
"""What the engines of this room really do, and therefore all that is ever proposed or granted."""


def with_general_blocks(conformance: Conformance, window: int) -> Conformance:
    """Return `conformance` with the bit of general block transfer where the window has room for a block, else without.

    As whole numbers, for each operation on flags calls back into Python several times.
    """
    bit = int(Conformance.GENERAL_BLOCK_TRANSFER)
    return Conformance(int(conformance) | bit if window else int(conformance) & ~bit)


@dataclass(frozen=True, slots=True)
class AssociationLimits:
    """Bounds that hold whatever a peer claims; sizes in octets, `blocks` and `transfer_seconds` for one transfer.

    `listed` are the items of one list, and `response` what the values answered to it may have before the items that are
    left are refused. `repeats` is how often in a row lost blocks of general block transfer are asked for or sent again
    without effect.
    """

    smallest_pdu: int = 64
    reassembled: int = 16 * 1024 * 1024
    blocks: int = 65_536
    transfer_seconds: float = 120.0
    repeats: int = 8
    listed: int = 64
    response: int = 1024 * 1024
    refused_apdus: int = 3


CLIENT_LIMITS: Final = AssociationLimits(transfer_seconds=3600.0)
"""A client asked for what arrives, and on a slow line a long profile takes its time."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What a client asks for when it opens an association (IEC 62056-5-3, COSEM-OPEN).

    `own_title` is for mechanisms that bind titles where there is no security context, which has one itself.
    `certificate` is that of our signing key, in DER, for a server that does not know it yet.
    `general_block_window` is how many blocks of general block transfer are taken in a row, 1 to 63; with 0 it is not
    proposed.
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

    @property
    def proposed_conformance(self) -> Conformance:
        """What is asked for, general block transfer only where it is on."""
        return with_general_blocks(self.conformance, self.general_block_window)

    @property
    def application_context(self) -> ApplicationContext:
        """Logical name referencing, ciphered when any protection is asked for."""
        ciphered = self.protection is not Protection.NONE
        return ApplicationContext.LOGICAL_NAME_CIPHERED if ciphered else ApplicationContext.LOGICAL_NAME


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What an open association allows; the sizes are what each side takes at most, 0 where it set no limit."""

    application_context: ApplicationContext
    mechanism: MechanismId
    conformance: Conformance
    max_send_pdu_size: int
    max_receive_pdu_size: int
    protection: Protection
    peer_title: bytes | None
    vaa_name: int = VAA_NAME_LOGICAL_NAME_REFERENCING

    def allows(self, needed: Conformance) -> bool:
        """True when every service in `needed` was negotiated."""
        return not int(needed) & ~int(self.conformance)


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
    apdu: DataNotification | EventNotification | None = None
    error: CosemError | None = None


@dataclass(frozen=True, slots=True)
class Requested:
    """A client asks for a service; every block has arrived."""

    apdu: Apdu


@dataclass(frozen=True, slots=True)
class Refused:
    """The server engine refused an association or an APDU, and this is why."""

    error: CosemError
    authentication: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The association is closed, by agreement or by abort."""


AssociationEvent = Associated | Response | Notified | Requested | Refused | Released
