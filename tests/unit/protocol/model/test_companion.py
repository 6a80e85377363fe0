"""Companions: every file that comes with the package, what a user's file may say, and its faults by table and key."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.model import catalogue
from cosem.protocol.model.companion import Companion, ObjectRule, companion, load, names
from cosem.protocol.model.declare import REGISTRY, declared
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit

UNDECLARED_CLASSES: frozenset[tuple[int, int]] = frozenset()
"""Classes and versions of companions that have no declaration here."""

UNDECLARED_ATTRIBUTES = frozenset({(72, 0, 13), (72, 0, 14)})
"""Attributes of companions that their class does not have: DSMR 4.2.2 gives version 0 of M-Bus client two more."""

OTHER_QUANTITIES = ObisPattern("1.0.*.35-38,43-44.124.255")
"""Codes that stand for something else in a companion than their groups say: SMR 5.2 keeps distortions there."""

NOTES = '[[notes]]\nlog = "0.0.99.98.0.255"\ncode = "0.0.96.11.0.255"\nevents = {{ {events} }}\n'
HEAD = 'name = "mine"\ntitle = "Mine"\nsource = ["me"]\nlicence = "none"\n'


@pytest.fixture(params=names())
def shipped(request: pytest.FixtureRequest) -> Companion:
    """Each companion that comes with the package."""
    return companion(request.param)


def _first(rule: ObjectRule) -> Obis:
    """Return one code that a rule is about."""
    if rule.obis is not None:
        return rule.obis
    groups = [group.partition(",")[0].partition("-")[0].replace("*", "0") for group in str(rule.pattern).split(".")]
    return Obis(".".join(groups))


def test_every_companion_names_its_sources_and_carries_the_name_of_its_file(shipped: Companion) -> None:
    assert shipped.name in names()
    assert shipped.sources and all(shipped.sources) and shipped.title and shipped.licence
    assert len({each.client for each in shipped.associations}) == len(shipped.associations)


def test_every_class_version_and_attribute_is_declared_or_a_known_exception(shipped: Companion) -> None:
    for rule in shipped.objects:
        found = declared(rule.class_id, rule.version)
        known = rule.version is None or (rule.class_id, rule.version) in REGISTRY
        if (rule.class_id, rule.version) not in UNDECLARED_CLASSES:
            assert found is not None and known, rule
            for index in rule.attributes:
                exception = (rule.class_id, found.version, index) in UNDECLARED_ATTRIBUTES
                assert index in found.declared_attributes or exception, (rule.pattern, index)


def test_classes_and_units_agree_with_the_catalogue_where_both_know(shipped: Companion) -> None:
    for rule in shipped.objects:
        code = _first(rule)
        entry = catalogue.lookup(code)
        if not entry.known or OTHER_QUANTITIES.matches(code):
            continue
        if {entry.class_id, rule.class_id} <= {3, 4, 5}:
            assert rule.name is None, f"{code} is {entry.name}"
        if rule.unit is not None and entry.unit is not None:
            assert rule.unit is entry.unit, code


def test_units_of_push_lists_agree_with_the_catalogue(shipped: Companion) -> None:
    for listed in shipped.push_lists:
        for item in (*listed.leading, *listed.trailing):
            assert item.obis is not None
            entry = catalogue.lookup(item.obis)
            assert item.unit is None or item.unit is entry.unit, (listed.name, item.obis)


def test_a_later_specification_is_the_earlier_one_with_differences() -> None:
    """The platform from which the facts come lists 86, 103, 107 and so on objects; ours are these and the generic."""
    counts = {name: len(companion(name).objects) for name in names() if name.startswith(("dsmr", "smr"))}
    generic = sum(rule.class_id != 15 and str(rule.pattern) != "0.0.1.0.0.255" for rule in companion("generic").objects)
    assert counts == {
        "dsmr-4.2.2": 86 + generic,
        "smr-5.0": 103 + generic,
        "smr-5.1": 107 + generic,
        "smr-5.2": 146 + generic,
        "smr-5.5": 150 + generic,
    }
    old, new = companion("dsmr-4.2.2").codes("0.0.99.98.5.255"), companion("smr-5.0").codes("0.0.99.98.5.255")
    assert (old[80], new[80]) == ("PV voltage sag L1", "over voltage L1")
    assert old[86] == new[86] == "phase outage L1"


def test_describing_a_code_says_what_the_companion_or_else_the_catalogue_knows() -> None:
    dutch = companion("dsmr-4.2.2")
    log = dutch.describe("0.0.99.98.1.255")
    assert (log.name, log.class_id) == ("Event log containing all fraud detection events", 7)
    energy = dutch.describe("1.0.1.8.1.255")
    assert energy.rule is not None and energy.rule.unit is Unit.WATT_HOUR
    assert energy.name == catalogue.lookup("1.0.1.8.1.255").name
    other = dutch.describe("1.0.21.29.3.255")
    assert other.rule is None and other.name == catalogue.lookup("1.0.21.29.3.255").name


def test_bits_and_codes_have_names_where_the_object_is_theirs() -> None:
    dutch = companion("smr-5.2")
    status = CaptureObject(1, Obis("0.0.96.10.2.255"), 2)
    assert dutch.bits(status)[7] == "power down"
    assert not dutch.bits(CaptureObject(3, Obis("1.0.1.8.0.255"), 2))
    assert not dutch.bits(CaptureObject(1, Obis("0.0.96.10.2.255"), 1))
    indian = companion("is-15959")
    assert indian.codes("0.0.99.98.6.255") == {301: "load disconnected", 302: "load connected"}
    assert indian.codes(Obis("0.0.96.11.5.255")) == {251: "meter cover opened"}
    assert indian.bits(CaptureObject(1, Obis("0.0.94.91.18.255"), 2))[85] == "last gasp"
    assert companion("generic").codes("0.0.99.98.0.255") == {}


def test_what_is_noted_is_inherited_log_by_log() -> None:
    log, fraud = Obis("0.0.99.98.0.255"), Obis("0.0.99.98.1.255")
    inheriting = load(HEAD + 'inherits = "dsmr-4.2.2"\n' + NOTES.format(events="power_down = 12"), "mine.toml")
    notes, inherited = inheriting.notes_in(log), inheriting.notes_in(fraud)
    assert notes is not None and dict(notes.events) == {"power_down": 12} and notes.code == Obis("0.0.96.11.0.255")
    assert inherited is not None and inherited == companion("dsmr-4.2.2").notes_in(fraud)
    assert companion("generic").notes_in(log) is None


def test_bounds_tell_what_is_plausible() -> None:
    found = companion("norway").bounds_of("1.0.14.7.0.255")
    assert found is not None
    assert found.plausible(Quantity(Decimal("49.98"), Unit.HERTZ))
    assert not found.plausible(Quantity(Decimal("4.998"), Unit.HERTZ))
    assert not found.plausible(Quantity(Decimal("49.98"), Unit.VOLT))
    assert companion("norway").bounds_of("1.0.32.7.0.255") is None


@pytest.mark.parametrize(
    ("code", "measured"),
    [
        ("1.0.1.8.0.255", True),
        ("1.0.1.8.1.101", True),
        ("1.0.32.7.0.255", True),
        ("1.0.0.2.0.255", True),
        ("7.1.3.0.0.255", True),
        ("6.0.1.0.0.255", True),
        ("0.0.1.0.0.255", False),
        ("1.0.99.1.0.255", False),
        ("0.0.96.1.0.255", False),
    ],
)
def test_metrology_is_what_was_measured_and_what_measures_it(code: str, measured: bool) -> None:
    assert companion("generic").is_metrology(code) is measured


def test_a_file_of_a_user_inherits_replaces_and_removes() -> None:
    mine = load(
        HEAD
        + """
inherits = "dsmr-4.2.2"
remove = ["0.0.96.1.0.255"]
metrology = ["0.0.96.13.0.255"]

[[associations]]
name = "installer"
client = 3

[[objects]]
obis = "0.0.1.0.0.255"
class = 8
version = 0
name = "The clock"
attributes = { 2 = { type = "octet-string", access = { installer = "rw", public = "r" } }, 9 = { value = 1 } }
methods = { 3 = { access = "x" } }

[[objects]]
obis = "1.*.32,52,72.7.0.255"
class = 3
unit = "V"
scaler = -1
""",
        "mine.toml",
    )
    clock = mine.rule("0.0.1.0.0.255")
    assert clock is not None and clock.name == "The clock"
    assert clock.attributes[2].access_of("installer") is AttributeAccess.READ_WRITE
    assert clock.attributes[2].access_of("management") is None
    assert clock.attributes[9].value == 1 and clock.methods[3].access_of("anybody") is not None
    assert mine.rule("0.0.96.1.0.255") is None
    assert mine.rule("0.0.96.1.1.255") is not None
    pattern = mine.rule("1.0.52.7.0.255", 3)
    assert pattern is not None and pattern.obis is not None
    other = mine.rule("1.7.52.7.0.255")
    assert other is not None and other.unit is Unit.VOLT and not other.required
    assert mine.association(3) is not None and mine.association(16) is not None and mine.association(99) is None
    assert mine.is_metrology("0.0.96.13.0.255") and mine.rights_of == "management"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "mine.toml: "),
        ("title = 'x'", "mine.toml: name: this key is missing"),
        (HEAD + 'inherits = "none"', "mine.toml: inherits: there is no companion 'none'; there are austria"),
        (HEAD + 'sauce = "x"', "mine.toml: sauce: this key is not known here"),
        (HEAD + "source = 3", "mine.toml: "),
        (HEAD + 'remove = ["1.0.1.8.0.255"]', "mine.toml: remove: nothing that is inherited has"),
        (HEAD + "metrology = [1]", "mine.toml: metrology: expected texts"),
        (HEAD + 'metrology = ["x"]', "mine.toml: metrology: "),
        (HEAD + "[[objects]]\nclass = 3", "mine.toml: [[objects]] 1: obis: this key is missing"),
        (HEAD + '[[objects]]\nobis = "1.8.0"', "mine.toml: [[objects]] 1 (1.8.0): class: this key is missing"),
        (HEAD + '[[objects]]\nobis = "9.9.9.9.9.9.9"\nclass = 3', "[[objects]] 1 (9.9.9.9.9.9.9): obis: "),
        (HEAD + '[[objects]]\nobis = "1.8.0"\nclass = 99999', "(1.8.0): class: 99999 is not 0 … 65535"),
        (HEAD + '[[objects]]\nobis = "1.8.0"\nclass = 3\nunit = "parsec"', "(1.8.0): unit: "),
        (
            HEAD + '[[objects]]\nobis = "1.8.0"\nclass = 3\nattributes = { two = {} }',
            "(1.8.0): attributes: two: expected a number as key",
        ),
        (
            HEAD + '[[objects]]\nobis = "1.8.0"\nclass = 3\nattributes = { 2 = { type = "number" } }',
            "(1.8.0): attributes: 2: type: there is no data type 'number'",
        ),
        (
            HEAD + '[[objects]]\nobis = "1.8.0"\nclass = 3\nattributes = { 2 = { access = "rx" } }',
            "(1.8.0): attributes: 2: access: 'rx' is no access: write -, r, w, rw",
        ),
        (
            HEAD + '[[objects]]\nobis = "1.8.0"\nclass = 3\nattributes = { 2 = { access = { boss = "r" } } }',
            "mine.toml: objects: 1.8.0: there is no association 'boss'",
        ),
        (
            HEAD + '[[objects]]\nobis = "1.8.0"\nclass = 3\n[[objects]]\nobis = "1.8.0"\nclass = 3',
            "mine.toml: objects: 1.8.0 of class 3 is described twice",
        ),
        (HEAD + '[[events]]\nlogs = ["x"]\ncodes = {}', "mine.toml: [[events]] 1: logs: "),
        (HEAD + "[[events]]\nlogs = []\ncodes = { 1 = 2 }", "mine.toml: [[events]] 1: codes: 1: expected text"),
        (
            HEAD + NOTES.format(events="power_down = 7"),
            "mine.toml: notes: 0.0.99.98.0.255: power_down: the log has no code 7",
        ),
        (HEAD + NOTES.format(events='power_down = "1"'), "[[notes]] 1: events: power_down: expected a whole number"),
        (HEAD + 2 * NOTES.format(events=""), "mine.toml: notes: a log is described once"),
        (HEAD + '[[status]]\nobis = "1.8.0"\nbits = { a = "x" }', "[[status]] 1: bits: a: expected a number as key"),
        (HEAD + '[[bounds]]\nobis = "1.8.0"\nunit = "Wh"\nminimum = "0"', "[[bounds]] 1: minimum: expected a number"),
        (HEAD + '[[associations]]\nname = "a"\nclient = -1', "[[associations]] 1 (a): client: -1 is not 0 … 32767"),
        (HEAD + '[[associations]]\nname = "a"\nclient = 1\nmechanisms = ["x"]', "(a): mechanisms: 'x' is not 0 … 255"),
        (HEAD + "[[logical_devices]]\nsap = 1", "[[logical_devices]] 1: name: this key is missing"),
        (HEAD + '[[push]]\nname = "a"', "[[push]] 1 (a): a list tells at least one value"),
        (HEAD + '[[push]]\nname = "a"\nleading = [{ obis = "*.8.0" }]', "[[push]] 1 (a): leading 1: obis: "),
    ],
)
def test_every_fault_of_a_file_names_the_table_and_the_key(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(text, "mine.toml")
    assert says in str(caught.value)


def test_an_unknown_companion_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no companion 'x'; there are austria, .*water"):
        companion("x")
