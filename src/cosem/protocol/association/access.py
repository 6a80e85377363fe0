"""What makes an Access-Response the answer to an Access-Request (IEC 62056-5-3, the ACCESS service)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cosem.errors import RemoteProtocolError
from cosem.protocol.apdu.access import (
    AccessRequest,
    AccessRequestAction,
    AccessRequestGet,
    AccessRequestGetWithSelection,
    AccessRequestSet,
    AccessRequestSetWithSelection,
    AccessRequestSpecification,
    AccessResponse,
    AccessResponseAction,
    AccessResponseGet,
    AccessResponseSet,
    AccessResponseSpecification,
)

RESULT_OF: Final[Mapping[type[AccessRequestSpecification], type[AccessResponseSpecification]]] = {
    AccessRequestGet: AccessResponseGet,
    AccessRequestGetWithSelection: AccessResponseGet,
    AccessRequestSet: AccessResponseSet,
    AccessRequestSetWithSelection: AccessResponseSet,
    AccessRequestAction: AccessResponseAction,
}
"""Which result each thing to do has."""


def compare(request: AccessRequest, response: AccessResponse) -> None:
    """Raise RemoteProtocolError unless the response has a value and a result of the right kind for each thing asked."""
    asked, repeated = request.access_request_specification, response.access_request_specification
    results, values = response.access_response_specification, response.access_response_list_of_data
    if not len(asked) == len(results) == len(values):
        raise RemoteProtocolError(
            f"{len(values)} values and {len(results)} results answered to {len(asked)} things asked by ACCESS"
        )
    for number, (each, result) in enumerate(zip(asked, results, strict=True)):
        if type(result) is not RESULT_OF[type(each)]:
            raise RemoteProtocolError(f"{type(result).__name__} answers {type(each).__name__}, number {number}")
    # Some meters leave out what they were asked to repeat, which says nothing wrong; what is repeated must be the same.
    if repeated is not None and repeated != asked:
        raise RemoteProtocolError("the response repeats another request than was made")
