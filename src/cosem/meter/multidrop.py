"""Many meters on one line: each HDLC frame goes to the meter that its lower address names, or to all of them.

Each meter has a link of its own behind a stream in memory, made when it is spoken to first. Frames that are damaged or
name nobody are left unanswered, as on two wires.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from cosem.errors import ConnectionLost, CosemError, DecodeError, TimedOut
from cosem.io.aio.memory import MemoryStream
from cosem.io.stream import Stream
from cosem.meter.gateway import Serve
from cosem.protocol.link.hdlc.address import ALL_STATION, HdlcAddress
from cosem.protocol.link.hdlc.frame import Frame, FrameReader
from cosem.protocol.profile.timing import ServerTiming

_log = logging.getLogger("cosem.meter")

FIRST_PHYSICAL: Final = 16
"""The lowest lower address that is given to a meter; those below it are reserved."""

MOST_ON_A_LINE: Final = 1024
"""Meters on one line; the octets of a lower address would hold more."""

Stations: TypeAlias = Sequence[int]
"""The lower addresses of the meters on a line."""


async def attend_line(
    stations: Stations,
    serve: Callable[[int], Serve],
    stream: Stream,
    *,
    peer: str = "",
    timing: ServerTiming | None = None,
) -> None:
    """Serve the meters on a line until the client leaves or is silent for too long.

    Args:
        stations: the lower addresses of the meters.
        serve: says who serves the meter at a lower address.
        peer: who the client is.

    Raises:
        CosemError: why the connection ended, unless it ended in good order. The stream is the caller's to close.
    """
    await _Line(stations, serve, stream, peer, (timing or ServerTiming()).idle).serve()


class _Line:
    """One client on a line, and the meters it has spoken to."""

    def __init__(
        self, stations: Stations, serve: Callable[[int], Serve], stream: Stream, peer: str, idle: float
    ) -> None:
        self._stations = stations
        self._serve = serve
        self._stream = stream
        self._peer = peer
        self._idle = idle
        self._reader = FrameReader(Counter())
        self._ways: dict[int, MemoryStream] = {}
        self._tasks: set[asyncio.Future[None]] = set()

    async def serve(self) -> None:
        """Hand on what comes from the client, until it leaves or is silent for too long."""
        stream = self._stream
        try:
            while True:
                try:
                    octets = await stream.read(stream.now() + self._idle)
                except ConnectionLost:
                    return
                if not octets:
                    raise TimedOut("idle", self._idle)
                self._reader.feed(octets)
                while (frame := self._reader.frame()) is not None:
                    await self._hand_on(frame)
        finally:
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _hand_on(self, frame: Frame) -> None:
        octets = frame.encode()
        for physical in self._named(frame):
            with contextlib.suppress(ConnectionLost):  # it has just ended, and hears the next frame anew
                await self._way(physical).write(octets)

    def _named(self, frame: Frame) -> Iterable[int]:
        """Return the lower addresses that a frame is for."""
        try:
            address = HdlcAddress.decode(frame.destination)
        except DecodeError:
            return ()
        if address.lower is None:
            return ()
        if address.lower == ALL_STATION[address.bits]:
            return self._stations
        return (address.lower,) if address.lower in self._stations else ()

    def _way(self, physical: int) -> MemoryStream:
        near = self._ways.get(physical)
        if near is None:
            near = self._ways[physical] = MemoryStream()
            self._begin(self._serve(physical)(near.other, self._peer))
            self._begin(self._follow(physical, near))
        return near

    def _begin(self, work: Awaitable[None]) -> None:
        task: asyncio.Future[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, physical: int, near: MemoryStream) -> None:
        """Pass back what a meter says, until it or the client is gone."""
        try:
            while True:
                if octets := await near.read(None):
                    await self._stream.write(octets)
        except CosemError as error:
            _log.info("the meter %d on a line ended: %s", physical, error)
        finally:
            if self._ways.get(physical) is near:
                del self._ways[physical]
            await near.close()
