"""Reading very many attributes in the fewest exchanges: every request is filled up to what the association takes.

A list that a meter refuses is halved until it is served. Where both halves are, the list was too long, and no later one
is that long again; where a half of one is refused by itself, that attribute was to blame, and the length stays. One
item that a meter cannot bear costs it two exchanges for each halving, and no other item its value.

Where a list ends in several items that are refused for no reason (other-reason), the answer had no room any more: the
first of them is asked for by itself, and the others without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from cosem.client.services import Services
from cosem.client.several import LIST_LENGTH, Get, refusal
from cosem.errors import CosemError, DataAccessError, RemoteProtocolError, ServiceError, ServiceRefused, ShapeError
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode
from cosem.protocol.apdu.get import (
    AttributeDescriptor,
    AttributeDescriptorWithSelection,
    DataAccessResult,
    GetRequestWithList,
    GetResponseWithList,
)
from cosem.protocol.association.services import is_refusal, needs
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.values.obis import Obis

MOST: Final = 256
"""Attributes in one request, however many octets the meter takes: it has to have all values at hand to answer."""

LEAST_LEFT: Final = 2
"""So many items are refused for no reason at the end of a list before it is taken for want of room."""

Counted = Callable[[int], object]
"""Is told how many answers have come, each time that some have."""


class Filled:
    """Reads many attributes over one exchange; `most` is what it has learnt that the meter takes in one list."""

    def __init__(self, services: Services, most: int | None = None) -> None:
        self.services = services
        self.most = MOST if most is None else max(1, min(most, MOST))
        exchange = services.exchange
        negotiated = exchange.negotiated
        self._association = exchange.session.association
        needed = needs(GetRequestWithList, protected=self._association.protected)
        self._listed = negotiated is not None and not negotiated.by_short_names and negotiated.allows(needed)

    async def read(self, references: Sequence[AttributeRef[Any]], counted: Counted = lambda _: None) -> list[Any]:
        """Return a value or an error for each, in the order asked; when the session ends, its error for what is left.

        Nothing is raised but what ends the work itself, such as KeyboardInterrupt.
        """
        answers: list[Any] = []
        while len(answers) < len(references):
            piece = references[len(answers) :][: self._length()]
            try:
                answered = await self._piece(piece)
            except CosemError as error:
                return answers + [error] * (len(references) - len(answers))
            counted(len(answered))
            answers += answered
        return answers

    def _length(self) -> int:
        """Return how many attributes fit into a request of what the meter takes, and no more than it is known to."""
        if not self._listed:
            return LIST_LENGTH
        longest, length = self._association.longest_request, self.most
        if longest is None:
            return length
        while length > 1 and _octets(length) > longest:
            length = min(length - 1, (longest - _EMPTY) // _ITEM)
        return max(length, 1)

    async def _piece(self, references: Sequence[AttributeRef[Any]]) -> list[Any]:
        if len(references) == 1:
            return [await self._one(references[0])]
        if not self._listed:
            return await self._several(references)
        answered, too_long = await self._list(references)
        if answered is not None:
            return await self._without_room(references, answered)
        middle = (len(references) + 1) // 2
        if too_long:
            self.most = min(self.most, middle)
        answers: list[Any] = []
        for half in (references[:middle], references[middle:]):
            while half:
                piece, half = half[: self.most], half[self.most :]
                answers += await self._piece(piece)
        if not any(isinstance(each, ServiceRefused) for each in answers):
            self.most = min(self.most, middle)
        return answers

    async def _without_room(self, references: Sequence[AttributeRef[Any]], answered: list[Any]) -> list[Any]:
        """Ask once more for what was refused at the end for want of room, as long as that brings anything."""
        given = len(answered)
        while given and _is_for_no_reason(answered[given - 1]):
            given -= 1
        if len(answered) - given < LEAST_LEFT:
            return answered
        first = await self._one(references[given])
        return [*answered[:given], first, *await self._again(references[given + 1 :], answered[given + 1 :])]

    async def _again(self, references: Sequence[AttributeRef[Any]], refused: list[Any]) -> list[Any]:
        if len(references) == 1:
            return [await self._one(references[0])]
        answered, _ = await self._list(references)
        if answered is None or all(map(_is_for_no_reason, answered)):
            return refused
        return await self._without_room(references, answered)

    async def _list(self, references: Sequence[AttributeRef[Any]]) -> tuple[list[Any] | None, bool]:
        """Return the answers, or None where the list was refused, and whether for its length."""
        items = tuple(each.descriptor_with_selection for each in references)
        request = GetRequestWithList(self._association.invoke_id_and_priority(), items)
        try:
            answer = (await self.services.exchange.request(request)).apdu
        except ServiceRefused as error:
            return None, _about_length(error)
        if is_refusal(answer):
            return None, False
        if not isinstance(answer, GetResponseWithList):
            raise RemoteProtocolError(f"{type(answer).__name__} answers a GET of {len(references)}")
        return [_judged(each, result) for each, result in zip(references, answer.results, strict=True)], False

    async def _several(self, references: Sequence[AttributeRef[Any]]) -> list[Any]:
        """Read in what other form was negotiated; one by one what is refused together."""
        try:
            return await self.services.get_many(references)
        except ServiceRefused as error:
            _about_length(error)
            return [await self._one(each) for each in references]

    async def _one(self, reference: AttributeRef[Any]) -> Any:
        try:
            return await self.services.several.one(Get(reference))
        except ServiceRefused as error:
            _about_length(error)
            return error
        except (ServiceError, ShapeError) as error:
            return error


def _is_for_no_reason(answer: Any) -> bool:
    return isinstance(answer, DataAccessError) and answer.result == DataAccessResult.OTHER_REASON


def _judged(reference: AttributeRef[Any], result: Any) -> Any:
    if isinstance(result, DataAccessResult):
        return refusal(result, reference)
    try:
        return reference.decode(result)
    except ShapeError as error:
        return error


def _about_length(error: ServiceRefused) -> bool:
    """Tell whether a request was refused for its length; raise what refuses not the request but its protection."""
    response = error.response
    if not isinstance(response, ExceptionResponse):
        return False
    if response.service_error in (ServiceErrorCode.DECIPHERING_ERROR, ServiceErrorCode.INVOCATION_COUNTER_ERROR):
        raise error
    return response.service_error is ServiceErrorCode.PDU_TOO_LONG


_ANY_ITEM: Final = AttributeDescriptorWithSelection(AttributeDescriptor(1, Obis("0.0.0.0.0.0"), 1))
_EMPTY: Final = len(GetRequestWithList(0, ()).encode())
_ITEM: Final = len(GetRequestWithList(0, (_ANY_ITEM,)).encode()) - _EMPTY


def _octets(items: int) -> int:
    """Return the octets of a request for so many attributes without selections, whose number grows with it."""
    return _EMPTY + _ITEM * items + (items > 0x7F) + (items > 0xFF)
