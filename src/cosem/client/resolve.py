"""From references as people write them to what a meter has: classes from the reference, the catalogue or the meter.

The catalogue knows which class a code has as a rule. Where the meter says otherwise, its object list is read, once in
a session, and the question is put again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cosem.client.operations import Operations
from cosem.client.services import Services
from cosem.errors import (
    ActionError,
    ConfigurationError,
    ConnectionLost,
    CosemError,
    DataAccessError,
    ServiceError,
    ServiceRefused,
    ShapeError,
)
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.model import catalogue
from cosem.protocol.model.classes.access_control import AssociationLN
from cosem.protocol.model.classes.data_storage import ScalerUnit, scaler_unit_of
from cosem.protocol.model.declare import REGISTRY
from cosem.protocol.model.reference import AttributeRef, Reference
from cosem.protocol.model.rights import ObjectListElement
from cosem.protocol.model.shape import ANY
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity

ANOTHER_CLASS: Final = frozenset((DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.OBJECT_CLASS_INCONSISTENT))
"""Refusals that a meter gives when it has the object, but of another class."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one reference: the attribute it meant, and its value or the error that stands for it.

    `scaler_unit` is what the meter says of the value's scale; None where there is none or the meter does not tell.
    """

    asked: Reference
    attribute: AttributeRef[Any]
    value: Any = None
    scaler_unit: ScalerUnit | None = None
    error: CosemError | None = None

    @property
    def quantity(self) -> Quantity | None:
        """The value with its unit; None for what is no scaled number."""
        if self.scaler_unit is None or isinstance(self.value, bool) or not isinstance(self.value, int | float):
            return None
        return Quantity.of(self.value, self.scaler_unit.scaler, self.scaler_unit.unit)


@dataclass(slots=True)
class ObjectDirectory:
    """The object list of one association, read when it is first needed."""

    association: AssociationLN = field(default_factory=AssociationLN)
    _objects: dict[Obis, list[ObjectListElement]] | None = None

    async def find(self, services: Services, instance: Obis, class_id: int | None = None) -> ObjectListElement | None:
        """Return the object of that name, preferably of class `class_id`; None when the meter does not list it."""
        if self._objects is None:
            self._objects = {}
            try:
                listed = await services.objects(self.association)
            except (ServiceError, ShapeError):
                return None  # The meter keeps its list to itself: what the catalogue says is all there is.
            for each in listed:
                self._objects.setdefault(each.logical_name, []).append(each)
        found = self._objects.get(instance, [])
        return next((each for each in found if each.class_id == class_id), found[0] if found else None)


def check(references: Sequence[Reference]) -> None:
    """Raise ConfigurationError for a reference that no meter could answer, before anything is sent."""
    for reference in references:
        try:
            catalogue.resolve(reference)
        except ConfigurationError:
            if reference.class_id is not None or not _is_declared_somewhere(reference.member):
                raise


async def read_references(
    client: Operations, references: Sequence[Reference], directory: ObjectDirectory
) -> list[Answer]:
    """Read what was asked for, in as few round trips as the association allows; one answer for each reference.

    When the session is lost on the way, the answers that came before are kept and the others carry that error.
    """
    services = client.services
    if services is None:
        raise ConnectionLost("there is no open session; connect first")
    answers: list[Answer] = []
    for reference in references:
        try:
            answers.append(Answer(reference, await _attribute(services, reference, directory)))
        except ConfigurationError as error:  # a name that the object turns out not to have
            answers.append(Answer(reference, _nothing(reference), error=error))
    asked = [number for number, answer in enumerate(answers) if answer.error is None]
    found = await _read(services, [(answers[number].asked, answers[number].attribute) for number in asked])
    for number, answer in zip(asked, found, strict=True):
        answers[number] = answer
    for number, answer in enumerate(answers):
        other = await _of_another_class(client, answer, directory)
        if other is not None:
            answers[number] = (await _read(services, [(answer.asked, other)]))[0]
    return answers


async def listed_otherwise(
    client: Operations,
    reference: Reference,
    tried: int,
    refusal: DataAccessError | ActionError,
    directory: ObjectDirectory,
) -> ObjectListElement | None:
    """Return the object as the meter lists it, when class `tried` was a guess that `refusal` shows to be wrong."""
    services = client.services
    if reference.class_id is not None or refusal.result not in ANOTHER_CLASS or services is None:
        return None
    if not services.exchange.open:
        return None
    listed = await directory.find(services, reference.instance, tried)
    return None if listed is None or listed.class_id == tried else listed


async def _attribute(services: Services, reference: Reference, directory: ObjectDirectory) -> AttributeRef[Any]:
    try:
        return catalogue.resolve(reference)
    except ConfigurationError:
        if reference.class_id is not None or not _is_declared_somewhere(reference.member):
            raise
    listed = await directory.find(services, reference.instance)
    if listed is None:
        return catalogue.resolve(reference)
    return catalogue.resolve(reference, listed.class_id, listed.version)


def _nothing(reference: Reference) -> AttributeRef[Any]:
    """Return what stands for an attribute that does not exist."""
    address = catalogue.resolve_object(reference)
    return AttributeRef(address.class_id, address.version, address.instance, 0, str(reference.member), ANY)


async def _of_another_class(client: Operations, answer: Answer, directory: ObjectDirectory) -> AttributeRef[Any] | None:
    """Return the attribute as the meter's object list has it, where that differs from what was tried in vain."""
    if not isinstance(answer.error, DataAccessError):
        return None
    try:
        listed = await listed_otherwise(client, answer.asked, answer.attribute.class_id, answer.error, directory)
        return None if listed is None else catalogue.resolve(answer.asked, listed.class_id, listed.version)
    except CosemError:
        return None  # Without a list, or when the session is lost over it, the answers so far are still good.


async def _read(services: Services, wanted: Sequence[tuple[Reference, AttributeRef[Any]]]) -> list[Answer]:
    plan: list[AttributeRef[Any]] = []
    for _, attribute in wanted:
        plan.append(attribute)
        scaler_unit = _scaler_unit_of(attribute)
        if scaler_unit is not None:
            plan.append(scaler_unit)
    found = iter(await _keep(services, plan))
    answers: list[Answer] = []
    for reference, attribute in wanted:
        value = next(found)
        scaler_unit = next(found) if _scaler_unit_of(attribute) is not None else None
        answer = Answer(reference, attribute)
        if isinstance(value, CosemError):
            answers.append(replace(answer, error=value))
        else:
            unit = scaler_unit if isinstance(scaler_unit, ScalerUnit) else None
            answers.append(replace(answer, value=value, scaler_unit=unit))
    return answers


async def _keep(services: Services, attributes: Sequence[AttributeRef[Any]]) -> list[Any]:
    """Read piece by piece, so that a session that ends on the way takes nothing with it that has come already."""
    size = services.several.at_once
    values: list[Any] = []
    for start in range(0, len(attributes), size):
        piece = attributes[start : start + size]
        try:
            values += await services.get_many(piece)
        except ServiceRefused as error:
            values += [await _one(services, each) for each in piece] if len(piece) > 1 else [error]
        except CosemError as error:
            values += [error] * (len(attributes) - start)
            break
    return values


async def _one(services: Services, attribute: AttributeRef[Any]) -> Any:
    """Read by itself what was refused within a list."""
    try:
        return await services.get(attribute)
    except CosemError as error:
        return error


def _scaler_unit_of(attribute: AttributeRef[Any]) -> AttributeRef[ScalerUnit] | None:
    return scaler_unit_of(attribute.class_id, attribute.instance, attribute.index)


def _is_declared_somewhere(member: int | str | None) -> bool:
    return not isinstance(member, str) or any(
        each.name == member for kind in REGISTRY.values() for each in kind.declared_attributes.values()
    )
