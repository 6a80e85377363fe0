"""A snapshot that may be given to others: secrets emptied, and what tells whose meter it is replaced by stand-ins.

A stand-in has the type and the length of what it stands for, so that the snapshot still decodes as the meter does; the
three letters of the manufacturer stay. What is the same stays the same: the name of a meter has one stand-in wherever
it occurs, also inside other values. The same meter has the same stand-ins each time. Every value that is not the
meter's own says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from cosem.errors import ShapeError
from cosem.protocol.model.private import Private, privacy
from cosem.protocol.model.rights import object_list_of
from cosem.protocol.values.data import (
    Array,
    BitString,
    CompactArray,
    Data,
    Number,
    OctetString,
    Structure,
    Utf8String,
    VisibleString,
)
from cosem.protocol.values.obis import Obis
from cosem.store.snapshot import Cell, RecordedAssociation, RecordedDevice, Snapshot

SHORTEST, DISTINCT = 5, 3
"""Octets, and different ones, of a name that is looked for inside other values: less would be found by chance."""

LOGICAL_NAME: Final = 1

CURRENT_ASSOCIATION: Final = Obis("0.0.40.0.0.255")


def without_secrets(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot whose secrets are emptied, and which still says whose meter it is."""
    names = _StandIns(frozenset((Private.SECRET,)))
    return replace(snapshot, devices=tuple(_device(each, names) for each in snapshot.devices))


def anonymous(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot without secrets and without what identifies the meter or its owner.

    What an undeclared class holds nobody knows, and it is emptied as well.
    """
    names = _StandIns(frozenset(Private))
    devices = tuple(_device(each, names) for each in snapshot.devices)
    return replace(snapshot, devices=tuple(_everywhere(each, names) for each in devices))


class _StandIns:
    """What stands for what, in the order in which it was met, and `reasons` for which anything is replaced."""

    def __init__(self, reasons: frozenset[Private]) -> None:
        self.reasons = reasons
        self._numbers: dict[bytes, int] = {}
        self.octets: dict[bytes, bytes] = {}

    def of(self, octets: bytes) -> bytes:
        """Return the stand-in of a name: as long, of the same manufacturer, and numbered."""
        known = self.octets.get(octets)
        if known is None:
            known = self.octets[octets] = self._made(octets)
        return known

    def number(self, told: bytes) -> int:
        """Return the number of what is told, the same for a number alone and within a name."""
        return self._numbers.setdefault(told, len(self._numbers) + 1)

    def _made(self, octets: bytes) -> bytes:
        if not octets:
            return octets
        letters = _MAKER.match(octets)
        head = b"" if letters is None or len(octets) < _SHORTEST_WITH_MAKER else letters[0]
        rest = octets[len(head) :]
        if octets.isascii() and octets.decode("ascii").isprintable():
            digits = b"".join(_DIGITS.findall(rest)) or octets
            return head + str(self.number(digits)).encode().rjust(len(rest), b"0")[-len(rest) :]
        return head + self.number(octets).to_bytes(max(len(rest), 8), "big")[-len(rest) :]


_MAKER: Final = re.compile(rb"[A-Z]{3}")
_DIGITS: Final = re.compile(rb"[0-9]+")
_SHORTEST_WITH_MAKER: Final = 8


def _device(device: RecordedDevice, names: _StandIns) -> RecordedDevice:
    name, title, replaced = device.name, device.system_title, device.replaced
    if Private.IDENTITY in names.reasons:
        name, title = names.of(name), None if title is None else names.of(title)
        replaced = ("name",) if title is None else ("name", "system_title")
    objects = tuple(
        replace(each, attributes=_cells(each.class_id, each.version, each.instance, each.attributes, names))
        for each in device.objects
    )
    return replace(
        device,
        name=name,
        system_title=title,
        replaced=replaced,
        associations=tuple(_association(each, names) for each in device.associations),
        objects=objects,
    )


def _association(association: RecordedAssociation, names: _StandIns) -> RecordedAssociation:
    try:
        listed = object_list_of(association.object_list, CURRENT_ASSOCIATION)
    except ShapeError:
        listed = ()
    kinds = ((each.class_id, each.version) for each in listed if each.logical_name == CURRENT_ASSOCIATION)
    class_id, version = next(kinds, (15, 0))
    return replace(association, own=_cells(class_id, version, CURRENT_ASSOCIATION, association.own, names))


def _cells(class_id: int, version: int, instance: Obis, cells: Mapping[int, Cell], names: _StandIns) -> dict[int, Cell]:
    return {index: _cell(cell, privacy(class_id, version, instance, index), names) for index, cell in cells.items()}


def _cell(cell: Cell, why: Private | None, names: _StandIns) -> Cell:
    if why is None or why not in names.reasons or cell.refused is not None:
        return cell
    data = _replaced(cell.data, names) if why is Private.IDENTITY else _emptied(cell.data)
    return replace(cell, data=data, replaced=why.value)


def _replaced(data: Data, names: _StandIns) -> Data:
    """Return Data whose texts, and whose numbers of more than one octet, are stand-ins."""
    if isinstance(data, Number) and data.SIZE > 1:
        return cast("Data", type(data)(min(names.number(str(int(data)).encode()), type(data).HIGH)))
    if isinstance(data, Array | Structure):
        return type(data)(_replaced(each, names) for each in data)
    return _changed(data, names.of)


def _emptied(data: Data) -> Data:
    """Return Data that holds nothing, of the same type."""
    if isinstance(data, Number):
        return cast("Data", type(data)(0))
    if isinstance(data, Array):
        return Array()
    if isinstance(data, Structure):
        return Structure(_emptied(each) for each in data)
    if isinstance(data, OctetString | VisibleString | Utf8String | BitString):
        return type(data)()
    return None if not isinstance(data, bool) else False


def _everywhere(device: RecordedDevice, names: _StandIns) -> RecordedDevice:
    """Replace what was replaced where it is expected, wherever else it occurs."""
    sought = {name: made for name, made in names.octets.items() if len(name) >= SHORTEST and len(set(name)) >= DISTINCT}

    def found(octets: bytes) -> bytes:
        for name, made in sought.items():
            octets = octets.replace(name, made)
        return octets

    def clean(index: int, cell: Cell) -> Cell:
        if index == LOGICAL_NAME or cell.refused is not None or cell.replaced is not None:
            return cell
        data = _changed(cell.data, found)
        return cell if data == cell.data else replace(cell, data=data, replaced=Private.IDENTITY.value)

    def cleaned(cells: Mapping[int, Cell]) -> dict[int, Cell]:
        return {index: clean(index, cell) for index, cell in cells.items()}

    return replace(
        device,
        associations=tuple(replace(each, own=cleaned(each.own)) for each in device.associations),
        objects=tuple(replace(each, attributes=cleaned(each.attributes)) for each in device.objects),
    )


def _changed(data: Data, change: Any) -> Data:
    """Return Data with every text in it changed."""
    if isinstance(data, OctetString):
        return OctetString(change(bytes(data)))
    if isinstance(data, VisibleString | Utf8String):
        octets = str(data).encode("utf-8" if isinstance(data, Utf8String) else "latin-1", "surrogateescape")
        kind = type(data)
        return kind(change(octets).decode("utf-8" if kind is Utf8String else "latin-1", "surrogateescape"))
    if isinstance(data, Array | Structure):
        return type(data)(_changed(each, change) for each in data)
    if isinstance(data, CompactArray):
        return replace(data, contents=change(data.contents))
    return data
