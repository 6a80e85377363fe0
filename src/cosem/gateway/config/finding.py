"""What the check of a configuration says: faults that stop something, and notices that stop nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class DriverName(Enum):
    """The word of the column `protocol`."""

    DLMS = "DLMS"
    IEC21 = "IEC 62056-21"
    ELGAMA = "Elgama"


ALL_DRIVERS = frozenset(DriverName)


@dataclass(frozen=True, slots=True)
class Place:
    """A cell: `row` counts as the sheet does, the headings are in row 1; 0 and "" where it is more than one cell.

    `value` is what stands there, shortened, and never a secret.
    """

    sheet: str = ""
    row: int = 0
    column: str = ""
    value: str = ""

    def __str__(self) -> str:
        parts = (self.sheet, f"row {self.row}" if self.row else "", self.column)
        where = ", ".join(each for each in parts if each)
        return f"{where} = {self.value!r}" if self.value else where


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that cannot be used: `reason` says why, `allowed` what would be.

    `stops` are the drivers that do not start because of it; with none it costs its own row alone.
    """

    place: Place
    reason: str
    allowed: str = ""
    stops: frozenset[DriverName] = frozenset()

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        drivers = [each.value for each in DriverName if each in self.stops]
        return {**_plain(self.place), "reason": self.reason, "allowed": self.allowed, "stops": drivers}

    def __str__(self) -> str:
        allowed = f"; allowed: {self.allowed}" if self.allowed else ""
        return f"{self.place}: {self.reason}{allowed}"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know; with `warning`, something that was probably not meant."""

    place: Place
    text: str
    warning: bool = False

    def plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**_plain(self.place), "warning": self.warning, "text": self.text}

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def _plain(place: Place) -> dict[str, Any]:
    return {"sheet": place.sheet, "row": place.row, "column": place.column, "value": place.value}
