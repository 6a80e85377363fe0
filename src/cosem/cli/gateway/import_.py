"""`cosem gateway import`: the table Signals from what a meter shows."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Annotated, Final

import typer

from cosem.cli.browse import end
from cosem.cli.failure import Ended, Phase, complain, exit_code
from cosem.cli.local import local_client
from cosem.cli.options import Connection, connected
from cosem.cli.progress import telling
from cosem.cli.report import put, put_json, say
from cosem.cli.session import prepared, warnings_on_stderr
from cosem.client.browse import BrowsedDevice, Wanted
from cosem.errors import ConfigurationError, CosemError
from cosem.gateway.config.found import HEADINGS, signals_of_objects, signals_of_readout
from cosem.protocol.model.rights import ObjectListElement
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.obis import ObisPattern

CSV: Final = ".csv"


@connected
def import_(
    connection: Connection,
    alias: Annotated[str, typer.Option(metavar="ALIAS", help="The device_alias of the rows.")] = "meter",
    only: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Only objects that match, such as 1.*.1-2.8.0-4.255.", show_default=False),
    ] = None,
    no_values: Annotated[
        bool, typer.Option("--no-values", help="Read no values: number_type, units and profile stay empty.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.csv", help="Write into a new file.", show_default=False),
    ] = None,
) -> None:
    """Make the table Signals from a meter: from its object list, or of IEC 62056-21 from its readout, as printed.

    \b
    Examples:
      cosem gateway import 'tcp://192.0.2.7:4059?client=1' --alias main -o plant/signals.csv
      cosem gateway import iec21+serial:///dev/ttyUSB0 --alias optical
    """
    if output is not None and (output.suffix.lower() != CSV or output.exists()):
        raise ConfigurationError(f"{output}: write the name of a new file that ends with {CSV}")
    url = connection.address()
    found: Sequence[BrowsedDevice] = ()
    if url.framing == "iec21":
        if only is not None or no_values:
            raise ConfigurationError("--only and --no-values are for object lists: a readout is taken as it is")
        rows = _of_readout(connection, url, alias)
    else:
        rows, found = _of_objects(connection, url, alias, only, values=not no_values)
    if connection.json:
        put_json([{name: text for name, text in row.items() if text} for row in rows])
    elif output is None:
        csv.DictWriter(sys.stdout, HEADINGS, lineterminator="\n").writeheader()
        put(_csv(rows).rstrip("\n"))
    else:
        try:
            output.write_text(f"{','.join(HEADINGS)}\n{_csv(rows)}", encoding="utf-8")
        except OSError as problem:
            raise ConfigurationError(f"cannot write {output}: {problem.strerror}") from problem
    say(f"{len(rows)} signals of device {alias}")
    end(connection, found)


def _csv(rows: Sequence[dict[str, str]]) -> str:
    text = StringIO()
    csv.DictWriter(text, HEADINGS, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _of_objects(
    connection: Connection, url: ConnectionUrl, alias: str, only: str | None, *, values: bool
) -> tuple[list[dict[str, str]], Sequence[BrowsedDevice]]:
    pattern = None if only is None else ObisPattern(only)

    def chosen(listed: ObjectListElement) -> bool:
        return pattern is None or pattern.matches(listed.logical_name) or (values and listed.class_id == 7)

    wanted = Wanted(objects=chosen, attributes=lambda each: each.index in (2, 3), values=values)
    client = prepared(connection, url)
    with warnings_on_stderr(), telling(quiet=connection.verbose > 0) as progress:
        found = client.survey(wanted, progress)
    return list(signals_of_objects(alias, found)), found


def _of_readout(connection: Connection, url: ConnectionUrl, alias: str) -> list[dict[str, str]]:
    with local_client(connection, url) as client:
        try:
            readout = client.readout()
        except ConfigurationError:
            raise
        except CosemError as error:
            complain(error, Phase.CONNECTING, url)
            raise Ended(exit_code(error, Phase.CONNECTING)) from None
    if readout.fault is not None:
        say(f"error: nothing of this readout can be believed: {readout.fault}")
    return list(signals_of_readout(alias, readout))
