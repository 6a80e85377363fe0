"""Meters described in TOML: what they become, and errors that name file, table and key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from behaving import run
from cosem.errors import ConfigurationError
from cosem.meter import Access
from cosem.meter.describe import load, parse
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION
from cosem.protocol.model import Data, ProfileGeneric, Register
from cosem.protocol.model.classes.access_control import User
from cosem.protocol.model.classes.push import PushSetupVersion1
from cosem.protocol.model.classes.time_and_event import SpecialDay, SpecialDaysTable
from cosem.protocol.model.declare import REGISTRY
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.values.data import Array, LongUnsigned, OctetString, VisibleString
from cosem.protocol.values.dates import Date
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit
from cosem.store.memory import MemoryCounterStore

WHOLE = """
[meter]
name = "KFM1020012345678"
zone = "Europe/Berlin"
system_title = "4B464D0102030405"

[[device]]
sap = 2
name = "KFMGAS"

[[object]]
class = "Register"
instance = "1.8.0"
value = 12345678
scaler_unit = [0, "Wh"]

[[object]]
class = 1
instance = "0.0.96.1.0.255"
value = { visible-string = "12345678" }
writable = ["value"]

[[object]]
class = 1
device = 2
instance = "7.0.0.0.0.255"
value = { array = [{ long-unsigned = 5 }, 6] }

[[profile]]
instance = "1.0.99.1.0.255"
columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]
period = 900
entries = 96
order = "newest-first"
recomputed = true

[[association]]
client = 1
auth = "gmac"
protection = "auth+enc"
encryption_key = "2B7E151628AED2A6ABF7158809CF4F3C"
authentication_key = "env:COSEM_TEST_AK"
access = "manage"
rules = [{ objects = "0.0.96.1.0.255", access = "none" }, { objects = "1.*.*.8.*.255", attribute = 2, access = "read" }]

[[association]]
client = 32
auth = "low"
password = "env:COSEM_TEST_PASSWORD"
"""


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSEM_TEST_AK", "603DEB1015CA71BE2B73AEF0857D7781")
    monkeypatch.setenv("COSEM_TEST_PASSWORD", "open sesame")


def test_everything_that_can_be_described() -> None:
    meter = parse(WHOLE, counters=MemoryCounterStore())
    assert meter.system_title == bytes.fromhex("4B464D0102030405")
    assert meter.time().utcoffset() in (timedelta(hours=1), timedelta(hours=2))
    assert meter.value(Register("1.0.1.8.0.255").value) == 12345678
    assert meter.value(Register("1.0.1.8.0.255").scaler_unit).unit is Unit.WATT_HOUR
    serial = meter.value(Data("0.0.96.1.0.255").value)
    assert serial == "12345678"
    assert isinstance(serial, VisibleString)
    gas = meter.devices[2]
    assert gas.name == "KFMGAS"
    assert gas.value(Data("7.0.0.0.0.255").value) == Array((LongUnsigned(5), 6))
    rows = meter.value(ProfileGeneric("1.0.99.1.0.255").buffer)
    assert len(rows) == 96
    assert isinstance(rows[0][0], OctetString)
    assert rows[0][0] > rows[1][0], "newest first"


def test_associations_with_their_rules() -> None:
    meter = parse(WHOLE, counters=MemoryCounterStore())
    management, reading, public = meter.management.associations
    assert (management.client, reading.client, public.client) == (1, 32, 16)
    assert management.protection == AUTHENTICATED_ENCRYPTION
    assert public.rights.access is Access.PUBLIC
    assert reading.rights.access is Access.READ
    serial = meter.management.find(Obis("0.0.96.1.0.255"))
    assert serial is not None
    assert management.rights.attribute(serial, 2) == AttributeAccess.NONE
    assert reading.rights.attribute(serial, 2) == AttributeAccess.READ


def test_a_household_in_two_lines() -> None:
    now = datetime(2024, 5, 6, tzinfo=UTC)
    meter = parse('[meter]\nname = "KFM1020000000001"\ntemplate = "household"\nnumber = 5', clock=lambda: now)
    assert meter.value(Register("1.0.1.8.0.255").value) > 1000
    assert not meter.described


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "meter.toml"
    with pytest.raises(ConfigurationError, match=r"meter\.toml"):
        load(path)
    path.write_text("[meter\n")
    with pytest.raises(ConfigurationError, match=r"meter\.toml.*line 1"):
        load(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load(path)
    path.write_text('[meter]\nname = "KFM1"\n')
    assert load(str(path)).name == "KFM1"


METER = '[meter]\nname = "KFM1"\n'
OBJECT = '[[object]]\nclass = "Register"\ninstance = "1.0.1.8.0.255"\n'
PUSH = '[[object]]\nclass = "PushSetup"\ninstance = "0.4.25.9.0.255"\n'
ASSOCIATION = "[[association]]\nclient = 1\n"
EK = 'encryption_key = "2B7E151628AED2A6ABF7158809CF4F3C"\n'
AK = 'authentication_key = "603DEB1015CA71BE2B73AEF0857D7781"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"it: meter: this key is missing"),
        ("[meter]\n", r"it: \[meter\]: name: this key is missing"),
        ("[meter]\nname = 5\n", r"it: \[meter\]: name: expected text"),
        ('[meter]\nname = "a name that is too long"\n', r"it: \[meter\]: .*1 to 16"),
        (METER + 'zone = "Nowhere/City"\n', r"it: \[meter\]: zone: .*no time zone"),
        (METER + 'zone = "../../etc/passwd"\n', r"it: \[meter\]: zone: .*no time zone"),
        (METER + 'system_title = "4B"\n', r"it: \[meter\]: .*8 octets"),
        (METER + 'template = "palace"\n', r"it: \[meter\]: template: .*household"),
        (METER + 'nmae = "x"\n', r"it: \[meter\]: nmae: this key is not known here"),
        (METER + "[[device]]\nsap = 1\nname = 'KFM2'\n", r"it: \[\[device\]\] 1: SAP 1"),
        (METER + "[[obejct]]\nclass = 3\n", r"it: obejct: this key is not known here"),
        (METER + "object = 5\n", r"it: \[meter\]: object: this key is not known here"),
        ("object = 5\n" + METER, r"it: object: expected a list"),
        ("object = [5]\n" + METER, r"it: object: expected tables"),
        (METER + '[[object]]\nclass = "Regster"\n', r"it: \[\[object\]\] 1: class: 'Regster' is no interface class"),
        (METER + "[[object]]\nclass = true\n", r"it: \[\[object\]\] 1: class: True is no interface class"),
        (METER + OBJECT + "version = 5\n", r"\[\[object\]\] 1: version: class 3 has no version 5 here, but 0$"),
        (METER + PUSH + "version = 4\n", r"\[\[object\]\] 1: version: class 40 has no version 4 here, but 0, 1, 2, 3$"),
        (
            METER + PUSH.replace("PushSetup", "PushSetupVersion1") + "version = 0\n",
            r"\[\[object\]\] 1: version: PushSetupVersion1 is version 1; write 40, or leave version out",
        ),
        (METER + '[[object]]\nclass = 3\ninstance = "x"\n', r"it: \[\[object\]\] 1: "),
        (METER + OBJECT + "vlaue = 5\n", r"it: \[\[object\]\] 1 \(1\.0\.1\.8\.0\.255\): vlaue: this key is not known"),
        (METER + OBJECT + 'scaler_unit = [0, "furlong"]\n', r"\[\[object\]\] 1 \(.*\): scaler_unit: .*no unit"),
        (METER + OBJECT + "scaler_unit = [0]\n", r"\[\[object\]\] 1 \(.*\): .*scaler_unit: expected 2 elements"),
        (METER + OBJECT + "value = { long = 99999 }\n", r"\[\[object\]\] 1 \(.*\): value: 99999 does not fit long"),
        (METER + OBJECT + "value = { lung = 9 }\n", r"\[\[object\]\] 1 \(.*\): value: a typed value"),
        (METER + OBJECT + "value = { long = 'x' }\n", r"\[\[object\]\] 1 \(.*\): value: this is no long"),
        (METER + OBJECT + "writable = ['x']\n", r"\[\[object\]\] 1 \(.*\): Register has no attribute 'x'"),
        (METER + OBJECT + "device = 7\n", r"\[\[object\]\] 1: device: there is no logical device with SAP 7"),
        (METER + OBJECT + OBJECT, r"\[\[object\]\] 2 \(.*\): .*already"),
        (
            METER + "[[profile]]\ninstance = '1.0.99.1.0.255'\ncolumns = 5\n",
            r"\[\[profile\]\] 1 \(.*\): columns: expected",
        ),
        (
            METER + "[[profile]]\ninstance = '1.0.99.1.0.255'\ncolumns = ['1.0.9.8.0.255:value']\n",
            r"\[\[profile\]\] 1 \(.*\): columns: 1\.0\.9\.8\.0\.255:value: there is no such object here",
        ),
        (
            METER + OBJECT + "[[profile]]\ninstance = '1.0.99.1.0.255'\ncolumns = ['1/1.0.1.8.0.255/2']\n",
            r"\[\[profile\]\] 1 \(.*\): columns: 1/1\.0\.1\.8\.0\.255/2: there is no such object here",
        ),
        (
            METER + "[[profile]]\ninstance = '1.0.99.1.0.255'\ncolumns = []\nrecomputed = true\n",
            r"\[\[profile\]\] 1 \(.*\): .*capture_period",
        ),
        (METER + "[[association]]\nclient = 300\n", r"\[\[association\]\] 1 \(client 300\): client 300"),
        (METER + "[[association]]\nclient = true\n", r"\[\[association\]\] 1: client: expected a whole number"),
        (METER + ASSOCIATION + "auth = 'loud'\n", r"\[\[association\]\] 1 \(client 1\): auth: "),
        (METER + ASSOCIATION + "auth = 'low'\n", r"\[\[association\]\] 1 \(client 1\): .*password"),
        (METER + ASSOCIATION + "auth = 'md5'\npassword = 'x'\n", r"auth: .*off by default"),
        (METER + ASSOCIATION + "protection = 'enc'\n", r"protection: 'enc' is not known"),
        (METER + ASSOCIATION + "protection = 'auth'\n", r"protection needs keys"),
        (METER + ASSOCIATION + EK, r"authentication_key: an association has both keys or none"),
        (METER + ASSOCIATION + "keys = 'demo'\n", r"keys: demo keys protect nothing"),
        (METER + ASSOCIATION + "access = 'all'\n", r"access: 'all' is not known: write public or read or manage"),
        (
            METER + ASSOCIATION + "rules = [{ objects = '1.x', access = 'read' }]\n",
            r"\[\[association\]\] 1 \(client 1\): rules 1: objects: ",
        ),
        (METER + ASSOCIATION + ASSOCIATION, r"\[\[association\]\] 2 \(client 1\): .*already"),
        (
            METER + ASSOCIATION + AK + "encryption_key = '000102030405060708090A0B0C0D0E0F'\n",
            r"encryption key is printed in manuals",
        ),
    ],
)
def test_refusals_say_where(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse(text, "it", counters=MemoryCounterStore())


def test_keys_without_a_counter_store_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"\(client 1\): .*counter store"):
        parse(METER + ASSOCIATION + EK + AK)


def test_demo_keys_where_they_are_allowed() -> None:
    assert parse(METER + ASSOCIATION + "keys = 'demo'\n", allow_demo_keys=True).demonstration


def test_no_error_shows_a_key() -> None:
    key = "2B7E151628AED2A6ABF7158809CF4F"
    for line in (
        f"encryption_key = '{key}'",
        f"name = ['{key}']",
        f"auth = ['{key}']",
        f"max_receive_pdu_size = '{key}'",
    ):
        with pytest.raises(ConfigurationError) as refused:
            parse(METER + ASSOCIATION + line, counters=MemoryCounterStore())
        assert key[:8] not in str(refused.value)


def test_general_block_transfer_is_granted_where_the_description_says_so() -> None:
    for line, window in (("", 0), ("gbt_window = 16\n", 16)):
        association = parse(METER + ASSOCIATION + line).management.association(1)
        assert association is not None
        assert association.general_block_window == window
    with pytest.raises(ConfigurationError, match="1 to 63 blocks"):
        parse(METER + ASSOCIATION + "gbt_window = 64\n")


def test_users_are_those_that_are_listed() -> None:
    for line, users in (
        ("", None),
        ("users = []\n", ()),
        ('users = ["1 Ann", "255 Ben Nevis"]\n', (User(1, "Ann"), User(255, "Ben Nevis"))),
    ):
        association = parse(METER + ASSOCIATION + line).management.association(1)
        assert association is not None
        assert association.users == users
    for wrong in ('["256 Ann"]', '["Ann"]', '["1"]', "7"):
        with pytest.raises(ConfigurationError, match="a number up to 255 and a name"):
            parse(METER + ASSOCIATION + f"users = {wrong}\n")


def test_null_data_is_an_empty_table_wherever_a_value_may_be_it() -> None:
    """No text could mean it: whatever is written with quotes is that text."""
    meter = parse(
        METER
        + '[[object]]\nclass = 1\ninstance = "0.0.96.1.0.255"\nvalue = {}\n'
        + '[[object]]\nclass = 1\ninstance = "0.0.96.1.1.255"\nvalue = { structure = [{}, "null", { long = 5 }] }\n'
        + '[[object]]\nclass = "PushSetup"\nversion = 1\ninstance = "0.4.25.9.0.255"\n'
        + 'push_object_list = [[1, "0.0.42.0.0.255", 2, 0, [0, {}]]]\n'
    )
    assert meter.value(Data("0.0.96.1.0.255").value) is None
    assert meter.value(Data("0.0.96.1.1.255").value) == (None, b"null", 5)
    (pushed,) = meter.value(PushSetupVersion1("0.4.25.9.0.255").push_object_list)
    assert pushed.restriction.restriction_value is None


def test_null_data_is_refused_where_a_class_has_no_place_for_it() -> None:
    with pytest.raises(ConfigurationError, match=r"\[\[object\]\] 1 \(.*\): .*scaler_unit"):
        parse(METER + OBJECT + "scaler_unit = [{}, 'Wh']\n")


CLASSES = sorted({number for number, _ in REGISTRY})


@pytest.mark.parametrize("class_id", CLASSES)
def test_an_object_has_the_version_that_is_described(class_id: int) -> None:
    versions = sorted(version for number, version in REGISTRY if number == class_id)
    latest = REGISTRY[class_id, versions[-1]].__name__
    for version in (None, *versions):
        for kind in (class_id, f'"{latest}"'):
            said = "" if version is None else f"version = {version}\n"
            content = f'[[object]]\nclass = {kind}\ninstance = "0.0.96.250.0.255"\n{said}'
            item = parse(METER + content).management.find(Obis("0.0.96.250.0.255"))
            assert item is not None
            assert (item.class_id, item.version) == (class_id, versions[-1] if version is None else version)


def test_a_special_days_table_begins_empty() -> None:
    table = SpecialDaysTable("0.0.11.0.0.255")
    meter = parse(METER + '[[object]]\nclass = "SpecialDaysTable"\ninstance = "0.0.11.0.0.255"\n')
    assert meter.value(table.entries) == ()
    day = SpecialDay(1, Date(None, 5, 1), 4)
    run(meter, table.insert, day)
    assert meter.value(table.entries) == (day,)
