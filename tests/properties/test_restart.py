"""A meter that is restarted between any two things that happen to it cannot be told from one that never was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from behaving import Now
from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.item import Refusal
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.codec import axdr
from cosem.protocol.model import Clock
from cosem.protocol.model.classes.access_control import ImageBlock, ImageTransfer, ImageTransferInitiate
from cosem.protocol.model.classes.data_storage import DemandRegister, ExtendedRegister, RegisterActivation
from cosem.protocol.values.data import Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.store.memory import MemoryCounterStore
from described import (
    BILLED,
    BILLS,
    BREAKER,
    CREDIT,
    ENERGY,
    FIRMWARE,
    HEAD,
    HOUSEHOLD,
    IMAGE,
    MIDNIGHT,
    NOON,
    PROFILE,
    REGISTERS,
    SWITCHED,
    TARIFF,
    WRITABLE,
    account,
    act,
    born,
    consumption,
    fee,
    limiter,
    profile,
    purse,
    put,
    scripts,
    thing,
)

METER = (
    HEAD
    + HOUSEHOLD
    + WRITABLE
    + REGISTERS
    + thing("Register", "1.0.1.7.0.255")
    + SWITCHED
    + scripts(
        '[3, [[2, 7, "1.0.98.1.0.255", 2, { integer = 0 }], [2, 4, "1.0.1.6.0.255", 1, { integer = 0 }]]]',
        '[4, [[1, 6, "0.0.14.0.0.255", 4, { octet-string = "41" }]]]',
        '[5, [[1, 6, "0.0.14.0.0.255", 4, { octet-string = "42" }]]]',
    )
    + limiter(normal=500)
    + thing(
        "ActivityCalendar",
        "0.0.13.0.0.255",
        'season_profile_active = [["S", "*-*-* *:*:*", "W"]]',
        'week_profile_table_active = [["W", 1, 1, 1, 1, 1, 1, 1]]',
        'day_profile_table_active = [[1, [["06:00:00", "0.0.10.0.106.255", 4], ["22:00:00", "0.0.10.0.106.255", 5]]]]',
    )
    + thing("SingleActionSchedule", "0.0.15.0.0.255", 'executed_script = ["0.0.10.0.106.255", 3]', *MIDNIGHT)
    + thing("Data", "1.0.0.1.0.255")
    + FIRMWARE
    + account("0.0.19.20.0.255", "0.0.19.20.1.255")
    + purse(300, "warning_threshold = 100")
    + consumption()
    + fee("0.0.19.20.1.255", 7200)
    + '[[payment]]\naccount = "0.0.19.0.0.255"\n'
    + profile("1.0.99.1.0.255", "1.0.1.8.0.255:value", "1.0.1.8.1.255:value", lines=("period = 900", "entries = 30"))
    + profile(
        "1.0.99.2.0.255",
        "1.0.1.7.0.255:value",
        lines=("period = 3600", "entries = 6", 'order = "largest"', 'sort_by = "1.0.1.7.0.255:value"'),
    )
    + profile(
        "1.0.98.1.0.255",
        "1.0.0.1.0.255:value",
        "1.0.1.6.0.255:value",
        "0.0.96.14.0.255:value",
        lines=("entries = 3", 'order = "newest-first"'),
    )
    + BILLED
)


class Dictionary:
    """A store that a process leaves behind."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.counters: CounterStore = MemoryCounterStore()
        self.full = False

    def load(self) -> Mapping[str, bytes]:
        return dict(self.entries)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        if self.full:
            raise ConfigurationError("no space left")
        for name, octets in changes.items():
            if octets is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = octets

    def close(self) -> None:
        pass


def set_clock(seconds: int) -> Callable[[Meter], object]:
    return lambda meter: put(meter, Clock().time, DateTime.from_datetime(meter.time() + timedelta(seconds=seconds)))


STEPS: Mapping[str, Callable[[Meter], object]] = {
    "look": lambda meter: meter.settle(),
    "keep": lambda meter: meter.keep(),
    "tariff 2": lambda meter: put(meter, TARIFF.value, Unsigned(2)),
    "tariff 1": lambda meter: put(meter, TARIFF.value, Unsigned(1)),
    "mask A": lambda meter: put(meter, RegisterActivation("0.0.14.0.0.255").active_mask, b"A"),
    "mask B": lambda meter: put(meter, RegisterActivation("0.0.14.0.0.255").active_mask, b"B"),
    "reset energy": lambda meter: act(meter, ENERGY.reset),
    "reset maximum": lambda meter: act(meter, ExtendedRegister("1.0.1.6.0.255").reset),
    "next period": lambda meter: act(meter, DemandRegister("1.0.1.4.0.255").next_period),
    "bill": lambda meter: act(meter, BILLS.capture),
    "empty": lambda meter: act(meter, PROFILE.reset),
    "open": lambda meter: act(meter, BREAKER.remote_disconnect),
    "close": lambda meter: act(meter, BREAKER.remote_reconnect),
    "pay": lambda meter: act(meter, CREDIT.update_amount, 100),
    "image a": lambda meter: act(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"a", 10)),
    "image b": lambda meter: act(meter, IMAGE.image_transfer_initiate, ImageTransferInitiate(b"b", 9)),
    "block 0": lambda meter: act(meter, IMAGE.image_block_transfer, ImageBlock(0, b"0123")),
    "block 0 again": lambda meter: act(meter, IMAGE.image_block_transfer, ImageBlock(0, b"4567")),
    "block 1": lambda meter: act(meter, IMAGE.image_block_transfer, ImageBlock(1, b"89ab")),
    "verify": lambda meter: act(meter, IMAGE.image_verify),
    "shift": lambda meter: act(meter, Clock().shift_time, 30),
    "down": lambda meter: meter.power.down(),
    "up": lambda meter: meter.power.up(),
    "ahead": set_clock(5000),
    "back": set_clock(-4000),
}


def everything(meter: Meter) -> dict[str, object]:
    """Return what anybody can read, as octets, and what an image holds."""
    visit = meter.management.visit(meter.management.associations[0])
    found: dict[str, object] = {}
    for item in meter.management.objects:
        for index in item.attributes():
            try:
                found[f"{item} {index}"] = axdr.encode(item.read(visit, index)).hex()
            except Refusal as refusal:
                found[f"{item} {index}"] = refusal.result
        if item.class_id == ImageTransfer.class_id and item.state is not None:
            found["image"] = bytes(item.state.octets)
    found["clock"] = meter.time()
    return found


waits = st.sampled_from([0, 1, 59, 60, 900, 3600, 7200, 40_000])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), waits, st.booleans(), st.booleans()), max_size=8))
def test_restarts_make_no_difference(life: list[tuple[str, int, bool, bool]]) -> None:
    now, store = Now(NOON), Dictionary()
    steady, restarted = born(METER, now, Dictionary()), born(METER, now, store)
    for name, wait, dies_before, dies_after in life:
        if dies_before:
            restarted = born(METER, now, store)
        now.later(seconds=wait)
        if dies_after:
            restarted = born(METER, now, store)
        assert [repr(STEPS[name](meter)) for meter in (restarted,)] == [repr(STEPS[name](steady))]
    for meter in (restarted, steady):
        meter.power.up()
        meter.keep()
    assert everything(restarted) == everything(steady)
    assert everything(born(METER, now, store)) == everything(steady)


BY_CLIENTS = sorted(set(STEPS) - {"look", "keep", "down", "up"})


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(STEPS)), waits, st.sampled_from(BY_CLIENTS)), max_size=6))
def test_what_could_not_be_made_durable_makes_no_difference(life: list[tuple[str, int, str]]) -> None:
    now, store = Now(NOON), Dictionary()
    steady, refusing = born(METER, now, Dictionary()), born(METER, now, store)
    for name, wait, refused in life:
        now.later(seconds=wait)
        steady.settle()
        store.full = True
        STEPS[refused](refusing)
        store.full = False
        assert everything(refusing) == everything(steady), refused
        assert repr(STEPS[name](refusing)) == repr(STEPS[name](steady))
    for meter in (refusing, steady):
        meter.power.up()
        meter.keep()
    assert everything(refusing) == everything(steady)
    assert everything(born(METER, now, store)) == everything(steady)
