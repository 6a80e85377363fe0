"""What a code is called, which class it has as a rule and its usual unit, by the rules of its medium."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cosem.protocol.model.catalogue.rules import Family, Medium, Named, Processing, Quantity, Row, fill, media, shared
from cosem.protocol.values.obis import Obis
from cosem.protocol.values.units import Unit

CONSORTIA: Final = 93
COUNTRIES: Final = 94
SERVICE_ENTRIES: Final = 96
ERRORS: Final = 97
LISTS: Final = 98
PROFILES: Final = 99
INACTIVE: Final = 127
LAST_CHANNEL: Final = 64

_DATA: Final = 1
_REGISTER: Final = 3
_PROFILE_GENERIC: Final = 7
_UTILITIES: Final = range(65, 128)
_MANUFACTURERS: Final = range(128, 200)
_OF_A_MANUFACTURER: Final = range(128, 255)
_MANUFACTURER_QUANTITY: Final = 240
_MANUFACTURER_ENTRIES: Final = range(50, 100)
_NO_ROW: Final = Row("", "")


class Scope(StrEnum):
    """Who gives a code its meaning (IEC 62056-6-1); a code that nobody has given one is reserved."""

    STANDARD = "standard"
    MANUFACTURER = "manufacturer-specific"
    UTILITY = "utility-specific"
    COUNTRY = "country-specific"
    CONSORTIUM = "consortia-specific"
    RESERVED = "reserved"


_SCOPES: Final = {CONSORTIA: Scope.CONSORTIUM, COUNTRIES: Scope.COUNTRY}


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a code: name, the class it has as a rule, usual unit, and who gives it its meaning."""

    name: str
    class_id: int
    unit: Unit | None = None
    scope: Scope = Scope.STANDARD

    @property
    def known(self) -> bool:
        """False for a generic name."""
        return self.scope is Scope.STANDARD


@dataclass(frozen=True, slots=True)
class Measured:
    """The rules that make the name of a measured value."""

    quantity: Quantity
    processing: Processing
    row: Row


@lru_cache(maxsize=4096)
def lookup(obis: Obis | str | bytes) -> Entry:
    """Return what is known of a code; never fails for any code."""
    code = Obis(obis)
    scope = _scope(code)
    medium = media().get(code.a)
    named = None if medium is None or scope is not Scope.STANDARD else _named(medium, code)
    return _generic(code, scope) if named is None else named


def find_object(medium: Medium, code: Obis) -> Named | None:
    """Return the object with a name of its own that a code stands for, None when there is none."""
    for named in medium.objects.get(code.c, ()):
        if named.pattern.matches(code):
            return named
    return None


def find_measured(medium: Medium, code: Obis) -> Measured | None:
    """Return the rules that make the name of a measured value, None when there are none."""
    for family in medium.families:
        found = _measured(family, code)
        if found is not None:
            return found
    return None


def measured_name(measured: Measured, code: Obis) -> str:
    """Return the name of a measured value without its channel and billing period."""
    kind = kind_of(measured.processing)
    classification = numbered(measured.row.words, code)
    name = fill(measured.quantity.name, _no_number, kind=kind, classification=classification)
    own = "{classification}" not in measured.quantity.name
    processing = measured.processing.naming(measured.quantity, measured.row)
    return ", ".join(part for part in (name, processing, classification if own else "") if part)


def kind_of(processing: Processing) -> str:
    """Return what a power is called when it is processed so: an integral over time is an energy."""
    return "energy" if processing.measure == "integral" else "power"


def numbered(template: str, code: Obis) -> str:
    """Return words with the numbers of a code in their slots."""
    return fill(template, lambda group, shift: str(code.octets["abcdef".index(group)] + shift))


def medium_name(a: int) -> str:
    """Return the name of a value of group A."""
    name: str = shared()["media"].get(str(a), f"Medium {a}")
    return name


def country(d: int) -> str | None:
    """Return the country of a value of group D where C is 94; None when it is reserved."""
    found: str | None = shared()["countries"].get(str(d))
    return found


def service_entry(code: Obis) -> Obis | None:
    """Return the abstract code that a service or error entry of a medium is numbered as; None for any other."""
    return Obis.of(0, *code.octets[1:]) if code.a != 0 and SERVICE_ENTRIES <= code.c <= ERRORS else None


def captured(medium: Medium, code: Obis) -> Obis | None:
    """Return the value of which a profile is named that captures one value alone; None when it is not named so."""
    if medium.profiles is None or code.c != PROFILES:
        return None
    value = Obis.of(code.a, code.b, code.d, code.e, 0)
    return None if find_measured(medium, value) is None else value


def _named(medium: Medium, code: Obis) -> Entry | None:
    found = find_object(medium, code)
    if found is not None:
        period = found.periods.get(code.f, _NO_ROW)
        return Entry(_decorated(numbered(found.name, code), code, period), found.class_id, found.unit)
    measured = find_measured(medium, code)
    if measured is not None:
        processing = measured.processing
        period = processing.period[code.f]
        name = _decorated(measured_name(measured, code), code, period)
        return Entry(name, period.class_id or processing.class_id, processing.unit(measured.quantity, measured.row))
    value = captured(medium, code)
    if value is not None and medium.profiles is not None:
        of = lookup(value).name.removeprefix(f"{medium.name} ")
        return Entry(fill(medium.profiles.name, _no_number, captured=of), medium.profiles.class_id)
    abstract = service_entry(code)
    return None if abstract is None else _named(media()[0], abstract)


def _measured(family: Family, code: Obis) -> Measured | None:
    quantity = family.quantities.get(code.c)
    processing = family.processings.get(code.d)
    if quantity is None or processing is None:
        return None
    row = processing.classification.get(code.e)
    return None if row is None or code.f not in processing.period else Measured(quantity, processing, row)


def _decorated(name: str, code: Obis, period: Row) -> str:
    channel = f"channel {code.b}" if code.b else ""
    return ", ".join(part for part in (name, channel, numbered(period.words, code)) if part)


def _generic(code: Obis, scope: Scope) -> Entry:
    """What a code gets that has no name of its own: its class is a guess by the value groups."""
    measured = code.a != 0 and 0 < code.c < SERVICE_ENTRIES
    class_id = _PROFILE_GENERIC if code.c in (LISTS, PROFILES) else _REGISTER if measured else _DATA
    if scope is Scope.COUNTRY:
        of = country(code.d)
        name = f"Country-specific object {code.d}.{code.e}" + ("" if of is None else f", {of}")
        return Entry(_decorated(name, code, _NO_ROW), _DATA, None, scope)
    known = scope not in (Scope.STANDARD, Scope.RESERVED)
    name = f"{medium_name(code.a)} {scope} object {code}" if known else f"{medium_name(code.a)} object {code}"
    return Entry(name, class_id, None, scope if known else Scope.RESERVED)


def _scope(code: Obis) -> Scope:
    """Who gives a code its meaning, as far as the ranges of the value groups say."""
    _, b, c, d, e, f = code.octets
    # The groups D to F of codes of a country or a consortium have no range for manufacturers.
    free = c not in (COUNTRIES, CONSORTIA)
    if (
        b in _MANUFACTURERS
        or c in _MANUFACTURERS
        or c == _MANUFACTURER_QUANTITY
        or (free and any(group in _OF_A_MANUFACTURER for group in (d, e, f)))
    ):
        return Scope.MANUFACTURER
    if b in _UTILITIES:
        return Scope.UTILITY
    if b > LAST_CHANNEL:
        return Scope.RESERVED
    if c == SERVICE_ENTRIES and d in _MANUFACTURER_ENTRIES:
        return Scope.MANUFACTURER
    return _SCOPES.get(c, Scope.STANDARD)


def _no_number(group: str, shift: int) -> str:
    raise AssertionError(f"a name without numbers has {{{group}{shift:+}}}")
