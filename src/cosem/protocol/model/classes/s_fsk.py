"""Interface classes for the layers below the LLC in data exchange by S-FSK power line carrier (IEC 62056-6-2)."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY, Enumeration, Unsigned8, Unsigned16, Unsigned32, array, structure
from cosem.protocol.values.data import DoubleLongUnsigned, Enumerated, LongUnsigned, OctetString, Unsigned


class InitiatorElectricalPhase(Enumeration):
    """The phase to which the client is connected."""

    NOT_DEFINED = 0
    PHASE_1 = 1
    PHASE_2 = 2
    PHASE_3 = 3


class DeltaElectricalPhase(Enumeration):
    """How far the phase of the server is from that of the client."""

    NOT_DEFINED = 0
    SAME_PHASE = 1
    DEGREES_60 = 2
    DEGREES_120 = 3
    DEGREES_180 = 4
    DEGREES_MINUS_120 = 5
    DEGREES_MINUS_60 = 6


class Repeater(Enumeration):
    """Whether the server repeats all frames."""

    NEVER = 0
    ALWAYS = 1
    DYNAMIC = 2


@structure
class Frequencies:
    """The two frequencies of the modulation, in Hz."""

    mark_frequency: Unsigned32
    space_frequency: Unsigned32


@structure
class InitiatorDescriptor:
    """The client that registered the server last."""

    system_title: bytes
    mac_address: Unsigned16
    l_sap_selector: Unsigned8


@structure
class FramesOfMacAddress:
    """How often something happened with the client of that MAC address."""

    mac_address: Unsigned16
    counter: Unsigned32


@structure
class DesynchronizationListing:
    """How often synchronization was lost, by cause."""

    physical_layer_desynchronization: Unsigned32
    time_out_not_addressed_desynchronization: Unsigned32
    time_out_frame_not_ok_desynchronization: Unsigned32
    write_request_desynchronization: Unsigned32
    wrong_initiator_desynchronization: Unsigned32


class SFskPhyMacSetupCommon(InterfaceClass, instance="0.0.26.0.0.255"):
    """What all versions of S-FSK Phy&MAC set-up have in common."""

    initiator_electrical_phase = attribute(2, InitiatorElectricalPhase, static=True)
    delta_electrical_phase = attribute(3, DeltaElectricalPhase)
    max_receiving_gain = attribute(4, Unsigned, static=True)
    max_transmitting_gain = attribute(5, Unsigned, static=True)
    mac_address = attribute(8, LongUnsigned)
    mac_group_addresses = attribute(9, array(LongUnsigned), static=True)
    repeater = attribute(10, Repeater, static=True)
    repeater_status = attribute(11, bool)
    min_delta_credit = attribute(12, Unsigned)
    initiator_mac_address = attribute(13, LongUnsigned)
    synchronization_locked = attribute(14, bool)


class SFskPhyMacSetupVersion0(SFskPhyMacSetupCommon, class_id=50, version=0):
    """Holds what sets up and manages the physical and the MAC layer, without the speed. (class_id 50)"""

    search_initiator_gain = attribute(6, Unsigned, static=True)
    frequencies = attribute(7, ANY, static=True)


class SFskPhyMacSetup(SFskPhyMacSetupCommon, class_id=50, version=1):
    """Holds what sets up and manages the physical and the MAC layer. (class_id 50)"""

    search_initiator_threshold = attribute(6, Unsigned, static=True)
    frequencies = attribute(7, Frequencies, static=True)
    transmission_speed = attribute(15, Enumerated, static=True)


class SFskActiveInitiator(InterfaceClass, class_id=51, version=0, instance="0.0.26.1.0.255"):
    """Holds the client that registered the server last. (class_id 51)"""

    active_initiator = attribute(2, InitiatorDescriptor)
    reset_new_not_synchronized = method(1, ANY, ANY, sn=0x10)


class SFskMacSynchronizationTimeouts(InterfaceClass, class_id=52, version=0, instance="0.0.26.2.0.255"):
    """Holds the timeouts of the synchronization process; 0 switches one off. (class_id 52)"""

    search_initiator_timeout = attribute(2, LongUnsigned, static=True)
    synchronization_confirmation_timeout = attribute(3, LongUnsigned, static=True)
    time_out_not_addressed = attribute(4, LongUnsigned, static=True)
    time_out_frame_not_ok = attribute(5, LongUnsigned, static=True)


class SFskMacCounters(InterfaceClass, class_id=53, version=0, instance="0.0.26.3.0.255"):
    """Holds counters of synchronizations, frames and repetitions. (class_id 53)"""

    synchronization_register = attribute(2, array(FramesOfMacAddress))
    desynchronization_listing = attribute(3, DesynchronizationListing)
    broadcast_frames_counter = attribute(4, array(FramesOfMacAddress))
    repetitions_counter = attribute(5, DoubleLongUnsigned)
    transmissions_counter = attribute(6, DoubleLongUnsigned)
    crc_ok_frames_counter = attribute(7, DoubleLongUnsigned)
    crc_nok_frames_counter = attribute(8, DoubleLongUnsigned)
    reset = method(1, ANY, ANY, sn=0x50)


class SFskReportingSystemList(InterfaceClass, class_id=56, version=0, instance="0.0.26.6.0.255"):
    """Holds the system titles of servers that were discovered and not registered yet. (class_id 56)"""

    reporting_system_list = attribute(2, array(OctetString))
