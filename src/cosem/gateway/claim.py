"""Lines belong to one gateway: what claims them holds a lock for each, and whoever comes second is told who has it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from cosem.errors import ConfigurationError
from cosem.store.durable import exclusive


def folder() -> Path:
    """Return where the locks of this user are."""
    return Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"cosem-gateway-{_user()}"


class Claim:
    """The lines of one gateway, from `with` to its end. Raises ConfigurationError for a line that another one has."""

    def __init__(self, lines: Iterable[str] = (), place: Path | None = None) -> None:
        self._place = place or folder()
        self._lines = tuple(lines)
        self._held: dict[str, ExitStack] = {}

    def __enter__(self) -> Self:
        try:
            self.hold(self._lines)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hold(self, lines: Iterable[str]) -> None:
        """Hold these lines and no others."""
        wanted = dict.fromkeys(lines)
        for line in wanted:
            if line not in self._held:
                self._held[line] = self._lock(line)
        for line in [each for each in self._held if each not in wanted]:
            self._held.pop(line).close()

    def close(self) -> None:
        """Give all of them up."""
        for each in self._held.values():
            each.close()
        self._held.clear()

    def _lock(self, line: str) -> ExitStack:
        self._place.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = hashlib.sha256(line.encode()).hexdigest()[:24]
        owner = self._place / f"{name}.pid"
        held = ExitStack()
        try:
            held.enter_context(exclusive(self._place / f"{name}.lock", 0.0))
        except ConfigurationError:
            raise ConfigurationError(
                f"another gateway has the line {line}: process {_read(owner)}. Stop it first: kill {_read(owner)}"
            ) from None
        owner.write_text(f"{os.getpid()}\n", encoding="ascii")
        return held


def _read(path: Path) -> str:
    try:
        found = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return "?"
    return found if found.isdecimal() else "?"


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"
