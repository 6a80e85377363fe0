"""Blocks of a value or of a list of values too long for one APDU (IEC 62056-5-3)."""

from __future__ import annotations

from typing import Annotated

from cosem.protocol.apdu.result import DataAccessResult
from cosem.protocol.codec.schema import U32, Enumeration, OctetsForm, Tagged, Wire, wire


@wire()
class DataBlockG(Wire):
    """DataBlock-G: a block of a GET response; `result` holds raw octets, or the reason why there are none."""

    last_block: bool
    block_number: U32
    result: Annotated[
        bytes | DataAccessResult,
        Tagged(
            (0, "raw-data", OctetsForm(), None),
            (1, "data-access-result", Enumeration(DataAccessResult), DataAccessResult),
        ),
    ]


@wire()
class DataBlockSA(Wire):
    """DataBlock-SA: a block of a SET request, or of an ACTION request or response."""

    last_block: bool
    block_number: U32
    raw_data: bytes
