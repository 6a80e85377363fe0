"""A meter that dies without a word and is made anew from its state: everything is as it was, for each behaviour."""

from __future__ import annotations

import binascii
import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from behaving import Now
from cosem.errors import ConfigurationError, IncompleteWarning
from cosem.meter import AssociationDescription, Keys, Meter
from cosem.meter import behaviour as behaviours
from cosem.meter.behaviour import association_ln
from cosem.meter.behaviour.profile_history import HISTORY
from cosem.meter.demo import EVENT_LOG
from cosem.meter.describe import parse
from cosem.meter.memory import remember, states
from cosem.meter.memory.plain import DATA, plain, value_of
from cosem.meter.rights import Rule
from cosem.protocol.apdu.action import ActionResult
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto import suite as suites
from cosem.protocol.crypto.certificate import Use
from cosem.protocol.crypto.elliptic import PrivateKey, entropy_octets
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.mechanism import MECHANISMS
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.classes.access_control import (
    ImageBlock,
    ImageTransferInitiate,
    ImageTransferStatus,
    User,
)
from cosem.protocol.model.classes.data_storage import DemandRegister, ExtendedRegister, RegisterActivation
from cosem.protocol.model.classes.payment import TokenStatusCode
from cosem.protocol.model.classes.push import PushSetupVersion0
from cosem.protocol.model.classes.time_and_event import (
    ActivityCalendar,
    ControlState,
    PresetTime,
    Schedule,
    SpecialDay,
    SpecialDaysTable,
)
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.values import data as data_types
from cosem.protocol.values.data import Array, DoubleLongUnsigned, Integer, OctetString, Structure, Unsigned
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.store.state import open_state
from described import (
    ALARM,
    BILLS,
    BREAKER,
    CHARGE,
    COUNTING,
    CREDIT,
    ENERGY,
    EVERYTHING,
    FIRMWARE,
    GATEWAY,
    GUARDED,
    IMAGE,
    LARGEST,
    LIMITED,
    LOG,
    MODE,
    MONITORED,
    NAME,
    NEWEST,
    NOON,
    POWER,
    PREPAID,
    PROFILE,
    PROFILES,
    PUSHING,
    SETUP,
    TARIFF,
    WATCHED,
    WRITABLE,
    Failing,
    Life,
    act,
    done,
    put,
)

# -- attributes and the clock ------------------------------------------------------------------------------------------


def test_what_a_client_has_written_is_there(life: Life) -> None:
    life.text = WRITABLE
    done(put(life.begin(), TARIFF.value, Unsigned(7)))
    meter = life.again()
    assert meter.value(TARIFF.value) == 7
    assert type(meter.value(TARIFF.value)) is Unsigned
    done(put(meter, TARIFF.value, Unsigned(1)))  # as it is described
    assert life.again().value(TARIFF.value) == 1


def test_what_is_as_described_again_before_it_is_kept_is_so(life: Life) -> None:
    """A limiter that closes in the course of the restart: what is true again is not false the next time."""
    life.text = WATCHED + LIMITED
    meter = life.begin()
    meter.settle()
    meter.put(POWER.value, 2000)
    life.now.later(minutes=10)
    meter.settle()
    meter.put(POWER.value, 100)
    meter.keep()
    assert meter.value(BREAKER.output_state) is False
    assert life.again(hours=1).value(BREAKER.output_state) is True
    assert life.again().value(BREAKER.output_state) is True


def test_what_is_no_longer_described_is_told_and_kept(life: Life) -> None:
    life.text = WRITABLE
    done(put(life.begin(), TARIFF.value, Unsigned(7)))
    life.text = ""
    with pytest.warns(IncompleteWarning, match=r"value 1 0\.0\.96\.14\.0\.255 2"):
        life.again()
    life.text = WRITABLE
    assert life.again().value(TARIFF.value) == 7


def test_a_state_is_of_one_meter(life: Life) -> None:
    life.begin()
    assert life.store is not None
    with pytest.raises(ConfigurationError, match=f"this state is of .*{NAME}"):
        remember(Meter("KFM1020000000002"), life.store)


def test_the_clock_goes_on_as_it_was_set_and_knows_what_it_showed_before(life: Life) -> None:
    meter = life.begin()
    done(put(meter, Clock().time, DateTime.from_datetime(NOON + timedelta(hours=3))))
    life.now.later(minutes=5)
    done(act(meter, Clock().shift_time, 600))
    before = meter.time()
    again = life.again(hours=1)
    assert again.time() == before + timedelta(hours=1)
    assert again.last_setting == meter.last_setting == timedelta(minutes=10)
    for hours in (0, 3.05, 4):
        shown = NOON + timedelta(hours=hours)
        assert again.true_time_of(shown) == meter.true_time_of(shown)


def test_a_preset_time_is_set_after_a_restart(life: Life) -> None:
    wanted = [NOON + timedelta(hours=hours) for hours in (5, 1, 2)]
    done(act(life.begin(), Clock().preset_adjusting_time, PresetTime(*map(DateTime.from_datetime, wanted))))
    meter = life.again(hours=1.5)
    done(act(meter, Clock().adjust_to_preset_time))
    assert meter.time() == wanted[0]
    assert act(life.again(), Clock().adjust_to_preset_time) is ActionResult.TEMPORARY_FAILURE


def test_a_preset_time_is_that_of_one_meter_alone() -> None:
    one, other = (parse(f'[meter]\nname = "{name}"', clock=Now(NOON)) for name in (NAME, "KFM1020000000002"))
    for each in (one, other):
        each.offer(replace(Life.associations[0], client=2))
    preset = PresetTime(*[DateTime.from_datetime(NOON + timedelta(hours=hours)) for hours in (5, -1, 2)])
    visit = one.management.visit()
    item = one.management.find(Obis("0.0.1.0.0.255"))
    assert item is not None
    item.behaviour.methods[5](visit, item, Clock.preset_adjusting_time.argument.encode(preset))
    assert other.preset is None
    assert one.preset is not None


# -- registers ---------------------------------------------------------------------------------------------------------


def shown(meter: Meter) -> list[Any]:
    largest, demand = ExtendedRegister("1.0.1.6.0.255"), DemandRegister("1.0.1.4.0.255")
    return [
        meter.value(each)
        for each in (
            *(ENERGY.value, Register("1.0.1.8.1.255").value, largest.value, largest.capture_time),
            *(demand.current_average_value, demand.last_average_value, demand.start_time_current),
        )
    ]


def test_registers_count_on_from_where_they_were_reset_and_switched(life: Life) -> None:
    life.text = COUNTING
    meter = life.begin()
    untouched = parse(f'[meter]\nname = "{NAME}"\n{COUNTING}', clock=life.now)
    for step, method in enumerate((ENERGY.reset, ExtendedRegister("1.0.1.6.0.255").reset)):
        life.now.later(hours=1 + step, minutes=7)
        done(act(meter, method))
    done(act(meter, DemandRegister("1.0.1.4.0.255").next_period))
    life.now.later(hours=2)
    done(put(meter, RegisterActivation("0.0.14.0.0.255").active_mask, b"B"))
    life.now.later(hours=2)
    before, again = shown(meter), life.again()
    assert shown(again) == before
    life.now.later(hours=30)
    assert shown(again) == shown(meter) != before
    assert shown(again)[0] < untouched.value(ENERGY.value)


# -- profiles, billing, logs, alarms -----------------------------------------------------------------------------------


def rows(meter: Meter, *profiles: ProfileGeneric) -> list[Any]:
    return [tuple(meter.value(each.buffer)) for each in profiles]


@pytest.mark.parametrize("past", ["false", "true"])
def test_rows_are_there_and_those_of_the_time_between_are_made_up_for(life: Life, past: str) -> None:
    life.text = PROFILES.replace("{past}", past)
    meter = life.begin()
    steady = parse(f'[meter]\nname = "{NAME}"\nzone = "Europe/Berlin"\n{life.text}', clock=life.now)
    for each in (meter, steady):
        each.settle()
    life.now.later(hours=9)  # one that runs through, and one that dies at night and comes up after the clocks changed
    meter.keep()
    again = life.again(hours=20)
    names = (PROFILE, NEWEST, LARGEST, BILLS)
    assert rows(again, *names) == rows(steady, *names)
    assert again.value(Data("1.0.0.1.0.255").value) == steady.value(Data("1.0.0.1.0.255").value) == 1
    twice = life.again(hours=30)
    assert rows(twice, *names) == rows(steady, *names)
    assert len(rows(twice, BILLS)[0]) == 3


def test_more_rows_than_fit_and_a_reset_leave_nothing_behind(life: Life) -> None:
    life.text = PROFILES.replace("{past}", "false")
    meter = life.begin()
    for _ in range(7):
        life.now.later(hours=5)
        meter.keep()
        meter.value(NEWEST.buffer)
    before = rows(meter, PROFILE, NEWEST, LARGEST)
    meter.keep()
    assert rows(life.again(), PROFILE, NEWEST, LARGEST) == before
    assert life.store is not None
    kept = [name for name in life.store.load() if name.startswith("state 1 1.0.99.2.0.255 ")]
    assert len(kept) <= 10
    again = life.again()
    done(act(again, NEWEST.reset))
    assert not rows(life.again(), NEWEST)[0]


def test_an_event_log_notes_that_there_is_power_again_and_alarms_stay_reset(life: Life) -> None:
    life.text = PROFILES.replace("{past}", "false")
    meter = life.begin()
    done(put(meter, Clock().time, DateTime.from_datetime(NOON + timedelta(days=1, minutes=1))))
    assert meter.value(ALARM.value) == 0x24
    done(put(meter, ALARM.value, DoubleLongUnsigned(0)))
    before = rows(meter, LOG)[0]
    again = life.again(minutes=1)
    found = rows(again, LOG)[0]
    assert found[:-1] == before
    assert [row[1] for row in found] == [2, 5, 2]
    assert again.value(ALARM.value) == 4  # power, anew
    life.now.later(minutes=13)
    assert [row[1] for row in rows(again, PROFILE)[0]] == [0x20]  # set, in the period that was going on


def test_what_a_meter_of_a_template_has_noted_is_there(life: Life) -> None:
    life.text = 'template = "household"\n'
    meter = life.begin()
    history = rows(meter, EVENT_LOG)[0]
    done(put(meter, Clock().time, DateTime.from_datetime(NOON + timedelta(minutes=5))))
    found = rows(life.again(), EVENT_LOG)[0]
    assert found[: len(history)] == history
    assert [row[1] for row in found[len(history) :]] == [4, 5, 2]  # set, from and to, and power again


# -- pushes and a clock that drifts ------------------------------------------------------------------------------------


def attempts(meter: Meter) -> list[Any]:
    meter.pushes.tick(meter.time())
    return list(meter.pushes.outgoing())


def test_a_push_goes_on_with_what_it_carried_and_as_often_as_it_may(life: Life) -> None:
    life.text = PUSHING
    meter = life.begin()
    done(act(meter, PushSetupVersion0(SETUP).push, Integer(0)))
    [first] = attempts(life.again(seconds=10))
    meter = life.again()
    [first] = attempts(meter)
    meter.keep()  # it is under way, and counts
    again = life.again(seconds=30)
    assert not attempts(again)
    life.now.later(seconds=40)
    [second] = attempts(again)
    assert second.number == 2
    assert second.notification == first.notification
    again.pushes.failed(second, again.time())
    again.keep()
    last = life.again(minutes=2)
    [third] = attempts(last)
    assert (third.number, third.notification) == (3, first.notification)
    last.keep()
    ended = life.again()
    assert not ended.pushes.running
    assert [(each.delivered, each.attempts) for each in ended.pushes.events()] == [(False, 3)]


def test_a_push_of_a_setup_that_is_gone_is_gone(life: Life) -> None:
    life.text = PUSHING
    done(act(life.begin(), PushSetupVersion0(SETUP).push, Integer(0)))
    life.text = PUSHING + WRITABLE
    assert life.again().pushes.running
    life.text = WRITABLE
    assert not life.again().pushes.running


def test_a_clock_goes_on_wrong_as_it_did(life: Life) -> None:
    life.text = "[faults]\nclock_drift = 60.0"
    life.begin()
    assert life.again(days=2).time() == life.now.time + timedelta(minutes=2)
    assert life.again(days=1).time() == life.now.time + timedelta(minutes=3)


def test_where_nothing_happens_nothing_is_written(life: Life) -> None:
    life.text = SCRIPTS + CALENDAR + PUSHING
    meter = life.begin()
    meter.settle()
    meter.keep()
    Failing(life)
    life.now.later(minutes=20)
    meter.settle()
    meter.keep()
    life.now.later(hours=2)  # a schedule is due
    meter.settle()
    with pytest.raises(ConfigurationError, match="no space"):
        meter.keep()


# -- schedules and calendars -------------------------------------------------------------------------------------------

SCRIPTS = """
[[object]]
class = "Data"
instance = "0.0.96.14.0.255"
value = { unsigned = 0 }

[[object]]
class = "ScriptTable"
instance = "0.0.10.0.100.255"
scripts = [
    [1, [[1, 1, "0.0.96.14.0.255", 2, { unsigned = 1 }], [2, 7, "0.0.99.98.0.255", 2, { integer = 0 }]]],
    [2, [[1, 1, "0.0.96.14.0.255", 2, { unsigned = 2 }], [2, 7, "0.0.99.98.0.255", 2, { integer = 0 }]]],
]

[[profile]]
instance = "0.0.99.98.0.255"
columns = ["0.0.1.0.0.255:time", "0.0.96.14.0.255:value"]
"""
CALENDAR = """
[[object]]
class = "ActivityCalendar"
instance = "0.0.13.0.0.255"
season_profile_active = [["S", "*-*-* *:*:*", "W"]]
week_profile_table_active = [["W", 1, 1, 1, 1, 1, 1, 1]]
day_profile_table_active = [[1, [["06:00:00", "0.0.10.0.100.255", 1], ["22:00:00", "0.0.10.0.100.255", 2]]]]
calendar_name_passive = "new"
writable = ["calendar_name_passive"]

[[object]]
class = "SpecialDaysTable"
instance = "0.0.11.0.0.255"
entries = []

[[object]]
class = "Schedule"
instance = "0.0.12.0.0.255"
entries = [[1, true, "0.0.10.0.100.255", 1, "15:00:00", 65535, "1111111", "", "*-*-*", "*-*-*"]]
"""


def ran(meter: Meter) -> list[int]:
    meter.settle()
    return [int(row[1]) for row in meter.value(LOG.buffer)]


def test_a_calendar_runs_each_script_once_whatever_restarts_are_between(life: Life) -> None:
    life.text = SCRIPTS + CALENDAR
    meter = life.begin()
    assert ran(meter) == [1]  # what is in force at the beginning
    meter.keep()
    assert ran(life.again()) == [1]
    again = life.again(hours=12)  # past 15:00, by the schedule, and 22:00
    assert ran(again) == [1, 1, 2]
    again.keep()
    assert ran(life.again()) == [1, 1, 2]
    assert ran(life.again(hours=24)) == [1, 1, 2, 1, 1, 2]


def test_calendars_special_days_and_schedules_stay_as_clients_have_changed_them(life: Life) -> None:
    life.text = SCRIPTS + CALENDAR
    meter = life.begin()
    calendar, special, schedule = ActivityCalendar(), SpecialDaysTable("0.0.11.0.0.255"), Schedule("0.0.12.0.0.255")
    done(put(meter, calendar.calendar_name_passive, b"summer"))
    done(act(meter, calendar.activate_passive_calendar))
    done(act(meter, special.insert, SpecialDay(3, Date.from_date(date(2026, 12, 25)), 1)))
    [entry] = meter.value(schedule.entries)
    done(act(meter, schedule.insert, replace(entry, index=2, switch_time=Time.from_time(time(7)))))
    told = (calendar.calendar_name_active, special.entries, schedule.entries)
    before = [meter.value(each) for each in told]
    assert [life.again().value(each) for each in told] == before
    assert before[0] == b"summer"


# -- breaker, limiter, monitor -----------------------------------------------------------------------------------------


def state(meter: Meter) -> ControlState:
    found: ControlState = meter.value(BREAKER.control_state)
    return found


def test_a_breaker_stays_open(life: Life) -> None:
    life.text = WATCHED
    done(act(life.begin(), BREAKER.remote_disconnect))
    again = life.again()
    assert state(again) is ControlState.DISCONNECTED
    assert again.value(BREAKER.output_state) is False
    done(act(again, BREAKER.remote_reconnect))
    assert state(life.again()) is ControlState.CONNECTED


def test_a_limiter_counts_on_how_long_a_value_has_been_over(life: Life) -> None:
    life.text = WATCHED + LIMITED
    meter = life.begin()
    meter.put(POWER.value, 2000)
    life.now.later(minutes=2)
    meter.settle()
    meter.keep()
    again = life.again(minutes=2)
    assert state(again) is ControlState.CONNECTED
    life.now.later(minutes=2)
    again.settle()
    assert state(again) is ControlState.DISCONNECTED  # 5 minutes since the first look over the threshold
    again.keep()
    done(act(life.again(), BREAKER.remote_reconnect))
    last = life.again(minutes=30)
    last.settle()
    assert state(last) is ControlState.CONNECTED  # it has acted already


def test_a_monitor_knows_on_which_side_the_value_was(life: Life) -> None:
    life.text = WATCHED + MONITORED
    meter = life.begin()
    meter.settle()
    meter.put(POWER.value, 600)
    meter.keep()
    again = life.again(minutes=1)
    again.settle()
    assert state(again) is ControlState.DISCONNECTED


# -- images ------------------------------------------------------------------------------------------------------------


def blocks(meter: Meter) -> str:
    return str(meter.value(IMAGE.image_transferred_blocks_status))


def test_an_image_goes_on_where_it_was(life: Life) -> None:
    life.text = FIRMWARE
    meter = life.begin()
    done(act(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"old", 40)))
    for number in (0, 9):
        done(act(meter, IMAGE.image_block_transfer, ImageBlock(number, b"????")))
    done(act(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"new", 18)))
    for number, octets in ((0, b"abcd"), (3, b"mnop"), (3, b"mnop"), (0, b"ABCD")):
        done(act(meter, IMAGE.image_block_transfer, ImageBlock(number, octets)))
    again = life.again()
    assert blocks(again) == "10010"
    assert again.value(IMAGE.image_first_not_transferred_block_number) == 1
    for number, octets in ((1, b"efgh"), (2, b"ijkl"), (4, b"qr")):
        done(act(life.again(), IMAGE.image_block_transfer, ImageBlock(number, octets)))
    last = life.again()
    item = last.management.find(IMAGE.instance)
    assert item is not None
    assert bytes(item.state.octets) == b"ABCDefghijklmnopqr"
    done(act(last, IMAGE.image_verify))
    assert life.again().value(IMAGE.image_transfer_status) is ImageTransferStatus.VERIFICATION_SUCCESSFUL
    done(act(life.again(), IMAGE.image_activate))
    assert life.again().value(IMAGE.image_transfer_status) is ImageTransferStatus.ACTIVATION_SUCCESSFUL


def test_blocks_that_come_again_and_again_with_other_octets_fill_nothing(life: Life) -> None:
    life.text = FIRMWARE
    meter = life.begin()
    done(act(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"new", 8)))
    for number in range(100):
        done(act(meter, IMAGE.image_block_transfer, ImageBlock(number % 2, f"{number:04}".encode())))
    assert life.store is not None
    assert len([name for name in life.store.load() if name.startswith("state 1 0.0.44")]) <= 6
    item = life.again().management.find(IMAGE.instance)
    assert item is not None
    assert bytes(item.state.octets) == b"00980099"


# -- prepayment --------------------------------------------------------------------------------------------------------


def test_nothing_that_was_paid_or_consumed_is_counted_twice_or_lost(life: Life) -> None:
    life.text = PREPAID
    meter = life.begin()
    meter.settle()
    meter.put(ENERGY.value, 1010)  # a quarter of a cent each time
    for _ in range(3):
        life.now.later(hours=1)
        meter.settle()
        meter.put(ENERGY.value, int(meter.value(ENERGY.value)) + 10)
        meter.keep()
        meter = life.again()
    assert meter.value(CREDIT.current_credit_amount) == 100
    meter = life.again(hours=1)
    assert meter.value(CREDIT.current_credit_amount) == 99  # of 40 Wh
    meter.put(ENERGY.value, 1040 + 8000)
    meter.keep()
    meter = life.again(hours=1)
    meter.settle()
    assert meter.value(CREDIT.current_credit_amount) == -101
    assert state(meter) is ControlState.DISCONNECTED
    meter.keep()
    assert life.again().value(CHARGE.total_amount_paid) == 2010


def test_a_token_is_taken_once_over_restarts(life: Life) -> None:
    life.text = PREPAID
    digits = "0000010000000500"
    token = f"{digits}{binascii.crc_hqx(digits.encode(), 0) % 10_000:04}".encode()
    meter = life.begin()
    done(act(meter, GATEWAY.enter, token))
    assert meter.value(CREDIT.current_credit_amount) == 600
    again = life.again()
    done(act(again, GATEWAY.enter, token))
    assert again.value(GATEWAY.token_status).status_code is TokenStatusCode.VALIDATION_RESULT_FAILURE
    assert life.again().value(CREDIT.current_credit_amount) == 600


def test_an_account_without_credit_connects_again_when_there_is_some(life: Life) -> None:
    life.text = PREPAID.replace("current_credit_amount = 100", "current_credit_amount = 0")
    meter = life.begin()
    meter.settle()
    done(act(meter, CREDIT.set_amount_to_value, 0))
    assert state(meter) is ControlState.DISCONNECTED
    again = life.again()
    done(act(again, CREDIT.set_amount_to_value, 5))
    assert state(again) is ControlState.CONNECTED


# -- who may come in ---------------------------------------------------------------------------------------------------


def key(first: int, suite: int = 1) -> Key:
    return Key(hashlib.sha256(bytes((first,))).digest()[: suites.of(suite).key_octets])


def pair(seed: int) -> PrivateKey:
    curve = suites.of(1).required_curve
    return PrivateKey.from_entropy(curve, bytes((seed,)) * entropy_octets(curve))


LASTING = AssociationDescription(
    client=1,
    mechanism=MECHANISMS[5],
    keys=Keys(key(1), key(2), suite=1, general=GeneralKeys(master_key=key(3))),
    protection=Protection.AUTHENTICATION,
    rights=EVERYTHING,
    users=(User(1, "Ann"),),
)


def test_what_clients_change_in_an_association_outlives_the_meter(life: Life) -> None:
    life.associations = (LASTING,)
    meter = life.begin()
    changed = replace(
        LASTING,
        protection=AUTHENTICATED_ENCRYPTION,
        keys=Keys(
            *(key(4), key(5)),
            suite=1,
            broadcast=key(6),
            general=GeneralKeys(
                master_key=key(7),
                signer=pair(1),
                peer_signing_key=pair(2).public,
                agreer=pair(3),
                peer_agreement_key=pair(4).public,
            ),
            pending={Use.SIGNATURE: pair(5)},
        ),
        users=(User(1, "Ann"), User(2, "Ben")),
        rights=replace(
            EVERYTHING,
            rules=(Rule(ObisPattern("1.*.1.8.*.255"), AttributeAccess.READ, 2),),
            hidden=frozenset({Obis("1.0.1.8.0.255")}),
        ),
    )
    meter.management.replace(1, changed)
    [found] = life.again().management.associations
    assert found.keys == changed.keys
    assert found.keys is not None
    assert dict(found.keys.pending) == {Use.SIGNATURE: pair(5)}
    assert (found.protection, found.users) == (changed.protection, changed.users)
    assert found.rights.hidden == changed.rights.hidden
    [rule] = found.rights.rules
    assert (rule.objects.text, rule.access, rule.attribute) == ("1.*.1.8.*.255", AttributeAccess.READ, 2)


def test_a_changed_password_is_asked_for_after_a_restart(life: Life) -> None:
    life.associations = (
        AssociationDescription(client=1, mechanism=MECHANISMS[1], secret=Secret(b"first"), rights=EVERYTHING),
    )
    meter = life.begin()
    item = meter.management.find(Obis("0.0.40.0.0.255"), meter.management.associations[0])
    assert item is not None
    association_ln._secret(meter.management.visit(meter.management.associations[0]), item, OctetString(b"second"))
    assert life.again().management.associations[0].secret == Secret(b"second")


def test_a_name_with_spaces_is_a_name(tmp_path: Path) -> None:
    offered = AssociationDescription(client=2, mechanism=MECHANISMS[1], secret=Secret(b"old"))
    for password in (b"old", b"new"):
        meter, store = Meter("KFM 1 of 2", clock=Now(NOON)), open_state(tmp_path / "state")
        meter.offer(offered)
        remember(meter, store)
        [found] = meter.management.associations
        assert found.secret == Secret(password)
        meter.management.replace(2, replace(offered, secret=Secret(b"new")))
        store.close()


def test_keys_that_die_with_the_process_are_not_kept(life: Life) -> None:
    made = replace(LASTING, keys=replace(Keys.random(1), general=GeneralKeys(master_key=key(3))))
    life.associations = (made,)
    meter = life.begin()
    changed = replace(made, keys=replace(made.keys, encryption=key(9)), users=())  # type: ignore[type-var]
    meter.management.replace(1, changed)
    [found] = life.again().management.associations
    assert found.keys is made.keys
    assert found.users == ()


def test_secrets_that_were_drawn_for_a_companion_are_those_of_the_first_start(tmp_path: Path) -> None:
    text = f'[meter]\nname = "{NAME}"\ncompanion = "idis"\n[state]\npath = "mine"\n'
    described = '[[association]]\nclient = 1\nauth = "low"\nprotection = "none"\npassword = "mine"\n'
    starts: list[dict[int, AssociationDescription]] = []
    for more in ("", "", described, ""):
        meter = parse(text + more, clock=Now(NOON), folder=tmp_path)
        starts.append({each.client: each for each in meter.management.associations})
        assert meter.memory is not None
        meter.memory.close()
    secrets = [{client: (each.secret, each.keys) for client, each in start.items()} for start in starts]
    assert [client for client, (_, keys) in secrets[0].items() if keys and not keys.temporary] == [1, 2]
    assert secrets[0] == secrets[1] == secrets[3]
    assert secrets[2] == {**secrets[0], 1: (Secret(b"mine"), None)}, "what is described is as it is described"


def test_a_change_that_cannot_be_kept_is_refused_and_not_kept_later(life: Life) -> None:
    life.associations = (LASTING,)
    meter = life.begin()
    failing = Failing(life)
    with pytest.raises(ConfigurationError, match="no space"):
        meter.management.replace(1, replace(LASTING, users=()))
    assert meter.management.associations[0] is LASTING
    failing.end()
    meter.keep()
    assert life.again().management.associations[0].users == LASTING.users


def test_whoever_is_locked_out_stays_so(life: Life) -> None:
    meter = life.begin()
    for _ in range(3):
        meter.lockout.failed("1.2.3.4", 1, 1, 1000.0)
    meter.lockout.failed("5.6.7.8", 1, 1, 1000.0)
    meter.keep()
    again = life.again()
    assert again.lockout.locked("1.2.3.4", 1, 1, 5.0)  # by another steady clock
    assert again.lockout.locked("1.2.3.4", 1, 1, 64.0)
    assert not again.lockout.locked("1.2.3.4", 1, 1, 65.5)
    assert not again.lockout.locked("5.6.7.8", 1, 1, 5.0)
    assert not again.lockout.failed("5.6.7.8", 1, 1, 6.0)
    assert again.lockout.failed("5.6.7.8", 1, 1, 7.0)  # the third time


def test_success_forgets_what_was_before_a_restart(life: Life) -> None:
    meter = life.begin()
    for _ in range(2):
        meter.lockout.failed("1.2.3.4", 1, 1, 1000.0)
    meter.keep()
    again = life.again()
    assert again.lockout
    again.lockout.succeeded("1.2.3.4", 1, 1)
    assert not again.lockout.failed("1.2.3.4", 1, 1, 1.0)


# -- what a store holds ------------------------------------------------------------------------------------------------


def test_what_a_store_holds_and_is_not_understood_is_an_error(life: Life) -> None:
    life.text = WRITABLE
    life.begin()
    assert life.store is not None
    good = life.store.load()
    for name in good:
        for octets in (b"", b"{", b"[[[", b'{"data":"zz"}', b'{"data":"ff"}', b"7", b'"x"', b'{"=Keys":{}}', b"null"):
            life.store.commit({name: octets})
            try:
                life.again()
            except ConfigurationError:
                life.store.commit({name: good[name]})
            life.store.commit(good)


# -- nothing is left out -----------------------------------------------------------------------------------------------


def test_every_type_of_data_has_a_form() -> None:
    kinds = {each for each in get_args(data_types.Data) if each not in (bool, type(None))}
    assert kinds
    assert not [kind for kind in kinds if not issubclass(kind, DATA)]


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 7, "x", b"\x00\xff", 1.5, (1, (b"", None)), frozenset({1, 2})),
        *(datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC), timedelta(days=-1, microseconds=3)),
        *(Unsigned(7), Structure((Unsigned(1), OctetString(b"x"), None, Array(()))), DateTime.from_datetime(NOON)),
    ],
    ids=repr,
)
def test_values_come_back_as_they_went(value: Any) -> None:
    found = value_of(plain(value))
    assert found == value
    assert type(found) is type(value)


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="type object cannot be kept"):
        plain(object())


def test_every_behaviour_with_a_state_says_what_of_it_is_kept(life: Life) -> None:
    """Whatever the tests above let objects have as their state is in the table."""
    life.text = PREPAID + SCRIPTS.replace("0.0.99.98.0.255", "0.0.99.98.7.255") + CALENDAR + LIMITED + MONITORED
    life.text += FIRMWARE
    meter = life.begin()
    meter.settle()
    done(act(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"new", 8)))
    found = {type(item.state) for item in meter.management.objects if item.state is not None}
    assert len(found) >= 6
    assert found <= states.STATES.keys()
    assert behaviours.BEHAVIOURS
    assert HISTORY.source(1).looked == (None, None)
    assert ZoneInfo("Europe/Berlin") == meter.zone


# -- where ------------------------------------------------------------------------------------------------------------


def test_a_description_says_where_its_state_is_beside_it(tmp_path: Path) -> None:
    text = f'[meter]\nname = "{NAME}"\n[state]\npath = "mine.sqlite"\n{WRITABLE}'
    for number in range(3):
        meter = parse(text, clock=Now(NOON), folder=tmp_path)
        assert meter.value(TARIFF.value) == (number or 1)
        meter.put(TARIFF.value, Unsigned(number + 1))
        assert meter.memory is not None
        meter.memory.close()
    assert (tmp_path / "mine.sqlite").is_file()
    meter = parse(text, clock=Now(NOON), folder=tmp_path, state=tmp_path / "elsewhere")
    assert meter.value(TARIFF.value) == 1
    assert meter.memory is not None
    meter.memory.close()
    assert (tmp_path / "elsewhere").is_dir()


def test_a_description_that_is_wrong_lets_go_of_its_state(tmp_path: Path) -> None:
    text = f'[meter]\nname = "{NAME}"\n[state]\npath = "mine"\n'
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="nonsense"):
            parse(f"{text}[nonsense]\n", "m.toml", folder=tmp_path)
    for wrong in ("path = 7", 'path = "x"\nmore = 1', ""):
        with pytest.raises(ConfigurationError, match=r"m\.toml: \[state\]"):
            parse(f'[meter]\nname = "{NAME}"\n[state]\n{wrong}\n', "m.toml", folder=tmp_path)
    open_state(tmp_path / "mine").close()


def test_a_state_that_cannot_be_used_says_where_in_the_description(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"m\.toml: cannot use the directory"):
        parse(f'[meter]\nname = "{NAME}"\n[state]\npath = "mine"\n', "m.toml", folder=tmp_path)


def test_lasting_keys_need_no_other_counters_than_those_of_the_state(tmp_path: Path) -> None:
    text = f"""
    [meter]
    name = "{NAME}"
    [state]
    path = "mine"
    [[association]]
    client = 1
    auth = "gmac"
    protection = "auth+enc"
    encryption_key = "{key(1, 0).reveal().hex()}"
    authentication_key = "{key(2, 0).reveal().hex()}"
    """
    meter = parse(text, clock=Now(NOON), folder=tmp_path)
    assert meter.memory is not None
    [keys] = [each.keys for each in meter.management.associations if each.keys is not None]
    assert meter.counters.sending(keys, meter.system_title).next() == 1
    meter.memory.close()
    assert (tmp_path / "mine" / "invocation-counters").is_file()


# -- metrology and firmware --------------------------------------------------------------------------------------------

IDENTIFIER = Data("1.0.0.2.0.255")


def test_calibration_mode_ends_when_it_would_have(life: Life) -> None:
    life.text = GUARDED
    done(put(life.begin(), MODE.value, Unsigned(1)))
    meter = life.again(minutes=9)
    assert meter.value(MODE.value) == 1
    done(put(meter, ENERGY.value, DoubleLongUnsigned(7)))
    meter = life.again(minutes=1)
    assert (meter.value(MODE.value), meter.value(ENERGY.value)) == (0, 7)
    assert put(meter, ENERGY.value, DoubleLongUnsigned(8)) is DataAccessResult.READ_WRITE_DENIED


def test_what_was_sealed_stays_sealed(life: Life) -> None:
    life.text = GUARDED
    meter = life.begin()
    assert meter.management.metrology is not None
    meter.management.metrology.seal(broken=False)
    meter.keep()
    assert put(life.again(), MODE.value, Unsigned(1)) is DataAccessResult.READ_WRITE_DENIED
