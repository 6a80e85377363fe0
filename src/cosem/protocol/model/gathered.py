"""All that is wrong in a file, told at once: each fault is taken down, and reading goes on behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, overload

from cosem.errors import ConfigurationError
from cosem.protocol.model.table import Table

T = TypeVar("T")

MOST_FAULTS: Final = 100
"""Faults that are told; of more it is said how many."""


class _Faulty(Exception):
    """A table of which something was taken down already, so that nothing can be made of it."""


class Gathered:
    """The faults of a file so far."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._before = 0

    @overload
    def take(self, read: Callable[[], T]) -> T | None: ...
    @overload
    def take(self, read: Callable[[], T], instead: T) -> T: ...
    def take(self, read: Callable[[], T], instead: T | None = None) -> T | None:
        """Return what `read` returns; what is wrong is taken down, and `instead` stands for it."""
        try:
            return read()
        except ConfigurationError as fault:
            self.add(fault)
            return instead

    def add(self, fault: ConfigurationError) -> None:
        """Take one fault down."""
        self.faults.append(str(fault))

    def made(self, table: Table, make: Callable[[Table, Gathered], T]) -> T | None:
        """Return what is made of a table, None where anything is wrong with it."""
        self._before = len(self.faults)
        try:
            return make(table, self)
        except ConfigurationError as fault:
            self.add(fault)
        except _Faulty:
            pass  # it was taken down
        return None

    def unless_faulty(self) -> None:
        """Give up the table that is being made if anything of it was wrong."""
        if len(self.faults) > self._before:
            raise _Faulty

    def finish(self, table: Table) -> None:
        """Take down the keys of a table that nobody has asked for."""
        for stranger in table.strangers():
            self.add(stranger)

    def check(self) -> None:
        """Raise ConfigurationError with all faults, one a line, if there are any."""
        if len(self.faults) == 1:
            raise ConfigurationError(self.faults[0])
        if self.faults:
            told = "".join(f"\n  {each}" for each in self.faults[:MOST_FAULTS])
            raise ConfigurationError(f"{len(self.faults)} things are wrong:{told}")
