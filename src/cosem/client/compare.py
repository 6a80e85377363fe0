"""What a meter shows, held against a companion specification or against another meter, object by object.

Looked at are the object lists with their rights, of the open association and of every other one that may be read, and
the static attributes. Nothing that a client may keep secret is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final

from cosem.client.services import Services
from cosem.errors import CosemError
from cosem.protocol.model.classes.access_control import AssociatedPartners, AssociationLN
from cosem.protocol.model.classes.data_storage import ScalerUnit, scaler_unit_of
from cosem.protocol.model.companion import AttributeRule, Companion, ObjectRule, companion
from cosem.protocol.model.declare import InterfaceClass, object_for
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.model.rights import AttributeAccess, MethodAccess, ObjectListElement
from cosem.protocol.values.data import TAG_NAMES, TAGS
from cosem.protocol.values.obis import Obis

Objects = Mapping[Obis, ObjectListElement]
"""The objects of one association by logical name."""


class Aspect(StrEnum):
    """In what a meter differs."""

    MISSING = "missing"
    EXTRA = "extra"
    CLASS = "class"
    VERSION = "version"
    RIGHTS = "rights"
    VALUE = "value"
    TYPE = "type"
    UNIT = "unit"
    SCALER = "scaler"
    UNREADABLE = "unreadable"
    METROLOGY = "metrology"
    """What no client may change is open to a client."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference of one object; `member` names the attribute or method, `client` whose rights are meant.

    Of two meters, `expected` is the first's and `found` the second's.
    """

    aspect: Aspect
    obis: Obis
    class_id: int
    member: str | None = None
    expected: Any = None
    found: Any = None
    client: int | None = None
    meter: int = 1


@dataclass(frozen=True, slots=True)
class Shown:
    """What a meter shows to `client`: object lists by client SAP, and static values or the errors in their place."""

    client: int
    associations: Mapping[int, Objects] = field(hash=False)
    values: Mapping[tuple[Obis, int], Any] = field(hash=False)

    @property
    def objects(self) -> Objects:
        """The objects of the open association."""
        return self.associations[self.client]


async def read_shown(services: Services, client: int, known: Companion | None = None) -> Shown:
    """Read what the open association shows; `known` may call more attributes static (see `Client.shown`)."""
    listed = {each.logical_name: each for each in await services.objects(AssociationLN())}
    wanted = [reference for each in listed.values() for reference in _static(each, known)]
    answers = await services.get_many(wanted)
    values = {(each.instance, each.index): answer for each, answer in zip(wanted, answers, strict=True)}
    associations: dict[int, Objects] = {client: listed}
    for number, objects in await _other_associations(services, listed.values()):
        associations.setdefault(number, objects)
    return Shown(client, associations, values)


def compare_with(shown: Shown, known: Companion) -> list[Difference]:
    """Return in what a meter differs from a companion, in the order of its codes."""
    found: list[Difference] = []
    rule_of_client = known.association(shown.client)
    whose = None if rule_of_client is None else rule_of_client.name
    listed = known.rights_of is None or known.rights_of == whose
    if listed:
        found += _presence(shown, known)
    for obis, element in shown.objects.items():
        rule = known.rule(obis, element.class_id)
        if rule is not None:
            found += _version(element, rule.version)
            found += _rights_ruled(element, rule, shown.client, whose, listed)
            found += _values_ruled(shown, element, rule)
    return _ordered((*found, *open_metrology(shown, known)))


def compare_meters(first: Shown, second: Shown) -> list[Difference]:
    """Return in what the second meter differs from the first, in the order of their codes."""
    found = [Difference(Aspect.MISSING, obis, each.class_id) for obis, each in _without(first, second)]
    found += [Difference(Aspect.EXTRA, obis, each.class_id) for obis, each in _without(second, first)]
    for obis, expected in first.objects.items():
        element = second.objects.get(obis)
        if element is None:
            continue
        if element.class_id != expected.class_id:
            found.append(Difference(Aspect.CLASS, obis, element.class_id, None, expected.class_id, element.class_id))
            continue
        found += _version(element, expected.version)
        found += _rights_equal(expected, element, second.client)
        found += _values_equal(first, second, element)
    generic = companion("generic")
    return _ordered((*found, *open_metrology(first, generic), *open_metrology(second, generic, meter=2)))


def open_metrology(shown: Shown, known: Companion, *, meter: int = 1) -> list[Difference]:
    """Return what no client may change and a client may write or reset all the same."""
    return [
        Difference(Aspect.METROLOGY, obis, element.class_id, member, None, said, client, meter)
        for client, objects in shown.associations.items()
        for obis, element in objects.items()
        if known.is_metrology(obis)
        for member, said in _open(element)
    ]


_SECRETS: Final = frozenset({(15, 7)})
"""Class and attribute of what is never read: the secret of an association."""

_OBJECT_LIST: Final = (15, 2)


def _static(element: ObjectListElement, known: Companion | None) -> Iterator[AttributeRef[Any]]:
    """Return the attributes of an object that only configuration changes, those that may be read as far as is known."""
    address = object_for(element.class_id, element.version, element.logical_name)
    rule = None if known is None else known.rule(element.logical_name, element.class_id)
    said = {} if rule is None else {index: each.static for index, each in rule.attributes.items()}
    rights = bool(element.access_rights.attribute_access)
    for index, declaration in address.declared_attributes.items():
        here = said.get(index)
        if index == 1 or not (declaration.static if here is None else here):
            continue
        if (element.class_id, index) in _SECRETS or (element.class_id, index) == _OBJECT_LIST:
            continue
        if not rights or element.attribute_access(index) & AttributeAccess.READ:
            yield address.attribute(index)


async def _other_associations(services: Services, listed: Iterable[ObjectListElement]) -> list[tuple[int, Objects]]:
    """Read the lists of other associations that this one may read, with their clients."""
    own = AssociationLN().instance
    others = [
        object_for(each.class_id, each.version, each.logical_name)
        for each in listed
        if each.class_id == AssociationLN.class_id
        and each.logical_name != own
        and each.attribute_access(2) & each.attribute_access(3) & AttributeAccess.READ
    ]
    found: list[tuple[int, Objects]] = []
    for other in others:
        partners, objects = await services.get_many([other.attribute(3), other.attribute(2)])
        if isinstance(partners, AssociatedPartners) and not isinstance(objects, CosemError):
            found.append((partners.client_sap, {each.logical_name: each for each in objects}))
    return found


def _presence(shown: Shown, known: Companion) -> Iterator[Difference]:
    """Compare which objects there are, and of which class."""
    for rule in known.objects:
        if rule.required and rule.obis is not None and rule.obis not in shown.objects:
            yield Difference(Aspect.MISSING, rule.obis, rule.class_id)
    for obis, element in shown.objects.items():
        if known.rule(obis, element.class_id) is not None:
            continue
        other = known.rule(obis)
        if other is not None:
            yield Difference(Aspect.CLASS, obis, element.class_id, None, other.class_id, element.class_id)
        elif known.complete:
            yield Difference(Aspect.EXTRA, obis, element.class_id)


def _version(element: ObjectListElement, expected: int | None) -> Iterator[Difference]:
    if expected not in (None, element.version):
        yield Difference(Aspect.VERSION, element.logical_name, element.class_id, None, expected, element.version)


def _rights_ruled(
    element: ObjectListElement, rule: ObjectRule, client: int, whose: str | None, listed: bool
) -> Iterator[Difference]:
    """Compare what may be read, written and run; how messages must be protected is not looked at."""
    address = object_for(element.class_id, element.version, element.logical_name)
    if element.access_rights.attribute_access:
        for index, attribute in rule.attributes.items():
            expected = attribute.access_of(whose, listed)
            found = element.attribute_access(index) & AttributeAccess.READ_WRITE
            if expected is not None and expected != found:
                yield _differing_rights(element, address.attribute(index).name, expected, found, client)
    for index, method in rule.methods.items():
        allowed, found_ = method.access_of(whose, listed), element.method_access(index) & MethodAccess.ACCESS
        if allowed is not None and allowed != found_:
            yield _differing_rights(element, address.method(index).name, allowed, found_, client)


def _rights_equal(expected: ObjectListElement, element: ObjectListElement, client: int) -> Iterator[Difference]:
    address = object_for(element.class_id, element.version, element.logical_name)
    both = (expected.access_rights, element.access_rights)
    for index in sorted({item.index for rights in both for item in rights.attribute_access}):
        if expected.attribute_access(index) != element.attribute_access(index):
            name = address.attribute(index).name
            yield _differing_rights(
                element, name, expected.attribute_access(index), element.attribute_access(index), client
            )
    for index in sorted({item.index for rights in both for item in rights.method_access}):
        if expected.method_access(index) != element.method_access(index):
            name = address.method(index).name
            yield _differing_rights(element, name, expected.method_access(index), element.method_access(index), client)


def _differing_rights(
    element: ObjectListElement,
    member: str,
    expected: AttributeAccess | MethodAccess,
    found: AttributeAccess | MethodAccess,
    client: int,
) -> Difference:
    return Difference(Aspect.RIGHTS, element.logical_name, element.class_id, member, expected, found, client)


def _values_ruled(shown: Shown, element: ObjectListElement, rule: ObjectRule) -> Iterator[Difference]:
    """Compare the values of static attributes, their types, and scaler and unit."""
    obis, class_id = element.logical_name, element.class_id
    address = object_for(class_id, element.version, obis)
    for index, attribute in rule.attributes.items():
        if (obis, index) in shown.values:
            name = address.attribute(index).name
            yield from _value_ruled(obis, class_id, name, attribute, shown.values[obis, index])
    scaler_unit = _scaler_unit(shown, element)
    if scaler_unit is None:
        return
    if rule.unit not in (None, scaler_unit.unit):
        yield Difference(Aspect.UNIT, obis, class_id, "scaler_unit", rule.unit, scaler_unit.unit)
    if rule.scaler not in (None, scaler_unit.scaler):
        yield Difference(Aspect.SCALER, obis, class_id, "scaler_unit", rule.scaler, scaler_unit.scaler)


def _value_ruled(obis: Obis, class_id: int, name: str, attribute: AttributeRule, value: Any) -> Iterator[Difference]:
    if isinstance(value, CosemError):
        if attribute.value is not None:
            yield Difference(Aspect.UNREADABLE, obis, class_id, name, attribute.value, value)
        return
    if attribute.value is not None and _plain(value) != attribute.value:
        yield Difference(Aspect.VALUE, obis, class_id, name, attribute.value, value)
    found = _type(value)
    if attribute.type is not None and found not in (None, attribute.type):
        yield Difference(Aspect.TYPE, obis, class_id, name, attribute.type, found)


def _values_equal(first: Shown, second: Shown, element: ObjectListElement) -> Iterator[Difference]:
    obis, class_id = element.logical_name, element.class_id
    address: InterfaceClass = object_for(class_id, element.version, obis)
    for index in address.declared_attributes:
        if (obis, index) not in first.values or (obis, index) not in second.values:
            continue
        expected, found = first.values[obis, index], second.values[obis, index]
        name = address.attribute(index).name
        failed = isinstance(expected, CosemError), isinstance(found, CosemError)
        if any(failed):
            if not all(failed):
                yield Difference(Aspect.UNREADABLE, obis, class_id, name, expected, found)
        elif isinstance(expected, ScalerUnit) and isinstance(found, ScalerUnit):
            if expected.unit is not found.unit:
                yield Difference(Aspect.UNIT, obis, class_id, name, expected.unit, found.unit)
            if expected.scaler != found.scaler:
                yield Difference(Aspect.SCALER, obis, class_id, name, expected.scaler, found.scaler)
        elif expected != found:
            yield Difference(Aspect.VALUE, obis, class_id, name, expected, found)


def _scaler_unit(shown: Shown, element: ObjectListElement) -> ScalerUnit | None:
    reference = scaler_unit_of(element.class_id, element.logical_name, 2)
    value = None if reference is None else shown.values.get((element.logical_name, reference.index))
    return value if isinstance(value, ScalerUnit) else None


def _open(element: ObjectListElement) -> Iterator[tuple[str, str]]:
    """Return what of an object may be written or run, and how that is said."""
    address = object_for(element.class_id, element.version, element.logical_name)
    for item in element.access_rights.attribute_access:
        if item.access & AttributeAccess.WRITE:
            yield address.attribute(item.index).name, "may be written"
    for method in element.access_rights.method_access:
        if method.access & MethodAccess.ACCESS:
            yield address.method(method.index).name, "may be run"


def _without(shown: Shown, other: Shown) -> Iterator[tuple[Obis, ObjectListElement]]:
    return ((obis, each) for obis, each in shown.objects.items() if obis not in other.objects)


def _type(value: object) -> str | None:
    """Return the standard's name of the type a value was sent in; None where its shape has made another of it."""
    tag = TAGS.get(type(value))
    return None if tag is None else TAG_NAMES[tag]


def _plain(value: Any) -> Any:
    """Return a value as a TOML file writes it: octets as text, enumerations as numbers."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.decode("ascii", "backslashreplace")
    return str(value) if isinstance(value, Obis) else value


def _ordered(found: Iterable[Difference]) -> list[Difference]:
    return sorted(found, key=lambda each: (each.obis, list(Aspect).index(each.aspect), each.meter))
