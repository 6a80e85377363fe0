"""A head-end of ours operates some meters of a fleet, and the truth of what they measured tells what came of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from cosem import AsyncClient
from cosem.client.access import access
from cosem.fleet.clock import VirtualClock
from cosem.fleet.keys import FleetKeys
from cosem.fleet.population import Population, PopulationLimits
from cosem.fleet.truth import measured
from cosem.io.simulated import World
from cosem.io.stream import Stream
from cosem.meter import attend
from cosem.meter.operated import BREAKER, CALENDAR, TARIFF_SCRIPTS, TARIFFS
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import Data, Register
from cosem.protocol.model.classes.access_control import ImageTransferStatus
from cosem.protocol.model.classes.time_and_event import DayProfile, DayProfileAction, Season, WeekProfile
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import Integer
from cosem.protocol.values.dates import DateTime, Time
from cosem.store.memory import MemoryCounterStore

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, QUARTER = timedelta(hours=1), timedelta(minutes=15)
COUNT = 8
DISCONNECTED, UPDATED, RETARIFFED = 2, 4, 6
TOTAL, FIRST, SECOND = (Register(f"1.0.1.8.{tariff}.255") for tariff in (0, 1, 2))
URL = ConnectionUrl.parse("tcp://127.0.0.1?client=1")


def test_what_a_head_end_operates_is_in_the_truth_of_these_meters_alone() -> None:
    world = World(3)
    clock = VirtualClock(MIDNIGHT, real=world.now)
    keys, counters = FleetKeys(Secret(bytes(range(32)))), MemoryCounterStore()
    population = Population(COUNT, keys=keys, clock=clock, limits=PopulationLimits(ready=1))

    async def serve(number: int, stream: Stream) -> None:
        with population.visit(number) as meter:
            await attend(meter, stream, entropy=world.random.randbytes)
        await stream.close()

    def client(number: int) -> AsyncClient:
        near, far = world.pair(latency=0.01)
        world.spawn(serve(number, far))

        async def opener(_: ConnectionUrl, __: float) -> Stream:
            return near

        own = keys.of(population.title(number))
        entry = access(
            auth="gmac", ek=own.encryption, ak=own.authentication, system_title=b"HES00001", counters=counters
        )
        return AsyncClient(URL, entry, opener=opener, entropy=world.random.randbytes)

    async def until(hour: int) -> None:
        await world.sleep(clock.until(MIDNIGHT + hour * HOUR))

    async def head_end() -> None:
        await until(9)
        async with client(DISCONNECTED) as meter:
            await meter.act(BREAKER.remote_disconnect, Integer(0))
        async with client(UPDATED) as meter:
            state = await meter.send_image(bytes(range(256)) * 20, b"5.0", activate=True, write=True)
            assert state.status is ImageTransferStatus.ACTIVATION_SUCCESSFUL
            assert await meter.get(Data("1.0.0.2.0.255").value) == b"5.0"
        async with client(RETARIFFED) as meter:
            action = DayProfileAction(Time(0, 0, 0, 0), TARIFF_SCRIPTS.instance, 2)
            await meter.set(CALENDAR.season_profile_passive, (Season(b"S", DateTime(), b"W"),))
            await meter.set(CALENDAR.week_profile_table_passive, (WeekProfile(b"W", *(7 * (1,))),))
            await meter.set(CALENDAR.day_profile_table_passive, (DayProfile(1, (action,)),))
            at = MIDNIGHT + 12 * HOUR
            await meter.set(CALENDAR.activate_passive_calendar_time, DateTime.from_datetime(at))
        await until(15)
        async with client(DISCONNECTED) as meter:
            await meter.act(BREAKER.remote_reconnect, Integer(0))
        await until(24)
        async with client(RETARIFFED) as meter:
            assert await meter.get(TARIFFS.active_mask) == b"2"
        await world.sleep(10)  # until all have gone

    world.run(head_end())
    assert population.changed == 3
    plain = Population(COUNT, keys=keys, clock=clock)
    for number in range(COUNT):
        found, free = (
            {(each.time, each.reference.split("/")[1]): each.raw for each in measured(meters, [number], *DAY)}
            for meters in (population, plain)
        )
        assert len(found) == len(free)
        differ = sorted({time for (time, code), raw in found.items() if free[time, code] != raw})
        at = {place: index for index, place in enumerate(sorted({time for time, _ in found}))}
        hours = (at[differ[0]] / 4, at[differ[-1]] / 4) if differ else None
        if number == DISCONNECTED:
            # From the first row in which less had come, and ever after: what did not flow never comes.
            assert hours is not None and 9 < hours[0] <= 9.5 and hours[1] == 23.75
            stood = {raw for (time, code), raw in found.items() if code == str(TOTAL.instance) and is_open(time)}
            assert len(stood) == 1
        elif number == RETARIFFED:
            assert hours is not None and 12 < hours[0] <= 12.5 and hours[1] == 23.75
            codes = {code for (time, code), raw in found.items() if free[time, code] != raw}
            assert codes == {str(FIRST.instance), str(SECOND.instance)}
        else:
            assert hours is None
        for time in at:
            total, first, second = (cast("int", found[time, str(each.instance)]) for each in (TOTAL, FIRST, SECOND))
            assert total == first + second


DAY = MIDNIGHT, MIDNIGHT + 24 * HOUR


def is_open(time: datetime) -> bool:
    return MIDNIGHT + 9 * HOUR + QUARTER <= time <= MIDNIGHT + 15 * HOUR
