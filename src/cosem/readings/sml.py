"""A bridge to SML, the neighbour that optical heads in Germany meet: octets to readings, through the package pysml.

The package comes with the extra `sml`. It reads the messages; where a telegram begins and ends, and how long it may be,
is found here, so that whatever comes is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias, cast

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.one_way import OneWayReader
from cosem.protocol.iec21.telegram import Value, unit_of
from cosem.protocol.model import catalogue
from cosem.protocol.model.selection import CaptureObject
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.quantity import Quantity
from cosem.protocol.values.units import Unit
from cosem.readings.reading import Reading, Source
from cosem.readings.telegram import Line

LAYER: Final = "SML"


@dataclass(frozen=True, slots=True)
class SmlEntry:
    """One entry of a list: its name as sent, its value with the scaler applied, and its unit, empty for none."""

    name: str
    value: Decimal | str
    unit: str = ""
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class SmlTelegram:
    """One SML file whose checks are right: whose it is, and the entries of its lists."""

    octets: bytes
    server_id: str
    entries: tuple[SmlEntry, ...]
    time: datetime | None = None


SmlEvent: TypeAlias = SmlTelegram | Discarded


@dataclass(frozen=True, slots=True)
class SmlSettings:
    """Limits of one reader. `silence` is how many seconds may pass within a telegram without an octet."""

    telegram_octets: int = 4096
    silence: float | None = 2.0

    def __post_init__(self) -> None:
        if self.telegram_octets < 64:
            raise ConfigurationError(f"telegram_octets: expected at least 64, not {self.telegram_octets}")


class SmlReader(OneWayReader[SmlTelegram]):
    """Finds SML files in the octets of a line; see `cosem.protocol.iec21` for the verbs.

    Raises ConfigurationError without the extra `sml`.
    """

    LAYER = LAYER

    def __init__(self, settings: SmlSettings | None = None) -> None:
        _library()
        self._settings = settings or SmlSettings()
        super().__init__(self._settings.telegram_octets, self._settings.silence)

    def _end(self) -> None:
        self._discard(len(self._buffer), "the telegram stopped before its end")

    def _step(self) -> bool:
        buffer, limit = self._buffer, self._settings.telegram_octets
        if not self._begun:
            start = buffer.find(_START)
            # What might be the front of a beginning stays until it is known.
            kept = next((size for size in range(len(_START) - 1, 0, -1) if buffer.endswith(_START[:size])), 0)
            self._skip(len(buffer) - kept if start < 0 else start)
            self._begun, self._at = start >= 0, len(_START)
            return self._begun
        # Everything between the escapes is filled up to whole groups of four octets.
        while self._at + 2 * _GROUP <= min(len(buffer), limit):
            group = bytes(buffer[self._at : self._at + _GROUP])
            following = bytes(buffer[self._at + _GROUP : self._at + 2 * _GROUP])
            if group != _ESCAPE:
                self._at += _GROUP
            elif following == _ESCAPE:
                self._at += 2 * _GROUP
            elif following[0] == _END:
                self._take(self._at + 2 * _GROUP)
                return True
            elif following == _START[_GROUP:]:
                self._discard(self._at, "another telegram began before the end of this")
                return True
            else:
                self._discard(self._at + 2 * _GROUP, "an escape that means nothing")
                return True
        if len(buffer) >= limit:
            self._discard(limit, f"no end of the telegram within {limit} octets")
            return True
        return False

    def _take(self, size: int) -> None:
        octets = bytes(self._buffer[:size])
        self._drop(size)
        try:
            telegram = decode(octets)
        except DecodeError as error:
            self.counters["telegrams_discarded"] += 1
            self._events.append(Discarded(octets, error))
        else:
            self.counters["telegrams"] += 1
            self._events.append(telegram)


def decode(octets: bytes) -> SmlTelegram:
    """Read one SML file with its escapes. Raises DecodeError, or ConfigurationError without the extra `sml`."""
    library = _library()
    try:
        _check(octets)
        _, messages = library.SmlBase.find_frame(octets)
    except (library.SmlParserError, *_RAISED) as error:
        raise DecodeError(f"the messages cannot be read: {error}", layer=LAYER) from error
    if messages is None:
        raise DecodeError("the check of the telegram is wrong", layer=LAYER)
    bodies = [cast("Mapping[str, Any]", each["messageBody"]) for each in messages]
    lists = [body for body in bodies if isinstance(body, library.SmlGetListResponse)]
    time = next((body[name] for body in bodies for name in _TIMES if isinstance(_of(body, name), datetime)), None)
    server = next((str(body["serverId"]) for body in lists if body.get("serverId")), "")
    return SmlTelegram(octets, server, tuple(_entry(each) for body in lists for each in body["valList"]), time)


def readings(telegram: SmlTelegram, received: datetime, meter: str | None = None) -> list[Reading]:
    """Return the entries as readings; those without an OBIS code are left out (`lines` tells them)."""
    return [reading for line in lines(telegram, received, meter) for reading in line.readings]


def lines(telegram: SmlTelegram, received: datetime, meter: str | None = None) -> list[Line]:
    """Return what every entry says; `received` is the time of what has none, as with most of these meters."""
    return [_line(entry, telegram, received, meter or telegram.server_id or NAMELESS) for entry in telegram.entries]


NAMELESS: Final = "SML"
"""Whose readings those of a telegram without server-id are."""


def _line(entry: SmlEntry, telegram: SmlTelegram, received: datetime, meter: str) -> Line:
    time = entry.time or telegram.time or received
    line = Line(code=entry.name, text=str(entry.value), time=entry.time)
    try:
        obis = Obis(entry.name)
    except ConfigurationError:
        return line
    known = catalogue.lookup(obis)
    line = replace(line, meaning=known.name)
    column = CaptureObject(known.class_id, obis, 2, 0)
    if isinstance(entry.value, Decimal):
        scaled, found = Value(f"{entry.value:f}", entry.unit).scaled, unit_of(entry.unit)
        if scaled is None or found is None:
            return replace(line, fault=f"the unit {entry.unit!r} is not known")
        line = replace(line, quantity=Quantity(entry.value, found.unit, found.symbol))
        return replace(line, readings=(_reading(meter, column, time, *scaled),))
    return replace(line, readings=(_reading(meter, column, time, entry.value, 0, Unit.NO_UNIT),))


def _reading(meter: str, column: CaptureObject, time: datetime, raw: int | str, scaler: int, unit: Unit) -> Reading:
    return Reading(meter=meter, column=column, time=time, raw=raw, scaler=scaler, unit=unit, source=Source.PUSHED)


def _check(octets: bytes) -> None:
    """Refuse what would take the package without bound: numbers without end, scalers over an octet, deep lists.

    Raises DecodeError, or IndexError where an element stops before its end.
    """
    body = octets[len(_START) : -len(_START)].replace(_ESCAPE + _ESCAPE, _ESCAPE)
    lists: list[tuple[int, int]] = []  # of each list how many elements it has, and how many of them were seen
    at = 0
    while at < len(body):
        kind, length, size = body[at] >> 4 & 7, body[at] & 0x0F, 1
        while body[at + size - 1] & 0x80:
            length = length << 4 | body[at + size] & 0x0F
            size += 1
        count, seen = lists[-1] if lists else (0, 0)
        if lists:
            lists[-1] = (count, seen + 1)
        if kind == _LIST:
            lists.append((length, 0))
            if len(lists) > _DEEPEST:
                raise DecodeError("lists within lists without end", at, layer=LAYER)
        elif kind in _NUMBERS:
            longest = 1 if (count, seen) == _SCALER else _LONGEST
            if length - size > longest:
                raise DecodeError(f"a number of {length - size} octets, where {longest} are most", at, layer=LAYER)
        at += size if kind == _LIST else max(length, size)
        while lists and lists[-1][0] <= lists[-1][1]:
            lists.pop()


def _entry(entry: Mapping[str, Any]) -> SmlEntry:
    name, value, time = entry.get("objName"), entry.get("value"), entry.get("valTime")
    return SmlEntry(
        name.hex().upper() if isinstance(name, bytes) else str(name),
        _value(value),
        entry.get("unit") or "",
        time if isinstance(time, datetime) else None,
    )


def _value(value: object) -> Decimal | str:
    """The package divides by powers of ten in floats: the shortest decimal of one is what the meter sent."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value.hex().upper() if isinstance(value, bytes) else "" if value is None else str(value)
    return Decimal(str(value))


def _of(body: object, name: str) -> object:
    return cast("Mapping[str, object]", body).get(name) if isinstance(body, Mapping) else None


def _library() -> Any:
    try:
        import sml  # type: ignore[import-untyped]  # pyright: ignore
    except ImportError as error:
        raise ConfigurationError("SML is read with the extra `sml`: pip install 'cosem[sml]'") from error
    return cast("Any", sml)


_ESCAPE: Final = b"\x1b\x1b\x1b\x1b"
_START: Final = _ESCAPE + b"\x01\x01\x01\x01"
_END: Final = 0x1A
_GROUP: Final = 4
_LIST: Final = 7
_NUMBERS: Final = (5, 6)
_SCALER: Final = (7, 4)
"""A list of 7 elements is an entry, whose fifth is its scaler."""
_LONGEST: Final = 8
_DEEPEST: Final = 16
_TIMES: Final = ("actSensorTime", "refTime")
_RAISED: Final = (ValueError, TypeError, IndexError, KeyError, AttributeError, ArithmeticError, AssertionError)
"""What the package raises for octets that are no message, besides its own error."""
