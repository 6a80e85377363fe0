"""The stream: all the input and output that an operation or a meter may ask for."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from cosem.errors import TimedOut


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

    async def send_break(self, seconds: float = 0.25, /) -> None:
        """Wait until everything written has left, then hold the line in the break condition for so long."""
        ...


@runtime_checkable
class Shared(Stream, Protocol):
    """A stream over a line that others use too: whoever wants to speak, or to hear an answer, takes a turn for it."""

    async def take_turn(self) -> None:
        """Wait until nobody else uses the line, and hold it from then on. Raises ConnectionLost."""
        ...

    def give_turn(self) -> None:
        """Let the others use the line."""
        ...


@runtime_checkable
class Explaining(Protocol):
    """A stream that may know why nothing comes."""

    def explain(self, error: TimedOut, /) -> TimedOut:
        """Return the error as it is, or one that says why nothing came and what to try."""
        ...


def explained(error: TimedOut, stream: Stream) -> TimedOut:
    """Return the error with what is known about it by a stream, or by one of those that it is made of."""
    layer: object = stream
    while layer is not None:
        if isinstance(layer, Explaining) and (better := layer.explain(error)) is not error:
            return better
        layer = getattr(layer, "stream", None)
    return error


def counted(stream: Stream) -> dict[str, int]:
    """Return what a stream, and those it is made of, have counted. Few drivers tell of errors of hardware parity."""
    found: dict[str, int] = {}
    layer: Any = stream
    while layer is not None:
        for name in ("parity_errors", "echoes"):
            if isinstance(count := getattr(layer, name, None), int):
                found[name] = count
        found.update(getattr(layer, "counters", {}))
        layer = getattr(layer, "stream", None)
    return found


CONNECT_TIMEOUT = 10.0
"""Seconds to wait for a connection, unless told otherwise."""

WRITE_TIMEOUT = 30.0
"""Seconds without the peer taking a single octet after which a write gives up."""

LARGEST_READ = 65536
"""Octets asked for in one read; no UDP datagram is larger."""
