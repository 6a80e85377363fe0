"""Points as registers and coils: where each one is, and what octets its values are.

Numbers and bit-strings take registers, digital points coils; input and holding registers are the same, and so are coils
and discrete inputs. A point without a place of its own gets the first one that is free, in the order of the table. One
more register for each point has its quality, in the bits of IEC 60870-5-101: 0x01 overflow, 0x20 substituted, 0x40 not
topical, 0x80 invalid; 0 is good.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar

from cosem.errors import ConfigurationError
from cosem.gateway.northbound import Point
from cosem.gateway.value import NumberType, Plain, Quality, Sample, number_of

T = TypeVar("T", int, bool)
ADDRESSES: Final = 65536
"""Registers, and coils, that can be addressed."""

ORDERS: Final = ("big", "little")


class Refused(Exception):
    """What was asked for cannot be read or written there."""


@dataclass(frozen=True, slots=True)
class ModbusSettings:
    """How points are shown.

    Attributes:
        word_order: `big` has the more significant register first, `little` last; octets in a register are always
            big-endian.
        quality_offset: the register of the quality of the first point; those of the others follow.
        gaps: whether what is between points reads as 0 instead of being refused.
        unit: the unit identifier that is answered; 0 for all.
        connections: how many there may be at once. idle: seconds without a request after which one is ended.
    """

    word_order: str = "big"
    quality_offset: int = 30000
    gaps: bool = False
    unit: int = 0
    connections: int = 16
    idle: float = 300.0

    def __post_init__(self) -> None:
        if self.word_order not in ORDERS:
            raise ConfigurationError(f"Modbus: word_order {self.word_order!r} is neither big nor little")
        for name, most in (("quality_offset", ADDRESSES - 1), ("unit", 255)):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigurationError(f"Modbus: {name} {getattr(self, name)} is not within 0 to {most}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point is; `count` 0 means a coil. `quality` is the register of its quality."""

    point: Point
    address: int
    count: int
    quality: int


class Registers:
    """The last value of every point, as registers and coils. Raises ConfigurationError for points that collide."""

    def __init__(self, points: Iterable[Point], settings: ModbusSettings) -> None:
        self._settings = settings
        self.places: Mapping[str, Place] = MappingProxyType(_places(points, settings))
        placed = self.places.values()
        self._registers: dict[int, int] = {}
        self._coils: dict[int, bool] = {}
        self._owners = (
            {at: each for each in placed if each.count for at in range(each.address, each.address + each.count)},
            {each.address: each for each in placed if not each.count},
        )
        for each in placed:
            self._put(each, None, Quality.INVALID)

    def publish(self, samples: Iterable[Sample]) -> None:
        """Take new values; what is backfilled is older than what is here."""
        for each in samples:
            place = self.places.get(each.signal)
            if place is not None and not each.backfilled:
                self._put(place, each.value, each.quality)

    def registers(self, address: int, count: int) -> list[int]:
        """Return registers. Raises Refused where there are none."""
        return self._read(self._registers, address, count)

    def coils(self, address: int, count: int) -> list[bool]:
        """Return coils. Raises Refused where there are none."""
        return self._read(self._coils, address, count)

    def wanted(self, address: int, values: Sequence[int], *, coils: bool) -> list[tuple[Point, Plain]]:
        """Return what registers or coils that are written command, point by point.

        Raises Refused for points that are not write-enabled, or only written in part.
        """
        found: list[tuple[Point, Plain]] = []
        at, end = address, address + len(values)
        while at < end:
            place = self._owners[coils].get(at)
            if place is None or place.address != at or not place.point.writable or at + (place.count or 1) > end:
                raise Refused
            words = values[at - address : at - address + (place.count or 1)]
            found.append((place.point, bool(words[0]) if coils else self._decoded(place.point, words)))
            at += place.count or 1
        return found

    def _put(self, place: Place, value: Plain, quality: Quality) -> None:
        if place.count == 0:
            number = number_of(value)
            against = Quality.INVALID if number is None else Quality.GOOD
            self._coils[place.address] = bool(number)
        else:
            words, against = _words(place.point.number_type, value)
            for index, word in enumerate(self._ordered(words)):
                self._registers[place.address + index] = word
        self._registers[place.quality] = (quality | against).value

    def _decoded(self, point: Point, words: Sequence[int]) -> Plain:
        octets = b"".join(word.to_bytes(2, "big") for word in self._ordered(words))
        (value,) = struct.unpack(_FORMATS[point.number_type], octets)
        if isinstance(value, float) and not math.isfinite(value):
            raise Refused
        return f"{value:032b}" if point.number_type is NumberType.BITSTRING else value

    def _ordered(self, words: Sequence[int]) -> Sequence[int]:
        return words if self._settings.word_order == "big" else words[::-1]

    def _read(self, known: Mapping[int, T], address: int, count: int) -> list[T]:
        found = [known.get(each) for each in range(address, address + count)]
        whole = [each for each in found if each is not None]
        if len(whole) < count:
            if not whole or not self._settings.gaps:
                raise Refused
            return [each if each is not None else type(whole[0])(0) for each in found]
        return whole


def _places(points: Iterable[Point], settings: ModbusSettings) -> dict[str, Place]:
    """Return where each point is: first those with a place of their own, then the others where there is room."""
    shown = [each for each in points if each.number_type.registers is not None]
    qualities = {each.signal: settings.quality_offset + index for index, each in enumerate(shown)}
    if shown and settings.quality_offset + len(shown) > ADDRESSES:
        raise ConfigurationError(
            f"Modbus: quality_offset {settings.quality_offset} leaves no room for {len(shown)} points"
        )
    taken: tuple[dict[int, str], dict[int, str]] = dict.fromkeys(qualities.values(), "a quality"), {}
    addresses: dict[str, int] = {}
    first = [0, 0]
    for point in sorted(shown, key=lambda each: each.register is None):
        count = point.number_type.registers or 0
        ours, size = taken[count == 0], count or 1
        address = point.register
        if address is None:
            address = first[count == 0]
            while clash := [each for each in range(address, address + size) if each in ours]:
                address = clash[-1] + 1
            first[count == 0] = address + size
        for each in range(address, address + size):
            if each in ours or each >= ADDRESSES:
                reason = f"is that of {ours[each]}" if each in ours else "is too high"
                raise ConfigurationError(f"Modbus: {point.signal}: {'register' if count else 'coil'} {each} {reason}")
            ours[each] = point.signal
        addresses[point.signal] = address
    return {
        each.signal: Place(each, addresses[each.signal], each.number_type.registers or 0, qualities[each.signal])
        for each in shown
    }


def _words(kind: NumberType, value: Plain) -> tuple[list[int], Quality]:
    """Return a value as registers, the more significant first, and what is against it then."""
    form = _FORMATS[kind]
    number = _bits(value) if kind is NumberType.BITSTRING else number_of(value)
    against = Quality.INVALID
    if number is None:
        octets = struct.pack(form, math.nan if form in (">f", ">d") else 0)
    else:
        known, against = kind.carried(number)
        octets = struct.pack(form, known)
    return [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)], against


def _bits(value: Plain) -> int | None:
    return int(value, 2) if isinstance(value, str) and value and not value.strip("01") else None


_FORMATS: Final[Mapping[NumberType, str]] = MappingProxyType(
    {
        NumberType.SIGNED16: ">h",
        NumberType.UNSIGNED16: ">H",
        NumberType.SIGNED32: ">i",
        NumberType.UNSIGNED32: ">I",
        NumberType.SIGNED64: ">q",
        NumberType.UNSIGNED64: ">Q",
        NumberType.FLOAT: ">f",
        NumberType.DOUBLE: ">d",
        NumberType.BITSTRING: ">I",
    }
)
"""How each type is laid out."""
