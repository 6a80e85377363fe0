"""A meter that is restarted between any two things that happen to it cannot be told from one that never was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from behaving import Now
from cosem.meter import Access, AssociationDescription, Meter, Rights, members
from cosem.meter.describe import parse
from cosem.meter.item import Refusal
from cosem.meter.memory import remember
from cosem.protocol.apdu.action import MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.codec import axdr
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.classes.access_control import ImageBlock, ImageTransfer, ImageTransferInitiate
from cosem.protocol.model.classes.data_storage import DemandRegister, ExtendedRegister, RegisterActivation
from cosem.protocol.model.classes.payment import Credit
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.model.reference import AttributeRef, MethodRef
from cosem.protocol.values.data import Integer, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.store.memory import MemoryCounterStore

BEGIN = datetime(2026, 3, 28, 12, tzinfo=UTC)
METER = """
[meter]
name = "KFM1020012345678"
zone = "Europe/Berlin"

[load]
kind = "household"

[[object]]
class = "Data"
instance = "0.0.96.14.0.255"
value = { unsigned = 1 }
writable = ["value"]

[[object]]
class = "Register"
instance = "1.0.1.8.0.255"
writable = ["reset"]

[[object]]
class = "Register"
instance = "1.0.1.8.1.255"

[[object]]
class = "ExtendedRegister"
instance = "1.0.1.6.0.255"
writable = ["reset"]

[[object]]
class = "DemandRegister"
instance = "1.0.1.4.0.255"

[[object]]
class = "RegisterActivation"
instance = "0.0.14.0.0.255"
register_assignment = [[3, "1.0.1.8.1.255"]]
mask_list = [["A", [1]], ["B", []]]
active_mask = "A"
writable = ["active_mask"]

[[object]]
class = "Register"
instance = "1.0.1.7.0.255"

[[object]]
class = "DisconnectControl"
instance = "0.0.96.3.10.255"

[[object]]
class = "ScriptTable"
instance = "0.0.10.0.106.255"
scripts = [
    [1, [[2, 70, "0.0.96.3.10.255", 1, { integer = 0 }]]],
    [2, [[2, 70, "0.0.96.3.10.255", 2, { integer = 0 }]]],
    [3, [[2, 7, "1.0.98.1.0.255", 2, { integer = 0 }], [2, 4, "1.0.1.6.0.255", 1, { integer = 0 }]]],
    [4, [[1, 6, "0.0.14.0.0.255", 4, { octet-string = "41" }]]],
    [5, [[1, 6, "0.0.14.0.0.255", 4, { octet-string = "42" }]]],
]

[[object]]
class = "Limiter"
instance = "0.0.17.0.0.255"
monitored_value = [3, "1.0.1.7.0.255", 2]
threshold_normal = 500
threshold_emergency = 50
min_over_threshold_duration = 300
min_under_threshold_duration = 120
emergency_profile = [7, "2024-03-01 14:00:00", 3600]
emergency_profile_group_id_list = [7]
actions = [["0.0.10.0.106.255", 1], ["0.0.10.0.106.255", 2]]

[[object]]
class = "ActivityCalendar"
instance = "0.0.13.0.0.255"
season_profile_active = [["S", "*-*-* *:*:*", "W"]]
week_profile_table_active = [["W", 1, 1, 1, 1, 1, 1, 1]]
day_profile_table_active = [[1, [["06:00:00", "0.0.10.0.106.255", 4], ["22:00:00", "0.0.10.0.106.255", 5]]]]

[[object]]
class = "SingleActionSchedule"
instance = "0.0.15.0.0.255"
executed_script = ["0.0.10.0.106.255", 3]
type = 1
execution_time = [["00:00:00", "*-*-*"]]

[[object]]
class = "Data"
instance = "1.0.0.1.0.255"

[[object]]
class = "ImageTransfer"
instance = "0.0.44.0.0.255"
image_block_size = 4

[[object]]
class = "Account"
instance = "0.0.19.0.0.255"
account_mode_and_status = [2, 2]
credit_reference_list = ["0.0.19.10.0.255"]
charge_reference_list = ["0.0.19.20.0.255", "0.0.19.20.1.255"]
currency = ["EUR", -2, 2]

[[object]]
class = "Credit"
instance = "0.0.19.10.0.255"
current_credit_amount = 300
warning_threshold = 100

[[object]]
class = "Charge"
instance = "0.0.19.20.0.255"
charge_type = 0
unit_charge_active = [[3, -3], [3, "1.0.1.8.0.255", 2], [["", 250]]]
period = 3600

[[object]]
class = "Charge"
instance = "0.0.19.20.1.255"
charge_type = 1
unit_charge_active = [[0, -2], [0, "0.0.0.0.0.0", 0], [["", 7]]]
period = 7200

[[payment]]
account = "0.0.19.0.0.255"

[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value", "1.0.1.8.1.255:value"]
period = 900
entries = 30

[[profile]]
instance = "1.0.99.2.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.7.0.255:value"]
period = 3600
entries = 6
order = "largest"
sort_by = "1.0.1.7.0.255:value"

[[profile]]
instance = "1.0.98.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.0.1.0.255:value", "1.0.1.6.0.255:value", "0.0.96.14.0.255:value"]
entries = 3
order = "newest-first"

[[billing]]
profile = "1.0.98.1.0.255"
counter = "1.0.0.1.0.255"
"""


class Dictionary:
    """A store that a process leaves behind."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.counters: CounterStore = MemoryCounterStore()

    def load(self) -> Mapping[str, bytes]:
        return dict(self.entries)

    def commit(self, changes: Mapping[str, bytes | None]) -> None:
        for name, octets in changes.items():
            if octets is None:
                self.entries.pop(name, None)
            else:
                self.entries[name] = octets

    def close(self) -> None:
        pass


def born(now: Now, store: Dictionary) -> Meter:
    meter = parse(METER, clock=now)
    meter.management._associations = ()
    meter.offer(AssociationDescription(client=1, rights=Rights(Access.MANAGE)))
    remember(meter, store)
    return meter


def act(method: MethodRef[Any, Any], argument: Any = Integer(0)) -> Callable[[Meter], object]:  # noqa: B008
    def step(meter: Meter) -> object:
        asked = MethodDescriptor(method.class_id, method.instance, method.index)
        visit = meter.management.visit(meter.management.associations[0])
        return members.run(visit, asked, method.argument.encode(argument))

    return step


def put(reference: AttributeRef[Any], value: Any) -> Callable[[Meter], object]:
    def step(meter: Meter) -> object:
        asked = AttributeDescriptor(reference.class_id, reference.instance, reference.index)
        visit = meter.management.visit(meter.management.associations[0])
        return members.write(visit, asked, None, reference.encode(value))

    return step


def set_clock(seconds: int) -> Callable[[Meter], object]:
    return lambda meter: put(Clock().time, DateTime.from_datetime(meter.time() + timedelta(seconds=seconds)))(meter)


IMAGE, CREDIT = ImageTransfer(), Credit("0.0.19.10.0.255")
STEPS: Mapping[str, Callable[[Meter], object]] = {
    "look": lambda meter: meter.settle(),
    "keep": lambda meter: meter.keep(),
    "tariff 2": put(Data("0.0.96.14.0.255").value, Unsigned(2)),
    "tariff 1": put(Data("0.0.96.14.0.255").value, Unsigned(1)),
    "mask A": put(RegisterActivation("0.0.14.0.0.255").active_mask, b"A"),
    "mask B": put(RegisterActivation("0.0.14.0.0.255").active_mask, b"B"),
    "reset energy": act(Register("1.0.1.8.0.255").reset),
    "reset maximum": act(ExtendedRegister("1.0.1.6.0.255").reset),
    "next period": act(DemandRegister("1.0.1.4.0.255").next_period),
    "bill": act(ProfileGeneric("1.0.98.1.0.255").capture),
    "empty": act(ProfileGeneric("1.0.99.1.0.255").reset),
    "open": act(DisconnectControl().remote_disconnect),
    "close": act(DisconnectControl().remote_reconnect),
    "pay": act(CREDIT.update_amount, 100),
    "image a": act(IMAGE.image_transfer_initiate, ImageTransferInitiate(b"a", 10)),
    "image b": act(IMAGE.image_transfer_initiate, ImageTransferInitiate(b"b", 9)),
    "block 0": act(IMAGE.image_block_transfer, ImageBlock(0, b"0123")),
    "block 0 again": act(IMAGE.image_block_transfer, ImageBlock(0, b"4567")),
    "block 1": act(IMAGE.image_block_transfer, ImageBlock(1, b"89ab")),
    "verify": act(IMAGE.image_verify),
    "shift": act(Clock().shift_time, 30),
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
    now, store = Now(BEGIN), Dictionary()
    steady, restarted = born(now, Dictionary()), born(now, store)
    for name, wait, dies_before, dies_after in life:
        if dies_before:
            restarted = born(now, store)
        now.later(seconds=wait)
        if dies_after:
            restarted = born(now, store)
        assert [repr(STEPS[name](meter)) for meter in (restarted,)] == [repr(STEPS[name](steady))]
    for meter in (restarted, steady):
        meter.power.up()
        meter.keep()
    assert everything(restarted) == everything(steady)
    assert everything(born(now, store)) == everything(steady)
