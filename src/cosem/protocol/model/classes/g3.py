"""Interface classes for data exchange by narrowband OFDM power line carrier in G3-PLC networks (IEC 62056-6-2).

Attributes bear the names of the information bases of ITU-T G.9903. Version 0 follows its edition of 2013, version 1
that of 2014, version 2 that of 2017; the classes of hybrid networks stand beside them for the radio.
"""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import (
    ANY,
    Bits,
    Enumeration,
    Integer8,
    Unsigned8,
    Unsigned16,
    array,
    structure,
)
from cosem.protocol.values.data import BitString, DoubleLongUnsigned, Integer, LongUnsigned, Unsigned


class Modulation(Enumeration):
    """How frames to a neighbour are modulated."""

    ROBUST_MODE = 0
    DBPSK = 1
    DQPSK = 2
    D8PSK = 3
    QAM_16 = 4


class TransmitGainResolution(Enumeration):
    """What one step of the transmit gain is."""

    DECIBEL_6 = 0
    DECIBEL_3 = 1


class G3DeviceType(Enumeration):
    """What the device is in the personal area network."""

    PAN_DEVICE = 0
    PAN_COORDINATOR = 1
    NOT_DEFINED = 2


@structure
class MacKey:
    """A key of the MAC layer under its index."""

    key_id: Unsigned8
    key: bytes


@structure
class Neighbour:
    """How a neighbour is heard and spoken to."""

    short_address: Unsigned16
    payload_modulation_scheme: bool
    """True for coherent, False for differential."""
    tone_map: Bits
    modulation: Modulation
    tx_gain: Integer8
    tx_res: TransmitGainResolution
    tx_coeff: Bits
    lqi: Unsigned8
    phase_differential: Integer8
    """In steps of 60 degrees."""
    tmr_valid_time: Unsigned8
    """Minutes."""
    neighbour_valid_time: Unsigned8
    """Minutes."""


@structure
class PersonalOperatingSpace:
    """A device within reach, how well it is heard and for how long the entry is valid yet."""

    short_address: Unsigned16
    lqi: Unsigned8
    pos_valid_time: Unsigned8


@structure
class RoutingConfiguration:
    """The parameters of the routing algorithm."""

    adp_net_traversal_time: Unsigned8
    adp_routing_table_entry_ttl: Unsigned16
    adp_kr: Unsigned8
    adp_km: Unsigned8
    adp_kc: Unsigned8
    adp_kq: Unsigned8
    adp_kh: Unsigned8
    adp_krt: Unsigned8
    adp_rreq_retries: Unsigned8
    adp_rreq_rerr_wait: Unsigned8
    adp_blacklist_table_entry_ttl: Unsigned16
    adp_unicast_rreq_gen_enable: bool
    adp_rlc_enabled: bool
    adp_add_rev_link_cost: Unsigned8


@structure
class Route:
    """By which neighbour a device is reached, and at what cost."""

    destination_address: Unsigned16
    next_hop_address: Unsigned16
    route_cost: Unsigned16
    hop_count: Unsigned8
    weak_link_count: Unsigned8
    valid_time: Unsigned16


@structure
class ContextInformation:
    """A prefix that header compression leaves out."""

    cid: Bits
    context_length: Unsigned8
    context: bytes
    c: bool
    valid_lifetime: Unsigned16


@structure
class BlacklistedNeighbour:
    """A neighbour that is not routed by, and for how long."""

    neighbour_address: Unsigned16
    valid_time: Unsigned16


@structure
class BroadcastLog:
    """A broadcast that was seen, and for how long it is remembered."""

    source_address: Unsigned16
    sequence_number: Unsigned8
    valid_time: Unsigned16


class G3MacLayerCountersCommon(InterfaceClass, instance="0.0.29.0.0.255"):
    """What all versions of G3-PLC MAC layer counters have in common."""

    mac_tx_data_packet_count = attribute(2, DoubleLongUnsigned)
    mac_rx_data_packet_count = attribute(3, DoubleLongUnsigned)
    mac_tx_cmd_packet_count = attribute(4, DoubleLongUnsigned)
    mac_rx_cmd_packet_count = attribute(5, DoubleLongUnsigned)
    mac_csma_fail_count = attribute(6, DoubleLongUnsigned)
    reset = method(1, Integer)


class G3MacLayerCountersVersion0(G3MacLayerCountersCommon, class_id=90, version=0):
    """Holds counters of packets, broadcasts and failures at the MAC layer. (class_id 90)"""

    attribute_7 = attribute(7, ANY)
    attribute_8 = attribute(8, ANY)
    attribute_9 = attribute(9, ANY)
    attribute_10 = attribute(10, ANY)


class G3MacLayerCounters(G3MacLayerCountersCommon, class_id=90, version=1):
    """Holds counters of packets, broadcasts and failures at the MAC layer. (class_id 90)"""

    mac_csma_no_ack_count = attribute(7, DoubleLongUnsigned)
    mac_bad_crc_count = attribute(8, DoubleLongUnsigned)
    mac_tx_data_broadcast_count = attribute(9, DoubleLongUnsigned)
    mac_rx_data_broadcast_count = attribute(10, DoubleLongUnsigned)


class G3MacSetupCommon(InterfaceClass, instance="0.0.29.1.0.255"):
    """What all versions of G3-PLC MAC setup have in common."""

    mac_short_address = attribute(2, LongUnsigned)
    mac_rc_coord = attribute(3, LongUnsigned)
    mac_pan_id = attribute(4, LongUnsigned)
    mac_key_table = attribute(5, array(MacKey))
    mac_frame_counter = attribute(6, DoubleLongUnsigned)
    mac_tone_mask = attribute(7, BitString, static=True)
    mac_tmr_ttl = attribute(8, Unsigned, static=True)
    mac_max_frame_retries = attribute(9, Unsigned, static=True)
    mac_high_priority_window_size = attribute(12, Unsigned, static=True)
    mac_csma_fairness_limit = attribute(13, Unsigned, static=True)
    mac_beacon_randomization_window_length = attribute(14, Unsigned, static=True)
    mac_a = attribute(15, Unsigned, static=True)
    mac_k = attribute(16, Unsigned, static=True)
    mac_min_cw_attempts = attribute(17, Unsigned, static=True)
    mac_cenelec_legacy_mode = attribute(18, Unsigned, static=True)
    mac_fcc_legacy_mode = attribute(19, Unsigned, static=True)
    mac_max_be = attribute(20, Unsigned, static=True)
    mac_max_csma_backoffs = attribute(21, Unsigned, static=True)
    mac_min_be = attribute(22, Unsigned, static=True)


class G3MacSetupOfNeighbours(G3MacSetupCommon):
    """What the versions before 2 have in common."""

    mac_neighbour_table_entry_ttl = attribute(10, Unsigned, static=True)
    mac_neighbour_table = attribute(11, array(Neighbour))
    mac_get_neighbour_table_entry = method(1, LongUnsigned, ANY)


class G3MacSetupVersion0(G3MacSetupOfNeighbours, class_id=91, version=0):
    """Holds what sets up and manages the IEEE 802.15.4 MAC layer, by ITU-T G.9903 of 2013. (class_id 91)"""


class G3MacSetupVersion1(G3MacSetupOfNeighbours, class_id=91, version=1):
    """Holds what sets up and manages the IEEE 802.15.4 MAC layer, by ITU-T G.9903 of 2014. (class_id 91)"""


class G3MacSetupWithPersonalOperatingSpace(G3MacSetupCommon):
    """What the versions from 2 on have in common."""

    mac_pos_table_entry_ttl = attribute(10, Unsigned, static=True)
    mac_broadcast_max_cw_enabled = attribute(23, bool, static=True)
    mac_transmit_atten = attribute(24, Unsigned, static=True)


class G3MacSetupVersion2(G3MacSetupWithPersonalOperatingSpace, class_id=91, version=2):
    """As version 1, with devices within reach beside the neighbours, and attenuation. (class_id 91)"""

    mac_neighbour_table = attribute(11, array(Neighbour))
    mac_pos_table = attribute(25, array(PersonalOperatingSpace))
    mac_get_neighbour_table_entry = method(1, LongUnsigned, ANY, sn=0xE0)


class G3MacSetupVersion3(G3MacSetupWithPersonalOperatingSpace, class_id=91, version=3):
    """As version 2, with the time in which a frame that comes again is noticed. (class_id 91)"""

    mac_neighbour_table = attribute(11, array(Neighbour))
    mac_pos_table = attribute(25, array(PersonalOperatingSpace))
    mac_duplicate_detection_ttl = attribute(26, Unsigned, static=True)
    mac_get_neighbour_table_entry = method(1, LongUnsigned, ANY)
    mac_get_pos_table_entry = method(2, ANY, ANY)


class G3MacSetup(G3MacSetupWithPersonalOperatingSpace, class_id=91, version=4):
    """Holds what sets up and manages the IEEE 802.15.4 MAC layer, its neighbours and who is in reach. (class_id 91)"""

    mac_neighbour_table = attribute(11, array(ANY))
    mac_pos_table = attribute(25, array(ANY))
    mac_duplicate_detection_ttl = attribute(26, Unsigned, static=True)
    mac_pos_recent_entry_threshold = attribute(27, ANY, static=True)
    mac_pos_recent_entries = attribute(28, ANY)
    mac_preamble_length = attribute(29, ANY, static=True)
    mac_get_neighbour_table_entry = method(1, ANY, ANY)
    mac_get_pos_table_entry = method(2, ANY, ANY)


class G3SixLowpanSetupCommon(InterfaceClass, instance="0.0.29.2.0.255"):
    """What all versions of G3-PLC 6LoWPAN adaptation layer setup have in common."""

    adp_max_hops = attribute(2, Unsigned, static=True)
    adp_weak_lqi_value = attribute(3, Unsigned, static=True)
    adp_security_level = attribute(4, Unsigned, static=True)
    adp_prefix_table = attribute(5, array(ANY))
    adp_broadcast_log_table_entry_ttl = attribute(7, LongUnsigned, static=True)
    adp_group_table = attribute(12, array(LongUnsigned))
    adp_max_join_wait_time = attribute(13, LongUnsigned, static=True)
    adp_path_discovery_time = attribute(14, Unsigned, static=True)
    adp_active_key_index = attribute(15, Unsigned, static=True)
    adp_metric_type = attribute(16, Unsigned, static=True)


class G3SixLowpanTables(G3SixLowpanSetupCommon):
    """The tables of the versions whose elements are not settled."""

    adp_routing_table = attribute(8, array(ANY))
    adp_context_information_table = attribute(9, array(ANY))
    adp_blacklist_table = attribute(10, array(ANY))
    adp_broadcast_log_table = attribute(11, array(ANY))


class G3SixLowpanSetupVersion0(G3SixLowpanTables, class_id=92, version=0):
    """Holds what sets up and manages routing and compression in the adaptation layer. (class_id 92)"""

    adp_routing_configuration = attribute(6, array(RoutingConfiguration), static=True)


class G3SixLowpanSetupOfDevices(G3SixLowpanSetupCommon):
    """What the versions from 1 on have in common."""

    adp_coord_short_address = attribute(17, LongUnsigned, static=True)
    adp_disable_default_routing = attribute(18, bool, static=True)
    adp_device_type = attribute(19, G3DeviceType, static=True)


class G3SixLowpanSetupVersion1(G3SixLowpanSetupOfDevices, G3SixLowpanTables, class_id=92, version=1):
    """As version 0, with the coordinator and the kind of device. (class_id 92)"""

    adp_routing_configuration = attribute(6, array(ANY), static=True)


class G3SixLowpanSetupVersion2(G3SixLowpanSetupOfDevices, class_id=92, version=2):
    """As version 1, with a route to the coordinator and a set of destinations. (class_id 92)"""

    adp_routing_configuration = attribute(6, array(RoutingConfiguration), static=True)
    adp_routing_table = attribute(8, array(Route))
    adp_context_information_table = attribute(9, array(ContextInformation))
    adp_blacklist_table = attribute(10, array(BlacklistedNeighbour))
    adp_broadcast_log_table = attribute(11, array(BroadcastLog))
    adp_default_coord_route_enabled = attribute(20, bool, static=True)
    adp_destination_address_set = attribute(21, array(LongUnsigned))


class G3SixLowpanSetupOfQualities(G3SixLowpanSetupOfDevices, G3SixLowpanTables):
    """What the versions from 3 on have in common."""

    adp_routing_configuration = attribute(6, array(ANY), static=True)
    adp_default_coord_route_enabled = attribute(20, bool, static=True)
    adp_destination_address_set = attribute(21, array(ANY))
    adp_low_lqi_value = attribute(22, Unsigned, static=True)
    adp_high_lqi_value = attribute(23, Unsigned, static=True)


class G3SixLowpanSetupVersion3(G3SixLowpanSetupOfQualities, class_id=92, version=3):
    """As version 2, with the bounds of a low and a high quality of links. (class_id 92)"""


class G3SixLowpanSetup(G3SixLowpanSetupOfQualities, class_id=92, version=4):
    """Holds what sets up routing, compression and the spreading of broadcasts in the adaptation layer. (class_id 92)"""

    adp_delay_low_lqi = attribute(24, ANY, static=True)
    adp_delay_high_lqi = attribute(25, ANY, static=True)
    adp_rreq_jitter_low_lqi = attribute(26, ANY, static=True)
    adp_rreq_jitter_high_lqi = attribute(27, ANY, static=True)
    adp_trickle_data_enabled = attribute(28, ANY, static=True)
    adp_trickle_lqi_threshold_low = attribute(29, ANY, static=True)
    adp_trickle_step = attribute(30, ANY, static=True)
    adp_trickle_imin = attribute(31, ANY, static=True)
    adp_trickle_max_ki = attribute(32, ANY, static=True)
    adp_trickle_adaptive_imin = attribute(33, ANY, static=True)
    adp_trickle_adaptive_ki = attribute(34, ANY, static=True)
    adp_cluster_trickle_enabled = attribute(35, ANY, static=True)
    adp_cluster_min_lqi = attribute(36, ANY, static=True)
    adp_cluster_trickle_k = attribute(37, ANY, static=True)
    adp_cluster_rreq_route_cost_deviation = attribute(38, ANY, static=True)
    adp_cluster_trickle_i = attribute(39, ANY, static=True)
    adp_trickle_lqi_threshold_high = attribute(40, ANY, static=True)


class G3HybridRfMacLayerCounters(InterfaceClass, class_id=160, version=0):
    """Holds counters of frames, retries and failures at the MAC layer of the radio. (class_id 160)"""

    mac_retry_count_rf = attribute(2, ANY)
    mac_multiple_retry_count_rf = attribute(3, ANY)
    mac_tx_fail_count_rf = attribute(4, ANY)
    mac_tx_success_count_rf = attribute(5, ANY)
    mac_fcs_error_count_rf = attribute(6, ANY)
    mac_security_failure_count_rf = attribute(7, ANY)
    mac_duplicate_frame_count_rf = attribute(8, ANY)
    mac_rx_success_count_rf = attribute(9, ANY)
    reset = method(1, ANY, ANY)


class G3HybridRfMacSetup(InterfaceClass, class_id=161, version=1):
    """Holds what sets up and manages the IEEE 802.15.4 MAC layer of the radio beside the power line. (class_id 161)"""

    mac_max_be_rf = attribute(2, ANY, static=True)
    mac_max_csma_backoffs_rf = attribute(3, ANY, static=True)
    mac_max_frame_retries_rf = attribute(4, ANY, static=True)
    mac_min_be_rf = attribute(5, ANY, static=True)
    mac_frame_counter_rf = attribute(6, ANY)
    mac_duplicate_detection_ttl_rf = attribute(7, ANY, static=True)
    mac_pos_table_rf = attribute(8, ANY)
    mac_operating_mode_rf = attribute(9, ANY, static=True)
    mac_channel_number_rf = attribute(10, ANY, static=True)
    mac_duty_cycle_usage_rf = attribute(11, ANY)
    mac_duty_cycle_period_rf = attribute(12, ANY, static=True)
    mac_duty_cycle_limit_rf = attribute(13, ANY, static=True)
    mac_duty_cycle_threshold_rf = attribute(14, ANY, static=True)
    mac_disable_phy_rf = attribute(15, ANY, static=True)
    mac_frequency_band_rf = attribute(16, ANY, static=True)
    mac_transmit_atten_rf = attribute(17, ANY, static=True)
    mac_adaptive_power_step_rf = attribute(18, ANY, static=True)
    mac_adaptive_power_high_bound_rf = attribute(19, ANY, static=True)
    mac_adaptive_power_low_bound_rf = attribute(20, ANY, static=True)
    mac_pos_recent_entries_rf = attribute(21, ANY)
    mac_hopping_enabled_rf = attribute(22, ANY, static=True)
    mac_broadcast_interval_duration_rf = attribute(23, ANY, static=True)
    mac_broadcast_slot_duration_rf = attribute(24, ANY, static=True)
    mac_unicast_slot_duration_rf = attribute(25, ANY, static=True)
    mac_extended_bitmap_rf = attribute(26, ANY, static=True)
    mac_beacon_randomization_window_length_rf = attribute(27, ANY, static=True)
    mac_additional_channel_scan_time_rf = attribute(28, ANY, static=True)
    mac_max_cca_attempts_retries_rf = attribute(29, ANY, static=True)
    mac_min_inter_tx_interval_rf = attribute(30, ANY, static=True)
    mac_initial_retry_time_rf = attribute(31, ANY, static=True)
    mac_maximum_retry_time_rf = attribute(32, ANY, static=True)
    mac_max_clock_drift_rf = attribute(33, ANY, static=True)
    mac_fh_unicast_schedule_address_rf = attribute(34, ANY, static=True)
    mac_fh_unicast_slot_number_rf = attribute(35, ANY, static=True)
    mac_fh_unicast_offset_rf = attribute(36, ANY, static=True)
    mac_min_guard_time_rf = attribute(37, ANY, static=True)
    mac_max_bcast_resync_wait_unit_rf = attribute(38, ANY, static=True)
    mac_get_pos_table_entry_rf = method(1, ANY, ANY)


class G3HybridSixLowpanSetup(InterfaceClass, class_id=162, version=1):
    """Holds what sets up routing over power line and radio in the adaptation layer. (class_id 162)"""

    adp_routing_table = attribute(2, ANY)
    adp_blacklist_table = attribute(3, ANY)
    adp_low_lqi_value_rf = attribute(4, ANY, static=True)
    adp_high_lqi_value_rf = attribute(5, ANY, static=True)
    adp_routing_configuration_rf = attribute(6, ANY, static=True)
    adp_use_backup_media = attribute(7, ANY, static=True)
    adp_weak_lqi_value_rf = attribute(8, ANY, static=True)
    adp_trickle_lqi_threshold_low_rf = attribute(9, ANY, static=True)
    adp_delay_low_lqi_rf = attribute(10, ANY, static=True)
    adp_delay_high_lqi_rf = attribute(11, ANY, static=True)
    adp_rreq_jitter_low_lqi_rf = attribute(12, ANY, static=True)
    adp_rreq_jitter_high_lqi_rf = attribute(13, ANY, static=True)
    adp_cluster_trickle_i_rf = attribute(14, ANY, static=True)
    adp_cluster_trickle_k_rf = attribute(15, ANY, static=True)
    adp_cluster_min_lqi_rf = attribute(16, ANY, static=True)
    adp_last_gasp = attribute(17, ANY, static=True)
    adp_probing_interval = attribute(18, ANY, static=True)
    adp_trickle_lqi_threshold_high_rf = attribute(19, ANY, static=True)
