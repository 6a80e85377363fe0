"""Telling from a few octets what speaks on a line: ours, a neighbour of ours that we do not speak, or noise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, NamedTuple

from cosem.errors import DecodeError
from cosem.protocol.codec.crc import crc16_arc
from cosem.protocol.iec21.message import Identification
from cosem.protocol.iec21.reader import without_parity
from cosem.protocol.link.hdlc import Frame, FrameReader
from cosem.protocol.link.wrapper import HEADER, HEADER_OCTETS


class Speech(Enum):
    """What octets are, with its name for people."""

    HDLC = "HDLC frames"
    WRAPPER = "the DLMS/COSEM wrapper"
    P1 = "P1 telegrams"
    IDENTIFICATION = "an IEC 62056-21 identification"
    TIC = "TIC frames"
    SML = "SML, of German optical heads"
    C12_18 = "ANSI C12.18"
    IEC_102 = "IEC 60870-5-102"
    MBUS = "M-Bus"
    MODBUS = "Modbus"
    TLS = "TLS"
    HTTP = "HTTP"
    SSH = "SSH"
    READOUT = "lines of an IEC 62056-21 readout"
    ECHO = "an echo of what was sent"
    NOISE = "octets that mean nothing to us"


NEIGHBOURS: Final[dict[Speech, str]] = {
    Speech.C12_18: "this is a meter of the American standards (ANSI C12.18, C12.19): other software reads it",
    Speech.IEC_102: "this is IEC 60870-5-102, of meters in Spain and of substations: other software reads it",
    Speech.MBUS: "this is M-Bus (EN 13757-2): a heat, water or gas meter, or the bus of a DLMS meter",
    Speech.MODBUS: "this is Modbus, of building and industrial meters: software for Modbus reads it, with the register "
    "map of its maker",
    Speech.TLS: "this port wants TLS: there is another port, or a tunnel in front of it",
    Speech.HTTP: "this is a web server: the meter has another port, most often 4059",
    Speech.SSH: "this is a remote shell: the meter has another port, most often 4059",
}
"""What is not ours, and what to make of it."""


class Recognised(NamedTuple):
    """What octets are, and the evidence: the frames, the identification, or nothing.

    `parity` tells that the eighth bits are even parity, as over a serial server of 8N1 in front of a meter of 7E1;
    `echoed` that what was sent came back in front of it.
    """

    speech: Speech
    evidence: Any = None
    parity: bool = False
    echoed: bool = False


def recognise(octets: bytes, sent: bytes = b"") -> Recognised | None:
    """Tell what octets are that came, `sent` being what went out before; None for none.

    What is our own echo is left out; where nothing else is there, it is the answer.
    """
    if not octets:
        return None
    others = octets.replace(sent, b"") if sent else octets
    if not others or (sent and sent.startswith(others)):
        return Recognised(Speech.ECHO)
    for speech, evidence_in in _RECOGNISERS:
        evidence = evidence_in(others)
        if evidence:
            parity = speech in _IN_SEVEN_BITS and without_parity(others) != others
            return Recognised(speech, evidence, parity, len(others) < len(octets))
    return Recognised(Speech.NOISE)


def _frames(octets: bytes) -> tuple[Frame, ...]:
    reader = FrameReader(Counter())
    reader.feed(octets)
    return tuple(iter(reader.frame, None))


def _wrapped(octets: bytes) -> tuple[int, int] | None:
    """Return server and client of a wrapper header."""
    if len(octets) < HEADER_OCTETS:
        return None
    version, source, destination, length = HEADER.unpack_from(octets)
    return (source, destination) if version == 1 and length and len(octets) <= HEADER_OCTETS + length else None


def _identification(octets: bytes) -> Identification | None:
    for line in _LINE.findall(without_parity(octets)):
        try:
            return Identification.decode(line)
        except DecodeError:
            continue
    return None


def _matches(pattern: bytes) -> Callable[[bytes], re.Match[bytes] | None]:
    compiled = re.compile(pattern, re.DOTALL)
    return lambda octets: compiled.search(without_parity(octets)) or compiled.search(octets)


def _fixed_frame(octets: bytes, size: int) -> bool:
    """Tell whether a frame of FT1.2 with a fixed length is there: 10 … checksum 16."""
    for at in range(len(octets) - size + 1):
        frame = octets[at : at + size]
        if frame[0] == 0x10 and frame[-1] == 0x16 and sum(frame[1:-2]) & 0xFF == frame[-2]:
            return True
    return False


def _long_frame(octets: bytes) -> bytes | None:
    """Return a frame of FT1.2 with a variable length: 68 L L 68 … checksum 16."""
    at = octets.find(0x68)
    if at < 0 or len(octets) < at + 6 or octets[at + 3] != 0x68 or octets[at + 1] != octets[at + 2]:
        return None
    frame = octets[at : at + octets[at + 1] + 6]
    whole = len(frame) == octets[at + 1] + 6 and frame[-1] == 0x16 and sum(frame[4:-2]) & 0xFF == frame[-2]
    return frame if whole else None


def _modbus(octets: bytes) -> bytes | None:
    """Return an answer to read device identification, or an exception to it: of Modbus RTU, or with the TCP header."""
    for at in range(len(octets) - 2):
        if octets[at + 1] not in _DEVICE_IDENTIFICATION:
            continue
        head, length = octets[max(at - 6, 0) : at], len(octets) - at
        if len(head) == 6 and head[2:4] == b"\x00\x00" and int.from_bytes(head[4:]) == length:
            return octets[at:]
        if length > 4 and crc16_arc(octets[at:-2], 0xFFFF) == int.from_bytes(octets[-2:], "little"):
            return octets[at:]
    return None


_DEVICE_IDENTIFICATION: Final = (0x2B, 0xAB)
"""Function 2B of the Modbus application protocol, and with the bit that an exception has."""

_IN_SEVEN_BITS: Final = frozenset({Speech.P1, Speech.TIC, Speech.IDENTIFICATION, Speech.READOUT})
_LINE: Final = re.compile(rb"/[A-Za-z]{3}[^\r\n/]{1,40}\r\n")

_RECOGNISERS: Final[tuple[tuple[Speech, Callable[[bytes], Any]], ...]] = (
    (Speech.HDLC, _frames),
    (Speech.WRAPPER, _wrapped),
    (Speech.SML, _matches(rb"\x1b{4}\x01{4}")),
    (Speech.P1, _matches(rb"/[A-Za-z]{3}[^\r\n]{1,40}\r\n\r\n[^/]*\d-\d:\d+\.\d+\.\d+[^/]*\)\r\n")),
    (Speech.TIC, _matches(rb"(\x02|\n)(ADCO|ADSC|VTIC|OPTARIF|DATE|PAPP|EASF|SINST)[\t ]|\nADCO |\nADSC\t")),
    (Speech.IDENTIFICATION, _identification),
    (Speech.HTTP, _matches(rb"^HTTP/1\.")),
    (Speech.SSH, _matches(rb"^SSH-\d")),
    (Speech.TLS, lambda octets: octets[:2] == b"\x15\x03" and len(octets) == 7),
    (Speech.MBUS, lambda octets: _fixed_frame(octets, 5) or (_long_frame(octets) and octets[:1] == b"\x68")),
    (Speech.MODBUS, _modbus),
    (Speech.IEC_102, lambda octets: _fixed_frame(octets, 6)),
    (Speech.C12_18, _matches(rb"^\x06?\xee.{5,}")),
    (Speech.READOUT, _matches(rb"[A-Z0-9.:*&-]+\([^()\r\n]*\)\r\n")),
)
"""What there is, the more certain before the less."""
