"""Meters by number: the same for the same seed, made when visited, and remembered as far as they were changed."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem.errors import ConfigurationError, LocalProtocolError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.counters import FleetCounters
from cosem.fleet.keys import SECRET_OCTETS, FleetKeys
from cosem.fleet.kinds import KINDS, Kinds
from cosem.fleet.models import MOST_METERS
from cosem.fleet.population import Population, PopulationLimits, first_counter
from cosem.fleet.truth import measured
from cosem.meter import Meter
from cosem.meter.behaviour.clock import Preset
from cosem.meter.demo import EVENT_LOG, LOAD_PROFILE, household
from cosem.meter.lockout import LockoutLimits
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import Register
from cosem.protocol.values.dates import DateTime

ENERGY = Register("1.0.1.8.0.255")
TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)


def population(count: int = 10, **settings: object) -> Population:
    return Population(count, clock=lambda: TIME, **settings)  # type: ignore[arg-type]


def test_a_meter_measures_what_the_household_of_its_number_measures() -> None:
    with population().visit(7) as meter:
        assert meter.name == "KFM1020000000007"
        assert meter.value(ENERGY.value) == household(7, clock=lambda: TIME).value(ENERGY.value)
    with population(seed=1).visit(6) as other:
        assert other.value(ENERGY.value) == household(7, clock=lambda: TIME).value(ENERGY.value)


def test_names_and_numbers_belong_together() -> None:
    meters = population(1000)
    assert meters.number(meters.name(999)) == 999
    assert meters.number("KFM1020000001000") is None
    assert meters.number("ABC1020000000001") is None
    assert meters.make(999).system_title == meters.title(999) == b"KFM" + (1020000000999).to_bytes(5, "big")


@pytest.mark.parametrize("number", [-1, 10])
def test_beyond_the_last_there_is_no_meter(number: int) -> None:
    with pytest.raises(ConfigurationError, match="0 to 9"):
        population().make(number)


def test_visitors_at_one_time_meet_the_same_meter() -> None:
    meters = population()
    with meters.visit(3) as first, meters.visit(3) as second:
        assert first is second
        assert (meters.visited, meters.ready) == (1, 0)
    assert (meters.visited, meters.ready) == (0, 1)


@pytest.mark.parametrize(("visits", "ready"), [(2, 2), (3, 2)])
def test_only_so_many_are_held_ready(visits: int, ready: int) -> None:
    meters = population(limits=PopulationLimits(ready=2))
    for number in range(visits):
        with meters.visit(number):
            pass
    assert meters.ready == ready


@pytest.mark.parametrize("keys", [None, FleetKeys.demonstration(), FleetKeys(Secret(bytes(range(SECRET_OCTETS))))])
def test_every_meter_has_the_limits_of_the_population(keys: FleetKeys | None) -> None:
    limits = PopulationLimits(lockout=LockoutLimits(attempts=7), association=AssociationLimits(listed=9))
    meter = population(keys=keys, limits=limits).make(3)
    assert meter.lockout.limits.attempts == 7
    offered = meter.management.associations
    assert [each.client for each in offered] == ([16] if keys is None else [16, 1])
    assert {each.limits.listed for each in offered} == {9}


def test_what_a_client_does_is_in_the_event_log_and_remembered_past_the_limit() -> None:
    def codes(meter: Meter) -> list[int]:
        rows: Any = meter.value(EVENT_LOG.buffer)
        return [int(row[1]) for row in rows]

    meters = population(limits=PopulationLimits(ready=0))
    with meters.visit(2) as meter:
        history = codes(meter)
        meter.set_time(TIME + timedelta(hours=1))
    with meters.visit(3) as other:
        assert set(codes(other)) <= {1, 2}
    assert (meters.changed, meters.ready) == (1, 0)
    with meters.visit(2) as meter:
        assert codes(meter) == [*history, 4, 5]


def test_what_anybody_can_provoke_makes_no_meter_remembered() -> None:
    meters = population(limits=PopulationLimits(ready=1))
    for number in range(5):
        with meters.visit(number) as meter:
            meter.authentication_failed("a", 32, 1, 0.0)
            rows: Any = meter.value(EVENT_LOG.buffer)
            assert int(rows[-1][1]) == 46
    assert (meters.changed, meters.ready) == (0, 1)


def test_who_is_locked_out_stays_so_however_many_others_are_visited() -> None:
    meters = population(limits=PopulationLimits(ready=1))
    with meters.visit(0) as meter:
        for _ in range(3):
            meter.authentication_failed("a", 1, 1, 1000.0)
    for number in range(1, 5):
        with meters.visit(number):
            pass
    with meters.visit(0) as again:
        assert again is not meter
        assert again.lockout.locked("a", 1, 1, 1059.0)
        assert not again.lockout.locked("a", 1, 1, 1060.0)
    assert (meters.changed, meters.ready) == (0, 1)


def test_of_so_many_forgotten_meters_it_is_known_who_is_locked_out_and_of_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cosem.fleet.population.MOST_SUSPICIOUS", 2)
    meters = population(limits=PopulationLimits(ready=0))
    for number in range(3):
        with meters.visit(number) as meter:
            for _ in range(3):
                meter.authentication_failed("a", 1, 1, 0.0)
    locked = []
    for number in range(3):
        with meters.visit(number) as meter:
            locked.append(meter.lockout.locked("a", 1, 1, 1.0))
    assert locked == [False, True, True]


def test_a_time_that_was_preset_is_remembered_past_the_limit() -> None:
    meters = population(limits=PopulationLimits(ready=0))
    with meters.visit(2) as meter:
        meter.preset = Preset(TIME + timedelta(minutes=1), TIME, TIME + timedelta(hours=1))
    assert meters.changed == 1
    with meters.visit(2) as again:
        assert again.preset is not None


def test_what_was_changed_is_remembered_past_the_limit() -> None:
    meters = population(limits=PopulationLimits(ready=0))
    with meters.visit(1) as meter:
        meter.put(ENERGY.value, 5)
    with meters.visit(2) as other:
        other.set_time(TIME + timedelta(hours=1))
    with meters.visit(3):
        pass
    assert (meters.ready, meters.changed) == (0, 2)
    with meters.visit(1) as meter:
        assert meter.value(ENERGY.value) == 5
    with meters.visit(2) as other:
        assert other.time() == TIME + timedelta(hours=1)


def test_the_keys_of_each_meter_follow_from_the_secret_and_differ() -> None:
    secret = Secret(bytes(range(SECRET_OCTETS)))
    one, same = (FleetKeys(secret).of(b"KFM00001") for _ in range(2))
    other = FleetKeys(secret).of(b"KFM00002")
    assert one.encryption == same.encryption
    assert len({each.reveal() for each in (one.encryption, one.authentication, other.encryption)}) == 3
    # RFC 5869, HKDF-Expand with SHA-256: the first block is HMAC(secret, information, 1).
    block = hmac.digest(secret.reveal(), b"cosem fleet encryption KFM00001\x01", hashlib.sha256)
    assert one.encryption.reveal() == block[:16]


def test_a_secret_has_32_octets_at_least_and_is_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="32 octets"):
        FleetKeys(Secret(bytes(SECRET_OCTETS - 1)))
    assert "00" not in repr(FleetKeys(Secret(bytes(SECRET_OCTETS))).of(bytes(8)))


@pytest.mark.parametrize("count", [0, MOST_METERS + 1])
def test_a_population_has_one_meter_to_so_many(count: int) -> None:
    assert population(MOST_METERS).name(MOST_METERS - 1).endswith("999999999")
    with pytest.raises(ConfigurationError, match=f"1 to {MOST_METERS}"):
        population(count)


def test_counters_go_on_when_a_meter_is_made_again() -> None:
    counters = FleetCounters(3, first=100)
    assert counters.of(1).lease("a-title", 10) == range(100, 110)
    assert counters.of(1).lease("another-title", 10) == range(110, 120)
    assert counters.of(2).lease("a-title", 1) == range(100, 101)
    counters.of(1).raise_to("received-a-title", 7)
    assert [counters.of(number).peek("received-a-title") for number in (0, 1, 2)] == [0, 7, 0]
    counters.of(1).raise_to("received-a-title", 6)
    assert counters.of(1).peek("received-a-title") == 7
    counters.of(1).forget("received-a-title")
    assert counters.of(1).peek("received-a-title") == 0
    with pytest.raises(LocalProtocolError):
        counters.of(1).forget("a-title")
    with pytest.raises(LocalProtocolError):
        counters.of(1).lease("received-a-title", 1)


def test_counters_of_lasting_keys_begin_above_those_of_an_earlier_start() -> None:
    assert first_counter(TIME + timedelta(seconds=5)) == first_counter(TIME) + 5
    meters = population(first_counter=first_counter(TIME))
    assert meters.counters.of(0).peek("x") == (TIME - datetime(2020, 1, 1, tzinfo=UTC)).total_seconds()


def test_kinds_are_shared_out_by_seed() -> None:
    assert {Kinds().of(0, number) for number in range(100)} == {"household"}
    with pytest.raises(ConfigurationError, match="there is household"):
        Kinds({"teapot": 1})
    with pytest.raises(ConfigurationError, match="share"):
        Kinds({"household": -1})
    with pytest.raises(ConfigurationError, match="at least"):
        Kinds({"household": 0})


@pytest.mark.parametrize(("count", "fits"), [(0, False), (1, True), (1_000_000_001, False)])
def test_how_many_meters_there_may_be(count: int, fits: bool) -> None:
    if fits:
        assert population(count).count == count
    else:
        with pytest.raises(ConfigurationError):
            population(count)


@pytest.mark.parametrize("by", [timedelta(hours=5), -timedelta(hours=5)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_is_set_turns_no_total_and_the_ledger_has_the_rows_of_the_meter(kind: str, by: timedelta) -> None:
    clock = VirtualClock(TIME, speed=0)
    meters = Population(3, clock=clock, kinds=Kinds({kind: 1.0}))
    total = household(1, load=kind).value(LOAD_PROFILE.capture_objects)[2]
    register = Register(str(total.logical_name))
    with meters.visit(1) as meter:
        before = meter.value(register.value)
        meter.set_time(meter.time() + by)
    clock.step(timedelta(hours=3))
    twin = household(1, load=kind, clock=clock)
    with meters.visit(1) as meter:
        assert meter.time() == TIME + timedelta(hours=3) + by
        assert meter.value(register.value) == twin.value(register.value) != before
        since, until = TIME - timedelta(hours=8), TIME + timedelta(hours=9)
        rows = meter.value(LOAD_PROFILE.buffer)
    told = [
        (each.time, int(each.raw))
        for each in measured(meters, [1], since, until)
        if str(register.instance) in str(each.reference)
    ]
    shown = [(DateTime.from_octets(bytes(row[0])).to_datetime(UTC), int(row[2])) for row in rows]
    assert told == [each for each in shown if since <= each[0] < until]
    assert [value for _, value in told] == sorted(value for _, value in told)


def test_a_clock_that_is_set_back_to_what_it_was_is_remembered() -> None:
    meters = Population(3, clock=VirtualClock(TIME, speed=0), limits=PopulationLimits(ready=0))
    with meters.visit(1) as meter:
        meter.set_time(TIME + timedelta(hours=1))
        meter.set_time(TIME)
        rows = meter.value(LOAD_PROFILE.buffer)
    with meters.visit(1) as meter:
        assert meter.value(LOAD_PROFILE.buffer) == rows
    with meters.visit(2) as meter:
        meter.set_time(TIME)
    assert meters.changed == 1, "a clock that is right stays as it is"
