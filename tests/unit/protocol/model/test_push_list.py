"""Push lists: captures and published lists of each country read as their publishers read them; bodies of no list."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from cosem.errors import ShapeError
from cosem.protocol import apdu
from cosem.protocol.apdu.notification import DataNotification
from cosem.protocol.model.companion import companion
from cosem.protocol.model.push_list import PushList
from cosem.protocol.values.data import (
    Array,
    DoubleLongUnsigned,
    Enumerated,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
)
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

VECTORS = Path(__file__).parents[3] / "vectors" / "pushes.jsonl"
CASES: list[dict[str, Any]] = [json.loads(line) for line in VECTORS.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_push_of_each_country_is_read_by_its_list(case: dict[str, Any]) -> None:
    notification = apdu.decode(bytes.fromhex(case["octets"]))
    assert isinstance(notification, DataNotification)
    known = companion(case["companion"])
    listed = known.push_list(notification.body)
    assert listed is not None and listed.name == case["list"]
    values = {str(each.obis): each for each in listed.read(notification.body)}
    for obis, number in case["expected"].items():
        quantity = values[obis].quantity
        found = values[obis].value if quantity is None else quantity.value
        assert float(str(found)) == float(number), obis


def test_numbers_that_nobody_gives_a_unit_stay_numbers() -> None:
    name = OctetString(Obis("1.0.1.8.0.255").octets)
    told = companion("austria").pushed(Structure((OctetString(bytes(12)), name, DoubleLongUnsigned(5))))
    assert [(str(each.obis), each.value, each.quantity) for each in told][1] == ("1.0.1.8.0.255", 5, None)


def test_values_that_no_list_tells_are_an_error() -> None:
    body = Structure((DoubleLongUnsigned(1), DoubleLongUnsigned(2)))
    assert companion("norway").push_list(body) is None
    with pytest.raises(ShapeError, match="no list tells what 2 of the pushed values are"):
        companion("norway").pushed(body)
    with pytest.raises(ShapeError):
        companion("norway").pushed(DoubleLongUnsigned(1))
    with pytest.raises(ShapeError, match="has not the form of"):
        companion("norway").push_lists[0].read(body)


def test_a_body_that_names_its_values_needs_no_list() -> None:
    name = OctetString(Obis("1.0.1.7.0.255").octets)
    scaler_unit = Structure((Integer(1), Enumerated(27)))
    told = PushList.read_by(None, Array((Structure((name, LongUnsigned(7), scaler_unit)),)))
    assert [(each.name, each.unit, each.scaler) for each in told] == [("Active power import", Unit.WATT, 1)]


@pytest.mark.parametrize(
    "odd",
    [
        Structure((OctetString(Obis("1.0.1.7.0.255").octets),)),
        Structure((Structure(()),)),
        Structure((Array(()), None)),
        Structure((Array((Structure((LongUnsigned(1),)),)),)),
        Structure((Array((Structure((LongUnsigned(1), OctetString(b"123456"), None, None)),)),)),
        Structure((None,)),
        Structure(()),
    ],
)
def test_odd_bodies_end_in_a_typed_error_or_in_nothing(odd: Any) -> None:
    with contextlib.suppress(ShapeError):
        assert PushList.read_by(None, odd) == ()
