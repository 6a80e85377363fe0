"""Recorded values of attributes, and typed values as JSON shows them, for the tests of the interface classes."""

from __future__ import annotations

import dataclasses
import json
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from cosem.protocol.codec import axdr
from cosem.protocol.model import REGISTRY
from cosem.protocol.model.shape import decode_exactly
from cosem.protocol.values.dates import Date, DateTime, Time
from cosem.protocol.values.obis import Obis

VECTORS = Path(__file__).parent / "vectors"


def recorded(file: str, module: str) -> list[Any]:
    """The attributes in a file of vectors whose classes are declared in that module of `model/classes`."""
    return [
        pytest.param(each, id=f"{each['class_id']}v{each['version']}.{each['attribute']}-{index}")
        for group in json.loads((VECTORS / file).read_text())
        for index, each in enumerate(group["attributes"])
        if REGISTRY[each["class_id"], each["version"]].__module__ == f"cosem.protocol.model.classes.{module}"
    ]


def holds(case: dict[str, Any]) -> None:
    """Assert that the octets are exactly the typed value that the case says, in both directions."""
    declared = REGISTRY[case["class_id"], case["version"]]
    shape = getattr(declared, case["attribute"]).shape
    octets = bytes.fromhex(case["octets"])
    data, end = axdr.decode(octets)
    assert end == len(octets)
    value = decode_exactly(shape, data)
    assert plain(value) == case["value"]
    assert axdr.encode(shape.encode(value)) == octets


def plain(value: Any) -> Any:
    """A typed value in words of JSON: fields by name, enumerations by name, octets in hex."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type | Obis | DateTime | Date | Time):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Obis):
        return str(value)
    if isinstance(value, DateTime | Date | Time):
        return value.octets.hex()
    if isinstance(value, IntEnum):
        return value.name
    if isinstance(value, bytes):
        return bytes(value).hex()
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    return str(value) if isinstance(value, str) else int(value)
