"""From what a device said to what goes out: plain values, scale and offset, types with their bounds, changes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from enum import IntEnum, IntFlag
from types import MappingProxyType
from typing import Any, Final, cast

from cosem.errors import CosemError
from cosem.gateway.config import Signal
from cosem.gateway.northbound import Point
from cosem.gateway.value import NumberType, Plain, Quality, Sample
from cosem.protocol.values.data import BitString, DontCare
from cosem.protocol.values.dates import Date, DateTime, Time

LONGEST_TEXT: Final = 4096
"""Characters of a text; what is longer is cut off and marked."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a device said of one signal.

    Attributes:
        value: as the protocol has it; an error where there is none.
        unit: of the device, "" for none. time: when it was measured, by the device, aware; None where it does not say.
        quality: what the device itself has against it.
        backfilled: it comes from a profile or log, and is older than what was sent before.
    """

    value: Any
    unit: str = ""
    time: datetime | None = None
    quality: Quality = Quality.GOOD
    backfilled: bool = False


def sample(signal: Signal, measured: Measured, now: datetime, zone: tzinfo | None = None) -> Sample:
    """Return what goes out for a signal: multiplied and offset, in its type, with all that is known against it."""
    value, quality = plain(measured.value, zone), measured.quality
    if _is_number(value):
        value = _scaled(value, signal)
    if signal.number_type is not None:
        value, against = _FITS[signal.number_type](value)
        quality |= against
    if value is None:
        quality |= Quality.INVALID
    return Sample(
        *(signal.alias, value, quality, measured.time, now, signal.units or measured.unit),
        backfilled=measured.backfilled,
    )


def plain(value: Any, zone: tzinfo | None = None) -> Plain:
    """Return any value of a device as outputs know it: octets as text where they are, else in hexadecimal."""
    if isinstance(value, (CosemError, DontCare)) or value is None:
        return None
    for kinds, convert in _PLAIN:
        if isinstance(value, kinds):
            return convert(value, zone)
    return _text(value, zone)


def point_of(signal: Signal) -> Point:
    """Return a signal as outputs know it."""
    return Point(
        *(signal.alias, signal.device, signal.name, signal.number_type or NumberType.DOUBLE, signal.units),
        writable=signal.writing is not None,
        topic=signal.topic,
        register=signal.register,
        ioa=signal.ioa,
        node=signal.node,
        select=0 if signal.writing is None else signal.writing.select,
    )


class Changes:
    """Keeps back what did not change by more than its deadband, for the signals that want it so."""

    def __init__(self, signals: Iterable[Signal]) -> None:
        self._deadbands = {each.alias: each.deadband for each in signals if each.on_change or each.deadband}
        self._last: dict[str, Sample] = {}

    def of(self, samples: Iterable[Sample]) -> list[Sample]:
        """Return the samples that say something new; what is backfilled always does."""
        new: list[Sample] = []
        for each in samples:
            deadband = self._deadbands.get(each.signal)
            if deadband is None or each.backfilled:
                new.append(each)
            elif self._changed(each, deadband):
                self._last[each.signal] = each
                new.append(each)
        return new

    def _changed(self, now: Sample, deadband: Decimal) -> bool:
        before = self._last.get(now.signal)
        if before is None or before.quality != now.quality:
            return True
        if deadband and _is_number(before.value) and _is_number(now.value):
            return abs(_decimal(now.value) - _decimal(before.value)) > deadband
        return before.value != now.value


def not_topical(samples: Iterable[Sample], now: datetime) -> list[Sample]:
    """Return the last samples of a device that is not reached any more."""
    return [replace(each, quality=each.quality | Quality.NOT_TOPICAL, gateway_time=now) for each in samples]


# -- values -----------------------------------------------------------------------------------------------------------


def _moment(value: DateTime, zone: tzinfo | None) -> Plain:
    try:
        return value.to_datetime(zone)
    except CosemError:
        return str(value)


def _octets(value: bytes, _: tzinfo | None) -> Plain:
    octets = bytes(value)
    text = octets.decode("latin-1")
    return _cut(text if octets.isascii() and text.isprintable() else octets.hex())


def _text(value: Any, zone: tzinfo | None) -> str:
    """Return what has several parts as a person reads it."""
    if is_dataclass(value) and not isinstance(value, type):
        inside = ", ".join(f"{each.name}: {plain(getattr(value, each.name), zone)!s}" for each in fields(value))
        return _cut(f"{{{inside}}}")
    if isinstance(value, (tuple, list)):
        return _cut(f"[{', '.join(str(plain(each, zone)) for each in cast('Sequence[Any]', value))}]")
    return _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


_PLAIN: Final[tuple[tuple[Any, Callable[[Any, tzinfo | None], Plain]], ...]] = (
    (bool, lambda value, _: bool(value)),
    (BitString, lambda value, _: str(value)),
    ((IntEnum, IntFlag), lambda value, _: int(value)),
    (int, lambda value, _: int(value)),
    (Decimal, lambda value, _: value),
    (float, lambda value, _: float(value)),
    (DateTime, _moment),
    ((Date, Time), lambda value, _: str(value)),
    (datetime, lambda value, zone: value if value.tzinfo else value.replace(tzinfo=zone) if zone else str(value)),
    ((bytes, bytearray), _octets),
    (str, lambda value, _: _cut(str(value))),
)
"""The first line that fits counts."""


# -- numbers and types ------------------------------------------------------------------------------------------------


def _is_number(value: Plain) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _scaled(value: Any, signal: Signal) -> Plain:
    if signal.multiply == 1 and not signal.offset:
        return cast("Plain", value)
    if isinstance(value, float) and not math.isfinite(value):
        return value
    found = _decimal(value) * signal.multiply + signal.offset
    whole = isinstance(value, int) and found == found.to_integral_value()
    return float(found) if isinstance(value, float) else int(found) if whole else found


def _number(value: Plain) -> Decimal | float | int | None:
    """Return the number that a value is; a text that is one counts, as in the readouts of IEC 62056-21."""
    if isinstance(value, (bool, int, float, Decimal)):
        return value
    if isinstance(value, str):
        try:
            number = Decimal(value.strip())
        except ArithmeticError:
            return None
        return number if number.is_finite() else None
    return None


def _digital(value: Plain) -> tuple[Plain, Quality]:
    number = _number(value)
    return (None, Quality.INVALID) if number is None else (bool(number), Quality.GOOD)


def _numeric(kind: NumberType) -> Callable[[Plain], tuple[Plain, Quality]]:
    def fit(value: Plain) -> tuple[Plain, Quality]:
        number = _number(value)
        if number is None or number != number:  # NaN
            return None, Quality.INVALID
        known, against = kind.carried(number)
        return known if kind.whole or isinstance(known, Decimal) else float(known), against

    return fit


def _bits(value: Plain) -> tuple[Plain, Quality]:
    if isinstance(value, str) and value and not value.strip("01"):
        return value, Quality.GOOD
    number = _number(value)
    if isinstance(number, (int, Decimal)) and number == int(number) and number >= 0:
        return f"{int(number):b}", Quality.GOOD
    return None, Quality.INVALID


def _as_text(value: Plain) -> tuple[Plain, Quality]:
    if isinstance(value, datetime):
        return value.isoformat(), Quality.GOOD
    return (None, Quality.INVALID) if value is None or isinstance(value, bytes) else (f"{value}", Quality.GOOD)


def _as_time(value: Plain) -> tuple[Plain, Quality]:
    return (value, Quality.GOOD) if isinstance(value, datetime) else (None, Quality.INVALID)


_FITS: Final = MappingProxyType(
    {
        NumberType.DIGITAL: _digital,
        **{kind: _numeric(kind) for kind in NumberType if kind.bounds is not None},
        NumberType.BITSTRING: _bits,
        NumberType.TEXT: _as_text,
        NumberType.TIME: _as_time,
    }
)
"""What a value is in each type: clipped where it does not fit, none where it is of another kind."""
