"""A line that falls away and comes back: what is told, how long is waited, and what survives it."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import tty
from pathlib import Path
from typing import Any

import pytest

from cosem.client.follow import reader_for
from cosem.client.reconnect import Delays, Reconnecting
from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost, TransportError
from cosem.io.open import hear_async
from cosem.io.simulated import World
from cosem.io.stream import Stream
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import Check, P1Keys, P1Reader, Telegram, seal, telegram
from cosem.protocol.profile.address import ConnectionUrl

P1 = telegram("ISK5TEST", [("1-0:1.8.0", "000001.000*kWh")])
KEYS = P1Keys(encryption_key=Key(bytes(range(16))))


def test_delays_double_up_to_the_longest() -> None:
    delays = Delays(first=1.0, longest=7.0)
    found, delay = [], None
    for _ in range(5):
        found.append(delay := delays.after(delay))
    assert found == [1.0, 2.0, 4.0, 7.0, 7.0]
    assert Delays(first=7.0, longest=7.0).after(None) == 7.0
    for first, longest in ((0.0, 1.0), (7.1, 7.0)):
        with pytest.raises(ConfigurationError):
            Delays(first=first, longest=longest)


class Scene:
    """A meter in simulated time: each opening is one of `said`, what it says before it goes, or None: nobody there."""

    def __init__(self, *said: bytes | None, keys: P1Keys | None = None) -> None:
        self.world = World(1)
        self.said = list(said)
        self.waited: list[float] = []
        self.told: list[tuple[type[TransportError], float]] = []
        self.closed = 0
        self.reader = P1Reader(keys)

    async def opened(self) -> Stream:
        octets = self.said.pop(0)
        if octets is None:
            raise ConnectionFailed("nobody there")
        near, far = self.world.pair()
        await far.write(octets)
        await far.close()
        return near

    async def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        await self.world.sleep(seconds)

    def follow(self, wanted: int) -> list[Any]:
        async def scenario() -> None:
            tell = self.told.append
            following = Reconnecting(
                await self.opened(),
                self.reader,
                self.opened,
                self.pause,
                lambda error, seconds: tell((type(error), seconds)),
                Delays(first=1.0, longest=5.0),
            )
            self.heard = [await following.next() for _ in range(wanted)]
            self.counters = dict(following.counters)

        self.world.run(scenario())
        return self.heard


def test_what_falls_away_is_opened_again_until_it_is_back() -> None:
    scene = Scene(P1, None, None, None, None, P1, P1)
    assert all(isinstance(each, Telegram) for each in scene.follow(3))
    assert scene.waited == [1.0, 2.0, 4.0, 5.0, 5.0, 1.0]  # a telegram lets them begin anew
    assert scene.told == [
        (ConnectionLost, 1.0),
        (ConnectionFailed, 2.0),
        (ConnectionFailed, 4.0),
        (ConnectionFailed, 5.0),
        (ConnectionFailed, 5.0),
        (ConnectionLost, 1.0),
    ]
    assert (scene.counters["reconnections"], scene.counters["telegrams"]) == (2, 3)


def test_a_place_that_takes_connections_and_drops_them_is_asked_less_and_less_often() -> None:
    scene = Scene(b"", b"/ISK5\r\n", b"", b"", P1)
    discarded, heard = scene.follow(2)
    assert isinstance(discarded, Discarded) and isinstance(heard, Telegram)
    assert scene.waited == [1.0, 2.0, 4.0, 5.0]


def test_what_was_sealed_before_is_not_taken_again_behind_it() -> None:
    old, new = (seal(P1, KEYS, b"KFM12345", counter) for counter in (9, 10))
    scene = Scene(old, old, new, keys=KEYS)
    assert [each.check for each in scene.follow(3)] == [Check.RIGHT, Check.REPLAYED, Check.RIGHT]


def test_a_real_server_that_goes_away_and_returns() -> None:
    def serve(port: int = 0) -> int:
        server = socket.create_server(("127.0.0.1", port))

        def speak() -> None:
            connection, _ = server.accept()
            server.close()  # nobody else is let in
            with connection:
                connection.sendall(P1)

        threading.Thread(target=speak).start()
        found: int = server.getsockname()[1]
        return found

    pauses = 0

    async def pause(_: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 3:  # it was refused twice
            serve(port)

    async def scenario() -> None:
        place = ConnectionUrl.parse(f"p1+tcp://127.0.0.1:{port}")
        following = Reconnecting(
            await hear_async(place), reader_for(place), lambda: hear_async(place), pause, lambda *_: None
        )
        assert isinstance(await following.next(), Telegram)
        assert isinstance(await following.next(), Telegram)
        assert (pauses, following.reconnections) == (3, 1)
        await following.stream.close()

    port = serve()
    asyncio.run(scenario())


def test_a_real_line_that_goes_away_and_returns(tmp_path: Path) -> None:
    device = tmp_path / "ttyHEAD"
    place = ConnectionUrl.parse(f"p1+serial://{device}")
    plugged: list[int] = []

    def plug() -> None:
        plugged.extend(os.openpty())
        tty.setraw(plugged[1])
        device.symlink_to(os.ttyname(plugged[1]))

    def unplug() -> None:
        device.unlink()
        while plugged:
            os.close(plugged.pop())

    async def opened() -> Stream:
        stream = await hear_async(place)
        os.write(plugged[0], P1)  # now that what was on the line before has been thrown away
        return stream

    pauses = 0

    async def pause(_: float) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 3:
            plug()

    async def scenario() -> None:
        following = Reconnecting(await opened(), reader_for(place), opened, pause, lambda *_: None)
        assert isinstance(await following.next(), Telegram)
        unplug()
        assert isinstance(await following.next(), Telegram)
        assert (pauses, following.reconnections) == (3, 1)
        await following.stream.close()

    plug()
    asyncio.run(scenario())
    unplug()
