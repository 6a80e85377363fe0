"""What a meter says about itself, about the open association, and how that is protected (classes 1, 15, 17, 64)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cosem.client.services import Services
from cosem.errors import CosemError
from cosem.protocol.model.classes.access_control import (
    AssociatedPartners,
    AssociationLN,
    AssociationStatus,
    CertificateInfo,
    SapAssignment,
    SapAssignmentElement,
    SecuritySetup,
    SecuritySuite,
    XdlmsContext,
)
from cosem.protocol.model.classes.data_storage import Data
from cosem.protocol.values.obis import Obis

NO_SETUP: Final = Obis("0.0.0.0.0.0")
"""What an association refers to that is not protected."""

LOGICAL_DEVICE_NAME: Final = Data("0.0.42.0.0.255")


@dataclass(frozen=True, slots=True)
class SecurityInformation:
    """The security set-up that an association uses; None for what the meter does not tell.

    `policy` is a number of version 0 or flags of version 1, as the meter wrote it.
    """

    instance: Obis
    suite: SecuritySuite | None
    policy: int | None
    client_system_title: bytes | None
    server_system_title: bytes | None
    certificates: tuple[CertificateInfo, ...] | None


@dataclass(frozen=True, slots=True)
class Information:
    """Who the meter is, and what the open association is to it; None for what the meter does not tell."""

    logical_device_name: bytes | None
    logical_devices: tuple[SapAssignmentElement, ...] | None
    partners: AssociatedPartners | None
    context: XdlmsContext | None
    status: AssociationStatus | None
    security: SecurityInformation | None


async def information(services: Services) -> Information:
    """Read it all, in two exchanges where the meter has lists."""
    association, saps = AssociationLN(), SapAssignment()
    name, devices, partners, context, status, setup = await _told(
        services,
        LOGICAL_DEVICE_NAME.value,
        saps.sap_assignment_list,
        association.associated_partners_id,
        association.xdlms_context_info,
        association.association_status,
        association.security_setup_reference,
    )
    security = None if setup in (None, NO_SETUP) else await _security(services, setup)
    return Information(bytes(name) if isinstance(name, bytes) else None, devices, partners, context, status, security)


async def _security(services: Services, instance: Obis) -> SecurityInformation:
    setup = SecuritySetup(instance)
    suite, policy, client, server, certificates = await _told(
        services,
        setup.security_suite,
        setup.security_policy,
        setup.client_system_title,
        setup.server_system_title,
        setup.certificates,
    )
    return SecurityInformation(instance, suite, None if policy is None else int(policy), client, server, certificates)


async def _told(services: Services, *references: Any) -> list[Any]:
    answers = await services.get_many(list(references))
    return [None if isinstance(answer, CosemError) else answer for answer in answers]
