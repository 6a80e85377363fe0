"""Doing several things in the fewest round trips and octets, in the best form that was negotiated.

| what is to be done | the first of these that was negotiated |
|---|---|
| several to read, several to write, or several to run | that service with list, ACCESS, one by one |
| things of more than one kind, in their order | ACCESS, each run of one kind as in the line above |
| things of which the first error ends the rest | ACCESS with break-on-error, one by one |
| one thing | its own service, ACCESS |

A service with list comes before ACCESS because an item costs less in it (10 octets against 11 to ask for an attribute,
1 against 2 beside the answer) and because it has blocks of its own for what is long. More than LIST_LENGTH things, and
things that would not fit into what the meter takes, or into one turn of the line, go in several requests. A meter that
negotiates a form and then refuses it is asked in the next best one, now and later on; an ACTION is not repeated, unless
the meter said that it does not know the service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final, TypeAlias

from cosem.client.exchange import Exchange
from cosem.errors import ActionError, CosemError, DataAccessError, RemoteProtocolError, ServiceRefused, ShapeError
from cosem.protocol.apdu.access import (
    BREAK_ON_ERROR,
    AccessRequest,
    AccessRequestAction,
    AccessRequestGet,
    AccessRequestGetWithSelection,
    AccessRequestSet,
    AccessRequestSetWithSelection,
    AccessRequestSpecification,
    AccessResponse,
)
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithOptionalData,
    ActionResult,
    NullData,
)
from cosem.protocol.apdu.exception import ExceptionResponse, ServiceErrorCode, StateError
from cosem.protocol.apdu.get import (
    DataAccessResult,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
)
from cosem.protocol.apdu.set import SetRequestNormal, SetRequestWithList, SetResponseNormal, SetResponseWithList
from cosem.protocol.association.client import ClientAssociation
from cosem.protocol.association.services import Request, is_refusal, needs
from cosem.protocol.model.reference import AttributeRef, MethodRef
from cosem.protocol.values.data import Data

LIST_LENGTH: Final = 32
"""Things in one request; more are asked for in further requests."""

Task: TypeAlias = "AttributeRef[Any] | tuple[AttributeRef[Any], Any] | tuple[MethodRef[Any, Any], Any]"
"""An attribute to read, an attribute with the value to write, or a method with its argument."""


@dataclass(frozen=True, slots=True)
class Get:
    """Read an attribute."""

    reference: AttributeRef[Any]


@dataclass(frozen=True, slots=True)
class Set:
    """Write an attribute."""

    reference: AttributeRef[Any]
    data: Data


@dataclass(frozen=True, slots=True)
class Act:
    """Run a method."""

    reference: MethodRef[Any, Any]
    data: Data


Item: TypeAlias = Get | Set | Act


def item(task: Task) -> Item:
    """Return a task with its value encoded; ShapeError when the value does not fit."""
    if isinstance(task, AttributeRef):
        return Get(task)
    reference, value = task
    if isinstance(reference, AttributeRef):
        return Set(reference, reference.encode(value))
    return Act(reference, reference.encode(value))


def refusal(result: DataAccessResult, reference: object) -> DataAccessError:
    """Return the error for a data-access-result in the words of the standard."""
    return DataAccessError(int(result), _words(result), reference)


def refused_action(result: ActionResult, reference: object) -> ActionError:
    """Return the error for an action-result in the words of the standard."""
    return ActionError(int(result), _words(result), reference)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of item is asked and answered by itself, in a list of its kind, and by ACCESS.

    Attributes:
        services: the kinds of the requests for one and for several.
        single: makes the request for one, of an invoke-id and the item.
        alone: the response to it, and `result` what it says: a value or a result.
        listed: makes the request for several.
        several: the response to it, and `results` what it says.
        specification: the item of an Access-Request, `given` what goes with it, and `ended` what is said of its end.
        judge: the typed value or the error that a result stands for.
        left: the error for an item that was not begun.
        repeatable: it does no harm to do it again.
    """

    services: tuple[type, type]
    single: Callable[[int, Any], Request]
    alone: type
    result: Callable[[Any], Any]
    listed: Callable[[int, Sequence[Any]], Request]
    several: type
    results: Callable[[Any], Sequence[Any]]
    specification: Callable[[Any], AccessRequestSpecification]
    given: Callable[[Any], Data]
    ended: Callable[[Data, Any], Any]
    judge: Callable[[Any, Any], Any]
    left: Callable[[Any], CosemError]
    repeatable: bool = True


def _value_of(each: Get, result: Data | DataAccessResult) -> Any:
    if isinstance(result, DataAccessResult):
        return refusal(result, each.reference)
    return _decoded(each.reference.decode, result)


def _written(each: Set, result: DataAccessResult) -> CosemError | None:
    return None if result is DataAccessResult.SUCCESS else refusal(result, each.reference)


def _returned(each: Act, response: ActionResponseWithOptionalData) -> Any:
    if response.result is not ActionResult.SUCCESS:
        return refused_action(response.result, each.reference)
    returned = response.return_parameters
    if isinstance(returned, DataAccessResult):
        return refusal(returned, each.reference)
    return _decoded(each.reference.decode, None if isinstance(returned, NullData) else returned)


def _decoded(decode: Callable[[Data], Any], data: Data) -> Any:
    try:
        return decode(data)
    except ShapeError as error:
        return error


def _reading(each: Get) -> AccessRequestSpecification:
    selection = each.reference.access_selection
    if selection is None:
        return AccessRequestGet(each.reference.descriptor)
    return AccessRequestGetWithSelection(each.reference.descriptor, selection)


def _writing(each: Set) -> AccessRequestSpecification:
    selection = each.reference.access_selection
    if selection is None:
        return AccessRequestSet(each.reference.descriptor)
    return AccessRequestSetWithSelection(each.reference.descriptor, selection)


_KINDS: Final[Mapping[type[Item], _Kind]] = {
    Get: _Kind(
        services=(GetRequestNormal, GetRequestWithList),
        single=lambda number, each: GetRequestNormal(
            number, each.reference.descriptor, each.reference.access_selection
        ),
        alone=GetResponseNormal,
        result=lambda answer: answer.result,
        listed=lambda number, items: GetRequestWithList(
            number, tuple(each.reference.descriptor_with_selection for each in items)
        ),
        several=GetResponseWithList,
        results=lambda answer: answer.results,
        specification=_reading,
        given=lambda each: None,
        ended=lambda data, result: data if result is DataAccessResult.SUCCESS else result,
        judge=_value_of,
        left=lambda each: refusal(DataAccessResult.OTHER_REASON, each.reference),
    ),
    Set: _Kind(
        services=(SetRequestNormal, SetRequestWithList),
        single=lambda number, each: SetRequestNormal(
            number, each.reference.descriptor, each.reference.access_selection, each.data
        ),
        alone=SetResponseNormal,
        result=lambda answer: answer.result,
        listed=lambda number, items: SetRequestWithList(
            number,
            tuple(each.reference.descriptor_with_selection for each in items),
            tuple(each.data for each in items),
        ),
        several=SetResponseWithList,
        results=lambda answer: answer.results,
        specification=_writing,
        given=lambda each: each.data,
        ended=lambda data, result: result,
        judge=_written,
        left=lambda each: refusal(DataAccessResult.OTHER_REASON, each.reference),
    ),
    Act: _Kind(
        services=(ActionRequestNormal, ActionRequestWithList),
        single=lambda number, each: ActionRequestNormal(number, each.reference.descriptor, each.data),
        alone=ActionResponseNormal,
        result=lambda answer: answer.response,
        listed=lambda number, items: ActionRequestWithList(
            number, tuple(each.reference.descriptor for each in items), tuple(each.data for each in items)
        ),
        several=ActionResponseWithList,
        results=lambda answer: answer.responses,
        specification=lambda each: AccessRequestAction(each.reference.descriptor),
        given=lambda each: each.data,
        ended=lambda data, result: ActionResponseWithOptionalData(result, data),
        judge=_returned,
        left=lambda each: refused_action(ActionResult.OTHER_REASON, each.reference),
        repeatable=False,
    ),
}


class Several:
    """Several things over one exchange. A form that a meter negotiated and then refused is not tried again."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._association = exchange.session.association
        self._refused: set[type] = set()
        self._allowed: dict[type, bool] = {}

    @property
    def at_once(self) -> int:
        """How many attributes are read by one request."""
        return LIST_LENGTH if self._allows(GetRequestWithList) or self._allows(AccessRequest) else 1

    async def tell(self, each: Set | Act) -> None:
        """Do one thing without an answer: whether it was done nobody says."""
        invoke_id = self._association.invoke_id_and_priority(confirmed=False)
        await self.exchange.tell(_KINDS[type(each)].single(invoke_id, each))

    async def one(self, each: Item) -> Any:
        """Do one thing; return its value, None for what was written, or raise its error."""
        alone, piece = _KINDS[type(each)].services[0], (each,)
        form = _ALONE if self._allows(alone) or not self._allows(AccessRequest) else _BY_ACCESS
        request = form.make(self._association, piece, False)
        (answer,) = form.answers(piece, (await self.exchange.request(request)).apdu)
        if isinstance(answer, CosemError):
            raise answer
        return answer

    async def do(self, items: Sequence[Item], *, break_on_error: bool = False) -> list[Any]:
        """Do everything in its order; return a value, None for what was written, or an error for each."""
        answers: list[Any] = []
        most = LIST_LENGTH
        while len(answers) < len(items):
            form, piece = self._best(items[len(answers) :][:most], break_on_error)
            request = form.make(self._association, piece, break_on_error)
            if len(piece) > 1 and (fitting := self._fitting(request, len(piece))) < len(piece):
                most = fitting
                continue
            try:
                answer = (await self.exchange.request(request)).apdu
            except ServiceRefused as error:
                if len(piece) == 1 or not _may_go_on(error, piece):
                    raise
                if _is_unknown(error):
                    self._refused.add(type(request))
                else:  # it is too long, or has something in it that the meter cannot bear
                    most = len(piece) // 2 if _is_too_long(error) else 1
                continue
            if len(piece) > 1 and is_refusal(answer):
                # One refusal for the whole list: this meter negotiates lists and does not serve them.
                self._refused.add(type(request))
                if all(_KINDS[type(each)].repeatable for each in piece):
                    continue
            answered = form.answers(piece, answer)
            answers += answered
            if break_on_error and any(isinstance(each, CosemError) for each in answered):
                break
        return answers + [_KINDS[type(each)].left(each) for each in items[len(answers) :]]

    def _best(self, items: Sequence[Item], break_on_error: bool) -> tuple[_Form, Sequence[Item]]:
        """Return the best form for the first of these, and for which of them it is."""
        alone, listed = _KINDS[type(items[0])].services
        run = items if len(items) == 1 else list(takewhile(lambda each: type(each) is type(items[0]), items))
        by_access = self._allows(AccessRequest) and (len(items) > 1 or not self._allows(alone))
        if not break_on_error and len(run) > 1 and self._allows(listed) and (len(run) == len(items) or not by_access):
            return _LISTED, run
        return (_BY_ACCESS, items) if by_access else (_ALONE, items[:1])

    def _allows(self, request: type) -> bool:
        allowed = self._allowed.get(request)
        if allowed is None:
            negotiated = self.exchange.negotiated
            if negotiated is None:
                return False
            needed = needs(request, protected=self._association.protected)
            allowed = self._allowed[request] = negotiated.allows(needed)
        return allowed and request not in self._refused

    def _fitting(self, request: Request, things: int) -> int:
        """Return how many of so many things to ask for at once: all, or about as many as fit."""
        longest, octets = self.exchange.longest_request, len(request.encode())
        return things if longest is None or octets <= longest else max(1, min(things - 1, things * longest // octets))


@dataclass(frozen=True, slots=True)
class _Form:
    """A form to ask in: makes the request for items, and tells from the answer what became of each."""

    make: Callable[[ClientAssociation, Sequence[Item], bool], Request]
    answers: Callable[[Sequence[Item], Any], list[Any]]


def _make_alone(association: ClientAssociation, items: Sequence[Item], _break_on_error: bool) -> Request:
    return _KINDS[type(items[0])].single(association.invoke_id_and_priority(), items[0])


def _answers_alone(items: Sequence[Item], answer: Any) -> list[Any]:
    kind = _KINDS[type(items[0])]
    if not isinstance(answer, kind.alone):
        raise RemoteProtocolError(f"{type(answer).__name__} answers {_named(items)}")
    return [kind.judge(items[0], kind.result(answer))]


def _make_listed(association: ClientAssociation, items: Sequence[Item], _break_on_error: bool) -> Request:
    return _KINDS[type(items[0])].listed(association.invoke_id_and_priority(), items)


def _answers_listed(items: Sequence[Item], answer: Any) -> list[Any]:
    kind = _KINDS[type(items[0])]
    if isinstance(answer, kind.alone):  # a refusal of an ACTION, that is not tried again
        return [kind.judge(each, kind.result(answer)) for each in items]
    if not isinstance(answer, kind.several):
        raise RemoteProtocolError(f"{type(answer).__name__} answers {_named(items)}")
    return [kind.judge(each, result) for each, result in zip(items, kind.results(answer), strict=True)]


def _make_access(association: ClientAssociation, items: Sequence[Item], break_on_error: bool) -> Request:
    kinds = [_KINDS[type(each)] for each in items]
    return AccessRequest(
        association.long_invoke_id_and_priority(options=BREAK_ON_ERROR if break_on_error else 0),
        b"",
        tuple(kind.specification(each) for kind, each in zip(kinds, items, strict=True)),
        tuple(kind.given(each) for kind, each in zip(kinds, items, strict=True)),
    )


def _answers_access(items: Sequence[Item], answer: Any) -> list[Any]:
    if not isinstance(answer, AccessResponse):
        raise RemoteProtocolError(f"{type(answer).__name__} answers {_named(items)}")
    values, results = answer.access_response_list_of_data, answer.access_response_specification
    judged: list[Any] = []
    for each, value, ended in zip(items, values, results, strict=True):
        kind = _KINDS[type(each)]
        judged.append(kind.judge(each, kind.ended(value, ended.result)))
    return judged


_ALONE: Final = _Form(_make_alone, _answers_alone)
_LISTED: Final = _Form(_make_listed, _answers_listed)
_BY_ACCESS: Final = _Form(_make_access, _answers_access)


def _may_go_on(error: ServiceRefused, items: Sequence[Item]) -> bool:
    """Tell whether items of which the meter refused the form may be asked for in another one."""
    response = error.response
    if isinstance(response, ExceptionResponse) and response.service_error in _OF_PROTECTION:
        return False
    return _is_unknown(error) or all(_KINDS[type(each)].repeatable for each in items)


def _is_unknown(error: ServiceRefused) -> bool:
    """Tell whether the meter says that it did nothing because it does not know the service."""
    response = error.response
    return isinstance(response, ExceptionResponse) and (
        response.state_error is StateError.SERVICE_UNKNOWN
        or response.service_error is ServiceErrorCode.SERVICE_NOT_SUPPORTED
    )


def _is_too_long(error: ServiceRefused) -> bool:
    response = error.response
    return isinstance(response, ExceptionResponse) and response.service_error is ServiceErrorCode.PDU_TOO_LONG


_OF_PROTECTION: Final = (ServiceErrorCode.DECIPHERING_ERROR, ServiceErrorCode.INVOCATION_COUNTER_ERROR)


def _named(items: Sequence[Item]) -> str:
    names = sorted({type(each).__name__.upper() for each in items})
    return f"{' and '.join(names)} of {len(items)}"


def _words(result: DataAccessResult | ActionResult) -> str:
    return result.name.lower().replace("_", "-")
