"""The association object as its own client sees it: the objects it may use, and what was agreed (class 15)."""

from __future__ import annotations

from typing import Final

from cosem.meter.item import Behaviour, Item, Refusal, Visit
from cosem.protocol.apdu.acse import ApplicationContext
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.context import DLMS_VERSION, Negotiated
from cosem.protocol.association.security import Protection
from cosem.protocol.model.classes.access_control import (
    AssociatedPartners,
    AssociationLNVersion1,
    AssociationStatus,
    ObjectIdentifier,
    XdlmsContext,
)
from cosem.protocol.model.rights import (
    AccessRights,
    AttributeAccessItem,
    MethodAccess,
    MethodAccessItem,
    ObjectListElement,
)
from cosem.protocol.model.shape import shape_of
from cosem.protocol.values.data import Data, Enumerated, OctetString

OBJECT_LIST, PARTNERS, CONTEXT_NAME, CONTEXT_INFO, MECHANISM_NAME = range(2, 7)
STATUS, SECURITY_SETUP = 8, 9
REPLY_TO_HLS_AUTHENTICATION: Final = 1

_CONTEXT_KIND, _MECHANISM_KIND = 1, 2
"""The last but one arc of the identifiers of application contexts and of mechanisms."""


def _object_list(visit: Visit, _: Item) -> Data:
    return AssociationLNVersion1.object_list.shape.encode(
        tuple(_element(visit, item) for item in visit.items() if _shows(visit, item))
    )


def _shows(visit: Visit, item: Item) -> bool:
    return visit.association is not None and visit.association.rights.shows(item)


def _element(visit: Visit, item: Item) -> ObjectListElement:
    return ObjectListElement(item.class_id, item.version, item.instance, _rights(visit, item))


def _rights(visit: Visit, item: Item) -> AccessRights:
    association = visit.association
    assert association is not None
    rights = association.rights
    selectors = {index: _selectors(item, index) for index in item.behaviour.selections}
    attributes = sorted({*item.attributes(), *item.kind.declared_attributes})
    methods = sorted({*item.behaviour.methods, *item.kind.declared_methods})
    proves = item.behaviour is BEHAVIOUR and association.mechanism.challenges
    return AccessRights(
        tuple(AttributeAccessItem(index, rights.attribute(item, index), selectors.get(index)) for index in attributes),
        tuple(
            MethodAccessItem(
                index,
                MethodAccess.ACCESS if proves and index == REPLY_TO_HLS_AUTHENTICATION else rights.method(item, index),
            )
            for index in methods
        ),
    )


def _selectors(item: Item, index: int) -> tuple[int, ...] | None:
    declared = item.kind.declared_attributes.get(index)
    return tuple(declared.selectors) if declared is not None and declared.selectors else None


def _partners(visit: Visit, _: Item) -> Data:
    association = visit.association
    if association is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    return _PARTNERS.encode(AssociatedPartners(association.client, visit.device.sap))


def _context_name(visit: Visit, _: Item) -> Data:
    ciphered = visit.association is not None and visit.association.protection is not Protection.NONE
    context = ApplicationContext.LOGICAL_NAME_CIPHERED if ciphered else ApplicationContext.LOGICAL_NAME
    return _IDENTIFIER.encode(ObjectIdentifier(kind=_CONTEXT_KIND, identifier=context))


def _context_info(visit: Visit, _: Item) -> Data:
    negotiated = _negotiated(visit)
    return _CONTEXT.encode(
        XdlmsContext(
            conformance=negotiated.conformance,
            max_receive_pdu_size=negotiated.max_receive_pdu_size,
            max_send_pdu_size=negotiated.max_send_pdu_size,
            dlms_version_number=DLMS_VERSION,
            quality_of_service=0,
            cyphering_info=b"",
        )
    )


def _mechanism_name(visit: Visit, _: Item) -> Data:
    return _IDENTIFIER.encode(ObjectIdentifier(kind=_MECHANISM_KIND, identifier=_negotiated(visit).mechanism))


def _status(_: Visit, __: Item) -> Data:
    return Enumerated(AssociationStatus.ASSOCIATED)


def _security_setup(visit: Visit, _: Item) -> Data:
    return OctetString(visit.device.security_setup_name(visit.association))


def _negotiated(visit: Visit) -> Negotiated:
    if visit.negotiated is None:
        raise Refusal(DataAccessResult.OBJECT_UNAVAILABLE)
    return visit.negotiated


_PARTNERS: Final = shape_of(AssociatedPartners)
_IDENTIFIER: Final = shape_of(ObjectIdentifier)
_CONTEXT: Final = shape_of(XdlmsContext)

BEHAVIOUR: Final = Behaviour(
    reads={
        OBJECT_LIST: _object_list,
        PARTNERS: _partners,
        CONTEXT_NAME: _context_name,
        CONTEXT_INFO: _context_info,
        MECHANISM_NAME: _mechanism_name,
        STATUS: _status,
        SECURITY_SETUP: _security_setup,
    },
)
