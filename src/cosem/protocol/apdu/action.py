"""ACTION: running methods (IEC 62056-5-3, Action-Request and Action-Response)."""

from __future__ import annotations

from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.descriptor import MethodDescriptor
from cosem.protocol.apdu.result import ActionResponseWithOptionalData, ActionResult, DataAccessResult
from cosem.protocol.codec.schema import (
    NULL_DATA,
    U32,
    DataField,
    InvokeIdAndPriority,
    NullableData,
    NullData,
    Wire,
    wire,
)


@wire(tag=b"\xc3\x01")
class ActionRequestNormal(Wire):
    """Run one method; `parameters` is None when absent, NULL_DATA for null-data."""

    invoke_id_and_priority: InvokeIdAndPriority
    method: MethodDescriptor
    parameters: NullableData = None


@wire(tag=b"\xc3\x02")
class ActionRequestNextPblock(Wire):
    """Ask for the next block of what was returned; `block_number` is that of the block received last."""

    invoke_id_and_priority: InvokeIdAndPriority
    block_number: U32


@wire(tag=b"\xc3\x03")
class ActionRequestWithList(Wire):
    """Run several methods; both lists are of one length and order."""

    invoke_id_and_priority: InvokeIdAndPriority
    methods: tuple[MethodDescriptor, ...]
    parameters: tuple[DataField, ...]


@wire(tag=b"\xc3\x04")
class ActionRequestWithFirstPblock(Wire):
    """Begin to run one method whose parameters come in blocks."""

    invoke_id_and_priority: InvokeIdAndPriority
    method: MethodDescriptor
    pblock: DataBlockSA


@wire(tag=b"\xc3\x05")
class ActionRequestWithListAndFirstPblock(Wire):
    """Begin to run several methods; the blocks carry the list of parameters."""

    invoke_id_and_priority: InvokeIdAndPriority
    methods: tuple[MethodDescriptor, ...]
    pblock: DataBlockSA


@wire(tag=b"\xc3\x06")
class ActionRequestWithPblock(Wire):
    """A further block of parameters."""

    invoke_id_and_priority: InvokeIdAndPriority
    pblock: DataBlockSA


@wire(tag=b"\xc7\x01")
class ActionResponseNormal(Wire):
    """How the method ended, and what it returned."""

    invoke_id_and_priority: InvokeIdAndPriority
    response: ActionResponseWithOptionalData


@wire(tag=b"\xc7\x02")
class ActionResponseWithPblock(Wire):
    """A block of what was returned."""

    invoke_id_and_priority: InvokeIdAndPriority
    pblock: DataBlockSA


@wire(tag=b"\xc7\x03")
class ActionResponseWithList(Wire):
    """A response for each method, in the order of the request."""

    invoke_id_and_priority: InvokeIdAndPriority
    responses: tuple[ActionResponseWithOptionalData, ...]


@wire(tag=b"\xc7\x04")
class ActionResponseNextPblock(Wire):
    """A block of parameters has arrived and the next one is awaited."""

    invoke_id_and_priority: InvokeIdAndPriority
    block_number: U32


__all__ = [
    "NULL_DATA",
    "ActionRequestNextPblock",
    "ActionRequestNormal",
    "ActionRequestWithFirstPblock",
    "ActionRequestWithList",
    "ActionRequestWithListAndFirstPblock",
    "ActionRequestWithPblock",
    "ActionResponseNextPblock",
    "ActionResponseNormal",
    "ActionResponseWithList",
    "ActionResponseWithOptionalData",
    "ActionResponseWithPblock",
    "ActionResult",
    "DataAccessResult",
    "DataBlockSA",
    "MethodDescriptor",
    "NullData",
]
