"""The heading of one column of a profile: what was captured, and what its raw values mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from cosem.protocol.model.classes.data_storage import ScalerUnit
from cosem.protocol.model.selection import CLOCK_TIME, CaptureObject
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit

NO_BITS: Final[Mapping[int, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ProfileColumn:
    """The heading of one column: what was captured, and how its raw values become quantities.

    `bits` are the names of the bits of a status, by their numbers, 0 for the least significant one; companion
    specifications give them.
    """

    captured: CaptureObject
    scaler_unit: ScalerUnit | None = None
    bits: Mapping[int, str] = field(default_factory=lambda: NO_BITS, hash=False)

    @property
    def is_time(self) -> bool:
        """True for the time of a clock, which says when a row was captured."""
        return (self.captured.class_id, self.captured.attribute_index) == (
            CLOCK_TIME.class_id,
            CLOCK_TIME.attribute_index,
        )

    @property
    def unit(self) -> Unit | None:
        """The unit of the scaled values; None where the meter gives none."""
        return None if self.scaler_unit is None else self.scaler_unit.unit

    def scaled(self, value: Any) -> Any:
        """Return a raw number with its scaler applied, exactly, as a Decimal; anything else as it is."""
        if self.scaler_unit is None or isinstance(value, bool) or not isinstance(value, int | float):
            return value
        return Quantity.of(value, self.scaler_unit.scaler, self.scaler_unit.unit).value

    def status(self, value: Any) -> tuple[str, ...]:
        """Return the names of the bits that are set in a status, those without a name as `bit 6`.

        A status is a number, a bit-string as text (`1010`, whose first character is bit 0), or octets (the last octet
        has the bits 0 to 7).
        """
        return tuple(self.bits.get(bit, f"bit {bit}") for bit in _set_bits(value))


def _set_bits(value: Any) -> Iterator[int]:
    if isinstance(value, str):
        return (bit for bit, digit in enumerate(value) if digit == "1")
    number = int.from_bytes(value, "big") if isinstance(value, bytes | bytearray) else value
    if not isinstance(number, int) or number < 0:
        return iter(())
    return (bit for bit in range(number.bit_length()) if number >> bit & 1)
