"""Whole objects: by attribute 0 where that was negotiated, attribute by attribute elsewhere, with the same result."""

from __future__ import annotations

from typing import Any

import pytest

from cosem import AsyncClient, Clock, Register
from cosem.errors import DataAccessError, ShapeError
from cosem.protocol.apdu.descriptor import ATTRIBUTE_0
from cosem.protocol.apdu.get import GetRequestNormal, GetRequestWithList
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.set import SetRequestNormal
from cosem.protocol.model.declare import UnknownClass
from cosem.protocol.model.whole import attribute_0
from cosem.protocol.values.data import OctetString, Structure, Unsigned
from cosem.protocol.values.obis import Obis
from unit.client.test_several import EVERYTHING, LISTS, SERIAL, ask, kinds

ENERGY = Register("1.0.1.8.0.255")
BOTH = EVERYTHING | Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET | Conformance.ATTRIBUTE_0_SUPPORTED_WITH_SET


@pytest.mark.parametrize("conformance", [BOTH, LISTS])
def test_an_object_is_read_whole(conformance: Conformance) -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        return [await client.get_object(ENERGY)]

    (found,), requests = ask(asking, conformance)
    assert found["logical_name"] == Obis(ENERGY.instance)
    assert found["value"] == 1000
    assert found["scaler_unit"].scaler == 3
    if conformance == BOTH:
        assert kinds(requests) == [GetRequestNormal]
        assert requests[0].attribute.attribute_id == ATTRIBUTE_0
    else:
        assert kinds(requests) == [GetRequestWithList]


@pytest.mark.parametrize("conformance", [BOTH, LISTS])
def test_an_object_is_written_and_only_what_is_named(conformance: Conformance) -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        await client.set_object(SERIAL, {"value": Unsigned(9)})
        return [await client.get(SERIAL.value)]

    answers, requests = ask(asking, conformance)
    assert answers == [9]
    assert kinds(requests) == [SetRequestNormal, GetRequestNormal]
    assert requests[0].attribute.attribute_id == (ATTRIBUTE_0 if conformance == BOTH else 2)


@pytest.mark.parametrize("conformance", [BOTH, LISTS])
def test_what_the_meter_refuses(conformance: Conformance) -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        refused: list[Any] = []
        with pytest.raises(DataAccessError) as caught:
            await client.get_object(Register("1.0.99.8.0.255"))
        refused.append(caught.value.result)
        with pytest.raises(DataAccessError) as caught:
            await client.set_object(ENERGY, {"value": Unsigned(1)})
        refused.append(caught.value.result)
        return refused

    assert ask(asking, conformance)[0] == [4, 3]


def test_names_that_are_none_are_refused_before_anything_is_sent() -> None:
    async def asking(client: AsyncClient) -> list[Any]:
        with pytest.raises(ShapeError, match="no attribute colour"):
            await client.set_object(ENERGY, {"colour": 1})
        with pytest.raises(ShapeError, match="time_zone"):
            await client.set_object(Clock(), {"time_zone": "noon"})
        return []

    assert ask(asking, BOTH) == ([], [])


def test_the_structure_has_a_place_for_every_attribute() -> None:
    reference = attribute_0(ENERGY)
    assert str(reference) == "3/1.0.1.8.0.255/0"
    assert reference.encode({"value": Unsigned(5)}) == Structure((None, Unsigned(5), None))
    assert reference.decode(Structure((None, Unsigned(5), None, Unsigned(7)))) == {
        "logical_name": None,
        "value": 5,
        "scaler_unit": None,
        "attribute_4": 7,
    }
    for wrong in (Unsigned(5), None, Structure((None, None, Unsigned(5)))):
        with pytest.raises(ShapeError, match=r"3/1\.0\.1\.8\.0\.255/0"):
            reference.decode(wrong)


def test_an_object_of_an_unknown_class_has_what_the_meter_sends() -> None:
    reference = attribute_0(UnknownClass(8192, 0, "0.0.1.2.3.255"))
    name = OctetString(bytes.fromhex("0000010203FF"))
    assert reference.decode(Structure((name, Unsigned(5)))) == {
        "logical_name": Obis("0.0.1.2.3.255"),
        "attribute_2": 5,
    }
