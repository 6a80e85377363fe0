"""`cosem gateway`: from tables of devices and signals to SCADA and MQTT; one module for each of its verbs."""

from __future__ import annotations

import typer

from cosem.cli.gateway import check, import_, new

app = typer.Typer(
    name="gateway",
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Read many meters by a table of devices and one of signals, and hand their values to SCADA and MQTT.",
)
app.command("new")(new.new)
app.command("check")(check.check)
app.command("import")(import_.import_)
