"""`cosem listen`: what meters push, verified with their keys, and what those say that only speak."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import NOT_CONNECTED, Ended
from cosem.cli.follow import follow, is_one_way, p1_keys
from cosem.cli.options import AllowOption, DialectOption, Json, allowed, dialect_option, key
from cosem.cli.overhear import overhear
from cosem.cli.report import escaped, octets_text, often, plain_error, plain_value, put, put_json_line, say, value_text
from cosem.cli.zone import named_zone
from cosem.client.listen import PushListener
from cosem.client.reception import Pushed, PushEvent, PushingMeter, PushReception
from cosem.errors import ConfigurationError, TransportError
from cosem.protocol.apdu.notification import DataNotification, EventNotification
from cosem.protocol.apdu.short_name import InformationReportRequest
from cosem.protocol.association.services import Notification
from cosem.protocol.values.data import Structure
from cosem.protocol.values.system_title import TITLE_OCTETS, title_text
from cosem.store import client_system_title, default_counter_store

SHOWN: Final = 64
"""Octets that are shown of what is set aside; --json gives all of them."""


def listen(
    url: Annotated[
        str,
        typer.Argument(
            metavar="[URL]",
            help="Where to be reached: tcp, udp or hdlc+tcp; port 0 takes any that is free. Or whom to follow: "
            "p1, tic, sml or han over +tcp, +serial or +file (- for standard input). With --raw: the line.",
        ),
    ] = "tcp://127.0.0.1:4059",
    meter: Annotated[
        list[str] | None,
        typer.Option(
            "--meter",
            metavar="TITLE",
            help="System title of a meter, 16 hex digits; may be repeated.",
            show_default=False,
        ),
    ] = None,
    encryption_key: Annotated[
        str | None,
        typer.Option("--ek", metavar="KEY", help="Encryption key of the meters: file:PATH or env:NAME."),
    ] = None,
    authentication_key: Annotated[
        str | None, typer.Option("--ak", metavar="KEY", help="Authentication key, in the same forms.")
    ] = None,
    suite: Annotated[int, typer.Option(metavar="0|1|2", help="Security suite.")] = 0,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many messages.", show_default="never")] = None,
    beyond_loopback: Annotated[
        bool, typer.Option("--beyond-loopback", help="Listen where other machines can send to.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Show the octets of a line and how good it is, whatever they mean.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="With --raw: end after so long.", show_default="never")
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Zone of a P1, TIC or HAN meter, whose times tell none, as Europe/Amsterdam.",
            show_default="this machine's",
        ),
    ] = None,
    any_counter: Annotated[
        bool,
        typer.Option(
            "--any-counter",
            help="Believe encrypted P1 and HAN telegrams whose invocation counter does not grow: for a meter that "
            "begins anew after a loss of power. Whoever has recorded a telegram can send it again then.",
        ),
    ] = False,
    reconnect: Annotated[
        bool,
        typer.Option(
            "--reconnect/--no-reconnect",
            help="Open the line of a P1, TIC, SML or HAN meter again when it falls away, after 1 s at first and after "
            "60 s in the end; or end.",
        ),
    ] = True,
    dialect: DialectOption = None,
    allow: AllowOption = None,
    json: Json = False,
) -> None:
    """Listen for what meters push until Ctrl-C; each push is one line.

    A push counts only if it is protected with the keys of a meter that --meter names, and was not there before.
    Everything else is set aside: it is told on stderr, or with --json by `"verified": false`, and never as a value.

    Of a meter that only speaks each telegram is shown, or with --json one object for each; the quality of the line is
    told at the end. An encrypted P1 telegram needs --ek, and --ak where the meter does not use the published one; one
    whose invocation counter does not grow is an old one, and is set aside. So it is with ciphered pushes of a customer
    (HAN) port, which are only encrypted where no --ak is given. What is pushed there is named by the lists of the
    companion that the URL says with lists=, or of the first that fits.

    \b
    Examples:
      cosem listen p1+serial:///dev/ttyUSB0 --zone Europe/Amsterdam
      cosem listen tic+serial:///dev/ttyUSB0?baud=9600 --count 1 --json
      cosem listen 'han+serial:///dev/ttyUSB0?lists=norway' --zone Europe/Oslo
      cosem listen tcp://127.0.0.1:4059 --meter 4B464D1020304050 --ek file:ek.hex --ak file:ak.hex
      cosem listen udp://127.0.0.1:4059 --json
      cosem listen --raw 'iec21+serial:///dev/ttyUSB0?baud=9600' --seconds 60
    """
    if raw:
        if meter or encryption_key or authentication_key or count is not None or beyond_loopback:
            raise ConfigurationError(
                "--raw hears a line and knows no meters, keys or messages: only --seconds goes with it"
            )
        overhear(url, seconds, as_json=json)
        return
    if seconds is not None:
        raise ConfigurationError("--seconds goes with --raw; pushes are counted with --count")
    ek, ak = key("--ek", encryption_key), key("--ak", authentication_key)
    if is_one_way(url):
        follow(
            url,
            p1_keys(ek, ak, meter or [], published=url.strip().lower().startswith("p1")),
            named_zone(zone),
            count,
            any_counter=any_counter,
            reconnect=reconnect,
            as_json=json,
        )
        return
    if any_counter:
        raise ConfigurationError("--any-counter goes with encrypted P1 and HAN; the counters of pushes always grow")
    if zone is not None:
        raise ConfigurationError("--zone goes with p1, tic and han; pushes tell their time themselves")
    titles = [_title(text) for text in meter or ()]
    meters: list[PushingMeter] = []
    if titles:
        if ek is None or ak is None:
            raise ConfigurationError("--meter goes with --ek and --ak")
        meters = [
            PushingMeter(system_title=title, encryption_key=ek, authentication_key=ak, suite=suite) for title in titles
        ]
    elif ek is not None or ak is not None:
        raise ConfigurationError("say with --meter whose keys these are")
    else:
        say("notice: without --meter and keys nothing is believed, and all is set aside")
    reception = PushReception(
        *(client_system_title(), meters, default_counter_store()),
        dialect=dialect_option(dialect, allow),
        permitted=allowed(allow),
    )
    try:
        asyncio.run(_listen(url, reception, count, beyond_loopback, as_json=json))
    except TransportError as error:
        say(f"error: cannot listen: {error}")
        raise Ended(NOT_CONNECTED) from None


async def _listen(url: str, reception: PushReception, count: int | None, beyond: bool, *, as_json: bool) -> None:
    async with PushListener(url, reception, beyond_loopback=beyond) as listener:
        say(f"listening at {listener.url}; stop with Ctrl-C")
        told = 0
        shown: Counter[str] = Counter()
        while count is None or told < count:
            event = await listener.next()
            told += 1
            tolerated, shown = reception.tolerated - shown, reception.tolerated
            if as_json:
                told_of = {**_plain(event), "tolerated": dict(sorted(tolerated.items()))}
                put_json_line(told_of)
            else:
                _show(event)
            sys.stdout.flush()
            for name, times in sorted(tolerated.items()):
                say(f"tolerated: {often(name, times)}")


def _show(event: PushEvent) -> None:
    if isinstance(event, Pushed):
        time, value = _said(event.notification)
        moment = octets_text(time) if time else "-"
        put(escaped(f"{moment}  {title_text(event.system_title)}  {value_text(value)}"))
    else:
        octets = event.octets[:SHOWN].hex().upper() + ("..." if len(event.octets) > SHOWN else "")
        say(f"set aside, from {event.source}: {event.error}; {octets}")


def _plain(event: PushEvent) -> dict[str, Any]:
    if not isinstance(event, Pushed):
        return {
            "verified": False,
            "source": event.source,
            "octets": event.octets.hex().upper(),
            "error": plain_error(event.error),
        }
    told = event.notification
    head: dict[str, Any] = {
        "verified": True,
        "source": event.source,
        "meter": event.system_title.hex().upper(),
        "invocation_counter": event.invocation_counter,
        "kind": told.NAME,
    }
    time, value = _said(told)
    if isinstance(told, EventNotification):
        head["attribute"] = plain_value(told.attribute)
    elif isinstance(told, InformationReportRequest):
        head["variables"] = plain_value(told.variable_access_specification)
    return {**head, "time": octets_text(time) if time else None, "value": plain_value(value)}


def _said(notification: Notification) -> tuple[bytes | None, Any]:
    """Return the octets of the time, if any, and the value; that of a report is all its values."""
    if isinstance(notification, InformationReportRequest):
        return notification.current_time, Structure(notification.list_of_data)
    if isinstance(notification, DataNotification):
        return notification.date_time, notification.body
    return notification.time, notification.value


def _title(text: str) -> bytes:
    try:
        title = bytes.fromhex(text)
    except ValueError:
        title = b""
    if len(title) != TITLE_OCTETS:
        raise ConfigurationError(f"--meter {text!r}: write {2 * TITLE_OCTETS} hex digits, as 4B464D1020304050")
    return title
