"""GET: reading attributes (IEC 62056-5-3, Get-Request and Get-Response)."""

from __future__ import annotations

from cosem.protocol.apdu.block import DataBlockG
from cosem.protocol.apdu.descriptor import AttributeDescriptor, AttributeDescriptorWithSelection, SelectiveAccess
from cosem.protocol.apdu.result import DataAccessResult, GetDataResult
from cosem.protocol.codec.schema import U32, InvokeIdAndPriority, Wire, wire


@wire(tag=b"\xc0\x01")
class GetRequestNormal(Wire):
    """Read one attribute, or a part of it."""

    invoke_id_and_priority: InvokeIdAndPriority
    attribute: AttributeDescriptor
    access_selection: SelectiveAccess | None = None


@wire(tag=b"\xc0\x02")
class GetRequestNext(Wire):
    """Ask for the next block; `block_number` is that of the block received last."""

    invoke_id_and_priority: InvokeIdAndPriority
    block_number: U32


@wire(tag=b"\xc0\x03")
class GetRequestWithList(Wire):
    """Read several attributes at once."""

    invoke_id_and_priority: InvokeIdAndPriority
    attributes: tuple[AttributeDescriptorWithSelection, ...]


@wire(tag=b"\xc4\x01")
class GetResponseNormal(Wire):
    """The value of the attribute, or the reason why there is none."""

    invoke_id_and_priority: InvokeIdAndPriority
    result: GetDataResult


@wire(tag=b"\xc4\x02")
class GetResponseWithDatablock(Wire):
    """A block of the value, or of the list of values."""

    invoke_id_and_priority: InvokeIdAndPriority
    result: DataBlockG


@wire(tag=b"\xc4\x03")
class GetResponseWithList(Wire):
    """A value or a reason for each attribute, in the order of the request."""

    invoke_id_and_priority: InvokeIdAndPriority
    results: tuple[GetDataResult, ...]


__all__ = [
    "AttributeDescriptor",
    "AttributeDescriptorWithSelection",
    "DataAccessResult",
    "DataBlockG",
    "GetRequestNext",
    "GetRequestNormal",
    "GetRequestWithList",
    "GetResponseNormal",
    "GetResponseWithDatablock",
    "GetResponseWithList",
    "SelectiveAccess",
]
