"""Serving on this machine: where it is allowed, and that every framing and medium answers."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import pytest

from cosem.client.client import AsyncClient, Client
from cosem.errors import ConfigurationError, ConnectionFailed, ConnectionLost, CosemError, TimedOut
from cosem.io.aio import ListenLimits, connect_tcp
from cosem.meter import AssociationDescription, Meter, Server, demo_keys, serve, serving
from cosem.meter.faults import Faults
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.model import Register
from cosem.protocol.profile.timing import ServerTiming

ENERGY = Register("1.0.1.8.0.255")


def meter() -> Meter:
    made = Meter("KFM1020012345678")
    made.add(ENERGY, value=12_345_678, scaler_unit=(0, 30))
    return made


def demonstration() -> Meter:
    made = meter()
    made.offer(
        AssociationDescription(client=1, mechanism=named("gmac"), keys=demo_keys(), protection=AUTHENTICATED_ENCRYPTION)
    )
    return made


@pytest.mark.parametrize("url", ["tcp://127.0.0.1:0", "udp://127.8.8.8:0", "hdlc+tcp://[::1]:0", "tcp://localhost:0"])
def test_loopback_is_always_allowed(url: str) -> None:
    Server(meter(), url)
    Server(demonstration(), url)


@pytest.mark.parametrize(
    "url",
    [
        "tcp://0.0.0.0:4059",
        "tcp://192.0.2.1:4059",
        "tcp://[::]:4059",
        "tcp://meter.example:4059",
        "hdlc+serial:///dev/x",
    ],
)
def test_beyond_loopback_must_be_said_and_never_with_demo_keys(url: str) -> None:
    with pytest.raises(ConfigurationError, match="beyond_loopback"):
        Server(meter(), url)
    Server(meter(), url, beyond_loopback=True)
    with pytest.raises(ConfigurationError, match="demo keys"):
        Server(demonstration(), url, beyond_loopback=True)


@pytest.mark.parametrize(
    "url",
    ["p1+serial:///dev/x", "tls://127.0.0.1:4059", "tcp://", "hdlc+udp://127.0.0.1:4059", "iec21+udp://127.0.0.1:1"],
)
def test_places_that_cannot_be_served(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Server(meter(), url, beyond_loopback=True)


def test_keys_that_come_after_the_server_was_made_are_seen() -> None:
    made = meter()
    server = Server(made, "tcp://0.0.0.0:0", beyond_loopback=True)
    made.offer(AssociationDescription(client=1, mechanism=named("gmac"), keys=demo_keys()))
    with pytest.raises(ConfigurationError, match="demo keys"):
        asyncio.run(server.start())


@pytest.mark.parametrize("scheme", ["tcp", "udp", "hdlc+tcp"])
def test_every_framing_and_medium(scheme: str) -> None:
    async def main() -> None:
        async with serving(meter(), f"{scheme}://127.0.0.1:0") as server:
            assert server.url.port
            assert "client 16" in server.notices[0]
            async with AsyncClient.open(f"{scheme}://127.0.0.1:{server.url.port}") as client:
                assert str(await client.quantity(ENERGY)) == "12345678 Wh"
            with pytest.raises(ConfigurationError):
                await server.start()
        assert server.statistics.internal_errors == 0

    asyncio.run(main())


def test_a_physical_address_is_the_only_one_that_is_answered() -> None:
    async def main() -> None:
        async with serving(meter(), "hdlc+tcp://127.0.0.1:0?physical=17") as server:
            place = f"hdlc+tcp://127.0.0.1:{server.url.port}"
            async with AsyncClient.open(f"{place}?physical=17") as client:
                assert await client.get(ENERGY.value) == 12_345_678

    asyncio.run(main())


def test_a_port_in_use_is_said() -> None:
    async def main() -> None:
        async with serving(meter(), "tcp://127.0.0.1:0") as server:
            with pytest.raises(ConnectionFailed, match="cannot listen"):
                await Server(meter(), server.url).start()

    asyncio.run(main())


def test_silence_and_too_many_connections_are_ended() -> None:
    async def main() -> None:
        server = Server(
            meter(),
            "tcp://127.0.0.1:0",
            limits=ListenLimits(connections_per_host=1, grace=0),
            timing=ServerTiming(idle=0.05),
        )
        async with server:
            first = await connect_tcp("127.0.0.1", server.url.port or 0)
            silent = await connect_tcp("127.0.0.1", server.url.port or 0)
            for stream in (first, silent):
                with pytest.raises(ConnectionLost):
                    await stream.read(None)
                await stream.close()
            assert (server.statistics.displaced, server.statistics.failed) == (1, 1)

    asyncio.run(main())


def test_serve_says_what_should_be_known_and_serves_until_interrupted(caplog: pytest.LogCaptureFixture) -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    made = meter()
    found = threading.Event()

    class Watched(Meter):
        @property
        def notices(self) -> tuple[str, ...]:
            loops.append(asyncio.get_running_loop())
            found.set()
            return super().notices

    made = Watched("KFM1020012345678", faults=Faults(latency=0.001, deviations=frozenset({"MISSING_LLC"})))
    made.add(ENERGY, value=1)
    port = _free_port()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def read() -> None:
        found.wait(10)
        results.append(_read(port))
        loops[0].call_soon_threadsafe(interrupt)

    results: list[object] = []
    reader = threading.Thread(target=read)
    reader.start()
    with caplog.at_level(logging.WARNING, "cosem.meter"):
        serve(made, f"tcp://127.0.0.1:{port}")
    reader.join()
    assert results == [1]
    assert "client 16 reads everything without authentication" in caplog.text
    assert "MISSING_LLC does nothing: it is of HDLC" in caplog.text
    assert "latency" not in caplog.text


def _free_port() -> int:
    async def main() -> int:
        async with serving(meter(), "tcp://127.0.0.1:0") as server:
            return server.url.port or 0

    return asyncio.run(main())


def _read(port: int) -> object:
    until = time.monotonic() + 10
    while True:
        try:
            with Client.open(f"tcp://127.0.0.1:{port}") as client:
                return client.get(ENERGY.value)
        except (ConnectionFailed, TimedOut) as error:
            if time.monotonic() > until:
                return error
        except CosemError as error:
            return error


def test_connections_break_when_the_power_goes_and_nobody_is_answered_until_it_is_back() -> None:
    async def main() -> None:
        served = meter()
        async with Server(served, "tcp://127.0.0.1:0") as server:
            async with AsyncClient.open(server.url) as client:
                assert await client.get(ENERGY.value) == 12_345_678
                idle = await connect_tcp("127.0.0.1", server.url.port or 0, 5)
                served.power.down()
                with pytest.raises(ConnectionLost):
                    await idle.read(idle.now() + 5)
                await idle.close()
                with pytest.raises(CosemError):
                    await client.get(ENERGY.value)
            with pytest.raises(CosemError):
                await AsyncClient.open(server.url).connect()
            served.power.up()
            async with AsyncClient.open(server.url) as client:
                assert await client.get(ENERGY.value) == 12_345_678

    asyncio.run(main())
