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
    until = time.monotonic() + seconds
    while (descriptor := _held(path)) is None:
        if time.monotonic() > until:
            raise ConfigurationError(f"another process holds the lock {path} for more than {seconds:g} s")
        time.sleep(_PAUSE_SECONDS)
    try:
        yield
    finally:
        # Closing gives the lock up, on every system.
        os.close(descriptor)


def _held(path: Path) -> int | None:
    """Return the lock, held; None while another process holds it, or has just taken the file away that was opened."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise ConfigurationError(f"cannot open the lock {path}: {problem.strerror}") from problem
    held = False
    try:
        held = _try_lock(descriptor) and _names(path, descriptor)
    finally:
        if not held:
            os.close(descriptor)
    return descriptor if held else None


def _names(path: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False


class Disk:
    """The calls on files that durability rests on, each a step of its own; here those of the operating system."""

    def create(self, path: Path) -> int:
        """Open a new or emptied file for writing, with access for nobody else."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)

    def append(self, path: Path) -> int:
        """Open a file that is there, for writing behind what it holds."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))

    def write(self, descriptor: int, octets: memoryview) -> int:
        """Write some of `octets`; return how many."""
        return os.write(descriptor, octets)

    def shorten(self, descriptor: int, length: int) -> None:
        """Take away what a file holds beyond its first octets."""
        os.ftruncate(descriptor, length)

    def synchronise(self, descriptor: int) -> None:
        """Return when what was written is durable."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a file."""
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Let `target` name the file that `source` names, in place of what it named before."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Take away a name."""
        path.unlink()

    def synchronise_directory(self, directory: Path) -> None:
        """Return when the names in a directory are durable; Windows has no such call and writes them through."""
        if os.name == "posix":
            descriptor = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def read(self, path: Path, longest: int) -> bytes | None:
        """Return what a file holds, no more than one octet above `longest`; None when there is no such file."""
        try:
            with path.open("rb") as file:
                return file.read(longest + 1)
        except FileNotFoundError:
            return None

    def identity(self, path: Path) -> str:
        """Return what tells this very file from a copy of it that was put in its place: its number and its last change.

        A file that is copied, unpacked or restored gets another one, whatever times the copy was given.
        """
        status = path.stat()
        return f"{status.st_ino}:{status.st_ctime_ns}"


SYSTEM: Final = Disk()


def replace(path: Path, octets: bytes, disk: Disk = SYSTEM) -> None:
    """Let `path` hold `octets`, durably: after this returns they survive a power loss, before it the old ones do.

    Raises ConfigurationError when that cannot be promised.
    """
    prepare(path, octets, disk)
    swap(path, disk)


def prepare(path: Path, octets: bytes, disk: Disk = SYSTEM) -> None:
    """Write beside `path`, durably, what it is to hold after `swap`: all that needs space on the disk.

    Raises ConfigurationError when that cannot be done; then nothing is left beside it.
    """
    beside = _beside(path)
    try:
        descriptor = disk.create(beside)
        try:
            _write(descriptor, octets, disk)
        finally:
            disk.close(descriptor)
    except OSError as problem:
        discard(path, disk)
        raise ConfigurationError(f"cannot write {path}: {problem.strerror}") from problem


def swap(path: Path, disk: Disk = SYSTEM) -> None:
    """Let `path` hold what was prepared; ConfigurationError when that cannot be promised: it may hold either."""
    try:
        disk.rename(_beside(path), path)
        # The new name is durable only when the directory is.
        disk.synchronise_directory(path.parent)
    except OSError as problem:
        discard(path, disk)
        raise ConfigurationError(f"cannot write {path}: {problem.strerror}") from problem


def discard(path: Path, disk: Disk = SYSTEM) -> None:
    """Take away what was prepared for `path`, if anything."""
    with suppress(OSError):
        disk.remove(_beside(path))


def append(path: Path, octets: bytes, disk: Disk = SYSTEM) -> None:
    """Write behind what `path` holds, durably; a power loss before this returns may leave a part of `octets` there.

    Raises ConfigurationError when that cannot be promised; then too a part may be there.
    """
    try:
        descriptor = disk.append(path)
        try:
            _write(descriptor, octets, disk)
        finally:
            disk.close(descriptor)
    except OSError as problem:
        raise ConfigurationError(f"cannot write {path}: {problem.strerror}") from problem


def shorten(path: Path, length: int, disk: Disk = SYSTEM) -> bool:
    """Let `path` hold its first octets alone, durably; False where there is no such file.

    Raises ConfigurationError when that cannot be promised.
    """
    try:
        descriptor = disk.append(path)
        try:
            disk.shorten(descriptor, length)
            disk.synchronise(descriptor)
        finally:
            disk.close(descriptor)
    except FileNotFoundError:
        return False
    except OSError as problem:
        raise ConfigurationError(f"cannot shorten {path}: {problem.strerror}") from problem
    return True


def remove(path: Path, disk: Disk = SYSTEM) -> None:
    """Take `path` away, durably; ConfigurationError when that cannot be promised."""
    try:
        disk.remove(path)
        disk.synchronise_directory(path.parent)
    except FileNotFoundError:
        return
    except OSError as problem:
        raise ConfigurationError(f"cannot remove {path}: {problem.strerror}") from problem


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _write(descriptor: int, octets: bytes, disk: Disk) -> None:
    view = memoryview(octets)
    while view:
        view = view[disk.write(descriptor, view) :]
    disk.synchronise(descriptor)


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
