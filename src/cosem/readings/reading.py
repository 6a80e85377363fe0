"""A reading: what one meter said about one thing at one time, exactly as it said it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, IntFlag

from cosem.errors import LocalProtocolError
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit


class Quality(IntFlag):
    """What is known against a reading; the low octet is the clock status that the meter sent with its time."""

    GOOD = 0
    CLOCK_INVALID = 0x01
    CLOCK_DOUBTFUL = 0x02
    CLOCK_DIFFERENT_BASE = 0x04
    CLOCK_STATUS_INVALID = 0x08
    DAYLIGHT_SAVING = 0x80
    """No blemish: the local time was daylight saving time."""
    TIME_COMPUTED = 0x100
    """The meter left the time out, and it was counted on by the capture period."""
    ZONE_ASSUMED = 0x200
    """The meter gave local time only, and the offset comes from the zone that was configured."""
    SCALER_UNKNOWN = 0x400
    """The meter has no scaler and unit for this number, or they were not read."""
    VALUE_REPEATED = 0x800
    """The meter sent null-data, which repeats the value of the row before."""


class Source(IntEnum):
    """How a reading came to us."""

    READ = 1
    PUSHED = 2
    IMPORTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What `meter` said of the attribute `column` (or one element of it) at `time`.

    A number is kept as the integer `raw` and the exponent `scaler`, so that nothing is ever rounded; anything else is
    a text in `raw`. `profile` is the load profile that captured it, at `time`; None for a spot reading, which was read
    at `time`. `time` knows its offset from UTC. Two readings with the same `key` are the same reading, had twice.
    """

    meter: str
    column: CaptureObject
    time: datetime
    raw: int | str
    scaler: int = 0
    unit: Unit = Unit.NO_UNIT
    profile: Obis | None = None
    quality: Quality = Quality.GOOD
    source: Source = Source.READ

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise LocalProtocolError(f"the time of a reading needs its offset from UTC, as {self.time} has not")

    @property
    def obis(self) -> Obis:
        return self.column.logical_name

    @property
    def reference(self) -> str:
        """Class, OBIS and attribute, as in `3/1.0.1.8.0.255/2`, with the number of an element behind in brackets."""
        return str(self.column)

    @property
    def key(self) -> tuple[str, Obis | None, CaptureObject, datetime]:
        return (self.meter, self.profile, self.column, self.time)

    @property
    def value(self) -> Decimal | str:
        """The number with its scaler applied, exactly, or the text."""
        if isinstance(self.raw, str):
            return self.raw
        return Decimal(self.raw) if self.scaler == 0 else _scaled(self.raw, self.scaler)

    @property
    def quantity(self) -> Quantity | None:
        """The value with its unit; None for a text."""
        value = self.value
        return None if isinstance(value, str) else Quantity(value, self.unit)

    @property
    def text(self) -> str:
        """The value as a person writes it, without the unit and without an exponent."""
        value = self.value
        return value if isinstance(value, str) else f"{value:f}"


def _scaled(raw: int, scaler: int) -> Decimal:
    """Return raw · 10^scaler by placing the point: Decimal's own operations round to the context."""
    return Decimal((int(raw < 0), tuple(map(int, str(abs(raw)))), scaler))
