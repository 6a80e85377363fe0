"""A day of a region outage in a fleet that is like a described meter and like one of which there is a snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosem.fleet.compare import compare
from cosem.fleet.ledger import create
from cosem.fleet.models import Cloned, Described
from cosem.fleet.population import Group
from cosem.fleet.truth import measured
from cosem.protocol.values.data import Array, DoubleLongUnsigned, LongUnsigned, OctetString, Structure, Unsigned
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.store import snapshot as snapshots
from cosem.store.snapshot import Cell, RecordedDevice, RecordedObject, Snapshot
from simulation.test_fleet import COUNT, DARK, ENERGY, HOUR, MIDNIGHT, PROFILE, QUARTER, Backfilled, Day

DESCRIPTION = """
[meter]
name = "ELG0000012345678"
[load]
kind = "household"
[[object]]
class = "Register"
instance = "1.0.1.8.0.255"
[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]
period = 900
entries = 960
"""


def column(class_id: int, instance: Obis) -> Structure:
    return Structure((LongUnsigned(class_id), OctetString(instance.octets), Unsigned(2), LongUnsigned(0)))


STOOD = 4711
ROW = Structure((OctetString(DateTime.from_datetime(MIDNIGHT + HOUR).octets), DoubleLongUnsigned(STOOD)))
COLUMNS = (column(8, Obis("0.0.1.0.0.255")), column(3, ENERGY.instance))
SNAPSHOT = Snapshot(
    "2026-03-01T00:00:00Z",
    (
        RecordedDevice(
            1,
            b"ISK1",
            None,
            (),
            (
                RecordedObject(3, 0, ENERGY.instance, {2: Cell(DoubleLongUnsigned(STOOD))}),
                RecordedObject(
                    7,
                    1,
                    PROFILE.instance,
                    {2: Cell(Array((ROW,))), 3: Cell(Array(COLUMNS)), 4: Cell(DoubleLongUnsigned(900))},
                ),
            ),
        ),
    ),
)


@pytest.fixture
def groups(tmp_path: Path) -> tuple[Group, ...]:
    """Eight described meters, of which four are in the dark region, and four that a snapshot is of."""
    (tmp_path / "meter.toml").write_text(DESCRIPTION)
    snapshots.write(tmp_path / "meter.json", SNAPSHOT)
    return (
        Group(count=DARK.stop, model=Described(tmp_path / "meter.toml")),
        Group(count=COUNT - DARK.stop, model=Cloned(tmp_path / "meter.json")),
    )


def test_the_day_replays_identically_by_seed(groups: tuple[Group, ...]) -> None:
    first, again, other = Day(7, groups).lived(), Day(7, groups).lived(), Day(8, groups).lived()
    assert (first.said, first.answered, first.missed) == (again.said, again.answered, again.missed)
    assert first.world.trace_hash == again.world.trace_hash != other.world.trace_hash
    assert {number for _, number in first.missed} == set(DARK)
    stood = {each.value for each in first.answered if first.population.number(each.meter) in range(DARK.stop, COUNT)}
    assert f"06{STOOD:08x}" in stood
    # The ones are remembered from the first visit on, the others only as long as there is room.
    assert (first.population.changed, first.population.ready) == (DARK.stop, 3)


def test_a_head_end_that_stored_all_agrees_with_the_ledger(groups: tuple[Group, ...], tmp_path: Path) -> None:
    day = Backfilled(7, groups)
    day.lived()
    with create(tmp_path / "ledger.sqlite") as ledger:
        for each in (*day.answered, *measured(day.population, range(COUNT), MIDNIGHT, MIDNIGHT + 24 * HOUR)):
            ledger.record(each)
        verdicts = {each.meter: each for each in compare(ledger, day.stored.__getitem__, day.stored, day.signals)}
    rows = [84 if number in DARK else 96 if number < DARK.stop else 1 for number in range(COUNT)]
    for number, count in enumerate(rows):
        name = day.population.name(number)
        assert verdicts[name].clean
        assert verdicts[name].right == count
    dark = [each.time - MIDNIGHT for each in day.stored[day.population.name(DARK.start)]]
    assert 8 * HOUR in dark
    assert not [at for at in dark if 8 * HOUR < at < 11 * HOUR + QUARTER]
