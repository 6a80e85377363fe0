"""Household meters: the same for the same number and time, different for different ones, never running backwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import ConfigurationError
from cosem.meter import Keys, Meter
from cosem.meter.demo import EVENT_LOG, LOAD_PROFILE, household
from cosem.meter.loads import KINDS, Load, figure
from cosem.meter.loads.codes import figure_of
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import Register
from cosem.protocol.values.data import OctetString
from cosem.protocol.values.dates import DateTime

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
TOTAL, DAY, NIGHT = (Register(f"1.0.1.8.{tariff}.255") for tariff in (0, 1, 2))


def meter(number: int, now: datetime = NOW) -> Meter:
    return household(number, clock=lambda: now, zone=ZoneInfo("Europe/Vienna"))


def test_the_same_number_and_time_give_the_same_meter() -> None:
    assert meter(7).value(LOAD_PROFILE.buffer) == meter(7).value(LOAD_PROFILE.buffer)


def test_twenty_meters_differ() -> None:
    assert len({meter(number).name for number in range(20)}) == 20
    assert len({int(meter(number).value(TOTAL.value)) for number in range(20)}) == 20


def test_energy_never_runs_backwards_and_tariffs_add_up() -> None:
    rows = [tuple(int(cell) for cell in row[2:]) for row in meter(3).value(LOAD_PROFILE.buffer)]
    assert len(rows) == 960
    for before, after in pairwise(rows):
        assert all(later >= earlier for earlier, later in zip(before, after, strict=True))
    assert all(total == day + night for total, day, night, _ in rows)
    assert 2_000 < rows[-1][0] - rows[-97][0] < 30_000, "Wh in a day"


def test_a_day_of_profile_has_96_rows_at_the_quarters() -> None:
    rows = meter(1).value(LOAD_PROFILE.buffer)[-96:]
    times = [DateTime.from_octets(bytes(row[0])).to_datetime() for row in rows if isinstance(row[0], OctetString)]
    assert times[-1].astimezone(UTC) == datetime(2024, 5, 6, 7, 0, tzinfo=UTC)
    assert all(after - before == timedelta(minutes=15) for before, after in pairwise(times))


@pytest.mark.parametrize("number", range(20))
def test_its_log_tells_of_nothing_that_its_rows_do_not_show(number: int) -> None:
    vienna = ZoneInfo("Europe/Vienna")
    logged = [
        (DateTime.from_octets(bytes(row[0])).to_datetime(UTC).astimezone(vienna), int(row[1]))
        for row in meter(number).value(EVENT_LOG.buffer)
    ]
    assert [code for _, code in logged] == [2, *[3] * (len(logged) - 1)], "power since it began, and daylight saving"
    begin = Load(number, vienna).begin
    assert logged[0][0] == begin
    # The last Sundays of March and October at 1:00 UTC, by Directive 2000/84/EC
    changes = [(at.astimezone(UTC).month, at.isoweekday(), at.astimezone(UTC).hour) for at, _ in logged[1:]]
    assert set(changes) == {(3, 7, 1), (10, 7, 1)}
    assert len(changes) == 2 * (NOW.year - begin.astimezone(vienna).year) + 1
    rows = meter(number).value(LOAD_PROFILE.buffer)
    times = [DateTime.from_octets(bytes(row[0])).to_datetime() for row in rows]
    assert all(after - before == timedelta(minutes=15) for before, after in pairwise(times)), "nor do rows"


def test_security_needs_its_secrets() -> None:
    assert [offered.client for offered in household(1).management.associations] == [16]
    low = household(1, security="low", password=Secret(b"secret"))
    assert [offered.client for offered in low.management.associations] == [16, 32]
    gmac = household(1, security="gmac", keys=Keys.random())
    assert [offered.client for offered in gmac.management.associations] == [16, 1]
    for security in ("low", "gmac", "something"):
        with pytest.raises(ConfigurationError):
            household(1, security=security)


@pytest.mark.parametrize("load", sorted(KINDS))
def test_there_is_a_meter_for_every_load_whose_totals_grow_and_are_captured(load: str) -> None:
    metered = household(5, clock=lambda: NOW, load=load)
    columns = metered.value(LOAD_PROFILE.capture_objects)[2:]
    rows = metered.value(LOAD_PROFILE.buffer)
    assert columns and any(rows[-1][place] > rows[0][place] for place in range(2, len(columns) + 2))
    for place, column in enumerate(columns, 2):
        name = figure_of(column.logical_name, load)
        assert name is not None
        scaler = metered.value(Register(column.logical_name).scaler_unit).scaler
        at = Load(5, UTC).seconds(NOW.replace(minute=0, second=0))
        assert int(rows[-1][place]) == int(figure(name).worth(5, at) * 10 ** -int(scaler))


def test_an_unknown_load_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no load of kind 'castle', but household"):
        household(1, load="castle")
