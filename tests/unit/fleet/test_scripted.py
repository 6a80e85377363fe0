"""What scenarios do to meters that are as a companion has them: outages, firmware, covers and tariffs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet.clock import VirtualClock
from cosem.fleet.effects import Effects
from cosem.fleet.file import parse
from cosem.fleet.population import Group, Population
from cosem.fleet.scenario import Drift, FirmwareWave, Outage, Scenario, Tamper, TariffChange, TariffForm
from cosem.meter import Meter
from cosem.protocol.model import Data, ProfileGeneric, Register
from cosem.protocol.model.companion import companion
from cosem.protocol.values.dates import DateTime

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FIRMWARE = Data("1.0.0.2.0.255")
FIRST, SECOND = (Register(f"1.0.1.8.{rate}.255") for rate in (1, 2))
SCENARIO = Scenario(
    outages=(Outage(at=AT, length=HOUR),),
    firmware=(FirmwareWave(at=AT + 2 * HOUR, version="2.0", reboot=timedelta(seconds=30)),),
    tampers=(Tamper(at=AT + 3 * HOUR, share=1.0),),
)
HAPPENED = (AT, AT + HOUR, AT + 2 * HOUR + timedelta(seconds=30), AT + 3 * HOUR)

LOGGED = {
    "smr-5.0": {0: [(0, 1), (1, 2), (2, 18)], 1: [(3, 44)]},
    "idis": {0: [(0, 1), (1, 2), (2, 18)], 1: [(3, 44)]},
    "is-15959": {2: [(0, 101), (1, 102)], 3: [(2, 157)], 5: [(3, 251)]},
    "spodes": {2: [(0, 1), (1, 2)], 4: [(3, 4)]},
}
"""By companion and log (value group E): which of what happened is there, and by which code."""


def population(name: str, scenario: Scenario, clock: VirtualClock) -> Population:
    return Population((Group(count=2, companion=companion(name)),), clock=clock, effects=Effects(scenario, 2))


def logged(meter: Meter, log: int) -> list[tuple[datetime, int]]:
    rows: Any = meter.value(ProfileGeneric(f"0.0.99.98.{log}.255").buffer)
    return [(DateTime.from_octets(bytes(row[0])).to_datetime(UTC), int(row[1])) for row in rows]


@pytest.mark.parametrize("first", [-DAY, HOUR / 2, 1.5 * HOUR, 2.5 * HOUR, DAY])
@pytest.mark.parametrize("name", LOGGED)
def test_logs_have_what_happened_whenever_somebody_came_first(name: str, first: timedelta) -> None:
    clock = VirtualClock(AT + first, speed=0)
    meters = population(name, SCENARIO, clock)
    with meters.visit(1) as meter:
        meter.settle()
    clock.step(2 * DAY - first)
    with meters.visit(1) as meter:
        meter.settle()
        for log, rows in LOGGED[name].items():
            assert logged(meter, log) == [(HAPPENED[place], code) for place, code in rows]
            assert int(meter.value(Data(f"0.0.96.11.{log}.255").value)) == rows[-1][1]
        assert bytes(meter.value(FIRMWARE.value)) == b"2.0"


def test_a_meter_is_of_its_old_firmware_before_the_wave_and_of_the_new_one_after_it() -> None:
    clock = VirtualClock(HAPPENED[2] - timedelta(seconds=1), speed=0)
    meters = population("smr-5.0", SCENARIO, clock)
    with meters.visit(0) as meter:
        meter.settle()
        assert bytes(meter.value(FIRMWARE.value)) == b""
        clock.step(timedelta(seconds=1))
        meter.settle()
        assert bytes(meter.value(FIRMWARE.value)) == b"2.0"


def test_what_happens_is_noted_at_what_a_drifting_clock_shows() -> None:
    drift = Drift(at=AT - DAY, ppm=100_000)
    clock = VirtualClock(AT + DAY, speed=0)
    meter = population("idis", Scenario(tampers=SCENARIO.tampers, drifts=(drift,)), clock).make(0)
    rate = (meter.time() - clock.now()) / (2 * DAY)
    assert abs(rate) > 0.001
    ((at, code),) = logged(meter, 1)
    assert code == 44
    assert abs(at - (HAPPENED[3] + (HAPPENED[3] - drift.at) * rate)) < timedelta(seconds=1)


def test_nothing_happens_to_meters_of_another_region() -> None:
    scenario = Scenario(
        firmware=(FirmwareWave(at=AT, version="2.0", region=1),),
        tampers=(Tamper(at=AT, share=1.0, region=1),),
        regions=2,
    )
    meters = population("smr-5.0", scenario, VirtualClock(AT + DAY, speed=0))
    assert bytes(meters.make(0).value(FIRMWARE.value)) == b""
    assert logged(meters.make(0), 1) == []
    assert len(logged(meters.make(1), 1)) == 1


@pytest.mark.parametrize("first", [-DAY, DAY])
def test_registers_of_tariffs_count_on_by_the_form(first: timedelta) -> None:
    clock = VirtualClock(AT + first, speed=0)
    scenario = Scenario(tariffs=(TariffChange(at=AT, form=TariffForm.SINGLE),))
    meters = population("smr-5.0", scenario, clock)
    with meters.visit(0) as meter:
        meter.settle()
    clock.step(2 * DAY - first)
    with meters.visit(0) as meter:
        after = [int(meter.value(each.value)) for each in (FIRST, SECOND)]
    usual = Population(meters.groups, clock=clock)
    then = [int(usual.make(0).value(each.value)) for each in (FIRST, SECOND)]
    then_at = Population(meters.groups, clock=VirtualClock(AT, speed=0))
    before = [int(then_at.make(0).value(each.value)) for each in (FIRST, SECOND)]
    assert after[1] == before[1] < then[1]
    assert after[0] == sum(then) - before[1]


FILE = """
[[meters]]
count = 3
[[meters]]
count = 2
companion = "{companion}"
"""

TABLES = {
    "firmware": '[[firmware]]\nat = 2026-03-29T04:00:00Z\nversion = "1.1.0"\n',
    "tamper": "[[tamper]]\nat = 2026-03-29T04:00:00Z\nshare = 0.5\n",
    "tariff": '[[tariff]]\nat = 2026-03-29T04:00:00Z\nform = "single"\n',
    "outage": "[[outage]]\nat = 2026-03-29T04:00:00Z\nlength = 60\n",
    "drift": "[[drift]]\nat = 2026-03-29T04:00:00Z\nppm = 20\n",
}


@pytest.mark.parametrize(
    ("name", "refused"),
    [("smr-5.0", set[str]()), ("idis", {"tariff"}), ("spodes", {"tariff"}), ("norway", {"tamper", "tariff"})],
)
def test_a_file_refuses_what_meters_of_a_companion_cannot_do(name: str, refused: set[str]) -> None:
    found: set[str] = set()
    for table, text in TABLES.items():
        try:
            parse(FILE.format(companion=name) + text)
        except ConfigurationError as error:
            assert f"{table}: meters 3 to 4: {name} has no" in str(error)
            found.add(table)
    assert found == refused


def test_a_file_refuses_nothing_that_happens_elsewhere() -> None:
    text = FILE.format(companion="norway") + TABLES["tamper"]
    assert parse("regions = 5\n" + text + "region = 2\n").scenario.tampers
    with pytest.raises(ConfigurationError, match="no event code for an opened cover"):
        parse("regions = 5\n" + text + "region = 3\n")
