"""What is measured is written by nobody, by whatever names and protocol; calibration mode behind cover and seal."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from behaving import NOON, Now
from cosem import AsyncClient
from cosem.client.iec21 import AsyncLocalClient
from cosem.errors import ActionError, CommandRefused, ConfigurationError, DataAccessError
from cosem.meter import Meter, members, serving
from cosem.meter.describe import parse
from cosem.meter.metrology import Calibration, Metrology
from cosem.protocol.apdu.action import ActionResult, MethodDescriptor
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import Data
from cosem.protocol.values.data import DoubleLongUnsigned, Integer, LongUnsigned, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from described import ENERGY, HOUSEHOLD, LOG, MODE, PROFILE, head, log, profile, thing

RATIO = Data("1.0.0.4.2.255")
LIMIT = Data("0.0.96.1.1.255")
COUNTER = Data("0.0.128.0.1.255")
WRITE_ENERGY = AttributeDescriptor(3, ENERGY.instance, 2)
RESET = MethodDescriptor(3, ENERGY.instance, 1)

METER = (
    head("UTC")
    + HOUSEHOLD
    + thing("Register", "1.0.1.8.0.255")
    + thing("Data", "1.0.0.4.2.255", "value = { long-unsigned = 200 }", 'writable = ["value"]')
    + thing("Data", "0.0.96.1.1.255", "value = { unsigned = 5 }", 'writable = ["value"]')
    + thing("Data", "0.0.128.0.0.255")
    + thing("Data", "0.0.128.0.1.255")
    + profile("1.0.99.1.0.255", "1.0.1.8.0.255:value", lines=("period = 900",))
    + log(
        "entries = 50",
        cover_opened=44,
        cover_closed=45,
        seal_broken=46,
        calibration_begun=101,
        calibration_ended=102,
        metrology_refused=103,
    )
    + """
[[association]]
client = 1
access = "manage"
auth = "low"
password = "12345678"
naming = "ln+sn"

[[association]]
client = 2
access = "read"

[[metrology]]
mode = "0.0.128.0.0.255"
counter = "0.0.128.0.1.255"
seconds = 600
"""
)


@pytest.fixture(autouse=True)
def _in_clear() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def described(now: Now | None = None, text: str = METER) -> Meter:
    return parse(text, clock=now or Now())


def metrology(meter: Meter) -> Metrology:
    found = meter.management.metrology
    assert found is not None
    return found


def visit(meter: Meter, client: int = 1) -> Any:
    return meter.management.visit(meter.management.association(client))


def write(meter: Meter, reference: Any, value: Any, client: int = 1) -> DataAccessResult:
    descriptor = AttributeDescriptor(reference.class_id, reference.instance, reference.index)
    return members.write(visit(meter, client), descriptor, None, value)


def codes(meter: Meter) -> list[int]:
    return [int(row[1]) for row in meter.value(LOG.buffer)]


def opened(meter: Meter) -> Metrology:
    found = metrology(meter)
    found.cover(off=True)
    found.seal(broken=True)
    return found


def calibrating(meter: Meter) -> Metrology:
    found = opened(meter)
    assert write(meter, MODE.value, Unsigned(1)) is DataAccessResult.SUCCESS
    return found


# -- what nobody may --------------------------------------------------------------------------------------------------

EVERY = [
    (ENERGY.value, DoubleLongUnsigned(1)),
    (RATIO.value, LongUnsigned(100)),  # which its description opens, and metrology does not
]


@pytest.mark.parametrize(("reference", "value"), EVERY)
def test_what_is_measured_is_not_written(reference: Any, value: Any) -> None:
    meter = described()
    before = meter.value(reference)
    assert write(meter, reference, value) is DataAccessResult.READ_WRITE_DENIED
    assert meter.value(reference) == before
    assert codes(meter) == [103]
    assert write(meter, LIMIT.value, Unsigned(9)) is DataAccessResult.SUCCESS


@pytest.mark.parametrize("method", [RESET, MethodDescriptor(7, PROFILE.instance, 1)])
def test_nor_is_it_reset(method: MethodDescriptor) -> None:
    now = Now()
    meter = described(now)
    now.later(hours=1)
    rows = len(meter.value(PROFILE.buffer))
    assert members.run(visit(meter), method, Integer(0)).result is ActionResult.READ_WRITE_DENIED
    assert len(meter.value(PROFILE.buffer)) == rows
    assert codes(meter) == [103]


def test_who_only_reads_leaves_no_event() -> None:
    meter = described()
    assert write(meter, ENERGY.value, DoubleLongUnsigned(1), client=2) is DataAccessResult.READ_WRITE_DENIED
    assert codes(meter) == []


@pytest.mark.parametrize("naming", ["ln", "sn"])
def test_by_no_names_and_by_no_protocol(naming: str) -> None:
    async def run() -> None:
        meter = described()
        async with (
            serving(meter, "tcp://127.0.0.1:0") as server,
            serving(meter, "iec21+tcp://127.0.0.1:0") as local,
        ):
            url = f"tcp://{server.url.place}?client=1"
            async with AsyncClient.open(url, password="12345678", naming=naming) as client:
                with pytest.raises(DataAccessError):
                    await client.set(RATIO.value, LongUnsigned(100))
                with pytest.raises((ActionError, DataAccessError)):
                    await client.act(ENERGY.reset, Integer(0))
                await client.set(LIMIT.value, Unsigned(7))
            place = f"iec21+tcp://{local.url.place}"
            async with AsyncLocalClient.open(place, password=Secret(b"12345678")) as reader:
                with pytest.raises(CommandRefused, match="ER03"):  # read-write denied
                    await reader.write("1-0:0.4.2", "100")
                await reader.write("0-0:96.1.1", "8")
        assert meter.value(RATIO.value) == 200
        assert meter.value(LIMIT.value) == 8
        # by short names there is no method to be refused, since the meter alone runs it
        assert codes(meter) == [103] * (3 if naming == "ln" else 2)

    asyncio.run(run())


# -- calibration mode -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("off", "broken", "begins"), [(True, True, True), (True, False, False), (False, True, False)])
def test_calibration_mode_wants_both_cover_and_seal(off: bool, broken: bool, begins: bool) -> None:
    meter = described()
    metrology(meter).cover(off=off)
    metrology(meter).seal(broken=broken)
    wanted = DataAccessResult.SUCCESS if begins else DataAccessResult.READ_WRITE_DENIED
    assert write(meter, MODE.value, Unsigned(1)) is wanted
    assert (meter.value(MODE.value), meter.value(COUNTER.value)) == (begins, begins)
    assert codes(meter)[-1] == (101 if begins else 103)


def test_a_register_is_set_and_counts_on_from_there() -> None:
    now = Now()
    meter = described(now)
    before = meter.value(ENERGY.value)
    calibrating(meter)
    assert write(meter, ENERGY.value, DoubleLongUnsigned(1000)) is DataAccessResult.SUCCESS
    assert write(meter, RATIO.value, LongUnsigned(100)) is DataAccessResult.SUCCESS
    assert (meter.value(ENERGY.value), meter.value(RATIO.value)) == (1000, 100)
    now.later(days=1)
    unlike = described(now)
    assert meter.value(ENERGY.value) - 1000 == unlike.value(ENERGY.value) - before


@pytest.mark.parametrize("off", [True, False])
def test_calibration_in_programming_mode_of_the_local_port(off: bool) -> None:
    async def run() -> None:
        meter = described()
        metrology(meter).cover(off=off)
        metrology(meter).seal(broken=True)
        async with serving(meter, "iec21+tcp://127.0.0.1:0") as local:
            place = f"iec21+tcp://{local.url.place}"
            async with AsyncLocalClient.open(place, password=Secret(b"12345678")) as reader:
                if off:
                    await reader.write("0-0:128.0.0", "1")
                    await reader.write("1-0:0.4.2", "100")
                    assert (meter.value(MODE.value), meter.value(RATIO.value)) == (1, 100)
                    assert codes(meter)[-1] == 101
                    metrology(meter).cover(off=False)
                else:
                    with pytest.raises(CommandRefused, match="ER03"):
                        await reader.write("0-0:128.0.0", "1")
                value = meter.value(RATIO.value)
                with pytest.raises(CommandRefused, match="ER03"):
                    await reader.write("1-0:0.4.2", "150")
        assert (meter.value(MODE.value), meter.value(RATIO.value)) == (0, value)
        assert codes(meter)[-1] == 103

    asyncio.run(run())


def test_a_register_is_reset() -> None:
    meter = described()
    calibrating(meter)
    assert members.run(visit(meter), RESET, Integer(0)).result is ActionResult.SUCCESS
    assert meter.value(ENERGY.value) == 0


def test_who_does_not_manage_calibrates_nothing() -> None:
    meter = described()
    calibrating(meter)
    assert write(meter, ENERGY.value, DoubleLongUnsigned(1), client=2) is DataAccessResult.READ_WRITE_DENIED


@pytest.mark.parametrize("value", [Unsigned(2), LongUnsigned(1), None])
def test_the_mode_is_on_or_off(value: Any) -> None:
    meter = described()
    opened(meter)
    assert write(meter, MODE.value, value) is DataAccessResult.TYPE_UNMATCHED


@pytest.mark.parametrize("value", [None, True])
def test_what_a_register_cannot_hold(value: Any) -> None:
    meter = described()
    calibrating(meter)
    assert write(meter, ENERGY.value, value) is DataAccessResult.TYPE_UNMATCHED


ENDS = {
    "it is switched off": lambda meter: write(meter, MODE.value, Unsigned(0)),
    "the cover is put on": lambda meter: metrology(meter).cover(off=False),
    "there is a new seal": lambda meter: metrology(meter).seal(broken=False),
}


@pytest.mark.parametrize("how", ENDS)
def test_it_ends(how: str) -> None:
    meter = described()
    calibrating(meter)
    ENDS[how](meter)
    assert meter.value(MODE.value) == 0
    assert codes(meter)[-1] == 102
    assert write(meter, ENERGY.value, DoubleLongUnsigned(1)) is DataAccessResult.READ_WRITE_DENIED


@pytest.mark.parametrize(("seconds", "on"), [(599, True), (600, False), (601, False)])
def test_it_ends_by_itself(seconds: int, on: bool) -> None:
    now = Now()
    meter = described(now)
    calibrating(meter)
    now.later(seconds=seconds)
    assert meter.value(MODE.value) == on
    wanted = DataAccessResult.SUCCESS if on else DataAccessResult.READ_WRITE_DENIED
    assert write(meter, ENERGY.value, DoubleLongUnsigned(1)) is wanted
    assert codes(meter) == [44, 46, 101] + ([] if on else [102, 103])
    if not on:
        times = [DateTime.from_octets(bytes(row[0])).to_datetime() for row in meter.value(LOG.buffer)]
        assert times[3] - NOON == timedelta(seconds=600)


def test_it_goes_on_while_it_is_asked_for_and_is_counted_once() -> None:
    now = Now()
    meter = described(now)
    calibrating(meter)
    now.later(seconds=500)
    assert write(meter, MODE.value, Unsigned(1)) is DataAccessResult.SUCCESS
    now.later(seconds=500)
    assert (meter.value(MODE.value), meter.value(COUNTER.value)) == (1, 1)
    assert codes(meter).count(101) == 1


def test_the_switches_are_described() -> None:
    meter = described(text=METER + 'cover = "off"\nseal = "broken"\n')
    assert metrology(meter).calibration == Calibration(cover_off=True, seal_broken=True)
    assert write(meter, MODE.value, Unsigned(1)) is DataAccessResult.SUCCESS


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ('mode = "0.0.128.0.9.255"', "there is no such Data object"),
        ('mode = "1.0.1.8.0.255"', "there is no such Data object"),
        ('mode = "0.0.128.0.0.255"\ncounter = "0.0.128.0.9.255"', "there is no such Data object"),
        ('mode = "0.0.128.0.0.255"\ncover = "away"', "cover"),
    ],
)
def test_what_cannot_be_guarded(table: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        described(text=METER.partition("[[metrology]]")[0] + f"[[metrology]]\n{table}\n")


@pytest.mark.parametrize(
    ("code", "class_id", "guarded"),
    [
        ("1.0.1.8.0.255", 3, True),
        ("1.0.1.6.0.255", 4, True),
        ("1.0.1.4.0.255", 5, True),
        ("7.0.3.0.0.255", 3, True),
        ("8.0.1.0.0.255", 3, True),
        ("1.0.99.1.0.255", 7, True),
        ("1.0.98.1.0.255", 7, True),
        ("1.0.0.4.2.255", 1, True),
        ("1.0.0.2.8.255", 1, True),
        ("1.0.0.1.0.255", 1, True),
        ("0.0.99.98.0.255", 7, False),
        ("0.0.96.1.0.255", 1, False),
        ("0.0.1.0.0.255", 8, False),
        ("0.0.96.3.10.255", 70, False),
        ("0.1.24.2.1.255", 4, False),
    ],
)
def test_what_is_guarded(code: str, class_id: int, guarded: bool) -> None:
    from cosem.meter.item import Item
    from cosem.protocol.model.declare import object_for

    assert Metrology(MODE.instance).guards(Item(object_for(class_id, 0, Obis(code)))) is guarded
