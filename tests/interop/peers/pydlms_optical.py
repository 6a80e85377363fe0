"""Reads a local port with the optical client of pydlms-client and prints what it got; runs only under its Python.

Arguments: the serial port, and "readout" (mode C) or "get" (mode E, then HDLC) with OBIS code, class and attribute.
"""

from __future__ import annotations

import contextlib
import json
import sys

from pydlms.client import DlmsClient
from pydlms.cosem.data import encode_data
from pydlms.transports.serial import read_mode_c


def main() -> int:
    port, what, *words = sys.argv[1:]
    answer: dict = {}
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = readout(port) if what == "readout" else get(port, *words)
        except Exception as error:  # whatever the peer raises is the finding
            answer["error"] = {"type": type(error).__name__, "text": str(error)}
    json.dump(answer, sys.stdout)
    return 0


def readout(port: str) -> dict:
    found = read_mode_c(port)
    sets = [[each.address, [[value.value, value.unit] for value in each.values]] for each in found.data_sets]
    return {"identification": found.identification.identification, "sets": sets}


def get(port: str, obis: str, class_id: str, attribute: str) -> dict:
    client = DlmsClient.optical(port)
    client.connect()
    value = client.get(obis, int(class_id), int(attribute))
    client.close()
    return {"value": encode_data(value).hex()}


if __name__ == "__main__":
    sys.exit(main())
