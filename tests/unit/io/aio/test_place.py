"""What every place has in common where something is served: a life from its start to its end, once."""

from __future__ import annotations

import asyncio

import pytest

from cosem.errors import ConfigurationError, ConnectionLost
from cosem.io.aio import DatagramStream, ListenStatistics, Place, SocketStream, connect_tcp


class Silent(Place):
    """A place where nothing is said."""

    NAME = "the silence"

    def __init__(self, url: str, *, demonstration: bool = False, beyond_loopback: bool = False) -> None:
        super().__init__(url, beyond_loopback=beyond_loopback, limits=None)
        self.demonstration = demonstration

    @property
    def _demonstration(self) -> bool:
        return self.demonstration

    async def _attend(self, stream: SocketStream | DatagramStream) -> None:
        await stream.read(None)


def test_a_place_is_started_once_found_by_its_url_and_closed() -> None:
    async def main() -> None:
        place = Silent("tcp://127.0.0.1:0")
        assert (place.url.port, place.statistics) == (0, ListenStatistics())
        await place.wait_closed()  # it was never open
        await place.close()
        async with place:
            with pytest.raises(ConfigurationError, match="the silence was started already"):
                await place.start()
            assert place.url.port
            waiting = asyncio.create_task(place.wait_closed())
            stream = await connect_tcp("127.0.0.1", place.url.port)
            await stream.write(b"\0")
            with pytest.raises(ConnectionLost):
                await stream.read(None)
            await stream.close()
            assert place.statistics.accepted == 1
            assert not waiting.done()
        await waiting

    asyncio.run(main())


def test_what_has_changed_since_it_was_made_counts_when_it_is_started() -> None:
    async def main() -> None:
        place = Silent("tcp://0.0.0.0:0", beyond_loopback=True)
        place.demonstration = True
        with pytest.raises(ConfigurationError, match="demo keys"):
            await place.start()
        assert place.url.port == 0

    asyncio.run(main())
