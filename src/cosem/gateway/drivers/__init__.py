"""Drivers: how a device of one protocol is read and written, each in the fewest exchanges it takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from cosem.gateway.config import Signal
from cosem.gateway.value import Command, CommandResult, Sample


class Driver(Protocol):
    """One device on its line. Whoever calls owns the line for that time; nothing here waits for a turn."""

    async def scan(self) -> Sequence[Sample]:
        """Read all enabled signals of the device, in one session or within the one that is open.

        A signal that fails by itself comes as a sample of INVALID quality; raises CosemError where the device was not
        reached at all.
        """
        ...

    async def backfill(self, signals: Sequence[Signal], since: datetime, until: datetime) -> Sequence[Sample]:
        """Read what the profiles and logs of some signals recorded after one time and up to another, in its order.

        Nothing where the device has none. Raises CosemError where it was not reached.
        """
        ...

    async def obey(self, command: Command) -> CommandResult:
        """Set an attribute or run a method, as the row of a write-enabled signal says. Raises CosemError."""
        ...

    async def close(self) -> None:
        """Leave the device in good order."""
        ...
