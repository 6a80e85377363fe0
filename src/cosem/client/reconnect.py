"""Following a meter that only speaks for as long as it takes: when its line falls away, it is opened again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cosem.client.follow import Follower, Heard, TelegramReader
from cosem.errors import ConfigurationError, CosemError, TransportError
from cosem.io.stream import Stream
from cosem.protocol.iec21 import Discarded

GROWTH: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How many seconds to wait before a line is opened again: `first`, then twice as many, `longest` at most."""

    first: float = 1.0
    longest: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.longest:
            raise ConfigurationError(f"delays: 0 < first <= longest, not {self.first} and {self.longest}")

    def after(self, delay: float | None) -> float:
        """Return the delay that follows one; None for the first."""
        return self.first if delay is None else min(GROWTH * delay, self.longest)


class Reconnecting:
    """Hands over what a meter says as `Follower` does, over one stream after the other, and never gives up.

    The reader is the same all the time, and so are its counters: what was sealed before the line fell away is not taken
    again behind it. Only a telegram lets the delays begin anew: a place that takes connections and drops them is not
    asked more and more often.

    Args:
        stream: the first.
        open_again: opens another; its TransportError is one more reason to wait.
        pause: lets so many seconds pass.
        tell: is told each time why nothing comes, and after how many seconds the line is opened again.
    """

    def __init__(
        self,
        stream: Stream,
        reader: TelegramReader,
        open_again: Callable[[], Awaitable[Stream]],
        pause: Callable[[float], Awaitable[None]],
        tell: Callable[[TransportError, float], None],
        delays: Delays | None = None,
    ) -> None:
        self._follower = Follower(stream, reader)
        self._open_again = open_again
        self._pause = pause
        self._tell = tell
        self._delays = delays or Delays()
        self._delay: float | None = None
        self.reconnections = 0

    @property
    def stream(self) -> Stream:
        """The stream of now."""
        return self._follower.stream

    @property
    def counters(self) -> Mapping[str, int]:
        """The quality of the line, see `Follower`, and how often it was opened again."""
        return {**self._follower.counters, "reconnections": self.reconnections}

    async def next(self) -> Heard | Discarded:
        """Return the next telegram, or what was none, however long that takes."""
        while True:
            try:
                heard = await self._follower.next()
            except TransportError as error:
                await self._again(error)
                continue
            if not isinstance(heard, Discarded):
                self._delay = None
            return heard

    async def _again(self, error: TransportError) -> None:
        with suppress(CosemError):
            await self.stream.close()
        while True:
            self._delay = self._delays.after(self._delay)
            self._tell(error, self._delay)
            await self._pause(self._delay)
            try:
                stream = await self._open_again()
            except TransportError as refused:
                error = refused
                continue
            self.reconnections += 1
            self._follower = Follower(stream, self._follower.reader)
            return
