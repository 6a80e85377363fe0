"""Meters that have what a companion asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.meter import Access, Meter
from cosem.meter.by_companion import CompanionRights, furnish_by
from cosem.meter.describe import load, parse
from cosem.meter.events import MeterEvent
from cosem.meter.logical_device import LogicalDevice
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.companion import companion, names
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, OctetString
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.store.memory import MemoryCounterStore

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ENERGY = Register("1.0.1.8.1.255")
VOLTAGE = Register("1.0.32.7.0.255")


def dutch(*lines: str) -> Meter:
    text = '[meter]\nname = "KFM1020000000001"\ncompanion = "smr-5.0"\n'
    return parse(text + "\n".join(lines), clock=lambda: NOON)


def attribute(device: LogicalDevice, code: str, index: int, client: int) -> AttributeAccess:
    association = device.association(client)
    item = device.find(Obis(code))
    assert association is not None and item is not None
    return association.rights.attribute(item, index)


@pytest.mark.parametrize("name", names())
def test_every_companion_has_its_required_objects(name: str) -> None:
    meter = Meter("KFM1020000000001", clock=lambda: NOON)
    furnish_by(companion(name), meter.management)
    for rule in companion(name).objects:
        if rule.required and rule.class_id != 15:
            assert rule.obis is not None
            item = meter.management.find(rule.obis)
            assert item is not None and item.class_id == rule.class_id, rule.obis
            for index in item.attributes():
                item.read(meter.management.visit(), index)


def test_registers_follow_a_load_in_the_unit_and_type_of_the_companion() -> None:
    times = [NOON]
    meter = parse('[meter]\nname = "KFM1020000000001"\ncompanion = "smr-5.0"\n', clock=lambda: times[-1])
    assert meter.value(ENERGY.scaler_unit).unit is Unit.WATT_HOUR
    before = meter.value(ENERGY.value)
    times.append(NOON + timedelta(days=1))
    assert type(before) is DoubleLongUnsigned and meter.value(ENERGY.value) > before
    assert meter.value(VOLTAGE.scaler_unit).scaler == -1
    volts = meter.value(VOLTAGE.value)
    assert type(volts) is LongUnsigned and 2_000 < volts < 2_600


def test_the_associations_of_the_companion_have_keys_of_their_own() -> None:
    one, other = dutch(), dutch()
    manager = one.management.association(1)
    assert manager is not None and manager.keys is not None and manager.protection == AUTHENTICATED_ENCRYPTION
    assert [each.client for each in one.management.associations] == [16, 1, 102]
    twin = other.management.association(1)
    assert twin is not None and twin.keys is not None
    assert not manager.keys.encryption.equals(twin.keys.encryption.reveal())


def test_an_association_takes_what_it_leaves_out_from_the_companion() -> None:
    keys = (
        'encryption_key = "2B7E151628AED2A6ABF7158809CF4F3C"',
        'authentication_key = "603DEB1015CA71BE2B73AEF0857D7781"',
    )
    text = "\n".join(('[meter]\nname = "KFM1020000000001"\ncompanion = "smr-5.0"\n[[association]]\nclient = 1', *keys))
    manager = parse(text, counters=MemoryCounterStore()).management.association(1)
    assert (
        manager is not None
        and manager.keys is not None
        and manager.keys.encryption.equals(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"))
    )
    assert (manager.name, manager.mechanism.name, manager.protection) == (
        "management",
        "gmac",
        AUTHENTICATED_ENCRYPTION,
    )
    assert isinstance(manager.rights, CompanionRights) and manager.rights.access is Access.MANAGE


def test_rights_are_those_of_the_companion() -> None:
    device = dutch().management
    assert attribute(device, "0.1.94.31.3.255", 2, 1) == AttributeAccess.READ_WRITE
    assert attribute(device, "0.0.96.1.1.255", 2, 1) == AttributeAccess.READ
    assert attribute(device, "0.1.94.31.3.255", 2, 16) == AttributeAccess.NONE


def test_tables_take_the_place_of_what_the_companion_has() -> None:
    meter = dutch(
        "[[object]]",
        'class = "Register"',
        'instance = "1.0.1.8.1.255"',
        "value = 5",
        'scaler_unit = [3, "Wh"]',
        "[[profile]]",
        'instance = "1.0.99.1.1.255"',
        'columns = ["0.0.1.0.0.255:time", "1.0.1.8.2.255:value"]',
        "period = 900",
    )
    assert meter.value(ENERGY.value) == 5
    columns = meter.value(ProfileGeneric("1.0.99.1.1.255").capture_objects)
    assert [each.logical_name for each in columns] == [Clock().instance, Obis("1.0.1.8.2.255")]


def test_a_register_of_another_class_in_its_place_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"1\.0\.1\.8\.1\.255: smr-5\.0 has it in class 3, not 1"):
        dutch("[[object]]", "class = 1", 'instance = "1.0.1.8.1.255"', "value = 5")


def test_a_companion_that_says_nothing_of_readers_leaves_the_meter_open() -> None:
    meter = parse('[meter]\nname = "KFM1020000000001"\ncompanion = "gas"\n', clock=lambda: NOON)
    assert not meter.described
    assert meter.value(Register("7.0.3.0.0.255").scaler_unit).unit is Unit.CUBIC_METRE


def test_a_companion_may_be_a_file_beside_the_description(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\ntitle = "Mine"\ninherits = "generic"\nsource = ["mine"]\nlicence = "mine"\n'
        'rights_of = "reader"\n[[associations]]\nname = "reader"\nclient = 2\nmechanism = 1\nciphered = false\n'
        '[[objects]]\nobis = "0.0.96.1.0.255"\nclass = 1\n'
        'attributes = { 2 = { type = "octet-string", access = "r" } }\n'
    )
    (tmp_path / "meter.toml").write_text('[meter]\nname = "KFM1020000000001"\ncompanion = "mine.toml"\n')
    meter = load(tmp_path / "meter.toml", clock=lambda: NOON)
    reader = meter.management.association(2)
    assert reader is not None and reader.mechanism.name == "low" and isinstance(reader.rights, CompanionRights)
    assert reader.rights.access is Access.MANAGE
    assert meter.value(Data("0.0.96.1.0.255").value) == OctetString(b"KFM1020000000001")


def test_an_unknown_companion_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"\[meter\]: companion: there is no companion 'x'; there are austria"):
        parse('[meter]\nname = "KFM1020000000001"\ncompanion = "x"\n')


# -- event logs --------------------------------------------------------------------------------------------------------

DOWN = datetime(2026, 7, 1, 13, tzinfo=UTC)
NOTED = {
    "idis": {0: [2, 1, 2, 4, 5], 1: [], 2: []},
    "smr-5.0": {0: [2, 1, 2, 4, 5], 1: []},
    "smr-5.5": {0: [2, 1, 2, 4, 5], 1: []},
    "dsmr-4.2.2": {0: [2, 1, 2, 4, 5], 1: []},
    "is-15959": {2: [102, 101, 102], 3: [151], 5: [], 6: []},
    "spodes": {2: [2, 1, 2], 4: [], 5: [], 6: []},
}
"""By companion and log: the codes after ten minutes without power and a clock that was set by an hour."""


def rows_of(meter: Meter, log: int) -> list[tuple[datetime, int]]:
    rows: Any = meter.value(ProfileGeneric(f"0.0.99.98.{log}.255").buffer)
    return [(DateTime.from_octets(bytes(row[0])).to_datetime(UTC), int(row[1])) for row in rows]


@pytest.mark.parametrize("name", NOTED)
def test_event_logs_note_by_the_codes_of_the_companion(name: str) -> None:
    times = [NOON]
    power = f"[[power]]\nat = {DOWN:%Y-%m-%dT%H:%M:%SZ}\nlength = 600\n"
    text = f'[meter]\nname = "KFM1020000000001"\ncompanion = "{name}"\n{power}'
    meter = parse(text, clock=lambda: times[-1], counters=MemoryCounterStore())
    times.append(DOWN + timedelta(hours=1))
    meter.set_time(meter.time() + timedelta(hours=1))
    found = {log: rows_of(meter, log) for log in NOTED[name]}
    assert {log: [code for _, code in rows] for log, rows in found.items()} == NOTED[name]
    (noted, *_) = found.values() if 0 in found else [found[2]]
    assert [at for at, _ in noted[:3]] == [NOON, DOWN, DOWN + timedelta(minutes=10)]
    if 0 in found:
        assert [at for at, _ in noted[3:]] == [DOWN + timedelta(hours=1), DOWN + timedelta(hours=2)]


@pytest.mark.parametrize("name", names())
def test_companions_note_what_meters_know(name: str) -> None:
    for notes in companion(name).notes:
        assert notes.events.keys() <= {each.value for each in MeterEvent}, notes.log


def test_a_log_of_the_description_notes_what_that_says() -> None:
    log = ProfileGeneric("0.0.99.98.0.255")
    meter = dutch(
        '[[object]]\nclass = "Data"\ninstance = "0.0.96.11.0.255"\nvalue = { long-unsigned = 0 }\n',
        '[[profile]]\ninstance = "0.0.99.98.0.255"\ncolumns = ["0.0.96.11.0.255:value"]\nevents = { power_up = 700 }',
    )
    rows: Any = meter.value(log.buffer)
    assert [int(row[0]) for row in rows] == [700]


def test_a_companion_that_notes_what_no_meter_knows_is_refused(tmp_path: Path) -> None:
    own = (
        'name = "own"\ntitle = "own"\nsource = ["none"]\nlicence = "none"\n'
        '[[objects]]\nobis = "0.0.99.98.0.255"\nclass = 7\n'
        '[[events]]\nlogs = ["0.0.99.98.0.255"]\ncodes = { 1 = "rain" }\n'
        '[[notes]]\nlog = "0.0.99.98.0.255"\ncode = "0.0.96.11.0.255"\nevents = { rain = 1 }\n'
    )
    (tmp_path / "own.toml").write_text(own)
    (tmp_path / "meter.toml").write_text('[meter]\nname = "KFM1020000000001"\ncompanion = "own.toml"\n')
    with pytest.raises(ConfigurationError, match="'rain' is not known"):
        load(tmp_path / "meter.toml")
