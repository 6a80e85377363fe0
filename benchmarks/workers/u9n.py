"""The works with dlms-cosem."""

import logging

import structlog
from dlms_cosem import cosem, enumerations, state
from dlms_cosem.client import DlmsClient
from dlms_cosem.connection import DlmsConnection, XDlmsApduFactory
from dlms_cosem.hdlc.address import HdlcAddress
from dlms_cosem.hdlc.frames import InformationFrame
from dlms_cosem.io import BlockingTcpIO, TcpTransport
from dlms_cosem.protocol.xdlms import Conformance
from dlms_cosem.security import HighLevelSecurityGmacAuthentication
from dlms_cosem.utils import parse_as_dlms_data
from loop import given, next_counter, serve, tidied

# its log lines would cost more than its work
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def small_get():
    apdu = given["small"]
    return lambda: parse_as_dlms_data(XDlmsApduFactory.apdu_from_bytes(apdu).data)


def register_read():
    value, scaler_unit = given["small"], given["scaler_unit"]

    def once():
        scaler, unit = parse_as_dlms_data(XDlmsApduFactory.apdu_from_bytes(scaler_unit).data)
        return parse_as_dlms_data(XDlmsApduFactory.apdu_from_bytes(value).data), scaler, unit

    return tidied(once, lambda found: (found[0] * 10 ** found[1], found[2]))


def buffer(name):
    octets = given[name]
    return lambda: parse_as_dlms_data(octets)


def hdlc():
    meter, client = HdlcAddress(1, None, "server"), HdlcAddress(16, None, "client")
    information = given["information"]
    return lambda: InformationFrame.from_bytes(InformationFrame(client, meter, information).to_bytes()).payload


def ciphered_get():
    """Through a connection, where a response is deciphered and its counter checked; it knows general-glo only."""
    connection = DlmsConnection.with_pre_established_association(
        conformance=Conformance(),
        global_encryption_key=given["encryption_key"],
        global_authentication_key=given["authentication_key"],
        client_system_title=given["title"],
        meter_system_title=given["meter_title"],
        client_invocation_counter=0,
        meter_invocation_counter=0,
    )
    octets = given["general"]

    def once():
        connection.state.current_state = state.AWAITING_GET_RESPONSE  # as if asked again
        connection.meter_invocation_counter = 0  # the same octets come again and again
        connection.receive_data(octets)
        return parse_as_dlms_data(connection.next_event().data)

    return once


def session():
    host, port = given["address"]
    registers = [
        cosem.CosemAttribute(enumerations.CosemInterface.REGISTER, cosem.Obis.from_string(name), 2)
        for name in given["registers"]
    ]

    def once():
        client = DlmsClient(
            transport=TcpTransport(given["client"], given["server"], BlockingTcpIO(host, port)),
            authentication=HighLevelSecurityGmacAuthentication(challenge_length=16),
            encryption_key=given["encryption_key"],
            authentication_key=given["authentication_key"],
            client_system_title=given["title"],
            client_initial_invocation_counter=next_counter(),
        )
        with client.session():
            return [parse_as_dlms_data(client.get(register)) for register in registers]

    return once


serve(
    {
        "small-get": small_get,
        "register-read": register_read,
        "irregular": lambda: buffer("irregular"),
        "regular": lambda: buffer("regular"),
        "long": lambda: buffer("long"),
        "hdlc": hdlc,
        "ciphered-get": ciphered_get,
        "session": session,
    }
)
