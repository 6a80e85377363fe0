"""A progress bar on stderr for work that takes its time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def working(what: str, *, quiet: bool = False) -> Generator[None, None, None]:
    """Show on a terminal that something is under way whose length nobody knows; `quiet` where other lines come."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


@contextmanager
def counting(what: str, total: int) -> Generator[Callable[[int, int], None], None, None]:
    """Show a bar as long as the body runs; it is given what to call with how many are done, and of how many."""
    with _bar() as bar:
        task = bar.add_task(what, total=total)
        yield lambda done, of: bar.update(task, completed=done, total=of)


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[], None], None, None]:
    """Show a bar as long as the body runs; it is given what to call when one of `total` is done."""
    with _bar() as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def telling(*, quiet: bool = False) -> Generator[Callable[[str, int, int], None], None, None]:
    """Show a bar for work that tells itself what it does, how much is done, and of how much; 0 where nobody knows."""
    if quiet or not Console(stderr=True).is_terminal:
        yield lambda _what, _done, _total: None
        return
    with _bar() as bar:
        task = bar.add_task("", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        yield show
