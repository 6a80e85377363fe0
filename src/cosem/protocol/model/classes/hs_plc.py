"""Interface classes for high speed power line carrier by ISO/IEC 12139-1 in neighbourhood networks (IEC 62056-6-2)."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute
from cosem.protocol.model.shape import ANY


class HsPlcMacSetup(InterfaceClass, class_id=140, version=0, instance="0.0.33.0.0.255"):
    """Holds groups, stations, keys and collision avoidance of the MAC layer. (class_id 140)"""

    group_id = attribute(2, ANY, static=True)
    secondary_group_id = attribute(3, ANY, static=True)
    station_id = attribute(4, ANY, static=True)
    parent_station_id = attribute(5, ANY, static=True)
    repeater_status = attribute(6, ANY, static=True)
    encryption_mode = attribute(7, ANY, static=True)
    initial_encryption_key = attribute(8, ANY, static=True)
    rts_cts = attribute(9, ANY, static=True)


class HsPlcCpasSetup(InterfaceClass, class_id=141, version=0, instance="0.0.33.1.0.255"):
    """Holds the addresses of the station and its master, and the EtherType, of the CPAS. (class_id 141)"""

    cpas_address = attribute(2, ANY, static=True)
    cpas_ether_type = attribute(3, ANY, static=True)
    master_station_cpas_address = attribute(4, ANY, static=True)


class HsPlcIpSsasSetup(InterfaceClass, class_id=142, version=0, instance="0.0.33.2.0.255"):
    """Holds how the IP SSAS compresses headers and how long it stays alive. (class_id 142)"""

    ip_header_comp_type = attribute(2, ANY, static=True)
    ip_alive_time = attribute(3, ANY, static=True)


class HsPlcHdlcSsasSetup(InterfaceClass, class_id=143, version=0, instance="0.0.33.3.0.255"):
    """Holds the master station of the HDLC SSAS. (class_id 143)"""

    master_station_id = attribute(2, ANY, static=True)
