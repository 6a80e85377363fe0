"""Two meters on one line: clients in threads, in tasks, and the collector take turns on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cosem import AsyncClient, Bus, Client, Meter, Register, Unit
from cosem.client.collect import Collected, Target, collect
from cosem.errors import ConfigurationError
from cosem.meter import serving
from cosem.protocol.model.reference import Reference
from cosem.protocol.profile.address import ConnectionUrl
from cosem.store.readings import ReadingStore
from lines import shared_line

ENERGY = Register("1.0.1.8.0.255")
STATIONS = {17: 1000, 18: 2000}
"""What each meter measured, by its physical address."""
GAP = 0.005
TIMES = 3
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def described(number: int, value: int) -> Meter:
    meter = Meter(f"KFM10200123456{number}", clock=lambda: NOON)
    meter.add(ENERGY, value=value, scaler_unit=(0, Unit.WATT_HOUR))
    return meter


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Serve both meters, each at its end of one line; give the URL of the line without an address."""
    with shared_line(len(STATIONS)) as (clients_end, meters_ends):
        async with AsyncExitStack() as meters:
            for end, (number, value) in zip(meters_ends, STATIONS.items(), strict=True):
                url = f"hdlc+serial://{end}?physical={number}"
                await meters.enter_async_context(serving(described(number, value), url, beyond_loopback=True))
            yield f"hdlc+serial://{clients_end}"


def test_threads_with_a_client_each() -> None:
    found: dict[int, list[Any]] = {}

    def read(bus: Bus, url: str, number: int) -> None:
        with Client.open(f"{url}?physical={number}", opener=bus.opener) as client:
            found[number] = [client.get(ENERGY.value) for _ in range(TIMES)]

    def threads(url: str) -> None:
        with Bus.blocking(url, gap=GAP) as bus:
            readers = [threading.Thread(target=read, args=(bus, url, number)) for number in STATIONS]
            for each in readers:
                each.start()
            for each in readers:
                each.join()
            assert bus.counters["turns"] == len(STATIONS) * (3 + TIMES)  # SNRM, AARQ and DISC, and each GET

    async def run() -> None:
        async with served() as url:
            await asyncio.to_thread(threads, url)

    asyncio.run(run())
    assert found == {number: [value] * TIMES for number, value in STATIONS.items()}


def test_tasks_with_a_client_each() -> None:
    async def read(bus: Bus, url: str, number: int) -> list[Any]:
        async with AsyncClient.open(f"{url}?physical={number}", opener=bus.opener) as client:
            return [await client.get(ENERGY.value) for _ in range(TIMES)]

    async def run() -> list[list[Any]]:
        async with served() as url, Bus.asyncio(url, gap=GAP) as bus:
            return await asyncio.gather(*(read(bus, url, number) for number in STATIONS))

    assert asyncio.run(run()) == [[value] * TIMES for value in STATIONS.values()]


def targets(urls: dict[int, str]) -> list[Target]:
    energy = Reference(ENERGY.instance, ENERGY.class_id, 2)
    return [
        Target(name=f"meter {number}", url=ConnectionUrl.parse(url), references=(energy,))
        for number, url in urls.items()
    ]


def check(collected: list[Collected], store: ReadingStore) -> None:
    assert [(each.connected, each.failures) for each in collected] == [(True, ())] * len(STATIONS)
    for number, value in STATIONS.items():
        (energy,) = store.rows(f"meter {number}", obis=ENERGY.instance)
        assert energy.value == value


def test_the_collector_on_one_serial_line(tmp_path: Path) -> None:
    with ReadingStore(tmp_path / "readings.sqlite") as store:

        async def run() -> list[Collected]:
            async with served() as url:
                wanted = targets({number: f"{url}?physical={number}" for number in STATIONS})
                return await collect(wanted, store, gap=GAP, now=lambda: NOON)

        check(asyncio.run(run()), store)


def test_the_collector_at_one_tcp_endpoint(tmp_path: Path) -> None:
    """Two logical devices of one meter."""

    async def run(store: ReadingStore) -> list[Collected]:
        meter = Meter("KFM1020012345617", clock=lambda: NOON)
        meter.add(ENERGY, value=STATIONS[17], scaler_unit=(0, Unit.WATT_HOUR))
        other = meter.add_device(2, "KFM1020012345618")
        other.add(ENERGY, value=STATIONS[18], scaler_unit=(0, Unit.WATT_HOUR))
        async with serving(meter, "hdlc+tcp://127.0.0.1:0") as server:
            at = f"hdlc+tcp://127.0.0.1:{server.url.port}"
            return await collect(
                targets({17: f"{at}?server=1", 18: f"{at}?server=2"}), store, gap=GAP, now=lambda: NOON
            )

    with ReadingStore(tmp_path / "readings.sqlite") as store:
        check(asyncio.run(run(store)), store)


@pytest.mark.parametrize("unlike", ["sign_on=iec21", "baud=300", "rs485=yes", "echo=strip"])
def test_who_cannot_share_the_line(unlike: str) -> None:
    with (
        Bus.blocking("hdlc+serial:///dev/ttyUSB0") as bus,
        pytest.raises(ConfigurationError, match="line"),
    ):
        Client.open(f"hdlc+serial:///dev/ttyUSB0?physical=17&{unlike}", opener=bus.opener).connect()
