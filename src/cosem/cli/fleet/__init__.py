"""`cosem fleet`: very many simulated meters in one process; one module for each of its verbs."""

from __future__ import annotations

from typing import Any, Final

import typer
from typer.core import TyperGroup

from cosem.cli.fleet import compare, run

RUN: Final = "run"
"""What is meant where no verb is named."""


class _Fleet(TyperGroup):
    """The verbs; what begins with none of them is for `run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Set `run` in front of its options."""
        if not args or not (args[0] in self.commands or args[0] in ctx.help_option_names):
            args = [RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="fleet",
    cls=_Fleet,
    rich_markup_mode=None,
    help="Simulate very many meters in one process, and judge by what they said whoever read them.\n\n"
    "Without a verb it runs: cosem fleet --count 100000 is short for cosem fleet run --count 100000.\n\n"
    "\b\nExamples:\n"
    "  cosem fleet --count 100000\n"
    "  cosem fleet --count 1000 --ledger day.sqlite\n"
    "  cosem fleet compare day.sqlite readings.sqlite",
)
app.command(RUN)(run.fleet)
app.command("compare")(compare.compare_with)
