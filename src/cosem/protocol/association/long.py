"""What the blocks of each service carry: how a long request or response is cut, and what it is when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cosem.errors import DecodeError
from cosem.protocol.apdu import Apdu
from cosem.protocol.apdu.action import (
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionRequestWithList,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
    ActionResponseNormal,
    ActionResponseWithList,
)
from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.get import GetResponseNormal, GetResponseWithList
from cosem.protocol.apdu.initiate import Conformance
from cosem.protocol.apdu.set import (
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithList,
    SetRequestWithListAndFirstDatablock,
)
from cosem.protocol.apdu.short_name import ReadDataBlockAccess, ReadRequest, WriteDataBlockAccess, WriteRequest
from cosem.protocol.codec import axdr
from cosem.protocol.codec.reader import Limits, count, put_length
from cosem.protocol.values.data import Data, OctetString

LONG: Final = (GetResponseNormal, GetResponseWithList, ActionResponseNormal, ActionResponseWithList)
"""Responses that have a form in blocks."""

SETS_IN_BLOCKS: Final = (
    SetRequestWithFirstDatablock,
    SetRequestWithDatablock,
    SetRequestWithListAndFirstDatablock,
)


@dataclass(frozen=True, slots=True)
class Cut:
    """How a request that is too long leaves: which octets are cut, and what carries the first and the later blocks."""

    needed: Conformance
    octets: Callable[[Any], bytes]
    first: Callable[[Any, DataBlockSA], Apdu]
    later: Callable[[Any, DataBlockSA], Apdu]


def _later_of_set(request: Any, block: DataBlockSA) -> Apdu:
    return SetRequestWithDatablock(request.invoke_id_and_priority, block)


def _later_of_action(request: Any, block: DataBlockSA) -> Apdu:
    return ActionRequestWithPblock(request.invoke_id_and_priority, block)


def _after_the_tag(request: Any) -> bytes:
    octets: bytes = request.encode()[len(request.TAG) :]
    return octets


def _block_of_read(_request: Any, block: DataBlockSA) -> Apdu:
    return ReadRequest((ReadDataBlockAccess(block.last_block, block.block_number, block.raw_data),))


def _block_of_write(_request: Any, block: DataBlockSA) -> Apdu:
    return WriteRequest((WriteDataBlockAccess(block.last_block, block.block_number),), (OctetString(block.raw_data),))


CUTS: Final[Mapping[type, Cut]] = {
    SetRequestNormal: Cut(
        Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
        lambda request: axdr.encode(request.value),
        lambda request, block: SetRequestWithFirstDatablock(
            request.invoke_id_and_priority, request.attribute, request.access_selection, block
        ),
        _later_of_set,
    ),
    SetRequestWithList: Cut(
        Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE,
        lambda request: _sequence_of(request.values),
        lambda request, block: SetRequestWithListAndFirstDatablock(
            request.invoke_id_and_priority, request.attributes, block
        ),
        _later_of_set,
    ),
    ActionRequestNormal: Cut(
        Conformance.BLOCK_TRANSFER_WITH_ACTION,
        lambda request: axdr.encode(request.parameters),
        lambda request, block: ActionRequestWithFirstPblock(request.invoke_id_and_priority, request.method, block),
        _later_of_action,
    ),
    ActionRequestWithList: Cut(
        Conformance.BLOCK_TRANSFER_WITH_ACTION,
        lambda request: _sequence_of(request.parameters),
        lambda request, block: ActionRequestWithListAndFirstPblock(
            request.invoke_id_and_priority, request.methods, block
        ),
        _later_of_action,
    ),
    ReadRequest: Cut(Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ, _after_the_tag, _block_of_read, _block_of_read),
    WriteRequest: Cut(Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE, _after_the_tag, _block_of_write, _block_of_write),
}
"""How each request is cut when it is too long; those that are not here cannot be."""


def blocks_of_get(response: GetResponseNormal | GetResponseWithList) -> bytes:
    """Return what the blocks of a GET response carry: the Data alone, or the list of results."""
    encoded = response.encode()
    return encoded[4:] if isinstance(response, GetResponseNormal) else encoded[3:]


def blocks_of_action(response: ActionResponseNormal | ActionResponseWithList) -> bytes:
    """Return what the blocks of an ACTION response carry: the returned Data alone, or the list of responses."""
    encoded = response.encode()
    return encoded[6:] if isinstance(response, ActionResponseNormal) else encoded[3:]


def _sequence_of(values: Sequence[Data]) -> bytes:
    """Return a SEQUENCE OF Data, which is what the blocks of a list carry."""
    out = bytearray()
    put_length(len(values), out)
    for value in values:
        axdr.encode_into(value, out)
    return bytes(out)


def _decode_sequence(octets: bytes, limits: Limits) -> tuple[Data, ...]:
    number, offset = count(octets, 0)
    values: list[Data] = []
    for _ in range(number):
        value, offset = axdr.decode(octets, offset, limits)
        values.append(value)
    if offset != len(octets):
        raise DecodeError(f"{len(octets) - offset} octets after the last of {number} values", offset)
    return tuple(values)


WHOLE: Final[Mapping[type, Callable[[Any, bytes, Limits], Any]]] = {
    SetRequestWithFirstDatablock: lambda request, octets, limits: SetRequestNormal(
        request.invoke_id_and_priority, request.attribute, request.access_selection, axdr.decode_all(octets, limits)
    ),
    SetRequestWithListAndFirstDatablock: lambda request, octets, limits: SetRequestWithList(
        request.invoke_id_and_priority, request.attributes, _decode_sequence(octets, limits)
    ),
    ActionRequestWithFirstPblock: lambda request, octets, limits: ActionRequestNormal(
        request.invoke_id_and_priority, request.method, axdr.decode_all(octets, limits)
    ),
    ActionRequestWithListAndFirstPblock: lambda request, octets, limits: ActionRequestWithList(
        request.invoke_id_and_priority, request.methods, _decode_sequence(octets, limits)
    ),
}
"""What a request that came in blocks is when all of it is there."""
