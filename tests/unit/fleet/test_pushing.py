"""Meters of a fleet that push on their own: on time, when something happens, and again when nobody listens."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director
from cosem.fleet.effects import Effects
from cosem.fleet.fleet import Fleet
from cosem.fleet.keys import FleetKeys
from cosem.fleet.misbehaving import Misbehaving, Misbehaviour
from cosem.fleet.population import Group, Population
from cosem.fleet.push_setup import LONGEST_CYCLE, LONGEST_WAIT, MOST_RETRIES, SETUP, PushSettings, setup_for
from cosem.fleet.pushing import AT_A_LOOK
from cosem.fleet.scenario import FirmwareWave, Outage, Scenario, Tamper
from cosem.io.aio.listening import Listener, ListenLimits, listen
from cosem.io.stream import Stream
from cosem.meter.events import MeterEvent
from cosem.meter.faults import Faults
from cosem.protocol import apdu as apdus
from cosem.protocol.apdu.ciphered import GeneralGlobalCiphering
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.model import Register
from cosem.protocol.model.companion import Companion, companion
from cosem.protocol.profile.address import ConnectionUrl

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
COUNT = 20
TOTAL = Register("1.0.1.8.0.255")


def settings(port: int, **said: Any) -> PushSettings:
    return PushSettings(to=ConnectionUrl.parse(f"tcp://127.0.0.1:{port}"), **said)


class HeadEnd:
    """Whoever listens, and what came."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.held = 0
        """How many connections there are that nobody has broken off."""

    async def hold(self, stream: Stream) -> None:
        """Take what comes for ever, and confirm nothing."""
        self.held += 1
        try:
            while True:
                await stream.read(None)
        finally:
            self.held -= 1

    async def listen(self, port: int = 0) -> Listener:
        return await listen("127.0.0.1", port, self._take, ListenLimits(connections_per_host=1000))

    async def _take(self, stream: Stream) -> None:
        octets = b""
        while len(octets) < 8 or len(octets) < 8 + int.from_bytes(octets[6:8], "big"):
            octets += await stream.read(None)
        self.heard.append(apdus.decode(octets[8:]))

    @property
    def names(self) -> list[bytes]:
        return [bytes(cast("Any", each.body)[0]) for each in self.heard if isinstance(each, DataNotification)]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def on_loopback(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def fleet(
    push: PushSettings,
    clock: VirtualClock,
    scenario: Scenario | None = None,
    keys: FleetKeys | None = None,
    known: Companion | None = None,
    count: int = COUNT,
) -> Fleet:
    director = None if scenario is None else Director(scenario, count)
    effects = None if scenario is None else Effects(scenario, count)
    groups = (Group(count=count, companion=known),)
    population = Population(groups, clock=clock, push=push, keys=keys, effects=effects)
    return Fleet(population, "tcp://127.4.0.0:0", director=director)


def test_every_meter_pushes_once_in_each_period_at_its_own_time() -> None:
    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with (
            await head_end.listen() as listener,
            fleet(settings(listener.port, every=QUARTER, spread=QUARTER), clock) as served,
        ):
            wanted = [served.population.name(number).encode() for number in range(COUNT)]
            await asyncio.sleep(0.05)
            assert head_end.heard == []
            for stage in range(2):
                clock.step(QUARTER / 2)
                await until(lambda stage=stage: served.state.pushes_delivered > COUNT * stage)
                await until(lambda: served.state.pushes_under_way == 0)
                await until(lambda: len(head_end.heard) == served.state.pushes_delivered)
                assert COUNT * stage < len(head_end.heard) < COUNT * (stage + 1)
                clock.step(QUARTER / 2)
                await until(lambda stage=stage: len(head_end.heard) == COUNT * (stage + 1))
                assert sorted(head_end.names[-COUNT:]) == wanted
            assert served.population.ready == COUNT
            assert served.population.changed == 0
        name, time, *values = head_end.heard[0].body
        assert (len(name), len(time), len(values)) == (16, 12, 5)  # name, clock; status and four energies

    on_loopback(main)


@pytest.mark.parametrize("known", [None, "smr-5.0"])
def test_meters_that_lose_power_gasp_once_and_dial_in_when_it_is_back(known: str | None) -> None:
    scenario = Scenario(outages=(Outage(at=NOON, length=QUARTER, region=1, last_gasp=1.0, storm=QUARTER),), regions=2)

    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with (
            await head_end.listen() as listener,
            fleet(
                settings(listener.port, every=timedelta(hours=1)),
                clock,
                scenario,
                known=None if known is None else companion(known),
            ) as served,
        ):
            for number in range(COUNT):
                with served.population.visit(number) as meter:
                    assert meter.powered
            clock.step(timedelta(seconds=20))
            served.happen(clock.now())
            await until(lambda: served.state.pushes_delivered == len(head_end.heard) == COUNT)
            # those with power pushed since it is noon, those without gasped
            assert sorted(head_end.names) == [served.population.name(number).encode() for number in range(COUNT)]
            for each in head_end.heard:  # what a gasp says stood still when the power went
                with served.population.visit(served.population.number(bytes(each.body[0]).decode()) or 0) as meter:
                    assert meter.value(TOTAL.value) in each.body[2:]
            clock.step(2 * QUARTER)
            served.happen(clock.now())
            await until(lambda: served.state.pushes_delivered == len(head_end.heard) == COUNT + COUNT // 2)
            back = [served.population.name(number).encode() for number in range(COUNT // 2, COUNT)]
            assert sorted(head_end.names[COUNT:]) == back
            assert (served.state.last_gasps, served.state.power_ups) == (10, 10)

    on_loopback(main)


def test_who_is_not_heard_tries_again_as_the_push_setup_says_and_gives_up() -> None:
    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await head_end.listen() as listener:
            port = listener.port
        push = settings(port, every=timedelta(hours=1), retries=2, wait=10, growth=200, longest=60)
        async with fleet(push, clock) as served:
            outward = served.outward
            assert outward is not None
            clock.step(timedelta(seconds=1))
            for attempts, wait in ((1, 10), (2, 20), (3, 0)):
                await until(
                    lambda attempts=attempts: outward.counts.attempts == COUNT * attempts and not outward.trying
                )
                clock.step(timedelta(seconds=max(wait - 1, 0)))
                await asyncio.sleep(0.02)
                assert outward.counts.attempts == COUNT * attempts
                clock.step(timedelta(seconds=1))
            await until(lambda: served.state.pushes_given_up == COUNT)
            assert served.state.pushes_under_way == 0
            async with await head_end.listen(port):
                clock.step(timedelta(hours=1))
                await until(lambda: served.state.pushes_delivered == COUNT)

    on_loopback(main)


@pytest.mark.parametrize("known", [None, "smr-5.0"])
def test_a_push_that_is_not_confirmed_yet_breaks_off_with_the_power(known: str | None) -> None:
    scenario = Scenario(outages=(Outage(at=NOON + QUARTER, length=QUARTER, region=1, last_gasp=1.0),), regions=2)

    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await listen("127.0.0.1", 0, head_end.hold, ListenLimits(connections_per_host=1000)) as listener:
            push = settings(listener.port, every=timedelta(hours=1), confirmed=True)
            async with fleet(push, clock, scenario, known=None if known is None else companion(known)) as served:
                clock.step(timedelta(seconds=1))
                await until(lambda: head_end.held == COUNT)
                clock.step(QUARTER)
                served.happen(clock.now())
                await until(lambda: head_end.held == COUNT // 2)
                assert (served.state.pushes_given_up, served.state.pushes_under_way) == (COUNT // 2, COUNT // 2)
                clock.step(timedelta(seconds=20))
                served.happen(clock.now())
                await until(lambda: head_end.held == COUNT)  # the gasps of those that lost it, and nobody breaks them
                served.happen(clock.now())
                await asyncio.sleep(0.05)
                assert (head_end.held, served.state.pushes_given_up) == (COUNT, COUNT // 2)

    on_loopback(main)


def test_who_has_no_power_does_not_try_again() -> None:
    scenario = Scenario(outages=(Outage(at=NOON + timedelta(seconds=5), length=QUARTER, region=1),), regions=2)

    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await head_end.listen() as listener:
            push = settings(listener.port, every=timedelta(hours=1), retries=2, wait=10)
        async with fleet(push, clock, scenario) as served:
            outward = served.outward
            assert outward is not None
            clock.step(timedelta(seconds=1))
            await until(lambda: outward.counts.attempts == COUNT and not outward.trying)
            clock.step(timedelta(seconds=10))
            served.happen(clock.now())
            await until(lambda: served.state.pushes_given_up == COUNT // 2)
            await until(lambda: outward.counts.attempts == COUNT + COUNT // 2 and not outward.trying)
            assert served.state.pushes_under_way == COUNT // 2

    on_loopback(main)


def test_a_push_is_given_up_too_where_its_meter_knows_first_that_the_power_has_gone() -> None:
    """Somebody looks at it before the director does, and by its own script it is dark then."""
    scenario = Scenario(outages=(Outage(at=NOON + timedelta(seconds=5), length=QUARTER, region=1),), regions=2)

    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await head_end.listen() as listener:
            push = settings(listener.port, every=timedelta(hours=1), retries=2, wait=10)
        async with fleet(push, clock, scenario, known=companion("smr-5.0")) as served:
            outward = served.outward
            assert outward is not None
            clock.step(timedelta(seconds=1))
            await until(lambda: outward.counts.attempts == COUNT and not outward.trying)
            clock.step(timedelta(seconds=10))
            for number in range(COUNT):
                with served.population.visit(number) as meter:
                    meter.settle()
                    assert meter.dark is (number >= COUNT // 2)
            served.happen(clock.now())
            await until(lambda: served.state.pushes_given_up == COUNT // 2)
            await until(lambda: outward.counts.attempts == COUNT + COUNT // 2 and not outward.trying)
            assert (served.state.pushes_given_up, served.state.pushes_under_way) == (COUNT // 2, COUNT // 2)

    on_loopback(main)


@pytest.mark.parametrize("heard", [True, False])
def test_cycles_that_passed_at_once_are_one_push_and_hold_nobody_up(heard: bool) -> None:
    """Virtual time may go faster than pushes can be made: whoever comes must be served all the same."""

    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await head_end.listen() as listener:
            port = listener.port
            if not heard:
                await listener.close()
            count = 3 * AT_A_LOOK
            push = settings(port, every=timedelta(seconds=1), spread=timedelta(seconds=1), retries=0)
            async with fleet(push, clock, count=count) as served:
                outward = served.outward
                assert outward is not None
                clock.step(timedelta(days=1))
                looks = [outward.counts.begun]
                async with asyncio.timeout(20):
                    while outward.counts.delivered + outward.counts.given_up < count or outward.under_way:
                        await asyncio.sleep(0)
                        looks.append(outward.counts.begun)
                assert max(later - earlier for earlier, later in pairwise(looks)) <= AT_A_LOOK
                assert outward.counts.begun == outward.counts.delivered + outward.counts.given_up <= 3 * count

    on_loopback(main)


def test_what_meters_do_wrong_befalls_their_pushes() -> None:
    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await head_end.listen() as listener:
            push = settings(listener.port, every=timedelta(hours=1))
            wrong = (Faults(loss=1), Faults(reset=1))
            groups = (Group(count=1), *(Group(count=1, misbehaving=Misbehaving(Misbehaviour(each))) for each in wrong))
            population = Population(groups, clock=clock, push=push)
            async with Fleet(population, "tcp://127.4.0.0:0") as served:
                clock.step(timedelta(seconds=1))
                outward = served.outward
                assert outward is not None
                # What was lost has been sent, as far as the meter can tell; what broke off has not.
                await until(lambda: (outward.counts.attempts, served.state.pushes_delivered) == (3, 2))
                await until(lambda: not outward.trying and bool(head_end.heard))
                assert head_end.names == [population.name(0).encode()]
                assert served.state.pushes_under_way == 1

    on_loopback(main)


@pytest.mark.parametrize("most", [1, 3])
def test_so_many_connections_at_once_and_pushes_under_way_and_not_one_more(most: int) -> None:
    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await head_end.listen() as listener:
            push = settings(listener.port, every=timedelta(hours=1), at_once=most, under_way=most + 1)
            async with fleet(push, clock) as served:
                outward = served.outward
                assert outward is not None
                clock.step(timedelta(seconds=1))
                seen: set[tuple[int, int]] = set()
                async with asyncio.timeout(20):
                    while served.state.pushes_delivered < COUNT:
                        seen.add((outward.under_way, outward.trying))
                        await asyncio.sleep(0)
                assert max(under_way for under_way, _ in seen) == most + 1
                assert max(trying for _, trying in seen) == most
                await until(lambda: len(head_end.heard) == COUNT)

    on_loopback(main)


def test_pushes_of_meters_with_keys_are_protected() -> None:
    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await head_end.listen() as listener:
            push = settings(listener.port, every=timedelta(hours=1))
            async with fleet(push, clock, keys=FleetKeys.demonstration()):
                clock.step(timedelta(seconds=1))
                await until(lambda: len(head_end.heard) == COUNT)
        assert {type(each) for each in head_end.heard} == {GeneralGlobalCiphering}
        assert len({bytes(each.system_title) for each in head_end.heard}) == COUNT

    on_loopback(main)


def test_who_is_tampered_with_pushes() -> None:
    scenario = Scenario(tampers=(Tamper(at=NOON, share=0.5),))

    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(seconds=1), speed=0)
        async with await head_end.listen() as listener, fleet(settings(listener.port), clock, scenario) as served:
            clock.step(timedelta(seconds=2))
            said = served.happen(clock.now())
            assert said
            await until(lambda: served.state.pushes_delivered == len(head_end.heard) == len(said))
            assert sorted(head_end.names) == sorted(served.population.name(each.number).encode() for each in said)

    on_loopback(main)


@pytest.mark.parametrize(
    ("known", "codes"), [(None, [1, 2, 18, 40]), ("smr-5.0", [1, 2, 18, 44]), ("is-15959", [101, 102, 157, 251])]
)
def test_what_happened_is_told_apart_by_its_code_and_from_pushes_on_time(known: str | None, codes: list[int]) -> None:
    scenario = Scenario(
        outages=(Outage(at=NOON, length=QUARTER, last_gasp=1.0),),
        firmware=(FirmwareWave(at=NOON + 2 * QUARTER, version="2.0"),),
        tampers=(Tamper(at=NOON + 3 * QUARTER, share=1.0),),
    )

    async def main() -> None:
        head_end, clock = HeadEnd(), VirtualClock(NOON - timedelta(minutes=61), speed=0)
        async with await head_end.listen() as listener:
            push = settings(listener.port, every=timedelta(hours=1))
            async with fleet(push, clock, scenario, known=None if known is None else companion(known)) as served:
                clock.step(timedelta(minutes=2))
                for stage in range(5):
                    await until(lambda stage=stage: len(head_end.heard) == COUNT * (stage + 1))
                    clock.step(NOON + stage * QUARTER + timedelta(minutes=1) - clock.now())
                    if stage < 4:
                        served.happen(clock.now())
        on_time, *others = (head_end.heard[COUNT * stage : COUNT * (stage + 1)] for stage in range(5))
        lengths = {len(each.body) for each in on_time}
        assert len(lengths) == 1
        for code, pushed in zip(codes, others, strict=True):
            assert {len(each.body) - 1 for each in pushed} == lengths
            assert {int(each.body[2]) for each in pushed} == {code}
            assert len({bytes(each.body[0]) for each in pushed}) == COUNT

    on_loopback(main)


def test_a_companion_without_a_code_has_its_meters_push_as_on_time() -> None:
    assert setup_for(MeterEvent.POWER_DOWN, companion("norway").notes) == setup_for(None) == SETUP


def test_cosem_listen_tells_a_last_gasp_a_power_up_and_an_opened_cover_apart(tmp_path: Path) -> None:
    scenario = Scenario(
        outages=(Outage(at=NOON, length=QUARTER, last_gasp=1.0),), tampers=(Tamper(at=NOON + 2 * QUARTER, share=1.0),)
    )
    keys = FleetKeys.demonstration()

    async def main() -> None:
        clock = VirtualClock(NOON - timedelta(seconds=1), speed=0)
        title = Population(1).title(0)
        own = keys.of(title)
        words = ["listen", "tcp://127.0.0.1:0", "--count", "3", "--json"]
        words += ["--meter", title.hex(), "--ek", "env:EK", "--ak", "env:AK"]
        environment = {
            **os.environ,
            "XDG_STATE_HOME": str(tmp_path),
            "EK": own.encryption.reveal().hex(),
            "AK": own.authentication.reveal().hex(),
        }
        listening = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cosem", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
        assert listening.stderr is not None
        place = ""
        while not place.startswith("listening at "):
            place = (await listening.stderr.readline()).decode()
            assert place, "it says where it listens before it ends"
        push = PushSettings(to=ConnectionUrl.parse(place.split()[2].rstrip(";")), confirmed=True)
        try:
            async with fleet(push, clock, scenario, keys=keys, count=1) as served:
                for stage in range(3):
                    clock.step(NOON + stage * QUARTER + timedelta(minutes=1) - clock.now())
                    served.happen(clock.now())
                    await until(lambda stage=stage: served.state.pushes_delivered == stage + 1)
                out, _ = await asyncio.wait_for(listening.communicate(), 20)
        finally:
            if listening.returncode is None:
                listening.kill()
                await listening.wait()
        told = [json.loads(line) for line in out.decode().splitlines()]
        assert [(each["verified"], each["value"][2]) for each in told] == [(True, 1), (True, 2), (True, 40)]

    on_loopback(main)


def test_no_push_leaves_loopback_without_leave() -> None:
    away = PushSettings(to=ConnectionUrl.parse("tcp://192.0.2.7:4061"))
    with pytest.raises(ConfigurationError, match="elsewhere"):
        fleet(away, VirtualClock(NOON, speed=0))
    allowed = PushSettings(to=away.to, beyond_loopback=True)
    assert fleet(allowed, VirtualClock(NOON, speed=0)).state.pushes == 0
    with pytest.raises(ConfigurationError, match="demo keys"):
        fleet(allowed, VirtualClock(NOON, speed=0), keys=FleetKeys.demonstration())


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ({"retries": MOST_RETRIES}, True),
        ({"retries": MOST_RETRIES + 1}, False),
        ({"wait": LONGEST_WAIT}, True),
        ({"longest": LONGEST_WAIT + 1}, False),
        ({"growth": -1}, False),
        ({"at_once": 0}, False),
        ({"under_way": 0}, False),
        ({"every": LONGEST_CYCLE}, True),
        ({"every": LONGEST_CYCLE + timedelta(seconds=1)}, False),
        ({"spread": timedelta(seconds=-1)}, False),
    ],
)
def test_how_meters_may_push(said: dict[str, Any], fits: bool) -> None:
    if fits:
        assert settings(1, **said)
    else:
        with pytest.raises(ConfigurationError):
            settings(1, **said)


def test_by_what_meters_push() -> None:
    with pytest.raises(ConfigurationError, match="push by tcp"):
        PushSettings(to=ConnectionUrl.parse("iec21+tcp://127.0.0.1:1"))
    with pytest.raises(ConfigurationError, match="port 0"):
        settings(0)
