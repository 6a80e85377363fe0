"""One line with several meters on it, and several clients of this process that take turns on it.

    bus = Bus.blocking("hdlc+serial:///dev/ttyUSB0?baud=9600")
    first = Client.open("hdlc+serial:///dev/ttyUSB0?physical=17", opener=bus.opener)
    second = Client.open("hdlc+serial:///dev/ttyUSB0?physical=18", opener=bus.opener)

A turn is one exchange: a question and its whole answer. Nobody speaks in the turn of another, nor within `gap` seconds
after the last octet on the line: stations on two wires need that time to let go of it. Each client keeps its own
connection meanwhile; the stations tell them apart by their addresses. Tasks do the same with `Bus.asyncio` and
`AsyncClient`. A client that comes to a line which was lost meanwhile opens it anew.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeAlias

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io import blocking, failure
from cosem.io.open import open_async, open_blocking
from cosem.io.stream import CONNECT_TIMEOUT, Stream
from cosem.protocol.profile.address import ConnectionUrl

GAP: Final = 0.05
"""Seconds of silence before somebody else speaks, unless told otherwise."""

BITS: Final = 11
"""Those of an octet on a line, in the longest of the usual formats."""

LONGEST_BABBLE: Final = 20
"""Gaps that are waited for on a line that does not fall silent, before somebody speaks all the same."""

Open: TypeAlias = Callable[[ConnectionUrl, float], Coroutine[Any, Any, Stream]]


def line_of(url: ConnectionUrl) -> tuple[object, ...]:
    """Return what must be the same for URLs to be of one line; the meters on it differ in their addresses alone."""
    dialled = (url.number, url.pin, url.init, url.answer_wait)
    return (url.medium, url.place, url.baud, url.format, url.parity, url.echo, url.rs485, url.flow, url.bind, *dialled)


def shareable(url: ConnectionUrl) -> bool:
    """Tell whether several clients can take turns: HDLC has addresses, and leaves the speed of the line as it is."""
    return url.framing == "hdlc" and url.sign_on is None and url.medium != "udp"


class Turn(Protocol):
    """What one holder at a time has; the lock of asyncio is one."""

    async def acquire(self) -> Any: ...
    def release(self) -> None: ...


class Bus:
    """A line and whose turn it is on it; opened when the first client comes, and again after it was lost.

    Args:
        url: the place, its speed and format; the addresses in it are not looked at.
        turn: decides who is next: of threads, of tasks, or of a simulated world.
        open_line: opens the line.
        gap: seconds of silence before each turn.

    `counters` tells `turns`, `octets_left_over` (what nobody waited for) and `babble` (a line that was not silent).
    """

    def __init__(self, url: ConnectionUrl | str, turn: Turn, open_line: Open, *, gap: float = GAP) -> None:
        self.url = url if isinstance(url, ConnectionUrl) else ConnectionUrl.parse(url)
        if gap < 0:
            raise ConfigurationError(f"gap={gap:g}: it is seconds, from 0 on")
        self.gap = gap
        self.turn = turn
        self.counters: Counter[str] = Counter()
        self.busy_until = 0.0
        """When what was written last has left the line at the earliest."""
        self._open = open_line
        self._line: Stream | None = None

    @property
    def octet_time(self) -> float:
        """Seconds that an octet takes on the line; 0 where nobody says how fast it is."""
        return 0.0 if self.url.baud is None else BITS / self.url.baud

    @classmethod
    def blocking(cls, url: ConnectionUrl | str, *, gap: float = GAP) -> Bus:
        """Return a bus for clients that block, in any number of threads."""
        return cls(url, _ThreadTurn(), _open_blocking, gap=gap)

    @classmethod
    def asyncio(cls, url: ConnectionUrl | str, *, gap: float = GAP) -> Bus:
        """Return a bus for clients of one event loop."""
        return cls(url, asyncio.Lock(), open_async, gap=gap)

    async def opener(self, url: ConnectionUrl, seconds: float = CONNECT_TIMEOUT) -> Stream:
        """Give a client its stream; for the `opener` of a client.

        Raises ConfigurationError when the client wants to go elsewhere or to sign on, which changes the speed for all,
        and what opening the line raises.
        """
        if line_of(url) != line_of(self.url):
            raise ConfigurationError(
                f"{url} is not on the line {self.url}: place, baud, format and what the line does must be the same"
            )
        if not shareable(url):
            raise ConfigurationError(f"{url} cannot share a line: only HDLC without a sign-on takes turns")
        await self.turn.acquire()
        try:
            return BusStream(self, await self.line(seconds))
        finally:
            self.turn.release()

    async def line(self, seconds: float = CONNECT_TIMEOUT) -> Stream:
        """Return the line, opened where it is not; for whoever has the turn."""
        if self._line is None:
            self._line = await self._open(self.url, seconds)
        return self._line

    async def aclose(self) -> None:
        """Let go of the line; clients that still hold a stream of it get ConnectionLost."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    def close(self) -> None:
        """Let go of a line that blocks."""
        blocking.run(self.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def lost(self, line: Stream) -> None:
        """Forget a line that is no more, so that the next client opens it anew."""
        if self._line is line:
            self._line = None


class BusStream:
    """The part of one client in a bus: a `Shared` stream. Closing it leaves the line to the others."""

    def __init__(self, bus: Bus, line: Stream) -> None:
        self.stream = line
        self._bus = bus
        self._closed = False
        self._new = True
        """Nothing was said yet, so that another line is as good."""

    def now(self) -> float:
        return self.stream.now()

    async def take_turn(self) -> None:
        """Wait for our turn, and for the line to be silent; whatever comes meanwhile is for nobody."""
        bus = self._bus
        await bus.turn.acquire()
        try:
            bus.counters["turns"] += 1
            if not self._closed:
                await self._silence_or_another_line()
        except BaseException:
            bus.turn.release()
            raise

    def give_turn(self) -> None:
        self._bus.turn.release()

    async def read(self, deadline: float | None, /) -> bytes:
        self._check()
        try:
            return await self.stream.read(deadline)
        except ConnectionLost:
            self._bus.lost(self.stream)
            raise

    async def write(self, octets: bytes, /) -> None:
        self._check()
        self._bus.busy_until = self.now() + len(octets) * self._bus.octet_time
        try:
            await self.stream.write(octets)
        except ConnectionLost:
            self._bus.lost(self.stream)
            raise

    async def close(self) -> None:
        self._closed = True

    async def _silence_or_another_line(self) -> None:
        new, self._new = self._new, False
        try:
            await self._silence()
        except ConnectionLost:
            if not new:
                raise
            self.stream = await self._bus.line()

    async def _silence(self) -> None:
        for _ in range(LONGEST_BABBLE):
            octets = await self.read(max(self.now(), self._bus.busy_until) + self._bus.gap)
            if not octets:
                return
            self._bus.counters["octets_left_over"] += len(octets)
        self._bus.counters["babble"] += 1

    def _check(self) -> None:
        if self._closed:
            raise failure.closed_here()


class _ThreadTurn:
    """Turns of threads; whoever waits blocks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def acquire(self) -> None:
        self._lock.acquire()

    def release(self) -> None:
        self._lock.release()


async def _open_blocking(url: ConnectionUrl, seconds: float) -> Stream:
    return open_blocking(url, timeout=seconds)
