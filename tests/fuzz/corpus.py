"""The inputs a boundary is fuzzed from: those found before, a line of hex each, and the octets of every vector."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

FOUND = Path(__file__).parent / "corpus"
VECTORS = Path(__file__).parent.parent / "vectors"


def found(boundary: str) -> list[bytes]:
    """Return the inputs that were kept for a boundary: each went where none went before, or broke something once."""
    path = FOUND / f"{boundary}.hex"
    lines = path.read_text(encoding="ascii").split() if path.exists() else []
    return [bytes.fromhex(line) for line in lines]


def keep(boundary: str, inputs: list[bytes]) -> None:
    """Keep inputs for a boundary, in the order of their length."""
    every = sorted(dict.fromkeys([*found(boundary), *inputs]), key=lambda octets: (len(octets), octets))
    (FOUND / f"{boundary}.hex").write_text("".join(f"{octets.hex()}\n" for octets in every if octets), encoding="ascii")


def known() -> list[bytes]:
    """Return the octets of the vectors, as far as they stand there as hex."""
    octets: list[bytes] = []
    for path in sorted(VECTORS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            for name in ("octets", "hex"):
                with suppress(ValueError, TypeError):
                    octets.append(bytes.fromhex(case.get(name, "")))
    return [each for each in octets if 0 < len(each) < 2000]
