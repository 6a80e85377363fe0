"""Interface classes for low-power wide area networks: compression by SCHC (RFC 8724), and LoRaWAN (IEC 62056-6-2)."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY


class SchcLpwanSetup(InterfaceClass, class_id=126, version=0):
    """Holds the rules by which headers are compressed and packets fragmented. (class_id 126)"""

    lpwan_reference = attribute(2, ANY, static=True)
    schc_cd_rules = attribute(3, ANY, static=True)
    schc_fr_param = attribute(4, ANY, static=True)


class SchcLpwanDiagnostic(InterfaceClass, class_id=127, version=0):
    """Holds counters of packets, fragments and acknowledgements. (class_id 127)"""

    schc_packets_tx_counter = attribute(2, ANY)
    schc_packets_rx_counter = attribute(3, ANY)
    schc_fragments_tx_counter = attribute(4, ANY)
    schc_fragments_rx_counter = attribute(5, ANY)
    schc_ack_tx_counter = attribute(6, ANY)
    schc_ack_rx_counter = attribute(7, ANY)
    reset = method(1, ANY, ANY)


class LoRaWanSetup(InterfaceClass, class_id=128, version=0):
    """Holds class, state, region, versions and groups of the LoRaWAN device. (class_id 128)"""

    device_class = attribute(2, ANY)
    state = attribute(3, ANY)
    max_transmit_eirp_setting = attribute(4, ANY, static=True)
    adr_mode = attribute(5, ANY)
    regional_parameters = attribute(6, ANY)
    device_operation = attribute(7, ANY)
    modem_versions = attribute(8, ANY, static=True)
    devaddr = attribute(9, ANY)
    join_strategy = attribute(10, ANY)
    multicasts_parameters = attribute(11, ANY)
    disconnect_from_network = method(1, ANY, ANY)
    change_class = method(2, ANY, ANY)
    change_region = method(3, ANY, ANY)


class LoRaWanDiagnostic(InterfaceClass, class_id=129, version=0):
    """Holds counters of LoRaWAN frames, and how well the device hears. (class_id 129)"""

    internal_error_code = attribute(2, ANY)
    out_frames_u_counter = attribute(3, ANY)
    out_frames_c_counter = attribute(4, ANY)
    in_frames_u_counter = attribute(5, ANY)
    in_frames_c_counter = attribute(6, ANY)
    in_mac_command_counter = attribute(7, ANY)
    in_mac_ans_error_counter = attribute(8, ANY)
    in_mac_ignored_counter = attribute(9, ANY)
    in_per = attribute(10, ANY)
    in_mean_rssi_rx1 = attribute(11, ANY)
    in_mean_snr_rx1 = attribute(12, ANY)
    in_mean_rssi_rx2 = attribute(13, ANY)
    in_mean_snr_rx2 = attribute(14, ANY)
    reset = method(1, ANY, ANY)
