"""A stream with an end in time, on which what was said and answered once can be said again without saying it."""

from __future__ import annotations

from cosem.errors import TimedOut
from cosem.io.stream import LineStream, Stream


def bounded(stream: Stream, until: float) -> Bounded:
    """Return the stream, bounded; one of a line is one still."""
    return BoundedLine(stream, until) if isinstance(stream, LineStream) else Bounded(stream, until)


class Bounded:
    """A stream that nobody reads from after a time, and on which what was said and answered can be said once more."""

    def __init__(self, stream: Stream, until: float) -> None:
        self.stream = stream
        self._until = until
        self._said = b""
        self._answer = b""

    def repeat(self, said: bytes, answer: bytes) -> None:
        """Do not write `said` once more, and give `answer` for it."""
        self._said, self._answer = said, answer

    async def read(self, deadline: float | None, /) -> bytes:
        if self._answer and not self._said:
            answer, self._answer = self._answer, b""
            return answer
        if self.stream.now() >= self._until:
            raise TimedOut("probe")
        return await self.stream.read(self._until if deadline is None else min(deadline, self._until))

    async def write(self, octets: bytes, /) -> None:
        if self._said and octets == self._said:
            self._said = b""
            return
        await self.stream.write(octets)

    async def close(self) -> None:
        await self.stream.close()

    def now(self) -> float:
        return self.stream.now()


class BoundedLine(Bounded):
    """The same of a line, whose speed a sign-on changes."""

    def __init__(self, line: LineStream, until: float) -> None:
        super().__init__(line, until)
        self._line = line

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        await self._line.configure(baud, character_format)

    async def send_break(self, seconds: float = 0.25, /) -> None:
        await self._line.send_break(seconds)
