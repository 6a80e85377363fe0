"""Profiles with their columns: by range, where the meter refuses ranges, and as arrays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cosem import AsyncClient, Meter, Obis, ProfileGeneric, Register, Unit
from cosem.client.profile import Way
from cosem.errors import ShapeError
from cosem.meter import AssociationDescription, serving
from cosem.meter.behaviour import profile_generic
from cosem.meter.item import Refusal
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES
from cosem.protocol.model.classes.data_storage import SortMethod
from cosem.protocol.model.selection import CaptureObject, RangeSelection
from cosem.protocol.values.data import Array, DoubleLongUnsigned, Enumerated
from cosem.readings.fill import moment_of
from cosem.readings.profile import ProfileRows

CLOCK = Obis("0.0.1.0.0.255")
ENERGY = Register("1.0.1.8.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
ROWS: list[tuple[Any, ...]] = [
    (MIDNIGHT + timedelta(minutes=15 * number), DoubleLongUnsigned(1000 + number)) for number in range(96)
]


def described(rows: list[tuple[Any, ...]] = ROWS, **also: Any) -> Meter:
    meter = Meter("KFM1020012345678", clock=lambda: MIDNIGHT + timedelta(days=1))
    meter.add(ENERGY, value=5, scaler_unit=(-1, Unit.WATT_HOUR))
    meter.add(
        PROFILE,
        capture_objects=[CaptureObject(8, CLOCK, 2), CaptureObject(3, ENERGY.instance, 2)],
        capture_period=900,
        buffer=rows,
        **also,
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
    assert [row[1] for row in whole.between(since, since)] == [1004]


def test_a_meter_without_selective_access_is_read_whole_and_cut_here() -> None:
    meter = described()
    granted = IMPLEMENTED_LOGICAL_NAME_SERVICES & ~Conformance.SELECTIVE_ACCESS
    meter.offer(AssociationDescription(client=16, conformance=granted))
    found = read(meter, lambda client: client.profile(PROFILE, since=MIDNIGHT + timedelta(hours=23)))
    assert [row[1] for row in found] == [1092, 1093, 1094, 1095]


LAST_HOUR = {"since": MIDNIGHT + timedelta(hours=23), "until": MIDNIGHT + timedelta(hours=23, minutes=30)}


def refused(*_: object) -> Any:
    raise Refusal(DataAccessResult.TYPE_UNMATCHED)


def test_a_meter_that_wants_whole_hours_is_asked_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some meters refuse ends that are not on the hour, others answer nothing to them."""
    by_range, asked = profile_generic._by_range, list[int]()
    for nothing in (False, True):

        def on_the_hour(profile: Any, visit: Any, selection: RangeSelection, nothing: bool = nothing) -> Any:
            ends = [moment_of(end) for end in (selection.start, selection.end)]
            asked.append(len(ends))
            if all(end is not None and end.minute == 0 for end in ends):
                return by_range(profile, visit, selection)
            return Array() if nothing else refused()

        monkeypatch.setattr(profile_generic, "_by_range", on_the_hour)
        since = MIDNIGHT + timedelta(hours=22, minutes=20)

        async def twice(client: AsyncClient, since: datetime = since) -> ProfileRows:
            await client.profile(PROFILE, since=since, until=MIDNIGHT + timedelta(hours=22, minutes=50))
            assert client.ways == {PROFILE.instance: Way.ALIGNED_RANGE}
            asked.clear()
            return await client.profile(PROFILE, since=since, until=MIDNIGHT + timedelta(hours=22, minutes=50))

        found = read(described(), twice)
        assert [row[1] for row in found] == [1090, 1091]
        assert len(asked) == 1  # what worked is asked for at once


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (LAST_HOUR, [1092, 1093, 1094]),
        ({"since": MIDNIGHT + timedelta(hours=23, minutes=20)}, [1094, 1095]),
        ({"until": MIDNIGHT + timedelta(minutes=15)}, [1000, 1001]),
        ({"since": MIDNIGHT + timedelta(days=1)}, []),
        ({"until": MIDNIGHT - timedelta(days=1)}, []),
    ],
)
def test_entries_are_searched_for_where_ranges_are_refused(
    monkeypatch: pytest.MonkeyPatch, newest_first: bool, selection: Any, expected: list[int]
) -> None:
    monkeypatch.setattr(profile_generic, "_by_range", refused)
    by_entry, given = profile_generic._by_entry, list[int]()

    def counted(*arguments: Any) -> Any:
        rows: Any = by_entry(*arguments)
        given.append(len(rows))
        return rows

    monkeypatch.setattr(profile_generic, "_by_entry", counted)
    meter = described()
    if newest_first:
        meter = described(sort_method=SortMethod.LAST_IN_FIRST_OUT)
    found = read(meter, lambda client: client.profile(PROFILE, **selection))
    assert sorted(row[1] for row in found) == expected
    assert sum(given) < 40  # 96 rows are there
    assert given[-1] == len(expected) + 2 or not expected or "since" not in selection or "until" not in selection


def test_the_whole_buffer_is_left_where_nothing_selects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_generic, "_by_range", refused)
    monkeypatch.setattr(profile_generic, "_by_entry", refused)

    async def asked(client: AsyncClient) -> ProfileRows:
        found = await client.profile(PROFILE, **LAST_HOUR)
        assert client.ways == {PROFILE.instance: Way.WHOLE}
        return found

    assert [row[1] for row in read(described(), asked)] == [1092, 1093, 1094]


def test_a_buffer_sorted_by_value_is_not_searched_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile_generic, "_by_range", refused)
    monkeypatch.setattr(profile_generic, "_by_entry", lambda *_: pytest.fail("searched"))
    meter = described()
    item = meter.management.find(PROFILE.instance)
    assert item is not None
    item.values[PROFILE.sort_method.index] = Enumerated(SortMethod.LARGEST)
    found = read(meter, lambda client: client.profile(PROFILE, **LAST_HOUR))
    assert sorted(row[1] for row in found) == [1092, 1093, 1094]


def test_only_some_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    energy = CaptureObject(3, ENERGY.instance, 2)
    for _ in range(2):
        found = read(
            described(), lambda client: client.profile(PROFILE, columns=[CaptureObject(8, CLOCK, 2)], **LAST_HOUR)
        )
        assert [column.is_time for column in found.columns] == [True]
        assert {len(row) for row in found} == {1}
        assert len(found) == 3
        monkeypatch.setattr(profile_generic, "_by_range", refused)  # then the columns are left out here
    both = read(described(), lambda client: client.profile(PROFILE, columns=[energy], **LAST_HOUR))
    assert [row[1] for row in both] == [1092, 1093, 1094]  # the clock comes along
    with pytest.raises(ShapeError, match=r"no column 3/1\.0\.2\.8\.0\.255/2"):
        read(described(), lambda client: client.profile(PROFILE, columns=[CaptureObject(3, Obis("1.0.2.8.0.255"), 2)]))


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
