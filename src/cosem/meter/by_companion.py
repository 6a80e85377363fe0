"""A meter as its companion specification has it: the objects that it names, with the rights of its associations.

Registers follow a load where one has their figure, and hold what is usual for their unit otherwise; all else holds
the least that it can, unless the companion says the value. Objects that are there already stay as they are. What a
pattern of several codes allows is left out, but the quantities of gas, water and heat, of which the lowest code is
taken.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

from cosem.errors import ConfigurationError, CosemError
from cosem.meter.associations import PUBLIC_CLIENT, AssociationDescription, Keys
from cosem.meter.behaviour.demand import DEFAULT_PERIOD
from cosem.meter.behaviour.profile_history import HISTORY
from cosem.meter.blank import blank, blank_of
from cosem.meter.events import MeterEvent
from cosem.meter.feed import REGISTERS, Feed, Held, seed_of
from cosem.meter.item import Item
from cosem.meter.loads import Measured
from cosem.meter.logical_device import LogicalDevice
from cosem.meter.rights import Access, Rights
from cosem.protocol.association.security import AUTHENTICATED_ENCRYPTION, Protection
from cosem.protocol.crypto.key import Secret
from cosem.protocol.crypto.mechanism import MECHANISMS, Mechanism, SharedSecret
from cosem.protocol.model import catalogue
from cosem.protocol.model.classes.access_control import AssociationLN, AssociationSN, SecuritySetup
from cosem.protocol.model.classes.data_storage import Data as DataObject
from cosem.protocol.model.classes.data_storage import DemandRegister, ProfileGeneric, Register, ScalerUnit
from cosem.protocol.model.classes.time_and_event import Clock
from cosem.protocol.model.companion import AssociationRule, Companion, Notes, ObjectRule
from cosem.protocol.model.declare import InterfaceClass, object_for
from cosem.protocol.model.rights import AttributeAccess, MethodAccess
from cosem.protocol.model.shape import ANY
from cosem.protocol.values.data import (
    BitString,
    Data,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    Number,
    OctetString,
    Unsigned,
)
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

_OF_ASSOCIATIONS: Final = frozenset({AssociationSN.class_id, AssociationLN.class_id, SecuritySetup.class_id})
"""Classes of the objects that every association has of its own."""

PIPES: Final = range(5, 10)
"""Media of heat, cold, gas and water (value group A)."""

_USUAL: Final = {
    Unit.WATT_HOUR: 12_345_678,
    Unit.VAR_HOUR: 1_234_567,
    Unit.WATT: 640,
    Unit.VOLT: 230,
    Unit.AMPERE: 3,
    Unit.HERTZ: 50,
    Unit.CUBIC_METRE: 1_234,
    Unit.DEGREE_CELSIUS: 20,
}
"""What a register holds in its unit."""


@dataclass(frozen=True, slots=True)
class CompanionRights(Rights):
    """Rights as the companion gives them to one association, and those of `access` where it says nothing.

    `whose` is the association's name in the companion, None for one that it does not know.
    """

    companion: Companion | None = None
    whose: str | None = None

    def attribute(self, item: Item, index: int) -> AttributeAccess:
        """Return what may be done with attribute `index` of `item`."""
        usual = Rights.attribute(self, item, index)
        said = self._said(item, index)
        if said is None or any(rule.objects.matches(item.instance) for rule in self.rules):
            return usual
        possible = AttributeAccess.READ if item.has(index) else AttributeAccess.NONE
        return said & (possible | AttributeAccess.WRITE if item.may_write(index) else possible)

    def method(self, item: Item, index: int) -> MethodAccess:
        """Return whether method `index` of `item` may be run."""
        known = self.companion
        rule = None if known is None else known.rule(item.instance, item.class_id)
        said = rule.methods[index].access_of(self.whose, self._listed) if rule and index in rule.methods else None
        usual = Rights.method(self, item, index)
        return usual if said is None else said & usual

    @property
    def _listed(self) -> bool:
        return self.companion is not None and self.companion.rights_of in (None, self.whose)

    def _said(self, item: Item, index: int) -> AttributeAccess | None:
        known = self.companion
        rule = None if known is None else known.rule(item.instance, item.class_id)
        if rule is None or index not in rule.attributes:
            return None
        return rule.attributes[index].access_of(self.whose, self._listed)


def furnish_by(
    known: Companion,
    device: LogicalDevice,
    *,
    profiles: bool | None = None,
    feed: Feed | None = None,
    begins: bool = True,
) -> None:
    """Put the objects of a companion into a logical device, as far as they are not there yet.

    With `profiles`, profiles alone, and without, all others: their columns must be there first. Registers show what
    `feed` has for them, left out that of a household of its own. Event logs note what the companion has codes for,
    first that there is power, unless the meter was there before (`begins`).

    Raises ConfigurationError where the device has an object of another class in the place of one, and for an event
    that meters do not know.
    """
    past = feed is not None
    feed = feed or Feed("household", seed_of(device), device.meter, device)
    rules = sorted(known.objects, key=lambda rule: _is_profile(rule.class_id))
    for rule in rules:
        instance = _instance(rule)
        if instance is None or rule.class_id in _OF_ASSOCIATIONS or profiles not in (None, _is_profile(rule.class_id)):
            continue
        present = device.find(instance)
        if present is None:
            notes = known.notes_in(instance) if _is_profile(rule.class_id) else None
            if notes is not None and device.find(notes.code) is None:
                wide = max(notes.events.values(), default=0) > Unsigned.HIGH
                device.add(DataObject(notes.code), value=LongUnsigned(0) if wide else Unsigned(0))
            _add(device, rule, instance, feed, past)
            if notes is not None:
                device.record(ProfileGeneric(instance), _events(notes), begins=begins)
        elif present.class_id != rule.class_id and known.rule(instance, present.class_id) is None:
            raise ConfigurationError(
                f"{instance}: {known.name} has it in class {rule.class_id}, not {present.class_id}"
            )


def _events(notes: Notes) -> dict[MeterEvent, int]:
    for name in notes.events:
        if name not in EVENTS:
            raise ConfigurationError(f"notes of {notes.log}: {name!r} is not known; there is {', '.join(EVENTS)}")
    return {EVENTS[name]: code for name, code in notes.events.items()}


EVENTS: Final = {each.value: each for each in MeterEvent}
"""What meters note, by its name."""

Secrets = Callable[[AssociationRule], "tuple[SharedSecret | None, Keys | None]"]
"""Gives an association its password or HLS secret and its keys."""


def made_anew(rule: AssociationRule) -> tuple[SharedSecret | None, Keys | None]:
    """Return a password and keys that nobody else knows, for this process alone."""
    secret = Secret(secrets.token_hex(8).encode()) if mechanism_of(rule).secret else None
    return secret, Keys.random(rule.suite or 0) if ciphered(rule) else None


def offers_of(
    known: Companion, secrets_of: Secrets, without: Container[int] = frozenset()
) -> Iterator[AssociationDescription]:
    """Return the associations of a companion with what `secrets_of` gives them, but for the clients `without`.

    Where a companion leaves open how a client proves itself, it does so by GMAC under authenticated encryption, which
    is also taken where it is one of several. A pre-established association with keys is left out: it needs the
    client's system title, which no companion knows. A companion with public clients alone says nothing of how its
    meters are read, and nothing is offered.
    """
    if all(access_of(known, rule) is Access.PUBLIC for rule in known.associations):
        return
    for rule in known.associations:
        if rule.client in without or (rule.pre_established and rule.ciphered):
            continue
        mechanism = mechanism_of(rule)
        secret, keys = secrets_of(rule)
        yield AssociationDescription(
            client=rule.client,
            name=rule.name,
            mechanism=mechanism,
            secret=secret if mechanism.secret or mechanism.signatures else None,
            keys=keys if ciphered(rule) else None,
            protection=AUTHENTICATED_ENCRYPTION if ciphered(rule) else Protection.NONE,
            rights=CompanionRights(access_of(known, rule), companion=known, whose=rule.name),
            pre_established=rule.pre_established,
        )


def mechanism_of(rule: AssociationRule) -> Mechanism:
    """Return how the client of an association proves itself."""
    if rule.pre_established or rule.client == PUBLIC_CLIENT:
        return MECHANISMS[0]
    return MECHANISMS[max((each for each in rule.mechanisms if each in _OFFERED), default=_GMAC)]


def ciphered(rule: AssociationRule) -> bool:
    """Tell whether the messages of an association are encrypted."""
    if rule.ciphered is None:
        return mechanism_of(rule).keys
    return rule.ciphered


_GMAC: Final = 5
_OFFERED: Final = frozenset({0, 1, _GMAC})
_READERS: Final = frozenset({"reader", "reading", "meter reader"})


def access_of(known: Companion, rule: AssociationRule) -> Access:
    """Return what an association may do where the companion has no rights for it."""
    if rule.client == PUBLIC_CLIENT or rule.pre_established:
        return Access.PUBLIC
    whole = known.rights_of is None and mechanism_of(rule).challenges and rule.name not in _READERS
    return Access.MANAGE if whole or known.rights_of == rule.name else Access.READ


def _instance(rule: ObjectRule) -> Obis | None:
    if rule.obis is not None:
        return rule.obis
    first = rule.pattern.first
    return first if rule.class_id in REGISTERS and first.octets[0] in PIPES else None


def _is_profile(class_id: int) -> bool:
    return class_id == ProfileGeneric.class_id


def _add(device: LogicalDevice, rule: ObjectRule, instance: Obis, feed: Feed, past: bool) -> None:
    address = object_for(rule.class_id, rule.version, instance)
    declared = address.declared_attributes
    values: dict[str, Any] = {
        declared[index].name: _typed(each.type, each.value)
        for index, each in rule.attributes.items()
        if each.value is not None and index in declared
    }
    values.update(_usual(device, address, rule, feed))
    if past and _is_profile(rule.class_id) and values.get("capture_period", _PERIODS.get(_family(instance))):
        values.setdefault("capture_period", _PERIODS.get(_family(instance)))
        values["buffer"] = HISTORY
    writable = [
        declared[index].name
        for index, each in rule.attributes.items()
        if index in declared and any(access & AttributeAccess.WRITE for access in each.access.values())
    ]
    device.add(address, writable=writable, **values)
    item = device.find(instance)
    assert item is not None
    for index, attribute in declared.items():
        if not item.has(index) and index not in item.behaviour.adopts:
            said = rule.attributes.get(index)
            typed = attribute.shape is ANY and said is not None and said.type is not None
            item.values[index] = blank_of(cast("Any", said).type) if typed else blank(attribute.shape)


def _usual(device: LogicalDevice, address: InterfaceClass, rule: ObjectRule, feed: Feed) -> dict[str, object]:
    """Return what cannot be left blank: values of registers with scaler and unit, columns of profiles, names."""
    if rule.class_id in REGISTERS:
        return _of_register(address, rule, feed)
    if _is_profile(rule.class_id):
        return {"capture_objects": tuple(_columns(device, address.instance))}
    if address.instance in _NAMED:
        return {"value": OctetString(device.name.encode())}
    return {}


def _of_register(address: InterfaceClass, rule: ObjectRule, feed: Feed) -> dict[str, object]:
    """Return what the load has where it is in the unit of the companion, and else what is usual."""
    said = rule.attributes.get(2)
    kind = DoubleLongUnsigned if said is None or said.type is None else type(blank_of(said.type))
    fed = feed.values(address, None, DEFAULT_PERIOD) if issubclass(kind, Number) else {}
    scaler, unit = cast("tuple[int, Unit]", fed.get("scaler_unit", (0, None)))
    if fed and rule.unit in (None, unit):
        scaler = scaler if rule.scaler is None else rule.scaler
        fed = feed.values(address, ScalerUnit(Integer(scaler), unit), DEFAULT_PERIOD)
        value = fed.get("value")
        return fed if not isinstance(value, Measured) else {**fed, "value": Held(value, cast("type[Number]", kind))}
    unit = rule.unit or unit or catalogue.lookup(address.instance).unit or Unit.NO_UNIT
    scaler = rule.scaler if rule.scaler is not None else 0
    if rule.class_id == DemandRegister.class_id:
        return {"scaler_unit": (scaler, unit)}
    return {"value": _held(kind, _USUAL.get(unit, 0), scaler), "scaler_unit": (scaler, unit)}


_PERIODS: Final = {(99, 1): 900, (99, 2): 86_400}
"""Seconds between the rows of load profiles, by value groups C and D, where the companion leaves them open."""


def _family(instance: Obis) -> tuple[int, int]:
    return instance.octets[2], instance.octets[3]


_NAMED: Final = frozenset({Obis("0.0.96.1.0.255"), Obis("0.0.96.1.1.255")})
"""Device identification, and the one of an equipment identifier."""

EVENT_LOGS: Final = (99, 98)
"""Value groups C and D of event logs."""


LOAD_PROFILES: Final = 99
"""Value group C of profiles; the status of the load profile with a D is 0.0.96.10.D.255."""


def _columns(device: LogicalDevice, profile: Obis) -> Iterator[object]:
    yield Clock().time
    octets = profile.octets
    status = device.find(Obis.of(0, 0, 96, 10, octets[3])) if octets[2] == LOAD_PROFILES else None
    if status is not None and status.class_id == DataObject.class_id:
        yield DataObject(status.instance).value
    if (octets[2], octets[3]) == EVENT_LOGS:
        code = device.find(Obis.of(0, 0, 96, 11, octets[4]))
        if code is not None:
            yield object_for(code.class_id, code.version, code.instance).attribute(2)
        return
    for item in device.items():
        groups = item.instance.octets
        if item.class_id == Register.class_id and groups[2] in (1, 2) and groups[3] == 8 and groups[5] == 255:
            yield Register(item.instance).value


def _held(kind: type, value: int, scaler: int) -> Data:
    """Return a value in steps of a scaler, 0 where the type is too small for it."""
    if not issubclass(kind, Number):
        return cast("Data", kind())
    steps = int(value * 10**-scaler)
    return cast("Data", kind(steps if kind.LOW <= steps <= kind.HIGH else 0))


def _typed(type_name: str | None, value: Any) -> object:
    if type_name is None:
        return value
    kind: Any = type(blank_of(type_name))
    try:
        return kind(value) if issubclass(kind, Number | BitString) else value
    except (CosemError, ValueError) as error:
        raise ConfigurationError(f"{value!r} is no {type_name}") from error
