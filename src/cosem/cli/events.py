"""`cosem events`: what happened, from an event log, with the meaning of its codes."""

from __future__ import annotations

import csv
import sys
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from cosem.cli.companions import Named, chosen
from cosem.cli.options import Connection, connected
from cosem.cli.profile import MOMENT, Format, cell, period
from cosem.cli.progress import working
from cosem.cli.report import plain_value, put_json, put_table, say, value_text
from cosem.cli.session import session
from cosem.client.conveniences import STANDARD_EVENT_LOG
from cosem.client.events import NO_CODES, Event
from cosem.errors import ConfigurationError
from cosem.protocol.model import catalogue
from cosem.protocol.model.classes.data_storage import ProfileGeneric
from cosem.protocol.model.reference import parse_reference
from cosem.store.profile_ways import default_profile_ways


@connected
def events(
    connection: Connection,
    log: Annotated[
        str, typer.Argument(metavar="[LOG]", help="The event log, a profile such as 0.0.99.98.1.255.")
    ] = str(STANDARD_EVENT_LOG.instance),
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"First event: {MOMENT}.", show_default=False)
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Last event, in the same forms.", show_default=False)
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print the events.")] = Format.TABLE,
    companion: Named = None,
) -> None:
    """Read an event log: when something happened, its code, and what else the log keeps.

    \b
    Examples:
      cosem events tcp://192.0.2.7:4059
      cosem events tcp://192.0.2.7:4059 0.0.99.98.1.255 --since 2026-11-01 --format csv
      cosem events tcp://192.0.2.7:4059 --companion smr-5.5
    """
    wanted = parse_reference(log)
    if wanted.class_id not in (None, ProfileGeneric.class_id) or wanted.member is not None:
        raise ConfigurationError(f"{log!r}: an event log is a profile, and no attribute is named: 0.0.99.98.0.255")
    first, last = period(since, until)
    codes = NO_CODES if companion is None else chosen(companion).codes(wanted.instance)
    with session(connection) as client, working("reading the events", quiet=connection.verbose > 0):
        client.ways = default_profile_ways(connection.url)
        found = client.events(ProfileGeneric(wanted.instance), since=first, until=last, codes=codes)
    _SHOW[Format.JSON if connection.json else format](connection, found)
    say("1 event" if len(found) == 1 else f"{len(found)} events")


def _time(event: Event) -> str:
    if event.time is not None:
        return event.time.isoformat(sep=" ")
    return "" if event.moment is None else str(event.moment)


def _others(found: list[Event]) -> list[str]:
    return [str(column) for column in found[0].values] if found else []


def _table(_: Connection, found: list[Event]) -> None:
    names = [catalogue.lookup(column.logical_name).name for column in found[0].values] if found else []
    headings = [f"{column}\n{name}" for column, name in zip(_others(found), names, strict=True)]
    put_table(
        ("time", "code", "event", *headings),
        [
            (
                _time(event),
                "" if event.code is None else str(event.code),
                event.name or "",
                *("" if value is None else value_text(value) for value in event.values.values()),
            )
            for event in found
        ],
        right=("code",),
    )


def _csv(_: Connection, found: list[Event]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("time", "code", "event", *_others(found)))
    for event in found:
        values = ("" if value is None else cell(value) for value in event.values.values())
        writer.writerow((_time(event), "" if event.code is None else event.code, cell(event.name or ""), *values))


def _json(connection: Connection, found: list[Event]) -> None:
    put_json({"url": connection.url, "events": [_plain(event) for event in found]})


def _plain(event: Event) -> dict[str, Any]:
    time = event.time
    return {
        "time": time.isoformat() if isinstance(time, datetime) else None,
        "moment": None if event.moment is None else str(event.moment),
        "code": event.code,
        "event": event.name,
        "values": {str(column): plain_value(value) for column, value in event.values.items()},
    }


_SHOW: Final = {Format.TABLE: _table, Format.CSV: _csv, Format.JSON: _json}
