"""The xDLMS services of an open association as coroutines: typed references in, typed values or errors out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from cosem.client.exchange import Exchange
from cosem.errors import ActionError, CosemError, DataAccessError, RemoteProtocolError, ShapeError
from cosem.protocol.apdu.action import ActionRequestNormal, ActionResponseNormal, ActionResult, NullData
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
)
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.set import SetRequestNormal, SetResponseNormal
from cosem.protocol.association.context import Response
from cosem.protocol.model.reference import AttributeRef, MethodRef
from cosem.protocol.values.data import Data

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")

LIST_LENGTH: Final = 32
"""References in one GET with list; more are asked for in further requests."""

LISTS: Final = Conformance.GET | Conformance.MULTIPLE_REFERENCES


class Services:
    """GET, SET and ACTION over one exchange, each in the best form that was negotiated."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._association = exchange.session.association
        self._lists = exchange.negotiated is not None and exchange.negotiated.allows(LISTS)

    async def get(self, reference: AttributeRef[T]) -> T:
        """Read one attribute."""
        answer = (await self._ask(reference, raw=False)).apdu
        if not isinstance(answer, GetResponseNormal):
            raise _strange(answer, "a GET")
        result = answer.result
        if isinstance(result, DataAccessResult):
            raise refusal(result, reference)
        return reference.decode(result)

    async def get_octets(self, reference: AttributeRef[Any]) -> bytes:
        """Read one attribute as the octets of its Data, undecoded."""
        response = await self._ask(reference, raw=True)
        if response.raw is not None:
            return response.raw
        if isinstance(response.apdu, GetResponseNormal) and isinstance(response.apdu.result, DataAccessResult):
            raise refusal(response.apdu.result, reference)
        raise _strange(response.apdu, "a GET")

    async def get_many(self, references: Sequence[AttributeRef[Any]]) -> list[Any]:
        """Read several attributes: with lists where they were negotiated; errors of single items are values."""
        if len(references) < 2 or not self._lists:
            return [await self._one(reference) for reference in references]
        values: list[Any] = []
        for start in range(0, len(references), LIST_LENGTH):
            values += await self._list(references[start : start + LIST_LENGTH])
        return values

    async def set(self, reference: AttributeRef[T], value: T) -> None:
        """Write one attribute."""
        request = SetRequestNormal(
            self._association.invoke_id_and_priority(),
            reference.descriptor,
            reference.access_selection,
            reference.encode(value),
        )
        answer = (await self.exchange.request(request)).apdu
        if not isinstance(answer, SetResponseNormal):
            raise _strange(answer, "a SET")
        if answer.result is not DataAccessResult.SUCCESS:
            raise refusal(answer.result, reference)

    async def act(self, reference: MethodRef[A, R], argument: A) -> R:
        """Invoke one method."""
        request = ActionRequestNormal(
            self._association.invoke_id_and_priority(), reference.descriptor, reference.encode(argument)
        )
        answer = (await self.exchange.request(request)).apdu
        if not isinstance(answer, ActionResponseNormal):
            raise _strange(answer, "an ACTION")
        result, returned = answer.response.result, answer.response.return_parameters
        if result is not ActionResult.SUCCESS:
            raise ActionError(int(result), _words(result), reference)
        if isinstance(returned, DataAccessResult):
            raise refusal(returned, reference)
        return reference.decode(None if isinstance(returned, NullData) else returned)

    async def _ask(self, reference: AttributeRef[Any], *, raw: bool) -> Response:
        request = GetRequestNormal(
            self._association.invoke_id_and_priority(), reference.descriptor, reference.access_selection
        )
        return await self.exchange.request(request, raw=raw)

    async def _list(self, references: Sequence[AttributeRef[Any]]) -> list[Any]:
        request = GetRequestWithList(
            self._association.invoke_id_and_priority(),
            tuple(reference.descriptor_with_selection for reference in references),
        )
        answer = (await self.exchange.request(request)).apdu
        if isinstance(answer, GetResponseNormal) and isinstance(answer.result, DataAccessResult):
            # One refusal for the whole list: this meter negotiates lists and does not serve them.
            self._lists = False
            return [await self._one(reference) for reference in references]
        if not isinstance(answer, GetResponseWithList):
            raise _strange(answer, "a GET with list")
        if len(answer.results) != len(references):
            raise RemoteProtocolError(f"{len(answer.results)} results for {len(references)} attributes")
        return [_judged(reference, result) for reference, result in zip(references, answer.results, strict=True)]

    async def _one(self, reference: AttributeRef[Any]) -> Any:
        try:
            return await self.get(reference)
        except (DataAccessError, ShapeError) as error:
            return error


def refusal(result: DataAccessResult, reference: object) -> DataAccessError:
    """Return the error for a data-access-result in the words of the standard."""
    return DataAccessError(int(result), _words(result), reference)


def _judged(reference: AttributeRef[Any], result: Data | DataAccessResult) -> Any | CosemError:
    if isinstance(result, DataAccessResult):
        return refusal(result, reference)
    try:
        return reference.decode(result)
    except ShapeError as error:
        return error


def _words(result: DataAccessResult | ActionResult) -> str:
    return result.name.lower().replace("_", "-")


def _strange(answer: object, asked: str) -> RemoteProtocolError:
    return RemoteProtocolError(f"{type(answer).__name__} answers {asked}")
