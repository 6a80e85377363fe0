"""Selective access against published octets."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from cosem.errors import ShapeError
from cosem.protocol.apdu.get import GetRequestNormal, SelectiveAccess
from cosem.protocol.codec import axdr
from cosem.protocol.model import CaptureObject, EntrySelection, ProfileGeneric, RangeSelection, Register
from cosem.protocol.values.data import DoubleLongUnsigned, LongUnsigned, Structure, same
from cosem.protocol.values.obis import Obis

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "model.json").read_text())
PROFILE = ProfileGeneric("1.0.99.1.0.255")


@pytest.mark.parametrize("vector", VECTORS["selections"], ids=lambda vector: vector["name"])
def test_a_range_is_written_as_published(vector: dict[str, object]) -> None:
    columns = [CaptureObject(c, Obis(n), a, d) for c, n, a, d in vector["columns"]]  # type: ignore[attr-defined]
    start, end = (datetime.fromisoformat(str(vector[key])) for key in ("from", "to"))
    buffer = PROFILE.buffer.range(start, end, columns=columns)
    request = GetRequestNormal(0xC1, buffer.descriptor, buffer.access_selection)
    assert request.encode().hex().upper() == vector["request"]
    received = GetRequestNormal.decode(bytes.fromhex(str(vector["request"])))
    assert received.access_selection is not None
    assert ProfileGeneric.buffer.selection(received.access_selection) == buffer.selection


def test_entries_are_written_as_the_standard_orders_them() -> None:
    selection = PROFILE.buffer.entries(1, 10).access_selection
    assert selection is not None
    assert selection.selector == 2
    assert axdr.encode(selection.parameters).hex() == "0204" + "0600000001" + "060000000a" + "120001" + "120000"
    assert ProfileGeneric.buffer.selection(selection) == EntrySelection(1, 10)


def test_a_range_by_another_column_takes_its_data() -> None:
    counter = CaptureObject(1, Obis("0.0.96.15.0.255"), 2)
    selection = PROFILE.buffer.range(DoubleLongUnsigned(5), DoubleLongUnsigned(9), restricting=counter).selection
    assert isinstance(selection, RangeSelection)
    assert same(selection.start, DoubleLongUnsigned(5))
    assert selection.restricting == counter


def test_unknown_selectors_and_broken_parameters_are_refused() -> None:
    with pytest.raises(ShapeError, match="no access-selector 3"):
        ProfileGeneric.buffer.selection(SelectiveAccess(3, None))
    with pytest.raises(ShapeError, match="no access-selector 1"):
        Register.value.selection(SelectiveAccess(1, None))
    with pytest.raises(ShapeError):
        ProfileGeneric.buffer.selection(SelectiveAccess(2, Structure((LongUnsigned(1),))))


def test_selecting_nothing_takes_the_selection_away() -> None:
    assert PROFILE.buffer.entries(1, 2).select(None) == PROFILE.buffer
    assert PROFILE.buffer.entries(1, 2) != PROFILE.buffer
    assert str(CaptureObject(7, Obis("1.0.99.1.0.255"), 2, 3)) == "7/1.0.99.1.0.255/2[3]"
