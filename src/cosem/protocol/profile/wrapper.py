"""The TCP-UDP/IP profiles of IEC 62056-9-7 over the wrapper of IEC 62056-4-7."""

from __future__ import annotations

from typing import Final

from cosem.protocol.link.wrapper import WrapperClient, WrapperServer, WrapperSettings
from cosem.protocol.profile.communication import Addressing, ApplicationUse, CommunicationProfile, LowerLayers
from cosem.protocol.profile.timing import Timing

WRAPPER_PORTS = Addressing(
    client_saps={0x0000: "no station", 0x0001: "client management process", 0x0010: "public client"},
    server_saps={0x0000: "no station", 0x0001: "management logical device", 0x007F: "all stations"},
    carried_in="source and destination wPort of the wrapper header",
)

TCP_UDP_SETUP = 41
IPV4_SETUP = 42
MAC_ADDRESS_SETUP = 43
IPV6_SETUP = 48

_SERVER: Final = WrapperSettings(inactivity_time_out=None)
"""How long a client may be silent is `ServerTiming.idle`, of all that it has to do with a meter at once."""

TCP_WRAPPER = CommunicationProfile(
    name="DLMS/COSEM TCP/IP",
    framing="wrapper",
    medium="tcp",
    standards=("IEC 62056-9-7", "IEC 62056-4-7"),
    environment="IPv4 and IPv6 networks, wide area and local",
    lower_layers=LowerLayers(
        client=lambda url: WrapperClient(url.client, url.server),
        server=lambda station: WrapperServer(settings=_SERVER, servers=station.servers),
    ),
    service_mapping="a header of eight octets before each APDU; TCP segments mean nothing",
    connection="the client opens the TCP connection; associations live no longer than it",
    addressing=WRAPPER_PORTS,
    application=ApplicationUse(),
    management=(TCP_UDP_SETUP, IPV4_SETUP, IPV6_SETUP, MAC_ADDRESS_SETUP),
)

UDP_WRAPPER = CommunicationProfile(
    name="DLMS/COSEM UDP/IP",
    framing="wrapper",
    medium="udp",
    standards=("IEC 62056-9-7", "IEC 62056-4-7"),
    environment="IPv4 and IPv6 networks where connections cost too much",
    lower_layers=LowerLayers(
        client=lambda url: WrapperClient(url.client, url.server, datagram=True),
        server=lambda station: WrapperServer(settings=_SERVER, datagram=True, servers=station.servers),
        datagrams=True,
    ),
    service_mapping="one wrapper with its APDU is one datagram",
    connection="none: an association lives until it is released or nothing is heard any more",
    addressing=WRAPPER_PORTS,
    application=ApplicationUse(max_pdu_size=1024, timing=Timing(response=5.0, repeat=1.0)),
    management=(TCP_UDP_SETUP, IPV4_SETUP, IPV6_SETUP, MAC_ADDRESS_SETUP),
)
