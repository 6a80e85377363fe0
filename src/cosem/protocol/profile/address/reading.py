"""Reading a connection URL as a person types it: scheme, place, parameters."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from cosem.protocol.profile.address.settling import check_words
from cosem.protocol.profile.address.words import (
    ESCAPES,
    FRAMINGS,
    LINE_MEDIA,
    MEDIA,
    NAMED_NUMBERS,
    NUMBER,
    PARAMETERS,
    SHORT,
    refusal,
    shown,
)


def fields_of(text: str) -> dict[str, Any]:
    """Return what a URL says, as fields of `ConnectionUrl`. Raises ConfigurationError that shows a right URL."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        raise refusal(f"{shown(text)} is no connection URL", ("wrapper", "tcp"))
    framing, medium = _framing_and_medium(scheme)
    if "#" in rest:
        raise refusal("a connection URL has no '#' part", (framing, medium))
    place, _, query = rest.partition("?")
    where = _serial_place(place) if medium in LINE_MEDIA else _ip_place(place, framing, medium)
    return {"framing": framing, "medium": medium, **where._asdict(), **_parameters(query, framing, medium)}


class _Place(NamedTuple):
    host: str = ""
    port: int | None = None
    path: str = ""


def _framing_and_medium(scheme: str) -> tuple[str, str]:
    framing, plus, medium = scheme.lower().partition("+")
    if plus:
        check_words(framing, medium)
        return framing, medium
    if framing in SHORT:
        return "wrapper", framing
    if framing in MEDIA:
        raise refusal(f"{framing}:// does not say which framing to use", ("hdlc", framing))
    if framing in FRAMINGS:
        raise refusal(f"{framing}:// does not say over which medium", (framing, "tcp"))
    raise refusal(f"{shown(scheme)} is no framing+medium", ("wrapper", "tcp"))


def _serial_place(place: str) -> _Place:
    try:
        return _Place(path=ESCAPES.sub(_unescaped, place))
    except ValueError:  # of fromhex and decode
        raise refusal(f"the port name {shown(place)} has a '%' that is no UTF-8 escape", ("hdlc", "serial")) from None


def _unescaped_word(name: str, text: str, kind: tuple[str, str]) -> str:
    try:
        return ESCAPES.sub(_unescaped, text)
    except ValueError:  # of fromhex and decode
        raise refusal(f"{name}={shown(text)} has a '%' that is no UTF-8 escape", kind) from None


def _unescaped(escapes: re.Match[str]) -> str:
    octets = bytes.fromhex(escapes[0].replace("%", ""))
    if not octets:
        raise ValueError("a lone %")
    return octets.decode("utf-8")


def _ip_place(place: str, framing: str, medium: str) -> _Place:
    kind = (framing, medium)
    place = place.removesuffix("/")
    if "/" in place:
        raise refusal(f"{shown(place)}: nothing may follow host and port but ?parameters", kind)
    if "@" in place:
        raise refusal("a user name or password does not belong in a connection URL", kind)
    if place.startswith("["):
        host, closing, tail = place[1:].partition("]")
        if not closing or (tail and not tail.startswith(":")):
            raise refusal(f"{shown(place)}: an IPv6 address stands in brackets, with :port behind", kind)
        host, port = host.replace("%25", "%", 1), tail[1:]
        if ":" not in host:
            raise refusal(f"{shown(place)}: only an IPv6 address stands in brackets", kind)
    else:
        host, tail, port = place.partition(":")
        if ":" in port:
            raise refusal(f"{shown(place)}: put an IPv6 address into brackets, as in [2001:db8::7]:4059", kind)
    if tail and not re.fullmatch(r"[0-9]{1,5}", port):
        raise refusal(f"port: {shown(port)} is not a number from 0 to 65535", kind)
    return _Place(host=host, port=int(port) if port else None)


def _parameters(query: str, framing: str, medium: str) -> dict[str, int | str]:
    kind = (framing, medium)
    allowed = [name for name, parameter in PARAMETERS.items() if parameter.takes_part(framing, medium)]
    found: dict[str, int | str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, text = pair.partition("=")
        if name not in allowed:
            why = f"is not a parameter of {framing}+{medium}" if name in PARAMETERS else "is not a known parameter"
            raise refusal(f"{shown(name)} {why} (there are: {', '.join(allowed) or 'none'})", kind)
        if name in found:
            raise refusal(f"{name} is given twice", kind)
        if not equals or not text:
            raise refusal(f"{name} has no value", kind)
        if not PARAMETERS[name].numeric:
            found[name] = _unescaped_word(name, text, kind)
        elif (name, text.lower()) in NAMED_NUMBERS:
            found[name] = NAMED_NUMBERS[name, text.lower()]
        elif NUMBER.fullmatch(text):
            found[name] = int(text, 16 if text[:2] in ("0x", "0X") else 10)
        else:
            raise refusal(f"{name}={shown(text)}: write a decimal number, or 0x and hexadecimal digits", kind)
    return found
