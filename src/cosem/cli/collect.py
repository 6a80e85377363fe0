"""`cosem collect`: many meters into one SQLite file, as a TOML file says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cosem.cli import plan as plans
from cosem.cli.failure import NOT_CONNECTED, SESSION_LOST, SOME_FAILED, Ended
from cosem.cli.options import Json
from cosem.cli.plan import Plan
from cosem.cli.progress import progress
from cosem.cli.report import plain_error, put_json, put_table, say
from cosem.cli.session import warnings_on_stderr
from cosem.client.collect import Collected
from cosem.client.collect import collect as collect_targets
from cosem.store.profile_ways import default_profile_ways
from cosem.store.readings import ReadingStore

INTRODUCTION: Final = """Collect many meters at once into one SQLite file.

Readings are kept exactly and once: collecting again adds only what is new. What one meter gave is kept when another
fails, and each failure is named.

The file:"""

EXAMPLES: Final = "Examples:\n  cosem collect street.toml\n  cosem collect street.toml --json > collected.json"
HELP: Final = "\n\n\b\n".join((INTRODUCTION, *cleandoc(plans.FORM).split("\n\n"), EXAMPLES))
"""The form of the file, paragraph by paragraph as it stands there."""


def collect(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="What to collect.", show_default=False)],
    json: Json = False,
) -> None:
    plan = plans.load(file)
    with warnings_on_stderr(), ReadingStore(plan.store) as store:
        try:
            collected = run(plan, store)
        except KeyboardInterrupt:
            say(f"what was read so far is kept in {plan.store}; collecting again goes on from there")
            raise
    show(collected, plan.store, as_json=json)
    code = verdict(collected)
    if code:
        raise Ended(code)


def run(plan: Plan, store: ReadingStore) -> list[Collected]:
    """Collect with a progress bar."""
    with progress("collecting", len(plan.targets)) as advance:
        return asyncio.run(
            collect_targets(
                plan.targets,
                store,
                at_once=plan.at_once,
                gap=plan.gap,
                finished=lambda _: advance(),
                ways=lambda target: default_profile_ways(str(target.url)),
            )
        )


def show(collected: Sequence[Collected], store: Path, *, as_json: bool) -> None:
    """Print what came of each meter on stdout, and the failures on stderr."""
    if as_json:
        put_json({"store": str(store), "meters": [_plain(each) for each in collected]})
    else:
        put_table(
            ("meter", "readings", "new", "changed", "failures"),
            [
                (
                    each.target.name,
                    str(each.readings),
                    str(each.stored.new),
                    str(each.stored.changed),
                    str(len(each.failures)),
                )
                for each in collected
            ],
            right=("readings", "new", "changed", "failures"),
        )
    for each in collected:
        for failure in each.failures:
            say(f"error: {each.target.name}: {failure.what}: {failure.error}")
    failed = sum(1 for each in collected if each.failures)
    say(f"{len(collected) - failed} of {len(collected)} meters complete; the readings are in {store}")


def verdict(collected: Sequence[Collected]) -> int:
    """Return the exit code: what happened to all, if it is one thing, else that some failed."""
    if not any(each.failures for each in collected):
        return 0
    if not any(each.connected for each in collected):
        return NOT_CONNECTED
    return SESSION_LOST if all(each.lost for each in collected) else SOME_FAILED


def _plain(collected: Collected) -> dict[str, Any]:
    return {
        "meter": collected.target.name,
        "url": str(collected.target.url),
        "connected": collected.connected,
        "readings": collected.readings,
        "new": collected.stored.new,
        "changed": collected.stored.changed,
        "failures": [{"what": each.what, "error": plain_error(each.error)} for each in collected.failures],
    }
