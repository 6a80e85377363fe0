"""What the lines of a telegram say: readings, and of every line that makes none, why."""

from __future__ import annotations

from dataclasses import dataclass

from cosem.readings.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a telegram: `code` is its address or label, `text` what it says, both as they were sent.

    `fault` tells what is wrong with it; then it has no readings. A line without either says nothing that is measured,
    or nothing at all.
    """

    code: str
    text: str
    meaning: str = ""
    readings: tuple[Reading, ...] = ()
    fault: str | None = None
