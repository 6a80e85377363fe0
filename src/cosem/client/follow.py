"""Following meters that only speak, P1, TIC, SML and HAN: one telegram after the other, and what was none."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final, Protocol, TypeAlias

from cosem.client.han import HanReader
from cosem.danger import NOTHING, Weakness
from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io import blocking
from cosem.io.open import hear_async, hear_blocking
from cosem.io.stream import Stream, counted
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import P1Keys, P1Reader, P1Settings, Telegram
from cosem.protocol.iec21.tic import Frame, TicReader
from cosem.protocol.profile.address import ConnectionUrl
from cosem.readings import han, p1, sml, tic
from cosem.readings.han import HanTelegram
from cosem.readings.sml import SmlReader, SmlTelegram
from cosem.readings.telegram import Line

Heard: TypeAlias = Telegram | Frame | SmlTelegram | HanTelegram
"""What a meter said at once."""


class TelegramReader(Protocol):
    """What finds telegrams in octets; see `cosem.protocol.iec21`."""

    @property
    def counters(self) -> Mapping[str, int]: ...
    def receive(self, octets: bytes, now: float) -> None: ...
    def events(self) -> list[Any]: ...
    def deadline(self) -> float | None: ...
    def tick(self, now: float) -> None: ...
    def finish(self) -> None: ...


class Follower:
    """Takes what a stream brings to a reader, and hands over what it finds."""

    def __init__(self, stream: Stream, reader: TelegramReader) -> None:
        self.stream = stream
        self.reader = reader
        self._waiting: deque[Heard | Discarded] = deque()
        self._over: ConnectionLost | None = None

    @property
    def counters(self) -> Mapping[str, int]:
        """The quality of the line: how many telegrams there were, of what kind, and what was none."""
        return {**self.reader.counters, **counted(self.stream)}

    async def next(self) -> Heard | Discarded:
        """Return the next telegram, or what was none; raises ConnectionLost when there will be no more."""
        while not self._waiting:
            if self._over is not None:
                raise self._over
            try:
                octets = await self.stream.read(self.reader.deadline())
            except ConnectionLost as error:
                self._over = error
                self.reader.finish()
            else:
                if octets:
                    self.reader.receive(octets, self.stream.now())
                else:
                    self.reader.tick(self.stream.now())
            self._waiting.extend(self.reader.events())
        return self._waiting.popleft()


def follow(url: ConnectionUrl | str, keys: P1Keys | None = None) -> Generator[Heard | Discarded, None, None]:
    """Yield what a meter says, blocking, until the connection ends; `keys` are for encrypted P1 telegrams.

    for telegram in follow("p1+serial:///dev/ttyUSB0"): ...

    Raises ConfigurationError, and ConnectionFailed where nothing answers.
    """
    url = ConnectionUrl.parse(url) if isinstance(url, str) else url
    reader = reader_for(url, keys)
    follower = Follower(hear_blocking(url), reader)
    try:
        while True:
            try:
                yield blocking.run(follower.next())
            except ConnectionLost:
                return
    finally:
        blocking.run(follower.stream.close())


async def follow_async(url: ConnectionUrl | str, keys: P1Keys | None = None) -> AsyncGenerator[Heard | Discarded, None]:
    """Yield what a meter says, on the running event loop; as `follow`.

    Whoever stops before the end closes it (`contextlib.aclosing`), which lets go of the line.
    """
    url = ConnectionUrl.parse(url) if isinstance(url, str) else url
    reader = reader_for(url, keys)
    follower = Follower(await hear_async(url), reader)
    try:
        while True:
            try:
                yield await follower.next()
            except ConnectionLost:
                return
    finally:
        await follower.stream.close()


def reader_for(
    url: ConnectionUrl, keys: P1Keys | None = None, permitted: frozenset[Weakness] = NOTHING
) -> TelegramReader:
    """Return what understands the framing of a URL; `permitted` as in `P1Settings`. Raises ConfigurationError."""
    make = _READERS.get(url.framing)
    if make is None:
        raise ConfigurationError(f"{url.scheme} is not followed: that is for {', '.join(_READERS)}")
    if keys is not None and url.framing not in _CIPHERED:
        raise ConfigurationError(f"keys are for P1 and HAN; {url.framing} is never encrypted")
    if permitted and url.framing not in _CIPHERED:
        raise ConfigurationError(f"counters are of encrypted P1 and HAN; {url.framing} has none")
    return make(url, keys, permitted)


def lines_of(heard: Heard, zone: tzinfo, received: datetime, meter: str | None = None) -> list[Line]:
    """Return what the lines of a telegram say; `zone` is the meter's (see `cosem.readings.p1.lines`)."""
    if isinstance(heard, Telegram):
        return p1.lines(heard, zone, received, meter)
    if isinstance(heard, Frame):
        return tic.lines(heard, zone, received, meter)
    if isinstance(heard, HanTelegram):
        return han.lines(heard, zone, received, meter)
    return sml.lines(heard, received, meter)


_READERS: Final[Mapping[str, Callable[[ConnectionUrl, P1Keys | None, frozenset[Weakness]], TelegramReader]]] = {
    "p1": lambda _, keys, permitted: P1Reader(keys, P1Settings(permitted=permitted)),
    "tic": lambda _url, _keys, _permitted: TicReader(),
    "sml": lambda _url, _keys, _permitted: SmlReader(),
    "han": lambda url, keys, permitted: HanReader(han.push_lists(url.lists), keys, permitted),
}
_CIPHERED: Final = frozenset({"p1", "han"})
"""Framings that some meters encrypt."""
