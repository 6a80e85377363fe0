"""The xDLMS services of an open association as coroutines: typed references in, typed values or errors out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

from cosem.client.exchange import Exchange
from cosem.client.several import Act, Get, Set, Several, Task, item, refusal
from cosem.errors import RemoteProtocolError
from cosem.protocol.apdu.get import DataAccessResult, GetRequestNormal, GetResponseNormal
from cosem.protocol.model.reference import AttributeRef, MethodRef

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")


class Services:
    """GET, SET, ACTION and ACCESS over one exchange, each in the best form that was negotiated."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.several = Several(exchange)
        self._association = exchange.session.association

    async def get(self, reference: AttributeRef[T]) -> T:
        """Read one attribute."""
        return cast("T", await self.several.one(Get(reference)))

    async def get_octets(self, reference: AttributeRef[Any]) -> bytes:
        """Read one attribute as the octets of its Data, undecoded."""
        request = GetRequestNormal(
            self._association.invoke_id_and_priority(), reference.descriptor, reference.access_selection
        )
        response = await self.exchange.request(request, raw=True)
        if response.raw is not None:
            return response.raw
        if isinstance(response.apdu, GetResponseNormal) and isinstance(response.apdu.result, DataAccessResult):
            raise refusal(response.apdu.result, reference)
        raise RemoteProtocolError(f"{type(response.apdu).__name__} answers a GET")

    async def get_many(self, references: Sequence[AttributeRef[Any]]) -> list[Any]:
        """Read several attributes; errors of single items are values."""
        return await self.several.do([Get(reference) for reference in references])

    async def set(self, reference: AttributeRef[T], value: T) -> None:
        """Write one attribute."""
        await self.several.one(Set(reference, reference.encode(value)))

    async def act(self, reference: MethodRef[A, R], argument: A) -> R:
        """Invoke one method."""
        return cast("R", await self.several.one(Act(reference, reference.encode(argument))))

    async def access(self, tasks: Iterable[Task], *, break_on_error: bool = False) -> list[Any]:
        """Read, write and run in one order; errors of single items are values."""
        return await self.several.do([item(task) for task in tasks], break_on_error=break_on_error)
