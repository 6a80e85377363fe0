"""The works with gurux-dlms."""

import socket

from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData
from gurux_dlms.enums import Authentication, InterfaceType, Security
from gurux_dlms.GXDLMS import GXDLMS
from gurux_dlms.objects import GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient
from loop import given, next_counter, serve

UNNUMBERED_INFORMATION = 0x13


def small_get():
    client = GXDLMSSecureClient(True, interfaceType=InterfaceType.PDU)
    apdu = given["small"]

    def once():
        reply = GXReplyData()
        client.getData(apdu, reply)
        return reply.value

    return once


def register_read():
    client = GXDLMSSecureClient(True, interfaceType=InterfaceType.PDU)
    value, scaler_unit = given["small"], given["scaler_unit"]

    def once():
        register = GXDLMSRegister("1.0.1.8.0.255")
        reply = GXReplyData()
        client.getData(scaler_unit, reply)
        client.updateValue(register, 3, reply.value)
        reply = GXReplyData()
        client.getData(value, reply)
        client.updateValue(register, 2, reply.value)
        return register.value, int(register.unit)

    return once


def buffer(name):
    octets = given[name]
    return lambda: GXDLMSClient.getValue(GXByteBuffer(octets), False)


def hdlc():
    sender = GXDLMSSecureClient(True, 1, 16)
    receiver = GXDLMSSecureClient(True, 16, 1)
    information = given["information"]
    sender.hdlcSettings.maxInfoTX = len(information) + 3  # it keeps room for an LLC header

    def once():
        frame = GXDLMS.getHdlcFrame(sender.settings, UNNUMBERED_INFORMATION, GXByteBuffer(information))
        reply = GXReplyData()
        received = GXByteBuffer(frame)
        GXDLMS.getHdlcData(False, receiver.settings, received, reply, reply)
        return received._data[received.position : reply.packetLength]

    return once


def ciphered_get():
    client = secured(InterfaceType.PDU)
    client.serverSystemTitle = client.settings.sourceSystemTitle = given["meter_title"]
    apdu = given["ciphered"]

    def once():
        reply = GXReplyData()
        client.getData(apdu, reply)
        return reply.value

    return once


def session():
    host, port = given["address"]

    def once():
        client = secured(InterfaceType.WRAPPER)
        client.ciphering.invocationCounter = next_counter()
        with socket.create_connection((host, port), 10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def exchange(requests):
                reply = GXReplyData()
                for octets in requests:
                    connection.sendall(octets)
                    received = GXByteBuffer()
                    while not client.getData(received, reply, reply):
                        received.position = 0
                        received.set(connection.recv(65536))
                return reply

            client.parseAareResponse(exchange(client.aarqRequest()).data)
            client.parseApplicationAssociationResponse(exchange(client.getApplicationAssociationRequest()).data)
            values = [exchange(client.read(GXDLMSRegister(name), 2)).value for name in given["registers"]]
            exchange(client.releaseRequest())
        return values

    return once


def secured(interface):
    client = GXDLMSSecureClient(True, given["client"], given["server"], Authentication.HIGH_GMAC, None, interface)
    client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    client.ciphering.systemTitle = bytearray(given["title"])
    client.ciphering.blockCipherKey = bytearray(given["encryption_key"])
    client.ciphering.authenticationKey = bytearray(given["authentication_key"])
    return client


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
