"""A meter in a simulated world and clients that come to it one after the other, for tests of what they change in it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cosem import AsyncClient
from cosem.client.access import access
from cosem.errors import CosemError
from cosem.io.simulated import SimulatedStream, World
from cosem.io.stream import Stream
from cosem.meter import Meter, attend
from cosem.protocol.profile.address import ConnectionUrl

R = TypeVar("R")

URL = ConnectionUrl.parse("tcp://127.0.0.1?client=1")


class Counted:
    """A stream that counts what it carries."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.octets = 0

    def now(self) -> float:
        return self._stream.now()

    async def read(self, deadline: float | None, /) -> bytes:
        octets = await self._stream.read(deadline)
        self.octets += len(octets)
        return octets

    async def write(self, octets: bytes, /) -> None:
        self.octets += len(octets)
        await self._stream.write(octets)

    async def close(self) -> None:
        await self._stream.close()


class Bench:
    """What has to be made by whoever takes it: the `meter`, and the `words` of `access` by which a client comes in.

    `line` is the stream of the client that came last.
    """

    meter: Meter
    words: dict[str, Any]
    line: Counted

    def __init__(self) -> None:
        self.world = World(1)

    def chance(self, octets: int) -> bytes:
        return self.world.random.randbytes(octets)

    def run(self, dialogue: Callable[[AsyncClient], Awaitable[R]], **words: Any) -> R:
        """Let a client come in and have a dialogue; `words` go before those of the bench."""

        async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
            near, far = self.world.pair()
            self.world.spawn(self._attend(far))
            self.line = Counted(near)
            return self.line

        async def main() -> R:
            client = AsyncClient(URL, access(**{**self.words, **words}), opener=opener, entropy=self.chance)
            try:
                await client.connect()
                return await dialogue(client)
            finally:
                await client.close()

        return self.world.run(main())

    async def _attend(self, stream: SimulatedStream) -> None:
        with contextlib.suppress(CosemError):
            await attend(self.meter, stream, entropy=self.chance)
        await stream.close()
