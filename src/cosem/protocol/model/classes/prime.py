"""Interface classes for data exchange by narrowband OFDM power line carrier in PRIME networks (IEC 62056-6-2)."""

from __future__ import annotations

from enum import IntFlag

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY, Enumeration, array, flags
from cosem.protocol.values.data import DoubleLongUnsigned, Integer, Long, LongUnsigned, OctetString, Unsigned
from cosem.protocol.values.units import Unit


class PrimeMacState(Enumeration):
    """What the node is in its subnetwork."""

    DISCONNECTED = 0
    TERMINAL = 1
    SWITCH = 2
    BASE = 3


class PrimeMacCapabilities(IntFlag):
    """What the MAC of the node can do."""

    SWITCH_CAPABLE = 0x0001
    PACKET_AGGREGATION = 0x0002
    CONTENTION_FREE_PERIOD = 0x0004
    DIRECT_CONNECTION = 0x0008
    MULTICAST = 0x0010
    PHY_ROBUSTNESS_MANAGEMENT = 0x0020
    ARQ = 0x0040
    DIRECT_CONNECTION_SWITCHING = 0x0100
    MULTICAST_SWITCHING = 0x0200
    PHY_ROBUSTNESS_MANAGEMENT_SWITCHING = 0x0400
    ARQ_BUFFERING_SWITCHING = 0x0800


class LlcSscsSetup(InterfaceClass, class_id=80, version=0, instance="0.0.28.0.0.255"):
    """Holds the addresses that the base node gave when the 61334-4-32 convergence layer opened. (class_id 80)"""

    service_node_address = attribute(2, LongUnsigned)
    base_node_address = attribute(3, LongUnsigned)
    reset = method(1, Integer)


class PrimePhysicalLayerCounters(InterfaceClass, class_id=81, version=0, instance="0.0.28.1.0.255"):
    """Holds counters of bursts with errors and of dropped data at the physical layer. (class_id 81)"""

    phy_stats_crc_incorrect_count = attribute(2, LongUnsigned)
    phy_stats_crc_fail_count = attribute(3, LongUnsigned)
    phy_stats_tx_drop_count = attribute(4, LongUnsigned)
    phy_stats_rx_drop_count = attribute(5, LongUnsigned)
    reset = method(1, Integer)


class PrimeMacSetup(InterfaceClass, class_id=82, version=0, instance="0.0.28.2.0.255"):
    """Holds what sets up and manages the MAC layer. (class_id 82)"""

    mac_min_switch_search_time = attribute(2, Unsigned, static=True, unit=Unit.SECOND)
    mac_max_promotion_pdu = attribute(3, Unsigned, static=True)
    mac_promotion_pdu_tx_period = attribute(4, Unsigned, static=True, unit=Unit.SECOND)
    mac_beacons_per_frame = attribute(5, Unsigned, static=True)
    mac_scp_max_tx_attempts = attribute(6, Unsigned, static=True)
    mac_ctl_re_tx_timer = attribute(7, Unsigned, static=True, unit=Unit.SECOND)
    mac_max_ctl_re_tx = attribute(8, Unsigned, static=True)


class PrimeMacFunctionalParameters(InterfaceClass, class_id=83, version=0, instance="0.0.28.3.0.255"):
    """Holds the addresses, the state and the beacon slots of the node in its subnetwork. (class_id 83)"""

    mac_lnid = attribute(2, Long)
    mac_lsid = attribute(3, Unsigned)
    mac_sid = attribute(4, Unsigned)
    mac_sna = attribute(5, OctetString)
    mac_state = attribute(6, PrimeMacState)
    mac_scp_length = attribute(7, Long)
    mac_node_hierarchy_level = attribute(8, Unsigned)
    mac_beacon_slot_count = attribute(9, Unsigned)
    mac_beacon_rx_slot = attribute(10, Unsigned)
    mac_beacon_tx_slot = attribute(11, Unsigned)
    mac_beacon_rx_frequency = attribute(12, Unsigned)
    mac_beacon_tx_frequency = attribute(13, Unsigned)
    mac_capabilities = attribute(14, flags(PrimeMacCapabilities, LongUnsigned))


class PrimeMacCounters(InterfaceClass, class_id=84, version=0, instance="0.0.28.4.0.255"):
    """Holds counters of packets and of failed or hindered transmissions at the MAC layer. (class_id 84)"""

    mac_tx_data_pkt_count = attribute(2, DoubleLongUnsigned)
    mac_rx_data_pkt_count = attribute(3, DoubleLongUnsigned)
    mac_tx_ctrl_pkt_count = attribute(4, DoubleLongUnsigned)
    mac_rx_ctrl_pkt_count = attribute(5, DoubleLongUnsigned)
    mac_csma_fail_count = attribute(6, DoubleLongUnsigned)
    mac_csma_ch_busy_count = attribute(7, DoubleLongUnsigned)
    reset = method(1, Integer)


class PrimeMacNetworkAdministrationData(InterfaceClass, class_id=85, version=0, instance="0.0.28.5.0.255"):
    """Holds lists of the devices with which the node is connected, and how well it hears them. (class_id 85)"""

    mac_list_multicast_entries = attribute(2, array(ANY))
    mac_list_switch_table = attribute(3, array(ANY))
    mac_list_direct_table = attribute(4, array(ANY))
    mac_list_available_switches = attribute(5, array(ANY))
    mac_list_phy_comm = attribute(6, array(ANY))
    reset = method(1, Integer)


class PrimeApplicationIdentification(InterfaceClass, class_id=86, version=0, instance="0.0.28.7.0.255"):
    """Holds the firmware version of the node and who made which product. (class_id 86)"""

    firmware_version = attribute(2, OctetString, static=True, writable=False)
    vendor_id = attribute(3, LongUnsigned, static=True, writable=False)
    product_id = attribute(4, LongUnsigned, static=True, writable=False)
