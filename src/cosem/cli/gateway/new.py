"""`cosem gateway new`: a template to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cosem.cli.report import say
from cosem.gateway.config.template import write_template


def new(
    path: Annotated[
        Path,
        typer.Argument(metavar="[FILE.xlsx|FOLDER]", help="What to write; a folder is filled with CSV files."),
    ] = Path("gateway.xlsx"),
    replace: Annotated[bool, typer.Option("--replace", help="Write over what is there.")] = False,
) -> None:
    """Write a template: the tables Devices, Signals, Outputs, Ports and Settings, explained, with a worked example.

    The first device is the meter that cosem simulate serves; all others are off until they fit.

    \b
    Examples:
      cosem gateway new
      cosem gateway new plant/
    """
    write_template(path, replace=replace)
    say(f"written: {path}")
    say(f"then: cosem gateway check {path}")
