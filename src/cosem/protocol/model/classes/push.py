"""Interface classes for push (IEC 62056-6-2): what a meter sends on its own, whereto, and when it tries again."""

from __future__ import annotations

from typing import Annotated

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.shape import (
    DATE_TIME,
    Enumeration,
    Integer8,
    Unsigned16,
    Unsigned32,
    array,
    structure,
)
from cosem.protocol.values.data import Data, Integer, LongUnsigned, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit


class TransportService(Enumeration):
    """How pushed data travels; 200 and above are the manufacturer's."""

    TCP = 0
    UDP = 1
    FTP = 2
    SMTP = 3
    SMS = 4
    HDLC = 5
    M_BUS = 6
    ZIGBEE = 7
    DLMS_GATEWAY = 8
    RELIABLE_COAP = 9
    UNRELIABLE_COAP = 10


class MessageType(Enumeration):
    """How pushed data is encoded; 128 and above are the manufacturer's."""

    A_XDR = 0
    XML = 1


@structure
class SendDestinationAndMethod:
    """Where pushed data goes, and how."""

    transport_service: TransportService
    destination: bytes
    message: MessageType


@structure
class CommunicationWindow:
    """When pushing is allowed; fields of the times may be open."""

    start_time: DateTime
    end_time: DateTime


class RestrictionType(Enumeration):
    """By what a pushed buffer is cut down."""

    NONE = 0
    DATE = 1
    ENTRY = 2


@structure
class Restriction:
    """Which part of a buffer is pushed; the value is null-data, or a structure of from and to."""

    restriction_type: RestrictionType
    restriction_value: Data


@structure
class PushObjectVersion1:
    """An attribute to push, or a part of it."""

    class_id: Unsigned16
    logical_name: Obis
    attribute_index: Integer8
    data_index: Unsigned16
    restriction: Restriction


@structure
class PushObject:
    """An attribute to push, or some rows and columns of it."""

    class_id: Unsigned16
    logical_name: Obis
    attribute_index: Integer8
    data_index: Unsigned16
    restriction: Restriction
    columns: tuple[CaptureObject, ...]


@structure
class RepetitionDelay:
    """How long to wait before trying again: the least time, its growth in percent, and the longest, in seconds."""

    repetition_delay_min: Unsigned16
    repetition_delay_exponent: Unsigned16
    repetition_delay_max: Unsigned16


class ProtectionType(Enumeration):
    """How one layer of data protection protects."""

    AUTHENTICATION = 0
    ENCRYPTION = 1
    AUTHENTICATION_AND_ENCRYPTION = 2
    DIGITAL_SIGNATURE = 3


class KeyInfoType(Enumeration):
    """How the key of data protection is told."""

    IDENTIFIED_KEY = 0
    WRAPPED_KEY = 1
    AGREED_KEY = 2


@structure
class KeyInfo:
    """The key of data protection; the options depend on the type."""

    key_info_type: KeyInfoType
    key_info_options: Data


@structure
class ProtectionOptions:
    """Who protects for whom, and with which key."""

    transaction_id: bytes
    originator_system_title: bytes
    recipient_system_title: bytes
    other_information: bytes
    key_info: KeyInfo


@structure
class ProtectionParameters:
    """One layer of data protection."""

    protection_type: ProtectionType
    protection_options: ProtectionOptions


class PushOperationMethod(Enumeration):
    """Whether a push is confirmed, and what counts as a failure."""

    UNCONFIRMED_RETRY_ON_FAILURE = 0
    UNCONFIRMED_RETRY_ON_MISSING_CONFIRMATION = 1
    CONFIRMED = 2


@structure
class ConfirmationParameters:
    """From when on, and how often (in seconds), data is pushed that was not confirmed yet."""

    confirmation_start_date: Annotated[DateTime, DATE_TIME]
    confirmation_interval: Unsigned32


class PushSetupCommon(InterfaceClass, instance="0.0.25.9.0.255"):
    """What all versions of Push setup have in common."""

    send_destination_and_method = attribute(3, SendDestinationAndMethod, static=True)
    communication_window = attribute(4, array(CommunicationWindow), static=True)
    randomisation_start_interval = attribute(5, LongUnsigned, static=True, unit=Unit.SECOND)
    number_of_retries = attribute(6, Unsigned, static=True)


class PushSetupVersion0(PushSetupCommon, class_id=40, version=0):
    """Holds which attributes to push, whereto, when, and how often to try. (class_id 40)"""

    push_object_list = attribute(2, array(CaptureObject), static=True)
    repetition_delay = attribute(7, LongUnsigned, static=True, unit=Unit.SECOND)
    push = method(1, Integer, sn=0x38)


class PushSetupVersion1(PushSetupCommon, class_id=40, version=1):
    """As version 0, with a part of a buffer, the port, and protection of the data. (class_id 40)"""

    push_object_list = attribute(2, array(PushObjectVersion1), static=True)
    repetition_delay = attribute(7, LongUnsigned, static=True, unit=Unit.SECOND)
    port_reference = attribute(8, Obis, static=True)
    push_client_sap = attribute(9, Integer, static=True)
    push_protection_parameters = attribute(10, array(ProtectionParameters), static=True)
    push = method(1, Integer)


class PushSetupVersion2(PushSetupCommon, class_id=40, version=2):
    """As version 1, with columns of a buffer, growing delays, and confirmation. (class_id 40)"""

    push_object_list = attribute(2, array(PushObject), static=True)
    repetition_delay = attribute(7, RepetitionDelay, static=True)
    port_reference = attribute(8, Obis, static=True)
    push_client_sap = attribute(9, Integer, static=True)
    push_protection_parameters = attribute(10, array(ProtectionParameters), static=True)
    push_operation_method = attribute(11, PushOperationMethod, static=True)
    confirmation_parameters = attribute(12, ConfirmationParameters, static=True)
    last_confirmation_date_time = attribute(13, DATE_TIME)
    push = method(1, Integer)
    reset = method(2, Integer)


class PushSetup(PushSetupVersion2, class_id=40, version=3):
    """Holds which attributes to push, whereto, when, how often to try, and whether to confirm. (class_id 40)"""
