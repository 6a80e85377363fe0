"""The works with pydlms-client."""

import logging

from loop import given, next_counter, serve, tidied
from pydlms import DlmsClient, Mechanism, RegisterValue, SecurityContext
from pydlms.apdu.xdlms import decode_apdu
from pydlms.cosem.data import decode_data
from pydlms.cosem.scaler import scaler_unit
from pydlms.hdlc.address import HdlcAddress
from pydlms.hdlc.framing import HdlcFrame, control_i, decode_frame, encode_frame
from pydlms.security.ciphering import unwrap

REGISTER = 3
logging.disable()  # it remarks on every repeated counter


def small_get():
    apdu = given["small"]
    return lambda: decode_apdu(apdu).result.data.value


def register_read():
    value, unit = given["small"], given["scaler_unit"]

    def once():
        return RegisterValue(decode_apdu(value).result.data.value, *scaler_unit(decode_apdu(unit).result.data))

    return tidied(once, lambda register: (register.value, register.unit))


def buffer(name):
    octets = given[name]
    return tidied(lambda: decode_data(octets)[0], lambda data: data.to_python())


def hdlc():
    meter, client = HdlcAddress(1), HdlcAddress(16)
    information = given["information"]
    return lambda: decode_frame(encode_frame(HdlcFrame(client, meter, control_i(0, 0), information))).info


def ciphered_get():
    context = SecurityContext(
        given["encryption_key"],
        given["authentication_key"],
        given["title"],
        server_system_title=given["meter_title"],
        replay_protection=False,  # the same octets come again and again
    )
    apdu = given["ciphered"]
    return lambda: decode_apdu(unwrap(context, apdu).plaintext).result.data.value


def session():
    host, port = given["address"]

    def once():
        security = SecurityContext(
            given["encryption_key"],
            given["authentication_key"],
            given["title"],
            invocation_counter=next_counter(),
        )
        with DlmsClient.tcp(
            host, port, given["client"], given["server"], mechanism=Mechanism.HLS_GMAC, security=security
        ) as client:
            return [client.get(name, REGISTER, 2).value for name in given["registers"]]

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
