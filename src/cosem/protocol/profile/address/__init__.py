"""Connection URLs: where a meter is, which framing and medium lead to it, and which addresses it answers to.

    [wrapper|hdlc|iec21|p1|tic|sml|han|mbus|elgama]+[tcp|udp|tls|serial|rfc2217|modem|file]://where?parameter=value&…

    tcp://192.0.2.7:4059?client=16&server=1           short for wrapper+tcp
    hdlc+tcp://[2001:db8::7]:4059?client=0x10&server=1&physical=17&address_size=2
    hdlc+serial:///dev/ttyUSB0?baud=9600              or hdlc+serial://COM3
    hdlc+serial:///dev/ttyUSB0?serial_number=02141421 the lower address as makers derive it (rule=landis-gyr, elgama …)
    hdlc+serial:///dev/ttyUSB0?physical=17&address_size=auto    find out in how many octets the meter is addressed
    hdlc+serial:///dev/ttyUSB0?window=1&information=128         agree to no more than that
    hdlc+serial:///dev/ttyUSB0?sign_on=iec21          IEC 62056-21 mode E first
    iec21+tcp://192.0.2.7:2000?parity=software        a serial server that stays 8N1; echo=strip where it echoes
    hdlc+serial:///dev/ttyS1?rs485=yes                RS-485: RTS is on while we send; rs485=inverted where it is off
    iec21+serial:///dev/ttyS1?flow=xonxoff            flow control of the port: rtscts, or xonxoff where all is text
    tcp://192.0.2.7:4059?bind=192.0.2.1               from this one of our addresses
    hdlc+modem:///dev/ttyUSB0?number=*99%231          by telephone, 9600 8N1; also pin=env:NAME, init=AT…
    iec21+serial:///dev/ttyUSB0?address=12345678      IEC 62056-21, the meter with that number
    iec21+tcp://192.0.2.7:8000?data_baud=fixed        through a serial server; its line stays as it is
    tcp://192.0.2.7?gateway=0:4D31                    through a gateway: network 0, device address 4D 31
    elgama+tcp://192.0.2.7:4001?model=epqs&serial=925948&experimental=yes     EXPERIMENTAL: Elgama EPQS, EPQM/LZQM
    p1+serial:///dev/ttyUSB0                          a meter that only speaks; p1+file://telegrams.txt, p1+file://-
    han+serial:///dev/ttyUSB0?lists=norway            a customer port, whose values the lists of a companion name

Every framing and medium the suite will ever speak is a word of the grammar; which of them this version can open is the
business of `cosem.io.open`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from cosem.protocol.link.hdlc.address import HdlcAddress
from cosem.protocol.link.hdlc.serial_number import USUAL, rule_of
from cosem.protocol.profile.address.reading import fields_of
from cosem.protocol.profile.address.settling import defaults, settle, usual_line
from cosem.protocol.profile.address.words import (
    ADDRESSED,
    AUTO,
    DEFAULT_PORT,
    DEFAULT_PORTS,
    ESCAPED,
    ESCAPED_WORD,
    FRAMING_NAMES,
    LINE_MEDIA,
    MEDIUM_NAMES,
    NAMED_NUMBERS,
    ONE_WAY,
    PARAMETERS,
    SHORT,
    SOFTWARE_FORMATS,
)

__all__ = ["AUTO", "DEFAULT_PORT", "ONE_WAY", "SOFTWARE_FORMATS", "ConnectionUrl"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionUrl:
    """One connection, said completely: what was left out is filled in, what does not fit together is refused.

    `server` is the wrapper port or the upper (logical device) HDLC address, `physical` the lower HDLC address.
    `gateway` is network:address of a device behind a gateway, as `GatewayAddress` prints it.
    `parity` is `software` where the line stays 8N1 and the eighth bit is the parity, `echo` is `strip` where what is
    sent comes back. `rs485` lets RTS steer the direction of a port with an RS-485 transceiver that does not do it by
    itself: on while we send (`yes`), or off (`inverted`). `flow` is the flow control of a serial port: `rtscts`, or
    `xonxoff` for IEC 62056-21, whose octets are text. `bind` is the one of our IP addresses that is connected from.
    A modem dials `number` and waits `answer_wait` seconds for the answer; `pin` says where its PIN is to be found
    (`env:NAME`, `file:PATH`), and `init` is a command of the user's own.
    `model`, `serial` and the permission `experimental` belong to the byte protocol of Elgama, which is EXPERIMENTAL and
    refused without it.
    `address`, `data_baud`, `bcc` and `wake` are of IEC 62056-21: whom the sign-on calls; `auto`, the highest speed that
    is asked for, or `fixed` where the line does not follow what is agreed; the block check; how the meter is woken.
    `lists` is of a customer (HAN) port: the companion whose lists it says, and which of its ports, as `norway:aidon`.
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
    flow: str | None = None
    bind: str | None = None
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
    lists: str | None = None

    def __post_init__(self) -> None:
        settle(self)

    @classmethod
    @lru_cache(maxsize=1024)  # the same meters are opened again and again, and their URLs never change
    def parse(cls, text: str) -> ConnectionUrl:
        """Read a URL as a person types it. Raises ConfigurationError that names the fault and shows a right URL."""
        return cls(**fields_of(text))

    @property
    def scheme(self) -> str:
        """Framing and medium as the URL prints them: `tcp` for wrapper+tcp, `hdlc+tcp`."""
        return self.medium if _is_short(self.framing, self.medium) else f"{self.framing}+{self.medium}"

    @property
    def line(self) -> tuple[int, str]:
        """Speed and character format of the meter's line, also where it is behind a medium that has none itself."""
        baud, character_format = usual_line(self)
        return self.baud or baud, self.format or character_format

    @property
    def place(self) -> str:
        """Host with its port, or the name of the serial port: one text for each physical way to reach meters."""
        if self.medium in LINE_MEDIA:
            return self.path
        return f"{_printed_host(self.host)}:{self.port}"

    def __str__(self) -> str:
        if self.medium in LINE_MEDIA:
            place = _escaped(self.path)
        else:
            place = _printed_host(self.host)
            if self.port != DEFAULT_PORTS.get(self.framing):
                place += f":{self.port}"
        usual = defaults(self)
        query = "&".join(
            f"{name}={_escaped(_printed(name, value), ESCAPED_WORD)}"
            for name in PARAMETERS
            if (value := getattr(self, name)) not in (None, usual[name])
        )
        return f"{self.scheme}://{place}" + (f"?{query}" if query else "")

    def interpreted(self) -> str:
        """Tell in one line how the URL was understood, defaults and wire octets included."""
        parts = [f"{FRAMING_NAMES[self.framing]} over {MEDIUM_NAMES[self.medium]}"]
        if self.medium in LINE_MEDIA:
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
        if self.flow is not None:
            parts.append(f"flow control {self.flow}")
        if self.bind is not None:
            parts.append(f"from our address {self.bind}")
        if self.number is not None:
            parts.append(f"dials {self.number}")
        if self.sign_on is not None:
            parts.append("IEC 62056-21 sign-on (mode E) first")
        if self.mode is not None:
            parts.append(f"mode {self.mode}")
        if self.framing == "iec21" or self.sign_on is not None:
            parts.append(f"meter {self.address}" if self.address else "any meter")
        if self.lists is not None:
            parts.append(f"lists of {self.lists}")
        if self.framing in ADDRESSED:
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


def _is_short(framing: str, medium: str) -> bool:
    return framing == "wrapper" and medium in SHORT


def _printed_host(host: str) -> str:
    return f"[{host.replace('%', '%25', 1)}]" if ":" in host else host


def _escaped(text: str, which: re.Pattern[str] = ESCAPED) -> str:
    return which.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _printed(name: str, value: object) -> str:
    """Return a value as the URL writes it."""
    return next((word for (of, word), number in NAMED_NUMBERS.items() if (of, number) == (name, value)), str(value))


def _both(number: int) -> str:
    return f"{number} (0x{number:02X})"
