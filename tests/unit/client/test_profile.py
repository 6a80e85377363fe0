"""Profiles with their columns: by range, where the meter refuses ranges, and as arrays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cosem import AsyncClient, Meter, Obis, ProfileGeneric, Register, Unit
from cosem.client.profile import ProfileRows, between
from cosem.meter import AssociationDescription, serving
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import DoubleLongUnsigned

ENERGY = Register("1.0.1.8.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
ROWS: list[tuple[Any, ...]] = [
    (MIDNIGHT + timedelta(minutes=15 * number), DoubleLongUnsigned(1000 + number)) for number in range(96)
]


def described(rows: list[tuple[Any, ...]] = ROWS) -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: MIDNIGHT + timedelta(days=1))
    meter.add(ENERGY, value=5, scaler_unit=(-1, Unit.WATT_HOUR))
    meter.add(
        PROFILE,
        capture_objects=[CaptureObject(8, Obis("0.0.1.0.0.255"), 2), CaptureObject(3, ENERGY.instance, 2)],
        capture_period=900,
        buffer=rows,
    )
    return meter


def read(meter: Meter, ask: Callable[[AsyncClient], Awaitable[ProfileRows]]) -> ProfileRows:
    async def run() -> ProfileRows:
        async with serving(meter, "tcp://127.0.0.1:0") as server, AsyncClient.open(str(server.url)) as client:
            return await ask(client)

    return asyncio.run(run())


def test_all_rows_with_columns_scaler_and_unit() -> None:
    found = read(described(), lambda client: client.profile(PROFILE))
    assert len(found) == 96
    assert [column.is_time for column in found.columns] == [True, False]
    assert found.capture_period == 900
    readings = found.readings("KFM1020012345678")
    assert (readings[0].time, readings[0].value, readings[0].unit) == (MIDNIGHT, Decimal("100.0"), Unit.WATT_HOUR)


@pytest.mark.parametrize("naive", [False, True])
def test_a_range_includes_both_ends(naive: bool) -> None:
    since, until = MIDNIGHT + timedelta(hours=1), MIDNIGHT + timedelta(hours=2)
    if naive:
        since, until = since.replace(tzinfo=None), until.replace(tzinfo=None)
    found = read(described(), lambda client: client.profile(PROFILE, since=since, until=until))
    assert [row[1] for row in found] == [1004, 1005, 1006, 1007, 1008]


def test_an_open_end() -> None:
    found = read(described(), lambda client: client.profile(PROFILE, since=MIDNIGHT + timedelta(hours=23)))
    assert [row[1] for row in found] == [1092, 1093, 1094, 1095]


def test_rows_that_a_meter_sends_beyond_the_range_are_left_out() -> None:
    since = MIDNIGHT + timedelta(hours=1)
    whole = read(described(), lambda client: client.profile(PROFILE))
    assert [row[1] for row in between(whole, since, since)] == [1004]


def test_a_meter_without_selective_access_is_read_whole_and_cut_here() -> None:
    meter = described()
    granted = IMPLEMENTED_LOGICAL_NAME_SERVICES & ~Conformance.SELECTIVE_ACCESS
    meter.offer(AssociationDescription(client=16, conformance=granted))
    found = read(meter, lambda client: client.profile(PROFILE, since=MIDNIGHT + timedelta(hours=23)))
    assert [row[1] for row in found] == [1092, 1093, 1094, 1095]


def test_null_times_count_on_from_the_row_before() -> None:
    rows: list[tuple[Any, ...]] = [ROWS[0], *((None, row[1]) for row in ROWS[1:5])]
    found = read(described(rows), lambda client: client.profile(PROFILE))
    times = [reading.time for reading in found.readings("a meter")]
    assert times == [MIDNIGHT + timedelta(minutes=15 * number) for number in range(5)]


def test_columns_as_arrays() -> None:
    found = read(described(), lambda client: client.profile(PROFILE))
    energy = found.arrays()["3/1.0.1.8.0.255/2"]
    assert energy.dtype == "uint32"
    assert energy.sum() == sum(range(1000, 1096))
    assert found.table().num_rows == 96


def test_columns_of_a_part() -> None:
    found = read(described(), lambda client: client.profile(PROFILE, since=MIDNIGHT + timedelta(hours=23)))
    assert list(found.arrays()["3/1.0.1.8.0.255/2"]) == [1092, 1093, 1094, 1095]


def test_no_rows_at_all() -> None:
    found = read(described(), lambda client: client.profile(PROFILE, since=MIDNIGHT + timedelta(days=30)))
    assert len(found) == 0
    assert found.readings("a meter") == []
    assert found.arrays() == {}
