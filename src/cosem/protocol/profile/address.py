"""Connection URLs: where a meter is, which framing and medium lead to it, and which addresses it answers to.

    [wrapper|hdlc|iec21|p1|tic|sml|mbus|elgama]+[tcp|udp|tls|serial|rfc2217|modem|file]://where?parameter=value&…

    tcp://192.0.2.7:4059?client=16&server=1           short for wrapper+tcp
    hdlc+tcp://[2001:db8::7]:4059?client=0x10&server=1&physical=17&address_size=2
    hdlc+serial:///dev/ttyUSB0?baud=9600              or hdlc+serial://COM3
    hdlc+serial:///dev/ttyUSB0?serial_number=02141421 the lower address as makers derive it (rule=landis-gyr, elgama …)
    hdlc+serial:///dev/ttyUSB0?physical=17&address_size=auto    find out in how many octets the meter is addressed
    hdlc+serial:///dev/ttyUSB0?window=1&information=128         agree to no more than that
    hdlc+serial:///dev/ttyUSB0?sign_on=iec21          IEC 62056-21 mode E first
    iec21+tcp://192.0.2.7:2000?parity=software        a serial server that stays 8N1; echo=strip where it echoes
    hdlc+serial:///dev/ttyS1?rs485=yes                RS-485: RTS is on while we send; rs485=inverted where it is off
    hdlc+modem:///dev/ttyUSB0?number=*99%231          by telephone, 9600 8N1; also pin=env:NAME, init=AT…
    iec21+serial:///dev/ttyUSB0?address=12345678      IEC 62056-21, the meter with that number
    iec21+tcp://192.0.2.7:8000?data_baud=fixed        through a serial server; its line stays as it is
    tcp://192.0.2.7?gateway=0:4D31                    through a gateway: network 0, device address 4D 31
    elgama+tcp://192.0.2.7:4001?model=epqs&serial=925948&experimental=yes     EXPERIMENTAL: Elgama EPQS, EPQM/LZQM
    p1+serial:///dev/ttyUSB0                          a meter that only speaks; p1+file://telegrams.txt, p1+file://-

Every framing and medium the suite will ever speak is a word of the grammar; which of them this version can open is the
business of `cosem.io.open`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from cosem.errors import ConfigurationError
from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.elgama import models as elgama_models
from cosem.protocol.elgama.frame import GREATEST_SERIAL
from cosem.protocol.iec21.message import BAUD_RATES, BlockCheck, SignOn
from cosem.protocol.iec21.settings import WakeUp
from cosem.protocol.link.hdlc.address import HdlcAddress
from cosem.protocol.link.hdlc.parameters import MAXIMUM_INFORMATION, MAXIMUM_WINDOW
from cosem.protocol.link.hdlc.serial_number import USUAL, rule_of

DEFAULT_PORT: Final = 4059
"""The port registered for DLMS/COSEM."""

FRAMINGS: Final = ("wrapper", "hdlc", "iec21", "p1", "tic", "sml", "mbus", "elgama")
MEDIA: Final = ("tcp", "udp", "tls", "serial", "rfc2217", "modem", "file")

ONE_WAY: Final = frozenset({"p1", "tic", "sml"})
"""Framings of meters that only speak: they are listened to, and can be kept in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionUrl:
    """One connection, said completely: what was left out is filled in, what does not fit together is refused.

    `server` is the wrapper port or the upper (logical device) HDLC address, `physical` the lower HDLC address.
    `gateway` is network:address of a device behind a gateway, as `GatewayAddress` prints it.
    `parity` is `software` where the line stays 8N1 and the eighth bit is the parity, `echo` is `strip` where what is
    sent comes back. `rs485` lets RTS steer the direction of a port with an RS-485 transceiver that does not do it by
    itself: on while we send (`yes`), or off (`inverted`). A modem dials `number` and waits `answer_wait` seconds for
    the answer; `pin` says where its PIN is to be found (`env:NAME`, `file:PATH`), and `init` is a command of the user's
    own.
    `model`, `serial` and the permission `experimental` belong to the byte protocol of Elgama, which is EXPERIMENTAL and
    refused without it.
    `address`, `data_baud`, `bcc` and `wake` are of IEC 62056-21: whom the sign-on calls; `auto`, the highest speed that
    is asked for, or `fixed` where the line does not follow what is agreed; the block check; how the meter is woken.
    `port` is None off IP media, `path` is empty off serial ones; `address_size` is None unless the framing is HDLC,
    and 0 where it is to be found out (`auto`). `physical` may be left to `serial_number` and `rule`, the habit of a
    maker. `window` frames in a row and `information` octets in each are the most to be agreed on, in both directions.
    `parse(str(url)) == url`, and `str(url)` leaves out what is the default anyway. Raises ConfigurationError.
    """

    framing: str
    medium: str
    host: str = ""
    port: int | None = None
    path: str = ""
    client: int = 16
    server: int = 1
    physical: int | None = None
    address_size: int | None = None
    serial_number: str | None = None
    rule: str | None = None
    window: int | None = None
    information: int | None = None
    baud: int | None = None
    format: str | None = None
    sign_on: str | None = None
    mode: str | None = None
    gateway: str | None = None
    parity: str | None = None
    echo: str | None = None
    rs485: str | None = None
    number: str | None = None
    pin: str | None = None
    init: str | None = None
    answer_wait: int | None = None
    model: str | None = None
    serial: int | None = None
    experimental: str | None = None
    address: str | None = None
    data_baud: str | None = None
    bcc: str | None = None
    wake: str | None = None

    def __post_init__(self) -> None:
        _check_words(self.framing, self.medium)
        _settle_place(self)
        _settle_line(self)
        _settle_wire(self)
        _settle_addresses(self)
        _settle_elgama(self)

    @classmethod
    @lru_cache(maxsize=1024)  # the same meters are opened again and again, and their URLs never change
    def parse(cls, text: str) -> ConnectionUrl:
        """Read a URL as a person types it. Raises ConfigurationError that names the fault and shows a right URL."""
        scheme, separator, rest = text.strip().partition("://")
        if not separator:
            raise _refusal(f"{_shown(text)} is no connection URL", ("wrapper", "tcp"))
        framing, medium = _words(scheme)
        if "#" in rest:
            raise _refusal("a connection URL has no '#' part", (framing, medium))
        place, _, query = rest.partition("?")
        where = _serial_place(place) if medium in _LINE_MEDIA else _ip_place(place, framing, medium)
        numbers, words = _read_parameters(query, framing, medium)
        return cls(
            framing=framing,
            medium=medium,
            host=where.host,
            port=where.port,
            path=where.path,
            client=numbers.get("client", 16),
            server=numbers.get("server", 1),
            physical=numbers.get("physical"),
            address_size=numbers.get("address_size"),
            serial_number=words.get("serial_number"),
            rule=words.get("rule"),
            window=numbers.get("window"),
            information=numbers.get("information"),
            baud=numbers.get("baud"),
            format=words.get("format"),
            sign_on=words.get("sign_on"),
            mode=words.get("mode"),
            gateway=words.get("gateway"),
            parity=words.get("parity"),
            echo=words.get("echo"),
            rs485=words.get("rs485"),
            number=words.get("number"),
            pin=words.get("pin"),
            init=words.get("init"),
            answer_wait=numbers.get("answer_wait"),
            model=words.get("model"),
            serial=numbers.get("serial"),
            experimental=words.get("experimental"),
            address=words.get("address"),
            data_baud=words.get("data_baud"),
            bcc=words.get("bcc"),
            wake=words.get("wake"),
        )

    @property
    def scheme(self) -> str:
        """Framing and medium as the URL prints them: `tcp` for wrapper+tcp, `hdlc+tcp`."""
        return self.medium if _is_short(self.framing, self.medium) else f"{self.framing}+{self.medium}"

    @property
    def line(self) -> tuple[int, str]:
        """Speed and character format of the meter's line, also where it is behind a medium that has none itself."""
        baud, character_format = _usual_line(self)
        return self.baud or baud, self.format or character_format

    @property
    def place(self) -> str:
        """Host with its port, or the name of the serial port: one text for each physical way to reach meters."""
        if self.medium in _LINE_MEDIA:
            return self.path
        return f"{_printed_host(self.host)}:{self.port}"

    def __str__(self) -> str:
        if self.medium in _LINE_MEDIA:
            place = _escaped(self.path)
        else:
            place = _printed_host(self.host)
            if self.port != _DEFAULT_PORTS.get(self.framing):
                place += f":{self.port}"
        defaults = _defaults(self)
        query = "&".join(
            f"{name}={_escaped(_printed(name, value), _ESCAPED_WORD)}"
            for name in _PARAMETERS
            if (value := getattr(self, name)) not in (None, defaults[name])
        )
        return f"{self.scheme}://{place}" + (f"?{query}" if query else "")

    def interpreted(self) -> str:
        """Tell in one line how the URL was understood, defaults and wire octets included."""
        parts = [f"{_FRAMING_NAMES[self.framing]} over {_MEDIUM_NAMES[self.medium]}"]
        if self.medium in _LINE_MEDIA:
            parts[0] += f" on {self.path}"
        else:
            parts[0] += f" to {self.host} port {self.port}"
        if self.baud is not None:
            parts.append(f"{self.baud} baud {self.format}")
        if self.parity is not None:
            parts.append(f"parity of {self.line[1]} made and checked here")
        if self.echo is not None:
            parts.append("its echo taken away")
        if self.rs485 is not None:
            parts.append(f"RS-485 with RTS {'off' if self.rs485 == 'inverted' else 'on'} while sending")
        if self.number is not None:
            parts.append(f"dials {self.number}")
        if self.sign_on is not None:
            parts.append("IEC 62056-21 sign-on (mode E) first")
        if self.mode is not None:
            parts.append(f"mode {self.mode}")
        if self.framing == "iec21" or self.sign_on is not None:
            parts.append(f"meter {self.address}" if self.address else "any meter")
        if self.framing in _ADDRESSED:
            parts.append(f"client {_both(self.client)}")
            parts.append(f"server {_both(self.server)}")
        if self.framing == "elgama":
            parts.append(f"model {self.model}, serial number {self.serial}, EXPERIMENTAL")
        if self.gateway is not None:
            parts.append(f"through the gateway to device {self.gateway}")
        if self.physical is not None:
            parts.append(f"physical {_both(self.physical)}")
        if self.serial_number is not None:
            parts.append(f"that of serial number {self.serial_number} ({rule_of(self.rule or USUAL)})")
        if self.address_size == AUTO:
            parts.append("in the address size it answers to")
        elif self.address_size is not None:
            server = HdlcAddress(self.server, self.physical, self.address_size).encode().hex(" ").upper()
            client = HdlcAddress(self.client, None, 1).encode().hex().upper()
            parts.append(f"on the wire server {server} and client {client}")
        return ", ".join(parts)


# --- what the words mean -------------------------------------------------------------------------------------------

_ADDRESSED: Final = frozenset({"wrapper", "hdlc", "mbus"})
"""Framings that carry client and server addresses."""

_LINE_MEDIA: Final = frozenset({"serial", "modem", "file"})
"""Media whose place is a device or file of this machine; all others are reached by host and port."""

_LOCAL_PLACES: Final = {"file name": "telegrams.txt, or - for standard input", "port name": "/dev/ttyUSB0 or COM3"}

_BAUD_MEDIA: Final = frozenset({"serial", "modem", "rfc2217"})

_SHORT: Final = frozenset({"tcp", "udp", "tls"})

_DEFAULT_PORTS: Final = {"wrapper": DEFAULT_PORT, "hdlc": DEFAULT_PORT, "mbus": DEFAULT_PORT}
"""The other framings have no port of their own: it must be written."""

_FRAMING_NAMES: Final = {
    "wrapper": "DLMS/COSEM wrapper",
    "hdlc": "HDLC",
    "iec21": "IEC 62056-21",
    "p1": "P1",
    "tic": "TIC",
    "sml": "SML",
    "mbus": "M-Bus",
    "elgama": "the byte protocol of Elgama",
}
_MEDIUM_NAMES: Final = {
    "tcp": "TCP",
    "udp": "UDP",
    "tls": "TLS",
    "serial": "a serial line",
    "rfc2217": "a serial port server (RFC 2217)",
    "modem": "a modem",
    "file": "a file",
}

_LINES: Final = {
    "hdlc": (9600, "8N1"),
    "wrapper": (9600, "8N1"),
    "iec21": (300, "7E1"),
    "p1": (115200, "8N1"),
    "tic": (1200, "7E1"),
    "sml": (9600, "8N1"),
    "mbus": (2400, "8E1"),
    "elgama": (9600, "8N1"),
}
"""Speed and character format a serial line starts with, by framing."""

_SIGN_ON_LINE: Final = (300, "7E1")
_MODEM_BAUD: Final = 9600
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
    "p1+file": "p1+file://telegrams.txt",
    "mbus+serial": "mbus+serial:///dev/ttyUSB0?baud=2400",
    "elgama+tcp": "elgama+tcp://192.0.2.7:4001?model=epqs&serial=925948&experimental=yes",
    "elgama+serial": "elgama+serial:///dev/ttyUSB0?model=epqs&serial=925948&experimental=yes",
}

_LIMITS: Final[dict[tuple[str, str], tuple[int, int]]] = {
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
_BAUD_LIMITS: Final = (50, 4_000_000)
_PORT_LIMITS: Final = (0, 0xFFFF)

AUTO: Final = 0
"""The `address_size` that is to be found out."""

_UPPER_AND_LOWER: Final = {1: (0x7F, -1), 2: (0x7F, 0x7F), 4: (0x3FFF, 0x3FFF)}
"""The highest upper and lower HDLC address by address size; one octet has no lower address."""

SOFTWARE_FORMATS: Final = frozenset({"7E1", "7O1", "7M1", "7S1", "8N1"})
"""Character formats that a line of 8N1 can carry, with the parity as its eighth bit; 8N1 as it is."""

_WIRE_WORDS: Final = {
    "parity": ("hardware", "software"),
    "echo": ("keep", "strip"),
    "rs485": ("no", "yes", "inverted"),
}
"""What is meant where nothing is said, and the other words."""

_DIALLED: Final = re.compile(r"[0-9+*#A-DPTWptw,!@-]{1,60}")
_COMMAND: Final = re.compile(r"[Aa][Tt][!-~ ]{0,120}")
_ANSWER_WAIT_LIMITS: Final = (1, 600)

_WORDS: Final = {
    "data_baud": ("auto", "fixed"),
    "bcc": tuple(each.value for each in BlockCheck),
    "wake": tuple(each.value for each in WakeUp),
}
"""Words of the sign-on; the first of each is meant where nothing is said."""
_DATA_BAUDS: Final = frozenset(map(str, BAUD_RATES.values()))

_NAMED_NUMBERS: Final = {("address_size", "auto"): AUTO}

_MODES: Final = {word.lower(): word for word in ("auto", "A", "B", "C", "D", "E")}
_FORMATS: Final = re.compile(r"[5-8][NEOMS][12]")
_NUMBER: Final = re.compile(r"[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_ESCAPED: Final = re.compile(r"[%?# ]")
_ESCAPED_WORD: Final = re.compile(r"[%&# ]")
_ESCAPES: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+|%")


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

_PARAMETERS: Final[dict[str, _Parameter]] = {
    "client": _Parameter(_ADDRESSED, _ALL_MEDIA, True),
    "server": _Parameter(_ADDRESSED, _ALL_MEDIA, True),
    "physical": _Parameter(_HDLC, _ALL_MEDIA, True),
    "address_size": _Parameter(_HDLC, _ALL_MEDIA, True),
    "serial_number": _Parameter(_HDLC, _ALL_MEDIA, False),
    "rule": _Parameter(_HDLC, _ALL_MEDIA, False),
    "window": _Parameter(_HDLC, _ALL_MEDIA, True),
    "information": _Parameter(_HDLC, _ALL_MEDIA, True),
    "baud": _Parameter(_ALL_FRAMINGS, _BAUD_MEDIA, True),
    "format": _Parameter(_ALL_FRAMINGS, _BAUD_MEDIA, False),
    "sign_on": _Parameter(_HDLC, _STREAM_MEDIA, False),
    "mode": _Parameter(frozenset({"iec21"}), _ALL_MEDIA, False),
    "gateway": _Parameter(frozenset({"wrapper", "hdlc"}), _ALL_MEDIA, False),
    "parity": _Parameter(_LINE_FRAMINGS, _STREAMS, False),
    "echo": _Parameter(_LINE_FRAMINGS, _STREAMS, False),
    "rs485": _Parameter(_LINE_FRAMINGS, frozenset({"serial"}), False),
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
}
"""Every parameter, in the order in which a URL prints them."""


# --- reading -------------------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    host: str = ""
    port: int | None = None
    path: str = ""


def _words(scheme: str) -> tuple[str, str]:
    framing, plus, medium = scheme.lower().partition("+")
    if plus:
        _check_words(framing, medium)
        return framing, medium
    if framing in _SHORT:
        return "wrapper", framing
    if framing in MEDIA:
        raise _refusal(f"{framing}:// does not say which framing to use", ("hdlc", framing))
    if framing in FRAMINGS:
        raise _refusal(f"{framing}:// does not say over which medium", (framing, "tcp"))
    raise _refusal(f"{_shown(scheme)} is no framing+medium", ("wrapper", "tcp"))


def _serial_place(place: str) -> _Place:
    try:
        return _Place(path=_ESCAPES.sub(_unescaped, place))
    except ValueError:  # of fromhex and decode
        raise _refusal(f"the port name {_shown(place)} has a '%' that is no UTF-8 escape", ("hdlc", "serial")) from None


def _unescaped_word(name: str, text: str, kind: tuple[str, str]) -> str:
    try:
        return _ESCAPES.sub(_unescaped, text)
    except ValueError:  # of fromhex and decode
        raise _refusal(f"{name}={_shown(text)} has a '%' that is no UTF-8 escape", kind) from None


def _unescaped(escapes: re.Match[str]) -> str:
    octets = bytes.fromhex(escapes[0].replace("%", ""))
    if not octets:
        raise ValueError("a lone %")
    return octets.decode("utf-8")


def _ip_place(place: str, framing: str, medium: str) -> _Place:
    kind = (framing, medium)
    place = place.removesuffix("/")
    if "/" in place:
        raise _refusal(f"{_shown(place)}: nothing may follow host and port but ?parameters", kind)
    if "@" in place:
        raise _refusal("a user name or password does not belong in a connection URL", kind)
    if place.startswith("["):
        host, closing, tail = place[1:].partition("]")
        if not closing or (tail and not tail.startswith(":")):
            raise _refusal(f"{_shown(place)}: an IPv6 address stands in brackets, with :port behind", kind)
        host, port = host.replace("%25", "%", 1), tail[1:]
        if ":" not in host:
            raise _refusal(f"{_shown(place)}: only an IPv6 address stands in brackets", kind)
    else:
        host, tail, port = place.partition(":")
        if ":" in port:
            raise _refusal(f"{_shown(place)}: put an IPv6 address into brackets, as in [2001:db8::7]:4059", kind)
    if tail and not re.fullmatch(r"[0-9]{1,5}", port):
        raise _refusal(f"port: {_shown(port)} is not a number from 0 to 65535", kind)
    return _Place(host=host, port=int(port) if port else None)


def _read_parameters(query: str, framing: str, medium: str) -> tuple[dict[str, int], dict[str, str]]:
    kind = (framing, medium)
    allowed = [name for name, parameter in _PARAMETERS.items() if parameter.takes_part(framing, medium)]
    numbers: dict[str, int] = {}
    words: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, text = pair.partition("=")
        if name not in allowed:
            why = f"is not a parameter of {framing}+{medium}" if name in _PARAMETERS else "is not a known parameter"
            raise _refusal(f"{_shown(name)} {why} (there are: {', '.join(allowed) or 'none'})", kind)
        if name in numbers or name in words:
            raise _refusal(f"{name} is given twice", kind)
        if not equals or not text:
            raise _refusal(f"{name} has no value", kind)
        if not _PARAMETERS[name].numeric:
            words[name] = _unescaped_word(name, text, kind)
        elif (name, text.lower()) in _NAMED_NUMBERS:
            numbers[name] = _NAMED_NUMBERS[name, text.lower()]
        elif _NUMBER.fullmatch(text):
            numbers[name] = int(text, 16 if text[:2] in ("0x", "0X") else 10)
        else:
            raise _refusal(f"{name}={_shown(text)}: write a decimal number, or 0x and hexadecimal digits", kind)
    return numbers, words


# --- filling in and refusing ---------------------------------------------------------------------------------------


def _check_words(framing: str, medium: str) -> None:
    if framing not in FRAMINGS:
        raise _refusal(f"unknown framing {_shown(framing)} (known: {', '.join(FRAMINGS)})", ("wrapper", "tcp"))
    if medium not in MEDIA:
        raise _refusal(f"unknown medium {_shown(medium)} (known: {', '.join(MEDIA)})", (framing, "tcp"))
    if medium == "file" and framing not in ONE_WAY:
        raise _refusal(f"a file answers no questions, so {framing} does not go over it", ("p1", "file"))


def _settle_place(url: ConnectionUrl) -> None:
    kind = (url.framing, url.medium)
    if url.medium in _LINE_MEDIA:
        name = "file name" if url.medium == "file" else "port name"
        if url.host or url.port is not None:
            raise _refusal(f"{url.medium} has a {name} such as {_LOCAL_PLACES[name]}, no host and port", kind)
        if not url.path:
            raise _refusal(f"the name of the {'file' if url.medium == 'file' else 'serial port'} is missing", kind)
        if not url.path.isprintable():
            raise _refusal(f"the {name} {_shown(url.path)} holds characters that cannot be printed", kind)
        return
    if url.path:
        raise _refusal(f"{url.medium} has a host and port, no path", kind)
    if not url.host:
        raise _refusal("the host is missing", kind)
    _settle(url, "host", _canonical_host(url.host, kind))
    port = url.port if url.port is not None else _DEFAULT_PORTS.get(url.framing)
    if port is None:
        raise _refusal(f"port: {url.framing} over {url.medium} has no usual port, so write it", kind)
    _check_range(url, "port", port, _PORT_LIMITS)
    _settle(url, "port", port)


def _canonical_host(host: str, kind: tuple[str, str]) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ipaddress.AddressValueError:
            raise _refusal(f"{_shown(host)} is no IPv6 address", kind) from None
    if not _HOST_NAME.fullmatch(host):
        raise _refusal(f"{_shown(host)} is no host name (letters, digits, '-', '.'; others in xn-- form)", kind)
    return host.lower()


def _settle_line(url: ConnectionUrl) -> None:
    kind = (url.framing, url.medium)
    for name in (
        *("baud", "format", "sign_on", "mode", "gateway", "model", "serial", "experimental"),
        *("address", "data_baud", "bcc", "wake"),
    ):
        if getattr(url, name) is not None and not _PARAMETERS[name].takes_part(*kind):
            raise _refusal(f"{name} is not a parameter of {url.framing}+{url.medium}", kind)
    sign_on = None if url.sign_on is None else url.sign_on.lower()
    if sign_on not in (None, "none", "iec21"):
        raise _refusal(f"sign_on={_shown(sign_on)}: it is iec21 or none", kind)
    _settle(url, "sign_on", None if sign_on == "none" else sign_on)
    if url.gateway is not None:
        try:
            _settle(url, "gateway", str(GatewayAddress.parse(url.gateway)))
        except ConfigurationError as error:
            raise _refusal(str(error), kind) from None
    if url.mode is not None and url.mode.lower() not in _MODES:
        raise _refusal(f"mode={_shown(url.mode)}: it is auto, A, B, C, D or E", kind)
    if url.format is not None and not _FORMATS.fullmatch(url.format.upper()):
        raise _refusal(f"format={_shown(url.format)}: write data bits, parity and stop bits as in 8N1 or 7E1", kind)
    _settle_sign_on(url, kind)
    defaults = _defaults(url)
    _settle(url, "mode", defaults["mode"] if url.mode is None else _MODES[url.mode.lower()])
    _settle(url, "format", defaults["format"] if url.format is None else url.format.upper())
    _settle(url, "baud", defaults["baud"] if url.baud is None else url.baud)
    if url.baud is not None:
        _check_range(url, "baud", url.baud, _BAUD_LIMITS)


def _settle_wire(url: ConnectionUrl) -> None:
    """What the wire does on its own, and how a modem gets there."""
    kind = (url.framing, url.medium)
    for name in ("parity", "echo", "rs485", "number", "pin", "init", "answer_wait"):
        if getattr(url, name) is not None and not _PARAMETERS[name].takes_part(*kind):
            raise _refusal(f"{name} is not a parameter of {url.framing}+{url.medium}", kind)
    for name, known in _WIRE_WORDS.items():
        given = getattr(url, name)
        word = known[0] if given is None else given.lower()
        if word not in known:
            raise _refusal(f"{name}={_shown(given)}: it is {', '.join(known[:-1])} or {known[-1]}", kind)
        _settle(url, name, None if word == known[0] else word)
    if url.parity is not None and url.line[1] not in SOFTWARE_FORMATS:
        raise _refusal(
            f"format={url.line[1]}: parity=software makes {', '.join(sorted(SOFTWARE_FORMATS))} of a line of 8N1", kind
        )
    if url.number is not None and not _DIALLED.fullmatch(url.number):
        raise _refusal(f"number={_shown(url.number)}: write it as it is dialled, as in 004369912345678", kind)
    if url.pin is not None and not url.pin.startswith(("env:", "file:")):
        raise _refusal("a PIN does not belong in a connection URL: write pin=env:NAME or pin=file:PATH", kind)
    if url.init is not None and not _COMMAND.fullmatch(url.init):
        raise _refusal(f"init={_shown(url.init)}: it is a command for the modem, as in AT+CBST=71,0,1", kind)
    if url.answer_wait is not None:
        _check_range(url, "answer_wait", url.answer_wait, _ANSWER_WAIT_LIMITS)


def _settle_sign_on(url: ConnectionUrl, kind: tuple[str, str]) -> None:
    """What is said of the sign-on of IEC 62056-21 needs one."""
    given = [name for name in ("address", "data_baud", "wake") if getattr(url, name) is not None]
    if given and url.framing == "hdlc" and url.sign_on is None:
        raise _refusal(f"{given[0]} is for the sign-on of IEC 62056-21: add sign_on=iec21", kind)
    if url.address is not None:
        try:
            _settle(url, "address", SignOn(url.address).address or None)
        except ConfigurationError as error:
            raise _refusal(str(error), kind) from None
    for name, words in _WORDS.items():
        value = getattr(url, name)
        if value is None:
            continue
        value = str(value).lower()
        if value not in words and not (name == "data_baud" and value in _DATA_BAUDS):
            numbers = " or a speed from 300 to 19200" if name == "data_baud" else ""
            raise _refusal(f"{name}={_shown(value)}: it is {', '.join(words)}{numbers}", kind)
        _settle(url, name, None if value == words[0] else value)


def _settle_addresses(url: ConnectionUrl) -> None:
    kind = (url.framing, url.medium)
    if url.framing not in _ADDRESSED and (url.client, url.server) != (16, 1):
        raise _refusal(f"client and server are not parameters of {url.framing}", kind)
    given = [name for name in _OF_HDLC if getattr(url, name) is not None]
    if url.framing != "hdlc" and given:
        raise _refusal(f"{' and '.join(given)}: a parameter of HDLC, not of {url.framing}", kind)
    if url.framing == "hdlc":
        _settle_physical(url)
        for name in ("window", "information"):
            _settle(url, name, _defaults(url)[name] if getattr(url, name) is None else getattr(url, name))
    for name in ("client", "server", "physical", "window", "information"):
        value = getattr(url, name)
        limits = _LIMITS.get((url.framing, name))
        if value is not None and limits is not None:
            _check_range(url, name, value, limits)
    if url.framing == "hdlc":
        _settle(url, "address_size", _hdlc_address_size(url))


def _settle_elgama(url: ConnectionUrl) -> None:
    if url.framing != "elgama":
        return
    kind = (url.framing, url.medium)
    if url.model is None:
        raise _refusal("model is missing: epqs or epqm", kind)
    permission = None if url.experimental is None else url.experimental.lower()
    if permission not in (None, "yes", "no"):
        raise _refusal(f"experimental={_shown(url.experimental)}: it is yes or no", kind)
    try:
        model = elgama_models.named(url.model, experimental=permission == "yes")
    except ConfigurationError as error:
        raise _refusal(str(error), kind) from None
    _settle(url, "model", model.word)
    _settle(url, "experimental", permission)
    if url.serial is None:
        raise _refusal("serial is missing: the digits on the plate of the meter", kind)
    _check_range(url, "serial", url.serial, (0, GREATEST_SERIAL))


_OF_HDLC: Final = ("physical", "address_size", "serial_number", "rule", "window", "information")


def _settle_physical(url: ConnectionUrl) -> None:
    """Derive the lower address where the serial number is given in its place."""
    kind = (url.framing, url.medium)
    if url.serial_number is None:
        if url.rule is not None:
            raise _refusal("rule needs a serial number, as in serial_number=02141421", kind)
        return
    try:
        derived = rule_of(url.rule or USUAL).physical(url.serial_number)
    except ConfigurationError as error:
        raise _refusal(str(error), kind) from None
    if url.physical not in (None, derived):
        raise _refusal(f"physical={url.physical} is not {derived}, which follows from the serial number", kind)
    _settle(url, "rule", USUAL if url.rule is None else url.rule.lower())
    _settle(url, "physical", derived)


def _hdlc_address_size(url: ConnectionUrl) -> int:
    kind = (url.framing, url.medium)
    size = _smallest_address_size(url) if url.address_size in (None, AUTO) else url.address_size
    if size not in _UPPER_AND_LOWER:
        raise _refusal(f"address_size={size}: it is 1, 2 or 4 octets, or auto", kind)
    highest_upper, highest_lower = _UPPER_AND_LOWER[size]
    if url.physical is None and size != 1:
        raise _refusal(f"address_size={size} needs the physical address too, as in physical=17", kind)
    if url.physical is not None and size == 1:
        raise _refusal("address_size=1 has no room for physical: use 2 or 4, or leave physical out", kind)
    if url.server > highest_upper:
        way_out = "add physical=…" if size == 1 else "use address_size=4"
        raise _refusal(
            f"server={url.server} does not fit into an address of {size} (up to {highest_upper}); {way_out}", kind
        )
    if url.physical is not None and url.physical > highest_lower:
        raise _refusal(f"physical={url.physical} is over {highest_lower}; use address_size=4", kind)
    return size if url.address_size != AUTO else AUTO


def _smallest_address_size(url: ConnectionUrl) -> int:
    if url.physical is None:
        return 1
    return 2 if max(url.server, url.physical) <= 0x7F else 4


def _defaults(url: ConnectionUrl) -> dict[str, int | str | None]:
    """Return what each parameter is when it is left out."""
    baud, character_format = _usual_line(url)
    on_line = url.medium in _BAUD_MEDIA
    return {
        "client": 16,
        "server": 1,
        "physical": None if url.serial_number is None else url.physical,
        "serial_number": None,
        "rule": USUAL if url.serial_number is not None else None,
        "window": MAXIMUM_WINDOW if url.framing == "hdlc" else None,
        "information": MAXIMUM_INFORMATION if url.framing == "hdlc" else None,
        "address_size": _smallest_address_size(url) if url.framing == "hdlc" else None,
        "baud": baud if on_line else None,
        "format": character_format if on_line else None,
        **dict.fromkeys(("parity", "echo", "rs485", "number", "pin", "init", "answer_wait")),
        "sign_on": None,
        "mode": "auto" if url.framing == "iec21" else None,
        "gateway": None,
        "model": None,
        "serial": None,
        "experimental": None,
        **dict.fromkeys(("address", "data_baud", "bcc", "wake")),
    }


def _usual_line(url: ConnectionUrl) -> tuple[int, str]:
    """Return speed and character format where the URL says none."""
    baud, character_format = _SIGN_ON_LINE if url.sign_on else _LINES[url.framing]
    if url.medium != "modem":
        return baud, character_format
    return _MODEM_BAUD, character_format if (url.parity or "").lower() == "software" else "8N1"


def _check_range(url: ConnectionUrl, name: str, value: int, limits: tuple[int, int]) -> None:
    low, high = limits
    if not low <= value <= high:
        raise _refusal(f"{name}={value} is out of range: {low} to {high} (0x{high:X})", (url.framing, url.medium))


def _settle(url: ConnectionUrl, name: str, value: object) -> None:
    object.__setattr__(url, name, value)


def _refusal(reason: str, kind: tuple[str, str]) -> ConfigurationError:
    framing, medium = kind
    example = _EXAMPLES.get(f"{framing}+{medium}")
    if example is None:
        place = "/dev/ttyUSB0" if medium in _LINE_MEDIA else f"192.0.2.7:{DEFAULT_PORT}"
        if medium == "file":
            place = "telegrams.txt"
        example = f"{framing}+{medium}://{place}"
    return ConfigurationError(f"{reason}; a right URL is for example {example}")


# --- printing ------------------------------------------------------------------------------------------------------


def _is_short(framing: str, medium: str) -> bool:
    return framing == "wrapper" and medium in _SHORT


def _printed_host(host: str) -> str:
    return f"[{host.replace('%', '%25', 1)}]" if ":" in host else host


def _escaped(text: str, which: re.Pattern[str] = _ESCAPED) -> str:
    return which.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _printed(name: str, value: object) -> str:
    """Return a value as the URL writes it."""
    return next((word for (of, word), number in _NAMED_NUMBERS.items() if (of, number) == (name, value)), str(value))


def _both(number: int) -> str:
    return f"{number} (0x{number:02X})"


def _shown(text: object) -> str:
    """Quote what the user typed, shortened: it may be anything."""
    quoted = repr(text)
    return quoted if len(quoted) <= 60 else quoted[:57] + "…'"
