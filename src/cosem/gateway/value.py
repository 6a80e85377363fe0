"""What the gateway carries from a device to whoever listens: values with their quality, times and unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag
from typing import Final, TypeAlias

Plain: TypeAlias = bool | int | float | Decimal | str | bytes | datetime | None
"""A value as every output can be asked to show it; bit-strings are text of 0 and 1, enumerations numbers."""


class Quality(Flag):
    """How far a value can be trusted; the words of IEC 60870-5-101 for its quality descriptor.

    GOOD           as the device has just given it
    OVERFLOW       outside of what its type can carry
    SUBSTITUTED    given by a person, or in place of what was not measured
    NOT_TOPICAL    the last one there was: the device was not reached since
    INVALID        no value at all, or one that the device itself calls wrong
    """

    GOOD = 0
    OVERFLOW = 0x01
    SUBSTITUTED = 0x20
    NOT_TOPICAL = 0x40
    INVALID = 0x80


_SINGLE: Final = float.fromhex("0x1.fffffep127")
_DOUBLE: Final = float.fromhex("0x1.fffffffffffffp1023")


class NumberType(Enum):
    """How a signal goes out: the closed list of `number_type`, each with what other protocols make of it.

    Attributes:
        bounds: the least and the greatest number that it carries, floating ones or whole; None for what is no number.
            Those of a bit-string are for outputs that have 32 bits for it.
        iec104: type identifications of IEC 60870-5-101, without and with time tag CP56Time2a.
        registers: Modbus registers of 16 bits that it takes; 0 for a coil, None where Modbus cannot carry it.
        opcua: the name of the built-in data type of OPC UA.
    """

    bounds: tuple[int, int] | tuple[float, float] | None
    iec104: tuple[int, int] | None
    registers: int | None
    opcua: str

    DIGITAL = "DIGITAL", None, (1, 30), 0, "Boolean"
    SIGNED16 = "SIGNED16", (-(1 << 15), (1 << 15) - 1), (11, 35), 1, "Int16"
    UNSIGNED16 = "UNSIGNED16", (0, (1 << 16) - 1), (11, 35), 1, "UInt16"
    SIGNED32 = "SIGNED32", (-(1 << 31), (1 << 31) - 1), (15, 37), 2, "Int32"
    UNSIGNED32 = "UNSIGNED32", (0, (1 << 32) - 1), (15, 37), 2, "UInt32"
    SIGNED64 = "SIGNED64", (-(1 << 63), (1 << 63) - 1), (13, 36), 4, "Int64"
    UNSIGNED64 = "UNSIGNED64", (0, (1 << 64) - 1), (13, 36), 4, "UInt64"
    FLOAT = "FLOAT", (-_SINGLE, _SINGLE), (13, 36), 2, "Float"
    DOUBLE = "DOUBLE", (-_DOUBLE, _DOUBLE), (13, 36), 4, "Double"
    BITSTRING = "BITSTRING", (0, (1 << 32) - 1), (7, 33), 2, "UInt32"
    TEXT = "TEXT", None, None, None, "String"
    TIME = "TIME", None, None, None, "DateTime"

    def __new__(
        cls,
        word: str,
        bounds: tuple[int, int] | tuple[float, float] | None,
        iec104: tuple[int, int] | None,
        registers: int | None,
        opcua: str,
    ) -> NumberType:
        member = object.__new__(cls)
        member._value_ = word
        member.bounds, member.iec104, member.registers, member.opcua = bounds, iec104, registers, opcua
        return member

    @property
    def whole(self) -> bool:
        """Whether it carries whole numbers, bits among them."""
        return self.bounds is not None and isinstance(self.bounds[0], int)

    def carried(self, number: Decimal | float) -> tuple[Decimal | float, Quality]:
        """Return a number, but no NaN, as this type carries it: rounded where it is whole, the nearest one that fits.

        The quality is OVERFLOW for what did not fit, GOOD otherwise. Only for types with bounds.
        """
        assert self.bounds is not None, "a type of numbers"
        low, high = self.bounds
        if self.whole and low - 1 < number < high + 1:
            number = round(number)
        if low <= number <= high:
            return number, Quality.GOOD
        return (low if number < low else high), Quality.OVERFLOW


def number_of(value: Plain) -> Decimal | float | None:
    """Return the number that a value is, true and false as 1 and 0; None where it is none, or not finite."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    return value if isinstance(value, float) and math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one signal.

    Attributes:
        signal: the alias of the signal.
        value: what it is, scaled, multiplied and offset as its row says; None with INVALID quality.
        quality: how far it can be trusted.
        source_time: when it was measured, by the clock of the meter, aware; None where the meter gives no time.
        gateway_time: when the gateway had it, aware, UTC.
        unit: its unit as text; "" for none.
        backfilled: it comes from a profile or log after an outage, and is older than what was sent before.
    """

    signal: str
    value: Plain
    quality: Quality
    source_time: datetime | None
    gateway_time: datetime
    unit: str = ""
    backfilled: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody outside wants a write-enabled signal to be; `origin` says who, for the audit."""

    signal: str
    value: Plain
    origin: str


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command; `reason` says why not."""

    done: bool
    reason: str = ""
