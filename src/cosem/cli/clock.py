"""`cosem clock`: how far a meter's clock is off, setting it, shifting it, bringing it to the right time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from cosem.cli.failure import BAD_USAGE, Ended
from cosem.cli.options import Connection, connected
from cosem.cli.report import flags_text, put_json, put_table, say
from cosem.cli.session import session
from cosem.cli.writing import Write
from cosem.client.client import Client
from cosem.client.clock import TOLERANCE, Adjustment, ClockReading
from cosem.errors import ConfigurationError

NOW: Final = "now"


@connected
def clock(
    connection: Connection,
    set_: Annotated[
        str | None,
        typer.Option(
            "--set", metavar="now|TIME", help="Set it: to now, or to 2026-11-26T13:45+01:00.", show_default=False
        ),
    ] = None,
    shift: Annotated[
        int | None,
        typer.Option(metavar="SECONDS", help="Move it by so many seconds, 900 at most either way.", show_default=False),
    ] = None,
    synchronise: Annotated[
        bool,
        typer.Option("--synchronise", help="Shift it when it is off by 900 seconds at most, else set it."),
    ] = False,
    tolerance: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="With --synchronise: leave it when it is no further off.")
    ] = TOLERANCE.total_seconds(),
    zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="Where the meter is, such as Europe/Vilnius, when it tells no offset from UTC.",
            show_default=False,
        ),
    ] = None,
    write: Write = False,
) -> None:
    """Show the clock and how far it is off from that of this computer, or change it.

    The meter is taken to have looked at its clock in the middle between question and answer, and what is set is right
    when it arrives.

    \b
    Examples:
      cosem clock tcp://192.0.2.7:4059
      cosem clock 'tcp://192.0.2.7?client=1' --synchronise --write --ek file:ek.hex --ak file:ak.hex
      cosem clock 'tcp://192.0.2.7?client=1' --set 2026-11-26T13:45+01:00 --write
    """
    there, to = _zone(zone), _time(set_)
    asked = [name for name, given in (("--set", set_), ("--shift", shift), ("--synchronise", synchronise)) if given]
    if len(asked) > 1:
        raise ConfigurationError(f"{' and '.join(asked)} are different ways to change the clock: give one")
    if shift == 0:
        raise ConfigurationError("--shift 0 changes nothing")
    with session(connection) as client:
        found = client.read_clock(zone=there)
        if asked and not write:
            _show(connection, found, None, None)
            say("nothing was changed; add --write to do it")
            raise Ended(BAD_USAGE)
        done, after = _change(client, set_, to, shift, synchronise, tolerance, there) if asked else (None, None)
    _show(connection, found, done, after)


def _change(
    client: Client,
    set_: str | None,
    to: datetime | None,
    shift: int | None,
    synchronise: bool,
    tolerance: float,
    zone: ZoneInfo | None,
) -> tuple[Adjustment, ClockReading]:
    if synchronise:
        adjusted = client.synchronise_clock(tolerance=timedelta(seconds=tolerance), zone=zone, write=True)
        return adjusted.done, adjusted.after
    if shift is not None:
        client.shift_clock(shift, write=True)
        return Adjustment.SHIFTED, client.read_clock(zone=zone)
    assert set_ is not None
    return Adjustment.SET, client.set_clock(to, zone=zone, write=True)


def _show(connection: Connection, found: ClockReading, done: Adjustment | None, after: ClockReading | None) -> None:
    if connection.json:
        told: dict[str, Any] = {"url": connection.url, **_plain(found)}
        if done is not None and after is not None:
            told |= {"done": done.value, "after": _plain(after)}
        put_json(told)
        return
    rows = [_row("clock", found)]
    if done is not None and after is not None:
        rows.append(_row(f"after ({done.value})", after))
    put_table(("", "time", "status", "off by", "known to within"), rows, right=("off by", "known to within"))


def _row(what: str, found: ClockReading) -> tuple[str, ...]:
    status = "" if not found.time.status else flags_text(found.time.status)
    offset = "" if found.offset is None else f"{found.offset.total_seconds():+.3f} s"
    return what, str(found.time).partition(" [")[0], status, offset, f"{found.uncertainty.total_seconds():.3f} s"


def _plain(found: ClockReading) -> dict[str, Any]:
    return {
        "time": str(found.time),
        "octets": found.time.octets.hex().upper(),
        "offset_seconds": None if found.offset is None else round(found.offset.total_seconds(), 6),
        "uncertainty_seconds": round(found.uncertainty.total_seconds(), 6),
    }


def _time(given: str | None) -> datetime | None:
    if given is None or given == NOW:
        return None
    try:
        return datetime.fromisoformat(given.strip())
    except ValueError:
        raise ConfigurationError(
            f"--set {given!r} is no time: write now, or date, time and offset as in 2026-11-26T13:45+01:00"
        ) from None


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(f"--zone {name!r} is not known: write a name such as Europe/Vilnius") from None
