"""The blocks of Read and Write: what is too long for one APDU leaves and arrives in numbered blocks, on both sides.

Blocks of a request carry what follows its first octet. Blocks of a response carry the Data alone where one thing was
asked for, as the peers we know have it, and the list of results where several were; a client takes the list for one
thing as well. (IEC 62056-5-3, Read and Write with block transfer.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from cosem.errors import DecodeError, RemoteProtocolError
from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.apdu.short_name import (
    BlockNumber,
    BlockNumberAccess,
    DataBlockResult,
    ReadDataBlockAccess,
    ReadRequest,
    ReadResponse,
    WriteDataBlockAccess,
    WriteRequest,
    WriteResponse,
)
from cosem.protocol.association.context import AssociationLimits
from cosem.protocol.association.transfer import BLOCK_OVERHEAD, FIRST_BLOCK_NUMBER, Block, Incoming, Outgoing
from cosem.protocol.codec import axdr
from cosem.protocol.codec.reader import Limits
from cosem.protocol.values.data import OctetString

LAST_BLOCK_NUMBER: Final = 0xFFFF
"""Block numbers have 16 bits here."""

ONE_RESULT: Final = b"\x01\x00"
"""What stands before the Data in a list of one result."""

DATA_ALONE: Final = ReadResponse.TAG + ONE_RESULT
"""The first octets of a Read response that has one value and nothing else."""

ReadOrWrite: TypeAlias = ReadRequest | WriteRequest

_PARTS: Final = (BlockNumberAccess, ReadDataBlockAccess, WriteDataBlockAccess)


def is_part(request: ReadOrWrite) -> bool:
    """Tell whether a request is a block, or asks for one."""
    return any(isinstance(each, _PARTS) for each in request.variable_access_specification)


def joined(asked: int, octets: bytes, limits: Limits) -> ReadResponse:
    """Return the response that came in blocks, to a request for so many things; DecodeError when it is none."""
    if asked == 1 and not octets.startswith(ONE_RESULT):
        return ReadResponse((axdr.decode_all(octets, limits),))
    if octets == ONE_RESULT:  # an array without elements
        return ReadResponse((axdr.decode_all(octets, limits),))
    return ReadResponse.decode(ReadResponse.TAG + octets, limits)


def data_in(octets: bytes) -> bytes:
    """Return the octets of the Data of one thing that came in blocks."""
    is_list = octets.startswith(ONE_RESULT) and len(octets) > len(ONE_RESULT)
    return octets[len(ONE_RESULT) :] if is_list else octets


@dataclass(frozen=True, slots=True)
class _Service:
    """How one service answers a part of a request."""

    response: Any
    part: type
    none_in_progress: DataAccessResult
    aborted: DataAccessResult


_SERVICES: Final[Mapping[type, _Service]] = {
    ReadRequest: _Service(
        ReadResponse,
        ReadDataBlockAccess,
        DataAccessResult.NO_LONG_GET_IN_PROGRESS,
        DataAccessResult.LONG_GET_ABORTED,
    ),
    WriteRequest: _Service(
        WriteResponse,
        WriteDataBlockAccess,
        DataAccessResult.NO_LONG_SET_IN_PROGRESS,
        DataAccessResult.LONG_SET_ABORTED,
    ),
}


class ServerBlocks:
    """The blocks that are under way on the server's side: those of one request, or those of one response."""

    def __init__(self, limits: AssociationLimits, decoding: Limits) -> None:
        self._limits = limits
        self._decoding = decoding
        self._arriving: tuple[type, Incoming] | None = None
        self._leaving: Outgoing | None = None

    @property
    def collecting(self) -> bool:
        """True while a request is there in part."""
        return self._arriving is not None

    @property
    def joined(self) -> int:
        """How many blocks of the request are there."""
        return 0 if self._arriving is None else self._arriving[1].number

    def forget(self) -> None:
        """Give up what is under way."""
        self._arriving = self._leaving = None

    def first(self, response: ReadResponse, longest: int) -> ReadResponse:
        """Return the first block of a response that is longer than `longest` octets."""
        self.forget()
        results = response.results
        octets = response.encode()[len(ReadResponse.TAG) :]
        if len(results) == 1 and octets.startswith(ONE_RESULT):
            octets = octets[len(ONE_RESULT) :]
        if len(octets) > LAST_BLOCK_NUMBER * (longest - BLOCK_OVERHEAD):
            return ReadResponse((DataAccessResult.DATA_BLOCK_UNAVAILABLE,))
        self._leaving = Outgoing(octets, longest)
        return self._following(self._leaving)

    def take(self, request: ReadOrWrite) -> ReadOrWrite | ReadResponse | WriteResponse:
        """Take a part of a request, or a request for a block: return the whole request, or the answer to the part."""
        kind: type[ReadOrWrite] = type(request)
        service = _SERVICES[kind]
        specification, *others = request.variable_access_specification
        if others or not isinstance(specification, _PARTS):
            return self._refused(service, DataAccessResult.DATA_BLOCK_UNAVAILABLE)
        if isinstance(specification, BlockNumberAccess) and kind is ReadRequest:
            return self._next(service, specification.block_number)
        octets = _carried(request)
        if (
            isinstance(specification, BlockNumberAccess)
            or not isinstance(specification, service.part)
            or octets is None
        ):
            return self._refused(service, DataAccessResult.DATA_BLOCK_UNAVAILABLE)
        return self._arrived(kind, service, Block(specification.last_block, specification.block_number, octets))

    def _next(self, service: _Service, received: int) -> ReadResponse | WriteResponse:
        leaving = self._leaving
        if leaving is None or leaving.finished:
            return self._refused(service, service.none_in_progress)
        if received != leaving.number:
            return self._refused(service, DataAccessResult.DATA_BLOCK_NUMBER_INVALID)
        return self._following(leaving)

    def _following(self, leaving: Outgoing) -> ReadResponse:
        block = leaving.following()
        return ReadResponse((DataBlockResult(block.last, block.number, block.octets),))

    def _arrived(
        self, kind: type[ReadOrWrite], service: _Service, block: Block
    ) -> ReadOrWrite | ReadResponse | WriteResponse:
        if block.number == FIRST_BLOCK_NUMBER:
            self.forget()
            self._arriving = kind, Incoming(self._limits.reassembled, self._limits.blocks)
        if self._arriving is None or self._arriving[0] is not kind:
            return self._refused(service, service.none_in_progress)
        arriving = self._arriving[1]
        in_order = block.number == arriving.number + 1
        try:
            octets = arriving.add(block)
            if octets is None:
                response: ReadResponse | WriteResponse = service.response((BlockNumber(block.number),))
                return response
            whole = kind.decode(kind.TAG + octets, self._decoding)
            if is_part(whole):
                raise DecodeError("blocks within blocks")
        except RemoteProtocolError:
            number_invalid = DataAccessResult.DATA_BLOCK_NUMBER_INVALID
            return self._refused(service, service.aborted if in_order else number_invalid)
        self.forget()
        return whole

    def _refused(self, service: _Service, result: DataAccessResult) -> ReadResponse | WriteResponse:
        self.forget()
        response: ReadResponse | WriteResponse = service.response((result,))
        return response


def _carried(request: ReadOrWrite) -> bytes | None:
    """Return the octets of a block; None when there are none where they should be."""
    if isinstance(request, ReadRequest):
        (specification,) = request.variable_access_specification
        return specification.raw_data if isinstance(specification, ReadDataBlockAccess) else None
    if len(request.list_of_data) != 1 or not isinstance(request.list_of_data[0], OctetString):
        return None
    return bytes(request.list_of_data[0])
