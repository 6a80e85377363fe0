"""A fleet of which three in ten misbehave: a head-end that goes by the rules reads all others, and believes no lie."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from cosem import AsyncClient
from cosem.client.access import access
from cosem.errors import CosemError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.keys import FleetKeys
from cosem.fleet.ledger import answers, value_of
from cosem.fleet.misbehaving import Misbehaving, Misbehaviour
from cosem.fleet.population import Group, Population, PopulationLimits
from cosem.io.simulated import World
from cosem.io.stream import Stream
from cosem.meter import attend
from cosem.meter.faults import WELL_BEHAVED, Faults
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import ProfileGeneric, Register
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.session import SapPair
from cosem.store.memory import MemoryCounterStore

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNT, HOURS, TRIES = 60, 4, 4
ENERGY = Register("1.0.1.8.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")
URL = ConnectionUrl.parse("tcp://127.0.0.1?client=1")

NOISY = Faults(loss=0.05, duplication=0.05, damage=0.05, truncation=0.05, latency=0.5, jitter=1.0)
RUDE = Faults(reset=0.05, late=0.05, reflection=0.05)
RESTARTING = Faults(reboot_after=3)
FALSE = Faults(wrong_keys=True)
DEVIANT = Faults(deviations=frozenset({"octets_after_apdu", "no_release_request"}))
KINDS = ((NOISY, 0.1), (RUDE, 0.1), (RESTARTING, 0.03), (FALSE, 0.04), (DEVIANT, 0.03))


class Day:
    """What a head-end read in some hours, how often it tried, and what each meter answered to it."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.clock = VirtualClock(MIDNIGHT, real=self.world.now)
        self.keys = FleetKeys(Secret(bytes(range(32))))
        misbehaving = Misbehaving(*(Misbehaviour(faults, share) for faults, share in KINDS))
        self.population = Population(
            (Group(count=COUNT, misbehaving=misbehaving),),
            seed=seed,
            keys=self.keys,
            clock=self.clock,
            # Few are held ready, so that meters are forgotten and made again all day.
            limits=PopulationLimits(ready=5),
        )
        self.counters = MemoryCounterStore()
        self.answered: set[tuple[int, str]] = set()
        self.read: list[tuple[int, int, int, str]] = []
        """By hour and meter in which try what was read."""
        self.failed: Counter[int] = Counter()

    def lived(self) -> Day:
        self.world.run(self.head_end())
        return self

    async def head_end(self) -> None:
        for hour in range(HOURS):
            await self.world.sleep(self.clock.until(MIDNIGHT + hour * HOUR))
            for number in range(COUNT):
                for tried in range(1, TRIES + 1):
                    try:
                        self.read.append((hour, number, tried, await self.energy(number)))
                    except CosemError:
                        self.failed[number] += 1
                    else:
                        break

    async def energy(self, number: int) -> str:
        async with self.client(number) as client:
            value = value_of(await client.get(ENERGY.value))
            now = self.clock.now()
            await client.get(PROFILE.buffer.range(now - HOUR, now))
        return value

    def client(self, number: int) -> AsyncClient:
        async def opener(_: ConnectionUrl, __: float) -> Stream:
            near, far = self.world.pair(latency=0.05)
            self.world.spawn(self.serve(number, far))
            return near

        own = self.keys.of(self.population.title(number))
        entry = access(
            auth="gmac", ek=own.encryption, ak=own.authentication, system_title=b"HES00001", counters=self.counters
        )
        return AsyncClient(URL, entry, opener=opener, entropy=self.world.random.randbytes)

    async def serve(self, number: int, stream: Stream) -> None:
        with self.population.visit(number) as meter:

            def witness(pair: SapPair, request: object, response: object) -> None:
                told = answers(meter.time(), meter.name, pair.client, request, response)
                self.answered.update((number, each.value) for each in told)

            try:
                await attend(meter, stream, entropy=self.world.random.randbytes, witness=witness)
            except CosemError:
                pass  # that is how a connection to such a meter may end
            finally:
                await stream.close()

    def who(self, *faults: Faults) -> set[int]:
        wanted = {(each.loss, each.reset, each.reboot_after, each.wrong_keys, each.deviations) for each in faults}
        found = ((number, self.population.faults(number)) for number in range(COUNT))
        return {
            number
            for number, each in found
            if (each.loss, each.reset, each.reboot_after, each.wrong_keys, each.deviations) in wanted
        }


def test_an_honest_head_end_reads_all_that_can_be_read_and_believes_no_lie() -> None:
    day = Day(5).lived()
    well, noisy, rude, restarting, false, deviant = (
        day.who(each) for each in (WELL_BEHAVED, NOISY, RUDE, RESTARTING, FALSE, DEVIANT)
    )
    assert min(map(len, (noisy, rude, restarting, false, deviant))) >= 1
    assert 0.2 * COUNT < COUNT - len(well) == day.population.misbehaving < 0.4 * COUNT
    # Whoever behaves well is read each hour at once, whatever happens beside it.
    assert {(hour, number) for hour, number, tried, _ in day.read if number in well and tried == 1} == {
        (hour, number) for hour in range(HOURS) for number in well
    }
    # Of what a line or a meter spoils now and then, trying again makes up for most.
    spoilt = noisy | rude
    assert sum(day.failed[number] for number in spoilt) > 0
    assert sum(number in spoilt for _, number, _, _ in day.read) > 0.8 * HOURS * len(spoilt)
    # Who restarts before the end, has other keys or speaks otherwise is given up each time.
    assert {number for number, failures in day.failed.items() if failures == HOURS * TRIES} == (
        restarting | false | deviant
    )
    assert all((number, value) in day.answered for _, number, _, value in day.read)


def test_the_same_seed_draws_the_same_meters_and_the_same_fates() -> None:
    first, again, other = Day(5).lived(), Day(5).lived(), Day(6).lived()
    assert (first.read, first.failed) == (again.read, again.failed)
    assert first.world.trace_hash == again.world.trace_hash != other.world.trace_hash
    fates = [[day.population.faults(number) for number in range(COUNT)] for day in (first, again, other)]
    assert fates[0] == fates[1] != fates[2]
