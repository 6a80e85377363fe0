"""Companion specifications: what a country, an operator or a group of makers asks of its meters, as data.

Those that come with the package are `companions/*.toml`; a user's own file has the same form:

    name = "my-operator"
    title = "Meters of my operator"
    inherits = "generic"                # one that comes with the package; its objects, logs and lists hold here too
    remove = ["0.0.96.14.0.255"]        # objects of it that do not exist here
    metrology = ["1.*.1-20.8.*.*"]      # what no client may change
    source = ["Technical conditions 2026, https://example.org/conditions.pdf"]
    licence = "facts of a public document"
    rights_of = "management"            # whose rights an access says that is one text; left out, those of everybody
    complete = true                     # a meter has no other objects; left out, true of a file with objects

    [[associations]]
    name = "management"
    client = 1
    mechanism = 5                       # of IEC 62056-5-3; more in `mechanisms`
    ciphered = true
    policy = "authenticated and encrypted"
    suite = 0
    object = "0.0.40.0.0.255"
    security_setup = "0.0.43.0.0.255"
    pre_established = false

    [[logical_devices]]
    sap = 1
    name = "management"

    [[objects]]
    obis = "1.0.1.8.0-4.255"            # a code or a pattern
    class = 3
    version = 0
    name = "Active energy import"       # left out: the name that the catalogue knows
    unit = "Wh"
    scaler = 0
    optional = true                     # not missed where it does not exist; a pattern never is
    attributes = { 2 = { type = "double-long-unsigned", access = "r" }, 3 = { access = { management = "r" } } }
    methods = { 1 = { access = "x" } }

    [[push]]                            # see `cosem.protocol.model.push_list`
    [[han]]                             # how a meter speaks such lists: see `cosem.protocol.model.han`

    [[events]]
    logs = ["0.0.99.98.0.255", "0.0.96.11.0.255"]
    codes = { 1 = "power failure" }

    [[notes]]                           # what a simulated meter notes in a log (see `cosem.meter.events`), by its codes
    log = "0.0.99.98.0.255"
    code = "0.0.96.11.0.255"            # the object that holds the last one
    events = { power_down = 1 }

    [[status]]
    obis = "0.*.96.10.*.255"
    bits = { 7 = "power down" }

    [[bounds]]
    obis = "1.*.14.7.0.255"
    unit = "Hz"
    minimum = 45
    maximum = 55

An attribute may say `type`, `static` (true or false, where it differs from the class), `access` (`r`, `w`, `rw` or
`-`, of every client or by the name of the association) and `value` (the one value that a static attribute has).
Every error is a ConfigurationError that names the file, the table and the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib import resources
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from cosem.errors import ConfigurationError
from cosem.protocol.model import catalogue
from cosem.protocol.model.han import HanRule, han_from
from cosem.protocol.model.push_list import PushedValue, PushList, first_that_fits, push_list_from
from cosem.protocol.model.rights import AttributeAccess, MethodAccess
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.table import Table, tables_of
from cosem.protocol.values.data import TAG_NAMES, Data
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit

T = TypeVar("T")

EVERYBODY: Final = ""
"""Stands for every client where rights are not told apart by association."""

NO_NAMES: Final[Mapping[int, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AssociationRule:
    """One association that a companion describes; what it leaves open is None.

    `mechanisms` are those allowed (identifiers of IEC 62056-5-3), none where that is left open.
    """

    name: str
    client: int
    mechanisms: tuple[int, ...] = ()
    ciphered: bool | None = None
    policy: str | None = None
    suite: int | None = None
    object: Obis | None = None
    security_setup: Obis | None = None
    pre_established: bool = False


@dataclass(frozen=True, slots=True)
class LogicalDeviceRule:
    """A logical device by its server SAP."""

    sap: int
    name: str


@dataclass(frozen=True, slots=True)
class AttributeRule:
    """What is said of one attribute: its type, whether it is static, rights by association, the value it must have.

    `type` is the standard's name of a data type, `access` is by the name of the association or by EVERYBODY.
    """

    index: int
    type: str | None = None
    static: bool | None = None
    access: Mapping[str, AttributeAccess] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    value: Any = None

    def access_of(self, association: str | None, listed: bool = True) -> AttributeAccess | None:
        """The rights of the clients of an association, those of EVERYBODY if it is `listed`; None: nothing is said."""
        return self.access.get(association or EVERYBODY, self.access.get(EVERYBODY) if listed else None)


@dataclass(frozen=True, slots=True)
class MethodRule:
    """What is said of one method: who may run it, by the name of the association or by EVERYBODY."""

    index: int
    access: Mapping[str, MethodAccess] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    def access_of(self, association: str | None, listed: bool = True) -> MethodAccess | None:
        """The rights of the clients of an association, those of EVERYBODY if it is `listed`; None: nothing is said."""
        return self.access.get(association or EVERYBODY, self.access.get(EVERYBODY) if listed else None)


@dataclass(frozen=True, slots=True)
class ObjectRule:
    """One object, or all that a pattern matches.

    `obis` is None for a pattern of several codes; `version` is None where any will do.
    """

    pattern: ObisPattern
    obis: Obis | None
    class_id: int
    version: int | None = None
    name: str | None = None
    unit: Unit | None = None
    scaler: int | None = None
    optional: bool = False
    attributes: Mapping[int, AttributeRule] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    methods: Mapping[int, MethodRule] = field(default_factory=lambda: MappingProxyType({}), hash=False)

    @property
    def required(self) -> bool:
        """Whether a meter without it lacks something."""
        return self.obis is not None and not self.optional


@dataclass(frozen=True, slots=True)
class EventLog:
    """The codes of event logs: `logs` match the profile as well as the object that holds the last code."""

    logs: tuple[ObisPattern, ...]
    codes: Mapping[int, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Notes:
    """What a meter notes in a log, by the name of the event, and the object that holds the last code of it."""

    log: Obis
    code: Obis
    events: Mapping[str, int] = field(hash=False)


@dataclass(frozen=True, slots=True)
class StatusBits:
    """The names of the bits of a status object, 0 for the least significant (the first of a bit-string)."""

    pattern: ObisPattern
    attribute: int
    bits: Mapping[int, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which values a quantity is plausible, both included; None for an open end."""

    pattern: ObisPattern
    unit: Unit
    minimum: Decimal | None
    maximum: Decimal | None

    def plausible(self, quantity: Quantity) -> bool:
        """Tell whether a quantity lies between the bounds; one of another unit does not."""
        if quantity.unit is not self.unit:
            return False
        low, high = self.minimum, self.maximum
        return (low is None or quantity.base >= low) and (high is None or quantity.base <= high)


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a code; `rule` is None where the companion says nothing and the catalogue alone speaks."""

    obis: Obis
    name: str
    class_id: int
    unit: Unit | None
    rule: ObjectRule | None


@dataclass(frozen=True, slots=True)
class Companion:
    """A companion specification with everything it inherits; what is nearer comes first in each tuple.

    `sources` say where its facts were read, `licence` under which terms. `rights_of` is the association whose clients
    see the objects with the rights of EVERYBODY, None when all do. `complete` tells that a meter has no other objects.
    """

    name: str
    title: str
    inherits: str | None
    sources: tuple[str, ...]
    licence: str
    associations: tuple[AssociationRule, ...] = ()
    logical_devices: tuple[LogicalDeviceRule, ...] = ()
    objects: tuple[ObjectRule, ...] = ()
    push_lists: tuple[PushList, ...] = ()
    han_ports: tuple[HanRule, ...] = ()
    event_logs: tuple[EventLog, ...] = ()
    notes: tuple[Notes, ...] = ()
    status_bits: tuple[StatusBits, ...] = ()
    bounds: tuple[Bounds, ...] = ()
    metrology: tuple[ObisPattern, ...] = ()
    rights_of: str | None = None
    complete: bool = False

    def rule(self, obis: Obis | str | bytes, class_id: int | None = None) -> ObjectRule | None:
        """Return what is said of an object, an exact code before a pattern; of `class_id` alone when it is given."""
        code = Obis(obis)
        found = [each for each in self.objects if class_id in (None, each.class_id) and each.pattern.matches(code)]
        return min(found, key=lambda each: each.obis is None, default=None)

    def describe(self, obis: Obis | str | bytes) -> Description:
        """Return name, class and unit of a code; what the companion does not say is what the catalogue knows."""
        code = Obis(obis)
        rule, entry = self.rule(code), catalogue.lookup(code)
        if rule is None:
            return Description(code, entry.name, entry.class_id, entry.unit, None)
        unit = entry.unit if rule.unit is None else rule.unit
        return Description(code, rule.name or entry.name, rule.class_id, unit, rule)

    def association(self, client: int) -> AssociationRule | None:
        """Return the association of a client SAP."""
        return next((each for each in self.associations if each.client == client), None)

    def codes(self, log: Obis | str | bytes) -> Mapping[int, str]:
        """Return the names of the event codes of a log, or of the object that holds its last code."""
        code = Obis(log)
        return _merged(each.codes for each in self.event_logs if any(of.matches(code) for of in each.logs))

    def notes_in(self, log: Obis) -> Notes | None:
        """Return what a meter notes in a log; None where nothing is said of it."""
        return next((each for each in self.notes if each.log == log), None)

    def bits(self, column: CaptureObject) -> Mapping[int, str]:
        """Return the names of the bits of a status; none for what is no status (fits `bits` of `Client.profile`)."""
        return _merged(
            each.bits
            for each in self.status_bits
            if each.attribute == column.attribute_index and each.pattern.matches(column.logical_name)
        )

    def push_list(self, body: Data) -> PushList | None:
        """Return the list that a pushed body has the form of, or None when no list fits."""
        return first_that_fits(self.push_lists, body)

    def pushed(self, body: Data) -> tuple[PushedValue, ...]:
        """Return the values of a pushed body with their names and units; ShapeError when no list fits."""
        return PushList.read_by(self.push_list(body), body)

    def han_port(self, name: str) -> HanRule:
        """Return a customer port by its name; ConfigurationError that lists them for another name."""
        found = next((each for each in self.han_ports if each.name == name), None)
        if found is None:
            there = ", ".join(each.name for each in self.han_ports) or "none"
            raise ConfigurationError(f"{self.name} has no customer port {name!r}; there is {there}")
        return found

    def bounds_of(self, obis: Obis | str | bytes) -> Bounds | None:
        """Return between which values a quantity is plausible, or None when nothing is said."""
        code = Obis(obis)
        return next((each for each in self.bounds if each.pattern.matches(code)), None)

    def is_metrology(self, obis: Obis | str | bytes) -> bool:
        """Tell whether an object is one that no client may change."""
        code = Obis(obis)
        return any(each.matches(code) for each in self.metrology)


def names() -> tuple[str, ...]:
    """Return the names of the companions that come with the package."""
    files = (each.name for each in _folder().iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)))


@cache
def companion(name: str) -> Companion:
    """Return a companion that comes with the package; raise ConfigurationError that lists them for another name."""
    if name not in names():
        raise ConfigurationError(f"there is no companion {name!r}; there are {', '.join(names())}")
    return load(_folder().joinpath(name + _SUFFIX).read_text("utf-8"), f"{name}{_SUFFIX}")


def load(text: str, source: str) -> Companion:
    """Return the companion of a file's text; `source` names the file in errors.

    Raises ConfigurationError that names the table and the key.
    """
    top = Table(source, "", tables_of(text, source))
    name = top.text("name")
    lists = tuple(map(push_list_from, top.tables("push")))
    inherited = top.text("inherits") if "inherits" in top else None
    parent = None if inherited is None else top.guarded(lambda: companion(inherited), "inherits")
    own = Companion(
        name,
        top.text("title"),
        inherited,
        _texts(top, "source"),
        top.text("licence"),
        tuple(map(_association, top.tables("associations"))),
        tuple(map(_logical_device, top.tables("logical_devices"))),
        tuple(map(_object, top.tables("objects"))),
        lists,
        tuple(han_from(each, lists) for each in top.tables("han")),
        tuple(map(_event_log, top.tables("events"))),
        tuple(map(_notes, top.tables("notes"))),
        tuple(map(_status, top.tables("status"))),
        tuple(map(_bounds, top.tables("bounds"))),
        _patterns(top, "metrology", []),
        top.text("rights_of") if "rights_of" in top else None,
        top.boolean("complete", "objects" in top or (parent is not None and parent.complete)),
    )
    removed = _texts(top, "remove", [])
    top.finish()
    _check(top, own, parent, removed)
    whole = own if parent is None else _with(own, parent, removed)
    _check_notes(top, own, whole)
    return whole


_SUFFIX: Final = ".toml"


def _folder() -> Any:
    return resources.files("cosem.protocol.model").joinpath("companions")


def _merged(parts: Iterable[Mapping[int, str]]) -> Mapping[int, str]:
    """Join names by number; what comes first wins."""
    found: dict[int, str] = {}
    for part in parts:
        for number, name in part.items():
            found.setdefault(number, name)
    return MappingProxyType(found) if found else NO_NAMES


def _check(top: Table, own: Companion, parent: Companion | None, removed: tuple[str, ...]) -> None:
    """Refuse what says nothing: an object said twice, rights of an association there is none of, an idle removal."""
    said: set[tuple[str, int]] = set()
    for each in own.objects:
        key = (str(each.pattern), each.class_id)
        if key in said:
            raise top.refusal("objects", f"{each.pattern} of class {each.class_id} is described twice")
        said.add(key)
    known = {each.name for each in (*own.associations, *(parent.associations if parent else ()))} | {EVERYBODY}
    for each in own.objects:
        rights = [*(one.access for one in each.attributes.values()), *(one.access for one in each.methods.values())]
        for association in chain.from_iterable(rights):
            if association not in known:
                raise top.refusal("objects", f"{each.pattern}: there is no association {association!r}")
    inherited = {str(each.pattern) for each in parent.objects} if parent else set[str]()
    for text in removed:
        if text not in inherited:
            raise top.refusal("remove", f"nothing that is inherited has {text!r}")


def _check_notes(top: Table, own: Companion, whole: Companion) -> None:
    """Refuse to note a code that no log has, or twice in one."""
    if len({each.log for each in own.notes}) < len(own.notes):
        raise top.refusal("notes", "a log is described once")
    for each in own.notes:
        known = whole.codes(each.log)
        for event, code in each.events.items():
            if code not in known:
                raise top.refusal("notes", f"{each.log}: {event}: the log has no code {code}")


def _with(own: Companion, parent: Companion, removed: tuple[str, ...]) -> Companion:
    """Return `own` with what it inherits behind it; an object, association or device of its own replaces another."""
    clients = {each.client for each in own.associations}
    saps = {each.sap for each in own.logical_devices}
    objects = {(str(each.pattern), each.class_id) for each in own.objects}
    return Companion(
        own.name,
        own.title,
        own.inherits,
        own.sources,
        own.licence,
        own.associations + tuple(each for each in parent.associations if each.client not in clients),
        own.logical_devices + tuple(each for each in parent.logical_devices if each.sap not in saps),
        own.objects
        + tuple(
            each
            for each in parent.objects
            if (str(each.pattern), each.class_id) not in objects and str(each.pattern) not in removed
        ),
        own.push_lists + parent.push_lists,
        own.han_ports + parent.han_ports,
        own.event_logs + parent.event_logs,
        own.notes + tuple(each for each in parent.notes if own.notes_in(each.log) is None),
        own.status_bits + parent.status_bits,
        own.bounds + parent.bounds,
        own.metrology + parent.metrology,
        own.rights_of or parent.rights_of,
        own.complete,
    )


def _association(table: Table) -> AssociationRule:
    name = table.text("name")
    table.name(name)
    mechanisms = tuple(_numbers(table, "mechanisms", 255)) if "mechanisms" in table else ()
    if "mechanism" in table:
        mechanisms = (_number(table, "mechanism", 255),)
    rule = AssociationRule(
        name,
        _number(table, "client", 0x7F_FF),
        mechanisms,
        table.boolean("ciphered", False) if "ciphered" in table else None,
        table.text("policy") if "policy" in table else None,
        _number(table, "suite", 15) if "suite" in table else None,
        table.optional("object", Obis),
        table.optional("security_setup", Obis),
        table.boolean("pre_established", False),
    )
    table.finish()
    return rule


def _logical_device(table: Table) -> LogicalDeviceRule:
    rule = LogicalDeviceRule(_number(table, "sap", 0x3F_FF), table.text("name"))
    table.finish()
    return rule


def _object(table: Table) -> ObjectRule:
    text = table.text("obis")
    table.name(text)
    pattern = table.guarded(lambda: ObisPattern(text), "obis")
    rule = ObjectRule(
        pattern,
        _exact(text),
        _number(table, "class", 0xFF_FF),
        _number(table, "version", 255) if "version" in table else None,
        table.text("name") if "name" in table else None,
        table.optional("unit", Unit.parse),
        table.integer("scaler") if "scaler" in table else None,
        table.boolean("optional", False),
        _members(table, "attributes", _attribute),
        _members(table, "methods", _method),
    )
    table.finish()
    return rule


def _exact(text: str) -> Obis | None:
    """Return the one code that a pattern stands for, None when it stands for several."""
    try:
        return Obis(text)
    except ConfigurationError:
        return None


def _members(table: Table, key: str, read: Callable[[Table, int], T]) -> Mapping[int, T]:
    """Read a table whose keys are the numbers of attributes or methods."""
    if key not in table:
        return MappingProxyType({})
    inside = table.table(key)
    found = {number: read(inside.table(name), number) for name, number in _numbered(inside)}
    inside.finish()
    return MappingProxyType(found)


def _numbered(table: Table) -> list[tuple[str, int]]:
    """Return the keys of a table with the numbers they are."""
    keys = [(name, _as_number(name)) for name in table]
    for name, number in keys:
        if number is None:
            raise table.refusal(name, "expected a number as key")
    return [(name, number) for name, number in keys if number is not None]


def _as_number(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdecimal() and text.isascii() else None


def _attribute(table: Table, index: int) -> AttributeRule:
    kind = table.text("type") if "type" in table else None
    if kind is not None and kind not in TAG_NAMES.values():
        raise table.refusal("type", f"there is no data type {kind!r}; there are {', '.join(TAG_NAMES.values())}")
    rule = AttributeRule(
        index,
        kind,
        table.boolean("static", False) if "static" in table else None,
        _access(table, _ATTRIBUTE_ACCESS),
        table.given("value", lambda value: value) if "value" in table else None,
    )
    table.finish()
    return rule


def _method(table: Table, index: int) -> MethodRule:
    rule = MethodRule(index, _access(table, _METHOD_ACCESS))
    table.finish()
    return rule


def _access(table: Table, letters: Mapping[str, T]) -> Mapping[str, T]:
    """Read rights: one text for everybody, or one for each association."""

    def one(text: Any) -> T:
        if not isinstance(text, str) or text not in letters:
            raise ConfigurationError(f"{text!r} is no access: write {', '.join(letters)}")
        return letters[text]

    def read(value: Any) -> Mapping[str, T]:
        if isinstance(value, dict):
            return MappingProxyType({name: one(text) for name, text in cast("dict[str, Any]", value).items()})
        return MappingProxyType({EVERYBODY: one(value)})

    return table.given("access", read) if "access" in table else MappingProxyType({})


def _event_log(table: Table) -> EventLog:
    rule = EventLog(_patterns(table, "logs"), _named_numbers(table, "codes"))
    table.finish()
    return rule


def _notes(table: Table) -> Notes:
    inside = table.table("events")
    events = {name: inside.integer(name) for name in inside}
    inside.finish()
    rule = Notes(table.converted("log", Obis), table.converted("code", Obis), MappingProxyType(events))
    table.finish()
    return rule


def _status(table: Table) -> StatusBits:
    rule = StatusBits(
        table.converted("obis", ObisPattern), table.integer("attribute", 2), _named_numbers(table, "bits")
    )
    table.finish()
    return rule


def _bounds(table: Table) -> Bounds:
    rule = Bounds(
        table.converted("obis", ObisPattern),
        table.converted("unit", Unit.parse),
        _decimal(table, "minimum"),
        _decimal(table, "maximum"),
    )
    table.finish()
    return rule


def _named_numbers(table: Table, key: str) -> Mapping[int, str]:
    inside = table.table(key)
    found = {number: inside.text(name) for name, number in _numbered(inside)}
    inside.finish()
    return MappingProxyType(found)


def _decimal(table: Table, key: str) -> Decimal | None:
    def read(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigurationError("expected a number")
        return Decimal(str(value))

    return table.given(key, read) if key in table else None


def _number(table: Table, key: str, most: int) -> int:
    number = table.integer(key)
    if not 0 <= number <= most:
        raise table.refusal(key, f"{number} is not 0 … {most}")
    return number


def _numbers(table: Table, key: str, most: int) -> list[int]:
    numbers = table.sequence(key)
    for number in numbers:
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
            raise table.refusal(key, f"{number!r} is not 0 … {most}")
    return numbers


def _texts(table: Table, key: str, default: list[Any] | None = None) -> tuple[str, ...]:
    texts = table.sequence(key) if default is None else table.sequence(key, default)
    for text in texts:
        if not isinstance(text, str):
            raise table.refusal(key, "expected texts")
    return tuple(texts)


def _patterns(table: Table, key: str, default: list[Any] | None = None) -> tuple[ObisPattern, ...]:
    texts = _texts(table, key, default)
    return table.guarded(lambda: tuple(map(ObisPattern, texts)), key)


_ATTRIBUTE_ACCESS: Final[Mapping[str, AttributeAccess]] = {
    "-": AttributeAccess.NONE,
    "r": AttributeAccess.READ,
    "w": AttributeAccess.WRITE,
    "rw": AttributeAccess.READ_WRITE,
}
_METHOD_ACCESS: Final[Mapping[str, MethodAccess]] = {"-": MethodAccess.NONE, "x": MethodAccess.ACCESS}
