"""`cosem gateway check`: everything that is wrong with a configuration, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cosem.cli.failure import SOME_FAILED, Ended
from cosem.cli.options import Json
from cosem.cli.report import put_json, put_table, say
from cosem.errors import ConfigurationError
from cosem.gateway.config import Configuration, Device, DriverName, Fault, Notice, read

HEADINGS: Final = ("", "sheet", "row", "column", "value", "what", "allowed")


def check(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The configuration: .xlsx, .json, .toml, or a folder of CSV files.", show_default=False
        ),
    ],
    json: Json = False,
) -> None:
    """Check a configuration without reaching any device: all faults at once, each with what is allowed.

    Warnings say what was probably not meant, and notes how cells were understood. Faults of one driver stop that driver
    and not the others. Ends with 1 where there are faults.

    \b
    Examples:
      cosem gateway check gateway.xlsx
      cosem gateway check plant/ --json
    """
    found = read(path)
    if json:
        put_json(plain(found))
    else:
        show(found)
    if found.faults:
        raise Ended(SOME_FAILED)


def show(found: Configuration) -> None:
    """Print faults, warnings and notes, then the devices; what it comes to goes to stderr."""
    rows = [*map(_fault, found.faults), *(_notice(each) for each in found.warnings)]
    rows += [_notice(each) for each in found.notices if not each.warning]
    if rows:
        put_table(HEADINGS, rows, right=("row",))
    if found.devices:
        put_table(
            ("device", "driver", "where", "signals"),
            [
                (each.alias, each.driver.value, where(each), str(len(found.signals_of(each))))
                for each in found.devices
                if each.enabled
            ],
            right=("signals",),
        )
    for line in summary(found):
        say(line)


def summary(found: Configuration) -> list[str]:
    """Say in a few lines what a configuration comes to."""
    enabled = [each for each in found.devices if each.enabled]
    aliases = {each.alias for each in enabled}
    signals = sum(each.enabled and each.device in aliases for each in found.signals)
    outputs = sum(each.enabled for each in found.outputs)
    counted = (
        _count(len(found.faults), "fault"),
        _count(len(found.warnings), "warning"),
        f"in use {_count(len(enabled), 'device')}, {_count(signals, 'signal')}, {_count(outputs, 'output')}",
    )
    stopped = [f"the driver {each.value} does not start" for each in DriverName if each in found.stopped]
    return ["; ".join(counted), *stopped]


def where(device: Device) -> str:
    """Return where a device is, or why nobody can tell."""
    try:
        return str(device.parameters.url())
    except ConfigurationError as refused:
        return str(refused)


def plain(found: Configuration) -> dict[str, Any]:
    """Return a checked configuration for JSON."""
    return {
        "faults": [each.plain() for each in found.faults],
        "notices": [each.plain() for each in found.notices],
        "stopped": [each.value for each in DriverName if each in found.stopped],
        "devices": [
            {
                "alias": each.alias,
                "name": each.name,
                "driver": each.driver.value,
                "enabled": each.enabled,
                "url": where(each),
                "signals": [signal.alias for signal in found.signals_of(each)],
            }
            for each in found.devices
        ],
        "outputs": [
            {"kind": each.kind, "name": each.name, "enabled": each.enabled, "address": each.address}
            for each in found.outputs
        ],
    }


def _fault(fault: Fault) -> tuple[str, ...]:
    place = fault.place
    return ("fault", place.sheet, str(place.row or ""), place.column, place.value, fault.reason, fault.allowed)


def _notice(notice: Notice) -> tuple[str, ...]:
    place, kind = notice.place, "warning" if notice.warning else "note"
    return (kind, place.sheet, str(place.row or ""), place.column, place.value, notice.text, "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
