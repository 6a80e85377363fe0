"""Interface classes for access control and management (IEC 62056-6-2): associations, SAPs, images, security."""

from __future__ import annotations

from typing import Annotated, Final

from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.rights import OBJECT_LIST_ELEMENT
from cosem.protocol.model.selection import ValueSelection
from cosem.protocol.model.shape import (
    NULL,
    Enumeration,
    Integer8,
    Text,
    Unsigned8,
    Unsigned16,
    array,
    choice,
    flags,
    shape_of,
    structure,
)
from cosem.protocol.values.data import LongUnsigned, OctetString
from cosem.protocol.values.obis import Obis


@structure
class AssociatedPartners:
    """The client and the logical device that an association joins."""

    client_sap: Integer8
    server_sap: Unsigned16


@structure
class ObjectIdentifier:
    """The seven arcs of an application context name or authentication mechanism name, written one by one."""

    joint_iso_ctt: Unsigned8 = 2
    country: Unsigned8 = 16
    country_name: Unsigned16 = 756
    identified_organization: Unsigned8 = 5
    dlms_ua: Unsigned8 = 8
    kind: Unsigned8 = 1
    identifier: Unsigned8 = 1

    @property
    def octets(self) -> bytes:
        """The same identifier as the contents of an ASN.1 object identifier, the other way a meter writes it."""
        arcs = (self.country_name >> 7 | 0x80, self.country_name & 0x7F)
        first = 40 * self.joint_iso_ctt + self.country
        return bytes((first, *arcs, self.identified_organization, self.dlms_ua, self.kind, self.identifier))


NAME = choice(ObjectIdentifier, bytes)
"""A context or mechanism name: arc by arc, or the contents octets of an ASN.1 object identifier."""


@structure
class XdlmsContext:
    """What the xDLMS service of an association has agreed on."""

    conformance: Annotated[Conformance, flags(Conformance, 24)]
    max_receive_pdu_size: Unsigned16
    max_send_pdu_size: Unsigned16
    dlms_version_number: Unsigned8
    quality_of_service: Integer8
    cyphering_info: bytes


class AssociationStatus(Enumeration):
    """How far an association has come."""

    NON_ASSOCIATED = 0
    ASSOCIATION_PENDING = 1
    ASSOCIATED = 2


@structure
class User:
    """One user of the client, by number and name."""

    user_id: Unsigned8
    user_name: Text


@structure
class ObjectId:
    """One object, named by class and logical name."""

    class_id: Unsigned16
    logical_name: Obis


class AllObjects(ValueSelection[None]):
    """All objects, without their access rights."""

    SELECTOR = 1
    SHAPE = NULL


class ObjectsOfClasses(ValueSelection[tuple[int, ...]]):
    """The objects of some classes, without their access rights."""

    SELECTOR = 2
    SHAPE = array(LongUnsigned)


class NamedObjects(ValueSelection[tuple[ObjectId, ...]]):
    """The objects of some names, with their access rights."""

    SELECTOR = 3
    SHAPE = array(ObjectId)


class NamedObject(ValueSelection[ObjectId]):
    """One object, with its access rights."""

    SELECTOR = 4
    SHAPE = shape_of(ObjectId)


OBJECT_LIST_SELECTORS: Final = {
    kind.SELECTOR: kind for kind in (AllObjects, ObjectsOfClasses, NamedObjects, NamedObject)
}


class AssociationLNVersion0(InterfaceClass, class_id=15, version=0, instance="0.0.40.0.0.255"):
    """Holds what one association by logical names shows, to whom, and how far it has come. (class_id 15)"""

    object_list = attribute(2, array(OBJECT_LIST_ELEMENT[0]), static=True, selectors=OBJECT_LIST_SELECTORS)
    associated_partners_id = attribute(3, AssociatedPartners, static=True)
    application_context_name = attribute(4, NAME, static=True)
    xdlms_context_info = attribute(5, XdlmsContext, static=True)
    authentication_mechanism_name = attribute(6, NAME, static=True)
    secret = attribute(7, OctetString, static=True)
    association_status = attribute(8, AssociationStatus)
    reply_to_hls_authentication = method(1, OctetString, OctetString)
    change_hls_secret = method(2, OctetString)
    add_object = method(3, OBJECT_LIST_ELEMENT[0])
    remove_object = method(4, OBJECT_LIST_ELEMENT[0])


class AssociationLNVersion1(AssociationLNVersion0, class_id=15, version=1):
    """As version 0, with the rights of methods as numbers and the security set-up that it uses. (class_id 15)"""

    object_list = attribute(2, array(OBJECT_LIST_ELEMENT[1]), static=True, selectors=OBJECT_LIST_SELECTORS)
    security_setup_reference = attribute(9, Obis, static=True)
    add_object = method(3, OBJECT_LIST_ELEMENT[1])
    remove_object = method(4, OBJECT_LIST_ELEMENT[1])


class AssociationLNVersion2(AssociationLNVersion1, class_id=15, version=2):
    """As version 1, with the users of the client. (class_id 15)"""

    user_list = attribute(10, array(User), static=True)
    current_user = attribute(11, User)
    add_user = method(5, User)
    remove_user = method(6, User)


class AssociationLN(AssociationLNVersion2, class_id=15, version=3):
    """As version 2, with access rights as bits that also say how messages must be protected. (class_id 15)"""

    object_list = attribute(2, array(OBJECT_LIST_ELEMENT[3]), static=True, selectors=OBJECT_LIST_SELECTORS)
    add_object = method(3, OBJECT_LIST_ELEMENT[3])
    remove_object = method(4, OBJECT_LIST_ELEMENT[3])
