"""Makes a push with the notifier of gurux-dlms and prints it as JSON; runs only under the peer's interpreter.

The argument is one JSON object of settings.

settings: framing ("wrapper" | "hdlc"), naming ("ln" | "sn"), kind ("data" | "report"), client (16), server (1), ek, ak,
title (hex), time (ISO 8601, or left out). It tells the value of register 1.0.1.8.0.255 at the base name 0x1000: in a
DataNotification, or in the report of its naming, an EventNotification or an InformationReport.

The answer is {"octets": what goes over the medium, in hex}, or "error" with what the peer raised.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sys

from gurux_dlms import GXDateTime
from gurux_dlms.enums import Conformance, DataType, InterfaceType, Security
from gurux_dlms.GXByteBuffer import GXByteBuffer
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.GXDLMSNotify import GXDLMSNotify
from gurux_dlms.objects import GXDLMSRegister

VALUE = 12_345_678


def main() -> int:
    given = json.loads(sys.argv[1])
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = {"octets": "".join(bytes(each).hex() for each in made(given))}
        except Exception as error:  # whatever the peer raises is the finding
            answer = {"error": {"type": type(error).__name__, "text": str(error)}}
    json.dump(answer, sys.stdout)
    return 0


def made(given: dict) -> list:
    framing = InterfaceType.HDLC if given.get("framing") == "hdlc" else InterfaceType.WRAPPER
    named = given.get("naming", "ln") == "ln"
    notifier = GXDLMSNotify(named, given.get("client", 16), given.get("server", 1), framing)
    if "ek" in given:
        cipher = GXCiphering(bytearray.fromhex(given["title"]))
        cipher.security = Security.AUTHENTICATION_ENCRYPTION
        cipher.blockCipherKey, cipher.authenticationKey = (bytearray.fromhex(given[each]) for each in ("ek", "ak"))
        notifier.setCipher(cipher)
        notifier.conformance = notifier.conformance | Conformance.GENERAL_PROTECTION
    time = GXDateTime(datetime.datetime.fromisoformat(given["time"])) if "time" in given else None
    register = GXDLMSRegister("1.0.1.8.0.255")
    register.shortName, register.value = 0x1000, VALUE
    register.setDataType(2, DataType.UINT32)
    if given["kind"] == "report":
        return notifier.generateReport(time, [(register, 2)])
    body = GXByteBuffer()
    notifier.addData(register, 2, body)
    return notifier.generateDataNotificationMessages(time, body)


if __name__ == "__main__":
    raise SystemExit(main())
