"""The one place that says what is allowed, asked through every service in the same way (threat T23)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosem.meter import RECOMPUTED, Access, AssociationDescription, Meter, Rights, Rule
from cosem.meter.dispatch import answer
from cosem.meter.item import Visit
from cosem.protocol.apdu.access import (
    AccessRequest,
    AccessRequestAction,
    AccessRequestGet,
    AccessRequestGetWithSelection,
    AccessRequestSet,
    AccessRequestSetWithSelection,
    AccessRequestSpecification,
    AccessResponse,
)
from cosem.protocol.apdu.acse import ApplicationContext, MechanismId
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResponseWithList,
    MethodDescriptor,
)
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
    SelectiveAccess,
)
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.result import DataAccessResult as R
from cosem.protocol.apdu.set import SetRequestNormal, SetRequestWithList, SetResponseNormal, SetResponseWithList
from cosem.protocol.association.access import compare
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES, Negotiated
from cosem.protocol.association.security import Protection
from cosem.protocol.model import Clock, Data, ProfileGeneric, Register
from cosem.protocol.model.classes.access_control import AssociationLNVersion1
from cosem.protocol.model.rights import AttributeAccess, MethodAccess
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
from cosem.protocol.values.obis import Obis, ObisPattern

NOW = datetime(2024, 5, 6, tzinfo=UTC)
TIME = OctetString(bytes.fromhex("07E80506FF0C0000000000FF"))
ENERGY, SERIAL, CLOCK, PROFILE = "1.0.1.8.0.255", "0.0.96.1.0.255", "0.0.1.0.0.255", "1.0.99.1.0.255"
OTHER, ASSOCIATION = "1.0.2.8.0.255", "0.0.40.0.0.255"


def describe(access: Access, *rules: Rule, conformance: Conformance = IMPLEMENTED_LOGICAL_NAME_SERVICES) -> Visit:
    meter = Meter("KFM1", clock=lambda: NOW)
    meter.add(Register(ENERGY), value=5, scaler_unit=(0, 30))
    meter.add(Data(SERIAL), value=Unsigned(7), writable=("value",))
    columns = (Clock().time, Register(ENERGY).value)
    meter.add(
        ProfileGeneric(PROFILE), capture_objects=columns, capture_period=900, profile_entries=3, buffer=RECOMPUTED
    )
    association = AssociationDescription(client=1, rights=Rights(access, rules))
    meter.offer(association)
    negotiated = Negotiated(
        ApplicationContext.LOGICAL_NAME, MechanismId(0), conformance, 0, 1024, Protection.NONE, None
    )
    return meter.management.visit(association, negotiated)


def access(visit: Visit, asked: AccessRequestSpecification, given: Any) -> tuple[Any, int]:
    """Do one thing by ACCESS; return its value and its result."""
    response = answer(visit, AccessRequest(0x40000001, b"", (asked,), (given,)))
    assert isinstance(response, AccessResponse)
    compare(AccessRequest(0x40000001, b"", (asked,), (given,)), response)
    return response.access_response_list_of_data[0], response.access_response_specification[0].result


def get(visit: Visit, class_id: int, name: str, index: int, selection: SelectiveAccess | None = None) -> Any:
    """Read alone, in a list and by ACCESS; all must say the same."""
    attribute = AttributeDescriptor(class_id, Obis(name), index)
    alone = answer(visit, GetRequestNormal(0xC1, attribute, selection))
    assert isinstance(alone, GetResponseNormal)
    item = AttributeDescriptorWithSelection(attribute, selection)
    listed = answer(visit, GetRequestWithList(0xC1, (item, item)))
    assert isinstance(listed, GetResponseWithList)
    assert listed.results == (alone.result, alone.result)
    read = AccessRequestGet(attribute) if selection is None else AccessRequestGetWithSelection(attribute, selection)
    value, result = access(visit, read, None)
    assert (value, result) == ((None, alone.result) if isinstance(alone.result, R) else (alone.result, R.SUCCESS))
    assert alone.encode()
    return alone.result


def put(visit: Visit, class_id: int, name: str, index: int, value: Any, selection: Any = None) -> R:
    """Write alone, in a list and by ACCESS; all must say the same."""
    attribute = AttributeDescriptor(class_id, Obis(name), index)
    alone = answer(visit, SetRequestNormal(0xC1, attribute, selection, value))
    assert isinstance(alone, SetResponseNormal)
    listed = answer(
        visit, SetRequestWithList(0xC1, (AttributeDescriptorWithSelection(attribute, selection),), (value,))
    )
    assert isinstance(listed, SetResponseWithList)
    assert listed.results == (alone.result,)
    write = AccessRequestSet(attribute) if selection is None else AccessRequestSetWithSelection(attribute, selection)
    assert access(visit, write, value) == (None, alone.result)
    return alone.result


def act(visit: Visit, class_id: int, name: str, index: int, argument: Any) -> int:
    """Run alone, in a list and by ACCESS; all must say the same."""
    method = MethodDescriptor(class_id, Obis(name), index)
    alone = answer(visit, ActionRequestNormal(0xC1, method, argument))
    assert isinstance(alone, ActionResponseNormal)
    listed = answer(visit, ActionRequestWithList(0xC1, (method,), (argument,)))
    assert isinstance(listed, ActionResponseWithList)
    assert listed.responses == (alone.response,)
    assert access(visit, AccessRequestAction(method), argument) == (
        alone.response.return_parameters,
        alone.response.result,
    )
    return int(alone.response.result)


def test_reading() -> None:
    for access in (Access.READ, Access.MANAGE):
        visit = describe(access)
        assert get(visit, 3, ENERGY, 2) == 5
        assert get(visit, 3, ENERGY, 1) == Obis(ENERGY).octets
        assert get(visit, 8, CLOCK, 2) != R.READ_WRITE_DENIED
        assert get(visit, 15, ASSOCIATION, 8) == 2


@pytest.mark.parametrize(
    ("class_id", "name", "index", "result"),
    [
        (3, OTHER, 2, R.OBJECT_UNDEFINED),
        (1, ENERGY, 2, R.OBJECT_CLASS_INCONSISTENT),
        (3, ENERGY, 4, R.READ_WRITE_DENIED),
        (3, ENERGY, -1, R.READ_WRITE_DENIED),
        (15, ASSOCIATION, 7, R.READ_WRITE_DENIED),
        (15, "0.0.40.0.2.255", 2, R.OBJECT_UNDEFINED),
    ],
)
def test_what_cannot_be_read_by_anybody(class_id: int, name: str, index: int, result: R) -> None:
    for access in Access:
        expected = R.OBJECT_UNDEFINED if access is Access.PUBLIC and name == ENERGY else result
        assert get(describe(access), class_id, name, index) == expected
        assert put(describe(access), class_id, name, index, Unsigned(1)) == expected


def test_what_the_public_sees() -> None:
    visit = describe(Access.PUBLIC)
    for class_id, name in ((3, ENERGY), (1, SERIAL), (7, PROFILE)):
        assert get(visit, class_id, name, 2) == R.OBJECT_UNDEFINED
        assert put(visit, class_id, name, 2, Unsigned(1)) == R.OBJECT_UNDEFINED
        assert act(visit, class_id, name, 1, Integer(0)) == R.OBJECT_UNDEFINED
    assert get(visit, 1, "0.0.42.0.0.255", 2) == b"KFM1"
    assert put(visit, 8, CLOCK, 2, TIME) == R.READ_WRITE_DENIED
    assert act(visit, 8, CLOCK, 1, Integer(0)) == R.READ_WRITE_DENIED


def test_reading_clients_write_and_run_nothing() -> None:
    visit = describe(Access.READ)
    assert put(visit, 1, SERIAL, 2, Unsigned(1)) == R.READ_WRITE_DENIED
    assert put(visit, 8, CLOCK, 2, TIME) == R.READ_WRITE_DENIED
    assert act(visit, 7, PROFILE, 1, Integer(0)) == R.READ_WRITE_DENIED
    assert act(visit, 15, ASSOCIATION, 1, OctetString(b"proof")) == R.READ_WRITE_DENIED


def test_managing_clients_write_and_run_what_objects_allow() -> None:
    visit = describe(Access.MANAGE)
    assert put(visit, 1, SERIAL, 2, Unsigned(9)) == R.SUCCESS
    assert get(visit, 1, SERIAL, 2) == 9
    assert put(visit, 8, CLOCK, 2, TIME) == R.SUCCESS
    assert act(visit, 8, CLOCK, 1, Integer(0)) == R.SUCCESS
    assert put(visit, 3, ENERGY, 2, LongUnsigned(0)) == R.READ_WRITE_DENIED, "nobody writes what was measured"
    assert act(visit, 3, ENERGY, 1, Integer(0)) == R.READ_WRITE_DENIED, "nor resets it"
    assert act(visit, 8, CLOCK, 9, Integer(0)) == R.READ_WRITE_DENIED
    assert act(visit, 8, CLOCK, 0, Integer(0)) == R.READ_WRITE_DENIED


def test_a_profile_whose_rows_are_computed_promises_no_method_and_refuses_each() -> None:
    visit = describe(Access.MANAGE)
    listed = AssociationLNVersion1.object_list.shape.decode(get(visit, 15, ASSOCIATION, 2))
    rights = {each.logical_name: each.access_rights.method_access for each in listed}
    assert {each.index: each.access for each in rights[Obis(PROFILE)]} == dict.fromkeys((1, 2), MethodAccess.NONE)
    for method in (1, 2):
        assert act(visit, 7, PROFILE, method, Integer(0)) == R.READ_WRITE_DENIED


def test_values_of_the_wrong_type() -> None:
    visit = describe(Access.MANAGE)
    for value in (LongUnsigned(9), OctetString(b"x"), None, Structure((Unsigned(1),))):
        assert put(visit, 1, SERIAL, 2, value) == R.TYPE_UNMATCHED
    for value in (Unsigned(1), OctetString(b"x"), None, Array(())):
        assert put(visit, 8, CLOCK, 2, value) == R.TYPE_UNMATCHED
    for argument in (Unsigned(0), None, OctetString(b"")):
        assert act(visit, 8, CLOCK, 1, argument) == R.TYPE_UNMATCHED
    assert get(visit, 1, SERIAL, 2) == 7


def test_rules_narrow_and_widen_but_never_beyond_what_an_object_allows() -> None:
    hidden = Rule(ObisPattern("1.0.1.8.0.255"), AttributeAccess.NONE, 2)
    visit = describe(Access.MANAGE, hidden)
    assert get(visit, 3, ENERGY, 2) == R.READ_WRITE_DENIED
    assert get(visit, 3, ENERGY, 3) == (0, 30)
    wide = Rule(ObisPattern("*.*.*.*.*.*"), AttributeAccess.READ_WRITE)
    visit = describe(Access.PUBLIC, wide)
    assert get(visit, 3, ENERGY, 2) == 5
    assert put(visit, 1, SERIAL, 2, Unsigned(1)) == R.SUCCESS
    assert put(visit, 3, ENERGY, 2, LongUnsigned(0)) == R.READ_WRITE_DENIED
    again = Rule(ObisPattern("0.0.96.*.*.255"), AttributeAccess.READ)
    visit = describe(Access.PUBLIC, wide, again)
    assert put(visit, 1, SERIAL, 2, Unsigned(1)) == R.READ_WRITE_DENIED, "the last rule that matches counts"


FIRST_ROW = SelectiveAccess(
    2, Structure((DoubleLongUnsigned(1), DoubleLongUnsigned(1), LongUnsigned(1), LongUnsigned(0)))
)


def test_selectors() -> None:
    visit = describe(Access.READ)
    assert len(get(visit, 7, PROFILE, 2, FIRST_ROW)) == 1
    assert get(visit, 7, PROFILE, 3, FIRST_ROW) == R.SCOPE_OF_ACCESS_VIOLATED
    assert get(visit, 3, ENERGY, 2, FIRST_ROW) == R.SCOPE_OF_ACCESS_VIOLATED
    assert get(visit, 15, ASSOCIATION, 2, SelectiveAccess(1, None)) == R.SCOPE_OF_ACCESS_VIOLATED
    assert get(visit, 7, PROFILE, 2, SelectiveAccess(3, None)) == R.SCOPE_OF_ACCESS_VIOLATED
    for parameters in (None, Structure(()), Array(()), FIRST_ROW.parameters[:3]):
        assert get(visit, 7, PROFILE, 2, SelectiveAccess(2, parameters)) == R.TYPE_UNMATCHED
        assert get(visit, 7, PROFILE, 2, SelectiveAccess(1, parameters)) == R.TYPE_UNMATCHED
    assert put(describe(Access.MANAGE), 1, SERIAL, 2, Unsigned(1), FIRST_ROW) == R.SCOPE_OF_ACCESS_VIOLATED


def test_selective_access_must_have_been_negotiated() -> None:
    without = IMPLEMENTED_LOGICAL_NAME_SERVICES & ~Conformance.SELECTIVE_ACCESS
    visit = describe(Access.READ, conformance=without)
    assert get(visit, 7, PROFILE, 2, FIRST_ROW) == R.SCOPE_OF_ACCESS_VIOLATED
    assert len(get(visit, 7, PROFILE, 2)) == 3


def test_lists_whose_lengths_differ_do_nothing() -> None:
    visit = describe(Access.MANAGE)
    attribute = AttributeDescriptorWithSelection(AttributeDescriptor(1, Obis(SERIAL), 2))
    for values in ((), (Unsigned(1), Unsigned(2))):
        response = answer(visit, SetRequestWithList(0xC1, (attribute,), values))
        assert isinstance(response, SetResponseWithList)
        assert response.results == (R.OTHER_REASON,)
    method = MethodDescriptor(8, Obis(CLOCK), 1)
    ran = answer(visit, ActionRequestWithList(0xC1, (method, method), (Integer(0),)))
    assert isinstance(ran, ActionResponseWithList)
    assert [int(response.result) for response in ran.responses] == [R.OTHER_REASON] * 2
    assert get(visit, 1, SERIAL, 2) == 7


def test_the_object_list_says_what_authorize_does() -> None:
    for access in Access:
        visit = describe(access)
        for class_id, version, name, (attributes, methods) in get(visit, 15, ASSOCIATION, 2):
            item = visit.device.find(Obis.from_octets(bytes(name)), visit.association)
            assert item is not None
            assert (item.class_id, item.version) == (class_id, version)
            for index, mode, _ in attributes:
                readable = not isinstance(get(visit, class_id, str(Obis(bytes(name))), index), R)
                assert readable == bool(mode & 1)
                assert isinstance(mode, Enumerated)
            assert all(mode in (0, 1) for _, mode in methods)


anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(0, 255).map(Unsigned),
        st.integers(-128, 127).map(Integer),
        st.integers(0, 65535).map(LongUnsigned),
        st.integers(0, (1 << 32) - 1).map(DoubleLongUnsigned),
        st.binary(max_size=14).map(OctetString),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=5).map(Array), st.lists(inner, max_size=5).map(Structure)),
    max_leaves=12,
)
names = st.one_of(
    st.sampled_from((ENERGY, SERIAL, CLOCK, PROFILE, OTHER, ASSOCIATION, "0.0.41.0.0.255", "0.0.42.0.0.255")).map(Obis),
    st.binary(min_size=6, max_size=6).map(Obis),
)
classes = st.sampled_from((1, 3, 7, 8, 15, 17))
indexes = st.integers(-128, 127) | st.integers(0, 11)
selections = st.none() | st.builds(SelectiveAccess, st.integers(0, 4), anything)
attributes = st.builds(AttributeDescriptor, classes, names, indexes)
methods = st.builds(MethodDescriptor, classes, names, indexes)
specifications = st.one_of(
    st.builds(AccessRequestGet, attributes),
    st.builds(AccessRequestSet, attributes),
    st.builds(AccessRequestAction, methods),
    st.builds(AccessRequestGetWithSelection, attributes, selections.filter(bool)),
    st.builds(AccessRequestSetWithSelection, attributes, selections.filter(bool)),
)
requests = st.one_of(
    st.builds(GetRequestNormal, st.just(0xC1), attributes, selections),
    st.builds(SetRequestNormal, st.just(0xC1), attributes, selections, anything),
    st.builds(ActionRequestNormal, st.just(0xC1), methods, anything),
    st.lists(st.tuples(specifications, anything), max_size=4).map(
        lambda items: AccessRequest(0x70000001, b"", tuple(each for each, _ in items), tuple(each for _, each in items))
    ),
)


@settings(max_examples=600, deadline=None)
@given(st.lists(requests, min_size=1, max_size=6), st.sampled_from(Access))
def test_no_request_does_harm(asked: list[Any], access: Access) -> None:
    visit = describe(access)
    for request in asked:
        assert answer(visit.device.visit(visit.association, visit.negotiated), request).encode()
