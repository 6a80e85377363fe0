"""Reads the octets of customer (HAN) ports with amshan: prints what it makes of every frame.

Argument: a JSON list of octets in hexadecimal, each of one line, as it was heard.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from han import autodecoder, hdlc


def main() -> None:
    print(json.dumps({"lines": [heard(bytes.fromhex(each)) for each in json.loads(sys.argv[1])]}))


def heard(octets: bytes) -> list[dict[str, Any]]:
    """Every frame of a line: who sent it to whom, whether its checks are right, and what the peer reads in it."""
    reader = hdlc.HdlcFrameReader(use_octet_stuffing=False, use_abort_sequence=False)
    decoder = autodecoder.AutoDecoder()
    return [frame(each, decoder) for each in reader.read(octets)]


def frame(each: Any, decoder: autodecoder.AutoDecoder) -> dict[str, Any]:
    told = decoder.decode_message(each)
    return {
        "valid": each.is_valid,
        "control": each.header.control,
        "decoder": decoder.previous_success_decoder,
        # Fields with an underscore are of the peer's own machinery.
        "told": None if told is None else {name: plain(told[name]) for name in told if name[0] != "_"},
    }


def plain(value: Any) -> Any:
    return (
        value.isoformat()
        if isinstance(value, datetime)
        else value
        if isinstance(value, int | float | str)
        else repr(value)
    )


main()
