"""Push setups by a clock that the test turns: windows, chance, retries, what is in the body, and what sets them off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from behaving import NOON, Now, run, write
from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.behaviour import push_setup
from cosem.meter.describe import parse
from cosem.meter.events import MeterEvent
from cosem.meter.pushing import PushAttempt, PushEnded
from cosem.protocol.model import Data, ProfileGeneric, Register
from cosem.protocol.model.classes.push import (
    CommunicationWindow,
    MessageType,
    PushOperationMethod,
    PushSetup,
    PushSetupVersion0,
    PushSetupVersion1,
    PushSetupVersion2,
    RepetitionDelay,
    SendDestinationAndMethod,
    TransportService,
)
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, OctetString, Structure
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

SETUP = Obis("0.4.25.9.0.255")
ENERGY, LOAD = Register("1.0.1.8.0.255"), ProfileGeneric("1.0.99.1.0.255")
DESTINATION = (TransportService.TCP, b"127.0.0.1:4060", MessageType.A_XDR)
CHANCE = 0x40000000
"""What the meter gets for chance: a quarter of what can be."""


def a_meter(kind: Any = PushSetupVersion0, clock: Now | None = None, **values: Any) -> Meter:
    meter = Meter("KFM1020012345678", clock=clock or Now(), entropy=lambda octets: CHANCE.to_bytes(octets, "big"))
    meter.add(ENERGY, value=DoubleLongUnsigned(4711), scaler_unit=(0, Unit.WATT_HOUR))
    given: dict[str, Any] = {
        "send_destination_and_method": DESTINATION,
        "push_object_list": [(1, Obis("0.0.42.0.0.255"), 2, 0), (3, Obis("1.0.1.8.0.255"), 2, 0)],
        **values,
    }
    meter.add(kind(SETUP), **given)
    return meter


def attempts(meter: Meter) -> tuple[PushAttempt, ...]:
    meter.settle()
    meter.pushes.tick(meter.time())
    return meter.pushes.outgoing()


def body(attempt: PushAttempt) -> Any:
    return attempt.notification.body


def tried(meter: Meter, clock: Now, until: timedelta = timedelta(days=3)) -> list[datetime]:
    """Let nobody listen: return when the meter tries, going from deadline to deadline."""
    times: list[datetime] = []
    end = clock.time + until
    while (deadline := meter.pushes.deadline()) is not None and deadline < end:
        clock.time = max(deadline, clock.time)
        for attempt in attempts(meter):
            times.append(clock.time)
            meter.pushes.failed(attempt, meter.time(), "nobody listens")
    return times


# -- what goes out -----------------------------------------------------------------------------------------------------


def test_what_the_list_names_goes_to_the_destination() -> None:
    meter = a_meter()
    run(meter, PushSetupVersion0(SETUP).push)
    (attempt,) = attempts(meter)
    assert str(attempt.place) == "tcp://127.0.0.1:4060"
    assert body(attempt) == Structure((OctetString(b"KFM1020012345678"), DoubleLongUnsigned(4711)))
    assert DateTime.from_octets(attempt.notification.date_time).to_datetime(UTC) == NOON
    assert (attempt.security, attempt.confirmed) == (None, False)
    meter.pushes.delivered(attempt, meter.time())
    assert meter.pushes.events() == (PushEnded(1, SETUP, True, 1),)
    assert not meter.pushes.running


@pytest.mark.parametrize(
    ("transport", "place"),
    [
        (TransportService.UDP, "udp://127.0.0.1:4060"),
        (TransportService.HDLC, "hdlc+tcp://127.0.0.1:4060"),
    ],
)
def test_the_transport_says_how(transport: TransportService, place: str) -> None:
    meter = a_meter(send_destination_and_method=(transport, b"127.0.0.1:4060", MessageType.A_XDR))
    run(meter, PushSetupVersion0(SETUP).push)
    assert str(attempts(meter)[0].place) == place


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        ((TransportService.SMS, b"127.0.0.1:4060", MessageType.A_XDR), "transport service SMS"),
        ((TransportService.TCP, b"127.0.0.1:4060", MessageType.XML), "A-XDR"),
        ((TransportService.TCP, b"", MessageType.A_XDR), "expected the host"),
        ((TransportService.TCP, b"127.0.0.1:4060?client=1", MessageType.A_XDR), "expected the host"),
        ((TransportService.TCP, b"\xff\xfe", MessageType.A_XDR), "expected the host"),
        ((TransportService.TCP, b"127.0.0.1:70000", MessageType.A_XDR), "port"),
    ],
)
def test_what_cannot_be_sent_ends_at_once(destination: Any, reason: str) -> None:
    meter = a_meter(send_destination_and_method=destination, number_of_retries=5)
    run(meter, PushSetupVersion0(SETUP).push)
    assert attempts(meter) == ()
    (ended,) = meter.pushes.events()
    assert (ended.delivered, ended.attempts) == (False, 0)
    assert reason in ended.reason
    assert not meter.pushes.running


def test_data_that_is_to_be_protected_by_itself_is_not_sent_without() -> None:
    layer = (2, (b"", b"", b"", b"", (0, Structure((LongUnsigned(0),)))))
    meter = a_meter(PushSetupVersion1, push_object_list=[], push_protection_parameters=[layer])
    run(meter, PushSetupVersion1(SETUP).push)
    assert attempts(meter) == ()
    assert "push_protection_parameters" in meter.pushes.events()[0].reason


def test_what_is_not_there_is_null_data() -> None:
    wanted = [(3, Obis("1.0.9.9.9.255"), 2, 0), (1, Obis("1.0.1.8.0.255"), 2, 0), (3, Obis("1.0.1.8.0.255"), 9, 0)]
    meter = a_meter(push_object_list=wanted)
    run(meter, PushSetupVersion0(SETUP).push)
    assert body(attempts(meter)[0]) == Structure((None, None, None))


def test_elements_and_whole_objects() -> None:
    wanted = [(3, Obis("1.0.1.8.0.255"), 3, 2), (3, Obis("1.0.1.8.0.255"), 3, 3), (3, Obis("1.0.1.8.0.255"), 0, 0)]
    meter = a_meter(push_object_list=wanted)
    run(meter, PushSetupVersion0(SETUP).push)
    unit, missing, whole = body(attempts(meter)[0])
    assert (unit, missing, len(whole)) == (30, None, 3)


def a_profile(meter: Meter) -> None:
    rows = [(DateTime.from_datetime(NOON + timedelta(minutes=15 * row)), LongUnsigned(row)) for row in range(4)]
    meter.add(Data("1.0.96.1.1.255"), value=LongUnsigned(0))
    columns = [(8, Obis("0.0.1.0.0.255"), 2, 0), (1, Obis("1.0.96.1.1.255"), 2, 0)]
    buffer = tuple((OctetString(time.octets), value) for time, value in rows)
    meter.add(LOAD, capture_objects=columns, capture_period=0, profile_entries=10, buffer=buffer)


def at(minutes: int) -> OctetString:
    return OctetString(DateTime.from_datetime(NOON + timedelta(minutes=minutes)).octets)


@pytest.mark.parametrize(
    ("restriction", "columns", "rows"),
    [
        ((0, None), [], [(0,), (1,), (2,), (3,)]),
        ((1, Structure((at(15), at(30)))), [], [(1,), (2,)]),
        ((2, Structure((DoubleLongUnsigned(2), DoubleLongUnsigned(3)))), [], [(1,), (2,)]),
        (
            (2, Structure((DoubleLongUnsigned(3), DoubleLongUnsigned(0)))),
            [(1, Obis("1.0.96.1.1.255"), 2, 0)],
            [(2,), (3,)],
        ),
        ((1, Structure((at(45), at(99)))), [(1, Obis("1.0.96.1.1.255"), 2, 0)], [(3,)]),
        ((0, None), [(1, Obis("1.0.96.1.1.255"), 2, 0)], [(0,), (1,), (2,), (3,)]),
    ],
)
def test_a_buffer_is_cut_down(restriction: Any, columns: Any, rows: Any) -> None:
    meter = a_meter(PushSetupVersion2, push_object_list=[(7, Obis("1.0.99.1.0.255"), 2, 0, restriction, columns)])
    a_profile(meter)
    run(meter, PushSetupVersion2(SETUP).push)
    (buffer,) = body(attempts(meter)[0])
    assert [tuple(row[-1:]) for row in buffer] == rows
    assert {len(row) for row in buffer} == {len(columns) or 2}


@pytest.mark.parametrize(
    ("restriction", "columns"),
    [
        ((1, None), []),
        ((2, Structure((OctetString(b"x"), DoubleLongUnsigned(1)))), []),
        ((9, None), []),
        ((0, None), [(3, Obis("1.0.9.9.9.255"), 2, 0)]),
    ],
)
def test_a_restriction_that_means_nothing_pushes_nothing(restriction: Any, columns: Any) -> None:
    meter = a_meter(PushSetupVersion2, push_object_list=[(7, Obis("1.0.99.1.0.255"), 2, 0, restriction, columns)])
    a_profile(meter)
    run(meter, PushSetupVersion2(SETUP).push)
    assert body(attempts(meter)[0]) == Structure((None,))


# -- when --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_when_nobody_listens_it_is_tried_again_exactly_so_often(retries: int) -> None:
    clock = Now()
    meter = a_meter(clock=clock, number_of_retries=retries, repetition_delay=30)
    run(meter, PushSetupVersion0(SETUP).push)
    assert tried(meter, clock) == [NOON + timedelta(seconds=30 * number) for number in range(retries + 1)]
    assert meter.pushes.events() == (PushEnded(1, SETUP, False, retries + 1, "nobody listens"),)
    assert meter.pushes.deadline() is None


def test_it_stops_when_one_attempt_got_through() -> None:
    clock = Now()
    meter = a_meter(clock=clock, number_of_retries=3, repetition_delay=30)
    run(meter, PushSetupVersion0(SETUP).push)
    (first,) = attempts(meter)
    meter.pushes.failed(first, meter.time())
    clock.later(seconds=30)
    (second,) = attempts(meter)
    meter.pushes.failed(first, meter.time())  # told once more, too late
    assert (first.number, second.number) == (1, 2)
    assert second.notification == first.notification
    meter.pushes.delivered(second, meter.time())
    assert meter.pushes.events() == (PushEnded(1, SETUP, True, 2),)


@pytest.mark.parametrize(
    ("delay", "waits"),
    [
        (RepetitionDelay(10, 100, 60), [10, 10, 10, 10]),
        (RepetitionDelay(10, 150, 30), [10, 15, 22.5, 30]),
        (RepetitionDelay(10, 200, 60), [10, 20, 40, 60]),
        (RepetitionDelay(10, 0, 60), [10, 10, 10, 10]),
        (RepetitionDelay(10, 200, 0), [10, 10, 10, 10]),
    ],
)
def test_delays_grow(delay: RepetitionDelay, waits: list[float]) -> None:
    clock = Now()
    meter = a_meter(PushSetup, clock, push_object_list=[], number_of_retries=4, repetition_delay=delay)
    run(meter, PushSetup(SETUP).push)
    times = tried(meter, clock)
    assert [(b - a).total_seconds() for a, b in pairwise(times)] == waits


def test_it_begins_by_chance() -> None:
    clock = Now()
    meter = a_meter(clock=clock, randomisation_start_interval=60)
    run(meter, PushSetupVersion0(SETUP).push)
    assert meter.pushes.deadline() == NOON + timedelta(seconds=15)
    clock.later(seconds=14)
    assert attempts(meter) == ()
    clock.later(seconds=1)
    assert len(attempts(meter)) == 1


def window(start: str, end: str) -> CommunicationWindow:
    return CommunicationWindow(DateTime.parse(start), DateTime.parse(end))


@pytest.mark.parametrize(
    ("windows", "hours"),
    [
        ([], 0),
        ([window("*-*-* 10:00:00", "*-*-* 14:00:00")], 0),
        ([window("*-*-* 12:00:00", "*-*-* 12:00:01")], 0),
        ([window("*-*-* 22:00:00", "*-*-* 23:00:00")], 10),
        ([window("*-*-* 22:00:00", "*-*-* 23:00:00"), window("*-*-* 15:00:00", "*-*-* 16:00:00")], 3),
        ([window("*-*-* 22:00:00", "*-*-* 06:00:00")], 10),
        ([window("2024-03-03 04:00:00", "2024-03-03 05:00:00")], 40),
        ([window("*-*-* *:*:*", "*-*-* *:*:*")], 0),
    ],
)
def test_it_waits_for_a_window(windows: list[CommunicationWindow], hours: int) -> None:
    clock = Now()
    meter = a_meter(clock=clock, communication_window=windows)
    run(meter, PushSetupVersion0(SETUP).push)
    assert tried(meter, clock) == [NOON + timedelta(hours=hours)]


def test_without_any_window_to_come_it_ends() -> None:
    meter = a_meter(communication_window=[window("2020-01-01 00:00:00", "2020-01-02 00:00:00")])
    run(meter, PushSetupVersion0(SETUP).push)
    assert not meter.pushes.running
    assert meter.pushes.events() == (PushEnded(1, SETUP, False, 0, "no communication window opens"),)


def test_a_window_that_closes_puts_the_rest_off() -> None:
    clock = Now()
    meter = a_meter(
        clock=clock,
        communication_window=[window("*-*-* 11:00:00", "*-*-* 12:10:00")],
        number_of_retries=2,
        repetition_delay=600,
    )
    run(meter, PushSetupVersion0(SETUP).push)
    next_day = NOON + timedelta(hours=23)
    assert tried(meter, clock) == [NOON, next_day, next_day + timedelta(minutes=10)]


# -- what sets it off --------------------------------------------------------------------------------------------------


def test_what_is_begun_while_it_waits_is_the_same_and_later_it_follows() -> None:
    clock = Now()
    meter = a_meter(clock=clock, randomisation_start_interval=60)
    for _ in range(3):
        run(meter, PushSetupVersion0(SETUP).push)
    clock.later(seconds=15)
    (attempt,) = attempts(meter)
    for _ in range(3):
        run(meter, PushSetupVersion0(SETUP).push)
    meter.put(ENERGY.value, DoubleLongUnsigned(4712))
    meter.pushes.delivered(attempt, meter.time())
    clock.later(seconds=15)
    (another,) = attempts(meter)
    assert body(another)[1] == 4712
    meter.pushes.delivered(another, meter.time())
    assert meter.pushes.deadline() is None


def test_reset_ends_it() -> None:
    meter = a_meter(PushSetup, push_object_list=[])
    run(meter, PushSetup(SETUP).push)
    run(meter, PushSetup(SETUP).reset)
    assert attempts(meter) == ()
    assert meter.pushes.deadline() is None


def test_what_is_ended_while_it_is_sent_stays_ended() -> None:
    meter = a_meter(PushSetup, push_object_list=[], number_of_retries=3)
    run(meter, PushSetup(SETUP).push)
    (attempt,) = attempts(meter)
    run(meter, PushSetup(SETUP).reset)
    meter.pushes.failed(attempt, meter.time())
    assert meter.pushes.deadline() is None


def test_a_last_gasp_goes_at_once_and_once() -> None:
    clock = Now()
    meter = a_meter(
        clock=clock,
        randomisation_start_interval=600,
        number_of_retries=9,
        communication_window=[window("2020-01-01 00:00:00", "2020-01-02 00:00:00")],
    )
    meter.pushes.describe(meter.management, SETUP, on=[MeterEvent.POWER_DOWN])
    meter.management.note(MeterEvent.POWER_DOWN)
    assert tried(meter, clock) == [NOON]


def test_power_that_comes_up_pushes() -> None:
    meter = a_meter()
    meter.pushes.describe(meter.management, SETUP, on=[MeterEvent.POWER_UP])
    assert len(attempts(meter)) == 1


def test_power_that_is_gone_takes_what_waits_along() -> None:
    meter = a_meter(randomisation_start_interval=60)
    run(meter, PushSetupVersion0(SETUP).push)
    meter.pushes.lose()
    assert meter.pushes.deadline() is None


def test_what_was_to_follow_is_lost_with_what_runs() -> None:
    meter = a_meter()
    run(meter, PushSetupVersion0(SETUP).push)
    assert len(attempts(meter)) == 1
    run(meter, PushSetupVersion0(SETUP).push)
    assert (meter.pushes.lose(), meter.pushes.lose()) == (2, 0)
    told = [(each.delivered, each.attempts, each.reason) for each in meter.pushes.events()]
    assert told == [(False, 1, "the power went"), (False, 0, "the power went")]
    assert not meter.pushes.running


def test_only_the_events_described_set_it_off() -> None:
    meter = a_meter()
    meter.pushes.describe(meter.management, SETUP, on=[MeterEvent.LIMIT_EXCEEDED])
    meter.management.note(MeterEvent.LIMIT_KEPT)
    assert attempts(meter) == ()
    meter.management.note(MeterEvent.LIMIT_EXCEEDED)
    assert len(attempts(meter)) == 1


DESCRIBED = """
[meter]
name = "KFM1020012345678"

[[object]]
class = "Register"
instance = "1.0.1.7.0.255"
value = 100

[[object]]
class = 40
version = 0
instance = "0.4.25.9.0.255"
push_object_list = [[3, "1.0.1.7.0.255", 2, 0]]
send_destination_and_method = [0, "127.0.0.1:4060", 0]

[[object]]
class = "ScriptTable"
instance = "0.0.10.0.108.255"
scripts = [[1, [[2, 40, "0.4.25.9.0.255", 1, { integer = 0 }]]]]
"""

EVERY_DAY = """
[[object]]
class = "SingleActionSchedule"
instance = "0.0.15.0.4.255"
executed_script = ["0.0.10.0.108.255", 1]
type = 1
execution_time = [["13:00:00", "*-*-*"]]
"""

OVER = """
[[object]]
class = "RegisterMonitor"
instance = "0.0.16.0.0.255"
thresholds = [{ double-long-unsigned = 200 }]
monitored_value = [3, "1.0.1.7.0.255", 2]
actions = [[["0.0.10.0.108.255", 1], ["0.0.10.0.108.255", 0]]]
"""


def test_a_single_action_pushes() -> None:
    clock = Now()
    meter = parse(DESCRIBED + EVERY_DAY, clock=clock)
    clock.later(minutes=59)
    assert attempts(meter) == ()
    clock.later(minutes=1)
    assert len(attempts(meter)) == 1


def test_a_register_monitor_pushes() -> None:
    clock = Now()
    meter = parse(DESCRIBED + OVER, clock=clock)
    meter.settle()
    clock.later(minutes=2)
    assert attempts(meter) == ()
    meter.put(Register("1.0.1.7.0.255").value, 300)
    clock.later(minutes=2)
    assert len(attempts(meter)) == 1


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('instance = "0.9.25.9.0.255"', "no push setup"),
        ('instance = "1.0.1.7.0.255"', "no push setup"),
        ('instance = "0.4.25.9.0.255"\nclient = 44', "no association"),
        ('instance = "0.4.25.9.0.255"\non = ["breakfast"]', "no event"),
        ('instance = "0.4.25.9.0.255"\nat = 4', "at"),
    ],
)
def test_a_description_that_makes_no_sense(table: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        parse(f"{DESCRIBED}[[push]]\n{table}\n")


def test_an_event_of_a_description_pushes() -> None:
    clock = Now()
    meter = parse(DESCRIBED + '[[push]]\ninstance = "0.4.25.9.0.255"\non = ["connected"]\n', clock=clock)
    meter.management.note(MeterEvent.CONNECTED)
    assert len(attempts(meter)) == 1


# -- confirmation ------------------------------------------------------------------------------------------------------


def test_a_confirmed_push_says_so_and_notes_when() -> None:
    clock = Now()
    meter = a_meter(
        PushSetup, clock, push_object_list=[], push_operation_method=PushOperationMethod.CONFIRMED, push_client_sap=16
    )
    run(meter, PushSetup(SETUP).push)
    (attempt,) = attempts(meter)
    assert attempt.confirmed
    assert attempt.notification.long_invoke_id_and_priority == 0x40000000 | (CHANCE & 0xFFFFFF) + 1
    clock.later(seconds=2)
    meter.pushes.delivered(attempt, meter.time())
    confirmed = meter.value(PushSetup(SETUP).last_confirmation_date_time)
    assert confirmed.to_datetime(UTC) == NOON + timedelta(seconds=2)


def test_each_push_has_an_invoke_id_of_its_own() -> None:
    meter = a_meter()
    seen: set[int] = set()
    for _ in range(3):
        run(meter, PushSetupVersion0(SETUP).push)
        (attempt,) = attempts(meter)
        seen.add(attempt.notification.long_invoke_id_and_priority)
        meter.pushes.delivered(attempt, meter.time())
    assert len(seen) == 3


def test_what_is_written_holds_for_the_next_push() -> None:
    meter = a_meter()
    there = SendDestinationAndMethod(TransportService.TCP, b"127.0.0.1:5000", MessageType.A_XDR)
    write(meter, PushSetupVersion0(SETUP).send_destination_and_method, there)
    run(meter, PushSetupVersion0(SETUP).push)
    assert attempts(meter)[0].place.port == 5000


def test_a_plan_without_anything_is_allowed_always() -> None:
    meter = Meter("KFM1020012345678", clock=Now())
    meter.add(PushSetupVersion0(SETUP))
    item = meter.management.find(SETUP)
    assert item is not None
    plan = push_setup.plan(meter.management.visit(), item)
    assert (plan.destination, plan.retries, plan.randomisation, plan.confirmed) == (None, 0, 0, False)
    assert plan.opening(NOON, UTC) == NOON
