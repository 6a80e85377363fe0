"""The directory in which the suite keeps, for one user, what must survive: counters and the client's system title."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Final

from cosem.errors import ConfigurationError

_NAME: Final = "cosem"
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


def default_state_directory() -> Path:
    """Return the user's own directory, made with access for nobody else if it is not there.

    It is `$XDG_STATE_HOME/cosem` or `~/.local/state/cosem`, on Windows `%LOCALAPPDATA%\\cosem`, on macOS
    `~/Library/Application Support/cosem`. Raises ConfigurationError when it cannot be made or others may write to it.
    """
    directory = _base() / _NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = directory.stat().st_mode
    except OSError as problem:
        raise ConfigurationError(f"cannot use the directory {directory}: {problem.strerror}") from problem
    if os.name == "posix" and mode & _WRITABLE_BY_OTHERS:
        raise ConfigurationError(
            f"others may write to {directory}, so that counters in it could be set back; type: chmod go-w '{directory}'"
        )
    return directory


def _base() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    given = os.environ.get("XDG_STATE_HOME", "")
    # A relative path is to be ignored, says the XDG base directory specification.
    return Path(given) if Path(given).is_absolute() else Path.home() / ".local" / "state"
