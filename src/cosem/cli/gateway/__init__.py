"""`cosem gateway`: from tables of devices and signals to SCADA and MQTT; one module for each of its verbs."""

from __future__ import annotations

from typing import Annotated

import typer

from cosem.cli.gateway import check, import_, new, run
from cosem.cli.options import Json

app = typer.Typer(
    name="gateway",
    no_args_is_help=True,
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Read many meters by a table of devices and one of signals, and hand their values to SCADA and MQTT.",
)


@app.callback()
def gateway(
    context: typer.Context,
    configuration: run.ConfigOption = None,
    port: run.PortOption = "",
    level: run.LevelOption = run.USUAL,
    once: run.OnceOption = False,
    dry_run: run.DryOption = False,
    page: run.PageOption = "",
    dlms: run.DlmsOption = False,
    iec21: run.Iec21Option = False,
    elgama: run.ElgamaOption = False,
    json: Json = False,
    _version: Annotated[
        bool, typer.Option("-V", "--version", callback=run.version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Read many meters by a table of devices and one of signals, and hand their values to SCADA and MQTT.

    cosem gateway -c FILE is short for cosem gateway run FILE.
    """
    if context.invoked_subcommand is None:
        run.run(None, configuration, port, level, once, dry_run, page, dlms, iec21, elgama, json)
    elif configuration is not None:
        raise typer.BadParameter(f"-c goes without {context.invoked_subcommand}")


app.command("run")(run.run)
app.command("new")(new.new)
app.command("check")(check.check)
app.command("import")(import_.import_)
