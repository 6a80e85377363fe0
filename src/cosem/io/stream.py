"""The stream: all the input and output that an operation or a meter may ask for."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Stream(Protocol):
    """Octets to and from one peer. Blocking, asyncio, simulated and replayed streams behave alike.

    On datagram media one read is one datagram and one write is one datagram.
    """

    async def read(self, deadline: float | None, /) -> bytes:
        """Return the octets that have arrived, at least one, or `b""` when none came before `deadline` (by `now()`).

        Octets that are already there are returned even after the deadline. None waits for ever. A read that is
        cancelled loses nothing. Raises ConnectionLost when the peer has closed or the medium has failed.
        """
        ...

    async def write(self, octets: bytes, /) -> None:
        """Hand over all of `octets`, waiting while the peer is slower than we are.

        Raises ConnectionLost, or TimedOut("write") when the peer takes nothing at all for `WRITE_TIMEOUT` seconds.
        """
        ...

    async def close(self) -> None:
        """Let go of the medium; a second call does nothing, and reading or writing afterwards raises ConnectionLost."""
        ...

    def now(self) -> float:
        """Return seconds on the clock that deadlines are measured by; it never goes back and means no time of day."""
        ...


@runtime_checkable
class LineStream(Stream, Protocol):
    """A stream over an asynchronous serial line, whose speed and character format can be changed while it is open."""

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        """Wait until everything written has left at the old speed, then change to the new one."""
        ...


CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, unless told otherwise."""

WRITE_TIMEOUT = 30.0
"""Seconds without the peer taking a single octet after which a write gives up."""

LARGEST_READ = 65536
"""Octets asked for in one read; no UDP datagram is larger."""
