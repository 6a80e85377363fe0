"""The works with dlms-cosem."""

import logging

import structlog
from dlms_cosem import cosem, enumerations
from dlms_cosem.client import DlmsClient
from dlms_cosem.connection import XDlmsApduFactory
from dlms_cosem.hdlc.address import HdlcAddress
from dlms_cosem.hdlc.frames import InformationFrame
from dlms_cosem.io import BlockingTcpIO, TcpTransport
from dlms_cosem.security import HighLevelSecurityGmacAuthentication, decrypt
from dlms_cosem.utils import parse_as_dlms_data
from loop import given, next_counter, serve

# its log lines would cost more than its work
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def small_get():
    apdu = given["small"]
    return lambda: parse_as_dlms_data(XDlmsApduFactory.apdu_from_bytes(apdu).data)


def register_read():
    value, scaler_unit = given["small"], given["scaler_unit"]

    def once():
        scaler, unit = parse_as_dlms_data(XDlmsApduFactory.apdu_from_bytes(scaler_unit).data)
        return parse_as_dlms_data(XDlmsApduFactory.apdu_from_bytes(value).data) * 10**scaler, unit

    return once


def buffer(name):
    octets = given[name]
    return lambda: parse_as_dlms_data(octets)


def hdlc():
    meter, client = HdlcAddress(1, None, "server"), HdlcAddress(16, None, "client")
    information = given["information"]
    return lambda: InformationFrame.from_bytes(InformationFrame(client, meter, information).to_bytes()).payload


def ciphered_get():
    apdu, key, authentication_key = given["general"], given["encryption_key"], given["authentication_key"]

    def once():
        envelope = XDlmsApduFactory.apdu_from_bytes(apdu)
        clear = decrypt(
            envelope.security_control,
            envelope.system_title,
            envelope.invocation_counter,
            key,
            envelope.ciphered_text,
            authentication_key,
        )
        return parse_as_dlms_data(XDlmsApduFactory.apdu_from_bytes(clear).data)

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
        "hdlc": hdlc,
        "ciphered-get": ciphered_get,
        "session": session,
    }
)
