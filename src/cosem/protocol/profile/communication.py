"""A communication profile as a type: the clauses of IEC TS 62056-1-1, each a field that does work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import (
    IMPLEMENTED_LOGICAL_NAME_SERVICES,
    IMPLEMENTED_SHORT_NAME_SERVICES,
    Naming,
)
from cosem.protocol.link import ClientLink, ServerLink
from cosem.protocol.link.gateway import GatewayClient
from cosem.protocol.link.hdlc import MOST, Parameters
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.timing import ServerTiming, Timing


@dataclass(frozen=True, slots=True)
class Station:
    """A physical device: its logical devices, and on HDLC its lower address, if any, and what it can do."""

    servers: frozenset[int]
    physical: int | None = None
    parameters: Parameters = MOST


@dataclass(frozen=True, slots=True)
class LowerLayers:
    """How the stack below the application layer is built, for either end of a connection."""

    client: Callable[[ConnectionUrl], ClientLink]
    server: Callable[[Station], ServerLink]
    datagrams: bool = False
    """True where each write and each read is one whole datagram."""

    def client_link(self, url: ConnectionUrl) -> ClientLink:
        """Return the client's end for a URL, through a gateway where the URL names one."""
        link = self.client(url)
        return link if url.gateway is None else GatewayClient(link, GatewayAddress.parse(url.gateway))


@dataclass(frozen=True, slots=True)
class Addressing:
    """Identification and addressing: the SAPs with a fixed meaning, and which wire addresses carry them."""

    client_saps: dict[int, str]
    server_saps: dict[int, str]
    carried_in: str

    def describe(self, url: ConnectionUrl) -> str:
        """Say in words whom a URL addresses, as far as the standard gives its SAPs a meaning."""
        client = self.client_saps.get(url.client, "a client of the meter's own description")
        server = self.server_saps.get(url.server, "a logical device")
        return f"client {url.client} ({client}) to server {url.server} ({server})"


@dataclass(frozen=True, slots=True)
class ApplicationUse:
    """What the application layer may propose on this medium; PDU sizes in octets."""

    conformance: Conformance = IMPLEMENTED_LOGICAL_NAME_SERVICES
    short_name_conformance: Conformance = IMPLEMENTED_SHORT_NAME_SERVICES
    max_pdu_size: int = 0xFFFF
    timing: Timing = field(default_factory=Timing)
    server_timing: ServerTiming = field(default_factory=ServerTiming)

    @property
    def services(self) -> Mapping[Naming, Conformance]:
        """What may be proposed, by how objects are referred to."""
        return {Naming.LOGICAL_NAMES: self.conformance, Naming.SHORT_NAMES: self.short_name_conformance}


@dataclass(frozen=True, slots=True)
class CommunicationProfile:
    """One profile standard: "`name`: communication profile for `environment`".

    Attributes:
        framing, medium: the two words of the connection URL.
        standards: the parts of the series that define it.
        environment: clause "targeted communication environments".
        service_mapping: clause "service mapping and adaptation layers".
        connection: clause "registration and connection management".
        management: class ids of the setup objects that a meter on this medium carries.
        process: clause "the COSEM application process".
    """

    name: str
    framing: str
    medium: str
    standards: tuple[str, ...]
    environment: str
    lower_layers: LowerLayers
    service_mapping: str
    connection: str
    addressing: Addressing
    application: ApplicationUse
    management: tuple[int, ...]
    process: str = "one physical device with one or more logical devices; the management logical device has SAP 1"
