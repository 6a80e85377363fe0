"""Reads a meter with the gurux-dlms client and prints what it got as JSON; runs only under the peer's interpreter.

The operations are one JSON list of lists and run in one session, in order:

    ["read", class_id, obis, attribute]         one GET; a register is scaled when its attribute 3 was read before
    ["list", [[class_id, obis, attribute], …]]  GET with list
    ["objects"]                                 the object list of the current association
    ["everything"]                              … and then every attribute of it that may be read, in the peer's order:
                                                {"class obis attribute": "" or what went wrong}
    ["profile", obis]                           capture objects, then the whole buffer
    ["entries", obis, first, count]             … the rows by number, counted from 1
    ["range", obis, start, end]                 … the rows between two times, ISO 8601
    ["write", class_id, obis, attribute, type, value]   SET; the type is the peer's name of a data type, e.g. UINT32
    ["clock", obis, time]                       SET of the time of a clock, ISO 8601, as the peer writes it
    ["write_list", [[class_id, obis, attribute, type, value], …]]   SET with list
    ["act", class_id, obis, method, type, value]        ACTION; the octets of a structure as {"hex": …}
    ["setup", obis, method, arguments…]                 what a method of the peer's security set-up sends; octets as
                                                        {"hex": …}, a certificate as {"certificate": hex}
    ["tell", server, name, words…]                      an operation that wants no answer, to the server SAP given
    ["transfer", obis, master key, key_id, key]         a new key by a security set-up, keys in hex
    ["access", [[class_id, obis, attribute], …]]        ACCESS that reads; it cannot build one that writes

The answer is {"negotiated": …, "results": […], "released": …}. A result has a "value", or "refused" with the number
that the meter gave. What ends the session early is in "error", with the phase in which it happened.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import socket
import sys
import time
import types

from gurux_dlms import GXByteBuffer, GXDateTime, GXReplyData
from gurux_dlms.ecdsa.GXPrivateKey import GXPrivateKey
from gurux_dlms.ecdsa.GXPublicKey import GXPublicKey
from gurux_dlms.enums import AccessServiceCommandType, Authentication, Conformance, DataType, InterfaceType, Security
from gurux_dlms.enums.ServiceClass import ServiceClass
from gurux_dlms.GXDLMSAccessItem import GXDLMSAccessItem
from gurux_dlms.GXDLMSGateway import GXDLMSGateway
from gurux_dlms.GXWriteItem import GXWriteItem
from gurux_dlms.objects import GXDLMSSecuritySetup
from gurux_dlms.objects.enums import SecuritySuite
from gurux_dlms.secure import GXDLMSSecureClient

AUTHENTICATION = {
    "none": Authentication.NONE,
    "low": Authentication.LOW,
    "md5": Authentication.HIGH_MD5,
    "sha1": Authentication.HIGH_SHA1,
    "gmac": Authentication.HIGH_GMAC,
    "sha256": Authentication.HIGH_SHA256,
    "manufacturer": Authentication.HIGH,
    "ecdsa": Authentication.HIGH_ECDSA,
}
PROTECTION = {
    "none": Security.NONE,
    "auth": Security.AUTHENTICATION,
    "enc": Security.ENCRYPTION,
    "auth+enc": Security.AUTHENTICATION_ENCRYPTION,
}


def main() -> int:
    options = arguments()
    answer: dict = {"results": [], "released": False}
    session = Session(options)
    phase = "connect"
    with contextlib.redirect_stdout(sys.stderr):  # the peer prints remarks of its own
        began = time.process_time()
        try:
            session.open()
            if not options.unopened:
                phase = "associate"
                answer["negotiated"] = session.associate()
            for position, (name, *words) in enumerate(json.loads(options.operations)):
                phase = f"operation {position} ({name})"
                before = session.exchanges
                try:
                    result = {"value": plain(getattr(session, name)(*words))}
                except PeerError as refused:
                    result = {"refused": refused.number, "text": str(refused)}
                answer["results"].append({**result, "exchanges": session.exchanges - before})
            phase = "release"
            answer["released"] = session.release()
        except Exception as error:  # whatever the peer raises is the finding
            answer["error"] = {"type": type(error).__name__, "text": str(error), "phase": phase}
        finally:
            session.close()
        answer["cpu_seconds"] = time.process_time() - began
    json.dump(answer, sys.stdout)
    return 0


class Session:
    """One connection to one meter, over a plain socket."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.exchanges = 0
        self.silent = False
        self.received = GXByteBuffer()
        self.socket: socket.socket | None = None
        hdlc = options.framing == "hdlc"
        self.client = client = GXDLMSSecureClient(
            options.naming == "ln",
            options.client,
            server_address(options) if hdlc else options.server,
            AUTHENTICATION[options.auth],
            options.password.encode() if options.password else None,
            InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER,
        )
        if hdlc and options.address_size:
            client.serverAddressSize = options.address_size
        client.maxReceivePDUSize = options.max_pdu
        client.useUtc2NormalTime = options.deviation == "utc-to-local"
        if options.user is not None:
            client.userId = options.user
        if options.gateway:
            network, _, address = options.gateway.partition(":")
            client.gateway = GXDLMSGateway()
            client.gateway.networkId = int(network)
            client.gateway.physicalDeviceAddress = bytearray.fromhex(address)
        if options.ek:
            client.ciphering.securitySuite = SecuritySuite(options.suite)
            client.ciphering.security = PROTECTION[options.protection]
            client.ciphering.systemTitle = bytearray.fromhex(options.system_title)
            client.ciphering.blockCipherKey = bytearray.fromhex(options.ek)
            client.ciphering.authenticationKey = bytearray.fromhex(options.ak)
            client.ciphering.invocationCounter = options.counter
            if options.meter_title:
                client.serverSystemTitle = bytearray.fromhex(options.meter_title)
            if options.dedicated_key:
                client.ciphering.dedicatedKey = bytearray.fromhex(options.dedicated_key)
            if options.signing_key:
                octets = [bytes.fromhex(each) for each in (options.peer_signing_key, options.signing_key)]
                client.ciphering.signingKeyPair = (
                    GXPublicKey.fromRawBytes(octets[0]),
                    GXPrivateKey.fromRawBytes(octets[1]),
                )
                client.ctoSChallenge = bytearray(os.urandom(32))  # its own is of 16 octets, too few for a signature
            if options.plain_envelopes:
                client.proposedConformance &= ~Conformance.GENERAL_PROTECTION
        if hdlc and options.information:
            client.hdlcSettings.maxInfoTX = client.hdlcSettings.maxInfoRX = options.information
        if hdlc and options.window:
            client.hdlcSettings.windowSizeTX = client.hdlcSettings.windowSizeRX = options.window

    # the stages of a session

    def open(self) -> None:
        self.socket = socket.create_connection((self.options.host, self.options.port), self.options.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.options.framing == "hdlc":
            self.client.parseUAResponse(self.exchange(self.client.snrmRequest()).data)

    def associate(self) -> dict:
        client = self.client
        client.parseAareResponse(self.exchange(client.aarqRequest()).data)
        if client.isAuthenticationRequired:
            client.parseApplicationAssociationResponse(self.exchange(client.getApplicationAssociationRequest()).data)
        negotiated = {
            "pdu": client.maxReceivePDUSize,
            "conformance": int(client.negotiatedConformance),
            "server_system_title": bytes(client.sourceSystemTitle or b"").hex(),
        }
        if self.options.framing == "hdlc":
            limits = client.hdlcSettings
            negotiated["information"] = [limits.maxInfoTX, limits.maxInfoRX]
            negotiated["window"] = [limits.windowSizeTX, limits.windowSizeRX]
        return negotiated

    def release(self) -> bool:
        request = None if self.options.unopened or self.options.leave_by == "disc" else self.client.releaseRequest()
        if request:
            self.exchange(request)
        if self.options.framing == "hdlc":
            self.exchange(self.client.disconnectRequest(True))
        return True

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()

    # the operations

    def read(self, class_id: int, obis: str, attribute: int) -> dict:
        item = self.item(class_id, obis)
        reply = self.exchange(self.client.read(item, attribute))
        typed = self.client.updateValue(item, attribute, reply.value)
        return {"raw": reply.value, "type": DataType(reply.valueType).name, "typed": typed}

    def list(self, references: list) -> list:
        wanted = [(self.item(class_id, obis), attribute) for class_id, obis, attribute in references]
        values: list = []
        for request in self.client.readList(wanted):
            reply = self.exchange(request)
            values.extend(reply.value if isinstance(reply.value, list) else [reply.value])
        self.client.updateValues(wanted, values)
        return values

    def objects(self) -> list:
        reply = self.exchange(self.client.getObjectsRequest())
        found = self.client.parseObjects(reply.data, False, False)
        return [
            {
                "class_id": int(item.objectType),
                "version": int(item.version),
                "obis": item.logicalName,
                "kind": type(item).__name__,
                "usual": int(type(item)().version) if type(item).__name__ != "GXDLMSObject" else None,
                "access": access(item),
            }
            for item in found
        ]

    def everything(self) -> dict:
        self.client.parseObjects(self.exchange(self.client.getObjectsRequest()).data, True, False)
        found: dict = {}
        for item in self.client.objects:
            first = [3] if int(item.objectType) == 7 else []  # the peer cannot read rows before their columns
            for index in [*first, *(each for each in item.getAttributeIndexToRead(True) if each not in first)]:
                if not access(item).get(str(index), 1) & 1:
                    continue
                try:
                    reply = self.exchange(self.client.read(item, index))
                    self.client.updateValue(item, index, reply.value)
                    wrong = ""
                except Exception as error:  # a refusal, or what the peer cannot make of the value
                    wrong = f"{type(error).__name__}: {error}"
                found[f"{int(item.objectType)} {item.logicalName} {index}"] = wrong
        return found

    def profile(self, obis: str) -> dict:
        return self.rows(obis, lambda profile: self.client.read(profile, 2))

    def entries(self, obis: str, first: int, count: int) -> dict:
        return self.rows(obis, lambda profile: self.client.readRowsByEntry(profile, first, count))

    def range(self, obis: str, start: str, end: str) -> dict:
        from_, to = (GXDateTime(datetime.datetime.fromisoformat(text)) for text in (start, end))
        return self.rows(obis, lambda profile: self.client.readRowsByRange(profile, from_, to))

    def rows(self, obis: str, request) -> dict:
        profile = self.item(7, obis)
        if not profile.captureObjects:
            self.client.updateValue(profile, 3, self.exchange(self.client.read(profile, 3)).value)
        reply = self.exchange(request(profile))
        raw = plain(reply.value)  # before the peer gives the cells their types, which it does in place
        self.client.updateValue(profile, 2, reply.value)
        columns = [
            [int(item.objectType), item.logicalName, column.attributeIndex, column.dataIndex]
            for item, column in profile.captureObjects
        ]
        return {"columns": columns, "raw": raw, "rows": profile.buffer}

    def write(self, class_id: int, obis: str, attribute: int, type_name: str, value: object) -> bool:
        item = self.item(class_id, obis)
        item.setDataType(attribute, DataType[type_name])
        self.client.updateValue(item, attribute, value)
        self.exchange(self.client.write(item, attribute))
        return True

    def clock(self, obis: str, time: str) -> bool:
        item = self.item(8, obis)
        item.time = GXDateTime(datetime.datetime.fromisoformat(time))
        self.exchange(self.client.write(item, 2))
        return True

    def write_list(self, writes: list) -> bool:
        wanted = []
        for class_id, obis, attribute, type_name, value in writes:
            item = self.item(class_id, obis)
            item.setDataType(attribute, DataType[type_name])
            self.client.updateValue(item, attribute, value)
            write = GXWriteItem()
            write.target, write.index, write.dataType = item, attribute, DataType[type_name]
            write.getDataType = lambda write=write: write.dataType  # the peer asks its own class for it, in vain
            wanted.append(write)
        self.exchange(self.client.writeList(wanted))
        return True

    def act(self, class_id: int, obis: str, method: int, type_name: str, value: object) -> object:
        request = self.client.method(self.item(class_id, obis), method, argument(value), DataType[type_name])
        return self.exchange(request).value

    def setup(self, obis: str, method: str, *words: object) -> object:
        request = getattr(GXDLMSSecuritySetup(obis), method)(self.client, *map(argument, words))
        return self.exchange(request).value

    def tell(self, server: int, name: str, *words: object) -> None:
        client, own = self.client, self.client.serverAddress
        client.serverAddress, client.serviceClass, self.silent = server, ServiceClass.UN_CONFIRMED, True
        try:
            getattr(self, name)(*words)
        finally:
            client.serverAddress, client.serviceClass, self.silent = own, ServiceClass.CONFIRMED, False

    def transfer(self, obis: str, master: str, key_id: int, key: str) -> None:
        kek, new = (bytearray.fromhex(each) for each in (master, key))
        self.exchange(GXDLMSSecuritySetup(obis).globalKeyTransfer(self.client, kek, [(key_id, new)]))

    def access(self, references: list) -> list:
        get = AccessServiceCommandType.GET
        asked = [GXDLMSAccessItem(get, self.item(class_id, obis), index) for class_id, obis, index in references]
        self.client.parseAccessResponse(asked, self.exchange(self.client.accessRequest(None, asked)).data)
        return [{"result": int(each.error), "value": each.value} for each in asked]

    # below the operations

    def item(self, class_id: int, obis: str):
        """The peer's object of that name, the same one each time; by short names it is one of the object list."""
        known = self.client.objects.findByLN(class_id, obis)
        if known is None:
            known = self.client.createObject(class_id)
            known.logicalName = obis
            self.client.objects.append(known)
        return known

    def exchange(self, requests) -> GXReplyData:
        """Send one request (in as many frames as it takes) and collect the whole answer, blocks included."""
        reply = GXReplyData()
        for octets in requests if isinstance(requests, list) else [requests]:
            reply.clear()
            self.one_frame(octets, reply)
            while reply.isMoreData():
                self.one_frame(None if reply.isStreaming() else self.client.receiverReady(reply), reply)
        return reply

    def one_frame(self, octets, reply: GXReplyData) -> None:
        assert self.socket is not None
        if octets is not None:
            self.exchanges += 1
            self.socket.sendall(octets)
        if self.silent and self.options.framing != "hdlc":  # there it goes in an I frame, and the meter acknowledges it
            return
        self.received.clear()
        notify = GXReplyData()
        while not self.client.getData(self.received, reply, notify):
            octets = self.socket.recv(65536)
            if not octets:
                raise ConnectionError("the meter closed the connection")
            self.received.position = 0
            self.received.set(octets)
        if reply.error:
            raise PeerError(int(reply.error), reply.getErrorMessage())


class PeerError(Exception):
    """The meter refused one request with a result number; the session goes on."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


def server_address(options: argparse.Namespace) -> int:
    if options.physical is None:
        return options.server
    return GXDLMSSecureClient.getServerAddress(options.server, options.physical, options.address_size or 0)


def access(item) -> dict:
    """Access mode by attribute number; empty for a class that the peer knows by name only."""
    with contextlib.suppress(ValueError):
        return {str(index): int(item.getAccess(index)) for index in range(1, item.getAttributeCount() + 1)}
    return {}


def argument(given: object) -> object:
    if not isinstance(given, dict):
        return given
    if "certificate" in given:  # the peer's own class of certificates cannot read a key usage that is critical
        return types.SimpleNamespace(encoded=bytearray.fromhex(given["certificate"]))
    return bytearray.fromhex(given["hex"])


def plain(value: object) -> object:
    """The value as JSON knows it: octets as {"octets": hex}, times as {"time": ISO 8601, …}, enumerations as ints."""
    if value is None or isinstance(value, (bool, str, float)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (bytes, bytearray)):
        return {"octets": value.hex()}
    if isinstance(value, GXByteBuffer):
        return {"octets": bytes(value.array()).hex()}
    if isinstance(value, GXDateTime):
        return {"time": value.value.isoformat() if value.value else None, "status": int(value.status)}
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return {"text": str(value)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("operations", help="a JSON list, see above")
    parser.add_argument("--framing", choices=("wrapper", "hdlc"), default="wrapper")
    parser.add_argument("--client", type=int, default=16)
    parser.add_argument("--server", type=int, default=1)
    parser.add_argument("--naming", choices=("ln", "sn"), default="ln")
    parser.add_argument("--physical", type=int)
    parser.add_argument("--address-size", type=int, choices=(1, 2, 4))
    parser.add_argument("--information", type=int, help="HDLC: octets of an information field, both ways")
    parser.add_argument("--window", type=int, help="HDLC: window size, both ways")
    parser.add_argument("--max-pdu", type=int, default=0xFFFF)
    parser.add_argument("--auth", choices=tuple(AUTHENTICATION), default="none")
    parser.add_argument("--password")
    parser.add_argument("--protection", choices=tuple(PROTECTION), default="auth+enc", help="once keys are given")
    parser.add_argument("--system-title", help="hex")
    parser.add_argument("--ek", help="encryption key, hex; turns ciphering on")
    parser.add_argument("--ak", help="authentication key, hex")
    parser.add_argument("--dedicated-key", help="hex; sent in the AARQ and used for every service")
    parser.add_argument("--plain-envelopes", help="anything: envelopes of the services, no general protection")
    parser.add_argument("--suite", type=int, choices=(0, 1, 2), default=0)
    parser.add_argument("--counter", type=int, default=1, help="first invocation counter")
    parser.add_argument("--deviation", choices=("local-to-utc", "utc-to-local"), default="local-to-utc")
    parser.add_argument("--gateway", help="network:address behind a gateway, the address in hex")
    parser.add_argument("--signing-key", help="private key of the client, its number in hex")
    parser.add_argument("--peer-signing-key", help="public key of the meter, an uncompressed point in hex")
    parser.add_argument("--meter-title", help="hex; known beforehand, where no association is opened")
    parser.add_argument("--unopened", help="anything: the association is there without being opened")
    parser.add_argument("--leave-by", choices=("rlrq", "disc"), default="rlrq", help="disc: without RLRQ")
    parser.add_argument("--user", type=int, help="the number of who uses the client")
    parser.add_argument("--timeout", type=float, default=10.0)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
