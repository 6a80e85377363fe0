"""Takes a push as the client of gurux-dlms does and prints what it got as JSON; runs only under the peer's interpreter.

The first argument is one JSON object of settings, the second the octets of a push as they come over the medium, in hex.

settings: framing ("wrapper" | "hdlc"), client (16), server (1), ek, ak, meter_title (hex).

The answer is {"command": the peer's name of the service, …}, or "error" with what the peer raised. The client of the
peer finds the push and unprotects it. Of a DataNotification it gives the "time" and the "value". Of the others, where
it raises when it sets the objects they tell of, the peer's translator gives the "content", [[element, value], …].
"""

from __future__ import annotations

import contextlib
import json
import sys
from xml.etree import ElementTree

from gurux_dlms import GXDateTime, GXReplyData
from gurux_dlms.enums import Authentication, Command, InterfaceType, Security
from gurux_dlms.GXByteBuffer import GXByteBuffer
from gurux_dlms.GXDLMSTranslator import GXDLMSTranslator
from gurux_dlms.secure import GXDLMSSecureClient


def main() -> int:
    given, octets = json.loads(sys.argv[1]), bytes.fromhex(sys.argv[2])
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = take(listener(given), octets)
        except Exception as error:  # whatever the peer raises is the finding
            answer = {"error": {"type": type(error).__name__, "text": str(error)}}
    json.dump(answer, sys.stdout)
    return 0


def listener(given: dict) -> GXDLMSSecureClient:
    framing = InterfaceType.HDLC if given.get("framing") == "hdlc" else InterfaceType.WRAPPER
    addresses = given.get("client", 16), given.get("server", 1)
    made = GXDLMSSecureClient(True, *addresses, Authentication.NONE, None, framing)
    if "ek" in given:
        made.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
        made.ciphering.blockCipherKey = bytearray.fromhex(given["ek"])
        made.ciphering.authenticationKey = bytearray.fromhex(given["ak"])
        made.settings.sourceSystemTitle = bytearray.fromhex(given["meter_title"])
    return made


def take(client: GXDLMSSecureClient, octets: bytes) -> dict:
    received, reply, notify = GXByteBuffer(), GXReplyData(), GXReplyData()
    received.set(octets)
    client.getData(received, reply, notify)
    command = Command(notify.command)
    if command == Command.DATA_NOTIFICATION:
        return {"command": command.name, "time": plain(notify.time), "value": plain(notify.value)}
    apdu = notify.data.array()
    if apdu[:1] != bytes((command,)):  # over the wrapper the peer takes the tag off, over HDLC it does not
        apdu = bytes((command,)) + apdu
    root = ElementTree.fromstring(GXDLMSTranslator().pduToXml(GXByteBuffer(apdu)))
    content = [[each.tag, each.get("Value")] for each in root.iter() if each.get("Value")]
    return {"command": command.name, "content": content}


def plain(value: object) -> object:
    if isinstance(value, GXDateTime):
        return value.value.isoformat()
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return bytes(value).hex().upper() if isinstance(value, (bytes, bytearray)) else value


if __name__ == "__main__":
    raise SystemExit(main())
