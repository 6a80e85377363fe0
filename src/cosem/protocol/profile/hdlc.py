"""The 3-layer, connection-oriented, HDLC based profile of IEC 62056-7-6, on a serial line and inside TCP."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cosem.protocol.link import ClientLink, ServerLink
from cosem.protocol.link.hdlc import (
    ClientSettings,
    HdlcAddress,
    HdlcClient,
    HdlcServer,
    Parameters,
    ServerSettings,
)
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.communication import Addressing, ApplicationUse, CommunicationProfile, LowerLayers, Station

HDLC_ADDRESSES = Addressing(
    client_saps={0x00: "no station", 0x01: "client management process", 0x10: "public client"},
    server_saps={0x00: "no station", 0x01: "management logical device", 0x7F: "all stations"},
    carried_in="source and destination address of the HDLC frame; the upper server address is the logical device",
)

IEC_HDLC_SETUP = 23

KEEP_ALIVE: Final = 20.0
"""Seconds of silence after which a client that waits asks the meter: few have a shorter inactivity time-out."""

SIGNED_ON_BAUD: Final = 9600

UNSOLICITED_OCTETS: Final = Parameters().maximum_information_transmit
"""Those of a frame to a client with which nothing was agreed: everybody takes the default."""


def parameters(url: ConnectionUrl) -> Parameters:
    """Return what a station may propose, or agree to, at the place that a URL names."""
    assert url.window is not None and url.information is not None
    return Parameters(url.information, url.information, url.window, url.window)


def _client(url: ConnectionUrl) -> ClientLink:
    address = HdlcAddress.of(url.server, url.physical, url.address_size or None)
    alternatives = () if url.address_size else address.in_every_size()
    octet_time = 0.0
    if url.baud is not None:
        # After a sign-on the speed is whatever was agreed in it, mostly this one.
        octet_time = _bits("8N1") / SIGNED_ON_BAUD if url.sign_on else _bits(url.format or "8N1") / url.baud
    settings = ClientSettings(keep_alive=KEEP_ALIVE, octet_time=octet_time)
    return HdlcClient(url.client, address, parameters(url), settings, alternatives=alternatives)


def _bits(character_format: str) -> int:
    """Return how many bits an octet takes on a line: start, data, parity, stop."""
    return 1 + int(character_format[0]) + (character_format[1] != "N") + int(character_format[2])


def _server(station: Station) -> ServerLink:
    settings = ServerSettings(unsolicited_octets=UNSOLICITED_OCTETS)
    return HdlcServer(station.servers, station.physical, station.parameters, settings)


_LAYERS = LowerLayers(client=_client, server=_server)

HDLC_OVER_SERIAL = CommunicationProfile(
    name="3-layer, connection-oriented, HDLC based",
    framing="hdlc",
    medium="serial",
    standards=("IEC 62056-7-6", "IEC 62056-46", "IEC 62056-42"),
    environment="optical probes, RS-485 and current loops: local ports of meters",
    lower_layers=_LAYERS,
    service_mapping="an LLC header of three octets before each APDU; long APDUs are segmented",
    connection="SNRM and UA open the data link and negotiate its parameters, DISC closes it",
    addressing=HDLC_ADDRESSES,
    application=ApplicationUse(),
    management=(IEC_HDLC_SETUP,),
)

HDLC_OVER_TCP = CommunicationProfile(
    name="HDLC in TCP",
    framing="hdlc",
    medium="tcp",
    standards=("IEC 62056-7-6",),
    environment="serial servers and modems that carry the octets of a serial line inside TCP",
    lower_layers=_LAYERS,
    service_mapping="as on a serial line; the frames follow each other in the stream",
    connection="the TCP connection stands for the line; SNRM and DISC as on a serial line",
    addressing=HDLC_ADDRESSES,
    application=ApplicationUse(),
    management=(IEC_HDLC_SETUP,),
)

HDLC_OVER_RFC2217 = replace(
    HDLC_OVER_SERIAL,
    name="HDLC through a serial port server",
    medium="rfc2217",
    environment="serial port servers that set the speed and format of their line as they are told (RFC 2217)",
)

HDLC_OVER_MODEM = replace(
    HDLC_OVER_SERIAL,
    name="HDLC by telephone",
    medium="modem",
    environment="modems on fixed and mobile networks, dialled by AT commands",
    connection="the call stands for the line; SNRM and DISC as on a serial line",
)
