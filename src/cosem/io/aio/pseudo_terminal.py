"""A serial line that is not there: two pseudo-terminals of this machine, and what carries octets between them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from typing import Any, Final, Self

from cosem.errors import ConfigurationError

LARGEST: Final = 4096
"""Octets carried at once."""

FORMAT: Final = "8N1"
"""The one character format of a pseudo-terminal."""


class PseudoTerminal:
    """A line with two ends; `near` and `far` are their devices. It is carried as long as the context is entered.

    Nobody waits for a line: what an end does not take because nobody reads there is lost, as on a wire. Speeds are not
    looked at. Raises ConfigurationError where the system has no pseudo-terminals.
    """

    def __init__(self) -> None:
        tty = _module("tty")
        self._ends: list[tuple[int, int]] = []
        try:
            for _ in range(2):
                self._ends.append(os.openpty())
            for controller, device in self._ends:
                tty.setraw(device)
                os.set_blocking(controller, False)
            self.near, self.far = (os.ttyname(device) for _, device in self._ends)
        except OSError as error:
            self.close()
            raise ConfigurationError(f"no pseudo-terminal can be opened: {error.strerror}") from None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        (one, _), (other, _) = self._ends
        loop.add_reader(one, _carry, one, other)
        loop.add_reader(other, _carry, other, one)
        return self

    async def __aexit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for controller, _device in self._ends:
            loop.remove_reader(controller)
        self.close()

    def close(self) -> None:
        """Give up both ends; a second time does nothing."""
        ends, self._ends = self._ends, []
        for end in ends:
            for descriptor in end:
                os.close(descriptor)


def _carry(source: int, target: int) -> None:
    with contextlib.suppress(OSError):  # of an end that is full, or just gone
        os.write(target, os.read(source, LARGEST))


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigurationError("this system has no pseudo-terminals: simulate on tcp") from None
