"""The example fleet is what it says: described in TOML, served, read in each of its places, and pushing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cosem import AsyncClient, Register
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director
from cosem.fleet.file import load
from cosem.fleet.fleet import Fleet
from cosem.fleet.places import Place, Way
from cosem.fleet.population import Population
from cosem.io.aio.listening import ListenLimits, listen
from cosem.io.stream import Stream
from cosem.protocol.model import Data

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fleet.toml"
NAME = Data("0.0.42.0.0.255")
FIRMWARE = Data("1.0.0.2.0.255")
SERIAL = Data("0.0.96.1.0.255")
ENERGY = Register("1.0.1.8.0.255")


def elsewhere(place: Place) -> Place:
    """The same place at a port that is free."""
    return replace(place, url=replace(place.url, port=0))


def test_the_fleet_is_read_and_pushes() -> None:
    said = load(EXAMPLE)
    assert (said.count, said.speed, said.start) == (360, 60.0, datetime(2026, 3, 28, 22, tzinfo=UTC))
    assert [place.way for place in said.places] == [
        *(Way.ADDRESS, Way.GATEWAY, Way.MULTIDROP, Way.PORT, Way.ADDRESS, Way.ADDRESS)
    ]
    assert said.push is not None
    scenario = said.scenario
    happens = (scenario.outages, scenario.firmware, scenario.tariffs, scenario.drifts, scenario.tampers)
    assert [len(each) for each in happens] == [1, 1, 1, 1, 1]

    async def run() -> None:
        assert said.push is not None
        pushed = 0

        async def take(stream: Stream) -> None:
            nonlocal pushed
            while await stream.read(stream.now() + 10):
                pushed += 1

        clock = VirtualClock(said.start, speed=0)
        director = Director(said.scenario, said.count, said.seed)
        async with await listen("127.0.0.1", 0, take, ListenLimits(connections_per_host=64)) as listener:
            push = replace(said.push, to=replace(said.push.to, port=listener.port))
            population = Population(
                said.groups, seed=said.seed, zone=said.zone, clock=clock, effects=director.effects, push=push
            )
            async with Fleet(population, [elsewhere(place) for place in said.places], director=director) as fleet:
                for number in (0, 199, 200, 299, 300, 319, 320, 324, 325, 344, 345, 359):
                    async with AsyncClient.open(replace(fleet.url(number), client=16)) as client:
                        assert await client.get(NAME.value) == population.name(number).encode()
                async with AsyncClient.open(replace(fleet.url(0), client=16)) as client:
                    assert await client.get(FIRMWARE.value) == b"1.0.0"
                    assert str(await client.quantity(ENERGY)).endswith(" Wh")
                for number, serial in ((344, b"00000344"), (359, b"00000359")):
                    async with AsyncClient.open(replace(fleet.url(number), client=16)) as client:
                        assert await client.get(SERIAL.value) == serial
                        assert (str(await client.quantity(ENERGY)) == "12345678 Wh") is (number == 359)
                clock.step(timedelta(hours=9))  # it is 09:00 in summer
                fleet.happen(clock.now())
                async with AsyncClient.open(replace(fleet.url(0), client=16)) as client:
                    assert await client.get(FIRMWARE.value) == b"1.1.0"
                while fleet.state.pushes_delivered < said.count:
                    await asyncio.sleep(0.01)
                state = fleet.state
        assert (state.dark, state.power_ups, state.updated) == (0, said.count, said.count // said.scenario.regions)
        assert 0.7 * said.count < state.last_gasps < 0.9 * said.count
        assert 0 < state.tampered < 0.1 * said.count // said.scenario.regions
        assert pushed >= said.count

    asyncio.run(asyncio.wait_for(run(), 60))
