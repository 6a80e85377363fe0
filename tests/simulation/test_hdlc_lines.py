"""Whole HDLC sessions on simulated lines: how fast, how robust at each window, and several on one pair of wires."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem import AsyncClient, Clock, Data, Meter, ProfileGeneric, Register, Unit
from cosem.client.access import Access, PreEstablished
from cosem.errors import CosemError, OnlyEcho, RemoteProtocolError, TimedOut
from cosem.io.bus import Bus
from cosem.io.simulated import Faults, World
from cosem.io.stream import Stream
from cosem.meter import Access as Allowed
from cosem.meter import AssociationDescription, Rights
from cosem.meter.attend import attend
from cosem.protocol.link.hdlc import HdlcClient
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.hdlc import parameters
from cosem.protocol.profile.timing import Timing
from cosem.protocol.values.data import DoubleLongUnsigned, OctetString, Unsigned
from cosem.protocol.values.obis import Obis
from simulation.wire import Station, Wire

ENERGY = Register("1.0.1.8.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")
TEXT = Data("0.0.96.1.1.255")
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)


def described(rows: int = 1, *, number: int = 1) -> Meter:
    meter = Meter(f"KFM10200123456{number:02}", clock=lambda: MIDNIGHT)
    meter.add(ENERGY, value=1000 * number, scaler_unit=(0, Unit.WATT_HOUR))
    meter.add(TEXT, value=OctetString(bytes(range(256)) * 8), writable=("value",))
    meter.add(
        PROFILE,
        capture_objects=[
            CaptureObject(8, Obis("0.0.1.0.0.255"), 2),
            CaptureObject(1, Obis("0.0.96.10.1.255"), 2),
            CaptureObject(3, ENERGY.instance, 2),
        ],
        capture_period=900,
        profile_entries=rows,
        buffer=[
            (MIDNIGHT + timedelta(minutes=15 * row), Unsigned(0), DoubleLongUnsigned(7 * row)) for row in range(rows)
        ],
    )
    meter.offer(AssociationDescription(client=16, rights=Rights(Allowed.MANAGE)))
    return meter


async def serve(meter: Meter, stream: Stream, url: str) -> None:
    place = ConnectionUrl.parse(url)
    while True:
        try:
            await attend(meter, stream, profile_of(place), physical=place.physical, parameters=parameters(place))
        except CosemError:
            continue  # a meter on a line has nowhere to go
        return


def client_on(stream: Stream, url: str, access: Access | None = None, **timing: float) -> AsyncClient:
    async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
        return stream

    return AsyncClient(ConnectionUrl.parse(url), access or Access(), replace(Timing(), **timing), opener=opener)


class TestSpeed:
    """A 9600 baud line is full of the octets of the answer: what else it costs is less than one twentieth of them."""

    def test_ten_thousand_rows(self) -> None:
        url = "hdlc+serial:///dev/ttyUSB0?baud=9600&physical=17"
        world = World(1)
        wire = Wire(world)
        near, far = wire.station(), wire.station()
        world.spawn(serve(described(10_000), far, url))

        async def read() -> float:
            client = client_on(near, url)
            await client.connect()
            link = client.services.exchange.session.link  # type: ignore[union-attr]
            assert isinstance(link, HdlcClient)
            assert (link.agreed.window_receive, link.agreed.maximum_information_receive) == (7, 2030)
            before, began = wire.octets, world.now()
            rows = await client.get(PROFILE.buffer)
            took, octets = world.now() - began, wire.octets - before
            assert len(rows) == 10_000
            await client.close()
            return took / (octets * wire.octet_time)

        assert world.run(read()) <= 1.05
        assert wire.collisions == 0

    def test_a_slow_line_is_not_too_slow_for_a_long_answer(self) -> None:
        """At 300 baud 2,000 octets take more than a minute, and 5,000 longer than a meter waits for one block.

        Nothing times out as long as they come, nor is repeated.
        """
        url = "hdlc+serial:///dev/ttyUSB0?baud=300&physical=17"
        world = World(1)
        wire = Wire(world, baud=300)
        near, far = wire.station(), wire.station()
        world.spawn(serve(described(), far, url))

        async def read() -> None:
            client = client_on(near, url)
            await client.connect()
            assert await client.get(TEXT.value) == bytes(range(256)) * 8
            await client.set(TEXT.value, OctetString(bytes(5000)))
            link = client.services.exchange.session.link  # type: ignore[union-attr]
            assert link.counters["retransmissions"] == 0
            await client.close()

        world.run(read())
        assert world.now() > 230
        assert wire.collisions == 0


FAULTS = {
    "loss": Faults(loss=0.04),
    "damage": Faults(damage=0.04),
    "doubled": Faults(duplication=0.2),
    "pieces": Faults(split=1.0),
    "overtaking": Faults(reorder=0.05, split=0.3),
    "resets": Faults(reset=0.01),
    "all": Faults(loss=0.01, damage=0.01, duplication=0.05, split=0.3, reorder=0.01, reset=0.002),
}


def session(seed: int, window: int, faults: Faults) -> str:
    """Play one session over frames of 128 octets in windows; return how it ended."""
    url = f"hdlc+tcp://192.0.2.1?physical=17&window={window}&information=128"
    world = World(seed)
    near, far = world.pair(faults, latency=0.05, jitter=0.05)
    world.spawn(serve(described(40), far, url))
    written = OctetString(bytes(range(256)) * 4)

    async def talk() -> str:
        client = client_on(near, url)
        try:
            await client.connect()
            assert len(await client.get(PROFILE.buffer)) == 40
            assert await client.get(TEXT.value) == bytes(range(256)) * 8
            await client.set(TEXT.value, written)
            assert await client.get(TEXT.value) == written
        except CosemError as error:
            return type(error).__name__
        finally:
            await client.close()
        return "done"

    return world.run(talk())


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("window", [1, 3, 7])
def test_a_session_is_done_or_ends_in_a_named_error(window: int, faults: Faults) -> None:
    """Whatever becomes of it, no value is wrong: the assertions on values stand inside the session."""
    ends = [session(seed, window, faults) for seed in range(8)]
    assert set(ends) <= {"done", "TimedOut", "ConnectionLost", "RemoteProtocolError"}, ends
    if not faults.reset:
        assert ends.count("done") >= 5, ends


class TestOneWire:
    """Two wires of RS-485, or the loop of a current loop: who speaks while another does is not heard."""

    URL = "hdlc+serial:///dev/ttyUSB0?baud=9600"

    def several(self, echo: bool = False, gap: float = 0.05) -> tuple[World, Wire, Bus, list[str]]:
        world = World(1)
        wire = Wire(world, echo=echo)
        near = wire.station()
        urls = [f"{self.URL}&physical={16 + number}" for number in range(1, 4)]
        for number, url in enumerate(urls, 1):
            world.spawn(serve(described(200, number=number), wire.station(), url))

        async def open_line(_url: ConnectionUrl, _seconds: float) -> Stream:
            return near

        return world, wire, Bus(self.URL, WorldTurn(world), open_line, gap=gap), urls

    @pytest.mark.parametrize("echo", [False, True])
    def test_clients_take_turns(self, echo: bool) -> None:
        world, wire, bus, urls = self.several(echo)
        done: list[int] = []

        async def read(url: str, number: int) -> None:
            client = AsyncClient(ConnectionUrl.parse(url), Access(), opener=bus.opener)
            await client.connect()
            for _ in range(3):
                assert await client.get(ENERGY.value) == 1000 * number
                assert len(await client.get(PROFILE.buffer)) == 200
            await client.close()
            done.append(number)

        for number, url in enumerate(urls, 1):
            world.spawn(read(url, number))

        async def wait() -> None:
            while len(done) < 3:
                await world.sleep(1.0)

        world.run(wait())
        assert wire.collisions == 0
        assert bus.counters["turns"] >= 3 * 8
        assert bus.counters["babble"] == 0
        assert sum(idle >= 0.0499 for idle in wire.idle_before) >= bus.counters["turns"] - 1

    def test_one_that_is_gone_does_not_stop_the_others(self) -> None:
        world, wire, bus, urls = self.several()
        urls.insert(1, f"{self.URL}&physical=99")
        ended: list[str] = []

        async def read(url: str) -> None:
            client = AsyncClient(ConnectionUrl.parse(url), Access(), opener=bus.opener)
            try:
                await client.connect()
                await client.get(ENERGY.value)
                ended.append("read")
            except TimedOut:
                ended.append("silent")
            finally:
                await client.close()

        for url in urls:
            world.spawn(read(url))

        async def wait() -> None:
            while len(ended) < 4:
                await world.sleep(1.0)

        world.run(wait())
        assert sorted(ended) == ["read", "read", "read", "silent"]
        assert wire.collisions == 0

    def test_only_an_echo(self) -> None:
        world = World(1)
        wire = Wire(world, echo=True)
        near = wire.station()

        async def read() -> None:
            with pytest.raises(OnlyEcho, match="I only see my own echo: is the head on the meter"):
                await client_on(near, self.URL).connect()

        world.run(read())
        assert world.now() <= 10.5

    def test_the_address_size_is_found_out(self) -> None:
        """Meters that take their address in one size only, as a server that looks at its octets does."""
        for size in (1, 2, 4):
            world = World(1)
            wire = Wire(world)
            near, far = wire.station(), OneSize(wire, size)
            wire.stations.append(far)
            url = f"{self.URL}&physical=17"
            world.spawn(serve(described(), far, url))

            async def read(near: Stream = near, url: str = url) -> int:
                client = client_on(near, f"{url}&address_size=auto")
                await client.connect()
                assert await client.get(ENERGY.value) == 1000
                link = client.services.exchange.session.link  # type: ignore[union-attr]
                assert isinstance(link, HdlcClient)
                await client.close()
                return link.server.size

            assert world.run(read()) == size


class TestBroadcast:
    """UI frames to all stations: each does what it is told, and none says a word."""

    @pytest.mark.parametrize("address", ["server=127", "server=1&physical=127", "server=16383&physical=16383"])
    def test_all_shift_their_clocks(self, address: str) -> None:
        world = World(1)
        wire = Wire(world)
        near = wire.station()
        meters = [described(number=number) for number in range(1, 4)]
        for number, meter in enumerate(meters, 1):
            meter.offer(
                AssociationDescription(
                    client=1, pre_established=True, broadcast=frozenset(((8, 6),)), rights=Rights(Allowed.MANAGE)
                )
            )
            world.spawn(serve(meter, wire.station(), f"hdlc+serial:///dev/ttyUSB0?physical={16 + number}"))

        async def tell() -> None:
            client = client_on(
                near, f"hdlc+serial:///dev/ttyUSB0?client=1&{address}", Access(pre_established=PreEstablished())
            )
            await client.connect()
            await client.act_unconfirmed(Clock("0.0.1.0.0.255").shift_time, 600)
            await client.set_unconfirmed(TEXT.value, OctetString(b"not to all"))
            await client.close()
            await world.sleep(5.0)

        world.run(tell())
        assert [meter.time() - MIDNIGHT for meter in meters] == [timedelta(minutes=10)] * 3
        assert wire.turns == 1, "only the client has spoken"
        assert wire.collisions == 0


class TestAlive:
    """A session in which nothing is said for long: the client keeps it alive, or the meter ends it in time."""

    URL = "hdlc+serial:///dev/ttyUSB0?physical=17"

    def paused(self, change: Callable[[AsyncClient], Coroutine[Any, Any, None]]) -> None:
        world = World(1)
        wire = Wire(world)
        near, far = wire.station(), wire.station()
        world.spawn(serve(described(), far, self.URL))

        async def talk() -> None:
            client = client_on(near, self.URL)
            await client.connect()
            await change(client)
            assert await client.get(ENERGY.value) == 1000
            await client.close()

        world.run(talk())

    def test_kept_alive(self) -> None:
        async def pause(client: AsyncClient) -> None:
            await client.services.exchange.pause(600.0)  # type: ignore[union-attr]

        self.paused(pause)

    def test_ended_by_the_meter(self) -> None:
        async def sleep(client: AsyncClient) -> None:
            stream = client.services.exchange.stream  # type: ignore[union-attr]
            assert isinstance(stream, Station)
            await stream.wire.world.sleep(121.0)

        with pytest.raises(RemoteProtocolError, match="is disconnected"):
            self.paused(sleep)


class WorldTurn:
    """Turns in simulated time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._taken = False

    async def acquire(self) -> None:
        while self._taken:
            await self._world.sleep(0.001)
        self._taken = True

    def release(self) -> None:
        self._taken = False


class OneSize(Station):
    """A station that hears nothing that is addressed in another size."""

    def __init__(self, wire: Wire, size: int) -> None:
        super().__init__(wire, f"of {size}")
        self._size = size
        self._held = b""

    def hear(self, octets: bytes) -> None:
        self._held += octets
        while len(self._held) > 6:
            length = ((self._held[1] & 7) << 8 | self._held[2]) + 2
            if len(self._held) < length:
                return
            frame, self._held = self._held[:length], self._held[length:]
            if next(count for count in (1, 2, 3, 4) if frame[2 + count] & 1) == self._size:
                super().hear(frame)
