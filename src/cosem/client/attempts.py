"""What a probe tries, as data: a tuple of attempts, each with what it says, to whom, and how long it waits.

The public client comes first, nobody authenticates, and nothing is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.context import ClientSettings
from cosem.protocol.iec21.message import SignOn
from cosem.protocol.link.hdlc import HdlcAddress
from cosem.protocol.link.hdlc.frame import FINAL, SNRM, encode
from cosem.protocol.link.hdlc.serial_number import RULES
from cosem.protocol.link.wrapper import HEADER
from cosem.protocol.profile.address import DEFAULT_PORT, ConnectionUrl

LINES: Final = frozenset({"serial", "rfc2217", "modem"})
"""Media that end in a serial line, and get the time of one."""

SWITCHABLE: Final = frozenset({"serial", "rfc2217"})
"""Lines whose speed and format follow us; that of a telephone stays, and each attempt on it is a call."""

ADDRESSES: Final = (
    HdlcAddress(1, None, 1),
    HdlcAddress(1, 17, 2),
    HdlcAddress(1, 16, 2),
    HdlcAddress(1, 1, 2),
    HdlcAddress(1, 127, 2),
    HdlcAddress(1, 17, 4),
    HdlcAddress(1, 16, 4),
    HdlcAddress(1, 1, 4),
    HdlcAddress(1, 0x3FFF, 4),
    HdlcAddress(1, 256, 4),
)
"""HDLC addresses in the order in which they are tried; the greatest of a size is that of all stations."""

OTHER_DEVICES: Final = (
    HdlcAddress(16, None, 1),
    HdlcAddress(16, 17, 2),
    HdlcAddress(16, 127, 2),
    HdlcAddress(16, 0x3FFF, 4),
    HdlcAddress(17, None, 1),
    HdlcAddress(2, None, 1),
)
"""HDLC addresses of other logical devices than that of management; 2 to 15 are reserved, and used all the same."""

SAPS: Final = ((16, 1), (1, 1), (32, 1), (16, 16), (16, 17), (48, 1))
"""Client and server of the wrapper in the order in which they are tried."""

OTHER_SAPS: Final = ((1, 16), (1, 17), (16, 2), (1, 2), (16, 3))
"""The same of other logical devices, where none of those has answered."""

BAUDS: Final = (19200, 2400, 4800, 115200, 38400, 57600, 300)
"""Speeds of direct HDLC behind 9600, the likelier first."""

C12_IDENTIFICATION: Final = bytes.fromhex("EE000000000120 1310")
"""The identification request of ANSI C12.18, which every such meter answers and no other understands."""

IEC_102_LINK_STATUS: Final = bytes.fromhex("104901004A16")
"""The request for the status of link 1 of IEC 60870-5-102."""

MODBUS_IDENTIFICATION: Final = bytes.fromhex("012B0E01007077")
"""Read device identification (2B/0E) of Modbus RTU, to unit 1: who knows it answers, who does not takes exception."""

MODBUS_OVER_TCP: Final = bytes.fromhex("434D 0000 0005 01 2B0E0100")
"""The same with the header of Modbus over TCP, whose first two octets can be any but those of the wrapper's version."""

SIGN_ON_WITH_PARITY: Final = bytes.fromhex("AF3F218D0A")
"""The sign-on `/?!` with even parity."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to begin: each of `questions` is sent in turn, and `wait` seconds are listened for an answer."""

    name: str
    url: ConnectionUrl
    questions: tuple[bytes, ...]
    wait: float


def target_of(text: str) -> ConnectionUrl:
    """Return the place that `host[:port]`, a device or a URL means. Raises ConfigurationError."""
    if "://" in text:
        return ConnectionUrl.parse(text)
    is_device = re.match(r"\.?/|COM\d+$", text, re.IGNORECASE)
    return ConnectionUrl.parse(f"hdlc+serial://{text}" if is_device else f"tcp://{text}")


def derived(serial_number: str) -> tuple[HdlcAddress, ...]:
    """Return the addresses that makers derive from a serial number, each once. Raises ConfigurationError."""
    lowers = dict.fromkeys(rule.physical(serial_number) for rule in RULES.values())
    return tuple(HdlcAddress(1, lower, 4) for lower in lowers)


def plan(target: ConnectionUrl, serial_number: str | None = None) -> tuple[Attempt, ...]:
    """Return what is tried at a place, in this order.

    Args:
        target: the place. HDLC addresses in it, and the serial number, are tried before the usual ones.
        serial_number: that of the meter, from which its maker may have derived the HDLC address.

    Raises:
        ConfigurationError: the serial number is none.
    """
    number = serial_number or target.serial_number
    own = () if target.physical is None else (HdlcAddress(target.server, target.physical, target.address_size or 4),)
    addresses = tuple(dict.fromkeys((*own, *(derived(number) if number else ()), *ADDRESSES)))
    first = len(addresses) - len(ADDRESSES)
    target = replace(target, parity=None, echo=None)  # what the line does is found out
    return (_plan_on_a_line if target.medium in SWITCHABLE else _plan_on_ip)(target, addresses, first)


def _plan_on_ip(target: ConnectionUrl, addresses: tuple[HdlcAddress, ...], first: int) -> tuple[Attempt, ...]:
    def over(framing: str) -> ConnectionUrl:
        return framed(target, framing, port=target.port or (None if target.medium in LINES else DEFAULT_PORT))

    usual = Attempt("the wrapper", over("wrapper"), tuple(map(wrapper_question, SAPS)), 1.5)
    others = Attempt(
        "the wrapper, of other logical devices", over("wrapper"), tuple(map(wrapper_question, OTHER_SAPS)), 1.0
    )
    if target.medium == "udp":
        return (usual, others)
    frames, sign_on = over("hdlc"), over("iec21")
    return (
        Attempt("listening", over("wrapper"), (b"",), 1.5),
        usual,
        Attempt("HDLC", frames, questions(addresses), 0.8),
        # With the parity of 7E1 as the eighth bit too, for a serial server that stays 8N1.
        Attempt("the sign-on of IEC 62056-21", sign_on, (SignOn("").encode(), SIGN_ON_WITH_PARITY), 2.0),
        Attempt("HDLC as another client", frames, questions(addresses[: first + 8], 1, 32), 0.5),
        Attempt("HDLC to other logical devices", frames, questions(OTHER_DEVICES), 0.5),
        others,
        Attempt("ANSI C12.18", frames, (C12_IDENTIFICATION,), 1.0),
        Attempt("IEC 60870-5-102", frames, (IEC_102_LINK_STATUS,), 1.0),
        Attempt("listening for longer", over("wrapper"), (b"",), 11.0),
        Attempt("Modbus", frames, (MODBUS_OVER_TCP, MODBUS_IDENTIFICATION), 1.0),
    )


def _plan_on_a_line(target: ConnectionUrl, addresses: tuple[HdlcAddress, ...], first: int) -> tuple[Attempt, ...]:
    def over(framing: str, baud: int, character_format: str) -> ConnectionUrl:
        return framed(target, framing, baud=baud, format=character_format)

    usual = over("hdlc", 9600, "8N1")
    few, eight = questions(addresses[: first + 5]), questions(addresses[: first + 8], 1, 32)
    sign_on = SignOn("").encode()
    return (
        Attempt("HDLC", usual, questions(addresses), 0.6),
        Attempt("the sign-on of IEC 62056-21", over("iec21", 300, "7E1"), (sign_on, sign_on), 3.0),
        Attempt("listening for P1", over("p1", 115200, "8N1"), (b"",), 11.0),
        Attempt("listening for TIC", over("tic", 1200, "7E1"), (b"",), 4.0),
        Attempt("listening for TIC in standard mode", over("tic", 9600, "7E1"), (b"",), 4.0),
        *(Attempt("HDLC", over("hdlc", baud, "8N1"), few, 0.6) for baud in BAUDS),
        Attempt("HDLC as another client", usual, eight, 0.6),
        Attempt("HDLC to other logical devices", usual, questions(OTHER_DEVICES), 0.6),
        Attempt("the sign-on at 9600 baud", over("iec21", 9600, "7E1"), (sign_on,), 2.0),
        Attempt("listening for a readout of mode D", over("iec21", 2400, "7E1"), (b"",), 12.0),
        Attempt("listening for pushes", over("hdlc", 2400, "8E1"), (b"",), 12.0),
        Attempt("listening for pushes", usual, (b"",), 12.0),
        Attempt("P1 of the second version", over("p1", 9600, "7E1"), (b"",), 11.0),
        Attempt("ANSI C12.18", usual, (C12_IDENTIFICATION,), 1.0),
        Attempt("IEC 60870-5-102", usual, (IEC_102_LINK_STATUS,), 1.0),
        *(Attempt("Modbus", over("hdlc", *line), (MODBUS_IDENTIFICATION,), 1.0) for line in MODBUS_LINES),
    )


MODBUS_LINES: Final = ((9600, "8N1"), (19200, "8E1"))


def questions(addresses: tuple[HdlcAddress, ...], *clients: int) -> tuple[bytes, ...]:
    """Return an SNRM to each address from each client, by default the public one."""
    return tuple([link_question(client, each) for client in clients or (16,) for each in addresses])


def link_question(client: int, server: HdlcAddress) -> bytes:
    """Return an SNRM without parameters."""
    return encode(server.encode(), HdlcAddress(client, None, 1).encode(), SNRM | FINAL)


def wrapper_question(saps: tuple[int, int]) -> bytes:
    """Return an AARQ without authentication, from a client to a server."""
    association = ClientAssociation(ClientSettings())
    association.associate()
    (apdu,) = association.outgoing()
    return HEADER.pack(1, *saps, len(apdu)) + apdu


def framed(url: ConnectionUrl, framing: str, **others: Any) -> ConnectionUrl:
    """Return the same place under another framing, with the line as it is."""
    line: dict[str, Any] = {"baud": url.baud, "format": url.format}
    line |= {} if framing == "wrapper" else {"parity": url.parity, "echo": url.echo}
    place: dict[str, Any] = {"medium": url.medium, "host": url.host, "port": url.port, "path": url.path}
    place |= {"number": url.number, "pin": url.pin, "init": url.init, "answer_wait": url.answer_wait}
    return ConnectionUrl(framing=framing, **{**place, **line, **others})
