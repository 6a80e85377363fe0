"""Recording what goes over a stream as `TX:` and `RX:` lines, reading such lines back, and playing them again.

TX: 09:35:09.123 7E A0 07 03 21 93 0F 01 7E
RX: 09:35:09.241 7E A0 1E 21 03 73 C3 7A …
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cosem.errors import ConfigurationError, ConnectionLost, LocalProtocolError
from cosem.io import failure
from cosem.io.stream import LineStream, Stream

Direction = Literal["TX", "RX"]


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """Octets that went one way at a time of day; `time` is what the trace wrote, or empty."""

    direction: Direction
    octets: bytes
    time: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (f"{self.direction}:", self.time, self.octets.hex(" ").upper())))


class Tap:
    """A Stream that tells of every write and every read of another one."""

    def __init__(
        self, stream: Stream, tell: Callable[[TraceEntry], object], clock: Callable[[], datetime] = datetime.now
    ) -> None:
        self.stream = stream
        self._tell = tell
        self._clock = clock

    def now(self) -> float:
        return self.stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        octets = await self.stream.read(deadline)
        if octets:
            self._record("RX", octets)
        return octets

    async def write(self, octets: bytes, /) -> None:
        self._record("TX", octets)
        await self.stream.write(octets)

    async def close(self) -> None:
        await self.stream.close()

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        await self._line().configure(baud, character_format)

    async def send_break(self, seconds: float = 0.25, /) -> None:
        await self._line().send_break(seconds)

    def _line(self) -> LineStream:
        if not isinstance(self.stream, LineStream):
            raise LocalProtocolError("only a serial line can be configured")
        return self.stream

    def _record(self, direction: Direction, octets: bytes) -> None:
        time = self._clock().strftime("%H:%M:%S.%f")[:-3]
        self._tell(TraceEntry(direction, octets, time))


class Recorder(Tap):
    """The same, told as lines of trace."""

    def __init__(
        self, stream: Stream, write_line: Callable[[str], object], clock: Callable[[], datetime] = datetime.now
    ) -> None:
        super().__init__(stream, lambda entry: write_line(str(entry)), clock)


def parse_trace(text: str | Iterable[str]) -> list[TraceEntry]:
    """Read a trace back: ours, and those of other tools that mark lines with TX/RX, Send/Received or arrows.

    The time may be left out, the octets may stand with or without spaces, and a line that begins with octets goes on
    with the entry before it. Lines of any other kind are taken for remarks. Raises ConfigurationError, with the number
    of the line, for a marked line whose octets are not hexadecimal.
    """
    entries: list[TraceEntry] = []
    continues = False
    for number, line in enumerate(text.splitlines() if isinstance(text, str) else text, start=1):
        marked = _MARKED.match(line)
        if marked:
            octets = _octets(line[marked.end() :])
            if octets is None:
                raise ConfigurationError(
                    f"line {number} of the trace: {line.strip()[:60]!r} has no hexadecimal octets; "
                    "a right line is for example: TX: 09:35:09.123 7E A0 07 03 21 93 0F 01 7E"
                )
            entries.append(TraceEntry(_DIRECTIONS[marked["mark"].lower()], octets, marked["time"] or ""))
            continues = True
        elif continues and line.strip() and (octets := _octets(line)):
            last = entries[-1]
            entries[-1] = TraceEntry(last.direction, last.octets + octets, last.time)
        else:
            continues = False
    return entries


class Replay:
    """A Stream that plays the peer of a recorded session: it answers what was answered, to what was sent.

    Time is virtual: a read with nothing to give jumps to its deadline. Raises LocalProtocolError when the caller sends
    anything else than the recording did, and ConnectionLost where the recording ends.
    """

    def __init__(self, entries: Sequence[TraceEntry]) -> None:
        self._entries = [entry for entry in entries if entry.octets]
        self._position = 0
        self._sent = 0
        """Octets of the present TX entry that the caller has sent already."""
        self._now = 0.0
        self._closed = False

    @property
    def finished(self) -> bool:
        """True when all of the recording was played."""
        return self._position == len(self._entries)

    def now(self) -> float:
        return self._now

    async def read(self, deadline: float | None, /) -> bytes:
        if self._closed:
            raise failure.closed_here()
        if self.finished:
            raise ConnectionLost("the recording ends here")
        entry = self._entries[self._position]
        if entry.direction == "RX":
            self._position += 1
            return entry.octets
        if deadline is None:
            raise LocalProtocolError(
                f"the recording waits for the caller to send {_excerpt(entry.octets[self._sent :])}"
            )
        self._now = max(self._now, deadline)
        return b""

    async def write(self, octets: bytes, /) -> None:
        if self._closed:
            raise failure.closed_here()
        done = 0
        while done < len(octets):
            rest = octets[done:]
            if self.finished:
                raise LocalProtocolError(f"the recording has ended, but the caller sends {_excerpt(rest)}")
            entry = self._entries[self._position]
            if entry.direction == "RX":
                raise LocalProtocolError(f"in the recording the peer speaks now, but the caller sends {_excerpt(rest)}")
            expected = entry.octets[self._sent :]
            part = rest[: len(expected)]
            if not expected.startswith(part):
                raise LocalProtocolError(
                    f"entry {self._position + 1} of the recording sends {_excerpt(expected)}, "
                    f"but the caller sends {_excerpt(rest)}"
                )
            done += len(part)
            self._sent += len(part)
            if self._sent == len(entry.octets):
                self._position, self._sent = self._position + 1, 0

    async def close(self) -> None:
        self._closed = True

    async def configure(self, baud: int, character_format: str = "8N1", /) -> None:
        """A recording has no speed."""

    async def send_break(self, seconds: float = 0.25, /) -> None:
        """A recording has no line."""


_DIRECTIONS: Final[dict[str, Direction]] = {
    **dict.fromkeys(("tx", "send", "sent", "->", ">>", "-->", "=>"), "TX"),
    **dict.fromkeys(("rx", "recv", "received", "receive", "<-", "<<", "<--", "<="), "RX"),
}

_MARKED: Final = re.compile(
    r"""\s*(?:\S*\d\d:\d\d:\d\d\S*\s+)?                     # some tools write the time first
    (?P<mark>tx|rx|sent|send|recv|received|receive|-->|->|>>|=>|<--|<-|<<|<=)
    (?:\s*:\s*|\s+|(?<=[<>-]))
    (?:(?:\d{4}-\d\d-\d\d[T ])?(?P<time>\d{1,2}:\d\d:\d\d(?:[.,]\d+)?)(?:\s+|$))?""",
    re.VERBOSE | re.IGNORECASE,
)
_HEXADECIMAL: Final = re.compile(r"(?:0x)?(?:[0-9a-f]{2}[\s:,-]*(?:0x)?)+", re.IGNORECASE)


def _octets(text: str) -> bytes | None:
    text = text.strip()
    if not text:
        return b""
    if not _HEXADECIMAL.fullmatch(text):
        return None
    return bytes.fromhex(re.sub(r"0x|[\s:,-]", "", text, flags=re.IGNORECASE))


def _excerpt(octets: bytes) -> str:
    shown = octets[:16].hex(" ").upper()
    return f"{shown} … ({len(octets)} octets)" if len(octets) > 16 else shown
