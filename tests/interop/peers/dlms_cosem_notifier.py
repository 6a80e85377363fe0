"""Makes a push with the codec of dlms-cosem and prints it as JSON; runs only under the peer's interpreter.

The argument is one JSON object of settings.

settings: framing ("wrapper" | "hdlc"), client (16), server (1), title, ek, ak, body (A-XDR) in hex.

The answer is {"octets": what goes over the medium, in hex}, or "error" with what the peer raised.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys

import structlog
from dlms_cosem.connection import DlmsConnection
from dlms_cosem.hdlc.address import HdlcAddress
from dlms_cosem.hdlc.frames import UnnumberedInformationFrame
from dlms_cosem.protocol.wrappers import WrapperHeader, WrapperProtocolDataUnit
from dlms_cosem.protocol.xdlms.conformance import Conformance
from dlms_cosem.protocol.xdlms.data_notification import DataNotification, LongInvokeIdAndPriority

LLC_OF_ANSWERS = b"\xe6\xe7\x00"


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    given = json.loads(sys.argv[1])
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = {"octets": made(given).hex()}
        except Exception as error:  # whatever the peer raises is the finding
            answer = {"error": {"type": type(error).__name__, "text": str(error)}}
    json.dump(answer, sys.stdout)
    return 0


def made(given: dict) -> bytes:
    names = {"ek": "global_encryption_key", "ak": "global_authentication_key", "title": "client_system_title"}
    keys = {name: bytes.fromhex(given[short]) for short, name in names.items()}
    connection = DlmsConnection.with_pre_established_association(
        Conformance(), client_invocation_counter=1, meter_invocation_counter=0, **keys
    )
    # a time would go out with 01 in the place of its length
    push = DataNotification(LongInvokeIdAndPriority(1, confirmed=True), None, bytes.fromhex(given["body"]))
    apdu = connection.send(push)
    client, server = given.get("client", 16), given.get("server", 1)
    if given.get("framing") == "hdlc":
        addresses = HdlcAddress(client), HdlcAddress(server, address_type="server")
        return UnnumberedInformationFrame(*addresses, LLC_OF_ANSWERS + apdu).to_bytes()
    return WrapperProtocolDataUnit(apdu, WrapperHeader(server, client, len(apdu))).to_bytes()


if __name__ == "__main__":
    raise SystemExit(main())
