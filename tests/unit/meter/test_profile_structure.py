"""Profiles whose columns, period and size a client may choose: the buffer begins anew, and captures what was chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from behaving import Now, write
from cosem.errors import ConfigurationError
from cosem.meter import RECOMPUTED, Meter
from cosem.meter.behaviour import profile_generic
from cosem.meter.describe import parse
from cosem.meter.rights import Access, Rights, Rule
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model import CaptureObject, Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.values.obis import Obis, ObisPattern
from described import ENERGY, HEAD, MANAGING, NOON, Failing, Life, done, put, thing

PROFILE = ProfileGeneric("1.0.99.1.0.255")
TIME = CaptureObject(8, Clock().instance, 2, 0)
COUNT = Register("1.0.2.8.0.255")
BOTH = (TIME, CaptureObject(3, COUNT.instance, 2, 0))
DEFINABLE = (
    thing("Register", str(ENERGY.instance), "value = 5", 'scaler_unit = [0, "Wh"]')
    + thing("Register", str(COUNT.instance), "value = 7", 'scaler_unit = [0, "Wh"]')
    + f"""
[[profile]]
instance = "{PROFILE.instance}"
columns = ["0.0.1.0.0.255:time", "{ENERGY.instance}:value"]
period = 900
entries = 10
past = true
writable = ["capture_objects", "capture_period", "profile_entries"]
"""
)


@pytest.fixture
def now() -> Now:
    return Now(NOON)


def made(now: Now) -> Meter:
    meter = parse(HEAD + DEFINABLE, clock=now)
    meter.offer(MANAGING)
    return meter


def rows(meter: Meter) -> list[tuple[Any, ...]]:
    return [tuple(row)[1:] for row in meter.value(PROFILE.buffer)]


def test_what_a_client_chooses_is_captured_from_then_on(now: Now) -> None:
    meter = made(now)
    assert rows(meter) == [(5,)] * 10
    done(put(meter, PROFILE.capture_objects, BOTH))
    assert (rows(meter), meter.value(PROFILE.entries_in_use)) == ([], 0)
    now.later(hours=1)
    assert rows(meter) == [(7,)] * 4
    done(put(meter, PROFILE.capture_objects, BOTH))  # nothing else than there is
    assert rows(meter) == [(7,)] * 4
    done(put(meter, PROFILE.capture_period, 300))
    now.later(minutes=10)
    assert rows(meter) == [(7,)] * 2
    done(put(meter, PROFILE.profile_entries, 3))
    now.later(hours=1)
    assert rows(meter) == [(7,)] * 3
    done(put(meter, PROFILE.capture_period, 0))
    now.later(hours=1)
    assert rows(meter) == []


def test_a_companion_has_a_profile_that_clients_define(now: Now) -> None:
    meter = parse('[meter]\nname = "KFM1020012345678"\ncompanion = "dsmr-4.2.2"\n', clock=now)
    definable = ProfileGeneric("0.1.94.31.6.255")
    write(meter, definable.capture_objects, (TIME, CaptureObject(3, Obis("1.0.1.8.1.255"), 2, 0)))
    write(meter, definable.capture_period, 300)
    now.later(hours=1)
    captured = meter.value(definable.buffer)
    assert [len(row) for row in captured] == [2] * 12


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (CaptureObject(3, Obis("1.0.3.8.0.255"), 2, 0), DataAccessResult.OBJECT_UNDEFINED),
        (CaptureObject(4, COUNT.instance, 2, 0), DataAccessResult.OBJECT_UNDEFINED),
        (CaptureObject(3, COUNT.instance, 4, 0), DataAccessResult.OBJECT_UNAVAILABLE),
        (CaptureObject(7, PROFILE.instance, 2, 0), DataAccessResult.OBJECT_UNAVAILABLE),
    ],
)
def test_what_nobody_could_capture_is_refused(now: Now, column: CaptureObject, why: DataAccessResult) -> None:
    meter = made(now)
    before = meter.value(PROFILE.capture_objects)
    assert put(meter, PROFILE.capture_objects, (TIME, column)) is why
    assert meter.value(PROFILE.capture_objects) == before
    assert rows(meter) == [(5,)] * 10


def test_nobody_captures_what_he_may_not_read(now: Now) -> None:
    meter = parse(HEAD + DEFINABLE, clock=now)
    hidden = Rule(ObisPattern(str(COUNT.instance)), AttributeAccess.NONE)
    meter.offer(replace(MANAGING, rights=Rights(Access.MANAGE, (hidden,))))
    assert put(meter, PROFILE.capture_objects, BOTH) is DataAccessResult.READ_WRITE_DENIED


def test_a_profile_has_so_many_columns_and_rows_of_so_many_octets(now: Now) -> None:
    meter = made(now)
    most = profile_generic.MOST_COLUMNS
    done(put(meter, PROFILE.capture_objects, (TIME,) * most))
    assert put(meter, PROFILE.capture_objects, (TIME,) * (most + 1)) is DataAccessResult.OTHER_REASON
    # A row of one text: tag and count of the structure, then tag, three of length and the text.
    for octets, result in ((0, DataAccessResult.SUCCESS), (1, DataAccessResult.OTHER_REASON)):
        text = Data(f"0.0.96.1.{octets}.255")
        meter.add(text, value=b"x" * (profile_generic.MOST_ROW - 6 + octets))
        assert put(meter, PROFILE.capture_objects, (CaptureObject(1, text.instance, 2, 0),)) is result


def test_a_client_gets_so_many_entries_and_no_more(now: Now) -> None:
    meter, most = made(now), profile_generic.MOST_ENTRIES
    for wanted, got in ((most, most), (most + 1, most), (11, 11)):
        done(put(meter, PROFILE.profile_entries, wanted))
        assert meter.value(PROFILE.profile_entries) == got
    assert put(meter, PROFILE.profile_entries, 0) is DataAccessResult.TYPE_UNMATCHED


def test_rows_that_are_computed_have_one_structure(now: Now) -> None:
    meter = Meter("KFM1", clock=now)
    meter.add(ENERGY, value=5)
    values = {"capture_objects": (Clock().time, ENERGY.value), "capture_period": 900, "buffer": RECOMPUTED}
    meter.add(PROFILE, writable=("capture_period",), **values)
    meter.offer(MANAGING)
    assert put(meter, PROFILE.capture_period, 300) is DataAccessResult.READ_WRITE_DENIED
    assert meter.value(PROFILE.capture_period) == 900
    with pytest.raises(ConfigurationError, match="nobody can write sort_method"):
        meter.add(ProfileGeneric("1.0.99.2.0.255"), writable=("sort_method",))


def test_a_restart_finds_what_was_chosen_and_what_cannot_be_kept_is_undone(life: Life) -> None:
    life.text = DEFINABLE
    meter = life.begin()
    done(put(meter, PROFILE.capture_objects, BOTH))
    done(put(meter, PROFILE.profile_entries, 20))
    life.now.later(hours=4)
    assert rows(meter) == [(7,)] * 16
    meter.keep()
    again = life.again(minutes=15)
    assert rows(again) == [(7,)] * 17
    failing = Failing(life)
    for reference, value in ((PROFILE.capture_objects, (TIME,)), (PROFILE.profile_entries, 2)):
        assert put(again, reference, value) is DataAccessResult.HARDWARE_FAULT
        assert rows(again) == [(7,)] * 17
    failing.end()
    life.now.later(minutes=15)
    assert rows(again) == [(7,)] * 18
    assert rows(life.again()) == [(7,)] * 18
