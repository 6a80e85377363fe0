"""SET: writing attributes (IEC 62056-5-3, Set-Request and Set-Response)."""

from __future__ import annotations

from cosem.protocol.apdu.block import DataBlockSA
from cosem.protocol.apdu.descriptor import AttributeDescriptor, AttributeDescriptorWithSelection, SelectiveAccess
from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.codec.schema import U32, DataField, InvokeIdAndPriority, Wire, wire


@wire(tag=b"\xc1\x01")
class SetRequestNormal(Wire):
    """Write one attribute, or a part of it."""

    invoke_id_and_priority: InvokeIdAndPriority
    attribute: AttributeDescriptor
    access_selection: SelectiveAccess | None
    value: DataField


@wire(tag=b"\xc1\x02")
class SetRequestWithFirstDatablock(Wire):
    """Begin to write one attribute in blocks."""

    invoke_id_and_priority: InvokeIdAndPriority
    attribute: AttributeDescriptor
    access_selection: SelectiveAccess | None
    datablock: DataBlockSA


@wire(tag=b"\xc1\x03")
class SetRequestWithDatablock(Wire):
    """A further block."""

    invoke_id_and_priority: InvokeIdAndPriority
    datablock: DataBlockSA


@wire(tag=b"\xc1\x04")
class SetRequestWithList(Wire):
    """Write several attributes at once; both lists are of one length and order."""

    invoke_id_and_priority: InvokeIdAndPriority
    attributes: tuple[AttributeDescriptorWithSelection, ...]
    values: tuple[DataField, ...]


@wire(tag=b"\xc1\x05")
class SetRequestWithListAndFirstDatablock(Wire):
    """Begin to write several attributes in blocks; the blocks carry the list of values."""

    invoke_id_and_priority: InvokeIdAndPriority
    attributes: tuple[AttributeDescriptorWithSelection, ...]
    datablock: DataBlockSA


@wire(tag=b"\xc5\x01")
class SetResponseNormal(Wire):
    """How writing the attribute ended."""

    invoke_id_and_priority: InvokeIdAndPriority
    result: DataAccessResult


@wire(tag=b"\xc5\x02")
class SetResponseDatablock(Wire):
    """A block has arrived and the next one is awaited."""

    invoke_id_and_priority: InvokeIdAndPriority
    block_number: U32


@wire(tag=b"\xc5\x03")
class SetResponseLastDatablock(Wire):
    """The last block of one attribute has arrived, or the transfer was given up."""

    invoke_id_and_priority: InvokeIdAndPriority
    result: DataAccessResult
    block_number: U32


@wire(tag=b"\xc5\x04")
class SetResponseLastDatablockWithList(Wire):
    """The last block of several attributes has arrived; a result for each."""

    invoke_id_and_priority: InvokeIdAndPriority
    results: tuple[DataAccessResult, ...]
    block_number: U32


@wire(tag=b"\xc5\x05")
class SetResponseWithList(Wire):
    """A result for each attribute, in the order of the request."""

    invoke_id_and_priority: InvokeIdAndPriority
    results: tuple[DataAccessResult, ...]


__all__ = [
    "AttributeDescriptor",
    "AttributeDescriptorWithSelection",
    "DataAccessResult",
    "DataBlockSA",
    "SelectiveAccess",
    "SetRequestNormal",
    "SetRequestWithDatablock",
    "SetRequestWithFirstDatablock",
    "SetRequestWithList",
    "SetRequestWithListAndFirstDatablock",
    "SetResponseDatablock",
    "SetResponseLastDatablock",
    "SetResponseLastDatablockWithList",
    "SetResponseNormal",
    "SetResponseWithList",
]
