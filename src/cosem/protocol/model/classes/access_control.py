"""Interface classes for access control and management (IEC 62056-6-2): associations, images, security, functions."""

from __future__ import annotations

from enum import IntFlag
from typing import Annotated, Final

from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.crypto.suite import Protection
from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.rights import OBJECT_LIST_ELEMENT
from cosem.protocol.model.selection import ValueSelection
from cosem.protocol.model.shape import (
    ANY,
    NULL,
    REFERENCE,
    Enumeration,
    Integer8,
    Text,
    Unsigned8,
    Unsigned16,
    Unsigned32,
    array,
    choice,
    flags,
    or_any,
    shape_of,
    structure,
)
from cosem.protocol.model.short_name import BASE_NAME
from cosem.protocol.values.data import (
    BitString,
    Data,
    DoubleLongUnsigned,
    Enumerated,
    Integer,
    LongUnsigned,
    OctetString,
    Unsigned,
)
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


GREATEST_USER: Final = 0xFF
"""The greatest number of a user."""


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


@structure
class ObjectListElementSN:
    """One object that an association by short names shows, with its base name, which is written without a sign."""

    base_name: Annotated[int, BASE_NAME]
    class_id: Unsigned16
    version: Unsigned8
    logical_name: Obis


class AssociationSNCommon(InterfaceClass, instance="0.0.40.0.0.255"):
    """What all versions of Association SN have in common."""

    object_list = attribute(2, array(ObjectListElementSN), static=True)
    read_by_logicalname = method(3, ANY, ANY, sn=0x30)
    get_attributes_and_methods = method(4, ANY, ANY, sn=0x38)
    change_lls_secret = method(5, OctetString, sn=0x40)
    change_hls_secret = method(6, OctetString, sn=0x48)
    reply_to_hls_authentication = method(8, OctetString, OctetString, sn=0x58)


class AssociationSNVersion0(AssociationSNCommon, class_id=12, version=0):
    """Holds the objects that an association by short names shows. (class_id 12)"""

    getlist_by_classid = method(1, ANY, ANY, sn=0x20)
    getobj_by_logicalname = method(2, ANY, ANY, sn=0x28)
    get_hls_challenge = method(7, ANY, ANY, sn=0x50)


class AssociationSNVersion1(AssociationSNCommon, class_id=12, version=1):
    """As version 0, without the methods that selective access replaced. (class_id 12)"""


class AssociationSNVersion2(AssociationSNVersion1, class_id=12, version=2):
    """As version 1, with access rights and the security set-up that it uses. (class_id 12)"""

    access_rights_list = attribute(3, ANY, static=True)
    security_setup_reference = attribute(4, Obis, static=True)


class AssociationSNVersion3(AssociationSNVersion2, class_id=12, version=3):
    """As version 2, with the users of the client. (class_id 12)"""

    user_list = attribute(5, array(User), static=True)
    current_user = attribute(6, User)
    add_user = method(9, User)
    remove_user = method(10, User)


class AssociationSN(AssociationSNVersion3, class_id=12, version=4):
    """As version 3, with access rights as bits that also say how messages must be protected. (class_id 12)"""


@structure
class SapAssignmentElement:
    """A logical device, by its SAP and its name."""

    sap: Unsigned16
    logical_device_name: bytes


class SapAssignment(InterfaceClass, class_id=17, version=0, instance="0.0.41.0.0.255"):
    """Holds the logical devices of a physical device, each with its SAP. (class_id 17)"""

    sap_assignment_list = attribute(2, array(SapAssignmentElement), static=True)
    connect_logical_device = method(1, SapAssignmentElement, sn=0x20)


class ImageTransferStatus(Enumeration):
    """How far the transfer of an image has come."""

    NOT_INITIATED = 0
    INITIATED = 1
    VERIFICATION_INITIATED = 2
    VERIFICATION_SUCCESSFUL = 3
    VERIFICATION_FAILED = 4
    ACTIVATION_INITIATED = 5
    ACTIVATION_SUCCESSFUL = 6
    ACTIVATION_FAILED = 7


@structure
class ImageToActivateInfo:
    """An image that may be activated."""

    image_to_activate_size: Unsigned32
    image_to_activate_identification: bytes
    image_to_activate_signature: bytes


@structure
class ImageTransferInitiate:
    """The image that will come, and its size in octets."""

    image_identifier: bytes
    image_size: Unsigned32


@structure
class ImageBlock:
    """One block of an image, counted from 0."""

    image_block_number: Unsigned32
    image_block_value: bytes


class ImageTransfer(InterfaceClass, class_id=18, version=0, instance="0.0.44.0.0.255"):
    """Holds the progress of a firmware image: its blocks, its verification, its activation. (class_id 18)"""

    image_block_size = attribute(2, DoubleLongUnsigned, static=True)
    image_transferred_blocks_status = attribute(3, BitString)
    image_first_not_transferred_block_number = attribute(4, DoubleLongUnsigned)
    image_transfer_enabled = attribute(5, bool, static=True)
    image_transfer_status = attribute(6, ImageTransferStatus)
    image_to_activate_info = attribute(7, array(ImageToActivateInfo))
    image_transfer_initiate = method(1, ImageTransferInitiate, sn=0x40)
    image_block_transfer = method(2, ImageBlock, sn=0x48)
    image_verify = method(3, Integer, sn=0x50)
    image_activate = method(4, Integer, sn=0x58)


class SecurityPolicyVersion0(Enumeration):
    """What must be protected how, as version 0 numbers it."""

    NONE = 0
    AUTHENTICATED = 1
    ENCRYPTED = 2
    AUTHENTICATED_AND_ENCRYPTED = 3


class SecurityPolicy(IntFlag):
    """What must be protected how, bit by bit; requests and responses each for themselves."""

    NONE = 0
    AUTHENTICATED_REQUEST = 4
    ENCRYPTED_REQUEST = 8
    SIGNED_REQUEST = 16
    AUTHENTICATED_RESPONSE = 32
    ENCRYPTED_RESPONSE = 64
    SIGNED_RESPONSE = 128

    @classmethod
    def of(cls, protection: Protection) -> SecurityPolicy:
        """Return the policy that asks for a protection in both directions."""
        return cls(sum(bits for each in _POLICY for bits in _POLICY[each] if each in protection))

    @property
    def requests(self) -> Protection:
        """What requests must have."""
        return self._asks(0)

    @property
    def responses(self) -> Protection:
        """What responses must have."""
        return self._asks(1)

    def _asks(self, direction: int) -> Protection:
        return Protection(sum(each for each, bits in _POLICY.items() if bits[direction] in self))


_POLICY: Final = {
    Protection.AUTHENTICATION: (SecurityPolicy.AUTHENTICATED_REQUEST, SecurityPolicy.AUTHENTICATED_RESPONSE),
    Protection.ENCRYPTION: (SecurityPolicy.ENCRYPTED_REQUEST, SecurityPolicy.ENCRYPTED_RESPONSE),
    Protection.SIGNATURE: (SecurityPolicy.SIGNED_REQUEST, SecurityPolicy.SIGNED_RESPONSE),
}
"""The bits of each protection: for requests and for responses."""


class SecuritySuite(Enumeration):
    """The algorithms in use."""

    AES_GCM_128 = 0
    AES_GCM_128_ECDSA_P_256 = 1
    AES_GCM_256_ECDSA_P_384 = 2


class KeyId(Enumeration):
    """Which symmetric key is meant."""

    GLOBAL_UNICAST_ENCRYPTION = 0
    GLOBAL_BROADCAST_ENCRYPTION = 1
    AUTHENTICATION = 2
    MASTER = 3


@structure
class KeyTransferData:
    """A new key, wrapped with the master key."""

    key_id: KeyId
    key_wrapped: bytes


@structure
class KeyAgreementData:
    """A new key, as the ephemeral public key of the client and its signature; the answer has the server's."""

    key_id: KeyId
    key_data: bytes


class CertificateEntity(Enumeration):
    """Whose certificate it is."""

    SERVER = 0
    CLIENT = 1
    CERTIFICATION_AUTHORITY = 2
    OTHER = 3


class CertificateType(Enumeration):
    """What the key of a certificate is for."""

    DIGITAL_SIGNATURE = 0
    KEY_AGREEMENT = 1
    TLS = 2
    OTHER = 3


@structure
class CertificateInfo:
    """A certificate that the server has."""

    certificate_entity: CertificateEntity
    certificate_type: CertificateType
    serial_number: bytes
    issuer: bytes
    subject: bytes
    subject_alt_name: bytes


@structure
class CertificateByEntity:
    """A certificate, by whose it is."""

    certificate_entity: CertificateEntity
    certificate_type: CertificateType
    system_title: bytes


@structure
class CertificateBySerial:
    """A certificate, by issuer and serial number."""

    serial_number: bytes
    issuer: bytes


class CertificateIdentificationType(Enumeration):
    """By what a certificate is named."""

    ENTITY = 0
    SERIAL_NUMBER = 1


@structure
class CertificateIdentification:
    """Which certificate is meant."""

    certificate_identification_type: CertificateIdentificationType
    certificate_identification_options: CertificateByEntity | CertificateBySerial


class SecuritySetupCommon(InterfaceClass, instance="0.0.43.0.0.255"):
    """What all versions of Security setup have in common."""

    security_suite = attribute(3, SecuritySuite, static=True)
    client_system_title = attribute(4, OctetString)
    server_system_title = attribute(5, OctetString, static=True, writable=False)


class SecuritySetupVersion0(SecuritySetupCommon, class_id=64, version=0):
    """Holds the security suite and policy between a client and the server, and their system titles. (class_id 64)"""

    security_policy = attribute(2, SecurityPolicyVersion0, static=True)
    security_activate = method(1, SecurityPolicyVersion0, sn=0x28)
    global_key_transfer = method(2, array(KeyTransferData), sn=0x30)


class SecuritySetup(SecuritySetupCommon, class_id=64, version=1):
    """Holds security suite, policy, system titles and certificates, and takes new keys. (class_id 64)"""

    security_policy = attribute(2, flags(SecurityPolicy, Enumerated), static=True)
    certificates = attribute(6, array(CertificateInfo))
    security_activate = method(1, flags(SecurityPolicy, Enumerated), sn=0x30)
    key_transfer = method(2, array(KeyTransferData), sn=0x38)
    key_agreement = method(3, array(KeyAgreementData), array(KeyAgreementData), sn=0x40)
    generate_key_pair = method(4, CertificateType, sn=0x48)
    generate_certificate_request = method(5, CertificateType, OctetString, sn=0x50)
    import_certificate = method(6, OctetString, sn=0x58)
    export_certificate = method(7, CertificateIdentification, OctetString, sn=0x60)
    remove_certificate = method(8, CertificateIdentification, sn=0x68)


class DataProtection(InterfaceClass, class_id=30, version=0):
    """Holds attributes and methods protected end to end, beyond what the association does. (class_id 30)"""

    protection_buffer = attribute(2, OctetString)
    protection_object_list = attribute(3, ANY, static=True)
    protection_parameters_get = attribute(4, ANY, static=True)
    protection_parameters_set = attribute(5, ANY, static=True)
    required_protection = attribute(6, ANY, static=True)
    get_protected_attributes = method(1, ANY, ANY)
    set_protected_attributes = method(2, ANY, ANY)
    invoke_protected_method = method(3, ANY, ANY)


@structure
class FunctionStatus:
    """Whether a function is active."""

    function_name: bytes
    function_status: bool


@structure
class FunctionBlock:
    """A function, by its name, and the objects that make it."""

    function_name: bytes
    function_specifications: tuple[ObjectId, ...]


class FunctionControl(InterfaceClass, class_id=122, version=0):
    """Holds which functions the meter has, and which of them are active. (class_id 122)"""

    activation_status = attribute(2, array(or_any(FunctionStatus)))
    function_list = attribute(3, array(or_any(FunctionBlock)), static=True)
    set_function_status = method(1, array(FunctionStatus))
    add_function = method(2, FunctionBlock)
    remove_function = method(3, OctetString)


@structure
class ArrayObjectDefinition:
    """An attribute that is an array."""

    class_id: Unsigned16
    logical_name: Obis
    attribute_index: Integer8


@structure
class ArrayObject:
    """An array that is managed, and its number."""

    array_object_id: Unsigned8
    array_object_definition: ArrayObjectDefinition


@structure
class EntryRange:
    """The entries of an array from one to another, counted from 1."""

    from_index: Unsigned16
    to_index: Unsigned16


@structure
class ArrayEntries:
    """Some entries of a managed array."""

    array_object_id: Unsigned8
    entries: EntryRange


@structure
class IndexedEntry:
    """An entry of an array, and where it stands or shall stand."""

    index: Unsigned16
    value: Data


@structure
class ArrayEntry:
    """An entry of a managed array."""

    array_object_id: Unsigned8
    entry: IndexedEntry


class ArrayManager(InterfaceClass, class_id=123, version=0):
    """Holds which attributes that are arrays can be read and changed entry by entry. (class_id 123)"""

    array_object_list = attribute(2, array(or_any(ArrayObject)), static=True)
    retrieve_number_of_entries = method(1, Unsigned, ANY)
    retrieve_entries = method(2, ArrayEntries, ANY)
    insert_entry = method(3, ArrayEntry)
    update_entry = method(4, ArrayEntry)
    remove_entries = method(5, ArrayEntries)


class ProtectionMode(Enumeration):
    """Whether a port is open, shut, or shut for a while after failed attempts."""

    LOCKED = 0
    LOCKED_ON_FAILED_ATTEMPTS = 1
    UNLOCKED = 2


class ProtectionStatus(Enumeration):
    """Whether a port is open now."""

    UNLOCKED = 0
    TEMPORARILY_LOCKED = 1
    LOCKED = 2


class CommunicationPortProtection(InterfaceClass, class_id=124, version=0):
    """Holds after how many failed attempts a port is locked and for how long, and whether it is. (class_id 124)"""

    protection_mode = attribute(2, ProtectionMode, static=True)
    allowed_failed_attempts = attribute(3, LongUnsigned, static=True)
    initial_lockout_time = attribute(4, DoubleLongUnsigned, static=True)
    steepness_factor = attribute(5, Unsigned, static=True)
    max_lockout_time = attribute(6, DoubleLongUnsigned, static=True)
    port_reference = attribute(7, REFERENCE, static=True)
    protection_status = attribute(8, ProtectionStatus)
    failed_attempts = attribute(9, DoubleLongUnsigned)
    cumulative_failed_attempts = attribute(10, DoubleLongUnsigned)
    reset = method(1, Integer)
