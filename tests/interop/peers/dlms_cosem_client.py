"""Reads a meter with the client of dlms-cosem and prints what it got as JSON; runs only under the peer's interpreter.

The first argument is one JSON object of settings, the second a JSON list of operations, run in one session, in order.
Data go in and come out as the hex of their A-XDR encoding.

settings: port, host, client (16), server (1), framing ("wrapper" | "hdlc"), auth ("none" | "low" | "gmac" | "aes"),
password, ek, ak, title, dedicated (false), suite (0).

    ["get", class_id, obis, attribute]
    ["range", obis, start, end]            the buffer of a profile between two times, ISO 8601
    ["list", [[class_id, obis, attribute], …]]
    ["set", class_id, obis, attribute, data]
    ["act", class_id, obis, method, data]

The answer is {"results": […], "released": …}; a result has a "value", or "failed" with what the peer raised. What ends
the session early is in "error", with its phase.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import sys

import structlog
from dlms_cosem import cosem, enumerations, security
from dlms_cosem.client import ActionError, DataResultError, DlmsClient
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.hdlc.frames import HDLC_FLAG
from dlms_cosem.io import BlockingTcpIO, HdlcTransport, TcpTransport


def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    given, operations = json.loads(sys.argv[1]), json.loads(sys.argv[2])
    answer: dict = {"results": [], "released": False}
    phase = "connect"
    with contextlib.redirect_stdout(sys.stderr):
        client = connection(given)
        try:
            client.connect()
            phase = "associate"
            client.associate()
            for position, (name, *words) in enumerate(operations):
                phase = f"operation {position} ({name})"
                try:
                    answer["results"].append({"value": OPERATIONS[name](client, *words)})
                except (DataResultError, ActionError) as refused:
                    answer["results"].append({"failed": type(refused).__name__, "text": str(refused)})
            phase = "release"
            client.release_association()
            client.disconnect()
            answer["released"] = True
        except Exception as error:  # whatever the peer raises is the finding
            answer["error"] = {"type": type(error).__name__, "text": str(error), "phase": phase}
    json.dump(answer, sys.stdout)
    return 0


class Hdlc(HdlcTransport):
    """Their transport, which takes the closing flag behind a frame check that ends in 7E for an opening one and waits
    for ever; here only a flag before which nothing has come opens a frame."""

    def recv_frame(self) -> bytes:
        octets = self.io.recv_until(HDLC_FLAG)
        if octets == HDLC_FLAG and not self.hdlc_connection.buffer:
            octets += self.io.recv_until(HDLC_FLAG)
        return octets


def connection(given: dict) -> DlmsClient:
    password = given.get("password", "").encode()
    authentication = {
        "none": security.NoSecurityAuthentication,
        "low": lambda: security.LowLevelSecurityAuthentication(secret=password),
        "gmac": security.HighLevelSecurityGmacAuthentication,
        "aes": lambda: security.HighLevelSecurityCommonAuthentication(secret=password),
    }[given.get("auth", "none")]()
    transport = Hdlc if given.get("framing") == "hdlc" else TcpTransport
    medium = BlockingTcpIO(given.get("host", "127.0.0.1"), given["port"])
    octets = {"ek": "encryption_key", "ak": "authentication_key", "title": "client_system_title"}
    return DlmsClient(
        transport(given.get("client", 16), given.get("server", 1), medium),
        authentication,
        security_suite=given.get("suite", 0),
        dedicated_ciphering=given.get("dedicated", False),
        client_initial_invocation_counter=given.get("counter", 1),
        **{name: bytes.fromhex(given[short]) for short, name in octets.items() if given.get(short)},
    )


def attribute(class_id: int, obis: str, member: int) -> cosem.CosemAttribute:
    return cosem.CosemAttribute(enumerations.CosemInterface(class_id), cosem.Obis.from_string(obis), member)


def rows(client: DlmsClient, obis: str, start: str, end: str) -> str:
    clock = CaptureObject(attribute(8, "0.0.1.0.0.255", 2), 0)
    times = [datetime.datetime.fromisoformat(each) for each in (start, end)]
    return bytes(client.get(attribute(7, obis, 2), RangeDescriptor(clock, *times))).hex().upper()


def several(client: DlmsClient, references: list) -> list:
    wanted = [cosem.CosemAttributeWithSelection(attribute(*each), None) for each in references]
    return [plain(each) for each in client.get_many(wanted).result]


def written(client: DlmsClient, class_id: int, obis: str, member: int, value: str) -> str:
    return client.set(attribute(class_id, obis, member), bytes.fromhex(value)).result.name


def run(client: DlmsClient, class_id: int, obis: str, member: int, value: str) -> object:
    method = cosem.CosemMethod(enumerations.CosemInterface(class_id), cosem.Obis.from_string(obis), member)
    return plain(client.action(method, bytes.fromhex(value)))


def plain(found: object) -> object:
    if isinstance(found, bytes | bytearray):
        return bytes(found).hex().upper()
    return str(getattr(found, "name", found)) if found is not None else None


OPERATIONS = {
    "get": lambda client, *reference: bytes(client.get(attribute(*reference))).hex().upper(),
    "range": rows,
    "list": several,
    "set": written,
    "act": run,
}


if __name__ == "__main__":
    raise SystemExit(main())
