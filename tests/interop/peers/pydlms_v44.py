"""Decompresses packets of ITU-T V.44 with pydlms-client; runs only under the peer's interpreter.

Takes a JSON list of packets (hex) and prints a list of what each becomes (hex), null where the peer refuses it.
"""

from __future__ import annotations

import json
import sys

from pydlms.exceptions import DlmsError
from pydlms.security.v44 import V44Decoder


def main() -> int:
    answers: list[str | None] = []
    for packet in json.loads(sys.argv[1]):
        try:
            answers.append(V44Decoder().decompress(bytes.fromhex(packet), max_output=0xFFFF).hex())
        except DlmsError:
            answers.append(None)
    json.dump({"octets": answers}, sys.stdout)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
