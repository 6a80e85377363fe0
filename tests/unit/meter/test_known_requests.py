"""What many devices share is decided once for each request, and never for whom it does not hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cosem.meter import RECOMPUTED, Access, AssociationDescription, Meter, Rights, Rule, known_requests
from cosem.meter.associations import PUBLIC_CLIENT
from cosem.meter.dispatch import answer
from cosem.meter.item import FromSource
from cosem.meter.objects import Objects
from cosem.protocol.apdu.acse import ApplicationContext, MechanismId
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    GetRequestNormal,
    GetRequestWithList,
    SelectiveAccess,
)
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.result import DataAccessResult as R
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES as SERVICES
from cosem.protocol.association.context import Negotiated
from cosem.protocol.association.security import Protection
from cosem.protocol.model import Data, ProfileGeneric, Register
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.values.data import DoubleLongUnsigned, Structure
from cosem.protocol.values.obis import ObisPattern

NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ENERGY = Register("1.0.1.8.0.255")
NUMBER = Data("0.0.96.1.0.255")
PROFILE = ProfileGeneric("1.0.99.1.0.255")

ALL = Rights(Access.READ)
WITHOUT_ENERGY = Rights(Access.READ, (Rule(ObisPattern(str(ENERGY.instance)), AttributeAccess.NONE),))


@pytest.fixture
def objects() -> Objects:
    made = Objects()
    made.add(ENERGY, value=FromSource(lambda source, time: source), writable=("value",))
    made.add(NUMBER, value=DoubleLongUnsigned(5))
    made.add(PROFILE, capture_objects=(), capture_period=900, buffer=RECOMPUTED)
    return made.share()


def meter(objects: Objects, source: int) -> Meter:
    made = Meter("KFM1020012345678", clock=lambda: NOON)
    made.management.use(objects, source)
    return made


def asked(*instances: Any, index: int = 2) -> GetRequestWithList:
    return GetRequestWithList(
        0xC1,
        tuple(
            AttributeDescriptorWithSelection(AttributeDescriptor(each.class_id, each.instance, index), None)
            for each in instances
        ),
    )


def of(made: Meter, request: Any, rights: Rights = ALL, conformance: Conformance = SERVICES) -> Any:
    negotiated = Negotiated(
        ApplicationContext.LOGICAL_NAME, MechanismId.LOWEST, conformance, 0, 1024, Protection.NONE, None
    )
    association = AssociationDescription(client=PUBLIC_CLIENT, rights=rights)
    answered: Any = answer(made.management.visit(association, negotiated), request)
    return getattr(answered, "results", None) or answered.result


def test_meters_that_are_asked_the_same_give_each_its_own_value(objects: Objects) -> None:
    request = asked(ENERGY, NUMBER)
    made = [meter(objects, source) for source in (7, 8)]
    assert [of(each, request) for each in made] == [(7, 5), (8, 5)]
    assert len(objects.known_requests) == 1


def test_other_rights_are_judged_by_themselves(objects: Objects) -> None:
    request, made = asked(ENERGY, NUMBER), meter(objects, 7)
    for _ in range(2):
        assert of(made, request) == (7, 5)
        assert of(made, request, WITHOUT_ENERGY) == (R.READ_WRITE_DENIED, 5)


def test_a_part_is_refused_where_no_part_may_be_asked_for(objects: Objects) -> None:
    selection = SelectiveAccess(2, Structure([DoubleLongUnsigned(1)]))
    request = GetRequestNormal(0xC1, AttributeDescriptor(7, PROFILE.instance, 2), selection)
    made = meter(objects, 7)
    for _ in range(2):
        assert of(made, request) is R.TYPE_UNMATCHED  # four numbers describe a part
        assert of(made, request, conformance=SERVICES & ~Conformance.SELECTIVE_ACCESS) is R.SCOPE_OF_ACCESS_VIOLATED


def test_a_meter_that_differs_is_judged_by_its_own_objects(objects: Objects) -> None:
    request = asked(ENERGY, NUMBER)
    one, other = meter(objects, 7), meter(objects, 8)
    assert of(one, request) == of(one, request) == (7, 5)
    one.put(NUMBER.value, DoubleLongUnsigned(6))
    assert of(one, request) == (7, 6)
    assert of(other, request) == (8, 5)


def test_what_is_not_shared_is_not_remembered(objects: Objects) -> None:
    made = meter(objects, 7)
    association = asked(Data("0.0.42.0.0.255"))  # the logical device name, which every device has
    assert of(made, association) == (b"KFM1020012345678",)
    assert of(made, asked(Register("1.0.2.8.0.255"))) == (R.OBJECT_UNDEFINED,)
    whole = asked(NUMBER, index=0)  # all attributes, where that was negotiated
    assert of(made, whole) == ((NUMBER.instance.octets, 5),)
    assert of(made, whole, conformance=SERVICES & ~Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET) == (R.READ_WRITE_DENIED,)
    assert not objects.known_requests


def test_only_so_many_requests_are_remembered(objects: Objects) -> None:
    made = meter(objects, 7)
    for _ in range(3 * known_requests.MOST):
        assert of(made, asked(ENERGY)) == (7,)
        assert 1 <= len(objects.known_requests) <= known_requests.MOST


def test_what_cannot_be_read_is_told_each_time() -> None:
    def ask(source: int, time: datetime) -> DoubleLongUnsigned:
        return DoubleLongUnsigned.checked(source)

    objects, request = Objects(), asked(ENERGY, NUMBER)
    objects.add(ENERGY, value=FromSource(ask))
    objects.add(NUMBER, value=DoubleLongUnsigned(5))
    objects.share()
    for source, value in ((7, 7), (-1, R.HARDWARE_FAULT), (8, 8)):
        assert of(meter(objects, source), request) == (value, 5)
