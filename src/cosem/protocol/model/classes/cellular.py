"""Interface classes for cellular networks (IEC 62056-6-2): setting up the modem, and what it sees of the network."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute
from cosem.protocol.model.shape import (
    ANY,
    DATE_TIME,
    Enumeration,
    Integer8,
    Unsigned8,
    Unsigned16,
    Unsigned32,
    array,
    or_any,
    structure,
)
from cosem.protocol.values.data import LongUnsigned, OctetString, VisibleString


@structure
class QualityOfServiceElement:
    """The quality of service of a packet data connection, in the classes of 3GPP."""

    precedence: Unsigned8
    delay: Unsigned8
    reliability: Unsigned8
    peak_throughput: Unsigned8
    mean_throughput: Unsigned8


@structure
class QualityOfService:
    """The least quality of service, and that which is asked for."""

    default: QualityOfServiceElement
    requested: QualityOfServiceElement


class GprsModemSetup(InterfaceClass, class_id=45, version=0, instance="0.0.25.4.0.255"):
    """Holds access point, PIN and quality of service of a packet data modem. (class_id 45)"""

    apn = attribute(2, OctetString, static=True)
    pin_code = attribute(3, LongUnsigned, static=True)
    quality_of_service = attribute(4, QualityOfService, static=True)


class RegistrationStatus(Enumeration):
    """Whether the modem is registered in a network."""

    NOT_REGISTERED = 0
    HOME_NETWORK = 1
    SEARCHING = 2
    DENIED = 3
    UNKNOWN = 4
    ROAMING = 5


class CircuitSwitchedStatus(Enumeration):
    """Whether there is a call."""

    INACTIVE = 0
    INCOMING_CALL = 1
    ACTIVE = 2


class PacketSwitchedStatus(Enumeration):
    """The technology of the packet data connection: LTE and CDMA from version 1, the LTE categories from version 2."""

    INACTIVE = 0
    GPRS = 1
    EDGE = 2
    UMTS = 3
    HSDPA = 4
    LTE = 5
    CDMA = 6
    LTE_CAT_M1 = 7
    LTE_CAT_NB1 = 8
    LTE_CAT_NB2 = 9


@structure
class CellInfoVersion0:
    """The serving cell. Signal quality 0 is -113 dBm or less, each step 2 dB, 31 is -51 dBm or more, 99 unknown."""

    cell_id: Unsigned16
    location_id: Unsigned16
    signal_quality: Unsigned8
    ber: Unsigned8


@structure
class CellInfo:
    """The serving cell with its network and channel; signal quality and bit error rate as in version 0."""

    cell_id: Unsigned32
    location_id: Unsigned16
    signal_quality: Unsigned8
    ber: Unsigned8
    mcc: Unsigned16
    mnc: Unsigned16
    channel_number: Unsigned32


@structure
class AdjacentCellVersion0:
    """A neighbouring cell and its signal quality."""

    cell_id: Unsigned16
    signal_quality: Unsigned8


@structure
class AdjacentCell:
    """A neighbouring cell and its signal quality."""

    cell_id: Unsigned32
    signal_quality: Unsigned8


class GsmDiagnosticCommon(InterfaceClass, instance="0.0.25.6.0.255"):
    """What all versions of GSM diagnostic have in common."""

    operator = attribute(2, VisibleString)
    status = attribute(3, RegistrationStatus)
    cs_attachment = attribute(4, CircuitSwitchedStatus)
    ps_status = attribute(5, PacketSwitchedStatus)
    capture_time = attribute(8, DATE_TIME)


class GsmDiagnosticVersion0(GsmDiagnosticCommon, class_id=47, version=0):
    """Holds operator, registration, serving and neighbouring cells of a GSM modem. (class_id 47)"""

    cell_info = attribute(6, CellInfoVersion0)
    adjacent_cells = attribute(7, array(AdjacentCellVersion0))


class GsmDiagnosticVersion1(GsmDiagnosticCommon, class_id=47, version=1):
    """Holds operator, registration, serving and neighbouring cells of a cellular modem. (class_id 47)"""

    cell_info = attribute(6, CellInfo)
    adjacent_cells = attribute(7, array(AdjacentCell))


class GsmDiagnostic(GsmDiagnosticCommon, class_id=47, version=2):
    """Holds operator, registration, serving and neighbouring cells of a cellular modem, LTE included. (class_id 47)"""

    cell_info = attribute(6, or_any(CellInfo))
    adjacent_cells = attribute(7, or_any(array(AdjacentCell)))


@structure
class LteQualityOfServiceVersion0:
    """Timers in seconds, signal quality, signal level, and the least level at which the cell may be used, in dBm."""

    t3402: Unsigned16
    t3412: Unsigned16
    rsrq: Unsigned8
    rsrp: Unsigned8
    q_rxlev_min: Integer8


@structure
class LteNetworkParameters:
    """Timers that the network has set, and the least levels at which the cell may be used, in dBm.

    T3402, T3412, T3412ext2 and T3324 are in seconds, the timers of extended DRX in hundredths of a second.
    """

    t3402: Unsigned16
    t3412: Unsigned16
    t3412ext2: Unsigned32
    t3324: Unsigned16
    tedrx: Unsigned32
    tptw: Unsigned16
    q_rxlev_min: Integer8
    q_rxlev_min_ce: Integer8
    q_rxlev_min_ce1: Integer8


class LteMonitoringVersion0(InterfaceClass, class_id=151, version=0, instance="0.0.25.11.0.255"):
    """Holds timers, signal quality and signal level of an LTE modem. (class_id 151)"""

    lte_quality_of_service = attribute(2, LteQualityOfServiceVersion0)


class LteMonitoring(InterfaceClass, class_id=151, version=1, instance="0.0.25.11.0.255"):
    """Holds the parameters of the LTE network, and the quality of service. (class_id 151)"""

    lte_network_parameters = attribute(2, or_any(LteNetworkParameters))
    lte_quality_of_service = attribute(3, ANY)
