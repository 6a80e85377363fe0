"""What the gateway carries from a device to whoever listens: values with their quality, times and unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag
from typing import TypeAlias

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


class NumberType(Enum):
    """How a signal goes out: the closed list of `number_type`, each with what other protocols make of it.

    Attributes:
        iec104: type identifications of IEC 60870-5-101, without and with time tag CP56Time2a.
        registers: Modbus registers of 16 bits that it takes; 0 for a coil, None where Modbus cannot carry it.
        opcua: the name of the built-in data type of OPC UA.
    """

    iec104: tuple[int, int] | None
    registers: int | None
    opcua: str

    DIGITAL = "DIGITAL", (1, 30), 0, "Boolean"
    SIGNED16 = "SIGNED16", (11, 35), 1, "Int16"
    UNSIGNED16 = "UNSIGNED16", (11, 35), 1, "UInt16"
    SIGNED32 = "SIGNED32", (15, 37), 2, "Int32"
    UNSIGNED32 = "UNSIGNED32", (15, 37), 2, "UInt32"
    SIGNED64 = "SIGNED64", (13, 36), 4, "Int64"
    UNSIGNED64 = "UNSIGNED64", (13, 36), 4, "UInt64"
    FLOAT = "FLOAT", (13, 36), 2, "Float"
    DOUBLE = "DOUBLE", (13, 36), 4, "Double"
    BITSTRING = "BITSTRING", (7, 33), 2, "UInt32"
    TEXT = "TEXT", None, None, "String"
    TIME = "TIME", None, None, "DateTime"

    def __new__(cls, word: str, iec104: tuple[int, int] | None, registers: int | None, opcua: str) -> NumberType:
        member = object.__new__(cls)
        member._value_ = word
        member.iec104, member.registers, member.opcua = iec104, registers, opcua
        return member


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
