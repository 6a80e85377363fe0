"""How the proofs of high level security travel: the method reply_to_HLS_authentication by logical and by short names.

By logical names it is run by an ACTION. By short names it is read with parameterized access at the current association:
the parameter is the client's proof, the value the server's (IEC 62056-5-3, HLS authentication).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.action import ActionRequestNormal, ActionResponseNormal, ActionResult, NullData
from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.apdu.short_name import NO_SELECTOR, ParameterizedAccess, ReadRequest, ReadResponse
from cosem.protocol.association.context import Naming
from cosem.protocol.association.services import REPLY_TO_HLS_AUTHENTICATION, Request, action_response, takes_proof
from cosem.protocol.model.classes.access_control import AssociationSN
from cosem.protocol.model.short_name import CURRENT_ASSOCIATION
from cosem.protocol.values.data import Data, OctetString

SHORT_NAME: Final = CURRENT_ASSOCIATION + (AssociationSN.reply_to_hls_authentication.short_name_offset or 0)
"""The short name of reply_to_HLS_authentication of the current association."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """How proofs travel under one naming.

    Attributes:
        ask: makes the client's request, of an octet with invoke-id and priority and the proof.
        asks: whether a request is this one, and `offered` the proof in it.
        answer: makes the response to a request, with the server's proof or without when the client's does not hold.
        answers: whether an APDU is this response.
        result: how it ended, the server's proof (None without) and the name of the result.
    """

    ask: Callable[[int, bytes], Request]
    asks: Callable[[Any], bool]
    offered: Callable[[Any], Any]
    answer: Callable[[Any, bytes | None], Apdu]
    answers: Callable[[Any], bool]
    result: Callable[[Any], tuple[Any, str]]


def _action_answer(request: ActionRequestNormal, proof: bytes | None) -> Apdu:
    if proof is None:
        return action_response(request.invoke_id_and_priority, ActionResult.OTHER_REASON)
    return action_response(request.invoke_id_and_priority, ActionResult.SUCCESS, OctetString(proof))


def _action_result(answer: ActionResponseNormal) -> tuple[Data | DataAccessResult | NullData, str]:
    response = answer.response
    return response.return_parameters, response.result.name


def _is_read_of_proof(request: Any) -> bool:
    if not isinstance(request, ReadRequest) or len(request.variable_access_specification) != 1:
        return False
    (specification,) = request.variable_access_specification
    return isinstance(specification, ParameterizedAccess) and specification.variable_name == SHORT_NAME


def _read_answer(_request: ReadRequest, proof: bytes | None) -> Apdu:
    return ReadResponse((DataAccessResult.OTHER_REASON if proof is None else OctetString(proof),))


def _read_result(answer: ReadResponse) -> tuple[Any, str]:
    (result,) = answer.results
    return result, result.name if isinstance(result, DataAccessResult) else DataAccessResult.SUCCESS.name


PROOFS: Final[Mapping[Naming, Proofs]] = {
    Naming.LOGICAL_NAMES: Proofs(
        ask=lambda invoke_id, proof: ActionRequestNormal(invoke_id, REPLY_TO_HLS_AUTHENTICATION, OctetString(proof)),
        asks=lambda request: isinstance(request, ActionRequestNormal) and takes_proof(request.method),
        offered=lambda request: request.parameters,
        answer=_action_answer,
        answers=lambda answer: isinstance(answer, ActionResponseNormal),
        result=_action_result,
    ),
    Naming.SHORT_NAMES: Proofs(
        ask=lambda _, proof: ReadRequest((ParameterizedAccess(SHORT_NAME, NO_SELECTOR, OctetString(proof)),)),
        asks=_is_read_of_proof,
        offered=lambda request: request.variable_access_specification[0].parameter,
        answer=_read_answer,
        answers=lambda answer: isinstance(answer, ReadResponse) and len(answer.results) == 1,
        result=_read_result,
    ),
}
