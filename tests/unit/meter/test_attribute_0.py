"""Attribute 0 of the meter: every attribute behind it passes the one place that says what is allowed (threat T23)."""

from __future__ import annotations

from typing import Any

import pytest

from cosem.meter import Access, Rule
from cosem.protocol.apdu.get import SelectiveAccess
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.result import DataAccessResult as R
from cosem.protocol.association.context import IMPLEMENTED_LOGICAL_NAME_SERVICES
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.values.data import Array, DoubleLongUnsigned, LongUnsigned, Structure, Unsigned
from cosem.protocol.values.obis import Obis, ObisPattern
from unit.meter.test_dispatch import ASSOCIATION, CLOCK, ENERGY, OTHER, SERIAL, act, describe, get, put

NAME = Obis(ENERGY).octets


def test_all_attributes_come_in_their_order() -> None:
    assert get(describe(Access.READ), 3, ENERGY, 0) == (NAME, 5, (0, 30))


def test_what_may_not_be_read_is_null_data() -> None:
    hidden = Rule(ObisPattern(ENERGY), AttributeAccess.NONE, 2)
    assert get(describe(Access.READ, hidden), 3, ENERGY, 0) == (NAME, None, (0, 30))
    everything = get(describe(Access.MANAGE), 15, ASSOCIATION, 0)
    assert len(everything) == 9
    assert everything[6] is None, "nobody reads the secret"
    assert everything[7] == 2


@pytest.mark.parametrize(("class_id", "name"), [(3, OTHER), (1, ENERGY), (15, "0.0.40.0.2.255")])
def test_it_tells_no_more_of_an_object_than_others(class_id: int, name: str) -> None:
    visit = describe(Access.READ)
    assert get(visit, class_id, name, 0) == get(visit, class_id, name, 2)
    assert put(visit, class_id, name, 0, Structure(())) == put(visit, class_id, name, 2, Unsigned(1))
    assert get(describe(Access.PUBLIC), 3, ENERGY, 0) == R.OBJECT_UNDEFINED


def test_what_is_given_is_written_and_null_data_is_not() -> None:
    visit = describe(Access.MANAGE)
    assert put(visit, 1, SERIAL, 0, Structure((None, Unsigned(9)))) == R.SUCCESS
    assert get(visit, 1, SERIAL, 2) == 9
    assert put(visit, 1, SERIAL, 0, Structure((None, None))) == R.SUCCESS
    assert get(visit, 1, SERIAL, 2) == 9


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (Structure((None, LongUnsigned(9))), R.TYPE_UNMATCHED),
        (Structure((None,)), R.TYPE_UNMATCHED),
        (Structure((None, Unsigned(9), None)), R.TYPE_UNMATCHED),
        (Array((None, Unsigned(9))), R.TYPE_UNMATCHED),
        (Unsigned(9), R.TYPE_UNMATCHED),
        (None, R.TYPE_UNMATCHED),
        (Structure((Unsigned(1), Unsigned(9))), R.READ_WRITE_DENIED),
    ],
)
def test_nothing_is_written_unless_everything_may_be(value: Any, result: R) -> None:
    visit = describe(Access.MANAGE)
    assert put(visit, 1, SERIAL, 0, value) == result
    assert get(visit, 1, SERIAL, 2) == 7


def test_reading_clients_write_nothing() -> None:
    visit = describe(Access.READ)
    assert put(visit, 1, SERIAL, 0, Structure((None, Unsigned(9)))) == R.READ_WRITE_DENIED
    assert get(visit, 1, SERIAL, 2) == 7


def test_it_has_no_parts_and_is_no_method() -> None:
    visit = describe(Access.MANAGE)
    selection = SelectiveAccess(2, Structure((DoubleLongUnsigned(1),) * 4))
    assert get(visit, 7, "1.0.99.1.0.255", 0, selection) == R.SCOPE_OF_ACCESS_VIOLATED
    assert act(visit, 8, CLOCK, 0, Unsigned(0)) == R.READ_WRITE_DENIED


@pytest.mark.parametrize(
    "without", [Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET, Conformance.ATTRIBUTE_0_SUPPORTED_WITH_SET]
)
def test_it_must_have_been_negotiated(without: Conformance) -> None:
    visit = describe(Access.MANAGE, conformance=IMPLEMENTED_LOGICAL_NAME_SERVICES & ~without)
    reads = without is not Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET
    assert (get(visit, 3, ENERGY, 0) == R.READ_WRITE_DENIED) is not reads
    assert put(visit, 1, SERIAL, 0, Structure((None, Unsigned(9)))) == (R.READ_WRITE_DENIED if reads else R.SUCCESS)
