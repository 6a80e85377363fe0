"""Interface classes for Internet protocols (IEC 62056-6-2): TCP and UDP, IP, MAC address, PPP, mail, network time."""

from __future__ import annotations

from cosem.protocol.model.declare import InterfaceClass, attribute, method
from cosem.protocol.model.shape import (
    ANY,
    REFERENCE,
    Enumeration,
    Unsigned8,
    Unsigned32,
    array,
    or_any,
    structure,
)
from cosem.protocol.values.data import Data, DoubleLongUnsigned, Integer, LongUnsigned, OctetString, Unsigned
from cosem.protocol.values.units import Unit


class TcpUdpSetup(InterfaceClass, class_id=41, version=0, instance="0.0.25.0.0.255"):
    """Holds port, segment size, number of connections and time-out of TCP or UDP. (class_id 41)"""

    tcp_udp_port = attribute(2, LongUnsigned, static=True)
    ip_reference = attribute(3, REFERENCE, static=True)
    mss = attribute(4, LongUnsigned, static=True)
    nb_of_sim_conn = attribute(5, Unsigned, static=True)
    inactivity_time_out = attribute(6, LongUnsigned, static=True, unit=Unit.SECOND)


@structure
class IpOption:
    """An option of the IPv4 header (RFC 791)."""

    ip_option_type: Unsigned8
    ip_option_length: Unsigned8
    ip_option_data: bytes


class Ipv4Setup(InterfaceClass, class_id=42, version=0, instance="0.0.25.1.0.255"):
    """Holds the addresses of an IPv4 interface as numbers: 192.168.0.1 is 0xC0A80001. (class_id 42)"""

    dl_reference = attribute(2, REFERENCE, static=True)
    ip_address = attribute(3, DoubleLongUnsigned, writable=True)
    multicast_ip_address = attribute(4, array(DoubleLongUnsigned), writable=True)
    ip_options = attribute(5, array(IpOption), writable=True)
    subnet_mask = attribute(6, DoubleLongUnsigned, writable=True)
    gateway_ip_address = attribute(7, DoubleLongUnsigned, writable=True)
    use_dhcp_flag = attribute(8, bool, static=True)
    primary_dns_address = attribute(9, DoubleLongUnsigned, writable=True)
    secondary_dns_address = attribute(10, DoubleLongUnsigned, writable=True)
    add_mc_ip_address = method(1, DoubleLongUnsigned, sn=0x60)
    delete_mc_ip_address = method(2, DoubleLongUnsigned, sn=0x68)
    get_nbof_mc_ip_addresses = method(3, ANY, ANY, sn=0x70)


class MacAddressSetup(InterfaceClass, class_id=43, version=0, instance="0.0.25.2.0.255"):
    """Holds the MAC address of an interface. (class_id 43)"""

    mac_address = attribute(2, OctetString)


@structure
class PppOption:
    """An option of the link control or IP control protocol of PPP; its type says what the data is."""

    option_type: Unsigned8
    option_length: Unsigned8
    option_data: Data


@structure
class PapLogin:
    """Name and password for the password authentication protocol."""

    user_name: bytes
    password: bytes


class PppSetup(InterfaceClass, class_id=44, version=0, instance="0.0.25.3.0.255"):
    """Holds options and authentication of a PPP interface. (class_id 44)"""

    phy_reference = attribute(2, REFERENCE, static=True)
    lcp_options = attribute(3, array(PppOption), static=True)
    ipcp_options = attribute(4, array(PppOption), static=True)
    ppp_authentication = attribute(5, or_any(PapLogin), static=True)


class SmtpSetup(InterfaceClass, class_id=46, version=0, instance="0.0.25.5.0.255"):
    """Holds server, login and sender of mail. (class_id 46)"""

    server_port = attribute(2, LongUnsigned, static=True)
    user_name = attribute(3, OctetString, static=True)
    login_password = attribute(4, OctetString, static=True)
    server_address = attribute(5, OctetString, static=True)
    sender_address = attribute(6, OctetString, static=True)


class AddressConfigMode(Enumeration):
    """How an interface comes by its IPv6 addresses."""

    AUTO_CONFIGURATION = 0
    DHCPV6 = 1
    MANUAL = 2
    NEIGHBOUR_DISCOVERY = 3


class Ipv6Setup(InterfaceClass, class_id=48, version=0, instance="0.0.25.7.0.255"):
    """Holds the addresses of an IPv6 interface, 16 octets each; an octet-string of length 0 is none. (class_id 48)"""

    dl_reference = attribute(2, REFERENCE, static=True)
    address_config_mode = attribute(3, AddressConfigMode, static=True)
    unicast_ipv6_addresses = attribute(4, array(OctetString), writable=True)
    multicast_ipv6_addresses = attribute(5, array(OctetString), static=True)
    gateway_ipv6_addresses = attribute(6, array(OctetString), static=True)
    primary_dns_address = attribute(7, OctetString, static=True)
    secondary_dns_address = attribute(8, OctetString, static=True)
    traffic_class = attribute(9, Unsigned, static=True)
    neighbor_discovery_setup = attribute(10, array(ANY), static=True)
    add_ipv6_address = method(1, ANY, sn=0x60)
    remove_ipv6_address = method(2, ANY, sn=0x68)


class NtpAuthenticationMethod(Enumeration):
    """How messages of the network time protocol are authenticated."""

    NONE = 0
    SHARED_SECRETS = 1
    AUTOKEY_IFF = 2


@structure
class NtpAuthenticationKey:
    """A symmetric key of the network time protocol, and its number."""

    key_id: Unsigned32
    key: bytes


class NtpSetup(InterfaceClass, class_id=100, version=0, instance="0.0.25.10.0.255"):
    """Holds whether and where the device asks for network time, and its keys. (class_id 100)"""

    activated = attribute(2, bool, static=True)
    server_address = attribute(3, OctetString, static=True)
    server_port = attribute(4, LongUnsigned, static=True)
    authentication_method = attribute(5, NtpAuthenticationMethod, static=True)
    authentication_keys = attribute(6, array(NtpAuthenticationKey), static=True)
    client_key = attribute(7, OctetString, static=True)
    synchronize = method(1, Integer, sn=0x38)
    add_authentication_key = method(2, NtpAuthenticationKey, sn=0x40)
    delete_authentication_key = method(3, DoubleLongUnsigned, sn=0x48)
