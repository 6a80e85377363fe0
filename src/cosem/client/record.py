"""What a survey found, as a snapshot that can be kept and served again (see `cosem.store.snapshot`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cosem.client.browse import BrowsedDevice, BrowsedObject, ValuesOf, View
from cosem.errors import ConfigurationError, DataAccessError, ServiceError
from cosem.protocol.apdu.get import DataAccessResult
from cosem.store.snapshot import Cell, RecordedAssociation, RecordedDevice, RecordedObject, Snapshot


def snapshot_of(devices: Iterable[BrowsedDevice], taken: datetime) -> Snapshot:
    """Return all that a survey found, its secrets too (see `cosem.store.anonymous`).

    Raises ConfigurationError for what was found by short names, which tells no rights.
    """
    return Snapshot(taken.isoformat(timespec="seconds"), tuple(_device(each) for each in devices))


def _device(device: BrowsedDevice) -> RecordedDevice:
    return RecordedDevice(
        sap=device.sap,
        name=device.name or b"",
        system_title=device.title,
        associations=tuple(_association(view) for view in device.views if view.opened),
        objects=tuple(_object(each) for each in device.objects),
    )


def _association(view: View) -> RecordedAssociation:
    negotiated = view.negotiated
    assert negotiated is not None, "it opened"
    if negotiated.by_short_names:
        raise ConfigurationError("a snapshot is taken by logical names (--naming ln): short names tell no rights")
    return RecordedAssociation(
        client=view.client,
        level=view.level.value,
        mechanism=view.entry.mechanism.identifier,
        protection=int(view.entry.protection),
        suite=view.entry.suite if view.entry.secured else None,
        conformance=int(negotiated.conformance),
        max_pdu_size=negotiated.max_send_pdu_size,
        object_list=view.listed,
        own=_cells(view.own),
    )


def _object(found: BrowsedObject) -> RecordedObject:
    address = found.address
    return RecordedObject(address.class_id, found.version, address.instance, _cells(found.values))


def _cells(values: ValuesOf) -> dict[int, Cell]:
    cells: dict[int, Cell] = {}
    for index, value in values.items():
        if isinstance(value, DataAccessError):
            cells[index] = Cell(refused=value.result)
        elif isinstance(value, ServiceError):
            cells[index] = Cell(refused=int(DataAccessResult.OTHER_REASON))
        elif not isinstance(value, Exception):  # what ended the session says nothing of the attribute
            cells[index] = Cell(value)
    return cells
