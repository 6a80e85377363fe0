"""Information objects of IEC 60870-5-101 and -104: what types there are, their octets, times and qualities."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final

from cosem.errors import DecodeError
from cosem.gateway.value import NumberType, Plain, Quality
from cosem.protocol.values.dates import daylight_saving

_DESCRIPTOR: Final = 0xF1
"""The bits of a quality descriptor QDS."""


def monitored(number_type: NumberType, value: Plain, quality: Quality) -> bytes:
    """Return the octets of a value without address and time: SIQ, SVA, IEEE STD 754, BSI, or BCR.

    A value that is missing or of another kind is INVALID, one that does not fit is clipped and says OVERFLOW.
    """
    return _MONITORED[number_type](value, quality)


def _single_point(value: Plain, quality: Quality) -> bytes:
    known = isinstance(value, (bool, int, float, Decimal))
    return bytes([bool(value) | _described(quality, known) & 0xF0])


def _scaled(value: Plain, quality: Quality) -> bytes:
    number, clipped = _clip(value, -(1 << 15), (1 << 15) - 1)
    return struct.pack("<hB", number or 0, _described(quality, number is not None, clipped))


def _short_float(value: Plain, quality: Quality) -> bytes:
    number = value if isinstance(value, (int, float, Decimal)) and value == value else None  # NaN is not
    shown, against = (0.0, Quality.INVALID) if number is None else NumberType.FLOAT.carried(number)
    return struct.pack("<fB", shown, _described(quality | against, known=True))


def _bits(value: Plain, quality: Quality) -> bytes:
    if isinstance(value, str):
        known = 0 < len(value) <= 32 and not value.strip("01")
        number = int(value, 2) if known else 0
    else:
        known = isinstance(value, int) and 0 <= value < 1 << 32
        number = int(value) if known else 0  # type: ignore[arg-type]
    return struct.pack("<IB", number, _described(quality, known))


def _counter(value: Plain, quality: Quality) -> bytes:
    """A counter reading: its quality has a sequence number and knows neither overflow nor substitution but INVALID."""
    number, clipped = _clip(value, -(1 << 31), (1 << 31) - 1)
    wrong = clipped or number is None or bool(quality & (Quality.INVALID | Quality.NOT_TOPICAL | Quality.OVERFLOW))
    return struct.pack("<iB", number or 0, 0x80 if wrong else 0)


def _clip(value: Plain, low: int, high: int) -> tuple[int | None, bool]:
    if isinstance(value, (bool, int)):
        number = int(value)
    elif isinstance(value, (float, Decimal)) and math.isfinite(value):
        number = round(value)
    else:
        return None, False
    return max(low, min(high, number)), not low <= number <= high


def _described(quality: Quality, known: bool, clipped: bool = False) -> int:
    if not known:
        quality |= Quality.INVALID
    if clipped:
        quality |= Quality.OVERFLOW
    return quality.value & _DESCRIPTOR


_MONITORED: Final[dict[NumberType, Callable[[Plain, Quality], bytes]]] = {
    NumberType.DIGITAL: _single_point,
    NumberType.SIGNED16: _scaled,
    NumberType.UNSIGNED16: _scaled,
    NumberType.SIGNED32: _counter,
    NumberType.UNSIGNED32: _counter,
    NumberType.SIGNED64: _short_float,
    NumberType.UNSIGNED64: _short_float,
    NumberType.FLOAT: _short_float,
    NumberType.DOUBLE: _short_float,
    NumberType.BITSTRING: _bits,
}


def time_tag(time: datetime | None, zone: tzinfo = UTC) -> bytes:
    """Return the seven octets of CP56Time2a in the zone given; those of no time are marked invalid."""
    if time is None:
        return b"\x00\x00\x80\x00\x00\x00\x00"
    local = time.astimezone(zone)
    summer = bool(daylight_saving(local))
    return struct.pack(
        "<HBBBBB",
        local.second * 1000 + local.microsecond // 1000,
        local.minute,
        local.hour | (0x80 if summer else 0),
        local.day | local.isoweekday() << 5,
        local.month,
        local.year % 100,
    )


def time_of(octets: bytes, zone: tzinfo = UTC) -> datetime | None:
    """Return the time of seven octets CP56Time2a, in UTC; None when they say that it is invalid.

    Raises DecodeError for what is no time.
    """
    milliseconds, minute, hour, day, month, year = struct.unpack("<HBBBBB", octets)
    if minute & 0x80:
        return None
    try:
        local = datetime(
            2000 + (year & 0x7F), month & 0x0F, day & 0x1F, hour & 0x1F, minute & 0x3F, tzinfo=zone
        ) + timedelta(milliseconds=milliseconds)
    except ValueError as error:
        raise DecodeError(f"no time: {error}") from None
    if bool(hour & 0x80) is not bool(daylight_saving(local)):  # of an hour that comes twice, the other
        local = local.replace(fold=1 - local.fold)
    return local.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class CommandType:
    """One type of commands: how long its information is, with its qualifier, and what value it has."""

    size: int
    timed: bool
    takes: frozenset[NumberType]
    value: Callable[[bytes], Any]


def _single(octets: bytes) -> bool:
    return bool(octets[0] & 1)


def _double(octets: bytes) -> bool:
    state = octets[0] & 3
    if state not in (1, 2):
        raise DecodeError("a double command is neither on nor off")
    return state == 2


def _finite(octets: bytes) -> float:
    number: float = struct.unpack("<f", octets[:4])[0]
    if not math.isfinite(number):
        raise DecodeError("a set point that is no number")
    return number


_DIGITAL: Final = frozenset({NumberType.DIGITAL})
_INTEGERS: Final = frozenset({NumberType.SIGNED16, NumberType.UNSIGNED16})
_NUMBERS: Final = frozenset(
    {
        *(NumberType.SIGNED32, NumberType.UNSIGNED32, NumberType.SIGNED64, NumberType.UNSIGNED64),
        *(NumberType.FLOAT, NumberType.DOUBLE, *_INTEGERS),
    }
)
_BITS: Final = frozenset({NumberType.BITSTRING})

_PLAIN: Final = {
    45: CommandType(1, False, _DIGITAL, _single),
    46: CommandType(1, False, _DIGITAL, _double),
    49: CommandType(3, False, _INTEGERS, lambda octets: struct.unpack("<h", octets[:2])[0]),
    50: CommandType(5, False, _NUMBERS, _finite),
    51: CommandType(4, False, _BITS, lambda octets: f"{struct.unpack('<I', octets)[0]:032b}"),
}
_TIMED: Final = {45: 58, 46: 59, 49: 62, 50: 63, 51: 64}
"""The types of the same commands with a time tag."""

COMMANDS: Final[dict[int, CommandType]] = {
    **_PLAIN,
    **{_TIMED[number]: CommandType(each.size, True, each.takes, each.value) for number, each in _PLAIN.items()},
}
"""C_SC, C_DC, C_SE_NB, C_SE_NC and C_BO, without and with time tag; the last octet but for C_BO is the qualifier."""

BIT_STRINGS: Final = (51, 64)
"""Commands that have no qualifier, and so nothing to select before they operate."""
