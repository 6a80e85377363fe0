"""A code value group by value group: what each number says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cosem.protocol.model.catalogue.naming import (
    LAST_CHANNEL,
    Entry,
    Scope,
    captured,
    country,
    find_measured,
    find_object,
    kind_of,
    lookup,
    medium_name,
    numbered,
    service_entry,
)
from cosem.protocol.model.catalogue.rules import Medium, media
from cosem.protocol.values.obis import Obis


@dataclass(frozen=True, slots=True)
class Meaning:
    """One value group of a code (A to F), its number, and what it says; empty where it says nothing of its own."""

    group: str
    value: int
    words: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of a code, and what each of its six value groups says."""

    obis: Obis
    entry: Entry
    groups: tuple[Meaning, ...]


_CURRENT: Final = 255
_PLAIN: Final = {"energy": "time integral", "power": "instantaneous or current value"}
_CHANNELS: Final = ((127, Scope.UTILITY), (199, Scope.MANUFACTURER), (255, Scope.RESERVED))
"""Up to which value of group B a channel is of whom, past those of the standard."""


def explain(obis: Obis | str | bytes) -> Explanation:
    """Return a code value group by value group; never fails for any code."""
    code = Obis(obis)
    entry = lookup(code)
    medium = media().get(code.a)
    words = ("", "", "", "") if medium is None else _from_c(medium, code, entry.scope)
    said = (medium_name(code.a), _channel(code.b), *words)
    return Explanation(code, entry, tuple(map(Meaning, "ABCDEF", code.octets, said)))


def _channel(b: int) -> str:
    if b == 0:
        return "no channel"
    if b <= LAST_CHANNEL:
        return f"channel {b}"
    return next(str(scope) for last, scope in _CHANNELS if b <= last)


def _from_c(medium: Medium, code: Obis, scope: Scope) -> tuple[str, str, str, str]:
    """The words of the groups C to F."""
    use = medium.uses.get(code.c, "")
    if scope is Scope.COUNTRY:
        return use, country(code.d) or "reserved", "", ""
    if scope is not Scope.STANDARD:
        return use, "", "", ""
    found = find_object(medium, code)
    if found is not None:
        of = found.periods.get(code.f)
        return use, "", numbered(found.name, code), "" if of is None else _period(of.words, code)
    measured = find_measured(medium, code)
    if measured is not None:
        kind = kind_of(measured.processing)
        row = numbered(measured.row.words, code) or ("total" if code.e == 0 else "")
        own = "{classification}" not in measured.quantity.name
        quantity = measured.quantity.name.replace("{kind}", kind) if own else use
        period = _period(measured.processing.period[code.f].words, code)
        return quantity, measured.processing.naming(measured.quantity, measured.row) or _PLAIN[kind], row, period
    value = captured(medium, code)
    if value is not None:
        quantity, processing, _, period = _from_c(medium, value, scope)
        return use, quantity, processing, period
    abstract = service_entry(code)
    return (use, "", "", "") if abstract is None else (use, *_from_c(media()[0], abstract, scope)[1:])


def _period(words: str, code: Obis) -> str:
    return numbered(words, code) or ("current" if code.f == _CURRENT else "")
