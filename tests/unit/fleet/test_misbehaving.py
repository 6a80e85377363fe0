"""Meters of a fleet that misbehave: who they are, what befalls them, what their clocks show, and what is refused."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.effects import Effects
from cosem.fleet.file import parse
from cosem.fleet.fleet import Fleet
from cosem.fleet.keys import FleetKeys
from cosem.fleet.misbehaving import NOBODY, Misbehaving, Misbehaviour
from cosem.fleet.places import Place, Way
from cosem.fleet.population import Group, Population, PopulationLimits
from cosem.fleet.scenario import Drift, Scenario
from cosem.fleet.truth import measured
from cosem.meter.faults import IN_PROTECTION, OF_IMAGES, WELL_BEHAVED, Faults, of_words, words
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import Clock, companion
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.values.dates import DateTime

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
LOSSY, SLOW = Faults(loss=0.5), Faults(latency=1.0, jitter=1.0, seed=9)
DERIVED, DEMO = FleetKeys(Secret(bytes(range(32)))), FleetKeys.demonstration()


def group(count: int, *kinds: Misbehaviour, **said: Any) -> Group:
    return Group(count=count, misbehaving=Misbehaving(*kinds), **said)


def population(count: int, faults: Faults, share: float = 1.0, **said: Any) -> Population:
    said.setdefault("clock", VirtualClock(BEGIN, speed=0))
    return Population((group(count, Misbehaviour(faults, share)),), **said)


# -- who they are -----------------------------------------------------------------------------------------------------


def test_who_misbehaves_and_how_follows_from_the_seed() -> None:
    kinds = (Misbehaviour(LOSSY, 0.2), Misbehaviour(SLOW, 0.1))
    first, again, other = (Population((Group(count=50), group(1000, *kinds)), seed=seed) for seed in (7, 7, 8))
    drawn = [[each.faults(number) for number in range(1050)] for each in (first, again, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert set(drawn[0][:50]) == {WELL_BEHAVED}
    lossy = [each for each in drawn[0] if each.loss]
    slow = [each for each in drawn[0] if each.latency]
    assert 160 < len(lossy) < 240
    assert 75 < len(slow) < 125
    assert first.misbehaving == len(lossy) + len(slow) == sum(each is not WELL_BEHAVED for each in drawn[0])
    # What befalls one is not what befalls another.
    assert len({each.seed for each in (*lossy, *slow)}) == first.misbehaving
    assert {each.loss for each in lossy} == {0.5}


@pytest.mark.parametrize(("share", "all_of_them"), [(1.0, True), (0.0, False)])
def test_all_may_misbehave_or_nobody(share: float, all_of_them: bool) -> None:
    assert population(100, LOSSY, share).misbehaving == (100 if all_of_them else 0)


def test_a_meter_that_behaves_well_has_nothing_of_it() -> None:
    meter = Population(1).make(0)
    assert meter.faults is WELL_BEHAVED
    assert meter.chance is None
    assert Population(1).group(0).misbehaving is NOBODY


def test_what_befalls_a_meter_goes_on_when_it_was_forgotten() -> None:
    meters = population(10, LOSSY, limits=PopulationLimits(ready=1))
    drawn: list[float] = []
    for others in (1, 3, 0, 2):
        with meters.visit(4) as meter:
            assert meter.chance is not None
            drawn += [meter.chance.random(), meter.chance.random()]
        for number in range(others):
            with meters.visit(number) as other:
                assert other.chance is not None
                other.chance.random()
    assert meters.ready == 1
    steady = random.Random(meters.faults(4).seed)
    assert drawn == [steady.random() for _ in range(8)]


# -- clocks -----------------------------------------------------------------------------------------------------------


def shown(meters: Population, number: int) -> datetime:
    with meters.visit(number) as meter:
        time = meter.value(Clock().time)
        assert isinstance(time, DateTime)
        return time.to_datetime()


def test_a_clock_drifts_since_the_fleet_began_whenever_somebody_comes_first() -> None:
    clock = VirtualClock(BEGIN, speed=0)
    meters = population(3, Faults(clock_drift=36.0), clock=clock)
    assert shown(meters, 0) == BEGIN
    clock.step(10 * DAY)
    assert shown(meters, 0) == shown(meters, 1) == BEGIN + 10 * DAY + timedelta(seconds=360)


def test_a_fleet_began_when_its_virtual_time_did() -> None:
    clock = VirtualClock(BEGIN, speed=0)
    clock.step(DAY)  # before the meters of it were thought of
    assert shown(population(1, Faults(clock_drift=-50.0), clock=clock), 0) == BEGIN + DAY - timedelta(seconds=50)
    late = population(1, Faults(clock_drift=-50.0), clock=lambda: BEGIN)
    assert shown(late, 0) == BEGIN


def test_a_clock_that_drifts_of_its_own_accord_does_so_as_in_a_scenario() -> None:
    scenario = Scenario(drifts=(Drift(at=BEGIN, share=1.0, ppm=100_000),))
    effects = Effects(scenario, 1, 3)
    ((_, rate),) = effects.drifts(0)
    clock = VirtualClock(BEGIN, speed=0)
    by_scenario = Population(1, seed=3, clock=clock, effects=effects)
    of_its_own = population(1, Faults(clock_drift=rate * 86_400), seed=3, clock=clock)
    clock.step(5 * DAY)
    assert abs(rate) > 0.01
    assert shown(of_its_own, 0) == shown(by_scenario, 0) != BEGIN + 5 * DAY
    steady = Population(1, seed=3, clock=clock)
    scripted, own, truly = (
        list(measured(each, (0,), BEGIN, BEGIN + 10 * DAY)) for each in (by_scenario, of_its_own, steady)
    )
    assert scripted == own != truly


def test_a_clock_drifts_by_the_scenario_and_of_its_own_accord() -> None:
    scenario = Scenario(drifts=(Drift(at=BEGIN + DAY, share=1.0, ppm=1000),))
    effects = Effects(scenario, 1)
    ((_, rate),) = effects.drifts(0)
    clock = VirtualClock(BEGIN, speed=0)
    meters = population(1, Faults(clock_drift=60.0), clock=clock, effects=effects)
    clock.step(2 * DAY)
    expected = BEGIN + 2 * DAY + timedelta(seconds=120) + DAY * rate
    assert abs(shown(meters, 0) - expected) < timedelta(seconds=0.02)
    assert effects.drifts(0) == ((BEGIN + DAY, rate),)


@pytest.mark.parametrize("back", [0, 50])
def test_counters_fall_back_under_demo_keys_with_each_association(back: int) -> None:
    wrong = (Misbehaviour(Faults(counter_back=back)),) if back else ()
    meters = Population((group(1, *wrong),), keys=DEMO, first_counter=1000)
    sent: list[int] = []
    for _ in range(3):
        with meters.visit(0) as meter:
            association = meter.management.association(1)
            assert association is not None
            assert association.keys is not None
            counter = meter.counters.sending(association.keys, meter.system_title)
            sent += [counter.next(), counter.next()]
    assert sent == ([950, 951, 902, 903, 854, 855] if back else list(range(1000, 1006)))


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "keys", "secured", "why"),
    [
        (Faults(wrong_keys=True), None, True, "wrong_keys: these meters have no keys"),
        (Faults(counter_back=1), None, True, "counter_back: these meters have no keys"),
        (Faults(wrong_keys=True), DERIVED, False, "wrong_keys: these meters have no keys"),
        (Faults(deviations=IN_PROTECTION), None, True, "deviations: content_length_signed, .* of protected messages"),
        (
            Faults(counter_back=1),
            DERIVED,
            True,
            "counter_back: .* give away keys that outlive the fleet: use --demo-keys",
        ),
        (Faults(wrong_keys=True), DERIVED, True, None),
        (Faults(counter_back=1), DEMO, True, None),
        (Faults(deviations=IN_PROTECTION), DEMO, True, None),
        (LOSSY, None, True, None),
    ],
)
def test_what_needs_keys_is_refused_without_and_what_would_give_keys_away_with_lasting_ones(
    faults: Faults, keys: FleetKeys | None, secured: bool, why: str | None
) -> None:
    groups = (Group(count=2), group(3, Misbehaviour(faults, 0.5), secured=secured))
    meters = Population(groups, keys=keys)
    if why is None:
        assert Fleet(meters, "tcp://127.1.0.0:0").population.make(4).name
        return
    with pytest.raises(ConfigurationError, match=rf"meters 2 to 4: {why}"):
        Fleet(meters, "tcp://127.1.0.0:0")


def test_a_meter_that_nobody_serves_gives_no_lasting_keys_away_either() -> None:
    with pytest.raises(ConfigurationError, match="counter_back"):
        Population((group(1, Misbehaviour(Faults(counter_back=1))),), keys=DERIVED).make(0)


@pytest.mark.parametrize(
    ("url", "way", "fits"),
    [
        ("tcp://127.1.0.0:0", Way.ADDRESS, False),
        ("tcp://127.0.0.1:0", Way.PORT, False),
        ("tcp://127.1.0.0:0", Way.GATEWAY, False),
        ("hdlc+tcp://127.1.0.0:0", Way.ADDRESS, True),
        ("hdlc+tcp://127.0.0.1:0", Way.PORT, True),
        ("hdlc+tcp://127.1.0.0:0", Way.MULTIDROP, True),
    ],
)
def test_what_is_of_hdlc_is_refused_where_the_wrapper_is_spoken(url: str, way: Way, fits: bool) -> None:
    meters = Population((Group(count=2), group(2, Misbehaviour(Faults(deviations=frozenset({"MISSING_LLC"}))))))
    well = Place(range(2), ConnectionUrl.parse("tcp://127.9.0.0:0"))
    places = [well, Place(range(2, 4), ConnectionUrl.parse(url), way)]
    if fits:
        assert Fleet(meters, places).state.misbehaving == 2
        return
    with pytest.raises(ConfigurationError, match=r"meters 2 to 3: deviations: MISSING_LLC is of HDLC.*hdlc\+tcp"):
        Fleet(meters, places)


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize(("known", "takes"), [("water", False), ("smr-5.0", True)])
def test_what_is_of_images_is_refused_where_none_are_taken(name: str, known: str, takes: bool) -> None:
    wrong = Misbehaviour(Faults(**{name: True if isinstance(getattr(WELL_BEHAVED, name), bool) else 0.5}))  # type: ignore[arg-type]
    meters = Population((group(2, wrong, companion=companion.companion(known)),))
    if takes:
        assert Fleet(meters, "tcp://127.1.0.0:0").state.misbehaving == 2
        return
    with pytest.raises(ConfigurationError, match=rf"meters 0 to 1: {name}: household meters take no firmware images"):
        Fleet(meters, "tcp://127.1.0.0:0")


@pytest.mark.parametrize(
    ("shares", "fits"),
    [((0.5, 0.5), True), ((0.1,) * 10, True), ((0.5, 0.51), False), ((1.01,), False), ((-0.1,), False)],
)
def test_shares_add_up_to_one_at_most(shares: tuple[float, ...], fits: bool) -> None:
    if fits:
        assert len(Misbehaving(*(Misbehaviour(LOSSY, share) for share in shares)).kinds) == len(shares)
        return
    with pytest.raises(ConfigurationError, match="share"):
        Misbehaving(*(Misbehaviour(LOSSY, share) for share in shares))


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        (Faults(), r"nothing is wrong here: write loss = 0\.1"),
        (Faults(seed=3), r"seed: nothing goes wrong by chance; say the odds of something, as loss=0\.1"),
        (Faults(latency=1.0, seed=3), "seed: nothing goes wrong by chance"),
        (Faults(loss=0.1, late_by=1.0), r"late_by: no answer comes late; say how many do, as late=0\.1"),
    ],
)
def test_what_would_do_nothing_is_no_misbehaviour(faults: Faults, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        Misbehaviour(faults)


@pytest.mark.parametrize(
    "faults", [LOSSY, SLOW, Faults(clock_drift=20.0), Faults(block_loss=0.5), Faults(reboot_after=2)]
)
def test_what_a_meter_of_a_fleet_does_wrong_one_of_its_own_can_do_too(faults: Faults) -> None:
    found = Misbehaving(Misbehaviour(faults)).of(1, 7)
    assert of_words(words(found)) == found
    assert found.alone == ()


# -- in a file --------------------------------------------------------------------------------------------------------

FILE = """
[[meters]]
count = 10
faults = { share = 0.25, loss = 0.1, late = 1, deviations = ["any_invoke_id"] }
[[meters]]
count = 10
[[meters.faults]]
share = 0.5
seed = 3
jitter = 0.5
reboot_after = 2
[[meters.faults]]
share = 0.5
clock_drift = -20
[[meters]]
count = 1
"""


def test_what_a_file_says_of_those_that_misbehave() -> None:
    first, second, third = (each.misbehaving.kinds for each in parse(FILE).groups)
    assert first == (Misbehaviour(Faults(loss=0.1, late=1.0, deviations=frozenset({"any_invoke_id"})), 0.25),)
    assert second == (
        Misbehaviour(Faults(seed=3, jitter=0.5, reboot_after=2), 0.5),
        Misbehaviour(Faults(clock_drift=-20.0), 0.5),
    )
    assert third == ()


WRONG = """
[fleet]
secret = "env:FLEET"
[[meters]]
count = 1
faults = { share = 3, loss = 10, late = "often", odd = 3, deviations = ["any_invokes_id"] }
[[meters]]
count = 1
[[meters.faults]]
share = 0.5
deviations = ["MISSING_LLC"]
[[meters.faults]]
share = 0.5
counter_back = 20
[[meters]]
count = 1
security = "none"
companion = "water"
faults = { wrong_keys = true, block_loss = 0.5 }
[[meters]]
count = 1
faults = [{ share = 0.6, loss = 1 }, { share = 0.5, late = 1 }]
[[meters]]
count = 1
faults = { share = 0.2 }
[[meters]]
count = 1
faults = 3
[[meters]]
count = 1
faults = [3]
"""


def test_all_that_is_wrong_is_told_at_once_with_table_and_key() -> None:
    with pytest.raises(ConfigurationError) as told:
        parse(WRONG)
    said = str(told.value).splitlines()
    expected = [
        "14 things are wrong:",
        "[[meters]] 1: faults: share: expected 0 to 1, not 3",
        "[[meters]] 1: faults: loss: expected odds from 0 to 1, not 10.0",
        "[[meters]] 1: faults: late: expected a number",
        "[[meters]] 1: faults: deviations: there is no deviation any_invokes_id",
        "[[meters]] 1: faults: odd: this key is not known here",
        "[[meters]] 2: faults 1: deviations: MISSING_LLC is of HDLC",
        "[[meters]] 2: faults 2: counter_back: it uses invocation counters twice",
        "[[meters]] 3: faults: block_loss: household meters take no firmware images",
        "[[meters]] 3: faults: wrong_keys: these meters have no keys",
        "[[meters]] 4: faults: the shares add up to 1.1",
        "[[meters]] 5: faults: nothing is wrong here",
        "[[meters]] 6: faults: expected a table",
        "[[meters]] 7: faults: expected tables",
    ]
    expected[0] = f"{len(expected) - 1} things are wrong:"
    assert len(said) == len(expected), said
    for line, part in zip(said, expected, strict=True):
        assert part in line
