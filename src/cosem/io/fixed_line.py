"""The line behind a raw TCP serial server or a modem: nobody here can change it, which is said once."""

from __future__ import annotations

import logging

from cosem.errors import TimedOut
from cosem.io.stream import Stream

_log = logging.getLogger("cosem.io")


class FixedLine:
    """A LineStream whose speed and character format are set elsewhere; a change is acknowledged and not done.

    `asked` is what was asked for last.
    """

    def __init__(self, stream: Stream, where: str) -> None:
        self.stream = stream
        self.asked: tuple[int, str] | None = None
        self._where = where

    def now(self) -> float:
        return self.stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        return await self.stream.read(deadline)

    async def write(self, octets: bytes, /) -> None:
        await self.stream.write(octets)

    async def close(self) -> None:
        await self.stream.close()

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        if self.asked is None:
            _log.warning(
                "the line of the meter is not set from here, but behind %s: the change to %d baud %s is acknowledged "
                "and not done; set it there, or reach a serial server that can do it by rfc2217",
                *(self._where, baud, character_format),
            )
        self.asked = (baud, character_format)

    async def send_break(self, seconds: float = 0.25, /) -> None:
        """Nothing can be done about it."""

    def explain(self, error: TimedOut, /) -> TimedOut:
        """A silence after a change of speed suggests that the line was to follow it."""
        if self.asked is None:
            return error
        line = f"{self.asked[0]} baud {self.asked[1]}"
        why = f"the line of the meter, set elsewhere, was not set to {line}; see the serial server or modem"
        return TimedOut(error.phase, error.seconds, why)
