"""Takes a push with the codec of dlms-cosem and prints what it got as JSON; runs only under the peer's interpreter.

The first argument is one JSON object of settings, the second the octets of a push as they come over the medium, in hex.

settings: framing ("wrapper" | "hdlc"), title (8 octets, hex), ek, ak, meter_title (hex).

The answer is {"invoke_id", "time", "body"}, octets in hex, or "error" with what the peer raised.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys

import structlog
from dlms_cosem import utils
from dlms_cosem.connection import DlmsConnection
from dlms_cosem.hdlc.frames import UnnumberedInformationFrame
from dlms_cosem.protocol.wrappers import WrapperProtocolDataUnit
from dlms_cosem.protocol.xdlms.conformance import Conformance

LLC_OCTETS = 3


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    given, octets = json.loads(sys.argv[1]), bytes.fromhex(sys.argv[2])
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = take(given, octets)
        except Exception as error:  # whatever the peer raises is the finding
            answer = {"error": {"type": type(error).__name__, "text": str(error)}}
    json.dump(answer, sys.stdout)
    return 0


def take(given: dict, octets: bytes) -> dict:
    if given.get("framing") == "hdlc":
        apdu = UnnumberedInformationFrame.from_bytes(octets).information[LLC_OCTETS:]
    else:
        apdu = WrapperProtocolDataUnit.from_bytes(octets).data
    names = {"ek": "global_encryption_key", "ak": "global_authentication_key", "meter_title": "meter_system_title"}
    keys = {name: bytes.fromhex(given[short]) for short, name in names.items() if short in given}
    connection = DlmsConnection.with_pre_established_association(
        Conformance(),
        client_system_title=bytes.fromhex(given["title"]),
        client_invocation_counter=0,
        meter_invocation_counter=0,
        **keys,
    )
    connection.receive_data(apdu)
    push = connection.next_event()
    return {
        "invoke_id": push.long_invoke_id_and_priority.long_invoke_id,
        "time": push.date_time.isoformat(),
        "body": plain(utils.parse_as_dlms_data(push.body)),
    }


def plain(value: object) -> object:
    if isinstance(value, list):
        return [plain(each) for each in value]
    return bytes(value).hex().upper() if isinstance(value, (bytes, bytearray)) else value


if __name__ == "__main__":
    raise SystemExit(main())
