"""What a client has changed and cannot be made durable is refused and undone: a restart takes nothing back."""

from __future__ import annotations

import binascii
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from behaving import Now
from cosem.errors import ConfigurationError, StateInDoubt
from cosem.meter import Meter
from cosem.meter.memory.plain import value_of
from cosem.protocol.apdu.action import ActionResult
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model import Clock
from cosem.protocol.model.classes.access_control import ImageBlock, ImageTransferInitiate
from cosem.protocol.model.classes.data_storage import DemandRegister, ExtendedRegister, RegisterActivation
from cosem.protocol.model.classes.push import PushSetupVersion0
from cosem.protocol.model.classes.time_and_event import PresetTime, ScriptTable
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.store import state_log
from cosem.store.state import FileStateStore
from described import (
    ALARM,
    BILLS,
    BREAKER,
    CALIBRATED,
    COUNTING,
    CREDIT,
    ENERGY,
    FIRMWARE,
    GATEWAY,
    GUARDED,
    HEAD,
    IMAGE,
    LARGEST,
    LIMITED,
    MODE,
    MONITORED,
    NEWEST,
    NOON,
    POWER,
    PREPAID,
    PROFILES,
    PUSHING,
    SETUP,
    TARIFF,
    WATCHED,
    WRITABLE,
    Failing,
    Life,
    act,
    born,
    done,
    put,
    thing,
)
from disk import MemoryDisk

ROWS = PROFILES.replace("{past}", "false")
PUSHED = PUSHING + f'\n[[push]]\ninstance = "{SETUP}"\non = ["parameters_written"]\n'
DIGITS = "0000010000000500"
TOKEN = f"{DIGITS}{binascii.crc_hqx(DIGITS.encode(), 0) % 10_000:04}".encode()


NOTED_AT_POWER_UP = ("0.0.99.98.0.255", "0.0.96.11.0.255", "0.0.97.98.0.255")
"""The log, the last event and the alarms."""


def moment(**later: float) -> DateTime:
    return DateTime.from_datetime(NOON + timedelta(**later))


Change = Callable[[Meter], DataAccessResult | ActionResult]

CHANGES: dict[str, tuple[str, Change]] = {
    "an attribute": (WRITABLE, lambda meter: put(meter, TARIFF.value, Unsigned(7))),
    "an attribute and a push": (WRITABLE + PUSHED, lambda meter: put(meter, TARIFF.value, Unsigned(7))),
    "a push": (PUSHING, lambda meter: act(meter, PushSetupVersion0(SETUP).push)),
    "the clock": (ROWS, lambda meter: put(meter, Clock().time, moment(days=1))),
    "the log of a template": ('template = "household"\n', lambda meter: put(meter, Clock().time, moment(days=1))),
    "a preset time": (
        "",
        lambda meter: act(
            meter, Clock().preset_adjusting_time, PresetTime(moment(hours=9), moment(hours=1), moment(hours=20))
        ),
    ),
    "a row more": (ROWS, lambda meter: act(meter, BILLS.capture)),
    "no rows": (ROWS, lambda meter: act(meter, NEWEST.reset)),
    "no rows in order": (ROWS, lambda meter: act(meter, LARGEST.reset)),
    "an alarm": (ROWS, lambda meter: put(meter, ALARM.value, DoubleLongUnsigned(0))),
    "a register": (COUNTING, lambda meter: act(meter, ENERGY.reset)),
    "a demand": (COUNTING, lambda meter: act(meter, DemandRegister("1.0.1.4.0.255").next_period)),
    "a tariff": (COUNTING, lambda meter: put(meter, RegisterActivation("0.0.14.0.0.255").active_mask, b"B")),
    "a breaker": (WATCHED + LIMITED, lambda meter: act(meter, BREAKER.remote_disconnect)),
    "a breaker by a script": (
        WATCHED + MONITORED,
        lambda meter: act(meter, ScriptTable("0.0.10.0.106.255").execute, LongUnsigned(1)),
    ),
    "an image": (
        FIRMWARE,
        lambda meter: act(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"new", 40)),
    ),
    "a credit": (PREPAID, lambda meter: act(meter, CREDIT.set_amount_to_value, 0)),
    "a token": (PREPAID, lambda meter: act(meter, GATEWAY.enter, TOKEN)),
    "calibration": (GUARDED, lambda meter: put(meter, MODE.value, Unsigned(1))),
}


def everything(meter: Meter) -> dict[str, object]:
    """Return all that the objects of a meter tell, its clock, and which pushes run."""
    visit = meter.management.visit()
    told: dict[str, object] = {
        f"{item} {index}": item.read(visit, index) for item in meter.management.objects for index in item.attributes()
    }
    running = meter.pushes.running if meter.has_pushes else frozenset()
    return {**told, "clock": meter.time(), "settings": meter.settings, "preset": meter.preset, "pushes": running}


@pytest.mark.parametrize("what", CHANGES)
def test_all_is_as_it_was_and_goes_on(life: Life, what: str) -> None:
    life.text, change = CHANGES[what]
    meter = life.begin()
    life.now.later(hours=7, minutes=3)  # what was due until then is not kept yet, and stays
    before = everything(meter)
    failing = Failing(life)
    for _ in range(2):
        assert int(change(meter)) == DataAccessResult.HARDWARE_FAULT == ActionResult.HARDWARE_FAULT
        assert everything(meter) == before
    failing.end()
    meter.keep()
    again = everything(life.again())
    differ = [name for name, value in before.items() if again[name] != value]
    assert [name for name in differ if not any(noted in name for noted in NOTED_AT_POWER_UP)] == []
    done(change(life.again()))
    assert everything(life.again()) != again


def test_blocks_of_an_image_are_asked_for_again(life: Life) -> None:
    life.text = FIRMWARE
    meter = life.begin()
    done(act(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"new", 12)))
    done(act(meter, IMAGE.image_block_transfer, ImageBlock(0, b"abcd")))
    failing = Failing(life)
    for number, octets in ((1, b"efgh"), (0, b"ABCD")):
        assert act(meter, IMAGE.image_block_transfer, ImageBlock(number, octets)) is ActionResult.HARDWARE_FAULT
    assert str(meter.value(IMAGE.image_transferred_blocks_status)) == "100"
    failing.end()
    for number, octets in ((1, b"efgh"), (2, b"ijkl")):
        done(act(meter, IMAGE.image_block_transfer, ImageBlock(number, octets)))
    item = life.again().management.find(IMAGE.instance)
    assert item is not None
    assert bytes(item.state.octets) == b"abcdefghijkl"


def test_a_largest_value_that_was_reset_before_is_undone_to_that(life: Life) -> None:
    largest = ExtendedRegister("1.0.1.6.0.255")
    life.text = COUNTING + thing("Data", "0.0.128.0.0.255") + CALIBRATED
    meter = life.begin()
    life.now.later(hours=1)
    done(put(meter, MODE.value, Unsigned(1)))
    done(act(meter, largest.reset))
    life.now.later(minutes=5)
    before = meter.value(largest.value)
    failing = Failing(life)
    assert put(meter, largest.value, DoubleLongUnsigned(7)) is DataAccessResult.HARDWARE_FAULT
    assert meter.value(largest.value) == before
    failing.end()
    life.now.later(hours=3)
    found = meter.value(largest.value)
    assert found != before
    meter.keep()
    assert life.again().value(largest.value) == found


def test_what_happened_by_itself_is_not_undone_and_kept_later(life: Life) -> None:
    life.text = WRITABLE + WATCHED
    meter = life.begin()
    failing = Failing(life)
    meter.put(POWER.value, 2000)
    for _ in range(3):
        meter.lockout.failed("1.2.3.4", 1, 1, 1000.0)
    assert put(meter, TARIFF.value, Unsigned(7)) is DataAccessResult.HARDWARE_FAULT
    assert (meter.value(TARIFF.value), meter.value(POWER.value)) == (1, 2000)
    with pytest.raises(ConfigurationError, match="no space"):
        meter.keep()
    failing.end()
    done(put(meter, TARIFF.value, Unsigned(8)))
    again = life.again()
    assert (again.value(TARIFF.value), again.value(POWER.value)) == (8, 2000)
    assert again.lockout.locked("1.2.3.4", 1, 1, 5.0)


def test_a_restart_while_nothing_can_be_kept_finds_the_same(life: Life) -> None:
    life.text = WRITABLE
    meter = life.begin()
    done(put(meter, TARIFF.value, Unsigned(2)))
    failing = Failing(life)
    assert put(meter, TARIFF.value, Unsigned(7)) is DataAccessResult.HARDWARE_FAULT
    assert meter.value(TARIFF.value) == 2
    failing.end()
    assert life.again().value(TARIFF.value) == 2


def test_no_copy_that_could_be_written_brings_back_what_was_refused(tmp_path: Path) -> None:
    disk, folder = MemoryDisk(), tmp_path / "state"
    store = FileStateStore(folder, disk=disk)
    meter = born(HEAD + WRITABLE, Now(NOON), store)
    before = disk.steps
    done(put(meter, TARIFF.value, Unsigned(2)))
    for fatal in range(1, disk.steps - before + 1):  # at each step of writing both copies
        disk.steps, disk.fatal, disk.failing = 0, fatal, True
        assert put(meter, TARIFF.value, Unsigned(7)) is DataAccessResult.HARDWARE_FAULT
        assert meter.value(TARIFF.value) == 2
        copies = [state_log.read(disk.read(folder / name, 1 << 20) or b"") for name in ("state", "state.copy")]
        log, _ = state_log.judge(copies[0], copies[1], "state")
        assert value_of(json.loads(log.entries["value 1 0.0.96.14.0.255 2"])) == {"held": 2}
        disk.fatal = 0
        done(put(meter, TARIFF.value, Unsigned(3)))  # so that it is written behind what there is, the next time
        done(put(meter, TARIFF.value, Unsigned(2)))
    store.close()


def test_whose_change_is_in_doubt_is_not_answered_until_it_is_undone(tmp_path: Path) -> None:
    disk, folder = MemoryDisk(), tmp_path / "state"
    store = FileStateStore(folder, disk=disk)
    meter = born(HEAD + WRITABLE, Now(NOON), store)
    done(put(meter, TARIFF.value, Unsigned(2)))
    disk.steps, disk.fatal, disk.failing, disk.lasting = 0, 4, True, True  # whole in the first copy, and stays there
    with pytest.raises(StateInDoubt):
        put(meter, TARIFF.value, Unsigned(7))
    assert meter.value(TARIFF.value) == 2
    disk.fatal, disk.capacity = 0, disk.used
    assert put(meter, TARIFF.value, Unsigned(8)) is DataAccessResult.HARDWARE_FAULT
    store.close()
    disk.capacity = None
    again = born(HEAD + WRITABLE, Now(NOON), FileStateStore(folder, disk=disk))
    assert again.value(TARIFF.value) == 2
