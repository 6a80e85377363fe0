"""Files that are either old or new but never half, and a lock that only one process holds at a time."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from cosem.errors import ConfigurationError

LOCK_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.005


@contextmanager
def exclusive(path: Path, seconds: float = LOCK_SECONDS) -> Generator[None, None, None]:
    """Hold the lock file `path`; the system gives it up when the process dies, however it dies.

    Raises ConfigurationError when it cannot be made, or is not free within `seconds`.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise ConfigurationError(f"cannot open the lock {path}: {problem.strerror}") from problem
    try:
        until = time.monotonic() + seconds
        while not _try_lock(descriptor):
            if time.monotonic() > until:
                raise ConfigurationError(f"another process holds the lock {path} for more than {seconds:g} s")
            time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        # Closing gives the lock up, on every system.
        os.close(descriptor)


def replace(path: Path, octets: bytes) -> None:
    """Let `path` hold `octets`, durably: after this returns they survive a power loss, before it the old ones do.

    Raises ConfigurationError when that cannot be promised.
    """
    beside = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
        try:
            view = memoryview(octets)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.replace(path)
        _sync_directory(path.parent)
    except OSError as problem:
        with suppress(OSError):
            beside.unlink()
        raise ConfigurationError(f"cannot write {path}: {problem.strerror}") from problem


def _sync_directory(directory: Path) -> None:
    # The new name is durable only when the directory is; Windows has no such call and writes it through.
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
