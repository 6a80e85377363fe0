"""What the tables of EPQS and EPQM/LZQM are asked by, and what their octets say as far as it is known (EXPERIMENTAL).

A request is the octets behind ENQ, a record what stands behind DAT. What is not known exactly stays octets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from cosem.errors import ConfigurationError, DecodeError

LAYER: Final = "Elgama record"

EPQS_MODEL: Final = bytes.fromhex("800A00")
EPQS_CLOCK: Final = bytes.fromhex("100000")
EPQM_CLOCK: Final = bytes.fromhex("0000")
EPQM_POWER_FAILS: Final = bytes.fromhex("0A00")
EPQM_PHASE_FAILS: Final = bytes.fromhex("0B00")

FIRST_CHANNEL: Final = 0x18
CHANNELS: Final = 8
"""Channels have the numbers from `FIRST_CHANNEL` on."""

MONTHLY: Final = 0x21
DAILY: Final = 0x31
_EVENTS: Final = 0x50
_EPQM_DAILY: Final = 0x06
_EPQM_MONTHLY: Final = 0x07

EVENT_OCTETS: Final = 8
EPQM_DAILY_OCTETS: Final = 49
EPQM_MONTHLY_OCTETS: Final = 65
RECORDS: Final = 6
"""Registers of periods that one frame holds."""

# --- requests -------------------------------------------------------------------------------------------------------


def epqs_profile(channel: int, index: int) -> bytes:
    """Ask an EPQS for part `index` of the load profile of a channel, counted from 0."""
    return bytes((FIRST_CHANNEL + _within("channel", channel, CHANNELS - 1),)) + _two("index", index)


def epqs_registers(table: int, period: int, channel: int) -> bytes:
    """Ask an EPQS for the registers of a channel at the end of a period; `table` is MONTHLY or DAILY."""
    if table not in (MONTHLY, DAILY):
        raise ConfigurationError(f"table {table:#04x}: registers are in {MONTHLY:#04x} and {DAILY:#04x}")
    index = _within("period", period, 0x1FFF) * CHANNELS + _within("channel", channel, CHANNELS - 1)
    return bytes((table,)) + index.to_bytes(2, "big")


def epqs_events(index: int) -> bytes:
    """Ask an EPQS for its events from number `index` on."""
    return bytes((_EVENTS,)) + _two("index", index)


def epqm_profile(channel: int, day: int, *, second_half: bool = False) -> bytes:
    """Ask an EPQM for half a day of the load profile of a channel, of which day, in two octets."""
    return bytes((_within("channel", channel, 0xFF), _within("day", day, 0x7F) | (0x80 if second_half else 0)))


def epqm_daily(number: int) -> bytes:
    """Ask an EPQM for a record of daily registers."""
    return bytes((_EPQM_DAILY, _within("number", number, 0xFF)))


def epqm_monthly(number: int) -> bytes:
    """Ask an EPQM for a record of monthly registers."""
    return bytes((_EPQM_MONTHLY, _within("number", number, 0xFF)))


def _within(name: str, number: int, greatest: int) -> int:
    if not 0 <= number <= greatest:
        raise ConfigurationError(f"{name} {number}: expected 0 to {greatest}")
    return number


def _two(name: str, number: int) -> bytes:
    return _within(name, number, 0xFFFF).to_bytes(2, "big")


# --- records --------------------------------------------------------------------------------------------------------

_TIME_OCTETS: Final = 4


def packed_time(octets: bytes) -> datetime:
    """Return the local time in four octets, low octet first.

    From the highest bit on: 7 bits year, 4 month, 5 day, 5 hour, 6 minute, 5 half of the seconds.

    Raises DecodeError for other lengths and for what is no time.
    """
    if len(octets) != _TIME_OCTETS:
        raise DecodeError(f"expected {_TIME_OCTETS} octets of time, there are {len(octets)}", layer=LAYER)
    word = int.from_bytes(octets, "little")
    year, month, day = word >> 25, word >> 21 & 0xF, word >> 16 & 0x1F
    try:
        return datetime(2000 + year, month, day, word >> 11 & 0x1F, word >> 5 & 0x3F, 2 * (word & 0x1F))
    except ValueError:
        raise DecodeError(f"{octets.hex().upper()} is no time", layer=LAYER) from None


def pack_time(time: datetime) -> bytes:
    """Return the four octets of a local time from 2000 to 2127. Raises ConfigurationError for other years."""
    date = _within("year", time.year - 2000, 0x7F) << 9 | time.month << 5 | time.day
    word = date << 16 | time.hour << 11 | time.minute << 5 | time.second // 2
    return word.to_bytes(_TIME_OCTETS, "little")


@dataclass(frozen=True, slots=True)
class ClockRecord:
    """Clock and configuration: local `time`, seconds of the capture `interval`, and the `rest`, which is not known."""

    time: datetime
    interval: int
    rest: bytes


def epqs_clock(octets: bytes) -> ClockRecord:
    """Read clock and configuration of an EPQS. Raises DecodeError."""
    if len(octets) < _TIME_OCTETS + 2:
        raise DecodeError(f"expected time and interval, there are {len(octets)} octets", layer=LAYER)
    return ClockRecord(packed_time(octets[:4]), int.from_bytes(octets[4:6], "little"), bytes(octets[6:]))


_HOUR: Final = 3600
_EPQM_INTERVAL_AT: Final = 6


def epqm_clock(octets: bytes) -> ClockRecord:
    """Read clock and configuration of an EPQM; transformer ratios stay in `rest`. Raises DecodeError."""
    if len(octets) <= _EPQM_INTERVAL_AT:
        raise DecodeError(f"expected time and interval, there are {len(octets)} octets", layer=LAYER)
    parts = octets[_EPQM_INTERVAL_AT]
    if not parts or _HOUR % parts:
        raise DecodeError(f"{parts} intervals are no hour", _EPQM_INTERVAL_AT, layer=LAYER)
    return ClockRecord(packed_time(octets[:4]), _HOUR // parts, bytes(octets[4:]))


_PREFIXES: Final[Mapping[int, int]] = MappingProxyType({0x00: 0, 0x6B: 3, 0x6D: 6})
"""Powers of ten by the octet before the values: nothing, k, M."""

_FRACTION_BITS: Final = 32
_SCALE_OCTETS: Final = 8


@dataclass(frozen=True, slots=True)
class Scale:
    """What a stored number is multiplied by: `multiplier` / 2^32 / 10^`exponent` · 10^`prefix`."""

    multiplier: int
    exponent: int
    prefix: int

    @classmethod
    def decode(cls, octets: bytes) -> Scale:
        """Read eight octets: multiplier of six, low first, exponent, prefix. Raises DecodeError."""
        if len(octets) != _SCALE_OCTETS:
            raise DecodeError(f"expected {_SCALE_OCTETS} octets of scale, there are {len(octets)}", layer=LAYER)
        if octets[7] not in _PREFIXES:
            raise DecodeError(f"prefix {octets[7]:#04x} of the unit is not known", 7, layer=LAYER)
        return cls(int.from_bytes(octets[:6], "little"), octets[6], _PREFIXES[octets[7]])

    def apply(self, number: int) -> tuple[int, int]:
        """Return the value as an integer and a power of ten, exactly: a fraction of 2^32 ends after 32 decimals."""
        raw = number * self.multiplier * 5**_FRACTION_BITS
        scaler = self.prefix - self.exponent - _FRACTION_BITS
        if not raw:
            return 0, 0
        while scaler < 0 and raw % 10 == 0:
            raw //= 10
            scaler += 1
        return raw, scaler

    def value(self, number: int) -> Decimal:
        """Return the value of a stored number, exactly."""
        raw, scaler = self.apply(number)
        return Decimal((0, tuple(map(int, str(raw))), scaler))


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """A part of a load profile of EPQS: stored numbers of one channel, one for each interval, oldest first."""

    scale: Scale
    numbers: tuple[int, ...]


def epqs_profile_record(octets: bytes) -> ProfileRecord:
    """Read a part of the load profile of an EPQS. Raises DecodeError."""
    scale, body = Scale.decode(octets[:_SCALE_OCTETS]), octets[_SCALE_OCTETS:]
    return ProfileRecord(scale, _numbers(body, 2))


@dataclass(frozen=True, slots=True)
class RegisterRecord:
    """Registers of a channel at the ends of up to six periods: for each its tariffs, None for one that is absent."""

    scale: Scale
    tariffs: int
    periods: tuple[tuple[int | None, ...], ...]


_ABSENT: Final = 0xFFFF_FFFF
_REGISTERS_AT: Final = 3
_MOST_TARIFFS: Final = 8


def epqs_register_record(octets: bytes) -> RegisterRecord:
    """Read monthly or daily registers of an EPQS: number of tariffs, two octets, scale, numbers. Raises DecodeError."""
    if not octets or not 0 < octets[0] <= _MOST_TARIFFS:
        raise DecodeError(f"expected registers of 1 to {_MOST_TARIFFS} tariffs", 0, layer=LAYER)
    tariffs = octets[0]
    behind = _REGISTERS_AT + _SCALE_OCTETS
    scale = Scale.decode(octets[_REGISTERS_AT:behind])
    numbers = [None if each == _ABSENT else each for each in _numbers(octets[behind:], 4)]
    if len(numbers) % tariffs or len(numbers) > RECORDS * tariffs:
        raise DecodeError(f"{len(numbers)} numbers are not {tariffs} tariffs of up to {RECORDS} periods", layer=LAYER)
    rows = (tuple(numbers[at : at + tariffs]) for at in range(0, len(numbers), tariffs))
    return RegisterRecord(scale, tariffs, tuple(rows))


def events(octets: bytes) -> tuple[bytes, ...]:
    """Return the records of events of an EPQS, eight octets each; what they say is not known. Raises DecodeError."""
    return _records(octets, EVENT_OCTETS)


def epqm_records(octets: bytes, size: int) -> tuple[bytes, ...]:
    """Return records of registers of an EPQM, `EPQM_DAILY_OCTETS` or `EPQM_MONTHLY_OCTETS` each. Raises DecodeError."""
    return _records(octets, size)


def _records(octets: bytes, size: int) -> tuple[bytes, ...]:
    if len(octets) % size:
        raise DecodeError(f"{len(octets)} octets are no records of {size}", layer=LAYER)
    return tuple(bytes(octets[at : at + size]) for at in range(0, len(octets), size))


def _numbers(octets: bytes, size: int) -> tuple[int, ...]:
    if len(octets) % size:
        raise DecodeError(f"{len(octets)} octets are no numbers of {size}", layer=LAYER)
    return tuple(int.from_bytes(octets[at : at + size], "little") for at in range(0, len(octets), size))
