"""A meter described in TOML: its objects and their values, profiles, logical devices and associations.

    [meter]
    name = "KFM1020012345678"           # logical device name
    zone = "Europe/Berlin"
    template = "household"              # begin with the objects of a household meter; or gama100, gama300

    [[object]]
    class = "Register"                  # or 3
    instance = "1.0.1.8.0.255"
    base_name = 0x0100                  # for clients that use short names; left out, the object gets one
    value = 12345678                    # or with its type: { long64-unsigned = 12345678 }
    scaler_unit = [0, "Wh"]

    [[profile]]
    instance = "1.0.99.1.0.255"
    columns = ["0.0.1.0.0.255:time", "1.0.1.8.0.255:value"]
    period = 900
    entries = 960
    order = "largest"                   # or smallest, nearest-to-zero, farthest-from-zero, newest-first; left out:
    sort_by = "1.0.1.8.0.255:value"     # oldest-first. The column that these four sort by

    events = { power_up = 2 }           # an event log: what is noted, by the codes of a companion (see MeterEvent);
                                        # the code goes into the Data object among its columns

    [[association]]
    client = 1
    auth = "gmac"                       # or none, low, sha256, ecdsa
    protection = "auth+enc"
    suite = 0                           # or 1, 2
    encryption_key = "file:ek.hex"      # or env:NAME, or hex
    authentication_key = "file:ak.hex"
    # with ecdsa: signing_key = "file:meter.pem", client_signing_key = "file:client-public.pem"
    # certificate = "file:meter-certificate.pem", told to clients that do not know signing_key yet
    # for general-ciphering: master_key, agreement_key, client_agreement_key; for messages to many: broadcast_key
    access = "manage"                   # public, read or manage
    naming = "ln+sn"                    # by logical names, by short names (sn), or by either; left out: ln
    compression = true                  # compress in general envelopes of suites 1 and 2 (V.44)
    users = ["1 Ann", "7 Ben"]          # who of the client's users may come in; left out, nobody is listed
    gbt_window = 16                     # grant general block transfer, and take so many blocks in a row
    rules = [{ objects = "1.*.*.8.*.255", access = "read" }]

Attributes of an object are named as the class names them. A structure is a list of its elements, and an array one of
those: `executed_script = ["0.0.10.0.1.255", 1]`; logical names, dates, times and units are written as text
(`execution_time = [["00:00:00", "*-*-01"]]`, open fields as `*`), and what may be of any type with its type:
`{ integer = 0 }`. `writable` names what managing clients may write, and methods such as `reset` of a register that
otherwise the meter alone runs. A demand register has what it averages as `current_average_value =
"1.0.1.8.0.255:value"`. Every error names the file, the table and the key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, tzinfo
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from zoneinfo import ZoneInfo

from cosem.errors import ConfigurationError
from cosem.io import credentials
from cosem.meter import gama
from cosem.meter.associations import (
    BY_EITHER_NAMES,
    BY_LOGICAL_NAMES,
    PUBLIC_ASSOCIATION,
    PUBLIC_CLIENT,
    AssociationDescription,
    Keys,
    demo_keys,
)
from cosem.meter.behaviour.profile_generic import DEFAULT_ENTRIES, RECOMPUTED
from cosem.meter.demo import furnish
from cosem.meter.device import MANAGEMENT, LogicalDevice, Meter, system_clock
from cosem.meter.events import MeterEvent
from cosem.meter.rights import Access, Rights, Rule
from cosem.meter.values import encode_value
from cosem.protocol.association.context import Naming
from cosem.protocol.association.counter import CounterStore
from cosem.protocol.association.layers import GeneralKeys
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto.key import octets_from_hex
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret, Signatures, named
from cosem.protocol.model import catalogue
from cosem.protocol.model.classes.access_control import GREATEST_USER, User
from cosem.protocol.model.classes.data_storage import ProfileGeneric, SortMethod
from cosem.protocol.model.declare import REGISTRY, InterfaceClass, declared
from cosem.protocol.model.reference import parse_reference
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.shape import ANY, Shape, StructureShape, shape_of
from cosem.protocol.model.table import Table
from cosem.protocol.values import data as tags
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis, ObisPattern
from cosem.protocol.values.units import Unit

T = TypeVar("T")

PROTECTIONS: Final[Mapping[str, Protection]] = {
    "none": Protection.NONE,
    "auth": Protection.AUTHENTICATION,
    "auth+enc": AUTHENTICATED_ENCRYPTION,
    "auth+enc+sign": AUTHENTICATED_ENCRYPTION | Protection.SIGNATURE,
}
GRANTS: Final[Mapping[str, AttributeAccess]] = {
    "none": AttributeAccess.NONE,
    "read": AttributeAccess.READ,
    "write": AttributeAccess.WRITE,
    "read-write": AttributeAccess.READ_WRITE,
}
ORDERS: Final[Mapping[str, SortMethod]] = {
    "oldest-first": SortMethod.FIRST_IN_FIRST_OUT,
    "newest-first": SortMethod.LAST_IN_FIRST_OUT,
    "largest": SortMethod.LARGEST,
    "smallest": SortMethod.SMALLEST,
    "nearest-to-zero": SortMethod.NEAREST_TO_ZERO,
    "farthest-from-zero": SortMethod.FAREST_FROM_ZERO,
}
NAMINGS: Final[Mapping[str, frozenset[Naming]]] = {
    **{each.value: frozenset((each,)) for each in Naming},
    "+".join(each.value for each in Naming): BY_EITHER_NAMES,
}
DEMO: Final = "demo"


def load(
    path: Path | str,
    *,
    counters: CounterStore | None = None,
    clock: Callable[[], datetime] = system_clock,
    allow_demo_keys: bool = False,
) -> Meter:
    """Return the meter that a TOML file describes.

    Args:
        path: the file.
        counters: keeps invocation counters over restarts; needed where keys are described.
        clock: the true time.
        allow_demo_keys: accept `keys = "demo"`, the published example keys.

    Raises:
        ConfigurationError: with file, table and key.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else "it is no UTF-8 text"
        raise ConfigurationError(f"cannot read {path}: {reason}") from None
    return parse(text, str(path), counters=counters, clock=clock, allow_demo_keys=allow_demo_keys)


def parse(
    text: str,
    source: str = "description",
    *,
    counters: CounterStore | None = None,
    clock: Callable[[], datetime] = system_clock,
    allow_demo_keys: bool = False,
) -> Meter:
    """Return the meter that `text` describes; `source` names it in errors (see `load`)."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source}: {error}") from None
    whole = Table(source, "", content)
    meter = _meter(whole.table("meter"), counters, clock)
    for table in whole.tables("device"):
        _add_device(meter, table)
    for table in whole.tables("object"):
        _add_object(meter, table)
    for table in whole.tables("profile"):
        _add_profile(meter, table)
    for table in whole.tables("association"):
        _offer(meter, table, allow_demo_keys)
    if meter.described and meter.management.association(PUBLIC_CLIENT) is None:
        naming = frozenset(chain.from_iterable(each.naming for each in meter.management.associations))
        meter.offer(replace(PUBLIC_ASSOCIATION, naming=naming or BY_LOGICAL_NAMES))
    whole.finish()
    return meter


def _meter(table: Table, counters: CounterStore | None, clock: Callable[[], datetime]) -> Meter:
    name = table.text("name")
    title = table.optional("system_title", octets_from_hex)
    zone = table.optional("zone", _zone) or UTC
    template = table.optional("template", _named(_TEMPLATES))
    number = table.integer("number", 0)
    table.finish()
    meter = table.guarded(lambda: Meter(name, zone=zone, clock=clock, counters=counters, system_title=title))
    if template is not None:
        template(meter, number)
    return meter


def _add_device(meter: Meter, table: Table) -> None:
    sap, name = table.integer("sap"), table.text("name")
    table.finish()
    table.guarded(lambda: meter.add_device(sap, name))


def _add_object(meter: Meter, table: Table) -> None:
    device = _device(meter, table)
    version = table.optional_integer("version")
    kind = table.given("class", lambda given: _interface_class(given, version))
    instance = table.text("instance")
    address = table.guarded(lambda: kind(instance))
    table.name(instance)
    writable = tuple(str(name) for name in table.sequence("writable", []))
    base_name = table.optional_integer("base_name")
    values: dict[str, object] = {}
    for attribute in address.declared_attributes.values():
        if attribute.name in table:
            values[attribute.name] = table.given(attribute.name, partial(_value, attribute.shape))
    table.finish()
    table.guarded(lambda: device.add(address, writable=writable, base_name=base_name, **values))


def _add_profile(meter: Meter, table: Table) -> None:
    device = _device(meter, table)
    instance = table.text("instance")
    address = table.guarded(lambda: ProfileGeneric(instance))
    table.name(instance)
    columns = table.given("columns", partial(_columns, device))
    values: dict[str, object] = {
        "capture_objects": columns,
        "capture_period": table.integer("period", 0),
        "profile_entries": table.integer("entries", DEFAULT_ENTRIES),
        "sort_method": table.converted("order", _named(ORDERS), SortMethod.FIRST_IN_FIRST_OUT),
    }
    if "sort_by" in table:
        values["sort_object"] = table.given("sort_by", lambda given: _column(device, str(given)))
    base_name = table.optional_integer("base_name")
    if table.boolean("recomputed", False):
        values["buffer"] = RECOMPUTED
    codes = table.given("events", _codes) if "events" in table else None
    table.finish()
    table.guarded(lambda: device.add(address, writable=(), base_name=base_name, **values))
    if codes is not None:
        table.guarded(lambda: device.record(address, codes), "events")


def _offer(meter: Meter, table: Table, allow_demo_keys: bool) -> None:
    device = _device(meter, table)
    client = table.integer("client")
    table.name(f"client {client}")
    name = table.text("name", "")
    mechanism = table.converted("auth", named, MECHANISMS[0])
    secret = _secret(table, mechanism)
    certificate = table.optional("certificate", credentials.certificate)
    keys = _keys(table, allow_demo_keys)
    protection = table.converted("protection", _named(PROTECTIONS), Protection.NONE)
    usual = Access.PUBLIC if client == PUBLIC_CLIENT and not mechanism.identifier else Access.READ
    access = table.converted("access", _named({each.value: each for each in Access}), usual)
    naming = table.converted("naming", _named(NAMINGS), BY_LOGICAL_NAMES)
    rules = tuple(_rule(rule) for rule in table.tables("rules"))
    pdu_size = table.integer("max_receive_pdu_size", 1024)
    window = table.integer("gbt_window", 0)
    pre_established = table.boolean("pre_established", False)
    client_title = table.optional("client_title", octets_from_hex)
    broadcast = table.given("broadcast", _methods) if "broadcast" in table else frozenset[tuple[int, int]]()
    compression = table.boolean("compression", False)
    users = table.given("users", _users) if "users" in table else None
    table.finish()

    def offer() -> None:
        device.offer(
            AssociationDescription(
                client=client,
                name=name,
                mechanism=mechanism,
                secret=secret,
                certificate=certificate,
                keys=keys,
                protection=protection,
                rights=Rights(access, rules),
                naming=naming,
                max_receive_pdu_size=pdu_size,
                general_block_window=window,
                pre_established=pre_established,
                client_title=client_title,
                broadcast=broadcast,
                users=users,
                compression=compression,
            )
        )

    table.guarded(offer)


def _secret(table: Table, mechanism: Mechanism) -> SharedSecret | None:
    """Return the password or HLS secret, or the signing keys where the mechanism takes these in its place."""
    if not mechanism.signatures:
        return table.optional("password", credentials.password)
    signing_key = table.converted("signing_key", credentials.private_key)
    return Signatures(signing_key, table.converted("client_signing_key", credentials.public_key))


def _keys(table: Table, allow_demo_keys: bool) -> Keys | None:
    suite = table.integer("suite", 0)
    broadcast, general = table.optional("broadcast_key", credentials.key), _general_keys(table)
    if "keys" in table:
        table.converted("keys", _named({DEMO: DEMO}))
        if not allow_demo_keys:
            raise table.refusal("keys", "demo keys protect nothing and must be allowed where the meter is started")
        demo = table.guarded(lambda: demo_keys(suite), "suite")
        return table.guarded(lambda: replace(demo, broadcast=broadcast, general=general))
    encryption = table.optional("encryption_key", credentials.key)
    authentication = table.optional("authentication_key", credentials.key)
    if encryption is None and authentication is None:
        return None
    if encryption is None or authentication is None:
        missing = "encryption_key" if encryption is None else "authentication_key"
        raise table.refusal(missing, "an association has both keys or none")
    return table.guarded(lambda: Keys(encryption, authentication, suite=suite, broadcast=broadcast, general=general))


def _general_keys(table: Table) -> GeneralKeys:
    return GeneralKeys(
        master_key=table.optional("master_key", credentials.key),
        signer=table.optional("signing_key", credentials.private_key),
        peer_signing_key=table.optional("client_signing_key", credentials.public_key),
        agreer=table.optional("agreement_key", credentials.private_key),
        peer_agreement_key=table.optional("client_agreement_key", credentials.public_key),
    )


def _methods(given: object) -> frozenset[tuple[int, int]]:
    """Return classes with a method of each, written as ["8:6"]."""
    texts = cast("list[object]", given) if isinstance(given, list) else [given]
    pairs = [str(text).split(":") for text in texts]
    if not all(len(pair) == 2 and all(part.isdecimal() for part in pair) for pair in pairs):
        raise ConfigurationError('expected a list of classes with a method of each, such as ["8:6"]')
    return frozenset((int(class_id), int(method)) for class_id, method in pairs)


def _users(given: object) -> tuple[User, ...]:
    """Return users, each written as a number and a name."""
    texts = cast("list[object]", given) if isinstance(given, list) else [given]
    pairs = [str(text).split(maxsplit=1) for text in texts]
    if not all(len(pair) == 2 and pair[0].isdecimal() and int(pair[0]) <= GREATEST_USER for pair in pairs):
        raise ConfigurationError('expected a list of users, each a number up to 255 and a name, such as ["1 Ann"]')
    return tuple(User(int(number), name) for number, name in pairs)


def _rule(table: Table) -> Rule:
    objects = table.converted("objects", ObisPattern)
    access = table.converted("access", _named(GRANTS))
    attribute = table.optional_integer("attribute")
    table.finish()
    return Rule(objects, access, attribute)


def _device(meter: Meter, table: Table) -> LogicalDevice:
    sap = table.integer("device", MANAGEMENT)
    device = meter.devices.get(sap)
    if device is None:
        raise table.refusal("device", f"there is no logical device with SAP {sap}; describe it under [[device]]")
    return device


# -- what the words mean ----------------------------------------------------------------------------------------------


_TEMPLATES: Final[Mapping[str, Callable[[Meter, int], None]]] = {"household": furnish, **gama.TEMPLATES}


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # not a name, no such file, no such zone
        raise ConfigurationError(f"{name!r} is no time zone: write UTC or a name such as Europe/Berlin") from None


def _interface_class(given: object, version: int | None) -> type[InterfaceClass]:
    if isinstance(given, int):
        found = declared(given, version)
    else:
        found = next((kind for kind in REGISTRY.values() if kind.__name__ == given), None)
    if found is None:
        raise ConfigurationError(f"{given!r} is no interface class: write a number or a name such as Register")
    return found


def _codes(given: object) -> dict[MeterEvent, int]:
    """Return which code an event log has for what happens."""
    named, known = (
        cast("dict[str, object]", given if isinstance(given, dict) else {}),
        [each.value for each in MeterEvent],
    )
    codes = {name: code for name, code in named.items() if name in known and isinstance(code, int)}
    if not codes or len(codes) != len(named):
        raise ConfigurationError(f"expected codes for events, such as {{ power_up = 2 }}; there is {', '.join(known)}")
    return {MeterEvent(name): code for name, code in codes.items()}


def _columns(device: LogicalDevice, given: object) -> tuple[object, ...]:
    if not isinstance(given, list):
        raise ConfigurationError("expected a list of references such as 1.0.1.8.0.255:value")
    return tuple(_column(device, str(text)) for text in cast("list[object]", given))


def _column(device: LogicalDevice, text: str) -> object:
    """Return what a column captures; the class is that of the object, which the description must have."""
    reference = parse_reference(text)
    item = device.find(reference.instance)
    if item is None or reference.class_id not in (None, item.class_id):
        raise ConfigurationError(f"{text}: there is no such object here; describe it with [[object]]")
    return catalogue.resolve(reference, item.class_id, item.version)


def _value(shape: Shape[Any], given: object) -> object:
    """Return a value of TOML as what `add` takes: typed where it says so, units, dates and names from text."""
    if isinstance(given, dict):
        return _typed(cast("dict[str, object]", given))
    if isinstance(given, list):
        return _values(shape, cast("list[object]", given))
    read = _FROM_TOML.get(shape)
    return given if read is None else read(given)


def _values(shape: Shape[Any], given: list[object]) -> object:
    """Return a list of TOML as the structure or array that it is."""
    if isinstance(shape, StructureShape) and len(given) == len(shape.fields):
        return tuple(_part(each, part) for (_, each), part in zip(shape.fields, given, strict=True))
    element: Any = getattr(shape, "element", None)
    if element is not None:
        return tuple(_part(element, part) for part in given)
    return given if shape is ANY else _tuples(given)


def _part(shape: Shape[Any], given: object) -> object:
    value = _value(shape, given)
    return encode_value(ANY, value) if shape is ANY else value


def _text(read: Callable[[str], object], *others: tuple[type, Callable[[Any], object]]) -> Callable[[Any], object]:
    """Return what reads text, and other values that TOML has by their types; what else there is stays."""
    readers: dict[type, Callable[[Any], object]] = {str: read, **dict(others)}

    def read_one(given: Any) -> object:
        reader = readers.get(given.__class__)
        return given if reader is None else reader(given)

    return read_one


def _typed(given: dict[str, object]) -> object:
    kinds = {tags.TAG_NAMES[kind.TAG]: kind for kind in _KINDS}
    if len(given) != 1 or next(iter(given)) not in kinds:
        raise ConfigurationError(f"a typed value is written as {{ TYPE = VALUE }}, with TYPE one of {', '.join(kinds)}")
    ((name, value),) = given.items()
    kind = kinds[name]
    if issubclass(kind, tags.Number) and isinstance(value, int):
        return kind.checked(value)
    if issubclass(kind, tags.OctetString) and isinstance(value, str):
        return kind(octets_from_hex(value))
    if issubclass(kind, str) and isinstance(value, str):
        return cast("type[Any]", kind)(value)
    if issubclass(kind, float) and isinstance(value, int | float):
        return cast("type[Any]", kind)(value)
    if issubclass(kind, tuple) and isinstance(value, list):
        items = cast("list[object]", value)
        return cast("type[Any]", kind)(encode_value(ANY, _value(ANY, each)) for each in items)
    raise ConfigurationError(f"this is no {name}")


def _tuples(given: object) -> object:
    return tuple(_tuples(each) for each in cast("list[object]", given)) if isinstance(given, list) else given


def _named(words: Mapping[str, T]) -> Callable[[str], T]:
    """Return what reads one of some words."""

    def read(word: str) -> T:
        if word not in words:
            raise ConfigurationError(f"{word!r} is not known: write {' or '.join(words)}")
        return words[word]

    return read


_FROM_TOML: Final[Mapping[Any, Callable[[Any], object]]] = {
    shape_of(Unit): _text(Unit.parse),
    shape_of(Obis): _text(Obis),
    shape_of(DateTime): _text(DateTime.parse, (datetime, DateTime.from_datetime)),
    shape_of(Date): _text(Date.parse, (date, Date.from_date)),
    shape_of(Time): _text(Time.parse, (time, Time.from_time)),
    shape_of(bytes): _text(str.encode),
}
"""What is read from text, or from what TOML has for it, wherever it stands in a value."""

_KINDS: Final[tuple[type[Any], ...]] = (
    *(tags.Integer, tags.Long, tags.DoubleLong, tags.Long64),
    *(tags.Unsigned, tags.LongUnsigned, tags.DoubleLongUnsigned, tags.Long64Unsigned),
    *(tags.Enumerated, tags.Bcd, tags.Float32, tags.Float64),
    *(tags.OctetString, tags.VisibleString, tags.Utf8String, tags.BitString, tags.Array, tags.Structure),
)
