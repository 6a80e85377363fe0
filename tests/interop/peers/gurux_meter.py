"""Serves a small meter of gurux-dlms over the wrapper, without authentication; runs under the peer's Python.

The server half of gurux-dlms for Python calls a few things by names that it does not have; they are given here.
It says "listening on 127.0.0.1:PORT" on stderr and serves one connection after the other until it is ended.
"""

from __future__ import annotations

import datetime
import socket
import sys

from gurux_dlms.enums import (
    AccessMode,
    Authentication,
    Conformance,
    InterfaceType,
    MethodAccessMode,
    SourceDiagnostic,
    Unit,
)
from gurux_dlms.enums.DataType import DataType
from gurux_dlms.GXServerReply import GXServerReply
from gurux_dlms.objects import GXDLMSClock, GXDLMSData, GXDLMSRegister
from gurux_dlms.objects.GXDLMSAssociationLogicalName import GXDLMSAssociationLogicalName
from gurux_dlms.secure import GXDLMSSecureServer
from gurux_dlms.ValueEventArgs import ValueEventArgs

ValueEventArgs.isSkipMaxPduSize = True
GXServerReply.getConnectionInfo = lambda self: self.connectionInfo
GXServerReply.setReply = lambda self, reply: setattr(self, "reply", reply)


class Meter(GXDLMSSecureServer):
    """What gurux-dlms leaves to whoever makes a meter of it."""

    def isTarget(self, serverAddress: int, clientAddress: int) -> bool:
        return serverAddress == 1 and clientAddress == 16

    def onValidateAuthentication(self, authentication: Authentication, _password: bytes) -> SourceDiagnostic:
        refused = SourceDiagnostic.AUTHENTICATION_FAILURE
        return SourceDiagnostic.NONE if authentication == Authentication.NONE else refused

    def onFindObject(self, _kind: object, _sn: int, _ln: str) -> None:
        return None

    def onGetAttributeAccess(self, arg: ValueEventArgs) -> AccessMode:
        return AccessMode.NO_ACCESS if arg.index == 7 else AccessMode.READ  # the secret of an association

    def onGetMethodAccess(self, _arg: ValueEventArgs) -> MethodAccessMode:
        return MethodAccessMode.NO_ACCESS

    def nothing(self, *_: object) -> None:
        pass

    onConnected = onDisconnected = onInvalidConnection = onPreRead = onPostRead = nothing
    notifyRead = setTransaction = nothing


def main() -> int:
    meter = Meter(True, InterfaceType.WRAPPER)
    meter.conformance = Conformance.GET  # its answers to lists and ACCESS break off where an object is missing
    energy = GXDLMSRegister("1.0.1.8.0.255")
    energy.value, energy.scaler, energy.unit = 12345, 1, Unit.ACTIVE_ENERGY
    energy.setDataType(2, DataType.UINT32)
    name = GXDLMSData("0.0.42.0.0.255")
    name.value = bytearray(b"GRX0000000000001")
    name.setDataType(2, DataType.OCTET_STRING)
    number = GXDLMSData("0.0.96.1.1.255")
    number.value = 7
    number.setDataType(2, DataType.UINT16)
    clock = GXDLMSClock()
    clock.time = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC)
    association = GXDLMSAssociationLogicalName()
    for each in (name, clock, energy, number, *(() if "unlisted" in sys.argv[1:] else (association,))):
        association.objectList.append(each)
    for each in (name, clock, energy, number, association):
        meter.items.append(each)
    meter.initialize()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                serve(meter, connection)


def serve(meter: Meter, connection: socket.socket) -> None:
    meter.reset()
    while octets := connection.recv(65536):
        meter.settings.invokeId = octets[10] & 0x0F  # it forgets that of the request where an object is missing
        asked = GXServerReply(octets)
        meter.handleRequest(asked)
        if asked.reply:
            connection.sendall(bytes(asked.reply))


if __name__ == "__main__":
    raise SystemExit(main())
