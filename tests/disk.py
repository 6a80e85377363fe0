"""A disk in memory that loses power at any step, for tests: what was not synchronised is kept, torn or lost."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cosem.store.durable import Disk


class PowerLoss(BaseException):
    """The power has gone: nothing of the program goes on, its clean-up neither."""


class After(Enum):
    """What a power loss leaves of what was written and not yet synchronised."""

    KEPT = "all of it, as when only the process dies"
    LOST = "nothing of it"
    TORN = "half of each file, under its new name"
    NAMES = "the names, but no content"


@dataclass
class _File:
    number: int
    cached: bytes = b""
    durable: bytes = b""


class MemoryDisk(Disk):
    """Files that survive `reboot`; the step numbered `fatal` (from 1) loses the power or, with `failing`, fails.

    With `lasting` every step from there on fails as well; `capacity` is how many octets there is space for.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.fatal = 0
        self.failing = False
        self.lasting = False
        self.capacity: int | None = None
        self.numbers = 0
        self.names: dict[Path, _File] = {}
        self.kept: dict[Path, _File] = {}
        self._open: dict[int, _File] = {}
        self._dead = False

    def step(self) -> None:
        if self._dead:
            raise PowerLoss
        self.steps += 1
        if self.steps == self.fatal or (self.lasting and 0 < self.fatal < self.steps):
            if self.failing:
                raise OSError(errno.EIO, "Input/output error")
            self._dead = True
            raise PowerLoss

    def create(self, path: Path) -> int:
        self.step()
        self.numbers += 1
        file = self.names[path] = _File(self.numbers)
        self._open[self.numbers] = file
        return self.numbers

    def append(self, path: Path) -> int:
        self.step()
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        self.numbers += 1
        self._open[self.numbers] = self.names[path]
        return self.numbers

    def write(self, descriptor: int, octets: memoryview) -> int:
        # In two pieces, so that the power can go between them.
        self.step()
        piece = octets[: max(1, len(octets) // 2)]
        if self.capacity is not None and self.used + len(piece) > self.capacity:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._open[descriptor].cached += bytes(piece)
        return len(piece)

    @property
    def used(self) -> int:
        """Octets of all files."""
        return sum(len(file.cached) for file in self.names.values())

    def shorten(self, descriptor: int, length: int) -> None:
        self.step()
        file = self._open[descriptor]
        file.cached = file.cached[:length]

    def synchronise(self, descriptor: int) -> None:
        self.step()
        file = self._open[descriptor]
        file.durable = file.cached

    def close(self, descriptor: int) -> None:
        del self._open[descriptor]

    def rename(self, source: Path, target: Path) -> None:
        self.step()
        self.names[target] = self.names.pop(source)

    def remove(self, path: Path) -> None:
        self.step()
        self.names.pop(path, None)

    def synchronise_directory(self, directory: Path) -> None:
        self.step()
        self.kept = dict(self.names)

    def read(self, path: Path, longest: int) -> bytes | None:
        if self._dead:
            raise PowerLoss
        file = self.names.get(path)
        return None if file is None else file.cached[: longest + 1]

    def identity(self, path: Path) -> str:
        if self._dead:
            raise PowerLoss
        return f"{self.names[path].number}:0"

    def reboot(self, after: After) -> None:
        """Come up again, with what the loss has left."""
        self.names = dict(self.kept if after is After.LOST else self.names)
        for file in self.names.values():
            if file.cached != file.durable and after is not After.KEPT:
                kept = len(file.durable) if file.cached.startswith(file.durable) else 0
                half = file.cached[: kept + (len(file.cached) - kept) // 2]
                if file.durable.startswith(file.cached):
                    half = file.cached  # it was shortened
                file.cached = {After.LOST: file.durable, After.TORN: half, After.NAMES: file.durable}[after]
            file.durable = file.cached
        self.kept = dict(self.names)
        self._open.clear()
        self._dead, self.fatal, self.steps, self.failing, self.lasting = False, 0, 0, False, False


def put_back(disk: MemoryDisk, backup: dict[Path, bytes]) -> None:
    """Restore files from a backup: the old octets, as new files."""
    for path, octets in backup.items():
        disk.numbers += 1
        disk.names[path] = disk.kept[path] = _File(disk.numbers, octets, octets)


def backup_of(disk: MemoryDisk) -> dict[Path, bytes]:
    """Return what a backup of all files holds."""
    return {path: file.cached for path, file in disk.names.items()}
