"""The table [state]: where the state of a meter survives a restart."""

from __future__ import annotations

from pathlib import Path

from cosem.protocol.model.table import Table
from cosem.store.state import StateStore, open_state


def state_from(whole: Table, folder: Path, instead: Path | None = None) -> StateStore | None:
    """Return the state that [state] names, `instead` in its place, or None; paths begin in `folder`.

    Raises ConfigurationError when it cannot be used, or another process uses it.
    """
    path = instead
    if "state" in whole:
        table = whole.table("state")
        described = table.text("path")
        table.finish()
        path = instead or folder / described
    return None if path is None else whole.guarded(lambda: open_state(path))
