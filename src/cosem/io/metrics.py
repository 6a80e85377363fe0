"""Numbers as metrics in the text format 0.0.4 of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final, TypeAlias

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Sample: TypeAlias = tuple[Mapping[str, str], float | int | Decimal]
"""The labels of a number, and the number."""


def family(name: str, meaning: str, samples: Iterable[Sample], *, kind: str = "gauge") -> str:
    """Return the lines of one metric: what it means, what it is, and each number with its labels."""
    lines = [f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"]
    lines += [f"{shown(name, labels)} {number}\n" for labels, number in samples]
    return "".join(lines)


def shown(name: str, labels: Mapping[str, str]) -> str:
    """Return a metric with its labels, as it stands before its number."""
    written = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{written}}}" if written else name


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
