"""Interface classes for Wi-SUN field area networks (IEC 62056-6-2)."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY


class WiSunSetup(InterfaceClass, class_id=95, version=0):
    """Holds the network, its timers and channels, and whether the device has joined. (class_id 95)"""

    network_name = attribute(2, ANY, static=True)
    routing_method = attribute(3, ANY)
    pan_id = attribute(4, ANY)
    disc_imin = attribute(5, ANY, static=True)
    disc_imax = attribute(6, ANY, static=True)
    data_message_imin = attribute(7, ANY, static=True)
    data_message_imax = attribute(8, ANY, static=True)
    default_dio_interval_min = attribute(9, ANY, static=True)
    default_dio_interval_doublings = attribute(10, ANY, static=True)
    channel_plan = attribute(11, ANY, static=True)
    channel_function = attribute(12, ANY, static=True)
    excluded_channels = attribute(13, ANY, static=True)
    join_state = attribute(14, ANY)
    reg_channel_exclusions = attribute(15, ANY, static=True)
    reset_join_state = method(1, ANY, ANY)


class WiSunDiagnostic(InterfaceClass, class_id=96, version=0):
    """Holds what the device tells of itself, its interfaces, neighbours and transmissions. (class_id 96)"""

    sysdescr = attribute(2, ANY)
    ifnumber = attribute(3, ANY)
    iftable = attribute(4, ANY)
    neighbour_table_information = attribute(5, ANY)
    transmission_information = attribute(6, ANY)
    reset = method(1, ANY, ANY)


class RplDiagnostic(InterfaceClass, class_id=97, version=0):
    """Holds where the device stands in the routes of its network, by RFC 6550. (class_id 97)"""

    rpl_instance_id = attribute(2, ANY)
    dodag_version_number = attribute(3, ANY)
    dodag_rank = attribute(4, ANY)
    grounded = attribute(5, ANY)
    mode_of_operation = attribute(6, ANY)
    dodag_prf = attribute(7, ANY)
    dodag_dtsn = attribute(8, ANY)
    dodag_id = attribute(9, ANY)
    reset = method(1, ANY, ANY)


class MplDiagnostic(InterfaceClass, class_id=98, version=0):
    """Holds how the device forwards multicasts, by RFC 7731. (class_id 98)"""

    proactive_forwarding = attribute(2, ANY)
    z = attribute(3, ANY)
    tunit = attribute(4, ANY)
    se_lifetime = attribute(5, ANY)
    dm_k = attribute(6, ANY)
    dm_imin = attribute(7, ANY)
    dm_imax = attribute(8, ANY)
    dm_t_exp = attribute(9, ANY)
    c_k = attribute(10, ANY)
    c_imin = attribute(11, ANY)
    c_imax = attribute(12, ANY)
    c_t_exp = attribute(13, ANY)
    reset = method(1, ANY, ANY)
