"""Two ends of a stream inside one process, for meters that are served where they are asked."""

from __future__ import annotations

from cosem.errors import ConnectionLost
from cosem.io import failure
from cosem.io.aio.waiting import READ_AHEAD, Gate, Inbox


class MemoryStream(Inbox):
    """One end; what is written to it can be read at the other one."""

    __slots__ = ("_gate", "_other")

    def __init__(self, other: MemoryStream | None = None) -> None:
        super().__init__()
        self._gate = Gate()
        self._other = MemoryStream(self) if other is None else other

    @property
    def other(self) -> MemoryStream:
        """The other end."""
        return self._other

    async def read(self, deadline: float | None, /) -> bytes:
        while not self._chunks:
            if self._gone:
                raise ConnectionLost(self._gone)
            if not await self._wait(deadline):
                return b""
        octets = self._take_one()
        if self._held <= READ_AHEAD:
            self._other._gate.open()
        return octets

    async def write(self, octets: bytes, /) -> None:
        if self._gone:
            raise ConnectionLost(self._gone)
        other = self._other
        other._arrived(bytes(octets))
        if other._held > READ_AHEAD:
            self._gate.shut()
            await self._gate.passage(lambda: other._held)
            if self._gone:
                raise ConnectionLost(self._gone)

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        """Break off at once; what the other end has got already can still be read there."""
        self._shut()
        self._gate.open()
        self._other._lose(failure.closed_by_peer())
        self._other._gate.open()
