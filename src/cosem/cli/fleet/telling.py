"""What a fleet is doing, told as it goes on: a line that is renewed on a terminal, or a JSON object a line."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cosem.cli.report import put_json_line
from cosem.fleet.fleet import Fleet, FleetState

RENEWED: Final = 1.0
"""Seconds after which the line on a terminal is renewed."""


async def tell(served: Fleet, *, every: float | None, as_json: bool) -> None:
    """Tell the state of a fleet for ever: to programs if they want it so often, to people on a terminal always."""
    if as_json and every is None:
        return
    with _line() as renew:
        while as_json or renew is not None:
            now, state = served.population.clock(), served.state
            if as_json:
                put_json_line(plain(state, now))
            elif renew is not None:
                renew.update(Text(line(state, now), no_wrap=True, overflow="ellipsis"))
            await asyncio.sleep(every or RENEWED)


def plain(state: FleetState, now: datetime) -> dict[str, Any]:
    """Return a state as JSON has it."""
    return {"virtual_time": now.isoformat(timespec="seconds"), **asdict(state)}


def line(state: FleetState, now: datetime) -> str:
    """Return a state in one line: when it is, and every number that is not 0."""
    told = (f"{value} {name.replace('_', ' ')}" for name, value in asdict(state).items() if value)
    return f"{now:%Y-%m-%d %H:%M:%S %Z}: {', '.join(told)}"


@contextmanager
def _line() -> Generator[Live | None, None, None]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Live(console=console, auto_refresh=True, refresh_per_second=2, transient=True) as live:
        yield live
