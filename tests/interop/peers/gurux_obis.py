"""Prints the OBIS table of gurux-dlms as JSON; runs only under the peer's interpreter.

The answer is {"patterns": [{"groups": ["0-64", …], "classes": [1, 3, 4], "name": …}]}; no classes means any. A class
that the table writes with a slip of the pen, such as `3.4`, is left out.
"""

from __future__ import annotations

import json
import sys
from importlib.resources import files

import gurux_dlms
from gurux_dlms.GXStandardObisCodeCollection import GXStandardObisCodeCollection

EVERY = "*"


def main() -> int:
    patterns = []
    for line in (files(gurux_dlms) / "OBISCodes.txt").read_text("utf-8").splitlines():
        pattern, classes, _, *words = [part.strip() for part in line.split(";")]
        groups = pattern.split(".")
        assert len(groups) == 6 and all(readable(group) for group in groups), line
        numbers = [int(number) for number in classes.split(",") if number.isdigit()]
        patterns.append(
            {
                "groups": groups,
                "classes": [] if classes == EVERY else numbers,
                "name": "; ".join(word for word in words if word),
            }
        )
    json.dump({"patterns": patterns}, sys.stdout)
    return 0


def readable(group: str) -> bool:
    """Tell whether the peer itself understands a group: it admits its own first number."""
    first = group.split(",")[0].split("-")[0]
    return bool(GXStandardObisCodeCollection.equalsMask(group, int(first)))


if __name__ == "__main__":
    sys.exit(main())
