"""A meter made of a snapshot: what it gives, what it refuses, and what it lets be written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cosem.errors import ConfigurationError
from cosem.meter.associations import Keys
from cosem.meter.clone import Entry, clone
from cosem.meter.dispatch import answer
from cosem.meter.item import Visit
from cosem.protocol.apdu.action import ActionRequestNormal, ActionResponseNormal, ActionResult
from cosem.protocol.apdu.get import DataAccessResult, GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.set import SetRequestNormal, SetResponseNormal
from cosem.protocol.association.context import ApplicationContext, Negotiated
from cosem.protocol.crypto.key import Key, Secret
from cosem.protocol.crypto.suite import Protection
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.classes.access_control import AssociationLNVersion1
from cosem.protocol.model.rights import (
    OBJECT_LIST_ELEMENT,
    AccessRights,
    AttributeAccess,
    AttributeAccessItem,
    MethodAccess,
    MethodAccessItem,
    ObjectListElement,
)
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.model.shape import ANY, array, shape_of
from cosem.protocol.values.data import (
    Array,
    DoubleLongUnsigned,
    Enumerated,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
    Unsigned,
)
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis
from cosem.store.snapshot import Cell, RecordedAssociation, RecordedDevice, RecordedObject, Snapshot

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
R, RW = AttributeAccess.READ, AttributeAccess.READ_WRITE
SERVICES = Conformance.GET | Conformance.SET | Conformance.ACTION | Conformance.SELECTIVE_ACCESS
TIME = DateTime(2026, 6, 30, hour=10, minute=0, second=0, deviation=-120, status=0x80)
COLUMNS = shape_of(array(CaptureObject)).encode((CaptureObject(3, Obis("1.0.1.8.0.255"), 2),))

OBJECTS = (
    RecordedObject(3, 0, Obis("1.0.1.8.0.255"), {2: Cell(DoubleLongUnsigned(5)), 3: Cell(refused=3)}),
    RecordedObject(1, 0, Obis("0.0.96.1.1.255"), {2: Cell(LongUnsigned(7))}),
    RecordedObject(8, 0, Obis("0.0.1.0.0.255"), {2: Cell(OctetString(TIME.octets))}),
    RecordedObject(
        7,
        1,
        Obis("1.0.99.1.0.255"),
        {2: Cell(Array(Structure((Unsigned(n),)) for n in range(5))), 3: Cell(COLUMNS), 7: Cell(DoubleLongUnsigned(5))},
    ),
    RecordedObject(7, 1, Obis("1.0.99.2.0.255"), {3: Cell(COLUMNS), 7: Cell(DoubleLongUnsigned(960))}),
)


def listed(each: RecordedObject) -> ObjectListElement:
    rights = AccessRights(
        tuple(AttributeAccessItem(index, RW if each.class_id in (1, 8) else R) for index in range(1, 9)),
        (MethodAccessItem(1, MethodAccess.ACCESS), MethodAccessItem(6, MethodAccess.ACCESS)),
    )
    return ObjectListElement(each.class_id, each.version, each.instance, rights)


LIST = array(OBJECT_LIST_ELEMENT[3]).encode(tuple(map(listed, OBJECTS)))
ASSOCIATION = RecordedAssociation(16, "public", 0, 0, None, int(SERVICES), 1024, LIST)
DEVICE = RecordedDevice(1, b"KFM0000000000001", None, (ASSOCIATION,), OBJECTS)
SNAPSHOT = Snapshot("", (DEVICE,))


def visit(given: Snapshot = SNAPSHOT) -> Visit:
    meter = clone(given, clock=lambda: NOON)
    (association,) = meter.management.associations
    negotiated = Negotiated(
        ApplicationContext.LOGICAL_NAME,
        0,  # type: ignore[arg-type]
        association.conformance,
        1024,
        1024,
        Protection.NONE,
        None,
    )
    return meter.management.visit(association, negotiated)


def get(at: Visit, reference: Any) -> Any:
    response = answer(at, GetRequestNormal(0xC1, reference.descriptor, reference.access_selection))
    assert isinstance(response, GetResponseNormal)
    return response.result


def test_values_and_refusals_are_those_of_the_original() -> None:
    energy = Register("1.0.1.8.0.255")
    assert get(visit(), energy.value) == DoubleLongUnsigned(5)
    assert get(visit(), energy.scaler_unit) is DataAccessResult.READ_WRITE_DENIED
    assert get(visit(), energy.logical_name) == OctetString(energy.instance.octets)
    assert get(visit(), Register("1.0.2.8.0.255").value) is DataAccessResult.OBJECT_UNDEFINED
    assert get(visit(), Data("0.0.42.0.0.255").value) is DataAccessResult.OBJECT_UNDEFINED  # it was not listed


def test_the_association_that_its_original_did_not_list_is_read_as_the_original_answered() -> None:
    current = AssociationLNVersion1()
    assert get(visit(), replace(current.object_list, shape=ANY)) == LIST
    assert get(visit(), current.association_status) == Enumerated(2)
    response = answer(visit(), SetRequestNormal(0xC1, current.secret.descriptor, None, OctetString(b"s3cret")))
    assert isinstance(response, SetResponseNormal)
    assert response.result is DataAccessResult.READ_WRITE_DENIED


def test_a_list_that_nobody_was_allowed_to_read_was_read_all_the_same() -> None:
    current = AssociationLNVersion1()
    nothing = AccessRights((AttributeAccessItem(2, AttributeAccess.NONE), AttributeAccessItem(3, AttributeAccess.NONE)))
    told = ObjectListElement(15, 1, current.instance, nothing)
    objects = array(OBJECT_LIST_ELEMENT[3]).encode((*map(listed, OBJECTS), told))
    association = replace(ASSOCIATION, object_list=objects)
    own = RecordedObject(15, 1, current.instance, {})
    given = Snapshot("", (replace(DEVICE, associations=(association,), objects=(*OBJECTS, own)),))
    assert get(visit(given), replace(current.object_list, shape=ANY)) == objects
    assert get(visit(given), current.associated_partners_id) is DataAccessResult.READ_WRITE_DENIED


@pytest.mark.parametrize(("client", "told"), [(16, 2), (1, 0)], ids=["his own", "of another"])
def test_the_status_of_a_listed_association_is_what_it_is_now(client: int, told: int) -> None:
    partners = Structure((Integer(client), LongUnsigned(1)))
    recorded = RecordedObject(15, 1, Obis("0.0.40.0.3.255"), {3: Cell(partners), 8: Cell(Enumerated(2))})
    objects = array(OBJECT_LIST_ELEMENT[3]).encode((*map(listed, OBJECTS), listed(recorded)))
    association = replace(ASSOCIATION, object_list=objects)
    given = Snapshot("", (replace(DEVICE, associations=(association,), objects=(*OBJECTS, recorded)),))
    assert get(visit(given), AssociationLNVersion1("0.0.40.0.3.255").association_status) == Enumerated(told)


KEYS = Keys(Key(b"encryption key 2"), Key(b"authentication 2"), temporary=True)


@pytest.mark.parametrize(
    ("e", "setups", "told"),
    [
        (0, {}, 41),  # nobody knows whose it is: that of the first with keys
        (2, {2: 1, 3: 2}, 52),  # by the set-ups that the associations told
        (1, {2: 1, 3: 2}, 41),
    ],
)
def test_invocation_counters_tell_what_the_clone_has_received(e: int, setups: dict[int, int], told: int) -> None:
    counter = Data(f"0.0.43.1.{e}.255")
    recorded = RecordedObject(1, 0, counter.instance, {2: Cell(DoubleLongUnsigned(7))})
    public = replace(ASSOCIATION, object_list=array(OBJECT_LIST_ELEMENT[3]).encode((listed(recorded),)))
    ciphered = [
        replace(
            public,
            client=client,
            protection=48,
            suite=0,
            own={9: Cell(OctetString(bytes((0, 0, 43, 0, setups[client], 255))))} if client in setups else {},
        )
        for client in (2, 3)
    ]
    given = Snapshot("", (replace(DEVICE, associations=(public, *ciphered), objects=(recorded,)),))
    keys = {2: KEYS, 3: replace(KEYS, encryption=Key(b"encryption key 3"))}
    meter = clone(given, lambda each: Entry(keys=keys.get(each.client)), clock=lambda: NOON)
    for client, number in ((2, 41), (3, 52)):
        meter.counters.received(keys[client], b"TSTCLIEN").accept(number)
    assert meter.value(counter.value) == told
    assert clone(SNAPSHOT).management.find(counter.instance) is None


def test_the_clock_goes_on_as_it_was_written() -> None:
    time = DateTime.from_octets(bytes(get(visit(), Clock().time)))
    assert (time.hour, time.minute, time.deviation, time.status, time.hundredths) == (14, 0, -120, 0x80, None)


def test_rows_that_were_read_are_selected_from_and_others_are_unavailable() -> None:
    read = ProfileGeneric("1.0.99.1.0.255")
    assert len(get(visit(), read.buffer)) == 5
    assert get(visit(), read.buffer.entries(2, 3)) == Array((Structure((Unsigned(1),)), Structure((Unsigned(2),))))
    other = ProfileGeneric("1.0.99.2.0.255")
    assert get(visit(), other.buffer) is DataAccessResult.OBJECT_UNAVAILABLE
    assert get(visit(), other.entries_in_use) == DoubleLongUnsigned(960)


def test_what_could_be_written_can_be() -> None:
    at = visit()
    for reference, value, result in (
        (Data("0.0.96.1.1.255").value, LongUnsigned(8), DataAccessResult.SUCCESS),
        (Data("0.0.96.1.1.255").value, OctetString(b"8"), DataAccessResult.TYPE_UNMATCHED),
        (Register("1.0.1.8.0.255").value, DoubleLongUnsigned(8), DataAccessResult.READ_WRITE_DENIED),
    ):
        response = answer(at, SetRequestNormal(0xC1, reference.descriptor, None, value))
        assert isinstance(response, SetResponseNormal)
        assert response.result is result
    assert get(at, Data("0.0.96.1.1.255").value) == LongUnsigned(8)


def test_methods_are_those_of_the_clock() -> None:
    at = visit()
    for reference, argument, result in (
        (Register("1.0.1.8.0.255").reset, Integer(0), ActionResult.OTHER_REASON),
        (Clock().adjust_to_quarter, Integer(0), ActionResult.SUCCESS),
    ):
        response = answer(at, ActionRequestNormal(0xC1, reference.descriptor, argument))
        assert isinstance(response, ActionResponseNormal)
        assert response.response.result is result


def test_a_device_may_have_a_name_that_none_of_ours_could_have() -> None:
    for name in (b"", b"\xff\xfe", b"K" * 40):
        assert clone(Snapshot("", (replace(DEVICE, name=name),))).name
    with pytest.raises(ConfigurationError, match="no logical device"):
        clone(Snapshot("", ()))


def test_an_association_that_cannot_be_offered_is_left_out_with_a_warning() -> None:
    strange = replace(ASSOCIATION, client=5, mechanism=2)
    signed = replace(ASSOCIATION, client=6, protection=304)
    with pytest.warns(UserWarning) as said:
        meter = clone(
            Snapshot("", (replace(DEVICE, associations=(ASSOCIATION, strange, signed)),)),
            lambda each: Entry(Secret(b"s3cret-of-the-meter") if each.mechanism else None),
        )
    assert [each.client for each in meter.management.associations] == [16]
    assert [str(each.message).split()[1] for each in said] == ["5", "6"]


def test_an_object_of_which_no_rights_are_told_may_be_read() -> None:
    bare = array(OBJECT_LIST_ELEMENT[3]).encode(
        tuple(ObjectListElement(each.class_id, each.version, each.instance) for each in OBJECTS)
    )
    given = Snapshot("", (replace(DEVICE, associations=(replace(ASSOCIATION, object_list=bare),)),))
    assert get(visit(given), Register("1.0.1.8.0.255").value) == DoubleLongUnsigned(5)
