"""A misbehaving meter: each deviation fails without its switch and passes with it; what is harmed is never believed."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from cosem import AsyncClient, Clock, Register
from cosem.client.access import access
from cosem.danger import Weakness
from cosem.errors import ConfigurationError, ConnectionLost, CosemError, Retry, SecurityError, TimedOut
from cosem.io.simulated import SimulatedStream, World
from cosem.io.stream import Stream
from cosem.meter import AssociationDescription, Faults, Keys, Meter, attend, demo_keys
from cosem.meter.demo import household
from cosem.meter.describe import parse
from cosem.meter.faults import DEVIATIONS, IN_PROTECTION, LINK_DEVIATIONS, WELL_BEHAVED
from cosem.meter.misbehave import MOST_EARLY, FaultyStream
from cosem.meter.rights import Access as Grant
from cosem.meter.rights import Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.crypto.mechanism import named
from cosem.protocol.dialect import STANDARD, Dialect
from cosem.protocol.link.hdlc.settings import ClientSettings, Tolerance
from cosem.protocol.profile import profile_of
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.data import DoubleLongUnsigned
from cosem.store.memory import MemoryCounterStore
from described import HEAD, LOG, log, thing

ENERGY = Register("1.0.1.8.0.255")
COUNTED = 12_345_678
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEAK = frozenset(Weakness)
TCP, HDLC = "tcp://127.0.0.1?client={}", "hdlc+tcp://127.0.0.1?client={}"


class Bench:
    """One misbehaving meter in a simulated world; client 16 comes in clear, client 1 ciphered under the demo keys."""

    def __init__(self, faults: Faults, seed: int = 1) -> None:
        self.world = World(seed)
        self.began = 0.0
        keys = demo_keys()
        self.meter = Meter("KFM1020012345678", clock=self.time, faults=faults)
        self.meter.add(ENERGY, value=DoubleLongUnsigned(COUNTED), scaler_unit=(0, 30))
        managing = Rights(Grant.MANAGE)
        self.meter.offer(
            AssociationDescription(client=16),
            AssociationDescription(
                client=1, mechanism=named("gmac"), keys=keys, protection=AUTHENTICATED_ENCRYPTION, rights=managing
            ),
            AssociationDescription(client=2, keys=keys, protection=AUTHENTICATED_ENCRYPTION),
        )
        self.words = {"keys": keys}

    def time(self) -> datetime:
        return NOON + timedelta(seconds=self.world.now())

    def client(self, url: str, dialect: Dialect = STANDARD, **words: Any) -> AsyncClient:
        parsed = ConnectionUrl.parse(url)

        async def opener(_url: ConnectionUrl, _seconds: float) -> Stream:
            near, far = self.world.pair()
            self.world.spawn(self._attend(far, parsed))
            return near

        given = access(dialect=dialect, permitted=WEAK, **words)
        return AsyncClient(parsed, given, opener=opener, entropy=self.world.random.randbytes)

    def run(self, client: AsyncClient, dialogue: Callable[[AsyncClient], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            try:
                await client.connect()
                return await dialogue(client)
            finally:
                await client.close()

        return self.world.run(main())

    async def _attend(self, stream: SimulatedStream, url: ConnectionUrl) -> None:
        with contextlib.suppress(CosemError):
            await attend(self.meter, stream, profile_of(url), entropy=self.world.random.randbytes)
        await stream.close()


async def energy(client: AsyncClient) -> int:
    return cast("int", await client.get(ENERGY.value))


CLEAR: dict[str, Any] = {}


def ciphered(**words: Any) -> dict[str, Any]:
    keys = demo_keys()
    return {"ek": keys.encryption, "ak": keys.authentication, **words}


def tolerated(bench: Bench, url: str, dialect: Dialect, words: dict[str, Any]) -> dict[str, int]:
    async def dialogue(client: AsyncClient) -> dict[str, int]:
        assert await energy(client) == COUNTED
        assert client.services is not None
        return dict(client.services.exchange.tolerated)

    found: dict[str, int] = bench.run(bench.client(url, dialect, **words), dialogue)
    return found


SWITCHES = {
    "any_invoke_id": (TCP.format(16), CLEAR),
    "octets_after_apdu": (TCP.format(16), CLEAR),
    "accepted_without_initiate": (TCP.format(16), CLEAR),
    "empty_system_title": (TCP.format(1), ciphered(envelope="general")),
    "any_transaction_id": (TCP.format(1), ciphered(envelope="general-ciphering")),
}
"""Where each deviation of messages shows, that a client does not put up with by itself."""


@pytest.mark.parametrize("name", SWITCHES)
def test_a_deviation_of_messages_takes_its_switch(name: str) -> None:
    url, words = SWITCHES[name]
    faults = Faults(deviations=frozenset({name}))
    with pytest.raises(CosemError):
        tolerated(Bench(faults), url, STANDARD, words)
    switched: Any = {name: True}
    assert tolerated(Bench(faults), url, replace(STANDARD, **switched), words)[name] > 0


@pytest.mark.parametrize("name", ["release_without_user_information", "no_release_request"])
def test_a_release_that_is_not_answered_takes_its_switch(name: str) -> None:
    def seconds(dialect: Dialect) -> float:
        bench = Bench(Faults(deviations=frozenset({name})))
        tolerated(bench, TCP.format(1), dialect, ciphered())
        return bench.world.now()

    switched: Any = {name: True}
    assert seconds(STANDARD) > 3 > seconds(replace(STANDARD, **switched))


@pytest.mark.parametrize("name", sorted(IN_PROTECTION - {"content_length_signed", "ephemeral_key_signed_with_scheme"}))
def test_a_deviation_of_protection_takes_its_switch(name: str) -> None:
    words = ciphered(envelope="general-ciphering")
    faults = Faults(deviations=frozenset({name}))
    with pytest.raises(CosemError):
        tolerated(Bench(faults), TCP.format(1), STANDARD, words)
    switched: Any = {name: True}
    tolerated(Bench(faults), TCP.format(1), replace(STANDARD, **switched), words)


@pytest.mark.parametrize("name", ["content_length_signed", "ephemeral_key_signed_with_scheme"])
def test_deviations_of_signatures_go_into_the_association(name: str) -> None:
    bench = Bench(Faults(deviations=frozenset({name})))
    association = bench.meter.management.association(1)
    assert association is not None
    switched: Any = {name: True}
    assert association.dialect == replace(STANDARD, **switched)


@pytest.mark.parametrize("name", sorted(LINK_DEVIATIONS))
def test_a_deviation_of_frames(name: str) -> None:
    faults = Faults(deviations=frozenset({name}))
    usual = Tolerance[name] in ClientSettings().tolerances
    url = HDLC.format(16) + "&window=1"
    if not usual:
        with pytest.raises(CosemError):
            tolerated(Bench(faults), url, STANDARD, CLEAR)
    dialect = STANDARD if usual else Dialect(link=frozenset({name}))
    assert tolerated(Bench(faults), url, dialect, CLEAR)[name.lower()] > 0


@pytest.mark.parametrize("name", sorted(LINK_DEVIATIONS))
def test_a_deviation_of_frames_changes_nothing_where_there_are_none(name: str) -> None:
    found = tolerated(Bench(Faults(deviations=frozenset({name}))), TCP.format(16), STANDARD, CLEAR)
    assert not any(found.values())


def test_every_deviation_that_a_client_can_put_up_with_is_one_that_a_meter_can_be_made_to_do() -> None:
    tested = set(SWITCHES) | {"release_without_user_information", "no_release_request"} | IN_PROTECTION
    assert tested == DEVIATIONS
    assert {str(each.name) for each in Tolerance if each} == LINK_DEVIATIONS


# -- what befalls answers ---------------------------------------------------------------------------------------------


def outcome(faults: Faults, url: str = TCP.format(16), *, seed: int = 1, times: int = 1) -> list[object]:
    """Return what reading so many times came to: the value, or the kind of error, after which a client comes anew."""

    async def dialogue(client: AsyncClient) -> int:
        return await energy(client)

    bench, found = Bench(faults, seed), list[object]()
    for _ in range(times):
        try:
            found.append(bench.run(bench.client(url, **(ciphered() if url[-8:] == "client=1" else {})), dialogue))
        except CosemError as error:
            found.append(type(error))
    return [*found, round(bench.world.now(), 3)]


def test_latency_is_waited_for() -> None:
    *values, seconds = outcome(Faults(latency=2.0))
    assert values == [COUNTED]
    assert isinstance(seconds, float)
    assert seconds >= 4  # the association and the reading


def test_what_is_lost_or_late_is_a_time_out_and_the_session_is_over() -> None:
    for faults in (Faults(loss=1), Faults(late=1, late_by=30)):
        assert outcome(faults)[0] is TimedOut


@pytest.mark.parametrize("faults", [Faults(reset=1), Faults(reboot_after=2)])
def test_a_connection_that_breaks_says_so(faults: Faults) -> None:
    assert outcome(faults)[0] is ConnectionLost


def test_the_meter_restarts_in_the_middle_of_a_transfer_and_serves_the_next_client_as_before() -> None:
    bench = Bench(Faults(reboot_after=3))

    async def twice(client: AsyncClient) -> list[int]:
        return [await energy(client), await energy(client)]

    with pytest.raises(ConnectionLost) as lost:
        bench.run(bench.client(TCP.format(16)), twice)
    assert lost.value.retry is Retry.NEW_SESSION
    assert bench.run(bench.client(TCP.format(16)), energy) == COUNTED


def _described(clock: Callable[[], datetime]) -> Meter:
    described = thing("Register", "1.0.1.8.0.255", "value = 7") + log(power_up=2)
    return parse(f"{HEAD}{described}[faults]\nreboot_after = 3\n", clock=clock)


def _template(clock: Callable[[], datetime]) -> Meter:
    return parse(f'{HEAD}template = "household"\n[faults]\nreboot_after = 3\n', clock=clock)


def _household(clock: Callable[[], datetime]) -> Meter:
    return household(1, clock=clock, faults=Faults(reboot_after=3))


@pytest.mark.parametrize("made", [_described, _template, _household])
def test_a_meter_that_restarts_loses_all_its_connections_and_notes_it(made: Callable[..., Meter]) -> None:
    bench = Bench(WELL_BEHAVED)
    meter = bench.meter = made(bench.time)
    before = len(meter.value(LOG.buffer))

    async def main() -> None:
        first, second = (bench.client(TCP.format(16)) for _ in range(2))
        await first.connect()
        await second.connect()
        await energy(first)
        assert meter.power.restarts == 0
        with pytest.raises(ConnectionLost):
            await energy(first)
        assert meter.power.restarts == 1
        with pytest.raises(ConnectionLost):
            await energy(second)

    bench.world.run(main())
    assert [int(row[1]) for row in meter.value(LOG.buffer)[before:]] == [2]


@pytest.mark.parametrize("url", [TCP.format(16), TCP.format(1), HDLC.format(16)])
@pytest.mark.parametrize(
    "faults",
    [
        Faults(duplication=0.2),
        Faults(truncation=0.3),
        Faults(reflection=0.5),
        Faults(duplication=0.2, truncation=0.1, reflection=0.2, loss=0.1, reset=0.05, late=0.1),
    ],
)
def test_whatever_befalls_answers_a_value_is_the_right_one(faults: Faults, url: str) -> None:
    found: list[object] = []
    for seed in range(6):
        found += outcome(replace(faults, seed=seed), url, times=3)[:-1]
    assert all(each == COUNTED or (isinstance(each, type) and issubclass(each, CosemError)) for each in found)
    assert COUNTED in found


def test_damage_never_passes_for_a_value_where_something_checks() -> None:
    for url in (HDLC.format(16), TCP.format(1)):
        for seed in range(8):
            *found, _ = outcome(Faults(damage=0.5, seed=seed), url)
            assert all(each == COUNTED or isinstance(each, type) for each in found)


def test_the_same_seed_brings_the_same_faults() -> None:
    faults = Faults(loss=0.2, duplication=0.2, damage=0.2, truncation=0.2, jitter=1.0, seed=7)
    assert outcome(faults, times=5) == outcome(faults, times=5)
    several = {str(outcome(replace(faults, seed=seed), times=5)) for seed in range(5)}
    assert len(several) > 1


# -- what is wrong with the meter itself ------------------------------------------------------------------------------


def test_a_clock_that_drifts_gains_so_many_seconds_a_day() -> None:
    bench = Bench(Faults(clock_drift=8640.0))  # a tenth

    async def clock(client: AsyncClient) -> object:
        return (await client.get(Clock().time)).to_datetime()

    bench.world.run(bench.world.sleep(1000))
    read = bench.run(bench.client(TCP.format(16)), clock)
    assert abs(read - (NOON + timedelta(seconds=1100))) < timedelta(seconds=2)


def test_a_meter_with_other_keys_and_its_client_do_not_understand_each_other() -> None:
    bench = Bench(Faults(wrong_keys=True))
    with pytest.raises(CosemError) as told:
        bench.run(bench.client(TCP.format(1), **ciphered()), energy)
    assert not isinstance(told.value, ConnectionLost)


def test_a_counter_that_falls_back_looks_like_a_recorded_session_to_a_client_that_does_not_challenge() -> None:
    for faults, refused in ((Faults(), False), (Faults(counter_back=50), True)):
        bench, counters = Bench(faults), MemoryCounterStore()
        for again in (False, True):
            client = bench.client(TCP.format(2), **ciphered(auth="none", counters=counters))
            if again and refused:
                with pytest.raises(SecurityError, match="counter"):
                    bench.run(client, energy)
            else:
                assert bench.run(client, energy) == COUNTED


def test_counters_fall_back_under_temporary_keys_and_those_that_everybody_has_alone() -> None:
    known = replace(demo_keys(), temporary=False)
    described = AssociationDescription(client=1, mechanism=named("gmac"), keys=known)
    assert Faults(counter_back=1).described(described).keys == known
    lasting = replace(described, keys=replace(Keys.random(), temporary=False))
    with pytest.raises(ConfigurationError, match="temporary"):
        Faults(counter_back=1).described(lasting)


# -- the data ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        {"loss": 1.01},
        {"reflection": -0.01},
        {"latency": 3600.1},
        {"jitter": -1.0},
        {"late_by": 3601.0},
        {"reboot_after": -1},
        {"counter_back": -1},
        {"clock_drift": 86_400.0},
        {"deviations": frozenset({"no_such_thing"})},
    ],
)
def test_what_is_out_of_range_is_refused_by_name(words: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(words)).rstrip("s")):
        Faults(**words)


def test_the_limits_themselves_are_taken() -> None:
    Faults(loss=1, latency=3600, late_by=3600, clock_drift=-86_399.0, deviations=DEVIATIONS | LINK_DEVIATIONS)


@pytest.mark.parametrize(("octets", "fits"), [(MOST_EARLY, True), (MOST_EARLY + 1, False)])
def test_so_much_is_heard_while_an_answer_is_held_up_and_no_more(octets: int, fits: bool) -> None:
    world = World(1)
    near, far = world.pair()
    stream = FaultyStream(far, Faults(latency=5.0), Faults().chance(), restart=lambda: None, restarts=lambda: 0)

    async def dialogue() -> bytes:
        await near.write(bytes(octets))
        await stream.write(b"answer")
        return await stream.read(None)

    if fits:
        assert world.run(dialogue()) == bytes(octets)
        assert not stream.broken_off
        return
    with pytest.raises(ConnectionLost, match="held up"):
        world.run(dialogue())
    assert stream.broken_off
