"""Taking away the echo of lines on which what is sent comes back: RS-485 on two wires, current loops, optical heads."""

from __future__ import annotations

from typing import Final

from cosem.errors import LocalProtocolError, OnlyEcho, TimedOut
from cosem.io.stream import LineStream, Stream

LONGEST_ECHO: Final = 65536
"""Octets that are awaited back at most; older ones are given up."""

ECHO_PATIENCE: Final = 2.0
"""Seconds beyond its own time on the line after which an echo does not come any more."""

SLOWEST: Final = 300
"""Baud that is reckoned with as long as nobody has said which it is."""


class EchoStripping:
    """A LineStream without the octets of its own that come back.

    What is written is awaited back, octet for octet; as long as what is read agrees it is held, and taken away when a
    whole write has come back. Where it differs there was no echo, or a damaged one, and nothing is taken away: a
    checksum has to tell. An echo that takes too long is no longer awaited. `echoes` counts writes that came back,
    `foreign` the octets that were not ours, `missed` the writes that did not come back as they went out.
    """

    def __init__(self, stream: Stream, baud: int = SLOWEST) -> None:
        self.stream = stream
        self.echoes = 0
        self.missed = 0
        self.foreign = 0
        self._baud = baud
        self._awaited: list[bytes] = []
        self._held = bytearray()
        """What came back of the write that is awaited first."""
        self._until = 0.0

    def now(self) -> float:
        return self.stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        while True:
            due = deadline
            if self._awaited:
                due = self._until if deadline is None else min(deadline, self._until)
            octets = await self.stream.read(due)
            left = self._strip(octets) if octets else self._overdue()
            if left:
                self.foreign += len(left)
                return left
            if not octets and deadline is not None and self.stream.now() >= deadline:
                return b""

    async def write(self, octets: bytes, /) -> None:
        if octets:
            self._awaited.append(bytes(octets))
            while len(self._awaited) > 1 and sum(map(len, self._awaited)) > LONGEST_ECHO:
                self._forget()
            self._until = max(self._until, self.stream.now()) + len(octets) * 11 / self._baud + ECHO_PATIENCE
        await self.stream.write(octets)

    async def close(self) -> None:
        await self.stream.close()

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        await self._line().configure(baud, character_format)
        self._baud = baud

    async def send_break(self, seconds: float = 0.25, /) -> None:
        await self._line().send_break(seconds)

    def explain(self, error: TimedOut, /) -> TimedOut:
        """Where nothing came but the echo, say so."""
        return OnlyEcho(error.phase, error.seconds) if self.echoes and not self.foreign else error

    def _line(self) -> LineStream:
        if not isinstance(self.stream, LineStream):
            raise LocalProtocolError("only a serial line can be configured")
        return self.stream

    def _strip(self, octets: bytes) -> bytes:
        """Return what of the octets is no echo."""
        while self._awaited and octets:
            first = self._awaited[0]
            part = octets[: len(first) - len(self._held)]
            if not first.startswith(self._held + part):
                held = self._forget()
                self._awaited.clear()  # what comes from here on cannot be told from what a peer says
                return held + octets
            self._held += part
            octets = octets[len(part) :]
            if len(self._held) == len(first):
                self.echoes += 1
                self._awaited.pop(0)
                self._held.clear()
        return octets

    def _overdue(self) -> bytes:
        """Return what was held of an echo that is no longer awaited."""
        if not self._awaited or self.stream.now() < self._until:
            return b""
        held = self._forget()
        self.missed += len(self._awaited)
        self._awaited.clear()
        return held

    def _forget(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        self._awaited.pop(0)
        self.missed += 1
        return held
