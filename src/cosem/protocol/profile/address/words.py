"""The words of connection URLs: framings, media and parameters, what they mean, and how far their values reach."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cosem.errors import ConfigurationError
from cosem.protocol.iec21.message import BAUD_RATES, BlockCheck
from cosem.protocol.iec21.settings import WakeUp
from cosem.protocol.link.hdlc.parameters import MAXIMUM_INFORMATION, MAXIMUM_WINDOW

DEFAULT_PORT: Final = 4059
"""The port registered for DLMS/COSEM."""

FRAMINGS: Final = ("wrapper", "hdlc", "iec21", "p1", "tic", "sml", "han", "mbus", "elgama")
MEDIA: Final = ("tcp", "udp", "tls", "serial", "rfc2217", "modem", "file")

ONE_WAY: Final = frozenset({"p1", "tic", "sml", "han"})
"""Framings of meters that only speak: they are listened to, and can be kept in a file."""

ADDRESSED: Final = frozenset({"wrapper", "hdlc", "mbus"})
"""Framings that carry client and server addresses."""

LINE_MEDIA: Final = frozenset({"serial", "modem", "file"})
"""Media whose place is a device or file of this machine; all others are reached by host and port."""

LOCAL_PLACES: Final = {"file name": "telegrams.txt, or - for standard input", "port name": "/dev/ttyUSB0 or COM3"}

BAUD_MEDIA: Final = frozenset({"serial", "modem", "rfc2217"})

SHORT: Final = frozenset({"tcp", "udp", "tls"})

DEFAULT_PORTS: Final = {"wrapper": DEFAULT_PORT, "hdlc": DEFAULT_PORT, "mbus": DEFAULT_PORT}
"""The other framings have no port of their own: it must be written."""

FRAMING_NAMES: Final = {
    "wrapper": "DLMS/COSEM wrapper",
    "hdlc": "HDLC",
    "iec21": "IEC 62056-21",
    "p1": "P1",
    "tic": "TIC",
    "sml": "SML",
    "han": "a customer (HAN) port in HDLC",
    "mbus": "M-Bus",
    "elgama": "the byte protocol of Elgama",
}
MEDIUM_NAMES: Final = {
    "tcp": "TCP",
    "udp": "UDP",
    "tls": "TLS",
    "serial": "a serial line",
    "rfc2217": "a serial port server (RFC 2217)",
    "modem": "a modem",
    "file": "a file",
}

LINES: Final = {
    "hdlc": (9600, "8N1"),
    "wrapper": (9600, "8N1"),
    "iec21": (300, "7E1"),
    "p1": (115200, "8N1"),
    "tic": (1200, "7E1"),
    "sml": (9600, "8N1"),
    "han": (2400, "8E1"),
    "mbus": (2400, "8E1"),
    "elgama": (9600, "8N1"),
}
"""Speed and character format a serial line starts with, by framing."""

SIGN_ON_LINE: Final = (300, "7E1")
MODEM_BAUD: Final = 9600
"""A modem has a speed of its own and carries octets, whatever the line of the meter is like."""

_EXAMPLES: Final = {
    "wrapper+tcp": "tcp://192.0.2.7:4059?client=16&server=1",
    "wrapper+udp": "udp://192.0.2.7:4059?client=16&server=1",
    "wrapper+tls": "tls://192.0.2.7:4059?client=16&server=1",
    "hdlc+tcp": "hdlc+tcp://192.0.2.7:4059?client=16&server=1&physical=17",
    "hdlc+serial": "hdlc+serial:///dev/ttyUSB0?baud=9600&client=16&server=1",
    "iec21+serial": "iec21+serial:///dev/ttyUSB0?mode=auto",
    "p1+serial": "p1+serial:///dev/ttyUSB0?baud=115200",
    "tic+serial": "tic+serial:///dev/ttyUSB0?baud=1200",
    "sml+serial": "sml+serial:///dev/ttyUSB0?baud=9600",
    "han+serial": "han+serial:///dev/ttyUSB0?baud=2400&lists=norway",
    "p1+file": "p1+file://telegrams.txt",
    "mbus+serial": "mbus+serial:///dev/ttyUSB0?baud=2400",
    "elgama+tcp": "elgama+tcp://192.0.2.7:4001?model=epqs&serial=925948&experimental=yes",
    "elgama+serial": "elgama+serial:///dev/ttyUSB0?model=epqs&serial=925948&experimental=yes",
}

LIMITS: Final[dict[tuple[str, str], tuple[int, int]]] = {
    ("wrapper", "client"): (1, 0xFFFF),
    ("wrapper", "server"): (0, 0xFFFF),
    ("hdlc", "client"): (1, 0x7E),  # one octet on the wire, seven bits of address; 0x7F is all stations
    ("hdlc", "server"): (0, 0x3FFF),
    ("hdlc", "physical"): (0, 0x3FFF),
    ("hdlc", "window"): (1, MAXIMUM_WINDOW),
    ("hdlc", "information"): (8, MAXIMUM_INFORMATION),
    ("mbus", "client"): (1, 0xFF),
    ("mbus", "server"): (0, 0xFF),
}
BAUD_LIMITS: Final = (50, 4_000_000)
PORT_LIMITS: Final = (0, 0xFFFF)

AUTO: Final = 0
"""The `address_size` that is to be found out."""

UPPER_AND_LOWER: Final = {1: (0x7F, -1), 2: (0x7F, 0x7F), 4: (0x3FFF, 0x3FFF)}
"""The highest upper and lower HDLC address by address size; one octet has no lower address."""

SOFTWARE_FORMATS: Final = frozenset({"7E1", "7O1", "7M1", "7S1", "8N1"})
"""Character formats that a line of 8N1 can carry, with the parity as its eighth bit; 8N1 as it is."""

WIRE_WORDS: Final = {
    "parity": ("hardware", "software"),
    "echo": ("keep", "strip"),
    "rs485": ("no", "yes", "inverted"),
    "flow": ("none", "rtscts", "xonxoff"),
}
"""What is meant where nothing is said, and the other words."""

DIALLED: Final = re.compile(r"[0-9+*#A-DPTWptw,!@-]{1,60}")
LISTS: Final = re.compile(r"[A-Za-z0-9._-]{1,40}(:[A-Za-z0-9._-]{1,40})?")
COMMAND: Final = re.compile(r"[Aa][Tt][!-~ ]{0,120}")
ANSWER_WAIT_LIMITS: Final = (1, 600)

SIGN_ON_WORDS: Final = {
    "data_baud": ("auto", "fixed"),
    "bcc": tuple(each.value for each in BlockCheck),
    "wake": tuple(each.value for each in WakeUp),
}
"""Words of the sign-on; the first of each is meant where nothing is said."""
DATA_BAUDS: Final = frozenset(map(str, BAUD_RATES.values()))

NAMED_NUMBERS: Final = {("address_size", "auto"): AUTO}

MODES: Final = {word.lower(): word for word in ("auto", "A", "B", "C", "D", "E")}
FORMATS: Final = re.compile(r"[5-8][NEOMS][12]")
NUMBER: Final = re.compile(r"[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}")
HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
ESCAPED: Final = re.compile(r"[%?# ]")
ESCAPED_WORD: Final = re.compile(r"[%&# ]")
ESCAPES: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+|%")


class _Parameter(NamedTuple):
    framings: frozenset[str]
    media: frozenset[str]
    numeric: bool

    def takes_part(self, framing: str, medium: str) -> bool:
        return framing in self.framings and medium in self.media


_ALL_FRAMINGS: Final = frozenset(FRAMINGS)
_ALL_MEDIA: Final = frozenset(MEDIA)
_STREAM_MEDIA: Final = _ALL_MEDIA - {"udp"}
_HDLC: Final = frozenset({"hdlc"})
_ELGAMA: Final = frozenset({"elgama"})
_SIGNED_ON: Final = frozenset({"iec21", "hdlc"})
"""Framings that may begin with the sign-on of IEC 62056-21."""

_STREAMS: Final = frozenset({"tcp", "tls", "serial", "rfc2217", "modem"})
_LINE_FRAMINGS: Final = _ALL_FRAMINGS - {"wrapper"}
"""Framings that serial lines carry, so that a line may be behind any medium they are found on."""
_MODEM: Final = frozenset({"modem"})

PARAMETERS: Final[dict[str, _Parameter]] = {
    "client": _Parameter(ADDRESSED, _ALL_MEDIA, True),
    "server": _Parameter(ADDRESSED, _ALL_MEDIA, True),
    "physical": _Parameter(_HDLC, _ALL_MEDIA, True),
    "address_size": _Parameter(_HDLC, _ALL_MEDIA, True),
    "serial_number": _Parameter(_HDLC, _ALL_MEDIA, False),
    "rule": _Parameter(_HDLC, _ALL_MEDIA, False),
    "window": _Parameter(_HDLC, _ALL_MEDIA, True),
    "information": _Parameter(_HDLC, _ALL_MEDIA, True),
    "baud": _Parameter(_ALL_FRAMINGS, BAUD_MEDIA, True),
    "format": _Parameter(_ALL_FRAMINGS, BAUD_MEDIA, False),
    "sign_on": _Parameter(_HDLC, _STREAM_MEDIA, False),
    "mode": _Parameter(frozenset({"iec21"}), _ALL_MEDIA, False),
    "gateway": _Parameter(frozenset({"wrapper", "hdlc"}), _ALL_MEDIA, False),
    "parity": _Parameter(_LINE_FRAMINGS, _STREAMS, False),
    "echo": _Parameter(_LINE_FRAMINGS, _STREAMS, False),
    "rs485": _Parameter(_LINE_FRAMINGS, frozenset({"serial"}), False),
    "flow": _Parameter(_LINE_FRAMINGS, frozenset({"serial"}), False),
    "bind": _Parameter(_ALL_FRAMINGS, frozenset({"tcp", "rfc2217"}), False),
    "number": _Parameter(_ALL_FRAMINGS, _MODEM, False),
    "pin": _Parameter(_ALL_FRAMINGS, _MODEM, False),
    "init": _Parameter(_ALL_FRAMINGS, _MODEM, False),
    "answer_wait": _Parameter(_ALL_FRAMINGS, _MODEM, True),
    "model": _Parameter(_ELGAMA, _ALL_MEDIA, False),
    "serial": _Parameter(_ELGAMA, _ALL_MEDIA, True),
    "experimental": _Parameter(_ELGAMA, _ALL_MEDIA, False),
    "address": _Parameter(_SIGNED_ON, _STREAM_MEDIA, False),
    "data_baud": _Parameter(_SIGNED_ON, _STREAM_MEDIA, False),
    "bcc": _Parameter(frozenset({"iec21"}), _STREAM_MEDIA, False),
    "wake": _Parameter(_SIGNED_ON, _STREAM_MEDIA, False),
    "lists": _Parameter(frozenset({"han"}), _ALL_MEDIA, False),
}
"""Every parameter, in the order in which a URL prints them."""


def refusal(reason: str, kind: tuple[str, str]) -> ConfigurationError:
    framing, medium = kind
    example = _EXAMPLES.get(f"{framing}+{medium}")
    if example is None:
        place = "/dev/ttyUSB0" if medium in LINE_MEDIA else f"192.0.2.7:{DEFAULT_PORT}"
        if medium == "file":
            place = "telegrams.txt"
        example = f"{framing}+{medium}://{place}"
    return ConfigurationError(f"{reason}; a right URL is for example {example}")


def shown(text: object) -> str:
    """Quote what the user typed, shortened: it may be anything."""
    quoted = repr(text)
    return quoted if len(quoted) <= 60 else quoted[:57] + "…'"
