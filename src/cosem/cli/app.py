"""The command `cosem`: its verbs, and how each way to end becomes an exit code."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from cosem.cli.failure import BAD_USAGE, INTERRUPTED, Ended, Phase, complain, exit_code
from cosem.cli.report import own_version, put, say
from cosem.errors import CosemError

CLICK_BAD_USAGE: Final = 2
"""What typer ends with when the command line makes no sense to it."""


NEGATIVE: Final = re.compile(r"-[0-9][0-9xXa-fA-F.]*")

VERBS: Final = (
    *("read", "browse", "profile", "events", "clock", "set", "act", "image", "compare", "collect"),
    *("probe", "ports", "listen", "elgama", "decode", "obis", "classes", "standards"),
    *("simulate", "fleet", "gateway", "demo"),
)
"""In the order of the help. Each has a module of its name, which is loaded when somebody asks for it."""

VALUED: Final = frozenset({"set", "act"})
"""Those whose last argument may be a negative number."""


class Root(TyperGroup):
    """The group of all verbs; here, and only here, an error becomes an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the verbs in the order in which the help has them."""
        return [*VERBS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the verb of a name; None where there is none."""
        for name in (cmd_name,) if cmd_name in VERBS else VERBS:  # who mistypes one is told which come near
            if name not in self.commands:
                self.add_command(_command(name), name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; Ctrl-C ends it with one line, after everything was released on the way out."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say("interrupted")
            raise Ended(INTERRUPTED) from None

    def main(self, args: Sequence[str] | None = None, *others: Any, **settings: Any) -> Any:
        """Run a command line; always ends with SystemExit."""
        try:
            return super().main(args, *others, **settings)
        except Ended as ended:
            sys.exit(ended.code)
        except CosemError as error:
            complain(error, Phase.PREPARING)
            sys.exit(exit_code(error, Phase.PREPARING))
        except SystemExit as over:
            if over.code == CLICK_BAD_USAGE:
                sys.exit(BAD_USAGE)
            raise


class Valued(TyperCommand):
    """A command whose last argument may be a negative number, which is no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Set a negative number behind `--`, as those have to write it who know that convention."""
        numbers = [each for each in args if NEGATIVE.fullmatch(each)]
        if len(numbers) == 1 and "--" not in args:
            args = [*(each for each in args if each not in numbers), "--", *numbers]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Root,
    name="cosem",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def cosem(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)] = False,
) -> None:
    """Read, understand, simulate and collect IEC 62056 (DLMS/COSEM) smart meters.

    Data go to stdout, everything else to stderr.

    \b
    Exit codes:
      0   all read
      1   some refused or failed
      2   could not connect or associate
      3   the session was lost midway
      64  bad usage
      130 interrupted with Ctrl-C
    """
    if version:
        put(own_version())
        raise typer.Exit


def _command(name: str) -> Any:
    """Load a verb: the group `app` of its module, or the function of its name."""
    word = f"{name}_" if hasattr(builtins, name) else name  # as in `set_`
    module = import_module(f"cosem.cli.{word}")
    verbs = getattr(module, "app", None)
    if verbs is None:
        verbs = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        kind, told = Valued if name in VALUED else None, getattr(module, "HELP", None)
        verbs.command(name, cls=kind, help=told)(getattr(module, word))
    return typer.main.get_command(verbs)


def run(args: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may know fewer characters than a unit has
    try:
        typer.main.get_command(app).main(args, prog_name="cosem")
    except SystemExit as over:
        return over.code if isinstance(over.code, int) else 1
    return 0
