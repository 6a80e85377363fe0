"""Read, Write and InformationReport: the services that refer to attributes and methods by short names (IEC 62056-5-3).

A short name is a number of 16 bits. The standard calls it an Integer16; it is written without a sign everywhere, as in
0xFA00, and so it is here.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.codec.forms import Int
from cosem.protocol.codec.schema import (
    NULL_DATA,
    U8,
    U16,
    DataField,
    DataForm,
    Enumeration,
    Form,
    NullData,
    OptionalTime,
    Tagged,
    Wire,
    wire,
)
from cosem.protocol.codec.source import DecodeSource, EncodeSource
from cosem.protocol.codec.walk import Walk
from cosem.protocol.values.data import Data


class _NameForm(Int):
    def text(self, value: int) -> str:
        return f"0x{value:04X}"


ObjectName: TypeAlias = Annotated[int, _NameForm(2)]
"""ObjectName: the short name of an attribute or a method."""


@wire(tag=b"\x02")
class VariableName(Wire):
    """variable-name: an attribute as a whole, or a method without parameters."""

    variable_name: ObjectName


@wire(tag=b"\x04")
class ParameterizedAccess(Wire):
    """Parameterized-Access: a part of an attribute by a selector of its class, or a method with its parameter."""

    variable_name: ObjectName
    selector: U8
    parameter: DataField


NO_SELECTOR: Final = 0
"""The selector of parameterized access where it is a method that takes the parameter."""


@wire(tag=b"\x05")
class BlockNumberAccess(Wire):
    """Block-Number-Access: ask for the next block; `block_number` is that of the block received last."""

    block_number: U16


@wire(tag=b"\x06")
class ReadDataBlockAccess(Wire):
    """Read-Data-Block-Access: a block of a Read request; all of them are what follows the first octet of one."""

    last_block: bool
    block_number: U16
    raw_data: bytes


@wire(tag=b"\x07")
class WriteDataBlockAccess(Wire):
    """Write-Data-Block-Access: a block of a Write request, whose octets are an octet-string in the list of data."""

    last_block: bool
    block_number: U16


VariableAccessSpecification: TypeAlias = (
    VariableName | ParameterizedAccess | BlockNumberAccess | ReadDataBlockAccess | WriteDataBlockAccess
)
"""Variable-Access-Specification: one thing to read or write, or a block."""


@wire()
class DataBlockResult(Wire):
    """Data-Block-Result: a block of a Read response; all of them are the list of results of one."""

    last_block: bool
    block_number: U16
    raw_data: bytes


@wire()
class BlockNumber(Wire):
    """block-number: this block of a request has arrived, and the next one is awaited."""

    block_number: U16


class SuccessForm(Form):
    """NULL: no octets, NULL_DATA in Python."""

    smallest = 0

    def decoding(self, source: DecodeSource) -> str:
        return source.constant(NULL_DATA, "null")

    def encoding(self, source: EncodeSource, value: str) -> None:
        return

    def walk(self, walk: Walk, offset: int) -> tuple[NullData, int]:
        return NULL_DATA, offset

    def check(self, value: object) -> None:
        assert value is NULL_DATA

    def text(self, value: object) -> str:
        return "success"


_ERROR = (1, "data-access-error", Enumeration(DataAccessResult), DataAccessResult)

ReadResult: TypeAlias = Annotated[
    Data | DataAccessResult | DataBlockResult | BlockNumber,
    Tagged(
        (0, "data", DataForm(), None),
        _ERROR,
        (2, "data-block-result", DataBlockResult.FORM, DataBlockResult),
        (3, "block-number", BlockNumber.FORM, BlockNumber),
    ),
]
"""What became of one thing to read: its Data, why there is none, a block of the results, or a block acknowledged."""

WriteResult: TypeAlias = Annotated[
    NullData | DataAccessResult | BlockNumber,
    Tagged(
        (0, "success", SuccessForm(), NullData),
        _ERROR,
        (2, "block-number", BlockNumber.FORM, BlockNumber),
    ),
]
"""What became of one thing to write: NULL_DATA for success, why not, or a block acknowledged."""


@wire(tag=b"\x05")
class ReadRequest(Wire):
    """Read attributes, or run methods and have their results."""

    variable_access_specification: tuple[VariableAccessSpecification, ...]


@wire(tag=b"\x0c")
class ReadResponse(Wire):
    """A result for each thing asked for, or one for all: a block, or a block acknowledged."""

    results: tuple[ReadResult, ...]


@wire(tag=b"\x06")
class WriteRequest(Wire):
    """Write attributes, or run methods that return nothing; both lists are of one length and order."""

    variable_access_specification: tuple[VariableAccessSpecification, ...]
    list_of_data: tuple[DataField, ...]


@wire(tag=b"\x0d")
class WriteResponse(Wire):
    """A result for each thing written, or one for all: a block acknowledged."""

    results: tuple[WriteResult, ...]


@wire(tag=b"\x16")
class UnconfirmedWriteRequest(Wire):
    """As WriteRequest, and nothing is answered."""

    variable_access_specification: tuple[VariableAccessSpecification, ...]
    list_of_data: tuple[DataField, ...]


@wire(tag=b"\x18")
class InformationReportRequest(Wire):
    """Values that a server reports unasked; `current_time` are the octets of a date-time.

    The standard calls the time a GeneralizedTime; no source shows one that is not a date-time as everywhere else.
    """

    current_time: Annotated[bytes | None, OptionalTime()]
    variable_access_specification: tuple[VariableAccessSpecification, ...]
    list_of_data: tuple[DataField, ...]


__all__ = [
    "BlockNumber",
    "BlockNumberAccess",
    "DataAccessResult",
    "DataBlockResult",
    "InformationReportRequest",
    "ObjectName",
    "ParameterizedAccess",
    "ReadDataBlockAccess",
    "ReadRequest",
    "ReadResponse",
    "ReadResult",
    "UnconfirmedWriteRequest",
    "VariableAccessSpecification",
    "VariableName",
    "WriteDataBlockAccess",
    "WriteRequest",
    "WriteResponse",
    "WriteResult",
]
