"""Doing things by short names: the same references, found by the meter's own list of base names, in Read and Write.

The list is read at the current association when it is first needed; names that the standard reserves are known without
it. What is next to one another and goes by one service goes in one request where multiple references were negotiated.
A method is run by a read with its parameter, which has a result, or by a write where that was not negotiated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any, NamedTuple, TypeAlias

from cosem.client.exchange import Exchange
from cosem.client.several import LIST_LENGTH, Act, Get, Item, Set, Several, refusal, refused_action
from cosem.errors import (
    ConfigurationError,
    CosemError,
    DataAccessError,
    RemoteProtocolError,
    ServiceError,
    ServiceRefused,
    ShapeError,
)
from cosem.protocol.apdu.action import ActionResult
from cosem.protocol.apdu.get import DataAccessResult, SelectiveAccess
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.short_name import (
    NO_SELECTOR,
    ParameterizedAccess,
    ReadRequest,
    ReadResponse,
    UnconfirmedWriteRequest,
    VariableName,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.association.services import is_refusal
from cosem.protocol.codec.schema import NullData
from cosem.protocol.model.classes.access_control import AssociationSN, ObjectListElementSN
from cosem.protocol.model.declare import declared
from cosem.protocol.model.reference import AttributeRef
from cosem.protocol.model.rights import ObjectListElement
from cosem.protocol.model.short_name import CURRENT_ASSOCIATION, RESERVED, attribute_name, method_name
from cosem.protocol.values.data import Data
from cosem.protocol.values.obis import Obis

_Specification: TypeAlias = VariableName | ParameterizedAccess


class _Step(NamedTuple):
    """What one item asks for, and by which service; `data` goes with a write."""

    request: type[ReadRequest] | type[WriteRequest]
    specification: _Specification
    data: Data


class ShortNames(Several):
    """Several things by short names over one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._listed: dict[Obis, list[ObjectListElementSN]] | None = None
        self._told: dict[tuple[int, Obis], ObjectListElementSN] = {}

    @property
    def at_once(self) -> int:
        """How many attributes are read by one request."""
        return LIST_LENGTH if self._lists(ReadRequest) else 1

    async def objects(self) -> tuple[ObjectListElement, ...]:
        """Return all objects that the association shows; it does not tell the rights to them."""
        listed = await self._object_list()
        return tuple(ObjectListElement(each.class_id, each.version, each.logical_name) for each in listed)

    @property
    def known(self) -> tuple[ObjectListElementSN, ...]:
        """The objects whose base names are known, from the meter's list or because they were told."""
        listed = [] if self._listed is None else [each for found in self._listed.values() for each in found]
        return (*self._told.values(), *listed)

    def know(self, objects: Iterable[ObjectListElementSN]) -> None:
        """Take base names that are known already; the meter's list is read only for what is not among them."""
        for each in objects:
            self._told.setdefault((each.class_id, each.logical_name), each)

    async def octets(self, reference: AttributeRef[Any]) -> bytes:
        """Read one attribute as the octets of its Data, undecoded."""
        step = await self._step(Get(reference))
        if isinstance(step, CosemError):
            raise step
        response = await self.exchange.request(ReadRequest((step.specification,)), raw=True)
        if response.raw is not None:
            return response.raw
        answer = response.apdu
        if isinstance(answer, ReadResponse) and isinstance(answer.results[0], DataAccessResult):
            raise refusal(answer.results[0], reference)
        raise RemoteProtocolError(f"{type(answer).__name__} answers a Read")

    async def tell(self, each: Set | Act) -> None:
        """Write one thing without an answer: whether it was done nobody says."""
        step = await self._step(each, by_write=True)
        if isinstance(step, CosemError):
            raise step
        await self.exchange.tell(UnconfirmedWriteRequest((step.specification,), (step.data,)))

    async def one(self, each: Item) -> Any:
        """Do one thing; return its value, None for what was written, or raise its error."""
        (answer,) = await self.do((each,))
        if isinstance(answer, CosemError):
            raise answer
        return answer

    async def do(self, items: Sequence[Item], *, break_on_error: bool = False) -> list[Any]:
        """Do everything in its order; return a value, None for what was written, or an error for each."""
        steps = [await self._step(each) for each in items]
        answers: list[Any] = []
        most = 1 if break_on_error else LIST_LENGTH
        while len(answers) < len(items):
            first = steps[len(answers)]
            if isinstance(first, CosemError):
                answered: list[Any] = [first]
            else:
                piece = self._piece(first, steps[len(answers) :][:most])
                request = _request(piece)
                if len(piece) > 1 and (fitting := self._fitting(request, len(piece))) < len(piece):
                    most = fitting
                    continue
                try:
                    answer = (await self.exchange.request(request)).apdu
                except ServiceRefused:
                    if len(piece) == 1 or not _repeatable(items[len(answers) :][: len(piece)]):
                        raise
                    most = 1
                    continue
                asked = items[len(answers) :][: len(piece)]
                if len(piece) > 1 and is_refusal(answer) and _repeatable(asked):
                    # One refusal for the whole list: this meter negotiates lists and does not serve them.
                    self._refused.add(first.request)
                    continue
                answered = _judged(asked, answer)
            answers += answered
            if break_on_error and any(isinstance(each, CosemError) for each in answered):
                break
        return answers + [_left(each) for each in items[len(answers) :]]

    def _piece(self, first: _Step, steps: Sequence[_Step | CosemError]) -> list[_Step]:
        if not self._lists(first.request):
            return [first]
        alike = takewhile(lambda each: isinstance(each, _Step) and each.request is first.request, steps)
        return [each for each in alike if isinstance(each, _Step)]

    def _lists(self, request: type) -> bool:
        negotiated = self.exchange.negotiated
        lists = negotiated is not None and negotiated.allows(Conformance.MULTIPLE_REFERENCES)
        return lists and request not in self._refused

    # -- which name ---------------------------------------------------------------------------------------------------

    async def _step(self, each: Item, *, by_write: bool = False) -> _Step | CosemError:
        """Return what to ask for an item, or why that cannot be asked."""
        reference = each.reference
        try:
            base, version = await self._base_name(reference.class_id, reference.instance, reference)
        except DataAccessError as error:
            return refused_action(ActionResult(error.result), reference) if isinstance(each, Act) else error
        if not isinstance(each, Act):
            name = attribute_name(base, reference.index)
            specification = _attribute(name, each.reference.access_selection)
            return (
                _Step(ReadRequest, specification, None)
                if isinstance(each, Get)
                else _Step(WriteRequest, specification, each.data)
            )
        kind = declared(reference.class_id, version if version is not None else reference.version)
        method = None if kind is None else method_name(base, kind, reference.index)
        if method is None:
            return ConfigurationError(
                f"{reference} {reference.name}: no source tells the short name of this method; "
                "by logical names (naming ln) it has its number"
            )
        negotiated = self.exchange.negotiated
        assert negotiated is not None, "the association is open"
        if by_write or not negotiated.allows(Conformance.PARAMETERIZED_ACCESS):
            return _Step(WriteRequest, VariableName(method), each.data)
        return _Step(ReadRequest, ParameterizedAccess(method, NO_SELECTOR, each.data), None)

    async def _base_name(self, class_id: int, instance: Obis, reference: object) -> tuple[int, int | None]:
        """Return the base name and the version of an object; DataAccessError when the meter does not list it."""
        reserved = RESERVED.get((class_id, instance))
        if reserved == CURRENT_ASSOCIATION:
            return reserved, None
        told = self._told.get((class_id, instance))
        if told is not None:
            return told.base_name, told.version
        if self._listed is None:
            self._listed = {}
            try:
                listed = await self._object_list()
            except (ServiceError, ShapeError):
                listed = ()  # The meter keeps its list to itself: the reserved names are all there is.
            for each in listed:
                self._listed.setdefault(each.logical_name, []).append(each)
        found = self._listed.get(instance, [])
        for each in found:
            if each.class_id == class_id:
                return each.base_name, each.version
        if reserved is not None and not found:
            return reserved, None
        raise refusal(
            DataAccessResult.OBJECT_CLASS_INCONSISTENT if found else DataAccessResult.OBJECT_UNDEFINED, reference
        )

    async def _object_list(self) -> tuple[ObjectListElementSN, ...]:
        reference = AssociationSN().object_list
        name = attribute_name(CURRENT_ASSOCIATION, reference.index)
        answer = (await self.exchange.request(ReadRequest((VariableName(name),)))).apdu
        if not isinstance(answer, ReadResponse):
            raise RemoteProtocolError(f"{type(answer).__name__} answers a Read")
        (result,) = answer.results
        if isinstance(result, DataAccessResult):
            raise refusal(result, reference)
        return tuple(reference.decode(_data(result)))


def _attribute(name: int, selection: SelectiveAccess | None) -> _Specification:
    if selection is None:
        return VariableName(name)
    return ParameterizedAccess(name, selection.selector, selection.parameters)


def _request(piece: Sequence[_Step]) -> ReadRequest | WriteRequest:
    specifications = tuple(each.specification for each in piece)
    if piece[0].request is ReadRequest:
        return ReadRequest(specifications)
    return WriteRequest(specifications, tuple(each.data for each in piece))


def _judged(items: Sequence[Item], answer: object) -> list[Any]:
    if not isinstance(answer, ReadResponse | WriteResponse):
        raise RemoteProtocolError(f"{type(answer).__name__} answers a Read or Write")
    results: list[Any] = list(answer.results)
    if len(results) == 1:  # a refusal of the whole list, that is not tried again
        results *= len(items)
    return [_judge(each, result) for each, result in zip(items, results, strict=True)]


def _judge(each: Item, result: Any) -> Any:
    if isinstance(result, DataAccessResult) and result is not DataAccessResult.SUCCESS:
        if isinstance(each, Act):
            return refused_action(ActionResult(int(result)), each.reference)
        return refusal(result, each.reference)
    if isinstance(each, Set):
        return None
    try:
        return each.reference.decode(None if isinstance(result, NullData | DataAccessResult) else _data(result))
    except ShapeError as error:
        return error


def _data(result: Any) -> Data:
    data: Data = result
    return data


def _repeatable(items: Sequence[Item]) -> bool:
    return not any(isinstance(each, Act) for each in items)


def _left(each: Item) -> CosemError:
    if isinstance(each, Act):
        return refused_action(ActionResult.OTHER_REASON, each.reference)
    return refusal(DataAccessResult.OTHER_REASON, each.reference)
