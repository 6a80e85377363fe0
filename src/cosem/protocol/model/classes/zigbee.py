"""Interface classes for setting up ZigBee networks (IEC 62056-6-2)."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import ANY
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, OctetString, Unsigned


class ZigBeeSasStartup(InterfaceClass, class_id=101, version=0, instance="0.0.30.0.0.255"):
    """Holds the addresses, channels and keys with which the device starts in its network. (class_id 101)"""

    short_address = attribute(2, LongUnsigned, writable=True)
    extended_pan_id = attribute(3, OctetString, writable=True)
    pan_id = attribute(4, LongUnsigned, writable=True)
    channel_mask = attribute(5, DoubleLongUnsigned, writable=True)
    protocol_version = attribute(6, Unsigned, static=True)
    stack_profile = attribute(7, ANY, static=True)
    start_up_control = attribute(8, Unsigned, writable=True)
    trust_center_address = attribute(9, OctetString, writable=True)
    link_key = attribute(10, OctetString, writable=True)
    network_key = attribute(11, OctetString, writable=True)
    use_insecure_join = attribute(12, bool, static=True)


class ZigBeeSasJoin(InterfaceClass, class_id=102, version=0, instance="0.0.30.1.0.255"):
    """Holds how often and at what intervals the device scans for its network and joins again. (class_id 102)"""

    scan_attempts = attribute(2, Unsigned, static=True)
    time_between_scans = attribute(3, LongUnsigned, static=True)
    rejoin_interval = attribute(4, LongUnsigned, static=True)
    rejoin_retry_interval = attribute(5, LongUnsigned, static=True)


class ZigBeeSasApsFragmentation(InterfaceClass, class_id=103, version=0, instance="0.0.30.2.0.255"):
    """Holds the delay between fragments and how many may go unacknowledged. (class_id 103)"""

    aps_interframe_delay = attribute(2, ANY, static=True)
    aps_max_window_size = attribute(3, ANY, static=True)


class ZigBeeNetworkControl(InterfaceClass, class_id=104, version=0, instance="0.0.30.3.0.255"):
    """Holds whether devices may join the network of the coordinator, and which are active. (class_id 104)"""

    enable_disable_joining = attribute(2, bool, static=True)
    join_timeout = attribute(3, LongUnsigned, static=True)
    active_devices = attribute(4, ANY)
    register_device = method(1, ANY, ANY)
    unregister_device = method(2, ANY, ANY)
    unregister_all_devices = method(3, ANY, ANY)
    backup_pan = method(4, ANY, ANY)
    restore_pan = method(5, ANY, ANY)
    identify_device = method(6, ANY, ANY)
    remove_mirror = method(7, ANY, ANY)
    update_network_key = method(8, ANY, ANY)
    update_link_key = method(9, ANY, ANY)
    create_pan = method(10, ANY, ANY)
    remove_pan = method(11, ANY, ANY)


class ZigBeeTunnelSetup(InterfaceClass, class_id=105, version=0, instance="0.0.30.4.0.255"):
    """Holds how much goes through the tunnel each way, its address, and when it closes. (class_id 105)"""

    maximum_incoming_transfer_size = attribute(2, ANY, static=True)
    maximum_outgoing_transfer_size = attribute(3, ANY, static=True)
    protocol_address = attribute(4, ANY, static=True)
    close_tunnel_timeout = attribute(5, ANY, static=True)
