"""What asyncio streams wait with: an inbox for those who read, a gate for those who write."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from cosem.errors import ConnectionLost, LocalProtocolError, TimedOut
from cosem.io import failure
from cosem.io.stream import WRITE_TIMEOUT

READ_AHEAD = 262_144
"""Octets held for a reader who does not come, before the peer is made to wait (TCP) or datagrams are dropped (UDP)."""


class Inbox:
    """What has arrived and not been read, and at most one reader who waits for more."""

    __slots__ = ("_chunks", "_deadline", "_gone", "_held", "_loop", "_timer", "_waiter", "dropped")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()
        self._held: int = 0
        self._waiter: asyncio.Future[bool] | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gone = ""
        self.dropped = 0
        """Datagrams thrown away because nobody read."""

    def now(self) -> float:
        return self._loop.time()

    def _arrived(self, octets: bytes) -> None:
        self._chunks.append(octets)
        self._held += len(octets)
        self._wake()

    def _take_one(self) -> bytes:
        octets = self._chunks.popleft()
        self._held -= len(octets)
        return octets

    def _lose(self, why: ConnectionLost) -> None:
        self._gone = self._gone or str(why)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(True)

    async def _wait(self, deadline: float | None) -> bool:
        """Wait for something to happen; False when the deadline came first.

        One timer serves many reads: it is set again only when it would ring too late, since nearly every read ends
        long before its deadline and arming a timer costs as much as the rest of the read.
        """
        if self._waiter is not None:
            raise LocalProtocolError("two tasks read from one stream at the same time")
        self._waiter = self._loop.create_future()
        self._deadline = deadline
        if deadline is not None and (self._timer is None or deadline < self._timer.when()):
            self._stop_timer()
            self._timer = self._loop.call_at(deadline, self._ring)
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done() or self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._ring)
        else:
            self._waiter.set_result(False)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _shut(self) -> None:
        self._gone = self._gone or str(failure.closed_here())
        self._chunks.clear()
        self._held = 0
        self._stop_timer()
        self._wake()


class Gate:
    """Holds writers back while the transport's buffer is full."""

    __slots__ = ("_shut", "_waiting")

    def __init__(self) -> None:
        self._shut = False
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def is_shut(self) -> bool:
        return self._shut

    def shut(self) -> None:
        self._shut = True

    def open(self) -> None:
        self._shut = False
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def passage(self, backlog: Callable[[], int]) -> None:
        """Wait until the gate opens, as long as the backlog shrinks at all."""
        while self._shut:
            before = backlog()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(waiter)
            try:
                async with asyncio.timeout(WRITE_TIMEOUT):
                    await waiter
            except TimeoutError as error:
                if backlog() >= before:
                    raise TimedOut("write", WRITE_TIMEOUT) from error
            finally:
                self._waiting.discard(waiter)
