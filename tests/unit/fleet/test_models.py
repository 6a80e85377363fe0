"""Groups of a fleet that are like a described meter, or like one of which there is a snapshot."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cosem.errors import ConfigurationError
from cosem.fleet import models
from cosem.fleet.clock import VirtualClock
from cosem.fleet.director import Director
from cosem.fleet.effects import Effects
from cosem.fleet.file import FleetFile, load
from cosem.fleet.keys import FleetKeys
from cosem.fleet.models import meter_of, name_of, numbered
from cosem.fleet.population import Population
from cosem.fleet.push_setup import SETUP, setup_for
from cosem.fleet.scenario import Scenario, TariffForm
from cosem.fleet.truth import measured, misbehaved
from cosem.meter import Meter
from cosem.meter.events import MeterEvent
from cosem.meter.item import Refusal
from cosem.protocol.codec import axdr
from cosem.protocol.crypto.key import Secret
from cosem.protocol.model import Clock, Data, ProfileGeneric, PushSetup, Register
from cosem.protocol.model.classes.access_control import SapAssignment
from cosem.protocol.model.classes.m_bus import MBusClientVersion1
from cosem.protocol.model.classes.time_and_event import DisconnectControl
from cosem.protocol.values.data import (
    Array,
    BitString,
    DoubleLongUnsigned,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
    VisibleString,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.store import snapshot as snapshots
from cosem.store.snapshot import Cell, RecordedAssociation, RecordedDevice, RecordedObject, Snapshot

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENERGY, GAS, PROFILE = Register("1.0.1.8.0.255"), Register("7.0.3.0.0.255"), ProfileGeneric("1.0.99.1.0.255")
LOG, FIRMWARE, SERIAL = ProfileGeneric("0.0.99.98.0.255"), Data("1.0.0.2.0.255"), Data("0.0.96.1.0.255")
DESCRIPTION = """
[meter]
name = "ELG0000012345678"
system_title = "454C470000BC614E"
zone = "Europe/Berlin"
[load]
kind = "household"
seed = 5
[[device]]
sap = 17
name = "ELG0000012345679"
load = "gas"
[[object]]
class = "Data"
instance = "0.0.96.1.0.255"
value = "A-12345678"
[[object]]
class = "Data"
instance = "0.0.96.1.1.255"
value = "A-12345678"
[[object]]
class = "Data"
instance = "0.0.96.1.2.255"
value = "ELG0000012345678"
[[object]]
class = "Data"
instance = "0.0.96.1.3.255"
value = "customer 12345678"
[[object]]
class = "Data"
instance = "1.0.0.0.0.255"
value = { double-long-unsigned = 12345678 }
[[object]]
class = "Data"
instance = "1.0.0.2.0.255"
value = "1.0"
[[object]]
class = "Data"
instance = "0.0.96.11.0.255"
value = { unsigned = 0 }
[[object]]
class = "Register"
instance = "1.0.1.8.0.255"
[[object]]
class = "Register"
instance = "1.0.1.8.1.255"
[[object]]
class = "Register"
instance = "1.0.1.8.2.255"
[[object]]
class = "Register"
instance = "7.0.3.0.0.255"
device = 17
[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]
period = 900
entries = 960
[[profile]]
instance = "1.0.99.1.0.255"
device = 17
columns = ["0.0.1.0.0.255:time", "7.0.3.0.0.255:value"]
period = 3600
[[profile]]
instance = "0.0.99.98.0.255"
columns = ["0.0.1.0.0.255:time", "0.0.96.11.0.255:value"]
entries = 100
events = { power_down = 31, power_up = 32, image_activated = 38, cover_opened = 34 }
[[m_bus]]
channel = 1
load = "water"
serial = 500
[[m_bus]]
channel = 2
load = "heat"
serial = 501
[[association]]
client = 1
auth = "low"
password = "env:THAT_NOBODY_HAS_SET"
"""
OFFSET = timezone(HOUR)
ROWS = [(AT - HOUR + timedelta(minutes=15 * number), 100 + number) for number in range(4)]


def text(moment: datetime) -> OctetString:
    return OctetString(DateTime.from_datetime(moment).octets)


def recorded(class_id: int, instance: str, *values: Any, version: int = 0) -> RecordedObject:
    cells = {2 + place: value if isinstance(value, Cell) else Cell(value) for place, value in enumerate(values)}
    return RecordedObject(class_id, version, Obis(instance), cells)


def column(class_id: int, instance: str) -> Structure:
    return Structure((LongUnsigned(class_id), OctetString(Obis(instance).octets), Unsigned(2), LongUnsigned(0)))


CLOCK = recorded(8, "0.0.1.0.0.255", text(AT.astimezone(OFFSET)))
SNAPSHOT = Snapshot(
    "2026-03-03T12:00:00Z",
    (
        RecordedDevice(
            1,
            b"ISK1000000000001",
            b"ISK\0\0\0\0\1",
            (
                RecordedAssociation(16, "none", 0, 0, None, 0x10, 200, Array(())),
                RecordedAssociation(1, "gmac", 5, 0x30, 0, 0x10, 200, Array(())),
            ),
            (
                CLOCK,
                recorded(1, "0.0.42.0.0.255", OctetString(b"ISK1000000000001")),
                recorded(17, "0.0.41.0.0.255", Array(())),
                recorded(64, "0.0.43.0.1.255", Unsigned(1)),
                recorded(15, "0.0.40.0.0.255", Array(()), version=1),
                recorded(1, "0.0.43.1.0.255", DoubleLongUnsigned(777)),
                recorded(1, "0.0.96.1.0.255", OctetString(b"00451")),
                recorded(1, "0.0.96.1.1.255", VisibleString("ISK1000000000001")),
                recorded(1, "0.0.96.2.0.255", Cell(refused=3)),
                recorded(3, "1.0.1.8.0.255", DoubleLongUnsigned(4711), Structure((LongUnsigned(0), LongUnsigned(30)))),
                recorded(40, "0.0.25.9.0.255", Array(())),
                recorded(
                    7,
                    "1.0.99.1.0.255",
                    Array(Structure((text(at), DoubleLongUnsigned(value))) for at, value in ROWS),
                    Array((column(8, "0.0.1.0.0.255"), column(3, "1.0.1.8.0.255"))),
                    DoubleLongUnsigned(900),
                    version=1,
                ),
            ),
        ),
        RecordedDevice(5, b"ISKGAS", None, (), (recorded(3, "7.0.3.0.0.255", DoubleLongUnsigned(12), BitString("0")),)),
    ),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "meter.toml").write_text(DESCRIPTION)
    snapshots.write(tmp_path / "meter.json", SNAPSHOT)
    return tmp_path


def fleet(folder: Path, more: str = "", *, key: str = "description", name: str = "meter.toml") -> FleetFile:
    (folder / "fleet.toml").write_text(f'[[meters]]\ncount = 20\n{key} = "{name}"\n{more}')
    return load(folder / "fleet.toml")


def snapshotted(folder: Path, more: str = "") -> FleetFile:
    return fleet(folder, more, key="snapshot", name="meter.json")


def population(said: FleetFile, now: datetime | VirtualClock = AT, **settings: Any) -> Population:
    clock = now if isinstance(now, VirtualClock) else VirtualClock(now, speed=0)
    scenario = Effects(said.scenario, said.count) if said.scenario != Scenario() else None
    return Population(said.groups, seed=said.seed, clock=clock, effects=scenario, push=said.push, **settings)


def logged(meter: Meter) -> list[tuple[datetime, int]]:
    rows: Any = meter.value(LOG.buffer)
    return [(DateTime.from_octets(bytes(row[0])).to_datetime(UTC).astimezone(UTC), int(row[1])) for row in rows]


# -- a description -----------------------------------------------------------------------------------------------------


def test_a_described_meter_has_names_serials_and_measurements_of_its_own(folder: Path) -> None:
    meters = population(fleet(folder))
    with meters.visit(7) as meter, meters.visit(8) as other:
        assert (meter.name, meter.system_title) == ("KFM1020000000007", meters.title(7))
        assert [device.name for device in meter.devices.values()] == ["KFM1020000000007", "KFM1021000000007"]
        assert meter.zone == ZoneInfo("Europe/Berlin")
        told = {code: meter.value(Data(code).value) for code in ("0.0.96.1.0.255", "0.0.96.1.1.255", "1.0.0.0.0.255")}
        assert told == {"0.0.96.1.0.255": b"A-00000007", "0.0.96.1.1.255": b"A-00000007", "1.0.0.0.0.255": 7}
        assert meter.value(Data("0.0.96.1.2.255").value) == b"KFM1020000000007"
        assert meter.value(Data("0.0.96.1.3.255").value) == b"customer 12345678"
        serials = [
            int(each.value(MBusClientVersion1(f"0.{channel}.24.1.0.255").identification_number))
            for each in (meter, other)
            for channel in (1, 2)
        ]
        assert serials == [0x514, 0x515, 0x516, 0x517]
        for device, register in ((1, ENERGY), (17, GAS)):
            assert meter.devices[device].value(register.value) != other.devices[device].value(register.value)
    with population(fleet(folder)).visit(7) as again:
        assert again.value(ENERGY.value) == meter.value(ENERGY.value)
    with population(fleet(folder, "[fleet]\nseed = 1")).visit(6) as same:  # for seeds and numbers are added
        assert same.value(ENERGY.value) == meter.value(ENERGY.value)
    with population(fleet(folder, "seed = 2")).visit(5) as same:
        assert same.value(ENERGY.value) == meter.value(ENERGY.value)


@pytest.mark.parametrize("kind", ["description", "snapshot"])
def test_the_keys_of_the_fleet_open_all_logical_devices_and_no_others_do(folder: Path, kind: str) -> None:
    keys = FleetKeys(Secret(bytes(range(32))))
    said = fleet(folder) if kind == "description" else snapshotted(folder)
    with population(said, keys=keys).visit(7) as meter:
        assert len(meter.devices) == 2
        for device in meter.devices.values():
            assert [each.client for each in device.associations] == [16, 1]
            offered = device.association(1)
            assert offered is not None
            assert offered.keys == keys.of(meter.system_title)
    with population(said).visit(7) as meter:
        assert [[each.client for each in device.associations] for device in meter.devices.values()] == [[16], [16]]


def test_the_description_is_read_once_with_the_fleet(folder: Path) -> None:
    said = fleet(folder)
    (folder / "meter.toml").write_text("[meter]")
    with population(said).visit(7) as meter:
        assert meter.value(FIRMWARE.value) == b"1.0"


def test_a_described_meter_is_remembered_and_one_with_nothing_but_a_template_is_made_again(folder: Path) -> None:
    meters = population(fleet(folder))
    with meters.visit(7) as meter:
        meter.put(FIRMWARE.value, b"2.0")
    assert (meters.changed, meters.ready) == (1, 0)
    with meters.visit(7) as again:
        assert again is meter
    (folder / "plain.toml").write_text('[meter]\nname = "KFM1"\ntemplate = "shop"\n')
    meters = population(fleet(folder, name="plain.toml"))
    with meters.visit(7) as meter:
        assert meter.value(SERIAL.value) == b"1020000000007"
    assert (meters.changed, meters.ready) == (0, 1)


SCHEDULED = """
[[object]]
class = "DisconnectControl"
instance = "0.0.96.3.10.255"
[[object]]
class = "ScriptTable"
instance = "0.0.10.0.106.255"
scripts = [[1, [[2, 70, "0.0.96.3.10.255", 1, { integer = 0 }]]]]
[[object]]
class = "SingleActionSchedule"
instance = "0.0.15.0.1.255"
executed_script = ["0.0.10.0.106.255", 1]
type = 1
execution_time = [["13:30:00", "2026-03-03"]]
"""


def test_a_described_meter_runs_its_single_actions_from_the_first_visit_on(folder: Path) -> None:
    (folder / "meter.toml").write_text(DESCRIPTION + SCHEDULED)
    clock, breaker = VirtualClock(AT, speed=0), DisconnectControl("0.0.96.3.10.255")
    meters = population(fleet(folder), clock)
    with meters.visit(7) as meter:
        assert meter.value(breaker.output_state)
    clock.step(HOUR)
    with meters.visit(7) as meter, meters.visit(8) as other:
        assert (meter.value(breaker.output_state), other.value(breaker.output_state)) == (False, True)


SCRIPT = """
[[outage]]
at = 2026-03-03T12:00:00Z
length = 3600
[[firmware]]
at = 2026-03-03T14:00:00Z
version = "2.0"
reboot = 30
[[tamper]]
at = 2026-03-03T15:00:00Z
share = 1
"""
HAPPENED = [
    (AT, 31),
    (AT + HOUR, 32),
    (AT + 2 * HOUR + timedelta(seconds=30), 38),
    (AT + 3 * HOUR, 34),
]


@pytest.mark.parametrize("first", [-24.0, 0.5, 1.5, 2.5, 24.0])
def test_what_a_scenario_does_is_in_the_log_whenever_somebody_came_first(folder: Path, first: float) -> None:
    clock = VirtualClock(AT + first * HOUR, speed=0)
    meters = population(fleet(folder, SCRIPT), clock)
    with meters.visit(7) as meter:
        meter.settle()
    clock.step(48 * HOUR - first * HOUR)
    with meters.visit(7) as meter:
        meter.settle()
        assert logged(meter) == HAPPENED
        assert meter.value(FIRMWARE.value) == b"2.0"
        rows: Any = meter.value(PROFILE.buffer)
        times = [DateTime.from_octets(bytes(row[0])).to_datetime(UTC).astimezone(UTC) for row in rows]
        assert AT + timedelta(minutes=30) not in times
        assert AT + timedelta(minutes=90) in times


def test_tariffs_change_in_a_described_meter(folder: Path) -> None:
    tariff = '[[tariff]]\nat = 2026-03-03T12:00:00Z\nform = "single"\n'
    first, second = (Register(f"1.0.1.8.{rate}.255") for rate in (1, 2))
    clock = VirtualClock(AT, speed=0)
    said = fleet(folder, tariff)
    assert said.scenario.tariffs[0].form is TariffForm.SINGLE
    with population(said, clock).visit(7) as meter:
        before = meter.value(ENERGY.value), meter.value(first.value), meter.value(second.value)
        clock.step(48 * HOUR)
        after = meter.value(ENERGY.value), meter.value(first.value), meter.value(second.value)
    grown, in_first, in_second = (new - old for new, old in zip(after, before, strict=True))
    assert in_second == 0
    assert abs(grown - in_first) <= 1 and grown > 0


def test_the_ledger_has_what_each_logical_device_captured_by_its_own_name(folder: Path) -> None:
    found = list(measured(population(fleet(folder), AT + HOUR), [7], AT, AT + HOUR))
    assert {each.meter for each in found} == {"KFM1020000000007", "KFM1021000000007"}
    assert sum(each.meter == "KFM1021000000007" and each.reference == "3/7.0.3.0.0.255/2" for each in found) == 1


@pytest.mark.parametrize(
    ("name", "meter"),
    [
        (name_of(7), name_of(7)),
        (name_of(7, 1), name_of(7)),
        (name_of(999_999_999, 8979), name_of(999_999_999)),
        *((other, other) for other in ("KFM1019000000007", "KFM10200000007", "ABC1020000000007")),
    ],
)
def test_the_meter_of_a_logical_device_is_found_by_its_name(name: str, meter: str) -> None:
    assert meter_of(name) == meter


PUSH = '[push]\nto = "tcp://127.0.0.1:4061"\n'


def test_a_described_meter_pushes_with_the_codes_of_its_log(folder: Path) -> None:
    said = fleet(folder, PUSH)
    with population(said).visit(7) as meter:
        instance = setup_for(MeterEvent.COVER_OPENED, said.groups[0].notes)
        pushed: Any = meter.value(PushSetup(instance).push_object_list)
        assert [str(each.logical_name) for each in pushed][2] == "0.0.96.11.0.255"
        assert meter.value(PushSetup(SETUP).send_destination_and_method).destination == b"127.0.0.1:4061"


@pytest.mark.parametrize(
    ("table", "fits", "more", "wrong"),
    [
        ("", "", "[state]\npath = 'state'", r"\[\[meters\]\] 1: description: .*meter.toml: state: .*leave it out"),
        ("", "", "[limits]\nconnections = 1", r"limits: .*write \[limits\]"),
        ("", "", "[faults]\nloss = 0.1", r"faults: .*write faults in its \[\[meters\]\]"),
        ("faults = { verification_fails = true }", "", "", "verification_fails: meter.toml meters take no firmware"),
        ("", "", "[local]", "local: nobody is at the optical port"),
        ("", "", "[[power]]\nat = 2026-03-03T12:00:00Z\nlength = 1", r"power: .*write \[\[outage\]\]"),
        ("", "", "[[push]]\ninstance = '0.4.25.9.0.255'", r"push: .*write \[push\]"),
        ("", "", "[[alarms]]\nregister = '0.0.97.98.0.255'\npush = '0.4.25.9.0.255'", r"alarms.* 1: push: "),
        ("", "", "[[object]]\nclass = 'Nothing'\ninstance = '0.0.96.1.0.255'", r"\[\[object\]\] 12: class"),
        ("kind = 'shop'", "", "", "description: it says what these meters are, and so does kind: leave one"),
        ("companion = 'idis'", "", "", "so does companion"),
        ("snapshot = 'meter.json'", "", "", "description: .*so does snapshot"),
        (
            PUSH,
            "",
            "[[object]]\nclass = 40\ninstance = '0.0.25.9.0.255'\npush_object_list = []",
            r"push: .*0\.0\.25\.9",
        ),
        ("[[firmware]]\nat = 2026-03-03T12:00:00Z\nversion = '2'", "1.0.0.2.0.255", "", "firmware: .*no Data object"),
        ("[[tamper]]\nat = 2026-03-03T12:00:00Z\nshare = 1", ", cover_opened = 34", "", "tamper: .*cover_opened"),
        ("[[tariff]]\nat = 2026-03-03T12:00:00Z\nform = 'single'", "1.0.1.8.2.255", "", "tariff: .*no registers"),
    ],
)
def test_what_cannot_work_is_refused_with_the_file(folder: Path, table: str, fits: str, more: str, wrong: str) -> None:
    """`fits` is what makes it work, where there is such a thing."""
    if fits:
        assert fleet(folder, table).count == 20
    text = DESCRIPTION.replace(fits, "" if fits.startswith(",") else "0.0.96.99.0.255") if fits else DESCRIPTION
    (folder / "meter.toml").write_text(text + more)
    with pytest.raises(ConfigurationError, match=wrong) as refused:
        fleet(folder, table)
    assert "\n" not in str(refused.value)


def test_a_scenario_may_spare_the_meters_that_cannot_go_by_it(folder: Path) -> None:
    spared = "[[meters]]\ncount = 20\n"
    script = "[[tamper]]\nat = 2026-03-03T12:00:00Z\nshare = 1\nregion = "
    (folder / "fleet.toml").write_text(
        f'regions = 2\n[[meters]]\ncount = 20\nsnapshot = "meter.json"\n{spared}{script}1'
    )
    assert load(folder / "fleet.toml").count == 40
    (folder / "fleet.toml").write_text(
        f'regions = 2\n[[meters]]\ncount = 20\nsnapshot = "meter.json"\n{spared}{script}0'
    )
    with pytest.raises(ConfigurationError, match=r"tamper: meters 0 to 19: what meter\.json shows stands still"):
        load(folder / "fleet.toml")


# -- a snapshot --------------------------------------------------------------------------------------------------------


def test_a_meter_of_a_snapshot_shows_what_the_original_showed_under_its_own_name(folder: Path) -> None:
    meters = population(snapshotted(folder), AT + HOUR)
    with meters.visit(7) as meter, meters.visit(8) as other:
        assert (meter.name, meter.system_title) == ("KFM1020000000007", meters.title(7))
        assert {sap: device.name for sap, device in meter.devices.items()} == {
            1: "KFM1020000000007",
            5: "KFM1021000000007",
        }
        assert meter.value(Data("0.0.42.0.0.255").value) == b"KFM1020000000007"
        listed = meter.value(SapAssignment().sap_assignment_list)
        assert [bytes(each.logical_device_name) for each in listed] == [b"KFM1020000000007", b"KFM1021000000007"]
        assert [each.value(SERIAL.value) for each in (meter, other)] == [b"00007", b"00008"]
        assert meter.value(Data("0.0.96.1.1.255").value) == VisibleString("KFM1020000000007")
        assert meter.value(ENERGY.value) == other.value(ENERGY.value) == 4711
        assert meter.devices[5].value(GAS.value) == 12
        assert len(meter.value(PROFILE.buffer)) == len(ROWS)
        told = meter.value(Clock().time)
        assert (told.to_datetime(), told.deviation) == (AT + HOUR, -60)
        item = meter.management.find(Obis("0.0.96.2.0.255"))
        assert item is not None
        with pytest.raises(Refusal):
            item.read(meter.management.visit(), 2)


def test_meters_of_a_snapshot_share_its_objects_and_are_forgotten(folder: Path) -> None:
    meters = population(snapshotted(folder, "[limits]\nready = 0"), limits=snapshotted(folder).population)
    with meters.visit(7) as meter, meters.visit(8) as other:
        for sap in (1, 5):
            assert meter.devices[sap].objects is other.devices[sap].objects
    assert (meters.changed, meters.ready) == (0, 2)
    with meters.visit(7) as meter:
        meter.set_time(AT + 2 * HOUR)
    assert (meters.changed, meters.ready) == (1, 1)


def test_what_the_original_counted_and_whom_it_let_in_is_not_shown(folder: Path) -> None:
    with population(snapshotted(folder), keys=FleetKeys.demonstration()).visit(7) as meter:
        device = meter.management
        assert meter.value(Data("0.0.43.1.0.255").value) == 0
        association = device.association(1)
        assert device.find(Obis("0.0.43.0.1.255")) is None  # that set-up was of the original's client
        assert device.find(Obis("0.0.43.0.2.255"), association) is not None


def test_a_meter_of_a_snapshot_pushes_by_the_setup_of_the_fleet(folder: Path) -> None:
    said = snapshotted(folder, PUSH + "[[outage]]\nat = 2026-03-03T12:00:00Z\nlength = 60")
    with population(said).visit(7) as meter:
        assert meter.value(PushSetup(SETUP).send_destination_and_method).destination == b"127.0.0.1:4061"
        pushed: Any = meter.value(PushSetup(SETUP).push_object_list)
        assert [str(each.logical_name) for each in pushed] == [
            "0.0.42.0.0.255",
            "0.0.1.0.0.255",
            "1.0.1.8.0.255",
        ]
    assert setup_for(MeterEvent.POWER_DOWN, said.groups[0].notes) == SETUP


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ("seed = 1", "seed: what a snapshot shows stands still"),
        ("kind = 'shop'", "snapshot: .*so does kind"),
        ("[[firmware]]\nat = 2026-03-03T12:00:00Z\nversion = '2'", "firmware: .*stands still"),
        ("[[tariff]]\nat = 2026-03-03T12:00:00Z\nform = 'single'", "tariff: .*stands still"),
    ],
)
def test_what_a_snapshot_cannot_do_is_refused(folder: Path, more: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=wrong) as refused:
        snapshotted(folder, more)
    assert "\n" not in str(refused.value)


IMAGES = "faults = { verification_fails = true }"
IMAGE = "[[object]]\nclass = 18\ninstance = '0.0.44.0.0.255'\n"


def test_meters_misbehave_as_the_fleet_has_it(folder: Path) -> None:
    for said in (fleet(folder, "faults = { loss = 0.1 }"), snapshotted(folder, "faults = { loss = 0.1 }")):
        with population(said).visit(7) as meter:
            assert meter.faults.loss == 0.1
    (folder / "meter.toml").write_text(DESCRIPTION + IMAGE)
    assert fleet(folder, IMAGES).count == 20
    with pytest.raises(ConfigurationError, match=r"verification_fails: meter\.json meters take no firmware images"):
        snapshotted(folder, IMAGES)


@pytest.mark.parametrize("kind", ["description", "snapshot"])
def test_the_ledger_tells_of_every_logical_device_that_its_meter_misbehaves(folder: Path, kind: str) -> None:
    said = (fleet if kind == "description" else snapshotted)(folder, "faults = { loss = 0.5 }")
    meters = population(said)
    with meters.visit(7) as meter:
        names = [device.name for device in meter.devices.values()]
    assert len(names) == 2
    told = {each.meter: each.faults for each in misbehaved(meters, AT)}
    assert [told.pop(name) for name in names] == ["seed=7 loss=0.5", "seed=7 loss=0.5"]
    assert len(told) == 2 * 19


@pytest.mark.parametrize("sap", [1, 5, 127])
def test_a_snapshot_whose_logical_devices_no_meter_can_have_is_refused_with_the_file(folder: Path, sap: int) -> None:
    first, second = SNAPSHOT.devices
    snapshots.write(folder / "meter.json", replace(SNAPSHOT, devices=(first, second, replace(second, sap=sap))))
    with pytest.raises(ConfigurationError, match=rf"\[\[meters\]\] 1: snapshot: SAP {sap}"):
        snapshotted(folder)


@pytest.mark.parametrize(("key", "name"), [("description", "none.toml"), ("snapshot", "none.json")])
def test_files_that_are_not_there_are_told_with_table_and_key(folder: Path, key: str, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"\[\[meters\]\] 1: {key}: cannot read .*{name}"):
        fleet(folder, key=key, name=name)
    (folder / name).write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=rf"\[\[meters\]\] 1: {key}: "):
        fleet(folder, key=key, name=name)


# -- serial numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "own"),
    [
        (OctetString(b"12345678"), OctetString(b"00000123")),
        (OctetString(b"12"), OctetString(b"123")),  # longer, so that no two are the same
        (VisibleString("SN-001-A"), VisibleString("SN-001-A123")),
        (OctetString(b"NAME"), OctetString(b"OWN")),
        (Unsigned(5), Unsigned(123)),
        (OctetString(b"\x12\x34"), OctetString(b"\x12\x34")),
        (None, None),
    ],
)
def test_serial_numbers(told: Any, own: Any) -> None:
    found: Any = numbered(told, 123, {"NAME"}, "OWN")
    assert (found, type(found)) == (own, type(own))
    assert axdr.encode(found) == axdr.encode(own)


def test_a_number_that_is_too_small_for_a_serial_stays() -> None:
    assert numbered(Unsigned(5), 255, (), "") == 255
    assert numbered(Unsigned(5), 256, (), "") == 5


def test_names_of_logical_devices() -> None:
    assert models.name_of(999_999_999, 3) == "KFM1023999999999"
    assert len(models.name_of(999_999_999, models.LAST_SERIES - models.FIRST_SERIES)) == 16


def test_an_outage_is_the_directors_for_meters_of_a_snapshot(folder: Path) -> None:
    said = snapshotted(folder, "[[outage]]\nat = 2026-03-03T12:00:00Z\nlength = 60")
    director = Director(said.scenario, said.count, said.seed)
    director.tick(AT + timedelta(seconds=30))
    assert not director.powered(7)
    meters = Population(said.groups, clock=VirtualClock(AT, speed=0), effects=director.effects)
    with meters.visit(7) as meter:
        assert meter.untouched


@pytest.mark.parametrize("first", [1.0, 13.0, 40.0])
@pytest.mark.parametrize("dark", [None, "2026-03-28T22:00:00Z", "2026-03-29T00:30:00Z"])
def test_daylight_saving_is_in_the_log_whenever_somebody_came_first(
    folder: Path, first: float, dark: str | None
) -> None:
    """The clocks change at 01:00 UTC, an hour after midnight: whoever has no power then notes nothing."""
    saved = DESCRIPTION.replace("cover_opened = 34", "cover_opened = 34, daylight_saving_begun = 3")
    (folder / "meter.toml").write_text(saved)
    start = datetime(2026, 3, 28, 18, tzinfo=UTC)
    outage = "" if dark is None else f"[[outage]]\nat = {dark}\nlength = 3600\n"
    clock = VirtualClock(start, speed=0)
    meters = population(fleet(folder, outage), clock)
    clock.step(first * HOUR)
    with meters.visit(7) as meter:
        meter.settle()
    clock.step((48 - first) * HOUR)
    with meters.visit(7) as meter:
        meter.settle()
        noted = [code for _, code in logged(meter)]
    assert noted == {None: [3], "2026-03-28T22:00:00Z": [31, 32, 3], "2026-03-29T00:30:00Z": [31, 32]}[dark]


def test_the_supply_of_a_description_stays_through_the_outages_of_the_fleet(folder: Path) -> None:
    (folder / "meter.toml").write_text(DESCRIPTION + "[supply]\nclock_reserve = 60\n")
    clock = VirtualClock(AT - HOUR, speed=0)
    meters = population(fleet(folder, SCRIPT), clock)
    with meters.visit(7) as meter:
        meter.settle()
        clock.step(3 * HOUR)
        meter.settle()
        assert meter.clock_invalid is not None
        assert meter.time() == clock.now() - HOUR + timedelta(seconds=60)


@pytest.mark.parametrize("first", [-24.0, 0.5, 24.0])
def test_a_template_comes_through_an_outage_whenever_somebody_came_first(folder: Path, first: float) -> None:
    (folder / "plain.toml").write_text('[meter]\nname = "KFM1"\ntemplate = "shop"\n')
    clock = VirtualClock(AT + first * HOUR, speed=0)
    meters = population(fleet(folder, SCRIPT, name="plain.toml"), clock)
    with meters.visit(7) as meter:
        meter.settle()
    clock.step(48 * HOUR - first * HOUR)
    with meters.visit(7) as meter:
        meter.settle()
        codes = (1, 2, 18, 44)  # those of IDIS
        assert logged(meter)[-4:] == [(at, code) for (at, _), code in zip(HAPPENED, codes, strict=True)]
        rows: Any = meter.value(PROFILE.buffer)
        times = [DateTime.from_octets(bytes(row[0])).to_datetime(UTC).astimezone(UTC) for row in rows]
        assert AT + timedelta(minutes=30) not in times
        assert AT + timedelta(minutes=90) in times
