"""Files and directories that a start has made: where that start is refused, they are taken away again."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Made:
    """What was not there when it was named here; `directory` and those above it are named first."""

    def __init__(self, directory: Path) -> None:
        self._files: list[Path] = []
        self._directories = [each for each in (directory, *directory.parents) if not os.path.lexists(each)]

    def files(self, *paths: Path) -> None:
        """Name files, before any of them is made."""
        self._files[:0] = [each for each in paths if not os.path.lexists(each)]

    def lock(self, path: Path) -> None:
        """Name a file that was made to be held, and is taken away last."""
        self._files.append(path)

    def take_away(self) -> None:
        """Take away what is there by now; what is in use, or holds something of others, stays for another try."""
        self._files = [each for each in self._files if not _gone(each)]
        for each in self._directories:
            with suppress(OSError):
                each.rmdir()


def _gone(file: Path) -> bool:
    try:
        file.unlink(missing_ok=True)
    except OSError:
        return False
    return True
