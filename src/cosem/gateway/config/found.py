"""Rows of Signals made from what a meter shows: its object list, or its readout of IEC 62056-21."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from cosem.client.browse import BrowsedDevice, BrowsedObject
from cosem.errors import CosemError
from cosem.gateway.value import NumberType
from cosem.protocol.iec21.readout import Readout
from cosem.protocol.model import catalogue
from cosem.protocol.model.rights import AttributeAccess
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.data import BitString
from cosem.protocol.values.dates import DateTime
from cosem.protocol.values.obis import Obis

HEADINGS: Final = (
    *("signal_name", "device_alias", "signal_alias", "enable", "log", "number_type"),
    *("obis_job", "tag_job_todo", "class_id", "units", "profile"),
)

_VALUES: Final = MappingProxyType({1: 2, 3: 2, 4: 2, 5: 2, 8: 2, 70: 2, 71: 3, 72: 2})
"""Classes whose objects are worth a signal, and the attribute that has the value."""

_REGISTERS: Final = frozenset({3, 4})
"""Classes of which the attribute may be left out, so that the scaler is applied."""

_PROFILE: Final = 7
_NOT_OF_AN_ALIAS: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_GREATEST_ALIAS: Final = 64

_NUMBER_TYPES: Final = (
    (bool, NumberType.DIGITAL),
    (float, NumberType.DOUBLE),
    (BitString, NumberType.BITSTRING),
    (DateTime | datetime, NumberType.TIME),
)


def signals_of_objects(device: str, found: Iterable[BrowsedDevice]) -> Iterator[dict[str, str]]:
    """Give a row for each object that has a value and may be read, with the profile that captures it."""
    for logical in found:
        captured = _captured(logical)
        for each in logical.objects:
            index = _VALUES.get(each.address.class_id)
            if index is None or not _readable(each, index):
                continue
            yield _row_of(device, each, index, captured.get((each.address.instance, index), ""))


def signals_of_readout(device: str, readout: Readout) -> Iterator[dict[str, str]]:
    """Give a row for each line with an address, which stands as the meter prints it."""
    seen: set[str] = set()
    for line in readout.sets:
        if line.error is not None or not line.address or line.address in seen or not line.values:
            continue
        seen.add(line.address)
        value = line.values[0]
        code = line.obis
        yield _row(
            device,
            line.address,
            signal_name=line.address if code is None else catalogue.lookup(code).name or line.address,
            number_type=(NumberType.TEXT if value.number is None else NumberType.DOUBLE).value,
            tag_job_todo=line.address,
            units=value.unit or "",
        )


def _row_of(device: str, found: BrowsedObject, index: int, profile: str) -> dict[str, str]:
    address = found.address
    quantity = found.quantity(index)
    register = address.class_id in _REGISTERS
    return _row(
        device,
        str(address.instance),
        signal_name=catalogue.lookup(address.instance).name or str(address.instance),
        number_type="" if index not in found.values else _number_type(found, index).value,
        obis_job=str(address.instance) if register else f"{address.instance}:{index}",
        class_id=str(address.class_id),
        units="" if quantity is None else quantity.symbol,
        profile=profile,
    )


def _row(device: str, code: str, **values: str) -> dict[str, str]:
    alias = _NOT_OF_AN_ALIAS.sub("_", f"{device}.{code}").strip("_")[:_GREATEST_ALIAS]
    row = dict.fromkeys(HEADINGS, "")
    return {**row, "device_alias": device, "signal_alias": alias, "enable": "1", "log": "0", **values}


def _readable(found: BrowsedObject, index: int) -> bool:
    rights = found.attribute_access(index).values()
    if index in found.values:
        return not isinstance(found.values[index], CosemError)
    return any(each & AttributeAccess.READ for each in rights)


def _number_type(found: BrowsedObject, index: int) -> NumberType:
    value = found.value(index)
    if found.quantity(index) is not None:
        return NumberType.DOUBLE
    for kind, number_type in _NUMBER_TYPES:
        if isinstance(value, kind):
            return number_type
    if isinstance(value, int):
        return NumberType.SIGNED64 if value < 0 else NumberType.UNSIGNED64
    return NumberType.TEXT


def _captured(found: BrowsedDevice) -> Mapping[tuple[Obis, int], str]:
    """Return the first profile that captures each attribute."""
    captured: dict[tuple[Obis, int], str] = {}
    for each in found.objects:
        if each.address.class_id != _PROFILE or 3 not in each.values:
            continue
        columns: Any = each.value(3)
        if isinstance(columns, CosemError):
            continue
        for column in columns:
            if isinstance(column, CaptureObject):
                captured.setdefault((column.logical_name, column.attribute_index), str(each.address.instance))
    return captured
