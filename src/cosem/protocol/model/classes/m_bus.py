"""Interface classes for M-Bus (IEC 62056-6-2): the meter as master of M-Bus devices, and as a device itself."""

from __future__ import annotations

from cosem.protocol.model.classes.local_port import CommunicationSpeed
from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY, REFERENCE, Enumeration, array, structure
from cosem.protocol.values.data import Data, DoubleLongUnsigned, Integer, LongUnsigned, OctetString, Unsigned
from cosem.protocol.values.units import Unit


class AddressState(Enumeration):
    """Whether a bus address was assigned since the last power-up."""

    NOT_ASSIGNED = 0
    ASSIGNED = 1


class MBusSlavePortSetup(InterfaceClass, class_id=25, version=0):
    """Holds speeds and bus address of a meter that is itself a device on an M-Bus. (class_id 25)"""

    default_baud = attribute(2, CommunicationSpeed, static=True)
    avail_baud = attribute(3, CommunicationSpeed, static=True)
    addr_state = attribute(4, AddressState)
    bus_address = attribute(5, Unsigned)


@structure
class CaptureDefinition:
    """A value to capture, by the data and value information blocks of EN 13757-3."""

    data_information_block: bytes
    value_information_block: bytes


@structure
class DataToSend:
    """A value to send to the M-Bus device, with its data and value information blocks."""

    data_information_block: bytes
    value_information_block: bytes
    data: Data


class EncryptionKeyStatus(Enumeration):
    """How far the encryption key of an M-Bus device has come."""

    NO_ENCRYPTION_KEY = 0
    ENCRYPTION_KEY_SET = 1
    ENCRYPTION_KEY_TRANSFERRED = 2
    ENCRYPTION_KEY_SET_AND_TRANSFERRED = 3
    ENCRYPTION_KEY_IN_USE = 4


class MBusClientCommon(InterfaceClass):
    """What all versions of M-Bus client have in common.

    `device_version` is what the standard calls version: that of the M-Bus device, not of this class.
    """

    mbus_port_reference = attribute(2, REFERENCE, static=True)
    capture_definition = attribute(3, array(CaptureDefinition), static=True)
    capture_period = attribute(4, DoubleLongUnsigned, static=True, unit=Unit.SECOND)
    primary_address = attribute(5, Unsigned)
    identification_number = attribute(6, DoubleLongUnsigned)
    manufacturer_id = attribute(7, LongUnsigned)
    device_version = attribute(8, Unsigned)
    device_type = attribute(9, Unsigned)
    access_number = attribute(10, Unsigned)
    status = attribute(11, Unsigned)
    alarm = attribute(12, Unsigned)


class MBusClientVersion0(MBusClientCommon, class_id=72, version=0):
    """Holds an M-Bus device: its address, its identification, and what is captured of it. (class_id 72)"""

    slave_install = method(1, ANY, sn=0x60)
    slave_deinstall = method(2, ANY, sn=0x68)
    capture = method(3, Integer, sn=0x70)
    reset_alarm = method(4, Integer, sn=0x78)
    synchronize_clock = method(5, Integer, sn=0x80)
    data_send = method(6, array(DataToSend), sn=0x88)
    set_encryption_key = method(7, OctetString, sn=0x90)
    transfer_key = method(8, OctetString, sn=0x98)


class MBusClientVersion1(MBusClientCommon, class_id=72, version=1):
    """As version 0, with the configuration field and the status of the encryption key. (class_id 72)"""

    configuration = attribute(13, LongUnsigned)
    encryption_key_status = attribute(14, EncryptionKeyStatus)
    slave_install = method(1, ANY, sn=0x70)
    slave_deinstall = method(2, ANY, sn=0x78)
    capture = method(3, Integer, sn=0x80)
    reset_alarm = method(4, Integer, sn=0x88)
    synchronize_clock = method(5, Integer, sn=0x90)
    data_send = method(6, array(DataToSend), sn=0x98)
    set_encryption_key = method(7, OctetString, sn=0xA0)
    transfer_key = method(8, OctetString, sn=0xA8)


class MBusClient(MBusClientCommon, class_id=72, version=2):
    """Holds an M-Bus device: its identification, what is captured of it, and the state of its key. (class_id 72)"""

    configuration = attribute(13, ANY)
    encryption_key_status = attribute(14, ANY)
    slave_install = method(1, ANY)
    slave_deinstall = method(2, ANY)
    capture = method(3, Integer)
    reset_alarm = method(4, Integer)
    synchronize_clock = method(5, Integer)
    data_send = method(6, array(DataToSend))
    set_encryption_key = method(7, ANY)
    transfer_key = method(8, ANY)


class WirelessModeQChannel(InterfaceClass, class_id=73, version=1):
    """Holds device and group address on wireless M-Bus in mode Q (EN 13757-5). (class_id 73)"""

    addr_state = attribute(2, AddressState, static=True, writable=False)
    device_address = attribute(3, OctetString, static=True)
    address_mask = attribute(4, OctetString, static=True)


class MBusMasterPortSetup(InterfaceClass, class_id=74, version=0):
    """Holds the speed of the port at which M-Bus devices hang. (class_id 74)"""

    comm_speed = attribute(2, CommunicationSpeed, static=True)


class DlmsServerMBusPortSetup(InterfaceClass, class_id=76, version=0, instance="0.0.24.8.0.255"):
    """Holds profile, state and identification of a DLMS server that is reached over M-Bus. (class_id 76)"""

    mbus_profile_selection = attribute(2, ANY)
    mbus_port_communication_state = attribute(3, ANY)
    mbus_data_header_type = attribute(4, ANY)
    primary_address = attribute(5, ANY)
    identification_number = attribute(6, ANY)
    manufacturer_id = attribute(7, ANY)
    mbus_version = attribute(8, ANY)
    device_type = attribute(9, ANY)
    max_pdu_size = attribute(10, ANY)
    listening_window = attribute(11, ANY)


class MBusDiagnostic(InterfaceClass, class_id=77, version=0, instance="0.0.24.9.0.255"):
    """Holds signal strength, state of the link and counters of frames of an M-Bus device. (class_id 77)"""

    received_signal_strength = attribute(2, ANY)
    channel_id = attribute(3, ANY)
    link_status = attribute(4, ANY)
    broadcast_frames_counter = attribute(5, ANY)
    transmissions_counter = attribute(6, ANY)
    fcs_ok_frames_counter = attribute(7, ANY)
    fcs_nok_frames_counter = attribute(8, ANY)
    capture_time = attribute(9, ANY)
    reset = method(1, Integer)
