"""A meter of a fleet comes through the outages of its scenario as one that is described with them, row for row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from behaving import Now
from cosem.fleet.effects import Effects
from cosem.fleet.population import Population
from cosem.fleet.scenario import Outage, Scenario
from cosem.meter import Meter
from cosem.meter.demo import EVENT_LOG, LOAD_PROFILE
from cosem.meter.describe import parse
from cosem.protocol.values.dates import DateTime

BEGIN = datetime(2026, 3, 28, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")  # where clocks go forward in the night that follows
ENERGIES = ("1.0.1.8.0.255", "1.0.1.8.1.255", "1.0.1.8.2.255", "1.0.2.8.0.255")
METER = """
[meter]
name = "KFM1020012345678"
zone = "Europe/Berlin"

[load]
kind = "household"
seed = {seed}

[[object]]
class = "Data"
instance = "0.0.96.10.1.255"
value = {{ unsigned = 0 }}

[[object]]
class = "Data"
instance = "0.0.96.11.0.255"
value = {{ unsigned = 0 }}

{energies}

[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "0.0.96.10.1.255:value", {columns}]
period = 900
entries = 960
past = false

[[profile]]
instance = "0.0.99.98.0.255"
columns = ["0.0.1.0.0.255:time", "0.0.96.11.0.255:value"]
events = {{ power_down = 1, power_up = 2 }}

[[status]]
register = "0.0.96.10.1.255"
bits = {{ data_not_valid = 2, power_down = 7 }}
"""

Span = tuple[int, int]
SECONDS = st.one_of(st.integers(1, 200).map(lambda quarter: 900 * quarter), st.integers(1, 180_000))
OUTAGES = st.lists(st.tuples(SECONDS, SECONDS), max_size=4)


def described(seed: int, outages: Sequence[Span], now: Now) -> Meter:
    energies = "".join(f'[[object]]\nclass = "Register"\ninstance = "{code}"\n\n' for code in ENERGIES)
    columns = ", ".join(f'"{code}:value"' for code in ENERGIES)
    power = "".join(
        f"[[power]]\nat = {(BEGIN + timedelta(seconds=at)).isoformat()}\nlength = {length}\n" for at, length in outages
    )
    meter = parse(METER.format(seed=seed, energies=energies, columns=columns) + power, clock=now)
    meter.settle()
    return meter


def of_fleet(seed: int, outages: Sequence[Span], now: Now) -> Meter:
    happens = [Outage(at=BEGIN + timedelta(seconds=at), length=timedelta(seconds=length)) for at, length in outages]
    scenario = Scenario(outages=tuple(happens))
    return Population(1, seed=seed, zone=BERLIN, clock=now, effects=Effects(scenario, 1, seed)).make(0)


def since_the_beginning(meter: Meter) -> list[tuple[Any, ...]]:
    rows: Sequence[Any] = meter.value(LOAD_PROFILE.buffer)
    times = [DateTime.from_octets(bytes(row[0])).to_datetime(BERLIN) for row in rows]
    return [tuple(row) for row, time in zip(rows, times, strict=True) if time > BEGIN]


@given(seed=st.integers(0, 1000), outages=OUTAGES)
@settings(max_examples=40, deadline=None)
def test_a_meter_of_a_fleet_captures_what_a_described_one_does(seed: int, outages: Sequence[Span]) -> None:
    now = Now(BEGIN)
    one, other = described(seed, outages, now), of_fleet(seed, outages, now)
    now.later(seconds=400_000)
    rows = since_the_beginning(one)
    assert since_the_beginning(other) == rows
    assert any(not row[1] for row in rows)
    changes = {(bytes(row[0]), int(row[1])) for row in one.value(EVENT_LOG.buffer)[1:]}
    assert changes <= {(bytes(row[0]), int(row[1])) for row in other.value(EVENT_LOG.buffer)}
