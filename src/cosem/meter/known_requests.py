"""What a request to read is answered with, decided once for all devices that share their objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, TypeAlias

from cosem.meter.item import Refusal, Visit
from cosem.meter.members import reading
from cosem.protocol.apdu.descriptor import ATTRIBUTE_0
from cosem.protocol.apdu.get import AttributeDescriptor, DataAccessResult, SelectiveAccess
from cosem.protocol.values.data import Data

MOST: Final = 64
"""Requests that are remembered for objects that many devices share."""


class Asked(Protocol):
    """One thing that a request asks to read."""

    @property
    def attribute(self) -> AttributeDescriptor: ...

    @property
    def access_selection(self) -> SelectiveAccess | None: ...


_Reading: TypeAlias = Callable[[Visit], "Data | DataAccessResult"]


def read_each(visit: Visit, request: object, asked: Sequence[Asked]) -> Iterator[Data | DataAccessResult]:
    """Return what is read for each thing that a request asks, or why there is none; each is read when it is due."""
    for read in _readings(visit, request, asked):
        try:
            value = read(visit)
        except Refusal as refusal:
            value = refusal.result
        yield value


def _readings(visit: Visit, request: object, asked: Sequence[Asked]) -> Sequence[_Reading]:
    """Return what reads each thing.

    Many devices are asked for the same in the same octets, which are understood once (`services.understood`), so the
    request is the same object. What it may read follows from it, from the rights of the association and from the
    objects; as long as the objects are shared, none of these changes.
    """
    association, objects = visit.association, visit.device.objects
    assert association is not None, "the meter itself sends no requests"
    rights = association.rights
    key = id(request), id(rights), visit.negotiated is not None and visit.negotiated.selective
    known: tuple[Sequence[_Reading], object, object] | None = objects.known_requests.get(key)
    if known is not None:
        return known[0]
    found = [_reading(visit, each) for each in asked]
    if objects.shared and all(
        each.attribute.instance_id in objects and each.attribute.attribute_id != ATTRIBUTE_0 for each in asked
    ):
        if len(objects.known_requests) >= MOST:
            objects.known_requests.clear()
        # With the request and the rights, so that nothing else gets their identities.
        objects.known_requests[key] = found, request, rights
    return found


def _reading(visit: Visit, asked: Asked) -> _Reading:
    try:
        return reading(visit, asked.attribute, asked.access_selection)
    except Refusal as refusal:
        result = refusal.result
        return lambda _: result
