"""Filling in what a connection URL leaves out, and refusing what does not fit together."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from cosem.errors import ConfigurationError
from cosem.protocol.apdu.gateway import GatewayAddress
from cosem.protocol.elgama import models as elgama_models
from cosem.protocol.elgama.frame import GREATEST_SERIAL
from cosem.protocol.iec21.message import SignOn
from cosem.protocol.link.hdlc.parameters import MAXIMUM_INFORMATION, MAXIMUM_WINDOW
from cosem.protocol.link.hdlc.serial_number import USUAL, rule_of
from cosem.protocol.profile.address.words import (
    ADDRESSED,
    ANSWER_WAIT_LIMITS,
    AUTO,
    BAUD_LIMITS,
    BAUD_MEDIA,
    COMMAND,
    DATA_BAUDS,
    DEFAULT_PORTS,
    DIALLED,
    FORMATS,
    FRAMINGS,
    HOST_NAME,
    LIMITS,
    LINE_MEDIA,
    LINES,
    LISTS,
    LOCAL_PLACES,
    MEDIA,
    MODEM_BAUD,
    MODES,
    ONE_WAY,
    PARAMETERS,
    PORT_LIMITS,
    SIGN_ON_LINE,
    SIGN_ON_WORDS,
    SOFTWARE_FORMATS,
    UPPER_AND_LOWER,
    WIRE_WORDS,
    refusal,
    shown,
)

if TYPE_CHECKING:
    from cosem.protocol.profile.address import ConnectionUrl


def settle(url: ConnectionUrl) -> None:
    """Fill in a URL that is being made. Raises ConfigurationError."""
    check_words(url.framing, url.medium)
    _settle_place(url)
    _settle_line(url)
    _settle_wire(url)
    _settle_addresses(url)
    _settle_elgama(url)


def check_words(framing: str, medium: str) -> None:
    if framing not in FRAMINGS:
        raise refusal(f"unknown framing {shown(framing)} (known: {', '.join(FRAMINGS)})", ("wrapper", "tcp"))
    if medium not in MEDIA:
        raise refusal(f"unknown medium {shown(medium)} (known: {', '.join(MEDIA)})", (framing, "tcp"))
    if medium == "file" and framing not in ONE_WAY:
        raise refusal(f"a file answers no questions, so {framing} does not go over it", ("p1", "file"))


def _settle_place(url: ConnectionUrl) -> None:
    kind = (url.framing, url.medium)
    if url.medium in LINE_MEDIA:
        name = "file name" if url.medium == "file" else "port name"
        if url.host or url.port is not None:
            raise refusal(f"{url.medium} has a {name} such as {LOCAL_PLACES[name]}, no host and port", kind)
        if not url.path:
            raise refusal(f"the name of the {'file' if url.medium == 'file' else 'serial port'} is missing", kind)
        if not url.path.isprintable():
            raise refusal(f"the {name} {shown(url.path)} holds characters that cannot be printed", kind)
        return
    if url.path:
        raise refusal(f"{url.medium} has a host and port, no path", kind)
    if not url.host:
        raise refusal("the host is missing", kind)
    _settle(url, "host", _canonical_host(url.host, kind))
    port = url.port if url.port is not None else DEFAULT_PORTS.get(url.framing)
    if port is None:
        raise refusal(f"port: {url.framing} over {url.medium} has no usual port, so write it", kind)
    _check_range(url, "port", port, PORT_LIMITS)
    _settle(url, "port", port)


def _canonical_host(host: str, kind: tuple[str, str]) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ipaddress.AddressValueError:
            raise refusal(f"{shown(host)} is no IPv6 address", kind) from None
    if not HOST_NAME.fullmatch(host):
        raise refusal(f"{shown(host)} is no host name (letters, digits, '-', '.'; others in xn-- form)", kind)
    return host.lower()


def _settle_line(url: ConnectionUrl) -> None:
    kind = (url.framing, url.medium)
    for name in (
        *("baud", "format", "sign_on", "mode", "gateway", "model", "serial", "experimental"),
        *("address", "data_baud", "bcc", "wake", "lists"),
    ):
        if getattr(url, name) is not None and not PARAMETERS[name].takes_part(*kind):
            raise refusal(f"{name} is not a parameter of {url.framing}+{url.medium}", kind)
    sign_on = None if url.sign_on is None else url.sign_on.lower()
    if sign_on not in (None, "none", "iec21"):
        raise refusal(f"sign_on={shown(sign_on)}: it is iec21 or none", kind)
    _settle(url, "sign_on", None if sign_on == "none" else sign_on)
    if url.gateway is not None:
        try:
            _settle(url, "gateway", str(GatewayAddress.parse(url.gateway)))
        except ConfigurationError as error:
            raise refusal(str(error), kind) from None
    if url.mode is not None and url.mode.lower() not in MODES:
        raise refusal(f"mode={shown(url.mode)}: it is auto, A, B, C, D or E", kind)
    if url.format is not None and not FORMATS.fullmatch(url.format.upper()):
        raise refusal(f"format={shown(url.format)}: write data bits, parity and stop bits as in 8N1 or 7E1", kind)
    if url.lists is not None and not LISTS.fullmatch(url.lists):
        raise refusal(f"lists={shown(url.lists)}: write a companion and its port, as norway:aidon", kind)
    _settle_sign_on(url, kind)
    usual = defaults(url)
    _settle(url, "mode", usual["mode"] if url.mode is None else MODES[url.mode.lower()])
    _settle(url, "format", usual["format"] if url.format is None else url.format.upper())
    _settle(url, "baud", usual["baud"] if url.baud is None else url.baud)
    if url.baud is not None:
        _check_range(url, "baud", url.baud, BAUD_LIMITS)


def _settle_wire(url: ConnectionUrl) -> None:
    """What the wire does on its own, and how a modem gets there."""
    kind = (url.framing, url.medium)
    for name in ("parity", "echo", "rs485", "flow", "bind", "number", "pin", "init", "answer_wait"):
        if getattr(url, name) is not None and not PARAMETERS[name].takes_part(*kind):
            raise refusal(f"{name} is not a parameter of {url.framing}+{url.medium}", kind)
    for name, known in WIRE_WORDS.items():
        given = getattr(url, name)
        word = known[0] if given is None else given.lower()
        if word not in known:
            raise refusal(f"{name}={shown(given)}: it is {', '.join(known[:-1])} or {known[-1]}", kind)
        _settle(url, name, None if word == known[0] else word)
    if url.flow == "xonxoff" and url.framing != "iec21":
        raise refusal("flow=xonxoff: octets 11 and 13 are its signals, and frames have them too; use rtscts", kind)
    if url.bind is not None:
        try:
            ipaddress.ip_address(url.bind)
        except ValueError:
            raise refusal(f"bind={shown(url.bind)}: it is an IP address of this machine", kind) from None
    if url.parity is not None and url.line[1] not in SOFTWARE_FORMATS:
        raise refusal(
            f"format={url.line[1]}: parity=software makes {', '.join(sorted(SOFTWARE_FORMATS))} of a line of 8N1", kind
        )
    if url.number is not None and not DIALLED.fullmatch(url.number):
        raise refusal(f"number={shown(url.number)}: write it as it is dialled, as in 004369912345678", kind)
    if url.pin is not None and not url.pin.startswith(("env:", "file:")):
        raise refusal("a PIN does not belong in a connection URL: write pin=env:NAME or pin=file:PATH", kind)
    if url.init is not None and not COMMAND.fullmatch(url.init):
        raise refusal(f"init={shown(url.init)}: it is a command for the modem, as in AT+CBST=71,0,1", kind)
    if url.answer_wait is not None:
        _check_range(url, "answer_wait", url.answer_wait, ANSWER_WAIT_LIMITS)


def _settle_sign_on(url: ConnectionUrl, kind: tuple[str, str]) -> None:
    """What is said of the sign-on of IEC 62056-21 needs one."""
    given = [name for name in ("address", "data_baud", "wake") if getattr(url, name) is not None]
    if given and url.framing == "hdlc" and url.sign_on is None:
        raise refusal(f"{given[0]} is for the sign-on of IEC 62056-21: add sign_on=iec21", kind)
    if url.address is not None:
        try:
            _settle(url, "address", SignOn(url.address).address or None)
        except ConfigurationError as error:
            raise refusal(str(error), kind) from None
    for name, words in SIGN_ON_WORDS.items():
        value = getattr(url, name)
        if value is None:
            continue
        value = str(value).lower()
        if value not in words and not (name == "data_baud" and value in DATA_BAUDS):
            numbers = " or a speed from 300 to 19200" if name == "data_baud" else ""
            raise refusal(f"{name}={shown(value)}: it is {', '.join(words)}{numbers}", kind)
        _settle(url, name, None if value == words[0] else value)


def _settle_addresses(url: ConnectionUrl) -> None:
    kind = (url.framing, url.medium)
    if url.framing not in ADDRESSED and (url.client, url.server) != (16, 1):
        raise refusal(f"client and server are not parameters of {url.framing}", kind)
    given = [name for name in _OF_HDLC if getattr(url, name) is not None]
    if url.framing != "hdlc" and given:
        raise refusal(f"{' and '.join(given)}: a parameter of HDLC, not of {url.framing}", kind)
    if url.framing == "hdlc":
        _settle_physical(url)
        for name in ("window", "information"):
            _settle(url, name, defaults(url)[name] if getattr(url, name) is None else getattr(url, name))
    for name in ("client", "server", "physical", "window", "information"):
        value = getattr(url, name)
        limits = LIMITS.get((url.framing, name))
        if value is not None and limits is not None:
            _check_range(url, name, value, limits)
    if url.framing == "hdlc":
        _settle(url, "address_size", _hdlc_address_size(url))


def _settle_elgama(url: ConnectionUrl) -> None:
    if url.framing != "elgama":
        return
    kind = (url.framing, url.medium)
    if url.model is None:
        raise refusal("model is missing: epqs or epqm", kind)
    permission = None if url.experimental is None else url.experimental.lower()
    if permission not in (None, "yes", "no"):
        raise refusal(f"experimental={shown(url.experimental)}: it is yes or no", kind)
    try:
        model = elgama_models.named(url.model, experimental=permission == "yes")
    except ConfigurationError as error:
        raise refusal(str(error), kind) from None
    _settle(url, "model", model.word)
    _settle(url, "experimental", permission)
    if url.serial is None:
        raise refusal("serial is missing: the digits on the plate of the meter", kind)
    _check_range(url, "serial", url.serial, (0, GREATEST_SERIAL))


_OF_HDLC: Final = ("physical", "address_size", "serial_number", "rule", "window", "information")


def _settle_physical(url: ConnectionUrl) -> None:
    """Derive the lower address where the serial number is given in its place."""
    kind = (url.framing, url.medium)
    if url.serial_number is None:
        if url.rule is not None:
            raise refusal("rule needs a serial number, as in serial_number=02141421", kind)
        return
    try:
        derived = rule_of(url.rule or USUAL).physical(url.serial_number)
    except ConfigurationError as error:
        raise refusal(str(error), kind) from None
    if url.physical not in (None, derived):
        raise refusal(f"physical={url.physical} is not {derived}, which follows from the serial number", kind)
    _settle(url, "rule", USUAL if url.rule is None else url.rule.lower())
    _settle(url, "physical", derived)


def _hdlc_address_size(url: ConnectionUrl) -> int:
    kind = (url.framing, url.medium)
    size = _smallest_address_size(url) if url.address_size in (None, AUTO) else url.address_size
    if size not in UPPER_AND_LOWER:
        raise refusal(f"address_size={size}: it is 1, 2 or 4 octets, or auto", kind)
    highest_upper, highest_lower = UPPER_AND_LOWER[size]
    if url.physical is None and size != 1:
        raise refusal(f"address_size={size} needs the physical address too, as in physical=17", kind)
    if url.physical is not None and size == 1:
        raise refusal("address_size=1 has no room for physical: use 2 or 4, or leave physical out", kind)
    if url.server > highest_upper:
        way_out = "add physical=…" if size == 1 else "use address_size=4"
        raise refusal(
            f"server={url.server} does not fit into an address of {size} (up to {highest_upper}); {way_out}", kind
        )
    if url.physical is not None and url.physical > highest_lower:
        raise refusal(f"physical={url.physical} is over {highest_lower}; use address_size=4", kind)
    return size if url.address_size != AUTO else AUTO


def _smallest_address_size(url: ConnectionUrl) -> int:
    if url.physical is None:
        return 1
    return 2 if max(url.server, url.physical) <= 0x7F else 4


def defaults(url: ConnectionUrl) -> dict[str, int | str | None]:
    """Return what each parameter is when it is left out."""
    baud, character_format = usual_line(url)
    on_line = url.medium in BAUD_MEDIA
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
        **dict.fromkeys(("parity", "echo", "rs485", "flow", "bind", "number", "pin", "init", "answer_wait")),
        "sign_on": None,
        "mode": "auto" if url.framing == "iec21" else None,
        "gateway": None,
        "model": None,
        "serial": None,
        "experimental": None,
        **dict.fromkeys(("address", "data_baud", "bcc", "wake", "lists")),
    }


def usual_line(url: ConnectionUrl) -> tuple[int, str]:
    """Return speed and character format where the URL says none."""
    baud, character_format = SIGN_ON_LINE if url.sign_on else LINES[url.framing]
    if url.medium != "modem":
        return baud, character_format
    return MODEM_BAUD, character_format if (url.parity or "").lower() == "software" else "8N1"


def _check_range(url: ConnectionUrl, name: str, value: int, limits: tuple[int, int]) -> None:
    low, high = limits
    if not low <= value <= high:
        raise refusal(f"{name}={value} is out of range: {low} to {high} (0x{high:X})", (url.framing, url.medium))


def _settle(url: ConnectionUrl, name: str, value: object) -> None:
    object.__setattr__(url, name, value)
