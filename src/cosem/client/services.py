"""The xDLMS services of an open association as coroutines: typed references in, typed values or errors out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from cosem.client.exchange import Exchange
from cosem.client.several import Act, Get, Set, Several, Task, item, refusal
from cosem.client.short_names import ShortNames
from cosem.errors import CosemError, DataAccessError, RemoteProtocolError, ShapeError
from cosem.protocol.apdu.get import DataAccessResult, GetRequestNormal, GetResponseNormal
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.model.classes.access_control import AssociationLN
from cosem.protocol.model.declare import InterfaceClass
from cosem.protocol.model.reference import AttributeRef, MethodRef
from cosem.protocol.model.rights import ObjectListElement, object_list_of
from cosem.protocol.model.shape import ANY
from cosem.protocol.model.whole import attribute_0
from cosem.protocol.values.data import Data

T = TypeVar("T")
A = TypeVar("A")
R = TypeVar("R")


class Services:
    """GET, SET, ACTION and ACCESS, or Read and Write, over one exchange, in the best form that was negotiated."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        negotiated = exchange.negotiated
        by_short_names = negotiated is not None and negotiated.by_short_names
        self.several = ShortNames(exchange) if by_short_names else Several(exchange)
        self._association = exchange.session.association

    async def get(self, reference: AttributeRef[T]) -> T:
        """Read one attribute."""
        return cast("T", await self.several.one(Get(reference)))

    async def get_octets(self, reference: AttributeRef[Any]) -> bytes:
        """Read one attribute as the octets of its Data, undecoded."""
        if isinstance(self.several, ShortNames):
            return await self.several.octets(reference)
        request = GetRequestNormal(
            self._association.invoke_id_and_priority(), reference.descriptor, reference.access_selection
        )
        response = await self.exchange.request(request, raw=True)
        if response.raw is not None:
            return response.raw
        if isinstance(response.apdu, GetResponseNormal) and isinstance(response.apdu.result, DataAccessResult):
            raise refusal(response.apdu.result, reference)
        raise RemoteProtocolError(f"{type(response.apdu).__name__} answers a GET")

    async def objects(self, association: AssociationLN) -> tuple[ObjectListElement, ...]:
        """Read the list of all objects, of the current association where they are referred to by short names."""
        if isinstance(self.several, ShortNames):
            return await self.several.objects()
        reference: AttributeRef[Any] = association.object_list
        data: Data = await self.get(replace(reference, shape=ANY))
        return object_list_of(data, association.instance)

    async def get_many(self, references: Sequence[AttributeRef[Any]]) -> list[Any]:
        """Read several attributes; errors of single items are values."""
        return await self.several.do([Get(reference) for reference in references])

    async def set(self, reference: AttributeRef[T], value: T) -> None:
        """Write one attribute."""
        await self.several.one(Set(reference, reference.encode(value)))

    async def act(self, reference: MethodRef[A, R], argument: A) -> R:
        """Invoke one method."""
        return cast("R", await self.several.one(Act(reference, reference.encode(argument))))

    async def get_object(self, address: InterfaceClass) -> dict[str, Any]:
        """Read all attributes of an object: by attribute 0, or where a meter does not serve that one after another."""
        if self._allows(Conformance.GET | Conformance.ATTRIBUTE_0_SUPPORTED_WITH_GET):
            try:
                return await self.get(attribute_0(address))
            except DataAccessError as error:
                self._go_on_without_attribute_0(error)
        attributes = list(address.attributes())
        values = await self.get_many(attributes)
        if all(isinstance(value, CosemError) for value in values):
            raise values[0]
        for value in values:
            if isinstance(value, ShapeError):
                raise value
        named = zip(attributes, values, strict=True)
        return {each.name: None if isinstance(value, CosemError) else value for each, value in named}

    async def set_object(self, address: InterfaceClass, values: Mapping[str, Any]) -> None:
        """Write attributes of an object: by attribute 0, or where a meter does not serve that one after another."""
        if self._allows(Conformance.SET | Conformance.ATTRIBUTE_0_SUPPORTED_WITH_SET):
            try:
                await self.set(attribute_0(address), dict(values))
            except DataAccessError as error:
                self._go_on_without_attribute_0(error)
            else:
                return
        for answer in await self.access([(address.attribute(name), value) for name, value in values.items()]):
            if answer is not None:
                raise answer

    def _go_on_without_attribute_0(self, error: DataAccessError) -> None:
        """Raise what holds for the object itself; some meters negotiate attribute 0 and refuse it all the same."""
        if error.result in (DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.OBJECT_CLASS_INCONSISTENT):
            raise error

    def _allows(self, needed: Conformance) -> bool:
        negotiated = self.exchange.negotiated
        return negotiated is not None and negotiated.allows(needed)

    async def set_unconfirmed(self, reference: AttributeRef[T], value: T) -> None:
        """Write one attribute without hearing whether it was written."""
        await self.several.tell(Set(reference, reference.encode(value)))

    async def act_unconfirmed(self, reference: MethodRef[A, R], argument: A) -> None:
        """Invoke one method without hearing what became of it."""
        await self.several.tell(Act(reference, reference.encode(argument)))

    async def access(self, tasks: Iterable[Task], *, break_on_error: bool = False) -> list[Any]:
        """Read, write and run in one order; errors of single items are values."""
        return await self.several.do([item(task) for task in tasks], break_on_error=break_on_error)
