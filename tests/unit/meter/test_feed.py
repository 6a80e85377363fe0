"""Registers, demand registers and tariffs that show a load."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.behaving import Now, run, write

from cosem.errors import ConfigurationError
from cosem.meter import Meter
from cosem.meter.describe import parse
from cosem.meter.device import MOST_SHIFTS
from cosem.meter.loads import Load, figure
from cosem.protocol.model import Clock, ProfileGeneric, Register
from cosem.protocol.model.classes.data_storage import Data, DemandRegister, ExtendedRegister, RegisterActivation
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.units import Unit

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 7, 1, 10, tzinfo=UTC)
SEED = 7

HEAD = """
[meter]
name = "KFM1020000000001"
zone = "Europe/Berlin"

[load]
kind = "{kind}"
seed = 7
"""
PROFILE = """
[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]
period = 900
entries = 35040
"""


def of(kind: str, *tables: str, now: Now | None = None) -> Meter:
    return parse(HEAD.format(kind=kind) + "\n".join(tables), clock=now or Now(NOON))


def register(code: str, *lines: str, kind: str = "Register") -> str:
    return "\n".join(("[[object]]", f'class = "{kind}"', f'instance = "{code}"', *lines))


def worth(name: str, time: datetime) -> float:
    return figure(name).worth(SEED, Load(SEED, BERLIN).seconds(time))


@pytest.mark.parametrize(
    ("kind", "code", "name", "unit"),
    [
        ("household", "1.0.1.8.0.255", "household.active_import", Unit.WATT_HOUR),
        ("pv", "1.0.2.8.0.255", "pv.active_export", Unit.WATT_HOUR),
        ("shop", "1.0.5.8.0.255", "shop.reactive_q1", Unit.VAR_HOUR),
        ("shop", "1.0.3.8.0.255", "shop.reactive_import", Unit.VAR_HOUR),
        ("heat_pump", "1.0.41.7.0.255", "heat_pump.active_import_power_l2", Unit.WATT),
        ("household", "1.0.1.8.2.255", "household.active_import_t2", Unit.WATT_HOUR),
        ("gas", "7.0.3.0.0.255", "gas.volume", Unit.CUBIC_METRE),
        ("household", "8.0.1.0.0.255", "water.volume", Unit.CUBIC_METRE),
        ("heat", "6.0.1.0.0.255", "heat.energy", figure("heat.energy").unit),
    ],
)
def test_a_register_shows_the_figure_of_its_code(kind: str, code: str, name: str, unit: Unit) -> None:
    meter = of(kind, register(code))
    shown = Register(code)
    told = meter.value(shown.scaler_unit)
    assert told.unit is unit and told.scaler == figure(name).scaler
    steps = worth(name, NOON) / 10.0**told.scaler
    assert int(meter.value(shown.value)) == int(steps % (1 << 32))


def test_voltages_have_the_scaler_that_is_asked_for() -> None:
    meter = of("household", register("1.0.32.7.0.255", 'scaler_unit = [-2, "V"]'))
    assert int(meter.value(Register("1.0.32.7.0.255").value)) == int(worth("household.voltage_l1", NOON) * 100)


def test_what_a_description_gives_wins_and_what_the_load_does_not_know_stays_empty() -> None:
    meter = of("gas", register("7.0.3.0.0.255", "value = 12", 'scaler_unit = [0, "m³"]'), register("1.0.1.8.0.255"))
    assert meter.value(Register("7.0.3.0.0.255").value) == 12
    with pytest.raises(ConfigurationError):
        meter.value(Register("1.0.1.8.0.255").value)


def test_another_unit_and_an_unknown_kind_are_refused_with_their_place() -> None:
    with pytest.raises(ConfigurationError, match=r"1\.0\.1\.8\.0\.255.*scaler_unit: the load has it in Wh"):
        of("household", register("1.0.1.8.0.255", 'scaler_unit = [0, "W"]'))
    with pytest.raises(ConfigurationError, match=r"\[load\]: kind: there is no load of kind 'castle', but household"):
        of("castle")


def test_without_a_seed_the_load_follows_from_the_name() -> None:
    text = '[meter]\nname = "KFM102000000000{}"\n[load]\nkind = "shop"\n' + register("1.0.1.8.0.255")
    one, twin, other = (
        parse(text.format(number), clock=Now(NOON)).value(Register("1.0.1.8.0.255").value) for number in (1, 1, 2)
    )
    assert one == twin != other


def test_a_companions_registers_follow_the_load_and_its_profile_has_a_past() -> None:
    text = '[meter]\nname = "KFM1020000000001"\nzone = "Europe/Berlin"\ncompanion = "smr-5.0"\n'
    meter = parse(text + '[load]\nkind = "heat_pump"\nseed = 7\n', clock=Now(NOON))
    assert meter.value(Register("1.0.1.8.1.255").value) == int(worth("heat_pump.active_import_t1", NOON))
    profile = ProfileGeneric("1.0.99.1.1.255")
    assert meter.value(profile.capture_period) == 900
    assert len(meter.value(profile.buffer)) == meter.value(profile.profile_entries)


def test_the_clock_may_be_set_and_the_load_goes_on_evenly() -> None:
    now = Now(NOON)
    meter = of("household", register("1.0.1.8.0.255"), now=now)
    energy = Register("1.0.1.8.0.255").value
    before = meter.value(energy)
    for shift in (timedelta(hours=3), -timedelta(days=2)):
        write(meter, Clock().time, DateTime.from_datetime(meter.time() + shift))
        assert meter.value(energy) == before
    now.later(hours=1)
    assert meter.value(energy) == int(worth("household.active_import", now.time))


def test_a_meter_remembers_so_many_settings_of_its_clock_and_no_more() -> None:
    now = Now(NOON)
    meter = of("household", now=now)
    for _ in range(MOST_SHIFTS - 1):
        meter.set_time(meter.time() + timedelta(minutes=2))
        now.later(minutes=1)
    assert meter.true_time_of(NOON - timedelta(days=1)) == NOON - timedelta(days=1)
    meter.set_time(meter.time() + timedelta(minutes=2))
    assert meter.true_time_of(NOON - timedelta(days=1)) == NOON - timedelta(days=1, minutes=2)
    assert meter.true_time_of(meter.time()) == now.time


# -- demand ------------------------------------------------------------------------------------------------------------

DEMAND = (
    register("1.0.1.4.0.255", "period = 900", kind="DemandRegister"),
    register("1.0.1.5.0.255"),
    register("1.0.1.6.0.255", kind="ExtendedRegister"),
)


def growth(begin: datetime, end: datetime) -> float:
    return worth("household.active_import", end) - worth("household.active_import", begin)


def test_demand_averages_and_maxima_are_the_growth_of_the_energy() -> None:
    now = Now(NOON + timedelta(minutes=7))
    meter = of("household", *DEMAND, now=now)
    demand, largest = DemandRegister("1.0.1.4.0.255"), ExtendedRegister("1.0.1.6.0.255")
    assert meter.value(demand.current_average_value) == int(growth(NOON, now.time) * 4)
    last = int(growth(NOON - timedelta(minutes=15), NOON) * 4)
    assert meter.value(demand.last_average_value) == last == meter.value(Register("1.0.1.5.0.255").value)
    assert meter.value(demand.scaler_unit).unit is Unit.WATT is meter.value(largest.scaler_unit).unit
    begin = datetime(2026, 7, 1, tzinfo=BERLIN)
    blocks = [begin + timedelta(minutes=15 * place) for place in range(48)]
    best = max(blocks, key=lambda at: growth(at, at + timedelta(minutes=15)))
    assert meter.value(largest.value) == int(growth(best, best + timedelta(minutes=15)) * 4)
    assert meter.value(largest.capture_time).to_datetime(BERLIN) == best + timedelta(minutes=15)


def test_a_maximum_begins_anew_when_it_is_reset() -> None:
    now = Now(NOON)
    meter = of("household", *DEMAND, now=now)
    largest = ExtendedRegister("1.0.1.6.0.255")
    run(meter, largest.reset)
    assert meter.value(largest.value) == 0
    assert meter.value(largest.capture_time).to_datetime(BERLIN) == NOON
    now.later(minutes=15)
    assert meter.value(largest.value) == int(growth(NOON, now.time) * 4)


# -- tariffs -----------------------------------------------------------------------------------------------------------

TARIFFS = """
[[object]]
class = "RegisterActivation"
instance = "0.0.14.0.0.255"
register_assignment = [[3, "1.0.1.8.1.255"], [3, "1.0.1.8.2.255"], [3, "1.0.1.8.3.255"]]
mask_list = [["one", [1]], ["two", [2]], ["three", [3]]]
active_mask = "one"

[[object]]
class = "Data"
instance = "0.0.96.14.0.255"
"""


def test_tariff_registers_count_while_their_mask_is_active_and_add_up() -> None:
    now = Now(NOON)
    codes = [f"1.0.1.8.{rate}.255" for rate in range(4)]
    meter = of("household", TARIFFS, *(register(code) for code in codes), now=now)
    total, *rates = (Register(code).value for code in codes)
    begun = [meter.value(rate) for rate in rates]
    assert begun[:2] == [int(worth(f"household.active_import_t{rate}", NOON)) for rate in (1, 2)] and begun[2] == 0
    grown = [0, 0, 0]
    for place, mask in enumerate((b"one", b"three", b"two", b"three")):
        write(meter, RegisterActivation("0.0.14.0.0.255").active_mask, mask)
        before = meter.value(total)
        now.later(hours=5)
        grown[(0, 2, 1, 2)[place]] += meter.value(total) - before
        assert meter.value(Data("0.0.96.14.0.255").value) == mask
    assert [meter.value(rate) - first for rate, first in zip(rates, begun, strict=True)] == grown
    assert sum(meter.value(rate) for rate in rates) == meter.value(total)
