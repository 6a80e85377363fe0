"""Negotiation of the xDLMS context: InitiateRequest, InitiateResponse and the conformance block (IEC 62056-5-3)."""

from __future__ import annotations

import dataclasses
from enum import KEEP, IntFlag
from operator import index
from typing import Annotated, Any

from cosem.errors import DecodeError
from cosem.protocol.codec.forms import Unfit
from cosem.protocol.codec.schema import I8, U8, U16, Boolean, Default, Form, Wire, wire
from cosem.protocol.codec.source import DecodeSource, EncodeSource
from cosem.protocol.codec.walk import Walk


class Conformance(IntFlag, boundary=KEEP):
    """What a client proposes and a server grants: 24 bits, bit 0 of the standard being the highest here."""

    GENERAL_PROTECTION = 1 << 22
    GENERAL_BLOCK_TRANSFER = 1 << 21
    READ = 1 << 20
    WRITE = 1 << 19
    UNCONFIRMED_WRITE = 1 << 18
    DELTA_VALUE_ENCODING = 1 << 17
    ATTRIBUTE_0_SUPPORTED_WITH_SET = 1 << 15
    PRIORITY_MANAGEMENT_SUPPORTED = 1 << 14
    ATTRIBUTE_0_SUPPORTED_WITH_GET = 1 << 13
    BLOCK_TRANSFER_WITH_GET_OR_READ = 1 << 12
    BLOCK_TRANSFER_WITH_SET_OR_WRITE = 1 << 11
    BLOCK_TRANSFER_WITH_ACTION = 1 << 10
    MULTIPLE_REFERENCES = 1 << 9
    INFORMATION_REPORT = 1 << 8
    DATA_NOTIFICATION = 1 << 7
    ACCESS = 1 << 6
    PARAMETERIZED_ACCESS = 1 << 5
    GET = 1 << 4
    SET = 1 << 3
    SELECTIVE_ACCESS = 1 << 2
    EVENT_NOTIFICATION = 1 << 1
    ACTION = 1 << 0

    @property
    def text(self) -> str:
        """The bits by their names in the standard."""
        names = [flag.name.lower().replace("_", "-") for flag in Conformance if flag in self and flag.name]
        rest = int(self) & ~int(_NAMED)
        return ", ".join([*names, *([f"reserved 0x{rest:06X}"] if rest else [])]) or "nothing"


_NAMED = Conformance(sum(Conformance))


class ConformanceForm(Form):
    """[APPLICATION 31] in BER within the A-XDR around it: 5F 1F, length 4, no unused bits, 24 bits.

    Also read is the tag in one octet, 5F, as some clients that use short names write it.
    """

    _HEAD = 0x5F1F0400
    _OLD_HEAD = 0x5F0400
    smallest = 7

    def decoding(self, source: DecodeSource) -> str:
        head, high, low = source.fixed("I"), source.fixed("B"), source.fixed("H")
        source.then(f"if {head} != {self._HEAD}: raise Refused")
        return f"{source.constant(Conformance, 'conformance')}({high} << 16 | {low})"

    def encoding(self, source: EncodeSource, value: str) -> None:
        source.put("I", str(self._HEAD))
        number = source.name("number")
        source.line(f"{number} = {source.constant(index, 'index')}({value})  # flags are slow to take apart")
        source.put("B", f"{number} >> 16")
        source.put("H", f"{number} & 0xFFFF")

    def walk(self, walk: Walk, offset: int) -> tuple[Conformance, int]:
        if int.from_bytes(walk.octets[offset : offset + 3], "big") == self._OLD_HEAD:
            stop = walk.need(6, offset)
            return Conformance(int.from_bytes(walk.octets[offset + 3 : stop], "big")), stop
        stop = walk.need(7, offset)
        head, bits = walk.octets[offset : offset + 4], walk.octets[offset + 4 : stop]
        if int.from_bytes(head, "big") != self._HEAD:
            raise DecodeError(f"need a conformance block, 5F1F0400, have {head.hex().upper()}", offset)
        return Conformance(int.from_bytes(bits, "big")), stop

    def check(self, value: Any) -> None:
        if not isinstance(value, int) or not 0 <= value < 1 << 24:
            raise Unfit(f"need 24 bits, have {value!r}")

    def text(self, value: Conformance) -> str:
        return value.text


ConformanceBlock = Annotated[Conformance, ConformanceForm()]

LOGICAL_NAME_VAA = 0x0007
"""The VAA name in a response to a client that refers to objects by logical names."""
SHORT_NAME_VAA = 0xFA00
"""The VAA name in a response to a client that refers to objects by short names."""


@wire(tag=b"\x01", kw_only=True)
class InitiateRequest(Wire):
    """xDLMS-Initiate.request: what the client proposes. The dedicated key is a secret and stays out of the repr."""

    dedicated_key: bytes | None = dataclasses.field(default=None, repr=False)
    response_allowed: Annotated[bool, Default(Boolean(), True)] = True
    proposed_quality_of_service: I8 | None = None
    proposed_dlms_version_number: U8 = 6
    proposed_conformance: ConformanceBlock
    client_max_receive_pdu_size: U16


@wire(tag=b"\x08", kw_only=True)
class InitiateResponse(Wire):
    """xDLMS-Initiate.response: what the server grants."""

    negotiated_quality_of_service: I8 | None = None
    negotiated_dlms_version_number: U8 = 6
    negotiated_conformance: ConformanceBlock
    server_max_receive_pdu_size: U16
    vaa_name: U16 = LOGICAL_NAME_VAA
