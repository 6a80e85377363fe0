"""Interface classes for local ports and modems (IEC 62056-6-2): IEC 62056-21, HDLC, twisted pair, dialling."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY, Enumeration, Unsigned8, Unsigned16, array, structure
from cosem.protocol.values.data import Enumerated, Integer, LongUnsigned, OctetString, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.units import Unit


class CommunicationSpeed(Enumeration):
    """The speed of a line in baud."""

    BAUD_300 = 0
    BAUD_600 = 1
    BAUD_1200 = 2
    BAUD_2400 = 3
    BAUD_4800 = 4
    BAUD_9600 = 5
    BAUD_19200 = 6
    BAUD_38400 = 7
    BAUD_57600 = 8
    BAUD_115200 = 9


class LocalPortMode(Enumeration):
    """The protocol of a local port; from HDLC on the other attributes mostly do not apply. NOT_SPECIFIED: version 1."""

    IEC_62056_21 = 0
    HDLC = 1
    NOT_SPECIFIED = 2


class ResponseTime(Enumeration):
    """The least time between a request and its answer in IEC 62056-21."""

    MILLISECONDS_20 = 0
    MILLISECONDS_200 = 1


class IecLocalPortSetupCommon(InterfaceClass, instance="0.0.20.0.0.255"):
    """What all versions of IEC local port setup have in common."""

    default_mode = attribute(2, LocalPortMode, static=True)
    default_baud = attribute(3, CommunicationSpeed, static=True)
    prop_baud = attribute(4, CommunicationSpeed, static=True)
    response_time = attribute(5, ResponseTime, static=True)
    device_addr = attribute(6, OctetString, static=True)
    pass_p1 = attribute(7, OctetString, static=True)
    pass_p2 = attribute(8, OctetString, static=True)
    pass_w5 = attribute(9, OctetString, static=True)


class IecLocalPortSetupVersion0(IecLocalPortSetupCommon, class_id=19, version=0):
    """Holds protocol, speeds, address and passwords of a port by IEC 62056-21 or HDLC. (class_id 19)"""


class IecLocalPortSetup(IecLocalPortSetupCommon, class_id=19, version=1):
    """Holds protocol, speeds, address and passwords of a local port, such as the optical head. (class_id 19)"""


class IecHdlcSetupCommon(InterfaceClass, instance="0.0.22.0.0.255"):
    """What all versions of IEC HDLC setup have in common; `inter_octet_time_out` is in milliseconds."""

    comm_speed = attribute(2, CommunicationSpeed, static=True)
    window_size_transmit = attribute(3, Unsigned, static=True)
    window_size_receive = attribute(4, Unsigned, static=True)
    inter_octet_time_out = attribute(7, LongUnsigned, static=True)
    inactivity_time_out = attribute(8, LongUnsigned, static=True, unit=Unit.SECOND)
    device_address = attribute(9, LongUnsigned, static=True)


class IecHdlcSetupVersion0(IecHdlcSetupCommon, class_id=23, version=0):
    """Holds speed, windows, information fields of up to 128 octets, time-outs and address. (class_id 23)"""

    max_info_field_length_transmit = attribute(5, Unsigned, static=True)
    max_info_field_length_receive = attribute(6, Unsigned, static=True)


class IecHdlcSetup(IecHdlcSetupCommon, class_id=23, version=1):
    """Holds speed, windows, lengths of information fields, time-outs and address of HDLC. (class_id 23)"""

    max_info_field_length_transmit = attribute(5, LongUnsigned, static=True)
    max_info_field_length_receive = attribute(6, LongUnsigned, static=True)


class IecTwistedPairSetupVersion0(InterfaceClass, class_id=24, version=0):
    """Holds the addresses of a station on a twisted pair (Euridis) and its last fatal error. (class_id 24)"""

    secondary_address = attribute(2, ANY, static=True)
    primary_address_list = attribute(3, ANY, static=True)
    tabi_list = attribute(4, ANY, static=True)
    fatal_error = attribute(5, ANY)


class TwistedPairMode(Enumeration):
    """Whether frames are answered; 128 and above are the manufacturer's."""

    INACTIVE = 0
    ALWAYS_ACTIVE = 1


class IecTwistedPairSetup(InterfaceClass, class_id=24, version=1):
    """Holds mode, speed and addresses of a station on a twisted pair (Euridis). (class_id 24)"""

    mode = attribute(2, TwistedPairMode, static=True)
    speed = attribute(3, Enumerated, static=True)
    primary_address = attribute(4, ANY, static=True)
    tabis = attribute(5, ANY, static=True)


@structure
class InitializationStringVersion0:
    """A command to the modem and the response to expect."""

    request: bytes
    response: bytes


@structure
class InitializationString:
    """A command to the modem, the response to expect, and how long to wait after it, in milliseconds."""

    request: bytes
    response: bytes
    delay_after_response: Unsigned16


class ModemConfigurationCommon(InterfaceClass, instance="0.0.2.0.0.255"):
    """What all versions of Modem configuration have in common."""

    comm_speed = attribute(2, CommunicationSpeed, static=True)
    modem_profile = attribute(4, array(OctetString), static=True)


class ModemConfigurationVersion0(ModemConfigurationCommon, class_id=27, version=0):
    """Holds how a modem is initialized and what it answers (PSTN modem configuration). (class_id 27)"""

    initialization_string = attribute(3, array(InitializationStringVersion0), static=True)


class ModemConfiguration(ModemConfigurationCommon, class_id=27, version=1):
    """Holds how a modem is initialized, with delays, and what it answers. (class_id 27)"""

    initialization_string = attribute(3, array(InitializationString), static=True)


@structure
class TimeWindow:
    """From when to when something is allowed; fields of the times may be open."""

    start_time: DateTime
    end_time: DateTime


class AutoAnswerMode(Enumeration):
    """What the line is for, and what ends a window; 200 and above are the manufacturer's."""

    DEDICATED_LINE = 0
    LIMITED_CALLS = 1
    LIMITED_SUCCESSFUL_CALLS = 2
    NO_MODEM = 3


class AutoAnswerStatus(Enumeration):
    """Whether the next call is answered."""

    INACTIVE = 0
    ACTIVE = 1
    LOCKED = 2


@structure
class NumberOfRings:
    """After how many rings a call is answered in a window and outside of one; 0 means never."""

    nr_rings_in_window: Unsigned8
    nr_rings_out_of_window: Unsigned8


class CallType(Enumeration):
    """What a call of an allowed caller means."""

    NORMAL = 0
    WAKE_UP = 1


@structure
class AllowedCaller:
    """A calling number that is accepted, and what its calls mean."""

    caller_id: bytes
    call_type: CallType


class AutoAnswerCommon(InterfaceClass, instance="0.0.2.2.0.255"):
    """What all versions of Auto answer have in common."""

    mode = attribute(2, AutoAnswerMode, static=True)
    listening_window = attribute(3, array(TimeWindow), static=True)
    status = attribute(4, AutoAnswerStatus, writable=True)
    number_of_calls = attribute(5, Unsigned, static=True)
    number_of_rings = attribute(6, NumberOfRings, static=True)


class AutoAnswerVersion0(AutoAnswerCommon, class_id=28, version=0):
    """Holds when, and after how many rings, calls are answered. (class_id 28)"""


class AutoAnswerVersion1(AutoAnswerCommon, class_id=28, version=1):
    """Holds when, and after how many rings, calls are answered, as version 0. (class_id 28)"""


class AutoAnswer(AutoAnswerCommon, class_id=28, version=2):
    """Holds when, after how many rings, and of which callers calls are answered. (class_id 28)"""

    list_of_allowed_callers = attribute(7, array(AllowedCaller), static=True)


class AutoConnectMode(Enumeration):
    """When the device connects or dials: 0 to 3 in all versions, up to 6 from version 1, 101 on from version 2."""

    NO_AUTO_DIALLING = 0
    ANYTIME = 1
    WITHIN_CALLING_WINDOW = 2
    REGULAR_WITHIN_CALLING_WINDOW_ALARM_ANYTIME = 3
    SMS_VIA_PLMN = 4
    SMS_VIA_PSTN = 5
    EMAIL = 6
    PERMANENTLY_CONNECTED = 101
    PERMANENTLY_CONNECTED_WITHIN_CALLING_WINDOW = 102
    CONNECTED_ON_INVOCATION_WITHIN_CALLING_WINDOW = 103
    CONNECTED_ON_INVOCATION = 104


class AutoConnectCommon(InterfaceClass, instance="0.0.2.1.0.255"):
    """What all versions of Auto connect have in common."""

    mode = attribute(2, AutoConnectMode, static=True)
    repetitions = attribute(3, Unsigned, static=True)
    repetition_delay = attribute(4, LongUnsigned, static=True, unit=Unit.SECOND)
    calling_window = attribute(5, array(TimeWindow), static=True)


class PstnAutoDial(AutoConnectCommon, class_id=29, version=0):
    """Holds when the device dials, and which numbers. (class_id 29)"""

    phone_list = attribute(6, array(OctetString), static=True)


class AutoConnectVersion1(AutoConnectCommon, class_id=29, version=1):
    """Holds when the device dials or sends messages, and whereto. (class_id 29)"""

    destination_list = attribute(6, array(OctetString), static=True)


class AutoConnect(AutoConnectCommon, class_id=29, version=2):
    """Holds when the device connects to the network, dials or sends messages, and whereto. (class_id 29)"""

    destination_list = attribute(6, array(OctetString), static=True)
    connect = method(1, Integer)
